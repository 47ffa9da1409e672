/* parl/learn/batch.c - packing. */
#include "parl/learn/batch.h"

#include <stdlib.h>
#include <string.h>

#include "engine/feature_cache.h"

static parl_status allocate(parl_batch *b) {
  const size_t rows = b->max_rows, seqs = b->max_sequences;
  b->tokens = calloc(rows, sizeof *b->tokens);
  b->seq_start = calloc(2 * seqs, sizeof *b->seq_start);
  b->outputs = calloc(rows, sizeof *b->outputs);
  b->targets = calloc(rows, sizeof *b->targets);
  b->logp_old = calloc(rows, sizeof *b->logp_old);
  b->weight = calloc(rows, sizeof *b->weight);
  b->masks = calloc(rows * b->n_words, sizeof *b->masks);
  b->slices = calloc(seqs, sizeof *b->slices);
  b->first_output = calloc(seqs, sizeof *b->first_output);
  b->first_sequence = calloc(seqs, sizeof *b->first_sequence);
  b->prompt = calloc(seqs, sizeof *b->prompt);
  b->end_output = calloc(seqs, sizeof *b->end_output);
  b->prompt_outputs = calloc(seqs, sizeof *b->prompt_outputs);
  b->prompt_sequences = calloc(seqs, sizeof *b->prompt_sequences);
  if (!b->tokens || !b->seq_start || !b->outputs || !b->targets || !b->logp_old || !b->weight ||
      !b->masks || !b->slices || !b->first_output || !b->first_sequence || !b->prompt ||
      !b->end_output || !b->prompt_outputs || !b->prompt_sequences)
    return parl_fail(PARL_STATUS_ENOMEM, "batch: no memory for %zu rows", rows);
  return PARL_STATUS_OK;
}

parl_status parl_batch_create(size_t max_sequences, size_t longest, size_t max_rows,
                              size_t max_slice_rows, size_t n_words, parl_batch **out) {
  PARL_REQUIRE(max_sequences >= 1 && longest >= 1 && n_words >= 1);
  PARL_REQUIRE(max_rows > 0 ? max_rows <= INT32_MAX : max_sequences <= INT32_MAX / longest);
  parl_batch *b = calloc(1, sizeof *b);
  if (b == NULL) return parl_fail(PARL_STATUS_ENOMEM, "batch: no memory");
  b->max_rows = max_rows > 0 ? max_rows : max_sequences * longest;
  b->max_sequences = max_sequences;
  b->max_slice_rows = max_slice_rows > longest ? max_slice_rows : longest;
  b->n_words = n_words;
  const parl_status s = allocate(b);
  if (s != PARL_STATUS_OK) {
    parl_batch_destroy(b);
    return s;
  }
  *out = b;
  return PARL_STATUS_OK;
}

void parl_batch_destroy(parl_batch *batch) {
  if (batch == NULL) return;
  free(batch->tokens);
  free(batch->seq_start);
  free(batch->outputs);
  free(batch->targets);
  free(batch->logp_old);
  free(batch->weight);
  free(batch->masks);
  free(batch->slices);
  free(batch->first_output);
  free(batch->first_sequence);
  free(batch->prompt);
  free(batch->end_output);
  free(batch->prompt_outputs);
  free(batch->prompt_sequences);
  free(batch->given_rows);
  free(batch->places);
  free(batch->contents);
  parl_media_deinit(&batch->images);
  free(batch);
}

void parl_batch_reset(parl_batch *batch) {
  batch->n_rows = batch->n_outputs = batch->n_sequences = batch->n_slices = 0;
  batch->n_prompts = batch->n_given = batch->n_places = 0;
  parl_media_clear(&batch->images);
  memset(batch->prompt_outputs, 0, batch->max_sequences * sizeof *batch->prompt_outputs);
  memset(batch->prompt_sequences, 0, batch->max_sequences * sizeof *batch->prompt_sequences);
}

parl_status parl_batch_see(parl_batch *batch, int patch, size_t max_given) {
  parl_media_config config = parl_media_config_default();
  PARL_REQUIRE(batch->max_given == 0 && max_given >= 1);
  config.patch = patch;
  parl_media_init(&batch->images, &config);
  batch->max_given = max_given;
  batch->given_rows = calloc(max_given, sizeof *batch->given_rows);
  batch->places = calloc(max_given, sizeof *batch->places);
  batch->contents = calloc(max_given, sizeof *batch->contents);
  if (batch->given_rows != NULL && batch->places != NULL && batch->contents != NULL)
    return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ENOMEM, "batch: no memory for %zu rows of images", max_given);
}

static size_t slice_rows(const parl_slice *s) {
  return (size_t)s->seq_start[s->n_seqs];
}

/* The slice that takes a sequence of n rows: the last one, or a new one behind it. */
static parl_slice *open_slice(parl_batch *b, size_t n) {
  if (b->n_slices > 0) {
    parl_slice *last = &b->slices[b->n_slices - 1];
    if (slice_rows(last) + n <= b->max_slice_rows) return last;
  }
  /* Every slice's run of seq_start has one entry more than it has sequences. */
  int32_t *starts = b->seq_start + b->n_sequences + b->n_slices;
  starts[0] = 0;
  b->first_output[b->n_slices] = b->n_outputs;
  b->first_sequence[b->n_slices] = b->n_sequences;
  parl_slice *s = &b->slices[b->n_slices++];
  *s = (parl_slice){
      .seq_start = starts, .tokens = b->tokens + b->n_rows, .outputs = b->outputs + b->n_outputs};
  return s;
}

