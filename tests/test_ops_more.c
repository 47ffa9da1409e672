/* tests/test_ops_more.c - parity of the ops of kernels/ops_more.h: copies and sums, routing and
 * experts, sampling, pieces of an optimizer; and what experts and routing must not do.
 *
 * Each op runs on the oracle and on every instruction set, over shapes with odd extents, with
 * guarded buffers; the bound is the op's tolerance times the largest element and the number of
 * terms of a sum. Reading order: pair, the cases, the table. */
#include "tests/test_ops_support.h"

enum { MAX_BUFFERS = 24 };

/* The same inputs for both sides; outputs are compared. */
typedef struct pair {
  const parl_backend *backends[2]; /* the oracle, and what is tried */
  int side;
  size_t a, b;   /* extents */
  double spread; /* terms that an element sums */
  uint64_t stream;
  size_t n[2];
  buffer buffers[2][MAX_BUFFERS];
  bool is_output[MAX_BUFFERS];
} pair;

static buffer *take(pair *p, size_t n, bool is_output) {
  const size_t i = p->n[p->side]++;
  assert_true(i < MAX_BUFFERS);
  p->is_output[i] = is_output;
  p->buffers[p->side][i] = buffer_create(1, n, n, p->a % 2 ? 3 : 0);
  return &p->buffers[p->side][i];
}

static float *in(pair *p, size_t n) {
  buffer *b = take(p, n, false);
  buffer_fill(b, CENTRED, p->stream++);
  return b->x;
}

static float *out(pair *p, size_t n) {
  return take(p, n, true)->x;
}

/* An output that the op adds to, or changes. */
static float *both(pair *p, size_t n) {
  buffer *b = take(p, n, true);
  buffer_fill(b, CENTRED, p->stream++);
  return b->x;
}

static int32_t *whole_out(pair *p, size_t n) {
  return (int32_t *)(void *)out(p, n);
}

/* Whole numbers as floats, so that they are compared as numbers. */
static void widen(int32_t *x, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const float value = (float)x[i];
    memcpy(&x[i], &value, sizeof value);
  }
}

static uint64_t below(pair *p, uint64_t n) {
  parl_rng_cursor cursor = {.seed = test_seed(), .stream = 7000 + p->stream++};
  return parl_rng_next_below(&cursor, n);
}

