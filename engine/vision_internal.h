/* engine/vision_internal.h - what a pack of items looks up, and a tower's activations. */
#ifndef PARL_ENGINE_VISION_INTERNAL_H
#define PARL_ENGINE_VISION_INTERNAL_H
#include "engine/model_internal.h"
#include "engine/vision.h"

enum { PARL_VISION_TAPS = 16 /* of the bicubic grid */, PARL_VISION_MERGED = 4 };

/* Tables of a pack of N patches and 4 M merged ones, on the host or on the device. */
typedef struct parl_vision_tables {
  int32_t *item_start; /* [items + 1] rows */
  int32_t *rows;       /* [N] 0, 1, ...: a row's place in cos and sin */
  float *cos, *sin;    /* [N, d/2] */
  float *grid_weights; /* [N,16] of the position grid */
  int32_t *grid_index; /* [N,16] */
  float *time_weights; /* [N] 1, or 0 in an item of one frame */
  int32_t *time_index; /* [N] the frame */
  float *mean_weights; /* [4M, taps] of a merged patch's frames */
  int32_t *mean_index; /* [4M, taps] */
} parl_vision_tables;

/* Room for N patches, a quarter as many items. Fails: ENOMEM. */
parl_status parl_vision_tables_take(parl_arena *arena, const parl_vision_dims *v, size_t N,
                                    parl_vision_tables *out);
/* Fills tables on the host; returns the taps of the means: frames of the longest item. */
size_t parl_vision_tables_fill(const parl_model *m, const parl_vision_items *items,
                               parl_vision_tables *out);

/* What a block keeps from forward to backward; if blocks are computed again, all share it, but for
 * x. */
typedef struct parl_block_state {
  float *x, *mid;        /* [N,D] input; after the attention */
  float *mean0, *std0;   /* [N] of norm0, std0 inverse */
  float *mean1, *std1;   /* [N] */
  float *lse;            /* [N,H] */
  parl_act *h0, *h1;     /* [N,D] normed */
  parl_act *qkv, *mixed; /* [N,3D] queries and keys rotated; [N,D] */
  parl_act *u, *g;       /* [N,F] before and after GELU */
} parl_block_state;

/* Numbers lie on the device. */
struct parl_tower {
  const parl_model *model;   /* borrowed */
  parl_queue *queue;         /* owned */
  parl_arena arena, numbers; /* on the host, on the device */
  size_t max_patches;
  size_t N, M, n_items, taps; /* of the last forward; N == 0: none */
  parl_vision_tables host, tables;
  float *pixels;                     /* [N, 3 patch^2] */
  const parl_act *patches;           /* the same as an operand */
  float *positions, *times;          /* [N,D] */
  parl_block_state *blocks;          /* [L] */
  float *x;                          /* [N,D] output of the last block */
  float *final_mean, *final_std;     /* [N] */
  float *y;                          /* [N,D] normed */
  float *merged;                     /* [4M,D] */
  float *merged_mean, *merged_std;   /* [4M] */
  parl_act *z, *u, *g;               /* [M,4D] normed; of the projector, before and after GELU */
  float *features;                   /* [M,C] */
  float *scratch;                    /* attention's */
  float *dx, *dy;                    /* [N,D] */
  parl_act *dh, *dmixed, *dqkv, *du; /* [N,D], [N,D], [N,3D], [N,F] */
  parl_act *dz, *dg;                 /* [M,4D] */
  parl_act *room, *pixel_room;       /* of an f32 gradient, of pixels as operands; NULL if f32 */
};

#endif
