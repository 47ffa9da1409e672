/* tests/test_golden.c - logits and every gradient against an independent implementation.
 *
 * tests/golden/<case> are checkpoints in the published format with what transformers computes from
 * them, in f32; tests/golden/make_goldens.py made them. */
#include "core/file.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "engine/hf_checkpoint.h"
#include "engine/logits.h"
#include "tests/engine_support.h"
#include "tests/support.h"

static const char *const CASES[] = {"dense",      "moe",    "full_q", "yarn",       "yarn_mscale",
                                    "yarn_plain", "groups", "odd",    "shards_bf16"};
enum { N_CASES = sizeof CASES / sizeof CASES[0], MAX_TOKENS = 512 };

typedef struct golden {
  char folder[256];
  parl_safetensors *file;
  int32_t tokens[MAX_TOKENS]; /* [B,T] */
  size_t B, T;
} golden;

static void read_tokens(golden *g) {
  char path[512], *bytes = NULL;
  size_t n = 0;
  parl_json *json = NULL;
  assert_ok(parl_file_join(path, sizeof path, g->folder, "tokens.json"));
  assert_ok(parl_file_read(path, 1 << 20, &bytes, &n));
  assert_ok(parl_json_parse(bytes, n, path, &json));
  const parl_json *rows = parl_json_find(json, "tokens");
  g->B = parl_json_get_size(rows);
  size_t k = 0;
  for (const parl_json *r = parl_json_get_first(rows); r != NULL; r = parl_json_get_next(r)) {
    g->T = parl_json_get_size(r);
    for (const parl_json *t = parl_json_get_first(r); t != NULL; t = parl_json_get_next(t)) {
      assert_true(k < MAX_TOKENS);
      g->tokens[k++] = (int32_t)parl_json_get_number(t);
    }
  }
  assert_int_equal(k, g->B * g->T);
  parl_json_destroy(json);
  free(bytes);
}

static golden *golden_open(const char *name) {
  golden *g = calloc(1, sizeof *g);
  char path[512];
  snprintf(g->folder, sizeof g->folder, "tests/golden/%s", name);
  assert_ok(parl_file_join(path, sizeof path, g->folder, "golden.safetensors"));
  assert_ok(parl_safetensors_open(path, &g->file));
  read_tokens(g);
  return g;
}

static void golden_close(golden *g) {
  parl_safetensors_close(g->file);
  free(g);
}

/* Difference to the golden tensor, relative to its largest element; exact where that is zero. */
static double compare(const golden *g, const char *name, const float *x, size_t n) {
  const parl_tensor_info *info = parl_safetensors_find(g->file, name);
  if (info == NULL) fail_msg("%s has no %s", g->folder, name);
  assert_int_equal(info->bytes, n * sizeof *x);
  float *due = malloc(info->bytes);
  memcpy(due, info->data, info->bytes);
  const double error = engine_difference(x, due, n);
  free(due);
  if (!(error <= 1e-5)) fail_msg("%s: %s is off by %.2e", g->folder, name, error);
  return error;
}

static double compare_gradients(const golden *g, const parl_model *m, const float *grads) {
  size_t n_tensors, n_trained = 0;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n_tensors);
  double worst = 0.0;
  for (size_t i = 0; i < n_tensors; i++) {
    char name[128];
    snprintf(name, sizeof name, "grad.%s", t[i].name);
    if (!t[i].trained) {
      assert_true(engine_max_abs(grads + t[i].offset, t[i].n) <= 0.0);
      continue;
    }
    n_trained++;
    worst = fmax(worst, compare(g, name, grads + t[i].offset, t[i].n));
  }
  assert_int_equal(n_trained + 2, parl_safetensors_get_count(g->file)); /* and logits, loss */
  return worst;
}

static void check_case(const char *name, const parl_backend *backend) {
  golden *g = golden_open(name);
  parl_model *m = NULL;
  assert_ok(parl_hf_checkpoint_load(g->folder, g->T, backend, &m));
  const size_t n = g->B * g->T * parl_model_get_vocab_size(m);
  float *logits = malloc(n * sizeof *logits);
  float *grads = malloc(parl_model_get_n_params(m) * sizeof *grads);
  double loss = 0.0;
  assert_ok(
      parl_logits_compute(&(parl_logits_def){.model = m, .B = g->B, .T = g->T, .tokens = g->tokens},
                          logits, &loss, grads));
  const double error = compare(g, "logits", logits, n);
  float loss_f = (float)loss;
  compare(g, "loss", &loss_f, 1);
  const double worst = compare_gradients(g, m, grads);
  print_message("  %-12s %-20s logits %.1e, worst gradient %.1e\n", name, backend->instructions,
                error, worst);
  free(logits);
  free(grads);
  parl_model_destroy(m);
  golden_close(g);
}

static void test_goldens(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t c = 0; c < N_CASES; c++)
    for (size_t b = 0; b < n; b++) check_case(CASES[c], backends[b]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens)};
  return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
