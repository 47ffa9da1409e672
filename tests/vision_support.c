/* tests/vision_support.c - vision 2, sentence by sentence, on a tape of scalars. */
#include "tests/vision_support.h"

#include <math.h>
#include <stdlib.h>

#include "tests/engine_support.h"
#include "tests/support.h"

/* ----------------------------------------------------------------------------------- tape */

/* A number with what it came from; its gradient goes back by the factors. */
typedef struct node {
  double value, gradient, factor[2];
  int from[2]; /* -1: none */
} node;

typedef struct tape {
  node *nodes;
  int n, room;
} tape;

static int push(tape *t, double value, int a, double da, int b, double db) {
  if (t->n == t->room) {
    t->room = t->room ? 2 * t->room : 1 << 16;
    t->nodes = realloc(t->nodes, (size_t)t->room * sizeof *t->nodes);
    assert_non_null(t->nodes);
  }
  t->nodes[t->n] = (node){.value = value, .factor = {da, db}, .from = {a, b}};
  return t->n++;
}

static double get(const tape *t, int a) {
  return t->nodes[a].value;
}
static int constant(tape *t, double x) {
  return push(t, x, -1, 0, -1, 0);
}
static int add(tape *t, int a, int b) {
  return push(t, get(t, a) + get(t, b), a, 1, b, 1);
}
static int mul(tape *t, int a, int b) {
  return push(t, get(t, a) * get(t, b), a, get(t, b), b, get(t, a));
}
static int scale(tape *t, int a, double x) {
  return push(t, get(t, a) * x, a, x, -1, 0);
}
static int power(tape *t, int a, double e) {
  return push(t, pow(get(t, a), e), a, e * pow(get(t, a), e - 1), -1, 0);
}
static int exponential(tape *t, int a) {
  return push(t, exp(get(t, a)), a, exp(get(t, a)), -1, 0);
}
static int gelu_by_tanh(tape *t, int a) {
  const double x = get(t, a), k = sqrt(2 / acos(-1)), u = tanh(k * (x + 0.044715 * x * x * x));
  const double slope = (1 - u * u) * k * (1 + 3 * 0.044715 * x * x);
  return push(t, 0.5 * x * (1 + u), a, 0.5 * (1 + u) + 0.5 * x * slope, -1, 0);
}
static int gelu_by_erf(tape *t, int a) {
  const double x = get(t, a), p = 0.5 * (1 + erf(x / sqrt(2)));
  return push(t, x * p, a, p + x * exp(-x * x / 2) / sqrt(2 * acos(-1)), -1, 0);
}

static void go_back(tape *t) {
  for (int i = t->n - 1; i >= 0; i--)
    for (int k = 0; k < 2; k++)
      if (t->nodes[i].from[k] >= 0)
        t->nodes[t->nodes[i].from[k]].gradient += t->nodes[i].gradient * t->nodes[i].factor[k];
}

/* ---------------------------------------------------------------------------------- tower */

/* The first nodes of the tape are the model's parameters, in their order. */
typedef struct look {
  tape tape;
  const parl_model *model;
  int D, H, F, p, rows, columns; /* width, heads, inner width, patch; of the learned grid */
  int t, h, w;                   /* of the item */
} look;

/* Node of a tensor's first element. */
static int find(const look *l, const char *format, int i) {
  char name[128];
  size_t n;
  const parl_model_tensor *tensors = parl_model_get_tensors(l->model, &n);
  snprintf(name, sizeof name, format, i);
  for (size_t k = 0; k < n; k++)
    if (strcmp(tensors[k].name, name) == 0) return (int)tensors[k].offset;
  fail_msg("no tensor %s", name);
  return -1;
}

/* to [n_out] = W from [n_in] + b */
static void apply(look *l, int w, int b, int n_out, int n_in, const int *from, int *to) {
  for (int o = 0; o < n_out; o++) {
    to[o] = b + o;
    for (int i = 0; i < n_in; i++)
      to[o] = add(&l->tape, to[o], mul(&l->tape, w + o * n_in + i, from[i]));
  }
}

/* Layer norm: biased variance, eps 1e-5. */
static void norm(look *l, int w, int b, const int *from, int *to) {
  tape *t = &l->tape;
  int mean = constant(t, 0), variance = constant(t, 1e-5);
  int off[64];
  for (int i = 0; i < l->D; i++) mean = add(t, mean, scale(t, from[i], 1.0 / l->D));
  for (int i = 0; i < l->D; i++) off[i] = add(t, from[i], scale(t, mean, -1));
  for (int i = 0; i < l->D; i++)
    variance = add(t, variance, scale(t, mul(t, off[i], off[i]), 1.0 / l->D));
  const int r = power(t, variance, -0.5);
  for (int i = 0; i < l->D; i++) to[i] = add(t, mul(t, mul(t, off[i], r), w + i), b + i);
}

/* Of torch's bicubic: the weight of a grid's place for a point, before the border is repeated. */
static double cubic(double distance) {
  const double a = -0.75, x = fabs(distance);
  if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  if (x < 2) return a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a;
  return 0;
}

