/* tests/test_slots.c - a batch on shared slots: by hand, by property, against the makespan of one
 * episode. */
#include <math.h>

#include "core/rng.h"
#include "parl/swarm/slots.h"
#include "tests/support.h"

enum { UNIT = PARL_COST_UNIT, N_EPISODES = 6, N_STAGES = 4, MAX_WIDTH = 5, N_TRIALS = 300 };

/* Stages with storage of their own. */
typedef struct batch {
  parl_stage_record records[N_EPISODES][N_STAGES];
  parl_sub_record subs[N_EPISODES][N_STAGES * MAX_WIDTH];
  parl_stages stages[N_EPISODES];
  const parl_stages *of[N_EPISODES];
} batch;

static void clear(batch *b) {
  *b = (batch){0};
  for (size_t i = 0; i < N_EPISODES; i++) {
    b->stages[i].items = b->records[i];
    b->stages[i].subs = b->subs[i];
    b->of[i] = &b->stages[i];
  }
}

/* One more turn of episode i. */
static void add_stage(batch *b, size_t i, int32_t main_steps, size_t width, const int32_t *steps) {
  parl_stages *s = &b->stages[i];
  s->items[s->n++] = (parl_stage_record){
      .main_steps = main_steps, .first_sub = (uint32_t)s->n_subs, .width = (uint32_t)width};
  for (size_t k = 0; k < width; k++) s->subs[s->n_subs++].steps = steps[k];
}

static parl_slots_result play(const batch *b, size_t n, parl_slots_def def, parl_cost cost) {
  parl_slots *slots = NULL;
  parl_slots_result r, again;
  assert_ok(parl_slots_create(&def, &cost, N_EPISODES, MAX_WIDTH, &slots));
  assert_ok(parl_slots_play(slots, b->of, n, &r));
  assert_ok(parl_slots_play(slots, b->of, n, &again)); /* nothing is left of the first */
  assert_memory_equal(&r, &again, sizeof r);
  parl_slots_destroy(slots);
  return r;
}

/* --- by hand --- */

/* Two episodes: a turn of 1 that launches 2 and 2 steps, and a turn of 1. One orchestrator's slot
 * and two for sub-agents. Turns of 0 at 0-1, of 1 at 1-2; sub-agents of 0 at 1-3, of 1 ask at 2,
 * begin at 3, end at 5; last turns at 3-4 and 5-6. */
static void two_alike(batch *b) {
  const int32_t steps[] = {2, 2};
  clear(b);
  for (size_t i = 0; i < 2; i++) {
    add_stage(b, i, 1, 2, steps);
    add_stage(b, i, 1, 0, NULL);
  }
}

static void test_fixed_by_hand(void **state) {
  (void)state;
  batch b;
  two_alike(&b);
  const parl_slots_result r =
      play(&b, 2, (parl_slots_def){.slots = 3, .n_main = 1}, (parl_cost){0});
  assert_int_equal(r.makespan, 6 * UNIT);
  assert_int_equal(r.main.n, 4);
  assert_int_equal(r.main.busy, 4 * UNIT);
  assert_int_equal(r.main.held, 6 * UNIT);
  assert_int_equal(r.main.wait, 1 * UNIT);
  assert_int_equal(r.sub.n, 4);
  assert_int_equal(r.sub.busy, 8 * UNIT);
  assert_int_equal(r.sub.held, 12 * UNIT);
  assert_int_equal(r.sub.wait, 2 * UNIT);
  assert_int_equal(r.moves, 0);
  const parl_slots_means m = parl_slots_get_means(&r, 3);
  assert_close(m.batch_makespan, 6, 0);
  assert_close(m.main_utilisation, 4.0 / 6, 1e-12);
  assert_close(m.sub_utilisation, 8.0 / 12, 1e-12);
  assert_close(m.slot_utilisation, 12.0 / 18, 1e-12);
  assert_close(m.main_wait, 0.25, 1e-12);
  assert_close(m.sub_wait, 0.5, 1e-12);
}

/* The same by the queues, with two slots of orchestrators to begin with, a period of 1 and moves
 * that take no time. Both turns are at 0-1. At 1 four sub-agents wait and nobody else: due is the
 * one that there must be, and the other, free, goes over. Two begin at 1 and two wait until 3, when
 * a turn asks as well: due is 3 1/3, which is 1. The turn is at 3-4, the others at 3-5, when only
 * the last turn asks and a slot comes back; it is at 5-6. */
