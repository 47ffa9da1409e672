/* parl/reward/reward.c - the named definitions of the reward terms, and Lua expressions of the
 * facts. */
#include "parl/reward/reward.h"

#include <math.h>
#include <stdlib.h>

#include "lua/expression.h"

#define SECTION_TYPE_ parl_reward_config
PARL_CONFIG_SECTION(parl_reward_section, "reward", "r_parallel, r_finish, r_perf and r_early",
                    PARL_REWARD_FIELDS);
#undef SECTION_TYPE_

/* In the order of the CHOICE lists. */
enum {
  PARALLEL_INSTANTIATION,
  PARALLEL_CONCURRENCY,
  PARALLEL_OVERLAP,
  PARALLEL_WIDTH,
  PARALLEL_LUA,
  N_PARALLEL
};
enum { FINISH_RETURNED, FINISH_USEFUL, FINISH_LUA, N_FINISH };

static const char *const fact_names[] = {
#define X(name, unit, meaning) #name,
    PARL_FACT_LIST(X)
#undef X
};
enum { N_FACTS = sizeof fact_names / sizeof fact_names[0] };

struct parl_reward {
  parl_reward_config config;
  parl_expression *parallel, *finish, *perf, *early; /* owned; NULL where a built-in serves */
};

static parl_status compile(const char *field, const char *code, parl_expression **out) {
  if (code[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "reward.%s is empty; it needs a Lua expression", field);
  return parl_fail_context(parl_expression_create(code, out), "reward.%s", field);
}

static parl_status compile_all(parl_reward *r) {
  const parl_reward_config *c = &r->config;
  if (c->parallel == PARALLEL_LUA) PARL_TRY(compile("parallel_lua", c->parallel_lua, &r->parallel));
  if (c->finish == FINISH_LUA) PARL_TRY(compile("finish_lua", c->finish_lua, &r->finish));
  if (c->perf_lua[0] != '\0') PARL_TRY(compile("perf_lua", c->perf_lua, &r->perf));
  if (c->early_lua[0] != '\0') PARL_TRY(compile("early_lua", c->early_lua, &r->early));
  return PARL_STATUS_OK;
}

parl_status parl_reward_create(const parl_reward_config *config, parl_reward **out) {
  PARL_REQUIRE(config->parallel >= 0 && config->parallel < N_PARALLEL);
  PARL_REQUIRE(config->finish >= 0 && config->finish < N_FINISH);
  PARL_REQUIRE(config->parallel_cap >= 1);
  parl_reward *r = calloc(1, sizeof *r);
  if (r == NULL) return parl_fail(PARL_STATUS_ENOMEM, "reward: no memory");
  r->config = *config;
  const parl_status status = compile_all(r);
  if (status == PARL_STATUS_OK)
    *out = r;
  else
    parl_reward_destroy(r);
  return status;
}

void parl_reward_destroy(parl_reward *reward) {
  if (reward == NULL) return;
  parl_expression_destroy(reward->parallel);
  parl_expression_destroy(reward->finish);
  parl_expression_destroy(reward->perf);
  parl_expression_destroy(reward->early);
  free(reward);
}

/* A rate of nothing is 0: an episode without assignments earns no shaped reward. */
static double ratio(double part, double whole) {
  return whole > 0 || isnan(whole) ? part / whole : 0;
}

static double get_parallel(const parl_reward_config *c, const parl_facts *f) {
  if (f->assigned == 0) return 0;
  const double cap = (double)c->parallel_cap;
  switch (c->parallel) {
    case PARALLEL_INSTANTIATION:
      return (f->assigned < cap ? f->assigned : cap) / cap;
    case PARALLEL_CONCURRENCY:
      return ratio(ratio(f->sub_steps, f->sub_max_steps), f->cap_width);
    case PARALLEL_OVERLAP:
      return f->total_steps > 0 ? 1 - f->critical_steps / f->total_steps : 0;
    default: {
      const double width = ratio(f->max_width, f->optimum_width);
      return width > 1 ? 1 : width;
    }
  }
}

static double get_finish(const parl_reward_config *c, const parl_facts *f) {
  if (f->assigned == 0) return 0;
  return ratio(c->finish == FINISH_USEFUL ? f->useful : f->finished, f->assigned);
}

static double get_early(const parl_facts *f) {
  const double left = f->budget_steps - f->critical_steps;
  if (f->end != PARL_END_FINISH || left <= 0) return 0;
  return f->success * left / f->budget_steps;
}

static parl_status evaluate(parl_expression *e, const char *field, const parl_facts *f,
                            double *out) {
  const double values[] = {
#define X(name, unit, meaning) f->name,
      PARL_FACT_LIST(X)
#undef X
  };
  double value = 0;
  PARL_TRY(parl_fail_context(parl_expression_eval(e, fact_names, values, N_FACTS, &value),
                             "reward.%s", field));
  if (!isfinite(value))
    return parl_fail(PARL_STATUS_ESCRIPT, "reward.%s gave %g; it must be finite", field, value);
  *out = value;
  return PARL_STATUS_OK;
}

static parl_status check_width(const parl_reward_config *c, double optimum_width) {
  if (c->parallel != PARALLEL_WIDTH || !isnan(optimum_width)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "reward.parallel = \"width\": the optimum of this task states no width; an "
                   "environment's `optimum` returns it as width = sub-agents of its widest launch");
}

parl_status parl_reward_check_env(const parl_reward_config *config, parl_env *env) {
  if (config->parallel != PARALLEL_WIDTH) return PARL_STATUS_OK;
  parl_world world;
  parl_agent agent;
  parl_env_optimum optimum;
  PARL_TRY(parl_env_reset(env, 0, 0, &world, &agent));
  parl_status s = parl_env_get_optimum(env, world, &optimum);
  parl_env_release(env, world);
  if (s == PARL_STATUS_OK) s = check_width(config, optimum.width < 0 ? (double)NAN : 0);
  return parl_fail_context(s, "%s", parl_env_get_spec(env)->path);
}

static parl_status check(const parl_reward_terms *t) {
  for (int i = 0; i < PARL_N_TERMS; i++)
    if (!isfinite(parl_terms_get(t)[i]))
      return parl_fail(PARL_STATUS_EINVAL, "%s is %g: a fact it is made of is not finite",
                       parl_term_names[i], parl_terms_get(t)[i]);
  return PARL_STATUS_OK;
}

parl_status parl_reward_get_terms(parl_reward *reward, const parl_facts *facts,
                                  parl_reward_terms *out) {
  parl_reward_terms t = {0};
  PARL_TRY(check_width(&reward->config, facts->optimum_width));
  if (reward->parallel != NULL)
    PARL_TRY(evaluate(reward->parallel, "parallel_lua", facts, &t.parallel));
  else
    t.parallel = get_parallel(&reward->config, facts);
  if (reward->finish != NULL)
    PARL_TRY(evaluate(reward->finish, "finish_lua", facts, &t.finish));
  else
    t.finish = get_finish(&reward->config, facts);
  if (reward->perf != NULL)
    PARL_TRY(evaluate(reward->perf, "perf_lua", facts, &t.perf));
  else
    t.perf = facts->r_perf;
  if (reward->early != NULL)
    PARL_TRY(evaluate(reward->early, "early_lua", facts, &t.early));
  else
    t.early = get_early(facts);
  PARL_TRY(check(&t));
  *out = t;
  return PARL_STATUS_OK;
}

double parl_reward_total(const parl_reward_terms *terms, const parl_reward_terms *weights) {
  const double *value = parl_terms_get(terms), *weight = parl_terms_get(weights);
  double sum = 0;
  for (int i = 0; i < PARL_N_TERMS; i++) sum += weight[i] * value[i];
  return sum;
}
