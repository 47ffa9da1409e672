/* tests/test_json.c - what is JSON and what is not, the tree, paths, canonical text, the writer. */
#include "core/json.h"
#include "core/rng.h"
#include "tests/support.h"

static parl_json *parse(const char *text) {
  parl_json *root = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "test", &root));
  return root;
}

static void assert_canonical(const parl_json *node, const char *due) {
  parl_text t = {0};
  parl_json_append_canonical(node, &t);
  assert_ok(parl_text_status(&t));
  assert_string_equal(parl_text_get(&t), due);
  parl_text_deinit(&t);
}

static void assert_reads_as(const char *text, const char *canonical) {
  parl_json *root = parse(text);
  assert_canonical(root, canonical);
  parl_json_destroy(root);
}

static void test_accepted(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"null", "null"},
      {" \t\r\n true \n", "true"},
      {"[]", "[]"},
      {"{}", "{}"},
      {"[ 1 , 2 ]", "[1,2]"},
      {"{\"b\":1,\"a\":[{},[]],\"B\":false}", "{\"B\":false,\"a\":[{},[]],\"b\":1}"},
      {"\"\"", "\"\""},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
      {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "\"A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
      {"\"\\u0001\\u007f\"", "\"\\u0001\\u007f\""},
      {"\"<b>\"", "\"\\u003cb>\""},
      {"{\"\":0}", "{\"\":0}"},
      {"0", "0"},
      {"-0", "0"},
      {"-12.5e-1", "-1.25"},
      {"1E+2", "100"},
      {"0.1", "0.10000000000000001"},
      {"9007199254740992", "9007199254740992"},
      {"-9007199254740992", "-9007199254740992"},
      {"1e300", "1.0000000000000001e+300"},
      {"1e-400", "0"},
      {"123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "1.2345678901234568e+89"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_reads_as(cases[i][0], cases[i][1]);
}

static const struct {
  const char *text;
  int at;
  const char *why;
} refused[] = {
    {"", 0, "the text ends"},
    {"  ", 2, "the text ends"},
    {"nul", 0, "expected a value"},
    {"True", 0, "expected a value"},
    {"NaN", 0, "expected a value"},
    {"-Infinity", 1, "expected a digit"},
    {"'a'", 0, "expected a value"},
    {"1 2", 2, "more text"},
    {"{}x", 2, "more text"},
    {"\xEF\xBB\xBF{}", 0, "expected a value"},
    {"[1,]", 3, "expected a value"},
    {"[1 2]", 3, "expected ',' or ']'"},
    {"[1", 2, "expected ',' or ']'"},
    {"[", 1, "the text ends"},
    {"{", 1, "expected a string"},
    {"{\"a\"}", 4, "expected ':'"},
    {"{\"a\":1,}", 7, "expected a string"},
    {"{\"a\":1 \"b\":2}", 7, "expected ',' or '}'"},
    {"{a:1}", 1, "expected a string"},
    {"01", 1, "more text"},
    {"+1", 0, "expected a value"},
    {".5", 0, "expected a value"},
    {"1.", 2, "after the decimal point"},
    {"1e", 2, "in the exponent"},
    {"1e+", 3, "in the exponent"},
    {"-", 1, "expected a digit"},
    {"0x10", 1, "more text"},
    {"1e999", 0, "beyond the range"},
    {"[-1e999]", 1, "beyond the range"},
    {"\"abc", 0, "does not end"},
    {"\"a\\", 3, "does not end"},
    {"\"\\x\"", 1, "unknown escape"},
    {"\"\\u12g4\"", 5, "four hexadecimal digits"},
    {"\"\\u0000\"", 1, "\\u0000"},
    {"\"\\ud800\"", 1, "high surrogate"},
    {"\"\\ud800\\u0041\"", 1, "high surrogate"},
    {"\"\\udc00\"", 1, "low surrogate"},
    {"\"a\nb\"", 2, "control character"},
    {"\"\x01\"", 1, "control character"},
    {"\"a\xFF\"", 2, "not UTF-8"},
    {"\"\xC0\x80\"", 1, "not UTF-8"},
    {"\"\xED\xA0\x80\"", 1, "not UTF-8"},
    {"\"\xF4\x90\x80\x80\"", 1, "not UTF-8"},
    {"\"\xE2\x82\"", 1, "not UTF-8"},
    {"{\"a\":1,\"b\":2,\"a\":3}", 0, "key \"a\" twice"},
    {"[{\"x\":{\"k\":1,\"\\u006b\":2}}]", 6, "key \"k\" twice"},
    {"// no\n1", 0, "expected a value"},
};

static void test_refused_with_the_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    parl_json *root = (parl_json *)state;
    char at[64];
    snprintf(at, sizeof at, "recipe: byte %d of %zu: ", refused[i].at, strlen(refused[i].text));
    assert_fails(parl_json_parse(refused[i].text, strlen(refused[i].text), "recipe", &root),
                 PARL_STATUS_EFORMAT, refused[i].why);
    assert_contains(parl_error_text(), at);
    assert_ptr_equal(root, state);
  }
}

