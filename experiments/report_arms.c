/* experiments/report_arms.c - what each trained policy was: its schedules in words, and every field
 * in which configurations differ, at the same seed. */
#include <stdio.h>
#include <string.h>

#include "experiments/report_internal.h"
#include "parl/run/recipe.h"

enum { MAX_SCHEDULES = 8, MAX_DIFFERENCES = 100, PATH_BYTES = 256 };

/* Configurations of the trained arms. */
typedef struct configs {
  const parl_report *report;
  parl_json **of; /* [n_trained] NULL where there is none; owned */
  size_t n_schedules;
  const char *schedules[MAX_SCHEDULES]; /* paths of those in the configurations */
} configs;

/* --- reading --- */

/* The run of an arm with this seed, one that counts if there is one. */
static const parl_report_run *find_run(const parl_report *r, size_t arm, int64_t seed) {
  const parl_report_run *found = NULL;
  for (size_t i = 0; i < r->n_runs; i++) {
    const parl_report_run *run = &r->runs[i];
    if (run->arm == arm && run->seed == seed && (found == NULL || run->counted)) found = run;
  }
  return found;
}

static bool has_all(const parl_report *r, int64_t seed) {
  for (size_t a = 0; a < r->n_trained; a++)
    if (find_run(r, a, seed) == NULL) return false;
  return true;
}

const parl_report_run *parl_report_find_example(const parl_report *r, size_t arm) {
  const parl_report_run *any = NULL;
  for (size_t i = 0; i < r->n_runs; i++) {
    if (r->runs[i].arm != arm) continue;
    if (has_all(r, r->runs[i].seed)) return find_run(r, arm, r->runs[i].seed);
    if (any == NULL || (r->runs[i].counted && !any->counted)) any = &r->runs[i];
  }
  return any;
}

static bool is_schedule(const parl_json *section) {
  return parl_json_get_string(parl_json_find(section, "shape")) != NULL;
}

static parl_status add_schedule(configs *c, const parl_json *s, const char *path) {
  bool seen = !is_schedule(s) || c->n_schedules == MAX_SCHEDULES;
  for (size_t i = 0; i < c->n_schedules && !seen; i++) seen = strcmp(c->schedules[i], path) == 0;
  return seen ? PARL_STATUS_OK
              : parl_report_copy_text(c->report->arena, path, &c->schedules[c->n_schedules++]);
}

static parl_status add_schedules(configs *c, const parl_json *config) {
  char path[PATH_BYTES];
  for (const parl_json *s = parl_json_get_first(config); s != NULL; s = parl_json_get_next(s))
    PARL_TRY(add_schedule(c, s, parl_json_get_key(s)));
  const parl_json *terms = parl_json_find(config, "terms");
  for (const parl_json *t = parl_json_get_first(terms); t != NULL; t = parl_json_get_next(t)) {
    snprintf(path, sizeof path, "terms.%s.weight", parl_json_get_key(t));
    PARL_TRY(add_schedule(c, parl_json_find(t, "weight"), path));
  }
  return PARL_STATUS_OK;
}

static void close_configs(configs *c) {
  for (size_t a = 0; c->of != NULL && a < c->report->n_trained; a++) parl_json_destroy(c->of[a]);
}

static parl_status open_configs(const parl_report *r, configs *out) {
  *out = (configs){.report = r};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_trained + 1, &out->of));
  parl_status s = PARL_STATUS_OK;
  for (size_t a = 0; a < r->n_trained; a++) out->of[a] = NULL;
  for (size_t a = 0; a < r->n_trained && s == PARL_STATUS_OK; a++) {
    const parl_report_run *run = parl_report_find_example(r, a);
    const char *text = run != NULL ? run->config : "{}";
    s = parl_json_parse(text, strlen(text), "a run's configuration", &out->of[a]);
  }
  if (s == PARL_STATUS_OK) s = parl_recipe_fill_in(out->of, r->n_trained);
  for (size_t a = 0; a < r->n_trained && s == PARL_STATUS_OK; a++)
    s = add_schedules(out, out->of[a]);
  if (s != PARL_STATUS_OK) close_configs(out);
  return s;
}

/* --- schedules in words --- */

static double get(const parl_json *schedule, const char *key) {
  return parl_json_get_number(parl_json_find(schedule, key));
}

static void append_number(parl_text *out, double x) {
  char text[PARL_NUMBER_BYTES];
  snprintf(text, sizeof text, "%.6g", x);
  parl_number_shorten(text);
  parl_text_append(out, text);
}

