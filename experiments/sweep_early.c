/* experiments/sweep_early.c - the rungs of a sweep that prunes. */
#include <stdio.h>

#include "experiments/sweep_run.h"

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

parl_status parl_sweep_get_rungs(const parl_sweep *sweep, const parl_plan *plan, parl_rungs *out) {
  int64_t updates, annealed;
  char weight[PARL_LAMBDA_BYTES] = "";
  *out = (parl_rungs){.n_tasks = sweep->early.tasks};
  if (sweep->early.type == PARL_EARLY_NONE) return PARL_STATUS_OK;
  PARL_TRY(look_at_plan(plan, parl_sweep_count_fixed(sweep), &updates, &annealed, weight));
  return parl_fail_context(fill(&sweep->early, updates, annealed, weight, out), "%s", sweep->path);
}
