/* experiments/plan.c - which cells, warm starts and baselines a recipe has. */
#include "experiments/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "parl/run/run_list.h"
#include "parl/run/run_models.h"

/* Untrained and scripted cells of one seed are those of every arm that has the same environment,
 * warm start, agents and evaluation; the key says which these are. */
typedef char baseline_key[PARL_HASH_HEX_BYTES];

typedef struct builder {
  const parl_host *host;
  parl_plan *plan;
  size_t n_seeds, capacity;
  baseline_key *keys; /* [n_trained] */
} builder;

static parl_status identify(builder *b, const parl_env *env, parl_cell *c) {
  parl_text canonical = {0};
  const parl_status s =
      parl_run_get_uid(b->host, c->config, env, c->name, c->scope, &canonical, c->uid);
  if (s == PARL_STATUS_OK)
    c->canonical = canonical.bytes; /* moves */
  else
    parl_text_deinit(&canonical);
  return s;
}

/* Adds a cell unless it is there already, as where a recipe names a baseline twice. */
static parl_status add_cell(builder *b, const parl_env *env, const parl_cell *cell) {
  parl_plan *p = b->plan;
  if (p->n_cells == b->capacity) {
    const size_t larger = 2 * b->capacity + 16;
    parl_cell *cells = realloc(p->cells, larger * sizeof *cells);
    if (cells == NULL)
      return parl_fail(PARL_STATUS_ENOMEM, "plan: no memory for %zu cells", larger);
    p->cells = cells;
    b->capacity = larger;
  }
  parl_cell *c = &p->cells[p->n_cells];
  *c = *cell;
  PARL_TRY(identify(b, env, c));
  for (size_t i = p->n_trained; i < p->n_cells; i++)
    if (strcmp(p->cells[i].uid, c->uid) == 0) {
      free(c->canonical);
      return PARL_STATUS_OK;
    }
  p->n_cells++;
  return PARL_STATUS_OK;
}

static parl_status find_warm(builder *b, const parl_env *env, const parl_run_config *config,
                             size_t *out) {
  parl_plan *p = b->plan;
  parl_warm *w = &p->warms[p->n_warms];
  w->config = config;
  PARL_TRY(parl_warm_start_path(b->host, config, env, w->path, sizeof w->path));
  size_t i = 0;
  while (strcmp(p->warms[i].path, w->path) != 0) i++; /* it ends at w */
  if (i == p->n_warms) p->n_warms++;
  *out = i;
  return PARL_STATUS_OK;
}

static parl_status get_key(const builder *b, const parl_env *env, const parl_run_config *config,
                           baseline_key out) {
  parl_text canonical = {0};
  const parl_status s =
      parl_recipe_append_canonical(b->host->recipe, config, env, PARL_SCOPE_BASELINE, &canonical);
  if (s == PARL_STATUS_OK) parl_hash_bytes(parl_text_get(&canonical), canonical.n, out);
  parl_text_deinit(&canonical);
  return s;
}

/* Everything but training itself: what the environment knows, the model, the backend, the file of
 * the sub-agents' policy. */
static parl_status check_arm(builder *b, const parl_env *env, size_t arm) {
  const parl_recipe *recipe = b->host->recipe;
  const parl_run_config *config = parl_recipe_get_arm(recipe, arm);
  parl_model *subs = NULL;
  bool owned = false;
  PARL_TRY(parl_recipe_check_env(recipe, config, parl_env_get_spec(env)));
  PARL_TRY(parl_sub_policy_get(config, env, NULL, &subs, &owned));
  if (owned) parl_model_destroy(subs);
  if (arm == 0) parl_env_append_preset_exceptions(env, &b->plan->preset_exceptions);
  return parl_text_status(&b->plan->preset_exceptions);
}

