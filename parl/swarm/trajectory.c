/* parl/swarm/trajectory.c - one block of memory per kind of array. */
#include "parl/swarm/trajectory.h"

#include <stdlib.h>

#include "core/arena.h"
#include "lua/env.h"

struct parl_trajectories {
  size_t n;
  parl_trajectory *items; /* [n] */
  parl_arena arena;
};

int32_t parl_sequence_count_shown(int32_t capacity) {
  return capacity / PARL_N_MEDIA_TOKENS;
}

static parl_status take_sequence(parl_arena *arena, int32_t capacity,
                                 const parl_trajectories_def *def, parl_sequence *out) {
  const int32_t n_words = def->n_words;
  *out = (parl_sequence){.capacity = capacity, .n_words = n_words};
  if (capacity == 0) return PARL_STATUS_OK;
  const size_t n = (size_t)capacity;
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &out->tokens));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &out->at));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &out->logp));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &out->turn));
  if (def->shows) out->max_shown = parl_sequence_count_shown(capacity);
  PARL_TRY(PARL_ARENA_TAKE(arena, (size_t)out->max_shown, &out->shown));
  return PARL_ARENA_TAKE(arena, n * (size_t)n_words, &out->masks);
}

static parl_status take_sequences(parl_arena *arena, size_t n, int32_t capacity,
                                  const parl_trajectories_def *def, parl_sequence **out) {
  if (n == 0) return PARL_STATUS_OK;
  PARL_TRY(PARL_ARENA_TAKE(arena, n, out));
  for (size_t i = 0; i < n; i++) PARL_TRY(take_sequence(arena, capacity, def, &(*out)[i]));
  return PARL_STATUS_OK;
}

static parl_status take_stages(parl_arena *arena, const parl_stage_limits *most, parl_stages *out) {
  *out = (parl_stages){.most = *most};
  if (most->stages == 0) return PARL_STATUS_OK;
  PARL_TRY(PARL_ARENA_TAKE(arena, most->stages, &out->items));
  PARL_TRY(PARL_ARENA_TAKE(arena, most->subs, &out->subs));
  return PARL_ARENA_TAKE(arena, most->tokens, &out->tokens);
}

static parl_status fill(parl_trajectories *set, const parl_trajectories_def *def) {
  for (size_t i = 0; i < set->n; i++) set->items[i] = (parl_trajectory){0}; /* can be freed */
  for (size_t i = 0; i < set->n; i++) {
    parl_trajectory *t = &set->items[i];
    *t = (parl_trajectory){.keep_scores = def->keep_scores,
                           .max_mains = def->max_mains,
                           .max_subs = def->max_subs,
                           .only_learners = def->only_learners};
    PARL_TRY(take_stages(&set->arena, &def->stages, &t->stages));
    t->recording.capacity = def->recording;
    if (def->recording > 0)
      PARL_TRY(PARL_ARENA_TAKE(&set->arena, def->recording, &t->recording.items));
    PARL_TRY(take_sequences(&set->arena, def->max_mains, def->context, def, &t->mains));
    PARL_TRY(take_sequences(&set->arena, def->max_subs, def->sub_context, def, &t->subs));
  }
  return PARL_STATUS_OK;
}

parl_status parl_trajectories_create(const parl_trajectories_def *def, parl_trajectories **out) {
  parl_trajectories *set = calloc(1, sizeof *set);
  if (set == NULL) return parl_fail(PARL_STATUS_ENOMEM, "trajectories: no memory");
  parl_arena_init(&set->arena, (size_t)1 << 20);
  set->n = def->n;
  parl_status s = PARL_ARENA_TAKE(&set->arena, def->n, &set->items);
  if (s == PARL_STATUS_OK) s = fill(set, def);
  if (s != PARL_STATUS_OK) {
    parl_trajectories_destroy(set);
    return s;
  }
  *out = set;
  return PARL_STATUS_OK;
}

void parl_trajectories_destroy(parl_trajectories *set) {
  if (set == NULL) return;
  for (size_t i = 0; i < set->n && set->items != NULL; i++) {
    parl_text_deinit(&set->items[i].scores);
    parl_album_deinit(&set->items[i].album);
  }
  parl_arena_deinit(&set->arena);
  free(set);
}

parl_trajectory *parl_trajectories_get(parl_trajectories *set, size_t i) {
  return &set->items[i];
}
