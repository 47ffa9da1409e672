/* tests/test_stages.c - stages: by hand, and against the facts of random play in every environment.
 */
#include <math.h>

#include "parl/learn/batch.h"
#include "parl/swarm/context_policy.h"
#include "tests/rollout_support.h"
#include "tests/terms_support.h"

/* How an episode is played. */
typedef struct play_def {
  const char *env, *style; /* style NULL: random */
  int policy, max_direct;
  double budget_factor;
  bool use_legal, use_mask;
  double reliability; /* of scripted sub-agents; 0: 0.8 */
  int32_t record;     /* tokens of recorded contexts; 0: none */
} play_def;

typedef struct fixture {
  parl_run_config config;
  parl_workers *workers;
  parl_rollout *rollout;
  parl_trajectories *set;
} fixture;

static void open_fixture(fixture *f, const play_def *def, size_t n) {
  f->config = count_config();
  f->config.episode.context_policy = def->policy;
  f->config.episode.max_direct = def->max_direct;
  f->config.episode.budget_factor = def->budget_factor;
  f->config.episode.legal = def->use_legal;
  f->config.episode.mask = def->use_mask;
  assert_ok(parl_workers_create(1, &f->workers));
  const double reliability = def->reliability > 0 ? def->reliability : 0.8;
  parl_seats seats = {.subs = parl_player_of_script("", reliability)};
  if (def->style == NULL) seats.main = seats.subs = parl_player_of_chance();
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = def->env,
                                                    .config = parl_run_config_get_swarm(&f->config),
                                                    .seats = seats,
                                                    .n_slots = 4,
                                                    .workers = f->workers},
                                &f->rollout));
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(f->rollout));
  assert_ok(parl_trajectories_create(
      &(parl_trajectories_def){
          .n = n,
          .max_mains = def->record > 0 ? parl_episode_max_mains(&f->config.episode) : 0,
          .context = def->record,
          .max_subs = def->record > 0 ? 4 : 0,
          .sub_context = def->record,
          .n_words = (spec->n_tokens + 63) / 64,
          .stages = parl_episode_get_stage_limits(spec, &f->config.episode)},
      &f->set));
}

static void close_fixture(fixture *f) {
  parl_trajectories_destroy(f->set);
  parl_rollout_destroy(f->rollout);
  parl_workers_destroy(f->workers);
}

static void play(fixture *f, const char *style, size_t n) {
  parl_job *jobs = calloc(n, sizeof *jobs);
  assert_non_null(jobs);
  for (size_t i = 0; i < n; i++)
    jobs[i] = (parl_job){.task_seed = 77 + i,
                         .episode_seed = 1000 + i,
                         .seats = script_seats(style),
                         .temperature = 1,
                         .out = parl_trajectories_get(f->set, i)};
  assert_ok(parl_rollout_run(f->rollout, jobs, n, NULL));
  free(jobs);
}

/* Whatever is not a sum over stages is taken over, so all facts are compared. */
static void assert_recounted(const parl_trajectory *t) {
  parl_facts again = t->facts;
  again.critical_steps = again.total_steps = again.turns = again.launches = again.assigned = -1;
  again.finished = again.useful = again.duplicates = again.max_width = again.sub_steps = -1;
  again.sub_max_steps = again.empty_finishes = again.r_perf = -1;
  assert_ok(parl_stages_get_facts(&t->stages, &again));
#define X(name, unit, meaning)                                                     \
  if (!(isnan(t->facts.name) && isnan(again.name)) && t->facts.name != again.name) \
    fail_msg("%s: %g, by stages %g (task %llu)", #name, t->facts.name, again.name, \
             (unsigned long long)t->task_seed);
  PARL_FACT_LIST(X)
#undef X
}

/* Turns of choices go up to the episode's; those of a sub-agent are of its launch. */
static void assert_turns(const parl_trajectory *t) {
  int16_t last = 1;
  for (size_t m = 0; m < t->n_mains; m++)
    for (int32_t k = 0; k < t->mains[m].n_choices; k++) {
      assert_true(t->mains[m].turn[k] >= last);
      last = t->mains[m].turn[k];
    }
  assert_true(last <= (int16_t)t->facts.turns + 1); /* of a turn that was never completed */
  for (size_t i = 0; i < t->n_subs; i++)
    for (int32_t k = 0; k < t->subs[i].n_choices; k++)
      assert_true(t->stages.items[t->subs[i].turn[k] - 1].width > 0);
}

