/* engine/vision_tensors.c - extents of the vision tower and its projector, and their tensors.
 * Source: k25 5.2 and 5.3. */
#include <stdio.h>

#include "engine/model_internal.h"

enum { TENSORS_OUTSIDE = 11, TENSORS_PER_BLOCK = 12, MERGED = 4, NAME_BYTES = 96 };

parl_status parl_vision_check_config(const parl_vision_config *c) {
  if (c->n_layers == 0) return PARL_STATUS_OK;
  if (c->d_model % c->n_heads != 0 || c->d_model / c->n_heads % 4 != 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.vision.d_model = %lld does not cut into model.vision.n_heads = %lld "
                     "heads of a multiple of 4: the rotary embedding turns pairs in x and in y",
                     (long long)c->d_model, (long long)c->n_heads);
  return PARL_STATUS_OK;
}

parl_vision_dims parl_vision_dims_make(const parl_vision_config *c) {
  if (c->n_layers == 0) return (parl_vision_dims){0};
  return (parl_vision_dims){.L = (size_t)c->n_layers,
                            .D = (size_t)c->d_model,
                            .H = (size_t)c->n_heads,
                            .d = (size_t)(c->d_model / c->n_heads),
                            .F = (size_t)c->d_ff,
                            .patch = (size_t)c->patch,
                            .pixels = 3 * (size_t)(c->patch * c->patch),
                            .height = (size_t)c->grid_height,
                            .width = (size_t)c->grid_width,
                            .T = (size_t)c->max_frames};
}

double parl_vision_count_tower(const parl_model_dims *dims) {
  const parl_vision_dims *v = &dims->vision;
  const double D = (double)v->D, F = (double)v->F;
  const double block =
      4.0 * D + 3.0 * D * (D + 1.0) + D * (D + 1.0) + F * (D + 1.0) + D * (F + 1.0);
  return D * ((double)v->pixels + 1.0) + (double)(v->height * v->width) * D + (double)v->L * block +
         2.0 * D;
}

double parl_vision_count_projector(const parl_model_dims *dims) {
  const double D = (double)dims->vision.D, wide = MERGED * D;
  if (dims->vision.L == 0) return 0.0;
  return 2.0 * D + wide * (wide + 1.0) + (double)dims->C * (wide + 1.0);
}

size_t parl_vision_count_tensors(const parl_model_dims *dims) {
  return dims->vision.L > 0 ? TENSORS_OUTSIDE + TENSORS_PER_BLOCK * dims->vision.L : 0;
}

static parl_status add_vector(parl_model *m, const char *part, const char *kind, size_t n,
                              size_t *offset) {
  char name[NAME_BYTES];
  snprintf(name, sizeof name, "%s.%s", part, kind);
  return parl_model_add_tensor(m, name, 1, &n, offset);
}

static parl_status add_norm(parl_model *m, const char *part, parl_layernorm *norm) {
  PARL_TRY(add_vector(m, part, "weight", m->dims.vision.D, &norm->weight));
  return add_vector(m, part, "bias", m->dims.vision.D, &norm->bias);
}

static parl_status add_biased(parl_model *m, const char *part, size_t N, size_t K,
                              parl_biased_matrix *b) {
  char name[NAME_BYTES];
  parl_model_add_matrix(m, &b->w, N, K);
  snprintf(name, sizeof name, "%s.weight", part);
  PARL_TRY(parl_model_add_tensor(m, name, 2, (const size_t[]){N, K}, &b->w.offset));
  return add_vector(m, part, "bias", N, &b->bias);
}

static parl_status add_block(parl_model *m, size_t i, parl_vision_block *block) {
  const size_t D = m->dims.vision.D, F = m->dims.vision.F;
  const struct {
    const char *name;
    size_t N, K;
    parl_biased_matrix *b;
  } parts[] = {{"wqkv", 3 * D, D, &block->qkv},
               {"wo", D, D, &block->o},
               {"mlp.fc0", F, D, &block->fc0},
               {"mlp.fc1", D, F, &block->fc1}};
  char name[NAME_BYTES];
  snprintf(name, sizeof name, "vision_tower.encoder.blocks.%zu.norm0", i);
  PARL_TRY(add_norm(m, name, &block->norm0));
  snprintf(name, sizeof name, "vision_tower.encoder.blocks.%zu.norm1", i);
  PARL_TRY(add_norm(m, name, &block->norm1));
  for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
    snprintf(name, sizeof name, "vision_tower.encoder.blocks.%zu.%s", i, parts[k].name);
    PARL_TRY(add_biased(m, name, parts[k].N, parts[k].K, parts[k].b));
  }
  return PARL_STATUS_OK;
}

/* A convolution whose stride is its kernel: a product over patches [3 patch^2]. */
static parl_status add_patch_embedding(parl_model *m) {
  const parl_vision_dims *v = &m->dims.vision;
  parl_vision *w = &m->vision;
  parl_model_add_matrix(m, &w->patch.w, v->D, v->pixels);
  PARL_TRY(parl_model_add_tensor(m, "vision_tower.patch_embed.proj.weight", 4,
                                 (const size_t[]){v->D, 3, v->patch, v->patch},
                                 &w->patch.w.offset));
  PARL_TRY(add_vector(m, "vision_tower.patch_embed.proj", "bias", v->D, &w->patch.bias));
  return parl_model_add_tensor(m, "vision_tower.patch_embed.pos_emb.weight", 3,
                               (const size_t[]){v->height, v->width, v->D}, &w->grid);
}

parl_status parl_vision_add_tensors(parl_model *m) {
  const parl_vision_dims *v = &m->dims.vision;
  parl_vision *w = &m->vision;
  const size_t wide = MERGED * v->D;
  if (v->L == 0) return PARL_STATUS_OK;
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, v->L, &w->blocks));
  PARL_TRY(add_patch_embedding(m));
  for (size_t i = 0; i < v->L; i++) PARL_TRY(add_block(m, i, &w->blocks[i]));
  PARL_TRY(add_norm(m, "vision_tower.encoder.final_layernorm", &w->final_norm));
  PARL_TRY(add_norm(m, "mm_projector.pre_norm", &w->pre_norm));
  PARL_TRY(add_biased(m, "mm_projector.proj.0", wide, wide, &w->proj0));
  return add_biased(m, "mm_projector.proj.2", m->dims.C, wide, &w->proj2);
}
