/* parl/reward/detectors.h - is the reward being gamed, or parallelism lost? One table of detectors.
 *
 * A detector is a measure and a threshold: it fires where the measure reaches the threshold. Most
 * measures are of the means over episodes alone, so that any policy can be judged, a script too;
 * the others are of the history of a training, which parl_detector_state keeps from update to
 * update. Of every row follow the metric "detector/NAME", which schedules may name, the page
 * docs/metrics.md, `parl help schedule` and the rows of the report.
 * Thread rule: plain data. Reading order: the list, the state, observe, measure. */
#ifndef PARL_PARL_REWARD_DETECTORS_H
#define PARL_PARL_REWARD_DETECTORS_H
#include <stdbool.h>

#include "parl/swarm/means.h"

/* F(X, name, threshold, measure, reads, definition), X being handed through: measure is an
 * expression of the means m and of the state h; `reads` names the metric, or says what of the
 * history. Thresholds are ours. */
// clang-format off
#define PARL_DETECTOR_ROWS(F, X)                                                                   \
  F(X, serial_collapse, 0.95, m->serial_share, "serial_share",                                     \
    "works alone where launching pays")                                                            \
  F(X, launch_spam, 0.5, 1 - m->useful_rate, "1 - useful_rate",                                    \
    "sub-agents whose message changes nothing")                                                    \
  F(X, empty_finish, 0.25, m->empty_rate, "empty_rate",                                            \
    "sub-agents that finish without a step")                                                       \
  F(X, duplicate_subtasks, 0.25, m->duplicate_rate, "duplicate_rate",                              \
    "tasks assigned again in an episode")                                                          \
  F(X, step_padding, 1.5, m->sub_work, "sub_work",                                                 \
    "sub-agents take more steps than the work has")                                                \
  F(X, dominant_worker, 0.8, m->dominance, "dominance",                                            \
    "one sub-agent of a group does nearly all, and critical steps are not the least")              \
  F(X, relapse, 0.5, parl_detector_get_relapse(h),                                                 \
    "1 - launch_rate / what it was when shaping ended",                                            \
    "launching is lost once r_parallel and r_finish have no weight")                               \
  F(X, reward_hacking, 0.02, parl_detector_get_divergence(h),                                      \
    "the lesser of the rise of total and the fall of r_perf",                                      \
    "the reward rises while r_perf falls")
// clang-format on
#define PARL_DETECTOR_PLAIN_(X, ...) X(__VA_ARGS__)
/* X(name, threshold, measure, reads, definition) */
#define PARL_DETECTOR_LIST(X) PARL_DETECTOR_ROWS(PARL_DETECTOR_PLAIN_, X)

typedef enum parl_detector {
#define X(name, ...) PARL_DETECTOR_##name,
  PARL_DETECTOR_LIST(X)
#undef X
      PARL_N_DETECTORS,
  PARL_N_STATELESS_DETECTORS = PARL_DETECTOR_relapse /* the first ones: of means alone */
} parl_detector;

typedef struct parl_detector_info {
  const char *name, *reads, *definition;
  double threshold;
} parl_detector_info;
extern const parl_detector_info parl_detector_infos[PARL_N_DETECTORS];

/* What detectors remember of a training; all 0 before update 0. Averages are exponential: fast
 * ones take 0.3 of a new value, slow ones 0.05, and each begins at its first. X(field) */
#define PARL_DETECTOR_STATE_LIST(X)                                                         \
  X(n)           /* updates observed */                                                     \
  X(launch_rate) /* fast */                                                                 \
  X(annealed)    /* launch_rate at the last update in which one had; 0 if there was none */ \
  X(total_fast)                                                                             \
  X(total_slow)                                                                             \
  X(perf_fast)                                                                              \
  X(perf_slow)
typedef struct parl_detector_state {
#define X(field) double field;
  PARL_DETECTOR_STATE_LIST(X)
#undef X
} parl_detector_state;

/* One update as detectors see it. */
typedef struct parl_detector_view {
  const parl_means *means; /* over its episodes; borrowed */
  double total;            /* mean reward */
  double shaping;          /* weights of r_parallel and r_finish, added up */
} parl_detector_view;

/* Takes an update into the history. A mean that is not known, NaN, leaves its average as it is. */
void parl_detector_observe(parl_detector_state *state, const parl_detector_view *view);

/* 1 - launch_rate / annealed, never below 0: 0 as long as a term has a weight, and where fewer than
 * 0.1 of the episodes launched then. */
double parl_detector_get_relapse(const parl_detector_state *state);
/* min(fast - slow average of the reward, slow - fast average of r_perf). */
double parl_detector_get_divergence(const parl_detector_state *state);

/* The measure of a detector, NaN where nothing is known; state may be NULL for the first
 * PARL_N_STATELESS_DETECTORS. */
double parl_detector_measure(parl_detector detector, const parl_means *means,
                             const parl_detector_state *state);
/* Whether a measure reaches the threshold; NaN does not. */
bool parl_detector_fires(parl_detector detector, double measure);

#endif
