/* core/arena.c - a chain of aligned blocks. */
#include "core/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
  ALIGNMENT = 64,
  DEFAULT_BLOCK_BYTES = 64 << 10,
  DOUBLED_UP_TO = 16 << 20, /* blocks double, so that an arena of many pieces has few */
  HUGE_PAGE_BYTES = 2 << 20
};

struct parl_arena_block {
  parl_arena_block *next;
  size_t capacity_bytes;
  size_t used_bytes;
  unsigned char *bytes; /* [capacity_bytes], owned */
};

static size_t round_to(size_t n, size_t unit) {
  return (n + unit - 1) & ~(unit - 1);
}

static void *fail_block(size_t bytes) {
  parl_fail(PARL_STATUS_ENOMEM, "arena: the system has no block of %zu bytes", bytes);
  return NULL;
}

/* Walking through weights, activations and caches costs fewer translations of addresses when pages
 * are huge. */
void *parl_arena_host_alloc(size_t *bytes) {
  const bool is_huge = *bytes >= HUGE_PAGE_BYTES;
  if (is_huge) *bytes = round_to(*bytes, HUGE_PAGE_BYTES);
  void *memory = aligned_alloc(is_huge ? HUGE_PAGE_BYTES : ALIGNMENT, *bytes);
  if (memory == NULL) return fail_block(*bytes);
#ifdef MADV_HUGEPAGE
  if (is_huge) madvise(memory, *bytes, MADV_HUGEPAGE); /* a wish: no matter if refused */
#endif
  return memory;
}

void parl_arena_host_free(void *memory, size_t bytes) {
  (void)bytes;
  free(memory);
}

static const parl_arena_source *get_source(const parl_arena *arena) {
  static const parl_arena_source host = {parl_arena_host_alloc, parl_arena_host_free, ALIGNMENT};
  return arena->source != NULL ? arena->source : &host;
}

static parl_arena_block *block_create(const parl_arena_source *source, size_t capacity_bytes) {
  parl_arena_block *b = malloc(sizeof *b);
  if (b == NULL) return fail_block(sizeof *b);
  *b = (parl_arena_block){.capacity_bytes = capacity_bytes};
  b->bytes = source->alloc(&b->capacity_bytes);
  if (b->bytes != NULL) return b;
  free(b);
  return NULL;
}

void parl_arena_init(parl_arena *arena, size_t block_bytes) {
  parl_arena_init_from(arena, block_bytes, NULL);
}

void parl_arena_init_from(parl_arena *arena, size_t block_bytes, const parl_arena_source *source) {
  *arena = (parl_arena){.source = source};
  arena->block_bytes =
      round_to(block_bytes ? block_bytes : DEFAULT_BLOCK_BYTES, get_source(arena)->alignment);
}

/* The size of the next block if nothing larger is asked for. */
static size_t next_block_bytes(const parl_arena *arena) {
  size_t bytes = arena->block_bytes;
  for (size_t i = 0; i < arena->n_blocks && bytes < DOUBLED_UP_TO; i++) bytes *= 2;
  return bytes;
}

/* The first block from `b` on that has room; blocks behind `current` are always empty. */
static parl_arena_block *find_room(parl_arena_block *b, size_t bytes) {
  while (b != NULL && b->capacity_bytes - b->used_bytes < bytes) b = b->next;
  return b;
}

parl_status parl_arena_take(parl_arena *arena, size_t n_elements, size_t element_bytes,
                            void **out) {
  size_t bytes;
  if (__builtin_mul_overflow(n_elements, element_bytes, &bytes) || bytes > SIZE_MAX / 2)
    return parl_fail(PARL_STATUS_ENOMEM, "arena: %zu elements of %zu bytes do not fit in memory",
                     n_elements, element_bytes);
  bytes = round_to(bytes ? bytes : 1, get_source(arena)->alignment);
  parl_arena_block *b = find_room(arena->current, bytes);
  if (b == NULL) {
    const size_t least = next_block_bytes(arena);
    b = block_create(get_source(arena), bytes > least ? bytes : least);
    if (b == NULL) return PARL_STATUS_ENOMEM;
    arena->n_blocks++;
    if (arena->current == NULL) {
      arena->first = b;
    } else {
      parl_arena_block *last = arena->current;
      while (last->next != NULL) last = last->next;
      last->next = b;
    }
  }
  arena->current = b;
  *out = b->bytes + b->used_bytes;
  b->used_bytes += bytes;
  return PARL_STATUS_OK;
}

parl_arena_mark parl_arena_get_mark(const parl_arena *arena) {
  return (parl_arena_mark){arena->current, arena->current ? arena->current->used_bytes : 0};
}

void parl_arena_rewind(parl_arena *arena, parl_arena_mark mark) {
  parl_arena_block *keep = mark.block ? mark.block : arena->first;
  if (keep == NULL) return;
  keep->used_bytes = mark.block ? mark.used_bytes : 0;
  for (parl_arena_block *b = keep->next; b != NULL; b = b->next) b->used_bytes = 0;
  arena->current = keep;
}

size_t parl_arena_get_used(const parl_arena *arena) {
  size_t bytes = 0;
  for (const parl_arena_block *b = arena->first; b != NULL; b = b->next) bytes += b->used_bytes;
  return bytes;
}

void parl_arena_reset(parl_arena *arena) {
  parl_arena_rewind(arena, (parl_arena_mark){NULL, 0});
}

void parl_arena_deinit(parl_arena *arena) {
  for (parl_arena_block *b = arena->first; b != NULL;) {
    parl_arena_block *next = b->next;
    get_source(arena)->free(b->bytes, b->capacity_bytes);
    free(b);
    b = next;
  }
  *arena = (parl_arena){.source = arena->source, .block_bytes = arena->block_bytes};
}
