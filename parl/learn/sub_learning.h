/* parl/learn/sub_learning.h - sub-agents who play the policy that learns (agents.subs = "trained"):
 * their contexts are learned from, too.
 *
 * Each choice of such a sub-agent enters the loss with the advantage of its episode, whatever the
 * sub-agent did of it: there is nothing else that says how good it was. That is the contrast that
 * Kimi K2.5 §3 argues against, by freezing sub-agents: whose fault a failure was, one number for
 * all of an episode's agents does not say.
 * Thread rule: pure functions. Reading order: count, ask, add, measure. */
#ifndef PARL_PARL_LEARN_SUB_LEARNING_H
#define PARL_PARL_LEARN_SUB_LEARNING_H
#include "parl/learn/batch.h"
#include "parl/swarm/player.h"
#include "parl/swarm/rollout.h"

/* Most sub-agents of an episode that learn; 0: nobody who is seated learns. */
size_t parl_sub_learning_count(const parl_seats *seats, const parl_env_spec *spec,
                               const parl_episode_config *episode);
/* Asks for their contexts, and for stages, if somebody learns. */
void parl_sub_learning_ask(const parl_seats *seats, const parl_env_spec *spec,
                           const parl_episode_config *episode, parl_trajectories_def *def);
/* Appends the contexts of an episode's sub-agents that were recorded, each choice with the
 * advantage of the episode. prompt: as parl_batch_add. */
parl_status parl_sub_learning_add(const parl_trajectory *trajectory, size_t prompt, float advantage,
                                  parl_batch *batch);

/* Sums over episodes. */
typedef struct parl_sub_learning_sums {
  double choices, sub_choices; /* learned from: of all agents, of sub-agents */
  double subs, misled; /* sub-agents that learn in episodes whose advantage is not 0; of them, those
                          whose advantage has the wrong sign: above 0 of one whose message left
                          r_perf as it was, below 0 of one whose message changed it */
} parl_sub_learning_sums;
void parl_sub_learning_measure(const parl_seats *seats, const parl_trajectory *trajectory,
                               double advantage, parl_sub_learning_sums *sums);

#endif
