/* experiments/report_named.c - the numbers that environments name themselves: what `score` and
 * `details` return beside r_perf. Which there are is an environment's own affair, so they are no
 * rows of PARL_SCORE_LIST; success is one of those already. Their keys are "score/NAME". */
#include <string.h>

#include "experiments/report_internal.h"

typedef parl_status (*named_visitor)(void *context, const char *name, double value);

/* Every named number of an episode. */
static parl_status visit_scores(const parl_episode_row *e, named_visitor visit, void *context) {
  parl_json *root = NULL;
  if (e->failed || e->scores == NULL || e->scores[0] == '\0') return PARL_STATUS_OK;
  PARL_TRY(parl_json_parse(e->scores, strlen(e->scores), "scores of an episode", &root));
  parl_status s = PARL_STATUS_OK;
  for (const parl_json *c = parl_json_get_first(root); c != NULL && s == PARL_STATUS_OK;
       c = parl_json_get_next(c)) {
    const char *name = parl_json_get_key(c);
    if (name != NULL && strcmp(name, "success") != 0 && parl_json_get_type(c) == PARL_JSON_NUMBER)
      s = visit(context, name, parl_json_get_number(c));
  }
  parl_json_destroy(root);
  return s;
}

static size_t find_name(const parl_named *n, const char *name) {
  size_t i = 0;
  while (i < n->n && strcmp(n->names[i], name) != 0) i++;
  return i;
}

/* --- the first reading: which names there are --- */

static parl_status add_name(void *context, const char *name, double value) {
  (void)value;
  parl_report *r = context;
  parl_named *n = &r->named;
  if (find_name(n, name) < n->n || n->n == PARL_REPORT_MAX_NAMED) return PARL_STATUS_OK;
  PARL_TRY(parl_report_copy_text(r->arena, name, &n->names[n->n]));
  n->n++;
  return PARL_STATUS_OK;
}

parl_status parl_report_survey_named(parl_report *r, const parl_episode_row *e) {
  return visit_scores(e, add_name, r);
}

/* --- the second: means over the episodes that have a score --- */

typedef struct adding {
  const parl_report *report;
  parl_report_run *run;
  size_t rows[2]; /* all tasks, and the episode's family; the same if there is one kind */
} adding;

static parl_status add_value(void *context, const char *name, double value) {
  const adding *a = context;
  const size_t n = a->report->named.n, i = find_name(&a->report->named, name);
  if (i == n || !isfinite(value)) return PARL_STATUS_OK;
  for (int k = 0; k < (a->rows[0] == a->rows[1] ? 1 : 2); k++) {
    const size_t at = a->rows[k] * n + i;
    const double count = ++a->run->n_named[at];
    a->run->named[at] =
        count == 1 ? value : a->run->named[at] + (value - a->run->named[at]) / count;
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_take_named(const parl_report *r, parl_report_run *run) {
  const size_t n = PARL_N_DECODINGS * (1 + r->n_families) * r->named.n;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n + 1, &run->named));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n + 1, &run->n_named));
  for (size_t i = 0; i < n; i++) {
    run->named[i] = NAN;
    run->n_named[i] = 0;
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_read_named(const parl_report *r, parl_report_run *run,
                                   parl_decoding decoding, const parl_episode_row *e) {
  const size_t first = (size_t)decoding * (1 + r->n_families);
  adding a = {.report = r, .run = run, .rows = {first, first}};
  for (size_t f = 0; f < r->n_families; f++)
    if (strcmp(r->families[f], e->family) == 0) a.rows[1] = first + 1 + f;
  return visit_scores(e, add_value, &a);
}

/* --- the table --- */

static bool has_any(const parl_report *r, size_t family, size_t name) {
  for (size_t a = 0; a < r->n_arms; a++)
    if (parl_arm_named(r, &r->arms[a], PARL_DECODING_MAIN, family, name)->n > 0) return true;
  return false;
}

static void add_policies(const parl_report *r, size_t family, size_t name, parl_table *t) {
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_summary *s = parl_arm_named(r, &r->arms[a], PARL_DECODING_MAIN, family, name);
    if (s->n == 0) continue;
    parl_table_add(t, "%s", parl_report_get_family(r, family));
    parl_table_add(t, "%s", r->named.names[name]);
    parl_table_add(t, "%s", r->arms[a].name);
    parl_table_add(t, "%zu", s->n);
    parl_table_add_summary(t, s, 3);
  }
}

/* A score's row stands where it is defined: of each kind of task, or of all if there is one. */
void parl_report_make_named(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "Scores that the environment names (sampled)", 5, 3);
  t->note = "Interquartile mean over seeds [95 % interval] of the mean over episodes.";
  parl_table_add(t, "kind");
  parl_table_add(t, "score");
  parl_table_add(t, "policy");
  parl_table_add(t, "seeds");
  parl_table_add(t, "value");
  const size_t first = r->n_families > 0 ? 1 : 0;
  for (size_t f = first; f <= r->n_families; f++)
    for (size_t i = 0; i < r->named.n; i++)
      if (has_any(r, f, i)) add_policies(r, f, i, t);
}
