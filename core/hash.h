/* core/hash.h - SHA-256 (nettle inside).
 *
 * Thread rule: one thread per object. Reading order: init, update, finish. Source: FIPS 180-4. */
#ifndef PARL_CORE_HASH_H
#define PARL_CORE_HASH_H
#include <stddef.h>
#include <stdint.h>

enum { PARL_HASH_BYTES = 32, PARL_HASH_HEX_BYTES = 65 /* 64 digits and a NUL */ };

typedef struct parl_hash {
  _Alignas(16) unsigned char state[160]; /* nettle's context; its size is checked when compiling */
} parl_hash;

/* Starts a hash in the caller's storage; there is nothing to free. */
void parl_hash_init(parl_hash *h);

/* Feeds n bytes; bytes may be NULL if n is 0. */
void parl_hash_update(parl_hash *h, const void *bytes, size_t n);

/* Writes 64 lower-case hex digits and a NUL; the object must be initialised again before more use.
 */
void parl_hash_finish(parl_hash *h, char out[PARL_HASH_HEX_BYTES]);

/* The same as bytes instead of digits. */
void parl_hash_finish_bytes(parl_hash *h, unsigned char out[PARL_HASH_BYTES]);

/* The hash of n bytes in one call. */
void parl_hash_bytes(const void *bytes, size_t n, char out[PARL_HASH_HEX_BYTES]);

/* The number that the first 16 digits write. */
uint64_t parl_hash_get_word(const char hex[PARL_HASH_HEX_BYTES]);

#endif
