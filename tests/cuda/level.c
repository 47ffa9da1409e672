/* tests/cuda/level.c - floats and no queue in front of a backend that has acts and a queue. */
#define PARL_ACT_IS_FLOAT /* so both members of a union are */
#include "tests/cuda/level.h"

#include "core/bf16.h"
#include "kernels/acts.h"
#include "kernels/cuda/cuda.h"
#include "kernels/emu/emu.h"
#include "kernels/pointers.h"
#include "tests/support.h"

enum { MAX_VIEWS = 10, AROUND = 32 /* words of guard on each side */, GUARD_WORD = 0x7fa5 };

/* rows pieces of `width` elements, ld apart, in bf16; what lies between is guarded. */
typedef struct view {
  float *floats; /* NULL: an input */
  uint16_t *block, *acts;
  size_t n, rows, ld, width;
} view;
typedef struct views {
  view all[MAX_VIEWS];
  size_t n;
} views;

static uint16_t narrow(float x) {
  return isnan(x) ? 0x7fc0 : parl_bf16_from_float(x);
}

static view *open_view(views *o, const void *address, size_t rows, size_t ld, size_t width) {
  const float *floats = address;
  assert_true(o->n < MAX_VIEWS);
  view *v = &o->all[o->n++];
  *v = (view){.rows = rows, .ld = ld, .width = width};
  v->n = (rows > 0 ? (rows - 1) * ld + width : 0) + (size_t)2 * AROUND;
  v->block = malloc(v->n * sizeof *v->block);
  assert_non_null(v->block);
  v->acts = v->block + AROUND;
  for (size_t i = 0; i < v->n; i++) v->block[i] = GUARD_WORD;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < width; i++) v->acts[r * ld + i] = narrow(floats[r * ld + i]);
  return v;
}

static const parl_act *open_input(views *o, const parl_act *x, size_t rows, size_t ld,
                                  size_t width) {
  return x == NULL ? NULL : (const void *)open_view(o, x, rows, ld, width)->acts;
}
static parl_act *open_output(views *o, parl_act *x, size_t rows, size_t ld, size_t width) {
  if (x == NULL) return NULL;
  view *v = open_view(o, x, rows, ld, width);
  v->floats = x;
  return (parl_act *)(void *)v->acts;
}

static void close_views(views *o, const char *op) {
  for (size_t k = 0; k < o->n; k++) {
    const view *v = &o->all[k];
    for (size_t i = 0; i < v->n; i++) {
      const bool is_inside = i >= AROUND && i < v->n - AROUND && v->rows > 0 &&
                             (v->ld == 0 || (i - AROUND) % v->ld < v->width);
      if (!is_inside && v->block[i] != GUARD_WORD)
        fail_msg("%s wrote outside operand %zu, at element %td", op, k,
                 (ptrdiff_t)i - (ptrdiff_t)AROUND);
    }
    for (size_t r = 0; r < v->rows && v->floats != NULL; r++)
      for (size_t i = 0; i < v->width; i++)
        v->floats[r * v->ld + i] = parl_bf16_to_float(v->acts[r * v->ld + i]);
    free(v->block);
  }
}

/* ------------------------------------------------------------------------------- the inner ones */

static const parl_backend *get_inner(const char *dtype) {
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cuda(dtype, PARL_CUDA_BLAS, &backend));
  return backend;
}

static parl_queue *get_queue(void) {
  static parl_queue *queue; /* of the program's end, too */
  if (queue == NULL) assert_ok(parl_queue_create(get_inner("f32"), &queue));
  return queue;
}

static void finish(const char *op) {
  get_queue()->where = op;
  if (parl_queue_wait(get_queue()) != PARL_STATUS_OK) fail_msg("%s", parl_error_text());
}

