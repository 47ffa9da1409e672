/* kernels/check_more.c - the conditions on the arguments of kernels/ops_more.h. */
#define PARL_ACT_IS_FLOAT
#include <math.h>

#include "kernels/check.h"

parl_status parl_copy2d_check(const parl_copy2d_args *a) {
  PARL_REQUIRE(a->width > 0 && (a->unit == 2 || a->unit == 4));
  PARL_REQUIRE(a->from != NULL && a->to != NULL && a->from != a->to);
  PARL_REQUIRE(a->rows <= 1 || a->to_row > 0);
  PARL_REQUIRE(a->groups <= 1 || a->to_group > 0);
  return PARL_STATUS_OK;
}

parl_status parl_to_act_check(const parl_to_act_args *a) {
  PARL_REQUIRE(a->x != NULL && a->y != NULL && (const void *)a->x != (const void *)a->y);
  return PARL_STATUS_OK;
}

parl_status parl_axpby_check(const parl_axpby_args *a) {
  PARL_REQUIRE(a->y != NULL);
  PARL_REQUIRE(isfinite(a->a) && isfinite(a->b));
  return PARL_STATUS_OK;
}

parl_status parl_sum_heads_check(const parl_sum_heads_args *a) {
  PARL_REQUIRE(a->heads > 0 && a->D > 0 && (a->heads == 1 || a->head_stride >= a->D));
  PARL_REQUIRE(a->ld_x >= (a->heads - 1) * a->head_stride + a->D && a->ld_y >= a->D);
  PARL_REQUIRE(a->x != NULL && a->y != NULL && a->x != a->y);
  return PARL_STATUS_OK;
}

