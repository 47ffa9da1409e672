/* engine/model_internal.h - what a model is made of, shared by the files of this folder.
 *
 * A layer is two parts, attention and feed-forward, each a few functions over rows. The forward
 * over slices and the decoder are made of the same parts; another architecture replaces parts and
 * the tensor table, and leaves slices, workspaces, optimizer and checkpoint alone. Reading order:
 * parl_model_dims, parl_matrix, parl_layer, parl_model, the parts, the workspace. */
#ifndef PARL_ENGINE_MODEL_INTERNAL_H
#define PARL_ENGINE_MODEL_INTERNAL_H
#include "core/arena.h"
#include "core/text.h"
#include "engine/model.h"

/* The tower's config as extents. */
typedef struct parl_vision_dims {
  size_t L, D, H, d, F; /* blocks (0: none), width, heads, width of a head, inner width */
  size_t patch, pixels; /* side of a patch; 3 patch^2 numbers of one */
  size_t height, width; /* of the position grid */
  size_t T;             /* longest item in frames */
} parl_vision_dims;

/* The config as extents. */
typedef struct parl_model_dims {
  size_t L, C, F, V, T; /* layers, width, inner width, vocabulary, longest context */
  size_t H, H_kv, D;    /* query heads, key heads, width of a head's query and key */
  size_t Dv;            /* width of a head's value */
  size_t q, kv, qkv;    /* H*D, H_kv*D, q + 2 kv: a row of queries, keys and values */
  size_t mixed;         /* H*Dv: a row of the attention's output */
  size_t rotated;       /* width of the rotary embedding: D, or Dr */
  bool is_mla;
  size_t Rq, R;       /* latents of queries (0: none) and of keys and values */
  size_t Dn, Dr;      /* parts of a head without and with position; D = Dn + Dr */
  size_t latents;     /* (Rq or q) + R + Dr: a row of all latents and the shared rope key */
  size_t entry;       /* R + Dr: what the cache holds of a token */
  size_t first_moe;   /* layers from here on are sparse; L if none */
  size_t Fe, Fs;      /* inner width of an expert, and of the shared ones together */
  parl_router router; /* experts, chosen ones, groups */
  parl_vision_dims vision;
} parl_model_dims;

/* A weight matrix W [N,K] (one tensor, or several adjacent ones): y = x W^T. */
typedef struct parl_matrix {
  size_t N, K;
  size_t offset;    /* floats from the start of the parameters */
  parl_act *packed; /* owned by the model, written by refresh */
  /* Set where the weights are rounded, and written by refresh: [N,K] what forward and backward
   * compute with. NULL: the parameters themselves. */
  float *rounded;
} parl_matrix;

typedef struct parl_layer {
  size_t input_norm, post_norm; /* offsets of weights [C] */
  parl_matrix o;                /* [C, mixed] */
  parl_matrix gate_up;          /* [2F, C]: gate_proj, up_proj; shared experts: [2Fs, C] */
  parl_matrix down;             /* [C, F] or [C, Fs] */
  parl_matrix qkv;              /* gqa: [q + 2 kv, C]: q_proj, k_proj, v_proj */
  /* mla */
  parl_matrix latents;     /* [latents, C]: q_a_proj or q_proj, kv_a_proj_with_mqa */
  size_t q_norm, kv_norm;  /* offsets of weights [Rq], [R] */
  parl_matrix q_b;         /* [q, Rq] */
  parl_matrix kv_b;        /* [H (Dn + Dv), R], a head's rows for k_nope, then v */
  parl_matrix *value_rows; /* [H] the rows [Dv, R] of kv_b, packed for decoding */
  /* sparse */
  bool is_moe;
  parl_matrix router;          /* [E, C] */
  size_t bias;                 /* offset of [E] */
  parl_matrix *expert_gate_up; /* [E] of [2Fe, C], evenly spaced in all their forms */
  parl_matrix *expert_down;    /* [E] of [C, Fe] */
} parl_layer;

/* y = x W^T + bias */
typedef struct parl_biased_matrix {
  parl_matrix w;
  size_t bias; /* offset of [N] */
} parl_biased_matrix;

/* Offsets of a layer norm's weight and bias. */
typedef struct parl_layernorm {
  size_t weight, bias;
} parl_layernorm;

