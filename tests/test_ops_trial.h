/* tests/test_ops_trial.h - one op at one shape, on the oracle and on a level, and the comparison.
 *
 * Reading order: trial, inputs and outputs, RUN, compare, run_trial. */
#ifndef PARL_TESTS_TEST_OPS_TRIAL_H
#define PARL_TESTS_TEST_OPS_TRIAL_H
#include "tests/test_ops_support.h"

enum { MAX_BUFFERS = 24 };
typedef enum pass { ON_REF, ON_LEVEL, FOR_BOUND } pass;

typedef struct shape {
  size_t a, b, c;
} shape;

/* One op at one shape and regime. */
typedef struct trial {
  const parl_backend *backend;
  shape s;
  regime how;
  pass now;
  uint64_t stream; /* of the next input */
  double sensitivity;
  size_t n_inputs, n_outputs;
  buffer inputs[MAX_BUFFERS];
  buffer outputs[3][MAX_BUFFERS]; /* by pass */
  const char *names[MAX_BUFFERS];
  bool has_bound[MAX_BUFFERS];
} trial;

/* Distance between rows: a gap in every other shape. */
static inline size_t gap(const trial *t, size_t columns) {
  return t->s.a % 2 ? columns + 5 : columns;
}
static inline size_t shift_of(const trial *t) {
  return t->s.b % 2 ? 3 : 0;
}

static inline buffer *input_as(trial *t, size_t rows, size_t columns, size_t ld, regime how) {
  assert_true(t->n_inputs < MAX_BUFFERS);
  buffer *b = &t->inputs[t->n_inputs++];
  *b = buffer_create(rows, columns, ld, shift_of(t));
  buffer_fill(b, how, t->stream++);
  if (t->now == FOR_BOUND)
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < columns; j++) b->x[i * ld + j] = fabsf(b->x[i * ld + j]);
  return b;
}
static inline float *input(trial *t, size_t rows, size_t columns, size_t ld) {
  return input_as(t, rows, columns, ld, t->how)->x;
}

/* An input of a matrix product, in the dtype of the level. */
static inline float *operand(trial *t, size_t rows, size_t columns, size_t ld) {
  float *x = input(t, rows, columns, ld);
  for (size_t i = 0; i < rows && strcmp(t->backend->dtype, "bf16") == 0; i++)
    for (size_t j = 0; j < columns; j++) x[i * ld + j] = to_bf16(x[i * ld + j]);
  return x;
}

static inline float *output(trial *t, const char *name, size_t rows, size_t columns, size_t ld) {
  assert_true(t->n_outputs < MAX_BUFFERS);
  t->names[t->n_outputs] = name;
  buffer *b = &t->outputs[t->now][t->n_outputs++];
  *b = buffer_create(rows, columns, ld, shift_of(t));
  return b->x;
}
/* An output that the op adds to. */
static inline float *in_out(trial *t, const char *name, size_t rows, size_t columns, size_t ld) {
  float *x = output(t, name, rows, columns, ld);
  buffer *b = &t->outputs[t->now][t->n_outputs - 1];
  buffer_fill(b, CENTRED, t->stream++);
  if (t->now == FOR_BOUND)
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < columns; j++) x[i * ld + j] = fabsf(x[i * ld + j]);
  return x;
}
/* In the pass for bounds: where the bound of output `i` goes, [rows, columns] with its ld. */
static inline float *bound_of(trial *t, size_t i) {
  t->has_bound[i] = true;
  return t->outputs[FOR_BOUND][i].x;
}

static inline int32_t *indices(trial *t, size_t n, size_t below) {
  /* lives in an input buffer: floats and indices are equally wide */
  int32_t *x = (int32_t *)(void *)input_as(t, 1, n, n, CENTRED)->x;
  parl_rng_cursor cursor = {.seed = test_seed(), .stream = 1000 + t->stream};
  for (size_t i = 0; i < n; i++) x[i] = (int32_t)parl_rng_next_below(&cursor, below);
  return x;
}

/* Checks the arguments and runs the op where the pass wants it; `linear` ops give their own bounds
 * by running on absolute values. */
