/* lua/env_callbacks.c - the callbacks of an episode.
 *
 * A callback costs one protected call: functions, worlds, agents and texts are registry references,
 * results are read in place, and nothing is allocated on the C side. */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "lua/env_internal.h"
#include "lua/freeze.h"

parl_status parl_env_check_handles(const parl_env *env, parl_world world, parl_agent agent) {
  if (parl_env_get_world(env, world) == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "there is no world %d", (int)world);
  if (parl_env_get_agent(env, world, agent) == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "world %d has no agent %d", (int)world, (int)agent);
  return PARL_STATUS_OK;
}

/* What is kept of the slot's world, NULL if it is not the shared one of now. */
static parl_shared_world *get_shared(parl_env *env, const parl_world_slot *slot) {
  const bool is_now = slot->shared_number != 0 && slot->shared_number == env->shared.number;
  return is_now ? &env->shared : NULL;
}

static parl_status call_prompt(parl_env *env, const parl_world_slot *slot, int32_t *tokens,
                               size_t max, size_t *n) {
  const int base = lua_gettop(env->L);
  parl_env_push_ref(env, PARL_ENV_CALLBACK(env, prompt));
  parl_env_push_ref(env, slot->ref);
  PARL_TRY(parl_sandbox_call(env->sandbox, 1, LUA_MULTRET));
  return parl_env_read_tokens(env, base, PARL_ENV_CALLBACK(env, prompt), "prompt", tokens, max, n);
}

/* Copies images to where numbers are those of another album, which is empty before. */
static parl_status copy_shown(size_t n, const parl_shown *from, const parl_album *album,
                              parl_shown *to, parl_album *to_album) {
  for (size_t i = 0; i < n; i++) {
    to[i] = from[i];
    PARL_TRY(parl_album_add(to_album, &album->items[from[i].picture], &to[i].picture));
  }
  return PARL_STATUS_OK;
}

/* For the rollouts of the world that are still to come. */
static parl_status keep_prompt(const parl_env *env, parl_shared_world *shared,
                               const int32_t *tokens, size_t n) {
  memcpy(shared->prompt, tokens, n * sizeof *tokens);
  shared->n_prompt = n;
  parl_album_clear(&shared->album);
  PARL_TRY(copy_shown(env->n_shown, env->shown, &env->album, shared->shown, &shared->album));
  shared->n_shown = env->n_shown;
  shared->has_prompt = true;
  return PARL_STATUS_OK;
}

static parl_status repeat_prompt(parl_env *env, const parl_shared_world *shared, int32_t *tokens,
                                 size_t *n) {
  memcpy(tokens, shared->prompt, shared->n_prompt * sizeof *tokens);
  *n = shared->n_prompt;
  parl_env_forget_shown(env);
  PARL_TRY(copy_shown(shared->n_shown, shared->shown, &shared->album, env->shown, &env->album));
  env->n_shown = shared->n_shown;
  return PARL_STATUS_OK;
}

parl_status parl_env_prompt(parl_env *env, parl_world world, int32_t *tokens, size_t max,
                            size_t *n) {
  const parl_world_slot *slot = parl_env_get_world(env, world);
  PARL_REQUIRE(slot != NULL && tokens != NULL && n != NULL);
  parl_shared_world *shared = get_shared(env, slot);
  if (shared != NULL && shared->has_prompt && shared->n_prompt <= max)
    return repeat_prompt(env, shared, tokens, n);
  PARL_TRY(call_prompt(env, slot, tokens, max, n));
  return shared != NULL ? keep_prompt(env, shared, tokens, *n) : PARL_STATUS_OK;
}

/* --- sub-agents --- */

typedef struct brief_arguments {
  parl_env *env;
  const parl_call *task;
  parl_world world;
  parl_agent agent; /* out, -1 until made */
  int role, ordinal;
} brief_arguments;

/* task: the values of its only slot, or one entry a slot. `brief` also sees the orchestrator, whose
 * message it writes. */
