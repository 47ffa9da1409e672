/* engine/vision_tables.c - where an item's patches lie: positions, frames, turns, merge order.
 *
 * The learned grid [height,width] is read at an item's rows and columns by bicubic interpolation,
 * a = -0.75, without antialiasing, corners not aligned, the border repeated; a copy where the sizes
 * are equal. Frames of an item of several add a fixed table [sin | cos]. Half of a head's pairs
 * turn by the column, half by the row. Source: k25 5.2; Keys 1981; Su et al. 2021. */
#include <math.h>

#include "engine/vision_internal.h"

static const double A = -0.75, THETA = 10000.0;

size_t parl_vision_count_patches(const parl_vision_items *items) {
  size_t n = 0;
  for (size_t i = 0; i < items->n_items; i++) {
    const int64_t *g = items->grid + 3 * i;
    n += (size_t)g[0] * (size_t)g[1] * (size_t)g[2];
  }
  return n;
}

size_t parl_vision_count_rows(const parl_vision_items *items) {
  size_t n = 0;
  for (size_t i = 0; i < items->n_items; i++)
    n += (size_t)(items->grid[3 * i + 1] / 2) * (size_t)(items->grid[3 * i + 2] / 2);
  return n;
}

parl_status parl_vision_check(const parl_model *model, const parl_vision_items *items) {
  const int64_t most_frames = (int64_t)model->dims.vision.T;
  if (model->dims.vision.L == 0)
    return parl_fail(PARL_STATUS_EINVAL, "the model sees nothing: model.vision.n_layers = 0");
  for (size_t i = 0; i < items->n_items; i++) {
    const int64_t *g = items->grid + 3 * i;
    if (g[0] < 1 || g[0] > most_frames)
      return parl_fail(PARL_STATUS_EINVAL, "item %zu has %lld frames, outside [1, %lld]", i,
                       (long long)g[0], (long long)most_frames);
    for (int k = 1; k < 3; k++)
      if (g[k] < 2 || g[k] > PARL_VISION_MAX_SIDE || g[k] % 2 != 0)
        return parl_fail(PARL_STATUS_EINVAL,
                         "item %zu has %lld %s of patches; an even number in [2, %d] is wanted", i,
                         (long long)g[k], k == 1 ? "rows" : "columns", PARL_VISION_MAX_SIDE);
  }
  return PARL_STATUS_OK;
}

parl_vision_range parl_vision_get_range(const parl_model *model) {
  if (model->dims.vision.L == 0) return (parl_vision_range){model->n_params, 0};
  const size_t first = model->vision.patch.w.offset;
  return (parl_vision_range){first, model->n_params - first};
}

parl_status parl_vision_tables_take(parl_arena *arena, const parl_vision_dims *v, size_t N,
                                    parl_vision_tables *out) {
  const size_t pairs = v->d / 2, taps = PARL_VISION_TAPS, floats = sizeof(float);
  PARL_TRY(PARL_ARENA_TAKE(arena, N / 4 + 1, &out->item_start));
  PARL_TRY(PARL_ARENA_TAKE(arena, N, &out->rows));
  PARL_TRY(parl_arena_take(arena, N, pairs * floats, (void **)&out->cos));
  PARL_TRY(parl_arena_take(arena, N, pairs * floats, (void **)&out->sin));
  PARL_TRY(parl_arena_take(arena, N, taps * floats, (void **)&out->grid_weights));
  PARL_TRY(parl_arena_take(arena, N, taps * sizeof(int32_t), (void **)&out->grid_index));
  PARL_TRY(PARL_ARENA_TAKE(arena, N, &out->time_weights));
  PARL_TRY(PARL_ARENA_TAKE(arena, N, &out->time_index));
  PARL_TRY(parl_arena_take(arena, N, v->T * floats, (void **)&out->mean_weights));
  return parl_arena_take(arena, N, v->T * sizeof(int32_t), (void **)&out->mean_index);
}

/* Keys' kernel at a distance below 2. */
static double keys(double x) {
  if (x < 1.0) return ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
  return ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
}

/* Four taps of n places at place `at` of `size`. */
static void find_taps(size_t at, size_t size, size_t n, double weights[4], size_t places[4]) {
  const double x = ((double)at + 0.5) * (double)n / (double)size - 0.5, low = floor(x);
  for (int k = 0; k < 4; k++) {
    const double place = low + (double)(k - 1);
    weights[k] = keys(fabs(x - place));
    places[k] = (size_t)fmin(fmax(place, 0.0), (double)(n - 1));
  }
}

static void fill_grid(const parl_vision_dims *v, const int64_t *grid, size_t y, size_t x,
                      float *weights, int32_t *index) {
  double wy[4], wx[4];
  size_t py[4], px[4];
  find_taps(y, (size_t)grid[1], v->height, wy, py);
  find_taps(x, (size_t)grid[2], v->width, wx, px);
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < 4; k++) {
      weights[4 * i + k] = (float)(wy[i] * wx[k]);
      index[4 * i + k] = (int32_t)(py[i] * v->width + px[k]);
    }
}

