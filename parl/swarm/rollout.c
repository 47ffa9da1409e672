/* parl/swarm/rollout.c - shards that pull episodes and decode all their contexts together. */
#include "parl/swarm/rollout.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/rng.h"
#include "engine/decoder.h"
#include "parl/swarm/episode.h"

enum { SUBS_PER_SLOT = 8, MOST_FITTED = 64, MAX_ROWS = 512, ERROR_BYTES = 2048 };

/* A policy's contexts in a shard: a decoder and who waits for its logits. */
typedef struct pool {
  parl_decoder *decoder; /* NULL: this side is scripted */
  size_t n;              /* contexts = decoder slots */
  parl_context *contexts;
  parl_decoder_row *rows;  /* [max rows] of the next step */
  parl_context **choosers; /* [max rows] contexts whose logits come back, in row order */
  parl_pick *draws;        /* [max rows] how they choose */
  parl_sample *samples;    /* [max rows] what they choose */
} pool;

typedef struct shard {
  parl_env *env;
  parl_episode_env ee;
  parl_arena arena;
  parl_task_pool tasks;
  size_t n_episodes;
  parl_episode *episodes;
  pool mains, subs;
  parl_rollout_counts counts;
  int64_t n_failed;           /* episodes that were dropped */
  const parl_job *failed_job; /* the first of them in the order of jobs; NULL: none */
  char error[ERROR_BYTES];    /* its text */
} shard;

struct parl_rollout {
  parl_swarm_config config;
  const parl_model *policy, *sub_policy;
  const parl_chooser *chooser;
  const atomic_int *stop;
  parl_workers *workers;
  size_t n_shards;
  shard *shards;
  const parl_job *jobs;
  size_t n_jobs;
  atomic_size_t next_job;
};

/* --- building a shard --- */

static parl_status pool_init(shard *sh, pool *p, const parl_model *model, size_t n, int limit,
                             parl_cache_dtype cache) {
  const bool is_main = p == &sh->mains;
  p->n = n;
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, n, &p->contexts));
  for (size_t i = 0; i < n; i++) {
    PARL_TRY(parl_context_create(&sh->ee, &sh->arena, is_main, &p->contexts[i]));
    p->contexts[i].decoder_slot = (int32_t)i;
  }
  if (model == NULL) return PARL_STATUS_OK;
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)MAX_ROWS, &p->rows));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)MAX_ROWS, &p->choosers));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)MAX_ROWS, &p->draws));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)MAX_ROWS, &p->samples));
  const parl_decoder_def def = {.model = model,
                                .n_slots = n,
                                .max_context = (size_t)limit,
                                .max_rows = MAX_ROWS,
                                .cache = cache};
  return parl_decoder_create(&def, &p->decoder);
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
  const size_t context = (size_t)spec->limits.context, subs = (size_t)spec->limits.sub_context;
  n = least(n, MOST_FITTED);
  if (def->policy != NULL)
    n = least(n, parl_decoder_advise_slots(def->policy, context, def->cache));
  if (def->sub_policy != NULL)
    n = least(n, parl_decoder_advise_slots(def->sub_policy, subs * SUBS_PER_SLOT, def->cache));
  return n;
}

parl_status parl_script_check_hash(const parl_env_spec *spec, const char *hash) {
  if (hash == NULL || hash[0] == '\0' || strcmp(hash, spec->script_hash) == 0)
    return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "%s: the script, or what it includes, changed after this run was planned: its "
                   "SHA-256 was %.12s... and is %.12s...; another script is another run",
                   spec->path, hash, spec->script_hash);
}

