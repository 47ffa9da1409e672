/* core/hash.c - nettle's SHA-256 in a struct of ours. */
#include "core/hash.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(((parl_hash *)0)->state),
               "parl_hash is too small for nettle's context");
_Static_assert(_Alignof(struct sha256_ctx) <= _Alignof(parl_hash),
               "parl_hash is aligned too weakly for nettle's context");

static struct sha256_ctx *context_of(parl_hash *h) {
  return (struct sha256_ctx *)(void *)h->state;
}

void parl_hash_init(parl_hash *h) {
  sha256_init(context_of(h));
}

void parl_hash_update(parl_hash *h, const void *bytes, size_t n) {
  if (n > 0) sha256_update(context_of(h), n, bytes);
}

void parl_hash_finish_bytes(parl_hash *h, unsigned char out[PARL_HASH_BYTES]) {
  sha256_digest(context_of(h), PARL_HASH_BYTES, out);
}

void parl_hash_finish(parl_hash *h, char out[PARL_HASH_HEX_BYTES]) {
  unsigned char digest[PARL_HASH_BYTES];
  parl_hash_finish_bytes(h, digest);
  for (size_t i = 0; i < sizeof digest; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void parl_hash_bytes(const void *bytes, size_t n, char out[PARL_HASH_HEX_BYTES]) {
  parl_hash h;
  parl_hash_init(&h);
  parl_hash_update(&h, bytes, n);
  parl_hash_finish(&h, out);
}

uint64_t parl_hash_get_word(const char hex[PARL_HASH_HEX_BYTES]) {
  char digits[17] = "";
  memcpy(digits, hex, sizeof digits - 1);
  return strtoull(digits, NULL, 16);
}
