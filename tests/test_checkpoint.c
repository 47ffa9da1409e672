/* tests/test_checkpoint.c - a round trip keeps every bit; a bad file changes none. */
#include <unistd.h>

#include "core/file.h"
#include "core/safetensors.h"
#include "engine/checkpoint.h"
#include "tests/checkpoint_support.h"
#include "tests/engine_support.h"

static const parl_checkpoint_meta META = {.vocab = "cafe", .progress = "{\"update\":7}"};

typedef struct policy {
  parl_model *model;
  parl_optimizer *opt;
  size_t n;
} policy;

static policy policy_open(uint64_t seed) {
  policy p = {0};
  const parl_model_config config = engine_config(2);
  p.model = engine_model(&config, parl_backend_ref(), seed);
  p.n = parl_model_get_n_params(p.model);
  parl_optimizer_config o;
  parl_config_set_defaults(&parl_optimizer_section, &o);
  assert_ok(parl_optimizer_create(&o, p.model, &p.opt));
  float *grads = malloc(p.n * sizeof *grads);
  engine_normal(grads, p.n, seed);
  for (uint64_t i = 0; i < seed; i++) assert_ok(parl_optimizer_step(p.opt, p.model, grads, NULL));
  free(grads);
  return p;
}

static void policy_close(policy *p) {
  parl_optimizer_destroy(p->opt);
  parl_model_destroy(p->model);
}

static void assert_same_moments(const parl_optimizer *a, const parl_optimizer *b, size_t n) {
  float *x = engine_read_moments(a, n), *y = engine_read_moments(b, n);
  assert_memory_equal(x, y, 2 * n * sizeof(float));
  free(x);
  free(y);
}

static void assert_same(policy *a, policy *b) {
  assert_memory_equal(engine_params(a->model), engine_params(b->model), a->n * sizeof(float));
  assert_same_moments(a->opt, b->opt, a->n);
  assert_int_equal(parl_optimizer_get_steps(a->opt), parl_optimizer_get_steps(b->opt));
}

static void test_round_trip(void **state) {
  (void)state;
  const char *path = make_path();
  policy a = policy_open(3), b = policy_open(5);
  parl_text progress = {0};
  char sha256[65] = "", again[65] = "";
  parl_text_append(&progress, "old");
  assert_ok(parl_checkpoint_save(path, a.model, a.opt, &META, sha256));
  assert_ok(parl_checkpoint_load(path, b.model, b.opt, "cafe", &progress));
  assert_same(&a, &b);
  assert_string_equal(parl_text_get(&progress), META.progress);
  assert_int_equal(strlen(sha256), 64);
  assert_ok(parl_checkpoint_save(path, b.model, b.opt, &META, again));
  assert_string_equal(sha256, again);
  parl_text_deinit(&progress);
  policy_close(&a);
  policy_close(&b);
  remove(path);
}

/* The bytes that are read are those that are hashed: whatever lies under the name now. */
static void test_another_file_in_its_place(void **state) {
  (void)state;
  const char *path = make_path();
  policy a = policy_open(3), b = policy_open(5), c = policy_open(7);
  char sha256[65] = "";
  assert_ok(parl_checkpoint_save(path, a.model, NULL, &META, sha256));
  assert_ok(parl_checkpoint_load_exact(path, sha256, "cafe", b.model));
  assert_ok(parl_checkpoint_save(path, c.model, NULL, &META, NULL));
  parl_hash before, after;
  char was[PARL_HASH_HEX_BYTES], is[PARL_HASH_HEX_BYTES];
  parl_hash_init(&before);
  parl_hash_init(&after);
  assert_ok(parl_model_hash(b.model, &before));
  assert_fails(parl_checkpoint_load_exact(path, sha256, "cafe", b.model), PARL_STATUS_EFORMAT,
               "another file is in its place");
  assert_ok(parl_model_hash(b.model, &after)); /* untouched */
  parl_hash_finish(&before, was);
  parl_hash_finish(&after, is);
  assert_string_equal(was, is);
  assert_ok(parl_checkpoint_load_exact(path, "", "cafe", b.model)); /* any */
  policy_close(&a);
  policy_close(&b);
  policy_close(&c);
  remove(path);
}

