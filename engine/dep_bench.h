/* engine/dep_bench.h - how fast batches with images train under the schedules of engine/dep_step.h.
 *
 * A step is the gradient of a batch of 16 sequences of 128 tokens: the benchmark's shape A, with a
 * tower of 2 blocks of width 32 in which a visual token costs about a fifth of a text's. Images are
 * those of engine/dep_mix.h. Text alone and the three schedules take turns, so that other programs
 * disturb all alike; the backbone's work is the same in each.
 * Thread rule: one measurement at a time; reads the clocks. Reading order: parl_dep_row, bench. */
#ifndef PARL_ENGINE_DEP_BENCH_H
#define PARL_ENGINE_DEP_BENCH_H
#include "core/workers.h"
#include "engine/model.h"

typedef enum parl_dep_way {
  PARL_DEP_WAY_TEXT,
  PARL_DEP_WAY_INSIDE,
  PARL_DEP_WAY_UNBALANCED,
  PARL_DEP_WAY_BALANCED,
  PARL_DEP_N_WAYS
} parl_dep_way;

/* One way. A load is what a worker has to do between two barriers; the longest of each stretch is
 * what a step takes. */
typedef struct parl_dep_row {
  const char *name;
  double steps_per_s, low, high; /* median; 10 % and 90 % of the rounds do not exceed low, high */
  double cpu_s;                  /* processor time of a step, all threads; median */
  double efficiency;             /* of text's steps/s: the median of rounds */
  double efficiency_cpu;         /* the longest loads in processor time: text's over this way's */
  double efficiency_flops;       /* the same in FLOPs: the prediction */
  double max_mean_cpu;           /* sum of the longest loads over that of the mean ones */
  double max_mean_flops;
  size_t bytes; /* activations of backbone and towers, features and their gradients */
} parl_dep_row;

typedef struct parl_dep_speed {
  double share; /* of visual tokens, counted */
  size_t n_images, n_rounds;
  double largest;   /* patches of the largest image */
  double vision;    /* FLOPs of towers over all, in the ways that compute them twice */
  double cpu_share; /* of the threads' time the processors gave */
  parl_dep_row rows[PARL_DEP_N_WAYS];
} parl_dep_speed;

/* Rounds for at least `seconds`, after one of warm-up, at least one. share in (0, 0.9]. Fails:
 * EINVAL, ENOMEM; ESTATE if the ways differ in a bit of the gradient, or it is not finite: a wrong
 * result voids the time. */
parl_status parl_dep_bench(const parl_backend *backend, parl_workers *workers, double share,
                           double seconds, parl_dep_speed *out);

#endif
