/* kernels/cpu/amx_impl.h - the product of pairs on AMX tiles.
 *
 * A tile is 16 rows of 16 lanes: f32 sums, or pairs of A (rows x pairs) or of B (pairs x columns).
 * Two by two tiles of sums stay in tile registers while k runs. A tile product keeps the sums of
 * the even and of the odd products of its 16 pairs apart, adds them, then adds that to C.
 * Without the instructions (a compiler that has not got them, or AMX_EMULATED) the same source
 * runs on tiles in plain C.
 * Included by ops_impl.h only. Reading order: the tile layer, corners, tile_block, the two entry
 * points. */

enum {
  SIDE = 16,             /* rows of a tile, and its lanes */
  PAIR_PANEL = 2 * SIDE, /* columns of a panel of B */
  PAIR_UNIT = SIDE       /* a contraction has a multiple of so many pairs; zeros fill it */
};

#ifdef AMX_EMULATED
typedef struct tile_register {
  float x[SIDE][SIDE];
} tile_register;
#define TILES tile_register tiles[8]
#define tile_zero(t) memset(&tiles[t], 0, sizeof tiles[t])
#define tile_load(t, from, ld) emulate_load(&tiles[t], from, ld)
#define tile_store(t, to, ld) emulate_store(&tiles[t], to, ld)
#define tile_product(c, a, b) emulate_product(&tiles[c], &tiles[a], &tiles[b])
#define tiles_open() (void)0
#define tiles_close() (void)0

static void emulate_load(tile_register *t, const float *from, size_t ld) {
  for (size_t i = 0; i < SIDE; i++) memcpy(t->x[i], from + i * ld, sizeof t->x[i]);
}
static void emulate_store(const tile_register *t, float *to, size_t ld) {
  for (size_t i = 0; i < SIDE; i++) memcpy(to + i * ld, t->x[i], sizeof t->x[i]);
}
/* Source: Intel's instruction set reference, TDPBF16PS; denormals are not flushed here. */
static void emulate_product(tile_register *c, const tile_register *a, const tile_register *b) {
  for (size_t i = 0; i < SIDE; i++)
    for (size_t j = 0; j < SIDE; j += W) {
      vf even = vf_set1(0.0f), odd = even;
      for (size_t k = 0; k < SIDE; k++) {
        const vu left = (vu)vf_set1(a->x[i][k]), right = (vu)vf_load(b->x[k] + j);
        even = vf_fma((vf)(left << 16), (vf)(right << 16), even);
        odd = vf_fma((vf)(left >> 16 << 16), (vf)(right >> 16 << 16), odd);
      }
      vf_store(c->x[i] + j, vf_load(c->x[i] + j) + (even + odd));
    }
}
#else
#define TILES (void)0
#define tile_zero(t) _tile_zero(t)
#define tile_load(t, from, ld)                               \
  do { /* the intrinsic does not say that it reads memory */ \
    __asm__ volatile("" ::: "memory");                       \
    _tile_loadd(t, from, (int)((ld) * sizeof(float)));       \
  } while (0)
#define tile_store(t, to, ld) _tile_stored(t, to, (int)((ld) * sizeof(float)))
#define tile_product(c, a, b) _tile_dpbf16ps(c, a, b)
#define tiles_open() _tile_loadconfig(&whole_tiles)
#define tiles_close() _tile_release()

