/* tests/test_cost.c - the makespan: by hand, by property, in episodes; budgets on it, on total
 * steps and on tokens; messages that are lost or false; caps on the width of a launch. */
#include <string.h>

#include "core/rng.h"
#include "parl/swarm/cost.h"
#include "tests/rollout_support.h"

enum { UNIT = PARL_COST_UNIT, N_STAGES = 5, MAX_WIDTH = 8, N_TRIALS = 300 };

static parl_cost_sums get_sums(const parl_stage *stages, size_t n, parl_cost cost) {
  parl_cost_sums sums = {0};
  assert_ok(parl_makespan_add(stages, n, &cost, &sums));
  return sums;
}

static int64_t get_makespan(const parl_stage *stages, size_t n, parl_cost cost) {
  return get_sums(stages, n, cost).makespan;
}

/* --- by hand --- */

/* Two slots, steps of 1.25, a launch of 2, starts of 0.5. Sub-agents of 1, 3 and 2 steps are
 * started at 0.5, 1 and 1.5: the first runs to 1.75, the second to 4.75, the third waits 0.25 for
 * the first's slot and runs to 4.25. 1.25 + 2 + 4.75 = 8, and two calls before it are 2.5. */
static void test_worked_by_hand(void **state) {
  (void)state;
  const int64_t steps[] = {1, 3, 2};
  const parl_stage stages[] = {{2, 0, NULL}, {1, 3, steps}};
  const parl_cost cost = {.concurrency = 2, .step = 250, .launch = 2000, .spawn = 500};
  const parl_cost_sums sums = get_sums(stages, 2, cost);
  assert_int_equal(sums.makespan, 10500);
  assert_int_equal(sums.queue, 250);
}

/* In order of assignment: one slot lets them wait 0, 1 and 1 + 3 steps. */
static void test_queue_by_hand(void **state) {
  (void)state;
  const int64_t steps[] = {1, 3, 2};
  const parl_stage stage = {1, 3, steps};
  assert_int_equal(get_sums(&stage, 1, (parl_cost){.concurrency = 1}).queue, 5 * UNIT);
  assert_int_equal(get_sums(&stage, 1, (parl_cost){.concurrency = 2}).queue, 1 * UNIT);
  assert_int_equal(get_makespan(&stage, 1, (parl_cost){.concurrency = 2}), 4 * UNIT);
  assert_int_equal(get_sums(&stage, 1, (parl_cost){.concurrency = 3}).queue, 0);
}

static void test_config_in_thousandths(void **state) {
  (void)state;
  parl_cost_config c;
  parl_config_set_defaults(&parl_cost_section, &c);
  parl_cost cost = parl_cost_get(&c);
  assert_true(cost.concurrency == 0 && cost.step == 0 && cost.launch == 0 && cost.spawn == 0);
  c = (parl_cost_config){.concurrency = 3, .step = 0.1, .launch = 2.5, .spawn = 0.0004};
  cost = parl_cost_get(&c);
  assert_true(cost.concurrency == 3 && cost.step == 100 && cost.launch == 2500 && cost.spawn == 0);
}

/* --- by property --- */

typedef struct episode {
  int64_t steps[N_STAGES][MAX_WIDTH];
  parl_stage stages[N_STAGES];
} episode;

static void make_episode(episode *e, uint64_t trial) {
  parl_rng_cursor rng = {.seed = 12, .stream = trial};
  for (size_t t = 0; t < N_STAGES; t++) {
    const size_t n = (size_t)parl_rng_next_below(&rng, MAX_WIDTH + 1);
    for (size_t i = 0; i < n; i++) e->steps[t][i] = (int64_t)parl_rng_next_below(&rng, 20);
    e->stages[t] = (parl_stage){(int64_t)parl_rng_next_below(&rng, 4), n, e->steps[t]};
  }
}

static parl_cost make_cost(uint64_t trial) {
  parl_rng_cursor rng = {.seed = 13, .stream = trial};
  return (parl_cost){.concurrency = (int64_t)parl_rng_next_below(&rng, MAX_WIDTH),
                     .step = (int64_t)parl_rng_next_below(&rng, 900),
                     .launch = (int64_t)parl_rng_next_below(&rng, 5000),
                     .spawn = (int64_t)parl_rng_next_below(&rng, 1500)};
}

