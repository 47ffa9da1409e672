/* parl/learn/batch.h - recorded sequences packed into slices for the model.
 *
 * Sequences fill slices in the order in which they are added; a slice is cut when the next sequence
 * would not fit, so slices depend on the data only. A sequence is cut after the row that predicts
 * its last choice; images behind it go, too.
 * Thread rule: filled by one thread, then read by many. */
#ifndef PARL_PARL_LEARN_BATCH_H
#define PARL_PARL_LEARN_BATCH_H
#include "core/media.h"
#include "engine/model.h"
#include "parl/swarm/trajectory.h"

typedef struct parl_batch {
  size_t max_rows, max_sequences, max_slice_rows, n_words;
  size_t n_rows, n_outputs, n_sequences, n_slices;
  int32_t *tokens;          /* [max_rows] */
  int32_t *seq_start;       /* [max_sequences + n_slices]: each slice has its own 0-based run */
  int32_t *outputs;         /* [max_rows] row within the slice whose logits predict the choice */
  int32_t *targets;         /* [max_rows] the chosen token */
  float *logp_old;          /* [max_rows] behaviour log-probability, nats */
  float *weight;            /* [max_rows] advantage of the choice; 1 for imitation */
  uint64_t *masks;          /* [max_rows, n_words] */
  parl_slice *slices;       /* [max_sequences] */
  size_t *first_output;     /* [max_sequences] where a slice's outputs begin */
  size_t *first_sequence;   /* [max_sequences] where a slice's sequences begin */
  size_t *prompt;           /* [max_sequences] of each sequence */
  size_t *end_output;       /* [max_sequences] where a sequence's outputs end */
  size_t n_prompts;         /* with a choice */
  size_t *prompt_outputs;   /* [max_sequences] choices of each prompt */
  size_t *prompt_sequences; /* [max_sequences] sequences of each prompt */
  /* Of parl_batch_see; else empty. */
  size_t max_given, n_given, n_places;
  int32_t *given_rows; /* [max_given] row within the slice that an image's features take */
  int32_t *places;     /* [max_given] number of the image that stands in each place, in order */
  parl_media images;   /* the distinct ones, in the order in which they come first */
  uint64_t *contents;  /* [max_given] of them */
} parl_batch;

/* What a loss divides by: counts of a whole batch, taken before the loss. Whoever holds only a part
 * of the batch is told the same ones. */
typedef struct parl_batch_totals {
  size_t n_outputs, n_sequences;
  size_t n_prompts;               /* with a choice */
  const size_t *prompt_outputs;   /* choices of each prompt; borrowed */
  const size_t *prompt_sequences; /* sequences of each prompt; borrowed */
} parl_batch_totals;

/* A slice is never longer than the larger of max_slice_rows and the longest sequence, longest. It
 * holds max_rows rows; 0: as many as max_sequences of the longest have. Fails: ENOMEM. */
parl_status parl_batch_create(size_t max_sequences, size_t longest, size_t max_rows,
                              size_t max_slice_rows, size_t n_words, parl_batch **out);
void parl_batch_destroy(parl_batch *batch);
void parl_batch_reset(parl_batch *batch);
/* From now on the batch takes sequences with images, for models with this patch, whose places have
 * up to max_given rows. Fails: ENOMEM. */
parl_status parl_batch_see(parl_batch *batch, int patch, size_t max_given);
/* Appends a sequence; one without choices is left out. weights [n_choices] of the sequence's
 * choices, in their order: its `turn` says of which turn each is. prompt: number of its task in
 * the batch, < max_sequences. Fails: EINVAL naming model.vision.n_layers if it has images and the
 * batch does not take any; ENOMEM. */
parl_status parl_batch_add(parl_batch *batch, const parl_sequence *sequence, size_t prompt,
                           const float *weights);
/* The same with one weight for every choice. */
parl_status parl_batch_add_uniform(parl_batch *batch, const parl_sequence *sequence, size_t prompt,
                                   float weight);
/* Appends every context of an episode's orchestrator, with one weight. */
parl_status parl_batch_add_mains(parl_batch *batch, const parl_trajectory *trajectory,
                                 size_t prompt, float weight);
/* Of what was added since the last reset; what is of prompts is the batch's own. */
parl_batch_totals parl_batch_get_totals(const parl_batch *batch);

#endif
