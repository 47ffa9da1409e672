/* lua/pool.c - lists of free blocks. The address sanitizer sees every block by itself.
 *
 * All memory comes from realloc: by that tests tell the heap of scripts, which may grow at any
 * time, from that of training, which must not. */
#include "lua/pool.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
enum { LARGEST = 0 };
#else
enum { LARGEST = PARL_POOL_CLASSES * PARL_POOL_STEP };
#endif
enum { CHUNK_BYTES = 64 << 10, HEAD_BYTES = 16 };

static size_t get_class(size_t bytes) {
  return (bytes - 1) / PARL_POOL_STEP;
}

static void *get_memory(size_t bytes) {
  void *volatile none = NULL; /* of realloc(NULL, n) the compiler makes malloc(n) */
  return realloc(none, bytes);
}

/* A piece of a new chunk; what was left of the last one is lost, at most 512 bytes of 65536. */
static void *cut(parl_pool *pool, size_t bytes) {
  if (pool->n_rest < bytes) {
    char *chunk = get_memory(CHUNK_BYTES);
    if (chunk == NULL) return NULL;
    memcpy(chunk, &pool->chunks, sizeof pool->chunks);
    pool->chunks = chunk;
    pool->next = chunk + HEAD_BYTES;
    pool->n_rest = CHUNK_BYTES - HEAD_BYTES;
  }
  void *block = pool->next;
  pool->next += bytes;
  pool->n_rest -= bytes;
  return block;
}

void *parl_pool_take(parl_pool *pool, size_t bytes) {
  if (bytes > LARGEST) return get_memory(bytes);
  const size_t k = get_class(bytes);
  void *block = pool->free[k];
  if (block == NULL) return cut(pool, (k + 1) * PARL_POOL_STEP);
  memcpy(&pool->free[k], block, sizeof(void *));
  return block;
}

void parl_pool_give(parl_pool *pool, void *block, size_t bytes) {
  if (bytes > LARGEST) {
    free(block);
    return;
  }
  const size_t k = get_class(bytes);
  memcpy(block, &pool->free[k], sizeof(void *));
  pool->free[k] = block;
}

void *parl_pool_resize(parl_pool *pool, void *old, size_t old_bytes, size_t bytes) {
  if (old == NULL) return parl_pool_take(pool, bytes);
  if (old_bytes > LARGEST && bytes > LARGEST) return realloc(old, bytes);
  if (old_bytes <= LARGEST && bytes <= LARGEST && get_class(old_bytes) == get_class(bytes))
    return old;
  void *block = parl_pool_take(pool, bytes);
  /* Lua counts on it that a block can shrink; one that stays larger than its list says does no
   * harm. */
  if (block == NULL) return bytes < old_bytes ? old : NULL;
  memcpy(block, old, old_bytes < bytes ? old_bytes : bytes);
  parl_pool_give(pool, old, old_bytes);
  return block;
}

void parl_pool_deinit(parl_pool *pool) {
  while (pool->chunks != NULL) {
    void *chunk = pool->chunks;
    memcpy(&pool->chunks, chunk, sizeof pool->chunks);
    free(chunk);
  }
  memset(pool, 0, sizeof *pool);
}
