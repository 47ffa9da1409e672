/* engine/dep_mix.c - images drawn one by one until they are the share, then put by sequences. */
#include "engine/dep_mix.h"

#include <math.h>
#include <stdlib.h>

#include "core/seeds.h"

static parl_status add(parl_dep_mix *mix, parl_dep_image image) {
  if (mix->n == mix->room) {
    const size_t room = mix->room > 0 ? 2 * mix->room : 64;
    parl_dep_image *grown = realloc(mix->images, room * sizeof *grown);
    if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu images", room);
    mix->images = grown;
    mix->room = room;
  }
  mix->images[mix->n++] = image;
  return PARL_STATUS_OK;
}

static size_t draw_rows(const parl_dep_mix_def *def, parl_rng_cursor *rng) {
  const double n = round(def->median_rows * exp(def->sigma * parl_rng_next_normal(rng)));
  return n < 1.0 ? 1 : n > (double)def->max_rows ? def->max_rows : (size_t)n;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* used [n_sequences] visual tokens of each. */
static parl_status fill(const parl_dep_mix_def *def, size_t *used, parl_dep_mix *mix) {
  parl_rng_cursor rng = {1, parl_rng_stream(PARL_PURPOSE_IMAGES, 0, 0, 0), 0};
  size_t left = (size_t)round(def->share * (double)(def->n_sequences * def->sequence));
  mix->n_visual = (double)left;
  while (left > 0) {
    size_t n = least(draw_rows(def, &rng), left);
    size_t s = (size_t)parl_rng_next_below(&rng, def->n_sequences);
    while (used[s] == def->sequence - 1) s = (s + 1) % def->n_sequences;
    n = least(n, def->sequence - 1 - used[s]);
    const size_t rows = (size_t)sqrt((double)n), columns = n / rows;
    PARL_TRY(add(mix, (parl_dep_image){s, rows, columns}));
    used[s] += rows * columns;
    left -= rows * columns;
  }
  return PARL_STATUS_OK;
}

static int by_sequence(const void *x, const void *y) {
  const parl_dep_image *a = x, *b = y;
  if (a->sequence != b->sequence) return a->sequence < b->sequence ? -1 : 1;
  if (a->rows != b->rows) return a->rows < b->rows ? -1 : 1;
  return (a->columns > b->columns) - (a->columns < b->columns);
}

parl_status parl_dep_mix_draw(const parl_dep_mix_def *def, parl_dep_mix *out) {
  PARL_REQUIRE(def->n_sequences >= 1 && def->sequence >= 16 && def->max_rows >= 1);
  PARL_REQUIRE(def->share > 0.0 && def->share <= 0.9 && def->max_rows <= 65536);
  size_t *used = calloc(def->n_sequences, sizeof *used);
  parl_dep_mix mix = {0};
  if (used == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for images of sequences");
  const parl_status s = fill(def, used, &mix);
  free(used);
  if (s != PARL_STATUS_OK) {
    parl_dep_mix_deinit(&mix);
    return s;
  }
  qsort(mix.images, mix.n, sizeof *mix.images, by_sequence);
  *out = mix;
  return PARL_STATUS_OK;
}

void parl_dep_mix_deinit(parl_dep_mix *mix) {
  free(mix->images);
  *mix = (parl_dep_mix){0};
}
