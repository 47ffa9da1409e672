/* parl/contract/conformance_internal.h - what the files of the suite share.
 *
 * Reading order: conformance.c (findings, the order of phases), conformance_calls.c (callbacks one
 * by one), conformance_episodes.c (experts and random play), conformance_traces.c (the
 * same again). */
#ifndef PARL_PARL_CONTRACT_CONFORMANCE_INTERNAL_H
#define PARL_PARL_CONTRACT_CONFORMANCE_INTERNAL_H
#include "parl/contract/conformance.h"
#include "parl/run/run.h"
#include "parl/swarm/rollout.h"

typedef struct parl_suite {
  const parl_conformance_def *def;
  parl_conformance *out;
  parl_run run;          /* the recipe's, without budget, errors stop */
  parl_workers *workers; /* one thread */
  parl_env_limits limits;
  int n_words;
  bool shows; /* images */
  int n_styles;
  char styles[PARL_ENV_MAX_STYLES][48];
  parl_seats seats[PARL_ENV_MAX_STYLES]; /* an orchestrator of each */
  bool has_legal;
  bool has_chance; /* the same calls may go differently: the optimum is an expectation */
  bool any_differ; /* two tasks were not the same */
  double reset_s;  /* the shortest of the first resets; 0: none was timed */
} parl_suite;

/* Adds a finding; the first few of a check, then they are dropped. */
void parl_suite_find(parl_suite *s, parl_conformance_check check, bool is_note, const char *where,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A script's failure becomes a finding of `check`, or of the one its text points at; any other is
 * passed on. */
parl_status parl_suite_blame(parl_suite *s, parl_status status, parl_conformance_check check,
                             const char *where);
/* Fails: ESTOPPED if asked to stop. */
parl_status parl_suite_go_on(const parl_suite *s);
parl_status parl_suite_open_env(const parl_suite *s, parl_env **out);
uint64_t parl_suite_task_seed(const parl_suite *s, size_t i);
uint64_t parl_suite_episode_seed(const parl_suite *s, size_t i);
double parl_suite_now_s(void);
/* Whether a reset takes so long that fewer worlds are made. */
bool parl_suite_is_slow(const parl_suite *s);
/* How many of n worlds are made, at least `least`: where a reset is slow, as many as take
 * slow_reset_s * 20. */
size_t parl_suite_afford(const parl_suite *s, size_t n, size_t least);
size_t parl_suite_count_tasks(const parl_suite *s);
size_t parl_suite_count_random(const parl_suite *s);

/* The phases. Each adds findings. */
parl_status parl_suite_check_calls(parl_suite *s);
parl_status parl_suite_check_traces(parl_suite *s);
parl_status parl_suite_check_experts(parl_suite *s);
parl_status parl_suite_check_random(parl_suite *s);
/* Hash of the traces as they come first; text of none is kept. */
parl_status parl_suite_hash_traces(parl_suite *s, char hash[PARL_HASH_HEX_BYTES]);

#endif
