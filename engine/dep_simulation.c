/* engine/dep_simulation.c - one pipeline for each replica, and loads of the tower's stages. */
#include "engine/dep_simulation.h"

#include <math.h>
#include <stdlib.h>

#include "core/arena.h"
#include "engine/deal.h"
#include "engine/dep_mix.h"
#include "engine/flops.h"
#include "engine/pipeline.h"

enum { MICRO = PARL_DEP_MICRO_BATCHES, MEDIAN_ROWS = 256, MOST_ROWS = 4096 };

typedef struct simulation {
  size_t P, N, R; /* stages, devices, replicas */
  size_t group;   /* devices of a replica */
  double tp;
  double *stage; /* [P] FLOPs of a micro-batch's forward on one device */
  parl_dep_mix mix;
  double *image;               /* [images] FLOPs of a forward */
  double *micro;               /* [R, MICRO] those of its images */
  double *forward, *backward;  /* [P, MICRO] */
  double *loads;               /* [N] */
  size_t *order, *hand, *heap; /* [images], [images], [N] */
  parl_arena arena;
} simulation;

bool parl_dep_fit_layout(const parl_layout *layout, size_t devices, parl_layout *out) {
  const size_t tp = (size_t)layout->tp;
  if (devices < tp || devices % tp != 0) return false;
  const size_t groups = devices / tp;
  size_t pp = (size_t)layout->pp < groups ? (size_t)layout->pp : groups;
  while (groups % pp != 0) pp--;
  *out = *layout;
  out->pp = (int64_t)pp;
  out->dp = (int64_t)(groups / pp);
  return true;
}

static parl_status take_room(simulation *s, const parl_layout *l) {
  s->P = (size_t)l->pp;
  s->R = (size_t)l->dp;
  s->tp = (double)l->tp;
  s->group = s->P * (size_t)l->tp;
  s->N = s->group * s->R;
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->P, &s->stage));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->mix.n, &s->image));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->R * MICRO, &s->micro));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->P * MICRO, &s->forward));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->P * MICRO, &s->backward));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->N, &s->loads));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->mix.n, &s->order));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->mix.n, &s->hand));
  return PARL_ARENA_TAKE(&s->arena, s->N, &s->heap);
}

static void count(simulation *s, const parl_layout *l, const parl_model_config *config,
                  size_t vocab_size) {
  const double tokens = (double)l->tokens, context = fmin(tokens, (double)config->max_context) / 2;
  for (size_t i = 0; i < s->P; i++) {
    const parl_layout_stage at = parl_layout_count(l, config, vocab_size, i);
    s->stage[i] = tokens / s->tp *
                  parl_shape_stage_flops(config, vocab_size, context, at.first_layer, at.n_layers);
  }
  for (size_t i = 0; i < s->R * MICRO; i++) s->micro[i] = 0.0;
  for (size_t i = 0; i < s->mix.n; i++) {
    const parl_dep_image *x = &s->mix.images[i];
    s->image[i] =
        parl_shape_item_flops(config, vocab_size, 1.0, 4.0 * (double)(x->rows * x->columns));
    s->micro[x->sequence] += s->image[i];
  }
}

/* A replica's pipeline; images NULL: text alone, else FLOPs [MICRO] that the first stage has. */
static parl_status run_pipeline(simulation *s, const double *images, double *span) {
  for (size_t i = 0; i < s->P; i++)
    for (size_t m = 0; m < MICRO; m++) {
      const double seen = images != NULL && i == 0 ? images[m] : 0.0;
      s->forward[i * MICRO + m] = s->stage[i] + seen;
      s->backward[i * MICRO + m] = 2.0 * (s->stage[i] + seen);
    }
  return parl_pipeline_simulate(s->P, MICRO, s->forward, s->backward, span);
}

static double count_text(const simulation *s) {
  return 3.0 * MICRO * parl_deal_sum(s->P, s->stage) * s->tp * (double)s->R;
}

