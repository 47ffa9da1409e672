/* tests/test_router.c - the choice of experts by hand, and its gradients against differences. */
#include "core/rng.h"
#include "engine/expert_balance.h"
#include "engine/model.h"
#include "tests/engine_support.h"
#include "tests/support.h"

/* The ops of the CPU, which are the same for every instruction set. */
static const parl_backend *get_cpu(void) {
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cpu("portable", &backend));
  return backend;
}

static void choose(const parl_router *r, const float *scores, const float *bias, int32_t *chosen,
                   float *weights) {
  const parl_route_fwd_args args = {*r, 1, scores, bias, chosen, weights};
  get_cpu()->route_fwd(NULL, &args);
}

static void go_back(const parl_router *r, const float *scores, const int32_t *chosen,
                    const float *dweights, float *dscores) {
  const parl_route_bwd_args args = {*r, 1, scores, chosen, dweights, dscores};
  get_cpu()->route_bwd(NULL, &args);
}

static double balance(const parl_router *r, size_t n, const float *scores, const int32_t *chosen,
                      double weight, float *dscores) {
  const int32_t seq_start[] = {0, (int32_t)n};
  double loss = 0.0;
  const parl_balance_args args = {*r, 1, seq_start, scores, chosen, weight, dscores, &loss};
  get_cpu()->balance(NULL, &args);
  return loss;
}

/* Six experts in three groups of two; the token may choose two of two groups. With the bias: groups
 * are worth .9 + .2, .5 + .7, .8 + .1; so the second (1.2) and the first (1.1) stay, and of those
 * the experts 0 (.9) and 3 (.7). The weights come from the scores alone: .4 and .7 of 1.1. */
static void test_by_hand(void **state) {
  (void)state;
  const parl_router r = {6, 2, 3, 2, true, 2.0};
  const float scores[] = {0.4F, 0.2F, 0.5F, 0.7F, 0.8F, 0.1F};
  const float bias[] = {0.5F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F};
  int32_t chosen[2];
  float weights[2];
  choose(&r, scores, bias, chosen, weights);
  assert_int_equal(chosen[0], 0);
  assert_int_equal(chosen[1], 3);
  assert_close((double)weights[0], 2.0 * 0.4 / 1.1, 1e-6);
  assert_close((double)weights[1], 2.0 * 0.7 / 1.1, 1e-6);
  const parl_router plain = {6, 2, 1, 1, false, 2.0}; /* one group: 4 (.8) comes before 3 (.7) */
  choose(&plain, scores, bias, chosen, weights);
  assert_int_equal(chosen[0], 0);
  assert_int_equal(chosen[1], 4);
  assert_close((double)weights[0], 0.8, 1e-6);
  assert_close((double)weights[1], 1.6, 1e-6);
}

/* A group that is excluded stays so even where biases make every other score negative. */
static void test_excluded_groups_are_never_chosen(void **state) {
  (void)state;
  const parl_router r = {4, 2, 2, 1, true, 1.0};
  const float scores[] = {0.1F, 0.1F, 0.9F, 0.2F}, bias[] = {-3.0F, -3.0F, -9.0F, -0.1F};
  int32_t chosen[2];
  float weights[2];
  choose(&r, scores, bias, chosen, weights);
  assert_int_equal(chosen[0], 0);
  assert_int_equal(chosen[1], 1);
}

static void test_ties_and_broken_scores(void **state) {
  (void)state;
  const parl_router r = {5, 3, 1, 1, true, 1.0};
  const float zeros[5] = {0}, same[] = {0.5F, 0.5F, 0.5F, 0.5F, 0.5F};
  const float broken[] = {NAN, NAN, NAN, NAN, NAN};
  int32_t chosen[3];
  float weights[3];
  choose(&r, same, zeros, chosen, weights);
  for (int32_t k = 0; k < 3; k++) assert_int_equal(chosen[k], k);
  assert_close((double)weights[2], 1.0 / 3.0, 1e-7);
  choose(&r, broken, zeros, chosen, weights);
  for (int32_t k = 0; k < 3; k++) assert_int_equal(chosen[k], k);
}

enum { T = 7, E = 9, K = 3 };

static double weighted_sum(const double *scores, const int32_t *chosen, const float *c, bool norm) {
  double sum = 0.0, total = 0.0;
  for (size_t k = 0; k < K; k++) total += scores[chosen[k]];
  for (size_t k = 0; k < K; k++)
    sum += (double)c[k] * 1.7 * scores[chosen[k]] / (norm ? total : 1.0);
  return sum;
}

static void fill_scores(float *scores, size_t n) {
  parl_rng_cursor rng = {5, 5, 0};
  for (size_t i = 0; i < n; i++) scores[i] = 0.1F + 0.8F * (float)parl_rng_next_uniform(&rng);
}

static void test_gradient_of_weights(void **state) {
  (void)state;
  for (int norm = 0; norm < 2; norm++) {
    const parl_router r = {E, K, 1, 1, norm == 1, 1.7};
    float scores[E], bias[E] = {0}, weights[K], c[K], d[E] = {0};
    int32_t chosen[K];
    fill_scores(scores, E);
    engine_normal(c, K, 3);
    choose(&r, scores, bias, chosen, weights);
    go_back(&r, scores, chosen, c, d);
    for (size_t i = 0; i < E; i++) {
      double s[E], value[2];
      for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < E; k++) s[k] = (double)scores[k];
        s[i] += side ? 1e-6 : -1e-6;
        value[side] = weighted_sum(s, chosen, c, norm == 1);
      }
      assert_close((double)d[i], (value[1] - value[0]) / 2e-6, 1e-6, 1e-6);
    }
  }
}

