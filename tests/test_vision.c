/* tests/test_vision.c - the tower and its projector against a naive one in double, on every level;
 * and what may not change a bit. */
#include "engine/logits.h"
#include "engine/muon.h"
#include "engine/vision.h"
#include "tests/engine_support.h"
#include "tests/support.h"
#include "tests/vision_support.h"

/* As the position grid; smaller, not square; larger, not square; one block; clips of 6 and 9
 * frames in items of 4 + 2 and 4 + 4 + 1. */
static const int64_t GRIDS[][3] = {{1, 4, 4}, {1, 2, 6}, {1, 8, 6}, {1, 2, 2}, {4, 2, 4},
                                   {2, 2, 4}, {4, 4, 2}, {4, 4, 2}, {1, 4, 2}};
enum { N_ITEMS = sizeof GRIDS / sizeof GRIDS[0], MAX_PATCHES = 512, PIXELS = 12, C = 10 };

typedef struct items {
  parl_vision_items all;
  float pixels[MAX_PATCHES * PIXELS], cotangent[MAX_PATCHES * C];
  size_t patches, rows;
} items;

static void make_items(items *it, size_t first, size_t n) {
  it->all = (parl_vision_items){n, &GRIDS[first][0], it->pixels};
  const parl_vision_items before = {first, &GRIDS[0][0], NULL};
  it->patches = parl_vision_count_patches(&it->all);
  it->rows = parl_vision_count_rows(&it->all);
  static float pixels[MAX_PATCHES * PIXELS], cotangent[MAX_PATCHES * C];
  engine_normal(pixels, (size_t)MAX_PATCHES * PIXELS, 21);
  engine_normal(cotangent, (size_t)MAX_PATCHES * C, 22);
  memcpy(it->pixels, pixels + parl_vision_count_patches(&before) * PIXELS,
         it->patches * PIXELS * sizeof *pixels);
  memcpy(it->cotangent, cotangent + parl_vision_count_rows(&before) * C,
         it->rows * C * sizeof *cotangent);
}

/* Features [rows,C] and the gradient [n of the range], to be freed; wherever the numbers lie. */
static float *look(const parl_model *m, const items *it, float *features) {
  const parl_backend *backend = parl_model_get_backend(m);
  const size_t n = parl_vision_get_range(m).n, bytes = it->rows * C * sizeof *features;
  float *out, *cotangent, *sums, *grads = calloc(n, sizeof *grads);
  parl_tower *tower = NULL;
  parl_arena numbers;
  parl_queue *queue = engine_queue(backend);
  parl_arena_init_from(&numbers, 0, &backend->device()->memory);
  assert_ok(PARL_ARENA_TAKE(&numbers, it->rows * C, &cotangent));
  assert_ok(PARL_ARENA_TAKE(&numbers, n, &sums));
  parl_queue_upload(queue, cotangent, it->cotangent, bytes);
  parl_queue_fill(queue, sums, 0, n * sizeof *sums);
  assert_ok(parl_queue_wait(queue));
  assert_ok(parl_tower_create(m, MAX_PATCHES, &tower));
  assert_ok(parl_tower_forward(m, tower, &it->all, &out));
  assert_ok(parl_tower_read(tower, out, it->rows * C, features));
  assert_ok(parl_tower_backward(m, tower, cotangent, sums));
  assert_status(parl_tower_backward(m, tower, cotangent, sums), PARL_STATUS_ESTATE);
  assert_ok(parl_tower_read(tower, sums, n, grads));
  parl_tower_destroy(tower);
  parl_arena_deinit(&numbers);
  parl_queue_destroy(queue);
  return grads;
}

/* max |a - b| / max |b| */
static double differ(const float *a, const double *b, size_t n) {
  double most = 0.0, off = 0.0;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs(b[i]));
  for (size_t i = 0; i < n; i++) {
    const double d = fabs((double)a[i] - b[i]);
    off = isfinite(d) ? fmax(off, d) : (double)INFINITY;
  }
  return most > 0.0 ? off / most : off;
}

static double features_due[MAX_PATCHES * C];