/* Without a limit or overhead: critical steps; with one slot: total steps. */
static void test_between_critical_and_total(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
    episode e;
    int64_t critical, total;
    make_episode(&e, trial);
    assert_ok(parl_critical_steps(e.stages, N_STAGES, &critical));
    assert_ok(parl_total_steps(e.stages, N_STAGES, &total));
    assert_int_equal(get_makespan(e.stages, N_STAGES, (parl_cost){0}), critical * UNIT);
    assert_int_equal(get_sums(e.stages, N_STAGES, (parl_cost){0}).queue, 0);
    assert_int_equal(get_makespan(e.stages, N_STAGES, (parl_cost){.concurrency = 1}), total * UNIT);
    int64_t before = total * UNIT;
    for (int64_t c = 2; c <= MAX_WIDTH; c++) { /* a slot more never makes it later */
      const int64_t now = get_makespan(e.stages, N_STAGES, (parl_cost){.concurrency = c});
      assert_true(now <= before && now >= critical * UNIT);
      before = now;
    }
    assert_int_equal(before, critical * UNIT);
  }
}

/* No step more, and no overhead more, makes an episode shorter. */
static void test_grows(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
    episode e;
    make_episode(&e, trial);
    const parl_cost cost = make_cost(trial);
    const int64_t before = get_makespan(e.stages, N_STAGES, cost);
    const size_t t = trial % N_STAGES;
    if (e.stages[t].n_subs > 0) {
      int64_t *steps = &e.steps[t][trial % e.stages[t].n_subs];
      ++*steps;
      assert_true(get_makespan(e.stages, N_STAGES, cost) >= before);
      --*steps;
    }
    parl_cost more = cost;
    more.launch += 7;
    int64_t n_launches = 0;
    for (size_t i = 0; i < N_STAGES; i++) n_launches += e.stages[i].n_subs > 0;
    assert_int_equal(get_makespan(e.stages, N_STAGES, more), before + 7 * n_launches);
    more = cost;
    more.spawn += 100;
    assert_true(get_makespan(e.stages, N_STAGES, more) >= before);
    more = cost;
    more.step += 100;
    assert_true(get_makespan(e.stages, N_STAGES, more) >= before);
  }
}

/* The share is the largest that fits, and whatever its sub-agents do of it fits, too. */
static void test_share(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
    parl_rng_cursor rng = {.seed = 14, .stream = trial};
    parl_cost cost = make_cost(trial);
    cost.launch = 0;
    const size_t n = 1 + (size_t)parl_rng_next_below(&rng, MAX_WIDTH);
    const int64_t left = (int64_t)parl_rng_next_below(&rng, 40000), most = 12;
    const int64_t share = parl_cost_get_share(&cost, n, left, most);
    int64_t steps[MAX_WIDTH];
    const parl_stage group = {0, n, steps};
    for (int64_t s = 0; s <= most; s++) {
      for (size_t i = 0; i < n; i++) steps[i] = s;
      assert_true((get_makespan(&group, 1, cost) <= left) == (s <= share));
    }
    for (int k = 0; k < 20 && share >= 0; k++) {
      for (size_t i = 0; i < n; i++)
        steps[i] = (int64_t)parl_rng_next_below(&rng, (uint32_t)share + 1);
      assert_true(get_makespan(&group, 1, cost) <= left);
    }
    assert_int_equal(parl_cost_get_share(&(parl_cost){0}, n, 5 * UNIT, 9), 5);
    assert_int_equal(parl_cost_get_share(&(parl_cost){.concurrency = 1}, n, 23 * UNIT, 99),
                     23 / (int64_t)n);
  }
}

static void test_refusals_leave_the_result(void **state) {
  (void)state;
  const int64_t bad[] = {3, -1}, huge[] = {INT64_MAX / UNIT, INT64_MAX / UNIT};
  const parl_stage stages[] = {{-1, 0, NULL}, {1, 2, bad}, {1, 2, huge}, {1, 1, NULL}};
  parl_cost_sums sums = {7, 8};
  for (size_t i = 0; i < 4; i++)
    assert_status(parl_makespan_add(&stages[i], 1, &(parl_cost){.concurrency = 1}, &sums),
                  PARL_STATUS_EINVAL);
  assert_true(sums.makespan == 7 && sums.queue == 8);
}

/* --- in episodes --- */

enum { N_EPISODES = 200 };

