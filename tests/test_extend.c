/* tests/test_extend.c - a stage of YaRN: angles and scores worked by hand, what a checkpoint may be
 * extended to, and whose checkpoint a run begins as. */
#include <math.h>

#define PARL_ACT_IS_FLOAT
#include "core/file.h"
#include "engine/checkpoint.h"
#include "engine/model_internal.h"
#include "parl/run/run_files.h"
#include "tests/checkpoint_support.h"
#include "tests/engine_support.h"

/* One head of 8 floats, so four pairs: 1, 0.1, 0.01 and 0.001 turn units a position. */
static parl_model_config make_config(int64_t context, double factor) {
  parl_model_config c = engine_config(1);
  c.n_heads = c.n_kv_heads = 1;
  c.head_dim = 8;
  c.max_context = context;
  c.rope_theta = 10000.0;
  c.rope_factor = factor;
  c.rope_original_context = 64;
  return c;
}

/* --- YaRN --- */

static void assert_angles(const parl_model *m, const double frequency[4], double size) {
  const size_t positions[] = {0, 1, 63, 64, 500};
  for (size_t k = 0; k < sizeof positions / sizeof positions[0]; k++)
    for (size_t i = 0; i < 4; i++) {
      const size_t t = positions[k];
      assert_close((double)m->cos_table[4 * t + i], size * cos((double)t * frequency[i]), 1e-6);
      assert_close((double)m->sin_table[4 * t + i], size * sin((double)t * frequency[i]), 1e-6);
    }
}

/* Within 64 positions a pair turns 64 f / 2 pi times. The pair with 32 turns lies at
 * 8 ln(64 / 64 pi) / (2 ln 10^4) = -0.50, so the ramp begins at 0; that with one turn at
 * 8 ln(64 / 2 pi) / (2 ln 10^4) = 1.008, so it ends at 2: pair 0 as it was, pair 1 half and half,
 * the others divided by the factor. Sizes are 0.1 ln 8 + 1 = 1.20794. */
static void test_yarn_by_hand(void **state) {
  (void)state;
  const double plain[] = {1, 0.1, 0.01, 0.001}, slowed[] = {1, 0.05625, 0.00125, 0.000125};
  const double m8 = 1.2079441541679836, root = 2.8284271247461903;
  parl_model_config c = make_config(512, 1);
  parl_model *m = engine_model(&c, parl_backend_ref(), 1);
  assert_angles(m, plain, 1);
  assert_close((double)m->attention_scale, 1 / root, 1e-7);
  parl_model_destroy(m);
  c.rope_factor = 8;
  m = engine_model(&c, parl_backend_ref(), 1); /* cosines and sines take it, queries and keys */
  assert_angles(m, slowed, m8);
  assert_close((double)m->attention_scale, 1 / root, 1e-7);
  parl_model_destroy(m);
  c.rope_mscale_all_dim = 1; /* as K2.5: the scale of scores takes its square */
  m = engine_model(&c, parl_backend_ref(), 1);
  assert_angles(m, slowed, 1);
  assert_close((double)m->attention_scale, m8 * m8 / root, 1e-7);
  parl_model_destroy(m);
}

/* --- what may be extended to what --- */

static const parl_checkpoint_meta META = {.vocab = "cafe", .progress = ""};

static void save(const parl_model_config *config, char sha256[65]) {
  parl_model *m = engine_model(config, parl_backend_ref(), 1);
  assert_ok(parl_checkpoint_save(make_path(), m, NULL, &META, sha256));
  parl_model_destroy(m);
}

static void refuse(const parl_model_config *config, const char *sha256, const char *vocab,
                   const char *part) {
  parl_model *m = engine_model(config, parl_backend_ref(), 2);
  parl_model *same = engine_model(config, parl_backend_ref(), 2);
  assert_fails(parl_checkpoint_check(make_path(), sha256, vocab, config, true), PARL_STATUS_EFORMAT,
               part);
  assert_fails(parl_checkpoint_load_extension(make_path(), sha256, vocab, m), PARL_STATUS_EFORMAT,
               part);
  const size_t bytes = parl_model_get_n_params(m) * sizeof(float);
  assert_memory_equal(engine_params(m), engine_params(same), bytes);
  parl_model_destroy(m);
  parl_model_destroy(same);
}

