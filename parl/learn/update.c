/* parl/learn/update.c - one update: rollouts, reward terms, advantage, objective, metrics. */
#include "parl/learn/update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/seeds.h"
#include "parl/learn/step_sums.h"
#include "parl/run/trainer_internal.h"
#include "parl/swarm/context_policy.h"
#include "parl/swarm/means.h"

#define SECTION_TYPE_ parl_train_config
PARL_CONFIG_SECTION(parl_train_section, "train", "reinforcement learning", PARL_TRAIN_FIELDS);
#undef SECTION_TYPE_

/* The table of terms and what has one item a term. */
static parl_status prepare_terms(parl_trainer *t) {
  const parl_run_config *c = t->config;
  PARL_TRY(parl_term_table_create(c->weights, c->own_terms, &t->table));
  PARL_TRY(parl_metric_table_create(t->table, &t->metric_table));
  PARL_TRY(parl_reward_create(&c->reward, t->table, &t->reward));
  t->schedules = calloc(t->table->n, sizeof *t->schedules);
  t->weights = calloc(t->table->n, sizeof *t->weights);
  t->states = calloc(t->table->n, sizeof *t->states);
  if (!t->schedules || !t->weights || !t->states)
    return parl_fail(PARL_STATUS_ENOMEM, "trainer: no memory for %zu terms", t->table->n);
  for (size_t i = 0; i < t->table->n; i++)
    PARL_TRY(parl_fail_context(
        parl_schedule_create(t->table->rows[i].config, c->train.updates, &t->schedules[i]), "%s",
        t->table->rows[i].weight));
  return PARL_STATUS_OK;
}

static parl_status allocate(parl_trainer *t, const parl_env_spec *spec) {
  t->n = (size_t)(t->config->train.tasks * t->config->train.group);
  t->jobs = calloc(t->n, sizeof *t->jobs);
  t->terms = calloc(t->n * t->table->n, sizeof *t->terms);
  t->outcomes = calloc((size_t)t->config->train.group, sizeof *t->outcomes);
  t->kept = calloc(t->n, sizeof *t->kept);
  t->advantage = calloc(t->n, sizeof *t->advantage);
  if (!t->jobs || !t->terms || !t->outcomes || !t->kept || !t->advantage)
    return parl_fail(PARL_STATUS_ENOMEM, "trainer: no memory for %zu episodes", t->n);
  const bool is_stored = t->config->train.store_episodes != PARL_STORE_EPISODES_NONE;
  parl_trajectories_def def = {.n = t->n,
                               .max_mains = parl_episode_max_mains(&t->config->episode),
                               .context = spec->limits.context,
                               .n_words = (spec->n_tokens + 63) / 64,
                               .keep_scores = is_stored || parl_reward_wants_scores(t->reward)};
  if (is_stored) def.stages = parl_episode_get_stage_limits(spec, &t->config->episode);
  return parl_trajectories_create(&def, &t->set);
}

static parl_status create_learner(parl_trainer *t, const parl_env_spec *spec) {
  const parl_run_config *c = t->config;
  parl_learner_def def = parl_learner_def_default();
  def.model = t->model;
  def.workers = t->workers;
  def.optimizer = &c->optimizer;
  def.objective = &c->objective;
  def.n_leaves = (size_t)c->train.accumulators;
  def.slice_rows = (size_t)c->train.slice_rows;
  def.max_sequences = t->n * parl_episode_max_mains(&c->episode);
  def.longest = (size_t)spec->limits.context;
  def.n_words = (size_t)(spec->n_tokens + 63) / 64;
  def.temperature = c->train.temperature;
  def.stop = t->host->stop;
  return parl_learner_create(&def, &t->learner);
}

parl_status parl_trainer_prepare(parl_trainer *t) {
  const parl_run_config *c = t->config;
  const parl_env_spec *spec = parl_env_get_spec(t->env);
  PARL_TRY(prepare_terms(t));
  PARL_TRY(parl_fail_sizes(allocate(t, spec),
                           "train.tasks * train.group = %lld episodes with limits.context = %d",
                           (long long)(c->train.tasks * c->train.group), spec->limits.context));
  parl_metrics_set_undefined(&t->metrics);
  parl_rollout_def rollout = parl_run_get_rollout(t->run, t->host->scripts, t->workers);
  parl_run_seat_models(t->run, t->model, t->sub_policy, &rollout);
  rollout.n_jobs = t->n;
  PARL_TRY(parl_rollout_create(&rollout, &t->rollout));
  return parl_fail_sizes(create_learner(t, spec),
                         "train.accumulators = %lld, train.slice_rows = %lld and "
                         "train.tasks * train.group = %zu episodes with limits.context = %d",
                         (long long)c->train.accumulators, (long long)c->train.slice_rows, t->n,
                         spec->limits.context);
}