typedef struct parl_vision_block {
  parl_layernorm norm0, norm1;
  parl_biased_matrix qkv, o;   /* [3D,D]: q, k, v; [D,D] */
  parl_biased_matrix fc0, fc1; /* [F,D], [D,F] */
} parl_vision_block;

/* The tower and its projector; no blocks: none. */
typedef struct parl_vision {
  parl_biased_matrix patch; /* [D, 3 patch^2] */
  size_t grid;              /* offset of the position grid [height,width,D] */
  parl_vision_block *blocks;
  parl_layernorm final_norm, pre_norm; /* of the tower; of the projector, a patch at a time */
  parl_biased_matrix proj0, proj2;     /* [4D,4D], [C,4D] */
  float scale;                         /* of scores, 1 / sqrt(d) */
  float *turns;                        /* host: [512, d/4, 2] cosine and sine of a place's angles */
  float *times;                        /* [T,D] fixed table of frames */
} parl_vision;

struct parl_model {
  parl_model_config config;
  parl_model_dims dims;
  const parl_backend *backend;
  parl_queue *queue;  /* owned: of refreshes, reads and writes */
  parl_arena arena;   /* owns what lies on the host */
  parl_arena numbers; /* owns what lies on the device */
  parl_model_tensor *tensors;
  size_t n_tensors;
  parl_layer *layers;     /* [L] */
  parl_matrix **matrices; /* [n_matrices] all of them, to be packed */
  size_t n_matrices;
  size_t embedding;  /* offset of [V,C] */
  size_t final_norm; /* offset of [C] */
  parl_matrix head;  /* [V,C] */
  parl_vision vision;
  float *params; /* [n_params] */
  size_t n_params;
  const atomic_int *stop; /* borrowed; may be NULL */
  uint64_t generation;    /* of the weights: counts refreshes and moves of the selection biases */
  struct parl_feature_cache *feature_cache; /* owned: what it saw; NULL: it sees nothing */
  float *cos_table, *sin_table;             /* [T, rotated/2] */
  float attention_scale;                    /* 1 / sqrt(D), times YaRN's factor */
};

/* The config as extents; it must have been checked. */
parl_model_dims parl_model_dims_make(const parl_model_config *config, size_t vocab_size);
/* Number of parameters of the tower and of the projector. */
double parl_vision_count_tower(const parl_model_dims *dims);
double parl_vision_count_projector(const parl_model_dims *dims);
/* As parl_shape_item_flops. */
double parl_vision_count_flops(const parl_model_dims *dims, double frames, double patches);
/* Lists tensors and matrices with their places. Fails: ENOMEM, EINVAL if too large. */
parl_status parl_model_add_tensors(parl_model *m);
/* Those of the tower and the projector, behind the text's. */
parl_status parl_vision_add_tensors(parl_model *m);
/* How many tensors those are at most; matrices are fewer. */
size_t parl_vision_count_tensors(const parl_model_dims *dims);
/* Angles of places and the table of frames. Fails: ENOMEM, as the device does. */
parl_status parl_vision_make_tables(parl_model *m);
parl_vision_dims parl_vision_dims_make(const parl_vision_config *config);
/* Fails: EINVAL naming the field. */
parl_status parl_vision_check_config(const parl_vision_config *config);
/* Appends a tensor of n_dims extents at the end of the flat buffer; *offset may be NULL.
 * Fails: EINVAL if the parameters become too large. */
parl_status parl_model_add_tensor(parl_model *m, const char *name, int n_dims, const size_t *shape,
                                  size_t *offset);
/* Announces a matrix, to be packed; its offset is set by its tensor. */
void parl_model_add_matrix(parl_model *m, parl_matrix *w, size_t N, size_t K);
/* Cosines and sines of all positions, and the scale of the scores. Fails: ENOMEM. */
parl_status parl_model_make_rotary(parl_model *m);

/* Refuses a config that is out of its table's ranges. Fails: EINVAL naming section, field, value,
 * range. */
parl_status parl_engine_check_ranges(const parl_section *section, const void *config);
/* Appends "model.rope_theta = 500 (not 10000), ..." of all fields in which two configs differ: a's
 * value, then b's; `ignored` (NULL-ended) are skipped. */
void parl_engine_append_differences(const parl_section *section, const void *a, const void *b,
                                    const char *const *ignored, parl_text *out);

