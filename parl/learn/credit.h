/* parl/learn/credit.h - which choices of an episode its advantage belongs to (ours).
 *
 *   episode         every choice has the advantage of its episode
 *   turn            a choice of turn t has what is earned from turn t on, beyond what the group
 *                   earns from there on
 *   counterfactual  the choices that made a launch, an assignment of it, or a value that was added
 *                   to its task have the reward of the episode minus that of the same episode
 *                   without it, which is played; all others have the advantage of their episode
 *   loo_stages      the same of launches and assignments, but the episode without them is computed
 *                   from its stages, not played
 *   shapley         an assignment or added value has what it made, averaged over orders in which
 *                   they come, or in the one in which they were written; a launch what its own made
 *
 * turn. Phi(t) is what the built-in terms would be had the episode ended after turn t, R what they
 * are. Terms that are expressions have Phi = 0, and so have facts that stages do not tell: they
 * stay with the whole episode. G(t) = R - Phi(t - 1), and 0 of an episode that ended before turn t.
 * The advantage is G(t) - the mean of the group's G(t), as objective.advantage centres and divides.
 * Phi(t - 1) was fixed before the choice, so the gradient stays unbiased (with loo; mean scales it
 * by (K - 1) / K), whatever the terms are. Source: reward to go, Williams 1992; Baxter, Bartlett
 * 2001; the group's mean of it: ours.
 *
 * counterfactual. Of a turn that launched, the choices of assignment i have the difference that i
 * makes; but a value added to a task that could have ended before it has that which the value
 * makes, and <go> 0: there is nothing that it added. So what may follow at a place in a launch, one
 * more value, one more assignment or <go>, is compared with one and the same: to stop there. The
 * first choice, to launch at all, is compared with turns that have no such difference: it has the
 * advantage of its episode as they have, or with credit_launch = difference what the whole launch
 * made. A difference is sum over terms of weight * (term - term without), divided as
 * objective.advantage divides. The state before the choice and all chance are those of the episode,
 * so what is subtracted is a baseline that does not depend on the choice, but for what came later:
 * with credit_after = replay the recorded turns, which saw the outcome, with policy only the later
 * assignments of the same launch. Source: difference rewards, Wolpert, Tumer 2002; ours for
 * launches.
 *
 * At most credit_rerolls episodes are played again for one: first the launches in their order, then
 * assignments and values drawn by chance; an assignment that was not drawn keeps the advantage of
 * the episode, a value the difference of its assignment.
 *
 * shapley. The players are all assignments of the episode, and the values added to their tasks,
 * which are nothing without their assignment; v(S) is the reward of the episode in which only those
 * in S are written, everything else as recorded (what follows an edit is always replayed). A share
 * is the mean over credit_orders orders of v(with it and those before) - v(those before)
 * (parl/learn/coalitions.h), so all shares of an episode sum to its reward minus that of the same
 * episode without any sub-agent. At most credit_rerolls episodes are played again for one; fewer
 * than orders need make blocks of assignments that share alike. Choices have shares as they have
 * differences above; what a launch made is the sum of its shares. Source: Shapley 1953; for
 * launches ours.
 * Thread rule: one thread per object; it plays on the rollout that it was given.
 * Reading order: parl_credit_def, create, assign, get_weights. */
#ifndef PARL_PARL_LEARN_CREDIT_H
#define PARL_PARL_LEARN_CREDIT_H
#include "parl/learn/metrics.h"
#include "parl/reward/advantage.h"
#include "parl/reward/objective.h"
#include "parl/swarm/rollout.h"

/* Everything is borrowed and outlives the object. */
typedef struct parl_credit_def {
  const parl_objective_config *objective;
  const parl_episode_config *episode;
  const parl_cost_config *cost; /* of the episodes: what their stages take */
  const parl_env_spec *spec;
  parl_reward *reward;
  parl_rollout *rollout; /* of the policy that played, where episodes are played again */
  size_t n, group;       /* episodes at most; of them the rollouts of a task */
  double temperature, top_p;
} parl_credit_def;

/* Episodes that were played, groups one after the other. Borrowed. Their trajectories have what
 * parl_credit_ask asks for. */
typedef struct parl_credit_batch {
  parl_reward_batch of; /* groups, their terms, weights */
  const parl_job *jobs;
  const size_t *kept;      /* [n_groups * K] job of each row of terms */
  const double *advantage; /* [n_groups * K] of the episodes */
  int64_t update;
} parl_credit_batch;

/* What a turn's launch, or an assignment, made: with minus without, or its share. */
typedef struct parl_credit_effect {
  double advantage; /* as its choices have it; NaN: not known */
  double reward;    /* difference of the sum of weighted terms */
  double r_perf;    /* difference of the score */
} parl_credit_effect;

typedef struct parl_credit parl_credit;
/* Makes an object for objective->credit, which is not episode. Fails: ENOMEM. */
parl_status parl_credit_create(const parl_credit_def *def, parl_credit **out);
/* NULL-safe. */
void parl_credit_destroy(parl_credit *credit);
/* What has to be kept of episodes whose credit is to be assigned. */
void parl_credit_ask(const parl_objective_config *objective, const parl_env_spec *spec,
                     const parl_episode_config *episode, parl_trajectories_def *def);

/* Assigns the credit of a batch, which stays borrowed until the next call. Writes the metrics of
 * group credit and adds what it played to those of group time. Allocates nothing, but as terms do.
 * Fails: as a rollout does, ESTOPPED too; as terms do. */
parl_status parl_credit_assign(parl_credit *credit, const parl_credit_batch *batch,
                               parl_metrics *m);
/* Advantages of the choices of a context of episode i of the batch, out [n_choices]. */
void parl_credit_get_weights(const parl_credit *credit, size_t i, const parl_sequence *sequence,
                             float *out);

/* What was assigned, for tests and tools: of stage `stage` of episode i, its turn - 1, and of its
 * sub-agent. turn: NaN where it did not get so far. */
double parl_credit_get_turn(const parl_credit *credit, size_t i, size_t stage);
parl_credit_effect parl_credit_get_launch(const parl_credit *credit, size_t i, size_t stage);
parl_credit_effect parl_credit_get_sub(const parl_credit *credit, size_t i, size_t stage,
                                       size_t sub);

#endif
