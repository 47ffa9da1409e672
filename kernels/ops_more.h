/* kernels/ops_more.h - the arguments of the ops beside the layers' own: copies and sums, experts,
 * sampling, the vision tower's, pieces of an optimizer.
 *
 * Included by kernels/ops.h, where the rules are. Reading order: copies, routing, experts,
 * sampling, vision, optimizer. */
#ifndef PARL_KERNELS_OPS_MORE_H
#define PARL_KERNELS_OPS_MORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/act.h"
#include "kernels/device.h"

/* Products of a few rows at each of several experts; by dtype, as the other products. */
#define PARL_EXPERT_OP_LIST(X)                                                    \
  X(experts_fwd, 1e-5, "down(silu(gate) up) of each expert's rows, Shazeer 2017") \
  X(experts_bwd, 1e-5, "its gradients; an expert without rows is left alone")
/* Vectors, by instruction set. */
#define PARL_TOKEN_OP_LIST(X)                                                  \
  X(combine_fwd, 1e-6, "a token's weighted experts, added in ascending order") \
  X(sample, 1e-5, "inverse-CDF draw or argmax over the allowed tokens")
/* Vectors too: what the vision tower has and the decoder has not. */
#define PARL_VISION_OP_LIST(X)                                                   \
  X(layernorm_fwd, 1e-5, "Ba et al. 2016")                                       \
  X(layernorm_bwd, 1e-5, "Ba et al. 2016")                                       \
  X(gelu_fwd, 1e-6, "Hendrycks & Gimpel 2016, exact or by tanh")                 \
  X(gelu_bwd, 1e-6, "Hendrycks & Gimpel 2016, exact or by tanh")                 \
  X(mix_rows_fwd, 1e-6, "weighted sums of rows: interpolation, means, an order") \
  X(mix_rows_bwd, 1e-6, "row scatter-add, in the order of rows and of their taps")
/* Written in plain C once for all instruction sets: never what takes the time. */
#define PARL_PLAIN_OP_LIST(X)                                                         \
  X(copy2d, 0.0, "strided pieces; width 1 transposes")                                \
  X(to_act, 0.0, "y = x as operands of products are kept")                            \
  X(axpby, 1e-6, "y = a x + b y")                                                     \
  X(sum_heads, 1e-6, "sum over heads in double")                                      \
  X(sigmoid_fwd, 1e-6, "1 / (1 + exp(-x))")                                           \
  X(sigmoid_bwd, 1e-6, "dx = dy y (1 - y)")                                           \
  X(route_fwd, 1e-6, "DeepSeek-V3 2024, section 2.1.2: bias-corrected choice")        \
  X(route_bwd, 1e-5, "gradient of the chosen weights")                                \
  X(balance, 1e-5, "DeepSeek-V3 2024, equations 17 to 20: a sequence's balance loss") \
  X(dispatch, 0.0, "counting sort of the choices by expert")                          \
  X(count_load, 0.0, "tokens of each expert")                                         \
  X(combine_bwd, 1e-5, "gradients of experts' outputs and of their weights")          \
  X(normalise, 1e-6, "x / (|x| + 1e-7)")                                              \
  X(round_int4, 0.0, "k25 5.4; the rule of the scale is ours")

/* to[r,g,:] = from[r,g,:], rows x groups pieces of `width` elements; distances in elements. A
 * distance of 0 in `from` repeats a piece. */
typedef struct parl_copy2d_args {
  size_t rows, groups, width;
  size_t unit; /* bytes of an element, 2 or 4 */
  const void *from;
  size_t from_row, from_group;
  void *to; /* apart from `from` */
  size_t to_row, to_group;
} parl_copy2d_args;

typedef struct parl_to_act_args {
  size_t n;
  const float *x; /* [n] */
  parl_act *y;    /* [n], apart from x */
} parl_to_act_args;

typedef struct parl_axpby_args {
  size_t n;
  float a;
  const float *x; /* [n], or NULL: zeros */
  float b;
  float *y; /* [n] = a x + b y, both products rounded */
} parl_axpby_args;

typedef struct parl_sum_heads_args {
  size_t rows, heads, D;
  const parl_act *x;
  size_t ld_x, head_stride; /* floats between rows, and between the heads of one */
  parl_act *y;              /* [rows,D] = sum over heads */
  size_t ld_y;
} parl_sum_heads_args;

typedef struct parl_sigmoid_fwd_args {
  size_t n;
  float *x; /* [n], in place */
} parl_sigmoid_fwd_args;

typedef struct parl_sigmoid_bwd_args {
  size_t n;
  const float *y; /* [n] from sigmoid_fwd */
  float *dy;      /* [n] becomes the gradient of x */
} parl_sigmoid_bwd_args;

