/* parl/swarm/means.c - sums over episodes, and their means. */
#include "parl/swarm/means.h"

#include <math.h>

double parl_known_steps(double steps) {
  return steps > 0 ? steps : (double)NAN;
}

double parl_facts_get_concurrency(const parl_facts *f) {
  return f->critical_steps > 0 ? f->total_steps / f->critical_steps : 1.0;
}

double parl_facts_get_speed_up(const parl_facts *f) {
  return parl_known_steps(f->serial_steps) / parl_known_steps(f->critical_steps);
}

const char *const parl_mean_names[PARL_N_MEANS] = {
#define X(name, v, w) #name,
    PARL_MEAN_LIST(X)
#undef X
};

/* The last rows of the list. */
enum {
#define X(name, v, w) COUNT_##name,
  PARL_MEAN_END_LIST(X)
#undef X
      N_ENDS
};

const double *parl_means_get_values(const parl_means *means) {
  return (const double *)(const void *)means; /* all members are doubles */
}

static void add(parl_mean_sums *s, int i, double value, double weight) {
  if (isnan(value) || !(weight > 0)) return;
  s->sum[i] += value;
  s->weight[i] += weight;
}

void parl_mean_sums_add(parl_mean_sums *sums, const parl_facts *facts, bool failed) {
  parl_facts known = {.end = PARL_END_ERROR};
  const parl_facts *f = &known;
  int i = 0;
  if (!failed) known = *facts;
  known.optimum_steps = parl_known_steps(known.optimum_steps);
  known.serial_steps = parl_known_steps(known.serial_steps);
  *(failed ? &sums->n_failed : &sums->n) += 1;
#define X(name, v, w) add(sums, i++, v, w);
  if (failed) {
    i = PARL_N_MEANS - N_ENDS;
    PARL_MEAN_END_LIST(X)
  } else {
    PARL_MEAN_LIST(X)
  }
#undef X
}

parl_means parl_mean_sums_get(const parl_mean_sums *sums) {
  int i = 0;
  parl_means m;
#define X(name, v, w) \
  m.name = sums->weight[i] > 0 ? sums->sum[i] / sums->weight[i] : (double)NAN, i++;
  PARL_MEAN_LIST(X)
#undef X
  return m;
}
