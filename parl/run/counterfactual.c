/* parl/run/counterfactual.c - episodes, the changed ones, and the means of
 * their differences. */
#include "parl/run/counterfactual.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "parl/learn/coalitions.h"
#include "parl/swarm/context_policy.h"

enum { WITHOUT, STOP, ORDERS, N_CHANGES };
enum { R_PERF, CRITICAL_STEPS, REWARD, N_VALUES };
_Static_assert((int)N_VALUES == (int)PARL_N_SHARES, "all of them are shared out");

/* Over the launches of a task. */
typedef struct sums {
  double n, value[N_VALUES], same, worse;
} sums;

typedef struct change {
  size_t task;
  int kind;
  size_t coalition; /* ORDERS */
} change;

/* An assignment. */
typedef struct place {
  int turn, sub;
} place;

typedef struct work {
  const parl_counterfactual_def *def;
  parl_rollout *rollout;
  parl_trajectories *set, *changed;
  parl_term_table *table;
  parl_reward *reward;
  size_t n, n_changes;
  parl_job *jobs, *again; /* [n] */
  parl_replay *replays;   /* [n] of again */
  change *changes;        /* [n] */
  sums (*of)[N_CHANGES];  /* [n] */
  /* ORDERS */
  size_t n_marks;     /* of a recording */
  bool *marks;        /* [n, n_marks] of again */
  place *places;      /* [most.subs] assignments of an episode */
  size_t *order;      /* [most.subs] */
  parl_shares shares; /* of the episode whose coalitions come in; order, made
                         [most.subs] */
  parl_counterfactual *out;
} work;

/* --- playing --- */

static void set_jobs(work *w) {
  const uint64_t seed = (uint64_t)w->def->run->config.eval.seed;
  for (size_t i = 0; i < w->n; i++)
    w->jobs[i] = (parl_job){.task_seed = parl_seed(seed, PARL_PURPOSE_EVAL_TASK, 0, i),
                            .episode_seed = parl_seed(seed, PARL_PURPOSE_EVAL_EPISODE, 0, i),
                            .part = PARL_PART_HELD_OUT,
                            .temperature = 1,
                            .out = parl_trajectories_get(w->set, i)};
}

/* Sum of the terms with the weights that their schedules start with. */
static parl_status get_reward(work *w, const parl_trajectory *t, double *out) {
  double terms[PARL_MAX_TERMS];
  const parl_outcome outcome = parl_outcome_of(t);
  PARL_TRY(parl_reward_group(w->reward, &(parl_group){.of = &outcome, .K = 1}, terms));
  *out = 0;
  for (size_t i = 0; i < w->table->n; i++) *out += w->table->rows[i].config->start * terms[i];
  return PARL_STATUS_OK;
}

/* What an episode comes to, out [N_VALUES]. */
static parl_status get_values(work *w, const parl_trajectory *t, double *out) {
  out[R_PERF] = t->facts.r_perf;
  out[CRITICAL_STEPS] = t->facts.critical_steps;
  return get_reward(w, t, &out[REWARD]);
}

static void add_made(sums *s, const double *made) {
  s->n++;
  for (size_t which = 0; which < N_VALUES; which++) s->value[which] += made[which];
  s->same += made[R_PERF] == 0;
  s->worse += made[R_PERF] < 0;
}

static parl_status add_difference(work *w, const change *c, const parl_trajectory *other) {
  double with[N_VALUES], without[N_VALUES], made[N_VALUES];
  PARL_TRY(get_values(w, w->jobs[c->task].out, with));
  PARL_TRY(get_values(w, other, without));
  for (size_t which = 0; which < N_VALUES; which++) made[which] = with[which] - without[which];
  add_made(&w->of[c->task][c->kind], made);
  return PARL_STATUS_OK;
}

/* Of a task with assignments. */
static parl_coalitions get_coalitions(const work *w, size_t task) {
  const parl_trajectory *t = w->jobs[task].out;
  return parl_coalitions_make(t->stages.n_subs, (size_t)w->def->n_orders, SIZE_MAX,
                              t->episode_seed);
}

/* A coalition of the task's assignments was played; the shares it leaves
 * unknown, where it failed, count nowhere. */
