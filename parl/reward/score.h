/* parl/reward/score.h - facts and terms of episodes that any system recorded, many at once.
 *
 * One by one they are a function of parl_stages: parl_stages_get_facts counts, the formulas of the
 * reward's table pay. Many are columns: episodes, stages and sub-agents each have arrays of their
 * own, lists within lists as Arrow lays them out, and what comes out are columns again, to the same
 * bits.
 * Thread rule: one thread per scorer; it uses the workers it was given.
 * Reading order: parl_score_stages, parl_score_batch, parl_score_out, create, run. */
#ifndef PARL_PARL_REWARD_SCORE_H
#define PARL_PARL_REWARD_SCORE_H
#include "core/workers.h"
#include "parl/reward/formulas.h"

/* What is known of an episode without a word: all facts 0, the optimum's width NaN. */
parl_facts parl_score_none(void);

/* Counts the facts that follow from stages over `facts`, which has the stated ones, and makes the
 * terms of the table at an update, out [n of table]. An episode is a group of its own, and its
 * budget, if it states one, counts critical steps. Terms that are built in allocate nothing, and
 * may be made by several threads of one reward. Fails: EINVAL if a count is negative or a term is
 * not finite; as parl_reward_one. */
parl_status parl_score_episode(parl_reward *reward, int64_t update, const parl_stages *stages,
                               parl_facts *facts, double *out);

/* Flags of a sub-agent; others are not looked at. */
enum { PARL_SCORE_FINISHED = 1, PARL_SCORE_USEFUL = 2, PARL_SCORE_DUPLICATE = 4 };

/* Stages of n episodes. Borrowed, only read. */
typedef struct parl_score_stages {
  const int32_t *first_stage; /* [n + 1] from 0 on, never falling: episode i has the stages from
                                 first_stage[i] up to first_stage[i + 1] */
  const int32_t *main_steps;  /* [n_stages] S_main, steps >= 0 */
  const int32_t *first_sub;   /* [n_stages + 1] the same of a stage's sub-agents */
  const int32_t *sub_steps;   /* [n_subs] S_sub, steps >= 0 */
  const uint8_t *sub_flags;   /* [n_subs]; NULL: none has any */
} parl_score_stages;

/* n episodes as columns [n], each borrowed and only read. */
typedef struct parl_score_batch {
  size_t n;
  const parl_score_stages *stages;   /* NULL: the facts say all that is known */
  const double *facts[PARL_N_FACTS]; /* NULL: as parl_score_none; also of those that are counted */
  double weights[PARL_N_TERMS];      /* of the total */
} parl_score_batch;

/* Columns [n] that are written; NULL: not wanted. */
typedef struct parl_score_out {
  double *facts[PARL_N_FACTS]; /* of those that are counted: parl_score_is_counted */
  double *terms[PARL_N_TERMS];
  double *total; /* sum of weight * term */
} parl_score_out;

/* Whether a fact follows from stages. */
bool parl_score_is_counted(parl_fact fact);

typedef struct parl_scorer parl_scorer;
/* The built-in terms with definitions in C. workers is borrowed. Fails: EINVAL if a definition is a
 * Lua expression; ENOMEM. */
parl_status parl_scorer_create(const parl_reward_config *config, parl_workers *workers,
                               parl_scorer **out);
/* NULL-safe. */
void parl_scorer_destroy(parl_scorer *scorer);
/* Every episode ended itself, as one that is recorded without its end. The same for any number of
 * threads. Allocates nothing. Fails: EINVAL if a fact is given that is counted, or wanted that is
 * not; naming the episode of lowest number, if its lists fall, a count is negative or a wanted term
 * is not finite. Columns of *out may be written in part then. */
parl_status parl_score_batch_run(parl_scorer *scorer, const parl_score_batch *batch,
                                 const parl_score_out *out);

#endif