/* chance: everyone plays at random. */
static void open_fixture(count_fixture *f, size_t n, bool chance) {
  parl_seats seats = {.subs = parl_player_of_script("", 1)};
  if (chance) seats.main = seats.subs = parl_player_of_chance();
  count_open(f, NULL, seats, 1, 3);
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(f->rollout));
  assert_ok(parl_trajectories_create(
      &(parl_trajectories_def){.n = n,
                               .stages = parl_episode_get_stage_limits(spec, &f->config.episode)},
      &f->set));
}

static const parl_trajectory *play_at(count_fixture *f, const char *style, size_t i) {
  const parl_job job = {.task_seed = 1 + i,
                        .episode_seed = 900 + i,
                        .seats = script_seats(style),
                        .temperature = 1,
                        .out = parl_trajectories_get(f->set, i)};
  assert_ok(parl_rollout_run(f->rollout, &job, 1, NULL));
  assert_false(job.out->failed);
  return job.out;
}

static const parl_facts *play(count_fixture *f, const char *style) {
  return &play_at(f, style, 0)->facts;
}

/* "hand": create, launch (1, 3, 2 steps), work, work, finish. As above: 1.25 + 8 + 2.5. Written:
 * create_subagent, name, role; three times assign_task, name, number, and <go>; work, number,
 * twice; finish; by sub-agents work, number a step, and finish. */
static void test_facts_by_hand(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.cost = (parl_cost_config){.concurrency = 2, .step = 0.25, .launch = 2, .spawn = 0.5};
  open_fixture(&f, 1, false);
  const parl_facts *facts = play(&f, "hand");
  assert_close(facts->critical_steps, 7, 0);
  assert_close(facts->makespan, 11.75, 0);
  assert_close(facts->queue_steps, 0.25, 0);
  assert_close(facts->sub_tokens, 3 + 7 + 5, 0);
  assert_close(facts->all_tokens, 3 + 10 + 2 + 2 + 1 + 15, 0);
  assert_close(facts->budget_used, 7, 0);
  count_close(&f);
}

static void test_default_is_critical_steps(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  open_fixture(&f, 1, false);
  const parl_facts *facts = play(&f, "hand");
  assert_close(facts->makespan, 7, 0);
  assert_close(facts->queue_steps, 0, 0);
  count_close(&f);
}

/* The stages say the same, at this cost and at any other. */
static void test_counted_again_from_stages(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.cost = (parl_cost_config){.concurrency = 2, .step = 0.5, .launch = 1, .spawn = 0.25};
  open_fixture(&f, N_EPISODES, true);
  double queue = 0;
  for (size_t i = 0; i < N_EPISODES; i++) {
    const parl_trajectory *t = play_at(&f, NULL, i);
    const parl_cost cost = parl_cost_get(&f.config.cost);
    parl_facts again = {0};
    assert_ok(parl_stages_get_cost(&t->stages, &cost, &again));
    assert_close(again.makespan, t->facts.makespan, 0);
    assert_close(again.queue_steps, t->facts.queue_steps, 0);
    assert_ok(parl_stages_get_cost(&t->stages, &(parl_cost){0}, &again));
    assert_close(again.makespan, t->facts.critical_steps, 0);
    assert_ok(parl_stages_get_cost(&t->stages, &(parl_cost){.concurrency = 1}, &again));
    assert_close(again.makespan, t->facts.total_steps, 0);
    queue += t->facts.queue_steps;
  }
  assert_true(queue > 0);
  count_close(&f);
}

/* Seven steps on one slot: create and launch leave 5, a third of which is one step for each of
 * three; then two calls of work. */
static void test_makespan_budget_by_hand(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.episode.budget_steps = 7;
  f.config.episode.budget_counts = PARL_BUDGET_MAKESPAN;
  f.config.cost.concurrency = 1;
  open_fixture(&f, 1, false);
  const parl_facts *facts = play(&f, "hand");
  assert_int_equal(facts->end, PARL_END_FINISH);
  assert_close(facts->makespan, 7, 0);
  assert_close(facts->sub_steps, 3, 0);
  assert_close(facts->r_perf, 0.25, 1e-12);
  assert_close(facts->budget_steps, 7, 0);
  assert_close(facts->budget_used, 7, 0);
  count_close(&f);
}

/* 20 tokens: 13 for the create and the launch, two of the seven left for each sub-agent, which is
 * one call of work and no finish; of the last one the orchestrator writes `work`. */
