/* tests/cuda/test_graphs.c - graphs on the emulated card: each thing that the emulator looks for in
 * one is found, a decoder's steps have the bits that plain launches have, and nothing of them
 * changes from step to step but what memory holds. */
#include "core/arena.h"
#include "core/rng.h"
#include "engine/decoder_internal.h"
#include "engine/preset.h"
#include "kernels/cuda/cuda.h"
#include "kernels/emu/emu.h"
#include "tests/cuda/bugs.h"
#include "tests/engine_support.h"
#include "tests/support.h"

static const parl_backend *get_backend(const char *dtype, parl_cuda_products products) {
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cuda(dtype, products, &backend));
  return backend;
}

/* ------------------------------------------------------------------------------- one graph */

enum { N = 64 };
typedef struct place {
  const parl_device *device;
  parl_queue *queue;
  float *x;
  size_t bytes;
  parl_graph *graph;
} place;

static place open_place(void) {
  const parl_backend *backend = get_backend("f32", PARL_CUDA_BLAS);
  place p = {.device = backend->device(), .bytes = N * sizeof(float)};
  assert_ok(parl_queue_create(backend, &p.queue));
  p.x = p.device->memory.alloc(&p.bytes);
  assert_non_null(p.x);
  parl_queue_fill(p.queue, p.x, 0, p.bytes);
  return p;
}

static void close_place(place *p) {
  p->device->graphs->destroy(p->graph);
  if (p->x != NULL) p->device->memory.free(p->x, p->bytes);
  parl_queue_destroy(p->queue);
  assert_int_equal(parl_emu_count_allocations(), 0);
  assert_int_equal(parl_emu_count_graphs(), 0);
}

/* x = b x */
static void scale(place *p, float b) {
  const parl_axpby_args args = {.n = N, .a = 0.0f, .x = NULL, .b = b, .y = p->x};
  PARL_RUN(p->queue, axpby, &args);
}

/* A graph runs what was recorded, as often as it is launched, with what memory holds then. */
static void test_replay(void **state) {
  (void)state;
  place p = open_place();
  parl_arena pinned;
  float *host, out[N];
  parl_arena_init_from(&pinned, 0, &p.device->graphs->pinned);
  assert_ok(PARL_ARENA_TAKE(&pinned, N, &host));
  assert_ok(p.device->graphs->begin(p.queue));
  parl_queue_upload(p.queue, p.x, host, N * sizeof *host);
  scale(&p, 3.0f);
  assert_ok(p.device->graphs->end(p.queue, &p.graph));
  assert_int_equal(p.device->graphs->count_nodes(p.graph), 2);
  assert_int_equal(p.queue->n_launches, 0);
  for (size_t round = 0; round < 3; round++) {
    for (size_t i = 0; i < N; i++) host[i] = (float)(round + i);
    assert_true(p.device->graphs->launch(p.queue, p.graph));
    assert_ok(parl_queue_download(p.queue, out, p.x, sizeof out));
    for (size_t i = 0; i < N; i++) assert_true(out[i] == 3.0f * (float)(round + i));
  }
  assert_int_equal(p.queue->n_launches, 3);
  parl_arena_deinit(&pinned);
#ifndef PARL_TEST_CARD
  assert_true(p.device->graphs->launch(p.queue, p.graph));
  assert_fails(parl_queue_wait(p.queue), PARL_STATUS_ESTATE,
               "memory of a copy was freed since it was captured");
#endif
  close_place(&p);
}

#ifndef PARL_TEST_CARD /* which says nothing of these */
typedef void (*misdeed)(place *p);
static void allocates(place *p) {
  size_t bytes = 16;
  assert_null(p->device->memory.alloc(&bytes));
}
static void frees(place *p) {
  p->device->memory.free(p->x, p->bytes); /* refused: it is still there */
}
static void waits(place *p) {
  assert_int_equal(parl_queue_wait(p->queue), PARL_STATUS_ESTATE);
}
static void goes_elsewhere(place *p) {
  bug_launch_nowhere(p->queue, p->x);
}
static void copies_unpinned(place *p) {
  static const float host[N];
  parl_queue_upload(p->queue, p->x, host, sizeof host);
}