/* All items, one after another; the sum of their gradients [n_params], to be freed. */
static double *look_naively(const parl_model *m, const items *it) {
  double *grads = calloc(parl_model_get_n_params(m), sizeof *grads);
  size_t patch = 0, row = 0;
  for (size_t i = 0; i < it->all.n_items; i++) {
    const int64_t *g = it->all.grid + 3 * i;
    naive_look(m, engine_params(m), g, it->pixels + patch * PIXELS, it->cotangent + row * C,
               features_due + row * C, grads);
    patch += (size_t)(g[0] * g[1] * g[2]);
    row += (size_t)(g[1] * g[2] / 4);
  }
  return grads;
}

static void test_against_the_naive_tower(void **state) {
  (void)state;
  static items it;
  static float features[MAX_PATCHES * C];
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  const parl_model_config c = vision_config();
  double *due = NULL;
  make_items(&it, 0, N_ITEMS);
  for (size_t b = 0; b < n; b++) {
    parl_model *m = engine_model(&c, backends[b], 31);
    if (b == 0) due = look_naively(m, &it);
    float *grads = look(m, &it, features);
    assert_true(differ(features, features_due, it.rows * C) < 1e-5);
    size_t n_tensors;
    double worst = 0.0;
    const parl_model_tensor *t = parl_model_get_tensors(m, &n_tensors);
    const size_t first = parl_vision_get_range(m).first;
    for (size_t i = 0; i < n_tensors; i++) {
      if (t[i].offset < first) continue;
      const double off = differ(grads + (t[i].offset - first), due + t[i].offset, t[i].n);
      if (!(off < 1e-5)) fail_msg("%s: %s is off by %g", backends[b]->instructions, t[i].name, off);
      worst = fmax(worst, off);
    }
    printf("  %s: worst error relative to the tensor's largest gradient %.1e\n",
           backends[b]->instructions, worst);
    free(grads);
    parl_model_destroy(m);
  }
  free(due);
}

/* The naive tower's own gradient, by differences. */
static void test_differences(void **state) {
  (void)state;
  static items it;
  const parl_model_config c = vision_config();
  parl_model *m = engine_model(&c, parl_backend_ref(), 31);
  make_items(&it, 5, 1); /* two frames */
  const parl_vision_range range = parl_vision_get_range(m);
  float *params = engine_params(m);
  double *grads = look_naively(m, &it);
  for (size_t i = range.first; i < range.first + range.n; i += 97) {
    const float x = params[i], low = x - 0x1p-12F, high = x + 0x1p-12F;
    params[i] = high;
    const double up = naive_look(m, params, GRIDS[5], it.pixels, it.cotangent, features_due, NULL);
    params[i] = low;
    const double down =
        naive_look(m, params, GRIDS[5], it.pixels, it.cotangent, features_due, NULL);
    params[i] = x;
    assert_close((up - down) / ((double)high - (double)low), grads[i], 1e-5, 1e-5);
  }
  free(grads);
  parl_model_destroy(m);
}

/* An item's features have the same bits alone, with others, and if blocks are computed again. */
static void test_same_bits_in_any_company(void **state) {
  (void)state;
  static items all, one;
  static float together[MAX_PATCHES * C], alone[MAX_PATCHES * C];
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  parl_model_config c = vision_config();
  make_items(&all, 0, N_ITEMS);
  for (size_t b = 0; b < n; b++) {
    parl_model *m = engine_model(&c, backends[b], 31);
    float *grads = look(m, &all, together);
    size_t row = 0;
    for (size_t i = 0; i < N_ITEMS; i++, row += one.rows) {
      make_items(&one, i, 1);
      free(look(m, &one, alone));
      assert_memory_equal(alone, together + row * C, one.rows * C * sizeof *alone);
    }
    parl_model_config again = c;
    again.recompute = PARL_RECOMPUTE_LAYER;
    parl_model *other = engine_model(&again, backends[b], 31);
    float *same = look(other, &all, alone);
    assert_memory_equal(alone, together, all.rows * C * sizeof *alone);
    assert_memory_equal(grads, same, parl_vision_get_range(m).n * sizeof *grads);
    free(grads);
    free(same);
    parl_model_destroy(m);
    parl_model_destroy(other);
  }
}

