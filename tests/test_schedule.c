/* tests/test_schedule.c - each shape by hand, end points, monotony, the closed loop, its state. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "parl/reward/terms.h"
#include "tests/support.h"

enum {
  CONSTANT,
  LINEAR,
  COSINE,
  EXPONENTIAL,
  STEP,
  CYCLIC,
  CLOSED_LOOP,
  LUA,
  SIGMOID,
  BACKOFF,
  TABLE
};

static parl_schedule_config make_config(int shape, double start, double stop) {
  parl_schedule_config c;
  parl_config_set_defaults(&parl_lambda1_section, &c);
  c.shape = shape;
  c.start = start;
  c.stop = stop;
  return c;
}

/* One value of an open-loop schedule. */
static double get_value(const parl_schedule_config *c, int64_t n_updates, int64_t t) {
  parl_schedule *s = NULL;
  double out = NAN;
  assert_ok(parl_schedule_create(c, n_updates, &s));
  assert_ok(parl_schedule_next(s, t, NULL, &out));
  parl_schedule_destroy(s);
  return out;
}

/* The default is k25 1.1's only published number: 0.1 to 0, ours over 60 % of the updates. */
static void test_default_by_hand(void **state) {
  (void)state;
  parl_schedule_config c;
  parl_config_set_defaults(&parl_lambda1_section, &c);
  assert_close(get_value(&c, 100, 0), 0.1, 0);
  assert_close(get_value(&c, 100, 15), 0.075, 1e-15);
  assert_close(get_value(&c, 100, 30), 0.05, 1e-15);
  assert_close(get_value(&c, 100, 60), 0, 0);
  assert_close(get_value(&c, 100, 100), 0, 0);
}

