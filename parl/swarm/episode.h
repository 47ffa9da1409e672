/* parl/swarm/episode.h - the swarm episode: contexts, turns, sub-agents, steps (DESIGN 5).
 *
 * Internal to the rollout: an episode is a state machine that runs until a policy must choose a
 * token. The shard then decodes all waiting contexts in one batch and hands each its token.
 * Thread rule: an episode belongs to its shard's thread. Reading order: context, episode, start,
 * choose, collect. */
#ifndef PARL_PARL_SWARM_EPISODE_H
#define PARL_PARL_SWARM_EPISODE_H
#include "core/arena.h"
#include "lua/grammar.h"
#include "parl/swarm/observer.h"
#include "parl/swarm/player.h"
#include "parl/swarm/rollout.h"
#include "parl/swarm/swarm_config.h"

enum {
  PARL_EPISODE_MAX_WIDTH = 128,  /* sub-agents of one turn */
  PARL_SCRIPT_MAX_TOKENS = 1024, /* tokens of one scripted turn */
  PARL_TASK_PAGE = 30            /* assignments remembered on one page */
};

typedef enum parl_context_state {
  PARL_CONTEXT_FREE,    /* not in use */
  PARL_CONTEXT_RUNNING, /* being advanced */
  PARL_CONTEXT_CHOOSE,  /* waits for its player: for a token that `mask` allows, or for a turn */
  PARL_CONTEXT_WAIT,    /* an orchestrator whose group is out */
  PARL_CONTEXT_DONE     /* a sub-agent that ended, an orchestrator whose episode ended */
} parl_context_state;

struct parl_episode;

/* One agent's context: tokens, grammar, decoder slot. */
typedef struct parl_context {
  parl_context_state state;
  struct parl_episode *episode;
  bool is_main;
  int ordinal; /* 0: orchestrator; sub-agents count from 1 in order of assignment */
  parl_agent agent;
  parl_grammar grammar;
  int role;           /* of a sub-agent, from 0; -1: the orchestrator */
  parl_player player; /* who decides for it */
  struct parl_seat
      *seat;         /* the player's in the shard; NULL: not looked for yet, or it needs none */
  uint64_t asked;    /* id of the question that is open; 0: none */
  int32_t slot;      /* its place among the contexts of its side */
  int32_t limit;     /* tokens the context holds */
  int32_t n_taken;   /* tokens ever appended, those a rewrite dropped included */
  int16_t *origin;   /* [limit] of each token: 0 prompt, t > 0 written in turn t, -t observed */
  bool is_new;       /* begun or rewritten since it was last asked */
  parl_sequence own; /* tokens of a context that is not recorded */
  parl_sequence *sequence; /* own, or the trajectory's */
  bool record;             /* choices are written down */
  uint64_t mask[PARL_MASK_MAX_WORDS];
  size_t n_allowed; /* tokens in mask */
  double temperature;
  int64_t steps, step_limit; /* sub-agent */
  int64_t n_written;         /* tokens that were not observed */
  bool finished;             /* sub-agent: ended by finish */
  size_t sub_index;          /* place in its group */
  uint16_t *turn;            /* [room] the grammar's */
  int room;
} parl_context;

/* A sub-agent of the group that is out. */
typedef struct parl_launch {
  bool finished;
  bool is_missed; /* its message is so late that the launch is over */
  parl_agent agent;
  int ordinal;
  int64_t steps, tokens;
} parl_launch;

/* Hashes of tasks assigned in an episode, to find duplicates. */
typedef struct parl_task_page {
  struct parl_task_page *next;
  size_t n;
  uint64_t hash[PARL_TASK_PAGE];
} parl_task_page;

/* Where a shard's episodes take their pages. */
typedef struct parl_task_pool {
  parl_arena *arena; /* borrowed; grows until as many pages are in use as ever will be */
  parl_task_page *free;
} parl_task_pool;

