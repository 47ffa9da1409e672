/* tests/test_objective.c - losses by hand, gradients against central differences, the mask. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "parl/reward/objective.h"
#include "tests/support.h"

static parl_objective_config make_config(int kind) {
  parl_objective_config c;
  parl_config_set_defaults(&parl_objective_section, &c);
  c.kind = kind;
  return c;
}

typedef struct result {
  parl_objective_sums sums;
  float dlogp, dentropy;
} result;

/* One token of a batch of n_total. */
static result get(const parl_objective_config *c, double logp, double logp_old, double advantage,
                  double entropy, double n_total) {
  const float p = (float)logp, q = (float)logp_old, a = (float)advantage, h = (float)entropy;
  result r = {.dlogp = NAN, .dentropy = NAN};
  assert_ok(parl_objective(c, 1, &p, &q, &a, &h, n_total, &r.dlogp, &r.dentropy, &r.sums));
  return r;
}

static void test_defaults(void **state) {
  (void)state;
  const parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  assert_int_equal(c.advantage, 1);
  assert_close(c.alpha, 0.5, 0);
  assert_close(c.beta, 2, 0);
  assert_close(c.tau, 1e-3, 0);
  assert_false(c.tau_masked);
}

/* rho = exp(.5) = 1.6487212707, A = 2, tau = .1, N = 4, H = .3 with bonus .2:
 * loss = -(3.2974425414 - .1 * .25 + .06) / 4, dlogp = -(3.2974425414 - .2 * .5) / 4. */
static void test_k25_by_hand(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  c.tau = 0.1;
  c.entropy_bonus = 0.2;
  const result r = get(&c, -1, -1.5, 2, 0.3, 4);
  assert_close(r.sums.loss, -(3.2974425414 - 0.025 + 0.06) / 4, 1e-7);
  assert_close((double)r.dlogp, -(3.2974425414 - 0.1) / 4, 1e-6);
  assert_close((double)r.dentropy, -0.05, 1e-7);
  assert_close(r.sums.n_tokens, 1, 0);
  assert_close(r.sums.masked, 0, 0);
  assert_close(r.sums.ratio, 1.6487212707, 1e-9);
  assert_close(r.sums.ratio_max, 1.6487212707, 1e-9);
  assert_close(r.sums.abs_log_ratio, 0.5, 1e-9);
  assert_close(r.sums.kl, 0.1487212707, 1e-9);
  assert_close(r.sums.entropy, 0.3, 1e-7);
}

/* rho = exp(1) is beyond beta = 2: only the penalty is left, .1 * 1, or nothing if it is masked. */
static void test_k25_outside_by_hand(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  c.tau = 0.1;
  result r = get(&c, -1, -2, 2, 0, 1);
  assert_close(r.sums.loss, 0.1, 1e-9);
  assert_close((double)r.dlogp, 0.2, 1e-7);
  assert_close(r.sums.masked, 1, 0);
  c.tau_masked = true;
  r = get(&c, -1, -2, 2, 0, 1);
  assert_close(r.sums.loss, 0, 0);
  assert_close((double)r.dlogp, 0, 0);
}

/* epsilon .2, tau 0. A > 0: rho 1.65 earns 1.2 A, no slope; rho .61 earns .61 A. A < 0: the other
 * way round, min(-.61, -.8) = -.8 and min(-1.65, -1.2) = -1.65. */
static void test_ppo_by_hand(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_PPO);
  c.tau = 0;
  static const struct {
    double log_ratio, advantage, gain, slope, masked;
  } rows[] = {
      {0.5, 1, 1.2, 0, 1},
      {-0.5, 1, 0.6065306597, 0.6065306597, 0},
      {0.5, -1, -1.6487212707, -1.6487212707, 0},
      {-0.5, -1, -0.8, 0, 1},
      {0, 3, 3, 3, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const result r = get(&c, -2 + rows[i].log_ratio, -2, rows[i].advantage, 0, 1);
    assert_close(r.sums.loss, -rows[i].gain, 1e-8);
    assert_close((double)r.dlogp, -rows[i].slope, 1e-6);
    assert_close(r.sums.masked, rows[i].masked, 0);
  }
}

