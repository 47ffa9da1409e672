/* parl/run/pretrained.c - the pretrained model's file: made, gone on with, read. */
#include "parl/run/pretrained.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/seeds.h"
#include "engine/checkpoint.h"
#include "parl/run/run_files.h"

enum { PATH_BYTES = 1024 };

typedef struct work {
  const parl_run *run;
  const parl_host *host;
  const parl_env *env;
  parl_model *model;
  parl_pretrainer *p;
  char path[PATH_BYTES], part[PATH_BYTES]; /* of the whole; of what is under way */
} work;

static parl_status get_path(const parl_run *run, const parl_env *env, const char *suffix,
                            char out[PATH_BYTES]) {
  parl_text canonical = {0};
  char hash[PARL_HASH_HEX_BYTES];
  PARL_TRY(parl_run_append_canonical(run, env, PARL_SCOPE_PRETRAIN, &canonical));
  parl_hash_bytes(parl_text_get(&canonical), canonical.n, hash);
  parl_text_deinit(&canonical);
  const int n = snprintf(out, PATH_BYTES, "%s/checkpoints/pretrain-%.8s-s%lld%s.safetensors",
                         run->folder, hash, (long long)run->config.run.seed, suffix);
  if (n > 0 && n < PATH_BYTES) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "run.dir is too long: %s", run->folder);
}

parl_status parl_pretrained_get_path(const parl_run *run, const parl_env *env, char *out,
                                     size_t n) {
  char path[PATH_BYTES] = "";
  if (run->config.pretrain.steps > 0) PARL_TRY(get_path(run, env, "", path));
  if (strlen(path) >= n) return parl_fail(PARL_STATUS_EINVAL, "run.dir is too long: %s", path);
  memcpy(out, path, strlen(path) + 1);
  return PARL_STATUS_OK;
}

parl_feed_def parl_run_get_feed(const parl_run *run, const parl_env *env,
                                const parl_script_host *scripts, parl_env_options *options,
                                parl_workers *workers) {
  const parl_run_config *c = &run->config;
  *options = parl_env_config_get_options(&c->env, c->model.vision.patch, scripts);
  return (parl_feed_def){.sources = &c->sources,
                         .env = env,
                         .options = options,
                         .steps = c->pretrain.steps,
                         .batch_tokens = (size_t)c->pretrain.batch_tokens,
                         .max_tokens = parl_run_get_longest_document(run),
                         .seed = (uint64_t)c->run.seed,
                         .held_out_seed = (uint64_t)c->eval.seed,
                         .split_seed = (uint64_t)c->env.holdout_seed,
                         .workers = workers};
}

size_t parl_run_get_longest_document(const parl_run *run) {
  const int64_t context = run->config.model.max_context, room = run->config.pretrain.batch_tokens;
  return (size_t)(context < room ? context : room);
}

/* --- the file --- */

static parl_status save(const work *w, bool is_done) {
  parl_text progress = {0};
  parl_json_writer json;
  parl_json_writer_init(&json, &progress, false);
  parl_json_begin_object(&json);
  parl_json_key(&json, "seed");
  parl_json_integer(&json, w->run->config.run.seed);
  parl_pretrainer_write_state(w->p, &json);
  parl_json_end_object(&json);
  parl_status s = parl_text_status(&progress);
  const parl_checkpoint_meta meta = {.vocab = parl_env_get_spec(w->env)->vocab_hash,
                                     .progress = parl_text_get(&progress)};
  parl_optimizer *optimizer = is_done ? NULL : parl_pretrainer_get_optimizer(w->p);
  const char *path = is_done ? w->path : w->part;
  if (s == PARL_STATUS_OK) s = parl_checkpoint_save(path, w->model, optimizer, &meta, NULL);
  if (s == PARL_STATUS_OK && is_done) (void)remove(w->part);
  parl_text_deinit(&progress);
  return s;
}