static parl_status add_trained(builder *b, const parl_env *env, size_t arm) {
  const parl_recipe *recipe = b->host->recipe;
  PARL_TRY(check_arm(b, env, arm));
  for (size_t k = 0; k < b->n_seeds; k++) {
    const size_t i = arm * b->n_seeds + k;
    parl_run_config *config = &b->plan->configs[i];
    *config = *parl_recipe_get_arm(recipe, arm);
    config->run.seed += (int64_t)k;
    parl_cell c = {.config = config, .scope = PARL_SCOPE_RUN};
    snprintf(c.name, sizeof c.name, "%s", parl_recipe_get_arm_name(recipe, arm));
    PARL_TRY(find_warm(b, env, config, &c.warm));
    PARL_TRY(get_key(b, env, config, b->keys[i]));
    PARL_TRY(add_cell(b, env, &c));
  }
  b->plan->n_trained = b->plan->n_cells;
  return PARL_STATUS_OK;
}

/* The untrained warm start and eval.baselines of one trained cell. */
static parl_status add_baselines_of(builder *b, const parl_env *env, size_t i, const char *suffix) {
  parl_cell c = b->plan->cells[i]; /* its configuration and warm start */
  c.scope = PARL_SCOPE_BASELINE;
  snprintf(c.name, sizeof c.name, "untrained%s", suffix);
  PARL_TRY(add_cell(b, env, &c));
  char list[PARL_CONFIG_TEXT_BYTES];
  snprintf(list, sizeof list, "%s", c.config->eval.baselines);
  char *rest = NULL;
  for (char *style = strtok_r(list, ", ", &rest); style != NULL;
       style = strtok_r(NULL, ", ", &rest)) {
    snprintf(c.style, sizeof c.style, "%s", style);
    snprintf(c.name, sizeof c.name, "%s%s", style, suffix);
    PARL_TRY(add_cell(b, env, &c));
  }
  return PARL_STATUS_OK;
}

static parl_status add_baselines(builder *b, const parl_env *env, size_t arm) {
  for (size_t i = arm * b->n_seeds; i < (arm + 1) * b->n_seeds; i++) {
    char suffix[80] = "";
    bool is_new = true;
    for (size_t j = i % b->n_seeds; j < i; j += b->n_seeds) { /* the same seed of earlier arms */
      if (strcmp(b->keys[i], b->keys[j]) == 0) is_new = false;
      snprintf(suffix, sizeof suffix, "@%s", parl_recipe_get_arm_name(b->host->recipe, arm));
    }
    if (is_new) PARL_TRY(add_baselines_of(b, env, i, suffix));
  }
  return PARL_STATUS_OK;
}

static parl_status visit_arms(builder *b, parl_status (*add)(builder *, const parl_env *, size_t)) {
  const parl_recipe *recipe = b->host->recipe;
  parl_status s = PARL_STATUS_OK;
  for (size_t arm = 0; s == PARL_STATUS_OK && arm < parl_recipe_get_n_arms(recipe); arm++) {
    parl_env *env = NULL;
    PARL_TRY(parl_recipe_open_env(recipe, &parl_recipe_get_arm(recipe, arm)->env, b->host->scripts,
                                  &env));
    s = parl_reward_check_env(&parl_recipe_get_arm(recipe, arm)->reward, env);
    if (s == PARL_STATUS_OK) s = add(b, env, arm);
    parl_env_destroy(env);
  }
  return s;
}

/* --- the store --- */

static parl_status note_alive(void *context, const parl_store_claim *claim) {
  *(bool *)context |= parl_claim_is_alive(claim);
  return PARL_STATUS_OK;
}

/* A folder holds one configuration of an arm and seed. */
static parl_status refuse_conflicts(const parl_host *host, const parl_plan *p) {
  char path[1024];
  bool is_worked_in = false;
  parl_store *store = NULL;
  PARL_TRY(parl_file_join(path, sizeof path, parl_recipe_get_folder(host->recipe), "store.db"));
  if (!parl_file_exists(path)) return PARL_STATUS_OK;
  PARL_TRY(parl_store_open(path, &store)); /* another process may be creating it */
  parl_status s = parl_store_visit_claims(store, note_alive, &is_worked_in);
  for (size_t i = 0; s == PARL_STATUS_OK && i < p->n_cells; i++) {
    const parl_cell *c = &p->cells[i];
    s = parl_run_refuse_conflict(store, host, c->name, c->config->run.seed, c->uid, c->canonical,
                                 is_worked_in);
  }
  parl_store_close(store);
  return s;
}

