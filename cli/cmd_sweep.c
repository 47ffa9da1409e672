/* cli/cmd_sweep.c - parl sweep SWEEP. */
#include <signal.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/meter.h"
#include "cli/sweep.h"
#include "experiments/plan_text.h"
#include "experiments/sweep_run.h"

/* What cannot be trained is said before anything is. */
static parl_status plan(const cli_args *args, const parl_sweep *sweep, const parl_host *host) {
  parl_plan *made = NULL;
  parl_text text = {0};
  PARL_TRY(parl_sweep_plan(sweep, cli_get_datadir(), host, &made));
  cli_warn_of_preset(args, parl_text_get(&made->preset_exceptions));
  parl_status s = PARL_STATUS_OK;
  if (args->plan) {
    s = args->json ? parl_plan_append_json(made, &text) : parl_plan_append(made, &text);
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
    parl_text_appendf(&text, "\n%zu runs (%zu were done before)  %.0f s\nreport: %s/report.html\n",
                      result->n_runs, result->n_done_before, result->wall_s, folder);
    if (result->n_top > 0)
      parl_text_appendf(&text, "report of the best: %s/report.html\n", sweep->folder);
  }
  if (s == PARL_STATUS_OK) s = cli_print(&text);
  parl_text_deinit(&text);
  return s;
}

static parl_status sweep_all(const cli_args *args, const parl_sweep *sweep, size_t *n_failed) {
  cli_meter meter;
  parl_log log;
  parl_text command = {0};
  parl_sweep_result result = {.n_rows = 0};
  cli_append_command(&command, args);
  parl_log_init(&log, cli_log_sink, NULL, args->quiet ? PARL_LOG_WARNING : PARL_LOG_INFO);
  const parl_host host = {.log = &log,
                          .stop = cli_catch_signals(),
                          .scripts = cli_get_script_host(args->quiet),
                          .progress = args->quiet ? NULL : cli_meter_on_progress,
                          .context = &meter,
                          .retry_failed = args->retry_failed,
                          .metric_log = cli_get_metric_log(args),
                          .command = parl_text_get(&command)};
  cli_meter_init(&meter, args, sweep->name);
  parl_status s = plan(args, sweep, &host);
  if (s == PARL_STATUS_OK && !args->plan) {
    cli_begin_work();
    s = parl_sweep_run(sweep, cli_get_datadir(), &host, &result);
  }
  cli_meter_deinit(&meter);
  cli_handle_stop_signals(SIG_DFL);
  if (s == PARL_STATUS_OK && !args->plan) s = print(args, sweep, &result);
  if (result.n_failed > 0)
    fprintf(stderr, "parl: %zu run%s failed:\n%s", result.n_failed, result.n_failed == 1 ? "" : "s",
            parl_text_get(&result.failures));
  *n_failed = result.n_failed;
  parl_sweep_result_deinit(&result);
  parl_text_deinit(&command);
  parl_log_deinit(&log);
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
