/* tests/test_step_sums.c - an update's metrics from its optimizer steps. */
#include <math.h>

#include "parl/learn/step_sums.h"
#include "tests/support.h"

/* A step on n tokens. */
static parl_learner_info make_step(double n, double masked, double grad_norm) {
  return (parl_learner_info){.sums = {.n_tokens = n,
                                      .loss = grad_norm / 2,
                                      .masked = masked,
                                      .ratio_max = n,
                                      .kl = 2 * n,
                                      .entropy = masked},
                             .logp_gap = n * n / 40,
                             .optimizer = {.grad_norm = grad_norm,
                                           .lr = grad_norm / 10,
                                           .clipped = grad_norm > 1,
                                           .n_clipped_heads = 3},
                             .load = {.most = n, .unused = 1, .entropy = 0.5, .bias_range = n},
                             .balance_loss = n / 5,
                             .max_score = n / 2,
                             .n_rows = (size_t)n};
}

/* Steps of 10 and 30 tokens: a share of tokens is one of all 40, not the mean of the steps'
 * shares; a mean of steps is one of two, and the step between, which had no token, is no step. */
static void test_by_hand(void **state) {
  (void)state;
  parl_step_sums sums = parl_step_sums_none();
  const parl_learner_info first = make_step(10, 5, 4), empty = {.max_score = 1e9, .n_rows = 7},
                          last = make_step(30, 3, 1);
  parl_learner_info first_bins = first, last_bins = last;
  first_bins.sums.bins[PARL_RATIO_BIN_ratio_bin1] = 6;
  last_bins.sums.bins[PARL_RATIO_BIN_ratio_bin1] = 2;
  parl_step_sums_add(&sums, &empty);
  parl_step_sums_add(&sums, &first_bins);
  parl_step_sums_add(&sums, &empty);
  parl_step_sums_add(&sums, &last_bins);
  parl_metrics m = {0};
  parl_step_sums_write(&sums, &m);
  assert_close(m.masked, 8.0 / 40, 1e-15);
  assert_close(m.entropy, 8.0 / 40, 1e-15);
  assert_close(m.ratio_bin1, 8.0 / 40, 1e-15);
  assert_close(m.kl, 2, 1e-15);
  assert_close(m.ratio_max, 30, 0);
  assert_close(m.loss, 0.5, 0);
  assert_close(m.logp_gap, 0.25, 0);
  assert_close(m.grad_norm, 2.5, 0);
  assert_close(m.lr, 0.1, 1e-15);
  assert_close(m.clipped, 0.5, 0);
  assert_close(m.clipped_heads, 3, 0);
  assert_close(m.expert_most, 20, 0);
  assert_close(m.expert_unused, 1, 0);
  assert_close(m.expert_entropy, 0.5, 0);
  assert_close(m.balance_loss, 4, 0);
  assert_close(m.bias_range, 30, 0);
  assert_close(m.max_score, 15, 0);
  assert_close(m.train_tokens, 40, 0);
}

static void test_nothing(void **state) {
  (void)state;
  const parl_step_sums none = parl_step_sums_none();
  parl_metrics m = {0};
  parl_step_sums_write(&none, &m);
  const double undefined[] = {m.loss,         m.masked,        m.ratio_max,  m.kl,
                              m.entropy,      m.logp_gap,      m.grad_norm,  m.lr,
                              m.clipped,      m.clipped_heads, m.max_score,  m.expert_most,
                              m.balance_loss, m.expert_unused, m.bias_range, m.expert_entropy};
  for (size_t i = 0; i < sizeof undefined / sizeof undefined[0]; i++)
    assert_true(isnan(undefined[i]));
  assert_close(m.train_tokens, 0, 0);
}

/* A dense model has no experts to measure, in whatever steps. */
static void test_dense(void **state) {
  (void)state;
  parl_step_sums sums = parl_step_sums_none();
  parl_learner_info info = make_step(10, 5, 4);
  info.load = (parl_load_stats){NAN, NAN, NAN, NAN};
  info.balance_loss = info.max_score = (double)NAN;
  for (int i = 0; i < 2; i++) parl_step_sums_add(&sums, &info);
  parl_metrics m = {0};
  parl_step_sums_write(&sums, &m);
  assert_true(isnan(m.expert_most) && isnan(m.expert_unused) && isnan(m.expert_entropy));
  assert_true(isnan(m.balance_loss) && isnan(m.bias_range) && isnan(m.max_score));
  assert_close(m.masked, 0.5, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_nothing),
      cmocka_unit_test(test_dense),
  };
  return cmocka_run_group_tests_name("sums over steps", tests, NULL, NULL);
}
