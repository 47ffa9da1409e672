/* experiments/report_detectors.c - which detectors fire, on evaluated policies and during training,
 * and what runs warned of. */
#include <stdio.h>
#include <string.h>

#include "experiments/report_internal.h"

void parl_report_read_detector(parl_report_run *run, const char *key, double value) {
  static const char prefix[] = "detector/";
  const parl_warning w = parl_warning_find(key);
  if (w < PARL_N_WARNINGS) run->warned |= 1u << w;
  if (strncmp(key, prefix, sizeof prefix - 1) != 0 || !isfinite(value)) return;
  for (int d = 0; d < PARL_N_DETECTORS; d++) {
    if (strcmp(parl_detector_infos[d].name, key + sizeof prefix - 1) != 0) continue;
    run->n_detected[d] += value > 0;
    run->n_looked += d == 0;
  }
}

/* Mean over seeds of what a detector measures on the last evaluation, sampled; NaN if none is. */
static double get_measure(const parl_report *r, size_t arm, parl_detector d) {
  parl_means means;
  (void)r;
  const parl_report_arm *a = &r->arms[arm];
#define X(name, v, w) means.name = a->scores[PARL_SCORE_##name].mean;
  PARL_MEAN_LIST(X)
#undef X
  return a->scores[PARL_SCORE_r_perf].n > 0 ? parl_detector_measure(d, &means, NULL) : (double)NAN;
}

/* Share of an arm's updates, all seeds, in which a detector fired; NaN if none was looked at. */
static double get_share(const parl_report *r, size_t arm, parl_detector d) {
  int64_t n = 0, n_looked = 0;
  for (size_t i = 0; i < r->n_runs; i++) {
    if (r->runs[i].arm != arm || !r->runs[i].counted) continue;
    n += r->runs[i].n_detected[d];
    n_looked += r->runs[i].n_looked;
  }
  return n_looked > 0 ? (double)n / (double)n_looked : (double)NAN;
}

void parl_report_make_detectors(const parl_report *r, parl_table *t) {
  static const char *const heads[] = {"policy",  "detector", "threshold",
                                      "measure", "fires",    "updates"};
  parl_table_init(t, r->arena, "Detectors", sizeof heads / sizeof heads[0], 2);
  t->note =
      "Measured on the last evaluation, sampled, mean over seeds; updates: the share of those of "
      "training in which the detector fired. What is silent throughout is left out. "
      "docs/reward-research.md defines them.";
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) parl_table_add(t, "%s", heads[i]);
  for (size_t a = 0; a < r->n_arms; a++)
    for (int i = 0; i < PARL_N_DETECTORS; i++) {
      const parl_detector d = (parl_detector)i;
      const bool is_stateless = i < PARL_N_STATELESS_DETECTORS;
      const double measure = is_stateless ? get_measure(r, a, d) : (double)NAN;
      const double share = get_share(r, a, d);
      const bool fires = parl_detector_fires(d, measure);
      if (!fires && !(share > 0)) continue;
      parl_table_add(t, "%s", r->arms[a].name);
      parl_table_add(t, "%s", parl_detector_infos[d].name);
      parl_table_add_number(t, parl_detector_infos[d].threshold, 2);
      parl_table_add_number(t, measure, 3);
      parl_table_add(t, "%s", isnan(measure) ? "-" : fires ? "yes" : "no");
      parl_table_add_number(t, share, 3);
    }
}

static void warn_of_runs(parl_report *r, size_t arm) {
  for (int w = 0; w < PARL_N_WARNINGS; w++) {
    size_t n = 0, n_runs = 0;
    for (size_t i = 0; i < r->n_runs; i++) {
      if (r->runs[i].arm != arm || !r->runs[i].counted) continue;
      n_runs++;
      n += r->runs[i].warned >> w & 1;
    }
    if (n == 0) continue;
    parl_text_append_plain(&r->warnings, r->arms[arm].name);
    parl_text_appendf(&r->warnings, ": in %zu of %zu runs %s.\n", n, n_runs, parl_warning_texts[w]);
  }
}

void parl_report_warn_of_detectors(parl_report *r) {
  for (size_t a = 0; a < r->n_arms; a++) {
    warn_of_runs(r, a);
    for (int d = 0; r->arms[a].trained && d < PARL_N_STATELESS_DETECTORS; d++) {
      const double measure = get_measure(r, a, (parl_detector)d);
      if (!parl_detector_fires((parl_detector)d, measure)) continue;
      parl_text_append_plain(&r->warnings, r->arms[a].name);
      parl_text_appendf(&r->warnings, ": detector %s fires, %s = %.3f >= %g: %s.\n",
                        parl_detector_infos[d].name, parl_detector_infos[d].reads, measure,
                        parl_detector_infos[d].threshold, parl_detector_infos[d].definition);
    }
  }
}
