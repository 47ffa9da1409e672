/* parl/data/augment_limits.c - the largest picture, the farthest place, the longest document. */
#include "parl/data/augment_limits.h"

#include <stdio.h>

#include "core/media.h"

static parl_status refuse(const parl_augment_limits *limits, const char *field, double value,
                          const char *why) {
  return parl_fail(PARL_STATUS_EFORMAT, "sources.%s.augment.%s = %g: %s", limits->source, field,
                   value, why);
}

parl_status parl_augment_check_picture(const parl_augment_limits *limits,
                                       const parl_env_vision *vision, int width, int height,
                                       int *n_tokens) {
  const parl_augment_config *c = &limits->config;
  int sides[2], most = 0;
  parl_augment_get_largest(c, width, height, &sides[0], &sides[1]);
  const bool fits = sides[0] <= vision->width && sides[1] <= vision->height;
  const int n_ways = c->turn > 0 ? 2 : 1;
  for (int turned = 0; turned < n_ways; turned++) {
    const int w = sides[turned], h = sides[1 - turned];
    char why[160];
    parl_media_size size;
    snprintf(why, sizeof why,
             "%d x %d pixels may become %d x %d; the environment's vision declares at most %d x %d",
             width, height, w, h, vision->width, vision->height);
    if (w > vision->width || h > vision->height)
      return refuse(limits, fits ? "turn" : "scale_max", fits ? c->turn : c->scale_max, why);
    PARL_TRY(parl_env_vision_fit(vision, w, h, 1, &size));
    if (size.n_tokens > most) most = size.n_tokens;
  }
  *n_tokens = most;
  return PARL_STATUS_OK;
}

parl_status parl_augment_check_place(const parl_augment_limits *limits, int width, int height,
                                     const double *x, size_t n, int n_values) {
  const parl_augment_config *c = &limits->config;
  parl_augment_config less = *c;
  const int most = parl_augment_get_farthest(c, width, height, x, n);
  char why[160];
  if (most < n_values) return PARL_STATUS_OK;
  snprintf(why, sizeof why,
           "of a picture of %d x %d pixels it may become %d, value %d of the family, which has %d",
           width, height, most, most + 1, n_values);
  less.scale_max = 1;
  if (parl_augment_get_farthest(&less, width, height, x, n) < n_values)
    return refuse(limits, "scale_max", c->scale_max, why);
  if (c->turn > 0) return refuse(limits, "turn", c->turn, why);
  less.flip_y = 0;
  const bool is_y = parl_augment_get_farthest(&less, width, height, x, n) < n_values;
  return refuse(limits, is_y ? "flip_y" : "flip_x", is_y ? c->flip_y : c->flip_x, why);
}

parl_status parl_augment_check_length(const parl_augment_limits *limits, size_t n, size_t most) {
  const parl_augment_config *c = &limits->config;
  char why[160];
  if (n <= most) return PARL_STATUS_OK;
  snprintf(why, sizeof why,
           "the document may become one of %zu tokens with <bos>; at most %zu, the least of "
           "pretrain.batch_tokens and model.max_context",
           n, most);
  return refuse(limits, c->scale_max > 1 ? "scale_max" : "turn",
                c->scale_max > 1 ? c->scale_max : c->turn, why);
}
