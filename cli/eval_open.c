/* cli/eval_open.c - what a policy needs to play as a run of its recipe. */
#include "cli/eval.h"
#include "core/file.h"
#include "engine/checkpoint.h"
#include "parl/run/run_models.h"

/* The warm start is made if it is not there. */
static parl_status load_policy(const cli_args *args, eval_state *e) {
  const parl_run_config *c = &e->chosen.run.config;
  if (parl_subs_needs_warm(&c->agents, args->style == NULL) ||
      (args->style == NULL && args->checkpoint == NULL)) {
    char folder[1024];
    PARL_TRY(parl_file_join(folder, sizeof folder, e->chosen.run.folder, "checkpoints"));
    PARL_TRY(parl_file_make_folder(folder));
    PARL_TRY(parl_warm_start_get(&e->chosen.run, &e->chosen.host, e->workers, NULL, &e->warm));
  }
  PARL_TRY(parl_subs_open(&e->chosen.run, e->env, e->warm, &e->subs));
  if (args->style != NULL) return PARL_STATUS_OK;
  const parl_env_spec *spec = parl_env_get_spec(e->env);
  const parl_backend *backend;
  PARL_TRY(parl_recipe_get_backend(c, &backend));
  PARL_TRY(parl_model_create(&c->model, (size_t)spec->n_tokens, backend, e->chosen.host.stop,
                             &e->policy));
  if (args->checkpoint == NULL) return parl_model_copy_weights(e->policy, e->warm);
  return parl_checkpoint_load(args->checkpoint, e->policy, NULL, spec->vocab_hash, NULL);
}

static parl_status check_style(const cli_args *args, const parl_env_spec *spec) {
  return args->style != NULL ? parl_recipe_check_style(spec, "--style", args->style)
                             : PARL_STATUS_OK;
}

parl_status eval_open(const cli_args *args, eval_state *e) {
  parl_log_init(&e->log, cli_log_sink, NULL, PARL_LOG_INFO);
  e->chosen.host = (parl_host){
      .log = &e->log, .stop = cli_catch_signals(), .scripts = cli_get_script_host(args->quiet)};
  PARL_TRY(eval_choose_run(args, e->recipe, &e->chosen));
  const parl_run_config *c = &e->chosen.run.config;
  const int64_t asked = c->run.threads;
  PARL_TRY(parl_workers_create(asked > 0 ? (size_t)asked : parl_workers_count_processors(),
                               &e->workers));
  PARL_TRY(parl_run_open_env(&e->chosen.run, e->chosen.host.scripts, &e->env));
  PARL_TRY(parl_run_fix_files(&e->chosen.run, e->env));
  PARL_TRY(parl_recipe_check_env(e->recipe, c, parl_env_get_spec(e->env)));
  PARL_TRY(check_style(args, parl_env_get_spec(e->env)));
  PARL_TRY(eval_say_run(args, &e->chosen, e->env));
  PARL_TRY(parl_run_check(&e->chosen.run, e->recipe, e->env));
  cli_begin_work();
  return load_policy(args, e);
}

void eval_close(eval_state *e) {
  parl_subs_close(&e->subs);
  parl_model_destroy(e->policy);
  parl_model_destroy(e->warm);
  parl_env_destroy(e->env);
  parl_workers_destroy(e->workers);
  eval_run_deinit(&e->chosen);
  parl_recipe_destroy(e->recipe);
  parl_log_deinit(&e->log);
}
