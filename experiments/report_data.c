/* experiments/report_data.c - reads a store: runs, arms, scores of the last evaluation, curves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "experiments/report_content.h"
#include "parl/swarm/failures.h"
#include "parl/swarm/means.h"

const parl_score_info parl_score_infos[PARL_N_SCORES] = {
#define X(name, digits, label, meaning) {#name, label, meaning, digits},
    PARL_SCORE_LIST(X)
#undef X
};

parl_status parl_report_copy_text(parl_arena *arena, const char *s, const char **out) {
  char *copy = NULL;
  const size_t n = strlen(s) + 1;
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &copy));
  memcpy(copy, s, n);
  *out = copy;
  return PARL_STATUS_OK;
}

void parl_report_deinit(parl_report *r) {
  parl_text_deinit(&r->warnings);
  if (r->draws != NULL) parl_draws_deinit(r->draws);
}

void parl_report_visit_warnings(const parl_report *r,
                                void (*visit)(void *context, const char *line), void *context) {
  const char *line = parl_text_get(&r->warnings);
  for (const char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
    char text[1024];
    const size_t n = (size_t)(end - line) < sizeof text ? (size_t)(end - line) : sizeof text - 1;
    memcpy(text, line, n);
    text[n] = '\0';
    visit(context, text);
    line = end + 1;
  }
}

typedef struct loader {
  parl_store **stores; /* [n_folders] */
  size_t folder;       /* whose runs are being listed */
  parl_report *report;
  parl_report_run *run; /* the one being read */
  size_t run_capacity, arm_capacity, family_capacity, warm_capacity, term_capacity,
      pretrain_capacity;
} loader;

/* Room for one more in an arena array of n elements; it doubles, and the old half is let go. */
static parl_status grow(parl_arena *arena, void **array, size_t n, size_t *capacity,
                        size_t element_bytes) {
  if (n < *capacity) return PARL_STATUS_OK;
  const size_t larger = *capacity > 0 ? 2 * *capacity : 16;
  void *fresh = NULL;
  PARL_TRY(parl_arena_take(arena, larger, element_bytes, &fresh));
  if (n > 0) memcpy(fresh, *array, n * element_bytes);
  *array = fresh;
  *capacity = larger;
  return PARL_STATUS_OK;
}

/* Place of a text in an array of texts, which gets a copy of it if it is new. */
static parl_status find_or_add(parl_arena *arena, const char ***texts, size_t *n, size_t *capacity,
                               const char *s, size_t *out) {
  for (size_t i = 0; i < *n; i++)
    if (strcmp((*texts)[i], s) == 0) {
      *out = i;
      return PARL_STATUS_OK;
    }
  PARL_TRY(grow(arena, (void **)texts, *n, capacity, sizeof **texts));
  PARL_TRY(parl_report_copy_text(arena, s, &(*texts)[*n]));
  *out = (*n)++;
  return PARL_STATUS_OK;
}

/* --- runs --- */

/* The text of a member, if it is there. */
static parl_status copy_member(parl_arena *arena, const parl_json *tree, const char *key,
                               const char **out) {
  const char *text = parl_json_get_string(parl_json_find(tree, key));
  *out = NULL;
  return text != NULL ? parl_report_copy_text(arena, text, out) : PARL_STATUS_OK;
}

/* What the JSON about machine and build says of the recipe. */
static parl_status read_host(parl_arena *arena, const char *host, parl_report_run *run) {
  parl_json *tree = NULL;
  if (parl_json_parse(host, strlen(host), "host", &tree) != PARL_STATUS_OK) return PARL_STATUS_OK;
  parl_status s = copy_member(arena, tree, "command", &run->command);
  if (s == PARL_STATUS_OK) s = copy_member(arena, tree, "question", &run->question);
  parl_json_destroy(tree);
  return s;
}

