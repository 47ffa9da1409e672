/* kernels/emu/streams.cc - streams, and graphs of what was given to one.
 *
 * A stream does nothing before it is waited for, so that a kernel's arguments, or pinned memory,
 * that are used again too early give wrong results here as on a card. While it captures, what it is
 * given becomes a graph instead; whatever is not allowed meanwhile spoils that. Reading order:
 * tasks, streams, capturing, graphs, what tests ask. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/emu/emu_internal.h"

/* What a stream is given. Behind it: the call of a kernel or library [call_bytes]. */
struct parl_emu_task {
  parl_emu_task *next;
  enum { LAUNCH, COPY, SET, LIBRARY } kind;
  parl_emu_launch_args launch;
  const char *(*library)(const void *call);
  void *to;
  const void *from;
  int byte;
  size_t bytes, call_bytes;
};
typedef parl_emu_task task;

struct chain {
  task *first, *last;
};

struct parl_emu_graph {
  chain tasks;
  size_t n;
  /* Blocks of memory that its arguments point into, [n_uses] */
  struct use {
    const task *by;
    const void *address;
    uint64_t serial;
  } * uses;
  size_t n_uses, n_room;
};
typedef parl_emu_graph graph;

struct parl_emu_stream {
  chain tasks;
  bool captures;
  char spoilt[256]; /* why what it captures is worth nothing; "": it is not */
  char *stacks[PARL_EMU_MOST_THREADS];
  cudaStream_t next;
  cudaError_t error; /* the first one; nothing runs after it */
  char text[512];
};

enum { MOST_KEPT = 16 };
static struct stream_state {
  pthread_mutex_t lock;
  cudaStream_t streams; /* a chain of those that live */
  size_t n_streams, n_graphs, n_graph_launches, n_kept;
  int keeps;
  graph *kept[MOST_KEPT];
} state = {PTHREAD_MUTEX_INITIALIZER, NULL, 0, 0, 0, 0, 0, {}};

/* The stream that this thread captures, which forbids it to wait for anything. */
static thread_local cudaStream_t capturing;

/* ----------------------------------------------------------------------------------- tasks */

static cudaError_t fail(cudaError_t error, const char *text) {
  return parl_emu_fail(error, text);
}

static task *append_to(chain *c, size_t call_bytes) {
  task *t = (task *)calloc(1, sizeof *t + call_bytes);
  if (t == NULL) {
    fail(cudaErrorMemoryAllocation, "out of memory of the host");
    return NULL;
  }
  t->call_bytes = call_bytes;
  (c->last != NULL ? c->last->next : c->first) = t;
  c->last = t;
  return t;
}

static bool copy_task(chain *to, const task *from) {
  task *t = append_to(to, from->call_bytes);
  if (t == NULL) return false;
  *t = *from;
  t->next = NULL;
  memcpy(t + 1, from + 1, from->call_bytes);
  t->launch.call = t + 1;
  return true;
}

static void free_tasks(chain *c) {
  for (task *t = c->first; t != NULL;) {
    task *next = t->next;
    free(t);
    t = next;
  }
  *c = {};
}

