/* parl/reward/advantage.c - one routine gives the contributions to an advantage; all else sums
 * them. */
#include "parl/reward/advantage.h"

#include <math.h>

static const double STD_FLOOR = 1e-6;

/* Mean, population std and whether all values are equal. */
typedef struct moments {
  double mean, std;
  bool flat;
} moments;

/* A term, or the whole reward behind them. */
enum { TOTAL = PARL_N_TERMS };

typedef struct batch {
  parl_advantage_mode mode;
  const parl_reward_terms *terms; /* [n_groups * K] */
  size_t n_groups, K;
  const parl_reward_terms *weights;
  double std; /* of r - group mean over the batch, mode batch only */
} batch;

/* Moments of a group's term or total. */
typedef struct group {
  moments of[TOTAL + 1];
} group;

static double get_value(const batch *b, const parl_reward_terms *x, int which) {
  return which == TOTAL ? parl_reward_total(x, b->weights) : parl_terms_get(x)[which];
}

static moments get_moments(const batch *b, const parl_reward_terms *x, int which) {
  const double first = get_value(b, x, which);
  double sum = 0, squares = 0;
  bool flat = true;
  for (size_t k = 0; k < b->K; k++) {
    const double value = get_value(b, &x[k], which);
    sum += value;
    if (value != first) flat = false;
  }
  if (flat) return (moments){first, 0, true};
  const double mean = sum / (double)b->K;
  for (size_t k = 0; k < b->K; k++) {
    const double centred = get_value(b, &x[k], which) - mean;
    squares += centred * centred;
  }
  return (moments){mean, sqrt(squares / (double)b->K), false};
}

static group get_group(const batch *b, size_t g) {
  const parl_reward_terms *x = &b->terms[g * b->K];
  group out;
  for (int which = 0; which <= TOTAL; which++) out.of[which] = get_moments(b, x, which);
  return out;
}

/* Contributions of the terms to the advantage of one rollout. */
static void get_contributions(const batch *b, const group *g, const parl_reward_terms *x,
                              double out[PARL_N_TERMS]) {
  const double *weight = parl_terms_get(b->weights);
  for (int which = 0; which < PARL_N_TERMS; which++) {
    const moments *m = &g->of[which];
    const double centred = get_value(b, x, which) - m->mean;
    switch (b->mode) {
      case PARL_ADVANTAGE_NONE:
        out[which] = weight[which] * get_value(b, x, which);
        break;
      case PARL_ADVANTAGE_MEAN:
        out[which] = weight[which] * centred;
        break;
      case PARL_ADVANTAGE_MEAN_STD:
        out[which] = weight[which] * centred / (g->of[TOTAL].std + STD_FLOOR);
        break;
      case PARL_ADVANTAGE_PER_TERM:
        out[which] = weight[which] * centred / (m->std + STD_FLOOR);
        break;
      case PARL_ADVANTAGE_BATCH:
        out[which] = weight[which] * centred / (b->std + STD_FLOOR);
        break;
    }
  }
}

static parl_status check(const batch *b) {
  const int mode = (int)b->mode;
  PARL_REQUIRE(mode >= PARL_ADVANTAGE_NONE && mode <= PARL_ADVANTAGE_BATCH);
  PARL_REQUIRE(b->K >= 1);
  for (int which = 0; which < PARL_N_TERMS; which++)
    PARL_REQUIRE(isfinite(parl_terms_get(b->weights)[which]));
  for (size_t i = 0; i < b->n_groups * b->K; i++)
    for (int which = 0; which < PARL_N_TERMS; which++)
      if (!isfinite(parl_terms_get(&b->terms[i])[which]))
        return parl_fail(PARL_STATUS_EINVAL,
                         "advantage: rollout %zu of group %zu has %s = %g; it must be finite",
                         i % b->K, i / b->K, parl_term_names[which],
                         parl_terms_get(&b->terms[i])[which]);
  return PARL_STATUS_OK;
}