static void test_token_budget_by_hand(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.episode.budget_steps = 20;
  f.config.episode.budget_counts = PARL_BUDGET_TOKENS;
  open_fixture(&f, 1, false);
  const parl_facts *facts = play(&f, "hand");
  assert_int_equal(facts->end, PARL_END_BUDGET);
  assert_close(facts->sub_tokens, 6, 0);
  assert_close(facts->all_tokens, 20, 0);
  assert_close(facts->budget_used, 20, 0);
  assert_close(facts->finished, 0, 0);
  assert_close(facts->sub_steps, 3, 0);
  assert_close(facts->r_perf, 0.25, 1e-12);
  count_close(&f);
}

/* Whatever is counted, no episode of random play exceeds its budget, and some use it up. */
static void test_no_budget_is_exceeded(void **state) {
  (void)state;
  for (int counts = PARL_BUDGET_CRITICAL; counts <= PARL_BUDGET_TOKENS; counts++) {
    count_fixture f = {.config = count_config()};
    f.config.episode.budget_counts = counts;
    f.config.episode.budget_steps = counts == PARL_BUDGET_TOKENS ? 25 : 9;
    f.config.cost = (parl_cost_config){.concurrency = 2, .step = 0.125, .launch = 1, .spawn = 0.5};
    open_fixture(&f, N_EPISODES, true);
    int n_full = 0, n_launches = 0;
    for (size_t i = 0; i < N_EPISODES; i++) {
      const parl_facts *facts = &play_at(&f, NULL, i)->facts;
      const double used[] = {facts->critical_steps, facts->total_steps, facts->makespan,
                             facts->all_tokens};
      assert_close(facts->budget_used, used[counts], 0);
      assert_true(facts->budget_used <= facts->budget_steps);
      n_full += facts->budget_used > facts->budget_steps - 1.5;
      n_launches += facts->launches > 0;
    }
    assert_true(n_full > 5 && n_launches > 5);
    count_close(&f);
  }
}

/* --- messages --- */

static void test_lost_messages(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.agents.message_loss = 1;
  open_fixture(&f, 1, false);
  const parl_trajectory *t = play_at(&f, "hand", 0);
  assert_close(t->facts.lost_messages, 3, 0);
  assert_close(t->facts.finished, 0, 0);
  assert_close(t->facts.useful, 0, 0);
  assert_close(t->facts.r_perf, 0, 0);         /* what they did is never heard of, */
  assert_close(t->facts.critical_steps, 7, 0); /* and cost what it cost */
  for (size_t i = 0; i < 3; i++) assert_true(t->stages.subs[i].lost && !t->stages.subs[i].finished);
  count_close(&f);
}

/* Every place has another one's message: of number 1, 3, 2 those that some place drew are known. */
static void test_false_messages(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.agents.message_false = 1;
  open_fixture(&f, N_EPISODES, false);
  int n_known[4] = {0};
  for (size_t i = 0; i < N_EPISODES; i++) {
    const parl_trajectory *t = play_at(&f, "hand", i);
    bool known[3] = {false};
    for (uint64_t k = 0; k < 3; k++) {
      const uint64_t stream = parl_rng_stream(PARL_PURPOSE_MESSAGE, k + 1, 0, 0);
      const double u = parl_rng_uniform(t->episode_seed, stream, 2);
      known[u < 0.5 ? (k == 0 ? 1 : 0) : (k == 2 ? 1 : 2)] = true;
      assert_true(t->stages.subs[k].is_false && !t->stages.subs[k].finished);
    }
    const int n = known[0] + known[1] + known[2];
    assert_close(t->facts.false_messages, 3, 0);
    assert_close(t->facts.finished, 0, 0);
    assert_close(t->facts.useful, n, 0);
    assert_close(t->facts.r_perf, n / 4.0, 1e-12);
    n_known[n]++;
  }
  assert_true(n_known[1] == 0 && n_known[2] > 0 && n_known[3] > 0);
  count_close(&f);
}

/* "hand": 1 + (1 + 3) + 1 + 1 critical steps, its sub-agents taking 1, 3 and 2; two steps late they
 * take 3, 5 and 4. With 4 steps for each at most, the second's message is missed: the launch waits
 * to the end of the 4. */
