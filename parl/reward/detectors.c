/* parl/reward/detectors.c - measures of means and of a training's history. */
#include "parl/reward/detectors.h"

#include <math.h>

#include "core/status.h"

static const double FAST = 0.3, SLOW = 0.05, LEAST_LAUNCH_RATE = 0.1;

const parl_detector_info parl_detector_infos[PARL_N_DETECTORS] = {
#define X(name, threshold, measure, reads, definition) {#name, reads, definition, threshold},
    PARL_DETECTOR_LIST(X)
#undef X
};

static void average(double *value, double latest, double part, bool is_first) {
  if (isnan(latest)) return;
  *value = is_first ? latest : *value + part * (latest - *value);
}

void parl_detector_observe(parl_detector_state *s, const parl_detector_view *view) {
  const bool is_first = s->n == 0;
  average(&s->launch_rate, view->means->launch_rate, FAST, is_first);
  average(&s->total_fast, view->total, FAST, is_first);
  average(&s->total_slow, view->total, SLOW, is_first);
  average(&s->perf_fast, view->means->r_perf, FAST, is_first);
  average(&s->perf_slow, view->means->r_perf, SLOW, is_first);
  if (view->shaping > 0) s->annealed = s->launch_rate;
  s->n++;
}

double parl_detector_get_relapse(const parl_detector_state *s) {
  if (s->annealed < LEAST_LAUNCH_RATE) return 0;
  return fmax(0, 1 - s->launch_rate / s->annealed);
}

double parl_detector_get_divergence(const parl_detector_state *s) {
  return fmin(s->total_fast - s->total_slow, s->perf_slow - s->perf_fast);
}

double parl_detector_measure(parl_detector detector, const parl_means *m,
                             const parl_detector_state *h) {
  PARL_CHECK(h != NULL || detector < PARL_N_STATELESS_DETECTORS);
  switch (detector) {
#define X(name, threshold, measure, reads, definition) \
  case PARL_DETECTOR_##name:                           \
    return measure;
    PARL_DETECTOR_LIST(X)
#undef X
    default:
      return (double)NAN;
  }
}

bool parl_detector_fires(parl_detector detector, double measure) {
  return measure >= parl_detector_infos[detector].threshold;
}
