/* parl/reward/score_bench.h - how many recorded episodes a second this machine scores.
 *
 * An episode has 1 to 4 stages, each of which launched 0 to 8 sub-agents of 0 to 8 steps, all
 * equally likely: 2.5 stages and 10 sub-agents on average. Every row is checked against scores one
 * by one; a wrong one voids the time.
 * Thread rule: one measurement at a time; reads the clocks. Reading order: the names, the run. */
#ifndef PARL_PARL_REWARD_SCORE_BENCH_H
#define PARL_PARL_REWARD_SCORE_BENCH_H
#include "core/workers.h"

typedef struct parl_score_speed {
  double episodes_per_s; /* median of the repetitions kept */
  double low, high;      /* that 10 % and 90 % of them do not exceed */
  double bytes;          /* an episode, that are read and written */
  double peak_gb_per_s;  /* of copies by all threads at once, better of before and after */
  double cpu_share;      /* of the threads' time the processors gave to this process, kept ones */
  size_t n_kept, n_dropped; /* repetitions, after one of warm-up */
} parl_score_speed;

/* Names in order, NULL beyond the last:
 *   score_one           one after the other, by one thread: parl_score_episode
 *   score_counts_N      batches of N: r_parallel, r_finish and the total of columns of counts
 *   score_stages_N      batches of N: the same and both costs of columns of stages
 *   score_lines         lines of JSON of one launch of one sub-agent, as the shortest one may be
 *   score_lines_wide    lines of JSON of episodes as above */
const char *parl_score_bench_name(size_t i);

/* Repeats row i for at least `seconds`, at least once; which repetitions are kept:
 * engine/bench.h. Fails: ENOMEM; ESTATE if a score is not what it is one by one. */
parl_status parl_score_bench(size_t i, parl_workers *workers, double seconds,
                             parl_score_speed *out);

#endif
