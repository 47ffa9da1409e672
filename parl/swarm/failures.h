/* parl/swarm/failures.h - episodes that were left out since their script failed (env.on_error =
 * "skip"): counted, told of, and no more of them than the recipe allows (env.max_failures).
 *
 * Thread rule: plain data. Reading order: parl_failures, add, check, warn. */
#ifndef PARL_PARL_SWARM_FAILURES_H
#define PARL_PARL_SWARM_FAILURES_H
#include "core/log.h"
#include "core/status.h"
#include "parl/swarm/rollout.h"

/* A share is judged of so many episodes, or of a whole phase where that is shorter. */
enum { PARL_FAILURES_JUDGED = 200, PARL_FAILURE_BYTES = 2048 };

/* What was played when they failed. X(name, text) */
#define PARL_PHASE_LIST(X)    \
  X(WARM_START, "warm start") \
  X(PROBE, "probe")           \
  X(TRAINING, "training")     \
  X(EVALUATION, "evaluation")
typedef enum parl_phase {
#define X(name, text) PARL_PHASE_##name,
  PARL_PHASE_LIST(X)
#undef X
      PARL_N_PHASES
} parl_phase;
/* Borrowed text. */
const char *parl_phase_text(parl_phase phase);

/* Of one phase. */
typedef struct parl_failures {
  int64_t n, n_failed;            /* episodes played; of them those that failed */
  char error[PARL_FAILURE_BYTES]; /* of the first; cut to fit */
} parl_failures;

/* Adds the episodes of the rollout's last run. */
void parl_failures_add(parl_failures *f, const parl_rollout *rollout);
/* has_ended: no episode of the phase is to come.
 * Fails: ESCRIPT with the counts and the first error if more than max_share of the episodes
 * failed. */
parl_status parl_failures_check(const parl_failures *f, double max_share, parl_phase phase,
                                bool has_ended);
/* As a JSON object, and back: a warm start keeps them with its weights. source names the file.
 * Fails: EFORMAT. */
void parl_failures_write(const parl_failures *f, parl_json_writer *w);
parl_status parl_failures_read(const parl_json *object, const char *source, parl_failures *out);
/* One warning if any failed; who says which run. */
void parl_failures_warn(const parl_failures *f, parl_log *log, const char *who, parl_phase phase);

#endif
