/* engine/decoder.c - next-token logits from a cache of keys and values.
 *
 * A step runs its rows in blocks that stay in cache through all layers. In each layer every row of
 * a block appends its key and value, then attends to the first `position + 1` entries of its slot:
 * prompt and single token are the same thing. A prompt may span blocks, since a row needs only
 * rows before it. */
#include "engine/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "engine/decoder_internal.h"

/* Rows of a block: enough to reuse a weight once it is loaded, few enough for one core's cache. */
enum { BLOCK_ROWS = 64 };
/* What advise_slots takes for the fast memory of a core: half of it for weights, half for the
 * cache. */
enum { FAST_BYTES = 8 << 20, LEAST_SLOTS = 8 };

/* What a block's rows look up: their tokens, positions, how many positions they attend to, slots;
 * and, of the first ones, which rows have logits. */
typedef enum table { TOKENS, POSITIONS, VISIBLE, SLOTS, WANTED, N_TABLES } table;

static int32_t *get_table(const parl_decoder *d, table which) {
  return d->tables + (size_t)which * d->block_rows;
}

static parl_status take(parl_decoder *d, size_t rows, size_t width, float **out) {
  return parl_arena_take(&d->numbers, rows, width * sizeof **out, (void **)out);
}

/* Of the keys of one position in one layer. */
static size_t get_entry_bytes(const parl_model_dims *dims, parl_cache_dtype cache) {
  const size_t width = dims->is_mla ? dims->entry : dims->kv;
  return width * (cache == PARL_CACHE_BF16 ? sizeof(uint16_t) : sizeof(float));
}

static parl_status allocate_cache(parl_decoder *d, const parl_model_dims *dims) {
  size_t slots, entries;
  if (__builtin_mul_overflow(d->n_slots, dims->L, &slots) ||
      __builtin_mul_overflow(slots, d->max_context, &entries))
    return parl_fail(PARL_STATUS_ENOMEM, "the cache is larger than memory");
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, d->n_slots, &d->lengths));
  memset(d->lengths, 0, d->n_slots * sizeof *d->lengths);
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, d->n_slots, &d->generations));
  memset(d->generations, 0, d->n_slots * sizeof *d->generations);
  PARL_TRY(parl_prefix_index_init(&d->index, d->n_slots, d->max_context, 0, &d->arena));
  d->entry_bytes = get_entry_bytes(dims, d->cache);
  PARL_TRY(parl_arena_take(&d->numbers, entries, d->entry_bytes, (void **)&d->k_cache));
  /* now, so that no step waits for its pages */
  parl_queue_fill(d->queue, d->k_cache, 0, entries * d->entry_bytes);
  if (dims->is_mla) return PARL_STATUS_OK;
  PARL_TRY(parl_arena_take(&d->numbers, entries, d->entry_bytes, (void **)&d->v_cache));
  parl_queue_fill(d->queue, d->v_cache, 0, entries * d->entry_bytes);
  return PARL_STATUS_OK;
}

static parl_status allocate_block(parl_decoder *d, const parl_model *m) {
  const parl_model_dims *dims = &m->dims;
  const size_t rows = d->block_rows;
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, N_TABLES * rows, &d->host_tables));
  PARL_TRY(PARL_ARENA_TAKE(&d->numbers, N_TABLES * rows, &d->tables));
  PARL_TRY(take(d, rows, dims->C, &d->x));
  PARL_TRY(parl_attention_state_take(&d->numbers, m, rows, true, &d->attention));
  const bool dense = dims->first_moe > 0, sparse = dims->first_moe < dims->L;
  PARL_TRY(parl_ffn_state_take(&d->numbers, m, rows, dense, sparse, &d->ffn));
  return take(d, rows, dims->C, &d->selected);
}

