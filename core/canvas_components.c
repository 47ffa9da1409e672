/* core/canvas_components.c - connected components: which there are and where they lie.
 *
 * A forest in the labels themselves: a pixel's label is its parent's place + 1, a root's its own.
 * Parents come before their children, so a root is its component's first pixel. */
#include "core/canvas.h"

static int32_t find_root(int32_t *labels, int32_t at) {
  while (labels[at] != at + 1) {
    labels[at] = labels[labels[at] - 1]; /* halves the way for the next one */
    at = labels[at] - 1;
  }
  return at;
}

static void join(int32_t *labels, int32_t a, int32_t b) {
  const int32_t root_a = find_root(labels, a), root_b = find_root(labels, b);
  if (root_a < root_b)
    labels[root_b] = root_a + 1;
  else
    labels[root_a] = root_b + 1;
}

/* Joins a pixel with its neighbours left of and above it. */
static void join_pixel(const parl_image *image, int32_t *labels, int x, int y) {
  const int width = image->width;
  const int32_t at = (int32_t)(y * width + x);
  labels[at] = at + 1;
  if (x > 0 && labels[at - 1] > 0) join(labels, at, at - 1);
  if (y == 0) return;
  if (x > 0 && labels[at - width - 1] > 0) join(labels, at, at - width - 1);
  if (labels[at - width] > 0) join(labels, at, at - width);
  if (x < width - 1 && labels[at - width + 1] > 0) join(labels, at, at - width + 1);
}

parl_status parl_canvas_label(const parl_image *image, uint32_t background, int32_t *labels,
                              int *n_out, const parl_pace *pace) {
  const int width = image->width, height = image->height;
  for (int y = 0; y < height; y++) {
    PARL_TRY(parl_pace_go_on(pace, 10.0 * width));
    for (int x = 0; x < width; x++)
      if (parl_canvas_get(image, x, y) == background)
        labels[y * width + x] = 0;
      else
        join_pixel(image, labels, x, y);
  }
  int n = 0;
  for (int32_t at = 0; at < width * height; at++) { /* numbers below 0 until all have theirs */
    if (at % width == 0) PARL_TRY(parl_pace_go_on(pace, 2.0 * width));
    if (labels[at] == at + 1)
      labels[at] = -++n;
    else if (labels[at] > 0)
      labels[at] = labels[labels[at] - 1];
  }
  for (int32_t at = 0; at < width * height; at++) labels[at] = -labels[at];
  *n_out = n;
  return PARL_STATUS_OK;
}

static void stretch(parl_canvas_box *box, int x, int y) {
  if (box->n++ == 0) {
    *box = (parl_canvas_box){.x = x, .y = y, .width = 1, .height = 1, .n = 1};
    return;
  }
  if (x < box->x) {
    box->width += box->x - x;
    box->x = x;
  }
  if (x >= box->x + box->width) box->width = x - box->x + 1;
  box->height = y - box->y + 1; /* rows come in order */
}

parl_status parl_canvas_measure(const int32_t *labels, int width, int height, int n,
                                parl_canvas_box *boxes, const parl_pace *pace) {
  for (int i = 0; i < n; i++) boxes[i] = (parl_canvas_box){0};
  for (int y = 0; y < height; y++) {
    PARL_TRY(parl_pace_go_on(pace, 4.0 * width));
    for (int x = 0; x < width; x++) {
      const int32_t label = labels[y * width + x];
      if (label > 0) stretch(&boxes[label - 1], x, y);
    }
  }
  return PARL_STATUS_OK;
}
