/* parl/reward/formulas.c - the named definitions of the built-in terms: get_<term> of every row of
 * PARL_TERM_LIST; of an episode, and the same functions of columns. */
#include "parl/reward/formulas.h"

#include <math.h>

/* A rate of nothing is 0: an episode without assignments earns no shaped reward. */
static double ratio(double part, double whole) {
  return whole > 0 || isnan(whole) ? part / whole : 0;
}

static inline double get_parallel_of(int kind, double cap, const parl_facts *f) {
  if (f->assigned == 0) return 0;
  switch (kind) {
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

static double get_parallel(const parl_reward_config *c, const parl_group *group, size_t k) {
  return get_parallel_of((int)c->parallel, (double)c->parallel_cap, group->of[k].facts);
}

static inline double get_finish_of(int kind, const parl_facts *f) {
  if (f->assigned == 0) return 0;
  switch (kind) {
    case PARL_FINISH_USEFUL:
      return ratio(f->useful, f->assigned);
    case PARL_FINISH_NON_EMPTY:
      return ratio(f->finished - f->empty_finishes, f->assigned);
    default:
      return ratio(f->finished, f->assigned);
  }
}

static double get_finish(const parl_reward_config *c, const parl_group *group, size_t k) {
  return get_finish_of((int)c->finish, group->of[k].facts);
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

/* --- of columns --- */

static inline parl_facts get_facts(const parl_fact_columns *of, size_t i) {
  return (parl_facts){.end = PARL_END_FINISH,
#define X(name, unit, meaning) .name = of->of[PARL_FACT_##name][i],
                      PARL_FACT_LIST(X)
#undef X
  };
}

/* A loop for each definition, so that a compiler can make vectors of it. */
#define EACH(value)                            \
  for (size_t i = 0; i < n; i++) {             \
    const parl_facts facts = get_facts(of, i); \
    out[i] = (value);                          \
  }

static void get_parallels(const parl_reward_config *c, const parl_fact_columns *of, size_t n,
                          double *restrict out) {
  const double cap = (double)c->parallel_cap;
  switch (c->parallel) {
#define KIND(kind)                           \
  case kind:                                 \
    EACH(get_parallel_of(kind, cap, &facts)) \
    break;
    KIND(PARL_PARALLEL_INSTANTIATION)
    KIND(PARL_PARALLEL_CONCURRENCY)
    KIND(PARL_PARALLEL_OVERLAP)
    KIND(PARL_PARALLEL_LOG_COUNT)
    KIND(PARL_PARALLEL_REALISED)
    default:
      EACH(get_parallel_of(PARL_PARALLEL_WIDTH, cap, &facts))
#undef KIND
  }
}

static void get_finishes(const parl_reward_config *c, const parl_fact_columns *of, size_t n,
                         double *restrict out) {
  if (c->finish == PARL_FINISH_USEFUL)
    EACH(get_finish_of(PARL_FINISH_USEFUL, &facts))
  else if (c->finish == PARL_FINISH_NON_EMPTY)
    EACH(get_finish_of(PARL_FINISH_NON_EMPTY, &facts))
  else
    EACH(get_finish_of(PARL_FINISH_RETURNED, &facts))
}

void parl_formula_columns(const parl_reward_config *c, parl_term term, const parl_fact_columns *of,
                          size_t n, double *restrict out) {
  if (term == PARL_TERM_parallel) return get_parallels(c, of, n, out);
  if (term == PARL_TERM_finish) return get_finishes(c, of, n, out);
#define X(name, ...)            \
  if (term == PARL_TERM_##name) \
  EACH(get_##name(c, &(parl_group){.of = &(parl_outcome){.facts = &facts}, .K = 1}, 0))
  PARL_TERM_LIST(X)
#undef X
}
