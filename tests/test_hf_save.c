/* tests/test_hf_save.c - published folders that parl writes: what is written is read again. */
#include <dirent.h>

#include "core/file.h"
#include "core/folder.h"
#include "core/safetensors.h"
#include "engine/checkpoint.h"
#include "engine/hf_checkpoint.h"
#include "engine/hf_config.h"
#include "engine/logits.h"
#include "tests/engine_support.h"
#include "tests/support.h"

enum { PATH_BYTES = PARL_TEST_PATH_BYTES + 64 };
static const parl_hf_save_options F32 = {.shard_bytes = 1 << 30};

typedef struct scratch {
  char folder[PARL_TEST_PATH_BYTES], path[PATH_BYTES];
} scratch;

static void scratch_open(scratch *s) {
  parl_test_temp_folder(s->folder);
  snprintf(s->path, sizeof s->path, "%s/published", s->folder);
}

/* Nothing but the published folder may be left. */
static void scratch_close(scratch *s, bool is_there) {
  size_t n = 0;
  DIR *dir = opendir(s->folder);
  assert_non_null(dir);
  for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) n += e->d_name[0] != '.';
  closedir(dir);
  assert_int_equal(n, is_there);
  parl_folder_abort(s->path);
  parl_test_remove_folder(s->folder);
}

static void assert_same_weights(parl_model *a, parl_model *b) {
  assert_int_equal(parl_model_get_n_params(a), parl_model_get_n_params(b));
  assert_memory_equal(engine_params(a), engine_params(b),
                      parl_model_get_n_params(a) * sizeof(float));
}

/* Logits have the same bits. */
static void assert_same_logits(const parl_model *a, const parl_model *b) {
  enum { T = 40 };
  const size_t V = parl_model_get_vocab_size(a);
  int32_t tokens[T];
  for (int i = 0; i < T; i++) tokens[i] = i % 20;
  float *x = calloc(2 * T * V, sizeof *x), *y = x + T * V;
  double loss;
  assert_ok(parl_logits_compute(&(parl_logits_def){.model = a, .B = 1, .T = T, .tokens = tokens}, x,
                                &loss, NULL));
  assert_ok(parl_logits_compute(&(parl_logits_def){.model = b, .B = 1, .T = T, .tokens = tokens}, y,
                                &loss, NULL));
  assert_memory_equal(x, y, T * V * sizeof *x);
  free(x);
}

/* Every golden checkpoint, written and read: the same model. */
static void test_goldens_come_back(void **state) {
  (void)state;
  static const char *const names[] = {"dense", "full_q",      "groups", "moe",
                                      "odd",   "yarn_mscale", "yarn",   "yarn_plain"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    scratch s;
    char from[64];
    parl_model *a = NULL, *b = NULL;
    scratch_open(&s);
    snprintf(from, sizeof from, "tests/golden/%s", names[i]);
    assert_ok(parl_hf_checkpoint_load(from, 0, parl_backend_ref(), &a));
    assert_ok(parl_hf_checkpoint_save(s.path, a, &F32, NULL));
    assert_ok(parl_hf_checkpoint_load(s.path, 0, parl_backend_ref(), &b));
    assert_same_weights(a, b);
    assert_same_logits(a, b);
    assert_memory_equal(parl_model_get_config(a), parl_model_get_config(b),
                        sizeof(parl_model_config));
    parl_model_destroy(a);
    parl_model_destroy(b);
    scratch_close(&s, true);
  }
}

/* Latent attention without experts is a deepseek_v3 whose layers are all dense. */
static void test_dense_mla_comes_back(void **state) {
  (void)state;
  scratch s;
  parl_model_config config = engine_config(4);
  config.attention = PARL_ATTENTION_MLA;
  parl_model *a = engine_model(&config, parl_backend_ref(), 5), *b = NULL;
  scratch_open(&s);
  assert_ok(parl_hf_checkpoint_save(s.path, a, &F32, NULL));
  assert_ok(parl_hf_checkpoint_load(s.path, 0, parl_backend_ref(), &b));
  assert_same_weights(a, b);
  assert_same_logits(a, b);
  parl_model_destroy(a);
  parl_model_destroy(b);
  scratch_close(&s, true);
}

