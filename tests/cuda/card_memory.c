/* tests/cuda/card_memory.c - see card_memory.h: a block of the device's shared memory. Pieces are
 * given away one behind the other; when none is left in use it begins anew. */
#define CARD_MEMORY_ITSELF
#include "tests/cuda/card_memory.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cuda/cuda.h"

enum { NO_CARD = 77 };
static const size_t BLOCK_BYTES = (size_t)256 << 20, STACK_BYTES = (size_t)8 << 20;

static struct block {
  unsigned char *begin;
  size_t bytes, used, n_live;
} block;

void *card_alloc(size_t alignment, size_t n, size_t bytes) {
  size_t whole = 0;
  if (__builtin_mul_overflow(n, bytes, &whole)) return NULL;
  const size_t at = (block.used + alignment - 1) / alignment * alignment;
  if (block.bytes - at < whole) {
    fprintf(stderr, "card_alloc: %zu bytes asked, %zu left\n", whole, block.bytes - at);
    return NULL;
  }
  block.used = at + whole;
  block.n_live++;
  return memset(block.begin + at, 0, whole);
}

void card_free(void *memory) {
  if (memory == NULL) return;
  if (!card_sees(memory)) {
    free(memory);
    return;
  }
  if (--block.n_live == 0) block.used = STACK_BYTES;
}

bool card_sees(const void *memory) {
  const unsigned char *at = memory;
  return at >= block.begin && at < block.begin + block.bytes;
}

static void *run(void *code) {
  *(int *)code = card_run_tests();
  return NULL;
}

int main(void) {
  const parl_backend *backend;
  pthread_attr_t attributes;
  pthread_t thread;
  int code = 1;
  if (parl_backend_cuda("f32", PARL_CUDA_OWN, &backend) != PARL_STATUS_OK) {
    printf("no card: %s\n", parl_error_text());
    return NO_CARD;
  }
  block.bytes = BLOCK_BYTES;
  block.begin = backend->device()->shared.alloc(&block.bytes);
  block.used = STACK_BYTES;
  if (block.begin == NULL || pthread_attr_init(&attributes) != 0 ||
      pthread_attr_setstack(&attributes, block.begin, STACK_BYTES) != 0 ||
      pthread_create(&thread, &attributes, run, &code) != 0 || pthread_join(thread, NULL) != 0) {
    fprintf(stderr, "no memory that the card and the host share: %s\n", parl_error_text());
    return 1;
  }
  return code;
}
