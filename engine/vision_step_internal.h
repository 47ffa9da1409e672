/* engine/vision_step_internal.h - a batch's packs and their accumulators, for who runs them in
 * another order than engine/vision_step.c does. */
#ifndef PARL_ENGINE_VISION_STEP_INTERNAL_H
#define PARL_ENGINE_VISION_STEP_INTERNAL_H
#include "engine/leaves.h"
#include "engine/vision_internal.h"

/* Items [first, first + n) of the batch; where their features and their patches begin. */
typedef struct parl_vision_pack {
  size_t first, n, row, patch;
} parl_vision_pack;

struct parl_vision_step {
  const parl_model *model;   /* borrowed */
  parl_workers *workers;     /* borrowed */
  parl_arena arena, numbers; /* on the host, on the device */
  parl_vision_range range;
  size_t n_leaves, pack_patches, max_patches, max_items, max_rows;
  /* of the last plan */
  size_t n_packs, n_used;  /* packs, and accumulators that have some */
  parl_vision_pack *packs; /* [max_items] */
  double *costs;           /* [max_items] FLOPs of a pack's forward */
  double *seconds[2];      /* [max_items] processor time of a pack in stages 1 and 3, last run */
  size_t *order;           /* [max_items] packs, the dearest first */
  size_t *leaf;            /* [max_items] accumulator of a pack */
  double *loads;           /* [n_leaves] FLOPs of an accumulator's packs */
  size_t *leaf_order;      /* [n_leaves] accumulators that have packs, the fullest first */
  parl_leaf_add *adds;     /* [n_adds] */
  size_t n_adds;
  float **leaves;      /* [n_leaves] of [range.n] */
  float *features;     /* [max_rows,C] */
  parl_tower **towers; /* [n_towers] of the workers */
  size_t n_towers;
};

/* Cuts a batch into packs and gives each its accumulator, by the batch alone. Fails: EINVAL naming
 * the item, or what there is no room for. */
parl_status parl_vision_step_plan(parl_vision_step *step, const parl_vision_items *items);
/* A pack's items. */
parl_vision_items parl_vision_step_get_pack(const parl_vision_step *step,
                                            const parl_vision_items *items, size_t pack);
/* A pack's part of stage 1, on a worker: writes its features. */
parl_status parl_vision_step_look(const parl_vision_step *step, const parl_vision_items *items,
                                  size_t pack, size_t worker);
/* Its part of stage 3, given dfeatures [rows,C] of all items: adds to its accumulator. */
parl_status parl_vision_step_learn(const parl_vision_step *step, const parl_vision_items *items,
                                   const float *dfeatures, size_t pack, size_t worker);
/* Adds the accumulators of the last plan to grads [n_params of the model]. */
parl_status parl_vision_step_sum(parl_vision_step *step, float *grads);

#endif
