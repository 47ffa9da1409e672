/* experiments/plan.c - which cells, warm starts and baselines a recipe has. */
#include "experiments/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "parl/run/pretrained.h"
#include "parl/run/run_list.h"
#include "parl/run/run_models.h"

/* Untrained and scripted cells of one seed are those of every arm that has the same environment,
 * warm start, agents and evaluation; the key says which these are. */
typedef char baseline_key[PARL_HASH_HEX_BYTES];

typedef struct builder {
  const parl_recipe *recipe;
  const parl_host *host;
  parl_plan *plan;
  size_t capacity;    /* of cells */
  baseline_key *keys; /* [n_trained] */
} builder;

static parl_status identify(const parl_env *env, parl_cell *c) {
  parl_text canonical = {0};
  const parl_status s = parl_run_get_uid(&c->run, env, &canonical, c->uid);
  if (s == PARL_STATUS_OK)
    c->canonical = canonical.bytes; /* moves */
  else
    parl_text_deinit(&canonical);
  return s;
}

static void cell_deinit(parl_cell *c) {
  free(c->canonical);
  parl_run_deinit(&c->run);
}

static bool has_baseline(const parl_plan *p, const char *uid) {
  for (size_t i = p->n_trained; i < p->n_cells; i++)
    if (strcmp(p->cells[i].uid, uid) == 0) return true;
  return false;
}

/* Adds a cell, which moves into the plan, unless it is there already, as where a recipe names a
 * baseline twice. */
static parl_status add_cell(builder *b, const parl_env *env, parl_cell *cell) {
  parl_plan *p = b->plan;
  parl_status s = identify(env, cell);
  if (s == PARL_STATUS_OK && p->n_cells == b->capacity) {
    const size_t larger = 2 * b->capacity + 16;
    parl_cell *cells = realloc(p->cells, larger * sizeof *cells);
    if (cells == NULL) {
      s = parl_fail(PARL_STATUS_ENOMEM, "plan: no memory for %zu cells", larger);
    } else {
      p->cells = cells;
      b->capacity = larger;
    }
  }
  if (s == PARL_STATUS_OK && !has_baseline(p, cell->uid))
    p->cells[p->n_cells++] = *cell;
  else
    cell_deinit(cell);
  return s;
}

/* cell: which is about to be added. */
static parl_status find_warm(builder *b, const parl_env *env, const parl_run *run, size_t *out) {
  parl_plan *p = b->plan;
  parl_warm *w = &p->warms[p->n_warms];
  w->cell = p->n_cells;
  PARL_TRY(parl_warm_start_path(run, env, w->path, sizeof w->path));
  PARL_TRY(parl_pretrained_get_path(run, env, w->pretrained, sizeof w->pretrained));
  size_t i = 0;
  while (strcmp(p->warms[i].path, w->path) != 0) i++; /* it ends at w */
  if (i == p->n_warms) p->n_warms++;
  *out = i;
  return PARL_STATUS_OK;
}

static parl_status get_key(const parl_env *env, const parl_run *run, baseline_key out) {
  parl_text canonical = {0};
  const parl_status s = parl_run_append_canonical(run, env, PARL_SCOPE_BASELINE, &canonical);
  if (s == PARL_STATUS_OK) parl_hash_bytes(parl_text_get(&canonical), canonical.n, out);
  parl_text_deinit(&canonical);
  return s;
}

static parl_status add_seed(builder *b, parl_env *env, size_t arm, size_t k) {
  parl_cell c = {0};
  const int64_t seed = parl_recipe_get_arm(b->recipe, arm)->run.seed + (int64_t)k;
  PARL_TRY(parl_run_init(b->recipe, arm, seed, &c.run));
  parl_status s = parl_run_fix_files(&c.run, env);
  if (s == PARL_STATUS_OK)
    s = k == 0 ? parl_run_check(&c.run, b->recipe, env) : parl_pretrained_check(&c.run, env);
  if (s == PARL_STATUS_OK) s = find_warm(b, env, &c.run, &c.warm);
  if (s == PARL_STATUS_OK) s = get_key(env, &c.run, b->keys[b->plan->n_cells]);
  if (s == PARL_STATUS_OK) return add_cell(b, env, &c);
  cell_deinit(&c);
  return s;
}