static void test_adaptive_by_hand(void **state) {
  (void)state;
  batch b;
  two_alike(&b);
  parl_slots_def def = {.slots = 3, .n_main = 2, .is_adaptive = true, .period = UNIT};
  const parl_slots_result r = play(&b, 2, def, (parl_cost){0});
  assert_int_equal(r.makespan, 6 * UNIT);
  assert_int_equal(r.moves, 2);
  assert_int_equal(r.main.wait, 0);
  assert_int_equal(r.sub.wait, 4 * UNIT);
  assert_int_equal(r.main.held, (2 * 1 + 1 * 4 + 2 * 1) * UNIT);
  assert_int_equal(r.sub.held, (1 * 1 + 2 * 4 + 1 * 1) * UNIT);
  /* With a move that takes 2 sub-agents have one slot until 3: one of them is at 1-3, two are at
   * 3-5, one at 5-7, and the turns at 5-6 and 7-8. A slot is out at 1-3, one at 5-7 since a turn
   * waited, one at 6-8 since none did, one from 7 on. */
  def.move = 2 * UNIT;
  const parl_slots_result late = play(&b, 2, def, (parl_cost){0});
  assert_int_equal(late.makespan, 8 * UNIT);
  assert_int_equal(late.moves, 4);
  assert_int_equal(late.main.held + late.sub.held, (3 * 8 - 2 - 2 - 2 - 1) * UNIT);
}

/* A slot in use goes over when it is free, between two looks, too. Four slots, three of them
 * orchestrators'; turns at 0-2 (it launches four of 2), 0-3 and 0-3. The look at 2 finds two turns
 * and four sub-agents: due is 4 2/6, which is 1. One slot is free and goes, two sub-agents are at
 * 2-4; at 3 a second goes, the third is at 3-5 and the last at 4-6. */
static void test_a_busy_slot_goes_over_at_its_end(void **state) {
  (void)state;
  batch b;
  const int32_t two[] = {2, 2, 2, 2};
  clear(&b);
  add_stage(&b, 0, 2, 4, two);
  add_stage(&b, 1, 3, 0, NULL);
  add_stage(&b, 2, 3, 0, NULL);
  parl_slots_def def = {.slots = 4, .n_main = 3, .is_adaptive = true, .period = 2 * UNIT};
  const parl_slots_result r = play(&b, 3, def, (parl_cost){0});
  assert_int_equal(r.makespan, 6 * UNIT);
  assert_int_equal(r.moves, 2);
  assert_int_equal(r.sub.wait, 3 * UNIT);
  assert_int_equal(r.main.held, (2 * 3 + 1 * 2 + 3 * 1) * UNIT);
  /* Who does not look until all is over is fixed. */
  def.period = 100 * UNIT;
  const parl_slots_result never = play(&b, 3, def, (parl_cost){0});
  def.is_adaptive = false;
  const parl_slots_result fixed = play(&b, 3, def, (parl_cost){0});
  assert_memory_equal(&never, &fixed, sizeof fixed);
  assert_int_equal(fixed.makespan, 10 * UNIT);
}

/* Who asks at once is served in order of episodes: one slot for sub-agents of 1, 5 and 2 steps,
 * which wait 0, 1 and 6. */
static void test_ties(void **state) {
  (void)state;
  batch b;
  const int32_t steps[] = {1, 5, 2};
  clear(&b);
  for (size_t i = 0; i < 3; i++) add_stage(&b, i, 1, 1, &steps[i]);
  const parl_slots_result r =
      play(&b, 3, (parl_slots_def){.slots = 4, .n_main = 3}, (parl_cost){0});
  assert_int_equal(r.sub.wait, 7 * UNIT);
  assert_int_equal(r.makespan, 9 * UNIT);
}

/* --- by property --- */

static void fill(batch *b, uint64_t trial, int64_t *main_steps, int64_t *sub_steps) {
  parl_rng_cursor rng = {.seed = 31, .stream = trial};
  clear(b);
  *main_steps = *sub_steps = 0;
  for (size_t i = 0; i < N_EPISODES; i++) {
    const size_t n = (size_t)parl_rng_next_below(&rng, N_STAGES + 1);
    for (size_t t = 0; t < n; t++) {
      int32_t steps[MAX_WIDTH];
      const size_t width = (size_t)parl_rng_next_below(&rng, MAX_WIDTH + 1);
      const int32_t own = (int32_t)parl_rng_next_below(&rng, 4);
      for (size_t k = 0; k < width; k++)
        *sub_steps += steps[k] = (int32_t)parl_rng_next_below(&rng, 9);
      add_stage(b, i, own, width, steps);
      *main_steps += own;
    }
  }
}

static parl_cost make_cost(uint64_t trial) {
  parl_rng_cursor rng = {.seed = 32, .stream = trial};
  return (parl_cost){.step = (int64_t)parl_rng_next_below(&rng, 900),
                     .launch = (int64_t)parl_rng_next_below(&rng, 3000),
                     .spawn = (int64_t)parl_rng_next_below(&rng, 700)};
}

static int64_t get_makespan(const batch *b, size_t i, parl_cost cost, size_t concurrency) {
  parl_facts facts = {0};
  cost.concurrency = (int64_t)concurrency;
  assert_ok(parl_stages_get_cost(b->of[i], &cost, &facts));
  return (int64_t)llround(facts.makespan * UNIT);
}

