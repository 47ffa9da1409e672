/* tests/test_ops_invariance.c - a row has the same bits alone, in any batch and at any place.
 *
 * Each case computes a batch whole, then in pieces of 1, 2, 3, ... rows (every tile of the matrix
 * product among them), and compares bytes. Sequences of attention and slots of the decoder are
 * rows in this sense. Reading order: batch, cases, the table. */
#include "tests/test_ops_support.h"

enum { ROWS = 41, MAX_OUTPUTS = 3 };

/* The op over rows first..first+n of the batch, writing to the same rows of `out`. */
typedef struct batch {
  const parl_backend *backend;
  size_t a, b;  /* extents of the case */
  float *in[4]; /* inputs, borrowed from the case */
  float *out[MAX_OUTPUTS];
  size_t width[MAX_OUTPUTS]; /* floats of a row of an output */
  int32_t *index;
  float *scratch;
  void (*run)(struct batch *t, size_t first, size_t n);
} batch;

static float *random_floats(size_t n, uint64_t stream) {
  float *x = malloc(n * sizeof *x);
  assert_non_null(x);
  parl_rng_cursor cursor = {.seed = test_seed(), .stream = stream};
  for (size_t i = 0; i < n; i++) x[i] = draw(CENTRED, &cursor);
  return x;
}

static void compare_pieces(batch *t, const char *op) {
  float *whole[MAX_OUTPUTS] = {0};
  for (size_t o = 0; o < MAX_OUTPUTS && t->width[o]; o++) {
    t->out[o] = random_floats(ROWS * t->width[o], 90);
    whole[o] = random_floats(ROWS * t->width[o], 90);
  }
  t->run(t, 0, ROWS);
  for (size_t o = 0; o < MAX_OUTPUTS && t->width[o]; o++) {
    memcpy(whole[o], t->out[o], ROWS * t->width[o] * sizeof(float));
  }
  for (size_t piece = 1; piece <= 20; piece += parl_test_is_short() ? 6 : 1) {
    for (size_t o = 0; o < MAX_OUTPUTS && t->width[o]; o++) {
      free(t->out[o]);
      t->out[o] = random_floats(ROWS * t->width[o], 90);
    }
    for (size_t first = 0; first < ROWS; first += piece)
      t->run(t, first, piece < ROWS - first ? piece : ROWS - first);
    for (size_t o = 0; o < MAX_OUTPUTS && t->width[o]; o++)
      if (memcmp(whole[o], t->out[o], ROWS * t->width[o] * sizeof(float)) != 0)
        fail_msg("%s on %s, extents %zu %zu, seed %llu: output %zu differs in pieces of %zu rows",
                 op, t->backend->instructions, t->a, t->b, (unsigned long long)test_seed(), o,
                 piece);
  }
  for (size_t o = 0; o < MAX_OUTPUTS; o++) {
    free(whole[o]);
    free(t->out[o]);
  }
  for (size_t i = 0; i < 4; i++) free(t->in[i]);
  free(t->index);
  free(t->scratch);
}

/* a = N, b = K; in: x, packed, W, whose first numbers are a bias, too */
static void run_linear_fwd(batch *t, size_t first, size_t n) {
  parl_linear_fwd_args args = {.M = n,
                               .N = t->a,
                               .K = t->b,
                               .x = t->in[0] + first * t->b,
                               .ld_x = t->b,
                               .packed = t->in[1],
                               .y = t->out[0] + first * t->a,
                               .ld_y = t->a};
  t->backend->linear_fwd(NULL, &args);
  args.y = t->out[1] + first * t->a;
  args.residual = args.y;
  t->backend->linear_fwd(NULL, &args);
  args.bias = t->in[2];
  t->backend->linear_fwd(NULL, &args);
}

static void case_linear_fwd(const parl_backend *backend, size_t N, size_t K) {
  batch t = {.backend = backend, .a = N, .b = K, .width = {N, N}, .run = run_linear_fwd};
  t.in[0] = random_floats(ROWS * K, 1);
  t.in[1] = random_floats(backend->linear_pack_elements(N, K), 2);
  t.in[2] = random_floats(N * K, 3);
  const parl_linear_pack_args pack = {.N = N, .K = K, .w = t.in[2], .packed = t.in[1]};
  backend->linear_pack(NULL, &pack);
  compare_pieces(&t, "linear_fwd");
}

