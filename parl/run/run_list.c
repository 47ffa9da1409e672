/* parl/run/run_list.c - a line for each run: what it is at, how far it is, how well it does. */
#include "parl/run/run_list.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/json_pull.h"
#include "parl/run/rows.h"

typedef struct list {
  parl_store *store;
  parl_run_line_visitor visit;
  void *context;
  bool has_times; /* are asked for */
} list;

/* --- how far --- */

typedef struct last_value {
  int64_t update;
  double value, sum;
  size_t n;
} last_value;

static parl_status keep_last(void *context, int64_t update, const char *key, double value) {
  (void)key;
  last_value *v = context;
  v->update = update;
  v->value = value;
  v->sum += isfinite(value) ? value : 0;
  v->n++;
  return PARL_STATUS_OK;
}

static parl_status read_key(list *l, int64_t run_id, const char *key, last_value *out) {
  *out = (last_value){.value = (double)NAN};
  return parl_rows_visit_metrics(l->store, run_id, key, keep_last, out);
}

static parl_status read_time(list *l, int64_t run_id, double *out) {
  static const char *const keys[] = {"time/rollout_s", "time/learn_s", "time/evaluate_s"};
  double sum = 0;
  size_t n = 0;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    last_value v;
    PARL_TRY(read_key(l, run_id, keys[i], &v));
    sum += v.sum;
    n += v.n;
  }
  *out = n > 0 ? sum : (double)NAN;
  return PARL_STATUS_OK;
}

static parl_status add_episode(void *context, const parl_episode_row *e) {
  last_value *v = context;
  if (strcmp(e->decoding, "greedy") == 0 || !isfinite(e->facts.r_perf)) return PARL_STATUS_OK;
  v->sum += e->facts.r_perf;
  v->n++;
  return PARL_STATUS_OK;
}

/* The evaluation's if there is one. */
static parl_status read_r_perf(list *l, int64_t run_id, double of_training, double *out) {
  int64_t update;
  last_value v = {.n = 0};
  PARL_TRY(parl_rows_get_last_metric(l->store, run_id, "final/r_perf", &update, out));
  if (update >= 0) return PARL_STATUS_OK;
  *out = of_training;
  if (!isnan(of_training)) return PARL_STATUS_OK;
  PARL_TRY(parl_rows_visit_episodes(l->store, run_id, add_episode, &v));
  if (v.n > 0) *out = v.sum / (double)v.n;
  return PARL_STATUS_OK;
}

/* Moves to the value of a member; false if there is none, or the text is no object. */
static bool find_member(parl_json_pull *p, const char *name) {
  bool is_first = true, more = false;
  parl_json_slice key;
  if (!parl_json_pull_open(p, '{')) return false;
  while (parl_json_pull_more(p, '}', &is_first, &more) && more) {
    if (!parl_json_pull_key(p, &key)) return false;
    if (key.n == strlen(name) && memcmp(key.bytes, name, key.n) == 0) return true;
    if (!parl_json_pull_skip(p)) return false;
  }
  return false;
}

/* A configuration that trains has a section train. No tree is made of it: a folder may hold
 * thousands. */
static parl_status read_plan(const parl_store_run *run, parl_run_line *line) {
  parl_json_pull p = parl_json_pull_of(run->config, strlen(run->config));
  double n_updates;
  line->is_trained = find_member(&p, "train");
  if (line->is_trained && find_member(&p, "updates") && parl_json_pull_number(&p, &n_updates) &&
      n_updates >= 0 && n_updates < 1e15)
    line->n_updates = (int64_t)n_updates;
  if (p.why != NULL)
    return parl_fail(PARL_STATUS_EFORMAT, "a stored configuration: %s at byte %td", p.why,
                     p.at - run->config);
  return PARL_STATUS_OK;
}

/* --- what it is at --- */

/* A status in the store is what its process wrote last; who holds the claim tells whether there is
 * one still. */
static parl_status derive_status(list *l, const parl_store_run *run, parl_run_line *line,
                                 char holder[PARL_CLAIM_HOLDER_BYTES]) {
  parl_store_claim claim;
  int found = 0;
  PARL_TRY(parl_store_find_claim(l->store, run->uid, &found, &claim));
  const bool is_held = found && parl_claim_is_alive(&claim);
  holder[0] = '\0';
  line->holder = holder;
  line->status = run->status;
  if (is_held && strcmp(run->status, "done") != 0) {
    parl_claim_describe(&claim, holder);
    line->status = "running";
  } else if (strcmp(run->status, "running") == 0) {
    line->status = "lost";
  }
  if (run->is_retired) line->status = "retired";
  return PARL_STATUS_OK;
}

static parl_status visit_run(void *context, int64_t run_id, const parl_store_run *run) {
  list *l = context;
  parl_run_line line = {.id = run_id, .run = run, .time_s = (double)NAN};
  char holder[PARL_CLAIM_HOLDER_BYTES];
  int64_t last;
  double r_perf;
  PARL_TRY(derive_status(l, run, &line, holder));
  PARL_TRY(read_plan(run, &line));
  PARL_TRY(parl_rows_get_last_metric(l->store, run_id, "reward/perf", &last, &r_perf));
  line.update = last + 1;
  PARL_TRY(read_r_perf(l, run_id, r_perf, &line.r_perf));
  if (l->has_times) PARL_TRY(read_time(l, run_id, &line.time_s));
  return l->visit(l->context, &line);
}

parl_status parl_run_list_visit(const char *folder, parl_run_line_visitor visit, void *context) {
  char path[1024];
  list l = {.visit = visit, .context = context, .has_times = true};
  PARL_TRY(parl_file_join(path, sizeof path, folder, "store.db"));
  PARL_TRY(parl_rows_open_readonly(path, &l.store));
  const parl_status s = parl_store_visit_runs(l.store, visit_run, &l);
  parl_store_close(l.store);
  return s;
}

parl_status parl_run_list_visit_store(parl_store *store, parl_run_line_visitor visit,
                                      void *context) {
  list l = {.store = store, .visit = visit, .context = context};
  return parl_store_visit_runs(store, visit_run, &l);
}
