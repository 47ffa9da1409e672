/* kernels/pointers.h - the pointers among every op's arguments: P(field) for each, all of them on
 * the device. For backends that must look at them; a field that is missing here is met by far's
 * tests. */
#ifndef PARL_KERNELS_POINTERS_H
#define PARL_KERNELS_POINTERS_H

#define PARL_POINTERS_linear_pack(P) P(w) P(packed)
#define PARL_POINTERS_linear_fwd(P) P(x) P(packed) P(bias) P(residual) P(y)
#define PARL_POINTERS_linear_bwd_input(P) P(dy) P(w) P(packed) P(dx)
#define PARL_POINTERS_linear_bwd_weight(P) P(dy) P(x) P(dw) P(dbias)
#define PARL_POINTERS_rmsnorm_fwd(P) P(x) P(weight) P(y) P(inv_rms)
#define PARL_POINTERS_rmsnorm_bwd(P) P(x) P(weight) P(inv_rms) P(dy) P(dx) P(dweight)
#define PARL_POINTERS_rope(P) P(x) P(positions) P(cos_table) P(sin_table)
#define PARL_POINTERS_attention_fwd(P) \
  P(seq_start) P(q) P(k) P(v) P(out) P(lse) P(scratch) P(max_scores)
#define PARL_POINTERS_attention_bwd(P) \
  P(fwd.seq_start)                     \
  P(fwd.q)                             \
  P(fwd.k) P(fwd.v) P(fwd.out) P(fwd.lse) P(fwd.scratch) P(fwd.max_scores) P(dout) P(dq) P(dk) P(dv)
#define PARL_POINTERS_attention_decode(P) \
  P(q) P(k) P(v) P(k_cache) P(v_cache) P(slots) P(lengths) P(out) P(scratch)
#define PARL_POINTERS_swiglu_fwd(P) P(gate_up) P(out)
#define PARL_POINTERS_swiglu_bwd(P) P(gate_up) P(dout) P(dgate_up)
#define PARL_POINTERS_embedding_fwd(P) P(tokens) P(table) P(out)
#define PARL_POINTERS_embedding_bwd(P) P(tokens) P(dout) P(dtable)
#define PARL_POINTERS_policy_fwd(P) P(logits) P(mask) P(target) P(probs) P(logp) P(entropy)
#define PARL_POINTERS_policy_bwd(P) P(probs) P(target) P(entropy) P(dlogp) P(dentropy) P(dlogits)
#define PARL_POINTERS_adamw(P) P(starts) P(decay) P(params) P(grads) P(m) P(v)
#define PARL_POINTERS_add(P) P(x) P(y)
#define PARL_POINTERS_sum_squares(P) P(starts) P(x) P(out)
#define PARL_POINTERS_copy2d(P) P(from) P(to)
#define PARL_POINTERS_to_act(P) P(x) P(y)
#define PARL_POINTERS_axpby(P) P(x) P(y)
#define PARL_POINTERS_sum_heads(P) P(x) P(y)
#define PARL_POINTERS_sigmoid_fwd(P) P(x)
#define PARL_POINTERS_sigmoid_bwd(P) P(y) P(dy)
#define PARL_POINTERS_route_fwd(P) P(scores) P(bias) P(chosen) P(weights)
#define PARL_POINTERS_route_bwd(P) P(scores) P(chosen) P(dweights) P(dscores)
#define PARL_POINTERS_balance(P) P(seq_start) P(scores) P(chosen) P(dscores) P(loss)
#define PARL_POINTERS_dispatch(P) P(chosen) P(first) P(row_of) P(place_of)
#define PARL_POINTERS_count_load(P) P(first) P(load)
#define PARL_POINTERS_combine_fwd(P) P(place_of) P(weights) P(output) P(out)
#define PARL_POINTERS_combine_bwd(P) P(place_of) P(weights) P(output) P(dout) P(doutput) P(dweights)
#define PARL_POINTERS_experts_fwd(P) \
  P(first)                           \
  P(gate_up.packed) P(gate_up.w) P(down.packed) P(down.w) P(input) P(inner) P(act) P(output)
#define PARL_POINTERS_experts_bwd(P) \
  P(fwd.first)                       \
  P(fwd.gate_up.packed)              \
  P(fwd.gate_up.w)                   \
  P(fwd.down.packed)                 \
  P(fwd.down.w)                      \
  P(fwd.input) P(fwd.inner) P(fwd.act) P(fwd.output) P(doutput) P(dinput) P(dgate_up) P(ddown)
#define PARL_POINTERS_sample(P) \
  P(logits) P(mask) P(inv_temperature) P(uniform) P(top_p) P(token) P(logp) P(entropy) P(kept)
#define PARL_POINTERS_layernorm_fwd(P) P(x) P(weight) P(bias) P(y) P(mean) P(inv_std)
#define PARL_POINTERS_layernorm_bwd(P) \
  P(x) P(weight) P(mean) P(inv_std) P(dy) P(dx) P(dweight) P(dbias)
#define PARL_POINTERS_gelu_fwd(P) P(x) P(y)
#define PARL_POINTERS_gelu_bwd(P) P(x) P(dy) P(dx)
#define PARL_POINTERS_mix_rows_fwd(P) P(weights) P(index) P(table) P(out)
#define PARL_POINTERS_mix_rows_bwd(P) P(weights) P(index) P(dout) P(dtable)
#define PARL_POINTERS_normalise(P) P(squares) P(x)
#define PARL_POINTERS_round_int4(P) P(w) P(out)

#endif