parl_status parl_sigmoid_fwd_check(const parl_sigmoid_fwd_args *a) {
  PARL_REQUIRE(a->x != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_sigmoid_bwd_check(const parl_sigmoid_bwd_args *a) {
  PARL_REQUIRE(a->y != NULL && a->dy != NULL && a->dy != a->y);
  return PARL_STATUS_OK;
}

static parl_status check_router(const parl_router *r) {
  PARL_REQUIRE(r->n_experts > 0 && r->n_experts <= PARL_ROUTER_MAX_EXPERTS);
  PARL_REQUIRE(r->n_group > 0 && r->n_experts % r->n_group == 0);
  PARL_REQUIRE(r->topk_group > 0 && r->topk_group <= r->n_group);
  PARL_REQUIRE(r->n_group == 1 || r->n_experts / r->n_group >= 2);
  PARL_REQUIRE(r->n_chosen > 0 && r->n_chosen <= PARL_ROUTER_MAX_CHOSEN);
  PARL_REQUIRE(r->n_chosen <= r->topk_group * (r->n_experts / r->n_group));
  return PARL_STATUS_OK;
}

static parl_status check_indices(const int32_t *x, size_t n, size_t below) {
  PARL_REQUIRE(x != NULL);
  for (size_t i = 0; i < n; i++) PARL_REQUIRE(x[i] >= 0 && (size_t)x[i] < below);
  return PARL_STATUS_OK;
}

parl_status parl_route_fwd_check(const parl_route_fwd_args *a) {
  PARL_TRY(check_router(&a->router));
  PARL_REQUIRE(a->scores != NULL && a->bias != NULL && a->chosen != NULL && a->weights != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_route_bwd_check(const parl_route_bwd_args *a) {
  PARL_TRY(check_router(&a->router));
  PARL_TRY(check_indices(a->chosen, a->rows * a->router.n_chosen, a->router.n_experts));
  PARL_REQUIRE(a->scores != NULL && a->dweights != NULL && a->dscores != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_balance_check(const parl_balance_args *a) {
  PARL_TRY(check_router(&a->router));
  PARL_REQUIRE(a->seq_start != NULL && a->seq_start[0] >= 0);
  for (size_t q = 0; q < a->n_seqs; q++) PARL_REQUIRE(a->seq_start[q] < a->seq_start[q + 1]);
  PARL_TRY(check_indices(a->chosen, (size_t)a->seq_start[a->n_seqs] * a->router.n_chosen,
                         a->router.n_experts));
  PARL_REQUIRE(a->scores != NULL && a->loss != NULL && isfinite(a->weight));
  return PARL_STATUS_OK;
}

parl_status parl_dispatch_check(const parl_dispatch_args *a) {
  PARL_REQUIRE(a->n_experts > 0 && a->n_chosen > 0);
  PARL_TRY(check_indices(a->chosen, a->rows * a->n_chosen, a->n_experts));
  PARL_REQUIRE(a->first != NULL && a->row_of != NULL && a->place_of != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_count_load_check(const parl_count_load_args *a) {
  PARL_REQUIRE(a->first != NULL && a->load != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_combine_fwd_check(const parl_combine_fwd_args *a) {
  PARL_REQUIRE(a->C > 0 && a->n_chosen > 0);
  PARL_TRY(check_indices(a->place_of, a->rows * a->n_chosen, a->rows * a->n_chosen));
  PARL_REQUIRE(a->output != NULL && a->out != NULL && a->out != a->output);
  return PARL_STATUS_OK;
}

parl_status parl_combine_bwd_check(const parl_combine_bwd_args *a) {
  PARL_REQUIRE(a->C > 0 && a->n_chosen > 0);
  PARL_TRY(check_indices(a->place_of, a->rows * a->n_chosen, a->rows * a->n_chosen));
  PARL_REQUIRE(a->weights != NULL && a->output != NULL && a->dout != NULL);
  PARL_REQUIRE(a->doutput != NULL && a->dweights != NULL && a->doutput != a->dout);
  return PARL_STATUS_OK;
}

parl_status parl_experts_fwd_check(const parl_experts_fwd_args *a) {
  PARL_REQUIRE(a->E > 0 && a->C > 0 && a->F > 0);
  PARL_REQUIRE(a->first != NULL && a->first[0] == 0);
  for (size_t e = 0; e < a->E; e++) PARL_REQUIRE(a->first[e] <= a->first[e + 1]);
  PARL_REQUIRE(a->gate_up.packed != NULL && a->down.packed != NULL);
  PARL_REQUIRE(a->input != NULL && a->inner != NULL && a->act != NULL && a->output != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_experts_bwd_check(const parl_experts_bwd_args *a) {
  PARL_TRY(parl_experts_fwd_check(&a->fwd));
  PARL_REQUIRE(a->fwd.gate_up.w != NULL && a->fwd.down.w != NULL);
  PARL_REQUIRE(a->doutput != NULL && a->dinput != NULL);
  PARL_REQUIRE(a->dgate_up != NULL && a->ddown != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_sample_check(const parl_sample_args *a) {
  PARL_REQUIRE(a->V > 0 && a->logits != NULL && a->inv_temperature != NULL);
  PARL_REQUIRE(a->uniform != NULL && a->token != NULL && a->logp != NULL && a->entropy != NULL);
  PARL_REQUIRE(a->top_p != NULL && a->kept != NULL);
  for (size_t row = 0; row < a->rows; row++) {
    PARL_REQUIRE(isfinite(a->inv_temperature[row]) && a->inv_temperature[row] >= 0.0F);
    PARL_REQUIRE(a->uniform[row] >= 0.0 && a->uniform[row] < 1.0);
    PARL_REQUIRE(a->top_p[row] > 0.0 && a->top_p[row] <= 1.0);
  }
  return PARL_STATUS_OK;
}

parl_status parl_layernorm_fwd_check(const parl_layernorm_fwd_args *a) {
  PARL_REQUIRE(a->C > 0);
  PARL_REQUIRE(a->ld_x >= a->C);
  PARL_REQUIRE(a->ld_y >= a->C);
  PARL_REQUIRE(isfinite(a->eps) && a->eps >= 0.0F);
  PARL_REQUIRE(a->x != NULL && a->weight != NULL && a->bias != NULL && a->y != NULL);
  PARL_REQUIRE((a->mean == NULL) == (a->inv_std == NULL));
  return PARL_STATUS_OK;
}

parl_status parl_layernorm_bwd_check(const parl_layernorm_bwd_args *a) {
  PARL_REQUIRE(a->C > 0);
  PARL_REQUIRE(a->ld_x >= a->C);
  PARL_REQUIRE(a->ld_dy >= a->C);
  PARL_REQUIRE(a->ld_dx >= a->C);
  PARL_REQUIRE(a->x != NULL && a->weight != NULL && a->mean != NULL && a->inv_std != NULL);
  PARL_REQUIRE(a->dy != NULL && a->dx != NULL && a->dweight != NULL && a->dbias != NULL);
  PARL_REQUIRE(a->dx != a->dy && a->dx != a->x && a->dweight != a->dbias);
  return PARL_STATUS_OK;
}

parl_status parl_gelu_fwd_check(const parl_gelu_fwd_args *a) {
  PARL_REQUIRE(a->x != NULL && a->y != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_gelu_bwd_check(const parl_gelu_bwd_args *a) {
  PARL_REQUIRE(a->x != NULL && a->dy != NULL && a->dx != NULL);
  return PARL_STATUS_OK;
}

parl_status parl_mix_rows_fwd_check(const parl_mix_rows_fwd_args *a) {
  PARL_REQUIRE(a->C > 0 && a->taps > 0);
  PARL_TRY(check_indices(a->index, a->rows * a->taps, (size_t)INT32_MAX + 1));
  PARL_REQUIRE(a->weights != NULL && a->table != NULL && a->out != NULL && a->out != a->table);
  return PARL_STATUS_OK;
}

parl_status parl_mix_rows_bwd_check(const parl_mix_rows_bwd_args *a) {
  PARL_REQUIRE(a->C > 0 && a->taps > 0);
  PARL_TRY(check_indices(a->index, a->rows * a->taps, (size_t)INT32_MAX + 1));
  PARL_REQUIRE(a->weights != NULL && a->dout != NULL && a->dtable != NULL);
  PARL_REQUIRE(a->dout != a->dtable);
  return PARL_STATUS_OK;
}

parl_status parl_normalise_check(const parl_normalise_args *a) {
  PARL_REQUIRE(a->squares != NULL && a->x != NULL && *a->squares >= 0.0);
  return PARL_STATUS_OK;
}

parl_status parl_round_int4_check(const parl_round_int4_args *a) {
  PARL_REQUIRE(a->w != NULL && a->out != NULL && a->w != a->out);
  return PARL_STATUS_OK;
}
