/* tests/test_dashboard.c - what a screen about a training shows, at every size. */
#include "experiments/dashboard.h"
#include "experiments/report_internal.h"
#include "tests/support.h"

static parl_progress make(const char *arm, int64_t seed, const char *phase, int64_t done) {
  return (parl_progress){.phase = phase,
                         .arm = arm,
                         .seed = seed,
                         .done = done,
                         .n = 1000,
                         .r_perf = (double)done / 1000,
                         .critical_steps = 20 - 0.01 * (double)done,
                         .launch_rate = 0.5,
                         .entropy = 1.5,
                         .lambda1 = 0.3,
                         .finish_rate = NAN,
                         .useful_rate = 0,
                         .n_cells = 8,
                         .share = 0.25,
                         .left_s = 3725};
}

/* Lines of the text; none has `columns` letters or more. */
static size_t check_lines(char *text, size_t columns) {
  size_t n = 0;
  for (char *line = text; line != NULL && *line != '\0'; n++) {
    char *end = strchr(line, '\n');
    assert_non_null(end); /* each has its end */
    *end = '\0';
    assert_in_range(parl_text_get_width(line), 0, columns - 1);
    *end = '\n';
    line = end + 1;
  }
  return n;
}

static void test_every_size_holds(void **state) {
  (void)state;
  parl_dashboard *d = NULL;
  assert_ok(parl_dashboard_create("a recipe with a name of some length", 0, &d));
  for (int64_t i = 1; i <= 700; i++)
    for (int64_t seed = 0; seed < 12; seed++) {
      const parl_progress p =
          make(seed % 2 ? "arm"
                        : "an_arm_whose_name_is_longer_than_any_terminal_is_wide_"
                          "and_goes_on_and_on_and_on",
               seed, "train", i);
      parl_dashboard_add(d, &p, (double)i);
    }
  for (int i = 0; i < 9; i++)
    parl_dashboard_warn(d,
                        "something is wrong in a long sentence \x1b[2J "
                        "that says what and where and why it is so");
  for (size_t columns = 2; columns <= 200; columns += columns < 58 ? 7 : 1)
    for (size_t rows = 1; rows <= 60; rows += 3) {
      parl_text text = {0};
      parl_dashboard_append(d, columns, rows, false, 4000, &text);
      assert_ok(parl_text_status(&text));
      const bool is_screen = columns >= 60 && rows >= 12;
      const size_t n = check_lines(text.bytes, columns);
      assert_in_range(n, 1, is_screen ? rows : 1);
      assert_null(strchr(text.bytes, '\x1b'));
      parl_text_deinit(&text);
    }
  parl_dashboard_destroy(d);
}

static void test_shows_what_goes_on(void **state) {
  (void)state;
  parl_dashboard *d = NULL;
  parl_text text = {0};
  assert_ok(parl_dashboard_create("toy", 100, &d));
  assert_true(parl_dashboard_is_empty(d));
  parl_progress p = make("", 1, "warm start", 5);
  parl_dashboard_add(d, &p, 101);
  parl_dashboard_append(d, 80, 24, false, 165, &text);
  assert_contains(parl_text_get(&text), "toy  0/8 runs  25%  1h02 left  1:05 passed\n");
  assert_contains(parl_text_get(&text), "(before training) s1");
  parl_text_clear(&text);
  for (int64_t i = 1; i <= 8; i++) {
    p = make("one", 1, "train", 100 * i + 50);
    parl_dashboard_add(d, &p, 102);
  }
  p = make("two", 2, "train", 5);
  parl_dashboard_add(d, &p, 103);
  parl_dashboard_append(d, 80, 24, false, 165, &text);
  const char *s = parl_text_get(&text);
  assert_null(strstr(s, "before training")); /* it is over */
  assert_contains(s, "one s1");
  assert_contains(s, "two s2");
  assert_contains(s, "\n\none s1\n"); /* whose metrics follow: it has trained most */
#define SPARK(a) "\xE2\x96" a
  assert_contains(s, "r_perf              0.850  " SPARK("\x82") SPARK("\x83") SPARK("\x83") SPARK(
                         "\x84") SPARK("\x85") SPARK("\x86") SPARK("\x87") SPARK("\x87") "\n");
  assert_contains(s, "finish rate             -          \n");                   /* never defined */
  assert_contains(s, "critical steps      11.50  " SPARK("\x88") SPARK("\x87")); /* least to most */
  parl_text_clear(&text);
  p = make("one", 1, "evaluate", 1000);
  parl_dashboard_add(d, &p, 104);
  p = make("two", 2, "train", 6);
  p.n_cells_done = 1;
  parl_dashboard_add(d, &p, 105);
  parl_dashboard_append(d, 80, 24, false, 165, &text);
  assert_null(strstr(parl_text_get(&text), "one s1")); /* done */
  assert_contains(parl_text_get(&text), "1/8 runs");
  parl_text_deinit(&text);
  parl_dashboard_destroy(d);
}

/* Thinned, a history is that of all updates: a half and a half. */
static void test_long_histories_are_thinned(void **state) {
  (void)state;
  parl_dashboard *d = NULL;
  parl_text text = {0};
  assert_ok(parl_dashboard_create("toy", 0, &d));
  for (int64_t i = 1; i <= 100000; i++) {
    parl_progress p = make("one", 1, "train", i);
    p.r_perf = i <= 50000 ? 0 : 1;
    parl_dashboard_add(d, &p, 0);
  }
  parl_dashboard_append(d, 200, 24, false, 1, &text);
  size_t low = 0, high = 0;
  const char *line = strstr(parl_text_get(&text), "\nr_perf ");
  assert_non_null(line);
  for (const char *c = line + 1; strncmp(c, "  lambda2", 9) != 0; c++) {
    low += strncmp(c, "\xE2\x96\x81", 3) == 0;
    high += strncmp(c, "\xE2\x96\x88", 3) == 0;
  }
  assert_in_range(low + high, 60, 100);
  assert_in_range(low, high - 2, high + 2);
  parl_text_deinit(&text);
  parl_dashboard_destroy(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_size_holds),
      cmocka_unit_test(test_shows_what_goes_on),
      cmocka_unit_test(test_long_histories_are_thinned),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
