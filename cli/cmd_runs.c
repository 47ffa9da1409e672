/* cli/cmd_runs.c - parl runs FOLDER: every run that is planned, and making room for others. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/json.h"
#include "parl/run/run_list.h"

/* --- the list --- */

typedef struct table {
  size_t arm_width;
  size_t n, n_done, n_failed, n_lost;
} table;

static parl_status measure(void *context, const parl_run_line *line) {
  table *t = context;
  const size_t n = strlen(line->run->arm);
  if (n > t->arm_width) t->arm_width = n;
  return PARL_STATUS_OK;
}

static void format_time(double s, char out[32]) {
  if (!(s >= 0 && s < 1e9)) return;
  const long whole = (long)s;
  if (whole < 3600)
    snprintf(out, 32, "%ld:%02ld", whole / 60, whole % 60);
  else
    snprintf(out, 32, "%ldh%02ld", whole / 3600, whole / 60 % 60);
}

static parl_status print_line(void *context, const parl_run_line *line) {
  table *t = context;
  char update[48] = "", r_perf[32] = "", time[32] = "";
  if (line->is_trained)
    snprintf(update, sizeof update, "%" PRId64 "/%" PRId64, line->update, line->n_updates);
  if (isfinite(line->r_perf)) snprintf(r_perf, sizeof r_perf, "%.3f", line->r_perf);
  format_time(line->time_s, time);
  printf("%-*s %5" PRId64 "  %-7s %11s  %6s %6s\n", (int)t->arm_width, line->run->arm,
         line->run->seed, line->status, update, r_perf, time);
  if (line->run->error[0] != '\0' && strcmp(line->status, "running") != 0)
    printf("    %.*s\n", (int)strcspn(line->run->error, "\n"), line->run->error);
  t->n++;
  t->n_done += strcmp(line->status, "done") == 0;
  t->n_failed += strcmp(line->status, "failed") == 0;
  t->n_lost += strcmp(line->status, "lost") == 0;
  return PARL_STATUS_OK;
}

static parl_status print_json(void *context, const parl_run_line *line) {
  (void)context;
  const parl_store_run *run = line->run;
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  const char *pairs[] = {"uid",    run->uid,     "recipe",   run->recipe,  "arm",   run->arm,
                         "status", line->status, "holder",   line->holder, "error", run->error,
                         "hash",   run->hash,    "revision", run->revision};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i += 2) {
    parl_json_key(&w, pairs[i]);
    parl_json_string(&w, pairs[i + 1]);
  }
  parl_json_key(&w, "seed");
  parl_json_integer(&w, run->seed);
  parl_json_key(&w, "trained");
  parl_json_bool(&w, line->is_trained);
  parl_json_key(&w, "update");
  parl_json_integer(&w, line->update);
  parl_json_key(&w, "updates");
  parl_json_integer(&w, line->n_updates);
  parl_json_key(&w, "r_perf");
  parl_json_number(&w, line->r_perf);
  parl_json_key(&w, "time_s");
  parl_json_number(&w, line->time_s);
  parl_json_key(&w, "config");
  parl_json_raw(&w, run->config);
  parl_json_end_object(&w);
  return cli_print(&text);
}

static parl_status list_json(const char *folder) {
  return parl_run_list_visit(folder, print_json, NULL);
}

static parl_status list(const char *folder) {
  table t = {.arm_width = 3};
  PARL_TRY(parl_run_list_visit(folder, measure, &t));
  printf("%-*s %5s  %-7s %11s  %6s %6s\n", (int)t.arm_width, "arm", "seed", "status", "update",
         "r_perf", "time");
  PARL_TRY(parl_run_list_visit(folder, print_line, &t));
  printf("\n%zu of %zu runs are done\n", t.n_done, t.n);
  if (t.n_failed > 0)
    printf("%zu failed: parl train RECIPE --retry-failed makes them again\n", t.n_failed);
  if (t.n_lost > 0)
    printf("%zu lost their process: parl train RECIPE goes on with them\n", t.n_lost);
  return PARL_STATUS_OK;
}

/* --- making room --- */

/* Asks a person; where nobody sits the command line was the answer. */
static bool is_confirmed(const char *question) {
  if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return true;
  fprintf(stderr, "%s [y/N] ", question);
  fflush(stderr);
  char answer[16];
  return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static parl_status make_room(const char *folder, const char *arm, bool to_remove, bool *changed) {
  parl_text what = {0};
  parl_status s = parl_run_list_find_arm(folder, arm, to_remove, &what);
  if (s == PARL_STATUS_OK) {
    printf("%s\n%s", to_remove ? "to delete:" : "to retire:", parl_text_get(&what));
    fflush(stdout);
    *changed = is_confirmed(to_remove ? "Delete?" : "Retire?");
    if (*changed)
      s = (to_remove ? parl_run_list_remove_arm : parl_run_list_retire_arm)(folder, arm);
  }
  parl_text_deinit(&what);
  if (s == PARL_STATUS_OK && *changed)
    printf("%s; parl report %s writes the report anew\n", to_remove ? "deleted" : "retired",
           folder);
  return s;
}

int cmd_runs(const cli_args *args) {
  const char *folder = args->operands[0];
  if (args->remove && args->retire) return cli_usage("--remove and --retire exclude each other");
  if (args->json && (args->remove || args->retire))
    return cli_usage("--json lists the runs: it does not go with --remove or --retire");
  bool changed = true;
  parl_status s;
  if (args->remove || args->retire)
    s = make_room(folder, args->remove ? args->remove : args->retire, args->remove != NULL,
                  &changed);
  else
    s = (args->json ? list_json : list)(folder);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  return changed ? CLI_DONE : CLI_FAILED;
}