static parl_status add_trained(builder *b, parl_env *env, size_t arm) {
  for (size_t k = 0; k < b->plan->n_seeds; k++) PARL_TRY(add_seed(b, env, arm, k));
  b->plan->n_trained = b->plan->n_cells;
  return parl_run_append_preset_exceptions(env, &b->plan->preset_exceptions);
}

/* A run like a trained one, of another name, which a script or the warm start plays. */
static parl_status add_baseline(builder *b, const parl_env *env, size_t like, const char *style,
                                const char *suffix) {
  const parl_cell *trained = &b->plan->cells[like];
  parl_cell c = {.warm = trained->warm};
  PARL_TRY(parl_run_copy(&trained->run, &c.run));
  c.run.scope = PARL_SCOPE_BASELINE;
  snprintf(c.run.style, sizeof c.run.style, "%s", style);
  snprintf(c.run.name, sizeof c.run.name, "%s%s", style[0] != '\0' ? style : "untrained", suffix);
  return add_cell(b, env, &c);
}

/* The untrained warm start and eval.baselines of one trained cell. */
static parl_status add_baselines_of(builder *b, const parl_env *env, size_t i, const char *suffix) {
  char list[PARL_CONFIG_TEXT_BYTES];
  snprintf(list, sizeof list, "%s", b->plan->cells[i].run.config.eval.baselines);
  PARL_TRY(add_baseline(b, env, i, "", suffix));
  char *rest = NULL;
  for (char *style = strtok_r(list, ", ", &rest); style != NULL;
       style = strtok_r(NULL, ", ", &rest))
    PARL_TRY(add_baseline(b, env, i, style, suffix));
  return PARL_STATUS_OK;
}

static parl_status add_baselines(builder *b, parl_env *env, size_t arm) {
  const size_t n_seeds = b->plan->n_seeds;
  for (size_t i = arm * n_seeds; i < (arm + 1) * n_seeds; i++) {
    char suffix[80] = "";
    bool is_new = true;
    for (size_t j = i % n_seeds; j < i; j += n_seeds) { /* the same seed of earlier arms */
      if (strcmp(b->keys[i], b->keys[j]) == 0) is_new = false;
      snprintf(suffix, sizeof suffix, "@%s", parl_recipe_get_arm_name(b->recipe, arm));
    }
    if (is_new) PARL_TRY(add_baselines_of(b, env, i, suffix));
  }
  return PARL_STATUS_OK;
}

