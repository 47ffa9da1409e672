/* parl/run/counterfactual.h - what launches are worth to a policy: its held-out
 * episodes with and without each of them.
 *
 * Every episode is played, then once more for each launch (or each assignment)
 * in it: without it, and with `finish` in its place. All chance is that of the
 * episode (parl/swarm/recording.h). A launch whose removal leaves r_perf as it
 * is is spurious: it is k25's spurious parallelism, as a rate. Where several
 * did the same, each looks spurious alone; what assignments made over the
 * orders in which they come (parl/learn/coalitions.h) splits it among them.
 * Thread rule: one thread per call; it uses the workers. Reading order: def,
 * the result, run. */
#ifndef PARL_PARL_RUN_COUNTERFACTUAL_H
#define PARL_PARL_RUN_COUNTERFACTUAL_H
#include "parl/run/forecast.h"

typedef enum parl_counterfactual_at {
  PARL_COUNTERFACTUAL_LAUNCH,
  PARL_COUNTERFACTUAL_ASSIGNMENT
} parl_counterfactual_at;

typedef struct parl_counterfactual_def {
  const parl_host *host;
  const parl_run *run;
  const parl_model *policy; /* NULL with a style */
  const char *style;        /* scripted orchestrator, or NULL; goes_on has to be false then */
  const parl_subs *subs;    /* NULL: scripted sub-agents */
  parl_counterfactual_at at;
  bool goes_on;   /* after what is left out the policy decides; else the recorded
                   turns follow */
  size_t n_tasks; /* episodes, one a task, sampled */
  int n_orders;   /* drawn orders of an episode's assignments; 0: none. Recorded
                     turns follow */
  parl_workers *workers;
} parl_counterfactual_def;

/* Means over launches of the episode as it is minus the changed one. Intervals
 * are 95 %: the mean
 * -+ 1.96 standard errors of a ratio, tasks being drawn, not launches; NaN with
 * fewer than two tasks. */
typedef struct parl_effect {
  double n;                                     /* launches */
  parl_interval r_perf, critical_steps, reward; /* reward: with the weights' starts */
  double same, worse; /* share of launches without which r_perf is the same; is higher */
} parl_effect;

/* Of a family of tasks, or of all. */
typedef struct parl_counterfactual_part {
  char family[PARL_FAMILY_BYTES]; /* "" of all, first */
  double n_tasks;                 /* played, without those that failed; */
  double n_launching;             /* of them, with a launch */
  parl_effect without, stop;      /* the launch left out; finish in its place */
  parl_effect over_orders;        /* shares of assignments; n 0 without orders */
} parl_counterfactual_part;

enum { PARL_COUNTERFACTUAL_MAX_PARTS = 33 };
typedef struct parl_counterfactual {
  size_t n_parts;                                                /* 1 where tasks have one family */
  parl_counterfactual_part parts[PARL_COUNTERFACTUAL_MAX_PARTS]; /* families by first task */
  double n_rerolls, steps; /* episodes played again, their total steps */
  parl_failures failures;  /* of all episodes, of those that were played again too */
} parl_counterfactual;

/* Fails: as a rollout; ESCRIPT as parl_failures_check; ENOMEM. Source: ours. */
parl_status parl_counterfactual_run(const parl_counterfactual_def *def, parl_counterfactual *out);

#endif
