/* cli/cmd_eval.c - parl eval RECIPE. */
#include <math.h>
#include <stdio.h>

#include "cli/eval.h"
#include "core/json.h"
#include "parl/run/evaluator.h"

enum { CELL_BYTES = 32 };

static void write_means(parl_json_writer *w, const char *key, const parl_means *m) {
  parl_json_key(w, key);
  parl_json_begin_object(w);
  for (int i = 0; i < PARL_N_MEANS; i++) {
    parl_json_key(w, parl_mean_names[i]);
    parl_json_number(w, parl_means_get_values(m)[i]);
  }
  parl_json_end_object(w);
}

static void write_slots(parl_json_writer *w, const parl_slots_means *m) {
  parl_json_key(w, "slots");
  parl_json_begin_object(w);
#define X(name, unit, meaning) \
  parl_json_key(w, #name);     \
  parl_json_number(w, m->name);
  PARL_SLOTS_LIST(X)
#undef X
  parl_json_end_object(w);
}

static void print_slots(const parl_slots_means *m, int64_t slots) {
  printf("on %lld slots:\n", (long long)slots);
#define X(name, unit, meaning) printf("%-16s %10.4f   (%s; %s)\n", #name, m->name, unit, meaning);
  PARL_SLOTS_LIST(X)
#undef X
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
    if (run->run.config.cost.slots > 0) print_slots(&e->slots, run->run.config.cost.slots);
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
  if (run->run.config.cost.slots > 0) write_slots(&w, &e->slots);
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
  s = eval_open(args, &e);
  if (s == PARL_STATUS_OK)
    s = parl_evaluate(&(parl_evaluation_def){.host = &e.chosen.host,
                                             .run = &e.chosen.run,
                                             .policy = e.policy,
                                             .style = args->style,
                                             .subs = &e.subs,
                                             .label = "eval",
                                             .n_tasks = (size_t)tasks,
                                             .workers = e.workers},
                      NULL, 0, &result);
  if (s == PARL_STATUS_OK) {
    parl_failures_warn(&result.failures, &e.log, "eval", PARL_PHASE_EVALUATION);
    s = print_evaluation(args, &e.chosen, &result);
  }
  eval_close(&e);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
