/* kernels/cuda/blas.h - large products by cuBLAS, which is opened when the first one is wanted.
 *
 * Nothing of it is needed to build; where it is not found, or a product is not for it, the caller's
 * own kernels do. A queue has a handle and a workspace of its own: so that the same program, card
 * and libraries give the same bits. The backend "cuda:own" never asks for it.
 * Reading order: parl_cuda_product, the calls. */
#ifndef PARL_KERNELS_CUDA_BLAS_H
#define PARL_KERNELS_CUDA_BLAS_H
#include "kernels/cuda/cuda_internal.h"

/* c [rows,cols] (ld_c) = a b, or += where accumulate: a [rows,n] (ld_a), or its transpose lies
 * there; b [n,cols] (ld_b), or its transpose. Row-major, distances in elements. */
typedef struct parl_cuda_product {
  size_t rows, cols, n;
  const void *a, *b; /* of bf16, or of floats */
  size_t ld_a, ld_b;
  bool a_is_across, b_is_across; /* the transposes: a [n,rows], b [cols,n] */
  bool is_bf16, c_is_bf16;
  void *c;
  size_t ld_c;
  bool accumulate;
} parl_cuda_product;

/* Whether it is for cuBLAS; else the caller's kernels do it, as each product with an extent below
 * 256, or with matrices that are not aligned to 16 bytes. What fails stays with the queue, and is
 * true. */
bool parl_cuda_blas_takes(parl_queue *queue, const parl_cuda_product *product);
/* Gives it one that it takes, which adds in f32. */
void parl_cuda_blas_multiply(parl_queue *queue, const parl_cuda_product *product);
void parl_cuda_blas_destroy(parl_cuda_blas *blas);
/* "cuBLAS 13.0.2 (libcublas.so.13)", or why there is none. */
void parl_cuda_blas_describe(char *text, size_t n);

#endif
