/* experiments/serve_data.c - runs, curves, arms and episodes of the store, as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/report_internal.h"
#include "experiments/serve_internal.h"
#include "parl/run/run_list.h"

static void put_text(parl_json_writer *w, const char *key, const char *value) {
  parl_json_key(w, key);
  parl_json_string(w, value);
}

static void put_integer(parl_json_writer *w, const char *key, int64_t value) {
  parl_json_key(w, key);
  parl_json_integer(w, value);
}

static void put_number(parl_json_writer *w, const char *key, double value) {
  parl_json_key(w, key);
  parl_json_number(w, value);
}

/* {"KEY":[ ... ]}: the list is the visitor's. */
static void begin_list(parl_json_writer *w, parl_text *out, const char *key) {
  parl_json_writer_init(w, out, false);
  parl_json_begin_object(w);
  parl_json_key(w, key);
  parl_json_begin_array(w);
}

static void end_list(parl_json_writer *w) {
  parl_json_end_array(w);
  parl_json_end_object(w);
}

static parl_status require_run(const parl_serve_question *q) {
  if (q->run >= 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "which run: run=ID is due");
}

static parl_status require_key(const parl_serve_question *q) {
  if (q->key != NULL && q->key[0] != '\0') return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "which metric: key=NAME is due");
}

/* --- runs --- */

static parl_status write_run(void *context, const parl_run_line *line) {
  parl_json_writer *w = context;
  parl_json_begin_object(w);
  put_integer(w, "id", line->id);
  put_text(w, "recipe", line->run->recipe);
  put_text(w, "arm", line->run->arm);
  put_integer(w, "seed", line->run->seed);
  put_text(w, "status", line->status);
  put_text(w, "holder", line->holder);
  put_text(w, "error", line->run->error);
  parl_json_key(w, "trained");
  parl_json_bool(w, line->is_trained);
  put_integer(w, "update", line->update);
  put_integer(w, "updates", line->n_updates);
  put_number(w, "r_perf", line->r_perf);
  parl_json_end_object(w);
  return PARL_STATUS_OK;
}

parl_status parl_serve_runs(const parl_serve_question *q, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  put_text(&w, "folder", q->folder);
  parl_json_key(&w, "runs");
  parl_json_begin_array(&w);
  PARL_TRY(parl_run_list_visit_store(q->store, write_run, &w));
  end_list(&w);
  return PARL_STATUS_OK;
}

static parl_status write_key(void *context, int64_t update, const char *key, double value) {
  (void)update;
  (void)value;
  parl_json_string(context, key);
  return PARL_STATUS_OK;
}

parl_status parl_serve_keys(const parl_serve_question *q, parl_text *out) {
  parl_json_writer w;
  PARL_TRY(require_run(q));
  begin_list(&w, out, "keys");
  PARL_TRY(parl_rows_visit_keys(q->store, q->run, write_key, &w));
  end_list(&w);
  return PARL_STATUS_OK;
}

/* --- curves --- */

/* A curve in as few buckets as are asked for, each with these numbers of its values. */
typedef enum bucket_number { COUNT, MEAN, LOW, HIGH, N_NUMBERS } bucket_number;
typedef struct bucket {
  double of[N_NUMBERS];
} bucket;
typedef struct curve {
  int64_t last; /* update; -1: none */
  int64_t width;
  bucket of[PARL_SERVE_POINTS];
} curve;

/* For updates up to this one. */
static void make_room(curve *c, int64_t last) {
  if (last > c->last) c->last = last;
  c->width = c->last / PARL_SERVE_POINTS + 1;
}

static parl_status add_value(void *context, int64_t update, const char *key, double value) {
  curve *c = context;
  (void)key;
  if (!isfinite(value) || update < 0 || update > c->last) return PARL_STATUS_OK;
  double *b = c->of[update / c->width].of;
  b[LOW] = b[COUNT] > 0 ? fmin(b[LOW], value) : value;
  b[HIGH] = b[COUNT] > 0 ? fmax(b[HIGH], value) : value;
  b[COUNT]++;
  b[MEAN] += (value - b[MEAN]) / b[COUNT];
  return PARL_STATUS_OK;
}

static void write_buckets(const curve *c, bucket_number which, const char *key,
                          parl_json_writer *w) {
  parl_json_key(w, key);
  parl_json_begin_array(w);
  for (int64_t i = 0; c->last >= 0 && i <= c->last / c->width; i++)
    if (c->of[i].of[COUNT] > 0) parl_json_number(w, c->of[i].of[which]);
  parl_json_end_array(w);
}