static void push_task(lua_State *L, const parl_tool *signature, const parl_call *task) {
  if (signature->n_slots == 1 && signature->slots[0].many) {
    parl_env_push_arguments(L, signature, task);
    return;
  }
  lua_createtable(L, signature->n_slots, 0);
  const int list = lua_gettop(L);
  const int n = parl_env_push_arguments(L, signature, task);
  for (int i = n; i >= 1; i--) lua_rawseti(L, list, i);
}

static int brief_body(lua_State *L) {
  brief_arguments *a = lua_touserdata(L, 1);
  parl_env *env = a->env;
  a->agent = parl_env_make_agent(L, env, a->world, a->role, a->ordinal);
  parl_env_push_ref(env, PARL_ENV_CALLBACK(env, brief));
  parl_env_push_ref(env, env->worlds[a->world].ref);
  parl_env_push_ref(env, env->agents[a->agent].ref);
  push_task(L, &env->spec.task, a->task);
  parl_env_push_ref(env, env->agents[env->worlds[a->world].main_agent].ref);
  lua_call(L, 4, LUA_MULTRET);
  return lua_gettop(L) - 1;
}

parl_status parl_env_brief(parl_env *env, parl_world world, const parl_call *task, int role,
                           int ordinal, parl_agent *out, int32_t *tokens, size_t max, size_t *n) {
  PARL_REQUIRE(parl_env_get_world(env, world) != NULL);
  PARL_REQUIRE(role >= 0 && role < env->spec.n_roles && ordinal >= 0);
  PARL_TRY(parl_env_check_call(env, &env->spec.task, task));
  brief_arguments a = {env, task, world, -1, role, ordinal};
  const int base = lua_gettop(env->L);
  lua_pushcfunction(env->L, brief_body);
  lua_pushlightuserdata(env->L, &a);
  parl_status status = parl_sandbox_call(env->sandbox, 1, LUA_MULTRET);
  if (status == PARL_STATUS_OK)
    status =
        parl_env_read_tokens(env, base, PARL_ENV_CALLBACK(env, brief), "brief", tokens, max, n);
  if (status == PARL_STATUS_OK)
    *out = a.agent;
  else if (a.agent >= 0)
    parl_env_end_agent(env, a.agent);
  return status;
}

parl_status parl_env_hear(parl_env *env, parl_world world, parl_agent sub, bool finished,
                          int32_t *tokens, size_t max, size_t *n) {
  PARL_TRY(parl_env_check_handles(env, world, sub));
  const parl_world_slot *slot = &env->worlds[world];
  PARL_REQUIRE(sub != slot->main_agent);
  const int base = lua_gettop(env->L);
  parl_env_push_ref(env, PARL_ENV_CALLBACK(env, deliver));
  parl_env_push_ref(env, slot->ref);
  parl_env_push_ref(env, env->agents[slot->main_agent].ref);
  parl_env_push_ref(env, env->agents[sub].ref);
  lua_pushboolean(env->L, finished);
  PARL_TRY(parl_sandbox_call(env->sandbox, 4, LUA_MULTRET));
  return parl_env_read_tokens(env, base, PARL_ENV_CALLBACK(env, deliver), "deliver", tokens, max,
                              n);
}

parl_status parl_env_dismiss(parl_env *env, parl_world world, parl_agent sub) {
  PARL_TRY(parl_env_check_handles(env, world, sub));
  PARL_REQUIRE(sub != env->worlds[world].main_agent);
  parl_env_end_agent(env, sub);
  return PARL_STATUS_OK;
}

parl_status parl_env_deliver(parl_env *env, parl_world world, parl_agent sub, bool finished,
                             int32_t *tokens, size_t max, size_t *n) {
  PARL_TRY(parl_env_hear(env, world, sub, finished, tokens, max, n));
  parl_env_end_agent(env, sub);
  return PARL_STATUS_OK;
}

/* --- tools --- */

typedef struct call_arguments {
  const parl_env *env;
  const parl_call *call;
  const parl_world_slot *world;
  const parl_agent_slot *agent;
} call_arguments;

static int call_body(lua_State *L) {
  const call_arguments *a = lua_touserdata(L, 1);
  parl_env_push_ref(a->env, a->env->run[a->call->tool]);
  parl_env_push_ref(a->env, a->world->ref);
  parl_env_push_ref(a->env, a->agent->ref);
  const int n = parl_env_push_arguments(L, &a->env->spec.tools[a->call->tool], a->call);
  lua_call(L, n + 2, LUA_MULTRET);
  return lua_gettop(L) - 1;
}

