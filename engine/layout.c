/* engine/layout.c - sums over a stage's layers, in double: a real size overflows nothing. */
#include "engine/layout.h"

#include "engine/model_internal.h"

#define SECTION_TYPE_ parl_layout
PARL_CONFIG_SECTION(parl_layout_section, "layout", "a model over many devices", PARL_LAYOUT_FIELDS);
#undef SECTION_TYPE_

/* What layers and their activations consist of, before any is divided. */
typedef struct parts {
  double whole;   /* on every device of a tensor group */
  double cut;     /* divided by tp */
  double experts; /* divided by ep (weights) or tp (activations) */
} parts;

static void add(parts *to, const parts *x) {
  to->whole += x->whole;
  to->cut += x->cut;
  to->experts += x->experts;
}

static parts count_weights(const parl_model_dims *d, bool is_moe) {
  const double C = (double)d->C, E = (double)d->router.n_experts;
  const double q = (double)d->q, mixed = (double)d->mixed, R = (double)d->R, Rq = (double)d->Rq;
  parts p = {.whole = 2.0 * C, .cut = mixed * C};
  if (d->is_mla) {
    p.whole += (R + (double)d->Dr + Rq) * C + R + Rq;
    p.cut += q * (d->Rq > 0 ? Rq : C) + (double)(d->H * (d->Dn + d->Dv)) * R;
  } else {
    p.cut += (double)d->qkv * C;
  }
  if (is_moe) {
    p.whole += E * C + E;
    p.cut += 3.0 * (double)d->Fs * C;
    p.experts += E * 3.0 * (double)d->Fe * C;
  } else {
    p.cut += 3.0 * (double)d->F * C;
  }
  return p;
}

/* Of one token: what engine/states.c gives room to, as backward needs it. */
static parts count_activations(const parl_model_dims *d, bool is_moe) {
  const double C = (double)d->C, E = (double)d->router.n_experts, Fe = (double)d->Fe;
  const double q = (double)d->q, H = (double)d->H, R = (double)d->R, Rq = (double)d->Rq;
  parts p = {.whole = 4.0 * C + 2.0, .cut = (double)d->mixed + H};
  if (d->is_mla) {
    p.whole += 2.0 * R + (double)d->Dr + 2.0 * Rq + 2.0;
    p.cut += 2.0 * q + (double)(d->H * (d->Dn + d->Dv)) + (double)d->mixed;
  } else {
    p.cut += (double)d->qkv;
  }
  p.cut += 3.0 * (double)(is_moe ? d->Fs : d->F);
  if (!is_moe) return p;
  p.whole += E + 4.0 * (double)d->router.n_chosen;
  p.experts += (double)d->router.n_chosen * (2.0 * C + 3.0 * Fe);
  return p;
}

static parl_status check_divides(const char *name, int64_t parts_wanted, const char *what,
                                 size_t n) {
  if (n % (size_t)parts_wanted == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "layout.%s = %lld does not divide %s = %zu", name,
                   (long long)parts_wanted, what, n);
}

parl_status parl_layout_check(const parl_layout *l, const parl_model_config *config,
                              size_t vocab_size) {
  PARL_TRY(parl_model_check_config(config, vocab_size));
  PARL_TRY(parl_engine_check_ranges(&parl_layout_section, l));
  const parl_model_dims d = parl_model_dims_make(config, vocab_size);
  PARL_TRY(check_divides("tp", l->tp, "model.n_heads", d.H));
  if (!d.is_mla) PARL_TRY(check_divides("tp", l->tp, "model.n_kv_heads", d.H_kv));
  PARL_TRY(check_divides("tp", l->tp, "the vocabulary", d.V));
  if (d.first_moe > 0) PARL_TRY(check_divides("tp", l->tp, "model.d_ff", d.F));
  PARL_TRY(check_divides("tp", l->tp, "the shared experts' width", d.Fs));
  PARL_TRY(check_divides("ep", l->ep, "tp * dp", (size_t)(l->tp * l->dp)));
  if (l->ep > 1 && d.router.n_experts == 0)
    return parl_fail(PARL_STATUS_EINVAL, "layout.ep = %lld, but the model has no routed experts",
                     (long long)l->ep);
  PARL_TRY(check_divides("ep", l->ep, "model.n_routed_experts", d.router.n_experts));
  if ((size_t)l->pp <= d.L) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "layout.pp = %lld is more than model.n_layers = %zu",
                   (long long)l->pp, d.L);
}

