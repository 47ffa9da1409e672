/* parl/reward/objective.c - loss and gradient of one token, then the walk over all of them. */
#include "parl/reward/objective.h"

#include <math.h>

#define SECTION_TYPE_ parl_objective_config
PARL_CONFIG_SECTION(parl_objective_section, "objective", "the policy objective",
                    PARL_OBJECTIVE_FIELDS);
#undef SECTION_TYPE_

/* Beyond this a float gradient would overflow; a ratio so large is only ever masked or clipped. */
static const double LOG_RATIO_CAP = 69.0; /* about log 1e30 */

/* One token, before the division by N. gain and its slope are of the maximand, penalty and its pull
 * of what is subtracted from it. */
typedef struct token {
  double log_ratio, ratio;
  double gain, slope;   /* policy term and its derivative by logp */
  double penalty, pull; /* tau term and its derivative by logp */
  bool masked;          /* the ratio zeroed the slope */
  bool truncated;       /* the ratio counted as less than it is */
} token;

static void apply_k25(const parl_objective_config *c, double advantage, token *x) {
  x->masked = !(x->ratio >= c->alpha && x->ratio <= c->beta);
  x->gain = x->masked ? 0 : x->ratio * advantage;
  x->slope = x->gain; /* d rho / d logp = rho */
  if (x->masked && c->tau_masked) x->penalty = x->pull = 0;
}

static void apply_ppo(const parl_objective_config *c, double advantage, token *x) {
  const double low = 1 - c->epsilon, high = 1 + c->epsilon;
  const double clipped = x->ratio < low ? low : x->ratio > high ? high : x->ratio;
  x->masked = clipped * advantage < x->ratio * advantage;
  x->gain = (x->masked ? clipped : x->ratio) * advantage;
  x->slope = x->masked ? 0 : x->gain;
}

static void apply_tis(const parl_objective_config *c, double logp, double advantage, token *x) {
  x->truncated = x->ratio > c->cap;
  x->slope = (x->truncated ? c->cap : x->ratio) * advantage;
  x->gain = logp * x->slope;
}

/* S tau / 2 log rho_i: the tokens' penalties add up to tau/2 S^2, whose derivative is tau S. */
static void apply_squared(const parl_objective_config *c, double S, double advantage, token *x) {
  x->gain = x->log_ratio * advantage;
  x->slope = advantage;
  x->penalty = c->tau / 2 * S * x->log_ratio;
  x->pull = c->tau * S;
}

/* S: sum of the response's log-ratios, of squared alone. */
static token get_token(const parl_objective_config *c, double S, double logp, double logp_old,
                       double advantage) {
  const double log_ratio = logp - logp_old;
  token x = {.log_ratio = log_ratio,
             .penalty = c->tau * log_ratio * log_ratio,
             .pull = 2 * c->tau * log_ratio};
  x.ratio = exp(log_ratio < LOG_RATIO_CAP ? log_ratio : LOG_RATIO_CAP);
  switch (c->kind) {
    case PARL_OBJECTIVE_K25:
      apply_k25(c, advantage, &x);
      break;
    case PARL_OBJECTIVE_PPO:
      apply_ppo(c, advantage, &x);
      break;
    case PARL_OBJECTIVE_TIS:
      apply_tis(c, logp, advantage, &x);
      break;
    case PARL_OBJECTIVE_SQUARED:
      apply_squared(c, S, advantage, &x);
      break;
    default:
      x.gain = logp * advantage;
      x.slope = advantage;
  }
  return x;
}

static double get_slope(const token *x, double n_total) {
  return -(x->slope - x->pull) / n_total;
}