/* A run's checkpoint, dense: published as llama. */
static void test_gqa_comes_back(void **state) {
  (void)state;
  for (int64_t n_kv_heads = 1; n_kv_heads <= 4; n_kv_heads *= 2) {
    scratch s;
    char file[PATH_BYTES];
    parl_model_config config = engine_config(n_kv_heads);
    config.rope_factor = n_kv_heads == 2 ? 4.0 : 1.0;
    config.rope_original_context = 16;
    parl_model *run = engine_model(&config, parl_backend_ref(), 5), *a = NULL, *b = NULL;
    scratch_open(&s);
    snprintf(file, sizeof file, "%s/run", s.folder);
    assert_ok(parl_checkpoint_save(file, run, NULL, &(parl_checkpoint_meta){0}, NULL));
    assert_ok(parl_checkpoint_open_model(file, parl_backend_ref(), &a));
    assert_int_equal(remove(file), 0);
    assert_same_weights(run, a);
    assert_ok(parl_hf_checkpoint_save(s.path, a, &F32, NULL));
    assert_ok(parl_hf_checkpoint_load(s.path, 0, parl_backend_ref(), &b));
    assert_int_equal(parl_model_get_config(b)->attention, PARL_ATTENTION_GQA);
    assert_same_weights(a, b);
    assert_same_logits(a, b);
    parl_model_destroy(run);
    parl_model_destroy(a);
    parl_model_destroy(b);
    scratch_close(&s, true);
  }
}

/* Heads of 4: neighbours (0,1), (2,3) are published half a head apart, (0,2), (1,3). */
static void test_llama_rows_by_hand(void **state) {
  (void)state;
  parl_model_config config = engine_config(2);
  config.n_heads = 2;
  config.head_dim = 4;
  parl_model *m = engine_model(&config, parl_backend_ref(), 5);
  static const float due[] = {0, 2, 1, 3, 4, 6, 5, 7};
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++) {
    if (t[i].n_dims != 2 || t[i].shape[0] != 8) continue;
    const bool is_turned = strstr(t[i].name, "v_proj") == NULL;
    const size_t width = t[i].shape[1];
    float *from = calloc(2 * t[i].n, sizeof *from), *to = from + t[i].n;
    for (size_t k = 0; k < t[i].n; k++) from[k] = (float)(k / width);
    parl_hf_publish(m, &t[i], from, to);
    for (size_t row = 0; row < 8; row++)
      assert_close((double)to[row * width], is_turned ? (double)due[row] : (double)row, 0.0);
    free(from);
  }
  parl_model_destroy(m);
}

/* 1 + 2^-8 lies between two values of bf16, of which 1 is even; 1 + 3 2^-8 goes up to 1 + 2^-6. */
static void test_bf16_by_hand(void **state) {
  (void)state;
  scratch s;
  parl_model *a = NULL, *b = NULL;
  scratch_open(&s);
  assert_ok(parl_hf_checkpoint_load("tests/golden/odd", 0, parl_backend_ref(), &a));
  static const double given[] = {1.00390625, 1.01171875, -1.004, 3.0e-40, 0.1};
  static const double due[] = {1.0, 1.015625, -1.0078125, 2.75506e-40, 0.10009765625};
  float *p = engine_params(a);
  for (size_t i = 0; i < 5; i++) p[i] = (float)given[i];
  const parl_hf_save_options options = {.is_bf16 = true, .shard_bytes = 10000};
  parl_hf_saved saved;
  assert_ok(parl_hf_checkpoint_save(s.path, a, &options, &saved));
  assert_true(saved.n_files == 4 && saved.bytes > 32000 && saved.bytes < 33000);
  assert_ok(parl_hf_checkpoint_load(s.path, 0, parl_backend_ref(), &b));
  const float *q = engine_params(b);
  for (size_t i = 0; i < 5; i++) assert_close((double)q[i], due[i], 1e-44, 1e-6);
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(a, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++)
    for (size_t k = t[i].offset; k < t[i].offset + t[i].n; k++) {
      const double x = (double)p[k], error = fabs((double)q[k] - x);
      assert_true(error <= (t[i].trained ? fabs(x) / 256.0 + 1e-40 : 0.0));
    }
  parl_model_destroy(a);
  parl_model_destroy(b);
  scratch_close(&s, true);
}

/* No shard is larger than asked for, unless one tensor is. */
static void test_shards(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 5000, 40000, 95327, 95328};
  parl_model *a = NULL, *b = NULL;
  assert_ok(parl_hf_checkpoint_load("tests/golden/moe", 0, parl_backend_ref(), &a));
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    scratch s;
    parl_hf_saved saved;
    scratch_open(&s);
    const parl_hf_save_options options = {.shard_bytes = sizes[i]};
    assert_ok(parl_hf_checkpoint_save(s.path, a, &options, &saved));
    assert_close(saved.bytes, 95328.0, 0.0);
    for (size_t k = 0; k < saved.n_files && saved.n_files > 1; k++) {
      char path[2 * PATH_BYTES];
      parl_safetensors *file = NULL;
      snprintf(path, sizeof path, "%s/model-%05zu-of-%05zu.safetensors", s.path, k + 1,
               saved.n_files);
      assert_ok(parl_safetensors_open(path, &file));
      size_t bytes = 0, n = parl_safetensors_get_count(file);
      for (size_t t = 0; t < n; t++) bytes += parl_safetensors_get(file, t)->bytes;
      assert_true(bytes <= sizes[i] || n == 1);
      parl_safetensors_close(file);
    }
    assert_int_equal(saved.n_files == 1, sizes[i] == 95328);
    assert_ok(parl_hf_checkpoint_load(s.path, 0, parl_backend_ref(), &b));
    assert_same_weights(a, b);
    parl_model_destroy(b);
    scratch_close(&s, true);
  }
  parl_model_destroy(a);
}

