/* tests/test_ops_grad.c - every backward of every f32 backend against finite differences in double.
 *
 * The forward formulas are written here once more, in double, as a loss sum(cotangent * output) of
 * all inputs; a gradient is the central difference of that loss. The inputs are floats, so both
 * sides start from the same numbers. Reading order: problem, check, one loss and test per op. */
#include "tests/test_ops_support.h"

enum { MAX_INPUTS = 4 };

typedef struct variable {
  const char *name;
  size_t n;
  float *f;    /* [n] what the backend reads */
  double *x;   /* [n] what the loss reads */
  float *grad; /* [n] what the backend wrote */
} variable;

/* A loss of some inputs, its extents, and the cotangents of its outputs. */
typedef struct problem {
  const parl_backend *backend;
  size_t n_inputs;
  variable in[MAX_INPUTS];
  size_t a, b, c, d, e;
  bool both_ways, exact; /* of attention; of gelu */
  float *cotangent;
  int32_t *index;
  double (*loss)(const struct problem *p);
} problem;

static float *floats(size_t n, uint64_t stream) {
  float *x = calloc(n, sizeof *x);
  assert_non_null(x);
  parl_rng_cursor cursor = {.seed = test_seed(), .stream = stream};
  for (size_t i = 0; i < n && stream; i++) x[i] = draw(CENTRED, &cursor);
  return x;
}

static variable *add_input(problem *p, const char *name, size_t n) {
  variable *v = &p->in[p->n_inputs++];
  *v = (variable){.name = name, .n = n, .f = floats(n, p->n_inputs), .grad = floats(n, 0)};
  v->x = calloc(n, sizeof *v->x);
  assert_non_null(v->x);
  for (size_t i = 0; i < n; i++) v->x[i] = (double)v->f[i];
  return v;
}

static void problem_deinit(problem *p) {
  for (size_t i = 0; i < p->n_inputs; i++) {
    free(p->in[i].f);
    free(p->in[i].x);
    free(p->in[i].grad);
  }
  free(p->cotangent);
  free(p->index);
}

/* Every gradient that was written equals the difference quotient of the loss. */
static void check(problem *p, const char *op) {
  const double h = 1e-5;
  for (size_t i = 0; i < p->n_inputs; i++) {
    variable *v = &p->in[i];
    double *quotient = calloc(v->n, sizeof *quotient), most = 0.0;
    assert_non_null(quotient);
    for (size_t j = 0; j < v->n; j++) {
      const double x = v->x[j];
      v->x[j] = x + h;
      const double up = p->loss(p);
      v->x[j] = x - h;
      quotient[j] = (up - p->loss(p)) / (2.0 * h);
      v->x[j] = x;
      most = fmax(most, fabs(quotient[j]));
    }
    assert_true(most > 1e-3);
    for (size_t j = 0; j < v->n; j++)
      if (!(fabs((double)v->grad[j] - quotient[j]) <= 1e-5 * most))
        fail_msg("%s on %s, seed %llu: d %s[%zu] is %.8g, the difference quotient %.8g", op,
                 p->backend->instructions, (unsigned long long)test_seed(), v->name, j,
                 (double)v->grad[j], quotient[j]);
    free(quotient);
  }
  problem_deinit(p);
}

