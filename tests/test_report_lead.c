/* tests/test_report_lead.c - the answer a kind of task, the reference, sentences that do not
 * overstate, names of any kind. */
#include "core/rng.h"
#include "experiments/report_internal.h"
#include "tests/report_support.h"

enum { N_SEEDS = 5 };

static void put_score(fixture *f, int64_t run, const char *family, int64_t task, double r_perf) {
  parl_episode_row e = make_episode("trained", "sampled", r_perf);
  e.family = family;
  e.facts.launches = 1;
  e.facts.assigned = 3;
  put_episode(f, run, e, task);
}

/* One run on two kinds of task, two tasks each. */
static void put_mixed(fixture *f, const char *arm, int64_t seed, double wide, double chain) {
  const int64_t run = put_run(f, arm, seed, "done");
  put_score(f, run, "wide", 1, wide);
  put_score(f, run, "wide", 2, wide);
  put_score(f, run, "chain", 3, chain);
  put_score(f, run, "chain", 4, chain);
}

/* b is the unshaped arm (its name does not begin with an a). On wide, a - b is .2 + .01 seed; on
 * chain +-.01; over all the half of the sum. */
static void fill_mixed(fixture *f, int64_t n_seeds) {
  begin(f);
  for (int64_t seed = 1; seed <= n_seeds; seed++) {
    const double s = 0.01 * (double)seed;
    put_mixed(f, "annealed", seed, 0.7 + s, 0.9 + (seed % 2 ? 0.01 : -0.01));
    put_mixed(f, "bare", seed, 0.5, 0.9);
    put_mixed(f, "also", seed, 0.45 - s, 0.9);
  }
  end_writing(f);
}

static char *get_terminal(const fixture *f, const char *reference) {
  parl_text table = {0};
  assert_ok(write_against(f->folder, reference, &table));
  char *copy = strdup(parl_text_get(&table));
  parl_text_deinit(&table);
  return copy;
}

/* Line breaks of a text as blanks, and no two blanks. */
static void join_lines(char *text) {
  char *to = text;
  for (const char *p = text; *p != '\0'; p++) {
    const char c = *p == '\n' ? ' ' : *p;
    if (c != ' ' || to == text || to[-1] != ' ') *to++ = c;
  }
  *to = '\0';
}

static void test_the_answer_comes_first(void **state) {
  (void)state;
  fixture f;
  fill_mixed(&f, N_SEEDS);
  char *text = get_terminal(&f, NULL);
  const char *chain = strstr(text, "\nchain\n"), *wide = strstr(text, "\nwide\n");
  const char *difference = strstr(text, "\nDifferences from bare, paired by seed\n");
  const char *rest = strstr(text, "\nOutcome over all tasks");
  assert_true(chain != NULL && chain < wide && wide < difference && difference < rest);
  assert_true(strstr(text, "\nannealed: ") < chain);
  assert_contains(text, "annealed      5  0.730 [0.713, 0.747]       9.00     10.00  1.00 / 3.00");
  assert_contains(text, "annealed  wide           5     0.230 [0.218, 0.242]");
  assert_contains(text, "annealed  chain          5    0.002 [-0.006, 0.010]");
  join_lines(text);
  assert_contains(
      text,
      "annealed scores 0.230 [0.218, 0.242] higher than bare on wide, no difference shown on chain "
      "(0.002 [-0.006, 0.010]), 0.116 [0.109, 0.124] higher over all tasks.");
  assert_contains(text,
                  "also scores 0.080 [0.068, 0.092] lower than bare on wide, no difference shown "
                  "on chain (0.000 [0.000, 0.000]), 0.040 [0.034, 0.046] lower over all tasks.");
  free(text);
  char *html = read_file(&f, "report.html");
  const char *answer = strstr(html, "<li>annealed scores 0.230 [0.218, 0.242] higher");
  assert_non_null(answer);
  assert_true(answer < strstr(html, "<caption>chain"));
  assert_true(strstr(html, "<caption>chain") < strstr(html, "<caption>Outcome"));
  free(html);
  finish(&f);
}

