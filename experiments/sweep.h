/* experiments/sweep.h - a sweep as data: a recipe, the fields that vary, and which values are
 * tried together.
 *
 * A sweep is a Lua file that returns a table: the fields below, `parameters`, and `arms`, the names
 * of the recipe's arms that vary, whatever they say of the fields themselves; its others stay as
 * they are, for comparison. A point is a value
 * for every parameter; an arm of a point is an arm of a recipe, so that it is planned, trained,
 * claimed, resumed and reported as any other.
 * Thread rule: read-only after reading. Reading order: the fields, parl_sweep_parameter,
 * parl_sweep, read, the points. Source: words as in the sweeps of Weights & Biases. */
#ifndef PARL_EXPERIMENTS_SWEEP_H
#define PARL_EXPERIMENTS_SWEEP_H
#include "core/config.h"
#include "core/name.h"
#include "core/rng.h"

#define PARL_SWEEP_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                     \
  TEXT(recipe, "", "recipe that is swept: beside the sweep, as named, or a shipped one")     \
  TEXT(dir, "", "folder of runs and reports; empty: runs/<name of the sweep>")               \
  CHOICE(method, grid, "grid|random|sobol|bayes|pbt",                                        \
         "grid: every combination of values; random, sobol: points spread over the ranges; " \
         "bayes: each next one where a Gaussian process expects most improvement; "          \
         "pbt: a population that learns schedules")                                          \
  INT(points, 20, 1, 1000, "points", "of random, sobol and bayes; the population of pbt")    \
  INT(initial, 0, 0, 1000, "points",                                                         \
      "bayes: by sobol, before it has a model; 0: 2 more than "                              \
      "twice the parameters")                                                                \
  INT(seed, 1, 0, 9007199254740991, "1", "which points random, sobol and bayes draw")        \
  INT(n_seeds, 0, 0, 10000, "seeds",                                                         \
      "of each point, from the recipe's run.seed on; 0: as the "                             \
      "recipe says")                                                                         \
  TEXT(metric, "r_perf",                                                                     \
       "mean over the evaluated, sampled episodes that ranks points: a fact "                \
       "or a rate of docs/metrics.md, never a shaped reward")                                \
  CHOICE(goal, maximize, "maximize|minimize", "which end of the metric is best")             \
  INT(top, 0, 0, 100, "points",                                                              \
      "best points that are trained anew, on seeds that chose "                              \
      "nothing; 0: none")                                                                    \
  INT(top_seeds, 5, 1, 10000, "seeds", "of that; they follow those of the points")
PARL_CONFIG_STRUCT(parl_sweep_config, PARL_SWEEP_FIELDS);

/* The table `early_terminate`. */
#define PARL_EARLY_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                           \
  CHOICE(type, none, "none|asha", "asha: only the best points at a rung are trained further")      \
  INT(eta, 3, 2, 1000, "1", "the best 1/eta at a rung go on; the next rung is eta times later")    \
  INT(min_updates, 0, 0, 1000000, "updates",                                                       \
      "of the first rung; 0: where the last weight of the reward has annealed, or, where all are " \
      "constant, 1/eta of the updates")                                                            \
  INT(tasks, 200, 1, 1000000, "tasks", "held-out tasks of a look, which no result is about")
PARL_CONFIG_STRUCT(parl_early_config, PARL_EARLY_FIELDS);
extern const parl_section parl_early_section;
enum { PARL_EARLY_NONE, PARL_EARLY_ASHA };
extern const parl_section parl_sweep_section;
enum { PARL_SWEEP_GRID, PARL_SWEEP_RANDOM, PARL_SWEEP_SOBOL, PARL_SWEEP_BAYES, PARL_SWEEP_PBT };
enum { PARL_SWEEP_MAXIMIZE, PARL_SWEEP_MINIMIZE };

/* The table `pbt`. */
#define PARL_PBT_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                       \
  INT(interval, 0, 0, 1000000, "updates", "between two rankings; 0: a tenth of all updates") \
  REAL(quantile, 0.25, 0.01, 0.5, "of the population",                                       \
       "how many of the worst go on as one of as many of the best")                          \
  REAL(factor, 1.2, 1.001, 10.0, "1", "by which a copied value grows or shrinks")            \
  REAL(resample, 0.25, 0.0, 1.0, "1", "probability that it is drawn anew instead")           \
  INT(tasks, 200, 1, 1000000, "tasks", "held-out tasks of a ranking, which no result is about")
PARL_CONFIG_STRUCT(parl_pbt_config, PARL_PBT_FIELDS);
extern const parl_section parl_pbt_section;

enum { PARL_SWEEP_MAX_PARAMETERS = 16, PARL_SWEEP_MAX_POINTS = 1000, PARL_SWEEP_PATH_BYTES = 1024 };

/* How a number in [0, 1) becomes a value: one of a list; min to max, evenly, evenly in the
 * logarithm, or whole numbers with both ends. Values of a range have four significant digits. */
typedef enum parl_distribution {
  PARL_DISTRIBUTION_VALUES,
  PARL_DISTRIBUTION_UNIFORM,
  PARL_DISTRIBUTION_LOG_UNIFORM,
  PARL_DISTRIBUTION_INT_UNIFORM
} parl_distribution;

