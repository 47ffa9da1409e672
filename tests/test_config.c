/* tests/test_config.c - one table: defaults, every refusal, what is written reads back, help. */
#include "core/config.h"
#include "core/json_internal.h"
#include "tests/support.h"

#define SAMPLE_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)              \
  INT(updates, 150, 0, 1000000, "updates", "optimizer steps")     \
  INT(seed, 1, 0, 9007199254740992, "1", "of all random numbers") \
  REAL(lr, 1e-3, 0.0, 1.0, "1", "learning rate")                  \
  REAL(offset, -0.5, -2.0, 2.0, "1", "may be negative")           \
  REAL(any, 0.0, -INFINITY, INFINITY, "1", "any number at all")   \
  FLAG(greedy, false, "take the best")                            \
  FLAG(resume, true, "go on where it stopped")                    \
  TEXT(environment, "envs/wide.lua", "file of the environment")   \
  CHOICE(shape, linear, "constant|linear|cosine|exponential", "form of the schedule")
PARL_CONFIG_STRUCT(sample_config, SAMPLE_FIELDS);
#define SECTION_TYPE_ sample_config
extern const parl_section sample_section;
PARL_CONFIG_SECTION(sample_section, "train", "the sample", SAMPLE_FIELDS);
#undef SECTION_TYPE_

enum { CONSTANT, LINEAR, COSINE, EXPONENTIAL };

static sample_config make_defaults(void) {
  static int garbage;
  sample_config c;
  memset(&c, ++garbage, sizeof c);
  parl_config_set_defaults(&sample_section, &c);
  return c;
}

static parl_status read_text(const char *text, sample_config *c) {
  parl_json *object = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "test", &object));
  const parl_status s = parl_config_read(&sample_section, object, "train", c);
  parl_json_destroy(object);
  return s;
}

static void test_defaults(void **state) {
  (void)state;
  const sample_config c = make_defaults(), d = make_defaults();
  assert_int_equal(c.updates, 150);
  assert_int_equal(c.seed, 1);
  assert_close(c.lr, 1e-3, 0);
  assert_close(c.offset, -0.5, 0);
  assert_false(c.greedy);
  assert_true(c.resume);
  assert_string_equal(c.environment, "envs/wide.lua");
  assert_int_equal(c.shape, LINEAR);
  assert_memory_equal(&c, &d, sizeof c); /* every byte, so configs may be compared */
  assert_int_equal(sample_section.n_fields, 9);
  assert_int_equal(sample_section.bytes, sizeof(sample_config));
}

static void test_read(void **state) {
  (void)state;
  sample_config c = make_defaults();
  assert_ok(read_text("{}", &c));
  assert_int_equal(c.updates, 150);
  assert_ok(
      read_text("{\"updates\":7,\"lr\":0.5,\"greedy\":true,\"resume\":false,"
                "\"environment\":\"e\",\"shape\":\"exponential\"}",
                &c));
  assert_int_equal(c.updates, 7);
  assert_close(c.lr, 0.5, 0);
  assert_true(c.greedy);
  assert_false(c.resume);
  assert_string_equal(c.environment, "e");
  for (size_t i = 1; i < sizeof c.environment; i++) assert_int_equal(c.environment[i], 0);
  assert_int_equal(c.shape, EXPONENTIAL);
  assert_int_equal(c.seed, 1);
}

static void test_closed_ends_are_valid(void **state) {
  (void)state;
  sample_config c = make_defaults();
  assert_ok(read_text("{\"updates\":0,\"lr\":0,\"offset\":-2}", &c));
  assert_ok(read_text("{\"updates\":1000000,\"lr\":1,\"offset\":2.0}", &c));
  assert_int_equal(c.updates, 1000000);
  assert_ok(read_text("{\"seed\":9007199254740992}", &c));
  assert_true(c.seed == INT64_C(9007199254740992));
}

