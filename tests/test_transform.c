/* tests/test_transform.c - crops, flips, turns and scaling, of pixels and of what is said of them:
 * a case by hand, inverses over random compositions, and what must not change. */
#include "core/augment.h"
#include "core/canvas.h"
#include "lua/visual.h"
#include "tests/support.h"

/* A picture whose pixels all differ. */
static parl_image make_picture(int width, int height) {
  parl_image image = {0};
  assert_ok(parl_image_init(&image, width, height));
  for (int i = 0; i < 3 * width * height; i++)
    image.rgb[i] = (uint8_t)(i % 3 == 0 ? i / 3 : i % 3 == 1 ? i / 768 : 77);
  return image;
}

static bool is_same(const parl_image *a, const parl_image *b) {
  return a->width == b->width && a->height == b->height &&
         memcmp(a->rgb, b->rgb, 3 * (size_t)a->width * (size_t)a->height) == 0;
}

static void by_hand(void **state) {
  (void)state;
  /* A row of 3 and one of 3 below it: 1 2 3 / 4 5 6. */
  static const int due[][6] = {
      {3, 2, 1, 6, 5, 4}, /* flip_x */
      {4, 5, 6, 1, 2, 3}, /* flip_y */
      {4, 1, 5, 2, 6, 3}, /* a turn: 4 1 / 5 2 / 6 3 */
      {6, 5, 4, 3, 2, 1}, /* two */
      {3, 6, 2, 5, 1, 4}, /* three: 3 6 / 2 5 / 1 4 */
  };
  parl_image image = {0}, out = {0};
  assert_ok(parl_image_init(&image, 3, 2));
  for (int i = 0; i < 6; i++) image.rgb[3 * i] = (uint8_t)(i + 1);
  for (int k = 0; k < 5; k++) {
    parl_transform t = parl_transform_none(3, 2);
    if (k == 0) assert_ok(parl_transform_flip_x(&t));
    if (k == 1) assert_ok(parl_transform_flip_y(&t));
    if (k > 1) assert_ok(parl_transform_turn(&t, k - 1));
    assert_ok(parl_transform_pixels(&t, &image, &out));
    assert_int_equal(out.width, k == 2 || k == 4 ? 2 : 3);
    for (int i = 0; i < 6; i++) assert_int_equal(out.rgb[3 * i], due[k][i]);
    parl_image_deinit(&out);
  }
  parl_image_deinit(&image);
}

/* A crop of 20 x 10 at (5, 2) of 40 x 30, mirrored, turned once, to 20 x 60. */
static void coordinates_by_hand(void **state) {
  (void)state;
  parl_transform t = parl_transform_none(40, 30);
  parl_text text = {0};
  assert_ok(parl_transform_crop(&t, 5, 2, 20, 10));
  assert_ok(parl_transform_flip_x(&t));
  assert_ok(parl_transform_turn(&t, 1));
  /* pixel (7, 3): (2, 1) of the crop, (17, 1) mirrored, (10 - 1 - 1, 17) turned */
  double p[2] = {7, 3}, gone[2] = {4, 3};
  assert_true(parl_transform_point(&t, p));
  assert_true(p[0] == 8 && p[1] == 17);
  assert_false(parl_transform_point(&t, gone));
  /* columns 0 to 7, rows 3 to 5: 0 to 2 and 1 to 3 of the crop, cut; 17 to 19; rows 17 to 19 and
   * columns 10 - 4 to 10 - 1 - 1 */
  double b[4] = {0, 3, 8, 6}, out[4] = {0, 0, 5, 30};
  assert_true(parl_transform_box(&t, b));
  assert_true(b[0] == 6 && b[1] == 17 && b[2] == 9 && b[3] == 20);
  assert_false(parl_transform_box(&t, out)); /* it ends where the crop begins */
  assert_ok(parl_transform_scale(&t, 20, 60));
  double q[2] = {7, 3}, c[4] = {0, 3, 8, 6};
  assert_true(parl_transform_point(&t, q) && parl_transform_box(&t, c));
  assert_true(q[0] == 16.5 && q[1] == 52); /* centres of 8.5 * 2 and 17.5 * 3, less 1/2 */
  assert_true(c[0] == 12 && c[1] == 51 && c[2] == 18 && c[3] == 60);
  parl_transform_append_text(&t, &text);
  assert_string_equal(parl_text_get(&text),
                      "crop 20 x 10 at (5, 2), flip_x, turn 1, scale to 20 x 60");
  parl_text_deinit(&text);
}

