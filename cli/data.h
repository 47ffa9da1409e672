/* cli/data.h - what the actions of `parl data` share: a run's documents. */
#ifndef PARL_CLI_DATA_H
#define PARL_CLI_DATA_H
#include "cli/cli.h"
#include "parl/run/pretrained.h"

typedef struct data_state {
  parl_recipe *recipe;
  parl_run run;
  parl_workers *workers;
  parl_env *env;
  parl_env_options options;
  parl_feed *feed;
} data_state;

/* Opens the sources of the recipe of operand 0: of --arm, else the first, with --seed, else the
 * recipe's. Fails: as what it opens. */
parl_status data_open(const cli_args *args, data_state *d);
/* ESTOPPED after a signal. */
parl_status data_check_signal(void);
/* Says why it failed, as cli_fail; what was stopped begins anew. */
int data_fail(parl_status s);
/* Whatever of it is open. */
void data_close(data_state *d);

#endif
