/* tests/test_report_folders.c - several folders as one report, figures as files, tables for
 * LaTeX. */
#include <sys/stat.h>

#include "experiments/report_internal.h"
#include "tests/report_support.h"

#define ENV "\"script\":\"s\",\"params\":{},"

/* A trained run of a configuration, its r_perf. */
static void put(fixture *f, const char *arm, int64_t seed, const char *lambda, const char *eval,
                double r_perf) {
  char config[300];
  snprintf(config, sizeof config,
           "{" ENV
           "\"eval\":{\"seed\":1,\"tasks\":%s},\"lambda1\":{\"start\":%s},\"seed\":%lld,"
           "\"train\":{}}",
           eval, lambda, (long long)seed);
  const int64_t run = put_run_of(f, arm, seed, "done", config, "{}");
  put_episode(f, run, make_episode("trained", "sampled", r_perf), 1);
}

static parl_json *report_both(const fixture *a, const fixture *b, const fixture *out) {
  const char *folders[] = {a->folder, b->folder};
  assert_ok(parl_report_make(
      &(parl_report_request){.folders = folders, .n_folders = 2, .out = out->folder}, NULL));
  char *text = read_file(out, "report.json");
  parl_json *json = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "report.json", &json));
  free(text);
  return json;
}

/* "a" is the same arm in both and its seed 2 the same run; "b" is another arm in each. */
static void test_folders_become_one(void **state) {
  (void)state;
  fixture f, g, out;
  begin(&f);
  put(&f, "a", 1, "0", "4", 0.2);
  put(&f, "a", 2, "0", "4", 0.4);
  put(&f, "b", 1, "0.1", "4", 0.5);
  end_writing(&f);
  begin(&g);
  put(&g, "a", 2, "0", "4", 0.4);
  put(&g, "a", 3, "0", "4", 0.6);
  put(&g, "b", 1, "0.9", "4", 0.7);
  end_writing(&g);
  parl_test_temp_folder(out.folder);
  out.store = NULL;
  parl_json *json = report_both(&f, &g, &out);
  assert_true(fabs(get_number(json, "arms.a.r_perf.n") - 3) < 1e-12);
  assert_true(fabs(get_number(json, "arms.a.r_perf.mean") - 0.4) < 1e-12);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "arms")), 3);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "runs")), 5);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "paired")), 3);
  assert_null(parl_json_find_path(json, "arms.b"));
  parl_json_destroy(json);
  char *html = read_file(&out, "report.html");
  char due[200];
  snprintf(due, sizeof due, "b (%s)", strrchr(f.folder, '/') + 1);
  assert_contains(html, due);
  assert_contains(html, " -o ");
  free(html);
  finish(&out);
  finish(&g);
  finish(&f);
}

/* What was judged on other held-out tasks is not compared. */
static void test_other_tasks_are_not_compared(void **state) {
  (void)state;
  fixture f, g, out;
  begin(&f);
  put(&f, "a", 1, "0", "4", 0.2);
  end_writing(&f);
  begin(&g);
  put(&g, "b", 1, "0.9", "8", 0.7);
  end_writing(&g);
  parl_test_temp_folder(out.folder);
  out.store = NULL;
  parl_json *json = report_both(&f, &g, &out);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "paired")), 0);
  parl_json_destroy(json);
  finish(&out);
  finish(&g);
  finish(&f);
}

/* Seeds that chose are not reported beside others. */
static void test_tuning_stays_alone(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  char points[PARL_TEST_PATH_BYTES + 16], path[PARL_TEST_PATH_BYTES + 32];
  snprintf(points, sizeof points, "%s/points", f.folder);
  assert_ok(parl_file_make_folder(points));
  const char *folders[] = {f.folder, points};
  const parl_report_request request = {.folders = folders, .n_folders = 2, .out = f.folder};
  assert_status(parl_report_make(&request, NULL), PARL_STATUS_EIO); /* any folder without a store */
  snprintf(path, sizeof path, "%s/sweep.json", f.folder);
  assert_ok(parl_file_write(path, "{}", 2));
  assert_fails(parl_report_make(&request, NULL), PARL_STATUS_EINVAL, "chose the points");
  const parl_report_request no_out = {.folders = folders, .n_folders = 2};
  assert_fails(parl_report_make(&no_out, NULL), PARL_STATUS_EINVAL, "needs -o");
  finish(&f);
}