/* A backend's memory is its own: where the host may not read, the bits are the CPU's. */
static void test_far(void **state) {
  (void)state;
  static items it;
  static float due[MAX_PATCHES * C], features[MAX_PATCHES * C];
  const parl_model_config c = vision_config();
  const parl_backend *cpu, *far;
  assert_ok(parl_backend_cpu(NULL, &cpu));
  assert_ok(parl_backend_find("far", &far));
  make_items(&it, 0, N_ITEMS);
  parl_model *a = NULL, *b = NULL;
  assert_ok(parl_model_create(&c, ENGINE_VOCAB, cpu, NULL, &a));
  assert_ok(parl_model_create(&c, ENGINE_VOCAB, far, NULL, &b));
  assert_ok(parl_model_init_weights(a, 3));
  assert_ok(parl_model_init_weights(b, 3));
  float *grads = look(a, &it, due), *same = look(b, &it, features);
  assert_memory_equal(due, features, it.rows * C * sizeof *due);
  assert_memory_equal(grads, same, parl_vision_get_range(a).n * sizeof *grads);
  free(grads);
  free(same);
  parl_model_destroy(a);
  parl_model_destroy(b);
}

/* Operands in bf16, by units, emulated, and kept in two bytes: near f32. */
static void test_bf16(void **state) {
  (void)state;
  static items it;
  static float due[MAX_PATCHES * C], features[MAX_PATCHES * C];
  const parl_model_config c = vision_config();
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_bf16_backends(backends);
  make_items(&it, 0, N_ITEMS);
  parl_model *m = engine_model(&c, parl_backend_ref(), 31);
  float *grads = look(m, &it, due);
  for (size_t b = 0; b < n; b++) {
    parl_model *other = engine_model(&c, backends[b], 31);
    float *near = look(other, &it, features);
    assert_true(engine_difference(features, due, it.rows * C) < 0.03);
    assert_true(engine_difference(near, grads, parl_vision_get_range(m).n) < 0.03);
    free(near);
    parl_model_destroy(other);
  }
  free(grads);
  parl_model_destroy(m);
}

/* ---------------------------------------------------------------------------------- stages */

static parl_vision_step *open_step(const parl_model *m, parl_workers *workers, size_t pack) {
  parl_vision_step *step = NULL;
  const parl_vision_step_def def = {.model = m,
                                    .workers = workers,
                                    .n_leaves = 4,
                                    .pack_patches = pack,
                                    .max_patches = 64,
                                    .max_items = N_ITEMS,
                                    .max_rows = MAX_PATCHES};
  assert_ok(parl_vision_step_create(&def, &step));
  return step;
}

/* Stages 1 and 3 with so many threads; the gradient [n_params], to be freed. */
static float *run_stages(const parl_model *m, const items *it, size_t n_threads, size_t pack,
                         float *features) {
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(n_threads, &workers));
  parl_vision_step *step = open_step(m, workers, pack);
  float *out, *grads = calloc(parl_model_get_n_params(m), sizeof *grads);
  assert_ok(parl_vision_step_forward(step, &it->all, &out));
  memcpy(features, out, it->rows * C * sizeof *out);
  assert_ok(parl_vision_step_backward(step, &it->all, it->cotangent, grads));
  parl_vision_step_destroy(step);
  parl_workers_destroy(workers);
  return grads;
}

/* One, two or four threads: the same bits of both; packing changes the rounding of sums alone, and
 * recomputing nothing: one pack is what a tower does that keeps its activations. */
static void test_stages(void **state) {
  (void)state;
  static items it;
  static float due[MAX_PATCHES * C], features[MAX_PATCHES * C];
  const parl_model_config c = vision_config();
  const parl_backend *backend;
  assert_ok(parl_backend_cpu(NULL, &backend));
  parl_model *m = engine_model(&c, backend, 31);
  const parl_vision_range range = parl_vision_get_range(m);
  const size_t n = parl_model_get_n_params(m);
  make_items(&it, 0, N_ITEMS);
  float *kept = look(m, &it, due), *first = run_stages(m, &it, 1, 40, features);
  assert_memory_equal(due, features, it.rows * C * sizeof *due);
  assert_true(engine_difference(first + range.first, kept, range.n) < 1e-5);
  for (size_t i = 0; i < range.first; i++) assert_true(first[i] == 0.0F); /* the text's */
  for (size_t threads = 2; threads <= 4; threads += 2) {
    float *grads = run_stages(m, &it, threads, 40, features);
    assert_memory_equal(due, features, it.rows * C * sizeof *due);
    assert_memory_equal(grads, first, n * sizeof *grads);
    free(grads);
  }
  free(kept);
  free(first);
  make_items(&it, 0, 2); /* 28 patches: one pack */
  kept = look(m, &it, due);
  first = run_stages(m, &it, 2, 64, features);
  assert_memory_equal(first + range.first, kept, range.n * sizeof *kept);
  free(kept);
  free(first);
  parl_model_destroy(m);
}

