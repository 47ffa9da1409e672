/* tests/test_ops.c - parity: every op of every instruction set against the oracle.
 *
 * One table: op x level x shape x regime. A case runs three times with the same inputs: on the
 * oracle, on the level, and for its bounds. An element may miss by
 *   tolerance of the op * sensitivity of the case * bound of the element,
 * where the bound is the sum of the absolute values that were added up (the oracle on absolute
 * inputs gives it for linear ops, a formula for the others). A level that rounds the operands of
 * products to bf16 gets rounded ones, and with them the oracle: products are exact in f32 then,
 * and the sums are held to what f32 sums are. Reading order: trial, one case per op, the table. */
#include "tests/test_ops_trial.h"

/* Packing has no layout of its own to compare: the unit rows must come back as columns of W. */
static void case_linear_pack(trial *t) {
  const size_t N = t->s.b, K = t->s.c;
  const float *w = operand(t, N, K, K);
  buffer *unit = input_as(t, K, K, K, CENTRED);
  for (size_t i = 0; i < K * K; i++) unit->x[i] = i / K == i % K ? 1.0f : 0.0f;
  const parl_linear_fwd_args args = {.M = K,
                                     .N = N,
                                     .K = K,
                                     .x = unit->x,
                                     .ld_x = K,
                                     .packed = packed_weight(t, w, N, K),
                                     .y = output(t, "y", K, N, N),
                                     .ld_y = N};
  RUN(t, linear_fwd, true, &args);
}

static void case_linear_fwd(trial *t) {
  const size_t M = t->s.a, N = t->s.b, K = t->s.c, ld_y = gap(t, N);
  const float *w = operand(t, N, K, K);
  parl_linear_fwd_args args = {.M = M,
                               .N = N,
                               .K = K,
                               .x = operand(t, M, K, gap(t, K)),
                               .ld_x = gap(t, K),
                               .packed = packed_weight(t, w, N, K),
                               .ld_y = ld_y};
  args.y = output(t, "y", M, N, ld_y);
  RUN(t, linear_fwd, true, &args);
  args.residual = input(t, M, N, ld_y);
  args.y = output(t, "y + residual", M, N, ld_y);
  RUN(t, linear_fwd, true, &args);
  args.residual = args.y = in_out(t, "y over residual", M, N, ld_y);
  RUN(t, linear_fwd, true, &args);
  args.bias = input(t, 1, N, N);
  args.residual = args.y = in_out(t, "y + bias over residual", M, N, ld_y);
  RUN(t, linear_fwd, true, &args);
  args.residual = NULL;
  args.y = output(t, "y + bias", M, N, ld_y);
  RUN(t, linear_fwd, true, &args);
}

static void case_linear_bwd_input(trial *t) {
  const size_t M = t->s.a, N = t->s.b, K = t->s.c, ld_dy = gap(t, N), ld_dx = gap(t, K);
  const float *w = operand(t, N, K, K);
  parl_linear_bwd_input_args args = {.M = M,
                                     .N = N,
                                     .K = K,
                                     .dy = operand(t, M, N, ld_dy),
                                     .ld_dy = ld_dy,
                                     .w = w,
                                     .packed = packed_weight(t, w, N, K),
                                     .dx = output(t, "dx", M, K, ld_dx),
                                     .ld_dx = ld_dx};
  RUN(t, linear_bwd_input, true, &args);
  args.accumulate = true;
  args.dx = in_out(t, "dx +=", M, K, ld_dx);
  RUN(t, linear_bwd_input, true, &args);
}

static void case_linear_bwd_weight(trial *t) {
  const size_t M = t->s.a, N = t->s.b, K = t->s.c, ld_dy = gap(t, N), ld_x = gap(t, K);
  parl_linear_bwd_weight_args args = {.M = M,
                                      .N = N,
                                      .K = K,
                                      .dy = operand(t, M, N, ld_dy),
                                      .ld_dy = ld_dy,
                                      .x = operand(t, M, K, ld_x),
                                      .ld_x = ld_x,
                                      .dw = in_out(t, "dw", N, K, K)};
  RUN(t, linear_bwd_weight, true, &args);
  args.dw = in_out(t, "dw beside a bias", N, K, K);
  args.dbias = in_out(t, "dbias", 1, N, N);
  RUN(t, linear_bwd_weight, true, &args);
}

