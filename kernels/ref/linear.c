/* kernels/ref/linear.c - y = x W^T (+ bias) (+ residual) and its gradients.
 *
 * x [M,K] · W [N,K] -> y [M,N]
 *   y[m,n]  = residual[m,n] + bias[n] + sum_k x[m,k] W[n,k]
 *   dx[m,k] (+)= sum_n dy[m,n] W[n,k]
 *   dW[n,k] += sum_m dy[m,n] x[m,k]          (rows in order)
 *   dbias[n] += sum_m dy[m,n]                (rows in order) */
#include <string.h>

#include "kernels/ref/ref_internal.h"

size_t parl_ref_linear_pack_elements(size_t N, size_t K) {
  return N * K;
}

void parl_ref_linear_pack(PARL_NO_QUEUE, const parl_linear_pack_args *a) {
  memcpy(a->packed, a->w, a->N * a->K * sizeof *a->w);
}

void parl_ref_linear_fwd(PARL_NO_QUEUE, const parl_linear_fwd_args *a) {
  for (size_t m = 0; m < a->M; m++)
    for (size_t n = 0; n < a->N; n++) {
      double sum = a->residual ? (double)a->residual[m * a->ld_y + n] : 0.0;
      if (a->bias != NULL) sum += (double)a->bias[n];
      for (size_t k = 0; k < a->K; k++)
        sum += (double)a->x[m * a->ld_x + k] * (double)a->packed[n * a->K + k];
      a->y[m * a->ld_y + n] = (float)sum;
    }
}

void parl_ref_linear_bwd_input(PARL_NO_QUEUE, const parl_linear_bwd_input_args *a) {
  for (size_t m = 0; m < a->M; m++)
    for (size_t k = 0; k < a->K; k++) {
      double sum = a->accumulate ? (double)a->dx[m * a->ld_dx + k] : 0.0;
      for (size_t n = 0; n < a->N; n++)
        sum += (double)a->dy[m * a->ld_dy + n] * (double)a->w[n * a->K + k];
      a->dx[m * a->ld_dx + k] = (float)sum;
    }
}

void parl_ref_linear_bwd_weight(PARL_NO_QUEUE, const parl_linear_bwd_weight_args *a) {
  for (size_t n = 0; n < a->N; n++)
    for (size_t k = 0; k < a->K; k++) {
      double sum = (double)a->dw[n * a->K + k];
      for (size_t m = 0; m < a->M; m++)
        sum += (double)a->dy[m * a->ld_dy + n] * (double)a->x[m * a->ld_x + k];
      a->dw[n * a->K + k] = (float)sum;
    }
  for (size_t n = 0; n < a->N && a->dbias != NULL; n++) {
    double sum = (double)a->dbias[n];
    for (size_t m = 0; m < a->M; m++) sum += (double)a->dy[m * a->ld_dy + n];
    a->dbias[n] = (float)sum;
  }
}
