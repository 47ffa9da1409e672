/* kernels/cuda/device.cu - the card's memory, and queues: a stream, scratch, staging, the first
 * failure; graphs of what a queue was given. */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/blas.h"
#include "kernels/cuda/device.h"

static const size_t STAGING_BYTES = 1 << 20;

void parl_cuda_fail(parl_queue *queue, parl_status status, const char *what, const char *why) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (q->status != PARL_STATUS_OK) return;
  q->status = status;
  snprintf(q->failure, sizeof q->failure, "cuda: %s at %s: %s", what,
           queue->where != NULL ? queue->where : "no op yet", why);
}

bool parl_cuda_note(parl_queue *queue, cudaError_t error, const char *what) {
  if (error == cudaSuccess) return true;
  (void)cudaGetLastError(); /* or the next launch would be blamed for it */
  const bool is_memory = error == cudaErrorMemoryAllocation;
  parl_cuda_fail(queue, is_memory ? PARL_STATUS_ENOMEM : PARL_STATUS_ESTATE, what,
                 cudaGetErrorString(error));
  return false;
}

/* The error text of `bytes` that are not there. */
static parl_status fail_memory(size_t bytes) {
  size_t free_bytes = 0, all_bytes = 0;
  (void)cudaGetLastError(); /* forgotten: nothing was launched */
  (void)cudaMemGetInfo(&free_bytes, &all_bytes);
  return parl_fail(PARL_STATUS_ENOMEM, "cuda: %zu bytes asked, %zu of the card's %zu are free",
                   bytes, free_bytes, all_bytes);
}

void *parl_cuda_take(parl_queue *queue, size_t bytes, const char *what) {
  void *memory = NULL;
  if (cudaMalloc(&memory, bytes) == cudaSuccess) return memory;
  fail_memory(bytes);
  parl_cuda_fail(queue, PARL_STATUS_ENOMEM, what, parl_error_text());
  return NULL;
}

void *parl_cuda_scratch(parl_queue *queue, size_t bytes) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (q->status != PARL_STATUS_OK) return NULL;
  if (bytes <= q->scratch_bytes) return q->scratch;
  /* kernels under way may use the old one */
  if (!parl_cuda_note(queue, cudaStreamSynchronize(q->stream), "scratch")) return NULL;
  (void)cudaFree(q->scratch);
  q->scratch = parl_cuda_take(queue, bytes, "scratch");
  q->scratch_bytes = q->scratch != NULL ? bytes : 0;
  return q->scratch;
}

/* ---------------------------------------------------------------------------------- memory */

static void *take_block(size_t *bytes) {
  void *memory = NULL;
  if (cudaMalloc(&memory, *bytes) == cudaSuccess) return memory;
  fail_memory(*bytes);
  return NULL;
}

static void *take_shared(size_t *bytes) {
  void *memory = NULL;
  if (cudaMallocManaged(&memory, *bytes, cudaMemAttachGlobal) == cudaSuccess) return memory;
  fail_memory(*bytes);
  return NULL;
}

static void free_block(void *memory, size_t) {
  (void)cudaFree(memory);
}

/* ---------------------------------------------------------------------------------- queues */

static void destroy_queue(parl_queue *queue) {
  if (queue == NULL) return;
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (q->stream != NULL) (void)cudaStreamSynchronize(q->stream);
  parl_cuda_blas_destroy(q->blas);
  if (q->stream != NULL) (void)cudaStreamDestroy(q->stream);
  (void)cudaFree(q->scratch);
  (void)cudaFreeHost(q->staging);
  free(q);
}

static parl_status create_queue(const parl_backend *backend, parl_queue **out) {
  parl_cuda_queue *q = (parl_cuda_queue *)calloc(1, sizeof *q);
  if (q == NULL) return parl_fail(PARL_STATUS_ENOMEM, "queue: no memory");
  q->head.backend = backend;
  cudaError_t error = cudaStreamCreateWithFlags(&q->stream, cudaStreamNonBlocking);
  if (error == cudaSuccess)
    error = cudaHostAlloc((void **)&q->staging, STAGING_BYTES, cudaHostAllocDefault);
  if (error != cudaSuccess) {
    const parl_status s =
        parl_fail(error == cudaErrorMemoryAllocation ? PARL_STATUS_ENOMEM : PARL_STATUS_ESTATE,
                  "cuda: queue: %s", cudaGetErrorString(error));
    (void)cudaGetLastError();
    destroy_queue(&q->head);
    return s;
  }
  *out = &q->head;
  return PARL_STATUS_OK;
}

static parl_status wait_queue(parl_queue *queue) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  parl_cuda_note(queue, cudaStreamSynchronize(q->stream), "an op before");
  q->staged_bytes = 0;
  if (q->status == PARL_STATUS_OK) return PARL_STATUS_OK;
  const parl_status s = parl_fail(q->status, "%s", q->failure);
  q->status = PARL_STATUS_OK;
  return s;
}

