/* cli/eval_run.c - which arm and seed of a recipe a checkpoint is played as. */
#include <stdio.h>
#include <string.h>

#include "cli/eval.h"
#include "core/config.h"
#include "parl/run/run_models.h"
#include "parl/run/trainer.h"

/* Place of the arm, or n if the recipe has none of that name. */
static size_t find_arm(const parl_recipe *recipe, const char *name) {
  const size_t n = parl_recipe_get_n_arms(recipe);
  for (size_t i = 0; i < n; i++)
    if (strcmp(parl_recipe_get_arm_name(recipe, i), name) == 0) return i;
  return n;
}

static const char *get_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

/* Whether path is the warm start of this arm with the origin's seed. */
static parl_status is_warm_of(const eval_run *r, const parl_recipe *recipe, size_t arm,
                              const char *path, bool *out) {
  parl_env *env = NULL;
  char due[1024];
  parl_run run;
  PARL_TRY(parl_run_init(recipe, arm, r->origin.seed, &run));
  parl_status s = parl_run_open_env(&run, r->host.scripts, &env);
  if (s == PARL_STATUS_OK) s = parl_warm_start_path(&run, env, due, sizeof due);
  parl_env_destroy(env);
  parl_run_deinit(&run);
  PARL_TRY(s);
  *out = strcmp(get_base(due), get_base(path)) == 0;
  return PARL_STATUS_OK;
}

/* The arm that the checkpoint says it is of; n_arms if it says none. */
static parl_status find_own_arm(const eval_run *r, const parl_recipe *recipe, const char *path,
                                size_t *out) {
  const size_t n = parl_recipe_get_n_arms(recipe);
  const char *of = parl_json_get_string(parl_json_find(r->origin.config, "recipe"));
  const bool is_ours = of != NULL && strcmp(of, parl_recipe_get_name(recipe)) == 0;
  *out = is_ours ? find_arm(recipe, r->origin.arm) : n;
  for (size_t i = 0; r->origin.is_warm && i < n; i++) {
    bool same = false;
    PARL_TRY(is_warm_of(r, recipe, i, path, &same));
    if (same) {
      *out = i;
      break;
    }
  }
  return PARL_STATUS_OK;
}

/* What differs between the run that saved the checkpoint and the one it is played as. */
static parl_status append_differences(eval_run *r, const parl_env *env) {
  parl_text canonical = {0};
  char uid[PARL_HASH_HEX_BYTES];
  parl_json *now = NULL;
  parl_status s = parl_run_get_uid(&r->run, env, &canonical, uid);
  if (s == PARL_STATUS_OK && strcmp(uid, r->origin.uid) != 0)
    s = parl_json_parse(parl_text_get(&canonical), canonical.n, "the configuration", &now);
  if (s == PARL_STATUS_OK && now != NULL)
    parl_run_append_differences(now, r->origin.config, &r->differences);
  parl_json_destroy(now);
  parl_text_deinit(&canonical);
  PARL_TRY(s);
  return parl_text_status(&r->differences);
}

parl_status eval_choose_run(const cli_args *args, const parl_recipe *recipe, eval_run *r) {
  const size_t n = parl_recipe_get_n_arms(recipe);
  size_t own = n;
  if (args->checkpoint != NULL) {
    PARL_TRY(parl_origin_read(args->checkpoint, &r->origin));
    PARL_TRY(find_own_arm(r, recipe, args->checkpoint, &own));
  }
  size_t arm = own < n ? own : 0;
  if (args->arm != NULL) PARL_TRY(cli_find_arm(recipe, args->arm, &arm));
  r->is_own = own < n;
  int64_t seed = parl_recipe_get_arm(recipe, arm)->run.seed;
  if (r->is_own) seed = r->origin.seed;
  if (args->seed >= 0) seed = args->seed;
  return parl_run_init(recipe, arm, seed, &r->run);
}

parl_status eval_say_run(const cli_args *args, eval_run *r, const parl_env *env) {
  if (args->checkpoint == NULL) return PARL_STATUS_OK;
  const long long seed = (long long)r->run.config.run.seed;
  const bool is_chosen = args->arm != NULL || args->seed >= 0;
  if (!r->is_own && !args->quiet)
    fprintf(stderr, "parl: %s is of no run of this recipe: played as arm \"%s\", seed %lld%s\n",
            args->checkpoint, r->run.name, seed,
            args->arm != NULL && args->seed >= 0 ? "" : " (--arm and --seed choose)");
  if (!r->is_own || !r->origin.is_run || is_chosen) return PARL_STATUS_OK;
  PARL_TRY(append_differences(r, env));
  if (r->differences.n > 0 && !args->quiet)
    fprintf(stderr,
            "parl: %s was saved by arm \"%s\", seed %lld with other values of %s: played with "
            "those of the recipe\n",
            args->checkpoint, r->run.name, seed, parl_text_get(&r->differences));
  return PARL_STATUS_OK;
}

void eval_run_deinit(eval_run *r) {
  parl_run_deinit(&r->run);
  parl_origin_deinit(&r->origin);
  parl_text_deinit(&r->differences);
}
