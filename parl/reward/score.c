/* parl/reward/score.c - recorded episodes: one by one, and as columns, by ranges and blocks.
 *
 * A block of episodes stays in the nearest cache: what is counted of its stages and its terms are
 * columns there, which the formulas make in loops over the whole block. */
#include "parl/reward/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parl/reward/score_count.h"

enum {
  RANGE = 2048,
  BLOCK = PARL_SCORE_BLOCK
}; /* episodes of one task of the workers, of a block */

/* What a worker needs for a block. */
typedef struct room {
  parl_score_counts counts;
  double terms[PARL_N_TERMS][BLOCK];
} room;

struct parl_scorer {
  parl_reward_config config;
  parl_workers *workers;
  double unknown[PARL_N_FACTS][BLOCK]; /* parl_score_none */
  room rooms[];                        /* [threads] */
};

/* --- one by one --- */

parl_facts parl_score_none(void) {
  return (parl_facts){.optimum_width = (double)NAN, .end = PARL_END_FINISH};
}

parl_status parl_score_episode(parl_reward *reward, int64_t update, const parl_stages *stages,
                               parl_facts *facts, double *out) {
  PARL_TRY(parl_stages_get_facts(stages, facts));
  if (facts->budget_steps > 0) facts->budget_used = facts->critical_steps;
  const parl_outcome outcome = {.facts = facts, .stages = stages};
  return parl_reward_one(reward, &(parl_group){.of = &outcome, .K = 1, .update = update}, 0, out);
}

/* --- as columns --- */

static const ptrdiff_t count_offsets[PARL_N_FACTS] = {
#define X(fact) [PARL_FACT_##fact] = 1 + (ptrdiff_t)offsetof(parl_score_counts, fact),
    PARL_SCORE_COUNT_LIST(X)
#undef X
};

bool parl_score_is_counted(parl_fact fact) {
  return fact < PARL_N_FACTS && count_offsets[fact] > 0;
}

parl_status parl_scorer_create(const parl_reward_config *config, parl_workers *workers,
                               parl_scorer **out) {
  PARL_REQUIRE(config->parallel >= 0 && config->parallel < PARL_N_PARALLEL);
  PARL_REQUIRE(config->finish >= 0 && config->finish < PARL_N_FINISH);
  PARL_REQUIRE(config->parallel_cap >= 1);
  if (config->parallel == PARL_PARALLEL_LUA || config->finish == PARL_FINISH_LUA ||
      config->perf_lua[0] != '\0' || config->early_lua[0] != '\0')
    return parl_fail(PARL_STATUS_EINVAL,
                     "score: a term is a Lua expression; only definitions in C "
                     "can be scored");
  const size_t threads = parl_workers_get_count(workers);
  parl_scorer *s = calloc(1, sizeof *s + threads * sizeof s->rooms[0]);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "score: no memory");
  s->config = *config;
  s->workers = workers;
  for (size_t i = 0; i < BLOCK; i++) s->unknown[PARL_FACT_optimum_width][i] = (double)NAN;
  *out = s;
  return PARL_STATUS_OK;
}

void parl_scorer_destroy(parl_scorer *scorer) {
  free(scorer);
}

typedef struct job {
  parl_scorer *scorer;
  const parl_score_batch *batch;
  const parl_score_out *out;
} job;

static parl_status check_facts(const parl_score_batch *batch, const parl_score_out *out) {
  static const char *const names[] = {
#define X(name, unit, meaning) #name,
      PARL_FACT_LIST(X)
#undef X
  };
  for (int f = 0; f < PARL_N_FACTS; f++) {
    const bool is_counted = batch->stages != NULL && parl_score_is_counted((parl_fact)f);
    if (is_counted && batch->facts[f] != NULL)
      return parl_fail(PARL_STATUS_EINVAL, "score: %s is given, and follows from stages", names[f]);
    if (!is_counted && out->facts[f] != NULL)
      return parl_fail(PARL_STATUS_EINVAL, "score: %s is asked for, and follows from no stages",
                       names[f]);
  }
  return PARL_STATUS_OK;
}

