/* parl/run/metric_log.c - where logs lie, what is in them, and the two formats. */
#include "parl/run/metric_log.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/event_file.h"
#include "core/file.h"
#include "core/json.h"
#include "parl/run/rows.h"

#define EVENTS "events.out.tfevents."

static parl_status fail_path(const char *folder) {
  return parl_fail(PARL_STATUS_EINVAL, "run.dir or an arm's name is too long for a log: %s",
                   folder);
}

/* --- where --- */

/* The folder of event files, or the file of lines. */
static parl_status get_place(parl_metric_log_format format, const char *folder, const char *arm,
                             int64_t seed, char out[1024]) {
  const bool is_events = format == PARL_METRIC_LOG_TENSORBOARD;
  const int n = snprintf(out, 1024, "%s/%s/%s-s%" PRId64 "%s", folder,
                         is_events ? "tensorboard" : "jsonl", arm, seed, is_events ? "" : ".jsonl");
  return n > 0 && n < 1024 ? PARL_STATUS_OK : fail_path(folder);
}

/* A name later than those that are there: readers go on to it. */
static parl_status get_events_path(const char *place, char out[1024]) {
  char host[64] = "";
  if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') snprintf(host, 8, "host");
  const int n = snprintf(out, 1024, "%s/" EVENTS "%010lld.%s.%ld", place,
                         (long long)parl_clock_wall_s(), host, (long)getpid());
  return n > 0 && n < 1024 ? PARL_STATUS_OK : fail_path(place);
}

static parl_status remove_file(const char *path) {
  if (unlink(path) == 0 || errno == ENOENT) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EIO, "%s: cannot delete: %s", path, strerror(errno));
}

/* Counts event files in *n, or if n is NULL removes them, but for `kept`. */
static parl_status visit_events(const char *place, const char *kept, size_t *n) {
  parl_status s = PARL_STATUS_OK;
  DIR *folder = opendir(place);
  if (folder == NULL) return PARL_STATUS_OK;
  for (struct dirent *e; s == PARL_STATUS_OK && (e = readdir(folder)) != NULL;) {
    char path[1024];
    if (strncmp(e->d_name, EVENTS, sizeof EVENTS - 1) != 0) continue;
    s = parl_file_join(path, sizeof path, place, e->d_name);
    if (s == PARL_STATUS_OK && n != NULL)
      ++*n;
    else if (s == PARL_STATUS_OK && strcmp(path, kept) != 0)
      s = remove_file(path);
  }
  closedir(folder);
  return s;
}

bool parl_metric_log_exists(parl_metric_log_format format, const char *folder, const char *arm,
                            int64_t seed) {
  char place[1024];
  size_t n = 0;
  if (get_place(format, folder, arm, seed, place) != PARL_STATUS_OK) return false;
  if (format == PARL_METRIC_LOG_JSONL) return parl_file_exists(place);
  return visit_events(place, "", &n) == PARL_STATUS_OK && n > 0;
}

parl_status parl_metric_log_remove(const char *folder, const char *arm, int64_t seed) {
  char place[1024];
  PARL_TRY(get_place(PARL_METRIC_LOG_JSONL, folder, arm, seed, place));
  PARL_TRY(remove_file(place));
  PARL_TRY(get_place(PARL_METRIC_LOG_TENSORBOARD, folder, arm, seed, place));
  PARL_TRY(visit_events(place, "", NULL));
  (void)rmdir(place); /* what else lies there is not ours */
  return PARL_STATUS_OK;
}

/* --- the formats --- */

static bool is_any(const double *values, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isnan(values[i])) return true;
  return false;
}

static void append_line(const parl_metric_log *log, int64_t update, const char *const *keys,
                        const double *values, size_t n, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "arm");
  parl_json_string(&w, log->arm);
  parl_json_key(&w, "seed");
  parl_json_integer(&w, log->seed);
  parl_json_key(&w, "update");
  parl_json_integer(&w, update);
  parl_json_key(&w, "metrics");
  parl_json_begin_object(&w);
  for (size_t i = 0; i < n; i++) {
    if (isnan(values[i])) continue;
    parl_json_key(&w, keys[i]);
    parl_json_number(&w, values[i]);
  }
  parl_json_end_object(&w);
  parl_json_end_object(&w);
  parl_text_append(out, "\n");
}

static void append(const parl_metric_log *log, double wall_s, int64_t update,
                   const char *const *keys, const double *values, size_t n, parl_text *out) {
  if (!is_any(values, n)) return;
  if (log->format == PARL_METRIC_LOG_JSONL)
    append_line(log, update, keys, values, n, out);
  else
    parl_event_file_append_scalars(out, wall_s, update, keys, values, n);
}

/* --- what the store has --- */

/* Metrics of updates as columns, which the store gives one after another. */
typedef struct history {
  size_t n_keys, capacity, n_updates; /* updates: room for them */
  char **keys;                        /* [n_keys] owned */
  double **columns;                   /* [n_keys][n_updates] owned */
} history;

static void history_deinit(history *h) {
  for (size_t i = 0; i < h->n_keys; i++) {
    free(h->keys[i]);
    free(h->columns[i]);
  }
  free(h->keys);
  free(h->columns);
}