static bool has_lists(const parl_tool *tool) {
  for (int s = 0; s < tool->n_slots; s++)
    if (tool->slots[s].many) return true;
  return false;
}

parl_status parl_env_call(parl_env *env, parl_world world, parl_agent agent, const parl_call *call,
                          int32_t *tokens, size_t max, size_t *n) {
  PARL_TRY(parl_env_check_handles(env, world, agent));
  PARL_REQUIRE(call->kind == PARL_CALL_TOOL && call->tool >= 0 && call->tool < env->spec.n_tools);
  const parl_tool *tool = &env->spec.tools[call->tool];
  PARL_TRY(parl_env_check_call(env, tool, call));
  const call_arguments a = {env, call, &env->worlds[world], &env->agents[agent]};
  const int base = lua_gettop(env->L);
  if (has_lists(tool)) { /* making lists may fail: build them inside the protected call */
    lua_pushcfunction(env->L, call_body);
    lua_pushlightuserdata(env->L, (void *)&a);
    PARL_TRY(parl_sandbox_call(env->sandbox, 1, LUA_MULTRET));
  } else {
    parl_env_push_ref(env, env->run[call->tool]);
    parl_env_push_ref(env, a.world->ref);
    parl_env_push_ref(env, a.agent->ref);
    const int n_arguments = parl_env_push_arguments(env->L, tool, call);
    PARL_TRY(parl_sandbox_call(env->sandbox, n_arguments + 2, LUA_MULTRET));
  }
  return parl_env_read_tokens(env, base, env->run[call->tool], tool->name, tokens, max, n);
}

/* --- score, optimum, family --- */

typedef struct detail {
  const char *name; /* borrowed from the table on the stack */
  double value;
} detail;

static int compare_details(const void *a, const void *b) {
  return strcmp(((const detail *)a)->name, ((const detail *)b)->name);
}

/* The name is at -2, the value at -1. */
static parl_status refuse_detail(parl_env *env, parl_callback callback) {
  lua_State *L = env->L;
  char shown[64] = "";
  const bool is_text = lua_type(L, -2) == LUA_TSTRING;
  if (is_text) parl_env_append_shown(lua_tostring(L, -2), lua_rawlen(L, -2), shown, sizeof shown);
  return parl_env_breach(env, env->callback[callback],
                         callback == PARL_CALLBACK_score ? "score" : "details",
                         "detail '%s': at most %d finite numbers are allowed, by names of letters, "
                         "digits and _",
                         is_text ? shown : luaL_typename(L, -2), PARL_ENV_MAX_DETAILS);
}

/* Adds the table of named numbers at the top to list; *n of them then. */
static parl_status read_details(parl_env *env, parl_callback callback, detail *list, int *n) {
  lua_State *L = env->L;
  const int table = lua_gettop(L);
  if (parl_freeze_unwrap(L, table)) lua_replace(L, table);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    const bool good = parl_env_get_name(L, -2) != NULL && lua_type(L, -1) == LUA_TNUMBER &&
                      isfinite(lua_tonumber(L, -1)) && *n < PARL_ENV_MAX_DETAILS;
    if (!good) return refuse_detail(env, callback);
    list[(*n)++] = (detail){lua_tostring(L, -2), lua_tonumber(L, -1)};
  }
  return PARL_STATUS_OK;
}

static void append_details(const detail *list, int n, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  for (int i = 0; i < n; i++) {
    parl_json_key(&w, list[i].name);
    parl_json_number(&w, list[i].value);
  }
  parl_json_end_object(&w);
}

