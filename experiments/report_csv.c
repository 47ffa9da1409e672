/* experiments/report_csv.c - the report's numbers as tables to load elsewhere. */
#include <stdio.h>
#include <string.h>

#include "experiments/report_content.h"

typedef struct csv {
  parl_text *out;
  bool in_row;
} csv;

static void begin_cell(csv *c) {
  if (c->in_row) parl_text_append(c->out, ",");
  c->in_row = true;
}

static void end_row(csv *c) {
  parl_text_append(c->out, "\n");
  c->in_row = false;
}

/* A spreadsheet takes a text that begins with one of these for a formula: it gets an apostrophe. */
static bool is_formula(const char *s) {
  return s[0] != '\0' && strchr("=+-@\t\r", s[0]) != NULL;
}

static void add_text(csv *c, const char *s) {
  begin_cell(c);
  const char *guard = is_formula(s) ? "'" : "";
  if (strpbrk(s, ",\"\r\n") == NULL) {
    parl_text_appendf(c->out, "%s%s", guard, s);
    return;
  }
  parl_text_appendf(c->out, "\"%s", guard);
  for (; *s != '\0'; s++) {
    if (*s == '"') parl_text_append(c->out, "\"");
    parl_text_append_bytes(c->out, s, 1);
  }
  parl_text_append(c->out, "\"");
}

static void add_texts(csv *c, const char *const *s, size_t n) {
  for (size_t i = 0; i < n; i++) add_text(c, s[i]);
}

static void add_integer(csv *c, int64_t x) {
  begin_cell(c);
  parl_text_appendf(c->out, "%lld", (long long)x);
}

static void add_number(csv *c, double x) {
  parl_json_writer w; /* as many digits as it takes */
  begin_cell(c);
  if (!isfinite(x)) return;
  parl_json_writer_init(&w, c->out, false);
  parl_json_number(&w, x);
}

static const char *get_decoding(parl_decoding decoding, bool scripted) {
  if (decoding == PARL_DECODING_GREEDY) return "greedy";
  return scripted ? "scripted" : "sampled";
}

/* 0 is all episodes. */
static const char *get_family(const parl_report *r, size_t family) {
  if (family == 0) return "";
  return r->families[family - 1][0] != '\0' ? r->families[family - 1] : "(none)";
}

/* --- summaries --- */

/* What a row of report.csv is about. */
typedef struct subject {
  const char *arm, *versus, *decoding, *family;
} subject;

static void add_summary(csv *c, const subject *of, const char *metric, const parl_summary *s) {
  const char *texts[] = {of->arm, of->versus, of->decoding, of->family, metric};
  if (s->n == 0) return;
  add_texts(c, texts, sizeof texts / sizeof texts[0]);
  add_integer(c, (int64_t)s->n);
  add_number(c, s->mean);
  add_number(c, s->iqm);
  add_number(c, s->lo);
  add_number(c, s->hi);
  end_row(c);
}

enum { NAMED_BYTES = 128 };

/* "score/NAME": it cannot be another metric's. */
static const char *get_named(const parl_report *r, size_t i, char out[NAMED_BYTES]) {
  snprintf(out, NAMED_BYTES, "score/%s", r->named.names[i]);
  return out;
}

static void add_arm(csv *c, const parl_report *r, const parl_report_arm *arm) {
  const subject of = {arm->name, "", get_decoding(PARL_DECODING_MAIN, arm->scripted), ""};
  for (int d = 0; d < PARL_N_DECODINGS; d++)
    for (size_t f = 0; f <= r->n_families; f++) {
      const parl_summary *scores = parl_arm_score(r, arm, (parl_decoding)d, f, (parl_score)0);
      const subject part = {arm->name, "", get_decoding((parl_decoding)d, arm->scripted),
                            get_family(r, f)};
      for (size_t s = 0; s < PARL_N_SCORES; s++)
        add_summary(c, &part, parl_score_infos[s].name, &scores[s]);
      for (size_t i = 0; i < r->named.n; i++) {
        char name[NAMED_BYTES];
        add_summary(c, &part, get_named(r, i, name),
                    parl_arm_named(r, arm, (parl_decoding)d, f, i));
      }
    }
  add_summary(c, &of, "percent_of_oracle", &arm->of_oracle);
  for (size_t i = 0; i < PARL_PROFILE_SHOWN; i++) {
    char name[32];
    snprintf(name, sizeof name, "r_perf>%g", parl_report_tau(parl_profile_shown[i]));
    add_summary(c, &of, name, &arm->profile[parl_profile_shown[i]]);
  }
  for (size_t k = 0; k < r->n_warm && arm->trained; k++)
    add_summary(c, &(subject){arm->name, "", "", ""}, r->warm_keys[k], &arm->warm[k]);
}

