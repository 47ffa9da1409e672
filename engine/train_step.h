/* engine/train_step.h - the gradient of a batch, cut into slices and spread over threads.
 *
 * Slices are cut by the batch. Leaf a of a fixed number A takes slices a, a+A, a+2A, ... in order
 * through forward, loss and backward; then leaves are summed over a fixed tree (engine/leaves.h).
 * So the gradient has the same bits for any number of threads, and of ranks: a step may own one
 * rank's leaves. Another A is another (equally good) rounding.
 * Thread rule: one run at a time; the loss is called from the workers' threads, for different
 * slices at once, so it writes only what belongs to its slice. */
#ifndef PARL_ENGINE_TRAIN_STEP_H
#define PARL_ENGINE_TRAIN_STEP_H
#include "core/workers.h"
#include "engine/leaves.h"
#include "engine/model.h"

typedef struct parl_train_step parl_train_step;

/* Turns logits [n_outputs, V] of slice number slice_index, which are those of ws, into d loss / d
 * logits, in place, as engine/policy.h does. Zeros add nothing. What it divides by is of the whole
 * batch, known before the run: never counted from the slices that this step happens to own. A
 * failure stops the run. */
typedef parl_status (*parl_loss)(void *context, size_t slice_index, const parl_slice *slice,
                                 parl_workspace *ws, float *logits);

typedef struct parl_train_step_def {
  const parl_model *model; /* borrowed */
  parl_workers *workers;   /* borrowed */
  size_t n_leaves;         /* >= 1; 8 serves up to 8 threads and costs 8 gradients of memory */
  size_t rank, n_ranks;    /* rank < n_ranks; owns the leaves that parl_leaves_get_range says */
  size_t max_rows;         /* of a slice; one workspace per thread has room for it */
  size_t max_outputs;      /* of a slice */
} parl_train_step_def;
/* The only rank, 8 leaves; model, workers and the room of a slice are still to be set. */
parl_train_step_def parl_train_step_def_default(void);

/* What else a worker does with a slice: before its forward, which may yet be given rows, and after
 * its backward. As the loss, for different slices at once. */
typedef struct parl_train_beside {
  void *context;
  parl_status (*before)(void *context, size_t slice_index, size_t worker);
  parl_status (*after)(void *context, size_t slice_index, size_t worker);
} parl_train_beside;

/* A batch, as every rank knows it before the loss. */
typedef struct parl_train_batch {
  const parl_slice *slices;        /* [n_slices]; those of other ranks' leaves are not read */
  size_t n_slices;                 /* of all ranks */
  size_t n_seqs;                   /* sequences in the slices of all ranks */
  const parl_train_beside *beside; /* NULL: nothing */
} parl_train_batch;

/* Fails: EINVAL if a field of def is out of range, ENOMEM. */
parl_status parl_train_step_create(const parl_train_step_def *def, parl_train_step **out);
void parl_train_step_destroy(parl_train_step *step);

/* *grads = the sum over slices of their gradients [n_params], owned by the step until its next run;
 * where there are more ranks, that of the first node of the step's leaves (NULL without leaves):
 * the others are at parl_train_step_get_leaf. Sparse layers add the gradient of aux_loss_alpha
 * times the mean of the batch's sequences' balance loss. The model's weights may change between
 * runs. Allocates nothing.
 * Fails: EINVAL if a slice is out of range, or as the loss failed: the failed leaf of lowest number
 * speaks; *grads is untouched then. */
parl_status parl_train_step_run(parl_train_step *step, const parl_train_batch *batch,
                                parl_loss loss, void *context, float **grads);
/* Runs from now on ask the loss and go no further: no gradient, and *grads are zeros; or again all
 * the way. */
void parl_train_step_set_forward_only(parl_train_step *step, bool forward_only);
bool parl_train_step_is_forward_only(const parl_train_step *step);
/* Kernels and library products that it gave to its device so far; 0 on a CPU. */
uint64_t parl_train_step_count_launches(const parl_train_step *step);
/* Copies gradients of the last run [n_params] to the host. Fails: as the device does. */
parl_status parl_train_step_read(const parl_train_step *step, const float *grads, float *out);
/* Where the largest node of the step's own that begins with this leaf has its sum after a run
 * [n_params], to be folded with other ranks'; owned by the step. The leaf is one of its own. */
float *parl_train_step_get_leaf(const parl_train_step *step, size_t leaf);
/* Tokens of the last run by expert, [n_sparse_layers, n_routed_experts], for parl_model_balance;
 * owned by the step. */
const int64_t *parl_train_step_get_load(const parl_train_step *step);
/* aux_loss_alpha times the mean of the last run's sequences' balance loss, summed over the sparse
 * layers; the same for any number of threads. Before the first run 0. */
double parl_train_step_get_balance(const parl_train_step *step);
/* What one of the step's own leaves adds to it; ranks' are added in the order of leaves. */
double parl_train_step_get_leaf_balance(const parl_train_step *step, size_t leaf);
/* Of the workers' activations, accumulators apart. */
size_t parl_train_step_get_bytes(const parl_train_step *step);
/* From now on runs keep every head's largest score. Fails: ENOMEM. */
parl_status parl_train_step_track_scores(parl_train_step *step);
/* Largest scores of the last run [n_layers, n_heads], owned by the step; NULL if not tracked. */
const float *parl_train_step_get_max_scores(const parl_train_step *step);

#endif
