/* tests/test_safetensors.c - round trip, and every way in which a file can be wrong. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hash.h"
#include "core/safetensors.h"
#include "core/safetensors_internal.h"
#include "tests/support.h"

static char folder[PARL_TEST_PATH_BYTES];

static int make_folder(void **state) {
  (void)state;
  parl_test_temp_folder(folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  parl_test_remove_folder(folder);
  return 0;
}

static const char *path_of(const char *name) {
  static char path[2 * PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, folder, name));
  return path;
}

static const float weights[6] = {1.5f, -2.0f, 0.0f, 3.25f, 1e-30f, 7.0f};
static const double wide[3] = {1.0 / 3, 2, -1e300};
static const uint8_t bytes3[3] = {1, 2, 255};
static const int64_t longs[2] = {INT64_MIN, 7};

static const parl_tensor_info sample[] = {
    {"model.embed.weight", PARL_DTYPE_F32, 2, {2, 3}, weights, sizeof weights},
    {"scale", PARL_DTYPE_F64, 1, {3}, wide, sizeof wide},
    {"mask", PARL_DTYPE_U8, 3, {1, 3, 1}, bytes3, sizeof bytes3},
    {"none", PARL_DTYPE_BF16, 2, {4, 0}, NULL, 0},
    {"a \"name\" <\xC3\xA9>", PARL_DTYPE_I64, 1, {2}, longs, sizeof longs}, /* misaligned by mask */
    {"scalar", PARL_DTYPE_F32, 0, {0}, weights, 4},
};
enum { N_SAMPLE = sizeof sample / sizeof sample[0] };
static const char *const pairs[] = {"format", "parl", "update", "12", "empty", ""};

static void assert_same(const parl_tensor_info *got, const parl_tensor_info *due) {
  assert_string_equal(got->name, due->name);
  assert_int_equal(got->dtype, due->dtype);
  assert_int_equal(got->n_dims, due->n_dims);
  assert_memory_equal(got->shape, due->shape, (size_t)due->n_dims * sizeof due->shape[0]);
  assert_int_equal(got->bytes, due->bytes);
  if (due->bytes > 0) assert_memory_equal(got->data, due->data, due->bytes);
  assert_int_equal((uintptr_t)got->data % parl_dtype_bytes(got->dtype), 0);
}

static void test_round_trip(void **state) {
  (void)state;
  char hash[65] = "";
  assert_ok(parl_safetensors_write(path_of("a"), sample, N_SAMPLE, pairs, 3, hash));
  parl_safetensors *f = NULL;
  assert_ok(parl_safetensors_open(path_of("a"), &f));
  assert_int_equal(parl_safetensors_get_count(f), N_SAMPLE);
  for (size_t i = 0; i < N_SAMPLE; i++) {
    assert_same(parl_safetensors_get(f, i), &sample[i]); /* the order is kept */
    assert_ptr_equal(parl_safetensors_find(f, sample[i].name), parl_safetensors_get(f, i));
  }
  assert_null(parl_safetensors_get(f, N_SAMPLE));
  assert_null(parl_safetensors_find(f, "absent"));
  assert_null(parl_safetensors_find(f, "__metadata__"));
  for (size_t i = 0; i < 3; i++)
    assert_string_equal(parl_safetensors_get_metadata(f, pairs[2 * i]), pairs[2 * i + 1]);
  assert_null(parl_safetensors_get_metadata(f, "absent"));
  parl_safetensors_close(f);
}

static void test_hash_is_of_the_file(void **state) {
  (void)state;
  char hash[65], due[65], *bytes = NULL;
  size_t n = 0;
  assert_ok(parl_safetensors_write(path_of("h"), sample, N_SAMPLE, pairs, 3, hash));
  assert_ok(parl_file_read(path_of("h"), 1 << 20, &bytes, &n));
  parl_hash_bytes(bytes, n, due);
  assert_string_equal(hash, due);
  assert_int_equal((unsigned char)bytes[0] % 8, 0); /* the data begins at a multiple of eight */
  free(bytes);
  assert_ok(parl_safetensors_write(path_of("h2"), sample, N_SAMPLE, pairs, 3, due));
  assert_string_equal(hash, due); /* no time, no place in it */
}

