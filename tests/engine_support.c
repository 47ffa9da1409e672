/* tests/engine_support.c */
#include "tests/engine_support.h"

#include <math.h>

#include "core/rng.h"
#include "engine/model_internal.h"
#include "engine/policy.h"
#include "tests/support.h"

parl_model_config engine_config(int64_t n_kv_heads) {
  parl_model_config c;
  parl_config_set_defaults(&parl_model_section, &c);
  c.n_layers = 2;
  c.d_model = 20;
  c.n_heads = 4;
  c.n_kv_heads = n_kv_heads;
  c.head_dim = 6;
  c.d_ff = 28;
  c.max_context = 128;
  c.init_std = 0.3;
  return c;
}

parl_model *engine_model(const parl_model_config *config, const parl_backend *backend,
                         uint64_t seed) {
  parl_model *m = NULL;
  assert_ok(parl_model_create(config, ENGINE_VOCAB, backend, NULL, &m));
  parl_model_init_weights(m, seed);
  size_t n_tensors;
  const parl_model_tensor *tensors = parl_model_get_tensors(m, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++)
    for (size_t k = 0; tensors[i].n_dims == 1 && k < tensors[i].n; k++)
      engine_params(m)[tensors[i].offset + k] += 0.3F * sinf((float)(i + 3 * k));
  parl_model_refresh(m);
  return m;
}

size_t engine_backends(const parl_backend *backends[ENGINE_MAX_BACKENDS]) {
  static const char *const levels[] = {"portable", "avx2", "avx512"};
  size_t n = 0;
  backends[n++] = parl_backend_ref();
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
    if (parl_backend_cpu(levels[i], &backends[n]) == PARL_STATUS_OK) n++;
  return n;
}

size_t engine_bf16_backends(const parl_backend *backends[ENGINE_MAX_BACKENDS]) {
  static const char *const levels[] = {"amx", "avx512-bf16", "bf16-soft", "portable-bf16-soft",
                                       "amx-emulated"};
  size_t n = 0;
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
    if (parl_backend_cpu(levels[i], &backends[n]) == PARL_STATUS_OK) n++;
  backends[n++] = parl_backend_ref_bf16_acts();
  return n;
}

void engine_fill(engine_batch *b, const size_t *lengths, size_t n_seqs, size_t stride,
                 uint64_t seed) {
  b->rows = 0;
  b->seq_start[0] = 0;
  for (size_t s = 0; s < n_seqs; s++) {
    b->rows += lengths[s];
    b->seq_start[s + 1] = (int32_t)b->rows;
  }
  assert_true(b->rows <= ENGINE_MAX_ROWS);
  size_t n_outputs = 0;
  parl_rng_cursor rng = {seed, 1, 0};
  for (size_t r = 0; r < b->rows; r++) {
    b->tokens[r] = (int32_t)parl_rng_next_below(&rng, ENGINE_VOCAB);
    if (r % stride == 0) b->outputs[n_outputs++] = (int32_t)r;
  }
  b->slice = (parl_slice){.n_seqs = n_seqs,
                          .seq_start = b->seq_start,
                          .tokens = b->tokens,
                          .n_outputs = n_outputs,
                          .outputs = b->outputs};
}

parl_train_step_def engine_step_def(const parl_model *model, parl_workers *workers, size_t n_leaves,
                                    size_t rows) {
  parl_train_step_def def = parl_train_step_def_default();
  def.model = model;
  def.workers = workers;
  def.n_leaves = n_leaves;
  def.max_rows = def.max_outputs = rows;
  return def;
}

parl_train_step *engine_step(const parl_model *model, parl_workers *workers, size_t n_leaves,
                             size_t rows) {
  const parl_train_step_def def = engine_step_def(model, workers, n_leaves, rows);
  parl_train_step *step = NULL;
  assert_ok(parl_train_step_create(&def, &step));
  return step;
}

parl_train_batch engine_train_batch(const parl_slice *slices, size_t n_slices) {
  parl_train_batch batch = {.slices = slices, .n_slices = n_slices};
  for (size_t i = 0; i < n_slices; i++) batch.n_seqs += slices[i].n_seqs;
  return batch;
}

parl_status engine_predict_next(parl_workspace *ws, const parl_slice *slice, float *logp,
                                float *entropy) {
  float of_logp[ENGINE_MAX_ROWS], of_entropy[ENGINE_MAX_ROWS];
  float dlogp[ENGINE_MAX_ROWS], dentropy[ENGINE_MAX_ROWS];
  int32_t target[ENGINE_MAX_ROWS];
  uint64_t mask[ENGINE_MAX_ROWS];
  const size_t n = slice->n_outputs;
  for (size_t k = 0; k < n; k++) {
    target[k] = slice->tokens[slice->outputs[k]];
    mask[k] = (uint64_t)1 << target[k] | 0xffff;
    dlogp[k] = -0.1F;
    dentropy[k] = 0.01F;
  }
  const parl_policy_rows rows = {.n = n, .mask = mask, .target = target, .inv_temperature = 0.8F};
  PARL_TRY(parl_policy_forward(ws, &rows, of_logp, of_entropy));
  *logp = *entropy = 0.0F;
  for (size_t k = 0; k < n; k++) {
    *logp += of_logp[k] / (float)n;
    *entropy += of_entropy[k] / (float)n;
  }
  parl_policy_backward(ws, &rows, dlogp, dentropy);
  return PARL_STATUS_OK;
}

void engine_normal(float *x, size_t n, uint64_t seed) {
  parl_rng_cursor rng = {seed, 2, 0};
  for (size_t i = 0; i < n; i++) x[i] = (float)parl_rng_next_normal(&rng);
}

double engine_max_abs(const float *x, size_t n) {
  double top = 0.0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(x[i])) return INFINITY;
    top = fmax(top, fabs((double)x[i]));
  }
  return top;
}

double engine_difference(const float *a, const float *b, size_t n) {
  double top = 0.0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(a[i]) || !isfinite(b[i])) return INFINITY;
    top = fmax(top, fabs((double)a[i] - (double)b[i]));
  }
  const double scale = engine_max_abs(b, n);
  return top <= 0.0 ? 0.0 : top / scale;
}

parl_queue *engine_queue(const parl_backend *backend) {
  parl_queue *queue = NULL;
  assert_ok(parl_queue_create(backend, &queue));
  return queue;
}

float *engine_params(const parl_model *model) {
  assert_ptr_equal(model->backend->device(), parl_device_host());
  return model->params;
}

float *engine_read_moments(const parl_optimizer *optimizer, size_t n) {
  float *moments = calloc(n, 2 * sizeof *moments);
  assert_non_null(moments);
  assert_ok(parl_optimizer_read_moments(optimizer, 0, 2 * n, moments));
  return moments;
}
