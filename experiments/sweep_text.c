/* experiments/sweep_text.c - what a sweep found, for a reader or a machine. */
#include <math.h>
#include <stdio.h>

#include "experiments/sweep_run.h"

enum { MOST_ROWS = 20 };

static void append_row(const parl_sweep_row *row, size_t place, parl_text *out) {
  parl_text_appendf(out, "%4zu  ", place);
  if (!isfinite(row->mean))
    parl_text_append(out, "     -                   ");
  else if (!isfinite(row->lo))
    parl_text_appendf(out, "%8.4g                   ", row->mean);
  else
    parl_text_appendf(out, "%8.4g [%7.4g, %7.4g]", row->mean, row->lo, row->hi);
  parl_text_appendf(out, "  %3zu  %s\n", row->n, row->name);
}

/* What pbt found. */
static void append_schedules(const parl_sweep *sweep, const parl_sweep_row *row, parl_text *out) {
  for (size_t i = 0; i < sweep->n_parameters; i++) {
    parl_text_appendf(out, "      %s = ", sweep->parameters[i].key);
    parl_sweep_append_setting(sweep, i, &row->point, out);
    parl_text_append(out, "\n");
  }
}

static size_t count_pruned(const parl_sweep_result *result) {
  size_t n = 0;
  for (size_t i = 0; i < result->n_rows; i++) n += result->rows[i].pruned_at > 0;
  return n;
}

/* They stand in no ranking. */
static void append_pruned(const parl_sweep_result *result, parl_text *out) {
  const size_t n = count_pruned(result);
  size_t n_said = 0;
  if (n == 0) return;
  parl_text_appendf(out, "pruned, by r_perf of other tasks on the way: %zu\n", n);
  for (size_t i = 0; i < result->n_rows && n_said < MOST_ROWS; i++) {
    const parl_sweep_row *row = &result->rows[result->order[i]];
    if (row->pruned_at == 0) continue;
    n_said++;
    parl_text_appendf(out, "after %lld updates ", (long long)row->pruned_at);
    if (isfinite(row->rung))
      parl_text_appendf(out, "%8.4g  %s\n", row->rung, row->name);
    else
      parl_text_appendf(out, "  failed  %s\n", row->name);
  }
  if (n > n_said) parl_text_appendf(out, "      and %zu more: sweep.json\n", n - n_said);
}

parl_status parl_sweep_append_table(const parl_sweep *sweep, const parl_sweep_result *result,
                                    parl_text *out) {
  const parl_sweep_config *c = &sweep->config;
  const long long first = sweep->first_seed, after = first + c->n_seeds;
  parl_text_appendf(out, "%s: %s %s, seeds %lld to %lld\n", sweep->name,
                    c->goal == PARL_SWEEP_MAXIMIZE ? "greatest" : "least", c->metric, first,
                    after - 1);
  parl_text_append(out, "rank      mean 95 % interval          n  point\n");
  const size_t n_ranked = result->n_rows - count_pruned(result);
  for (size_t i = 0, place = 0; i < result->n_rows && place < MOST_ROWS; i++)
    if (result->rows[result->order[i]].pruned_at == 0)
      append_row(&result->rows[result->order[i]], ++place, out);
  if (n_ranked > MOST_ROWS)
    parl_text_appendf(out, "      and %zu more: sweep.json\n", n_ranked - MOST_ROWS);
  append_pruned(result, out);
  if (result->n_top == 0) {
    if (result->n_rows > 1)
      parl_text_append(out,
                       "The best of many is partly lucky: `top` trains it anew on other seeds.\n");
    return parl_text_status(out);
  }
  parl_text_appendf(out, "trained anew on seeds %lld to %lld, which chose nothing:\n", after,
                    after + (long long)c->top_seeds - 1);
  for (size_t i = 0; i < result->n_top; i++) {
    append_row(&result->top[i], i + 1, out);
    if (c->method == PARL_SWEEP_PBT) append_schedules(sweep, &result->top[i], out);
  }
  return parl_text_status(out);
}

