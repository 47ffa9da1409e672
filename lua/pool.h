/* lua/pool.h - memory for one Lua state: small blocks from lists of free ones, large ones from
 * malloc.
 *
 * Scripts make and drop small tables all the time; a block of up to 512 bytes costs a few
 * instructions here. Blocks go back to their list, and to the system only with the pool.
 * Thread rule: one thread at a time. */
#ifndef PARL_LUA_POOL_H
#define PARL_LUA_POOL_H
#include <stddef.h>

enum { PARL_POOL_CLASSES = 32, PARL_POOL_STEP = 16 };

/* Zero-initialise. */
typedef struct parl_pool {
  void *free[PARL_POOL_CLASSES]; /* lists of free blocks, by size */
  char *next;                    /* unused rest of the newest chunk, */
  size_t n_rest;                 /* its bytes */
  void *chunks;                  /* list of all chunks */
} parl_pool;

/* A block of `bytes` > 0 bytes, aligned to 16; NULL if there is no memory. */
void *parl_pool_take(parl_pool *pool, size_t bytes);
/* Gives a block of `bytes` bytes back. */
void parl_pool_give(parl_pool *pool, void *block, size_t bytes);
/* A block of another size with the old one's contents, as realloc; old may be NULL. */
void *parl_pool_resize(parl_pool *pool, void *old, size_t old_bytes, size_t bytes);
/* Frees all chunks. Large blocks must have been given back. */
void parl_pool_deinit(parl_pool *pool);

#endif