static parl_status allocate(parl_decoder *d) {
  const parl_model *m = d->model;
  const size_t D = m->dims.is_mla ? m->dims.entry : m->dims.D;
  const size_t scratch = m->backend->attention_scratch_floats(d->max_context, D, D);
  const size_t most = d->max_rows > d->block_rows ? d->max_rows : d->block_rows;
  PARL_TRY(parl_queue_create(m->backend, &d->queue));
  PARL_TRY(allocate_cache(d, &m->dims));
  PARL_TRY(allocate_block(d, m));
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, d->max_rows, &d->rows));
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, d->max_rows, &d->positions));
  PARL_TRY(take(d, most, m->dims.V, &d->logits));
  PARL_TRY(parl_sampler_init(&d->sampler, m->dims.V, d->max_rows, &d->arena, &d->numbers));
  PARL_TRY(take(d, scratch, 1, &d->scratch));
  return parl_decoder_graphs_init(&d->graphs, d);
}

parl_status parl_decoder_create(const parl_decoder_def *def, parl_decoder **out) {
  PARL_REQUIRE(def != NULL && def->model != NULL && out != NULL);
  PARL_REQUIRE(def->n_slots >= 1 && def->n_slots <= INT32_MAX);
  PARL_REQUIRE(def->max_rows >= 1 && def->max_rows <= INT32_MAX);
  if (def->max_context < 1 || def->max_context > def->model->dims.T)
    return parl_fail(PARL_STATUS_EINVAL, "decoder: max_context = %zu is outside [1, %zu]",
                     def->max_context, def->model->dims.T);
  parl_decoder *d = calloc(1, sizeof *d);
  if (d == NULL) return parl_fail(PARL_STATUS_ENOMEM, "decoder: no memory");
  d->model = def->model;
  d->n_slots = def->n_slots;
  d->max_context = def->max_context;
  d->max_rows = def->max_rows;
  d->cache = def->cache;
  d->block_rows = def->max_rows < BLOCK_ROWS ? def->max_rows : BLOCK_ROWS;
  if (def->model->backend->device()->graphs != NULL)
    d->block_rows = parl_decoder_graphs_round(def->max_rows);
  parl_arena_init(&d->arena, 0);
  parl_arena_init_from(&d->numbers, 0, &def->model->backend->device()->memory);
  const parl_status s = allocate(d);
  if (s != PARL_STATUS_OK) {
    parl_decoder_destroy(d);
    return parl_fail_context(s, "decoder of %zu slots of %zu tokens", def->n_slots,
                             def->max_context);
  }
  *out = d;
  return PARL_STATUS_OK;
}

void parl_decoder_destroy(parl_decoder *decoder) {
  if (decoder == NULL) return;
  parl_queue_destroy(decoder->queue);
  parl_decoder_graphs_deinit(&decoder->graphs);
  parl_arena_deinit(&decoder->numbers);
  parl_arena_deinit(&decoder->arena);
  free(decoder);
}

size_t parl_decoder_get_max_rows(const parl_decoder *decoder) {
  return decoder->max_rows;
}

size_t parl_decoder_advise_slots(const parl_model *model, size_t max_context,
                                 parl_cache_dtype cache) {
  const parl_model_dims *dims = &model->dims;
  const size_t n_caches = dims->is_mla ? 1 : 2;
  const size_t slot_bytes = n_caches * dims->L * max_context * get_entry_bytes(dims, cache);
  size_t slots = BLOCK_ROWS;
  if (model->n_params * sizeof(float) > FAST_BYTES / 2) return slots;
  while (slots > LEAST_SLOTS && slots * slot_bytes > FAST_BYTES / 2) slots /= 2;
  return slots;
}

/* Forgets the texts of other weights. */
static void renew_index(parl_decoder *d) {
  if (d->indexed != d->model->generation) parl_prefix_index_clear(&d->index);
  d->indexed = d->model->generation;
}

/* Whether the slot was emptied since the weights are what they are. */
static bool is_indexed(const parl_decoder *d, int32_t slot) {
  return d->generations[slot] == d->model->generation && d->indexed == d->model->generation;
}

void parl_decoder_reset(parl_decoder *decoder, int32_t slot) {
  PARL_CHECK(slot >= 0 && (size_t)slot < decoder->n_slots);
  renew_index(decoder);
  parl_prefix_index_cut(&decoder->index, (size_t)slot, 0);
  decoder->lengths[slot] = 0;
  decoder->generations[slot] = decoder->model->generation;
}

