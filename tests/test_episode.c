/* tests/test_episode.c - episodes worked by hand: steps, budget, facts, isolation of results
 * from slots. */
#include "parl/swarm/context_policy.h"
#include "tests/rollout_support.h"

static void open_fixture(count_fixture *f, size_t n, const char *params, const parl_model *policy,
                         const parl_model *subs, size_t threads, size_t slots) {
  parl_seats seats = {.subs = parl_player_of_script("", f->config.agents.reliability)};
  if (policy != NULL) seats.main = parl_player_of_model(policy, PARL_CACHE_F32, 1);
  if (subs != NULL)
    seats.subs = parl_player_of_model(subs, PARL_CACHE_F32, f->config.agents.temperature);
  count_open(f, params, seats, threads, slots);
  assert_ok(parl_trajectories_create(
      &(parl_trajectories_def){
          .n = n, .max_mains = 16, .context = 96, .max_subs = 8, .sub_context = 48, .n_words = 1},
      &f->set));
}

static const parl_facts *play(count_fixture *f, const char *style) {
  const parl_job job = {
      1, 2, script_seats(style), 0, 0, parl_trajectories_get(f->set, 0), PARL_PART_ANY, NULL, 0};
  assert_ok(parl_rollout_run(f->rollout, &job, 1, NULL));
  assert_false(job.out->failed);
  return &job.out->facts;
}

/* create (1) + launch (1 + max(1,3,2) = 4) + work (1) + work (1) = 7 critical; total 1 + 1+6 + 2
 * = 10. Numbers 1, 3, 2 of 4 are done by the group, 4 is not finished by two calls: r_perf 3/4. */
static void test_hand_worked_episode(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  open_fixture(&f, 1, NULL, NULL, NULL, 1, 1);
  const parl_facts *facts = play(&f, "hand");
  assert_int_equal(facts->end, PARL_END_FINISH);
  assert_close(facts->critical_steps, 7, 0);
  assert_close(facts->total_steps, 10, 0);
  assert_close(facts->r_perf, 0.75, 1e-12);
  assert_close(facts->success, 0, 0);
  assert_close(facts->assigned, 3, 0);
  assert_close(facts->finished, 3, 0);
  assert_close(facts->useful, 3, 0);
  assert_close(facts->launches, 1, 0);
  assert_close(facts->max_width, 3, 0);
  assert_close(facts->created, 1, 0);
  assert_close(facts->sub_steps, 6, 0);
  assert_close(facts->sub_max_steps, 3, 0);
  assert_close(facts->last_gain_steps, 5, 0); /* when the group came back */
  assert_close(facts->turns, 5, 0);
  assert_close(facts->optimum_steps, 6, 0); /* min(10, 2 + 4) */
  count_close(&f);
}

static void test_serial_and_wide(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  open_fixture(&f, 1, NULL, NULL, NULL, 1, 1);
  const parl_facts serial = *play(&f, "serial");
  assert_close(serial.critical_steps, 10, 0);
  assert_close(serial.total_steps, 10, 0);
  assert_close(serial.r_perf, 1, 0);
  const parl_facts wide = *play(&f, "wide");
  assert_close(wide.critical_steps, 6, 0); /* the optimum */
  assert_close(wide.total_steps, 12, 0);
  assert_close(wide.success, 1, 0);
  count_close(&f);
}

/* Budget 3: create 1, launch 1, so one step is left for each sub-agent: only number 1 gets done,
 * and the next step is refused. */
static void test_budget_bounds_a_group(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.episode.budget_steps = 3;
  open_fixture(&f, 1, NULL, NULL, NULL, 1, 1);
  const parl_facts *facts = play(&f, "hand");
  assert_int_equal(facts->end, PARL_END_BUDGET);
  assert_close(facts->critical_steps, 3, 0);
  assert_close(facts->total_steps, 5, 0);
  assert_close(facts->r_perf, 0.25, 1e-12);
  assert_close(facts->finished, 1, 0);
  assert_close(facts->useful, 1, 0);
  count_close(&f);
}

