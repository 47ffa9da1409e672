/* parl/learn/update.c - one update: rollouts, reward terms, advantage, objective, metrics. */
#include "parl/learn/update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/energy.h"
#include "core/seeds.h"
#include "parl/learn/step_sums.h"
#include "parl/learn/sub_learning.h"
#include "parl/learn/update_internal.h"
#include "parl/reward/advantage.h"
#include "parl/swarm/context_policy.h"
#include "parl/swarm/means.h"

#define SECTION_TYPE_ parl_train_config
PARL_CONFIG_SECTION(parl_train_section, "train", "reinforcement learning", PARL_TRAIN_FIELDS);
#undef SECTION_TYPE_

/* The table of terms and what has one item a term. */
static parl_status prepare_terms(parl_updater *u) {
  const parl_updater_def *d = &u->def;
  PARL_TRY(parl_term_table_create(d->weights, d->own_terms, &u->table));
  PARL_TRY(parl_metric_table_create(u->table, &u->metric_table));
  PARL_TRY(parl_reward_create(d->reward, u->table, &u->reward));
  u->schedules = calloc(u->table->n, sizeof *u->schedules);
  u->weights = calloc(u->table->n, sizeof *u->weights);
  u->states = calloc(u->table->n, sizeof *u->states);
  if (!u->schedules || !u->weights || !u->states)
    return parl_fail(PARL_STATUS_ENOMEM, "update: no memory for %zu terms", u->table->n);
  for (size_t i = 0; i < u->table->n; i++)
    PARL_TRY(parl_fail_context(
        parl_schedule_create(u->table->rows[i].config, d->train->updates, &u->schedules[i]), "%s",
        u->table->rows[i].weight));
  return PARL_STATUS_OK;
}

static parl_status allocate(parl_updater *u) {
  const parl_env_spec *spec = u->def.spec;
  u->jobs = calloc(u->n, sizeof *u->jobs);
  if (u->def.train->async) u->next_jobs = calloc(u->n, sizeof *u->next_jobs);
  u->terms = calloc(u->n * u->table->n, sizeof *u->terms);
  u->outcomes = calloc((size_t)u->def.train->group, sizeof *u->outcomes);
  u->kept = calloc(u->n, sizeof *u->kept);
  u->advantage = calloc(u->n, sizeof *u->advantage);
  if (!u->jobs || (u->def.train->async && !u->next_jobs) || !u->terms || !u->outcomes || !u->kept ||
      !u->advantage)
    return parl_fail(PARL_STATUS_ENOMEM, "update: no memory for %zu episodes", u->n);
  const bool is_stored = u->def.train->store_episodes != PARL_STORE_EPISODES_NONE;
  parl_trajectories_def def = {.n = u->n,
                               .max_mains = parl_episode_max_mains(u->def.episode),
                               .context = spec->limits.context,
                               .n_words = (spec->n_tokens + 63) / 64,
                               .shows = spec->vision.width > 0,
                               .keep_scores = is_stored || parl_reward_wants_scores(u->reward)};
  if (is_stored || u->def.cost->slots > 0 || parl_reward_wants_stages(u->reward))
    def.stages = parl_episode_get_stage_limits(spec, u->def.episode);
  if (is_stored || u->def.train->partial > 0)
    def.recording = parl_episode_get_record_limit(spec, u->def.episode);
  parl_sub_learning_ask(u->def.seats, spec, u->def.episode, &def);
  parl_credit_ask(u->def.objective, spec, u->def.episode, &def);
  if (u->def.train->async) PARL_TRY(parl_trajectories_create(&def, &u->next_set));
  return parl_trajectories_create(&def, &u->set);
}

static parl_status create_carry(parl_updater *u) {
  const parl_train_config *c = u->def.train;
  if (c->partial == 0) return PARL_STATUS_OK;
  return parl_carry_create(
      &(parl_carry_def){.n_groups = (size_t)c->tasks,
                        .K = (size_t)c->group,
                        .recording = parl_episode_get_record_limit(u->def.spec, u->def.episode),
                        .quota = c->partial,
                        .seed = u->def.seed},
      &u->carry);
}

