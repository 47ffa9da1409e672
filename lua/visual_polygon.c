/* lua/visual_polygon.c - what two polygons have in common.
 *
 * Upright lines through every corner and every crossing cut the plane into slabs in which no edges
 * cross. There the lengths that are inside change linearly, so that the length in the middle of a
 * slab times its width is the area. */
#include <math.h>
#include <stdlib.h>

#include "lua/visual.h"

enum {
  MAX_EDGES = 2 * PARL_VISUAL_MAX_CORNERS,
  MAX_LINES = 2 * MAX_EDGES + MAX_EDGES * (MAX_EDGES - 1) / 2
};

typedef struct edge {
  double x0, y0, x1, y1; /* x0 < x1 */
  int polygon;           /* 0 or 1 */
} edge;

typedef struct slabs {
  int n_edges, n_lines;
  edge edges[MAX_EDGES];
  double lines[MAX_LINES];
  double common, both; /* areas so far */
} slabs;

static double get_y(const edge *e, double x) {
  return e->y0 + (e->y1 - e->y0) * ((x - e->x0) / (e->x1 - e->x0));
}

/* Upright edges bound no length of any slab. */
static void add_edges(slabs *s, const double *corners, int n, int polygon) {
  for (int i = 0; i < n; i++) {
    const double *a = corners + 2 * i, *b = corners + 2 * ((i + 1) % n);
    s->lines[s->n_lines++] = a[0];
    if (a[0] < b[0])
      s->edges[s->n_edges++] = (edge){a[0], a[1], b[0], b[1], polygon};
    else if (a[0] > b[0])
      s->edges[s->n_edges++] = (edge){b[0], b[1], a[0], a[1], polygon};
  }
}

/* Where the two differ in sign at the ends of what they share, they cross in between. */
static void add_crossing(slabs *s, const edge *a, const edge *b) {
  const double left = fmax(a->x0, b->x0), right = fmin(a->x1, b->x1);
  if (!(left < right)) return;
  const double at_left = get_y(a, left) - get_y(b, left);
  const double at_right = get_y(a, right) - get_y(b, right);
  if (!((at_left < 0 && at_right > 0) || (at_left > 0 && at_right < 0))) return;
  s->lines[s->n_lines++] = left + (right - left) * (at_left / (at_left - at_right));
}

static int compare_numbers(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef struct crossing {
  double y;
  int polygon;
} crossing;

static int compare_crossings(const void *a, const void *b) {
  return compare_numbers(&((const crossing *)a)->y, &((const crossing *)b)->y);
}

static void add_slab(slabs *s, double left, double right) {
  crossing list[MAX_EDGES];
  int n = 0, inside[2] = {0, 0};
  const double middle = left + (right - left) / 2;
  for (int i = 0; i < s->n_edges; i++)
    if (s->edges[i].x0 < middle && middle < s->edges[i].x1)
      list[n++] = (crossing){get_y(&s->edges[i], middle), s->edges[i].polygon};
  qsort(list, (size_t)n, sizeof list[0], compare_crossings);
  for (int i = 0; i + 1 < n; i++) {
    inside[list[i].polygon] ^= 1;
    const double area = (list[i + 1].y - list[i].y) * (right - left);
    if (inside[0] && inside[1]) s->common += area;
    if (inside[0] || inside[1]) s->both += area;
  }
}

parl_status parl_visual_polygon_iou(const double *a, int n, const double *b, int m, double *out,
                                    const parl_pace *pace) {
  slabs s = {0};
  if (n > PARL_VISUAL_MAX_CORNERS || m > PARL_VISUAL_MAX_CORNERS)
    return parl_fail(PARL_STATUS_EINVAL, "polygons of %d and %d corners; at most %d", n, m,
                     (int)PARL_VISUAL_MAX_CORNERS);
  add_edges(&s, a, n, 0);
  add_edges(&s, b, m, 1);
  for (int i = 0; i < s.n_edges; i++)
    for (int j = 0; j < i; j++) add_crossing(&s, &s.edges[i], &s.edges[j]);
  qsort(s.lines, (size_t)s.n_lines, sizeof s.lines[0], compare_numbers);
  for (int i = 0; i + 1 < s.n_lines; i++) {
    if (!(s.lines[i] < s.lines[i + 1])) continue;
    PARL_TRY(parl_pace_go_on(pace, 8.0 * s.n_edges));
    add_slab(&s, s.lines[i], s.lines[i + 1]);
  }
  *out = s.both > 0 ? s.common / s.both : 1;
  return PARL_STATUS_OK;
}
