/* parl/run/recipe_check.c - what fits together: fields with each other, arms with an
 * environment. */
#include <stdio.h>
#include <string.h>

#include "parl/learn/metrics.h"
#include "parl/learn/warm_start.h"
#include "parl/reward/advantage.h"
#include "parl/run/recipe_internal.h"
#include "parl/run/subs.h"
#include "parl/swarm/context_policy.h"

/* --- the fields of an arm --- */

static parl_status check_sizes(const parl_run_config *c) {
  const int64_t batch = c->train.tasks * c->train.group;
  if (batch > 1000000)
    return parl_fail(PARL_STATUS_EINVAL,
                     "train.tasks * train.group = %lld episodes; at most 1000000",
                     (long long)batch);
  if (c->train.sampling != PARL_SAMPLING_UNIFORM && c->train.tasks * c->train.candidates > 1000000)
    return parl_fail(PARL_STATUS_EINVAL,
                     "train.tasks * train.candidates = %lld tasks to look at in an update; at most "
                     "1000000",
                     (long long)(c->train.tasks * c->train.candidates));
  if (c->train.minibatches > batch)
    return parl_fail(PARL_STATUS_EINVAL,
                     "train.minibatches = %lld, but an update has %lld episodes",
                     (long long)c->train.minibatches, (long long)batch);
  return PARL_STATUS_OK;
}

/* Seeds are whole numbers that a double holds: beyond, neighbours are the same. */
static parl_status check_seeds(const parl_run_config *c) {
  const int64_t most = (INT64_C(1) << 53) - 1;
  if (c->run.seed <= most - (c->run.n_seeds - 1)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "run.seed = %lld with run.n_seeds = %lld: the last seed would be beyond %lld, "
                   "where seeds fold together",
                   (long long)c->run.seed, (long long)c->run.n_seeds, (long long)most);
}

/* A group of one is its own mean. */
static parl_status check_group(const parl_run_config *c) {
  char mode[16];
  if (c->train.group > 1 || c->objective.advantage == PARL_ADVANTAGE_NONE) return PARL_STATUS_OK;
  parl_config_choice_name(&parl_objective_section, "advantage", c->objective.advantage, mode,
                          sizeof mode);
  return parl_fail(PARL_STATUS_EINVAL,
                   "train.group = 1 with objective.advantage = \"%s\": every advantage would be 0, "
                   "because the mean of the group is subtracted; set train.group to 2 or more, or "
                   "objective.advantage to \"none\"",
                   mode);
}

/* A multiple of a number of steps is no number of tokens. */
static parl_status check_budget(const parl_run_config *c) {
  const parl_episode_config *e = &c->episode;
  if (e->budget_counts != PARL_BUDGET_TOKENS || e->budget_steps > 0 || e->budget_factor <= 0)
    return PARL_STATUS_OK;
  return parl_fail(
      PARL_STATUS_EINVAL,
      "episode.budget_counts = \"tokens\" with episode.budget_factor = %g of an optimum "
      "in steps: set episode.budget_steps to the tokens that an episode may have, or "
      "episode.budget_factor to 0 for no budget",
      e->budget_factor);
}

/* A response is one sequence there: the sum of its log-ratios is taken over one context. */
static parl_status check_responses(const parl_run_config *c) {
  if (!parl_objective_is_of_responses(&c->objective) ||
      c->episode.context_policy == PARL_CONTEXT_POLICY_NONE)
    return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "objective.kind = \"squared\" with an episode.context_policy: the form sums the "
                   "log-ratios of a whole response, which a context policy cuts into several "
                   "contexts; set episode.context_policy to \"none\", or another kind");
}

/* Both sides need one. */
static parl_status check_slots(const parl_run_config *c) {
  if (c->cost.slots != 1) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "cost.slots = 1: orchestrators and sub-agents need a slot each; set 2 or more, "
                   "or 0 for no machine");
}

/* Each says which tasks begin. */
static parl_status check_abilities(const parl_run_config *c) {
  parl_abilities abilities;
  PARL_TRY(parl_abilities_parse(c->train.abilities, &abilities));
  if (abilities.n > 0 && c->train.updates == 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "train.abilities = \"%s\", but no update begins a task: train.updates = 0",
                     c->train.abilities);
  const bool is_chosen = c->train.sampling != PARL_SAMPLING_UNIFORM;
  if (abilities.n == 0 || (!is_chosen && c->train.partial == 0)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "train.abilities = \"%s\" with %s: both say which tasks begin; set %s or leave "
                   "train.abilities out",
                   c->train.abilities, is_chosen ? "train.sampling" : "train.partial",
                   is_chosen ? "train.sampling to \"uniform\"" : "train.partial to 0");
}

/* What plays ahead has the weights of before. */
static parl_status check_async(const parl_run_config *c) {
  if (!c->train.async || c->train.staleness > 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "train.async = true with train.staleness = 0: the next update would need the "
                   "policy that this one is learning; set train.staleness to 1 or more");
}