/* logp -2, A 3, log ratio -.5, tau .1, N 2: loss = -(-6 - .025) / 2, dlogp = -(3 + .1) / 2. */
static void test_reinforce_by_hand(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_REINFORCE);
  c.tau = 0.1;
  const result r = get(&c, -2, -1.5, 3, 0, 2);
  assert_close(r.sums.loss, 3.0125, 1e-9);
  assert_close((double)r.dlogp, -1.55, 1e-6);
  assert_close(r.sums.masked, 0, 0);
}

/* C = 1.5, tau .1, logp -1, A = 2, N = 4. rho = exp(.5) counts as 1.5: loss = -(1.5 * -1 * 2 -
 * .025) / 4, dlogp = -(3 - .1) / 4. rho = exp(-.5) = .6065306597 counts as it is. */
static void test_tis_by_hand(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_TIS);
  assert_close(c.cap, 2, 0);
  c.cap = 1.5;
  c.tau = 0.1;
  const result cut = get(&c, -1, -1.5, 2, 0, 4);
  assert_close(cut.sums.loss, 3.025 / 4, 1e-9);
  assert_close((double)cut.dlogp, -2.9 / 4, 1e-7);
  assert_close(cut.sums.truncated, 1, 0);
  assert_close(cut.sums.masked, 0, 0);
  const result whole = get(&c, -1, -0.5, 2, 0, 4);
  assert_close(whole.sums.loss, (2 * 0.6065306597 + 0.025) / 4, 1e-9);
  assert_close((double)whole.dlogp, -(2 * 0.6065306597 + 0.1) / 4, 1e-7);
  assert_close(whole.sums.truncated, 0, 0);
}

/* Between 1 and C a ratio counts as it is. */
static void test_tis_leaves_ratios_below_its_cap(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_TIS);
  c.tau = 0;
  const result r = get(&c, -1, -1.5, 1, 0, 1); /* C is 2 */
  assert_close((double)r.dlogp, -1.6487212707, 1e-6);
  assert_close(r.sums.truncated, 0, 0);
}

/* However large the ratio, a token is pushed by C |A| at most, and never by nothing. */
static void test_tis_bounds_a_token(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_TIS);
  c.tau = 0;
  c.cap = 3;
  double before = 0;
  for (double log_ratio = -4; log_ratio <= 40; log_ratio += 0.125) {
    const double push = -(double)get(&c, -1, -1 - log_ratio, 1, 0, 1).dlogp;
    assert_true(push > 0 && push <= 3 && push >= before);
    before = push;
  }
  assert_close(before, 3, 0);
}

/* A response of two tokens, log-ratios .5 and -.2, so S = .3; A = 2, tau = .4, N = 2 responses:
 * loss = -(2 * .3 - .2 * .09) / 2 = -.291, dlogp = -(2 - .4 * .3) / 2 = -.94 for both. K2's
 * (2 - .4 * .3)^2 = 3.5344 is 2 tau times that, and A^2: .8 * 2 * -.291 + 4 = 3.5344. */
static void test_squared_by_hand(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_SQUARED);
  c.tau = 0.4;
  const float logp[2] = {-1, -2.25F}, old[2] = {-1.5F, -2.05F}, advantage[2] = {2, 2};
  const float entropy[2] = {0.3F, 0.5F};
  float dlogp[2], dentropy[2];
  parl_objective_sums sums = {0};
  assert_ok(parl_objective(&c, 2, logp, old, advantage, entropy, 2, dlogp, dentropy, &sums));
  assert_close(sums.loss, -0.291, 1e-7);
  assert_close(2 * c.tau * 2 * sums.loss + 4, 3.5344, 1e-6);
  assert_close((double)dlogp[0], -0.94, 1e-6);
  assert_close((double)dlogp[1], (double)dlogp[0], 0);
  assert_close(sums.masked, 0, 0);
  c.tau = 0; /* REINFORCE with the old policy as its origin */
  sums = (parl_objective_sums){0};
  assert_ok(parl_objective(&c, 2, logp, old, advantage, entropy, 2, dlogp, dentropy, &sums));
  assert_close(sums.loss, -0.3, 1e-7);
  assert_close((double)dlogp[0], -1, 0);
}