parl_prefix_match parl_decoder_find_prefix(const parl_decoder *decoder, const parl_prefix *prefix) {
  if (decoder->indexed != decoder->model->generation) return (parl_prefix_match){0};
  return parl_prefix_index_find(&decoder->index, prefix, 0);
}

/* Copies the first n positions of every layer and head of a slot. */
static void copy_cache(parl_decoder *d, char *cache, size_t from, size_t to, size_t n) {
  const parl_model_dims *dims = &d->model->dims;
  const size_t unit = d->cache == PARL_CACHE_BF16 ? sizeof(uint16_t) : sizeof(float);
  const size_t heads = dims->is_mla ? 1 : dims->H_kv, width = d->entry_bytes / unit / heads;
  const size_t head = d->max_context * width, slot = heads * head;
  const parl_copy2d_args args = {.rows = dims->L,
                                 .groups = heads,
                                 .width = n * width,
                                 .unit = unit,
                                 .from = cache + from * slot * unit,
                                 .from_row = d->n_slots * slot,
                                 .from_group = head,
                                 .to = cache + to * slot * unit,
                                 .to_row = d->n_slots * slot,
                                 .to_group = head};
  PARL_RUN(d->queue, copy2d, &args);
}

size_t parl_decoder_restart(parl_decoder *decoder, int32_t slot, const parl_prefix *prefix) {
  PARL_CHECK(slot >= 0 && (size_t)slot < decoder->n_slots);
  renew_index(decoder);
  const size_t to = (size_t)slot;
  const parl_prefix_match match = parl_prefix_index_find(&decoder->index, prefix, to);
  const size_t from = match.slot, length = match.held;
  parl_prefix_index_cut(&decoder->index, to, from == to ? length : 0);
  if (from != to && length > 0) {
    parl_prefix_index_share(&decoder->index, from, to, length);
    copy_cache(decoder, decoder->k_cache, from, to, length);
    if (decoder->v_cache != NULL) copy_cache(decoder, decoder->v_cache, from, to, length);
  }
  decoder->lengths[slot] = (int32_t)length;
  decoder->generations[slot] = decoder->model->generation;
  return length;
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
  if ((row->given == NULL) != (row->content == 0))
    return parl_fail(PARL_STATUS_EINVAL, "decoder: row %zu is %s", i,
                     row->content == 0 ? "given without a content" : "of a content, but not given");
  if ((size_t)d->lengths[row->slot] >= d->max_context)
    return parl_fail(PARL_STATUS_ESTATE, "decoder: slot %d is full: it holds %zu tokens", row->slot,
                     d->max_context);
  return PARL_STATUS_OK;
}

static parl_status check_room(const parl_decoder *d, size_t n) {
  if (n <= d->max_rows - d->n_rows) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "decoder: %zu rows in a step, at most %zu fit",
                   d->n_rows + n, d->max_rows);
}

parl_status parl_decoder_push(parl_decoder *decoder, const parl_decoder_row *row) {
  parl_decoder *d = decoder;
  PARL_TRY(check_room(d, 1));
  PARL_TRY(check_row(d, row, d->n_rows));
  d->rows[d->n_rows] = *row;
  d->positions[d->n_rows++] = d->lengths[row->slot]++;
  if (is_indexed(d, row->slot))
    parl_prefix_index_append(&d->index, (size_t)row->slot, row->token, row->content);
  return PARL_STATUS_OK;
}

/* Takes the last rows back until there are n. */
static void take_back(parl_decoder *d, size_t n) {
  while (d->n_rows > n) {
    const int32_t slot = d->rows[--d->n_rows].slot;
    d->lengths[slot]--;
    if (is_indexed(d, slot))
      parl_prefix_index_cut(&d->index, (size_t)slot, (size_t)d->lengths[slot]);
  }
}

void parl_decoder_take_back(parl_decoder *decoder) {
  take_back(decoder, 0);
}