static void test_nothing(void **state) {
  (void)state;
  assert_ok(parl_safetensors_write(path_of("n"), NULL, 0, NULL, 0, NULL));
  parl_safetensors *f = NULL;
  assert_ok(parl_safetensors_open(path_of("n"), &f));
  assert_int_equal(parl_safetensors_get_count(f), 0);
  assert_null(parl_safetensors_find(f, "a"));
  assert_null(parl_safetensors_get_metadata(f, "a"));
  parl_safetensors_close(f);
  parl_safetensors_close(NULL);
}

static void test_nan_is_data(void **state) {
  (void)state;
  const uint32_t bits[4] = {0x7FC00001u, 0xFF800000u, 0x7F800000u, 0x7FA00000u}; /* payloads too */
  const parl_tensor_info t = {"x", PARL_DTYPE_F32, 1, {4}, bits, sizeof bits};
  assert_ok(parl_safetensors_write(path_of("nan"), &t, 1, NULL, 0, NULL));
  parl_safetensors *f = NULL;
  assert_ok(parl_safetensors_open(path_of("nan"), &f));
  assert_memory_equal(parl_safetensors_get(f, 0)->data, bits, sizeof bits);
  parl_safetensors_close(f);
}

/* A file of `header` and n_data bytes 0, 1, 2, ...; *n its length. The caller frees. */
static unsigned char *craft(const char *header, size_t n_data, size_t *n) {
  const size_t n_header = strlen(header);
  *n = 8 + n_header + n_data;
  unsigned char *file = malloc(*n);
  assert_non_null(file);
  for (int i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)n_header >> 8 * i);
  memcpy(file + 8, header, n_header);
  for (size_t i = 0; i < n_data; i++) file[8 + n_header + i] = (unsigned char)i;
  return file;
}

static parl_status parse_crafted(const char *header, size_t n_data, parl_safetensors **out) {
  size_t n;
  unsigned char *file = craft(header, n_data, &n);
  assert_ok(parl_file_write(path_of("crafted"), file, n));
  parl_safetensors *in_memory = NULL;
  const parl_status s = parl_safetensors_parse(file, n, "memory", &in_memory);
  parl_safetensors_close(in_memory);
  free(file);
  assert_status(parl_safetensors_open(path_of("crafted"), out), s);
  return s;
}