static void case_rmsnorm_fwd(trial *t) {
  const size_t rows = t->s.a, C = t->s.b, ld = gap(t, C);
  const parl_rmsnorm_fwd_args args = {.rows = rows,
                                      .C = C,
                                      .x = input(t, rows, C, ld),
                                      .ld_x = ld,
                                      .weight = input(t, 1, C, C),
                                      .eps = 1e-6f,
                                      .y = output(t, "y", rows, C, ld),
                                      .ld_y = ld,
                                      .inv_rms = output(t, "inv_rms", 1, rows, rows)};
  RUN(t, rmsnorm_fwd, true, &args); /* absolute inputs give absolute outputs */
}

static void case_rmsnorm_bwd(trial *t) {
  const size_t rows = t->s.a, C = t->s.b, ld = gap(t, C);
  buffer *inv_rms = input_as(t, 1, rows, rows, CONSTANT);
  const parl_rmsnorm_bwd_args args = {.rows = rows,
                                      .C = C,
                                      .x = input(t, rows, C, ld),
                                      .ld_x = ld,
                                      .weight = input(t, 1, C, C),
                                      .inv_rms = inv_rms->x,
                                      .dy = input(t, rows, C, ld),
                                      .ld_dy = ld,
                                      .dx = in_out(t, "dx", rows, C, ld),
                                      .ld_dx = ld,
                                      .dweight = in_out(t, "dweight", 1, C, C)};
  for (size_t r = 0; r < rows; r++) {
    double sum = 0.0;
    for (size_t c = 0; c < C; c++) sum += (double)args.x[r * ld + c] * (double)args.x[r * ld + c];
    inv_rms->x[r] = (float)(1.0 / sqrt(sum / (double)C + 1e-6));
  }
  RUN(t, rmsnorm_bwd, false, &args);
  if (t->now != FOR_BOUND) return;
  float *dx = bound_of(t, 0), *dweight = bound_of(t, 1);
  for (size_t r = 0; r < rows; r++) {
    const float inv = inv_rms->x[r];
    float dot = 0.0f;
    for (size_t c = 0; c < C; c++) dot += args.weight[c] * args.dy[r * ld + c] * args.x[r * ld + c];
    for (size_t c = 0; c < C; c++) {
      const size_t i = r * ld + c;
      dx[i] += inv * args.weight[c] * args.dy[i] + args.x[i] * inv * inv * inv * dot / (float)C;
      dweight[c] += args.dy[i] * args.x[i] * inv;
    }
  }
}

static void case_rope(trial *t) {
  enum { POSITIONS = 64 };
  const size_t rows = t->s.a, D = 2 * ((t->s.b + 1) / 2), heads = 3, stride = D + 2;
  const size_t ld = heads * stride;
  parl_rope_args args = {.rows = rows,
                         .heads = heads,
                         .D = D,
                         .ld_x = ld,
                         .head_stride = stride,
                         .positions = indices(t, rows, POSITIONS),
                         .cos_table = input_as(t, POSITIONS, D / 2, D / 2, CENTRED)->x,
                         .sin_table = input_as(t, POSITIONS, D / 2, D / 2, CENTRED)->x};
  for (int i = 0; i < 2; i++) {
    args.inverse = i == 1;
    args.x = in_out(t, i ? "x inverse" : "x", rows, ld, ld);
    const float *before = input(t, rows, ld, ld);
    memcpy(args.x, before, rows * ld * sizeof(float));
    RUN(t, rope, false, &args);
    if (t->now != FOR_BOUND) continue;
    float *bound = bound_of(t, (size_t)i);
    for (size_t j = 0; j < rows * ld; j += 2) {
      const size_t row = j / ld, d = j % ld % stride;
      if (d >= D) continue;
      const size_t at = (size_t)args.positions[row] * D / 2 + d / 2;
      const float turn = args.cos_table[at] + args.sin_table[at];
      bound[j] = bound[j + 1] = (before[j] + before[j + 1]) * turn;
    }
  }
}