static double dot(const double *x, const double *y, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

/* a = M, b = N, c = K; in: x, w, bias */
static double linear_loss(const problem *p) {
  double loss = 0.0;
  for (size_t m = 0; m < p->a; m++)
    for (size_t n = 0; n < p->b; n++)
      loss += (double)p->cotangent[m * p->b + n] *
              (p->in[2].x[n] + dot(p->in[0].x + m * p->c, p->in[1].x + n * p->c, p->c));
  return loss;
}

static void grad_linear(const parl_backend *backend, size_t M, size_t N, size_t K) {
  problem p = {.backend = backend, .a = M, .b = N, .c = K, .loss = linear_loss};
  variable *x = add_input(&p, "x", M * K), *w = add_input(&p, "w", N * K);
  variable *bias = add_input(&p, "bias", N);
  p.cotangent = floats(M * N, 77);
  const parl_linear_bwd_input_args input = {
      .M = M, .N = N, .K = K, .dy = p.cotangent, .ld_dy = N, .w = w->f, .dx = x->grad, .ld_dx = K};
  backend->linear_bwd_input(NULL, &input);
  const parl_linear_bwd_weight_args weight = {.M = M,
                                              .N = N,
                                              .K = K,
                                              .dy = p.cotangent,
                                              .ld_dy = N,
                                              .x = x->f,
                                              .ld_x = K,
                                              .dw = w->grad,
                                              .dbias = bias->grad};
  backend->linear_bwd_weight(NULL, &weight);
  check(&p, "linear");
}

/* a = rows, b = C */
static double rmsnorm_loss(const problem *p) {
  double loss = 0.0;
  for (size_t r = 0; r < p->a; r++) {
    const double *x = p->in[0].x + r * p->b;
    const double inv = 1.0 / sqrt(dot(x, x, p->b) / (double)p->b + 1e-5);
    for (size_t c = 0; c < p->b; c++)
      loss += (double)p->cotangent[r * p->b + c] * x[c] * inv * p->in[1].x[c];
  }
  return loss;
}

static void grad_rmsnorm(const parl_backend *backend, size_t rows, size_t C) {
  problem p = {.backend = backend, .a = rows, .b = C, .loss = rmsnorm_loss};
  variable *x = add_input(&p, "x", rows * C), *w = add_input(&p, "weight", C);
  p.cotangent = floats(rows * C, 77);
  float *y = floats(rows * C, 0), *inv_rms = floats(rows, 0);
  const parl_rmsnorm_fwd_args fwd = {.rows = rows,
                                     .C = C,
                                     .x = x->f,
                                     .ld_x = C,
                                     .weight = w->f,
                                     .eps = 1e-5f,
                                     .y = y,
                                     .ld_y = C,
                                     .inv_rms = inv_rms};
  backend->rmsnorm_fwd(NULL, &fwd);
  const parl_rmsnorm_bwd_args bwd = {.rows = rows,
                                     .C = C,
                                     .x = x->f,
                                     .ld_x = C,
                                     .weight = w->f,
                                     .inv_rms = inv_rms,
                                     .dy = p.cotangent,
                                     .ld_dy = C,
                                     .dx = x->grad,
                                     .ld_dx = C,
                                     .dweight = w->grad};
  backend->rmsnorm_bwd(NULL, &bwd);
  free(y);
  free(inv_rms);
  check(&p, "rmsnorm");
}

/* a = rows, b = D, c = heads; the angle of pair i at row r is (r + 1) / (i + 1) */
static double rope_loss(const problem *p) {
  double loss = 0.0;
  for (size_t r = 0; r < p->a; r++)
    for (size_t i = 0; i < p->c * p->b; i += 2) {
      const double *x = p->in[0].x + r * p->c * p->b + i;
      const float *g = p->cotangent + r * p->c * p->b + i;
      const double angle = (double)(r + 1) / (double)(i % p->b / 2 + 1);
      const double c = (double)(float)cos(angle), s = (double)(float)sin(angle);
      loss += (double)g[0] * (x[0] * c - x[1] * s) + (double)g[1] * (x[0] * s + x[1] * c);
    }
  return loss;
}

static void grad_rope(const parl_backend *backend, size_t rows, size_t D, size_t heads) {
  problem p = {.backend = backend, .a = rows, .b = D, .c = heads, .loss = rope_loss};
  variable *x = add_input(&p, "x", rows * heads * D);
  p.cotangent = floats(x->n, 77);
  float *cosines = floats(rows * D / 2, 0), *sines = floats(rows * D / 2, 0);
  p.index = calloc(rows, sizeof *p.index);
  assert_non_null(p.index);
  for (size_t r = 0; r < rows; r++) {
    p.index[r] = (int32_t)r;
    for (size_t i = 0; i < D / 2; i++) {
      cosines[r * D / 2 + i] = (float)cos((double)(r + 1) / (double)(i + 1));
      sines[r * D / 2 + i] = (float)sin((double)(r + 1) / (double)(i + 1));
    }
  }
  memcpy(x->grad, p.cotangent, x->n * sizeof(float));
  const parl_rope_args args = {.rows = rows,
                               .heads = heads,
                               .D = D,
                               .ld_x = heads * D,
                               .head_stride = D,
                               .x = x->grad,
                               .positions = p.index,
                               .cos_table = cosines,
                               .sin_table = sines,
                               .inverse = true};
  backend->rope(NULL, &args);
  free(cosines);
  free(sines);
  check(&p, "rope");
}

/* Query row `t` of head h over the keys before `end`, with all in double. */
static double attention_row(const problem *p, size_t start, size_t end, size_t t, size_t h) {
  const size_t H = p->b, H_kv = p->c, D = p->d, Dv = p->e, group = h / (H / H_kv);
  double scores[64], top = -INFINITY, sum = 0.0, loss = 0.0;
  for (size_t j = start; j < end; j++) {
    scores[j - start] = dot(p->in[0].x + (t * H + h) * D, p->in[1].x + (j * H_kv + group) * D, D) *
                        (double)(float)(1.0 / sqrt((double)D));
    top = fmax(top, scores[j - start]);
  }
  for (size_t j = start; j < end; j++) sum += exp(scores[j - start] - top);
  for (size_t j = start; j < end; j++)
    for (size_t d = 0; d < Dv; d++)
      loss += exp(scores[j - start] - top) / sum * p->in[2].x[(j * H_kv + group) * Dv + d] *
              (double)p->cotangent[(t * H + h) * Dv + d];
  return loss;
}

/* a = rows in three sequences, b = H, c = H_kv, d = D, e = Dv */
static double attention_loss(const problem *p) {
  double loss = 0.0;
  for (size_t s = 0; s < 3; s++)
    for (size_t t = (size_t)p->index[s]; t < (size_t)p->index[s + 1]; t++)
      for (size_t h = 0; h < p->b; h++)
        loss += attention_row(p, (size_t)p->index[s],
                              p->both_ways ? (size_t)p->index[s + 1] : t + 1, t, h);
  return loss;
}

static void grad_attention(const parl_backend *backend, size_t rows, size_t H, size_t H_kv,
                           size_t D, size_t Dv, bool both_ways) {
  problem p = {
      .backend = backend, .a = rows, .b = H, .c = H_kv, .d = D, .e = Dv, .loss = attention_loss};
  p.both_ways = both_ways;
  variable *q = add_input(&p, "q", rows * H * D), *k = add_input(&p, "k", rows * H_kv * D);
  variable *v = add_input(&p, "v", rows * H_kv * Dv);
  p.cotangent = floats(rows * H * Dv, 77);
  p.index = calloc(4, sizeof *p.index);
  assert_non_null(p.index);
  p.index[1] = (int32_t)(rows / 4), p.index[2] = p.index[1] + 1, p.index[3] = (int32_t)rows;
  float *out = floats(rows * H * Dv, 0), *lse = floats(rows * H, 0);
  float *scratch = floats(backend->attention_scratch_floats(rows, D, Dv), 0);
  const parl_attention_bwd_args args = {.fwd = {.n_seqs = 3,
                                                .seq_start = p.index,
                                                .H = H,
                                                .H_kv = H_kv,
                                                .D = D,
                                                .Dv = Dv,
                                                .scale = (float)(1.0 / sqrt((double)D)),
                                                .both_ways = both_ways,
                                                .q = q->f,
                                                .ld_q = H * D,
                                                .k = k->f,
                                                .ld_k = H_kv * D,
                                                .v = v->f,
                                                .ld_v = H_kv * Dv,
                                                .out = out,
                                                .ld_out = H * Dv,
                                                .lse = lse,
                                                .scratch = scratch},
                                        .dout = p.cotangent,
                                        .ld_dout = H * Dv,
                                        .dq = q->grad,
                                        .ld_dq = H * D,
                                        .dk = k->grad,
                                        .ld_dk = H_kv * D,
                                        .dv = v->grad,
                                        .ld_dv = H_kv * Dv};
  backend->attention_fwd(NULL, &args.fwd);
  backend->attention_bwd(NULL, &args);
  free(out);
  free(lse);
  free(scratch);
  check(&p, "attention");
}

/* a = rows, b = F */
static double swiglu_loss(const problem *p) {
  double loss = 0.0;
  for (size_t r = 0; r < p->a; r++)
    for (size_t f = 0; f < p->b; f++) {
      const double g = p->in[0].x[r * 2 * p->b + f], u = p->in[0].x[r * 2 * p->b + p->b + f];
      loss += (double)p->cotangent[r * p->b + f] * g / (1.0 + exp(-g)) * u;
    }
  return loss;
}

static void grad_swiglu(const parl_backend *backend, size_t rows, size_t F) {
  problem p = {.backend = backend, .a = rows, .b = F, .loss = swiglu_loss};
  variable *x = add_input(&p, "gate_up", rows * 2 * F);
  p.cotangent = floats(rows * F, 77);
  const parl_swiglu_bwd_args args = {
      .rows = rows, .F = F, .gate_up = x->f, .dout = p.cotangent, .dgate_up = x->grad};
  backend->swiglu_bwd(NULL, &args);
  check(&p, "swiglu");
}

/* a = rows, b = C */
static double embedding_loss(const problem *p) {
  double loss = 0.0;
  for (size_t i = 0; i < p->a * p->b; i++)
    loss += (double)p->cotangent[i] * p->in[0].x[(size_t)p->index[i / p->b] * p->b + i % p->b];
  return loss;
}

static void grad_embedding(const parl_backend *backend, size_t rows, size_t C) {
  enum { TOKENS = 5 };
  problem p = {.backend = backend, .a = rows, .b = C, .loss = embedding_loss};
  variable *table = add_input(&p, "table", TOKENS * C);
  p.cotangent = floats(rows * C, 77);
  p.index = calloc(rows, sizeof *p.index);
  assert_non_null(p.index);
  for (size_t r = 0; r < rows; r++) p.index[r] = (int32_t)(r * r % TOKENS);
  const parl_embedding_bwd_args args = {
      .rows = rows, .C = C, .tokens = p.index, .dout = p.cotangent, .dtable = table->grad};
  backend->embedding_bwd(NULL, &args);
  check(&p, "embedding");
}

/* a = rows, b = C; in: x, weight, bias */
static double layernorm_loss(const problem *p) {
  double loss = 0.0;
  for (size_t r = 0; r < p->a; r++) {
    const double *x = p->in[0].x + r * p->b, n = (double)p->b;
    double mean = 0.0, variance = 0.0;
    for (size_t c = 0; c < p->b; c++) mean += x[c] / n;
    for (size_t c = 0; c < p->b; c++) variance += (x[c] - mean) * (x[c] - mean) / n;
    for (size_t c = 0; c < p->b; c++)
      loss += (double)p->cotangent[r * p->b + c] *
              ((x[c] - mean) / sqrt(variance + 1e-5) * p->in[1].x[c] + p->in[2].x[c]);
  }
  return loss;
}

static void grad_layernorm(const parl_backend *backend, size_t rows, size_t C) {
  problem p = {.backend = backend, .a = rows, .b = C, .loss = layernorm_loss};
  variable *x = add_input(&p, "x", rows * C), *w = add_input(&p, "weight", C);
  variable *bias = add_input(&p, "bias", C);
  p.cotangent = floats(rows * C, 77);
  float *y = floats(rows * C, 0), *mean = floats(rows, 0), *inv_std = floats(rows, 0);
  const parl_layernorm_fwd_args fwd = {.rows = rows,
                                       .C = C,
                                       .x = x->f,
                                       .ld_x = C,
                                       .weight = w->f,
                                       .bias = bias->f,
                                       .eps = 1e-5f,
                                       .y = y,
                                       .ld_y = C,
                                       .mean = mean,
                                       .inv_std = inv_std};
  backend->layernorm_fwd(NULL, &fwd);
  const parl_layernorm_bwd_args bwd = {.rows = rows,
                                       .C = C,
                                       .x = x->f,
                                       .ld_x = C,
                                       .weight = w->f,
                                       .mean = mean,
                                       .inv_std = inv_std,
                                       .dy = p.cotangent,
                                       .ld_dy = C,
                                       .dx = x->grad,
                                       .ld_dx = C,
                                       .dweight = w->grad,
                                       .dbias = bias->grad};
  backend->layernorm_bwd(NULL, &bwd);
  free(y);
  free(mean);
  free(inv_std);
  check(&p, "layernorm");
}

/* a = n */
static double gelu_loss(const problem *p) {
  double loss = 0.0;
  for (size_t i = 0; i < p->a; i++) {
    const double x = p->in[0].x[i];
    const double u = sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x);
    loss += (double)p->cotangent[i] * x / 2.0 * (1.0 + (p->exact ? erf(x / sqrt(2.0)) : tanh(u)));
  }
  return loss;
}

