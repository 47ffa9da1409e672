/* lua/watchdog.h - ends a script that runs too long, at no cost while it does not.
 *
 * The thread that runs the script marks entry and exit by one atomic counter, odd while it runs. A
 * monitor thread looks at the counter a few times per limit and sends the running thread SIGURG
 * when one entry has taken too much processor time (a machine that is busy or asleep changes
 * nothing); the handler, which runs in that thread, installs a debug hook
 * that stops the script at its next instruction (lua_sethook is safe there, not across threads).
 * SIGURG is ignored by default, so a stray one does no harm. The monitor sleeps while nothing runs.
 * Thread rule: enter and leave from one thread at a time; interrupt from any.
 * Reading order: init, enter, leave. */
#ifndef PARL_LUA_WATCHDOG_H
#define PARL_LUA_WATCHDOG_H
#include <lua.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "core/status.h"
#include "lua/script_host.h"

typedef enum parl_stop {
  PARL_STOP_NONE,
  PARL_STOP_TIME, /* limit of processor time */
  PARL_STOP_INSTRUCTIONS /* deterministic limit */,
  PARL_STOP_REQUEST /* interrupt */
} parl_stop;

typedef struct parl_watchdog {
  lua_State *L;                 /* borrowed */
  lua_Hook hook;                /* installed when time is up; must raise an error */
  double limit_s;               /* of one entry, processor time */
  const parl_script_host *host; /* requests from outside; or NULL */
  _Atomic uint64_t entry;       /* odd: entry number (entry + 1) / 2 runs */
  _Atomic uint64_t stopped;     /* the entry that has to stop */
  _Atomic int reason;           /* parl_stop of that entry */
  _Atomic pid_t thread_id;      /* kernel id of the running thread */
  _Atomic clockid_t clock;      /* processor time of that thread */
  _Atomic bool asleep;          /* the monitor waits for `wake` */
  bool quit, started;           /* under mutex */
  bool has_fence;               /* the monitor can order this thread's memory before it sleeps */
  pthread_t monitor;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  struct parl_watchdog *outer; /* what this thread ran before this entry */
} parl_watchdog;

/* Starts the monitor; `w` must not move afterwards. Once *host->stop is not zero, an entry that
 * lasts is stopped as by interrupt, and host->stuck is called for one that does not end.
 * Fails: ESTATE if another library owns SIGURG, ENOMEM if no thread can be started. */
parl_status parl_watchdog_init(parl_watchdog *w, lua_State *L, lua_Hook hook, double limit_s,
                               const parl_script_host *host);
/* Safe on a zeroed object. */
void parl_watchdog_deinit(parl_watchdog *w);

/* Brackets one run of the script. Entries of different watchdogs may nest. */
void parl_watchdog_enter(parl_watchdog *w);
void parl_watchdog_leave(parl_watchdog *w);
/* True while the present entry has been told to stop. */
bool parl_watchdog_is_stopped(const parl_watchdog *w);
/* Why; meaningful while is_stopped. */
parl_stop parl_watchdog_get_reason(const parl_watchdog *w);
/* Marks the present entry as stopped and installs the hook; from the running thread only. */
void parl_watchdog_stop_here(parl_watchdog *w, parl_stop reason);
/* Stops the present entry, if any, from any thread. */
void parl_watchdog_interrupt(parl_watchdog *w);

#endif