static parl_status add_run(void *context, int64_t run_id, const parl_store_run *row) {
  loader *l = context;
  parl_report *r = l->report;
  parl_arena *arena = r->arena;
  if (row->is_retired) return PARL_STATUS_OK;
  PARL_TRY(grow(arena, (void **)&r->runs, r->n_runs, &l->run_capacity, sizeof *r->runs));
  parl_report_run *run = &r->runs[r->n_runs];
  *run = (parl_report_run){
      .id = run_id, .folder = l->folder, .seed = row->seed, .eval_update = {-1, -1}};
  PARL_TRY(parl_report_copy_text(arena, row->uid, &run->uid));
  PARL_TRY(parl_report_copy_text(arena, row->arm, &run->own_name));
  run->arm_name = run->own_name;
  PARL_TRY(parl_report_copy_text(arena, row->status, &run->status));
  PARL_TRY(parl_report_copy_text(arena, row->error != NULL ? row->error : "", &run->error));
  PARL_TRY(parl_report_copy_text(arena, row->hash, &run->hash));
  PARL_TRY(parl_report_copy_text(arena, row->host, &run->host));
  PARL_TRY(read_host(arena, row->host, run));
  PARL_TRY(parl_report_copy_text(arena, row->revision, &run->revision));
  PARL_TRY(parl_report_copy_text(arena, row->config, &run->config));
  PARL_TRY(parl_report_copy_text(arena, row->recipe, &run->recipe));
  r->n_runs++;
  return PARL_STATUS_OK;
}

static int compare_runs(const void *a, const void *b) {
  const parl_report_run *x = a, *y = b;
  if (x->folder != y->folder) return x->folder < y->folder ? -1 : 1;
  return (x->id > y->id) - (x->id < y->id);
}

/* A run counts if it is done and no later one of its arm and seed is. */
static void mark_counted(parl_report *r) {
  for (size_t i = 0; i < r->n_runs; i++) {
    parl_report_run *run = &r->runs[i];
    run->counted = strcmp(run->status, "done") == 0;
    for (size_t j = 0; j < i && run->counted; j++)
      if (r->runs[j].seed == run->seed && strcmp(r->runs[j].arm_name, run->arm_name) == 0)
        r->runs[j].counted = false;
  }
}

/* --- the first reading: what is there --- */

static parl_decoding get_decoding(const parl_episode_row *e) {
  return strcmp(e->decoding, "greedy") == 0 ? PARL_DECODING_GREEDY : PARL_DECODING_MAIN;
}

static parl_status survey_episode(void *context, const parl_episode_row *e) {
  loader *l = context;
  parl_report *r = l->report;
  int64_t *last = &l->run->eval_update[get_decoding(e)];
  if (e->update > *last) *last = e->update;
  if (e->facts.optimum_steps > 0) r->optimum_kinds |= 1u << e->facts.optimum_is;
  if (strcmp(e->policy, "trained") == 0) l->run->trained = true;
  if (strcmp(e->decoding, "scripted") == 0) l->run->scripted = true;
  size_t place = 0;
  PARL_TRY(parl_report_survey_named(r, e));
  if (e->failed && e->family[0] == '\0') return PARL_STATUS_OK; /* broke before it had one */
  return find_or_add(r->arena, &r->families, &r->n_families, &l->family_capacity, e->family,
                     &place);
}

static bool is_warm_key(int64_t update, const char *key) {
  return (update == 0 && strncmp(key, "warm/", 5) == 0) || strncmp(key, "forecast/", 9) == 0;
}

static parl_status survey_pretrain(loader *l, const char *key) {
  parl_report *r = l->report;
  size_t place = 0;
  int64_t last = -1;
  double value;
  l->run->trained = true;
  PARL_TRY(find_or_add(r->arena, &r->pretrain_keys, &r->n_pretrain, &l->pretrain_capacity,
                       key + strlen("pretrain/"), &place));
  PARL_TRY(parl_rows_get_last_metric(l->stores[l->run->folder], l->run->id, key, &last, &value));
  if (last > r->last_step) r->last_step = last;
  return PARL_STATUS_OK;
}

/* Of each key its first value. */
static parl_status survey_key(void *context, int64_t update, const char *key, double value) {
  loader *l = context;
  parl_report *r = l->report;
  size_t place = 0;
  int64_t last = -1;
  if (is_warm_key(update, key))
    return find_or_add(r->arena, &r->warm_keys, &r->n_warm, &l->warm_capacity, key, &place);
  if (parl_report_is_pretrain(key)) return survey_pretrain(l, key);
  PARL_TRY(parl_report_survey_term(r, &l->term_capacity, key));
  if (parl_report_find_curve(r, key) == r->n_curves) return PARL_STATUS_OK;
  l->run->trained = true;
  PARL_TRY(parl_rows_get_last_metric(l->stores[l->run->folder], l->run->id, key, &last, &value));
  if (last > r->last_update) r->last_update = last;
  return PARL_STATUS_OK;
}