static void test_refused(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"{\"updates\":-1}", "train.updates = -1: a whole number in [0, 1000000] is due"},
      {"{\"seed\":-1}", "train.seed = -1: a whole number in [0, 9007199254740992] is due"},
      {"{\"updates\":1000001}", "train.updates = 1000001: a whole number in [0, 1000000]"},
      {"{\"updates\":1.5}", "train.updates = 1.5: a whole number"},
      {"{\"updates\":\"7\"}", "train.updates = \"7\": a whole number"},
      {"{\"updates\":true}", "train.updates = true"},
      {"{\"updates\":null}", "train.updates = null"},
      {"{\"seed\":9007199254740994}", "train.seed = 9007199254740994"},
      {"{\"lr\":1.0000000000000002}", "train.lr = 1.0000000000000002: a number in [0, 1]"},
      {"{\"lr\":-1e-300}", "train.lr = "},
      {"{\"lr\":[1]}", "train.lr = [1]: a number in [0, 1] is due"},
      {"{\"offset\":-2.5}", "train.offset = -2.5: a number in [-2, 2] is due"},
      {"{\"greedy\":1}", "train.greedy = 1: true or false is due"},
      {"{\"greedy\":\"true\"}", "train.greedy = \"true\": true or false"},
      {"{\"environment\":5}", "train.environment = 5: a text in quotes is due"},
      {"{\"shape\":\"lin\"}",
       "one of constant|linear|cosine|exponential is due (form of the schedule)"},
      {"{\"shape\":\"linear|cosine\"}", "train.shape = \"linear|cosine\""},
      {"{\"shape\":\"\"}", "train.shape = \"\""},
      {"{\"shape\":1}", "train.shape = 1"},
      {"{\"update\":1}", "train.update: unknown key; did you mean \"updates\"?"},
      {"{\"udpates\":1}", "did you mean \"updates\"?"},
      {"{\"Lr\":1}", "did you mean \"lr\"?"},
      {"{\"wholly_else\":1}", "known are updates, seed, lr, offset, any, greedy, resume"},
      {"[1]", "train: an object of fields is due, not the type array"},
  };
  const sample_config due = make_defaults();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    sample_config c = make_defaults();
    assert_fails(read_text(cases[i][0], &c), PARL_STATUS_EINVAL, cases[i][1]);
    assert_memory_equal(&c, &due, sizeof c);
  }
}

/* A good member before a bad one leaves no trace. */
static void test_untouched_on_failure(void **state) {
  (void)state;
  const sample_config due = make_defaults();
  sample_config c = due;
  assert_status(read_text("{\"updates\":3,\"environment\":\"x\",\"lr\":7}", &c),
                PARL_STATUS_EINVAL);
  assert_memory_equal(&c, &due, sizeof c);
}

static void test_long_texts(void **state) {
  (void)state;
  sample_config c = make_defaults();
  char text[512], json[600];
  memset(text, 'x', sizeof text);
  text[255] = '\0';
  snprintf(json, sizeof json, "{\"environment\":\"%s\"}", text);
  assert_ok(read_text(json, &c));
  assert_string_equal(c.environment, text);
  text[255] = 'x';
  text[256] = '\0';
  snprintf(json, sizeof json, "{\"environment\":\"%s\"}", text);
  assert_fails(read_text(json, &c), PARL_STATUS_EINVAL, "at most 255 bytes");
}

/* No JSON text can say NaN, but a tree made otherwise may. */
static void test_nan_is_refused(void **state) {
  (void)state;
  static const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
  for (size_t i = 0; i < 3; i++) {
    sample_config c = make_defaults();
    parl_json *object = NULL;
    assert_ok(parl_json_create_object(&object));
    cJSON_AddNumberToObject(parl_json_to_node(object), i == 0 ? "lr" : "any", values[i]);
    assert_int_equal(parl_json_get_size(object), 1);
    assert_fails(parl_config_read(&sample_section, object, "train", &c), PARL_STATUS_EINVAL,
                 "a number in [");
    assert_close(c.lr, 1e-3, 0);
    parl_json_destroy(object);
  }
}

