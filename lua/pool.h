/* lua/pool.h - memory for one Lua state, whose size is bounded by what is really held.
 *
 * Scripts make and drop small tables all the time; a block of up to 16 KiB costs a few instructions
 * here. Such blocks are cut from chunks of 32 KiB, each of blocks of one size; a chunk whose blocks
 * are all given back serves any size, and where many are, their pages go back to the system. Larger
 * blocks are pages of their own. The sum of pages never exceeds the limit, so that no pattern of
 * sizes can make a script hold more than its cap.
 * Thread rule: one thread at a time. */
#ifndef PARL_LUA_POOL_H
#define PARL_LUA_POOL_H
#include <stddef.h>

/* 32 small ones in steps of 16 bytes, and those of a few blocks a chunk. */
enum { PARL_POOL_CLASSES = 49, PARL_POOL_SLACK = 2 << 20 };

typedef struct parl_pool {
  struct parl_pool_chunk *open[PARL_POOL_CLASSES]; /* lists of chunks that have room, by size */
  struct parl_pool_chunk *empty;                   /* chunks without a block, of no size */
  size_t n_chunks, n_empty;                        /* chunks with pages; those that are empty */
  void **cold; /* [n_cold] chunks whose pages went back, room for max_cold */
  size_t n_cold, max_cold;
  void **regions; /* [n_regions] what chunks are cut from */
  size_t n_regions, max_regions;
  size_t n_fresh; /* chunks of the newest region that were never used */
  size_t held;    /* bytes of pages: chunks and large blocks */
  size_t limit;   /* most bytes held */
} parl_pool;

/* A pool that holds at most `limit` bytes and PARL_POOL_SLACK more: so much is in the chunks that
 * have room, one of each size. */
void parl_pool_init(parl_pool *pool, size_t limit);
/* A block of `bytes` > 0 bytes, aligned to 16; NULL if the limit or the system's memory is
 * reached. */
void *parl_pool_take(parl_pool *pool, size_t bytes);
/* Gives a block of `bytes` bytes back. */
void parl_pool_give(parl_pool *pool, void *block, size_t bytes);
/* A block of another size with the old one's contents, as realloc; old may be NULL. Shrinking fails
 * only where the system has no memory: the limit does not hold then. */
void *parl_pool_resize(parl_pool *pool, void *old, size_t old_bytes, size_t bytes);
/* Frees all chunks. Large blocks must have been given back. Safe on a zeroed pool. */
void parl_pool_deinit(parl_pool *pool);

#endif
