/* tests/sandbox_support.h - sandboxes whose time limit a test moves. */
#ifndef PARL_TESTS_SANDBOX_SUPPORT_H
#define PARL_TESTS_SANDBOX_SUPPORT_H
#include "lua/sandbox_internal.h"

/* For what ends by itself, seconds: a machine that starves the test changes nothing. */
enum { LONG_S = 200 };

/* The limit of the calls that come, seconds. */
static inline void set_call_limit(parl_sandbox *sandbox, double call_s) {
  parl_watchdog *w = &sandbox->watchdog;
  pthread_mutex_lock(&w->mutex);
  w->limit_s = call_s;
  pthread_mutex_unlock(&w->mutex);
}

#endif
