/* parl/run/subs.c - reading agents.roles, opening models, seating players. */
#include "parl/run/subs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/checkpoint.h"

/* --- agents.roles --- */

static parl_status refuse_entry(const char *entry, const char *why) {
  return parl_fail(PARL_STATUS_EINVAL,
                   "agents.roles: \"%s\" %s; an entry is ROLE=scripted, ROLE=scripted:RELIABILITY "
                   "(0 to 1), ROLE=policy, ROLE=trained, or ROLE=FILE of a checkpoint (a path with "
                   "a / or ending in .safetensors)",
                   entry, why);
}

static bool is_path(const char *text) {
  static const char end[] = ".safetensors";
  const size_t n = strlen(text);
  return strchr(text, '/') != NULL ||
         (n >= sizeof end && strcmp(text + n - (sizeof end - 1), end) == 0);
}

/* "scripted", "scripted:0.8"; false if it is neither. */
static bool read_scripted(const char *text, double *reliability) {
  char *end;
  *reliability = 1;
  if (strcmp(text, "scripted") == 0) return true;
  if (strncmp(text, "scripted:", 9) != 0) return false;
  const char first = text[9]; /* strtod would pass over spaces and signs, and take words */
  *reliability = strtod(text + 9, &end);
  return first >= '0' && first <= '9' && *end == '\0' && *reliability <= 1;
}

static parl_status read_player(const char *entry, const char *text, parl_role *out) {
  if (is_path(text)) {
    out->by = PARL_ROLE_FILE;
    snprintf(out->path, sizeof out->path, "%s", text);
  } else if (strcmp(text, "policy") == 0) {
    out->by = PARL_SUBS_POLICY;
  } else if (strcmp(text, "trained") == 0) {
    out->by = PARL_SUBS_TRAINED;
  } else if (read_scripted(text, &out->reliability)) {
    out->by = PARL_SUBS_SCRIPTED;
  } else {
    return refuse_entry(entry, "names nobody who plays");
  }
  return PARL_STATUS_OK;
}

static parl_status read_entry(const char *entry, parl_roles *out) {
  const char *sign = strchr(entry, '=');
  const size_t n = sign != NULL ? (size_t)(sign - entry) : 0;
  parl_role *role = &out->of[out->n];
  if (n == 0 || n >= sizeof role->name) return refuse_entry(entry, "names no role");
  if (out->n == PARL_ENV_MAX_ROLES) return refuse_entry(entry, "is one role too many");
  *role = (parl_role){.reliability = 1};
  memcpy(role->name, entry, n);
  for (size_t i = 0; i < out->n; i++)
    if (strcmp(out->of[i].name, role->name) == 0)
      return refuse_entry(entry, "names a role for the second time");
  PARL_TRY(read_player(entry, sign + 1, role));
  out->n++;
  return PARL_STATUS_OK;
}

parl_status parl_roles_parse(const char *text, parl_roles *out) {
  char list[PARL_CONFIG_TEXT_BYTES], *rest = NULL;
  parl_roles roles = {0};
  snprintf(list, sizeof list, "%s", text);
  for (char *entry = strtok_r(list, ", ", &rest); entry != NULL;
       entry = strtok_r(NULL, ", ", &rest))
    PARL_TRY(read_entry(entry, &roles));
  *out = roles;
  return PARL_STATUS_OK;
}

/* --- questions --- */

/* Of a configuration that was checked, else of none. */
static parl_roles get_roles(const parl_agents_config *agents) {
  parl_roles roles = {0};
  if (parl_roles_parse(agents->roles, &roles) != PARL_STATUS_OK) roles.n = 0;
  return roles;
}

bool parl_subs_has(const parl_agents_config *agents, int by) {
  const parl_roles roles = get_roles(agents);
  bool any = agents->subs == by;
  for (size_t i = 0; i < roles.n; i++) any = any || roles.of[i].by == by;
  return any;
}

bool parl_subs_has_frozen(const parl_agents_config *agents) {
  return parl_subs_has(agents, PARL_SUBS_POLICY) || parl_subs_has(agents, PARL_ROLE_FILE);
}

bool parl_subs_needs_warm(const parl_agents_config *agents, bool has_policy) {
  const parl_roles roles = get_roles(agents);
  bool any = (agents->subs == PARL_SUBS_POLICY && agents->checkpoint[0] == '\0') ||
             (!has_policy && parl_subs_has(agents, PARL_SUBS_TRAINED));
  for (size_t i = 0; i < roles.n; i++) any = any || roles.of[i].by == PARL_SUBS_POLICY;
  return any;
}

