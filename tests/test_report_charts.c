/* tests/test_report_charts.c - axes over any range, curves worth a card, styles that differ. */
#include <float.h>

#include "core/rng.h"
#include "experiments/report_internal.h"
#include "tests/report_support.h"

/* --- axes --- */

static void check_axis(double low, double high, int wanted) {
  const parl_axis a = parl_axis_make(low, high, wanted, 50, 500);
  const double room = 1e-6 * (a.high - a.low);
  const bool is_right =
      isfinite(a.low) && isfinite(a.high) && a.high > a.low && a.step > 0 && a.n_ticks >= 2 &&
      a.n_ticks <= wanted + 3 && (!isfinite(low) || fabs(low) > 1e300 || a.low <= low + room) &&
      (!isfinite(high) || fabs(high) > 1e300 || !(high > low) || a.high >= high - room);
  if (!is_right) print_error("axis of [%.17g, %.17g], %d wanted\n", low, high, wanted);
  assert_true(is_right);
  char last[PARL_NUMBER_BYTES] = "";
  for (int i = 0; i < a.n_ticks; i++) {
    char label[PARL_NUMBER_BYTES];
    const double tick = parl_axis_get_tick(&a, i), at = parl_axis_place(&a, tick);
    assert_true(at >= 50 && at <= 500);
    parl_axis_format(&a, tick, label);
    if (strcmp(label, last) == 0 || strlen(label) > 16 || strpbrk(label, "n+") != NULL)
      print_error("axis of [%.17g, %.17g]: tick %d is %s\n", low, high, i, label);
    assert_string_not_equal(label, last);
    assert_true(strlen(label) <= 16);
    assert_null(strpbrk(label, "n+")); /* nan, inf, 9.00719925474099e+15 */
    memcpy(last, label, sizeof last);
  }
  parl_text text = {0};
  parl_axis_append_y(&text, &a, 50, 500);
  parl_axis_append_x(&text, &a, 0, 100, true);
  assert_int_equal(count(parl_text_get(&text), "<text"), 2 * (size_t)a.n_ticks);
  assert_true(text.n < 10000);
  parl_text_deinit(&text);
}

static void test_axes_are_round_and_cover(void **state) {
  (void)state;
  static const double ranges[][2] = {{0, 1}, {0.91, 0.957}, {3, 3}, {0, 0}, {-2, 7}, {0, 1e-4}};
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    const parl_axis a = parl_axis_make(ranges[i][0], ranges[i][1], 5, 0, 100);
    check_axis(ranges[i][0], ranges[i][1], 5);
    const double n_steps = (a.high - a.low) / a.step;
    assert_true(n_steps > 0.9 && n_steps < 9);
    assert_close(parl_axis_place(&a, a.high), 100, 1e-9);
    assert_close(parl_axis_place(&a, a.low), 0, 1e-9);
  }
}

/* Steps below one ulp, beyond a double, below the normal ones; no number at all. */
static void test_axes_of_adversarial_ranges(void **state) {
  (void)state;
  static const double ends[] = {
      0,           -0.0,        0.7,      0.1 + 0.2,   0.3,        1,
      1e-7,        1e15,        0x1p53,   0x1p53 - 1,  0x1p53 + 2, 9.00719925474099e+15,
      1e300,       DBL_MAX,     -DBL_MAX, DBL_MIN,     5e-324,     -5e-324,
      1e-300,      -1,          -0.7,     (double)NAN, INFINITY,   -INFINITY,
      1 + 2.3e-16, 1 + 1.01e-7, 1e6,      999999.5,    1e-3,       0.0009999999,
      123456.789};
  const size_t n = sizeof ends / sizeof ends[0];
  for (int wanted = 1; wanted <= 9; wanted += 4)
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) {
        check_axis(ends[i], ends[j], wanted);
        check_axis(ends[i], nextafter(ends[i], INFINITY), wanted);
        check_axis(nextafter(nextafter(ends[i], -INFINITY), -INFINITY), ends[i], wanted);
      }
}

