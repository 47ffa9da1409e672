/* kernels/cpu/gemm_impl.h - the one matrix product under linear and attention.
 *
 *   C[i,j] = init[i,j] + sum_k A(i,k) B[k,j],   A(i,k) = a[i * a_row + k * a_k]
 *
 * A tile of TILE_ROWS x TILE_VECTORS vectors of sums stays in registers while k runs. Whatever the
 * tile, an element starts from init (or 0) and takes one fused multiply-add per k in rising order;
 * parking it in C between blocks of k is exact. So its bits do not depend on its row's neighbours.
 * With pairs (pairs_impl.h) an element of A and B is two bf16 and a step of k two products.
 * Included by ops_impl.h only. Reading order: gemm, tile, gemm_block, the two entry points. */

enum {
  PANEL = TILE_VECTORS * W,
  K_BLOCK = 256,           /* depth of a panel of B, most of which stays in the first level */
  ROW_BLOCK = 144,         /* rows of A that stay in the second level, a multiple of 4, 6 and 8 */
  WIDE = 2 * TILE_VECTORS, /* vectors of a tile of few rows */
  PAIR_BLOCK = 128,        /* pairs of a contraction that are converted at a time */
  PAIRED_ROWS = ROW_BLOCK * PAIR_BLOCK,
  LINE = 16,      /* floats of a line of the cache */
  FETCH_TILES = 6 /* with fewer tiles to a panel, asking for the next one costs too much */
};

/* B's columns come in groups of PANEL that lie b_panel floats apart: PANEL when B is an ordinary
 * matrix, K * PANEL when it was packed (ldb is PANEL then). */
typedef struct gemm {
  size_t M, N, K;
  const float *a;
  size_t a_row, a_k;
  const float *b;
  size_t ldb, b_panel;
  const float *init; /* NULL for zero */
  size_t ld_init;
  float *c;
  size_t ldc;
} gemm;

/* How A lies: row by row (a_k is 1) or column by column (a_row is 1); and the same of pairs. */
typedef enum operand { ROWS, COLUMNS, PAIR_ROWS, PAIR_COLUMNS } operand;

/* Rows i.. and columns j.. of C: `rows` x `vectors`, the last vector `last` lanes wide when
 * `is_part`. rows, vectors, is_part and how are constants after inlining. */
INLINE void tile(const gemm *g, size_t i, size_t j, int rows, int vectors, bool is_part,
                 size_t last, operand how) {
  const bool is_columns = how == COLUMNS || how == PAIR_COLUMNS;
  const bool is_pairs = how == PAIR_ROWS || how == PAIR_COLUMNS;
  const size_t a_row = is_columns ? 1 : g->a_row, a_k = is_columns ? g->a_k : 1;
  const size_t ldb = g->ldb, b_panel = g->b_panel;
  const float *a = g->a + i * a_row, *b = g->b + j / PANEL * b_panel;
  vf sum[8][WIDE];
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++) {
      sum[r][v] = vf_set1(0.0f);
      if (g->init == NULL) continue;
      const float *from = g->init + (i + (size_t)r) * g->ld_init + j + (size_t)(v * W);
      sum[r][v] = is_part && v == vectors - 1 ? vf_load_part(from, last) : vf_load(from);
    }
  }
  for (size_t k = 0; k < g->K; k++) {
    vf right[WIDE];
    UNROLL for (int v = 0; v < vectors; v++) {
      const float *from = b + (size_t)(v / TILE_VECTORS) * b_panel + (size_t)(v % TILE_VECTORS * W);
      right[v] = is_part && v == vectors - 1 ? vf_load_part(from, last) : vf_load(from);
      HOLD(right[v]);
    }
    UNROLL for (int r = 0; r < rows; r++) {
      const vf left = vf_set1(a[(size_t)r * a_row]);
      UNROLL for (int v = 0; v < vectors; v++) sum[r][v] =
          is_pairs ? vf_fma_pairs(left, right[v], sum[r][v]) : vf_fma(left, right[v], sum[r][v]);
    }
    a += a_k;
    b += ldb;
  }
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++) {
      float *to = g->c + (i + (size_t)r) * g->ldc + j + (size_t)(v * W);
      if (is_part && v == vectors - 1)
        vf_store_part(to, sum[r][v], last);
      else
        vf_store(to, sum[r][v]);
    }
  }
}

/* The last columns: as many vectors as hold them. Full tiles have a form without masks too. */
INLINE void tile_edge(const gemm *g, size_t i, size_t j, int rows, int vectors, size_t last,
                      operand how) {
  if (rows == TILE_ROWS && last == W)
    tile(g, i, j, rows, vectors, false, 0, how);
  else
    tile(g, i, j, rows, vectors, true, last, how);
}

/* A tile of up to PANEL columns, `width` of them real. */
INLINE void tile_columns(const gemm *g, size_t i, size_t j, int rows, size_t width, operand how) {
  const size_t vectors = (width + W - 1) / W, last = width - (vectors - 1) * W;
  if (width >= PANEL)
    tile(g, i, j, rows, TILE_VECTORS, false, 0, how);
  else if (TILE_VECTORS > 2 && vectors == 3)
    tile_edge(g, i, j, rows, 3, last, how);
  else if (vectors == 2)
    tile_edge(g, i, j, rows, 2, last, how);
  else
    tile_edge(g, i, j, rows, 1, last, how);
}

