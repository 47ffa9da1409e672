/* kernels/act.h - operands of products: what a backend keeps them as is its own.
 *
 * h, queries, keys, values, latents, what the attention mixed, the gated unit's values, their
 * gradients, packed weights. f32 on CPUs; a device may hold them in bf16, so nobody else computes
 * with one, reads one or steps through one: the struct has no body. A backend says how large an
 * element is (act_bytes); parl_act_at of kernels/ops.h finds one; whole arrays move by copy2d.
 * A backend whose operands are f32 defines PARL_ACT_IS_FLOAT before it includes this, and works
 * with plain floats: pointers to both are kept alike. */
#ifndef PARL_KERNELS_ACT_H
#define PARL_KERNELS_ACT_H

#ifdef PARL_ACT_IS_FLOAT
typedef float parl_act;
#else
typedef struct parl_act parl_act;
#endif

/* Floats as operands of a backend whose operands are f32: parl_backend's f32(). */
static inline parl_act *parl_act_of_f32(float *x) {
  return (parl_act *)(void *)x;
}
static inline const parl_act *parl_act_of_const_f32(const float *x) {
  return (const parl_act *)(const void *)x;
}

#endif
