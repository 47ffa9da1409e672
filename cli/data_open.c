/* cli/data_open.c - the documents that a recipe's pretraining would learn from. */
#include <stdio.h>

#include "cli/data.h"

/* A schedule goes over the steps there are, or over those that are asked for. */
static int64_t count_steps(const cli_args *args, const parl_run_config *c) {
  const int64_t steps = c->pretrain.steps > args->batches ? c->pretrain.steps : args->batches;
  return steps > 0 ? steps : 1;
}

static parl_status open_run(const cli_args *args, data_state *d) {
  size_t arm = 0;
  if (args->arm != NULL) PARL_TRY(cli_find_arm(d->recipe, args->arm, &arm));
  const int64_t seed = args->seed >= 0 ? args->seed : parl_recipe_get_arm(d->recipe, arm)->run.seed;
  return parl_run_init(d->recipe, arm, seed, &d->run);
}

parl_status data_open(const cli_args *args, data_state *d) {
  const parl_script_host *scripts = cli_get_script_host(false);
  PARL_TRY(cli_load_recipe(args, &d->recipe));
  PARL_TRY(open_run(args, d));
  const parl_run_config *c = &d->run.config;
  const int64_t threads = args->threads > 0 ? args->threads : c->run.threads;
  PARL_TRY(parl_workers_create(threads > 0 ? (size_t)threads : parl_workers_count_processors(),
                               &d->workers));
  PARL_TRY(parl_run_open_env(&d->run, scripts, &d->env));
  parl_feed_def def = parl_run_get_feed(&d->run, d->env, scripts, &d->options, d->workers);
  def.steps = count_steps(args, c);
  return parl_feed_create(&def, &d->feed);
}

parl_status data_check_signal(void) {
  if (cli_get_signal() == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ESTOPPED, "stopped on request");
}

int data_fail(parl_status s) {
  if (s != PARL_STATUS_ESTOPPED) return cli_fail(s);
  fprintf(stderr, "parl: %s\n", parl_error_text());
  return cli_get_signal() != 0 ? 128 + cli_get_signal() : CLI_FAILED;
}

void data_close(data_state *d) {
  parl_feed_destroy(d->feed);
  parl_env_destroy(d->env);
  parl_workers_destroy(d->workers);
  parl_run_deinit(&d->run);
  parl_recipe_destroy(d->recipe);
}
