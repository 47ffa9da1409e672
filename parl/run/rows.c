/* parl/run/rows.c - rows as structs, and as the values that a store keeps. */
#include "parl/run/rows.h"

#include <math.h>
#include <string.h>

/* --- the tables --- */

static const parl_store_column metric_columns[] = {
    {"key", PARL_STORE_TEXT, true},
    {PARL_STORE_UPDATE, PARL_STORE_INTEGER, true},
    {"value", PARL_STORE_REAL, false},
};

/* What names an episode, and what follows the facts. X(name, type, is_needed) */
#define EPISODE_KEY_LIST(X)              \
  X(policy, PARL_STORE_TEXT, true)       \
  X(decoding, PARL_STORE_TEXT, true)     \
  X(at_update, PARL_STORE_INTEGER, true) \
  X(family, PARL_STORE_TEXT, true)       \
  X(task_seed, PARL_STORE_INTEGER, true) \
  X(rollout, PARL_STORE_INTEGER, true)
#define EPISODE_TAIL_LIST(X)            \
  X(end, PARL_STORE_TEXT, true)         \
  X(failed, PARL_STORE_INTEGER, false)  \
  X(optimum_is, PARL_STORE_TEXT, false) \
  X(scores, PARL_STORE_TEXT, false)     \
  X(stages, PARL_STORE_TEXT, false)     \
  X(written, PARL_STORE_TEXT, false)    \
  X(episode_seed, PARL_STORE_INTEGER, false)

#define ADD(name, type, is_needed) {#name, type, is_needed},
/* What has no unit is a real number; the others count. */
#define IS_REAL(unit) (sizeof(unit) <= sizeof "0/1")
#define ADD_FACT(name, unit, meaning) \
  ADD(name, IS_REAL(unit) ? PARL_STORE_REAL : PARL_STORE_COUNT, false)
static const parl_store_column episode_columns[] = {EPISODE_KEY_LIST(ADD)
#define tokens n_tokens /* as version 1 called the column of that fact */
                                                        PARL_FACT_LIST(ADD_FACT)
#undef tokens
                                                            EPISODE_TAIL_LIST(ADD)};
#undef ADD
#undef ADD_FACT
#undef IS_REAL

/* Places in that list. */
enum {
#define ADD(name, type, is_needed) COLUMN_##name,
#define ADD_FACT(name, ...) COLUMN_##name,
  EPISODE_KEY_LIST(ADD) PARL_FACT_LIST(ADD_FACT) EPISODE_TAIL_LIST(ADD) N_EPISODE_COLUMNS
#undef ADD
#undef ADD_FACT
};

static const parl_store_column failure_columns[] = {
    {"phase", PARL_STORE_TEXT, true},
    {"n", PARL_STORE_INTEGER, true},
    {"n_failed", PARL_STORE_INTEGER, true},
    {"error", PARL_STORE_TEXT, true},
};
static const parl_store_column checkpoint_columns[] = {
    {PARL_STORE_UPDATE, PARL_STORE_INTEGER, true},
    {"path", PARL_STORE_TEXT, true},
    {"sha256", PARL_STORE_TEXT, true},
};

static const parl_store_column rung_columns[] = {
    {PARL_STORE_UPDATE, PARL_STORE_INTEGER, true},
    {"n", PARL_STORE_INTEGER, true},
    {"r_perf", PARL_STORE_REAL, false},
};

#define COUNT(columns) (sizeof(columns) / sizeof(columns)[0])
enum { METRIC, EPISODE, TRAINING, FAILURE, CHECKPOINT, RUNG, N_TABLES };
static const parl_store_table tables[N_TABLES] = {
    [METRIC] = {"metric", PARL_STORE_KIND_HISTORY, metric_columns, COUNT(metric_columns), 2},
    [EPISODE] = {"episode", PARL_STORE_KIND_HISTORY, episode_columns, COUNT(episode_columns), 6},
    [TRAINING] = {"training_episode", PARL_STORE_KIND_HISTORY, episode_columns,
                  COUNT(episode_columns), 6},
    [FAILURE] = {"failure", PARL_STORE_KIND_SEALED, failure_columns, COUNT(failure_columns), 1},
    [CHECKPOINT] = {"checkpoint", PARL_STORE_KIND_LOOSE, checkpoint_columns,
                    COUNT(checkpoint_columns), 1},
    [RUNG] = {"rung", PARL_STORE_KIND_LOOSE, rung_columns, COUNT(rung_columns), 1},
};
_Static_assert(COUNT(episode_columns) == N_EPISODE_COLUMNS, "the places are those of the columns");
_Static_assert((int)N_EPISODE_COLUMNS <= (int)PARL_STORE_MAX_COLUMNS,
               "the store has room for them");