/* a = N, b = K; in: dy, W, packed */
static void run_linear_bwd_input(batch *t, size_t first, size_t n) {
  parl_linear_bwd_input_args args = {.M = n,
                                     .N = t->a,
                                     .K = t->b,
                                     .dy = t->in[0] + first * t->a,
                                     .ld_dy = t->a,
                                     .w = t->in[1],
                                     .packed = t->in[2],
                                     .dx = t->out[0] + first * t->b,
                                     .ld_dx = t->b};
  t->backend->linear_bwd_input(NULL, &args);
  args.dx = t->out[1] + first * t->b;
  args.accumulate = true;
  t->backend->linear_bwd_input(NULL, &args);
}

static void case_linear_bwd_input(const parl_backend *backend, size_t N, size_t K) {
  batch t = {.backend = backend, .a = N, .b = K, .width = {K, K}, .run = run_linear_bwd_input};
  t.in[0] = random_floats(ROWS * N, 1);
  t.in[1] = random_floats(N * K, 2);
  t.in[2] = random_floats(backend->linear_pack_elements(N, K), 3);
  const parl_linear_pack_args pack = {.N = N, .K = K, .w = t.in[1], .packed = t.in[2]};
  backend->linear_pack(NULL, &pack);
  compare_pieces(&t, "linear_bwd_input");
}

/* a = C; in: x, weight, dy, dweight */
static void run_rmsnorm(batch *t, size_t first, size_t n) {
  const size_t C = t->a, at = first * C;
  const parl_rmsnorm_fwd_args fwd = {.rows = n,
                                     .C = C,
                                     .x = t->in[0] + at,
                                     .ld_x = C,
                                     .weight = t->in[1],
                                     .eps = 1e-6f,
                                     .y = t->out[0] + at,
                                     .ld_y = C,
                                     .inv_rms = t->out[1] + first};
  t->backend->rmsnorm_fwd(NULL, &fwd);
  const parl_rmsnorm_bwd_args bwd = {.rows = n,
                                     .C = C,
                                     .x = t->in[0] + at,
                                     .ld_x = C,
                                     .weight = t->in[1],
                                     .inv_rms = t->out[1] + first,
                                     .dy = t->in[2] + at,
                                     .ld_dy = C,
                                     .dx = t->out[2] + at,
                                     .ld_dx = C,
                                     .dweight = t->in[3]};
  t->backend->rmsnorm_bwd(NULL, &bwd);
}

static void case_rmsnorm(const parl_backend *backend, size_t C, size_t unused) {
  (void)unused;
  batch t = {.backend = backend, .a = C, .width = {C, 1, C}, .run = run_rmsnorm};
  for (size_t i = 0; i < 4; i++) t.in[i] = random_floats(ROWS * C, i + 1);
  compare_pieces(&t, "rmsnorm");
}

/* a = C; in: x, weight and bias, dy, their gradients */
static void run_layernorm(batch *t, size_t first, size_t n) {
  const size_t C = t->a, at = first * C;
  const parl_layernorm_fwd_args fwd = {.rows = n,
                                       .C = C,
                                       .x = t->in[0] + at,
                                       .ld_x = C,
                                       .weight = t->in[1],
                                       .bias = t->in[1] + C,
                                       .eps = 1e-5f,
                                       .y = t->out[0] + at,
                                       .ld_y = C,
                                       .mean = t->out[1] + first,
                                       .inv_std = t->in[1] + 2 * C + first};
  t->backend->layernorm_fwd(NULL, &fwd);
  const parl_layernorm_bwd_args bwd = {.rows = n,
                                       .C = C,
                                       .x = fwd.x,
                                       .ld_x = C,
                                       .weight = fwd.weight,
                                       .mean = fwd.mean,
                                       .inv_std = fwd.inv_std,
                                       .dy = t->in[2] + at,
                                       .ld_dy = C,
                                       .dx = t->out[2] + at,
                                       .ld_dx = C,
                                       .dweight = t->in[3],
                                       .dbias = t->in[3] + C};
  t->backend->layernorm_bwd(NULL, &bwd);
}