static parl_status create_slots(parl_updater *u) {
  const parl_updater_def *d = &u->def;
  if (d->cost->slots == 0) return PARL_STATUS_OK;
  const parl_slots_def def = parl_slots_get(d->cost);
  const parl_cost cost = parl_cost_get(d->cost);
  u->stages = calloc(u->n, sizeof *u->stages);
  if (u->stages == NULL) return parl_fail(PARL_STATUS_ENOMEM, "update: no memory");
  return parl_slots_create(&def, &cost, u->n, (size_t)d->spec->limits.max_width, &u->slots);
}

static parl_status create_room(parl_updater *u) {
  const size_t n = (size_t)u->def.train->tasks;
  u->room = (parl_ability_room){calloc(n, sizeof *u->room.looks), calloc(n, sizeof *u->room.tasks)};
  if (u->room.looks != NULL && u->room.tasks != NULL) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ENOMEM, "update: no memory for abilities");
}

static parl_status create_sampler(parl_updater *u) {
  const parl_train_config *c = u->def.train;
  PARL_TRY(parl_abilities_parse(c->abilities, &u->abilities));
  if (c->sampling == PARL_SAMPLING_UNIFORM && u->abilities.n == 0) return PARL_STATUS_OK;
  u->task_seeds = calloc((size_t)c->tasks, sizeof *u->task_seeds);
  if (u->task_seeds == NULL) return parl_fail(PARL_STATUS_ENOMEM, "update: no memory for seeds");
  if (u->abilities.n > 0) return create_room(u);
  return parl_task_sampler_create(
      &(parl_task_sampler_def){.sampling = (parl_sampling)c->sampling,
                               .n_tasks = (size_t)c->tasks,
                               .n_candidates = (size_t)c->candidates,
                               .end = c->curriculum_over * (double)c->updates,
                               .floor = c->priority_floor,
                               .window = c->priority_window,
                               .priority = (parl_priority)c->priority_of,
                               .seed = u->def.seed,
                               .rollout = u->def.rollout},
      &u->sampler);
}

static parl_status create_credit(parl_updater *u) {
  const parl_updater_def *d = &u->def;
  if (d->objective->credit == PARL_CREDIT_EPISODE) return PARL_STATUS_OK;
  u->choices = calloc((size_t)d->spec->limits.context, sizeof *u->choices);
  if (u->choices == NULL) return parl_fail(PARL_STATUS_ENOMEM, "update: no memory for choices");
  return parl_credit_create(&(parl_credit_def){.objective = d->objective,
                                               .episode = d->episode,
                                               .cost = d->cost,
                                               .spec = d->spec,
                                               .reward = u->reward,
                                               .rollout = d->rollout,
                                               .n = u->n,
                                               .group = (size_t)d->train->group,
                                               .temperature = d->train->temperature,
                                               .top_p = d->train->top_p},
                            &u->credit);
}

static parl_status create_learner(parl_updater *u) {
  const parl_updater_def *d = &u->def;
  parl_learner_def def = parl_learner_def_default();
  def.model = d->model;
  def.workers = d->workers;
  def.optimizer = d->optimizer;
  def.objective = d->objective;
  def.n_leaves = (size_t)d->train->accumulators;
  def.slice_rows = (size_t)d->train->slice_rows;
  const size_t n_subs = parl_sub_learning_count(d->seats, d->spec, d->episode);
  const parl_env_limits *limits = &d->spec->limits;
  const bool is_sub_longest = n_subs > 0 && limits->sub_context > limits->context;
  def.max_sequences = u->n * (parl_episode_max_mains(d->episode) + n_subs);
  def.longest = (size_t)(is_sub_longest ? limits->sub_context : limits->context);
  def.n_words = (size_t)(d->spec->n_tokens + 63) / 64;
  def.vision = d->spec->vision;
  def.temperature = d->train->temperature;
  def.stop = d->stop;
  return parl_learner_create(&def, &u->learner);
}

static parl_status create_gradients(parl_updater *u) {
  const parl_train_config *c = u->def.train;
  if (c->gradient_shares_every == 0 || u->credit != NULL) return PARL_STATUS_OK;
  return parl_gradient_shares_create(parl_model_get_n_params(u->def.model), (size_t)c->tasks,
                                     (size_t)c->group, u->table->n, &u->gradients);
}