static parl_status make_with_figures(const fixture *f) {
  const char *folder = f->folder;
  return parl_report_make(
      &(parl_report_request){.folders = &folder, .n_folders = 1, .with_figures = true}, NULL);
}

/* Every drawing of the page is a file; what an earlier report left is gone, what is ours not. */
static void test_figures_are_files(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  char path[PARL_TEST_PATH_BYTES + 80];
  snprintf(path, sizeof path, "%s/" PARL_REPORT_FIGURES, f.folder);
  assert_ok(parl_file_make_folder(path));
  snprintf(path, sizeof path, "%s/" PARL_REPORT_FIGURES "/99_old.svg", f.folder);
  assert_ok(parl_file_write(path, "x", 1));
  snprintf(path, sizeof path, "%s/" PARL_REPORT_FIGURES "/mine.svg", f.folder);
  assert_ok(parl_file_write(path, "x", 1));
  assert_ok(make_with_figures(&f));
  assert_true(parl_file_exists(path));
  snprintf(path, sizeof path, "%s/" PARL_REPORT_FIGURES "/99_old.svg", f.folder);
  assert_false(parl_file_exists(path));
  char *svg = read_file(&f, PARL_REPORT_FIGURES "/02_policies_compared.svg");
  assert_contains(svg, "xmlns=\"http://www.w3.org/2000/svg\"");
  assert_contains(svg, ".k0 { color: #0072b2 }");
  assert_contains(svg, "&lt;script&gt;");
  assert_null(strstr(svg, "<script"));
  assert_null(strstr(svg, "var("));
  assert_null(strstr(svg, "@media"));
  assert_int_equal(count(svg, "<svg"), count(svg, "</svg>"));
  free(svg);
  char *html = read_file(&f, "report.html");
  const size_t n = count(html, "<figure>");
  free(html);
  snprintf(path, sizeof path, "%s/" PARL_REPORT_FIGURES "/%02zu_", f.folder, n);
  parl_text listing = {0};
  parl_text_appendf(&listing, "ls %s* | wc -l | grep -qx 1", path);
  assert_int_equal(system(parl_text_get(&listing)), 0);
  parl_text_deinit(&listing);
  finish(&f);
}

static void test_latex_is_escaped(void **state) {
  (void)state;
  parl_text out = {0};
  parl_text_append_latex(&out,
                         "50 % of a_b & {c} ^~\\ $#<\xCE\xBB\xE2\x82\x81> \xC3\xA9 \xE4\xB8\xAD");
  assert_string_equal(
      parl_text_get(&out),
      "50 \\% of a\\_b \\& \\{c\\} \\textasciicircum{}\\textasciitilde{}"
      "\\textbackslash{} \\$\\#\\textless{}$\\lambda$$_1$\\textgreater{} \xC3\xA9 ?");
  parl_text_deinit(&out);
  fixture f;
  begin(&f);
  put(&f, "\\input{/etc/passwd}", 1, "0", "4", 0.2);
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *tex = read_file(&f, "report.tex");
  assert_null(strstr(tex, "\\input"));
  assert_contains(tex, "\\textbackslash{}input\\{/etc/passwd\\}");
  assert_int_equal(count(tex, "\\begin{table}"), count(tex, "\\end{table}"));
  assert_int_equal(count(tex, "\\toprule"), count(tex, "\\bottomrule"));
  free(tex);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_folders_become_one),
      cmocka_unit_test(test_other_tasks_are_not_compared),
      cmocka_unit_test(test_tuning_stays_alone),
      cmocka_unit_test(test_figures_are_files),
      cmocka_unit_test(test_latex_is_escaped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
