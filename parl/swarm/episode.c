/* parl/swarm/episode.c - one episode as a state machine; the shard supplies the tokens. */
#include "parl/swarm/episode.h"

#include <string.h>

#include "core/seeds.h"
#include "parl/swarm/context_policy.h"
#include "parl/swarm/critical_steps.h"

/* --- what an observer hears --- */

/* Tells the observer; `event` has what is particular to its kind. */
static parl_status tell(const parl_episode_env *ee, const parl_episode *ep, parl_event event) {
  event.job = ep->job;
  event.env = ee->env;
  event.world = ep->world;
  event.turn = (int)ep->facts.turns;
  event.critical = ep->critical;
  event.total = ep->total;
  event.r_perf = ep->r_perf;
  if (event.n_tokens > 0 && event.kind != PARL_EVENT_AGAINST)
    event.shown = parl_env_get_shown(ee->env);
  return ee->observer->on_event(ee->observer->context, &event);
}

/* TELL(ee, ep, .kind = ...): an event is built only for an observer. */
#define TELL(ee, ep, ...) \
  ((ee)->observer == NULL ? PARL_STATUS_OK : tell((ee), (ep), (parl_event){__VA_ARGS__}))

static parl_status tell_call(const parl_episode_env *ee, const parl_context *c,
                             const parl_call *call, size_t n_tokens) {
  return TELL(ee, c->episode, .kind = PARL_EVENT_CALL, .agent = c->ordinal, .call = call,
              .tokens = ee->tokens, .n_tokens = n_tokens, .steps = c->steps);
}

/* --- turns and score --- */

static void begin_turn(parl_episode *ep) {
  ep->facts.turns++;
  ep->replay.bans_launch = false;
  parl_recording_end_turn(&ep->job->out->recording);
  parl_stages_begin(&ep->job->out->stages, ep->r_perf);
}

/* Asks for the present score; *changed when r_perf is not what it was. */
static parl_status rescore(const parl_episode_env *ee, parl_episode *ep, bool *changed) {
  double r_perf, success;
  PARL_TRY(parl_env_score(ee->env, ep->world, &r_perf, &success, NULL));
  *changed = r_perf != ep->r_perf;
  if (*changed) ep->facts.last_gain_steps = (double)ep->critical;
  ep->r_perf = r_perf;
  ep->success = success;
  return PARL_STATUS_OK;
}

static void end_main(parl_episode *ep, parl_end reason) {
  ep->main->state = PARL_CONTEXT_DONE;
  ep->facts.end = reason;
  if (reason == PARL_END_CONTEXT) { /* a failure, not a truncation (k25 1.8) */
    ep->r_perf = 0;
    ep->success = 0;
  }
}

/* --- contexts --- */

/* The budget does not pay the next token. */
static void run_dry(parl_context *c) {
  if (c->is_main)
    end_main(c->episode, PARL_END_BUDGET);
  else
    c->state = PARL_CONTEXT_DONE; /* unfinished */
}

static void overflow(parl_context *c) {
  if (c->is_main)
    end_main(c->episode, PARL_END_CONTEXT);
  else
    c->state = PARL_CONTEXT_DONE; /* unfinished */
}

/* --- turns --- */

/* Between turns: suspends an episode that has used its job's quota. */
static void keep_quota(parl_episode *ep) {
  if (ep->replay.of != NULL) ep->resumed = ep->critical; /* or this is where it goes on */
  if (ep->job->quota == 0 || ep->critical - ep->resumed < ep->job->quota) return;
  ep->job->out->suspended = true;
  end_main(ep, PARL_END_TURNS);
}

static parl_status start_next_turn(const parl_episode_env *ee, parl_context *c) {
  parl_grammar_next_turn(&c->grammar);
  c->state = PARL_CONTEXT_RUNNING;
  if (!c->is_main) return PARL_STATUS_OK;
  bool fits;
  PARL_TRY(parl_context_policy_apply(ee, c, &fits));
  if (!fits)
    end_main(c->episode, PARL_END_CONTEXT);
  else if (c->episode->facts.turns >= ee->spec->limits.max_turns)
    end_main(c->episode, PARL_END_TURNS);
  else
    keep_quota(c->episode);
  return PARL_STATUS_OK;
}

