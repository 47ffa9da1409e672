/* lua/inspect.h - looking into a live environment, for the conformance suite.
 *
 * Slow, and of no use to an episode. Thread rule: the thread that uses the environment. */
#ifndef PARL_LUA_INSPECT_H
#define PARL_LUA_INSPECT_H
#include "lua/env.h"

/* Collects all garbage: what parl_env_get_memory says then is what is alive. */
void parl_env_collect(parl_env *env);

/* Looks for a table, another agent or an rng that two agents of a world can both reach from their
 * states and that can change: through it one would see or spoil the other's work. *found; if so,
 * text says where ("agent.state.found of agent 2 is also agent.state.found of agent 0").
 * Fails: ELIMIT. */
parl_status parl_env_find_shared(parl_env *env, parl_world world, bool *found, parl_text *text);

#endif
