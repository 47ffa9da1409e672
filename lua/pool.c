/* lua/pool.c - chunks of blocks of one size. The address sanitizer sees every block by itself.
 *
 * Pages come from mmap, never from malloc: so nothing of a script lies between the program's own
 * blocks, what is held is known to the page, and tests that count allocations see training's. */
#define _GNU_SOURCE
#include "lua/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef __has_feature /* clang's */
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { IS_WATCHED = 1 };
#else
enum { IS_WATCHED = 0 };
#endif

enum {
  STEP = 16,
  N_SMALL = 32,
  CHUNK_BYTES = 32 << 10,
  REGION_CHUNKS = 32,
  PAGE_BYTES = 4096, /* the unit of accounts; a larger page of the system is a multiple */
  LEAST_EMPTY = 32   /* empty chunks that keep their pages in any case */
};

typedef struct parl_pool_chunk {
  void *free;      /* list of blocks given back */
  char *fresh;     /* blocks from here on were never used; */
  uint32_t n_left; /* so many */
  uint32_t n_used; /* blocks handed out */
  int size_class;
  bool is_open; /* in the list of its size */
  struct parl_pool_chunk *previous, *next;
} parl_pool_chunk;

enum { HEAD_BYTES = 64, ROOM_BYTES = CHUNK_BYTES - HEAD_BYTES };
_Static_assert(sizeof(parl_pool_chunk) <= HEAD_BYTES, "blocks begin behind the head");

/* So many blocks a chunk have the sizes after the small ones. */
static const uint8_t counts[PARL_POOL_CLASSES - N_SMALL] = {49, 42, 36, 30, 25, 21, 18, 15, 13,
                                                            11, 9,  7,  6,  5,  4,  3,  2};

static size_t get_block_bytes(int size_class) {
  if (size_class < N_SMALL) return (size_t)(size_class + 1) * STEP;
  return (size_t)(ROOM_BYTES / counts[size_class - N_SMALL]) & ~(size_t)(STEP - 1);
}

enum { LARGEST = ROOM_BYTES / 2 & ~(STEP - 1) };

static int get_class(size_t bytes) {
  if (bytes <= N_SMALL * STEP) return (int)((bytes - 1) / STEP);
  int k = N_SMALL;
  while (get_block_bytes(k) < bytes) k++;
  return k;
}

static parl_pool_chunk *get_chunk(void *block) {
  return (parl_pool_chunk *)((uintptr_t)block & ~(uintptr_t)(CHUNK_BYTES - 1));
}

void parl_pool_init(parl_pool *pool, size_t limit) {
  memset(pool, 0, sizeof *pool);
  pool->limit = limit <= SIZE_MAX - PARL_POOL_SLACK ? limit + PARL_POOL_SLACK : SIZE_MAX;
}

static bool has_room(const parl_pool *pool, size_t bytes) {
  return bytes <= pool->limit && pool->held <= pool->limit - bytes;
}

/* Room for one more pointer in an array; false without memory. */
static bool grow(void ***list, size_t n, size_t *max) {
  if (n < *max) return true;
  const size_t wanted = *max ? 2 * *max : 64;
  void **grown = realloc(*list, wanted * sizeof *grown);
  if (grown == NULL) return false;
  *list = grown;
  *max = wanted;
  return true;
}

/* --- chunks --- */

/* A new region, aligned to chunks. */
static bool add_region(parl_pool *pool) {
  enum { REGION_BYTES = REGION_CHUNKS * CHUNK_BYTES };
  if (!grow(&pool->regions, pool->n_regions, &pool->max_regions)) return false;
  const size_t bytes = REGION_BYTES + CHUNK_BYTES;
  char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return false;
  const size_t before = -(uintptr_t)pages & (CHUNK_BYTES - 1);
  if (before > 0) munmap(pages, before);
  if (before < CHUNK_BYTES) munmap(pages + before + REGION_BYTES, CHUNK_BYTES - before);
  pool->regions[pool->n_regions++] = pages + before;
  pool->n_fresh = REGION_CHUNKS;
  return true;
}

