/* parl/swarm/episode_budget.c - what an episode may cost, and what it did. */
#include <math.h>

#include "parl/swarm/episode.h"

/* What went, in what the budget counts. */
static int64_t get_used(const parl_episode_env *ee, const parl_episode *ep) {
  switch (ee->config->episode.budget_counts) {
    case PARL_BUDGET_TOTAL:
      return ep->total;
    case PARL_BUDGET_MAKESPAN:
      return ep->cost.makespan;
    case PARL_BUDGET_TOKENS:
      return ep->written;
    default:
      return ep->critical;
  }
}

/* Of it what a step of the orchestrator takes. */
static int64_t get_price(const parl_episode_env *ee) {
  switch (ee->config->episode.budget_counts) {
    case PARL_BUDGET_MAKESPAN:
      return PARL_COST_UNIT + ee->cost.step;
    case PARL_BUDGET_TOKENS:
      return 0; /* its tokens are written already */
    default:
      return 1;
  }
}

/* Counted where the budget does. */
static double to_fact(const parl_episode_env *ee, int64_t used) {
  const bool is_makespan = ee->config->episode.budget_counts == PARL_BUDGET_MAKESPAN;
  return (double)used / (is_makespan ? PARL_COST_UNIT : 1);
}

static void set_budget(const parl_episode_env *ee, parl_episode *ep,
                       const parl_env_optimum *optimum) {
  const parl_episode_config *c = &ee->config->episode;
  const int64_t unit = c->budget_counts == PARL_BUDGET_MAKESPAN ? PARL_COST_UNIT : 1;
  ep->budget = INT64_MAX;
  if (c->budget_steps > 0)
    ep->budget = c->budget_steps * unit;
  else if (c->budget_factor > 0)
    ep->budget = (int64_t)(c->budget_factor * (double)optimum->critical_steps + 1e-9) * unit;
  ep->facts.budget_steps = ep->budget == INT64_MAX ? 0 : to_fact(ee, ep->budget);
}

static double get_cap_width(const parl_episode_env *ee) {
  const int64_t own = ee->config->episode.max_width, widest = ee->spec->limits.max_width;
  return (double)(own > 0 && own < widest ? own : widest);
}

void parl_episode_put_task(const parl_episode_env *ee, parl_episode *ep,
                           const parl_env_optimum *optimum) {
  parl_facts *f = &ep->facts;
  f->optimum_steps = (double)optimum->critical_steps;
  f->serial_steps = (double)optimum->serial_steps;
  f->optimum_width = optimum->width < 0 ? (double)NAN : (double)optimum->width;
  f->optimum_is = optimum->is;
  f->cap_width = get_cap_width(ee);
  set_budget(ee, ep, optimum);
}

static int64_t get_left(const parl_episode_env *ee, const parl_episode *ep) {
  return ep->budget - get_used(ee, ep);
}

bool parl_episode_can_step(const parl_episode_env *ee, const parl_episode *ep) {
  return get_left(ee, ep) >= get_price(ee);
}

bool parl_episode_share(const parl_episode_env *ee, parl_episode *ep, int n) {
  const int counts = ee->config->episode.budget_counts;
  const int64_t most = ee->spec->limits.sub_steps;
  const int64_t overhead = counts == PARL_BUDGET_MAKESPAN ? ee->cost.launch : 0;
  const int64_t left = get_left(ee, ep) - get_price(ee) - overhead;
  if (left < 0) return false;
  int64_t share = left;
  if (counts == PARL_BUDGET_TOTAL) share = left / n;
  if (counts == PARL_BUDGET_MAKESPAN) share = parl_cost_get_share(&ee->cost, (size_t)n, left, most);
  if (counts == PARL_BUDGET_TOKENS) share = most;
  ep->sub_limit = most < share ? most : share;
  ep->sub_tokens = counts == PARL_BUDGET_TOKENS ? left / n : INT64_MAX;
  return share >= 0;
}

parl_status parl_episode_spend(const parl_episode_env *ee, parl_episode *ep,
                               const parl_stage *stage) {
  int64_t critical, total;
  PARL_TRY(parl_critical_steps(stage, 1, &critical));
  PARL_TRY(parl_total_steps(stage, 1, &total));
  PARL_TRY(parl_makespan_add(stage, 1, &ee->cost, &ep->cost));
  ep->critical += critical;
  ep->total += total;
  parl_stages_spend(&ep->job->out->stages, stage);
  return PARL_STATUS_OK;
}

bool parl_context_can_write(const parl_episode_env *ee, const parl_context *c) {
  if (ee->config->episode.budget_counts != PARL_BUDGET_TOKENS) return true;
  return c->is_main ? get_left(ee, c->episode) > 0 : c->n_written < c->episode->sub_tokens;
}

void parl_episode_put_costs(const parl_episode_env *ee, parl_episode *ep) {
  parl_facts *f = &ep->facts;
  f->critical_steps = (double)ep->critical;
  f->total_steps = (double)ep->total;
  f->makespan = (double)ep->cost.makespan / PARL_COST_UNIT;
  f->queue_steps = (double)ep->cost.queue / PARL_COST_UNIT;
  f->all_tokens = (double)ep->written;
  f->budget_used = to_fact(ee, get_used(ee, ep));
}
