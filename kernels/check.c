/* kernels/check.c - the conditions on arguments, one function per op. */
#define PARL_ACT_IS_FLOAT
#include "kernels/check.h"

#include <math.h>

parl_status parl_linear_pack_check(const parl_linear_pack_args *a) {
  PARL_REQUIRE(a->N > 0 && a->K > 0);
  PARL_REQUIRE(a->w != NULL && a->packed != NULL && a->w != a->packed);
  return PARL_STATUS_OK;
}

parl_status parl_linear_fwd_check(const parl_linear_fwd_args *a) {
  PARL_REQUIRE(a->N > 0 && a->K > 0);
  PARL_REQUIRE(a->ld_x >= a->K);
  PARL_REQUIRE(a->ld_y >= a->N);
  PARL_REQUIRE(a->x != NULL && a->packed != NULL && a->y != NULL && a->x != a->y);
  return PARL_STATUS_OK;
}

parl_status parl_linear_bwd_input_check(const parl_linear_bwd_input_args *a) {
  PARL_REQUIRE(a->N > 0 && a->K > 0);
  PARL_REQUIRE(a->ld_dy >= a->N);
  PARL_REQUIRE(a->ld_dx >= a->K);
  PARL_REQUIRE(a->dy != NULL && a->w != NULL && a->dx != NULL && a->dx != a->dy);
  return PARL_STATUS_OK;
}