static parl_status check_weights(const parl_run_config *c, const parl_term_table *table,
                                 const parl_metric_table *metrics) {
  for (size_t i = 0; i < table->n; i++)
    PARL_TRY(parl_fail_context(
        parl_schedule_check(table->rows[i].config, c->train.updates, metrics->names, metrics->n),
        "%s", table->rows[i].weight));
  return PARL_STATUS_OK;
}

static parl_status find_annealed(const parl_run_config *c, const parl_term_table *table,
                                 const parl_metric_table *metrics, int64_t *out, char *weight) {
  for (size_t i = 0; i < table->n; i++) {
    const parl_term_row *row = &table->rows[i];
    int64_t settled = 0;
    PARL_TRY(parl_fail_context(parl_schedule_get_settled(row->config, c->train.updates,
                                                         metrics->names, metrics->n, &settled),
                               "%s", row->weight));
    if (settled <= *out) continue;
    *out = settled;
    memcpy(weight, row->weight, sizeof row->weight);
  }
  return PARL_STATUS_OK;
}

parl_status parl_run_config_get_annealed(const parl_run_config *config, int64_t *out,
                                         char weight[PARL_LAMBDA_BYTES]) {
  parl_term_table *table = NULL;
  parl_metric_table *metrics = NULL;
  *out = 0;
  weight[0] = '\0';
  PARL_TRY(parl_term_table_create(config->weights, config->own_terms, &table));
  parl_status s = parl_metric_table_create(table, &metrics);
  if (s == PARL_STATUS_OK) s = find_annealed(config, table, metrics, out, weight);
  parl_metric_table_destroy(metrics);
  parl_term_table_destroy(table);
  return s;
}

/* Budgets are estimated of the probe. */
static parl_status check_probe(const parl_run_config *c, const parl_term_table *table) {
  for (size_t i = 0; i < table->n && c->warm.probe == 0; i++)
    if (table->rows[i].own != NULL && table->rows[i].own->kind == PARL_TERM_KIND_toggle)
      return parl_fail(
          PARL_STATUS_EINVAL,
          "terms.%s: kind = \"toggle\" estimates its budgets of the warm start's probe, "
          "and warm.probe = 0 plays none",
          table->rows[i].name);
  return PARL_STATUS_OK;
}

/* Names, expressions and schedules of the terms. */
static parl_status check_terms(const parl_run_config *c, const parl_term_table *table) {
  parl_metric_table *metrics = NULL;
  PARL_TRY(check_probe(c, table));
  PARL_TRY(parl_metric_table_create(table, &metrics));
  parl_status s = parl_reward_check(&c->reward, table, (size_t)c->train.group);
  if (s == PARL_STATUS_OK) s = check_weights(c, table, metrics);
  parl_metric_table_destroy(metrics);
  return s;
}