/* Terms in Lua that count again what facts say. */
static const char *const recounting =
    "{\"critical\":{\"lua\":\"local n = 0 for _, s in ipairs(stages) do local m = 0 for _, a in "
    "ipairs(s.subs) do m = math.max(m, a.steps) end n = n + s.main + m end return n\"},"
    "\"finish\":{\"weight\":{\"start\":0}},"
    "\"repeated\":{\"lua\":\"local n = 0 for _, s in ipairs(stages) do for _, a in "
    "ipairs(s.subs) do if a.duplicate then n = n + 1 end end end return n\"},"
    "\"widest\":{\"lua\":\"local n = 0 for _, s in ipairs(stages) do n = math.max(n, #s.subs, "
    "s.width) end return n\"}}";

static void assert_terms(parl_reward *reward, const parl_trajectory *t) {
  const parl_outcome outcome = parl_outcome_of(t);
  double out[PARL_N_TERMS + 3];
  assert_ok(parl_reward_group(reward, &(parl_group){.of = &outcome, .K = 1}, out));
  assert_close(out[PARL_N_TERMS], t->facts.critical_steps, 0);
  assert_close(out[PARL_N_TERMS + 1], t->facts.duplicates, 0);
  assert_close(out[PARL_N_TERMS + 2], t->facts.max_width, 0);
}

static double sum_assigned; /* over the episodes of a test */

static void recount(const play_def *def, size_t n) {
  fixture f;
  parl_test_table table;
  parl_reward *reward = NULL;
  open_fixture(&f, def, n);
  assert_ok(parl_test_read_terms(recounting, &table));
  assert_ok(parl_reward_create(&f.config.reward, table.table, &reward));
  play(&f, def->style, n);
  for (size_t i = 0; i < n; i++) {
    const parl_trajectory *t = parl_trajectories_get(f.set, i);
    assert_false(t->failed);
    assert_recounted(t);
    assert_terms(reward, t);
    assert_turns(t);
    sum_assigned += t->facts.assigned;
  }
  parl_reward_destroy(reward);
  parl_test_table_deinit(&table);
  close_fixture(&f);
}

static const char *const envs[] = {
    "envs/wide_search.lua", "envs/deep_search.lua", "envs/batch_download.lua",
    "envs/chain.lua",       "envs/dag.lua",         "envs/long_read.lua",
    "envs/lure.lua",        "envs/swarm_mix.lua",   COUNT_ENV};
enum { N_ENVS = sizeof envs / sizeof envs[0] };

static void test_random_play_everywhere(void **state) {
  (void)state;
  for (size_t i = 0; i < N_ENVS; i++)
    for (int v = 0; v < 4; v++) {
      sum_assigned = 0;
      recount(&(play_def){.env = envs[i],
                          .max_direct = v == 1 ? 3 : 1,
                          .budget_factor = v == 2 ? 1.5 : 0,
                          .use_legal = v != 3,
                          .use_mask = true,
                          .record = v == 3 ? 512 : 0},
              25);
      if (v == 0) assert_true(sum_assigned > 0);
    }
}

static void test_experts_everywhere(void **state) {
  (void)state;
  for (size_t i = 0; i < N_ENVS; i++) {
    parl_env *env = NULL;
    assert_ok(parl_env_create(envs[i], NULL, &(parl_env_options){0}, &env));
    const parl_env_spec *spec = parl_env_get_spec(env);
    for (int k = 0; k < spec->n_styles; k++)
      recount(&(play_def){.env = envs[i],
                          .style = spec->styles[k],
                          .max_direct = 1,
                          .budget_factor = k % 2 ? 1.6 : 0,
                          .use_legal = true,
                          .use_mask = true},
              6);
    parl_env_destroy(env);
  }
}

/* A context that is rewritten has room for more launches than it holds; a malformed call is a
 * turn. */
