/* lua/env.c - life of an environment: loading, worlds and agents. */
#include "lua/env.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/hash.h"
#include "lua/env_internal.h"
#include "lua/freeze.h"
#include "lua/sandbox_internal.h"

enum {
  MAX_ENDED = 128, /* agents that a world keeps */
  NO_ROLE = -2,
  USUAL_PATCH = 4 /* pixels, as of model.vision.patch */
};

/* --- loading --- */

static int open_body(lua_State *L) {
  parl_env *env = lua_touserdata(L, 1);
  parl_env_open_rng(L);
  env->rng_methods = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  env->watch = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  parl_sandbox_make_strict(L, "agent");
  lua_getmetatable(L, -1);
  env->agent_strict = luaL_ref(L, LUA_REGISTRYINDEX);
  parl_env_open(L, env);
  if (env->speaks != NULL) parl_env_speak(L, env, env->speaks);
  return 0;
}

/* A list with room for n items and its frozen face, in the registry. */
static void make_list(lua_State *L, int n, int *real, int *face) {
  lua_createtable(L, n, 0);
  lua_pushvalue(L, -1);
  *real = luaL_ref(L, LUA_REGISTRYINDEX);
  parl_freeze_wrap(L, "a list that `legal` gets", "it is given to be read");
  *face = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* The lists that `legal` gets, as long as they can ever be: filling them allocates nothing. */
static void make_legal_lists(lua_State *L, parl_env *env) {
  env->max_taken = PARL_ENV_MAX_VALUES;
  for (int i = 0; i < env->spec.n_families; i++)
    if (env->spec.families[i].n > env->max_taken) env->max_taken = env->spec.families[i].n;
  make_list(L, env->max_taken, &env->taken_real, &env->taken);
  make_list(L, PARL_ENV_MAX_SLOTS, &env->given_real, &env->given);
  bool has_several = env->spec.task.n_slots > 1;
  for (int i = 0; i < env->spec.n_tools; i++)
    has_several = has_several || env->spec.tools[i].n_slots > 1;
  for (int s = 0; has_several && s < PARL_ENV_MAX_SLOTS; s++)
    make_list(L, PARL_ENV_MAX_VALUES, &env->given_list_real[s], &env->given_list[s]);
}

/* After the chunk has run and parameters are set: ready and limits, then nothing may change any
 * more. */
static int seal_body(lua_State *L) {
  parl_env *env = lua_touserdata(L, 1);
  if (env->callback[PARL_CALLBACK_ready] != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, env->callback[PARL_CALLBACK_ready]);
    lua_call(L, 0, 0);
  }
  parl_env_push_params(L, env);
  lua_pushvalue(L, -1);
  env->params_table = luaL_ref(L, LUA_REGISTRYINDEX);
  if (env->speaks != NULL) {
    lua_pop(L, 1);
  } else {
    parl_env_read_limits(L, env);
  }
  if (env->spec.has_legal) make_legal_lists(L, env);
  lua_rawgeti(L, LUA_REGISTRYINDEX, env->watch);
  const int watch = lua_gettop(L);
  if (env->speaks != NULL) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, env->document);
    parl_freeze_script(L, watch);
  }
  for (int i = 0; i < PARL_N_CALLBACKS + env->spec.n_tools; i++) {
    const int ref = i < PARL_N_CALLBACKS ? env->callback[i] : env->run[i - PARL_N_CALLBACKS];
    if (ref == LUA_NOREF) continue;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    parl_freeze_script(L, watch);
  }
  return 0;
}

static parl_status check_result(parl_env *env) {
  lua_rawgeti(env->L, LUA_REGISTRYINDEX, env->declaration);
  const bool same = env->declared && lua_rawequal(env->L, -1, -2);
  lua_pop(env->L, 2);
  if (same) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ESCRIPT, "%s: must end with `return parl.%s{...}`", env->spec.path,
                   env->speaks != NULL ? "source" : "env");
}

static parl_status load_script(parl_env *env, const char *path) {
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_read(path, PARL_SANDBOX_MAX_SOURCE, &bytes, &n));
  parl_hash_bytes(bytes, n, env->spec.script_hash);
  const char *text = bytes;
  parl_sandbox_skip_head(&text, &n);
  const parl_status status = parl_sandbox_load(env->sandbox, text, n, path);
  free(bytes);
  PARL_TRY(status);
  PARL_TRY(parl_sandbox_call(env->sandbox, 0, 1));
  return check_result(env);
}