bool parl_subs_switches(const parl_agents_config *agents) {
  return agents->subs == PARL_SUBS_POLICY && agents->next_checkpoint[0] != '\0';
}

/* --- checks --- */

static parl_status check_switch(const parl_run_config *c) {
  const parl_agents_config *a = &c->agents;
  const bool has_next = a->next_checkpoint[0] != '\0';
  if (a->subs != PARL_SUBS_POLICY || (!has_next && a->switch_at == 0)) return PARL_STATUS_OK;
  if (!has_next || a->switch_at < 1 || a->switch_at > c->train.updates)
    return parl_fail(PARL_STATUS_EINVAL,
                     "agents.switch_at = %lld with agents.next_checkpoint = \"%s\": one needs the "
                     "other, and the update lies from 1 to train.updates = %lld, after which only "
                     "the evaluation is left",
                     (long long)a->switch_at, a->next_checkpoint, (long long)c->train.updates);
  if (c->train.partial == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "agents.next_checkpoint with train.partial = %lld: an episode that goes on in "
                   "the next update plays its sub-agents again, who would be others there; set "
                   "train.partial to 0",
                   (long long)c->train.partial);
}

static parl_status check_trained(const parl_run_config *c) {
  const char *field = c->agents.subs == PARL_SUBS_TRAINED ? "agents.subs" : "agents.roles";
  if (!parl_subs_has(&c->agents, PARL_SUBS_TRAINED)) return PARL_STATUS_OK;
  if (c->train.partial > 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s with sub-agents that are trained and train.partial = %lld: an episode "
                     "that goes on in the next update plays its sub-agents again, who would be "
                     "others there; set train.partial to 0",
                     field, (long long)c->train.partial);
  if (parl_objective_is_of_responses(&c->objective))
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s with sub-agents that are trained and objective.kind = \"squared\": the "
                     "form sums the log-ratios of a response, which is one context, and theirs are "
                     "others; choose another kind",
                     field);
  return PARL_STATUS_OK;
}

parl_status parl_subs_check(const parl_run_config *config) {
  parl_roles roles;
  PARL_TRY(parl_roles_parse(config->agents.roles, &roles));
  PARL_TRY(check_switch(config));
  return check_trained(config);
}

/* The number of a role. */
static parl_status find_role(const parl_env_spec *spec, const char *name, int *out) {
  for (int i = 0; i < spec->n_roles; i++)
    if (strcmp(spec->roles[i], name) == 0) {
      *out = i;
      return PARL_STATUS_OK;
    }
  const char *near = parl_nearest(name, spec->roles, (size_t)spec->n_roles);
  return parl_fail(PARL_STATUS_EINVAL, "agents.roles: %s has no role \"%s\"%s%s%s", spec->name,
                   name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Where every role has its own player nobody is left for the others' fields. */
static parl_status check_others(const parl_agents_config *a, const parl_roles *roles,
                                const parl_env_spec *spec) {
  const bool is_said =
      a->subs != PARL_SUBS_POLICY || a->checkpoint[0] != '\0' || a->next_checkpoint[0] != '\0';
  if ((int)roles->n < spec->n_roles || !is_said) return PARL_STATUS_OK;
  return parl_fail(
      PARL_STATUS_EINVAL,
      "agents.roles = \"%s\" names every role of %s, so nobody plays what agents.subs, "
      "agents.checkpoint and agents.next_checkpoint say; leave those out",
      a->roles, spec->name);
}

parl_status parl_subs_check_env(const parl_run_config *config, const parl_env_spec *spec) {
  parl_roles roles;
  int role;
  PARL_TRY(parl_roles_parse(config->agents.roles, &roles));
  for (size_t i = 0; i < roles.n; i++) PARL_TRY(find_role(spec, roles.of[i].name, &role));
  PARL_TRY(check_others(&config->agents, &roles, spec));
  if (spec->n_styles > 0 || !parl_subs_has(&config->agents, PARL_SUBS_SCRIPTED))
    return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "%s: %s has no expert styles",
                   config->agents.subs == PARL_SUBS_SCRIPTED ? "agents.subs = \"scripted\""
                                                             : "agents.roles: scripted",
                   spec->path);
}

/* --- models --- */

/* The model that a file describes, if it is the one that was planned with. */
static parl_status open_file(const parl_run *run, const parl_env *env, const char *field,
                             const char *path, const char *hash, parl_model **out) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  const parl_backend *backend;
  parl_model *model = NULL;
  PARL_TRY(parl_recipe_get_backend(&run->config, &backend));
  parl_status s = parl_checkpoint_open_model(path, backend, &model);
  if (s == PARL_STATUS_OK) s = parl_checkpoint_load_exact(path, hash, spec->vocab_hash, model);
  if (s == PARL_STATUS_OK && parl_model_get_config(model)->max_context < spec->limits.sub_context)
    s = parl_fail(PARL_STATUS_EFORMAT,
                  "%s holds contexts of %lld tokens, but %s lets those of sub-agents grow to %d",
                  path, (long long)parl_model_get_config(model)->max_context, spec->path,
                  spec->limits.sub_context);
  if (s == PARL_STATUS_OK)
    *out = model;
  else
    parl_model_destroy(model);
  return parl_fail_context(s, "%s", field);
}