parl_status parl_rows_use(parl_store *store) {
  return parl_store_use_tables(store, tables, N_TABLES);
}

static parl_status use(parl_store *store, parl_store **out) {
  const parl_status s = parl_rows_use(store);
  if (s == PARL_STATUS_OK)
    *out = store;
  else
    parl_store_close(store);
  return s;
}

parl_status parl_rows_open(const char *path, parl_store **out) {
  parl_store *store = NULL;
  PARL_TRY(parl_store_open(path, &store));
  return use(store, out);
}

parl_status parl_rows_open_readonly(const char *path, parl_store **out) {
  parl_store *store = NULL;
  PARL_TRY(parl_store_open_readonly(path, &store));
  return use(store, out);
}

void parl_rows_say_missing(const parl_store *store, const char *path, parl_log *log) {
  const char *missing = parl_store_get_missing(store);
  if (missing[0] != '\0')
    parl_log_write(log, PARL_LOG_INFO,
                   "%s: an older parl wrote it; added, and unknown in its rows: %s", path, missing);
}

/* --- metrics --- */

parl_status parl_rows_put_metric(parl_store *store, int64_t run_id, int64_t update, const char *key,
                                 double value) {
  const parl_store_value values[] = {{.text = key}, {.integer = update}, {.number = value}};
  return parl_store_put_row(store, run_id, &tables[METRIC], values);
}

typedef struct metric_visit {
  parl_metric_visitor visit;
  void *context;
} metric_visit;

static parl_status read_metric(void *context, const parl_store_value *v) {
  const metric_visit *m = context;
  return m->visit(m->context, v[1].integer, v[0].text, v[2].number);
}

parl_status parl_rows_visit_metrics(parl_store *store, int64_t run_id, const char *key,
                                    parl_metric_visitor visit, void *context) {
  return parl_store_visit_rows(store, run_id, &tables[METRIC], &(parl_store_value){.text = key},
                               key != NULL, read_metric, &(metric_visit){visit, context});
}

static parl_status keep_metric(void *context, const parl_store_value *v) {
  parl_store_value *kept = context;
  kept[0] = v[1];
  kept[1] = v[2];
  return PARL_STATUS_OK;
}

parl_status parl_rows_get_last_metric(parl_store *store, int64_t run_id, const char *key,
                                      int64_t *update, double *value) {
  parl_store_value kept[2] = {{.integer = -1}, {.number = 0}};
  PARL_TRY(parl_store_visit_part(store, run_id, &tables[METRIC], &(parl_store_value){.text = key},
                                 1, &(parl_store_part){.backwards = true, .limit = 1}, keep_metric,
                                 kept));
  *update = kept[0].integer;
  *value = *update < 0 ? (double)NAN : kept[1].number;
  return PARL_STATUS_OK;
}

typedef struct key_visit {
  metric_visit outer;
  parl_text key; /* the last one that was found */
  bool is_found;
} key_visit;

static parl_status read_first(void *context, const parl_store_value *v) {
  key_visit *k = context;
  k->is_found = true;
  parl_text_clear(&k->key);
  parl_text_append(&k->key, v[0].text);
  PARL_TRY(parl_text_status(&k->key));
  return k->outer.visit(k->outer.context, v[1].integer, v[0].text, v[2].number);
}

parl_status parl_rows_visit_keys(parl_store *store, int64_t run_id, parl_metric_visitor visit,
                                 void *context) {
  key_visit k = {.outer = {visit, context}, .is_found = true};
  parl_status s = PARL_STATUS_OK;
  while (s == PARL_STATUS_OK && k.is_found) {
    parl_text last = k.key; /* what a row finds goes into another text */
    k.key = (parl_text){0};
    k.is_found = false;
    const parl_store_value after = {.text = parl_text_get(&last)};
    s = parl_store_visit_part(store, run_id, &tables[METRIC], NULL, 0,
                              &(parl_store_part){.after = &after, .limit = 1}, read_first, &k);
    parl_text_deinit(&last);
  }
  parl_text_deinit(&k.key);
  return s;
}

/* NaN there: the model has no such thing. Elsewhere it says that a share of nothing was asked. */
static bool may_be_absent(const char *key) {
  return strncmp(key, "attention/", 10) == 0 || strncmp(key, "experts/", 8) == 0 ||
         strncmp(key, "credit/", 7) == 0 || strncmp(key, "rollout/", 8) == 0 ||
         strncmp(key, "gradient/", 9) == 0 || strncmp(key, "agents/", 7) == 0 ||
         strncmp(key, "slots/", 6) == 0 || strncmp(key, "tasks/", 6) == 0 ||
         strcmp(key, "time/joules") == 0;
}