/* ------------------------------------------------------------------------ with a backbone */

enum { T = 9, MEDIA = 7 };
/* 4 rows of an image in the first sequence, 2 of another and 2 of a clip in the second. */
static const int32_t TOKENS[2 * T] = {1, 2, 7, 7, 7, 7, 3, 4, 5, 7, 7, 6, 7, 7, 8, 9, 10, 11};
static const int64_t SHOWN[] = {1, 4, 4, 1, 2, 4, 2, 2, 4};

static double compute(parl_model *m, const items *it, const int32_t *targets, float *grads) {
  static float logits[2 * T * ENGINE_VOCAB];
  const parl_logits_def def = {
      .model = m, .B = 2, .T = T, .tokens = TOKENS, .targets = targets, .items = &it->all};
  double loss = 0.0;
  assert_ok(parl_model_refresh(m));
  assert_ok(parl_logits_compute(&def, logits, &loss, grads));
  return loss;
}

/* The loss of tokens and images together, and its gradient with respect to every tensor's largest
 * element, by differences: through backbone, seam, projector and tower. */
static void test_logits_of_images(void **state) {
  (void)state;
  static items it;
  parl_model_config c = vision_config();
  c.vision.media_token = MEDIA;
  parl_model *m = engine_model(&c, parl_backend_ref(), 31);
  const size_t n = parl_model_get_n_params(m);
  float *grads = calloc(3 * n, sizeof *grads), *params = engine_params(m);
  make_items(&it, 0, N_ITEMS);
  it.all = (parl_vision_items){3, SHOWN, it.pixels};
  const double loss = compute(m, &it, NULL, grads);
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++) {
    size_t at = t[i].offset;
    for (size_t k = at; k < t[i].offset + t[i].n; k++)
      if (fabsf(grads[k]) > fabsf(grads[at])) at = k;
    const float x = params[at], h = 0x1p-7F;
    params[at] = x + h;
    const double up = compute(m, &it, NULL, grads + n);
    params[at] = x - h;
    const double down = compute(m, &it, NULL, grads + n);
    params[at] = x;
    assert_close((up - down) / (2.0 * (double)h), (double)grads[at], 2e-5, 2e-2);
  }
  for (size_t k = 0; k < C; k++) /* the placeholder's embedding */
    assert_true(grads[t[0].offset + MEDIA * C + k] == 0.0F);
  /* The next tokens, but placeholders. */
  int32_t targets[2 * T];
  for (size_t i = 0; i < 2 * T; i++)
    targets[i] = i % T == T - 1 || TOKENS[i + 1] == MEDIA ? -1 : TOKENS[i + 1];
  assert_close(compute(m, &it, targets, grads + 2 * n), loss, 0.0);
  assert_memory_equal(grads, grads + 2 * n, n * sizeof *grads);
  free(grads);
  parl_model_destroy(m);
}

static void test_logits_refused(void **state) {
  (void)state;
  static items it;
  static float logits[2 * T * ENGINE_VOCAB];
  parl_model_config c = vision_config();
  c.vision.media_token = MEDIA;
  parl_model *m = engine_model(&c, parl_backend_ref(), 31);
  float *grads = calloc(parl_model_get_n_params(m), sizeof *grads);
  double loss = 0.0;
  make_items(&it, 0, N_ITEMS);
  it.all = (parl_vision_items){2, SHOWN, it.pixels};
  parl_logits_def def = {.model = m, .B = 2, .T = T, .tokens = TOKENS, .items = &it.all};
  assert_fails(parl_logits_compute(&def, logits, &loss, NULL), PARL_STATUS_EINVAL,
               "8 tokens are model.vision.media_token = 7, but the items have 6 rows");
  it.all.n_items = 0;
  assert_fails(parl_logits_compute(&def, logits, &loss, NULL), PARL_STATUS_EINVAL, "no items");
  int32_t targets[2 * T];
  for (size_t i = 0; i < 2 * T; i++) targets[i] = -1;
  def.items = NULL;
  def.targets = targets;
  assert_fails(parl_logits_compute(&def, logits, &loss, grads), PARL_STATUS_EINVAL,
               "no position is in the loss");
  targets[3] = ENGINE_VOCAB;
  assert_fails(parl_logits_compute(&def, logits, &loss, grads), PARL_STATUS_EINVAL,
               "target 37 of position 3");
  free(grads);
  parl_model_destroy(m);
}

