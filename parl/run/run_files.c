/* parl/run/run_files.c - the list of files and their hashes. */
#include "parl/run/run_files.h"

#include <stddef.h>
#include <string.h>

#include "core/file.h"

/* The path in a configuration, or NULL if this run reads no such file. */
typedef const char *(*path_getter)(const parl_run_config *config, parl_scope scope);

static const char *get_frozen_policy(const parl_run_config *config, parl_scope scope) {
  const bool is_read = scope != PARL_SCOPE_WARM && config->agents.subs == PARL_SUBS_POLICY &&
                       config->agents.checkpoint[0] != '\0';
  return is_read ? config->agents.checkpoint : NULL;
}

static const struct {
  const char *field;
  path_getter get;
  size_t offset; /* of the fixed hash in the run */
} files[] = {
    {"agents.checkpoint", get_frozen_policy, offsetof(parl_run, checkpoint_hash)},
};

enum { N_FILES = sizeof files / sizeof files[0] };

parl_status parl_run_fix_files(parl_run *run, const parl_env *env) {
  for (size_t i = 0; i < N_FILES; i++) {
    const char *path = files[i].get(&run->config, run->scope);
    if (path == NULL) continue;
    PARL_TRY(parl_fail_context(parl_file_hash(path, (char *)run + files[i].offset), "%s",
                               files[i].field));
  }
  memcpy(run->script_hash, parl_env_get_spec(env)->script_hash, sizeof run->script_hash);
  return PARL_STATUS_OK;
}

parl_status parl_run_files_write(const parl_run *run, parl_scope scope, const char *key,
                                 parl_json_writer *w) {
  size_t n = 0;
  for (size_t i = 0; i < N_FILES; i++) {
    const char *path = files[i].get(&run->config, scope);
    const char *fixed = (const char *)run + files[i].offset;
    char hash[PARL_HASH_HEX_BYTES];
    if (path == NULL) continue;
    if (fixed[0] == '\0')
      PARL_TRY(parl_fail_context(parl_file_hash(path, hash), "%s", files[i].field));
    if (n++ == 0) {
      parl_json_key(w, key);
      parl_json_begin_object(w);
    }
    parl_json_key(w, path);
    parl_json_string(w, fixed[0] == '\0' ? hash : fixed);
  }
  if (n > 0) parl_json_end_object(w);
  return PARL_STATUS_OK;
}
