/* engine/states.c - room for what the parts of a layer keep, by kind of attention and layer. */
#include "engine/model_internal.h"

parl_status parl_act_take(parl_arena *arena, const parl_model *m, size_t rows, size_t width,
                          parl_act **out) {
  return parl_arena_take(arena, rows, width * m->backend->act_bytes, (void **)out);
}

static parl_status take(parl_arena *arena, size_t rows, size_t width, float **out) {
  return parl_arena_take(arena, rows, width * sizeof **out, (void **)out);
}

static parl_status take_mla(parl_arena *arena, const parl_model *m, size_t rows, bool decoding,
                            parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  PARL_TRY(parl_act_take(arena, m, rows, d->latents, &s->latents));
  PARL_TRY(parl_act_take(arena, m, rows, d->R, &s->latent));
  if (d->Rq > 0) {
    PARL_TRY(parl_act_take(arena, m, rows, d->Rq, &s->q_latent));
    PARL_TRY(parl_act_take(arena, m, rows, d->q, &s->q));
  }
  if (decoding) {
    PARL_TRY(parl_act_take(arena, m, rows, d->entry, &s->entries));
    PARL_TRY(parl_act_take(arena, m, rows, d->H * d->entry, &s->absorbed));
    return parl_act_take(arena, m, rows, d->H * d->R, &s->mixed_latent);
  }
  PARL_TRY(take(arena, rows, 1, &s->q_rms));
  PARL_TRY(take(arena, rows, 1, &s->kv_rms));
  PARL_TRY(parl_act_take(arena, m, rows, d->H * (d->Dn + d->Dv), &s->kv));
  PARL_TRY(parl_act_take(arena, m, rows, d->q, &s->k));
  return parl_act_take(arena, m, rows, d->mixed, &s->v);
}

parl_status parl_attention_state_take(parl_arena *arena, const parl_model *m, size_t rows,
                                      bool decoding, parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  *s = (parl_attention_state){0};
  PARL_TRY(parl_act_take(arena, m, rows, d->C, &s->h));
  PARL_TRY(parl_act_take(arena, m, rows, d->mixed, &s->mixed));
  if (!decoding) {
    PARL_TRY(take(arena, rows, 1, &s->inv_rms));
    PARL_TRY(take(arena, rows, d->H, &s->lse));
  }
  if (d->is_mla) return take_mla(arena, m, rows, decoding, s);
  return parl_act_take(arena, m, rows, d->qkv, &s->qkv);
}

static parl_status take_sparse(parl_arena *arena, const parl_model *m, size_t rows,
                               parl_ffn_state *s) {
  const parl_model_dims *d = &m->dims;
  size_t n;
  if (__builtin_mul_overflow(rows, d->router.n_chosen, &n) || n > INT32_MAX)
    return parl_fail(PARL_STATUS_ENOMEM, "%zu rows at %zu experts each are too many", rows,
                     d->router.n_chosen);
  PARL_TRY(take(arena, rows, d->router.n_experts, &s->scores));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &s->chosen));
  PARL_TRY(take(arena, n, 1, &s->weights));
  PARL_TRY(PARL_ARENA_TAKE(arena, d->router.n_experts + 1, &s->first));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &s->row_of));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &s->place_of));
  PARL_TRY(parl_act_take(arena, m, n, d->C, &s->input));
  PARL_TRY(parl_act_take(arena, m, n, 2 * d->Fe, &s->expert_gate_up));
  PARL_TRY(parl_act_take(arena, m, n, d->Fe, &s->expert_act));
  return parl_act_take(arena, m, n, d->C, &s->output);
}

parl_status parl_ffn_state_take(parl_arena *arena, const parl_model *m, size_t rows, bool dense,
                                bool sparse, parl_ffn_state *s) {
  const parl_model_dims *d = &m->dims;
  size_t width = dense ? d->F : 0;
  if (sparse && d->Fs > width) width = d->Fs;
  *s = (parl_ffn_state){0};
  PARL_TRY(parl_act_take(arena, m, rows, d->C, &s->h));
  PARL_TRY(take(arena, rows, 1, &s->inv_rms));
  PARL_TRY(parl_act_take(arena, m, rows, 2 * width, &s->gate_up));
  PARL_TRY(parl_act_take(arena, m, rows, width, &s->act));
  return sparse ? take_sparse(arena, m, rows, s) : PARL_STATUS_OK;
}