static parl_status shard_init(shard *sh, const parl_rollout_def *def,
                              const parl_swarm_config *config, size_t n_episodes) {
  parl_arena_init(&sh->arena, (size_t)1 << 20);
  parl_env_options options = parl_env_config_get_options(&config->env, def->scripts);
  options.share_worlds = def->share_worlds;
  PARL_TRY(parl_env_create(def->env_path, def->env_params, &options, &sh->env));
  const parl_env_spec *spec = parl_env_get_spec(sh->env);
  PARL_TRY(parl_script_check_hash(spec, def->script_hash));
  if (spec->limits.max_width > PARL_EPISODE_MAX_WIDTH)
    return parl_fail(PARL_STATUS_EINVAL, "%s: limits.max_width = %d; at most %d", spec->path,
                     spec->limits.max_width, PARL_EPISODE_MAX_WIDTH);
  sh->ee = (parl_episode_env){.env = sh->env,
                              .spec = spec,
                              .config = config,
                              .scripted_subs = def->sub_policy == NULL && !def->choose_subs,
                              .reliability = def->reliability,
                              .observer = def->observer,
                              .tasks = &sh->tasks,
                              .n_words = (spec->n_tokens + 63) / 64};
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)PARL_TURN_MAX_CALLS, &sh->ee.calls));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)PARL_ENV_MAX_OBSERVATION, &sh->ee.tokens));
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, (size_t)PARL_SCRIPT_MAX_TOKENS, &sh->ee.script));
  sh->tasks.arena = &sh->arena;
  if (def->n_slots == 0) n_episodes = fit_caches(def, spec, n_episodes);
  sh->n_episodes = n_episodes;
  PARL_TRY(PARL_ARENA_TAKE(&sh->arena, n_episodes, &sh->episodes));
  for (size_t i = 0; i < n_episodes; i++)
    PARL_TRY(parl_episode_create(&sh->ee, &sh->arena, &sh->episodes[i]));
  const size_t n_sub_slots = def->sub_slots > 0 ? def->sub_slots : n_episodes * SUBS_PER_SLOT;
  const size_t n_subs = sh->ee.scripted_subs ? 1 : n_sub_slots;
  PARL_TRY(parl_fail_sizes(
      pool_init(sh, &sh->mains, def->policy, n_episodes, spec->limits.context, def->cache),
      "%zu orchestrators at once (train.slots) with limits.context = %d", n_episodes,
      spec->limits.context));
  return parl_fail_sizes(
      pool_init(sh, &sh->subs, def->sub_policy, n_subs, spec->limits.sub_context, def->cache),
      "%zu sub-agents at once with limits.sub_context = %d", n_subs, spec->limits.sub_context);
}

