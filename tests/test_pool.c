/* tests/test_pool.c - the pool holds what its limit says, whatever sizes come in which order. */
#include "lua/pool.h"
#include "lua/sandbox.h"
#include "tests/support.h"

enum { LIMIT = 16 << 20, MAX_BLOCKS = 1 << 21 };

/* Bytes of this process that lie in memory. */
static size_t get_resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%*s %ld", &pages), 1);
  fclose(file);
  return (size_t)pages * 4096;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { RESIDENT_COUNTS = 0 }; /* the sanitizer keeps pages of its own */
#else
enum { RESIDENT_COUNTS = 1 };
#endif

static void check_held(const parl_pool *pool, size_t before) {
  assert_true(pool->held <= LIMIT + PARL_POOL_SLACK);
  const size_t resident = get_resident();
  if (RESIDENT_COUNTS && resident >= before + LIMIT + 2 * PARL_POOL_SLACK)
    fail_msg("%zu bytes are resident, %zu before; held %zu", resident, before, pool->held);
}

static char **blocks;

/* As many blocks of a size as the pool gives, at most `bytes` in all; their number. */
static size_t fill(parl_pool *pool, size_t size, size_t bytes) {
  size_t n = 0;
  while (n < MAX_BLOCKS && (n + 1) * size <= bytes) {
    char *block = parl_pool_take(pool, size);
    if (block == NULL) break;
    assert_int_equal((uintptr_t)block % 16, 0);
    memset(block, (int)(n % 251), size);
    blocks[n++] = block;
  }
  return n;
}

static void drop(parl_pool *pool, size_t size, size_t first, size_t n, size_t step) {
  for (size_t i = first; i < n; i += step) {
    assert_int_equal((unsigned char)blocks[i][0], i % 251);
    assert_int_equal((unsigned char)blocks[i][size - 1], i % 251);
    parl_pool_give(pool, blocks[i], size);
  }
}

/* One size after the other takes nearly all there is: what one drops, the next uses. */
static void sizes_take_each_others_place(void **state) {
  (void)state;
  static const size_t sizes[] = {16,   24,   40,   100,   512,   513,    700,    2000,
                                 4096, 8192, 9000, 16352, 16353, 100000, 1 << 20};
  const size_t before = get_resident();
  parl_pool pool;
  parl_pool_init(&pool, LIMIT);
  for (int round = 0; round < 3; round++)
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
      const size_t n = fill(&pool, sizes[s], LIMIT / 2);
      assert_true((n + 1) * sizes[s] > LIMIT / 2);
      check_held(&pool, before);
      drop(&pool, sizes[s], 0, n, 1);
    }
  parl_pool_deinit(&pool);
}

/* A block in every chunk stays: the pool refuses instead of holding more. */
static void blocks_that_stay_count(void **state) {
  (void)state;
  const size_t before = get_resident();
  parl_pool pool;
  parl_pool_init(&pool, LIMIT);
  enum { MAX_KEPT = 100000 };
  size_t n_kept = 0;
  static struct {
    char *block;
    size_t size;
  } kept[MAX_KEPT];
  for (size_t size = 16; size <= 512; size += 16) {
    const size_t n = fill(&pool, size, LIMIT);
    check_held(&pool, before);
    const size_t every = 20000 / size; /* more than one in each chunk */
    for (size_t i = 0; i < n; i++) {
      if (i % every != 0 || n_kept == MAX_KEPT)
        parl_pool_give(&pool, blocks[i], size);
      else
        kept[n_kept].block = blocks[i], kept[n_kept++].size = size;
    }
    for (size_t i = 0; i < n_kept; i++) assert_true((unsigned char)kept[i].block[8] < 251);
  }
  assert_true(n_kept > 100);
  check_held(&pool, before);
  if (RESIDENT_COUNTS) assert_null(parl_pool_take(&pool, LIMIT / 2));
  for (size_t i = 0; i < n_kept; i++) parl_pool_give(&pool, kept[i].block, kept[i].size);
  parl_pool_deinit(&pool);
}

static void dropped_memory_goes_back(void **state) {
  (void)state;
  if (!RESIDENT_COUNTS) skip();
  parl_pool pool;
  parl_pool_init(&pool, LIMIT);
  const size_t before = get_resident();
  const size_t n = fill(&pool, 64, LIMIT);
  assert_true(get_resident() > before + LIMIT / 2);
  drop(&pool, 64, 0, n, 1);
  assert_true(pool.held < 3 << 20);
  assert_true(get_resident() < before + (4 << 20));
  parl_pool_deinit(&pool);
  assert_int_equal(pool.held, 0);
}