static void append_from_to(parl_text *out, const parl_json *s) {
  append_number(out, get(s, "start"));
  parl_text_append(out, " \xE2\x86\x92 ");
  append_number(out, get(s, "stop"));
}

static void append_over(parl_text *out, const parl_json *s) {
  const char *metric = parl_json_get_string(parl_json_find(s, "over_metric"));
  if (metric != NULL && metric[0] != '\0') {
    parl_text_appendf(out, "%s from ", metric);
    append_number(out, get(s, "from"));
    parl_text_append(out, " to ");
    append_number(out, get(s, "to"));
    return;
  }
  append_number(out, 100 * get(s, "over"));
  parl_text_append(out, " % of the updates");
}

static void append_closed_loop(parl_text *out, const parl_json *s) {
  const char *metric = parl_json_get_string(parl_json_find(s, "metric"));
  parl_text_appendf(out, "holds %s at ", metric != NULL ? metric : "?");
  append_number(out, get(s, "target"));
  parl_text_append(out, ", from ");
  append_number(out, get(s, "start"));
  parl_text_append(out, " within [");
  append_number(out, fmin(get(s, "start"), get(s, "stop")));
  parl_text_append(out, ", ");
  append_number(out, fmax(get(s, "start"), get(s, "stop")));
  parl_text_append(out, "], gain ");
  append_number(out, get(s, "gain"));
}

static void append_backoff(parl_text *out, const parl_json *s) {
  const char *metric = parl_json_get_string(parl_json_find(s, "metric"));
  append_from_to(out, s);
  parl_text_append(out, ", ");
  append_number(out, get(s, "factor"));
  parl_text_appendf(out, " of what is left whenever %s > ", metric != NULL ? metric : "?");
  append_number(out, get(s, "target"));
}

/* "0.3 -> 0, linear over 60 % of the updates". */
static void append_schedule(parl_text *out, const parl_json *s) {
  const char *shape = parl_json_get_string(parl_json_find(s, "shape"));
  const char *lua = parl_json_get_string(parl_json_find(s, "lua"));
  if (shape == NULL) {
    parl_text_append(out, "-");
  } else if (strcmp(shape, "lua") == 0) {
    parl_text_append(out, lua != NULL ? lua : "?");
  } else if (strcmp(shape, "table") == 0) {
    const char *table = parl_json_get_string(parl_json_find(s, "table"));
    parl_text_appendf(out, "from updates on: %s", table != NULL ? table : "?");
  } else if (strcmp(shape, "closed_loop") == 0) {
    append_closed_loop(out, s);
  } else if (strcmp(shape, "backoff") == 0) {
    append_backoff(out, s);
  } else if (strcmp(shape, "constant") == 0 || get(s, "start") == get(s, "stop")) {
    append_number(out, get(s, "start"));
    parl_text_append(out, get(s, "start") != 0 ? " throughout" : "");
  } else if (strcmp(shape, "step") == 0) {
    append_from_to(out, s);
    parl_text_append(out, ", a step after ");
    append_over(out, s);
  } else {
    append_from_to(out, s);
    parl_text_appendf(out, ", %s over ", shape);
    append_over(out, s);
    if (strcmp(shape, "cyclic") != 0) return;
    parl_text_append(out, ", each cycle ");
    append_number(out, get(s, "period"));
    parl_text_append(out, " updates");
  }
}

/* --- what differs --- */

static void append_value(const parl_json *node, parl_text *out) {
  parl_json_writer w;
  parl_text_clear(out);
  if (node == NULL) {
    parl_text_append(out, "(absent)");
    return;
  }
  parl_json_writer_init(&w, out, false);
  parl_report_write_node(&w, node);
}

/* Whether a leaf is not the same in all arms. */
static parl_status compare_leaf(const configs *c, const char *path, bool *differs) {
  parl_text first = {0}, other = {0};
  append_value(parl_json_find_path(c->of[0], path), &first);
  *differs = false;
  for (size_t a = 1; a < c->report->n_trained && !*differs; a++) {
    append_value(parl_json_find_path(c->of[a], path), &other);
    *differs = strcmp(parl_text_get(&first), parl_text_get(&other)) != 0;
  }
  const parl_status status = parl_text_status(&first);
  parl_text_deinit(&first);
  parl_text_deinit(&other);
  return status;
}

typedef struct paths {
  const char *path[MAX_DIFFERENCES]; /* [n] at most */
  size_t n;
} paths;

/* Leaves of arm a's configuration; those an earlier arm has too were looked at before. The seed is
 * no difference between arms. */
