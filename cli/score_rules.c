/* cli/score_rules.c - options and recipes as rules for scoring. */
#include <string.h>

#include "cli/score.h"
#include "core/config.h"
#include "experiments/weights.h"
#include "lua/expression.h"

/* --- from options --- */

/* The definitions, through the section that a recipe gives them in. */
static parl_status read_config(const cli_args *args, parl_reward_config *config) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json *object = NULL;
  parl_config_set_defaults(&parl_reward_section, config);
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  if (args->parallel != NULL) {
    parl_json_key(&w, "parallel");
    parl_json_string(&w, args->parallel);
  }
  if (args->finish != NULL) {
    parl_json_key(&w, "finish");
    parl_json_string(&w, args->finish);
  }
  if (args->parallel_cap > 0) {
    parl_json_key(&w, "parallel_cap");
    parl_json_integer(&w, args->parallel_cap);
  }
  parl_json_end_object(&w);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_json_parse(parl_text_get(&text), text.n, "options", &object);
  if (s == PARL_STATUS_OK) s = parl_config_read(&parl_reward_section, object, "reward", config);
  if (s == PARL_STATUS_OK &&
      (config->parallel == PARL_PARALLEL_LUA || config->finish == PARL_FINISH_LUA))
    s = parl_fail(PARL_STATUS_EINVAL, "score: lua is no definition here; only those in C");
  parl_json_destroy(object);
  parl_text_deinit(&text);
  return s;
}

static parl_status open_options(const cli_args *args, score_rules *out) {
  PARL_TRY(read_config(args, &out->config));
#define X(term, lambda, ...) \
  parl_config_set_defaults(&parl_##lambda##_section, &out->defaults[PARL_TERM_##term]);
  PARL_TERM_LIST(X)
#undef X
  return parl_term_table_create(out->defaults, NULL, &out->table);
}

/* --- from a recipe --- */

/* What a term is made of: an expression, or a kind's fact; NULL, NULL for a definition in C. */
typedef struct source {
  const char *where, *code, *fact;
} source;

static source get_source(const score_rules *r, size_t i) {
  const parl_term_row *row = &r->table->rows[i];
  const parl_reward_config *c = &r->config;
  source s = {.where = row->name, .code = row->lua};
  if (row->own != NULL && row->lua == NULL) s.fact = row->own->of;
  if (i == PARL_TERM_parallel && c->parallel == PARL_PARALLEL_LUA) s.code = c->parallel_lua;
  if (i == PARL_TERM_finish && c->finish == PARL_FINISH_LUA) s.code = c->finish_lua;
  if (i == PARL_TERM_perf && c->perf_lua[0] != '\0') s.code = c->perf_lua;
  if (i == PARL_TERM_early && c->early_lua[0] != '\0') s.code = c->early_lua;
  return s;
}

static bool is_made_of(const source *s, const char *fact) {
  if (s->code != NULL) return parl_expression_may_name(s->code, fact);
  return s->fact != NULL && strcmp(s->fact, fact) == 0;
}

/* A line is an episode of its own, and says less than a rollout does. */
static parl_status check_term(const score_rules *r, size_t i) {
  static const char *const unknown[] = {"scores", "stages", "group"};
  const source s = get_source(r, i);
  const parl_term_config *own = r->table->rows[i].own;
  for (size_t k = 0; k < sizeof unknown / sizeof unknown[0]; k++)
    if (s.code != NULL && is_made_of(&s, unknown[k]))
      return parl_fail(PARL_STATUS_EINVAL,
                       "score: r_%s names `%s`, which recorded episodes do not have", s.where,
                       unknown[k]);
  if (own != NULL && own->kind != PARL_TERM_KIND_lua && own->kind != PARL_TERM_KIND_cost &&
      own->kind != PARL_TERM_KIND_budget)
    return parl_fail(PARL_STATUS_EINVAL,
                     "score: r_%s is of the kind %s, which needs a group, a warm start or a judge; "
                     "recorded episodes have none",
                     s.where, parl_term_kind_infos[own->kind].name);
  return PARL_STATUS_OK;
}

/* A fact that a term is made of is counted, or stands in the line. */
static parl_status need_fact(score_rules *r, parl_fact fact, const char *name, const char *term) {
  static const parl_fact fields[PARL_N_SCORE_FIELDS] = {
#define X(field, least, most, what) PARL_FACT_##field,
      PARL_SCORE_FIELD_LIST(X)
#undef X
  };
  if (parl_score_is_counted(fact) || fact == PARL_FACT_budget_used) return PARL_STATUS_OK;
  for (int f = 0; f < PARL_N_SCORE_FIELDS; f++) {
    if (fields[f] != fact) continue;
    r->rules.needs[f] = true;
    return PARL_STATUS_OK;
  }
  return parl_fail(PARL_STATUS_EINVAL,
                   "score: r_%s is made of %s, which recorded episodes do not have", term, name);
}

static parl_status need_facts(score_rules *r, size_t i) {
  static const char *const names[PARL_N_FACTS] = {
#define X(name, unit, meaning) #name,
      PARL_FACT_LIST(X)
#undef X
  };
  const source s = get_source(r, i);
  const parl_term_config *own = r->table->rows[i].own;
  for (int f = 0; f < PARL_N_FACTS; f++)
    if (is_made_of(&s, names[f])) PARL_TRY(need_fact(r, (parl_fact)f, names[f], s.where));
  const bool has_own_budget = own != NULL && own->kind == PARL_TERM_KIND_budget && own->budget == 0;
  const bool is_early = i == PARL_TERM_early && s.code == NULL && r->weights[i] != 0;
  if (has_own_budget || is_early) r->rules.needs[PARL_SCORE_FIELD_budget_steps] = true;
  if (is_early) r->rules.needs[PARL_SCORE_FIELD_success] = true;
  if (i == PARL_TERM_parallel && r->config.parallel == PARL_PARALLEL_REALISED)
    r->rules.needs[PARL_SCORE_FIELD_serial_steps] = true;
  return PARL_STATUS_OK;
}

static parl_status open_recipe(const cli_args *args, score_rules *out) {
  size_t arm = 0;
  PARL_TRY(cli_load_recipe_of(args, args->recipe, &out->recipe));
  if (args->arm != NULL) PARL_TRY(cli_find_arm(out->recipe, args->arm, &arm));
  const parl_run_config *c = parl_recipe_get_arm(out->recipe, arm);
  const int64_t update = args->update >= 0 ? args->update : 0;
  out->config = c->reward;
  PARL_TRY(parl_term_table_create(c->weights, c->own_terms, &out->table));
  PARL_TRY(parl_weights_get(out->recipe, arm, update, out->weights));
  for (size_t i = 0; i < out->table->n; i++) PARL_TRY(check_term(out, i));
  for (size_t i = 0; i < out->table->n; i++) PARL_TRY(need_facts(out, i));
  out->rules.weights = out->weights;
  out->rules.update = update;
  return PARL_STATUS_OK;
}

parl_status score_rules_open(const cli_args *args, score_rules *out) {
  out->rules.config = &out->config;
  return args->recipe != NULL ? open_recipe(args, out) : open_options(args, out);
}

void score_rules_deinit(score_rules *rules) {
  parl_term_table_destroy(rules->table);
  parl_recipe_destroy(rules->recipe);
}
