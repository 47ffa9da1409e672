/* core/process.h - who a process is, so that another one can tell whether it still runs.
 *
 * A number alone names no process: it is used again, and means another process in another container
 * or on another machine.
 * Thread rule: pure but for the system's tables. */
#ifndef PARL_CORE_PROCESS_H
#define PARL_CORE_PROCESS_H
#include <stdbool.h>
#include <stdint.h>

enum { PARL_PROCESS_TEXT_BYTES = 128 };

typedef struct parl_process {
  char host[PARL_PROCESS_TEXT_BYTES];  /* name of the machine, for people */
  char space[PARL_PROCESS_TEXT_BYTES]; /* boot and pid namespace: within one, pid and start name one
                                        * process; "" if unknown */
  int64_t pid;
  int64_t start; /* clock ticks from boot to its start; 0 if unknown */
} parl_process;

/* The calling process. What the system does not tell is "" or 0. */
void parl_process_get(parl_process *out);

/* Whether has_ended can tell: p is of this boot and pid namespace. */
bool parl_process_is_near(const parl_process *p);

/* Whether p has ended for certain; a zombie has. False if it runs or is not near. */
bool parl_process_has_ended(const parl_process *p);

#endif