/* Appends the block's keys and values to the caches and fills the mixed values. */
static void attend(parl_decoder *d, const parl_decoder_tables *t, size_t n, size_t layer) {
  const parl_model *m = d->model;
  const size_t bytes = layer * d->n_slots * d->max_context * d->entry_bytes;
  parl_attention_decode_args args = {.rows = n,
                                     .context = d->max_context,
                                     .bf16 = d->cache == PARL_CACHE_BF16,
                                     .scale = m->attention_scale,
                                     .k_cache = d->k_cache + bytes,
                                     .v_cache = m->dims.is_mla ? NULL : d->v_cache + bytes,
                                     .slots = t->slots,
                                     .lengths = t->visible,
                                     .scratch = d->scratch};
  if (m->dims.is_mla)
    parl_mla_decode(d->queue, m, &m->layers[layer], &args, &d->attention);
  else
    parl_gqa_decode(d->queue, m, &args, &d->attention);
}

/* Logits of the block's wanted rows; returns how many. */
static size_t head(parl_decoder *d, size_t n_wanted, float *logits) {
  const parl_model *m = d->model;
  if (n_wanted == 0) return 0;
  const parl_embedding_fwd_args select = {.rows = n_wanted,
                                          .C = m->dims.C,
                                          .tokens = get_table(d, WANTED),
                                          .table = d->x,
                                          .out = d->selected};
  PARL_RUN(d->queue, embedding_fwd, &select);
  parl_norm_forward(d->queue, m, m->final_norm, n_wanted, d->selected, d->ffn.h, NULL);
  parl_matrix_forward(d->queue, &m->head, n_wanted, d->ffn.h, NULL, logits);
  return n_wanted;
}

/* Returns how many rows want logits. */
static size_t upload_tables(parl_decoder *d, const parl_decoder_row *rows, const int32_t *positions,
                            size_t n) {
  int32_t *host = d->host_tables;
  const size_t size = d->block_rows;
  size_t n_wanted = 0;
  for (size_t r = 0; r < n; r++) {
    host[TOKENS * size + r] = rows[r].token;
    host[POSITIONS * size + r] = positions[r];
    host[VISIBLE * size + r] = positions[r] + 1;
    host[SLOTS * size + r] = rows[r].slot;
    if (rows[r].want_logits) host[WANTED * size + n_wanted++] = (int32_t)r;
  }
  parl_queue_upload(d->queue, d->tables, host, (WANTED * size + n_wanted) * sizeof *host);
  return n_wanted;
}

/* Over the embeddings of the block's placeholders; features of one image lie side by side. */
static void place_given(parl_decoder *d, const parl_decoder_row *rows, size_t n_rows) {
  const size_t C = d->model->dims.C;
  for (size_t r = 0, n = 0; r < n_rows; r += n) {
    n = 1;
    if (rows[r].given == NULL) continue;
    while (r + n < n_rows && rows[r + n].given == rows[r].given + n * C) n++;
    parl_copy_floats(d->queue, rows[r].given, d->x + r * C, n * C);
  }
}

void parl_decoder_embed(parl_decoder *d, const int32_t *tokens, size_t n) {
  const parl_model *m = d->model;
  const parl_embedding_fwd_args args = {
      .rows = n, .C = m->dims.C, .tokens = tokens, .table = m->params + m->embedding, .out = d->x};
  PARL_RUN(d->queue, embedding_fwd, &args);
}

void parl_decoder_forward(parl_decoder *d, const parl_decoder_tables *t, size_t n) {
  const parl_model *m = d->model;
  for (size_t i = 0; i < m->dims.L; i++) {
    parl_attention_project(d->queue, m, &m->layers[i], n, d->x, t->positions, &d->attention);
    attend(d, t, n, i);
    parl_attention_merge(d->queue, &m->layers[i], n, &d->attention, d->x, d->x);
    parl_ffn_forward(d->queue, m, &m->layers[i], n, d->x, &d->ffn, d->x);
  }
}

static size_t run_block(parl_decoder *d, const parl_decoder_row *rows, const int32_t *positions,
                        size_t n, float *logits) {
  const size_t n_wanted = upload_tables(d, rows, positions, n);
  const parl_decoder_tables tables = {get_table(d, TOKENS), get_table(d, POSITIONS),
                                      get_table(d, VISIBLE), get_table(d, SLOTS)};
  parl_decoder_embed(d, tables.tokens, n);
  place_given(d, rows, n);
  parl_decoder_forward(d, &tables, n);
  return head(d, n_wanted, logits);
}