static parl_status walk(const configs *c, size_t a, const parl_json *object, const char *prefix,
                        paths *out) {
  for (const parl_json *j = parl_json_get_first(object); j != NULL; j = parl_json_get_next(j)) {
    char path[PATH_BYTES];
    const char *dot = prefix[0] != '\0' ? "." : "";
    const int n = snprintf(path, sizeof path, "%s%s%s", prefix, dot, parl_json_get_key(j));
    if (n < 0 || (size_t)n >= sizeof path || strcmp(path, "seed") == 0) continue;
    bool seen = false, differs = false;
    for (size_t b = 0; b < a; b++) seen = seen || parl_json_find_path(c->of[b], path) != NULL;
    if (parl_json_get_type(j) == PARL_JSON_OBJECT) PARL_TRY(walk(c, a, j, path, out));
    if (seen || parl_json_get_type(j) == PARL_JSON_OBJECT) continue;
    PARL_TRY(compare_leaf(c, path, &differs));
    if (!differs) continue;
    if (out->n < MAX_DIFFERENCES)
      PARL_TRY(parl_report_copy_text(c->report->arena, path, &out->path[out->n]));
    out->n++;
  }
  return PARL_STATUS_OK;
}

static parl_status find_differences(const configs *c, paths *out) {
  *out = (paths){.n = 0};
  for (size_t a = 0; a < c->report->n_trained; a++) PARL_TRY(walk(c, a, c->of[a], "", out));
  return PARL_STATUS_OK;
}

static parl_status add_differences(const configs *c, parl_table *t) {
  const parl_report *r = c->report;
  paths found;
  parl_text value = {0};
  PARL_TRY(find_differences(c, &found));
  for (size_t i = 0; i < found.n && i < MAX_DIFFERENCES; i++) {
    parl_table_add(t, "%s", found.path[i]);
    for (size_t a = 0; a < r->n_trained; a++) {
      append_value(parl_json_find_path(c->of[a], found.path[i]), &value);
      parl_table_add(t, "%s", parl_text_get(&value));
    }
  }
  if (found.n > MAX_DIFFERENCES) t->note = "The first 100; all are in report.json.";
  const parl_status s = parl_text_status(&value);
  parl_text_deinit(&value);
  return s;
}

parl_status parl_report_make_differences(const parl_report *r, parl_table *t) {
  configs c;
  parl_table_init(t, r->arena, "What differs between the configurations", 1 + r->n_trained,
                  1 + r->n_trained);
  parl_table_add(t, "field");
  for (size_t a = 0; a < r->n_trained; a++) parl_table_add(t, "%s", r->arms[a].name);
  if (r->n_trained < 2) return PARL_STATUS_OK;
  PARL_TRY(open_configs(r, &c));
  const parl_status s = add_differences(&c, t);
  close_configs(&c);
  return s;
}

/* --- the policies --- */

/* Whether a schedule stays at 0 in every arm: not worth a column, unless it is one of the paper's
 * two. */
static bool is_idle(const configs *c, const char *key) {
  if (strcmp(key, "lambda1") == 0 || strcmp(key, "lambda2") == 0) return false;
  for (size_t a = 0; a < c->report->n_trained; a++)
    if (!parl_report_is_zero(c->of[a], key)) return false;
  return true;
}

/* lambda1 as the paper writes it; the key of another. */
static const char *get_label(const char *key) {
  if (strcmp(key, "lambda1") == 0) return "\xCE\xBB\xE2\x82\x81 (r_parallel)";
  if (strcmp(key, "lambda2") == 0) return "\xCE\xBB\xE2\x82\x82 (r_finish)";
  return key;
}

static bool is_of_schedule(const configs *c, const char *path) {
  for (size_t i = 0; i < c->n_schedules; i++) {
    const size_t n = strlen(c->schedules[i]);
    if (strncmp(path, c->schedules[i], n) == 0 && path[n] == '.') return true;
  }
  return false;
}

/* Whether an arm of the same environment has another value. Fails: ENOMEM. */
static parl_status differs_within(const configs *c, size_t a, const char *path, bool *out) {
  const parl_report *r = c->report;
  parl_text value = {0}, other = {0};
  append_value(parl_json_find_path(c->of[a], path), &value);
  *out = false;
  for (size_t b = 0; b < r->n_trained && !*out; b++) {
    if (r->arms[b].env != r->arms[a].env) continue;
    append_value(parl_json_find_path(c->of[b], path), &other);
    *out = strcmp(parl_text_get(&value), parl_text_get(&other)) != 0;
  }
  const parl_status s = parl_text_status(&value);
  parl_text_deinit(&value);
  parl_text_deinit(&other);
  return s;
}

