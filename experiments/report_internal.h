/* experiments/report_internal.h - what the parts of the report share.
 *
 * report_data.c reads the store into a parl_report; report_summary.c adds the statistics; tables,
 * JSON, charts and the page are made of it. All memory is the report's arena's.
 * Thread rule: one thread per report. Reading order: scores, curves, run, arm, report; the table;
 * the charts. */
#ifndef PARL_EXPERIMENTS_REPORT_INTERNAL_H
#define PARL_EXPERIMENTS_REPORT_INTERNAL_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/text.h"
#include "experiments/aggregate.h"
#include "experiments/html_text.h"
#include "experiments/report.h"
#include "experiments/report_axis.h"
#include "experiments/report_reach.h"
#include "experiments/report_spent.h"
#include "experiments/statistics.h"
#include "parl/reward/detectors.h"
#include "parl/reward/terms.h"
#include "parl/run/rows.h"
#include "parl/run/warnings.h"
#include "parl/swarm/means.h"

/* What is said of a run's last evaluation; means over its episodes.
 * X(name, digits, label, meaning) */
#define PARL_SCORE_FACT_(X, name, digits, label, unit, meaning, ...) X(name, digits, label, meaning)
#define PARL_SCORE_LIST(X)                                                  \
  PARL_FACT_ROWS(PARL_SCORE_FACT_, X)                                       \
  PARL_RATE_ROWS(PARL_SCORE_FACT_, X)                                       \
  X(end_finish, 3, "finish", "share of episodes ended by finish")           \
  X(end_budget, 3, "budget", "share of episodes ended by the budget")       \
  X(end_context, 3, "context", "share of episodes ended by a full context") \
  X(end_turns, 3, "turns", "share of episodes ended by the limit of turns") \
  X(end_error, 3, "error", "share of episodes whose script failed")
typedef enum parl_score {
#define X(name, digits, label, meaning) PARL_SCORE_##name,
  PARL_SCORE_LIST(X)
#undef X
      PARL_N_SCORES
} parl_score;
typedef struct parl_score_info {
  const char *name, *label, *meaning;
  int digits; /* after the point */
} parl_score_info;
extern const parl_score_info parl_score_infos[PARL_N_SCORES];

/* Metrics per update that become curves, beside those of the terms of the reward.
 * X(name, store key, digits, title, unit) */
#define PARL_CURVE_LIST(X)                                                                         \
  X(last_gain, "episode/last_gain_steps", 2, "Critical steps at the last gain", "steps")           \
  X(critical, "episode/critical_steps", 2, "Critical steps", "steps")                              \
  X(launch_rate, "episode/launch_rate", 3, "Launch rate", "share of episodes with a launch")       \
  X(width, "episode/max_width", 2, "Width", "sub-agents in the widest launch")                     \
  X(finish_rate, "episode/finish_rate", 3, "Finish rate", "finished / assigned sub-agents")        \
  X(useful_rate, "episode/useful_rate", 3, "Useful rate", "useful / assigned sub-agents")          \
  X(flat_perf, "advantage/zero_spread_perf", 3, "Groups without r_perf spread",                    \
    "share of groups; only shaped terms teach there")                                              \
  X(entropy, "objective/entropy", 3, "Entropy", "nats per choice")                                 \
  X(masked, "objective/masked", 4, "Masked tokens", "share whose ratio left [\xCE\xB1, \xCE\xB2]") \
  X(expert_most, "experts/expert_most", 2, "Busiest expert",                                       \
    "its load / the mean load, in the worst layer")                                                \
  X(expert_unused, "experts/expert_unused", 3, "Unused experts",                                   \
    "share of experts that no token reached")                                                      \
  X(expert_entropy, "experts/expert_entropy", 3, "Evenness of loads",                              \
    "entropy / that of equal loads, mean of layers")                                               \
  X(bias_range, "experts/bias_range", 4, "Selection biases",                                       \
    "largest - smallest of a layer, the widest")