/* Done first, while a core has them near. */
static void hold_prefixes(parl_decoder *d) {
  for (size_t i = 0; i < d->n_rows; i++)
    if (is_indexed(d, d->rows[i].slot)) parl_prefix_index_hold(&d->index, (size_t)d->rows[i].slot);
}

parl_status parl_decoder_run(parl_decoder *decoder, float **logits) {
  const size_t n_rows = decoder->n_rows;
  decoder->n_wanted = 0;
  hold_prefixes(decoder);
  for (size_t i = 0; i < n_rows; i += decoder->block_rows) {
    const size_t left = n_rows - i;
    const size_t n = left < decoder->block_rows ? left : decoder->block_rows;
    float *place = decoder->logits + decoder->n_wanted * decoder->model->dims.V;
    decoder->n_wanted += run_block(decoder, decoder->rows + i, decoder->positions + i, n, place);
  }
  decoder->n_rows = 0;
  *logits = decoder->logits;
  return PARL_STATUS_OK;
}

parl_status parl_decoder_step(parl_decoder *decoder, const parl_decoder_row *rows, size_t n_rows,
                              float **logits) {
  const size_t n_before = decoder->n_rows;
  PARL_TRY(check_room(decoder, n_rows));
  for (size_t i = 0; i < n_rows; i++) {
    const parl_status s = parl_decoder_push(decoder, &rows[i]);
    if (s == PARL_STATUS_OK) continue;
    take_back(decoder, n_before);
    return s;
  }
  return parl_decoder_run(decoder, logits);
}

static size_t count_wanted(const parl_decoder *d) {
  size_t n = 0;
  for (size_t i = 0; i < d->n_rows; i++) n += d->rows[i].want_logits;
  return n;
}

parl_status parl_decoder_begin(parl_decoder *decoder, const parl_pick *draws, size_t n) {
  float *logits;
  PARL_REQUIRE(n == count_wanted(decoder));
  if (!parl_decoder_graphs_take(&decoder->graphs, decoder)) {
    PARL_TRY(parl_decoder_run(decoder, &logits));
    return parl_decoder_begin_sample(decoder, draws, n);
  }
  hold_prefixes(decoder);
  const parl_status s = parl_decoder_graphs_begin(&decoder->graphs, decoder, draws);
  decoder->n_rows = decoder->n_wanted = 0;
  return s;
}

parl_status parl_decoder_begin_sample(parl_decoder *decoder, const parl_pick *draws, size_t n) {
  PARL_REQUIRE(n <= decoder->n_wanted);
  PARL_TRY(parl_decoder_graphs_drop(&decoder->graphs, decoder->queue));
  parl_sampler_begin(&decoder->sampler, decoder->queue, decoder->logits, draws, n);
  return PARL_STATUS_OK;
}

parl_status parl_decoder_end_sample(parl_decoder *decoder, size_t n, parl_sample *out) {
  if (decoder->graphs.now != NULL)
    return parl_decoder_graphs_end(&decoder->graphs, decoder->queue, n, out);
  return parl_sampler_end(&decoder->sampler, decoder->queue, n, out);
}

parl_status parl_decoder_sample(parl_decoder *decoder, const parl_pick *draws, size_t n,
                                parl_sample *out) {
  PARL_TRY(parl_decoder_begin_sample(decoder, draws, n));
  return parl_decoder_end_sample(decoder, n, out);
}

uint64_t parl_decoder_count_launches(const parl_decoder *d) {
  return d->queue->n_launches;
}

size_t parl_decoder_count_nodes(const parl_decoder *d) {
  return parl_decoder_graphs_count_nodes(&d->graphs);
}

parl_status parl_decoder_read(parl_decoder *decoder, const float *from, size_t n, float *to) {
  return parl_queue_download(decoder->queue, to, from, n * sizeof *to);
}
