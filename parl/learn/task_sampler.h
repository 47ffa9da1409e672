/* parl/learn/task_sampler.h - which of several drawn tasks an update begins: the easier first, or
 * rather those whose like fail.
 *
 * Kimi K1.5 2.3.4 names two strategies over a list of problems: curriculum sampling, from easy to
 * hard, and prioritised sampling, by 1 - the success rate of a problem. Here tasks are drawn from
 * seeds and never come again, so for each task C candidates are drawn from the stream of training,
 * looked at without being played, and one of them begins. Its difficulty is its optimum in critical
 * steps; its like are its *bucket*: the same family, an optimum of the same half octave.
 * With C = 1 the tasks are those of no sampler at all.
 * Thread rule: one thread per object; it uses the rollout's workers between runs.
 * Reading order: the formulas, parl_task_sampler_def, create, draw, begin, observe, commit. */
#ifndef PARL_PARL_LEARN_TASK_SAMPLER_H
#define PARL_PARL_LEARN_TASK_SAMPLER_H
#include "core/json.h"
#include "parl/swarm/rollout.h"

typedef enum parl_sampling {
  PARL_SAMPLING_UNIFORM,
  PARL_SAMPLING_CURRICULUM,
  PARL_SAMPLING_PRIORITISED
} parl_sampling;
/* What the success of an episode is. */
typedef enum parl_priority { PARL_PRIORITY_SUCCESS, PARL_PRIORITY_R_PERF } parl_priority;

/* --- the formulas: pure functions --- */

/* One that is drawn. */
typedef struct parl_candidate {
  bool failed;       /* cannot be made: not chosen while another can */
  double difficulty; /* critical steps */
  double score;      /* of its bucket so far, in [0, 1]; 0 of one that was never played */
} parl_candidate;

/* How many of n candidates, the easiest, may begin in an update: 1 + floor(n * update / end), at
 * most n; n if end is 0. Source: ours, the linear competence of Platanios 2019 (1903.09848), of
 * ranks among candidates. */
size_t parl_count_easiest(int64_t update, double end, size_t n);
/* One of the m easiest of candidates [n], each as likely; equals are in their order. u in [0, 1).
 * Source: K1.5 2.3.4, "curriculum sampling"; ours in the form. */
size_t parl_pick_easy(const parl_candidate *candidates, size_t n, size_t m, double u);
/* One of candidates [n], with chances in proportion to 1 - score + floor; evenly if all are 0. u in
 * [0, 1). Source: K1.5 2.3.4, "prioritized sampling"; the floor is ours. */
size_t parl_pick_prioritised(const parl_candidate *candidates, size_t n, double floor, double u);
/* floor(2 log2(steps)), from 0 to PARL_MAX_TASK_BIN: below 2, 2, 3, 4-5, 6-7, 8-11, 12-15, 16-22,
 * ... share one. */
int parl_bin_of_steps(int64_t steps);
/* The least steps >= 0 of a bin. */
int64_t parl_least_of_bin(int bin);

/* --- the sampler --- */

enum { PARL_MAX_TASK_BUCKETS = 256, PARL_MAX_TASK_BIN = 62 };

typedef struct parl_task_bucket {
  char family[PARL_FAMILY_BYTES];
  int bin;
  int64_t n;                       /* groups that were learned from */
  double score;                    /* their mean success; of the last `window` in the main */
  size_t offered, drawn;           /* candidates of the last update; those that began */
  size_t next_offered, next_drawn; /* of the last draw, until its update begins to be observed */
} parl_task_bucket;

typedef struct parl_task_sampler_def {
  parl_sampling sampling;
  size_t n_tasks, n_candidates; /* of an update at most; of each of them, >= 1 */
  double end;                   /* curriculum: the update from which on all may begin */
  double floor;                 /* prioritised: added to 1 - score */
  int64_t window;               /* groups */
  parl_priority priority;
  uint64_t seed;         /* of the run */
  parl_rollout *rollout; /* borrowed */
} parl_task_sampler_def;

/* Of a draw; means are NaN where nothing was drawn. */
typedef struct parl_task_counts {
  double difficulty, offered_difficulty; /* mean optimum of those that began; of all candidates */
  double score, offered_score;           /* likewise the mean score of their buckets before */
  double choice; /* share of tasks whose candidates were not all alike to the sampler */
} parl_task_counts;

typedef struct parl_task_sampler parl_task_sampler;
/* Fails: ENOMEM. */
parl_status parl_task_sampler_create(const parl_task_sampler_def *def, parl_task_sampler **out);
/* NULL-safe. */
void parl_task_sampler_destroy(parl_task_sampler *sampler);
/* Seeds [n <= n_tasks] of the tasks that an update begins. is_ahead: the update before it is
 * observed, and not committed yet. Fails: as parl_rollout_look; the same draw may be asked for
 * again. */
parl_status parl_task_sampler_draw(parl_task_sampler *sampler, int64_t update, bool is_ahead,
                                   size_t n, uint64_t *seeds);
/* An update was played: what is observed of it counts from its commit on, and not if there is
 * another begin before. */
void parl_task_sampler_begin(parl_task_sampler *sampler);
/* A group [K] that is learned from, none of which failed: score += (x - score) / min(n, window), x
 * its mean success. */
void parl_task_sampler_observe(parl_task_sampler *sampler, const parl_job *jobs, size_t K);
/* The update is over. Returns what was drawn for it. */
parl_task_counts parl_task_sampler_commit(parl_task_sampler *sampler);
/* The buckets met so far, in that order, as of the last commit; more than there is room for are in
 * the last one. */
const parl_task_bucket *parl_task_sampler_get_buckets(const parl_task_sampler *sampler, size_t *n);

/* As the member "tasks" of an open object, and back; without it nothing was seen.
 * Fails: EFORMAT if there is something else. */
void parl_task_sampler_write(const parl_task_sampler *sampler, parl_json_writer *w);
parl_status parl_task_sampler_read(parl_task_sampler *sampler, const parl_json *object);

#endif
