/* tests/test_envs_support.h - plays episodes of an environment step by step, for test_envs*.c.
 *
 * Its own small swarm, apart from parl/swarm/episode.c: what it counts is a second opinion on
 * critical steps. There is no budget, so that an episode shows what its player can do at all.
 * Reading order: env_case, player, episode, env_play. */
#ifndef PARL_TESTS_TEST_ENVS_SUPPORT_H
#define PARL_TESTS_TEST_ENVS_SUPPORT_H
#include "core/rng.h"
#include "lua/grammar.h"
#include "tests/support.h"

enum { ENV_MAX_WIDTH = 128, ENV_MAX_TOKENS = 1024 };

/* An environment with a setting. */
typedef struct env_case {
  const char *name;   /* envs/<name>.lua */
  const char *preset; /* as the table shows it */
  const char *params; /* JSON */
} env_case;

/* Every environment and preset. */
static const env_case env_cases[] = {
    {"wide_search", "default", "{}"},
    {"wide_search", "easy", "{\"preset\":\"easy\"}"},
    {"wide_search", "hard", "{\"preset\":\"hard\"}"},
    {"wide_search", "huge", "{\"preset\":\"huge\"}"},
    {"deep_search", "default", "{}"},
    {"deep_search", "easy", "{\"preset\":\"easy\"}"},
    {"deep_search", "hard", "{\"preset\":\"hard\"}"},
    {"dag", "default", "{}"},
    {"dag", "bfs", "{\"preset\":\"bfs\"}"},
    {"dag", "dfs", "{\"preset\":\"dfs\"}"},
    {"dag", "easy", "{\"preset\":\"easy\"}"},
    {"dag", "hard", "{\"preset\":\"hard\"}"},
    {"long_read", "default", "{}"},
    {"long_read", "easy", "{\"preset\":\"easy\"}"},
    {"long_read", "fits", "{\"preset\":\"fits\"}"},
    {"long_read", "hard", "{\"preset\":\"hard\"}"},
    {"batch_download", "default", "{}"},
    {"batch_download", "easy", "{\"preset\":\"easy\"}"},
    {"batch_download", "hard", "{\"preset\":\"hard\"}"},
    {"chain", "default", "{}"},
    {"chain", "easy", "{\"preset\":\"easy\"}"},
    {"chain", "hard", "{\"preset\":\"hard\"}"},
    {"lure", "default", "{}"},
    {"lure", "empty", "{\"preset\":\"empty\"}"},
    {"lure", "duplicate", "{\"preset\":\"duplicate\"}"},
    {"lure", "padding", "{\"preset\":\"padding\"}"},
    {"lure", "dominant", "{\"preset\":\"dominant\"}"},
    {"lure", "all", "{\"preset\":\"all\"}"},
    {"code_assistant", "default", "{}"},
    {"code_assistant", "easy", "{\"preset\":\"easy\"}"},
    {"code_assistant", "hard", "{\"preset\":\"hard\"}"},
    {"code_assistant", "long", "{\"preset\":\"long\"}"},
    {"test_generation", "default", "{}"},
    {"test_generation", "easy", "{\"preset\":\"easy\"}"},
    {"test_generation", "hard", "{\"preset\":\"hard\"}"},
    {"test_generation", "swarm", "{\"preset\":\"swarm\"}"},
    {"survey", "default", "{}"},
    {"survey", "easy", "{\"preset\":\"easy\"}"},
    {"survey", "hard", "{\"preset\":\"hard\"}"},
    {"survey", "limited", "{\"preset\":\"limited\"}"},
    {"survey", "long", "{\"preset\":\"long\"}"},
    {"survey", "swarm", "{\"preset\":\"swarm\"}"},
    {"bugfix", "default", "{}"},
    {"bugfix", "easy", "{\"preset\":\"easy\"}"},
    {"bugfix", "hard", "{\"preset\":\"hard\"}"},
    {"bugfix", "swarm", "{\"preset\":\"swarm\"}"},
    {"shapes", "default", "{}"},
    {"shapes", "easy", "{\"preset\":\"easy\"}"},
    {"shapes", "hard", "{\"preset\":\"hard\"}"},
    {"ocr", "default", "{}"},
    {"ocr", "easy", "{\"preset\":\"easy\"}"},
    {"ocr", "hard", "{\"preset\":\"hard\"}"},
    {"chart", "default", "{}"},
    {"chart", "easy", "{\"preset\":\"easy\"}"},
    {"chart", "hard", "{\"preset\":\"hard\"}"},
    {"motion", "default", "{}"},
    {"motion", "easy", "{\"preset\":\"easy\"}"},
    {"motion", "hard", "{\"preset\":\"hard\"}"},
    {"look_wide", "default", "{}"},
    {"look_wide", "easy", "{\"preset\":\"easy\"}"},
    {"look_wide", "hard", "{\"preset\":\"hard\"}"},
    {"look_wide", "huge", "{\"preset\":\"huge\"}"},
    {"look_wide", "narrow", "{\"preset\":\"narrow\"}"},
    {"swarm_mix", "default", "{}"},
    {"swarm_mix", "wide_chain", "{\"preset\":\"wide_chain\"}"},
    {"swarm_mix", "search", "{\"preset\":\"search\"}"},
    {"swarm_mix", "work", "{\"preset\":\"work\"}"},
};
enum { N_ENV_CASES = sizeof env_cases / sizeof env_cases[0] };

