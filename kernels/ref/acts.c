/* kernels/ref/acts.c - the oracle with operands of products kept in bf16, as a device keeps them.
 *
 * What lies behind a parl_act here is an uint16_t: whoever takes one for a float, or steps through
 * it as if it were, gets results that are plainly wrong, or ends outside the array. Every operand
 * of an op is widened to floats of its own, the oracle's op runs on them, and what it wrote is
 * rounded to the nearest bf16. For tests: an op allocates.
 * Reading order: the views, the table. */
#include "kernels/acts.h"

#include <math.h>
#include <stdlib.h>

#include "core/bf16.h"
#include "kernels/ref/ref_internal.h"

enum { MAX_VIEWS = 10 };

/* rows pieces of `width` elements, ld apart. */
typedef struct view {
  uint16_t *acts; /* NULL: an input */
  float *floats;  /* owned */
  size_t rows, ld, width;
} view;
typedef struct views {
  view all[MAX_VIEWS];
  size_t n;
} views;

static view *widen(views *o, const void *address, size_t rows, size_t ld, size_t width) {
  const uint16_t *acts = address;
  PARL_CHECK(o->n < MAX_VIEWS);
  view *v = &o->all[o->n++];
  *v = (view){.rows = rows, .ld = ld, .width = width};
  v->floats = malloc((rows * ld + width) * sizeof *v->floats);
  PARL_CHECK(v->floats != NULL);
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < width; i++) v->floats[r * ld + i] = parl_bf16_to_float(acts[r * ld + i]);
  return v;
}

static const parl_act *open_input(views *o, const parl_act *acts, size_t rows, size_t ld,
                                  size_t width) {
  return acts == NULL ? NULL : widen(o, acts, rows, ld, width)->floats;
}

static parl_act *open_output(views *o, parl_act *acts, size_t rows, size_t ld, size_t width) {
  if (acts == NULL) return NULL;
  view *v = widen(o, acts, rows, ld, width);
  v->acts = (uint16_t *)(void *)acts;
  return v->floats;
}

static uint16_t narrow(float x) {
  return isnan(x) ? 0x7fc0 : parl_bf16_from_float(x);
}

static void close_views(views *o) {
  for (size_t k = 0; k < o->n; k++) {
    const view *v = &o->all[k];
    for (size_t r = 0; r < v->rows && v->acts != NULL; r++)
      for (size_t i = 0; i < v->width; i++)
        v->acts[r * v->ld + i] = narrow(v->floats[r * v->ld + i]);
    free(v->floats);
  }
}

#define OPEN(field, is_one, rows, ld, width) \
  if (is_one)                                \
    args.field =                                                                           \
        _Generic(args.field, parl_act *: open_output, const parl_act *: open_input)(       \
            &o, args.field, rows, ld, width);
#define X(op, tolerance, source)                                 \
  static void op(parl_queue *queue, const parl_##op##_args *a) { \
    parl_##op##_args args = *a;                                  \
    views o = {.n = 0};                                          \
    PARL_ACTS_##op(OPEN) parl_ref_##op(queue, &args);            \
    close_views(&o);                                             \
  }
PARL_OP_LIST(X)
#undef X

const parl_backend *parl_backend_ref_bf16_acts(void) {
  static const parl_backend backend = {
      .name = "ref",
      .instructions = "double accumulation, operands kept in bf16",
      .dtype = "bf16",
#define X(op, tolerance, source) .op = op,
      PARL_OP_LIST(X)
#undef X
          .act_bytes = sizeof(uint16_t),
      .linear_pack_elements = parl_ref_linear_pack_elements,
      .attention_scratch_floats = parl_ref_attention_scratch_floats,
      .f32 = parl_backend_ref,
      .device = parl_device_host,
  };
  return &backend;
}