/* A run that has no result yet: only what is to be trained has a section for it. */
static parl_status is_to_train(const parl_report_run *run, bool *out) {
  parl_json *config = NULL;
  PARL_TRY(parl_json_parse(run->config, strlen(run->config), "a run's configuration", &config));
  *out = parl_json_find(config, "train") != NULL;
  parl_json_destroy(config);
  return PARL_STATUS_OK;
}

static parl_status survey(loader *l) {
  parl_report *r = l->report;
  r->last_update = -1;
  PARL_TRY(parl_report_init_terms(r, &l->term_capacity));
  PARL_TRY(parl_report_name_curves(r));
  for (size_t i = 0; i < r->n_runs; i++) {
    l->run = &r->runs[i];
    parl_store *store = l->stores[l->run->folder];
    if (!l->run->counted) {
      PARL_TRY(is_to_train(l->run, &l->run->trained));
      continue;
    }
    PARL_TRY(parl_rows_visit_episodes(store, l->run->id, survey_episode, l));
    PARL_TRY(parl_rows_visit_keys(store, l->run->id, survey_key, l));
  }
  PARL_TRY(parl_report_name_curves(r));
  if (r->n_families == 1) r->n_families = 0; /* one kind of task: nothing to tell apart */
  r->step_bucket = r->last_step / PARL_REPORT_POINTS + 1;
  r->bucket = r->last_update / PARL_REPORT_POINTS + 1;
  r->n_points = (size_t)((r->last_update + r->bucket) / r->bucket);
  for (size_t i = 0; i < r->n_points; i++) {
    const int64_t first = (int64_t)i * r->bucket, last = first + r->bucket - 1;
    r->x[i] = (double)(first + (last < r->last_update ? last : r->last_update)) / 2;
  }
  return PARL_STATUS_OK;
}

/* --- arms --- */

static parl_status add_arms(loader *l, bool trained) {
  parl_report *r = l->report;
  for (size_t i = 0; i < r->n_runs; i++) {
    bool any_trained = false;
    for (size_t j = 0; j < r->n_runs; j++)
      if (strcmp(r->runs[j].arm_name, r->runs[i].arm_name) == 0 && r->runs[j].trained)
        any_trained = true;
    if (any_trained != trained) continue;
    size_t arm = 0;
    while (arm < r->n_arms && strcmp(r->arms[arm].name, r->runs[i].arm_name) != 0) arm++;
    if (arm == r->n_arms) {
      PARL_TRY(grow(r->arena, (void **)&r->arms, r->n_arms, &l->arm_capacity, sizeof *r->arms));
      r->arms[r->n_arms++] =
          (parl_report_arm){.name = r->runs[i].arm_name, .trained = trained, .scripted = true};
      r->n_trained += trained;
    }
    r->runs[i].arm = arm;
    r->arms[arm].n_runs++;
    r->arms[arm].n_counted += r->runs[i].counted;
    if (!r->runs[i].scripted) r->arms[arm].scripted = false;
  }
  return PARL_STATUS_OK;
}

/* --- the second reading: the numbers --- */

typedef struct reading {
  parl_report *report;
  parl_report_run *run;
  parl_mean_sums *sums;               /* [N_DECODINGS, 1 + n_families] */
  double (*n_in)[PARL_REPORT_POINTS]; /* [n_curves] values in each bucket */
  parl_reach_log reach;
  parl_spent_update *spent;        /* [last_update + 1] or NULL */
  char key[PARL_METRIC_KEY_BYTES]; /* of the last row, and its curve: rows come by key */
  size_t curve;
  double evaluate_s;
} reading;

/* Of a script all that it played is kept: what other tasks would have given is asked later. */
static parl_status keep_played(const reading *x, const parl_episode_row *e, bool failed) {
  parl_report_run *run = x->run;
  parl_report_played played = {.facts = e->facts, .failed = failed};
  for (size_t f = 0; f < x->report->n_families; f++)
    if (strcmp(x->report->families[f], e->family) == 0) played.family = 1 + f;
  PARL_TRY(grow(x->report->arena, (void **)&run->played, run->n_played, &run->played_capacity,
                sizeof played));
  run->played[run->n_played++] = played;
  return PARL_STATUS_OK;
}

