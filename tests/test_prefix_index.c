/* tests/test_prefix_index.c - the index of prefixes against a look at every slot, over random
 * texts, with as many buckets as suits and with one, where all nodes collide. */
#include <string.h>

#include "core/bits.h"
#include "core/rng.h"
#include "engine/prefix_index.h"
#include "tests/support.h"

enum { SLOTS = 9, CONTEXT = 12, STEPS = 4000 };

/* What the slots have, written down. */
typedef struct book {
  int32_t tokens[SLOTS][CONTEXT];
  uint64_t contents[SLOTS][CONTEXT];
  size_t lengths[SLOTS], n_held[SLOTS];
} book;

static uint64_t draw(parl_rng_cursor *rng, uint64_t n) {
  return parl_rng_next_below(rng, n);
}

static size_t count_same(const book *b, size_t slot, size_t most, const parl_prefix *prefix) {
  size_t same = 0;
  while (same < most && same < prefix->n && b->tokens[slot][same] == prefix->tokens[same] &&
         b->contents[slot][same] == (prefix->contents != NULL ? prefix->contents[same] : 0))
    same++;
  return same;
}

static parl_prefix_match look(const book *b, const parl_prefix *prefix) {
  parl_prefix_match best = {0};
  for (size_t s = 0; s < SLOTS; s++) {
    const size_t held = count_same(b, s, b->n_held[s], prefix);
    const size_t coming = count_same(b, s, b->lengths[s], prefix);
    if (held > best.held) best.held = held;
    if (coming > best.coming) best.coming = coming;
  }
  return best;
}

/* A text that begins as a slot's does: a part of it, and what is drawn behind it. */
typedef struct text {
  int32_t tokens[CONTEXT];
  uint64_t contents[CONTEXT];
  parl_prefix prefix;
} text;

static void draw_text(const book *b, parl_rng_cursor *rng, text *out) {
  const size_t slot = (size_t)draw(rng, SLOTS), part = (size_t)draw(rng, b->lengths[slot] + 1);
  memcpy(out->tokens, b->tokens[slot], sizeof out->tokens);
  memcpy(out->contents, b->contents[slot], sizeof out->contents);
  for (size_t i = part; i < CONTEXT; i++) {
    out->tokens[i] = (int32_t)draw(rng, 3);
    out->contents[i] = draw(rng, 4) == 0 ? 7 + draw(rng, 2) : 0;
  }
  out->prefix = (parl_prefix){.tokens = out->tokens,
                              .contents = draw(rng, 5) > 0 ? out->contents : NULL,
                              .n = (size_t)draw(rng, CONTEXT + 1)};
}

/* Returns how much is held. */
static size_t check(const parl_prefix_index *x, const book *b, const parl_prefix *prefix,
                    size_t preferred) {
  const parl_prefix_match due = look(b, prefix);
  const parl_prefix_match got = parl_prefix_index_find(x, prefix, preferred);
  assert_int_equal(got.held, due.held);
  assert_int_equal(got.coming, due.coming);
  assert_int_equal(count_same(b, got.slot, b->n_held[got.slot], prefix), due.held);
  if (due.held > 0 && count_same(b, preferred, b->n_held[preferred], prefix) == due.held)
    assert_int_equal(got.slot, preferred);
  return got.held;
}

static void append(parl_prefix_index *x, book *b, parl_rng_cursor *rng) {
  const size_t s = (size_t)draw(rng, SLOTS);
  text t;
  draw_text(b, rng, &t);
  for (size_t n = 1 + draw(rng, 4); n > 0 && b->lengths[s] < CONTEXT; n--) {
    const size_t at = b->lengths[s]++;
    b->tokens[s][at] = t.tokens[at];
    b->contents[s][at] = t.contents[at];
    parl_prefix_index_append(x, s, t.tokens[at], t.contents[at]);
  }
}

