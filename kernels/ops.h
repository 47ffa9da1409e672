/* kernels/ops.h - the op table: what a backend must provide.
 *
 * Every op takes a queue of the backend's device and one struct of views and extents, never
 * allocates, and gives each output element the same bits whatever the other rows of the call are
 * (batch-invariant). Pointers lie on the device. A CPU's ops run on the calling thread, are done
 * when they return and want no queue: NULL will do. Tensors are dense, row-major, the last axis
 * contiguous; ld_x is the distance between rows in elements. They are f32 but for the operands of
 * products, a parl_act each, which a backend keeps as it likes (kernels/act.h). Where a tensor may
 * be either, the args have a union of both and a bool that says which. Whoever has f32 where an op
 * wants a parl_act asks parl_act_from. Gradients of weights and of inputs marked += accumulate.
 * Thread rule: reentrant. Reading order: PARL_OP_LIST, the args structs, parl_backend. */
#ifndef PARL_KERNELS_OPS_H
#define PARL_KERNELS_OPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/act.h"
#include "kernels/device.h"
#include "kernels/ops_more.h"

/* X(name, relative tolerance against ref in f32, source). A backend in bf16 rounds the operands of
 * the products (weights, x, dy) to it and is held to the same tolerance on rounded ones. */
#define PARL_PRODUCT_OP_LIST(X)                          \
  X(linear_pack, 0.0, "ours: layout only")               \
  X(linear_fwd, 1e-5, "y = x W^T (+ bias) (+ residual)") \
  X(linear_bwd_input, 1e-5, "dx = dy W")                 \
  X(linear_bwd_weight, 1e-5, "dW += dy^T x (, dbias += column sums of dy)")
#define PARL_VECTOR_OP_LIST(X)                                                     \
  X(rmsnorm_fwd, 1e-5, "Zhang & Sennrich 2019")                                    \
  X(rmsnorm_bwd, 1e-5, "Zhang & Sennrich 2019")                                    \
  X(rope, 1e-5, "Su et al. 2021, interleaved pairs (k25 5.1)")                     \
  X(attention_fwd, 1e-5, "Vaswani et al. 2017; grouped keys, Ainslie et al. 2023") \
  X(attention_bwd, 1e-5, "Dao et al. 2022, recomputation from the log-sum-exp")    \
  X(attention_decode, 1e-5, "append to a cache, one query row against it")         \
  X(swiglu_fwd, 1e-5, "Shazeer 2020")                                              \
  X(swiglu_bwd, 1e-5, "Shazeer 2020")                                              \
  X(embedding_fwd, 0.0, "row lookup")                                              \
  X(embedding_bwd, 1e-6, "row scatter-add, in row order")                          \
  X(policy_fwd, 1e-5, "log-softmax over the allowed tokens")                       \
  X(policy_bwd, 1e-5, "d logits = dlogp (onehot - p) - dH p (log p + H)")          \
  X(adamw, 1e-6, "Loshchilov & Hutter 2019")                                       \
  X(add, 1e-6, "y += a x")                                                         \
  X(sum_squares, 1e-6, "sum of squares in double, fixed order")
#define PARL_OP_LIST(X)   \
  PARL_PRODUCT_OP_LIST(X) \
  PARL_EXPERT_OP_LIST(X)  \
  PARL_VECTOR_OP_LIST(X)  \
  PARL_TOKEN_OP_LIST(X)   \
  PARL_VISION_OP_LIST(X)  \
  PARL_PLAIN_OP_LIST(X)

/* Packs W [N,K] (row-major) for linear_fwd and linear_bwd_input into packed
 * [linear_pack_elements(N,K)]. */
typedef struct parl_linear_pack_args {
  size_t N, K;
  const float *w; /* [N,K] */
  parl_act *packed;
} parl_linear_pack_args;

typedef struct parl_linear_fwd_args {
  size_t M, N, K;
  const parl_act *x; /* [M,K] */
  size_t ld_x;
  const parl_act *packed; /* from linear_pack of the same backend */
  const float *bias;      /* [N], or NULL */
  const float *residual;  /* [M,N] with ld_y, or NULL; may alias y */
  union {                 /* [M,N] = x W^T + bias + residual */
    float *y;
    parl_act *y_act;
  };
  bool y_is_act;
  size_t ld_y;
} parl_linear_fwd_args;