static void shard_deinit(shard *sh) {
  parl_decoder_destroy(sh->mains.decoder);
  parl_decoder_destroy(sh->subs.decoder);
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
  r->policy = def->policy;
  r->sub_policy = def->sub_policy;
  r->chooser = def->chooser;
  r->stop = def->scripts != NULL ? def->scripts->stop : NULL;
  r->workers = def->workers;
  const size_t n_workers = parl_workers_get_count(def->workers);
  const size_t n_shards = least(n_workers, n_slots);
  r->shards = calloc(n_shards, sizeof *r->shards);
  parl_status s = r->shards ? PARL_STATUS_OK : parl_fail(PARL_STATUS_ENOMEM, "rollout: no memory");
  while (s == PARL_STATUS_OK && r->n_shards < n_shards)
    s = shard_init(&r->shards[r->n_shards++], def, &r->config, (n_slots + n_shards - 1) / n_shards);
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

/* Drops an episode whose script failed: its contexts are free again, its world is gone. */
static void drop_episode(shard *sh, parl_episode *ep) {
  parl_trajectory *out = ep->job->out;
  for (size_t i = 0; i < sh->subs.n; i++)
    if (sh->subs.contexts[i].episode == ep) sh->subs.contexts[i].state = PARL_CONTEXT_FREE;
  ep->main->state = PARL_CONTEXT_FREE;
  out->facts = (parl_facts){.end = PARL_END_ERROR};
  out->failed = true;
  parl_text_clear(&out->scores);
  parl_stages_clear(&out->stages);
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

/* A script's failure stops the run with its place in the experiment, or drops the episode. */
static parl_status judge(shard *sh, parl_episode *ep, parl_status s) {
  if (s == PARL_STATUS_OK) return s;
  const bool script = s == PARL_STATUS_ESCRIPT || s == PARL_STATUS_ELIMIT;
  s = parl_fail_context(
      s, "episode with task seed %llu, episode seed %llu, after %d turns and %lld steps",
      (unsigned long long)ep->job->out->task_seed, (unsigned long long)ep->job->episode_seed,
      (int)ep->facts.turns, (long long)ep->total);
  if (!script || sh->ee.config->env.on_error != PARL_ON_ERROR_SKIP) return s;
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

/* Makes the split when a job first asks for a part of it. */
static parl_status split_prompts(shard *sh, const parl_job *job) {
  const parl_env_config *c = &sh->ee.config->env;
  if (job->part == PARL_PART_ANY || c->holdout <= 0 || sh->ee.split != NULL) return PARL_STATUS_OK;
  return parl_fail_context(
      parl_split_create(sh->env, c->holdout, (uint64_t)c->holdout_seed, &sh->ee.split),
      "env.holdout = %g", c->holdout);
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
      PARL_TRY(split_prompts(sh, &r->jobs[job]));
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

/* Whether a context of this step computes most of what the decoder lacks of c's first n tokens:
 * then c waits a step and takes it over. */
static bool is_worth_waiting(const pool *p, const parl_context *c, size_t n, size_t n_choosers) {
  const size_t found = parl_decoder_find_prefix(p->decoder, c->sequence->tokens, n);
  for (size_t i = 0; i < n_choosers; i++) {
    const parl_sequence *other = p->choosers[i]->sequence;
    const size_t most = (size_t)other->n_tokens < n ? (size_t)other->n_tokens : n;
    size_t same = 0;
    while (same < most && other->tokens[same] == c->sequence->tokens[same]) same++;
    if (same > found && 2 * (same - found) > n - found) return true;
  }
  return false;
}

/* Queues the tokens that the decoder has not seen of every context that must choose. */
static size_t queue_rows(shard *sh, pool *p, size_t max_rows, size_t *n_choosers) {
  size_t n = 0;
  *n_choosers = 0;
  for (size_t i = 0; i < p->n && n < max_rows; i++) {
    parl_context *c = &p->contexts[i];
    if (c->state != PARL_CONTEXT_CHOOSE) continue;
    if (c->stale) {
      const size_t prefix = (size_t)c->sequence->n_tokens - 1; /* the last one gives logits */
      if (is_worth_waiting(p, c, prefix, *n_choosers)) continue;
      c->n_fed =
          (int32_t)parl_decoder_restart(p->decoder, c->decoder_slot, c->sequence->tokens, prefix);
      sh->counts.reused_tokens += c->n_fed;
      c->stale = false;
    }
    while (c->n_fed < c->sequence->n_tokens && n < max_rows) {
      const int32_t token = c->sequence->tokens[c->n_fed++];
      const bool last = c->n_fed == c->sequence->n_tokens;
      p->rows[n++] = (parl_decoder_row){c->decoder_slot, token, last};
      if (last) p->choosers[(*n_choosers)++] = c;
    }
  }
  return n;
}

static parl_pick prepare_draw(const parl_context *c) {
  const uint64_t seed = c->episode->job->episode_seed;
  const uint64_t stream = parl_context_get_stream(c);
  return (parl_pick){.mask = c->mask,
                     .temperature = c->temperature,
                     .uniform = parl_rng_uniform(seed, stream, (uint64_t)c->n_taken)};
}

/* One step of a pool's decoder: the samples of n_choosers contexts out of n_rows rows. */
static parl_status decode(shard *sh, pool *p, size_t *n_rows, size_t *n_choosers) {
  float *logits;
  *n_rows = queue_rows(sh, p, parl_decoder_get_max_rows(p->decoder), n_choosers);
  if (*n_rows == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_decoder_step(p->decoder, p->rows, *n_rows, &logits));
  for (size_t i = 0; i < *n_choosers; i++) p->draws[i] = prepare_draw(p->choosers[i]);
  return parl_decoder_sample(p->decoder, p->draws, *n_choosers, p->samples);
}

/* Every context of a pool with a model that must choose does; *progress when one did. */
static parl_status choose(shard *sh, pool *p, bool *progress) {
  if (p->decoder == NULL) return PARL_STATUS_OK;
  size_t n_rows, n_choosers;
  const double start = parl_clock_s();
  PARL_TRY(decode(sh, p, &n_rows, &n_choosers));
  sh->counts.decode_s += parl_clock_s() - start;
  sh->counts.decoded_tokens += (int64_t)n_rows;
  *progress |= n_rows > 0;
  for (size_t i = 0; i < n_choosers; i++) {
    parl_context *c = p->choosers[i];
    /* An error in an earlier choice may have dropped this context's episode. */
    if (c->state != PARL_CONTEXT_CHOOSE) continue;
    sh->counts.sampled_tokens++;
    PARL_TRY(judge(sh, c->episode,
                   parl_episode_choose(&sh->ee, c, p->samples[i].token, p->samples[i].logp)));
  }
  return PARL_STATUS_OK;
}

/* The chooser's token for every context of a pool without a model that must choose. */
static parl_status ask(shard *sh, pool *p, const parl_chooser *chooser, bool *progress) {
  if (p->decoder != NULL || chooser == NULL) return PARL_STATUS_OK;
  for (size_t i = 0; i < p->n; i++) {
    parl_context *c = &p->contexts[i];
    if (c->state != PARL_CONTEXT_CHOOSE) continue;
    *progress = true;
    const parl_choice choice = {.job = c->episode->job,
                                .env = sh->env,
                                .turn = (int)c->episode->facts.turns + c->is_main,
                                .agent = c->ordinal,
                                .tokens = c->sequence->tokens,
                                .n_tokens = (size_t)c->sequence->n_tokens,
                                .mask = c->mask,
                                .n_allowed = c->n_allowed};
    int32_t token;
    PARL_TRY(chooser->choose(chooser->context, &choice, &token));
    PARL_CHECK(c->mask[token / 64] >> (token % 64) & 1);
    PARL_TRY(judge(sh, c->episode, parl_episode_choose(&sh->ee, c, token, 0.0f)));
  }
  return PARL_STATUS_OK;
}

static parl_status play(parl_rollout *r, shard *sh) {
  bool progress = true;
  while (progress) {
    if (r->stop != NULL && *r->stop != 0)
      return parl_fail(PARL_STATUS_ESTOPPED, "stopped while playing");
    progress = false;
    PARL_TRY(start_episodes(r, sh, &progress));
    PARL_TRY(settle(sh, &progress));
    PARL_TRY(choose(sh, &sh->mains, &progress));
    PARL_TRY(choose(sh, &sh->subs, &progress));
    PARL_TRY(ask(sh, &sh->mains, r->chooser, &progress));
    PARL_TRY(ask(sh, &sh->subs, r->chooser, &progress));
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
  sh->n_failed = 0;
  sh->failed_job = NULL;
  const double start = parl_clock_s();
  const parl_status s = play(r, sh);
  sh->counts.script_s = parl_clock_s() - start - sh->counts.decode_s;
  if (s != PARL_STATUS_OK) {
    atomic_store(&r->next_job, r->n_jobs); /* other shards start nothing new */
    clear_shard(sh);
  }
  return s;
}

parl_status parl_rollout_run(parl_rollout *rollout, const parl_job *jobs, size_t n_jobs,
                             parl_rollout_counts *counts) {
  for (size_t i = 0; i < n_jobs; i++)
    PARL_REQUIRE(jobs[i].out != NULL &&
                 (jobs[i].style != NULL || rollout->policy != NULL || rollout->chooser != NULL));
  rollout->jobs = jobs;
  rollout->n_jobs = n_jobs;
  atomic_store(&rollout->next_job, 0);
  PARL_TRY(parl_workers_run(rollout->workers, rollout->n_shards, run_shard, rollout));
  if (counts == NULL) return PARL_STATUS_OK;
  *counts = (parl_rollout_counts){0};
  for (size_t i = 0; i < rollout->n_shards; i++) {
    const parl_rollout_counts *c = &rollout->shards[i].counts;
    counts->decoded_tokens += c->decoded_tokens;
    counts->reused_tokens += c->reused_tokens;
    counts->sampled_tokens += c->sampled_tokens;
    counts->decode_s += c->decode_s;
    counts->script_s += c->script_s;
  }
  return PARL_STATUS_OK;
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