/* What may not be while a graph is recorded spoils it, whatever the caller does about it. */
static void test_misdeeds(void **state) {
  (void)state;
  static const struct {
    misdeed run;
    const char *says;
  } misdeeds[] = {{allocates, "an allocation while a graph is captured"},
                  {frees, "a free while a graph is captured"},
                  {waits, "a wait while a graph is captured"},
                  {goes_elsewhere, "the default stream while a graph is captured"},
                  {copies_unpinned, "memory that is not pinned while a graph is captured"}};
  for (size_t i = 0; i < sizeof misdeeds / sizeof *misdeeds; i++) {
    place p = open_place();
    assert_ok(p.device->graphs->begin(p.queue));
    scale(&p, 2.0f);
    misdeeds[i].run(&p);
    assert_fails(p.device->graphs->end(p.queue, &p.graph), PARL_STATUS_ESTATE, misdeeds[i].says);
    scale(&p, 2.0f); /* the queue is as it was */
    assert_ok(parl_queue_wait(p.queue));
    close_place(&p);
  }
}

static void test_freed_memory(void **state) {
  (void)state;
  place p = open_place();
  assert_ok(p.device->graphs->begin(p.queue));
  scale(&p, 2.0f);
  assert_ok(p.device->graphs->end(p.queue, &p.graph));
  p.device->memory.free(p.x, p.bytes);
  p.x = p.device->memory.alloc(&p.bytes); /* perhaps at the same place, but another block */
  assert_true(p.device->graphs->launch(p.queue, p.graph));
  assert_fails(parl_queue_wait(p.queue), PARL_STATUS_ESTATE,
               "memory of axpby was freed since it was captured");
  close_place(&p);
}

/* What an op is told, and is not in memory, stays as it was recorded: a change is found. */
static void test_changed_parameter(void **state) {
  (void)state;
  place p = open_place();
  static const float by[] = {2.0f, 2.0f, 3.0f};
  parl_emu_keep_graphs(1);
  for (size_t i = 0; i < 3; i++) {
    p.device->graphs->destroy(p.graph);
    assert_ok(p.device->graphs->begin(p.queue));
    parl_queue_fill(p.queue, p.x, 0, p.bytes);
    scale(&p, by[i]);
    assert_ok(p.device->graphs->end(p.queue, &p.graph));
  }
  assert_string_equal(parl_emu_compare_graphs(0, 1), "");
  assert_non_null(strstr(parl_emu_compare_graphs(0, 2), "node 1, axpby, has another argument"));
  parl_emu_keep_graphs(0);
  close_place(&p);
}

#endif

/* -------------------------------------------------------------------------------- decoders */

enum { SLOTS = 100, CONTEXT = 12, MOST = 250 };

/* The same kernels on a device that has no graphs. */
static const parl_device *get_plain_device(void) {
  static parl_device plain;
  plain = *get_backend("f32", PARL_CUDA_OWN)->device();
  plain.graphs = NULL;
  return &plain;
}
static parl_backend make_plain(const parl_backend *backend) {
  parl_backend plain = *backend;
  plain.device = get_plain_device;
  return plain;
}

static parl_model *make_model(const char *preset, const parl_backend *backend) {
  parl_model_config c = engine_config(4);
  parl_model *m = NULL;
  assert_ok(parl_model_apply_preset(preset, &c));
  if (c.n_routed_experts > 0) c.n_group = c.topk_group = 2;
  assert_ok(parl_model_create(&c, ENGINE_VOCAB, backend, NULL, &m));
  assert_ok(parl_model_init_weights(m, 5));
  return m;
}

