/* engine/decoder_graphs.c - a step of decoding as one launch.
 *
 * A bucket's first step runs as it is given, which lets the device allocate; the second is recorded
 * and from then on replayed. Everything that changes lies in the inputs, which the graph copies
 * from pinned memory as it runs; what was drawn is written to pinned memory by the draw itself. The
 * model's memory stays where it is as long as the model, so weights may change. */
#include <string.h>

#include "engine/decoder_internal.h"

static const size_t SIZES[PARL_DECODER_BUCKETS] = {64, 256, 512};

size_t parl_decoder_graphs_round(size_t n) {
  size_t i = 0;
  while (i + 1 < PARL_DECODER_BUCKETS && SIZES[i] < n) i++;
  return SIZES[i];
}

static size_t count_words(const parl_decoder *d) {
  return (d->model->dims.V + 63) / 64;
}

/* The next `bytes` of a piece of memory of which *used are taken; NULL where there is none yet. */
static void *take(char *piece, size_t bytes, size_t *used) {
  char *at = piece != NULL ? piece + *used : NULL;
  *used += bytes;
  return at;
}

/* The parts of a bucket's inputs in a piece, or NULL; returns their bytes. */
static size_t lay_out(char *piece, size_t rows, size_t words, parl_decoder_inputs *out) {
  size_t used = 0;
  out->mask = take(piece, rows * words * sizeof *out->mask, &used);
  out->uniform = take(piece, rows * sizeof *out->uniform, &used);
  out->top_p = take(piece, rows * sizeof *out->top_p, &used);
  out->inv_temperature = take(piece, rows * sizeof *out->inv_temperature, &used);
  int32_t **const tables[] = {&out->tables.tokens, &out->tables.positions, &out->tables.visible,
                              &out->tables.slots};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    *tables[i] = take(piece, rows * sizeof **tables[i], &used);
  return used;
}

/* All rows nobody's, each of which may draw any token. */
static parl_status open_bucket(parl_decoder_graphs *g, parl_decoder *d, size_t rows) {
  parl_decoder_bucket *b = &g->buckets[g->n_buckets];
  const size_t words = count_words(d);
  char *host, *card;
  b->rows = rows;
  b->bytes = lay_out(NULL, rows, words, &b->host);
  PARL_TRY(PARL_ARENA_TAKE(&g->pinned, b->bytes, &host));
  PARL_TRY(PARL_ARENA_TAKE(&d->numbers, b->bytes, &card));
  (void)lay_out(host, rows, words, &b->host);
  (void)lay_out(card, rows, words, &b->card);
  memset(host, 0, b->bytes);
  memset(b->host.mask, 0xff, rows * words * sizeof *b->host.mask);
  g->n_buckets++;
  return PARL_STATUS_OK;
}

parl_status parl_decoder_graphs_init(parl_decoder_graphs *g, parl_decoder *d) {
  const parl_backend *backend = d->model->backend;
  const size_t most = d->block_rows;
  *g = (parl_decoder_graphs){.device = backend->device()->graphs};
  if (g->device == NULL) return PARL_STATUS_OK;
  parl_arena_init_from(&g->pinned, 0, &g->device->pinned);
  for (size_t i = 0; i < PARL_DECODER_BUCKETS && SIZES[i] <= most; i++)
    if (!backend->has_one_bucket || SIZES[i] == most) PARL_TRY(open_bucket(g, d, SIZES[i]));
  PARL_TRY(PARL_ARENA_TAKE(&d->arena, most, &g->wanted));
  PARL_TRY(PARL_ARENA_TAKE(&g->pinned, most, &g->token));
  PARL_TRY(PARL_ARENA_TAKE(&g->pinned, most, &g->logp));
  PARL_TRY(PARL_ARENA_TAKE(&g->pinned, most, &g->entropy));
  return PARL_ARENA_TAKE(&g->pinned, most, &g->kept);
}

void parl_decoder_graphs_deinit(parl_decoder_graphs *g) {
  if (g->device == NULL) return;
  for (size_t i = 0; i < g->n_buckets; i++) g->device->destroy(g->buckets[i].graph);
  parl_arena_deinit(&g->pinned);
}

bool parl_decoder_graphs_take(const parl_decoder_graphs *g, const parl_decoder *d) {
  if (g->device == NULL || d->n_rows == 0 || d->n_rows > d->block_rows) return false;
  for (size_t i = 0; i < d->n_rows; i++)
    if (d->rows[i].given != NULL) return false;
  return true;
}

size_t parl_decoder_graphs_count_nodes(const parl_decoder_graphs *g) {
  return g->n_nodes;
}

/* ------------------------------------------------------------------------------- a step */