/* 0.8 to 0.2 over 40 of 80 updates; the quarter, the middle, three quarters. */
static void test_shapes_by_hand(void **state) {
  (void)state;
  static const struct {
    int shape;
    double at[5]; /* t = 0, 10, 20, 30, 40 */
  } rows[] = {
      {CONSTANT, {0.8, 0.8, 0.8, 0.8, 0.8}},
      {LINEAR, {0.8, 0.65, 0.5, 0.35, 0.2}},
      {COSINE, {0.8, 0.7121320343559643, 0.5, 0.2878679656440357, 0.2}},
      {EXPONENTIAL, {0.8, 0.5656854249492381, 0.4, 0.2828427124746190, 0.2}},
      {STEP, {0.8, 0.8, 0.8, 0.8, 0.2}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    parl_schedule_config c = make_config(rows[i].shape, 0.8, 0.2);
    c.over = 0.5;
    for (int k = 0; k < 5; k++) assert_close(get_value(&c, 80, 10 * k), rows[i].at[k], 1e-14);
    const double last = rows[i].shape == CONSTANT ? 0.8 : 0.2;
    for (int64_t t = 40; t <= 80; t++) assert_close(get_value(&c, 80, t), last, 0);
  }
}

/* Period 4 of 0.8 to 0.4: a saw tooth until u = 1, then stop. */
static void test_cyclic_by_hand(void **state) {
  (void)state;
  static const double at[] = {0.8, 0.7, 0.6, 0.5, 0.8, 0.7, 0.6, 0.5, 0.8, 0.7, 0.4, 0.4};
  parl_schedule_config c = make_config(CYCLIC, 0.8, 0.4);
  c.period = 4;
  c.over = 0.5;
  for (int64_t t = 0; t < 12; t++) assert_close(get_value(&c, 20, t), at[t], 1e-15);
}

/* To 0 an exponential falls by 1e4, then is exactly 0. */
static void test_exponential_to_zero(void **state) {
  (void)state;
  const parl_schedule_config c = make_config(EXPONENTIAL, 0.1, 0),
                             flat = make_config(EXPONENTIAL, 0, 0);
  assert_close(get_value(&c, 100, 0), 0.1, 0);
  assert_close(get_value(&c, 100, 30), 0.1 * 1e-2, 1e-15);
  assert_true(get_value(&c, 100, 59) > 1e-5);
  assert_close(get_value(&c, 100, 60), 0, 0);
  assert_close(get_value(&flat, 100, 30), 0, 0);
}

static void test_annealing_is_monotone_and_ends_at_stop(void **state) {
  (void)state;
  static const int shapes[] = {LINEAR, COSINE, EXPONENTIAL, STEP};
  static const double ends[][2] = {{0.3, 0}, {0.3, 0.1}, {0.1, 0.3}, {0.1, 0.1}};
  for (size_t i = 0; i < 4; i++)
    for (size_t e = 0; e < 4; e++)
      for (int64_t n = 1; n <= 37; n += 12) {
        const parl_schedule_config c = make_config(shapes[i], ends[e][0], ends[e][1]);
        const double low = fmin(c.start, c.stop), high = fmax(c.start, c.stop);
        double before = c.start;
        assert_close(get_value(&c, n, 0), c.start, 0);
        for (int64_t t = 0; t <= n; t++) {
          const double now = get_value(&c, n, t);
          assert_true(now >= low - 1e-15 && now <= high + 1e-15);
          assert_true(c.stop >= c.start ? now >= before - 1e-15 : now <= before + 1e-15);
          before = now;
        }
        assert_close(before, c.stop, 0);
      }
}

/* Only t matters: neither the number of calls nor their order moves an open-loop schedule. */
static void test_clock_is_the_update_number(void **state) {
  (void)state;
  for (int shape = CONSTANT; shape <= CYCLIC; shape++) {
    const parl_schedule_config c = make_config(shape, 0.3, 0.1);
    parl_schedule *s = NULL;
    double first = 0, again = 0;
    assert_ok(parl_schedule_create(&c, 50, &s));
    assert_ok(parl_schedule_next(s, 7, NULL, &first));
    for (int64_t t = 50; t >= 0; t--) assert_ok(parl_schedule_next(s, t, NULL, &again));
    for (int i = 0; i < 20; i++) assert_ok(parl_schedule_next(s, 7, NULL, &again));
    assert_close(again, first, 0);
    parl_schedule_destroy(s);
  }
}

static const char *const NAMES[] = {"r_perf", "launch_rate"};

static double step_loop(parl_schedule *s, int64_t t, double launch_rate) {
  const double values[] = {0.5, launch_rate};
  const parl_metric_view m = {2, NAMES, values};
  double out = NAN;
  assert_ok(parl_schedule_next(s, t, &m, &out));
  return out;
}

/* gain 0.1, target 0.5: 0.2 + 0.1 (0.5 - 0) = 0.25, + 0.1 (0.5 - 0.8) = 0.22, unchanged on NaN,
 * then clamped to [0, 0.3] on either side. */
static void test_closed_loop_by_hand(void **state) {
  (void)state;
  parl_schedule_config c = make_config(CLOSED_LOOP, 0.3, 0);
  c.gain = 0.1;
  parl_schedule *s = NULL;
  double out = NAN;
  assert_ok(parl_schedule_create(&c, 100, &s));
  assert_close(parl_schedule_get_state(s), 0.3, 0);
  parl_schedule_set_state(s, 0.2);
  assert_ok(parl_schedule_next(s, 0, NULL, &out));
  assert_close(out, 0.2, 0);
  assert_close(step_loop(s, 1, 0), 0.25, 1e-15);
  assert_close(step_loop(s, 2, 0.8), 0.22, 1e-15);
  assert_close(step_loop(s, 3, NAN), 0.22, 1e-15);
  for (int64_t t = 4; t < 8; t++) out = step_loop(s, t, 0);
  assert_close(out, 0.3, 0);
  for (int64_t t = 8; t < 20; t++) out = step_loop(s, t, 1);
  assert_close(out, 0, 0);
  assert_close(parl_schedule_get_state(s), 0, 0);
  parl_schedule_destroy(s);
}

/* A loop stopped after update 9 and restored goes on to the same values as one that was not. */
static void test_state_restores(void **state) {
  (void)state;
  const parl_schedule_config c = make_config(CLOSED_LOOP, 0.3, 0);
  parl_schedule *whole = NULL, *first = NULL, *second = NULL;
  assert_ok(parl_schedule_create(&c, 40, &whole));
  assert_ok(parl_schedule_create(&c, 40, &first));
  assert_ok(parl_schedule_create(&c, 40, &second));
  double expected[40];
  for (int64_t t = 0; t < 40; t++) expected[t] = step_loop(whole, t, 0.5 + 0.5 * sin((double)t));
  for (int64_t t = 0; t < 10; t++) step_loop(first, t, 0.5 + 0.5 * sin((double)t));
  parl_schedule_set_state(second, parl_schedule_get_state(first));
  for (int64_t t = 10; t < 40; t++)
    assert_close(step_loop(second, t, 0.5 + 0.5 * sin((double)t)), expected[t], 0);
  parl_schedule_destroy(whole);
  parl_schedule_destroy(first);
  parl_schedule_destroy(second);
}

static void test_closed_loop_names_the_nearest_metric(void **state) {
  (void)state;
  parl_schedule_config c = make_config(CLOSED_LOOP, 0.3, 0);
  strcpy(c.metric, "launch_rat");
  const double values[] = {0.5, INFINITY};
  const parl_metric_view m = {2, NAMES, values};
  parl_schedule *s = NULL;
  double out = 7;
  assert_ok(parl_schedule_create(&c, 10, &s));
  assert_status(parl_schedule_next(s, 1, &m, &out), PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "\"launch_rate\""));
  assert_status(parl_schedule_next(s, 1, NULL, &out), PARL_STATUS_EINVAL);
  parl_schedule_destroy(s);
  strcpy(c.metric, "launch_rate");
  assert_ok(parl_schedule_create(&c, 10, &s));
  assert_status(parl_schedule_next(s, 1, &m, &out), PARL_STATUS_EINVAL);
  assert_close(parl_schedule_get_state(s), 0.3, 0);
  assert_close(out, 7, 0);
  parl_schedule_destroy(s);
}