static parl_status add_key(history *h, const char *key) {
  if (h->n_keys == h->capacity) {
    const size_t capacity = h->capacity == 0 ? 64 : 2 * h->capacity;
    char **keys = realloc(h->keys, capacity * sizeof *keys);
    if (keys != NULL) h->keys = keys;
    double **columns = realloc(h->columns, capacity * sizeof *columns);
    if (columns != NULL) h->columns = columns;
    if (keys == NULL || columns == NULL)
      return parl_fail(PARL_STATUS_ENOMEM, "log: no memory for metrics");
    h->capacity = capacity;
  }
  char *copy = strdup(key);
  double *column = malloc(h->n_updates * sizeof *column);
  if (copy == NULL || column == NULL) {
    free(copy);
    free(column);
    return parl_fail(PARL_STATUS_ENOMEM, "log: no memory for %zu updates", h->n_updates);
  }
  for (size_t i = 0; i < h->n_updates; i++) column[i] = (double)NAN;
  h->keys[h->n_keys] = copy;
  h->columns[h->n_keys++] = column;
  return PARL_STATUS_OK;
}

/* They are of update 0 by name only, or of other steps than updates. */
static bool is_logged(const char *key) {
  static const char *const others[] = {"warm/", "forecast/", "warning/", "pretrain/"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (strncmp(key, others[i], strlen(others[i])) == 0) return false;
  return true;
}

static parl_status count_updates(void *context, int64_t update, const char *key, double value) {
  (void)key;
  (void)value;
  history *h = context;
  if (update >= (int64_t)h->n_updates) h->n_updates = (size_t)update + 1;
  return PARL_STATUS_OK;
}

static parl_status take(void *context, int64_t update, const char *key, double value) {
  history *h = context;
  if (!is_logged(key) || update < 0 || (size_t)update >= h->n_updates) return PARL_STATUS_OK;
  if (h->n_keys == 0 || strcmp(h->keys[h->n_keys - 1], key) != 0) PARL_TRY(add_key(h, key));
  h->columns[h->n_keys - 1][update] = value;
  return PARL_STATUS_OK;
}

static double get_seconds(const history *h, size_t update) {
  double sum = 0;
  for (size_t k = 0; k < h->n_keys; k++)
    if (strcmp(h->keys[k], "time/rollout_s") == 0 || strcmp(h->keys[k], "time/learn_s") == 0)
      sum += isnan(h->columns[k][update]) ? 0 : h->columns[k][update];
  return sum;
}

/* When updates ended is not known, how long they took is: the last one ended now. */
static parl_status append_history(const parl_metric_log *log, const history *h, parl_text *out) {
  double wall_s = parl_clock_wall_s();
  double *values = malloc((h->n_keys + 1) * sizeof *values);
  if (values == NULL) return parl_fail(PARL_STATUS_ENOMEM, "log: no memory for an update");
  for (size_t u = 0; u < h->n_updates; u++) wall_s -= get_seconds(h, u);
  if (log->format == PARL_METRIC_LOG_TENSORBOARD) parl_event_file_begin(out, wall_s);
  for (size_t u = 0; u < h->n_updates; u++) {
    for (size_t k = 0; k < h->n_keys; k++) values[k] = h->columns[k][u];
    wall_s += get_seconds(h, u);
    append(log, wall_s, (int64_t)u, (const char *const *)h->keys, values, h->n_keys, out);
  }
  free(values);
  return parl_text_status(out);
}

static parl_status write_anew(const parl_metric_log *log) {
  history h = {0};
  parl_text text = {0};
  parl_status s =
      parl_rows_visit_metrics(log->store, log->run_id, "reward/total", count_updates, &h);
  if (s == PARL_STATUS_OK)
    s = parl_rows_visit_metrics(log->store, log->run_id, "final/r_perf", count_updates, &h);
  if (s == PARL_STATUS_OK && h.n_updates > 0)
    s = parl_rows_visit_metrics(log->store, log->run_id, NULL, take, &h);
  if (s == PARL_STATUS_OK) s = append_history(log, &h, &text);
  if (s == PARL_STATUS_OK) s = parl_file_write(log->path, text.bytes, text.n);
  parl_text_deinit(&text);
  history_deinit(&h);
  return s;
}

/* --- the log --- */

parl_status parl_metric_log_open(parl_metric_log *log, parl_metric_log_format format,
                                 const char *folder, const char *arm, int64_t seed,
                                 parl_store *store, int64_t run_id) {
  char place[1024], parent[1024];
  *log = (parl_metric_log){.format = format,
                           .folder = folder,
                           .arm = arm,
                           .seed = seed,
                           .store = store,
                           .run_id = run_id};
  PARL_TRY(get_place(format, folder, arm, seed, place));
  if (format == PARL_METRIC_LOG_JSONL) {
    memcpy(log->path, place, sizeof place);
    PARL_TRY(parl_file_join(parent, sizeof parent, folder, "jsonl"));
    PARL_TRY(parl_file_make_folder(parent));
    parl_file_remove_stale(parent, "*.jsonl");
    return write_anew(log);
  }
  PARL_TRY(parl_file_make_folder(place));
  PARL_TRY(get_events_path(place, log->path));
  PARL_TRY(write_anew(log));
  return visit_events(place, log->path, NULL); /* what the new one says anew */
}

parl_status parl_metric_log_append(parl_metric_log *log, int64_t update, const char *const *keys,
                                   const double *values, size_t n) {
  if (!parl_file_exists(log->path))
    return parl_metric_log_open(log, log->format, log->folder, log->arm, log->seed, log->store,
                                log->run_id);
  parl_text text = {0};
  append(log, parl_clock_wall_s(), update, keys, values, n, &text);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_file_append(log->path, text.bytes, text.n);
  parl_text_deinit(&text);
  return s;
}
