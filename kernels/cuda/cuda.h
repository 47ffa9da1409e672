/* kernels/cuda/cuda.h - the backend for NVIDIA's cards.
 *
 * Operands of products are kept in bf16, or all is in f32; products add in f32. Written in plain
 * CUDA C (docs/cuda.md). `make CUDA=1` links it into the program, tests link it
 * with kernels/emu, the emulator; else there is kernels/cuda/absent.c, whose backends are never
 * there.
 * Thread rule: as kernels/device.h. */
#ifndef PARL_KERNELS_CUDA_CUDA_H
#define PARL_KERNELS_CUDA_CUDA_H
#include "kernels/ops.h"

/* Which products: those of own kernels alone, whose bits do not depend on the rest of a batch and
 * need no library, or large ones by cuBLAS where that is found. */
typedef enum parl_cuda_products { PARL_CUDA_BLAS, PARL_CUDA_OWN } parl_cuda_products;

/* dtype: "bf16", or "f32". Fails: EINVAL for another; ESTATE if this program has none, or this
 * machine no driver that is new enough or no card, saying which. */
parl_status parl_backend_cuda(const char *dtype, parl_cuda_products products,
                              const parl_backend **out);
/* What the card is called. Fails: ESTATE as above. */
parl_status parl_cuda_name_card(char *text, size_t n);
/* The card, its memory, driver, whose products, in one line. Fails: ESTATE as above. */
parl_status parl_cuda_describe(char *text, size_t n);

#endif