static void case_layernorm(const parl_backend *backend, size_t C, size_t unused) {
  (void)unused;
  batch t = {.backend = backend, .a = C, .width = {C, 1, C}, .run = run_layernorm};
  for (size_t i = 0; i < 4; i++) t.in[i] = random_floats(ROWS * (C + 2), i + 1);
  compare_pieces(&t, "layernorm");
}

/* a = width, b: whether exact; in: x, dy */
static void run_gelu(batch *t, size_t first, size_t n) {
  const size_t at = first * t->a, size = n * t->a;
  const parl_gelu_fwd_args fwd = {
      .n = size, .exact = t->b == 1, .x = t->in[0] + at, .y = t->out[0] + at};
  t->backend->gelu_fwd(NULL, &fwd);
  const parl_gelu_bwd_args bwd = {
      .n = size, .exact = fwd.exact, .x = fwd.x, .dy = t->in[1] + at, .dx = t->out[1] + at};
  t->backend->gelu_bwd(NULL, &bwd);
}

static void case_gelu(const parl_backend *backend, size_t width, size_t exact) {
  batch t = {.backend = backend, .a = width, .b = exact, .width = {width, width}, .run = run_gelu};
  for (size_t i = 0; i < 2; i++) t.in[i] = random_floats(ROWS * width, i + 1);
  compare_pieces(&t, "gelu");
}

/* a = C, b = taps; in: weights, table, dout; the gradients add up in the order of the rows */
static void run_mix_rows(batch *t, size_t first, size_t n) {
  const parl_mix_rows_fwd_args fwd = {.rows = n,
                                      .taps = t->b,
                                      .C = t->a,
                                      .weights = t->in[0] + first * t->b,
                                      .index = t->index + first * t->b,
                                      .table = t->in[1],
                                      .out = t->out[0] + first * t->a};
  t->backend->mix_rows_fwd(NULL, &fwd);
  const parl_mix_rows_bwd_args bwd = {.rows = n,
                                      .taps = t->b,
                                      .C = t->a,
                                      .weights = fwd.weights,
                                      .index = fwd.index,
                                      .dout = t->in[2] + first * t->a,
                                      .dtable = t->out[1]};
  t->backend->mix_rows_bwd(NULL, &bwd);
}

static void case_mix_rows(const parl_backend *backend, size_t C, size_t taps) {
  batch t = {.backend = backend, .a = C, .b = taps, .width = {C, C}, .run = run_mix_rows};
  t.in[0] = random_floats(ROWS * taps, 1);
  for (size_t i = 1; i < 3; i++) t.in[i] = random_floats(ROWS * C, i + 1);
  t.index = calloc(ROWS * taps, sizeof *t.index);
  assert_non_null(t.index);
  for (size_t i = 0; i < ROWS * taps; i++) t.index[i] = (int32_t)(i * 7 % ROWS);
  compare_pieces(&t, "mix_rows");
}

/* a = F; in: gate_up, dout */
static void run_swiglu(batch *t, size_t first, size_t n) {
  const size_t F = t->a;
  const parl_swiglu_fwd_args fwd = {
      .rows = n, .F = F, .gate_up = t->in[0] + first * 2 * F, .out = t->out[0] + first * F};
  t->backend->swiglu_fwd(NULL, &fwd);
  const parl_swiglu_bwd_args bwd = {.rows = n,
                                    .F = F,
                                    .gate_up = t->in[0] + first * 2 * F,
                                    .dout = t->in[1] + first * F,
                                    .dgate_up = t->out[1] + first * 2 * F};
  t->backend->swiglu_bwd(NULL, &bwd);
}

static void case_swiglu(const parl_backend *backend, size_t F, size_t unused) {
  (void)unused;
  batch t = {.backend = backend, .a = F, .width = {F, 2 * F}, .run = run_swiglu};
  t.in[0] = random_floats(ROWS * 2 * F, 1);
  t.in[1] = random_floats(ROWS * F, 2);
  compare_pieces(&t, "swiglu");
}