typedef struct parl_linear_bwd_input_args {
  size_t M, N, K;
  const parl_act *dy; /* [M,N] */
  size_t ld_dy;
  const float *w;         /* [N,K], not packed: what f32 backends read */
  const parl_act *packed; /* from linear_pack of the same backend: what bf16 backends read;
                          * NULL: they read w, and multiply in f32 */
  parl_act *dx;           /* [M,K] = or += */
  size_t ld_dx;
  bool accumulate;
} parl_linear_bwd_input_args;

typedef struct parl_linear_bwd_weight_args {
  size_t M, N, K;
  const parl_act *dy; /* [M,N] */
  size_t ld_dy;
  const parl_act *x; /* [M,K] */
  size_t ld_x;
  float *dw;    /* [N,K] += */
  float *dbias; /* [N] += the sums of dy over its rows, in their order; or NULL */
} parl_linear_bwd_weight_args;

/* y = x * inv_rms * weight, inv_rms = 1 / sqrt(mean(x^2) + eps) */
typedef struct parl_rmsnorm_fwd_args {
  size_t rows, C;
  union { /* [rows,C] */
    const float *x;
    const parl_act *x_act;
  };
  bool x_is_act;
  size_t ld_x;
  const float *weight; /* [C] */
  float eps;
  parl_act *y; /* [rows,C] */
  size_t ld_y;
  float *inv_rms; /* [rows], or NULL */
} parl_rmsnorm_fwd_args;

typedef struct parl_rmsnorm_bwd_args {
  size_t rows, C;
  union { /* [rows,C] */
    const float *x;
    const parl_act *x_act;
  };
  bool x_is_act; /* dx is as x is */
  size_t ld_x;
  const float *weight;  /* [C] */
  const float *inv_rms; /* [rows] */
  const parl_act *dy;   /* [rows,C] */
  size_t ld_dy;
  union { /* [rows,C] += */
    float *dx;
    parl_act *dx_act;
  };
  size_t ld_dx;
  float *dweight; /* [C] += */
} parl_rmsnorm_bwd_args;

/* Rotates pairs (2i, 2i+1) of each head in place by the angle of the row's position; inverse is the
 * gradient. */
typedef struct parl_rope_args {
  size_t rows, heads, D; /* D even: width of the rotated part */
  size_t ld_x;           /* floats between rows */
  size_t head_stride;    /* floats between heads, >= D */
  parl_act *x;
  const int32_t *positions; /* [rows] */
  const float *cos_table;   /* [max positions, D/2] */
  const float *sin_table;   /* [max positions, D/2] */
  bool inverse;
} parl_rope_args;

/* Attention over packed sequences: row t of sequence s sees rows seq_start[s]..t, or all rows of
 * its sequence. Head h reads group h / (H / H_kv). */
typedef struct parl_attention_fwd_args {
  size_t n_seqs;
  const int32_t *seq_start; /* [n_seqs + 1], rows */
  size_t H, H_kv, D, Dv;    /* D: width of q and k, Dv: of v and out */
  float scale;
  bool both_ways;    /* a row sees its whole sequence; else it is causal */
  const parl_act *q; /* [rows, H*D] */
  size_t ld_q;
  const parl_act *k; /* [rows, H_kv*D] */
  size_t ld_k;
  const parl_act *v; /* [rows, H_kv*Dv] */
  size_t ld_v;
  parl_act *out; /* [rows, H*Dv] */
  size_t ld_out;
  float *lse;        /* [rows, H] log-sum-exp of the scaled scores */
  float *scratch;    /* [attention_scratch_floats(longest sequence, D, Dv)] */
  float *max_scores; /* [H] raised to the largest scaled scores, or NULL; forward only */
} parl_attention_fwd_args;

typedef struct parl_attention_bwd_args {
  parl_attention_fwd_args fwd; /* the same views, out and lse filled */
  const parl_act *dout;        /* [rows, H*Dv] */
  size_t ld_dout;
  parl_act *dq; /* [rows, H*D] = */
  size_t ld_dq;
  parl_act *dk; /* [rows, H_kv*D] = */
  size_t ld_dk;
  parl_act *dv; /* [rows, H_kv*Dv] = */
  size_t ld_dv;
} parl_attention_bwd_args;