static parl_status launch(const parl_episode_env *ee, parl_context *c) {
  parl_episode *ep = c->episode;
  const int n = c->grammar.n_calls;
  if (!parl_episode_share(ee, ep, n)) {
    end_main(ep, PARL_END_BUDGET);
    return PARL_STATUS_OK;
  }
  ep->n_launches = (size_t)n;
  ep->n_started = ep->n_done = 0;
  memset(ep->launches, 0, sizeof ep->launches[0] * (size_t)n);
  ep->facts.launches++;
  ep->facts.assigned += n;
  if (n > ep->facts.max_width) ep->facts.max_width = n;
  for (int i = 0; i < n; i++) {
    parl_call task;
    bool is_known;
    parl_grammar_get_call(&c->grammar, i, &task);
    PARL_TRY(parl_episode_note_task(ee->tasks, ep, &task, &is_known));
    ep->facts.duplicates += is_known;
    parl_stages_add_sub(&ep->job->out->stages, ee->spec,
                        c->grammar.created_role[task.agent_name] - 1, &task, is_known);
  }
  c->state = PARL_CONTEXT_WAIT;
  return TELL(ee, ep, .kind = PARL_EVENT_LAUNCH, .width = n);
}

/* One direct tool call; the observation, ee->tokens [*n], is appended. */
static parl_status run_tool(const parl_episode_env *ee, parl_context *c, const parl_call *call,
                            size_t *n, bool *fits) {
  PARL_TRY(parl_env_call(ee->env, c->episode->world, c->agent, call, ee->tokens,
                         PARL_ENV_MAX_OBSERVATION, n));
  return parl_context_observe(ee, c, *n, fits);
}

static parl_status execute_main(const parl_episode_env *ee, parl_context *c) {
  parl_episode *ep = c->episode;
  begin_turn(ep);
  for (int i = 0; i < c->grammar.n_calls; i++) {
    parl_call call;
    parl_grammar_get_call(&c->grammar, i, &call);
    if (call.kind == PARL_CALL_ASSIGN) return launch(ee, c); /* all of them are */
    if (call.kind == PARL_CALL_FINISH) {
      end_main(ep, PARL_END_FINISH);
      return tell_call(ee, c, &call, 0);
    }
    if (!parl_episode_can_step(ee, ep)) {
      end_main(ep, PARL_END_BUDGET);
      return PARL_STATUS_OK;
    }
    PARL_TRY(parl_episode_spend(ee, ep, &(parl_stage){.main_steps = 1}));
    if (call.kind == PARL_CALL_CREATE) {
      ep->facts.created++;
      PARL_TRY(tell_call(ee, c, &call, 0));
      continue;
    }
    bool fits, changed;
    size_t n;
    PARL_TRY(run_tool(ee, c, &call, &n, &fits));
    PARL_TRY(rescore(ee, ep, &changed));
    PARL_TRY(tell_call(ee, c, &call, n));
    if (!fits) {
      end_main(ep, PARL_END_CONTEXT);
      return PARL_STATUS_OK;
    }
  }
  return start_next_turn(ee, c);
}

static parl_status execute_sub(const parl_episode_env *ee, parl_context *c) {
  parl_call call;
  parl_grammar_get_call(&c->grammar, 0, &call);
  c->finished = call.kind == PARL_CALL_FINISH;
  c->state = PARL_CONTEXT_DONE;
  if (c->finished) return tell_call(ee, c, &call, 0);
  if (c->steps >= c->step_limit) return PARL_STATUS_OK;
  c->steps++;
  bool fits;
  size_t n;
  PARL_TRY(run_tool(ee, c, &call, &n, &fits));
  PARL_TRY(tell_call(ee, c, &call, n));
  return fits ? start_next_turn(ee, c) : PARL_STATUS_OK;
}

/* A call that the grammar refuses (only with episode.mask off): a wasted step and an <invalid>. */
static parl_status execute_malformed(const parl_episode_env *ee, parl_context *c) {
  const int32_t invalid = PARL_TOKEN_INVALID;
  c->grammar.n_calls = 0;
  if (c->is_main) {
    parl_episode *ep = c->episode;
    begin_turn(ep);
    if (!parl_episode_can_step(ee, ep)) {
      end_main(ep, PARL_END_BUDGET);
      return PARL_STATUS_OK;
    }
    PARL_TRY(parl_episode_spend(ee, ep, &(parl_stage){.main_steps = 1}));
  } else if (c->steps++ >= c->step_limit) {
    c->steps--;
    c->state = PARL_CONTEXT_DONE;
    return PARL_STATUS_OK;
  }
  PARL_TRY(TELL(ee, c->episode, .kind = PARL_EVENT_INVALID, .agent = c->ordinal));
  if (!parl_context_append(c, &invalid, 1)) {
    overflow(c);
    return PARL_STATUS_OK;
  }
  return start_next_turn(ee, c);
}

