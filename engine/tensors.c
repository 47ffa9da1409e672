/* engine/tensors.c - extents of a config, and the table of tensors it makes. */
#include <stdio.h>

#include "engine/model_internal.h"

enum { TENSORS_OUTSIDE = 3, TENSORS_PER_LAYER = 15, TENSORS_PER_EXPERT = 3 };

static parl_status check_moe(const parl_model_config *c) {
  const long long E = c->n_routed_experts, K = c->n_experts_per_tok;
  if (E == 0) return PARL_STATUS_OK;
  if (E % c->n_group != 0 || (c->n_group > 1 && E / c->n_group < 2))
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.n_group = %lld does not cut model.n_routed_experts = %lld into equal "
                     "groups of two or more",
                     (long long)c->n_group, E);
  if (c->topk_group > c->n_group)
    return parl_fail(PARL_STATUS_EINVAL, "model.topk_group = %lld is above model.n_group = %lld",
                     (long long)c->topk_group, (long long)c->n_group);
  if (K > c->topk_group * (E / c->n_group))
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.n_experts_per_tok = %lld; %lld groups of %lld experts have no more "
                     "than %lld",
                     K, (long long)c->topk_group, E / c->n_group,
                     (long long)c->topk_group * (E / c->n_group));
  return PARL_STATUS_OK;
}

static parl_status check_even(const char *name, int64_t width) {
  if (width % 2 == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "model.%s = %lld is odd; the rotary embedding turns pairs",
                   name, (long long)width);
}

parl_status parl_model_check_config(const parl_model_config *c, size_t vocab_size) {
  PARL_TRY(parl_engine_check_ranges(&parl_model_section, c));
  if (c->attention == PARL_ATTENTION_MLA) {
    PARL_TRY(check_even("qk_rope_head_dim", c->qk_rope_head_dim));
  } else {
    PARL_TRY(check_even("head_dim", c->head_dim));
    if (c->n_heads % c->n_kv_heads != 0)
      return parl_fail(PARL_STATUS_EINVAL,
                       "model.n_kv_heads = %lld does not divide model.n_heads = %lld",
                       (long long)c->n_kv_heads, (long long)c->n_heads);
  }
  PARL_TRY(check_moe(c));
  PARL_TRY(parl_vision_check_config(&c->vision));
  if (vocab_size < 2 || vocab_size > INT32_MAX)
    return parl_fail(PARL_STATUS_EINVAL, "vocabulary size %zu is outside [2, %d]", vocab_size,
                     INT32_MAX);
  return PARL_STATUS_OK;
}

static void set_mla_dims(const parl_model_config *c, parl_model_dims *d) {
  d->is_mla = true;
  d->Rq = (size_t)c->q_lora_rank;
  d->R = (size_t)c->kv_lora_rank;
  d->Dn = (size_t)c->qk_nope_head_dim;
  d->Dr = (size_t)c->qk_rope_head_dim;
  d->H_kv = d->H;
  d->D = d->Dn + d->Dr;
  d->Dv = (size_t)c->v_head_dim;
  d->rotated = d->Dr;
}

parl_model_dims parl_model_dims_make(const parl_model_config *c, size_t vocab_size) {
  parl_model_dims d = {.L = (size_t)c->n_layers,
                       .C = (size_t)c->d_model,
                       .F = (size_t)c->d_ff,
                       .V = vocab_size,
                       .T = (size_t)c->max_context,
                       .H = (size_t)c->n_heads,
                       .H_kv = (size_t)c->n_kv_heads,
                       .D = (size_t)c->head_dim,
                       .Dv = (size_t)c->head_dim,
                       .rotated = (size_t)c->head_dim,
                       .vision = parl_vision_dims_make(&c->vision)};
  if (c->attention == PARL_ATTENTION_MLA) set_mla_dims(c, &d);
  d.q = d.H * d.D;
  d.kv = d.H_kv * d.D;
  d.qkv = d.q + 2 * d.kv;
  d.mixed = d.H * d.Dv;
  d.latents = (d.Rq ? d.Rq : d.q) + d.R + d.Dr;
  d.entry = d.R + d.Dr;
  d.first_moe = d.L;
  if (c->n_routed_experts == 0) return d;
  d.Fe = (size_t)c->moe_d_ff;
  d.Fs = (size_t)c->n_shared_experts * d.Fe;
  if ((size_t)c->first_k_dense < d.L) d.first_moe = (size_t)c->first_k_dense;
  d.router = (parl_router){.n_experts = (size_t)c->n_routed_experts,
                           .n_chosen = (size_t)c->n_experts_per_tok,
                           .n_group = (size_t)c->n_group,
                           .topk_group = (size_t)c->topk_group,
                           .normalise = c->norm_topk_prob,
                           .scale = c->routed_scaling_factor};
  return d;
}

