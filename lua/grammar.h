/* lua/grammar.h - which token may come next, and what the tokens of a turn mean.
 *
 * A turn of the orchestrator is either launches: assign_task NAME VALUE+ (assign_task ...)* <go>,
 * or direct calls: TOOL VALUE*, create_subagent NAME ROLE, or finish. A sub-agent's turn is one
 * direct call or finish. A turn of direct calls ends after max_direct calls or at <go>. A `many`
 * slot ends with whatever may follow it (next slot, next call, <go>).
 *   turn(main) := launch+ GO | direct (direct)* [GO] | FINISH
 * Every masked action is well formed; a mask is never empty: finish is allowed at the start of
 * every turn. Thread rule: one thread per grammar (it calls the environment's `legal`). */
#ifndef PARL_LUA_GRAMMAR_H
#define PARL_LUA_GRAMMAR_H
#include "lua/env.h"

/* Vocabularies have up to 2048 tokens. */
enum { PARL_TURN_MAX_CALLS = 128, PARL_TURN_MAX_WORDS = 4096, PARL_MASK_MAX_WORDS = 32 };

/* No default is safe for all: state the three. */
typedef struct parl_grammar_def {
  bool use_legal;  /* ask the environment which values make sense */
  bool may_launch; /* orchestrator: create_subagent and assign_task exist */
  int max_direct;  /* direct calls in one turn, >= 1 */
  int max_width;   /* sub-agents of one launch, at most the environment's; 0: as many */
} parl_grammar_def;

/* What `legal` said in this turn about a slot of a tool (-1: assign_task). */
typedef struct parl_legal_answer {
  int16_t tool, slot, n_taken;
  uint64_t bits[2]; /* of values 1 to 128 */
} parl_legal_answer;

typedef struct parl_grammar {
  parl_env *env;
  parl_world world;
  parl_agent agent;
  parl_grammar_def def;
  bool is_main;
  uint8_t created_role[PARL_MAX_AGENT_NAMES]; /* 0: not registered, else role + 1 */
  int n_created;
  /* the turn being written */
  int n_calls;                   /* complete ones */
  int n_creating;                /* create_subagent among them */
  uint16_t *turn;                /* [room] borrowed: the calls, packed; see grammar.c */
  int n_words, n_complete, room; /* of turn: used, of complete calls, and at most */
  int state;                     /* what is expected next; see grammar.c */
  int slot, n_in_slot;
  int n_answers;                /* in this turn; the last four are kept */
  parl_legal_answer answers[4]; /* answer i at i % 4 */
} parl_grammar;

/* Words that `turn` needs: enough for every turn that the specification allows in a context of
 * `limit` tokens; at most PARL_TURN_MAX_WORDS. */
int parl_grammar_get_room(const parl_env_spec *spec, bool is_main, int max_direct, int limit);
/* Ready for the first turn. turn [room] is borrowed and holds the calls of one turn. */
void parl_grammar_init(parl_grammar *g, parl_env *env, parl_world world, parl_agent agent,
                       bool is_main, const parl_grammar_def *def, uint16_t *turn, int room);
/* mask [(n_tokens+63)/64] gets the allowed next tokens; *n_allowed their number (1: forced).
 * `legal` is advice: where it leaves nothing for a slot of a call that is begun, all values are
 * allowed. Fails: ESCRIPT etc. from `legal`. */
parl_status parl_grammar_get_mask(parl_grammar *g, uint64_t *mask, size_t *n_allowed);
/* Takes a token the mask allows; *turn_done when the turn is complete.
 * Fails: EINVAL if the token is not well formed here (legal is not asked again). */
parl_status parl_grammar_feed(parl_grammar *g, int32_t token, bool *turn_done);
/* Call i of 0 to n_calls - 1. Only the first n_values entries of its arrays are written. */
void parl_grammar_get_call(const parl_grammar *g, int i, parl_call *out);
/* After the turn was executed: registers created sub-agents, starts the next turn. */
void parl_grammar_next_turn(parl_grammar *g);
/* Takes a whole turn given as calls, at the start of a turn; its tokens go to tokens [max].
 * Fails: EINVAL if not expressible; a part of the turn may be taken then. */
parl_status parl_grammar_take(parl_grammar *g, const parl_call *calls, size_t n_calls,
                              int32_t *tokens, size_t max, size_t *n);
/* The same tokens, but g is left as it is: for demonstrations, whose tokens are fed one by one. */
parl_status parl_grammar_write(const parl_grammar *g, const parl_call *calls, size_t n_calls,
                               int32_t *tokens, size_t max, size_t *n);

#endif
