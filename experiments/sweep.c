/* experiments/sweep.c - reading a sweep, and the recipe that some of its points make. */
#include "experiments/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/lookup.h"
#include "core/override.h"
#include "experiments/sweep_internal.h"
#include "parl/run/recipe.h"
#include "parl/swarm/means.h"

#define SECTION_TYPE_ parl_sweep_config
PARL_CONFIG_SECTION(parl_sweep_section, "sweep", "which runs of a recipe", PARL_SWEEP_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_pbt_config
PARL_CONFIG_SECTION(parl_pbt_section, "pbt", "a population that learns schedules", PARL_PBT_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_early_config
PARL_CONFIG_SECTION(parl_early_section, "early_terminate", "which runs are not made whole",
                    PARL_EARLY_FIELDS);
#undef SECTION_TYPE_

/* --- parameters --- */

/* A member of a range that has to be a finite number. */
static parl_status read_end(const parl_json *table, const char *key, const char *which,
                            double *out) {
  const parl_json *node = parl_json_find(table, which);
  if (parl_json_get_type(node) != PARL_JSON_NUMBER)
    return parl_fail(PARL_STATUS_EINVAL,
                     "parameters[\"%s\"] needs `values`, a list, or numbers `min` and `max`", key);
  *out = parl_json_get_number(node);
  return PARL_STATUS_OK;
}

static parl_status read_distribution(const parl_json *table, parl_sweep_parameter *p) {
  static const char *const names[] = {"uniform", "log_uniform", "int_uniform"};
  static const parl_distribution kinds[] = {
      PARL_DISTRIBUTION_UNIFORM, PARL_DISTRIBUTION_LOG_UNIFORM, PARL_DISTRIBUTION_INT_UNIFORM};
  const parl_json *node = parl_json_find(table, "distribution");
  const char *name = parl_json_get_string(node);
  p->distribution = PARL_DISTRIBUTION_UNIFORM;
  if (node == NULL) return PARL_STATUS_OK;
  for (size_t i = 0; name != NULL && i < 3; i++)
    if (strcmp(name, names[i]) == 0) {
      p->distribution = kinds[i];
      return PARL_STATUS_OK;
    }
  return parl_fail(PARL_STATUS_EINVAL,
                   "parameters[\"%s\"].distribution = %s: it is \"uniform\", \"log_uniform\" or "
                   "\"int_uniform\"",
                   p->key, name ? name : "(no text)");
}

static parl_status read_range(const parl_json *table, parl_sweep_parameter *p) {
  PARL_TRY(read_end(table, p->key, "min", &p->min));
  PARL_TRY(read_end(table, p->key, "max", &p->max));
  PARL_TRY(read_distribution(table, p));
  if (!(p->min < p->max))
    return parl_fail(PARL_STATUS_EINVAL, "parameters[\"%s\"]: min %.6g is not below max %.6g",
                     p->key, p->min, p->max);
  if (p->distribution == PARL_DISTRIBUTION_LOG_UNIFORM && p->min <= 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "parameters[\"%s\"]: min %.6g has no logarithm; log_uniform is above 0",
                     p->key, p->min);
  if (p->distribution == PARL_DISTRIBUTION_INT_UNIFORM &&
      (p->min != floor(p->min) || p->max != floor(p->max) || fabs(p->min) > 1e15 ||
       fabs(p->max) > 1e15))
    return parl_fail(PARL_STATUS_EINVAL,
                     "parameters[\"%s\"]: %.6g to %.6g are no whole numbers of at most 1e15",
                     p->key, p->min, p->max);
  return PARL_STATUS_OK;
}

static parl_status refuse_unknown(const parl_json *table, const char *key) {
  static const char *const ranges[] = {"also", "min", "max", "distribution"};
  static const char *const lists[] = {"also", "values"};
  const bool is_list = parl_json_find(table, "values") != NULL;
  const char *const *known = is_list ? lists : ranges;
  for (const parl_json *c = parl_json_get_first(table); c != NULL; c = parl_json_get_next(c)) {
    bool is_known = false;
    for (size_t i = 0; i < (is_list ? 2U : 4U); i++)
      is_known = is_known || strcmp(parl_json_get_key(c), known[i]) == 0;
    if (!is_known)
      return parl_fail(PARL_STATUS_EINVAL, "parameters[\"%s\"].%s: a parameter has %s", key,
                       parl_json_get_key(c),
                       is_list ? "`values` and `also`" : "`min`, `max`, `distribution` and `also`");
  }
  return PARL_STATUS_OK;
}

static parl_status read_also(parl_sweep_parameter *p, const parl_json *node) {
  p->also = node;
  bool is_good = node == NULL || parl_json_get_type(node) == PARL_JSON_ARRAY;
  for (const parl_json *c = parl_json_get_first(node); is_good && c != NULL;
       c = parl_json_get_next(c)) {
    const char *key = parl_json_get_string(c);
    is_good = key != NULL && strchr(key, '.') != NULL && strlen(key) < PARL_OVERRIDE_KEY_BYTES;
  }
  if (is_good) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "parameters[\"%s\"].also is a list of recipe fields, as {\"lambda2.start\"}",
                   p->key);
}

static parl_status read_parameter(const parl_sweep *s, const parl_json *table,
                                  parl_sweep_parameter *p) {
  p->key = parl_json_get_key(table);
  if (strchr(p->key, '.') == NULL || strlen(p->key) >= PARL_OVERRIDE_KEY_BYTES)
    return parl_fail(PARL_STATUS_EINVAL,
                     "parameters[\"%s\"]: a parameter is a recipe field, as [\"lambda1.start\"]",
                     p->key);
  if (parl_json_get_type(table) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "parameters[\"%s\"] is no table", p->key);
  PARL_TRY(refuse_unknown(table, p->key));
  PARL_TRY(read_also(p, parl_json_find(table, "also")));
  p->values = parl_json_find(table, "values");
  if (p->values == NULL) {
    PARL_TRY(read_range(table, p));
    if (s->config.method == PARL_SWEEP_GRID)
      return parl_fail(PARL_STATUS_EINVAL,
                       "parameters[\"%s\"]: a grid has no ranges; give `values`, or another method",
                       p->key);
    return PARL_STATUS_OK;
  }
  p->distribution = PARL_DISTRIBUTION_VALUES;
  p->n_values = parl_json_get_size(p->values);
  if (parl_json_get_type(p->values) == PARL_JSON_ARRAY && p->n_values >= 1 &&
      p->n_values <= PARL_SWEEP_MAX_POINTS)
    return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "parameters[\"%s\"].values is no list of 1 to %d values",
                   p->key, PARL_SWEEP_MAX_POINTS);
}