/* An empty chunk that has no size yet; NULL at the limit unless it is forced. */
static parl_pool_chunk *take_chunk(parl_pool *pool, bool force) {
  parl_pool_chunk *c = pool->empty;
  if (c != NULL) {
    pool->empty = c->next;
    pool->n_empty--;
    return c;
  }
  if (!force && !has_room(pool, CHUNK_BYTES)) return NULL;
  if (pool->n_cold > 0) {
    c = pool->cold[--pool->n_cold];
  } else {
    if (pool->n_fresh == 0 && !add_region(pool)) return NULL;
    char *region = pool->regions[pool->n_regions - 1];
    c = (parl_pool_chunk *)(region + (size_t)--pool->n_fresh * CHUNK_BYTES);
  }
  pool->n_chunks++;
  pool->held += CHUNK_BYTES;
  return c;
}

/* Gives the pages of an empty chunk back to the system; false if they stay. */
static bool cool(parl_pool *pool) {
  parl_pool_chunk *c = pool->empty, *next = c->next;
  if (!grow(&pool->cold, pool->n_cold, &pool->max_cold)) return false;
  if (madvise(c, CHUNK_BYTES, MADV_DONTNEED) != 0) return false;
  pool->empty = next;
  pool->n_empty--;
  pool->cold[pool->n_cold++] = c;
  pool->n_chunks--;
  pool->held -= CHUNK_BYTES;
  return true;
}

static void open_chunk(parl_pool *pool, parl_pool_chunk *c) {
  c->previous = NULL;
  c->next = pool->open[c->size_class];
  if (c->next != NULL) c->next->previous = c;
  pool->open[c->size_class] = c;
  c->is_open = true;
}

static void close_chunk(parl_pool *pool, parl_pool_chunk *c) {
  if (c->previous != NULL)
    c->previous->next = c->next;
  else
    pool->open[c->size_class] = c->next;
  if (c->next != NULL) c->next->previous = c->previous;
  c->is_open = false;
}

/* A block where the first open chunk has none that was given back. */
static void *cut(parl_pool *pool, int k, bool force) {
  parl_pool_chunk *c;
  while ((c = pool->open[k]) != NULL && c->free == NULL && c->n_left == 0) close_chunk(pool, c);
  if (c == NULL) {
    c = take_chunk(pool, force);
    if (c == NULL) return NULL;
    *c = (parl_pool_chunk){.fresh = (char *)c + HEAD_BYTES,
                           .n_left = (uint32_t)(ROOM_BYTES / get_block_bytes(k)),
                           .size_class = k};
    open_chunk(pool, c);
  }
  c->n_used++;
  void *block = c->free;
  if (block != NULL) {
    memcpy(&c->free, block, sizeof c->free);
    return block;
  }
  block = c->fresh;
  c->fresh += get_block_bytes(k);
  c->n_left--;
  return block;
}

/* A chunk was full or is empty now. One that is empty and the only one of its size stays. A script
 * that drops what it has and makes as much again would have every page cleared anew by the system:
 * so as many chunks may be empty as are in use. */
static void settle(parl_pool *pool, parl_pool_chunk *c) {
  if (!c->is_open) open_chunk(pool, c);
  if (c->n_used > 0 || (c->previous == NULL && c->next == NULL)) return;
  close_chunk(pool, c);
  c->next = pool->empty;
  pool->empty = c;
  pool->n_empty++;
  while (pool->n_empty > LEAST_EMPTY && pool->n_empty > pool->n_chunks / 2)
    if (!cool(pool)) return;
}

static void *take_small(parl_pool *pool, int k, bool force) {
  parl_pool_chunk *c = pool->open[k];
  if (c == NULL || c->free == NULL) return cut(pool, k, force);
  void *block = c->free;
  memcpy(&c->free, block, sizeof c->free);
  c->n_used++;
  return block;
}

