/* engine/decoder.c - next-token logits from a cache of keys and values.
 *
 * A step runs its rows in blocks that stay in cache through all layers. In each layer a block first
 * writes all its keys and values, then every row attends to the first `position + 1` entries of its
 * slot: prompt and single token are the same thing. A prompt may span blocks, since a row needs
 * only rows before it. */
#include "engine/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "engine/model_internal.h"

/* Rows of a block: enough to reuse a weight once it is loaded, few enough for one core's cache. */
enum { BLOCK_ROWS = 64 };
/* What advise_slots takes for the fast memory of a core: half of it for weights, half for the
 * cache. */
enum { FAST_BYTES = 8 << 20, LEAST_SLOTS = 8 };

struct parl_decoder {
  const parl_model *model; /* borrowed */
  parl_arena arena;
  size_t n_slots, max_context, max_rows, block_rows;
  int32_t *lengths; /* [n_slots] tokens held */
  float *k_cache;   /* [L, n_slots, H_kv, max_context, D]; mla: [L, n_slots, max_context, entry] */
  float *v_cache;   /* [L, n_slots, H_kv, max_context, D] */
  int32_t *positions; /* [max_rows] */
  float *logits;      /* [max_rows, V] */
  /* Of one block: */
  int32_t *tokens;      /* [block_rows] */
  int32_t *visible;     /* [block_rows] positions a row attends to */
  int32_t *wanted;      /* [block_rows] rows with logits */
  const float **k_rows; /* [block_rows] cache of the row's slot and one key head */
  const float **v_rows; /* [block_rows] */
  float *x;             /* [block_rows, C] */
  parl_attention_state attention;
  parl_ffn_state ffn;
  float *selected; /* [block_rows, C] */
  float *scratch;  /* attention's */
};

static parl_status take(parl_decoder *d, size_t rows, size_t width, float **out) {
  return parl_arena_take(&d->arena, rows, width * sizeof **out, (void **)out);
}

static parl_status allocate_cache(parl_decoder *d, const parl_model_dims *dims) {
  size_t slots, entries;
  if (__builtin_mul_overflow(d->n_slots, dims->L, &slots) ||
      __builtin_mul_overflow(slots, d->max_context, &entries))
    return parl_fail(PARL_STATUS_ENOMEM, "the cache is larger than memory");
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, d->n_slots, &d->lengths));
  memset(d->lengths, 0, d->n_slots * sizeof *d->lengths);
  if (dims->is_mla) return take(d, entries, dims->entry, &d->k_cache);
  PARL_TRY(take(d, entries, dims->kv, &d->k_cache));
  return take(d, entries, dims->kv, &d->v_cache);
}

static parl_status allocate_block(parl_decoder *d, const parl_model *m) {
  const parl_model_dims *dims = &m->dims;
  const size_t rows = d->block_rows;
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, rows, &d->tokens));
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, rows, &d->visible));
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, rows, &d->wanted));
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, rows, &d->k_rows));
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, rows, &d->v_rows));
  PARL_TRY(take(d, rows, dims->C, &d->x));
  PARL_TRY(parl_attention_state_take(&d->arena, m, rows, true, &d->attention));
  const bool dense = dims->first_moe > 0, sparse = dims->first_moe < dims->L;
  PARL_TRY(parl_ffn_state_take(&d->arena, m, rows, dense, sparse, &d->ffn));
  return take(d, rows, dims->C, &d->selected);
}

static parl_status allocate(parl_decoder *d) {
  const parl_model *m = d->model;
  const size_t D = m->dims.is_mla ? m->dims.entry : m->dims.D;
  const size_t scratch = m->backend->attention_scratch_floats(d->max_context, D, D);
  PARL_TRY(allocate_cache(d, &m->dims));
  PARL_TRY(allocate_block(d, m));
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, d->max_rows, &d->positions));
  PARL_TRY(take(d, d->max_rows, m->dims.V, &d->logits));
  return take(d, scratch, 1, &d->scratch);
}

parl_status parl_decoder_create(const parl_model *model, size_t n_slots, size_t max_context,
                                size_t max_rows, parl_decoder **out) {
  PARL_REQUIRE(model != NULL && out != NULL);
  PARL_REQUIRE(n_slots >= 1 && n_slots <= INT32_MAX);
  PARL_REQUIRE(max_rows >= 1 && max_rows <= INT32_MAX);
  if (max_context < 1 || max_context > model->dims.T)
    return parl_fail(PARL_STATUS_EINVAL, "decoder: max_context = %zu is outside [1, %zu]",
                     max_context, model->dims.T);
  parl_decoder *d = calloc(1, sizeof *d);
  if (d == NULL) return parl_fail(PARL_STATUS_ENOMEM, "decoder: no memory");
  d->model = model;
  d->n_slots = n_slots;
  d->max_context = max_context;
  d->max_rows = max_rows;
  d->block_rows = max_rows < BLOCK_ROWS ? max_rows : BLOCK_ROWS;
  parl_arena_init(&d->arena, 0);
  const parl_status s = allocate(d);
  if (s != PARL_STATUS_OK) {
    parl_decoder_destroy(d);
    return parl_fail_context(s, "decoder of %zu slots of %zu tokens", n_slots, max_context);
  }
  *out = d;
  return PARL_STATUS_OK;
}