/* Number of the image among the batch's. */
static parl_status find_image(parl_batch *b, const parl_picture *picture, int32_t *out) {
  size_t i = 0;
  while (i < b->images.n_items && b->contents[i] != picture->content) i++;
  if (i == b->images.n_items) {
    PARL_TRY(parl_media_add_frames(&b->images, &picture->image, picture->frames));
    b->contents[i] = picture->content;
  }
  *out = (int32_t)i;
  return PARL_STATUS_OK;
}

/* The images among the first n tokens of a sequence whose rows begin with `base`. */
static parl_status add_images(parl_batch *b, const parl_sequence *sequence, size_t n,
                              parl_slice *slice) {
  const int32_t base = slice->seq_start[slice->n_seqs];
  for (int32_t i = 0; i < sequence->n_shown; i++) {
    const parl_shown *shown = &sequence->shown[i];
    if ((size_t)shown->at >= n) break;
    if (b->max_given == 0) return parl_model_refuse_images();
    PARL_CHECK(b->n_given + (size_t)shown->n <= b->max_given);
    PARL_TRY(find_image(b, &sequence->album->items[shown->picture], &b->places[b->n_places]));
    if (slice->n_given == 0) slice->given_rows = b->given_rows + b->n_given;
    for (int32_t k = 0; k < shown->n; k++) b->given_rows[b->n_given++] = base + shown->at + k;
    slice->n_given += (size_t)shown->n;
    b->n_places++;
  }
  return PARL_STATUS_OK;
}

/* *weights of the sequence's choices, which the caller fills in; NULL if it has none. */
static parl_status add(parl_batch *batch, const parl_sequence *sequence, size_t prompt,
                       float **weights) {
  *weights = NULL;
  if (sequence->n_choices == 0) return PARL_STATUS_OK;
  const size_t n_choices = (size_t)sequence->n_choices;
  const size_t n = (size_t)sequence->at[n_choices - 1];
  PARL_CHECK(batch->n_sequences < batch->max_sequences && batch->n_rows + n <= batch->max_rows);
  PARL_CHECK(prompt < batch->max_sequences);
  parl_slice *s = open_slice(batch, n);
  const int32_t base = s->seq_start[s->n_seqs];
  PARL_TRY(add_images(batch, sequence, n, s));
  memcpy(batch->tokens + batch->n_rows, sequence->tokens, n * sizeof *batch->tokens);
  for (size_t k = 0; k < n_choices; k++) {
    const size_t o = batch->n_outputs + k;
    batch->outputs[o] = base + sequence->at[k] - 1;
    batch->targets[o] = sequence->tokens[sequence->at[k]];
    batch->logp_old[o] = sequence->logp[k];
  }
  memcpy(batch->masks + batch->n_outputs * batch->n_words, sequence->masks,
         n_choices * batch->n_words * sizeof *batch->masks);
  s->n_outputs += n_choices;
  s->n_seqs++;
  ((int32_t *)s->seq_start)[s->n_seqs] = base + (int32_t)n;
  *weights = batch->weight + batch->n_outputs;
  batch->n_outputs += n_choices;
  batch->n_prompts += batch->prompt_outputs[prompt] == 0;
  batch->prompt_outputs[prompt] += n_choices;
  batch->prompt_sequences[prompt]++;
  batch->prompt[batch->n_sequences] = prompt;
  batch->end_output[batch->n_sequences] = batch->n_outputs;
  batch->n_rows += n;
  batch->n_sequences++;
  return PARL_STATUS_OK;
}

parl_status parl_batch_add(parl_batch *batch, const parl_sequence *sequence, size_t prompt,
                           const float *weights) {
  float *to;
  PARL_TRY(add(batch, sequence, prompt, &to));
  if (to != NULL) memcpy(to, weights, (size_t)sequence->n_choices * sizeof *to);
  return PARL_STATUS_OK;
}

parl_status parl_batch_add_uniform(parl_batch *batch, const parl_sequence *sequence, size_t prompt,
                                   float weight) {
  float *to;
  PARL_TRY(add(batch, sequence, prompt, &to));
  for (int32_t i = 0; i < sequence->n_choices; i++) to[i] = weight;
  return PARL_STATUS_OK;
}

parl_batch_totals parl_batch_get_totals(const parl_batch *batch) {
  return (parl_batch_totals){.n_outputs = batch->n_outputs,
                             .n_sequences = batch->n_sequences,
                             .n_prompts = batch->n_prompts,
                             .prompt_outputs = batch->prompt_outputs,
                             .prompt_sequences = batch->prompt_sequences};
}

parl_status parl_batch_add_mains(parl_batch *batch, const parl_trajectory *trajectory,
                                 size_t prompt, float weight) {
  for (size_t i = 0; i < trajectory->n_mains; i++)
    PARL_TRY(parl_batch_add_uniform(batch, &trajectory->mains[i], prompt, weight));
  return PARL_STATUS_OK;
}