static parl_status prepare(parl_updater *u) {
  const parl_train_config *c = u->def.train;
  PARL_TRY(prepare_terms(u));
  PARL_TRY(parl_fail_sizes(allocate(u),
                           "train.tasks * train.group = %zu episodes with limits.context = %d",
                           u->n, u->def.spec->limits.context));
  PARL_TRY(parl_fail_sizes(create_carry(u), "train.partial of %zu episodes", u->n));
  PARL_TRY(parl_fail_sizes(create_sampler(u), "train.candidates = %lld of train.tasks = %lld",
                           (long long)c->candidates, (long long)c->tasks));
  PARL_TRY(parl_fail_sizes(create_credit(u),
                           "objective.credit of train.tasks * train.group = %zu episodes", u->n));
  PARL_TRY(create_gradients(u));
  PARL_TRY(parl_fail_sizes(create_slots(u), "cost.slots = %lld and %zu episodes",
                           (long long)u->def.cost->slots, u->n));
  parl_metrics_set_undefined(&u->metrics);
  return parl_fail_sizes(create_learner(u),
                         "train.accumulators = %lld, train.slice_rows = %lld and "
                         "train.tasks * train.group = %zu episodes with limits.context = %d",
                         (long long)c->accumulators, (long long)c->slice_rows, u->n,
                         u->def.spec->limits.context);
}

parl_status parl_updater_create(const parl_updater_def *def, parl_updater **out) {
  parl_updater *u = calloc(1, sizeof *u);
  *out = NULL;
  if (u == NULL) return parl_fail(PARL_STATUS_ENOMEM, "update: no memory");
  u->def = *def;
  u->n = (size_t)(def->train->tasks * def->train->group);
  const parl_status s = prepare(u);
  if (s != PARL_STATUS_OK)
    parl_updater_destroy(u);
  else
    *out = u;
  return s;
}

void parl_updater_destroy(parl_updater *u) {
  if (u == NULL) return;
  parl_updater_abandon(u);
  for (size_t i = 0; u->schedules != NULL && i < u->table->n; i++)
    parl_schedule_destroy(u->schedules[i]);
  parl_learner_destroy(u->learner);
  parl_credit_destroy(u->credit);
  parl_carry_destroy(u->carry);
  parl_slots_destroy(u->slots);
  free(u->stages);
  parl_task_sampler_destroy(u->sampler);
  free(u->task_seeds);
  free(u->room.looks);
  free(u->room.tasks);
  parl_gradient_shares_destroy(u->gradients);
  free(u->choices);
  parl_trajectories_destroy(u->set);
  parl_trajectories_destroy(u->next_set);
  parl_reward_destroy(u->reward);
  free(u->schedules);
  free(u->weights);
  free(u->states);
  free(u->jobs);
  free(u->next_jobs);
  free(u->terms);
  free(u->outcomes);
  free(u->kept);
  free(u->advantage);
  parl_metric_table_destroy(u->metric_table);
  parl_term_table_destroy(u->table);
  free(u);
}

/* Raw terms of the rollouts [K] of group g, the n-th to be kept. */
static parl_status get_group_terms(parl_updater *u, size_t g, size_t n) {
  const size_t K = (size_t)u->def.train->group;
  for (size_t k = 0; k < K; k++) {
    u->kept[n * K + k] = g * K + k;
    u->outcomes[k] = parl_outcome_of(u->jobs[g * K + k].out);
  }
  const parl_group group = {.of = u->outcomes, .K = K, .update = u->update};
  return parl_fail_context(parl_reward_group(u->reward, &group, &u->terms[n * K * u->table->n]),
                           "update %lld, task seed %llu", (long long)u->update,
                           (unsigned long long)u->jobs[g * K].task_seed);
}

/* Raw terms of every episode; a group with a failed episode is dropped whole, one with an episode
 * that is not finished waits. */
