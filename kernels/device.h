/* kernels/device.h - where a backend's numbers lie, and the queue that its ops run in.
 *
 * Memory of a device is asked for, filled, copied to and from here; what lies in it is read and
 * written by ops only. A queue runs ops and copies one after the other, on a CPU at once. What one
 * queue wrote is there for another after parl_queue_wait.
 * Thread rule: one thread per queue; alloc and free from any.
 * Reading order: parl_queue, parl_device, parl_device_graphs, the calls, PARL_RUN. */
#ifndef PARL_KERNELS_DEVICE_H
#define PARL_KERNELS_DEVICE_H
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

struct parl_backend;

/* The head of every queue; a device adds what it needs: stream, handles, scratch, first error. */
typedef struct parl_queue {
  const struct parl_backend *backend;
  const char *where;   /* file:line of the last op */
  uint64_t n_launches; /* so far, of kernels and library products, graphs' too; 0 on a CPU */
} parl_queue;

/* What a queue was given once, to be run again as one piece. Its ops' arguments stay what they were
 * when it was recorded: what changes from run to run lies in memory that they read. */
typedef struct parl_graph parl_graph;

typedef struct parl_device_graphs {
  /* Memory of the host that ops reach, too: a graph copies from it what lies there as it runs. */
  parl_arena_source pinned;
  /* From here to `end` the queue runs nothing, but records ops, uploads from pinned memory, and
   * fills. They must have run on this queue before with these extents: nothing may be allocated
   * meanwhile, nor waited for. Fails: ESTATE. */
  parl_status (*begin)(parl_queue *queue);
  /* Fails: as what was recorded. */
  parl_status (*end)(parl_queue *queue, parl_graph **out);
  /* Queues it. False, and nothing is queued: what its ops used of the queue has moved since, so it
   * is to be recorded anew. */
  bool (*launch)(parl_queue *queue, const parl_graph *graph);
  size_t (*count_nodes)(const parl_graph *graph);
  void (*destroy)(parl_graph *graph); /* not while it runs; NULL is fine */
} parl_device_graphs;

typedef struct parl_device {
  /* Blocks of memory for arenas; its pieces are as aligned as its ops want them. */
  parl_arena_source memory;
  /* Memory that the host may touch, too, while nothing is queued: slow on a device, for tests and
   * benchmarks. alloc is NULL: there is none. */
  parl_arena_source shared;
  /* Fails: ENOMEM, or as the device says. */
  parl_status (*queue_create)(const struct parl_backend *backend, parl_queue **out);
  /* Waits for what was queued, so memory that ops use outlives their queue. NULL is fine. */
  void (*queue_destroy)(parl_queue *queue);
  /* Until all that was queued is done; the first failure of an op or a copy since the last wait.
   * Fails: as that did, naming the op and file:line. */
  parl_status (*queue_wait)(parl_queue *queue);
  /* From the host, which may change `from` at once, and back, which waits. */
  void (*upload)(parl_queue *queue, void *to, const void *from, size_t bytes);
  parl_status (*download)(parl_queue *queue, void *to, const void *from, size_t bytes);
  /* Sets every byte of a piece of the device. */
  void (*fill)(parl_queue *queue, void *to, unsigned char byte, size_t bytes);
  const parl_device_graphs *graphs; /* NULL: it has none */
} parl_device;

/* The host's own memory, which ops of a CPU read and write as they are called. */
const parl_device *parl_device_host(void);

/* A queue of the backend's device. Fails: ENOMEM, or as the device says. */
parl_status parl_queue_create(const struct parl_backend *backend, parl_queue **out);
void parl_queue_destroy(parl_queue *queue);
/* See parl_device. */
parl_status parl_queue_wait(parl_queue *queue);
void parl_queue_upload(parl_queue *queue, void *to, const void *from, size_t bytes);
parl_status parl_queue_download(parl_queue *queue, void *to, const void *from, size_t bytes);
void parl_queue_fill(parl_queue *queue, void *to, unsigned char byte, size_t bytes);

#define PARL_LINE_TEXT_(line) #line
#define PARL_LINE_TEXT(line) PARL_LINE_TEXT_(line)
/* Gives an op of the queue's backend, or of that backend's twin in f32, to the queue, which
 * remembers this line for errors. */
#define PARL_RUN(queue, op, args) PARL_RUN_ON((queue)->backend, queue, op, args)
#define PARL_RUN_F32(queue, op, args) PARL_RUN_ON((queue)->backend->f32(), queue, op, args)
#define PARL_RUN_ON(backend_, queue, op, args) \
  ((queue)->where = __FILE__ ":" PARL_LINE_TEXT(__LINE__), (backend_)->op((queue), (args)))

#endif
