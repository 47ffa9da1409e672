/* parl/learn/update.c - one update: rollouts, reward terms, advantage, objective, metrics. */
#include "parl/learn/update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "parl/learn/step_sums.h"
#include "parl/run/trainer_internal.h"
#include "parl/swarm/context_policy.h"
#include "parl/swarm/means.h"
#include "parl/swarm/seeds.h"

#define SECTION_TYPE_ parl_train_config
PARL_CONFIG_SECTION(parl_train_section, "train", "reinforcement learning", PARL_TRAIN_FIELDS);
#undef SECTION_TYPE_

static parl_status allocate(parl_trainer *t, const parl_env_spec *spec) {
  t->n = (size_t)(t->config->train.tasks * t->config->train.group);
  t->jobs = calloc(t->n, sizeof *t->jobs);
  t->terms = calloc(t->n, sizeof *t->terms);
  t->kept = calloc(t->n, sizeof *t->kept);
  t->advantage = calloc(t->n, sizeof *t->advantage);
  if (!t->jobs || !t->terms || !t->kept || !t->advantage)
    return parl_fail(PARL_STATUS_ENOMEM, "trainer: no memory for %zu episodes", t->n);
  return parl_trajectories_create(
      &(parl_trajectories_def){.n = t->n,
                               .max_mains = parl_episode_max_mains(&t->config->episode),
                               .context = spec->limits.context,
                               .n_words = (spec->n_tokens + 63) / 64},
      &t->set);
}