/* a = V; in: logits, logp, entropy, dlogp */
static void run_policy(batch *t, size_t first, size_t n) {
  const size_t V = t->a;
  const parl_policy_fwd_args fwd = {.rows = n,
                                    .V = V,
                                    .logits = t->in[0] + first * V,
                                    .target = t->index + first,
                                    .inv_temperature = 1.1f,
                                    .probs = t->out[0] + first * V,
                                    .logp = t->out[1] + first,
                                    .entropy = t->in[2] + first};
  t->backend->policy_fwd(NULL, &fwd);
  const parl_policy_bwd_args bwd = {.rows = n,
                                    .V = V,
                                    .probs = t->out[0] + first * V,
                                    .target = t->index + first,
                                    .entropy = t->in[2] + first,
                                    .inv_temperature = 1.1f,
                                    .dlogp = t->in[3] + first,
                                    .dentropy = t->in[1] + first,
                                    .dlogits = t->out[2] + first * V};
  t->backend->policy_bwd(NULL, &bwd);
}

static void case_policy(const parl_backend *backend, size_t V, size_t unused) {
  (void)unused;
  batch t = {.backend = backend, .a = V, .width = {V, 1, V}, .run = run_policy};
  for (size_t i = 0; i < 4; i++) t.in[i] = random_floats(ROWS * V, i + 1);
  t.index = calloc(ROWS, sizeof *t.index);
  assert_non_null(t.index);
  for (size_t r = 0; r < ROWS; r++) t.index[r] = (int32_t)(r * 5 % V);
  compare_pieces(&t, "policy");
}

/* a = D of three heads; in: cosines, sines */
static void run_rope(batch *t, size_t first, size_t n) {
  const size_t D = t->a;
  const parl_rope_args args = {.rows = n,
                               .heads = 3,
                               .D = D,
                               .ld_x = 3 * D,
                               .head_stride = D,
                               .x = t->out[0] + first * 3 * D,
                               .positions = t->index + first,
                               .cos_table = t->in[0],
                               .sin_table = t->in[1]};
  t->backend->rope(NULL, &args);
}

static void case_rope(const parl_backend *backend, size_t width, size_t unused) {
  (void)unused;
  const size_t D = (width + 1) / 2 * 2;
  batch t = {.backend = backend, .a = D, .width = {3 * D}, .run = run_rope};
  for (size_t i = 0; i < 2; i++) t.in[i] = random_floats(ROWS * D, i + 1);
  t.index = calloc(ROWS, sizeof *t.index);
  assert_non_null(t.index);
  for (size_t r = 0; r < ROWS; r++) t.index[r] = (int32_t)(r * 11 % ROWS);
  compare_pieces(&t, "rope");
}

enum { H = 6, H_KV = 2 };

/* A row is a slot: a = D = Dv, b = context; in: q and new keys and values, k caches, v caches;
 * index = lengths */
static void run_decode_as(batch *t, size_t first, size_t n, bool bf16) {
  const size_t D = t->a, context = t->b;
  int32_t slots[ROWS];
  for (size_t r = 0; r < ROWS; r++) slots[r] = (int32_t)r;
  const parl_attention_decode_args args = {.rows = n,
                                           .H = H,
                                           .H_kv = H_KV,
                                           .D = D,
                                           .Dv = D,
                                           .context = context,
                                           .bf16 = bf16,
                                           .scale = 0.3f,
                                           .q = t->in[0] + first * H * D,
                                           .ld_q = H * D,
                                           .k = t->in[0] + first * H * D,
                                           .ld_k = H * D,
                                           .v = t->in[0] + first * H * D + D,
                                           .ld_v = H * D,
                                           .k_cache = t->in[1],
                                           .v_cache = t->in[2],
                                           .slots = slots + first,
                                           .lengths = t->index + first,
                                           .out = t->out[0] + first * H * D,
                                           .ld_out = H * D,
                                           .scratch = t->scratch};
  t->backend->attention_decode(NULL, &args);
}

static void run_decode(batch *t, size_t first, size_t n) {
  run_decode_as(t, first, n, false);
}

static void run_decode_bf16(batch *t, size_t first, size_t n) {
  run_decode_as(t, first, n, true);
}

/* n floats become pairs of their upper halves: twice as many bf16. */
static void make_bf16(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    bits = (bits & 0xffff0000) | bits >> 16;
    memcpy(x + i, &bits, sizeof bits);
  }
}

