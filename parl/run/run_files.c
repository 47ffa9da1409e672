/* parl/run/run_files.c - the list of files and their hashes. */
#include "parl/run/run_files.h"

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
} files[] = {
    {"agents.checkpoint", get_frozen_policy},
};

parl_status parl_run_files_write(const parl_run_config *config, parl_scope scope, const char *key,
                                 parl_json_writer *w) {
  size_t n = 0;
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    const char *path = files[i].get(config, scope);
    char hash[PARL_HASH_HEX_BYTES];
    if (path == NULL) continue;
    PARL_TRY(parl_fail_context(parl_file_hash(path, hash), "%s", files[i].field));
    if (n++ == 0) {
      parl_json_key(w, key);
      parl_json_begin_object(w);
    }
    parl_json_key(w, path);
    parl_json_string(w, hash);
  }
  if (n > 0) parl_json_end_object(w);
  return PARL_STATUS_OK;
}