parl_status parl_trainer_prepare(parl_trainer *t) {
  const parl_run_config *c = t->config;
  const parl_env_spec *spec = parl_env_get_spec(t->env);
  PARL_TRY(parl_fail_sizes(allocate(t, spec),
                           "train.tasks * train.group = %lld episodes with limits.context = %d",
                           (long long)(c->train.tasks * c->train.group), spec->limits.context));
  parl_metrics_set_undefined(&t->metrics);
  PARL_TRY(parl_reward_create(&c->reward, &t->reward));
  for (int i = 0; i < PARL_N_TERMS; i++) {
    const parl_schedule_config *schedule = parl_run_config_get_schedule(c, (parl_term)i);
    if (schedule != NULL)
      PARL_TRY(parl_schedule_create(schedule, c->train.updates, &t->schedules[i]));
  }
  parl_rollout_def rollout = parl_run_get_rollout(t->run, t->host->scripts, t->workers);
  rollout.policy = t->model;
  rollout.sub_policy = t->sub_policy;
  rollout.n_jobs = t->n;
  PARL_TRY(parl_rollout_create(&rollout, &t->rollout));
  const parl_status s = parl_learner_create(
      &(parl_learner_def){.model = t->model,
                          .workers = t->workers,
                          .optimizer = &c->optimizer,
                          .objective = &c->objective,
                          .n_leaves = (size_t)c->train.accumulators,
                          .slice_rows = (size_t)c->train.slice_rows,
                          .max_sequences = t->n * parl_episode_max_mains(&c->episode),
                          .longest = (size_t)spec->limits.context,
                          .n_words = (size_t)(spec->n_tokens + 63) / 64,
                          .temperature = c->train.temperature,
                          .stop = t->host->stop},
      &t->learner);
  return parl_fail_sizes(s,
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

/* Raw terms of every episode; a group with a failed episode is dropped whole. */
static parl_status get_terms(parl_trainer *t, size_t *n_groups, size_t *n_failed) {
  const size_t K = (size_t)t->config->train.group;
  size_t n = 0;
  *n_failed = 0;
  for (size_t g = 0; g < t->n / K; g++) {
    size_t failed = 0;
    for (size_t k = 0; k < K; k++) failed += t->jobs[g * K + k].out->failed;
    *n_failed += failed;
    if (failed > 0) continue;
    for (size_t k = 0; k < K; k++, n++) {
      t->kept[n] = g * K + k;
      PARL_TRY(parl_reward_get_terms(t->reward, &t->jobs[g * K + k].out->facts, &t->terms[n]));
    }
  }
  *n_groups = n / K;
  return PARL_STATUS_OK;
}

static void measure_rewards(parl_trainer *t, size_t n) {
  parl_metrics *m = &t->metrics;
  for (size_t i = 0; i < n; i++) {
#define ADD(X, term, ...) m->term += t->terms[i].term / (double)n;
    PARL_TERM_LIST(ADD, ADD, )
#undef ADD
  }
#define WEIGH(X, term, lambda, ...)         \
  m->weighted_##term = m->lambda * m->term; \
  m->total += m->weighted_##term;
#define KEEP(X, term) m->total += m->term;
  PARL_TERM_LIST(WEIGH, KEEP, )
#undef WEIGH
#undef KEEP
}

/* Metrics of groups "episode" and "end" are means over the groups that were kept. */
static void measure_episodes(parl_trainer *t, size_t n) {
  parl_mean_sums sums = {0};
  for (size_t i = 0; i < n; i++) parl_mean_sums_add(&sums, &t->jobs[t->kept[i]].out->facts, false);
  const parl_means means = parl_mean_sums_get(&sums);
#define COPY_reward(name)
#define COPY_lambda(name)
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

static parl_reward_terms get_weights(const parl_metrics *m) {
#define WEIGHT(X, term, lambda, ...) .term = m->lambda,
#define ONE(X, term_) .term_ = 1,
  return (parl_reward_terms){PARL_TERM_LIST(WEIGHT, ONE, )};
#undef WEIGHT
#undef ONE
}

static parl_status measure_advantage(parl_trainer *t, size_t n_groups) {
  parl_metrics *m = &t->metrics;
  const parl_advantage_mode mode = (parl_advantage_mode)t->config->objective.advantage;
  const size_t K = (size_t)t->config->train.group;
  parl_advantage_shares s;
  const parl_reward_terms weights = get_weights(m);
  PARL_TRY(parl_advantage(mode, t->terms, n_groups, K, &weights, t->advantage));
  PARL_TRY(parl_advantage_get_shares(mode, t->terms, n_groups, K, &weights, &s));
#define SHARE(X, term, ...) m->share_##term = s.share.term;
  PARL_TERM_LIST(SHARE, SHARE, )
#undef SHARE
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
static void forget(parl_metrics *m) {
#define X(name, group, unit, meaning) \
  if (strcmp(#group, "lambda") != 0 && strcmp(#group, "time") != 0) m->name = (double)NAN;
  PARL_METRIC_LIST(X)
#undef X
}

parl_status parl_trainer_get_weights(parl_trainer *t, parl_reward_terms *out) {
  const parl_metric_view before = parl_metrics_get_view(&t->metrics);
  for (int i = 0; i < PARL_N_TERMS; i++) {
    double weight = 1;
    if (t->schedules[i] != NULL)
      PARL_TRY(parl_fail_context(parl_schedule_next(t->schedules[i], t->update, &before, &weight),
                                 "%s", parl_term_lambdas[i]));
    parl_terms_put(out, i, weight);
  }
  return PARL_STATUS_OK;
}

static parl_status update(parl_trainer *t) {
  parl_reward_terms weights;
  PARL_TRY(parl_trainer_get_weights(t, &weights));
  t->metrics = (parl_metrics){0};
#define SET(X, term, lambda, ...) t->metrics.lambda = weights.term;
  PARL_TERM_LIST(SET, PARL_TERM_NONE_, )
#undef SET
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
    forget(&t->metrics);
  }
  t->metrics.end_error = (double)n_failed / (double)t->n;
  t->update++;
  return PARL_STATUS_OK;
}

/* An update that is stopped before its first optimizer step has changed nothing but the schedules,
 * which go back: it is as if it had not begun. */
parl_status parl_trainer_update(parl_trainer *t) {
  double states[PARL_N_TERMS];
  for (int i = 0; i < PARL_N_TERMS; i++)
    if (t->schedules[i] != NULL) states[i] = parl_schedule_get_state(t->schedules[i]);
  t->n_steps = 0;
  const parl_status s = update(t);
  for (int i = 0; s == PARL_STATUS_ESTOPPED && i < PARL_N_TERMS; i++)
    if (t->schedules[i] != NULL) parl_schedule_set_state(t->schedules[i], states[i]);
  return s;
}
