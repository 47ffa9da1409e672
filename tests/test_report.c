/* tests/test_report.c - a small store with numbers known by hand; the three files and the table. */
#include <ctype.h>

#include "core/file.h"
#include "core/json.h"
#include "experiments/report.h"
#include "experiments/report_internal.h"
#include "parl/metrics.h"
#include "tests/support.h"

#define HOSTILE "<script>alert(1)</script>"

typedef struct fixture {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES];
  parl_store *store;
  int64_t n_runs;
} fixture;

static void begin(fixture *f) {
  *f = (fixture){.n_runs = 0};
  parl_test_temp_folder(f->folder);
  assert_ok(parl_file_join(f->path, sizeof f->path, f->folder, "store.db"));
  assert_ok(parl_store_open(f->path, &f->store));
  assert_ok(parl_store_begin(f->store));
}

static void end_writing(fixture *f) {
  assert_ok(parl_store_commit(f->store));
  parl_store_close(f->store);
  f->store = NULL;
}

static void finish(fixture *f) {
  parl_store_close(f->store);
  parl_test_remove_folder(f->folder);
}

static int64_t put_run(fixture *f, const char *arm, int64_t seed, const char *status) {
  char config[200];
  int64_t id = 0;
  snprintf(config, sizeof config, "{\"lambda1\":{\"start\":%s},\"seed\":%lld}",
           arm[0] == 'a' ? "0.3" : "0", (long long)seed);
  parl_store_run run = {.recipe = "toy",
                        .arm = arm,
                        .seed = seed,
                        .config = config,
                        .status = status,
                        .host = "{\"cpu\":\"test\"}",
                        .revision = "abc"};
  snprintf(run.uid, sizeof run.uid, "%064lld", (long long)++f->n_runs);
  assert_ok(parl_store_put_run(f->store, &run, &id));
  return id;
}

static parl_store_episode make_episode(const char *policy, const char *decoding, double r_perf) {
  return (parl_store_episode){.policy = policy,
                              .decoding = decoding,
                              .update = 4,
                              .family = "",
                              .r_perf = r_perf,
                              .success = r_perf == 1,
                              .critical_steps = 10,
                              .total_steps = 10,
                              .optimum_steps = 5,
                              .last_gain_steps = 9,
                              .n_tokens = 30,
                              .end = "budget"};
}

static void put_episode(fixture *f, int64_t run, parl_store_episode e, int64_t task) {
  e.task_seed = task;
  assert_ok(parl_store_put_episode(f->store, run, &e));
}

/* Two tasks a run. The first launches: 4 assigned, 3 finished, 6 critical of 12 steps, ends by
 * finish. The second starts one sub-agent that never finishes, 10 of 10 steps, ends by budget. */
static void put_trained(fixture *f, const char *arm, int64_t seed, double first, double second) {
  const int64_t run = put_run(f, arm, seed, "done");
  parl_store_episode e = make_episode("trained", "sampled", first);
  e.critical_steps = 6;
  e.total_steps = 12;
  e.launches = 1;
  e.assigned = 4;
  e.finished = 3;
  e.max_width = 4;
  e.end = "finish";
  put_episode(f, run, e, 1);
  e = make_episode("trained", "sampled", second);
  e.launches = 1;
  e.assigned = 1;
  e.max_width = 1;
  put_episode(f, run, e, 2);
  e.r_perf = 0; /* of an earlier evaluation, which must not count */
  e.update = 2;
  put_episode(f, run, e, 1);
  put_episode(f, run, make_episode("trained", "greedy", 0.5), 1);
  for (int64_t t = 0; t < 4; t++) {
    assert_ok(parl_store_put_metric(f->store, run, t, "reward/perf",
                                    0.1 * (double)t + 0.01 * (double)seed));
    assert_ok(parl_store_put_metric(f->store, run, t, "lambda/lambda1", 0.3 - 0.1 * (double)t));
    assert_ok(
        parl_store_put_metric(f->store, run, t, "episode/finish_rate",
                              t == 1 ? (double)NAN : 0.5)); /* nothing was assigned in update 1 */
  }
  assert_ok(parl_store_put_metric(f->store, run, 0, "forecast/lambda_star", 0.1));
}

static void put_baseline(fixture *f, const char *arm, const char *decoding, double r_perf) {
  for (int64_t seed = 1; seed <= 3; seed++) {
    const int64_t run = put_run(f, arm, seed, "done");
    put_episode(f, run, make_episode(arm, decoding, r_perf), 1);
  }
}