static inline parl_env *env_open(const char *name, const char *params) {
  char path[256];
  parl_json *json = NULL;
  parl_env *env = NULL;
  snprintf(path, sizeof path, "envs/%s.lua", name);
  assert_ok(parl_json_parse(params, strlen(params), "params", &json));
  assert_ok(parl_env_create(path, json, NULL, &env));
  parl_json_destroy(json);
  return env;
}

/* Who decides. A style; or with chance `p_random` a turn of random allowed tokens instead. */
typedef struct env_player {
  const char *style;     /* of the orchestrator; NULL: another at random in each turn */
  const char *sub_style; /* of the sub-agents */
  double p_random;       /* of the orchestrator's turns */
  double p_sub_random;   /* of a sub-agent's */
  bool use_legal;        /* mask of random tokens */
} env_player;

typedef enum env_end { ENV_END_FINISH, ENV_END_CONTEXT, ENV_END_TURNS } env_end;

/* What is known of a played episode. */
typedef struct env_episode {
  env_end end;
  double r_perf, success;
  int64_t critical, total; /* steps */
  int64_t best_at;         /* critical steps when the best r_perf was reached; -1: never */
  double assigned, finished, empty, sub_steps, sub_max, longest_share;
  int max_width;
  uint64_t trace; /* hash of every token of the orchestrator's context and of its sub-agents' */
  parl_env_optimum optimum;
  char family[64];
} env_episode;

/* An episode being played. */
typedef struct env_game {
  parl_env *env;
  const parl_env_spec *spec;
  const env_player *player;
  parl_world world;
  uint64_t seed;
  uint64_t n_draws;
  env_episode *out;
} env_game;

/* One agent in it. */
typedef struct env_agent {
  parl_agent agent;
  parl_grammar grammar;
  uint16_t turn[PARL_TURN_MAX_WORDS]; /* of the grammar */
  int n_tokens, limit;                /* of its context */
} env_agent;

static inline double env_uniform(env_game *g) {
  return parl_rng_uniform(g->seed, 0x54455354, g->n_draws++);
}

static inline void env_note(env_game *g, env_agent *a, const int32_t *tokens, size_t n) {
  a->n_tokens += (int)n;
  for (size_t i = 0; i < n; i++)
    g->out->trace = parl_rng_stream(g->out->trace, (uint64_t)tokens[i], (uint64_t)a->agent != 0, 0);
}

static inline void env_note_one(env_game *g, env_agent *a, int32_t token) {
  env_note(g, a, &token, 1);
}

/* A random token that the mask allows; an end of the episode is rarely one. */
static inline int32_t env_random_token(env_game *g, const uint64_t *mask, size_t n_allowed) {
  for (;;) {
    size_t k = (size_t)(env_uniform(g) * (double)n_allowed);
    int32_t token = 0;
    for (;; token++)
      if (mask[token / 64] >> (token % 64) & 1 && k-- == 0) break;
    if (token != PARL_TOKEN_FINISH || n_allowed == 1 || env_uniform(g) < 0.1) return token;
  }
}

static inline void env_random_turn(env_game *g, env_agent *a) {
  uint64_t mask[PARL_MASK_MAX_WORDS];
  size_t n_allowed = 0;
  bool done = false;
  while (!done) {
    assert_ok(parl_grammar_get_mask(&a->grammar, mask, &n_allowed));
    const int32_t token = env_random_token(g, mask, n_allowed);
    assert_ok(parl_grammar_feed(&a->grammar, token, &done));
    env_note_one(g, a, token);
  }
}