/* Places beyond the border are the border's. */
static double weigh(int place, int n, int at, int size) {
  const double point = (at + 0.5) * n / size - 0.5;
  double sum = 0;
  for (int k = -4; k < n + 4; k++)
    if ((k < 0 ? 0 : k >= n ? n - 1 : k) == place) sum += cubic(point - k);
  return sum;
}

/* The learned grid at row y, column x, and in a clip the frame. */
static void add_position(look *l, int f, int y, int x, int *to) {
  const int grid = find(l, "vision_tower.patch_embed.pos_emb.weight", 0), D = l->D;
  for (int gy = 0; gy < l->rows; gy++)
    for (int gx = 0; gx < l->columns; gx++) {
      const double k = weigh(gy, l->rows, y, l->h) * weigh(gx, l->columns, x, l->w);
      if (fabs(k) < 1e-15) continue;
      for (int i = 0; i < D; i++)
        to[i] = add(&l->tape, to[i], scale(&l->tape, grid + (gy * l->columns + gx) * D + i, k));
    }
  for (int i = 0; l->t > 1 && i < D; i++) {
    const double angle = f * pow(10000, -2.0 * (i % (D / 2)) / D);
    to[i] = add(&l->tape, to[i], constant(&l->tape, i < D / 2 ? sin(angle) : cos(angle)));
  }
}

/* Pairs of neighbours; the even ones by x, the odd ones by y, both of one frequency. */
static void turn(look *l, int y, int x, int *head) {
  const int d = l->D / l->H;
  for (int i = 0; i < d / 2; i++) {
    const double angle = (i % 2 == 0 ? x : y) * pow(10000, -4.0 * (i / 2) / d);
    const int a = head[2 * i], b = head[2 * i + 1];
    head[2 * i] = add(&l->tape, scale(&l->tape, a, cos(angle)), scale(&l->tape, b, -sin(angle)));
    head[2 * i + 1] = add(&l->tape, scale(&l->tape, a, sin(angle)), scale(&l->tape, b, cos(angle)));
  }
}

/* What head h of patch n has of all patches; qkv [N,3D]. */
static void mix(look *l, int N, int h, int n, const int *qkv, int *to) {
  tape *t = &l->tape;
  const int D = l->D, d = D / l->H;
  int *weights = calloc((size_t)N, sizeof *weights), sum = constant(t, 0);
  for (int k = 0; k < N; k++) {
    int score = constant(t, 0);
    for (int i = 0; i < d; i++)
      score = add(t, score, mul(t, qkv[n * 3 * D + h * d + i], qkv[k * 3 * D + D + h * d + i]));
    weights[k] = exponential(t, scale(t, score, 1 / sqrt(d)));
    sum = add(t, sum, weights[k]);
  }
  const int inverse = power(t, sum, -1);
  for (int i = 0; i < d; i++) {
    int mixed = constant(t, 0);
    for (int k = 0; k < N; k++)
      mixed = add(t, mixed, mul(t, weights[k], qkv[k * 3 * D + 2 * D + h * d + i]));
    to[h * d + i] = mul(t, mixed, inverse);
  }
  free(weights);
}

#define BLOCK(part) find(l, "vision_tower.encoder.blocks.%d." part, block)
#define WHOLE(part) find(l, part, 0)

static void attend(look *l, int block, int N, int *x) {
  const int D = l->D, d = D / l->H;
  int *qkv = calloc((size_t)(3 * N * D), sizeof *qkv), h[64], mixed[64], out[64];
  for (int n = 0; n < N; n++) {
    const int y = n / l->w % l->h, column = n % l->w;
    norm(l, BLOCK("norm0.weight"), BLOCK("norm0.bias"), x + n * D, h);
    apply(l, BLOCK("wqkv.weight"), BLOCK("wqkv.bias"), 3 * D, D, h, qkv + n * 3 * D);
    for (int k = 0; k < 2 * l->H; k++) turn(l, y, column, qkv + n * 3 * D + k * d);
  }
  for (int n = 0; n < N; n++) {
    for (int k = 0; k < l->H; k++) mix(l, N, k, n, qkv, mixed);
    apply(l, BLOCK("wo.weight"), BLOCK("wo.bias"), D, D, mixed, out);
    for (int i = 0; i < D; i++) x[n * D + i] = add(&l->tape, x[n * D + i], out[i]);
  }
  free(qkv);
}

static void feed_forward(look *l, int block, int N, int *x) {
  int h[64], inner[64], out[64];
  for (int n = 0; n < N; n++, x += l->D) {
    norm(l, BLOCK("norm1.weight"), BLOCK("norm1.bias"), x, h);
    apply(l, BLOCK("mlp.fc0.weight"), BLOCK("mlp.fc0.bias"), l->F, l->D, h, inner);
    for (int i = 0; i < l->F; i++) inner[i] = gelu_by_tanh(&l->tape, inner[i]);
    apply(l, BLOCK("mlp.fc1.weight"), BLOCK("mlp.fc1.bias"), l->D, l->F, inner, out);
    for (int i = 0; i < l->D; i++) x[i] = add(&l->tape, x[i], out[i]);
  }
}

