/* parl/run/run.c - making a run, writing and reading it. */
#include "parl/run/run.h"

#include <stdio.h>
#include <string.h>

#include "parl/run/recipe_internal.h"

enum { VERSION = 1 };

static parl_status put_path(const char *what, const char *path, char out[PARL_RUN_PATH_BYTES]) {
  const int n = snprintf(out, PARL_RUN_PATH_BYTES, "%s", path);
  if (n >= 0 && n < PARL_RUN_PATH_BYTES) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "%s is longer than %d bytes: %.64s...", what,
                   PARL_RUN_PATH_BYTES - 1, path);
}

parl_status parl_run_init(const parl_recipe *recipe, size_t arm, int64_t seed, parl_run *out) {
  PARL_REQUIRE(arm < parl_recipe_get_n_arms(recipe));
  parl_run run = {.scope = PARL_SCOPE_RUN, .config = *parl_recipe_get_arm(recipe, arm)};
  run.config.run.seed = seed;
  snprintf(run.recipe, sizeof run.recipe, "%s", parl_recipe_get_name(recipe));
  snprintf(run.question, sizeof run.question, "%s", parl_recipe_get_question(recipe));
  snprintf(run.name, sizeof run.name, "%s", parl_recipe_get_arm_name(recipe, arm));
  PARL_TRY(put_path("run.dir", parl_recipe_get_folder(recipe), run.folder));
  PARL_TRY(put_path("env.file", parl_recipe_get_env_path(recipe, arm), run.env_path));
  run.env_params = (parl_json *)parl_recipe_get_env_params(recipe, arm);
  return parl_run_copy(&run, out);
}

parl_status parl_run_copy(const parl_run *run, parl_run *out) {
  parl_run copy = *run;
  parl_own_terms *own = NULL;
  copy.env_params = NULL;
  PARL_TRY(parl_own_terms_copy(run->config.own_terms, &own));
  copy.config.own_terms = own;
  parl_status s = PARL_STATUS_OK;
  if (run->env_params != NULL) s = parl_json_copy(run->env_params, &copy.env_params);
  if (s == PARL_STATUS_OK)
    *out = copy;
  else
    parl_run_deinit(&copy);
  return s;
}

void parl_run_deinit(parl_run *run) {
  parl_json_destroy(run->env_params);
  parl_own_terms_destroy((parl_own_terms *)run->config.own_terms);
  run->env_params = NULL;
  run->config.own_terms = NULL;
}

/* --- JSON --- */

static void put_text(const char *key, const char *value, parl_json_writer *w) {
  parl_json_key(w, key);
  parl_json_string(w, value);
}

static void write_params(const parl_run *run, parl_json_writer *w) {
  parl_text text = {0};
  parl_json_append_canonical(run->env_params, &text);
  parl_json_key(w, "env_params");
  parl_json_raw(w, parl_text_get(&text));
  w->out->failed |= text.failed;
  parl_text_deinit(&text);
}

/* Of the files that came later than agents.checkpoint. */
static void write_file_hashes(const parl_run *run, parl_json_writer *w) {
  parl_json_key(w, "file_hashes");
  parl_json_begin_array(w);
  for (size_t i = PARL_RUN_FILE_CHECKPOINT + 1; i < PARL_RUN_MAX_FILES; i++)
    parl_json_string(w, run->file_hashes[i]);
  parl_json_end_array(w);
}

/* What pretraining reads; nothing of a run that has none. */
static void write_pretrain_hashes(const parl_run *run, parl_json_writer *w) {
  const parl_run_config *c = &run->config;
  if (c->pretrain.init[0] != '\0' || c->pretrain.extend[0] != '\0')
    put_text("init_hash", run->init_hash, w);
  if (c->sources.n == 0) return;
  parl_json_key(w, "source_hashes");
  parl_json_begin_array(w);
  for (size_t i = 0; i < c->sources.n; i++) parl_json_string(w, run->source_hashes[i]);
  parl_json_end_array(w);
}

