/* parl/reward/score_line.h - one recorded episode as a line of JSON: read, scored, told.
 *
 * The fields are in docs/reward-research.md. Thread rule: one reader, one thread; readers share the
 * table and the rules, and the reward if its terms are built in. Reading order: parl_score_rules,
 * parl_score_reader, read, append.
 */
#ifndef PARL_PARL_REWARD_SCORE_LINE_H
#define PARL_PARL_REWARD_SCORE_LINE_H
#include "core/json_pull.h"
#include "core/text.h"
#include "parl/reward/score.h"

/* Facts of an episode that a line may state; the other facts follow from its stages.
 * X(name, least, most, what a value has to be) */
#define PARL_SCORE_FIELD_LIST(X)                                                 \
  X(r_perf, 0, 1, "a number from 0 to 1")                                        \
  X(success, 0, 1, "a number from 0 to 1")                                       \
  X(optimum_steps, 0, 9007199254740992.0, "a number from 0 to 9007199254740992") \
  X(optimum_width, 0, 2147483647.0, "a number from 0 to 2147483647")             \
  X(serial_steps, 0, 9007199254740992.0, "a number from 0 to 9007199254740992")  \
  X(budget_steps, 0, 9007199254740992.0, "a number from 0 to 9007199254740992")  \
  X(cap_width, 1, 2147483647.0, "a number from 1 to 2147483647")                 \
  X(tokens, 0, 9007199254740992.0, "a number from 0 to 9007199254740992")
typedef enum parl_score_field {
#define X(name, least, most, what) PARL_SCORE_FIELD_##name,
  PARL_SCORE_FIELD_LIST(X)
#undef X
      PARL_N_SCORE_FIELDS
} parl_score_field;

enum { PARL_SCORE_SHOWN = 256 };
typedef struct parl_score_task {
  const char *bytes; /* of a line, or of own text at `offset` */
  size_t n, offset;
  uint64_t hash;
  bool is_own;
} parl_score_task;

/* What is made of lines, for all readers; borrowed. */
typedef struct parl_score_rules {
  const parl_reward_config *config; /* whose definitions say which fields have to be there */
  bool needs[PARL_N_SCORE_FIELDS];  /* which others the reward is made of */
  int64_t update;                   /* that terms are told */
  const double *weights;            /* [n of the reward's table] of the total; NULL: it has none */
} parl_score_rules;

/* What a line said; valid until the next is read. All 0 at first but for the rules. */
typedef struct parl_score_reader {
  const parl_score_rules *rules;
  const char *id; /* as it stands in the line, with its quotes; borrowed */
  size_t id_bytes;
  parl_stages stages;
  parl_facts facts;
  double terms[PARL_MAX_TERMS], total; /* total: if there are weights */
  bool is_known[PARL_N_SCORE_FIELDS];
  bool has_useful; /* every sub-agent says whether it was */

  parl_json_pull pull;
  parl_text where;        /* path of the value that is read, for errors */
  parl_score_task *tasks; /* [n_tasks] different ones of the line */
  size_t n_tasks, task_capacity;
  uint32_t *places; /* [n_places] hash table into tasks, number + 1; 0: free */
  size_t n_places;
  parl_text own;                  /* texts of tasks that had escapes, and of keys */
  double shown[PARL_SCORE_SHOWN]; /* numbers written before, by hash, and their texts */
  char shown_text[PARL_SCORE_SHOWN][32];
} parl_score_reader;
void parl_score_reader_deinit(parl_score_reader *r);

/* Reads and scores a line [n], which is one JSON object. Fails: EFORMAT if it is not what it should
 * be: the text names field, value and what it has to be; ENOMEM; as parl_score_episode. */
parl_status parl_score_read(parl_score_reader *r, parl_reward *reward, const char *line, size_t n);

/* Appends what was read: {"id":..., "critical_steps":..., ...} and a line end. */
void parl_score_append(parl_score_reader *r, parl_text *out);

#endif
