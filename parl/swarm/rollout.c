/* parl/swarm/rollout.c - shards that pull episodes and decode all their contexts together. */
#include "parl/swarm/rollout.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "parl/swarm/rollout_internal.h"

enum { SUBS_PER_SLOT = 8, MOST_FITTED = 64 };

/* --- seats --- */

static bool needs_seat(const parl_player *player) {
  return player->kind != NULL && player->kind->write_turn == NULL;
}

static void seat_close(parl_seat *seat) {
  if (seat->state != NULL) seat->player.kind->close(seat->state);
  free(seat);
}

static parl_status seat_open(parl_shard *sh, const parl_player *player, bool is_main,
                             parl_seat **out) {
  if (sh->n_seats == PARL_MAX_SEATS)
    return parl_fail(PARL_STATUS_EINVAL, "rollout: more than %d players at once", PARL_MAX_SEATS);
  parl_seat *seat = calloc(1, sizeof *seat);
  if (seat == NULL) return parl_fail(PARL_STATUS_ENOMEM, "rollout: no memory");
  seat->player = *player;
  seat->is_main = is_main;
  const parl_seat_def def = {.player = &seat->player,
                             .spec = sh->ee.spec,
                             .is_main = is_main,
                             .n_slots = is_main ? sh->mains.n : sh->subs.n,
                             .counts = &sh->played};
  const parl_status s = player->kind->open(&def, &seat->state);
  if (s != PARL_STATUS_OK) {
    free(seat);
    return s;
  }
  *out = sh->seats[sh->n_seats++] = seat;
  return PARL_STATUS_OK;
}

parl_status parl_shard_find_seat(parl_shard *sh, const parl_player *player, bool is_main,
                                 parl_seat **out) {
  for (size_t i = 0; i < sh->n_seats; i++)
    if (sh->seats[i]->is_main == is_main && parl_player_is_same(&sh->seats[i]->player, player)) {
      *out = sh->seats[i];
      return PARL_STATUS_OK;
    }
  return seat_open(sh, player, is_main, out);
}

static const parl_player *get_player(const parl_seats *seats, size_t i) {
  if (i == 0) return &seats->main;
  return i == 1 ? &seats->subs : &seats->of_role[i - 2];
}
enum { N_PLAYERS = 2 + PARL_ENV_MAX_ROLES };

/* The rollout's own players sit before the first run. */
static parl_status open_seats(parl_shard *sh, const parl_seats *seats) {
  parl_seat *seat;
  for (size_t i = 0; i < N_PLAYERS; i++)
    if (needs_seat(get_player(seats, i)))
      PARL_TRY(parl_shard_find_seat(sh, get_player(seats, i), i == 0, &seat));
  return PARL_STATUS_OK;
}

static bool is_named(const parl_seats *seats, const parl_seat *seat) {
  for (size_t i = 0; i < N_PLAYERS; i++)
    if (seat->is_main == (i == 0) && parl_player_is_same(get_player(seats, i), &seat->player))
      return true;
  return false;
}

void parl_rollout_set_seats(parl_rollout *rollout, const parl_seats *seats) {
  rollout->seats = *seats;
  if (seats->subs.kind == NULL) rollout->seats.subs = parl_player_of_script("", 1);
  for (size_t k = 0; k < rollout->n_shards; k++) {
    parl_shard *sh = &rollout->shards[k];
    size_t n = 0;
    for (size_t i = 0; i < sh->n_seats; i++)
      if (is_named(seats, sh->seats[i]))
        sh->seats[n++] = sh->seats[i];
      else
        seat_close(sh->seats[i]);
    sh->n_seats = n;
  }
}

/* --- building a shard --- */

static parl_status pool_init(parl_shard *sh, parl_context_pool *p, size_t n) {
  p->n = n;
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, n, &p->contexts));
  PARL_TRY(parl_bits_init(&p->free, n, &sh->arena));
  PARL_TRY(parl_bits_init(&p->done, n, &sh->arena));
  PARL_TRY(parl_bits_init(&p->asking, n, &sh->arena));
  for (size_t i = 0; i < n; i++) {
    PARL_TRY(parl_context_create(&sh->ee, &sh->arena, p == &sh->mains, &p->contexts[i]));
    p->contexts[i].slot = (int32_t)i;
    parl_bits_add(&p->free, i);
  }
  return PARL_STATUS_OK;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Episodes alive at once, over all shards. */
