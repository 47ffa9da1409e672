/* kernels/emu/grid.cc - the threads of a grid, block after block: who runs next, who waits for
 * whom, and what may not be.
 *
 * A thread runs until it waits: at a collective of its warp, which all 32 lanes must reach, or at
 * the barrier, which all threads of the block must. Whoever has left reaches nothing any more. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/emu/emu_internal.h"

enum { READY, AT_COLLECTIVE, AT_BARRIER, LEFT };
enum { WARP = PARL_EMU_WARP, MOST_WARPS = PARL_EMU_MOST_THREADS / WARP };

struct thread_state {
  parl_emu_fiber fiber;
  uint3 index;
  int state, line;
  parl_emu_collective kind;
  uint64_t value, result;
  int argument;
};

struct grid_state {
  const parl_emu_launch_args *launch;
  parl_emu_place place;
  parl_emu_home home;
  thread_state *threads; /* [n_threads] */
  int n_threads, now;    /* now: who runs; -1: nobody */
  unsigned block, epoch; /* barriers so far */
  unsigned warp_epochs[MOST_WARPS];
  char *shared;
  parl_emu_order order;
  uint64_t random;
  char *error;
  size_t n_error;
};

/* A signal-free way from a thread of a kernel to its grid. */
static thread_local grid_state *running;

static uint64_t draw(grid_state *g) {
  g->random ^= g->random << 13, g->random ^= g->random >> 7, g->random ^= g->random << 17;
  return g->random;
}

/* The i-th of n in the order of the day. key: of this pass. */
static int pick(const grid_state *g, int i, int n, uint64_t key) {
  if (g->order == PARL_EMU_FORWARD) return i;
  if (g->order == PARL_EMU_REVERSE) return n - 1 - i;
  static const int steps[] = {1, 3, 5, 7, 9, 11, 13, 15};
  const bool is_power = (n & (n - 1)) == 0;
  const int step = is_power ? steps[key % 8] : key % 2 ? 1 : n - 1;
  return (int)(((uint64_t)i * (unsigned)step + (key >> 8) % (unsigned)n) % (unsigned)n);
}

/* ------------------------------------------------------------------- what a thread calls */

extern "C" PARL_EMU_UNCHECKED const parl_emu_place *parl_emu_place_now(void) {
  return &running->place;
}
extern "C" PARL_EMU_UNCHECKED void *parl_emu_shared(void) {
  return running->shared;
}

static void entry(void) {
  grid_state *g = running;
  parl_emu_arrived(&g->home);
  g->launch->run(g->launch->call);
  thread_state *t = &running->threads[running->now];
  t->state = LEFT;
  parl_emu_leave(&running->home, &t->fiber, true);
}

PARL_EMU_UNCHECKED static void wait_at(int state, int line) {
  grid_state *g = running;
  thread_state *t = &g->threads[g->now];
  t->state = state;
  t->line = line;
  parl_emu_leave(&g->home, &t->fiber, false);
}

