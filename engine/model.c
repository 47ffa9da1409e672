/* engine/model.c - the tensor table, the weights and their packed copies. */
#include "engine/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "engine/model_internal.h"

#define SECTION_TYPE_ parl_model_config
PARL_CONFIG_SECTION(parl_model_section, "model", "size of the policy network", PARL_MODEL_FIELDS);
#undef SECTION_TYPE_

enum { TENSORS_PER_LAYER = 9, TENSORS_OUTSIDE = 3 };
static const uint64_t INIT_PURPOSE = 0x696e6974; /* "init" */

static parl_status check_config(const parl_model_config *c, size_t vocab_size) {
  PARL_TRY(parl_engine_check_ranges(&parl_model_section, c));
  if (c->n_heads % c->n_kv_heads != 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.n_kv_heads = %lld does not divide model.n_heads = %lld",
                     (long long)c->n_kv_heads, (long long)c->n_heads);
  if (c->head_dim % 2 != 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.head_dim = %lld is odd; the rotary embedding turns pairs",
                     (long long)c->head_dim);
  if (vocab_size < 2 || vocab_size > INT32_MAX)
    return parl_fail(PARL_STATUS_EINVAL, "vocabulary size %zu is outside [2, %d]", vocab_size,
                     INT32_MAX);
  return PARL_STATUS_OK;
}

static parl_model_dims make_dims(const parl_model_config *c, size_t vocab_size) {
  parl_model_dims d = {.L = (size_t)c->n_layers,
                       .C = (size_t)c->d_model,
                       .F = (size_t)c->d_ff,
                       .V = vocab_size,
                       .T = (size_t)c->max_context,
                       .H = (size_t)c->n_heads,
                       .H_kv = (size_t)c->n_kv_heads,
                       .D = (size_t)c->head_dim};
  d.q = d.H * d.D;
  d.kv = d.H_kv * d.D;
  d.qkv = d.q + 2 * d.kv;
  return d;
}

/* Appends a tensor at the end of the flat buffer; columns 0 means one dimension. */
static parl_status add_tensor(parl_model *m, size_t rows, size_t columns, const char *name,
                              size_t *offset) {
  const size_t n_columns = columns ? columns : 1;
  size_t n, end, bytes;
  if (__builtin_mul_overflow(rows, n_columns, &n) || __builtin_add_overflow(m->n_params, n, &end) ||
      __builtin_mul_overflow(end, 2 * sizeof(float), &bytes) || bytes > SIZE_MAX / 2)
    return parl_fail(PARL_STATUS_EINVAL, "model: %s [%zu, %zu] makes the parameters too large",
                     name, rows, n_columns);
  parl_model_tensor *t = &m->tensors[m->n_tensors++];
  *t = (parl_model_tensor){.n_dims = columns ? 2 : 1,
                           .shape = {rows, columns},
                           .offset = m->n_params,
                           .n = n,
                           .decay = columns != 0};
  snprintf(t->name, sizeof t->name, "%s", name);
  m->n_params = end;
  if (offset != NULL) *offset = t->offset;
  return PARL_STATUS_OK;
}

static parl_status add_layer_tensor(parl_model *m, size_t layer, size_t rows, size_t columns,
                                    const char *part, size_t *offset) {
  char name[sizeof m->tensors->name];
  snprintf(name, sizeof name, "model.layers.%zu.%s.weight", layer, part);
  return add_tensor(m, rows, columns, name, offset);
}

/* q, k, v and gate, up are neighbours, so that one product serves each group. */
static parl_status add_layer(parl_model *m, size_t i) {
  const parl_model_dims *d = &m->dims;
  parl_layer *l = &m->layers[i];
  l->qkv = (parl_matrix){.N = d->qkv, .K = d->C};
  l->o = (parl_matrix){.N = d->C, .K = d->q};
  l->gate_up = (parl_matrix){.N = 2 * d->F, .K = d->C};
  l->down = (parl_matrix){.N = d->C, .K = d->F};
  PARL_TRY(add_layer_tensor(m, i, d->C, 0, "input_layernorm", &l->input_norm));
  PARL_TRY(add_layer_tensor(m, i, d->q, d->C, "self_attn.q_proj", &l->qkv.offset));
  PARL_TRY(add_layer_tensor(m, i, d->kv, d->C, "self_attn.k_proj", NULL));
  PARL_TRY(add_layer_tensor(m, i, d->kv, d->C, "self_attn.v_proj", NULL));
  PARL_TRY(add_layer_tensor(m, i, d->C, d->q, "self_attn.o_proj", &l->o.offset));
  PARL_TRY(add_layer_tensor(m, i, d->C, 0, "post_attention_layernorm", &l->post_norm));
  PARL_TRY(add_layer_tensor(m, i, d->F, d->C, "mlp.gate_proj", &l->gate_up.offset));
  PARL_TRY(add_layer_tensor(m, i, d->F, d->C, "mlp.up_proj", NULL));
  return add_layer_tensor(m, i, d->C, d->F, "mlp.down_proj", &l->down.offset);
}