static double naive_balance(const double *s, const int32_t *chosen) {
  double f[E] = {0}, P[E] = {0}, sum = 0.0;
  for (size_t i = 0; i < T * K; i++) f[chosen[i]] += (double)E / (K * T);
  for (size_t t = 0; t < T; t++) {
    double total = 0.0;
    for (size_t i = 0; i < E; i++) total += s[t * E + i];
    for (size_t i = 0; i < E; i++) P[i] += s[t * E + i] / total / T;
  }
  for (size_t i = 0; i < E; i++) sum += f[i] * P[i];
  return sum;
}

static void test_balance_loss(void **state) {
  (void)state;
  const parl_router r = {E, K, 1, 1, true, 1.0};
  float scores[T * E], bias[E] = {0.2F}, weights[K], d[T * E] = {0};
  int32_t chosen[T * K];
  double s[T * E];
  fill_scores(scores, T * E);
  for (size_t i = 0; i < T * E; i++) s[i] = (double)scores[i];
  for (size_t t = 0; t < T; t++) choose(&r, scores + t * E, bias, chosen + t * K, weights);
  const double loss = balance(&r, T, scores, chosen, 0.3, d);
  assert_close(loss, 0.3 * naive_balance(s, chosen), 1e-9);
  assert_close(balance(&r, T, scores, chosen, 0.3, NULL), loss, 0.0);
  for (size_t i = 0; i < T * E; i++) {
    const double middle = s[i];
    s[i] = middle + 1e-5;
    const double high = naive_balance(s, chosen);
    s[i] = middle - 1e-5;
    const double low = naive_balance(s, chosen);
    s[i] = middle;
    assert_close((double)d[i], 0.3 * (high - low) / 2e-5, 1e-8, 1e-5);
  }
}

/* Equal scores and equal loads: f_i = P_i E = 1, so the loss is its weight. */
static void test_balanced_loss_is_its_weight(void **state) {
  (void)state;
  const parl_router r = {4, 1, 1, 1, true, 1.0};
  float scores[16];
  for (size_t i = 0; i < 16; i++) scores[i] = 0.25F;
  const int32_t chosen[] = {0, 1, 2, 3};
  assert_close(balance(&r, 4, scores, chosen, 0.01, NULL), 0.01, 1e-12);
}

/* Loads 4, 0, 2, 2: the mean is 2; the crowded expert goes down, the idle one up. */
static void test_bias_moves_towards_balance(void **state) {
  (void)state;
  parl_model_config c = engine_config(4);
  c.n_routed_experts = 4;
  c.bias_update_rate = 0.125;
  parl_model *m = NULL;
  assert_ok(parl_model_create(&c, ENGINE_VOCAB, parl_backend_ref(), NULL, &m));
  parl_model_init_weights(m, 1);
  const int64_t load[] = {4, 0, 2, 2};
  assert_int_equal(parl_model_get_n_sparse_layers(m), 1);
  parl_model_balance(m, load);
  size_t n, found = 0;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(t[i].trained, strstr(t[i].name, "e_score_correction_bias") == NULL);
    if (t[i].trained) continue;
    const float *b = engine_params(m) + t[i].offset, due[] = {-0.125F, 0.125F, 0.0F, 0.0F};
    assert_string_equal(t[i].name, "model.layers.1.mlp.gate.e_score_correction_bias");
    assert_memory_equal(b, due, sizeof due);
    found++;
  }
  assert_int_equal(found, 1);
  parl_model_destroy(m);
}

/* Two sparse layers of four experts: loads 6 0 1 1 (most 3 times the mean, one of them unused) and
 * 2 2 2 2, whose biases are all equal; then one without a token, which does not count. */
static void test_loads_are_measured(void **state) {
  (void)state;
  parl_model_config c = engine_config(2);
  c.n_layers = 3;
  c.n_routed_experts = 4;
  c.first_k_dense = 1;
  c.bias_update_rate = 0.25;
  parl_model *m = engine_model(&c, parl_backend_ref(), 1);
  parl_model_init_weights(m, 1);
  int64_t load[] = {6, 0, 1, 1, 2, 2, 2, 2};
  parl_load_stats s;
  parl_model_measure_load(m, load, &s);
  assert_close(s.bias_range, 0.0, 0.0);
  parl_model_balance(m, load); /* the first layer's biases: -1/4, 1/4, 1/4, 1/4 */
  parl_model_measure_load(m, load, &s);
  assert_close(s.most, 3.0, 1e-12);
  assert_close(s.unused, 1.0 / 8.0, 1e-12);
  const double entropy = -(0.75 * log(0.75) + 0.25 * log(0.125)) / log(4.0);
  assert_close(s.entropy, 0.5 * (entropy + 1.0), 1e-12);
  assert_close(s.bias_range, 0.5, 1e-7);
  for (size_t e = 4; e < 8; e++) load[e] = 0;
  parl_model_measure_load(m, load, &s);
  assert_close(s.unused, 0.25, 1e-12);
  assert_close(s.entropy, entropy, 1e-12);
  for (size_t e = 0; e < 4; e++) load[e] = 0;
  parl_model_measure_load(m, load, &s);
  assert_true(isnan(s.most) && isnan(s.unused) && isnan(s.entropy) && isnan(s.bias_range));
  parl_model_destroy(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_excluded_groups_are_never_chosen),
      cmocka_unit_test(test_ties_and_broken_scores),
      cmocka_unit_test(test_gradient_of_weights),
      cmocka_unit_test(test_balance_loss),
      cmocka_unit_test(test_balanced_loss_is_its_weight),
      cmocka_unit_test(test_bias_moves_towards_balance),
      cmocka_unit_test(test_loads_are_measured),
  };
  return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