static parl_status keep_path(parl_env *env, const char *path) {
  char *copy = NULL;
  PARL_TRY(PARL_ARENA_TAKE(&env->arena, strlen(path) + 1, &copy));
  memcpy(copy, path, strlen(path) + 1);
  env->spec.path = copy;
  return PARL_STATUS_OK;
}

static parl_status build(parl_env *env, const char *path, const parl_json *params,
                         const parl_env_options *options) {
  parl_sandbox_def def = parl_sandbox_def_default();
  if (options && options->memory_bytes > 0) def.memory_bytes = options->memory_bytes;
  if (options && options->callback_s > 0) def.call_s = options->callback_s;
  if (options) def.instructions = options->instructions;
  if (options) def.host = options->host;
  PARL_TRY(keep_path(env, path));
  PARL_TRY(parl_sandbox_create(&def, &env->sandbox));
  env->L = parl_sandbox_get_state(env->sandbox);
  PARL_TRY(parl_sandbox_protect(env->sandbox, open_body, env));
  env->wanted = params;
  const parl_status status = load_script(env, path);
  env->wanted = NULL;
  if (env->wanted_status != PARL_STATUS_OK)
    return parl_fail(env->wanted_status, "%s", parl_text_get(&env->wanted_error));
  PARL_TRY(status);
  return parl_fail_context(parl_sandbox_protect(env->sandbox, seal_body, env), "%s", path);
}

