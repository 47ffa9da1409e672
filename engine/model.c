/* engine/model.c - the tensor table, the weights and their packed copies. */
#include "engine/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "engine/model_internal.h"
#include "engine/quantise.h"
#include "engine/shape.h"

#define SECTION_TYPE_ parl_model_config
PARL_CONFIG_SECTION(
    parl_model_section, "model",
    "size of the policy network; model.preset = dense, mla, moe, k2 or k2_wide sets what is "
    "not given",
    PARL_MODEL_FIELDS);
#undef SECTION_TYPE_

static const uint64_t INIT_PURPOSE = 0x696e6974; /* "init" */

static parl_status allocate_weights(parl_model *m) {
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, m->n_params, &m->params));
  memset(m->params, 0, m->n_params * sizeof *m->params);
  for (size_t i = 0; i < m->n_matrices; i++) {
    parl_matrix *w = m->matrices[i];
    PARL_TRY(PARL_ARENA_TAKE(&m->arena, m->backend->linear_pack_floats(w->N, w->K), &w->packed));
  }
  return PARL_STATUS_OK;
}

/* Of routed experts only, as K2.5 has it; rounded by refresh. Source: k25 5.4. */
static parl_status allocate_rounded(parl_model *m) {
  if (m->config.expert_quant == PARL_EXPERT_QUANT_NONE) return PARL_STATUS_OK;
  for (size_t i = m->dims.first_moe; i < m->dims.L; i++)
    for (size_t e = 0; e < m->dims.router.n_experts; e++) {
      parl_matrix *in = &m->layers[i].expert_gate_up[e], *out = &m->layers[i].expert_down[e];
      PARL_TRY(PARL_ARENA_TAKE(&m->arena, in->N * in->K, &in->rounded));
      PARL_TRY(PARL_ARENA_TAKE(&m->arena, out->N * out->K, &out->rounded));
    }
  return PARL_STATUS_OK;
}

static parl_status build(parl_model *m) {
  PARL_TRY(parl_queue_create(m->backend, &m->queue));
  PARL_TRY(parl_model_add_tensors(m));
  PARL_TRY(allocate_weights(m));
  PARL_TRY(allocate_rounded(m));
  PARL_TRY(parl_model_make_rotary(m));
  parl_model_refresh(m);
  return PARL_STATUS_OK;
}

parl_status parl_model_create(const parl_model_config *config, size_t vocab_size,
                              const parl_backend *backend, parl_model **out) {
  PARL_REQUIRE(config != NULL && backend != NULL && out != NULL);
  PARL_TRY(parl_model_check_config(config, vocab_size));
  parl_model *m = calloc(1, sizeof *m);
  if (m == NULL) return parl_fail(PARL_STATUS_ENOMEM, "model: no memory");
  m->config = *config;
  m->dims = parl_model_dims_make(config, vocab_size);
  m->backend = backend;
  parl_arena_init(&m->arena, 0);
  const parl_status s = build(m);
  if (s != PARL_STATUS_OK) {
    parl_model_destroy(m);
    return s;
  }
  *out = m;
  return PARL_STATUS_OK;
}

void parl_model_destroy(parl_model *model) {
  if (model == NULL) return;
  parl_arena_deinit(&model->arena);
  parl_queue_destroy(model->queue);
  free(model);
}

/* Matrices that write into the residual stream start smaller, so that its variance does not grow
 * with depth. Source: Radford et al. 2019, section 2.3. */
static bool writes_residual(const char *name) {
  return strstr(name, "o_proj") != NULL || strstr(name, "down_proj") != NULL;
}