/* Steepness 4 and u = 1/4: s = 1 / (1 + e^-1), s(0) = 1 / (1 + e^-2), s(1) = 1 - s(0). */
static void test_sigmoid_by_hand(void **state) {
  (void)state;
  parl_schedule_config c = make_config(SIGMOID, 0.3, 0.1);
  c.over = 0.5;
  c.steepness = 4;
  const double high = 1 / (1 + exp(-2)), quarter = 1 / (1 + exp(-1));
  assert_close(get_value(&c, 200, 0), 0.3, 1e-15);
  assert_close(get_value(&c, 200, 25), 0.1 + 0.2 * (quarter + high - 1) / (2 * high - 1), 1e-15);
  assert_close(get_value(&c, 200, 50), 0.2, 1e-15);
  assert_close(get_value(&c, 200, 100), 0.1, 0);
  assert_close(get_value(&c, 200, 200), 0.1, 0);
  c.steepness = 100; /* nearly a step */
  assert_true(get_value(&c, 200, 40) > 0.2999 && get_value(&c, 200, 60) < 0.1001);
}

static double step_metric(parl_schedule *s, int64_t t, double metric) {
  static const char *const names[] = {"fires"};
  double out = NAN;
  assert_ok(parl_schedule_next(s, t, &(parl_metric_view){1, names, &metric}, &out));
  return out;
}

/* 0.5, 0.3, 0.2, 0.15 with stop 0.1 and factor 1/2; what is unknown or at target fires not. */
static void test_backoff_by_hand(void **state) {
  (void)state;
  static const double metric[] = {NAN, 0, 1, 0.5, NAN, 1, 0, 1};
  static const double due[] = {0.5, 0.5, 0.3, 0.3, 0.3, 0.2, 0.2, 0.15};
  parl_schedule_config c = make_config(BACKOFF, 0.5, 0.1);
  strcpy(c.metric, "fires");
  parl_schedule *s = NULL;
  assert_ok(parl_schedule_create(&c, 8, &s));
  for (int64_t t = 0; t < 8; t++) assert_close(step_metric(s, t, metric[t]), due[t], 1e-15);
  parl_schedule_destroy(s);
  assert_true(parl_schedule_reads(&c, "fires") && !parl_schedule_reads(&c, "success_rate"));
  c.factor = 0; /* to stop at once, upwards as well */
  c.start = 0;
  assert_ok(parl_schedule_create(&c, 8, &s));
  assert_close(step_metric(s, 0, 0), 0, 0);
  assert_close(step_metric(s, 1, 1), 0.1, 0);
  parl_schedule_destroy(s);
}

