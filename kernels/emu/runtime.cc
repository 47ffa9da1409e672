/* kernels/emu/runtime.cc - memory of the device and streams.
 *
 * A stream does nothing before it is waited for, so that a kernel's arguments, or pinned memory,
 * that are used again too early give wrong results here as on a card. Memory is poisoned. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/emu/emu_internal.h"

enum { MOST_BLOCKS = 8192, ALIGNMENT = 256, POISON = 0xff };

struct block {
  char *address; /* NULL: free */
  size_t bytes;
  bool is_pinned;
};

/* The process has one device, as a machine has. */
static struct device_state {
  pthread_mutex_t lock;
  block blocks[MOST_BLOCKS];
  size_t n_live, n_streams, n_launches, failing, used, total;
  parl_emu_order order;
  uint64_t seed;
  int has_driver, n_cards;
  cudaStream_t streams; /* a chain of those that live */
} device = {PTHREAD_MUTEX_INITIALIZER, {}, 0, 0, 0,   0, 0, (size_t)1 << 36,
            PARL_EMU_FORWARD,          1,  1, 1, NULL};

/* As in CUDA, of the calling thread. */
static thread_local cudaError_t last_error;
static thread_local char last_text[512];

struct guard {
  guard() {
    pthread_mutex_lock(&device.lock);
  }
  ~guard() {
    pthread_mutex_unlock(&device.lock);
  }
};

static cudaError_t fail(cudaError_t error, const char *text) {
  last_error = error;
  snprintf(last_text, sizeof last_text, "%s", text);
  return error;
}

/* ------------------------------------------------------------------------- what tests ask */
extern "C" {
void parl_emu_set_order(parl_emu_order order, uint64_t seed) {
  guard held;
  device.order = order;
  device.seed = seed;
}
void parl_emu_fail_allocation(size_t which) {
  guard held;
  device.failing = which;
}
void parl_emu_set_memory(size_t bytes) {
  guard held;
  device.total = bytes;
}
void parl_emu_set_cards(int has_driver, int n) {
  guard held;
  device.has_driver = has_driver;
  device.n_cards = n;
}
size_t parl_emu_count_allocations(void) {
  guard held;
  return device.n_live;
}
size_t parl_emu_count_streams(void) {
  guard held;
  return device.n_streams;
}
size_t parl_emu_count_launches(void) {
  guard held;
  return device.n_launches;
}
bool parl_emu_is_device(const void *address, size_t bytes) {
  guard held;
  const char *at = (const char *)address;
  for (const block &b : device.blocks)
    if (b.address != NULL && !b.is_pinned && at >= b.address && at < b.address + b.bytes)
      return bytes <= b.bytes - (size_t)(at - b.address);
  return false;
}
}

parl_emu_order parl_emu_get_order(uint64_t *seed) {
  guard held;
  *seed = (device.seed + device.n_launches) * 0x9e3779b97f4a7c15u | 1;
  return device.order;
}
void parl_emu_count_launch(void) {
  guard held;
  device.n_launches++;
}

/* ---------------------------------------------------------------------------------- memory */

static cudaError_t allocate(void **out, size_t bytes, bool is_pinned) {
  guard held;
  size_t at = 0;
  if (device.failing > 0 && --device.failing == 0)
    return fail(cudaErrorMemoryAllocation, "out of memory (as asked)");
  if (!is_pinned && bytes > device.total - device.used)
    return fail(cudaErrorMemoryAllocation, "out of memory");
  while (at < MOST_BLOCKS && device.blocks[at].address != NULL) at++;
  void *memory = NULL;
  if (at == MOST_BLOCKS || posix_memalign(&memory, ALIGNMENT, bytes > 0 ? bytes : 1) != 0)
    return fail(cudaErrorMemoryAllocation, "out of memory of the host");
  memset(memory, POISON, bytes);
  device.blocks[at] = {(char *)memory, bytes, is_pinned};
  device.n_live++;
  device.used += is_pinned ? 0 : bytes;
  *out = memory;
  return cudaSuccess;
}

static cudaError_t release(void *memory, bool is_pinned) {
  guard held;
  if (memory == NULL) return cudaSuccess;
  for (block &b : device.blocks)
    if (b.address == memory && b.is_pinned == is_pinned) {
      device.n_live--;
      device.used -= is_pinned ? 0 : b.bytes;
      b.address = NULL;
      free(memory);
      return cudaSuccess;
    }
  return fail(cudaErrorInvalidValue, "freed what was not allocated");
}

extern "C" {
cudaError_t cudaMalloc(void **out, size_t bytes) {
  return allocate(out, bytes, false);
}
cudaError_t cudaMallocManaged(void **out, size_t bytes, unsigned) {
  return allocate(out, bytes, false);
}
cudaError_t cudaFree(void *memory) {
  return release(memory, false);
}
cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned) {
  return allocate(out, bytes, true);
}
cudaError_t cudaFreeHost(void *memory) {
  return release(memory, true);
}
cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  guard held;
  *free = device.total - device.used;
  *total = device.total;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *n) {
  guard held;
  if (!device.has_driver)
    return fail(cudaErrorInsufficientDriver, "CUDA driver version is insufficient");
  *n = device.n_cards;
  return *n > 0 ? cudaSuccess : fail(cudaErrorNoDevice, "no CUDA-capable device is detected");
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
  memset(properties, 0, sizeof *properties);
  snprintf(properties->name, sizeof properties->name, "emulator");
  properties->major = 8;
  properties->multiProcessorCount = 1;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}
