/* parl/learn/credit.c - turns by prefixes of stages; launches and assignments by the episode
 * without them, played or computed. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/seeds.h"
#include "parl/learn/credit_internal.h"
#include "parl/swarm/context_policy.h"

/* --- life --- */

/* Whether episodes are played again. */
static bool is_played(const parl_objective_config *objective) {
  return objective->credit == PARL_CREDIT_COUNTERFACTUAL ||
         objective->credit == PARL_CREDIT_SHAPLEY;
}

void parl_credit_ask(const parl_objective_config *objective, const parl_env_spec *spec,
                     const parl_episode_config *episode, parl_trajectories_def *def) {
  if (objective->credit == PARL_CREDIT_EPISODE) return;
  def->stages = parl_episode_get_stage_limits(spec, episode);
  if (is_played(objective)) def->recording = parl_episode_get_record_limit(spec, episode);
}

static parl_status take_stages(parl_credit *c, const parl_stage_limits *most) {
  c->without.most = *most;
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, most->stages, &c->without.items));
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, most->subs, &c->without.subs));
  return PARL_ARENA_TAKE(&c->arena, most->tokens, &c->without.tokens);
}

/* Contexts are kept only where they are rewritten: so many times, and no more. */
static parl_status take_variants(parl_credit *c, const parl_stage_limits *most) {
  const parl_credit_def *d = &c->def;
  const size_t max_mains = parl_episode_max_mains(d->episode);
  const parl_trajectories_def def = {.n = d->n,
                                     .max_mains = max_mains > 1 ? max_mains : 0,
                                     .context = d->spec->limits.context,
                                     .n_words = (d->spec->n_tokens + 63) / 64,
                                     .shows = d->spec->vision.width > 0,
                                     .keep_scores = parl_reward_wants_scores(d->reward),
                                     .stages = *most};
  c->n_values = most->tokens;
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, d->n * c->n_values, &c->values));
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, c->n_subs + c->n_values, &c->order));
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, d->n, &c->variants));
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, d->n, &c->replays));
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, d->n, &c->jobs));
  if (d->objective->credit == PARL_CREDIT_SHAPLEY) PARL_TRY(parl_credit_take_orders(c));
  return parl_trajectories_create(&def, &c->set);
}

static parl_status allocate(parl_credit *c) {
  const parl_credit_def *d = &c->def;
  const parl_stage_limits most = parl_episode_get_stage_limits(d->spec, d->episode);
  parl_arena *arena = &c->arena;
  c->n_turns = most.stages + 1;
  c->n_subs = most.subs > 0 ? most.subs : 1;
  PARL_TRY(PARL_ARENA_TAKE(arena, d->n * c->n_terms, &c->scales));
  PARL_TRY(PARL_ARENA_TAKE(arena, d->group, &c->outcomes));
  if (d->objective->credit == PARL_CREDIT_TURN) {
    PARL_TRY(PARL_ARENA_TAKE(arena, d->n * c->n_turns, &c->turns));
    PARL_TRY(PARL_ARENA_TAKE(arena, c->n_terms, &c->mean));
    return PARL_ARENA_TAKE(arena, d->group * c->n_turns * c->n_terms, &c->to_go);
  }
  PARL_TRY(PARL_ARENA_TAKE(arena, d->n * c->n_turns, &c->launches));
  PARL_TRY(PARL_ARENA_TAKE(arena, d->n * c->n_subs, &c->subs));
  if (d->objective->credit == PARL_CREDIT_LOO_STAGES) return take_stages(c, &most);
  return take_variants(c, &most);
}

