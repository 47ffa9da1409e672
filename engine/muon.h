/* engine/muon.h - Muon's update of a matrix, and QK-Clip.
 *
 *   M = mu M + G;  U = orthogonalise(mu M + G);  W = (1 - lr decay) W - lr 0.2 sqrt(max(A,B)) U
 * The published iteration runs in bf16, and so does this one on a device with operands in bf16, all
 * matrices of a shape together; elsewhere in f32, one after the other.
 * Thread rule: one thread per parl_muon. Reading order: parl_muon, update, clip_heads.
 * Source: Jordan et al. 2024; Moonlight 2025, section 2.2; Kimi K2 2025, algorithm 1; k25 2.3. */
#ifndef PARL_ENGINE_MUON_H
#define PARL_ENGINE_MUON_H
#include "core/arena.h"
#include "engine/model.h"

/* Matrices of one shape. */
typedef struct parl_muon_group {
  size_t rows, columns;
  size_t n;
  size_t *offsets; /* [n] of them in the parameters, and alike in gradients and momentum */
  int64_t *bounds; /* [n + 1] 0, rows columns, 2 rows columns, ...: of n that lie side by side */
} parl_muon_group;

/* Scratch for the largest matrix of a model, on the device. */
typedef struct parl_muon {
  float *x, *y;     /* [largest matrix] tall: rows >= columns */
  float *direction; /* [largest matrix] as the parameters lie */
  float *a, *b;     /* [largest square of a matrix' smaller side] */
  double *squares;  /* [most] */
  int64_t *bounds;  /* [most + 1] */
  /* Where the backend orthogonalises many at once, instead of y, a and b, for the largest lot: */
  float *room;
  size_t most; /* matrices of a lot */
} parl_muon;

typedef struct parl_muon_args {
  size_t rows, columns;
  float *params;      /* [rows,columns], on the device, as the others */
  const float *grads; /* [rows,columns] */
  float *momentum;    /* [rows,columns] */
  double grad_scale, lr, mu, weight_decay;
} parl_muon_args;

/* Whether a tensor is Muon's: a matrix inside a layer, of the tower's blocks too, or of the
 * projector. What reads tokens, pixels or places (embedding, patches' convolution, position grid)
 * is AdamW's, as are head, norms and biases. The tower's part is ours: K2.5 says nothing of it. */
bool parl_muon_takes(const parl_model_tensor *tensor);
/* Into how many equal matrices of rows a tensor is cut: the tower's queries, keys and values stand
 * in one tensor, the text's in three; each is orthogonalised alone. */
size_t parl_muon_count_parts(const parl_model_tensor *tensor);
/* The matrices of a model that are Muon's, by shape, in the order in which shapes come; of the
 * vision alone if that alone moves. They live in the arena. Fails: ENOMEM. */
parl_status parl_muon_group_matrices(const parl_model *model, bool vision_alone, parl_arena *arena,
                                     parl_muon_group **groups, size_t *n_groups);
/* Fails: ENOMEM. */
parl_status parl_muon_init(parl_muon *muon, parl_arena *numbers, const parl_model *model,
                           const parl_muon_group *groups, size_t n_groups);
/* Five Newton-Schulz steps X <- a X + (b XX^T + c (XX^T)^2) X from X = m / |m|, so that singular
 * values come near 1. m [rows,columns] becomes u, in place; zero stays zero. */
void parl_muon_orthogonalise(parl_muon *muon, parl_queue *queue, size_t rows, size_t columns,
                             float *m);
/* One step of one matrix. */
void parl_muon_update(parl_muon *muon, parl_queue *queue, const parl_muon_args *args);
/* Of all matrices of a group, where the backend orthogonalises many at once; args: of a matrix that
 * begins at offset 0. */
void parl_muon_update_group(parl_muon *muon, parl_queue *queue, const parl_muon_group *group,
                            const parl_muon_args *args);
/* Where a head's largest score in the last forward, max_scores [n_layers, n_heads], is above tau,
 * scales its scores by gamma = tau / max_score: mla: sqrt(gamma) on q_nope and on k_nope, gamma on
 * q_rope, the shared rope key stays; gqa: sqrt(gamma) on queries and keys, and where heads share a
 * key, it takes the strongest clip and the queries make up for it. By the model's own queue; the
 * caller refreshes the model.
 * Returns the number of heads that were clipped. */
size_t parl_muon_clip_heads(parl_model *model, const float *max_scores, double tau);

#endif
