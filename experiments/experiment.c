/* experiments/experiment.c - phases over a pool of threads. */
#include "experiments/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/file.h"
#include "parl/warm_start.h"

/* One run, or one warm start with its baselines. */
typedef struct cell {
  size_t arm;
  parl_run_config config; /* with the seed of the cell */
  char suffix[80];        /* baselines: "" or "@arm" */
  bool first_warm;        /* no earlier cell has the same warm start */
  bool first_baseline;    /* ... nor the same baselines */
  char warm_path[1024];
  char baseline_key[PARL_HASH_HEX_BYTES];
  parl_train_result result;
} cell;

typedef struct experiment {
  const parl_host *host;
  size_t n_cells;
  cell *cells;
  size_t n_outer, n_inner; /* runs at once, threads of each */
  parl_workers *outer;
  parl_workers **inner; /* [n_outer] */
} experiment;

/* --- which warm starts and baselines there are --- */

static parl_status name_cell(const experiment *x, cell *c, const parl_env *env) {
  parl_text canonical = {0};
  PARL_TRY(parl_recipe_check_env(&c->config, parl_env_get_spec(env)));
  PARL_TRY(parl_warm_start_path(x->host, &c->config, env, c->warm_path, sizeof c->warm_path));
  const parl_status s = parl_recipe_append_canonical(x->host->recipe, &c->config, env,
                                                     PARL_SCOPE_BASELINE, &canonical);
  if (s == PARL_STATUS_OK) parl_hash_bytes(parl_text_get(&canonical), canonical.n, c->baseline_key);
  parl_text_deinit(&canonical);
  return s;
}

static void mark_firsts(const experiment *x, size_t i) {
  cell *c = &x->cells[i];
  c->first_warm = c->first_baseline = true;
  bool same_seed = false;
  for (size_t j = 0; j < i; j++) {
    const cell *d = &x->cells[j];
    if (strcmp(c->warm_path, d->warm_path) == 0) c->first_warm = false;
    if (strcmp(c->baseline_key, d->baseline_key) == 0) c->first_baseline = false;
    if (c->config.run.seed == d->config.run.seed) same_seed = true;
  }
  if (c->first_baseline && same_seed)
    snprintf(c->suffix, sizeof c->suffix, "@%s", parl_recipe_get_arm_name(x->host->recipe, c->arm));
}

static parl_status make_cell(const experiment *x, size_t i) {
  const parl_host *host = x->host;
  cell *c = &x->cells[i];
  parl_env *env = NULL;
  PARL_TRY(parl_recipe_open_env(host->recipe, &c->config.env, host->stop, &env));
  parl_status s = name_cell(x, c, env);
  if (s == PARL_STATUS_OK) {
    mark_firsts(x, i);
    s = parl_train_check(host, &c->config, env, parl_recipe_get_arm_name(host->recipe, c->arm),
                         c->first_baseline ? c->suffix : NULL);
  }
  parl_env_destroy(env);
  return s;
}

static parl_status make_cells(experiment *x) {
  const parl_recipe *recipe = x->host->recipe;
  const size_t n_arms = parl_recipe_get_n_arms(recipe);
  const size_t n_seeds = (size_t)parl_recipe_get_arm(recipe, 0)->run.n_seeds;
  x->n_cells = n_arms * n_seeds;
  x->cells = calloc(x->n_cells, sizeof *x->cells);
  if (x->cells == NULL) return parl_fail(PARL_STATUS_ENOMEM, "experiment: no memory");
  for (size_t i = 0; i < x->n_cells; i++) {
    cell *c = &x->cells[i];
    c->arm = i / n_seeds;
    c->config = *parl_recipe_get_arm(recipe, c->arm);
    c->config.run.seed += (int64_t)(i % n_seeds);
    PARL_TRY(make_cell(x, i));
  }
  return PARL_STATUS_OK;
}

/* --- phases --- */

static parl_status do_warm(void *context, size_t task, size_t worker) {
  experiment *x = context;
  const cell *c = &x->cells[task];
  if (!c->first_warm) return PARL_STATUS_OK;
  parl_model *model = NULL;
  PARL_TRY(parl_warm_start_get(x->host, &c->config, x->inner[worker], &model));
  parl_model_destroy(model);
  return PARL_STATUS_OK;
}

