/* tests/test_credit.c - credit by hand: a sub-agent of the wrong role, turns, the cheap estimate
 * against the episodes played. */
#include "parl/learn/credit.h"
#include "tests/rollout_support.h"
#include "tests/terms_support.h"

#define ROLES_ENV "tests/envs/roles.lua"
enum { MOST = 64, CONTEXT = 160, N_TERMS = PARL_N_TERMS };

typedef struct fixture {
  parl_run_config config;
  parl_workers *workers;
  parl_rollout *rollout;
  parl_trajectories *set;
  parl_reward *reward;
  parl_credit *credit;
  parl_job jobs[MOST];
  size_t kept[MOST], n;
  double terms[MOST * N_TERMS], weights[N_TERMS], advantage[MOST];
  parl_metrics metrics;
} fixture;

static void open_fixture(fixture *f, int credit, size_t n) {
  *f = (fixture){.config = count_config(), .n = n, .weights = {0, 0, 1, 0}};
  f->config.objective.credit = credit;
  assert_ok(parl_workers_create(1, &f->workers));
}

/* What is set in f->config by now counts. Orchestrators of style NULL play by chance. */
static void play(fixture *f, const char *env, const char *const *styles, double reliability) {
  const parl_swarm_config swarm = parl_run_config_get_swarm(&f->config);
  const bool by_chance = styles == NULL;
  assert_ok(parl_rollout_create(
      &(parl_rollout_def){.env_path = env,
                          .config = swarm,
                          .seats = {.main = by_chance ? parl_player_of_chance() : (parl_player){0},
                                    .subs = parl_player_of_script("", reliability)},
                          .n_slots = 4,
                          .workers = f->workers},
      &f->rollout));
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(f->rollout));
  parl_trajectories_def def = {.n = f->n,
                               .max_mains = 1,
                               .context = spec->limits.context,
                               .n_words = (spec->n_tokens + 63) / 64};
  parl_credit_ask(&f->config.objective, spec, &f->config.episode, &def);
  assert_ok(parl_trajectories_create(&def, &f->set));
  for (size_t i = 0; i < f->n; i++) {
    f->kept[i] = i;
    f->jobs[i] = (parl_job){.task_seed = 5 + i / 2,
                            .episode_seed = 900 + i,
                            .seats = styles == NULL ? NULL : script_seats(styles[i % 2]),
                            .out = parl_trajectories_get(f->set, i)};
  }
  assert_ok(parl_rollout_run(f->rollout, f->jobs, f->n, NULL));
  assert_ok(parl_reward_create(&f->config.reward, parl_test_built_in(), &f->reward));
}

/* Groups of two. */
static void assign(fixture *f) {
  parl_outcome outcomes[2];
  for (size_t i = 0; i < f->n; i += 2) {
    for (size_t k = 0; k < 2; k++) outcomes[k] = parl_outcome_of(f->jobs[i + k].out);
    assert_ok(parl_reward_group(f->reward, &(parl_group){.of = outcomes, .K = 2},
                                &f->terms[i * N_TERMS]));
  }
  const parl_credit_batch batch = {.of = {.table = parl_test_built_in(),
                                          .n_groups = f->n / 2,
                                          .K = 2,
                                          .terms = f->terms,
                                          .weights = f->weights},
                                   .jobs = f->jobs,
                                   .kept = f->kept,
                                   .advantage = f->advantage};
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(f->rollout));
  assert_ok(parl_credit_create(&(parl_credit_def){.objective = &f->config.objective,
                                                  .episode = &f->config.episode,
                                                  .cost = &f->config.cost,
                                                  .spec = spec,
                                                  .reward = f->reward,
                                                  .rollout = f->rollout,
                                                  .n = f->n,
                                                  .group = 2,
                                                  .temperature = 1},
                               &f->credit));
  assert_ok(
      parl_advantage((parl_advantage_mode)f->config.objective.advantage, &batch.of, f->advantage));
  assert_ok(parl_credit_assign(f->credit, &batch, &f->metrics));
}