/* The expert's turn; false if it cannot be written here (the expert believes in
 * another history). */
static inline bool env_expert_turn(env_game *g, env_agent *a, const char *style) {
  static parl_call calls[PARL_TURN_MAX_CALLS];
  int32_t tokens[ENV_MAX_TOKENS];
  size_t n_calls = 0, n = 0;
  bool done = false;
  assert_ok(
      parl_env_expert(g->env, g->world, a->agent, style, calls, PARL_TURN_MAX_CALLS, &n_calls));
  const parl_status status =
      parl_grammar_write(&a->grammar, calls, n_calls, tokens, ENV_MAX_TOKENS, &n);
  if (status == PARL_STATUS_EINVAL && g->player->p_random > 0) return false;
  assert_ok(status);
  for (size_t i = 0; i < n; i++) assert_ok(parl_grammar_feed(&a->grammar, tokens[i], &done));
  assert_true(done);
  env_note(g, a, tokens, n);
  return true;
}

static inline void env_take_turn(env_game *g, env_agent *a, const char *style, double p_random) {
  if (style == NULL) style = g->spec->styles[(int)(env_uniform(g) * (double)g->spec->n_styles)];
  const bool scripted = p_random <= 0 || env_uniform(g) >= p_random;
  if (!scripted || !env_expert_turn(g, a, style)) env_random_turn(g, a);
}

static inline void env_agent_init(env_game *g, env_agent *a, parl_agent agent, bool is_main) {
  const parl_grammar_def def = {
      .use_legal = g->player->use_legal, .may_launch = is_main, .max_direct = 1};
  a->agent = agent;
  a->n_tokens = 0;
  a->limit = is_main ? g->spec->limits.context : g->spec->limits.sub_context;
  parl_grammar_init(&a->grammar, g->env, g->world, agent, is_main, &def, a->turn,
                    PARL_TURN_MAX_WORDS);
}

/* Asks for the score; a perfect one is dated. */
static inline void env_rescore(env_game *g) {
  env_episode *e = g->out;
  assert_ok(parl_env_score(g->env, g->world, &e->r_perf, &e->success, NULL));
  assert_true(e->r_perf >= 0 && e->r_perf <= e->optimum.r_perf + 1e-12);
  assert_true((e->success == 1) == (e->r_perf >= e->optimum.r_perf - 1e-9));
  if (e->best_at < 0 && e->r_perf >= e->optimum.r_perf - 1e-12) e->best_at = e->critical;
}

/* Plays a sub-agent to its end; returns its steps. */
static inline int64_t env_play_sub(env_game *g, env_agent *a, const parl_call *task, int role,
                                   int ordinal, bool *finished) {
  int32_t tokens[PARL_ENV_MAX_OBSERVATION];
  size_t n = 0;
  parl_agent agent;
  assert_ok(parl_env_brief(g->env, g->world, task, role, ordinal, &agent, tokens,
                           PARL_ENV_MAX_OBSERVATION, &n));
  env_agent_init(g, a, agent, false);
  env_note_one(g, a, PARL_TOKEN_SUB);
  env_note(g, a, tokens, n);
  *finished = false;
  for (int64_t steps = 0; a->n_tokens < a->limit; steps++) {
    env_take_turn(g, a, g->player->sub_style, g->player->p_sub_random);
    parl_call call;
    parl_grammar_get_call(&a->grammar, 0, &call);
    *finished = call.kind == PARL_CALL_FINISH;
    if (*finished || steps >= g->spec->limits.sub_steps || a->n_tokens > a->limit) return steps;
    assert_ok(
        parl_env_call(g->env, g->world, a->agent, &call, tokens, PARL_ENV_MAX_OBSERVATION, &n));
    env_note(g, a, tokens, n);
    parl_grammar_next_turn(&a->grammar);
    if (a->n_tokens >= a->limit) return steps + 1;
  }
  return 0;
}