typedef enum parl_curve {
#define X(name, key, digits, title, unit) PARL_CURVE_##name,
  PARL_CURVE_LIST(X)
#undef X
      PARL_N_FIXED_CURVES
} parl_curve;
typedef struct parl_curve_info {
  const char *key, *title, *unit;
  int digits; /* after the point */
} parl_curve_info;
/* Of a term, in the order of PARL_TERM_METRIC_LIST (parl/learn/metrics.h). */
typedef enum parl_term_curve {
  PARL_TERM_CURVE_RAW,
  PARL_TERM_CURVE_WEIGHTED,
  PARL_TERM_CURVE_WEIGHT,
  PARL_TERM_CURVE_SHARE,
  PARL_TERM_CURVE_GRADIENT,
  PARL_N_TERM_CURVES
} parl_term_curve;
_Static_assert((int)PARL_N_TERM_CURVES == (int)PARL_N_TERM_METRICS, "a curve for each");
/* A term that any run had: the built-in ones, then those of recipes by name. */
typedef struct parl_report_term {
  const char *name, *lambda, *symbol; /* "parallel", "lambda1", its letter */
} parl_report_term;
/* Number of a term's curve, behind those of the list. */
static inline size_t parl_report_term_curve(size_t term, parl_term_curve kind) {
  return PARL_N_FIXED_CURVES + term * PARL_N_TERM_CURVES + (size_t)kind;
}

/* main: sampled, or scripted for a script. */
typedef enum parl_decoding {
  PARL_DECODING_MAIN,
  PARL_DECODING_GREEDY,
  PARL_N_DECODINGS
} parl_decoding;

enum {
  PARL_REPORT_POINTS = 150,  /* of a curve, at most */
  PARL_REPORT_FEW_SEEDS = 5, /* below it, intervals are called unreliable */
  PARL_REPORT_OCTAVES = 20,  /* of difficulty */
  PARL_REPORT_TAUS = 101,    /* thresholds of a performance profile */
  PARL_REPORT_TERMINAL = 80, /* columns of plain text */
  PARL_REPORT_BOOTSTRAP_SEED = 2602
};
/* Of a profile: 0, 0.01, ... 1; those a table shows are PARL_PROFILE_SHOWN of them. */
static inline double parl_report_tau(size_t i) {
  return (double)i / (PARL_REPORT_TAUS - 1);
}
enum { PARL_PROFILE_SHOWN = 6 };
extern const size_t parl_profile_shown[PARL_PROFILE_SHOWN];

typedef struct parl_report_scores {
  double of[PARL_N_SCORES]; /* NaN: not known */
  size_t n_episodes;
} parl_report_scores;

/* Episodes of a phase of a run that were left out, since their script failed. */
typedef struct parl_report_failure {
  const char *phase, *error; /* error: text of the first */
  int64_t n, n_failed;
} parl_report_failure;

/* An episode of a script's last evaluation; its place is that of its task, the same of every
 * seed. */
typedef struct parl_report_played {
  parl_facts facts;
  size_t family; /* 1 + of report.families; 0: there is one kind */
  bool failed;
} parl_report_played;