static const char *name_of(const task *t) {
  return t->kind == task::LAUNCH ? t->launch.name
         : t->kind == task::COPY ? "a copy"
         : t->kind == task::SET  ? "a fill"
                                 : "a product";
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

/* --------------------------------------------------------------------------------- streams */

static void spoil(cudaStream_t stream, const char *what) {
  if (stream->spoilt[0] == '\0')
    snprintf(stream->spoilt, sizeof stream->spoilt, "%s while a graph is captured", what);
  fail(cudaErrorStreamCaptureUnsupported, stream->spoilt);
}

bool parl_emu_may_wait(cudaStream_t stream, const char *what) {
  if (capturing == NULL || (stream != NULL && stream != capturing)) return true;
  spoil(capturing, what);
  return false;
}

/* NULL, and cudaGetLastError tells, for the default stream, which is no queue's, or if the host has
 * no memory. */
static task *append(cudaStream_t stream, size_t call_bytes) {
  if (stream != NULL) return append_to(&stream->tasks, call_bytes);
  if (capturing != NULL)
    spoil(capturing, "the default stream");
  else
    fail(cudaErrorInvalidResourceHandle, "the default stream is no queue's");
  return NULL;
}

static void drain(cudaStream_t stream) {
  for (const task *t = stream->tasks.first; t != NULL && stream->error == cudaSuccess; t = t->next)
    run_task(stream, t);
  free_tasks(&stream->tasks);
}

extern "C" {
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned) {
  cudaStream_t stream = (cudaStream_t)calloc(1, sizeof *stream);
  if (stream == NULL) return fail(cudaErrorMemoryAllocation, "out of memory of the host");
  const parl_emu_guard held(&state.lock);
  state.n_streams++;
  stream->next = state.streams;
  state.streams = stream;
  *out = stream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  free_tasks(&stream->tasks);
  for (char *stack : stream->stacks) free(stack);
  if (capturing == stream) capturing = NULL;
  const parl_emu_guard held(&state.lock);
  cudaStream_t *at = &state.streams;
  while (*at != stream) at = &(*at)->next;
  *at = stream->next;
  free(stream);
  state.n_streams--;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (!parl_emu_may_wait(stream, "a wait")) return cudaErrorStreamCaptureUnsupported;
  drain(stream);
  if (stream->error != cudaSuccess) return fail(stream->error, stream->text);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const void *on_device = kind == cudaMemcpyHostToDevice ? to : from;
  const void *on_host = kind == cudaMemcpyHostToDevice ? from : to;
  bool is_pinned = false;
  if (!parl_emu_is_device(on_device, bytes))
    return fail(cudaErrorInvalidValue, "a copy leaves the memory of the device");
  if (stream != NULL && stream->captures &&
      (parl_emu_find_block(on_host, bytes, &is_pinned) == 0 || !is_pinned)) {
    spoil(stream, "a copy of memory that is not pinned");
    return cudaErrorStreamCaptureUnsupported;
  }
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
  const parl_emu_guard held(&state.lock);
  for (const parl_emu_stream *s = state.streams; s != NULL; s = s->next)
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

/* ------------------------------------------------------------------------------- capturing */

static void free_graph(graph *g) {
  if (g == NULL) return;
  free_tasks(&g->tasks);
  free(g->uses);
  free(g);
}

static bool add_use(graph *g, const task *by, const void *address) {
  bool is_pinned = false;
  const uint64_t serial = parl_emu_find_block(address, 1, &is_pinned);
  if (serial == 0) return true;
  if (g->n_uses == g->n_room) {
    g->n_room = 2 * g->n_room + 16;
    void *grown = realloc(g->uses, g->n_room * sizeof *g->uses);
    if (grown == NULL) return false;
    g->uses = (graph::use *)grown;
  }
  g->uses[g->n_uses++] = {by, address, serial};
  return true;
}

/* Whatever among a call's words is an address of a block that lives counts as one. */
static bool add_uses(graph *g, const task *t) {
  const char *call = (const char *)(t + 1);
  for (size_t i = 0; i + sizeof(void *) <= t->call_bytes; i += sizeof(void *)) {
    const void *address;
    memcpy(&address, call + i, sizeof address);
    if (!add_use(g, t, address)) return false;
  }
  return t->call_bytes > 0 || (add_use(g, t, t->to) && add_use(g, t, t->from));
}

static graph *make_graph(const chain *tasks) {
  graph *g = (graph *)calloc(1, sizeof *g);
  bool is_made = g != NULL;
  for (const task *t = tasks->first; t != NULL && is_made; t = t->next) {
    is_made = copy_task(&g->tasks, t) && add_uses(g, g->tasks.last);
    g->n++;
  }
  if (is_made) return g;
  free_graph(g);
  fail(cudaErrorMemoryAllocation, "out of memory of the host");
  return NULL;
}

static void keep(const chain *tasks) {
  graph *g = state.keeps && state.n_kept < MOST_KEPT ? make_graph(tasks) : NULL;
  if (g != NULL) state.kept[state.n_kept++] = g;
}

extern "C" {
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (mode != cudaStreamCaptureModeThreadLocal)
    return fail(cudaErrorInvalidValue, "a capture that forbids other threads to allocate");
  if (capturing != NULL || stream->tasks.first != NULL)
    return fail(cudaErrorInvalidValue, "a capture within another, or of a stream at work");
  stream->captures = true;
  stream->spoilt[0] = '\0';
  capturing = stream;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
  if (stream != capturing) return fail(cudaErrorInvalidValue, "this thread captures nothing there");
  capturing = NULL;
  stream->captures = false;
  chain tasks = stream->tasks;
  stream->tasks = {};
  graph *g = NULL;
  if (stream->spoilt[0] == '\0') {
    const parl_emu_guard held(&state.lock);
    keep(&tasks);
    g = make_graph(&tasks);
    state.n_graphs += g != NULL;
  }
  free_tasks(&tasks);
  if (stream->spoilt[0] != '\0') return fail(cudaErrorStreamCaptureInvalidated, stream->spoilt);
  if (g == NULL) return cudaErrorMemoryAllocation;
  *out = g;
  return cudaSuccess;
}

/* ---------------------------------------------------------------------------------- graphs */

cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *, size_t *n) {
  *n = g->n;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t g, unsigned long long) {
  graph *copy = make_graph(&g->tasks);
  if (copy == NULL) return cudaErrorMemoryAllocation;
  const parl_emu_guard held(&state.lock);
  state.n_graphs++;
  *out = copy;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t g, cudaStream_t stream) {
  for (size_t i = 0; i < g->n_uses; i++) {
    const graph::use *u = &g->uses[i];
    bool is_pinned = false;
    if (parl_emu_find_block(u->address, 1, &is_pinned) == u->serial) continue;
    char text[256];
    snprintf(text, sizeof text, "graph: memory of %s was freed since it was captured",
             name_of(u->by));
    return fail(cudaErrorInvalidValue, text);
  }
  for (const task *t = g->tasks.first; t != NULL; t = t->next)
    if (!copy_task(&stream->tasks, t)) return cudaErrorMemoryAllocation;
  const parl_emu_guard held(&state.lock);
  state.n_graph_launches++;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t g) {
  free_graph(g);
  const parl_emu_guard held(&state.lock);
  state.n_graphs--;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t g) {
  return cudaGraphDestroy(g);
}

/* ------------------------------------------------------------------------- what tests ask */

size_t parl_emu_count_streams(void) {
  const parl_emu_guard held(&state.lock);
  return state.n_streams;
}
size_t parl_emu_count_graphs(void) {
  const parl_emu_guard held(&state.lock);
  return state.n_graphs;
}
size_t parl_emu_count_graph_launches(void) {
  const parl_emu_guard held(&state.lock);
  return state.n_graph_launches;
}
void parl_emu_keep_graphs(int is_on) {
  const parl_emu_guard held(&state.lock);
  while (state.n_kept > 0) free_graph(state.kept[--state.n_kept]);
  state.keeps = is_on;
}
size_t parl_emu_count_kept(void) {
  const parl_emu_guard held(&state.lock);
  return state.n_kept;
}
const char *parl_emu_compare_graphs(size_t a, size_t b) {
  static thread_local char text[256];
  const parl_emu_guard held(&state.lock);
  if (a >= state.n_kept || b >= state.n_kept) return "no such graph";
  const task *x = state.kept[a]->tasks.first, *y = state.kept[b]->tasks.first;
  for (size_t node = 0; x != NULL || y != NULL; node++, x = x->next, y = y->next) {
    const char *what = NULL;
    size_t at = 0;
    if (x == NULL || y == NULL || strcmp(name_of(x), name_of(y)) != 0)
      what = "is another";
    else if (x->to != y->to || x->from != y->from || x->bytes != y->bytes || x->byte != y->byte)
      what = "copies something else";
    else if (memcmp(&x->launch.grid, &y->launch.grid, sizeof x->launch.grid) != 0 ||
             x->call_bytes != y->call_bytes)
      what = "has another grid";
    while (what == NULL && at < x->call_bytes &&
           ((const char *)(x + 1))[at] == ((const char *)(y + 1))[at])
      at++;
    if (what == NULL && at < x->call_bytes) what = "has another argument";
    if (what == NULL) continue;
    snprintf(text, sizeof text, "node %zu, %s, %s, at byte %zu", node, name_of(x != NULL ? x : y),
             what, at);
    return text;
  }
  return "";
}
}
