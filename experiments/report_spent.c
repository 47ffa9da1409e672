/* experiments/report_spent.c - what training took per 1,000 episodes, and to a score. */
#include "experiments/report_spent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/report_content.h"

const double parl_spent_targets[PARL_SPENT_TARGETS] = {0.5, 0.7, 0.9};

static const struct {
  const char *name, *head;
  int digits;
} kinds[PARL_N_SPENT] = {
#define X(name, digits, head) {#name, head, digits},
    PARL_SPENT_LIST(X)
#undef X
};

/* --- a run --- */

static double get_trailing_mean(const parl_spent_update *updates, size_t last) {
  double sum = 0;
  if (last + 1 < PARL_SPENT_WINDOW) return NAN;
  for (size_t i = last + 1 - PARL_SPENT_WINDOW; i <= last; i++) sum += updates[i].r_perf;
  return sum / PARL_SPENT_WINDOW;
}

void parl_spent_get(const parl_spent_update *updates, size_t n, parl_spent *out) {
  double sum[PARL_N_SPENT] = {0};
  *out = (parl_spent){.is_reached = {true}, .episodes = NAN, .evaluate_s = NAN};
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < PARL_N_SPENT; k++) sum[k] += updates[i].of[k];
    const double mean = get_trailing_mean(updates, i);
    for (size_t t = 0; t <= PARL_SPENT_TARGETS; t++) {
      if (t > 0 && out->is_reached[t]) continue;
      out->updates[t] = (double)(i + 1);
      memcpy(out->of[t], sum, sizeof sum);
      if (t > 0) out->is_reached[t] = mean >= parl_spent_targets[t - 1];
    }
  }
}

/* --- reading --- */

parl_status parl_report_read_spent(const parl_report *r, parl_spent_update **updates,
                                   int64_t update, const char *key, double value) {
  static const struct {
    const char *key;
    int kind; /* PARL_N_SPENT: r_perf */
  } rows[] = {{"time/train_tokens", PARL_SPENT_tokens}, {"time/decode_tokens", PARL_SPENT_tokens},
              {"time/cpu_s", PARL_SPENT_cpu_s},         {"time/update_s", PARL_SPENT_wall_s},
              {"time/joules", PARL_SPENT_joules},       {"reward/perf", PARL_N_SPENT}};
  const size_t n = (size_t)(r->last_update + 1);
  if (update < 0 || update > r->last_update) return PARL_STATUS_OK;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (strcmp(rows[i].key, key) != 0) continue;
    if (*updates == NULL) {
      *updates = malloc(n * sizeof **updates);
      if (*updates == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu updates", n);
      for (size_t u = 0; u < n; u++) (*updates)[u] = (parl_spent_update){NAN, {NAN, NAN, NAN, NAN}};
    }
    parl_spent_update *u = &(*updates)[update];
    double *at = rows[i].kind == PARL_N_SPENT ? &u->r_perf : &u->of[rows[i].kind];
    *at = isnan(*at) ? value : *at + value;
    return PARL_STATUS_OK;
  }
  return PARL_STATUS_OK;
}

/* Updates behind the run's last have nothing at all. */
static size_t count_updates(const parl_spent_update *updates, size_t n) {
  while (n > 0 && isnan(updates[n - 1].of[PARL_SPENT_wall_s]) && isnan(updates[n - 1].r_perf)) n--;
  return n;
}

parl_status parl_report_finish_spent(const parl_report *r, parl_report_run *run,
                                     const parl_spent_update *updates, double evaluate_s) {
  parl_json *config = NULL;
  const size_t n = updates == NULL ? 0 : count_updates(updates, (size_t)(r->last_update + 1));
  size_t n_evaluated = 0;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, 1, &run->spent));
  parl_spent_get(updates, n, run->spent);
  PARL_TRY(parl_json_parse(run->config, strlen(run->config), "a run's configuration", &config));
  const double tasks = parl_json_get_number(parl_json_find_path(config, "train.tasks"));
  const double group = parl_json_get_number(parl_json_find_path(config, "train.group"));
  parl_json_destroy(config);
  if (tasks > 0 && group > 0) run->spent->episodes = tasks * group;
  for (int d = 0; d < PARL_N_DECODINGS; d++)
    n_evaluated += parl_run_scores(r, run, (parl_decoding)d, 0)->n_episodes;
  if (n_evaluated > 0) run->spent->evaluate_s = evaluate_s / (double)n_evaluated;
  return PARL_STATUS_OK;
}