static void refuse(parl_model_config config, const char *text) {
  scratch s;
  parl_model *m = engine_model(&config, parl_backend_ref(), 5);
  scratch_open(&s);
  assert_fails(parl_hf_checkpoint_save(s.path, m, &F32, NULL), PARL_STATUS_EINVAL, text);
  parl_model_destroy(m);
  scratch_close(&s, false);
}

static void test_what_cannot_be_published(void **state) {
  (void)state;
  parl_model_config config = engine_config(2);
  config.n_routed_experts = 4;
  refuse(config, "n_routed_experts");
  config = engine_config(2);
  config.d_model = 23;
  refuse(config, "d_model");
  config = engine_config(2);
  config.attention = PARL_ATTENTION_MLA;
  config.latent_norm_eps = 1e-5;
  refuse(config, "latent_norm_eps");
}

/* A failure leaves nothing behind, and what is there stays as it was. */
static void test_bad_saves(void **state) {
  (void)state;
  scratch s;
  const parl_model_config config = engine_config(2);
  parl_model *m = engine_model(&config, parl_backend_ref(), 5);
  scratch_open(&s);
  engine_params(m)[7] = NAN;
  assert_fails(parl_hf_checkpoint_save(s.path, m, &F32, NULL), PARL_STATUS_ESTATE, "element 7");
  assert_false(parl_file_exists(s.path));
  engine_params(m)[7] = 0.0F;
  assert_status(parl_hf_checkpoint_save(s.path, m, &(parl_hf_save_options){0}, NULL),
                PARL_STATUS_EINVAL);
  assert_ok(parl_file_write(s.path, "old", 3));
  assert_fails(parl_hf_checkpoint_save(s.path, m, &F32, NULL), PARL_STATUS_EIO, "exists");
  char *bytes = NULL;
  size_t n = 0;
  assert_ok(parl_file_read(s.path, 100, &bytes, &n));
  assert_string_equal(bytes, "old");
  free(bytes);
  assert_int_equal(remove(s.path), 0);
  parl_model_destroy(m);
  scratch_close(&s, false);
}

static void test_bad_run_checkpoints(void **state) {
  (void)state;
  scratch s;
  parl_model *m = NULL;
  scratch_open(&s);
  assert_fails(parl_checkpoint_open_model(s.path, parl_backend_ref(), &m), PARL_STATUS_EIO, s.path);
  assert_fails(
      parl_checkpoint_open_model("tests/golden/moe/model.safetensors", parl_backend_ref(), &m),
      PARL_STATUS_EFORMAT, "not parl's");
  const float x[4] = {0};
  const parl_tensor_info info = {.name = "model.embed_tokens.weight",
                                 .n_dims = 2,
                                 .shape = {4, 1},
                                 .data = x,
                                 .bytes = sizeof x};
  const char *const large[] = {"format", "parl-1", "model", "{\"n_layers\":100}", "vocab", ""};
  assert_ok(parl_safetensors_write(s.path, &info, 1, large, 3, NULL));
  assert_fails(parl_checkpoint_open_model(s.path, parl_backend_ref(), &m), PARL_STATUS_EFORMAT,
               "values");
  const char *const bad[] = {"format", "parl-1", "model", "{\"n_heads\":3}", "vocab", ""};
  assert_ok(parl_safetensors_write(s.path, &info, 1, bad, 3, NULL));
  assert_fails(parl_checkpoint_open_model(s.path, parl_backend_ref(), &m), PARL_STATUS_EFORMAT,
               "n_kv_heads");
  assert_null(m);
  assert_int_equal(remove(s.path), 0);
  scratch_close(&s, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_goldens_come_back),
      cmocka_unit_test(test_dense_mla_comes_back),
      cmocka_unit_test(test_gqa_comes_back),
      cmocka_unit_test(test_llama_rows_by_hand),
      cmocka_unit_test(test_bf16_by_hand),
      cmocka_unit_test(test_shards),
      cmocka_unit_test(test_what_cannot_be_published),
      cmocka_unit_test(test_bad_saves),
      cmocka_unit_test(test_bad_run_checkpoints),
  };
  return cmocka_run_group_tests_name("hf_save", tests, NULL, NULL);
}
