/* engine/model.c - the tensor table, the weights and their packed copies. */
#include "engine/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "engine/feature_cache_internal.h"
#include "engine/flops.h"
#include "engine/model_internal.h"

#define SECTION_TYPE_ parl_model_config
#define VISION_ROW(n, ...) PARL_ROW_INT_(vision.n, __VA_ARGS__)
PARL_CONFIG_SECTION_OF(
    parl_model_section, "model",
    "size of the policy network; model.preset = dense, mla, moe, k2 or k2_wide sets what is "
    "not given",
    PARL_MODEL_FIELDS(PARL_ROW_INT_, PARL_ROW_REAL_, PARL_ROW_FLAG_, PARL_ROW_TEXT_,
                      PARL_ROW_CHOICE_) PARL_VISION_FIELDS(VISION_ROW));
#undef VISION_ROW
#undef SECTION_TYPE_

enum { PIECE = 4096 };      /* floats that pass through the host at a time */
enum { ZEROED = 16 << 20 }; /* floats that are zeroed at a time */

/* Between two pieces of what takes long in a large model. */
static parl_status go_on(const atomic_int *stop) {
  if (stop == NULL || *stop == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ESTOPPED, "stopped while the weights were made");
}

/* Packed forms of n matrices of one shape, evenly spaced. */
static parl_status pack_room(parl_model *m, parl_matrix *w, size_t n) {
  const size_t floats = m->backend->linear_pack_elements(w->N, w->K);
  parl_act *room;
  PARL_TRY(parl_act_take(&m->numbers, m, n, floats, &room));
  for (size_t i = 0; i < n; i++) w[i].packed = parl_act_at(m->backend, room, i * floats);
  return PARL_STATUS_OK;
}

/* Rounded ones too. Of routed experts only, as K2.5 has it. Source: k25 5.4. */
static parl_status round_room(parl_model *m, parl_matrix *w, size_t n) {
  float *room;
  PARL_TRY(parl_arena_take(&m->numbers, n, w->N * w->K * sizeof *room, (void **)&room));
  for (size_t i = 0; i < n; i++) w[i].rounded = room + i * w->N * w->K;
  return PARL_STATUS_OK;
}

static parl_status allocate_experts(parl_model *m) {
  const size_t E = m->dims.router.n_experts;
  for (size_t i = m->dims.first_moe; i < m->dims.L; i++) {
    PARL_TRY(pack_room(m, m->layers[i].expert_gate_up, E));
    PARL_TRY(pack_room(m, m->layers[i].expert_down, E));
    if (m->config.expert_quant == PARL_EXPERT_QUANT_NONE) continue;
    PARL_TRY(round_room(m, m->layers[i].expert_gate_up, E));
    PARL_TRY(round_room(m, m->layers[i].expert_down, E));
  }
  return PARL_STATUS_OK;
}

static parl_status allocate_weights(parl_model *m) {
  PARL_TRY(PARL_ARENA_TAKE(&m->numbers, m->n_params, &m->params));
  for (size_t start = 0; start < m->n_params; start += ZEROED) {
    const size_t n = m->n_params - start < ZEROED ? m->n_params - start : ZEROED;
    PARL_TRY(go_on(m->stop));
    parl_queue_fill(m->queue, m->params + start, 0, n * sizeof *m->params);
  }
  PARL_TRY(allocate_experts(m));
  for (size_t i = 0; i < m->n_matrices; i++)
    if (m->matrices[i]->packed == NULL) PARL_TRY(pack_room(m, m->matrices[i], 1));
  return PARL_STATUS_OK;
}

const float *parl_matrix_get_weights(const parl_model *m, const parl_matrix *w) {
  return w->rounded != NULL ? w->rounded : m->params + w->offset;
}

static void pack(const parl_model *m, const parl_matrix *w) {
  const parl_round_int4_args round = {
      .rows = w->N, .columns = w->K, .w = m->params + w->offset, .out = w->rounded};
  if (w->rounded != NULL) PARL_RUN(m->queue, round_int4, &round);
  const parl_linear_pack_args args = {
      .N = w->N, .K = w->K, .w = parl_matrix_get_weights(m, w), .packed = w->packed};
  PARL_RUN(m->queue, linear_pack, &args);
}

/* Packs all matrices; with `stop`, perhaps half of them. */
static parl_status pack_all(parl_model *m, const atomic_int *stop) {
  m->generation++;
  for (size_t i = 0; i < m->n_matrices; i++) {
    PARL_TRY(go_on(stop));
    pack(m, m->matrices[i]);
  }
  return parl_queue_wait(m->queue);
}

