/* cli/cmd_sweep.c - parl sweep SWEEP. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/host.h"
#include "cli/sweep.h"
#include "experiments/plan_text.h"
#include "experiments/sweep_run.h"

/* What cannot be trained is said before anything is. */
static parl_status plan(const cli_args *args, const parl_sweep *sweep, const parl_host *host) {
  parl_plan *made = NULL;
  parl_text text = {0};
  PARL_TRY(parl_sweep_plan(sweep, cli_get_datadir(), host, &made));
  cli_warn_of_preset(args, parl_text_get(&made->preset_exceptions));
  parl_rungs rungs;
  parl_status s = parl_sweep_get_rungs(sweep, made, &rungs);
  if (s == PARL_STATUS_OK && args->plan) {
    s = args->json ? parl_plan_append_json(made, &text) : parl_plan_append(made, &text);
    if (s == PARL_STATUS_OK && !args->json) s = parl_sweep_append_rungs(sweep, &rungs, &text);
    const bool follows = sweep->config.method == PARL_SWEEP_BAYES || sweep->config.top > 0;
    if (s == PARL_STATUS_OK && !args->json && follows)
      parl_text_appendf(&text,
                        "and what follows from the results: up to %zu points, the best %lld "
                        "anew\n",
                        sweep->n_points, (long long)sweep->config.top);
    if (s == PARL_STATUS_OK) s = cli_print(&text);
  }
  parl_text_deinit(&text);
  parl_plan_destroy(made);
  return s;
}

static parl_status print(const cli_args *args, const parl_sweep *sweep,
                         const parl_sweep_result *result) {
  parl_text text = {0};
  char folder[PARL_SWEEP_PATH_BYTES];
  parl_status s = parl_sweep_get_folder(sweep, folder);
  if (s == PARL_STATUS_OK)
    s = args->json ? parl_sweep_append_json(sweep, result, &text)
                   : parl_sweep_append_table(sweep, result, &text);
  if (s == PARL_STATUS_OK && !args->json) {
    parl_text_appendf(&text, "\n%zu runs (%zu were done before", result->n_runs,
                      result->n_done_before);
    if (result->n_pruned > 0) parl_text_appendf(&text, ", %zu pruned", result->n_pruned);
    parl_text_appendf(&text, ")  %.0f s\nreport: %s/report.html\n", result->wall_s, folder);
    if (result->n_top > 0)
      parl_text_appendf(&text, "report of the best: %s/report.html\nas a recipe: %s/best.json\n",
                        sweep->folder, sweep->folder);
  }
  if (s == PARL_STATUS_OK) s = cli_print(&text);
  parl_text_deinit(&text);
  return s;
}

static parl_status sweep_all(const cli_args *args, const parl_sweep *sweep, size_t *n_failed) {
  cli_host host;
  parl_sweep_result result = {.n_rows = 0};
  cli_host_open(&host, args, sweep->name);
  parl_status s = plan(args, sweep, &host.host);
  if (s == PARL_STATUS_OK && !args->plan) {
    cli_begin_work();
    s = parl_sweep_run(sweep, cli_get_datadir(), &host.host, &result);
  }
  cli_host_close(&host);
  if (s == PARL_STATUS_OK && !args->plan) s = print(args, sweep, &result);
  if (result.n_failed > 0)
    fprintf(stderr, "parl: %zu run%s failed:\n%s", result.n_failed, result.n_failed == 1 ? "" : "s",
            parl_text_get(&result.failures));
  *n_failed = result.n_failed;
  parl_sweep_result_deinit(&result);
  return s;
}

parl_status cli_read_sweep(const cli_args *args, parl_sweep *out) {
  enum { MAX_SETS = 1000 };
  const char *sets[MAX_SETS + 1];
  char threads[48];
  if (args->n_sets > MAX_SETS)
    return parl_fail(PARL_STATUS_EINVAL, "--set: more than %d times", MAX_SETS);
  for (size_t i = 0; i < args->n_sets; i++) sets[i] = args->sets[i];
  snprintf(threads, sizeof threads, "run.threads=%lld", (long long)args->jobs);
  sets[args->n_sets] = threads;
  char path[CLI_PATH_BYTES];
  PARL_TRY(cli_find_sweep(args->operands[0], path));
  return parl_sweep_read(path, sets, args->n_sets + (args->jobs > 0), cli_get_datadir(), out);
}

int cmd_sweep(const cli_args *args) {
  parl_sweep sweep = {.n_arms = 0};
  size_t n_failed = 0;
  if (!cli_meter_check(args)) return CLI_USAGE;
  parl_status s = cli_read_sweep(args, &sweep);
  if (s == PARL_STATUS_OK) s = sweep_all(args, &sweep, &n_failed);
  parl_sweep_deinit(&sweep);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  return n_failed == 0 ? CLI_DONE : CLI_FAILED;
}