/* A part of the model that is not there, or a file that is not named. */
static parl_status check_vision_parts(const parl_run_config *c) {
  const bool starts_tower = c->pretrain.init_part == PARL_INIT_TOWER;
  const bool trains_vision = c->pretrain.train == PARL_TRAIN_VISION;
  if (starts_tower && c->pretrain.init[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL,
                     "pretrain.init_part = \"tower\", but pretrain.init names no checkpoint");
  if ((starts_tower || trains_vision) && c->model.vision.n_layers == 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "pretrain.%s, but the model has no tower: "
                     "model.vision.n_layers = 0",
                     starts_tower ? "init_part = \"tower\"" : "train = \"vision\"");
  if (trains_vision && c->pretrain.steps == 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "pretrain.train = \"vision\", but nothing is pretrained: pretrain.steps = 0");
  return PARL_STATUS_OK;
}

static parl_status check_pretrain(const parl_run_config *c) {
  if (c->pretrain.init[0] != '\0' && c->pretrain.extend[0] != '\0')
    return parl_fail(
        PARL_STATUS_EINVAL,
        "pretrain.init = \"%s\" and pretrain.extend = \"%s\" are both given: the model "
        "begins as one of them",
        c->pretrain.init, c->pretrain.extend);
  PARL_TRY(check_vision_parts(c));
  if (c->pretrain.steps == 0) return PARL_STATUS_OK;
  if (c->sources.n > 0) return parl_source_list_check(&c->sources, c->pretrain.steps);
  return parl_fail(PARL_STATUS_EINVAL,
                   "pretrain.steps = %lld, but the recipe has no `sources` to learn from",
                   (long long)c->pretrain.steps);
}

parl_status parl_recipe_check_across(const parl_run_config *config) {
  if (config->env.file[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "env.file is missing: name an environment script");
  PARL_TRY(check_sizes(config));
  PARL_TRY(check_seeds(config));
  PARL_TRY(check_group(config));
  PARL_TRY(check_budget(config));
  PARL_TRY(check_responses(config));
  PARL_TRY(check_async(config));
  PARL_TRY(check_abilities(config));
  PARL_TRY(parl_subs_check(config));
  PARL_TRY(check_slots(config));
  PARL_TRY(check_pretrain(config));
  parl_term_table *table = NULL;
  PARL_TRY(parl_term_table_create(config->weights, config->own_terms, &table));
  const parl_status s = check_terms(config, table);
  parl_term_table_destroy(table);
  return s;
}

/* --- names --- */

static bool is_one_of(const char *name, size_t n, const char *const *list, size_t n_list) {
  for (size_t i = 0; i < n_list; i++)
    if (strlen(list[i]) == n && memcmp(list[i], name, n) == 0) return true;
  return false;
}

static parl_status refuse_arm_name(const char *name, const char *meaning) {
  return parl_fail(PARL_STATUS_EINVAL, "arm \"%s\": that name means %s; give the arm another", name,
                   meaning);
}

/* "untrained" and its like stand beside the arms in the store and the report; "oracle@arm" too. */
parl_status parl_recipe_check_arm_name(const char *name) {
  static const char *const taken[] = {"untrained", "eval", "random", "serial", "oracle", "optimum"};
  if (is_one_of(name, strcspn(name, "@"), taken, sizeof taken / sizeof taken[0]))
    return refuse_arm_name(name, "a policy or a bound that the program adds itself");
  static const char hex[] = "0123456789abcdef";
  if (strncmp(name, "warm-", 5) == 0 && strspn(name + 5, hex) == 8 && strlen(name) == 13)
    return refuse_arm_name(name, "the file of a warm start");
  if (strncmp(name, "pretrain-", 9) == 0 && strspn(name + 9, hex) == 8 && strlen(name) == 17)
    return refuse_arm_name(name, "the file of a pretrained model");
  return PARL_STATUS_OK;
}

static parl_status check_arm_names(const parl_recipe *r, const parl_env_spec *spec) {
  for (size_t i = 0; i < r->n_arms; i++)
    if (is_one_of(r->arm_names[i], strcspn(r->arm_names[i], "@"), spec->styles,
                  (size_t)spec->n_styles))
      return parl_fail_context(refuse_arm_name(r->arm_names[i], "an expert style"), "%s, %s",
                               r->path, spec->name);
  return PARL_STATUS_OK;
}

/* --- with an environment --- */

parl_status parl_recipe_check_style(const parl_env_spec *spec, const char *field,
                                    const char *style) {
  for (int i = 0; i < spec->n_styles; i++)
    if (strcmp(spec->styles[i], style) == 0) return PARL_STATUS_OK;
  const char *near = parl_nearest(style, spec->styles, (size_t)spec->n_styles);
  return parl_fail(PARL_STATUS_EINVAL, "%s: %s has no expert style \"%s\"%s%s%s", field, spec->name,
                   style, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static parl_status check_width(const parl_env_spec *spec, const char *field, int64_t max_width) {
  if (max_width <= spec->limits.max_width) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "%s = %lld, but %s has limits.max_width = %d", field,
                   (long long)max_width, spec->path, spec->limits.max_width);
}

parl_status parl_recipe_check_env(const parl_recipe *recipe, const parl_run_config *config,
                                  const parl_env_spec *spec) {
  PARL_TRY(check_arm_names(recipe, spec));
  PARL_TRY(parl_warm_start_check(&config->warm, spec));
  const parl_backend *backend;
  PARL_TRY(parl_recipe_get_backend(config, &backend));
  PARL_TRY(parl_model_check_config(&config->model, (size_t)spec->n_tokens));
  const int longest = spec->limits.context > spec->limits.sub_context ? spec->limits.context
                                                                      : spec->limits.sub_context;
  if (longest > config->model.max_context)
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.max_context = %lld tokens, but %s lets a context grow to %d",
                     (long long)config->model.max_context, spec->path, longest);
  PARL_TRY(check_width(spec, "episode.max_width", config->episode.max_width));
  PARL_TRY(check_width(spec, "eval.max_width", config->eval.max_width));
  if (config->episode.context_policy == PARL_CONTEXT_POLICY_SUMMARY && !spec->has_summarize)
    return parl_fail(PARL_STATUS_EINVAL,
                     "episode.context_policy = \"summary\": %s has no callback `summarize`",
                     spec->path);
  PARL_TRY(parl_subs_check_env(config, spec));
  if (config->agents.style[0] != '\0')
    PARL_TRY(parl_recipe_check_style(spec, "agents.style", config->agents.style));
  char list[PARL_CONFIG_TEXT_BYTES];
  snprintf(list, sizeof list, "%s", config->eval.baselines);
  char *rest = NULL;
  for (char *s = strtok_r(list, ", ", &rest); s != NULL; s = strtok_r(NULL, ", ", &rest))
    PARL_TRY(parl_recipe_check_style(spec, "eval.baselines", s));
  return PARL_STATUS_OK;
}
