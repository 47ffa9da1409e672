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

typedef struct batch {
  parl_advantage_mode mode;
  const parl_reward_batch *of;
  size_t n_terms; /* and the number of the whole reward behind them */
  double std; /* over the batch: of r - group mean, mode batch; of the sums of terms, mode gdpo */
} batch;

/* Moments of a group's terms, [n_terms] of its total. */
typedef struct group {
  moments of[PARL_MAX_TERMS + 1];
} group;

/* Terms of a rollout of a group. */
static const double *get_terms(const batch *b, size_t g, size_t k) {
  return &b->of->terms[(g * b->of->K + k) * b->n_terms];
}

static double get_value(const batch *b, const double *x, size_t which) {
  return which == b->n_terms ? parl_terms_total(x, b->of->weights, b->n_terms) : x[which];
}

static moments get_moments(const batch *b, size_t g, size_t which) {
  const size_t K = b->of->K;
  const double first = get_value(b, get_terms(b, g, 0), which);
  double sum = 0, squares = 0;
  bool flat = true;
  for (size_t k = 0; k < K; k++) {
    const double value = get_value(b, get_terms(b, g, k), which);
    sum += value;
    if (value != first) flat = false;
  }
  if (flat) return (moments){first, 0, true};
  const double mean = sum / (double)K;
  for (size_t k = 0; k < K; k++) {
    const double centred = get_value(b, get_terms(b, g, k), which) - mean;
    squares += centred * centred;
  }
  return (moments){mean, sqrt(squares / (double)K), false};
}

static void get_group(const batch *b, size_t g, group *out) {
  for (size_t which = 0; which <= b->n_terms; which++) out->of[which] = get_moments(b, g, which);
}

/* What a term that was centred is divided by. */
static double get_divisor(const batch *b, const group *g, size_t which) {
  switch (b->mode) {
    case PARL_ADVANTAGE_NONE:
    case PARL_ADVANTAGE_MEAN:
    case PARL_ADVANTAGE_LOO:
      break;
    case PARL_ADVANTAGE_MEAN_STD:
      return g->of[b->n_terms].std + STD_FLOOR;
    case PARL_ADVANTAGE_PER_TERM:
      return g->of[which].std + STD_FLOOR;
    case PARL_ADVANTAGE_BATCH:
      return b->std + STD_FLOOR;
    case PARL_ADVANTAGE_GDPO:
      return (g->of[which].std + STD_FLOOR) * (b->std + STD_FLOOR);
  }
  return 1;
}

/* The mean of the others is further from a value than the mean of all. */
double parl_advantage_get_factor(parl_advantage_mode mode, size_t K) {
  if (mode != PARL_ADVANTAGE_LOO) return 1;
  return K > 1 ? (double)K / (double)(K - 1) : 0;
}

/* Contributions of the terms to the advantage of one rollout. */
static void get_contributions(const batch *b, const group *g, const double *x, double *out) {
  const double factor = parl_advantage_get_factor(b->mode, b->of->K);
  for (size_t which = 0; which < b->n_terms; which++) {
    const double mean = b->mode == PARL_ADVANTAGE_NONE ? 0 : g->of[which].mean;
    out[which] = b->of->weights[which] * (x[which] - mean) * factor / get_divisor(b, g, which);
  }
}

static parl_status check(const batch *b) {
  const int mode = (int)b->mode;
  const size_t K = b->of->K;
  PARL_REQUIRE(mode >= PARL_ADVANTAGE_NONE && mode < PARL_N_ADVANTAGES);
  PARL_REQUIRE(K >= 1);
  for (size_t which = 0; which < b->n_terms; which++) PARL_REQUIRE(isfinite(b->of->weights[which]));
  for (size_t i = 0; i < b->of->n_groups * K; i++)
    for (size_t which = 0; which < b->n_terms; which++)
      if (!isfinite(b->of->terms[i * b->n_terms + which]))
        return parl_fail(PARL_STATUS_EINVAL,
                         "advantage: rollout %zu of group %zu has r_%s = %g; it must be finite",
                         i % K, i / K, b->of->table->rows[which].name,
                         b->of->terms[i * b->n_terms + which]);
  return PARL_STATUS_OK;
}

/* The mean of r - group mean over the batch is 0, so its variance is the mean of the groups'. */
static double get_batch_std(const batch *b) {
  double variance = 0;
  for (size_t g = 0; g < b->of->n_groups; g++) {
    const moments m = get_moments(b, g, b->n_terms);
    variance += m.std * m.std;
  }
  return b->of->n_groups > 0 ? sqrt(variance / (double)b->of->n_groups) : 0;
}

/* Of the sums of terms, each divided by its group's std; their mean is 0 in every group. */
static double get_sum_std(const batch *b) {
  const batch per_term = {PARL_ADVANTAGE_PER_TERM, b->of, b->n_terms, 0};
  const size_t K = b->of->K;
  double squares = 0;
  for (size_t g = 0; g < b->of->n_groups; g++) {
    group moments_of;
    get_group(b, g, &moments_of);
    for (size_t k = 0; k < K; k++) {
      double c[PARL_MAX_TERMS], sum = 0;
      get_contributions(&per_term, &moments_of, get_terms(b, g, k), c);
      for (size_t which = 0; which < b->n_terms; which++) sum += c[which];
      squares += sum * sum;
    }
  }
  return b->of->n_groups > 0 ? sqrt(squares / (double)(b->of->n_groups * K)) : 0;
}