static parl_status add_coalition(work *w, const change *c, const parl_trajectory *other) {
  double values[N_VALUES] = {(double)NAN, (double)NAN, (double)NAN};
  if (c->coalition == 0) {
    const parl_coalitions of = get_coalitions(w, c->task);
    PARL_TRY(get_values(w, w->jobs[c->task].out, values));
    parl_shares_begin(&w->shares, &of, values);
  }
  if (!other->failed) PARL_TRY(get_values(w, other, values));
  for (size_t which = 0; other->failed && which < N_VALUES; which++) values[which] = (double)NAN;
  parl_shares_take(&w->shares, c->coalition, values);
  for (size_t i = 0; c->coalition + 1 == w->shares.of.n && i < w->shares.of.n_players; i++)
    if (!isnan(w->shares.made[i][R_PERF])) add_made(&w->of[c->task][ORDERS], w->shares.made[i]);
  return PARL_STATUS_OK;
}

static parl_status play_changes(work *w) {
  const size_t n = w->n_changes;
  w->n_changes = 0;
  if (n == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_rollout_run(w->rollout, w->again, n, NULL));
  parl_failures_add(&w->out->failures, w->rollout);
  for (size_t i = 0; i < n; i++) {
    const parl_trajectory *other = w->again[i].out;
    if (!other->failed) {
      w->out->n_rerolls++;
      w->out->steps += other->facts.total_steps;
    }
    if (w->changes[i].kind == ORDERS)
      PARL_TRY(add_coalition(w, &w->changes[i], other));
    else if (!other->failed)
      PARL_TRY(add_difference(w, &w->changes[i], other));
  }
  return PARL_STATUS_OK;
}

static parl_status add_replay(work *w, const change *c, const parl_replay *replay) {
  const parl_trajectory *t = w->jobs[c->task].out;
  const size_t i = w->n_changes++;
  w->changes[i] = *c;
  w->replays[i] = *replay;
  w->again[i] = (parl_job){.task_seed = t->task_seed,
                           .episode_seed = t->episode_seed,
                           .temperature = 1,
                           .replay = &w->replays[i],
                           .out = parl_trajectories_get(w->changed, i)};
  return w->n_changes == w->n ? play_changes(w) : PARL_STATUS_OK;
}

static parl_status add_change(work *w, size_t task, int kind, size_t stage, int sub) {
  const parl_edit drop = sub < 0 ? PARL_EDIT_DROP_LAUNCH : PARL_EDIT_DROP_SUB;
  return add_replay(w, &(change){.task = task, .kind = kind},
                    &(parl_replay){.recording = &w->jobs[task].out->recording,
                                   .edit = kind == STOP ? PARL_EDIT_FINISH : drop,
                                   .turn = (int)stage + 1,
                                   .sub = sub,
                                   .goes_on = w->def->goes_on});
}

/* The assignments of an episode, in the order in which they were written. */
static void list_assignments(const parl_stages *stages, place *out) {
  for (size_t k = 0; k < stages->n; k++)
    for (size_t sub = 0; sub < stages->items[k].width; sub++)
      out[stages->items[k].first_sub + sub] = (place){(int)k + 1, (int)sub};
}

/* Every coalition that the orders of the task's assignments ask for. */
static parl_status add_orders(work *w, size_t task) {
  const parl_recording *recording = &w->jobs[task].out->recording;
  const parl_stages *stages = &w->jobs[task].out->stages;
  if (stages->n_subs == 0) return PARL_STATUS_OK;
  const parl_coalitions of = get_coalitions(w, task);
  list_assignments(stages, w->places);
  for (size_t k = 0; k < of.n; k++) {
    bool *marks = &w->marks[w->n_changes * w->n_marks];
    size_t order, n_blocks;
    parl_coalitions_find(&of, k, &order, &n_blocks);
    parl_coalitions_get_order(&of, order, w->order);
    memset(marks, 0, recording->n * sizeof *marks);
    for (size_t i = parl_coalitions_get_begin(&of, order, n_blocks); i < of.n_players; i++) {
      const place *p = &w->places[w->order[i]];
      parl_recording_mark(recording, p->turn, p->sub, -1, marks);
    }
    parl_recording_end_marks(recording, marks);
    PARL_TRY(add_replay(
        w, &(change){.task = task, .kind = ORDERS, .coalition = k},
        &(parl_replay){.recording = recording, .edit = PARL_EDIT_DROP_TOKENS, .dropped = marks}));
  }
  return PARL_STATUS_OK;
}

