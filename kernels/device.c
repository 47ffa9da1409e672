/* kernels/device.c - the host as a device: its memory is everyone's, its ops are done at once. */
#include "kernels/device.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/ops.h"

static parl_status queue_create(const parl_backend *backend, parl_queue **out) {
  parl_queue *queue = calloc(1, sizeof *queue);
  if (queue == NULL) return parl_fail(PARL_STATUS_ENOMEM, "queue: no memory");
  queue->backend = backend;
  *out = queue;
  return PARL_STATUS_OK;
}

static void queue_destroy(parl_queue *queue) {
  free(queue);
}

static parl_status queue_wait(parl_queue *queue) {
  (void)queue;
  return PARL_STATUS_OK;
}

static void upload(parl_queue *queue, void *to, const void *from, size_t bytes) {
  (void)queue;
  if (bytes > 0) memcpy(to, from, bytes);
}

static parl_status download(parl_queue *queue, void *to, const void *from, size_t bytes) {
  upload(queue, to, from, bytes);
  return PARL_STATUS_OK;
}

static void fill(parl_queue *queue, void *to, unsigned char byte, size_t bytes) {
  (void)queue;
  if (bytes > 0) memset(to, byte, bytes);
}

const parl_device *parl_device_host(void) {
  static const parl_device host = {.memory = {parl_arena_host_alloc, parl_arena_host_free, 64},
                                   .shared = {parl_arena_host_alloc, parl_arena_host_free, 64},
                                   .queue_create = queue_create,
                                   .queue_destroy = queue_destroy,
                                   .queue_wait = queue_wait,
                                   .upload = upload,
                                   .download = download,
                                   .fill = fill};
  return &host;
}

const parl_act *parl_act_from(parl_queue *queue, const float *x, size_t n, parl_act *room) {
  const parl_to_act_args args = {.n = n, .x = x, .y = room};
  if (queue->backend->act_bytes == sizeof *x) return parl_act_of_const_f32(x);
  PARL_RUN(queue, to_act, &args);
  return room;
}

parl_status parl_queue_create(const parl_backend *backend, parl_queue **out) {
  return backend->device()->queue_create(backend, out);
}

void parl_queue_destroy(parl_queue *queue) {
  if (queue != NULL) queue->backend->device()->queue_destroy(queue);
}

parl_status parl_queue_wait(parl_queue *queue) {
  return queue->backend->device()->queue_wait(queue);
}

void parl_queue_upload(parl_queue *queue, void *to, const void *from, size_t bytes) {
  queue->backend->device()->upload(queue, to, from, bytes);
}

parl_status parl_queue_download(parl_queue *queue, void *to, const void *from, size_t bytes) {
  return queue->backend->device()->download(queue, to, from, bytes);
}

void parl_queue_fill(parl_queue *queue, void *to, unsigned char byte, size_t bytes) {
  queue->backend->device()->fill(queue, to, byte, bytes);
}
