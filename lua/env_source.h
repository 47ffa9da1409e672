/* lua/env_source.h - documents from a script: `parl.source{...}`.
 *
 * A source is a parl_env (lua/env.h) that was created with options.speaks, the environment whose
 * vocabulary it has; it has no episodes. What it shows is of parl_env_get_shown.
 * Thread rule: one thread at a time per source; it reads the environment it speaks. */
#ifndef PARL_LUA_ENV_SOURCE_H
#define PARL_LUA_ENV_SOURCE_H
#include "lua/env.h"

/* Where a document goes. Borrowed. */
typedef struct parl_document_room {
  size_t max;      /* tokens, >= 1 */
  int32_t *tokens; /* [max] */
  uint8_t *learnt; /* [max] 1: the token is in the loss */
} parl_document_room;

/* Document `seed` of the source, a function of (script, parameters, seed). *n tokens, one of them
 * learnt at least, none of an image. Fails: ESCRIPT naming the seed and what is wrong, ELIMIT. */
parl_status parl_env_document(parl_env *source, uint64_t seed, const parl_document_room *room,
                              size_t *n);

#endif