static void words_by_hand(void **state) {
  (void)state;
  static const struct {
    int turns;
    bool flip_x, flip_y;
    const char *from, *to;
  } cases[] = {
      {0, true, false, "left", "right"},
      {0, true, false, "top", "top"},
      {0, false, true, "bottom", "top"},
      {0, false, true, "right", "right"},
      {1, false, false, "left", "top"}, /* clockwise: what was left is above */
      {1, false, false, "bottom", "left"},
      {3, false, false, "left", "bottom"},
      {2, false, false, "top_left", "bottom_right"},
      {1, false, false, "top_left", "top_right"},
      {1, true, false, "top_left", "bottom_right"}, /* mirrored, then turned */
      {0, true, false, "left_bottom", "bottom_right"},
  };
  const parl_side_names names = parl_side_names_default();
  char out[32];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_transform t = parl_transform_none(8, 4);
    if (cases[i].flip_x) assert_ok(parl_transform_flip_x(&t));
    if (cases[i].flip_y) assert_ok(parl_transform_flip_y(&t));
    assert_ok(parl_transform_turn(&t, cases[i].turns));
    assert_true(parl_transform_word(&t, &names, cases[i].from, out, sizeof out));
    assert_string_equal(out, cases[i].to);
  }
  const parl_transform none = parl_transform_none(8, 4);
  assert_false(parl_transform_word(&none, &names, "red", out, sizeof out));
  assert_false(parl_transform_word(&none, &names, "left_right", out, sizeof out));
  assert_false(parl_transform_word(&none, &names, "top_", out, sizeof out));
}

/* --- random compositions --- */

static parl_rng_cursor dice;

static int roll(int below) {
  return (int)parl_rng_next_below(&dice, (uint64_t)below);
}

/* Up to 6 steps; with crops and scaling only if asked for. */
static parl_transform make_random(int width, int height, bool crops, bool scales) {
  parl_transform t = parl_transform_none(width, height);
  for (int n = roll(7); n > 0; n--) {
    int w, h;
    parl_transform_get_size(&t, &w, &h);
    switch (roll(3 + (crops ? 1 : 0) + (scales ? 1 : 0))) {
      case 0:
        assert_ok(parl_transform_flip_x(&t));
        break;
      case 1:
        assert_ok(parl_transform_flip_y(&t));
        break;
      case 2:
        assert_ok(parl_transform_turn(&t, roll(9) - 4));
        break;
      case 3:
        if (crops) {
          const int cw = 1 + w / 2 + roll(w - w / 2), ch = 1 + h / 2 + roll(h - h / 2);
          if (cw > w || ch > h) break;
          assert_ok(parl_transform_crop(&t, roll(w - cw + 1), roll(h - ch + 1), cw, ch));
          break;
        } /* fall through */
      default:
        assert_ok(parl_transform_scale(&t, 1 + roll(40), 1 + roll(40)));
    }
  }
  return t;
}

/* Flips and turns move pixels and nothing else: their inverse gives the picture back, and the pixel
 * under a point stays under it. */
static void pixels_come_back(void **state) {
  (void)state;
  dice = (parl_rng_cursor){11, 1, 0};
  for (int k = 0; k < 200; k++) {
    const int w = 1 + roll(12), h = 1 + roll(12);
    const parl_transform t = make_random(w, h, false, false), inverse = parl_transform_invert(&t);
    parl_transform both = t;
    parl_image image = make_picture(w, h), there = {0}, back = {0}, once = {0};
    assert_ok(parl_transform_pixels(&t, &image, &there));
    assert_ok(parl_transform_pixels(&inverse, &there, &back));
    assert_true(is_same(&image, &back));
    assert_ok(parl_transform_append(&both, &inverse));
    assert_ok(parl_transform_pixels(&both, &image, &once));
    assert_true(is_same(&image, &once));
    parl_image_deinit(&image);
    parl_image_deinit(&there);
    parl_image_deinit(&back);
    parl_image_deinit(&once);
  }
}