static parl_status parse(const char *path, const char *progress, parl_json **out) {
  if (progress == NULL || progress[0] == '\0')
    return parl_fail(PARL_STATUS_EFORMAT, "%s: it does not say how far the pretraining is", path);
  return parl_json_parse(progress, strlen(progress), path, out);
}

/* Goes on from what was saved on the way: all that a step depends on. */
static parl_status go_on(const work *w) {
  parl_text progress = {0};
  parl_json *root = NULL;
  parl_status s = parl_checkpoint_load(w->part, w->model, parl_pretrainer_get_optimizer(w->p),
                                       parl_env_get_spec(w->env)->vocab_hash, &progress);
  if (s == PARL_STATUS_OK) s = parse(w->part, parl_text_get(&progress), &root);
  if (s == PARL_STATUS_OK) s = parl_pretrainer_read_state(w->p, root, w->part);
  parl_json_destroy(root);
  parl_text_deinit(&progress);
  return s;
}

/* --- making it --- */

static parl_status say_beginning(parl_status s, const parl_run *run, const parl_beginning *begin) {
  return parl_fail_context(s, "%s: the model cannot begin as \"%s\" in the words of %s",
                           begin->field, begin->path, run->env_path);
}

parl_status parl_pretrained_check(const parl_run *run, const parl_env *env) {
  const char *vocab = parl_env_get_spec(env)->vocab_hash;
  parl_beginning begin;
  PARL_TRY(parl_run_get_beginning(run, &begin));
  if (begin.path[0] == '\0') return PARL_STATUS_OK;
  return say_beginning(
      parl_checkpoint_check(begin.path, run->init_hash, vocab, &run->config.model, begin.extends),
      run, &begin);
}

static parl_status load_beginning(const work *w, const parl_beginning *begin) {
  const char *vocab = parl_env_get_spec(w->env)->vocab_hash, *hash = w->run->init_hash;
  const parl_status s = begin->extends
                            ? parl_checkpoint_load_extension(begin->path, hash, vocab, w->model)
                            : parl_checkpoint_load_exact(begin->path, hash, vocab, w->model);
  return say_beginning(s, w->run, begin);
}

/* Of the file the tower alone: of the others the weights are those that were drawn [n_params]. */
static parl_status load_tower(const work *w, const parl_beginning *begin, float *drawn) {
  size_t n;
  const parl_model_tensor *t = parl_model_get_tensors(w->model, &n);
  PARL_TRY(parl_model_read(w->model, 0, parl_model_get_n_params(w->model), drawn));
  PARL_TRY(load_beginning(w, begin));
  for (size_t i = 0; i < n; i++)
    if (!parl_model_tensor_is_tower(&t[i]))
      PARL_TRY(parl_model_write(w->model, t[i].offset, t[i].n, drawn + t[i].offset));
  return parl_model_refresh(w->model);
}

static parl_status draw_or_begin(const work *w) {
  const parl_run_config *c = &w->run->config;
  const bool is_part = c->pretrain.init_part == PARL_INIT_TOWER;
  parl_beginning begin;
  PARL_TRY(parl_run_get_beginning(w->run, &begin));
  if (begin.path[0] != '\0' && !is_part) return load_beginning(w, &begin);
  PARL_TRY(
      parl_model_init_weights(w->model, parl_seed((uint64_t)c->run.seed, PARL_PURPOSE_INIT, 0, 0)));
  if (!is_part) return PARL_STATUS_OK;
  float *drawn = malloc((parl_model_get_n_params(w->model) + 1) * sizeof *drawn);
  if (drawn == NULL) return parl_fail(PARL_STATUS_ENOMEM, "pretrain.init: no memory");
  const parl_status s = load_tower(w, &begin, drawn);
  free(drawn);
  return s;
}

static void report(const work *w) {
  const parl_host *host = w->host;
  if (host->progress == NULL) return;
  host->progress(host->context, &(parl_progress){.phase = "pretrain",
                                                 .arm = "",
                                                 .seed = w->run->config.run.seed,
                                                 .done = parl_pretrainer_get_step(w->p),
                                                 .n = w->run->config.pretrain.steps,
                                                 .r_perf = (double)NAN,
                                                 .critical_steps = (double)NAN,
                                                 .launch_rate = (double)NAN});
}

