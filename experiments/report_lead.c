/* experiments/report_lead.c - the answer first: every kind of task on its own, differences from the
 * reference, and each comparison in a sentence. The mean over kinds hides what happens in them. */
#include <string.h>

#include "experiments/report_internal.h"

const char *parl_report_get_family(const parl_report *r, size_t family) {
  if (family == 0) return "all tasks";
  return r->families[family - 1][0] != '\0' ? r->families[family - 1] : "(none)";
}

const parl_report_pair *parl_report_find_pair(const parl_report *r, size_t a, size_t b) {
  for (size_t i = 0; i < r->n_pairs; i++)
    if (r->pairs[i].a == a && r->pairs[i].b == b) return &r->pairs[i];
  return NULL;
}

/* --- tables --- */

static void add_score(parl_table *t, const parl_summary *s, parl_score score, bool has_interval) {
  if (has_interval)
    parl_table_add_summary(t, s, parl_score_infos[score].digits);
  else
    parl_table_add_number(t, s->iqm, parl_score_infos[score].digits);
}

/* Every policy on one kind of task; 0 is all. */
static void make_family(const parl_report *r, size_t family, bool is_wide, parl_table *t) {
  parl_table_init(t, r->arena, family == 0 ? "Result (sampled)" : parl_report_get_family(r, family),
                  6, 1);
  parl_table_add(t, "policy");
  parl_table_add(t, "seeds");
  parl_table_add(t, "r_perf");
  parl_table_add(t, "last gain");
  parl_table_add(t, "critical");
  parl_table_add(t, "launched");
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_summary *s = parl_arm_score(r, &r->arms[a], PARL_DECODING_MAIN, family, 0);
    if (s[PARL_SCORE_r_perf].n == 0 && r->arms[a].n_counted > 0) continue;
    char launches[PARL_NUMBER_BYTES], assigned[PARL_NUMBER_BYTES];
    parl_number_format(s[PARL_SCORE_launches].iqm, 2, 1, launches);
    parl_number_format(s[PARL_SCORE_assigned].iqm, 2, 1, assigned);
    parl_table_add(t, "%s", r->arms[a].name);
    parl_table_add(t, "%zu", s[PARL_SCORE_r_perf].n);
    add_score(t, &s[PARL_SCORE_r_perf], PARL_SCORE_r_perf, true);
    add_score(t, &s[PARL_SCORE_last_gain_steps], PARL_SCORE_last_gain_steps, is_wide);
    add_score(t, &s[PARL_SCORE_critical_steps], PARL_SCORE_critical_steps, is_wide);
    parl_table_add(t, "%s / %s", launches, assigned);
  }
}

static void add_difference(parl_table *t, const parl_summary *s, parl_score score) {
  parl_summary difference = *s; /* its mean is paired, its iqm is not what lo and hi are of */
  difference.iqm = difference.mean;
  parl_table_add_summary(t, &difference, parl_score_infos[score].digits);
}

/* How many columns of differences a terminal has room for beside the names. */
static size_t get_n_plain(const parl_report *r) {
  size_t name = 0, family = parl_text_get_width(parl_report_get_family(r, 0));
  for (size_t a = 0; a < r->n_trained; a++)
    name = a != r->arms[a].reference && parl_text_get_width(r->arms[a].name) > name
               ? parl_text_get_width(r->arms[a].name)
               : name;
  for (size_t f = 1; f <= r->n_families; f++)
    if (parl_text_get_width(parl_report_get_family(r, f)) > family)
      family = parl_text_get_width(parl_report_get_family(r, f));
  return name + family <= 22 ? 2 : 1;
}

/* "a", or "a; b" where there are several environments: the reference of each. */
static void append_references(const parl_report *r, parl_text *out) {
  size_t n = 0;
  for (size_t a = 0; a < r->n_arms; a++) {
    bool is_one = false;
    for (size_t b = 0; b < r->n_trained; b++) is_one = is_one || r->arms[b].reference == a;
    if (is_one) parl_text_appendf(out, "%s%s", n++ > 0 ? "; " : "", r->arms[a].name);
  }
}