/* a rows in three sequences; b picks the heads; c is the width of a head. */
typedef struct heads {
  size_t H, H_kv;
} heads;
static heads pick_heads(size_t b) {
  return b == 1 ? (heads){1, 1} : b == 33 ? (heads){4, 4} : b == 48 ? (heads){4, 1} : (heads){6, 2};
}

/* Views of q, k, v with gaps; in the regime "offset" q stays centred, so that scores tell keys
 * apart. The rounding of a score grows with the score: that is the sensitivity. */
static parl_attention_fwd_args attention_views(trial *t) {
  const heads h = pick_heads(t->s.b);
  const size_t rows = t->s.a, D = t->s.c, Dv = D > 1 ? D - 1 : 1;
  parl_attention_fwd_args f = {.n_seqs = 3, .H = h.H, .H_kv = h.H_kv, .D = D, .Dv = Dv};
  f.scale = (float)(1.0 / sqrt((double)D));
  int32_t *start = indices(t, 4, 1);
  start[1] = (int32_t)(rows / 5), start[2] = start[1], start[3] = (int32_t)rows;
  f.seq_start = start;
  f.ld_q = gap(t, h.H * D), f.ld_k = gap(t, h.H_kv * D), f.ld_v = gap(t, h.H_kv * Dv);
  f.ld_out = gap(t, h.H * Dv);
  const regime query = t->how == OFFSET ? CENTRED : t->how;
  f.q = input_as(t, rows, h.H * D, f.ld_q, query)->x;
  f.k = input(t, rows, h.H_kv * D, f.ld_k);
  f.v = input(t, rows, h.H_kv * Dv, f.ld_v);
  const size_t longest = rows;
  const size_t scratch = packer(t)->attention_scratch_floats(longest, D, Dv);
  f.scratch = input_as(t, 1, scratch, scratch, CENTRED)->x;
  for (size_t i = 0; i < scratch; i++) f.scratch[i] = guard_value();
  t->sensitivity = t->how == OFFSET ? 1.0 + 100.0 * sqrt((double)D) / 16.0 : 1.0;
  return f;
}

static void attention_forward(trial *t, bool both_ways) {
  parl_attention_fwd_args f = attention_views(t);
  const size_t rows = t->s.a, first = t->n_outputs;
  f.both_ways = both_ways;
  f.out = output(t, "out", rows, f.H * f.Dv, f.ld_out);
  f.lse = output(t, "lse", rows, f.H, f.H);
  f.max_scores = output(t, "max_scores", 1, f.H, f.H);
  fill_rows(f.max_scores, 1, f.H, f.H, -1e30f);
  RUN(t, attention_fwd, false, &f);
  if (t->now != FOR_BOUND) return;
  const float most = largest(f.v, rows, f.H_kv * f.Dv, f.ld_v);
  fill_rows(bound_of(t, first), rows, f.H * f.Dv, f.ld_out, most);
  fill_rows(bound_of(t, first + 1), rows, f.H, f.H, 8.0f);
  fill_rows(bound_of(t, first + 2), 1, f.H, f.H, 8.0f);
}

static void case_attention_fwd(trial *t) {
  attention_forward(t, false);
  attention_forward(t, true);
}

