/* experiments/plan_text.c - a plan, read off its cells and the folder. */
#include "experiments/plan_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

enum { STATUS_BYTES = 16 };

typedef struct view {
  const parl_plan *plan;
  parl_json **arms;              /* [n_arms] resolved configurations, of the first seed */
  char (*status)[STATUS_BYTES];  /* [n_cells] "pending", or as in the store */
  bool *made;                    /* [n_warms] */
  size_t n_done, n_left, n_made; /* cells; warm starts */
} view;

/* --- what the folder has --- */

static parl_status read_store(view *v) {
  char path[1024];
  parl_store *store = NULL;
  for (size_t i = 0; i < v->plan->n_cells; i++) memcpy(v->status[i], "pending", sizeof "pending");
  PARL_TRY(parl_file_join(path, sizeof path, v->plan->cells[0].run.folder, "store.db"));
  if (!parl_file_exists(path)) return PARL_STATUS_OK;
  PARL_TRY(parl_rows_open_readonly(path, &store));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < v->plan->n_cells; i++) {
    int found = 0;
    s = parl_store_find_run(store, v->plan->cells[i].uid, &found, NULL, v->status[i], NULL);
  }
  parl_store_close(store);
  return s;
}

static parl_status view_init(view *v, const parl_plan *plan) {
  *v = (view){.plan = plan};
  v->arms = calloc(plan->n_arms, sizeof *v->arms);
  v->status = calloc(plan->n_cells, sizeof *v->status);
  v->made = calloc(plan->n_warms, sizeof *v->made);
  if (v->arms == NULL || v->status == NULL || v->made == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "plan: no memory");
  for (size_t a = 0; a < v->plan->n_arms; a++) {
    const char *text = plan->cells[a * v->plan->n_seeds].canonical;
    PARL_TRY(parl_json_parse(text, strlen(text), "a configuration", &v->arms[a]));
  }
  PARL_TRY(parl_recipe_fill_in(v->arms, v->plan->n_arms));
  PARL_TRY(read_store(v));
  for (size_t i = 0; i < plan->n_cells; i++) v->n_done += strcmp(v->status[i], "done") == 0;
  for (size_t i = 0; i < plan->n_warms; i++) {
    v->made[i] = parl_file_exists(plan->warms[i].path);
    v->n_made += v->made[i];
  }
  v->n_left = plan->n_cells - v->n_done;
  return PARL_STATUS_OK;
}

static void view_deinit(view *v) {
  for (size_t a = 0; v->arms != NULL && a < v->plan->n_arms; a++) parl_json_destroy(v->arms[a]);
  free(v->arms);
  free(v->status);
  free(v->made);
}

/* --- the arms --- */

/* Of its first seed. */
static const parl_run *get_arm(const view *v, size_t arm) {
  return &v->plan->cells[arm * v->plan->n_seeds].run;
}

/* The resolved parameters of an arm's environment. */
static const parl_json *get_params(const view *v, size_t arm) {
  return parl_json_find(v->arms[arm], "params");
}

/* Whether no earlier arm plays the same environment with the same parameters. */
static bool is_first_of_env(const view *v, size_t arm) {
  parl_text own = {0}, other = {0};
  bool found = false;
  parl_json_append_canonical(get_params(v, arm), &own);
  for (size_t a = 0; a < arm && !found; a++) {
    parl_text_clear(&other);
    parl_json_append_canonical(get_params(v, a), &other);
    found = strcmp(get_arm(v, a)->env_path, get_arm(v, arm)->env_path) == 0 &&
            strcmp(parl_text_get(&own), parl_text_get(&other)) == 0;
  }
  parl_text_deinit(&own);
  parl_text_deinit(&other);
  return !found;
}

/* --- what differs between arms --- */

/* Calls visit for every field, in the order of the tables, that is not the same in all arms. */
typedef void (*difference_visitor)(void *context, const char *section, const char *field,
                                   const parl_json *value);

static bool differs(const view *v, const char *section, const char *field) {
  parl_text first = {0}, other = {0};
  bool found = false;
  for (size_t a = 0; a < v->plan->n_arms && !found; a++) {
    parl_text *text = a == 0 ? &first : &other;
    parl_text_clear(text);
    parl_json_append_canonical(parl_json_find_path(parl_json_find_path(v->arms[a], section), field),
                               text);
    found = a > 0 && strcmp(parl_text_get(&first), parl_text_get(&other)) != 0;
  }
  parl_text_deinit(&first);
  parl_text_deinit(&other);
  return found;
}

