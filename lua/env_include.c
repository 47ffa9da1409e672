/* lua/env_include.c - parl.include("chain"): the table that a sibling file gives to parl.env.
 *
 * For environments made of others, and for sources that draw what one shows. The file lies in the
 * folder of the one that includes it, of a source's environment if a source does; its name is
 * letters a to z, digits and _, so no path leads elsewhere. It runs in the same sandbox, at load,
 * and its bytes count in the script's hash. An included file includes nothing. */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/hash.h"
#include "lua/env_internal.h"
#include "lua/sandbox_internal.h"

static void check_name(lua_State *L, const char *name) {
  const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
  if (n < 1 || n > 40 || name[n] != '\0')
    luaL_error(L, "parl.include: a name is 1 to 40 of a-z, 0-9 and _, without folder and `.lua`");
}

const char *parl_env_push_sibling(lua_State *L, const parl_env *env, const char *name,
                                  const char *extension) {
  const char *path = env->speaks != NULL && strcmp(extension, ".lua") == 0 ? env->speaks->spec.path
                                                                           : env->spec.path;
  const char *slash = strrchr(path, '/');
  lua_pushlstring(L, path, slash ? (size_t)(slash - path) + 1 : 0);
  lua_pushstring(L, name);
  lua_pushstring(L, extension);
  lua_concat(L, 3);
  return lua_tostring(L, -1);
}

void parl_env_add_hash(parl_env *env, const char *bytes, size_t n) {
  parl_hash hash;
  parl_hash_init(&hash);
  parl_hash_update(&hash, env->spec.script_hash, strlen(env->spec.script_hash));
  parl_hash_update(&hash, bytes, n);
  parl_hash_finish(&hash, env->spec.script_hash);
}

/* Pushes the compiled file. The bytes are freed before an error can leave. */
static void load(lua_State *L, parl_env *env, const char *path) {
  char *bytes = NULL;
  size_t n = 0;
  if (parl_file_read(path, PARL_SANDBOX_MAX_SOURCE, &bytes, &n) != PARL_STATUS_OK)
    luaL_error(L, "parl.include: %s", parl_error_text());
  parl_env_add_hash(env, bytes, n);
  const char *text = bytes;
  parl_sandbox_skip_head(&text, &n);
  const int rc = parl_sandbox_compile(L, text, n, path);
  free(bytes);
  parl_sandbox_charge(L, 0);
  if (rc != LUA_OK) lua_error(L);
}

/* parl.include(name). Upvalue 1: the parl_env. */
static int include(lua_State *L) {
  parl_env *env = lua_touserdata(L, lua_upvalueindex(1));
  const char *name = luaL_checkstring(L, 1);
  check_name(L, name);
  if (env->declared) luaL_error(L, "parl.include: only while the file is loaded, before parl.env");
  if (env->is_including) luaL_error(L, "parl.include: an included file includes nothing");
  if (env->n_includes == PARL_ENV_MAX_INCLUDES)
    luaL_error(L, "parl.include: more than %d files", (int)PARL_ENV_MAX_INCLUDES);
  env->n_includes++;
  const char *path = parl_env_push_sibling(L, env, name, ".lua");
  load(L, env, path);
  env->is_including = true;
  const int rc = lua_pcall(L, 0, 1, 0);
  env->is_including = false;
  if (rc != LUA_OK) lua_error(L);
  if (!lua_istable(L, -1))
    luaL_error(L, "parl.include: %s must end with `return parl.env{...}`", path);
  return 1;
}

void parl_env_push_include(lua_State *L, parl_env *env) {
  lua_pushlightuserdata(L, env);
  lua_pushcclosure(L, include, 1);
}