static void close_fixture(fixture *f) {
  parl_credit_destroy(f->credit);
  parl_reward_destroy(f->reward);
  parl_trajectories_destroy(f->set);
  parl_rollout_destroy(f->rollout);
  parl_workers_destroy(f->workers);
}

static const parl_stages *get_stages(const fixture *f, size_t i) {
  return &f->jobs[i].out->stages;
}

/* --- the wrong role --- */

/* roles, budget 9: creating takes 2, the launch 1 + max(1, 6), and nothing is left for the second
 * launch: tasks 1 and 2, r_perf .5. Without the wrong one the first launch takes 2, the second is
 * paid: tasks 1, 3, 4, r_perf .75. Without the right one: task 2, .25. Without both: tasks 3 and 4,
 * .5. So the wrong one has -.25, the right one +.25, the launch 0. Beside it, an episode that only
 * launched the right one would not matter: the group's advantage goes to all else. */
static void open_roles(fixture *f, int credit) {
  static const char *const styles[] = {"mixed", "mixed"};
  open_fixture(f, credit, 2);
  f->config.objective.credit_launch = PARL_CREDIT_LAUNCH_DIFFERENCE;
  f->config.episode.budget_steps = 9;
  play(f, ROLES_ENV, styles, 1);
  assert_true(f->jobs[0].out->facts.r_perf == 0.5);
  assert_int_equal(f->jobs[0].out->facts.end, PARL_END_BUDGET);
}

static void assert_roles(const fixture *f, const float *weights) {
  const parl_sequence *s = &f->jobs[0].out->mains[0];
  size_t n_right = 0, n_wrong = 0, n_first = 0;
  for (int32_t k = 0, n_assigned = 0; k < s->n_choices; k++) {
    const int32_t token = s->tokens[s->at[k]];
    if (s->turn[k] != 3) {
      assert_true(weights[k] == 0.125f);
      continue;
    }
    n_assigned += token == PARL_TOKEN_ASSIGN;
    if (n_assigned == 1 && token == PARL_TOKEN_ASSIGN) {
      assert_true(weights[k] == 0);
      n_first++;
    } else if (token == PARL_TOKEN_GO) {
      assert_true(weights[k] == 0);
    } else {
      assert_true(weights[k] == (n_assigned == 1 ? 0.25f : -0.25f));
      if (n_assigned == 1)
        n_right++;
      else
        n_wrong++;
    }
  }
  /* its name and its task; the second begins with a choice to assign once more */
  assert_true(n_first == 1 && n_right == 2 && n_wrong == 3);
}

static void test_a_wrong_role_by_playing(void **state) {
  (void)state;
  fixture f;
  float weights[CONTEXT];
  open_roles(&f, PARL_CREDIT_COUNTERFACTUAL);
  assign(&f);
  assert_true(parl_credit_get_launch(f.credit, 0, 2).r_perf == 0);
  assert_true(parl_credit_get_sub(f.credit, 0, 2, 0).r_perf == 0.25);
  assert_true(parl_credit_get_sub(f.credit, 0, 2, 1).r_perf == -0.25);
  assert_true(isnan(parl_credit_get_launch(f.credit, 0, 3).advantage)); /* was not paid */
  assert_true(f.metrics.rerolls == 6 && f.metrics.rerolls_failed == 0);
  /* without the launch 2 + 3, the right one 2 + 7, the wrong one 2 + 2 + 3 */
  assert_true(f.metrics.reroll_steps == 2 * (5 + 9 + 7));
  assert_true(f.metrics.spurious_launches == 1 && f.metrics.useless_subs == 0);
  f.advantage[0] = 0.125; /* of the episode */
  parl_credit_get_weights(f.credit, 0, &f.jobs[0].out->mains[0], weights);
  assert_roles(&f, weights);
  close_fixture(&f);
}

/* Where the budget pays for both launches, every assignment of both brought one task of four; the
 * choice to launch has its episode's advantage, 0, or what the launch made. */
