/* tests/test_arena.c - pieces are aligned, apart, stay where they are; reset keeps the memory. */
#include <sys/mman.h>

#include "core/arena.h"
#include "core/rng.h"
#include "tests/support.h"

enum { N_PIECES = 500 };

static void test_pieces_are_aligned_and_apart(void **state) {
  (void)state;
  parl_arena arena;
  parl_arena_init(&arena, 1000);
  assert_int_equal(arena.n_blocks, 0);
  unsigned char *pieces[N_PIECES];
  size_t sizes[N_PIECES];
  parl_rng_cursor rng = {1, 2, 0};
  for (size_t i = 0; i < N_PIECES; i++) {
    sizes[i] = (size_t)parl_rng_next_below(&rng, 300); /* 0 too */
    assert_ok(PARL_ARENA_TAKE(&arena, sizes[i], &pieces[i]));
    assert_int_equal((uintptr_t)pieces[i] % 64, 0);
    memset(pieces[i], (int)(i % 251), sizes[i]);
  }
  for (size_t i = 0; i < N_PIECES; i++)
    for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(pieces[i][j], i % 251);
  for (size_t i = 1; i < N_PIECES; i++) assert_ptr_not_equal(pieces[i - 1], pieces[i]);
  /* 75,000 bytes in blocks of 1024 (1000, rounded up), 2048, 4096, ... */
  assert_true(arena.n_blocks >= 6 && arena.n_blocks <= 8);
  parl_arena_deinit(&arena);
}

static void test_typed_take(void **state) {
  (void)state;
  parl_arena arena;
  parl_arena_init(&arena, 64);
  double *x = NULL, *y = NULL;
  assert_ok(PARL_ARENA_TAKE(&arena, 8, &x)); /* 64 bytes: exactly one block */
  assert_int_equal(arena.n_blocks, 1);
  assert_ok(PARL_ARENA_TAKE(&arena, 9, &y)); /* 72 bytes: more than a block's least size */
  assert_int_equal(arena.n_blocks, 2);
  for (int i = 0; i < 8; i++) x[i] = i;
  for (int i = 0; i < 9; i++) y[i] = 100 + i;
  for (int i = 0; i < 8; i++) assert_close(x[i], i, 0);
  parl_arena_deinit(&arena);
}

static void test_steady_state_allocates_nothing(void **state) {
  (void)state;
  parl_arena arena;
  parl_arena_init(&arena, 0);
  size_t n_blocks = 0;
  void *first_round[20] = {NULL};
  for (int round = 0; round < 50; round++) {
    for (size_t i = 0; i < 20; i++) {
      void *piece = NULL;
      assert_ok(parl_arena_take(&arena, i * 1777, 16, &piece));
      if (round == 0) first_round[i] = piece;
      assert_ptr_equal(piece, first_round[i]); /* the same sequence lands in the same places */
    }
    if (round == 0) n_blocks = arena.n_blocks;
    assert_int_equal(arena.n_blocks, n_blocks);
    parl_arena_reset(&arena);
  }
  parl_arena_deinit(&arena);
}

static void test_marks_nest(void **state) {
  (void)state;
  parl_arena arena;
  parl_arena_init(&arena, 256);
  const parl_arena_mark empty = parl_arena_get_mark(&arena);
  int *kept = NULL, *first = NULL, *second = NULL, *again = NULL;
  assert_ok(PARL_ARENA_TAKE(&arena, 10, &kept));
  for (int i = 0; i < 10; i++) kept[i] = i;
  const parl_arena_mark outer = parl_arena_get_mark(&arena);
  assert_ok(PARL_ARENA_TAKE(&arena, 10, &first));
  const parl_arena_mark inner = parl_arena_get_mark(&arena);
  for (int i = 0; i < 9; i++) assert_ok(PARL_ARENA_TAKE(&arena, 100, &second)); /* new blocks */
  const size_t n_blocks = arena.n_blocks;
  parl_arena_rewind(&arena, inner);
  assert_ok(PARL_ARENA_TAKE(&arena, 1, &again));
  assert_ptr_not_equal(again, first);
  parl_arena_rewind(&arena, outer);
  assert_ok(PARL_ARENA_TAKE(&arena, 10, &again));
  assert_ptr_equal(again, first);
  for (int i = 0; i < 10; i++) assert_int_equal(kept[i], i);
  parl_arena_rewind(&arena, empty);
  assert_ok(PARL_ARENA_TAKE(&arena, 10, &again));
  assert_ptr_equal(again, kept);
  assert_int_equal(arena.n_blocks, n_blocks);
  parl_arena_deinit(&arena);
}

