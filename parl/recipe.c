/* parl/recipe.c - loading, merging and naming runs. */
#include "parl/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/foreign.h"
#include "core/lookup.h"
#include "engine/preset.h"
#include "lua/recipe.h"
#include "parl/context_policy.h"

#define SECTION_TYPE_ parl_run_section_config
PARL_CONFIG_SECTION(parl_run_section, "run", "where and how a run runs", PARL_RUN_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_env_config
PARL_CONFIG_SECTION(parl_env_section, "env", "the environment; its own parameters under env.params",
                    PARL_ENV_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_episode_config
PARL_CONFIG_SECTION(parl_episode_section, "episode", "budget and action mask", PARL_EPISODE_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_agents_config
PARL_CONFIG_SECTION(parl_agents_section, "agents", "frozen sub-agents", PARL_AGENTS_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_warm_config
PARL_CONFIG_SECTION(parl_warm_section, "warm", "warm start by imitation", PARL_WARM_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_train_config
PARL_CONFIG_SECTION(parl_train_section, "train", "reinforcement learning", PARL_TRAIN_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_eval_config
PARL_CONFIG_SECTION(parl_eval_section, "eval", "evaluation on held-out tasks", PARL_EVAL_FIELDS);
#undef SECTION_TYPE_

const parl_recipe_section *parl_recipe_get_sections(size_t *n) {
  static const parl_recipe_section sections[] = {
      {&parl_run_section, offsetof(parl_run_config, run)},
      {&parl_env_section, offsetof(parl_run_config, env)},
      {&parl_episode_section, offsetof(parl_run_config, episode)},
      {&parl_agents_section, offsetof(parl_run_config, agents)},
      {&parl_model_section, offsetof(parl_run_config, model)},
      {&parl_warm_section, offsetof(parl_run_config, warm)},
      {&parl_train_section, offsetof(parl_run_config, train)},
      {&parl_optimizer_section, offsetof(parl_run_config, optimizer)},
      {&parl_objective_section, offsetof(parl_run_config, objective)},
      {&parl_reward_section, offsetof(parl_run_config, reward)},
#define LAMBDA(X, term, lambda, ...) {&parl_##lambda##_section, offsetof(parl_run_config, lambda)},
      PARL_TERM_LIST(LAMBDA, PARL_TERM_NONE_, )
#undef LAMBDA
          {&parl_eval_section, offsetof(parl_run_config, eval)},
  };
  *n = sizeof sections / sizeof sections[0];
  return sections;
}

const parl_schedule_config *parl_run_config_get_schedule(const parl_run_config *config,
                                                         parl_term term) {
#define LAMBDA(X, term, lambda, ...) &config->lambda,
#define ONE(X, term) NULL,
  const parl_schedule_config *const schedules[] = {PARL_TERM_LIST(LAMBDA, ONE, )};
#undef LAMBDA
#undef ONE
  return schedules[term];
}

enum { MAX_ARMS = 256, PATH_BYTES = 1024, NAME_BYTES = 64 };

struct parl_recipe {
  char name[NAME_BYTES];
  char path[PATH_BYTES];
  char folder[PATH_BYTES];
  char env_path[PATH_BYTES];
  parl_json *tree;       /* base with overrides, arms taken out */
  parl_json *env_params; /* or NULL */
  size_t n_arms;
  char (*arm_names)[NAME_BYTES]; /* [n_arms] */
  parl_run_config *arms;         /* [n_arms] */
};

static const parl_recipe_section *find_section(const char *name) {
  size_t n;
  const parl_recipe_section *s = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(s[i].section->name, name) == 0) return &s[i];
  return NULL;
}

static parl_status refuse_section(const char *key, const char *path) {
  enum { EXTRA = 3, MAX = 32 };
  const char *names[MAX] = {"name", "summary", "arms"};
  size_t n;
  const parl_recipe_section *s = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++) names[EXTRA + i] = s[i].section->name;
  const char *near = parl_nearest(key, names, EXTRA + n);
  return parl_fail(PARL_STATUS_EINVAL, "%s: unknown section \"%s\"%s%s%s", path, key,
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

static parl_status check_across(const parl_run_config *c, const char *path) {
  if (c->env.file[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "%s: env.file is missing: name an environment script",
                     path);
  const int64_t batch = c->train.tasks * c->train.group;
  if (batch > 1000000)
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s: train.tasks * train.group = %lld episodes; at most 1000000", path,
                     (long long)batch);
  if (c->train.minibatches > batch)
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s: train.minibatches = %lld, but an update has %lld episodes", path,
                     (long long)c->train.minibatches, (long long)batch);
  return PARL_STATUS_OK;
}

static parl_status read_sections(const parl_json *tree, const char *path, parl_run_config *config) {
  size_t n;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++)
    parl_config_set_defaults(sections[i].section, (char *)config + sections[i].offset);
  for (const parl_json *c = parl_json_get_first(tree); c != NULL; c = parl_json_get_next(c)) {
    const char *key = parl_json_get_key(c);
    if (strcmp(key, "name") == 0 || strcmp(key, "summary") == 0) continue;
    const parl_recipe_section *s = find_section(key);
    if (s == NULL) return refuse_section(key, path);
    if (parl_json_get_type(c) != PARL_JSON_OBJECT)
      return parl_fail(PARL_STATUS_EINVAL, "%s: section \"%s\" is a %s; it must be a table", path,
                       key, parl_json_type_name(parl_json_get_type(c)));
    PARL_TRY(parl_fail_context(read_section(s, c, config), "%s", path));
  }
  return check_across(config, path);
}

static parl_status read_name(const parl_json *node, const char *what, char out[NAME_BYTES]) {
  const char *s = node ? parl_json_get_string(node) : NULL;
  if (s == NULL || s[0] == '\0' || strlen(s) >= NAME_BYTES || strchr(s, '/') || s[0] == '.')
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s must be a text of 1 to %d bytes without '/' and a leading '.'", what,
                     NAME_BYTES - 1);
  memcpy(out, s, strlen(s) + 1);
  return PARL_STATUS_OK;
}

static parl_status read_arm(parl_recipe *r, size_t i, const parl_json *arm) {
  PARL_TRY(parl_fail_context(read_name(parl_json_find(arm, "name"), "arm's name", r->arm_names[i]),
                             "%s: arm %zu", r->path, i + 1));
  for (size_t j = 0; j < i; j++)
    if (strcmp(r->arm_names[i], r->arm_names[j]) == 0)
      return parl_fail(PARL_STATUS_EINVAL, "%s: two arms are named \"%s\"", r->path,
                       r->arm_names[i]);
  if (parl_json_find(arm, "run") || parl_json_find_path(arm, "env.params") ||
      parl_json_find_path(arm, "env.file") || parl_json_find(arm, "eval"))
    return parl_fail(
        PARL_STATUS_EINVAL,
        "%s: arm \"%s\" overrides run, eval, env.file or env.params; these are the same "
        "for all arms, so that arms can be compared",
        r->path, r->arm_names[i]);
  parl_json *merged = NULL;
  PARL_TRY(parl_json_copy(r->tree, &merged));
  parl_status s = parl_json_merge(merged, arm);
  char where[PATH_BYTES + NAME_BYTES + 16];
  snprintf(where, sizeof where, "%s: arm \"%s\"", r->path, r->arm_names[i]);
  if (s == PARL_STATUS_OK) s = read_sections(merged, where, &r->arms[i]);
  parl_json_destroy(merged);
  return s;
}

static parl_status read_arms(parl_recipe *r, const parl_json *arms) {
  const size_t n = arms ? parl_json_get_size(arms) : 0;
  if (arms && (parl_json_get_type(arms) != PARL_JSON_ARRAY || n == 0 || n > MAX_ARMS))
    return parl_fail(PARL_STATUS_EINVAL, "%s: arms must be a list of 1 to %d tables", r->path,
                     MAX_ARMS);
  r->n_arms = n ? n : 1;
  r->arm_names = calloc(r->n_arms, sizeof *r->arm_names);
  r->arms = calloc(r->n_arms, sizeof *r->arms);
  if (r->arm_names == NULL || r->arms == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for %zu arms", r->path, r->n_arms);
  if (n == 0) {
    memcpy(r->arm_names[0], "trained", sizeof "trained");
    return read_sections(r->tree, r->path, &r->arms[0]);
  }
  size_t i = 0;
  for (const parl_json *a = parl_json_get_first(arms); a != NULL; a = parl_json_get_next(a)) {
    if (parl_json_get_type(a) != PARL_JSON_OBJECT)
      return parl_fail(PARL_STATUS_EINVAL, "%s: arm %zu is not a table", r->path, i + 1);
    PARL_TRY(read_arm(r, i++, a));
  }
  return PARL_STATUS_OK;
}

static parl_status load_tree(const char *path, parl_json **out) {
  const size_t n = strlen(path);
  if (n > 4 && strcmp(path + n - 4, ".lua") == 0) return parl_recipe_load_lua(path, out);
  char *bytes = NULL;
  size_t size;
  PARL_TRY(parl_file_read(path, (size_t)16 << 20, &bytes, &size));
  parl_status s = parl_foreign_refuse(bytes, size, path, PARL_FOREIGN_JSON);
  if (s == PARL_STATUS_OK) s = parl_json_parse(bytes, size, path, out);
  free(bytes);
  return s;
}

static parl_status apply_overrides(parl_json *tree, const char *const *overrides, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const char *equals = strchr(overrides[i], '=');
    char key[256];
    if (equals == NULL || equals == overrides[i] || (size_t)(equals - overrides[i]) >= sizeof key)
      return parl_fail(PARL_STATUS_EINVAL, "--set %s: expected section.field=value", overrides[i]);
    memcpy(key, overrides[i], (size_t)(equals - overrides[i]));
    key[equals - overrides[i]] = '\0';
    if (strchr(key, '.') == NULL)
      return parl_fail(PARL_STATUS_EINVAL, "--set %s: expected section.field=value", overrides[i]);
    PARL_TRY(
        parl_fail_context(parl_json_set_path(tree, key, equals + 1), "--set %s", overrides[i]));
  }
  return PARL_STATUS_OK;
}

/* The environment as named, else beside the recipe or up to two folders above it, else in datadir;
 * where the environment is all there is to the recipe, as named or in datadir. */
static parl_status find_env(parl_recipe *r, bool is_env, const char *datadir) {
  const char *slash = strrchr(r->path, '/');
  const int n = slash ? (int)(slash - r->path) + 1 : 0;
  char beside[3][PATH_BYTES + 8], shipped[PATH_BYTES + 8];
  snprintf(shipped, sizeof shipped, "%s/envs", datadir ? datadir : "");
  parl_lookup lookup = {
      .what = "environment", .extension = ".lua", .n_folders = 1, .folders = {""}};
  for (size_t i = 0; i < 3 && !is_env; i++) {
    static const char *const ups[] = {"", "../", "../../"};
    snprintf(beside[i], sizeof beside[i], "%.*s%s", n, r->path, ups[i]);
    if (n > 0 || i > 0) lookup.folders[lookup.n_folders++] = beside[i];
  }
  if (datadir != NULL) lookup.folders[lookup.n_folders++] = shipped;
  if (datadir != NULL) lookup.folders[lookup.n_folders++] = datadir;
  const parl_status s =
      parl_lookup_find(&lookup, r->arms[0].env.file, r->env_path, sizeof r->env_path);
  return is_env ? s : parl_fail_context(s, "%s: env.file", r->path);
}

static parl_status set_names(parl_recipe *r) {
  const parl_json *name = parl_json_find(r->tree, "name");
  if (name != NULL) {
    PARL_TRY(parl_fail_context(read_name(name, "name", r->name), "%s", r->path));
  } else {
    const char *slash = strrchr(r->path, '/');
    const char *base = slash ? slash + 1 : r->path;
    const char *dot = strrchr(base, '.');
    snprintf(r->name, sizeof r->name, "%.*s", dot ? (int)(dot - base) : NAME_BYTES - 1, base);
  }
  const char *dir = r->arms[0].run.dir;
  if (dir[0] != '\0')
    snprintf(r->folder, sizeof r->folder, "%s", dir);
  else
    snprintf(r->folder, sizeof r->folder, "runs/%s", r->name);
  return PARL_STATUS_OK;
}

/* The tree of a recipe that only names its environment, r->path. */
static parl_status make_env_tree(parl_recipe *r) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "env");
  parl_json_begin_object(&w);
  parl_json_key(&w, "file");
  parl_json_string(&w, r->path);
  parl_json_end_object(&w);
  parl_json_end_object(&w);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_json_parse(parl_text_get(&text), text.n, r->path, &r->tree);
  parl_text_deinit(&text);
  return s;
}

static parl_status load(parl_recipe *r, bool is_env, const char *const *overrides, size_t n,
                        const char *datadir) {
  PARL_TRY(is_env ? make_env_tree(r) : load_tree(r->path, &r->tree));
  if (parl_json_get_type(r->tree) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s: a recipe is a table", r->path);
  PARL_TRY(apply_overrides(r->tree, overrides, n));
  const parl_json *arms_node = parl_json_find(r->tree, "arms");
  parl_json *arms = NULL;
  if (arms_node != NULL) PARL_TRY(parl_json_copy(arms_node, &arms));
  parl_json_remove(r->tree, "arms");
  const parl_status s = read_arms(r, arms);
  parl_json_destroy(arms);
  PARL_TRY(s);
  const parl_json *params = parl_json_find_path(r->tree, "env.params");
  if (params != NULL) PARL_TRY(parl_json_copy(params, &r->env_params));
  PARL_TRY(set_names(r));
  return find_env(r, is_env, datadir);
}

static parl_status create(const char *path, bool is_env, const char *const *overrides,
                          size_t n_overrides, const char *datadir, parl_recipe **out) {
  PARL_REQUIRE(strlen(path) < PATH_BYTES);
  parl_recipe *r = calloc(1, sizeof *r);
  if (r == NULL) return parl_fail(PARL_STATUS_ENOMEM, "recipe: no memory");
  memcpy(r->path, path, strlen(path) + 1);
  const parl_status s = load(r, is_env, overrides, n_overrides, datadir);
  if (s != PARL_STATUS_OK) {
    parl_recipe_destroy(r);
    return s;
  }
  *out = r;
  return PARL_STATUS_OK;
}

parl_status parl_recipe_load(const char *path, const char *const *overrides, size_t n_overrides,
                             const char *datadir, parl_recipe **out) {
  return create(path, false, overrides, n_overrides, datadir, out);
}

parl_status parl_recipe_load_env(const char *path, const char *const *overrides, size_t n_overrides,
                                 const char *datadir, parl_recipe **out) {
  return create(path, true, overrides, n_overrides, datadir, out);
}

void parl_recipe_destroy(parl_recipe *recipe) {
  if (recipe == NULL) return;
  parl_json_destroy(recipe->tree);
  parl_json_destroy(recipe->env_params);
  free(recipe->arm_names);
  free(recipe->arms);
  free(recipe);
}

const char *parl_recipe_get_name(const parl_recipe *recipe) {
  return recipe->name;
}
size_t parl_recipe_get_n_arms(const parl_recipe *recipe) {
  return recipe->n_arms;
}
const char *parl_recipe_get_arm_name(const parl_recipe *recipe, size_t arm) {
  return recipe->arm_names[arm];
}
const parl_run_config *parl_recipe_get_arm(const parl_recipe *recipe, size_t arm) {
  return &recipe->arms[arm];
}
const parl_json *parl_recipe_get_env_params(const parl_recipe *recipe) {
  return recipe->env_params;
}
const char *parl_recipe_get_env_path(const parl_recipe *recipe) {
  return recipe->env_path;
}
const char *parl_recipe_get_folder(const parl_recipe *recipe) {
  return recipe->folder;
}

parl_env_options parl_recipe_get_env_options(const parl_env_config *config,
                                             const parl_script_host *scripts) {
  return (parl_env_options){.memory_bytes = (size_t)(config->memory_mib * 1048576.0),
                            .callback_s = config->callback_s,
                            .instructions = config->instructions,
                            .host = scripts};
}

parl_status parl_recipe_open_env(const parl_recipe *recipe, const parl_env_config *config,
                                 const parl_script_host *scripts, parl_env **out) {
  const parl_env_options options = parl_recipe_get_env_options(config, scripts);
  return parl_env_create(recipe->env_path, recipe->env_params, &options, out);
}

static parl_status check_style(const parl_env_spec *spec, const char *field, const char *style) {
  for (int i = 0; i < spec->n_styles; i++)
    if (strcmp(spec->styles[i], style) == 0) return PARL_STATUS_OK;
  const char *near = parl_nearest(style, spec->styles, (size_t)spec->n_styles);
  return parl_fail(PARL_STATUS_EINVAL, "%s: %s has no expert style \"%s\"%s%s%s", field, spec->name,
                   style, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

parl_status parl_recipe_check_env(const parl_run_config *config, const parl_env_spec *spec) {
  const int longest = spec->limits.context > spec->limits.sub_context ? spec->limits.context
                                                                      : spec->limits.sub_context;
  if (longest > config->model.max_context)
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.max_context = %lld tokens, but %s lets a context grow to %d",
                     (long long)config->model.max_context, spec->path, longest);
  if (config->episode.context_policy == PARL_CONTEXT_POLICY_SUMMARY && !spec->has_summarize)
    return parl_fail(PARL_STATUS_EINVAL,
                     "episode.context_policy = \"summary\": %s has no callback `summarize`",
                     spec->path);
  if (config->agents.style[0] != '\0')
    PARL_TRY(check_style(spec, "agents.style", config->agents.style));
  char list[PARL_CONFIG_TEXT_BYTES];
  snprintf(list, sizeof list, "%s", config->eval.baselines);
  char *rest = NULL;
  for (char *s = strtok_r(list, ", ", &rest); s != NULL; s = strtok_r(NULL, ", ", &rest))
    PARL_TRY(check_style(spec, "eval.baselines", s));
  return PARL_STATUS_OK;
}

static void get_dtype(const parl_run_config *config, char out[8]) {
  parl_config_choice_name(&parl_run_section, "dtype", config->run.dtype, out, 8);
}

parl_status parl_recipe_get_backend(const parl_run_config *config, const parl_backend **out) {
  char dtype[8];
  get_dtype(config, dtype);
  return parl_backend_select(config->run.backend, dtype, out);
}

static bool in_scope(const parl_section *s, parl_scope scope) {
  if (s == &parl_run_section) return false;
  if (scope == PARL_SCOPE_RUN) return true;
  if (s == &parl_env_section || s == &parl_episode_section || s == &parl_model_section ||
      s == &parl_warm_section)
    return true;
  return scope == PARL_SCOPE_BASELINE && (s == &parl_agents_section || s == &parl_eval_section);
}

parl_status parl_recipe_append_canonical(const parl_recipe *recipe, const parl_run_config *config,
                                         const parl_env *env, parl_scope scope, parl_text *out) {
  parl_text raw = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &raw, false);
  parl_json_begin_object(&w);
  size_t n;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++) {
    if (!in_scope(sections[i].section, scope)) continue;
    parl_json_key(&w, sections[i].section->name);
    parl_config_write(sections[i].section, (const char *)config + sections[i].offset, &w);
  }
  parl_json_key(&w, "params");
  parl_json_raw(&w, parl_env_get_params(env));
  parl_json_key(&w, "script");
  parl_json_string(&w, parl_env_get_spec(env)->script_hash);
  parl_json_key(&w, "backend");
  parl_json_string(&w, config->run.backend);
  char dtype[8];
  get_dtype(config, dtype);
  parl_json_key(&w, "dtype");
  parl_json_string(&w, dtype);
  parl_json_key(&w, "seed");
  parl_json_integer(&w, config->run.seed);
  parl_json_key(&w, "recipe");
  parl_json_string(&w, recipe->name);
  parl_json_end_object(&w);
  parl_json *tree = NULL;
  parl_status s = parl_text_status(&raw);
  if (s == PARL_STATUS_OK)
    s = parl_json_parse(parl_text_get(&raw), raw.n, "canonical config", &tree);
  if (s == PARL_STATUS_OK) parl_json_append_canonical(tree, out);
  if (s == PARL_STATUS_OK) s = parl_text_status(out);
  parl_json_destroy(tree);
  parl_text_deinit(&raw);
  return s;
}
