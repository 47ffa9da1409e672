/* kernels/emu/races.cc - two threads at one place of memory, one of them writing, and nothing
 * between them that orders it.
 *
 * Kernels compiled with -fsanitize=thread, but linked without its library, call what is below for
 * each access. No lucky schedule is needed: what orders two threads of a block is a barrier, of a
 * warp __syncwarp too, and of two blocks nothing within a launch. */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/emu/emu_internal.h"

enum { WARP = PARL_EMU_WARP, UNIT = 2 /* bytes of a cell: of the narrowest number */ };

struct access_mark {
  int thread; /* -1: none yet */
  unsigned block, epoch, warp_epoch;
};
struct cell {
  uintptr_t key; /* address / UNIT; 0: free */
  access_mark write, read;
  bool has_more_lanes, has_more_warps, has_more_blocks; /* that read since the last write */
};

/* An open hash table, of the thread whose grid runs. */
static thread_local cell *cells;
static thread_local size_t n_cells, n_used;

void parl_emu_races_begin(void) {
  cells = NULL;
  n_cells = n_used = 0;
}
void parl_emu_races_end(void) {
  free(cells);
  cells = NULL;
}

static cell *find(cell *table, size_t n, uintptr_t key) {
  size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (n - 1);
  while (table[at].key != 0 && table[at].key != key) at = (at + 1) & (n - 1);
  return &table[at];
}

static bool grow(void) {
  const size_t n = n_cells > 0 ? 4 * n_cells : 1 << 12;
  cell *larger = (cell *)calloc(n, sizeof *larger);
  if (larger == NULL) return false;
  for (size_t i = 0; i < n_cells; i++)
    if (cells[i].key != 0) *find(larger, n, cells[i].key) = cells[i];
  free(cells);
  cells = larger;
  n_cells = n;
  return true;
}

static cell *take(uintptr_t key) {
  if (2 * n_used >= n_cells && !grow()) return NULL;
  cell *c = find(cells, n_cells, key);
  if (c->key == 0) {
    *c = {key, {-1, 0, 0, 0}, {-1, 0, 0, 0}, false, false, false};
    n_used++;
  }
  return c;
}

/* Whether `before` is over for whoever touches now. */
static bool is_ordered(const access_mark *before, const parl_emu_toucher *now) {
  if (before->thread < 0) return true;
  if (before->block != now->block) return false;
  if (before->thread == now->thread || before->epoch < now->epoch) return true;
  return before->thread / WARP == now->thread / WARP &&
         before->warp_epoch < now->warp_epochs[now->thread / WARP];
}

/* Whether it was by the same warp, which no __syncwarp has ordered since. */
static bool is_beside(const access_mark *before, const parl_emu_toucher *now) {
  const int warp = now->thread / WARP;
  return before->thread >= 0 && before->block == now->block && before->thread / WARP == warp &&
         before->epoch == now->epoch && before->warp_epoch == now->warp_epochs[warp];
}

static void say(const char *kind, const access_mark *before, const parl_emu_toucher *now,
                bool is_shared, const void *caller) {
  extern char __executable_start;
  parl_emu_wrong("race, %s %s: thread %d of block %u, then thread %d; at +0x%zx of the program",
                 kind, is_shared ? "shared" : "global", before->thread, before->block, now->thread,
                 (size_t)((const char *)caller - &__executable_start));
}

static void check(cell *c, const parl_emu_toucher *now, bool is_write, bool is_shared,
                  const void *caller) {
  const access_mark mark = {now->thread, now->block, now->epoch,
                            now->warp_epochs[now->thread / WARP]};
  if (is_shared && c->write.block != now->block) c->write.thread = -1; /* a block has its own */
  if (is_shared && c->read.block != now->block) {
    c->read.thread = -1;
    c->has_more_lanes = c->has_more_warps = c->has_more_blocks = false;
  }
  if (!is_ordered(&c->write, now))
    say(is_write ? "write after write" : "read after write", &c->write, now, is_shared, caller);
  if (is_write) {
    const bool is_read_beside = c->has_more_blocks ||
                                (c->has_more_warps && c->read.epoch == now->epoch) ||
                                (c->has_more_lanes && is_beside(&c->read, now));
    if (c->read.thread >= 0 && (is_read_beside || !is_ordered(&c->read, now)))
      say("write after read", &c->read, now, is_shared, caller);
    c->write = mark;
    c->read.thread = -1;
    c->has_more_lanes = c->has_more_warps = c->has_more_blocks = false;
    return;
  }
  if (c->read.thread >= 0 && c->read.block != now->block) c->has_more_blocks = true;
  if (c->read.epoch != now->epoch) c->has_more_warps = false;
  if (c->read.thread >= 0 && c->read.epoch == now->epoch &&
      c->read.thread / WARP != now->thread / WARP)
    c->has_more_warps = true;
  c->has_more_lanes =
      is_beside(&c->read, now) && (c->has_more_lanes || c->read.thread != now->thread);
  c->read = mark;
}

static void touch(const void *address, size_t bytes, bool is_write, const void *caller) {
  parl_emu_toucher now;
  if (!parl_emu_get_toucher(&now)) return;
  const char *at = (const char *)address;
  if (at >= now.stack && at < now.stack + PARL_EMU_STACK_BYTES) return;
  const bool is_shared =
      now.shared != NULL && at >= now.shared && at < now.shared + now.shared_bytes;
  for (uintptr_t key = (uintptr_t)at / UNIT; key <= ((uintptr_t)at + bytes - 1) / UNIT; key++) {
    cell *c = take(key);
    if (c != NULL) check(c, &now, is_write, is_shared, caller);
  }
}

/* What the compiler calls; the names are its own. */
#define HOOK(name, bytes, is_write)                               \
  extern "C" void name(void *address);                            \
  void name(void *address) {                                      \
    touch(address, bytes, is_write, __builtin_return_address(0)); \
  }
#define HOOKS(n)                           \
  HOOK(__tsan_read##n, n, false)           \
  HOOK(__tsan_write##n, n, true)           \
  HOOK(__tsan_unaligned_read##n, n, false) \
  HOOK(__tsan_unaligned_write##n, n, true)
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
#define RANGE(name, is_write)                                                            \
  extern "C" void name(void *address, long bytes);                                       \
  void name(void *address, long bytes) {                                                 \
    if (bytes > 0) touch(address, (size_t)bytes, is_write, __builtin_return_address(0)); \
  }
RANGE(__tsan_read_range, false)
RANGE(__tsan_write_range, true)
#define NOTHING(name, ...)           \
  extern "C" void name(__VA_ARGS__); \
  void name(__VA_ARGS__) {}
NOTHING(__tsan_init, void)
NOTHING(__tsan_func_entry, void *)
NOTHING(__tsan_func_exit, void *)
/* The compiler turns copies of structs into these. */
extern "C" void *__tsan_memcpy(void *to, const void *from, size_t bytes);
void *__tsan_memcpy(void *to, const void *from, size_t bytes) {
  touch(from, bytes, false, __builtin_return_address(0));
  touch(to, bytes, true, __builtin_return_address(0));
  return memcpy(to, from, bytes);
}
extern "C" void *__tsan_memset(void *to, int byte, size_t bytes);
void *__tsan_memset(void *to, int byte, size_t bytes) {
  touch(to, bytes, true, __builtin_return_address(0));
  return memset(to, byte, bytes);
}
