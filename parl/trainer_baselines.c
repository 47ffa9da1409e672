/* parl/trainer_baselines.c - policies that are not trained, as runs; refusing early. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "parl/evaluator.h"
#include "parl/trainer_internal.h"

static parl_status play_baseline(parl_trainer *t, const char *canonical, const char *style) {
  PARL_TRY(parl_trainer_put_run(t, canonical, "running", ""));
  PARL_TRY(parl_trainer_open_models(t));
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
  PARL_TRY(parl_trainer_hash_run(t, t->result->hash));
  return parl_trainer_put_run(t, canonical, "done", t->result->hash);
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
  parl_status s = parl_trainer_open(&t, &canonical, PARL_SCOPE_BASELINE);
  if (s == PARL_STATUS_OK) s = parl_trainer_is_done(&t, &done);
  if (s == PARL_STATUS_OK && !done) {
    s = play_baseline(&t, parl_text_get(&canonical), style);
    if (s != PARL_STATUS_OK) parl_trainer_mark_stopped(&t, parl_text_get(&canonical), s);
  }
  parl_trainer_close(&t);
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
  parl_status s = parl_run_get_uid(x->host, x->config, x->env, arm, scope, &canonical, uid);
  if (s == PARL_STATUS_OK)
    s = parl_run_refuse_conflict(x->store, x->host, arm, x->config->run.seed, uid, &canonical);
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
