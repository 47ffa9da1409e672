/* kernels/ref/ref.c - the oracle's table. */
#include "kernels/ref/ref_internal.h"

const parl_backend *parl_backend_ref(void) {
  static const parl_backend ref = {
      .name = "ref",
      .instructions = "double accumulation",
      .dtype = "f32",
#define X(op, tolerance, source) .op = parl_ref_##op,
      PARL_OP_LIST(X)
#undef X
          .act_bytes = sizeof(parl_act),
      .linear_pack_elements = parl_ref_linear_pack_elements,
      .attention_scratch_floats = parl_ref_attention_scratch_floats,
      .f32 = parl_backend_ref,
      .device = parl_device_host,
  };
  return &ref;
}
