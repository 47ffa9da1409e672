/* parl/trainer.c - the life of a run: identity, resume, updates, checkpoints, evaluation, hash. */
#include "parl/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/build_info.h"
#include "core/file.h"
#include "engine/checkpoint.h"
#include "parl/evaluator.h"
#include "parl/trainer_internal.h"

/* --- identity --- */

static parl_status get_uid(const parl_host *host, const parl_run_config *config,
                           const parl_env *env, const char *arm, parl_scope scope,
                           parl_text *canonical, char uid[PARL_HASH_HEX_BYTES]) {
  PARL_TRY(parl_recipe_append_canonical(host->recipe, config, env, scope, canonical));
  parl_hash h;
  parl_hash_init(&h);
  parl_hash_update(&h, parl_text_get(canonical), canonical->n);
  parl_hash_update(&h, arm, strlen(arm) + 1);
  parl_hash_finish(&h, uid);
  return PARL_STATUS_OK;
}

/* Appends the paths of leaves that are not the same in both: ", train.updates, script". */
static void append_differences(const parl_json *a, const parl_json *b, const char *prefix,
                               parl_text *out) {
  parl_text path = {0}, x = {0}, y = {0};
  for (const parl_json *c = parl_json_get_first(a); c != NULL; c = parl_json_get_next(c)) {
    const parl_json *other = parl_json_find(b, parl_json_get_key(c));
    parl_text_clear(&path);
    parl_text_appendf(&path, "%s%s", prefix, parl_json_get_key(c));
    if (parl_json_get_type(c) == PARL_JSON_OBJECT) {
      parl_text_append(&path, ".");
      append_differences(c, other, parl_text_get(&path), out);
      continue;
    }
    parl_text_clear(&x);
    parl_text_clear(&y);
    parl_json_append_canonical(c, &x);
    if (other != NULL) parl_json_append_canonical(other, &y);
    if (strcmp(parl_text_get(&x), parl_text_get(&y)) != 0)
      parl_text_appendf(out, ", %s", parl_text_get(&path));
  }
  parl_text_deinit(&path);
  parl_text_deinit(&x);
  parl_text_deinit(&y);
}

typedef struct conflict {
  const char *arm, *uid, *config; /* config: canonical */
  int64_t seed;
  bool found;
  parl_text fields; /* that differ */
} conflict;

static parl_status find_conflict(void *context, int64_t run_id, const parl_store_run *run) {
  (void)run_id;
  conflict *c = context;
  if (c->found || run->seed != c->seed || strcmp(run->arm, c->arm) != 0 ||
      strcmp(run->uid, c->uid) == 0)
    return PARL_STATUS_OK;
  parl_json *mine = NULL, *theirs = NULL;
  c->found = true;
  parl_status s = parl_json_parse(c->config, strlen(c->config), "the configuration", &mine);
  if (s == PARL_STATUS_OK)
    s = parl_json_parse(run->config, strlen(run->config), "the stored configuration", &theirs);
  if (s == PARL_STATUS_OK) append_differences(mine, theirs, "", &c->fields);
  parl_json_destroy(mine);
  parl_json_destroy(theirs);
  return s;
}

/* A folder holds one configuration of an arm and seed: another one is refused, never mixed in. */
static parl_status refuse_conflict(parl_store *store, const parl_host *host, const char *arm,
                                   int64_t seed, const char *uid, const parl_text *canonical) {
  conflict c = {.arm = arm, .uid = uid, .config = parl_text_get(canonical), .seed = seed};
  parl_status s = parl_store_visit_runs(store, find_conflict, &c);
  if (s == PARL_STATUS_OK && c.found)
    s = parl_fail(PARL_STATUS_EINVAL,
                  "%s holds arm \"%s\" with seed %lld of another configuration or environment "
                  "script%s%s; nothing is overwritten: name another folder with --set run.dir=...",
                  parl_recipe_get_folder(host->recipe), arm, (long long)seed,
                  c.fields.n > 0 ? ", in " : "",
                  c.fields.n > 0 ? parl_text_get(&c.fields) + 2 : "");
  parl_text_deinit(&c.fields);
  return s;
}