void parl_decoder_destroy(parl_decoder *decoder) {
  if (decoder == NULL) return;
  parl_arena_deinit(&decoder->arena);
  free(decoder);
}

size_t parl_decoder_get_max_rows(const parl_decoder *decoder) {
  return decoder->max_rows;
}

size_t parl_decoder_advise_slots(const parl_model *model, size_t max_context) {
  const size_t entries = 2 * model->dims.L * model->dims.kv * max_context;
  size_t slots = BLOCK_ROWS;
  if (model->n_params * sizeof(float) > FAST_BYTES / 2) return slots;
  while (slots > LEAST_SLOTS && slots * entries * sizeof(float) > FAST_BYTES / 2) slots /= 2;
  return slots;
}

void parl_decoder_reset(parl_decoder *decoder, int32_t slot) {
  PARL_CHECK(slot >= 0 && (size_t)slot < decoder->n_slots);
  decoder->lengths[slot] = 0;
}

size_t parl_decoder_get_length(const parl_decoder *decoder, int32_t slot) {
  PARL_CHECK(slot >= 0 && (size_t)slot < decoder->n_slots);
  return (size_t)decoder->lengths[slot];
}

static parl_status check_row(const parl_decoder *d, const parl_decoder_row *row, size_t i) {
  if (row->slot < 0 || (size_t)row->slot >= d->n_slots)
    return parl_fail(PARL_STATUS_EINVAL, "decoder: slot %d of row %zu is outside [0, %zu)",
                     row->slot, i, d->n_slots);
  if (row->token < 0 || (size_t)row->token >= d->model->dims.V)
    return parl_fail(PARL_STATUS_EINVAL, "decoder: token %d of row %zu is outside [0, %zu)",
                     row->token, i, d->model->dims.V);
  if ((size_t)d->lengths[row->slot] >= d->max_context)
    return parl_fail(PARL_STATUS_ESTATE, "decoder: slot %d is full: it holds %zu tokens", row->slot,
                     d->max_context);
  return PARL_STATUS_OK;
}

/* Gives every row its position and lengthens its slot; takes everything back on failure. */
static parl_status append_rows(parl_decoder *d, const parl_decoder_row *rows, size_t n_rows) {
  for (size_t i = 0; i < n_rows; i++) {
    const parl_status s = check_row(d, &rows[i], i);
    if (s != PARL_STATUS_OK) {
      while (i-- > 0) d->lengths[rows[i].slot]--;
      return s;
    }
    d->positions[i] = d->lengths[rows[i].slot]++;
  }
  return PARL_STATUS_OK;
}

/* Each key head has its own rows, so that the attention reads one stream of whole cache lines. */
static size_t cache_start(const parl_decoder *d, size_t layer, size_t slot, size_t g) {
  const parl_model_dims *dims = &d->model->dims;
  return ((layer * d->n_slots + slot) * dims->H_kv + g) * d->max_context * dims->D;
}

/* Copies the block's keys and values into the cache. */
static void write_cache(parl_decoder *d, const parl_decoder_row *rows, const int32_t *positions,
                        size_t n, size_t layer) {
  const parl_model_dims *dims = &d->model->dims;
  const size_t bytes = dims->D * sizeof(float);
  for (size_t r = 0; r < n; r++) {
    const float *k = d->attention.qkv + r * dims->qkv + dims->q, *v = k + dims->kv;
    for (size_t g = 0; g < dims->H_kv; g++) {
      const size_t start = cache_start(d, layer, (size_t)rows[r].slot, g);
      const size_t entry = start + (size_t)positions[r] * dims->D;
      memcpy(d->k_cache + entry, k + g * dims->D, bytes);
      memcpy(d->v_cache + entry, v + g * dims->D, bytes);
    }
  }
}

