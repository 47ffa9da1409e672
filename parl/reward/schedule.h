/* parl/reward/schedule.h - lambda(t): a weight as a function of the update number.
 *
 * Clocked by updates only; evaluation never advances it. A closed loop and a Lua expression may
 * also look at metrics; their state is explicit, so that it can be checkpointed.
 * Thread rule: one thread per schedule. */
#ifndef PARL_PARL_REWARD_SCHEDULE_H
#define PARL_PARL_REWARD_SCHEDULE_H
#include "core/config.h"
#include "core/status.h"

/* With u = min(1, t / (over * updates)), u = 0 at t = 0:
 *   constant:    start
 *   linear:      start + (stop - start) u
 *   cosine:      stop + (start - stop)(1 + cos(pi u)) / 2
 *   exponential: start (max(stop, 1e-4 start) / start)^u, then exactly stop at u = 1
 *   step:        start before u = 1, stop from then on
 *   cyclic:      linear from start to stop over each period, again and again until u = 1, then stop
 *   closed_loop: integral control: value += gain * (target - metric), clamped to
 *                [min(start, stop), max(start, stop)]; begins at initial, moves from update 1 on;
 *                a metric that is NaN (undefined in this update) leaves it where it is
 *   sigmoid:     stop + (start - stop)(s(u) - s(1)) / (s(0) - s(1)),
 *                s(u) = 1 / (1 + exp(steepness (u - 1/2)))
 *   backoff:     value = stop + factor (value - stop) in every update whose metric is above target,
 *                as that of a detector that fires (0 or 1, target 0.5); begins at start; a metric
 *                that is NaN leaves it where it is
 *   table:       the value of the last entry at or before t; entries "update:value" with spaces
 *                between, the first at update 0, rising: "0:0.3 40:0.1 90:0"
 *   lua:         expression of t, updates, u and the metrics of the update before. A metric that is
 *                undefined is NaN, as all are at update 0; a result that is NaN for that reason
 *                leaves the value where it is, which before the first value is start
 * With over_metric, u of linear to cyclic and of sigmoid is progress in place of time:
 *   u = max(u of the update before, (metric - from) / (to - from)), within [0, 1],
 * so that what is annealed stays annealed when the metric falls back; a metric that is NaN leaves u
 * where it is, which is 0 at update 0.
 * A value between -1e-9 and 0 is rounding noise and counts as 0. */
#define PARL_SCHEDULE_FIELDS_FROM(SHAPE, START, INT, REAL, FLAG, TEXT, CHOICE)                    \
  CHOICE(shape, SHAPE,                                                                            \
         "constant|linear|cosine|exponential|step|cyclic|closed_loop|lua|sigmoid|backoff|table",  \
         "form of the schedule")                                                                  \
  REAL(start, START, 0.0, 1000.0, "1", "value at update 0")                                       \
  REAL(stop, 0.0, 0.0, 1000.0, "1", "value once annealed")                                        \
  REAL(initial, -1.0, -1.0, 1000.0, "1",                                                          \
       "value of closed_loop at update 0, between start and stop; -1: start")                     \
  REAL(over, 0.6, 0.001, 1.0, "of the updates", "how much of the training the anneal takes")      \
  INT(period, 50, 1, 1000000, "updates", "cycle length of cyclic")                                \
  TEXT(metric, "launch_rate", "metric that closed_loop holds at target, backoff below")           \
  REAL(target, 0.5, -1e6, 1e6, "of the metric", "set point of closed_loop, threshold of backoff") \
  REAL(gain, 0.01, -1e3, 1e3, "1", "integral gain of closed_loop, per update")                    \
  TEXT(lua, "", "Lua expression when shape = \"lua\"")                                            \
  REAL(steepness, 10.0, 0.01, 100.0, "1", "of sigmoid: larger is closer to a step")               \
  REAL(factor, 0.5, 0.0, 1.0, "1", "what backoff leaves of value - stop at a time")               \
  TEXT(over_metric, "", "metric whose progress anneals, in place of updates; empty: none")        \
  REAL(from, 0.0, -1e6, 1e6, "of the metric", "over_metric where the anneal begins")              \
  REAL(to, 1.0, -1e6, 1e6, "of the metric", "over_metric where it is over")                       \
  TEXT(table, "", "values from updates on when shape = \"table\": \"0:0.3 40:0.1 90:0\"")
#define PARL_SCHEDULE_FIELDS(INT, REAL, FLAG, TEXT, CHOICE) \
  PARL_SCHEDULE_FIELDS_FROM(linear, 0.1, INT, REAL, FLAG, TEXT, CHOICE)
PARL_CONFIG_STRUCT(parl_schedule_config, PARL_SCHEDULE_FIELDS);

typedef struct parl_metric_view {
  size_t n;
  const char *const *names; /* [n] borrowed */
  const double *values;     /* [n] borrowed; of the update before; NaN: undefined, as at update 0 */
} parl_metric_view;

typedef struct parl_schedule parl_schedule;
/* n_updates >= 0 is the length of the training. Fails: EINVAL (out of range; closed_loop or backoff
 * without a metric or with start = stop; closed_loop with initial outside of them; from = to; lua
 * without an expression; exponential from 0 to more; a table whose entry is no update and value,
 * not later than the one before, or whose first is not at 0), ESCRIPT, ENOMEM. */
parl_status parl_schedule_create(const parl_schedule_config *config, int64_t n_updates,
                                 parl_schedule **out);
void parl_schedule_destroy(parl_schedule *schedule);
/* Before anything is trained: creates the schedule, evaluates it at every update in
 * [0, n_updates) where it looks at no metric, and else looks for its metrics among names [n_names].
 * Fails: as create and next do, naming the first update that fails. */
parl_status parl_schedule_check(const parl_schedule_config *config, int64_t n_updates,
                                const char *const *names, size_t n_names);
/* Value for update t in [0, n_updates]. Those that look at metrics move their state, so call once
 * per update, in order. metrics may be NULL: none. A result that is negative or not finite is
 * refused. Fails: EINVAL (unknown metric, named with the nearest), ESCRIPT, ENOMEM; state and *out
 * are untouched then. */
parl_status parl_schedule_next(parl_schedule *schedule, int64_t t, const parl_metric_view *metrics,
                               double *out);
/* The first update from which on the value is that of the last update, n_updates - 1: 0 of a
 * constant. names [n_names]: the metrics there are. Fails: EINVAL if the value follows a
 * metric, since nothing says then when it stays; as create and next do. */
parl_status parl_schedule_get_settled(const parl_schedule_config *config, int64_t n_updates,
                                      const char *const *names, size_t n_names, int64_t *out);
/* Whether the value may depend on a metric of this name. */
bool parl_schedule_reads(const parl_schedule_config *config, const char *metric);
/* State for the checkpoint: the last value, which closed_loop and backoff move and lua may have to
 * hold; with over_metric, the progress. */
double parl_schedule_get_state(const parl_schedule *schedule);
void parl_schedule_set_state(parl_schedule *schedule, double state);

#endif