/* The mean of r - group mean over the batch is 0, so its variance is the mean of the groups'. */
static double get_batch_std(const batch *b) {
  double variance = 0;
  for (size_t g = 0; g < b->n_groups; g++) {
    const moments m = get_moments(b, &b->terms[g * b->K], TOTAL);
    variance += m.std * m.std;
  }
  return b->n_groups > 0 ? sqrt(variance / (double)b->n_groups) : 0;
}

static parl_status init(batch *b) {
  PARL_TRY(check(b));
  if (b->mode == PARL_ADVANTAGE_BATCH) b->std = get_batch_std(b);
  return PARL_STATUS_OK;
}

/* Exactly 0 in a group without spread, where rounding of the contributions may leave a trace. */
static double get_advantage(const batch *b, const group *g, const parl_reward_terms *x,
                            double contributions[PARL_N_TERMS]) {
  get_contributions(b, g, x, contributions);
  const bool flat =
      b->mode != PARL_ADVANTAGE_NONE && b->mode != PARL_ADVANTAGE_PER_TERM && g->of[TOTAL].flat;
  double sum = 0;
  for (int which = 0; which < PARL_N_TERMS && !flat; which++) sum += contributions[which];
  return sum;
}

parl_status parl_advantage(parl_advantage_mode mode, const parl_reward_terms *terms,
                           size_t n_groups, size_t K, const parl_reward_terms *weights,
                           double *out) {
  batch b = {mode, terms, n_groups, K, weights, 0};
  PARL_TRY(init(&b));
  for (size_t i = 0; i < n_groups * K; i += K) {
    const group g = get_group(&b, i / K);
    for (size_t k = 0; k < K; k++) {
      double contributions[PARL_N_TERMS];
      out[i + k] = get_advantage(&b, &g, &terms[i + k], contributions);
    }
  }
  return PARL_STATUS_OK;
}

/* Sums over rollouts and counts over groups, before they become shares. */
typedef struct tally {
  double abs_term[PARL_N_TERMS], abs_total, abs_shaped_only;
  size_t n_flat_perf, n_flat_total;
} tally;

static void count_group(const batch *b, size_t g, tally *t) {
  const group moments_of = get_group(b, g);
  const bool flat_perf = moments_of.of[PARL_TERM_perf].flat;
  t->n_flat_perf += flat_perf;
  t->n_flat_total += moments_of.of[TOTAL].flat;
  for (size_t k = 0; k < b->K; k++) {
    double c[PARL_N_TERMS];
    const double advantage = fabs(get_advantage(b, &moments_of, &b->terms[g * b->K + k], c));
    t->abs_total += advantage;
    if (flat_perf) t->abs_shaped_only += advantage;
    for (int which = 0; which < PARL_N_TERMS; which++) t->abs_term[which] += fabs(c[which]);
  }
}

static double divide(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

parl_status parl_advantage_get_shares(parl_advantage_mode mode, const parl_reward_terms *terms,
                                      size_t n_groups, size_t K, const parl_reward_terms *weights,
                                      parl_advantage_shares *out) {
  batch b = {mode, terms, n_groups, K, weights, 0};
  PARL_TRY(init(&b));
  tally t = {0};
  for (size_t g = 0; g < n_groups; g++) count_group(&b, g, &t);
  double sum = 0;
  for (int which = 0; which < PARL_N_TERMS; which++) sum += t.abs_term[which];
  *out = (parl_advantage_shares){
      .zero_spread_perf = divide((double)t.n_flat_perf, (double)n_groups),
      .zero_spread_total = divide((double)t.n_flat_total, (double)n_groups),
      .mean_abs = divide(t.abs_total, (double)(n_groups * K)),
      .mean_abs_shaped_only = divide(t.abs_shaped_only, (double)(t.n_flat_perf * K)),
  };
  for (int which = 0; which < PARL_N_TERMS; which++)
    parl_terms_put(&out->share, which, divide(t.abs_term[which], sum));
  return PARL_STATUS_OK;
}

bool parl_advantage_cancels_lambda(parl_advantage_mode mode) {
  return mode == PARL_ADVANTAGE_MEAN_STD;
}