typedef struct parl_report_run {
  int64_t id, seed, eval_update[PARL_N_DECODINGS]; /* update of the last evaluation, -1: none */
  size_t folder;                                   /* of report.folders */
  const char *recipe, *own_name;                   /* own_name: the arm's in its folder */
  const char *uid, *arm_name, *status, *hash, *host, *revision, *config;
  const char *error;    /* why it failed or stopped; "" */
  const char *command;  /* shell line that started it; NULL: not kept */
  const char *question; /* of its recipe; NULL: none */
  size_t arm;
  bool counted;               /* done, and the newest of its arm and seed */
  bool trained;               /* has a trained policy's episodes or metrics */
  bool scripted;              /* by a script, not by a model */
  parl_report_scores *scores; /* [N_DECODINGS, 1 + n_families]; family 0 is all episodes */
  double (*curves)[PARL_REPORT_POINTS];   /* [n_curves] mean of each bucket, NaN if empty */
  double *warm;                           /* [n_warm] NaN if absent */
  double (*pretrain)[PARL_REPORT_POINTS]; /* [n_pretrain] as curves, over steps */
  double *named, *n_named; /* [N_DECODINGS, 1 + n_families, named.n] means, NaN if none; counts */
  parl_spent *spent;
  parl_report_octave *octaves; /* [PARL_REPORT_OCTAVES] main decoding */
  parl_reach *reach;           /* [1 + n_families] main decoding */
  size_t n_failures;
  parl_report_failure *failures; /* [n_failures] by phase */
  size_t n_played, played_capacity;
  parl_report_played *played;                     /* [n_played] of a script alone */
  unsigned warned;                                /* bit w: the run said parl_warning w */
  int64_t n_detected[PARL_N_DETECTORS], n_looked; /* updates in which each fired, of all */
} parl_report_run;

/* An evaluated episode, and one that is shown as a picture. */
typedef struct parl_report_noted {
  size_t arm, run; /* of report.arms, report.runs */
  double r_perf, critical;
  int64_t task_seed, rollout;
} parl_report_noted;
typedef struct parl_report_pick {
  parl_timeline_title title;
  const char *stages; /* JSON; NULL: there is none */
  size_t run;
  int64_t episode_seed;
} parl_report_pick;

/* r_perf of an arm over its seeds and the kinds of tasks that all arms of its environment played;
 * and, of a trained arm that is not it, against the reference. NaN, 0: not known. */
typedef struct parl_report_strata {
  size_t n_runs, n_tasks, n_pairs;
  parl_aggregates of;
  parl_estimate improvement;
  double p, holm; /* Wilcoxon's over seeds; corrected over the arms of the environment */
} parl_report_strata;

typedef struct parl_report_arm {
  const char *name;
  bool trained, scripted;
  size_t n_runs, n_counted;
  size_t env;       /* which environment it plays, of report.envs */
  size_t reference; /* the arm of this environment that differences are taken from; n_arms: none */
  parl_summary *scores;   /* [N_DECODINGS, 1 + n_families, N_SCORES]; n = 0 where none */
  parl_summary of_oracle; /* 100 r_perf / r_perf of the oracle; n = 0 without one */
  parl_summary *profile;  /* [TAUS] share of seeds with r_perf > tau; n = 0 where none */
  parl_summary (*curves)[PARL_REPORT_POINTS]; /* [n_curves]; NULL unless trained */
  parl_summary *warm;                         /* [n_warm] */
  parl_summary *named;       /* [N_DECODINGS, 1 + n_families, named.n]; n = 0 where none */
  parl_report_pick picks[2]; /* the median and the worst episode */
  parl_spent_arm *spent;
  parl_summary (*octaves)[2];   /* [PARL_REPORT_OCTAVES] r_perf, critical steps */
  parl_report_reached *reached; /* [1 + n_families, PARL_REACH_TARGETS] */
  parl_report_strata strata;
} parl_report_arm;

/* Difference of two arms, paired by seed. */
typedef struct parl_report_pair {
  size_t a, b;              /* arms: a - b */
  parl_summary *scores;     /* [N_DECODINGS, 1 + n_families, N_SCORES] as of an arm */
  parl_summary improvement; /* P(r_perf of a > of b), main decoding */
} parl_report_pair;

/* A script with parameters that some arms play. */
typedef struct parl_report_env {
  const char *key; /* tells it from the others */
  size_t arm;      /* the first that plays it */
} parl_report_env;