parl_status parl_credit_create(const parl_credit_def *def, parl_credit **out) {
  PARL_REQUIRE(def->objective->credit != PARL_CREDIT_EPISODE && def->n >= 1 && def->group >= 1);
  parl_credit *c = calloc(1, sizeof *c);
  if (c == NULL) return parl_fail(PARL_STATUS_ENOMEM, "credit: no memory");
  parl_arena_init(&c->arena, (size_t)1 << 20);
  c->def = *def;
  c->n_terms = parl_reward_get_table(def->reward)->n;
  const parl_status s = allocate(c);
  if (s == PARL_STATUS_OK)
    *out = c;
  else
    parl_credit_destroy(c);
  return s;
}

void parl_credit_destroy(parl_credit *credit) {
  if (credit == NULL) return;
  parl_trajectories_destroy(credit->set);
  parl_arena_deinit(&credit->arena);
  free(credit);
}

/* --- episodes of the batch --- */

const parl_trajectory *parl_credit_get_episode(const parl_credit *c, size_t i) {
  return c->batch.jobs[c->batch.kept[i]].out;
}

static const double *get_terms(const parl_credit *c, size_t i) {
  return &c->batch.of.terms[i * c->n_terms];
}

static const double *get_scales(const parl_credit *c, size_t i) {
  return &c->scales[i / c->def.group * c->n_terms];
}

/* The group of episode i with `outcome` in the place of its own. */
static parl_group get_group(parl_credit *c, size_t i, const parl_outcome *outcome) {
  const size_t K = c->def.group;
  for (size_t k = 0; k < K; k++)
    c->outcomes[k] = parl_outcome_of(parl_credit_get_episode(c, i / K * K + k));
  c->outcomes[i % K] = *outcome;
  return (parl_group){.of = c->outcomes, .K = K, .update = c->batch.update};
}

/* --- turns --- */

/* What follows from stages. */
static parl_status count_again(const parl_credit *c, const parl_stages *stages, parl_facts *out) {
  const parl_cost cost = parl_cost_get(c->def.cost);
  PARL_TRY(parl_stages_get_facts(stages, out));
  PARL_TRY(parl_stages_get_cost(stages, &cost, out));
  switch (c->def.episode->budget_counts) {
    case PARL_BUDGET_CRITICAL:
      out->budget_used = out->critical_steps;
      break;
    case PARL_BUDGET_TOTAL:
      out->budget_used = out->total_steps;
      break;
    case PARL_BUDGET_MAKESPAN:
      out->budget_used = out->makespan;
      break;
    default: /* stages do not know tokens: as it was */
      break;
  }
  return PARL_STATUS_OK;
}

/* Terms of episode i had it ended after n turns, out [n_terms]. */
static parl_status get_terms_after(parl_credit *c, size_t i, size_t n, double *out) {
  const parl_trajectory *t = parl_credit_get_episode(c, i);
  const parl_stages first = parl_stages_get_first(&t->stages, n);
  parl_facts facts = {.optimum_steps = t->facts.optimum_steps,
                      .optimum_width = t->facts.optimum_width,
                      .serial_steps = t->facts.serial_steps,
                      .budget_steps = t->facts.budget_steps,
                      .cap_width = t->facts.cap_width,
                      .end = PARL_END_ERROR,
                      .optimum_is = t->facts.optimum_is};
  PARL_TRY(count_again(c, &first, &facts));
  const parl_outcome outcome = {.facts = &facts, .stages = &first};
  const parl_group group = get_group(c, i, &outcome);
  return parl_reward_built_in(c->def.reward, &group, i % c->def.group, out);
}

static double *get_to_go(const parl_credit *c, size_t k, size_t turn) {
  return &c->to_go[(k * c->n_turns + turn) * c->n_terms];
}

/* G of an episode, of turn t + 1 at t. */
static parl_status set_to_go(parl_credit *c, size_t i) {
  const size_t k = i % c->def.group, n = parl_credit_get_episode(c, i)->stages.n;
  memset(get_to_go(c, k, 0), 0, c->n_turns * c->n_terms * sizeof *c->to_go);
  for (size_t t = 0; t <= n; t++) {
    double *g = get_to_go(c, k, t);
    PARL_TRY(get_terms_after(c, i, t, g));
    for (size_t which = 0; which < c->n_terms; which++)
      g[which] = get_terms(c, i)[which] - g[which];
  }
  return PARL_STATUS_OK;
}

