/* experiments/timeline_store.c - an episode's row, as the command line names it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/seeds.h"
#include "experiments/timeline.h"
#include "parl/run/rows.h"

typedef struct finder {
  const parl_timeline_query *query;
  parl_store *store;
  parl_timeline *out;
  int64_t run_id; /* 0: not found */
  char arm[256], recipe[256];
  int64_t seed, eval_seed, n_tasks;
  bool is_found;
} finder;

int64_t parl_timeline_get_number(int64_t eval_seed, int64_t n_tasks, int64_t episode_seed) {
  for (int64_t i = 0; i < n_tasks; i++)
    if ((int64_t)parl_seed((uint64_t)eval_seed, PARL_PURPOSE_EVAL_EPISODE, 0, (uint64_t)i) ==
        episode_seed)
      return i;
  return -1;
}

/* The first run that is named and not retired. */
static parl_status note_run(void *context, int64_t run_id, const parl_store_run *run) {
  finder *f = context;
  const parl_timeline_query *q = f->query;
  const bool is_named =
      (q->arm == NULL || strcmp(q->arm, run->arm) == 0) && (q->seed < 0 || q->seed == run->seed);
  parl_json *config = NULL;
  if (f->run_id != 0 || run->is_retired || !is_named) return PARL_STATUS_OK;
  f->run_id = run_id;
  f->seed = run->seed;
  snprintf(f->arm, sizeof f->arm, "%s", run->arm);
  snprintf(f->recipe, sizeof f->recipe, "%s", run->recipe);
  PARL_TRY(parl_json_parse(run->config, strlen(run->config), "the stored configuration", &config));
  f->eval_seed = (int64_t)parl_json_get_number(parl_json_find_path(config, "eval.seed"));
  f->n_tasks = (int64_t)parl_json_get_number(parl_json_find_path(config, "eval.tasks"));
  parl_json_destroy(config);
  return PARL_STATUS_OK;
}

static bool is_wanted(const finder *f, const parl_episode_row *e) {
  const parl_timeline_query *q = f->query;
  if (q->update >= 0) return e->update == q->update && e->rollout == q->episode;
  const uint64_t seed =
      parl_seed((uint64_t)f->eval_seed, PARL_PURPOSE_EVAL_EPISODE, 0, (uint64_t)q->episode);
  const bool is_greedy = strcmp(e->decoding, "greedy") == 0;
  return q->episode < f->n_tasks && e->episode_seed == (int64_t)seed && is_greedy == q->greedy;
}

static parl_status note_episode(void *context, const parl_episode_row *e) {
  finder *f = context;
  if (f->is_found || !is_wanted(f, e)) return PARL_STATUS_OK;
  f->is_found = true;
  if (e->failed)
    return parl_fail(PARL_STATUS_EINVAL, "the script of that episode failed: there are no turns");
  if (e->stages == NULL || e->stages[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "the turns of that episode were not kept");
  const parl_timeline_title title = {.recipe = f->recipe,
                                     .arm = f->arm,
                                     .policy = e->policy,
                                     .decoding = e->decoding,
                                     .family = e->family,
                                     .end = parl_end_text(e->facts.end),
                                     .seed = f->seed,
                                     .update = e->update,
                                     .task_seed = e->task_seed,
                                     .number = f->query->episode,
                                     .is_training = f->query->update >= 0,
                                     .r_perf = e->facts.r_perf,
                                     .optimum_steps = e->facts.optimum_steps};
  return parl_timeline_read(&title, e->stages, strlen(e->stages), f->out);
}

static parl_status refuse_run(const parl_timeline_query *q) {
  char seed[32] = "";
  if (q->seed >= 0) snprintf(seed, sizeof seed, ", seed %lld", (long long)q->seed);
  return parl_fail(PARL_STATUS_EINVAL, "no run of %s%s%s; parl runs %s lists them",
                   q->arm != NULL ? "arm " : "any arm", q->arm != NULL ? q->arm : "", seed,
                   q->folder);
}

static parl_status refuse_episode(const finder *f) {
  const parl_timeline_query *q = f->query;
  if (q->update >= 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "no episode %lld of update %lld of arm %s, seed %lld: train.store_episodes "
                     "says which are kept",
                     (long long)q->episode, (long long)q->update, f->arm, (long long)f->seed);
  return parl_fail(PARL_STATUS_EINVAL,
                   "no %sepisode of held-out task %lld of arm %s, seed %lld; it was evaluated on "
                   "eval.tasks = %lld",
                   q->greedy ? "greedy " : "", (long long)q->episode, f->arm, (long long)f->seed,
                   (long long)f->n_tasks);
}

static parl_status find(finder *f) {
  const bool is_training = f->query->update >= 0;
  PARL_TRY(parl_store_hold(f->store));
  PARL_TRY(parl_store_visit_runs(f->store, note_run, f));
  if (f->run_id == 0) return refuse_run(f->query);
  PARL_TRY(parl_store_check_run(f->store, f->run_id));
  PARL_TRY((is_training ? parl_rows_visit_training_episodes : parl_rows_visit_episodes)(
      f->store, f->run_id, note_episode, f));
  return f->is_found ? PARL_STATUS_OK : refuse_episode(f);
}

parl_status parl_timeline_find(const parl_timeline_query *query, parl_timeline *out) {
  char path[4096];
  finder f = {.query = query, .out = out};
  *out = (parl_timeline){.n_turns = 0};
  PARL_TRY(parl_file_join(path, sizeof path, query->folder, "store.db"));
  PARL_TRY(parl_rows_open_readonly(path, &f.store));
  const parl_status s = find(&f);
  parl_store_close(f.store);
  return parl_fail_context(s, "%s", query->folder);
}