/* A figure of the page: SVG of this size, and its legend as lines of SVG from (0, 0) on. */
typedef struct parl_figure {
  const char *title, *unit, *svg, *legend;
  double legend_height; /* 0: no legend */
} parl_figure;
enum { PARL_REPORT_MAX_FIGURES = 400 };
typedef struct parl_figures {
  size_t n;
  parl_figure of[PARL_REPORT_MAX_FIGURES];
} parl_figures;

/* Scores that environments name, in the order of their first episode. */
enum { PARL_REPORT_MAX_NAMED = 64 };
typedef struct parl_named {
  size_t n;
  const char *names[PARL_REPORT_MAX_NAMED];
} parl_named;

typedef struct parl_report {
  parl_arena *arena;
  const char *const *folders; /* [n_folders] of runs, as the caller spells them; borrowed */
  size_t n_folders;
  const char *out;                    /* where the files go */
  const parl_report_request *request; /* borrowed; NULL: no files */
  const char *recipe;                 /* or "a + b" */
  const char *question;               /* of the recipes, each once; "" */
  parl_figures *figures;              /* gets what the page draws; NULL: nobody wants them */
  bool plain;                         /* a page without scripts */
  size_t n_runs, n_arms, n_families, n_pairs, n_trained;
  parl_report_run *runs; /* [n_runs] by arm, seed and row of the store */
  parl_report_arm *arms; /* [n_arms] trained first, each in the order of the store */
  const char **families; /* [n_families]; 0 of them unless there are at least two */
  parl_report_pair
      *pairs;       /* [n_pairs] trained minus reference, then the others of an environment */
  size_t reference; /* arm that differences are taken from in its environment; n_arms: none */
  size_t n_envs;
  parl_report_env *envs;  /* [n_envs] <= n_arms */
  unsigned optimum_kinds; /* bit k: a task's optimum is of parl_optimum_kind k; 0: none is known */
  parl_named named;
  size_t n_terms, n_curves;
  parl_report_term *terms;            /* [n_terms] */
  const parl_curve_info *curve_infos; /* [n_curves] */
  size_t n_warm;
  const char **warm_keys; /* [n_warm] "warm/..." and "forecast/..." of update 0 */
  size_t n_pretrain;
  const char **pretrain_keys;             /* [n_pretrain] without "pretrain/" */
  int64_t last_step, step_bucket;         /* of pretraining; as last_update and bucket */
  int64_t last_update;                    /* -1: no metrics */
  int64_t bucket;                         /* updates that a point of a curve is the mean of */
  size_t n_points;                        /* of every curve */
  double x[PARL_REPORT_POINTS];           /* [n_points] update */
  parl_text warnings;                     /* one a line; freed by parl_report_deinit */
  parl_draws *draws;                      /* of the arena; freed by parl_report_deinit */
  size_t n_replicates, n_band_replicates; /* of a number, of a band or a lesser pair */
  size_t n_noted, noted_capacity;
  parl_report_noted *noted; /* [n_noted] evaluated episodes whose turns were kept */
} parl_report;

/* Reads the stores of folders [n >= 1]. A run that failed has its failures too. Fails: as
 * parl_report_make. */
parl_status parl_report_load(const char *const *folders, size_t n, parl_arena *arena,
                             parl_report *out);
/* Fails: EINVAL where runs that chose the points of a sweep would stand beside others. */
parl_status parl_report_check_folders(const char *const *folders, size_t n);
/* Leaves each run once, gives arms that are not the same in every folder its name, and names the
 * recipe. Fails: EFORMAT, ENOMEM. */
parl_status parl_report_unite_folders(parl_report *r);
/* The built-in terms; then one more where a metric's key names it; then, once all are known, the
 * curves. capacity: of r->terms, 0 at first. */
parl_status parl_report_init_terms(parl_report *r, size_t *capacity);
parl_status parl_report_survey_term(parl_report *r, size_t *capacity, const char *key);
parl_status parl_report_name_curves(parl_report *r);
/* Number of the curve of a metric; n_curves if it has none. */
size_t parl_report_find_curve(const parl_report *r, const char *key);
/* Fills summaries, pairs and warnings; reference as in parl_report_request. Fails: EINVAL (no
 * such policy, names the nearest; no run of it is done), ENOMEM. */