typedef struct parl_episode {
  bool live;
  const parl_job *job;
  parl_world world;
  parl_context *main;
  int64_t budget; /* in what it counts, the makespan in thousandths of a step; INT64_MAX: none */
  int64_t critical, total, written; /* steps; tokens of all agents */
  parl_cost_sums cost;
  double r_perf, success;
  parl_facts facts;
  int n_assigned; /* in the episode */
  parl_replay_cursor replay;
  int64_t resumed; /* critical steps of what was replayed */
  /* the group that is out */
  size_t n_launches, n_started, n_done;
  parl_launch *launches;         /* [limits.max_width] */
  int64_t sub_limit, sub_tokens; /* steps and, where the budget counts them, tokens of each */
  parl_task_page *tasks;         /* pages the newest first */
} parl_episode;

/* What an episode needs of its shard. */
typedef struct parl_episode_env {
  parl_env *env;
  const parl_env_spec *spec;
  const parl_swarm_config *config;
  parl_cost cost;                /* of config */
  const parl_seats *seats;       /* of the rollout */
  int n_words;                   /* of a mask */
  const parl_observer *observer; /* or NULL */
  parl_call *calls;              /* [PARL_TURN_MAX_CALLS] scratch for scripted turns, */
  int32_t *script;               /* [PARL_SCRIPT_MAX_TOKENS] and their tokens */
  int32_t *tokens;               /* [PARL_ENV_MAX_OBSERVATION] scratch for observations */
  parl_task_pool *tasks;
  parl_split *split; /* NULL until a job asks for a part */
} parl_episode_env;

/* --- episode_context.c --- */

/* The context of the orchestrator, ordinal 0, or of a sub-agent begins; recorded: or NULL. */
void parl_context_init(const parl_episode_env *ee, parl_context *c, parl_episode *ep, int ordinal,
                       parl_agent agent, parl_sequence *recorded);
/* Appends tokens nobody chose, observed in the present turn; false if the context is full. */
bool parl_context_append(parl_context *c, const int32_t *tokens, size_t n);
/* The same of what a callback has just returned, ee->tokens [n], with its images. Fails: ELIMIT if
 * the episode shows too many. */
parl_status parl_context_observe(const parl_episode_env *ee, parl_context *c, size_t n, bool *fits);
/* A token, and behind it what a callback has just returned. */
parl_status parl_context_begin(const parl_episode_env *ee, parl_context *c, int32_t head, size_t n,
                               bool *fits);
/* The images of what a callback has just returned, whose tokens stand from `base` on. Fails: ELIMIT
 * if the episode shows too many, naming the script. */
parl_status parl_context_add_shown(const parl_episode_env *ee, const parl_context *c, int32_t base);

/* --- episode_memory.c, episode_seats.c --- */

/* Takes what a context or an episode points to from an arena; both are zeroed first.
 * Fails: ENOMEM. */
parl_status parl_context_create(const parl_episode_env *ee, parl_arena *arena, bool is_main,
                                parl_context *out);
parl_status parl_episode_create(const parl_episode_env *ee, parl_arena *arena, parl_episode *out);
/* Who decides for an orchestrator, and for a sub-agent, whose role is set: the job's player before
 * the rollout's, that of a role before that of all sub-agents. A script without a style follows the
 * orchestrator's, else the environment's first. Fails: EINVAL if there is none. */
void parl_context_seat_main(const parl_episode_env *ee, parl_context *main, const parl_job *job);
parl_status parl_context_seat_sub(const parl_episode_env *ee, parl_context *sub);
/* The tokens that may come next, into c->mask; *n_allowed their number. Fails: as `legal` does. */
parl_status parl_context_get_mask(const parl_episode_env *ee, parl_context *c, size_t *n_allowed);
/* The first token of c->mask. */
int32_t parl_context_only_token(const parl_context *c);
/* Calls of a turn that are played of n: under episode.max_width a script's launch is cut; it
 * launches the rest when it is asked again. */
size_t parl_context_cut_launch(const parl_episode_env *ee, const parl_context *c,
                               const parl_call *calls, size_t n);
/* Whether a scripted sub-agent does its work at all. */
bool parl_context_is_reliable(const parl_context *sub);
/* What a context in state CHOOSE asks its player; id is the caller's. */
void parl_context_get_question(const parl_episode_env *ee, const parl_context *c,
                               parl_question *out);
/* Bytes that an episode, its orchestrator's context included, holds on the C side, with up to
 * PARL_TASK_PAGE assignments. */