static parl_status execute(const parl_episode_env *ee, parl_context *c) {
  return c->is_main ? execute_main(ee, c) : execute_sub(ee, c);
}

/* Appends a token of the turn that is being written. */
static void put_written(parl_context *c, int32_t token, float logp, bool is_choice) {
  parl_sequence *s = c->sequence;
  if (c->is_main) {
    const parl_written item = {.token = token,
                               .at = c->n_taken,
                               .logp = logp,
                               .turn = (int16_t)(c->episode->facts.turns + 1),
                               .is_choice = is_choice};
    c->origin[s->n_tokens] = item.turn;
    parl_recording_add(&c->episode->job->out->recording, &item);
  }
  s->tokens[s->n_tokens++] = token;
  c->n_taken++;
  c->n_written++;
  if (c->is_main) c->episode->written++;
}

static parl_status take(const parl_episode_env *ee, parl_context *c, int32_t token, float logp,
                        bool choice) {
  parl_sequence *s = c->sequence;
  if (choice && c->record) {
    const size_t k = (size_t)s->n_choices++;
    s->at[k] = s->n_tokens;
    s->logp[k] = logp;
    s->turn[k] = (int16_t)((int)c->episode->facts.turns + c->is_main);
    memcpy(s->masks + k * (size_t)ee->n_words, c->mask, sizeof c->mask[0] * (size_t)ee->n_words);
  }
  if (choice && c->is_main) c->episode->facts.tokens++;
  put_written(c, token, logp, choice);
  bool turn_done = false;
  const parl_status status = parl_grammar_feed(&c->grammar, token, &turn_done);
  if (status == PARL_STATUS_EINVAL && !ee->config->episode.mask) return execute_malformed(ee, c);
  PARL_TRY(status);
  return turn_done ? execute(ee, c) : PARL_STATUS_OK;
}

/* A token of a demonstration: with the mask it was chosen under. It may do what `legal` advises
 * against. */
static parl_status demonstrate(const parl_episode_env *ee, parl_context *c, int32_t token) {
  size_t n_allowed = 0;
  PARL_TRY(parl_context_get_mask(ee, c, &n_allowed));
  const uint64_t bit = (uint64_t)1 << (token % 64);
  if ((c->mask[token / 64] & bit) == 0) {
    n_allowed++;
    PARL_TRY(TELL(ee, c->episode, .kind = PARL_EVENT_AGAINST, .agent = c->ordinal, .tokens = &token,
                  .n_tokens = 1));
  }
  c->mask[token / 64] |= bit;
  return take(ee, c, token, 0.0f, n_allowed > 1);
}

/* Plays a turn. What is not recorded is not read back token by token. */
static parl_status play_turn(const parl_episode_env *ee, parl_context *c, const parl_call *calls,
                             size_t n_calls) {
  size_t n = 0;
  n_calls = parl_context_cut_launch(ee, c, calls, n_calls);
  const parl_status status =
      c->record
          ? parl_grammar_write(&c->grammar, calls, n_calls, ee->script, PARL_SCRIPT_MAX_TOKENS, &n)
          : parl_grammar_take(&c->grammar, calls, n_calls, ee->script, PARL_SCRIPT_MAX_TOKENS, &n);
  if (status != PARL_STATUS_OK && parl_player_is_script(&c->player))
    return parl_fail_context(status, "%s: expert style \"%s\"", ee->spec->path, c->player.style);
  if (status == PARL_STATUS_EINVAL)
    return parl_fail_context(parl_fail(PARL_STATUS_EPLAYER, "%s", parl_error_text()), "player %s",
                             c->player.kind->name);
  PARL_TRY(status);
  for (size_t i = 0; i < n; i++) {
    if (c->sequence->n_tokens >= c->limit) {
      overflow(c);
      return PARL_STATUS_OK;
    }
    if (!parl_context_can_write(ee, c)) {
      run_dry(c);
      return PARL_STATUS_OK;
    }
    if (c->record)
      PARL_TRY(demonstrate(ee, c, ee->script[i]));
    else
      put_written(c, ee->script[i], 0.0f, false);
  }
  return c->record ? PARL_STATUS_OK : execute(ee, c);
}