static void test_two_launches(void **state) {
  (void)state;
  static const char *const styles[] = {"mixed", "mixed"};
  for (int launch = PARL_CREDIT_LAUNCH_EPISODE; launch <= PARL_CREDIT_LAUNCH_DIFFERENCE; launch++) {
    fixture f;
    float weights[CONTEXT];
    open_fixture(&f, PARL_CREDIT_COUNTERFACTUAL, 2);
    f.config.objective.credit_launch = launch;
    f.config.episode.budget_steps = 20;
    play(&f, ROLES_ENV, styles, 1);
    assign(&f);
    const parl_sequence *s = &f.jobs[0].out->mains[0];
    parl_credit_get_weights(f.credit, 0, s, weights);
    for (int32_t k = 0; k < s->n_choices; k++) {
      const bool is_first = k == 0 || s->turn[k - 1] != s->turn[k];
      double due = s->turn[k] < 3 || s->turn[k] > 4 ? 0 : 0.25;
      if (due > 0 && is_first) due = launch == PARL_CREDIT_LAUNCH_DIFFERENCE ? 0.5 : 0;
      if (s->tokens[s->at[k]] == PARL_TOKEN_GO) due = 0;
      assert_true(weights[k] == (float)due);
    }
    close_fixture(&f);
  }
}

/* Two re-rolls an episode: its launch, one assignment; the other has the episode's advantage. */
static void test_a_cap(void **state) {
  (void)state;
  fixture f;
  float weights[CONTEXT];
  open_roles(&f, PARL_CREDIT_COUNTERFACTUAL);
  f.config.objective.credit_rerolls = 2;
  assign(&f);
  assert_true(f.metrics.rerolls == 4);
  f.advantage[0] = 0.125;
  parl_credit_get_weights(f.credit, 0, &f.jobs[0].out->mains[0], weights);
  const bool is_first = !isnan(parl_credit_get_sub(f.credit, 0, 2, 0).advantage);
  assert_true(is_first == isnan(parl_credit_get_sub(f.credit, 0, 2, 1).advantage));
  const parl_sequence *s = &f.jobs[0].out->mains[0];
  for (int32_t k = 0, n_assigned = 0; k < s->n_choices; k++) {
    const int32_t token = s->tokens[s->at[k]];
    if (s->turn[k] != 3) continue;
    n_assigned += token == PARL_TOKEN_ASSIGN;
    if (token == PARL_TOKEN_GO || (n_assigned == 1 && token == PARL_TOKEN_ASSIGN)) continue;
    const float due = n_assigned == 1 ? 0.25f : -0.25f;
    assert_true(weights[k] == ((n_assigned == 1) == is_first ? due : 0.125f));
  }
  close_fixture(&f);
}

/* The stages know that the wrong one was the longest, not what the steps could have paid for: its
 * estimate is what it brought. */
static void test_a_wrong_role_by_stages(void **state) {
  (void)state;
  fixture f;
  open_roles(&f, PARL_CREDIT_LOO_STAGES);
  assign(&f);
  assert_true(parl_credit_get_sub(f.credit, 0, 2, 0).r_perf == 0.25);
  assert_true(parl_credit_get_sub(f.credit, 0, 2, 1).r_perf == 0.25);
  assert_true(parl_credit_get_launch(f.credit, 0, 2).r_perf == 0.5);
  assert_true(isnan(f.metrics.rerolls) || f.metrics.rerolls == 0);
  close_fixture(&f);
}

/* What time it would have taken is counted again as well. "hand" of count, on two slots, starts
 * of 0.5: sub-agents of 1, 3 and 2 steps are at 0.5-1.5, 1-4 and 1.5-3.5: the third finds the
 * first's slot just free. Without the second the third is at 1-3, so the group ends at 3 and not
 * at 4; without the launch 1 + 4 steps are saved. */