enum { RESPONSE = 4 };
static double get_squared_loss(const parl_objective_config *c, const float *logp, const float *old,
                               const float *advantage, float *dlogp) {
  const float entropy[RESPONSE] = {0.25F, 0.5F, 0.75F, 1};
  float dentropy[RESPONSE];
  parl_objective_sums sums = {0};
  assert_ok(parl_objective(c, RESPONSE, logp, old, advantage, entropy, 3, dlogp, dentropy, &sums));
  return sums.loss;
}

/* Every token's slope, with that of the others of its response held; advantages are equal, or each
 * token's own. */
static void test_squared_gradient_is_the_central_difference(void **state) {
  (void)state;
  const double h = 0x1p-7;
  for (uint64_t trial = 0; trial < 500; trial++) {
    parl_rng_cursor rng = {.seed = 23, .stream = trial};
    parl_objective_config c = make_config(PARL_OBJECTIVE_SQUARED);
    c.tau = 2 * parl_rng_next_uniform(&rng);
    c.entropy_bonus = parl_rng_next_uniform(&rng);
    float logp[RESPONSE], old[RESPONSE], advantage[RESPONSE], dlogp[RESPONSE], unused[RESPONSE];
    for (size_t i = 0; i < RESPONSE; i++) {
      logp[i] = (float)(-1 - floor(64 * parl_rng_next_uniform(&rng)) / 32);
      old[i] = (float)(-1 - floor(64 * parl_rng_next_uniform(&rng)) / 32);
      const double a = floor(64 * (parl_rng_next_uniform(&rng) - 0.5)) / 16;
      advantage[i] = trial % 2 == 0 && i > 0 ? advantage[0] : (float)a;
    }
    get_squared_loss(&c, logp, old, advantage, dlogp);
    for (size_t i = 0; i < RESPONSE; i++) {
      const float here = logp[i];
      logp[i] = here + (float)h;
      const double up = get_squared_loss(&c, logp, old, advantage, unused);
      logp[i] = here - (float)h;
      const double down = get_squared_loss(&c, logp, old, advantage, unused);
      logp[i] = here;
      assert_close((double)dlogp[i], (up - down) / (2 * h), 1e-5);
    }
  }
}

/* On policy (rho = 1) all objectives push a token by exactly its advantage. */
static void test_on_policy_gradient_is_the_advantage(void **state) {
  (void)state;
  for (int kind = PARL_OBJECTIVE_K25; kind <= PARL_OBJECTIVE_SQUARED; kind++)
    for (double a = -2; a <= 2; a += 0.5) {
      const parl_objective_config c = make_config(kind);
      const result r = get(&c, -1.25, -1.25, a, 0, 8);
      assert_close((double)r.dlogp, -a / 8, 0);
      assert_close(r.sums.kl, 0, 0);
    }
}

/* Exactly zero outside [alpha, beta], on both sides, for both signs of A; inside never. */
static void test_mask_ignores_the_sign_of_the_advantage(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  c.tau = 0;
  for (double log_ratio = -3; log_ratio <= 3; log_ratio += 0.0625)
    for (int sign = -1; sign <= 1; sign += 2) {
      const result r = get(&c, -4 + log_ratio, -4, sign, 0, 1);
      const double ratio = exp(log_ratio);
      if (ratio < c.alpha || ratio > c.beta) {
        assert_close((double)r.dlogp, 0, 0);
        assert_close(r.sums.masked, 1, 0);
      } else {
        assert_close((double)r.dlogp, -ratio * sign, 1e-6);
        assert_close(r.sums.masked, 0, 0);
      }
    }
}

/* The interval is closed: alpha = beta = 1 keeps tokens that are exactly on policy. */
static void test_interval_is_closed(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  c.alpha = c.beta = 1;
  c.tau = 0;
  assert_close((double)get(&c, -1, -1, 1, 0, 1).dlogp, -1, 0);
  assert_close((double)get(&c, -1, -1.001, 1, 0, 1).dlogp, 0, 0);
  assert_close((double)get(&c, -1, -0.999, 1, 0, 1).dlogp, 0, 0);
}

