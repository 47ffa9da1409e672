/* parl/reward/score.c - recorded episodes, scored by ranges. */
#include "parl/reward/score.h"

#include <math.h>
#include <stdlib.h>

enum { RANGE = 2048 }; /* episodes of one task of the workers */

struct parl_scorer {
  parl_schedule_config weights[PARL_N_TERMS];
  parl_term_table *table;
  parl_reward *reward; /* built-in formulas keep nothing, so all workers may share it */
  parl_workers *workers;
};

parl_facts parl_score_none(void) {
  return (parl_facts){.optimum_width = (double)NAN, .end = PARL_END_FINISH};
}

parl_status parl_score_episode(parl_reward *reward, const parl_stages *stages, parl_facts *facts,
                               double *out) {
  PARL_TRY(parl_stages_get_facts(stages, facts));
  const parl_outcome outcome = {.facts = facts, .stages = stages};
  return parl_reward_built_in(reward, &(parl_group){.of = &outcome, .K = 1}, 0, out);
}

parl_status parl_scorer_create(const parl_reward_config *config, parl_workers *workers,
                               parl_scorer **out) {
  if (config->parallel == PARL_PARALLEL_LUA || config->finish == PARL_FINISH_LUA ||
      config->perf_lua[0] != '\0' || config->early_lua[0] != '\0')
    return parl_fail(PARL_STATUS_EINVAL,
                     "score: a term is a Lua expression; only definitions in C "
                     "can be scored");
  parl_scorer *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "score: no memory");
  s->workers = workers;
#define X(term, lambda, ...) \
  parl_config_set_defaults(&parl_##lambda##_section, &s->weights[PARL_TERM_##term]);
  PARL_TERM_LIST(X)
#undef X
  parl_status status = parl_term_table_create(s->weights, NULL, &s->table);
  if (status == PARL_STATUS_OK) status = parl_reward_create(config, s->table, &s->reward);
  if (status == PARL_STATUS_OK)
    *out = s;
  else
    parl_scorer_destroy(s);
  return status;
}

void parl_scorer_destroy(parl_scorer *scorer) {
  if (scorer == NULL) return;
  parl_reward_destroy(scorer->reward);
  parl_term_table_destroy(scorer->table);
  free(scorer);
}

typedef struct job {
  const parl_scorer *scorer;
  const parl_score_batch *batch;
  parl_facts *facts;
  double *out;
} job;

/* own: facts for an episode whose facts nobody asked for; nothing of it stays but what is stated of
 * none. */
static parl_facts *get_facts(const job *j, size_t i, parl_facts *own) {
  parl_facts *facts = j->facts != NULL ? &j->facts[i] : own;
  if (j->batch->stated != NULL)
    *facts = j->batch->stated[i];
  else if (j->facts != NULL)
    *facts = parl_score_none();
  else
    own->r_perf = 0; /* the rest is counted again */
  return facts;
}

static parl_status score_one(const job *j, size_t i, parl_facts *own) {
  const parl_score_batch *b = j->batch;
  const size_t first = b->first_stage[i];
  const parl_stages stages = {
      .n = b->first_stage[i + 1] - first, .items = &b->stages[first], .subs = b->subs};
  return parl_fail_context(parl_score_episode(j->scorer->reward, &stages, get_facts(j, i, own),
                                              &j->out[i * PARL_N_TERMS]),
                           "episode %zu", i);
}

static parl_status score_range(void *context, size_t task, size_t worker) {
  (void)worker;
  const job *j = context;
  parl_facts own = parl_score_none();
  const size_t end = (task + 1) * RANGE < j->batch->n ? (task + 1) * RANGE : j->batch->n;
  for (size_t i = task * RANGE; i < end; i++) PARL_TRY(score_one(j, i, &own));
  return PARL_STATUS_OK;
}

parl_status parl_score_batch_run(parl_scorer *scorer, const parl_score_batch *batch,
                                 parl_facts *facts, double *out) {
  job j = {scorer, batch, facts, out};
  return parl_workers_run(scorer->workers, (batch->n + RANGE - 1) / RANGE, score_range, &j);
}