parl_status parl_linear_bwd_weight_check(const parl_linear_bwd_weight_args *a) {
  PARL_REQUIRE(a->N > 0 && a->K > 0);
  PARL_REQUIRE(a->ld_dy >= a->N);
  PARL_REQUIRE(a->ld_x >= a->K);
  PARL_REQUIRE(a->dy != NULL && a->x != NULL && a->dw != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_rmsnorm_fwd_check(const parl_rmsnorm_fwd_args *a) {
  PARL_REQUIRE(a->C > 0);
  PARL_REQUIRE(a->ld_x >= a->C);
  PARL_REQUIRE(a->ld_y >= a->C);
  PARL_REQUIRE(a->eps >= 0.0f);
  PARL_REQUIRE(a->x != NULL && a->weight != NULL && a->y != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_rmsnorm_bwd_check(const parl_rmsnorm_bwd_args *a) {
  PARL_REQUIRE(a->C > 0);
  PARL_REQUIRE(a->ld_x >= a->C);
  PARL_REQUIRE(a->ld_dy >= a->C);
  PARL_REQUIRE(a->ld_dx >= a->C);
  PARL_REQUIRE(a->x != NULL && a->weight != NULL && a->inv_rms != NULL && a->dy != NULL);
  PARL_REQUIRE(a->dx != NULL && a->dweight != NULL && a->dx != a->dy && a->dx != a->x);
  return PARL_STATUS_OK;
}

parl_status parl_rope_check(const parl_rope_args *a) {
  PARL_REQUIRE(a->D > 0 && a->D % 2 == 0);
  PARL_REQUIRE(a->heads > 0 && a->head_stride >= a->D);
  PARL_REQUIRE(a->ld_x >= (a->heads - 1) * a->head_stride + a->D);
  PARL_REQUIRE(a->x != NULL && a->positions != NULL);
  PARL_REQUIRE(a->cos_table != NULL && a->sin_table != NULL);
  for (size_t row = 0; row < a->rows; row++) PARL_REQUIRE(a->positions[row] >= 0);
  return PARL_STATUS_OK;
}

parl_status parl_attention_fwd_check(const parl_attention_fwd_args *a) {
  PARL_REQUIRE(a->H > 0 && a->H_kv > 0 && a->H % a->H_kv == 0);
  PARL_REQUIRE(a->D > 0 && a->Dv > 0);
  PARL_REQUIRE(isfinite(a->scale));
  PARL_REQUIRE(a->ld_q >= a->H * a->D);
  PARL_REQUIRE(a->ld_k >= a->H_kv * a->D);
  PARL_REQUIRE(a->ld_v >= a->H_kv * a->Dv);
  PARL_REQUIRE(a->ld_out >= a->H * a->Dv);
  PARL_REQUIRE(a->q != NULL && a->k != NULL && a->v != NULL && a->out != NULL);
  PARL_REQUIRE(a->lse != NULL && a->scratch != NULL && a->seq_start != NULL);
  PARL_REQUIRE(a->seq_start[0] >= 0);
  for (size_t s = 0; s < a->n_seqs; s++) PARL_REQUIRE(a->seq_start[s] <= a->seq_start[s + 1]);
  return PARL_STATUS_OK;
}

parl_status parl_attention_bwd_check(const parl_attention_bwd_args *a) {
  PARL_TRY(parl_attention_fwd_check(&a->fwd));
  PARL_REQUIRE(a->ld_dout >= a->fwd.H * a->fwd.Dv);
  PARL_REQUIRE(a->ld_dq >= a->fwd.H * a->fwd.D);
  PARL_REQUIRE(a->ld_dk >= a->fwd.H_kv * a->fwd.D);
  PARL_REQUIRE(a->ld_dv >= a->fwd.H_kv * a->fwd.Dv);
  PARL_REQUIRE(a->dout != NULL && a->dq != NULL && a->dk != NULL && a->dv != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_attention_decode_check(const parl_attention_decode_args *a) {
  PARL_REQUIRE(a->H > 0 && a->H_kv > 0 && a->H % a->H_kv == 0);
  PARL_REQUIRE(a->D > 0 && a->Dv > 0 && a->context > 0);
  PARL_REQUIRE(isfinite(a->scale));
  PARL_REQUIRE(a->ld_q >= a->H * a->D);
  PARL_REQUIRE(a->ld_k >= a->H_kv * a->D);
  PARL_REQUIRE(a->v == NULL ? a->Dv <= a->D : a->ld_v >= a->H_kv * a->Dv);
  PARL_REQUIRE(a->ld_out >= a->H * a->Dv);
  PARL_REQUIRE(a->q != NULL && a->k != NULL && a->out != NULL && a->scratch != NULL);
  PARL_REQUIRE(a->k_cache != NULL && a->lengths != NULL && a->slots != NULL);
  PARL_REQUIRE((a->v == NULL) == (a->v_cache == NULL));
  for (size_t row = 0; row < a->rows; row++) {
    PARL_REQUIRE(a->lengths[row] >= 0 && (size_t)a->lengths[row] <= a->context);
    PARL_REQUIRE(a->slots[row] >= 0);
  }
  return PARL_STATUS_OK;
}

parl_status parl_swiglu_fwd_check(const parl_swiglu_fwd_args *a) {
  PARL_REQUIRE(a->F > 0);
  PARL_REQUIRE(a->gate_up != NULL && a->out != NULL && a->out != a->gate_up);
  return PARL_STATUS_OK;
}

parl_status parl_swiglu_bwd_check(const parl_swiglu_bwd_args *a) {
  PARL_REQUIRE(a->F > 0);
  PARL_REQUIRE(a->gate_up != NULL && a->dout != NULL && a->dgate_up != NULL);
  PARL_REQUIRE(a->dgate_up != a->dout);
  return PARL_STATUS_OK;
}

parl_status parl_embedding_fwd_check(const parl_embedding_fwd_args *a) {
  PARL_REQUIRE(a->C > 0);
  PARL_REQUIRE(a->tokens != NULL && a->table != NULL && a->out != NULL);
  for (size_t row = 0; row < a->rows; row++) PARL_REQUIRE(a->tokens[row] >= 0);
  return PARL_STATUS_OK;
}

parl_status parl_embedding_bwd_check(const parl_embedding_bwd_args *a) {
  PARL_REQUIRE(a->C > 0);
  PARL_REQUIRE(a->tokens != NULL && a->dout != NULL && a->dtable != NULL);
  for (size_t row = 0; row < a->rows; row++) PARL_REQUIRE(a->tokens[row] >= 0);
  return PARL_STATUS_OK;
}

static bool allows(const uint64_t *mask, size_t v) {
  return (mask[v / 64] >> (v % 64) & 1u) != 0;
}

parl_status parl_policy_fwd_check(const parl_policy_fwd_args *a) {
  const size_t words = (a->V + 63) / 64;
  PARL_REQUIRE(a->V > 0);
  PARL_REQUIRE(isfinite(a->inv_temperature) && a->inv_temperature > 0.0f);
  PARL_REQUIRE(a->logits != NULL && a->probs != NULL && a->entropy != NULL);
  PARL_REQUIRE(a->target == NULL || a->logp != NULL);
  for (size_t row = 0; row < a->rows; row++) {
    bool any = a->mask == NULL;
    for (size_t v = 0; !any && v < a->V; v++) any = allows(a->mask + row * words, v);
    PARL_REQUIRE(any);
    if (a->target == NULL) continue;
    PARL_REQUIRE(a->target[row] >= 0 && (size_t)a->target[row] < a->V);
    PARL_REQUIRE(a->mask == NULL || allows(a->mask + row * words, (size_t)a->target[row]));
  }
  return PARL_STATUS_OK;
}

parl_status parl_policy_bwd_check(const parl_policy_bwd_args *a) {
  PARL_REQUIRE(a->V > 0);
  PARL_REQUIRE(isfinite(a->inv_temperature) && a->inv_temperature > 0.0f);
  PARL_REQUIRE(a->probs != NULL && a->target != NULL && a->entropy != NULL);
  PARL_REQUIRE(a->dlogp != NULL && a->dlogits != NULL);
  for (size_t row = 0; row < a->rows; row++)
    PARL_REQUIRE(a->target[row] >= 0 && (size_t)a->target[row] < a->V);
  return PARL_STATUS_OK;
}

static parl_status check_segments(size_t n, const int64_t *starts) {
  PARL_REQUIRE(starts != NULL && starts[0] >= 0);
  for (size_t s = 0; s < n; s++) PARL_REQUIRE(starts[s] <= starts[s + 1]);
  return PARL_STATUS_OK;
}

parl_status parl_adamw_check(const parl_adamw_args *a) {
  PARL_TRY(check_segments(a->n_segments, a->starts));
  PARL_REQUIRE(a->decay != NULL && a->params != NULL && a->grads != NULL && a->m != NULL &&
               a->v != NULL);
  PARL_REQUIRE(a->beta1 >= 0.0f && a->beta1 < 1.0f);
  PARL_REQUIRE(a->beta2 >= 0.0f && a->beta2 < 1.0f);
  PARL_REQUIRE(a->correction1 > 0.0f && a->correction1 <= 1.0f);
  PARL_REQUIRE(a->correction2 > 0.0f && a->correction2 <= 1.0f);
  PARL_REQUIRE(isfinite(a->grad_scale) && isfinite(a->lr) && a->eps >= 0.0f);
  return PARL_STATUS_OK;
}

parl_status parl_add_check(const parl_add_args *a) {
  PARL_REQUIRE(a->x != NULL && a->y != NULL);
  PARL_REQUIRE(isfinite(a->a));
  return PARL_STATUS_OK;
}

parl_status parl_sum_squares_check(const parl_sum_squares_args *a) {
  PARL_TRY(check_segments(a->n_segments, a->starts));
  PARL_REQUIRE(a->x != NULL && a->out != NULL);
  return PARL_STATUS_OK;
}