/* Bounds of dq, dk, dv: the oracle's formulas with absolute values and p <= 1. */
static void attention_bounds(trial *t, const parl_attention_bwd_args *a, size_t first) {
  const parl_attention_fwd_args *f = &a->fwd;
  float *dq = bound_of(t, first), *dk = bound_of(t, first + 1), *dv = bound_of(t, first + 2);
  const float most_d = largest(a->dout, t->s.a, f->H * f->Dv, a->ld_dout);
  const float most_v = largest(f->v, t->s.a, f->H_kv * f->Dv, f->ld_v);
  const float ds = f->scale * sqrtf((float)f->Dv) * most_d * most_v;
  fill_rows(dq, t->s.a, f->H * f->D, a->ld_dq, ds * largest(f->k, t->s.a, f->H_kv * f->D, f->ld_k));
  /* a key is seen by up to a rows with weights that average one over the keys */
  const float queries = sqrtf((float)(t->s.a * f->H / f->H_kv));
  fill_rows(dk, t->s.a, f->H_kv * f->D, a->ld_dk,
            ds * queries * largest(f->q, t->s.a, f->H * f->D, f->ld_q));
  fill_rows(dv, t->s.a, f->H_kv * f->Dv, a->ld_dv, queries * most_d);
}

static void attention_backward(trial *t, bool both_ways) {
  parl_attention_bwd_args a = {.fwd = attention_views(t)};
  parl_attention_fwd_args *f = &a.fwd;
  const size_t rows = t->s.a, first = t->n_outputs;
  f->both_ways = both_ways;
  f->out = input_as(t, rows, f->H * f->Dv, f->ld_out, CENTRED)->x;
  f->lse = input_as(t, rows, f->H, f->H, CENTRED)->x;
  parl_attention_fwd_args oracle = *f;
  const size_t scratch = parl_backend_ref()->attention_scratch_floats(rows, f->D, f->Dv);
  oracle.scratch = input_as(t, 1, scratch, scratch, CENTRED)->x;
  parl_backend_ref()->attention_fwd(NULL, &oracle);
  a.ld_dout = gap(t, f->H * f->Dv), a.ld_dq = gap(t, f->H * f->D);
  a.ld_dk = gap(t, f->H_kv * f->D), a.ld_dv = gap(t, f->H_kv * f->Dv);
  a.dout = input_as(t, rows, f->H * f->Dv, a.ld_dout, t->how == OFFSET ? CENTRED : t->how)->x;
  a.dq = output(t, "dq", rows, f->H * f->D, a.ld_dq);
  a.dk = output(t, "dk", rows, f->H_kv * f->D, a.ld_dk);
  a.dv = output(t, "dv", rows, f->H_kv * f->Dv, a.ld_dv);
  RUN(t, attention_bwd, false, &a);
  if (t->now == FOR_BOUND) attention_bounds(t, &a, first);
}

static void case_attention_bwd(trial *t) {
  attention_backward(t, false);
  attention_backward(t, true);
}

/* n floats become n bf16 in the same place; little-endian. */
static void squeeze(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) memmove((char *)x + 2 * i, (const char *)(x + i) + 2, 2);
}

/* One row against each of a few caches of t->s.a positions, which hold f32 or bf16; latent: the
 * values are part of the keys. */
