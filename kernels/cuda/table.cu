/* kernels/cuda/table.cu - the backend: a table for operands in bf16, one for all in f32. An op
 * without a kernel does not link. */
#include "kernels/cuda/device.h"

static size_t linear_pack_elements(size_t N, size_t K) {
  return N * K;
}

/* Attention takes its scratch from the queue. */
static size_t attention_scratch_floats(size_t, size_t, size_t) {
  return 1;
}

static const parl_backend *get_f32(void);
static const parl_backend *get_own_f32(void);

/* twin: in f32, with the same products; is_own: those of own kernels alone */
template <class A>
static constexpr parl_backend make_table(const char *name, const char *dtype,
                                         const parl_backend *(*twin)(void), bool is_own) {
  parl_backend b = {};
  b.name = name;
  b.instructions = "CUDA";
  b.dtype = dtype;
#define X(op) b.op = parl_cuda_##op<A>;
  PARL_CUDA_ACT_OP_LIST(X)
#undef X
#define X(op) b.op = parl_cuda_##op;
  PARL_CUDA_PLAIN_OP_LIST(X)
#undef X
  b.act_bytes = sizeof(A);
  b.linear_pack_elements = linear_pack_elements;
  b.attention_scratch_floats = attention_scratch_floats;
  b.peak_gflops = parl_cuda_peak_gflops<A>;
  b.f32 = twin;
  b.device = parl_cuda_device;
  b.orthogonalise = parl_cuda_orthogonalise<A>;
  b.has_one_bucket = is_own;
  return b;
}
static constexpr parl_backend f32 = make_table<float>("cuda", "f32", get_f32, false);
static constexpr parl_backend in_bf16 = make_table<__nv_bfloat16>("cuda", "bf16", get_f32, false);
static constexpr parl_backend own_f32 = make_table<float>("cuda:own", "f32", get_own_f32, true);
static constexpr parl_backend own_bf16 =
    make_table<__nv_bfloat16>("cuda:own", "bf16", get_own_f32, true);

#ifndef __SANITIZE_ADDRESS__ /* with it g++ takes no address of a function for a constant */
#define X(op, tolerance, source) \
  static_assert(f32.op != nullptr && in_bf16.op != nullptr, "an op is in no list: " #op);
PARL_OP_LIST(X)
#undef X
#endif

static const parl_backend *get_f32(void) {
  return &f32;
}
static const parl_backend *get_own_f32(void) {
  return &own_f32;
}

bool parl_cuda_uses_blas(const parl_backend *backend) {
  return backend == &f32 || backend == &in_bf16;
}

parl_status parl_backend_cuda(const char *dtype, parl_cuda_products products,
                              const parl_backend **out) {
  const bool is_f32 = strcmp(dtype, "f32") == 0;
  if (!is_f32 && strcmp(dtype, "bf16") != 0)
    return parl_fail(PARL_STATUS_EINVAL, "backend cuda: unknown dtype \"%s\"; valid: bf16, f32",
                     dtype);
  PARL_TRY(parl_cuda_find_card());
  if (products == PARL_CUDA_OWN)
    *out = is_f32 ? &own_f32 : &own_bf16;
  else
    *out = is_f32 ? &f32 : &in_bf16;
  return PARL_STATUS_OK;
}
