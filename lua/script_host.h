/* lua/script_host.h - what the program lends to scripts: a way to be stopped, and a place to print.
 *
 * Shared read-only by all states of a program; the functions are called from any thread, several at
 * a time. */
#ifndef PARL_LUA_SCRIPT_HOST_H
#define PARL_LUA_SCRIPT_HOST_H
#include <stdatomic.h>

typedef struct parl_script_host {
  /* Once it is not zero, a running call ends within 0.1 s with ESTOPPED. May be NULL. */
  const atomic_int *stop;
  /* A call has not ended 0.7 s after *stop became `stop`: nothing but the end of the process stops
   * it. Called once a call. May be NULL: then it is waited for. */
  void (*stuck)(void *context, int stop);
  /* A script printed this; `text` has no line break at its end. NULL: it is kept, see
   * parl_env_take_output. */
  void (*print)(void *context, const char *text);
  void *context; /* borrowed, handed to both */
} parl_script_host;

#endif
