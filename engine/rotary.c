/* engine/rotary.c - angles of the rotary embedding, extended by YaRN.
 *
 * Pair i of a rotated part of width D turns by theta^(-2i/D) a position. YaRN divides the slow
 * pairs' frequency by the factor, leaves the fast ones alone and blends between; it acts at every
 * length. Source: Su et al. 2021, eq. 15; Peng et al. 2023, sections 3.2 and 3.4. */
#include <math.h>

#include "engine/model_internal.h"

static const double PI = 3.14159265358979323846;

static double make_mscale(double factor, double weight) {
  return factor <= 1.0 ? 1.0 : 0.1 * weight * log(factor) + 1.0;
}

/* The pair that turns `turns` times within the original context, as a real number. */
static double find_pair(const parl_model_config *c, double D, double turns) {
  return D * log((double)c->rope_original_context / (turns * 2.0 * PI)) /
         (2.0 * log(c->rope_theta));
}

static double blend(const parl_model_config *c, size_t D, size_t i, double frequency) {
  double low = floor(find_pair(c, (double)D, c->rope_beta_fast));
  double high = ceil(find_pair(c, (double)D, c->rope_beta_slow));
  low = fmax(low, 0.0);
  high = fmin(high, (double)D - 1.0);
  if (!(high > low || high < low)) high += 0.001;
  const double ramp = fmin(1.0, fmax(0.0, ((double)i - low) / (high - low)));
  return frequency / c->rope_factor * ramp + frequency * (1.0 - ramp);
}

parl_status parl_model_make_rotary(parl_model *m) {
  const parl_model_config *c = &m->config;
  const size_t D = m->dims.rotated, pairs = D / 2;
  const bool is_extended = c->rope_factor > 1.0;
  const double all = make_mscale(c->rope_factor, c->rope_mscale_all_dim);
  double size = make_mscale(c->rope_factor, c->rope_mscale) / all;
  if (is_extended && c->rope_attention_factor > 0.0) size = c->rope_attention_factor;
  float *angles; /* of the host: cosines, then sines */
  const size_t n = m->dims.T * pairs, bytes = n * sizeof *angles;
  PARL_TRY(PARL_ARENA_TAKE(&m->numbers, n, &m->cos_table));
  PARL_TRY(PARL_ARENA_TAKE(&m->numbers, n, &m->sin_table));
  const parl_arena_mark mark = parl_arena_get_mark(&m->arena);
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, 2 * n, &angles));
  for (size_t i = 0; i < pairs; i++) {
    double frequency = pow(c->rope_theta, -2.0 * (double)i / (double)D);
    if (is_extended) frequency = blend(c, D, i, frequency);
    for (size_t t = 0; t < m->dims.T; t++) {
      angles[t * pairs + i] = (float)(cos((double)t * frequency) * size);
      angles[n + t * pairs + i] = (float)(sin((double)t * frequency) * size);
    }
  }
  parl_queue_upload(m->queue, m->cos_table, angles, bytes);
  parl_queue_upload(m->queue, m->sin_table, angles + n, bytes);
  parl_arena_rewind(&m->arena, mark);
  m->attention_scale = (float)(all * all / sqrt((double)m->dims.D));
  return parl_queue_wait(m->queue);
}
