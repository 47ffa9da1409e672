/* cli/cmd_stats.c - parl stats TABLE: the report's statistics of scores from anywhere. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/json.h"
#include "experiments/aggregate.h"

enum { MAX_TAUS = 1000 };

typedef struct statistics {
  parl_score_table table;
  size_t n_taus;
  double taus[MAX_TAUS];
  parl_aggregates *aggregates; /* [n_algorithms] */
  double *profiles;            /* [n_algorithms, n_taus] */
  size_t n_pairs;
  parl_comparison *comparisons; /* [n_pairs] of a < b, a outermost */
  double *corrected;            /* [n_pairs] by Holm over all of them */
} statistics;

static parl_status read_taus(const char *list, statistics *s) {
  if (list == NULL) {
    for (; s->n_taus <= 10; s->n_taus++) s->taus[s->n_taus] = (double)s->n_taus / 10;
    return PARL_STATUS_OK;
  }
  for (const char *at = list;; at++) {
    char *end;
    const double tau = strtod(at, &end);
    if (end == at || (*end != ',' && *end != '\0') || !isfinite(tau))
      return parl_fail(PARL_STATUS_EINVAL,
                       "--taus %s: \"%.*s\" is no finite number; numbers with commas between", list,
                       (int)strcspn(at, ","), at);
    if (s->n_taus == MAX_TAUS)
      return parl_fail(PARL_STATUS_EINVAL, "--taus: more than %d numbers", MAX_TAUS);
    s->taus[s->n_taus++] = tau;
    if (*end == '\0') return PARL_STATUS_OK;
    at = end;
  }
}

static parl_status compute(statistics *s, const parl_resampling *resampling) {
  const size_t n = s->table.n_algorithms, n_pairs = n * (n - 1) / 2;
  s->aggregates = calloc(n, sizeof *s->aggregates);
  s->profiles = calloc(n * s->n_taus, sizeof *s->profiles);
  s->comparisons = calloc(n_pairs + 1, sizeof *s->comparisons);
  s->corrected = calloc(n_pairs + 1, sizeof *s->corrected);
  if (!s->aggregates || !s->profiles || !s->comparisons || !s->corrected)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu algorithms", n);
  for (size_t a = 0; a < n; a++) {
    PARL_TRY(parl_aggregate(&s->table, a, resampling, &s->aggregates[a]));
    parl_profile(&s->table, a, s->taus, s->n_taus, &s->profiles[a * s->n_taus]);
    for (size_t b = a + 1; b < n; b++, s->n_pairs++)
      PARL_TRY(parl_compare(&s->table, a, b, resampling, &s->comparisons[s->n_pairs]));
  }
  for (size_t i = 0; i < n_pairs; i++) s->corrected[i] = s->comparisons[i].wilcoxon_p;
  return parl_holm(s->corrected, n_pairs);
}

/* --- for machines --- */

static void write_estimate(parl_json_writer *w, const char *key, parl_estimate e) {
  parl_json_key(w, key);
  parl_json_begin_object(w);
  parl_json_key(w, "value");
  parl_json_number(w, e.value);
  parl_json_key(w, "lo");
  parl_json_number(w, e.lo);
  parl_json_key(w, "hi");
  parl_json_number(w, e.hi);
  parl_json_end_object(w);
}

static void write_numbers(parl_json_writer *w, const char *key, const double *x, size_t n) {
  parl_json_key(w, key);
  parl_json_begin_array(w);
  for (size_t i = 0; i < n; i++) parl_json_number(w, x[i]);
  parl_json_end_array(w);
}

static void write_pair(parl_json_writer *w, const statistics *s, size_t a, size_t b,
                       const parl_comparison *c, double corrected, parl_text *key) {
  parl_text_clear(key);
  parl_text_appendf(key, "%s>%s", s->table.algorithms[a], s->table.algorithms[b]);
  parl_json_key(w, parl_text_get(key));
  parl_json_begin_object(w);
  write_estimate(w, "probability_of_improvement", c->improvement);
  write_estimate(w, "mean_difference", c->difference);
  parl_json_key(w, "n_pairs");
  parl_json_integer(w, (int64_t)c->n_pairs);
  parl_json_key(w, "wilcoxon_p");
  parl_json_number(w, c->wilcoxon_p);
  parl_json_key(w, "wilcoxon_p_holm");
  parl_json_number(w, corrected);
  parl_json_key(w, "wilcoxon_exact");
  parl_json_bool(w, c->n_pairs > 0 && c->is_exact);
  parl_json_end_object(w);
}

