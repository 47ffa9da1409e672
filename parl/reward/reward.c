/* parl/reward/reward.c - the terms of a group: built-in formulas, and Lua expressions. */
#include "parl/reward/reward.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/expression.h"
#include "parl/reward/formulas.h"
#include "parl/reward/reward_internal.h"

#define SECTION_TYPE_ parl_reward_config
PARL_CONFIG_SECTION(parl_reward_section, "reward", "r_parallel, r_finish, r_perf and r_early",
                    PARL_REWARD_FIELDS);
#undef SECTION_TYPE_

static const char *const fact_names[] = {
#define X(name, unit, meaning) #name,
    PARL_FACT_LIST(X)
#undef X
};
enum { N_FACTS = sizeof fact_names / sizeof fact_names[0], FIELD_BYTES = 64, SHOWN_BYTES = 80 };

/* A term that is an expression. */
typedef struct program {
  parl_expression *lua; /* owned; NULL where a formula serves */
  const char *code;     /* borrowed */
  char field[FIELD_BYTES];
} program;

struct parl_reward {
  parl_reward_config config;
  const parl_term_table *table; /* borrowed */
  program *programs;            /* [n of table] */
  bool wants_scores;
  size_t capacity;    /* rollouts that the arrays below hold */
  double *terms;      /* [capacity, n of table] */
  double *column;     /* [capacity] values of one term */
  double *facts;      /* [capacity, N_FACTS] */
  parl_json **scores; /* [capacity] of the group at hand */
};

/* --- life --- */

/* The expression that takes a formula's place, NULL if none does. */
static const char *get_code(const parl_reward_config *c, size_t term) {
  switch (term) {
    case PARL_TERM_parallel:
      return c->parallel == PARL_PARALLEL_LUA ? c->parallel_lua : NULL;
    case PARL_TERM_finish:
      return c->finish == PARL_FINISH_LUA ? c->finish_lua : NULL;
    case PARL_TERM_perf:
      return c->perf_lua[0] != '\0' ? c->perf_lua : NULL;
    case PARL_TERM_early:
      return c->early_lua[0] != '\0' ? c->early_lua : NULL;
    default:
      return NULL;
  }
}

