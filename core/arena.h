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

/* Where blocks come from. Their headers lie apart, so nobody reads or writes the memory here. */
typedef struct parl_arena_source {
  /* At least *bytes, which become as many as there are; or NULL, after parl_fail. */
  void *(*alloc)(size_t *bytes);
  void (*free)(void *memory, size_t bytes);
  size_t alignment; /* of blocks and pieces, bytes; a power of 2 */
} parl_arena_source;

/* The host's memory, aligned to 64. A block that fills huge pages asks for them. */
void *parl_arena_host_alloc(size_t *bytes);
void parl_arena_host_free(void *memory, size_t bytes);

typedef struct parl_arena {
  const parl_arena_source *source; /* borrowed; NULL: the host */
  parl_arena_block *first;         /* owned chain of blocks */
  parl_arena_block *current;       /* block that serves the next piece */
  size_t block_bytes;              /* size of the first block, bytes */
  size_t n_blocks;                 /* blocks ever allocated; constant in a steady state */
} parl_arena;

typedef struct parl_arena_mark {
  parl_arena_block *block;
  size_t used_bytes;
} parl_arena_mark;

/* Makes an empty arena whose first block holds at least `block_bytes` (0 means 64 KiB). Allocates
 * nothing. */
void parl_arena_init(parl_arena *arena, size_t block_bytes);
/* The same with blocks of a source, borrowed. */
void parl_arena_init_from(parl_arena *arena, size_t block_bytes, const parl_arena_source *source);

/* Hands out n_elements * element_bytes bytes, aligned to 64 or as the source says, contents
 * unspecified; owned by the
 * arena. Fails: ENOMEM on overflow of the product or when the system has no memory; *out is
 * untouched. */
parl_status parl_arena_take(parl_arena *arena, size_t n_elements, size_t element_bytes, void **out);

/* Remembers the present fill; rewind gives back everything taken since. Marks nest. */
parl_arena_mark parl_arena_get_mark(const parl_arena *arena);
void parl_arena_rewind(parl_arena *arena, parl_arena_mark mark);

/* Bytes of all pieces, each rounded up to the alignment. */
size_t parl_arena_get_used(const parl_arena *arena);

/* Gives back every piece, keeps the blocks. */
void parl_arena_reset(parl_arena *arena);

/* Frees the blocks. Safe on a zeroed arena. */
void parl_arena_deinit(parl_arena *arena);

/* Typed take: float *x; PARL_TRY(PARL_ARENA_TAKE(arena, n, &x)); */
#define PARL_ARENA_TAKE(arena, n, out) parl_arena_take((arena), (n), sizeof **(out), (void **)(out))

#endif