/* Fewer rows than a full tile has, over all columns; the fewest take more columns at a time. */
INLINE void last_rows(const gemm *g, size_t i, size_t rows, operand how) {
  size_t j = 0;
  if (rows <= 3)
    for (; j + WIDE * W <= g->N; j += WIDE * W) switch (rows) {
        case 1:
          tile(g, i, j, 1, WIDE, false, 0, how);
          break;
        case 2:
          tile(g, i, j, 2, WIDE, false, 0, how);
          break;
        default:
          tile(g, i, j, 3, WIDE, false, 0, how);
          break;
      }
  for (; j < g->N; j += PANEL) {
    const size_t width = least(PANEL, g->N - j);
    switch (rows) {
      case 1:
        tile_columns(g, i, j, 1, width, how);
        break;
      case 2:
        tile_columns(g, i, j, 2, width, how);
        break;
      case 3:
        tile_columns(g, i, j, 3, width, how);
        break;
#if TILE_ROWS > 4
      case 4:
        tile_columns(g, i, j, 4, width, how);
        break;
      case 5:
        tile_columns(g, i, j, 5, width, how);
        break;
#endif
#if TILE_ROWS > 6
      case 6:
        tile_columns(g, i, j, 6, width, how);
        break;
      case 7:
        tile_columns(g, i, j, 7, width, how);
        break;
#endif
      default:
        break;
    }
  }
}

/* Brings a row of a tile or a panel near, PANEL floats that need not be aligned: to the first level
 * (3) or the second (2). */
#define FETCH_ROW(row, level) \
  UNROLL for (size_t x = 0; x < PANEL; x += LINE) __builtin_prefetch((row) + x, 0, level)

/* While the tile at row i and column j is computed: the tile of C behind it, and its share of the
 * next panel of B, for which the first level has no room beside the present one. Without this a
 * product whose operands are in the third level runs at two thirds of one whose operands are near.
 */
INLINE void fetch_next(const gemm *g, size_t i, size_t j, size_t full) {
  const size_t tiles = full / TILE_ROWS, at = i / TILE_ROWS, next = j + PANEL;
  if (at + 1 < tiles)
    UNROLL for (size_t r = 0; r < TILE_ROWS; r++)
        FETCH_ROW(g->c + (i + TILE_ROWS + r) * g->ldc + j, 3);
  if (next >= g->N) return;
  if (at + 1 == tiles)
    UNROLL for (size_t r = 0; r < TILE_ROWS; r++) FETCH_ROW(g->c + r * g->ldc + next, 3);
  const float *panel = g->b + next / PANEL * g->b_panel;
  const size_t end = (at + 1) * g->K / tiles;
  for (size_t k = at * g->K / tiles; k < end; k++) FETCH_ROW(panel + k * g->ldb, 2);
}

/* One block of rows and of k: each panel of B serves all full tiles before the next is touched. */
INLINE void gemm_block(const gemm *g, operand how) {
  const size_t full = g->M / TILE_ROWS * TILE_ROWS;
  if (full > 0)
    for (size_t j = 0; j < g->N; j += PANEL) {
      const size_t width = least(PANEL, g->N - j);
      for (size_t i = 0; i < full; i += TILE_ROWS) {
        if (full >= FETCH_TILES * TILE_ROWS) fetch_next(g, i, j, full);
        tile_columns(g, i, j, TILE_ROWS, width, how);
      }
    }
  if (full < g->M) last_rows(g, full, g->M - full, how);
}

/* n in parts of at most `most`, as even as multiples of `unit` allow: the size of one. */
INLINE size_t even_part(size_t n, size_t most, size_t unit) {
  const size_t parts = (n + most - 1) / most;
  return parts < 2 ? n : round_up((n + parts - 1) / parts, unit);
}

INLINE void gemm_all(const gemm *g, operand how) {
  const size_t deep = even_part(g->K, K_BLOCK, 1), high = even_part(g->M, ROW_BLOCK, TILE_ROWS);
  size_t k = 0;
  do {
    const size_t depth = least(deep, g->K - k);
    for (size_t i = 0; i < g->M; i += high) {
      gemm block = *g;
      block.M = least(high, g->M - i);
      block.K = depth;
      block.a = g->a + i * g->a_row + k * g->a_k;
      block.b = g->b + k * g->ldb;
      block.c = g->c + i * g->ldc;
      block.init = k > 0 ? block.c : g->init == NULL ? NULL : g->init + i * g->ld_init;
      block.ld_init = k > 0 ? g->ldc : g->ld_init;
      gemm_block(&block, how);
    }
    k += depth;
  } while (k < g->K);
}

static void gemm_rows(const gemm *g) {
  gemm_all(g, ROWS);
}
static void gemm_columns(const gemm *g) {
  gemm_all(g, COLUMNS);
}
#ifndef AMX_TILES
enum {
  PAIR_PANEL = PANEL,
  PAIR_UNIT = 1 /* a contraction has a multiple of so many pairs */
};
static void gemm_pair_rows(const gemm *g) {
  gemm_all(g, PAIR_ROWS);
}
static void gemm_pair_columns(const gemm *g) {
  gemm_all(g, PAIR_COLUMNS);
}
#endif

/* to[c, r] = from[r, c]; r is padded with zeros to a multiple of `unit` (itself one of W). */
static void transpose(const float *from, size_t rows, size_t columns, size_t ld_from, float *to,
                      size_t ld_to, size_t unit) {
  for (size_t r = 0; r < round_up(rows, unit); r += W)
    for (size_t c = 0; c < columns; c += W) {
      const size_t height = r < rows ? least(W, rows - r) : 0, width = least(W, columns - c);
      vf v[W];
      for (size_t i = 0; i < W; i++)
        v[i] = i < height ? vf_load_n(from + (r + i) * ld_from + c, width) : vf_set1(0.0f);
      vf_transpose(v);
      for (size_t i = 0; i < width; i++) vf_store(to + (c + i) * ld_to + r, v[i]);
    }
}