/* Row r appends its key and value to the cache of slots[r] at position lengths[r] - 1, then
 * attends to positions 0..lengths[r]-1; rows of one slot come in rising order. A cache holds
 * slot after slot, and of each head after head, [context, D], as f32 or rounded to the nearest
 * bf16. */
typedef struct parl_attention_decode_args {
  size_t rows, H, H_kv, D, Dv;
  size_t context; /* positions that a cache has room for */
  bool bf16;      /* what caches hold; else f32 */
  float scale;
  const parl_act *q; /* [rows, H*D] */
  size_t ld_q;
  const parl_act *k; /* [rows, H_kv*D] */
  size_t ld_k;
  const parl_act *v; /* [rows, H_kv*Dv]; NULL: a value is the first Dv components of its key */
  size_t ld_v;
  void *k_cache;          /* [n_slots, H_kv, context, D] */
  void *v_cache;          /* [n_slots, H_kv, context, Dv]; NULL if v is */
  const int32_t *slots;   /* [rows] */
  const int32_t *lengths; /* [rows], 1..context; 0: appends nothing, and its out is 0 */
  parl_act *out;          /* [rows, H*Dv] */
  size_t ld_out;
  float *scratch; /* [attention_scratch_floats(context, D, Dv)] */
} parl_attention_decode_args;

/* out = silu(gate) * up; gate_up [rows, 2F] holds gate then up. */
typedef struct parl_swiglu_fwd_args {
  size_t rows, F;
  const parl_act *gate_up; /* [rows, 2F] */
  parl_act *out;           /* [rows, F] */
} parl_swiglu_fwd_args;

typedef struct parl_swiglu_bwd_args {
  size_t rows, F;
  const parl_act *gate_up; /* [rows, 2F] */
  const parl_act *dout;    /* [rows, F] */
  parl_act *dgate_up;      /* [rows, 2F] = ; may alias gate_up */
} parl_swiglu_bwd_args;

typedef struct parl_embedding_fwd_args {
  size_t rows, C;
  const int32_t *tokens; /* [rows] */
  union {                /* [V,C] */
    const float *table;
    const parl_act *table_act;
  };
  union { /* [rows,C] */
    float *out;
    parl_act *out_act;
  };
  bool is_act; /* table and out */
} parl_embedding_fwd_args;

typedef struct parl_embedding_bwd_args {
  size_t rows, C;
  const int32_t *tokens; /* [rows] */
  const float *dout;     /* [rows,C] */
  float *dtable;         /* [V,C] += */
} parl_embedding_bwd_args;

/* Log-probability of target under softmax(logits * inv_temperature) restricted to the mask; entropy
 * in nats. */
typedef struct parl_policy_fwd_args {
  size_t rows, V;
  const float *logits; /* [rows,V] */
  const uint64_t
      *mask; /* [rows, (V+63)/64] bits, bit set = allowed; NULL = all. At least one bit is set. */
  const int32_t *target; /* [rows], allowed; NULL: logp is not written */
  float inv_temperature;
  float *probs;   /* [rows,V], 0 where not allowed; may alias logits */
  float *logp;    /* [rows] */
  float *entropy; /* [rows] */
} parl_policy_fwd_args;

typedef struct parl_policy_bwd_args {
  size_t rows, V;
  const float *probs;    /* [rows,V] from policy_fwd */
  const int32_t *target; /* [rows] */
  const float *entropy;  /* [rows] */
  float inv_temperature;
  const float *dlogp;    /* [rows] d loss / d logp */
  const float *dentropy; /* [rows] d loss / d entropy, or NULL */
  float *dlogits;        /* [rows,V] = ; may alias probs */
} parl_policy_bwd_args;

/* g = grad * grad_scale; m,v moments; p -= lr * (m_hat / (sqrt(v_hat) + eps) + decay * p).
 * Segment s is elements starts[s] .. starts[s + 1] - 1. */
typedef struct parl_adamw_args {
  size_t n_segments;
  const int64_t *starts; /* [n_segments + 1] */
  const float *decay;    /* [n_segments] times weight_decay; negative: the segment stays as it is */
  float *params;         /* [starts[n_segments]], as all below */
  const float *grads;
  float *m, *v;
  float grad_scale, lr, beta1, beta2, eps, weight_decay;
  float correction1, correction2; /* 1 - beta^t */
} parl_adamw_args;

