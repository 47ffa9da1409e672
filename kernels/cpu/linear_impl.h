/* kernels/cpu/linear_impl.h - linear layers as matrix products.
 *
 * Packed weights are panels [ceil(N / PANEL)][K][PANEL], zeros behind N. The gradient of the input
 * reads W [N,K] as it lies, the gradient of W reads x as it lies: both are vectors along K.
 * Included by ops_impl.h only. */

static size_t linear_pack_elements(size_t N, size_t K) {
  return round_up(N, PANEL) * K;
}

static void linear_pack(PARL_NO_QUEUE, const parl_linear_pack_args *a) {
  for (size_t n = 0; n < a->N; n += PANEL)
    transpose(a->w + n * a->K, least(PANEL, a->N - n), a->K, a->K, a->packed + n * a->K, PANEL,
              PANEL);
}

static void linear_fwd(PARL_NO_QUEUE, const parl_linear_fwd_args *a) {
  const initial from = initial_of(a);
  const gemm g = {.M = a->M,
                  .N = a->N,
                  .K = a->K,
                  .a = a->x,
                  .a_row = a->ld_x,
                  .a_k = 1,
                  .b = a->packed,
                  .ldb = PANEL,
                  .b_panel = a->K * PANEL,
                  .init = from.x,
                  .ld_init = from.ld,
                  .c = a->y,
                  .ldc = a->ld_y};
  gemm_rows(&g);
}

static void linear_bwd_input(PARL_NO_QUEUE, const parl_linear_bwd_input_args *a) {
  const gemm g = {.M = a->M,
                  .N = a->K,
                  .K = a->N,
                  .a = a->dy,
                  .a_row = a->ld_dy,
                  .a_k = 1,
                  .b = a->w,
                  .ldb = a->K,
                  .b_panel = PANEL,
                  .init = a->accumulate ? a->dx : NULL,
                  .ld_init = a->ld_dx,
                  .c = a->dx,
                  .ldc = a->ld_dx};
  gemm_rows(&g);
}

static void linear_bwd_weight(PARL_NO_QUEUE, const parl_linear_bwd_weight_args *a) {
  const gemm g = {.M = a->N,
                  .N = a->K,
                  .K = a->M,
                  .a = a->dy,
                  .a_row = 1,
                  .a_k = a->ld_dy,
                  .b = a->x,
                  .ldb = a->ld_x,
                  .b_panel = PANEL,
                  .init = a->dw,
                  .ld_init = a->K,
                  .c = a->dw,
                  .ldc = a->K};
  gemm_columns(&g);
  if (a->dbias != NULL) sum_columns(a->M, a->N, a->dy, a->ld_dy, a->dbias);
}