void parl_emu_wrong(const char *format, ...) {
  grid_state *g = running;
  if (g == NULL || g->error[0] != '\0') return;
  char what[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  snprintf(g->error, g->n_error, "kernel %s, block %u: %s", g->launch->name, g->block, what);
}

extern "C" PARL_EMU_UNCHECKED uint64_t parl_emu_collect(parl_emu_collective kind, int line,
                                                        unsigned mask, uint64_t value,
                                                        int argument) {
  grid_state *g = running;
  thread_state *t = &g->threads[g->now];
  if (mask != 0xffffffffu)
    parl_emu_wrong("thread %d, line %d: mask %08x is not all lanes", g->now, line, mask);
  t->kind = kind;
  t->value = value;
  t->argument = argument;
  wait_at(AT_COLLECTIVE, line);
  return t->result;
}

extern "C" PARL_EMU_UNCHECKED void parl_emu_barrier(int line) {
  wait_at(AT_BARRIER, line);
}

/* ---------------------------------------------------------------------- a warp's collectives */

static float bf16_half(uint32_t pair, int half) {
  return __uint_as_float(half ? pair & 0xffff0000u : pair << 16);
}

/* d [16,8] += a [16,16] b [16,8]. Lane 4 g + t holds a[g + 8 i, 2 t + 8 j + {0, 1}] in its register
 * i + 2 j, b[2 t + 8 j + {0, 1}, g] in j, and d[g + 8 i, 2 t + {0, 1}] in 2 i + {0, 1}.
 * Source: PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type". */
static void multiply(thread_state *lanes) {
  const parl_emu_fragments *parts[WARP];
  for (int l = 0; l < WARP; l++) parts[l] = (const parl_emu_fragments *)(uintptr_t)lanes[l].value;
  float a[16][16], b[16][8];
  for (int l = 0; l < WARP; l++)
    for (int j = 0; j < 2; j++)
      for (int half = 0; half < 2; half++) {
        const int k = 2 * (l % 4) + 8 * j + half;
        for (int i = 0; i < 2; i++) a[l / 4 + 8 * i][k] = bf16_half(parts[l]->a[i + 2 * j], half);
        b[k][l / 4] = bf16_half(parts[l]->b[j], half);
      }
  for (int l = 0; l < WARP; l++)
    for (int i = 0; i < 4; i++) {
      float sum = parts[l]->d[i];
      for (int k = 0; k < 16; k++) sum += a[l / 4 + 8 * (i / 2)][k] * b[k][2 * (l % 4) + i % 2];
      parts[l]->d[i] = sum;
    }
}

static uint64_t shuffled(const thread_state *lanes, int lane) {
  const thread_state *t = &lanes[lane];
  int from = lane;
  if (t->kind == PARL_EMU_INDEX) from = t->argument & (WARP - 1);
  if (t->kind == PARL_EMU_XOR) from = (lane ^ t->argument) & (WARP - 1);
  if (t->kind == PARL_EMU_UP && lane >= t->argument) from = lane - t->argument;
  return lanes[from].value;
}

static void complete(grid_state *g, int warp) {
  thread_state *lanes = &g->threads[warp * WARP];
  for (int l = 1; l < WARP; l++)
    if (lanes[l].kind != lanes[0].kind || lanes[l].line != lanes[0].line) {
      parl_emu_wrong("warp %d: lanes 0 and %d wait at lines %d and %d for each other", warp, l,
                     lanes[0].line, lanes[l].line);
      return;
    }
  uint64_t votes = 0;
  for (int l = 0; l < WARP; l++) votes |= (lanes[l].value & 1) << l;
  if (lanes[0].kind == PARL_EMU_MMA) multiply(lanes);
  if (lanes[0].kind == PARL_EMU_SYNCWARP) g->warp_epochs[warp]++;
  for (int l = 0; l < WARP; l++) {
    lanes[l].result = lanes[0].kind == PARL_EMU_BALLOT ? votes : shuffled(lanes, l);
    lanes[l].state = READY;
  }
}

/* ------------------------------------------------------------------------------ scheduling */

static int count(const grid_state *g, int first, int n, int state) {
  int found = 0;
  for (int i = first; i < first + n; i++) found += g->threads[i].state == state;
  return found;
}

/* Lets every lane that can go as far as it can; true if the warp can go on at once. */
static bool step_warp(grid_state *g, int warp) {
  const uint64_t key = g->order == PARL_EMU_RANDOM ? draw(g) : 0;
  bool is_moved = false;
  for (int i = 0; i < WARP && g->error[0] == '\0'; i++) {
    const int which = warp * WARP + pick(g, i, WARP, key);
    thread_state *t = &g->threads[which];
    if (t->state != READY) continue;
    g->now = which;
    g->place.thread = t->index;
    parl_emu_enter(&g->home, &t->fiber, entry);
    g->now = -1;
    is_moved = true;
  }
  if (g->error[0] != '\0' || !is_moved) return false;
  const int waiting = count(g, warp * WARP, WARP, AT_COLLECTIVE);
  if (waiting == 0) return false;
  if (waiting == WARP) {
    complete(g, warp);
    return true;
  }
  const int missing = count(g, warp * WARP, WARP, LEFT);
  int line = 0;
  for (int l = 0; l < WARP; l++)
    if (g->threads[warp * WARP + l].state == AT_COLLECTIVE) line = g->threads[warp * WARP + l].line;
  parl_emu_wrong("warp %d, line %d: %d lanes wait for all 32; %d have left, %d are at a barrier",
                 warp, line, waiting, missing, WARP - waiting - missing);
  return false;
}

/* Lets all warps go until each has left or waits at the barrier. */
static void run_to_barrier(grid_state *g) {
  const int n_warps = g->n_threads / WARP;
  for (bool is_moved = true; is_moved && g->error[0] == '\0';) {
    const uint64_t key = g->order == PARL_EMU_RANDOM ? draw(g) : 0;
    is_moved = false;
    for (int i = 0; i < n_warps; i++) {
      const int warp = pick(g, i, n_warps, key);
      if (g->order == PARL_EMU_RANDOM)
        is_moved |= step_warp(g, warp); /* warps overtake each other */
      else
        while (step_warp(g, warp))
          ;
    }
  }
}

/* All that have not left pass, if nobody has. */
static void pass_barrier(grid_state *g) {
  const int waiting = count(g, 0, g->n_threads, AT_BARRIER);
  if (waiting < g->n_threads)
    parl_emu_wrong("%d of %d threads wait at __syncthreads, the others have left", waiting,
                   g->n_threads);
  for (int i = 0; i < g->n_threads; i++) {
    if (g->threads[i].line != g->threads[0].line)
      parl_emu_wrong("threads 0 and %d wait at different __syncthreads, lines %d and %d", i,
                     g->threads[0].line, g->threads[i].line);
    g->threads[i].state = READY;
  }
  g->epoch++;
}

static void run_block(grid_state *g, unsigned block) {
  const dim3 grid = g->launch->grid, size = g->launch->block;
  g->block = block;
  g->place.block = {block % grid.x, block / grid.x % grid.y, block / grid.x / grid.y};
  g->epoch = 0;
  memset(g->warp_epochs, 0, sizeof g->warp_epochs);
  if (g->shared != NULL) memset(g->shared, 0xff, g->launch->shared); /* NaN, as floats */
  for (int i = 0; i < g->n_threads; i++) {
    thread_state *t = &g->threads[i];
    const unsigned at = (unsigned)i;
    t->state = READY;
    t->fiber.at = NULL;
    t->index = {at % size.x, at / size.x % size.y, at / size.x / size.y};
  }
  for (;;) {
    run_to_barrier(g);
    if (g->error[0] != '\0' || count(g, 0, g->n_threads, LEFT) == g->n_threads) break;
    pass_barrier(g);
  }
  for (int i = 0; i < g->n_threads; i++)
    if (g->threads[i].state != LEFT || g->error[0] != '\0') parl_emu_forget(&g->threads[i].fiber);
}

/* n blocks, each once: from the front, from the back, or from a place by steps that miss none. */
static void run_blocks(grid_state *g, unsigned n) {
  uint64_t step = 1, at = 0;
  if (g->order == PARL_EMU_RANDOM) {
    at = draw(g) % n;
    for (step = draw(g) % n | 1; step > 1; step--) { /* no common divisor with n */
      uint64_t x = step, y = n;
      while (y != 0) {
        const uint64_t rest = x % y;
        x = y, y = rest;
      }
      if (x == 1) break;
    }
  }
  for (unsigned i = 0; i < n && g->error[0] == '\0'; i++) {
    run_block(g, (unsigned)(g->order == PARL_EMU_REVERSE ? n - 1 - i : at));
    at = (at + step) % n;
  }
}

bool parl_emu_run_grid(const parl_emu_launch_args *launch, char *stacks[], char *error, size_t n) {
  grid_state g = {};
  g.launch = launch;
  g.place.block_dim = launch->block;
  g.place.grid_dim = launch->grid;
  g.n_threads = (int)(launch->block.x * launch->block.y * launch->block.z);
  g.now = -1;
  g.order = parl_emu_get_order(&g.random);
  g.error = error;
  g.n_error = n;
  g.threads = (thread_state *)calloc((size_t)g.n_threads, sizeof *g.threads);
  if (launch->shared > 0) g.shared = (char *)malloc(launch->shared);
  bool has_memory = g.threads != NULL && (launch->shared == 0 || g.shared != NULL);
  for (int i = 0; i < g.n_threads && has_memory; i++) {
    if (stacks[i] == NULL) stacks[i] = (char *)aligned_alloc(4096, PARL_EMU_STACK_BYTES);
    g.threads[i].fiber.stack = stacks[i];
    has_memory = stacks[i] != NULL;
  }
  error[0] = '\0';
  if (has_memory) {
    running = &g;
    parl_emu_races_begin();
    run_blocks(&g, launch->grid.x * launch->grid.y * launch->grid.z);
    parl_emu_races_end();
    running = NULL;
  } else {
    snprintf(error, n, "kernel %s: the host has no memory to run it", launch->name);
  }
  free(g.threads);
  free(g.shared);
  return error[0] == '\0';
}

/* Of the thread that runs; false where none does. */
PARL_EMU_UNCHECKED bool parl_emu_get_toucher(parl_emu_toucher *out) {
  grid_state *g = running;
  if (g == NULL || g->now < 0) return false;
  *out = {g->now,    g->block,         g->epoch, g->warp_epochs, g->threads[g->now].fiber.stack,
          g->shared, g->launch->shared};
  return true;
}
