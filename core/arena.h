/* core/arena.h - memory that is taken piece by piece and given back at once.
 *
 * An arena grows by blocks, each twice as large as the last up to 16 MiB, while a high-water mark
 * is found and then allocates nothing more: reset keeps the memory. Pieces never move. Thread rule:
 * one thread at a time.
 * Reading order: init, take, mark/rewind, reset, deinit. */
#ifndef PARL_CORE_ARENA_H
#define PARL_CORE_ARENA_H
#include <stddef.h>

#include "core/status.h"

typedef struct parl_arena_block parl_arena_block;

typedef struct parl_arena {
  parl_arena_block *first;   /* owned chain of blocks */
  parl_arena_block *current; /* block that serves the next piece */
  size_t block_bytes;        /* size of the first block, bytes */
  size_t n_blocks;           /* blocks ever allocated; constant in a steady state */
} parl_arena;

typedef struct parl_arena_mark {
  parl_arena_block *block;
  size_t used_bytes;
} parl_arena_mark;

/* Makes an empty arena whose first block holds at least `block_bytes` (0 means 64 KiB). Allocates
 * nothing. */
void parl_arena_init(parl_arena *arena, size_t block_bytes);

/* Hands out n_elements * element_bytes bytes, aligned to 64, contents unspecified; owned by the
 * arena. Fails: ENOMEM on overflow of the product or when the system has no memory; *out is
 * untouched. */
parl_status parl_arena_take(parl_arena *arena, size_t n_elements, size_t element_bytes, void **out);

/* Remembers the present fill; rewind gives back everything taken since. Marks nest. */
parl_arena_mark parl_arena_get_mark(const parl_arena *arena);
void parl_arena_rewind(parl_arena *arena, parl_arena_mark mark);

/* Bytes of all pieces, each rounded up to 64. */
size_t parl_arena_get_used(const parl_arena *arena);

/* Gives back every piece, keeps the blocks. */
void parl_arena_reset(parl_arena *arena);

/* Frees the blocks. Safe on a zeroed arena. */
void parl_arena_deinit(parl_arena *arena);

/* Typed take: float *x; PARL_TRY(PARL_ARENA_TAKE(arena, n, &x)); */
#define PARL_ARENA_TAKE(arena, n, out) parl_arena_take((arena), (n), sizeof **(out), (void **)(out))

#endif
