/* tests/test_pipeline.c - pipelines worked by hand, and training steps with images simulated. */
#include <math.h>

#include "engine/dep_simulation.h"
#include "engine/flops.h"
#include "engine/hf_config.h"
#include "engine/pipeline.h"
#include "tests/support.h"

enum { MOST = 16 };

static double simulate(size_t P, size_t M, const double *forward, const double *backward) {
  double span = (double)NAN;
  assert_ok(parl_pipeline_simulate(P, M, forward, backward, &span));
  return span;
}

/* Two stages, two micro-batches, backward twice as long: the first stage works at 0-2, 4-6 and 7-9,
 * the second at 1-7. A first stage of twice the time works at 0-4, 5-9 and 9-13, the
 * second at 2-3, 3-5, 5-6, 6-8. */
static void test_by_hand(void **state) {
  (void)state;
  static const double forward[] = {1, 1, 1, 1}, backward[] = {2, 2, 2, 2};
  static const double slow[] = {2, 2, 1, 1}, slow_back[] = {4, 4, 2, 2};
  assert_close(simulate(2, 2, forward, backward), 9, 0);
  assert_close(simulate(2, 2, slow, slow_back), 13, 0);
  assert_close(simulate(1, 4, forward, backward), 12, 0);
}

/* Equal stages: (micro-batches + stages - 1) turns, whoever waits for whom; and no pipeline is
 * shorter than its fullest stage, or longer than all its work. */
static void test_equal_stages(void **state) {
  (void)state;
  double forward[MOST * MOST], backward[MOST * MOST];
  for (size_t P = 1; P <= 8; P++)
    for (size_t M = 1; M <= MOST; M++) {
      for (size_t i = 0; i < P * M; i++) forward[i] = 1, backward[i] = 2;
      assert_close(simulate(P, M, forward, backward), 3.0 * (double)(M + P - 1), 1e-12);
      double all = 0, fullest = 0;
      for (size_t i = 0; i < P; i++) {
        double stage = 0;
        for (size_t m = 0; m < M; m++) {
          forward[i * M + m] = 1 + (double)((i * 7 + m * 3) % 5);
          backward[i * M + m] = 2 + (double)((i * 3 + m * 5) % 7);
          stage += forward[i * M + m] + backward[i * M + m];
        }
        all += stage;
        fullest = fmax(fullest, stage);
      }
      const double span = simulate(P, M, forward, backward);
      assert_true(span >= fullest && span <= all);
    }
}

/* Stages' FLOPs are the model's. */
static void test_stages_add_up(void **state) {
  (void)state;
  const parl_hf_config k = parl_hf_config_k25();
  double sum = 0;
  for (size_t first = 0; first < 61; first += 4)
    sum += parl_shape_stage_flops(&k.model, k.vocab_size, 2048, first, first + 4 > 61 ? 1 : 4);
  assert_close(sum, parl_shape_forward_flops(&k.model, k.vocab_size, 2048), 1e-9);
}

static void test_layouts_that_fit(void **state) {
  (void)state;
  parl_layout l, fitted;
  parl_config_set_defaults(&parl_layout_section, &l);
  l.tp = 2;
  l.pp = 16;
  assert_true(parl_dep_fit_layout(&l, 8, &fitted));
  assert_int_equal(fitted.pp, 4);
  assert_int_equal(fitted.dp, 1);
  assert_true(parl_dep_fit_layout(&l, 4096, &fitted));
  assert_int_equal(fitted.pp, 16);
  assert_int_equal(fitted.dp, 128);
  l.pp = 12; /* 128 groups: 8 divides them */
  assert_true(parl_dep_fit_layout(&l, 256, &fitted));
  assert_int_equal(fitted.pp, 8);
  l.tp = 3;
  assert_false(parl_dep_fit_layout(&l, 8, &fitted));
  l.tp = 16;
  assert_false(parl_dep_fit_layout(&l, 8, &fitted));
}

static parl_dep_simulation run(int64_t pp, int64_t dp, double share) {
  const parl_hf_config k = parl_hf_config_k25();
  parl_layout l;
  parl_dep_simulation s;
  parl_config_set_defaults(&parl_layout_section, &l);
  l.pp = pp;
  l.dp = dp;
  assert_ok(parl_dep_simulate(&l, &k.model, k.vocab_size, share, &s));
  return s;
}

/* On one device nothing waits: with v of the FLOPs the tower's, computed twice, a step takes 1 / (1
 * - v) of text's, and computed once 3/4 of what v adds. */
static void test_one_device(void **state) {
  (void)state;
  const parl_dep_simulation s = run(1, 1, 0.3);
  const double added = s.vision / (1 - s.vision);
  assert_true(s.vision > 0.01 && s.vision < 0.2);
  assert_close(s.balanced.efficiency, 1 - s.vision, 1e-12);
  assert_close(s.unbalanced.efficiency, 1 - s.vision, 1e-12);
  assert_close(s.inside.efficiency, 1 / (1 + 0.75 * added), 1e-12);
  assert_close(s.text_bubble, 0, 1e-12);
  assert_close(s.balanced.max_mean, 1, 1e-12);
  assert_close(s.balanced.bubble, 0, 1e-12);
}

/* Balance never costs; what is not computed cannot be gained: efficiency is bounded by the share of
 * FLOPs. */
static void test_balance_pays(void **state) {
  (void)state;
  for (int64_t dp = 1; dp <= 16; dp *= 4)
    for (int percent = 10; percent <= 50; percent += 20) {
      const parl_dep_simulation s = run(8, dp, percent / 100.0);
      assert_int_equal(s.devices, 8 * dp);
      assert_true(s.balanced.efficiency >= s.unbalanced.efficiency);
      assert_true(s.balanced.max_mean >= 1 && s.balanced.max_mean <= s.unbalanced.max_mean);
      assert_true(s.balanced.efficiency < 1 && s.inside.efficiency <= 1);
      assert_true(s.balanced.efficiency * s.balanced.max_mean >= 0.99 - s.vision);
      assert_true(s.inside.bubble > 0 && s.unbalanced.bubble > s.balanced.bubble - 1e-12);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),       cmocka_unit_test(test_equal_stages),
      cmocka_unit_test(test_stages_add_up), cmocka_unit_test(test_layouts_that_fit),
      cmocka_unit_test(test_one_device),    cmocka_unit_test(test_balance_pays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
