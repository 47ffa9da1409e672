/* parl/run/run_models.c - the warm start's file, and what is checked before training. */
#include "parl/run/run_models.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "engine/checkpoint.h"
#include "parl/learn/warm_start.h"
#include "parl/run/origin.h"
#include "parl/run/pretrained.h"
#include "parl/run/subs.h"

enum { PATH_BYTES = 1024 };

parl_status parl_warm_start_path(const parl_run *run, const parl_env *env, char *out, size_t n) {
  parl_text canonical = {0};
  PARL_TRY(parl_run_append_canonical(run, env, PARL_SCOPE_WARM, &canonical));
  char hash[PARL_HASH_HEX_BYTES];
  parl_hash_bytes(parl_text_get(&canonical), canonical.n, hash);
  parl_text_deinit(&canonical);
  const int length = snprintf(out, n, "%s/checkpoints/warm-%.8s-s%lld.safetensors", run->folder,
                              hash, (long long)run->config.run.seed);
  if (length < 0 || (size_t)length >= n)
    return parl_fail(PARL_STATUS_EINVAL, "run.dir is too long: %s", run->folder);
  return PARL_STATUS_OK;
}

static parl_status create_model(const parl_run_config *config, const parl_env *env,
                                const atomic_int *stop, parl_model **out) {
  const parl_backend *backend;
  PARL_TRY(parl_recipe_get_backend(config, &backend));
  const parl_env_spec *spec = parl_env_get_spec(env);
  parl_model_config model = config->model;
  if (spec->vision.width > 0 && model.vision.media_token < 0) /* for whoever publishes it */
    model.vision.media_token = spec->vision.first_token + PARL_MEDIA_PAD;
  const parl_model_config *m = &model;
  return parl_fail_sizes(
      parl_model_create(m, (size_t)spec->n_tokens, backend, stop, out),
      "a model of model.n_layers = %lld, model.d_model = %lld, model.d_ff = %lld, "
      "model.max_context = %lld",
      (long long)m->n_layers, (long long)m->d_model, (long long)m->d_ff, (long long)m->max_context);
}

static parl_status load(const char *path, const char *vocab, parl_model *model,
                        parl_failures *failures) {
  parl_text progress = {0};
  parl_json *root = NULL;
  parl_status s = parl_checkpoint_load(path, model, NULL, vocab, &progress);
  if (s == PARL_STATUS_OK && progress.n > 0)
    s = parl_json_parse(parl_text_get(&progress), progress.n, path, &root);
  const parl_json *failed = parl_json_find(root, "failures");
  if (s == PARL_STATUS_OK && failed != NULL) s = parl_failures_read(failed, path, failures);
  parl_json_destroy(root);
  parl_text_deinit(&progress);
  return s;
}

static parl_status save(const char *path, const char *vocab, int64_t seed, parl_model *model,
                        const parl_failures *failures) {
  parl_text progress = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &progress, false);
  parl_json_begin_object(&w);
  parl_origin_write_warm(seed, &w);
  if (failures->n_failed > 0) {
    parl_json_key(&w, "failures");
    parl_failures_write(failures, &w);
  }
  parl_json_end_object(&w);
  parl_status s = parl_text_status(&progress);
  const parl_checkpoint_meta meta = {.vocab = vocab, .progress = parl_text_get(&progress)};
  if (s == PARL_STATUS_OK) s = parl_checkpoint_save(path, model, NULL, &meta, NULL);
  parl_text_deinit(&progress);
  return s;
}

/* Who stops says where by itself. */
static parl_status name_stage(parl_status s, const char *stage) {
  return s == PARL_STATUS_ESTOPPED ? s : parl_fail_context(s, "%s", stage);
}

static parl_status get(const parl_run *run, const parl_host *host, parl_workers *workers,
                       const parl_env *env, parl_model *model, parl_failures *failures) {
  const int64_t seed = run->config.run.seed;
  char path[PATH_BYTES], who[64];
  PARL_TRY(parl_warm_start_path(run, env, path, sizeof path));
  const char *vocab = parl_env_get_spec(env)->vocab_hash;
  if (parl_file_exists(path)) return load(path, vocab, model, failures);
  PARL_TRY(name_stage(parl_pretrained_get(run, host, workers, env, model),
                      run->config.pretrain.steps > 0 ? "pretraining" : "warm start"));
  const parl_rollout_def rollout = parl_run_get_rollout(run, host->scripts, workers);
  const parl_imitation_def imitation = {
      .rollout = &rollout, .warm = &run->config.warm, .seed = seed, .host = host, .model = model};
  PARL_TRY(name_stage(parl_warm_start_imitate(&imitation, failures), "warm start"));
  snprintf(who, sizeof who, "seed %lld", (long long)seed);
  parl_failures_warn(failures, host->log, who, PARL_PHASE_WARM_START);
  return save(path, vocab, seed, model, failures);
}

parl_status parl_run_advise(parl_status s) {
  static const char advice[] =
      "; lower run.threads (each has its own caches and activations), "
      "train.slice_rows, train.accumulators or the model; the same "
      "command goes on from the last checkpoint";
  char text[1024];
  const char *said = parl_error_text();
  if (s != PARL_STATUS_ENOMEM || strstr(said, "of the card's") == NULL) return s;
  if (strstr(said, advice) != NULL) return s;
  snprintf(text, sizeof text, "%s", said);
  return parl_fail(s, "%s%s", text, advice);
}

parl_status parl_warm_start_get(const parl_run *run, const parl_host *host, parl_workers *workers,
                                parl_failures *failures, parl_model **out) {
  parl_env *env = NULL;
  parl_model *model = NULL;
  parl_failures own = {0};
  PARL_TRY(parl_run_open_env(run, host->scripts, &env));
  parl_status s = create_model(&run->config, env, host->stop, &model);
  if (s == PARL_STATUS_OK) s = get(run, host, workers, env, model, &own);
  s = parl_run_advise(s);
  parl_env_destroy(env);
  if (s == PARL_STATUS_OK && failures != NULL) *failures = own;
  if (s == PARL_STATUS_OK && out != NULL)
    *out = model;
  else
    parl_model_destroy(model);
  return s;
}

static parl_status check_terms(const parl_run_config *config, parl_env *env) {
  parl_term_table *table = NULL;
  PARL_TRY(parl_term_table_create(config->weights, config->own_terms, &table));
  const parl_status s = parl_reward_check_env(&config->reward, table, env);
  parl_term_table_destroy(table);
  return s;
}

static parl_status check_abilities(const parl_run_config *config, parl_env *env) {
  parl_abilities abilities;
  PARL_TRY(parl_abilities_parse(config->train.abilities, &abilities));
  return parl_abilities_check(&abilities, env);
}

parl_status parl_run_check(const parl_run *run, const parl_recipe *recipe, parl_env *env) {
  parl_subs subs = {0};
  PARL_TRY(check_terms(&run->config, env));
  PARL_TRY(parl_recipe_check_env(recipe, &run->config, parl_env_get_spec(env)));
  PARL_TRY(check_abilities(&run->config, env));
  PARL_TRY(parl_pretrained_check(run, env));
  PARL_TRY(parl_subs_open(run, env, NULL, &subs));
  parl_subs_close(&subs);
  return PARL_STATUS_OK;
}