/* The same budget in total steps: 1 + 1 leave 1 step, a third of which is none for each of
 * three. */
static void test_total_budget_is_shared(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.episode.budget_steps = 3;
  f.config.episode.budget_counts = PARL_BUDGET_TOTAL;
  open_fixture(&f, 1, NULL, NULL, NULL, 1, 1);
  const parl_facts *facts = play(&f, "hand");
  assert_close(facts->total_steps, 3, 0); /* create, launch, one call of work(4) */
  assert_close(facts->finished, 0, 0);
  assert_close(facts->r_perf, 0, 0);
  count_close(&f);
}

static void test_unreliable_sub_agents_waste_their_steps(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.agents.reliability = 0;
  open_fixture(&f, 1, NULL, NULL, NULL, 1, 1);
  const parl_facts *facts = play(&f, "hand");
  assert_close(facts->finished, 0, 0);
  assert_close(facts->critical_steps, 1 + 1 + 8 + 2, 0); /* sub_steps = 8 */
  assert_close(facts->r_perf, 0, 0);
  count_close(&f);
}

static void test_recorded_sequences(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  open_fixture(&f, 1, NULL, NULL, NULL, 1, 1);
  play(&f, "hand");
  const parl_trajectory *t = parl_trajectories_get(f.set, 0);
  assert_int_equal(t->n_subs, 3);
  assert_int_equal(t->mains[0].tokens[0], PARL_TOKEN_BOS);
  assert_int_equal(t->subs[1].tokens[0], PARL_TOKEN_SUB);
  const parl_sequence *s = &t->mains[0];
  assert_true(s->n_choices > 0);
  for (int k = 0; k < s->n_choices; k++) {
    const int32_t token = s->tokens[s->at[k]];
    assert_true(s->at[k] >= 1 && s->at[k] < s->n_tokens);
    assert_true(s->masks[k] >> token & 1); /* the vocabulary has fewer than 64 tokens */
    assert_true(__builtin_popcountll(s->masks[k]) > 1);
    assert_true(k == 0 || s->at[k] > s->at[k - 1]);
  }
  count_close(&f);
}

enum { MANY = 40 };

/* All facts, tokens and log-probabilities of MANY sampled episodes as one number, and how many
 * tokens their contexts have. */
static uint64_t play_many(const char *backend, size_t threads, size_t slots, uint64_t seed) {
  count_fixture f = {.config = count_config()};
  f.config.episode.budget_factor = 3.0;
  const int n_tokens = count_n_tokens();
  parl_model *policy = count_model(&f.config, n_tokens, backend, seed);
  parl_model *subs = count_model(&f.config, n_tokens, backend, seed + 1);
  open_fixture(&f, MANY, NULL, policy, subs, threads, slots);
  parl_job jobs[MANY];
  for (size_t i = 0; i < MANY; i++)
    jobs[i] = (parl_job){
        i, 100 + i, NULL, 1.0, 0, parl_trajectories_get(f.set, i), PARL_PART_ANY, NULL, 0};
  parl_rollout_counts counts;
  assert_ok(parl_rollout_run(f.rollout, jobs, MANY, &counts));
  assert_true(counts.reused_tokens > 0); /* sub-agents' briefs are alike */
  uint64_t hash = (uint64_t)(counts.decoded_tokens + counts.reused_tokens);
  for (size_t i = 0; i < MANY; i++) {
    const parl_trajectory *t = jobs[i].out;
    uint32_t bits;
    hash = parl_rng_stream(hash, (uint64_t)t->facts.total_steps, (uint64_t)t->facts.end,
                           (uint64_t)t->facts.assigned);
    for (int k = 0; k < t->mains[0].n_tokens; k++)
      hash = parl_rng_stream(hash, (uint64_t)t->mains[0].tokens[k], 0, 0);
    for (int k = 0; k < t->mains[0].n_choices; k++) {
      memcpy(&bits, &t->mains[0].logp[k], sizeof bits);
      hash = parl_rng_stream(hash, bits, 0, 0);
    }
  }
  count_close(&f);
  parl_model_destroy(policy);
  parl_model_destroy(subs);
  return hash;
}

