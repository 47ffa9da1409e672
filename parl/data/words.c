/* parl/data/words.c - sorted, to be found by halving. */
#include "parl/data/words.h"

#include <stdlib.h>
#include <string.h>

#include "core/config.h"

static int compare_words(const void *a, const void *b) {
  return strcmp(((const parl_word *)a)->text, ((const parl_word *)b)->text);
}

/* One of each text, which has no token where several had it. */
static void merge(parl_words *w) {
  size_t kept = 0;
  for (size_t i = 0; i < w->n; i++) {
    if (kept > 0 && strcmp(w->items[kept - 1].text, w->items[i].text) == 0)
      w->items[kept - 1].token = -1;
    else
      w->items[kept++] = w->items[i];
  }
  w->n = kept;
}

parl_status parl_words_init(parl_words *words, const parl_env *env) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  *words = (parl_words){.first_byte = -1};
  words->items = calloc(2 * (size_t)spec->n_plain, sizeof *words->items);
  if (words->items == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for words");
  for (int32_t v = 0; v < spec->n_plain; v++) {
    const char *name = parl_env_token_name(env, v), *colon = strchr(name, ':');
    words->items[words->n++] = (parl_word){name, v};
    if (colon != NULL) words->items[words->n++] = (parl_word){colon + 1, v};
  }
  qsort(words->items, words->n, sizeof *words->items, compare_words);
  merge(words);
  for (int i = 0; i < spec->n_families; i++)
    if (strcmp(spec->families[i].name, "byte") == 0 && spec->families[i].n == 256)
      words->first_byte = spec->families[i].first_token;
  return PARL_STATUS_OK;
}

void parl_words_deinit(parl_words *words) {
  free(words->items);
  *words = (parl_words){0};
}

static parl_status refuse(const parl_words *w, const char *text, const parl_word *found) {
  const char *near = NULL;
  if (found == NULL) {
    const char **names = calloc(w->n + 1, sizeof *names);
    for (size_t i = 0; names != NULL && i < w->n; i++) names[i] = w->items[i].text;
    if (names != NULL) near = parl_nearest(text, names, w->n);
    free(names);
  }
  return parl_fail(PARL_STATUS_EFORMAT, "\"%.80s\" %s%s%s%s", text,
                   found == NULL ? "is no word of the environment"
                                 : "is a word of several families; write FAMILY:WORD",
                   near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
}

parl_status parl_words_find(const parl_words *words, const char *text, int32_t *token) {
  const parl_word key = {text, 0};
  const parl_word *found =
      bsearch(&key, words->items, words->n, sizeof *words->items, compare_words);
  if (found == NULL || found->token < 0) return refuse(words, text, found);
  *token = found->token;
  return PARL_STATUS_OK;
}
