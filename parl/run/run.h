/* parl/run/run.h - one run, whole: its configuration, its environment, its name and its folder.
 *
 * It is made from a recipe once and needs it no more: a sweep, a job on another machine and a merge
 * pass it around, as JSON too. What a program lends it, the log, the workers, the stop, is no part
 * of it (parl/swarm/host.h). Its paths are as the program that made it saw them: relative ones lead
 * from its working folder.
 * Thread rule: read-only once made. Reading order: parl_run, init, write, read, open_env,
 * get_uid. */
#ifndef PARL_PARL_RUN_RUN_H
#define PARL_PARL_RUN_RUN_H
#include "core/hash.h"
#include "core/name.h"
#include "core/workers.h"
#include "parl/run/recipe.h"
#include "parl/swarm/rollout.h"

enum { PARL_RUN_NAME_BYTES = 160, PARL_RUN_PATH_BYTES = 1024 };
/* The files that a run reads beside its script: agents.checkpoint, agents.next_checkpoint, and
 * those of the entries of agents.roles. */
enum {
  PARL_RUN_FILE_CHECKPOINT,
  PARL_RUN_FILE_NEXT_CHECKPOINT,
  PARL_RUN_FILE_ROLES,
  PARL_RUN_MAX_FILES = PARL_RUN_FILE_ROLES + PARL_ENV_MAX_ROLES
};

typedef struct parl_run {
  char recipe[PARL_NAME_BYTES];       /* its name */
  char question[PARL_QUESTION_BYTES]; /* that the recipe asks; no part of what the run is */
  char name[PARL_RUN_NAME_BYTES];     /* in the store: the arm, or "untrained", "serial@arm" */
  parl_scope scope; /* PARL_SCOPE_RUN: trained; PARL_SCOPE_BASELINE: played only */
  char style[96];   /* of a baseline: a script plays it; "": the warm start */
  char folder[PARL_RUN_PATH_BYTES];
  char env_path[PARL_RUN_PATH_BYTES];
  parl_json *env_params;  /* the environment's parameters, an object; owned; NULL: none given */
  parl_run_config config; /* with the seed of this run; owns its own_terms */
  /* SHA-256 of what it reads, once fixed: the script with what it includes, and the files; "":
   * whatever is there, or nothing. */
  char script_hash[PARL_HASH_HEX_BYTES], file_hashes[PARL_RUN_MAX_FILES][PARL_HASH_HEX_BYTES];
  /* The same of what the model begins as and of the sources, while pretrain.steps is above 0. */
  char init_hash[PARL_HASH_HEX_BYTES], source_hashes[PARL_MAX_SOURCES][PARL_HASH_HEX_BYTES];
} parl_run;

/* The run of an arm and a seed. *out is to be freed by deinit. Fails: ENOMEM; EINVAL if a path is
 * too long. */
parl_status parl_run_init(const parl_recipe *recipe, size_t arm, int64_t seed, parl_run *out);
/* Fails: ENOMEM. */
parl_status parl_run_copy(const parl_run *run, parl_run *out);
/* *run may be zero. */
void parl_run_deinit(parl_run *run);

/* From here on the run is one of the files as they are: another script, or another file of a
 * sub-agents' policy, is refused wherever it is loaded. env: the run's, open. Fails: EIO. */
parl_status parl_run_fix_files(parl_run *run, const parl_env *env);

/* As a JSON object; every field of every section is written. */
void parl_run_write(const parl_run *run, parl_json_writer *w);
/* The run that write wrote: equal in every field. source names the text in errors; *out is to be
 * freed by deinit. Fails: EFORMAT if it is no run or one of a later parl, EINVAL naming a field out
 * of its range, ENOMEM. */
parl_status parl_run_read(const parl_json *object, const char *source, parl_run *out);

/* Opens and closes the run's environment. Fails: as parl_env_create; EFORMAT if the script is not
 * that of parl_run_fix_files. */
parl_status parl_run_open_env(const parl_run *run, const parl_script_host *scripts, parl_env **out);
void parl_run_close_env(parl_env *env);

/* A rollout of the run's environment, with its slots; the sub-agents are scripts until
 * parl_subs_seat says more, and no orchestrator sits yet. What it points to is the run's. scripts:
 * or NULL. */
parl_rollout_def parl_run_get_rollout(const parl_run *run, const parl_script_host *scripts,
                                      parl_workers *workers);

/* The policy as an orchestrator. */
parl_player parl_run_get_orchestrator(const parl_run *run, const parl_model *policy);

/* Canonical JSON of what makes a result of this scope what it is: the sections in scope, the seed,
 * the backend and dtype, the environment's resolved parameters and script hash, and the content of
 * every other file that is read (parl/run/run_files.h); run.dir, threads and the like cannot change
 * a result and are left out. env: the run's. Fails: ENOMEM, EIO. */
parl_status parl_run_append_canonical(const parl_run *run, const parl_env *env, parl_scope scope,
                                      parl_text *out);

/* Appends the canonical configuration and makes the uid, a hash of it and the run's name. env: the
 * run's. Fails: ENOMEM, EIO. */
parl_status parl_run_get_uid(const parl_run *run, const parl_env *env, parl_text *canonical,
                             char uid[PARL_HASH_HEX_BYTES]);

/* What only the environment can tell, and what else can be refused before anything is trained: the
 * rewards, the styles, the contexts, the model, the backend, the files of sub-agents' policies.
 * recipe: names of its arms are not to be styles. env: the run's. Fails: EINVAL naming the field;
 * ESCRIPT, EIO. */
parl_status parl_run_check(const parl_run *run, const parl_recipe *recipe, parl_env *env);

/* As parl_env_append_preset_exceptions, once: what is there already is not repeated. Fails:
 * ENOMEM. */
parl_status parl_run_append_preset_exceptions(const parl_env *env, parl_text *out);

/* Appends the paths of a's leaves that b does not have or has otherwise: "train.updates,
 * script". */
void parl_run_append_differences(const parl_json *a, const parl_json *b, parl_text *out);

/* Whether a run that failed so would fail again: the training did, not a file or the machine. */
bool parl_run_failed_for_good(parl_status s);

#endif
