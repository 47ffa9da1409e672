/* experiments/serve_internal.h - what a question is, and the answers that are made of the store.
 *
 * Thread rule: a question has one thread and a connection to the store of its own. Reading order:
 * question, answers. */
#ifndef PARL_EXPERIMENTS_SERVE_INTERNAL_H
#define PARL_EXPERIMENTS_SERVE_INTERNAL_H
#include "core/store.h"
#include "core/text.h"

typedef struct parl_serve_question {
  const char *folder;
  parl_store *store;
  int64_t run, row; /* numbers in the address; -1: none */
  const char *key;  /* of a metric; NULL: none */
} parl_serve_question;

enum {
  PARL_SERVE_POINTS = 400,   /* of a curve, at most */
  PARL_SERVE_EPISODES = 1000 /* of a list, at most */
};

/* Each appends a JSON object, but for the last one, which appends SVG. Fail: EINVAL for what was
 * asked wrongly or is not there; as the store does. */
parl_status parl_serve_runs(const parl_serve_question *q, parl_text *out);
parl_status parl_serve_keys(const parl_serve_question *q, parl_text *out);
parl_status parl_serve_curve(const parl_serve_question *q, parl_text *out);
parl_status parl_serve_arms(const parl_serve_question *q, parl_text *out);
parl_status parl_serve_episodes(const parl_serve_question *q, parl_text *out);
parl_status parl_serve_episode(const parl_serve_question *q, parl_text *out);

/* The page's own files, which the Makefile puts into the program. */
extern const char parl_serve_html[], parl_serve_js[], parl_serve_css[];

#endif
