/* kernels/cpu/linear_bf16_impl.h - linear layers with operands in bf16 and sums in f32.
 *
 * Packed weights hold both forms, each in panels of PAIR_PANEL columns with zeros behind the last:
 *   forward   [ceil(N / PAIR_PANEL)][pairs of K][PAIR_PANEL]   for y = x W^T
 *   backward  [ceil(K / PAIR_PANEL)][pairs of N][PAIR_PANEL]   for dx = dy W
 * together as large as W in f32. Rows of x and dy become pairs on the stack, a block at a time,
 * and serve all columns. Sums are f32 in C between blocks, which is exact.
 * Included by ops_impl.h only. Reading order: biases, pack, product, the gradient of W. */

/* Columns of x beside a block of pairs in the gradient of W: whole panels of any backend. */
enum { COLUMN_BLOCK = 192 };
_Static_assert(COLUMN_BLOCK % PAIR_PANEL == 0, "a block is whole panels");

/* What the sums of a product start from: rows ld apart, NULL for zeros. */
typedef struct initial {
  const float *x;
  size_t ld;
} initial;

/* A bias alone is every row's start; with a residual, y becomes the sum of both. */
static initial initial_of(const parl_linear_fwd_args *a) {
  if (a->bias == NULL) return (initial){a->residual, a->ld_y};
  if (a->residual == NULL) return (initial){a->bias, 0};
  for (size_t m = 0; m < a->M; m++)
    for (size_t n = 0; n < a->N; n += W) {
      const size_t at = m * a->ld_y + n, width = a->N - n;
      const vf sum = vf_load_n(a->residual + at, width) + vf_load_n(a->bias + n, width);
      vf_store_n(a->y + at, sum, width);
    }
  return (initial){a->y, a->ld_y};
}

/* to[N] += the sums of x [M,N] over its rows, in their order. */
static void sum_columns(size_t M, size_t N, const float *x, size_t ld, float *to) {
  for (size_t n = 0; n < N; n += 4 * W) {
    const size_t width = N - n, vectors = least(4, (width + W - 1) / W);
    vf sum[4];
    for (size_t v = 0; v < vectors; v++) sum[v] = vf_load_n(to + n + v * W, width - v * W);
    for (size_t m = 0; m < M; m++)
      for (size_t v = 0; v < vectors; v++)
        sum[v] += vf_load_n(x + m * ld + n + v * W, width - v * W);
    for (size_t v = 0; v < vectors; v++) vf_store_n(to + n + v * W, sum[v], width - v * W);
  }
}

static size_t count_pairs(size_t n) {
  return round_up((n + 1) / 2, PAIR_UNIT);
}

static size_t forward_floats(size_t N, size_t K) {
  return round_up(N, PAIR_PANEL) * count_pairs(K);
}

static size_t linear_pack_elements_bf16(size_t N, size_t K) {
  return forward_floats(N, K) + forward_floats(K, N);
}

static void linear_pack_bf16(PARL_NO_QUEUE, const parl_linear_pack_args *a) {
  _Alignas(64) float block[PAIR_PANEL * PAIR_BLOCK];
  float *to = a->packed;
  for (size_t n = 0; n < a->N; n += PAIR_PANEL)
    for (size_t k = 0; k < a->K; k += 2 * PAIR_BLOCK) {
      const size_t rows = least(PAIR_PANEL, a->N - n), width = least(2 * PAIR_BLOCK, a->K - k);
      const size_t pairs = count_pairs(width);
      pair_columns(a->w + n * a->K + k, rows, width, a->K, block, pairs);
      transpose(block, rows, pairs, pairs, to, PAIR_PANEL, PAIR_PANEL);
      to += pairs * PAIR_PANEL;
    }
  for (size_t k = 0; k < a->K; k += PAIR_PANEL) {
    const size_t pairs = count_pairs(a->N);
    pair_rows(a->w + k, a->N, least(PAIR_PANEL, a->K - k), a->K, to, pairs, PAIR_PANEL);
    to += pairs * PAIR_PANEL;
  }
}