static void a_pixel_stays_under_its_point(void **state) {
  (void)state;
  dice = (parl_rng_cursor){12, 1, 0};
  for (int k = 0; k < 200; k++) {
    const int w = 1 + roll(12), h = 1 + roll(12);
    const parl_transform t = make_random(w, h, true, false);
    parl_image image = make_picture(w, h), there = {0};
    assert_ok(parl_transform_pixels(&t, &image, &there));
    int n_left = 0;
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        double p[2] = {x, y};
        if (!parl_transform_point(&t, p)) continue;
        n_left++;
        assert_int_equal(parl_canvas_get(&image, x, y),
                         parl_canvas_get(&there, (int)p[0], (int)p[1]));
      }
    assert_int_equal(n_left, there.width * there.height); /* each from one place */
    parl_image_deinit(&image);
    parl_image_deinit(&there);
  }
}

static void draw_box(int w, int h, double *box) {
  box[0] = roll(w);
  box[1] = roll(h);
  box[2] = box[0] + 1 + roll(w - (int)box[0]);
  box[3] = box[1] + 1 + roll(h - (int)box[1]);
}

/* Points and boxes of the picture come back where nothing of them was lost; a box that was cut
 * comes back as what was left of it; words always. */
static void coordinates_come_back(void **state) {
  (void)state;
  dice = (parl_rng_cursor){13, 1, 0};
  const parl_side_names names = parl_side_names_default();
  int n_lost = 0, n_cut = 0;
  for (int k = 0; k < 2000; k++) {
    const int w = 1 + roll(40), h = 1 + roll(40);
    const parl_transform t = make_random(w, h, true, true), inverse = parl_transform_invert(&t);
    const double x = roll(w), y = roll(h);
    double p[2] = {x, y}, box[4], b[4];
    draw_box(w, h, box);
    memcpy(b, box, sizeof b);
    if (parl_transform_point(&t, p)) {
      assert_true(parl_transform_point(&inverse, p));
      assert_close(p[0], x, 1e-9);
      assert_close(p[1], y, 1e-9);
    } else {
      n_lost++;
    }
    if (parl_transform_box(&t, b)) {
      double again[4];
      assert_true(parl_transform_box(&inverse, b));
      for (int i = 0; i < 4; i++)
        assert_true(i < 2 ? b[i] >= box[i] - 1e-9 : b[i] <= box[i] + 1e-9);
      const bool is_cut = b[0] > box[0] + 1e-9 || b[1] > box[1] + 1e-9 || b[2] < box[2] - 1e-9 ||
                          b[3] < box[3] - 1e-9;
      n_cut += is_cut;
      memcpy(again, b, sizeof again); /* what is left is not cut again */
      assert_true(parl_transform_box(&t, again) && parl_transform_box(&inverse, again));
      for (int i = 0; i < 4; i++) assert_close(again[i], b[i], 1e-9);
    }
    static const char *const words[] = {"left",        "top",          "right",   "bottom",
                                        "bottom_left", "bottom_right", "top_left"};
    char there[32], back[32];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
      assert_true(parl_transform_word(&t, &names, words[i], there, sizeof there));
      assert_true(parl_transform_word(&inverse, &names, there, back, sizeof back));
      assert_string_equal(back, words[i]);
    }
  }
  assert_true(n_lost > 100 && n_cut > 100);
}