/* Bits of any double, and ranges of any width around them. */
static void test_axes_of_random_ranges(void **state) {
  (void)state;
  parl_rng_cursor rng = {.seed = 17, .stream = 10};
  for (int i = 0; i < 4000; i++) {
    const uint64_t bits = parl_rng_next(&rng), other = parl_rng_next(&rng);
    double low, high;
    memcpy(&low, &bits, sizeof low);
    memcpy(&high, &other, sizeof high);
    check_axis(low, high, 1 + (int)(bits % 8));
    const double width = pow(10, -20.0 + (double)(other % 40));
    check_axis(low, low + width * fabs(low), 1 + (int)(other % 8));
    check_axis((double)(bits % 1000) / 1000, (double)(bits % 1000) / 1000 + width, 5);
  }
}

static void test_rounding_noise_is_one_value(void **state) {
  (void)state;
  assert_true(parl_axis_is_one_value(0.7, nextafter(0.7, 1)));
  assert_true(parl_axis_is_one_value(0x1p53, 0x1p53 + 2));
  assert_true(parl_axis_is_one_value(0, 5e-324));
  assert_true(parl_axis_is_one_value(NAN, 1));
  assert_false(parl_axis_is_one_value(0.7, 0.700001));
  assert_false(parl_axis_is_one_value(0, 1e-200));
  const parl_axis a = parl_axis_make(0.7, nextafter(0.7, 1), 5, 0, 100);
  assert_close(a.low, 0.2, 1e-12);
  assert_close(a.high, 1.2, 1e-12);
  assert_close(parl_axis_place(&a, 0.7), 50, 1e-9);
}

static void test_axis_within_ends_at_its_end(void **state) {
  (void)state;
  const parl_axis a = parl_axis_make_within(149, 6, 50, 500);
  assert_close(a.high, 149, 0);
  assert_int_equal(a.n_ticks, 3); /* 0, 50, 100 */
  assert_close(parl_axis_place(&a, 149), 500, 1e-9);
  static const double ends[] = {0, 0.5, 1, 1e15, NAN, INFINITY, 5e-324, 7};
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    const parl_axis b = parl_axis_make_within(ends[i], 6, 50, 500);
    assert_true(b.n_ticks >= 1 && b.n_ticks <= 9 && b.high > b.low);
  }
}

/* --- curves --- */

enum { N_POINTS = 60 };

static void make_chart(parl_summary y[N_POINTS], double x[N_POINTS], parl_series *s,
                       parl_line_chart *c) {
  for (size_t i = 0; i < N_POINTS; i++) {
    x[i] = (double)i;
    y[i] = (parl_summary){.mean = 0.5, .iqm = 0.5, .lo = NAN, .hi = NAN, .n = 1};
  }
  *s = (parl_series){"a", 0, y};
  *c = (parl_line_chart){.title = "t",
                         .unit = "u",
                         .n_points = N_POINTS,
                         .n_series = 1,
                         .x = x,
                         .x_name = "update",
                         .series = s,
                         .level = NAN,
                         .level_name = "level",
                         .is_noisy = true,
                         .digits = 3};
}

static void test_curves_without_information(void **state) {
  (void)state;
  parl_summary y[N_POINTS];
  double x[N_POINTS];
  parl_series s;
  parl_line_chart c;
  make_chart(y, x, &s, &c);
  assert_false(parl_chart_is_informative(&c)); /* one value */
  y[7].iqm = 0.5 + 1e-16;
  y[8].iqm = NAN;
  assert_false(parl_chart_is_informative(&c)); /* but for rounding */
  y[9].iqm = 0.501;
  assert_true(parl_chart_is_informative(&c));
  for (size_t i = 0; i < N_POINTS; i++) y[i].iqm = NAN;
  assert_false(parl_chart_is_informative(&c));
}