static parl_status do_baselines(void *context, size_t task, size_t worker) {
  experiment *x = context;
  const cell *c = &x->cells[task];
  if (!c->first_baseline) return PARL_STATUS_OK;
  return parl_train_baselines(x->host, &c->config, c->suffix, x->inner[worker]);
}

static parl_status do_run(void *context, size_t task, size_t worker) {
  experiment *x = context;
  cell *c = &x->cells[task];
  return parl_train(x->host, &c->config, parl_recipe_get_arm_name(x->host->recipe, c->arm),
                    x->inner[worker], &c->result);
}

static parl_status make_workers(experiment *x) {
  const int64_t asked = parl_recipe_get_arm(x->host->recipe, 0)->run.threads;
  const size_t threads = asked > 0 ? (size_t)asked : parl_workers_count_processors();
  x->n_outer = threads < x->n_cells ? threads : x->n_cells;
  x->n_inner = threads / x->n_outer;
  PARL_TRY(parl_workers_create(x->n_outer, &x->outer));
  x->inner = calloc(x->n_outer, sizeof *x->inner);
  if (x->inner == NULL) return parl_fail(PARL_STATUS_ENOMEM, "experiment: no memory");
  for (size_t i = 0; i < x->n_outer; i++) PARL_TRY(parl_workers_create(x->n_inner, &x->inner[i]));
  return PARL_STATUS_OK;
}

static parl_status run_phases(experiment *x) {
  char folder[1024];
  PARL_TRY(parl_file_join(folder, sizeof folder, parl_recipe_get_folder(x->host->recipe),
                          "checkpoints"));
  PARL_TRY(parl_file_make_folder(folder));
  PARL_TRY(parl_workers_run(x->outer, x->n_cells, do_warm, x));
  PARL_TRY(parl_workers_run(x->outer, x->n_cells, do_run, x));
  return parl_workers_run(x->outer, x->n_cells, do_baselines, x);
}

static void summarize(const experiment *x, parl_experiment_result *out) {
  parl_hash uid, hash;
  parl_hash_init(&uid);
  parl_hash_init(&hash);
  double train_s = 0, decode_s = 0, train_tokens = 0, decode_tokens = 0;
  for (size_t i = 0; i < x->n_cells; i++) {
    const parl_train_result *r = &x->cells[i].result;
    parl_hash_update(&uid, r->uid, sizeof r->uid);
    parl_hash_update(&hash, r->hash, sizeof r->hash);
    out->n_done_before += r->was_done;
    out->updates += r->updates;
    train_s += r->train_s;
    decode_s += r->decode_s;
    train_tokens += r->train_tokens;
    decode_tokens += r->decode_tokens;
  }
  parl_hash_finish(&uid, out->uid);
  parl_hash_finish(&hash, out->hash);
  out->n_runs = x->n_cells;
  /* train_s is wall time of a run, n_outer of which go side by side; decode_s is thread time. */
  if (train_s > 0) out->train_tokens_per_s = train_tokens / train_s * (double)x->n_outer;
  if (decode_s > 0)
    out->decode_tokens_per_s = decode_tokens / decode_s * (double)(x->n_outer * x->n_inner);
}

parl_status parl_experiment_run(const parl_host *host, parl_experiment_result *out) {
  experiment x = {.host = host};
  *out = (parl_experiment_result){0};
  const double start = parl_clock_s();
  parl_status s = make_cells(&x);
  if (s == PARL_STATUS_OK) s = make_workers(&x);
  if (s == PARL_STATUS_OK) s = run_phases(&x);
  if (s == PARL_STATUS_OK) summarize(&x, out);
  out->wall_s = parl_clock_s() - start;
  for (size_t i = 0; x.inner != NULL && i < x.n_outer; i++) parl_workers_destroy(x.inner[i]);
  parl_workers_destroy(x.outer);
  free(x.inner);
  free(x.cells);
  return s;
}
