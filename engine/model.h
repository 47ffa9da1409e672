/* engine/model.h - the policy network: a decoder-only transformer with a hand-written backward.
 *
 * A size is a config. Weights live in one flat f32 buffer, so that the optimizer, the
 * checkpoint and gradients of the same layout need no knowledge of the architecture; tensors
 * carry the Hugging Face names. All numbers lie on the backend's device; the host reads and
 * writes them by calls. The forward works on a slice: a few packed sequences with activations of
 * their own (DESIGN 9), so threads run whole slices side by side through single-threaded ops.
 * Thread rule: a model is read-only while forwards run; one workspace per thread. Reading order:
 * the config, parl_model, parl_slice, forward, backward. */
#ifndef PARL_ENGINE_MODEL_H
#define PARL_ENGINE_MODEL_H
#include <stdatomic.h>

#include "core/config.h"
#include "core/hash.h"
#include "core/safetensors.h"
#include "core/status.h"
#include "kernels/ops.h"

#define PARL_MODEL_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                         \
  INT(n_layers, 2, 1, 128, "layers", "transformer blocks")                                       \
  INT(d_model, 64, 1, 65536, "floats", "width of the residual stream")                           \
  INT(n_heads, 4, 1, 256, "heads", "query heads")                                                \
  INT(n_kv_heads, 4, 1, 256, "heads", "key and value heads; divides n_heads (gqa)")              \
  INT(head_dim, 16, 2, 512, "floats", "width of a head; even (gqa)")                             \
  INT(d_ff, 128, 1, 262144, "floats", "inner width of SwiGLU in dense layers")                   \
  INT(max_context, 512, 1, 1048576, "tokens", "longest sequence")                                \
  REAL(rope_theta, 10000.0, 1.0, 1e9, "1", "base of the rotary frequencies")                     \
  REAL(norm_eps, 1e-5, 1e-12, 1e-2, "1", "epsilon of RMSNorm")                                   \
  REAL(init_std, 0.02, 1e-6, 10.0, "1",                                                          \
       "standard deviation of initial matrices; residual outputs "                               \
       "are scaled by 1/sqrt(2 n_layers)")                                                       \
  CHOICE(attention, gqa, "gqa|mla",                                                              \
         "grouped keys and values of their own, or read from a shared low-rank latent")          \
  INT(q_lora_rank, 0, 0, 65536, "floats", "width of the queries' latent; 0: full rank (mla)")    \
  INT(kv_lora_rank, 32, 1, 65536, "floats", "width of the keys' and values' latent (mla)")       \
  INT(qk_nope_head_dim, 16, 1, 512, "floats", "part of a head without position (mla)")           \
  INT(qk_rope_head_dim, 8, 2, 512, "floats", "rotated part of a head; even (mla)")               \
  INT(v_head_dim, 16, 1, 512, "floats", "width of a head's values (mla)")                        \
  REAL(latent_norm_eps, 1e-6, 1e-12, 1e-2, "1", "epsilon of the latents' RMSNorm (mla)")         \
  REAL(rope_factor, 1.0, 1.0, 1e6, "1", "YaRN's extension of the context; 1: off")               \
  INT(rope_original_context, 4096, 1, 1048576, "tokens", "context before YaRN's extension")      \
  REAL(rope_beta_fast, 32.0, 1e-3, 1e6, "turns", "YaRN: faster pairs keep their frequency")      \
  REAL(rope_beta_slow, 1.0, 1e-3, 1e6, "turns", "YaRN: slower pairs are slowed by the factor")   \
  REAL(rope_mscale, 1.0, 0.0, 100.0, "1", "YaRN: weight of the factor in cosines and sines")     \
  REAL(rope_mscale_all_dim, 0.0, 0.0, 100.0, "1",                                                \
       "YaRN: weight of the factor in the scale of all scores")                                  \
  REAL(rope_attention_factor, 0.0, 0.0, 100.0, "1",                                              \
       "YaRN: factor of cosines and sines; 0: follows from the two weights")                     \
  INT(n_routed_experts, 0, 0, 4096, "experts", "experts of a sparse layer; 0: all layers dense") \
  INT(n_experts_per_tok, 2, 1, 64, "experts", "routed experts that a token reaches")             \
  INT(n_shared_experts, 1, 0, 64, "experts", "experts that every token passes")                  \
  INT(moe_d_ff, 64, 1, 262144, "floats", "inner width of an expert")                             \
  INT(first_k_dense, 1, 0, 128, "layers", "dense layers in front of the sparse ones")            \
  INT(n_group, 1, 1, 512, "groups", "groups of experts; divides n_routed_experts")               \
  INT(topk_group, 1, 1, 512, "groups", "groups that a token may choose from")                    \
  FLAG(norm_topk_prob, 1, "the chosen scores are divided by their sum")                          \
  REAL(routed_scaling_factor, 1.0, 0.0, 1000.0, "1", "factor of the routed experts' weights")    \
  REAL(aux_loss_alpha, 0.001, 0.0, 10.0, "1", "weight of each sequence's balance loss")          \
  REAL(bias_update_rate, 0.001, 0.0, 1.0, "1",                                                   \
       "step of the experts' selection bias towards balance, after each optimizer step")         \
  CHOICE(recompute, none, "none|layer",                                                          \
         "layer: training keeps the inputs of layers only and computes the rest again, to the "  \
         "same bits")                                                                            \
  CHOICE(expert_quant, none, "none|int4",                                                        \
         "int4: routed experts compute with weights rounded to int4 by groups of 32 inputs, "    \
         "gradients pass straight through to the weights kept in f32")