static parl_status build(parl_model *m) {
  PARL_TRY(parl_queue_create(m->backend, &m->queue));
  PARL_TRY(parl_model_add_tensors(m));
  PARL_TRY(allocate_weights(m));
  PARL_TRY(parl_model_make_rotary(m));
  PARL_TRY(parl_vision_make_tables(m));
  if (m->config.vision.n_layers > 0) PARL_TRY(parl_feature_cache_create(m, &m->feature_cache));
  return pack_all(m, m->stop);
}

parl_status parl_model_create(const parl_model_config *config, size_t vocab_size,
                              const parl_backend *backend, const atomic_int *stop,
                              parl_model **out) {
  PARL_REQUIRE(config != NULL && backend != NULL && out != NULL);
  PARL_TRY(parl_model_check_config(config, vocab_size));
  parl_model *m = calloc(1, sizeof *m);
  if (m == NULL) return parl_fail(PARL_STATUS_ENOMEM, "model: no memory");
  m->config = *config;
  m->dims = parl_model_dims_make(config, vocab_size);
  m->backend = backend;
  m->stop = stop;
  parl_arena_init(&m->arena, 0);
  parl_arena_init_from(&m->numbers, 0, &backend->device()->memory);
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
  parl_feature_cache_destroy(model->feature_cache);
  parl_queue_destroy(model->queue);
  parl_arena_deinit(&model->numbers);
  parl_arena_deinit(&model->arena);
  free(model);
}

/* Matrices that write into a residual stream start smaller, so that its variance does not grow with
 * depth; the tower has a stream of its own. Source: Radford et al. 2019, section 2.3. */
static double find_std(const parl_model *model, const parl_model_tensor *t) {
  const char *name = t->name;
  const bool is_tower = parl_model_tensor_is_tower(t);
  const bool is_residual =
      is_tower ? strstr(name, ".wo.") != NULL || strstr(name, ".fc1.") != NULL
               : strstr(name, "o_proj") != NULL || strstr(name, "down_proj") != NULL;
  const double depth = (double)(is_tower ? model->dims.vision.L : model->dims.L);
  return is_residual ? model->config.init_std / sqrt(2.0 * depth) : model->config.init_std;
}

/* What is no matrix starts as: norms' weights at 1; biases, also of selection, at 0. */
static float find_constant(const parl_model_tensor *t) {
  const size_t n = strlen(t->name);
  const bool is_bias = n > 5 && strcmp(t->name + n - 5, ".bias") == 0;
  return t->trained && !is_bias ? 1.0F : 0.0F;
}

static parl_status init_tensor(parl_model *model, const parl_model_tensor *t, double scale,
                               parl_rng_cursor *rng) {
  float piece[PIECE];
  for (size_t start = 0; start < t->n; start += PIECE) {
    const size_t n = t->n - start < PIECE ? t->n - start : PIECE;
    PARL_TRY(go_on(model->stop));
    for (size_t k = 0; k < n; k++)
      piece[k] = t->n_dims >= 2 ? (float)(scale * parl_rng_next_normal(rng)) : find_constant(t);
    PARL_TRY(parl_model_write(model, t->offset + start, n, piece));
  }
  return PARL_STATUS_OK;
}

parl_status parl_model_init_weights(parl_model *model, uint64_t seed) {
  for (size_t i = 0; i < model->n_tensors; i++) {
    const parl_model_tensor *t = &model->tensors[i];
    const double scale = find_std(model, t);
    parl_rng_cursor rng = {seed, parl_rng_stream(PARL_PURPOSE_WEIGHTS, i, 0, 0), 0};
    PARL_TRY(init_tensor(model, t, scale, &rng));
  }
  return pack_all(model, model->stop);
}

bool parl_model_tensor_is_tower(const parl_model_tensor *tensor) {
  return strncmp(tensor->name, "vision_tower.", 13) == 0;
}

bool parl_model_tensor_is_vision(const parl_model_tensor *tensor) {
  return parl_model_tensor_is_tower(tensor) || strncmp(tensor->name, "mm_projector.", 13) == 0;
}

parl_status parl_model_read(const parl_model *model, size_t offset, size_t n, float *to) {
  return parl_queue_download(model->queue, to, model->params + offset, n * sizeof *to);
}