/* How much two boxes have in common does not change; nor does what is left of which. */
static void relations_stay(void **state) {
  (void)state;
  dice = (parl_rng_cursor){14, 1, 0};
  for (int k = 0; k < 2000; k++) {
    const int w = 2 + roll(40), h = 2 + roll(40);
    const parl_transform t = make_random(w, h, false, true);
    double a[4], b[4];
    draw_box(w, h, a);
    draw_box(w, h, b);
    const double iou = parl_visual_box_iou(a, b);
    assert_true(parl_transform_box(&t, a) && parl_transform_box(&t, b));
    assert_close(parl_visual_box_iou(a, b), iou, 1e-9);
    /* the middle of the left side is on that side of the new picture which `left` became */
    int new_w, new_h;
    double p[2] = {0, (h - 1) / 2.0};
    parl_transform_get_size(&t, &new_w, &new_h);
    const parl_side side = parl_transform_side(&t, PARL_SIDE_LEFT);
    assert_true(parl_transform_point(&t, p));
    const double from[] = {p[0] + 0.5, p[1] + 0.5, new_w - p[0] - 0.5, new_h - p[1] - 0.5};
    const double extent = side % 2 == 0 ? new_w : new_h;
    assert_close(from[side] / extent, 0.5 / w, 1e-9);
  }
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  parl_transform t = parl_transform_none(8, 6), other = parl_transform_none(6, 8);
  parl_image image = make_picture(4, 4), out = {0};
  assert_fails(parl_transform_crop(&t, 3, 0, 6, 2), PARL_STATUS_EINVAL,
               "a crop of 6 x 2 pixels at (3, 0) is not inside of 8 x 6");
  assert_fails(parl_transform_crop(&t, -1, 0, 2, 2), PARL_STATUS_EINVAL, "not inside");
  assert_fails(parl_transform_crop(&t, 0, 0, 0, 2), PARL_STATUS_EINVAL, "not inside");
  assert_fails(parl_transform_scale(&t, 0, 2), PARL_STATUS_EINVAL, "a side is 1 to 65535");
  assert_fails(parl_transform_append(&t, &other), PARL_STATUS_EINVAL,
               "a transform of 6 x 8 pixels cannot follow one to 8 x 6");
  assert_fails(parl_transform_pixels(&t, &image, &out), PARL_STATUS_EINVAL, "takes 8 x 6");
  assert_int_equal(t.n, 0);
  assert_ok(parl_transform_crop(&other, 0, 0, 4, 4));
  other = parl_transform_invert(&other);
  assert_fails(parl_transform_pixels(&other, &image, &out), PARL_STATUS_EINVAL, "are gone");
  for (int i = 0; i < 4; i++) assert_ok(parl_transform_flip_x(&t));
  for (int i = 0; i < 2; i++) assert_ok(parl_transform_append(&t, &t)); /* itself: as it was */
  assert_int_equal(t.n, 16);
  assert_fails(parl_transform_append(&t, &t), PARL_STATUS_EINVAL, "more than 16 steps");
  assert_fails(parl_transform_flip_x(&t), PARL_STATUS_EINVAL, "more than 16 steps");
  parl_image_deinit(&image);
}

/* --- drawing --- */

/* Of many draws no picture, point or box goes beyond what is said to be the largest, and some come
 * there. */
static void nothing_goes_beyond_the_largest(void **state) {
  (void)state;
  static const parl_augment_config configs[] = {
      {.crop = 1, .scale_min = 1, .scale_max = 1, .flip_x = 0.5},
      {.crop = 1, .scale_min = 0.5, .scale_max = 1, .flip_y = 0.5},
      {.crop = 1, .scale_min = 1, .scale_max = 1, .turn = 0.5},
      {.crop = 1, .scale_min = 1, .scale_max = 2.3},
      {.crop = 0.3, .scale_min = 0.5, .scale_max = 3, .turn = 0.7},
      {.crop = 0.3, .scale_min = 1, .scale_max = 1, .flip_x = 0.5, .flip_y = 0.5}};
  dice = (parl_rng_cursor){12, 1, 0};
  for (size_t k = 0; k < sizeof configs / sizeof *configs; k++)
    for (int trial = 0; trial < 40; trial++) {
      const int w = 1 + roll(12), h = 1 + roll(12), x = roll(w), y = roll(h);
      const double at[2] = {x, y};
      const double box[4] = {roll(x + 1), roll(y + 1), x + 1, y + 1};
      int most_w, most_h;
      parl_augment_get_largest(&configs[k], w, h, &most_w, &most_h);
      const int of_point = parl_augment_get_farthest(&configs[k], w, h, at, 2);
      const int of_box = parl_augment_get_farthest(&configs[k], w, h, box, 4);
      double far_point = 0, far_box = 0;
      for (int i = 0; i < 200; i++) {
        const parl_augment a = parl_augment_draw(&configs[k], &dice);
        parl_transform t;
        double p[2] = {at[0], at[1]}, b[4] = {box[0], box[1], box[2], box[3]};
        int to_w, to_h;
        assert_ok(parl_augment_bind(&a, w, h, 1, &t));
        parl_transform_get_size(&t, &to_w, &to_h);
        assert_true(to_w <= (a.quarters % 2 ? most_h : most_w));
        assert_true(to_h <= (a.quarters % 2 ? most_w : most_h));
        if (parl_transform_point(&t, p))
          far_point = fmax(far_point, fmax(fmin(floor(p[0] + 0.5), to_w - 1),
                                           fmin(floor(p[1] + 0.5), to_h - 1)));
        if (parl_transform_box(&t, b)) far_box = fmax(far_box, fmax(ceil(b[2]), ceil(b[3])));
      }
      assert_true(far_point <= of_point && far_box <= of_box);
      assert_true(k > 2 || (far_point >= of_point && far_box >= of_box));
    }
}

