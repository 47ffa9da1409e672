/* tests/test_layout.c - devices counted by hand, and against what the engine allocates. */
#include "engine/flops.h"
#include "engine/hf_config.h"
#include "engine/layout.h"
#include "engine/model_internal.h"
#include "tests/engine_support.h"
#include "tests/support.h"

enum { VOCAB = 20 };

static parl_model_config small_config(void) {
  parl_model_config c;
  parl_config_set_defaults(&parl_model_section, &c);
  c.n_layers = 3;
  c.d_model = 8;
  c.n_heads = 2;
  c.d_ff = 10;
  c.attention = PARL_ATTENTION_MLA;
  c.q_lora_rank = 4;
  c.kv_lora_rank = 6;
  c.qk_nope_head_dim = 3;
  c.qk_rope_head_dim = 2;
  c.v_head_dim = 4;
  c.n_routed_experts = 4;
  c.moe_d_ff = 6;
  return c;
}

static parl_layout make_layout(int64_t tp, int64_t ep, int64_t pp, int64_t dp) {
  parl_layout l;
  parl_config_set_defaults(&parl_layout_section, &l);
  l.tp = tp;
  l.ep = ep;
  l.pp = pp;
  l.dp = dp;
  return l;
}

/* Stage 0: the dense layer and the embedding. Stage 1: two sparse layers, the norm, the head.
 * Whole: norms 16, latents 12 x 8, their norms 10; router 4 x 8, bias 4; final norm 8.
 * Cut: o 64, q_b 40, kv_b 84; SwiGLU 240, shared expert 144; tables 160. Expert: 144. */
static void test_weights_by_hand(void **state) {
  (void)state;
  const parl_model_config c = small_config();
  const parl_layout l = make_layout(2, 2, 2, 2);
  assert_ok(parl_layout_check(&l, &c, VOCAB));
  assert_close(parl_layout_count_devices(&l), 8.0, 0.0);
  const parl_layout_stage a = parl_layout_count(&l, &c, VOCAB, 0);
  const parl_layout_stage b = parl_layout_count(&l, &c, VOCAB, 1);
  assert_true(a.first_layer == 0 && a.n_layers == 1 && b.first_layer == 1 && b.n_layers == 2);
  const double shared_a = 122 + (64 + 40 + 84 + 240 + 160) / 2.0;
  const double shared_b = 2 * (122 + 36) + 8 + (2 * (64 + 40 + 84 + 144) + 160) / 2.0;
  const double experts = 2 * 4 * 144 / 2.0;
  assert_close(a.n_params, shared_a, 0.0);
  assert_close(b.n_params, shared_b + experts, 0.0);
  assert_close(a.weight_bytes, 2 * shared_a, 0.0);
  assert_close(a.gradient_bytes, 4 * shared_a, 0.0);
  assert_close(a.optimizer_bytes, 12 * shared_a / 2, 0.0);
  assert_close(b.optimizer_bytes, 12 * (shared_b / 2 + experts / 2), 0.0); /* 2 x 2 / 2 replicas */
  assert_close(a.cache_bytes, 2.0 * (6 + 2), 0.0); /* latents are whole on every device */
  assert_close(b.cache_bytes, 2.0 * 2 * (6 + 2), 0.0);
}

static void test_replicas_of_experts(void **state) {
  (void)state;
  const parl_model_config c = small_config();
  parl_layout l = make_layout(1, 2, 1, 8);
  const double experts = 2 * 4 * 144 / 2.0, all = parl_layout_count(&l, &c, VOCAB, 0).n_params;
  assert_close(parl_layout_count(&l, &c, VOCAB, 0).optimizer_bytes,
               12 * ((all - experts) / 8 + experts / 4), 1e-9);
  l.zero = false;
  assert_close(parl_layout_count(&l, &c, VOCAB, 0).optimizer_bytes, 12 * all, 0.0);
  l.dtype = PARL_LAYOUT_F32;
  assert_close(parl_layout_count(&l, &c, VOCAB, 0).optimizer_bytes, 8 * all, 0.0);
  assert_close(parl_layout_count(&l, &c, VOCAB, 0).weight_bytes, 4 * all, 0.0);
}

/* Dense, whole: x, mid, two norms and their scales 34, latents and rope key 12, normed 10, scales
 * 2; cut: mixed 8, lse 2, q and k 20, expanded 14, v 8, SwiGLU 30. Sparse: scores 4, choices 8;
 * shared expert 18 instead; routed experts 2 x (16 + 18). The first stage holds two micro-batches;
 * the last has a row of logits, 20 / 2, and three of width 8 with a scale. */
static void test_activations_by_hand(void **state) {
  (void)state;
  const parl_model_config c = small_config();
  parl_layout l = make_layout(2, 2, 2, 2);
  l.tokens = 10;
  const double dense = 58 + (8 + 2 + 20 + 14 + 8 + 30) / 2.0;
  const double sparse = 58 + 12 + (8 + 2 + 20 + 14 + 8 + 18 + 68) / 2.0;
  const double logits = 10 + 25;
  assert_close(parl_layout_count(&l, &c, VOCAB, 0).activation_bytes, 2 * 10 * 2 * dense, 0.0);
  assert_close(parl_layout_count(&l, &c, VOCAB, 1).activation_bytes, 2 * 10 * (2 * sparse + logits),
               0.0);
  l.recompute = PARL_RECOMPUTE_LAYER;
  assert_close(parl_layout_count(&l, &c, VOCAB, 1).activation_bytes, 2 * 10 * (8 + sparse + logits),
               0.0);
}