/* Any values make a drawing of bounded size without a word that is no number. */
static void test_charts_of_adversarial_values(void **state) {
  (void)state;
  static const double values[] = {NAN,    INFINITY, -INFINITY, DBL_MAX, -DBL_MAX, 5e-324,
                                  0x1p53, 0,        1,         -1,      0.1 + 0.2};
  enum { N_VALUES = sizeof values / sizeof values[0] };
  parl_summary y[N_POINTS];
  double x[N_POINTS];
  parl_series s;
  parl_line_chart c;
  for (size_t a = 0; a < N_VALUES; a++)
    for (size_t b = 0; b < N_VALUES; b++)
      for (size_t n = 0; n <= N_POINTS; n += n < 3 ? 1 : N_POINTS - 3) {
        make_chart(y, x, &s, &c);
        c.n_points = n;
        for (size_t i = 0; i < N_POINTS; i++) {
          y[i].iqm = y[i].mean = i % 2 ? values[a] : values[b];
          y[i].lo = values[a];
          y[i].hi = values[b];
        }
        c.level = values[b];
        parl_text text = {0};
        parl_chart_append_lines(&text, &c);
        assert_ok(parl_text_status(&text));
        assert_true(text.n < 40000);
        const char *drawing = strstr(parl_text_get(&text), "\">");
        assert_null(strstr(drawing, "nan"));
        assert_null(strstr(drawing, "inf"));
        parl_text_deinit(&text);
      }
}

/* A noisy line is smoothed and its points stay behind it; a weight is what it is. */
static void test_noise_is_smoothed(void **state) {
  (void)state;
  parl_summary y[N_POINTS];
  double x[N_POINTS];
  parl_series s;
  parl_line_chart c;
  make_chart(y, x, &s, &c);
  for (size_t i = 0; i < N_POINTS; i++) y[i].iqm = i % 2 ? 0.25 : 0.75;
  assert_int_equal(parl_chart_get_window(&c), 5);
  parl_text text = {0};
  parl_chart_append_lines(&text, &c);
  assert_int_equal(count(parl_text_get(&text), "class=\"raw\""), 1);
  /* first the mean of .75 .25 .75; in the middle of the axis means of .75 .25 .75 .25 .75 and the
   * other way round, the raw line at its ends */
  const double height = 250 - 38 - 12, at = 12 + height * (1 - 1.75 / 3 / 0.8);
  char point[32];
  const char *line = strstr(parl_text_get(&text), "</g><path");
  snprintf(point, sizeof point, " %.1fl", at);
  assert_contains(line, point);
  snprintf(point, sizeof point, " %gl", height * (0.55 - 0.45) / 0.8);
  assert_contains(line, point);
  parl_text_clear(&text);
  c.is_noisy = false;
  assert_int_equal(parl_chart_get_window(&c), 1);
  parl_chart_append_lines(&text, &c);
  assert_int_equal(count(parl_text_get(&text), "class=\"raw\""), 0);
  parl_text_deinit(&text);
}

/* A line's moves end where its marker is, however many are flat. */
static void test_moves_add_up(void **state) {
  (void)state;
  parl_summary y[N_POINTS];
  double x[N_POINTS];
  parl_series s;
  parl_line_chart c;
  make_chart(y, x, &s, &c);
  c.is_noisy = false;
  for (size_t i = 0; i < N_POINTS; i++)
    y[i].iqm = i % 3 ? 0.1 + 0.007 * (double)i : y[i - (i > 0)].iqm;
  parl_text text = {0};
  parl_chart_append_lines(&text, &c);
  const char *path = strstr(strstr(parl_text_get(&text), "class=\"line\""), " d=\"M") + 5;
  const char *mark = strstr(path, "<circle cx=\"");
  char *next;
  double at_x = strtod(path, &next), at_y = strtod(next, &next);
  size_t n_flat = 0;
  while (*next == 'l' || *next == 'h') {
    const bool is_flat = *next == 'h';
    at_x += strtod(next + 1, &next);
    if (!is_flat) at_y += strtod(next, &next);
    n_flat += is_flat;
  }
  assert_int_equal(*next, '"');
  assert_true(n_flat > 0);
  assert_close(at_x, strtod(mark + 12, &next), 1e-9);
  assert_close(at_y, strtod(next + 6, &next), 1e-9);
  parl_text_deinit(&text);
}

