/* parl/run/warnings.h - what makes a run say less than it seems to: one list.
 *
 * A run says each once, in the log and as the metric "warning/NAME" of the update that showed it;
 * the report repeats it. Thread rule: read-only. Reading order: the list. */
#ifndef PARL_PARL_RUN_WARNINGS_H
#define PARL_PARL_RUN_WARNINGS_H

/* X(name, text): the value of lambda_cancelled is what is left of that |advantage| at a tenth of
 * lambda, of budget_below_optimum budget / optimum, of no_spread 1, of no_task_choice 0, of
 * chance_reward the weight. */
#define PARL_WARNING_LIST(X)                                                                      \
  X(lambda_cancelled,                                                                             \
    "objective.advantage cancels a common scale of lambda in groups where r_perf does not vary: " \
    "annealing does nothing there until lambda is exactly 0")                                     \
  X(budget_below_optimum,                                                                         \
    "the budget is below the optimum: these tasks cannot be solved within it")                    \
  X(no_spread, "the reward varies in no group of an update: nothing is learned from it")          \
  X(no_task_choice,                                                                               \
    "train.sampling: the candidates of every task of an update were alike, of one difficulty or " \
    "one family and difficulty: tasks are drawn as train.sampling = \"uniform\" does")            \
  X(chance_reward,                                                                                \
    "a term of kind = \"chance\" pays whatever was done: what is learned from it is nothing")

typedef enum parl_warning {
#define X(name, text) PARL_WARNING_##name,
  PARL_WARNING_LIST(X)
#undef X
      PARL_N_WARNINGS
} parl_warning;
extern const char *const parl_warning_names[PARL_N_WARNINGS];
extern const char *const parl_warning_texts[PARL_N_WARNINGS];
/* Of the metric's key; PARL_N_WARNINGS if it is none. */
parl_warning parl_warning_find(const char *key);

#endif
