/* lua/table.h - tables of plain data written in Lua: recipes; to JSON.
 *
 * The file runs in a throw-away sandbox (1 s, 64 MiB) and has no randomness, files or clock. What
 * it returns has at most 50000 values and 4 MiB of text, shared tables counted each time.
 * A table with keys 1..n becomes an array, one with text keys an object; an empty table is an
 * object. Thread rule: pure function. */
#ifndef PARL_LUA_TABLE_H
#define PARL_LUA_TABLE_H
#include "core/json.h"

/* Runs the file and converts what it returns; owned by the caller.
 * Fails: EIO, ESCRIPT with file:line, ELIMIT; EINVAL naming the key's path for what JSON cannot
 * hold (functions, NaN, infinities, integers beyond 2^53, mixed tables, cycles). */
parl_status parl_lua_table_load(const char *path, parl_json **out);

#endif