/* The loaded model computes with the loaded weights: packed copies are fresh. */
static void test_load_refreshes(void **state) {
  (void)state;
  const char *path = make_path();
  policy a = policy_open(3), b = policy_open(5);
  const size_t lengths[] = {9};
  engine_batch *batch = calloc(1, sizeof *batch);
  engine_fill(batch, lengths, 1, 1, 1);
  float *logits[2];
  parl_workspace *ws[2] = {NULL, NULL};
  assert_ok(parl_checkpoint_save(path, a.model, NULL, &META, NULL));
  assert_ok(parl_checkpoint_load(path, b.model, NULL, NULL, NULL));
  for (size_t i = 0; i < 2; i++) {
    const parl_model *m = i == 0 ? a.model : b.model;
    assert_ok(parl_workspace_create(m, 9, 9, &ws[i]));
    assert_ok(parl_model_forward(m, ws[i], &batch->slice, &logits[i]));
  }
  assert_memory_equal(logits[0], logits[1], 9 * ENGINE_VOCAB * sizeof(float));
  for (size_t i = 0; i < 2; i++) parl_workspace_destroy(ws[i]);
  free(batch);
  policy_close(&a);
  policy_close(&b);
  remove(path);
}

static void test_moments_are_optional(void **state) {
  (void)state;
  const char *path = make_path();
  policy a = policy_open(3), b = policy_open(5), c = policy_open(5);
  assert_ok(parl_checkpoint_save(path, a.model, a.opt, &META, NULL));
  assert_ok(parl_checkpoint_load(path, b.model, NULL, NULL, NULL));
  assert_memory_equal(engine_params(a.model), engine_params(b.model), a.n * sizeof(float));
  assert_same_moments(b.opt, c.opt, a.n);
  assert_ok(parl_checkpoint_save(path, a.model, NULL, &META, NULL));
  assert_status(parl_checkpoint_load(path, c.model, c.opt, NULL, NULL), PARL_STATUS_EFORMAT);
  assert_contains(parl_error_text(), "optimizer_steps");
  policy_close(&a);
  policy_close(&b);
  policy_close(&c);
  remove(path);
}

/* Loads a bad file: EFORMAT whose text has `needle`, and nothing moved. */
static void assert_refused(const char *path, const char *vocab, const char *needle) {
  policy b = policy_open(5), c = policy_open(5);
  parl_text progress = {0};
  assert_status(parl_checkpoint_load(path, b.model, b.opt, vocab, &progress), PARL_STATUS_EFORMAT);
  if (strstr(parl_error_text(), needle) == NULL) fail_msg("%s: %s", needle, parl_error_text());
  assert_contains(parl_error_text(), path);
  assert_string_equal(parl_text_get(&progress), "");
  assert_same(&b, &c);
  policy_close(&b);
  policy_close(&c);
}

static void test_truncated_file(void **state) {
  (void)state;
  const char *path = make_path();
  policy a = policy_open(3);
  char *bytes = NULL;
  size_t n = 0;
  assert_ok(parl_checkpoint_save(path, a.model, a.opt, &META, NULL));
  assert_ok(parl_file_read(path, (size_t)1 << 26, &bytes, &n));
  const size_t cuts[] = {0, 4, 8, 100, n / 2, n - 4};
  for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
    assert_ok(parl_file_write(path, bytes, cuts[i]));
    assert_refused(path, "cafe", "");
  }
  free(bytes);
  assert_ok(parl_file_write(path, "GGUF is another format, and this is text.", 41));
  assert_refused(path, "cafe", "");
  remove(path);
  assert_status(parl_checkpoint_load(path, a.model, a.opt, NULL, NULL), PARL_STATUS_EIO);
  policy_close(&a);
}

static void test_other_vocabulary(void **state) {
  (void)state;
  const char *path = make_path();
  policy a = policy_open(3);
  assert_ok(parl_checkpoint_save(path, a.model, a.opt, &META, NULL));
  assert_refused(path, "beef", "vocabulary \"cafe\"");
  policy_close(&a);
  remove(path);
}

static void test_other_config(void **state) {
  (void)state;
  const char *path = make_path();
  parl_model_config config = engine_config(2);
  config.init_std = 0.1; /* may differ */
  config.max_context = 64;
  config.rope_theta = 500.0; /* may not */
  parl_model *m = engine_model(&config, parl_backend_ref(), 1);
  assert_ok(parl_checkpoint_save(path, m, NULL, &META, NULL));
  assert_refused(path, "cafe", "rope_theta");
  parl_model_destroy(m);
  config.rope_theta = engine_config(2).rope_theta;
  m = engine_model(&config, parl_backend_ref(), 1);
  assert_ok(parl_checkpoint_save(path, m, NULL, &META, NULL));
  policy a = policy_open(3);
  assert_ok(parl_checkpoint_load(path, a.model, NULL, NULL, NULL));
  parl_model_destroy(m);
  policy_close(&a);
  remove(path);
}

