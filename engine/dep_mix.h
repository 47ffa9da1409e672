/* engine/dep_mix.h - images of a made-up batch: log-normal sizes, at chance among its sequences.
 *
 * Thread rule: pure functions of the definition. Reading order: parl_dep_mix_def, draw. */
#ifndef PARL_ENGINE_DEP_MIX_H
#define PARL_ENGINE_DEP_MIX_H
#include <stddef.h>

#include "core/status.h"

typedef struct parl_dep_mix_def {
  size_t n_sequences, sequence; /* how many, and tokens of each, the first of which is text */
  double share;                 /* of all tokens that are visual, above 0, at most 0.9 */
  double median_rows, sigma;    /* tokens of an image; deviation of their logarithm */
  size_t max_rows;              /* tokens of the largest image, at most 65536 */
} parl_dep_mix_def;

/* rows x columns tokens, each of 2 x 2 patches. */
typedef struct parl_dep_image {
  size_t sequence, rows, columns;
} parl_dep_image;

typedef struct parl_dep_mix {
  size_t n, room;
  parl_dep_image *images; /* [n] by sequences; owned */
  double n_visual;        /* tokens: the share of all, rounded */
} parl_dep_mix;

/* An image of n tokens has floor(sqrt n) rows, and columns as fit; one that does not fit into the
 * sequence that chance names, or into the share, is smaller. *out is zeroed before; free it with
 * parl_dep_mix_deinit. Fails: ENOMEM. Source: ours. */
parl_status parl_dep_mix_draw(const parl_dep_mix_def *def, parl_dep_mix *out);
void parl_dep_mix_deinit(parl_dep_mix *mix);

#endif