/* MoonViT-3D and its projector, `model.vision`: how images become rows. Whole numbers. */
#define PARL_VISION_FIELDS(INT)                                                                \
  INT(n_layers, 0, 0, 128, "layers", "blocks of the vision tower; 0: the model sees nothing")  \
  INT(d_model, 48, 4, 65536, "floats", "width of the tower")                                   \
  INT(n_heads, 4, 1, 256, "heads", "of the tower; a head's width is a multiple of 4")          \
  INT(d_ff, 96, 1, 262144, "floats", "inner width of the tower's feed-forward part")           \
  INT(patch, 4, 1, 64, "pixels", "side of a patch; an image is a grid of patches, even sides") \
  INT(grid_height, 8, 1, 512, "patches", "rows of the learned position grid")                  \
  INT(grid_width, 8, 1, 512, "patches", "columns of the learned position grid")                \
  INT(max_frames, 4, 1, 64, "frames", "longest item: a clip is cut into items")                \
  INT(media_token, -1, -1, 2147483647, "token",                                                \
      "stands in a text where a row of an image does; -1: whoever asks says where")
#define PARL_VISION_INT_(name, preset, low, high, unit, doc) int64_t name;
typedef struct parl_vision_config {
  PARL_VISION_FIELDS(PARL_VISION_INT_)
} parl_vision_config;

typedef struct parl_model_config {
  PARL_MODEL_FIELDS(PARL_CONFIG_INT_, PARL_CONFIG_REAL_, PARL_CONFIG_FLAG_, PARL_CONFIG_TEXT_,
                    PARL_CONFIG_CHOICE_)
  parl_vision_config vision;
} parl_model_config;
extern const parl_section parl_model_section;

/* Places of `attention` in its list. */
typedef enum parl_attention { PARL_ATTENTION_GQA, PARL_ATTENTION_MLA } parl_attention;

/* Places of `recompute` and `expert_quant` in their lists. */
typedef enum parl_recompute { PARL_RECOMPUTE_NONE, PARL_RECOMPUTE_LAYER } parl_recompute;
typedef enum parl_expert_quant { PARL_EXPERT_QUANT_NONE, PARL_EXPERT_QUANT_INT4 } parl_expert_quant;

