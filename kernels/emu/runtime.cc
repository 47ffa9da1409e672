/* kernels/emu/runtime.cc - memory of the device, which is poisoned; what a process has one of. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/emu/emu_internal.h"

enum { MOST_BLOCKS = 8192, ALIGNMENT = 256, POISON = 0xff };

struct block {
  char *address; /* NULL: free */
  size_t bytes;
  uint64_t serial; /* no other has had it */
  bool is_pinned;
};

/* The process has one device, as a machine has. */
static struct device_state {
  pthread_mutex_t lock;
  block blocks[MOST_BLOCKS];
  size_t n_live, n_launches, failing, used, total;
  uint64_t serial;
  parl_emu_order order;
  uint64_t seed;
  int has_driver, n_cards;
} device = {PTHREAD_MUTEX_INITIALIZER, {}, 0, 0, 0, 0, (size_t)1 << 36, 0,
            PARL_EMU_FORWARD,          1,  1, 1};

/* As in CUDA, of the calling thread. */
static thread_local cudaError_t last_error;
static thread_local char last_text[512];

cudaError_t parl_emu_fail(cudaError_t error, const char *text) {
  last_error = error;
  snprintf(last_text, sizeof last_text, "%s", text);
  return error;
}

/* ------------------------------------------------------------------------- what tests ask */
extern "C" {
void parl_emu_set_order(parl_emu_order order, uint64_t seed) {
  const parl_emu_guard held(&device.lock);
  device.order = order;
  device.seed = seed;
}
void parl_emu_fail_allocation(size_t which) {
  const parl_emu_guard held(&device.lock);
  device.failing = which;
}
void parl_emu_set_memory(size_t bytes) {
  const parl_emu_guard held(&device.lock);
  device.total = bytes;
}
void parl_emu_set_cards(int has_driver, int n) {
  const parl_emu_guard held(&device.lock);
  device.has_driver = has_driver;
  device.n_cards = n;
}
size_t parl_emu_count_allocations(void) {
  const parl_emu_guard held(&device.lock);
  return device.n_live;
}
size_t parl_emu_count_launches(void) {
  const parl_emu_guard held(&device.lock);
  return device.n_launches;
}
bool parl_emu_is_device(const void *address, size_t bytes) {
  bool is_pinned = false;
  return parl_emu_find_block(address, bytes, &is_pinned) != 0 && !is_pinned;
}
}

uint64_t parl_emu_find_block(const void *address, size_t bytes, bool *is_pinned) {
  const parl_emu_guard held(&device.lock);
  const char *at = (const char *)address;
  for (const block &b : device.blocks)
    if (b.address != NULL && at >= b.address && at < b.address + b.bytes) {
      *is_pinned = b.is_pinned;
      return bytes <= b.bytes - (size_t)(at - b.address) ? b.serial : 0;
    }
  return 0;
}

parl_emu_order parl_emu_get_order(uint64_t *seed) {
  const parl_emu_guard held(&device.lock);
  *seed = (device.seed + device.n_launches) * 0x9e3779b97f4a7c15u | 1;
  return device.order;
}
void parl_emu_count_launch(void) {
  const parl_emu_guard held(&device.lock);
  device.n_launches++;
}

/* ---------------------------------------------------------------------------------- memory */

static cudaError_t allocate(void **out, size_t bytes, bool is_pinned) {
  if (!parl_emu_may_wait(NULL, "an allocation")) return cudaErrorStreamCaptureUnsupported;
  const parl_emu_guard held(&device.lock);
  size_t at = 0;
  if (device.failing > 0 && --device.failing == 0)
    return parl_emu_fail(cudaErrorMemoryAllocation, "out of memory (as asked)");
  if (!is_pinned && bytes > device.total - device.used)
    return parl_emu_fail(cudaErrorMemoryAllocation, "out of memory");
  while (at < MOST_BLOCKS && device.blocks[at].address != NULL) at++;
  void *memory = NULL;
  if (at == MOST_BLOCKS || posix_memalign(&memory, ALIGNMENT, bytes > 0 ? bytes : 1) != 0)
    return parl_emu_fail(cudaErrorMemoryAllocation, "out of memory of the host");
  memset(memory, POISON, bytes);
  device.blocks[at] = {(char *)memory, bytes, ++device.serial, is_pinned};
  device.n_live++;
  device.used += is_pinned ? 0 : bytes;
  *out = memory;
  return cudaSuccess;
}

static cudaError_t release(void *memory, bool is_pinned) {
  if (!parl_emu_may_wait(NULL, "a free")) return cudaErrorStreamCaptureUnsupported;
  const parl_emu_guard held(&device.lock);
  if (memory == NULL) return cudaSuccess;
  for (block &b : device.blocks)
    if (b.address == memory && b.is_pinned == is_pinned) {
      device.n_live--;
      device.used -= is_pinned ? 0 : b.bytes;
      b.address = NULL;
      free(memory);
      return cudaSuccess;
    }
  return parl_emu_fail(cudaErrorInvalidValue, "freed what was not allocated");
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
  const parl_emu_guard held(&device.lock);
  *free = device.total - device.used;
  *total = device.total;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *n) {
  const parl_emu_guard held(&device.lock);
  if (!device.has_driver)
    return parl_emu_fail(cudaErrorInsufficientDriver, "CUDA driver version is insufficient");
  *n = device.n_cards;
  return *n > 0 ? cudaSuccess
                : parl_emu_fail(cudaErrorNoDevice, "no CUDA-capable device is detected");
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
