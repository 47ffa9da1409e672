/* experiments/plan_text.h - a plan for a reader or a machine: what would be trained, and what
 * differs between arms.
 * Thread rule: pure functions. */
#ifndef PARL_EXPERIMENTS_PLAN_TEXT_H
#define PARL_EXPERIMENTS_PLAN_TEXT_H
#include "experiments/plan.h"

/* Appends the environment with its resolved parameters, the arms with the resolved fields in which
 * they are not all the same, the warm starts and the runs, each with what the folder has of it. A
 * folder that is not there stays so. Fails: ENOMEM, or as the store does when it is read. */
parl_status parl_plan_append(const parl_plan *plan, parl_text *out);
/* The same as one JSON object; docs/store.md names the members. */
parl_status parl_plan_append_json(const parl_plan *plan, parl_text *out);

#endif