/* Of `work` on all devices in a step of so long. */
static double find_bubble(const simulation *s, double work, double span) {
  return 1.0 - work / (span * (double)s->N);
}

/* The slowest replica decides. Each device of the first stage looks. */
static parl_status simulate_inside(simulation *s, double text, parl_dep_simulated *out) {
  double longest = 0.0, fullest = 0.0, all = 0.0;
  for (size_t r = 0; r < s->R; r++) {
    double span;
    PARL_TRY(run_pipeline(s, s->micro + r * MICRO, &span));
    longest = fmax(longest, span);
    const double seen = 3.0 * parl_deal_sum(MICRO, s->micro + r * MICRO);
    for (size_t i = 0; i < s->P; i++) {
      const double load = 3.0 * MICRO * s->stage[i] + (i == 0 ? seen : 0.0);
      fullest = fmax(fullest, load);
      all += load * s->tp;
    }
  }
  *out = (parl_dep_simulated){.efficiency = text / longest,
                              .max_mean = fullest * (double)s->N / all,
                              .bubble = find_bubble(s, all, longest)};
  return PARL_STATUS_OK;
}

/* Three times the fullest device's forward behind the pipeline, and once before it. */
static parl_dep_simulated simulate_stages(const simulation *s, double text) {
  const double fullest = parl_deal_max(s->N, s->loads), all = parl_deal_sum(s->N, s->loads);
  const double span = text + 4.0 * fullest;
  return (parl_dep_simulated){.efficiency = text / span,
                              .max_mean = fullest * (double)s->N / all,
                              .bubble = find_bubble(s, count_text(s) + 4.0 * all, span)};
}

static void deal_by_micro_batch(simulation *s) {
  for (size_t d = 0; d < s->N; d++) s->loads[d] = 0.0;
  for (size_t r = 0; r < s->R; r++)
    for (size_t m = 0; m < MICRO; m++)
      s->loads[r * s->group + m % s->group] += s->micro[r * MICRO + m];
}

static parl_status simulate(simulation *s, parl_dep_simulation *out) {
  double text;
  PARL_TRY(run_pipeline(s, NULL, &text));
  const double seen = 4.0 * parl_deal_sum(s->mix.n, s->image);
  *out = (parl_dep_simulation){.devices = s->N,
                               .stages = s->P,
                               .replicas = s->R,
                               .vision = seen / (seen + count_text(s)),
                               .text_bubble = find_bubble(s, count_text(s), text)};
  PARL_TRY(simulate_inside(s, text, &out->inside));
  deal_by_micro_batch(s);
  out->unbalanced = simulate_stages(s, text);
  parl_deal_sort(s->mix.n, s->image, s->order);
  parl_deal(s->mix.n, s->image, s->order, s->N, s->hand, s->loads, s->heap);
  out->balanced = simulate_stages(s, text);
  return PARL_STATUS_OK;
}

parl_status parl_dep_simulate(const parl_layout *layout, const parl_model_config *config,
                              size_t vocab_size, double share, parl_dep_simulation *out) {
  const size_t tokens = (size_t)layout->tokens;
  const parl_dep_mix_def mix = {.n_sequences = (size_t)layout->dp * MICRO,
                                .sequence = tokens,
                                .share = share,
                                .median_rows = MEDIAN_ROWS,
                                .sigma = 1.0,
                                .max_rows = MOST_ROWS};
  PARL_REQUIRE(config->vision.n_layers > 0);
  simulation s = {0};
  parl_arena_init(&s.arena, 0);
  parl_status status = parl_dep_mix_draw(&mix, &s.mix);
  if (status == PARL_STATUS_OK) status = take_room(&s, layout);
  if (status == PARL_STATUS_OK) {
    count(&s, layout, config, vocab_size);
    status = simulate(&s, out);
    out->share = share;
  }
  parl_arena_deinit(&s.arena);
  parl_dep_mix_deinit(&s.mix);
  return status;
}
