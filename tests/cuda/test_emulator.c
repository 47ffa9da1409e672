/* tests/cuda/test_emulator.c - each thing that the emulator looks for is found in a kernel that has
 * it, and not in one that has not; what the device of kernels/cuda says when something fails.
 *
 * With RACES it is linked with kernels that tell of each access. Reading order: kernels, the
 * device. */
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "kernels/cuda/cuda.h"
#include "kernels/emu/emu.h"
#include "tests/cuda/bugs.h"
#include "tests/support.h"

/* What is said of a kernel; NULL: nothing. */
typedef struct verdict {
  const char *name, *says, *race;
} verdict;
static const verdict verdicts[] = {
    {"half_at_barrier", "32 of 64 threads wait at __syncthreads", NULL},
    {"two_barriers", "different __syncthreads", NULL},
    {"shuffle_after_leaving", "16 lanes wait for all 32; 16 have left, 0 are at a barrier", NULL},
    {"two_shuffles", "wait at lines", NULL},
    {"half_mask", "is not all lanes", NULL},
    {"shuffle_beside_barrier", "0 have left, 16 are at a barrier", NULL},
    {"empty_grid", "invalid configuration: grid 0", NULL},
    {"half_a_warp", "48 threads", NULL},
    {"too_many_threads", "1056 threads", NULL},
    {"too_much_shared", "49153 bytes shared", NULL},
    {"missing_barrier", NULL, " shared: thread"},
    {"overwritten_too_early", NULL, " shared: thread"},
    {"marked_too_early", NULL, " shared: thread"},
    {"missing_syncwarp", NULL, " shared: thread"},
    {"blocks_collide", NULL, " global: thread"},
    {"blocks_count", NULL, " global: thread"},
    {"with_barrier", NULL, NULL},
    {"with_syncwarp", NULL, NULL},
};

static void test_verdicts(void **state) {
  const parl_emu_order order = (parl_emu_order)(uintptr_t)*state;
  float out[BUG_OUT];
  for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
    const verdict *v = &verdicts[i];
    const char *says = v->says;
#ifdef RACES
    if (says == NULL) says = v->race;
#endif
    parl_emu_set_order(order, 7 + i);
    const parl_status s = bug_run(v->name, out);
    if ((s != PARL_STATUS_OK) != (says != NULL))
      fail_msg("%s: %s", v->name, s == PARL_STATUS_OK ? "nothing was said" : parl_error_text());
    if (says != NULL && strstr(parl_error_text(), says) == NULL)
      fail_msg("%s: said \"%s\", not \"%s\"", v->name, parl_error_text(), says);
    if (says != NULL && strstr(parl_error_text(), v->name) == NULL)
      fail_msg("%s: the line is not named: %s", v->name, parl_error_text());
  }
  parl_emu_set_order(PARL_EMU_FORWARD, 1);
  assert_int_equal(parl_emu_count_allocations(), 0);
  assert_int_equal(parl_emu_count_streams(), 0);
}

#ifndef RACES
/* True if every element is a number. */
static bool is_right(const char *name, parl_emu_order order, uint64_t seed) {
  float out[BUG_OUT];
  bool is_right = true;
  parl_emu_set_order(order, seed);
  assert_ok(bug_run(name, out));
  for (size_t i = 0; i < BUG_OUT; i++) is_right = is_right && !isnan(out[i]);
  parl_emu_set_order(PARL_EMU_FORWARD, 1);
  return is_right;
}

/* What nobody has set is no number, and what hangs on the order is wrong in one of them. */
static void test_poison_and_orders(void **state) {
  (void)state;
  assert_false(is_right("reads_fresh_shared", PARL_EMU_FORWARD, 1));
  assert_false(is_right("reads_fresh_global", PARL_EMU_FORWARD, 1));
  assert_false(is_right("missing_barrier", PARL_EMU_FORWARD, 1) &&
               is_right("missing_barrier", PARL_EMU_REVERSE, 1));
  size_t wrong = 0, forward = 0;
  for (uint64_t seed = 1; seed <= 8; seed++) {
    wrong += !is_right("missing_syncwarp", PARL_EMU_RANDOM, seed);
    assert_true(is_right("with_barrier", PARL_EMU_RANDOM, seed));
    assert_true(is_right("with_syncwarp", PARL_EMU_RANDOM, seed));
    float out[BUG_OUT];
    parl_emu_set_order(PARL_EMU_RANDOM, seed);
    assert_ok(bug_run("blocks_collide", out));
    forward += out[0] == 1.0f;
  }
  assert_int_equal(wrong, 8);
  assert_true(forward > 0 && forward < 8); /* blocks change places */
  parl_emu_set_order(PARL_EMU_FORWARD, 1);
}

/* Under the address sanitizer a step past the end ends the program. */
static void test_bounds(void **state) {
  (void)state;
#ifndef __SANITIZE_ADDRESS__
  skip();
#endif
  static const char *const names[] = {"past_shared", "past_global", "with_barrier"};
  for (size_t i = 0; i < 3; i++) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      float out[BUG_OUT];
      if (freopen("/dev/null", "w", stderr) == NULL) _exit(3);
      _exit(bug_run(names[i], out) == PARL_STATUS_OK ? 0 : 2);
    }
    int code = 0;
    assert_int_equal(waitpid(child, &code, 0), child);
    if ((WIFEXITED(code) && WEXITSTATUS(code) == 0) != (i == 2))
      fail_msg("%s: ended with %d", names[i], code);
  }
}
#endif