/* Sampled r_perf of annealed: .9 .7 1, of the other: .5 .6 .4; oracle .8. */
static void fill(fixture *f) {
  begin(f);
  put_baseline(f, "serial", "scripted", 0.4);
  put_trained(f, "annealed", 1, 0.8, 1.0);
  put_trained(f, "annealed", 2, 0.6, 0.8);
  put_trained(f, "annealed", 3, 1.0, 1.0);
  put_trained(f, HOSTILE, 3, 0.4, 0.4);
  put_trained(f, HOSTILE, 2, 0.6, 0.6);
  put_trained(f, HOSTILE, 1, 0.4, 0.6);
  put_baseline(f, "oracle", "scripted", 0.8);
  end_writing(f);
}

static char *read_file(const fixture *f, const char *name) {
  char path[PARL_TEST_PATH_BYTES];
  char *text = NULL;
  size_t n = 0;
  assert_ok(parl_file_join(path, sizeof path, f->folder, name));
  assert_ok(parl_file_read(path, (size_t)1 << 24, &text, &n));
  return text;
}

static parl_json *write_and_parse(const fixture *f) {
  assert_ok(parl_report_write(f->folder, NULL));
  char *text = read_file(f, "report.json");
  parl_json *json = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "report.json", &json));
  free(text);
  return json;
}

static double get_number(const parl_json *json, const char *path) {
  const parl_json *node = parl_json_find_path(json, path);
  if (node == NULL) print_error("no %s\n", path);
  assert_non_null(node);
  return parl_json_get_type(node) == PARL_JSON_NUMBER ? parl_json_get_number(node) : (double)NAN;
}

static void test_scores_by_hand(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  parl_json *json = write_and_parse(&f);
  const parl_json *arm = parl_json_find_path(json, "arms.annealed");
  assert_close(get_number(json, "schema"), 1, 0);
  assert_close(get_number(arm, "r_perf.mean"), (0.9 + 0.7 + 1.0) / 3, 1e-12);
  assert_close(get_number(arm, "r_perf.iqm"), (0.9 + 0.7 + 1.0) / 3, 1e-12);
  assert_close(get_number(arm, "r_perf.lo"), 0.7, 1e-12);
  assert_close(get_number(arm, "r_perf.hi"), 1.0, 1e-12);
  assert_close(get_number(arm, "r_perf.n"), 3, 0);
  assert_close(get_number(arm, "item_f1.mean"), get_number(arm, "r_perf.mean"), 0);
  assert_close(get_number(arm, "success.mean"), (0.5 + 0 + 1) / 3, 1e-12);
  assert_close(get_number(arm, "critical_steps.mean"), 8, 1e-12);
  assert_close(get_number(arm, "total_steps.mean"), 11, 1e-12);
  assert_close(get_number(arm, "speed_up.mean"), 1.5, 1e-12);
  assert_close(get_number(arm, "regret.mean"), 3, 1e-12);
  assert_close(get_number(arm, "last_gain_steps.mean"), 9, 1e-12);
  assert_close(get_number(arm, "launches.mean"), 1, 1e-12);
  assert_close(get_number(arm, "assigned.mean"), 2.5, 1e-12);
  assert_close(get_number(arm, "max_width.mean"), 2.5, 1e-12);
  assert_close(get_number(arm, "launch_rate.mean"), 1, 1e-12);
  assert_close(get_number(arm, "finish_rate.mean"), 3.0 / 5, 1e-12);
  assert_close(get_number(arm, "tokens.mean"), 30, 1e-12);
  assert_close(get_number(arm, "end_finish.mean"), 0.5, 1e-12);
  assert_close(get_number(arm, "end_budget.mean"), 0.5, 1e-12);
  assert_close(get_number(arm, "end_error.mean"), 0, 0);
  assert_close(get_number(arm, "greedy.r_perf.mean"), 0.5, 1e-12);
  assert_close(get_number(arm, "greedy.finish_rate.n"), 0, 0);
  parl_json_destroy(json);
  finish(&f);
}

static void test_nothing_assigned_is_null(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  parl_json *json = write_and_parse(&f);
  const parl_json *rate = parl_json_find_path(json, "arms.serial.finish_rate.mean");
  assert_int_equal(parl_json_get_type(rate), PARL_JSON_NULL);
  assert_close(get_number(json, "arms.serial.finish_rate.n"), 0, 0);
  assert_close(get_number(json, "arms.serial.launch_rate.mean"), 0, 0);
  assert_null(parl_json_find_path(json, "arms.serial.greedy"));
  parl_json_destroy(json);
  finish(&f);
}

