/* parl/swarm/observer.h - watching episodes from outside.
 *
 * An observer hears of every call, launch and message of every episode of a rollout; without one an
 * episode pays a test of a NULL pointer.
 * Thread rule: called from the threads of the rollout's shards, one episode at a time within a
 * shard; use it with one worker unless it locks. Everything an event points to is
 * borrowed for the length of the call. Reading order: parl_event, parl_observer. */
#ifndef PARL_PARL_SWARM_OBSERVER_H
#define PARL_PARL_SWARM_OBSERVER_H
#include "lua/env.h"
#include "parl/swarm/facts.h"

struct parl_job;

/* X(name, text) */
#define PARL_EVENT_LIST(X)                                                                  \
  X(START, "start")     /* the prompt is in the orchestrator's context: tokens */           \
  X(CALL, "call")       /* an agent made a call: call, and the observation as tokens */     \
  X(LAUNCH, "launch")   /* the orchestrator launched a group: width */                      \
  X(BRIEF, "brief")     /* a sub-agent begins: call is its task, tokens its brief */        \
  X(DELIVER, "deliver") /* its message reaches the orchestrator: tokens, finished, steps */ \
  X(INVALID, "invalid") /* a malformed call: a step lost */                                 \
  X(AGAINST, "against") /* a recorded expert wrote a token that `legal` masks: tokens */    \
  X(END, "end")         /* the episode is over: facts */
typedef enum parl_event_kind {
#define X(name, text) PARL_EVENT_##name,
  PARL_EVENT_LIST(X)
#undef X
      PARL_N_EVENT_KINDS
} parl_event_kind;

typedef struct parl_event {
  parl_event_kind kind;
  const struct parl_job *job; /* which episode */
  parl_env *env;
  parl_world world;
  int turn;              /* of the orchestrator, from 1; 0 before its first */
  int agent;             /* 0: the orchestrator; sub-agents from 1 in order of assignment */
  const parl_call *call; /* CALL, BRIEF; else NULL */
  const int32_t *tokens; /* [n_tokens] */
  size_t n_tokens;
  parl_env_shown shown;    /* images among them */
  int width;               /* LAUNCH: sub-agents */
  bool finished;           /* DELIVER */
  int64_t steps;           /* CALL, DELIVER: steps of this sub-agent so far */
  int64_t critical, total; /* steps of the episode so far; a group counts when it is back */
  double r_perf;           /* after this event */
  const parl_facts *facts; /* END */
} parl_event;

typedef struct parl_observer {
  /* A failure ends the rollout with it. */
  parl_status (*on_event)(void *context, const parl_event *event);
  void *context;
} parl_observer;

#endif
