/* parl/swarm/rollout_play.c - a shard plays: episodes begin, contexts ask, answers are taken. */
#include <stdio.h>

#include "core/clock.h"
#include "parl/swarm/rollout_internal.h"

void parl_shard_note_context(parl_context_pool *p, const parl_context *c) {
  const size_t i = (size_t)c->slot;
  parl_bits_put(&p->free, i, c->state == PARL_CONTEXT_FREE);
  parl_bits_put(&p->done, i, c->state == PARL_CONTEXT_DONE);
  parl_bits_put(&p->asking, i, c->state == PARL_CONTEXT_CHOOSE);
}

void parl_shard_note_episode(parl_shard *sh, const parl_episode *ep) {
  const size_t i = (size_t)(ep - sh->episodes);
  const parl_context *main = &sh->mains.contexts[i];
  const bool is_over = ep->live && main->state == PARL_CONTEXT_DONE;
  parl_bits_put(&sh->idle, i, !ep->live);
  parl_bits_put(&sh->unsettled, i, is_over || parl_episode_wants_sub(ep));
  parl_shard_note_context(&sh->mains, main);
}

/* Frees a context; its player need not answer any more. */
static void drop_context(parl_context *c) {
  c->state = PARL_CONTEXT_FREE;
  if (c->asked == 0) return;
  if (c->seat->player.kind->forget != NULL) c->seat->player.kind->forget(c->seat->state, c->slot);
  c->seat->n_open--;
  c->asked = 0;
}

/* Drops an episode that failed: its contexts are free again, its world is gone. */
static void drop_episode(parl_shard *sh, parl_episode *ep) {
  parl_trajectory *out = ep->job->out;
  for (size_t i = 0; i < sh->subs.n; i++) {
    parl_context *c = &sh->subs.contexts[i];
    if (c->episode != ep) continue;
    drop_context(c);
    parl_shard_note_context(&sh->subs, c);
  }
  drop_context(ep->main);
  out->facts = (parl_facts){.end = PARL_END_ERROR};
  out->failed = true;
  parl_text_clear(&out->scores);
  parl_stages_clear(&out->stages);
  parl_recording_clear(&out->recording);
  ep->live = false;
  parl_shard_note_episode(sh, ep);
  if (ep->world >= 0) parl_env_release(sh->env, ep->world);
}

/* Counts a dropped episode; the text of the first job's stays, whatever the order of play was. */
static void note_failure(parl_shard *sh, const parl_job *job) {
  sh->n_failed++;
  if (sh->failed_job != NULL && sh->failed_job < job) return;
  sh->failed_job = job;
  snprintf(sh->error, sizeof sh->error, "%s", parl_error_text());
}

/* The failure of a script or a player stops the run with its place in the experiment, or drops the
 * episode. */