static void test_outcome_depends_on_neither_threads_nor_slots(void **state) {
  (void)state;
  const uint64_t expected = play_many("cpu", 1, MANY, 5);
  assert_true(play_many("cpu", 1, 3, 5) == expected);
  assert_true(play_many("cpu", 2, MANY, 5) == expected);
  assert_true(play_many("cpu", 3, 7, 5) == expected);
  assert_true(play_many("cpu", 8, 16, 5) == expected);
  assert_true(play_many("cpu", 1, MANY, 6) != expected);
  /* a device begins what it is asked at once, and computes the CPU's bits here */
  assert_true(play_many("far", 1, MANY, 5) == expected);
  assert_true(play_many("far", 2, 7, 5) == expected);
}

/* Which shard's environment a job was begun in. */
typedef struct shards {
  const parl_job *jobs;
  const parl_env *of[MANY];
} shards;

static parl_status note_shard(void *context, const parl_event *e) {
  shards *s = context;
  if (e->kind == PARL_EVENT_START) s->of[e->job - s->jobs] = e->env;
  return PARL_STATUS_OK;
}

/* Where the rows beside one may change its bits, time must not say which are: shard s of 3 plays
 * the jobs s, s + 3, ... */
static void test_jobs_are_dealt_on_a_device(void **state) {
  (void)state;
  const parl_run_config config = count_config();
  parl_model *policy = count_model(&config, count_n_tokens(), "far", 1);
  parl_workers *workers = NULL;
  parl_trajectories *set = NULL;
  parl_rollout *rollout = NULL;
  parl_job jobs[MANY];
  shards s = {.jobs = jobs};
  const parl_observer observer = {note_shard, &s};
  assert_ok(parl_workers_create(3, &workers));
  assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = MANY}, &set));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = COUNT_ENV,
                                                    .config = parl_run_config_get_swarm(&config),
                                                    .seats.main = parl_player_of_chance(),
                                                    .n_slots = 12,
                                                    .workers = workers,
                                                    .observer = &observer},
                                &rollout));
  const parl_seats seats = {.main = parl_player_of_model(policy, PARL_CACHE_F32, 1)};
  for (size_t i = 0; i < MANY; i++)
    jobs[i] = (parl_job){.task_seed = i,
                         .seats = i + 1 == MANY ? &seats : NULL, /* one is enough */
                         .out = parl_trajectories_get(set, i)};
  for (int round = 0; round < 2; round++) {
    memset(s.of, 0, sizeof s.of);
    assert_ok(parl_rollout_run(rollout, jobs, MANY, NULL));
    for (size_t i = 0; i < MANY; i++) assert_true(s.of[i] != NULL && s.of[i] == s.of[i % 3]);
    assert_true(s.of[0] != s.of[1] && s.of[1] != s.of[2] && s.of[0] != s.of[2]);
  }
  parl_rollout_destroy(rollout);
  parl_trajectories_destroy(set);
  parl_workers_destroy(workers);
  parl_model_destroy(policy);
}

typedef struct census {
  int alive, most;
} census;

static parl_status count_alive(void *context, const parl_event *e) {
  census *c = context;
  c->alive += (e->kind == PARL_EVENT_START) - (e->kind == PARL_EVENT_END);
  if (c->alive > c->most) c->most = c->alive;
  return PARL_STATUS_OK;
}