/* Room for `bytes` in the staging memory, or NULL. What is there is used up after a wait. */
static unsigned char *stage(parl_queue *queue, size_t bytes) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (q->status != PARL_STATUS_OK) return NULL;
  if (STAGING_BYTES - q->staged_bytes < bytes) {
    if (!parl_cuda_note(queue, cudaStreamSynchronize(q->stream), "an op before")) return NULL;
    q->staged_bytes = 0;
  }
  unsigned char *room = q->staging + q->staged_bytes;
  q->staged_bytes += bytes;
  return room;
}

/* As the graph runs, from where it lies now. */
static void record_upload(parl_queue *queue, void *to, const void *from, size_t bytes) {
  const parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (q->status != PARL_STATUS_OK) return;
  parl_cuda_note(queue, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, q->stream),
                 "upload");
}

static void upload(parl_queue *queue, void *to, const void *from, size_t bytes) {
  const parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (q->records) {
    record_upload(queue, to, from, bytes);
    return;
  }
  for (size_t at = 0; at < bytes;) {
    const size_t n = bytes - at < STAGING_BYTES ? bytes - at : STAGING_BYTES;
    unsigned char *room = stage(queue, n);
    if (room == NULL) return;
    memcpy(room, (const unsigned char *)from + at, n);
    const cudaError_t error =
        cudaMemcpyAsync((unsigned char *)to + at, room, n, cudaMemcpyHostToDevice, q->stream);
    if (!parl_cuda_note(queue, error, "upload")) return;
    at += n;
  }
}

static parl_status download(parl_queue *queue, void *to, const void *from, size_t bytes) {
  const parl_cuda_queue *q = parl_cuda_queue_of(queue);
  PARL_TRY(wait_queue(queue)); /* nothing is staged now */
  for (size_t at = 0; at < bytes;) {
    const size_t n = bytes - at < STAGING_BYTES ? bytes - at : STAGING_BYTES;
    const cudaError_t error = cudaMemcpyAsync(q->staging, (const unsigned char *)from + at, n,
                                              cudaMemcpyDeviceToHost, q->stream);
    parl_cuda_note(queue, error, "download");
    PARL_TRY(wait_queue(queue));
    memcpy((unsigned char *)to + at, q->staging, n);
    at += n;
  }
  return PARL_STATUS_OK;
}

static void fill(parl_queue *queue, void *to, unsigned char byte, size_t bytes) {
  const parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (bytes == 0 || q->status != PARL_STATUS_OK) return;
  parl_cuda_note(queue, cudaMemsetAsync(to, byte, bytes, q->stream), "fill");
}

/* ---------------------------------------------------------------------------------- graphs */

struct parl_graph {
  cudaGraphExec_t runs;
  size_t n_nodes;
  uint64_t n_launches;
  const void *scratch; /* the queue's as it was recorded */
};

static void *take_pinned(size_t *bytes) {
  void *memory = NULL;
  if (cudaHostAlloc(&memory, *bytes, cudaHostAllocDefault) == cudaSuccess) return memory;
  (void)cudaGetLastError();
  (void)parl_fail(PARL_STATUS_ENOMEM, "cuda: %zu bytes of pinned memory of the host", *bytes);
  return NULL;
}

static void free_pinned(void *memory, size_t) {
  (void)cudaFreeHost(memory);
}

/* Other threads may allocate meanwhile: only this one's calls are watched. */
static parl_status begin_graph(parl_queue *queue) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  PARL_TRY(wait_queue(queue));
  if (!parl_cuda_note(queue, cudaStreamBeginCapture(q->stream, cudaStreamCaptureModeThreadLocal),
                      "graph"))
    return wait_queue(queue);
  q->records = true;
  q->n_before = q->head.n_launches;
  return PARL_STATUS_OK;
}

static void destroy_graph(parl_graph *graph) {
  if (graph == NULL) return;
  if (graph->runs != NULL) (void)cudaGraphExecDestroy(graph->runs);
  free(graph);
}

/* What was captured, ready to run. */
static bool instantiate(parl_queue *queue, parl_graph *graph) {
  cudaGraph_t captured = NULL;
  cudaError_t error = cudaStreamEndCapture(parl_cuda_queue_of(queue)->stream, &captured);
  if (error == cudaSuccess) error = cudaGraphGetNodes(captured, NULL, &graph->n_nodes);
  if (error == cudaSuccess) error = cudaGraphInstantiate(&graph->runs, captured, 0);
  const bool is_made = parl_cuda_note(queue, error, "graph");
  if (captured != NULL) (void)cudaGraphDestroy(captured);
  return is_made;
}