/* Of a player that answers at once. */
static parl_status write_turn(const parl_episode_env *ee, parl_context *c) {
  size_t n_calls;
  parl_question question;
  parl_context_get_question(ee, c, &question);
  PARL_TRY(
      c->player.kind->write_turn(&c->player, &question, ee->calls, PARL_TURN_MAX_CALLS, &n_calls));
  return play_turn(ee, c, ee->calls, n_calls);
}

/* Writes the next token of a replay, under the mask of now where a context is recorded; *has_token
 * is false where there is none (any more). */
static parl_status write_recorded(const parl_episode_env *ee, parl_context *c, bool *has_token) {
  parl_written w;
  *has_token = parl_replay_next(&c->episode->replay, c->episode->n_assigned, &c->n_taken, &w);
  if (!*has_token) return PARL_STATUS_OK;
  if (w.token < 0 || w.token >= ee->spec->n_plain)
    return parl_fail(PARL_STATUS_EFORMAT, "a recording with token %d", (int)w.token);
  if (c->record) {
    PARL_TRY(parl_context_get_mask(ee, c, &c->n_allowed));
    c->mask[w.token / 64] |= (uint64_t)1 << (w.token % 64);
  }
  return take(ee, c, w.token, w.logp, w.is_choice);
}

/* Runs a context until its player must choose, its group is out, or it ends. */
static parl_status advance(const parl_episode_env *ee, parl_context *c) {
  while (c->state == PARL_CONTEXT_RUNNING) {
    if (c->sequence->n_tokens >= c->limit) {
      overflow(c);
      break;
    }
    if (!parl_context_can_write(ee, c)) {
      run_dry(c);
      break;
    }
    if (c->is_main && c->episode->replay.of != NULL) {
      bool has_token;
      PARL_TRY(write_recorded(ee, c, &has_token));
      if (has_token) continue;
    }
    if (c->player.kind == NULL)
      return parl_fail(PARL_STATUS_EFORMAT, "the recording ends before its episode does");
    if (c->player.kind->write_turn != NULL) {
      PARL_TRY(write_turn(ee, c));
      continue;
    }
    if (c->player.kind->asks_turns) {
      c->state = PARL_CONTEXT_CHOOSE;
      break;
    }
    PARL_TRY(parl_context_get_mask(ee, c, &c->n_allowed));
    if (c->n_allowed > 1) {
      c->state = PARL_CONTEXT_CHOOSE;
      break;
    }
    PARL_TRY(take(ee, c, parl_context_only_token(c), 0.0f, false));
  }
  return PARL_STATUS_OK;
}

/* --- the shard's calls --- */

/* Another task than the job's if its prompt is not of the part. */
static parl_status draw_task(const parl_episode_env *ee, const parl_job *job) {
  if (ee->split == NULL) return PARL_STATUS_OK;
  parl_draw drawn;
  PARL_TRY(parl_split_draw(ee->split, job->part, job->task_seed, &drawn));
  job->out->task_seed = drawn.task_seed;
  job->out->held_out = drawn.held_out;
  return PARL_STATUS_OK;
}