/* From 0.2 to 0.6: what is reached stays reached; an unknown metric changes nothing. */
static void test_progress_by_hand(void **state) {
  (void)state;
  static const double metric[] = {NAN, 0.1, 0.3, 0.25, NAN, 0.4, 0.3, 0.7, 0};
  static const double due[] = {0.4, 0.4, 0.3, 0.3, 0.3, 0.2, 0.2, 0, 0};
  parl_schedule_config c = make_config(LINEAR, 0.4, 0);
  strcpy(c.over_metric, "fires");
  c.from = 0.2;
  c.to = 0.6;
  parl_schedule *s = NULL, *resumed = NULL;
  assert_ok(parl_schedule_create(&c, 9, &s));
  for (int64_t t = 0; t < 9; t++) {
    assert_close(step_metric(s, t, metric[t]), due[t], 1e-15);
    parl_schedule_destroy(resumed);
    resumed = NULL;
    assert_ok(parl_schedule_create(&c, 9, &resumed));
    parl_schedule_set_state(resumed, parl_schedule_get_state(s));
    if (t > 0 && t < 8) assert_close(step_metric(resumed, t + 1, metric[t + 1]), due[t + 1], 1e-15);
  }
  parl_schedule_destroy(resumed);
  parl_schedule_destroy(s);
  c.from = 5; /* downwards: of 5 to 1 critical steps, 4 are a quarter of the way */
  c.to = 1;
  assert_ok(parl_schedule_create(&c, 9, &s));
  assert_close(step_metric(s, 0, 0), 0.4, 0);
  assert_close(step_metric(s, 1, 4), 0.3, 1e-15);
  parl_schedule_destroy(s);
}

/* Whatever the metric does, a weight that anneals never comes back, in every shape. */
static void test_progress_never_goes_back(void **state) {
  (void)state;
  static const int shapes[] = {LINEAR, COSINE, EXPONENTIAL, STEP, SIGMOID};
  for (uint64_t trial = 0; trial < 100; trial++) {
    parl_rng_cursor rng = {.seed = 3, .stream = trial};
    parl_schedule_config c = make_config(shapes[trial % 5], 0.4, 0.1);
    strcpy(c.over_metric, "fires");
    parl_schedule *s = NULL;
    assert_ok(parl_schedule_create(&c, 40, &s));
    double last = step_metric(s, 0, NAN);
    for (int64_t t = 1; t < 40; t++) {
      const double now = step_metric(s, t, 1.2 * parl_rng_next_uniform(&rng) - 0.1);
      assert_true(now <= last && now >= 0.1);
      last = now;
    }
    parl_schedule_destroy(s);
  }
}

static void test_metrics_of_the_new_shapes(void **state) {
  (void)state;
  static const char *const names[] = {"success_rate"};
  parl_schedule_config c = make_config(BACKOFF, 0.5, 0.1);
  strcpy(c.metric, "sucess_rate");
  assert_fails(parl_schedule_check(&c, 9, names, 1), PARL_STATUS_EINVAL,
               "backoff: no metric \"sucess_rate\"; did you mean");
  c.stop = c.start;
  assert_fails(parl_schedule_check(&c, 9, names, 1), PARL_STATUS_EINVAL, "backoff moves");
  c = make_config(SIGMOID, 0.5, 0.1);
  strcpy(c.over_metric, "sucess_rate");
  assert_fails(parl_schedule_check(&c, 9, names, 1), PARL_STATUS_EINVAL, "over_metric: no metric");
  strcpy(c.over_metric, "success_rate");
  assert_ok(parl_schedule_check(&c, 9, names, 1));
  c.from = c.to;
  assert_fails(parl_schedule_check(&c, 9, names, 1), PARL_STATUS_EINVAL, "from and to");
}