void parl_run_write(const parl_run *run, parl_json_writer *w) {
  size_t n;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  parl_json_begin_object(w);
  parl_json_key(w, "run_version");
  parl_json_integer(w, VERSION);
  put_text("recipe", run->recipe, w);
  put_text("name", run->name, w);
  parl_json_key(w, "trained");
  parl_json_bool(w, run->scope == PARL_SCOPE_RUN);
  put_text("style", run->style, w);
  put_text("folder", run->folder, w);
  put_text("env_path", run->env_path, w);
  put_text("script_hash", run->script_hash, w);
  put_text("checkpoint_hash", run->file_hashes[PARL_RUN_FILE_CHECKPOINT], w);
  write_file_hashes(run, w);
  write_pretrain_hashes(run, w);
  if (run->env_params != NULL) write_params(run, w);
  parl_json_key(w, "config");
  parl_json_begin_object(w);
  for (size_t i = 0; i < n; i++) {
    parl_json_key(w, sections[i].section->name);
    parl_config_write(sections[i].section, (const char *)&run->config + sections[i].offset, w);
  }
  if (run->config.own_terms != NULL) {
    parl_json_key(w, "terms");
    parl_own_terms_write(run->config.own_terms, w);
  }
  if (run->config.sources.n > 0) {
    parl_json_key(w, "sources");
    parl_source_list_write(&run->config.sources, true, w);
  }
  parl_json_end_object(w);
  parl_json_end_object(w);
}

/* A member that must be a text which fits. */
static parl_status read_text(const parl_json *object, const char *source, const char *key,
                             char *out, size_t n_bytes) {
  const char *text = parl_json_get_string(parl_json_find(object, key));
  if (text == NULL)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: not a run: it has no text \"%s\"", source, key);
  const int n = snprintf(out, n_bytes, "%s", text);
  if (n >= 0 && (size_t)n < n_bytes) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "%s: \"%s\" is longer than %zu bytes: %.64s...", source,
                   key, n_bytes - 1, text);
}

/* An older parl wrote none. out [room] */
static parl_status read_hashes(const parl_json *object, const char *source, const char *key,
                               char (*out)[PARL_HASH_HEX_BYTES], size_t room) {
  const parl_json *list = parl_json_find(object, key);
  size_t i = 0;
  for (const parl_json *c = parl_json_get_first(list); c != NULL; c = parl_json_get_next(c)) {
    const char *text = parl_json_get_string(c);
    if (text == NULL || strlen(text) >= PARL_HASH_HEX_BYTES || i == room)
      return parl_fail(PARL_STATUS_EFORMAT, "%s: \"%s\" is not up to %zu hashes", source, key,
                       room);
    snprintf(out[i++], PARL_HASH_HEX_BYTES, "%s", text);
  }
  return PARL_STATUS_OK;
}

/* Those that came later than agents.checkpoint. */
static parl_status read_file_hashes(const parl_json *object, const char *source, parl_run *run) {
  enum { FIRST = PARL_RUN_FILE_CHECKPOINT + 1 };
  PARL_TRY(read_hashes(object, source, "file_hashes", run->file_hashes + FIRST,
                       PARL_RUN_MAX_FILES - FIRST));
  PARL_TRY(read_hashes(object, source, "source_hashes", run->source_hashes, PARL_MAX_SOURCES));
  if (parl_json_find(object, "init_hash") == NULL) return PARL_STATUS_OK;
  return read_text(object, source, "init_hash", run->init_hash, sizeof run->init_hash);
}