double parl_layout_count_devices(const parl_layout *l) {
  return (double)l->tp * (double)l->pp * (double)l->dp;
}

static void place_stage(const parl_layout *l, size_t n_layers, size_t stage,
                        parl_layout_stage *out) {
  const size_t pp = (size_t)l->pp, rest = n_layers % pp;
  const size_t longer = stage == 0 ? 0 : (stage - 1 < rest ? stage - 1 : rest);
  out->n_layers = n_layers / pp + (stage > 0 && stage <= rest);
  out->first_layer = stage * (n_layers / pp) + longer;
}

/* Floats that a stage keeps of one token of one micro-batch. */
static double keep_activations(const parl_layout *l, const parl_model_config *config,
                               const parl_model_dims *d, const parl_layout_stage *s) {
  const bool keeps_inputs =
      config->recompute == PARL_RECOMPUTE_LAYER || l->recompute == PARL_RECOMPUTE_LAYER;
  double all = 0.0, largest = 0.0;
  for (size_t i = s->first_layer; i < s->first_layer + s->n_layers; i++) {
    const parts p = count_activations(d, i >= d->first_moe);
    const double one = p.whole + (p.cut + p.experts) / (double)l->tp;
    all += keeps_inputs ? (double)d->C : one;
    if (keeps_inputs && one - (double)d->C > largest) largest = one - (double)d->C;
  }
  return all + largest;
}

parl_layout_stage parl_layout_count(const parl_layout *l, const parl_model_config *config,
                                    size_t vocab_size, size_t stage) {
  const parl_model_dims d = parl_model_dims_make(config, vocab_size);
  const double tp = (double)l->tp, table = (double)d.V * (double)d.C;
  const bool is_last = stage + 1 == (size_t)l->pp;
  parl_layout_stage s = {0};
  place_stage(l, d.L, stage, &s);
  const double vision = parl_vision_count_tower(&d) + parl_vision_count_projector(&d);
  parts sum = {.whole = (is_last ? (double)d.C : 0.0) + vision,
               .cut = (stage == 0 ? table : 0.0) + (is_last ? table : 0.0)};
  for (size_t i = s.first_layer; i < s.first_layer + s.n_layers; i++) {
    const parts p = count_weights(&d, i >= d.first_moe);
    add(&sum, &p);
  }
  const double shared = sum.whole + sum.cut / tp, experts = sum.experts / (double)l->ep;
  const bool is_bf16 = l->dtype == PARL_LAYOUT_BF16;
  const double bytes = is_bf16 ? 2.0 : 4.0, state = is_bf16 ? 12.0 : 8.0;
  const double replicas = l->zero ? (double)l->dp : 1.0;
  const double expert_replicas = l->zero ? tp * (double)l->dp / (double)l->ep : 1.0;
  const double entry = d.is_mla ? (double)d.entry : 2.0 * (double)d.kv / tp;
  const double in_flight = (double)l->pp - (double)stage, tokens = (double)l->tokens;
  s.n_params = shared + experts;
  s.weight_bytes = bytes * s.n_params;
  s.gradient_bytes = 4.0 * s.n_params;
  s.optimizer_bytes = state * (shared / replicas + experts / expert_replicas);
  s.activation_bytes = bytes * tokens * in_flight * keep_activations(l, config, &d, &s);
  if (is_last) s.activation_bytes += bytes * tokens * (3.0 * (double)d.C + 1.0 + (double)d.V / tp);
  s.cache_bytes = bytes * entry * (double)s.n_layers;
  return s;
}