static void test_refuses_nul_bytes(void **state) {
  (void)state;
  parl_json *root = NULL;
  assert_status(parl_json_parse("1\0", 2, "test", &root), PARL_STATUS_EFORMAT);
  assert_status(parl_json_parse("\"a\0b\"", 5, "test", &root), PARL_STATUS_EFORMAT);
  assert_status(parl_json_parse("\"\\\0\"", 4, "test", &root), PARL_STATUS_EFORMAT);
}

static void test_every_prefix_is_refused(void **state) {
  (void)state;
  static const char text[] = "{\"a\":[1.5e3,true,false,null,\"\\u00e9\xC3\xA9\\n\"],\"b\":{}}";
  for (size_t n = 0; n < strlen(text); n++) {
    char *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read beyond n */
    assert_non_null(exact);
    memcpy(exact, text, n);
    parl_json *root = NULL;
    assert_status(parl_json_parse(exact, n, "test", &root), PARL_STATUS_EFORMAT);
    free(exact);
  }
}

static void fill_nested(char *text, size_t depth, const char *open, const char *close) {
  text[0] = '\0';
  char *at = text;
  for (size_t i = 0; i < depth; i++) at = stpcpy(at, open);
  at = stpcpy(at, "1");
  for (size_t i = 0; i < depth; i++) at = stpcpy(at, close);
}

static void test_depth(void **state) {
  (void)state;
  static char text[4096];
  parl_json *root = NULL;
  fill_nested(text, 256, "[", "]");
  root = parse(text);
  parl_json_destroy(root);
  fill_nested(text, 256, "{\"a\":", "}");
  root = parse(text);
  parl_json_destroy(root);
  fill_nested(text, 257, "[", "]");
  assert_fails(parl_json_parse(text, strlen(text), "test", &root), PARL_STATUS_EFORMAT,
               "nested deeper than 256");
  fill_nested(text, 257, "{\"a\":", "}");
  assert_status(parl_json_parse(text, strlen(text), "test", &root), PARL_STATUS_EFORMAT);
}

static void test_accessors(void **state) {
  (void)state;
  parl_json *root =
      parse("{\"n\":2.5,\"s\":\"x\",\"t\":true,\"f\":false,\"z\":null,\"a\":[7,8,9]}");
  const parl_json *n = parl_json_find(root, "n"), *s = parl_json_find(root, "s");
  assert_int_equal(parl_json_get_type(root), PARL_JSON_OBJECT);
  assert_int_equal(parl_json_get_type(n), PARL_JSON_NUMBER);
  assert_close(parl_json_get_number(n), 2.5, 0);
  assert_null(parl_json_get_string(n));
  assert_string_equal(parl_json_get_key(n), "n");
  assert_string_equal(parl_json_get_string(s), "x");
  assert_close(parl_json_get_number(s), 0, 0);
  assert_true(parl_json_get_bool(parl_json_find(root, "t")));
  assert_false(parl_json_get_bool(parl_json_find(root, "f")));
  assert_int_equal(parl_json_get_type(parl_json_find(root, "f")), PARL_JSON_BOOL);
  assert_int_equal(parl_json_get_type(parl_json_find(root, "z")), PARL_JSON_NULL);
  assert_null(parl_json_find(root, "N"));
  assert_null(parl_json_find(n, "n"));
  assert_int_equal(parl_json_get_size(root), 6);
  assert_int_equal(parl_json_get_size(s), 0);
  double sum = 0;
  const parl_json *a = parl_json_find(root, "a");
  assert_int_equal(parl_json_get_size(a), 3);
  for (const parl_json *c = parl_json_get_first(a); c != NULL; c = parl_json_get_next(c)) {
    sum = 10 * sum + parl_json_get_number(c);
    assert_null(parl_json_get_key(c));
  }
  assert_close(sum, 789, 0);
  assert_null(parl_json_get_first(s));
  parl_json_destroy(root);
}