/* C [M,N] = init + A [M,K] B with B packed; K is the contraction. g has A in f32 and B whole. */
static void product_bf16(const gemm *g) {
  _Alignas(64) float rows[PAIRED_ROWS];
  const size_t high = even_part(g->M, ROW_BLOCK, TILE_ROWS);
  for (size_t k = 0; k < g->K; k += 2 * PAIR_BLOCK)
    for (size_t i = 0; i < g->M; i += high) {
      const size_t height = least(high, g->M - i), width = least(2 * PAIR_BLOCK, g->K - k);
      gemm block = *g;
      block.M = height;
      block.K = block.a_row = count_pairs(width);
      pair_columns(g->a + i * g->a_row + k, height, width, g->a_row, rows, block.K);
      block.a = rows;
      block.b = g->b + k / 2 * PAIR_PANEL;
      block.c = g->c + i * g->ldc;
      block.init = k > 0 ? block.c : g->init == NULL ? NULL : g->init + i * g->ld_init;
      block.ld_init = k > 0 ? g->ldc : g->ld_init;
      gemm_pair_rows(&block);
    }
}

static void linear_fwd_bf16(PARL_NO_QUEUE, const parl_linear_fwd_args *a) {
  const initial from = initial_of(a);
  const gemm g = {.M = a->M,
                  .N = a->N,
                  .K = a->K,
                  .a = a->x,
                  .a_row = a->ld_x,
                  .a_k = 1,
                  .b = a->packed,
                  .ldb = PAIR_PANEL,
                  .b_panel = count_pairs(a->K) * PAIR_PANEL,
                  .init = from.x,
                  .ld_init = from.ld,
                  .c = a->y,
                  .ldc = a->ld_y};
  product_bf16(&g);
}

static void linear_bwd_input_bf16(PARL_NO_QUEUE, const parl_linear_bwd_input_args *a) {
  if (a->packed == NULL) {
    F32_NAME()->linear_bwd_input(NULL, a);
    return;
  }
  const gemm g = {.M = a->M,
                  .N = a->K,
                  .K = a->N,
                  .a = a->dy,
                  .a_row = a->ld_dy,
                  .a_k = 1,
                  .b = a->packed + forward_floats(a->N, a->K),
                  .ldb = PAIR_PANEL,
                  .b_panel = count_pairs(a->N) * PAIR_PANEL,
                  .init = a->accumulate ? a->dx : NULL,
                  .ld_init = a->ld_dx,
                  .c = a->dx,
                  .ldc = a->ld_dx};
  product_bf16(&g);
}

/* dW += dy^T x over rows m.. of both, `height` of them, and the columns k.. of x. */
static void weight_block(const parl_linear_bwd_weight_args *a, size_t m, size_t height, size_t k) {
  _Alignas(64) float left[PAIRED_ROWS], right[COLUMN_BLOCK * PAIR_BLOCK];
  const size_t pairs = count_pairs(height), width = least(COLUMN_BLOCK, a->K - k);
  for (size_t c = 0; c < width; c += PAIR_PANEL)
    pair_rows(a->x + m * a->ld_x + k + c, height, least(PAIR_PANEL, width - c), a->ld_x,
              right + c * pairs, pairs, PAIR_PANEL);
  for (size_t n = 0; n < a->N; n += ROW_BLOCK) {
    const gemm g = {.M = least(ROW_BLOCK, a->N - n),
                    .N = width,
                    .K = pairs,
                    .a = left,
                    .a_row = 1,
                    .a_k = ROW_BLOCK,
                    .b = right,
                    .ldb = PAIR_PANEL,
                    .b_panel = pairs * PAIR_PANEL,
                    .init = a->dw + n * a->K + k,
                    .ld_init = a->K,
                    .c = a->dw + n * a->K + k,
                    .ldc = a->K};
    pair_rows(a->dy + m * a->ld_dy + n, height, g.M, a->ld_dy, left, pairs, ROW_BLOCK);
    gemm_pair_columns(&g);
  }
}

static void linear_bwd_weight_bf16(PARL_NO_QUEUE, const parl_linear_bwd_weight_args *a) {
  for (size_t m = 0; m < a->M; m += 2 * PAIR_BLOCK)
    for (size_t k = 0; k < a->K; k += COLUMN_BLOCK)
      weight_block(a, m, least(2 * PAIR_BLOCK, a->M - m), k);
  if (a->dbias != NULL) sum_columns(a->M, a->N, a->dy, a->ld_dy, a->dbias);
}
