/* lua/sandbox_internal.h - what the files of the sandbox share. */
#ifndef PARL_LUA_SANDBOX_INTERNAL_H
#define PARL_LUA_SANDBOX_INTERNAL_H
#include "core/pace.h"
#include "lua/pool.h"
#include "lua/sandbox.h"
#include "lua/watchdog.h"

enum {
  PARL_SANDBOX_MAX_ITEMS = 1000000,   /* items one table function touches */
  PARL_SANDBOX_MAX_STRING = 16 << 20, /* bytes of a string that string.rep or concat makes */
  PARL_SANDBOX_MAX_SOURCE = 1 << 20,  /* bytes of a file */
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
  bool raised;               /* the error of a limit, or of a stop, was raised since then */
  int64_t instructions_left; /* of the present call */
  parl_watchdog watchdog;
  parl_text output;
};

/* Fill the table of globals at the top of the stack. */
void parl_sandbox_open_base(lua_State *L);
void parl_sandbox_open_string(lua_State *L);
void parl_sandbox_open_table(lua_State *L);

void parl_sandbox_open_match(lua_State *L);

/* Work done inside C counts as n instructions where these are limited. False if the script has to
 * stop, for this or another reason. Every loop in C over what a script gives asks this or charge,
 * at least once in a millisecond. */
bool parl_sandbox_spend(lua_State *L, double n);
/* The same, and raises the error of the limit. */
void parl_sandbox_charge(lua_State *L, double n);
/* The pace of work outside of lua/ that a script of L asked for: it spends; and what raises the
 * error that stopped it. */
bool parl_sandbox_may_go_on(void *L, double work);
#define PARL_SANDBOX_PACE(L) (&(parl_pace){.may_go_on = parl_sandbox_may_go_on, .data = (L)})
void parl_sandbox_check_done(lua_State *L, parl_status s);
/* What pcall does with an error once the script has to stop, [error]: raises that of the limit. */
_Noreturn void parl_sandbox_rethrow(lua_State *L);

/* Wraps a function of C, its upvalue 1, whose work grows with its arguments: texts of at most
 * PARL_SANDBOX_MAX_STRING, charged. */
int parl_sandbox_bound_arguments(lua_State *L);

/* Pushes the function or the error's text; returns Lua's status. Raises nothing but ENOMEM: the
 * caller frees its bytes, charges 0 and then raises. */
int parl_sandbox_compile(lua_State *L, const char *bytes, size_t n, const char *name);
/* Leaves out a byte order mark and what stands in a first line that begins with '#'. */
void parl_sandbox_skip_head(const char **bytes, size_t *n);

/* Whether a function of C is an iterator that keeps its place: pairs', gmatch's. */
bool parl_sandbox_is_iterator(lua_CFunction f);
bool parl_sandbox_is_gmatch(lua_CFunction f);

/* tostring without addresses: pushes the text of the value at index. */
void parl_sandbox_push_text(lua_State *L, int index);

#endif
