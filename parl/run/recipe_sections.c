/* parl/run/recipe_sections.c - the tables of a recipe, and reading a tree by them. */
#include <string.h>

#include "engine/preset.h"
#include "parl/reward/presets.h"
#include "parl/run/recipe_internal.h"

#define SECTION_TYPE_ parl_run_section_config
PARL_CONFIG_SECTION(parl_run_section, "run", "where and how a run runs", PARL_RUN_FIELDS);
#undef SECTION_TYPE_

const parl_recipe_section *parl_recipe_get_sections(size_t *n) {
  static const parl_recipe_section sections[] = {
      {&parl_run_section, offsetof(parl_run_config, run), false},
      {&parl_env_section, offsetof(parl_run_config, env), false},
      {&parl_episode_section, offsetof(parl_run_config, episode), false},
      {&parl_cost_section, offsetof(parl_run_config, cost), true},
      {&parl_agents_section, offsetof(parl_run_config, agents), false},
      {&parl_model_section, offsetof(parl_run_config, model), false},
      {&parl_pretrain_section, offsetof(parl_run_config, pretrain), true},
      {&parl_warm_section, offsetof(parl_run_config, warm), false},
      {&parl_train_section, offsetof(parl_run_config, train), false},
      {&parl_optimizer_section, offsetof(parl_run_config, optimizer), false},
      {&parl_objective_section, offsetof(parl_run_config, objective), false},
      {&parl_reward_section, offsetof(parl_run_config, reward), false},
#define X(term, lambda, symbol, written, ...)                                      \
  {&parl_##lambda##_section, offsetof(parl_run_config, weights[PARL_TERM_##term]), \
   PARL_TERM_WRITTEN_##written},
      PARL_TERM_LIST(X)
#undef X
          {&parl_eval_section, offsetof(parl_run_config, eval), false},
  };
  *n = sizeof sections / sizeof sections[0];
  return sections;
}

parl_swarm_config parl_run_config_get_swarm(const parl_run_config *config) {
  return (parl_swarm_config){
      .env = config->env,
      .episode = config->episode,
      .cost = config->cost,
      .messages = {config->agents.message_loss, config->agents.message_false,
                   config->agents.message_late, config->agents.late_steps},
      .patch = config->model.vision.patch,
  };
}

/* Merges {"NAME": {defaults}} of an optional section into those that lack it. */
static parl_status add_section(const parl_section *section, parl_json *const *configs, size_t n) {
  parl_optional_config preset;
  parl_text text = {0};
  parl_json_writer w;
  parl_json *tree = NULL;
  PARL_CHECK(section->bytes <= sizeof preset);
  parl_config_set_defaults(section, &preset);
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, section->name);
  parl_config_write(section, &preset, &w);
  parl_json_end_object(&w);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_json_parse(parl_text_get(&text), text.n, "a section", &tree);
  for (size_t i = 0; i < n && s == PARL_STATUS_OK; i++)
    if (parl_json_find(configs[i], section->name) == NULL) s = parl_json_merge(configs[i], tree);
  parl_json_destroy(tree);
  parl_text_deinit(&text);
  return s;
}

parl_status parl_recipe_fill_in(parl_json *const *configs, size_t n) {
  size_t n_sections;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n_sections);
  for (size_t i = 0; i < n_sections; i++) {
    bool any = false;
    for (size_t k = 0; k < n && sections[i].is_optional; k++)
      any = any || parl_json_find(configs[k], sections[i].section->name) != NULL;
    if (any) PARL_TRY(add_section(sections[i].section, configs, n));
  }
  return PARL_STATUS_OK;
}

static const parl_recipe_section *find_section(const char *name) {
  size_t n;
  const parl_recipe_section *s = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(s[i].section->name, name) == 0) return &s[i];
  return NULL;
}