static parl_status check_config(const parl_objective_config *c, double n_total) {
  PARL_REQUIRE(c->kind >= PARL_OBJECTIVE_K25 && c->kind <= PARL_OBJECTIVE_SQUARED);
  PARL_REQUIRE(c->alpha >= 0 && c->alpha <= 1);
  PARL_REQUIRE(c->beta >= 1 && isfinite(c->beta));
  PARL_REQUIRE(c->tau >= 0 && isfinite(c->tau));
  PARL_REQUIRE(c->epsilon >= 0 && c->epsilon <= 1);
  PARL_REQUIRE(c->cap >= 1 && isfinite(c->cap));
  PARL_REQUIRE(isfinite(c->entropy_bonus));
  PARL_REQUIRE(c->normalise == PARL_NORMALISE_PROMPT || c->normalise == PARL_NORMALISE_BATCH);
  PARL_REQUIRE(n_total > 0 && isfinite(n_total));
  return PARL_STATUS_OK;
}

bool parl_objective_is_of_responses(const parl_objective_config *config) {
  return config->kind == PARL_OBJECTIVE_SQUARED;
}

double parl_objective_get_divisor(const parl_objective_config *config, size_t n_prompt,
                                  size_t n_prompts, size_t n_batch) {
  if (config->normalise == PARL_NORMALISE_BATCH) return (double)n_batch;
  return (double)n_prompts * (double)n_prompt;
}

static size_t find_bin(double log_ratio) {
  static const double ends[PARL_N_RATIO_BINS] = {
#define X(name, end, what) end,
      PARL_RATIO_BIN_LIST(X)
#undef X
  };
  size_t i = 0;
  while (i + 1 < PARL_N_RATIO_BINS && !(log_ratio < ends[i])) i++;
  return i;
}

parl_status parl_objective(const parl_objective_config *config, size_t n, const float *logp,
                           const float *logp_old, const float *advantage, const float *entropy,
                           double n_total, float *dlogp, float *dentropy,
                           parl_objective_sums *sums) {
  PARL_TRY(check_config(config, n_total));
  double S = 0;
  if (parl_objective_is_of_responses(config))
    for (size_t i = 0; i < n; i++) S += (double)logp[i] - (double)logp_old[i];
  for (size_t i = 0; i < n; i++) {
    const token x =
        get_token(config, S, (double)logp[i], (double)logp_old[i], (double)advantage[i]);
    const double slope = get_slope(&x, n_total);
    if (!isfinite(logp[i]) || !isfinite(logp_old[i]) || !isfinite(advantage[i]) ||
        !isfinite(entropy[i]) || !isfinite((float)slope))
      return parl_fail(PARL_STATUS_EINVAL,
                       "objective: token %zu has logp %g, logp_old %g, advantage %g, entropy %g, "
                       "gradient %g; all must be finite",
                       i, (double)logp[i], (double)logp_old[i], (double)advantage[i],
                       (double)entropy[i], slope);
  }
  for (size_t i = 0; i < n; i++) {
    const token x =
        get_token(config, S, (double)logp[i], (double)logp_old[i], (double)advantage[i]);
    const double bonus = config->entropy_bonus * (double)entropy[i];
    dlogp[i] = (float)get_slope(&x, n_total);
    dentropy[i] = (float)(-config->entropy_bonus / n_total);
    sums->n_tokens += 1;
    sums->loss -= (x.gain - x.penalty + bonus) / n_total;
    sums->masked += x.masked;
    sums->truncated += x.truncated;
    sums->ratio += x.ratio;
    if (x.ratio > sums->ratio_max) sums->ratio_max = x.ratio;
    sums->abs_log_ratio += fabs(x.log_ratio);
    sums->kl += x.ratio - 1 - x.log_ratio;
    sums->entropy += (double)entropy[i];
    sums->bins[find_bin(x.log_ratio)] += 1;
  }
  return PARL_STATUS_OK;
}

void parl_objective_sums_add(parl_objective_sums *to, const parl_objective_sums *from) {
  to->n_tokens += from->n_tokens;
  to->loss += from->loss;
  to->masked += from->masked;
  to->truncated += from->truncated;
  to->ratio += from->ratio;
  if (from->ratio_max > to->ratio_max) to->ratio_max = from->ratio_max;
  to->abs_log_ratio += from->abs_log_ratio;
  to->kl += from->kl;
  to->entropy += from->entropy;
  for (size_t i = 0; i < PARL_N_RATIO_BINS; i++) to->bins[i] += from->bins[i];
}