static parl_status get_terms(parl_updater *u, size_t *n_groups, size_t *n_failed) {
  const size_t K = (size_t)u->def.train->group;
  size_t n = 0;
  *n_failed = 0;
  for (size_t g = 0; g < u->n / K; g++) {
    size_t failed = 0;
    for (size_t k = 0; k < K; k++) failed += u->jobs[g * K + k].out->failed;
    *n_failed += failed;
    const bool waits = u->carry != NULL && parl_carry_collect(u->carry, u->update, g, u->jobs);
    if (failed == 0 && !waits) PARL_TRY(get_group_terms(u, g, n++));
  }
  *n_groups = n;
  return PARL_STATUS_OK;
}

static void measure_rewards(parl_updater *u, size_t n) {
  parl_metrics *m = &u->metrics;
  for (size_t i = 0; i < u->table->n; i++) {
    parl_term_metrics *of = &m->of[i];
    for (size_t k = 0; k < n; k++) of->raw += u->terms[k * u->table->n + i] / (double)n;
    of->weighted = of->weight * of->raw;
    m->total += of->weighted;
  }
}

/* Metrics of groups "episode" and "end" are means over the groups that were kept. */
static void measure_episodes(parl_updater *u, size_t n) {
  parl_mean_sums sums = {0};
  for (size_t i = 0; i < n; i++) parl_mean_sums_add(&sums, &u->jobs[u->kept[i]].out->facts, false);
  const parl_means means = parl_mean_sums_get(&sums);
#define COPY_reward(name)
#define COPY_advantage(name)
#define COPY_episode(name) u->metrics.name = means.name;
#define COPY_end(name) u->metrics.name = means.name;
#define COPY_objective(name)
#define COPY_optimizer(name)
#define COPY_attention(name)
#define COPY_experts(name)
#define COPY_detector(name)
#define COPY_credit(name) u->metrics.name = (double)NAN;
#define COPY_slots(name) u->metrics.name = (double)NAN;
#define COPY_rollout(name)
#define COPY_agents(name)
#define COPY_tasks(name)
#define COPY_time(name)
#define X(name, group, unit, meaning) COPY_##group(name)
  PARL_METRIC_LIST(X)
#undef X
}

/* Of sub-agents that learn; NaN where nobody does. */
static void measure_subs(parl_updater *u, size_t n) {
  parl_sub_learning_sums sums = {0};
  u->metrics.sub_choices = u->metrics.misled = (double)NAN;
  if (parl_sub_learning_count(u->def.seats, u->def.spec, u->def.episode) == 0) return;
  for (size_t i = 0; i < n; i++)
    parl_sub_learning_measure(u->def.seats, u->jobs[u->kept[i]].out, u->advantage[i], &sums);
  if (sums.choices > 0) u->metrics.sub_choices = sums.sub_choices / sums.choices;
  if (sums.subs > 0) u->metrics.misled = sums.misled / sums.subs;
}

/* What the machine of the section cost makes of the episodes that are learned from. */
static parl_status measure_slots(parl_updater *u, size_t n) {
  parl_metrics *m = &u->metrics;
  if (u->slots == NULL) return PARL_STATUS_OK;
  for (size_t i = 0; i < n; i++) u->stages[i] = &u->jobs[u->kept[i]].out->stages;
  parl_slots_result result;
  PARL_TRY(parl_slots_play(u->slots, u->stages, n, &result));
  const parl_slots_means means = parl_slots_get_means(&result, (size_t)u->def.cost->slots);
#define X(name, unit, meaning) m->name = means.name;
  PARL_SLOTS_LIST(X)
#undef X
  return PARL_STATUS_OK;
}

static parl_reward_batch get_batch(const parl_updater *u, const double *weights) {
  return (parl_reward_batch){.table = u->table,
                             .n_groups = u->n_groups,
                             .K = (size_t)u->def.train->group,
                             .terms = u->terms,
                             .weights = weights};
}

parl_status parl_updater_get_shaped_only(const parl_updater *u, double scale, double *out) {
  double weights[PARL_MAX_TERMS];
  const parl_reward_batch batch = get_batch(u, weights);
  parl_advantage_shares s;
  for (size_t i = 0; i < u->table->n; i++)
    weights[i] = u->weights[i] * (i == PARL_TERM_perf ? 1 : scale);
  PARL_TRY(parl_advantage_get_shares((parl_advantage_mode)u->def.objective->advantage, &batch, &s));
  *out = s.mean_abs_shaped_only;
  return PARL_STATUS_OK;
}