static void grad_gelu(const parl_backend *backend, size_t n, bool exact) {
  problem p = {.backend = backend, .a = n, .loss = gelu_loss, .exact = exact};
  variable *x = add_input(&p, "x", n);
  p.cotangent = floats(n, 77);
  const parl_gelu_bwd_args args = {
      .n = n, .exact = exact, .x = x->f, .dy = p.cotangent, .dx = x->grad};
  backend->gelu_bwd(NULL, &args);
  check(&p, exact ? "gelu, exact" : "gelu by tanh");
}

/* The weight of tap k of row r is (r + 2 k) % 7 - 2.5: some are negative. */
static float mix_weight(size_t r, size_t k) {
  return (float)((r + 2 * k) % 7) - 2.5f;
}

/* a = rows, b = C, c = taps */
static double mix_rows_loss(const problem *p) {
  double loss = 0.0;
  for (size_t r = 0; r < p->a; r++)
    for (size_t k = 0; k < p->c; k++)
      for (size_t c = 0; c < p->b; c++)
        loss += (double)p->cotangent[r * p->b + c] * (double)mix_weight(r, k) *
                p->in[0].x[(size_t)p->index[r * p->c + k] * p->b + c];
  return loss;
}

static void grad_mix_rows(const parl_backend *backend, size_t rows, size_t C, size_t taps) {
  enum { TABLE = 5 };
  problem p = {.backend = backend, .a = rows, .b = C, .c = taps, .loss = mix_rows_loss};
  variable *table = add_input(&p, "table", TABLE * C);
  p.cotangent = floats(rows * C, 77);
  p.index = calloc(rows * taps, sizeof *p.index);
  float *weights = floats(rows * taps, 0);
  assert_non_null(p.index);
  for (size_t i = 0; i < rows * taps; i++) {
    p.index[i] = (int32_t)(i * i % TABLE);
    weights[i] = mix_weight(i / taps, i % taps);
  }
  const parl_mix_rows_bwd_args args = {.rows = rows,
                                       .taps = taps,
                                       .C = C,
                                       .weights = weights,
                                       .index = p.index,
                                       .dout = p.cotangent,
                                       .dtable = table->grad};
  backend->mix_rows_bwd(NULL, &args);
  free(weights);
  check(&p, "mix_rows");
}