/* The group's mean of G at a turn; exactly their value where all are equal. */
static void set_mean(parl_credit *c, size_t turn) {
  const size_t K = c->def.group;
  for (size_t which = 0; which < c->n_terms; which++) {
    const double first = get_to_go(c, 0, turn)[which];
    double sum = 0;
    bool flat = true;
    for (size_t k = 0; k < K; k++) {
      sum += get_to_go(c, k, turn)[which];
      flat = flat && get_to_go(c, k, turn)[which] == first;
    }
    c->mean[which] = flat ? first : sum / (double)K;
  }
}

static void set_turn(parl_credit *c, size_t i, size_t turn) {
  const double *g = get_to_go(c, i % c->def.group, turn), *scales = get_scales(c, i);
  const parl_advantage_mode mode = (parl_advantage_mode)c->def.objective->advantage;
  double sum = 0;
  for (size_t which = 0; which < c->n_terms; which++)
    sum += scales[which] * (g[which] - (mode == PARL_ADVANTAGE_NONE ? 0 : c->mean[which]));
  c->turns[i * c->n_turns + turn] = sum * parl_advantage_get_factor(mode, c->def.group);
}

static parl_status assign_turns(parl_credit *c) {
  const size_t K = c->def.group;
  for (size_t g = 0; g < c->batch.of.n_groups; g++) {
    for (size_t k = 0; k < K; k++) PARL_TRY(set_to_go(c, g * K + k));
    for (size_t t = 0; t < c->n_turns; t++) {
      set_mean(c, t);
      for (size_t k = 0; k < K; k++) set_turn(c, g * K + k, t);
    }
  }
  return PARL_STATUS_OK;
}

/* --- launches and assignments --- */

parl_credit_effect *parl_credit_find_effect(const parl_credit *c, const parl_credit_variant *v) {
  if (v->sub < 0) return &c->launches[v->i * c->n_turns + v->stage];
  const parl_stage_record *record = &parl_credit_get_episode(c, v->i)->stages.items[v->stage];
  return &c->subs[v->i * c->n_subs + record->first_sub + (size_t)v->sub];
}

static void forget_effects(parl_credit *c) {
  const parl_credit_effect none = {(double)NAN, (double)NAN, (double)NAN};
  for (size_t i = 0; i < c->def.n * c->n_turns; i++) c->launches[i] = none;
  for (size_t i = 0; i < c->def.n * c->n_subs; i++) c->subs[i] = none;
  for (size_t i = 0; i < c->def.n * c->n_values; i++) c->values[i] = (double)NAN;
}

double *parl_credit_find_value(const parl_credit *c, size_t i, size_t stage, size_t sub,
                               size_t value) {
  const parl_stages *s = &parl_credit_get_episode(c, i)->stages;
  return &c->values[i * c->n_values + s->subs[s->items[stage].first_sub + sub].first_token + value];
}

/* The effect of a variant, from what the episode without it came to. */
static parl_status set_effect(parl_credit *c, const parl_credit_variant *v,
                              const parl_outcome *without) {
  const parl_group group = get_group(c, v->i, without);
  const double *scales = get_scales(c, v->i), *with = get_terms(c, v->i);
  double terms[PARL_MAX_TERMS];
  PARL_TRY(parl_reward_one(c->def.reward, &group, v->i % c->def.group, terms));
  parl_credit_effect e = {.r_perf = parl_credit_get_episode(c, v->i)->facts.r_perf -
                                    without->facts->r_perf};
  for (size_t which = 0; which < c->n_terms; which++) {
    e.advantage += scales[which] * (with[which] - terms[which]);
    e.reward += c->batch.of.weights[which] * (with[which] - terms[which]);
  }
  if (v->value >= 0)
    *parl_credit_find_value(c, v->i, v->stage, (size_t)v->sub, (size_t)v->value) = e.advantage;
  else
    *parl_credit_find_effect(c, v) = e;
  return PARL_STATUS_OK;
}