static void test_arms_come_trained_first_then_by_appearance(void **state) {
  (void)state;
  static const char *const names[] = {"annealed", HOSTILE, "serial", "oracle"};
  fixture f;
  fill(&f);
  parl_json *json = write_and_parse(&f);
  const parl_json *arm = parl_json_get_first(parl_json_find(json, "arms"));
  for (size_t i = 0; i < 4; i++, arm = parl_json_get_next(arm)) {
    assert_string_equal(parl_json_get_key(arm), names[i]);
    assert_int_equal(parl_json_get_bool(parl_json_find(arm, "trained")), i < 2);
  }
  assert_null(arm);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "runs")), 12);
  parl_json_destroy(json);
  finish(&f);
}

/* By seed: .9 - .5, .7 - .6, 1 - .4; never the order of the store, which differs. */
static void test_pairs_by_hand(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  parl_json *json = write_and_parse(&f);
  const parl_json *pairs = parl_json_find(json, "paired");
  assert_int_equal(parl_json_get_size(pairs), 1);
  const parl_json *pair = parl_json_get_first(pairs);
  assert_string_equal(parl_json_get_string(parl_json_find(pair, "b")), HOSTILE);
  assert_close(get_number(pair, "r_perf.mean"), (0.4 + 0.1 + 0.6) / 3, 1e-12);
  assert_close(get_number(pair, "r_perf.lo"), 0.1, 1e-12);
  assert_close(get_number(pair, "r_perf.hi"), 0.6, 1e-12);
  assert_close(get_number(pair, "critical_steps.mean"), 0, 0);
  assert_close(get_number(pair, "probability_of_improvement.mean"), 1, 0);
  assert_close(get_number(json, "percent_of_oracle.annealed.mean"),
               100 * (0.9 + 0.7 + 1.0) / 3 / 0.8, 1e-9);
  assert_close(get_number(json, "percent_of_oracle.oracle.mean"), 100, 1e-9);
  parl_json_destroy(json);
  finish(&f);
}

static double get_item(const parl_json *json, const char *path, const char *key, const char *part,
                       size_t i) {
  const parl_json *item = parl_json_get_first(
      parl_json_find(parl_json_find(parl_json_find_path(json, path), key), part));
  while (i-- > 0) item = parl_json_get_next(item);
  return parl_json_get_type(item) == PARL_JSON_NUMBER ? parl_json_get_number(item) : (double)NAN;
}

static void test_curves_by_hand(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  parl_json *json = write_and_parse(&f);
  const char *path = "curves.arms.annealed";
  assert_int_equal(parl_json_get_size(parl_json_find_path(json, "curves.update")), 4);
  assert_close(get_item(json, path, "reward/perf", "iqm", 2), 0.22, 1e-12);
  assert_close(get_item(json, path, "reward/perf", "lo", 2), 0.21, 1e-12);
  assert_close(get_item(json, path, "reward/perf", "hi", 2), 0.23, 1e-12);
  assert_close(get_item(json, path, "lambda/lambda1", "iqm", 1), 0.2, 1e-12);
  assert_true(isnan(get_item(json, path, "episode/finish_rate", "iqm", 1)));
  assert_close(get_item(json, path, "episode/finish_rate", "n", 1), 0, 0);
  assert_close(
      get_number(parl_json_find_path(json, "arms.annealed.warm_start"), "forecast/lambda_star.iqm"),
      0.1, 1e-12);
  parl_json_destroy(json);
  finish(&f);
}

/* 1000 updates become 143 points of 7, whose values are the means of their updates. */
static void test_long_curves_are_thinned(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  const int64_t run = put_run(&f, "annealed", 1, "done");
  put_episode(&f, run, make_episode("trained", "sampled", 1), 1);
  for (int64_t t = 0; t < 1000; t++)
    assert_ok(parl_store_put_metric(f.store, run, t, "reward/perf", (double)t));
  end_writing(&f);
  parl_json *json = write_and_parse(&f);
  const parl_json *x = parl_json_find_path(json, "curves.update");
  assert_int_equal(parl_json_get_size(x), 143);
  assert_close(get_number(json, "curves.updates_per_point"), 7, 0);
  assert_close(parl_json_get_number(parl_json_get_first(x)), 3, 0);
  assert_close(get_item(json, "curves.arms.annealed", "reward/perf", "iqm", 1), 10, 1e-12);
  assert_close(get_item(json, "curves.arms.annealed", "reward/perf", "iqm", 142), 996.5, 1e-12);
  assert_true(isnan(get_item(json, "curves.arms.annealed", "reward/perf", "lo", 142)));
  parl_json_destroy(json);
  finish(&f);
}