/* Each trained policy minus its environment's reference, on every kind of task and over all. */
static parl_status make_differences(const parl_report *r, bool is_wide, parl_table *t) {
  parl_text title = {0};
  parl_text_append(&title, "Differences from ");
  append_references(r, &title);
  parl_text_append(&title, ", paired by seed");
  const char *copy = NULL;
  const parl_status s = parl_report_copy_text(r->arena, parl_text_get(&title), &copy);
  parl_text_deinit(&title);
  PARL_TRY(s);
  static const parl_score scores[] = {PARL_SCORE_r_perf, PARL_SCORE_last_gain_steps,
                                      PARL_SCORE_critical_steps, PARL_SCORE_assigned};
  const size_t n = is_wide ? 4 : get_n_plain(r);
  parl_table_init(t, r->arena, copy, 3 + n, 2);
  t->note = "Mean difference [95 % interval].";
  parl_table_add(t, "policy");
  parl_table_add(t, "on");
  parl_table_add(t, "pairs");
  for (size_t i = 0; i < n; i++) parl_table_add(t, "%s", parl_score_infos[scores[i]].label);
  for (size_t a = 0; a < r->n_trained; a++) {
    const parl_report_pair *pair = parl_report_find_pair(r, a, r->arms[a].reference);
    for (size_t f = 1; f <= r->n_families + 1 && pair != NULL; f++) {
      const size_t family = f % (r->n_families + 1); /* all tasks last */
      const parl_summary *all = parl_pair_score(r, pair, PARL_DECODING_MAIN, family, 0);
      if (family > 0 && all[PARL_SCORE_r_perf].n == 0) continue; /* not both play it */
      parl_table_add(t, "%s", r->arms[a].name);
      parl_table_add(t, "%s", parl_report_get_family(r, family));
      parl_table_add(t, "%zu", all[PARL_SCORE_r_perf].n);
      for (size_t i = 0; i < n; i++) add_difference(t, &all[scores[i]], scores[i]);
    }
  }
  return PARL_STATUS_OK;
}

/* --- sentences --- */

enum { DIGITS = 3 };
static const double NOTHING = 0.0005; /* what DIGITS print as 0 */

/* Whether seeds agree that there is a difference: the interval is on one side of 0. */
static bool is_shown(const parl_summary *s) {
  if (!isfinite(s->mean) || fabs(s->mean) < NOTHING) return false;
  return !isfinite(s->lo) || s->lo > 0 || s->hi < 0;
}

/* "0.27 [0.25, 0.29] higher"; "-0.01 [-0.03, 0.01]" if no side is chosen. */
static void append_amount(parl_text *out, const parl_summary *s, bool has_side) {
  char text[PARL_SUMMARY_BYTES];
  const bool lower = has_side && s->mean < 0;
  parl_summary amount = {.iqm = s->mean, .lo = s->lo, .hi = s->hi, .n = s->n};
  if (lower) amount = (parl_summary){.iqm = -s->mean, .lo = -s->hi, .hi = -s->lo, .n = s->n};
  parl_summary_format(&amount, DIGITS, text);
  parl_text_appendf(out, "%s%s", text, !has_side ? "" : lower ? " lower" : " higher");
}

/* One clause: ` scores 0.27 [0.25, 0.29] higher than B on wide_search`. */
static void append_clause(parl_text *out, const parl_summary *s, const char *reference,
                          const char *where, bool first) {
  const bool shown = is_shown(s);
  if (first)
    parl_text_append(out, shown ? " scores " : " shows no difference from ");
  else
    parl_text_append(out, shown ? ", " : ", no difference shown ");
  if (shown) append_amount(out, s, true);
  if (first && shown) parl_text_append(out, " than ");
  if (first) parl_text_append(out, reference);
  parl_text_appendf(out, "%s%s", first || shown ? " " : "", where);
  if (shown) return;
  parl_text_append(out, " (");
  append_amount(out, s, false);
  parl_text_append(out, ")");
}

static void append_caution(parl_text *out, size_t n_pairs) {
  if (n_pairs == 1)
    parl_text_append(out, "; one seed, so this says nothing of other seeds.");
  else if (n_pairs < PARL_REPORT_FEW_SEEDS)
    parl_text_appendf(out, "; %zu seeds are a hint, not a claim.", n_pairs);
  else
    parl_text_append(out, ".");
}

