/* tests/test_visual.c - scores of what was read off a picture: worked by hand, against brute force,
 * and what must hold for any answer. */
#include "core/rng.h"
#include "lua/visual.h"
#include "tests/support.h"

/* The best sum over all matchings that leave nobody out who need not be. */
static double search(const double *score, int n, int m, int row, unsigned taken, int n_skipped) {
  if (row == n) return 0;
  double best = -INFINITY;
  for (int j = 0; j < m; j++)
    if (!(taken >> j & 1)) {
      const double sum =
          score[row * m + j] + search(score, n, m, row + 1, taken | 1u << j, n_skipped);
      if (sum > best) best = sum;
    }
  if (n_skipped < n - m) {
    const double sum = search(score, n, m, row + 1, taken, n_skipped + 1);
    if (sum > best) best = sum;
  }
  return best;
}

static void check_match(const double *score, int n, int m) {
  int match[PARL_VISUAL_MAX_ITEMS];
  double sum = 0, again = 0;
  unsigned taken = 0;
  int n_matched = 0;
  assert_ok(parl_visual_match(score, n, m, match, &sum, NULL));
  for (int i = 0; i < n; i++) {
    if (match[i] < 0) continue;
    assert_true(match[i] < m && !(taken >> match[i] & 1));
    taken |= 1u << match[i];
    n_matched++;
    again += score[i * m + match[i]];
  }
  assert_int_equal(n_matched, n < m ? n : m);
  assert_close(sum, again, 0);
  assert_close(sum, search(score, n, m, 0, 0, 0), 1e-12);
}

static void test_matching_against_brute_force(void **state) {
  (void)state;
  for (int n = 1; n <= 6; n++)
    for (int m = 1; m <= 6; m++)
      for (uint64_t seed = 0; seed < 30; seed++) {
        double score[36];
        for (int i = 0; i < n * m; i++) {
          const double x = parl_rng_uniform(seed, (uint64_t)(n * 10 + m), (uint64_t)i);
          score[i] = seed % 3 == 0   ? floor(4 * x) / 4
                     : seed % 3 == 1 ? x
                                     : 2 * x - 1; /* ties; any */
        }
        check_match(score, n, m);
      }
}

/* Greedy takes .9 first and gets .9 + 0; the best is .8 + .7. */
static void test_a_matching_worked_by_hand(void **state) {
  (void)state;
  static const double score[4] = {0.9, 0.8, 0.7, 0.0};
  int match[2];
  double sum;
  assert_ok(parl_visual_match(score, 2, 2, match, &sum, NULL));
  assert_int_equal(match[0], 1);
  assert_int_equal(match[1], 0);
  assert_close(sum, 1.5, 1e-15);
  assert_fails(parl_visual_match(score, 65, 1, match, &sum, NULL), PARL_STATUS_EINVAL,
               "65 and 1 items to match; at most 64");
}

static double box_f1(const double *found, int n, const double *due, int m) {
  double score = -1;
  assert_ok(parl_visual_box_f1(found, n, due, m, &score, NULL));
  return score;
}

/* Two squares of 4 x 4, one of them moved by 2: 8 in common of 24. */
static void test_boxes_worked_by_hand(void **state) {
  (void)state;
  static const double a[4] = {0, 0, 4, 4}, b[4] = {2, 0, 6, 4}, c[4] = {4, 0, 8, 4};
  static const double turned[4] = {4, 4, 0, 0}, flat[4] = {0, 0, 4, 0};
  assert_close(parl_visual_box_iou(a, b), 8.0 / 24, 1e-15);
  assert_close(parl_visual_box_iou(a, a), 1, 0);
  assert_close(parl_visual_box_iou(a, c), 0, 0); /* they touch */
  assert_close(parl_visual_box_iou(a, turned), 0, 0);
  assert_close(parl_visual_box_iou(flat, flat), 0, 0);
  const double two[8] = {2, 0, 6, 4, 0, 0, 4, 4},
               three[12] = {0, 0, 4, 4, 10, 10, 11, 11, 2, 0, 6, 4};
  assert_close(box_f1(two, 2, a, 1), 2 * 1.0 / 3, 1e-15); /* one too many */
  assert_close(box_f1(two, 2, three, 3), 2 * 2.0 / 5, 1e-15);
  assert_close(box_f1(b, 1, two, 2), 2 * 1.0 / 3, 1e-15);
  assert_close(box_f1(c, 1, a, 1), 0, 0);
  assert_close(box_f1(a, 0, a, 0), 1, 0); /* both empty */
  assert_close(box_f1(a, 0, a, 1), 0, 0);
  assert_close(box_f1(a, 1, a, 0), 0, 0);
}

