/* tests/test_report.c - the numbers of the report. */
#include "experiments/report_internal.h"
#include "parl/learn/metrics.h"
#include "tests/report_support.h"
#include "tests/terms_support.h"

static void test_scores_by_hand(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  parl_json *json = write_and_parse(&f);
  const parl_json *arm = parl_json_find_path(json, "arms.annealed");
  assert_close(get_number(json, "schema"), 1, 0);
  assert_close(get_number(arm, "r_perf.mean"), (0.9 + 0.7 + 1.0) / 3, 1e-12);
  assert_close(get_number(arm, "r_perf.iqm"), (0.9 + 0.7 + 1.0) / 3, 1e-12);
  /* Student's of three: 4.302653 sd / sqrt 3, sd = 0.152753; a share ends at 1 */
  assert_close(get_number(arm, "r_perf.lo"), 13.0 / 15 - 0.379458, 1e-6);
  assert_close(get_number(arm, "r_perf.hi"), 1.0, 1e-12);
  assert_close(get_number(arm, "r_perf.n"), 3, 0);
  assert_null(parl_json_find(arm, "item_f1")); /* these episodes have no items */
  assert_close(get_number(arm, "success.mean"), (0.5 + 0 + 1) / 3, 1e-12);
  assert_close(get_number(arm, "critical_steps.mean"), 8, 1e-12);
  assert_close(get_number(arm, "total_steps.mean"), 11, 1e-12);
  assert_close(get_number(arm, "concurrency.mean"), 1.5, 1e-12);
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
  assert_close(get_number(pair, "r_perf.lo"), 1.1 / 3 - 0.625161, 1e-6); /* sd 0.251661 */
  assert_close(get_number(pair, "r_perf.hi"), 1.1 / 3 + 0.625161, 1e-6);
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
    assert_ok(parl_rows_put_metric(f.store, run, t, "reward/perf", (double)t));
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
    parl_episode_row e = make_episode("trained", "sampled", task < 2 ? 0.25 : 0.75);
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

/* Sampled r_perf .9 .7 1: all above .5, two above .75, one above .9 and .95, none above 1. Of
 * three the interval is Wilson's: of 2/3 (0.573084 +- 0.365424). */
static void test_profiles_by_hand(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  parl_json *json = write_and_parse(&f);
  assert_int_equal(parl_json_get_size(parl_json_find_path(json, "profile.r_perf_above")), 101);
  static const double due[][2] = {{0, 1},        {50, 1},       {75, 2.0 / 3},
                                  {90, 1.0 / 3}, {95, 1.0 / 3}, {100, 0}};
  for (size_t i = 0; i < sizeof due / sizeof due[0]; i++)
    assert_close(get_item(json, "profile.arms", "annealed", "iqm", (size_t)due[i][0]), due[i][1],
                 1e-15);
  assert_close(get_item(json, "profile.arms", "annealed", "lo", 75), 0.207660, 1e-6);
  assert_close(get_item(json, "profile.arms", "annealed", "hi", 75), 0.938508, 1e-6);
  assert_close(get_item(json, "profile.arms", "serial", "iqm", 39), 1, 0);
  assert_close(get_item(json, "profile.arms", "serial", "iqm", 40), 0, 0);
  parl_json_destroy(json);
  char *markdown = read_file(&f, "report.md");
  assert_contains(
      markdown,
      "| annealed | 3 | 1.00 \\[0.44, 1.00] | 1.00 \\[0.44, 1.00] | 0.67 \\[0.21, 0.94] | "
      "0.33 \\[0.06, 0.79] |");
  free(markdown);
  finish(&f);
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
      assert_ok(parl_rows_put_metric(f.store, run, t, "experts/expert_most",
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

/* The report's keys are the trainer's: a renamed metric must not leave an empty figure. */
static void test_curve_keys_are_metrics(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  parl_report r = {0};
  parl_arena arena;
  parl_metric_table *metrics = NULL;
  parl_arena_init(&arena, (size_t)1 << 16);
  const char *folder = f.folder;
  assert_ok(parl_report_load(&folder, 1, &arena, &r));
  assert_ok(parl_metric_table_create(parl_test_built_in(), &metrics));
  assert_int_equal(r.n_curves, PARL_N_FIXED_CURVES + PARL_N_TERMS * PARL_N_TERM_METRICS);
  for (size_t c = 0; c < r.n_curves; c++) {
    bool found = false;
    for (size_t m = 0; m < metrics->n; m++)
      if (strcmp(metrics->keys[m], r.curve_infos[c].key) == 0) found = true;
    if (!found) print_error("%s is no metric\n", r.curve_infos[c].key);
    assert_true(found);
  }
  parl_metric_table_destroy(metrics);
  parl_report_deinit(&r);
  parl_arena_deinit(&arena);
  finish(&f);
}

/* A run with a term of its recipe's own: its curves stand behind the built-in ones, in JSON, CSV
 * and on the page; the arm without it has none. Its weight is one of the schedules of the policy,
 * and shaping, so the other arm is what differences are taken from. */
static void test_curves_of_an_own_term(void **state) {
  (void)state;
  static const char *const keys[] = {"reward/mine", "reward/weighted_mine", "lambda/lambda_mine",
                                     "advantage/share_mine"};
  fixture f;
  begin(&f);
  const int64_t with = put_run_of(
      &f, "with", 1, "done",
      "{\"terms\":{\"mine\":{\"lua\":\"1\",\"weight\":{\"shape\":\"constant\",\"start\":0.25}}}}",
      "{}");
  const int64_t without = put_run_of(&f, "without", 1, "done", "{}", "{}");
  put_episode(&f, with, make_episode("trained", "sampled", 1), 1);
  put_episode(&f, without, make_episode("trained", "sampled", 1), 1);
  for (int64_t t = 0; t < 3; t++) {
    for (size_t k = 0; k < 4; k++)
      assert_ok(parl_rows_put_metric(f.store, with, t, keys[k], (double)(k + 1) / (double)(t + 2)));
    for (int arm = 0; arm < 2; arm++)
      assert_ok(
          parl_rows_put_metric(f.store, arm ? with : without, t, "advantage/share_perf", 0.5));
  }
  end_writing(&f);
  parl_json *json = write_and_parse(&f);
  for (size_t k = 0; k < 4; k++)
    assert_close(get_item(json, "curves.arms.with", keys[k], "iqm", 2), (double)(k + 1) / 4, 1e-12);
  assert_null(parl_json_find(parl_json_find_path(json, "curves.arms.without"), keys[0]));
  parl_json_destroy(json);
  char *csv = read_file(&f, "report_curves.csv"), *page = read_file(&f, "report.html");
  const char *last = strstr(csv, ",reward/mine,reward/weighted_mine,lambda/lambda_mine,advantage/");
  assert_non_null(last);
  assert_true(last < strchr(csv, '\n'));
  assert_contains(page, "\xCE\xBB_mine r_mine");
  assert_contains(page, "terms.mine.weight");
  assert_contains(page, "0.25 throughout");
  free(csv);
  free(page);
  finish(&f);
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
      cmocka_unit_test(test_profiles_by_hand),
      cmocka_unit_test(test_loads_of_experts),
      cmocka_unit_test(test_only_the_newest_done_run_counts),
      cmocka_unit_test(test_curve_keys_are_metrics),
      cmocka_unit_test(test_curves_of_an_own_term),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