static parl_status measure_advantage(parl_updater *u) {
  parl_metrics *m = &u->metrics;
  const parl_advantage_mode mode = (parl_advantage_mode)u->def.objective->advantage;
  const parl_reward_batch batch = get_batch(u, u->weights);
  parl_advantage_shares s;
  PARL_TRY(parl_advantage(mode, &batch, u->advantage));
  PARL_TRY(parl_advantage_get_shares(mode, &batch, &s));
  for (size_t i = 0; i < u->table->n; i++) m->of[i].share = s.share[i];
  m->zero_spread_perf = s.zero_spread_perf;
  m->zero_spread_total = s.zero_spread_total;
  m->mean_abs = s.mean_abs;
  m->mean_abs_shaped_only = s.mean_abs_shaped_only;
  if (u->credit == NULL) return PARL_STATUS_OK;
  return parl_credit_assign(u->credit,
                            &(parl_credit_batch){.of = batch,
                                                 .jobs = u->jobs,
                                                 .kept = u->kept,
                                                 .advantage = u->advantage,
                                                 .update = u->update},
                            m);
}

/* Every context of an episode's agents that learn; i of the episodes kept, advantage its own. */
static parl_status add_episode(parl_updater *u, size_t i, float advantage, parl_batch *batch) {
  const parl_trajectory *t = u->jobs[u->kept[i]].out;
  const size_t prompt = i / (size_t)u->def.train->group;
  if (u->credit == NULL) PARL_TRY(parl_batch_add_mains(batch, t, prompt, advantage));
  for (size_t m = 0; u->credit != NULL && m < t->n_mains; m++) {
    parl_credit_get_weights(u->credit, i, &t->mains[m], u->choices);
    PARL_TRY(parl_batch_add(batch, &t->mains[m], prompt, u->choices));
  }
  return parl_sub_learning_add(t, prompt, advantage, batch);
}

/* Noise on what was recorded of the outputs from `first` on, which are all of job `job`'s: the same
 * in every step of the update. */
static void add_noise(const parl_updater *u, size_t job, size_t first, parl_batch *batch) {
  const uint64_t stream =
      parl_rng_stream(PARL_PURPOSE_LOGP_NOISE, (uint64_t)u->update, (uint64_t)job, 0);
  parl_rng_cursor rng = {.seed = u->def.seed, .stream = stream};
  for (size_t i = first; i < batch->n_outputs; i++)
    batch->logp_old[i] += (float)(u->def.train->logp_noise * parl_rng_next_normal(&rng));
}

static parl_status fill_batch(void *context, const float *advantage) {
  parl_updater *u = context;
  parl_batch *batch = parl_learner_get_batch(u->learner);
  parl_batch_reset(batch);
  for (size_t i = 0; i < u->n_groups * (size_t)u->def.train->group; i++) {
    const size_t first = batch->n_outputs;
    PARL_TRY(add_episode(u, i, advantage[i], batch));
    if (u->def.train->logp_noise > 0) add_noise(u, u->kept[i], first, batch);
  }
  return PARL_STATUS_OK;
}

/* Before the first step of an update that is to be measured. */
static parl_status measure_gradients(parl_updater *u) {
  const parl_advantage_mode mode = (parl_advantage_mode)u->def.objective->advantage;
  const parl_reward_batch batch = get_batch(u, u->weights);
  double shares[PARL_MAX_TERMS];
  if (u->gradients == NULL || u->update % u->def.train->gradient_shares_every != 0)
    return PARL_STATUS_OK;
  PARL_TRY(
      parl_gradient_shares_measure(u->gradients, u->learner, mode, &batch, fill_batch, u, shares));
  for (size_t i = 0; i < u->table->n; i++) u->metrics.of[i].gradient = shares[i];
  return PARL_STATUS_OK;
}

