/* tests/cuda/ceilings.c - what a card can do: ceilings SIDE MIB prints a line for each, "name value
 * unit". Products of SIDE^3, copies of MIB. Without a card it says so and ends with 77. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/arena.h"
#include "kernels/act.h"
#include "kernels/cuda/cuda.h"

enum { NO_CARD = 77, LEAST_MS = 100, TINY_OPS = 1000 };

/* What is measured, given to a queue once. */
typedef struct work {
  const parl_backend *backend;
  parl_queue *queue;
  parl_arena arena;
  size_t n; /* side, or bytes */
  void *in, *weights, *out;
} work;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static parl_status open_work(work *w, const char *dtype, parl_cuda_products products, size_t n,
                             size_t bytes) {
  *w = (work){.n = n};
  PARL_TRY(parl_backend_cuda(dtype, products, &w->backend));
  PARL_TRY(parl_queue_create(w->backend, &w->queue));
  parl_arena_init_from(&w->arena, 0, &w->backend->device()->memory);
  void **const pieces[] = {&w->in, &w->weights, &w->out};
  for (size_t i = 0; i < 3; i++) {
    PARL_TRY(parl_arena_take(&w->arena, 1, bytes, pieces[i]));
    parl_queue_fill(w->queue, *pieces[i], 0, bytes);
  }
  return parl_queue_wait(w->queue);
}
static void close_work(work *w) {
  parl_queue_destroy(w->queue);
  if (w->backend != NULL) parl_arena_deinit(&w->arena);
}

static void multiply(work *w) {
  const parl_linear_fwd_args args = {.M = w->n,
                                     .N = w->n,
                                     .K = w->n,
                                     .x = w->in,
                                     .ld_x = w->n,
                                     .packed = w->weights,
                                     .y_act = w->out,
                                     .y_is_act = true,
                                     .ld_y = w->n};
  PARL_RUN(w->queue, linear_fwd, &args);
}
static void copy(work *w) {
  const parl_copy2d_args args = {
      .rows = 1, .groups = 1, .width = w->n / 4, .unit = 4, .from = w->in, .to = w->out};
  PARL_RUN(w->queue, copy2d, &args);
}
static void launch_tiny(work *w) {
  const parl_axpby_args args = {.n = 32, .a = 0.0f, .x = NULL, .b = 1.0f, .y = w->out};
  for (size_t i = 0; i < TINY_OPS; i++) PARL_RUN(w->queue, axpby, &args);
}

/* Seconds of one, of as many as take LEAST_MS, after one to warm up. */
static parl_status measure(work *w, void (*give)(work *), double *out) {
  give(w);
  PARL_TRY(parl_queue_wait(w->queue));
  for (size_t n = 1;; n *= 2) {
    const double start = now_s();
    for (size_t i = 0; i < n; i++) give(w);
    PARL_TRY(parl_queue_wait(w->queue));
    *out = (now_s() - start) / (double)n;
    if (*out * (double)n * 1e3 >= LEAST_MS) return PARL_STATUS_OK;
  }
}

static parl_status print_product(const char *name, const char *dtype, parl_cuda_products products,
                                 size_t side) {
  work w;
  double seconds = 0.0;
  parl_status s = open_work(&w, dtype, products, side, side * side * 4);
  if (s == PARL_STATUS_OK) s = measure(&w, multiply, &seconds);
  close_work(&w);
  if (s == PARL_STATUS_OK)
    printf("%-24s %10.2f TFLOP/s\n", name,
           2e-12 * (double)side * (double)side * (double)side / seconds);
  return s;
}

static parl_status print_all(size_t side, size_t mib) {
  work w;
  double seconds = 0.0;
  const size_t bytes = mib << 20;
  PARL_TRY(print_product("product_bf16", "bf16", PARL_CUDA_BLAS, side));
  PARL_TRY(print_product("product_bf16_own", "bf16", PARL_CUDA_OWN, side));
  PARL_TRY(print_product("product_f32", "f32", PARL_CUDA_BLAS, side));
  PARL_TRY(print_product("product_f32_own", "f32", PARL_CUDA_OWN, side));
  parl_status s = open_work(&w, "bf16", PARL_CUDA_OWN, bytes, bytes);
  if (s == PARL_STATUS_OK) {
    printf("%-24s %10.2f TFLOP/s\n", "registers_bf16", w.backend->peak_gflops(20.0) * 1e-3);
    printf("%-24s %10.2f TFLOP/s\n", "registers_f32", w.backend->f32()->peak_gflops(20.0) * 1e-3);
    s = measure(&w, copy, &seconds);
  }
  if (s == PARL_STATUS_OK) {
    printf("%-24s %10.2f GB/s\n", "copy", 2e-9 * (double)bytes / seconds);
    s = measure(&w, launch_tiny, &seconds);
  }
  if (s == PARL_STATUS_OK) printf("%-24s %10.2f us\n", "launch", seconds * 1e6 / TINY_OPS);
  close_work(&w);
  return s;
}

int main(int argc, char **argv) {
  char card[256];
  const size_t side = argc > 1 ? strtoull(argv[1], NULL, 10) : 8192;
  const size_t mib = argc > 2 ? strtoull(argv[2], NULL, 10) : 1024;
  if (parl_cuda_describe(card, sizeof card) != PARL_STATUS_OK) {
    printf("no card: %s\n", parl_error_text());
    return NO_CARD;
  }
  printf("# %s\n", card);
  if (print_all(side, mib) == PARL_STATUS_OK) return 0;
  fprintf(stderr, "%s\n", parl_error_text());
  return 1;
}