static void decode_once(trial *t, const char *name, bool bf16, bool latent) {
  enum { ROWS = 3 };
  const heads h = pick_heads(t->s.b);
  const size_t context = t->s.a, D = t->s.c, Dv = D > 1 ? D - 1 : 1;
  const size_t n_k = context * h.H_kv * D, n_v = context * h.H_kv * Dv;
  int32_t *slots = indices(t, ROWS, ROWS);
  int32_t *lengths = indices(t, ROWS, context);
  float *k = input_as(t, ROWS, n_k, n_k, t->how)->x, *v = input_as(t, ROWS, n_v, n_v, t->how)->x;
  const float most = latent ? largest(k, ROWS, n_k, n_k) : largest(v, ROWS, n_v, n_v);
  if (bf16) squeeze(k, ROWS * n_k), squeeze(v, ROWS * n_v);
  for (size_t r = 0; r < ROWS; r++) lengths[r]++, slots[r] = (int32_t)((r + 1) % ROWS);
  lengths[0] = (int32_t)context;
  lengths[ROWS - 1] = 0; /* nobody's row */
  const size_t ld_q = gap(t, h.H * D), ld_k = gap(t, h.H_kv * D), ld_v = gap(t, h.H_kv * Dv);
  const size_t ld_out = gap(t, h.H * Dv);
  const size_t scratch = packer(t)->attention_scratch_floats(context, D, Dv);
  const regime query = t->how == OFFSET ? CENTRED : t->how;
  const parl_attention_decode_args args = {.rows = ROWS,
                                           .H = h.H,
                                           .H_kv = h.H_kv,
                                           .D = D,
                                           .Dv = Dv,
                                           .context = context,
                                           .bf16 = bf16,
                                           .scale = (float)(1.0 / sqrt((double)D)),
                                           .q = input_as(t, ROWS, h.H * D, ld_q, query)->x,
                                           .ld_q = ld_q,
                                           .k = input(t, ROWS, h.H_kv * D, ld_k),
                                           .ld_k = ld_k,
                                           .v = latent ? NULL : input(t, ROWS, h.H_kv * Dv, ld_v),
                                           .ld_v = ld_v,
                                           .k_cache = k,
                                           .v_cache = latent ? NULL : v,
                                           .slots = slots,
                                           .lengths = lengths,
                                           .out = output(t, name, ROWS, h.H * Dv, ld_out),
                                           .ld_out = ld_out,
                                           .scratch = input_as(t, 1, scratch, scratch, CENTRED)->x};
  RUN(t, attention_decode, false, &args);
  if (t->now != FOR_BOUND) return;
  const float new =
      latent ? largest(args.k, ROWS, h.H_kv * D, ld_k) : largest(args.v, ROWS, h.H_kv * Dv, ld_v);
  fill_rows(bound_of(t, t->n_outputs - 1), ROWS, h.H * Dv, ld_out, fmaxf(most, new));
}

static void case_attention_decode(trial *t) {
  t->sensitivity = t->how == OFFSET ? 1.0 + 100.0 * sqrt((double)t->s.c) / 16.0 : 1.0;
  decode_once(t, "out", false, false);
  decode_once(t, "out of bf16", true, false);
  decode_once(t, "out of latents in bf16", true, true);
}

static void case_swiglu_fwd(trial *t) {
  const size_t rows = t->s.a, F = t->s.b;
  const parl_swiglu_fwd_args args = {.rows = rows,
                                     .F = F,
                                     .gate_up = input(t, rows, 2 * F, 2 * F),
                                     .out = output(t, "out", rows, F, F)};
  RUN(t, swiglu_fwd, true, &args); /* |g| sigma(|g|) |u| */
}

static void case_swiglu_bwd(trial *t) {
  const size_t rows = t->s.a, F = t->s.b;
  parl_swiglu_bwd_args args = {.rows = rows,
                               .F = F,
                               .gate_up = input(t, rows, 2 * F, 2 * F),
                               .dout = input(t, rows, F, F),
                               .dgate_up = output(t, "dgate_up", rows, 2 * F, 2 * F)};
  const float *gate_up = args.gate_up;
  RUN(t, swiglu_bwd, false, &args);
  args.dgate_up = in_out(t, "dgate_up in place", rows, 2 * F, 2 * F);
  memcpy(args.dgate_up, gate_up, rows * 2 * F * sizeof(float));
  args.gate_up = args.dgate_up;
  RUN(t, swiglu_bwd, false, &args);
  if (t->now != FOR_BOUND) return;
  for (size_t which = 0; which < 2; which++) {
    float *bound = bound_of(t, which);
    for (size_t r = 0; r < rows; r++)
      for (size_t f = 0; f < F; f++) {
        const size_t i = r * 2 * F + f;
        const float d = args.dout[r * F + f], g = gate_up[i], u = gate_up[i + F];
        bound[i] = d * u * (1.0f + fminf(g, 2.0f));
        bound[i + F] = d * g;
      }
  }
}

static void case_embedding_fwd(trial *t) {
  enum { TOKENS = 50 };
  const size_t rows = t->s.a, C = t->s.b;
  const parl_embedding_fwd_args args = {.rows = rows,
                                        .C = C,
                                        .tokens = indices(t, rows, TOKENS),
                                        .table = input(t, TOKENS, C, C),
                                        .out = output(t, "out", rows, C, C)};
  RUN(t, embedding_fwd, true, &args);
}

