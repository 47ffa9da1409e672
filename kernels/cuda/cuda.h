/* kernels/cuda/cuda.h - the backend for NVIDIA's cards.
 *
 * Operands of products are kept in bf16, or all is in f32; products add in f32. Written in plain
 * CUDA C (docs/cuda.md). Tests link it with kernels/emu, the emulator; the program has
 * kernels/cuda/absent.c instead, whose backends are never there.
 * Thread rule: as kernels/device.h. */
#ifndef PARL_KERNELS_CUDA_CUDA_H
#define PARL_KERNELS_CUDA_CUDA_H
#include "kernels/ops.h"

/* dtype: "bf16", or "f32". Fails: EINVAL for another; ESTATE if this program has none, or this
 * machine no driver that is new enough or no card, saying which. */
parl_status parl_backend_cuda(const char *dtype, const parl_backend **out);

#endif