/* Of three seeds a hint, of one nothing, without a common seed no comparison. */
static void test_sentences_do_not_overstate(void **state) {
  (void)state;
  fixture f;
  fill_mixed(&f, 3);
  char *text = get_terminal(&f, NULL);
  join_lines(text);
  assert_contains(text, "higher over all tasks; 3 seeds are a hint, not a claim.");
  free(text);
  finish(&f);
  fill_mixed(&f, 1);
  text = get_terminal(&f, NULL);
  join_lines(text);
  assert_contains(text,
                  "annealed scores 0.010 higher than bare on chain, 0.210 higher on wide, 0.110 "
                  "higher over all tasks; one seed, so this says nothing of other seeds.");
  free(text);
  finish(&f);
  begin(&f);
  put_mixed(&f, "annealed", 1, 0.7, 0.9);
  put_mixed(&f, "bare", 2, 0.5, 0.9);
  end_writing(&f);
  text = get_terminal(&f, NULL);
  join_lines(text);
  assert_contains(text, "annealed and bare have no seed in common: nothing to compare.");
  assert_null(strstr(text, "higher"));
  free(text);
  finish(&f);
}

/* A tie, and a difference that rounds to 0.000, are no difference. */
static void test_no_difference_is_said(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  for (int64_t seed = 1; seed <= N_SEEDS; seed++) {
    const int64_t a = put_run(&f, "annealed", seed, "done"), b = put_run(&f, "bare", seed, "done");
    put_score(&f, a, "", 1, 0.7 + 1e-5);
    put_score(&f, b, "", 1, 0.7);
  }
  end_writing(&f);
  char *text = get_terminal(&f, NULL);
  join_lines(text);
  assert_contains(text,
                  "annealed shows no difference from bare on the held-out tasks (0.000 [0.000, "
                  "0.000]).");
  free(text);
  finish(&f);
}

static double get_difference(const fixture *f, const char *a, const char *b, const char *path) {
  char *text = read_file(f, "report.json");
  parl_json *json = NULL;
  double value = NAN;
  assert_ok(parl_json_parse(text, strlen(text), "report.json", &json));
  free(text);
  for (const parl_json *p = parl_json_get_first(parl_json_find(json, "paired")); p != NULL;
       p = parl_json_get_next(p))
    if (strcmp(parl_json_get_string(parl_json_find(p, "a")), a) == 0 &&
        strcmp(parl_json_get_string(parl_json_find(p, "b")), b) == 0)
      value = get_number(p, path);
  parl_json_destroy(json);
  return value;
}

/* What one of two policies does not play has no row: they have nothing to differ in. */
static void test_kinds_that_both_play(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  for (int64_t seed = 1; seed <= N_SEEDS; seed++) {
    put_mixed(&f, "annealed", seed, 0.7, 0.9);
    const int64_t run = put_run(&f, "bare", seed, "done");
    put_score(&f, run, "wide", 1, 0.5);
    put_score(&f, run, "wide", 2, 0.5);
  }
  end_writing(&f);
  char *text = get_terminal(&f, NULL);
  const char *difference = strstr(text, "\nDifferences from bare, paired by seed\n");
  assert_non_null(difference);
  assert_contains(difference, "annealed  wide ");
  assert_null(strstr(difference, "annealed  chain"));
  free(text);
  finish(&f);
}

static void test_reference_is_a_choice(void **state) {
  (void)state;
  fixture f;
  fill_mixed(&f, N_SEEDS);
  assert_ok(parl_report_write(f.folder, NULL));
  assert_close(get_difference(&f, "annealed", "bare", "families.wide.r_perf.mean"), 0.23, 1e-12);
  assert_close(get_difference(&f, "annealed", "also", "families.wide.r_perf.mean"), 0.31, 1e-12);
  char *text = get_terminal(&f, "annealed");
  assert_contains(text, "Differences from annealed, paired by seed");
  free(text);
  assert_close(get_difference(&f, "bare", "annealed", "families.wide.r_perf.mean"), -0.23, 1e-12);
  assert_close(get_difference(&f, "bare", "also", "families.wide.r_perf.mean"), 0.08, 1e-12);
  char *csv = read_file(&f, "report.csv");
  assert_contains(csv, "\nbare,annealed,sampled,wide,r_perf,5,-0.2");
  free(csv);
  char *json = read_file(&f, "report.json");
  assert_contains(json, "\"reference\":\"annealed\"");
  free(json);
  assert_fails(write_against(f.folder, "anealed", NULL), PARL_STATUS_EINVAL,
               "did you mean \"annealed\"?");
  finish(&f);
}