/* Edges where the loss has a corner or a step; central differences are taken between them. */
static bool is_near_an_edge(const parl_objective_config *c, double log_ratio) {
  const double edges[] = {log(c->alpha), log(c->beta), log(1 - c->epsilon), log(1 + c->epsilon)};
  for (size_t i = 0; i < 4; i++)
    if (fabs(log_ratio - edges[i]) < 0.03) return true;
  return false;
}

static void test_gradient_is_the_central_difference_of_the_loss(void **state) {
  (void)state;
  const double h = 0x1p-7; /* exact in float beside logp in [-4, 0) */
  size_t n_checked = 0;
  for (uint64_t trial = 0; trial < 3000; trial++) {
    parl_rng_cursor rng = {.seed = 17, .stream = trial};
    parl_objective_config c = make_config((int)(trial % 3));
    c.tau = 0.2 * parl_rng_next_uniform(&rng);
    c.tau_masked = trial % 2;
    c.entropy_bonus = parl_rng_next_uniform(&rng);
    const double logp_old = -2 - floor(64 * parl_rng_next_uniform(&rng)) / 64;
    const double log_ratio = floor(256 * (parl_rng_next_uniform(&rng) - 0.5)) / 128;
    const double advantage = floor(64 * (parl_rng_next_uniform(&rng) - 0.5)) / 16;
    if (is_near_an_edge(&c, log_ratio)) continue;
    const double logp = logp_old + log_ratio;
    const result here = get(&c, logp, logp_old, advantage, 0.5, 3);
    const double up = get(&c, logp + h, logp_old, advantage, 0.5, 3).sums.loss;
    const double down = get(&c, logp - h, logp_old, advantage, 0.5, 3).sums.loss;
    assert_close((double)here.dlogp, (up - down) / (2 * h), 2e-4);
    const double more = get(&c, logp, logp_old, advantage, 0.5 + h, 3).sums.loss;
    const double less = get(&c, logp, logp_old, advantage, 0.5 - h, 3).sums.loss;
    assert_close((double)here.dentropy, (more - less) / (2 * h), 1e-6);
    n_checked++;
  }
  assert_true(n_checked > 1500);
}

/* tau alone pulls logp back to logp_old from either side, and harder from farther away. */
static void test_tau_restores(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  c.tau = 0.1;
  assert_true(get(&c, -1, -2, 0, 0, 1).dlogp > 0);
  assert_true(get(&c, -2, -1, 0, 0, 1).dlogp < 0);
  assert_true(get(&c, -1, -3, 0, 0, 1).dlogp > get(&c, -1, -2, 0, 0, 1).dlogp);
}

enum { N = 5 };
static const float LOGP[N] = {-1, -2, -0.5f, -3, -1.5f}, OLD[N] = {-1.2f, -2, -2, -2.5f, -1};
static const float ADVANTAGE[N] = {1, -1, 2, 0.5f, -2}, ENTROPY[N] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f};

/* Two calls over halves of a batch add up to one call over the whole. */
static void test_calls_add_up(void **state) {
  (void)state;
  const parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  float whole[N], parts[N], d[N];
  parl_objective_sums a = {0}, b = {0};
  assert_ok(parl_objective(&c, N, LOGP, OLD, ADVANTAGE, ENTROPY, N, whole, d, &a));
  assert_ok(parl_objective(&c, 2, LOGP, OLD, ADVANTAGE, ENTROPY, N, parts, d, &b));
  assert_ok(parl_objective(&c, N - 2, LOGP + 2, OLD + 2, ADVANTAGE + 2, ENTROPY + 2, N, parts + 2,
                           d + 2, &b));
  assert_memory_equal(whole, parts, sizeof whole);
  assert_memory_equal(&a, &b, sizeof a);
  assert_close(a.n_tokens, N, 0);
  assert_close(a.masked, 1, 0);
  assert_close(a.ratio_max, exp(1.5), 1e-6);
  assert_ok(parl_objective(&c, 0, NULL, NULL, NULL, NULL, N, NULL, NULL, &a));
  assert_memory_equal(&a, &b, sizeof a);
}