static void test_rewritten_and_malformed(void **state) {
  (void)state;
  for (int policy = PARL_CONTEXT_POLICY_NONE; policy <= PARL_CONTEXT_POLICY_DISCARD_ALL; policy++) {
    if (policy == PARL_CONTEXT_POLICY_SUMMARY) continue; /* count.lua has none */
    for (int use_mask = 0; use_mask < 2; use_mask++)
      recount(&(play_def){.env = COUNT_ENV,
                          .policy = policy,
                          .max_direct = 2,
                          .use_mask = use_mask,
                          .record = 96},
              200);
  }
}

/* The episode that test_episode.c works by hand: create, launch 3 (1, 3, 2 steps), work, work,
 * finish. */
static void test_by_hand(void **state) {
  (void)state;
  fixture f;
  parl_text json = {0};
  open_fixture(
      &f,
      &(play_def){
          .env = COUNT_ENV, .style = "hand", .max_direct = 1, .use_mask = true, .reliability = 1},
      1);
  play(&f, "hand", 1);
  const parl_trajectory *t = parl_trajectories_get(f.set, 0);
  assert_ok(parl_stages_append_json(&t->stages, parl_rollout_get_env(f.rollout), &json));
  assert_string_equal(
      parl_text_get(&json),
      "[{\"main\":1,\"r_perf\":0},{\"main\":1,\"r_perf\":0.75,\"subs\":["
      "{\"steps\":1,\"role\":\"worker\",\"task\":\"number:1\",\"finished\":1,\"useful\":1},"
      "{\"steps\":3,\"role\":\"worker\",\"task\":\"number:3\",\"finished\":1,\"useful\":1},"
      "{\"steps\":2,\"role\":\"worker\",\"task\":\"number:2\",\"finished\":1,\"useful\":1}]},"
      "{\"main\":1,\"r_perf\":0.75},{\"main\":1,\"r_perf\":0.75},{\"main\":0,\"r_perf\":0.75}]");
  parl_text_deinit(&json);
  close_fixture(&f);
}

/* The same episode without one of its sub-agents, and without the launch: as the replays of
 * tests/test_replay.c come out, but by formula. Of two with one task the second is a duplicate only
 * while the first is there. */
static void test_without_by_hand(void **state) {
  (void)state;
  static const double due[4][5] = {/* r_perf, critical, total, assigned, turns */
                                   {0, 3, 3, 0, 4},
                                   {0.5, 7, 9, 2, 5},
                                   {0.5, 6, 7, 2, 5},
                                   {0.5, 7, 8, 2, 5}};
  fixture f;
  open_fixture(&f,
               &(play_def){.env = COUNT_ENV,
                           .style = "hand",
                           .max_direct = 1,
                           .use_mask = true,
                           .reliability = 1,
                           .record = 96},
               2);
  play(&f, "hand", 1);
  const parl_trajectory *t = parl_trajectories_get(f.set, 0);
  parl_stages *to = &parl_trajectories_get(f.set, 1)->stages;
  for (int sub = -1; sub < 3; sub++) {
    parl_facts facts = t->facts;
    parl_stages_copy_without(&t->stages, 1, sub, to);
    assert_ok(parl_stages_get_facts(to, &facts));
    const double got[5] = {facts.r_perf, facts.critical_steps, facts.total_steps, facts.assigned,
                           facts.turns};
    for (int i = 0; i < 5; i++) assert_true(got[i] == due[sub + 1][i]);
    assert_true(to->items[1].r_perf == (sub < 0 ? 0 : 0.5)); /* right after the launch, too */
  }
  parl_stages *s = &parl_trajectories_get(f.set, 0)->stages;
  for (int i = 0; i < 3; i++) s->subs[i].duplicate = i == 2;
  s->tokens[s->subs[2].first_token] = s->tokens[s->subs[0].first_token];
  for (int sub = 0; sub < 3; sub++) {
    parl_stages_copy_without(s, 1, sub, to);
    assert_int_equal(to->subs[1].duplicate, sub == 1);
  }
  const parl_stages first = parl_stages_get_first(s, 1);
  assert_true(first.n == 1 && first.n_subs == 0 && parl_stages_get_first(s, 2).n_subs == 3);
  close_fixture(&f);
}

