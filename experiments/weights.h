/* experiments/weights.h - the weights of every arm as curves, before anything is trained.
 *
 * Schedules run as they do in training, but no episode is played: a metric that one looks at is
 * undefined unless it is assumed; weights of the update before are known.
 * Thread rule: one thread per call. Reading order: parl_assumption, parl_weight_curves, make. */
#ifndef PARL_EXPERIMENTS_WEIGHTS_H
#define PARL_EXPERIMENTS_WEIGHTS_H
#include "core/json.h"
#include "core/text.h"
#include "parl/run/recipe.h"

/* A metric goes from `from` at update 1 to `to` at the last, in a line. */
typedef struct parl_assumption {
  const char *metric; /* by its name, as schedules name it; borrowed */
  double from, to;
} parl_assumption;

typedef struct parl_weight_curve {
  size_t arm;
  char weight[PARL_LAMBDA_BYTES]; /* where a recipe gives it */
  double *values;                 /* [n_points] owned; NaN behind the arm's last update */
  parl_text assumed, undefined;   /* metrics that it looks at: "success = 0..1, kl = 0", and "kl" */
} parl_weight_curve;

typedef struct parl_weight_curves {
  const parl_recipe *recipe; /* borrowed */
  size_t n_points;           /* 1 to PARL_WEIGHT_POINTS */
  double *updates;           /* [n_points] owned, rising from 0 to the last of the longest arm */
  size_t n;
  parl_weight_curve *of; /* [n] owned, by arm, then in the order of the table of terms */
} parl_weight_curves;
enum { PARL_WEIGHT_POINTS = 600 };

/* Runs every schedule through every update. *out is to be freed by deinit. Fails: EINVAL naming an
 * assumed metric that no arm has and the nearest; as parl_schedule_next, naming arm and weight;
 * ENOMEM. */
parl_status parl_weight_curves_make(const parl_recipe *recipe, const parl_assumption *assumed,
                                    size_t n_assumed, parl_weight_curves *out);
void parl_weight_curves_deinit(parl_weight_curves *curves);

/* Weights of an arm at an update, out [n of its table]. Fails: EINVAL if the arm has no such
 * update, or naming a weight whose schedule looks at a metric that no update before has said; as
 * parl_schedule_next; ENOMEM. */
parl_status parl_weights_get(const parl_recipe *recipe, size_t arm, int64_t update, double *out);

/* Curves of one weight side by side, each a line of `columns` letters and its numbers; what is 0
 * throughout in all arms is named at the end. Fails: ENOMEM. */
parl_status parl_weight_curves_append_text(const parl_weight_curves *curves, size_t columns,
                                           parl_text *out);
/* A picture of its own: a chart for each weight, a line for each arm. Fails: ENOMEM. */
parl_status parl_weight_curves_append_svg(const parl_weight_curves *curves, parl_text *out);
/* {"recipe":..., "updates":[...], "weights":[{"arm", "weight", "assumed", "undefined",
 * "values"}]}. */
void parl_weight_curves_write(const parl_weight_curves *curves, parl_json_writer *w);

#endif
