/* parl/run/subs.h - who the sub-agents of a run are: their players, role by role and update by
 * update, and the models that those need.
 *
 * agents.subs says who plays them all; from update agents.switch_at on agents.next_checkpoint does
 * so in the place of a frozen policy (small, then large: Kimi K2.5 §3); agents.roles names others
 * for single roles. Evaluations are played by the last of them, update PARL_SUBS_LAST.
 * Thread rule: one thread opens and closes; read-only between. Reading order: parl_roles,
 * parl_subs, open, seat. */
#ifndef PARL_PARL_RUN_SUBS_H
#define PARL_PARL_RUN_SUBS_H
#include "parl/run/run.h"

#define PARL_SUBS_LAST INT64_MAX

/* The choices of agents.subs, and a file: the checkpoint whose path is given. */
enum { PARL_ROLE_FILE = PARL_SUBS_TRAINED + 1 };

/* An entry of agents.roles. */
typedef struct parl_role {
  char name[PARL_NAME_BYTES];
  int by;                            /* PARL_SUBS_POLICY, ..., PARL_ROLE_FILE */
  double reliability;                /* of a script, 0 to 1 */
  char path[PARL_CONFIG_TEXT_BYTES]; /* of a file */
} parl_role;

typedef struct parl_roles {
  size_t n;
  parl_role of[PARL_ENV_MAX_ROLES]; /* [n] */
} parl_roles;

/* Reads agents.roles. Fails: EINVAL naming the entry. */
parl_status parl_roles_parse(const char *text, parl_roles *out);

/* Of fields with each other, and with an environment. Fails: EINVAL naming both fields, or the
 * role. */
parl_status parl_subs_check(const parl_run_config *config);
parl_status parl_subs_check_env(const parl_run_config *config, const parl_env_spec *spec);

/* Whether a sub-agent is played by `by`, a choice of agents.subs, in any role or update. */
bool parl_subs_has(const parl_agents_config *agents, int by);
/* Whether sub-agents of a model that stays as it is are sampled at agents.temperature. */
bool parl_subs_has_frozen(const parl_agents_config *agents);
/* Whether the warm start plays sub-agents of the run, or, where there is no policy that learns, has
 * to stand in for it. */
bool parl_subs_needs_warm(const parl_agents_config *agents, bool has_policy);

/* The models. {0}: none is open. */
typedef struct parl_subs {
  const parl_run *run; /* borrowed */
  parl_model *warm;    /* borrowed */
  parl_model *first;   /* of agents.checkpoint, owned; NULL: none */
  parl_model *next;    /* of agents.next_checkpoint, likewise */
  parl_roles roles;
  parl_model *of_role[PARL_ENV_MAX_ROLES]; /* [n of roles] of files, likewise */
  int role[PARL_ENV_MAX_ROLES];            /* [n of roles] its number in the environment */
  bool has_others;                         /* roles that roles does not name */
} parl_subs;

/* Opens the files, whose models may be of any size. warm may be NULL where it is not needed, or
 * nobody is seated. *out is to be closed, and was opened in vain if it fails. Fails: EFORMAT if a
 * file is not that of parl_run_fix_files, is of another vocabulary or has too short a context. */
parl_status parl_subs_open(const parl_run *run, const parl_env *env, parl_model *warm,
                           parl_subs *out);
void parl_subs_close(parl_subs *subs);

/* Seats the sub-agents of an update, or of PARL_SUBS_LAST. policy: that learns; NULL: the warm
 * start. The orchestrator stays who it is. */
void parl_subs_seat(const parl_subs *subs, const parl_model *policy, int64_t update,
                    parl_seats *seats);
/* Whether the sub-agents of a run change at update agents.switch_at. */
bool parl_subs_switches(const parl_agents_config *agents);

#endif