/* Log ratios -1.5, -0.25, 0, 0.03125, 2: an end belongs to the bin above it. */
static void test_histogram(void **state) {
  (void)state;
  const parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  const float old[N] = {0, 0, 0, 0, 0}, logp[N] = {-1.5f, -0.25f, 0, 0.03125f, 2};
  static const double due[PARL_N_RATIO_BINS] = {1, 0, 1, 0, 1, 1, 0, 0, 1};
  float d[N], e[N];
  parl_objective_sums sums = {0};
  double n = 0;
  assert_ok(parl_objective(&c, N, logp, old, ADVANTAGE, ENTROPY, N, d, e, &sums));
  for (size_t i = 0; i < PARL_N_RATIO_BINS; i++) assert_close(sums.bins[i], due[i], 0);
  for (size_t i = 0; i < PARL_N_RATIO_BINS; i++) n += sums.bins[i];
  assert_close(n, sums.n_tokens, 0);
  const float at_end[1] = {-1}, zero[1] = {0};
  parl_objective_sums one = {0};
  assert_ok(parl_objective(&c, 1, at_end, zero, zero, zero, 1, d, e, &one));
  assert_close(one.bins[PARL_RATIO_BIN_ratio_bin2], 1, 0);
}

static void refuse(const parl_objective_config *c, const float *logp, const float *advantage,
                   double n_total, const char *word) {
  float dlogp[N] = {9}, dentropy[N] = {9};
  parl_objective_sums sums = {0};
  const parl_objective_sums zero = {0};
  assert_status(
      parl_objective(c, N, logp, OLD, advantage, ENTROPY, n_total, dlogp, dentropy, &sums),
      PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), word));
  assert_close((double)dlogp[0], 9, 0);
  assert_close((double)dentropy[0], 9, 0);
  assert_memory_equal(&sums, &zero, sizeof sums);
}

static void test_refusals_leave_the_outputs(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  float bad[N];
  memcpy(bad, LOGP, sizeof bad);
  bad[3] = NAN;
  refuse(&c, bad, ADVANTAGE, N, "token 3");
  bad[3] = -INFINITY;
  refuse(&c, bad, ADVANTAGE, N, "token 3");
  memcpy(bad, ADVANTAGE, sizeof bad);
  bad[4] = INFINITY;
  refuse(&c, LOGP, bad, N, "token 4");
  refuse(&c, LOGP, ADVANTAGE, 0, "n_total");
  refuse(&c, LOGP, ADVANTAGE, NAN, "n_total");
  c.alpha = 1.5;
  refuse(&c, LOGP, ADVANTAGE, N, "alpha");
  c = make_config(PARL_OBJECTIVE_K25);
  c.beta = 0.9;
  refuse(&c, LOGP, ADVANTAGE, N, "beta");
  c = make_config(PARL_OBJECTIVE_K25);
  c.tau = NAN;
  refuse(&c, LOGP, ADVANTAGE, N, "tau");
  c = make_config(PARL_OBJECTIVE_SQUARED + 1);
  refuse(&c, LOGP, ADVANTAGE, N, "kind");
  c = make_config(PARL_OBJECTIVE_TIS);
  c.cap = 0.5;
  refuse(&c, LOGP, ADVANTAGE, N, "cap");
}

/* A ratio beyond every float: masked by k25, and no statistic becomes infinite. */
static void test_huge_ratios(void **state) {
  (void)state;
  const parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  const result r = get(&c, -1, -1000, 1, 0, 1);
  assert_close(r.sums.masked, 1, 0);
  assert_true(isfinite(r.sums.ratio) && isfinite(r.sums.kl) && isfinite(r.sums.loss));
  assert_close((double)r.dlogp, 2e-3 * 999, 1e-3);
  const result lost = get(&c, -1000, -1, 1, 0, 1);
  assert_close(lost.sums.ratio, 0, 1e-300);
  assert_close(lost.sums.masked, 1, 0);
}

