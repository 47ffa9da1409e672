/* cli/cmd_counterfactual.c - parl counterfactual CHECKPOINT. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/eval.h"
#include "core/json.h"
#include "parl/run/counterfactual.h"

enum { CELL_BYTES = 64 };

/* --- the result --- */

/* "+0.123 [+0.100, +0.146]"; "-" where there is nothing. */
static const char *format(const parl_interval *x, char cell[CELL_BYTES]) {
  if (isnan(x->value))
    snprintf(cell, CELL_BYTES, "-");
  else if (isnan(x->lo))
    snprintf(cell, CELL_BYTES, "%+.3f", x->value);
  else
    snprintf(cell, CELL_BYTES, "%+.3f [%+.3f, %+.3f]", x->value, x->lo, x->hi);
  return cell;
}

static void print_effect(const char *name, const parl_effect *e) {
  char cells[3][CELL_BYTES];
  printf("  %-12s %8.0f  %-26s %-26s %-26s %s %s\n", name, e->n, format(&e->r_perf, cells[0]),
         format(&e->critical_steps, cells[1]), format(&e->reward, cells[2]),
         cli_fixed(6, 3, e->same).text, cli_fixed(6, 3, e->worse).text);
}

static void print_text(const eval_run *run, const parl_counterfactual *r, bool by_launch) {
  printf(
      "arm %s, seed %lld: %.0f held-out episodes, %.0f of them with a "
      "launch; %.0f played again\n",
      run->run.name, (long long)run->run.config.run.seed, r->parts[0].n_tasks,
      r->parts[0].n_launching, r->n_rerolls);
  printf("  %-12s %8s  %-26s %-26s %-26s %6s %6s\n", "as it is -", "n", "r_perf", "critical steps",
         "reward", "same", "worse");
  for (size_t i = 0; i < r->n_parts; i++) {
    if (r->parts[i].family[0] != '\0') printf("%s\n", r->parts[i].family);
    print_effect(by_launch ? "without it" : "without one", &r->parts[i].without);
    print_effect("finish", &r->parts[i].stop);
    if (r->parts[i].over_orders.n > 0) print_effect("over orders", &r->parts[i].over_orders);
  }
}

static void write_number(parl_json_writer *w, const char *key, double x) {
  parl_json_key(w, key);
  parl_json_number(w, x);
}

static void write_interval(parl_json_writer *w, const char *key, const parl_interval *x) {
  parl_json_key(w, key);
  parl_json_begin_object(w);
  write_number(w, "value", x->value);
  write_number(w, "lo", x->lo);
  write_number(w, "hi", x->hi);
  parl_json_end_object(w);
}

static void write_effect(parl_json_writer *w, const char *key, const parl_effect *e) {
  parl_json_key(w, key);
  parl_json_begin_object(w);
  write_number(w, "n", e->n);
  write_interval(w, "r_perf", &e->r_perf);
  write_interval(w, "critical_steps", &e->critical_steps);
  write_interval(w, "reward", &e->reward);
  write_number(w, "same", e->same);
  write_number(w, "worse", e->worse);
  parl_json_end_object(w);
}

static void write_text(parl_json_writer *w, const char *key, const char *text) {
  parl_json_key(w, key);
  parl_json_string(w, text);
}

static parl_status print_json(const eval_run *run, const parl_counterfactual *r, const char *at,
                              const char *after, bool has_orders) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  write_text(&w, "arm", run->run.name);
  parl_json_key(&w, "seed");
  parl_json_integer(&w, run->run.config.run.seed);
  write_text(&w, "at", at);
  write_text(&w, "after", after);
  write_number(&w, "rerolls", r->n_rerolls);
  write_number(&w, "reroll_steps", r->steps);
  parl_json_key(&w, "parts");
  parl_json_begin_array(&w);
  for (size_t i = 0; i < r->n_parts; i++) {
    const parl_counterfactual_part *part = &r->parts[i];
    parl_json_begin_object(&w);
    write_text(&w, "family", part->family);
    write_number(&w, "tasks", part->n_tasks);
    write_number(&w, "launching", part->n_launching);
    write_effect(&w, "without", &part->without);
    write_effect(&w, "finish", &part->stop);
    if (has_orders) write_effect(&w, "orders", &part->over_orders);
    parl_json_end_object(&w);
  }
  parl_json_end_array(&w);
  parl_json_end_object(&w);
  return cli_print(&text);
}

/* --- the command --- */

/* The recipe's name as the checkpoint has it. */
static parl_status find_recipe(const cli_args *args, char *out, size_t n) {
  parl_origin origin = {0};
  if (args->recipe != NULL) {
    snprintf(out, n, "%s", args->recipe);
    return PARL_STATUS_OK;
  }
  PARL_TRY(parl_origin_read(args->operands[0], &origin));
  const char *name = parl_json_get_string(parl_json_find(origin.config, "recipe"));
  snprintf(out, n, "%s", name != NULL ? name : "");
  parl_origin_deinit(&origin);
  if (out[0] != '\0') return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "%s: it does not say which recipe it is of; name it with --recipe",
                   args->operands[0]);
}

static parl_status run(const cli_args *args, eval_state *e, bool by_launch, bool goes_on,
                       parl_counterfactual *out) {
  const int64_t tasks = args->episodes > 0 ? args->episodes : e->chosen.run.config.eval.tasks;
  const parl_counterfactual_def def = {
      .host = &e->chosen.host,
      .run = &e->chosen.run,
      .policy = e->policy,
      .subs = &e->subs,
      .at = by_launch ? PARL_COUNTERFACTUAL_LAUNCH : PARL_COUNTERFACTUAL_ASSIGNMENT,
      .goes_on = goes_on,
      .n_tasks = (size_t)tasks,
      .n_orders = (int)args->orders,
      .workers = e->workers};
  PARL_TRY(parl_counterfactual_run(&def, out));
  parl_failures_warn(&out->failures, &e->log, "counterfactual", PARL_PHASE_EVALUATION);
  return PARL_STATUS_OK;
}

int cmd_counterfactual(const cli_args *args) {
  const char *at = args->at != NULL ? args->at : "launch";
  const char *after = args->after != NULL ? args->after : "policy";
  const bool by_launch = strcmp(at, "launch") == 0;
  char recipe[CLI_PATH_BYTES];
  eval_state e = {0};
  parl_counterfactual result = {0};
  cli_args of = *args; /* as `parl eval` has it */
  of.operands[0] = recipe;
  of.checkpoint = args->operands[0];
  parl_status s = find_recipe(args, recipe, sizeof recipe);
  if (s == PARL_STATUS_OK) s = cli_load_recipe(&of, &e.recipe);
  if (args->recipe == NULL)
    s = parl_fail_context(s, "%s (its recipe can be named with --recipe)", args->operands[0]);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  s = eval_open(&of, &e);
  if (s == PARL_STATUS_OK) s = run(args, &e, by_launch, strcmp(after, "policy") == 0, &result);
  if (s == PARL_STATUS_OK && args->json)
    s = print_json(&e.chosen, &result, at, after, args->orders > 0);
  else if (s == PARL_STATUS_OK)
    print_text(&e.chosen, &result, by_launch);
  eval_close(&e);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