static void test_time_by_stages(void **state) {
  (void)state;
  static const char *const styles[] = {"hand", "hand"};
  const char *const facts[] = {"makespan", "budget_used", "queue_steps", "critical_steps"};
  const double sub[] = {1, 1, 0, 1}, launch[] = {5, 5, 0, 4};
  for (size_t i = 0; i < 4; i++) {
    fixture f;
    open_fixture(&f, PARL_CREDIT_LOO_STAGES, 2);
    f.config.cost = (parl_cost_config){.concurrency = 2, .spawn = 0.5};
    f.config.episode.budget_steps = 50;
    f.config.episode.budget_counts = PARL_BUDGET_MAKESPAN;
    f.config.reward.parallel = PARL_PARALLEL_LUA;
    snprintf(f.config.reward.parallel_lua, sizeof f.config.reward.parallel_lua, "%s", facts[i]);
    f.weights[PARL_TERM_parallel] = 1;
    f.weights[PARL_TERM_perf] = 0;
    play(&f, COUNT_ENV, styles, 1);
    assign(&f);
    assert_close(parl_credit_get_sub(f.credit, 0, 1, 1).reward, sub[i], 1e-12);
    assert_close(parl_credit_get_launch(f.credit, 0, 1).reward, launch[i], 1e-12);
    close_fixture(&f);
  }
}

/* --- values --- */

/* r_perf without value v of a sub-agent's task, by a replay of one's own. */
static double get_without_value(const fixture *f, size_t i, size_t stage, size_t sub, int v,
                                parl_trajectory *out) {
  const parl_trajectory *t = f->jobs[i].out;
  const parl_replay replay = {.recording = &t->recording,
                              .edit = PARL_EDIT_DROP_VALUE,
                              .turn = (int)stage + 1,
                              .sub = (int)sub,
                              .value = v};
  const parl_job job = {
      .task_seed = t->task_seed, .episode_seed = t->episode_seed, .replay = &replay, .out = out};
  assert_ok(parl_rollout_run(f->rollout, &job, 1, NULL));
  return out->facts.r_perf;
}

/* Of a task of several rows, each row behind the first has what it brought; the name and the first
 * row have what the assignment brought. */
static void test_values_of_a_task(void **state) {
  (void)state;
  fixture f;
  float weights[CONTEXT];
  parl_trajectories *one = NULL;
  size_t n_values = 0, n_other = 0;
  open_fixture(&f, PARL_CREDIT_COUNTERFACTUAL, MOST);
  play(&f, "envs/wide_search.lua", NULL, 1);
  assign(&f);
  assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = 1}, &one));
  for (size_t i = 0; i < f.n; i++) {
    const parl_sequence *s = &f.jobs[i].out->mains[0];
    const parl_stages *stages = get_stages(&f, i);
    parl_credit_get_weights(f.credit, i, s, weights);
    for (int32_t k = 0, begin = 0, sub = -1; k < s->n_choices; k++) {
      const size_t stage = (size_t)s->turn[k] - 1;
      if (k == 0 || s->turn[k - 1] != s->turn[k]) sub = -1;
      if (stage >= stages->n || stages->items[stage].width == 0) continue;
      for (int32_t at = sub < 0 ? s->at[k] : s->at[k - 1] + 1; at <= s->at[k]; at++) {
        if (s->tokens[at] != PARL_TOKEN_ASSIGN) continue;
        sub++;
        begin = at;
      }
      const int v = s->at[k] - begin - 2;
      if (v < 0 || s->tokens[s->at[k]] == PARL_TOKEN_GO) continue;
      const parl_credit_effect whole = parl_credit_get_sub(f.credit, i, stage, (size_t)sub);
      double due = whole.advantage;
      if (v > 0)
        due = f.jobs[i].out->facts.r_perf -
              get_without_value(&f, i, stage, (size_t)sub, v, parl_trajectories_get(one, 0));
      assert_true(weights[k] == (float)due);
      n_values += v > 0;
      n_other += v > 0 && due != whole.advantage;
    }
  }
  assert_true(n_values > 20 && n_other > 5);
  parl_trajectories_destroy(one);
  close_fixture(&f);
}

/* --- orders --- */

/* roles: one role does task 1, task 1 again and task 2. Leaving out either of the first two changes
 * nothing; over orders each made half of the task, in the written order the first all of it. The
 * same episode without any of them has nothing, so shares sum to its .5; the launch made them. */