static size_t count_slots(const parl_rollout_def *def) {
  if (def->n_slots == 0) return def->n_jobs;
  return def->n_jobs > 0 ? least(def->n_slots, def->n_jobs) : def->n_slots;
}

/* At most n episodes whose keys and values stay near a core, those of their sub-agents too. */
static size_t fit_caches(const parl_rollout_def *def, const parl_env_spec *spec, size_t n) {
  n = least(n, MOST_FITTED);
  for (size_t i = 0; i < N_PLAYERS; i++) {
    const parl_player *p = get_player(&def->seats, i);
    const size_t context =
        (size_t)(i == 0 ? spec->limits.context : spec->limits.sub_context * SUBS_PER_SLOT);
    if (p->model != NULL) n = least(n, parl_decoder_advise_slots(p->model, context, p->cache));
  }
  return n;
}

/* Sub-agents alive at once: a script is played to its end when it is launched. */
static size_t count_subs(const parl_rollout_def *def, size_t n_episodes) {
  bool any = false;
  for (size_t i = 1; i < N_PLAYERS; i++) any = any || needs_seat(get_player(&def->seats, i));
  if (!any) return 1;
  return def->sub_slots > 0 ? def->sub_slots : n_episodes * SUBS_PER_SLOT;
}

static parl_status shard_open_env(parl_shard *sh, const parl_rollout_def *def,
                                  const parl_rollout *r) {
  const parl_swarm_config *c = &r->config;
  parl_env_options options = parl_env_config_get_options(&c->env, c->patch, def->scripts);
  options.share_worlds = def->share_worlds;
  PARL_TRY(parl_env_create(def->env_path, def->env_params, &options, &sh->env));
  const parl_env_spec *spec = parl_env_get_spec(sh->env);
  PARL_TRY(parl_script_check_hash(spec, def->script_hash));
  if (spec->limits.max_width > PARL_EPISODE_MAX_WIDTH)
    return parl_fail(PARL_STATUS_EINVAL, "%s: limits.max_width = %d; at most %d", spec->path,
                     spec->limits.max_width, PARL_EPISODE_MAX_WIDTH);
  sh->ee = (parl_episode_env){.env = sh->env,
                              .spec = spec,
                              .config = c,
                              .cost = parl_cost_get(&c->cost),
                              .seats = &r->seats,
                              .observer = def->observer,
                              .tasks = &sh->tasks,
                              .n_words = (spec->n_tokens + 63) / 64};
  return PARL_STATUS_OK;
}

/* The contexts, and who sits in them. */
static parl_status shard_open_pools(parl_shard *sh, const parl_rollout_def *def,
                                    const parl_rollout *r) {
  const parl_env_limits *limits = &sh->ee.spec->limits;
  const size_t n_subs = count_subs(def, sh->n_episodes);
  const size_t most = n_subs > sh->n_episodes ? n_subs : sh->n_episodes;
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, most, &sh->questions));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)PARL_MAX_ANSWERS, &sh->answers));
  PARL_TRY(pool_init(sh, &sh->mains, sh->n_episodes));
  PARL_TRY(pool_init(sh, &sh->subs, n_subs));
  return parl_fail_sizes(open_seats(sh, &r->seats),
                         "%zu orchestrators at once (train.slots) with limits.context = %d, and "
                         "%zu sub-agents with limits.sub_context = %d",
                         sh->n_episodes, limits->context, n_subs, limits->sub_context);
}