static void test_null_is_harmless(void **state) {
  (void)state;
  assert_int_equal(parl_json_get_type(NULL), PARL_JSON_NULL);
  assert_null(parl_json_get_string(NULL));
  assert_null(parl_json_get_key(NULL));
  assert_null(parl_json_get_first(NULL));
  assert_null(parl_json_get_next(NULL));
  assert_null(parl_json_find(NULL, "a"));
  assert_null(parl_json_find_path(NULL, "a"));
  assert_int_equal(parl_json_get_size(NULL), 0);
  assert_false(parl_json_get_bool(NULL));
  parl_json_destroy(NULL);
  assert_string_equal(parl_json_type_name(PARL_JSON_OBJECT), "object");
  assert_string_equal(parl_json_type_name((parl_json_type)6), "?");
}

static void test_find_path(void **state) {
  (void)state;
  parl_json *root = parse("{\"a\":{\"b\":{\"c\":3},\"bb\":4},\"x.y\":5}");
  assert_close(parl_json_get_number(parl_json_find_path(root, "a.b.c")), 3, 0);
  assert_close(parl_json_get_number(parl_json_find_path(root, "a.bb")), 4, 0);
  assert_ptr_equal(parl_json_find_path(root, "a"), parl_json_find(root, "a"));
  static const char *const absent[] = {"",     "a.",  ".a",      "a..b",  "a.c",
                                       "a.b.", "b.c", "a.b.c.d", "a.b.cc"};
  for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
    assert_null(parl_json_find_path(root, absent[i]));
  parl_json_destroy(root);
}

static void test_set_path(void **state) {
  (void)state;
  parl_json *root = NULL;
  assert_ok(parl_json_create_object(&root));
  assert_ok(parl_json_set_path(root, "a.b.c", "1.5"));
  assert_ok(parl_json_set_path(root, "a.d", "hello"));
  assert_ok(parl_json_set_path(root, "t", "true"));
  assert_ok(parl_json_set_path(root, "q", "\"true\""));
  assert_ok(parl_json_set_path(root, "l", "[1,{\"k\":2}]"));
  assert_ok(parl_json_set_path(root, "e", ""));
  assert_ok(parl_json_set_path(root, "p", "a/b.lua"));
  assert_canonical(root,
                   "{\"a\":{\"b\":{\"c\":1.5},\"d\":\"hello\"},\"e\":\"\",\"l\":[1,{\"k\":2}],"
                   "\"p\":\"a/b.lua\",\"q\":\"true\",\"t\":true}");
  assert_ok(parl_json_set_path(root, "a.b.c", "2"));
  assert_ok(parl_json_set_path(root, "a.d", "3"));
  assert_ok(parl_json_set_path(root, "l", "null"));
  assert_canonical(root,
                   "{\"a\":{\"b\":{\"c\":2},\"d\":3},\"e\":\"\",\"l\":null,"
                   "\"p\":\"a/b.lua\",\"q\":\"true\",\"t\":true}");
  assert_int_equal(parl_json_get_size(root), 6);
  parl_json_destroy(root);
}