static void append_host(const parl_trainer *t, const parl_run_config *config, parl_text *out) {
  struct utsname u;
  const parl_backend *backend;
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "revision");
  parl_json_string(&w, parl_build_revision());
  parl_json_key(&w, "compiler");
  parl_json_string(&w, parl_build_compiler());
  parl_json_key(&w, "flags");
  parl_json_string(&w, parl_build_flags());
  if (parl_recipe_get_backend(config, &backend) == PARL_STATUS_OK) {
    parl_json_key(&w, "instructions");
    parl_json_string(&w, backend->instructions);
    parl_json_key(&w, "dtype");
    parl_json_string(&w, backend->dtype);
  }
  if (uname(&u) == 0) {
    parl_json_key(&w, "system");
    parl_json_string(&w, u.release);
    parl_json_key(&w, "machine");
    parl_json_string(&w, u.machine);
  }
  parl_json_key(&w, "threads");
  parl_json_integer(&w, (int64_t)parl_workers_get_count(t->workers));
  parl_json_end_object(&w);
}

static parl_status put_run(parl_trainer *t, const char *canonical, const char *status,
                           const char *hash) {
  parl_text host = {0};
  append_host(t, t->config, &host);
  parl_store_run run = {.recipe = parl_recipe_get_name(t->host->recipe),
                        .arm = t->arm,
                        .seed = t->config->run.seed,
                        .config = canonical,
                        .status = status,
                        .host = parl_text_get(&host),
                        .revision = parl_build_revision()};
  memcpy(run.uid, t->uid, sizeof run.uid);
  snprintf(run.hash, sizeof run.hash, "%s", hash);
  parl_status s = parl_store_begin(t->store);
  if (s == PARL_STATUS_OK) s = parl_store_put_run(t->store, &run, &t->run_id);
  s = parl_store_end(t->store, s);
  parl_text_deinit(&host);
  return s;
}

/* --- checkpoint --- */

static parl_status append_progress(const parl_trainer *t, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "uid");
  parl_json_string(&w, t->uid);
  parl_json_key(&w, "update");
  parl_json_integer(&w, t->update);
  parl_json_key(&w, "lambda1");
  parl_json_number(&w, parl_schedule_get_state(t->lambda1));
  parl_json_key(&w, "lambda2");
  parl_json_number(&w, parl_schedule_get_state(t->lambda2));
  parl_json_key(&w, "metrics");
  parl_json_begin_array(&w);
  for (int i = 0; i < PARL_N_METRICS; i++)
    parl_json_number(&w, parl_metrics_get_values(&t->metrics)[i]);
  parl_json_end_array(&w);
  parl_json_end_object(&w);
  return parl_text_status(out);
}

static parl_status save(parl_trainer *t) {
  parl_text progress = {0};
  char sha[PARL_HASH_HEX_BYTES];
  parl_status s = append_progress(t, &progress);
  const parl_checkpoint_meta meta = {parl_env_get_spec(t->env)->vocab_hash,
                                     parl_text_get(&progress)};
  if (s == PARL_STATUS_OK)
    s = parl_checkpoint_save(t->checkpoint_path, t->model, parl_learner_get_optimizer(t->learner),
                             &meta, sha);
  parl_text_deinit(&progress);
  PARL_TRY(s);
  PARL_TRY(parl_store_begin(t->store));
  s = parl_store_put_checkpoint(t->store, t->run_id, t->update, t->checkpoint_path, sha);
  return parl_store_end(t->store, s);
}

static parl_status read_progress(parl_trainer *t, const parl_json *root) {
  const char *uid = parl_json_get_string(parl_json_find(root, "uid"));
  const parl_json *metrics = parl_json_find(root, "metrics");
  const parl_json *update = parl_json_find(root, "update");
  if (uid == NULL || strcmp(uid, t->uid) != 0)
    return parl_fail(PARL_STATUS_EFORMAT, "%s belongs to another run; move it away",
                     t->checkpoint_path);
  if (metrics == NULL || parl_json_get_size(metrics) != PARL_N_METRICS || update == NULL)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: its progress is of another version of parl",
                     t->checkpoint_path);
  t->update = (int64_t)parl_json_get_number(update);
  parl_schedule_set_state(t->lambda1, parl_json_get_number(parl_json_find(root, "lambda1")));
  parl_schedule_set_state(t->lambda2, parl_json_get_number(parl_json_find(root, "lambda2")));
  double *values = (double *)(void *)&t->metrics;
  for (const parl_json *v = parl_json_get_first(metrics); v != NULL; v = parl_json_get_next(v))
    *values++ = parl_json_get_type(v) == PARL_JSON_NUMBER ? parl_json_get_number(v) : (double)NAN;
  return PARL_STATUS_OK;
}

