/* experiments/report_json.c - every number of the report, for machines. */
#include <string.h>

#include "core/build_info.h"
#include "experiments/report_content.h"

enum { SCHEMA = 1 };

void parl_json_summary(parl_json_writer *w, const char *key, const parl_summary *s) {
  parl_json_key(w, key);
  parl_json_begin_object(w);
  parl_json_key(w, "mean");
  parl_json_number(w, s->mean);
  parl_json_key(w, "iqm");
  parl_json_number(w, s->iqm);
  parl_json_key(w, "lo");
  parl_json_number(w, s->lo);
  parl_json_key(w, "hi");
  parl_json_number(w, s->hi);
  parl_json_key(w, "n");
  parl_json_integer(w, (int64_t)s->n);
  parl_json_end_object(w);
}

static void write_scores(parl_json_writer *w, const parl_summary scores[PARL_N_SCORES]) {
  for (size_t s = 0; s < PARL_N_SCORES; s++)
    parl_json_summary(w, parl_score_infos[s].name, &scores[s]);
}

/* What the environment names; a name may be any, so it has an object of its own. */
static void write_named(parl_json_writer *w, const parl_report *r, const parl_report_arm *arm,
                        parl_decoding decoding, size_t family) {
  parl_json_key(w, "scores");
  parl_json_begin_object(w);
  for (size_t i = 0; i < r->named.n; i++) {
    const parl_summary *s = parl_arm_named(r, arm, decoding, family, i);
    if (s->n > 0) parl_json_summary(w, r->named.names[i], s);
  }
  parl_json_end_object(w);
}

static void write_decodings(parl_json_writer *w, const parl_report *r, const parl_report_arm *arm,
                            size_t family) {
  write_scores(w, parl_arm_score(r, arm, PARL_DECODING_MAIN, family, PARL_SCORE_r_perf));
  write_named(w, r, arm, PARL_DECODING_MAIN, family);
  const parl_summary *greedy =
      parl_arm_score(r, arm, PARL_DECODING_GREEDY, family, PARL_SCORE_r_perf);
  if (greedy->n == 0) return;
  parl_json_key(w, "greedy");
  parl_json_begin_object(w);
  write_scores(w, greedy);
  write_named(w, r, arm, PARL_DECODING_GREEDY, family);
  parl_json_end_object(w);
}

static void write_arm(parl_json_writer *w, const parl_report *r, const parl_report_arm *arm) {
  parl_json_key(w, arm->name);
  parl_json_begin_object(w);
  parl_json_key(w, "trained");
  parl_json_bool(w, arm->trained);
  parl_json_key(w, "decoding");
  parl_json_string(w, arm->scripted && arm->n_counted > 0 ? "scripted" : "sampled");
  write_decodings(w, r, arm, 0);
  if (r->n_families > 0) {
    parl_json_key(w, "families");
    parl_json_begin_object(w);
    for (size_t f = 0; f < r->n_families; f++) {
      parl_json_key(w, r->families[f]);
      parl_json_begin_object(w);
      write_decodings(w, r, arm, 1 + f);
      parl_json_end_object(w);
    }
    parl_json_end_object(w);
  }
  if (arm->trained && r->n_warm > 0) {
    parl_json_key(w, "warm_start");
    parl_json_begin_object(w);
    for (size_t k = 0; k < r->n_warm; k++) parl_json_summary(w, r->warm_keys[k], &arm->warm[k]);
    parl_json_end_object(w);
  }
  parl_json_end_object(w);
}

/* Differences on one kind of task, of both decodings. */
static void write_pair_scores(parl_json_writer *w, const parl_report *r,
                              const parl_report_pair *pair, size_t family) {
  const parl_summary *greedy = parl_pair_score(r, pair, PARL_DECODING_GREEDY, family, 0);
  write_scores(w, parl_pair_score(r, pair, PARL_DECODING_MAIN, family, 0));
  if (greedy[PARL_SCORE_r_perf].n == 0) return;
  parl_json_key(w, "greedy");
  parl_json_begin_object(w);
  write_scores(w, greedy);
  parl_json_end_object(w);
}