static parl_status learn(parl_updater *u, size_t n) {
  const double start = parl_clock_s();
  PARL_TRY(measure_gradients(u));
  const size_t M = (size_t)u->def.train->minibatches;
  parl_batch *batch = parl_learner_get_batch(u->learner);
  parl_step_sums sums = parl_step_sums_none();
  for (size_t step = 0; step < M * (size_t)u->def.train->epochs; step++) {
    parl_batch_reset(batch);
    /* Strided, so that a minibatch holds rollouts of every group; every epoch has the same ones. */
    for (size_t i = step % M; i < n; i += M) {
      const size_t first = batch->n_outputs;
      PARL_TRY(add_episode(u, i, (float)u->advantage[i], batch));
      if (u->def.train->logp_noise > 0) add_noise(u, u->kept[i], first, batch);
    }
    parl_learner_info info;
    PARL_TRY(parl_learner_step(u->learner, &info));
    u->n_steps++;
    parl_step_sums_add(&sums, &info);
  }
  parl_step_sums_write(&sums, &u->metrics);
  u->metrics.learn_s = parl_clock_s() - start;
  return PARL_STATUS_OK;
}

/* After the last optimizer step: an update that is stopped is not seen. */
static void detect(parl_updater *u) {
  parl_metrics *m = &u->metrics;
  parl_means means;
#define X(name, v, w) means.name = m->name;
  PARL_MEAN_LIST(X)
#undef X
  parl_detector_observe(&u->seen, &(parl_detector_view){.means = &means,
                                                        .total = m->total,
                                                        .shaping = u->weights[PARL_TERM_parallel] +
                                                                   u->weights[PARL_TERM_finish]});
#define X(name, ...)                                  \
  m->name = parl_detector_fires(PARL_DETECTOR_##name, \
                                parl_detector_measure(PARL_DETECTOR_##name, &means, &u->seen));
  PARL_DETECTOR_LIST(X)
#undef X
}

/* Every group was dropped: nothing was measured but lambda and time. NaN is stored as NULL. */
static void forget(parl_updater *u) {
  parl_metrics *m = &u->metrics;
  const double none = (double)NAN;
#define X(name, group, unit, meaning) \
  if (strcmp(#group, "time") != 0) m->name = none;
  PARL_METRIC_LIST(X)
#undef X
  for (size_t i = 0; i < u->table->n; i++)
    m->of[i] = (parl_term_metrics){
        .raw = none, .weighted = none, .weight = u->weights[i], .share = none, .gradient = none};
}

parl_status parl_updater_get_weights(parl_updater *u, double *out) {
  const parl_metric_view before = parl_metrics_get_view(u->metric_table, &u->metrics);
  for (size_t i = 0; i < u->table->n; i++)
    PARL_TRY(parl_fail_context(parl_schedule_next(u->schedules[i], u->update, &before, &out[i]),
                               "%s", u->table->rows[i].weight));
  return PARL_STATUS_OK;
}

/* How the tasks went that are learned from. */
static void observe_tasks(parl_updater *u) {
  const size_t K = (size_t)u->def.train->group;
  if (u->sampler == NULL) return;
  parl_task_sampler_begin(u->sampler);
  for (size_t g = 0; g < u->n_groups; g++)
    parl_task_sampler_observe(u->sampler, &u->jobs[u->kept[g * K]], K);
}

static void commit_tasks(parl_updater *u) {
  const double none = (double)NAN;
  parl_task_counts c = {none, none, none, none, none};
  if (u->sampler != NULL) c = parl_task_sampler_commit(u->sampler);
  u->metrics.task_difficulty = c.difficulty;
  u->metrics.offered_difficulty = c.offered_difficulty;
  u->metrics.task_score = c.score;
  u->metrics.offered_score = c.offered_score;
  u->metrics.task_choice = c.choice;
}

/* What the update hands on. */
static void commit(parl_updater *u) {
  commit_tasks(u);
  u->metrics.carried = 0;
  u->metrics.carried_age = (double)NAN;
  if (u->carry == NULL) return;
  const parl_carry_counts counts = parl_carry_commit(u->carry);
  u->metrics.carried = (double)counts.n_carried / (double)u->def.train->tasks;
  u->metrics.carried_age = counts.staleness;
}

static parl_status update(parl_updater *u) {
  PARL_TRY(parl_updater_get_weights(u, u->weights));
  u->metrics = (parl_metrics){0};
  for (size_t i = 0; i < u->table->n; i++)
    u->metrics.of[i] = (parl_term_metrics){.weight = u->weights[i], .gradient = (double)NAN};
  PARL_TRY(parl_updater_play(u));
  size_t n_failed;
  PARL_TRY(get_terms(u, &u->n_groups, &n_failed));
  observe_tasks(u);
  if (u->n_groups > 0) {
    const size_t n = u->n_groups * (size_t)u->def.train->group;
    measure_rewards(u, n);
    measure_episodes(u, n);
    PARL_TRY(measure_slots(u, n));
    PARL_TRY(measure_advantage(u));
    measure_subs(u, n);
    PARL_TRY(parl_updater_play_ahead(u)); /* the last that plays in this update has played */
    PARL_TRY(learn(u, n));
    detect(u);
  } else {
    forget(u);
  }
  u->metrics.end_error = (double)n_failed / (double)u->n;
  u->metrics.cut_mass = u->cut_mass;
  u->metrics.staleness = (double)NAN;
  if (u->def.ring != NULL) {
    u->metrics.staleness = (double)parl_policy_ring_get_age(u->def.ring, u->update);
    PARL_TRY(parl_policy_ring_keep(u->def.ring, u->update + 1, u->def.model));
  }
  commit(u);
  u->update++;
  return PARL_STATUS_OK;
}

/* An update that is stopped before its first optimizer step has changed nothing but the schedules,
 * which go back: it is as if it had not begun. */
parl_status parl_updater_run(parl_updater *u) {
  for (size_t i = 0; i < u->table->n; i++) u->states[i] = parl_schedule_get_state(u->schedules[i]);
  u->n_steps = 0;
  const double start = parl_clock_s(), start_cpu = parl_clock_cpu_s();
  const parl_energy used = parl_energy_read(PARL_ENERGY_FOLDER);
  const parl_status s = update(u);
  const parl_energy now = parl_energy_read(PARL_ENERGY_FOLDER);
  u->metrics.update_s = parl_clock_s() - start;
  u->metrics.cpu_s = parl_clock_cpu_s() - start_cpu;
  u->metrics.joules = parl_energy_between(&used, &now);
  if (s != PARL_STATUS_OK) parl_updater_abandon(u);
  for (size_t i = 0; s == PARL_STATUS_ESTOPPED && i < u->table->n; i++)
    parl_schedule_set_state(u->schedules[i], u->states[i]);
  return s;
}

void parl_updater_write_state(const parl_updater *u, parl_json_writer *w) {
  for (size_t i = 0; i < u->table->n; i++) {
    parl_json_key(w, u->table->rows[i].lambda);
    parl_json_number(w, parl_schedule_get_state(u->schedules[i]));
  }
  parl_reward_write_state(u->reward, w);
  if (u->carry != NULL) parl_carry_write(u->carry, w);
  if (u->sampler != NULL) parl_task_sampler_write(u->sampler, w);
  parl_json_key(w, "detectors");
  parl_json_begin_object(w);
#define X(field)            \
  parl_json_key(w, #field); \
  parl_json_number(w, u->seen.field);
  PARL_DETECTOR_STATE_LIST(X)
#undef X
  parl_json_end_object(w);
}

static void read_number(const parl_json *object, const char *key, double *out) {
  const parl_json *value = parl_json_find(object, key);
  if (parl_json_get_type(value) == PARL_JSON_NUMBER) *out = parl_json_get_number(value);
}

parl_status parl_updater_read_state(parl_updater *u, const parl_json *object) {
  for (size_t i = 0; i < u->table->n; i++) {
    const parl_json *state = parl_json_find(object, u->table->rows[i].lambda);
    if (parl_json_get_type(state) == PARL_JSON_NUMBER)
      parl_schedule_set_state(u->schedules[i], parl_json_get_number(state));
  }
  const parl_json *seen = parl_json_find(object, "detectors");
#define X(field) read_number(seen, #field, &u->seen.field);
  PARL_DETECTOR_STATE_LIST(X)
#undef X
  if (u->carry != NULL) PARL_TRY(parl_carry_read(u->carry, object));
  if (u->sampler != NULL) PARL_TRY(parl_task_sampler_read(u->sampler, object));
  return parl_reward_read_state(u->reward, object);
}