void parl_model_init_weights(parl_model *model, uint64_t seed) {
  const double std = model->config.init_std;
  const double residual_std = std / sqrt(2.0 * (double)model->dims.L);
  for (size_t i = 0; i < model->n_tensors; i++) {
    const parl_model_tensor *t = &model->tensors[i];
    float *w = model->params + t->offset;
    const double scale = writes_residual(t->name) ? residual_std : std;
    parl_rng_cursor rng = {seed, parl_rng_stream(INIT_PURPOSE, i, 0, 0), 0};
    for (size_t k = 0; k < t->n; k++)
      w[k] =
          t->n_dims == 2 ? (float)(scale * parl_rng_next_normal(&rng)) : (t->trained ? 1.0F : 0.0F);
  }
  parl_model_refresh(model);
}

const float *parl_matrix_get_weights(const parl_model *m, const parl_matrix *w) {
  return w->rounded != NULL ? w->rounded : m->params + w->offset;
}

static void pack(const parl_model *m, const parl_matrix *w) {
  if (w->rounded != NULL) parl_quantise_int4(w->N, w->K, m->params + w->offset, w->rounded);
  const parl_linear_pack_args args = {
      .N = w->N, .K = w->K, .w = parl_matrix_get_weights(m, w), .packed = w->packed};
  PARL_RUN(m->queue, linear_pack, &args);
}

void parl_model_refresh(parl_model *model) {
  model->generation++;
  for (size_t i = 0; i < model->n_matrices; i++) pack(model, model->matrices[i]);
}

parl_status parl_model_copy_weights(parl_model *to, const parl_model *from) {
  static const char *const ignored[] = {"init_std", "recompute", NULL};
  const char *field =
      parl_engine_find_difference(&parl_model_section, &to->config, &from->config, ignored);
  if (field != NULL)
    return parl_fail(PARL_STATUS_EINVAL, "weights cannot be copied: the models differ in %s",
                     field);
  if (to->dims.V != from->dims.V)
    return parl_fail(PARL_STATUS_EINVAL,
                     "weights cannot be copied: vocabulary %zu differs from %zu", from->dims.V,
                     to->dims.V);
  memcpy(to->params, from->params, to->n_params * sizeof *to->params);
  parl_model_refresh(to);
  return PARL_STATUS_OK;
}

const parl_model_config *parl_model_get_config(const parl_model *model) {
  return &model->config;
}

const parl_backend *parl_model_get_backend(const parl_model *model) {
  return model->backend;
}

parl_status parl_model_select_backend(const char *name, const char *dtype,
                                      const parl_backend **out) {
  return parl_backend_select(name, dtype, out);
}

size_t parl_model_get_vocab_size(const parl_model *model) {
  return model->dims.V;
}

size_t parl_model_get_n_params(const parl_model *model) {
  return model->n_params;
}

float *parl_model_get_params(parl_model *model) {
  return model->params;
}

const parl_model_tensor *parl_model_get_tensors(const parl_model *model, size_t *n_tensors) {
  *n_tensors = model->n_tensors;
  return model->tensors;
}

size_t parl_model_get_n_sparse_layers(const parl_model *model) {
  return model->dims.L - model->dims.first_moe;
}

void parl_model_balance(parl_model *model, const int64_t *load) {
  model->generation++;
  const size_t E = model->dims.router.n_experts;
  const float step = (float)model->config.bias_update_rate;
  for (size_t i = model->dims.first_moe; i < model->dims.L; i++, load += E) {
    float *bias = model->params + model->layers[i].bias;
    int64_t total = 0; /* compared times E, so in whole numbers */
    for (size_t e = 0; e < E; e++) total += load[e];
    for (size_t e = 0; e < E; e++) {
      const int64_t lack = total - (int64_t)E * load[e];
      bias[e] += (float)((lack > 0) - (lack < 0)) * step;
    }
  }
}

double parl_model_decode_flops(const parl_model *model, double mean_context) {
  return parl_shape_decode_flops(&model->config, model->dims.V, mean_context);
}

/* The backward costs two products for every one of the forward; recomputation is not counted. */
double parl_model_train_flops(const parl_model *model, double mean_context) {
  return parl_shape_train_flops(&model->config, model->dims.V, mean_context);
}
