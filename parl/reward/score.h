/* parl/reward/score.h - facts and terms of episodes that any system recorded, many at once.
 *
 * What they are is said elsewhere, and called: parl_stages_get_facts counts, the formulas of the
 * reward's table pay. Episodes are arrays of stages, one behind the other.
 * Thread rule: one thread per scorer; it uses the workers it was given.
 * Reading order: parl_score_batch, create, run. */
#ifndef PARL_PARL_REWARD_SCORE_H
#define PARL_PARL_REWARD_SCORE_H
#include "core/workers.h"
#include "parl/reward/reward.h"

/* n episodes; all arrays are borrowed and only read. */
typedef struct parl_score_batch {
  size_t n;
  const size_t *first_stage; /* [n + 1] episode i has stages first_stage[i] up to the next's */
  parl_stage_record *stages; /* [first_stage[n]] first_sub is into subs */
  parl_sub_record *subs;     /* steps, finished, useful, duplicate; the rest is not looked at */
  const parl_facts *stated;  /* [n] facts that do not follow from stages; NULL: parl_score_none */
} parl_score_batch;

/* What is known of an episode without a word: all facts 0, the optimum's width NaN. */
parl_facts parl_score_none(void);

/* Counts the facts that follow from stages over `facts`, which has the stated ones, and makes the
 * terms of the table, out [n of table]. An episode is a group of its own. Allocates nothing. Fails:
 * EINVAL if a count is negative or a term is not finite. */
parl_status parl_score_episode(parl_reward *reward, const parl_stages *stages, parl_facts *facts,
                               double *out);

typedef struct parl_scorer parl_scorer;
/* The built-in terms with definitions in C; weights do not matter. workers is borrowed. Fails:
 * EINVAL if a definition is a Lua expression; ENOMEM. */
parl_status parl_scorer_create(const parl_reward_config *config, parl_workers *workers,
                               parl_scorer **out);
/* NULL-safe. */
void parl_scorer_destroy(parl_scorer *scorer);
/* Terms of every episode, out [n, PARL_N_TERMS]; facts [n] or NULL. The same for any number of
 * threads. Allocates nothing. Fails: as parl_score_episode, naming the episode of lowest number. */
parl_status parl_score_batch_run(parl_scorer *scorer, const parl_score_batch *batch,
                                 parl_facts *facts, double *out);

#endif