#define TRY(p, op, args)                                                              \
  do {                                                                                \
    if (parl_##op##_check(args) != PARL_STATUS_OK) fail_msg("%s", parl_error_text()); \
    (p)->backends[(p)->side]->op(NULL, (args));                                       \
  } while (0)

static void case_copy2d(pair *p) {
  const size_t rows = p->a, groups = 3, width = p->b;
  const parl_copy2d_args args = {rows,
                                 groups,
                                 width,
                                 sizeof(float),
                                 in(p, rows * (groups * (width + 1))),
                                 groups * (width + 1),
                                 width + 1,
                                 out(p, rows * groups * width),
                                 groups * width,
                                 width};
  TRY(p, copy2d, &args);
  const parl_copy2d_args repeated = {rows,
                                     groups,
                                     width,
                                     sizeof(float),
                                     in(p, rows * width),
                                     width,
                                     0,
                                     out(p, rows * groups * width),
                                     groups * width,
                                     width};
  TRY(p, copy2d, &repeated);
  const parl_copy2d_args transposed = {
      rows, width, 1, sizeof(float), in(p, rows * width), width, 1, out(p, rows * width), 1, rows};
  TRY(p, copy2d, &transposed);
  for (size_t i = 0; i < rows * width; i++)
    assert_true(((float *)transposed.to)[i % width * rows + i / width] ==
                ((const float *)transposed.from)[i]);
  const parl_copy2d_args halves = {
      rows, 1, 2 * width, 2, in(p, rows * width), 2 * width, 0, out(p, rows * width), 2 * width, 0};
  TRY(p, copy2d, &halves);
}

static void case_to_act(pair *p) {
  const size_t n = p->a * p->b;
  const parl_to_act_args args = {n, in(p, n), out(p, n)};
  TRY(p, to_act, &args);
}

static void case_axpby(pair *p) {
  const size_t n = p->a * p->b;
  const parl_axpby_args args = {n, 0.3F, in(p, n), -1.7F, both(p, n)};
  TRY(p, axpby, &args);
  const parl_axpby_args alone = {n, 0.3F, NULL, -1.7F, both(p, n)};
  TRY(p, axpby, &alone);
}

static void case_sum_heads(pair *p) {
  const size_t heads = 5, D = p->b, stride = D + 3, ld = heads * stride;
  const parl_sum_heads_args args = {p->a, heads, D, in(p, p->a * ld), ld, stride, out(p, p->a * D),
                                    D};
  TRY(p, sum_heads, &args);
}

static void case_sigmoid_fwd(pair *p) {
  const size_t n = p->a * p->b;
  const parl_sigmoid_fwd_args args = {n, both(p, n)};
  TRY(p, sigmoid_fwd, &args);
}

static void case_sigmoid_bwd(pair *p) {
  const size_t n = p->a * p->b;
  const parl_sigmoid_bwd_args args = {n, in(p, n), both(p, n)};
  TRY(p, sigmoid_bwd, &args);
}

/* E experts in groups or not, weights normalised or not, by the shape. */
static parl_router make_router(const pair *p) {
  const size_t E = p->b < 6 ? 6 : p->b / 3 * 3;
  return (parl_router){E, 4, p->a % 3 ? 3 : 1, p->a % 3 ? 2 : 1, p->a % 2 == 1, 1.7};
}

static float *make_scores(pair *p, size_t n) {
  float *x = in(p, n);
  for (size_t i = 0; i < n; i++) x[i] = 1.0F / (1.0F + expf(-x[i]));
  return x;
}

/* Different experts for each row, ascending. */
static int32_t *make_choice(pair *p, const parl_router *r, size_t rows) {
  int32_t *chosen = (int32_t *)(void *)in(p, rows * r->n_chosen);
  for (size_t t = 0; t < rows; t++)
    for (size_t k = 0; k < r->n_chosen; k++) {
      const size_t low = k * r->n_experts / r->n_chosen,
                   high = (k + 1) * r->n_experts / r->n_chosen;
      chosen[t * r->n_chosen + k] = (int32_t)(low + below(p, high - low));
    }
  return chosen;
}

static void case_route_fwd(pair *p) {
  const parl_router r = make_router(p);
  const parl_route_fwd_args args = {r,
                                    p->a,
                                    make_scores(p, p->a * r.n_experts),
                                    in(p, r.n_experts),
                                    whole_out(p, p->a * r.n_chosen),
                                    out(p, p->a * r.n_chosen)};
  TRY(p, route_fwd, &args);
  for (size_t i = 0; i < p->a * r.n_chosen; i++)
    assert_true(i % r.n_chosen == 0 || args.chosen[i - 1] < args.chosen[i]);
  widen(args.chosen, p->a * r.n_chosen);
}

static void case_route_bwd(pair *p) {
  const parl_router r = make_router(p);
  const parl_route_bwd_args args = {r,
                                    p->a,
                                    make_scores(p, p->a * r.n_experts),
                                    make_choice(p, &r, p->a),
                                    in(p, p->a * r.n_chosen),
                                    out(p, p->a * r.n_experts)};
  TRY(p, route_bwd, &args);
}

static void case_balance(pair *p) {
  const parl_router r = make_router(p);
  const int32_t middle = (int32_t)(p->a / 2);
  const int32_t seq_start[] = {0, middle, (int32_t)p->a};
  double loss = 0.25;
  const parl_balance_args args = {r,
                                  middle > 0 ? 2 : 1,
                                  middle > 0 ? seq_start : seq_start + 1,
                                  make_scores(p, p->a * r.n_experts),
                                  make_choice(p, &r, p->a),
                                  0.3,
                                  both(p, p->a * r.n_experts),
                                  &loss};
  TRY(p, balance, &args);
  *out(p, 1) = (float)loss;
}

static void case_dispatch(pair *p) {
  const parl_router r = make_router(p);
  const size_t n = p->a * r.n_chosen;
  const parl_dispatch_args args = {p->a,
                                   r.n_experts,
                                   r.n_chosen,
                                   make_choice(p, &r, p->a),
                                   whole_out(p, r.n_experts + 1),
                                   whole_out(p, n),
                                   whole_out(p, n)};
  TRY(p, dispatch, &args);
  for (size_t i = 0; i < n; i++) /* a choice finds its token in its expert's part */
    assert_int_equal(args.row_of[args.place_of[i]], i / r.n_chosen);
  for (size_t i = 0; i < n; i++)
    assert_true(args.place_of[i] >= args.first[args.chosen[i]] &&
                args.place_of[i] < args.first[args.chosen[i] + 1]);
  widen(args.first, r.n_experts + 1);
  widen(args.row_of, n);
  widen(args.place_of, n);
}

static void case_count_load(pair *p) {
  int32_t *first = (int32_t *)(void *)in(p, p->b + 1);
  int64_t load[600];
  float *sums = out(p, p->b);
  first[0] = 0;
  for (size_t e = 0; e < p->b; e++) {
    first[e + 1] = first[e] + (int32_t)below(p, 4);
    load[e] = (int64_t)e;
  }
  const parl_count_load_args args = {p->b, first, load};
  TRY(p, count_load, &args);
  for (size_t e = 0; e < p->b; e++) sums[e] = (float)load[e];
}

/* A random order of the assignments of p->a rows. */
static int32_t *make_places(pair *p, size_t n) {
  int32_t *places = (int32_t *)(void *)in(p, n);
  for (size_t i = 0; i < n; i++) places[i] = (int32_t)i;
  for (size_t i = n; i > 1; i--) {
    const size_t j = below(p, i);
    const int32_t swap = places[i - 1];
    places[i - 1] = places[j];
    places[j] = swap;
  }
  return places;
}

static void case_combine_fwd(pair *p) {
  const size_t rows = p->a, C = p->b, K = 3;
  parl_combine_fwd_args args = {.rows = rows,
                                .C = C,
                                .n_chosen = K,
                                .place_of = make_places(p, rows * K),
                                .weights = in(p, rows * K),
                                .output = in(p, rows * K * C)};
  args.out = both(p, rows * C);
  TRY(p, combine_fwd, &args);
  args.weights = NULL;
  args.out = both(p, rows * C);
  TRY(p, combine_fwd, &args);
}

static void case_combine_bwd(pair *p) {
  const size_t rows = p->a, C = p->b, K = 3;
  const parl_combine_bwd_args args = {rows,
                                      C,
                                      K,
                                      make_places(p, rows * K),
                                      in(p, rows * K),
                                      in(p, rows * K * C),
                                      in(p, rows * C),
                                      out(p, rows * K * C),
                                      out(p, rows * K)};
  p->spread = (double)C;
  TRY(p, combine_bwd, &args);
}

static void round_all(const pair *p, float *x, size_t n) {
  if (strcmp(p->backends[1]->dtype, "bf16") != 0) return;
  for (size_t i = 0; i < n; i++) x[i] = to_bf16(x[i]);
}

enum { EXPERTS = 3 };

/* The second expert has no rows, as may be. */
static parl_experts_fwd_args make_experts(pair *p, int32_t first[EXPERTS + 1]) {
  const size_t n = p->a, C = p->b, F = p->b + 1;
  const parl_backend *backend = p->backends[p->side];
  float *gate_up = in(p, EXPERTS * 2 * F * C), *down = in(p, EXPERTS * C * F);
  const size_t pack_gate_up = backend->linear_pack_elements(2 * F, C);
  const size_t pack_down = backend->linear_pack_elements(C, F);
  float *packed = in(p, EXPERTS * (pack_gate_up + pack_down));
  float *packed_down = packed + EXPERTS * pack_gate_up;
  round_all(p, gate_up, EXPERTS * 2 * F * C);
  round_all(p, down, EXPERTS * C * F);
  for (size_t e = 0; e < EXPERTS; e++) {
    const parl_linear_pack_args a = {2 * F, C, gate_up + e * 2 * F * C, packed + e * pack_gate_up};
    const parl_linear_pack_args b = {C, F, down + e * C * F, packed_down + e * pack_down};
    backend->linear_pack(NULL, &a);
    backend->linear_pack(NULL, &b);
  }
  first[0] = 0;
  first[1] = first[2] = (int32_t)(n / 2);
  first[EXPERTS] = (int32_t)n;
  p->spread = (double)C;
  return (parl_experts_fwd_args){.E = EXPERTS,
                                 .C = C,
                                 .F = F,
                                 .first = first,
                                 .gate_up = {packed, pack_gate_up, gate_up, 2 * F * C, 2 * F * C},
                                 .down = {packed_down, pack_down, down, C * F, C * F}};
}

static void case_experts_fwd(pair *p) {
  int32_t first[EXPERTS + 1];
  parl_experts_fwd_args args = make_experts(p, first);
  float *input = in(p, p->a * args.C);
  round_all(p, input, p->a * args.C);
  args.input = input;
  args.inner = out(p, p->a * 2 * args.F);
  args.act = out(p, p->a * args.F);
  args.output = out(p, p->a * args.C);
  TRY(p, experts_fwd, &args);
}

static void case_experts_bwd(pair *p) {
  int32_t first[EXPERTS + 1];
  parl_experts_bwd_args args = {.fwd = make_experts(p, first)};
  parl_experts_fwd_args *f = &args.fwd;
  float *input = in(p, p->a * f->C), *doutput = in(p, p->a * f->C);
  round_all(p, input, p->a * f->C);
  round_all(p, doutput, p->a * f->C);
  f->input = input;
  f->inner = both(p, p->a * 2 * f->F);
  f->act = both(p, p->a * f->F);
  round_all(p, f->act, p->a * f->F);
  f->output = out(p, 1); /* not read */
  args.doutput = doutput;
  args.dinput = out(p, p->a * f->C);
  args.dgate_up = both(p, EXPERTS * 2 * f->F * f->C);
  args.ddown = both(p, EXPERTS * f->C * f->F);
  float before[8];
  float *idle = args.ddown + f->C * f->F; /* of the expert without rows */
  const size_t n = f->C * f->F < 8 ? f->C * f->F : 8;
  memcpy(before, idle, n * sizeof *before);
  TRY(p, experts_bwd, &args);
  assert_memory_equal(before, idle, n * sizeof *before);
  *f->output = 0.0F;
}

enum { MOST_DRAWS = 600, MOST_WORDS = 10 };

/* A draw for each of a rows over b tokens; the four arrays are filled afterwards. */
static parl_sample_args new_draws(pair *p, const uint64_t *mask, const float *inv,
                                  const double *uniform, const double *top_p) {
  const size_t rows = p->a, V = p->b;
  assert_true(rows <= MOST_DRAWS && (V + 63) / 64 <= MOST_WORDS);
  const parl_sample_args args = {.rows = rows,
                                 .V = V,
                                 .logits = both(p, rows * V),
                                 .mask = mask,
                                 .inv_temperature = inv,
                                 .uniform = uniform,
                                 .top_p = top_p,
                                 .token = whole_out(p, rows),
                                 .logp = out(p, rows),
                                 .entropy = out(p, rows),
                                 .kept = out(p, rows)};
  return args;
}

/* All tokens alike but the first, which is masked, and draws where one ends and the next begins; or
 * the last is heavier, behind those that a nucleus leaves out, and draws are within tokens. */
static void draw_of_equals(pair *p, bool has_heavier) {
  const size_t rows = p->a, V = p->b, words = (V + 63) / 64;
  double uniform[MOST_DRAWS], top_p[MOST_DRAWS];
  uint64_t mask[MOST_DRAWS * MOST_WORDS];
  float *inv = in(p, rows);
  const parl_sample_args args = new_draws(p, mask, inv, uniform, top_p);
  for (size_t i = 0; i < rows * V; i++)
    args.logits[i] = has_heavier && i % V == V - 1 ? 3.5F : 0.5F;
  for (size_t r = 0; r < rows; r++) {
    inv[r] = 1.0F;
    uniform[r] = ((double)(r % V) + (has_heavier ? 0.37 : 0.0)) / (double)V;
    top_p[r] = r % 3 == 0 ? 1.0 : 0.6;
    for (size_t w = 0; w < words; w++) mask[r * words + w] = UINT64_MAX;
    if (V > 1) mask[r * words] = UINT64_MAX - 1;
  }
  TRY(p, sample, &args);
  widen(args.token, rows);
}

/* Equal logits on both sides give nearly equal probabilities; the draws are far from their
 * edges. */
static void case_sample(pair *p) {
  const size_t rows = p->a, V = p->b, words = (V + 63) / 64;
  double uniform[MOST_DRAWS], top_p[MOST_DRAWS];
  uint64_t mask[MOST_DRAWS * MOST_WORDS];
  float *inv = in(p, rows);
  const parl_sample_args args = new_draws(p, mask, inv, uniform, top_p);
  for (size_t r = 0; r < rows; r++) {
    inv[r] = r % 4 == 0 ? 0.0F : 0.5F + (float)(r % 3);
    uniform[r] = (double)below(p, 1000) / 1000.0;
    top_p[r] = r % 3 == 0 ? 1.0 : 0.07 + 0.31 * (double)(r % 5 < 3 ? r % 5 : 2);
    for (size_t w = 0; w < words; w++) mask[r * words + w] = 0x5b5b5b5b5b5b5b5b;
  }
  TRY(p, sample, &args);
  for (size_t r = 0; r < rows; r++) {
    const size_t token = (size_t)args.token[r];
    assert_true(mask[r * words + token / 64] >> (token % 64) & 1);
    assert_true(args.logits[r * V + token] > 0.0F);
  }
  widen(args.token, rows);
  draw_of_equals(p, false);
  draw_of_equals(p, true);
}

static void case_normalise(pair *p) {
  const size_t n = p->a * p->b;
  float *x = both(p, n);
  double squares = 0.0;
  for (size_t i = 0; i < n; i++) squares += (double)x[i] * (double)x[i];
  const parl_normalise_args args = {n, &squares, x};
  TRY(p, normalise, &args);
}

static void case_round_int4(pair *p) {
  float *w = in(p, p->a * p->b);
  if (p->a > 2) w[p->b] = NAN; /* one bad group */
  const parl_round_int4_args args = {p->a, p->b, w, out(p, p->a * p->b)};
  TRY(p, round_int4, &args);
}

typedef struct op_case {
  const char *op;
  double tolerance;
  void (*run)(pair *p);
  bool is_product;
} op_case;

static const op_case cases[] = {
#define X(op, tolerance, source) {#op, tolerance, case_##op, true},
    PARL_EXPERT_OP_LIST(X)
#undef X
#define X(op, tolerance, source) {#op, tolerance, case_##op, false},
        PARL_TOKEN_OP_LIST(X) PARL_PLAIN_OP_LIST(X)
#undef X
};
enum { N_CASES = sizeof cases / sizeof *cases };

static void compare(const pair *p, const op_case *c) {
  for (size_t i = 0; i < p->n[0]; i++) {
    const buffer *want = &p->buffers[0][i], *is = &p->buffers[1][i];
    if (!buffer_is_intact(want) || !buffer_is_intact(is))
      fail_msg("%s on %s, %zu x %zu: wrote outside buffer %zu", c->op, p->backends[1]->instructions,
               p->a, p->b, i);
    if (!p->is_output[i]) continue;
    double most = 0.0;
    for (size_t k = 0; k < want->columns; k++)
      if (isfinite(want->x[k])) most = fmax(most, fabs((double)want->x[k]));
    /* between the products of an expert bf16 levels round what the oracle keeps */
    const bool is_bf16 = strcmp(p->backends[1]->dtype, "bf16") == 0;
    const double tolerance =
        (c->is_product && is_bf16 ? 0x1p-7 : c->tolerance) + rounding_of(p->backends[1]);
    const double allowed = tolerance * sqrt(p->spread) * most;
    for (size_t k = 0; k < want->columns; k++) {
      const double x = (double)want->x[k], y = (double)is->x[k];
      if (isnan(x) && isnan(y) && !is_guard(is->x[k])) continue;
      if (!(fabs(x - y) <= allowed))
        fail_msg("%s on %s, %zu x %zu, seed %llu: output %zu[%zu] is %.9g, not %.9g", c->op,
                 p->backends[1]->instructions, p->a, p->b, (unsigned long long)test_seed(), i, k, y,
                 x);
    }
  }
}

static void run_pair(const op_case *c, const parl_backend *backend, size_t a, size_t b) {
  pair p = {.backends = {get_oracle(backend), backend}, .a = a, .b = b, .spread = 1.0};
  for (p.side = 0; p.side < 2; p.side++) {
    p.stream = 1;
    c->run(&p);
  }
  compare(&p, c);
  for (int side = 0; side < 2; side++)
    for (size_t i = 0; i < p.n[side]; i++) buffer_destroy(&p.buffers[side][i]);
}

static void test_parity(void **state) {
  const size_t which = (size_t)(uintptr_t)*state;
  const op_case *c = &cases[which / N_LEVELS];
  const parl_backend *backend = get_level(level_names[which % N_LEVELS]);
  static const size_t edges[] = {1, 2, 5, 33, 48};
  for (size_t a = 0; a < 5; a++)
    for (size_t b = 0; b < 5; b++) run_pair(c, backend, edges[a], edges[b]);
  run_pair(c, backend, 17, 130);
  if (!c->is_product) run_pair(c, backend, 70, 6); /* more choices than a block sorts at once */
}

int main(void) {
  static struct CMUnitTest tests[N_CASES * N_LEVELS];
  static char names[N_CASES * N_LEVELS][64];
  size_t n = 0;
  for (size_t i = 0; i < N_CASES * N_LEVELS; i++) {
    /* what is no product is the same in all levels but those of f32 */
    if (!cases[i / N_LEVELS].is_product && i % N_LEVELS >= N_F32_LEVELS) continue;
    snprintf(names[n], sizeof names[n], "%s on cpu:%s", cases[i / N_LEVELS].op,
             level_names[i % N_LEVELS]);
    tests[n] = (struct CMUnitTest){names[n], test_parity, NULL, NULL, (void *)(uintptr_t)i};
    n++;
  }
  cmocka_set_test_filter(getenv("TEST_ONLY")); /* "rope on *" */
  return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}
