/* cli/cmd_eval.c - parl eval RECIPE. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/eval.h"
#include "core/file.h"
#include "core/json.h"
#include "engine/checkpoint.h"
#include "parl/run/evaluator.h"
#include "parl/run/run_models.h"

enum { CELL_BYTES = 32 };

typedef struct eval_state {
  parl_recipe *recipe;
  eval_run chosen;
  parl_log log;
  parl_workers *workers;
  parl_env *env;
  parl_model *warm, *policy, *sub_policy;
  bool owns_sub_policy;
} eval_state;

/* The warm start is made if it is not there. */
static parl_status load_policy(const cli_args *args, eval_state *e) {
  const parl_run_config *c = &e->chosen.run.config;
  const bool is_sub = c->agents.subs == PARL_SUBS_POLICY && c->agents.checkpoint[0] == '\0';
  if (is_sub || (args->style == NULL && args->checkpoint == NULL)) {
    char folder[1024];
    PARL_TRY(parl_file_join(folder, sizeof folder, e->chosen.run.folder, "checkpoints"));
    PARL_TRY(parl_file_make_folder(folder));
    PARL_TRY(parl_warm_start_get(&e->chosen.run, &e->chosen.host, e->workers, NULL, &e->warm));
  }
  PARL_TRY(
      parl_sub_policy_get(&e->chosen.run, e->env, e->warm, &e->sub_policy, &e->owns_sub_policy));
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

static parl_status open_eval(const cli_args *args, eval_state *e) {
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

static void close_eval(eval_state *e) {
  if (e->owns_sub_policy) parl_model_destroy(e->sub_policy);
  parl_model_destroy(e->policy);
  parl_model_destroy(e->warm);
  parl_env_destroy(e->env);
  parl_workers_destroy(e->workers);
  eval_run_deinit(&e->chosen);
  parl_recipe_destroy(e->recipe);
  parl_log_deinit(&e->log);
}

static void write_means(parl_json_writer *w, const char *key, const parl_means *m) {
  parl_json_key(w, key);
  parl_json_begin_object(w);
  for (int i = 0; i < PARL_N_MEANS; i++) {
    parl_json_key(w, parl_mean_names[i]);
    parl_json_number(w, parl_means_get_values(m)[i]);
  }
  parl_json_end_object(w);
}

/* "-" where nothing was counted. */
static const char *format(const parl_means *m, int i, char cell[CELL_BYTES]) {
  const double x = parl_means_get_values(m)[i];
  snprintf(cell, CELL_BYTES, isnan(x) ? "-" : "%.4f", x);
  return cell;
}

static parl_status print_evaluation(const cli_args *args, const eval_run *run,
                                    const parl_evaluation *e) {
  char cells[2][CELL_BYTES];
  if (!args->json) {
    printf("%-16s %10s %10s   (%lld held-out tasks; arm %s, seed %lld)\n", "mean of",
           args->style ? "scripted" : "sampled", "greedy", (long long)e->n, run->run.name,
           (long long)run->run.config.run.seed);
    for (int i = 0; i < PARL_N_MEANS; i++)
      printf("%-16s %10s %10s\n", parl_mean_names[i], format(&e->sampled, i, cells[0]),
             format(&e->greedy, i, cells[1]));
    printf("%-16s %10.4f   (share of the tasks whose prompt training never shows)\n",
           "unseen_prompts", e->unseen);
    return PARL_STATUS_OK;
  }
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "arm");
  parl_json_string(&w, run->run.name);
  parl_json_key(&w, "seed");
  parl_json_integer(&w, run->run.config.run.seed);
  parl_json_key(&w, "tasks");
  parl_json_integer(&w, e->n);
  parl_json_key(&w, "unseen_prompts");
  parl_json_number(&w, e->unseen);
  write_means(&w, "sampled", &e->sampled);
  write_means(&w, "greedy", &e->greedy);
  parl_json_end_object(&w);
  return cli_print(&text);
}

int cmd_eval(const cli_args *args) {
  if (args->style && args->checkpoint)
    return cli_usage("--style and --checkpoint exclude each other");
  eval_state e = {0};
  parl_status s = cli_load_recipe(args, &e.recipe);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  const int64_t tasks =
      args->tasks > 0 ? args->tasks : parl_recipe_get_arm(e.recipe, 0)->eval.tasks;
  parl_evaluation result = {0};
  s = open_eval(args, &e);
  if (s == PARL_STATUS_OK)
    s = parl_evaluate(&(parl_evaluation_def){.host = &e.chosen.host,
                                             .run = &e.chosen.run,
                                             .policy = e.policy,
                                             .style = args->style,
                                             .sub_policy = e.sub_policy,
                                             .label = "eval",
                                             .n_tasks = (size_t)tasks,
                                             .workers = e.workers},
                      NULL, 0, &result);
  if (s == PARL_STATUS_OK) {
    parl_failures_warn(&result.failures, &e.log, "eval", PARL_PHASE_EVALUATION);
    s = print_evaluation(args, &e.chosen, &result);
  }
  close_eval(&e);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