typedef struct parl_add_args {
  size_t n;
  float a;
  const float *x; /* [n] */
  float *y;       /* [n] += a x */
} parl_add_args;

typedef struct parl_sum_squares_args {
  size_t n_segments;
  const int64_t *starts; /* [n_segments + 1] elements */
  const float *x;        /* [starts[n_segments]] */
  double *out;           /* [n_segments] = sum x^2 of each */
} parl_sum_squares_args;

/* Newton-Schulz: `steps` times x = a x + x (b S + c S S), S = x^T x, of each of n matrices. */
typedef struct parl_orthogonalise_args {
  size_t n, rows, columns; /* columns <= rows */
  int steps;
  float a, b, c;
  float *x;    /* [n,rows,columns] */
  float *room; /* [n, 2 rows columns + 2 columns columns], contents unspecified */
} parl_orthogonalise_args;

/* The queue of an op that runs as it is called. */
#define PARL_NO_QUEUE parl_queue *queue __attribute__((unused))

typedef struct parl_backend {
  const char *name;         /* "ref", "cpu" */
  const char *instructions; /* "double accumulation", "avx512", "avx512-bf16", ... */
  const char *dtype;        /* of the operands of products: "f32", "bf16"; all else is f32 */
#define X(op, tolerance, source) void (*op)(parl_queue * queue, const parl_##op##_args *args);
  PARL_OP_LIST(X)
#undef X
  size_t act_bytes; /* of an element of a parl_act: 4 if they are f32 */
  size_t (*linear_pack_elements)(size_t N, size_t K);
  size_t (*attention_scratch_floats)(size_t longest, size_t D, size_t Dv);
  /* 1e9 operations per second of one thread, or a card, that does nothing but multiply-adds of the
   * products on registers for about `ms` milliseconds; NULL for ref. */
  double (*peak_gflops)(double ms);
  const struct parl_backend *(*f32)(void); /* its twin, or itself, with operands in f32 */
  const parl_device *(*device)(void);      /* where its numbers lie */
  /* In the backend's dtype, of many matrices at once; NULL: engine/muon.c does it by other ops, of
   * one at a time. */
  void (*orthogonalise)(parl_queue *queue, const parl_orthogonalise_args *args);
  bool has_one_bucket; /* a step of decoding is always of the same size: kernels/cuda's own */
} parl_backend;

/* Element n of p. */
static inline parl_act *parl_act_at(const parl_backend *backend, parl_act *p, size_t n) {
  return (parl_act *)(void *)((char *)p + n * backend->act_bytes);
}
/* x [n] as operands: x itself where those are f32, else its copy in `room` [n]. */
const parl_act *parl_act_from(parl_queue *queue, const float *x, size_t n, parl_act *room);

/* The oracle. */
const parl_backend *parl_backend_ref(void);
/* The oracle with operands rounded to bf16 and kept so: kernels/ref/acts.c; slow, for tests. */
const parl_backend *parl_backend_ref_bf16_acts(void);
/* The fast CPU backend. level: NULL or "auto" for the best in f32 this CPU has; "avx512" | "avx2" |
 * "portable"; in bf16 "amx" | "avx512-bf16", their emulation by f32 arithmetic "avx512-bf16-soft" |
 * "avx2-bf16-soft" | "portable-bf16-soft", the best of all these "bf16", of the emulated ones
 * "bf16-soft"; "amx-emulated" for tests.
 * Fails: EINVAL for an unknown level or one this CPU or this build has not. */
parl_status parl_backend_cpu(const char *level, const parl_backend **out);
/* By name: "ref", "ref:bf16-acts", "cpu", "cpu:LEVEL", "far" of kernels/far/far.h; "cuda" and
 * "cuda:own" of kernels/cuda/cuda.h, failing as that says; "auto". Fails: EINVAL, what exists. */
parl_status parl_backend_find(const char *name, const parl_backend **out);
/* By name and dtype: NULL, whatever the name says; "f32"; "bf16", by units where the CPU and the
 * named level have them, emulated elsewhere; "auto", bf16 where there are units for it. "cpu:avx2"
 * leaves the dtype open as "cpu" does, with the vectors of AVX2.
 * Fails: EINVAL as above, and for a name that cannot have the dtype. */
parl_status parl_backend_select(const char *name, const char *dtype, const parl_backend **out);

#endif