parl_status parl_model_write(parl_model *model, size_t offset, size_t n, const float *from) {
  parl_queue_upload(model->queue, model->params + offset, from, n * sizeof *from);
  return parl_queue_wait(model->queue);
}

void parl_model_tensor_set_shape(const parl_model_tensor *tensor, parl_tensor_info *info) {
  info->n_dims = tensor->n_dims;
  for (int i = 0; i < tensor->n_dims; i++) info->shape[i] = (int64_t)tensor->shape[i];
}

parl_status parl_model_hash(const parl_model *model, parl_hash *hash) {
  float piece[PIECE];
  for (size_t start = 0; start < model->n_params; start += PIECE) {
    const size_t n = model->n_params - start < PIECE ? model->n_params - start : PIECE;
    PARL_TRY(parl_model_read(model, start, n, piece));
    parl_hash_update(hash, piece, n * sizeof *piece);
  }
  return PARL_STATUS_OK;
}

parl_status parl_model_refresh(parl_model *model) {
  return pack_all(model, NULL); /* a step is taken whole */
}

parl_status parl_model_copy_weights(parl_model *to, const parl_model *from) {
  static const char *const ignored[] = {"init_std", "recompute", "vision.media_token", NULL};
  parl_text list = {0};
  parl_engine_append_differences(&parl_model_section, &from->config, &to->config, ignored, &list);
  parl_status s = parl_text_status(&list);
  if (s == PARL_STATUS_OK && list.n > 0)
    s = parl_fail(PARL_STATUS_EINVAL, "weights cannot be copied: the other model has %s",
                  parl_text_get(&list));
  parl_text_deinit(&list);
  PARL_TRY(s);
  if (to->dims.V != from->dims.V)
    return parl_fail(PARL_STATUS_EINVAL,
                     "weights cannot be copied: vocabulary %zu differs from %zu", from->dims.V,
                     to->dims.V);
  float piece[PIECE];
  for (size_t start = 0; start < to->n_params; start += PIECE) {
    const size_t n = to->n_params - start < PIECE ? to->n_params - start : PIECE;
    PARL_TRY(go_on(to->stop));
    PARL_TRY(parl_model_read(from, start, n, piece));
    PARL_TRY(parl_model_write(to, start, n, piece));
  }
  return pack_all(to, to->stop);
}

const parl_model_config *parl_model_get_config(const parl_model *model) {
  return &model->config;
}

const parl_backend *parl_model_get_backend(const parl_model *model) {
  return model->backend;
}

uint64_t parl_model_count_launches(const parl_model *model) {
  return model->queue->n_launches;
}

bool parl_model_is_on_host(const parl_model *model) {
  return model->backend->device() == parl_device_host();
}

size_t parl_model_get_vocab_size(const parl_model *model) {
  return model->dims.V;
}

size_t parl_model_get_n_params(const parl_model *model) {
  return model->n_params;
}

const parl_model_tensor *parl_model_get_tensors(const parl_model *model, size_t *n_tensors) {
  *n_tensors = model->n_tensors;
  return model->tensors;
}

size_t parl_model_get_n_sparse_layers(const parl_model *model) {
  return model->dims.L - model->dims.first_moe;
}

parl_status parl_model_balance(parl_model *model, const int64_t *load) {
  model->generation++;
  const size_t E = model->dims.router.n_experts;
  const float step = (float)model->config.bias_update_rate;
  for (size_t i = model->dims.first_moe; i < model->dims.L; i++, load += E) {
    float bias[PARL_ROUTER_MAX_EXPERTS];
    int64_t total = 0; /* compared times E, so in whole numbers */
    PARL_TRY(parl_model_read(model, model->layers[i].bias, E, bias));
    for (size_t e = 0; e < E; e++) total += load[e];
    for (size_t e = 0; e < E; e++) {
      const int64_t lack = total - (int64_t)E * load[e];
      bias[e] += (float)((lack > 0) - (lack < 0)) * step;
    }
    PARL_TRY(parl_model_write(model, model->layers[i].bias, E, bias));
  }
  return PARL_STATUS_OK;
}

double parl_model_decode_flops(const parl_model *model, double mean_context) {
  return parl_shape_decode_flops(&model->config, model->dims.V, mean_context);
}

/* The backward costs two products for every one of the forward; recomputation is not counted. */
double parl_model_train_flops(const parl_model *model, double mean_context) {
  return parl_shape_train_flops(&model->config, model->dims.V, mean_context);
}
