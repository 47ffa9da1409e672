/* parl/run/trainer.c - the life of a run: updates, checkpoints, evaluation, hash. */
#include "parl/run/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/file.h"
#include "parl/reward/advantage.h"
#include "parl/run/evaluator.h"
#include "parl/run/pretrained.h"
#include "parl/run/run_list.h"
#include "parl/run/trainer_internal.h"

/* What the update learned from, as far as the recipe asks for it: the first group, or all. */
static parl_status put_episodes(parl_trainer *t) {
  parl_updater *u = t->updater;
  const bool all = t->config->train.store_episodes == PARL_STORE_EPISODES_ALL;
  const size_t n = all ? u->n : (size_t)t->config->train.group;
  parl_text text = {0};
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < n; i++) {
    parl_episode_row row;
    if (u->jobs[i].out->suspended) continue;
    s = parl_rows_from_trajectory(u->jobs[i].out, t->env, &text, &row);
    if (s != PARL_STATUS_OK) break;
    row.policy = "trained";
    row.decoding = "sampled";
    row.update = u->update - 1;
    row.rollout = (int64_t)i;
    s = parl_rows_put_training_episode(t->store, t->run_id, &row);
  }
  parl_text_deinit(&text);
  return s;
}

/* "tasks/wide_search/8-11/drawn" of a bucket. */
static parl_status put_bucket(parl_trainer *t, const parl_task_bucket *b, const char *what,
                              double value) {
  char key[PARL_FAMILY_BYTES + 96];
  snprintf(key, sizeof key, "tasks/%s%s%lld-%lld/%s", b->family, b->family[0] != '\0' ? "/" : "",
           (long long)parl_least_of_bin(b->bin), (long long)parl_least_of_bin(b->bin + 1) - 1,
           what);
  return parl_rows_put_metric(t->store, t->run_id, t->updater->update - 1, key, value);
}

/* What the sampler was offered in the update, what of it began, and how such tasks went so far. */
static parl_status put_buckets(parl_trainer *t) {
  size_t n;
  double offered = 0, drawn = 0;
  if (t->updater->sampler == NULL) return PARL_STATUS_OK;
  const parl_task_bucket *b = parl_task_sampler_get_buckets(t->updater->sampler, &n);
  for (size_t i = 0; i < n; i++) {
    offered += (double)b[i].offered;
    drawn += (double)b[i].drawn;
  }
  for (size_t i = 0; i < n; i++) {
    if (b[i].offered == 0) continue;
    PARL_TRY(put_bucket(t, &b[i], "offered", (double)b[i].offered / offered));
    PARL_TRY(put_bucket(t, &b[i], "drawn", (double)b[i].drawn / drawn));
    PARL_TRY(put_bucket(t, &b[i], "score", b[i].n > 0 ? b[i].score : (double)NAN));
  }
  return PARL_STATUS_OK;
}

static parl_status store_update(parl_trainer *t) {
  parl_updater *u = t->updater;
  PARL_TRY(parl_store_begin(t->store));
  parl_status s =
      parl_rows_put_metrics(t->store, t->run_id, u->update - 1, u->metric_table, &u->metrics);
  if (s == PARL_STATUS_OK) s = put_buckets(t);
  if (s == PARL_STATUS_OK && t->config->train.store_episodes != PARL_STORE_EPISODES_NONE)
    s = put_episodes(t);
  if (s == PARL_STATUS_OK && u->metrics.end_error > 0) s = parl_trainer_put_failures(t);
  if (s == PARL_STATUS_OK) s = parl_trainer_warn(t);
  return parl_store_end(t->store, s);
}

static void report_progress(const parl_trainer *t, const char *phase) {
  const parl_updater *u = t->updater;
  if (t->host->progress == NULL) return;
  t->host->progress(t->host->context,
                    &(parl_progress){.phase = phase,
                                     .arm = t->arm,
                                     .seed = t->config->run.seed,
                                     .done = u->update,
                                     .n = t->config->train.updates,
                                     .r_perf = u->metrics.of[PARL_TERM_perf].raw,
                                     .critical_steps = u->metrics.critical_steps,
                                     .launch_rate = u->metrics.launch_rate,
                                     .entropy = u->metrics.entropy,
                                     .lambda1 = u->metrics.of[PARL_TERM_parallel].weight,
                                     .lambda2 = u->metrics.of[PARL_TERM_finish].weight,
                                     .finish_rate = u->metrics.finish_rate,
                                     .useful_rate = u->metrics.useful_rate});
}