static parl_status init(batch *b) {
  PARL_TRY(check(b));
  if (b->mode == PARL_ADVANTAGE_BATCH) b->std = get_batch_std(b);
  if (b->mode == PARL_ADVANTAGE_GDPO) b->std = get_sum_std(b);
  return PARL_STATUS_OK;
}

/* Whether every term is centred and divided by itself, whatever the total is. */
static bool is_decoupled(const batch *b) {
  return b->mode == PARL_ADVANTAGE_PER_TERM || b->mode == PARL_ADVANTAGE_GDPO;
}

/* Exactly 0 in a group without spread, where rounding of the contributions may leave a trace. */
static double get_advantage(const batch *b, const group *g, const double *x,
                            double contributions[PARL_MAX_TERMS]) {
  get_contributions(b, g, x, contributions);
  const bool flat = b->mode != PARL_ADVANTAGE_NONE && !is_decoupled(b) && g->of[b->n_terms].flat;
  double sum = 0;
  for (size_t which = 0; which < b->n_terms && !flat; which++) sum += contributions[which];
  return sum;
}

parl_status parl_advantage(parl_advantage_mode mode, const parl_reward_batch *of, double *out) {
  batch b = {mode, of, of->table->n, 0};
  PARL_TRY(init(&b));
  for (size_t g = 0; g < of->n_groups; g++) {
    group moments_of;
    get_group(&b, g, &moments_of);
    for (size_t k = 0; k < of->K; k++) {
      double contributions[PARL_MAX_TERMS];
      out[g * of->K + k] = get_advantage(&b, &moments_of, get_terms(&b, g, k), contributions);
    }
  }
  return PARL_STATUS_OK;
}

parl_status parl_advantage_get_contributions(parl_advantage_mode mode, const parl_reward_batch *of,
                                             double *out) {
  batch b = {mode, of, of->table->n, 0};
  PARL_TRY(init(&b));
  for (size_t g = 0; g < of->n_groups; g++) {
    group moments_of;
    get_group(&b, g, &moments_of);
    for (size_t k = 0; k < of->K; k++)
      get_contributions(&b, &moments_of, get_terms(&b, g, k), &out[(g * of->K + k) * b.n_terms]);
  }
  return PARL_STATUS_OK;
}

parl_status parl_advantage_get_scales(parl_advantage_mode mode, const parl_reward_batch *of,
                                      double *out) {
  batch b = {mode, of, of->table->n, 0};
  PARL_TRY(init(&b));
  for (size_t g = 0; g < of->n_groups; g++) {
    group moments_of;
    get_group(&b, g, &moments_of);
    for (size_t which = 0; which < b.n_terms; which++)
      out[g * b.n_terms + which] = of->weights[which] / get_divisor(&b, &moments_of, which);
  }
  return PARL_STATUS_OK;
}

/* Sums over rollouts and counts over groups, before they become shares. */
typedef struct tally {
  double abs_term[PARL_MAX_TERMS], abs_total, abs_shaped_only;
  size_t n_flat_perf, n_flat_total;
} tally;

static void count_group(const batch *b, size_t g, tally *t) {
  group moments_of;
  get_group(b, g, &moments_of);
  const bool flat_perf = moments_of.of[PARL_TERM_perf].flat;
  t->n_flat_perf += flat_perf;
  t->n_flat_total += moments_of.of[b->n_terms].flat;
  for (size_t k = 0; k < b->of->K; k++) {
    double c[PARL_MAX_TERMS];
    const double advantage = fabs(get_advantage(b, &moments_of, get_terms(b, g, k), c));
    t->abs_total += advantage;
    if (flat_perf) t->abs_shaped_only += advantage;
    for (size_t which = 0; which < b->n_terms; which++) t->abs_term[which] += fabs(c[which]);
  }
}

static double divide(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

parl_status parl_advantage_get_shares(parl_advantage_mode mode, const parl_reward_batch *of,
                                      parl_advantage_shares *out) {
  batch b = {mode, of, of->table->n, 0};
  PARL_TRY(init(&b));
  tally t = {0};
  for (size_t g = 0; g < of->n_groups; g++) count_group(&b, g, &t);
  double sum = 0;
  for (size_t which = 0; which < b.n_terms; which++) sum += t.abs_term[which];
  *out = (parl_advantage_shares){
      .zero_spread_perf = divide((double)t.n_flat_perf, (double)of->n_groups),
      .zero_spread_total = divide((double)t.n_flat_total, (double)of->n_groups),
      .mean_abs = divide(t.abs_total, (double)(of->n_groups * of->K)),
      .mean_abs_shaped_only = divide(t.abs_shaped_only, (double)(t.n_flat_perf * of->K)),
  };
  for (size_t which = 0; which < b.n_terms; which++)
    out->share[which] = divide(t.abs_term[which], sum);
  return PARL_STATUS_OK;
}

bool parl_advantage_cancels_lambda(parl_advantage_mode mode) {
  return mode == PARL_ADVANTAGE_MEAN_STD;
}
