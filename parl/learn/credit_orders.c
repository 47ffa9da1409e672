/* parl/learn/credit_orders.c - shapley: what assignments made, averaged over the orders in which
 * they come. */
#include <math.h>
#include <string.h>

#include "parl/learn/credit_internal.h"

parl_status parl_credit_take_orders(parl_credit *c) {
  const size_t n = c->n_subs + c->n_values;
  parl_arena *arena = &c->arena;
  c->n_marks = parl_episode_get_record_limit(c->def.spec, c->def.episode);
  PARL_TRY(PARL_ARENA_TAKE(arena, c->def.n * c->n_marks, &c->marks));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &c->places));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &c->players));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &c->shares.order));
  return PARL_ARENA_TAKE(arena, n, &c->shares.made);
}

static parl_coalitions get_coalitions(const parl_credit *c, size_t i, size_t n_players) {
  const parl_objective_config *o = c->def.objective;
  return parl_coalitions_make(n_players, (size_t)o->credit_orders,
                              o->credit_rerolls > 0 ? (size_t)o->credit_rerolls : SIZE_MAX,
                              parl_credit_get_episode(c, i)->episode_seed);
}

/* --- what is asked for --- */

/* The episode of a coalition: all players behind its blocks are left out. */
static parl_status add_coalition(parl_credit *c, size_t i, const parl_coalitions *of, size_t k) {
  const parl_recording *recording = &parl_credit_get_episode(c, i)->recording;
  bool *marks = &c->marks[c->n_variants * c->n_marks];
  size_t order, n_blocks;
  parl_coalitions_find(of, k, &order, &n_blocks);
  if (n_blocks <= 1) parl_coalitions_get_order(of, order, c->places);
  memset(marks, 0, recording->n * sizeof *marks);
  for (size_t p = parl_coalitions_get_begin(of, order, n_blocks); p < of->n_players; p++) {
    const parl_credit_variant *v = &c->order[c->places[p]];
    parl_recording_mark(recording, (int)v->stage + 1, v->sub, v->value, marks);
  }
  parl_recording_end_marks(recording, marks);
  return parl_credit_add(
      c, &(parl_credit_variant){.i = i, .coalition = k},
      &(parl_replay){.recording = recording, .edit = PARL_EDIT_DROP_TOKENS, .dropped = marks});
}

parl_status parl_credit_assign_by_orders(parl_credit *c, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (parl_credit_get_episode(c, i)->recording.is_cut) continue;
    const size_t n_players = parl_credit_list_parts(c, i, true, c->order);
    if (n_players == 0) continue;
    const parl_coalitions of = get_coalitions(c, i, n_players);
    for (size_t k = 0; k < of.n; k++) PARL_TRY(add_coalition(c, i, &of, k));
  }
  return parl_credit_play(c);
}

/* --- what comes of it --- */

static parl_credit_effect get_effect(const double made[PARL_N_SHARES]) {
  return (parl_credit_effect){.advantage = made[0], .reward = made[1], .r_perf = made[2]};
}

/* A launch made what its assignments and their values made; it is not known where one of them is
 * not. */
static void set_effects(parl_credit *c) {
  const size_t n = c->shares.of.n_players;
  for (size_t p = 0; p < n; p++) {
    const parl_credit_variant *v = &c->players[p];
    const double *made = c->shares.made[p];
    if (v->value >= 0)
      *parl_credit_find_value(c, v->i, v->stage, (size_t)v->sub, (size_t)v->value) = made[0];
    else
      *parl_credit_find_effect(c, v) = get_effect(made);
  }
  for (size_t p = 0, end; p < n; p = end) {
    const parl_credit_variant launch = {
        .i = c->players[p].i, .stage = c->players[p].stage, .sub = -1, .value = -1};
    double made[PARL_N_SHARES] = {0};
    for (end = p; end < n && c->players[end].stage == launch.stage; end++)
      for (size_t which = 0; which < PARL_N_SHARES; which++)
        made[which] += c->shares.made[end][which];
    *parl_credit_find_effect(c, &launch) = get_effect(made);
  }
}

parl_status parl_credit_take_coalition(parl_credit *c, const parl_credit_variant *v,
                                       const parl_outcome *without) {
  double worth[PARL_N_SHARES] = {(double)NAN, (double)NAN, (double)NAN};
  if (v->coalition == 0) {
    const size_t n_players = parl_credit_list_parts(c, v->i, true, c->players);
    const parl_coalitions of = get_coalitions(c, v->i, n_players);
    PARL_TRY(parl_credit_get_worth(c, v->i, NULL, worth));
    parl_shares_begin(&c->shares, &of, worth);
  }
  if (without != NULL)
    PARL_TRY(parl_credit_get_worth(c, v->i, without, worth));
  else
    for (size_t which = 0; which < PARL_N_SHARES; which++) worth[which] = (double)NAN;
  parl_shares_take(&c->shares, v->coalition, worth);
  if (v->coalition + 1 == c->shares.of.n) set_effects(c);
  return PARL_STATUS_OK;
}