#define T(name, dtype, shape, offsets) \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_files_of_others(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t n_data, n_tensors;
  } cases[] = {
      {"{}", 0, 0},
      {"{}     ", 0, 0},
      {"{\"__metadata__\":{\"format\":\"pt\"}}", 0, 0},
      {"{" T("b", "F32", "[2]", "[8,16]") "," T("a", "F32", "[2]", "[0,8]") "}", 16, 2},
      {"{" T("z", "F32", "[0]", "[4,4]") "," T("a", "F32", "[]", "[0,4]") "}", 4, 2},
      {"{" T("z", "F16", "[9,0,9]", "[0,0]") "}", 0, 1},
      {"{\"a\":{\"data_offsets\":[0,2],\"shape\":[1],\"dtype\":\"BF16\",\"extra\":1}}", 2, 1},
      {"{" T("z", "I32", "[1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, 1},
      {"{" T("z", "U8", "[9007199254740992,0,9007199254740992]", "[0,0]") "}", 0, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_safetensors *f = NULL;
    assert_ok(parse_crafted(cases[i].header, cases[i].n_data, &f));
    assert_int_equal(parl_safetensors_get_count(f), cases[i].n_tensors);
    parl_safetensors_close(f);
  }
}

static void test_order_is_the_datas(void **state) {
  (void)state;
  parl_safetensors *f = NULL;
  assert_ok(parse_crafted("{" T("b", "U8", "[2]", "[3,5]") "," T("e", "U8", "[0]", "[3,3]") "," T(
                              "a", "U8", "[3]", "[0,3]") "," T("c", "I32", "[1]", "[5,9]") "}",
                          9, &f));
  static const char *const due[] = {"a", "e", "b", "c"};
  for (size_t i = 0; i < 4; i++) assert_string_equal(parl_safetensors_get(f, i)->name, due[i]);
  assert_int_equal(((const uint8_t *)parl_safetensors_find(f, "b")->data)[0], 3);
  assert_int_equal(*(const int32_t *)parl_safetensors_find(f, "c")->data, 0x08070605);
  parl_safetensors_close(f);
}

static void test_corrupt_headers(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t n_data;
    const char *why;
  } cases[] = {
      {"", 0, "the text ends"},
      {"{", 0, "expected a string"},
      {"[]", 0, "the header is no object"},
      {"{\"a\":1}", 0, "its entry is no object"},
      {"{\"a\":{}}", 0, "dtype is missing"},
      {"{" T("a", "F33", "[1]", "[0,4]") "}", 4, "dtype \"F33\" is not supported"},
      {"{" T("a", "f32", "[1]", "[0,4]") "}", 4, "dtype \"f32\" is not supported"},
      {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype is missing or no"},
      {"{" T("a", "F32", "1", "[0,4]") "}", 4, "shape is missing or no array"},
      {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, "an extent is no whole number"},
      {"{" T("a", "F32", "[1.5]", "[0,6]") "}", 6, "an extent is no whole number"},
      {"{" T("a", "F32", "[\"1\"]", "[0,4]") "}", 4, "an extent is no whole number"},
      {"{" T("a", "F32", "[1e17]", "[0,4]") "}", 4, "an extent is no whole number"},
      {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "9 dimensions, at most 8"},
      {"{" T("a", "F32", "[1]", "[0]") "}", 4, "data_offsets are not two"},
      {"{" T("a", "F32", "[1]", "[0,4,8]") "}", 4, "data_offsets are not two"},
      {"{" T("a", "F32", "[1]", "[0,4.5]") "}", 4, "data_offsets are not two"},
      {"{" T("a", "F32", "[1]", "{\"x\":0,\"y\":4}") "}", 4, "data_offsets are not two"},
      {"{" T("a", "F32", "[1]", "[-4,0]") "}", 4, "data_offsets are not two"},
      {"{" T("a", "F32", "[1]", "[4,0]") "}", 4, "lie outside"},
      {"{" T("a", "F32", "[2]", "[0,8]") "}", 7, "lie outside the 7 bytes"},
      {"{" T("a", "F32", "[1]", "[0,8]") "}", 8, "its shape asks for other than the 8 bytes"},
      {"{" T("a", "F32", "[3]", "[0,8]") "}", 8, "its shape asks for other"},
      {"{" T("a", "U8", "[4294967296,4294967296]", "[0,0]") "}", 0, "its shape asks for other"},
      {"{" T("a", "F64", "[2305843009213693952]", "[0,0]") "}", 0, "no whole number"},
      {"{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[2,6]") "}", 6, "an overlap"},
      {"{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[0,4]") "}", 4, "an overlap"},
      {"{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[3,5]") "}", 5, "a gap"},
      {"{" T("a", "U8", "[2]", "[1,3]") "}", 3, "a gap"},
      {"{" T("a", "U8", "[2]", "[0,2]") "}", 3, "1 bytes of data belong to no tensor"},
      {"{}", 1, "1 bytes of data belong to no tensor"},
      {"{" T("z", "U8", "[0]", "[1,1]") "," T("a", "U8", "[3]", "[0,3]") "}", 3, "an overlap"},
      {"{" T("a", "U8", "[1]", "[0,1]") "," T("a", "U8", "[1]", "[1,2]") "}", 2, "\"a\" twice"},
      {"{\"__metadata__\":[]}", 0, "__metadata__ is no object"},
      {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ \"a\" is no string"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_safetensors *f = (parl_safetensors *)state;
    assert_fails(parse_crafted(cases[i].header, cases[i].n_data, &f), PARL_STATUS_EFORMAT,
                 cases[i].why);
    assert_contains(parl_error_text(), path_of("crafted"));
    assert_ptr_equal(f, state);
  }
}