typedef struct parl_model parl_model;

/* One named tensor inside the flat parameter buffer. */
typedef struct parl_model_tensor {
  char name[96];   /* e.g. "model.layers.0.self_attn.q_proj.weight" */
  int n_dims;      /* 1 to 4; a matrix has 2 */
  size_t shape[4]; /* [out, in] for matrices; 0 behind the last */
  size_t offset;   /* floats from the start of the buffer */
  size_t n;        /* floats */
  bool decay;      /* weight decay applies */
  bool trained;    /* has gradients; an expert's selection bias has none */
} parl_model_tensor;

/* Whether it is of the vision tower. */
bool parl_model_tensor_is_tower(const parl_model_tensor *tensor);
/* Whether it is of the vision tower or the projector. */
bool parl_model_tensor_is_vision(const parl_model_tensor *tensor);

/* Whether there can be such a model: ranges, and what must divide what. Fails: EINVAL naming the
 * field. */
parl_status parl_model_check_config(const parl_model_config *config, size_t vocab_size);
/* Builds a model with zeroed weights. vocab_size in tokens, >= 2. `stop` (may be NULL) is borrowed
 * for the model's life: non-zero, it ends this, parl_model_init_weights and
 * parl_model_copy_weights to the model half-way. Fails: EINVAL, ENOMEM, ESTOPPED. */
parl_status parl_model_create(const parl_model_config *config, size_t vocab_size,
                              const parl_backend *backend, const atomic_int *stop,
                              parl_model **out);
void parl_model_destroy(parl_model *model);
/* Normal(0, init_std) matrices and position grid, norms 1, biases 0; a pure function of the seed.
 * Refreshes.
 * Fails: ESTOPPED; as the device says, like all that follows. */
parl_status parl_model_init_weights(parl_model *model, uint64_t seed);

const parl_model_config *parl_model_get_config(const parl_model *model);
const parl_backend *parl_model_get_backend(const parl_model *model);
/* Kernels that its own refreshes gave to its device so far; 0 on a CPU. */
uint64_t parl_model_count_launches(const parl_model *model);
/* Whether the host computes, not a device that works beside it. */
bool parl_model_is_on_host(const parl_model *model);
/* A backend for a model, by name and dtype. Fails: as parl_backend_select. */
parl_status parl_model_select_backend(const char *name, const char *dtype,
                                      const parl_backend **out);
/* Of a backend that is a card's: what that is called, [n] text. False: it is none. */
bool parl_model_name_card(const parl_backend *backend, char *text, size_t n);
/* Why the backend of this name is the CPU's, if it is "auto" and found no card; else NULL.
 * Borrowed, until the next failure of the thread. */
const char *parl_model_explain_auto(const char *name);
size_t parl_model_get_vocab_size(const parl_model *model);
size_t parl_model_get_n_params(const parl_model *model);
/* n parameters from `offset` on, to the host and from it; refresh after the last write. */
parl_status parl_model_read(const parl_model *model, size_t offset, size_t n, float *to);
parl_status parl_model_write(parl_model *model, size_t offset, size_t n, const float *from);
const parl_model_tensor *parl_model_get_tensors(const parl_model *model, size_t *n_tensors);
/* Its extents as a file's. */
void parl_model_tensor_set_shape(const parl_model_tensor *tensor, parl_tensor_info *info);
/* Adds the parameters to a hash, as they lie in memory of the host. */
parl_status parl_model_hash(const parl_model *model, parl_hash *hash);
/* Rounds what is quantised and repacks matrices for the backend; must follow every change of the
 * parameters. */
parl_status parl_model_refresh(parl_model *model);
/* Copies weights between models of equal config (init_std and recompute apart), on any backends,
 * and refreshes. Fails: EINVAL naming the field that differs, ESTOPPED. */
parl_status parl_model_copy_weights(parl_model *to, const parl_model *from);

