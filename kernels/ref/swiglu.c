/* kernels/ref/swiglu.c - gated activation.
 *
 * gate_up [rows, 2F] = gate | up -> out [rows, F]
 *   out   = g sigma(g) u
 *   dgate = dout u sigma(g) (1 + g (1 - sigma(g))),   dup = dout g sigma(g) */
#include <math.h>

#include "kernels/ref/ref_internal.h"

void parl_ref_swiglu_fwd(PARL_NO_QUEUE, const parl_swiglu_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++)
    for (size_t f = 0; f < a->F; f++) {
      const double g = (double)a->gate_up[row * 2 * a->F + f];
      const double u = (double)a->gate_up[row * 2 * a->F + a->F + f];
      a->out[row * a->F + f] = (float)(g / (1.0 + exp(-g)) * u);
    }
}

void parl_ref_swiglu_bwd(PARL_NO_QUEUE, const parl_swiglu_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++)
    for (size_t f = 0; f < a->F; f++) {
      const size_t gate = row * 2 * a->F + f, up = gate + a->F;
      const double g = (double)a->gate_up[gate], u = (double)a->gate_up[up];
      const double d = (double)a->dout[row * a->F + f];
      const double sigma = 1.0 / (1.0 + exp(-g));
      a->dgate_up[gate] = (float)(d * u * sigma * (1.0 + g * (1.0 - sigma)));
      a->dgate_up[up] = (float)(d * g * sigma);
    }
}