enum { PARL_ROUTER_MAX_EXPERTS = 4096, PARL_ROUTER_MAX_CHOSEN = 64, PARL_INT4_GROUP = 32 };

/* A token chooses the n_chosen experts of highest score + bias, from the topk_group groups whose
 * two best sum highest; ties go to the lower index. The bias takes part in the choice only.
 * weight = scale * score, divided by the chosen scores' sum if normalised. */
typedef struct parl_router {
  size_t n_experts, n_chosen; /* n_chosen <= experts of topk_group groups */
  size_t n_group, topk_group; /* groups of equal size, of two experts at least if several */
  bool normalise;
  double scale;
} parl_router;

typedef struct parl_route_fwd_args {
  parl_router router;
  size_t rows;
  const float *scores; /* [rows,E] in (0, 1) */
  const float *bias;   /* [E] */
  int32_t *chosen;     /* [rows,K] ascending */
  float *weights;      /* [rows,K] */
} parl_route_fwd_args;

typedef struct parl_route_bwd_args {
  parl_router router;
  size_t rows;
  const float *scores;   /* [rows,E] */
  const int32_t *chosen; /* [rows,K] */
  const float *dweights; /* [rows,K] */
  float *dscores;        /* [rows,E] =, zero where not chosen */
} parl_route_bwd_args;

/* Of each sequence of T tokens weight * sum_i f_i P_i: f_i = E / (K T) * tokens that chose i, P_i =
 * mean of score_i / sum of a token's scores; f is constant in the gradient. */
typedef struct parl_balance_args {
  parl_router router;
  size_t n_seqs;
  const int32_t *seq_start; /* [n_seqs + 1] */
  const float *scores;      /* [rows,E] */
  const int32_t *chosen;    /* [rows,K] */
  double weight;
  float *dscores; /* [rows,E] +=, or NULL */
  double *loss;   /* += , sequence after sequence */
} parl_balance_args;

/* An assignment is a token at one of its experts; they lie sorted by expert, then by token. */
typedef struct parl_dispatch_args {
  size_t rows, n_experts, n_chosen;
  const int32_t *chosen; /* [rows,K] */
  int32_t *first;        /* [E + 1] first assignment of an expert */
  int32_t *row_of;       /* [rows K] token of an assignment */
  int32_t *place_of;     /* [rows,K] assignment of a choice */
} parl_dispatch_args;

typedef struct parl_count_load_args {
  size_t n_experts;
  const int32_t *first; /* [E + 1] */
  int64_t *load;        /* [E] += assignments */
} parl_count_load_args;

typedef struct parl_combine_fwd_args {
  size_t rows, C, n_chosen;
  const int32_t *place_of; /* [rows,K] */
  const float *weights;    /* [rows,K], or NULL: ones */
  const parl_act *output;  /* [rows K, C] of assignments */
  union {                  /* [rows,C] += weighted outputs, in the order of the choices */
    float *out;
    parl_act *out_act;
  };
  bool out_is_act;
} parl_combine_fwd_args;

typedef struct parl_combine_bwd_args {
  size_t rows, C, n_chosen;
  const int32_t *place_of; /* [rows,K] */
  const float *weights;    /* [rows,K] */
  const parl_act *output;  /* [rows K, C] */
  const float *dout;       /* [rows,C] */
  parl_act *doutput;       /* [rows K, C] = weight dout */
  float *dweights;         /* [rows,K] = dout . output */
} parl_combine_bwd_args;

/* The weights of expert 0, and how many floats (packed: elements) further those of the next lie. */
typedef struct parl_expert_weights {
  const parl_act *packed;
  size_t packed_stride;
  const float *w; /* not packed; backward only */
  size_t w_stride;
  size_t dw_stride; /* of gradients; backward only */
} parl_expert_weights;

typedef struct parl_experts_fwd_args {
  size_t E, C, F;
  const int32_t *first;        /* [E + 1] */
  parl_expert_weights gate_up; /* of [2F,C] */
  parl_expert_weights down;    /* of [C,F] */
  const parl_act *input;       /* [n,C], n = first[E] */
  parl_act *inner;             /* [n,2F] gate, then up */
  parl_act *act;               /* [n,F] silu(gate) up */
  parl_act *output;            /* [n,C] */
} parl_experts_fwd_args;

typedef struct parl_experts_bwd_args {
  parl_experts_fwd_args
      fwd;                 /* the same; inner and act become their gradients, output is not read */
  const parl_act *doutput; /* [n,C] */
  parl_act *dinput;        /* [n,C] = */
  float *dgate_up, *ddown; /* of expert 0, += */
} parl_experts_bwd_args;