static parl_status judge(parl_shard *sh, parl_episode *ep, parl_status s) {
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

/* Books a sub-agent that is done, and its group if it was the last of it. */
static parl_status end_sub(parl_shard *sh, parl_context *c) {
  parl_episode *ep = c->episode;
  PARL_TRY(judge(sh, ep, parl_episode_end_sub(&sh->ee, c)));
  parl_shard_note_context(&sh->subs, c);
  parl_shard_note_episode(sh, ep);
  return PARL_STATUS_OK;
}

/* Starts what waits in an episode while there are contexts. */
static parl_status start_subs(parl_shard *sh, parl_episode *ep, bool *progress) {
  while (parl_episode_wants_sub(ep)) {
    const size_t i = parl_bits_first(&sh->subs.free);
    if (i == sh->subs.n) return PARL_STATUS_OK;
    parl_context *c = &sh->subs.contexts[i];
    *progress = true;
    c->episode = ep;
    PARL_TRY(judge(sh, ep, parl_episode_start_sub(&sh->ee, ep, c)));
    parl_shard_note_context(&sh->subs, c);
    if (c->state == PARL_CONTEXT_DONE) PARL_TRY(end_sub(sh, c));
  }
  return PARL_STATUS_OK;
}

/* Starts what waits in an episode, and ends it when it is over. */
static parl_status settle_episode(parl_shard *sh, parl_episode *ep, bool *progress) {
  PARL_TRY(start_subs(sh, ep, progress));
  if (ep->live && ep->main->state == PARL_CONTEXT_DONE) {
    *progress = true;
    PARL_TRY(judge(sh, ep, parl_episode_end(&sh->ee, ep)));
  }
  parl_shard_note_episode(sh, ep);
  return PARL_STATUS_OK;
}

/* Makes the split when a job of the run is first of a part of it, in every shard at once: which of
 * them plays it is not known. */
static parl_status split_prompts(const parl_rollout *r, parl_shard *sh) {
  bool asked = false;
  for (size_t i = 0; i < r->n_jobs && !asked; i++) asked = r->jobs[i].part != PARL_PART_ANY;
  return asked ? parl_look_split(sh->env, &r->config.env, &sh->ee.split) : PARL_STATUS_OK;
}

/* The next job of a shard; n_jobs or more: there is none. */
static size_t take_job(parl_rollout *r, parl_shard *sh) {
  if (!r->is_dealt) return atomic_fetch_add(&r->next_job, 1);
  if (atomic_load(&r->next_job) >= r->n_jobs) return r->n_jobs;
  return (size_t)(sh - r->shards) + r->n_shards * sh->n_dealt++;
}

/* Fills free slots with jobs. An episode's context has the episode's number. What needs no model is
 * played to its end while it is in cache. */
static parl_status start_episodes(parl_rollout *r, parl_shard *sh, bool *progress) {
  for (size_t i = parl_bits_first(&sh->idle); i < sh->n_episodes;
       i = parl_bits_next(&sh->idle, i + 1)) {
    parl_episode *ep = &sh->episodes[i];
    while (!ep->live) {
      const size_t job = take_job(r, sh);
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
static parl_status settle(parl_shard *sh, bool *progress) {
  parl_context_pool *subs = &sh->subs;
  for (size_t i = parl_bits_first(&subs->done); i < subs->n;
       i = parl_bits_next(&subs->done, i + 1)) {
    *progress = true;
    PARL_TRY(end_sub(sh, &subs->contexts[i]));
  }
  for (size_t i = parl_bits_first(&sh->unsettled); i < sh->n_episodes;
       i = parl_bits_next(&sh->unsettled, i + 1))
    PARL_TRY(settle_episode(sh, &sh->episodes[i], progress));
  return PARL_STATUS_OK;
}

/* The questions of all contexts that wait for this seat's player and have not asked yet. */
static size_t gather(parl_shard *sh, parl_context_pool *p, parl_seat *seat) {
  size_t n = 0;
  for (size_t i = parl_bits_first(&p->asking); i < p->n; i = parl_bits_next(&p->asking, i + 1)) {
    parl_context *c = &p->contexts[i];
    if (c->seat != seat) continue;
    parl_question *q = &sh->questions[n++];
    parl_context_get_question(&sh->ee, c, q);
    q->id = c->asked = ++sh->last_id;
    c->is_new = false;
    seat->n_open++;
    parl_bits_remove(&p->asking, i);
  }
  return n;
}

/* Contexts of a side that have no seat yet find theirs. */
static parl_status find_seats(parl_shard *sh, parl_context_pool *p) {
  for (size_t i = parl_bits_first(&p->asking); i < p->n; i = parl_bits_next(&p->asking, i + 1)) {
    parl_context *c = &p->contexts[i];
    if (c->seat == NULL) PARL_TRY(parl_shard_find_seat(sh, &c->player, c->is_main, &c->seat));
  }
  return PARL_STATUS_OK;
}

static parl_status apply(parl_shard *sh, parl_context *c, const parl_answer *a) {
  if (a->status != PARL_STATUS_OK)
    return parl_fail(PARL_STATUS_EPLAYER, "player %s: %s", c->player.kind->name,
                     a->error != NULL ? a->error : parl_status_name(a->status));
  sh->counts.sampled_tokens++;
  if (a->n_calls > 0) return parl_episode_take_turn(&sh->ee, c, a->calls, a->n_calls);
  return parl_episode_choose(&sh->ee, c, a->token, a->logp);
}

/* Hands answers to those that asked; one that nobody waits for is ignored. */
static parl_status take_answers(parl_shard *sh, parl_context_pool *p, parl_seat *seat, size_t n) {
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
    parl_shard_note_context(p, c);
    if (c->is_main) parl_shard_note_episode(sh, c->episode);
  }
  return PARL_STATUS_OK;
}

static parl_context_pool *get_pool(parl_shard *sh, const parl_seat *seat) {
  return seat->is_main ? &sh->mains : &sh->subs;
}

/* Asks a seat's player what has not been asked. */
static parl_status submit(parl_shard *sh, parl_seat *seat, bool *progress) {
  const size_t n = gather(sh, get_pool(sh, seat), seat);
  if (n == 0) return PARL_STATUS_OK;
  *progress = true;
  const double start = parl_clock_s();
  const parl_status s = seat->player.kind->submit(seat->state, sh->questions, n);
  sh->counts.decode_s += parl_clock_s() - start;
  return s;
}

/* Takes what a seat's player has answered. */
static parl_status collect(parl_shard *sh, parl_seat *seat, bool may_wait, bool *progress) {
  const int64_t decoded = sh->played.decoded_tokens;
  size_t n = 0;
  if (seat->n_open == 0) return PARL_STATUS_OK;
  const double start = parl_clock_s();
  PARL_TRY(seat->player.kind->collect(seat->state, may_wait, sh->answers, PARL_MAX_ANSWERS, &n));
  sh->counts.decode_s += parl_clock_s() - start;
  *progress |= n > 0 || decoded != sh->played.decoded_tokens;
  return take_answers(sh, get_pool(sh, seat), seat, n);
}

/* Every seat is asked before any answer is waited for, so that players work side by side; answers
 * of orchestrators come first. One that is alone in owing answers may be waited for. */
static parl_status ask_all(parl_shard *sh, bool may_wait, bool *progress) {
  size_t n_owing = 0;
  for (size_t i = 0; i < sh->n_seats; i++) n_owing += sh->seats[i]->n_open > 0;
  if (may_wait && n_owing > 1) parl_clock_sleep_s(0.001);
  PARL_TRY(find_seats(sh, &sh->mains));
  PARL_TRY(find_seats(sh, &sh->subs));
  for (size_t i = 0; i < sh->n_seats; i++) PARL_TRY(submit(sh, sh->seats[i], progress));
  for (int side = 0; side < 2; side++)
    for (size_t i = 0; i < sh->n_seats; i++)
      if (sh->seats[i]->is_main == (side == 0))
        PARL_TRY(collect(sh, sh->seats[i], may_wait && n_owing == 1, progress));
  return PARL_STATUS_OK;
}

static bool is_owed(const parl_shard *sh) {
  for (size_t i = 0; i < sh->n_seats; i++)
    if (sh->seats[i]->n_open > 0) return true;
  return false;
}

parl_status parl_shard_play(parl_rollout *r, parl_shard *sh) {
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

void parl_shard_clear(parl_shard *sh) {
  for (size_t i = 0; i < sh->n_episodes; i++)
    if (sh->episodes[i].live) drop_episode(sh, &sh->episodes[i]);
}