parl_status parl_env_create(const char *path, const parl_json *params,
                            const parl_env_options *options, parl_env **out) {
  PARL_REQUIRE(path != NULL && out != NULL);
  parl_env *env = calloc(1, sizeof *env);
  if (env == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for an environment");
  parl_arena_init(&env->arena, 16384);
  env->declaration = env->limits = env->shared.ref = LUA_NOREF;
  env->speaks = options != NULL ? options->speaks : NULL;
  env->share_worlds = options != NULL && options->share_worlds;
  env->free_world = env->free_agent = -1;
  env->spec.vision.patch = options != NULL && options->patch > 0 ? options->patch : USUAL_PATCH;
  const parl_status status = build(env, path, params, options);
  if (status != PARL_STATUS_OK) {
    parl_env_destroy(env);
    return status;
  }
  *out = env;
  return PARL_STATUS_OK;
}

void parl_env_destroy(parl_env *env) {
  if (env == NULL) return;
  parl_sandbox_destroy(env->sandbox);
  parl_text_deinit(&env->params_json);
  parl_text_deinit(&env->wanted_error);
  parl_album_deinit(&env->album);
  parl_album_deinit(&env->shared.album);
  parl_arena_deinit(&env->arena);
  free(env->worlds);
  free(env->agents);
  free(env);
}

const parl_env_spec *parl_env_get_spec(const parl_env *env) {
  return &env->spec;
}

const char *parl_env_get_params(const parl_env *env) {
  return parl_text_get(&env->params_json);
}

size_t parl_env_get_memory(const parl_env *env) {
  return parl_sandbox_get_memory(env->sandbox);
}

void parl_env_take_output(parl_env *env, parl_text *out) {
  parl_sandbox_take_output(env->sandbox, out);
}

void parl_env_interrupt(parl_env *env) {
  parl_sandbox_interrupt(env->sandbox);
}

/* --- slots --- */

/* Doubles the slots: only until as many are alive at once as ever will be. */
static parl_status grow_worlds(parl_env *env) {
  const int n = env->n_worlds ? 2 * env->n_worlds : 16;
  parl_world_slot *grown = realloc(env->worlds, (size_t)n * sizeof *grown);
  if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %d worlds", n);
  env->worlds = grown;
  for (int i = n - 1; i >= env->n_worlds; i--) {
    grown[i] = (parl_world_slot){.ref = LUA_NOREF, .next_free = env->free_world};
    env->free_world = i;
  }
  env->n_worlds = n;
  return PARL_STATUS_OK;
}

static parl_status grow_agents(parl_env *env) {
  const int n = env->n_agents ? 2 * env->n_agents : 64;
  parl_agent_slot *grown = realloc(env->agents, (size_t)n * sizeof *grown);
  if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %d agents", n);
  env->agents = grown;
  for (int i = n - 1; i >= env->n_agents; i--) {
    grown[i] = (parl_agent_slot){
        .ref = LUA_NOREF, .real_ref = LUA_NOREF, .world = -1, .next = env->free_agent};
    env->free_agent = i;
  }
  env->n_agents = n;
  return PARL_STATUS_OK;
}

/* The objects of a slot that has none: the agent's table with its rng, and its frozen face. */
static void make_objects(lua_State *L, parl_env *env, parl_agent_slot *slot) {
  lua_createtable(L, 0, 5);
  slot->rng = parl_env_push_rng(L, env, 0, 0, 0);
  lua_setfield(L, -2, "rng");
  lua_pushvalue(L, -1);
  slot->real_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_rawgeti(L, LUA_REGISTRYINDEX, env->agent_strict);
  lua_setmetatable(L, -2);
  parl_freeze_wrap(L, "agent", "keep what changes in agent.state");
  slot->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  slot->role = NO_ROLE;
  slot->id = -1;
}

static void link_agent(parl_env *env, parl_agent agent, parl_world world) {
  parl_agent_slot *slot = &env->agents[agent];
  slot->world = world;
  slot->ended = false;
  slot->previous = -1;
  slot->next = env->worlds[world].first_agent;
  if (slot->next >= 0) env->agents[slot->next].previous = agent;
  env->worlds[world].first_agent = agent;
}

parl_agent parl_env_make_agent(lua_State *L, parl_env *env, parl_world world, int role,
                               int ordinal) {
  if (env->free_agent < 0 && grow_agents(env) != PARL_STATUS_OK) luaL_error(L, "not enough memory");
  const bool is_main = role < 0;
  const parl_agent agent = env->free_agent;
  parl_agent_slot *slot = &env->agents[agent];
  if (slot->ref == LUA_NOREF) make_objects(L, env, slot);
  lua_rawgeti(L, LUA_REGISTRYINDEX, slot->real_ref);
  if (slot->id != ordinal) {
    lua_pushinteger(L, ordinal);
    lua_setfield(L, -2, "id");
    slot->id = ordinal;
  }
  if (slot->role != role) {
    lua_pushboolean(L, is_main);
    lua_setfield(L, -2, "main");
    lua_rawgeti(L, LUA_REGISTRYINDEX, env->role_name[is_main ? env->spec.n_roles : role]);
    lua_setfield(L, -2, "role");
    slot->role = role;
  }
  lua_createtable(L, 0, is_main ? 16 : 4); /* room for what many scripts keep */
  lua_setfield(L, -2, "state");
  lua_pop(L, 1); /* from here on nothing can fail */
  parl_env_restart_rng(slot->rng, env->worlds[world].episode_seed, is_main ? 0 : 1,
                       (uint64_t)ordinal);
  env->free_agent = slot->next;
  link_agent(env, agent, world);
  return agent;
}

static void put_free(parl_env *env, parl_agent agent) {
  env->agents[agent].world = -1;
  env->agents[agent].next = env->free_agent;
  env->free_agent = agent;
}

static void clear_state(parl_env *env, parl_agent agent) {
  lua_rawgeti(env->L, LUA_REGISTRYINDEX, env->agents[agent].real_ref);
  lua_pushboolean(env->L, 0);
  lua_setfield(env->L, -2, "state"); /* the field is there: this allocates nothing */
  lua_pop(env->L, 1);
}

void parl_env_end_agent(parl_env *env, parl_agent agent) {
  parl_agent_slot *slot = &env->agents[agent];
  parl_world_slot *world = &env->worlds[slot->world];
  clear_state(env, agent);
  slot->ended = true;
  if (++world->n_ended <= MAX_ENDED) return;
  if (slot->previous >= 0)
    env->agents[slot->previous].next = slot->next;
  else
    world->first_agent = slot->next;
  if (slot->next >= 0) env->agents[slot->next].previous = slot->previous;
  luaL_unref(env->L, LUA_REGISTRYINDEX, slot->ref);
  luaL_unref(env->L, LUA_REGISTRYINDEX, slot->real_ref);
  slot->ref = slot->real_ref = LUA_NOREF;
  put_free(env, agent);
}

typedef struct reset_arguments {
  parl_env *env;
  uint64_t task_seed;
  parl_world world;
} reset_arguments;

/* Calls reset(rng, params) and freezes the world: [] -> [world]. */
static void make_world(lua_State *L, parl_env *env, uint64_t task_seed) {
  parl_rng_object *rng = parl_env_push_rng(L, env, task_seed, 2, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, env->callback[PARL_CALLBACK_reset]);
  lua_pushvalue(L, -2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, env->params_table);
  lua_call(L, 2, 1);
  rng->mode = PARL_RNG_FORBIDDEN; /* the stack still holds it */
  if (!lua_istable(L, -1)) luaL_error(L, "reset must return a table, not %s", luaL_typename(L, -1));
  parl_freeze_data(L, "world", "a world does not change after reset; use agent.state");
}

/* The next reset may want it too: [world] -> [world]. */
static void keep_world(lua_State *L, parl_env *env, uint64_t task_seed) {
  luaL_unref(L, LUA_REGISTRYINDEX, env->shared.ref);
  env->shared.ref = LUA_NOREF;
  lua_pushvalue(L, -1);
  env->shared.ref = luaL_ref(L, LUA_REGISTRYINDEX);
  env->shared.seed = task_seed;
  env->shared.number++;
  env->shared.has_prompt = env->shared.has_optimum = false;
}

static bool is_shared(const parl_env *env, uint64_t task_seed) {
  return env->shared.ref != LUA_NOREF && env->shared.seed == task_seed;
}

/* The world of the task, which nothing can change, and the orchestrator. */
static int reset_body(lua_State *L) {
  const reset_arguments *a = lua_touserdata(L, 1);
  parl_env *env = a->env;
  parl_world_slot *slot = &env->worlds[a->world];
  if (is_shared(env, a->task_seed)) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, env->shared.ref);
  } else {
    make_world(L, env, a->task_seed);
    if (env->share_worlds) keep_world(L, env, a->task_seed);
  }
  slot->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  slot->shared_number = env->shared.number;
  slot->main_agent = parl_env_make_agent(L, env, a->world, -1, 0);
  return 0;
}