static void test_lua_shape(void **state) {
  (void)state;
  parl_schedule_config c = make_config(LUA, 0.1, 0);
  strcpy(c.lua, "0.3 * (1 - u) + t / updates + launch_rate");
  const double values[] = {0.5, 2};
  const parl_metric_view m = {2, NAMES, values};
  parl_schedule *s = NULL;
  double out = NAN;
  assert_ok(parl_schedule_create(&c, 100, &s));
  assert_ok(parl_schedule_next(s, 30, &m, &out));
  assert_close(out, 0.3 * 0.5 + 0.3 + 2, 1e-15);
  parl_schedule_destroy(s);
  strcpy(c.lua, "u");
  assert_close(get_value(&c, 100, 60), 1, 0);
  assert_close(get_value(&c, 100, 90), 1, 0);
  strcpy(c.lua, "-u");
  assert_ok(parl_schedule_create(&c, 100, &s));
  assert_status(parl_schedule_next(s, 30, &m, &out), PARL_STATUS_ESCRIPT);
  parl_schedule_destroy(s);
  strcpy(c.lua, "1 / 0");
  assert_ok(parl_schedule_create(&c, 100, &s));
  assert_status(parl_schedule_next(s, 30, &m, &out), PARL_STATUS_ESCRIPT);
  parl_schedule_destroy(s);
}

static void refuse(const parl_schedule_config *c, const char *word) {
  parl_schedule *s = NULL;
  assert_status(parl_schedule_create(c, 10, &s), PARL_STATUS_EINVAL);
  assert_null(s);
  assert_non_null(strstr(parl_error_text(), word));
}

static void test_refusals(void **state) {
  (void)state;
  parl_schedule_config c = make_config(LUA, 0.1, 0);
  refuse(&c, "lua");
  c = make_config(EXPONENTIAL, 0, 0.1);
  refuse(&c, "exponential");
  c = make_config(CLOSED_LOOP, 0.1, 0.1);
  refuse(&c, "closed_loop");
  c = make_config(CLOSED_LOOP, 0.1, 0);
  c.metric[0] = '\0';
  refuse(&c, "metric");
  c = make_config(LINEAR, NAN, 0);
  refuse(&c, "start");
  c = make_config(LINEAR, 0.1, -1);
  refuse(&c, "stop");
  c = make_config(LINEAR, 0.1, 0);
  c.over = 0;
  refuse(&c, "over");
  c = make_config(TABLE + 1, 0.1, 0);
  refuse(&c, "shape");
  c = make_config(CLOSED_LOOP, 0.1, 0);
  c.target = NAN;
  refuse(&c, "target");
}

/* It may begin inside its range, and only there. */
static void test_closed_loop_begins_inside(void **state) {
  (void)state;
  parl_schedule_config c = make_config(CLOSED_LOOP, 0, 0.5);
  c.gain = 0.1;
  c.initial = 0.2;
  parl_schedule *s = NULL;
  double out = NAN;
  assert_ok(parl_schedule_create(&c, 100, &s));
  assert_ok(parl_schedule_next(s, 0, NULL, &out));
  assert_close(out, 0.2, 0);
  assert_close(step_loop(s, 1, 0.4), 0.21, 1e-15);
  parl_schedule_destroy(s);
  s = NULL;
  c.initial = 0.6;
  refuse(&c, "initial = 0.6");
  c.initial = -0.5;
  refuse(&c, "initial = -0.5");
}

static parl_status check(const char *code, int64_t n_updates) {
  parl_schedule_config c = make_config(LUA, 0.25, 0);
  strcpy(c.lua, code);
  return parl_schedule_check(&c, n_updates, NAMES, 2);
}

