/* lua/freeze.h - Lua data that cannot change: frozen tables, and a watch over a script's variables.
 *
 * A frozen table is an empty proxy whose metatable has the real table as __index (so reading runs
 * at the speed of the virtual machine), an error as __newindex and the real length as __len. No
 * script can set metatables, so every table with a metatable is such a proxy.
 * All functions may raise Lua errors: call them inside parl_sandbox_call or parl_sandbox_protect.
 * Thread rule: the thread that owns the state. Reading order: wrap, world, script, watch. */
#ifndef PARL_LUA_FREEZE_H
#define PARL_LUA_FREEZE_H
#include <lua.h>
#include <stdbool.h>

/* [table] -> [proxy]. Shallow. A write fails with "<what> is read-only; <hint>"; `what` and `hint`
 * must be static strings. */
void parl_freeze_wrap(lua_State *L, const char *what, const char *hint);

/* [data] -> [frozen]. Deep, keeps shared tables and cycles. Only booleans, numbers, strings, images
 * (lua/image_object.h) and tables of these: anything else is an error that names its place under
 * `what`. */
void parl_freeze_data(lua_State *L, const char *what, const char *hint);

/* If the value at index is a frozen table: pushes the real table and returns true. */
bool parl_freeze_unwrap(lua_State *L, int index);

/* A table that is deeply frozen keeps something made of its keys, which never change: pushes what
 * was kept, else true, and returns true; false for other values, with nothing pushed. */
bool parl_freeze_get_kept(lua_State *L, int index);
/* [kept] -> [], for a value of which parl_freeze_get_kept is true. */
void parl_freeze_keep(lua_State *L, int index);

/* [function] -> []. Freezes every table the function can reach through its upvalues, and through
 * the functions it finds there, and notes all upvalues in the table at index `watch`. */
void parl_freeze_script(lua_State *L, int watch);

/* Whether every upvalue noted in the table at index `watch` still has its value; if not, writes
 * "variable 'n' of the function at script:line" to out [n]. Allocates nothing, raises nothing. */
bool parl_freeze_check(lua_State *L, int watch, char *out, size_t n);

#endif
