/* tests/trainer_support.h - a trainer of a tiny recipe on tests/envs/count.lua. */
#ifndef PARL_TESTS_TRAINER_SUPPORT_H
#define PARL_TESTS_TRAINER_SUPPORT_H
#include "engine/checkpoint.h"
#include "parl/run/trainer_internal.h"
#include "tests/rollout_support.h"

/* A trainer on a tiny recipe, as far as updates need it. */
typedef struct trainer_fixture {
  char folder[PARL_TEST_PATH_BYTES];
  parl_recipe *recipe;
  atomic_int stop; /* non-zero stops players and the learner */
  parl_script_host scripts;
  parl_host host;
  parl_run run;
  parl_trainer t;
} trainer_fixture;

/* The recipe, the run and its environment. */
static inline void trainer_open_run(trainer_fixture *f, const char *env, size_t n_threads,
                                    const char *const *more, size_t n_more) {
  const char *overrides[24] = {"model.n_layers=1",   "model.d_model=16",  "model.n_heads=2",
                               "model.n_kv_heads=2", "model.head_dim=8",  "model.d_ff=32",
                               "train.tasks=3",      "train.group=4",     "train.updates=12",
                               "optimizer.lr=0.01",  "optimizer.warmup=0"};
  enum { N_COMMON = 11 };
  for (size_t i = 0; i < n_more; i++) overrides[N_COMMON + i] = more[i];
  *f = (trainer_fixture){0};
  char path[PARL_TEST_PATH_BYTES + 16];
  parl_test_temp_folder(f->folder);
  snprintf(path, sizeof path, "%s/r.lua", f->folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fprintf(file, "return { env = { file = '%s' } }", env);
  assert_int_equal(fclose(file), 0);
  assert_ok(parl_recipe_load(path, overrides, N_COMMON + n_more, NULL, &f->recipe));
  assert_ok(parl_run_init(f->recipe, 0, 1, &f->run));
  f->scripts = (parl_script_host){.stop = &f->stop};
  f->host = (parl_host){.scripts = &f->scripts, .stop = &f->stop};
  f->t = (parl_trainer){.host = &f->host, .run = &f->run, .config = &f->run.config, .arm = "x"};
  assert_ok(parl_workers_create(n_threads, &f->t.workers));
  assert_ok(parl_run_open_env(&f->run, NULL, &f->t.env));
}

/* And what trains, of random weights. */
static inline void trainer_prepare(trainer_fixture *f) {
  const int n_tokens = parl_env_get_spec(f->t.env)->n_tokens;
  f->t.model = count_model(f->t.config, n_tokens, "cpu", 1);
  f->t.warm = count_model(f->t.config, n_tokens, "cpu", 2);
  assert_ok(parl_subs_open(&f->run, f->t.env, f->t.warm, &f->t.subs));
  assert_ok(parl_trainer_prepare(&f->t));
}

static inline void trainer_open(trainer_fixture *f, size_t n_threads, const char *const *more,
                                size_t n_more) {
  trainer_open_run(f, COUNT_ENV, n_threads, more, n_more);
  trainer_prepare(f);
}

static inline void trainer_close(trainer_fixture *f) {
  parl_workers *workers = f->t.workers;
  parl_trainer_close(&f->t);
  parl_workers_destroy(workers);
  parl_run_deinit(&f->run);
  parl_recipe_destroy(f->recipe);
  parl_test_remove_folder(f->folder);
}

typedef struct trainer_hash {
  char hex[PARL_HASH_HEX_BYTES];
} trainer_hash;

static inline trainer_hash trainer_hash_model(const parl_model *model) {
  trainer_hash out;
  parl_hash h;
  parl_hash_init(&h);
  assert_ok(parl_model_hash(model, &h));
  parl_hash_finish(&h, out.hex);
  return out;
}

#endif