/* One merged row: four neighbours, each the mean of its frames, normed alone. */
static void project(look *l, int block_y, int block_x, const int *x, int C, int *to) {
  const int D = l->D;
  int wide[256], inner[256], mean[64];
  for (int k = 0; k < 4; k++) {
    const int y = 2 * block_y + k / 2, column = 2 * block_x + k % 2;
    for (int i = 0; i < D; i++) {
      mean[i] = constant(&l->tape, 0);
      for (int f = 0; f < l->t; f++)
        mean[i] = add(&l->tape, mean[i],
                      scale(&l->tape, x[((f * l->h + y) * l->w + column) * D + i], 1.0 / l->t));
    }
    norm(l, WHOLE("mm_projector.pre_norm.weight"), WHOLE("mm_projector.pre_norm.bias"), mean,
         wide + k * D);
  }
  apply(l, WHOLE("mm_projector.proj.0.weight"), WHOLE("mm_projector.proj.0.bias"), 4 * D, 4 * D,
        wide, inner);
  for (int i = 0; i < 4 * D; i++) inner[i] = gelu_by_erf(&l->tape, inner[i]);
  apply(l, WHOLE("mm_projector.proj.2.weight"), WHOLE("mm_projector.proj.2.bias"), C, 4 * D, inner,
        to);
}

static void embed(look *l, int N, const float *pixels, int *x) {
  const int P = 3 * l->p * l->p;
  int *patch = calloc((size_t)P, sizeof *patch);
  for (int n = 0; n < N; n++) {
    for (int i = 0; i < P; i++) patch[i] = constant(&l->tape, (double)pixels[n * P + i]);
    apply(l, WHOLE("vision_tower.patch_embed.proj.weight"),
          WHOLE("vision_tower.patch_embed.proj.bias"), l->D, P, patch, x + n * l->D);
    add_position(l, n / (l->h * l->w), n / l->w % l->h, n % l->w, x + n * l->D);
  }
  free(patch);
}

/* Nodes of the features [rows,C], owned by the caller. */
static int *run(look *l, const float *pixels, int n_blocks, int C) {
  const int N = l->t * l->h * l->w, D = l->D;
  int *x = calloc((size_t)(N * D), sizeof *x), *y = calloc((size_t)(N * D), sizeof *y);
  int *features = calloc((size_t)(l->h * l->w / 4 * C), sizeof *features);
  embed(l, N, pixels, x);
  for (int block = 0; block < n_blocks; block++) {
    attend(l, block, N, x);
    feed_forward(l, block, N, x);
  }
  for (int n = 0; n < N; n++)
    norm(l, WHOLE("vision_tower.encoder.final_layernorm.weight"),
         WHOLE("vision_tower.encoder.final_layernorm.bias"), x + n * D, y + n * D);
  for (int r = 0; r < l->h * l->w / 4; r++)
    project(l, r / (l->w / 2), r % (l->w / 2), y, C, features + r * C);
  free(x);
  free(y);
  return features;
}

double naive_look(const parl_model *model, const float *params, const int64_t grid[3],
                  const float *pixels, const float *cotangent, double *features, double *dparams) {
  const parl_model_config *c = parl_model_get_config(model);
  const int n_params = (int)parl_model_get_n_params(model), C = (int)c->d_model;
  look l = {.model = model,
            .D = (int)c->vision.d_model,
            .H = (int)c->vision.n_heads,
            .F = (int)c->vision.d_ff,
            .p = (int)c->vision.patch,
            .rows = (int)c->vision.grid_height,
            .columns = (int)c->vision.grid_width,
            .t = (int)grid[0],
            .h = (int)grid[1],
            .w = (int)grid[2]};
  for (int i = 0; i < n_params; i++) constant(&l.tape, (double)params[i]);
  int *out = run(&l, pixels, (int)c->vision.n_layers, C), n = l.h * l.w / 4 * C;
  double sum = 0;
  for (int i = 0; i < n; i++) {
    features[i] = get(&l.tape, out[i]);
    sum += features[i] * (double)cotangent[i];
    l.tape.nodes[out[i]].gradient += (double)cotangent[i];
  }
  if (dparams != NULL) go_back(&l.tape);
  for (int i = 0; dparams != NULL && i < n_params; i++) dparams[i] += l.tape.nodes[i].gradient;
  free(out);
  free(l.tape.nodes);
  return sum;
}

parl_model_config vision_config(void) {
  parl_model_config c;
  parl_config_set_defaults(&parl_model_section, &c);
  c.n_layers = 1;
  c.d_model = 10;
  c.n_heads = c.n_kv_heads = 2;
  c.head_dim = 4;
  c.d_ff = 12;
  c.max_context = 64;
  c.init_std = 0.15;
  c.vision = (parl_vision_config){.n_layers = 2,
                                  .d_model = 16,
                                  .n_heads = 2,
                                  .d_ff = 20,
                                  .patch = 2,
                                  .grid_height = 4,
                                  .grid_width = 4,
                                  .max_frames = 4,
                                  .media_token = -1};
  return c;
}