/* Where the facts of a block are. */
static void find_columns(const job *j, const room *r, size_t first, parl_fact_columns *out) {
  for (int f = 0; f < PARL_N_FACTS; f++) {
    const double *given = j->batch->facts[f];
    out->of[f] = given != NULL ? given + first : j->scorer->unknown[f];
    if (j->batch->stages != NULL && count_offsets[f] > 0)
      out->of[f] = (const double *)(const void *)((const char *)&r->counts + count_offsets[f] - 1);
  }
}

/* An exponent of ones, which infinities and NaN have, carries into the sign. */
static bool are_finite(const double *x, size_t n) {
  const uint64_t exponent = UINT64_C(0x7FF) << 52, one = UINT64_C(1) << 52;
  uint64_t all = 0;
  for (size_t i = 0; i < n; i++) {
    uint64_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    all |= (bits & exponent) + one;
  }
  return all >> 63 == 0;
}

static parl_status refuse_term(parl_term term, const double *values, size_t first) {
  size_t i = 0;
  while (isfinite(values[i])) i++;
  return parl_fail(PARL_STATUS_EINVAL,
                   "episode %zu: r_%s is %g: a fact it is made of is not finite", first + i,
                   parl_term_infos[term].name, values[i]);
}

static void add_weighted(double weight, const double *restrict term, size_t n,
                         double *restrict total) {
  for (size_t i = 0; i < n; i++) total[i] += weight * term[i];
}

static parl_status pay(const job *j, const parl_fact_columns *columns, room *r, size_t first,
                       size_t n) {
  double *total = j->out->total != NULL ? j->out->total + first : NULL;
  if (total != NULL) memset(total, 0, n * sizeof *total);
  for (int t = 0; t < PARL_N_TERMS; t++) {
    const bool is_weighed = total != NULL && j->batch->weights[t] != 0;
    double *wanted = j->out->terms[t];
    double *to = wanted != NULL ? wanted + first : r->terms[t];
    if (wanted == NULL && !is_weighed) continue;
    parl_formula_columns(&j->scorer->config, (parl_term)t, columns, n, to);
    if (!are_finite(to, n)) return refuse_term((parl_term)t, to, first);
    if (is_weighed) add_weighted(j->batch->weights[t], to, n, total);
  }
  return PARL_STATUS_OK;
}

static parl_status score_block(const job *j, room *r, size_t first, size_t n) {
  const parl_score_stages *stages = j->batch->stages;
  if (stages != NULL) PARL_TRY(parl_score_count(stages, j->batch->n, first, n, &r->counts));
  parl_fact_columns columns;
  find_columns(j, r, first, &columns);
  for (int f = 0; f < PARL_N_FACTS; f++)
    if (j->out->facts[f] != NULL)
      memcpy(j->out->facts[f] + first, columns.of[f], n * sizeof(double));
  return pay(j, &columns, r, first, n);
}

static parl_status score_range(void *context, size_t task, size_t worker) {
  const job *j = context;
  const size_t end = (task + 1) * RANGE < j->batch->n ? (task + 1) * RANGE : j->batch->n;
  for (size_t i = task * RANGE; i < end; i += BLOCK)
    PARL_TRY(score_block(j, &j->scorer->rooms[worker], i, end - i < BLOCK ? end - i : BLOCK));
  return PARL_STATUS_OK;
}

parl_status parl_score_batch_run(parl_scorer *scorer, const parl_score_batch *batch,
                                 const parl_score_out *out) {
  job j = {scorer, batch, out};
  PARL_TRY(check_facts(batch, out));
  return parl_workers_run(scorer->workers, (batch->n + RANGE - 1) / RANGE, score_range, &j);
}
