/* parl/reward/reward.c - the terms of a group: built-in formulas, and Lua expressions. */
#include "parl/reward/reward.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "lua/expression.h"
#include "parl/reward/budgets.h"
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

/* What a term has of its own. */
typedef struct program {
  parl_expression *lua; /* owned; NULL where a formula serves */
  const char *code;     /* borrowed */
  char field[FIELD_BYTES];
  parl_budgets budgets;  /* of a toggle */
  uint64_t judge_stream; /* of a rubric, of chance */
} program;

/* Columns of the group at hand, for the kinds. */
typedef struct columns {
  const parl_facts **facts;
  double *of, *perf, *budgets, *judge;
} columns;

struct parl_reward {
  parl_reward_config config;
  const parl_term_table *table; /* borrowed */
  program *programs;            /* [n of table] */
  bool wants_scores, wants_stages;
  size_t capacity;    /* rollouts that the arrays below hold */
  double *terms;      /* [capacity, n of table] */
  double *column;     /* [capacity] values of one term */
  double *facts;      /* [capacity, N_FACTS] */
  columns columns;    /* [capacity] each */
  parl_json **scores; /* [capacity] of the group at hand */
  parl_json **stages; /* the same */
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

/* By the term's name, whatever other terms there are. Source: FNV-1a. */
static uint64_t get_judge_stream(const char *name) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (const char *c = name; *c != '\0'; c++) h = (h ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
  return parl_rng_stream(PARL_PURPOSE_JUDGE, h, 0, 0);
}

static parl_status compile(parl_reward *r, size_t i) {
  const parl_term_row *row = &r->table->rows[i];
  program *p = &r->programs[i];
  p->code = row->lua != NULL ? row->lua : get_code(&r->config, i);
  p->judge_stream = get_judge_stream(row->name);
  if (p->code == NULL) return PARL_STATUS_OK;
  if (row->lua != NULL)
    snprintf(p->field, sizeof p->field, "terms.%s.lua", row->name);
  else
    snprintf(p->field, sizeof p->field, "reward.%s_lua", row->name);
  if (p->code[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "%s is empty; it needs a Lua expression", p->field);
  r->wants_scores = r->wants_scores || parl_expression_may_name(p->code, "scores");
  r->wants_stages = r->wants_stages || parl_expression_may_name(p->code, "stages");
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

static void free_arrays(parl_reward *r) {
  free(r->stages);
  free(r->terms);
  free(r->column);
  free(r->facts);
  free(r->scores);
  free(r->columns.facts);
  free(r->columns.of);
  free(r->columns.perf);
  free(r->columns.budgets);
  free(r->columns.judge);
}

void parl_reward_destroy(parl_reward *reward) {
  if (reward == NULL) return;
  for (size_t i = 0; i < reward->table->n; i++) {
    parl_expression_destroy(reward->programs[i].lua);
    parl_budgets_deinit(&reward->programs[i].budgets);
  }
  free(reward->programs);
  free_arrays(reward);
  free(reward);
}

const parl_term_table *parl_reward_get_table(const parl_reward *reward) {
  return reward->table;
}

bool parl_reward_wants_scores(const parl_reward *reward) {
  return reward->wants_scores;
}

bool parl_reward_wants_stages(const parl_reward *reward) {
  return reward->wants_stages;
}

static parl_status reserve(parl_reward *r, size_t K) {
  if (K <= r->capacity) return PARL_STATUS_OK;
  columns *c = &r->columns;
  free_arrays(r);
  r->capacity = 0;
  r->terms = calloc(K * r->table->n, sizeof *r->terms);
  r->column = calloc(K, sizeof *r->column);
  r->facts = calloc(K * N_FACTS, sizeof *r->facts);
  r->scores = calloc(K, sizeof *r->scores);
  r->stages = calloc(K, sizeof *r->stages);
  *c = (columns){.facts = calloc(K, sizeof *c->facts),
                 .of = calloc(K, sizeof *c->of),
                 .perf = calloc(K, sizeof *c->perf),
                 .budgets = calloc(K, sizeof *c->budgets),
                 .judge = calloc(K, sizeof *c->judge)};
  if (r->terms == NULL || r->column == NULL || r->facts == NULL || r->scores == NULL ||
      r->stages == NULL || c->facts == NULL || c->of == NULL || c->perf == NULL ||
      c->budgets == NULL || c->judge == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "reward: no memory for a group of %zu", K);
  r->capacity = K;
  return PARL_STATUS_OK;
}

/* --- a group --- */

parl_outcome parl_outcome_of(const parl_trajectory *t) {
  return (parl_outcome){.facts = &t->facts,
                        .scores = t->keep_scores ? parl_text_get(&t->scores) : NULL,
                        .stages = t->stages.most.stages > 0 ? &t->stages : NULL,
                        .family = t->family,
                        .episode_seed = t->episode_seed};
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

static parl_status check_finite(const parl_reward *r, size_t i, size_t k, size_t K, double value) {
  if (isfinite(value)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "r_%s of rollout %zu of %zu is %g: a fact it is made of is not finite",
                   r->table->rows[i].name, k + 1, K, value);
}

static parl_status apply_one(const parl_reward *r, size_t i, const parl_group *group, size_t k,
                             double *out) {
  const double value = parl_formulas[i](&r->config, group, k);
  PARL_TRY(check_finite(r, i, k, group->K, value));
  *out = value;
  return PARL_STATUS_OK;
}

static parl_status apply(parl_reward *r, size_t i, const parl_group *group) {
  for (size_t k = 0; k < group->K; k++) PARL_TRY(apply_one(r, i, group, k, &r->column[k]));
  return PARL_STATUS_OK;
}

/* The column of a term of a kind, in which an expression has left its values. Formulas read of that
 * column what is to be rewritten next, and nothing else. */
static parl_status apply_kind(parl_reward *r, size_t i, const parl_group *group) {
  const parl_term_config *own = r->table->rows[i].own;
  const program *p = &r->programs[i];
  const size_t K = group->K, n = r->table->n;
  const columns *c = &r->columns;
  for (size_t k = 0; k < K; k++) {
    const parl_outcome *o = &group->of[k];
    c->facts[k] = o->facts;
    c->of[k] = parl_fact_get(o->facts, own->of);
    c->perf[k] = r->terms[k * n + PARL_TERM_perf];
    c->budgets[k] = parl_budgets_get(&p->budgets, o->family);
    c->judge[k] = parl_rng_uniform(o->episode_seed, p->judge_stream, 0);
  }
  const parl_term_view view = {.config = own,
                               .K = K,
                               .update = group->update,
                               .facts = c->facts,
                               .of = c->of,
                               .perf = c->perf,
                               .budgets = c->budgets,
                               .judge = c->judge,
                               .score = r->column};
  for (size_t k = 0; k < K; k++) {
    r->column[k] = parl_term_kind_get(own->kind, &view, k);
    PARL_TRY(check_finite(r, i, k, K, r->column[k]));
  }
  return PARL_STATUS_OK;
}

static parl_status get_column(parl_reward *r, size_t i, const parl_group *group,
                              const parl_expression_group *view) {
  const parl_term_config *own = r->table->rows[i].own;
  if (r->programs[i].lua != NULL) PARL_TRY(evaluate(r, i, view));
  if (own != NULL && own->kind != PARL_TERM_KIND_lua) return apply_kind(r, i, group);
  return r->programs[i].lua != NULL ? PARL_STATUS_OK : apply(r, i, group);
}

parl_status parl_reward_check_optimum(const parl_reward_config *c, double optimum_width,
                                      double serial_steps) {
  if (c->parallel == PARL_PARALLEL_WIDTH && isnan(optimum_width))
    return parl_fail(
        PARL_STATUS_EINVAL,
        "reward.parallel = \"width\": the optimum of this task states no width; an "
        "environment's `optimum` returns it as width = sub-agents of its widest launch");
  if (c->parallel == PARL_PARALLEL_REALISED && !(serial_steps > 0))
    return parl_fail(PARL_STATUS_EINVAL,
                     "reward.parallel = \"realised\": the optimum of this task states no steps of "
                     "working alone; an environment's `optimum` returns them as serial_steps");
  return PARL_STATUS_OK;
}

static parl_status read_stages(parl_reward *r, const parl_group *group, size_t k) {
  parl_text text = {0};
  if (group->of[k].stages == NULL)
    return parl_fail(PARL_STATUS_EINVAL,
                     "a term names `stages`, and those of rollout %zu of %zu were not kept", k + 1,
                     group->K);
  parl_status s = parl_reward_tell_stages(group->of[k].stages, &text);
  if (s == PARL_STATUS_OK)
    s = parl_json_parse(parl_text_get(&text), text.n, "an episode's stages", &r->stages[k]);
  parl_text_deinit(&text);
  return s;
}

/* Facts as rows, and the scores and stages where a program wants them. */
static parl_status read_outcomes(parl_reward *r, const parl_group *group) {
  for (size_t k = 0; k < group->K; k++) {
    const parl_facts *f = group->of[k].facts;
    const double values[] = {
#define X(name, unit, meaning) f->name,
        PARL_FACT_LIST(X)
#undef X
    };
    memcpy(&r->facts[k * N_FACTS], values, sizeof values);
    PARL_TRY(parl_reward_check_optimum(&r->config, f->optimum_width, f->serial_steps));
    const char *scores = group->of[k].scores;
    if (r->wants_scores && scores != NULL)
      PARL_TRY(parl_json_parse(scores, strlen(scores), "an episode's scores", &r->scores[k]));
    if (r->wants_stages) PARL_TRY(read_stages(r, group, k));
  }
  return PARL_STATUS_OK;
}

static parl_status get_terms(parl_reward *r, const parl_group *group, bool any_score) {
  static const char *const clock[] = {"update"};
  const double update = (double)group->update;
  const parl_expression_group view = {
      .n = group->K,
      .n_names = N_FACTS,
      .names = fact_names,
      .values = r->facts,
      .scores = (const parl_json *const *)r->scores,
      .stages = r->wants_stages ? (const parl_json *const *)r->stages : NULL,
      .any_score = any_score,
      .n_common = 1,
      .common_names = clock,
      .common = &update};
  const size_t n = r->table->n;
  for (size_t i = 0; i < n; i++) {
    PARL_TRY(get_column(r, i, group, &view));
    for (size_t k = 0; k < group->K; k++) r->terms[k * n + i] = r->column[k];
  }
  return PARL_STATUS_OK;
}

static void forget(parl_reward *r, size_t K) {
  for (size_t k = 0; k < K; k++) {
    parl_json_destroy(r->scores[k]);
    r->scores[k] = NULL;
    parl_json_destroy(r->stages[k]);
    r->stages[k] = NULL;
  }
}

parl_status parl_reward_group_of(parl_reward *reward, const parl_group *group, bool any_score,
                                 double *out) {
  PARL_REQUIRE(group->K >= 1);
  PARL_TRY(reserve(reward, group->K));
  parl_status s = read_outcomes(reward, group);
  if (s == PARL_STATUS_OK) s = get_terms(reward, group, any_score);
  if (s == PARL_STATUS_OK) memcpy(out, reward->terms, group->K * reward->table->n * sizeof *out);
  forget(reward, group->K);
  return s;
}

parl_status parl_reward_group(parl_reward *reward, const parl_group *group, double *out) {
  return parl_reward_group_of(reward, group, false, out);
}

parl_status parl_reward_built_in(parl_reward *reward, const parl_group *group, size_t k,
                                 double *out) {
  for (size_t i = 0; i < reward->table->n; i++) {
    out[i] = 0;
    if (i < PARL_N_TERMS && reward->programs[i].lua == NULL)
      PARL_TRY(apply_one(reward, i, group, k, &out[i]));
  }
  return PARL_STATUS_OK;
}

parl_status parl_reward_one(parl_reward *reward, const parl_group *group, size_t k, double *out) {
  const size_t n = reward->table->n;
  bool any_program = n > PARL_N_TERMS;
  for (size_t i = 0; i < PARL_N_TERMS; i++)
    any_program = any_program || reward->programs[i].lua != NULL;
  if (!any_program) return parl_reward_built_in(reward, group, k, out);
  PARL_TRY(reserve(reward, group->K));
  parl_status s = read_outcomes(reward, group);
  if (s == PARL_STATUS_OK) s = get_terms(reward, group, false);
  if (s == PARL_STATUS_OK) memcpy(out, &reward->terms[k * n], n * sizeof *out);
  forget(reward, group->K);
  return s;
}
/* --- what is estimated of the warm start --- */

static bool is_toggle(const parl_reward *r, size_t i) {
  return r->table->rows[i].own != NULL && r->table->rows[i].own->kind == PARL_TERM_KIND_toggle;
}

bool parl_reward_wants_estimate(const parl_reward *reward) {
  for (size_t i = 0; i < reward->table->n; i++)
    if (is_toggle(reward, i)) return true;
  return false;
}

parl_status parl_reward_estimate(parl_reward *reward, const parl_outcome *outcomes, size_t n) {
  parl_budget_sample *samples = calloc(n + 1, sizeof *samples);
  if (samples == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "reward: no memory for %zu episodes", n);
  for (size_t i = 0; i < n; i++)
    samples[i] = (parl_budget_sample){outcomes[i].family, outcomes[i].facts};
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; i < reward->table->n && s == PARL_STATUS_OK; i++)
    if (is_toggle(reward, i))
      s = parl_budgets_estimate(reward->table->rows[i].own, samples, n,
                                &reward->programs[i].budgets);
  free(samples);
  return s;
}

void parl_reward_write_state(const parl_reward *reward, parl_json_writer *w) {
  if (!parl_reward_wants_estimate(reward)) return;
  parl_json_key(w, "budgets");
  parl_json_begin_object(w);
  for (size_t i = 0; i < reward->table->n; i++) {
    if (!is_toggle(reward, i)) continue;
    parl_json_key(w, reward->table->rows[i].name);
    parl_budgets_write(&reward->programs[i].budgets, w);
  }
  parl_json_end_object(w);
}

parl_status parl_reward_read_state(parl_reward *reward, const parl_json *object) {
  const parl_json *budgets = parl_json_find(object, "budgets");
  for (size_t i = 0; i < reward->table->n; i++) {
    const parl_json *of = parl_json_find(budgets, reward->table->rows[i].name);
    if (is_toggle(reward, i) && of != NULL)
      PARL_TRY(parl_budgets_read(of, &reward->programs[i].budgets));
  }
  return PARL_STATUS_OK;
}