/* Of each frequency a pair for x, then one for y. */
static void fill_turn(const parl_model *m, size_t y, size_t x, float *cosines, float *sines) {
  const size_t n = m->dims.vision.d / 4;
  const float *turns = m->vision.turns;
  for (size_t i = 0; i < n; i++) {
    cosines[2 * i] = turns[2 * (x * n + i)];
    sines[2 * i] = turns[2 * (x * n + i) + 1];
    cosines[2 * i + 1] = turns[2 * (y * n + i)];
    sines[2 * i + 1] = turns[2 * (y * n + i) + 1];
  }
}

/* Rows of one item from `row` on. */
static void fill_item(const parl_model *m, const int64_t *grid, size_t row,
                      parl_vision_tables *out) {
  const parl_vision_dims *v = &m->dims.vision;
  const size_t t = (size_t)grid[0], h = (size_t)grid[1], w = (size_t)grid[2], half = v->d / 2;
  for (size_t f = 0; f < t; f++)
    for (size_t y = 0; y < h; y++)
      for (size_t x = 0; x < w; x++, row++) {
        out->rows[row] = (int32_t)row;
        fill_grid(v, grid, y, x, out->grid_weights + row * PARL_VISION_TAPS,
                  out->grid_index + row * PARL_VISION_TAPS);
        fill_turn(m, y, x, out->cos + row * half, out->sin + row * half);
        out->time_weights[row] = t > 1 ? 1.0F : 0.0F;
        out->time_index[row] = (int32_t)f;
      }
}

/* Merged patches in order: blocks of 2 x 2 by rows, in a block by rows. Each is the mean of its
 * frames; taps behind an item's frames weigh nothing. */
static void fill_means(const int64_t *grid, size_t row, size_t taps, float *weights,
                       int32_t *index) {
  const size_t t = (size_t)grid[0], h = (size_t)grid[1], w = (size_t)grid[2];
  for (size_t k = 0; k < h * w; k++, weights += taps, index += taps) {
    const size_t block = k / 4, y = 2 * (block / (w / 2)) + k % 4 / 2;
    const size_t x = 2 * (block % (w / 2)) + k % 2;
    for (size_t f = 0; f < taps; f++) {
      weights[f] = f < t ? 1.0F / (float)t : 0.0F;
      index[f] = (int32_t)(row + (f < t ? f : 0) * h * w + y * w + x);
    }
  }
}

size_t parl_vision_tables_fill(const parl_model *m, const parl_vision_items *items,
                               parl_vision_tables *out) {
  size_t row = 0, merged = 0, taps = 1;
  for (size_t i = 0; i < items->n_items; i++)
    if ((size_t)items->grid[3 * i] > taps) taps = (size_t)items->grid[3 * i];
  for (size_t i = 0; i < items->n_items; i++) {
    const int64_t *grid = items->grid + 3 * i;
    const size_t frame = (size_t)grid[1] * (size_t)grid[2];
    out->item_start[i] = (int32_t)row;
    fill_item(m, grid, row, out);
    fill_means(grid, row, taps, out->mean_weights + merged * taps, out->mean_index + merged * taps);
    row += (size_t)grid[0] * frame;
    merged += frame;
  }
  out->item_start[items->n_items] = (int32_t)row;
  return taps;
}

static void fill_turns(const parl_vision_dims *v, float *turns) {
  const size_t n = v->d / 4;
  for (size_t at = 0; at < PARL_VISION_MAX_SIDE; at++)
    for (size_t i = 0; i < n; i++) {
      const double angle = (double)at * pow(THETA, -4.0 * (double)i / (double)v->d);
      turns[2 * (at * n + i)] = (float)cos(angle);
      turns[2 * (at * n + i) + 1] = (float)sin(angle);
    }
}

static void fill_times(const parl_vision_dims *v, float *times) {
  const size_t half = v->D / 2;
  for (size_t f = 0; f < v->T; f++)
    for (size_t i = 0; i < half; i++) {
      const double angle = (double)f * pow(THETA, -2.0 * (double)i / (double)v->D);
      times[f * v->D + i] = (float)sin(angle);
      times[f * v->D + half + i] = (float)cos(angle);
    }
}

parl_status parl_vision_make_tables(parl_model *m) {
  const parl_vision_dims *v = &m->dims.vision;
  float *times;
  if (v->L == 0) return PARL_STATUS_OK;
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, PARL_VISION_MAX_SIDE * v->d / 2, &m->vision.turns));
  fill_turns(v, m->vision.turns);
  m->vision.scale = (float)(1.0 / sqrt((double)v->d));
  PARL_TRY(PARL_ARENA_TAKE(&m->numbers, v->T * v->D, &m->vision.times));
  const parl_arena_mark mark = parl_arena_get_mark(&m->arena);
  PARL_TRY(PARL_ARENA_TAKE(&m->arena, v->T * v->D, &times));
  fill_times(v, times);
  parl_queue_upload(m->queue, m->vision.times, times, v->T * v->D * sizeof *times);
  parl_arena_rewind(&m->arena, mark);
  return parl_queue_wait(m->queue);
}