parl_status parl_report_summarize(parl_report *r, const char *reference);
/* P(x > y), with the interval of few seeds where there are few. Fails: as
 * parl_probability_of_improvement. */
parl_status parl_report_summarize_improvement(const double *x, size_t n_x, const double *y,
                                              size_t n_y, size_t n_replicates, parl_summary *out);
/* Fills every arm's strata, once scores and references are known. Fails: ENOMEM. */
parl_status parl_report_summarize_strata(const parl_report *r);
/* Widens a script's intervals to those over seeds and held-out tasks. Fails: ENOMEM. */
parl_status parl_report_redraw_tasks(const parl_report *r, size_t arm);
void parl_report_deinit(parl_report *r);
/* Of a metric that detectors or warnings are; anything else is left alone. */
void parl_report_read_detector(parl_report_run *run, const char *key, double value);
/* A line for each detector that fires on an evaluated policy, and for what runs warned of. */
void parl_report_warn_of_detectors(parl_report *r);
/* Each warning, without its line break. */
void parl_report_visit_warnings(const parl_report *r,
                                void (*visit)(void *context, const char *line), void *context);

/* Copies into the arena. Fails: ENOMEM. */
parl_status parl_report_copy_text(parl_arena *arena, const char *s, const char **out);
static inline const parl_report_scores *parl_run_scores(const parl_report *r,
                                                        const parl_report_run *run,
                                                        parl_decoding decoding, size_t family) {
  return &run->scores[(size_t)decoding * (1 + r->n_families) + family];
}
/* Whether a trained arm has any value of a curve: only sparse models have loads of experts. */
static inline bool parl_arm_has_curve(const parl_report *r, const parl_report_arm *arm,
                                      size_t curve) {
  for (size_t i = 0; i < r->n_points; i++)
    if (arm->curves[curve][i].n > 0) return true;
  return false;
}
static inline parl_summary *parl_arm_score(const parl_report *r, const parl_report_arm *arm,
                                           parl_decoding decoding, size_t family,
                                           parl_score score) {
  const size_t row = (size_t)decoding * (1 + r->n_families) + family;
  return &arm->scores[row * PARL_N_SCORES + (size_t)score];
}

static inline parl_summary *parl_pair_score(const parl_report *r, const parl_report_pair *pair,
                                            parl_decoding decoding, size_t family,
                                            parl_score score) {
  const size_t row = (size_t)decoding * (1 + r->n_families) + family;
  return &pair->scores[row * PARL_N_SCORES + (size_t)score];
}
/* a - b; NULL if there is no such pair. */
const parl_report_pair *parl_report_find_pair(const parl_report *r, size_t a, size_t b);
/* Name of a kind of task, as readers see it: 0 is "all tasks". */
const char *parl_report_get_family(const parl_report *r, size_t family);

static inline parl_summary *parl_arm_named(const parl_report *r, const parl_report_arm *arm,
                                           parl_decoding decoding, size_t family, size_t name) {
  const size_t row = (size_t)decoding * (1 + r->n_families) + family;
  return &arm->named[row * r->named.n + name];
}
/* The first and the second reading of an episode's named scores; take comes between them. Fail:
 * EFORMAT, ENOMEM. */
parl_status parl_report_survey_named(parl_report *r, const parl_episode_row *e);
parl_status parl_report_take_named(const parl_report *r, parl_report_run *run);
parl_status parl_report_read_named(const parl_report *r, parl_report_run *run,
                                   parl_decoding decoding, const parl_episode_row *e);

/* --- numbers, as they are read --- */

enum { PARL_NUMBER_BYTES = PARL_AXIS_BYTES, PARL_SUMMARY_BYTES = 3 * PARL_NUMBER_BYTES + 8 };
/* `digits` after the point, or three figures ("2.5e-6") where `largest`, the largest magnitude of
 * the numbers that stand together, is too large or small for that; "-" if not finite. */