/* --- styles --- */

/* CIE 1976 lightness and colour of an sRGB colour. */
static void get_lab(unsigned rgb, double lab[3]) {
  double linear[3], f[3];
  for (int i = 0; i < 3; i++) {
    const double c = (double)(rgb >> (16 - 8 * i) & 255) / 255;
    linear[i] = c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
  }
  const double xyz[] = {
      (0.4124 * linear[0] + 0.3576 * linear[1] + 0.1805 * linear[2]) / 0.9505,
      0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2],
      (0.0193 * linear[0] + 0.1192 * linear[1] + 0.9505 * linear[2]) / 1.089,
  };
  for (int i = 0; i < 3; i++) f[i] = xyz[i] > 0.008856 ? cbrt(xyz[i]) : 7.787 * xyz[i] + 16.0 / 116;
  lab[0] = 116 * f[1] - 16;
  lab[1] = 500 * (f[0] - f[1]);
  lab[2] = 200 * (f[1] - f[2]);
}

/* Any two of the ten colours differ by 20 (2.3 is just noticeable), and from the paper by 30. */
static void check_colours(const char *style, unsigned paper) {
  double lab[PARL_N_COLOURS + 1][3];
  for (int i = 0; i < PARL_N_COLOURS; i++) {
    char name[24];
    unsigned rgb = 0;
    snprintf(name, sizeof name, "--c%d: #", i);
    const char *at = strstr(style, name);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(name), "%6x", &rgb), 1);
    get_lab(rgb, lab[i]);
  }
  get_lab(paper, lab[PARL_N_COLOURS]);
  for (int i = 0; i <= PARL_N_COLOURS; i++)
    for (int j = 0; j < i; j++) {
      const double d = sqrt(pow(lab[i][0] - lab[j][0], 2) + pow(lab[i][1] - lab[j][1], 2) +
                            pow(lab[i][2] - lab[j][2], 2));
      if (!(d > (i == PARL_N_COLOURS ? 30 : 20))) print_error("colours %d, %d: %g\n", i, j, d);
      assert_true(d > (i == PARL_N_COLOURS ? 30 : 20));
    }
}

static void test_ten_colours_differ_in_light_and_dark(void **state) {
  (void)state;
  check_colours(parl_report_style, 0xFFFFFF);
  check_colours(strstr(parl_report_style, "prefers-color-scheme: dark"), 0x1A1E23);
}

/* Of 70 policies no two have the same colour and marker. */
static void test_styles_do_not_repeat(void **state) {
  (void)state;
  for (size_t i = 0; i < 70; i++)
    for (size_t j = 0; j < i; j++) {
      if (i % PARL_N_COLOURS != j % PARL_N_COLOURS) continue;
      parl_text a = {0}, b = {0};
      parl_chart_append_marker(&a, i, 0, 0, 1, false);
      parl_chart_append_marker(&b, j, 0, 0, 1, false);
      assert_string_not_equal(parl_text_get(&a), parl_text_get(&b));
      parl_text_deinit(&a);
      parl_text_deinit(&b);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_axes_are_round_and_cover),
      cmocka_unit_test(test_axes_of_adversarial_ranges),
      cmocka_unit_test(test_axes_of_random_ranges),
      cmocka_unit_test(test_rounding_noise_is_one_value),
      cmocka_unit_test(test_axis_within_ends_at_its_end),
      cmocka_unit_test(test_curves_without_information),
      cmocka_unit_test(test_charts_of_adversarial_values),
      cmocka_unit_test(test_noise_is_smoothed),
      cmocka_unit_test(test_moves_add_up),
      cmocka_unit_test(test_ten_colours_differ_in_light_and_dark),
      cmocka_unit_test(test_styles_do_not_repeat),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