static parl_status change_task(work *w, size_t task) {
  const parl_trajectory *t = w->jobs[task].out;
  const bool by_launch = w->def->at == PARL_COUNTERFACTUAL_LAUNCH;
  if (t->failed || t->recording.is_cut) return PARL_STATUS_OK;
  for (size_t k = 0; k < t->stages.n; k++) {
    const int width = (int)t->stages.items[k].width;
    if (width == 0) continue;
    for (int sub = by_launch ? -1 : 0; sub < (by_launch ? 0 : width); sub++)
      PARL_TRY(add_change(w, task, WITHOUT, k, sub));
    PARL_TRY(add_change(w, task, STOP, k, -1));
  }
  return w->def->n_orders > 0 ? add_orders(w, task) : PARL_STATUS_OK;
}

/* --- means --- */

static bool is_of(const work *w, size_t task, const char *family) {
  const parl_trajectory *t = w->jobs[task].out;
  return !t->failed && (family[0] == '\0' || strcmp(t->family, family) == 0);
}

/* The ratio of two sums over tasks, and its standard error by linearisation
 * (Cochran 1977, 6.2). */
static parl_interval get_interval(const work *w, const char *family, int kind, int value) {
  double n = 0, sum = 0, squares = 0, n_tasks = 0;
  for (size_t i = 0; i < w->n; i++) {
    if (!is_of(w, i, family) || w->of[i][kind].n == 0) continue;
    n_tasks++;
    n += w->of[i][kind].n;
    sum += w->of[i][kind].value[value];
  }
  const double mean = n > 0 ? sum / n : (double)NAN;
  if (n_tasks < 2) return (parl_interval){mean, (double)NAN, (double)NAN};
  for (size_t i = 0; i < w->n; i++) {
    const sums *s = &w->of[i][kind];
    const double rest = s->value[value] - mean * s->n;
    if (is_of(w, i, family)) squares += rest * rest;
  }
  const double error = sqrt(squares * n_tasks / (n_tasks - 1)) / n;
  return (parl_interval){mean, mean - 1.96 * error, mean + 1.96 * error};
}

static parl_effect get_effect(const work *w, const char *family, int kind) {
  double same = 0, worse = 0;
  parl_effect e = {.r_perf = get_interval(w, family, kind, R_PERF),
                   .critical_steps = get_interval(w, family, kind, CRITICAL_STEPS),
                   .reward = get_interval(w, family, kind, REWARD)};
  for (size_t i = 0; i < w->n; i++) {
    if (!is_of(w, i, family)) continue;
    e.n += w->of[i][kind].n;
    same += w->of[i][kind].same;
    worse += w->of[i][kind].worse;
  }
  e.same = e.n > 0 ? same / e.n : (double)NAN;
  e.worse = e.n > 0 ? worse / e.n : (double)NAN;
  return e;
}

static void add_part(work *w, const char *family) {
  parl_counterfactual *out = w->out;
  if (out->n_parts == PARL_COUNTERFACTUAL_MAX_PARTS) return;
  for (size_t i = 0; i < out->n_parts; i++)
    if (strcmp(out->parts[i].family, family) == 0) return;
  parl_counterfactual_part *part = &out->parts[out->n_parts++];
  *part = (parl_counterfactual_part){.without = get_effect(w, family, WITHOUT),
                                     .stop = get_effect(w, family, STOP),
                                     .over_orders = get_effect(w, family, ORDERS)};
  memcpy(part->family, family, strlen(family) + 1);
  for (size_t i = 0; i < w->n; i++) {
    if (!is_of(w, i, family)) continue;
    part->n_tasks++;
    part->n_launching += w->jobs[i].out->facts.launches > 0;
  }
}

/* All tasks, then their families where there are several. */
static void summarize(work *w) {
  add_part(w, "");
  for (size_t i = 0; i < w->n; i++)
    if (!w->jobs[i].out->failed) add_part(w, w->jobs[i].out->family);
  if (w->out->n_parts == 2) w->out->n_parts = 1;
}

/* --- all of it --- */