/* W [N,K] as forward and backward see it. */
const float *parl_matrix_get_weights(const parl_model *m, const parl_matrix *w);
/* y [rows,N] = x [rows,K] W^T + residual (NULL: none; may be y). */
void parl_matrix_forward(parl_queue *queue, const parl_matrix *w, size_t rows, const parl_act *x,
                         const float *residual, float *y);
/* y [rows,N] = x [rows,K] W^T, an operand of what follows. */
void parl_matrix_project(parl_queue *queue, const parl_matrix *w, size_t rows, const parl_act *x,
                         parl_act *y);
/* dx [rows,K] = dy W; grads += dy^T x at the matrix' place. dx may be x, which is read first. */
void parl_matrix_backward(parl_queue *queue, const parl_model *m, const parl_matrix *w, size_t rows,
                          const parl_act *dy, const parl_act *x, parl_act *dx, float *grads);
/* The same with ld elements between rows. */
void parl_matrix_project_view(parl_queue *queue, const parl_matrix *w, size_t rows,
                              const parl_act *x, size_t ld_x, parl_act *y, size_t ld_y);
/* The same with ld elements between rows; dx is overwritten or added to. */
void parl_matrix_backward_view(parl_queue *queue, const parl_model *m, const parl_matrix *w,
                               size_t rows, const parl_act *dy, size_t ld_dy, const parl_act *x,
                               size_t ld_x, parl_act *dx, size_t ld_dx, bool accumulate,
                               float *grads);
/* out [rows,C] = x + down(silu(gate) * up) of h [rows,C]; inner [rows,2F] and act [rows,F] are
 * kept. */
void parl_swiglu_forward(parl_queue *queue, const parl_matrix *gate_up, const parl_matrix *down,
                         size_t rows, const parl_act *h, parl_act *inner, parl_act *act,
                         const float *x, float *out);
/* Of down(silu(gate) * up): dx [rows,C] from dy [rows,C]. inner [rows,2F] holds gate and up, act
 * [rows,F] their product; both become their gradients. */
void parl_swiglu_backward(parl_queue *queue, const parl_model *m, const parl_matrix *gate_up,
                          const parl_matrix *down, size_t rows, const parl_act *x, parl_act *inner,
                          parl_act *act, const parl_act *dy, parl_act *dx, float *grads);
/* y [rows,C] = norm(x) with the weight at `offset`; inv_rms [rows] may be NULL. */
void parl_norm_forward(parl_queue *queue, const parl_model *m, size_t offset, size_t rows,
                       const float *x, parl_act *y, float *inv_rms);
/* dx [rows,C] += d norm(x) . dy; grads += at `offset`. */
void parl_norm_backward(parl_queue *queue, const parl_model *m, size_t offset, size_t rows,
                        const float *x, const float *inv_rms, const parl_act *dy, float *dx,
                        float *grads);

/* What the attention part keeps of its input: h = norm(x), then rotated queries and keys. */
typedef struct parl_attention_state {
  parl_act *h;     /* [rows,C] */
  float *inv_rms;  /* [rows] */
  parl_act *qkv;   /* gqa: [rows,qkv], after the rotary embedding */
  parl_act *mixed; /* [rows,mixed] values mixed by the attention */
  float *lse;      /* [rows,H]; unused when decoding */
  /* mla */
  parl_act *latents;  /* [rows,latents]; its rope key rotated */
  parl_act *q_latent; /* [rows,Rq], normed */
  parl_act *q;        /* [rows,q] with ld_q, rotated; inside latents if there is no Rq */
  size_t ld_q;
  parl_act *latent;       /* [rows,R], normed */
  float *q_rms, *kv_rms;  /* [rows] */
  parl_act *kv;           /* [rows,H (Dn + Dv)] */
  parl_act *k;            /* [rows,q] */
  parl_act *v;            /* [rows,mixed] */
  parl_act *entries;      /* decoding: [rows, entry] for the cache */
  parl_act *absorbed;     /* decoding: [rows, H entry] queries against the cache */
  parl_act *mixed_latent; /* decoding: [rows, H R] mixed latents */
} parl_attention_state;

