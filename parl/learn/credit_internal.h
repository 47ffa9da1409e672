/* parl/learn/credit_internal.h - what the files that assign credit share. */
#ifndef PARL_PARL_LEARN_CREDIT_INTERNAL_H
#define PARL_PARL_LEARN_CREDIT_INTERNAL_H
#include "core/arena.h"
#include "parl/learn/coalitions.h"
#include "parl/learn/credit.h"

/* An episode without a launch (sub -1), one of its assignments (value -1), or one value of it; or,
 * for shapley, coalition `coalition` of it. */
typedef struct parl_credit_variant {
  size_t i, stage;
  int sub, value;
  size_t coalition;
} parl_credit_variant;

/* Sums of a call, for metrics. */
typedef struct parl_credit_tally {
  double n_launches, n_subs, launch, sub, n_spurious, n_useless; /* known effects, their sums */
  double n_rerolls, n_failed, steps;
  parl_rollout_counts counts;
  double seconds;
} parl_credit_tally;

struct parl_credit {
  parl_credit_def def;
  parl_arena arena;
  size_t n_terms, n_turns, n_subs; /* of an episode at most: turns and one that was begun */
  size_t n_values;                 /* of tasks of an episode, at most */
  double *turns;                   /* [n, n_turns] TURN: advantage */
  parl_credit_effect *launches;    /* [n, n_turns] */
  parl_credit_effect *subs;        /* [n, n_subs] in the order of the stages' sub-agents */
  double *values;         /* [n, n_values] advantages, in the order of the stages' tokens, of what
                             is played */
  double *scales;         /* [n, n_terms], of groups */
  double *to_go;          /* TURN: [group, n_turns, n_terms] G */
  double *mean;           /* TURN: [n_terms] of it */
  parl_outcome *outcomes; /* [group] */
  parl_stages without;    /* LOO_STAGES: an episode's */
  /* what is played at once */
  size_t n_variants;
  parl_credit_variant *order;    /* [n_subs + n_values] candidates for a draw, or players */
  parl_credit_variant *variants; /* [n] */
  parl_replay *replays;          /* [n] */
  parl_job *jobs;                /* [n] */
  parl_trajectories *set;
  /* SHAPLEY */
  size_t n_marks;               /* tokens of a recording, at most */
  bool *marks;                  /* [n, n_marks] of the replays */
  size_t *places;               /* [n_subs + n_values] of the order that is asked for */
  parl_credit_variant *players; /* [n_subs + n_values] of the episode whose values come in */
  parl_shares shares;           /* its own */
  parl_credit_batch batch;      /* of the last call */
  parl_credit_tally tally;
};

/* Episode i of the batch. */
const parl_trajectory *parl_credit_get_episode(const parl_credit *c, size_t i);
parl_credit_effect *parl_credit_find_effect(const parl_credit *c, const parl_credit_variant *v);
double *parl_credit_find_value(const parl_credit *c, size_t i, size_t stage, size_t sub,
                               size_t value);
/* Assignments of an episode, those of launches of one as well if `all`, and the values added to
 * their tasks, out [n_subs + n_values]; returns their number. */
size_t parl_credit_list_parts(const parl_credit *c, size_t i, bool all, parl_credit_variant *out);
/* What an outcome in the place of episode i's own comes to: its terms as its advantage weighs them,
 * as the reward does, and r_perf. NULL: its own. Fails: as terms do. */
parl_status parl_credit_get_worth(parl_credit *c, size_t i, const parl_outcome *outcome,
                                  double out[PARL_N_SHARES]);
/* Has a changed episode played, at once or with others; parl_credit_take_coalition or the
 * difference follows. Fails: as a rollout. */
parl_status parl_credit_add(parl_credit *c, const parl_credit_variant *v,
                            const parl_replay *replay);
/* Plays what was added. */
parl_status parl_credit_play(parl_credit *c);

/* --- shapley --- */

parl_status parl_credit_take_orders(parl_credit *c);
parl_status parl_credit_assign_by_orders(parl_credit *c, size_t n);
/* A coalition was played; without NULL: it failed. */
parl_status parl_credit_take_coalition(parl_credit *c, const parl_credit_variant *v,
                                       const parl_outcome *without);

#endif