/* The last update of a bucket, which may be the curve's. */
static void write_curve(const curve *c, parl_json_writer *w) {
  put_integer(w, "bucket", c->width);
  parl_json_key(w, "updates");
  parl_json_begin_array(w);
  for (int64_t i = 0; c->last >= 0 && i <= c->last / c->width; i++) {
    const int64_t end = (i + 1) * c->width - 1;
    if (c->of[i].of[COUNT] > 0) parl_json_integer(w, end < c->last ? end : c->last);
  }
  parl_json_end_array(w);
  write_buckets(c, MEAN, "mean", w);
  write_buckets(c, LOW, "low", w);
  write_buckets(c, HIGH, "high", w);
}

parl_status parl_serve_curve(const parl_serve_question *q, parl_text *out) {
  parl_json_writer w;
  curve c = {.last = -1};
  int64_t last;
  double value;
  PARL_TRY(require_run(q));
  PARL_TRY(require_key(q));
  PARL_TRY(parl_rows_get_last_metric(q->store, q->run, q->key, &last, &value));
  make_room(&c, last);
  PARL_TRY(parl_rows_visit_metrics(q->store, q->run, q->key, add_value, &c));
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  put_text(&w, "key", q->key);
  write_curve(&c, &w);
  parl_json_end_object(&w);
  return PARL_STATUS_OK;
}

/* --- arms --- */

typedef struct arm {
  char *name;
  size_t n_runs;
  curve curve;
} arm;
typedef struct arm_list {
  const parl_serve_question *q;
  size_t n, capacity, n_runs, run_capacity;
  arm **of;
  struct {
    int64_t id;
    size_t arm;
  } * runs;
} arm_list;

static parl_status find_arm(arm_list *l, const char *name, size_t *out) {
  for (size_t i = l->n; i-- > 0;) { /* the last is the likeliest: runs come arm by arm */
    *out = i;
    if (strcmp(l->of[i]->name, name) == 0) return PARL_STATUS_OK;
  }
  if (l->n == l->capacity) {
    const size_t capacity = 2 * l->capacity + 8;
    void *grown = realloc(l->of, capacity * sizeof *l->of);
    if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu arms", capacity);
    l->of = grown;
    l->capacity = capacity;
  }
  arm *a = calloc(1, sizeof *a);
  if (a != NULL) a->name = strdup(name);
  if (a == NULL || a->name == NULL) {
    free(a);
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for an arm");
  }
  a->curve.last = -1;
  *out = l->n;
  l->of[l->n++] = a;
  return PARL_STATUS_OK;
}

static parl_status note_run(void *context, int64_t run_id, const parl_store_run *run) {
  arm_list *l = context;
  size_t place = 0;
  int64_t last;
  double value;
  if (run->is_retired) return PARL_STATUS_OK;
  PARL_TRY(parl_rows_get_last_metric(l->q->store, run_id, l->q->key, &last, &value));
  if (last < 0) return PARL_STATUS_OK;
  PARL_TRY(find_arm(l, run->arm, &place));
  make_room(&l->of[place]->curve, last);
  if (l->n_runs == l->run_capacity) {
    const size_t capacity = 2 * l->run_capacity + 64;
    void *grown = realloc(l->runs, capacity * sizeof *l->runs);
    if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu runs", capacity);
    l->runs = grown;
    l->run_capacity = capacity;
  }
  l->runs[l->n_runs].id = run_id;
  l->runs[l->n_runs++].arm = place;
  l->of[place]->n_runs++;
  return PARL_STATUS_OK;
}

static parl_status read_arms(arm_list *l) {
  PARL_TRY(parl_store_visit_runs(l->q->store, note_run, l));
  for (size_t i = 0; i < l->n_runs; i++)
    PARL_TRY(parl_rows_visit_metrics(l->q->store, l->runs[i].id, l->q->key, add_value,
                                     &l->of[l->runs[i].arm]->curve));
  return PARL_STATUS_OK;
}

parl_status parl_serve_arms(const parl_serve_question *q, parl_text *out) {
  parl_json_writer w;
  arm_list l = {.q = q};
  PARL_TRY(require_key(q));
  const parl_status s = read_arms(&l);
  begin_list(&w, out, "arms");
  for (size_t i = 0; i < l.n; i++) {
    parl_json_begin_object(&w);
    put_text(&w, "arm", l.of[i]->name);
    put_integer(&w, "runs", (int64_t)l.of[i]->n_runs);
    write_curve(&l.of[i]->curve, &w);
    parl_json_end_object(&w);
    free(l.of[i]->name);
    free(l.of[i]);
  }
  end_list(&w);
  free(l.of);
  free(l.runs);
  return s;
}