static void test_two_on_one_task(void **state) {
  (void)state;
  static const char *const styles[] = {"twice", "twice"};
  static const struct {
    int credit, orders;
    double due[3], launch, rerolls;
  } cases[] = {{PARL_CREDIT_COUNTERFACTUAL, 2, {0, 0, 0.25}, 0.5, 4},
               {PARL_CREDIT_SHAPLEY, 2, {0.125, 0.125, 0.25}, 0.5, 5},
               {PARL_CREDIT_SHAPLEY, 0, {0.25, 0, 0.25}, 0.5, 3}};
  for (size_t v = 0; v < sizeof cases / sizeof cases[0]; v++) {
    fixture f;
    float weights[CONTEXT];
    open_fixture(&f, cases[v].credit, 2);
    f.config.objective.credit_orders = cases[v].orders;
    f.config.objective.credit_launch = PARL_CREDIT_LAUNCH_DIFFERENCE;
    play(&f, ROLES_ENV, styles, 1);
    assign(&f);
    for (size_t k = 0; k < 3; k++) {
      const parl_credit_effect e = parl_credit_get_sub(f.credit, 0, 1, k);
      assert_true(e.r_perf == cases[v].due[k] && e.advantage == e.r_perf && e.reward == e.r_perf);
    }
    assert_true(parl_credit_get_launch(f.credit, 0, 1).r_perf == cases[v].launch);
    assert_true(f.metrics.rerolls == 2 * cases[v].rerolls && f.metrics.rerolls_failed == 0);
    assert_true(f.metrics.useless_subs == (v == 0 ? 2.0 : v == 1 ? 0.0 : 1.0) / 3);
    const parl_sequence *s = &f.jobs[0].out->mains[0];
    parl_credit_get_weights(f.credit, 0, s, weights);
    for (int32_t k = 0, n_assigned = 0; k < s->n_choices; k++) {
      const int32_t token = s->tokens[s->at[k]];
      double due = s->turn[k] == 2 ? cases[v].due[n_assigned > 0 ? n_assigned - 1 : 0] : 0;
      if (s->turn[k] == 2 && token == PARL_TOKEN_ASSIGN) {
        due = n_assigned == 0 ? cases[v].launch : cases[v].due[n_assigned];
        n_assigned++;
      }
      assert_true(weights[k] == (float)(token == PARL_TOKEN_GO ? 0 : due));
    }
    close_fixture(&f);
  }
}

/* r_perf of an episode without any of its assignments. */
static double get_without_all(const fixture *f, size_t i, parl_trajectory *out) {
  static bool marks[1 << 16];
  const parl_trajectory *t = f->jobs[i].out;
  assert_true(t->recording.n <= sizeof marks);
  memset(marks, 0, sizeof marks);
  for (size_t k = 0; k < t->stages.n; k++)
    for (size_t sub = 0; sub < t->stages.items[k].width; sub++)
      parl_recording_mark(&t->recording, (int)k + 1, (int)sub, -1, marks);
  parl_recording_end_marks(&t->recording, marks);
  const parl_replay replay = {
      .recording = &t->recording, .edit = PARL_EDIT_DROP_TOKENS, .dropped = marks};
  const parl_job job = {
      .task_seed = t->task_seed, .episode_seed = t->episode_seed, .replay = &replay, .out = out};
  assert_ok(parl_rollout_run(f->rollout, &job, 1, NULL));
  assert_true(out->facts.assigned == 0 && out->facts.launches == 0);
  return out->facts.r_perf;
}

/* Random play, unreliable sub-agents, any orders and caps: launches sum to what all made. Two of a
 * launch with the same task and the same luck have the same over many orders. */