/* What is shown comes first, and all tasks last. */
static void append_answer(const parl_report *r, const parl_report_pair *pair, parl_text *out) {
  const char *reference = r->arms[pair->b].name;
  const parl_summary *all = parl_pair_score(r, pair, PARL_DECODING_MAIN, 0, PARL_SCORE_r_perf);
  parl_text_append(out, r->arms[pair->a].name);
  if (r->arms[pair->a].n_counted == 0) {
    parl_text_append(out, " has no run that is done: nothing to compare.");
    return;
  }
  if (all->n == 0) {
    parl_text_appendf(out, " and %s have no seed in common: nothing to compare.", reference);
    return;
  }
  bool first = true;
  for (int pass = 0; pass < 2; pass++)
    for (size_t f = 1; f <= r->n_families; f++) {
      const parl_summary *s = parl_pair_score(r, pair, PARL_DECODING_MAIN, f, PARL_SCORE_r_perf);
      if (s->n == 0 || is_shown(s) != (pass == 0)) continue;
      parl_text where = {0};
      parl_text_appendf(&where, "on %s", parl_report_get_family(r, f));
      append_clause(out, s, reference, parl_text_get(&where), first);
      parl_text_deinit(&where);
      first = false;
    }
  append_clause(out, all, reference, r->n_families > 0 ? "over all tasks" : "on the held-out tasks",
                first);
  append_caution(out, all->n);
}

static parl_status visit_answers(const parl_report *r,
                                 void (*visit)(parl_text *out, const char *sentence),
                                 parl_text *out) {
  parl_text sentence = {0};
  parl_status status = PARL_STATUS_OK;
  for (size_t a = 0; a < r->n_trained && status == PARL_STATUS_OK; a++) {
    const parl_report_pair *pair = parl_report_find_pair(r, a, r->arms[a].reference);
    if (pair == NULL) continue;
    parl_text_clear(&sentence);
    append_answer(r, pair, &sentence);
    status = parl_text_status(&sentence);
    if (status == PARL_STATUS_OK) visit(out, parl_text_get(&sentence));
  }
  parl_text_deinit(&sentence);
  return status;
}

/* --- together --- */

static void append_plain_sentence(parl_text *out, const char *sentence) {
  parl_text_append_wrapped(out, sentence, PARL_REPORT_TERMINAL, 2);
}

static void append_markdown_sentence(parl_text *out, const char *sentence) {
  parl_text_append(out, "- ");
  parl_text_append_markdown(out, sentence);
  parl_text_append(out, "\n");
}

static void append_html_sentence(parl_text *out, const char *sentence) {
  parl_text_append(out, "<li>");
  parl_text_append_html(out, sentence);
  parl_text_append(out, "</li>\n");
}

parl_status parl_report_append_answers(const parl_report *r, parl_format format, parl_text *out) {
  if (r->n_pairs == 0) return PARL_STATUS_OK; /* nothing to compare */
  if (format == PARL_FORMAT_HTML) {
    parl_text_append(out, "<ul class=\"answer\">\n");
    PARL_TRY(visit_answers(r, append_html_sentence, out));
    parl_text_append(out, "</ul>\n");
    return parl_text_status(out);
  }
  parl_text_append(out, "\n");
  PARL_TRY(visit_answers(
      r, format == PARL_FORMAT_PLAIN ? append_plain_sentence : append_markdown_sentence, out));
  return parl_text_status(out);
}

parl_status parl_report_append_lead(const parl_report *r, parl_format format, parl_text *out) {
  const bool is_wide = format != PARL_FORMAT_PLAIN;
  const size_t first = r->n_families > 0 ? 1 : 0;
  parl_table t;
  for (size_t f = first; f <= r->n_families; f++) {
    make_family(r, f, is_wide, &t);
    if (f == r->n_families)
      t.note =
          "r_perf: interquartile mean over seeds [95 % interval]; last gain: critical "
          "steps at the last change of r_perf; critical: critical steps at the end; launched: "
          "launches / sub-agents assigned. All per episode.";
    if (format != PARL_FORMAT_HTML) parl_text_append(out, "\n");
    PARL_TRY(parl_table_append(&t, format, out));
  }
  PARL_TRY(make_differences(r, is_wide, &t));
  if (t.failed || parl_table_get_rows(&t) > 0) {
    if (format != PARL_FORMAT_HTML) parl_text_append(out, "\n");
    PARL_TRY(parl_table_append(&t, format, out));
  }
  return parl_text_status(out);
}