static void test_families_are_told_apart(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  const int64_t run = put_run(&f, "annealed", 1, "done");
  for (int64_t task = 0; task < 4; task++) {
    parl_store_episode e = make_episode("trained", "sampled", task < 2 ? 0.25 : 0.75);
    e.family = task < 2 ? "chain" : "wide";
    put_episode(&f, run, e, task);
  }
  end_writing(&f);
  parl_json *json = write_and_parse(&f);
  assert_close(get_number(json, "arms.annealed.r_perf.mean"), 0.5, 1e-12);
  assert_close(get_number(json, "arms.annealed.families.chain.r_perf.mean"), 0.25, 1e-12);
  assert_close(get_number(json, "arms.annealed.families.wide.r_perf.mean"), 0.75, 1e-12);
  parl_json_destroy(json);
  finish(&f);
}

/* From the title of a figure to its end; NULL if there is none. The caller frees. */
static char *read_figure(const fixture *f, const char *title) {
  char *html = read_file(f, "report.html"), head[80], *figure = NULL;
  snprintf(head, sizeof head, "<figcaption>%s<", title);
  const char *start = strstr(html, head);
  if (start != NULL) {
    figure = strdup(start);
    *strstr(figure, "</figure>") = '\0';
  }
  free(html);
  return figure;
}

/* Loads of experts are drawn for the arms that have them, and nothing is said where none has. */
static void test_loads_of_experts(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  for (int64_t seed = 1; seed <= 2; seed++) {
    const int64_t run = put_run(&f, "sparse", seed, "done");
    put_episode(&f, run, make_episode("trained", "sampled", 1), 1);
    for (int64_t t = 0; t < 4; t++)
      assert_ok(parl_store_put_metric(f.store, run, t, "experts/expert_most",
                                      (double)t + (seed == 1 ? 1.5 : 2.5)));
  }
  put_trained(&f, "dense", 1, 1, 1);
  end_writing(&f);
  parl_json *json = write_and_parse(&f);
  const char *path = "curves.arms.sparse";
  assert_close(get_item(json, path, "experts/expert_most", "iqm", 3), 5, 1e-12);
  assert_close(get_item(json, path, "experts/expert_most", "lo", 3), 4.5, 1e-12);
  assert_close(get_item(json, path, "experts/expert_most", "hi", 3), 5.5, 1e-12);
  assert_null(parl_json_find(parl_json_find_path(json, path), "reward/perf"));
  assert_null(
      parl_json_find(parl_json_find_path(json, "curves.arms.dense"), "experts/expert_most"));
  parl_json_destroy(json);
  char *figure = read_figure(&f, "Busiest expert");
  assert_non_null(figure);
  assert_contains(figure, "Last values: sparse 5.00\"");
  assert_null(strstr(figure, "dense"));
  free(figure);
  figure = read_figure(&f, "r_perf");
  assert_contains(figure, "Last values: dense 0.310\"");
  free(figure);
  assert_null(read_figure(&f, "Unused experts"));
  finish(&f);
  fill(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *html = read_file(&f, "report.html");
  assert_null(strstr(html, "expert"));
  free(html);
  finish(&f);
}

/* Unfinished and superseded runs are listed, warned of, and enter no number. */
static void test_only_the_newest_done_run_counts(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  int64_t run = put_run(&f, "annealed", 1, "done");
  put_episode(&f, run, make_episode("trained", "sampled", 0.1), 1);
  run = put_run(&f, "annealed", 1, "done");
  put_episode(&f, run, make_episode("trained", "sampled", 0.6), 1);
  run = put_run(&f, "annealed", 1, "running");
  put_episode(&f, run, make_episode("trained", "sampled", 0), 1);
  run = put_run(&f, "annealed", 2, "failed");
  end_writing(&f);
  parl_text table = {0};
  assert_ok(parl_report_write(f.folder, &table));
  assert_contains(parl_text_get(&table), "2 of 4 runs are not done");
  assert_contains(parl_text_get(&table), "1 runs were repeated");
  assert_contains(parl_text_get(&table), "One seed");
  parl_text_deinit(&table);
  parl_json *json = write_and_parse(&f);
  assert_close(get_number(json, "arms.annealed.r_perf.mean"), 0.6, 1e-12);
  assert_close(get_number(json, "arms.annealed.r_perf.n"), 1, 0);
  const parl_json *lo = parl_json_find_path(json, "arms.annealed.r_perf.lo");
  assert_int_equal(parl_json_get_type(lo), PARL_JSON_NULL);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "runs")), 4);
  parl_json_destroy(json);
  finish(&f);
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

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *p = strstr(text, part); p != NULL; p = strstr(p + 1, part)) n++;
  return n;
}