/* --- an arm --- */

typedef struct gathering {
  const parl_report *r;
  size_t arm;
  double *values; /* [n_runs] */
} gathering;

/* Of each run that counts. row 0: per 1,000 episodes; kind PARL_N_SPENT: updates. */
static parl_status summarize(const gathering *g, size_t row, size_t kind, parl_summary *out) {
  size_t n = 0;
  for (size_t i = 0; i < g->r->n_runs; i++) {
    const parl_report_run *run = &g->r->runs[i];
    if (run->arm != g->arm || !run->counted || run->spent->updates[0] == 0) continue;
    const parl_spent *s = run->spent;
    const double scale = row > 0 ? 1 : 1000 / (s->updates[0] * s->episodes);
    g->values[n++] = kind == PARL_N_SPENT ? s->updates[row] : scale * s->of[row][kind];
  }
  PARL_TRY(parl_report_summarize_values(g->r, g->values, n, out));
  if (out->lo < 0) out->lo = 0;
  return PARL_STATUS_OK;
}

static parl_status summarize_arm(const gathering *g, parl_spent_arm *out) {
  size_t n = 0;
  *out = (parl_spent_arm){.n_reached = {0}};
  for (size_t row = 0; row <= PARL_SPENT_TARGETS; row++) {
    for (size_t k = 0; k < PARL_N_SPENT; k++) PARL_TRY(summarize(g, row, k, &out->of[row][k]));
    PARL_TRY(summarize(g, row, PARL_N_SPENT, &out->updates[row]));
    for (size_t i = 0; i < g->r->n_runs; i++)
      out->n_reached[row] += g->r->runs[i].arm == g->arm && g->r->runs[i].counted &&
                             g->r->runs[i].spent->is_reached[row];
    if (row == 0 || out->n_reached[row] == out->updates[row].n) continue;
    out->updates[row].lo = out->updates[row].hi = NAN; /* a bound has no interval */
    for (size_t k = 0; k < PARL_N_SPENT; k++) out->of[row][k].lo = out->of[row][k].hi = NAN;
  }
  for (size_t i = 0; i < g->r->n_runs; i++)
    if (g->r->runs[i].arm == g->arm && g->r->runs[i].counted)
      g->values[n++] = 1000 * g->r->runs[i].spent->evaluate_s;
  PARL_TRY(parl_report_summarize_values(g->r, g->values, n, &out->evaluate_s));
  if (out->evaluate_s.lo < 0) out->evaluate_s.lo = 0;
  return PARL_STATUS_OK;
}

parl_status parl_report_summarize_spent(const parl_report *r) {
  gathering g = {.r = r};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &g.values));
  for (g.arm = 0; g.arm < r->n_arms; g.arm++) {
    PARL_TRY(PARL_ARENA_TAKE(r->arena, 1, &r->arms[g.arm].spent));
    PARL_TRY(summarize_arm(&g, r->arms[g.arm].spent));
  }
  return PARL_STATUS_OK;
}

/* --- tables --- */

static const char *get_joules_note(const parl_report *r) {
  for (size_t a = 0; a < r->n_trained; a++)
    if (r->arms[a].spent->of[0][PARL_SPENT_joules].n > 0)
      return "J: of the processor packages meanwhile, all programs' (RAPL).";
  return "J: not readable where these runs were trained.";
}

static parl_status make_note(const parl_report *r, const char *what, parl_table *t) {
  parl_text note = {0};
  parl_text_append(&note, what);
  parl_text_append(&note, get_joules_note(r));
  parl_status s = parl_text_status(&note);
  if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(&note), &t->note);
  parl_text_deinit(&note);
  return s;
}

