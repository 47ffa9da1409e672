/* parl/swarm/chooser.h - ready-made choosers: random play.
 *
 * Thread rule: no state, so any thread. */
#ifndef PARL_PARL_SWARM_CHOOSER_H
#define PARL_PARL_SWARM_CHOOSER_H
#include "parl/swarm/observer.h"

/* Every allowed token with the same chance, but `finish` only if it is drawn twice in a row: play
 * goes deeper than one that stops as soon as it may. A function of the episode's seed, the agent
 * and the length of its context, so it is the same whatever else is played. */
extern const parl_chooser parl_random_chooser;

#endif
