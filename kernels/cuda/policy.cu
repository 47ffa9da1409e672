/* kernels/cuda/policy.cu - masked log-softmax and entropy, a warp a row; their gradient, a thread
 * an element. The formulas are kernels/ref/policy.c's. */
#include "kernels/cuda/policy.cuh"

static __global__ void policy_fwd(parl_policy_fwd_args a) {
  const size_t row = warp_index();
  if (row >= a.rows) return;
  const float *logits = a.logits + row * a.V;
  const uint64_t *mask = mask_of(a.mask, row, a.V);
  const row_sums s = sum_row(logits, mask, a.V, a.inv_temperature);
  if (lane_index() == 0) {
    if (a.target != NULL) a.logp[row] = (logits[a.target[row]] - s.largest) * s.scale - logf(s.sum);
    a.entropy[row] = entropy_of(s);
  }
  __syncwarp(); /* probabilities may take the place of the target's logit */
  write_probs(s, logits, mask, a.V, a.probs + row * a.V);
}
void parl_cuda_policy_fwd(parl_queue *queue, const parl_policy_fwd_args *a) {
  LAUNCH(queue, policy_fwd, warp_blocks(a->rows), BLOCK, 0, *a);
}

static __global__ void policy_bwd(parl_policy_bwd_args a) {
  const size_t i = thread_index(), row = i / a.V;
  if (row >= a.rows) return;
  const float p = a.probs[i], hit = i % a.V == (size_t)a.target[row] ? 1.0f : 0.0f;
  float d = a.dlogp[row] * (hit - p);
  if (a.dentropy != NULL && p > 0.0f) d -= a.dentropy[row] * p * (logf(p) + a.entropy[row]);
  a.dlogits[i] = d * a.inv_temperature;
}
void parl_cuda_policy_bwd(parl_queue *queue, const parl_policy_bwd_args *a) {
  LAUNCH(queue, policy_bwd, thread_blocks(a->rows * a->V), BLOCK, 0, *a);
}
