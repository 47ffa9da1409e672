/* tests/test_canvas.c - shapes pixel by pixel, their properties, and components against a flood. */
#include "core/canvas.h"
#include "tests/support.h"

enum { WHITE = 0xffffff };

static parl_image blank(int width, int height) {
  parl_image image;
  assert_ok(parl_image_init(&image, width, height));
  return image;
}

/* The image, freed, looks like due: rows of '#' (not black) and '.'. */
static void check_looks(parl_image *image, const char *due) {
  parl_text text = {0};
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++)
      parl_text_append(&text, parl_canvas_get(image, x, y) ? "#" : ".");
    parl_text_append(&text, y + 1 < image->height ? "\n" : "");
  }
  if (strcmp(parl_text_get(&text), due) != 0)
    fail_msg("is\n%s\ndue was\n%s", parl_text_get(&text), due);
  parl_text_deinit(&text);
  parl_image_deinit(image);
}

static int count(const parl_image *image) {
  int n = 0;
  for (int y = 0; y < image->height; y++)
    for (int x = 0; x < image->width; x++) n += parl_canvas_get(image, x, y) != 0;
  return n;
}

static void test_rectangles(void **state) {
  (void)state;
  parl_image image = blank(6, 4);
  parl_canvas_rect(&image, 1, 1, 3, 2, WHITE);
  parl_canvas_rect(&image, 5, -7, 90, 8, WHITE);
  parl_canvas_rect(&image, 0, 3, 0, 1, WHITE);
  parl_canvas_rect(&image, -PARL_CANVAS_FAR, 3, PARL_CANVAS_FAR, 1, WHITE);
  parl_canvas_rect(&image, PARL_CANVAS_FAR, 3, PARL_CANVAS_FAR, 1, WHITE);
  check_looks(&image,
              ".....#\n"
              ".###..\n"
              ".###..\n"
              "......");
}

static void test_colours(void **state) {
  (void)state;
  parl_image image = blank(2, 1);
  parl_canvas_fill(&image, 0x123456);
  parl_canvas_rect(&image, 1, 0, 1, 1, 0xabcdef);
  assert_int_equal(parl_canvas_get(&image, 0, 0), 0x123456);
  assert_int_equal(parl_canvas_get(&image, 1, 0), 0xabcdef);
  const uint8_t due[6] = {0x12, 0x34, 0x56, 0xab, 0xcd, 0xef};
  assert_memory_equal(image.rgb, due, sizeof due);
  parl_image_deinit(&image);
}

/* dx^2 + dy^2 <= r^2 + r: r = 2: 4 + 1 = 5 is within 6, 8 is not;
 * r = 1: 1 + 1 is within 2. */
static void test_discs(void **state) {
  (void)state;
  parl_image image = blank(9, 5);
  parl_canvas_disc(&image, 2, 2, 2, WHITE);
  parl_canvas_disc(&image, 8, 4, 1, WHITE);
  parl_canvas_disc(&image, 6, 0, 0, WHITE);
  check_looks(&image,
              ".###..#..\n"
              "#####....\n"
              "#####....\n"
              "#####..##\n"
              ".###...##");
  image = blank(3, 2);
  parl_canvas_disc(&image, 1, PARL_CANVAS_FAR, PARL_CANVAS_FAR - 1, WHITE);
  check_looks(&image, "...\n###");
}

static void test_lines(void **state) {
  (void)state;
  parl_image image = blank(8, 5);
  parl_canvas_line(&image, 0, 0, 6, 3, WHITE); /* rises 1/2 a column: halves go away from (0, 0) */
  parl_canvas_line(&image, 7, 4, 7, 4, WHITE);
  parl_canvas_line(&image, 0, 4, 1, 2, WHITE);
  check_looks(&image,
              "#.......\n"
              ".##.....\n"
              ".#.##...\n"
              ".#...##.\n"
              "#......#");
  image = blank(7, 4);
  parl_canvas_line(&image, 0, 3, 6, 0, WHITE); /* the first turned over */
  check_looks(&image,
              ".....##\n"
              "...##..\n"
              ".##....\n"
              "#......");
  image = blank(5, 3);
  parl_canvas_line(&image, -PARL_CANVAS_FAR, 1, PARL_CANVAS_FAR, 1, WHITE);
  parl_canvas_line(&image, 2, PARL_CANVAS_FAR, 2, -PARL_CANVAS_FAR, WHITE);
  check_looks(&image, "..#..\n#####\n..#..");
}

