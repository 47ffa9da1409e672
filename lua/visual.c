/* lua/visual.c - matching, and the scores that need it; texts and counts. */
#include "lua/visual.h"

#include <math.h>
#include <string.h>

enum { MAX = PARL_VISUAL_MAX_ITEMS };

/* --- matching: rows join one by one, each by a shortest path over reduced costs --- */

/* Rows and columns count from 1; column 0 stands for the row that joins. */
typedef struct matching {
  int n, m; /* n <= m */
  double cost[MAX + 1][MAX + 1];
  double of_row[MAX + 1], of_column[MAX + 1]; /* potentials: cost - both >= 0 */
  int row_of[MAX + 1];                        /* of a column; 0: none */
} matching;

/* Grows the tree of shortest paths until it meets a free column, which it returns. before [m + 1]:
 * each column's predecessor. */
static int find_path(matching *w, int row, int *before) {
  double least[MAX + 1];
  bool is_done[MAX + 1] = {false};
  for (int j = 0; j <= w->m; j++) least[j] = (double)INFINITY;
  int column = 0;
  w->row_of[0] = row;
  do {
    is_done[column] = true;
    const int i = w->row_of[column];
    int next = 0;
    double step = (double)INFINITY;
    for (int j = 1; j <= w->m; j++) {
      if (is_done[j]) continue;
      const double reduced = w->cost[i][j] - w->of_row[i] - w->of_column[j];
      if (reduced < least[j]) {
        least[j] = reduced;
        before[j] = column;
      }
      if (least[j] < step) {
        step = least[j];
        next = j;
      }
    }
    for (int j = 0; j <= w->m; j++) {
      if (is_done[j]) {
        w->of_row[w->row_of[j]] += step;
        w->of_column[j] -= step;
      } else {
        least[j] -= step;
      }
    }
    column = next;
  } while (w->row_of[column] != 0);
  return column;
}

static void join(matching *w, int row) {
  int before[MAX + 1] = {0};
  for (int column = find_path(w, row, before); column != 0; column = before[column])
    w->row_of[column] = w->row_of[before[column]];
}

parl_status parl_visual_match(const double *score, int n, int m, int *match, double *sum,
                              const parl_pace *pace) {
  if (n > MAX || m > MAX)
    return parl_fail(PARL_STATUS_EINVAL, "%d and %d items to match; at most %d", n, m, (int)MAX);
  const bool is_turned = n > m;
  matching w = {.n = is_turned ? m : n, .m = is_turned ? n : m};
  for (int i = 0; i < w.n; i++)
    for (int j = 0; j < w.m; j++)
      w.cost[i + 1][j + 1] = -(is_turned ? score[j * m + i] : score[i * m + j]);
  for (int row = 1; row <= w.n; row++) {
    PARL_TRY(parl_pace_go_on(pace, 2.0 * row * w.m));
    join(&w, row);
  }
  for (int i = 0; i < n; i++) match[i] = is_turned ? w.row_of[i + 1] - 1 : -1;
  for (int j = 1; j <= w.m && !is_turned; j++)
    if (w.row_of[j] != 0) match[w.row_of[j] - 1] = j - 1;
  *sum = 0;
  for (int i = 0; i < n; i++)
    if (match[i] >= 0) *sum += score[i * m + match[i]];
  return PARL_STATUS_OK;
}

/* --- boxes and points --- */

static double get_area(double width, double height) {
  return width > 0 && height > 0 ? width * height : 0;
}

double parl_visual_box_iou(const double *a, const double *b) {
  const double common =
      get_area(fmin(a[2], b[2]) - fmax(a[0], b[0]), fmin(a[3], b[3]) - fmax(a[1], b[1]));
  const double area_a = get_area(a[2] - a[0], a[3] - a[1]);
  const double area_b = get_area(b[2] - b[0], b[3] - b[1]);
  return common > 0 ? common / (area_a + area_b - common) : 0;
}

/* How near two points are; `scale` points to one number. */
static double get_nearness(const double *a, const double *b, double scale) {
  const double dx = a[0] - b[0], dy = a[1] - b[1];
  return exp(-(dx * dx + dy * dy) / (2 * scale * scale));
}

/* 2 * sum / (n + m) over the best matching; scale 0: of boxes, else of points. */
static parl_status get_f1(const double *found, int n, const double *due, int m, double scale,
                          double *out, const parl_pace *pace) {
  double score[MAX * MAX], sum = 0;
  int match[MAX];
  const int width = scale > 0 ? 2 : 4;
  if (n == 0 || m == 0) {
    *out = n == m;
    return PARL_STATUS_OK;
  }
  for (int i = 0; i < n && n <= MAX && m <= MAX; i++)
    for (int j = 0; j < m; j++)
      score[i * m + j] = scale > 0 ? get_nearness(found + i * width, due + j * width, scale)
                                   : parl_visual_box_iou(found + i * width, due + j * width);
  PARL_TRY(parl_visual_match(score, n, m, match, &sum, pace));
  *out = 2 * sum / (n + m);
  return PARL_STATUS_OK;
}

parl_status parl_visual_box_f1(const double *found, int n, const double *due, int m, double *out,
                               const parl_pace *pace) {
  return get_f1(found, n, due, m, 0, out, pace);
}

parl_status parl_visual_point_f1(const double *found, int n, const double *due, int m, double scale,
                                 double *out, const parl_pace *pace) {
  PARL_REQUIRE(scale > 0);
  return get_f1(found, n, due, m, scale, out, pace);
}

/* --- texts and counts --- */

static int get_least(int a, int b, int c) {
  const int least = a < b ? a : b;
  return least < c ? least : c;
}

/* A row of the table of distances after another: of the first i signs to the first j. */
parl_status parl_visual_text(const int64_t *found, int n, const int64_t *due, int m, double *out,
                             const parl_pace *pace) {
  int row[PARL_VISUAL_MAX_TEXT + 1];
  if (n > PARL_VISUAL_MAX_TEXT || m > PARL_VISUAL_MAX_TEXT)
    return parl_fail(PARL_STATUS_EINVAL, "texts of %d and %d signs; at most %d", n, m,
                     (int)PARL_VISUAL_MAX_TEXT);
  for (int j = 0; j <= m; j++) row[j] = j;
  for (int i = 1; i <= n; i++) {
    PARL_TRY(parl_pace_go_on(pace, 2.0 * m));
    int corner = row[0]; /* of the row before, one column to the left */
    row[0] = i;
    for (int j = 1; j <= m; j++) {
      const int replaced = corner + (found[i - 1] != due[j - 1]);
      corner = row[j];
      row[j] = get_least(replaced, row[j] + 1, row[j - 1] + 1);
    }
  }
  const int longer = n > m ? n : m;
  *out = longer == 0 ? 1 : 1 - (double)row[m] / longer;
  return PARL_STATUS_OK;
}

double parl_visual_count(double found, double due) {
  return fmax(0, 1 - fabs(found - due) / fmax(due, 1));
}
