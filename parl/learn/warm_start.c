/* parl/learn/warm_start.c - demonstrations, imitation, checkpoint. */
#include "parl/learn/warm_start.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "engine/checkpoint.h"
#include "parl/learn/learner.h"
#include "parl/run/origin.h"
#include "parl/swarm/context_policy.h"
#include "parl/swarm/rollout.h"
#include "parl/swarm/seeds.h"

/* The warm start has an optimizer of its own, so that arms that differ in theirs share it. */
enum {
  MAX_STYLES = PARL_ENV_MAX_STYLES,
  STYLE_BYTES = 64,
  PATH_BYTES = 1024,
  WARM_ACCUMULATORS = 4,
  WARM_SLICE_ROWS = 512
};

/* --- the mixture of experts --- */

typedef struct mixture {
  size_t n;
  char styles[MAX_STYLES][STYLE_BYTES];
  double upto[MAX_STYLES]; /* cumulative shares; the last is 1 */
} mixture;

static bool has_style(const parl_env_spec *spec, const char *style) {
  for (int i = 0; i < spec->n_styles; i++)
    if (strcmp(spec->styles[i], style) == 0) return true;
  return false;
}

/* "serial=0.8,narrow=0.2": shares are positive and are normalised by their sum. */
static parl_status parse_mixture(const char *text, const parl_env_spec *spec, mixture *out) {
  *out = (mixture){0};
  double sum = 0;
  for (const char *at = text; *at != '\0';) {
    char style[STYLE_BYTES], tail;
    double share;
    char item[STYLE_BYTES * 2];
    const size_t n = strcspn(at, ",");
    if (n >= sizeof item || out->n == MAX_STYLES)
      return parl_fail(PARL_STATUS_EINVAL, "warm.mix = \"%s\": at most %d styles", text,
                       MAX_STYLES);
    memcpy(item, at, n);
    item[n] = '\0';
    if (sscanf(item, " %63[a-z0-9_] = %lf %c", style, &share, &tail) != 2 || !(share > 0) ||
        !(share <= 1e9))
      return parl_fail(PARL_STATUS_EINVAL,
                       "warm.mix = \"%s\": \"%s\" is not style=share with a positive share", text,
                       item);
    if (!has_style(spec, style)) {
      const char *near = parl_nearest(style, spec->styles, (size_t)spec->n_styles);
      return parl_fail(PARL_STATUS_EINVAL, "warm.mix: %s has no expert style \"%s\"%s%s%s",
                       spec->name, style, near ? "; did you mean \"" : "", near ? near : "",
                       near ? "\"?" : "");
    }
    memcpy(out->styles[out->n], style, sizeof style);
    sum += share;
    out->upto[out->n++] = sum;
    at += n + (at[n] == ',');
  }
  if (out->n == 0) return parl_fail(PARL_STATUS_EINVAL, "warm.mix is empty");
  for (size_t i = 0; i < out->n; i++) out->upto[i] /= sum;
  out->upto[out->n - 1] = 1.0;
  return PARL_STATUS_OK;
}

parl_status parl_warm_start_check(const parl_run_config *config, const parl_env_spec *spec) {
  mixture mix;
  return parse_mixture(config->warm.mix, spec, &mix);
}

static const char *draw_style(const mixture *m, uint64_t seed, int64_t step, size_t i) {
  const double u = (double)parl_seed(seed, PARL_PURPOSE_DEMO_STYLE, (uint64_t)step, i) * 0x1p-53;
  size_t k = 0;
  while (u >= m->upto[k]) k++;
  return m->styles[k];
}

/* --- imitation --- */

typedef struct imitation {
  const parl_host *host;
  const parl_run_config *config;
  parl_workers *workers;
  mixture mix;
  parl_rollout *rollout;
  parl_trajectories *trajectories;
  parl_job *jobs;
  parl_learner *learner;
  parl_failures failures;
} imitation;