parl_status parl_model_add_tensor(parl_model *m, const char *name, int n_dims, const size_t *shape,
                                  size_t *offset) {
  size_t n = 1, end = 0, bytes;
  bool overflows = false;
  for (int i = 0; i < n_dims; i++) overflows |= __builtin_mul_overflow(n, shape[i], &n);
  overflows |= __builtin_add_overflow(m->n_params, n, &end);
  if (overflows || __builtin_mul_overflow(end, 2 * sizeof(float), &bytes) || bytes > SIZE_MAX / 2)
    return parl_fail(PARL_STATUS_EINVAL, "model: %s [%zu, %zu] makes the parameters too large",
                     name, shape[0], n_dims > 1 ? shape[1] : 1);
  parl_model_tensor *t = &m->tensors[m->n_tensors++];
  *t = (parl_model_tensor){
      .n_dims = n_dims, .offset = m->n_params, .n = n, .decay = n_dims > 1, .trained = true};
  for (int i = 0; i < n_dims; i++) t->shape[i] = shape[i];
  snprintf(t->name, sizeof t->name, "%s", name);
  m->n_params = end;
  if (offset != NULL) *offset = t->offset;
  return PARL_STATUS_OK;
}

/* columns 0 means one dimension. */
static parl_status add_tensor(parl_model *m, size_t rows, size_t columns, const char *name,
                              size_t *offset) {
  return parl_model_add_tensor(m, name, columns ? 2 : 1, (const size_t[]){rows, columns}, offset);
}

/* A tensor "model.layers.<i>.<part>.weight". */
static parl_status add_part(parl_model *m, size_t i, size_t rows, size_t columns, const char *part,
                            size_t *offset) {
  char name[sizeof m->tensors->name];
  snprintf(name, sizeof name, "model.layers.%zu.%s.weight", i, part);
  return add_tensor(m, rows, columns, name, offset);
}

/* Of one tensor or several neighbours; its offset is filled with the first. */
void parl_model_add_matrix(parl_model *m, parl_matrix *w, size_t N, size_t K) {
  *w = (parl_matrix){.N = N, .K = K};
  m->matrices[m->n_matrices++] = w;
}

/* q, k, v are neighbours, so that one product serves them. */
static parl_status add_gqa(parl_model *m, size_t i, parl_layer *l) {
  const parl_model_dims *d = &m->dims;
  parl_model_add_matrix(m, &l->qkv, d->qkv, d->C);
  PARL_TRY(add_part(m, i, d->q, d->C, "self_attn.q_proj", &l->qkv.offset));
  PARL_TRY(add_part(m, i, d->kv, d->C, "self_attn.k_proj", NULL));
  return add_part(m, i, d->kv, d->C, "self_attn.v_proj", NULL);
}

/* So are the two projections down. */
static parl_status add_mla(parl_model *m, size_t i, parl_layer *l) {
  const parl_model_dims *d = &m->dims;
  parl_model_add_matrix(m, &l->latents, d->latents, d->C);
  if (d->Rq > 0)
    PARL_TRY(add_part(m, i, d->Rq, d->C, "self_attn.q_a_proj", &l->latents.offset));
  else
    PARL_TRY(add_part(m, i, d->q, d->C, "self_attn.q_proj", &l->latents.offset));
  PARL_TRY(add_part(m, i, d->entry, d->C, "self_attn.kv_a_proj_with_mqa", NULL));
  if (d->Rq > 0) {
    parl_model_add_matrix(m, &l->q_b, d->q, d->Rq);
    PARL_TRY(add_part(m, i, d->Rq, 0, "self_attn.q_a_layernorm", &l->q_norm));
    PARL_TRY(add_part(m, i, d->q, d->Rq, "self_attn.q_b_proj", &l->q_b.offset));
  }
  const size_t head_rows = d->Dn + d->Dv;
  parl_model_add_matrix(m, &l->kv_b, d->H * head_rows, d->R);
  PARL_TRY(add_part(m, i, d->R, 0, "self_attn.kv_a_layernorm", &l->kv_norm));
  PARL_TRY(add_part(m, i, d->H * head_rows, d->R, "self_attn.kv_b_proj", &l->kv_b.offset));
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, d->H, &l->value_rows));
  for (size_t h = 0; h < d->H; h++) {
    parl_model_add_matrix(m, &l->value_rows[h], d->Dv, d->R);
    l->value_rows[h].offset = l->kv_b.offset + (h * head_rows + d->Dn) * d->R;
  }
  return PARL_STATUS_OK;
}

