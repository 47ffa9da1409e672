/* tests/test_report_files.c - the files of the report: well formed, safe, the same bytes again. */
#include <ctype.h>
#include <math.h>

#include "experiments/report_internal.h"
#include "tests/report_support.h"

/* Display width of the line at *at, which moves behind it. */
static size_t read_line_width(const char **at) {
  char line[1024];
  const size_t n = strcspn(*at, "\n");
  assert_true(n < sizeof line);
  memcpy(line, *at, n);
  line[n] = '\0';
  *at += n + ((*at)[n] == '\n');
  return parl_text_get_width(line);
}

static void assert_fits_terminal(const char *text) {
  while (*text != '\0') {
    const char *line = text;
    const size_t width = read_line_width(&text);
    if (width > 80) print_error("%zu columns: %.*s\n", width, (int)(text - line), line);
    assert_true(width <= 80);
  }
}

/* --- the page --- */

/* Every tag that opens closes, in order. */
static void check_nesting(const char *html) {
  char open[64][16];
  size_t depth = 0;
  for (const char *p = strchr(html, '<'); p != NULL; p = strchr(p, '<')) {
    const bool closing = *++p == '/';
    if (closing) p++;
    char name[16] = "";
    size_t n = 0;
    while (n < 15 && (isalnum((unsigned char)p[n]) || p[n] == '!')) n++;
    memcpy(name, p, n);
    name[n] = '\0';
    const char *end = strchr(p, '>');
    assert_non_null(end);
    p = end;
    if (closing) {
      assert_true(depth > 0);
      assert_string_equal(open[--depth], name);
    } else if (end[-1] != '/' && strcmp(name, "meta") != 0 && name[0] != '!') {
      assert_true(depth < 64);
      memcpy(open[depth++], name, sizeof name);
    }
  }
  assert_int_equal(depth, 0);
}

static void test_page_is_well_formed_and_self_contained(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  assert_ok(write_plain(f.folder, NULL));
  char *html = read_file(&f, "report.html");
  check_nesting(html);
  assert_contains(html,
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "style-src 'unsafe-inline'; img-src data: blob:\">");
  assert_null(strstr(html, "://"));
  assert_null(strstr(html, "src="));
  assert_null(strstr(html, "href="));
  assert_null(strstr(html, "url("));
  assert_null(strstr(html, "nan"));
  assert_contains(html, "prefers-color-scheme: dark");
  assert_contains(html, "Few seeds (n = 3)");
  assert_true(count(html, "<figure>") >= 5);
  assert_int_equal(count(html, "<figure>"), count(html, "<summary>Table</summary>"));
  assert_int_equal(count(html, "role=\"img\""), count(html, "aria-label=\""));
  free(html);
  finish(&f);
}

/* Names of arms, of the recipe and of kinds of task, none of which may do a thing. */
static void test_names_are_escaped(void **state) {
  (void)state;
  static const char *const files[] = {"report.html", "report.md", "report.json"};
  static const char *const names[] = {
      HOSTILE,
      "</title></style><script>alert(2)</script>",
      "\"' onmouseover=alert(3) x='",
      "&lt;script&gt;&amp;<!--",
      "]]><svg onload=alert(4)>",
      "\xE2\x80\xAEright to left\xD7\xA9\xD7\x9C",
      "\xF0\x9F\x98\x80 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x94\xAC",
      "javascript:alert(5)`|*_[x](javascript:alert(6))",
  };
  enum { N_NAMES = sizeof names / sizeof names[0] };
  char name[600];
  fixture f;
  begin(&f);
  for (size_t i = 0; i <= N_NAMES; i++) {
    memset(name, 'x', sizeof name - 1); /* and one that is very long */
    name[sizeof name - 1] = '\0';
    put_trained(&f, i < N_NAMES ? names[i] : name, 1, 0.1 * (double)i, 0.5);
    parl_episode_row e = make_episode("trained", "sampled", 0.3);
    e.family = i < N_NAMES ? names[i] : name;
    put_episode(&f, (int64_t)i + 1, e, 9);
  }
  end_writing(&f);
  parl_text table = {0};
  assert_ok(write_plain(f.folder, &table));
  assert_fits_terminal(parl_text_get(&table));
  for (size_t i = 0; i < 3; i++) {
    char *text = read_file(&f, files[i]);
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "<svg onload"));
    assert_null(strstr(text, "<!--"));
    if (i < 2) assert_null(strstr(text, "\xE2\x80\xAE"));
    assert_contains(text, "alert(4)");
    free(text);
  }
  char *html = read_file(&f, "report.html");
  check_nesting(html);
  assert_contains(html, "&lt;script&gt;alert(1)&lt;/script&gt;");
  assert_null(strstr(html, "' onmouseover"));
  assert_int_equal(count(html, "<title>toy"), 1);
  free(html);
  char *markdown = read_file(&f, "report.md");
  assert_null(strstr(markdown, " [x](javascript"));
  assert_null(strstr(markdown, "_[x]("));
  assert_contains(markdown, "\\_\\[x](javascript");
  free(markdown);
  parl_text_deinit(&table);
  finish(&f);
}

