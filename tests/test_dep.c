/* tests/test_dep.c - a batch's images over workers: who gets what, and no bit depends on it. */
#include <math.h>

#include "core/rng.h"
#include "engine/deal.h"
#include "engine/dep_step.h"
#include "engine/flops.h"
#include "engine/vision_step_internal.h"
#include "tests/engine_support.h"
#include "tests/support.h"
#include "tests/vision_support.h"

/* ------------------------------------------------------------------------------------ dealing */

/* 7 and 6 to a hand each; 5 joins 6, 4 joins 7, 4 (11 on both) the first, 1 the second. */
static void test_deal_by_hand(void **state) {
  (void)state;
  static const double costs[] = {4, 7, 1, 5, 4, 6};
  static const size_t due_order[] = {1, 5, 3, 0, 4, 2}, due_hands[] = {0, 0, 1, 1, 0, 1};
  size_t order[6], hands[6], heap[2];
  double loads[2];
  parl_deal_sort(6, costs, order);
  assert_memory_equal(order, due_order, sizeof order);
  parl_deal(6, costs, order, 2, hands, loads, heap);
  assert_memory_equal(hands, due_hands, sizeof hands);
  assert_close(loads[0], 15, 0);
  assert_close(loads[1], 12, 0);
  assert_close(parl_deal_max(2, loads), 15, 0);
  assert_close(parl_deal_sum(2, loads), 27, 0);
}

/* The fullest hand of the best of all 3^8 deals. */
static double deal_best(const double costs[8]) {
  double best = (double)INFINITY;
  for (int deal = 0; deal < 6561; deal++) {
    double loads[3] = {0};
    for (int i = 0, rest = deal; i < 8; i++, rest /= 3) loads[rest % 3] += costs[i];
    best = fmin(best, parl_deal_max(3, loads));
  }
  return best;
}

/* Against every deal there is: never above Graham's bound, and all work is dealt. */
static void test_deal_is_near_the_best(void **state) {
  (void)state;
  parl_rng_cursor rng = {7, 1, 0};
  for (int round = 0; round < 20; round++) {
    double costs[8], loads[3];
    size_t order[8], hands[8], heap[3];
    for (int i = 0; i < 8; i++) costs[i] = 1.0 + (double)parl_rng_next_below(&rng, 20);
    parl_deal_sort(8, costs, order);
    for (int i = 1; i < 8; i++) assert_true(costs[order[i - 1]] >= costs[order[i]]);
    parl_deal(8, costs, order, 3, hands, loads, heap);
    assert_close(parl_deal_sum(3, loads), parl_deal_sum(8, costs), 1e-12);
    assert_true(parl_deal_max(3, loads) <= deal_best(costs) * (4.0 / 3.0 - 1.0 / 9.0) + 1e-9);
  }
}

/* A frame's share of the projector: of four frames a quarter, all else the same. */
static void test_flops_of_an_item(void **state) {
  (void)state;
  parl_model_config c = vision_config();
  c.vision.n_layers = 1;
  const double D = (double)c.vision.d_model, F = (double)c.vision.d_ff, C = (double)c.d_model;
  const double pixels = 3.0 * (double)(c.vision.patch * c.vision.patch);
  const double patch = pixels * D + 4 * D * D + 2 * F * D + 2 * D * 32, merged = 4 * D + C;
  assert_close(parl_shape_item_flops(&c, ENGINE_VOCAB, 1, 32), 64 * (patch + merged * D), 1e-12);
  assert_close(parl_shape_item_flops(&c, ENGINE_VOCAB, 4, 32), 64 * (patch + merged * D / 4),
               1e-12);
  assert_close(parl_shape_patch_flops(&c, ENGINE_VOCAB, 32), 2 * (patch + merged * D), 1e-12);
}

/* ----------------------------------------------------------------------------------- batches */

enum { SEQUENCE = 24, N_SLICES = 5, N_IMAGES = 7, MAX_PATCHES = 160, PIXELS = 12 };
/* Owners 0, 0, 1, 3, 4, 4, 4: one slice has none, one three. */
static const int64_t GRIDS[N_IMAGES][3] = {{1, 4, 4}, {1, 2, 2}, {1, 6, 8}, {4, 2, 2},
                                           {1, 2, 6}, {1, 2, 4}, {2, 4, 4}};
static const size_t OWNER[N_IMAGES] = {0, 0, 1, 3, 4, 4, 4};

typedef struct batch {
  parl_media media;
  float pixels[MAX_PATCHES * PIXELS];
  int64_t grids[N_IMAGES][3];
  parl_slice slices[N_SLICES];
  int32_t seq_start[2], tokens[N_SLICES][SEQUENCE], outputs[SEQUENCE];
  int32_t given_rows[N_SLICES][SEQUENCE], places[N_IMAGES];
  parl_dep_step_batch dep;
} batch;