parl_status parl_episode_start(const parl_episode_env *ee, parl_episode *ep, parl_context *main,
                               const parl_job *job) {
  ep->live = true;
  ep->job = job;
  ep->main = main;
  ep->critical = ep->total = ep->written = 0;
  ep->cost = (parl_cost_sums){0};
  ep->n_assigned = 0;
  ep->n_launches = ep->n_started = ep->n_done = 0;
  parl_episode_forget_tasks(ee->tasks, ep);
  ep->facts = (parl_facts){.end = PARL_END_ERROR};
  job->out->task_seed = job->task_seed;
  job->out->held_out = job->out->suspended = false;
  job->out->episode_seed = job->episode_seed;
  job->out->n_subs = 0;
  parl_stages_clear(&job->out->stages);
  parl_recording_clear(&job->out->recording);
  parl_album_clear(&job->out->album);
  ep->replay = parl_replay_begin(job->replay);
  ep->resumed = 0;
  job->out->n_mains = job->out->max_mains > 0;
  PARL_TRY(draw_task(ee, job));
  parl_agent agent;
  PARL_TRY(parl_env_reset(ee->env, job->out->task_seed, job->episode_seed, &ep->world, &agent));
  parl_env_optimum optimum;
  PARL_TRY(parl_env_get_optimum(ee->env, ep->world, &optimum));
  parl_episode_put_task(ee, ep, &optimum);
  ep->r_perf = 0;
  bool changed;
  PARL_TRY(rescore(ee, ep, &changed));
  ep->facts.last_gain_steps = 0;
  parl_context_init(ee, main, ep, 0, agent, job->out->max_mains > 0 ? &job->out->mains[0] : NULL);
  main->role = -1;
  parl_context_seat_main(ee, main, job);
  size_t n;
  PARL_TRY(parl_env_prompt(ee->env, ep->world, ee->tokens, PARL_ENV_MAX_OBSERVATION, &n));
  bool fits;
  PARL_TRY(parl_context_begin(ee, main, PARL_TOKEN_BOS, n, &fits));
  if (!fits) {
    end_main(ep, PARL_END_CONTEXT);
    return PARL_STATUS_OK;
  }
  PARL_TRY(TELL(ee, ep, .kind = PARL_EVENT_START, .tokens = ee->tokens, .n_tokens = n));
  return advance(ee, main);
}

bool parl_episode_wants_sub(const parl_episode *ep) {
  return ep->live && ep->main->state == PARL_CONTEXT_WAIT && ep->n_started < ep->n_launches;
}

parl_status parl_episode_start_sub(const parl_episode_env *ee, parl_episode *ep,
                                   parl_context *sub) {
  const size_t index = ep->n_started++;
  parl_call task;
  parl_grammar_get_call(&ep->main->grammar, (int)index, &task);
  const int role = ep->main->grammar.created_role[task.agent_name] - 1;
  const int ordinal = parl_replay_get_ordinal(&ep->replay, ++ep->n_assigned, index);
  parl_agent agent;
  size_t n;
  PARL_TRY(parl_env_brief(ee->env, ep->world, &task, role, ordinal, &agent, ee->tokens,
                          PARL_ENV_MAX_OBSERVATION, &n));
  parl_trajectory *out = ep->job->out;
  sub->episode = ep;
  sub->role = role;
  PARL_TRY(parl_context_seat_sub(ee, sub));
  const bool is_wanted = sub->player.learns || !out->only_learners;
  const bool record = is_wanted && out->n_subs < out->max_subs;
  parl_context_init(ee, sub, ep, ordinal, agent, record ? &out->subs[out->n_subs++] : NULL);
  sub->step_limit = ep->sub_limit;
  sub->sub_index = index;
  ep->launches[index].agent = agent;
  ep->launches[index].ordinal = ordinal;
  PARL_TRY(TELL(ee, ep, .kind = PARL_EVENT_BRIEF, .agent = ordinal, .call = &task,
                .tokens = ee->tokens, .n_tokens = n));
  if (!parl_context_is_reliable(sub)) {
    sub->steps = sub->step_limit; /* wastes its steps */
    sub->state = PARL_CONTEXT_DONE;
    return PARL_STATUS_OK;
  }
  bool fits;
  PARL_TRY(parl_context_begin(ee, sub, PARL_TOKEN_SUB, n, &fits));
  if (!fits) {
    sub->state = PARL_CONTEXT_DONE;
    return PARL_STATUS_OK;
  }
  return advance(ee, sub);
}

parl_status parl_episode_choose(const parl_episode_env *ee, parl_context *c, int32_t token,
                                float logp) {
  const bool is_allowed = token >= 0 && token < ee->spec->n_tokens && !c->player.kind->asks_turns &&
                          (c->mask[token / 64] >> (token % 64) & 1) != 0;
  if (!is_allowed)
    return parl_fail(PARL_STATUS_EPLAYER, "player %s: token %d is not allowed here",
                     c->player.kind->name, (int)token);
  c->state = PARL_CONTEXT_RUNNING;
  PARL_TRY(take(ee, c, token, logp, true));
  return advance(ee, c);
}

parl_status parl_episode_take_turn(const parl_episode_env *ee, parl_context *c,
                                   const parl_call *calls, size_t n_calls) {
  if (!c->player.kind->asks_turns)
    return parl_fail(PARL_STATUS_EPLAYER, "player %s: calls where a token is due",
                     c->player.kind->name);
  c->state = PARL_CONTEXT_RUNNING;
  PARL_TRY(play_turn(ee, c, calls, n_calls));
  return advance(ee, c);
}