/* A bound is called one wherever a reader meets it. */
static void test_a_bound_is_no_optimum(void **state) {
  (void)state;
  static const struct {
    parl_optimum_kind first, second;
    const char *label;
  } rows[] = {{PARL_OPTIMUM_EXACT, PARL_OPTIMUM_EXACT, "optimum"},
              {PARL_OPTIMUM_BOUND, PARL_OPTIMUM_BOUND, "lower bound"},
              {PARL_OPTIMUM_EXACT, PARL_OPTIMUM_EXPECTED, "expected optimum"},
              {PARL_OPTIMUM_EXACT, PARL_OPTIMUM_BOUND, "optimum or bound"},
              {PARL_OPTIMUM_UNSTATED, PARL_OPTIMUM_UNSTATED, "stated optimum"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    fixture f;
    begin(&f);
    const int64_t run = put_run(&f, "annealed", 1, "done");
    parl_episode_row e = make_episode("trained", "sampled", 0.5);
    e.facts.optimum_is = rows[i].first;
    put_episode(&f, run, e, 1);
    e.facts.optimum_is = rows[i].second;
    put_episode(&f, run, e, 2);
    for (int64_t t = 0; t < 3; t++)
      assert_ok(parl_rows_put_metric(f.store, run, t, "episode/critical_steps", (double)t));
    end_writing(&f);
    parl_text table = {0};
    char due[60];
    assert_ok(parl_report_write(f.folder, &table));
    char *html = read_file(&f, "report.html"), *figure = read_figure(&f, "Critical steps");
    snprintf(due, sizeof due, ">%s 5.00<", rows[i].label);
    assert_contains(figure, due);
    assert_int_equal(count(html, due), 3); /* there, beside r_perf against steps, on the front */
    snprintf(due, sizeof due, "  %s  ", rows[i].label);
    assert_contains(parl_text_get(&table), due);
    if (strcmp(rows[i].label, "lower bound") == 0) {
      assert_null(strstr(parl_text_get(&table), "optimum"));
      assert_null(strstr(html, "optimum"));
    }
    parl_text_deinit(&table);
    free(figure);
    free(html);
    finish(&f);
  }
}

/* What is the same in every update of every policy gets a line, not a card; scores that differ by
 * rounding only end the axis, not the memory. */
static void test_cards_without_information_are_not_drawn(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  for (int64_t seed = 1; seed <= 3; seed++) {
    const int64_t run = put_run(&f, seed == 1 ? "annealed" : "other", seed, "done");
    const double score = seed == 1 ? 0.7 : nextafter(0.7, 1);
    put_episode(&f, run, make_episode("trained", "sampled", score), 1);
    for (int64_t t = 0; t < 40; t++) {
      assert_ok(parl_rows_put_metric(f.store, run, t, "reward/perf", score));
      assert_ok(parl_rows_put_metric(f.store, run, t, "objective/masked", 0));
      assert_ok(parl_rows_put_metric(f.store, run, t, "objective/entropy", (double)t));
      assert_ok(parl_rows_put_metric(f.store, run, t, "episode/useful_rate", (double)NAN));
    }
  }
  end_writing(&f);
  assert_ok(write_plain(f.folder, NULL));
  assert_null(read_figure(&f, "r_perf"));
  assert_null(read_figure(&f, "Masked tokens"));
  assert_null(read_figure(&f, "Useful rate"));
  char *figure = read_figure(&f, "Entropy");
  assert_non_null(figure);
  free(figure);
  char *html = read_file(&f, "report.html");
  assert_contains(html, "The same in every update of every policy: r_perf 0.700.");
  assert_contains(html, "The same in every update of every policy: Masked tokens 0.0000.");
  assert_true(strlen(html) < 100000);
  free(html);
  finish(&f);
}

/* --- CSV --- */

enum { MAX_CELLS = 32768 };

typedef struct sheet {
  char *text; /* cells point into it */
  const char *cells[MAX_CELLS];
  size_t n_cells, n_columns;
} sheet;

/* One cell of RFC 4180, unquoted in place; *at moves behind it and its separator, which is
 * returned. */
static char read_cell(char **at, const char **out) {
  char *from = *at, *to = *at;
  const bool quoted = *from == '"';
  *out = to;
  if (quoted) from++;
  for (; quoted ? *from != '"' || from[1] == '"' : strchr(",\n", *from) == NULL; from++) {
    assert_true(*from != '\0' && (quoted || *from != '"'));
    if (*from == '"') from++;
    *to++ = *from;
  }
  if (quoted) from++;
  const char separator = *from;
  assert_true(separator == ',' || separator == '\n');
  *to = '\0';
  *at = from + 1;
  return separator;
}

static void read_sheet(const fixture *f, const char *name, sheet *out) {
  *out = (sheet){.text = read_file(f, name)};
  char *at = out->text;
  while (*at != '\0') {
    assert_true(out->n_cells < MAX_CELLS);
    if (read_cell(&at, &out->cells[out->n_cells++]) == ',') continue;
    if (out->n_columns == 0) out->n_columns = out->n_cells;
    assert_int_equal(out->n_cells % out->n_columns, 0);
  }
}

/* The cell under `column` in the only row that begins with these n keys. */
static const char *find_cell(const sheet *s, const char *const *keys, size_t n,
                             const char *column) {
  size_t c = 0, n_found = 0;
  const char *found = NULL;
  while (c < s->n_columns && strcmp(s->cells[c], column) != 0) c++;
  assert_true(c < s->n_columns);
  for (size_t row = s->n_columns; row < s->n_cells; row += s->n_columns) {
    size_t k = 0;
    while (k < n && strcmp(s->cells[row + k], keys[k]) == 0) k++;
    if (k < n) continue;
    found = s->cells[row + c];
    n_found++;
  }
  assert_int_equal(n_found, 1);
  return found;
}

#define CELL(sheet, column, ...)                       \
  find_cell(sheet, (const char *const[]){__VA_ARGS__}, \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), column)

