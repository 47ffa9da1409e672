/* engine/model_internal.h - what a model is made of, shared by the files of this folder.
 *
 * A layer is two parts, attention and feed-forward, each a few functions over rows. The forward
 * over slices and the decoder are made of the same parts; another architecture replaces parts and
 * the tensor table, and leaves slices, workspaces, optimizer and checkpoint alone. Reading order:
 * parl_model_dims, parl_matrix, parl_layer, parl_model, the parts, the workspace. */
#ifndef PARL_ENGINE_MODEL_INTERNAL_H
#define PARL_ENGINE_MODEL_INTERNAL_H
#include "core/arena.h"
#include "engine/model.h"

/* The config as extents. */
typedef struct parl_model_dims {
  size_t L, C, F, V, T; /* layers, width, inner width, vocabulary, longest context */
  size_t H, H_kv, D;    /* query heads, key heads, head width */
  size_t q, kv, qkv;    /* H*D, H_kv*D, q + 2 kv: a row of queries, keys and values */
} parl_model_dims;

/* A weight matrix W [N,K] (one tensor, or several adjacent ones): y = x W^T. */
typedef struct parl_matrix {
  size_t N, K;
  size_t offset; /* floats from the start of the parameters */
  float *packed; /* owned by the model's arena, written by refresh */
} parl_matrix;

typedef struct parl_layer {
  size_t input_norm, post_norm; /* offsets of weights [C] */
  parl_matrix qkv;              /* [q + 2 kv, C]: q_proj, k_proj, v_proj */
  parl_matrix o;                /* [C, q] */
  parl_matrix gate_up;          /* [2F, C]: gate_proj, up_proj */
  parl_matrix down;             /* [C, F] */
} parl_layer;

struct parl_model {
  parl_model_config config;
  parl_model_dims dims;
  const parl_backend *backend;
  parl_arena arena; /* owns everything below */
  parl_model_tensor *tensors;
  size_t n_tensors;
  parl_layer *layers; /* [L] */
  size_t embedding;   /* offset of [V,C] */
  size_t final_norm;  /* offset of [C] */
  parl_matrix head;   /* [V,C] */
  float *params;      /* [n_params] */
  size_t n_params;
  float *cos_table, *sin_table; /* [T, D/2] */
  float attention_scale;        /* 1 / sqrt(D) */
};

/* Refuses a config that is out of its table's ranges. Fails: EINVAL naming section, field, value,
 * range. */
parl_status parl_engine_check_ranges(const parl_section *section, const void *config);
/* Name of the first field in which two configs differ, or NULL; `ignored` (NULL-ended) are skipped.
 */
const char *parl_engine_find_difference(const parl_section *section, const void *a, const void *b,
                                        const char *const *ignored);

/* y [rows,N] = x [rows,K] W^T + residual (NULL: none; may be y). */
void parl_matrix_forward(const parl_model *m, const parl_matrix *w, size_t rows, const float *x,
                         const float *residual, float *y);
/* dx [rows,K] = dy W; grads += dy^T x at the matrix' place. */
void parl_matrix_backward(const parl_model *m, const parl_matrix *w, size_t rows, const float *dy,
                          const float *x, float *dx, float *grads);
/* y [rows,C] = norm(x) with the weight at `offset`; inv_rms [rows] may be NULL. */
void parl_norm_forward(const parl_model *m, size_t offset, size_t rows, const float *x, float *y,
                       float *inv_rms);
/* dx [rows,C] += d norm(x) . dy; grads += at `offset`. */
void parl_norm_backward(const parl_model *m, size_t offset, size_t rows, const float *x,
                        const float *inv_rms, const float *dy, float *dx, float *grads);

/* What the attention part keeps of its input: h = norm(x), then rotated queries and keys. */
typedef struct parl_attention_state {
  float *h;       /* [rows,C] */
  float *inv_rms; /* [rows] */
  float *qkv;     /* [rows,qkv], after the rotary embedding */
  float *mixed;   /* [rows,q] values mixed by the attention */
  float *lse;     /* [rows,H]; unused when decoding */
} parl_attention_state;

typedef struct parl_ffn_state {
  float *h;       /* [rows,C] */
  float *inv_rms; /* [rows] */
  float *gate_up; /* [rows,2F] */
  float *act;     /* [rows,F] */
} parl_ffn_state;

/* Fills h, inv_rms and qkv of `s` from x [rows,C]. */
void parl_attention_project(const parl_model *m, const parl_layer *layer, size_t rows,
                            const float *x, const int32_t *positions, parl_attention_state *s);
/* out [rows,C] = x + mixed Wo^T. */
void parl_attention_merge(const parl_model *m, const parl_layer *layer, size_t rows,
                          const parl_attention_state *s, const float *x, float *out);
/* out [rows,C] = x + ffn(norm(x)), filling `s`; out may be x. */
void parl_ffn_forward(const parl_model *m, const parl_layer *layer, size_t rows, const float *x,
                      parl_ffn_state *s, float *out);
/* The op's view of the attention of one slice. */
parl_attention_fwd_args parl_attention_view(const parl_model *m, const parl_workspace *ws,
                                            const parl_slice *slice, const parl_attention_state *s);

/* One layer's activations, kept from forward to backward. */
typedef struct parl_layer_state {
  float *x;   /* [rows,C] input */
  float *mid; /* [rows,C] after attention */
  parl_attention_state attention;
  parl_ffn_state ffn;
} parl_layer_state;

struct parl_workspace {
  parl_arena arena;
  size_t max_rows, max_outputs;
  size_t rows, n_outputs; /* of the last forward; rows == 0: none yet */
  int32_t *positions;     /* [rows] */
  parl_layer_state *layers;
  float *x;         /* [rows,C] output of the last layer */
  float *selected;  /* [n_outputs,C] its output rows */
  float *final_h;   /* [n_outputs,C] their norm */
  float *final_rms; /* [n_outputs] */
  float *logits;    /* [n_outputs,V] */
  float *scratch;   /* attention's */
  float *dselected; /* [n_outputs,C] */
  float *dx;        /* [rows,C] gradient of the residual stream */
  float *dh;        /* [rows,C] gradient of a norm's output */
  float *dmixed;    /* [rows,q] */
  float *dqkv;      /* [rows,qkv] */
  float *dact;      /* [rows,F] */
  float *dgate_up;  /* [rows,2F] */
};

/* Fails: EINVAL naming what is out of range. */
parl_status parl_workspace_check(const parl_model *m, const parl_workspace *ws,
                                 const parl_slice *slice);

#endif
