/* kernels/cpu/cpu_internal.h - the instruction sets the fast backend was compiled for.
 *
 * One source (ops_impl.h) is compiled once per set; whether this CPU has a set is asked in
 * kernels/backends.c. Thread rule: pure functions. */
#ifndef PARL_KERNELS_CPU_CPU_INTERNAL_H
#define PARL_KERNELS_CPU_CPU_INTERNAL_H
#include "kernels/ops.h"

/* Borrowed table, or NULL when the compiler's target has not got the set. */
const parl_backend *parl_backend_cpu_avx512(void);
const parl_backend *parl_backend_cpu_avx2(void);
const parl_backend *parl_backend_cpu_portable(void);

/* Billions of f32 operations per second of one thread that does nothing but fused multiply-add
 * (multiply, then add where the set has no fused form) on registers for about `ms` milliseconds. */
double parl_fma_gflops_avx512(double ms);
double parl_fma_gflops_avx2(double ms);
double parl_fma_gflops_portable(double ms);

#endif
