/* tests/test_hash.c - SHA-256 against published digests, in any cut of the input. */
#include "core/hash.h"
#include "tests/support.h"

/* Source: FIPS 180-4 examples (csrc.nist.gov, SHA256.pdf) and the NIST long message of a's. */
static void test_published_digests(void **state) {
  (void)state;
  static const struct {
    const char *text, *due;
  } cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char hex[PARL_HASH_HEX_BYTES];
    parl_hash_bytes(cases[i].text, strlen(cases[i].text), hex);
    assert_string_equal(hex, cases[i].due);
  }
}

static void test_a_million_in_pieces(void **state) {
  (void)state;
  char piece[1000], hex[PARL_HASH_HEX_BYTES];
  memset(piece, 'a', sizeof piece);
  parl_hash h;
  parl_hash_init(&h);
  size_t fed = 0;
  for (size_t i = 0; fed < 1000000; i++) { /* pieces of 0, 7, 14, ... bytes */
    size_t n = i * 7 % sizeof piece;
    if (n > 1000000 - fed) n = 1000000 - fed;
    parl_hash_update(&h, n ? piece : NULL, n);
    fed += n;
  }
  parl_hash_finish(&h, hex);
  assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_every_cut(void **state) {
  (void)state;
  unsigned char bytes[200];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37);
  char whole[PARL_HASH_HEX_BYTES], parts[PARL_HASH_HEX_BYTES];
  parl_hash_bytes(bytes, sizeof bytes, whole);
  for (size_t cut = 0; cut <= sizeof bytes; cut++) {
    parl_hash h;
    parl_hash_init(&h);
    parl_hash_update(&h, bytes, cut);
    parl_hash_update(&h, bytes + cut, sizeof bytes - cut);
    parl_hash_finish(&h, parts);
    assert_string_equal(parts, whole);
  }
  bytes[100] ^= 1;
  parl_hash_bytes(bytes, sizeof bytes, parts);
  assert_string_not_equal(parts, whole);
}

static void test_initialised_again(void **state) {
  (void)state;
  char first[PARL_HASH_HEX_BYTES], second[PARL_HASH_HEX_BYTES];
  parl_hash h;
  for (int i = 0; i < 2; i++) {
    parl_hash_init(&h);
    parl_hash_update(&h, "abc", 3);
    parl_hash_finish(&h, i ? second : first);
  }
  assert_string_equal(first, second);
}

static void test_first_word(void **state) {
  (void)state;
  char hex[PARL_HASH_HEX_BYTES];
  parl_hash_bytes("abc", 3, hex);
  assert_true(parl_hash_get_word(hex) == UINT64_C(0xba7816bf8f01cfea));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_published_digests), cmocka_unit_test(test_a_million_in_pieces),
      cmocka_unit_test(test_every_cut),         cmocka_unit_test(test_initialised_again),
      cmocka_unit_test(test_first_word),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