static parl_status add_tensors(parl_model *m) {
  const parl_model_dims *d = &m->dims;
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, TENSORS_PER_LAYER * d->L + TENSORS_OUTSIDE, &m->tensors));
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, d->L, &m->layers));
  PARL_TRY(add_tensor(m, d->V, d->C, "model.embed_tokens.weight", &m->embedding));
  for (size_t i = 0; i < d->L; i++) PARL_TRY(add_layer(m, i));
  PARL_TRY(add_tensor(m, d->C, 0, "model.norm.weight", &m->final_norm));
  m->head = (parl_matrix){.N = d->V, .K = d->C};
  return add_tensor(m, d->V, d->C, "lm_head.weight", &m->head.offset);
}

static parl_status allocate_packed(parl_model *m, parl_matrix *w) {
  return PARL_ARENA_TAKE(&m->arena, m->backend->linear_pack_floats(w->N, w->K), &w->packed);
}

static parl_status allocate_weights(parl_model *m) {
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, m->n_params, &m->params));
  memset(m->params, 0, m->n_params * sizeof *m->params);
  for (size_t i = 0; i < m->dims.L; i++) {
    PARL_TRY(allocate_packed(m, &m->layers[i].qkv));
    PARL_TRY(allocate_packed(m, &m->layers[i].o));
    PARL_TRY(allocate_packed(m, &m->layers[i].gate_up));
    PARL_TRY(allocate_packed(m, &m->layers[i].down));
  }
  return allocate_packed(m, &m->head);
}

/* Angle of pair i at position t: t * theta^(-2i/D). Source: Su et al. 2021, eq. 15. */
static parl_status make_rotary_tables(parl_model *m) {
  const size_t pairs = m->dims.D / 2;
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, m->dims.T * pairs, &m->cos_table));
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, m->dims.T * pairs, &m->sin_table));
  for (size_t i = 0; i < pairs; i++) {
    const double frequency = pow(m->config.rope_theta, -2.0 * (double)i / (double)m->dims.D);
    for (size_t t = 0; t < m->dims.T; t++) {
      m->cos_table[t * pairs + i] = (float)cos((double)t * frequency);
      m->sin_table[t * pairs + i] = (float)sin((double)t * frequency);
    }
  }
  return PARL_STATUS_OK;
}

static parl_status build(parl_model *m) {
  PARL_TRY(add_tensors(m));
  PARL_TRY(allocate_weights(m));
  PARL_TRY(make_rotary_tables(m));
  parl_model_refresh(m);
  return PARL_STATUS_OK;
}

parl_status parl_model_create(const parl_model_config *config, size_t vocab_size,
                              const parl_backend *backend, parl_model **out) {
  PARL_REQUIRE(config != NULL && backend != NULL && out != NULL);
  PARL_TRY(check_config(config, vocab_size));
  parl_model *m = calloc(1, sizeof *m);
  if (m == NULL) return parl_fail(PARL_STATUS_ENOMEM, "model: no memory");
  m->config = *config;
  m->dims = make_dims(config, vocab_size);
  m->backend = backend;
  m->attention_scale = (float)(1.0 / sqrt((double)m->dims.D));
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
      w[k] = t->n_dims == 1 ? 1.0F : (float)(scale * parl_rng_next_normal(&rng));
  }
  parl_model_refresh(model);
}

static void pack(const parl_model *m, const parl_matrix *w) {
  const parl_linear_pack_args args = {
      .N = w->N, .K = w->K, .w = m->params + w->offset, .packed = w->packed};
  m->backend->linear_pack(&args);
}

void parl_model_refresh(parl_model *model) {
  for (size_t i = 0; i < model->dims.L; i++) {
    pack(model, &model->layers[i].qkv);
    pack(model, &model->layers[i].o);
    pack(model, &model->layers[i].gate_up);
    pack(model, &model->layers[i].down);
  }
  pack(model, &model->head);
}

parl_status parl_model_copy_weights(parl_model *to, const parl_model *from) {
  static const char *const ignored[] = {"init_std", NULL};
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

/* Multiply-adds of one token through the matrices, and through QK^T and PV at one visible position.
 */
static double matrix_macs(const parl_model_dims *d) {
  const double attention = (double)(d->qkv + d->q) * (double)d->C;
  return (double)d->L * (attention + 3.0 * (double)d->F * (double)d->C) +
         (double)d->V * (double)d->C;
}

static double attention_macs(const parl_model_dims *d) {
  return (double)d->L * 2.0 * (double)d->q;
}

double parl_model_decode_flops(const parl_model *model, double mean_context) {
  return 2.0 * (matrix_macs(&model->dims) + attention_macs(&model->dims) * mean_context);
}

/* The backward costs two products for every one of the forward; recomputation is not counted. */
double parl_model_train_flops(const parl_model *model, double mean_context) {
  return 3.0 * parl_model_decode_flops(model, mean_context);
}
