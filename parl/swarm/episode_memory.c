/* parl/swarm/episode_memory.c - what episodes and contexts hold in their shard's arena. */
#include <string.h>

#include "core/seeds.h"
#include "parl/swarm/context_policy.h"
#include "parl/swarm/episode.h"

static int get_limit(const parl_env_spec *spec, bool is_main) {
  return is_main ? spec->limits.context : spec->limits.sub_context;
}

static int get_room(const parl_env_spec *spec, const parl_episode_config *config, bool is_main) {
  return parl_grammar_get_room(spec, is_main, (int)config->max_direct, get_limit(spec, is_main));
}

parl_status parl_context_create(const parl_episode_env *ee, parl_arena *arena, bool is_main,
                                parl_context *out) {
  const size_t limit = (size_t)get_limit(ee->spec, is_main);
  parl_context c = {.own.capacity = (int32_t)limit,
                    .room = get_room(ee->spec, &ee->config->episode, is_main)};
  PARL_TRY(PARL_ARENA_TAKE(arena, limit, &c.own.tokens));
  if (ee->spec->vision.width > 0) c.own.max_shown = parl_sequence_count_shown((int32_t)limit);
  PARL_TRY(PARL_ARENA_TAKE(arena, (size_t)c.own.max_shown, &c.own.shown));
  PARL_TRY(PARL_ARENA_TAKE(arena, (size_t)c.room, &c.turn));
  if (is_main) PARL_TRY(PARL_ARENA_TAKE(arena, limit, &c.origin));
  *out = c;
  return PARL_STATUS_OK;
}

parl_status parl_episode_create(const parl_episode_env *ee, parl_arena *arena, parl_episode *out) {
  memset(out, 0, sizeof *out);
  return PARL_ARENA_TAKE(arena, (size_t)ee->spec->limits.max_width, &out->launches);
}

void parl_episode_forget_tasks(parl_task_pool *pool, parl_episode *ep) {
  while (ep->tasks != NULL) {
    parl_task_page *page = ep->tasks;
    ep->tasks = page->next;
    page->next = pool->free;
    pool->free = page;
  }
}

static parl_status add_page(parl_task_pool *pool, parl_episode *ep) {
  parl_task_page *page = pool->free;
  if (page != NULL)
    pool->free = page->next;
  else
    PARL_TRY(PARL_ARENA_TAKE(pool->arena, (size_t)1, &page));
  page->next = ep->tasks;
  page->n = 0;
  ep->tasks = page;
  return PARL_STATUS_OK;
}

static uint64_t hash_task(const parl_call *call) {
  uint64_t h = (uint64_t)call->n_values;
  for (int i = 0; i < call->n_values; i++)
    h = parl_rng_mix(h, (uint64_t)call->values[i], call->slot[i]);
  return h;
}

parl_status parl_episode_note_task(parl_task_pool *pool, parl_episode *ep, const parl_call *task,
                                   bool *is_known) {
  const uint64_t hash = hash_task(task);
  for (const parl_task_page *page = ep->tasks; page != NULL; page = page->next)
    for (size_t i = 0; i < page->n; i++)
      if (page->hash[i] == hash) {
        *is_known = true;
        return PARL_STATUS_OK;
      }
  *is_known = false;
  if (ep->tasks == NULL || ep->tasks->n == PARL_TASK_PAGE) PARL_TRY(add_page(pool, ep));
  ep->tasks->hash[ep->tasks->n++] = hash;
  return PARL_STATUS_OK;
}

size_t parl_episode_get_bytes(const parl_env_spec *spec, const parl_episode_config *config) {
  const size_t token = sizeof(int32_t) + sizeof(int16_t); /* and its origin */
  return sizeof(parl_episode) + sizeof(parl_context) + sizeof(parl_task_page) +
         (size_t)spec->limits.max_width * sizeof(parl_launch) +
         (size_t)spec->limits.context * token +
         (size_t)get_room(spec, config, true) * sizeof(uint16_t);
}

/* A launch writes `assign_task NAME VALUE` at least, and what is written stays in the context,
 * unless a context policy rewrites it. */
parl_stage_limits parl_episode_get_stage_limits(const parl_env_spec *spec,
                                                const parl_episode_config *config) {
  enum { LEAST_TOKENS = 3 };
  const size_t turns = (size_t)spec->limits.max_turns, context = (size_t)spec->limits.context;
  const size_t widest = turns * (size_t)spec->limits.max_width;
  const bool is_rewritten = config->context_policy != PARL_CONTEXT_POLICY_NONE;
  const size_t fitting = context / LEAST_TOKENS;
  return (parl_stage_limits){
      .stages = turns,
      .subs = is_rewritten || widest < fitting ? widest : fitting,
      .tokens = context * parl_episode_max_mains(config),
  };
}

/* Where a context is rewritten and not recorded, it may be so more often than contexts are kept:
 * then the recording is cut. */
size_t parl_episode_get_record_limit(const parl_env_spec *spec, const parl_episode_config *config) {
  return (size_t)spec->limits.context * parl_episode_max_mains(config);
}
