/* parl/data/words.h - the words of an environment in a text: names of tokens, and what stands
 * behind their colon.
 *
 * Thread rule: read-only once made. Reading order: init, find. */
#ifndef PARL_PARL_DATA_WORDS_H
#define PARL_PARL_DATA_WORDS_H
#include "lua/env.h"

/* A word and its token. */
typedef struct parl_word {
  const char *text; /* borrowed of the environment */
  int32_t token;    /* -1: several tokens have it behind their colon */
} parl_word;

typedef struct parl_words {
  size_t n;
  parl_word *items;   /* [n] sorted */
  int32_t first_byte; /* token of byte 0; -1: text is words */
} parl_words;

/* Of the environment's plain tokens; it outlives them. Fails: ENOMEM, deinit is due all the same.
 */
parl_status parl_words_init(parl_words *words, const parl_env *env);
void parl_words_deinit(parl_words *words);
/* The token of a word. Fails: EFORMAT that names it, and what is near. */
parl_status parl_words_find(const parl_words *words, const char *text, int32_t *token);

#endif
