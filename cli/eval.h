/* cli/eval.h - which run of a recipe `parl eval` and `parl counterfactual` play, and its models. */
#ifndef PARL_CLI_EVAL_H
#define PARL_CLI_EVAL_H
#include "cli/cli.h"
#include "parl/run/origin.h"
#include "parl/run/run.h"
#include "parl/run/subs.h"
#include "parl/swarm/host.h"

typedef struct eval_run {
  parl_host host;        /* set by the caller before choosing */
  parl_run run;          /* of the arm, with the seed */
  parl_origin origin;    /* of --checkpoint */
  bool is_own;           /* the checkpoint is of a run, or a warm start, of this recipe */
  parl_text differences; /* of the checkpoint's run and config: "train.updates, script" */
} eval_run;

/* --arm and --seed, else the checkpoint's own, else the first. Fails: EINVAL for an unknown arm; as
 * parl_origin_read. */
parl_status eval_choose_run(const cli_args *args, const parl_recipe *recipe, eval_run *r);
/* Says on stderr what was assumed where the checkpoint is of no run of the recipe, and what differs
 * where its run was of another configuration. env: of r->run. */
parl_status eval_say_run(const cli_args *args, eval_run *r, const parl_env *env);
void eval_run_deinit(eval_run *r);

/* --- all that plays (eval_open.c) --- */

typedef struct eval_state {
  parl_recipe *recipe;
  eval_run chosen;
  parl_log log;
  parl_workers *workers;
  parl_env *env;
  parl_model *warm, *policy;
  parl_subs subs;
} eval_state;

/* Opens the run that the options name, of e->recipe: workers, environment, and the policy, which is
 * the checkpoint's, or the warm start's, unless a style plays. Fails: as what it opens. */
parl_status eval_open(const cli_args *args, eval_state *e);
/* Whatever of it is open; the recipe too. */
void eval_close(eval_state *e);

#endif
