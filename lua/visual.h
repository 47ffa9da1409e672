/* lua/visual.h - scores of what was read off a picture: boxes, points, outlines, text, counts.
 *
 * All are 0 to 1; of two empty answers 1, of one empty answer 0. K2.5 names such rewards and not
 * their constants; these definitions are ours.
 * Thread rule: pure functions. Reading order: matching, boxes, points, polygons, texts, counts.
 * Source: Kimi K2.5 report on visual RL; reference vision 4. */
#ifndef PARL_LUA_VISUAL_H
#define PARL_LUA_VISUAL_H
#include <stdint.h>

#include "core/pace.h"

enum {
  PARL_VISUAL_MAX_ITEMS = 64,   /* boxes or points on a side */
  PARL_VISUAL_MAX_CORNERS = 64, /* of a polygon */
  PARL_VISUAL_MAX_TEXT = 1000   /* signs of a text */
};

/* The one-to-one matching of n rows and m columns with the greatest sum; every row, or every column
 * where these are fewer, is matched.
 *   score [n, m] in, finite · match [n] out: a column, or -1 · *sum of the matched scores, in the
 *   order of the rows
 * Fails: EINVAL if n or m is above PARL_VISUAL_MAX_ITEMS, ESTOPPED.
 * Source: Kuhn 1955, Munkres 1957, by shortest augmenting paths (Jonker & Volgenant 1987). */
parl_status parl_visual_match(const double *score, int n, int m, int *match, double *sum,
                              const parl_pace *pace);

/* Area in common / area of both. A box is {x0, y0, x1, y1}; one whose x1 <= x0 or y1 <= y0 has no
 * area and nothing in common with any. */
double parl_visual_box_iou(const double *a, const double *b);
/* 2 * sum of IoU / (n + m) over the best matching. boxes [n, 4], [m, 4]. Fails: as match. */
parl_status parl_visual_box_f1(const double *found, int n, const double *due, int m, double *out,
                               const parl_pace *pace);
/* The same with exp(-d^2 / (2 scale^2)) of the distance d for IoU; scale > 0.
 *   points [n, 2], [m, 2] */
parl_status parl_visual_point_f1(const double *found, int n, const double *due, int m, double scale,
                                 double *out, const parl_pace *pace);

/* Area in common / area of both polygons, inside by the even-odd rule, of any form; 1 if neither
 * has an area.
 *   a [n, 2], b [m, 2] corners, finite, within 1e6
 * Fails: EINVAL if n or m is above PARL_VISUAL_MAX_CORNERS, ESTOPPED. */
parl_status parl_visual_polygon_iou(const double *a, int n, const double *b, int m, double *out,
                                    const parl_pace *pace);

/* 1 - edits / max(n, m): the least insertions, deletions and replacements of a sign.
 * Fails: EINVAL if a text is longer than PARL_VISUAL_MAX_TEXT, ESTOPPED.
 * Source: Levenshtein 1966. */
parl_status parl_visual_text(const int64_t *found, int n, const int64_t *due, int m, double *out,
                             const parl_pace *pace);

/* max(0, 1 - |found - due| / max(due, 1)). */
double parl_visual_count(double found, double due);

#endif