/* Log-probability and entropy at the row's temperature, of argmax at 1. The draw: a token weighs
 * floor(p 2^32); the first whose cumulated weight exceeds floor(uniform * total) is taken: the
 * same everywhere for equal p. With top_p below 1 only the nucleus is drawn from: the heaviest
 * tokens, the lower first among equals, until they weigh top_p of the total; logp and entropy stay
 * those of all allowed tokens. Never a masked one, not even if logits are not finite; nor is
 * logp then. */
typedef struct parl_sample_args {
  size_t rows, V;
  float *logits;                /* [rows,V] become probabilities */
  const uint64_t *mask;         /* [rows,(V+63)/64] bits, one at least set; NULL = all */
  const float *inv_temperature; /* [rows]; 0: argmax, the lowest token on ties */
  const double *uniform;        /* [rows] in [0, 1) */
  const double *top_p;          /* [rows] in (0, 1]; 1: all */
  int32_t *token;               /* [rows] */
  float *logp;                  /* [rows] */
  float *entropy;               /* [rows] */
  float *kept;                  /* [rows] probability of the nucleus; 1 where it is not cut */
} parl_sample_args;

/* y = (x - mean) inv_std weight + bias, inv_std = 1 / sqrt(variance + eps); the variance is the
 * biased one, mean((x - mean)^2). */
typedef struct parl_layernorm_fwd_args {
  size_t rows, C;
  const float *x; /* [rows,C] */
  size_t ld_x;
  const float *weight, *bias; /* [C] */
  float eps;
  union { /* [rows,C] */
    float *y;
    parl_act *y_act;
  };
  bool y_is_act;
  size_t ld_y;
  float *mean, *inv_std; /* [rows], or both NULL */
} parl_layernorm_fwd_args;

typedef struct parl_layernorm_bwd_args {
  size_t rows, C;
  const float *x; /* [rows,C] */
  size_t ld_x;
  const float *weight;         /* [C] */
  const float *mean, *inv_std; /* [rows] */
  union {                      /* [rows,C] */
    const float *dy;
    const parl_act *dy_act;
  };
  bool dy_is_act;
  size_t ld_dy;
  float *dx; /* [rows,C] += */
  size_t ld_dx;
  float *dweight, *dbias; /* [C] +=, in the order of the rows */
} parl_layernorm_bwd_args;

/* y = x P(x), P the normal distribution function, (1 + erf(x / sqrt 2)) / 2; or, by tanh, its
 * approximation (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2. */
typedef struct parl_gelu_fwd_args {
  size_t n;
  bool exact; /* by erf; else by tanh */
  const parl_act *x;
  parl_act *y; /* [n] = ; may alias x */
} parl_gelu_fwd_args;

typedef struct parl_gelu_bwd_args {
  size_t n;
  bool exact;
  const parl_act *x, *dy; /* [n] */
  parl_act *dx;           /* [n] = ; may alias x or dy */
} parl_gelu_bwd_args;

/* out[r] = sum over a row's taps k of weights[r,k] table[index[r,k]]. A tap of weight 0 is read
 * like any other. */
typedef struct parl_mix_rows_fwd_args {
  size_t rows, taps, C;
  const float *weights; /* [rows,taps] */
  const int32_t *index; /* [rows,taps] rows of the table */
  const float *table;   /* [n,C] */
  float *out;           /* [rows,C] = ; apart from the table */
} parl_mix_rows_fwd_args;

typedef struct parl_mix_rows_bwd_args {
  size_t rows, taps, C;
  const float *weights; /* [rows,taps] */
  const int32_t *index; /* [rows,taps] */
  const float *dout;    /* [rows,C] */
  float *dtable;        /* [n,C] += */
} parl_mix_rows_bwd_args;

typedef struct parl_normalise_args {
  size_t n;
  const double *squares; /* the sum of squares of x */
  float *x;              /* [n], in place; zeros stay zeros */
} parl_normalise_args;

/* out = s round(w / s), whole multiples -7..7 of s, by groups of PARL_INT4_GROUP neighbours in a
 * row; a row's last group may be shorter. s is the largest |w| of the group divided by 7,
 * rounded to bf16, as scales are stored; K2.5's own rule is not published. So an error is at
 * most s / 2, what is rounded stays as it is when rounded again, and 0 stays 0. Halves go to
 * even. */
typedef struct parl_round_int4_args {
  size_t rows, columns;
  const float *w; /* [rows,columns] */
  float *out;     /* [rows,columns] */
} parl_round_int4_args;

#endif
