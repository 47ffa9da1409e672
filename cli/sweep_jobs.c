/* cli/sweep_jobs.c - parl sweep plan, run, sbatch: a sweep or a recipe as jobs. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/host.h"
#include "cli/sweep.h"
#include "core/json.h"
#include "experiments/jobs.h"
#include "experiments/sweep_run.h"

/* --- plan --- */

/* A sweep's table names its recipe; a recipe's has no such field. */
static bool is_sweep(const char *name) {
  char path[CLI_PATH_BYTES];
  parl_json *tree = NULL;
  if (cli_find_sweep(name, path) != PARL_STATUS_OK) return false;
  if (parl_recipe_read_file(path, &tree) != PARL_STATUS_OK) return true; /* which says why */
  const bool is = parl_json_find(tree, "recipe") != NULL;
  parl_json_destroy(tree);
  return is;
}

static parl_status plan_sweep(const cli_args *args, const parl_host *host, char *name,
                              parl_plan **out) {
  parl_sweep sweep = {.n_arms = 0};
  parl_status s = cli_read_sweep(args, &sweep);
  if (s == PARL_STATUS_OK && sweep.config.method >= PARL_SWEEP_BAYES)
    s = parl_fail(PARL_STATUS_EINVAL,
                  "%s: method = \"%s\": a point follows from the results of others, so there is "
                  "no plan of them; any number of parl sweep may work in one folder instead",
                  sweep.path, sweep.config.method == PARL_SWEEP_PBT ? "pbt" : "bayes");
  if (s == PARL_STATUS_OK && sweep.early.type != PARL_EARLY_NONE)
    s = parl_fail(PARL_STATUS_EINVAL,
                  "%s: early_terminate: which runs are made whole follows from the results of "
                  "others, so there are no jobs; any number of parl sweep may work in one folder "
                  "instead",
                  sweep.path);
  snprintf(name, PARL_NAME_BYTES, "%s", sweep.name);
  if (s == PARL_STATUS_OK) s = parl_sweep_plan(&sweep, cli_get_datadir(), host, out);
  parl_sweep_deinit(&sweep);
  return s;
}

static parl_status plan_recipe(const cli_args *args, const parl_host *host, char *name,
                               parl_plan **out) {
  parl_recipe *recipe = NULL;
  PARL_TRY(cli_load_recipe(args, &recipe));
  snprintf(name, PARL_NAME_BYTES, "%s", parl_recipe_get_name(recipe));
  const parl_status s = parl_plan_make(recipe, host, out);
  parl_recipe_destroy(recipe);
  return s;
}

static void append_planned(const cli_args *args, const parl_plan *plan, const char *dir, size_t n,
                           parl_text *out) {
  if (args->json) {
    parl_json_writer w;
    parl_json_writer_init(&w, out, false);
    parl_json_begin_object(&w);
    parl_json_key(&w, "folder");
    parl_json_string(&w, dir);
    parl_json_key(&w, "jobs");
    parl_json_integer(&w, (int64_t)n);
    parl_json_key(&w, "runs");
    parl_json_integer(&w, (int64_t)plan->n_cells);
    parl_json_key(&w, "trained");
    parl_json_integer(&w, (int64_t)plan->n_trained);
    parl_json_end_object(&w);
    return;
  }
  parl_text_appendf(out, "%s/manifest.jsonl: %zu job%s, %zu runs, %zu of them trained\n", dir, n,
                    n == 1 ? "" : "s", plan->n_cells, plan->n_trained);
  parl_text dir_word = {0};
  parl_text_append_shell(&dir_word, dir);
  const char *word = parl_text_get(&dir_word);
  parl_text_appendf(out,
                    "make them: parl sweep run %s\n"
                    "by Slurm:  parl sweep sbatch %s >jobs.sh && sbatch jobs.sh\n"
                    "and then:  parl merge %s\n",
                    word, word, word);
  out->failed |= dir_word.failed;
  parl_text_deinit(&dir_word);
}

int sweep_plan(const cli_args *args) {
  char name[PARL_NAME_BYTES] = "", dir[CLI_PATH_BYTES];
  size_t n = 0;
  parl_log log;
  parl_plan *plan = NULL;
  parl_text text = {0};
  parl_log_init(&log, cli_log_sink, NULL, args->quiet ? PARL_LOG_WARNING : PARL_LOG_INFO);
  const parl_host host = {
      .log = &log, .stop = cli_catch_signals(), .scripts = cli_get_script_host(args->quiet)};
  parl_status s = is_sweep(args->operands[0]) ? plan_sweep(args, &host, name, &plan)
                                              : plan_recipe(args, &host, name, &plan);
  snprintf(dir, sizeof dir, "%s-jobs", name);
  if (args->output != NULL) snprintf(dir, sizeof dir, "%s", args->output);
  if (s == PARL_STATUS_OK) cli_warn_of_preset(args, parl_text_get(&plan->preset_exceptions));
  if (s == PARL_STATUS_OK) s = parl_jobs_write(plan, (size_t)args->per_job, dir, &n);
  if (s == PARL_STATUS_OK) append_planned(args, plan, dir, n, &text);
  parl_plan_destroy(plan);
  parl_log_deinit(&log);
  if (s == PARL_STATUS_OK) s = cli_print(&text);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}