/* Continues from the checkpoint if there is one; drops what was stored after it. */
static parl_status resume(parl_trainer *t) {
  if (parl_file_exists(t->checkpoint_path)) {
    parl_text progress = {0};
    parl_json *root = NULL;
    parl_status s =
        parl_checkpoint_load(t->checkpoint_path, t->model, parl_learner_get_optimizer(t->learner),
                             parl_env_get_spec(t->env)->vocab_hash, &progress);
    if (s == PARL_STATUS_OK)
      s = parl_json_parse(parl_text_get(&progress), progress.n, t->checkpoint_path, &root);
    if (s == PARL_STATUS_OK) s = read_progress(t, root);
    parl_json_destroy(root);
    parl_text_deinit(&progress);
    PARL_TRY(s);
  }
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = parl_store_delete_after(t->store, t->run_id, t->update - 1);
  return parl_store_end(t->store, s);
}

/* --- the forecast --- */

static parl_status put_forecast(parl_trainer *t) {
  const parl_forecast *f = &t->forecast;
  const int says = parl_forecast_says_launch(f, t->config->lambda1.start, t->config->lambda2.start);
  const struct {
    const char *key;
    double value;
  } rows[] = {{"warm/launch_rate", f->launch_rate},
              {"warm/max_width", f->max_width},
              {"warm/r_perf", f->r_perf},
              {"warm/r_perf_launch", f->r_perf_launch},
              {"warm/r_perf_alone", f->r_perf_alone},
              {"warm/sub_finish_rate", f->sub_finish_rate},
              {"warm/sub_useful_rate", f->sub_useful_rate},
              {"warm/end_finish", f->end[PARL_END_FINISH]},
              {"warm/end_budget", f->end[PARL_END_BUDGET]},
              {"warm/end_context", f->end[PARL_END_CONTEXT]},
              {"forecast/gap", f->gap},
              {"forecast/lambda_star", f->lambda_star},
              {"forecast/says_launch", says < 0 ? (double)NAN : (double)says}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    PARL_TRY(parl_store_put_metric(t->store, t->run_id, 0, rows[i].key, rows[i].value));
  return PARL_STATUS_OK;
}

static parl_status make_forecast(parl_trainer *t) {
  if (t->config->warm.probe == 0) return PARL_STATUS_OK;
  PARL_TRY(
      parl_forecast_make(t->host, t->config, t->warm, t->sub_policy, t->workers, &t->forecast));
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = put_forecast(t);
  s = parl_store_end(t->store, s);
  const parl_forecast *f = &t->forecast;
  parl_log_write(
      t->host->log, PARL_LOG_INFO,
      "%s seed %lld: warm start r_perf %.3f, launches in %.0f%% of episodes (width %.1f), "
      "sub-agents finish %.0f%%; alone %.3f, with a launch %.3f, lambda* %.3f",
      t->arm, (long long)t->config->run.seed, f->r_perf, 100 * f->launch_rate, f->max_width,
      100 * f->sub_finish_rate, f->r_perf_alone, f->r_perf_launch, f->lambda_star);
  return s;
}

/* --- training --- */

static parl_status store_update(parl_trainer *t) {
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = parl_metrics_put(t->store, t->run_id, t->update - 1, &t->metrics);
  return parl_store_end(t->store, s);
}

static void report_progress(const parl_trainer *t, const char *phase) {
  if (t->host->progress == NULL) return;
  t->host->progress(t->host->context, &(parl_progress){.phase = phase,
                                                       .arm = t->arm,
                                                       .seed = t->config->run.seed,
                                                       .done = t->update,
                                                       .n = t->config->train.updates,
                                                       .r_perf = t->metrics.perf,
                                                       .critical_steps = t->metrics.critical_steps,
                                                       .launch_rate = t->metrics.launch_rate});
}

static void warn_of_normalisation(const parl_trainer *t) {
  const parl_advantage_mode mode = (parl_advantage_mode)t->config->objective.advantage;
  const bool shaped = t->config->lambda1.start > 0 || t->config->lambda2.start > 0;
  if (shaped && parl_advantage_cancels_lambda(mode))
    parl_log_write(t->host->log, PARL_LOG_WARNING,
                   "%s: objective.advantage divides by the standard deviation, which cancels a "
                   "common scale of lambda in groups where r_perf does not vary: annealing does "
                   "nothing there until lambda is exactly 0",
                   t->arm);
}

static parl_status train_loop(parl_trainer *t) {
  const int64_t every = t->config->run.checkpoint_every;
  while (t->update < t->config->train.updates) {
    if (parl_host_is_stopped(t->host)) {
      PARL_TRY(save(t));
      return parl_fail(PARL_STATUS_ESTOPPED, "stopped after update %lld of arm \"%s\", seed %lld",
                       (long long)t->update, t->arm, (long long)t->config->run.seed);
    }
    PARL_TRY(parl_trainer_update(t));
    PARL_TRY(store_update(t));
    t->result->updates++;
    t->result->train_s += t->metrics.learn_s;
    t->result->decode_s += t->metrics.decode_s;
    t->result->train_tokens += t->metrics.train_tokens;
    t->result->decode_tokens += t->metrics.decode_tokens;
    report_progress(t, "train");
    if (t->update % every == 0 || t->update == t->config->train.updates) PARL_TRY(save(t));
  }
  return PARL_STATUS_OK;
}

static parl_status read_value(void *context, int64_t update, const char *key, double value) {
  (void)update;
  (void)key;
  *(double *)context = value;
  return PARL_STATUS_OK;
}

/* Whether the forecast was right: it says that launching pays, and the trained policy launches more
 * often than the warm start did; or neither. NaN if it said nothing. */
static parl_status judge_forecast(parl_trainer *t, double launch_rate, double *held) {
  double says = (double)NAN, before = (double)NAN;
  PARL_TRY(
      parl_store_visit_metrics(t->store, t->run_id, "forecast/says_launch", read_value, &says));
  PARL_TRY(parl_store_visit_metrics(t->store, t->run_id, "warm/launch_rate", read_value, &before));
  *held = isnan(says) ? says : (double)((says > 0) == (launch_rate > before));
  return PARL_STATUS_OK;
}

static parl_status evaluate_final(parl_trainer *t) {
  parl_evaluation e;
  report_progress(t, "evaluate");
  PARL_TRY(parl_evaluate(&(parl_evaluation_def){.host = t->host,
                                                .config = t->config,
                                                .policy = t->model,
                                                .sub_policy = t->sub_policy,
                                                .label = "trained",
                                                .update = t->update,
                                                .n_tasks = (size_t)t->config->eval.tasks,
                                                .workers = t->workers},
                         t->store, t->run_id, &e));
  double held;
  PARL_TRY(judge_forecast(t, e.sampled.launch_rate, &held));
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = parl_store_put_metric(t->store, t->run_id, t->update, "forecast/held", held);
  if (s == PARL_STATUS_OK)
    s = parl_store_put_metric(t->store, t->run_id, t->update, "final/launch_rate",
                              e.sampled.launch_rate);
  if (s == PARL_STATUS_OK)
    s = parl_store_put_metric(t->store, t->run_id, t->update, "final/r_perf", e.sampled.r_perf);
  return parl_store_end(t->store, s);
}

static parl_status hash_run(parl_trainer *t, char out[PARL_HASH_HEX_BYTES]) {
  parl_hash h;
  parl_hash_init(&h);
  PARL_TRY(parl_store_hash_run(t->store, t->run_id, &h));
  if (t->model != NULL)
    parl_hash_update(&h, parl_model_get_params(t->model),
                     parl_model_get_n_params(t->model) * sizeof(float));
  parl_hash_finish(&h, out);
  return PARL_STATUS_OK;
}

static parl_status open_models(parl_trainer *t) {
  PARL_TRY(parl_warm_start_get(t->host, t->config, t->workers, &t->warm));
  PARL_TRY(parl_sub_policy_get(t->host, t->config, t->env, t->warm, &t->sub_policy,
                               &t->owns_sub_policy));
  PARL_TRY(parl_model_create(&t->config->model, parl_model_get_vocab_size(t->warm),
                             parl_model_get_backend(t->warm), &t->model));
  return parl_model_copy_weights(t->model, t->warm);
}

static parl_status run(parl_trainer *t, const char *canonical) {
  PARL_TRY(put_run(t, canonical, "running", ""));
  PARL_TRY(open_models(t));
  PARL_TRY(parl_trainer_prepare(t));
  PARL_TRY(resume(t));
  warn_of_normalisation(t);
  if (t->update == 0) PARL_TRY(make_forecast(t));
  PARL_TRY(train_loop(t));
  PARL_TRY(evaluate_final(t));
  PARL_TRY(hash_run(t, t->result->hash));
  return put_run(t, canonical, "done", t->result->hash);
}

static parl_status open_run(parl_trainer *t, parl_text *canonical, parl_scope scope) {
  const parl_run_config *c = t->config;
  const char *folder = parl_recipe_get_folder(t->host->recipe);
  PARL_TRY(parl_recipe_open_env(t->host->recipe, &c->env, t->host->stop, &t->env));
  PARL_TRY(get_uid(t->host, c, t->env, t->arm, scope, canonical, t->uid));
  char path[1024];
  PARL_TRY(parl_file_join(path, sizeof path, folder, "checkpoints"));
  PARL_TRY(parl_file_make_folder(path));
  const int n =
      snprintf(t->checkpoint_path, sizeof t->checkpoint_path, "%s/checkpoints/%s-s%lld.safetensors",
               folder, t->arm, (long long)c->run.seed);
  PARL_REQUIRE(n > 0 && (size_t)n < sizeof t->checkpoint_path);
  PARL_TRY(parl_file_join(path, sizeof path, folder, "store.db"));
  PARL_TRY(parl_store_open(path, &t->store));
  return refuse_conflict(t->store, t->host, t->arm, c->run.seed, t->uid, canonical);
}

static void close_run(parl_trainer *t) {
  parl_learner_destroy(t->learner);
  parl_rollout_destroy(t->rollout);
  parl_trajectories_destroy(t->set);
  parl_reward_destroy(t->reward);
  parl_schedule_destroy(t->lambda1);
  parl_schedule_destroy(t->lambda2);
  free(t->jobs);
  free(t->terms);
  free(t->kept);
  free(t->advantage);
  parl_model_destroy(t->model);
  if (t->owns_sub_policy) parl_model_destroy(t->sub_policy);
  parl_model_destroy(t->warm);
  parl_store_close(t->store);
  parl_env_destroy(t->env);
}

static void mark_stopped(parl_trainer *t, const char *canonical, parl_status s) {
  if (t->run_id == 0) return;
  char text[4096]; /* a second failure must not hide the first */
  snprintf(text, sizeof text, "%s", parl_error_text());
  parl_store_rollback(t->store);
  (void)put_run(t, canonical, s == PARL_STATUS_ESTOPPED ? "stopped" : "failed", "");
  (void)parl_fail(s, "%s", text);
}

static parl_status is_done(parl_trainer *t, bool *done) {
  int found;
  char status[16];
  PARL_TRY(parl_store_find_run(t->store, t->uid, &found, &t->run_id, status, t->result->hash));
  *done = found && strcmp(status, "done") == 0;
  if (!*done) t->run_id = 0;
  return PARL_STATUS_OK;
}

parl_status parl_train(const parl_host *host, const parl_run_config *config, const char *arm,
                       parl_workers *workers, parl_train_result *out) {
  *out = (parl_train_result){0};
  parl_trainer t = {.host = host, .config = config, .arm = arm, .workers = workers, .result = out};
  parl_text canonical = {0};
  parl_status s = open_run(&t, &canonical, PARL_SCOPE_RUN);
  memcpy(out->uid, t.uid, sizeof out->uid);
  if (s == PARL_STATUS_OK) s = is_done(&t, &out->was_done);
  if (s == PARL_STATUS_OK && !out->was_done) {
    s = run(&t, parl_text_get(&canonical));
    if (s != PARL_STATUS_OK) mark_stopped(&t, parl_text_get(&canonical), s);
  }
  close_run(&t);
  parl_text_deinit(&canonical);
  return s;
}

/* --- baselines --- */

static parl_status play_baseline(parl_trainer *t, const char *canonical, const char *style) {
  PARL_TRY(put_run(t, canonical, "running", ""));
  PARL_TRY(open_models(t));
  PARL_TRY(parl_store_begin(t->store));
  PARL_TRY(parl_store_end(t->store, parl_store_delete_after(t->store, t->run_id, -1)));
  parl_evaluation e;
  PARL_TRY(parl_evaluate(&(parl_evaluation_def){.host = t->host,
                                                .config = t->config,
                                                .policy = style ? NULL : t->warm,
                                                .style = style,
                                                .sub_policy = t->sub_policy,
                                                .label = t->arm,
                                                .n_tasks = (size_t)t->config->eval.tasks,
                                                .workers = t->workers},
                         t->store, t->run_id, &e));
  PARL_TRY(hash_run(t, t->result->hash));
  return put_run(t, canonical, "done", t->result->hash);
}

typedef parl_status (*baseline_visitor)(void *context, const char *style, const char *arm);

/* style: NULL for the untrained policy. */
static parl_status visit_baselines(const parl_run_config *config, const char *suffix,
                                   baseline_visitor visit, void *context) {
  char list[PARL_CONFIG_TEXT_BYTES], arm[96];
  snprintf(arm, sizeof arm, "untrained%s", suffix);
  PARL_TRY(visit(context, NULL, arm));
  snprintf(list, sizeof list, "%s", config->eval.baselines);
  char *rest = NULL;
  for (char *style = strtok_r(list, ", ", &rest); style != NULL;
       style = strtok_r(NULL, ", ", &rest)) {
    snprintf(arm, sizeof arm, "%s%s", style, suffix);
    PARL_TRY(visit(context, style, arm));
  }
  return PARL_STATUS_OK;
}

typedef struct players {
  const parl_host *host;
  const parl_run_config *config;
  parl_workers *workers;
} players;

static parl_status baseline(void *context, const char *style, const char *arm) {
  const players *x = context;
  if (parl_host_is_stopped(x->host)) return parl_fail(PARL_STATUS_ESTOPPED, "stopped");
  parl_train_result result = {0};
  parl_trainer t = {
      .host = x->host, .config = x->config, .arm = arm, .workers = x->workers, .result = &result};
  parl_text canonical = {0};
  bool done = false;
  parl_status s = open_run(&t, &canonical, PARL_SCOPE_BASELINE);
  if (s == PARL_STATUS_OK) s = is_done(&t, &done);
  if (s == PARL_STATUS_OK && !done) {
    s = play_baseline(&t, parl_text_get(&canonical), style);
    if (s != PARL_STATUS_OK) mark_stopped(&t, parl_text_get(&canonical), s);
  }
  close_run(&t);
  parl_text_deinit(&canonical);
  return s;
}

parl_status parl_train_baselines(const parl_host *host, const parl_run_config *config,
                                 const char *suffix, parl_workers *workers) {
  return visit_baselines(config, suffix, baseline, &(players){host, config, workers});
}

/* --- refusing early --- */

typedef struct inspection {
  const parl_host *host;
  const parl_run_config *config;
  const parl_env *env;
  parl_store *store;
} inspection;

static parl_status inspect(const inspection *x, const char *arm, parl_scope scope) {
  parl_text canonical = {0};
  char uid[PARL_HASH_HEX_BYTES];
  parl_status s = get_uid(x->host, x->config, x->env, arm, scope, &canonical, uid);
  if (s == PARL_STATUS_OK)
    s = refuse_conflict(x->store, x->host, arm, x->config->run.seed, uid, &canonical);
  parl_text_deinit(&canonical);
  return s;
}

static parl_status inspect_baseline(void *context, const char *style, const char *arm) {
  (void)style;
  return inspect(context, arm, PARL_SCOPE_BASELINE);
}

parl_status parl_train_check(const parl_host *host, const parl_run_config *config,
                             const parl_env *env, const char *arm, const char *suffix) {
  char path[1024];
  PARL_TRY(parl_file_join(path, sizeof path, parl_recipe_get_folder(host->recipe), "store.db"));
  if (!parl_file_exists(path)) return PARL_STATUS_OK;
  inspection x = {host, config, env, NULL};
  PARL_TRY(parl_store_open(path, &x.store));
  parl_status s = inspect(&x, arm, PARL_SCOPE_RUN);
  if (s == PARL_STATUS_OK && suffix != NULL)
    s = visit_baselines(config, suffix, inspect_baseline, &x);
  parl_store_close(x.store);
  return s;
}