parl_status parl_rows_put_metrics(parl_store *store, int64_t run_id, int64_t update,
                                  const parl_metric_table *table, const parl_metrics *m) {
  const double *values = parl_metrics_get_values(m);
  for (size_t i = 0; i < table->n; i++)
    if (!isnan(values[i]) || !may_be_absent(table->keys[i]))
      PARL_TRY(parl_rows_put_metric(store, run_id, update, table->keys[i], values[i]));
  return PARL_STATUS_OK;
}

typedef struct reading {
  int64_t update;
  const parl_metric_table *table;
  double *values; /* [n of table] */
  bool is_there[sizeof(parl_metrics) / sizeof(double)];
} reading;

static parl_status read_one(void *context, int64_t update, const char *key, double value) {
  reading *r = context;
  for (size_t i = 0; update == r->update && i < r->table->n; i++)
    if (strcmp(r->table->keys[i], key) == 0) {
      r->values[i] = value;
      r->is_there[i] = true;
    }
  return PARL_STATUS_OK;
}

parl_status parl_rows_get_metrics(parl_store *store, int64_t run_id, int64_t update,
                                  const parl_metric_table *table, parl_metrics *out,
                                  parl_text *missing) {
  reading r = {.update = update, .table = table, .values = (double *)(void *)out};
  parl_metrics_set_undefined(out);
  PARL_TRY(parl_rows_visit_metrics(store, run_id, NULL, read_one, &r));
  for (size_t i = 0; i < table->n; i++)
    if (!r.is_there[i] && !may_be_absent(table->keys[i]))
      parl_text_appendf(missing, "%s%s", missing->n > 0 ? ", " : "", table->keys[i]);
  return parl_text_status(missing);
}

/* --- episodes --- */

static void to_values(const parl_episode_row *e, parl_store_value *v) {
  parl_facts facts = e->facts;
  if (e->failed) facts.r_perf = facts.success = (double)NAN;
  v[COLUMN_policy].text = e->policy;
  v[COLUMN_decoding].text = e->decoding;
  v[COLUMN_at_update].integer = e->update;
  v[COLUMN_family].text = e->family;
  v[COLUMN_task_seed].integer = e->task_seed;
  v[COLUMN_rollout].integer = e->rollout;
#define X(name, ...) v[COLUMN_##name].number = facts.name;
  PARL_FACT_LIST(X)
#undef X
  v[COLUMN_end].text = parl_end_text(facts.end);
  v[COLUMN_failed].integer = e->failed;
  v[COLUMN_optimum_is].text = parl_optimum_kind_text(facts.optimum_is);
  v[COLUMN_scores].text = e->scores;
  v[COLUMN_stages].text = e->stages;
  v[COLUMN_written].text = e->written;
  v[COLUMN_episode_seed].integer = e->episode_seed;
}

static parl_episode_row from_values(const parl_store_value *v) {
  parl_episode_row e = {.policy = v[COLUMN_policy].text,
                        .decoding = v[COLUMN_decoding].text,
                        .update = v[COLUMN_at_update].integer,
                        .family = v[COLUMN_family].text,
                        .task_seed = v[COLUMN_task_seed].integer,
                        .rollout = v[COLUMN_rollout].integer,
                        .failed = v[COLUMN_failed].integer != 0,
                        .scores = v[COLUMN_scores].text,
                        .stages = v[COLUMN_stages].text,
                        .written = v[COLUMN_written].text,
                        .episode_seed = v[COLUMN_episode_seed].integer};
#define X(name, ...) e.facts.name = v[COLUMN_##name].number;
  PARL_FACT_LIST(X)
#undef X
  e.facts.end = parl_end_find(v[COLUMN_end].text);
  e.facts.optimum_is = parl_optimum_kind_find(v[COLUMN_optimum_is].text);
  if (e.facts.optimum_is == PARL_N_OPTIMUM_KINDS) e.facts.optimum_is = PARL_OPTIMUM_UNSTATED;
  return e;
}

static parl_status put_episode(parl_store *store, int64_t run_id, const parl_store_table *table,
                               const parl_episode_row *episode) {
  parl_store_value values[N_EPISODE_COLUMNS];
  to_values(episode, values);
  return parl_store_put_row(store, run_id, table, values);
}