parl_status parl_credit_get_worth(parl_credit *c, size_t i, const parl_outcome *outcome,
                                  double out[PARL_N_SHARES]) {
  const parl_outcome own = parl_outcome_of(parl_credit_get_episode(c, i));
  const parl_group group = get_group(c, i, outcome != NULL ? outcome : &own);
  const double *scales = get_scales(c, i);
  double terms[PARL_MAX_TERMS];
  if (outcome != NULL)
    PARL_TRY(parl_reward_one(c->def.reward, &group, i % c->def.group, terms));
  else
    memcpy(terms, get_terms(c, i), c->n_terms * sizeof *terms);
  out[0] = out[1] = 0;
  out[2] = group.of[i % c->def.group].facts->r_perf;
  for (size_t which = 0; which < c->n_terms; which++) {
    out[0] += scales[which] * terms[which];
    out[1] += c->batch.of.weights[which] * terms[which];
  }
  return PARL_STATUS_OK;
}

static size_t get_width(const parl_credit *c, size_t i, size_t stage) {
  return parl_credit_get_episode(c, i)->stages.items[stage].width;
}

/* Of a launch of one, the assignment is the launch. */
static void copy_single_effects(parl_credit *c, size_t i) {
  for (size_t t = 0; t < parl_credit_get_episode(c, i)->stages.n; t++)
    if (get_width(c, i, t) == 1)
      *parl_credit_find_effect(c,
                               &(parl_credit_variant){.i = i, .stage = t, .sub = 0, .value = -1}) =
          *parl_credit_find_effect(
              c, &(parl_credit_variant){.i = i, .stage = t, .sub = -1, .value = -1});
}

/* --- from the stages --- */

static parl_status assign_without(parl_credit *c, const parl_credit_variant *v) {
  const parl_trajectory *t = parl_credit_get_episode(c, v->i);
  parl_facts facts = t->facts;
  parl_stages_copy_without(&t->stages, v->stage, v->sub, &c->without);
  facts.r_perf = 0; /* where no stage is left */
  PARL_TRY(count_again(c, &c->without, &facts));
  if (facts.r_perf < t->facts.r_perf) facts.success = 0;
  parl_outcome outcome = parl_outcome_of(t);
  outcome.facts = &facts;
  outcome.stages = &c->without;
  return set_effect(c, v, &outcome);
}

static parl_status assign_by_stages(parl_credit *c, size_t n) {
  forget_effects(c);
  for (size_t i = 0; i < n; i++) {
    for (size_t t = 0; t < parl_credit_get_episode(c, i)->stages.n; t++) {
      const int width = (int)get_width(c, i, t);
      for (int sub = -1; width > 0 && sub < (width > 1 ? width : 0); sub++)
        PARL_TRY(
            assign_without(c, &(parl_credit_variant){.i = i, .stage = t, .sub = sub, .value = -1}));
    }
    copy_single_effects(c, i);
  }
  return PARL_STATUS_OK;
}

/* --- by playing again --- */

parl_status parl_credit_play(parl_credit *c) {
  const size_t n = c->n_variants;
  parl_rollout_counts counts;
  c->n_variants = 0;
  if (n == 0) return PARL_STATUS_OK;
  const double start = parl_clock_s();
  PARL_TRY(parl_rollout_run(c->def.rollout, c->jobs, n, &counts));
  parl_credit_tally *sums = &c->tally;
  sums->seconds += parl_clock_s() - start;
  sums->counts.decoded_tokens += counts.decoded_tokens;
  sums->counts.reused_tokens += counts.reused_tokens;
  sums->counts.decode_s += counts.decode_s;
  sums->counts.script_s += counts.script_s;
  sums->n_rerolls += (double)n;
  for (size_t k = 0; k < n; k++) {
    const parl_trajectory *without = c->jobs[k].out;
    const parl_outcome outcome = parl_outcome_of(without);
    sums->n_failed += without->failed;
    if (!without->failed) sums->steps += without->facts.total_steps;
    if (c->def.objective->credit == PARL_CREDIT_SHAPLEY)
      PARL_TRY(parl_credit_take_coalition(c, &c->variants[k], without->failed ? NULL : &outcome));
    else if (!without->failed)
      PARL_TRY(set_effect(c, &c->variants[k], &outcome));
  }
  return PARL_STATUS_OK;
}