static parl_status open_log(parl_trainer *t) {
  if (t->host->metric_log == PARL_METRIC_LOG_NONE) return PARL_STATUS_OK;
  return parl_metric_log_open(&t->log, t->host->metric_log, t->run->folder, t->arm,
                              t->config->run.seed, t->store, t->run_id);
}

static parl_status log_update(parl_trainer *t, int64_t update, const char *const *keys,
                              const double *values, size_t n) {
  if (t->log.format == PARL_METRIC_LOG_NONE) return PARL_STATUS_OK;
  return parl_metric_log_append(&t->log, update, keys, values, n);
}

/* Of a run that was done before anybody asked. */
static parl_status log_done(parl_trainer *t) {
  if (t->host->metric_log == PARL_METRIC_LOG_NONE || t->run->scope != PARL_SCOPE_RUN ||
      parl_metric_log_exists(t->host->metric_log, t->run->folder, t->arm, t->config->run.seed))
    return PARL_STATUS_OK;
  return open_log(t);
}

/* Between two optimizer steps of an update there is nothing to save: the last checkpoint stands. */
static parl_status stop(parl_trainer *t) {
  parl_updater *u = t->updater;
  PARL_TRY(parl_store_check_fence(t->store));
  if (u->n_steps == 0) PARL_TRY(parl_trainer_save(t));
  return parl_fail(PARL_STATUS_ESTOPPED, "stopped after update %lld of arm \"%s\", seed %lld",
                   (long long)u->update, t->arm, (long long)t->config->run.seed);
}

/* At a rung; a stop comes back as one of the updates. */
static parl_status look(parl_trainer *t) {
  const parl_status s = parl_trainer_look(t);
  return s == PARL_STATUS_ESTOPPED ? stop(t) : s;
}

static parl_status train_loop(parl_trainer *t) {
  parl_updater *u = t->updater;
  const int64_t every = t->config->run.checkpoint_every;
  PARL_TRY(look(t));
  if (t->config->train.updates == 0) PARL_TRY(parl_trainer_save(t)); /* others begin as it */
  while (u->update < t->config->train.updates && !t->result->is_paused) {
    if (parl_host_is_stopped(t->host)) return stop(t);
    const parl_status s = parl_updater_run(u);
    if (s == PARL_STATUS_ESTOPPED) return stop(t);
    PARL_TRY(s);
    PARL_TRY(store_update(t));
    PARL_TRY(log_update(t, u->update - 1, u->metric_table->keys,
                        parl_metrics_get_values(&u->metrics), u->metric_table->n));
    PARL_TRY(parl_failures_check(&u->failures, t->config->env.max_failures, PARL_PHASE_TRAINING,
                                 u->update == t->config->train.updates));
    u->n_steps = 0;
    t->result->updates++;
    t->result->train_s += u->metrics.learn_s;
    t->result->decode_s += u->metrics.decode_s;
    t->result->train_tokens += u->metrics.train_tokens;
    t->result->decode_tokens += u->metrics.decode_tokens;
    report_progress(t, "train");
    PARL_TRY(look(t));
    if (u->update % every == 0 || u->update == t->config->train.updates || t->result->is_paused)
      PARL_TRY(parl_trainer_save(t));
  }
  parl_failures_warn(&u->failures, t->host->log, t->arm, PARL_PHASE_TRAINING);
  return PARL_STATUS_OK;
}

static parl_status evaluate_final(parl_trainer *t) {
  parl_updater *u = t->updater;
  parl_evaluation e;
  const double start = parl_clock_s();
  report_progress(t, "evaluate");
  PARL_TRY(parl_evaluate(&(parl_evaluation_def){.host = t->host,
                                                .run = t->run,
                                                .policy = t->model,
                                                .subs = &t->subs,
                                                .label = "trained",
                                                .update = u->update,
                                                .n_tasks = (size_t)t->config->eval.tasks,
                                                .workers = t->workers},
                         t->store, t->run_id, &e));
  parl_failures_warn(&e.failures, t->host->log, t->arm, PARL_PHASE_EVALUATION);
  PARL_TRY(parl_trainer_judge_forecast(t));
  static const char *const keys[] = {"time/evaluate_s", "final/launch_rate", "final/r_perf",
                                     "final/unseen_prompts"};
  const double values[] = {parl_clock_s() - start, e.sampled.launch_rate, e.sampled.r_perf,
                           e.unseen};
  const size_t n = sizeof keys / sizeof keys[0];
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < n; i++)
    s = parl_rows_put_metric(t->store, t->run_id, u->update, keys[i], values[i]);
  PARL_TRY(parl_store_end(t->store, s));
  PARL_TRY(log_update(t, u->update, keys, values, n));
  /* Before the run is done, for then nobody writes its log again. */
  return t->log.format == PARL_METRIC_LOG_NONE ? PARL_STATUS_OK : parl_file_sync(t->log.path);
}

