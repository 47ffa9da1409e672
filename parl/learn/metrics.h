/* parl/learn/metrics.h - what is measured at every update; one list names store keys, Lua names
 * and the struct, a second what every term of the reward adds to them.
 *
 * X(field, group, unit, meaning): stored as "group/field"; a Lua schedule and closed_loop say
 * `field`. Keys of group "time" are the only ones that may differ between two runs of the same
 * command. Groups "attention", "experts", "credit",
 * "agents", "slots" and "tasks" are stored only where there is something to measure: MuonClip,
 * sparse layers, credit by launches, sub-agents that learn, a machine of cost.slots, a
 * sampler of tasks. */
#ifndef PARL_PARL_LEARN_METRICS_H
#define PARL_PARL_LEARN_METRICS_H
#include <stddef.h>

#include "parl/reward/detectors.h"
#include "parl/reward/objective.h"
#include "parl/reward/terms.h"
#include "parl/swarm/means.h"
#include "parl/swarm/slots.h"

/* What every term of the reward has, behind the metrics of the list: with a term `x` whose weight
 * is `lambda_x`, "reward/x", "reward/weighted_x", "lambda/lambda_x", "advantage/share_x",
 * "gradient/gradient_x".
 * X(field, group, prefix, name or lambda of parl_term_row, meaning) */
#define PARL_TERM_METRIC_LIST(X)                                              \
  X(raw, reward, "", name, "mean raw r_%s")                                   \
  X(weighted, reward, "weighted_", name, "mean of r_%s times its weight")     \
  X(weight, lambda, "", lambda, "weight of r_%s in this update")              \
  X(share, advantage, "share_", name, "share of |advantage| that r_%s makes") \
  X(gradient, gradient, "gradient_", name, "share of the gradient that r_%s makes, along it")
typedef struct parl_term_metrics {
#define X(field, group, prefix, stem, meaning) double field;
  PARL_TERM_METRIC_LIST(X)
#undef X
} parl_term_metrics;
/* The mean over an update's episodes of a fact, or of what is made of facts. */
#define PARL_METRIC_FACT_(X, name, digits, label, unit, meaning, ...) \
  X(name, episode, unit, "mean of: " meaning)