static void write_pairs(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "reference");
  if (r->reference < r->n_arms)
    parl_json_string(w, r->arms[r->reference].name);
  else
    parl_json_null(w);
  parl_json_key(w, "paired");
  parl_json_begin_array(w);
  for (size_t i = 0; i < r->n_pairs; i++) {
    const parl_report_pair *pair = &r->pairs[i];
    parl_json_begin_object(w);
    parl_json_key(w, "a");
    parl_json_string(w, r->arms[pair->a].name);
    parl_json_key(w, "b");
    parl_json_string(w, r->arms[pair->b].name);
    write_pair_scores(w, r, pair, 0);
    parl_json_summary(w, "probability_of_improvement", &pair->improvement);
    if (r->n_families > 0) {
      parl_json_key(w, "families");
      parl_json_begin_object(w);
      for (size_t f = 0; f < r->n_families; f++) {
        parl_json_key(w, r->families[f]);
        parl_json_begin_object(w);
        write_pair_scores(w, r, pair, 1 + f);
        parl_json_end_object(w);
      }
      parl_json_end_object(w);
    }
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

/* How often the forecast was right, beside what is right without it. */
static void write_forecast(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "forecast");
  parl_json_begin_object(w);
  for (size_t f = 0; f <= r->n_families; f++) {
    const parl_forecast_score s = parl_report_score_forecast(r, f);
    const struct {
      const char *name;
      size_t n;
    } rows[] = {{"runs", s.n_runs},
                {"judged", s.n_judged},
                {"right", s.n_right},
                {"always_grows_right", s.n_grew},
                {"never_grows_right", s.n_judged - s.n_grew}};
    parl_json_key(w, f > 0 ? r->families[f - 1] : "all tasks");
    parl_json_begin_object(w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
      parl_json_key(w, rows[i].name);
      parl_json_integer(w, (int64_t)rows[i].n);
    }
    parl_json_end_object(w);
  }
  parl_json_end_object(w);
}

static void write_of_oracle(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "percent_of_oracle");
  parl_json_begin_object(w);
  for (size_t a = 0; a < r->n_arms; a++)
    parl_json_summary(w, r->arms[a].name, &r->arms[a].of_oracle);
  parl_json_end_object(w);
}

static void write_curve(parl_json_writer *w, const parl_summary *points, size_t n) {
  static const char *const names[] = {"iqm", "lo", "hi"};
  parl_json_begin_object(w);
  for (size_t k = 0; k < 3; k++) {
    parl_json_key(w, names[k]);
    parl_json_begin_array(w);
    for (size_t i = 0; i < n; i++)
      parl_json_number(w, k == 0 ? points[i].iqm : k == 1 ? points[i].lo : points[i].hi);
    parl_json_end_array(w);
  }
  parl_json_key(w, "n");
  parl_json_begin_array(w);
  for (size_t i = 0; i < n; i++) parl_json_integer(w, (int64_t)points[i].n);
  parl_json_end_array(w);
  parl_json_end_object(w);
}

static void write_profile(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "profile");
  parl_json_begin_object(w);
  parl_json_key(w, "r_perf_above");
  parl_json_begin_array(w);
  for (size_t i = 0; i < PARL_REPORT_TAUS; i++) parl_json_number(w, parl_report_tau(i));
  parl_json_end_array(w);
  parl_json_key(w, "arms");
  parl_json_begin_object(w);
  for (size_t a = 0; a < r->n_arms; a++) {
    parl_json_key(w, r->arms[a].name);
    write_curve(w, r->arms[a].profile, PARL_REPORT_TAUS);
  }
  parl_json_end_object(w);
  parl_json_end_object(w);
}

static void write_curves(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "curves");
  parl_json_begin_object(w);
  parl_json_key(w, "updates_per_point");
  parl_json_integer(w, r->bucket);
  parl_json_key(w, "update");
  parl_json_begin_array(w);
  for (size_t i = 0; i < r->n_points; i++) parl_json_number(w, r->x[i]);
  parl_json_end_array(w);
  parl_json_key(w, "arms");
  parl_json_begin_object(w);
  for (size_t a = 0; a < r->n_trained; a++) {
    parl_json_key(w, r->arms[a].name);
    parl_json_begin_object(w);
    for (size_t c = 0; c < r->n_curves; c++) {
      if (!parl_arm_has_curve(r, &r->arms[a], c)) continue;
      parl_json_key(w, r->curve_infos[c].key);
      write_curve(w, r->arms[a].curves[c], r->n_points);
    }
    parl_json_end_object(w);
  }
  parl_json_end_object(w);
  parl_json_end_object(w);
}

void parl_report_write_node(parl_json_writer *w, const parl_json *node) {
  const parl_json_type type = parl_json_get_type(node);
  if (type == PARL_JSON_NUMBER) parl_json_number(w, parl_json_get_number(node));
  if (type == PARL_JSON_STRING) parl_json_string(w, parl_json_get_string(node));
  if (type == PARL_JSON_BOOL) parl_json_bool(w, parl_json_get_bool(node));
  if (type == PARL_JSON_NULL) parl_json_null(w);
  if (type == PARL_JSON_ARRAY) parl_json_begin_array(w);
  if (type == PARL_JSON_OBJECT) parl_json_begin_object(w);
  for (const parl_json *c = parl_json_get_first(node); c != NULL; c = parl_json_get_next(c)) {
    if (type == PARL_JSON_OBJECT) parl_json_key(w, parl_json_get_key(c));
    parl_report_write_node(w, c);
  }
  if (type == PARL_JSON_ARRAY) parl_json_end_array(w);
  if (type == PARL_JSON_OBJECT) parl_json_end_object(w);
}