static void make_batch(batch *b) {
  *b = (batch){.seq_start = {0, SEQUENCE}};
  memcpy(b->grids, GRIDS, sizeof GRIDS);
  engine_normal(b->pixels, (size_t)MAX_PATCHES * PIXELS, 3);
  b->media = (parl_media){.pixels = b->pixels, .grid_thw = &b->grids[0][0], .n_items = N_IMAGES};
  parl_rng_cursor rng = {5, 1, 0};
  for (int t = 0; t < SEQUENCE; t++) b->outputs[t] = t;
  for (size_t s = 0; s < N_SLICES; s++) {
    for (int t = 0; t < SEQUENCE; t++)
      b->tokens[s][t] = (int32_t)parl_rng_next_below(&rng, ENGINE_VOCAB);
    b->slices[s] = (parl_slice){.n_seqs = 1,
                                .seq_start = b->seq_start,
                                .tokens = b->tokens[s],
                                .n_outputs = SEQUENCE,
                                .outputs = b->outputs,
                                .given_rows = b->given_rows[s]};
  }
  for (size_t i = 0; i < N_IMAGES; i++) {
    parl_slice *s = &b->slices[OWNER[i]];
    const size_t rows = (size_t)(GRIDS[i][1] / 2 * (GRIDS[i][2] / 2));
    b->places[i] = (int32_t)i;
    for (size_t k = 0; k < rows; k++, s->n_given++)
      b->given_rows[OWNER[i]][s->n_given] = 1 + (int32_t)s->n_given;
  }
  b->dep = (parl_dep_step_batch){.batch = engine_train_batch(b->slices, N_SLICES),
                                 .slices = b->slices,
                                 .media = &b->media,
                                 .n_places = N_IMAGES,
                                 .places = b->places};
}

/* The log-likelihood of a row's own token. */
static parl_status loss(void *context, size_t i, const parl_slice *slice, parl_workspace *ws,
                        float *logits) {
  (void)context, (void)i, (void)logits;
  float logp[SEQUENCE], entropy[SEQUENCE];
  return engine_predict_next(ws, slice, logp, entropy);
}

typedef struct setup {
  parl_workers *workers;
  parl_train_step *step;
  parl_dep_step *dep;
} setup;

static void open_setup(setup *s, const parl_model *m, size_t threads, parl_dep_step_def def) {
  assert_ok(parl_workers_create(threads, &s->workers));
  s->step = engine_step(m, s->workers, 2, SEQUENCE);
  def.model = m;
  def.workers = s->workers;
  def.max_patches = 64;
  def.n_owners = 2;
  assert_ok(parl_dep_step_create(&def, &s->dep));
}

static void close_setup(setup *s) {
  parl_dep_step_destroy(s->dep);
  parl_train_step_destroy(s->step);
  parl_workers_destroy(s->workers);
}

/* The gradient [n_params], to be freed; *bytes may be NULL. */
static float *run(const parl_model *m, size_t threads, parl_dep_step_def def, size_t *bytes) {
  static batch b;
  setup s;
  float *grads = NULL, *out = calloc(parl_model_get_n_params(m), sizeof *out);
  make_batch(&b);
  open_setup(&s, m, threads, def);
  for (int twice = 0; twice < 2; twice++) /* nothing is left of the first run */
    assert_ok(parl_dep_step_run(s.dep, s.step, &b.dep, loss, NULL, &grads));
  assert_ok(parl_train_step_read(s.step, grads, out));
  if (bytes != NULL) *bytes = parl_dep_step_get_bytes(s.dep);
  for (int stage = 1; stage <= 3 && def.schedule != PARL_DEP_INSIDE; stage += 2)
    for (size_t i = 0; i < N_IMAGES && def.pack_patches == 1; i++)
      assert_true(parl_dep_step_get_seconds(s.dep, stage)[i] > 0);
  close_setup(&s);
  return out;
}

/* Balanced, by owners, inside of slices, on 1, 2 and 4 workers: the same bits everywhere. Packed,
 * and with fewer accumulators than packs: near, and the same for any number of workers. */