static bool policy_allows(size_t row, size_t v, int32_t target) {
  return (size_t)target == v || (row + v) % 3 != 0;
}

/* a = rows, b = V; cotangents of logp, then of entropy */
static double policy_loss(const problem *p) {
  const double scale = (double)1.3f;
  double loss = 0.0;
  for (size_t r = 0; r < p->a; r++) {
    double sum = 1e-300, entropy = 0.0;
    const double *x = p->in[0].x + r * p->b;
    for (size_t v = 0; v < p->b; v++)
      if (policy_allows(r, v, p->index[r])) sum += exp(scale * x[v]);
    for (size_t v = 0; v < p->b; v++)
      if (policy_allows(r, v, p->index[r]))
        entropy -= exp(scale * x[v]) / sum * (scale * x[v] - log(sum));
    loss += (double)p->cotangent[r] * (scale * x[p->index[r]] - log(sum)) +
            (double)p->cotangent[p->a + r] * entropy;
  }
  return loss;
}

static void grad_policy(const parl_backend *backend, size_t rows, size_t V) {
  problem p = {.backend = backend, .a = rows, .b = V, .loss = policy_loss};
  variable *x = add_input(&p, "logits", rows * V);
  p.cotangent = floats(2 * rows, 77);
  p.index = calloc(rows, sizeof *p.index);
  const size_t words = (V + 63) / 64;
  uint64_t *mask = calloc(rows * words, sizeof *mask);
  assert_true(p.index != NULL && mask != NULL);
  for (size_t r = 0; r < rows; r++) {
    p.index[r] = (int32_t)(r * 7 % V);
    for (size_t v = 0; v < V; v++)
      if (policy_allows(r, v, p.index[r])) mask[r * words + v / 64] |= (uint64_t)1 << (v % 64);
  }
  float *probs = floats(rows * V, 0), *logp = floats(rows, 0), *entropy = floats(rows, 0);
  const parl_policy_fwd_args fwd = {.rows = rows,
                                    .V = V,
                                    .logits = x->f,
                                    .mask = mask,
                                    .target = p.index,
                                    .inv_temperature = 1.3f,
                                    .probs = probs,
                                    .logp = logp,
                                    .entropy = entropy};
  backend->policy_fwd(NULL, &fwd);
  const parl_policy_bwd_args bwd = {.rows = rows,
                                    .V = V,
                                    .probs = probs,
                                    .target = p.index,
                                    .entropy = entropy,
                                    .inv_temperature = 1.3f,
                                    .dlogp = p.cotangent,
                                    .dentropy = p.cotangent + rows,
                                    .dlogits = x->grad};
  backend->policy_bwd(NULL, &bwd);
  free(mask);
  free(probs);
  free(logp);
  free(entropy);
  check(&p, "policy");
}