/* Grouped attention: keys are cut by heads. */
static void test_gqa_by_hand(void **state) {
  (void)state;
  parl_model_config c = engine_config(2);
  const parl_layout l = make_layout(2, 1, 2, 1);
  const parl_layout_stage s = parl_layout_count(&l, &c, VOCAB, 0);
  const double C = (double)c.d_model, D = (double)c.head_dim, F = (double)c.d_ff;
  assert_close(s.n_params, 2 * C + ((4 + 2 + 2 + 4) * D * C + 3 * F * C + VOCAB * C) / 2, 0.0);
  assert_close(s.cache_bytes, 2.0 * 2 * D, 0.0); /* a key and a value of one head */
}

/* Without tp and ep, the stages together hold what the shape counts, for every number of them. */
static void test_stages_add_up(void **state) {
  (void)state;
  const parl_hf_config k25 = parl_hf_config_k25();
  parl_shape shape;
  assert_ok(parl_shape_count(&k25.model, k25.vocab_size, &shape));
  for (int64_t pp = 1; pp <= 61; pp++) {
    const parl_layout l = make_layout(1, 1, pp, 1);
    assert_ok(parl_layout_check(&l, &k25.model, k25.vocab_size));
    double n = 0.0, cache = 0.0;
    size_t layer = 0;
    for (size_t i = 0; i < (size_t)pp; i++) {
      const parl_layout_stage s = parl_layout_count(&l, &k25.model, k25.vocab_size, i);
      assert_int_equal(s.first_layer, layer);
      layer += s.n_layers;
      n += s.n_params;
      cache += s.cache_bytes;
    }
    assert_int_equal(layer, 61);
    const double vision = shape.n_tower + shape.n_projector; /* on every device */
    assert_close(n, shape.n_params + shape.n_bias + (double)(pp - 1) * vision, 0.0);
    assert_close(cache, shape.cache_bytes / 2, 0.0);
  }
}

/* Bytes of a workspace of 8192 rows without outputs. */
static double measure(const parl_model_config *c) {
  parl_model *m = engine_model(c, parl_backend_ref(), 5);
  parl_workspace *ws = NULL;
  assert_ok(parl_workspace_create(m, 8192, 0, &ws));
  const double bytes =
      (double)(parl_arena_get_used(&ws->arena) + parl_arena_get_used(&ws->numbers));
  parl_workspace_destroy(ws);
  parl_model_destroy(m);
  return bytes;
}

/* Eight layers more, in the engine's workspace and as counted. */
static void test_engine_keeps_as_much(void **state) {
  (void)state;
  for (int k = 0; k < 6; k++) {
    parl_model_config c = k % 3 == 0 ? engine_config(2) : small_config();
    if (k % 3 == 1) c.q_lora_rank = 0;
    c.recompute = k < 3 ? PARL_RECOMPUTE_NONE : PARL_RECOMPUTE_LAYER;
    parl_layout l = make_layout(1, 1, 1, 1);
    l.dtype = PARL_LAYOUT_F32;
    l.tokens = 8192;
    double measured[2], counted[2];
    for (int i = 0; i < 2; i++) {
      c.n_layers = i == 0 ? 4 : 12;
      measured[i] = measure(&c);
      counted[i] = parl_layout_count(&l, &c, ENGINE_VOCAB, 0).activation_bytes;
    }
    print_message("  %.0f bytes, counted %.0f\n", measured[1] - measured[0],
                  counted[1] - counted[0]);
    assert_close(measured[1] - measured[0], counted[1] - counted[0], 40000.0, 0.03);
  }
}

static void test_bad_layouts(void **state) {
  (void)state;
  const parl_model_config c = small_config();
  parl_model_config dense = engine_config(2);
  parl_layout l = make_layout(1, 1, 4, 1);
#define REFUSED(config, text) \
  assert_fails(parl_layout_check(&l, config, VOCAB), PARL_STATUS_EINVAL, text)
  REFUSED(&c, "layout.pp = 4");
  l = make_layout(4, 1, 1, 1);
  REFUSED(&c, "layout.tp = 4 does not divide model.n_heads = 2");
  REFUSED(&dense, "layout.tp = 4 does not divide model.n_kv_heads = 2");
  l = make_layout(2, 4, 1, 1);
  REFUSED(&c, "layout.ep = 4 does not divide tp * dp = 2");
  l = make_layout(1, 3, 1, 3);
  REFUSED(&c, "layout.ep = 3 does not divide model.n_routed_experts = 4");
  REFUSED(&dense, "no routed experts");
  l = make_layout(1, 1, 1, 0);
  REFUSED(&c, "layout.dp = 0");
#undef REFUSED
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_weights_by_hand),     cmocka_unit_test(test_replicas_of_experts),
      cmocka_unit_test(test_activations_by_hand), cmocka_unit_test(test_gqa_by_hand),
      cmocka_unit_test(test_stages_add_up),       cmocka_unit_test(test_engine_keeps_as_much),
      cmocka_unit_test(test_bad_layouts),
  };
  return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