/* The group goes out, comes back, is paid for and delivered. */
static inline void env_launch(env_game *g, env_agent *main) {
  env_episode *e = g->out;
  static env_agent subs[ENV_MAX_WIDTH];
  bool finished[ENV_MAX_WIDTH];
  int64_t longest = 0;
  const int n = main->grammar.n_calls;
  assert_true(n <= g->spec->limits.max_width);
  for (int i = 0; i < n; i++) {
    parl_call task;
    parl_grammar_get_call(&main->grammar, i, &task);
    const int role = main->grammar.created_role[task.agent_name] - 1;
    const int64_t steps =
        env_play_sub(g, &subs[i], &task, role, (int)e->assigned + 1, &finished[i]);
    e->assigned++;
    e->finished += finished[i];
    e->empty += finished[i] && steps == 0;
    e->sub_steps += (double)steps;
    longest = steps > longest ? steps : longest;
  }
  if (n > e->max_width) e->max_width = n;
  e->sub_max += (double)longest;
  e->critical += 1 + longest;
  e->total += 1;
  for (int i = 0; i < n; i++) {
    int32_t tokens[PARL_ENV_MAX_OBSERVATION];
    size_t n_tokens = 0;
    assert_ok(parl_env_deliver(g->env, g->world, subs[i].agent, finished[i], tokens,
                               PARL_ENV_MAX_OBSERVATION, &n_tokens));
    env_rescore(g);
    env_note_one(g, main, finished[i] ? PARL_TOKEN_FINISHED : PARL_TOKEN_UNFINISHED);
    env_note(g, main, tokens, n_tokens);
  }
}

/* One turn of the orchestrator is carried out; false at the end of the episode. */
static inline bool env_execute(env_game *g, env_agent *main) {
  parl_call call;
  parl_grammar_get_call(&main->grammar, 0, &call);
  int32_t tokens[PARL_ENV_MAX_OBSERVATION];
  size_t n = 0;
  if (call.kind == PARL_CALL_FINISH) return false;
  if (call.kind == PARL_CALL_ASSIGN) {
    env_launch(g, main);
    return true;
  }
  g->out->critical++;
  g->out->total++;
  if (call.kind == PARL_CALL_CREATE) return true;
  assert_ok(
      parl_env_call(g->env, g->world, main->agent, &call, tokens, PARL_ENV_MAX_OBSERVATION, &n));
  env_note(g, main, tokens, n);
  env_rescore(g);
  return true;
}

static inline void env_run(env_game *g, env_agent *main) {
  env_episode *e = g->out;
  for (int turn = 0; turn < g->spec->limits.max_turns; turn++) {
    if (main->n_tokens >= main->limit) break;
    env_take_turn(g, main, g->player->style, g->player->p_random);
    if (main->n_tokens > main->limit) break;
    if (!env_execute(g, main)) {
      e->end = ENV_END_FINISH;
      return;
    }
    if (main->n_tokens > main->limit) break;
    parl_grammar_next_turn(&main->grammar);
  }
  e->end = main->n_tokens >= main->limit ? ENV_END_CONTEXT : ENV_END_TURNS;
  if (e->end == ENV_END_CONTEXT) e->r_perf = e->success = 0;
}

/* Plays one episode. A perfect result before the optimum's steps fails the test. */
static inline env_episode env_play(parl_env *env, uint64_t task_seed, uint64_t seed,
                                   const env_player *player) {
  env_episode e = {.best_at = -1};
  env_game g = {.env = env, .spec = parl_env_get_spec(env), .player = player, .seed = seed};
  env_agent main;
  int32_t tokens[PARL_ENV_MAX_OBSERVATION];
  size_t n = 0;
  parl_agent agent;
  g.out = &e;
  assert_ok(parl_env_reset(env, task_seed, seed, &g.world, &agent));
  assert_ok(parl_env_get_optimum(env, g.world, &e.optimum));
  assert_ok(parl_env_get_family(env, g.world, e.family, sizeof e.family));
  assert_ok(parl_env_prompt(env, g.world, tokens, PARL_ENV_MAX_OBSERVATION, &n));
  env_agent_init(&g, &main, agent, true);
  env_note_one(&g, &main, PARL_TOKEN_BOS);
  env_note(&g, &main, tokens, n);
  env_rescore(&g);
  env_run(&g, &main);
  e.total += (int64_t)e.sub_steps;
  parl_env_release(env, g.world);
  if (e.best_at >= 0 && e.best_at < e.optimum.critical_steps)
    fail_msg("%s: task seed %llu, seed %llu, style %s: solved in %lld steps, optimum %lld",
             g.spec->name, (unsigned long long)task_seed, (unsigned long long)seed,
             player->style ? player->style : "any", (long long)e.best_at,
             (long long)e.optimum.critical_steps);
  return e;
}

/* A script throughout. */
static inline env_episode env_play_style(parl_env *env, uint64_t task_seed, const char *style) {
  return env_play(env, task_seed, task_seed,
                  &(env_player){.style = style, .sub_style = style, .use_legal = true});
}

#endif
