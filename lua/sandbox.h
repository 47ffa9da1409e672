/* lua/sandbox.h - a Lua 5.4 state whose scripts can neither hang, nor exhaust memory, nor reach
 * the host, and that computes the same on every run.
 *
 * Memory has a cap (allocator), time has a limit (watchdog.h) and, on request, instructions have a
 * deterministic budget. There is no io, os, debug, package, load, require, collectgarbage,
 * coroutine, metatable or raw access; functions of C that could run long are bounded; pairs
 * is sorted, sort is stable, tostring shows no addresses, random numbers come from a stream.
 * Globals are read-only. It guards against mistakes; against malice run it in a process of its own.
 * Thread rule: one thread at a time, except parl_sandbox_interrupt.
 * Reading order: def, create, load, call. */
#ifndef PARL_LUA_SANDBOX_H
#define PARL_LUA_SANDBOX_H
#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "core/text.h"
#include "lua/script_host.h"

typedef struct parl_sandbox parl_sandbox;

typedef struct parl_sandbox_def {
  size_t memory_bytes;  /* cap of the state, >= 64 KiB */
  double call_s;        /* processor time one call may take, seconds, > 0 */
  int64_t instructions; /* limit of one call in VM instructions; 0: none. Slows scripts ~2x */
  const parl_script_host *host; /* borrowed; or NULL */
} parl_sandbox_def;

/* 256 MiB, 5 s, no instruction limit. */
parl_sandbox_def parl_sandbox_def_default(void);

/* Fails: EINVAL for limits out of range, ENOMEM, ESTATE (watchdog). */
parl_status parl_sandbox_create(const parl_sandbox_def *def, parl_sandbox **out);
/* NULL-safe. */
void parl_sandbox_destroy(parl_sandbox *sandbox);

/* Borrowed. Index 1 of its stack is taken; 200 slots are always free outside calls. */
lua_State *parl_sandbox_get_state(parl_sandbox *sandbox);
/* The sandbox that owns a state. */
parl_sandbox *parl_sandbox_of(lua_State *L);

/* Compiles n bytes of source text and pushes the function; bytecode is refused. name shows up in
 * errors as it is. Fails: ESCRIPT with name:line, ELIMIT. */
parl_status parl_sandbox_load(parl_sandbox *sandbox, const char *bytes, size_t n, const char *name);
/* Reads a file of at most 1 MiB and loads it. Fails: EIO, EFORMAT, and as load. */
parl_status parl_sandbox_load_file(parl_sandbox *sandbox, const char *path);

/* lua_call under all limits: [function, arguments] -> [results]. On failure the function and the
 * arguments are gone and the error text has script:line and a traceback.
 * Fails: ESCRIPT, ELIMIT (time, instructions, memory), ESTOPPED (interrupt). */
parl_status parl_sandbox_call(parl_sandbox *sandbox, int n_arguments, int n_results);

/* Runs body(L) with `data` as its light userdata argument 1, under all limits; no results.
 * For C code that calls what may raise errors. */
parl_status parl_sandbox_protect(parl_sandbox *sandbox, lua_CFunction body, void *data);

/* [value] -> []. Makes a value a global that scripts can read. Call inside protect. */
void parl_sandbox_set_global(lua_State *L, const char *name);
/* [table] -> [table]. Reading an absent field becomes an error that names the nearest present one;
 * `name` (static) is how scripts call the table. Call inside protect. */
void parl_sandbox_make_strict(lua_State *L, const char *name);

/* What scripts printed since the last call, at most 64 KiB, moved into out (appended); nothing
 * where the host prints. */
void parl_sandbox_take_output(parl_sandbox *sandbox, parl_text *out);
/* Bytes held now, garbage included. */
size_t parl_sandbox_get_memory(const parl_sandbox *sandbox);
/* Stops the present call soon; nothing if none runs. From any thread, not from a signal handler. */
void parl_sandbox_interrupt(parl_sandbox *sandbox);

#endif