static void case_embedding_bwd(trial *t) {
  enum { TOKENS = 50 };
  const size_t rows = t->s.a, C = t->s.b;
  const parl_embedding_bwd_args args = {.rows = rows,
                                        .C = C,
                                        .tokens = indices(t, rows, TOKENS),
                                        .dout = input(t, rows, C, C),
                                        .dtable = in_out(t, "dtable", TOKENS, C, C)};
  RUN(t, embedding_bwd, true, &args);
}

/* Random masks; in the first row only the target is allowed. */
static const uint64_t *masks(trial *t, size_t rows, size_t V, const int32_t *target) {
  const size_t words = (V + 63) / 64;
  uint64_t *mask =
      (uint64_t *)(void *)input_as(t, 1, 2 * rows * words + 1, 2 * rows * words + 1, CENTRED)->x;
  mask = (uint64_t *)(((uintptr_t)mask + 7) & ~(uintptr_t)7);
  parl_rng_cursor cursor = {.seed = test_seed(), .stream = 5000 + t->stream};
  for (size_t i = 0; i < rows * words; i++) mask[i] = i < words ? 0 : parl_rng_next(&cursor);
  for (size_t r = 0; r < rows; r++)
    mask[r * words + (size_t)target[r] / 64] |= (uint64_t)1 << (target[r] % 64);
  return mask;
}

static void case_policy_fwd(trial *t) {
  const size_t rows = t->s.a, V = t->s.b;
  int32_t *target = indices(t, rows, V);
  parl_policy_fwd_args args = {.rows = rows,
                               .V = V,
                               .logits = input(t, rows, V, V),
                               .target = target,
                               .inv_temperature = 1.25f};
  for (size_t i = 0; i < 3; i++) {
    if (i == 1) args.mask = masks(t, rows, V, target);
    args.probs = in_out(t, i == 2 ? "probs over logits" : "probs", rows, V, V);
    if (i == 2) {
      memcpy(args.probs, args.logits, rows * V * sizeof(float));
      args.logits = args.probs;
    } else {
      fill_rows(args.probs, rows, V, V, guard_value());
    }
    args.logp = output(t, "logp", 1, rows, rows);
    args.entropy = output(t, "entropy", 1, rows, rows);
    RUN(t, policy_fwd, false, &args);
    if (t->now != FOR_BOUND) continue;
    const float most = t->how == OFFSET ? 1250.0f : 8.0f;
    t->sensitivity = 1.0 + (double)most / 16.0;
    fill_rows(bound_of(t, 3 * i), rows, V, V, 1.0f);
    fill_rows(bound_of(t, 3 * i + 1), 1, rows, rows, 8.0f);
    fill_rows(bound_of(t, 3 * i + 2), 1, rows, rows, logf((float)V) + 1.0f);
  }
}

static void case_policy_bwd(trial *t) {
  const size_t rows = t->s.a, V = t->s.b;
  const int32_t *target = indices(t, rows, V);
  float *probs = input_as(t, rows, V, V, CENTRED)->x;
  float *entropy = input_as(t, 1, rows, rows, CENTRED)->x;
  float *logp = input_as(t, 1, rows, rows, CENTRED)->x;
  const parl_policy_fwd_args forward = {.rows = rows,
                                        .V = V,
                                        .logits = probs,
                                        .target = target,
                                        .mask = masks(t, rows, V, target),
                                        .inv_temperature = 0.8f,
                                        .probs = probs,
                                        .logp = logp,
                                        .entropy = entropy};
  parl_backend_ref()->policy_fwd(NULL, &forward);
  parl_policy_bwd_args args = {.rows = rows,
                               .V = V,
                               .probs = probs,
                               .target = target,
                               .entropy = entropy,
                               .inv_temperature = 0.8f,
                               .dlogp = input(t, 1, rows, rows)};
  for (size_t i = 0; i < 2; i++) {
    if (i == 1) args.dentropy = input(t, 1, rows, rows);
    args.dlogits = output(t, i ? "dlogits" : "dlogits without entropy", rows, V, V);
    RUN(t, policy_bwd, false, &args);
    if (t->now != FOR_BOUND) continue;
    float *bound = bound_of(t, i);
    for (size_t j = 0; j < rows * V; j++) {
      const size_t r = j / V;
      const float p = probs[j], hit = j % V == (size_t)target[r] ? 1.0f : 0.0f;
      bound[j] = args.dlogp[r] * (hit + p);
      if (i == 1 && p > 0.0f)
        bound[j] += args.dentropy[r] * p * (1.0f + fabsf(logf(p)) + entropy[r]);
    }
  }
}