static void give_small(parl_pool *pool, void *block) {
  parl_pool_chunk *c = get_chunk(block);
  memcpy(block, &c->free, sizeof c->free);
  c->free = block;
  if (--c->n_used == 0 || !c->is_open) settle(pool, c);
}

/* --- large blocks --- */

static size_t round_up(size_t bytes) {
  return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* Whether n more bytes may be held, if need be at the cost of empty chunks. */
static bool make_room(parl_pool *pool, size_t n) {
  while (!has_room(pool, n) && pool->empty != NULL)
    if (!cool(pool)) break;
  return has_room(pool, n);
}

static void *take_large(parl_pool *pool, size_t bytes) {
  if (bytes > SIZE_MAX - PAGE_BYTES || !make_room(pool, round_up(bytes))) return NULL;
  void *pages =
      mmap(NULL, round_up(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return NULL;
  pool->held += round_up(bytes);
  return pages;
}

static void give_large(parl_pool *pool, void *block, size_t bytes) {
  const size_t n = round_up(bytes);
  /* Unmapping can fail where it would split a mapping too many: then the pages alone go back. */
  if (munmap(block, n) != 0) madvise(block, n, MADV_DONTNEED);
  pool->held -= n;
}

static void *resize_large(parl_pool *pool, void *old, size_t old_bytes, size_t bytes) {
  if (bytes > SIZE_MAX - PAGE_BYTES) return NULL;
  const size_t before = round_up(old_bytes), after = round_up(bytes);
  if (after == before) return old;
  if (after > before && !make_room(pool, after - before)) return NULL;
  void *moved = mremap(old, before, after, MREMAP_MAYMOVE);
  if (moved == MAP_FAILED) return NULL;
  pool->held = pool->held - before + after;
  return moved;
}

/* --- blocks of any size --- */

/* Where the address sanitizer watches, every block is its own. */
static void *resize_watched(parl_pool *pool, void *old, size_t old_bytes, size_t bytes) {
  if (bytes > old_bytes && !has_room(pool, bytes - old_bytes)) return NULL;
  void *block = realloc(old, bytes);
  if (block != NULL) pool->held = pool->held - old_bytes + bytes;
  return block;
}

void *parl_pool_take(parl_pool *pool, size_t bytes) {
  if (IS_WATCHED) return resize_watched(pool, NULL, 0, bytes);
  return bytes > LARGEST ? take_large(pool, bytes) : take_small(pool, get_class(bytes), false);
}

void parl_pool_give(parl_pool *pool, void *block, size_t bytes) {
  if (IS_WATCHED) {
    pool->held -= bytes;
    free(block);
  } else if (bytes > LARGEST) {
    give_large(pool, block, bytes);
  } else {
    give_small(pool, block);
  }
}

void *parl_pool_resize(parl_pool *pool, void *old, size_t old_bytes, size_t bytes) {
  if (old == NULL) return parl_pool_take(pool, bytes);
  if (IS_WATCHED) return resize_watched(pool, old, old_bytes, bytes);
  if (old_bytes > LARGEST && bytes > LARGEST) return resize_large(pool, old, old_bytes, bytes);
  if (old_bytes <= LARGEST && bytes <= LARGEST && get_class(old_bytes) == get_class(bytes))
    return old;
  void *block = bytes > LARGEST ? take_large(pool, bytes)
                                : take_small(pool, get_class(bytes), bytes < old_bytes);
  if (block == NULL) return NULL;
  memcpy(block, old, old_bytes < bytes ? old_bytes : bytes);
  parl_pool_give(pool, old, old_bytes);
  return block;
}

void parl_pool_deinit(parl_pool *pool) {
  for (size_t i = 0; i < pool->n_regions; i++)
    munmap(pool->regions[i], (size_t)REGION_CHUNKS * CHUNK_BYTES);
  free(pool->regions);
  free(pool->cold);
  memset(pool, 0, sizeof *pool);
}