/* A text that is JSON goes in as such, any other as a string. */
static void write_raw(parl_json_writer *w, const char *key, const char *text) {
  parl_json *parsed = NULL;
  parl_json_key(w, key);
  if (parl_json_parse(text, strlen(text), key, &parsed) != PARL_STATUS_OK) {
    parl_json_string(w, text);
    return;
  }
  parl_report_write_node(w, parsed);
  parl_json_destroy(parsed);
}

static void write_failures(parl_json_writer *w, const parl_report_run *run) {
  parl_json_key(w, "failures");
  parl_json_begin_array(w);
  for (size_t i = 0; i < run->n_failures; i++) {
    const parl_report_failure *f = &run->failures[i];
    parl_json_begin_object(w);
    parl_json_key(w, "phase");
    parl_json_string(w, f->phase);
    parl_json_key(w, "episodes");
    parl_json_integer(w, f->n);
    parl_json_key(w, "failed");
    parl_json_integer(w, f->n_failed);
    parl_json_key(w, "first_error");
    parl_json_string(w, f->error);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static void write_runs(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "runs");
  parl_json_begin_array(w);
  for (size_t i = 0; i < r->n_runs; i++) {
    const parl_report_run *run = &r->runs[i];
    parl_json_begin_object(w);
    parl_json_key(w, "uid");
    parl_json_string(w, run->uid);
    parl_json_key(w, "arm");
    parl_json_string(w, run->arm_name);
    parl_json_key(w, "seed");
    parl_json_integer(w, run->seed);
    parl_json_key(w, "status");
    parl_json_string(w, run->status);
    parl_json_key(w, "counted");
    parl_json_bool(w, run->counted);
    parl_json_key(w, "hash");
    parl_json_string(w, run->hash);
    parl_json_key(w, "revision");
    parl_json_string(w, run->revision);
    write_failures(w, run);
    parl_json_key(w, "command");
    if (run->command != NULL)
      parl_json_string(w, run->command);
    else
      parl_json_null(w);
    write_raw(w, "host", run->host);
    write_raw(w, "config", run->config);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static void write_provenance(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "provenance");
  parl_json_begin_object(w);
  parl_json_key(w, "report_revision");
  parl_json_string(w, parl_build_revision());
  parl_json_key(w, "report_compiler");
  parl_json_string(w, parl_build_compiler());
  parl_json_key(w, "gsl");
  parl_json_string(w, parl_statistics_gsl_version());
  parl_json_key(w, "interval");
  parl_json_string(w,
                   "95 %: from 5 seeds on percentile bootstrap of the interquartile mean over "
                   "seeds, of fewer Student's; of scripts over held-out tasks too");
  parl_json_key(w, "bootstrap_replicates");
  parl_json_integer(w, (int64_t)r->n_replicates);
  parl_json_key(w, "bootstrap_replicates_of_curves");
  parl_json_integer(w, (int64_t)r->n_band_replicates);
  parl_json_key(w, "bootstrap_seed");
  parl_json_integer(w, PARL_REPORT_BOOTSTRAP_SEED);
  parl_json_end_object(w);
}

static void write_warning(void *writer, const char *line) {
  parl_json_string(writer, line);
}

static void write_warnings(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "warnings");
  parl_json_begin_array(w);
  parl_report_visit_warnings(r, write_warning, w);
  parl_json_end_array(w);
}

parl_status parl_report_append_json(const parl_report *r, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "schema");
  parl_json_integer(&w, SCHEMA);
  parl_json_key(&w, "recipe");
  parl_json_string(&w, r->recipe);
  parl_json_key(&w, "question");
  parl_json_string(&w, r->question);
  write_warnings(&w, r);
  parl_json_key(&w, "arms");
  parl_json_begin_object(&w);
  for (size_t a = 0; a < r->n_arms; a++) write_arm(&w, r, &r->arms[a]);
  parl_json_end_object(&w);
  write_pairs(&w, r);
  write_forecast(&w, r);
  write_of_oracle(&w, r);
  write_profile(&w, r);
  parl_report_write_reached(&w, r);
  parl_report_write_fronts(&w, r);
  parl_report_write_spent(&w, r);
  write_curves(&w, r);
  write_runs(&w, r);
  write_provenance(&w, r);
  parl_json_end_object(&w);
  parl_text_append(out, "\n");
  return parl_text_status(out);
}