/* r_perf, and success or a table of details, are the two values at the top; they stay there. */
static parl_status read_score(parl_env *env, double *r_perf, double *success, detail *list,
                              int *n) {
  lua_State *L = env->L;
  const int ref = PARL_ENV_CALLBACK(env, score);
  if (lua_type(L, -2) != LUA_TNUMBER)
    return parl_env_breach(env, ref, "score", "r_perf must be a number, not %s",
                           luaL_typename(L, -2));
  const double x = lua_tonumber(L, -2);
  if (!(x >= 0 && x <= 1))
    return parl_env_breach(env, ref, "score", "r_perf is %g, outside 0 to 1",
                           parl_env_drop_nan_sign(x));
  double s = -1;
  if (lua_type(L, -1) == LUA_TNUMBER) {
    s = lua_tonumber(L, -1);
    list[(*n)++] = (detail){"success", s};
  } else if (lua_istable(L, -1)) {
    PARL_TRY(read_details(env, PARL_CALLBACK_score, list, n));
    for (int i = 0; i < *n; i++)
      if (strcmp(list[i].name, "success") == 0) s = list[i].value;
  } else {
    return parl_env_breach(env, ref, "score",
                           "must return r_perf and {success=0 or 1, ...}, or r_perf and 0 or 1");
  }
  if (s != 0 && s != 1)
    return parl_env_breach(env, ref, "score", "details need success=0 or success=1");
  *r_perf = x;
  *success = s;
  return PARL_STATUS_OK;
}

/* Calls score or details: `n_results` of them are on the stack then. */
static parl_status ask_about_score(parl_env *env, const parl_world_slot *slot,
                                   parl_callback callback, int n_results) {
  const parl_agent_slot *a = &env->agents[slot->main_agent];
  parl_env_push_ref(env, env->callback[callback]);
  parl_env_push_ref(env, slot->ref);
  parl_env_push_ref(env, a->ref);
  a->rng->mode = PARL_RNG_FORBIDDEN;
  const parl_status status = parl_sandbox_call(env->sandbox, 2, n_results);
  a->rng->mode = PARL_RNG_CHANCE;
  return status;
}

/* Writes the details of score, in list [n], and those of `details`. */
static parl_status write_details(parl_env *env, const parl_world_slot *slot, detail *list, int n,
                                 parl_text *out) {
  const int ref = PARL_ENV_CALLBACK(env, details);
  if (ref != LUA_NOREF) {
    PARL_TRY(ask_about_score(env, slot, PARL_CALLBACK_details, 1));
    if (!lua_istable(env->L, -1))
      return parl_env_breach(env, ref, "details", "must return a table of named numbers");
    PARL_TRY(read_details(env, PARL_CALLBACK_details, list, &n));
  }
  qsort(list, (size_t)n, sizeof *list, compare_details);
  for (int i = 1; i < n; i++)
    if (strcmp(list[i - 1].name, list[i].name) == 0)
      return parl_env_breach(env, ref, "details", "'%s' is a name of score's already",
                             list[i].name);
  append_details(list, n, out);
  return parl_text_status(out);
}

parl_status parl_env_score(parl_env *env, parl_world world, double *r_perf, double *success,
                           parl_text *details) {
  const parl_world_slot *slot = parl_env_get_world(env, world);
  PARL_REQUIRE(slot != NULL && r_perf != NULL && success != NULL);
  const int base = lua_gettop(env->L);
  PARL_TRY(ask_about_score(env, slot, PARL_CALLBACK_score, 2));
  detail list[PARL_ENV_MAX_DETAILS];
  int n = 0;
  parl_status status = read_score(env, r_perf, success, list, &n);
  if (status == PARL_STATUS_OK && details != NULL)
    status = write_details(env, slot, list, n, details);
  lua_settop(env->L, base);
  return status;
}

parl_status parl_env_summarize(parl_env *env, parl_world world, int32_t *tokens, size_t max,
                               size_t *n) {
  const parl_world_slot *slot = parl_env_get_world(env, world);
  PARL_REQUIRE(slot != NULL && env->spec.has_summarize && tokens != NULL && n != NULL);
  const parl_agent_slot *a = &env->agents[slot->main_agent];
  const int base = lua_gettop(env->L);
  parl_env_push_ref(env, PARL_ENV_CALLBACK(env, summarize));
  parl_env_push_ref(env, slot->ref);
  parl_env_push_ref(env, a->ref);
  a->rng->mode = PARL_RNG_FORBIDDEN;
  const parl_status status = parl_sandbox_call(env->sandbox, 2, LUA_MULTRET);
  a->rng->mode = PARL_RNG_CHANCE;
  PARL_TRY(status);
  return parl_env_read_tokens(env, base, PARL_ENV_CALLBACK(env, summarize), "summarize", tokens,
                              max, n);
}

