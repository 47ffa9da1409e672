/* core/clock.c - clocks in seconds, and sleeping. */
#include "core/clock.h"

#include <time.h>

static double get_s(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double parl_clock_s(void) {
  return get_s(CLOCK_MONOTONIC);
}

double parl_clock_cpu_s(void) {
  return get_s(CLOCK_PROCESS_CPUTIME_ID);
}

double parl_clock_thread_s(void) {
  return get_s(CLOCK_THREAD_CPUTIME_ID);
}

double parl_clock_wall_s(void) {
  return get_s(CLOCK_REALTIME);
}

void parl_clock_sleep_s(double seconds) {
  const struct timespec t = {.tv_sec = (time_t)seconds,
                             .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
  (void)nanosleep(&t, NULL);
}
