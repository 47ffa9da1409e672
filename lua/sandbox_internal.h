/* lua/sandbox_internal.h - what the files of the sandbox share. */
#ifndef PARL_LUA_SANDBOX_INTERNAL_H
#define PARL_LUA_SANDBOX_INTERNAL_H
#include "lua/pool.h"
#include "lua/sandbox.h"
#include "lua/watchdog.h"

enum {
  PARL_SANDBOX_MAX_ITEMS = 1000000,   /* items one table function touches */
  PARL_SANDBOX_MAX_STRING = 16 << 20, /* bytes of a string that string.rep or concat makes */
  PARL_SANDBOX_MAX_OUTPUT = 64 << 10, /* bytes of print that are kept */
  PARL_SANDBOX_SLOTS = 200            /* free stack slots promised outside calls */
};

struct parl_sandbox {
  lua_State *L;
  parl_sandbox_def def;
  char script[256]; /* name of the text loaded last: memory errors have no line */
  size_t n_bytes;   /* held now */
  parl_pool pool;
  bool refused;              /* the allocator said no since the call began */
  int64_t instructions_left; /* of the present call */
  parl_watchdog watchdog;
  parl_text output;
};

/* Fill the table of globals at the top of the stack. */
void parl_sandbox_open_base(lua_State *L);
void parl_sandbox_open_string(lua_State *L);
void parl_sandbox_open_table(lua_State *L);

/* Work done inside C counts as n instructions where these are limited; raises when they are used
 * up. */
void parl_sandbox_charge(lua_State *L, double n);

/* tostring without addresses: pushes the text of the value at index. */
void parl_sandbox_push_text(lua_State *L, int index);

#endif
