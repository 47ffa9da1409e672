/* engine/decoder_internal.h - a decoder, and its steps as graphs of a device.
 *
 * Reading order: tables, graphs, the decoder, what the files of it call of each other. */
#ifndef PARL_ENGINE_DECODER_INTERNAL_H
#define PARL_ENGINE_DECODER_INTERNAL_H
#include "engine/decoder.h"
#include "engine/model_internal.h"

/* What rows look up, on the device, [n] each. */
typedef struct parl_decoder_tables {
  int32_t *tokens, *positions;
  int32_t *visible; /* how many positions a row attends to; 0: nobody's row */
  int32_t *slots;
} parl_decoder_tables;

/* What a step of a bucket reads; one piece of memory. */
typedef struct parl_decoder_inputs {
  uint64_t *mask;         /* [rows, (V+63)/64] */
  double *uniform;        /* [rows] */
  double *top_p;          /* [rows] */
  float *inv_temperature; /* [rows] 0: argmax */
  parl_decoder_tables tables;
} parl_decoder_inputs;

/* Steps of up to `rows` rows. Rows that nobody pushed are nobody's. */
typedef struct parl_decoder_bucket {
  size_t rows, bytes;             /* of the inputs */
  parl_decoder_inputs host, card; /* pinned, and where ops read them */
  bool has_run;                   /* once, so that all is allocated that its ops need */
  parl_graph *graph;              /* owned; NULL: not recorded yet */
} parl_decoder_bucket;

/* Where a device has graphs: a step of one launch, that draws and brings back what was drawn. The
 * steps are padded to one of few sizes, so that nothing but the contents of memory changes from one
 * to the next. */
enum { PARL_DECODER_BUCKETS = 3 };
typedef struct parl_decoder_graphs {
  const parl_device_graphs *device; /* NULL: it has none */
  parl_arena pinned;
  size_t n_buckets;
  parl_decoder_bucket buckets[PARL_DECODER_BUCKETS]; /* ascending */
  parl_decoder_bucket *now; /* of the step that was begun and not ended; NULL: none */
  size_t n_nodes;           /* of the graph that ran last; 0: none did */
  int32_t *wanted;          /* [most rows] which rows draw */
  size_t n_wanted;
  /* What rows draw, [most rows]: pinned memory, which the device writes. */
  int32_t *token;
  float *logp, *entropy, *kept;
} parl_decoder_graphs;

struct parl_decoder {
  const parl_model *model; /* borrowed */
  parl_queue *queue;       /* owned */
  parl_arena arena;        /* on the host */
  parl_arena numbers;      /* on the device */
  size_t n_slots, max_context, max_rows, block_rows;
  parl_cache_dtype cache;
  int32_t *lengths;        /* [n_slots] tokens held, and those of the next step */
  uint64_t *generations;   /* [n_slots] of the weights when the slot was last emptied */
  parl_prefix_index index; /* of the slots emptied since the weights are those of */
  uint64_t indexed;        /* this generation */
  parl_decoder_row *rows;  /* [max_rows] of the next step */
  size_t n_rows;           /* of them */
  int32_t *positions;      /* [max_rows] */
  int32_t *host_tables;    /* [N_TABLES, block_rows], see below */
  size_t n_wanted;         /* rows of logits of the last step */
  /* On the device: */
  char *k_cache;      /* [L, n_slots, H_kv, max_context, D] of the cache's type; mla: of entries */
  char *v_cache;      /* [L, n_slots, H_kv, max_context, D]; mla: none */
  size_t entry_bytes; /* of a slot's keys at one position in one layer */
  float *logits;      /* [max_rows, V] */
  parl_sampler sampler;
  parl_decoder_graphs graphs;
  /* Of one block: */
  int32_t *tables; /* [N_TABLES, block_rows] */
  float *x;        /* [block_rows, C] */
  parl_attention_state attention;
  parl_ffn_state ffn;
  float *selected; /* [block_rows, C] */
  float *scratch;  /* attention's */
};

/* The rows of the bucket that has room for n, or of the largest. */
size_t parl_decoder_graphs_round(size_t n);
/* Nothing where the device has none. Fails: ENOMEM. */
parl_status parl_decoder_graphs_init(parl_decoder_graphs *g, parl_decoder *d);
void parl_decoder_graphs_deinit(parl_decoder_graphs *g);
/* Whether the rows pushed are a step of a bucket: not too many, none of them given. */
bool parl_decoder_graphs_take(const parl_decoder_graphs *g, const parl_decoder *d);
/* Begins that step: draws for each row that wants logits. Fails: as the device does. */
parl_status parl_decoder_graphs_begin(parl_decoder_graphs *g, parl_decoder *d,
                                      const parl_pick *draws);
/* Waits for a step that was begun and not ended, whose draws nobody wants. Fails: as the device
 * does. */
parl_status parl_decoder_graphs_drop(parl_decoder_graphs *g, parl_queue *queue);
/* Waits for it, and forgets it. Fails: EINVAL for another number of draws; as the device does. */
parl_status parl_decoder_graphs_end(parl_decoder_graphs *g, parl_queue *queue, size_t n,
                                    parl_sample *out);
size_t parl_decoder_graphs_count_nodes(const parl_decoder_graphs *g);

/* d->x of n rows: the embeddings of tokens, then through all layers. */
void parl_decoder_embed(parl_decoder *d, const int32_t *tokens, size_t n);
void parl_decoder_forward(parl_decoder *d, const parl_decoder_tables *t, size_t n);

#endif