/* At a distance of 5 with scale 5: exp(-1/2). */
static void test_points_worked_by_hand(void **state) {
  (void)state;
  static const double here[2] = {1, 2}, there[2] = {4, 6}, both[4] = {4, 6, 1, 2};
  double score;
  assert_ok(parl_visual_point_f1(here, 1, there, 1, 5, &score, NULL));
  assert_close(score, 0.60653065971263342, 1e-15);
  assert_ok(parl_visual_point_f1(here, 1, both, 2, 5, &score, NULL));
  assert_close(score, 2.0 / 3, 1e-15);
  assert_ok(parl_visual_point_f1(both, 2, both, 2, 1e-3, &score, NULL));
  assert_close(score, 1, 1e-15);
  assert_ok(parl_visual_point_f1(here, 0, there, 0, 5, &score, NULL));
  assert_close(score, 1, 0);
  assert_ok(parl_visual_point_f1(here, 1, there, 0, 5, &score, NULL));
  assert_close(score, 0, 0);
}

static double polygon_iou(const double *a, int n, const double *b, int m) {
  double score = -1, turned = -1;
  assert_ok(parl_visual_polygon_iou(a, n, b, m, &score, NULL));
  assert_ok(parl_visual_polygon_iou(b, m, a, n, &turned, NULL));
  assert_close(score, turned, 1e-12);
  return score;
}

static void test_polygons_worked_by_hand(void **state) {
  (void)state;
  static const double square[8] = {0, 0, 4, 0, 4, 4, 0, 4}, moved[8] = {2, 0, 6, 0, 6, 4, 2, 4};
  static const double triangle[6] = {0, 0, 4, 0, 0, 4}, diamond[8] = {2, 0, 4, 2, 2, 4, 0, 2};
  static const double bow[8] = {0, 0, 4, 4, 4, 0, 0, 4}; /* two triangles of area 4 */
  static const double corner[12] = {0, 0, 4, 0, 4, 1, 1, 1, 1, 4, 0, 4}; /* an L of area 7 */
  static const double line[6] = {0, 0, 4, 4, 2, 2};
  assert_close(polygon_iou(square, 4, square, 4), 1, 1e-12);
  assert_close(polygon_iou(square, 4, moved, 4), 8.0 / 24, 1e-12);
  assert_close(polygon_iou(square, 4, triangle, 3), 0.5, 1e-12);
  assert_close(polygon_iou(square, 4, diamond, 4), 0.5, 1e-12);
  assert_close(polygon_iou(triangle, 3, diamond, 4), 4.0 / 12,
               1e-12); /* x + y < 4 cuts it in two */
  assert_close(polygon_iou(square, 4, bow, 4), 0.5, 1e-12);
  assert_close(polygon_iou(square, 4, corner, 6), 7.0 / 16, 1e-12);
  /* left of x = 1: 3; below y = 1 on the right: 1/2 */
  assert_close(polygon_iou(bow, 4, corner, 6), 3.5 / (8 + 7 - 3.5), 1e-12);
  assert_close(polygon_iou(square, 4, line, 3), 0, 0);
  assert_close(polygon_iou(line, 3, line, 3), 1, 0);
  assert_close(polygon_iou(square, 0, square, 0), 1, 0);
  assert_close(polygon_iou(square, 4, square, 0), 0, 0);
  double score;
  assert_fails(parl_visual_polygon_iou(square, 65, square, 4, &score, NULL), PARL_STATUS_EINVAL,
               "polygons of 65 and 4 corners; at most 64");
}

/* Rectangles as polygons score as boxes; any polygon as points counted on a grid. */
static void test_polygons_against_boxes(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 200; seed++) {
    double box[2][4], corners[2][8];
    for (int k = 0; k < 2; k++) {
      for (uint64_t i = 0; i < 4; i++)
        box[k][i] = (i < 2 ? 0 : 5) + floor(5 * parl_rng_uniform(seed, (uint64_t)k, i));
      const double due[8] = {box[k][0], box[k][1], box[k][2], box[k][1],
                             box[k][2], box[k][3], box[k][0], box[k][3]};
      memcpy(corners[k], due, sizeof due);
    }
    assert_close(polygon_iou(corners[0], 4, corners[1], 4), parl_visual_box_iou(box[0], box[1]),
                 1e-12);
  }
}

static bool is_inside(const double *p, int n, double x, double y) {
  bool inside = false;
  for (int i = 0, j = n - 1; i < n; j = i++)
    if ((p[2 * i + 1] > y) != (p[2 * j + 1] > y) &&
        x < p[2 * i] + (p[2 * j] - p[2 * i]) * (y - p[2 * i + 1]) / (p[2 * j + 1] - p[2 * i + 1]))
      inside = !inside;
  return inside;
}

static void test_polygons_against_a_grid(void **state) {
  (void)state;
  enum { CORNERS = 7, GRID = 400 };
  for (uint64_t seed = 0; seed < 6; seed++) {
    double p[2][2 * CORNERS];
    int common = 0, both = 0;
    for (uint64_t k = 0; k < 2; k++)
      for (uint64_t i = 0; i < 2 * CORNERS; i++) p[k][i] = parl_rng_uniform(seed, k, i);
    for (int y = 0; y < GRID; y++)
      for (int x = 0; x < GRID; x++) {
        const bool a = is_inside(p[0], CORNERS, (x + 0.5) / GRID, (y + 0.5) / GRID);
        const bool b = is_inside(p[1], CORNERS, (x + 0.5) / GRID, (y + 0.5) / GRID);
        common += a && b;
        both += a || b;
      }
    assert_close(polygon_iou(p[0], CORNERS, p[1], CORNERS), (double)common / both, 3e-3);
  }
}