static parl_status call_optimum(parl_env *env, const parl_world_slot *slot, parl_env_optimum *out) {
  const int top = lua_gettop(env->L);
  parl_env_push_ref(env, PARL_ENV_CALLBACK(env, optimum));
  parl_env_push_ref(env, slot->ref);
  PARL_TRY(parl_sandbox_call(env->sandbox, 1, 1));
  const parl_status status =
      lua_istable(env->L, -1)
          ? parl_env_read_optimum(env, out)
          : parl_env_breach(env, PARL_ENV_CALLBACK(env, optimum), "optimum", "must return a table");
  lua_settop(env->L, top);
  return status;
}

parl_status parl_env_get_optimum(parl_env *env, parl_world world, parl_env_optimum *out) {
  const parl_world_slot *slot = parl_env_get_world(env, world);
  PARL_REQUIRE(slot != NULL && out != NULL);
  parl_shared_world *shared = get_shared(env, slot);
  if (shared == NULL) return call_optimum(env, slot, out);
  if (!shared->has_optimum) PARL_TRY(call_optimum(env, slot, &shared->optimum));
  shared->has_optimum = true;
  *out = shared->optimum;
  return PARL_STATUS_OK;
}

parl_status parl_env_get_family(parl_env *env, parl_world world, char *out, size_t n) {
  const parl_world_slot *slot = parl_env_get_world(env, world);
  PARL_REQUIRE(slot != NULL && out != NULL && n > 0);
  if (PARL_ENV_CALLBACK(env, family) == LUA_NOREF) {
    out[0] = '\0';
    return PARL_STATUS_OK;
  }
  parl_env_push_ref(env, PARL_ENV_CALLBACK(env, family));
  parl_env_push_ref(env, slot->ref);
  PARL_TRY(parl_sandbox_call(env->sandbox, 1, 1));
  const char *name = parl_env_get_name(env->L, -1);
  const bool fits = name != NULL && strlen(name) < n;
  if (fits) memcpy(out, name, strlen(name) + 1);
  lua_pop(env->L, 1);
  if (fits) return PARL_STATUS_OK;
  return parl_env_breach(env, PARL_ENV_CALLBACK(env, family), "family",
                         "must return a name of letters, digits and _, shorter than %zu", n);
}

/* --- expert --- */

static parl_status find_style(parl_env *env, const char *style, int *out) {
  const int n = env->spec.n_styles;
  for (int i = 0; i < n; i++) { /* often the same as before */
    const int k = (env->last_style + i) % n;
    if (strcmp(env->spec.styles[k], style) != 0) continue;
    *out = env->last_style = k;
    return PARL_STATUS_OK;
  }
  const char *near = parl_nearest(style, env->spec.styles, (size_t)env->spec.n_styles);
  return parl_fail(PARL_STATUS_EINVAL, "environment '%s' has no expert style '%s'%s%s%s",
                   env->spec.name, style, near ? " (did you mean '" : "", near ? near : "",
                   near ? "'?)" : "");
}

parl_status parl_env_expert(parl_env *env, parl_world world, parl_agent agent, const char *style,
                            parl_call *calls, size_t max, size_t *n) {
  PARL_TRY(parl_env_check_handles(env, world, agent));
  PARL_REQUIRE(style != NULL && calls != NULL && n != NULL);
  int s = 0;
  PARL_TRY(find_style(env, style, &s));
  const parl_agent_slot *a = &env->agents[agent];
  const int base = lua_gettop(env->L);
  parl_env_push_ref(env, PARL_ENV_CALLBACK(env, expert));
  parl_env_push_ref(env, env->worlds[world].ref);
  parl_env_push_ref(env, a->ref);
  parl_env_push_ref(env, env->style_name[s]);
  a->rng->mode = PARL_RNG_EXPERT;
  const parl_status status = parl_sandbox_call(env->sandbox, 3, LUA_MULTRET);
  a->rng->mode = PARL_RNG_CHANCE;
  PARL_TRY(status);
  return parl_env_read_calls(env, base, calls, max, n);
}
