/* parl/swarm/rollout.c - shards that pull episodes and decode all their contexts together. */
#include "parl/swarm/rollout.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "parl/swarm/episode.h"

enum { SUBS_PER_SLOT = 8, MOST_FITTED = 64, MAX_ANSWERS = 512, MAX_SEATS = 64, ERROR_BYTES = 2048 };

/* A player of a side in a shard. */
typedef struct parl_seat {
  parl_player player;
  bool is_main;
  void *state;   /* what the player's open made */
  size_t n_open; /* questions without an answer */
} parl_seat;

/* The contexts of a side. */
typedef struct pool {
  size_t n;
  parl_context *contexts;
} pool;

typedef struct shard {
  parl_env *env;
  parl_episode_env ee;
  parl_arena arena;
  parl_task_pool tasks;
  size_t n_episodes;
  parl_episode *episodes;
  pool mains, subs;
  parl_seat *seats[MAX_SEATS]; /* [n_seats] in the order in which they were opened */
  size_t n_seats;
  parl_question *questions; /* [most contexts of a side] of the next submission */
  parl_answer *answers;     /* [MAX_ANSWERS] */
  uint64_t last_id;         /* of a question */
  parl_player_counts played;
  parl_rollout_counts counts;
  double end_s;               /* of its part of the last run, of the clock */
  int64_t n_failed;           /* episodes that were dropped */
  const parl_job *failed_job; /* the first of them in the order of jobs; NULL: none */
  char error[ERROR_BYTES];    /* its text */
} shard;

struct parl_rollout {
  parl_swarm_config config;
  parl_seats seats;
  const atomic_int *stop;
  parl_workers *workers;
  size_t n_shards;
  shard *shards;
  const parl_job *jobs;
  size_t n_jobs;
  atomic_size_t next_job;
  parl_looks looking; /* of the last parl_rollout_look */
  atomic_bool is_abandoned;
  double begin_s; /* of the last run, of the clock */
};

/* --- seats --- */

static bool needs_seat(const parl_player *player) {
  return player->kind != NULL && player->kind->write_turn == NULL;
}

static void seat_close(parl_seat *seat) {
  if (seat->state != NULL) seat->player.kind->close(seat->state);
  free(seat);
}

static parl_status seat_open(shard *sh, const parl_player *player, bool is_main, parl_seat **out) {
  if (sh->n_seats == MAX_SEATS)
    return parl_fail(PARL_STATUS_EINVAL, "rollout: more than %d players at once", MAX_SEATS);
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

/* The seat of a player, which is opened if there is none. */
static parl_status find_seat(shard *sh, const parl_player *player, bool is_main, parl_seat **out) {
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
static parl_status open_seats(shard *sh, const parl_seats *seats) {
  parl_seat *seat;
  for (size_t i = 0; i < N_PLAYERS; i++)
    if (needs_seat(get_player(seats, i)))
      PARL_TRY(find_seat(sh, get_player(seats, i), i == 0, &seat));
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
    shard *sh = &rollout->shards[k];
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

static parl_status pool_init(shard *sh, pool *p, size_t n) {
  p->n = n;
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, n, &p->contexts));
  for (size_t i = 0; i < n; i++) {
    PARL_TRY(parl_context_create(&sh->ee, &sh->arena, p == &sh->mains, &p->contexts[i]));
    p->contexts[i].slot = (int32_t)i;
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

static parl_status shard_open_env(shard *sh, const parl_rollout_def *def, const parl_rollout *r) {
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
static parl_status shard_open_pools(shard *sh, const parl_rollout_def *def, const parl_rollout *r) {
  const parl_env_limits *limits = &sh->ee.spec->limits;
  const size_t n_subs = count_subs(def, sh->n_episodes);
  const size_t most = n_subs > sh->n_episodes ? n_subs : sh->n_episodes;
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, most, &sh->questions));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)MAX_ANSWERS, &sh->answers));
  PARL_TRY(pool_init(sh, &sh->mains, sh->n_episodes));
  PARL_TRY(pool_init(sh, &sh->subs, n_subs));
  return parl_fail_sizes(open_seats(sh, &r->seats),
                         "%zu orchestrators at once (train.slots) with limits.context = %d, and "
                         "%zu sub-agents with limits.sub_context = %d",
                         sh->n_episodes, limits->context, n_subs, limits->sub_context);
}