static void test_schedules_give_the_same_bits(void **state) {
  (void)state;
  const parl_model_config c = vision_config();
  const parl_backend *backend;
  assert_ok(parl_backend_cpu(NULL, &backend));
  parl_model *m = engine_model(&c, backend, 31);
  const size_t n = parl_model_get_n_params(m);
  size_t bytes[3];
  float *due = run(m, 1, (parl_dep_step_def){.n_leaves = N_IMAGES, .pack_patches = 1}, NULL);
  float *packed = run(m, 1, (parl_dep_step_def){.n_leaves = 3}, NULL);
  const parl_vision_range seen = parl_vision_get_range(m);
  assert_true(engine_max_abs(due + seen.first, seen.n) > 0);
  assert_true(engine_difference(packed, due, n) < 1e-5);
  for (size_t threads = 1; threads <= 4; threads *= 2) {
    for (int schedule = PARL_DEP_BALANCED; schedule <= PARL_DEP_INSIDE; schedule++) {
      const parl_dep_step_def def = {
          .n_leaves = N_IMAGES, .pack_patches = 1, .schedule = (parl_dep_schedule)schedule};
      float *grads = run(m, threads, def, &bytes[schedule]);
      assert_memory_equal(grads, due, n * sizeof *due);
      free(grads);
    }
    assert_int_equal(bytes[PARL_DEP_BALANCED], bytes[PARL_DEP_OWNED]);
    float *grads = run(m, threads, (parl_dep_step_def){.n_leaves = 3}, NULL);
    assert_memory_equal(grads, packed, n * sizeof *due);
    free(grads);
  }
  free(due);
  free(packed);
  parl_model_destroy(m);
}

/* By patches 16, 4, 48, 16, 12, 8, 32: an accumulator each for the three dearest, and so on; what
 * comes first is the dearest. Packed, 16 + 4, 48, 16 + 12, 8, 32: as long as all are 136, a pack
 * that takes more would leave accumulators without. */
static void test_accumulators_follow_from_items(void **state) {
  (void)state;
  const parl_model_config c = vision_config();
  parl_model *m = engine_model(&c, parl_backend_ref(), 31);
  parl_workers *workers = NULL;
  parl_vision_step *step = NULL;
  assert_ok(parl_workers_create(2, &workers));
  parl_vision_step_def def = {.model = m,
                              .workers = workers,
                              .n_leaves = 3,
                              .pack_patches = 1,
                              .max_patches = 64,
                              .max_items = N_IMAGES,
                              .max_rows = 64};
  assert_ok(parl_vision_step_create(&def, &step));
  assert_ok(parl_vision_step_plan(step, &(parl_vision_items){N_IMAGES, &GRIDS[0][0], NULL}));
  assert_int_equal(step->n_packs, N_IMAGES);
  assert_int_equal(step->n_used, 3);
  static const size_t order[] = {2, 6, 0, 3, 4, 5, 1};
  assert_memory_equal(step->order, order, sizeof order);
  double loads[3] = {0};
  for (size_t k = 0; k < N_IMAGES; k++) { /* each went to who had least before it */
    const size_t leaf = step->leaf[order[k]];
    for (size_t other = 0; other < 3; other++) assert_true(loads[leaf] <= loads[other]);
    loads[leaf] += step->costs[order[k]];
  }
  assert_true(step->loads[step->leaf_order[0]] >= step->loads[step->leaf_order[1]]);
  assert_true(step->loads[step->leaf_order[1]] >= step->loads[step->leaf_order[2]]);
  parl_vision_step_destroy(step);
  def.pack_patches = 64;
  assert_ok(parl_vision_step_create(&def, &step));
  assert_ok(parl_vision_step_plan(step, &(parl_vision_items){N_IMAGES, &GRIDS[0][0], NULL}));
  assert_int_equal(step->n_packs, 5);
  parl_vision_step_destroy(step);
  parl_workers_destroy(workers);
  parl_model_destroy(m);
}

static void test_what_a_schedule_wants(void **state) {
  (void)state;
  static batch b;
  const parl_model_config c = vision_config();
  parl_model *m = engine_model(&c, parl_backend_ref(), 31);
  setup s;
  float *grads = NULL;
  make_batch(&b);
  open_setup(
      &s, m, 1,
      (parl_dep_step_def){.n_leaves = N_IMAGES - 1, .pack_patches = 1, .schedule = PARL_DEP_OWNED});
  assert_fails(parl_dep_step_run(s.dep, s.step, &b.dep, loss, NULL, &grads), PARL_STATUS_EINVAL,
               "7 in 7 places, 6 accumulators");
  const parl_dep_step_def packed = {.model = m,
                                    .workers = s.workers,
                                    .n_leaves = 8,
                                    .max_patches = 64,
                                    .schedule = PARL_DEP_INSIDE,
                                    .n_owners = 2};
  parl_dep_step *none = NULL;
  assert_status(parl_dep_step_create(&packed, &none), PARL_STATUS_EINVAL);
  close_setup(&s);
  parl_model_destroy(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_deal_by_hand),
      cmocka_unit_test(test_deal_is_near_the_best),
      cmocka_unit_test(test_flops_of_an_item),
      cmocka_unit_test(test_schedules_give_the_same_bits),
      cmocka_unit_test(test_accumulators_follow_from_items),
      cmocka_unit_test(test_what_a_schedule_wants),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