static parl_status end_graph(parl_queue *queue, parl_graph **out) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  parl_graph *graph = (parl_graph *)calloc(1, sizeof *graph);
  parl_graph none = {};
  const bool is_made = instantiate(queue, graph != NULL ? graph : &none);
  const uint64_t n_launches = q->head.n_launches - q->n_before;
  q->head.n_launches = q->n_before;
  q->records = false;
  if (graph == NULL) {
    if (is_made) (void)cudaGraphExecDestroy(none.runs);
    parl_cuda_fail(queue, PARL_STATUS_ENOMEM, "graph", "no memory");
  }
  const parl_status s = wait_queue(queue);
  if (s != PARL_STATUS_OK) {
    destroy_graph(graph);
    return s;
  }
  graph->scratch = q->scratch;
  graph->n_launches = n_launches;
  *out = graph;
  return PARL_STATUS_OK;
}

static bool launch_graph(parl_queue *queue, const parl_graph *graph) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (graph->scratch != q->scratch) return false;
  if (q->status != PARL_STATUS_OK) return true;
  parl_cuda_note(queue, cudaGraphLaunch(graph->runs, q->stream), "graph");
  q->head.n_launches += graph->n_launches;
  return true;
}

static size_t count_nodes(const parl_graph *graph) {
  return graph->n_nodes;
}

const parl_device *parl_cuda_device(void) {
  static constexpr parl_device_graphs graphs = {.pinned = {take_pinned, free_pinned, 256},
                                                .begin = begin_graph,
                                                .end = end_graph,
                                                .launch = launch_graph,
                                                .count_nodes = count_nodes,
                                                .destroy = destroy_graph};
  static constexpr parl_device device = {.memory = {take_block, free_block, 256},
                                         .shared = {take_shared, free_block, 256},
                                         .queue_create = create_queue,
                                         .queue_destroy = destroy_queue,
                                         .queue_wait = wait_queue,
                                         .upload = upload,
                                         .download = download,
                                         .fill = fill,
                                         .graphs = &graphs};
  return &device;
}

/* --------------------------------------------------------------------------------- is there one */

parl_status parl_cuda_name_card(char *text, size_t n) {
  cudaDeviceProp card;
  PARL_TRY(parl_cuda_find_card());
  const cudaError_t error = cudaGetDeviceProperties(&card, 0);
  if (error != cudaSuccess)
    return parl_fail(PARL_STATUS_ESTATE, "backend cuda: %s", cudaGetErrorString(error));
  snprintf(text, n, "%s", card.name);
  return PARL_STATUS_OK;
}

parl_status parl_cuda_describe(char *text, size_t n) {
  int version = 0;
  size_t free_bytes = 0, all_bytes = 0;
  cudaDeviceProp card;
  char products[160];
  PARL_TRY(parl_cuda_find_card());
  cudaError_t error = cudaGetDeviceProperties(&card, 0);
  if (error == cudaSuccess) error = cudaDriverGetVersion(&version);
  if (error == cudaSuccess) error = cudaMemGetInfo(&free_bytes, &all_bytes);
  if (error != cudaSuccess)
    return parl_fail(PARL_STATUS_ESTATE, "backend cuda: %s", cudaGetErrorString(error));
  parl_cuda_blas_describe(products, sizeof products);
  snprintf(
      text, n,
      "%s, compute capability %d.%d, %.1f GiB, %.1f free, driver of CUDA %d.%d; products by %s",
      card.name, card.major, card.minor, (double)all_bytes / 0x1p30, (double)free_bytes / 0x1p30,
      version / 1000, version % 1000 / 10, products);
  return PARL_STATUS_OK;
}

parl_status parl_cuda_find_card(void) {
  int n = 0, version = 0;
  cudaDeviceProp card;
  cudaError_t error = cudaGetDeviceCount(&n);
  (void)cudaGetLastError();
  if (error == cudaErrorInsufficientDriver && cudaDriverGetVersion(&version) == cudaSuccess &&
      version > 0)
    return parl_fail(PARL_STATUS_ESTATE,
                     "backend cuda: the driver is of CUDA %d.%d, older than this build wants",
                     version / 1000, version % 1000 / 10);
  if (error == cudaErrorInsufficientDriver)
    return parl_fail(PARL_STATUS_ESTATE, "backend cuda: no NVIDIA driver on this machine");
  if (error == cudaErrorNoDevice || (error == cudaSuccess && n == 0))
    return parl_fail(PARL_STATUS_ESTATE, "backend cuda: a driver, but no card");
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&card, 0);
  if (error != cudaSuccess)
    return parl_fail(PARL_STATUS_ESTATE, "backend cuda: %s", cudaGetErrorString(error));
  if (card.major < 8)
    return parl_fail(PARL_STATUS_ESTATE,
                     "backend cuda: the card, %s, is of compute capability %d.%d; valid: from 8.0",
                     card.name, card.major, card.minor);
  return PARL_STATUS_OK;
}