static double text(const char *found, const char *due) {
  int64_t a[20], b[20];
  const int n = (int)strlen(found), m = (int)strlen(due);
  for (int i = 0; i < n; i++) a[i] = found[i];
  for (int j = 0; j < m; j++) b[j] = due[j];
  double score = -1;
  assert_ok(parl_visual_text(a, n, b, m, &score, NULL));
  return score;
}

static void test_texts_worked_by_hand(void **state) {
  (void)state;
  assert_close(text("kitten", "sitting"), 1 - 3.0 / 7, 1e-15); /* k to s, e to i, a g more */
  assert_close(text("sitting", "kitten"), 1 - 3.0 / 7, 1e-15);
  assert_close(text("12345", "2345"), 1 - 1.0 / 5, 1e-15);
  assert_close(text("ab", "ba"), 0, 0);
  assert_close(text("abc", "abc"), 1, 0);
  assert_close(text("abc", "xyz"), 0, 0);
  assert_close(text("", ""), 1, 0);
  assert_close(text("", "a"), 0, 0);
  assert_close(text("a", ""), 0, 0);
  double score;
  const int64_t none[1] = {0};
  assert_fails(parl_visual_text(none, 1001, none, 1, &score, NULL), PARL_STATUS_EINVAL,
               "texts of 1001 and 1 signs");
}

static void test_counts_worked_by_hand(void **state) {
  (void)state;
  assert_close(parl_visual_count(4, 4), 1, 0);
  assert_close(parl_visual_count(3, 4), 0.75, 0);
  assert_close(parl_visual_count(5, 4), 0.75, 0);
  assert_close(parl_visual_count(9, 4), 0, 0);
  assert_close(parl_visual_count(-3, 4), 0, 0);
  assert_close(parl_visual_count(0, 0), 1, 0);
  assert_close(parl_visual_count(1, 0), 0, 0);
  assert_close(parl_visual_count(0, 3), 0, 0);
}

/* Order does not matter, another answer that overlaps nothing lowers the score, one that is right
 * raises it. */
static void test_what_holds_for_any_boxes(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 100; seed++) {
    double due[6 * 4], found[7 * 4], turned[6 * 4];
    for (uint64_t i = 0; i < 24; i++) {
      due[i] = 10 * parl_rng_uniform(seed, 1, i) + (i % 4 < 2 ? 0 : 10);
      found[i] = 10 * parl_rng_uniform(seed, 2, i) + (i % 4 < 2 ? 0 : 10);
    }
    for (int i = 0; i < 6; i++) memcpy(turned + 4 * i, found + 4 * (5 - i), 4 * sizeof *found);
    const double score = box_f1(found, 6, due, 6);
    assert_true(score > 0 && score <= 1);
    assert_close(box_f1(turned, 6, due, 6), score, 1e-12);
    assert_close(box_f1(due, 6, found, 6), score, 1e-12);
    assert_close(box_f1(due, 6, due, 6), 1, 1e-12);
    const double far[4] = {90, 90, 91, 91};
    memcpy(found + 24, far, sizeof far);
    assert_true(box_f1(found, 7, due, 6) < score);
    assert_true(box_f1(due, 6, due, 6) > box_f1(due, 5, due, 6));
  }
}

static bool stop(void *data, double work) {
  (void)data;
  (void)work;
  return false;
}

static void test_work_stops(void **state) {
  (void)state;
  const parl_pace pace = {.may_go_on = stop};
  static const double box[4] = {0, 0, 1, 1}, triangle[6] = {0, 0, 1, 0, 0, 1};
  static const int64_t sign[1] = {3};
  double score;
  assert_status(parl_visual_box_f1(box, 1, box, 1, &score, &pace), PARL_STATUS_ESTOPPED);
  assert_status(parl_visual_polygon_iou(triangle, 3, triangle, 3, &score, &pace),
                PARL_STATUS_ESTOPPED);
  assert_status(parl_visual_text(sign, 1, sign, 1, &score, &pace), PARL_STATUS_ESTOPPED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_matching_against_brute_force),
      cmocka_unit_test(test_a_matching_worked_by_hand),
      cmocka_unit_test(test_boxes_worked_by_hand),
      cmocka_unit_test(test_points_worked_by_hand),
      cmocka_unit_test(test_polygons_worked_by_hand),
      cmocka_unit_test(test_polygons_against_boxes),
      cmocka_unit_test(test_polygons_against_a_grid),
      cmocka_unit_test(test_texts_worked_by_hand),
      cmocka_unit_test(test_counts_worked_by_hand),
      cmocka_unit_test(test_what_holds_for_any_boxes),
      cmocka_unit_test(test_work_stops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