static void write_draw(parl_decoder_inputs *in, size_t row, size_t words, const parl_pick *draw) {
  uint64_t *mask = in->mask + row * words;
  if (draw->mask != NULL)
    memcpy(mask, draw->mask, words * sizeof *mask);
  else
    memset(mask, 0xff, words * sizeof *mask);
  in->inv_temperature[row] = draw->temperature > 0.0 ? (float)(1.0 / draw->temperature) : 0.0F;
  in->uniform[row] = draw->uniform;
  in->top_p[row] = draw->top_p > 0.0 ? draw->top_p : 1.0;
}

/* A row that draws nothing keeps an old mask, which allows something. */
static void write_inputs(parl_decoder_graphs *g, const parl_decoder *d, parl_decoder_bucket *b,
                         const parl_pick *draws) {
  const size_t words = count_words(d);
  parl_decoder_inputs *in = &b->host;
  g->n_wanted = 0;
  for (size_t r = 0; r < b->rows; r++) {
    const bool is_pushed = r < d->n_rows;
    in->tables.tokens[r] = is_pushed ? d->rows[r].token : 0;
    in->tables.positions[r] = is_pushed ? d->positions[r] : 0;
    in->tables.visible[r] = is_pushed ? d->positions[r] + 1 : 0;
    in->tables.slots[r] = is_pushed ? d->rows[r].slot : 0;
    in->inv_temperature[r] = 0.0F;
    if (!is_pushed || !d->rows[r].want_logits) continue;
    write_draw(in, r, words, &draws[g->n_wanted]);
    g->wanted[g->n_wanted++] = (int32_t)r;
  }
}

/* The same whatever the inputs are. */
static void queue_step(const parl_decoder_graphs *g, parl_decoder *d,
                       const parl_decoder_bucket *b) {
  const parl_model *m = d->model;
  const parl_decoder_inputs *in = &b->card;
  parl_queue_upload(d->queue, in->mask, b->host.mask, b->bytes);
  parl_decoder_embed(d, in->tables.tokens, b->rows);
  parl_decoder_forward(d, &in->tables, b->rows);
  parl_norm_forward(d->queue, m, m->final_norm, b->rows, d->x, d->ffn.h, NULL);
  parl_matrix_forward(d->queue, &m->head, b->rows, d->ffn.h, NULL, d->logits);
  const parl_sample_args args = {.rows = b->rows,
                                 .V = m->dims.V,
                                 .logits = d->logits,
                                 .mask = in->mask,
                                 .inv_temperature = in->inv_temperature,
                                 .uniform = in->uniform,
                                 .top_p = in->top_p,
                                 .token = g->token,
                                 .logp = g->logp,
                                 .entropy = g->entropy,
                                 .kept = g->kept};
  PARL_RUN(d->queue, sample, &args);
}

static parl_status record(const parl_decoder_graphs *g, parl_decoder *d, parl_decoder_bucket *b) {
  PARL_TRY(g->device->begin(d->queue));
  queue_step(g, d, b);
  return g->device->end(d->queue, &b->graph);
}

static parl_status run_step(parl_decoder_graphs *g, parl_decoder *d, parl_decoder_bucket *b) {
  g->n_nodes = 0;
  if (b->has_run && b->graph == NULL) PARL_TRY(record(g, d, b));
  if (b->graph != NULL && g->device->launch(d->queue, b->graph)) {
    g->n_nodes = g->device->count_nodes(b->graph);
    return PARL_STATUS_OK;
  }
  if (b->graph != NULL) PARL_TRY(parl_queue_wait(d->queue)); /* it may be running */
  g->device->destroy(b->graph);
  b->graph = NULL;
  queue_step(g, d, b);
  b->has_run = true;
  return PARL_STATUS_OK;
}

parl_status parl_decoder_graphs_begin(parl_decoder_graphs *g, parl_decoder *d,
                                      const parl_pick *draws) {
  parl_decoder_bucket *b = g->buckets;
  while (b->rows < d->n_rows) b++;
  if (g->now != NULL) PARL_TRY(parl_queue_wait(d->queue)); /* it reads its inputs */
  write_inputs(g, d, b, draws);
  g->now = b;
  return run_step(g, d, b);
}

parl_status parl_decoder_graphs_drop(parl_decoder_graphs *g, parl_queue *queue) {
  if (g->now != NULL) PARL_TRY(parl_queue_wait(queue));
  g->now = NULL;
  return PARL_STATUS_OK;
}

parl_status parl_decoder_graphs_end(parl_decoder_graphs *g, parl_queue *queue, size_t n,
                                    parl_sample *out) {
  g->now = NULL;
  PARL_TRY(parl_queue_wait(queue));
  PARL_REQUIRE(n == g->n_wanted);
  for (size_t i = 0; i < n; i++) {
    const int32_t r = g->wanted[i];
    out[i] = (parl_sample){
        .token = g->token[r], .logp = g->logp[r], .entropy = g->entropy[r], .kept = g->kept[r]};
  }
  return PARL_STATUS_OK;
}
