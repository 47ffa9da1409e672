/* engine/decoder.h - next-token logits for many contexts of unequal length at once; a KV cache.
 *
 * A slot is one live context. A step takes rows (slot, token): several rows of one slot in one step
 * are consecutive positions (a prompt), rows of different slots are independent. The logits of a
 * row depend on its slot's tokens only, bit for bit, never on what else is in the step.
 * Thread rule: one thread per decoder; the model is shared read-only. */
#ifndef PARL_ENGINE_DECODER_H
#define PARL_ENGINE_DECODER_H
#include "engine/model.h"
#include "engine/prefix_index.h"
#include "engine/sampler.h"

typedef struct parl_decoder parl_decoder;

typedef struct parl_decoder_row {
  int32_t slot;
  int32_t token;
  bool want_logits;
  const float *given; /* [C] on the model's device, instead of the token's embedding; NULL: none */
  uint64_t content;   /* of what was given, as core/album.h hashes it; 0: nothing */
} parl_decoder_row;

/* How keys and values are stored: as computed, or rounded to the nearest bf16, which halves what
 * attention reads; then logits differ from the full forward by about 1e-2 of their size. */
typedef enum parl_cache_dtype { PARL_CACHE_F32, PARL_CACHE_BF16 } parl_cache_dtype;

typedef struct parl_decoder_def {
  const parl_model *model; /* borrowed; may change its weights between contexts */
  size_t n_slots;          /* contexts, >= 1 */
  size_t max_context;      /* tokens of one, 1 to the model's */
  size_t max_rows;         /* of a step, >= 1 */
  parl_cache_dtype cache;
} parl_decoder_def;

/* Fails: EINVAL, ENOMEM. */
parl_status parl_decoder_create(const parl_decoder_def *def, parl_decoder **out);
void parl_decoder_destroy(parl_decoder *decoder);
size_t parl_decoder_get_max_rows(const parl_decoder *decoder);
/* How many contexts of max_context tokens one decoder best holds on a CPU, 8 to 64: their cache of
 * keys and values should stay near a core, unless the weights do not fit there either; then more
 * rows share every pass over the weights. Advice: results do not depend on it. */
size_t parl_decoder_advise_slots(const parl_model *model, size_t max_context,
                                 parl_cache_dtype cache);
/* Empties a slot. */
void parl_decoder_reset(parl_decoder *decoder, int32_t slot);
/* Empties a slot and gives it the longest part of the prefix that any slot, itself included, holds
 * from the same weights; returns its length. The keys and values are copied, so what follows has
 * the bits it would have had. */
size_t parl_decoder_restart(parl_decoder *decoder, int32_t slot, const parl_prefix *prefix);
/* held: length of the part that restart would find; coming: once the rows pushed have run. */
parl_prefix_match parl_decoder_find_prefix(const parl_decoder *decoder, const parl_prefix *prefix);
/* Tokens of the slot, those pushed included. */
size_t parl_decoder_get_length(const parl_decoder *decoder, int32_t slot);
/* Appends a row to the next step. Its slot must not be emptied before that. Fails: EINVAL for a
 * slot or token out of range or one row too many, or one that is given without content or the
 * reverse; ESTATE if the slot would overflow; nothing is appended then. Allocates nothing. */
parl_status parl_decoder_push(parl_decoder *decoder, const parl_decoder_row *row);
/* Takes all rows back that were pushed and have not run. */
void parl_decoder_take_back(parl_decoder *decoder);
/* A step of the rows pushed, begun: a device goes on with it; *logits = [number of rows with
 * want_logits, V] in row order, on the model's device, owned by the decoder. Allocates nothing. */
parl_status parl_decoder_run(parl_decoder *decoder, float **logits);
/* Pushes rows and runs. Fails: as push, and then none of them is appended. */
parl_status parl_decoder_step(parl_decoder *decoder, const parl_decoder_row *rows, size_t n_rows,
                              float **logits);
/* A step of the rows pushed that draws a token for each row that wants logits, of which there are
 * n, begun: to be ended by end_sample. A device that has graphs runs it as one; what is drawn is
 * what run and begin_sample draw, up to the bits of libraries' products. Fails: EINVAL for another
 * n; as the device says. Allocates nothing but, once for each size of a step, its graph. */
parl_status parl_decoder_begin(parl_decoder *decoder, const parl_pick *draws, size_t n);
/* Draws a token for each of the first n rows of the last step's logits, which are used up; does not
 * wait. Fails: EINVAL for more rows than there are. */
parl_status parl_decoder_begin_sample(parl_decoder *decoder, const parl_pick *draws, size_t n);
/* Waits for the n tokens begun last. Fails: as the device says. */
parl_status parl_decoder_end_sample(parl_decoder *decoder, size_t n, parl_sample *out);
/* Both. */
parl_status parl_decoder_sample(parl_decoder *decoder, const parl_pick *draws, size_t n,
                                parl_sample *out);
/* Kernels and library products that it gave to its device so far; 0 on a CPU. */
uint64_t parl_decoder_count_launches(const parl_decoder *d);
/* Of the graph that its last step was; 0: none. */
size_t parl_decoder_count_nodes(const parl_decoder *d);
/* n numbers on the device, to the host. */
parl_status parl_decoder_read(parl_decoder *decoder, const float *from, size_t n, float *to);

#endif