/* In place of Newton-Schulz: directions stay as they are. */
static void leave(parl_queue *queue, const parl_orthogonalise_args *args) {
  (void)queue;
  (void)args;
}

/* Vision alone: what is text keeps its bits under decay and a large gradient, which does not count
 * in the norm; all of the tower and the projector moves. So it is where matrices of a shape move
 * together, too. */
static void test_optimizer_of_vision_alone(void **state) {
  (void)state;
  const parl_model_config c = vision_config();
  parl_backend together = *parl_backend_ref();
  together.orthogonalise = leave;
  for (int trial = 0; trial < 3; trial++) {
    parl_model *m = engine_model(&c, trial < 2 ? parl_backend_ref() : &together, 31);
    parl_optimizer_config oc;
    parl_optimizer *opt = NULL;
    parl_optimizer_info info;
    parl_config_set_defaults(&parl_optimizer_section, &oc);
    oc.kind = trial == 0 ? PARL_OPTIMIZER_ADAMW : PARL_OPTIMIZER_MUONCLIP;
    oc.warmup = 0;
    oc.weight_decay = 0.1;
    assert_ok(parl_optimizer_create_vision(&oc, m, &opt));
    assert_false(parl_optimizer_wants_scores(opt));
    const size_t n = parl_model_get_n_params(m);
    float *grads = calloc(2 * n, sizeof *grads), *before = grads + n, *params = engine_params(m);
    double squares = 0.0;
    engine_normal(grads, n, 3);
    memcpy(before, params, n * sizeof *before);
    size_t n_tensors;
    const parl_model_tensor *t = parl_model_get_tensors(m, &n_tensors);
    for (size_t i = 0; i < n_tensors; i++) {
      const bool is_seen = t[i].offset >= parl_vision_get_range(m).first;
      assert_true(parl_model_tensor_is_vision(&t[i]) == is_seen);
      for (size_t k = t[i].offset; k < t[i].offset + t[i].n; k++)
        if (is_seen)
          squares += (double)grads[k] * (double)grads[k];
        else
          grads[k] *= 1e6F;
    }
    assert_ok(parl_optimizer_step(opt, m, grads, &info));
    assert_close(info.grad_norm, sqrt(squares), 1e-6 * sqrt(squares));
    for (size_t i = 0; i < n_tensors; i++) {
      const size_t at = t[i].offset, bytes = t[i].n * sizeof *params;
      assert_true((memcmp(params + at, before + at, bytes) != 0) ==
                  parl_model_tensor_is_vision(&t[i]));
    }
    parl_optimizer_destroy(opt);
    parl_model_destroy(m);
    free(grads);
  }
}

/* One step of MuonClip: every matrix of the tower moves by 0.2 sqrt(longest side) times something
 * orthogonal, queries, keys and values each alone; what reads pixels or places is AdamW's. */