/* A script may be the reference too; one that is not done may not. */
static void test_reference_may_be_a_baseline(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  char *text = get_terminal(&f, "serial");
  join_lines(text);
  assert_contains(text, "annealed scores 0.467 [0.087, 0.846] higher than serial");
  free(text);
  finish(&f);
  begin(&f);
  put_mixed(&f, "annealed", 1, 1, 1);
  put_run(&f, "bare", 1, "failed");
  end_writing(&f);
  assert_fails(write_against(f.folder, "bare", NULL), PARL_STATUS_EINVAL,
               "none of its 1 runs is done");
  finish(&f);
}

/* --- names --- */

static void test_text_of_any_bytes(void **state) {
  (void)state;
  parl_text text = {0};
  parl_text_append_html(&text, "<b a='1' c=\"2\">&\x1B\x80\xE2\x80\xAE\xC3\xA9");
  assert_string_equal(parl_text_get(&text),
                      "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\xEF\xBF\xBD\xEF\xBF\xBD"
                      "\xEF\xBF\xBD\xC3\xA9");
  parl_text_clear(&text);
  parl_text_append_plain(&text, "a\n\x1B[31m\xC2\x9B\xE2\x81\xA6\xF0\x9F\x98\x80\xFF");
  assert_string_equal(parl_text_get(&text), "a??[31m??\xF0\x9F\x98\x80?");
  parl_text_clear(&text);
  parl_text_append_markdown(&text, "|`[x](y)*_<i>");
  assert_string_equal(parl_text_get(&text), "\\|\\`\\[x](y)\\*\\_&lt;i&gt;");
  assert_int_equal(parl_text_get_width("e\xCC\x81\xF0\x9F\x98\x80\xE4\xB8\xAD"), 5);
  parl_text_clear(&text);
  parl_text_append_cut(&text, "abcdefghij", 6);
  assert_string_equal(parl_text_get(&text), "abc\xE2\x80\xA6ij");
  parl_text_clear(&text);
  parl_text_append_cut(&text, "\xE4\xB8\xAD\xE4\xB8\xAD\xE4\xB8\xAD\xE4\xB8\xAD", 6);
  assert_string_equal(parl_text_get(&text), "\xE4\xB8\xAD\xE2\x80\xA6\xE4\xB8\xAD");
  parl_text_clear(&text);
  parl_text_append_wrapped(&text, "one two three", 7, 1);
  assert_string_equal(parl_text_get(&text), "one two\n three\n");
  parl_text_clear(&text);
  parl_text_append_wrapped(&text, "a abcdefghijkl b", 8, 2);
  assert_string_equal(parl_text_get(&text), "a abc\xE2\x80\xA6kl\n  b\n");
  parl_text_deinit(&text);
}

/* Every byte string is shown within its width and never grows a tag. */
static void test_text_of_random_bytes(void **state) {
  (void)state;
  parl_rng_cursor rng = {.seed = 3};
  for (int i = 0; i < 20000; i++) {
    char name[40];
    const size_t n = parl_rng_next_below(&rng, sizeof name);
    for (size_t k = 0; k < n; k++) {
      name[k] = (char)(parl_rng_next(&rng) & 0xFF);
      if (name[k] == '\0' || k % 3 == 0)
        name[k] = "<>&'\"|`[\xF0\xE2"[parl_rng_next_below(&rng, 10)];
    }
    name[n] = '\0';
    parl_text text = {0};
    parl_text_append_html(&text, name);
    assert_null(strpbrk(parl_text_get(&text), "<>'\"\x1B\n"));
    parl_text_clear(&text);
    const size_t width = 2 + parl_rng_next_below(&rng, 12);
    parl_text_append_cut(&text, name, width);
    assert_true(parl_text_get_width(parl_text_get(&text)) <= width);
    assert_null(strpbrk(parl_text_get(&text), "\x1B\n\r\t\x7F"));
    parl_text_deinit(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_answer_comes_first),
      cmocka_unit_test(test_sentences_do_not_overstate),
      cmocka_unit_test(test_no_difference_is_said),
      cmocka_unit_test(test_kinds_that_both_play),
      cmocka_unit_test(test_reference_is_a_choice),
      cmocka_unit_test(test_reference_may_be_a_baseline),
      cmocka_unit_test(test_text_of_any_bytes),
      cmocka_unit_test(test_text_of_random_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
