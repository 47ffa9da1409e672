/* core/arena.c - a chain of aligned blocks. */
#include "core/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { ALIGNMENT = 64, DEFAULT_BLOCK_BYTES = 64 * 1024 };

struct parl_arena_block {
  parl_arena_block *next;
  size_t capacity_bytes;
  size_t used_bytes;
  unsigned char *bytes; /* [capacity_bytes], aligned */
};

static size_t round_up(size_t n) {
  return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static parl_arena_block *block_create(size_t capacity_bytes) {
  const size_t header_bytes = round_up(sizeof(parl_arena_block));
  parl_arena_block *b = aligned_alloc(ALIGNMENT, header_bytes + capacity_bytes);
  if (b == NULL) return NULL;
  *b = (parl_arena_block){.capacity_bytes = capacity_bytes,
                          .bytes = (unsigned char *)b + header_bytes};
  return b;
}

void parl_arena_init(parl_arena *arena, size_t block_bytes) {
  *arena = (parl_arena){.block_bytes = round_up(block_bytes ? block_bytes : DEFAULT_BLOCK_BYTES)};
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
  bytes = round_up(bytes ? bytes : 1);
  parl_arena_block *b = find_room(arena->current, bytes);
  if (b == NULL) {
    b = block_create(bytes > arena->block_bytes ? bytes : arena->block_bytes);
    if (b == NULL)
      return parl_fail(PARL_STATUS_ENOMEM, "arena: the system has no block of %zu bytes", bytes);
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

void parl_arena_reset(parl_arena *arena) {
  parl_arena_rewind(arena, (parl_arena_mark){NULL, 0});
}

void parl_arena_deinit(parl_arena *arena) {
  for (parl_arena_block *b = arena->first; b != NULL;) {
    parl_arena_block *next = b->next;
    free(b);
    b = next;
  }
  *arena = (parl_arena){.block_bytes = arena->block_bytes};
}