static parl_status shard_init(shard *sh, const parl_rollout_def *def, const parl_rollout *r,
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
  for (size_t i = 0; i < n_episodes; i++)
    PARL_TRY(parl_episode_create(&sh->ee, &sh->arena, &sh->episodes[i]));
  return shard_open_pools(sh, def, r);
}

static void shard_deinit(shard *sh) {
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

/* --- playing --- */

/* Frees a context; its player need not answer any more. */
static void drop_context(parl_context *c) {
  c->state = PARL_CONTEXT_FREE;
  if (c->asked == 0) return;
  if (c->seat->player.kind->forget != NULL) c->seat->player.kind->forget(c->seat->state, c->slot);
  c->seat->n_open--;
  c->asked = 0;
}

/* Drops an episode that failed: its contexts are free again, its world is gone. */
static void drop_episode(shard *sh, parl_episode *ep) {
  parl_trajectory *out = ep->job->out;
  for (size_t i = 0; i < sh->subs.n; i++)
    if (sh->subs.contexts[i].episode == ep) drop_context(&sh->subs.contexts[i]);
  drop_context(ep->main);
  out->facts = (parl_facts){.end = PARL_END_ERROR};
  out->failed = true;
  parl_text_clear(&out->scores);
  parl_stages_clear(&out->stages);
  parl_recording_clear(&out->recording);
  ep->live = false;
  if (ep->world >= 0) parl_env_release(sh->env, ep->world);
}

/* Counts a dropped episode; the text of the first job's stays, whatever the order of play was. */
static void note_failure(shard *sh, const parl_job *job) {
  sh->n_failed++;
  if (sh->failed_job != NULL && sh->failed_job < job) return;
  sh->failed_job = job;
  snprintf(sh->error, sizeof sh->error, "%s", parl_error_text());
}

/* The failure of a script or a player stops the run with its place in the experiment, or drops the
 * episode. */
static parl_status judge(shard *sh, parl_episode *ep, parl_status s) {
  if (s == PARL_STATUS_OK) return s;
  const bool may_skip =
      s == PARL_STATUS_ESCRIPT || s == PARL_STATUS_ELIMIT || s == PARL_STATUS_EPLAYER;
  s = parl_fail_context(
      s, "episode with task seed %llu, episode seed %llu, after %d turns and %lld steps",
      (unsigned long long)ep->job->out->task_seed, (unsigned long long)ep->job->episode_seed,
      (int)ep->facts.turns, (long long)ep->total);
  if (!may_skip || sh->ee.config->env.on_error != PARL_ON_ERROR_SKIP) return s;
  note_failure(sh, ep->job);
  char *family = ep->job->out->family; /* "" if it broke too early to have one */
  if (ep->world < 0 || parl_env_get_family(sh->env, ep->world, family, PARL_FAMILY_BYTES))
    family[0] = '\0';
  drop_episode(sh, ep);
  return PARL_STATUS_OK;
}

static parl_context *find_free(pool *p) {
  for (size_t i = 0; i < p->n; i++)
    if (p->contexts[i].state == PARL_CONTEXT_FREE) return &p->contexts[i];
  return NULL;
}

/* Starts what waits in an episode while there are contexts, and ends it when it is over. */
static parl_status settle_episode(shard *sh, parl_episode *ep, bool *progress) {
  while (parl_episode_wants_sub(ep)) {
    parl_context *c = find_free(&sh->subs);
    if (c == NULL) return PARL_STATUS_OK;
    *progress = true;
    c->episode = ep;
    PARL_TRY(judge(sh, ep, parl_episode_start_sub(&sh->ee, ep, c)));
    if (c->state != PARL_CONTEXT_DONE) continue;
    PARL_TRY(judge(sh, ep, parl_episode_end_sub(&sh->ee, c)));
  }
  if (!ep->live || ep->main->state != PARL_CONTEXT_DONE) return PARL_STATUS_OK;
  *progress = true;
  return judge(sh, ep, parl_episode_end(&sh->ee, ep));
}

/* Makes the split when a job of the run is first of a part of it, in every shard at once: which of
 * them plays it is not known. */
static parl_status split_prompts(const parl_rollout *r, shard *sh) {
  bool asked = false;
  for (size_t i = 0; i < r->n_jobs && !asked; i++) asked = r->jobs[i].part != PARL_PART_ANY;
  return asked ? parl_look_split(sh->env, &r->config.env, &sh->ee.split) : PARL_STATUS_OK;
}

/* Fills free slots with jobs. An episode's context has the episode's number. What needs no model is
 * played to its end while it is in cache. */
static parl_status start_episodes(parl_rollout *r, shard *sh, bool *progress) {
  for (size_t i = 0; i < sh->n_episodes; i++) {
    parl_episode *ep = &sh->episodes[i];
    while (!ep->live) {
      const size_t job = atomic_fetch_add(&r->next_job, 1);
      if (job >= r->n_jobs) return PARL_STATUS_OK;
      ep->world = -1;
      PARL_TRY(
          judge(sh, ep, parl_episode_start(&sh->ee, ep, &sh->mains.contexts[i], &r->jobs[job])));
      PARL_TRY(settle_episode(sh, ep, progress));
    }
  }
  return PARL_STATUS_OK;
}

/* Ends what is done and starts what waits, until only choices are left. */
static parl_status settle(shard *sh, bool *progress) {
  for (size_t i = 0; i < sh->subs.n; i++) {
    parl_context *c = &sh->subs.contexts[i];
    if (c->state != PARL_CONTEXT_DONE) continue;
    *progress = true;
    PARL_TRY(judge(sh, c->episode, parl_episode_end_sub(&sh->ee, c)));
  }
  for (size_t i = 0; i < sh->n_episodes; i++)
    PARL_TRY(settle_episode(sh, &sh->episodes[i], progress));
  return PARL_STATUS_OK;
}

/* The questions of all contexts that wait for this seat's player and have not asked yet. */
static size_t gather(shard *sh, const pool *p, parl_seat *seat) {
  size_t n = 0;
  for (size_t i = 0; i < p->n; i++) {
    parl_context *c = &p->contexts[i];
    if (c->state != PARL_CONTEXT_CHOOSE || c->asked != 0 || c->seat != seat) continue;
    parl_question *q = &sh->questions[n++];
    parl_context_get_question(&sh->ee, c, q);
    q->id = c->asked = ++sh->last_id;
    c->is_new = false;
    seat->n_open++;
  }
  return n;
}

/* Contexts of a side that have no seat yet find theirs. */
static parl_status find_seats(shard *sh, pool *p) {
  for (size_t i = 0; i < p->n; i++) {
    parl_context *c = &p->contexts[i];
    if (c->state == PARL_CONTEXT_CHOOSE && c->seat == NULL)
      PARL_TRY(find_seat(sh, &c->player, c->is_main, &c->seat));
  }
  return PARL_STATUS_OK;
}

static parl_status apply(shard *sh, parl_context *c, const parl_answer *a) {
  if (a->status != PARL_STATUS_OK)
    return parl_fail(PARL_STATUS_EPLAYER, "player %s: %s", c->player.kind->name,
                     a->error != NULL ? a->error : parl_status_name(a->status));
  sh->counts.sampled_tokens++;
  if (a->n_calls > 0) return parl_episode_take_turn(&sh->ee, c, a->calls, a->n_calls);
  return parl_episode_choose(&sh->ee, c, a->token, a->logp);
}

/* Hands answers to those that asked; one that nobody waits for is ignored. */
static parl_status take_answers(shard *sh, pool *p, parl_seat *seat, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const parl_answer *a = &sh->answers[i];
    if (a->slot < 0 || (size_t)a->slot >= p->n) continue;
    parl_context *c = &p->contexts[a->slot];
    /* An error in an earlier answer may have dropped this context's episode. */
    if (c->state != PARL_CONTEXT_CHOOSE || c->seat != seat || c->asked != a->id || a->id == 0)
      continue;
    c->asked = 0;
    seat->n_open--;
    PARL_TRY(judge(sh, c->episode, apply(sh, c, a)));
  }
  return PARL_STATUS_OK;
}