/* Sizes that take turns: what one drops serves the next, and no page goes to the system and
 * back. */
static void turns_keep_their_pages(void **state) {
  (void)state;
  if (!RESIDENT_COUNTS) skip();
  static const size_t sizes[] = {48, 512, 96, 3264, 64};
  static char *kept[LIMIT / 48], *rest[LIMIT / 10 / 32];
  parl_pool pool;
  parl_pool_init(&pool, LIMIT);
  const size_t n_rest = fill(&pool, 32, LIMIT / 10);
  memcpy(rest, blocks, n_rest * sizeof *rest);
  size_t n = 0, size = 0;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const size_t n_next = fill(&pool, sizes[s], LIMIT * 2 / 5);
    for (size_t i = 0; i < n; i++) parl_pool_give(&pool, kept[i], size);
    n = n_next, size = sizes[s];
    memcpy(kept, blocks, n * sizeof *kept);
    assert_int_equal(pool.n_cold, 0);
  }
  for (size_t i = 0; i < n; i++) parl_pool_give(&pool, kept[i], size);
  assert_true(pool.n_cold > 0); /* more than half are empty */
  for (size_t i = 0; i < n_rest; i++) parl_pool_give(&pool, rest[i], 32);
  parl_pool_deinit(&pool);
}

static void a_block_of_another_size_keeps_its_bytes(void **state) {
  (void)state;
  static const size_t sizes[] = {1,     16,    17,    500, 600, 20000, 700000,
                                 30000, 16352, 16353, 90,  33,  1};
  parl_pool pool;
  parl_pool_init(&pool, LIMIT);
  size_t size = 8;
  char *block = parl_pool_resize(&pool, NULL, 0, size);
  memcpy(block, "a", 1);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    block = parl_pool_resize(&pool, block, size, sizes[i]);
    assert_non_null(block);
    assert_int_equal(block[0], 'a' + (int)i);
    if (sizes[i] > size) memset(block + size, 'x', sizes[i] - size);
    size = sizes[i];
    block[0]++;
  }
  assert_null(parl_pool_resize(&pool, block, size, 2 * LIMIT));
  assert_null(parl_pool_resize(&pool, NULL, 0, SIZE_MAX));
  assert_null(parl_pool_take(&pool, SIZE_MAX - 100));
  parl_pool_give(&pool, block, size);
  parl_pool_deinit(&pool);
  parl_pool_deinit(&pool);
}

/* The same through Lua: each round fills another size with strings and drops the last. */
static void a_script_stays_below_its_cap(void **state) {
  (void)state;
  static const char code[] =
      "local round = 0 return function() round = round + 1 local t, s = {}, ('x'):rep(24 + 37 * "
      "(round % 29)) for i = 1, (12 << 20) // (#s + 70) do t[i] = s .. (10000000 + i) end end";
  parl_sandbox *s = NULL;
  const size_t before = get_resident(), cap = (size_t)20 << 20;
  const parl_sandbox_def def = {.memory_bytes = cap, .call_s = 60};
  assert_ok(parl_sandbox_create(&def, &s));
  assert_ok(parl_sandbox_load(s, code, strlen(code), "rounds"));
  assert_ok(parl_sandbox_call(s, 0, 1));
  for (int i = 0; i < 40; i++) {
    lua_pushvalue(parl_sandbox_get_state(s), -1);
    assert_ok(parl_sandbox_call(s, 0, 0));
    if (RESIDENT_COUNTS) assert_true(get_resident() < before + cap + 2 * PARL_POOL_SLACK);
  }
  parl_sandbox_destroy(s);
}

static int allocate(void **state) {
  (void)state;
  blocks = malloc(MAX_BLOCKS * sizeof *blocks);
  if (blocks != NULL) memset(blocks, 1, MAX_BLOCKS * sizeof *blocks); /* resident from now on */
  return blocks == NULL;
}

static int release(void **state) {
  (void)state;
  free(blocks);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sizes_take_each_others_place),
      cmocka_unit_test(blocks_that_stay_count),
      cmocka_unit_test(dropped_memory_goes_back),
      cmocka_unit_test(turns_keep_their_pages),
      cmocka_unit_test(a_block_of_another_size_keeps_its_bytes),
      cmocka_unit_test(a_script_stays_below_its_cap),
  };
  return cmocka_run_group_tests_name("pool", tests, allocate, release);
}