/* Loss of -logp A over two prompts of 2 and n tokens, logp -1 and -2, A = 1. */
static double get_loss_of_two_prompts(int normalise, size_t n) {
  parl_objective_config c = make_config(PARL_OBJECTIVE_REINFORCE);
  c.tau = 0;
  c.normalise = normalise;
  const double x = parl_objective_get_divisor(&c, 2, 2, 2 + n);
  const double y = parl_objective_get_divisor(&c, n, 2, 2 + n);
  return 2 * get(&c, -1, -1, 1, 0, x).sums.loss + (double)n * get(&c, -2, -2, 1, 0, y).sums.loss;
}

/* prompt: N = 2 * 2 = 4 and 2 * 6 = 12, so 2 * 1 / 4 + 6 * 2 / 12 = 1.5, the mean of the prompts'
 * means. batch: N = 8, so (2 * 1 + 6 * 2) / 8 = 1.75, the mean of the tokens. */
static void test_normalise_by_hand(void **state) {
  (void)state;
  parl_objective_config c = make_config(PARL_OBJECTIVE_K25);
  assert_int_equal(c.normalise, PARL_NORMALISE_PROMPT); /* as the paper */
  assert_close(parl_objective_get_divisor(&c, 2, 2, 8), 4, 0);
  assert_close(parl_objective_get_divisor(&c, 6, 2, 8), 12, 0);
  c.normalise = PARL_NORMALISE_BATCH;
  assert_close(parl_objective_get_divisor(&c, 2, 2, 8), 8, 0);
  assert_close(parl_objective_get_divisor(&c, 6, 2, 8), 8, 0);
  assert_close(get_loss_of_two_prompts(PARL_NORMALISE_PROMPT, 6), 1.5, 1e-12);
  assert_close(get_loss_of_two_prompts(PARL_NORMALISE_BATCH, 6), 1.75, 1e-12);
}

/* Prompts of equal length: both agree. Shares of a prompt's tokens add up to 1 / P. */
static void test_normalise_agrees_on_equal_lengths(void **state) {
  (void)state;
  parl_objective_config a = make_config(PARL_OBJECTIVE_K25), b = a;
  b.normalise = PARL_NORMALISE_BATCH;
  for (size_t n = 1; n < 40; n += 3)
    for (size_t P = 1; P < 20; P++) {
      assert_close(parl_objective_get_divisor(&a, n, P, n * P),
                   parl_objective_get_divisor(&b, n, P, n * P), 0);
      assert_close((double)n / parl_objective_get_divisor(&a, n, P, 1000), 1.0 / (double)P, 1e-15);
    }
  assert_close(get_loss_of_two_prompts(PARL_NORMALISE_PROMPT, 2),
               get_loss_of_two_prompts(PARL_NORMALISE_BATCH, 2), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_normalise_by_hand),
      cmocka_unit_test(test_normalise_agrees_on_equal_lengths),
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_k25_by_hand),
      cmocka_unit_test(test_k25_outside_by_hand),
      cmocka_unit_test(test_ppo_by_hand),
      cmocka_unit_test(test_reinforce_by_hand),
      cmocka_unit_test(test_tis_by_hand),
      cmocka_unit_test(test_tis_leaves_ratios_below_its_cap),
      cmocka_unit_test(test_tis_bounds_a_token),
      cmocka_unit_test(test_squared_by_hand),
      cmocka_unit_test(test_squared_gradient_is_the_central_difference),
      cmocka_unit_test(test_on_policy_gradient_is_the_advantage),
      cmocka_unit_test(test_mask_ignores_the_sign_of_the_advantage),
      cmocka_unit_test(test_interval_is_closed),
      cmocka_unit_test(test_gradient_is_the_central_difference_of_the_loss),
      cmocka_unit_test(test_tau_restores),
      cmocka_unit_test(test_calls_add_up),
      cmocka_unit_test(test_histogram),
      cmocka_unit_test(test_refusals_leave_the_outputs),
      cmocka_unit_test(test_huge_ratios),
  };
  return cmocka_run_group_tests_name("objective", tests, NULL, NULL);
}