static void test_header_sizes(void **state) {
  (void)state;
  static const uint64_t sizes[] = {3,
                                   100,
                                   100000000,
                                   100000001,
                                   UINT64_C(1) << 31,
                                   UINT64_MAX,
                                   UINT64_MAX - 7,
                                   UINT64_C(1) << 63};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    unsigned char file[10] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    for (int k = 0; k < 8; k++) file[k] = (unsigned char)(sizes[i] >> 8 * k);
    parl_safetensors *f = NULL;
    assert_fails(parl_safetensors_parse(file, sizeof file, "memory", &f), PARL_STATUS_EFORMAT,
                 "is announced");
  }
}

/* The rule of 100 MB holds even where the file is long enough; the file is a hole. */
static void test_header_over_the_limit(void **state) {
  (void)state;
  const uint64_t size = PARL_SAFETENSORS_MAX_HEADER + 1;
  unsigned char head[8];
  for (int k = 0; k < 8; k++) head[k] = (unsigned char)(size >> 8 * k);
  assert_ok(parl_file_write(path_of("huge"), head, sizeof head));
  assert_int_equal(truncate(path_of("huge"), (off_t)size + 8), 0);
  parl_safetensors *f = NULL;
  assert_fails(parl_safetensors_open(path_of("huge"), &f), PARL_STATUS_EFORMAT,
               "at most 100000000");
  assert_int_equal(unlink(path_of("huge")), 0);
}

static void test_truncated_at_every_byte(void **state) {
  (void)state;
  char *bytes = NULL;
  size_t n = 0;
  assert_ok(parl_safetensors_write(path_of("t"), sample, N_SAMPLE, pairs, 3, NULL));
  assert_ok(parl_file_read(path_of("t"), 1 << 20, &bytes, &n));
  for (size_t cut = 0; cut < n; cut++) {
    char *exact = malloc(cut ? cut : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, cut);
    parl_safetensors *f = NULL;
    assert_status(parl_safetensors_parse(exact, cut, "memory", &f), PARL_STATUS_EFORMAT);
    free(exact);
  }
  for (off_t cut = 0; cut < (off_t)n; cut += 13) {
    parl_safetensors *f = NULL;
    assert_ok(parl_file_write(path_of("t"), bytes, n));
    assert_int_equal(truncate(path_of("t"), cut), 0);
    assert_status(parl_safetensors_open(path_of("t"), &f), PARL_STATUS_EFORMAT);
  }
  free(bytes);
}

static void test_open_refuses(void **state) {
  (void)state;
  parl_safetensors *f = NULL;
  assert_fails(parl_safetensors_open(path_of("absent"), &f), PARL_STATUS_EIO,
               "absent: cannot open");
  assert_fails(parl_safetensors_open(folder, &f), PARL_STATUS_EIO, "no regular file");
}