#define RUN(t, op, linear, args)                                                      \
  do {                                                                                \
    if (parl_##op##_check(args) != PARL_STATUS_OK) fail_msg("%s", parl_error_text()); \
    if ((t)->now == ON_REF || ((t)->now == FOR_BOUND && (linear)))                    \
      get_oracle((t)->backend)->op(NULL, args);                                       \
    if ((t)->now == ON_LEVEL) (t)->backend->op(NULL, args);                           \
    if ((t)->now == FOR_BOUND && (linear))                                            \
      for (size_t i_ = 0; i_ < (t)->n_outputs; i_++) (t)->has_bound[i_] = true;       \
  } while (0)

static inline const parl_backend *packer(const trial *t) {
  return t->now == ON_LEVEL ? t->backend : get_oracle(t->backend);
}

/* W [N,K] packed by the backend that will read it. */
static inline const float *packed_weight(trial *t, const float *w, size_t N, size_t K) {
  const parl_backend *backend = packer(t);
  const size_t n = backend->linear_pack_elements(N, K);
  buffer *packed = input_as(t, 1, n, n, CENTRED);
  for (size_t i = 0; i < n; i++) packed->x[i] = guard_value();
  const parl_linear_pack_args args = {.N = N, .K = K, .w = w, .packed = packed->x};
  if (parl_linear_pack_check(&args) != PARL_STATUS_OK) fail_msg("%s", parl_error_text());
  backend->linear_pack(NULL, &args);
  for (size_t i = 0; i < n; i++) assert_false(is_guard(packed->x[i]));
  return packed->x;
}

static inline void compare(const trial *t, const char *op, double tolerance, size_t which) {
  const buffer *ref = &t->outputs[ON_REF][which], *got = &t->outputs[ON_LEVEL][which];
  const buffer *bound = &t->outputs[FOR_BOUND][which];
  assert_true(t->has_bound[which]);
  for (size_t r = 0; r < ref->rows; r++)
    for (size_t c = 0; c < ref->columns; c++) {
      const size_t i = r * ref->ld + c;
      const double want = (double)ref->x[i], is = (double)got->x[i];
      const double allowed =
          (tolerance * t->sensitivity + rounding_of(t->backend)) * fabs((double)bound->x[i]) +
          (tolerance > 0.0 ? 1e-30 : 0.0);
      if (!(fabs(is - want) <= allowed))
        fail_msg(
            "%s on cpu:%s, shape %zu %zu %zu, %s, seed %llu: %s[%zu,%zu] is %.9g, not %.9g; "
            "allowed difference %.3g",
            op, t->backend->instructions, t->s.a, t->s.b, t->s.c, regime_names[t->how],
            (unsigned long long)test_seed(), t->names[which], r, c, is, want, allowed);
    }
}

static inline void fill_rows(float *x, size_t rows, size_t columns, size_t ld, float value) {
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) x[r * ld + c] = value;
}

static inline float largest(const float *x, size_t rows, size_t columns, size_t ld) {
  float most = 0.0f;
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) most = fmaxf(most, fabsf(x[r * ld + c]));
  return most;
}

/* A case of a table. */
typedef struct trial_row {
  const char *op;
  double tolerance;
  void (*run)(trial *t);
  char kind; /* m: three extents, r: rows and width, v: vector, a: attention */
} trial_row;

static inline void run_trial(const trial_row *table, const parl_backend *backend, shape s,
                             regime how) {
  trial t = {.backend = backend, .s = s, .how = how, .sensitivity = 1.0};
  for (pass now = ON_REF; now <= FOR_BOUND; now++) {
    t.now = now;
    t.n_outputs = t.n_inputs = 0;
    t.stream = 1;
    table->run(&t);
    for (size_t i = 0; i < t.n_inputs; i++) {
      if (!buffer_is_intact(&t.inputs[i]))
        fail_msg("%s on %s, shape %zu %zu %zu: wrote outside input or scratch %zu", table->op,
                 backend->instructions, s.a, s.b, s.c, i);
      buffer_destroy(&t.inputs[i]);
    }
  }
  for (size_t i = 0; i < t.n_outputs; i++) {
    compare(&t, table->op, table->tolerance, i);
    if (!buffer_is_intact(&t.outputs[ON_REF][i]) || !buffer_is_intact(&t.outputs[ON_LEVEL][i]))
      fail_msg("%s on %s, shape %zu %zu %zu: wrote outside %s", table->op, backend->instructions,
               s.a, s.b, s.c, t.names[i]);
    for (pass p = ON_REF; p <= FOR_BOUND; p++) buffer_destroy(&t.outputs[p][i]);
  }
}

#endif