static bool is_within(const char *a, const char *b) {
  const size_t n = strlen(b);
  return strncmp(a, b, n) == 0 && (a[n] == '\0' || a[n] == '.');
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(((const parl_sweep_parameter *)a)->key, ((const parl_sweep_parameter *)b)->key);
}

/* No field is set twice. */
static parl_status check_apart(const parl_sweep *s) {
  parl_json *seen = NULL;
  PARL_TRY(parl_json_create_object(&seen));
  parl_status status = PARL_STATUS_OK;
  for (size_t i = 0; status == PARL_STATUS_OK && i < s->n_parameters; i++) {
    const parl_sweep_parameter *p = &s->parameters[i];
    const char *key = p->key;
    for (const parl_json *c = parl_json_get_first(p->also); status == PARL_STATUS_OK;
         c = parl_json_get_next(c)) {
      if (parl_json_find_path(seen, key) != NULL)
        status =
            parl_fail(PARL_STATUS_EINVAL, "parameters set \"%s\", or a part of it, twice", key);
      else
        status =
            parl_fail_context(parl_json_set_path(seen, key, "0"), "parameters[\"%s\"]", p->key);
      if (c == NULL) break;
      key = parl_json_get_string(c);
    }
  }
  parl_json_destroy(seen);
  return status;
}