static void test_page_is_well_formed_and_self_contained(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *html = read_file(&f, "report.html");
  check_nesting(html);
  assert_contains(html,
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "style-src 'unsafe-inline'; img-src data:\">");
  assert_null(strstr(html, "://"));
  assert_null(strstr(html, "src="));
  assert_null(strstr(html, "href="));
  assert_null(strstr(html, "url("));
  assert_null(strstr(html, "nan"));
  assert_contains(html, "prefers-color-scheme:dark");
  assert_contains(html, "Few seeds (n = 3)");
  assert_true(count(html, "<figure>") >= 5);
  assert_int_equal(count(html, "<figure>"), count(html, "<details><summary>Table</summary>"));
  assert_int_equal(count(html, "role=\"img\""), count(html, "aria-label=\""));
  free(html);
  finish(&f);
}

static void test_names_are_escaped(void **state) {
  (void)state;
  static const char *const files[] = {"report.html", "report.md", "report.json"};
  fixture f;
  fill(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  for (size_t i = 0; i < 3; i++) {
    char *text = read_file(&f, files[i]);
    assert_null(strstr(text, "<script"));
    assert_contains(text, "alert");
    free(text);
  }
  char *html = read_file(&f, "report.html");
  assert_contains(html, "&lt;script&gt;alert(1)&lt;/script&gt;");
  free(html);
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
  assert_contains(text, "0.867 [0.700, 1.000]");
  assert_contains(text, "Few seeds (n = 3)");
  const char *line = strstr(text, "policy");
  const size_t width = strcspn(line, "\n");
  for (int row = 0; row < 5; row++) {
    assert_int_equal(strcspn(line, "\n"), width);
    line += width + 1;
  }
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
  static const char *const files[] = {"report.html", "report.md", "report.json"};
  fixture f;
  fill(&f);
  for (size_t i = 0; i < 3; i++) {
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

/* The report's keys are the trainer's: a renamed metric must not leave an empty figure. */
static void test_curve_keys_are_metrics(void **state) {
  (void)state;
  for (size_t c = 0; c < PARL_N_CURVES; c++) {
    bool found = false;
    for (size_t m = 0; m < PARL_N_METRICS; m++)
      if (strcmp(parl_metric_keys[m], parl_curve_infos[c].key) == 0) found = true;
    if (!found) print_error("%s is no metric\n", parl_curve_infos[c].key);
    assert_true(found);
  }
}

static void test_axes_are_round_and_cover(void **state) {
  (void)state;
  static const double ranges[][2] = {{0, 1}, {0.91, 0.957}, {3, 3}, {0, 0}, {-2, 7}, {0, 1e-4}};
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    const parl_axis a = parl_axis_make(ranges[i][0], ranges[i][1], 5, 0, 100);
    assert_true(a.low <= ranges[i][0] + 1e-12 && a.high >= ranges[i][1] - 1e-12);
    assert_true(a.high > a.low && a.step > 0);
    const double n_ticks = (a.high - a.low) / a.step;
    assert_true(n_ticks > 0.9 && n_ticks < 9);
    assert_close(parl_axis_place(&a, a.high), 100, 1e-9);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scores_by_hand),
      cmocka_unit_test(test_nothing_assigned_is_null),
      cmocka_unit_test(test_arms_come_trained_first_then_by_appearance),
      cmocka_unit_test(test_pairs_by_hand),
      cmocka_unit_test(test_curves_by_hand),
      cmocka_unit_test(test_long_curves_are_thinned),
      cmocka_unit_test(test_families_are_told_apart),
      cmocka_unit_test(test_loads_of_experts),
      cmocka_unit_test(test_only_the_newest_done_run_counts),
      cmocka_unit_test(test_page_is_well_formed_and_self_contained),
      cmocka_unit_test(test_names_are_escaped),
      cmocka_unit_test(test_plain_table_is_aligned),
      cmocka_unit_test(test_control_codes_are_not_obeyed),
      cmocka_unit_test(test_same_store_same_bytes),
      cmocka_unit_test(test_missing_empty_and_foreign_stores),
      cmocka_unit_test(test_curve_keys_are_metrics),
      cmocka_unit_test(test_axes_are_round_and_cover),
  };
  return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