const char *cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : last_text;
}
}

/* --------------------------------------------------------------------------------- streams */

struct task {
  task *next;
  enum { LAUNCH, COPY, SET, LIBRARY } kind;
  parl_emu_launch_args launch; /* its call: behind this struct */
  const char *(*library)(const void *call);
  void *to;
  const void *from;
  int byte;
  size_t bytes;
};

struct parl_emu_stream {
  task *first, *last;
  char *stacks[PARL_EMU_MOST_THREADS];
  cudaStream_t next;
  cudaError_t error; /* the first one; nothing runs after it */
  char text[512];
};

/* NULL, and cudaGetLastError tells, if the host has no memory for it. */
static task *append(cudaStream_t stream, size_t more) {
  task *t = (task *)calloc(1, sizeof *t + more);
  if (t == NULL) {
    fail(cudaErrorMemoryAllocation, "out of memory of the host");
    return NULL;
  }
  (stream->last != NULL ? stream->last->next : stream->first) = t;
  stream->last = t;
  return t;
}

static void run_task(cudaStream_t stream, const task *t) {
  if (t->kind == task::COPY) memcpy(t->to, t->from, t->bytes);
  if (t->kind == task::SET) memset(t->to, t->byte, t->bytes);
  if (t->kind == task::LIBRARY) {
    const char *wrong = t->library(t + 1);
    if (wrong == NULL) return;
    snprintf(stream->text, sizeof stream->text, "%s", wrong);
    stream->error = cudaErrorLaunchFailure;
  }
  if (t->kind != task::LAUNCH) return;
  parl_emu_count_launch();
  if (!parl_emu_run_grid(&t->launch, stream->stacks, stream->text, sizeof stream->text))
    stream->error = cudaErrorLaunchFailure;
}

static void drain(cudaStream_t stream, bool runs) {
  for (task *t = stream->first; t != NULL;) {
    if (runs && stream->error == cudaSuccess) run_task(stream, t);
    task *next = t->next;
    free(t);
    t = next;
  }
  stream->first = stream->last = NULL;
}

extern "C" {
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned) {
  cudaStream_t stream = (cudaStream_t)calloc(1, sizeof *stream);
  if (stream == NULL) return fail(cudaErrorMemoryAllocation, "out of memory of the host");
  guard held;
  device.n_streams++;
  stream->next = device.streams;
  device.streams = stream;
  *out = stream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  drain(stream, false);
  for (char *stack : stream->stacks) free(stack);
  guard held;
  cudaStream_t *at = &device.streams;
  while (*at != stream) at = &(*at)->next;
  *at = stream->next;
  free(stream);
  device.n_streams--;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  drain(stream, true);
  if (stream->error != cudaSuccess) return fail(stream->error, stream->text);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const void *on_device = kind == cudaMemcpyHostToDevice ? to : from;
  if (!parl_emu_is_device(on_device, bytes))
    return fail(cudaErrorInvalidValue, "a copy leaves the memory of the device");
  task *t = append(stream, 0);
  if (t == NULL) return cudaErrorMemoryAllocation;
  t->kind = task::COPY;
  t->to = to, t->from = from, t->bytes = bytes;
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t stream) {
  if (!parl_emu_is_device(to, bytes))
    return fail(cudaErrorInvalidValue, "a fill leaves the memory of the device");
  task *t = append(stream, 0);
  if (t == NULL) return cudaErrorMemoryAllocation;
  t->kind = task::SET;
  t->to = to, t->byte = byte, t->bytes = bytes;
  return cudaSuccess;
}

bool parl_emu_is_stream(cudaStream_t stream) {
  guard held;
  for (const parl_emu_stream *s = device.streams; s != NULL; s = s->next)
    if (s == stream) return true;
  return false;
}
bool parl_emu_queue_library(cudaStream_t stream, const char *(*run)(const void *call),
                            const void *call, size_t bytes) {
  task *t = append(stream, bytes);
  if (t == NULL) return false;
  memcpy(t + 1, call, bytes);
  t->kind = task::LIBRARY;
  t->library = run;
  return true;
}

/* Limits: CUDA C++ Programming Guide, "Compute capabilities". */
void parl_emu_queue_launch(const char *name, dim3 grid, dim3 block, size_t shared,
                           cudaStream_t stream, void (*run)(const void *call), const void *call,
                           size_t bytes) {
  const uint64_t threads = (uint64_t)block.x * block.y * block.z;
  const bool is_grid = grid.x > 0 && grid.x < 0x80000000u && grid.y > 0 && grid.y < 0x10000 &&
                       grid.z > 0 && grid.z < 0x10000;
  if (!is_grid || threads == 0 || threads > PARL_EMU_MOST_THREADS || threads % PARL_EMU_WARP != 0 ||
      shared > PARL_EMU_MOST_SHARED) {
    char text[256];
    snprintf(text, sizeof text,
             "invalid configuration: grid %u x %u x %u, %llu threads, %zu bytes shared", grid.x,
             grid.y, grid.z, (unsigned long long)threads, shared);
    fail(cudaErrorInvalidConfiguration, text);
    return;
  }
  task *t = append(stream, bytes);
  if (t == NULL) return;
  memcpy(t + 1, call, bytes);
  t->kind = task::LAUNCH;
  t->launch = {name, grid, block, shared, run, t + 1};
}
}