parl_status parl_env_check_variables(parl_env *env) {
  char text[256];
  lua_rawgeti(env->L, LUA_REGISTRYINDEX, env->watch);
  const bool same = parl_freeze_check(env->L, lua_gettop(env->L), text, sizeof text);
  lua_pop(env->L, 1);
  if (same) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ESCRIPT, "%s: %s was changed by a callback: nothing may %s",
                   env->spec.path, text,
                   env->speaks != NULL ? "survive from one document to the next"
                                       : "survive a reset or pass from one agent to another but by "
                                         "agent.state");
}

/* Puts the place of `reset` and the seed in front of the error text: enough to see it again. */
static parl_status fail_in_reset(const parl_env *env, parl_status status, uint64_t task_seed) {
  lua_Debug about;
  lua_rawgeti(env->L, LUA_REGISTRYINDEX, env->callback[PARL_CALLBACK_reset]);
  lua_getinfo(env->L, ">S", &about);
  return parl_fail_context(status, "%s:%d: reset (task seed %llu)", env->spec.path,
                           about.linedefined, (unsigned long long)task_seed);
}

parl_status parl_env_reset(parl_env *env, uint64_t task_seed, uint64_t episode_seed,
                           parl_world *out, parl_agent *main_agent) {
  PARL_REQUIRE(env != NULL && out != NULL && main_agent != NULL);
  if (!is_shared(env, task_seed)) PARL_TRY(parl_env_check_variables(env));
  if (env->free_world < 0) PARL_TRY(grow_worlds(env));
  const parl_world world = env->free_world;
  parl_world_slot *slot = &env->worlds[world];
  env->free_world = slot->next_free;
  *slot = (parl_world_slot){.ref = LUA_NOREF, .episode_seed = episode_seed, .first_agent = -1};
  reset_arguments arguments = {.env = env, .task_seed = task_seed, .world = world};
  const parl_status status = parl_sandbox_protect(env->sandbox, reset_body, &arguments);
  if (status != PARL_STATUS_OK) {
    luaL_unref(env->L, LUA_REGISTRYINDEX, slot->ref);
    *slot = (parl_world_slot){.ref = LUA_NOREF, .next_free = env->free_world};
    env->free_world = world;
    return fail_in_reset(env, status, task_seed);
  }
  *out = world;
  *main_agent = slot->main_agent;
  return PARL_STATUS_OK;
}

void parl_env_release(parl_env *env, parl_world world) {
  parl_world_slot *slot = parl_env_get_world(env, world);
  if (slot == NULL) return;
  while (slot->first_agent >= 0) {
    const parl_agent agent = slot->first_agent;
    slot->first_agent = env->agents[agent].next;
    if (!env->agents[agent].ended) clear_state(env, agent);
    put_free(env, agent);
  }
  luaL_unref(env->L, LUA_REGISTRYINDEX, slot->ref);
  *slot = (parl_world_slot){.ref = LUA_NOREF, .next_free = env->free_world};
  env->free_world = world;
}

const char *parl_env_lua_version(void) {
  return LUA_RELEASE;
}