parl_status parl_credit_add(parl_credit *c, const parl_credit_variant *v,
                            const parl_replay *replay) {
  const parl_trajectory *t = parl_credit_get_episode(c, v->i);
  const size_t k = c->n_variants++;
  c->variants[k] = *v;
  c->replays[k] = *replay;
  c->jobs[k] = (parl_job){.task_seed = t->task_seed,
                          .episode_seed = t->episode_seed,
                          .temperature = c->def.temperature,
                          .top_p = c->def.top_p,
                          .replay = &c->replays[k],
                          .out = parl_trajectories_get(c->set, k)};
  return c->n_variants == c->def.n ? parl_credit_play(c) : PARL_STATUS_OK;
}

static parl_status add_variant(parl_credit *c, const parl_credit_variant *v) {
  const parl_edit edit = v->value >= 0 ? PARL_EDIT_DROP_VALUE : PARL_EDIT_DROP_SUB;
  const bool goes_on = c->def.objective->credit_after == PARL_CREDIT_AFTER_POLICY;
  return parl_credit_add(c, v,
                         &(parl_replay){.recording = &parl_credit_get_episode(c, v->i)->recording,
                                        .edit = v->sub < 0 ? PARL_EDIT_DROP_LAUNCH : edit,
                                        .turn = (int)v->stage + 1,
                                        .sub = v->sub,
                                        .value = v->value,
                                        .goes_on = goes_on});
}

/* The first value of a task that may be left out: one more of its last slot. INT_MAX: there is
 * none. */
static int get_first_added(const parl_credit *c) {
  const parl_tool *task = &c->def.spec->task;
  bool is_last = task->n_slots > 0 && task->slots[task->n_slots - 1].many;
  for (int i = 0; i + 1 < task->n_slots; i++) is_last = is_last && !task->slots[i].many;
  return is_last ? task->n_slots : INT_MAX;
}

size_t parl_credit_list_parts(const parl_credit *c, size_t i, bool all, parl_credit_variant *out) {
  const parl_stages *s = &parl_credit_get_episode(c, i)->stages;
  const int first = get_first_added(c);
  size_t n = 0;
  for (size_t k = 0; k < s->n; k++)
    for (size_t sub = 0; sub < s->items[k].width; sub++) {
      const int n_values = s->subs[s->items[k].first_sub + sub].n_tokens;
      if (all || s->items[k].width > 1)
        out[n++] = (parl_credit_variant){.i = i, .stage = k, .sub = (int)sub, .value = -1};
      for (int v = first; v < n_values; v++)
        out[n++] = (parl_credit_variant){.i = i, .stage = k, .sub = (int)sub, .value = v};
    }
  return n;
}

/* Up to `most` of them, drawn without replacement where there are more. */
static parl_status add_parts(parl_credit *c, size_t i, size_t most) {
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_CREDIT, 0, 0, 0);
  const size_t n = parl_credit_list_parts(c, i, false, c->order);
  for (size_t k = 0; k < n && k < most; k++) {
    if (most < n) {
      const double u = parl_rng_uniform(parl_credit_get_episode(c, i)->episode_seed, stream, k);
      const size_t other = k + (size_t)(u * (double)(n - k));
      const parl_credit_variant was = c->order[k];
      c->order[k] = c->order[other];
      c->order[other] = was;
    }
    PARL_TRY(add_variant(c, &c->order[k]));
  }
  return PARL_STATUS_OK;
}

