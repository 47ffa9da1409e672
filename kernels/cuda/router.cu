/* kernels/cuda/router.cu - the choice of experts and its gradient, a warp a token; the balance
 * loss, a block a sequence. The formulas are kernels/ref/moe.c's. */
#include "kernels/cuda/numbers.cuh"

/* ---------------------------------------------------------------------------------- the choice */

enum { ROUTE_WARPS = 2 }; /* of a block: [E] keys, ranks and marks each in shared memory */

static __host__ __device__ size_t mark_words(size_t n_experts) {
  return (n_experts + WARP - 1) / WARP;
}
/* Of a warp, in words of 4 bytes. */
static __host__ __device__ size_t route_words(const parl_router &r) {
  return r.n_experts + r.n_group + 2 * mark_words(r.n_experts);
}

/* What a warp works on: experts' keys, which are left out, which are taken, groups' ranks. A mark
 * is a bit of expert e at word e / 32. */
struct choice {
  float *keys, *ranks;
  unsigned *left_out, *taken;
};

static __device__ bool is_marked(const unsigned *marks, size_t e) {
  return (marks[e / WARP] >> (e % WARP) & 1) != 0;
}

/* Ranks groups by the sum of their two best and leaves out all but the first topk_group. */
static __device__ void leave_out_groups(const parl_router &r, const choice &c) {
  const size_t size = r.n_experts / r.n_group;
  for (size_t g = lane_index(); g < r.n_group; g += WARP) {
    float best = -INFINITY, second = -INFINITY;
    for (size_t e = g * size; e < (g + 1) * size; e++) {
      second = fmaxf(second, fminf(best, c.keys[e]));
      best = fmaxf(best, c.keys[e]);
    }
    c.ranks[g] = best + second;
  }
  __syncwarp();
  for (size_t word = 0; word < mark_words(r.n_experts); word++) {
    const size_t e = word * WARP + lane_index(), group = e / size;
    size_t before = 0;
    for (size_t g = 0; e < r.n_experts && g < r.n_group; g++)
      before += c.ranks[g] > c.ranks[group] || (!(c.ranks[g] < c.ranks[group]) && g < group);
    const unsigned marks = __ballot_sync(EVERY_LANE, before >= r.topk_group);
    if (lane_index() == 0) c.left_out[word] = marks;
  }
  __syncwarp();
}

/* Marks the best expert that is neither left out nor taken, the lowest on ties. */
static __device__ void take_best(const parl_router &r, const choice &c) {
  const unsigned none = (unsigned)r.n_experts;
  float most = -INFINITY;
  unsigned found = none;
  for (size_t e = lane_index(); e < r.n_experts; e += WARP)
    if (!is_marked(c.left_out, e) && !is_marked(c.taken, e) &&
        (found == none || c.keys[e] > most)) {
      most = c.keys[e];
      found = (unsigned)e;
    }
  found = warp_best(most, found, none);
  __syncwarp(); /* all have read the marks */
  if (lane_index() == 0 && found != none) c.taken[found / WARP] |= 1u << (found % WARP);
  __syncwarp();
}

/* chosen, weights [K] of a token, ascending. */
static __device__ void write_choice(const parl_router &r, const choice &c, const float *scores,
                                    int32_t *chosen, float *weights) {
  float sum = 0.0f;
  int n = 0;
  for (size_t word = 0; word < mark_words(r.n_experts); word++) {
    const size_t e = word * WARP + lane_index();
    const unsigned marks = c.taken[word];
    if ((marks >> lane_index() & 1) != 0) {
      chosen[n + __popc(marks & ((1u << lane_index()) - 1))] = (int32_t)e;
      sum += scores[e];
    }
    n += __popc(marks);
  }
  sum = warp_sum(sum) + 1e-20f;
  __syncwarp();
  for (size_t k = lane_index(); k < r.n_chosen; k += WARP)
    weights[k] = (float)r.scale * (scores[chosen[k]] / (r.normalise ? sum : 1.0f));
}

static __global__ void route_fwd(parl_route_fwd_args a) {
  PARL_DYNAMIC_SHARED(float, shared);
  const parl_router &r = a.router;
  const size_t row = (size_t)blockIdx.x * ROUTE_WARPS + threadIdx.x / WARP, E = r.n_experts;
  if (row >= a.rows) return;
  choice c;
  c.keys = shared + threadIdx.x / WARP * route_words(r);
  c.ranks = c.keys + E;
  c.left_out = (unsigned *)(void *)(c.ranks + r.n_group);
  c.taken = c.left_out + mark_words(E);
  const float *scores = a.scores + row * E;
  for (size_t e = lane_index(); e < E; e += WARP) c.keys[e] = scores[e] + a.bias[e];
  for (size_t word = lane_index(); word < mark_words(E); word += WARP)
    c.left_out[word] = c.taken[word] = 0;
  __syncwarp();
  if (r.n_group > 1) leave_out_groups(r, c);
  for (size_t k = 0; k < r.n_chosen; k++) take_best(r, c);
  write_choice(r, c, scores, a.chosen + row * r.n_chosen, a.weights + row * r.n_chosen);
}
void parl_cuda_route_fwd(parl_queue *queue, const parl_route_fwd_args *a) {
  const size_t shared = ROUTE_WARPS * route_words(a->router) * sizeof(float);
  LAUNCH(queue, route_fwd, (unsigned)ceil_div(a->rows, ROUTE_WARPS), ROUTE_WARPS * WARP, shared,
         *a);
}