static void write_row(const parl_sweep *s, const parl_sweep_row *row, parl_json_writer *w) {
  parl_text value = {0};
  parl_json_begin_object(w);
  parl_json_key(w, "arm");
  parl_json_string(w, row->name);
  parl_json_key(w, "values");
  parl_json_begin_object(w);
  for (size_t i = 0; i < s->n_parameters; i++) {
    parl_text_clear(&value);
    parl_sweep_append_setting(s, i, &row->point, &value);
    parl_json_key(w, s->parameters[i].key);
    parl_json_raw(w, parl_text_get(&value));
  }
  parl_json_end_object(w);
  parl_json_key(w, "n");
  parl_json_integer(w, (int64_t)row->n);
  parl_json_key(w, "mean");
  parl_json_number(w, row->mean);
  parl_json_key(w, "lo");
  parl_json_number(w, row->lo);
  parl_json_key(w, "hi");
  parl_json_number(w, row->hi);
  if (row->pruned_at > 0) {
    parl_json_key(w, "pruned");
    parl_json_begin_object(w);
    parl_json_key(w, "updates");
    parl_json_integer(w, row->pruned_at);
    parl_json_key(w, "r_perf");
    parl_json_number(w, row->rung);
    parl_json_end_object(w);
  }
  parl_json_end_object(w);
  parl_text_deinit(&value);
}

static void write_seeds(const char *key, int64_t first, int64_t n, parl_json_writer *w) {
  parl_json_key(w, key);
  parl_json_begin_array(w);
  parl_json_integer(w, first);
  parl_json_integer(w, first + n - 1);
  parl_json_end_array(w);
}

parl_status parl_sweep_append_json(const parl_sweep *sweep, const parl_sweep_result *result,
                                   parl_text *out) {
  const parl_sweep_config *c = &sweep->config;
  char folder[PARL_SWEEP_PATH_BYTES];
  parl_json_writer w;
  PARL_TRY(parl_sweep_get_folder(sweep, folder));
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "name");
  parl_json_string(&w, sweep->name);
  parl_json_key(&w, "sweep");
  parl_config_write(&parl_sweep_section, c, &w);
  if (c->method == PARL_SWEEP_PBT) {
    parl_json_key(&w, "pbt");
    parl_config_write(&parl_pbt_section, &sweep->pbt, &w);
  }
  if (sweep->early.type != PARL_EARLY_NONE) {
    parl_json_key(&w, "early_terminate");
    parl_config_write(&parl_early_section, &sweep->early, &w);
  }
  parl_json_key(&w, "folder");
  parl_json_string(&w, folder);
  write_seeds("seeds", sweep->first_seed, c->n_seeds, &w);
  parl_json_key(&w, "points");
  parl_json_begin_array(&w);
  for (size_t i = 0; i < result->n_rows; i++) write_row(sweep, &result->rows[result->order[i]], &w);
  parl_json_end_array(&w);
  if (result->n_top > 0) {
    parl_json_key(&w, "top_folder");
    parl_json_string(&w, sweep->folder);
    write_seeds("top_seeds", sweep->first_seed + c->n_seeds, c->top_seeds, &w);
    parl_json_key(&w, "top");
    parl_json_begin_array(&w);
    for (size_t i = 0; i < result->n_top; i++) write_row(sweep, &result->top[i], &w);
    parl_json_end_array(&w);
  }
  parl_json_key(&w, "failed");
  parl_json_integer(&w, (int64_t)result->n_failed);
  if (result->n_pruned > 0) {
    parl_json_key(&w, "pruned");
    parl_json_integer(&w, (int64_t)result->n_pruned);
  }
  parl_json_end_object(&w);
  return parl_text_status(out);
}

parl_status parl_sweep_append_rungs(const parl_sweep *sweep, const parl_rungs *rungs,
                                    parl_text *out) {
  if (rungs->n == 0) return PARL_STATUS_OK;
  const bool is_pbt = sweep->config.method == PARL_SWEEP_PBT;
  parl_text_append(out, is_pbt ? "a population: after " : "at most: after ");
  for (size_t k = 0; k < rungs->n; k++)
    parl_text_appendf(out, "%s%lld", k > 0 ? ", " : "", (long long)rungs->at[k]);
  if (is_pbt) {
    parl_text_appendf(out,
                      " updates the worst go on as one of the best, changed, by r_perf of %lld "
                      "tasks\n",
                      (long long)rungs->n_tasks);
    return parl_text_status(out);
  }
  parl_text_appendf(out, " updates the best 1/%lld of the points go on, by r_perf of %lld tasks\n",
                    (long long)sweep->early.eta, (long long)rungs->n_tasks);
  return parl_text_status(out);
}
