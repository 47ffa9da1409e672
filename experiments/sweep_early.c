/* experiments/sweep_early.c - early_terminate and pbt: what is refused, and their rungs. */
#include <stdio.h>
#include <string.h>

#include "experiments/sweep_internal.h"

/* --- what a sweep may ask for --- */

/* A look is at r_perf, and what it prunes may not be what the metric wants. */
parl_status parl_sweep_check_early(const parl_sweep *s) {
  const parl_sweep_config *c = &s->config;
  if (s->early.type == PARL_EARLY_NONE) return PARL_STATUS_OK;
  if (strcmp(c->metric, "r_perf") != 0 || c->goal != PARL_SWEEP_MAXIMIZE)
    return parl_fail(PARL_STATUS_EINVAL,
                     "early_terminate looks at r_perf, and the sweep wants %s %s: what is pruned "
                     "might be the best",
                     c->goal == PARL_SWEEP_MAXIMIZE ? "the greatest" : "the least", c->metric);
  if (c->method == PARL_SWEEP_BAYES)
    return parl_fail(PARL_STATUS_EINVAL,
                     "early_terminate with method = \"bayes\": its model learns from whole runs; "
                     "take grid, random or sobol");
  if (c->method == PARL_SWEEP_PBT)
    return parl_fail(PARL_STATUS_EINVAL,
                     "early_terminate with method = \"pbt\", which replaces the worst itself");
  return PARL_STATUS_OK;
}

/* What pbt finds is a table over updates, so only tables can vary. */
static parl_status check_pbt_key(const char *key) {
  const char *dot = strrchr(key, '.');
  if (dot != NULL && strcmp(dot, ".table") == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "parameters: %s: method = \"pbt\" varies tables of weights over updates, as "
                   "[\"lambda1.table\"]",
                   key);
}

parl_status parl_sweep_check_pbt(const parl_sweep *s) {
  if (s->config.method != PARL_SWEEP_PBT) return PARL_STATUS_OK;
  for (size_t i = 0; i < s->n_parameters; i++) {
    const parl_sweep_parameter *p = &s->parameters[i];
    PARL_TRY(check_pbt_key(p->key));
    if (p->distribution == PARL_DISTRIBUTION_INT_UNIFORM)
      return parl_fail(PARL_STATUS_EINVAL,
                       "parameters[\"%s\"].distribution = \"int_uniform\": a weight of pbt grows "
                       "by a factor; take uniform or log_uniform",
                       p->key);
    for (const parl_json *c = parl_json_get_first(p->also); c != NULL; c = parl_json_get_next(c))
      PARL_TRY(check_pbt_key(parl_json_get_string(c)));
    for (const parl_json *v = p->values ? parl_json_get_first(p->values) : NULL; v != NULL;
         v = parl_json_get_next(v))
      if (parl_json_get_type(v) != PARL_JSON_NUMBER)
        return parl_fail(PARL_STATUS_EINVAL, "parameters[\"%s\"].values: of pbt they are numbers",
                         p->key);
  }
  if (s->config.points < 2)
    return parl_fail(PARL_STATUS_EINVAL, "points = 1: pbt needs a population of 2 or more");
  if (strcmp(s->config.metric, "r_perf") != 0 || s->config.goal != PARL_SWEEP_MAXIMIZE)
    return parl_fail(PARL_STATUS_EINVAL,
                     "method = \"pbt\" ranks by r_perf, maximized: leave out "
                     "metric and goal");
  return PARL_STATUS_OK;
}

/* --- rungs --- */

/* The length of all runs from the first that varies on, and where the last of their weights has
 * annealed. */
static parl_status look_at_plan(const parl_plan *plan, size_t first, int64_t *updates,
                                int64_t *annealed, char weight[PARL_LAMBDA_BYTES]) {
  *updates = plan->cells[first * plan->n_seeds].run.config.train.updates;
  *annealed = 0;
  for (size_t i = first * plan->n_seeds; i < plan->n_trained; i += plan->n_seeds) {
    const parl_run *run = &plan->cells[i].run;
    char name[PARL_LAMBDA_BYTES];
    int64_t at;
    if (run->config.train.updates != *updates)
      return parl_fail(
          PARL_STATUS_EINVAL,
          "early_terminate compares runs of one length, but train.updates is %lld and, "
          "of arm \"%s\", %lld",
          (long long)*updates, run->name, (long long)run->config.train.updates);
    PARL_TRY(parl_fail_context(parl_run_config_get_annealed(&run->config, &at, name),
                               "early_terminate: arm \"%s\"", run->name));
    if (at <= *annealed) continue;
    *annealed = at;
    snprintf(weight, PARL_LAMBDA_BYTES, "%s", name);
  }
  return PARL_STATUS_OK;
}

static parl_status fill(const parl_early_config *c, int64_t updates, int64_t annealed,
                        const char *weight, parl_rungs *out) {
  const int64_t part = updates / c->eta > 0 ? updates / c->eta : 1;
  const int64_t first = c->min_updates > 0 ? c->min_updates : annealed > 0 ? annealed : part;
  if (first < annealed)
    return parl_fail(
        PARL_STATUS_EINVAL,
        "early_terminate.min_updates = %lld: %s has annealed after %lld updates; before "
        "that a run still learns for another reward than in the end",
        (long long)first, weight, (long long)annealed);
  if (first >= updates)
    return parl_fail(PARL_STATUS_EINVAL,
                     "early_terminate: the first rung is after %lld updates%s%s, but a run has "
                     "%lld: nothing is left to prune",
                     (long long)first,
                     annealed == first ? ", when the last weight has annealed: " : "",
                     annealed == first ? weight : "", (long long)updates);
  for (int64_t at = first; at < updates && out->n < PARL_MAX_RUNGS; at *= c->eta)
    out->at[out->n++] = at;
  return PARL_STATUS_OK;
}

static parl_status fill_of_pbt(const parl_pbt_config *c, int64_t updates, parl_rungs *out) {
  const int64_t interval = c->interval > 0 ? c->interval : updates >= 10 ? updates / 10 : 1;
  if (interval >= updates || (updates - 1) / interval > PARL_MAX_RUNGS)
    return parl_fail(PARL_STATUS_EINVAL,
                     "pbt.interval = %lld of %lld updates: 1 to %d rankings are before the end",
                     (long long)interval, (long long)updates, PARL_MAX_RUNGS);
  for (int64_t at = interval; at < updates; at += interval) out->at[out->n++] = at;
  out->n_tasks = c->tasks;
  return PARL_STATUS_OK;
}

parl_status parl_sweep_get_rungs(const parl_sweep *sweep, const parl_plan *plan, parl_rungs *out) {
  int64_t updates, annealed;
  char weight[PARL_LAMBDA_BYTES] = "";
  *out = (parl_rungs){.n_tasks = sweep->early.tasks};
  if (sweep->config.method == PARL_SWEEP_PBT) {
    const size_t first = parl_sweep_count_fixed(sweep) * plan->n_seeds;
    return parl_fail_context(
        fill_of_pbt(&sweep->pbt, plan->cells[first].run.config.train.updates, out), "%s",
        sweep->path);
  }
  if (sweep->early.type == PARL_EARLY_NONE) return PARL_STATUS_OK;
  PARL_TRY(look_at_plan(plan, parl_sweep_count_fixed(sweep), &updates, &annealed, weight));
  return parl_fail_context(fill(&sweep->early, updates, annealed, weight, out), "%s", sweep->path);
}