static void test_late_messages(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.agents.message_late = 1;
  f.config.agents.late_steps = 2;
  open_fixture(&f, 1, false);
  const parl_facts *facts = play(&f, "hand");
  assert_close(facts->sub_steps, 3 + 5 + 4, 0);
  assert_close(facts->critical_steps, 7 + 2, 0);
  assert_close(facts->lost_messages, 0, 0);
  assert_close(facts->finished, 3, 0);
  count_close(&f);
  count_fixture tight = {.config = count_config()};
  tight.config.agents = f.config.agents;
  tight.config.episode.budget_steps = 1 + 1 + 4;
  open_fixture(&tight, 1, false);
  facts = play(&tight, "hand");
  assert_close(facts->sub_steps, 3 + 4 + 4, 0);
  assert_close(facts->critical_steps, 6, 0);
  assert_close(facts->lost_messages, 1, 0);
  assert_close(facts->finished, 2, 0);
  assert_close(facts->r_perf, 2.0 / 4, 1e-12);
  count_close(&tight);
}

/* At the stated rates; a launch of one has nobody's message to hear instead. */
static void test_message_rates(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.agents.message_loss = 0.25;
  f.config.agents.message_false = 0.5;
  f.config.agents.message_late = 0.5;
  f.config.agents.late_steps = 1;
  open_fixture(&f, N_EPISODES, false);
  double n = 0, lost = 0, is_false = 0, late = 0;
  for (size_t i = 0; i < N_EPISODES; i++) {
    const parl_facts *facts = &play_at(&f, "hand", i)->facts;
    n += facts->assigned;
    lost += facts->lost_messages;
    is_false += facts->false_messages;
    late += facts->sub_steps - (1 + 3 + 2);
    assert_close(facts->finished, facts->assigned - facts->lost_messages - facts->false_messages,
                 0);
  }
  assert_close(lost / n, 0.25, 0.06);
  assert_close(is_false / n, 0.75 * 0.5, 0.06);
  assert_close(late / n, 0.5, 0.06);
  count_close(&f);
  count_fixture one = {.config = count_config()};
  one.config.agents.message_false = 1;
  one.config.episode.max_width = 1;
  open_fixture(&one, 1, false);
  const parl_facts *facts = play(&one, "hand");
  assert_close(facts->lost_messages, 1, 0);
  assert_close(facts->false_messages, 0, 0);
  count_close(&one);
}

/* --- width --- */

/* A script's launch of four is made in two of two. */
static void test_script_in_waves(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.episode.max_width = 2;
  open_fixture(&f, 1, false);
  const parl_facts *facts = play(&f, "wide");
  assert_close(facts->success, 1, 0);
  assert_close(facts->launches, 2, 0);
  assert_close(facts->max_width, 2, 0);
  assert_close(facts->cap_width, 2, 0);
  assert_close(facts->critical_steps, 1 + (1 + 2) + (1 + 4), 0);
  count_close(&f);
}

static void test_mask_caps_width(void **state) {
  (void)state;
  double widest = 0;
  count_fixture f = {.config = count_config()};
  f.config.episode.max_width = 3;
  open_fixture(&f, N_EPISODES, true);
  for (size_t i = 0; i < N_EPISODES; i++) {
    const parl_facts *facts = &play_at(&f, NULL, i)->facts;
    if (facts->max_width > widest) widest = facts->max_width;
  }
  assert_close(widest, 3, 0);
  count_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_worked_by_hand),
      cmocka_unit_test(test_queue_by_hand),
      cmocka_unit_test(test_config_in_thousandths),
      cmocka_unit_test(test_between_critical_and_total),
      cmocka_unit_test(test_grows),
      cmocka_unit_test(test_share),
      cmocka_unit_test(test_refusals_leave_the_result),
      cmocka_unit_test(test_facts_by_hand),
      cmocka_unit_test(test_default_is_critical_steps),
      cmocka_unit_test(test_counted_again_from_stages),
      cmocka_unit_test(test_makespan_budget_by_hand),
      cmocka_unit_test(test_token_budget_by_hand),
      cmocka_unit_test(test_no_budget_is_exceeded),
      cmocka_unit_test(test_lost_messages),
      cmocka_unit_test(test_false_messages),
      cmocka_unit_test(test_late_messages),
      cmocka_unit_test(test_message_rates),
      cmocka_unit_test(test_script_in_waves),
      cmocka_unit_test(test_mask_caps_width),
  };
  return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
