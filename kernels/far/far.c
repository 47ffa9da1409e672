/* kernels/far/far.c - the device, and a wrapper around every op that finds what is kept. */
#include "kernels/far/far.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/far/far_internal.h"
#include "kernels/pointers.h"

typedef struct far_queue {
  parl_queue head;
  char failure[256]; /* the first one; "": none */
} far_queue;

static const parl_backend *get_inner(void) {
  const parl_backend *backend = NULL;
  PARL_CHECK(parl_backend_cpu(NULL, &backend) == PARL_STATUS_OK); /* there is always one */
  return backend;
}

static void fail(parl_queue *queue, const char *what, const char *argument, const char *why) {
  far_queue *q = (far_queue *)queue;
  if (q->failure[0] == '\0')
    snprintf(q->failure, sizeof q->failure, "far: %s at %s: %s %s", what,
             queue->where != NULL ? queue->where : "no line yet", argument, why);
}

/* What is kept for an argument, NULL for NULL; *runs becomes false if it is of the host. */
static void *open_argument(parl_queue *queue, const char *op, const char *argument,
                           const void *address, bool *runs) {
  if (address == NULL) return NULL;
  void *kept = parl_far_find(address, 1);
  if (kept != NULL) return kept;
  fail(queue, op, argument, "is no memory of the device");
  *runs = false;
  return NULL;
}

static bool begin(parl_queue *queue) {
  parl_far_remember(queue->where);
  return ((far_queue *)queue)->failure[0] == '\0';
}

#define OPEN(field) args.field = open_argument(queue, name, #field, args.field, &runs);
#define X(op, tolerance, source)                                     \
  static void op(parl_queue *queue, const parl_##op##_args *given) { \
    static const char name[] = #op;                                  \
    parl_##op##_args args = *given;                                  \
    bool runs = begin(queue);                                        \
    PARL_POINTERS_##op(OPEN) if (runs) get_inner()->op(NULL, &args); \
  }
PARL_OP_LIST(X)
#undef X
#undef OPEN

static size_t linear_pack_elements(size_t N, size_t K) {
  return get_inner()->linear_pack_elements(N, K);
}

static size_t attention_scratch_floats(size_t longest, size_t D, size_t Dv) {
  return get_inner()->attention_scratch_floats(longest, D, Dv);
}

static double peak_gflops(double ms) {
  return get_inner()->peak_gflops(ms);
}

/* -------------------------------------------------------------------------------- the device */

static parl_status queue_create(const parl_backend *backend, parl_queue **out) {
  far_queue *q = calloc(1, sizeof *q);
  if (q == NULL) return parl_fail(PARL_STATUS_ENOMEM, "queue: no memory");
  q->head.backend = backend;
  *out = &q->head;
  return PARL_STATUS_OK;
}

static void queue_destroy(parl_queue *queue) {
  free(queue);
}

static parl_status queue_wait(parl_queue *queue) {
  far_queue *q = (far_queue *)queue;
  if (q->failure[0] == '\0') return PARL_STATUS_OK;
  const parl_status s = parl_fail(PARL_STATUS_EINVAL, "%s", q->failure);
  q->failure[0] = '\0';
  return s;
}

/* A side of a copy: of the device, and within one block, or of the host. */
static void *open_side(parl_queue *queue, const char *copy, const char *side, const void *address,
                       size_t bytes) {
  void *kept = parl_far_find(address, bytes);
  if (kept == NULL) fail(queue, copy, side, "is no memory of the device, or ends outside");
  return kept;
}

static bool is_of_host(parl_queue *queue, const char *copy, const char *side, const void *address) {
  if (parl_far_find(address, 1) == NULL) return true;
  fail(queue, copy, side, "is memory of the device");
  return false;
}

static void upload(parl_queue *queue, void *to, const void *from, size_t bytes) {
  if (bytes == 0 || !begin(queue) || !is_of_host(queue, "upload", "from", from)) return;
  void *kept = open_side(queue, "upload", "to", to, bytes);
  if (kept != NULL) memcpy(kept, from, bytes);
}

static parl_status download(parl_queue *queue, void *to, const void *from, size_t bytes) {
  PARL_TRY(queue_wait(queue));
  if (bytes == 0 || !is_of_host(queue, "download", "to", to)) return queue_wait(queue);
  const void *kept = open_side(queue, "download", "from", from, bytes);
  if (kept != NULL) memcpy(to, kept, bytes);
  return queue_wait(queue);
}

static void fill(parl_queue *queue, void *to, unsigned char byte, size_t bytes) {
  if (bytes == 0 || !begin(queue)) return;
  void *kept = open_side(queue, "fill", "to", to, bytes);
  if (kept != NULL) memset(kept, byte, bytes);
}

static const parl_device *get_device(void) {
  static const parl_device device = {.memory = {parl_far_alloc, parl_far_free, 256},
                                     .queue_create = queue_create,
                                     .queue_destroy = queue_destroy,
                                     .queue_wait = queue_wait,
                                     .upload = upload,
                                     .download = download,
                                     .fill = fill};
  return &device;
}

const parl_backend *parl_backend_far(void) {
  static const parl_backend backend = {.name = "far",
                                       .instructions = "the best f32 level, behind closed pages",
                                       .dtype = "f32",
#define X(op, tolerance, source) .op = op,
                                       PARL_OP_LIST(X)
#undef X
                                           .act_bytes = sizeof(float),
                                       .linear_pack_elements = linear_pack_elements,
                                       .attention_scratch_floats = attention_scratch_floats,
                                       .peak_gflops = peak_gflops,
                                       .f32 = parl_backend_far,
                                       .device = get_device};
  return &backend;
}