/* Of every target; a bound says so in its name. */
static void add_reached(csv *c, const parl_report *r, const parl_report_arm *arm, size_t family) {
  static const char *const bounds[] = {"", "at_least/", "at_most/"};
  const size_t alone = parl_report_find_script(r, "serial", (size_t)(arm - r->arms));
  const char *versus = alone < r->n_arms ? r->arms[alone].name : "";
  const char *decoding = get_decoding(PARL_DECODING_MAIN, arm->scripted);
  for (size_t i = 0; i < PARL_REACH_TARGETS; i++) {
    const parl_report_reached *x = &arm->reached[family * PARL_REACH_TARGETS + i];
    const bool is_exact = x->n_reached == x->steps.n;
    char name[64];
    snprintf(name, sizeof name, "%ssteps_to_r_perf>=%g", is_exact ? "" : "at_least/",
             parl_reach_target(i));
    add_summary(c, &(subject){arm->name, "", decoding, get_family(r, family)}, name, &x->steps);
    snprintf(name, sizeof name, "%sspeed_up_to_r_perf>=%g", bounds[x->speed_up_is],
             parl_reach_target(i));
    add_summary(c, &(subject){arm->name, versus, decoding, get_family(r, family)}, name,
                &x->speed_up);
  }
}

typedef struct spending {
  csv *c;
  const char *arm;
} spending;

static void add_spent(void *context, const char *metric, const parl_summary *s) {
  const spending *x = context;
  add_summary(x->c, &(subject){x->arm, "", "", ""}, metric, s);
}

static void add_pair(csv *c, const parl_report *r, const parl_report_pair *pair) {
  const char *a = r->arms[pair->a].name, *b = r->arms[pair->b].name;
  for (int d = 0; d < PARL_N_DECODINGS; d++)
    for (size_t f = 0; f <= r->n_families; f++) {
      const subject of = {a, b, get_decoding((parl_decoding)d, false), get_family(r, f)};
      const parl_summary *scores = parl_pair_score(r, pair, (parl_decoding)d, f, (parl_score)0);
      for (size_t s = 0; s < PARL_N_SCORES; s++)
        add_summary(c, &of, parl_score_infos[s].name, &scores[s]);
    }
  add_summary(c, &(subject){a, b, "sampled", ""}, "probability_of_improvement", &pair->improvement);
}

parl_status parl_report_append_csv(const parl_report *r, parl_text *out) {
  csv c = {.out = out};
  parl_text_append(out, "arm,versus,decoding,family,metric,n,mean,iqm,lo,hi\n");
  for (size_t a = 0; a < r->n_arms; a++) {
    add_arm(&c, r, &r->arms[a]);
    for (size_t f = 0; f <= r->n_families; f++) add_reached(&c, r, &r->arms[a], f);
    parl_report_visit_spent(&r->arms[a], add_spent, &(spending){&c, r->arms[a].name});
  }
  for (size_t i = 0; i < r->n_pairs; i++) add_pair(&c, r, &r->pairs[i]);
  return parl_text_status(out);
}

/* --- seeds --- */

static void add_value(csv *c, const parl_report *r, const parl_report_run *run,
                      parl_decoding decoding, size_t family, const char *metric, double value) {
  if (!isfinite(value)) return;
  add_text(c, run->arm_name);
  add_text(c, r->arms[run->arm].trained ? "true" : "false");
  add_integer(c, run->seed);
  add_text(c, get_decoding(decoding, run->scripted));
  add_text(c, get_family(r, family));
  add_text(c, metric);
  add_number(c, value);
  end_row(c);
}

static void add_scores(csv *c, const parl_report *r, const parl_report_run *run,
                       parl_decoding decoding, size_t family) {
  const double *of = parl_run_scores(r, run, decoding, family)->of;
  const double *named = &run->named[((size_t)decoding * (1 + r->n_families) + family) * r->named.n];
  for (size_t s = 0; s < PARL_N_SCORES; s++)
    add_value(c, r, run, decoding, family, parl_score_infos[s].name, of[s]);
  for (size_t i = 0; i < r->named.n; i++) {
    char name[NAMED_BYTES];
    add_value(c, r, run, decoding, family, get_named(r, i, name), named[i]);
  }
}

parl_status parl_report_append_seeds_csv(const parl_report *r, parl_text *out) {
  csv c = {.out = out};
  parl_text_append(out, "arm,trained,seed,decoding,family,metric,value\n");
  for (size_t i = 0; i < r->n_runs; i++)
    for (int d = 0; d < PARL_N_DECODINGS; d++)
      for (size_t f = 0; f <= r->n_families; f++)
        add_scores(&c, r, &r->runs[i], (parl_decoding)d, f); /* none if it does not count */
  return parl_text_status(out);
}

/* --- curves --- */

parl_status parl_report_append_curves_csv(const parl_report *r, parl_text *out) {
  csv c = {.out = out};
  parl_text_append(out, "arm,seed,update");
  for (size_t k = 0; k < r->n_curves; k++) parl_text_appendf(out, ",%s", r->curve_infos[k].key);
  parl_text_append(out, "\n");
  for (size_t i = 0; i < r->n_runs; i++) {
    const parl_report_run *run = &r->runs[i];
    if (!run->counted || !r->arms[run->arm].trained) continue;
    for (size_t p = 0; p < r->n_points; p++) {
      add_text(&c, run->arm_name);
      add_integer(&c, run->seed);
      add_number(&c, r->x[p]);
      for (size_t k = 0; k < r->n_curves; k++) add_number(&c, run->curves[k][p]);
      end_row(&c);
    }
  }
  return parl_text_status(out);
}