/* The query heads that share key head g, of all rows. */
static void attend(parl_decoder *d, const parl_decoder_row *rows, size_t n, size_t layer,
                   size_t g) {
  const parl_model *m = d->model;
  const size_t heads = m->dims.H / m->dims.H_kv;
  for (size_t r = 0; r < n; r++) {
    const size_t start = cache_start(d, layer, (size_t)rows[r].slot, g);
    d->k_rows[r] = d->k_cache + start;
    d->v_rows[r] = d->v_cache + start;
  }
  const parl_attention_decode_args args = {.rows = n,
                                           .H = heads,
                                           .H_kv = 1,
                                           .D = m->dims.D,
                                           .Dv = m->dims.D,
                                           .scale = m->attention_scale,
                                           .q = d->attention.qkv + g * heads * m->dims.D,
                                           .ld_q = m->dims.qkv,
                                           .k_cache = d->k_rows,
                                           .v_cache = d->v_rows,
                                           .lengths = d->visible,
                                           .out = d->attention.mixed + g * heads * m->dims.D,
                                           .ld_out = m->dims.q,
                                           .scratch = d->scratch};
  m->backend->attention_decode(&args);
}

/* Latents: the block's entries into the cache, then every row against its slot's. */
static void attend_latents(parl_decoder *d, const parl_decoder_row *rows, const int32_t *positions,
                           size_t n, size_t layer) {
  const parl_model *m = d->model;
  const parl_model_dims *dims = &m->dims;
  const parl_attention_state *s = &d->attention;
  for (size_t r = 0; r < n; r++) {
    const size_t slot = layer * d->n_slots + (size_t)rows[r].slot;
    float *start = d->k_cache + slot * d->max_context * dims->entry;
    float *entry = start + (size_t)positions[r] * dims->entry;
    const float *rope = s->latents + (r + 1) * dims->latents - dims->Dr;
    memcpy(entry, s->latent + r * dims->R, dims->R * sizeof *entry);
    memcpy(entry + dims->R, rope, dims->Dr * sizeof *entry);
    d->k_rows[r] = start;
  }
  parl_mla_decode(m, &m->layers[layer], n, d->k_rows, d->visible, &d->attention, d->scratch);
}

/* Logits of the block's wanted rows; returns how many. */
static size_t head(parl_decoder *d, size_t n_wanted, float *logits) {
  const parl_model *m = d->model;
  if (n_wanted == 0) return 0;
  const parl_embedding_fwd_args select = {
      .rows = n_wanted, .C = m->dims.C, .tokens = d->wanted, .table = d->x, .out = d->selected};
  m->backend->embedding_fwd(&select);
  parl_norm_forward(m, m->final_norm, n_wanted, d->selected, d->ffn.h, NULL);
  parl_matrix_forward(m, &m->head, n_wanted, d->ffn.h, NULL, logits);
  return n_wanted;
}

static size_t run_block(parl_decoder *d, const parl_decoder_row *rows, const int32_t *positions,
                        size_t n, float *logits) {
  const parl_model *m = d->model;
  size_t n_wanted = 0;
  for (size_t r = 0; r < n; r++) {
    d->tokens[r] = rows[r].token;
    d->visible[r] = positions[r] + 1;
    if (rows[r].want_logits) d->wanted[n_wanted++] = (int32_t)r;
  }
  const parl_embedding_fwd_args embed = {.rows = n,
                                         .C = m->dims.C,
                                         .tokens = d->tokens,
                                         .table = m->params + m->embedding,
                                         .out = d->x};
  m->backend->embedding_fwd(&embed);
  for (size_t i = 0; i < m->dims.L; i++) {
    parl_attention_project(m, &m->layers[i], n, d->x, positions, &d->attention);
    if (m->dims.is_mla) {
      attend_latents(d, rows, positions, n, i);
    } else {
      write_cache(d, rows, positions, n, i);
      for (size_t g = 0; g < m->dims.H_kv; g++) attend(d, rows, n, i, g);
    }
    parl_attention_merge(m, &m->layers[i], n, &d->attention, d->x, d->x);
    parl_ffn_forward(m, &m->layers[i], n, d->x, &d->ffn, d->x);
  }
  return head(d, n_wanted, logits);
}

parl_status parl_decoder_step(parl_decoder *decoder, const parl_decoder_row *rows, size_t n_rows,
                              float **logits) {
  if (n_rows > decoder->max_rows)
    return parl_fail(PARL_STATUS_EINVAL, "decoder: %zu rows in a step, at most %zu fit", n_rows,
                     decoder->max_rows);
  PARL_TRY(append_rows(decoder, rows, n_rows));
  float *place = decoder->logits;
  for (size_t i = 0; i < n_rows; i += decoder->block_rows) {
    const size_t left = n_rows - i;
    const size_t n = left < decoder->block_rows ? left : decoder->block_rows;
    place +=
        decoder->model->dims.V * run_block(decoder, rows + i, decoder->positions + i, n, place);
  }
  *logits = decoder->logits;
  return PARL_STATUS_OK;
}