static parl_status imitation_init(imitation *im, const parl_run_config *config, parl_model *model) {
  /* Demonstrations are whole: no budget cuts a serial one short. */
  parl_run_config demo = *config;
  demo.episode.budget_factor = 0;
  demo.episode.budget_steps = 0;
  const size_t n = (size_t)config->warm.episodes;
  PARL_TRY(parl_rollout_create(
      &(parl_rollout_def){.env_path = parl_recipe_get_env_path(im->host->recipe),
                          .share_worlds = true,
                          .env_params = parl_recipe_get_env_params(im->host->recipe),
                          .scripts = im->host->scripts,
                          .config = &demo,
                          .reliability = 1.0,
                          .n_slots = n < 64 ? n : 64,
                          .workers = im->workers},
      &im->rollout));
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(im->rollout));
  PARL_TRY(parse_mixture(config->warm.mix, spec, &im->mix));
  const size_t max_subs = (size_t)spec->limits.max_width;
  const int32_t n_words = (spec->n_tokens + 63) / 64;
  const size_t max_mains = parl_episode_max_mains(&config->episode);
  PARL_TRY(
      parl_trajectories_create(&(parl_trajectories_def){.n = n,
                                                        .max_mains = max_mains,
                                                        .context = spec->limits.context,
                                                        .max_subs = max_subs,
                                                        .sub_context = spec->limits.sub_context,
                                                        .n_words = n_words},
                               &im->trajectories));
  im->jobs = calloc(n, sizeof *im->jobs);
  if (im->jobs == NULL) return parl_fail(PARL_STATUS_ENOMEM, "warm start: no memory");
  const int longest = spec->limits.context > spec->limits.sub_context ? spec->limits.context
                                                                      : spec->limits.sub_context;
  const parl_optimizer_config optimizer = {
      .lr = config->warm.lr, .warmup = 10, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .clip = 1.0};
  return parl_learner_create(&(parl_learner_def){.model = model,
                                                 .workers = im->workers,
                                                 .optimizer = &optimizer,
                                                 .accumulators = WARM_ACCUMULATORS,
                                                 .slice_rows = WARM_SLICE_ROWS,
                                                 .max_sequences = n * (max_mains + max_subs),
                                                 .longest = (size_t)longest,
                                                 .n_words = (size_t)n_words,
                                                 .temperature = 1.0,
                                                 .stop = im->host->stop},
                             &im->learner);
}

static void imitation_deinit(imitation *im) {
  parl_learner_destroy(im->learner);
  parl_trajectories_destroy(im->trajectories);
  parl_rollout_destroy(im->rollout);
  free(im->jobs);
}

static parl_status imitation_step(imitation *im, int64_t step) {
  const uint64_t seed = (uint64_t)im->config->run.seed;
  const size_t n = (size_t)im->config->warm.episodes;
  for (size_t i = 0; i < n; i++)
    im->jobs[i] =
        (parl_job){.task_seed = parl_seed(seed, PARL_PURPOSE_DEMO_TASK, (uint64_t)step, i),
                   .episode_seed = parl_seed(seed, PARL_PURPOSE_DEMO_EPISODE, (uint64_t)step, i),
                   .style = draw_style(&im->mix, seed, step, i),
                   .part = PARL_PART_TRAIN,
                   .out = parl_trajectories_get(im->trajectories, i)};
  PARL_TRY(parl_rollout_run(im->rollout, im->jobs, n, NULL));
  parl_failures_add(&im->failures, im->rollout);
  PARL_TRY(parl_failures_check(&im->failures, im->config->env.max_failures, PARL_PHASE_WARM_START,
                               step + 1 == im->config->warm.steps));
  parl_batch *batch = parl_learner_get_batch(im->learner);
  parl_batch_reset(batch);
  for (size_t i = 0; i < n; i++) {
    const parl_trajectory *t = im->jobs[i].out;
    if (t->failed) continue;
    parl_batch_add_mains(batch, t, i, 1.0f);
    for (size_t k = 0; k < t->n_subs; k++) parl_batch_add(batch, &t->subs[k], i, 1.0f);
  }
  parl_learner_info info;
  PARL_TRY(parl_learner_step(im->learner, &info));
  if (im->host->progress != NULL && info.sums.n_tokens > 0)
    im->host->progress(im->host->context, &(parl_progress){.phase = "warm start",
                                                           .arm = "",
                                                           .seed = im->config->run.seed,
                                                           .done = step + 1,
                                                           .n = im->config->warm.steps,
                                                           .r_perf = NAN,
                                                           .critical_steps = NAN,
                                                           .launch_rate = NAN});
  return PARL_STATUS_OK;
}

static parl_status imitate(const parl_host *host, const parl_run_config *config,
                           parl_workers *workers, parl_model *model, parl_failures *failures) {
  imitation im = {.host = host, .config = config, .workers = workers};
  parl_status s =
      parl_fail_sizes(imitation_init(&im, config, model),
                      "the warm start of warm.episodes = %lld demonstrations in contexts of "
                      "limits.context (model.max_context = %lld)",
                      (long long)config->warm.episodes, (long long)config->model.max_context);
  for (int64_t step = 0; s == PARL_STATUS_OK && step < config->warm.steps; step++) {
    s = parl_host_is_stopped(host)
            ? parl_fail(PARL_STATUS_ESTOPPED, "stopped during the warm start of seed %lld",
                        (long long)config->run.seed)
            : imitation_step(&im, step);
  }
  imitation_deinit(&im);
  *failures = im.failures;
  return s;
}

