/* core/clock.h - time for progress and timings; never an input of a result. */
#ifndef PARL_CORE_CLOCK_H
#define PARL_CORE_CLOCK_H

/* Seconds of the monotonic clock since some fixed moment. Thread rule: pure but for the clock. */
double parl_clock_s(void);

#endif