/* Of the section at a path, which the arm may lack. */
static void visit_section(const view *v, size_t arm, const parl_section *s, const char *path,
                          difference_visitor visit, void *context) {
  const parl_json *own = parl_json_find_path(v->arms[arm], path);
  for (size_t k = 0; own != NULL && k < s->n_fields; k++)
    if (differs(v, path, s->fields[k].name))
      visit(context, path, s->fields[k].name, parl_json_find_path(own, s->fields[k].name));
}

/* The recipe's own. */
static void visit_terms(const view *v, size_t arm, difference_visitor visit, void *context) {
  const parl_json *terms = parl_json_find(v->arms[arm], "terms");
  char path[PARL_LAMBDA_BYTES];
  for (const parl_json *t = parl_json_get_first(terms); t != NULL; t = parl_json_get_next(t)) {
    snprintf(path, sizeof path, "terms.%s", parl_json_get_key(t));
    if (differs(v, path, "lua")) visit(context, path, "lua", parl_json_find(t, "lua"));
    visit_section(v, arm, &parl_term_section, path, visit, context);
    snprintf(path, sizeof path, "terms.%s.weight", parl_json_get_key(t));
    visit_section(v, arm, &parl_weight_section, path, visit, context);
  }
}

static void visit_differences(const view *v, size_t arm, difference_visitor visit, void *context) {
  size_t n;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++)
    visit_section(v, arm, sections[i].section, sections[i].section->name, visit, context);
  visit_terms(v, arm, visit, context);
  for (const parl_json *p = parl_json_get_first(get_params(v, arm)); p != NULL;
       p = parl_json_get_next(p))
    if (differs(v, "params", parl_json_get_key(p)))
      visit(context, "env.params", parl_json_get_key(p), p);
}

/* --- for a reader --- */

static void append_value(const parl_json *value, parl_text *out) {
  const double x = parl_json_get_number(value);
  if (parl_json_get_type(value) == PARL_JSON_NUMBER)
    parl_text_appendf(out, "%.6g", x);
  else
    parl_json_append_canonical(value, out);
}

static void append_difference(void *context, const char *section, const char *field,
                              const parl_json *value) {
  parl_text *line = context;
  parl_text_appendf(line, "%s%s.%s = ", line->n > 0 ? ", " : "", section, field);
  append_value(value, line);
}

static void append_env_of(const view *v, size_t arm, parl_text *out) {
  parl_text_appendf(out, "environment %s\n", get_arm(v, arm)->env_path);
  for (const parl_json *c = parl_json_get_first(get_params(v, arm)); c != NULL;
       c = parl_json_get_next(c)) {
    parl_text_appendf(out, "  %s = ", parl_json_get_key(c));
    append_value(c, out);
    const bool is_preset = strcmp(parl_json_get_key(c), "preset") == 0;
    if (is_preset && v->plan->preset_exceptions.n > 0)
      parl_text_appendf(out, ", but for %s", parl_text_get(&v->plan->preset_exceptions));
    parl_text_append(out, "\n");
  }
}

static void append_env(const view *v, parl_text *out) {
  for (size_t a = 0; a < v->plan->n_arms; a++)
    if (is_first_of_env(v, a)) append_env_of(v, a, out);
}

static void append_arms(const view *v, parl_text *out) {
  parl_text_appendf(out, "\n%zu arm%s of %zu seed%s, %s\n", v->plan->n_arms,
                    v->plan->n_arms == 1 ? "" : "s", v->plan->n_seeds,
                    v->plan->n_seeds == 1 ? "" : "s",
                    v->plan->n_arms == 1 ? "alone" : "which differ in");
  for (size_t a = 0; a < v->plan->n_arms; a++) {
    parl_text line = {0};
    visit_differences(v, a, append_difference, &line);
    parl_text_appendf(out, "  %-16s %s\n", get_arm(v, a)->name,
                      line.n > 0 ? parl_text_get(&line) : "nothing");
    out->failed |= line.failed;
    parl_text_deinit(&line);
  }
}

static void append_warms(const view *v, parl_text *out) {
  parl_text_appendf(out, "\n%zu warm start%s, %zu made\n", v->plan->n_warms,
                    v->plan->n_warms == 1 ? "" : "s", v->n_made);
  for (size_t i = 0; i < v->plan->n_warms; i++)
    parl_text_appendf(out, "  seed %-11lld %-8s %s\n",
                      (long long)v->plan->cells[v->plan->warms[i].cell].run.config.run.seed,
                      v->made[i] ? "made" : "to make", v->plan->warms[i].path);
}

static void append_cells(const view *v, parl_text *out) {
  parl_text_appendf(out, "\n%zu runs, %zu of them trained; %zu done\n", v->plan->n_cells,
                    v->plan->n_trained, v->n_done);
  for (size_t i = 0; i < v->plan->n_cells; i++)
    parl_text_appendf(out, "  %-16s seed %-6lld %-8s %s\n", v->plan->cells[i].run.name,
                      (long long)v->plan->cells[i].run.config.run.seed,
                      i < v->plan->n_trained ? "train" : "play", v->status[i]);
}