/* --- the checkpoint --- */

parl_status parl_warm_start_path(const parl_host *host, const parl_run_config *config,
                                 const parl_env *env, char *out, size_t n) {
  parl_text canonical = {0};
  PARL_TRY(parl_recipe_append_canonical(host->recipe, config, env, PARL_SCOPE_WARM, &canonical));
  char hash[PARL_HASH_HEX_BYTES];
  parl_hash_bytes(parl_text_get(&canonical), canonical.n, hash);
  parl_text_deinit(&canonical);
  const int length =
      snprintf(out, n, "%s/checkpoints/warm-%.8s-s%lld.safetensors",
               parl_recipe_get_folder(host->recipe), hash, (long long)config->run.seed);
  if (length < 0 || (size_t)length >= n)
    return parl_fail(PARL_STATUS_EINVAL, "run.dir is too long: %s",
                     parl_recipe_get_folder(host->recipe));
  return PARL_STATUS_OK;
}

static parl_status create_model(const parl_run_config *config, const parl_env *env,
                                parl_model **out) {
  const parl_backend *backend;
  PARL_TRY(parl_recipe_get_backend(config, &backend));
  const parl_model_config *m = &config->model;
  return parl_fail_sizes(
      parl_model_create(m, (size_t)parl_env_get_spec(env)->n_tokens, backend, out),
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
  const parl_checkpoint_meta meta = {vocab, parl_text_get(&progress)};
  if (s == PARL_STATUS_OK) s = parl_checkpoint_save(path, model, NULL, &meta, NULL);
  parl_text_deinit(&progress);
  return s;
}

static parl_status get(const parl_host *host, const parl_run_config *config, parl_workers *workers,
                       const parl_env *env, parl_model *model, parl_failures *failures) {
  char path[PATH_BYTES], who[64];
  PARL_TRY(parl_warm_start_path(host, config, env, path, sizeof path));
  const char *vocab = parl_env_get_spec(env)->vocab_hash;
  if (parl_file_exists(path)) return load(path, vocab, model, failures);
  parl_model_init_weights(model, parl_seed((uint64_t)config->run.seed, PARL_PURPOSE_INIT, 0, 0));
  PARL_TRY(imitate(host, config, workers, model, failures));
  snprintf(who, sizeof who, "seed %lld", (long long)config->run.seed);
  parl_failures_warn(failures, host->log, who, PARL_PHASE_WARM_START);
  return save(path, vocab, config->run.seed, model, failures);
}

parl_status parl_warm_start_get(const parl_host *host, const parl_run_config *config,
                                parl_workers *workers, parl_failures *failures, parl_model **out) {
  parl_env *env = NULL;
  parl_model *model = NULL;
  parl_failures own = {0};
  PARL_TRY(parl_recipe_open_env(host->recipe, &config->env, host->scripts, &env));
  parl_status s = create_model(config, env, &model);
  if (s == PARL_STATUS_OK) s = get(host, config, workers, env, model, &own);
  parl_env_destroy(env);
  if (s != PARL_STATUS_OK) {
    parl_model_destroy(model);
    return s;
  }
  if (failures != NULL) *failures = own;
  *out = model;
  return PARL_STATUS_OK;
}

parl_status parl_sub_policy_get(const parl_host *host, const parl_run_config *config,
                                const parl_env *env, parl_model *warm, parl_model **out,
                                bool *owned) {
  (void)host;
  *owned = false;
  if (config->agents.subs == PARL_SUBS_SCRIPTED) {
    *out = NULL;
    return PARL_STATUS_OK;
  }
  if (config->agents.checkpoint[0] == '\0') {
    *out = warm;
    return PARL_STATUS_OK;
  }
  parl_model *model = NULL;
  PARL_TRY(create_model(config, env, &model));
  const parl_status s = parl_checkpoint_load(config->agents.checkpoint, model, NULL,
                                             parl_env_get_spec(env)->vocab_hash, NULL);
  if (s != PARL_STATUS_OK) {
    parl_model_destroy(model);
    return parl_fail_context(s, "agents.checkpoint");
  }
  *out = model;
  *owned = true;
  return PARL_STATUS_OK;
}