size_t parl_episode_get_bytes(const parl_env_spec *spec, const parl_episode_config *config);
/* Notes an assigned task; *is_known if it was noted before. Fails: ENOMEM. */
parl_status parl_episode_note_task(parl_task_pool *pool, parl_episode *ep, const parl_call *task,
                                   bool *is_known);
/* Gives the episode's pages back. */
void parl_episode_forget_tasks(parl_task_pool *pool, parl_episode *ep);

/* --- episode_budget.c --- */

/* The facts of the task, and its budget: episode.budget_steps, or budget_factor times the
 * optimum. */
void parl_episode_put_task(const parl_episode_env *ee, parl_episode *ep,
                           const parl_env_optimum *optimum);
/* Whether the budget pays a step of the orchestrator. */
bool parl_episode_can_step(const parl_episode_env *ee, const parl_episode *ep);
/* Shares what the budget leaves after a launch of n among its sub-agents, evenly where all of them
 * together are counted: sub_limit, sub_tokens. False: it does not pay the launch. */
bool parl_episode_share(const parl_episode_env *ee, parl_episode *ep, int n);
/* Books a stage, or a part of one. Fails: as parl_critical_steps. */
parl_status parl_episode_spend(const parl_episode_env *ee, parl_episode *ep,
                               const parl_stage *stage);
/* Whether the budget pays one more token of this agent. */
bool parl_context_can_write(const parl_episode_env *ee, const parl_context *c);
/* The facts that costs are. */
void parl_episode_put_costs(const parl_episode_env *ee, parl_episode *ep);

/* --- episode_messages.c --- */

/* Whose message of the group that is out arrives at the place of sub-agent `index`: its own, a
 * sibling's, or nobody's, n_launches. A function of the episode's seed and the sub-agent. */
size_t parl_episode_draw_message(const parl_episode_env *ee, const parl_episode *ep, size_t index);
/* A sub-agent has ended: adds to its steps those by which its message is late, as many as it may
 * take at most; is it later, it is missed. A function of the same. */
void parl_episode_delay_message(const parl_episode_env *ee, const parl_episode *ep,
                                parl_launch *launch);
/* The message of the group's sub-agent `from` is in ee->tokens [*n]. Fails: as the script. */
parl_status parl_episode_hear(const parl_episode_env *ee, const parl_episode *ep, size_t from,
                              size_t *n);
/* Books what arrived in the place of the message of the group's sub-agent `index`: that of `from`,
 * nobody's if it is n_launches; gain is the change of r_perf. */
void parl_episode_note_message(parl_episode *ep, size_t index, size_t from, double gain);
/* All messages of the group were delivered or lost. */
parl_status parl_episode_dismiss(const parl_episode_env *ee, const parl_episode *ep);

/* Starts the job's episode on a free episode and context, and advances the orchestrator to its
 * first choice. */
parl_status parl_episode_start(const parl_episode_env *ee, parl_episode *ep, parl_context *main,
                               const parl_job *job);
/* True while a launched sub-agent waits for a context. */
bool parl_episode_wants_sub(const parl_episode *ep);
/* Starts the next launched sub-agent on a free context and advances it. The context may be DONE
 * on return. */
parl_status parl_episode_start_sub(const parl_episode_env *ee, parl_episode *ep, parl_context *sub);
/* Gives a context in state CHOOSE its token, or its turn, and advances it to its next choice, wait
 * or end. Fails: EPLAYER if that is not allowed; as scripts do. */
parl_status parl_episode_choose(const parl_episode_env *ee, parl_context *c, int32_t token,
                                float logp);
parl_status parl_episode_take_turn(const parl_episode_env *ee, parl_context *c,
                                   const parl_call *calls, size_t n_calls);
/* Books a DONE sub-agent and frees its context; when its group is complete the messages are
 * delivered and the orchestrator goes on. */
parl_status parl_episode_end_sub(const parl_episode_env *ee, parl_context *sub);
/* Fills the trajectory of an episode whose orchestrator is DONE and releases its world. */
parl_status parl_episode_end(const parl_episode_env *ee, parl_episode *ep);

#endif
