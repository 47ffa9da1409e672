/* cli/cmd_train.c - parl train RECIPE. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "cli/cli.h"
#include "core/clock.h"
#include "core/json.h"
#include "experiments/experiment.h"
#include "experiments/report.h"

/* Progress of all runs as one line. Units: warm-start steps and updates. */
typedef struct meter {
  pthread_mutex_t mutex;
  bool interactive;
  double start_s, last_print_s;
  int64_t done, total;
} meter;

static int64_t count_units(const parl_recipe *recipe) {
  int64_t total = 0;
  for (size_t a = 0; a < parl_recipe_get_n_arms(recipe); a++) {
    const parl_run_config *c = parl_recipe_get_arm(recipe, a);
    total += c->run.n_seeds * (c->train.updates + (a == 0 ? c->warm.steps : 0));
  }
  return total;
}

static void print_meter(meter *m, const parl_progress *p, double now) {
  /* Warm starts of later arms are not counted beforehand: more may be done than was counted. */
  const double share = m->done < m->total ? (double)m->done / (double)m->total : 1.0;
  const double eta = share > 0 ? (now - m->start_s) * (1 - share) / share : 0;
  char run[96] = "", numbers[96] = "";
  snprintf(run, sizeof run, "%s%s seed %lld %lld/%lld", p->arm, p->arm[0] ? "" : p->phase,
           (long long)p->seed, (long long)p->done, (long long)p->n);
  if (!isnan(p->r_perf))
    snprintf(numbers, sizeof numbers, "  r_perf %.3f  critical %.1f  launch %.0f%%", p->r_perf,
             p->critical_steps, 100 * p->launch_rate);
  fprintf(stderr, "%s%3.0f%%  %d:%02d left  %s%s%s", m->interactive ? "\r\033[K" : "", 100 * share,
          (int)eta / 60, (int)eta % 60, run, numbers, m->interactive ? "" : "\n");
  fflush(stderr);
}

static void on_progress(void *context, const parl_progress *p) {
  meter *m = context;
  pthread_mutex_lock(&m->mutex);
  m->done++;
  const double now = parl_clock_s();
  if (now - m->last_print_s >= (m->interactive ? 0.25 : 5.0)) {
    m->last_print_s = now;
    print_meter(m, p, now);
  }
  pthread_mutex_unlock(&m->mutex);
}

static void print_json(const parl_experiment_result *r, const char *folder) {
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
  puts(parl_text_get(&text));
  parl_text_deinit(&text);
}

static void print_failures(const parl_experiment_result *r) {
  fprintf(stderr, "parl: %zu run%s failed:\n%s", r->n_failed, r->n_failed == 1 ? "" : "s",
          parl_text_get(&r->failures));
}

/* What cannot be trained is said before anything is; from then on nothing is the command line's
 * fault. */
static parl_status run(const parl_host *host, parl_experiment_result *result) {
  parl_plan *plan = NULL;
  PARL_TRY(parl_plan_make(host, &plan));
  cli_begin_work();
  const parl_status s = parl_experiment_run_plan(host, plan, result);
  parl_plan_destroy(plan);
  return s;
}

static parl_status train(const cli_args *args, const parl_recipe *recipe, meter *m,
                         size_t *n_failed) {
  parl_log log;
  parl_log_init(&log, cli_log_sink, NULL, args->quiet ? PARL_LOG_WARNING : PARL_LOG_INFO);
  const parl_host host = {.recipe = recipe,
                          .log = &log,
                          .stop = cli_catch_signals(),
                          .scripts = cli_get_script_host(args->quiet),
                          .progress = args->quiet ? NULL : on_progress,
                          .context = m};
  parl_experiment_result result = {0};
  parl_status s = run(&host, &result);
  if (m->interactive && !args->quiet) fprintf(stderr, "\r\033[K");
  parl_text table = {0};
  const char *folder = parl_recipe_get_folder(recipe);
  if (s == PARL_STATUS_OK) s = parl_report_write(folder, &table);
  if (s == PARL_STATUS_OK && args->json) print_json(&result, folder);
  if (s == PARL_STATUS_OK && !args->json) {
    fputs(parl_text_get(&table), stdout);
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
  parl_log_deinit(&log);
  return s;
}

int cmd_train(const cli_args *args) {
  parl_recipe *recipe;
  parl_status s = cli_load_recipe(args, &recipe);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  meter m = {.mutex = PTHREAD_MUTEX_INITIALIZER,
             .interactive = cli_is_interactive(),
             .start_s = parl_clock_s(),
             .total = count_units(recipe)};
  size_t n_failed = 0;
  s = train(args, recipe, &m, &n_failed);
  parl_recipe_destroy(recipe);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  return n_failed == 0 ? CLI_DONE : CLI_FAILED;
}
