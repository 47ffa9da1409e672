/* cli/meter.h - progress of a training on standard error: a screen of sparklines or a line on a
 * terminal, a line now and then elsewhere.
 *
 * The screen is a block of lines at the foot of the terminal, drawn over itself a few times a
 * second; log lines scroll past above it. No mode of the terminal outlives a drawing, so that
 * nothing needs restoring whatever ends the program. Thread rule: the runs of an experiment report
 * from their threads; init before them and deinit after. Reading order: init, on_progress. */
#ifndef PARL_CLI_METER_H
#define PARL_CLI_METER_H
#include <pthread.h>
#include <stdbool.h>

#include "cli/cli.h"
#include "experiments/dashboard.h"
#include "parl/swarm/host.h"

typedef struct cli_meter {
  pthread_mutex_t mutex;
  bool interactive;          /* what is drawn replaces itself; else a line now and then */
  bool is_line;              /* one line only, however large the terminal */
  double last_s;             /* of the last line, where it is not interactive */
  parl_dashboard *dashboard; /* NULL: nothing is drawn */
  pthread_t drawer;
  bool has_drawer, is_over;
  pthread_cond_t changed;
  size_t columns, n_lines;    /* of what is drawn now */
  unsigned short widths[512]; /* [n_lines] of its lines */
} cli_meter;

/* --live; false: it said what is wrong. */
bool cli_meter_check(const cli_args *args);
/* title: what is being made. From here to deinit the log's lines go past the screen. */
void cli_meter_init(cli_meter *m, const cli_args *args, const char *title);
/* Wipes what was drawn and frees. */
void cli_meter_deinit(cli_meter *m);
/* A parl_host's progress; context is the cli_meter. */
void cli_meter_on_progress(void *context, const parl_progress *p);

#endif
