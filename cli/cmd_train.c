/* cli/cmd_train.c - parl train RECIPE. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/host.h"
#include "core/json.h"
#include "experiments/experiment.h"
#include "experiments/plan_text.h"
#include "experiments/report.h"

static parl_status print_json(const parl_experiment_result *r, const char *folder) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "uid");
  parl_json_string(&w, r->uid);
  parl_json_key(&w, "hash");
  parl_json_string(&w, r->hash);
  parl_json_key(&w, "updates");
  parl_json_integer(&w, r->updates);
  parl_json_key(&w, "train_tokens_per_s");
  parl_json_number(&w, r->train_tokens_per_s);
  parl_json_key(&w, "decode_tokens_per_s");
  parl_json_number(&w, r->decode_tokens_per_s);
  parl_json_key(&w, "wall_s");
  parl_json_number(&w, r->wall_s);
  parl_json_key(&w, "runs");
  parl_json_integer(&w, (int64_t)r->n_runs);
  parl_json_key(&w, "failed");
  parl_json_integer(&w, (int64_t)r->n_failed);
  parl_json_key(&w, "run");
  parl_json_string(&w, folder);
  parl_json_end_object(&w);
  return cli_print(&text);
}

static void print_failures(const parl_experiment_result *r) {
  fprintf(stderr, "parl: %zu run%s failed:\n%s", r->n_failed, r->n_failed == 1 ? "" : "s",
          parl_text_get(&r->failures));
}

/* What cannot be trained is said before anything is; from then on nothing is the command line's
 * fault. */
static parl_status run(const cli_args *args, const parl_recipe *recipe, const parl_host *host,
                       parl_experiment_result *result) {
  parl_plan *plan = NULL;
  PARL_TRY(parl_plan_make(recipe, host, &plan));
  cli_warn_of_preset(args, parl_text_get(&plan->preset_exceptions));
  cli_begin_work();
  const parl_status s = parl_experiment_run_plan(host, plan, result);
  parl_plan_destroy(plan);
  return s;
}

static parl_status print_plan(const cli_args *args, const parl_recipe *recipe) {
  const parl_host host = {.stop = cli_catch_signals(), .scripts = cli_get_script_host(args->quiet)};
  parl_plan *plan = NULL;
  parl_text text = {0};
  PARL_TRY(parl_plan_make(recipe, &host, &plan));
  cli_warn_of_preset(args, parl_text_get(&plan->preset_exceptions));
  parl_status s = args->json ? parl_plan_append_json(plan, &text) : parl_plan_append(plan, &text);
  if (s == PARL_STATUS_OK) s = cli_print(&text);
  parl_text_deinit(&text);
  parl_plan_destroy(plan);
  return s;
}

static parl_status train(const cli_args *args, const parl_recipe *recipe, size_t *n_failed) {
  cli_host host;
  parl_experiment_result result = {0};
  cli_host_open(&host, args, parl_recipe_get_name(recipe));
  parl_status s = run(args, recipe, &host.host, &result);
  cli_host_close(&host);
  parl_text table = {0};
  const char *folder = parl_recipe_get_folder(recipe);
  if (s == PARL_STATUS_OK) s = parl_report_write(folder, &table);
  if (s == PARL_STATUS_OK && args->json) s = print_json(&result, folder);
  if (s == PARL_STATUS_OK && !args->json) {
    s = cli_print(&table);
    printf(
        "\nhash %.16s  %zu runs (%zu were done before)  %.0f s  train %.0f tokens/s  decode %.0f "
        "tokens/s\n",
        result.hash, result.n_runs, result.n_done_before, result.wall_s, result.train_tokens_per_s,
        result.decode_tokens_per_s);
    printf("report: %s/report.html\n", folder);
  }
  if (result.n_failed > 0) print_failures(&result);
  *n_failed = result.n_failed;
  parl_experiment_result_deinit(&result);
  parl_text_deinit(&table);
  return s;
}

int cmd_train(const cli_args *args) {
  parl_recipe *recipe;
  if (!cli_meter_check(args)) return CLI_USAGE;
  parl_status s = cli_load_recipe(args, &recipe);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  if (args->plan) {
    s = print_plan(args, recipe);
    parl_recipe_destroy(recipe);
    return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
  }
  size_t n_failed = 0;
  s = train(args, recipe, &n_failed);
  parl_recipe_destroy(recipe);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  return n_failed == 0 ? CLI_DONE : CLI_FAILED;
}