static parl_status refuse_section(const char *key) {
  enum { EXTRA = 6, MAX = 32 + PARL_N_TERMS };
  const char *names[MAX] = {"name", "summary", "question", "arms", "terms", "sources"};
  size_t n;
  const parl_recipe_section *s = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++) names[EXTRA + i] = s[i].section->name;
  const char *near = parl_nearest(key, names, EXTRA + n);
  return parl_fail(PARL_STATUS_EINVAL, "unknown section \"%s\"%s%s%s", key,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* A copy of the env section without its free-form member "params". */
static parl_status read_env_section(const parl_json *object, parl_run_config *config) {
  parl_json *copy = NULL;
  PARL_TRY(parl_json_copy(object, &copy));
  parl_json_remove(copy, "params");
  const parl_status s = parl_config_read(&parl_env_section, copy, "env", &config->env);
  parl_json_destroy(copy);
  return s;
}

/* model.preset is no field: it fills in what the section does not say. */
static parl_status read_model_section(const parl_json *object, parl_run_config *config) {
  const parl_json *preset = parl_json_find(object, "preset");
  if (preset == NULL) return parl_config_read(&parl_model_section, object, "model", &config->model);
  const char *name = parl_json_get_string(preset);
  if (name == NULL) return parl_fail(PARL_STATUS_EINVAL, "model.preset must be a text in quotes");
  parl_json *copy = NULL;
  PARL_TRY(parl_json_copy(object, &copy));
  parl_json_remove(copy, "preset");
  parl_status s = parl_config_read(&parl_model_section, copy, "model", &config->model);
  if (s == PARL_STATUS_OK)
    s = parl_fail_context(parl_model_apply_preset(name, &config->model), "model.preset");
  if (s == PARL_STATUS_OK) s = parl_config_read(&parl_model_section, copy, "model", &config->model);
  parl_json_destroy(copy);
  return s;
}

static parl_status read_section(const parl_recipe_section *s, const parl_json *object,
                                parl_run_config *config) {
  if (s->section == &parl_env_section) return read_env_section(object, config);
  if (s->section == &parl_model_section) return read_model_section(object, config);
  return parl_config_read(s->section, object, s->section->name, (char *)config + s->offset);
}

/* A weight has two names: its section, and the one among the terms. */
static parl_status refuse_both(const parl_json *tree, const parl_json *terms) {
  for (const parl_json *c = parl_json_get_first(terms); c != NULL; c = parl_json_get_next(c)) {
    const char *name = parl_json_get_key(c);
    const parl_term term = parl_term_find(name);
    if (term == PARL_N_TERMS || parl_json_find(c, "weight") == NULL) continue;
    const char *lambda = parl_term_infos[term].lambda;
    if (parl_json_find(tree, lambda) != NULL)
      return parl_fail(PARL_STATUS_EINVAL,
                       "%s and terms.%s.weight are both given: they are two names of one weight; "
                       "keep one of them",
                       lambda, name);
  }
  return PARL_STATUS_OK;
}

/* A line for readers. */
static parl_status check_question(const char *question) {
  const size_t n = strlen(question);
  if (n >= PARL_QUESTION_BYTES)
    return parl_fail(PARL_STATUS_EINVAL, "question has %zu bytes; it must have at most %d", n,
                     PARL_QUESTION_BYTES - 1);
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)question[i] < ' ')
      return parl_fail(PARL_STATUS_EINVAL, "question must be one line without control characters");
  return PARL_STATUS_OK;
}

static parl_status read_member(const parl_json *c, parl_run_config *config) {
  const char *key = parl_json_get_key(c);
  if (strcmp(key, "question") == 0 && parl_json_get_string(c) != NULL)
    return check_question(parl_json_get_string(c));
  if (strcmp(key, "name") == 0 || strcmp(key, "summary") == 0 || strcmp(key, "question") == 0) {
    if (parl_json_get_string(c) != NULL) return PARL_STATUS_OK;
    return parl_fail(PARL_STATUS_EINVAL, "%s must be a text in quotes", key);
  }
  const parl_recipe_section *s = find_section(key);
  if (s == NULL) return refuse_section(key);
  if (parl_json_get_type(c) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "section \"%s\" is a %s; it must be a table", key,
                     parl_json_type_name(parl_json_get_type(c)));
  return read_section(s, c, config);
}

/* What is no section, but a table of things with names. */
static bool is_table(const char *key) {
  return strcmp(key, "terms") == 0 || strcmp(key, "sources") == 0;
}

/* Without presets of the reward. */
static parl_status read_filled(const parl_json *tree, bool partial, parl_run_config *config) {
  size_t n;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  parl_own_terms *own = NULL;
  for (size_t i = 0; i < n; i++)
    parl_config_set_defaults(sections[i].section, (char *)config + sections[i].offset);
  config->own_terms = NULL;
  config->sources.n = 0;
  for (const parl_json *c = parl_json_get_first(tree); c != NULL; c = parl_json_get_next(c))
    if (!is_table(parl_json_get_key(c))) PARL_TRY(read_member(c, config));
  const parl_json *sources = parl_json_find(tree, "sources");
  const parl_json *terms = parl_json_find(tree, "terms");
  if (sources != NULL) PARL_TRY(parl_source_list_read(sources, partial, &config->sources));
  if (terms == NULL) return PARL_STATUS_OK;
  PARL_TRY(refuse_both(tree, terms));
  PARL_TRY(parl_terms_read(terms, partial, config->weights, &own));
  config->own_terms = own;
  return PARL_STATUS_OK;
}

parl_status parl_recipe_read_tree(const parl_json *tree, bool partial, parl_run_config *config) {
  parl_json *filled = NULL;
  config->own_terms = NULL;
  if (parl_json_find_path(tree, "reward.preset") == NULL) return read_filled(tree, partial, config);
  PARL_TRY(parl_json_copy(tree, &filled));
  parl_status s = parl_reward_apply_preset(filled);
  if (s == PARL_STATUS_OK) s = read_filled(filled, partial, config);
  parl_json_destroy(filled);
  return s;
}