static parl_status open_files(const parl_run *run, const parl_env *env, parl_subs *subs) {
  const parl_agents_config *a = &run->config.agents;
  const bool is_policy = a->subs == PARL_SUBS_POLICY;
  if (is_policy && a->checkpoint[0] != '\0')
    PARL_TRY(open_file(run, env, "agents.checkpoint", a->checkpoint,
                       run->file_hashes[PARL_RUN_FILE_CHECKPOINT], &subs->first));
  if (parl_subs_switches(a))
    PARL_TRY(open_file(run, env, "agents.next_checkpoint", a->next_checkpoint,
                       run->file_hashes[PARL_RUN_FILE_NEXT_CHECKPOINT], &subs->next));
  for (size_t i = 0; i < subs->roles.n; i++) {
    const parl_role *role = &subs->roles.of[i];
    PARL_TRY(find_role(parl_env_get_spec(env), role->name, &subs->role[i]));
    if (role->by == PARL_ROLE_FILE)
      PARL_TRY(open_file(run, env, "agents.roles", role->path,
                         run->file_hashes[PARL_RUN_FILE_ROLES + i], &subs->of_role[i]));
  }
  return PARL_STATUS_OK;
}

parl_status parl_subs_open(const parl_run *run, const parl_env *env, parl_model *warm,
                           parl_subs *out) {
  parl_subs subs = {.run = run, .warm = warm};
  PARL_TRY(parl_roles_parse(run->config.agents.roles, &subs.roles));
  subs.has_others = (int)subs.roles.n < parl_env_get_spec(env)->n_roles;
  const parl_status s = open_files(run, env, &subs);
  if (s == PARL_STATUS_OK)
    *out = subs;
  else
    parl_subs_close(&subs);
  return s;
}

void parl_subs_close(parl_subs *subs) {
  parl_model_destroy(subs->first);
  parl_model_destroy(subs->next);
  for (size_t i = 0; i < PARL_ENV_MAX_ROLES; i++) parl_model_destroy(subs->of_role[i]);
  *subs = (parl_subs){0};
}

/* --- players --- */

static parl_player make_player(const parl_subs *subs, int by, const parl_model *frozen,
                               double reliability, const parl_model *policy) {
  const parl_run_config *c = &subs->run->config;
  const parl_cache_dtype cache = (parl_cache_dtype)c->train.kv_cache;
  if (by == PARL_SUBS_SCRIPTED) return parl_player_of_script(c->agents.style, reliability);
  if (by != PARL_SUBS_TRAINED) return parl_player_of_model(frozen, cache, c->agents.temperature);
  parl_player player = parl_player_of_model(policy != NULL ? policy : subs->warm, cache, 1);
  player.learns = true;
  return player;
}

void parl_subs_seat(const parl_subs *subs, const parl_model *policy, int64_t update,
                    parl_seats *seats) {
  const parl_agents_config *a = &subs->run->config.agents;
  const parl_model *frozen = subs->first != NULL ? subs->first : subs->warm;
  if (subs->next != NULL && update >= a->switch_at) frozen = subs->next;
  if (subs->has_others) seats->subs = make_player(subs, a->subs, frozen, a->reliability, policy);
  for (size_t i = 0; i < subs->roles.n; i++) {
    const parl_role *role = &subs->roles.of[i];
    const parl_model *own = role->by == PARL_ROLE_FILE ? subs->of_role[i] : subs->warm;
    seats->of_role[subs->role[i]] = make_player(subs, role->by, own, role->reliability, policy);
  }
}