/* As a decoder restarts a slot. */
static size_t restart(parl_prefix_index *x, book *b, parl_rng_cursor *rng) {
  const size_t to = (size_t)draw(rng, SLOTS);
  text t;
  draw_text(b, rng, &t);
  const size_t n = check(x, b, &t.prefix, to);
  const size_t from = parl_prefix_index_find(x, &t.prefix, to).slot;
  parl_prefix_index_cut(x, to, from == to ? n : 0);
  if (from != to && n > 0) parl_prefix_index_share(x, from, to, n);
  memcpy(b->tokens[to], b->tokens[from], sizeof b->tokens[to]);
  memcpy(b->contents[to], b->contents[from], sizeof b->contents[to]);
  b->lengths[to] = b->n_held[to] = n;
  return n;
}

static void hold_all(parl_prefix_index *x, book *b) {
  for (size_t s = 0; s < SLOTS; s++) {
    parl_prefix_index_hold(x, s);
    b->n_held[s] = b->lengths[s];
  }
}

static void cut(parl_prefix_index *x, book *b, parl_rng_cursor *rng) {
  const size_t s = (size_t)draw(rng, SLOTS), n = (size_t)draw(rng, b->lengths[s] + 1);
  parl_prefix_index_cut(x, s, n);
  b->lengths[s] = n;
  if (b->n_held[s] > n) b->n_held[s] = n;
}

static void check_stream(size_t n_buckets, uint64_t seed) {
  parl_arena arena;
  parl_prefix_index x;
  book b = {0};
  parl_rng_cursor rng = {.seed = seed, .stream = 1};
  size_t n_shared = 0;
  parl_arena_init(&arena, 0);
  assert_ok(parl_prefix_index_init(&x, SLOTS, CONTEXT, n_buckets, &arena));
  for (int k = 0; k < STEPS; k++) {
    const uint64_t what = draw(&rng, 100);
    if (what < 50)
      append(&x, &b, &rng);
    else if (what < 75)
      n_shared += restart(&x, &b, &rng) > 2;
    else if (what < 90)
      hold_all(&x, &b);
    else if (what < 99)
      cut(&x, &b, &rng);
    else if (draw(&rng, 4) == 0) {
      parl_prefix_index_clear(&x);
      b = (book){0};
    }
    text t;
    draw_text(&b, &rng, &t);
    (void)check(&x, &b, &t.prefix, (size_t)draw(&rng, SLOTS));
  }
  assert_true(n_shared > STEPS / 40);
  assert_true(x.n_used <= SLOTS * CONTEXT);
  parl_arena_deinit(&arena);
}

static void test_finds_what_a_scan_finds(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 4; seed++) {
    check_stream(0, seed);
    check_stream(1, seed);
  }
}

static void test_too_many_contexts_are_refused(void **state) {
  (void)state;
  parl_arena arena;
  parl_prefix_index x;
  parl_arena_init(&arena, 0);
  assert_fails(parl_prefix_index_init(&x, (size_t)1 << 20, 1 << 12, 0, &arena), PARL_STATUS_ENOMEM,
               "1048576 contexts of 4096 tokens");
  parl_arena_deinit(&arena);
}

/* --- core/bits.h, which walks what a scan would --- */

static void test_bits_are_walked_in_order(void **state) {
  (void)state;
  enum { N = 200 };
  parl_arena arena;
  parl_bits bits;
  bool in[N + 1] = {0};
  parl_rng_cursor rng = {.seed = 5, .stream = 2};
  parl_arena_init(&arena, 0);
  assert_ok(parl_bits_init(&bits, N, &arena));
  assert_int_equal(parl_bits_first(&bits), N);
  for (int k = 0; k < 3000; k++) {
    const size_t i = (size_t)draw(&rng, N), from = (size_t)draw(&rng, N + 1);
    in[i] = draw(&rng, 20) == 0;
    parl_bits_put(&bits, i, in[i]);
    size_t least = 0, next = from;
    while (least < N && !in[least]) least++;
    while (next < N && !in[next]) next++;
    assert_int_equal(parl_bits_next(&bits, from), next);
    if (k % 2 == 0) assert_int_equal(parl_bits_first(&bits), least);
  }
  parl_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_finds_what_a_scan_finds),
      cmocka_unit_test(test_too_many_contexts_are_refused),
      cmocka_unit_test(test_bits_are_walked_in_order),
  };
  return cmocka_run_group_tests_name("prefix_index", tests, NULL, NULL);
}