typedef struct recording {
  const parl_host *host;
  parl_store *store;
} recording;

/* What the plan asks for counts again. */
static parl_status restore(const recording *r, const parl_cell *c, int64_t run_id) {
  bool is_retired = false;
  PARL_TRY(parl_store_get_retired(r->store, run_id, &is_retired));
  if (!is_retired) return PARL_STATUS_OK;
  return parl_run_list_restore(r->store, parl_recipe_get_folder(r->host->recipe), run_id, c->uid,
                               c->name, c->config->run.seed);
}

static parl_status record_cell(const recording *r, const parl_cell *c) {
  parl_store_run run = {.recipe = parl_recipe_get_name(r->host->recipe),
                        .arm = c->name,
                        .seed = c->config->run.seed,
                        .config = c->canonical,
                        .status = "pending",
                        .host = "{}",
                        .revision = ""};
  memcpy(run.uid, c->uid, sizeof run.uid);
  char status[16] = "";
  int found = 0;
  int64_t id = 0;
  PARL_TRY(parl_store_delete_pending(r->store, run.arm, run.seed, run.uid));
  PARL_TRY(parl_store_find_run(r->store, run.uid, &found, &id, status, NULL));
  if (!found) return parl_store_plan_run(r->store, &run);
  PARL_TRY(restore(r, c, id));
  if (r->host->retry_failed && strcmp(status, "failed") == 0)
    return parl_store_set_status(r->store, run.uid, "pending", "");
  return PARL_STATUS_OK;
}

parl_status parl_plan_record(const parl_host *host, const parl_plan *plan, const char *store_path) {
  recording r = {host, NULL};
  PARL_TRY(parl_store_open(store_path, &r.store));
  parl_status s = parl_store_begin(r.store);
  if (s == PARL_STATUS_OK) {
    for (size_t i = 0; s == PARL_STATUS_OK && i < plan->n_cells; i++)
      s = record_cell(&r, &plan->cells[i]);
    s = parl_store_end(r.store, s);
  }
  parl_store_close(r.store);
  return s;
}

/* --- the plan --- */

static parl_status build(builder *b) {
  const size_t n = parl_recipe_get_n_arms(b->host->recipe) * b->n_seeds;
  b->plan->configs = calloc(n, sizeof *b->plan->configs);
  b->plan->warms = calloc(n + 1, sizeof *b->plan->warms);
  b->keys = calloc(n, sizeof *b->keys);
  if (b->plan->configs == NULL || b->plan->warms == NULL || b->keys == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "plan: no memory for %zu cells", n);
  PARL_TRY(visit_arms(b, add_trained));
  PARL_TRY(visit_arms(b, add_baselines));
  return refuse_conflicts(b->host, b->plan);
}

parl_status parl_plan_make(const parl_host *host, parl_plan **out) {
  builder b = {.host = host,
               .plan = calloc(1, sizeof *b.plan),
               .n_seeds = (size_t)parl_recipe_get_arm(host->recipe, 0)->run.n_seeds};
  if (b.plan == NULL) return parl_fail(PARL_STATUS_ENOMEM, "plan: no memory");
  const parl_status s = build(&b);
  free(b.keys);
  if (s == PARL_STATUS_OK)
    *out = b.plan;
  else
    parl_plan_destroy(b.plan);
  return s;
}

void parl_plan_destroy(parl_plan *plan) {
  if (plan == NULL) return;
  for (size_t i = 0; i < plan->n_cells; i++) free(plan->cells[i].canonical);
  free(plan->cells);
  free(plan->warms);
  free(plan->configs);
  parl_text_deinit(&plan->preset_exceptions);
  free(plan);
}