static void decode_as(const parl_backend *backend, size_t D, size_t context, bool bf16) {
  batch t = {.backend = backend, .a = D, .b = context, .width = {H * D}};
  t.run = bf16 ? run_decode_bf16 : run_decode;
  t.in[0] = random_floats(ROWS * H * D, 1);
  for (size_t i = 1; i < 3; i++) {
    t.in[i] = random_floats(ROWS * context * H_KV * D, i + 1);
    if (bf16) make_bf16(t.in[i], ROWS * context * H_KV * D);
  }
  t.scratch = random_floats(backend->attention_scratch_floats(context, D, D), 4);
  t.index = calloc(ROWS, sizeof *t.index);
  assert_non_null(t.index);
  for (size_t r = 0; r < ROWS; r++) t.index[r] = (int32_t)(1 + r * 13 % context);
  compare_pieces(&t, bf16 ? "attention_decode of bf16" : "attention_decode");
}

static void case_decode(const parl_backend *backend, size_t D, size_t context) {
  decode_as(backend, D, context, false);
  decode_as(backend, D, context, true);
}

enum { LONGEST = 50 };

static size_t length_of(size_t sequence) {
  return sequence * 17 % LONGEST;
}

/* The gradients of one sequence, which lie at row `at` of the call, to its row of out[1]. */
static void copy_gradients(batch *t, const parl_attention_bwd_args *bwd, size_t sequence,
                           size_t at) {
  const size_t D = t->a, length = length_of(sequence);
  float *to = t->out[1] + sequence * t->width[1];
  memcpy(to, bwd->dq + at * H * D, length * H * D * sizeof(float));
  to += LONGEST * H * D;
  memcpy(to, bwd->dk + at * H_KV * D, length * H_KV * D * sizeof(float));
  to += LONGEST * H_KV * D;
  memcpy(to, bwd->dv + at * H_KV * D, length * H_KV * D * sizeof(float));
}

