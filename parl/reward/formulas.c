/* parl/reward/formulas.c - the named definitions of the built-in terms: get_<term> of every row of
 * PARL_TERM_LIST. */
#include "parl/reward/formulas.h"

#include <math.h>

/* A rate of nothing is 0: an episode without assignments earns no shaped reward. */
static double ratio(double part, double whole) {
  return whole > 0 || isnan(whole) ? part / whole : 0;
}

static double get_parallel(const parl_reward_config *c, const parl_group *group, size_t k) {
  const parl_facts *f = group->of[k].facts;
  if (f->assigned == 0) return 0;
  const double cap = (double)c->parallel_cap;
  switch (c->parallel) {
    case PARL_PARALLEL_INSTANTIATION:
      return (f->assigned < cap ? f->assigned : cap) / cap;
    case PARL_PARALLEL_CONCURRENCY:
      return ratio(ratio(f->sub_steps, f->sub_max_steps), f->cap_width);
    case PARL_PARALLEL_OVERLAP:
      return f->total_steps > 0 ? 1 - f->critical_steps / f->total_steps : 0;
    case PARL_PARALLEL_LOG_COUNT:
      return fmin(1, log(1 + f->assigned) / log(1 + cap));
    case PARL_PARALLEL_REALISED:
      return f->r_perf * fmax(0, 1 - f->critical_steps / f->serial_steps);
    default: {
      const double width = ratio(f->max_width, f->optimum_width);
      return width > 1 ? 1 : width;
    }
  }
}

static double get_finish(const parl_reward_config *c, const parl_group *group, size_t k) {
  const parl_facts *f = group->of[k].facts;
  if (f->assigned == 0) return 0;
  switch (c->finish) {
    case PARL_FINISH_USEFUL:
      return ratio(f->useful, f->assigned);
    case PARL_FINISH_NON_EMPTY:
      return ratio(f->finished - f->empty_finishes, f->assigned);
    default:
      return ratio(f->finished, f->assigned);
  }
}

static double get_perf(const parl_reward_config *c, const parl_group *group, size_t k) {
  (void)c;
  return group->of[k].facts->r_perf;
}

static double get_early(const parl_reward_config *c, const parl_group *group, size_t k) {
  (void)c;
  const parl_facts *f = group->of[k].facts;
  const double left = f->budget_steps - f->budget_used;
  if (f->end != PARL_END_FINISH || left <= 0) return 0;
  return f->success * left / f->budget_steps;
}

const parl_formula parl_formulas[PARL_N_TERMS] = {
#define X(term, ...) get_##term,
    PARL_TERM_LIST(X)
#undef X
};
