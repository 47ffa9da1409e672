/* parl/run/run_models.h - the model that a run finds or makes before it trains: its warm start.
 *
 * It is made once per seed, kept as a checkpoint, and is also the frozen sub-agent, where the
 * section agents names no other (parl/run/subs.h).
 * Thread rule: one thread per call; it uses the workers. */
#ifndef PARL_PARL_RUN_RUN_MODELS_H
#define PARL_PARL_RUN_RUN_MODELS_H
#include "core/workers.h"
#include "engine/model.h"
#include "parl/run/run.h"
#include "parl/swarm/failures.h"
#include "parl/swarm/host.h"

/* Path of the warm start's checkpoint of a run:
 * <folder>/checkpoints/warm-<hash>-s<seed>.safetensors. */
parl_status parl_warm_start_path(const parl_run *run, const parl_env *env, char *out, size_t n);

/* Adds to the error of a card that is full which fields to lower; returns s, whatever it is. */
parl_status parl_run_advise(parl_status s);

/* Loads the warm start of a run, or makes and saves it. *out is owned by the caller; out may be
 * NULL: the file is to be there. failures (may be NULL) gets what failed of its demonstrations,
 * when they were played.
 * Fails: ESTOPPED between steps (nothing is saved then), ESCRIPT as parl_failures_check. */
parl_status parl_warm_start_get(const parl_run *run, const parl_host *host, parl_workers *workers,
                                parl_failures *failures, parl_model **out);

#endif