void parl_number_format(double x, int digits, double largest, char out[PARL_NUMBER_BYTES]);
void parl_number_append(parl_text *out, double x, int digits);
/* In place: 1e+06 becomes 1e6, 1e-05 1e-5. */
void parl_number_shorten(char *s);
/* "iqm [lo, hi]"; "iqm" of one seed; "-" of none. */
void parl_summary_format(const parl_summary *s, int digits, char out[PARL_SUMMARY_BYTES]);

/* --- text, in which a name may hold anything --- */

void parl_text_append_markdown(parl_text *out, const char *s);
/* What LaTeX would obey is escaped, what its usual fonts lack is "?". */
void parl_text_append_latex(parl_text *out, const char *s);
/* Control codes and what turns the writing direction become "?". */
void parl_text_append_plain(parl_text *out, const char *s);
/* Columns of a terminal. */
size_t parl_text_get_width(const char *s);
/* Plain, in `width` columns at most: what is too long loses its middle. */
void parl_text_append_cut(parl_text *out, const char *s, size_t width);
/* Plain, in lines of `width` columns, of which all but the first begin with `indent` blanks; a word
 * that is longer loses its middle. */
void parl_text_append_wrapped(parl_text *out, const char *s, size_t width, size_t indent);

/* --- tables: one model, four renderings --- */

typedef enum parl_format {
  PARL_FORMAT_PLAIN,
  PARL_FORMAT_MARKDOWN,
  PARL_FORMAT_HTML,
  PARL_FORMAT_LATEX
} parl_format;

typedef struct parl_table {
  parl_arena *arena;
  const char *title, *note; /* note may be NULL */
  size_t n_columns, n_left; /* columns; the first n_left are aligned left */
  size_t n_cells, capacity;
  const char **cells; /* [n_cells] row by row, the heads first */
  bool failed;        /* out of memory: cells are missing */
} parl_table;

void parl_table_init(parl_table *t, parl_arena *arena, const char *title, size_t n_columns,
                     size_t n_left);