/* Asks a seat's player what has not been asked, and takes what it has answered. */
static parl_status ask(shard *sh, parl_seat *seat, bool may_wait, bool *progress) {
  pool *p = seat->is_main ? &sh->mains : &sh->subs;
  const parl_player_kind *kind = seat->player.kind;
  const int64_t decoded = sh->played.decoded_tokens;
  const size_t n_questions = gather(sh, p, seat);
  size_t n_answers = 0;
  if (seat->n_open == 0) return PARL_STATUS_OK;
  const double start = parl_clock_s();
  if (n_questions > 0) PARL_TRY(kind->submit(seat->state, sh->questions, n_questions));
  PARL_TRY(kind->collect(seat->state, may_wait, sh->answers, MAX_ANSWERS, &n_answers));
  sh->counts.decode_s += parl_clock_s() - start;
  *progress |= n_questions > 0 || n_answers > 0 || decoded != sh->played.decoded_tokens;
  return take_answers(sh, p, seat, n_answers);
}

/* Every seat, orchestrators first. One that is alone in owing answers may be waited for. */
static parl_status ask_all(shard *sh, bool may_wait, bool *progress) {
  size_t n_owing = 0;
  for (size_t i = 0; i < sh->n_seats; i++) n_owing += sh->seats[i]->n_open > 0;
  if (may_wait && n_owing > 1) parl_clock_sleep_s(0.001);
  for (int side = 0; side < 2; side++) {
    PARL_TRY(find_seats(sh, side == 0 ? &sh->mains : &sh->subs));
    for (size_t i = 0; i < sh->n_seats; i++)
      if (sh->seats[i]->is_main == (side == 0))
        PARL_TRY(ask(sh, sh->seats[i], may_wait && n_owing == 1, progress));
  }
  return PARL_STATUS_OK;
}

