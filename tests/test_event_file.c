/* tests/test_event_file.c - event files byte by byte: published checksums, records by hand. */
#include <math.h>

#include "core/event_file.h"
#include "tests/support.h"

/* Source: RFC 3720, appendix B.4; the check value of CRC-32C for "123456789" is the catalogue's. */
static void test_published_checksums(void **state) {
  (void)state;
  unsigned char zeros[32] = {0}, ones[32], rising[32], falling[32];
  memset(ones, 0xFF, sizeof ones);
  for (size_t i = 0; i < 32; i++) {
    rising[i] = (unsigned char)i;
    falling[i] = (unsigned char)(31 - i);
  }
  assert_int_equal(parl_crc32c("123456789", 9), 0xE3069283u);
  assert_int_equal(parl_crc32c(zeros, 32), 0x8A9136AAu);
  assert_int_equal(parl_crc32c(ones, 32), 0x62A8AB43u);
  assert_int_equal(parl_crc32c(rising, 32), 0x46DD794Eu);
  assert_int_equal(parl_crc32c(falling, 32), 0x113FDB5Cu);
  assert_int_equal(parl_crc32c(NULL, 0), 0);
}

/* A record holds what is due, between its length and two checksums; *at goes behind it. */
static void check_record(const parl_text *text, size_t *at, const void *due, size_t n) {
  const unsigned char *b = (const unsigned char *)text->bytes + *at;
  assert_true(*at + 16 + n <= text->n);
  for (size_t i = 0; i < 8; i++) assert_int_equal(b[i], (n >> 8 * i) & 0xFF);
  assert_memory_equal(b + 12, due, n);
  const size_t places[] = {8, 12 + n};
  const uint32_t crcs[] = {parl_crc32c(b, 8), parl_crc32c(b + 12, n)};
  for (size_t k = 0; k < 2; k++) {
    const uint32_t masked = (crcs[k] >> 15 | crcs[k] << 17) + 0xA282EAD8u;
    for (size_t i = 0; i < 4; i++) assert_int_equal(b[places[k] + i], masked >> 8 * i & 0xFF);
  }
  *at += 16 + n;
}

/* 1.0 is 3f f0 00 .. in big-endian; the first twelve bytes are those of every TensorBoard file. */
static void test_begin(void **state) {
  (void)state;
  static const unsigned char first[] = {0x18, 0, 0, 0, 0, 0, 0, 0, 0xA3, 0x7F, 0x4B, 0x22};
  static const unsigned char version[] =
      "\x09\0\0\0\0\0\0\xF0\x3F\x1A\x0D"
      "brain.Event:2";
  static const unsigned char start[] = "\x09\0\0\0\0\0\0\xF0\x3F\x3A\x02\x08\x01";
  parl_text text = {0};
  size_t at = 0;
  parl_event_file_begin(&text, 1.0);
  assert_int_equal(parl_text_status(&text), PARL_STATUS_OK);
  assert_memory_equal(text.bytes, first, sizeof first);
  check_record(&text, &at, version, sizeof version - 1);
  check_record(&text, &at, start, sizeof start - 1);
  assert_int_equal(at, text.n);
  parl_text_deinit(&text);
}

/* Step 300 = 2 * 128 + 44: ac 02. A value is 3 + 5 bytes, in its summary 10. */
static void test_scalars(void **state) {
  (void)state;
  static const char *const tags[] = {"a", "undefined", "b/c"};
  const double values[] = {0.5, (double)NAN, -2.0};
  static const unsigned char due[] =
      "\x09\0\0\0\0\0\0\0\x40\x10\xAC\x02\x2A\x16"
      "\x0A\x08\x0A\x01"
      "a\x15\0\0\0\x3F"
      "\x0A\x0A\x0A\x03"
      "b/c\x15\0\0\0\xC0";
  parl_text text = {0};
  size_t at = 0;
  parl_event_file_append_scalars(&text, 2.0, 300, tags, values, 3);
  check_record(&text, &at, due, sizeof due - 1);
  assert_int_equal(at, text.n);
  parl_text_deinit(&text);
}

/* Lengths from 128 on take two bytes, here the summary's; steps beyond 2^35 six. */
static void test_long_ones(void **state) {
  (void)state;
  enum { LENGTH = 119 };
  char tag[LENGTH + 1];
  const char *const tags[] = {tag};
  const double value = 1;
  memset(tag, 'x', LENGTH);
  tag[LENGTH] = '\0';
  parl_text text = {0}, due = {0};
  parl_event_file_append_scalars(&text, 0, (int64_t)1 << 40, tags, &value, 1);
  parl_text_append_bytes(&due, "\x09\0\0\0\0\0\0\0\0\x10\x80\x80\x80\x80\x80\x20\x2A\x80\x01", 19);
  parl_text_append_bytes(&due, "\x0A\x7E\x0A\x77", 4); /* 126 = 2 + 119 + 5, 128 with its own two */
  parl_text_append(&due, tag);
  parl_text_append_bytes(&due, "\x15\0\0\x80\x3F", 5);
  size_t at = 0;
  check_record(&text, &at, due.bytes, due.n);
  assert_int_equal(at, text.n);
  parl_text_deinit(&text);
  parl_text_deinit(&due);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_published_checksums),
      cmocka_unit_test(test_begin),
      cmocka_unit_test(test_scalars),
      cmocka_unit_test(test_long_ones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