parl_status parl_plan_append(const parl_plan *plan, parl_text *out) {
  view v;
  const parl_status s = view_init(&v, plan);
  if (s == PARL_STATUS_OK) {
    parl_text_appendf(out, "plan of %s in %s\n", plan->cells[0].run.recipe,
                      plan->cells[0].run.folder);
    append_env(&v, out);
    append_arms(&v, out);
    append_warms(&v, out);
    append_cells(&v, out);
  }
  view_deinit(&v);
  PARL_TRY(s);
  return parl_text_status(out);
}

/* --- for a machine --- */

static void write_raw(const parl_json *value, parl_json_writer *w) {
  parl_text text = {0};
  parl_json_append_canonical(value, &text);
  parl_json_raw(w, text.failed || text.n == 0 ? "null" : parl_text_get(&text));
  w->out->failed |= text.failed;
  parl_text_deinit(&text);
}

static void write_difference(void *context, const char *section, const char *field,
                             const parl_json *value) {
  parl_json_writer *w = context;
  char key[128];
  snprintf(key, sizeof key, "%s.%s", section, field);
  parl_json_key(w, key);
  write_raw(value, w);
}

static void write_env(const view *v, parl_json_writer *w) {
  parl_json_key(w, "env");
  parl_json_begin_object(w);
  parl_json_key(w, "file");
  parl_json_string(w, get_arm(v, 0)->env_path);
  parl_json_key(w, "params");
  write_raw(get_params(v, 0), w);
  parl_json_key(w, "preset_exceptions");
  parl_json_string(w, parl_text_get(&v->plan->preset_exceptions));
  parl_json_end_object(w);
}

static void write_arms(const view *v, parl_json_writer *w) {
  parl_json_key(w, "arms");
  parl_json_begin_array(w);
  for (size_t a = 0; a < v->plan->n_arms; a++) {
    parl_json_begin_object(w);
    parl_json_key(w, "name");
    parl_json_string(w, get_arm(v, a)->name);
    parl_json_key(w, "differs");
    parl_json_begin_object(w);
    visit_differences(v, a, write_difference, w);
    parl_json_end_object(w);
    parl_json_key(w, "env_path");
    parl_json_string(w, get_arm(v, a)->env_path);
    parl_json_key(w, "config");
    parl_json_raw(w, v->plan->cells[a * v->plan->n_seeds].canonical);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static void write_warms(const view *v, parl_json_writer *w) {
  parl_json_key(w, "warm_starts");
  parl_json_begin_array(w);
  for (size_t i = 0; i < v->plan->n_warms; i++) {
    parl_json_begin_object(w);
    parl_json_key(w, "seed");
    parl_json_integer(w, v->plan->cells[v->plan->warms[i].cell].run.config.run.seed);
    parl_json_key(w, "path");
    parl_json_string(w, v->plan->warms[i].path);
    parl_json_key(w, "made");
    parl_json_bool(w, v->made[i]);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static void write_cells(const view *v, parl_json_writer *w) {
  parl_json_key(w, "runs");
  parl_json_begin_array(w);
  for (size_t i = 0; i < v->plan->n_cells; i++) {
    const parl_cell *c = &v->plan->cells[i];
    parl_json_begin_object(w);
    parl_json_key(w, "arm");
    parl_json_string(w, c->run.name);
    parl_json_key(w, "seed");
    parl_json_integer(w, c->run.config.run.seed);
    parl_json_key(w, "trained");
    parl_json_bool(w, i < v->plan->n_trained);
    parl_json_key(w, "status");
    parl_json_string(w, v->status[i]);
    parl_json_key(w, "uid");
    parl_json_string(w, c->uid);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

parl_status parl_plan_append_json(const parl_plan *plan, parl_text *out) {
  view v;
  const parl_status s = view_init(&v, plan);
  if (s == PARL_STATUS_OK) {
    parl_json_writer w;
    parl_json_writer_init(&w, out, false);
    parl_json_begin_object(&w);
    parl_json_key(&w, "recipe");
    parl_json_string(&w, plan->cells[0].run.recipe);
    parl_json_key(&w, "folder");
    parl_json_string(&w, plan->cells[0].run.folder);
    write_env(&v, &w);
    write_arms(&v, &w);
    write_warms(&v, &w);
    write_cells(&v, &w);
    parl_json_end_object(&w);
  }
  view_deinit(&v);
  PARL_TRY(s);
  return parl_text_status(out);
}