static void draws_keep_to_what_is_allowed(void **state) {
  (void)state;
  enum { N = 3000 };
  parl_augment_config c;
  parl_config_set_defaults(&parl_augment_section, &c);
  assert_false(parl_augment_is_on(&c));
  parl_rng_cursor cursor = {3, 4, 0};
  parl_augment a = parl_augment_draw(&c, &cursor);
  assert_true(parl_augment_is_none(&a));
  c = (parl_augment_config){
      .crop = 0.5, .flip_x = 0.25, .turn = 0.75, .scale_min = 0.5, .scale_max = 2};
  assert_true(parl_augment_is_on(&c));
  int n_flips = 0, n_turns[4] = {0}, n_columns[9] = {0}, n_whole = 0;
  for (int i = 0; i < N; i++) {
    parl_transform t;
    int w, h;
    a = parl_augment_draw(&c, &cursor);
    assert_false(a.flip_y);
    assert_true(a.scale >= 0.5 && a.scale <= 2);
    n_flips += a.flip_x;
    n_turns[a.quarters]++;
    a.scale = 1;
    a.quarters = 0;
    assert_ok(parl_augment_bind(&a, 64, 48, 8, &t));
    parl_transform_get_size(&t, &w, &h);
    assert_true(w % 8 == 0 && h % 8 == 0 && w >= 32 && h >= 24);
    n_columns[w / 8]++;
    n_whole += t.n == (a.flip_x ? 1 : 0);
  }
  assert_close(n_flips, 0.25 * N, 100);
  for (int k = 0; k < 4; k++) assert_close(n_turns[k], 0.25 * N, 100);
  for (int k = 4; k <= 8; k++) assert_close(n_columns[k], N / 5.0, 100);
  assert_close(n_whole, N / 20.0, 50); /* 8 of 8 columns and 6 of 6 rows: 1/5 of 1/4 */
  parl_transform t;
  assert_fails(parl_augment_bind(&a, 20, 48, 8, &t), PARL_STATUS_EINVAL,
               "a unit of 8 pixels does not divide 20 x 48");
  a = (parl_augment){.crop = 1, .scale = 0.1, .quarters = 1};
  assert_ok(parl_augment_bind(&a, 3, 30, 1, &t)); /* turned, then 3 x 30 to 3 x 1 */
  int w, h;
  parl_transform_get_size(&t, &w, &h);
  assert_true(w == 3 && h == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_hand),
      cmocka_unit_test(coordinates_by_hand),
      cmocka_unit_test(words_by_hand),
      cmocka_unit_test(pixels_come_back),
      cmocka_unit_test(a_pixel_stays_under_its_point),
      cmocka_unit_test(coordinates_come_back),
      cmocka_unit_test(relations_stay),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(nothing_goes_beyond_the_largest),
      cmocka_unit_test(draws_keep_to_what_is_allowed),
  };
  return cmocka_run_group_tests_name("transform", tests, NULL, NULL);
}