/* The most of 80 episodes that one worker has alive at once. */
static int count_slots(const parl_run_config *config) {
  enum { N = 80 };
  census c = {0};
  const parl_observer observer = {count_alive, &c};
  parl_model *policy = count_model(config, count_n_tokens(), "cpu", 1);
  parl_workers *workers = NULL;
  parl_trajectories *set = NULL;
  parl_rollout *rollout = NULL;
  parl_job jobs[N];
  assert_ok(parl_workers_create(1, &workers));
  assert_ok(parl_trajectories_create(
      &(parl_trajectories_def){
          .n = N, .max_mains = 16, .context = 96, .max_subs = 8, .sub_context = 48, .n_words = 1},
      &set));
  assert_ok(parl_rollout_create(
      &(parl_rollout_def){.env_path = COUNT_ENV,
                          .config = parl_run_config_get_swarm(config),
                          .seats.main = parl_player_of_model(policy, PARL_CACHE_F32, 1),
                          .n_slots = (size_t)config->train.slots,
                          .n_jobs = N,
                          .workers = workers,
                          .observer = &observer},
      &rollout));
  for (size_t i = 0; i < N; i++)
    jobs[i] = (parl_job){i, i, NULL, 1, 0, parl_trajectories_get(set, i), PARL_PART_ANY, NULL, 0};
  assert_ok(parl_rollout_run(rollout, jobs, N, NULL));
  assert_int_equal(c.alive, 0);
  parl_rollout_destroy(rollout);
  parl_trajectories_destroy(set);
  parl_workers_destroy(workers);
  parl_model_destroy(policy);
  return c.most;
}

/* Keys and values of a tiny context take 2 layers x 2 x 8 x 96 floats = 12 KiB, those of one with
 * 16 heads of 128 3 MiB. What a recipe says is taken as it is. */
static void test_slots_suit_the_caches(void **state) {
  (void)state;
  parl_run_config config = count_config();
  config.episode.budget_factor = 1.5;
  config.train.slots = 0;
  assert_int_equal(count_slots(&config), 64);
  config.model.n_heads = config.model.n_kv_heads = 16;
  config.model.head_dim = 128;
  assert_int_equal(count_slots(&config), 8);
  config.train.slots = 20;
  assert_int_equal(count_slots(&config), 20);
}

static void test_a_failing_script_stops_or_is_skipped(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  open_fixture(&f, 2, "{\"fail_at\":4}", NULL, NULL, 1, 2);
  const parl_job jobs[] = {
      {1, 2, script_seats("hand"), 0, 0, parl_trajectories_get(f.set, 0), PARL_PART_ANY, NULL, 0},
      {3, 4, script_seats("hand"), 0, 0, parl_trajectories_get(f.set, 1), PARL_PART_ANY, NULL, 0}};
  assert_fails(parl_rollout_run(f.rollout, jobs, 2, NULL), PARL_STATUS_ESCRIPT,
               "work refused on purpose");
  assert_contains(parl_error_text(), "count.lua:");
  assert_contains(parl_error_text(), "task seed");
  assert_status(parl_rollout_run(f.rollout, jobs, 2, NULL), PARL_STATUS_ESCRIPT); /* usable again */
  count_close(&f);
  f.config.env.on_error = PARL_ON_ERROR_SKIP;
  open_fixture(&f, 2, "{\"fail_at\":4}", NULL, NULL, 1, 2);
  const parl_job more[] = {
      {1, 2, script_seats("hand"), 0, 0, parl_trajectories_get(f.set, 0), PARL_PART_ANY, NULL, 0}};
  assert_ok(parl_rollout_run(f.rollout, more, 1, NULL));
  assert_true(more[0].out->failed);
  count_close(&f);
}

/* The serial expert on n = 8 writes work(k) and reads one token, 36 times: 3 + 36 * 3 tokens
 * with <bos>, the prompt and finish, more than the 96 the context holds. */
static parl_facts play_policy(int policy, parl_trajectory **out, count_fixture *f) {
  f->config = count_config();
  f->config.episode.context_policy = policy;
  f->config.episode.context_threshold = 0.5;
  open_fixture(f, 1, "{\"n\":8}", NULL, NULL, 1, 1);
  const parl_facts facts = *play(f, "serial");
  *out = parl_trajectories_get(f->set, 0);
  return facts;
}