/* --- episodes --- */

typedef struct episode_list {
  const parl_serve_question *q;
  parl_json_writer *w;
  parl_text *svg;
  int64_t n;
  char arm[256], recipe[256];
  int64_t seed, eval_seed, n_tasks;
  bool is_found;
} episode_list;

static parl_status note_owner(void *context, int64_t run_id, const parl_store_run *run) {
  episode_list *l = context;
  parl_json *config = NULL;
  if (run_id != l->q->run) return PARL_STATUS_OK;
  l->is_found = true;
  l->seed = run->seed;
  snprintf(l->arm, sizeof l->arm, "%s", run->arm);
  snprintf(l->recipe, sizeof l->recipe, "%s", run->recipe);
  PARL_TRY(parl_json_parse(run->config, strlen(run->config), "a stored configuration", &config));
  l->eval_seed = (int64_t)parl_json_get_number(parl_json_find_path(config, "eval.seed"));
  l->n_tasks = (int64_t)parl_json_get_number(parl_json_find_path(config, "eval.tasks"));
  parl_json_destroy(config);
  return PARL_STATUS_OK;
}

static parl_status find_owner(episode_list *l) {
  PARL_TRY(require_run(l->q));
  PARL_TRY(parl_store_visit_runs(l->q->store, note_owner, l));
  if (l->is_found) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "there is no run %lld", (long long)l->q->run);
}

static parl_status write_episode(void *context, const parl_episode_row *e) {
  episode_list *l = context;
  parl_json_writer *w = l->w;
  if (l->n++ >= PARL_SERVE_EPISODES) return PARL_STATUS_OK;
  parl_json_begin_object(w);
  put_integer(w, "row", l->n - 1);
  put_text(w, "decoding", e->decoding);
  put_text(w, "family", e->family);
  put_integer(w, "update", e->update);
  put_integer(w, "task", parl_timeline_get_number(l->eval_seed, l->n_tasks, e->episode_seed));
  put_number(w, "r_perf", e->failed ? (double)NAN : e->facts.r_perf);
  put_number(w, "critical_steps", e->facts.critical_steps);
  put_number(w, "total_steps", e->facts.total_steps);
  put_number(w, "assigned", e->facts.assigned);
  put_text(w, "end", e->failed ? "error" : parl_end_text(e->facts.end));
  parl_json_key(w, "picture");
  parl_json_bool(w, !e->failed && e->stages != NULL && e->stages[0] != '\0');
  parl_json_end_object(w);
  return PARL_STATUS_OK;
}

parl_status parl_serve_episodes(const parl_serve_question *q, parl_text *out) {
  parl_json_writer w;
  episode_list l = {.q = q, .w = &w};
  PARL_TRY(find_owner(&l));
  begin_list(&w, out, "episodes");
  PARL_TRY(parl_rows_visit_episodes(q->store, q->run, write_episode, &l));
  parl_json_end_array(&w);
  put_integer(&w, "all", l.n);
  parl_json_end_object(&w);
  return PARL_STATUS_OK;
}

static parl_status draw_episode(void *context, const parl_episode_row *e) {
  episode_list *l = context;
  if (l->n++ != l->q->row || e->failed || e->stages == NULL || e->stages[0] == '\0')
    return PARL_STATUS_OK;
  parl_timeline t;
  const parl_timeline_title title = {
      .recipe = l->recipe,
      .arm = l->arm,
      .policy = e->policy,
      .decoding = e->decoding,
      .family = e->family,
      .end = parl_end_text(e->facts.end),
      .seed = l->seed,
      .update = e->update,
      .task_seed = e->task_seed,
      .number = parl_timeline_get_number(l->eval_seed, l->n_tasks, e->episode_seed),
      .r_perf = e->facts.r_perf,
      .optimum_steps = e->facts.optimum_steps};
  const parl_status s = parl_timeline_read(&title, e->stages, strlen(e->stages), &t);
  if (s == PARL_STATUS_OK) parl_timeline_append_svg(&t, l->svg);
  parl_timeline_deinit(&t);
  return s;
}

parl_status parl_serve_episode(const parl_serve_question *q, parl_text *out) {
  episode_list l = {.q = q, .svg = out};
  PARL_TRY(find_owner(&l));
  PARL_TRY(parl_rows_visit_episodes(q->store, q->run, draw_episode, &l));
  if (out->n > 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "there is no picture %lld of run %lld", (long long)q->row,
                   (long long)q->run);
}
