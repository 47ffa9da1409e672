/* tests/test_report_vega.c - charts as Vega-Lite: the numbers of the drawings, nothing a name can
 * do, and a page that is whole without them. */
#include "experiments/report_vega.h"
#include "tests/report_support.h"

enum { N_POINTS = 60 };

static parl_json *parse(const parl_text *text) {
  parl_json *json = NULL;
  assert_ok(parl_text_status(text));
  assert_null(strchr(parl_text_get(text), '<'));
  assert_ok(parl_json_parse(parl_text_get(text), text->n, "a specification", &json));
  return json;
}

/* The i-th of an array. */
static const parl_json *at(const parl_json *array, size_t i) {
  const parl_json *c = parl_json_get_first(array);
  while (i-- > 0 && c != NULL) c = parl_json_get_next(c);
  assert_non_null(c);
  return c;
}

/* The value of the parameter "names". */
static const parl_json *get_names(const parl_json *spec) {
  return parl_json_find(at(parl_json_find(spec, "params"), 1), "value");
}

/* A number of row i in a column of part p of the data. */
static double get(const parl_json *spec, size_t p, const char *column, size_t i) {
  const parl_json *part = at(parl_json_find_path(spec, "data.values"), p);
  const parl_json *x = at(parl_json_find(part, column), i);
  return parl_json_get_type(x) == PARL_JSON_NUMBER ? parl_json_get_number(x) : (double)NAN;
}

static void make_chart(parl_summary y[2][N_POINTS], double x[N_POINTS], parl_series s[2],
                       parl_line_chart *c) {
  for (size_t i = 0; i < N_POINTS; i++) {
    x[i] = (double)(3 * i);
    for (size_t k = 0; k < 2; k++)
      y[k][i] = (parl_summary){.iqm = i % 2 ? 0.25 : 0.75, .lo = 0.2, .hi = 0.8, .n = 5};
  }
  s[0] = (parl_series){"first", 0, y[0]};
  s[1] = (parl_series){HOSTILE, 7, y[1]};
  *c = (parl_line_chart){.title = "a </script> \"title\"",
                         .unit = "u",
                         .n_points = N_POINTS,
                         .n_series = 2,
                         .x = x,
                         .x_name = "update",
                         .series = s,
                         .level = 0.5,
                         .level_name = "optimum",
                         .is_noisy = true,
                         .digits = 3};
}

/* Points, the smoothed line and where it ends are what the drawing has. */
static void test_lines_have_the_numbers(void **state) {
  (void)state;
  parl_summary y[2][N_POINTS];
  double x[N_POINTS];
  parl_series s[2];
  parl_line_chart c;
  make_chart(y, x, s, &c);
  y[1][3].iqm = y[1][N_POINTS - 1].iqm = NAN;
  parl_text text = {0};
  parl_vega_append_lines(&text, &c);
  parl_json *spec = parse(&text);
  assert_string_equal(parl_json_get_string(at(get_names(spec), 1)), HOSTILE);
  assert_close(
      parl_json_get_number(at(parl_json_find(at(parl_json_find(spec, "params"), 2), "value"), 7)),
      21, 0);
  assert_close(get(spec, 0, "y", 7), 0.25, 0);
  assert_close(get(spec, 0, "v", 7), 0.45, 1e-9); /* mean of .25 .75 .25 .75 .25 */
  assert_close(get(spec, 0, "lo", 7), 0.2, 0);
  assert_close(get(spec, 0, "hi", 7), 0.8, 0);
  assert_close(get(spec, 0, "n", 7), 5, 0);
  assert_true(isnan(get(spec, 1, "y", 3)));
  const parl_json *parts = parl_json_find_path(spec, "data.values");
  assert_close(parl_json_get_number(parl_json_find(at(parts, 0), "end")), N_POINTS, 0);
  assert_close(parl_json_get_number(parl_json_find(at(parts, 1), "end")), N_POINTS - 1, 0);
  assert_int_equal(parl_json_get_size(parl_json_find(at(parts, 1), "y")), N_POINTS - 1);
  const parl_json *colours = parl_json_find_path(spec, "encoding.color.scale.range");
  assert_string_equal(parl_json_get_string(at(colours, 0)), "#0072b2");
  assert_string_equal(parl_json_get_string(at(colours, 1)), "#7b4a26"); /* --c7 */
  assert_int_equal(parl_json_get_size(parl_json_find(spec, "layer")), 7);
  parl_json_destroy(spec);
  parl_text_clear(&text);
  c.n_exact = 1; /* the last series is drawn as it is, the other smoothed */
  parl_vega_append_lines(&text, &c);
  spec = parse(&text);
  assert_close(get(spec, 0, "v", 7), 0.45, 1e-9);
  assert_close(get(spec, 1, "v", 7), get(spec, 1, "y", 7), 0);
  assert_true(fabs(get(spec, 1, "y", 7) - get(spec, 1, "y", 8)) > 0.1);
  parl_json_destroy(spec);
  parl_text_deinit(&text);
}