/* A task for which there is no room is cut, and says so. */
static void test_cut_task(void **state) {
  (void)state;
  parl_env *env = NULL;
  int16_t tokens[3];
  parl_sub_record subs[2];
  parl_stage_record items[1];
  parl_text json = {0};
  parl_stages s = {.most = {1, 2, 3}, .items = items, .subs = subs, .tokens = tokens};
  const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 2, .values = {4, 2}};
  assert_ok(parl_env_create(COUNT_ENV, NULL, &(parl_env_options){0}, &env));
  parl_stages_begin(&s, 0);
  for (int i = 0; i < 2; i++) parl_stages_add_sub(&s, parl_env_get_spec(env), 0, &task, i > 0);
  assert_ok(parl_stages_append_json(&s, env, &json));
  assert_string_equal(
      parl_text_get(&json),
      "[{\"main\":0,\"r_perf\":0,\"subs\":["
      "{\"steps\":0,\"role\":\"worker\",\"task\":\"number:4 number:2\"},"
      "{\"steps\":0,\"role\":\"worker\",\"task\":\"number:4 ...\",\"duplicate\":1}]}]");
  parl_text_deinit(&json);
  parl_env_destroy(env);
}

/* Where nothing is wanted, nothing is kept or allocated. */
static void test_not_wanted(void **state) {
  (void)state;
  parl_trajectories *set = NULL;
  assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = 1}, &set));
  parl_stages *s = &parl_trajectories_get(set, 0)->stages;
  parl_stages_begin(s, 1);
  parl_stages_spend(s, &(parl_stage){.main_steps = 1});
  parl_stages_deliver(s, 0, true, 1);
  parl_stages_end(s, 1);
  assert_true(s->n == 0 && s->items == NULL && s->subs == NULL && s->tokens == NULL);
  parl_trajectories_destroy(set);
}

/* A weight for every choice lands beside it; one for all is the same as many equal ones. */
static void test_weights_of_choices(void **state) {
  (void)state;
  fixture f;
  parl_batch *each = NULL, *all = NULL;
  open_fixture(&f, &(play_def){.env = COUNT_ENV, .max_direct = 1, .use_mask = true, .record = 96},
               4);
  play(&f, NULL, 4);
  assert_ok(parl_batch_create(4, 96, 0, 96, 1, &each));
  assert_ok(parl_batch_create(4, 96, 0, 96, 1, &all));
  parl_batch_reset(each);
  parl_batch_reset(all);
  for (size_t i = 0; i < 4; i++) {
    const parl_sequence *s = &parl_trajectories_get(f.set, i)->mains[0];
    float weights[96], same[96];
    for (int32_t k = 0; k < s->n_choices; k++) {
      weights[k] = (float)s->turn[k] + 0.25f * (float)i;
      same[k] = 0.3f;
    }
    const size_t first = each->n_outputs;
    parl_batch_add(each, s, i, weights);
    for (int32_t k = 0; k < s->n_choices; k++)
      assert_true(each->weight[first + (size_t)k] == weights[k]);
    parl_batch_add(all, s, i, same);
  }
  assert_int_equal(each->n_outputs, all->n_outputs);
  assert_true(each->n_outputs > 20);
  for (size_t i = 0; i < all->n_outputs; i++) assert_true(all->weight[i] == 0.3f);
  parl_batch_reset(each);
  for (size_t i = 0; i < 4; i++)
    parl_batch_add_uniform(each, &parl_trajectories_get(f.set, i)->mains[0], i, 0.3f);
  assert_memory_equal(each->weight, all->weight, all->n_outputs * sizeof *all->weight);
  assert_memory_equal(each->outputs, all->outputs, all->n_outputs * sizeof *all->outputs);
  assert_memory_equal(each->targets, all->targets, all->n_outputs * sizeof *all->targets);
  parl_batch_destroy(each);
  parl_batch_destroy(all);
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_play_everywhere),
      cmocka_unit_test(test_experts_everywhere),
      cmocka_unit_test(test_rewritten_and_malformed),
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_without_by_hand),
      cmocka_unit_test(test_cut_task),
      cmocka_unit_test(test_not_wanted),
      cmocka_unit_test(test_weights_of_choices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
