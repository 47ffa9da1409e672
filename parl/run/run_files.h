/* parl/run/run_files.h - the files that a run reads beside its script: their content is part of
 * what the run is.
 *
 * They are the checkpoints that sub-agents play (parl/run/subs.h), and what pretraining begins as
 * and learns from. The script and what it includes
 * have a hash of their own, parl_env_spec.script_hash.
 * Thread rule: pure functions of the file system. */
#ifndef PARL_PARL_RUN_RUN_FILES_H
#define PARL_PARL_RUN_RUN_FILES_H
#include "core/json.h"
#include "parl/run/run.h"

/* The checkpoint that a run's model begins as. */
typedef struct parl_beginning {
  const char *field;                 /* that names it */
  char path[PARL_CONFIG_TEXT_BYTES]; /* the run's seed in place of "{seed}"; "": none */
  bool extends;                      /* of a model of a shorter context */
} parl_beginning;
/* Fails: EINVAL if the path with the seed is too long. */
parl_status parl_run_get_beginning(const parl_run *run, parl_beginning *out);

/* Writes {path: SHA-256 of the file, ...} of the files that a run of this scope reads, as they
 * were when they were fixed (parl_run_fix_files), else as they are; nothing is written if there
 * are none, key included. Fails: EIO naming the field and the file. */
parl_status parl_run_files_write(const parl_run *run, parl_scope scope, const char *key,
                                 parl_json_writer *w);

/* Writes the members "init", SHA-256 of what the model begins as, if there is such a file, and if
 * there are steps of pretraining "sources" and "source_hashes", of what they read; as fixed, else
 * as it is. env: the run's. Fails: EIO, as parl_source_create. */
parl_status parl_run_files_write_pretrain(const parl_run *run, const parl_env *env,
                                          parl_json_writer *w);

#endif