static void polygon(parl_image *image, const int *points, int n) {
  assert_ok(parl_canvas_polygon(image, points, n, WHITE, NULL));
}

/* The triangle's right edge crosses the middles of rows at 1/2, 3/2, 5/2, 7/2: a centre on it is
 * outside, as on any right edge; on a left edge it is inside. */
static void test_polygons(void **state) {
  (void)state;
  parl_image image = blank(10, 5);
  polygon(&image, (const int[]){0, 0, 4, 4, 0, 4}, 3);
  polygon(&image, (const int[]){5, 4, 9, 0, 9, 4}, 3);
  check_looks(&image,
              "........#.\n"
              "#......##.\n"
              "##....###.\n"
              "###..####.\n"
              "..........");
  image = blank(8, 7); /* a square in a square is a hole; from below as from above */
  polygon(&image, (const int[]){1, 1, 7, 1, 7, 6, 1, 6, 1, 1, 3, 3, 3, 5, 5, 5, 5, 3, 3, 3}, 10);
  check_looks(&image,
              "........\n"
              ".######.\n"
              ".######.\n"
              ".##..##.\n"
              ".##..##.\n"
              ".######.\n"
              "........");
}

/* A polygon is filled as its rectangle, wherever it lies, and in either direction. */
static void test_rectangular_polygons(void **state) {
  (void)state;
  for (int i = 0; i < 200; i++) {
    const int x = i * 7 % 23 - 5, y = i * 5 % 19 - 4, w = i % 11 + 1, h = i % 7 + 1;
    parl_image a = blank(17, 13), b = blank(17, 13), c = blank(17, 13);
    parl_canvas_rect(&a, x, y, w, h, WHITE);
    polygon(&b, (const int[]){x, y, x + w, y, x + w, y + h, x, y + h}, 4);
    polygon(&c, (const int[]){x, y, x, y + h, x + w, y + h, x + w, y}, 4);
    assert_memory_equal(a.rgb, b.rgb, 17 * 13 * 3);
    assert_memory_equal(a.rgb, c.rgb, 17 * 13 * 3);
    parl_image_deinit(&a);
    parl_image_deinit(&b);
    parl_image_deinit(&c);
  }
}

/* Triangles that share an edge share no pixel and leave none out. */
static void test_polygons_meet_without_gap(void **state) {
  (void)state;
  for (int i = 0; i < 100; i++) {
    const int x = i * 13 % 41 - 5, y = i * 29 % 37 - 3; /* where the four triangles meet */
    static const int corners[10] = {0, 0, 30, 0, 30, 30, 0, 30, 0, 0};
    parl_image all = blank(30, 30);
    int n = 0;
    for (int k = 0; k < 4; k++) {
      parl_image image = blank(30, 30);
      polygon(&image,
              (const int[]){corners[2 * k], corners[2 * k + 1], corners[2 * k + 2],
                            corners[2 * k + 3], x, y},
              3);
      n += count(&image);
      parl_image_deinit(&image);
    }
    const int inside = x >= 0 && x <= 30 && y >= 0 && y <= 30;
    if (inside) assert_int_equal(n, 900);
    polygon(&all, (const int[]){0, 0, 30, 0, 30, 30, 0, 30}, 4);
    assert_int_equal(count(&all), 900);
    parl_image_deinit(&all);
  }
}

static void test_text(void **state) {
  (void)state;
  parl_image image = blank(13, 9);
  parl_canvas_text(&image, 1, 1, "7T", 2, 1, WHITE);
  check_looks(&image,
              ".............\n"
              ".#####.#####.\n"
              ".....#...#...\n"
              "....#....#...\n"
              "...#.....#...\n"
              "..#......#...\n"
              "..#......#...\n"
              "..#......#...\n"
              ".............");
  image = blank(6, 4);
  parl_canvas_text(&image, -6, -2, "7", 1, 2, WHITE); /* twice as large, partly outside */
  check_looks(&image, "..##..\n..##..\n##....\n##....");
}

/* Nothing is taken for something else: all glyphs differ, and all but the blank show. */
static void test_glyphs_differ(void **state) {
  (void)state;
  uint8_t seen[95][105];
  for (int i = 0; i < 95; i++) {
    const char c = (char)(' ' + i);
    parl_image image = blank(5, 7);
    parl_canvas_text(&image, 0, 0, &c, 1, 1, WHITE);
    memcpy(seen[i], image.rgb, sizeof seen[i]);
    assert_true((count(&image) == 0) == (c == ' '));
    for (int k = 0; k < i; k++) assert_memory_not_equal(seen[i], seen[k], sizeof seen[i]);
    parl_image_deinit(&image);
  }
  assert_false(parl_canvas_has_glyph('\n') || parl_canvas_has_glyph('\x7f'));
  assert_false(parl_canvas_has_glyph((char)0xe4));
}