static void test_csv_by_hand(void **state) {
  (void)state;
  fixture f;
  sheet s;
  fill(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  read_sheet(&f, "report.csv", &s);
  assert_int_equal(s.n_columns, 10);
  assert_close(atof(CELL(&s, "iqm", "annealed", "", "sampled", "", "r_perf")),
               (0.9 + 0.7 + 1.0) / 3, 1e-15);
  assert_close(atof(CELL(&s, "lo", "annealed", "", "sampled", "", "r_perf")), 13.0 / 15 - 0.379458,
               1e-6);
  assert_string_equal(CELL(&s, "n", "annealed", "", "greedy", "", "critical_steps"), "3");
  assert_close(atof(CELL(&s, "mean", "oracle", "", "scripted", "", "percent_of_oracle")), 100,
               1e-9);
  assert_close(atof(CELL(&s, "mean", "annealed", "", "sampled", "", "r_perf>0.75")), 2.0 / 3,
               1e-15);
  assert_string_equal(CELL(&s, "iqm", "annealed", "", "", "", "forecast/lambda_star"), "0.1");
  assert_close(atof(CELL(&s, "hi", "annealed", HOSTILE, "sampled", "", "r_perf")),
               1.1 / 3 + 0.625161, 1e-6);
  assert_string_equal(
      CELL(&s, "mean", "annealed", HOSTILE, "sampled", "", "probability_of_improvement"), "1");
  free(s.text);
  read_sheet(&f, "report_seeds.csv", &s);
  assert_string_equal(CELL(&s, "value", "annealed", "true", "2", "sampled", "", "r_perf"), "0.7");
  assert_string_equal(CELL(&s, "value", "annealed", "true", "2", "greedy", "", "r_perf"), "0.5");
  assert_string_equal(CELL(&s, "value", "oracle", "false", "3", "scripted", "", "regret"), "5");
  free(s.text);
  read_sheet(&f, "report_curves.csv", &s);
  assert_int_equal(s.n_cells / s.n_columns, 1 + 2 * 3 * 4);
  assert_close(atof(CELL(&s, "reward/perf", "annealed", "1", "3")), 0.31, 1e-12);
  assert_string_equal(CELL(&s, "episode/finish_rate", "annealed", "1", "1"), "");
  assert_string_equal(CELL(&s, "experts/expert_most", "annealed", "1", "1"), "");
  free(s.text);
  finish(&f);
}

/* A reader gets back the very names, and rows of kinds of task, of runs that count. */
static void test_csv_quotes_names(void **state) {
  (void)state;
  static const char name[] = "a \"wide\", and\nlong \xCE\xBB";
  fixture f;
  sheet s;
  begin(&f);
  const int64_t run = put_run(&f, name, 1, "done");
  for (int64_t task = 0; task < 2; task++) {
    parl_episode_row e = make_episode("trained", "sampled", task == 0 ? 0.25 : 0.75);
    e.family = task == 0 ? "" : "wide,open";
    put_episode(&f, run, e, task);
  }
  put_episode(&f, put_run(&f, name, 2, "failed"), make_episode("trained", "sampled", 0), 1);
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  read_sheet(&f, "report_seeds.csv", &s);
  assert_string_equal(CELL(&s, "value", name, "true", "1", "sampled", "", "r_perf"), "0.5");
  assert_string_equal(CELL(&s, "value", name, "true", "1", "sampled", "(none)", "r_perf"), "0.25");
  assert_string_equal(CELL(&s, "value", name, "true", "1", "sampled", "wide,open", "r_perf"),
                      "0.75");
  for (size_t i = s.n_columns; i < s.n_cells; i += s.n_columns)
    assert_string_equal(s.cells[i + 2], "1");
  free(s.text);
  read_sheet(&f, "report.csv", &s);
  assert_string_equal(CELL(&s, "lo", name, "", "sampled", "", "r_perf"), ""); /* one seed */
  free(s.text);
  finish(&f);
}

/* A spreadsheet must not compute a name; numbers are none of its business. */
static void test_csv_names_are_no_formulas(void **state) {
  (void)state;
  static const char *const names[] = {"=1+1", "+1", "-legal", "@SUM(A1)", "=a,b"};
  static const char *const shown[] = {"'=1+1", "'+1", "'-legal", "'@SUM(A1)", "'=a,b"};
  static const char *const files[] = {"report.csv", "report_seeds.csv", "report_curves.csv"};
  fixture f;
  begin(&f);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    put_trained(&f, names[i], 1, 0.5 + 0.1 * (double)i, 0.5);
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  for (size_t k = 0; k < 3; k++) {
    sheet s;
    size_t n_found = 0;
    read_sheet(&f, files[k], &s);
    for (size_t i = 0; i < s.n_cells; i++) {
      if (strchr("=+@", s.cells[i][0]) != NULL) assert_string_equal(s.cells[i], "");
      if (s.cells[i][0] == '-') assert_true(atof(s.cells[i]) < 0);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
      for (size_t c = s.n_columns; c < s.n_cells; c += s.n_columns)
        if (strcmp(s.cells[c], shown[i]) == 0) n_found++;
    assert_true(n_found >= 5);
    free(s.text);
  }
  finish(&f);
}

/* --- the terminal's table --- */

static void test_plain_table_is_aligned(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  parl_text table = {0};
  assert_ok(parl_report_write(f.folder, &table));
  const char *text = parl_text_get(&table);
  assert_contains(text, "0.867 [0.487, 1.000]");
  assert_contains(text, "Few seeds (n = 3)");
  const char *line = strstr(text, "policy");
  const size_t width = read_line_width(&line);
  for (int row = 0; row < 4; row++) assert_int_equal(read_line_width(&line), width);
  assert_fits_terminal(text);
  parl_text_deinit(&table);
  finish(&f);
}

static void test_control_codes_are_not_obeyed(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  const int64_t run = put_run(&f, "red \x1B[31m", 1, "done");
  put_episode(&f, run, make_episode("trained", "sampled", 1), 1);
  end_writing(&f);
  parl_text table = {0};
  assert_ok(parl_report_write(f.folder, &table));
  assert_null(strchr(parl_text_get(&table), '\x1B'));
  assert_contains(parl_text_get(&table), "red ?[31m");
  parl_text_deinit(&table);
  finish(&f);
}

static void test_same_store_same_bytes(void **state) {
  (void)state;
  static const char *const files[] = {"report.html", "report.md",        "report.json",
                                      "report.csv",  "report_seeds.csv", "report_curves.csv"};
  fixture f;
  fill(&f);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    assert_ok(parl_report_write(f.folder, NULL));
    char *first = read_file(&f, files[i]);
    assert_ok(parl_report_write(f.folder, NULL));
    char *second = read_file(&f, files[i]);
    assert_string_equal(first, second);
    free(first);
    free(second);
  }
  finish(&f);
}

/* --- refusals --- */

static void assert_no_report(const fixture *f) {
  char path[PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, f->folder, "report.html"));
  assert_false(parl_file_exists(path));
}