static void test_set_path_refuses(void **state) {
  (void)state;
  parl_json *root = parse("{\"a\":{\"n\":5,\"l\":[1]}}");
  assert_fails(parl_json_set_path(root, "a.n.x", "1"), PARL_STATUS_EINVAL,
               "\"a.n\" is of type number");
  assert_fails(parl_json_set_path(root, "a.n.x.y.z", "1"), PARL_STATUS_EINVAL,
               "\"a.n\" is of type number");
  assert_fails(parl_json_set_path(root, "a.l.0", "1"), PARL_STATUS_EINVAL,
               "\"a.l\" is of type array");
  static const char *const no_paths[] = {"", ".", "a.", ".a", "a..b", "a.\xFF"};
  for (size_t i = 0; i < sizeof no_paths / sizeof no_paths[0]; i++)
    assert_fails(parl_json_set_path(root, no_paths[i], "1"), PARL_STATUS_EINVAL, "is no path");
  assert_fails(parl_json_set_path(root, "b", "\xFF"), PARL_STATUS_EINVAL,
               "b: the value is not UTF-8");
  char deep[1024] = "a";
  for (int i = 0; i < 256; i++) strcat(deep, ".a");
  assert_fails(parl_json_set_path(root, deep, "1"), PARL_STATUS_EINVAL, "is no path");
  assert_canonical(root, "{\"a\":{\"l\":[1],\"n\":5}}");
  parl_json_destroy(root);
}

static void test_set_path_on_a_root_that_is_no_object(void **state) {
  (void)state;
  parl_json *root = parse("[1]");
  assert_fails(parl_json_set_path(root, "a", "1"), PARL_STATUS_EINVAL, "is of type array");
  assert_canonical(root, "[1]");
  parl_json_destroy(root);
}

static void test_merge(void **state) {
  (void)state;
  parl_json *base = parse("{\"a\":{\"x\":1,\"y\":{\"p\":1}},\"l\":[1,2],\"k\":1}");
  parl_json *over = parse("{\"a\":{\"x\":2,\"y\":{\"q\":2},\"z\":3},\"l\":[9],\"n\":{\"m\":1}}");
  assert_ok(parl_json_merge(base, over));
  assert_canonical(base,
                   "{\"a\":{\"x\":2,\"y\":{\"p\":1,\"q\":2},\"z\":3},\"k\":1,\"l\":[9],"
                   "\"n\":{\"m\":1}}");
  assert_canonical(over, "{\"a\":{\"x\":2,\"y\":{\"q\":2},\"z\":3},\"l\":[9],\"n\":{\"m\":1}}");
  parl_json_destroy(over);
  over = parse("{\"a\":5,\"k\":{\"o\":1}}");
  assert_ok(parl_json_merge(base, over)); /* of two types, the second replaces */
  assert_canonical(base, "{\"a\":5,\"k\":{\"o\":1},\"l\":[9],\"n\":{\"m\":1}}");
  const parl_json *array = parl_json_find(base, "l");
  assert_status(parl_json_merge(base, array), PARL_STATUS_EINVAL);
  assert_status(parl_json_merge(base, NULL), PARL_STATUS_EINVAL);
  parl_json_destroy(over);
  parl_json_destroy(base);
}

static void test_copy_and_remove(void **state) {
  (void)state;
  parl_json *root = parse("{\"a\":1,\"b\":{\"c\":[1,2]},\"d\":3}");
  parl_json *copy = NULL;
  assert_ok(parl_json_copy(root, &copy));
  parl_json_remove(copy, "a");
  parl_json_remove(copy, "d");
  parl_json_remove(copy, "absent");
  assert_canonical(copy, "{\"b\":{\"c\":[1,2]}}");
  assert_ok(parl_json_set_path(copy, "last", "1"));
  assert_canonical(copy, "{\"b\":{\"c\":[1,2]},\"last\":1}");
  assert_canonical(root, "{\"a\":1,\"b\":{\"c\":[1,2]},\"d\":3}");
  parl_json_remove(copy, "b");
  parl_json_remove(copy, "last");
  assert_canonical(copy, "{}");
  assert_status(parl_json_copy(NULL, &copy), PARL_STATUS_EINVAL);
  parl_json_destroy(copy);
  parl_json_destroy(root);
}

static void test_canonical_does_not_depend_on_order(void **state) {
  (void)state;
  parl_json *a = parse("{\"x\":1.0,\"a\":{\"c\":10e0,\"b\":2}, \"\xC3\xA9\":0}");
  assert_canonical(a, "{\"a\":{\"b\":2,\"c\":10},\"x\":1,\"\xC3\xA9\":0}");
  parl_json *b = parse("{\"\\u00e9\":-0.0,\"a\":{\"b\":2,\"c\":10},\"x\":1}");
  assert_canonical(b, "{\"a\":{\"b\":2,\"c\":10},\"x\":1,\"\xC3\xA9\":0}");
  parl_json_destroy(a);
  parl_json_destroy(b);
}

