/* core/clock.h - time for progress and timings; never an input of a result. */
#ifndef PARL_CORE_CLOCK_H
#define PARL_CORE_CLOCK_H

/* Seconds of the monotonic clock since some fixed moment. Thread rule: pure but for the clock. */
double parl_clock_s(void);
/* Processor seconds that all threads of the process have used. */
double parl_clock_cpu_s(void);
/* Processor seconds that the calling thread has used. */
double parl_clock_thread_s(void);
/* Seconds since 1970 of the wall clock, which may be set back. */
double parl_clock_wall_s(void);
/* Sleeps about so long; a signal may end it early. */
void parl_clock_sleep_s(double seconds);

#endif
