/* tests/test_stale.c - who plays how many updates behind, noise, several passes. */
#include "engine/checkpoint.h"
#include "parl/run/trainer_internal.h"
#include "tests/engine_support.h"
#include "tests/rollout_support.h"

enum { N_UPDATES = 6 };

/* A trainer on a tiny recipe, as far as updates need it. */
typedef struct fixture {
  char folder[PARL_TEST_PATH_BYTES];
  parl_recipe *recipe;
  parl_host host;
  parl_run run;
  parl_trainer t;
} fixture;

static void open_fixture(fixture *f, const char *const *more, size_t n_more) {
  const char *overrides[24] = {"model.n_layers=1",   "model.d_model=16",  "model.n_heads=2",
                               "model.n_kv_heads=2", "model.head_dim=8",  "model.d_ff=32",
                               "train.tasks=3",      "train.group=4",     "train.updates=12",
                               "env.params.n=4",     "optimizer.lr=0.01", "optimizer.warmup=0"};
  enum { N_COMMON = 12 };
  for (size_t i = 0; i < n_more; i++) overrides[N_COMMON + i] = more[i];
  *f = (fixture){0};
  char path[PARL_TEST_PATH_BYTES + 16];
  parl_test_temp_folder(f->folder);
  snprintf(path, sizeof path, "%s/r.lua", f->folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("return { env = { file = '" COUNT_ENV "' } }", file);
  assert_int_equal(fclose(file), 0);
  assert_ok(parl_recipe_load(path, overrides, N_COMMON + n_more, NULL, &f->recipe));
  assert_ok(parl_run_init(f->recipe, 0, 1, &f->run));
  f->t = (parl_trainer){.host = &f->host, .run = &f->run, .config = &f->run.config, .arm = "x"};
  assert_ok(parl_workers_create(2, &f->t.workers));
  assert_ok(parl_run_open_env(&f->run, NULL, &f->t.env));
  const int n_tokens = parl_env_get_spec(f->t.env)->n_tokens;
  f->t.model = count_model(f->t.config, n_tokens, "cpu", 1);
  f->t.warm = f->t.sub_policy = count_model(f->t.config, n_tokens, "cpu", 2);
  assert_ok(parl_trainer_prepare(&f->t));
}

static void close_fixture(fixture *f) {
  parl_workers *workers = f->t.workers;
  parl_trainer_close(&f->t);
  parl_workers_destroy(workers);
  parl_run_deinit(&f->run);
  parl_recipe_destroy(f->recipe);
  parl_test_remove_folder(f->folder);
}

typedef struct hash {
  char hex[PARL_HASH_HEX_BYTES];
} hash;

static hash hash_of(const parl_model *model) {
  hash out;
  parl_hash h;
  parl_hash_init(&h);
  assert_ok(parl_model_hash(model, &h));
  parl_hash_finish(&h, out.hex);
  return out;
}

/* Update u is played by the policy after u - n updates, or the first. */
static void test_the_player_is_n_updates_old(void **state) {
  (void)state;
  for (int n = 1; n <= 3; n++) {
    char field[32];
    fixture f;
    snprintf(field, sizeof field, "train.staleness=%d", n);
    open_fixture(&f, (const char *[]){field}, 1);
    hash versions[N_UPDATES];
    for (int u = 0; u < N_UPDATES; u++) {
      versions[u] = hash_of(f.t.model);
      assert_true(u == 0 || strcmp(versions[u].hex, versions[u - 1].hex) != 0);
      assert_ok(parl_updater_run(f.t.updater));
      const int age = u < n ? u : n;
      assert_string_equal(hash_of(f.t.ring->player).hex, versions[u - age].hex);
      assert_close(f.t.updater->metrics.staleness, age, 0);
      /* What the decoder recorded is the player's, and that of a younger policy is another. */
      if (age == 0)
        assert_true(f.t.updater->metrics.logp_gap < 1e-4);
      else
        assert_true(f.t.updater->metrics.logp_gap > 1e-3);
    }
    close_fixture(&f);
  }
}

/* A checkpoint in the middle has every policy that is still to play: what goes on from it ends as
 * what was never cut. */
static void test_a_checkpoint_has_the_ring(void **state) {
  (void)state;
  const char *const stale[] = {"train.staleness=2", "train.logp_noise=0.1", "train.epochs=2"};
  fixture whole, cut, other;
  open_fixture(&whole, stale, 3);
  open_fixture(&cut, stale, 3);
  open_fixture(&other, stale, 3);
  for (int u = 0; u < N_UPDATES; u++) assert_ok(parl_updater_run(whole.t.updater));
  for (int u = 0; u < 3; u++) assert_ok(parl_updater_run(cut.t.updater));
  char path[PARL_TEST_PATH_BYTES + 32];
  snprintf(path, sizeof path, "%s/c.safetensors", cut.folder);
  const parl_checkpoint_meta meta = {.kept = cut.t.ring->kept, .n_kept = cut.t.ring->n + 1};
  assert_ok(parl_checkpoint_save(path, cut.t.model,
                                 parl_learner_get_optimizer(cut.t.updater->learner), &meta, NULL));
  assert_ok(parl_checkpoint_load_kept(path, other.t.model,
                                      parl_learner_get_optimizer(other.t.updater->learner),
                                      other.t.ring->kept, 3, NULL, NULL));
  other.t.updater->update = 3;
  for (int u = 3; u < N_UPDATES; u++) assert_ok(parl_updater_run(other.t.updater));
  assert_string_equal(hash_of(other.t.model).hex, hash_of(whole.t.model).hex);
  /* Others read the policy that learns, and nothing else; too many are missed. */
  assert_ok(parl_checkpoint_load(path, whole.t.model, NULL, NULL, NULL));
  assert_string_equal(hash_of(whole.t.model).hex, hash_of(cut.t.model).hex);
  parl_model *more[4] = {other.t.ring->kept[0], other.t.ring->kept[1], other.t.ring->kept[2],
                         other.t.ring->player};
  assert_status(parl_checkpoint_load_kept(path, other.t.model, NULL, more, 4, NULL, NULL),
                PARL_STATUS_EFORMAT);
  assert_non_null(strstr(parl_error_text(), "kept.3."));
  close_fixture(&whole);
  close_fixture(&cut);
  close_fixture(&other);
}

static parl_metrics run_updates(const char *const *more, size_t n) {
  fixture f;
  open_fixture(&f, more, n);
  for (int u = 0; u < N_UPDATES; u++) assert_ok(parl_updater_run(f.t.updater));
  const parl_metrics m = f.t.updater->metrics;
  close_fixture(&f);
  return m;
}

/* The mask of K2.5 acts where the policy that learns is not the one that played, and only there. */
static void test_the_mask_needs_a_gap(void **state) {
  (void)state;
  const parl_metrics on = run_updates((const char *[]){"optimizer.lr=0.05"}, 1);
  assert_close(on.masked, 0, 0);
  assert_true(on.logp_gap < 1e-4);
  assert_true(isnan(on.staleness));
  const char *const more[] = {"train.staleness=4", "optimizer.lr=0.05"};
  const parl_metrics stale = run_updates(more, 2);
  assert_true(stale.masked > 0);
  const parl_metrics passes = run_updates((const char *[]){"train.epochs=4"}, 1);
  assert_true(passes.logp_gap < 1e-4); /* taken before the first step */
  assert_true(passes.masked > 0 && passes.kl > on.kl);
}

/* Noise of sd s alone: E|log rho| = s sqrt(2/pi), and |log rho| > log 2 for 2 Phi(-log 2 / s) of
 * the tokens, .1655 at s = .5. Some 700 tokens. */
static void test_noise_by_its_distribution(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f, (const char *[]){"train.logp_noise=0.5", "train.tasks=12", "train.group=8"}, 3);
  assert_ok(parl_updater_run(f.t.updater));
  const parl_metrics *m = &f.t.updater->metrics;
  const double n = (double)parl_learner_get_batch(f.t.updater->learner)->n_outputs;
  assert_true(n > 400);
  assert_close(m->logp_gap, 0.5 * sqrt(2 / 3.14159265358979), 4 * 0.5 * 0.603 / sqrt(n));
  assert_close(m->masked, 0.1655, 4 * sqrt(0.1655 * 0.8345 / n));
  close_fixture(&f);
}

/* A pass over two minibatches is two steps; the same tokens pass through the model in each. */
static void test_passes_are_counted(void **state) {
  (void)state;
  const char *const more[] = {"train.epochs=3", "train.minibatches=2"};
  fixture f, once;
  open_fixture(&f, more, 2);
  open_fixture(&once, more + 1, 1);
  assert_ok(parl_updater_run(f.t.updater));
  assert_ok(parl_updater_run(once.t.updater));
  assert_int_equal(f.t.updater->n_steps, 6);
  assert_int_equal(once.t.updater->n_steps, 2);
  assert_close(f.t.updater->metrics.train_tokens, 3 * once.t.updater->metrics.train_tokens, 0);
  close_fixture(&f);
  close_fixture(&once);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_player_is_n_updates_old),
      cmocka_unit_test(test_a_checkpoint_has_the_ring),
      cmocka_unit_test(test_the_mask_needs_a_gap),
      cmocka_unit_test(test_noise_by_its_distribution),
      cmocka_unit_test(test_passes_are_counted),
  };
  return cmocka_run_group_tests_name("stale", tests, NULL, NULL);
}