static void test_written_reads_back(void **state) {
  (void)state;
  sample_config c = make_defaults(), d = make_defaults();
  assert_ok(
      read_text("{\"updates\":9,\"seed\":123456789012345,\"lr\":0.1,\"offset\":0.3,\"any\":-1.5,"
                "\"greedy\":true,\"environment\":\"a \\\"b\\\"\",\"shape\":\"cosine\"}",
                &c));
  parl_text t = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &t, false);
  parl_config_write(&sample_section, &c, &w);
  assert_string_equal(
      parl_text_get(&t),
      "{\"updates\":9,\"seed\":123456789012345,\"lr\":0.1,\"offset\":0.3,\"any\":-1.5,"
      "\"greedy\":true,\"resume\":true,\"environment\":\"a \\\"b\\\"\","
      "\"shape\":\"cosine\"}");
  assert_ok(read_text(parl_text_get(&t), &d));
  assert_memory_equal(&c, &d, sizeof c);
  parl_text_deinit(&t);
}

static void test_choice_name(void **state) {
  (void)state;
  char name[32];
  parl_config_choice_name(&sample_section, "shape", CONSTANT, name, sizeof name);
  assert_string_equal(name, "constant");
  parl_config_choice_name(&sample_section, "shape", EXPONENTIAL, name, sizeof name);
  assert_string_equal(name, "exponential");
  parl_config_choice_name(&sample_section, "shape", COSINE, name, 4);
  assert_string_equal(name, "cos");
  static const int outside[] = {-1, 4, 1000};
  for (size_t i = 0; i < 3; i++) {
    parl_config_choice_name(&sample_section, "shape", outside[i], name, sizeof name);
    assert_string_equal(name, "?");
  }
  parl_config_choice_name(&sample_section, "updates", 0, name, sizeof name);
  assert_string_equal(name, "?");
  parl_config_choice_name(&sample_section, "absent", 0, name, sizeof name);
  assert_string_equal(name, "?");
}

static void test_help(void **state) {
  (void)state;
  parl_text t = {0};
  parl_config_append_help(&sample_section, false, &t);
  assert_contains(parl_text_get(&t), "train: the sample\n");
  assert_contains(parl_text_get(&t), "updates      int     150  [0, 1000000]  updates  optimizer");
  assert_contains(parl_text_get(&t), "environment  text    \"envs/wide.lua\"  file of");
  assert_contains(parl_text_get(&t), "seed         int     1  [0, 9007199254740992]  1  of all");
  parl_text_clear(&t);
  parl_config_append_help(&sample_section, true, &t);
  assert_contains(parl_text_get(&t),
                  "| `train.lr` | real | 0.001 | [0, 1] | 1 | learning rate |\n");
  assert_contains(parl_text_get(&t), "constant\\|linear\\|cosine");
  size_t n_lines = 0;
  for (const char *c = parl_text_get(&t); *c != '\0'; c++) n_lines += *c == '\n';
  assert_int_equal(n_lines, 9 + 2);
  parl_text_deinit(&t);
}

static void test_nearest(void **state) {
  (void)state;
  static const char *const verbs[] = {"train", "eval", "compare", "sweep", "report", "runs"};
  static const char *const cases[][2] = {
      {"trian", "train"}, {"evla", "eval"},  {"comprae", "compare"}, {"repor", "report"},
      {"run", "runs"},    {"seep", "sweep"}, {"train", "train"},     {"xrain", "train"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_string_equal(parl_nearest(cases[i][0], verbs, 6), cases[i][1]);
  static const char *const far[] = {"", "x", "brew", "completely", "tr"};
  for (size_t i = 0; i < sizeof far / sizeof far[0]; i++)
    assert_null(parl_nearest(far[i], verbs, 6));
  assert_null(parl_nearest("train", verbs, 0));
  char big[300];
  memset(big, 'a', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  assert_null(parl_nearest(big, verbs, 6)); /* too long to be looked at */
  const char *const long_candidate[] = {big};
  assert_null(parl_nearest("train", long_candidate, 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_read),
      cmocka_unit_test(test_closed_ends_are_valid),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_untouched_on_failure),
      cmocka_unit_test(test_long_texts),
      cmocka_unit_test(test_nan_is_refused),
      cmocka_unit_test(test_written_reads_back),
      cmocka_unit_test(test_choice_name),
      cmocka_unit_test(test_help),
      cmocka_unit_test(test_nearest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