static parl_status read_episode(void *context, const parl_episode_row *e) {
  reading *x = context;
  const parl_decoding decoding = get_decoding(e);
  if (e->update != x->run->eval_update[decoding]) return PARL_STATUS_OK;
  const bool failed = e->failed || e->facts.end == PARL_END_ERROR;
  parl_mean_sums *sums = &x->sums[(size_t)decoding * (1 + x->report->n_families)];
  size_t family = 0;
  parl_mean_sums_add(&sums[0], &e->facts, failed);
  for (size_t f = 0; f < x->report->n_families; f++)
    if (strcmp(x->report->families[f], e->family) == 0) family = 1 + f;
  if (family > 0) parl_mean_sums_add(&sums[family], &e->facts, failed);
  if (decoding == PARL_DECODING_MAIN) PARL_TRY(parl_report_note_episode(x->report, x->run, e));
  if (decoding == PARL_DECODING_MAIN && !failed)
    PARL_TRY(parl_reach_add(&x->reach, e->stages, family));
  if (decoding == PARL_DECODING_MAIN && !failed)
    parl_report_read_octave(x->report, x->run, &e->facts);
  if (x->run->scripted && decoding == PARL_DECODING_MAIN) PARL_TRY(keep_played(x, e, failed));
  return parl_report_read_named(x->report, x->run, decoding, e);
}

static parl_status read_metric(void *context, int64_t update, const char *key, double value) {
  reading *x = context;
  const parl_report *r = x->report;
  if (is_warm_key(update, key)) {
    for (size_t i = 0; i < r->n_warm; i++)
      if (strcmp(r->warm_keys[i], key) == 0) x->run->warm[i] = value;
    return PARL_STATUS_OK;
  }
  if (parl_report_is_pretrain(key)) {
    parl_report_read_pretrain(r, x->run, key + strlen("pretrain/"), update, value);
    return PARL_STATUS_OK;
  }
  parl_report_read_detector(x->run, key, value);
  if (strcmp(key, "time/evaluate_s") == 0) x->evaluate_s = value;
  if (strncmp(key, "time/", 5) == 0 || strcmp(key, "reward/perf") == 0)
    PARL_TRY(parl_report_read_spent(r, &x->spent, update, key, value));
  if (strcmp(key, x->key) != 0) {
    snprintf(x->key, sizeof x->key, "%s", key);
    x->curve = parl_report_find_curve(r, key);
  }
  const size_t curve = x->curve;
  const size_t point = (size_t)(update / r->bucket);
  if (curve == r->n_curves || !isfinite(value) || point >= r->n_points) return PARL_STATUS_OK;
  const double n = ++x->n_in[curve][point];
  double *mean = &x->run->curves[curve][point];
  *mean = n == 1 ? value : *mean + (value - *mean) / n;
  return PARL_STATUS_OK;
}

static parl_status take_reading(const parl_report *r, reading *x) {
  const size_t n = PARL_N_DECODINGS * (1 + r->n_families);
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n, &x->run->scores));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n, &x->sums));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_warm + 1, &x->run->warm));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_pretrain + 1, &x->run->pretrain));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_curves, &x->run->curves));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_curves, &x->n_in));
  for (size_t i = 0; i < n; i++) x->sums[i] = (parl_mean_sums){.n = 0};
  for (size_t i = 0; i < r->n_warm; i++) x->run->warm[i] = NAN;
  for (size_t k = 0; k < r->n_pretrain; k++)
    for (size_t i = 0; i < PARL_REPORT_POINTS; i++) x->run->pretrain[k][i] = NAN;
  for (size_t c = 0; c < r->n_curves; c++)
    for (size_t i = 0; i < PARL_REPORT_POINTS; i++) {
      x->run->curves[c][i] = NAN;
      x->n_in[c][i] = 0;
    }
  return PARL_STATUS_OK;
}

static void finish_run(const parl_report *r, const parl_mean_sums *sums,
                       parl_report_scores *scores) {
  for (size_t i = 0; i < PARL_N_DECODINGS * (1 + r->n_families); i++) {
    const parl_means means = parl_mean_sums_get(&sums[i]);
    scores[i].n_episodes = (size_t)sums[i].n;
#define X(name, digits, label, meaning) scores[i].of[PARL_SCORE_##name] = means.name;
    PARL_SCORE_LIST(X)
#undef X
  }
}

static parl_status read_failure(void *context, const parl_failure_row *f) {
  reading *x = context;
  parl_report_run *run = x->run;
  if (run->n_failures == PARL_N_PHASES) return PARL_STATUS_OK;
  parl_report_failure *out = &run->failures[run->n_failures];
  *out = (parl_report_failure){.n = f->n, .n_failed = f->n_failed};
  PARL_TRY(parl_report_copy_text(x->report->arena, f->phase, &out->phase));
  PARL_TRY(parl_report_copy_text(x->report->arena, f->error, &out->error));
  run->n_failures++;
  return PARL_STATUS_OK;
}