/* Large blocks lie on whole huge pages: a piece behind the header, the next one right behind it. */
static void test_large_pieces(void **state) {
  (void)state;
  enum { MEGABYTE = 1 << 20, HUGE_PAGE = 2 << 20 };
  parl_arena arena;
  parl_arena_init(&arena, 0);
  char *large = NULL, *small = NULL, *next = NULL;
  assert_ok(PARL_ARENA_TAKE(&arena, 5 * MEGABYTE, &large));
  assert_true((uintptr_t)large % HUGE_PAGE <= 64);
  memset(large, 1, 5 * MEGABYTE);
  /* The rest of the last page is the block's too. */
  assert_ok(PARL_ARENA_TAKE(&arena, MEGABYTE / 2, &small));
  assert_ptr_equal(small, large + 5 * MEGABYTE);
  memset(small, 2, MEGABYTE / 2);
  assert_int_equal(large[5 * MEGABYTE - 1], 1);
  assert_int_equal(parl_arena_get_used(&arena), 5 * MEGABYTE + MEGABYTE / 2);
  assert_ok(PARL_ARENA_TAKE(&arena, MEGABYTE, &next));
  assert_int_equal(arena.n_blocks, 2);
  parl_arena_deinit(&arena);
}

static void test_too_much(void **state) {
  (void)state;
  parl_arena arena;
  parl_arena_init(&arena, 0);
  char mark;
  void *out = &mark;
  assert_fails(parl_arena_take(&arena, SIZE_MAX / 2, 3, &out), PARL_STATUS_ENOMEM, "do not fit");
  assert_status(parl_arena_take(&arena, SIZE_MAX, 1, &out), PARL_STATUS_ENOMEM);
  assert_ptr_equal(out, &mark);
  assert_int_equal(arena.n_blocks, 0);
  assert_ok(parl_arena_take(&arena, 1, 1, &out));
  parl_arena_deinit(&arena);
}

static void test_zeroed_arena(void **state) {
  (void)state;
  parl_arena arena = {0};
  parl_arena_reset(&arena);
  parl_arena_deinit(&arena);
  parl_arena_init(&arena, 1);
  int *x = NULL;
  assert_ok(PARL_ARENA_TAKE(&arena, 1, &x));
  parl_arena_deinit(&arena);
  assert_ok(PARL_ARENA_TAKE(&arena, 1, &x)); /* usable again */
  parl_arena_deinit(&arena);
  parl_arena_deinit(&arena);
}

/* Memory that nobody here may touch, as a device's is; frees are counted. */
static size_t n_freed;
static void *alloc_closed(size_t *bytes) {
  void *memory = mmap(NULL, *bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}
static void free_closed(void *memory, size_t bytes) {
  n_freed++;
  munmap(memory, bytes);
}

static void test_source(void **state) {
  (void)state;
  static const parl_arena_source source = {alloc_closed, free_closed, 256};
  parl_arena arena;
  parl_arena_init_from(&arena, 1000, &source);
  unsigned char *last = NULL, *piece = NULL;
  for (int round = 0; round < 2; round++) {
    for (size_t i = 1; i < 100; i++) {
      assert_ok(PARL_ARENA_TAKE(&arena, i, &piece));
      assert_int_equal((uintptr_t)piece % 256, 0);
      assert_true(piece != last);
      last = piece;
    }
    parl_arena_reset(&arena);
  }
  const size_t n_blocks = arena.n_blocks;
  n_freed = 0;
  parl_arena_deinit(&arena);
  assert_true(n_blocks > 1);
  assert_int_equal(n_freed, n_blocks);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_source),     cmocka_unit_test(test_pieces_are_aligned_and_apart),
      cmocka_unit_test(test_typed_take), cmocka_unit_test(test_steady_state_allocates_nothing),
      cmocka_unit_test(test_marks_nest), cmocka_unit_test(test_large_pieces),
      cmocka_unit_test(test_too_much),   cmocka_unit_test(test_zeroed_arena),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