/* ---------------------------------------------------------------------------------- the table */

static const parl_backend *get_backend(size_t i) {
  return i == 0 ? parl_backend_ref() : get_level(level_names[i - 1]);
}

static void on_linear(const parl_backend *b) {
  grad_linear(b, 3, 5, 7);
  grad_linear(b, 9, 33, 17);
}
static void on_rmsnorm(const parl_backend *b) {
  grad_rmsnorm(b, 3, 5);
  grad_rmsnorm(b, 4, 70);
}
static void on_rope(const parl_backend *b) {
  grad_rope(b, 3, 6, 2);
  grad_rope(b, 2, 34, 3);
}
static void on_attention(const parl_backend *b) {
  for (int both_ways = 0; both_ways < 2; both_ways++) {
    grad_attention(b, 7, 2, 1, 3, 5, both_ways == 1);
    grad_attention(b, 19, 4, 2, 16, 16, both_ways == 1);
    grad_attention(b, 44, 1, 1, 8, 4, both_ways == 1);
  }
}
static void on_swiglu(const parl_backend *b) {
  grad_swiglu(b, 3, 5);
  grad_swiglu(b, 2, 70);
}
static void on_layernorm(const parl_backend *b) {
  grad_layernorm(b, 3, 5);
  grad_layernorm(b, 4, 70);
}
static void on_gelu(const parl_backend *b) {
  grad_gelu(b, 70, false);
  grad_gelu(b, 70, true);
}
static void on_mix_rows(const parl_backend *b) {
  grad_mix_rows(b, 9, 3, 3);
  grad_mix_rows(b, 9, 35, 16);
}
static void on_embedding(const parl_backend *b) {
  grad_embedding(b, 9, 3);
  grad_embedding(b, 9, 35);
}
static void on_policy(const parl_backend *b) {
  grad_policy(b, 3, 5);
  grad_policy(b, 3, 130);
}