#define ADAMW_SCALARS                                                            \
  .grad_scale = 0.7f, .lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, \
  .weight_decay = 0.1f, .correction1 = 0.271f, .correction2 = 0.003f
static void case_adamw(trial *t) {
  const size_t n = t->s.a;
  int64_t starts[] = {0, (int64_t)n / 3, (int64_t)n / 2, (int64_t)n};
  const float decay[] = {0.0f, -1.0f, 1.0f}; /* the second stays as it is */
  const parl_adamw_args args = {.n_segments = 3,
                                .starts = starts,
                                .decay = decay,
                                .grads = input(t, 1, n, n),
                                .params = in_out(t, "params", 1, n, n),
                                .m = in_out(t, "m", 1, n, n),
                                .v = in_out(t, "v", 1, n, n),
                                ADAMW_SCALARS};
  for (size_t i = 0; i < n; i++) args.v[i] = fabsf(args.v[i]);
  args.v[0] = 0.0f; /* the first gradient of all: beside a small one eps counts */
  RUN(t, adamw, true, &args);
  if (t->now != FOR_BOUND) return;
  for (size_t i = 0; i < n; i++) /* what was there plus the step */
    bound_of(t, 0)[i] =
        fabsf(args.params[i]) + 1e-3f * args.m[i] / 0.271f / sqrtf(args.v[i] / 0.003f) * 3.0f;
}

static void case_add(trial *t) {
  const size_t n = t->s.a;
  const parl_add_args args = {
      .n = n, .a = 0.3f, .x = input(t, 1, n, n), .y = in_out(t, "y", 1, n, n)};
  RUN(t, add, true, &args);
}

static void case_sum_squares(trial *t) {
  const size_t n = t->s.a;
  double sums[2] = {NAN, NAN};
  const int64_t starts[] = {0, (int64_t)n / 3, (int64_t)n};
  const parl_sum_squares_args args = {
      .n_segments = 2, .starts = starts, .x = input(t, 1, n, n), .out = sums};
  float *out = output(t, "sums", 1, 2, 2);
  RUN(t, sum_squares, true, &args);
  out[0] = (float)sums[0], out[1] = (float)sums[1];
}

