/* cli/meter.h - progress of a training as one line that fits the terminal.
 *
 * Thread rule: the runs of an experiment report from their threads. Reading order: append, init,
 * on_progress. */
#ifndef PARL_CLI_METER_H
#define PARL_CLI_METER_H
#include <pthread.h>
#include <stdbool.h>

#include "core/text.h"
#include "parl/swarm/host.h"

typedef struct cli_meter {
  pthread_mutex_t mutex;
  bool interactive; /* the line replaces itself; else a line now and then */
  double last_s;    /* of the last line */
} cli_meter;

void cli_meter_init(cli_meter *m);
/* Wipes the line and frees. */
void cli_meter_deinit(cli_meter *m);
/* A parl_host's progress; context is the cli_meter. */
void cli_meter_on_progress(void *context, const parl_progress *p);

/* Appends the line, of at most `width` columns: what does not fit is left out from its end. */
void cli_meter_append(const parl_progress *p, size_t width, parl_text *out);

#endif