static parl_status roll_out(parl_trainer *t) {
  const uint64_t seed = (uint64_t)t->config->run.seed, u = (uint64_t)t->update;
  const size_t K = (size_t)t->config->train.group;
  for (size_t i = 0; i < t->n; i++)
    t->jobs[i] = (parl_job){.task_seed = parl_seed(seed, PARL_PURPOSE_TRAIN_TASK, u, i / K),
                            .episode_seed = parl_seed(seed, PARL_PURPOSE_TRAIN_EPISODE, u, i),
                            .temperature = t->config->train.temperature,
                            .part = PARL_PART_TRAIN,
                            .out = parl_trajectories_get(t->set, i)};
  parl_rollout_counts counts;
  const double start = parl_clock_s();
  PARL_TRY(parl_rollout_run(t->rollout, t->jobs, t->n, &counts));
  parl_failures_add(&t->failures, t->rollout);
  t->metrics.rollout_s = parl_clock_s() - start;
  t->metrics.decode_s = counts.decode_s;
  t->metrics.script_s = counts.script_s;
  t->metrics.decode_tokens = (double)counts.decoded_tokens;
  t->metrics.reused_tokens = (double)counts.reused_tokens;
  return PARL_STATUS_OK;
}

/* Raw terms of the rollouts [K] of group g, the n-th to be kept. */
static parl_status get_group_terms(parl_trainer *t, size_t g, size_t n) {
  const size_t K = (size_t)t->config->train.group;
  for (size_t k = 0; k < K; k++) {
    t->kept[n * K + k] = g * K + k;
    t->outcomes[k] = parl_outcome_of(t->jobs[g * K + k].out);
  }
  const parl_group group = {.of = t->outcomes, .K = K, .update = t->update};
  return parl_fail_context(parl_reward_group(t->reward, &group, &t->terms[n * K * t->table->n]),
                           "update %lld, task seed %llu", (long long)t->update,
                           (unsigned long long)t->jobs[g * K].task_seed);
}

/* Raw terms of every episode; a group with a failed episode is dropped whole. */
static parl_status get_terms(parl_trainer *t, size_t *n_groups, size_t *n_failed) {
  const size_t K = (size_t)t->config->train.group;
  size_t n = 0;
  *n_failed = 0;
  for (size_t g = 0; g < t->n / K; g++) {
    size_t failed = 0;
    for (size_t k = 0; k < K; k++) failed += t->jobs[g * K + k].out->failed;
    *n_failed += failed;
    if (failed == 0) PARL_TRY(get_group_terms(t, g, n++));
  }
  *n_groups = n;
  return PARL_STATUS_OK;
}

static void measure_rewards(parl_trainer *t, size_t n) {
  parl_metrics *m = &t->metrics;
  for (size_t i = 0; i < t->table->n; i++) {
    parl_term_metrics *of = &m->of[i];
    for (size_t k = 0; k < n; k++) of->raw += t->terms[k * t->table->n + i] / (double)n;
    of->weighted = of->weight * of->raw;
    m->total += of->weighted;
  }
}

/* Metrics of groups "episode" and "end" are means over the groups that were kept. */
static void measure_episodes(parl_trainer *t, size_t n) {
  parl_mean_sums sums = {0};
  for (size_t i = 0; i < n; i++) parl_mean_sums_add(&sums, &t->jobs[t->kept[i]].out->facts, false);
  const parl_means means = parl_mean_sums_get(&sums);
#define COPY_reward(name)
#define COPY_advantage(name)
#define COPY_episode(name) t->metrics.name = means.name;
#define COPY_end(name) t->metrics.name = means.name;
#define COPY_objective(name)
#define COPY_optimizer(name)
#define COPY_attention(name)
#define COPY_experts(name)
#define COPY_time(name)
#define X(name, group, unit, meaning) COPY_##group(name)
  PARL_METRIC_LIST(X)
#undef X
}