/* 0.3 - 0.1 * 3 is -5.6e-17, which is 0; at update 4 it is really negative. */
static void test_ahead_of_time(void **state) {
  (void)state;
  parl_schedule_config c = make_config(LUA, 0.1, 0);
  strcpy(c.lua, "0.3 - 0.1*t");
  assert_close(get_value(&c, 4, 3), 0, 0);
  assert_ok(check("0.3 - 0.1*t", 4));
  assert_fails(check("0.3 - 0.1*t", 5), PARL_STATUS_ESCRIPT, "update 4 gives -0.1");
  assert_fails(check("-1e-8", 1), PARL_STATUS_ESCRIPT, "update 0 gives -1e-08");
  assert_fails(check("t < 7 and 1 or 1 / 0", 10), PARL_STATUS_ESCRIPT, "update 7 gives inf");
  assert_fails(check("t < 7 and 1 or 0 / 0", 10), PARL_STATUS_ESCRIPT, "update 7 gives nan");
  assert_fails(check("t < 7 and 1 or launch_rat", 10), PARL_STATUS_ESCRIPT, "launch_rat");
  assert_fails(check("t < 7 and 1 or nil", 10), PARL_STATUS_ESCRIPT, "update 7");
  assert_ok(check("1 / (10 - t)", 10)); /* update 10 is never trained */
  assert_fails(check("-1", 0), PARL_STATUS_ESCRIPT, "update 0");
  c = make_config(CLOSED_LOOP, 0.3, 0);
  strcpy(c.metric, "launch_rat");
  assert_fails(parl_schedule_check(&c, 10, NAMES, 2), PARL_STATUS_EINVAL, "\"launch_rate\"");
  strcpy(c.metric, "launch_rate");
  assert_ok(parl_schedule_check(&c, 10, NAMES, 2));
  c = make_config(LINEAR, 0.3, 0);
  assert_ok(parl_schedule_check(&c, 1000000, NAMES, 2));
}

static parl_schedule_config make_table(const char *table) {
  parl_schedule_config c = make_config(TABLE, 0.3, 0);
  snprintf(c.table, sizeof c.table, "%s", table);
  return c;
}

static void test_table_by_hand(void **state) {
  (void)state;
  const parl_schedule_config c = make_table("0:0.3 4:0.125  6:1e-1 8:0");
  static const double due[] = {.3, .3, .3, .3, .125, .125, .1, .1, 0, 0, 0};
  for (int64_t t = 0; t <= 10; t++) assert_close(get_value(&c, 10, t), due[t], 0);
  assert_close(get_value(&c, 5, 5), .125, 0); /* in updates, whatever the length */
  static const char *const wrong[] = {"",          "1:0.3",
                                      "0:0.3,4:0", "0:0.3 4:",
                                      "0:-1",      "0:1 4:1 4:0",
                                      "0:1 4:nan", " 0:1",
                                      "0:1 x",     "0:1001",
                                      "0:1 -4:0",  "0 0.3",
                                      "0:1 4.5:0", "0:1 99999999999999999999:0"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const parl_schedule_config bad = make_table(wrong[i]);
    refuse(&bad, "UPDATE:VALUE");
  }
}

static int64_t get_settled(const parl_schedule_config *c, int64_t n_updates) {
  int64_t at = -1;
  assert_ok(parl_schedule_get_settled(c, n_updates, NAMES, 2, &at));
  return at;
}

/* Linear over 0.6 of 10 updates is at stop from update 6 on, a step too, a constant at once. */
static void test_settled_by_hand(void **state) {
  (void)state;
  parl_schedule_config c = make_config(LINEAR, 0.3, 0.1);
  assert_int_equal(get_settled(&c, 10), 6);
  c.over = 1;
  assert_int_equal(get_settled(&c, 10), 9);
  c = make_config(LINEAR, 0.3, 0.3);
  assert_int_equal(get_settled(&c, 10), 0);
  c = make_config(CONSTANT, 0.3, 0);
  assert_int_equal(get_settled(&c, 10), 0);
  c = make_config(STEP, 0.3, 0);
  assert_int_equal(get_settled(&c, 10), 6);
  c = make_config(CYCLIC, 0.3, 0);
  c.period = 2;
  assert_int_equal(get_settled(&c, 10), 6);
  c = make_config(LUA, 0.3, 0);
  strcpy(c.lua, "t < 3 and 0.2 or 1 / (10 - 10)"); /* inf is refused */
  int64_t at = -1;
  assert_status(parl_schedule_get_settled(&c, 10, NAMES, 2, &at), PARL_STATUS_ESCRIPT);
  strcpy(c.lua, "t < 3 and 0.2 or t < 8 and 0.1 or 0.05");
  assert_int_equal(get_settled(&c, 10), 8);
  c = make_table("0:0.3 4:0.1 7:0.1");
  assert_int_equal(get_settled(&c, 10), 4);
  c = make_config(LUA, 0.3, 0);
  strcpy(c.lua, "launch_rate");
  assert_fails(parl_schedule_get_settled(&c, 10, NAMES, 2, &at), PARL_STATUS_EINVAL, "metric");
  c = make_config(CLOSED_LOOP, 0.3, 0);
  strcpy(c.metric, "launch_rate");
  assert_fails(parl_schedule_get_settled(&c, 10, NAMES, 2, &at), PARL_STATUS_EINVAL, "metric");
  assert_int_equal(at, -1);
}