static parl_status create_orders(work *w, const parl_trajectories_def *def) {
  const size_t most = def->stages.subs > 0 ? def->stages.subs : 1;
  w->n_marks = def->recording;
  w->marks = calloc(w->n, w->n_marks);
  w->places = calloc(most, sizeof *w->places);
  w->order = calloc(most, sizeof *w->order);
  w->shares.order = calloc(most, sizeof *w->shares.order);
  w->shares.made = calloc(most, sizeof *w->shares.made);
  if (!w->marks || !w->places || !w->order || !w->shares.order || !w->shares.made)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for orders of %zu assignments", most);
  return PARL_STATUS_OK;
}

static parl_status create_sets(work *w) {
  const parl_episode_config *episode = &w->def->run->config.episode;
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(w->rollout));
  const size_t max_mains = parl_episode_max_mains(episode);
  parl_trajectories_def def = {.n = w->n,
                               .max_mains = max_mains > 1 ? max_mains : 0,
                               .context = spec->limits.context,
                               .n_words = (spec->n_tokens + 63) / 64,
                               .shows = spec->vision.width > 0,
                               .keep_scores = parl_reward_wants_scores(w->reward),
                               .stages = parl_episode_get_stage_limits(spec, episode)};
  PARL_TRY(parl_trajectories_create(&def, &w->changed));
  def.recording = parl_episode_get_record_limit(spec, episode);
  PARL_TRY(parl_trajectories_create(&def, &w->set));
  return w->def->n_orders > 0 ? create_orders(w, &def) : PARL_STATUS_OK;
}

static parl_status create(work *w) {
  const parl_counterfactual_def *d = w->def;
  const parl_run_config *c = &d->run->config;
  w->n = d->n_tasks;
  w->jobs = calloc(w->n, sizeof *w->jobs);
  w->again = calloc(w->n, sizeof *w->again);
  w->replays = calloc(w->n, sizeof *w->replays);
  w->changes = calloc(w->n, sizeof *w->changes);
  w->of = calloc(w->n, sizeof *w->of);
  if (!w->jobs || !w->again || !w->replays || !w->changes || !w->of)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu episodes", w->n);
  PARL_TRY(parl_term_table_create(c->weights, c->own_terms, &w->table));
  PARL_TRY(parl_reward_create(&c->reward, w->table, &w->reward));
  parl_rollout_def rollout = parl_run_get_rollout(d->run, d->host->scripts, d->workers);
  if (d->subs != NULL) parl_subs_seat(d->subs, d->policy, PARL_SUBS_LAST, &rollout.seats);
  rollout.seats.main = d->style != NULL ? parl_player_of_script(d->style, 1)
                                        : parl_run_get_orchestrator(d->run, d->policy);
  rollout.n_jobs = w->n;
  PARL_TRY(parl_rollout_create(&rollout, &w->rollout));
  return create_sets(w);
}

static parl_status run(work *w) {
  set_jobs(w);
  PARL_TRY(parl_rollout_run(w->rollout, w->jobs, w->n, NULL));
  parl_failures_add(&w->out->failures, w->rollout);
  for (size_t i = 0; i < w->n; i++) PARL_TRY(change_task(w, i));
  PARL_TRY(play_changes(w));
  summarize(w);
  return parl_failures_check(&w->out->failures, w->def->run->config.env.max_failures,
                             PARL_PHASE_EVALUATION, true);
}

parl_status parl_counterfactual_run(const parl_counterfactual_def *def, parl_counterfactual *out) {
  PARL_REQUIRE(def->n_tasks >= 1 && (def->policy != NULL || def->style != NULL));
  PARL_REQUIRE((def->style == NULL || !def->goes_on) && def->n_orders >= 0);
  work w = {.def = def, .out = out};
  *out = (parl_counterfactual){0};
  parl_status s = parl_fail_sizes(create(&w), "%zu episodes", def->n_tasks);
  if (s == PARL_STATUS_OK) s = run(&w);
  parl_rollout_destroy(w.rollout);
  parl_trajectories_destroy(w.set);
  parl_trajectories_destroy(w.changed);
  parl_reward_destroy(w.reward);
  parl_term_table_destroy(w.table);
  free(w.jobs);
  free(w.again);
  free(w.replays);
  free(w.changes);
  free(w.of);
  free(w.marks);
  free(w.places);
  free(w.order);
  free(w.shares.order);
  free(w.shares.made);
  return s;
}