/* A good file's tensors and metadata, to be spoiled and written again. */
typedef struct draft {
  parl_safetensors *file;
  parl_tensor_info infos[128];
  size_t n;
  const char *metadata[10];
} draft;

static draft draft_open(const char *path) {
  static const char *const keys[] = {"format", "model", "vocab", "progress", "optimizer_steps"};
  policy a = policy_open(3);
  draft d = {0};
  assert_ok(parl_checkpoint_save(path, a.model, a.opt, &META, NULL));
  assert_ok(parl_safetensors_open(path, &d.file));
  d.n = parl_safetensors_get_count(d.file);
  assert_int_equal(d.n, 3 * (3 + 2 * 9));
  for (size_t i = 0; i < d.n; i++) d.infos[i] = *parl_safetensors_get(d.file, i);
  for (size_t i = 0; i < 5; i++) {
    d.metadata[2 * i] = keys[i];
    d.metadata[2 * i + 1] = parl_safetensors_get_metadata(d.file, keys[i]);
    assert_non_null(d.metadata[2 * i + 1]);
  }
  policy_close(&a);
  return d;
}

/* Writes the spoiled draft and expects it refused. */
static void draft_close(draft *d, const char *path, const char *needle) {
  char spoiled[PARL_TEST_PATH_BYTES + 32];
  snprintf(spoiled, sizeof spoiled, "%s.spoiled", path);
  assert_ok(parl_safetensors_write(spoiled, d->infos, d->n, d->metadata, 5, NULL));
  assert_refused(spoiled, "cafe", needle);
  parl_safetensors_close(d->file);
  remove(spoiled);
  remove(path);
}

static size_t draft_find(const draft *d, const char *name) {
  for (size_t i = 0; i < d->n; i++)
    if (strcmp(d->infos[i].name, name) == 0) return i;
  fail_msg("no tensor %s", name);
  return 0;
}

static void test_spoiled_tensors(void **state) {
  (void)state;
  const char *path = make_path(), *head = "lm_head.weight";
  draft d = draft_open(path);
  d.infos[draft_find(&d, head)] = d.infos[--d.n]; /* missing */
  draft_close(&d, path, "lm_head.weight is missing");

  d = draft_open(path);
  d.infos[d.n] = d.infos[0];
  d.infos[d.n++].name = "model.layers.2.mlp.up_proj.weight"; /* extra */
  draft_close(&d, path, "model.layers.2.mlp.up_proj.weight is not one of");

  d = draft_open(path);
  parl_tensor_info *t = &d.infos[draft_find(&d, head)]; /* transposed: same bytes */
  const int64_t rows = t->shape[0];
  t->shape[0] = t->shape[1];
  t->shape[1] = rows;
  draft_close(&d, path, "lm_head.weight has extent 20");

  d = draft_open(path);
  t = &d.infos[draft_find(&d, head)];
  t->n_dims = 3;
  t->shape[2] = 1;
  draft_close(&d, path, "lm_head.weight has 3 dimensions");

  d = draft_open(path);
  t = &d.infos[draft_find(&d, head)];
  t->dtype = PARL_DTYPE_I32;
  draft_close(&d, path, "lm_head.weight is I32");

  d = draft_open(path);
  d.infos[draft_find(&d, "optimizer.v.lm_head.weight")].name = "optimizer.w.lm_head.weight";
  draft_close(&d, path, "optimizer.v.lm_head.weight is missing");
}

static void spoil_value(const char *name, float value, const char *needle) {
  const char *path = make_path();
  draft d = draft_open(path);
  parl_tensor_info *t = &d.infos[draft_find(&d, name)];
  float *copy = malloc(t->bytes);
  memcpy(copy, t->data, t->bytes);
  copy[5] = value;
  t->data = copy;
  draft_close(&d, path, needle);
  free(copy);
}

static void test_spoiled_values(void **state) {
  (void)state;
  spoil_value("model.norm.weight", NAN, "element 5 of tensor model.norm.weight");
  spoil_value("optimizer.m.lm_head.weight", INFINITY, "element 5 of tensor optimizer.m.lm_head");
  spoil_value("optimizer.v.lm_head.weight", -1.0F, "element 5 of tensor optimizer.v.lm_head");
}

static void spoil_metadata(size_t pair, const char *key, const char *value, const char *needle) {
  const char *path = make_path();
  draft d = draft_open(path);
  if (key != NULL) d.metadata[2 * pair] = key;
  d.metadata[2 * pair + 1] = value;
  draft_close(&d, path, needle);
}

