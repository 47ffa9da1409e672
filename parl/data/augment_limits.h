/* parl/data/augment_limits.h - whether all that a recipe allows to augment fits, before anything is
 * learnt.
 *
 * Thread rule: pure functions. Reading order: parl_augment_limits, picture, place, length. Errors
 * are EFORMAT and name sources.NAME.augment and the field of it, its value and the range. */
#ifndef PARL_PARL_DATA_AUGMENT_LIMITS_H
#define PARL_PARL_DATA_AUGMENT_LIMITS_H
#include "core/augment.h"
#include "lua/env.h"

typedef struct parl_augment_limits {
  parl_augment_config config;
  const char *source; /* its name; borrowed; NULL: nothing may be drawn */
} parl_augment_limits;

/* Pictures of width * height, turned and scaled, in the environment's vision. *n_tokens: the most
 * that they get. Fails: EFORMAT; as parl_env_vision_fit. */
parl_status parl_augment_check_picture(const parl_augment_limits *limits,
                                       const parl_env_vision *vision, int width, int height,
                                       int *n_tokens);
/* A point (n = 2) or a box (n = 4) of such pictures in a family of n_values, the first of which is
 * 0. */
parl_status parl_augment_check_place(const parl_augment_limits *limits, int width, int height,
                                     const double *x, size_t n, int n_values);
/* A document that may get n tokens, of at most `most`. */
parl_status parl_augment_check_length(const parl_augment_limits *limits, size_t n, size_t most);

#endif
