/* tests/test_update_alloc.c - an update of training allocates nothing in C once it runs.
 *
 * Counted are malloc, calloc and aligned_alloc of the whole process. Lua's own heap, which lives
 * on realloc alone (lua/pool.c), is not: a script may build what it likes under its cap. The
 * sanitizers do not let the allocator be wrapped: there the test is skipped. */
#include <stdatomic.h>
#include <stdlib.h>

#include "parl/run/trainer_internal.h"
#include "tests/rollout_support.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { IS_WRAPPED = 1 };
static atomic_long n_calls;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t each);
void *__libc_memalign(size_t alignment, size_t n);

void *malloc(size_t n) {
  atomic_fetch_add(&n_calls, 1);
  return __libc_malloc(n);
}

void *calloc(size_t n, size_t each) {
  atomic_fetch_add(&n_calls, 1);
  return __libc_calloc(n, each);
}

void *aligned_alloc(size_t alignment, size_t n) {
  atomic_fetch_add(&n_calls, 1);
  return __libc_memalign(alignment, n);
}
#else
enum { IS_WRAPPED = 0 };
static atomic_long n_calls;
#endif

static void run_updates(const char *with, const char *async) {
  const char *overrides[] = {"model.n_layers=1",
                             "model.d_model=16",
                             "model.n_heads=2",
                             "model.n_kv_heads=2",
                             "model.head_dim=8",
                             "model.d_ff=32",
                             "train.tasks=3",
                             "train.group=4",
                             "train.updates=12",
                             "env.params.n=4",
                             "train.minibatches=2",
                             "lambda1.shape=closed_loop",
                             "train.staleness=1",
                             async,
                             with};
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/r.lua", folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("return { env = { file = '" COUNT_ENV "' } }", file);
  assert_int_equal(fclose(file), 0);
  parl_recipe *recipe = NULL;
  assert_ok(
      parl_recipe_load(path, overrides, sizeof overrides / sizeof overrides[0], NULL, &recipe));
  const parl_host host = {0};
  parl_run run;
  assert_ok(parl_run_init(recipe, 0, 1, &run));
  parl_trainer t = {.host = &host, .run = &run, .config = &run.config, .arm = "x"};
  assert_ok(parl_workers_create(2, &t.workers));
  assert_ok(parl_run_open_env(&run, NULL, &t.env));
  const int n_tokens = parl_env_get_spec(t.env)->n_tokens;
  t.model = count_model(t.config, n_tokens, "cpu", 1);
  t.warm = t.sub_policy = count_model(t.config, n_tokens, "cpu", 2);
  assert_ok(parl_trainer_prepare(&t));
  for (int i = 0; i < 3; i++) assert_ok(parl_updater_run(t.updater));
  const long before = atomic_load(&n_calls);
  assert_true(before > 0); /* the wrapper counts */
  for (int i = 0; i < 8; i++) assert_ok(parl_updater_run(t.updater));
  assert_int_equal(atomic_load(&n_calls) - before, 0);
  assert_true(t.updater->metrics.train_tokens > 0 && t.updater->metrics.decode_tokens > 0);
  /* What an update is: tasks of training's part, three prompts in every minibatch. */
  for (size_t i = 0; i < t.updater->n; i++)
    assert_int_equal(t.updater->jobs[i].part, PARL_PART_TRAIN);
  const parl_batch *batch = parl_learner_get_batch(t.updater->learner);
  assert_int_equal(batch->n_prompts, 3);
  for (size_t p = 0; p < 3; p++) assert_true(batch->prompt_outputs[p] > 0);
  parl_updater_destroy(t.updater);
  parl_rollout_destroy(t.rollout);
  parl_workers_destroy(t.player_workers);
  parl_policy_ring_destroy(t.ring);
  parl_model_destroy(t.model);
  parl_model_destroy(t.warm);
  parl_env_destroy(t.env);
  parl_workers_destroy(t.workers);
  parl_run_deinit(&run);
  parl_recipe_destroy(recipe);
  parl_test_remove_folder(folder);
}

static void test_an_update_allocates_nothing(void **state) {
  (void)state;
  if (!IS_WRAPPED) skip();
  static const char *const credits[] = {"objective.credit=episode", "objective.credit=turn",
                                        "objective.credit=counterfactual",
                                        "objective.credit=loo_stages"};
  for (size_t i = 0; i < 4; i++) run_updates(credits[i], "train.async=false");
  run_updates(credits[0], "train.async=true");
  run_updates(credits[2], "train.async=true");
  run_updates("train.sampling=prioritised", "train.async=true");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_update_allocates_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