/* A row is a sequence in a block of LONGEST rows: a = D = Dv, b: whether both ways; in: q, k, v */
static void run_attention(batch *t, size_t first, size_t n) {
  const size_t D = t->a;
  float *q = random_floats(n * LONGEST * H * D, 0), *k = random_floats(n * LONGEST * H_KV * D, 0);
  float *v = random_floats(n * LONGEST * H_KV * D, 0), *out = random_floats(n * LONGEST * H * D, 0);
  float *lse = random_floats(n * LONGEST * H, 0);
  int32_t start[ROWS + 1] = {0};
  for (size_t s = 0; s < n; s++) { /* the sequences lie one behind the other */
    const size_t length = length_of(first + s), from = (first + s) * LONGEST;
    const size_t to = (size_t)start[s];
    start[s + 1] = start[s] + (int32_t)length;
    memcpy(q + to * H * D, t->in[0] + from * H * D, length * H * D * sizeof(float));
    memcpy(k + to * H_KV * D, t->in[1] + from * H_KV * D, length * H_KV * D * sizeof(float));
    memcpy(v + to * H_KV * D, t->in[2] + from * H_KV * D, length * H_KV * D * sizeof(float));
  }
  const parl_attention_fwd_args fwd = {.n_seqs = n,
                                       .seq_start = start,
                                       .H = H,
                                       .H_kv = H_KV,
                                       .D = D,
                                       .Dv = D,
                                       .scale = 0.3f,
                                       .both_ways = t->b == 1,
                                       .q = q,
                                       .ld_q = H * D,
                                       .k = k,
                                       .ld_k = H_KV * D,
                                       .v = v,
                                       .ld_v = H_KV * D,
                                       .out = out,
                                       .ld_out = H * D,
                                       .lse = lse,
                                       .scratch = t->scratch};
  t->backend->attention_fwd(NULL, &fwd);
  for (size_t s = 0; s < n; s++)
    memcpy(t->out[0] + (first + s) * t->width[0], out + (size_t)start[s] * H * D,
           length_of(first + s) * H * D * sizeof(float));
  /* the forward output serves as its own cotangent; the gradients take the places of q, k, v */
  float *dq = random_floats(n * LONGEST * H * D, 0);
  float *dk = random_floats(n * LONGEST * H_KV * D, 0);
  float *dv = random_floats(n * LONGEST * H_KV * D, 0);
  const parl_attention_bwd_args bwd = {.fwd = fwd,
                                       .dout = out,
                                       .ld_dout = H * D,
                                       .dq = dq,
                                       .ld_dq = H * D,
                                       .dk = dk,
                                       .ld_dk = H_KV * D,
                                       .dv = dv,
                                       .ld_dv = H_KV * D};
  t->backend->attention_bwd(NULL, &bwd);
  for (size_t s = 0; s < n; s++) copy_gradients(t, &bwd, first + s, (size_t)start[s]);
  float *owned[] = {q, k, v, out, lse, dq, dk, dv};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

static void case_attention(const parl_backend *backend, size_t D, size_t both_ways) {
  batch t = {.backend = backend,
             .a = D,
             .b = both_ways,
             .run = run_attention,
             .width = {LONGEST * H * D, LONGEST * (H + 2 * H_KV) * D}};
  t.in[0] = random_floats(ROWS * LONGEST * H * D, 1);
  for (size_t i = 1; i < 3; i++) t.in[i] = random_floats(ROWS * LONGEST * H_KV * D, i + 1);
  t.scratch = random_floats(backend->attention_scratch_floats(LONGEST, D, D), 4);
  compare_pieces(&t, "attention");
}

/* ---------------------------------------------------------------------------------- the table */

typedef struct row {
  const char *name;
  void (*run)(const parl_backend *backend, size_t a, size_t b);
  struct {
    size_t a, b;
  } extents[6];
} row;

static const row rows[] = {
    {"linear_fwd", case_linear_fwd, {{1, 1}, {33, 300}, {48, 33}, {64, 256}, {257, 257}}},
    {"linear_bwd_input",
     case_linear_bwd_input,
     {{1, 1}, {300, 33}, {33, 48}, {256, 64}, {257, 257}}},
    {"rmsnorm", case_rmsnorm, {{1, 0}, {33, 0}, {128, 0}, {257, 0}}},
    {"swiglu", case_swiglu, {{1, 0}, {33, 0}, {257, 0}}},
    {"policy", case_policy, {{1, 0}, {33, 0}, {130, 0}, {257, 0}}},
    {"rope", case_rope, {{1, 0}, {16, 0}, {33, 0}}},
    {"attention_decode", case_decode, {{1, 5}, {16, 48}, {33, 70}, {64, 33}}},
    {"attention", case_attention, {{5, 0}, {16, 0}, {33, 0}, {5, 1}, {16, 1}}},
    {"layernorm", case_layernorm, {{1, 0}, {33, 0}, {257, 0}}},
    {"gelu", case_gelu, {{1, 0}, {33, 0}, {33, 1}}},
    {"mix_rows", case_mix_rows, {{1, 1}, {33, 16}, {130, 3}}},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static void test_invariance(void **state) {
  const size_t which = (size_t)(uintptr_t)*state;
  const parl_backend *backend = get_level(level_names[which % N_LEVELS]);
  const row *r = &rows[which / N_LEVELS];
  for (size_t i = 0; i < 6 && r->extents[i].a; i++)
    r->run(backend, r->extents[i].a, r->extents[i].b);
}

int main(void) {
  static struct CMUnitTest tests[N_ROWS * N_LEVELS];
  static char names[N_ROWS * N_LEVELS][64];
  size_t n = 0;
  for (size_t i = 0; i < N_ROWS * N_LEVELS; i++) {
    const char *op = rows[i / N_LEVELS].name, *level = level_names[i % N_LEVELS];
    /* an emulated level is the f32 level with other products */
    if (strstr(level, "soft") != NULL && strncmp(op, "linear", 6) != 0) continue;
    snprintf(names[n], sizeof names[n], "rows of %s on cpu:%s", op, level);
    tests[n] = (struct CMUnitTest){names[n], test_invariance, NULL, NULL, (void *)(uintptr_t)i};
    n++;
  }
  cmocka_set_test_filter(getenv("TEST_ONLY")); /* "rows of rope*" */
  return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}