static parl_status visit_arms(builder *b, parl_status (*add)(builder *, parl_env *, size_t)) {
  parl_status s = PARL_STATUS_OK;
  for (size_t arm = 0; s == PARL_STATUS_OK && arm < b->plan->n_arms; arm++) {
    parl_env *env = NULL;
    PARL_TRY(parl_recipe_open_env(b->recipe, arm, b->host->scripts, &env));
    s = add(b, env, arm);
    parl_run_close_env(env);
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
  PARL_TRY(parl_file_join(path, sizeof path, p->cells[0].run.folder, "store.db"));
  if (!parl_file_exists(path)) return PARL_STATUS_OK;
  PARL_TRY(parl_rows_open(path, &store)); /* another process may be creating it */
  parl_rows_say_missing(store, path, host->log);
  parl_status s = parl_store_visit_claims(store, note_alive, &is_worked_in);
  for (size_t i = 0; s == PARL_STATUS_OK && i < p->n_cells; i++) {
    const parl_cell *c = &p->cells[i];
    s = parl_run_refuse_conflict(store, &c->run, c->uid, c->canonical, is_worked_in);
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
  return parl_run_list_restore(r->store, c->run.folder, run_id, c->uid, c->run.name,
                               c->run.config.run.seed);
}

static parl_status record_cell(const recording *r, const parl_cell *c) {
  parl_store_run run = {.recipe = c->run.recipe,
                        .arm = c->run.name,
                        .seed = c->run.config.run.seed,
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
  PARL_TRY(parl_rows_open(store_path, &r.store));
  parl_rows_say_missing(r.store, store_path, host->log);
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
  const size_t n = b->plan->n_arms * b->plan->n_seeds;
  b->plan->warms = calloc(n + 1, sizeof *b->plan->warms);
  b->keys = calloc(n, sizeof *b->keys);
  if (b->plan->warms == NULL || b->keys == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "plan: no memory for %zu cells", n);
  PARL_TRY(visit_arms(b, add_trained));
  PARL_TRY(visit_arms(b, add_baselines));
  return refuse_conflicts(b->host, b->plan);
}

parl_status parl_plan_make(const parl_recipe *recipe, const parl_host *host, parl_plan **out) {
  builder b = {.recipe = recipe, .host = host, .plan = calloc(1, sizeof *b.plan)};
  if (b.plan == NULL) return parl_fail(PARL_STATUS_ENOMEM, "plan: no memory");
  b.plan->n_arms = parl_recipe_get_n_arms(recipe);
  b.plan->n_seeds = (size_t)parl_recipe_get_arm(recipe, 0)->run.n_seeds;
  const parl_status s = build(&b);
  free(b.keys);
  if (s == PARL_STATUS_OK)
    *out = b.plan;
  else
    parl_plan_destroy(b.plan);
  return s;
}

static parl_status add_run(builder *b, const parl_run *run, const char *folder) {
  parl_cell c = {0};
  parl_env *env = NULL;
  PARL_TRY(parl_run_copy(run, &c.run));
  snprintf(c.run.folder, sizeof c.run.folder, "%s", folder);
  parl_status s = parl_run_open_env(&c.run, b->host->scripts, &env);
  if (s == PARL_STATUS_OK) s = find_warm(b, env, &c.run, &c.warm);
  if (s == PARL_STATUS_OK) {
    s = add_cell(b, env, &c);
    if (run->scope == PARL_SCOPE_RUN) b->plan->n_trained = b->plan->n_cells;
  } else {
    cell_deinit(&c);
  }
  parl_run_close_env(env);
  return s;
}

parl_status parl_plan_make_of(const parl_run *runs, size_t n, const char *folder,
                              const parl_host *host, parl_plan **out) {
  PARL_REQUIRE(n > 0 && runs[0].scope == PARL_SCOPE_RUN && strlen(folder) < PARL_RUN_PATH_BYTES);
  builder b = {.host = host, .plan = calloc(1, sizeof *b.plan)};
  if (b.plan == NULL) return parl_fail(PARL_STATUS_ENOMEM, "plan: no memory");
  b.plan->warms = calloc(n + 1, sizeof *b.plan->warms);
  parl_status s = PARL_STATUS_OK;
  if (b.plan->warms == NULL) s = parl_fail(PARL_STATUS_ENOMEM, "plan: no memory");
  for (size_t i = 0; s == PARL_STATUS_OK && i < n; i++) s = add_run(&b, &runs[i], folder);
  if (s == PARL_STATUS_OK) s = refuse_conflicts(host, b.plan);
  if (s == PARL_STATUS_OK)
    *out = b.plan;
  else
    parl_plan_destroy(b.plan);
  return s;
}

void parl_plan_destroy(parl_plan *plan) {
  if (plan == NULL) return;
  for (size_t i = 0; i < plan->n_cells; i++) cell_deinit(&plan->cells[i]);
  free(plan->cells);
  free(plan->warms);
  parl_text_deinit(&plan->preset_exceptions);
  free(plan);
}
