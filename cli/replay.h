/* cli/replay.h - an episode that the command line names, played again and written down: what `parl
 * replay` and `parl trace` share. */
#ifndef PARL_CLI_REPLAY_H
#define PARL_CLI_REPLAY_H
#include "cli/cli.h"
#include "experiments/timeline.h"
#include "parl/run/rerun.h"
#include "parl/swarm/trace.h"

typedef struct cli_replay {
  parl_trace trace; /* sorted */
  parl_rerun rerun;
} cli_replay;

/* The operands FOLDER EPISODE and --update, --greedy. False: it said what is wrong. */
bool cli_replay_read_episode(const cli_args *args, int64_t *out);
/* Plays operand FOLDER's episode, of --arm, --seed, --update, --greedy, --env. *out is to be freed
 * by deinit, also after a failure. Fails: as parl_rerun_play. */
parl_status cli_replay_play(const cli_args *args, int64_t episode, cli_replay *out);
/* Plays it and adds its calls and messages to its picture; note gets where they come from, or why
 * there are none; shown, unless NULL, the images that it saw, as figures of a page. Fails:
 * ESTOPPED, ENOMEM. */
parl_status cli_replay_add_messages(const cli_args *args, int64_t episode, parl_timeline *t,
                                    parl_text *note, parl_text *shown);
void cli_replay_deinit(cli_replay *p);

#endif