parl_status parl_rows_put_episode(parl_store *store, int64_t run_id,
                                  const parl_episode_row *episode) {
  return put_episode(store, run_id, &tables[EPISODE], episode);
}

parl_status parl_rows_put_training_episode(parl_store *store, int64_t run_id,
                                           const parl_episode_row *episode) {
  return put_episode(store, run_id, &tables[TRAINING], episode);
}

/* "[12,-5,7]" */
static void append_written(const parl_recording *r, parl_text *out) {
  for (size_t i = 0; i < r->n; i++)
    parl_text_appendf(out, "%s%s%d", i > 0 ? "," : "[", r->items[i].is_choice ? "" : "-",
                      (int)r->items[i].token);
  if (r->n > 0) parl_text_append(out, "]");
}

parl_status parl_rows_from_trajectory(const parl_trajectory *trajectory, const parl_env *env,
                                      parl_text *text, parl_episode_row *out) {
  const bool has_stages = trajectory->stages.n > 0;
  parl_text_clear(text);
  if (has_stages) PARL_TRY(parl_stages_append_json(&trajectory->stages, env, text));
  parl_text_append_bytes(text, "", 1); /* one behind the other */
  const size_t written = text->n;
  if (!trajectory->recording.is_cut) append_written(&trajectory->recording, text);
  PARL_TRY(parl_text_status(text));
  *out = (parl_episode_row){.task_seed = (int64_t)trajectory->task_seed,
                            .episode_seed = (int64_t)trajectory->episode_seed,
                            .family = trajectory->family,
                            .failed = trajectory->failed,
                            .facts = trajectory->facts,
                            .scores = parl_text_get(&trajectory->scores),
                            .stages = has_stages ? parl_text_get(text) : NULL,
                            .written = parl_text_get(text) + written};
  return PARL_STATUS_OK;
}

typedef struct episode_visit {
  parl_episode_visitor visit;
  void *context;
} episode_visit;

static parl_status read_episode(void *context, const parl_store_value *values) {
  const episode_visit *v = context;
  const parl_episode_row e = from_values(values);
  return v->visit(v->context, &e);
}

parl_status parl_rows_visit_episodes(parl_store *store, int64_t run_id, parl_episode_visitor visit,
                                     void *context) {
  return parl_store_visit_rows(store, run_id, &tables[EPISODE], NULL, 0, read_episode,
                               &(episode_visit){visit, context});
}

parl_status parl_rows_visit_training_episodes(parl_store *store, int64_t run_id,
                                              parl_episode_visitor visit, void *context) {
  return parl_store_visit_rows(store, run_id, &tables[TRAINING], NULL, 0, read_episode,
                               &(episode_visit){visit, context});
}

/* --- failures --- */

parl_status parl_rows_put_failure(parl_store *store, int64_t run_id,
                                  const parl_failure_row *failure) {
  const parl_store_value values[] = {{.text = failure->phase},
                                     {.integer = failure->n},
                                     {.integer = failure->n_failed},
                                     {.text = failure->error}};
  return parl_store_put_row(store, run_id, &tables[FAILURE], values);
}

typedef struct failure_visit {
  parl_failure_visitor visit;
  void *context;
} failure_visit;

static parl_status read_failure(void *context, const parl_store_value *v) {
  const failure_visit *f = context;
  return f->visit(
      f->context,
      &(parl_failure_row){
          .phase = v[0].text, .n = v[1].integer, .n_failed = v[2].integer, .error = v[3].text});
}

parl_status parl_rows_visit_failures(parl_store *store, int64_t run_id, parl_failure_visitor visit,
                                     void *context) {
  return parl_store_visit_rows(store, run_id, &tables[FAILURE], NULL, 0, read_failure,
                               &(failure_visit){visit, context});
}

parl_status parl_rows_put_failures(parl_store *store, int64_t run_id, parl_phase phase,
                                   const parl_failures *failures) {
  return parl_rows_put_failure(store, run_id,
                               &(parl_failure_row){.phase = parl_phase_text(phase),
                                                   .n = failures->n,
                                                   .n_failed = failures->n_failed,
                                                   .error = failures->error});
}

/* --- checkpoints --- */

parl_status parl_rows_put_checkpoint(parl_store *store, int64_t run_id, int64_t update,
                                     const char *path, const char *sha256) {
  const parl_store_value values[] = {{.integer = update}, {.text = path}, {.text = sha256}};
  return parl_store_put_row(store, run_id, &tables[CHECKPOINT], values);
}

typedef struct checkpoint_visit {
  parl_checkpoint_visitor visit;
  void *context;
} checkpoint_visit;