static bool is_owed(const shard *sh) {
  for (size_t i = 0; i < sh->n_seats; i++)
    if (sh->seats[i]->n_open > 0) return true;
  return false;
}

static parl_status play(parl_rollout *r, shard *sh) {
  bool progress = true;
  PARL_TRY(split_prompts(r, sh));
  while (progress || is_owed(sh)) {
    const bool may_wait = !progress;
    if ((r->stop != NULL && *r->stop != 0) || atomic_load(&r->is_abandoned))
      return parl_fail(PARL_STATUS_ESTOPPED, "stopped while playing");
    progress = false;
    PARL_TRY(start_episodes(r, sh, &progress));
    PARL_TRY(settle(sh, &progress));
    PARL_TRY(ask_all(sh, may_wait, &progress));
  }
  for (size_t i = 0; i < sh->n_episodes; i++) PARL_CHECK(!sh->episodes[i].live);
  return parl_env_check_variables(sh->env);
}

static void clear_shard(shard *sh) {
  for (size_t i = 0; i < sh->n_episodes; i++)
    if (sh->episodes[i].live) drop_episode(sh, &sh->episodes[i]);
}

static parl_status run_shard(void *context, size_t task, size_t worker) {
  (void)worker;
  parl_rollout *r = context;
  shard *sh = &r->shards[task];
  sh->counts = (parl_rollout_counts){0};
  sh->played = (parl_player_counts){0};
  sh->n_failed = 0;
  sh->failed_job = NULL;
  const double start = parl_clock_s();
  const parl_status s = play(r, sh);
  sh->counts.decoded_tokens = sh->played.decoded_tokens;
  sh->counts.reused_tokens = sh->played.reused_tokens;
  sh->counts.n_cut = sh->played.n_cut;
  sh->counts.cut = sh->played.cut;
  sh->end_s = parl_clock_s();
  sh->counts.script_s = sh->end_s - start - sh->counts.decode_s;
  if (s != PARL_STATUS_OK) {
    atomic_store(&r->next_job, r->n_jobs); /* other shards start nothing new */
    clear_shard(sh);
  }
  return s;
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
  const shard *first = NULL;
  *n = (int64_t)rollout->n_jobs;
  *n_failed = 0;
  for (size_t i = 0; i < rollout->n_shards; i++) {
    const shard *sh = &rollout->shards[i];
    *n_failed += sh->n_failed;
    if (sh->n_failed > 0 && (first == NULL || sh->failed_job < first->failed_job)) first = sh;
  }
  return first != NULL ? first->error : "";
}

/* --- looking --- */

static parl_status look_shard(void *context, size_t task, size_t worker) {
  (void)worker;
  const parl_rollout *r = context;
  shard *sh = &r->shards[task];
  return parl_look_at_part(sh->env, &r->config.env, r->stop, &sh->ee.split, r->looking, task,
                           r->n_shards);
}

parl_status parl_rollout_look(parl_rollout *rollout, parl_look *looks, size_t n) {
  rollout->looking = (parl_looks){looks, n};
  return parl_workers_run(rollout->workers, rollout->n_shards, look_shard, rollout);
}
