/* tests/test_weights.c - weights drawn ahead of time: by hand, with what is assumed, as text, JSON
 * and picture. */
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "experiments/weights.h"
#include "tests/rollout_support.h"
#include "tests/support.h"

static const char recipe_text[] =
    "return { name = 'w', env = { file = '" COUNT_ENV
    "' }, train = { updates = 11 },\n"
    "  lambda1 = { start = 0.4, over = 1 }, lambda2 = { shape = 'lua', lua = '0.5 * lambda1' },\n"
    "  arms = { { name = 'time' },\n"
    "    { name = 'progress', train = { updates = 6 },\n"
    "      lambda1 = { over_metric = 'success', from = 0, to = 1 } } } }\n";

static parl_recipe *load(const char *text) {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  parl_recipe *r = NULL;
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/w.lua", folder);
  assert_ok(parl_file_write(path, text, strlen(text)));
  assert_ok(parl_recipe_load(path, NULL, 0, NULL, &r));
  parl_test_remove_folder(folder);
  return r;
}

static const parl_weight_curve *find(const parl_weight_curves *w, size_t arm, const char *weight) {
  for (size_t i = 0; i < w->n; i++)
    if (w->of[i].arm == arm && strcmp(w->of[i].weight, weight) == 0) return &w->of[i];
  fail_msg("no curve of %s", weight);
  return NULL;
}

/* linear from 0.4 over 11 updates; lambda2 is half of what lambda1 was before, and holds 0.1 as
 * long as that is unknown; success is assumed to go from 0 to 0.8 over updates 1 to 5. */
static void test_curves_by_hand(void **state) {
  (void)state;
  parl_recipe *r = load(recipe_text);
  parl_weight_curves w;
  assert_ok(parl_weight_curves_make(r, &(parl_assumption){"success", 0, 0.8}, 1, &w));
  assert_int_equal(w.n_points, 11);
  assert_int_equal(w.n, 8);
  const parl_weight_curve *a = find(&w, 0, "lambda1"), *b = find(&w, 0, "lambda2");
  const parl_weight_curve *c = find(&w, 1, "lambda1");
  for (int t = 0; t < 11; t++) {
    assert_close(w.updates[t], t, 0);
    assert_close(a->values[t], 0.4 * (1 - t / 11.0), 1e-12);
    assert_close(b->values[t], t == 0 ? 0.1 : 0.2 * (1 - (t - 1) / 11.0), 1e-12);
    if (t < 6)
      assert_close(c->values[t], t == 0 ? 0.4 : 0.4 * (1 - 0.2 * (t - 1)), 1e-12);
    else
      assert_true(isnan(c->values[t]));
  }
  assert_string_equal(parl_text_get(&c->assumed), "success = 0..0.8");
  assert_true(c->undefined.n == 0 && a->assumed.n == 0 && b->undefined.n == 0);
  parl_weight_curves_deinit(&w);
  assert_ok(parl_weight_curves_make(r, NULL, 0, &w)); /* nothing is known: it stays */
  c = find(&w, 1, "lambda1");
  assert_close(c->values[5], 0.4, 0);
  assert_string_equal(parl_text_get(&c->undefined), "success");
  parl_weight_curves_deinit(&w);
  const parl_assumption wrong = {"sucess", 1, 1};
  assert_fails(parl_weight_curves_make(r, &wrong, 1, &w), PARL_STATUS_EINVAL,
               "did you mean \"success\"?");
  parl_recipe_destroy(r);
}

/* A long training is drawn at PARL_WEIGHT_POINTS updates, the first and the last among them. */
static void test_long_trainings(void **state) {
  (void)state;
  parl_recipe *r =
      load("return { name = 'w', env = { file = '" COUNT_ENV "' }, train = { updates = 5000 } }");
  parl_weight_curves w;
  assert_ok(parl_weight_curves_make(r, NULL, 0, &w));
  assert_int_equal(w.n_points, PARL_WEIGHT_POINTS);
  assert_close(w.updates[0], 0, 0);
  assert_close(w.updates[PARL_WEIGHT_POINTS - 1], 4999, 0);
  const parl_weight_curve *c = find(&w, 0, "lambda1");
  for (size_t k = 0; k < w.n_points; k++)
    assert_close(c->values[k], fmax(0, 0.1 * (1 - w.updates[k] / 3000)), 1e-12);
  parl_weight_curves_deinit(&w);
  parl_recipe_destroy(r);
}

static void test_as_text(void **state) {
  (void)state;
  parl_recipe *r = load("return { name = 'w', env = { file = '" COUNT_ENV
                        "' }, train = { updates = 2 }, lambda1 = { start = 0.4, over = 0.5 },\n"
                        "  lambda2 = { start = 0 } }");
  parl_weight_curves w;
  parl_text text = {0};
  assert_ok(parl_weight_curves_make(r, NULL, 0, &w));
  assert_ok(parl_weight_curves_append_text(&w, 60, &text));
  assert_string_equal(
      parl_text_get(&text),
      "w: weights of update 0 to 1\n\nlambda1, of 0.4\n  trained        0.4 -> 0           "
      "\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88"
      "\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88"
      "\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88"
      "\xE2\x96\x88\xE2\x96\x88_\n\nlambda_perf, of 1\n  trained        1 -> 1             "
      "\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88"
      "\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88"
      "\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88"
      "\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\n\n0 throughout: lambda2, lambda_early\n");
  parl_text_deinit(&text);
  parl_weight_curves_deinit(&w);
  parl_recipe_destroy(r);
}

static void test_as_a_picture(void **state) {
  (void)state;
  parl_recipe *r = load(recipe_text);
  parl_weight_curves w;
  parl_text svg = {0};
  assert_ok(parl_weight_curves_make(r, &(parl_assumption){"success", 0.5, 0.5}, 1, &w));
  assert_ok(parl_weight_curves_append_svg(&w, &svg));
  const char *text = parl_text_get(&svg);
  assert_int_equal(strncmp(text, "<svg xmlns=", 11), 0);
  assert_contains(text, ">lambda1</text>");
  assert_contains(text, "progress (assumed: success = 0.5)</text>");
  assert_null(strstr(text, "lambda_early")); /* 0 throughout */
  int open = 0;
  for (const char *c = text; (c = strstr(c, "<svg")) != NULL; c++) open++;
  for (const char *c = text; (c = strstr(c, "</svg>")) != NULL; c++) open--;
  assert_int_equal(open, 0);
  parl_text_deinit(&svg);
  parl_weight_curves_deinit(&w);
  parl_recipe_destroy(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_curves_by_hand),
      cmocka_unit_test(test_long_trainings),
      cmocka_unit_test(test_as_text),
      cmocka_unit_test(test_as_a_picture),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