static parl_status read_rows(parl_store *store, reading *x) {
  const int64_t id = x->run->id;
  PARL_TRY(parl_rows_visit_failures(store, id, read_failure, x));
  if (!x->run->counted) return PARL_STATUS_OK;
  PARL_TRY(parl_rows_visit_episodes(store, id, read_episode, x));
  return parl_rows_visit_metrics(store, id, NULL, read_metric, x);
}

static parl_status read_run(loader *l, parl_report_run *run) {
  parl_report *r = l->report;
  reading x = {.report = r, .run = run, .evaluate_s = NAN};
  PARL_TRY(take_reading(r, &x));
  PARL_TRY(parl_report_take_named(r, run));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, PARL_N_PHASES, &run->failures));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, 1 + r->n_families, &run->reach));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, PARL_REPORT_OCTAVES, &run->octaves));
  memset(run->octaves, 0, PARL_REPORT_OCTAVES * sizeof *run->octaves);
  parl_status s = read_rows(l->stores[run->folder], &x);
  for (size_t f = 0; f <= r->n_families; f++) parl_reach_get(&x.reach, f, &run->reach[f]);
  parl_reach_deinit(&x.reach);
  finish_run(r, x.sums, run->scores);
  if (s == PARL_STATUS_OK) s = parl_report_finish_spent(r, run, x.spent, x.evaluate_s);
  free(x.spent);
  return s;
}

static int compare_by_arm(const void *a, const void *b) {
  const parl_report_run *x = a, *y = b;
  if (x->arm != y->arm) return x->arm < y->arm ? -1 : 1;
  if (x->seed != y->seed) return x->seed < y->seed ? -1 : 1;
  return compare_runs(a, b);
}

static parl_status load(loader *l) {
  parl_report *r = l->report;
  for (l->folder = 0; l->folder < r->n_folders; l->folder++) {
    const size_t n_before = r->n_runs;
    PARL_TRY(parl_store_visit_runs(l->stores[l->folder], add_run, l));
    if (r->n_runs == n_before)
      return parl_fail(PARL_STATUS_EFORMAT, "%s/store.db: the store holds no run yet",
                       r->folders[l->folder]);
  }
  qsort(r->runs, r->n_runs, sizeof *r->runs, compare_runs);
  PARL_TRY(parl_report_unite_folders(r));
  mark_counted(r);
  PARL_TRY(survey(l));
  PARL_TRY(add_arms(l, true));
  PARL_TRY(add_arms(l, false));
  qsort(r->runs, r->n_runs, sizeof *r->runs, compare_by_arm);
  for (size_t i = 0; i < r->n_runs; i++) PARL_TRY(read_run(l, &r->runs[i]));
  return parl_report_pick_episodes(r, l->stores);
}

/* What it reads later is what is there now, whole. */
static parl_status open_store(parl_report *r, size_t folder, parl_store **out) {
  enum { PATH_BYTES = 4096 };
  char path[PATH_BYTES];
  PARL_TRY(parl_file_join(path, sizeof path, r->folders[folder], "store.db"));
  PARL_TRY(parl_rows_open_readonly(path, out));
  const char *missing = parl_store_get_missing(*out);
  if (missing[0] != '\0')
    parl_text_appendf(&r->warnings,
                      "An older parl wrote the store: what it did not keep is unknown: %s.\n",
                      missing);
  parl_status s = parl_store_hold(*out);
  if (s == PARL_STATUS_OK) s = parl_store_check(*out);
  return parl_fail_context(s, "%s", path);
}

parl_status parl_report_load(const char *const *folders, size_t n, parl_arena *arena,
                             parl_report *out) {
  *out = (parl_report){.arena = arena, .folders = folders, .n_folders = n};
  loader l = {.report = out};
  PARL_TRY(parl_report_check_folders(folders, n));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &l.stores));
  for (size_t i = 0; i < n; i++) l.stores[i] = NULL;
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; i < n && s == PARL_STATUS_OK; i++) s = open_store(out, i, &l.stores[i]);
  if (s == PARL_STATUS_OK) s = load(&l);
  for (size_t i = 0; i < n; i++) parl_store_close(l.stores[i]);
  return s;
}