static void test_optimizer(void **state) {
  (void)state;
  const parl_model_config c = vision_config();
  parl_model *m = engine_model(&c, parl_backend_ref(), 31);
  parl_optimizer_config oc;
  parl_config_set_defaults(&parl_optimizer_section, &oc);
  oc.kind = PARL_OPTIMIZER_MUONCLIP;
  oc.warmup = 0;
  oc.clip = 0.0;
  oc.lr = 1e-3;
  parl_optimizer *opt = NULL;
  assert_ok(parl_optimizer_create(&oc, m, &opt));
  const size_t n = parl_model_get_n_params(m);
  float *grads = calloc(2 * n, sizeof *grads), *before = grads + n, *params = engine_params(m);
  engine_normal(grads, n, 3);
  memcpy(before, params, n * sizeof *before);
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++) /* keys and values rest, and do not lengthen queries */
    if (strstr(t[i].name, "wqkv.weight") != NULL)
      memset(grads + t[i].offset + t[i].n / 3, 0, t[i].n / 3 * 2 * sizeof *grads);
  assert_ok(parl_optimizer_step(opt, m, grads, NULL));
  for (size_t i = 0; i < n_tensors; i++) {
    if (t[i].offset < parl_vision_get_range(m).first) continue;
    const bool is_matrix = t[i].n_dims == 2;
    assert_true(parl_muon_takes(&t[i]) == is_matrix);
    const size_t parts = strstr(t[i].name, "wqkv.weight") != NULL ? 3 : 1,
                 rows = t[i].shape[0] / parts;
    for (size_t p = 0; p < parts; p++) {
      double squares = 0.0;
      const size_t start = t[i].offset + p * (t[i].n / parts), size = t[i].n / parts;
      for (size_t k = start; k < start + size; k++)
        squares += pow((double)params[k] - (double)before[k], 2.0);
      if (!is_matrix) { /* Adam's first step: lr each */
        assert_close(sqrt(squares / (double)size), oc.lr, 1e-2 * oc.lr);
        continue;
      }
      if (p > 0) {
        assert_true(squares <= 0.0);
        continue;
      }
      const double less = fmin((double)rows, (double)t[i].shape[1]);
      const double more = fmax((double)rows, (double)t[i].shape[1]);
      const double due = oc.lr * 0.2 * sqrt(more) * sqrt(less); /* singular values near 1 */
      assert_true(sqrt(squares) > 0.7 * due && sqrt(squares) < 1.2 * due);
    }
  }
  parl_optimizer_destroy(opt);
  parl_model_destroy(m);
  free(grads);
}

static void test_refusals(void **state) {
  (void)state;
  static items it;
  static const int64_t bad[][3] = {{0, 2, 2}, {5, 2, 2}, {1, 3, 2}, {1, 2, 514}, {1, 0, 2}};
  static const char *const texts[] = {"0 frames", "5 frames", "3 rows", "514 columns", "0 rows"};
  parl_model_config c = vision_config();
  parl_model *m = engine_model(&c, parl_backend_ref(), 31), *blind;
  parl_workers *workers = NULL;
  float *out;
  make_items(&it, 0, N_ITEMS);
  parl_tower *tower = NULL;
  assert_ok(parl_tower_create(m, 32, &tower));
  assert_fails(parl_tower_forward(m, tower, &it.all, &out), PARL_STATUS_EINVAL, "outside [1, 32]");
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const parl_vision_items one = {1, bad[i], it.pixels};
    assert_fails(parl_tower_forward(m, tower, &one, &out), PARL_STATUS_EINVAL, texts[i]);
  }
  parl_tower_destroy(tower);
  assert_ok(parl_workers_create(1, &workers));
  parl_vision_step *step = open_step(m, workers, 8);
  const int64_t large[] = {2, 6, 6}, many[3 * (N_ITEMS + 1)] = {1, 2, 2};
  assert_fails(parl_vision_step_forward(step, &(parl_vision_items){1, large, it.pixels}, &out),
               PARL_STATUS_EINVAL, "item 0 has 72 patches");
  assert_status(
      parl_vision_step_forward(step, &(parl_vision_items){N_ITEMS + 1, many, it.pixels}, &out),
      PARL_STATUS_EINVAL);
  parl_vision_step_destroy(step);
  parl_workers_destroy(workers);
  c.vision.n_layers = 0;
  blind = engine_model(&c, parl_backend_ref(), 31);
  assert_fails(parl_tower_create(blind, 32, &tower), PARL_STATUS_EINVAL, "no tower");
  assert_fails(parl_vision_check(blind, &it.all), PARL_STATUS_EINVAL, "sees nothing");
  assert_int_equal(parl_vision_get_range(blind).n, 0);
  parl_model_destroy(blind);
  parl_model_destroy(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_the_naive_tower),
      cmocka_unit_test(test_differences),
      cmocka_unit_test(test_same_bits_in_any_company),
      cmocka_unit_test(test_far),
      cmocka_unit_test(test_bf16),
      cmocka_unit_test(test_stages),
      cmocka_unit_test(test_logits_of_images),
      cmocka_unit_test(test_logits_refused),
      cmocka_unit_test(test_optimizer),
      cmocka_unit_test(test_optimizer_of_vision_alone),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests_name("vision", tests, NULL, NULL);
}
