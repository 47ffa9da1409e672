/* parl/learn/pretrain.h - learning from documents, before the warm start.
 *
 * A step takes the feed's next batch (parl/data/feed.h) and minimises the mean of -log p of its
 * learnt tokens, through the learner that reinforcement uses. A token is predicted among all but
 * those of images. What is measured goes into rows, a list that is part of the state: the state and
 * the model with its optimizer are all that a step depends on.
 * Thread rule: one thread per pretrainer; it uses the workers it was given.
 * Reading order: the recipe's fields, parl_pretrain_rows, parl_pretrainer_def, create, step. */
#ifndef PARL_PARL_LEARN_PRETRAIN_H
#define PARL_PARL_LEARN_PRETRAIN_H
#include "parl/data/feed.h"
#include "parl/learn/learner.h"

#define PARL_PRETRAIN_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                        \
  TEXT(init, "",                                                                                   \
       "checkpoint that the model begins as, of the same vocabulary; {seed}: the run's; empty: "   \
       "none")                                                                                     \
  TEXT(extend, "",                                                                                 \
       "the same, of a model of a shorter context and another rope_factor or "                     \
       "rope_original_context: a stage of YaRN")                                                   \
  CHOICE(init_part, all, "all|tower", "tower: what is not the vision tower is drawn anew")         \
  CHOICE(train, all, "all|vision", "vision: tower and projector alone learn")                      \
  INT(steps, 0, 0, 100000, "steps", "optimizer steps on `sources`, before the warm start")         \
  INT(batch_tokens, 2048, 16, 16777216, "tokens", "of whole documents in one step, at most")       \
  REAL(lr, 2e-3, 0.0, 1.0, "1", "learning rate after the warm-up")                                 \
  INT(warmup, 20, 0, 1000000, "steps", "linear warm-up of the learning rate")                      \
  CHOICE(decay, constant, "constant|linear|cosine", "how the learning rate falls to lr_end")       \
  REAL(decay_from, 0.0, 0.0, 1.0, "of the steps", "where the fall begins; it ends with the steps") \
  REAL(lr_end, 0.1, 0.0, 1.0, "of lr", "what the learning rate falls to (linear, cosine)")         \
  CHOICE(optimizer, adamw, "adamw|muonclip", "as optimizer.kind, with its other defaults")         \
  REAL(weight_decay, 0.0, 0.0, 1.0, "1", "decoupled weight decay of matrices")                     \
  INT(eval_every, 50, 1, 1000000, "steps",                                                         \
      "between looks at the held-out documents; the first is before any step, the last behind "    \
      "all")                                                                                       \
  INT(eval_documents, 64, 0, 100000, "documents", "of each source in a look; 0: no look")
PARL_CONFIG_STRUCT(parl_pretrain_config, PARL_PRETRAIN_FIELDS);
enum { PARL_DECAY_CONSTANT, PARL_DECAY_LINEAR, PARL_DECAY_COSINE };
enum { PARL_INIT_ALL, PARL_INIT_TOWER };
enum { PARL_TRAIN_ALL, PARL_TRAIN_VISION };
extern const parl_section parl_pretrain_section;

/* The learning rate of step t in [0, steps), without the warm-up. With u = (t / steps - from) /
 * (1 - from) within [0, 1], and e = lr_end: linear lr (1 - (1 - e) u), cosine
 * lr (e + (1 - e)(1 + cos(pi u)) / 2). */
double parl_pretrain_get_lr(const parl_pretrain_config *config, int64_t t);

/* Of a held-out document's learnt tokens `due` [n], where the likeliest behind those before it is
 * `likeliest` [n]. Greedy decoding writes what is due for as long as the likeliest tokens are the
 * due ones, so is_exact is of what it would write. Values of one family are of one kind, any other
 * token is of its own. Source: ours. */
typedef struct parl_pretrain_verdict {
  size_t n_right;
  bool is_exact, is_of_kind; /* all are right; all are of the due kind */
} parl_pretrain_verdict;
parl_pretrain_verdict parl_pretrain_judge(const parl_env_spec *spec, const int32_t *due,
                                          const int32_t *likeliest, size_t n);

enum { PARL_PRETRAIN_KEY_BYTES = 80 };
typedef struct parl_pretrain_row {
  int64_t step; /* of a look: steps made before it */
  char key[PARL_PRETRAIN_KEY_BYTES];
  double value;
} parl_pretrain_row;
typedef struct parl_pretrain_rows {
  size_t n, room;
  parl_pretrain_row *items; /* [n] */
} parl_pretrain_rows;
void parl_pretrain_rows_deinit(parl_pretrain_rows *rows);
/* The member "rows" of a state. Fails: EFORMAT, ENOMEM. */
parl_status parl_pretrain_rows_read(const parl_json *state, const char *what,
                                    parl_pretrain_rows *out);

typedef struct parl_pretrainer_def {
  const parl_pretrain_config *config; /* borrowed */
  parl_feed_def feed;                 /* of the same steps and batch_tokens */
  parl_model *model;                  /* borrowed; learns */
} parl_pretrainer_def;

typedef struct parl_pretrainer parl_pretrainer;
/* Fails: as parl_feed_create and parl_learner_create. */
parl_status parl_pretrainer_create(const parl_pretrainer_def *def, parl_pretrainer **out);
void parl_pretrainer_destroy(parl_pretrainer *p);
parl_optimizer *parl_pretrainer_get_optimizer(parl_pretrainer *p);
/* Borrowed. */
const parl_feed *parl_pretrainer_get_feed(const parl_pretrainer *p);
/* Steps made. */
int64_t parl_pretrainer_get_step(const parl_pretrainer *p);
/* Mean loss of the last step; NaN before. */
double parl_pretrainer_get_loss(const parl_pretrainer *p);
/* Borrowed. */
const parl_pretrain_rows *parl_pretrainer_get_rows(const parl_pretrainer *p);
/* The next step, with the looks that are due. What fails before the weights move leaves them as
 * they were; after any failure the pretrainer is only to be destroyed. Fails: as parl_feed_next,
 * parl_learner_step. */
parl_status parl_pretrainer_step(parl_pretrainer *p);
/* Members of an open object, and from one. Fails: EFORMAT naming what is wrong, ENOMEM. */
void parl_pretrainer_write_state(const parl_pretrainer *p, parl_json_writer *w);
parl_status parl_pretrainer_read_state(parl_pretrainer *p, const parl_json *state,
                                       const char *what);

#endif