static const trial_row rows[] = {
#define ROW(op, kind) \
  { #op, 0.0, case_##op, kind }
    ROW(linear_pack, 'm'),
    ROW(linear_fwd, 'm'),
    ROW(linear_bwd_input, 'm'),
    ROW(linear_bwd_weight, 'm'),
    ROW(rmsnorm_fwd, 'r'),
    ROW(rmsnorm_bwd, 'r'),
    ROW(rope, 'r'),
    ROW(attention_fwd, 'a'),
    ROW(attention_bwd, 'a'),
    ROW(attention_decode, 'a'),
    ROW(swiglu_fwd, 'r'),
    ROW(swiglu_bwd, 'r'),
    ROW(embedding_fwd, 'r'),
    ROW(embedding_bwd, 'r'),
    ROW(policy_fwd, 'r'),
    ROW(policy_bwd, 'r'),
    ROW(adamw, 'v'),
    ROW(add, 'v'),
    ROW(sum_squares, 'v'),
#undef ROW
};

typedef struct declared {
  const char *op;
  double tolerance;
} declared;
static const declared ops[] = {/* the others: test_ops_more.c, test_ops_vision.c */
#define X(op, tolerance, source) {#op, tolerance},
                               PARL_PRODUCT_OP_LIST(X) PARL_VECTOR_OP_LIST(X)
#undef X
};
#define X(op, tolerance, source) +1
enum { N_OPS = sizeof ops / sizeof *ops, N_PRODUCTS = PARL_PRODUCT_OP_LIST(X), N_EDGES = 4 };
#undef X

static const size_t edges[N_EDGES] = {1, 33, 48, 257};
static const shape real_m[] = {{256, 64, 64}, {128, 384, 128}, {3, 100, 300}, {7, 512, 128}};
/* rows of 50: of no whole number of 16 bytes, but beginning at one */
static const shape real_r[] = {{32, 128, 1}, {5, 512, 1}, {512, 64, 1}, {3, 50, 1}};
static const shape real_v[] = {{3000, 1, 1}};
static const shape real_a[] = {{160, 33, 16}, {128, 48, 32}, {96, 257, 64}};

/* The largest products of extents that are tried; an emulated card is slower than the oracle. */
#ifdef PARL_TEST_CUDA
enum { MOST_A = 2500, MOST_M = 150000 };
#else
enum { MOST_A = 20000, MOST_M = 600000 };
#endif

#define RUN_ALL(list)                                             \
  for (size_t i_ = 0; i_ < sizeof(list) / sizeof *(list); i_++)   \
    for (regime how = CENTRED; how < get_end_of_regimes(); how++) \
  run_trial(table, backend, (list)[i_], how)

/* Every combination of edges centred; the other regimes where all extents are alike. */
static void run_edges(const trial_row *table, const parl_backend *backend) {
  const bool three = table->kind == 'm' || table->kind == 'a', one = table->kind == 'v';
  for (size_t a = 0; a < N_EDGES; a++)
    for (size_t b = 0; b < (one ? 1 : N_EDGES); b++)
      for (size_t c = 0; c < (three ? N_EDGES : 1); c++) {
        const shape s = {edges[a], edges[b], edges[c]};
        const bool largest_alike = a == N_EDGES - 1 && b == a && c == a;
        /* the oracle is slow */
        if (table->kind == 'a' && s.a * s.c > MOST_A) continue;
        if (table->kind == 'm' && s.a * s.b * s.c > MOST_M && !largest_alike) continue;
        const bool alike = (one || a == b) && (!three || b == c);
        for (regime how = CENTRED; how < get_end_of_regimes(); how++)
          if (how == CENTRED || (alike && !largest_alike) || !three)
            run_trial(table, backend, s, how);
      }
}

static void test_parity(void **state) {
  const size_t which = (size_t)(uintptr_t)*state;
  const parl_backend *backend = get_level(level_names[which % N_LEVELS]);
  trial_row found = {0};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].op, ops[which / N_LEVELS].op) == 0) found = rows[i];
  if (found.op == NULL) fail_msg("no case for op %s", ops[which / N_LEVELS].op);
  found.tolerance = ops[which / N_LEVELS].tolerance;
  const trial_row *table = &found;
  run_edges(table, backend);
  if (table->kind == 'm') RUN_ALL(real_m);
  if (table->kind == 'r') RUN_ALL(real_r);
  if (table->kind == 'a') RUN_ALL(real_a);
  if (table->kind == 'v') RUN_ALL(real_v);
}

int main(void) {
  static struct CMUnitTest tests[N_OPS * N_LEVELS];
  static char names[N_OPS * N_LEVELS][64];
  size_t n = 0;
  for (size_t i = 0; i < N_OPS * N_LEVELS; i++) {
    const char *level = level_names[i % N_LEVELS];
    /* an emulated level is the f32 level with other products */
    if (strstr(level, "soft") != NULL && i / N_LEVELS >= N_PRODUCTS) continue;
    snprintf(names[n], sizeof names[n], "%s on cpu:%s", ops[i / N_LEVELS].op, level);
    tests[n] = (struct CMUnitTest){names[n], test_parity, NULL, NULL, (void *)(uintptr_t)i};
    n++;
  }
  cmocka_set_test_filter(getenv("TEST_ONLY")); /* "rope on *" */
  return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}
