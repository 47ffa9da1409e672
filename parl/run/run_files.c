/* parl/run/run_files.c - the list of files and their hashes. */
#include "parl/run/run_files.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "parl/data/source.h"
#include "parl/run/pretrained.h"
#include "parl/run/subs.h"

typedef struct file {
  const char *field;
  char path[PARL_CONFIG_TEXT_BYTES]; /* "": this run reads no such file */
} file;

static void get_files(const parl_run_config *config, parl_scope scope,
                      file out[PARL_RUN_MAX_FILES]) {
  const parl_agents_config *a = &config->agents;
  parl_roles roles = {0};
  memset(out, 0, PARL_RUN_MAX_FILES * sizeof *out);
  if (scope == PARL_SCOPE_WARM || scope == PARL_SCOPE_PRETRAIN) return;
  for (size_t i = 0; i < PARL_RUN_MAX_FILES; i++) out[i].field = "agents.roles";
  out[PARL_RUN_FILE_CHECKPOINT].field = "agents.checkpoint";
  out[PARL_RUN_FILE_NEXT_CHECKPOINT].field = "agents.next_checkpoint";
  if (a->subs == PARL_SUBS_POLICY) {
    memcpy(out[PARL_RUN_FILE_CHECKPOINT].path, a->checkpoint, sizeof a->checkpoint);
    memcpy(out[PARL_RUN_FILE_NEXT_CHECKPOINT].path, a->next_checkpoint, sizeof a->next_checkpoint);
  }
  if (parl_roles_parse(a->roles, &roles) != PARL_STATUS_OK) return; /* refused elsewhere */
  for (size_t i = 0; i < roles.n; i++)
    memcpy(out[PARL_RUN_FILE_ROLES + i].path, roles.of[i].path, sizeof roles.of[i].path);
}

parl_status parl_run_get_beginning(const parl_run *run, parl_beginning *out) {
  static const char mark[] = "{seed}";
  const parl_pretrain_config *c = &run->config.pretrain;
  parl_beginning b = {.field = "pretrain.init", .extends = c->extend[0] != '\0'};
  if (b.extends) b.field = "pretrain.extend";
  size_t n = 0;
  for (const char *at = b.extends ? c->extend : c->init; *at != '\0' && n < sizeof b.path;) {
    const bool is_mark = strncmp(at, mark, sizeof mark - 1) == 0;
    const int length =
        is_mark ? snprintf(b.path + n, sizeof b.path - n, "%lld", (long long)run->config.run.seed)
                : snprintf(b.path + n, sizeof b.path - n, "%c", *at);
    n += (size_t)length;
    at += is_mark ? sizeof mark - 1 : 1;
  }
  if (n >= sizeof b.path)
    return parl_fail(PARL_STATUS_EINVAL, "%s: with its seed the path is longer than %zu bytes",
                     b.field, sizeof b.path - 1);
  *out = b;
  return PARL_STATUS_OK;
}

/* Of what source i reads. */
static parl_status hash_source(const parl_run *run, const parl_env *env, size_t i,
                               char out[PARL_HASH_HEX_BYTES]) {
  const parl_run_config *c = &run->config;
  const parl_env_options options =
      parl_env_config_get_options(&c->env, c->model.vision.patch, NULL);
  parl_source *source = NULL;
  PARL_TRY(parl_source_create(&(parl_source_def){.config = &c->sources.items[i],
                                                 .env = env,
                                                 .options = &options,
                                                 .split_seed = (uint64_t)c->env.holdout_seed,
                                                 .n_workers = 1,
                                                 .max_tokens = parl_run_get_longest_document(run)},
                              &source));
  memcpy(out, parl_source_get_hash(source), PARL_HASH_HEX_BYTES);
  parl_source_destroy(source);
  return PARL_STATUS_OK;
}

parl_status parl_run_fix_files(parl_run *run, const parl_env *env) {
  file files[PARL_RUN_MAX_FILES];
  get_files(&run->config, run->scope, files);
  for (size_t i = 0; i < PARL_RUN_MAX_FILES; i++)
    if (files[i].path[0] != '\0')
      PARL_TRY(parl_fail_context(parl_file_hash(files[i].path, run->file_hashes[i]), "%s",
                                 files[i].field));
  memcpy(run->script_hash, parl_env_get_spec(env)->script_hash, sizeof run->script_hash);
  parl_beginning begin;
  PARL_TRY(parl_run_get_beginning(run, &begin));
  if (begin.path[0] != '\0')
    PARL_TRY(parl_fail_context(parl_file_hash(begin.path, run->init_hash), "%s", begin.field));
  for (size_t i = 0; run->config.pretrain.steps > 0 && i < run->config.sources.n; i++)
    PARL_TRY(hash_source(run, env, i, run->source_hashes[i]));
  return PARL_STATUS_OK;
}

static parl_status write_hash(const char *key, const char *fixed, const char *hash,
                              parl_json_writer *w) {
  parl_json_key(w, key);
  parl_json_string(w, fixed[0] != '\0' ? fixed : hash);
  return PARL_STATUS_OK;
}

parl_status parl_run_files_write_pretrain(const parl_run *run, const parl_env *env,
                                          parl_json_writer *w) {
  const parl_run_config *c = &run->config;
  char hash[PARL_HASH_HEX_BYTES] = "";
  parl_beginning begin;
  PARL_TRY(parl_run_get_beginning(run, &begin));
  if (begin.path[0] != '\0') {
    if (run->init_hash[0] == '\0')
      PARL_TRY(parl_fail_context(parl_file_hash(begin.path, hash), "%s", begin.field));
    PARL_TRY(write_hash("init", run->init_hash, hash, w));
  }
  if (c->pretrain.steps == 0) return PARL_STATUS_OK;
  parl_json_key(w, "sources");
  parl_source_list_write(&c->sources, false, w);
  parl_json_key(w, "source_hashes");
  parl_json_begin_object(w);
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < c->sources.n; i++) {
    if (run->source_hashes[i][0] == '\0') s = hash_source(run, env, i, hash);
    if (s == PARL_STATUS_OK)
      s = write_hash(c->sources.items[i].name, run->source_hashes[i], hash, w);
  }
  parl_json_end_object(w);
  return s;
}

/* Whether another file of the list, before it, is the same one. */
static bool is_named_before(const file *files, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (strcmp(files[k].path, files[i].path) == 0) return true;
  return false;
}

parl_status parl_run_files_write(const parl_run *run, parl_scope scope, const char *key,
                                 parl_json_writer *w) {
  file files[PARL_RUN_MAX_FILES];
  size_t n = 0;
  get_files(&run->config, scope, files);
  for (size_t i = 0; i < PARL_RUN_MAX_FILES; i++) {
    const char *fixed = run->file_hashes[i];
    char hash[PARL_HASH_HEX_BYTES];
    if (files[i].path[0] == '\0' || is_named_before(files, i)) continue;
    if (fixed[0] == '\0')
      PARL_TRY(parl_fail_context(parl_file_hash(files[i].path, hash), "%s", files[i].field));
    if (n++ == 0) {
      parl_json_key(w, key);
      parl_json_begin_object(w);
    }
    parl_json_key(w, files[i].path);
    parl_json_string(w, fixed[0] == '\0' ? hash : fixed);
  }
  if (n > 0) parl_json_end_object(w);
  return PARL_STATUS_OK;
}
