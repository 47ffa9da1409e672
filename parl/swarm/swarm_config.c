/* parl/swarm/swarm_config.c - the tables, and what follows from them. */
#include "parl/swarm/swarm_config.h"

#include <string.h>

#define SECTION_TYPE_ parl_env_config
PARL_CONFIG_SECTION(parl_env_section, "env", "the environment; its own parameters under env.params",
                    PARL_ENV_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_episode_config
PARL_CONFIG_SECTION(parl_episode_section, "episode", "budget and action mask", PARL_EPISODE_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_agents_config
PARL_CONFIG_SECTION(parl_agents_section, "agents", "frozen sub-agents", PARL_AGENTS_FIELDS);
#undef SECTION_TYPE_

parl_env_options parl_env_config_get_options(const parl_env_config *config, int64_t patch,
                                             const parl_script_host *scripts) {
  return (parl_env_options){.memory_bytes = (size_t)(config->memory_mib * 1048576.0),
                            .callback_s = config->callback_s,
                            .instructions = config->instructions,
                            .patch = (int)patch,
                            .host = scripts};
}

parl_status parl_script_check_hash(const parl_env_spec *spec, const char *hash) {
  if (hash == NULL || hash[0] == '\0' || strcmp(hash, spec->script_hash) == 0)
    return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "%s: the script, or what it includes, changed after this run was planned: its "
                   "SHA-256 was %.12s... and is %.12s...; another script is another run",
                   spec->path, hash, spec->script_hash);
}
