/* cli/env_recipe.c - the recipe that an action of parl env plays an environment with. */
#include "cli/env.h"

parl_status env_load_recipe(const cli_args *args, parl_recipe **out) {
  const char *sets[CLI_MAX_REPEATS + 1];
  size_t n = 0;
  if (args->strict) sets[n++] = "env.instructions=20000000";
  for (size_t i = 0; i < args->n_sets; i++) sets[n++] = args->sets[i];
  PARL_TRY(parl_recipe_load_env(args->operands[0], sets, n, cli_get_datadir(), out));
  cli_warn_of_recipe(*out);
  return PARL_STATUS_OK;
}
