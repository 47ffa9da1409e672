/* engine/train_step.h - the gradient of a batch, cut into slices and spread over threads.
 *
 * Slices are cut by the batch. Accumulator a of a fixed number A takes slices a, a+A, a+2A, ... in
 * order through forward, loss and backward; then accumulators are summed in order. So the gradient
 * has the same bits for any number of threads, and another A is another (equally good) rounding.
 * Thread rule: one run at a time; the loss is called from the workers' threads, for different
 * slices at once, so it writes only what belongs to its slice. */
#ifndef PARL_ENGINE_TRAIN_STEP_H
#define PARL_ENGINE_TRAIN_STEP_H
#include "core/workers.h"
#include "engine/model.h"

typedef struct parl_train_step parl_train_step;

/* Turns logits [n_outputs, V] of slice number slice_index, which are those of ws, into d loss / d
 * logits, in place, as engine/policy.h does. Zeros add nothing. A failure stops the run. */
typedef parl_status (*parl_loss)(void *context, size_t slice_index, const parl_slice *slice,
                                 parl_workspace *ws, float *logits);

/* model and workers are borrowed; n_accumulators >= 1 (8 serves up to 8 threads and costs 8
 * gradients of memory). Room for slices of max_rows_per_slice rows and max_outputs_per_slice
 * outputs, in one workspace per thread. Fails: EINVAL, ENOMEM. */
parl_status parl_train_step_create(const parl_model *model, parl_workers *workers,
                                   size_t n_accumulators, size_t max_rows_per_slice,
                                   size_t max_outputs_per_slice, parl_train_step **out);
void parl_train_step_destroy(parl_train_step *step);

/* *grads = the sum over slices of their gradients [n_params], owned by the step until its next run.
 * Sparse layers add the gradient of aux_loss_alpha times the mean of the sequences' balance loss.
 * The model's weights may change between runs. Allocates nothing.
 * Fails: EINVAL if a slice is out of range, or as the loss failed: the failed accumulator of lowest
 * number speaks; *grads is untouched then. */
parl_status parl_train_step_run(parl_train_step *step, const parl_slice *slices, size_t n_slices,
                                parl_loss loss, void *context, float **grads);
/* Tokens of the last run by expert, [n_sparse_layers, n_routed_experts], for parl_model_balance;
 * owned by the step. */
const int64_t *parl_train_step_get_load(const parl_train_step *step);
/* aux_loss_alpha times the mean of the last run's sequences' balance loss, summed over the sparse
 * layers; the same for any number of threads. Before the first run 0. */
double parl_train_step_get_balance(const parl_train_step *step);
/* From now on runs keep every head's largest score. Fails: ENOMEM. */
parl_status parl_train_step_track_scores(parl_train_step *step);
/* Largest scores of the last run [n_layers, n_heads], owned by the step; NULL if not tracked. */
const float *parl_train_step_get_max_scores(const parl_train_step *step);

#endif