static parl_status measure_advantage(parl_trainer *t, size_t n_groups) {
  parl_metrics *m = &t->metrics;
  const parl_advantage_mode mode = (parl_advantage_mode)t->config->objective.advantage;
  const parl_reward_batch batch = {.table = t->table,
                                   .n_groups = n_groups,
                                   .K = (size_t)t->config->train.group,
                                   .terms = t->terms,
                                   .weights = t->weights};
  parl_advantage_shares s;
  PARL_TRY(parl_advantage(mode, &batch, t->advantage));
  PARL_TRY(parl_advantage_get_shares(mode, &batch, &s));
  for (size_t i = 0; i < t->table->n; i++) m->of[i].share = s.share[i];
  m->zero_spread_perf = s.zero_spread_perf;
  m->zero_spread_total = s.zero_spread_total;
  m->mean_abs = s.mean_abs;
  m->mean_abs_shaped_only = s.mean_abs_shaped_only;
  return PARL_STATUS_OK;
}

static parl_status learn(parl_trainer *t, size_t n) {
  const double start = parl_clock_s();
  const size_t M = (size_t)t->config->train.minibatches, K = (size_t)t->config->train.group;
  parl_batch *batch = parl_learner_get_batch(t->learner);
  parl_step_sums sums = parl_step_sums_none();
  for (size_t b = 0; b < M; b++) {
    parl_batch_reset(batch);
    /* Strided, so that a minibatch holds rollouts of every group. */
    for (size_t i = b; i < n; i += M)
      parl_batch_add_mains(batch, t->jobs[t->kept[i]].out, i / K, (float)t->advantage[i]);
    parl_learner_info info;
    PARL_TRY(parl_learner_step(t->learner, &info));
    t->n_steps++;
    parl_step_sums_add(&sums, &info);
  }
  parl_step_sums_write(&sums, &t->metrics);
  t->metrics.learn_s = parl_clock_s() - start;
  return PARL_STATUS_OK;
}

/* Every group was dropped: nothing was measured but lambda and time. NaN is stored as NULL. */
static void forget(parl_trainer *t) {
  parl_metrics *m = &t->metrics;
  const double none = (double)NAN;
#define X(name, group, unit, meaning) \
  if (strcmp(#group, "time") != 0) m->name = none;
  PARL_METRIC_LIST(X)
#undef X
  for (size_t i = 0; i < t->table->n; i++)
    m->of[i] =
        (parl_term_metrics){.raw = none, .weighted = none, .weight = t->weights[i], .share = none};
}

parl_status parl_trainer_get_weights(parl_trainer *t, double *out) {
  const parl_metric_view before = parl_metrics_get_view(t->metric_table, &t->metrics);
  for (size_t i = 0; i < t->table->n; i++)
    PARL_TRY(parl_fail_context(parl_schedule_next(t->schedules[i], t->update, &before, &out[i]),
                               "%s", t->table->rows[i].weight));
  return PARL_STATUS_OK;
}

static parl_status update(parl_trainer *t) {
  PARL_TRY(parl_trainer_get_weights(t, t->weights));
  t->metrics = (parl_metrics){0};
  for (size_t i = 0; i < t->table->n; i++) t->metrics.of[i].weight = t->weights[i];
  PARL_TRY(roll_out(t));
  size_t n_groups, n_failed;
  PARL_TRY(get_terms(t, &n_groups, &n_failed));
  if (n_groups > 0) {
    const size_t n = n_groups * (size_t)t->config->train.group;
    measure_rewards(t, n);
    measure_episodes(t, n);
    PARL_TRY(measure_advantage(t, n_groups));
    PARL_TRY(learn(t, n));
  } else {
    forget(t);
  }
  t->metrics.end_error = (double)n_failed / (double)t->n;
  t->update++;
  return PARL_STATUS_OK;
}

/* An update that is stopped before its first optimizer step has changed nothing but the schedules,
 * which go back: it is as if it had not begun. */
parl_status parl_trainer_update(parl_trainer *t) {
  for (size_t i = 0; i < t->table->n; i++) t->states[i] = parl_schedule_get_state(t->schedules[i]);
  t->n_steps = 0;
  const parl_status s = update(t);
  for (size_t i = 0; s == PARL_STATUS_ESTOPPED && i < t->table->n; i++)
    parl_schedule_set_state(t->schedules[i], t->states[i]);
  return s;
}

void parl_trainer_free_terms(parl_trainer *t) {
  for (size_t i = 0; t->schedules != NULL && i < t->table->n; i++)
    parl_schedule_destroy(t->schedules[i]);
  parl_reward_destroy(t->reward);
  free(t->schedules);
  free(t->weights);
  free(t->states);
  free(t->terms);
  free(t->outcomes);
  free(t->kept);
  free(t->advantage);
  parl_metric_table_destroy(t->metric_table);
  parl_term_table_destroy(t->table);
}
