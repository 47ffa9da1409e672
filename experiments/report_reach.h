/* experiments/report_reach.h - how many critical steps episodes take to a score; their difficulty.
 *
 * Of a set of episodes: the mean of r_perf that they have after at most c critical steps, and the
 * least c at which it is a target. Thread rule: one thread per log. Reading order: targets, the
 * log, add, get. */
#ifndef PARL_EXPERIMENTS_REPORT_REACH_H
#define PARL_EXPERIMENTS_REPORT_REACH_H
#include <stdbool.h>
#include <stddef.h>

#include "experiments/statistics.h"

enum { PARL_REACH_TARGETS = 20 };
/* Of r_perf: 0.05, 0.1, ... 1. */
static inline double parl_reach_target(size_t i) {
  return (double)(i + 1) / PARL_REACH_TARGETS;
}

/* A change of r_perf at the end of a turn, or of the last turn. */
typedef struct parl_reach_gain {
  double steps; /* critical steps so far */
  double gain;
  size_t family;
  bool begins; /* none yet: an episode begins */
} parl_reach_gain;

/* Every change of r_perf in the episodes of a run. Zero it, deinit it. */
typedef struct parl_reach_log {
  size_t n, capacity;
  parl_reach_gain *gains; /* [n] */
  bool is_incomplete;     /* an episode's turns were not kept */
} parl_reach_log;

typedef struct parl_reach {
  size_t n_episodes;                /* 0: nothing is known */
  double end;                       /* critical steps of the longest episode */
  double steps[PARL_REACH_TARGETS]; /* to the target; `end` where it is not reached */
  bool is_reached[PARL_REACH_TARGETS];
} parl_reach;

/* Adds an episode of a family by its turns (parl/swarm/stages.h: JSON); NULL or "": not kept.
 * Before its first turn an episode has r_perf 0; after its last it keeps what it has. Fails:
 * EFORMAT, ENOMEM. */
parl_status parl_reach_add(parl_reach_log *log, const char *stages, size_t family);
/* Over the episodes of a family, or of all if family is 0, each with the same weight; sorts the
 * log. Nothing is known where the turns of an episode were not kept. */
void parl_reach_get(parl_reach_log *log, size_t family, parl_reach *out);
void parl_reach_deinit(parl_reach_log *log);

/* Critical steps of a policy to a target, over seeds, and how many times those a single agent
 * takes. */
typedef enum parl_bound { PARL_BOUND_EXACT, PARL_BOUND_LEAST, PARL_BOUND_MOST } parl_bound;
typedef struct parl_report_reached {
  parl_summary steps, speed_up;
  size_t n_reached; /* seeds; where they are fewer than steps.n, steps are a lower bound */
  parl_bound speed_up_is;
} parl_report_reached;

/* Means over episodes whose task takes 2^k to < 2^(k + 1) steps at best (alone, where no optimum is
 * known). */
typedef struct parl_report_octave {
  double n, r_perf, critical;
} parl_report_octave;

#endif