typedef struct parl_ffn_state {
  parl_act *h;       /* [rows,C] */
  float *inv_rms;    /* [rows] */
  parl_act *gate_up; /* [rows,2F], or of the shared experts */
  parl_act *act;     /* [rows,F] */
  /* Sparse; an assignment is a token at one of its experts, in order of experts, then tokens. */
  float *scores;            /* [rows,E] */
  int32_t *chosen;          /* [rows,K] experts, ascending */
  float *weights;           /* [rows,K] */
  int32_t *first;           /* [E + 1] first assignment of an expert */
  int32_t *row_of;          /* [rows K] token of an assignment */
  int32_t *place_of;        /* [rows,K] assignment of a choice */
  parl_act *input;          /* [rows K, C] */
  parl_act *expert_gate_up; /* [rows K, 2Fe] */
  parl_act *expert_act;     /* [rows K, Fe] */
  parl_act *output;         /* [rows K, C], not yet weighted */
} parl_ffn_state;

/* Room on the device for `rows` rows; decoding adds the absorbed form and leaves out what
 * backward needs. */
parl_status parl_attention_state_take(parl_arena *arena, const parl_model *m, size_t rows,
                                      bool decoding, parl_attention_state *s);
/* Room for a dense layer, a sparse one, or either in turn. */
parl_status parl_ffn_state_take(parl_arena *arena, const parl_model *m, size_t rows, bool dense,
                                bool sparse, parl_ffn_state *s);

/* Fills h, inv_rms and qkv (mla: up to latent) of `s` from x [rows,C]. */
void parl_attention_project(parl_queue *queue, const parl_model *m, const parl_layer *layer,
                            size_t rows, const float *x, const int32_t *positions,
                            parl_attention_state *s);
/* out [rows,C] = x + mixed Wo^T. */
void parl_attention_merge(parl_queue *queue, const parl_layer *layer, size_t rows,
                          const parl_attention_state *s, const float *x, float *out);
/* out [rows,C] = x + ffn(norm(x)), filling `s`; out may be x. */
void parl_ffn_forward(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const float *x, parl_ffn_state *s, float *out);
/* s->qkv of s->h [rows,C], queries and keys rotated. */
void parl_gqa_project(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const int32_t *positions, parl_attention_state *s);
/* Attention of projected rows to caches. Completes `args`, which says rows, context, caches and
 * scratch; fills s->mixed. */
void parl_gqa_decode(parl_queue *queue, const parl_model *m, parl_attention_decode_args *args,
                     parl_attention_state *s);
/* ws->dx [rows,C] as an operand, until another takes ws->room. */
const parl_act *parl_residual_gradient(parl_workspace *ws);
/* ws->dmixed in; ws->dh out, the gradient of s->h. */
void parl_gqa_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                       const parl_attention_state *s, float *grads);
/* Latents of s->h [rows,C]: normed, queries and the shared key rotated. */
void parl_mla_project(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const int32_t *positions, parl_attention_state *s);
/* Keys and values of every head from the latents. */
void parl_mla_expand(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                     parl_attention_state *s);
/* Attention of projected rows to caches of entries (normed latent | rotated rope key) without
 * expanding them: W_k moves over to the query, W_v behind the mixing. Completes `args`, which says
 * rows, context, caches and scratch; fills s->mixed. Source: DeepSeek-V2 2024, section 2.1.2. */
void parl_mla_decode(parl_queue *queue, const parl_model *m, const parl_layer *layer,
                     parl_attention_decode_args *args, parl_attention_state *s);
/* ws->dmixed in; ws->dh out, the gradient of s->h. */
void parl_mla_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                       const parl_attention_state *s, float *grads);
/* out [rows,C] = x + shared(h) + sum of weighted experts(h), h = s->h; out may be x. */
void parl_moe_forward(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const float *x, parl_ffn_state *s, float *out);
/* ws->dx, the gradient of out, in; ws->dh, that of s->h, out. */
void parl_moe_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                       const parl_ffn_state *s, float *grads);
/* The op's view of the attention of the slice in ws. */
parl_attention_fwd_args parl_attention_view(const parl_model *m, const parl_workspace *ws,
                                            const parl_attention_state *s);
/* to [rows,groups,width] = from, distances of rows and groups in elements; see copy2d. */
typedef struct parl_pieces {
  const parl_act *from;
  size_t from_row, from_group;
} parl_pieces;
void parl_copy_pieces(parl_queue *queue, size_t rows, size_t groups, size_t width, parl_pieces from,
                      parl_act *to, size_t to_row, size_t to_group);