static parl_status shard_init(parl_shard *sh, const parl_rollout_def *def, const parl_rollout *r,
                              size_t n_episodes) {
  parl_arena_init(&sh->arena, (size_t)1 << 20);
  PARL_TRY(shard_open_env(sh, def, r));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)PARL_TURN_MAX_CALLS, &sh->ee.calls));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)PARL_ENV_MAX_OBSERVATION, &sh->ee.tokens));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)PARL_SCRIPT_MAX_TOKENS, &sh->ee.script));
  sh->tasks.arena = &sh->arena;
  if (def->n_slots == 0) n_episodes = fit_caches(def, sh->ee.spec, n_episodes);
  sh->n_episodes = n_episodes;
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, n_episodes, &sh->episodes));
  PARL_TRY(parl_bits_init(&sh->idle, n_episodes, &sh->arena));
  PARL_TRY(parl_bits_init(&sh->unsettled, n_episodes, &sh->arena));
  for (size_t i = 0; i < n_episodes; i++) {
    PARL_TRY(parl_episode_create(&sh->ee, &sh->arena, &sh->episodes[i]));
    parl_bits_add(&sh->idle, i);
  }
  return shard_open_pools(sh, def, r);
}

static void shard_deinit(parl_shard *sh) {
  for (size_t i = 0; i < sh->n_seats; i++) seat_close(sh->seats[i]);
  parl_split_destroy(sh->ee.split);
  parl_env_destroy(sh->env);
  parl_arena_deinit(&sh->arena);
}

parl_status parl_rollout_create(const parl_rollout_def *def, parl_rollout **out) {
  const size_t n_slots = count_slots(def);
  PARL_REQUIRE(n_slots >= 1);
  parl_rollout *r = calloc(1, sizeof *r);
  if (r == NULL) return parl_fail(PARL_STATUS_ENOMEM, "rollout: no memory");
  r->config = def->config;
  parl_rollout_set_seats(r, &def->seats);
  r->stop = def->scripts != NULL ? def->scripts->stop : NULL;
  r->workers = def->workers;
  const size_t n_workers = parl_workers_get_count(def->workers);
  const size_t n_shards = least(n_workers, n_slots);
  r->shards = calloc(n_shards, sizeof *r->shards);
  parl_status s = r->shards ? PARL_STATUS_OK : parl_fail(PARL_STATUS_ENOMEM, "rollout: no memory");
  while (s == PARL_STATUS_OK && r->n_shards < n_shards)
    s = shard_init(&r->shards[r->n_shards++], def, r, (n_slots + n_shards - 1) / n_shards);
  if (s != PARL_STATUS_OK) {
    parl_rollout_destroy(r);
    return s;
  }
  *out = r;
  return PARL_STATUS_OK;
}

void parl_rollout_destroy(parl_rollout *rollout) {
  if (rollout == NULL) return;
  for (size_t i = 0; i < rollout->n_shards; i++) shard_deinit(&rollout->shards[i]);
  free(rollout->shards);
  free(rollout);
}

const parl_env *parl_rollout_get_env(const parl_rollout *rollout) {
  return rollout->shards[0].env;
}

static parl_status run_shard(void *context, size_t task, size_t worker) {
  (void)worker;
  parl_rollout *r = context;
  parl_shard *sh = &r->shards[task];
  sh->counts = (parl_rollout_counts){0};
  sh->played = (parl_player_counts){0};
  sh->n_dealt = 0;
  sh->n_failed = 0;
  sh->failed_job = NULL;
  const double start = parl_clock_s();
  const parl_status s = parl_shard_play(r, sh);
  sh->counts.decoded_tokens = sh->played.decoded_tokens;
  sh->counts.reused_tokens = sh->played.reused_tokens;
  sh->counts.n_cut = sh->played.n_cut;
  sh->counts.cut = sh->played.cut;
  sh->end_s = parl_clock_s();
  sh->counts.script_s = sh->end_s - start - sh->counts.decode_s;
  if (s != PARL_STATUS_OK) {
    atomic_store(&r->next_job, r->n_jobs); /* other shards start nothing new */
    parl_shard_clear(sh);
  }
  return s;
}

/* Whether a model in these seats is on a device. There the batch that a row is in may change its
 * bits, so who plays a job must not depend on time. */
static bool is_on_device(const parl_seats *seats) {
  for (size_t i = 0; i < N_PLAYERS; i++) {
    const parl_model *model = get_player(seats, i)->model;
    if (model != NULL && !parl_model_is_on_host(model)) return true;
  }
  return false;
}

