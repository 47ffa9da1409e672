/* experiments/plan.h - a recipe as a list of cells: every run there is to make, before any is made.
 *
 * Making a plan refuses what can be refused before training and writes nothing.
 * Thread rule: read-only once made. Reading order: parl_cell, parl_plan, make. */
#ifndef PARL_EXPERIMENTS_PLAN_H
#define PARL_EXPERIMENTS_PLAN_H
#include "parl/run/run.h"
#include "parl/run/trainer.h"
#include "parl/swarm/host.h"

/* One run: an arm with a seed, or a policy that is not trained with a seed. */
typedef struct parl_cell {
  parl_run run;    /* owned by the plan */
  char *canonical; /* configuration, owned by the plan */
  char uid[PARL_HASH_HEX_BYTES];
  size_t warm; /* its warm start, an index into warms */
} parl_cell;

/* A warm start that some cells share. */
typedef struct parl_warm {
  size_t cell;           /* the first of them */
  char path[1024];       /* of its checkpoint */
  char pretrained[1024]; /* of the model that it begins as, which others may share; "": none */
} parl_warm;

typedef struct parl_plan {
  size_t n_arms, n_seeds;
  size_t n_trained, n_cells; /* trained cells come first, by arm and seed; then the baselines */
  parl_cell *cells;
  size_t n_warms;
  parl_warm *warms;
  parl_text preset_exceptions; /* as of parl_env_append_preset_exceptions, of each environment */
} parl_plan;

/* Lists the cells of a recipe and checks each. While a process works in the folder, what it
 * planned and has not begun counts as begun. *out is owned by the caller.
 * Fails: EINVAL naming the field that an environment or a style refuses, or the fields in which a
 * cell differs from what its folder holds; ESCRIPT, ELIMIT, EIO if an environment cannot be opened
 * or the store cannot be read. */
parl_status parl_plan_make(const parl_recipe *recipe, const parl_host *host, parl_plan **out);

/* The plan of runs [n] that another plan had, to be made in a folder of their own; the trained ones
 * come first, and there is one. Arms and seeds are not known of it. Fails: as parl_plan_make;
 * EFORMAT if a file that a run reads is not what it was. */
parl_status parl_plan_make_of(const parl_run *runs, size_t n, const char *folder,
                              const parl_host *host, parl_plan **out);

/* Stores every cell that the store lacks as pending, and brings back those that were retired; with
 * host->retry_failed those that failed are pending again. Cells that were planned before and not
 * begun, in another configuration, are forgotten. Fails: as the store does. */
parl_status parl_plan_record(const parl_host *host, const parl_plan *plan, const char *store_path);

/* NULL is allowed. */
void parl_plan_destroy(parl_plan *plan);

#endif