/* gate and up are neighbours too. `part` is "mlp", or a place below it. */
static parl_status add_swiglu(parl_model *m, size_t i, const char *part, size_t F,
                              parl_matrix *gate_up, parl_matrix *down) {
  char name[48];
  const size_t C = m->dims.C;
  parl_model_add_matrix(m, gate_up, 2 * F, C);
  parl_model_add_matrix(m, down, C, F);
  snprintf(name, sizeof name, "%s.gate_proj", part);
  PARL_TRY(add_part(m, i, F, C, name, &gate_up->offset));
  snprintf(name, sizeof name, "%s.up_proj", part);
  PARL_TRY(add_part(m, i, F, C, name, NULL));
  snprintf(name, sizeof name, "%s.down_proj", part);
  return add_part(m, i, C, F, name, &down->offset);
}

static parl_status add_moe(parl_model *m, size_t i, parl_layer *l) {
  const parl_model_dims *d = &m->dims;
  const size_t E = d->router.n_experts;
  char name[sizeof m->tensors->name];
  l->is_moe = true;
  parl_model_add_matrix(m, &l->router, E, d->C);
  PARL_TRY(add_part(m, i, E, d->C, "mlp.gate", &l->router.offset));
  snprintf(name, sizeof name, "model.layers.%zu.mlp.gate.e_score_correction_bias", i);
  PARL_TRY(add_tensor(m, E, 0, name, &l->bias));
  m->tensors[m->n_tensors - 1].trained = false;
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, E, &l->expert_gate_up));
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, E, &l->expert_down));
  for (size_t e = 0; e < E; e++) {
    snprintf(name, sizeof name, "mlp.experts.%zu", e);
    PARL_TRY(add_swiglu(m, i, name, d->Fe, &l->expert_gate_up[e], &l->expert_down[e]));
  }
  if (d->Fs == 0) return PARL_STATUS_OK;
  return add_swiglu(m, i, "mlp.shared_experts", d->Fs, &l->gate_up, &l->down);
}

static parl_status add_layer(parl_model *m, size_t i) {
  const parl_model_dims *d = &m->dims;
  parl_layer *l = &m->layers[i];
  *l = (parl_layer){0};
  PARL_TRY(add_part(m, i, d->C, 0, "input_layernorm", &l->input_norm));
  PARL_TRY(d->is_mla ? add_mla(m, i, l) : add_gqa(m, i, l));
  parl_model_add_matrix(m, &l->o, d->C, d->mixed);
  PARL_TRY(add_part(m, i, d->C, d->mixed, "self_attn.o_proj", &l->o.offset));
  PARL_TRY(add_part(m, i, d->C, 0, "post_attention_layernorm", &l->post_norm));
  if (i >= d->first_moe) return add_moe(m, i, l);
  return add_swiglu(m, i, "mlp", d->F, &l->gate_up, &l->down);
}

parl_status parl_model_add_tensors(parl_model *m) {
  const parl_model_dims *d = &m->dims;
  const size_t sparse = TENSORS_PER_EXPERT * d->router.n_experts;
  const size_t most =
      (TENSORS_PER_LAYER + sparse) * d->L + TENSORS_OUTSIDE + parl_vision_count_tensors(d);
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, most, &m->tensors));
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, most + d->L * d->H, &m->matrices));
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, d->L, &m->layers));
  PARL_TRY(add_tensor(m, d->V, d->C, "model.embed_tokens.weight", &m->embedding));
  for (size_t i = 0; i < d->L; i++) PARL_TRY(add_layer(m, i));
  PARL_TRY(add_tensor(m, d->C, 0, "model.norm.weight", &m->final_norm));
  parl_model_add_matrix(m, &m->head, d->V, d->C);
  PARL_TRY(add_tensor(m, d->V, d->C, "lm_head.weight", &m->head.offset));
  return parl_vision_add_tensors(m);
}