static parl_status compile(parl_reward *r, size_t i) {
  const parl_term_row *row = &r->table->rows[i];
  program *p = &r->programs[i];
  p->code = row->lua != NULL ? row->lua : get_code(&r->config, i);
  if (p->code == NULL) return PARL_STATUS_OK;
  if (row->lua != NULL)
    snprintf(p->field, sizeof p->field, "terms.%s.lua", row->name);
  else
    snprintf(p->field, sizeof p->field, "reward.%s_lua", row->name);
  if (p->code[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "%s is empty; it needs a Lua expression", p->field);
  r->wants_scores = r->wants_scores || strstr(p->code, "scores") != NULL;
  return parl_fail_context(parl_expression_create(p->code, &p->lua), "%s", p->field);
}

parl_status parl_reward_create(const parl_reward_config *config, const parl_term_table *table,
                               parl_reward **out) {
  PARL_REQUIRE(config->parallel >= 0 && config->parallel < PARL_N_PARALLEL);
  PARL_REQUIRE(config->finish >= 0 && config->finish < PARL_N_FINISH);
  PARL_REQUIRE(config->parallel_cap >= 1);
  parl_reward *r = calloc(1, sizeof *r);
  if (r != NULL) r->programs = calloc(table->n, sizeof *r->programs);
  if (r == NULL || r->programs == NULL) {
    free(r);
    return parl_fail(PARL_STATUS_ENOMEM, "reward: no memory");
  }
  r->config = *config;
  r->table = table;
  parl_status status = PARL_STATUS_OK;
  for (size_t i = 0; i < table->n && status == PARL_STATUS_OK; i++) status = compile(r, i);
  if (status == PARL_STATUS_OK)
    *out = r;
  else
    parl_reward_destroy(r);
  return status;
}

void parl_reward_destroy(parl_reward *reward) {
  if (reward == NULL) return;
  for (size_t i = 0; i < reward->table->n; i++) parl_expression_destroy(reward->programs[i].lua);
  free(reward->programs);
  free(reward->terms);
  free(reward->column);
  free(reward->facts);
  free(reward->scores);
  free(reward);
}

const parl_term_table *parl_reward_get_table(const parl_reward *reward) {
  return reward->table;
}

bool parl_reward_wants_scores(const parl_reward *reward) {
  return reward->wants_scores;
}

static parl_status reserve(parl_reward *r, size_t K) {
  if (K <= r->capacity) return PARL_STATUS_OK;
  free(r->terms);
  free(r->column);
  free(r->facts);
  free(r->scores);
  r->capacity = 0;
  r->terms = calloc(K * r->table->n, sizeof *r->terms);
  r->column = calloc(K, sizeof *r->column);
  r->facts = calloc(K * N_FACTS, sizeof *r->facts);
  r->scores = calloc(K, sizeof *r->scores);
  if (r->terms == NULL || r->column == NULL || r->facts == NULL || r->scores == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "reward: no memory for a group of %zu", K);
  r->capacity = K;
  return PARL_STATUS_OK;
}

/* --- a group --- */

parl_outcome parl_outcome_of(const parl_trajectory *t) {
  return (parl_outcome){.facts = &t->facts,
                        .scores = t->keep_scores ? parl_text_get(&t->scores) : NULL,
                        .stages = t->stages.most.stages > 0 ? &t->stages : NULL};
}

static parl_status fail_context(parl_status s, const parl_reward *r, size_t i, size_t k, size_t K) {
  const program *p = &r->programs[i];
  return parl_fail_context(s, "%s \"%.*s%s\": r_%s of rollout %zu of %zu", p->field, SHOWN_BYTES,
                           p->code, strlen(p->code) > SHOWN_BYTES ? "..." : "",
                           r->table->rows[i].name, k + 1, K);
}

static parl_status evaluate(parl_reward *r, size_t i, const parl_expression_group *view) {
  size_t failed = 0;
  const parl_status s = parl_expression_eval_group(r->programs[i].lua, view, r->column, &failed);
  if (s != PARL_STATUS_OK) return fail_context(s, r, i, failed, view->n);
  for (size_t k = 0; k < view->n; k++)
    if (!isfinite(r->column[k]))
      return fail_context(parl_fail(PARL_STATUS_ESCRIPT, "gave %g; it must be finite",
                                    isnan(r->column[k]) ? (double)NAN : r->column[k]),
                          r, i, k, view->n);
  return PARL_STATUS_OK;
}

static parl_status apply_one(const parl_reward *r, size_t i, const parl_group *group, size_t k,
                             double *out) {
  const double value = parl_formulas[i](&r->config, group, k);
  if (!isfinite(value))
    return parl_fail(PARL_STATUS_EINVAL,
                     "r_%s of rollout %zu of %zu is %g: a fact it is made of is not finite",
                     r->table->rows[i].name, k + 1, group->K, value);
  *out = value;
  return PARL_STATUS_OK;
}

static parl_status apply(parl_reward *r, size_t i, const parl_group *group) {
  for (size_t k = 0; k < group->K; k++) PARL_TRY(apply_one(r, i, group, k, &r->column[k]));
  return PARL_STATUS_OK;
}

parl_status parl_reward_check_width(const parl_reward_config *c, double optimum_width) {
  if (c->parallel != PARL_PARALLEL_WIDTH || !isnan(optimum_width)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "reward.parallel = \"width\": the optimum of this task states no width; an "
                   "environment's `optimum` returns it as width = sub-agents of its widest launch");
}

/* Facts as rows, and the scores where a program wants them. */
static parl_status read_outcomes(parl_reward *r, const parl_group *group) {
  for (size_t k = 0; k < group->K; k++) {
    const parl_facts *f = group->of[k].facts;
    const double values[] = {
#define X(name, unit, meaning) f->name,
        PARL_FACT_LIST(X)
#undef X
    };
    memcpy(&r->facts[k * N_FACTS], values, sizeof values);
    PARL_TRY(parl_reward_check_width(&r->config, f->optimum_width));
    const char *scores = group->of[k].scores;
    if (r->wants_scores && scores != NULL)
      PARL_TRY(parl_json_parse(scores, strlen(scores), "an episode's scores", &r->scores[k]));
  }
  return PARL_STATUS_OK;
}

static parl_status get_terms(parl_reward *r, const parl_group *group, bool any_score) {
  static const char *const clock[] = {"update"};
  const double update = (double)group->update;
  const parl_expression_group view = {.n = group->K,
                                      .n_names = N_FACTS,
                                      .names = fact_names,
                                      .values = r->facts,
                                      .scores = (const parl_json *const *)r->scores,
                                      .any_score = any_score,
                                      .n_common = 1,
                                      .common_names = clock,
                                      .common = &update};
  const size_t n = r->table->n;
  for (size_t i = 0; i < n; i++) {
    PARL_TRY(r->programs[i].lua != NULL ? evaluate(r, i, &view) : apply(r, i, group));
    for (size_t k = 0; k < group->K; k++) r->terms[k * n + i] = r->column[k];
  }
  return PARL_STATUS_OK;
}

static void forget_scores(parl_reward *r, size_t K) {
  for (size_t k = 0; k < K; k++) {
    parl_json_destroy(r->scores[k]);
    r->scores[k] = NULL;
  }
}

parl_status parl_reward_group_of(parl_reward *reward, const parl_group *group, bool any_score,
                                 double *out) {
  PARL_REQUIRE(group->K >= 1);
  PARL_TRY(reserve(reward, group->K));
  parl_status s = read_outcomes(reward, group);
  if (s == PARL_STATUS_OK) s = get_terms(reward, group, any_score);
  if (s == PARL_STATUS_OK) memcpy(out, reward->terms, group->K * reward->table->n * sizeof *out);
  forget_scores(reward, group->K);
  return s;
}

parl_status parl_reward_group(parl_reward *reward, const parl_group *group, double *out) {
  return parl_reward_group_of(reward, group, false, out);
}

parl_status parl_reward_built_in(parl_reward *reward, const parl_group *group, size_t k,
                                 double *out) {
  for (size_t i = 0; i < reward->table->n; i++) {
    out[i] = 0;
    if (reward->programs[i].lua == NULL) PARL_TRY(apply_one(reward, i, group, k, &out[i]));
  }
  return PARL_STATUS_OK;
}

parl_status parl_reward_one(parl_reward *reward, const parl_group *group, size_t k, double *out) {
  const size_t n = reward->table->n;
  bool any_program = false;
  for (size_t i = 0; i < n; i++) any_program = any_program || reward->programs[i].lua != NULL;
  if (!any_program) return parl_reward_built_in(reward, group, k, out);
  PARL_TRY(reserve(reward, group->K));
  parl_status s = read_outcomes(reward, group);
  if (s == PARL_STATUS_OK) s = get_terms(reward, group, false);
  if (s == PARL_STATUS_OK) memcpy(out, &reward->terms[k * n], n * sizeof *out);
  forget_scores(reward, group->K);
  return s;
}