/* -------------------------------------------------------------------------------- its gradient */

static __global__ void route_bwd(parl_route_bwd_args a) {
  const size_t row = warp_index(), E = a.router.n_experts, K = a.router.n_chosen;
  if (row >= a.rows) return;
  const float *scores = a.scores + row * E, *dweights = a.dweights + row * K;
  const int32_t *chosen = a.chosen + row * K;
  float *dscores = a.dscores + row * E, sum = 0.0f, pull = 0.0f;
  for (size_t e = lane_index(); e < E; e += WARP) dscores[e] = 0.0f;
  for (size_t k = lane_index(); k < K; k += WARP) {
    sum += scores[chosen[k]];
    pull += scores[chosen[k]] * dweights[k];
  }
  sum = warp_sum(sum) + 1e-20f;
  pull = warp_sum(pull) / sum;
  __syncwarp(); /* the zeros are there */
  for (size_t k = lane_index(); k < K; k += WARP)
    dscores[chosen[k]] =
        (float)a.router.scale * (a.router.normalise ? (dweights[k] - pull) / sum : dweights[k]);
}
void parl_cuda_route_bwd(parl_queue *queue, const parl_route_bwd_args *a) {
  LAUNCH(queue, route_bwd, warp_blocks(a->rows), BLOCK, 0, *a);
}

/* ---------------------------------------------------------------------------- the balance loss */

enum { BALANCE_WARPS = BLOCK / WARP };

/* Shares f [E] of a sequence's choices, a warp an expert. */
static __device__ void count_shares(const parl_balance_args &a, size_t start, size_t end,
                                    float *shares) {
  const size_t E = a.router.n_experts, K = a.router.n_chosen;
  for (size_t e = threadIdx.x / WARP; e < E; e += BALANCE_WARPS) {
    int count = 0;
    for (size_t i0 = start * K; i0 < end * K; i0 += WARP) {
      const size_t i = i0 + lane_index();
      count += __popc(__ballot_sync(EVERY_LANE, i < end * K && a.chosen[i] == (int32_t)e));
    }
    if (lane_index() == 0) shares[e] = (float)count * (float)E / (float)(K * (end - start));
  }
}

/* sum_e f_e score_e / sum of scores of a token; adds to its gradients. */
static __device__ float balance_token(const parl_balance_args &a, size_t token, float pull,
                                      const float *shares) {
  const size_t E = a.router.n_experts;
  const float *scores = a.scores + token * E;
  float sum = 0.0f, dot = 0.0f;
  for (size_t e = lane_index(); e < E; e += WARP) {
    sum += scores[e];
    dot += shares[e] * scores[e];
  }
  sum = warp_sum(sum);
  if (!(sum > 0.0f)) return 0.0f;
  dot = warp_sum(dot) / sum;
  for (size_t e = lane_index(); a.dscores != NULL && e < E; e += WARP)
    a.dscores[token * E + e] += pull * (shares[e] - dot) / sum;
  return dot;
}

/* losses [n_seqs] of a block each. */
static __global__ void balance(parl_balance_args a, double *losses) {
  PARL_DYNAMIC_SHARED(float, shares); /* [E], then a sum for each warp */
  float *sums = shares + a.router.n_experts;
  const size_t start = (size_t)a.seq_start[blockIdx.x], end = (size_t)a.seq_start[blockIdx.x + 1];
  const unsigned warp = threadIdx.x / WARP;
  const float pull = (float)(a.weight / (double)(end - start));
  count_shares(a, start, end, shares);
  __syncthreads();
  float sum = 0.0f;
  for (size_t t = start + warp; t < end; t += BALANCE_WARPS)
    sum += balance_token(a, t, pull, shares);
  if (lane_index() == 0) sums[warp] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  double loss = 0.0;
  for (int w = 0; w < BALANCE_WARPS; w++) loss += (double)sums[w];
  losses[blockIdx.x] = a.weight * (loss / (double)(end - start));
}

/* One warp. */
static __global__ void add_losses(size_t n, const double *losses, double *loss) {
  double sum = 0.0;
  for (size_t q = threadIdx.x; q < n; q += WARP) sum += losses[q];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) *loss += sum;
}

void parl_cuda_balance(parl_queue *queue, const parl_balance_args *a) {
  if (a->n_seqs == 0) return;
  double *losses = (double *)parl_cuda_scratch(queue, a->n_seqs * sizeof *losses);
  if (losses == NULL) return; /* the queue knows why */
  const size_t shared = (a->router.n_experts + BALANCE_WARPS) * sizeof(float);
  PARL_LAUNCH(queue, balance, (unsigned)a->n_seqs, BLOCK, shared, *a, losses);
  PARL_LAUNCH(queue, add_losses, 1, WARP, 0, a->n_seqs, (const double *)losses, a->loss);
}