static parl_status read_members(const parl_json *object, const char *source, parl_run *run) {
  const parl_json *trained = parl_json_find(object, "trained");
  const parl_json *config = parl_json_find(object, "config");
  PARL_TRY(read_text(object, source, "recipe", run->recipe, sizeof run->recipe));
  PARL_TRY(read_text(object, source, "name", run->name, sizeof run->name));
  PARL_TRY(read_text(object, source, "style", run->style, sizeof run->style));
  PARL_TRY(read_text(object, source, "folder", run->folder, sizeof run->folder));
  PARL_TRY(read_text(object, source, "env_path", run->env_path, sizeof run->env_path));
  PARL_TRY(read_text(object, source, "script_hash", run->script_hash, sizeof run->script_hash));
  PARL_TRY(read_text(object, source, "checkpoint_hash", run->file_hashes[PARL_RUN_FILE_CHECKPOINT],
                     PARL_HASH_HEX_BYTES));
  PARL_TRY(read_file_hashes(object, source, run));
  if (parl_json_get_type(trained) != PARL_JSON_BOOL)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: not a run: \"trained\" is not true or false",
                     source);
  run->scope = parl_json_get_bool(trained) ? PARL_SCOPE_RUN : PARL_SCOPE_BASELINE;
  if (parl_json_get_type(config) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: not a run: \"config\" is no object", source);
  parl_status s = parl_recipe_read_tree(config, false, &run->config);
  if (s == PARL_STATUS_OK) s = parl_recipe_check_across(&run->config);
  return parl_fail_context(s, "%s: run \"%s\"", source, run->name);
}

parl_status parl_run_read(const parl_json *object, const char *source, parl_run *out) {
  parl_run run = {0};
  const parl_json *version = parl_json_find(object, "run_version");
  const parl_json *params = parl_json_find(object, "env_params");
  if (parl_json_get_type(version) != PARL_JSON_NUMBER)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: not a run: it has no number \"run_version\"",
                     source);
  if (parl_json_get_number(version) != VERSION)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: a run of version %g; this parl reads %d", source,
                     parl_json_get_number(version), VERSION);
  if (params != NULL && parl_json_get_type(params) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: not a run: \"env_params\" is no object", source);
  parl_status s = read_members(object, source, &run);
  if (s == PARL_STATUS_OK && params != NULL) s = parl_json_copy(params, &run.env_params);
  if (s == PARL_STATUS_OK)
    *out = run;
  else
    parl_run_deinit(&run);
  return s;
}

/* --- use --- */

parl_status parl_run_open_env(const parl_run *run, const parl_script_host *scripts,
                              parl_env **out) {
  const parl_env_options options =
      parl_env_config_get_options(&run->config.env, run->config.model.vision.patch, scripts);
  parl_env *env = NULL;
  PARL_TRY(parl_env_create(run->env_path, run->env_params, &options, &env));
  const parl_status s = parl_script_check_hash(parl_env_get_spec(env), run->script_hash);
  if (s == PARL_STATUS_OK)
    *out = env;
  else
    parl_env_destroy(env);
  return s;
}

void parl_run_close_env(parl_env *env) {
  parl_env_destroy(env);
}

parl_status parl_run_append_preset_exceptions(const parl_env *env, parl_text *out) {
  parl_text own = {0};
  parl_env_append_preset_exceptions(env, &own);
  if (own.n > 0 && strstr(parl_text_get(out), parl_text_get(&own)) == NULL)
    parl_text_appendf(out, "%s%s", out->n > 0 ? "; " : "", parl_text_get(&own));
  out->failed |= own.failed;
  parl_text_deinit(&own);
  return parl_text_status(out);
}

parl_rollout_def parl_run_get_rollout(const parl_run *run, const parl_script_host *scripts,
                                      parl_workers *workers) {
  const parl_run_config *c = &run->config;
  return (parl_rollout_def){
      .env_path = run->env_path,
      .env_params = run->env_params,
      .script_hash = run->script_hash,
      .config = parl_run_config_get_swarm(c),
      .n_slots = (size_t)c->train.slots,
      .seats.subs = parl_player_of_script(c->agents.style, c->agents.reliability),
      .share_worlds = true,
      .scripts = scripts,
      .workers = workers};
}

parl_player parl_run_get_orchestrator(const parl_run *run, const parl_model *policy) {
  return parl_player_of_model(policy, (parl_cache_dtype)run->config.train.kv_cache, 1);
}