/* Two stages, and that of no other. */
static void test_stages(void **state) {
  (void)state;
  const struct {
    int64_t from_context, context;
    double from_factor, factor;
  } stages[] = {{64, 512, 1, 8}, {512, 4096, 8, 64}, {64, 512, 1, 1}, {64, 64, 1, 8}};
  for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
    char sha256[65];
    const parl_model_config from = make_config(stages[i].from_context, stages[i].from_factor);
    const parl_model_config to = make_config(stages[i].context, stages[i].factor);
    save(&from, sha256);
    parl_model *a = engine_model(&from, parl_backend_ref(), 1);
    parl_model *b = engine_model(&to, parl_backend_ref(), 2);
    assert_ok(parl_checkpoint_check(make_path(), sha256, "cafe", &to, true));
    assert_ok(parl_checkpoint_load_extension(make_path(), sha256, "cafe", b));
    const size_t bytes = parl_model_get_n_params(a) * sizeof(float);
    assert_memory_equal(engine_params(a), engine_params(b), bytes);
    assert_ok(parl_checkpoint_check(make_path(), sha256, "cafe", &from, false));
    if (stages[i].factor > stages[i].from_factor) {
      assert_fails(parl_checkpoint_load_exact(make_path(), sha256, "cafe", b), PARL_STATUS_EFORMAT,
                   "rope_factor");
      assert_fails(parl_checkpoint_check(make_path(), sha256, "cafe", &to, false),
                   PARL_STATUS_EFORMAT, "rope_factor");
    }
    parl_model_destroy(a);
    parl_model_destroy(b);
  }
}

/* Every field that differs is named with both values; what loading allows anyway is not. */
static void test_no_stages(void **state) {
  (void)state;
  char sha256[65];
  const parl_model_config from = make_config(64, 1);
  save(&from, sha256);
  parl_model_config to = make_config(512, 8);
  to.rope_original_context = 32;
  to.init_std = 0.5;
  assert_ok(parl_checkpoint_check(make_path(), sha256, "cafe", &to, true));
  refuse(&to, sha256, "beef", "vocabulary \"cafe\", not \"beef\"");
  refuse(&to, "0123456789abcdef", "cafe", "another file is in its place");
  to.rope_theta = 500;
  to.rope_mscale_all_dim = 1;
  refuse(&to, sha256, "cafe",
         "has model.rope_theta = 10000 (not 500), model.rope_mscale_all_dim = 0 (not 1); an");
  to = make_config(512, 8);
  to.rope_beta_fast = 16;
  refuse(&to, sha256, "cafe", "has model.rope_beta_fast = 32 (not 16); an");
  to = make_config(63, 8);
  refuse(&to, sha256, "cafe", "model.max_context = 64, which 63 does not extend");
}

/* --- whose checkpoint --- */

static void test_beginning(void **state) {
  (void)state;
  parl_run run = {.config.run.seed = 1711};
  parl_beginning b;
  assert_ok(parl_run_get_beginning(&run, &b));
  assert_string_equal(b.path, "");
  assert_false(b.extends);
  snprintf(run.config.pretrain.init, sizeof run.config.pretrain.init, "{seed}/{see}-s{seed}.x");
  assert_ok(parl_run_get_beginning(&run, &b));
  assert_string_equal(b.path, "1711/{see}-s1711.x");
  assert_string_equal(b.field, "pretrain.init");
  assert_false(b.extends);
  run.config.pretrain.init[0] = '\0';
  char *path = run.config.pretrain.extend;
  const size_t most = sizeof run.config.pretrain.extend - 1;
  memset(path, 'a', most);
  assert_ok(parl_run_get_beginning(&run, &b));
  assert_string_equal(b.path, path);
  assert_true(b.extends);
  memcpy(path + most - 6, "{seed}", 6); /* two bytes shorter as a number */
  assert_ok(parl_run_get_beginning(&run, &b));
  assert_int_equal(strlen(b.path), most - 2);
  run.config.run.seed = INT64_C(1) << 53; /* 16 digits: ten too many */
  assert_fails(parl_run_get_beginning(&run, &b), PARL_STATUS_EINVAL, "pretrain.extend");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_yarn_by_hand),
      cmocka_unit_test(test_stages),
      cmocka_unit_test(test_no_stages),
      cmocka_unit_test(test_beginning),
  };
  return cmocka_run_group_tests_name("extend", tests, make_folder, remove_folder);
}