parl_status parl_trainer_hash_run(parl_trainer *t, char out[PARL_HASH_HEX_BYTES]) {
  parl_hash h;
  parl_hash_init(&h);
  PARL_TRY(parl_rows_hash_run(t->store, t->run_id, &h));
  if (t->model != NULL) PARL_TRY(parl_model_hash(t->model, &h));
  parl_hash_finish(&h, out);
  return PARL_STATUS_OK;
}

parl_status parl_trainer_open_models(parl_trainer *t) {
  PARL_TRY(parl_warm_start_get(t->run, t->host, t->workers, &t->warm_failures, &t->warm));
  PARL_TRY(parl_subs_open(t->run, t->env, t->warm, &t->subs));
  PARL_TRY(parl_model_create(parl_model_get_config(t->warm), parl_model_get_vocab_size(t->warm),
                             parl_model_get_backend(t->warm), t->host->stop, &t->model));
  if (t->config->pretrain.steps > 0) /* what it measured is the run's, too */
    PARL_TRY(parl_pretrained_get(t->run, t->host, t->workers, t->env, t->model));
  PARL_TRY(parl_model_copy_weights(t->model, t->warm));
  if (t->warm_failures.n_failed == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_store_begin(t->store));
  return parl_store_end(t->store, parl_trainer_put_failures(t));
}

/* Who plays the first updates, and who plays those from agents.switch_at on. */
static void seat_players(parl_trainer *t) {
  const parl_model *policy = t->ring != NULL ? t->ring->player : t->model;
  t->seats.main = t->next_seats.main = parl_run_get_orchestrator(t->run, policy);
  parl_subs_seat(&t->subs, policy, 0, &t->seats);
  parl_subs_seat(&t->subs, policy, PARL_SUBS_LAST, &t->next_seats);
}

parl_status parl_trainer_prepare(parl_trainer *t) {
  const parl_run_config *c = t->config;
  const bool switches = parl_subs_switches(&c->agents);
  parl_rollout_def rollout = parl_run_get_rollout(t->run, t->host->scripts, t->workers);
  if (c->train.staleness > 0)
    PARL_TRY(parl_fail_sizes(
        parl_policy_ring_create(t->model, (size_t)c->train.staleness, &t->ring),
        "train.staleness = %lld: as many policies, and two", (long long)c->train.staleness));
  seat_players(t);
  rollout.seats = t->seats;
  rollout.n_jobs = (size_t)(c->train.tasks * c->train.group);
  if (c->train.async) {
    PARL_TRY(parl_workers_create(parl_workers_get_count(t->workers), &t->player_workers));
    rollout.workers = t->player_workers;
  }
  PARL_TRY(parl_rollout_create(&rollout, &t->rollout));
  return parl_updater_create(&(parl_updater_def){.train = &c->train,
                                                 .objective = &c->objective,
                                                 .optimizer = &c->optimizer,
                                                 .episode = &c->episode,
                                                 .cost = &c->cost,
                                                 .reward = &c->reward,
                                                 .weights = c->weights,
                                                 .own_terms = c->own_terms,
                                                 .spec = parl_env_get_spec(t->env),
                                                 .seed = (uint64_t)c->run.seed,
                                                 .model = t->model,
                                                 .rollout = t->rollout,
                                                 .seats = &t->seats,
                                                 .next_seats = switches ? &t->next_seats : NULL,
                                                 .switch_at = c->agents.switch_at,
                                                 .ring = t->ring,
                                                 .workers = t->workers,
                                                 .stop = t->host->stop},
                             &t->updater);
}

static parl_status train(parl_trainer *t, const char *canonical) {
  t->canonical = canonical;
  PARL_TRY(parl_trainer_put_run(t, canonical, "running", ""));
  PARL_TRY(parl_trainer_fork(t));
  PARL_TRY(parl_trainer_open_models(t));
  PARL_TRY(parl_trainer_prepare(t));
  PARL_TRY(parl_trainer_resume(t));
  if (t->leg != NULL)
    PARL_TRY(parl_train_recall_rungs(t->store, t->run_id, t->leg->rungs, t->result->rungs));
  PARL_TRY(parl_trainer_recall_failures(t));
  PARL_TRY(parl_trainer_recall_warnings(t));
  if (t->updater->update == 0) PARL_TRY(parl_trainer_make_forecast(t));
  PARL_TRY(open_log(t));
  PARL_TRY(train_loop(t));
  if (t->result->is_paused) return parl_trainer_put_run(t, canonical, "stopped", "");
  PARL_TRY(evaluate_final(t));
  PARL_TRY(parl_trainer_hash_run(t, t->result->hash));
  return parl_trainer_put_run(t, canonical, "done", t->result->hash);
}

