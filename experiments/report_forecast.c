/* experiments/report_forecast.c - the warm start, the forecast made of it, and whether it was right
 * more often than a forecast that always says the same. */
#include <stdio.h>
#include <string.h>

#include "experiments/report_content.h"

enum { KEY_BYTES = 128 };

/* Place of "forecast/[FAMILY/]NAME" among the keys, n_warm if there is none. family 0 is all
 * tasks. */
static size_t find_key(const parl_report *r, size_t family, const char *name) {
  char key[KEY_BYTES];
  const char *f = family > 0 ? r->families[family - 1] : "";
  snprintf(key, sizeof key, "forecast/%s%s%s", f, f[0] != '\0' ? "/" : "", name);
  size_t k = 0;
  while (k < r->n_warm && strcmp(r->warm_keys[k], key) != 0) k++;
  return k;
}

parl_forecast_score parl_report_score_forecast(const parl_report *r, size_t family) {
  const size_t says = find_key(r, family, "says_launch"), grew = find_key(r, family, "grew");
  parl_forecast_score s = {0};
  if (says == r->n_warm || grew == r->n_warm) return s;
  for (size_t i = 0; i < r->n_runs; i++) {
    const parl_report_run *run = &r->runs[i];
    if (!run->counted || !run->trained) continue;
    s.n_runs++;
    if (isnan(run->warm[says]) || isnan(run->warm[grew])) continue;
    s.n_judged++;
    s.n_right += run->warm[says] == run->warm[grew];
    s.n_grew += run->warm[grew] > 0;
  }
  return s;
}

/* Ends of the intervals within a run, mean over seeds. */
static void add_within(parl_table *t, const parl_report *r, const parl_report_arm *arm,
                       size_t family, const char *name) {
  char lo[32], hi[32];
  snprintf(lo, sizeof lo, "%s_lo", name);
  snprintf(hi, sizeof hi, "%s_hi", name);
  const size_t value = find_key(r, family, name);
  const size_t low = find_key(r, family, lo), high = find_key(r, family, hi);
  if (value == r->n_warm || low == r->n_warm || high == r->n_warm || arm->warm[value].n == 0) {
    parl_table_add(t, "-");
    return;
  }
  parl_summary s = arm->warm[value];
  s.iqm = s.mean;
  s.lo = arm->warm[low].mean;
  s.hi = arm->warm[high].mean;
  parl_table_add_summary(t, &s, 3);
}

static void add_value(parl_table *t, const parl_report *r, const parl_report_arm *arm,
                      size_t family, const char *name, int digits) {
  const size_t k = find_key(r, family, name);
  parl_table_add_number(t, k < r->n_warm ? arm->warm[k].mean : (double)NAN, digits);
}

void parl_report_make_forecast(const parl_report *r, parl_table *t) {
  static const char *const heads[] = {"policy",          "kind",           "launch rate",
                                      "tasks that tell", "a launch costs", "lambda*",
                                      "it gains",        "says it grows",  "it grew"};
  parl_table_init(t, r->arena, "The forecast: does launching pay before update 0?",
                  sizeof heads / sizeof heads[0], 2);
  t->note =
      "Means over seeds, with the mean 95 % interval within a seed (bootstrap over tasks). A "
      "launch "
      "costs: r_perf it loses against the same task's other rollouts; it gains: reward at the "
      "lambdas of update 0; the last two are shares of seeds.";
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) parl_table_add(t, "%s", heads[i]);
  for (size_t a = 0; a < r->n_trained; a++)
    for (size_t f = 0; f <= r->n_families; f++) {
      const parl_report_arm *arm = &r->arms[a];
      const size_t says = find_key(r, f, "says_launch");
      if (says == r->n_warm || (f > 0 && arm->warm[says].n == 0)) continue; /* not its tasks */
      parl_table_add(t, "%s", arm->name);
      parl_table_add(t, "%s", parl_report_get_family(r, f));
      add_value(t, r, arm, f, "launch_rate", 3);
      add_value(t, r, arm, f, "informative", 1);
      add_within(t, r, arm, f, "gap");
      add_within(t, r, arm, f, "lambda_star");
      add_within(t, r, arm, f, "margin");
      add_value(t, r, arm, f, "says_launch", 2);
      add_value(t, r, arm, f, "grew", 2);
    }
}

void parl_report_make_forecast_score(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "Was the forecast right?", 6, 1);
  t->note =
      "Runs whose launch rate grew or fell beyond the noise of both measurements, and of which the "
      "forecast said something; beside it, how often saying the same of every run is right.";
  parl_table_add(t, "kind");
  parl_table_add(t, "runs");
  parl_table_add(t, "judged");
  parl_table_add(t, "right");
  parl_table_add(t, "\"always grows\"");
  parl_table_add(t, "\"never grows\"");
  for (size_t f = 0; f <= r->n_families; f++) {
    const parl_forecast_score s = parl_report_score_forecast(r, f);
    if (s.n_runs == 0) continue;
    parl_table_add(t, "%s", parl_report_get_family(r, f));
    parl_table_add(t, "%zu", s.n_runs);
    parl_table_add(t, "%zu", s.n_judged);
    parl_table_add(t, "%zu", s.n_right);
    parl_table_add(t, "%zu", s.n_grew);
    parl_table_add(t, "%zu", s.n_judged - s.n_grew);
  }
}

void parl_report_make_warm_start(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "The warm start before update 0", 1 + r->n_trained, 1);
  parl_table_add(t, "measure");
  for (size_t a = 0; a < r->n_trained; a++) parl_table_add(t, "%s", r->arms[a].name);
  for (size_t k = 0; k < r->n_warm; k++) {
    if (strncmp(r->warm_keys[k], "warm/", 5) != 0) continue;
    parl_table_add(t, "%s", r->warm_keys[k] + 5);
    for (size_t a = 0; a < r->n_trained; a++) parl_table_add_summary(t, &r->arms[a].warm[k], 3);
  }
}