/* Alone an episode has the makespan of section cost; with slots for all, the longest has it. */
static void test_against_the_makespan(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
    batch b;
    int64_t unused[2], longest = 0;
    fill(&b, trial, &unused[0], &unused[1]);
    const parl_cost cost = make_cost(trial);
    const size_t n_sub = 1 + trial % MAX_WIDTH;
    const parl_slots_def few = {.slots = 2 + n_sub, .n_main = 2};
    assert_int_equal(play(&b, 1, few, cost).makespan, get_makespan(&b, 0, cost, n_sub));
    for (size_t i = 0; i < N_EPISODES; i++) {
      const int64_t x = get_makespan(&b, i, cost, 0);
      longest = x > longest ? x : longest;
    }
    const parl_slots_def all = {.slots = N_EPISODES * (MAX_WIDTH + 1), .n_main = N_EPISODES};
    const parl_slots_result r = play(&b, N_EPISODES, all, cost);
    assert_int_equal(r.makespan, longest);
    assert_int_equal(r.main.wait + r.sub.wait, 0);
  }
}

/* Work is neither lost nor made, slots neither, and no machine is faster than its work. */
static void test_conservation(void **state) {
  (void)state;
  int64_t n_moves = 0;
  for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
    batch b;
    int64_t main_steps, sub_steps, n_launches = 0;
    fill(&b, trial, &main_steps, &sub_steps);
    const parl_cost cost = make_cost(trial);
    for (size_t i = 0; i < N_EPISODES; i++)
      for (size_t t = 0; t < b.stages[i].n; t++) n_launches += b.records[i][t].width > 0;
    const size_t slots = 2 + trial % 7;
    const parl_slots_def def = {.slots = slots,
                                .n_main = 1 + trial % (slots - 1),
                                .is_adaptive = trial % 3 != 0,
                                .period = 100 + (int64_t)(trial % 11) * 300,
                                .move = (int64_t)(trial % 4) * 500};
    const parl_slots_result r = play(&b, N_EPISODES, def, cost);
    assert_int_equal(r.main.busy, main_steps * (UNIT + cost.step) + n_launches * cost.launch);
    assert_int_equal(r.sub.busy, sub_steps * (UNIT + cost.step));
    assert_true(r.main.busy <= r.main.held && r.sub.busy <= r.sub.held);
    const int64_t all = (int64_t)slots * r.makespan, out = all - r.main.held - r.sub.held;
    assert_true(out >= 0 && out <= r.moves * def.move);
    for (size_t i = 0; i < N_EPISODES; i++) assert_true(r.makespan >= get_makespan(&b, i, cost, 0));
    n_moves += r.moves;
    if (!def.is_adaptive) assert_int_equal(r.moves, 0);
  }
  assert_true(n_moves > N_TRIALS);
}

static void test_of_a_section(void **state) {
  (void)state;
  parl_cost_config c;
  parl_config_set_defaults(&parl_cost_section, &c);
  assert_false(parl_slots_get(&c).is_adaptive);
  c.slots = 10;
  c.slot_split = PARL_SLOT_SPLIT_ADAPTIVE;
  c.slot_period = 2.5;
  c.slot_move = 0.25;
  const double shares[] = {0, 0.04, 0.3, 0.5, 0.96, 1};
  const size_t due[] = {1, 1, 3, 5, 9, 9};
  for (size_t i = 0; i < 6; i++) {
    c.slot_share = shares[i];
    const parl_slots_def def = parl_slots_get(&c);
    assert_int_equal(def.n_main, due[i]);
    assert_true(def.is_adaptive && def.period == 2500 && def.move == 250 && def.slots == 10);
  }
}

static void test_refusals(void **state) {
  (void)state;
  batch b;
  parl_slots *slots = NULL;
  const parl_cost cost = {0};
  parl_slots_result r = {.makespan = 7};
  const parl_slots_def bad[] = {{.slots = 1, .n_main = 1},
                                {.slots = 4, .n_main = 4},
                                {.slots = 4, .n_main = 0},
                                {.slots = 4, .n_main = 1, .is_adaptive = true}};
  two_alike(&b);
  for (size_t i = 0; i < 4; i++)
    assert_status(parl_slots_create(&bad[i], &cost, 2, 2, &slots), PARL_STATUS_EINVAL);
  assert_ok(parl_slots_create(&(parl_slots_def){.slots = 3, .n_main = 1}, &cost, 2, 1, &slots));
  assert_fails(parl_slots_play(slots, b.of, 2, &r), PARL_STATUS_EINVAL, "a launch of 2");
  assert_status(parl_slots_play(slots, b.of, 3, &r), PARL_STATUS_EINVAL);
  assert_int_equal(r.makespan, 7);
  parl_slots_destroy(slots);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fixed_by_hand),
      cmocka_unit_test(test_adaptive_by_hand),
      cmocka_unit_test(test_a_busy_slot_goes_over_at_its_end),
      cmocka_unit_test(test_ties),
      cmocka_unit_test(test_against_the_makespan),
      cmocka_unit_test(test_conservation),
      cmocka_unit_test(test_of_a_section),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
