/* lua/env_source.h - documents from a script: `parl.source{...}`.
 *
 * A source is a parl_env (lua/env.h) that was created with options.speaks, the environment whose
 * vocabulary it has; it has no episodes. What it shows is of parl_env_get_shown.
 * Thread rule: one thread at a time per source; it reads the environment it speaks. */
#ifndef PARL_LUA_ENV_SOURCE_H
#define PARL_LUA_ENV_SOURCE_H
#include "core/augment.h"
#include "lua/env.h"

/* Where a document goes. Borrowed. */
typedef struct parl_document_room {
  size_t max;      /* tokens, >= 1 */
  int32_t *tokens; /* [max] */
  uint8_t *learnt; /* [max] 1: the token is in the loss */
} parl_document_room;

/* Whether its `document` takes a transform: has a third argument. */
bool parl_env_takes_augment(const parl_env *source);
/* Document `seed` of the source, a function of (script, parameters, seed, augment). augment NULL:
 * nothing is varied. *n tokens, one of them learnt at least, none of an image. Fails: ESCRIPT
 * naming the seed and what is wrong, ELIMIT. */
parl_status parl_env_document(parl_env *source, uint64_t seed, const parl_augment *augment,
                              const parl_document_room *room, size_t *n);
/* The first transform that the last document asked for; NULL if it asked for none. Borrowed until
 * the next. */
const parl_transform *parl_env_get_transform(const parl_env *source);

#endif