/* A bin of the histogram of log ratios. */
#define PARL_METRIC_BIN_(X, name, end, what) X(name, objective, "1", "share of tokens with " what)
/* What a machine of the section cost makes of the update. */
#define PARL_METRIC_SLOTS_(X, name, unit, meaning) X(name, slots, unit, meaning)
/* Whether a detector fires. */
#define PARL_METRIC_DETECTOR_(X, name, threshold, measure, reads, definition) \
  X(name, detector, "0/1", "1 where " reads " >= " #threshold ": " definition)

// clang-format off
#define PARL_METRIC_LIST(X)                                                                        \
  X(total, reward, "1", "mean reward: the sum of all weighted terms")                              \
  X(zero_spread_perf, advantage, "1", "share of groups whose r_perf does not vary")                \
  X(zero_spread_total, advantage, "1", "share of groups whose reward does not vary")               \
  X(mean_abs, advantage, "1", "mean |advantage|")                                                  \
  X(mean_abs_shaped_only, advantage, "1", "mean |advantage| in groups without r_perf spread")      \
  PARL_FACT_ROWS(PARL_METRIC_FACT_, X)                                                             \
  PARL_RATE_ROWS(PARL_METRIC_FACT_, X)                                                             \
  X(end_finish, end, "1", "share of episodes ended by finish")                                     \
  X(end_budget, end, "1", "share ended by the budget")                                             \
  X(end_context, end, "1", "share ended by a full context")                                        \
  X(end_turns, end, "1", "share ended by the limit of turns")                                      \
  X(end_error, end, "1", "share of episodes whose script failed (dropped with their group)")       \
  X(loss, objective, "1", "loss of the last optimizer step")                                       \
  X(masked, objective, "1", "share of tokens whose policy gradient the ratio zeroed")              \
  X(ratio_max, objective, "1", "largest ratio pi / pi_old")                                        \
  X(kl, objective, "nats", "mean of ratio - 1 - log ratio")                                        \
  X(entropy, objective, "nats", "mean entropy of a choice")                                        \
  X(logp_gap, objective, "nats", "mean |logp of trainer - of decoder| before the first step")      \
  X(truncated, objective, "1", "tis: share of tokens whose ratio was cut to `cap`")                \
  PARL_BIN_ROWS(PARL_METRIC_BIN_, X)                                                               \
  X(grad_norm, optimizer, "1", "global gradient norm before clipping")                             \
  X(lr, optimizer, "1", "learning rate")                                                           \
  X(clipped, optimizer, "1", "share of the update's steps that were clipped")                      \
  X(clipped_heads, optimizer, "heads", "mean heads of a step that QK-Clip scaled down")            \
  X(max_score, attention, "1", "largest attention score of the update, before QK-Clip (muonclip)") \
  X(expert_most, experts, "1", "largest load of an expert / its layer's mean, the worst layer")    \
  X(expert_unused, experts, "1", "share of experts that no token reached")                         \
  X(expert_entropy, experts, "1", "entropy of a layer's loads / that of equal loads, mean")        \
  X(balance_loss, experts, "1", "aux_loss_alpha * balance loss, mean of sequences")                \
  X(bias_range, experts, "1", "largest - smallest selection bias of a layer, the widest")          \
  X(rerolls, credit, "episodes", "episodes played again without a launch or assignments")          \
  X(reroll_steps, credit, "steps", "total steps of all of them")                                   \
  X(rerolls_failed, credit, "episodes", "of them, those whose script failed")                      \
  X(launch_effect, credit, "1", "mean reward that a launch made: with - without, or its share")    \
  X(sub_effect, credit, "1", "mean reward that an assignment made, likewise")                      \
  X(spurious_launches, credit, "1", "share of launches that made nothing of r_perf, likewise")     \
  X(useless_subs, credit, "1", "share of assignments that made nothing of r_perf, likewise")       \
  PARL_DETECTOR_ROWS(PARL_METRIC_DETECTOR_, X)                                                     \
  X(staleness, rollout, "updates", "by which the policy that played was behind")                   \
  X(cut_mass, rollout, "1", "mean probability of a choice that train.top_p cut off")               \
  X(carried, rollout, "1", "share of the update's groups that go on in the next (train.partial)")  \
  X(carried_age, rollout, "updates", "mean age of the choices learned from, for being carried")    \
  X(sub_choices, agents, "1", "share of the choices learned from that are sub-agents' (trained)")  \
  X(misled, agents, "1", "share of sub-agents that learn whose advantage has the wrong sign")      \
  PARL_SLOTS_ROWS(PARL_METRIC_SLOTS_, X)                                                           \
  X(task_difficulty, tasks, "steps", "mean optimum of the tasks that began (train.sampling)")      \
  X(offered_difficulty, tasks, "steps", "mean optimum of all candidates: of tasks drawn evenly")   \
  X(task_score, tasks, "1", "mean success, so far, of the like of those that began")               \
  X(offered_score, tasks, "1", "mean success, so far, of the like of all candidates")              \
  X(task_choice, tasks, "1", "share of tasks whose candidates were not all alike")                 \
  X(rollout_s, time, "s", "rollout")                                                               \
  X(wait_s, time, "s", "of it, while nothing was learned: all, or with train.async what was left") \
  X(decode_s, time, "s", "of it in the decoder and the sampler, all threads")                      \
  X(script_s, time, "s", "of it in scripts, grammar and episodes, all threads")                    \
  X(learn_s, time, "s", "forward, backward and optimizer")                                         \
  X(update_s, time, "s", "the update, from its begin to its end")                                  \
  X(cpu_s, time, "s", "processor time of all threads of the process in it")                        \
  X(joules, time, "J", "of the processor packages in it, all programs' (RAPL, if readable)")       \
  X(train_tokens, time, "tokens", "tokens through forward and backward")                           \
  X(decode_tokens, time, "tokens", "tokens through the decoders")                                  \
  X(reused_tokens, time, "tokens", "tokens that were not: another context had the same prefix")
// clang-format on

/* Doubles only, the terms of the run's table last. */
typedef struct parl_metrics {
#define X(field, group, unit, meaning) double field;
  PARL_METRIC_LIST(X)
#undef X
  parl_term_metrics of[PARL_MAX_TERMS]; /* [n of the table of terms] */
} parl_metrics;

enum {
  PARL_N_TERM_METRICS = (int)(sizeof(parl_term_metrics) / sizeof(double)),
  PARL_METRIC_KEY_BYTES = 96,
  PARL_N_FIXED_METRICS = (int)(offsetof(parl_metrics, of) / sizeof(double))
};

/* The metrics of a run: store keys ("reward/total") and Lua names ("total"), those of the list
 * first. */
typedef struct parl_metric_table {
  size_t n;
  const char **keys, **names;           /* [n] names are the ends of keys */
  char (*texts)[PARL_METRIC_KEY_BYTES]; /* [n] owned */
} parl_metric_table;
/* Fails: EINVAL if a term of the recipe's own would give two metrics one name, ENOMEM. */
parl_status parl_metric_table_create(const parl_term_table *terms, parl_metric_table **out);
/* NULL-safe. */
void parl_metric_table_destroy(parl_metric_table *table);

/* The values in the order of a table, borrowed. */
const double *parl_metrics_get_values(const parl_metrics *m);
/* Every metric NaN, as before the first update. */
void parl_metrics_set_undefined(parl_metrics *m);
/* For schedules. */
parl_metric_view parl_metrics_get_view(const parl_metric_table *table, const parl_metrics *m);

#endif