static parl_status read_parameters(parl_sweep *s) {
  const parl_json *tables = parl_json_find(s->tree, "parameters");
  const size_t n = parl_json_get_size(tables);
  if (parl_json_get_type(tables) != PARL_JSON_OBJECT || n < 1 || n > PARL_SWEEP_MAX_PARAMETERS)
    return parl_fail(PARL_STATUS_EINVAL, "parameters: a table of 1 to %d recipe fields is needed",
                     PARL_SWEEP_MAX_PARAMETERS);
  for (const parl_json *c = parl_json_get_first(tables); c != NULL; c = parl_json_get_next(c))
    PARL_TRY(read_parameter(s, c, &s->parameters[s->n_parameters++]));
  qsort(s->parameters, n, sizeof *s->parameters, compare_keys);
  return check_apart(s);
}

/* --- arms --- */

static const char *get_arm_name(const parl_json *arm) {
  const char *name = parl_json_get_string(parl_json_find(arm, "name"));
  return name != NULL ? name : "";
}

static const parl_json *find_arm(const parl_sweep *s, size_t index) {
  const parl_json *c = parl_json_get_first(parl_json_find(s->base, "arms"));
  for (size_t i = 0; c != NULL && i < index; i++) c = parl_json_get_next(c);
  return c;
}

/* The parameter that sets this field, or a part or the whole of it; NULL: none does. */
static const char *find_setter(const parl_sweep *s, const char *key) {
  for (size_t i = 0; i < s->n_parameters; i++) {
    const parl_sweep_parameter *p = &s->parameters[i];
    if (is_within(p->key, key) || is_within(key, p->key)) return p->key;
    for (const parl_json *c = parl_json_get_first(p->also); c != NULL; c = parl_json_get_next(c)) {
      const char *also = parl_json_get_string(c);
      if (is_within(also, key) || is_within(key, also)) return p->key;
    }
  }
  return NULL;
}

/* A field that varies and that the arm sets itself; NULL: none. */
static const char *find_own(const parl_sweep *s, const parl_json *arm) {
  for (size_t i = 0; i < s->n_parameters; i++) {
    const parl_sweep_parameter *p = &s->parameters[i];
    if (parl_json_find_path(arm, p->key) != NULL) return p->key;
    for (const parl_json *c = parl_json_get_first(p->also); c != NULL; c = parl_json_get_next(c))
      if (parl_json_find_path(arm, parl_json_get_string(c)) != NULL) return parl_json_get_string(c);
  }
  return NULL;
}

static parl_status add_arm(parl_sweep *s, const char *name, bool is_named) {
  size_t i = 0;
  if (name == NULL) return parl_fail(PARL_STATUS_EINVAL, "arms: a list of names");
  for (const parl_json *c = parl_json_get_first(parl_json_find(s->base, "arms")); c != NULL;
       c = parl_json_get_next(c), i++) {
    if (strcmp(get_arm_name(c), name) != 0) continue;
    const char *own = is_named ? NULL : find_own(s, c);
    if (own != NULL)
      return parl_fail(PARL_STATUS_EINVAL,
                       "arm \"%s\" of %s sets %s, which varies: `arms` has to say which arms vary "
                       "in spite of what they set",
                       name, s->recipe, own);
    s->arms[s->n_arms++] = i;
    return PARL_STATUS_OK;
  }
  return parl_fail(PARL_STATUS_EINVAL, "arms: %s has no arm \"%s\"", s->recipe, name);
}

/* Those that are named, else all; a recipe without arms has one, its own table. */
static parl_status read_arms(parl_sweep *s) {
  const parl_json *named = parl_json_find(s->tree, "arms"), *all = parl_json_find(s->base, "arms");
  const size_t n = parl_json_get_size(all);
  s->arms = calloc(n + 1, sizeof *s->arms);
  if (s->arms == NULL) return parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory for %zu arms", n);
  if (named == NULL && n == 0) {
    s->n_arms = 1;
    return PARL_STATUS_OK;
  }
  const size_t n_named = named != NULL ? parl_json_get_size(named) : n;
  if ((named != NULL && parl_json_get_type(named) != PARL_JSON_ARRAY) || n_named < 1 || n_named > n)
    return parl_fail(PARL_STATUS_EINVAL, "arms: a list of 1 to %zu names of arms of %s", n,
                     s->recipe);
  for (const parl_json *c = parl_json_get_first(named != NULL ? named : all); c != NULL;
       c = parl_json_get_next(c))
    PARL_TRY(named == NULL ? add_arm(s, get_arm_name(c), false)
                           : add_arm(s, parl_json_get_string(c), true));
  for (size_t i = 0; i < s->n_arms; i++)
    for (size_t j = 0; j < i; j++)
      if (s->arms[i] == s->arms[j])
        return parl_fail(PARL_STATUS_EINVAL, "arms: \"%s\" stands there twice",
                         get_arm_name(find_arm(s, s->arms[i])));
  return PARL_STATUS_OK;
}