static parl_decoder *make_decoder(const parl_model *m, size_t max_rows) {
  const parl_decoder_def def = {m, .n_slots = SLOTS, .max_context = CONTEXT, .max_rows = max_rows};
  parl_decoder *d = NULL;
  assert_ok(parl_decoder_create(&def, &d));
  for (int32_t s = 0; s < SLOTS; s++) parl_decoder_reset(d, s);
  return d;
}

/* A step of n contexts, `first` the first, each of `depth` rows; the last of each draws. */
typedef struct step {
  size_t n, first, depth;
} step;

static void run_step(parl_decoder *d, const step *s, uint64_t seed, parl_sample *out) {
  parl_rng_cursor rng = {.seed = seed, .stream = 9};
  parl_pick picks[SLOTS];
  uint64_t masks[SLOTS];
  for (size_t i = 0; i < s->n; i++) {
    const int32_t slot = (int32_t)((s->first + i) % SLOTS);
    if (parl_decoder_get_length(d, slot) + s->depth > CONTEXT) parl_decoder_reset(d, slot);
    for (size_t j = 0; j < s->depth; j++) {
      const parl_decoder_row row = {.slot = slot,
                                    .token = (int32_t)parl_rng_next_below(&rng, ENGINE_VOCAB),
                                    .want_logits = j + 1 == s->depth};
      assert_ok(parl_decoder_push(d, &row));
    }
    masks[i] = 1 + parl_rng_next_below(&rng, 1 << 20);
    picks[i] = (parl_pick){.mask = i % 3 == 0 ? NULL : &masks[i],
                           .temperature = i % 4 == 0 ? 0.0 : 0.8,
                           .uniform = (double)parl_rng_next_below(&rng, 1000) / 1000,
                           .top_p = i % 5 == 0 ? 0.7 : 0.0};
  }
  assert_ok(parl_decoder_begin(d, picks, s->n));
  assert_ok(parl_decoder_end_sample(d, s->n, out));
}

/* Steps of three buckets, back and forth; scratch grows between two of the first. */
static const step STEPS[] = {{3, 0, 1}, {5, 2, 2},  {4, 1, 1}, {66, 0, 1},
                             {2, 7, 1}, {65, 4, 1}, {3, 1, 1}, {1, 40, 1}};
enum { N_STEPS = sizeof STEPS / sizeof *STEPS };

static void test_same_bits(void **state) {
  const char *preset = *state;
  static const char *const dtypes[] = {"f32", "bf16"};
  for (size_t k = 0; k < 2; k++) {
    const parl_backend *with = get_backend(dtypes[k], PARL_CUDA_BLAS);
    const parl_backend plain = make_plain(with);
    size_t n_graphs = 0;
    parl_model *models[] = {make_model(preset, with), make_model(preset, &plain)};
    parl_decoder *decoders[] = {make_decoder(models[0], MOST), make_decoder(models[1], MOST)};
    for (size_t i = 0; i < N_STEPS; i++) {
      parl_sample got[SLOTS] = {{0}}, want[SLOTS] = {{0}};
      run_step(decoders[0], &STEPS[i], i, got);
      run_step(decoders[1], &STEPS[i], i, want);
      assert_memory_equal(got, want, sizeof want);
      n_graphs += parl_decoder_count_nodes(decoders[0]) > 0;
    }
    assert_in_range(n_graphs, 4, N_STEPS - 2); /* what runs first in a bucket runs plainly */
    assert_int_equal(parl_decoder_count_nodes(decoders[1]), 0);
    for (size_t i = 0; i < 2; i++) parl_decoder_destroy(decoders[i]), parl_model_destroy(models[i]);
    assert_int_equal(parl_emu_count_allocations(), 0);
    assert_int_equal(parl_emu_count_graphs(), 0);
  }
}

#ifndef PARL_TEST_CARD
/* Recorded anew at another step, with other rows and weights, a graph is the same to the last
 * argument. */
