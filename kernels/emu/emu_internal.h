/* kernels/emu/emu_internal.h - the parts of the emulator for each other.
 *
 * Reading order: fibers, a grid that runs, the watch for races, what the process keeps. */
#ifndef PARL_KERNELS_EMU_EMU_INTERNAL_H
#define PARL_KERNELS_EMU_EMU_INTERNAL_H
#include <cuda_runtime.h>
#include <pthread.h>

#include "kernels/emu/emu.h"

enum { PARL_EMU_WARP = 32, PARL_EMU_MOST_THREADS = 1024, PARL_EMU_MOST_SHARED = 48 << 10 };
#define PARL_EMU_UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

/* Holds a lock for as long as it lives. */
struct parl_emu_guard {
  explicit parl_emu_guard(pthread_mutex_t *mutex) : lock(mutex) {
    pthread_mutex_lock(lock);
  }
  ~parl_emu_guard() {
    pthread_mutex_unlock(lock);
  }
  parl_emu_guard(const parl_emu_guard &) = delete;
  parl_emu_guard &operator=(const parl_emu_guard &) = delete;
  pthread_mutex_t *const lock;
};

/* ---------------------------------------------------------------------------------- fibers */
enum { PARL_EMU_STACK_BYTES = 64 << 10 };
struct parl_emu_fiber {
  void *at; /* where it goes on; NULL: not begun */
  char *stack;
};
/* Where the scheduler itself is while a fiber runs. */
struct parl_emu_home {
  void *at;
  const void *stack; /* for the address sanitizer */
  size_t stack_bytes;
};
/* From the scheduler into a fiber, which begins by calling entry(), and back. */
void parl_emu_enter(parl_emu_home *home, parl_emu_fiber *fiber, void (*entry)(void));
void parl_emu_leave(parl_emu_home *home, parl_emu_fiber *fiber, bool is_done);
/* To be called first in entry(). */
void parl_emu_arrived(parl_emu_home *home);
/* A stack that is given up in the middle. */
void parl_emu_forget(parl_emu_fiber *fiber);

/* -------------------------------------------------------------------------- a grid that runs */
struct parl_emu_launch_args {
  const char *name;
  dim3 grid, block;
  size_t shared;
  void (*run)(const void *call);
  const void *call;
};
/* Runs it to the end. stacks [MOST_THREADS]: owned by the stream, made as needed. error [n]: ""
 * or the first thing wrong. False if there is one. */
bool parl_emu_run_grid(const parl_emu_launch_args *launch, char *stacks[], char *error, size_t n);
/* From within a thread of the grid; returns only where nothing runs. */
void parl_emu_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ------------------------------------------------------------------------------------- races */
/* Who touches memory: since when nobody else of the block, of the warp could. */
struct parl_emu_toucher {
  int thread;
  unsigned block, epoch, *warp_epochs;
  const char *stack, *shared;
  size_t shared_bytes;
};
/* Of the thread that runs; false where none does. */
bool parl_emu_get_toucher(parl_emu_toucher *out);
void parl_emu_races_begin(void);
void parl_emu_races_end(void);

/* --------------------------------------------------------------------- what the process keeps */
parl_emu_order parl_emu_get_order(uint64_t *seed);
void parl_emu_count_launch(void);
/* Whether so many bytes there are memory of the device; whether a stream lives. */
extern "C" bool parl_emu_is_device(const void *address, size_t bytes);
extern "C" bool parl_emu_is_stream(cudaStream_t stream);
/* Which block of memory, the device's or pinned, has so many bytes there: a number that no other
 * block has had; 0: none. */
uint64_t parl_emu_find_block(const void *address, size_t bytes, bool *is_pinned);
/* Whether this thread may do `what`, which waits for the stream, or NULL for anything: not while it
 * captures, which that spoils. */
bool parl_emu_may_wait(cudaStream_t stream, const char *what);
/* The calling thread's last error. Returns `error`. */
cudaError_t parl_emu_fail(cudaError_t error, const char *text);
/* Copies call [bytes] to the stream, which runs it when it comes to it; what that returns is wrong
 * with it, NULL for nothing. False: the host has no memory. */
extern "C" bool parl_emu_queue_library(cudaStream_t stream, const char *(*run)(const void *call),
                                       const void *call, size_t bytes);

#endif