/* --- run --- */

typedef struct made {
  size_t n_runs, n_failed, n_held, n_before; /* runs; jobs */
} made;

static parl_status run_job(const parl_jobs *jobs, size_t k, const parl_host *host, made *m) {
  parl_experiment_result result;
  bool is_held = false;
  if (parl_jobs_get_state(jobs, k) == PARL_JOB_SETTLED && !host->retry_failed) {
    m->n_before++;
    return PARL_STATUS_OK;
  }
  const parl_status s = parl_jobs_run(jobs, k, host, &is_held, &result);
  m->n_runs += result.n_runs;
  m->n_failed += result.n_failed;
  m->n_held += is_held;
  if (result.n_failed > 0)
    fprintf(stderr, "parl: job %zu: %zu run%s failed:\n%s", k, result.n_failed,
            result.n_failed == 1 ? "" : "s", parl_text_get(&result.failures));
  parl_experiment_result_deinit(&result);
  return s;
}

static parl_status run_jobs(const cli_args *args, const parl_jobs *jobs, const parl_host *host,
                            made *m) {
  parl_status s = PARL_STATUS_OK;
  if (args->index >= (int64_t)jobs->n)
    return parl_fail(PARL_STATUS_EINVAL, "--index %lld: 0 to %zu, as %s/manifest.jsonl has",
                     (long long)args->index, jobs->n - 1, jobs->dir);
  cli_begin_work();
  if (args->index >= 0) return run_job(jobs, (size_t)args->index, host, m);
  for (size_t k = 0; s == PARL_STATUS_OK && k < jobs->n; k++) s = run_job(jobs, k, host, m);
  return s;
}

static parl_status print_made(const cli_args *args, const parl_jobs *jobs, const made *m) {
  size_t n_settled = 0;
  parl_text text = {0};
  for (size_t k = 0; k < jobs->n; k++)
    n_settled += parl_jobs_get_state(jobs, k) == PARL_JOB_SETTLED;
  if (args->json) {
    parl_json_writer w;
    const struct {
      const char *key;
      size_t n;
    } members[] = {{"runs", m->n_runs},
                   {"failed", m->n_failed},
                   {"held", m->n_held},
                   {"settled", n_settled},
                   {"jobs", jobs->n}};
    parl_json_writer_init(&w, &text, false);
    parl_json_begin_object(&w);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
      parl_json_key(&w, members[i].key);
      parl_json_integer(&w, (int64_t)members[i].n);
    }
    parl_json_end_object(&w);
  } else {
    parl_text_appendf(&text, "%zu runs made, %zu failed; %zu of %zu jobs are settled", m->n_runs,
                      m->n_failed, n_settled, jobs->n);
    if (m->n_held > 0) parl_text_appendf(&text, ", others make %zu", m->n_held);
    parl_text_append(&text, "\n");
  }
  return cli_print(&text);
}

int sweep_run(const cli_args *args) {
  cli_host host;
  parl_jobs jobs;
  made m = {0};
  if (!cli_meter_check(args)) return CLI_USAGE;
  cli_host_open(&host, args, args->operands[0]);
  parl_status s = parl_jobs_read(args->operands[0], &jobs);
  if (s == PARL_STATUS_OK) s = run_jobs(args, &jobs, &host.host, &m);
  cli_host_close(&host);
  if (s == PARL_STATUS_OK) s = print_made(args, &jobs, &m);
  parl_jobs_deinit(&jobs);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  return m.n_failed == 0 ? CLI_DONE : CLI_FAILED;
}

/* --- sbatch --- */

/* This program, this folder, as words for a shell. */
static parl_status append_here(const cli_args *args, parl_text *command, parl_text *folder) {
  char here[PATH_MAX], self[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (getcwd(here, sizeof here) == NULL)
    return parl_fail(PARL_STATUS_EIO, "the working folder has no name");
  self[n > 0 ? n : 0] = '\0';
  parl_text_append_shell(folder, here);
  parl_text_append_shell(command, n > 0 ? self : "parl");
  parl_text_append(command, " sweep run --quiet ");
  parl_text_append_shell(command, args->operands[0]);
  return PARL_STATUS_OK;
}

int sweep_sbatch(const cli_args *args) {
  parl_jobs jobs;
  parl_text command = {0}, folder = {0}, text = {0};
  parl_status s = parl_jobs_read(args->operands[0], &jobs);
  if (s == PARL_STATUS_OK) s = append_here(args, &command, &folder);
  if (s == PARL_STATUS_OK)
    s = parl_jobs_append_sbatch(&jobs, parl_text_get(&command), parl_text_get(&folder),
                                args->threads, args->warning, &text);
  if (s == PARL_STATUS_OK)
    s = cli_print(&text);
  else
    parl_text_deinit(&text);
  parl_jobs_deinit(&jobs);
  parl_text_deinit(&command);
  parl_text_deinit(&folder);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