/* A real card sees what tests/cuda/card_memory.h gives, and no more. */
#ifdef PARL_TEST_CARD
#define CHECK_POINTER(field)                              \
  if (checked.field != NULL && !card_sees(checked.field)) \
    fail_msg("%s: %s is the host's", checked_op, #field);
#define CHECK_POINTERS(op, given)              \
  do {                                         \
    static const char checked_op[] = #op;      \
    const parl_##op##_args checked = *(given); \
    PARL_POINTERS_##op(CHECK_POINTER);         \
  } while (0)
#else
#define CHECK_POINTERS(op, given) (void)0
#endif

/* A chosen seed makes a failure come again. */
const char *cuda_set_order(void) {
  const char *order = getenv("TEST_ORDER"), *seed = getenv("TEST_SEED");
  const bool is_random = order != NULL && strcmp(order, "random") == 0;
  const bool is_reverse = order != NULL && strcmp(order, "reverse") == 0;
  parl_emu_set_order(is_random    ? PARL_EMU_RANDOM
                     : is_reverse ? PARL_EMU_REVERSE
                                  : PARL_EMU_FORWARD,
                     seed != NULL ? strtoull(seed, NULL, 0) : 1);
  return is_random ? "random" : is_reverse ? "reverse" : "forward";
}

/* clang-format off: it breaks the selection into a column */
#define OPEN_BY_TYPE(x) _Generic(x, parl_act * : open_output, const parl_act * : open_input)
#define OPEN(field, is_one, rows, ld, width) \
  if (is_one) args.field = OPEN_BY_TYPE(args.field)(&o, args.field, rows, ld, width);
/* clang-format on */
#define RUN_NARROWED(op, call) \
  parl_##op##_args args = *a;  \
  views o = {.n = 0};          \
  PARL_ACTS_##op(OPEN) call;   \
  close_views(&o, #op);
#define X(op, tolerance, source)                                                           \
  static void f32_##op(PARL_NO_QUEUE, const parl_##op##_args *a) {                         \
    CHECK_POINTERS(op, a);                                                                 \
    get_inner("f32")->op(get_queue(), a);                                                  \
    finish(#op);                                                                           \
  }                                                                                        \
  static void bf16_##op(PARL_NO_QUEUE, const parl_##op##_args *a) {                        \
    RUN_NARROWED(op, CHECK_POINTERS(op, &args); get_inner("bf16")->op(get_queue(), &args); \
                 finish(#op))                                                              \
  }                                                                                        \
  static void oracle_##op(PARL_NO_QUEUE, const parl_##op##_args *a) {                      \
    RUN_NARROWED(op, parl_backend_ref_bf16_acts()->op(NULL, &args))                        \
  }
PARL_OP_LIST(X)
#undef X

static size_t linear_pack_elements(size_t N, size_t K) {
  return get_inner("f32")->linear_pack_elements(N, K);
}
static size_t cuda_scratch(size_t longest, size_t D, size_t Dv) {
  return get_inner("f32")->attention_scratch_floats(longest, D, Dv);
}
static size_t oracle_scratch(size_t longest, size_t D, size_t Dv) {
  return parl_backend_ref()->attention_scratch_floats(longest, D, Dv);
}

#define TABLE(called, type, scratch)                                                      \
  {                                                                                       \
    .name = "cuda", .instructions = called, .dtype = type, PARL_OP_LIST(X).act_bytes = 4, \
    .linear_pack_elements = linear_pack_elements, .attention_scratch_floats = scratch,    \
    .device = parl_device_host                                                            \
  }
#define X(op, tolerance, source) .op = f32_##op,
static const parl_backend level_f32 = TABLE("cuda:f32", "f32", cuda_scratch);
#undef X
#define X(op, tolerance, source) .op = bf16_##op,
static const parl_backend level_bf16 = TABLE("cuda:bf16", "bf16", cuda_scratch);
#undef X
#define X(op, tolerance, source) .op = oracle_##op,
static const parl_backend oracle_bf16 = TABLE("the oracle in bf16", "bf16", oracle_scratch);
#undef X

const parl_backend *cuda_level(const char *dtype) {
  cuda_set_order();
  return strcmp(dtype, "bf16") == 0 ? &level_bf16 : &level_f32;
}

const parl_backend *cuda_oracle(const parl_backend *level) {
  return level == &level_bf16 ? &oracle_bf16 : parl_backend_ref();
}
