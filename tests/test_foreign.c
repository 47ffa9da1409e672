/* tests/test_foreign.c - files that are not what was wanted are called by their name. */
#include "core/file.h"
#include "core/foreign.h"
#include "core/safetensors.h"
#include "core/safetensors_internal.h"
#include "tests/support.h"

static const struct {
  const char *bytes;
  size_t n;
  const char *name; /* part of it */
} CASES[] = {
#define CASE(bytes, name) \
  { bytes, sizeof bytes - 1, name }
    CASE("", "an empty file"),
    CASE("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
         "a Git LFS pointer"),
    CASE("<!DOCTYPE html><html><head><title>404</title>", "an HTML page"),
    CASE("\xef\xbb\xbf \r\n<HTML lang=en>", "an HTML page"),
    CASE("PK\3\4\0\0\10\10archive/data.pkl", "a zip archive, as torch.save"),
    CASE("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", "a Python pickle"),
    CASE("\x80\5\x95\x11\0\0\0\0\0\0\0}", "a Python pickle"),
    CASE("\x1f\x8b\10\0\0\0\0\0\0\3", "a gzip file"),
    CASE("SQLite format 3\0\20\0", "an SQLite database"),
    CASE("GGUF\3\0\0\0\0\0", "a GGUF file"),
    CASE("\x89HDF\r\n\x1a\n\0\0", "an HDF5 file"),
#undef CASE
};

static void test_names(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    const char *name = parl_foreign_name(CASES[i].bytes, CASES[i].n);
    assert_non_null(name);
    assert_contains(name, CASES[i].name);
    /* A beginning of it that is too short to tell is no error, nor read beyond its end. */
    for (size_t n = 0; n < CASES[i].n; n++) {
      char *part = malloc(n + 1);
      memcpy(part, CASES[i].bytes, n);
      (void)parl_foreign_name(part, n);
      free(part);
    }
  }
  char tar[512] = "weights/model.bin";
  memcpy(tar + 257, "ustar", 5);
  assert_contains(parl_foreign_name(tar, sizeof tar), "a tar archive");
  memset(tar, 0, sizeof tar);
  assert_contains(parl_foreign_name(tar, sizeof tar), "a file of zeros");
}

static void test_wanted(void **state) {
  (void)state;
  static const char json[] = "{\"a\": 1}", weights[] = "\x80\2\0\0\0\0\0\0{\"__metadata__\":{}}";
  assert_string_equal(parl_foreign_name(json, 8), PARL_FOREIGN_JSON);
  assert_string_equal(parl_foreign_name(weights, sizeof weights - 1), PARL_FOREIGN_SAFETENSORS);
  assert_ok(parl_foreign_refuse(json, 8, "x", PARL_FOREIGN_JSON));
  assert_fails(parl_foreign_refuse(json, 8, "x", PARL_FOREIGN_SAFETENSORS), PARL_STATUS_EFORMAT,
               "x: is JSON, not a safetensors file");
  assert_ok(parl_foreign_refuse(weights, sizeof weights - 1, "x", PARL_FOREIGN_SAFETENSORS));
  assert_fails(parl_foreign_refuse(weights, sizeof weights - 1, "x", PARL_FOREIGN_JSON),
               PARL_STATUS_EFORMAT, "x: is a safetensors file, not JSON");
  assert_null(parl_foreign_name("[1, 2]", 6));
  assert_null(parl_foreign_name("return {}", 9));
  assert_null(parl_foreign_name("ABCDEFGH{}", 10)); /* no header is as long as these letters say */
  assert_null(parl_foreign_name("\x80\11 text", 7));
  assert_null(parl_foreign_name("\0\0\0", 3));
}

static void test_in_place_of_a_checkpoint(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  parl_safetensors *f = NULL;
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/weights", folder);
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    assert_ok(parl_file_write(path, CASES[i].bytes, CASES[i].n));
    assert_fails(parl_safetensors_open(path, &f), PARL_STATUS_EFORMAT, CASES[i].name);
    assert_contains(parl_error_text(), path);
  }
  assert_fails(parl_safetensors_open(folder, &f), PARL_STATUS_EIO,
               "is no regular file but a folder");
  static const char text[] = "nothing that anybody knows";
  assert_ok(parl_file_write(path, text, sizeof text));
  assert_fails(parl_safetensors_open(path, &f), PARL_STATUS_EFORMAT, "is no safetensors file");
  parl_test_remove_folder(folder);
}

/* Cut anywhere, a file is called truncated, or empty. */
static void test_truncated(void **state) {
  (void)state;
  static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ";
  char bytes[8 + sizeof header - 1 + 8] = {sizeof header - 1};
  memcpy(bytes + 8, header, sizeof header - 1);
  parl_safetensors *f = NULL;
  assert_ok(parl_safetensors_parse(bytes, sizeof bytes, "x", &f));
  parl_safetensors_close(f);
  for (size_t n = 9; n < sizeof bytes; n++)
    assert_fails(parl_safetensors_parse(bytes, n, "x", &f), PARL_STATUS_EFORMAT, "truncated");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_wanted),
                                     cmocka_unit_test(test_in_place_of_a_checkpoint),
                                     cmocka_unit_test(test_truncated)};
  return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