/* Delivers what arrives in the place of the message of the group's sub-agent `index`; *fits is
 * false when the orchestrator's context is full. */
static parl_status deliver(const parl_episode_env *ee, parl_episode *ep, size_t index, bool *fits) {
  const parl_launch *l = &ep->launches[index];
  const size_t from = parl_episode_draw_message(ee, ep, index);
  const double before = ep->r_perf;
  bool changed, finished = false;
  size_t n = 0;
  if (from < ep->n_launches) {
    finished = ep->launches[from].finished;
    PARL_TRY(parl_episode_hear(ee, ep, from, &n));
    PARL_TRY(rescore(ee, ep, &changed));
  }
  parl_episode_note_message(ep, index, from, ep->r_perf - before);
  PARL_TRY(parl_context_begin(ee, ep->main, finished ? PARL_TOKEN_FINISHED : PARL_TOKEN_UNFINISHED,
                              n, fits));
  return TELL(ee, ep, .kind = PARL_EVENT_DELIVER, .agent = l->ordinal, .tokens = ee->tokens,
              .n_tokens = n, .finished = finished, .steps = l->steps);
}

/* The group is back: its cost, its messages in the order of assignment, the next turn. */
static parl_status collect(const parl_episode_env *ee, parl_episode *ep) {
  int64_t steps[PARL_EPISODE_MAX_WIDTH], longest = 0;
  for (size_t i = 0; i < ep->n_launches; i++) {
    steps[i] = ep->launches[i].steps;
    ep->facts.sub_tokens += (double)ep->launches[i].tokens;
    ep->written += ep->launches[i].tokens;
    ep->facts.sub_steps += (double)steps[i];
    if (steps[i] > longest) longest = steps[i];
  }
  ep->facts.sub_max_steps += (double)longest;
  PARL_TRY(parl_episode_spend(ee, ep, &(parl_stage){1, ep->n_launches, steps}));
  for (size_t i = 0; i < ep->n_launches; i++) {
    bool fits;
    PARL_TRY(deliver(ee, ep, i, &fits));
    if (!fits) {
      end_main(ep, PARL_END_CONTEXT);
      return PARL_STATUS_OK;
    }
  }
  PARL_TRY(parl_episode_dismiss(ee, ep));
  PARL_TRY(start_next_turn(ee, ep->main));
  return advance(ee, ep->main);
}

parl_status parl_episode_end_sub(const parl_episode_env *ee, parl_context *sub) {
  parl_episode *ep = sub->episode;
  parl_launch *l = &ep->launches[sub->sub_index];
  l->finished = sub->finished;
  l->steps = sub->steps;
  l->tokens = sub->n_written;
  parl_episode_delay_message(ee, ep, l);
  sub->state = PARL_CONTEXT_FREE;
  if (++ep->n_done < ep->n_launches) return PARL_STATUS_OK;
  return collect(ee, ep);
}

/* What the environment says at the end, whatever ended the episode. */
static parl_status keep_scores(const parl_episode_env *ee, const parl_episode *ep,
                               parl_trajectory *out) {
  double r_perf, success;
  parl_text_clear(&out->scores);
  return parl_env_score(ee->env, ep->world, &r_perf, &success, &out->scores);
}

parl_status parl_episode_end(const parl_episode_env *ee, parl_episode *ep) {
  parl_trajectory *out = ep->job->out;
  ep->facts.r_perf = ep->r_perf;
  ep->facts.success = ep->success;
  parl_episode_put_costs(ee, ep);
  ep->facts.context = (double)ep->main->sequence->n_tokens;
  out->facts = ep->facts;
  parl_stages_end(&out->stages, ep->r_perf);
  out->failed = false;
  if (out->keep_scores) PARL_TRY(keep_scores(ee, ep, out));
  PARL_TRY(parl_env_get_family(ee->env, ep->world, out->family, sizeof out->family));
  PARL_TRY(TELL(ee, ep, .kind = PARL_EVENT_END, .facts = &ep->facts));
  ep->main->state = PARL_CONTEXT_FREE;
  ep->live = false;
  parl_env_release(ee->env, ep->world);
  return PARL_STATUS_OK;
}