static parl_status write_json(const statistics *s, const cli_args *args, parl_text *out) {
  const parl_score_table *t = &s->table;
  parl_text key = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "resamples");
  parl_json_integer(&w, args->resamples);
  parl_json_key(&w, "seed");
  parl_json_integer(&w, args->seed);
  write_numbers(&w, "taus", s->taus, s->n_taus);
  parl_json_key(&w, "algorithms");
  parl_json_begin_object(&w);
  for (size_t a = 0; a < t->n_algorithms; a++) {
    parl_json_key(&w, t->algorithms[a]);
    parl_json_begin_object(&w);
    write_estimate(&w, "iqm", s->aggregates[a].iqm);
    write_estimate(&w, "mean", s->aggregates[a].mean);
    write_estimate(&w, "median", s->aggregates[a].median);
    write_estimate(&w, "optimality_gap", s->aggregates[a].optimality_gap);
    write_numbers(&w, "profile", &s->profiles[a * s->n_taus], s->n_taus);
    parl_json_key(&w, "n_scores");
    parl_json_integer(&w, (int64_t)(t->first[(a + 1) * t->n_tasks] - t->first[a * t->n_tasks]));
    parl_json_end_object(&w);
  }
  parl_json_end_object(&w);
  parl_json_key(&w, "pairs");
  parl_json_begin_object(&w);
  for (size_t a = 0, i = 0; a < t->n_algorithms; a++)
    for (size_t b = a + 1; b < t->n_algorithms; b++, i++) {
      const parl_comparison turned = parl_comparison_turn(&s->comparisons[i]);
      write_pair(&w, s, a, b, &s->comparisons[i], s->corrected[i], &key);
      write_pair(&w, s, b, a, &turned, s->corrected[i], &key);
    }
  parl_json_end_object(&w);
  parl_json_end_object(&w);
  const parl_status status = parl_text_status(&key);
  parl_text_deinit(&key);
  return status;
}

/* --- for people --- */

static void write_cell(parl_text *out, parl_estimate e) {
  char text[96];
  if (isnan(e.value))
    snprintf(text, sizeof text, "-");
  else if (isnan(e.lo))
    snprintf(text, sizeof text, "%.3f", e.value);
  else
    snprintf(text, sizeof text, "%.3f [%.3f, %.3f]", e.value, e.lo, e.hi);
  parl_text_appendf(out, "  %-22s", text);
}

static void write_table(const statistics *s, parl_text *out) {
  const parl_score_table *t = &s->table;
  int width = 9;
  for (size_t a = 0; a < t->n_algorithms; a++)
    if ((int)strlen(t->algorithms[a]) > width) width = (int)strlen(t->algorithms[a]);
  parl_text_appendf(out, "%-*s  %6s  %-22s  %-22s  %-22s  %s\n", width, "algorithm", "scores",
                    "IQM", "mean", "median", "optimality gap");
  for (size_t a = 0; a < t->n_algorithms; a++) {
    parl_text_appendf(out, "%-*s  %6zu", width, t->algorithms[a],
                      t->first[(a + 1) * t->n_tasks] - t->first[a * t->n_tasks]);
    const parl_aggregates *g = &s->aggregates[a];
    const parl_estimate each[] = {g->iqm, g->mean, g->median, g->optimality_gap};
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) write_cell(out, each[i]);
    parl_text_append(out, "\n");
  }
  if (s->n_pairs == 0) return;
  parl_text_appendf(out, "\n%-*s  %6s  %-22s  %-22s  %10s  %10s\n", 2 * width + 3, "pair", "pairs",
                    "P(a > b)", "mean of a - b", "Wilcoxon p", "Holm");
  for (size_t a = 0, i = 0; a < t->n_algorithms; a++)
    for (size_t b = a + 1; b < t->n_algorithms; b++, i++) {
      const parl_comparison *c = &s->comparisons[i];
      parl_text_appendf(out, "%*s > %-*s  %6zu", width, t->algorithms[a], width, t->algorithms[b],
                        c->n_pairs);
      write_cell(out, c->improvement);
      write_cell(out, c->difference);
      parl_text_appendf(out, "  %s  %s\n", cli_general(10, 3, c->wilcoxon_p).text,
                        cli_general(10, 3, s->corrected[i]).text);
    }
}

static void statistics_deinit(statistics *s) {
  parl_score_table_deinit(&s->table);
  free(s->aggregates);
  free(s->profiles);
  free(s->comparisons);
  free(s->corrected);
}

static parl_status run(const cli_args *args, statistics *s, parl_text *out) {
  PARL_TRY(read_taus(args->taus, s));
  cli_begin_work();
  PARL_TRY(parl_score_table_read(args->operands[0], &s->table));
  const char *unused = parl_text_get(&s->table.unused);
  if (*unused != '\0')
    fprintf(stderr, "parl: %s: not used: column %s\n", args->operands[0], unused);
  parl_resampling resampling = {.n = (size_t)args->resamples, .seed = (uint64_t)args->seed};
  PARL_TRY(parl_workers_create(parl_workers_count_processors(), &resampling.workers));
  const parl_status status = compute(s, &resampling);
  parl_workers_destroy(resampling.workers);
  PARL_TRY(status);
  if (args->json) return write_json(s, args, out);
  write_table(s, out);
  return PARL_STATUS_OK;
}

int cmd_stats(const cli_args *args) {
  statistics s = {0};
  parl_text out = {0};
  parl_status status = run(args, &s, &out);
  if (status == PARL_STATUS_OK)
    status = cli_print(&out);
  else
    parl_text_deinit(&out);
  statistics_deinit(&s);
  return status == PARL_STATUS_OK ? CLI_DONE : cli_fail(status);
}
