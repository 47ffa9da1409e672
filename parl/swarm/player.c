/* parl/swarm/player.c - scripts, and players that choose one question after another. */
#include "parl/swarm/player.h"

#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "parl/swarm/rollout.h"

static bool is_same_text(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool parl_player_is_same(const parl_player *a, const parl_player *b) {
  return a->kind == b->kind && a->context == b->context && a->model == b->model &&
         a->cache == b->cache && a->temperature == b->temperature &&
         is_same_text(a->style, b->style) && a->reliability == b->reliability &&
         a->learns == b->learns && a->choose == b->choose;
}

/* --- scripts --- */

static parl_status write_script(const parl_player *player, const parl_question *q, parl_call *calls,
                                size_t max, size_t *n) {
  return parl_env_expert(q->env, q->world, q->agent, player->style, calls, max, n);
}

static const parl_player_kind script_kind = {
    .name = "script", .asks_turns = true, .write_turn = write_script};

parl_player parl_player_of_script(const char *style, double reliability) {
  return (parl_player){.kind = &script_kind, .style = style, .reliability = reliability};
}

bool parl_player_is_script(const parl_player *player) {
  return player->kind == &script_kind;
}

/* --- one question after another --- */

typedef struct choosing {
  parl_choose_function choose;
  void *context;
  size_t n, first;          /* questions; the first that is not answered */
  parl_question *questions; /* [n_slots] in the order in which they were asked */
} choosing;

static void close_choosing(void *seat) {
  choosing *c = seat;
  if (c == NULL) return;
  free(c->questions);
  free(c);
}

static parl_status open_choosing(const parl_seat_def *def, void **seat) {
  choosing *c = calloc(1, sizeof *c);
  if (c != NULL) c->questions = calloc(def->n_slots, sizeof *c->questions);
  if (c == NULL || c->questions == NULL) {
    close_choosing(c);
    return parl_fail(PARL_STATUS_ENOMEM, "player: no memory for %zu questions", def->n_slots);
  }
  c->choose = def->player->choose;
  c->context = def->player->context;
  *seat = c;
  return PARL_STATUS_OK;
}

static parl_status submit_choosing(void *seat, const parl_question *questions, size_t n) {
  choosing *c = seat;
  memmove(c->questions, c->questions + c->first, (c->n - c->first) * sizeof *questions);
  c->n -= c->first;
  c->first = 0;
  memcpy(c->questions + c->n, questions, n * sizeof *questions);
  c->n += n;
  return PARL_STATUS_OK;
}

static parl_status collect_choosing(void *seat, bool may_wait, parl_answer *answers, size_t max,
                                    size_t *n) {
  (void)may_wait;
  choosing *c = seat;
  *n = 0;
  for (; c->first < c->n && *n < max; c->first++, (*n)++) {
    const parl_question *q = &c->questions[c->first];
    answers[*n] = (parl_answer){.id = q->id, .slot = q->slot};
    PARL_TRY(c->choose(c->context, q, &answers[*n].token));
  }
  return PARL_STATUS_OK;
}

static void forget_choosing(void *seat, int32_t slot) {
  choosing *c = seat;
  size_t n = 0;
  for (size_t i = c->first; i < c->n; i++)
    if (c->questions[i].slot != slot) c->questions[n++] = c->questions[i];
  c->n = n;
  c->first = 0;
}

static const parl_player_kind choosing_kind = {.name = "chooser",
                                               .open = open_choosing,
                                               .close = close_choosing,
                                               .submit = submit_choosing,
                                               .collect = collect_choosing,
                                               .forget = forget_choosing};

parl_player parl_player_of_choices(parl_choose_function choose, void *context) {
  return (parl_player){.kind = &choosing_kind, .choose = choose, .context = context};
}

/* --- chance --- */

/* The allowed token number k, from 0. */
static int32_t pick(const uint64_t *mask, size_t k) {
  int32_t word = 0;
  for (;; word++) {
    const size_t n = (size_t)__builtin_popcountll(mask[word]);
    if (k < n) break;
    k -= n;
  }
  uint64_t bits = mask[word];
  for (; k > 0; k--) bits &= bits - 1;
  return word * 64 + __builtin_ctzll(bits);
}

static parl_status choose_random(void *context, const parl_question *q, int32_t *token) {
  (void)context;
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_RANDOM, (uint64_t)q->ordinal, 0, 0);
  for (uint64_t draw = 0; draw < 2; draw++) {
    const uint64_t index = 2 * (uint64_t)q->n_tokens + draw;
    const double u = parl_rng_uniform(q->job->episode_seed, stream, index);
    *token = pick(q->mask, (size_t)(u * (double)q->n_allowed));
    if (*token != PARL_TOKEN_FINISH) break;
  }
  return PARL_STATUS_OK;
}

parl_player parl_player_of_chance(void) {
  return parl_player_of_choices(choose_random, NULL);
}