static void test_shares_sum_to_all(void **state) {
  (void)state;
  static const struct {
    const char *env;
    int orders, rerolls;
    double reliability;
  } cases[] = {{"envs/wide_search.lua", 2, 0, 0.7},
               {"envs/wide_search.lua", 0, 4, 1},
               {"envs/dag.lua", 3, 6, 1}};
  for (size_t v = 0; v < sizeof cases / sizeof cases[0]; v++) {
    fixture f;
    parl_trajectories *one = NULL;
    size_t n_seen = 0, n_most = 0;
    open_fixture(&f, PARL_CREDIT_SHAPLEY, MOST / 2);
    f.config.objective.credit_orders = cases[v].orders;
    f.config.objective.credit_rerolls = cases[v].rerolls;
    play(&f, cases[v].env, NULL, cases[v].reliability);
    assign(&f);
    assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = 1}, &one));
    for (size_t i = 0; i < f.n; i++) {
      double sum = 0;
      bool is_any = false;
      for (size_t t = 0; t < get_stages(&f, i)->n; t++) {
        if (get_stages(&f, i)->items[t].width == 0) continue;
        sum += parl_credit_get_launch(f.credit, i, t).r_perf;
        is_any = true;
      }
      n_most += cases[v].rerolls > 0 ? (size_t)cases[v].rerolls : 0;
      if (!is_any) continue;
      const double none = get_without_all(&f, i, parl_trajectories_get(one, 0));
      assert_close(sum, f.jobs[i].out->facts.r_perf - none, 1e-12);
      n_seen += fabs(sum) > 0.01;
    }
    assert_true(n_seen > 5 && (n_most == 0 || f.metrics.rerolls <= (double)n_most));
    parl_trajectories_destroy(one);
    close_fixture(&f);
  }
}

/* --- turns --- */

/* count: "hand" has r_perf 0 .75 .75 .75 .75 after its turns, "serial" .25 after turn 1, .5 after
 * 3, .75 after 6, 1 after 10. So G is .75 .75 0 0 0 and 0 beyond, and 1 .75 .75 .5 .5 .5 .25 .25
 * .25 .25 0; the advantage is half their difference, twice as much with loo. */
static void test_turns_by_hand(void **state) {
  (void)state;
  static const char *const styles[] = {"hand", "serial"};
  static const double hand[11] = {0.75, 0.75};
  static const double serial[11] = {1, 0.75, 0.75, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0};
  for (int mode = PARL_ADVANTAGE_NONE; mode < PARL_N_ADVANTAGES; mode++) {
    const bool is_loo = mode == PARL_ADVANTAGE_LOO;
    fixture f;
    float weights[CONTEXT];
    if (mode != PARL_ADVANTAGE_NONE && mode != PARL_ADVANTAGE_MEAN && !is_loo) continue;
    open_fixture(&f, PARL_CREDIT_TURN, 2);
    f.config.objective.advantage = mode;
    play(&f, COUNT_ENV, styles, 1);
    assign(&f);
    for (size_t t = 0; t < 11; t++) {
      const double half = (hand[t] - serial[t]) / 2 * (is_loo ? 2 : 1);
      const bool is_none = mode == PARL_ADVANTAGE_NONE;
      assert_close(parl_credit_get_turn(f.credit, 0, t), is_none ? hand[t] : half, 1e-15);
      assert_close(parl_credit_get_turn(f.credit, 1, t), is_none ? serial[t] : -half, 1e-15);
    }
    const parl_sequence *s = &f.jobs[1].out->mains[0];
    parl_credit_get_weights(f.credit, 1, s, weights);
    for (int32_t k = 0; k < s->n_choices; k++)
      assert_true(weights[k] == (float)parl_credit_get_turn(f.credit, 1, (size_t)s->turn[k] - 1));
    assert_true(isnan(f.metrics.rerolls) || f.metrics.rerolls == 0);
    close_fixture(&f);
  }
}

/* The first turn has the whole: the advantage of the episode, of all terms; and a shaped term goes
 * to the turn that made it: after the launch nothing of r_parallel is to come. */