/* to [n] = from, of the device both. */
void parl_copy_floats(parl_queue *queue, const float *from, float *to, size_t n);
/* Room for [rows,width] elements. Fails: ENOMEM. */
parl_status parl_act_take(parl_arena *arena, const parl_model *m, size_t rows, size_t width,
                          parl_act **out);

/* One layer's activations, kept from forward to backward; if they are computed again, all layers
 * share their room, but for x. */
typedef struct parl_layer_state {
  float *x;   /* [rows,C] input */
  float *mid; /* [rows,C] after attention */
  parl_attention_state attention;
  parl_ffn_state ffn;
} parl_layer_state;

/* What engine/policy.h keeps on the device, of each output. */
typedef struct parl_policy_room {
  uint64_t *mask;          /* [max_outputs, (V+63)/64] */
  int32_t *target;         /* [max_outputs] */
  float *logp, *entropy;   /* [max_outputs] */
  float *dlogp, *dentropy; /* [max_outputs] */
} parl_policy_room;

/* A slice's tables on the device. */
typedef struct parl_slice_tables {
  size_t n_seqs;
  int32_t *seq_start; /* [n_seqs + 1] */
  int32_t *tokens;    /* [rows] */
  int32_t *positions; /* [rows] */
  int32_t *outputs;   /* [n_outputs] */
} parl_slice_tables;

/* Numbers lie on the device but where it says host. */
struct parl_workspace {
  const parl_model *model; /* borrowed */
  parl_queue *queue;       /* owned */
  parl_arena arena;        /* on the host */
  parl_arena numbers;      /* on the device */
  size_t max_rows, max_outputs;
  size_t rows, n_outputs; /* of the last forward; rows == 0: none yet */
  parl_slice_tables slice;
  int32_t *host_positions; /* host: [rows] */
  parl_layer_state *layers;
  float *x;          /* [rows,C] output of the last layer */
  float *selected;   /* [n_outputs,C] its output rows */
  parl_act *final_h; /* [n_outputs,C] their norm */
  float *final_rms;  /* [n_outputs] */
  float *logits;     /* [n_outputs,V] */
  parl_policy_room policy;
  float *scratch;             /* attention's */
  float *dselected;           /* [n_outputs,C] */
  float *dx;                  /* [rows,C] gradient of the residual stream */
  parl_act *dh;               /* [rows,C] gradient of a norm's output */
  parl_act *dmixed;           /* [rows,mixed] */
  parl_act *dqkv;             /* gqa: [rows,qkv] */
  parl_act *dq, *dk, *dv;     /* mla: [rows,q], [rows,q], [rows,mixed] */
  parl_act *dkv, *dlatents;   /* [rows,H (Dn + Dv)], [rows,latents] */
  parl_act *dlatent;          /* [rows, R or Rq] */
  float *dscores;             /* sparse: [rows,E] */
  float *dweights;            /* [rows K] */
  parl_act *doutput, *dinput; /* [rows K, C] */
  parl_act *room;             /* of an f32 gradient as an operand; NULL if operands are f32 */
  size_t n_load;              /* sparse layers * E */
  int64_t *load;              /* [n_load] tokens of each expert, since it was last taken */
  int64_t *host_load;         /* host: [n_load] */
  size_t n_scores;            /* layers * heads; 0: not kept */
  float *max_scores;          /* [n_scores] largest scores since they were last taken */
  float *host_scores;         /* host: [2 n_scores], the second half minus infinity */
  double aux_weight;          /* of a sequence's balance loss */
  double *balance;            /* weighted balance losses of backwards since last taken */
};

/* out [rows,C] = layer i of ws->layers[i].x, filling the layer's state. */
void parl_layer_forward(const parl_model *m, parl_workspace *ws, size_t i, float *out);

/* Number of consecutive given rows from number i on; *row is the first of them. */
size_t parl_slice_find_run(const parl_slice *slice, size_t i, size_t *row);

/* Fails: EINVAL naming what is out of range. */
parl_status parl_workspace_check(const parl_model *m, const parl_workspace *ws,
                                 const parl_slice *slice);

#endif
