/* parl/run/recipe.c - loading, merging and naming runs. */
#include "parl/run/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/foreign.h"
#include "core/lookup.h"
#include "lua/table.h"
#include "parl/run/recipe_internal.h"

static parl_status read_name(const parl_json *node, const char *what, char out[PARL_NAME_BYTES]) {
  const char *s = node ? parl_json_get_string(node) : NULL;
  if (s == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "%s must be a text of 1 to %d bytes", what,
                     PARL_NAME_BYTES - 1);
  PARL_TRY(parl_name_check(what, s));
  if (strchr(s, '/') != NULL || s[0] == '.')
    return parl_fail(PARL_STATUS_EINVAL, "%s \"%s\": it may neither hold '/' nor begin with '.'",
                     what, s);
  memcpy(out, s, strlen(s) + 1);
  return PARL_STATUS_OK;
}

static parl_status read_arm_name(parl_recipe *r, size_t i, const parl_json *arm) {
  if (parl_json_get_type(arm) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s: arm %zu is not a table", r->path, i + 1);
  parl_status s = read_name(parl_json_find(arm, "name"), "its name", r->arm_names[i]);
  if (s == PARL_STATUS_OK) s = parl_recipe_check_arm_name(r->arm_names[i]);
  PARL_TRY(parl_fail_context(s, "%s: arm %zu", r->path, i + 1));
  for (size_t j = 0; j < i; j++)
    if (strcmp(r->arm_names[i], r->arm_names[j]) == 0)
      return parl_fail(PARL_STATUS_EINVAL, "%s: two arms are named \"%s\"", r->path,
                       r->arm_names[i]);
  return PARL_STATUS_OK;
}

static parl_status read_arm_names(parl_recipe *r, const parl_json *arms) {
  const size_t n = arms ? parl_json_get_size(arms) : 0;
  if (arms && (parl_json_get_type(arms) != PARL_JSON_ARRAY || n == 0 || n > PARL_RECIPE_MAX_ARMS))
    return parl_fail(PARL_STATUS_EINVAL, "%s: arms must be a list of 1 to %d tables", r->path,
                     PARL_RECIPE_MAX_ARMS);
  r->n_arms = n ? n : 1;
  r->arm_names = calloc(r->n_arms, sizeof *r->arm_names);
  r->arms = calloc(r->n_arms, sizeof *r->arms);
  r->envs = calloc(r->n_arms, sizeof *r->envs);
  if (r->arm_names == NULL || r->arms == NULL || r->envs == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for %zu arms", r->path, r->n_arms);
  if (n == 0) memcpy(r->arm_names[0], "trained", sizeof "trained");
  size_t i = 0;
  for (const parl_json *a = parl_json_get_first(arms); a != NULL; a = parl_json_get_next(a))
    PARL_TRY(read_arm_name(r, i++, a));
  return PARL_STATUS_OK;
}

static parl_status check_shared(const parl_recipe *r, const char *arm, const parl_json *own) {
  bool is_shared = parl_json_find(own, "run") != NULL;
  for (const parl_json *c = parl_json_get_first(parl_json_find(own, "eval")); c != NULL;
       c = parl_json_get_next(c))
    is_shared = is_shared || strcmp(parl_json_get_key(c), "baselines") != 0;
  if (is_shared)
    return parl_fail(
        PARL_STATUS_EINVAL,
        "%s: arm \"%s\" overrides run or eval; these are the same for all arms, so that arms can "
        "be compared (eval.baselines may differ, as the styles of its environment do)",
        r->path, arm);
  return PARL_STATUS_OK;
}

typedef struct override_list {
  const parl_override *items;
  size_t n;
} override_list;

/* Parameters are of the environment that they were written for: an arm with a file of its own
 * starts from that file's defaults. */
static parl_status forget_params(const parl_json *own, parl_json *merged) {
  const char *file = parl_json_get_string(parl_json_find_path(own, "env.file"));
  const char *base = parl_json_get_string(parl_json_find_path(merged, "env.file"));
  if (file == NULL || base == NULL || strcmp(file, base) == 0) return PARL_STATUS_OK;
  return parl_json_set_path(merged, "env.params", "{}");
}

static parl_status merge_table(const parl_recipe *r, size_t i, const parl_json *table,
                               parl_json *merged) {
  PARL_TRY(check_shared(r, r->arm_names[i], table));
  PARL_TRY(forget_params(table, merged));
  return parl_json_merge(merged, table);
}

/* base [own table] [overrides of all arms] [overrides of this arm]: the later wins. */
static parl_status merge_arm(const parl_recipe *r, size_t i, const parl_json *table,
                             override_list list, parl_json *merged) {
  parl_json *own = NULL;
  PARL_TRY(parl_json_create_object(&own));
  parl_status s = parl_recipe_apply_overrides(list.items, list.n, i, own);
  if (s == PARL_STATUS_OK) s = check_shared(r, r->arm_names[i], own);
  if (s == PARL_STATUS_OK && table != NULL) s = merge_table(r, i, table, merged);
  if (s == PARL_STATUS_OK) s = forget_params(own, merged);
  parl_json_destroy(own);
  PARL_TRY(s);
  PARL_TRY(parl_recipe_apply_overrides(list.items, list.n, r->n_arms, merged));
  return parl_recipe_apply_overrides(list.items, list.n, i, merged);
}

static parl_status read_arm(parl_recipe *r, size_t i, const parl_json *table, override_list list) {
  parl_json *merged = NULL;
  PARL_TRY(parl_json_copy(r->tree, &merged));
  parl_status s = merge_arm(r, i, table, list, merged);
  char where[PARL_RECIPE_PATH_BYTES + PARL_NAME_BYTES + 16];
  snprintf(where, sizeof where, "%s%s%s%s", r->path, table ? ": arm \"" : "",
           table ? r->arm_names[i] : "", table ? "\"" : "");
  if (s == PARL_STATUS_OK)
    s = parl_fail_context(parl_recipe_read_tree(merged, false, &r->arms[i]), "%s", where);
  if (s == PARL_STATUS_OK)
    s = parl_fail_context(parl_recipe_check_across(&r->arms[i]), "%s", where);
  const parl_json *params = parl_json_find_path(merged, "env.params");
  if (s == PARL_STATUS_OK && params != NULL) s = parl_json_copy(params, &r->envs[i].params);
  parl_json_destroy(merged);
  return s;
}

static parl_status read_arms(parl_recipe *r, const parl_json *arms, override_list list) {
  PARL_TRY(parl_recipe_apply_overrides(list.items, list.n, r->n_arms, r->tree));
  if (arms == NULL) return read_arm(r, 0, NULL, list);
  size_t i = 0;
  for (const parl_json *a = parl_json_get_first(arms); a != NULL; a = parl_json_get_next(a))
    PARL_TRY(read_arm(r, i++, a, list));
  return PARL_STATUS_OK;
}

parl_status parl_recipe_read_file(const char *path, parl_json **out) {
  const size_t n = strlen(path);
  if (n > 4 && strcmp(path + n - 4, ".lua") == 0) return parl_lua_table_load(path, out);
  char *bytes = NULL;
  size_t size;
  PARL_TRY(parl_file_read(path, (size_t)16 << 20, &bytes, &size));
  const size_t mark = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  parl_status s = parl_foreign_refuse(bytes + mark, size - mark, path, PARL_FOREIGN_JSON);
  if (s == PARL_STATUS_OK) s = parl_json_parse(bytes + mark, size - mark, path, out);
  free(bytes);
  return s;
}

/* A file as named, else beside the recipe or up to two folders above it, else in datadir, in its
 * folder `shipped`; where the environment is all there is to the recipe, as named or in datadir. */
static parl_status find_file(parl_recipe *r, const char *datadir, const char *what,
                             const char *shipped, const char *name, char *out, size_t n_bytes) {
  const char *slash = strrchr(r->path, '/');
  const int n = slash ? (int)(slash - r->path) + 1 : 0;
  char beside[3][PARL_RECIPE_PATH_BYTES + 8], folder[PARL_RECIPE_PATH_BYTES + 16];
  snprintf(folder, sizeof folder, "%s/%s", datadir ? datadir : "", shipped);
  parl_lookup lookup = {.what = what, .extension = ".lua", .n_folders = 1, .folders = {""}};
  for (size_t i = 0; i < 3 && !r->is_env; i++) {
    static const char *const ups[] = {"", "../", "../../"};
    snprintf(beside[i], sizeof beside[i], "%.*s%s", n, r->path, ups[i]);
    if (n > 0 || i > 0) lookup.folders[lookup.n_folders++] = beside[i];
  }
  if (datadir != NULL) lookup.folders[lookup.n_folders++] = folder;
  if (datadir != NULL) lookup.folders[lookup.n_folders++] = datadir;
  return parl_lookup_find(&lookup, name, out, n_bytes);
}

static parl_status find_env(parl_recipe *r, const char *datadir, size_t arm) {
  const parl_status s = find_file(r, datadir, "environment", "envs", r->arms[arm].env.file,
                                  r->envs[arm].path, sizeof r->envs[arm].path);
  return r->is_env ? s : parl_fail_context(s, "%s: env.file", r->path);
}

/* The path takes the place of the name. */
static parl_status find_sources(parl_recipe *r, const char *datadir, size_t arm) {
  parl_source_list *list = &r->arms[arm].sources;
  for (size_t i = 0; i < list->n; i++) {
    char path[PARL_CONFIG_TEXT_BYTES];
    PARL_TRY(parl_fail_context(
        find_file(r, datadir, "source", "sources", list->items[i].of.file, path, sizeof path),
        "%s: sources.%s.file", r->path, list->items[i].name));
    memcpy(list->items[i].of.file, path, sizeof path);
  }
  return PARL_STATUS_OK;
}

/* The recipe's own name, else that of its file. */
static parl_status set_names(parl_recipe *r) {
  const parl_json *name = parl_json_find(r->tree, "name");
  if (name != NULL) {
    PARL_TRY(parl_fail_context(read_name(name, "name", r->name), "%s", r->path));
  } else {
    char base[PARL_RECIPE_PATH_BYTES];
    const char *slash = strrchr(r->path, '/');
    snprintf(base, sizeof base, "%s", slash ? slash + 1 : r->path);
    char *dot = strrchr(base, '.');
    if (dot != NULL) *dot = '\0';
    PARL_TRY(parl_fail_context(parl_name_check("its file's name", base), "%s: has no `name`, and",
                               r->path));
    memcpy(r->name, base, strlen(base) + 1);
  }
  const char *dir = r->arms[0].run.dir;
  if (dir[0] != '\0')
    snprintf(r->folder, sizeof r->folder, "%s", dir);
  else
    snprintf(r->folder, sizeof r->folder, "runs/%s", r->name);
  return PARL_STATUS_OK;
}

/* The tree of a recipe that only names its environment, r->path. Scripts are to play to their end,
 * and there is no warm start to be a sub-agent. */
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
  parl_json_key(&w, "episode");
  parl_json_raw(&w, "{\"budget_factor\":0}");
  parl_json_key(&w, "agents");
  parl_json_raw(&w, "{\"subs\":\"scripted\"}");
  parl_json_end_object(&w);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_json_parse(parl_text_get(&text), text.n, r->path, &r->tree);
  parl_text_deinit(&text);
  return s;
}

/* Said once, of the first arm that asks for what is best. */
static void note_backend(parl_recipe *r) {
  const char *why = NULL;
  for (size_t i = 0; i < r->n_arms && why == NULL; i++)
    why = parl_model_explain_auto(r->arms[i].run.backend);
  if (why != NULL) parl_text_appendf(&r->warnings, "run.backend = \"auto\" is the CPU: %s\n", why);
}

static parl_status read_all(parl_recipe *r, const parl_json *arms, const char *const *texts,
                            size_t n) {
  parl_override *overrides = NULL;
  PARL_TRY(read_arm_names(r, arms));
  PARL_TRY(parl_recipe_parse_overrides(r, texts, n, &overrides));
  const parl_status s = read_arms(r, arms, (override_list){overrides, n});
  if (s == PARL_STATUS_OK) parl_recipe_note_overrides(r, overrides, n);
  free(overrides);
  PARL_TRY(s);
  note_backend(r);
  return parl_text_status(&r->warnings);
}

static parl_status load(parl_recipe *r, const parl_json *tree, const char *const *overrides,
                        size_t n, const char *datadir) {
  if (r->is_env)
    PARL_TRY(make_env_tree(r));
  else
    PARL_TRY(tree != NULL ? parl_json_copy(tree, &r->tree)
                          : parl_recipe_read_file(r->path, &r->tree));
  if (parl_json_get_type(r->tree) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s: a recipe is a table", r->path);
  const parl_json *arms_node = parl_json_find(r->tree, "arms");
  parl_json *arms = NULL;
  if (arms_node != NULL) PARL_TRY(parl_json_copy(arms_node, &arms));
  parl_json_remove(r->tree, "arms");
  const parl_status s = read_all(r, arms, overrides, n);
  parl_json_destroy(arms);
  PARL_TRY(s);
  PARL_TRY(set_names(r));
  for (size_t i = 0; i < r->n_arms; i++) {
    PARL_TRY(find_env(r, datadir, i));
    PARL_TRY(find_sources(r, datadir, i));
  }
  return PARL_STATUS_OK;
}

static parl_status create(const char *path, const parl_json *tree, bool is_env,
                          const char *const *overrides, size_t n_overrides, const char *datadir,
                          parl_recipe **out) {
  if (strlen(path) >= PARL_RECIPE_PATH_BYTES)
    return parl_fail(PARL_STATUS_EINVAL, "%.64s...: the path is longer than %d bytes", path,
                     PARL_RECIPE_PATH_BYTES - 1);
  parl_recipe *r = calloc(1, sizeof *r);
  if (r == NULL) return parl_fail(PARL_STATUS_ENOMEM, "recipe: no memory");
  memcpy(r->path, path, strlen(path) + 1);
  r->is_env = is_env;
  const parl_status s = load(r, tree, overrides, n_overrides, datadir);
  if (s != PARL_STATUS_OK) {
    parl_recipe_destroy(r);
    return s;
  }
  *out = r;
  return PARL_STATUS_OK;
}

parl_status parl_recipe_load(const char *path, const char *const *overrides, size_t n_overrides,
                             const char *datadir, parl_recipe **out) {
  return create(path, NULL, false, overrides, n_overrides, datadir, out);
}

parl_status parl_recipe_load_tree(const parl_json *tree, const char *path, const char *datadir,
                                  parl_recipe **out) {
  return create(path, tree, false, NULL, 0, datadir, out);
}

parl_status parl_recipe_load_env(const char *path, const char *const *overrides, size_t n_overrides,
                                 const char *datadir, parl_recipe **out) {
  return create(path, NULL, true, overrides, n_overrides, datadir, out);
}

void parl_recipe_destroy(parl_recipe *recipe) {
  if (recipe == NULL) return;
  parl_json_destroy(recipe->tree);
  for (size_t i = 0; recipe->envs != NULL && i < recipe->n_arms; i++)
    parl_json_destroy(recipe->envs[i].params);
  free(recipe->envs);
  for (size_t i = 0; recipe->arms != NULL && i < recipe->n_arms; i++)
    parl_own_terms_destroy((parl_own_terms *)recipe->arms[i].own_terms);
  free(recipe->arm_names);
  free(recipe->arms);
  parl_text_deinit(&recipe->warnings);
  free(recipe);
}

const char *parl_recipe_get_name(const parl_recipe *recipe) {
  return recipe->name;
}
const char *parl_recipe_get_question(const parl_recipe *recipe) {
  const char *question = parl_json_get_string(parl_json_find(recipe->tree, "question"));
  return question != NULL ? question : "";
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
const parl_json *parl_recipe_get_env_params(const parl_recipe *recipe, size_t arm) {
  return recipe->envs[arm].params;
}
const char *parl_recipe_get_env_path(const parl_recipe *recipe, size_t arm) {
  return recipe->envs[arm].path;
}
const char *parl_recipe_get_folder(const parl_recipe *recipe) {
  return recipe->folder;
}
const char *parl_recipe_get_warnings(const parl_recipe *recipe) {
  return parl_text_get(&recipe->warnings);
}

parl_status parl_recipe_open_env(const parl_recipe *recipe, size_t arm,
                                 const parl_script_host *scripts, parl_env **out) {
  const parl_env_options options = parl_env_config_get_options(
      &recipe->arms[arm].env, recipe->arms[arm].model.vision.patch, scripts);
  return parl_env_create(recipe->envs[arm].path, recipe->envs[arm].params, &options, out);
}

parl_status parl_recipe_get_backend(const parl_run_config *config, const parl_backend **out) {
  char dtype[8];
  parl_config_choice_name(&parl_run_section, "dtype", config->run.dtype, dtype, sizeof dtype);
  const parl_backend *backend;
  PARL_TRY(parl_model_select_backend(config->run.backend, dtype, &backend));
  if (config->run.invariant && strcmp(backend->name, "cuda") == 0)
    PARL_TRY(parl_model_select_backend("cuda:own", dtype, &backend));
  *out = backend;
  return PARL_STATUS_OK;
}
