/* core/hash.h - SHA-256 (nettle inside). Thread rule: one thread per object. */
#ifndef PARL_CORE_HASH_H
#define PARL_CORE_HASH_H
#include <stddef.h>
#include <stdint.h>

enum { PARL_HASH_HEX_BYTES = 65 };

typedef struct parl_hash {
  _Alignas(16) unsigned char state[160]; /* nettle's context; its size is checked at compile time */
} parl_hash;

void parl_hash_init(parl_hash *h);
void parl_hash_update(parl_hash *h, const void *bytes, size_t n);
/* 64 lower-case hex digits and a NUL; the object must be initialised again before further use. */
void parl_hash_finish(parl_hash *h, char out[PARL_HASH_HEX_BYTES]);
void parl_hash_bytes(const void *bytes, size_t n, char out[PARL_HASH_HEX_BYTES]);

#endif