/* Packed sequences; sequence s is rows seq_start[s] .. seq_start[s+1]-1, positions from 0. */
typedef struct parl_slice {
  size_t n_seqs;
  const int32_t *seq_start; /* [n_seqs + 1] */
  const int32_t *tokens;    /* [rows] */
  size_t n_outputs;
  const int32_t *outputs; /* [n_outputs] ascending rows whose next-token logits are wanted */
  /* Rows that are given instead of looked up: features of engine/vision.h. Their tokens are
   * placeholders, whose embedding is neither read nor trained by them. */
  size_t n_given;
  const int32_t *given_rows; /* [n_given] ascending rows */
  const float *given;        /* [n_given,C] on the model's device */
  float *dgiven;             /* [n_given,C] on it: what backward writes; NULL: not wanted */
} parl_slice;

typedef struct parl_workspace parl_workspace;
/* Room for slices of up to max_rows rows and max_outputs outputs. Fails: ENOMEM. */
parl_status parl_workspace_create(const parl_model *model, size_t max_rows, size_t max_outputs,
                                  parl_workspace **out);
void parl_workspace_destroy(parl_workspace *ws);
/* Of its activations, on host and device. */
size_t parl_workspace_get_bytes(const parl_workspace *ws);

/* *logits = [n_outputs, V] on the model's device, owned by ws, valid until its next use: see
 * engine/policy.h and parl_workspace_read. Keeps activations for backward. Fails: EINVAL if a
 * token, a length or the slice is out of range. */
parl_status parl_model_forward(const parl_model *model, parl_workspace *ws, const parl_slice *slice,
                               float **logits);
/* n numbers on the device of ws, to the host. */
parl_status parl_workspace_read(parl_workspace *ws, const float *from, size_t n, float *to);
/* Adds the gradient of the last forward on ws into grads [n_params], given dlogits [n_outputs,
 * V], both on the device (may be the logits buffer), and writes the slice's dgiven. The slice must
 * be the same. Uses the forward up: a second backward wants a forward of its own. */
parl_status parl_model_backward(const parl_model *model, parl_workspace *ws,
                                const parl_slice *slice, const float *dlogits, float *grads);

/* Experts of the sparse layers: load counts and biases are [n_sparse_layers, n_routed_experts]. */
size_t parl_model_get_n_sparse_layers(const parl_model *model);
/* Moves every expert's selection bias by bias_update_rate * sign(mean load - load); call it after
 * an optimizer step. load [n_sparse_layers, n_routed_experts] counts tokens, as
 * parl_train_step_get_load has them. Source: Wang et al. 2024, auxiliary-loss-free balancing. */
parl_status parl_model_balance(parl_model *model, const int64_t *load);
/* Weight of each sequence's balance loss in the gradients that follow on ws: aux_loss_alpha /
 * number of sequences in a training batch; 0, as created, leaves the loss out. */
void parl_workspace_set_aux_weight(parl_workspace *ws, double weight);
/* Adds the weighted balance losses of ws' backwards since the last call to *sum, and forgets
 * them. */
parl_status parl_workspace_take_balance(parl_workspace *ws, double *sum);
/* Adds the loads of ws' forwards since creation or the last call to load, and forgets them. */
parl_status parl_workspace_take_load(parl_workspace *ws, int64_t *load);

/* From now on forwards on ws keep every head's largest score q.k * scale. Fails: ENOMEM. */
parl_status parl_workspace_track_scores(parl_workspace *ws, const parl_model *model);
/* Raises max_scores [n_layers, n_heads] to the largest scores of ws' forwards since the last call,
 * and forgets them. */
parl_status parl_workspace_take_max_scores(parl_workspace *ws, float *max_scores);

/* FLOPs of one token at a mean context, forward with backward and decoding: engine/flops.h. */
double parl_model_train_flops(const parl_model *model, double mean_context);
double parl_model_decode_flops(const parl_model *model, double mean_context);

#endif