static void test_lines_of_any_values(void **state) {
  (void)state;
  static const double values[] = {NAN, INFINITY, -INFINITY, 1.7e308, -1.7e308, 5e-324, 0, 0.1};
  parl_summary y[2][N_POINTS];
  double x[N_POINTS];
  parl_series s[2];
  parl_line_chart c;
  for (size_t a = 0; a < sizeof values / sizeof values[0]; a++)
    for (size_t n = 0; n <= N_POINTS; n += n < 2 ? 1 : N_POINTS - 2) {
      make_chart(y, x, s, &c);
      c.n_points = n;
      c.level = values[a];
      for (size_t i = 0; i < N_POINTS; i++) y[0][i].iqm = y[0][i].lo = y[1][i].hi = values[a];
      parl_text text = {0};
      parl_vega_append_lines(&text, &c);
      parl_json_destroy(parse(&text));
      parl_text_deinit(&text);
    }
}

/* --- the page --- */

/* Calls visit with every specification of the page, and what it is called. */
static size_t visit_specifications(const char *html, void (*visit)(const parl_json *spec)) {
  static const char begin[] = "<script type=\"application/json\" class=\"spec\">";
  size_t n = 0;
  for (const char *p = strstr(html, begin); p != NULL; p = strstr(p + 1, begin), n++) {
    const char *text = p + strlen(begin), *end = strchr(text, '<');
    parl_json *spec = NULL;
    assert_true(strncmp(end, "</script>", 9) == 0);
    assert_ok(parl_json_parse(text, (size_t)(end - text), "a specification", &spec));
    visit(spec);
    parl_json_destroy(spec);
  }
  return n;
}

static void check_specification(const parl_json *spec) {
  assert_non_null(parl_json_find(spec, "$schema"));
  assert_true(parl_json_get_size(get_names(spec)) > 0);
  assert_true(strlen(parl_json_get_string(parl_json_find(spec, "description"))) > 5);
}

/* The interval of "annealed" as the dots have it is that of report.json. */
static void check_dots(const parl_json *spec) {
  if (strncmp(parl_json_get_string(parl_json_find(spec, "description")), "Scores of", 9) != 0)
    return;
  const parl_json *part = at(parl_json_find_path(spec, "data.values"), 0);
  bool found = false;
  for (size_t i = 0; i < parl_json_get_size(parl_json_find(part, "p")); i++) {
    if (get(spec, 0, "p", i) != 0 || get(spec, 0, "s", i) != 0 || get(spec, 0, "k", i) != 1)
      continue;
    found = true;
    assert_close(get(spec, 0, "v", i), 0.8667, 1e-9); /* of .9 .7 1 */
    assert_close(get(spec, 0, "n", i), 3, 0);
  }
  assert_true(found);
}

/* With the libraries: a specification for each figure but those of episodes, the scripts of the
 * program alone may run. Without: none of it, and the page says so. */
static void test_page_has_charts_if_it_can(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *html = read_file(&f, "report.html");
  const size_t n = visit_specifications(html, check_specification);
  (void)visit_specifications(html, check_dots);
  if (parl_report_libraries[0] == '\0') {
    assert_int_equal(n, 0);
    assert_int_equal(count(html, "<script"), 0);
    assert_contains(html, "built without Vega-Lite");
  } else {
    assert_int_equal(n, count(html, "<figure>"));
    assert_int_equal(count(html, "; script-src 'sha256-"), 1);
    assert_null(strstr(html, "script-src 'unsafe"));
    assert_contains(html, "THE SOFTWARE IS PROVIDED");
    assert_contains(html, "which draw its charts; it fetches nothing.");
  }
  free(html);
  assert_ok(write_plain(f.folder, NULL));
  html = read_file(&f, "report.html");
  assert_int_equal(count(html, "<script"), 0);
  assert_contains(html, "plain drawings, as was asked for");
  free(html);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines_have_the_numbers),
      cmocka_unit_test(test_lines_of_any_values),
      cmocka_unit_test(test_page_has_charts_if_it_can),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