/* Every value from -amount to amount about equally often, each channel for itself. */
static void test_noise(void **state) {
  (void)state;
  parl_image image = blank(100, 100);
  parl_canvas_fill(&image, 0x808080);
  parl_rng_cursor cursor = {.seed = 3, .stream = 4};
  assert_ok(parl_canvas_noise(&image, &cursor, 2, NULL));
  assert_int_equal(cursor.index, 10000);
  int seen[5] = {0}, equal = 0;
  for (int i = 0; i < 30000; i++) {
    assert_in_range(image.rgb[i], 126, 130);
    seen[image.rgb[i] - 126]++;
    equal += i % 3 == 0 && image.rgb[i] == image.rgb[i + 1];
  }
  for (int i = 0; i < 5; i++) assert_in_range(seen[i], 5600, 6400); /* 6000, sd 69 */
  assert_in_range(equal, 1800, 2200);                               /* 2000, sd 40 */
  parl_canvas_fill(&image, 0x00ff80);
  assert_ok(parl_canvas_noise(&image, &cursor, 255, NULL));
  parl_canvas_fill(&image, 0x00ff80);
  assert_ok(parl_canvas_noise(&image, &cursor, 0, NULL));
  assert_int_equal(parl_canvas_get(&image, 50, 50), 0x00ff80);
  parl_image_deinit(&image);
}