static bool must_deal(const parl_rollout *r, const parl_job *jobs, size_t n) {
  const parl_seats *last = NULL;
  if (is_on_device(&r->seats)) return true;
  for (size_t i = 0; i < n; i++) {
    if (jobs[i].seats == NULL || jobs[i].seats == last) continue;
    last = jobs[i].seats;
    if (is_on_device(last)) return true;
  }
  return false;
}

static parl_status take_jobs(parl_rollout *r, const parl_job *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const parl_replay *replay = jobs[i].replay;
    PARL_REQUIRE(replay == NULL || !replay->recording->is_cut);
    PARL_REQUIRE(jobs[i].out != NULL &&
                 ((replay != NULL && !replay->goes_on) || r->seats.main.kind != NULL ||
                  (jobs[i].seats != NULL && jobs[i].seats->main.kind != NULL)));
  }
  r->jobs = jobs;
  r->n_jobs = n;
  r->is_dealt = must_deal(r, jobs, n);
  atomic_store(&r->next_job, 0);
  atomic_store(&r->is_abandoned, false);
  r->begin_s = parl_clock_s();
  return PARL_STATUS_OK;
}

static void add_up(const parl_rollout *r, parl_rollout_counts *counts) {
  *counts = (parl_rollout_counts){0};
  for (size_t i = 0; i < r->n_shards; i++) {
    const parl_rollout_counts *c = &r->shards[i].counts;
    counts->decoded_tokens += c->decoded_tokens;
    counts->reused_tokens += c->reused_tokens;
    counts->sampled_tokens += c->sampled_tokens;
    counts->n_cut += c->n_cut;
    counts->cut += c->cut;
    counts->decode_s += c->decode_s;
    counts->script_s += c->script_s;
    if (r->shards[i].end_s - r->begin_s > counts->run_s)
      counts->run_s = r->shards[i].end_s - r->begin_s;
  }
}

parl_status parl_rollout_begin(parl_rollout *rollout, const parl_job *jobs, size_t n_jobs) {
  PARL_TRY(take_jobs(rollout, jobs, n_jobs));
  return parl_workers_begin(rollout->workers, rollout->n_shards, run_shard, rollout);
}

parl_status parl_rollout_end(parl_rollout *rollout, parl_rollout_counts *counts) {
  PARL_TRY(parl_workers_end(rollout->workers));
  if (counts != NULL) add_up(rollout, counts);
  return PARL_STATUS_OK;
}

parl_status parl_rollout_run(parl_rollout *rollout, const parl_job *jobs, size_t n_jobs,
                             parl_rollout_counts *counts) {
  PARL_TRY(parl_rollout_begin(rollout, jobs, n_jobs));
  return parl_rollout_end(rollout, counts);
}

void parl_rollout_abandon(parl_rollout *rollout) {
  atomic_store(&rollout->is_abandoned, true);
  parl_workers_drop(rollout->workers);
}

const char *parl_rollout_get_failures(const parl_rollout *rollout, int64_t *n, int64_t *n_failed) {
  const parl_shard *first = NULL;
  *n = (int64_t)rollout->n_jobs;
  *n_failed = 0;
  for (size_t i = 0; i < rollout->n_shards; i++) {
    const parl_shard *sh = &rollout->shards[i];
    *n_failed += sh->n_failed;
    if (sh->n_failed > 0 && (first == NULL || sh->failed_job < first->failed_job)) first = sh;
  }
  return first != NULL ? first->error : "";
}

/* --- looking --- */

static parl_status look_shard(void *context, size_t task, size_t worker) {
  (void)worker;
  const parl_rollout *r = context;
  parl_shard *sh = &r->shards[task];
  return parl_look_at_part(sh->env, &r->config.env, r->stop, &sh->ee.split, r->looking, task,
                           r->n_shards);
}

parl_status parl_rollout_look(parl_rollout *rollout, parl_look *looks, size_t n) {
  rollout->looking = (parl_looks){looks, n};
  return parl_workers_run(rollout->workers, rollout->n_shards, look_shard, rollout);
}
