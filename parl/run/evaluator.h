/* parl/run/evaluator.h - plays a policy or a script on held-out tasks and stores every episode.
 * Thread rule: one thread per call; it uses the workers. */
#ifndef PARL_PARL_RUN_EVALUATOR_H
#define PARL_PARL_RUN_EVALUATOR_H
#include "core/config.h"
#include "core/workers.h"
#include "parl/run/rows.h"
#include "parl/swarm/failures.h"
#include "parl/swarm/host.h"
#include "parl/swarm/means.h"
#include "parl/swarm/rollout.h"
#include "parl/swarm/slots.h"

#define PARL_EVAL_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                         \
  INT(tasks, 500, 1, 1000000, "tasks", "held-out tasks")                        \
  INT(seed, 1000003, 0, 9007199254740991, "1",                                  \
      "seed of the held-out tasks, the same in every run")                      \
  INT(max_width, 0, 0, 128, "sub-agents",                                       \
      "most of one launch in evaluation; 0: as in training, episode.max_width") \
  TEXT(baselines, "serial,greedy_wide,oracle", "scripted styles beside the trained policies")

PARL_CONFIG_STRUCT(parl_eval_config, PARL_EVAL_FIELDS);
extern const parl_section parl_eval_section;

struct parl_run;
struct parl_subs;

typedef struct parl_evaluation_def {
  const parl_host *host;
  const struct parl_run *run;
  const parl_model *policy;     /* NULL with a style */
  const char *style;            /* scripted orchestrator, or NULL */
  const struct parl_subs *subs; /* NULL: scripted sub-agents */
  const char *label;            /* "trained", "untrained", "serial", ... */
  int64_t update;               /* of the policy */
  size_t n_tasks;
  uint64_t set;      /* of held-out tasks; 0: those that results are about */
  bool sampled_only; /* greedy is not played, and as sampled in what comes out */
  parl_workers *workers;
} parl_evaluation_def;

typedef struct parl_evaluation {
  parl_means sampled;     /* of a script: its only decoding */
  parl_means greedy;      /* of a script: the same */
  int64_t n;              /* episodes of each, those that failed included */
  parl_slots_means slots; /* of `sampled` on the machine of cost.slots, if there is one */
  parl_failures failures; /* of all of them: left out of the means */
  double unseen;          /* share of them whose prompt training never sees (parl/swarm/split.h) */
} parl_evaluation;

/* Sampled at temperature 1 and greedily (a script once). store may be NULL; else its episodes
 * are written in one transaction, failed ones too.
 * Fails: as a rollout, and ESCRIPT as parl_failures_check; what was played is stored then. */
parl_status parl_evaluate(const parl_evaluation_def *def, parl_store *store, int64_t run_id,
                          parl_evaluation *out);

/* How many of the seeds before each of seeds [n] are the same, out [n]: two held-out tasks may draw
 * one task, and their episodes are attempts at it, each with its own row. Fails: ENOMEM. */
parl_status parl_evaluation_count_repeats(const uint64_t *seeds, size_t n, int64_t *out);

#endif