static void test_context_policies(void **state) {
  (void)state;
  count_fixture f = {0};
  parl_trajectory *t;
  parl_facts facts = play_policy(0, &t, &f);
  assert_int_equal(facts.end, PARL_END_CONTEXT);
  assert_close(facts.r_perf, 0, 0);
  assert_int_equal(t->n_mains, 1);
  count_close(&f);

  facts = play_policy(PARL_CONTEXT_POLICY_DISCARD_ALL, &t, &f);
  assert_int_equal(facts.end, PARL_END_FINISH);
  assert_close(facts.r_perf, 1, 0);
  assert_true(facts.rewrites >= 2);
  assert_int_equal(t->n_mains, 1 + (int)facts.rewrites);
  /* Only <bos> and the prompt come back, then the next call. */
  assert_int_equal(t->mains[1].tokens[0], PARL_TOKEN_BOS);
  assert_int_equal(t->mains[1].tokens[1], t->mains[0].tokens[1]);
  assert_true(t->mains[1].n_choices > 0 && t->mains[1].at[0] >= 2 && t->mains[1].at[0] <= 3);
  count_close(&f);

  facts = play_policy(PARL_CONTEXT_POLICY_SUMMARY, &t, &f);
  assert_close(facts.r_perf, 1, 0);
  /* 48 tokens hold 15 calls and a bit: 1 + 2 + 3 + 4 + 5 steps did numbers 1 to 5. */
  const parl_sequence *s = &t->mains[1];
  for (int k = 0; k < 5; k++) assert_int_equal(s->tokens[2 + k], s->tokens[1] - 8 + 1 + k);
  count_close(&f);

  facts = play_policy(PARL_CONTEXT_POLICY_HIDE_TOOL_RESULT, &t, &f);
  /* Of three tokens a call two stay: 32 + 1 of 48 come back, so it goes on a while, then is
   * full. */
  assert_true(facts.rewrites >= 1);
  assert_int_equal(facts.end, PARL_END_CONTEXT);
  assert_true(t->mains[1].tokens[2] == t->mains[0].tokens[2] &&
              t->mains[1].tokens[3] == t->mains[0].tokens[3] &&
              t->mains[1].tokens[4] == t->mains[0].tokens[5]); /* the observation between is gone */
  count_close(&f);
}

/* Without the grammar's mask a random policy writes malformed calls: each costs a step, none
 * ends the run. */
static void test_malformed_calls_cost_steps(void **state) {
  (void)state;
  count_fixture f = {.config = count_config()};
  f.config.episode.mask = false;
  f.config.episode.budget_steps = 6;
  parl_model *policy = count_model(&f.config, count_n_tokens(), "cpu", 3);
  open_fixture(&f, 8, NULL, policy, policy, 1, 4);
  parl_job jobs[8];
  for (size_t i = 0; i < 8; i++)
    jobs[i] =
        (parl_job){i, i, NULL, 1.0, 0, parl_trajectories_get(f.set, i), PARL_PART_ANY, NULL, 0};
  assert_ok(parl_rollout_run(f.rollout, jobs, 8, NULL));
  int invalid = 0;
  for (size_t i = 0; i < 8; i++) {
    const parl_sequence *s = &jobs[i].out->mains[0];
    assert_true(jobs[i].out->facts.critical_steps <= 6);
    for (int k = 0; k < s->n_tokens; k++) invalid += s->tokens[k] == PARL_TOKEN_INVALID;
  }
  assert_true(invalid > 0);
  count_close(&f);
  parl_model_destroy(policy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hand_worked_episode),
      cmocka_unit_test(test_serial_and_wide),
      cmocka_unit_test(test_budget_bounds_a_group),
      cmocka_unit_test(test_total_budget_is_shared),
      cmocka_unit_test(test_unreliable_sub_agents_waste_their_steps),
      cmocka_unit_test(test_recorded_sequences),
      cmocka_unit_test(test_outcome_depends_on_neither_threads_nor_slots),
      cmocka_unit_test(test_jobs_are_dealt_on_a_device),
      cmocka_unit_test(test_slots_suit_the_caches),
      cmocka_unit_test(test_a_failing_script_stops_or_is_skipped),
      cmocka_unit_test(test_context_policies),
      cmocka_unit_test(test_malformed_calls_cost_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