static void test_turns_of_shaped_terms(void **state) {
  (void)state;
  static const char *const styles[] = {"hand", "serial"};
  fixture f;
  open_fixture(&f, PARL_CREDIT_TURN, 2);
  f.weights[PARL_TERM_parallel] = 0.5;
  f.weights[PARL_TERM_finish] = 0.25;
  f.weights[PARL_TERM_early] = 1;
  f.config.episode.budget_steps = 40;
  play(&f, COUNT_ENV, styles, 1);
  assign(&f);
  for (size_t i = 0; i < 2; i++)
    assert_close(parl_credit_get_turn(f.credit, i, 0), f.advantage[i], 1e-15);
  /* r_early is told by no stage: it stays with the whole of "serial", which was solved with 30 of
   * 40 steps left. Turn 2 of hand has .5 * 3 / 12 and .25 beside r_perf, turn 3 nothing. */
  assert_close(parl_credit_get_turn(f.credit, 0, 1), (0.75 + 0.125 + 0.25 - 0.75 - 0.75) / 2,
               1e-15);
  assert_close(parl_credit_get_turn(f.credit, 0, 2), (0 - 0.75 - 0.75) / 2, 1e-15);
  close_fixture(&f);
}

/* --- the cheap estimate --- */

/* Wide search by chance, rewarded by r_parallel and r_finish. The estimate is exact for the last
 * launch of an episode: its sub-agents see nothing of each other, and what follows costs what it
 * cost. Before, an earlier assignment may do the work of a later one: there the two differ. r_perf,
 * a ratio of cells, is no sum of what messages gained. */
static void test_stages_against_playing(void **state) {
  (void)state;
  static parl_credit_effect played[MOST][MOST][16], launches[MOST][MOST];
  size_t n_same = 0, n_perf_same = 0, n_perf_other = 0;
  for (int perf = 0; perf < 2; perf++) {
    fixture f;
    open_fixture(&f, PARL_CREDIT_COUNTERFACTUAL, MOST);
    f.config.reward.parallel = PARL_PARALLEL_OVERLAP;
    if (perf == 0) f.weights[PARL_TERM_parallel] = f.weights[PARL_TERM_finish] = 1;
    if (perf == 0) f.weights[PARL_TERM_perf] = 0;
    play(&f, "envs/wide_search.lua", NULL, 0.7);
    assign(&f);
    for (size_t i = 0; i < f.n; i++)
      for (size_t t = 0; t < get_stages(&f, i)->n && t < MOST; t++) {
        launches[i][t] = parl_credit_get_launch(f.credit, i, t);
        for (size_t k = 0; k < get_stages(&f, i)->items[t].width; k++)
          played[i][t][k] = parl_credit_get_sub(f.credit, i, t, k);
      }
    parl_credit_destroy(f.credit);
    f.config.objective.credit = PARL_CREDIT_LOO_STAGES;
    assign(&f);
    for (size_t i = 0; i < f.n; i++) {
      const parl_stages *s = get_stages(&f, i);
      size_t t = s->n;
      while (t > 0 && s->items[t - 1].width == 0) t--;
      if (t-- == 0 || t >= MOST || f.jobs[i].out->facts.end == PARL_END_CONTEXT) continue;
      if (perf == 0)
        assert_close(parl_credit_get_launch(f.credit, i, t).reward, launches[i][t].reward, 1e-12);
      for (size_t k = 0; k < s->items[t].width; k++) {
        const double estimate = parl_credit_get_sub(f.credit, i, t, k).reward;
        const bool is_same = fabs(estimate - played[i][t][k].reward) < 1e-12;
        if (perf == 0) assert_true(is_same);
        n_same += perf == 0;
        n_perf_same += perf == 1 && is_same;
        n_perf_other += perf == 1 && !is_same;
      }
    }
    close_fixture(&f);
  }
  assert_true(n_same > 50 && n_perf_same > 10 && n_perf_other > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_wrong_role_by_playing),
      cmocka_unit_test(test_two_launches),
      cmocka_unit_test(test_a_cap),
      cmocka_unit_test(test_two_on_one_task),
      cmocka_unit_test(test_shares_sum_to_all),
      cmocka_unit_test(test_a_wrong_role_by_stages),
      cmocka_unit_test(test_time_by_stages),
      cmocka_unit_test(test_values_of_a_task),
      cmocka_unit_test(test_turns_by_hand),
      cmocka_unit_test(test_turns_of_shaped_terms),
      cmocka_unit_test(test_stages_against_playing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