typedef struct row {
  const char *name;
  void (*run)(const parl_backend *backend);
} row;
static const row rows[] = {
    {"linear", on_linear},       {"rmsnorm", on_rmsnorm}, {"rope", on_rope},
    {"attention", on_attention}, {"swiglu", on_swiglu},   {"embedding", on_embedding},
    {"layernorm", on_layernorm}, {"gelu", on_gelu},       {"mix_rows", on_mix_rows},
    {"policy", on_policy},
};
enum { N_ROWS = sizeof rows / sizeof *rows, N_BACKENDS = N_F32_LEVELS + 1 };

static void test_gradient(void **state) {
  const size_t which = (size_t)(uintptr_t)*state;
  rows[which / N_BACKENDS].run(get_backend(which % N_BACKENDS));
}

int main(void) {
  static struct CMUnitTest tests[N_ROWS * N_BACKENDS];
  static char names[N_ROWS * N_BACKENDS][64];
  for (size_t i = 0; i < N_ROWS * N_BACKENDS; i++) {
    const size_t level = i % N_BACKENDS;
    snprintf(names[i], sizeof names[i], "gradient of %s on %s", rows[i / N_BACKENDS].name,
             level ? level_names[level - 1] : "ref");
    tests[i] = (struct CMUnitTest){names[i], test_gradient, NULL, NULL, (void *)(uintptr_t)i};
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
