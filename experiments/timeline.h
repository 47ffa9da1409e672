/* experiments/timeline.h - one episode as a picture: the orchestrator and its sub-agents as lanes
 * over critical steps.
 *
 * Made of the turns that the store keeps (parl/swarm/stages.h); the texts of calls and messages are
 * not stored and come from the episode played again (parl/run/rerun.h). The critical path is every
 * step of the orchestrator and, in each turn, the first of the longest sub-agents.
 * Thread rule: one thread per timeline. Reading order: sub, turn, title, timeline, read, add_trace,
 * the drawings; find. */
#ifndef PARL_EXPERIMENTS_TIMELINE_H
#define PARL_EXPERIMENTS_TIMELINE_H
#include "core/arena.h"
#include "core/json.h"
#include "core/store.h"
#include "core/text.h"
#include "parl/swarm/trace.h"

/* Texts are the timeline's. */
typedef struct parl_timeline_sub {
  int64_t steps;
  const char *role, *task;
  const char *calls, *message; /* one call a line; NULL: not known */
  bool finished, useful, duplicate, is_lost, is_false;
} parl_timeline_sub;

typedef struct parl_timeline_turn {
  int64_t begin;           /* critical steps before it */
  int64_t main;            /* steps of the orchestrator */
  double r_perf;           /* after it */
  size_t first_sub, width; /* its sub-agents, into parl_timeline.subs */
  size_t longest;          /* of them, the one on the critical path; == width: none took a step */
  const char *calls;       /* of the orchestrator, one a line; NULL: not known */
} parl_timeline_turn;

/* Which episode; what is not known is -1, NaN or "". */
typedef struct parl_timeline_title {
  const char *recipe, *arm, *policy, *decoding, *family, *end;
  int64_t seed, update, task_seed;
  int64_t number; /* of the held-out task, or place among the update's episodes */
  bool is_training;
  double r_perf, optimum_steps;
} parl_timeline_title;

typedef struct parl_timeline {
  parl_arena arena;
  parl_timeline_title title;
  int64_t critical, total;
  size_t n_turns, n_subs, n_lanes; /* n_lanes: the widest launch */
  parl_timeline_turn *turns;       /* [n_turns] */
  parl_timeline_sub *subs;         /* [n_subs] in the order of assignment */
  bool has_calls;                  /* add_trace was here */
} parl_timeline;

/* Reads the turns from the stored JSON [n bytes]; title is copied. *out is to be freed by deinit,
 * also after a failure. Fails: EFORMAT if it is no such JSON or steps are no counts; ENOMEM. */
parl_status parl_timeline_read(const parl_timeline_title *title, const char *stages, size_t n,
                               parl_timeline *out);
void parl_timeline_deinit(parl_timeline *t);

/* Adds what was called and said, of the same episode; the rows of the trace are sorted.
 * Fails: EINVAL if the trace has other turns or sub-agents; ENOMEM. */
parl_status parl_timeline_add_trace(parl_timeline *t, const parl_trace *trace, const parl_env *env);

/* One element <svg class="episode">, which report.css styles: each turn and sub-agent can be
 * pointed at and be reached by the Tab key, and says then what it did. */
void parl_timeline_append_svg(const parl_timeline *t, parl_text *out);
/* The same in letters, then what every turn did: at most `columns` (60 to 200) wide. colour: the
 * critical path is marked by the terminal's colours too. */
void parl_timeline_append_text(const parl_timeline *t, size_t columns, bool colour, parl_text *out);
/* A page of its own that needs no other file: picture and text. note: what is to be said of it;
 * shown: HTML of what the episode was shown, "" for none. */
void parl_timeline_append_page(const parl_timeline *t, const char *note, const char *shown,
                               parl_text *out);
/* {"arm":..., "turns":[{"calls", "main", "r_perf", "begin", "subs":[{..., "critical"}]}]}. */
void parl_timeline_write(const parl_timeline *t, parl_json_writer *w);
/* "annealed, seed 2, held-out task 3, sampled", and its numbers: "r_perf 0.5, ...". */
void parl_timeline_append_name(const parl_timeline_title *title, parl_text *out);
void parl_timeline_append_numbers(const parl_timeline *t, parl_text *out);

/* --- shared by the drawings --- */

/* What became of a sub-agent: "useful", "finished", "unfinished", "lost", "false". */
const char *parl_timeline_get_outcome(const parl_timeline_sub *sub);
/* Where it is on the path: whether sub `i` of the turn is. */
static inline bool parl_timeline_is_critical(const parl_timeline_turn *turn, size_t i) {
  return i == turn->longest;
}

/* --- in a store --- */

typedef struct parl_timeline_query {
  const char *folder; /* of the runs */
  const char *arm;    /* NULL: the first run */
  int64_t seed;       /* -1: the first of the arm */
  int64_t update;     /* of a training episode; -1: an evaluated one */
  int64_t episode;    /* held-out task, or place among the update's episodes */
  bool greedy;
} parl_timeline_query;

/* Reads an episode as parl_rerun_def names it, from the store alone. Fails: EINVAL naming what is
 * not there, or if its turns were not kept or its script failed; as the store and read do. */
parl_status parl_timeline_find(const parl_timeline_query *query, parl_timeline *out);

/* Number of the held-out task of an episode by its chance; -1: of none of n_tasks. */
int64_t parl_timeline_get_number(int64_t eval_seed, int64_t n_tasks, int64_t episode_seed);

#endif