static parl_status read_checkpoint(void *context, const parl_store_value *v) {
  const checkpoint_visit *c = context;
  return c->visit(c->context, v[0].integer, v[1].text, v[2].text);
}

parl_status parl_rows_visit_checkpoints(parl_store *store, int64_t run_id,
                                        parl_checkpoint_visitor visit, void *context) {
  return parl_store_visit_rows(store, run_id, &tables[CHECKPOINT], NULL, 0, read_checkpoint,
                               &(checkpoint_visit){visit, context});
}

/* --- rungs --- */

parl_status parl_rows_put_rung(parl_store *store, int64_t run_id, const parl_rung_row *row) {
  const parl_store_value values[] = {
      {.integer = row->updates - 1}, {.integer = row->n}, {.number = row->r_perf}};
  return parl_store_put_row(store, run_id, &tables[RUNG], values);
}

typedef struct rung_visit {
  parl_rung_visitor visit;
  void *context;
} rung_visit;

static parl_status read_rung(void *context, const parl_store_value *v) {
  const rung_visit *r = context;
  return r->visit(r->context, &(parl_rung_row){v[0].integer + 1, v[1].integer, v[2].number});
}

parl_status parl_rows_visit_rungs(parl_store *store, int64_t run_id, parl_rung_visitor visit,
                                  void *context) {
  return parl_store_visit_rows(store, run_id, &tables[RUNG], NULL, 0, read_rung,
                               &(rung_visit){visit, context});
}

/* --- the result of a run: the same on every machine and for any order of writes --- */

/* Least significant byte first on every machine. */
static void hash_integer(parl_hash *h, int64_t x) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)x >> 8 * i);
  parl_hash_update(h, bytes, sizeof bytes);
}

static void hash_value(parl_hash *h, double x) {
  int64_t bits; /* a NaN comes from NULL, so there is one only */
  memcpy(&bits, &x, sizeof bits);
  hash_integer(h, bits);
}

/* With its NUL, so that two texts cannot run into each other. */
static void hash_string(parl_hash *h, const char *s) {
  parl_hash_update(h, s, strlen(s) + 1);
}

/* Of a number of a file, which may be any. */
static void hash_whole(parl_hash *h, double x) {
  hash_integer(h, fabs(x) < 0x1p63 ? (int64_t)x : 0);
}

static parl_status hash_metric(void *context, int64_t update, const char *key, double value) {
  static const char *const others[] = {"time/", "pretrain/held_out_exact/",
                                       "pretrain/held_out_of_kind/"}; /* those came later */
  for (size_t i = 0; i < COUNT(others); i++)
    if (strncmp(key, others[i], strlen(others[i])) == 0) return PARL_STATUS_OK;
  hash_string(context, "metric");
  hash_string(context, key);
  hash_integer(context, update);
  hash_value(context, value);
  return PARL_STATUS_OK;
}

static parl_status hash_episode(void *context, const parl_episode_row *e) {
  const parl_facts *f = &e->facts;
  hash_string(context, "episode");
  hash_string(context, e->policy);
  hash_string(context, e->decoding);
  hash_string(context, e->family);
  hash_string(context, parl_end_text(f->end));
  hash_value(context, f->r_perf);
  hash_value(context, f->success);
  const int64_t names[] = {e->update, e->task_seed, e->rollout};
  for (size_t i = 0; i < COUNT(names); i++) hash_integer(context, names[i]);
  const double whole[] = {f->critical_steps,  f->total_steps, f->optimum_steps,
                          f->last_gain_steps, f->launches,    f->assigned,
                          f->finished,        f->max_width,   f->tokens};
  for (size_t i = 0; i < COUNT(whole); i++) hash_whole(context, whole[i]);
  const double reals[] = {f->budget_steps, f->serial_steps, f->useful, f->duplicates};
  for (size_t i = 0; i < COUNT(reals); i++)
    if (!isnan(reals[i])) hash_value(context, reals[i]); /* an older row is hashed as it was */
  const char *const texts[] = {e->failed ? "failed" : "", parl_optimum_kind_text(f->optimum_is),
                               e->scores};
  for (size_t i = 0; i < COUNT(texts); i++)
    if (texts[i][0] != '\0') hash_string(context, texts[i]);
  return PARL_STATUS_OK;
}

parl_status parl_rows_hash_run(parl_store *store, int64_t run_id, parl_hash *h) {
  PARL_TRY(parl_rows_visit_metrics(store, run_id, NULL, hash_metric, h));
  return parl_rows_visit_episodes(store, run_id, hash_episode, h);
}
