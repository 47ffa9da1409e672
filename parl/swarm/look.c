/* parl/swarm/look.c - a world is made, asked, and given back. */
#include "parl/swarm/look.h"

static parl_status ask(parl_env *env, parl_world world, parl_look *look) {
  parl_env_optimum optimum;
  PARL_TRY(parl_env_get_optimum(env, world, &optimum));
  look->optimum_steps = optimum.critical_steps;
  return parl_env_get_family(env, world, look->family, PARL_FAMILY_BYTES);
}

static parl_status look_at(parl_env *env, parl_split *split, parl_look *look) {
  parl_draw drawn = {.task_seed = look->task_seed};
  parl_world world;
  parl_agent agent;
  if (split != NULL) PARL_TRY(parl_split_draw(split, look->part, look->task_seed, &drawn));
  PARL_TRY(parl_env_reset(env, drawn.task_seed, drawn.task_seed, &world, &agent));
  const parl_status s = ask(env, world, look);
  parl_env_release(env, world);
  return s;
}

parl_status parl_look_split(parl_env *env, const parl_env_config *config, parl_split **split) {
  if (config->holdout <= 0 || *split != NULL) return PARL_STATUS_OK;
  return parl_fail_context(
      parl_split_create(env, config->holdout, (uint64_t)config->holdout_seed, split),
      "env.holdout = %g", config->holdout);
}

parl_status parl_look_at_part(parl_env *env, const parl_env_config *config, const atomic_int *stop,
                              parl_split **split, parl_looks looks, size_t first, size_t step) {
  const bool may_fail = config->on_error == PARL_ON_ERROR_SKIP;
  PARL_TRY(parl_look_split(env, config, split));
  for (size_t i = first; i < looks.n; i += step) {
    parl_look *look = &looks.items[i];
    if (stop != NULL && *stop != 0) return parl_fail(PARL_STATUS_ESTOPPED, "stopped while looking");
    const parl_status s = look_at(env, *split, look);
    look->failed = may_fail && (s == PARL_STATUS_ESCRIPT || s == PARL_STATUS_ELIMIT);
    if (!look->failed) PARL_TRY(s);
  }
  return PARL_STATUS_OK;
}
