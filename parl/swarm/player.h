/* parl/swarm/player.h - who acts in a seat: the orchestrator's, or that of a role of sub-agents.
 *
 * A player is a model, a script, something that chooses (chance, a person, a replay), or whatever
 * else answers questions: a program, an endpoint. Each shard of a rollout opens a seat for every
 * player of a side and asks it in batches: it submits the questions of all contexts that wait, any
 * number of them in flight, and collects answers as they come, in any order. What comes out of an
 * episode does not depend on that order.
 * A player that fails to answer, or answers what is not allowed, fails the episode as its script
 * would: env.on_error stops the run or leaves the episode out.
 * Thread rule: a seat belongs to its shard's thread; what seats of one player share must lock.
 * Reading order: parl_question, parl_answer, parl_player_kind, parl_player, the makers. */
#ifndef PARL_PARL_SWARM_PLAYER_H
#define PARL_PARL_SWARM_PLAYER_H
#include "engine/decoder.h"
#include "lua/env.h"

struct parl_job;
struct parl_player;

/* What an agent does next: one token, the set bits of mask being allowed; or its whole turn in
 * calls. Everything is borrowed and stays as it is until the question is answered or forgotten. */
typedef struct parl_question {
  uint64_t id;  /* of this question; later ones have larger ids */
  int32_t slot; /* 0 to n_slots - 1: the agent's, for as long as it lives */
  bool is_new;  /* its context begins here, or was rewritten: nothing asked before leads to it */
  const struct parl_job *job; /* which episode */
  parl_env *env;
  parl_world world;
  parl_agent agent;
  int turn;              /* of the orchestrator, from 1 */
  int ordinal;           /* 0: the orchestrator; sub-agents from 1 in order of assignment */
  int role;              /* of a sub-agent, from 0; -1: the orchestrator */
  const int32_t *tokens; /* [n_tokens] the agent's context */
  size_t n_tokens;
  parl_env_shown shown; /* images among them */
  const uint64_t *mask; /* [(vocabulary + 63) / 64] at least two bits set; NULL: a whole turn */
  size_t n_allowed;     /* bits of mask */
  double temperature;   /* to sample at; 0: greedily */
  double top_p; /* to sample from the nucleus of this mass alone; 0: from all allowed tokens */
  uint64_t stream, index; /* names the random number of this choice, with job->episode_seed */
} parl_question;

/* To one question. A token, or n_calls > 0 calls that are the turn. */
typedef struct parl_answer {
  uint64_t id; /* of the question */
  int32_t slot;
  int32_t token;
  float logp;             /* natural logarithm of the token's probability; 0 if it has none */
  const parl_call *calls; /* [n_calls] borrowed until the next call of the seat */
  size_t n_calls;
  parl_status status; /* not OK: there is no answer, and error says why */
  const char *error;  /* borrowed as calls are; NULL: unknown */
} parl_answer;

/* What seats of a shard did, for metrics. */
typedef struct parl_player_counts {
  int64_t decoded_tokens; /* rows through a decoder */
  int64_t reused_tokens;  /* not decoded: another context had the same prefix */
  int64_t n_cut;          /* choices sampled from a nucleus */
  int64_t cut;            /* probability outside of it, summed over them; in 2^-32, so that no order
                             of summation matters */
} parl_player_counts;

typedef struct parl_seat_def {
  const struct parl_player *player;
  const parl_env_spec *spec;
  bool is_main;               /* orchestrators; else sub-agents */
  size_t n_slots;             /* agents that may ask at once */
  parl_player_counts *counts; /* the shard's; the seat adds to them */
} parl_seat_def;

/* How a sort of player plays. `seat` is what open made. */
typedef struct parl_player_kind {
  const char *name;
  bool asks_turns; /* asked where a turn begins, answers in calls; else at each choice, in tokens */
  /* Writes a turn at once, without a seat: open to collect are not called then. Up to `max` calls.
   * Fails: as the script does. NULL: this player has seats. */
  parl_status (*write_turn)(const struct parl_player *player, const parl_question *question,
                            parl_call *calls, size_t max, size_t *n);
  parl_status (*open)(const parl_seat_def *def, void **seat);
  void (*close)(void *seat);
  /* Takes n questions, one a slot at most. Must not wait. A failure ends the rollout with it. */
  parl_status (*submit)(void *seat, const parl_question *questions, size_t n);
  /* Hands over what has been answered, up to `max`; may_wait: nothing else is to be done, so wait
   * up to 0.1 s where there is nothing yet. A failure ends the rollout with it. */
  parl_status (*collect)(void *seat, bool may_wait, parl_answer *answers, size_t max, size_t *n);
  /* The slot's question needs no answer any more; one that comes is ignored. May be NULL. */
  void (*forget)(void *seat, int32_t slot);
} parl_player_kind;

/* A token for a question, at once. *token must be one that the mask allows. */
typedef parl_status (*parl_choose_function)(void *context, const parl_question *question,
                                            int32_t *token);

/* Plain data; two players with equal members are the same. */
typedef struct parl_player {
  const parl_player_kind *kind; /* NULL: nobody */
  void *context;                /* the kind's own; borrowed */
  const parl_model *model;      /* of a model; borrowed, may change its weights between runs */
  parl_cache_dtype cache;       /* of a model: how its decoder keeps keys and values */
  double temperature;           /* of a model as sub-agent; an orchestrator's is the job's */
  const char *style; /* of a script; borrowed. "" for sub-agents: their orchestrator's, if that is a
                         script, else the environment's first */
  double reliability; /* of a script as sub-agent: chance that one works at all */
  bool learns;        /* of a model as sub-agent: it is the policy that learns, and samples as its
                  orchestrator does, at the job's temperature and top_p */
  parl_choose_function choose; /* of one that chooses */
} parl_player;

bool parl_player_is_same(const parl_player *a, const parl_player *b);

/* Samples from a model. */
parl_player parl_player_of_model(const parl_model *model, parl_cache_dtype cache,
                                 double temperature);
/* An expert style of the environment. */
parl_player parl_player_of_script(const char *style, double reliability);
bool parl_player_is_script(const parl_player *player);
/* Asked one question after another: a person, a replay. */
parl_player parl_player_of_choices(parl_choose_function choose, void *context);
/* Every allowed token with the same chance, but `finish` only if it is drawn twice in a row: play
 * goes deeper than one that stops as soon as it may. A function of the episode's seed, the agent
 * and the length of its context, so it is the same whatever else is played. */
parl_player parl_player_of_chance(void);

/* Who sits where. */
typedef struct parl_seats {
  parl_player main;                        /* orchestrators */
  parl_player subs;                        /* sub-agents */
  parl_player of_role[PARL_ENV_MAX_ROLES]; /* sub-agents of a role; nobody: subs */
} parl_seats;

#endif