static parl_status stop(const work *w) {
  PARL_TRY(save(w, false));
  return parl_fail(PARL_STATUS_ESTOPPED, "stopped after pretraining step %lld of seed %lld",
                   (long long)parl_pretrainer_get_step(w->p), (long long)w->run->config.run.seed);
}

static parl_status train(const work *w) {
  const int64_t steps = w->run->config.pretrain.steps;
  while (parl_pretrainer_get_step(w->p) < steps) {
    if (parl_host_is_stopped(w->host)) return stop(w);
    PARL_TRY(parl_pretrainer_step(w->p));
    report(w);
    const int64_t step = parl_pretrainer_get_step(w->p);
    if (step % w->run->config.run.checkpoint_every == 0 && step < steps) PARL_TRY(save(w, false));
  }
  return save(w, true);
}

/* Sources are those of parl_run_fix_files. */
static parl_status check_sources(const work *w, const parl_feed *feed) {
  for (size_t i = 0; i < parl_feed_get_n_sources(feed); i++) {
    const char *due = w->run->source_hashes[i];
    const char *hash = parl_source_get_hash(parl_feed_get_source(feed, i));
    if (due[0] == '\0' || strcmp(due, hash) == 0) continue;
    return parl_fail(
        PARL_STATUS_EFORMAT,
        "sources.%s: what it reads changed after this run was planned: its SHA-256 was "
        "%.12s... and is %.12s...",
        parl_feed_get_name(feed, i), due, hash);
  }
  return PARL_STATUS_OK;
}

static parl_status make(work *w, parl_workers *workers) {
  parl_env_options options;
  const parl_pretrainer_def def = {
      .config = &w->run->config.pretrain,
      .feed = parl_run_get_feed(w->run, w->env, w->host->scripts, &options, workers),
      .model = w->model};
  parl_status s = parl_fail_sizes(
      parl_pretrainer_create(&def, &w->p),
      "pretraining with pretrain.batch_tokens = %lld in contexts of model.max_context = %lld",
      (long long)def.config->batch_tokens, (long long)w->run->config.model.max_context);
  if (s == PARL_STATUS_OK) s = check_sources(w, parl_pretrainer_get_feed(w->p));
  if (s == PARL_STATUS_OK) s = parl_file_exists(w->part) ? go_on(w) : draw_or_begin(w);
  if (s == PARL_STATUS_OK) s = train(w);
  parl_pretrainer_destroy(w->p);
  return s;
}

parl_status parl_pretrained_get(const parl_run *run, const parl_host *host, parl_workers *workers,
                                const parl_env *env, parl_model *model) {
  work w = {.run = run, .host = host, .env = env, .model = model};
  if (run->config.pretrain.steps == 0) return draw_or_begin(&w);
  PARL_TRY(get_path(run, env, "", w.path));
  PARL_TRY(get_path(run, env, ".part", w.part));
  if (!parl_file_exists(w.path)) return make(&w, workers);
  return parl_checkpoint_load(w.path, model, NULL, parl_env_get_spec(env)->vocab_hash, NULL);
}

parl_status parl_pretrained_read_rows(const parl_run *run, const parl_env *env,
                                      parl_pretrain_rows *out) {
  char path[PATH_BYTES];
  parl_safetensors *file = NULL;
  parl_json *root = NULL;
  if (run->config.pretrain.steps == 0) return PARL_STATUS_OK;
  PARL_TRY(get_path(run, env, "", path));
  PARL_TRY(parl_safetensors_open(path, &file));
  parl_status s = parse(path, parl_safetensors_get_metadata(file, "progress"), &root);
  if (s == PARL_STATUS_OK) s = parl_pretrain_rows_read(root, path, out);
  parl_json_destroy(root);
  parl_safetensors_close(file);
  return s;
}
