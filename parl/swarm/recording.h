/* parl/swarm/recording.h - what an orchestrator wrote, and playing it again, changed or not.
 *
 * An episode is a function of its seeds, its sub-agents' players and the tokens that the
 * orchestrator wrote: whoever has these has the episode. A replay writes recorded turns in place of
 * the player, and everything else happens anew, to the same bits; sub-agents play again, by the
 * players in their seats. An edit leaves one launch, one assignment of it, one value of a task, or
 * any set of these out, or finishes instead; what follows is the same episode without it.
 * Sub-agents keep the numbers that they had with it, which name their random numbers, so nothing
 * differs by chance.
 *
 * A turn that makes no sense without what was left out is written all the same, as `legal` is
 * advice: it costs its steps and does what it can.
 * Thread rule: plain data. Reading order: parl_recording, parl_replay; the rest is the episode's.
 */
#ifndef PARL_PARL_SWARM_RECORDING_H
#define PARL_PARL_SWARM_RECORDING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A token of an orchestrator's turn. */
typedef struct parl_written {
  int32_t token;
  int32_t at; /* tokens that its context ever took before it: names the random number of a choice */
  float logp; /* behaviour log-probability of a choice, nats; 0 of others */
  int16_t turn;   /* from 1 */
  bool is_choice; /* of a player's, among at least two */
} parl_written;

/* All that an orchestrator wrote, forced tokens too, across rewrites of its context. */
typedef struct parl_recording {
  size_t capacity, n;  /* tokens; capacity 0: nothing is kept */
  size_t n_complete;   /* of turns that were complete; the others are of one that was not */
  bool is_cut;         /* there was no room for all */
  parl_written *items; /* [capacity] */
} parl_recording;

/* X(name, text). What is changed in turn parl_replay.turn, or with DROP_TOKENS in any. */
#define PARL_EDIT_LIST(X)                                                       \
  X(NONE, "none")               /* nothing */                                   \
  X(DROP_LAUNCH, "drop_launch") /* the launch is left out */                    \
  X(DROP_SUB, "drop_sub")       /* one of its assignments is; of one: it all */ \
  X(DROP_VALUE, "drop_value")   /* one value of an assignment's task is */      \
  X(FINISH, "finish")           /* the orchestrator finishes instead */         \
  X(DROP_TOKENS, "drop_tokens") /* whatever is marked is left out */
typedef enum parl_edit {
#define X(name, text) PARL_EDIT_##name,
  PARL_EDIT_LIST(X)
#undef X
      PARL_N_EDITS
} parl_edit;

typedef struct parl_replay {
  const parl_recording *recording; /* borrowed; not cut */
  parl_edit edit;
  int turn, sub, value; /* of the edit: the turn, from 1, which launched; DROP_SUB, DROP_VALUE: of
                           which, from 0; DROP_VALUE: which, from 0, one that may be left out */
  /* false: after the edit the recorded turns go on, those that were complete, and then it finishes;
   * without an edit the recording is the whole episode. true: from the edit on, or where the
   * recording ends, be it amid a turn, the player in the orchestrator's seat decides, with the
   * random numbers that it would have had; after DROP_LAUNCH it may not launch in that turn. */
  bool goes_on;        /* false with DROP_TOKENS */
  const bool *dropped; /* DROP_TOKENS: [recording->n] borrowed; which tokens are left out, as
                          parl_recording_mark and parl_recording_end_marks mark them */
} parl_replay;

/* Marks the tokens of assignment `sub`, from 0, of the turn, from 1, or (value >= 0) of one value
 * of its task, one that may be left out; marks [recording->n]. */
void parl_recording_mark(const parl_recording *recording, int turn, int sub, int value,
                         bool *marks);
/* Of a turn that assigns, all of whose assignments are marked, marks the rest too. */
void parl_recording_end_marks(const parl_recording *recording, bool *marks);

/* --- the episode's --- */

/* Where a replay is. */
typedef struct parl_replay_cursor {
  const parl_replay *of; /* NULL: nothing is replayed (any more) */
  size_t next;           /* of the recording */
  size_t skip, skip_to;  /* tokens left out, once it is known which */
  bool is_edited;
  bool bans_launch;         /* the turn to be written may not launch */
  int first_raised, raised; /* sub-agents from this number on have one that is so much larger */
  size_t first;             /* DROP_TOKENS: of the turn; `raised` is of the turns before it */
} parl_replay_cursor;

parl_replay_cursor parl_replay_begin(const parl_replay *replay);
/* The next token to write; n_assigned: sub-agents of the episode so far. False: from here on the
 * player decides, or nobody does, and *n_taken, if it does, is to be what it says. */
bool parl_replay_next(parl_replay_cursor *cursor, int n_assigned, int32_t *n_taken,
                      parl_written *out);
/* Number of a sub-agent that is the n-th to be assigned, from 1, and `index` of its launch, from 0.
 */
int parl_replay_get_ordinal(const parl_replay_cursor *cursor, int n, size_t index);

void parl_recording_clear(parl_recording *recording);
void parl_recording_add(parl_recording *recording, const parl_written *item);
/* The turn is complete. */
void parl_recording_end_turn(parl_recording *recording);

#endif