static parl_status assign_by_leaving_out(parl_credit *c, size_t n) {
  const size_t asked = (size_t)c->def.objective->credit_rerolls;
  for (size_t i = 0; i < n; i++) {
    const parl_trajectory *t = parl_credit_get_episode(c, i);
    size_t left = asked > 0 ? asked : SIZE_MAX;
    if (t->recording.is_cut) continue;
    for (size_t k = 0; k < t->stages.n && left > 0; k++) {
      if (t->stages.items[k].width == 0) continue;
      left--;
      PARL_TRY(add_variant(c, &(parl_credit_variant){.i = i, .stage = k, .sub = -1, .value = -1}));
    }
    PARL_TRY(add_parts(c, i, left));
  }
  PARL_TRY(parl_credit_play(c));
  for (size_t i = 0; i < n; i++) copy_single_effects(c, i);
  return PARL_STATUS_OK;
}

static parl_status assign_by_playing(parl_credit *c, size_t n) {
  forget_effects(c);
  return c->def.objective->credit == PARL_CREDIT_SHAPLEY ? parl_credit_assign_by_orders(c, n)
                                                         : assign_by_leaving_out(c, n);
}

/* --- all of it --- */

static double get_ratio(double sum, double n) {
  return n > 0 ? sum / n : (double)NAN;
}

static void count_effects(parl_credit *c, size_t i) {
  const parl_trajectory *t = parl_credit_get_episode(c, i);
  parl_credit_tally *sums = &c->tally;
  for (size_t k = 0; k < t->stages.n; k++) {
    const parl_credit_effect launch = parl_credit_get_launch(c, i, k);
    if (!isnan(launch.advantage)) {
      sums->n_launches++;
      sums->launch += launch.reward;
      sums->n_spurious += launch.r_perf == 0;
    }
    for (size_t sub = 0; sub < t->stages.items[k].width; sub++) {
      const parl_credit_effect e = parl_credit_get_sub(c, i, k, sub);
      if (isnan(e.advantage)) continue;
      sums->n_subs++;
      sums->sub += e.reward;
      sums->n_useless += e.r_perf == 0;
    }
  }
}

static void measure(parl_credit *c, size_t n, parl_metrics *m) {
  parl_credit_tally *sums = &c->tally;
  for (size_t i = 0; i < n && c->launches != NULL; i++) count_effects(c, i);
  m->launch_effect = get_ratio(sums->launch, sums->n_launches);
  m->sub_effect = get_ratio(sums->sub, sums->n_subs);
  m->spurious_launches = get_ratio(sums->n_spurious, sums->n_launches);
  m->useless_subs = get_ratio(sums->n_useless, sums->n_subs);
  if (!is_played(c->def.objective)) return;
  m->rerolls = sums->n_rerolls;
  m->reroll_steps = sums->steps;
  m->rerolls_failed = sums->n_failed;
  m->rollout_s += sums->seconds;
  m->wait_s += sums->seconds;
  m->decode_s += sums->counts.decode_s;
  m->script_s += sums->counts.script_s;
  m->decode_tokens += (double)sums->counts.decoded_tokens;
  m->reused_tokens += (double)sums->counts.reused_tokens;
}

parl_status parl_credit_assign(parl_credit *credit, const parl_credit_batch *batch,
                               parl_metrics *m) {
  const size_t n = batch->of.n_groups * batch->of.K;
  const int kind = (int)credit->def.objective->credit;
  PARL_REQUIRE(batch->of.K == credit->def.group && n <= credit->def.n);
  credit->batch = *batch;
  credit->tally = (parl_credit_tally){0};
  credit->n_variants = 0;
  PARL_TRY(parl_advantage_get_scales((parl_advantage_mode)credit->def.objective->advantage,
                                     &batch->of, credit->scales));
  if (kind == PARL_CREDIT_TURN) return assign_turns(credit);
  if (kind == PARL_CREDIT_LOO_STAGES)
    PARL_TRY(assign_by_stages(credit, n));
  else
    PARL_TRY(assign_by_playing(credit, n));
  measure(credit, n, m);
  return PARL_STATUS_OK;
}

