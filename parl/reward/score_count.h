/* parl/reward/score_count.h - the facts that follow from stages, of a block of episodes.
 *
 * Thread rule: pure functions. Reading order: the list, parl_score_counts, parl_score_count. */
#ifndef PARL_PARL_REWARD_SCORE_COUNT_H
#define PARL_PARL_REWARD_SCORE_COUNT_H
#include "parl/reward/score.h"

/* X(fact): as parl_stages_get_facts counts them. */
#define PARL_SCORE_COUNT_LIST(X) \
  X(critical_steps)              \
  X(total_steps)                 \
  X(turns)                       \
  X(launches)                    \
  X(assigned)                    \
  X(finished)                    \
  X(useful)                      \
  X(max_width)                   \
  X(sub_steps)                   \
  X(sub_max_steps)               \
  X(duplicates)                  \
  X(empty_finishes)

enum { PARL_SCORE_BLOCK = 128 }; /* episodes; their counts and terms stay in the nearest cache */

typedef struct parl_score_counts {
#define X(fact) double fact[PARL_SCORE_BLOCK];
  PARL_SCORE_COUNT_LIST(X)
#undef X
} parl_score_counts;

/* Counts of the episodes [first, first + n), n <= PARL_SCORE_BLOCK, of a batch of n_all. Fails:
 * EINVAL, naming the first episode whose lists fall or which has a negative count. */
parl_status parl_score_count(const parl_score_stages *stages, size_t n_all, size_t first, size_t n,
                             parl_score_counts *out);

#endif