static void write_sample(parl_json_writer *w) {
  parl_json_begin_object(w);
  parl_json_key(w, "i");
  parl_json_integer(w, INT64_MIN);
  parl_json_key(w, "list");
  parl_json_begin_array(w);
  parl_json_number(w, 0.1);
  parl_json_number(w, (double)NAN);
  parl_json_bool(w, true);
  parl_json_null(w);
  parl_json_begin_object(w);
  parl_json_end_object(w);
  parl_json_end_array(w);
  parl_json_key(w, "empty");
  parl_json_begin_array(w);
  parl_json_end_array(w);
  parl_json_key(w, "raw");
  parl_json_raw(w, "[1]");
  parl_json_key(w, "s");
  parl_json_string(w, "a\"<\xFF\xC3\xA9");
  parl_json_end_object(w);
}

static void test_writer(void **state) {
  (void)state;
  parl_text t = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &t, false);
  write_sample(&w);
  assert_string_equal(parl_text_get(&t),
                      "{\"i\":-9223372036854775808,\"list\":[0.1,null,true,null,{}],\"empty\":[],"
                      "\"raw\":[1],\"s\":\"a\\\"\\u003c\xEF\xBF\xBD\xC3\xA9\"}");
  parl_text_clear(&t);
  parl_json_writer_init(&w, &t, true);
  write_sample(&w);
  assert_string_equal(parl_text_get(&t),
                      "{\n  \"i\": -9223372036854775808,\n  \"list\": [\n    0.1,\n    null,\n"
                      "    true,\n    null,\n    {}\n  ],\n  \"empty\": [],\n  \"raw\": [1],\n"
                      "  \"s\": \"a\\\"\\u003c\xEF\xBF\xBD\xC3\xA9\"\n}");
  parl_json *root = parse(parl_text_get(&t));
  parl_json_destroy(root);
  parl_text_deinit(&t);
}

static double write_and_read(double x, size_t *n) {
  parl_text t = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &t, false);
  parl_json_number(&w, x);
  parl_json *root = parse(parl_text_get(&t));
  const double y = parl_json_get_number(root);
  *n = t.n;
  parl_json_destroy(root);
  parl_text_deinit(&t);
  return y;
}

static void test_numbers_round_trip(void **state) {
  (void)state;
  size_t n = 0;
  for (uint64_t i = 0; i < 20000; i++) {
    const uint64_t bits = parl_rng(1, 2, i);
    double x;
    memcpy(&x, &bits, sizeof x);
    if (!isfinite(x)) continue;
    const double y = write_and_read(x, &n);
    assert_memory_equal(&x, &y, sizeof x);
    assert_true(n < 32);
  }
  static const double edges[] = {5e-324,
                                 2.2250738585072014e-308,
                                 1.7976931348623157e308,
                                 0x1p53,
                                 0x1p53 + 2,
                                 0x1p63,
                                 -0x1p64,
                                 1.0 / 3,
                                 1e21,
                                 123456.7};
  for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
    assert_close(write_and_read(edges[i], &n), edges[i], 0);
  write_and_read(0.3, &n);
  assert_int_equal(n, 3); /* the shortest */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accepted),
      cmocka_unit_test(test_refused_with_the_byte),
      cmocka_unit_test(test_refuses_nul_bytes),
      cmocka_unit_test(test_every_prefix_is_refused),
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_accessors),
      cmocka_unit_test(test_null_is_harmless),
      cmocka_unit_test(test_find_path),
      cmocka_unit_test(test_set_path),
      cmocka_unit_test(test_set_path_refuses),
      cmocka_unit_test(test_set_path_on_a_root_that_is_no_object),
      cmocka_unit_test(test_merge),
      cmocka_unit_test(test_copy_and_remove),
      cmocka_unit_test(test_canonical_does_not_depend_on_order),
      cmocka_unit_test(test_writer),
      cmocka_unit_test(test_numbers_round_trip),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