static void assert_flip_is_refused(const char *path, char *bytes, size_t n, size_t bit) {
  bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
  assert_ok(parl_file_write(path, bytes, n));
  policy p = policy_open(5);
  const parl_status s = parl_checkpoint_load(path, p.model, p.opt, "cafe", NULL);
  if (s == PARL_STATUS_OK) fail_msg("bit %zu of byte %zu is not noticed", bit % 8, bit / 8);
  policy_close(&p);
  bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
}

/* No bit of a checkpoint can change unnoticed: all of the start, and many of the rest. */
static void test_every_bit_counts(void **state) {
  (void)state;
  const char *path = make_path();
  char *bytes = NULL;
  size_t n = 0;
  policy a = policy_open(3);
  assert_ok(parl_checkpoint_save(path, a.model, a.opt, &META, NULL));
  policy_close(&a);
  assert_ok(parl_file_read(path, 1 << 24, &bytes, &n));
  for (size_t bit = 0; bit < 8 * 110; bit++) assert_flip_is_refused(path, bytes, n, bit);
  for (size_t bit = 0; bit < 8 * n; bit += 8 * n / 150 + 1)
    assert_flip_is_refused(path, bytes, n, bit);
  assert_flip_is_refused(path, bytes, n, 8 * n - 1);
  free(bytes);
  remove(path);
}

/* The format before the digest is read; the present one without it is not. */
static void test_older_format(void **state) {
  (void)state;
  const char *path = make_path();
  char *bytes = NULL;
  size_t n = 0;
  policy a = policy_open(3), b = policy_open(4);
  assert_ok(parl_checkpoint_save(path, a.model, a.opt, &META, NULL));
  assert_ok(parl_file_read(path, 1 << 24, &bytes, &n));
  char *key = strstr(bytes + 8, "parl.sha256");
  assert_non_null(key);
  key[4] = '-'; /* no digest, then */
  assert_ok(parl_file_write(path, bytes, n));
  assert_fails(parl_checkpoint_load(path, b.model, b.opt, "cafe", NULL), PARL_STATUS_EFORMAT,
               "no metadata \"parl.sha256\"");
  char *format = strstr(bytes + 8, "parl-2");
  assert_non_null(format);
  format[5] = '1';
  assert_ok(parl_file_write(path, bytes, n));
  assert_ok(parl_checkpoint_load(path, b.model, b.opt, "cafe", NULL));
  policy_close(&a);
  policy_close(&b);
  free(bytes);
  remove(path);
}

static void test_spoiled_metadata(void **state) {
  (void)state;
  spoil_metadata(0, NULL, "parl-3", "format \"parl-3\"");
  spoil_metadata(0, "formats", "parl-1", "no metadata \"format\"");
  spoil_metadata(1, NULL, "{\"n_layers\":3}", "the file's model has model.n_layers = 3 (not ");
  spoil_metadata(1, NULL, "{\"n_layers\":", "");
  spoil_metadata(1, NULL, "{\"n_experts\":3}", "n_experts");
  spoil_metadata(4, NULL, "-1", "optimizer_steps \"-1\"");
  spoil_metadata(4, NULL, "7x", "optimizer_steps \"7x\"");
  spoil_metadata(4, NULL, "", "optimizer_steps \"\"");
}

/* What could not be loaded is not saved. */
static void test_broken_weights_are_not_saved(void **state) {
  (void)state;
  const char *path = make_path();
  policy a = policy_open(3);
  engine_params(a.model)[1] = NAN;
  assert_status(parl_checkpoint_save(path, a.model, NULL, &META, NULL), PARL_STATUS_ESTATE);
  assert_contains(parl_error_text(), "model.embed_tokens.weight");
  assert_false(parl_file_exists(path));
  policy_close(&a);
}

int main(void) {
  /* Hundreds of files are written; in memory nothing waits for a disk. */
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_another_file_in_its_place),
      cmocka_unit_test(test_load_refreshes),
      cmocka_unit_test(test_moments_are_optional),
      cmocka_unit_test(test_truncated_file),
      cmocka_unit_test(test_other_vocabulary),
      cmocka_unit_test(test_other_config),
      cmocka_unit_test(test_spoiled_tensors),
      cmocka_unit_test(test_spoiled_values),
      cmocka_unit_test(test_spoiled_metadata),
      cmocka_unit_test(test_every_bit_counts),
      cmocka_unit_test(test_older_format),
      cmocka_unit_test(test_broken_weights_are_not_saved),
  };
  return cmocka_run_group_tests_name("checkpoint", tests, make_folder, remove_folder);
}
