/* engine/optimizer.h - AdamW or MuonClip over the flat parameters, with global-norm clipping.
 * Thread rule: one thread per optimizer, which may have workers. */
#ifndef PARL_ENGINE_OPTIMIZER_H
#define PARL_ENGINE_OPTIMIZER_H
#include "core/workers.h"
#include "engine/model.h"

#define PARL_OPTIMIZER_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                               \
  REAL(lr, 1e-3, 0.0, 1.0, "1", "learning rate after the warm-up")                         \
  INT(warmup, 10, 0, 1000000, "updates", "linear warm-up of the learning rate")            \
  REAL(beta1, 0.9, 0.0, 0.9999, "1", "decay of the first moment")                          \
  REAL(beta2, 0.99, 0.0, 0.999999, "1", "decay of the second moment")                      \
  REAL(eps, 1e-8, 1e-12, 1e-2, "1", "added to the root of the second moment")              \
  REAL(weight_decay, 0.0, 0.0, 1.0, "1", "decoupled weight decay of matrices")             \
  REAL(clip, 1.0, 0.0, 1e6, "1", "gradient norm above which gradients are scaled; 0: off") \
  CHOICE(kind, adamw, "adamw|muonclip",                                                    \
         "muonclip: Muon for matrices inside layers, AdamW for the rest, QK-Clip")         \
  REAL(momentum, 0.95, 0.0, 0.9999, "1", "Nesterov momentum of Muon (muonclip)")           \
  REAL(qk_clip, 100.0, 0.0, 1e6, "1",                                                      \
       "largest score of a head above which it is scaled down; 0: off (muonclip)")
PARL_CONFIG_STRUCT(parl_optimizer_config, PARL_OPTIMIZER_FIELDS);
extern const parl_section parl_optimizer_section;

/* Places of `kind` in its list. */
typedef enum parl_optimizer_kind {
  PARL_OPTIMIZER_ADAMW,
  PARL_OPTIMIZER_MUONCLIP
} parl_optimizer_kind;

typedef struct parl_optimizer parl_optimizer;

typedef struct parl_optimizer_info {
  double grad_norm; /* before clipping */
  double lr;
  bool clipped;
  size_t n_clipped_heads; /* by QK-Clip */
} parl_optimizer_info;

parl_status parl_optimizer_create(const parl_optimizer_config *config, const parl_model *model,
                                  parl_optimizer **out);
/* One whose steps leave alone what is not of the vision: tower and projector move, all else keeps
 * its bits, has no part in the gradient's norm, and QK-Clip is off. */
parl_status parl_optimizer_create_vision(const parl_optimizer_config *config,
                                         const parl_model *model, parl_optimizer **out);
void parl_optimizer_destroy(parl_optimizer *opt);
/* From now on steps of MuonClip spread tensors over the workers, borrowed; the results are the same
 * for every number of them. AdamW's steps are short and stay on one thread. Call it once.
 * Fails: ENOMEM. */
parl_status parl_optimizer_set_workers(parl_optimizer *opt, const parl_model *model,
                                       parl_workers *workers);
/* One step on the model's parameters from grads [n_params]; refreshes the model. Decay and moments
 * go tensor by tensor; step t of the warm-up has lr t / warmup. info may be NULL.
 * Fails: EINVAL if the gradient norm is not finite, naming the tensor, or after clipping is too
 * large for the second moment (1.8e19); parameters and moments are untouched then.
 * Source: Loshchilov & Hutter 2019, algorithm 2; clipping, Pascanu et al. 2013. */
parl_status parl_optimizer_step(parl_optimizer *opt, parl_model *model, const float *grads,
                                parl_optimizer_info *info);
/* Steps from now on have this learning rate after the warm-up. */
void parl_optimizer_set_lr(parl_optimizer *opt, double lr);
/* Whether steps want the largest scores of the same step's forward, for QK-Clip. */
bool parl_optimizer_wants_scores(const parl_optimizer *opt);
/* The scores [n_layers, n_heads] that the next steps look at, as parl_train_step_get_max_scores has
 * them; borrowed. NULL, as created: nothing is clipped. */
void parl_optimizer_set_scores(parl_optimizer *opt, const float *max_scores);
/* State for the checkpoint: n of the moments [2 * n_params] (m then v) from `offset` on, to the
 * host and from it, and the number of steps taken. Fails: as the device says. */
parl_status parl_optimizer_read_moments(const parl_optimizer *opt, size_t offset, size_t n,
                                        float *to);
parl_status parl_optimizer_write_moments(parl_optimizer *opt, size_t offset, size_t n,
                                         const float *from);
int64_t parl_optimizer_get_steps(const parl_optimizer *opt);
void parl_optimizer_set_steps(parl_optimizer *opt, int64_t steps);
/* Kernels and library products that it gave to its device so far; 0 on a CPU. */
uint64_t parl_optimizer_count_launches(const parl_optimizer *optimizer);

#endif