parl_status parl_trainer_open(parl_trainer *t, parl_text *canonical) {
  const char *folder = t->run->folder;
  PARL_TRY(parl_run_open_env(t->run, t->host->scripts, &t->env));
  PARL_TRY(parl_run_get_uid(t->run, t->env, canonical, t->uid));
  char path[1024];
  PARL_TRY(parl_file_join(path, sizeof path, folder, "checkpoints"));
  PARL_TRY(parl_file_make_folder(path));
  PARL_TRY(parl_run_get_checkpoint_path(folder, t->arm, t->config->run.seed, t->checkpoint_path));
  PARL_TRY(parl_file_join(path, sizeof path, folder, "store.db"));
  PARL_TRY(parl_rows_open(path, &t->store));
  parl_rows_say_missing(t->store, path, t->host->log);
  if (t->host->claims != NULL)
    parl_store_set_fence(t->store, t->uid, parl_claims_get_token(t->host->claims));
  return parl_run_refuse_conflict(t->store, t->run, t->uid, parl_text_get(canonical), false);
}

void parl_trainer_close(parl_trainer *t) {
  parl_updater_destroy(t->updater);
  parl_rollout_destroy(t->rollout);
  parl_workers_destroy(t->player_workers);
  parl_policy_ring_destroy(t->ring);
  parl_model_destroy(t->model);
  parl_subs_close(&t->subs);
  parl_model_destroy(t->warm);
  parl_store_close(t->store);
  parl_env_destroy(t->env);
}

void parl_trainer_mark_stopped(parl_trainer *t, parl_status s) {
  if (t->run_id == 0) return;
  char text[4096]; /* a second failure must not hide the first */
  snprintf(text, sizeof text, "%s", parl_error_text());
  parl_store_rollback(t->store);
  if (parl_store_begin(t->store) == PARL_STATUS_OK)
    (void)parl_store_end(
        t->store,
        parl_store_set_status(t->store, t->uid, parl_run_failed_for_good(s) ? "failed" : "stopped",
                              s == PARL_STATUS_ESTOPPED ? "" : text));
  (void)parl_fail(s, "%s", text);
}

parl_status parl_trainer_is_done(parl_trainer *t, bool *done) {
  int found;
  char status[16];
  PARL_TRY(parl_store_find_run(t->store, t->uid, &found, &t->run_id, status, t->result->hash));
  *done = found && strcmp(status, "done") == 0;
  if (*done) PARL_TRY(parl_store_check_run(t->store, t->run_id));
  if (!*done) t->run_id = 0;
  return PARL_STATUS_OK;
}

/* What is there already: *left is false if that is all that was asked for. */
static parl_status find_done(parl_trainer *t, bool *left) {
  parl_train_result *out = t->result;
  bool done = false, paused = false;
  PARL_TRY(parl_trainer_recall_rungs(t, &paused));
  PARL_TRY(parl_trainer_is_done(t, &done));
  if (done) PARL_TRY(log_done(t));
  out->is_paused = paused && !done;
  out->was_done = done || paused;
  *left = !out->was_done;
  return PARL_STATUS_OK;
}

parl_status parl_train(const parl_run *run, const parl_host *host, const parl_leg *leg,
                       parl_workers *workers, parl_train_result *out) {
  *out = (parl_train_result){0};
  for (size_t k = 0; k < PARL_MAX_RUNGS; k++) out->rungs[k] = (double)NAN;
  parl_trainer t = {.host = host,
                    .leg = leg,
                    .run = run,
                    .config = &run->config,
                    .arm = run->name,
                    .workers = workers,
                    .result = out};
  parl_text canonical = {0};
  parl_status s = parl_trainer_open(&t, &canonical);
  memcpy(out->uid, t.uid, sizeof out->uid);
  bool left = false;
  if (s == PARL_STATUS_OK) s = find_done(&t, &left);
  if (s == PARL_STATUS_OK && left) {
    s = run->scope == PARL_SCOPE_RUN ? train(&t, parl_text_get(&canonical))
                                     : parl_trainer_play_baseline(&t, parl_text_get(&canonical));
    s = parl_run_advise(s);
    if (s != PARL_STATUS_OK) parl_trainer_mark_stopped(&t, s);
  }
  parl_trainer_close(&t);
  parl_text_deinit(&canonical);
  return s;
}