/* "agents.reliability 0.6, episode.legal true"; of several environments, which one it is and what
 * differs within it: their parameters are others anyway. */
static parl_status append_others(const configs *c, const paths *found, size_t a, parl_text *out) {
  parl_text value = {0};
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; i < found->n && i < MAX_DIFFERENCES && s == PARL_STATUS_OK; i++) {
    bool differs = true;
    if (is_of_schedule(c, found->path[i])) continue;
    if (c->report->n_envs > 1 && strcmp(found->path[i], "env.file") != 0)
      s = differs_within(c, a, found->path[i], &differs);
    if (!differs) continue;
    append_value(parl_json_find_path(c->of[a], found->path[i]), &value);
    parl_text_appendf(out, "%s%s %s", out->n > 0 ? ", " : "", found->path[i],
                      parl_text_get(&value));
  }
  parl_text_deinit(&value);
  return s;
}

static parl_status add_policies(configs *c, parl_table *t) {
  const parl_report *r = c->report;
  paths found;
  bool any_other = false;
  size_t n = 0;
  PARL_TRY(find_differences(c, &found));
  for (size_t i = 0; i < found.n && i < MAX_DIFFERENCES; i++)
    any_other = any_other || !is_of_schedule(c, found.path[i]);
  for (size_t i = 0; i < c->n_schedules; i++)
    if (!is_idle(c, c->schedules[i])) c->schedules[n++] = c->schedules[i];
  parl_table_init(t, r->arena, "The trained policies", 1 + n + any_other, 1 + n + any_other);
  parl_table_add(t, "policy");
  for (size_t i = 0; i < n; i++) parl_table_add(t, "%s", get_label(c->schedules[i]));
  if (any_other) parl_table_add(t, "what else differs");
  parl_text text = {0};
  parl_status s = PARL_STATUS_OK;
  for (size_t a = 0; a < r->n_trained; a++) {
    parl_table_add(t, "%s", r->arms[a].name);
    for (size_t i = 0; i < n; i++) {
      parl_text_clear(&text);
      append_schedule(&text, parl_json_find_path(c->of[a], c->schedules[i]));
      parl_table_add(t, "%s", parl_text_get(&text));
    }
    parl_text_clear(&text);
    if (any_other && s == PARL_STATUS_OK) s = append_others(c, &found, a, &text);
    if (any_other) parl_table_add(t, "%s", parl_text_get(&text));
  }
  if (s == PARL_STATUS_OK) s = parl_text_status(&text);
  parl_text_deinit(&text);
  return s;
}

parl_status parl_report_make_policies(const parl_report *r, parl_table *t) {
  configs c;
  PARL_TRY(open_configs(r, &c));
  const parl_status s = add_policies(&c, t);
  close_configs(&c);
  return s;
}

/* The table of policies as lines: "annealed: lambda1 (r_parallel) 0.3 -> 0, linear ...; ...". */
parl_status parl_report_append_policies(const parl_report *r, parl_text *out) {
  parl_table t;
  parl_text line = {0};
  PARL_TRY(parl_report_make_policies(r, &t));
  for (size_t i = t.n_columns; i + t.n_columns <= t.n_cells; i += t.n_columns) {
    parl_text_clear(&line);
    parl_text_appendf(&line, "%s:", t.cells[i]);
    const bool same = t.n_columns > 2 && strcmp(t.cells[i + 1], t.cells[i + 2]) == 0 &&
                      strcmp(t.cells[1], get_label("lambda1")) == 0;
    for (size_t k = same ? 2 : 1; k < t.n_columns; k++) {
      const bool is_schedule_cell = strcmp(t.cells[k], "what else differs") != 0;
      parl_text_append(&line, k > (same ? 2u : 1u) ? "; " : " ");
      if (same && k == 2)
        parl_text_append(&line, "\xCE\xBB\xE2\x82\x81 = \xCE\xBB\xE2\x82\x82 = ");
      else if (is_schedule_cell)
        parl_text_appendf(&line, "%s ", t.cells[k]);
      parl_text_append(&line, t.cells[i + k]);
    }
    parl_text_append_wrapped(out, parl_text_get(&line), PARL_REPORT_TERMINAL, 2);
  }
  const parl_status s = t.failed ? parl_fail(PARL_STATUS_ENOMEM, "table of policies: no memory")
                                 : parl_text_status(&line);
  parl_text_deinit(&line);
  return s;
}