typedef struct parl_sweep_parameter {
  const char *key; /* recipe field, "lambda1.start"; borrowed of the tree */
  parl_distribution distribution;
  double min, max;         /* of a range */
  size_t n_values;         /* of a list, */
  const parl_json *values; /* which is this */
  const parl_json *also;   /* a list of further fields that get the same value, or NULL */
} parl_sweep_parameter;

/* One number in [0, 1) a parameter. Of pbt the values from one update on, up to which another point
 * has them. */
typedef struct parl_sweep_point {
  double at[PARL_SWEEP_MAX_PARAMETERS];
  const struct parl_sweep_point *before; /* NULL: it is from the first update on. Borrowed */
  int64_t from;                          /* update */
  size_t number;                         /* of a point of pbt, in the order in which they came */
} parl_sweep_point;

typedef struct parl_sweep {
  char name[PARL_NAME_BYTES];
  char path[PARL_SWEEP_PATH_BYTES];   /* of its file */
  char recipe[PARL_SWEEP_PATH_BYTES]; /* found */
  char folder[PARL_SWEEP_PATH_BYTES];
  parl_sweep_config config; /* initial, n_seeds filled in */
  parl_early_config early;
  parl_pbt_config pbt;
  size_t n_parameters;
  parl_sweep_parameter parameters[PARL_SWEEP_MAX_PARAMETERS]; /* by key */
  size_t n_arms;                                              /* of the recipe that vary: */
  size_t *arms;           /* [n_arms] indices, of `base` without arms 0 */
  parl_json *tree, *base; /* the sweep's table; the recipe's, with what --set set */
  int64_t first_seed;     /* of its points */
  size_t n_points;        /* there will be in the end */
} parl_sweep;

/* Reads a sweep and the recipe that it names. sets [n_sets]: "KEY=VALUE" of the recipe; one whose
 * field varies is refused. datadir: as of parl_recipe_load. *out is to be freed by deinit, even
 * after a failure. Fails: EIO, ESCRIPT; EINVAL naming the field, its value and range, the nearest
 * key, or, where `arms` names none, one that sets what varies. */
parl_status parl_sweep_read(const char *path, const char *const *sets, size_t n_sets,
                            const char *datadir, parl_sweep *out);
void parl_sweep_deinit(parl_sweep *sweep);

/* Arms of the recipe that stay. */
size_t parl_sweep_count_fixed(const parl_sweep *sweep);

/* The value of a parameter as a JSON literal. */
void parl_sweep_append_value(const parl_sweep_parameter *parameter, double at, parl_text *out);
/* The same of a point: of pbt a schedule's table, "0:0.3 40:0.1", as JSON. */
void parl_sweep_append_setting(const parl_sweep *sweep, size_t parameter,
                               const parl_sweep_point *point, parl_text *out);
/* The point that pbt makes of another: each value is drawn anew or grows or shrinks by the factor,
 * in its range; of a list it moves to a neighbour. `chance` is moved on. */
void parl_sweep_perturb(const parl_sweep *sweep, parl_rng_cursor *chance, parl_sweep_point *point);
/* "start=0.3 tau=0.01"; of pbt "pbt 7"; of an arm "annealed start=0.3 tau=0.01"; whole keys where
 * two end likewise. What is too long for a name, or no part of one, ends in '#' and a hash of the
 * whole. arm: "" if the recipe has none. */
void parl_sweep_get_name(const parl_sweep *sweep, const parl_sweep_point *point, const char *arm,
                         char out[PARL_NAME_BYTES]);

/* The points of grid, random and sobol, or the initial ones of bayes, no two of them equal in every
 * value; *n of them, at most points->n_points. Where ranges and values have fewer combinations than
 * were asked for, there are fewer. points [sweep->n_points]. Fails: ENOMEM.
 * Source: Bratley & Fox 1988 (Sobol, by GSL), shifted at random (Cranley & Patterson 1976). */
parl_status parl_sweep_draw(const parl_sweep *sweep, parl_sweep_point *points, size_t *n);
/* Whether two points have the same values. */
bool parl_sweep_is_same(const parl_sweep *sweep, const parl_sweep_point *a,
                        const parl_sweep_point *b);

/* The next point of bayes: of those not yet tried the one of greatest expected improvement over
 * tried [n], whose results are values [n], greater is better. Fewer than two different results say
 * nothing: then the next of sobol. *found is false if none is left. Fails: ENOMEM. */
parl_status parl_sweep_propose(const parl_sweep *sweep, const parl_sweep_point *tried,
                               const double *values, size_t n, parl_sweep_point *out, bool *found);

/* The recipe of these points: the arms that stay, then each arm that varies with each point.
 * Owned by the caller. Fails: ENOMEM; EINVAL if they are more arms than a recipe may have. */
parl_status parl_sweep_make_recipe(const parl_sweep *sweep, const parl_sweep_point *points,
                                   size_t n, const char *name, const char *folder,
                                   int64_t first_seed, int64_t n_seeds, parl_json **out);

#endif
