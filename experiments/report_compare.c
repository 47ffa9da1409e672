/* experiments/report_compare.c - what the report says of a pair, of any score, for a terminal. */
#include "experiments/report_compare.h"

#include <string.h>

#include "core/config.h"
#include "experiments/report_internal.h"

/* The pair on one kind of task. */
typedef struct row {
  const parl_summary *a, *b;
  parl_summary difference, improvement;
  double p;
} row;

typedef struct comparison {
  const parl_report *report;
  size_t a, b; /* arms */
  parl_score score;
} comparison;

/* --- who and what --- */

static parl_status find_score(const char *name, parl_score *out) {
  const char *names[PARL_N_SCORES];
  for (int s = 0; s < PARL_N_SCORES; s++) {
    names[s] = parl_score_infos[s].name;
    if (strcmp(names[s], name) != 0) continue;
    *out = (parl_score)s;
    return PARL_STATUS_OK;
  }
  const char *near = parl_nearest(name, names, PARL_N_SCORES);
  return parl_fail(PARL_STATUS_EINVAL, "metric \"%s\": no score has that name%s%s%s", name,
                   near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
}

static bool is_of(const parl_report *r, const parl_report_run *run, size_t folder) {
  return run->folder == folder && r->arms[run->arm].trained;
}

/* "plain, annealed": the trained arms of a folder, each once. */
static size_t list_arms(const parl_report *r, size_t folder, size_t *last, parl_text *out) {
  size_t n = 0;
  for (size_t a = 0; a < r->n_arms; a++) {
    bool has = false;
    for (size_t i = 0; i < r->n_runs; i++) {
      const parl_report_run *run = &r->runs[i];
      if (has || run->arm != a || !is_of(r, run, folder)) continue;
      has = true;
      parl_text_appendf(out, "%s%s", n++ > 0 ? ", " : "", run->own_name);
      *last = a;
    }
  }
  return n;
}

/* A run that two folders have stands for both. */
static parl_status find_arm(const parl_report *r, size_t folder, const char *name, size_t *out) {
  for (int pass = 0; pass < 2 && name != NULL; pass++)
    for (size_t i = 0; i < r->n_runs; i++) {
      const parl_report_run *run = &r->runs[i];
      const bool is_it = pass == 0 ? run->folder == folder && strcmp(run->own_name, name) == 0
                                   : strcmp(run->arm_name, name) == 0;
      if (!is_it || r->arms[run->arm].n_counted == 0) continue;
      *out = run->arm;
      return PARL_STATUS_OK;
    }
  parl_text names = {0};
  const size_t n = list_arms(r, folder, out, &names);
  parl_status s = PARL_STATUS_OK;
  if (name != NULL)
    s = parl_fail(PARL_STATUS_EINVAL, "%s: no run of \"%s\" is done; trained are: %s",
                  r->folders[folder], name, n > 0 ? parl_text_get(&names) : "none");
  else if (n != 1)
    s = parl_fail(PARL_STATUS_EINVAL, "%s: %zu trained policies; name one as %s:ARM%s%s",
                  r->folders[folder], n, r->folders[folder], n > 0 ? ": " : "",
                  parl_text_get(&names));
  parl_text_deinit(&names);
  return s;
}

static parl_status check_pair(const comparison *c) {
  const parl_report *r = c->report;
  if (c->a == c->b)
    return parl_fail(PARL_STATUS_EINVAL, "%s is compared with itself", r->arms[c->a].name);
  if (!r->arms[c->a].trained)
    return parl_fail(PARL_STATUS_EINVAL, "%s is not trained: it can only stand second",
                     r->arms[c->a].name);
  if (r->arms[c->a].env != r->arms[c->b].env)
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s and %s play other scripts or parameters, or other held-out tasks: their "
                     "scores say nothing of each other",
                     r->arms[c->a].name, r->arms[c->b].name);
  return PARL_STATUS_OK;
}

/* --- numbers --- */

static parl_status get_row(const comparison *c, size_t family, row *out) {
  const parl_report *r = c->report;
  double *x = NULL, *y = NULL, *pairs = NULL;
  size_t n = 0, n_x = 0, n_y = 0;
  bool is_exact;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs, &x));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs, &y));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs, &pairs));
  for (size_t i = 0; i < r->n_runs; i++) {
    const parl_report_run *run = &r->runs[i];
    const double value = parl_run_scores(r, run, PARL_DECODING_MAIN, family)->of[c->score];
    if (!run->counted || !isfinite(value)) continue;
    if (run->arm == c->a) x[n_x++] = value;
    if (run->arm == c->b) y[n_y++] = value;
    for (size_t j = 0; j < r->n_runs && run->arm == c->a; j++) {
      const parl_report_run *other = &r->runs[j];
      const double its = parl_run_scores(r, other, PARL_DECODING_MAIN, family)->of[c->score];
      if (other->counted && other->arm == c->b && other->seed == run->seed && isfinite(its))
        pairs[n++] = value - its;
    }
  }
  const parl_report_pair *pair = parl_report_find_pair(r, c->a, c->b);
  PARL_CHECK(pair != NULL);
  *out = (row){.a = parl_arm_score(r, &r->arms[c->a], PARL_DECODING_MAIN, family, c->score),
               .b = parl_arm_score(r, &r->arms[c->b], PARL_DECODING_MAIN, family, c->score),
               .difference = *parl_pair_score(r, pair, PARL_DECODING_MAIN, family, c->score),
               .p = NAN};
  out->difference.iqm = out->difference.mean;
  PARL_TRY(parl_report_summarize_improvement(x, n_x, y, n_y, PARL_BOOTSTRAP_REPLICATES,
                                             &out->improvement));
  return n > 0 ? parl_wilcoxon(pairs, n, &out->p, &is_exact) : PARL_STATUS_OK;
}

