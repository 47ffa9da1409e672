/* kernels/far/memory.c - addresses without rights, what is kept for them, and who touched one. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define HAS_BACKTRACE
#endif

#include "kernels/far/far_internal.h"

enum { MAX_BLOCKS = 4096, PAGE = 4096, POISON = 0xff /* NaN, as floats */ };

typedef struct block {
  char *address; /* of the device; NULL: free */
  char *kept;    /* owned, [bytes] */
  size_t bytes;
} block;

/* Of the process: a handler of a signal has no other way to them. */
static block blocks[MAX_BLOCKS];
static size_t n_blocks; /* the largest ever in use */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static _Thread_local const char *last_op;

void parl_far_remember(const char *where) {
  last_op = where;
}

static const block *find(const void *address) {
  const char *x = address;
  for (size_t i = 0; i < n_blocks; i++)
    if (blocks[i].address != NULL && x >= blocks[i].address &&
        x < blocks[i].address + blocks[i].bytes)
      return &blocks[i];
  return NULL;
}

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

/* Says what happened, then lets it happen. */
static void on_fault(int number, siginfo_t *info, void *context) {
  (void)context;
  if (find(info->si_addr) == NULL) {
    sigaction(number, &before, NULL);
    return;
  }
  say("far: the host touched memory of the device; its last op was at ");
  say(last_op != NULL ? last_op : "no line yet");
  say("; callers:\n");
#ifdef HAS_BACKTRACE
  void *stack[24];
  backtrace_symbols_fd(stack, backtrace(stack, 24), STDERR_FILENO);
#endif
  signal(number, SIG_DFL);
}

/* Again and again, since others may have taken the signal over in the meantime. */
static void watch(void) {
  struct sigaction now;
  sigaction(SIGSEGV, NULL, &now);
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault) return;
#ifdef HAS_BACKTRACE
  void *stack[1];
  (void)backtrace(stack, 1); /* its first call may allocate */
#endif
  before = now;
  now = (struct sigaction){.sa_flags = SA_SIGINFO};
  now.sa_sigaction = on_fault;
  sigaction(SIGSEGV, &now, NULL);
}

static bool add_block(block b) {
  size_t i = 0;
  while (i < MAX_BLOCKS && blocks[i].address != NULL) i++;
  if (i == MAX_BLOCKS) return false;
  blocks[i] = b;
  if (i == n_blocks) n_blocks++;
  return true;
}

static void *fail_block(size_t bytes) {
  parl_fail(PARL_STATUS_ENOMEM, "far: no block of %zu bytes", bytes);
  return NULL;
}

void *parl_far_alloc(size_t *bytes) {
  *bytes = (*bytes + PAGE - 1) / PAGE * PAGE;
  block b = {.kept = aligned_alloc(PAGE, *bytes), .bytes = *bytes};
  if (b.kept == NULL) return fail_block(*bytes);
  memset(b.kept, POISON, *bytes);
  void *address = mmap(NULL, *bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  b.address = address == MAP_FAILED ? NULL : address;
  pthread_mutex_lock(&lock);
  const bool is_added = b.address != NULL && add_block(b);
  watch();
  pthread_mutex_unlock(&lock);
  if (is_added) return address;
  if (b.address != NULL) munmap(b.address, b.bytes);
  free(b.kept);
  return fail_block(*bytes);
}

void parl_far_free(void *address, size_t bytes) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < n_blocks; i++)
    if (blocks[i].address == address) {
      free(blocks[i].kept);
      blocks[i] = (block){0};
    }
  munmap(address, bytes);
  pthread_mutex_unlock(&lock);
}

void *parl_far_find(const void *address, size_t bytes) {
  void *kept = NULL;
  pthread_mutex_lock(&lock);
  const block *b = find(address);
  if (b != NULL) {
    const size_t at = (size_t)((const char *)address - b->address);
    if (bytes <= b->bytes - at) kept = b->kept + at;
  }
  pthread_mutex_unlock(&lock);
  return kept;
}
