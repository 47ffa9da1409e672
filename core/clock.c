/* core/clock.c - the monotonic clock in seconds, and sleeping. */
#include "core/clock.h"

#include <time.h>

double parl_clock_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void parl_clock_sleep_s(double seconds) {
  const struct timespec t = {.tv_sec = (time_t)seconds,
                             .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
  (void)nanosleep(&t, NULL);
}