typedef struct tile_config {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_config;
static const tile_config whole_tiles = {.palette = 1,
                                        .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
                                        .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
#endif

/* SIDE x SIDE floats, ld apart. */
typedef struct area {
  float *x;
  size_t ld;
} area;

static bool is_inside(const gemm *g, size_t i, size_t j) {
  return i + SIDE <= g->M && j + SIDE <= g->N;
}

/* What the sums at (i, j) start from: init itself, or a copy with zeros outside the matrix. */
static area initial_sums(const gemm *g, size_t i, size_t j, float *copy) {
  if (is_inside(g, i, j)) return (area){(float *)g->init + i * g->ld_init + j, g->ld_init};
  memset(copy, 0, SIDE * SIDE * sizeof *copy);
  for (size_t r = i; r < least(i + SIDE, g->M) && j < g->N; r++)
    memcpy(copy + (r - i) * SIDE, g->init + r * g->ld_init + j,
           least(SIDE, g->N - j) * sizeof *copy);
  return (area){copy, SIDE};
}

/* The part of a copy that lies inside the matrix, to its place. */
static void keep_inside(const gemm *g, size_t i, size_t j, const float *copy) {
  for (size_t r = i; r < least(i + SIDE, g->M) && j < g->N; r++)
    memcpy(g->c + r * g->ldc + j, copy + (r - i) * SIDE, least(SIDE, g->N - j) * sizeof *copy);
}

#define START_SUMS(t, row, column)                                   \
  do {                                                               \
    if (g->init == NULL) {                                           \
      tile_zero(t);                                                  \
    } else {                                                         \
      const area from_ = initial_sums(g, i + row, j + column, copy); \
      tile_load(t, from_.x, from_.ld);                               \
    }                                                                \
  } while (0)

#define KEEP_SUMS(t, row, column)                                    \
  do {                                                               \
    if (is_inside(g, i + row, j + column)) {                         \
      tile_store(t, g->c + (i + row) * g->ldc + j + column, g->ldc); \
    } else {                                                         \
      tile_store(t, copy, SIDE);                                     \
      keep_inside(g, i + row, j + column, copy);                     \
    }                                                                \
  } while (0)

/* Up to 2 x 2 tiles of C at (i, j): sums in 0..3, A in 4 and 5, B in 6 and 7. */
static void tile_block(const gemm *g, size_t i, size_t j) {
  TILES;
  _Alignas(64) float copy[SIDE * SIDE];
  const bool is_tall = i + SIDE < g->M;
  const float *a = g->a + i * g->a_row, *b = g->b + j / PAIR_PANEL * g->b_panel;
  START_SUMS(0, 0, 0);
  START_SUMS(1, 0, SIDE);
  if (is_tall) {
    START_SUMS(2, SIDE, 0);
    START_SUMS(3, SIDE, SIDE);
  }
  for (size_t k = 0; k < g->K; k += SIDE, a += SIDE, b += SIDE * PAIR_PANEL) {
    tile_load(4, a, g->a_row);
    tile_load(6, b, PAIR_PANEL);
    tile_load(7, b + SIDE, PAIR_PANEL);
    tile_product(0, 4, 6);
    tile_product(1, 4, 7);
    if (is_tall) {
      tile_load(5, a + SIDE * g->a_row, g->a_row);
      tile_product(2, 5, 6);
      tile_product(3, 5, 7);
    }
  }
  KEEP_SUMS(0, 0, 0);
  KEEP_SUMS(1, 0, SIDE);
  if (is_tall) {
    KEEP_SUMS(2, SIDE, 0);
    KEEP_SUMS(3, SIDE, SIDE);
  }
}

/* K is a multiple of PAIR_UNIT. Up to a multiple of SIDE rows of A are read, whatever they hold:
 * their sums are not kept. */
static void gemm_pair_rows(const gemm *g) {
  tiles_open();
  for (size_t j = 0; j < g->N; j += PAIR_PANEL)
    for (size_t i = 0; i < g->M; i += 2 * SIDE) tile_block(g, i, j);
  tiles_close();
}

/* A in columns, at most ROW_BLOCK x PAIR_BLOCK of it. */
static void gemm_pair_columns(const gemm *g) {
  _Alignas(64) float rows[PAIRED_ROWS];
  gemm turned = *g;
  turned.a = rows;
  turned.a_row = g->K;
  transpose(g->a, g->K, g->M, g->a_k, rows, g->K, W);
  gemm_pair_rows(&turned);
}
