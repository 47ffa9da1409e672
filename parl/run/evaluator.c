/* parl/run/evaluator.c - held-out tasks, one row an episode. */
#include "parl/run/evaluator.h"

#include <stdlib.h>

#include "core/seeds.h"
#include "parl/run/subs.h"

#define SECTION_TYPE_ parl_eval_config
PARL_CONFIG_SECTION(parl_eval_section, "eval", "evaluation on held-out tasks", PARL_EVAL_FIELDS);
#undef SECTION_TYPE_

typedef struct evaluation {
  parl_rollout *rollout;
  parl_trajectories *set;
  parl_job *jobs;    /* [n] */
  int64_t *attempts; /* [n] earlier episodes of the same drawn task */
  size_t n;
} evaluation;

static void set_jobs(const parl_evaluation_def *def, evaluation *e, double temperature) {
  const uint64_t seed = (uint64_t)def->run->config.eval.seed;
  /* Worlds and their chance are the same for every arm and seed (common random numbers). */
  for (size_t i = 0; i < e->n; i++)
    e->jobs[i] = (parl_job){.task_seed = parl_seed(seed, PARL_PURPOSE_EVAL_TASK, def->set, i),
                            .episode_seed = parl_seed(seed, PARL_PURPOSE_EVAL_EPISODE, def->set, i),
                            .part = PARL_PART_HELD_OUT,
                            .temperature = temperature,
                            .out = parl_trajectories_get(e->set, i)};
}

typedef struct drawn_task {
  uint64_t seed;
  size_t place;
} drawn_task;

static int compare_tasks(const void *a, const void *b) {
  const drawn_task *x = a, *y = b;
  if (x->seed != y->seed) return x->seed < y->seed ? -1 : 1;
  return (x->place > y->place) - (x->place < y->place);
}

parl_status parl_evaluation_count_repeats(const uint64_t *seeds, size_t n, int64_t *out) {
  drawn_task *tasks = calloc(n + 1, sizeof *tasks);
  if (tasks == NULL) return parl_fail(PARL_STATUS_ENOMEM, "evaluation: no memory");
  for (size_t i = 0; i < n; i++) tasks[i] = (drawn_task){seeds[i], i};
  qsort(tasks, n, sizeof *tasks, compare_tasks);
  for (size_t i = 0; i < n; i++) {
    const bool again = i > 0 && tasks[i].seed == tasks[i - 1].seed;
    out[tasks[i].place] = again ? out[tasks[i - 1].place] + 1 : 0;
  }
  free(tasks);
  return PARL_STATUS_OK;
}

/* Which attempt at its task each episode is. */
static parl_status count_attempts(evaluation *e) {
  uint64_t *seeds = calloc(e->n, sizeof *seeds);
  if (seeds == NULL) return parl_fail(PARL_STATUS_ENOMEM, "evaluation: no memory");
  for (size_t i = 0; i < e->n; i++) seeds[i] = e->jobs[i].out->task_seed;
  const parl_status s = parl_evaluation_count_repeats(seeds, e->n, e->attempts);
  free(seeds);
  return s;
}

static parl_status put_episodes(const parl_evaluation_def *def, const evaluation *e,
                                const char *decoding, parl_store *store, int64_t run_id) {
  parl_text text = {0};
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < e->n; i++) {
    parl_episode_row row;
    s = parl_rows_from_trajectory(e->jobs[i].out, parl_rollout_get_env(e->rollout), &text, &row);
    if (s != PARL_STATUS_OK) break;
    row.policy = def->label;
    row.decoding = decoding;
    row.update = def->update;
    row.rollout = e->attempts[i];
    s = parl_rows_put_episode(store, run_id, &row);
  }
  parl_text_deinit(&text);
  return s;
}

static parl_status store_episodes(const parl_evaluation_def *def, evaluation *e,
                                  const char *decoding, parl_store *store, int64_t run_id,
                                  const parl_failures *failures) {
  PARL_TRY(count_attempts(e));
  PARL_TRY(put_episodes(def, e, decoding, store, run_id));
  if (failures->n_failed == 0) return PARL_STATUS_OK;
  return parl_rows_put_failures(store, run_id, PARL_PHASE_EVALUATION, failures);
}

static parl_status play(const parl_evaluation_def *def, evaluation *e, const char *decoding,
                        double temperature, parl_store *store, int64_t run_id,
                        parl_failures *failures) {
  set_jobs(def, e, temperature);
  PARL_TRY(parl_rollout_run(e->rollout, e->jobs, e->n, NULL));
  parl_failures_add(failures, e->rollout);
  if (store != NULL) {
    PARL_TRY(parl_store_begin(store));
    PARL_TRY(parl_store_end(store, store_episodes(def, e, decoding, store, run_id, failures)));
  }
  return parl_failures_check(failures, def->run->config.env.max_failures, PARL_PHASE_EVALUATION,
                             true);
}