/* --- the whole --- */

static parl_status set_base(parl_sweep *s, const char *const *sets, size_t n) {
  for (size_t i = 0; i < n; i++) {
    parl_override o;
    PARL_TRY(parl_override_parse(sets[i], NULL, 0, &o));
    const char *setter = find_setter(s, o.key);
    if (setter != NULL)
      return parl_fail(PARL_STATUS_EINVAL, "--set %s: the sweep varies %s", sets[i], setter);
    if (strcmp(o.key, "run.dir") == 0 || strcmp(o.key, "run.n_seeds") == 0)
      return parl_fail(PARL_STATUS_EINVAL, "--set %s: that is the sweep's own `%s`", sets[i],
                       strcmp(o.key, "run.dir") == 0 ? "dir" : "n_seeds");
    PARL_TRY(parl_fail_context(parl_json_set_path(s->base, o.key, o.value), "--set %s", sets[i]));
  }
  return PARL_STATUS_OK;
}

static parl_status find_recipe(parl_sweep *s, const char *datadir) {
  char beside[PARL_SWEEP_PATH_BYTES], shipped[PARL_SWEEP_PATH_BYTES + 8];
  const char *slash = strrchr(s->path, '/');
  snprintf(beside, sizeof beside, "%.*s", slash ? (int)(slash - s->path) + 1 : 0, s->path);
  snprintf(shipped, sizeof shipped, "%s/recipes", datadir ? datadir : "");
  parl_lookup lookup = {.what = "recipe", .extension = ".lua"};
  if (slash != NULL) lookup.folders[lookup.n_folders++] = beside;
  lookup.folders[lookup.n_folders++] = "";
  if (datadir != NULL) lookup.folders[lookup.n_folders++] = shipped;
  if (s->config.recipe[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "recipe: the name of a recipe file is needed");
  return parl_fail_context(parl_lookup_find(&lookup, s->config.recipe, s->recipe, sizeof s->recipe),
                           "recipe");
}

/* Its own name, else that of its file. */
static parl_status set_names(parl_sweep *s) {
  const parl_json *node = parl_json_find(s->tree, "name");
  char base[PARL_SWEEP_PATH_BYTES];
  const char *slash = strrchr(s->path, '/'), *own = parl_json_get_string(node);
  if (node != NULL && own == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "name must be a text in quotes");
  snprintf(base, sizeof base, "%s", own ? own : slash ? slash + 1 : s->path);
  char *dot = own ? NULL : strrchr(base, '.');
  if (dot != NULL) *dot = '\0';
  PARL_TRY(parl_name_check("name", base));
  if (strchr(base, '/') != NULL || base[0] == '.')
    return parl_fail(PARL_STATUS_EINVAL, "name \"%s\": it may neither hold '/' nor begin with '.'",
                     base);
  memcpy(s->name, base, strlen(base) + 1);
  if (s->config.dir[0] != '\0')
    snprintf(s->folder, sizeof s->folder, "%s", s->config.dir);
  else
    snprintf(s->folder, sizeof s->folder, "runs/%s", s->name);
  return PARL_STATUS_OK;
}

/* The fields of the table alone. */
static parl_status read_config(parl_sweep *s) {
  parl_json *fields = NULL;
  if (parl_json_get_type(s->tree) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "a sweep is a table");
  PARL_TRY(parl_json_copy(s->tree, &fields));
  static const char *const others[] = {"name", "summary",         "parameters",
                                       "arms", "early_terminate", "pbt"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) parl_json_remove(fields, others[i]);
  parl_config_set_defaults(&parl_sweep_section, &s->config);
  const parl_status status = parl_config_read(&parl_sweep_section, fields, "sweep", &s->config);
  parl_json_destroy(fields);
  PARL_TRY(status);
  const parl_json *early = parl_json_find(s->tree, "early_terminate"),
                  *pbt = parl_json_find(s->tree, "pbt");
  parl_config_set_defaults(&parl_early_section, &s->early);
  parl_config_set_defaults(&parl_pbt_section, &s->pbt);
  if (early != NULL)
    PARL_TRY(parl_config_read(&parl_early_section, early, "early_terminate", &s->early));
  if (pbt != NULL && s->config.method != PARL_SWEEP_PBT)
    return parl_fail(PARL_STATUS_EINVAL, "pbt: only method = \"pbt\" reads it");
  return pbt != NULL ? parl_config_read(&parl_pbt_section, pbt, "pbt", &s->pbt) : PARL_STATUS_OK;
}

static parl_status check_metric(const parl_sweep *s) {
  for (int i = 0; i < PARL_N_MEANS; i++)
    if (strcmp(s->config.metric, parl_mean_names[i]) == 0) return PARL_STATUS_OK;
  const char *near = parl_nearest(s->config.metric, parl_mean_names, PARL_N_MEANS);
  return parl_fail(PARL_STATUS_EINVAL, "metric = \"%s\": no fact or rate of episodes%s%s%s",
                   s->config.metric, near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
}

/* What follows from the recipe: seeds, and how many points. */
static parl_status fill_in(parl_sweep *s) {
  const parl_json *seed = parl_json_find_path(s->base, "run.seed"),
                  *n_seeds = parl_json_find_path(s->base, "run.n_seeds");
  s->first_seed = seed != NULL ? (int64_t)parl_json_get_number(seed) : 1;
  if (s->config.n_seeds == 0)
    s->config.n_seeds = n_seeds != NULL ? (int64_t)parl_json_get_number(n_seeds) : 1;
  const size_t most = PARL_SWEEP_MAX_POINTS, all = parl_sweep_count_combinations(s, most + 1);
  s->n_points = s->config.method == PARL_SWEEP_GRID ? all : (size_t)s->config.points;
  if (s->n_points > most)
    return parl_fail(PARL_STATUS_EINVAL, "parameters: the grid has more than %zu points", most);
  const bool is_pbt = s->config.method == PARL_SWEEP_PBT;
  if (is_pbt && s->n_points > all)
    return parl_fail(PARL_STATUS_EINVAL,
                     "points = %zu: pbt begins with members that differ, and `values` have %zu",
                     s->n_points, all);
  if (s->n_points > all) s->n_points = all;
  if (s->config.initial == 0) s->config.initial = 2 * (int64_t)s->n_parameters + 2;
  const char *follower = is_pbt                                 ? "method = \"pbt\""
                         : s->config.top > 0                    ? "top"
                         : s->config.method == PARL_SWEEP_BAYES ? "method = \"bayes\""
                         : s->early.type != PARL_EARLY_NONE     ? "early_terminate"
                                                                : NULL;
  if (follower != NULL && s->n_arms > 1)
    return parl_fail(PARL_STATUS_EINVAL, "%s follows one arm; name it: arms = {\"...\"}", follower);
  if (is_pbt && s->config.top == 0) s->config.top = 1;
  return PARL_STATUS_OK;
}

static parl_status read_all(parl_sweep *s, const char *const *sets, size_t n_sets,
                            const char *datadir) {
  PARL_TRY(read_config(s));
  PARL_TRY(check_metric(s));
  PARL_TRY(parl_sweep_check_early(s));
  PARL_TRY(set_names(s));
  PARL_TRY(read_parameters(s));
  PARL_TRY(parl_sweep_check_pbt(s));
  PARL_TRY(find_recipe(s, datadir));
  PARL_TRY(parl_recipe_read_file(s->recipe, &s->base));
  if (parl_json_get_type(s->base) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s: a recipe is a table", s->recipe);
  PARL_TRY(set_base(s, sets, n_sets));
  PARL_TRY(read_arms(s));
  return fill_in(s);
}

parl_status parl_sweep_read(const char *path, const char *const *sets, size_t n_sets,
                            const char *datadir, parl_sweep *out) {
  *out = (parl_sweep){.n_arms = 0};
  if (strlen(path) >= sizeof out->path)
    return parl_fail(PARL_STATUS_EINVAL, "%.64s...: the path is longer than %zu bytes", path,
                     sizeof out->path - 1);
  memcpy(out->path, path, strlen(path) + 1);
  PARL_TRY(parl_recipe_read_file(path, &out->tree));
  return parl_fail_context(read_all(out, sets, n_sets, datadir), "%s", path);
}

void parl_sweep_deinit(parl_sweep *sweep) {
  parl_json_destroy(sweep->tree);
  parl_json_destroy(sweep->base);
  free(sweep->arms);
}

/* --- the recipe of some points --- */

/* The last part of a parameter's key, or all of it where another ends likewise. */
static const char *get_label(const parl_sweep *s, size_t i) {
  const char *own = strrchr(s->parameters[i].key, '.');
  for (size_t k = 0; k < s->n_parameters; k++)
    if (k != i && strcmp(strrchr(s->parameters[k].key, '.'), own) == 0) return s->parameters[i].key;
  return own + 1;
}

void parl_sweep_get_name(const parl_sweep *sweep, const parl_sweep_point *point, const char *arm,
                         char out[PARL_NAME_BYTES]) {
  enum { HASH_DIGITS = 8 };
  parl_text text = {0}, value = {0};
  parl_text_append(&text, arm);
  const bool is_pbt = sweep->config.method == PARL_SWEEP_PBT;
  if (is_pbt) parl_text_appendf(&text, "%spbt %zu", text.n > 0 ? " " : "", point->number);
  for (size_t i = 0; i < sweep->n_parameters && !is_pbt; i++) {
    parl_text_clear(&value);
    parl_sweep_append_value(&sweep->parameters[i], point->at[i], &value);
    const char *literal = parl_text_get(&value);
    const bool is_text = literal[0] == '"' && value.n >= 2;
    parl_text_appendf(&text, "%s%s=%.*s", text.n > 0 ? " " : "", get_label(sweep, i),
                      (int)value.n - 2 * is_text, literal + is_text);
  }
  const char *whole = parl_text_get(&text);
  const bool is_plain = strpbrk(whole, "/\"\\{[") == NULL;
  if (is_plain && text.n < PARL_NAME_BYTES) {
    memcpy(out, whole, text.n + 1);
  } else {
    char hash[PARL_HASH_HEX_BYTES];
    size_t n = strcspn(whole, "/\"\\{[");
    if (n > PARL_NAME_BYTES - HASH_DIGITS - 3) n = PARL_NAME_BYTES - HASH_DIGITS - 3;
    while (n > 0 && ((unsigned char)whole[n] & 0xC0) == 0x80) n--;
    parl_hash_bytes(whole, text.n, hash);
    snprintf(out, PARL_NAME_BYTES, "%.*s #%.*s", (int)n, whole, HASH_DIGITS, hash);
  }
  parl_text_deinit(&text);
  parl_text_deinit(&value);
}

/* A table is read where the shape says so. */
static parl_status set_one(const parl_sweep *s, const char *key, const char *value,
                           parl_json *arm) {
  char shape[PARL_OVERRIDE_KEY_BYTES + 8];
  PARL_TRY(parl_json_set_path(arm, key, value));
  if (s->config.method != PARL_SWEEP_PBT) return PARL_STATUS_OK;
  snprintf(shape, sizeof shape, "%.*s.shape", (int)(strrchr(key, '.') - key), key);
  return parl_json_set_path(arm, shape, "\"table\"");
}

static parl_status set_all(const parl_sweep *s, const parl_sweep_parameter *p, const char *value,
                           parl_json *arm) {
  PARL_TRY(set_one(s, p->key, value, arm));
  for (const parl_json *c = parl_json_get_first(p->also); c != NULL; c = parl_json_get_next(c))
    PARL_TRY(set_one(s, parl_json_get_string(c), value, arm));
  return PARL_STATUS_OK;
}

/* The arm of a recipe, NULL: an empty table, at a point. */
static parl_status append_arm(const parl_sweep *s, const parl_json *arm,
                              const parl_sweep_point *point, parl_text *out) {
  parl_json *copy = NULL;
  parl_text value = {0};
  char name[PARL_NAME_BYTES], literal[PARL_NAME_BYTES + 2];
  parl_status status = arm != NULL ? parl_json_copy(arm, &copy) : parl_json_create_object(&copy);
  for (size_t i = 0; status == PARL_STATUS_OK && i < s->n_parameters; i++) {
    parl_text_clear(&value);
    parl_sweep_append_setting(s, i, point, &value);
    status = parl_text_status(&value);
    if (status == PARL_STATUS_OK)
      status = set_all(s, &s->parameters[i], parl_text_get(&value), copy);
  }
  parl_sweep_get_name(s, point, arm != NULL ? get_arm_name(arm) : "", name);
  snprintf(literal, sizeof literal, "\"%s\"", name);
  if (status == PARL_STATUS_OK) status = parl_json_set_path(copy, "name", literal);
  if (status == PARL_STATUS_OK) parl_json_append_canonical(copy, out);
  parl_json_destroy(copy);
  parl_text_deinit(&value);
  return status;
}

static bool varies(const parl_sweep *s, size_t arm) {
  for (size_t i = 0; i < s->n_arms; i++)
    if (s->arms[i] == arm) return true;
  return false;
}

size_t parl_sweep_count_fixed(const parl_sweep *sweep) {
  const size_t n = parl_json_get_size(parl_json_find(sweep->base, "arms"));
  return n > 0 ? n - sweep->n_arms : 0;
}

static parl_status append_arms(const parl_sweep *s, const parl_sweep_point *points, size_t n,
                               parl_text *out) {
  const parl_json *all = parl_json_find(s->base, "arms");
  size_t index = 0;
  parl_text_append(out, "[");
  for (const parl_json *c = parl_json_get_first(all); c != NULL; c = parl_json_get_next(c))
    if (!varies(s, index++)) {
      if (out->n > 1) parl_text_append(out, ",");
      parl_json_append_canonical(c, out);
    }
  for (size_t i = 0; i < s->n_arms; i++)
    for (size_t k = 0; k < n; k++) {
      if (out->n > 1) parl_text_append(out, ",");
      PARL_TRY(append_arm(s, all != NULL ? find_arm(s, s->arms[i]) : NULL, &points[k], out));
    }
  parl_text_append(out, "]");
  return parl_text_status(out);
}

parl_status parl_sweep_make_recipe(const parl_sweep *sweep, const parl_sweep_point *points,
                                   size_t n, const char *name, const char *folder,
                                   int64_t first_seed, int64_t n_seeds, parl_json **out) {
  parl_json *tree = NULL;
  parl_text arms = {0}, text = {0};
  parl_json_writer w;
  PARL_TRY(parl_json_copy(sweep->base, &tree));
  parl_json_writer_init(&w, &text, false);
  parl_json_string(&w, folder);
  parl_status s = append_arms(sweep, points, n, &arms);
  if (s == PARL_STATUS_OK) s = parl_json_set_path(tree, "arms", parl_text_get(&arms));
  if (s == PARL_STATUS_OK) s = parl_json_set_path(tree, "run.dir", parl_text_get(&text));
  parl_text_clear(&text);
  parl_json_writer_init(&w, &text, false);
  parl_json_string(&w, name);
  if (s == PARL_STATUS_OK) s = parl_json_set_path(tree, "name", parl_text_get(&text));
  parl_text_clear(&text);
  parl_text_appendf(&text, "%lld", (long long)first_seed);
  if (s == PARL_STATUS_OK) s = parl_json_set_path(tree, "run.seed", parl_text_get(&text));
  parl_text_clear(&text);
  parl_text_appendf(&text, "%lld", (long long)n_seeds);
  if (s == PARL_STATUS_OK) s = parl_json_set_path(tree, "run.n_seeds", parl_text_get(&text));
  parl_text_deinit(&arms);
  parl_text_deinit(&text);
  if (s == PARL_STATUS_OK)
    *out = tree;
  else
    parl_json_destroy(tree);
  return s;
}