/* --- of choices --- */

double parl_credit_get_turn(const parl_credit *credit, size_t i, size_t stage) {
  return credit->turns[i * credit->n_turns + stage];
}

parl_credit_effect parl_credit_get_launch(const parl_credit *credit, size_t i, size_t stage) {
  return *parl_credit_find_effect(
      credit, &(parl_credit_variant){.i = i, .stage = stage, .sub = -1, .value = -1});
}

parl_credit_effect parl_credit_get_sub(const parl_credit *credit, size_t i, size_t stage,
                                       size_t sub) {
  return *parl_credit_find_effect(
      credit, &(parl_credit_variant){.i = i, .stage = stage, .sub = (int)sub, .value = -1});
}

/* Where a choice stands in a turn that launched. */
typedef struct place {
  bool is_first;     /* of the turn */
  int32_t token;     /* what was chosen */
  size_t sub, value; /* of which assignment, and of its task, if it is none of assign_task, the name
                        and <go>: SIZE_MAX then */
} place;

/* NaN: not known. */
static double get_effect_of_choice(const parl_credit *c, size_t i, size_t stage, const place *p) {
  const parl_credit_effect launch = parl_credit_get_launch(c, i, stage);
  const bool is_judged = c->def.objective->credit_launch == PARL_CREDIT_LAUNCH_DIFFERENCE;
  if (p->is_first) return is_judged ? launch.advantage : (double)NAN;
  if (p->token == PARL_TOKEN_GO) return isnan(launch.advantage) ? (double)NAN : 0;
  const parl_stages *s = &parl_credit_get_episode(c, i)->stages;
  const size_t n_kept = s->subs[s->items[stage].first_sub + p->sub].n_tokens;
  double value = (double)NAN;
  if (c->values != NULL && p->value < n_kept)
    value = *parl_credit_find_value(c, i, stage, p->sub, p->value);
  return isnan(value) ? parl_credit_get_sub(c, i, stage, p->sub).advantage : value;
}

void parl_credit_get_weights(const parl_credit *credit, size_t i, const parl_sequence *sequence,
                             float *out) {
  const parl_stages *s = &parl_credit_get_episode(credit, i)->stages;
  const double whole = credit->batch.advantage[i];
  int turn = 0;
  size_t n_assigned = 0;
  int32_t at = 0, begin = 0; /* tokens of the turn looked at; where its last assignment begins */
  for (int32_t k = 0; k < sequence->n_choices; k++) {
    const bool is_first = sequence->turn[k] != turn;
    const size_t stage = (size_t)sequence->turn[k] - 1;
    if (is_first) { /* the first token of a turn is a choice: it may always finish */
      turn = sequence->turn[k];
      n_assigned = 0;
      at = sequence->at[k];
    }
    for (; at <= sequence->at[k]; at++) {
      if (sequence->tokens[at] != PARL_TOKEN_ASSIGN) continue;
      n_assigned++;
      begin = at;
    }
    const int32_t index = sequence->at[k] - begin - 2; /* behind assign_task and the name */
    const place p = {is_first, sequence->tokens[sequence->at[k]], n_assigned - 1,
                     index >= 0 ? (size_t)index : SIZE_MAX};
    double value = whole;
    if (credit->turns != NULL)
      value = parl_credit_get_turn(credit, i, stage);
    else if (stage < s->n && s->items[stage].width > 0)
      value = get_effect_of_choice(credit, i, stage, &p);
    out[k] = (float)(isnan(value) ? whole : value);
  }
}