static parl_means summarize(const evaluation *e) {
  parl_mean_sums sums = {0};
  for (size_t i = 0; i < e->n; i++)
    parl_mean_sums_add(&sums, &e->jobs[i].out->facts, e->jobs[i].out->failed);
  return parl_mean_sums_get(&sums);
}

static double get_unseen(const evaluation *e) {
  double n = 0;
  for (size_t i = 0; i < e->n; i++) n += e->jobs[i].out->held_out;
  return n / (double)e->n;
}

/* Episodes that failed have no stages. */
static parl_status play_on_slots(const parl_evaluation_def *def, evaluation *e,
                                 parl_slots_means *out) {
  const parl_cost_config *c = &def->run->config.cost;
  const parl_slots_def slots = parl_slots_get(c);
  const parl_cost cost = parl_cost_get(c);
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(e->rollout));
  parl_slots *machine = NULL;
  parl_slots_result result;
  if (c->slots == 0) return PARL_STATUS_OK;
  const parl_stages **stages = calloc(e->n, sizeof *stages);
  if (stages == NULL) return parl_fail(PARL_STATUS_ENOMEM, "evaluation: no memory");
  for (size_t i = 0; i < e->n; i++) stages[i] = &e->jobs[i].out->stages;
  parl_status s = parl_slots_create(&slots, &cost, e->n, (size_t)spec->limits.max_width, &machine);
  if (s == PARL_STATUS_OK) s = parl_slots_play(machine, stages, e->n, &result);
  if (s == PARL_STATUS_OK) *out = parl_slots_get_means(&result, slots.slots);
  parl_slots_destroy(machine);
  free(stages);
  return s;
}

static parl_status evaluate(const parl_evaluation_def *def, evaluation *e, parl_store *store,
                            int64_t run_id, parl_evaluation *out) {
  if (def->style != NULL) {
    PARL_TRY(play(def, e, "scripted", 1.0, store, run_id, &out->failures));
    out->sampled = out->greedy = summarize(e);
    out->unseen = get_unseen(e);
    return play_on_slots(def, e, &out->slots);
  }
  PARL_TRY(play(def, e, "sampled", 1.0, store, run_id, &out->failures));
  out->sampled = summarize(e);
  PARL_TRY(play_on_slots(def, e, &out->slots));
  out->greedy = out->sampled;
  out->unseen = get_unseen(e);
  if (def->sampled_only) return PARL_STATUS_OK;
  PARL_TRY(play(def, e, "greedy", 0.0, store, run_id, &out->failures));
  out->greedy = summarize(e);
  return PARL_STATUS_OK;
}

static parl_status create(const parl_evaluation_def *def, bool is_stored, evaluation *e) {
  e->n = def->n_tasks;
  e->jobs = calloc(e->n, sizeof *e->jobs);
  e->attempts = calloc(e->n, sizeof *e->attempts);
  if (e->jobs == NULL || e->attempts == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "evaluation: no memory");
  parl_rollout_def rollout = parl_run_get_rollout(def->run, def->host->scripts, def->workers);
  if (def->subs != NULL) parl_subs_seat(def->subs, def->policy, PARL_SUBS_LAST, &rollout.seats);
  rollout.seats.main = def->style != NULL ? parl_player_of_script(def->style, 1)
                                          : parl_run_get_orchestrator(def->run, def->policy);
  const int64_t max_width = def->run->config.eval.max_width;
  if (max_width > 0) rollout.config.episode.max_width = max_width;
  rollout.n_jobs = e->n;
  PARL_TRY(parl_rollout_create(&rollout, &e->rollout));
  parl_trajectories_def set = {.n = e->n, .keep_scores = true};
  if (is_stored || def->run->config.cost.slots > 0)
    set.stages = parl_episode_get_stage_limits(parl_env_get_spec(parl_rollout_get_env(e->rollout)),
                                               &def->run->config.episode);
  return parl_trajectories_create(&set, &e->set);
}

parl_status parl_evaluate(const parl_evaluation_def *def, parl_store *store, int64_t run_id,
                          parl_evaluation *out) {
  PARL_REQUIRE(def->n_tasks >= 1 && (def->policy != NULL || def->style != NULL));
  evaluation e = {0};
  *out = (parl_evaluation){.n = (int64_t)def->n_tasks};
  parl_status s = parl_fail_sizes(create(def, store != NULL, &e),
                                  "the evaluation of %zu tasks (eval.tasks)", def->n_tasks);
  if (s == PARL_STATUS_OK) s = evaluate(def, &e, store, run_id, out);
  parl_rollout_destroy(e.rollout);
  parl_trajectories_destroy(e.set);
  free(e.jobs);
  free(e.attempts);
  return s;
}
