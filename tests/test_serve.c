/* tests/test_serve.c - what the local page is told: curves in few points, arms,
 * runs, pictures. */
#include "experiments/serve_internal.h"
#include "parl/run/rows.h"
#include "tests/report_support.h"

static parl_json *ask(parl_status (*make)(const parl_serve_question *q, parl_text *out),
                      const fixture *f, parl_serve_question q) {
  parl_text text = {0};
  parl_json *json = NULL;
  q.folder = f->folder;
  assert_ok(parl_rows_open_readonly(f->path, &q.store));
  assert_ok(make(&q, &text));
  parl_store_close(q.store);
  assert_ok(parl_json_parse(parl_text_get(&text), text.n, "the answer", &json));
  parl_text_deinit(&text);
  return json;
}

static double get_at(const parl_json *json, const char *key, size_t i) {
  const parl_json *node = parl_json_get_first(parl_json_find(json, key));
  while (i-- > 0) node = parl_json_get_next(node);
  return parl_json_get_number(node);
}

/* 1000 updates in buckets of 3: 0 1 2, 3 4 5, ..., 999. */
static void test_a_long_curve_is_thinned(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  const int64_t run = put_run(&f, "annealed", 1, "running");
  for (int64_t u = 0; u < 1000; u++)
    assert_ok(
        parl_rows_put_metric(f.store, run, u, "reward/perf", u == 4 ? (double)NAN : (double)u));
  end_writing(&f);
  parl_json *json =
      ask(parl_serve_curve, &f, (parl_serve_question){.run = run, .key = "reward/perf"});
  assert_close(get_number(json, "bucket"), 3, 0);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "updates")), 334);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "mean")), 334);
  assert_close(get_at(json, "updates", 0), 2, 0);
  assert_close(get_at(json, "updates", 333), 999, 0);
  assert_close(get_at(json, "mean", 0), 1, 1e-12);
  assert_close(get_at(json, "mean", 1), 4, 1e-12); /* of 3 and 5 */
  assert_close(get_at(json, "low", 0), 0, 0);
  assert_close(get_at(json, "high", 0), 2, 0);
  parl_json_destroy(json);
  finish(&f);
}

static void test_an_arm_is_the_mean_of_its_runs(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  for (int64_t seed = 1; seed <= 3; seed++) {
    const int64_t run = put_run(&f, seed < 3 ? "annealed" : HOSTILE, seed, "done");
    assert_ok(parl_rows_put_metric(f.store, run, 0, "reward/perf", (double)seed));
    assert_ok(parl_rows_put_metric(f.store, run, 1, "reward/perf", 10 * (double)seed));
  }
  put_run(&f, "empty", 1, "pending");
  end_writing(&f);
  parl_json *json = ask(parl_serve_arms, &f, (parl_serve_question){.key = "reward/perf"});
  const parl_json *arms = parl_json_find(json, "arms"), *first = parl_json_get_first(arms);
  assert_int_equal(parl_json_get_size(arms), 2);
  assert_string_equal(parl_json_get_string(parl_json_find(first, "arm")), "annealed");
  assert_close(get_number(first, "runs"), 2, 0);
  assert_close(get_at(first, "mean", 0), 1.5, 1e-12);
  assert_close(get_at(first, "low", 1), 10, 0);
  assert_close(get_at(first, "high", 1), 20, 0);
  const parl_json *second = parl_json_get_next(first);
  assert_string_equal(parl_json_get_string(parl_json_find(second, "arm")), HOSTILE);
  parl_json_destroy(json);
  finish(&f);
}

static void test_keys_come_once_each_in_order(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  const int64_t run = put_run(&f, "annealed", 1, "done");
  static const char *const keys[] = {"a/b", "a/c", "z"};
  for (int64_t u = 0; u < 5; u++)
    for (size_t k = 0; k < 3; k++)
      assert_ok(parl_rows_put_metric(f.store, run, u, keys[2 - k], (double)u));
  assert_ok(parl_rows_put_metric(f.store, put_run(&f, "other", 1, "done"), 0, "b", 1));
  int64_t update;
  double value;
  assert_ok(parl_rows_get_last_metric(f.store, run, "a/c", &update, &value));
  assert_int_equal(update, 4);
  assert_close(value, 4, 0);
  assert_ok(parl_rows_get_last_metric(f.store, run, "b", &update, &value));
  assert_int_equal(update, -1);
  assert_true(isnan(value));
  end_writing(&f);
  parl_json *json = ask(parl_serve_keys, &f, (parl_serve_question){.run = run});
  const parl_json *node = parl_json_get_first(parl_json_find(json, "keys"));
  for (size_t k = 0; k < 3; k++, node = parl_json_get_next(node))
    assert_string_equal(parl_json_get_string(node), keys[k]);
  assert_null(node);
  parl_json_destroy(json);
  finish(&f);
}

static void test_a_picture_is_of_its_row(void **state) {
  (void)state;
  fixture f;
  parl_text text = {0};
  begin(&f);
  const int64_t run = put_run(&f, "annealed", 1, "done");
  for (int64_t task = 0; task < 3; task++) {
    char stages[64];
    parl_episode_row e = make_episode("trained", "sampled", 0.5);
    snprintf(stages, sizeof stages, "[{\"main\":%lld,\"r_perf\":0}]", (long long)task + 11);
    e.stages = task == 2 ? NULL : stages;
    put_episode(&f, run, e, task);
  }
  end_writing(&f);
  parl_json *json = ask(parl_serve_episodes, &f, (parl_serve_question){.run = run});
  assert_close(get_number(json, "all"), 3, 0);
  parl_json_destroy(json);
  parl_serve_question q = {.run = run, .row = 1};
  assert_ok(parl_rows_open_readonly(f.path, &q.store));
  assert_ok(parl_serve_episode(&q, &text));
  assert_contains(parl_text_get(&text), "12 critical steps");
  parl_text_clear(&text);
  q.row = 2; /* its turns were not kept */
  assert_fails(parl_serve_episode(&q, &text), PARL_STATUS_EINVAL, "no picture 2 of run");
  q.run = 99;
  assert_fails(parl_serve_episode(&q, &text), PARL_STATUS_EINVAL, "there is no run 99");
  parl_store_close(q.store);
  parl_text_deinit(&text);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_long_curve_is_thinned),
      cmocka_unit_test(test_an_arm_is_the_mean_of_its_runs),
      cmocka_unit_test(test_keys_come_once_each_in_order),
      cmocka_unit_test(test_a_picture_is_of_its_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
