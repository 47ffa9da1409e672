/* tests/test_lookup.c - a file by the name that a user wrote: order, folders, refusals. */
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/lookup.h"
#include "tests/support.h"

static char folder[PARL_TEST_PATH_BYTES];
static char first[PARL_TEST_PATH_BYTES + 16], second[PARL_TEST_PATH_BYTES + 16];

static void put(const char *in, const char *name) {
  char path[2 * PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, in, name));
  assert_ok(parl_file_write(path, name, strlen(name)));
}

/* first/ has one, both.lua, a folder named two; second/ has two.lua, both, both.lua, three.txt */
static int make_folders(void **state) {
  (void)state;
  parl_test_temp_folder(folder);
  snprintf(first, sizeof first, "%s/first", folder);
  snprintf(second, sizeof second, "%s/second", folder);
  char path[2 * PARL_TEST_PATH_BYTES];
  snprintf(path, sizeof path, "%s/two", first);
  assert_ok(parl_file_make_folder(path));
  assert_ok(parl_file_make_folder(second));
  put(first, "one"), put(first, "both.lua");
  put(second, "two.lua"), put(second, "both"), put(second, "both.lua"), put(second, "three.txt");
  return 0;
}

static int remove_folders(void **state) {
  (void)state;
  parl_test_remove_folder(folder);
  return 0;
}

static parl_status find(const char *name, char out[2 * PARL_TEST_PATH_BYTES]) {
  const parl_lookup lookup = {
      .what = "thing", .extension = ".lua", .n_folders = 2, .folders = {first, second}};
  return parl_lookup_find(&lookup, name, out, 2 * PARL_TEST_PATH_BYTES);
}

static void assert_found(const char *name, const char *in, const char *due) {
  char out[2 * PARL_TEST_PATH_BYTES], path[2 * PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, in, due));
  assert_ok(find(name, out));
  assert_string_equal(out, path);
}

static void test_order(void **state) {
  (void)state;
  assert_found("one", first, "one");
  assert_found("both.lua", first, "both.lua");
  assert_found("both", first, "both.lua"); /* a folder before the next, extension or not */
  assert_found("two.lua", second, "two.lua");
  assert_found("two", second, "two.lua"); /* first/two is a folder */
  assert_found("three.txt", second, "three.txt");
  assert_found("../second/two", first, "../second/two.lua");
}

static void test_absolute(void **state) {
  (void)state;
  char name[2 * PARL_TEST_PATH_BYTES], out[2 * PARL_TEST_PATH_BYTES];
  snprintf(name, sizeof name, "%s/two", second);
  assert_ok(find(name, out));
  assert_contains(out, "/second/two.lua");
  snprintf(name, sizeof name, "%s/none", second);
  assert_fails(find(name, out), PARL_STATUS_EIO, "second/none.lua");
  assert_null(strstr(parl_error_text(), "first"));
}

static void test_refusals(void **state) {
  (void)state;
  char out[2 * PARL_TEST_PATH_BYTES] = "untouched", due[8 * PARL_TEST_PATH_BYTES];
  snprintf(due, sizeof due,
           "no thing \"twos\": looked for %s/twos, %s/twos.lua, %s/twos, %s/twos.lua", first, first,
           second, second);
  assert_fails(find("twos", out), PARL_STATUS_EIO, due);
  assert_contains(parl_error_text(), "; did you mean \"two\"?");
  assert_fails(find("bothh.lua", out), PARL_STATUS_EIO, "; did you mean \"both\"?");
  assert_fails(find("xylophone", out), PARL_STATUS_EIO, "second/xylophone.lua");
  assert_null(strstr(parl_error_text(), "did you mean"));
  assert_fails(find("", out), PARL_STATUS_EINVAL, "the name of the thing is empty");
  const parl_lookup lookup = {
      .what = "thing", .extension = ".lua", .n_folders = 1, .folders = {""}};
  assert_fails(parl_lookup_find(&lookup, "abc", out, 4), PARL_STATUS_EINVAL, "longer than 3 bytes");
  assert_fails(parl_lookup_find(&lookup, "abcd", out, 4), PARL_STATUS_EINVAL, "at most 3 fit");
}

static void test_system_reason(void **state) {
  (void)state;
  char out[2 * PARL_TEST_PATH_BYTES], name[600];
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_fails(find(name, out), PARL_STATUS_EIO, "File name too long");
  char link[2 * PARL_TEST_PATH_BYTES];
  snprintf(link, sizeof link, "%s/loop", first);
  assert_int_equal(symlink("loop", link), 0);
  assert_fails(find("loop", out), PARL_STATUS_EIO, "Too many levels of symbolic links");
}

static void test_permission(void **state) {
  (void)state;
  char out[2 * PARL_TEST_PATH_BYTES];
  if (geteuid() == 0) skip(); /* root may look everywhere */
  chmod(first, 0);
  const parl_status s = find("one", out);
  chmod(first, 0755);
  assert_status(s, PARL_STATUS_EIO);
  assert_contains(parl_error_text(), "Permission denied");
}

static void test_names(void **state) {
  (void)state;
  parl_text text = {0};
  parl_lookup_append_names(second, ".lua", &text);
  assert_string_equal(parl_text_get(&text), " both two");
  parl_lookup_append_names("/nowhere", ".lua", &text);
  assert_string_equal(parl_text_get(&text), " both two");
  parl_text_deinit(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),         cmocka_unit_test(test_absolute),
      cmocka_unit_test(test_refusals),      cmocka_unit_test(test_names),
      cmocka_unit_test(test_system_reason), cmocka_unit_test(test_permission)};
  return cmocka_run_group_tests_name("lookup", tests, make_folders, remove_folders);
}
