/* tests/test_text.c - appending, growing, and staying whole after a failure. */
#include "core/text.h"
#include "tests/support.h"

static void test_empty(void **state) {
  (void)state;
  parl_text t = {0};
  assert_string_equal(parl_text_get(&t), "");
  assert_ok(parl_text_status(&t));
  parl_text_clear(&t);
  parl_text_append(&t, "");
  parl_text_append_bytes(&t, NULL, 0);
  assert_string_equal(parl_text_get(&t), "");
  parl_text_deinit(&t);
  parl_text_deinit(&t);
}

static void test_append(void **state) {
  (void)state;
  parl_text t = {0};
  parl_text_append(&t, "ab");
  parl_text_append_bytes(&t, "c\0d", 3);
  parl_text_appendf(&t, "%d-%s", 12, "x");
  assert_int_equal(t.n, 9);
  assert_memory_equal(t.bytes, "abc\0d12-x", 10);
  parl_text_clear(&t);
  assert_int_equal(t.n, 0);
  assert_string_equal(parl_text_get(&t), "");
  parl_text_append(&t, "z");
  assert_string_equal(parl_text_get(&t), "z");
  parl_text_deinit(&t);
}

static void test_grows_through_every_length(void **state) {
  (void)state;
  parl_text t = {0};
  for (int i = 0; i < 5000; i++) {
    if (i % 2 == 0)
      parl_text_appendf(&t, "%c", 'a' + i % 26);
    else
      parl_text_append_bytes(&t, &(char){(char)('a' + i % 26)}, 1);
    assert_int_equal(strlen(parl_text_get(&t)), i + 1);
    assert_true(t.capacity > t.n);
  }
  for (int i = 0; i < 5000; i++) assert_int_equal(t.bytes[i], 'a' + i % 26);
  parl_text_deinit(&t);
}

static void test_long_format(void **state) {
  (void)state;
  parl_text t = {0};
  parl_text_appendf(&t, "%10000d|", 5);
  assert_int_equal(t.n, 10001);
  assert_string_equal(t.bytes + 9998, " 5|");
  parl_text_deinit(&t);
}

static void test_failure_is_kept_and_leaves_the_text(void **state) {
  (void)state;
  parl_text t = {0};
  parl_text_append(&t, "before");
  parl_text_append_bytes(&t, "x", SIZE_MAX); /* refused before a byte is read */
  assert_string_equal(parl_text_get(&t), "before");
  parl_text_append(&t, "after");
  parl_text_appendf(&t, "%d", 1);
  assert_string_equal(parl_text_get(&t), "before");
  assert_fails(parl_text_status(&t), PARL_STATUS_ENOMEM, "6 bytes");
  parl_text_clear(&t);
  assert_ok(parl_text_status(&t));
  parl_text_append(&t, "after");
  assert_string_equal(parl_text_get(&t), "after");
  parl_text_deinit(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_append),
      cmocka_unit_test(test_grows_through_every_length),
      cmocka_unit_test(test_long_format),
      cmocka_unit_test(test_failure_is_kept_and_leaves_the_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
