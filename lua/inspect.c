/* lua/inspect.c - a walk over the states of all agents of a world. */
#include "lua/inspect.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "lua/env_internal.h"
#include "lua/freeze.h"
#include "lua/image_object.h"

void parl_env_collect(parl_env *env) {
  lua_gc(env->L, LUA_GCCOLLECT);
}

enum { PATH_BYTES = 200, MAX_DEPTH = 60 };

/* Index 2: things seen -> path by which an agent reaches them, "2:agent.state.found". */
typedef struct walk {
  const parl_env *env;
  parl_world world;
  int agent; /* whose state is walked, its ordinal */
  bool found;
  char text[2 * PATH_BYTES + 100];
} walk;

enum { ARGUMENT = 1, SEEN = 2 };

static void visit(lua_State *L, walk *w, const char *path, int depth);

/* Notes the thing at the top as reached by `path`; true if it is new. */
static bool note(lua_State *L, walk *w, const char *path) {
  lua_pushvalue(L, -1);
  if (lua_rawget(L, SEEN) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushfstring(L, "%d:%s", w->agent, path);
    lua_rawset(L, SEEN);
    return true;
  }
  const char *other = lua_tostring(L, -1);
  int owner = 0;
  sscanf(other, "%d", &owner);
  if (owner != w->agent && !w->found) {
    w->found = true;
    snprintf(w->text, sizeof w->text, "%s of agent %d is also %s of agent %d", path, w->agent,
             strchr(other, ':') + 1, owner);
  }
  lua_pop(L, 1);
  return false;
}

static void visit_members(lua_State *L, walk *w, const char *path, int depth) {
  const int table = lua_gettop(L);
  for (lua_pushnil(L); !w->found && lua_next(L, table); lua_settop(L, table + 1)) {
    char here[PATH_BYTES];
    if (lua_type(L, -2) == LUA_TSTRING)
      snprintf(here, sizeof here, "%s.%s", path, lua_tostring(L, -2));
    else if (lua_isinteger(L, -2))
      snprintf(here, sizeof here, "%s[%lld]", path, (long long)lua_tointeger(L, -2));
    else
      snprintf(here, sizeof here, "%s[%s]", path, luaL_typename(L, -2));
    visit(L, w, here, depth + 1);
    if (w->found) break;
    lua_pushvalue(L, table + 1);
    visit(L, w, here, depth + 1);
  }
  lua_settop(L, table);
}

/* What a function keeps, once for each agent. The function itself is no danger: those of the script
 * belong to everybody, and what they keep is frozen. */
static void visit_upvalues(lua_State *L, walk *w, const char *path, int depth) {
  char here[PATH_BYTES];
  const char *name;
  const int function = lua_gettop(L);
  lua_rawgetp(L, SEEN, lua_topointer(L, function));
  const bool seen = lua_isinteger(L, -1) && lua_tointeger(L, -1) == w->agent;
  lua_pop(L, 1);
  if (seen) return;
  lua_pushinteger(L, w->agent);
  lua_rawsetp(L, SEEN, lua_topointer(L, function));
  for (int i = 1; !w->found && (name = lua_getupvalue(L, function, i)) != NULL; i++) {
    snprintf(here, sizeof here, "%s's %s", path, name);
    visit(L, w, here, depth + 1);
    lua_settop(L, function);
  }
}

/* The value at the top; stays there. */
static void visit(lua_State *L, walk *w, const char *path, int depth) {
  luaL_checkstack(L, 10, NULL);
  if (depth > MAX_DEPTH) return;
  const int type = lua_type(L, -1);
  if (type == LUA_TUSERDATA) {
    const parl_image_object *image = parl_image_object_get(L, -1);
    if (image == NULL || !image->is_frozen) note(L, w, path);
  } else if (type == LUA_TFUNCTION) {
    if (!lua_iscfunction(L, -1)) visit_upvalues(L, w, path, depth);
  } else if (type == LUA_TTABLE) {
    if (parl_freeze_unwrap(L, -1)) { /* frozen data is no danger, another agent is: it is noted */
      lua_pop(L, 1);
      lua_pushvalue(L, -1);
      if (lua_rawget(L, SEEN) != LUA_TNIL) {
        lua_pop(L, 1);
        note(L, w, path);
      } else {
        lua_pop(L, 1);
      }
    } else if (note(L, w, path)) {
      visit_members(L, w, path, depth);
    }
  }
}

/* Calls body for every agent of the world with its real table at the top. */
static void for_agents(lua_State *L, walk *w, void (*body)(lua_State *L, walk *w)) {
  const parl_env *env = w->env;
  for (parl_agent a = env->worlds[w->world].first_agent; a >= 0; a = env->agents[a].next) {
    if (env->agents[a].ended) continue;
    const int top = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, env->agents[a].ref);
    parl_freeze_unwrap(L, -1);
    lua_getfield(L, -1, "id");
    w->agent = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    body(L, w);
    lua_settop(L, top);
  }
}

/* [proxy, real] of an agent: it and its rng belong to it. */
static void note_own(lua_State *L, walk *w) {
  lua_pushvalue(L, -2);
  note(L, w, "the agent itself");
  lua_pop(L, 1);
  lua_getfield(L, -1, "rng");
  note(L, w, "agent.rng");
}

static void visit_state(lua_State *L, walk *w) {
  lua_getfield(L, -1, "state");
  if (!w->found) visit(L, w, "agent.state", 0);
}

static int find_body(lua_State *L) {
  walk *w = lua_touserdata(L, ARGUMENT);
  lua_newtable(L);
  for_agents(L, w, note_own);
  for_agents(L, w, visit_state);
  return 0;
}

parl_status parl_env_find_shared(parl_env *env, parl_world world, bool *found, parl_text *text) {
  PARL_REQUIRE(parl_env_get_world(env, world) != NULL);
  walk w = {.env = env, .world = world};
  PARL_TRY(parl_sandbox_protect(env->sandbox, find_body, &w));
  *found = w.found;
  if (w.found) parl_text_append(text, w.text);
  return PARL_STATUS_OK;
}