/* ---------------------------------------------------------------------------------- the device */

static const parl_backend *get_backend(const char *dtype) {
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cuda(dtype, PARL_CUDA_BLAS, &backend));
  return backend;
}

/* The first failure stays, names its op's line, and is told once. */
static void test_first_failure(void **state) {
  (void)state;
  const parl_backend *backend = get_backend("f32");
  parl_queue *queue = NULL;
  float host[4] = {0};
  assert_ok(parl_queue_create(backend, &queue));
  const size_t launches = parl_emu_count_launches();
  parl_queue_upload(queue, host, host, sizeof host); /* no memory of the device */
  const parl_axpby_args args = {.n = 4, .a = 1.0f, .x = NULL, .b = 2.0f, .y = host};
  PARL_RUN(queue, axpby, &args);
  assert_fails(parl_queue_wait(queue), PARL_STATUS_ESTATE, "cuda: upload at no op yet");
  assert_int_equal(parl_emu_count_launches(), launches);
  assert_ok(parl_queue_wait(queue));
  /* What was told is over: a good op behind it is one. */
  parl_arena arena;
  float *on_card = NULL;
  parl_arena_init_from(&arena, 0, &backend->device()->memory);
  assert_ok(PARL_ARENA_TAKE(&arena, 4, &on_card));
  const parl_axpby_args good = {.n = 4, .a = 0.0f, .x = NULL, .b = 2.0f, .y = on_card};
  PARL_RUN(queue, axpby, &good);
  assert_ok(parl_queue_wait(queue));
  assert_int_equal(parl_emu_count_launches(), launches + 1);
  parl_queue_destroy(queue);
  parl_arena_deinit(&arena);
}

/* Each allocation of a queue and its scratch fails once; nothing is lost. */
static void test_memory_ends(void **state) {
  (void)state;
  const parl_backend *backend = get_backend("f32");
  float x[64 * 3] = {0};
  const int64_t starts[] = {0, 64 * 3};
  double sum = 0.0;
  const parl_sum_squares_args args = {.n_segments = 1, .starts = starts, .x = x, .out = &sum};
  size_t n_failed = 0;
  for (size_t which = 1; which <= 3; which++) {
    parl_queue *queue = NULL;
    parl_emu_fail_allocation(which);
    parl_status s = parl_queue_create(backend, &queue);
    if (s == PARL_STATUS_OK) {
      PARL_RUN(queue, sum_squares, &args);
      s = parl_queue_wait(queue);
      if (s != PARL_STATUS_OK) { /* and again, with memory */
        PARL_RUN(queue, sum_squares, &args);
        assert_ok(parl_queue_wait(queue));
      }
    }
    if (s != PARL_STATUS_OK) assert_int_equal(s, PARL_STATUS_ENOMEM);
    n_failed += s != PARL_STATUS_OK;
    parl_emu_fail_allocation(0);
    parl_queue_destroy(queue);
    assert_int_equal(parl_emu_count_allocations(), 0);
    assert_int_equal(parl_emu_count_streams(), 0);
  }
  assert_int_equal(n_failed, 2); /* staging, scratch */
}

static void test_no_room(void **state) {
  (void)state;
  const parl_backend *backend = get_backend("bf16");
  parl_arena arena;
  void *piece = NULL;
  parl_arena_init_from(&arena, 0, &backend->device()->memory);
  parl_emu_set_memory(1 << 20);
  assert_fails(parl_arena_take(&arena, 3, 1 << 20, &piece), PARL_STATUS_ENOMEM,
               "cuda: 3145728 bytes asked, 1048576 of the card's 1048576 are free");
  assert_ok(parl_arena_take(&arena, 1000, 1, &piece)); /* smaller fits */
  parl_emu_set_memory((size_t)1 << 36);
  parl_arena_deinit(&arena);
}

static void test_refusals(void **state) {
  (void)state;
  const parl_backend *backend = NULL;
  parl_emu_set_cards(0, 0);
  assert_fails(parl_backend_cuda("bf16", PARL_CUDA_BLAS, &backend), PARL_STATUS_ESTATE, "driver");
  parl_emu_set_cards(1, 0);
  assert_fails(parl_backend_cuda("bf16", PARL_CUDA_BLAS, &backend), PARL_STATUS_ESTATE, "no card");
  parl_emu_set_cards(1, 1);
  assert_fails(parl_backend_cuda("f16", PARL_CUDA_BLAS, &backend), PARL_STATUS_EINVAL,
               "valid: bf16, f32");
  assert_ptr_equal(get_backend("bf16")->f32(), get_backend("f32"));
  assert_int_equal(get_backend("bf16")->act_bytes, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      {"verdicts, forward", test_verdicts, NULL, NULL, (void *)(uintptr_t)PARL_EMU_FORWARD},
      {"verdicts, reverse", test_verdicts, NULL, NULL, (void *)(uintptr_t)PARL_EMU_REVERSE},
      {"verdicts, random", test_verdicts, NULL, NULL, (void *)(uintptr_t)PARL_EMU_RANDOM},
#ifndef RACES
      cmocka_unit_test(test_poison_and_orders),
      cmocka_unit_test(test_bounds),
#endif
      cmocka_unit_test(test_first_failure),
      cmocka_unit_test(test_memory_ends),
      cmocka_unit_test(test_no_room),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
