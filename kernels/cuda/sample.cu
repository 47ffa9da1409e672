/* kernels/cuda/sample.cu - a draw from the allowed tokens, or the likeliest: a warp a row.
 *
 * A token weighs floor(p 2^32): sums of whole numbers have no order, so that equal probabilities
 * give the token that the oracle draws. The nucleus is found by its lightest weight, bit by bit. */
#include "kernels/cuda/policy.cuh"

static __device__ __forceinline__ uint64_t warp_sum_whole(uint64_t x) {
  for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(EVERY_LANE, x, step);
  return x;
}

static __device__ __forceinline__ uint64_t weigh(float p) {
  return p > 0.0f ? (uint64_t)(fminf(p, 1.0f) * 4294967296.0f) : 0;
}

/* The allowed token of the largest logit, the lowest on ties; never a masked one, whatever is no
 * number. */
static __device__ unsigned find_argmax(const float *logits, const uint64_t *mask, size_t V) {
  float most = -INFINITY;
  unsigned found = (unsigned)V;
  for (size_t v = lane_index(); v < V; v += WARP)
    if (is_allowed(mask, v) && (found == V || logits[v] > most)) {
      most = logits[v];
      found = (unsigned)v;
    }
  return warp_best(most, found, (unsigned)V);
}

/* What all tokens of a weight of `least` at least weigh together. */
static __device__ uint64_t weigh_all(const float *probs, size_t V, uint64_t least) {
  uint64_t sum = 0;
  for (size_t v = lane_index(); v < V; v += WARP) {
    const uint64_t w = weigh(probs[v]);
    sum += w >= least ? w : 0;
  }
  return warp_sum_whole(sum);
}

/* Tokens heavier than `least`, and the first `n_least` of those that weigh as much. */
struct nucleus {
  uint64_t least, n_least, total;
};

/* The heaviest tokens, the lower first among equals, until they weigh `enough`. */
static __device__ nucleus find_nucleus(const float *probs, size_t V, uint64_t enough) {
  nucleus n = {0, 0, 0};
  for (int bit = 32; bit >= 0; bit--) {
    const uint64_t least = n.least | (uint64_t)1 << bit;
    if (weigh_all(probs, V, least) >= enough) n.least = least;
  }
  const uint64_t heavier = weigh_all(probs, V, n.least + 1);
  n.n_least = (enough - heavier + n.least - 1) / n.least;
  n.total = heavier + n.n_least * n.least;
  return n;
}

/* The first token whose cumulated weight within the nucleus exceeds the goal. */
static __device__ unsigned find_quantile(const float *probs, size_t V, const nucleus &n,
                                         uint64_t goal) {
  uint64_t before = 0, n_least = 0;
  for (size_t first = 0; first < V; first += WARP) {
    const size_t v = first + lane_index();
    const uint64_t w = v < V ? weigh(probs[v]) : 0;
    const unsigned equals = __ballot_sync(EVERY_LANE, w == n.least);
    const unsigned below = equals & ((1u << lane_index()) - 1);
    const bool is_in = w > n.least || (w == n.least && n_least + __popc(below) < n.n_least);
    const uint64_t up_to = warp_sum_up_to(is_in ? w : (uint64_t)0);
    const unsigned hit = __ballot_sync(EVERY_LANE, before + up_to > goal);
    if (hit != 0) return (unsigned)first + (unsigned)__ffs((int)hit) - 1;
    before += __shfl_sync(EVERY_LANE, up_to, WARP - 1);
    n_least += __popc(equals);
  }
  return (unsigned)V;
}

/* A token, and the probability of what it was drawn from; V where nothing weighs anything. */
static __device__ unsigned draw(const float *probs, size_t V, double top_p, double uniform,
                                float *kept) {
  const uint64_t all = weigh_all(probs, V, 0);
  nucleus n = {0, UINT64_MAX, all}; /* everything */
  *kept = 1.0f;
  if (all == 0) return (unsigned)V;
  if (top_p < 1.0) {
    n = find_nucleus(probs, V, (uint64_t)ceil(top_p * (double)all));
    *kept = (float)((double)n.total / (double)all);
  }
  return find_quantile(probs, V, n, (uint64_t)(uniform * (double)n.total));
}

static __global__ void sample(parl_sample_args a) {
  const size_t row = warp_index();
  if (row >= a.rows) return;
  float *logits = a.logits + row * a.V, kept = 1.0f;
  const uint64_t *mask = mask_of(a.mask, row, a.V);
  const bool is_greedy = a.inv_temperature[row] <= 0.0f;
  const unsigned argmax = find_argmax(logits, mask, a.V);
  const row_sums s = sum_row(logits, mask, a.V, is_greedy ? 1.0f : a.inv_temperature[row]);
  write_probs(s, logits, mask, a.V, logits);
  __syncwarp();
  unsigned token = argmax;
  if (!is_greedy) token = draw(logits, a.V, a.top_p[row], a.uniform[row], &kept);
  if (token >= a.V) token = argmax;
  if (lane_index() != 0) return;
  a.token[row] = (int32_t)token;
  a.logp[row] = logf(logits[token]);
  a.entropy[row] = entropy_of(s);
  a.kept[row] = kept;
}
void parl_cuda_sample(parl_queue *queue, const parl_sample_args *a) {
  LAUNCH(queue, sample, warp_blocks(a->rows), BLOCK, 0, *a);
}