parl_status parl_report_make_spent(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "What 1,000 episodes took", 4 + PARL_N_SPENT, 1);
  PARL_TRY(make_note(r,
                     "Interquartile mean over seeds [95 % interval]. Evaluated: tokens that all "
                     "agents wrote, and wall s. Of training: tokens decoded and learned from. ",
                     t));
  parl_table_add(t, "policy");
  parl_table_add(t, "seeds");
  parl_table_add(t, "evaluated: tokens");
  parl_table_add(t, "wall s");
  for (size_t k = 0; k < PARL_N_SPENT; k++)
    parl_table_add(t, "%s%s", k == 0 ? "training: " : "", kinds[k].head);
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_spent_arm *s = r->arms[a].spent;
    const parl_summary *tokens =
        parl_arm_score(r, &r->arms[a], PARL_DECODING_MAIN, 0, PARL_SCORE_all_tokens);
    const parl_summary thousand = {1000 * tokens->mean, 1000 * tokens->iqm, 1000 * tokens->lo,
                                   1000 * tokens->hi, tokens->n};
    parl_table_add(t, "%s", r->arms[a].name);
    parl_table_add(t, "%zu", r->arms[a].n_counted);
    parl_table_add_summary(t, &thousand, 0);
    parl_table_add_summary(t, &s->evaluate_s, 2);
    for (size_t k = 0; k < PARL_N_SPENT; k++)
      parl_table_add_summary(t, &s->of[0][k], kinds[k].digits);
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_make_spent_to(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "What training took to a score", 4 + PARL_N_SPENT, 2);
  PARL_TRY(make_note(r,
                     "Up to the first update at which r_perf in training, over it and the 9 before "
                     "it, is the target on average; \xE2\x89\xA5: some seed never gets there and "
                     "counts with its whole training. ",
                     t));
  parl_table_add(t, "policy");
  parl_table_add(t, "r_perf");
  parl_table_add(t, "seeds there");
  parl_table_add(t, "updates");
  for (size_t k = 0; k < PARL_N_SPENT; k++) parl_table_add(t, "%s", kinds[k].head);
  for (size_t a = 0; a < r->n_trained; a++)
    for (size_t row = 1; row <= PARL_SPENT_TARGETS; row++) {
      const parl_spent_arm *s = r->arms[a].spent;
      const size_t n = s->updates[row].n;
      if (n == 0) continue;
      parl_table_add(t, "%s", r->arms[a].name);
      parl_table_add(t, "%g", parl_spent_targets[row - 1]);
      parl_table_add(t, "%zu of %zu", s->n_reached[row], n);
      const parl_bound bound = s->n_reached[row] < n ? PARL_BOUND_LEAST : PARL_BOUND_EXACT;
      parl_table_add_bounded(t, &s->updates[row], 0, bound);
      for (size_t k = 0; k < PARL_N_SPENT; k++)
        parl_table_add_bounded(t, &s->of[row][k], kinds[k].digits, bound);
    }
  return PARL_STATUS_OK;
}

/* --- JSON and CSV --- */

void parl_report_visit_spent(const parl_report_arm *arm, parl_spent_visitor visit, void *context) {
  char name[80];
  const parl_spent_arm *s = arm->spent;
  visit(context, "cost/evaluate_s_per_1000_episodes", &s->evaluate_s);
  for (size_t row = 0; row <= PARL_SPENT_TARGETS; row++) {
    const bool is_bound = row > 0 && s->n_reached[row] < s->updates[row].n;
    for (size_t k = 0; k <= PARL_N_SPENT; k++) {
      const char *kind = k < PARL_N_SPENT ? kinds[k].name : "updates";
      const parl_summary *x = k < PARL_N_SPENT ? &s->of[row][k] : &s->updates[row];
      if (row == 0)
        snprintf(name, sizeof name, "cost/%s%s", kind,
                 k < PARL_N_SPENT ? "_per_1000_episodes" : "");
      else
        snprintf(name, sizeof name, "%scost/%s_to_r_perf>=%g", is_bound ? "at_least/" : "", kind,
                 parl_spent_targets[row - 1]);
      visit(context, name, x);
    }
  }
}

static void write_one(void *writer, const char *name, const parl_summary *s) {
  if (s->n > 0) parl_json_summary(writer, name, s);
}

void parl_report_write_spent(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "cost");
  parl_json_begin_object(w);
  for (size_t a = 0; a < r->n_arms; a++) {
    parl_json_key(w, r->arms[a].name);
    parl_json_begin_object(w);
    parl_report_visit_spent(&r->arms[a], write_one, w);
    parl_json_end_object(w);
  }
  parl_json_end_object(w);
}