static void test_no_parameter_changes(void **state) {
  parl_model *m = make_model(*state, get_backend("bf16", PARL_CUDA_BLAS));
  parl_decoder *d = make_decoder(m, 64);
  parl_sample out[SLOTS];
  static const step steps[] = {{9, 0, 1}, {9, 0, 1}, {2, 50, 3}, {20, 3, 2}};
  parl_emu_keep_graphs(1);
  for (size_t i = 0; i < 4; i++) {
    parl_decoder_bucket *b = &d->graphs.buckets[0];
    d->graphs.device->destroy(b->graph);
    b->graph = NULL;
    if (i == 3) assert_ok(parl_model_init_weights(m, 6));
    run_step(d, &steps[i], i, out);
  }
  assert_int_equal(parl_emu_count_kept(), 3);
  assert_string_equal(parl_emu_compare_graphs(0, 1), "");
  assert_string_equal(parl_emu_compare_graphs(0, 2), "");
  parl_emu_keep_graphs(0);
  parl_decoder_destroy(d);
  parl_model_destroy(m);
}

#endif

/* run.invariant: all steps are of one bucket, and what a context draws has nothing to do with how
 * many others there are. */
static void test_one_bucket(void **state) {
  (void)state;
  parl_model *m = make_model("dense", get_backend("bf16", PARL_CUDA_OWN));
  parl_decoder *d = make_decoder(m, MOST);
  parl_sample alone[SLOTS], many[SLOTS];
  assert_int_equal(d->graphs.n_buckets, 1);
  assert_int_equal(d->graphs.buckets[0].rows, 256);
  run_step(d, &(step){1, 0, 1}, 1, alone);
  run_step(d, &(step){1, 1, 1}, 1, alone);
  run_step(d, &(step){70, 2, 1}, 1, many); /* the first of them is told the same */
  assert_memory_equal(alone, many, sizeof *alone);
  assert_true(parl_decoder_count_nodes(d) > 0);
  parl_decoder_destroy(d);
  parl_model_destroy(m);
}

/* What a step of the quickstart's size is: issue after issue counts these. */
static void test_quickstart_nodes(void **state) {
  (void)state;
  enum { MOST_NODES = 25 };
  parl_model_config c;
  parl_model *m = NULL;
  parl_config_set_defaults(&parl_model_section, &c);
  c.n_layers = 2, c.d_model = 32, c.n_heads = c.n_kv_heads = 4, c.head_dim = 8, c.d_ff = 64;
  c.max_context = 160;
  assert_ok(parl_model_create(&c, 215, get_backend("bf16", PARL_CUDA_BLAS), NULL, &m));
  assert_ok(parl_model_init_weights(m, 1));
  parl_decoder *d = make_decoder(m, 64);
  parl_sample out[SLOTS];
  for (size_t i = 0; i < 2; i++) run_step(d, &(step){2, 0, 1}, i, out);
  const size_t nodes = parl_decoder_count_nodes(d);
  print_message("a step of the quickstart: %zu graph nodes\n", nodes);
  assert_in_range(nodes, 20, MOST_NODES);
  parl_decoder_destroy(d);
  parl_model_destroy(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_replay),
#ifndef PARL_TEST_CARD
      cmocka_unit_test(test_misdeeds),
      cmocka_unit_test(test_freed_memory),
      cmocka_unit_test(test_changed_parameter),
      {"no parameter changes, dense", test_no_parameter_changes, NULL, NULL,
       (void *)(uintptr_t) "dense"},
      {"no parameter changes, k2", test_no_parameter_changes, NULL, NULL, (void *)(uintptr_t) "k2"},
#endif
      {"the same bits, dense", test_same_bits, NULL, NULL, (void *)(uintptr_t) "dense"},
      {"the same bits, k2", test_same_bits, NULL, NULL, (void *)(uintptr_t) "k2"},
      cmocka_unit_test(test_one_bucket),
      cmocka_unit_test(test_quickstart_nodes),
  };
  cmocka_set_test_filter(getenv("TEST_ONLY"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
