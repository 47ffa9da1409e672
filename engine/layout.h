/* engine/layout.h - what one device holds of a model that is spread over many, counted.
 *
 * tp cuts heads, inner widths and the vocabulary; ep gives whole experts to devices and divides
 * tp * dp; pp cuts the layers into stages of L / pp, one more for stages 1 .. L mod pp, since the
 * first has the embedding besides and the last the head; dp repeats all that. Projections down to
 * latents, norms and routers stand on every device of a tensor group; a vision tower and its
 * projector on every device.
 * Thread rule: pure functions. Reading order: parl_layout, check, count.
 * Source: Shoeybi et al. 2019, section 3; Rajbhandari et al. 2020, section 5.1; k25 7. */
#ifndef PARL_ENGINE_LAYOUT_H
#define PARL_ENGINE_LAYOUT_H
#include "engine/model.h"

#define PARL_LAYOUT_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                     \
  INT(tp, 1, 1, 4096, "devices", "tensor parallel: heads, inner widths, vocabulary are cut")  \
  INT(ep, 1, 1, 4096, "devices", "expert parallel: whole experts each; divides tp * dp")      \
  INT(pp, 1, 1, 128, "stages", "pipeline of whole layers, one forward, one backward in turn") \
  INT(dp, 1, 1, 1048576, "replicas", "data parallel")                                         \
  INT(tokens, 4096, 1, 1000000000, "tokens", "micro-batch of a replica, for activations")     \
  FLAG(zero, 1, "replicas share the optimizer's state (ZeRO-1)")                              \
  CHOICE(recompute, none, "none|layer", "as model.recompute, which it may turn on")           \
  CHOICE(dtype, bf16, "bf16|f32", "weights, activations and cache; gradients and state are f32")
PARL_CONFIG_STRUCT(parl_layout, PARL_LAYOUT_FIELDS);
extern const parl_section parl_layout_section;

/* Places of `dtype` in its list. */
typedef enum parl_layout_dtype { PARL_LAYOUT_BF16, PARL_LAYOUT_F32 } parl_layout_dtype;

/* Of one device of one stage. */
typedef struct parl_layout_stage {
  size_t first_layer, n_layers;
  double n_params;         /* selection biases included */
  double weight_bytes;     /* in dtype */
  double gradient_bytes;   /* f32 */
  double optimizer_bytes;  /* AdamW's moments and, beside bf16 weights, the f32 weights */
  double activation_bytes; /* of all micro-batches between their forward and backward, and logits;
                              experts take equal loads */
  double cache_bytes;      /* of one token */
} parl_layout_stage;

/* Whether the config can be laid out so. Fails: EINVAL naming both numbers that do not fit. */
parl_status parl_layout_check(const parl_layout *layout, const parl_model_config *config,
                              size_t vocab_size);
/* Devices in all. */
double parl_layout_count_devices(const parl_layout *layout);
/* Counts stage < pp of a layout that was checked. */
parl_layout_stage parl_layout_count(const parl_layout *layout, const parl_model_config *config,
                                    size_t vocab_size, size_t stage);

#endif