/* --- for people --- */

static parl_status append_table(const comparison *c, parl_text *out) {
  const parl_report *r = c->report;
  const int digits = parl_score_infos[c->score].digits;
  parl_table t;
  parl_text title = {0};
  const char *copy = NULL;
  parl_text_appendf(&title, "%s: a = ", parl_score_infos[c->score].name);
  parl_text_append_plain(&title, r->arms[c->a].name);
  parl_text_append(&title, ", b = ");
  parl_text_append_plain(&title, r->arms[c->b].name);
  const parl_status s = parl_report_copy_text(r->arena, parl_text_get(&title), &copy);
  parl_text_deinit(&title);
  PARL_TRY(s);
  parl_table_init(&t, r->arena, copy, 7, 1);
  t.note =
      "a and b: interquartile mean over seeds; a - b: mean difference, paired by seed; P: chance "
      "that a seed of a has the higher value; p: two-sided Wilcoxon test of the differences. "
      "Brackets are 95 % intervals: of fewer than 5 seeds Student's and Newcombe's, else by "
      "resampling.";
  const char *const heads[] = {"on", "a", "b", "pairs", "a - b", "P(a > b)", "p"};
  for (size_t i = 0; i < 7; i++) parl_table_add(&t, "%s", heads[i]);
  for (size_t f = 1; f <= r->n_families + 1; f++) {
    row x;
    const size_t family = f % (r->n_families + 1); /* all tasks last */
    PARL_TRY(get_row(c, family, &x));
    if (x.a->n == 0 && x.b->n == 0) continue;
    parl_table_add(&t, "%s", parl_report_get_family(r, family));
    parl_table_add_summary(&t, x.a, digits);
    parl_table_add_summary(&t, x.b, digits);
    parl_table_add(&t, "%zu", x.difference.n);
    parl_table_add_summary(&t, &x.difference, digits);
    parl_table_add_summary(&t, &x.improvement, 2);
    parl_table_add_number(&t, x.p, 4);
  }
  return parl_table_append(&t, PARL_FORMAT_PLAIN, out);
}

/* --- for machines --- */

static void write_summary(parl_json_writer *w, const char *key, const parl_summary *s,
                          double value) {
  parl_json_key(w, key);
  parl_json_begin_object(w);
  parl_json_key(w, "value");
  parl_json_number(w, value);
  parl_json_key(w, "lo");
  parl_json_number(w, s->lo);
  parl_json_key(w, "hi");
  parl_json_number(w, s->hi);
  parl_json_key(w, "n");
  parl_json_integer(w, (int64_t)s->n);
  parl_json_end_object(w);
}

static parl_status append_json(const comparison *c, parl_text *out) {
  const parl_report *r = c->report;
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "metric");
  parl_json_string(&w, parl_score_infos[c->score].name);
  parl_json_key(&w, "a");
  parl_json_string(&w, r->arms[c->a].name);
  parl_json_key(&w, "b");
  parl_json_string(&w, r->arms[c->b].name);
  parl_json_key(&w, "parts");
  parl_json_begin_array(&w);
  for (size_t f = 0; f <= r->n_families; f++) {
    row x;
    PARL_TRY(get_row(c, f, &x));
    parl_json_begin_object(&w);
    parl_json_key(&w, "family");
    parl_json_string(&w, f > 0 ? r->families[f - 1] : "");
    write_summary(&w, "a", x.a, x.a->iqm);
    write_summary(&w, "b", x.b, x.b->iqm);
    write_summary(&w, "difference", &x.difference, x.difference.mean);
    write_summary(&w, "probability_higher", &x.improvement, x.improvement.mean);
    parl_json_key(&w, "wilcoxon_p");
    parl_json_number(&w, x.p);
    parl_json_end_object(&w);
  }
  parl_json_end_array(&w);
  parl_json_end_object(&w);
  parl_text_append(out, "\n");
  return parl_text_status(out);
}

/* --- together --- */

static parl_status compare(parl_report *r, const parl_compare_side *a, const parl_compare_side *b,
                           const char *const *folders, size_t n_folders, comparison *c) {
  PARL_TRY(parl_report_load(folders, n_folders, r->arena, r));
  c->report = r;
  PARL_TRY(find_arm(r, 0, a->arm, &c->a));
  PARL_TRY(find_arm(r, n_folders - 1, b->arm, &c->b));
  PARL_TRY(parl_report_find_environments(r));
  PARL_TRY(check_pair(c));
  return parl_report_summarize(r, r->arms[c->b].name);
}

parl_status parl_report_compare(const parl_compare_side *a, const parl_compare_side *b,
                                const char *metric, bool as_json, parl_text *out) {
  const char *const folders[] = {a->folder, b->folder};
  const size_t n = strcmp(a->folder, b->folder) == 0 ? 1 : 2;
  comparison c = {0};
  parl_arena arena;
  PARL_TRY(find_score(metric, &c.score));
  parl_arena_init(&arena, 0);
  parl_report r = {.arena = &arena};
  parl_status s = compare(&r, a, b, folders, n, &c);
  if (s == PARL_STATUS_OK) s = as_json ? append_json(&c, out) : append_table(&c, out);
  parl_report_deinit(&r);
  parl_arena_deinit(&arena);
  return s;
}