static void test_missing_empty_and_foreign_stores(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  end_writing(&f);
  parl_text table = {0};
  assert_fails(parl_report_write(f.folder, &table), PARL_STATUS_EFORMAT, "no run");
  assert_contains(parl_error_text(), "store.db");
  assert_no_report(&f);
  assert_int_equal(remove(f.path), 0);
  assert_status(parl_report_write(f.folder, &table), PARL_STATUS_EIO);
  assert_false(parl_file_exists(f.path));
  static const char junk[] =
      "this is not a database, and longer than a header of one hundred bytes "
      "so that nobody takes it for an empty file";
  assert_ok(parl_file_write(f.path, junk, sizeof junk));
  assert_status(parl_report_write(f.folder, &table), PARL_STATUS_EFORMAT);
  assert_no_report(&f);
  assert_int_equal(table.n, 0);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_page_is_well_formed_and_self_contained),
      cmocka_unit_test(test_names_are_escaped),
      cmocka_unit_test(test_a_bound_is_no_optimum),
      cmocka_unit_test(test_cards_without_information_are_not_drawn),
      cmocka_unit_test(test_csv_by_hand),
      cmocka_unit_test(test_csv_quotes_names),
      cmocka_unit_test(test_csv_names_are_no_formulas),
      cmocka_unit_test(test_plain_table_is_aligned),
      cmocka_unit_test(test_control_codes_are_not_obeyed),
      cmocka_unit_test(test_same_store_same_bytes),
      cmocka_unit_test(test_missing_empty_and_foreign_stores),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