/* A metric that is undefined holds the value: start at first, the last one later. Only metrics do:
 * any other NaN is refused. */
static void test_undefined_metrics_hold_the_value(void **state) {
  (void)state;
  parl_schedule_config c = make_config(LUA, 0.25, 0);
  strcpy(c.lua, "0.3*(1 - launch_rate)");
  assert_ok(parl_schedule_check(&c, 100, NAMES, 2));
  assert_ok(check("launch_rate ~= launch_rate and 0.1 or 0.3*launch_rate", 100));
  assert_fails(check("launch_rate ~= launch_rate and -1 or 1", 100), PARL_STATUS_ESCRIPT,
               "update 0 gives -1");
  assert_fails(check("t > 3 and launch_rte or launch_rate", 100), PARL_STATUS_ESCRIPT,
               "launch_rte");
  parl_schedule *s = NULL;
  double out = NAN;
  assert_ok(parl_schedule_create(&c, 100, &s));
  double values[] = {NAN, NAN};
  const parl_metric_view m = {2, NAMES, values};
  assert_ok(parl_schedule_next(s, 0, &m, &out));
  assert_close(out, 0.25, 0);
  values[0] = values[1] = 0.5;
  assert_ok(parl_schedule_next(s, 1, &m, &out));
  assert_close(out, 0.15, 1e-15);
  values[0] = values[1] = NAN;
  assert_ok(parl_schedule_next(s, 2, &m, &out));
  assert_close(out, 0.15, 1e-15);
  assert_close(parl_schedule_get_state(s), 0.15, 1e-15);
  parl_schedule_destroy(s);
  strcpy(c.lua, "0 / 0 + t");
  assert_ok(parl_schedule_create(&c, 100, &s));
  assert_fails(parl_schedule_next(s, 0, &m, &out), PARL_STATUS_ESCRIPT, "update 0 gives nan");
  parl_schedule_destroy(s);
}

static void test_updates_out_of_range(void **state) {
  (void)state;
  const parl_schedule_config c = make_config(LINEAR, 0.1, 0);
  parl_schedule *s = NULL;
  double out = 7;
  assert_status(parl_schedule_create(&c, -1, &s), PARL_STATUS_EINVAL);
  assert_ok(parl_schedule_create(&c, 10, &s));
  assert_status(parl_schedule_next(s, -1, NULL, &out), PARL_STATUS_EINVAL);
  assert_status(parl_schedule_next(s, 11, NULL, &out), PARL_STATUS_EINVAL);
  assert_close(out, 7, 0);
  parl_schedule_destroy(s);
  assert_close(get_value(&c, 0, 0), 0.1, 0);
  parl_schedule_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_default_by_hand),
      cmocka_unit_test(test_shapes_by_hand),
      cmocka_unit_test(test_cyclic_by_hand),
      cmocka_unit_test(test_exponential_to_zero),
      cmocka_unit_test(test_annealing_is_monotone_and_ends_at_stop),
      cmocka_unit_test(test_clock_is_the_update_number),
      cmocka_unit_test(test_closed_loop_by_hand),
      cmocka_unit_test(test_state_restores),
      cmocka_unit_test(test_closed_loop_names_the_nearest_metric),
      cmocka_unit_test(test_sigmoid_by_hand),
      cmocka_unit_test(test_backoff_by_hand),
      cmocka_unit_test(test_progress_by_hand),
      cmocka_unit_test(test_progress_never_goes_back),
      cmocka_unit_test(test_metrics_of_the_new_shapes),
      cmocka_unit_test(test_lua_shape),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_closed_loop_begins_inside),
      cmocka_unit_test(test_ahead_of_time),
      cmocka_unit_test(test_table_by_hand),
      cmocka_unit_test(test_settled_by_hand),
      cmocka_unit_test(test_undefined_metrics_hold_the_value),
      cmocka_unit_test(test_updates_out_of_range),
  };
  return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