/* 299 * 255 / 1000 of red, and so on, rounded: Pillow's L of pure colours is 76, 150, 29. */
static void test_thresholds(void **state) {
  (void)state;
  static const struct {
    uint32_t colour;
    int luminance;
  } cases[] = {{0, 0},         {0xff0000, 76}, {0x00ff00, 150},
               {0x0000ff, 29}, {WHITE, 255},   {0x010101, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_image image = blank(1, 1), out = blank(1, 1);
    parl_canvas_fill(&image, cases[i].colour);
    assert_ok(parl_canvas_threshold(&image, cases[i].luminance, &out, NULL));
    assert_int_equal(parl_canvas_get(&out, 0, 0), WHITE);
    assert_ok(parl_canvas_threshold(&image, cases[i].luminance + 1, &out, NULL));
    assert_int_equal(parl_canvas_get(&out, 0, 0), 0);
    parl_image_deinit(&image);
    parl_image_deinit(&out);
  }
}

/* Each channel counts, above and below. */
static void test_selects(void **state) {
  (void)state;
  static const struct {
    uint32_t colour;
    int near;
    bool is_near;
  } cases[] = {{0x204060, 0, true},  {0x204061, 0, false}, {0x1f4160, 1, true},
               {0x1e4060, 1, false}, {0x204260, 1, false}, {0x20405e, 1, false},
               {0x214060, 0, false}, {WHITE, 254, true},   {WHITE, 222, false},
               {WHITE, 223, true}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_image image = blank(1, 1), out = blank(1, 1);
    parl_canvas_fill(&image, cases[i].colour);
    assert_ok(parl_canvas_select(&image, 0x204060, cases[i].near, &out, NULL));
    assert_int_equal(parl_canvas_get(&out, 0, 0), cases[i].is_near ? WHITE : 0);
    parl_image_deinit(&image);
    parl_image_deinit(&out);
  }
}

static void test_crops(void **state) {
  (void)state;
  parl_image image = blank(5, 4), part = blank(2, 3);
  for (int i = 0; i < 60; i++) image.rgb[i] = (uint8_t)i;
  parl_canvas_crop(&image, 3, 1, &part);
  for (int y = 0; y < 3; y++)
    for (int x = 0; x < 2; x++)
      assert_int_equal(parl_canvas_get(&part, x, y), parl_canvas_get(&image, x + 3, y + 1));
  parl_image_deinit(&image);
  parl_image_deinit(&part);
}

/* A ring whose ends meet late, one pixel inside of it, two that touch at a corner, and a stroke. */
static void test_components_worked_by_hand(void **state) {
  (void)state;
  static const char scene[] =
      "#...#...."
      "#.#.#...#"
      "#...#..#."
      ".###....."
      "......##.";
  parl_image image = blank(9, 5);
  for (int i = 0; i < 45; i++)
    if (scene[i] == '#') image.rgb[3 * i + i % 3] = 1; /* any channel counts */
  int32_t labels[45];
  int n = 0;
  assert_ok(parl_canvas_label(&image, 0, labels, &n, NULL));
  assert_int_equal(n, 4);
  parl_canvas_box boxes[4];
  assert_ok(parl_canvas_measure(labels, 9, 5, n, boxes, NULL));
  const parl_canvas_box due[4] = {
      {0, 0, 5, 4, 9}, {2, 1, 1, 1, 1}, {7, 1, 2, 2, 2}, {6, 4, 2, 1, 2}};
  assert_memory_equal(boxes, due, sizeof due);
  parl_image_deinit(&image);
}

static void flood(const parl_image *image, int x, int y, int label, int32_t *labels) {
  if (x < 0 || y < 0 || x >= image->width || y >= image->height) return;
  if (labels[y * image->width + x] != 0 || parl_canvas_get(image, x, y) == 0) return;
  labels[y * image->width + x] = label;
  for (int dy = -1; dy <= 1; dy++)
    for (int dx = -1; dx <= 1; dx++) flood(image, x + dx, y + dy, label, labels);
}

static void test_components_against_a_flood(void **state) {
  (void)state;
  enum { W = 19, H = 14 };
  for (uint64_t seed = 0; seed < 200; seed++) {
    parl_image image = blank(W, H);
    for (uint64_t i = 0; i < W * H; i++)
      image.rgb[3 * i] = parl_rng_uniform(seed, 1, i) < 0.2 + 0.002 * (double)seed;
    int32_t labels[W * H], due[W * H] = {0};
    int n = 0, n_due = 0;
    for (int y = 0; y < H; y++)
      for (int x = 0; x < W; x++)
        if (due[y * W + x] == 0 && parl_canvas_get(&image, x, y) != 0)
          flood(&image, x, y, ++n_due, due);
    assert_ok(parl_canvas_label(&image, 0, labels, &n, NULL));
    assert_int_equal(n, n_due);
    assert_memory_equal(labels, due, sizeof due);
    parl_image_deinit(&image);
  }
}

static bool stop_later(void *data, double work) {
  (void)work;
  return --*(int *)data > 0;
}

static void test_work_stops_when_it_may_not_go_on(void **state) {
  (void)state;
  int left = 0;
  const parl_pace pace = {.may_go_on = stop_later, .data = &left};
  parl_image image = blank(8, 8), out = blank(4, 4);
  parl_rng_cursor cursor = {0};
  int32_t labels[64];
  parl_canvas_box box;
  int n;
  parl_canvas_fill(&image, WHITE);
  void *scratch = malloc(parl_image_get_resize_bytes(8, 8, 4, 4));
  for (int calls = 1; calls <= 4; calls++) {
    left = calls;
    assert_status(parl_canvas_polygon(&image, (const int[]){0, 0, 8, 0, 8, 8}, 3, 5, &pace),
                  PARL_STATUS_ESTOPPED);
    left = calls;
    assert_status(parl_canvas_noise(&image, &cursor, 1, &pace), PARL_STATUS_ESTOPPED);
    left = calls;
    assert_status(parl_canvas_threshold(&image, 1, &image, &pace), PARL_STATUS_ESTOPPED);
    left = calls;
    assert_status(parl_canvas_select(&image, 1, 0, &image, &pace), PARL_STATUS_ESTOPPED);
    left = calls * 3; /* 8 rows twice */
    assert_status(parl_canvas_label(&image, 0, labels, &n, &pace), PARL_STATUS_ESTOPPED);
    left = calls;
    assert_status(parl_canvas_measure(labels, 8, 8, 0, &box, &pace), PARL_STATUS_ESTOPPED);
    left = calls * 4; /* 4 + 4 outputs, 8 rows, 4 rows */
    assert_status(parl_image_resize_into(&image, &out, scratch, &pace), PARL_STATUS_ESTOPPED);
  }
  free(scratch);
  parl_image_deinit(&image);
  parl_image_deinit(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rectangles),
      cmocka_unit_test(test_colours),
      cmocka_unit_test(test_discs),
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_polygons),
      cmocka_unit_test(test_rectangular_polygons),
      cmocka_unit_test(test_polygons_meet_without_gap),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_glyphs_differ),
      cmocka_unit_test(test_noise),
      cmocka_unit_test(test_thresholds),
      cmocka_unit_test(test_selects),
      cmocka_unit_test(test_crops),
      cmocka_unit_test(test_components_worked_by_hand),
      cmocka_unit_test(test_components_against_a_flood),
      cmocka_unit_test(test_work_stops_when_it_may_not_go_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