void parl_table_add(parl_table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As parl_summary_format. */
void parl_table_add_summary(parl_table *t, const parl_summary *s, int digits);
/* The same behind the sign of what it is a bound of, if there is a number. */
void parl_table_add_bounded(parl_table *t, const parl_summary *s, int digits, parl_bound bound);
void parl_table_add_number(parl_table *t, double x, int digits); /* "-" if not finite */
/* Each fails with ENOMEM only, and so does the text. What is too wide for a terminal or a sheet of
 * paper is cut in pieces, each of which begins with the first column, or the first two. */
parl_status parl_table_append(const parl_table *t, parl_format format, parl_text *out);

/* Which tables there are. */
typedef enum parl_table_kind {
  PARL_TABLE_POLICIES, /* first: it stands at the top */
  PARL_TABLE_OUTCOME,
  PARL_TABLE_COST,
  PARL_TABLE_AGGREGATES,
  PARL_TABLE_IMPROVEMENTS,
  PARL_TABLE_SPENT,
  PARL_TABLE_SPENT_TO,
  PARL_TABLE_REACHED,
  PARL_TABLE_SPEED_UP,
  PARL_TABLE_FRONT,
  PARL_TABLE_EFFECTIVE,
  PARL_TABLE_SURVIVAL,
  PARL_TABLE_MAP, /* lambda1 x lambda2 */
  PARL_TABLE_LAUNCHING,
  PARL_TABLE_STEPS,
  PARL_TABLE_PROFILE,
  PARL_TABLE_ENDINGS,
  PARL_TABLE_GREEDY,
  PARL_TABLE_PAIRS,
  PARL_TABLE_NAMED,
  PARL_TABLE_FORECAST,
  PARL_TABLE_FORECAST_SCORE,
  PARL_TABLE_WARM_START,
  PARL_TABLE_PRETRAIN,
  PARL_TABLE_DETECTORS,
  PARL_TABLE_DIFFERENCES,
  PARL_TABLE_RUNS,
  PARL_N_TABLES
} parl_table_kind;
void parl_report_make_named(const parl_report *r, parl_table *out);
void parl_report_make_aggregates(const parl_report *r, parl_table *out);
void parl_report_make_improvements(const parl_report *r, parl_table *out);
void parl_report_make_survival(const parl_report *r, parl_table *out);
/* No row where not both weights vary, or two arms start alike. */
parl_status parl_report_make_map(const parl_report *r, parl_table *out);
void parl_report_make_warm_start(const parl_report *r, parl_table *out);
void parl_report_make_detectors(const parl_report *r, parl_table *out);
parl_status parl_report_make_policies(const parl_report *r, parl_table *out);
parl_status parl_report_make_differences(const parl_report *r, parl_table *out);
/* A table without a row but its heads is not worth showing. */
parl_status parl_report_make_table(const parl_report *r, parl_table_kind kind, parl_table *out);
static inline size_t parl_table_get_rows(const parl_table *t) {
  return t->n_cells / t->n_columns - 1;
}

/* --- charts: inline SVG, styled by the page's CSS classes --- */

typedef struct parl_series {
  const char *name;
  size_t style;          /* colour, dash and marker */
  const parl_summary *y; /* [n_points] */
} parl_series;

typedef struct parl_line_chart {
  const char *title, *unit;
  size_t n_points, n_series;
  const double *x; /* [n_points] >= 0, rising */
  const char *x_name;
  const parl_series *series;
  bool is_share;  /* y axis from 0 to 1 */
  bool is_noisy;  /* lines are drawn smoothed, their points faint behind */
  size_t n_exact; /* but the last of the series, which are drawn as they are */
  double level;   /* horizontal line; NaN: none */
  const char *level_name;
  int digits;
} parl_line_chart;

void parl_chart_append_lines(parl_text *out, const parl_line_chart *c);
/* Points that a smoothed value is the mean of; 1: nothing is smoothed. */
size_t parl_chart_get_window(const parl_line_chart *c);
/* The same of series s: 1 of those that are drawn as they are. */
size_t parl_chart_get_series_window(const parl_line_chart *c, size_t s);
/* Whether it shows more than one number: some point differs from another. */
bool parl_chart_is_informative(const parl_line_chart *c);
/* Coloured, dashed samples with names. */
void parl_chart_append_legend(parl_text *out, const parl_series *series, size_t n);
void parl_chart_append_dots(parl_text *out, const parl_report *r);
void parl_chart_append_scatter(parl_text *out, const parl_report *r);
void parl_chart_append_endings(parl_text *out, const parl_report *r);
void parl_chart_append_endings_legend(parl_text *out);
/* Nothing, and *is_drawn false, where the table of the map has no row. */
parl_status parl_chart_append_map(parl_text *out, const parl_report *r, bool *is_drawn);
void parl_chart_append_aggregates(parl_text *out, const parl_report *r);
/* Arms that are compared with a reference; a chart of none is not worth drawing. */
size_t parl_report_count_improvements(const parl_report *r);
void parl_chart_append_improvements(parl_text *out, const parl_report *r);
/* A figure begins; what was drawn from `from` on in the page is its picture; its legend, drawn
 * once more. Nothing where nobody wants figures. Fail: ENOMEM. */
void parl_figure_begin(const parl_report *r, const char *title, const char *unit);
parl_status parl_figure_keep(const parl_report *r, const parl_text *page, size_t from);
parl_status parl_figure_keep_legend(const parl_report *r, const parl_series *series, size_t n);
parl_status parl_figure_keep_endings_legend(const parl_report *r);
/* The figure as a file of its own, in the light colours, without CSS variables. */
parl_status parl_figure_append_svg(const parl_figure *figure, parl_text *out);
/* "03_r_perf_against_critical_steps.svg" of the n-th, from 1. */
void parl_figure_get_name(const parl_figure *figure, size_t n, char out[64]);
/* Removes what an earlier report left in its folder of figures. */
void parl_report_remove_figures(const char *folder);
/* A line of series as a legend draws it, 34 x 12. */
void parl_chart_append_sample(parl_text *out, size_t style);
/* Mean optimum of the tasks that policies were judged on; NaN if no environment knows it, or
 * policies play several. */
double parl_report_get_optimum(const parl_report *r);
/* What that may be called: "optimum", "lower bound", "expected optimum", ... */
const char *parl_report_get_optimum_label(const parl_report *r);

/* Colour class k0 ... of a style; marker and dash tell styles of one colour apart. */
enum { PARL_N_COLOURS = 10 };
/* A marker of a style (circle, square, diamond, triangle, ...) around (x, y); hollow: outline. */
void parl_chart_append_marker(parl_text *out, size_t style, double x, double y, double radius,
                              bool hollow);

/* --- what the arms were --- */

/* The run that stands for an arm: its seed is one that every trained arm has, if there is such a
 * seed. NULL if the arm has no run. */
const parl_report_run *parl_report_find_example(const parl_report *r, size_t arm);
/* Whether the schedule `key` of a configuration stays at 0. */
bool parl_report_is_zero(const parl_json *config, const char *key);
/* Plain lines, one an arm. */
parl_status parl_report_append_policies(const parl_report *r, parl_text *out);
/* --- environments --- */

/* Fills envs and each arm's. Fails: EFORMAT, ENOMEM. */
parl_status parl_report_find_environments(parl_report *r);
/* The script ("oracle", "serial") that was asked to play the same tasks: of this arm
 * ("oracle@arm"), or of an arm of its environment; n_arms: none. */
size_t parl_report_find_script(const parl_report *r, const char *script, size_t arm);
/* Says so where there are several. */
void parl_report_warn_of_environments(parl_report *r);
/* File, hash of the script and resolved parameters of each environment that is trained in, with the
 * arms where there are several; not escaped; nothing if the configuration does not tell. */
parl_status parl_report_append_environment(const parl_report *r, parl_text *out);
/* A JSON tree, its numbers in as few digits as read back the same. */
void parl_report_write_node(parl_json_writer *w, const parl_json *node);

/* --- the files --- */

extern const char parl_report_style[]; /* report.css; the Makefile makes its source */

parl_status parl_report_append_json(const parl_report *r, parl_text *out);
parl_status parl_report_append_html(const parl_report *r, parl_text *out);
/* Every table, for a paper: needs booktabs. */
parl_status parl_report_append_latex(const parl_report *r, parl_text *out);
/* The commands that made what counts, each below the cells it made, and that of this report. */
parl_status parl_report_append_commands(const parl_report *r, parl_text *out);
/* CSV with heads, quoted as in RFC 4180, lines end with LF; what is not known is empty.
 * Summaries over seeds, one a row; scores of each seed, one a row; curves, a row an update. */
parl_status parl_report_append_csv(const parl_report *r, parl_text *out);
parl_status parl_report_append_seeds_csv(const parl_report *r, parl_text *out);
parl_status parl_report_append_curves_csv(const parl_report *r, parl_text *out);
/* Tables of `kinds` [n], those without rows left out. */
parl_status parl_report_append_tables(const parl_report *r, const parl_table_kind *kinds, size_t n,
                                      parl_format format, parl_text *out);
/* The answer: a table a kind of task, and the differences from the reference. */
parl_status parl_report_append_lead(const parl_report *r, parl_format format, parl_text *out);
/* A sentence for each comparison with the reference. */
parl_status parl_report_append_answers(const parl_report *r, parl_format format, parl_text *out);

#endif