static void test_write_refuses(void **state) {
  (void)state;
  static const struct {
    parl_tensor_info t;
    const char *why;
  } cases[] = {
      {{"", PARL_DTYPE_F32, 0, {0}, weights, 4}, "is no name"},
      {{NULL, PARL_DTYPE_F32, 0, {0}, weights, 4}, "is no name"},
      {{"__metadata__", PARL_DTYPE_F32, 0, {0}, weights, 4}, "is no name"},
      {{"\xFF", PARL_DTYPE_F32, 0, {0}, weights, 4}, "is no name"},
      {{"a", (parl_dtype)99, 0, {0}, weights, 4}, "dtype 99 is unknown"},
      {{"a", PARL_DTYPE_F32, 9, {0}, weights, 4}, "9 dimensions"},
      {{"a", PARL_DTYPE_F32, -1, {0}, weights, 4}, "-1 dimensions"},
      {{"a", PARL_DTYPE_F32, 1, {-1}, weights, 4}, "extent 0 is -1"},
      {{"a", PARL_DTYPE_F32, 1, {2}, weights, 4}, "asks for 8 bytes of data, not 4"},
      {{"a", PARL_DTYPE_F32, 1, {1}, NULL, 4}, "at NULL"},
      {{"a", PARL_DTYPE_F32, 2, {INT64_MAX, 4}, weights, 4}, "does not fit"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_fails(parl_safetensors_write(path_of("w"), &cases[i].t, 1, NULL, 0, NULL),
                 PARL_STATUS_EINVAL, cases[i].why);
    assert_false(parl_file_exists(path_of("w")));
  }
  const parl_tensor_info twice[] = {sample[0], sample[1], sample[0]};
  assert_fails(parl_safetensors_write(path_of("w"), twice, 3, NULL, 0, NULL), PARL_STATUS_EINVAL,
               "tensor \"model.embed.weight\" is there twice");
  static const char *const keys[] = {"a", "1", "b", "2", "a", "3"};
  assert_fails(parl_safetensors_write(path_of("w"), sample, 1, keys, 3, NULL), PARL_STATUS_EINVAL,
               "metadata key \"a\" is there twice");
  static const char *const invalid[] = {"a", "\xC3"};
  assert_fails(parl_safetensors_write(path_of("w"), sample, 1, invalid, 1, NULL),
               PARL_STATUS_EINVAL, "metadata text 1 is NULL or no UTF-8");
  assert_false(parl_file_exists(path_of("w")));
}

static void test_full_disk_leaves_the_old_file(void **state) {
  (void)state;
  char hash[65] = "untouched", due[65];
  static float big[20000];
  const parl_tensor_info t = {"big", PARL_DTYPE_F32, 1, {20000}, big, sizeof big};
  assert_ok(parl_safetensors_write(path_of("disk"), sample, N_SAMPLE, NULL, 0, due));
  struct rlimit old, now;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  now = old;
  now.rlim_cur = 10000;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
  const parl_status s = parl_safetensors_write(path_of("disk"), &t, 1, NULL, 0, hash);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_fails(s, PARL_STATUS_EIO, "disk: cannot write");
  assert_string_equal(hash, "untouched");
  parl_safetensors *f = NULL;
  assert_ok(parl_safetensors_open(path_of("disk"), &f));
  assert_int_equal(parl_safetensors_get_count(f), N_SAMPLE);
  parl_safetensors_close(f);
}

static void test_dtypes(void **state) {
  (void)state;
  static const size_t due[] = {4, 2, 2, 8, 4, 8, 1};
  static const char *const names[] = {"F32", "BF16", "F16", "F64", "I32", "I64", "U8"};
  for (size_t i = 0; i < 7; i++) {
    assert_int_equal(parl_dtype_bytes((parl_dtype)i), due[i]);
    assert_string_equal(parl_dtype_name((parl_dtype)i), names[i]);
  }
  assert_int_equal(parl_dtype_bytes((parl_dtype)7), 0);
  assert_string_equal(parl_dtype_name((parl_dtype)7), "?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_hash_is_of_the_file),
      cmocka_unit_test(test_nothing),
      cmocka_unit_test(test_nan_is_data),
      cmocka_unit_test(test_files_of_others),
      cmocka_unit_test(test_order_is_the_datas),
      cmocka_unit_test(test_corrupt_headers),
      cmocka_unit_test(test_header_sizes),
      cmocka_unit_test(test_header_over_the_limit),
      cmocka_unit_test(test_truncated_at_every_byte),
      cmocka_unit_test(test_open_refuses),
      cmocka_unit_test(test_write_refuses),
      cmocka_unit_test(test_full_disk_leaves_the_old_file),
      cmocka_unit_test(test_dtypes),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
