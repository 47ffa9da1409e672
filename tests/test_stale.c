/* tests/test_stale.c - who plays how many updates behind, noise, several passes, and all of it with
 * episodes in parts. */
#include "tests/engine_support.h"
#include "tests/trainer_support.h"

enum { N_UPDATES = 6 };

/* Update u is played by the policy after u - n updates, or the first. */
static void test_the_player_is_n_updates_old(void **state) {
  (void)state;
  for (int n = 1; n <= 3; n++) {
    char field[32];
    trainer_fixture f;
    snprintf(field, sizeof field, "train.staleness=%d", n);
    trainer_open(&f, 2, (const char *[]){field}, 1);
    trainer_hash versions[N_UPDATES];
    for (int u = 0; u < N_UPDATES; u++) {
      versions[u] = trainer_hash_model(f.t.model);
      assert_true(u == 0 || strcmp(versions[u].hex, versions[u - 1].hex) != 0);
      assert_ok(parl_updater_run(f.t.updater));
      const int age = u < n ? u : n;
      assert_string_equal(trainer_hash_model(f.t.ring->player).hex, versions[u - age].hex);
      assert_close(f.t.updater->metrics.staleness, age, 0);
      /* What the decoder recorded is the player's, and that of a younger policy is another. */
      if (age == 0)
        assert_true(f.t.updater->metrics.logp_gap < 1e-4);
      else
        assert_true(f.t.updater->metrics.logp_gap > 1e-3);
    }
    trainer_close(&f);
  }
}

/* A checkpoint in the middle has every policy that is still to play: what goes on from it ends as
 * what was never cut. */
static void test_a_checkpoint_has_the_ring(void **state) {
  (void)state;
  const char *const stale[] = {"train.staleness=2", "train.logp_noise=0.1", "train.epochs=2"};
  trainer_fixture whole, cut, other;
  trainer_open(&whole, 2, stale, 3);
  trainer_open(&cut, 2, stale, 3);
  trainer_open(&other, 2, stale, 3);
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
  assert_string_equal(trainer_hash_model(other.t.model).hex, trainer_hash_model(whole.t.model).hex);
  /* Others read the policy that learns, and nothing else; too many are missed. */
  assert_ok(parl_checkpoint_load(path, whole.t.model, NULL, NULL, NULL));
  assert_string_equal(trainer_hash_model(whole.t.model).hex, trainer_hash_model(cut.t.model).hex);
  parl_model *more[4] = {other.t.ring->kept[0], other.t.ring->kept[1], other.t.ring->kept[2],
                         other.t.ring->player};
  assert_status(parl_checkpoint_load_kept(path, other.t.model, NULL, more, 4, NULL, NULL),
                PARL_STATUS_EFORMAT);
  assert_non_null(strstr(parl_error_text(), "kept.3."));
  trainer_close(&whole);
  trainer_close(&cut);
  trainer_close(&other);
}

static parl_metrics run_updates(const char *const *more, size_t n) {
  trainer_fixture f;
  trainer_open(&f, 2, more, n);
  for (int u = 0; u < N_UPDATES; u++) assert_ok(parl_updater_run(f.t.updater));
  const parl_metrics m = f.t.updater->metrics;
  trainer_close(&f);
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
  trainer_fixture f;
  trainer_open(&f, 2, (const char *[]){"train.logp_noise=0.5", "train.tasks=12", "train.group=8"},
               3);
  assert_ok(parl_updater_run(f.t.updater));
  const parl_metrics *m = &f.t.updater->metrics;
  const double n = (double)parl_learner_get_batch(f.t.updater->learner)->n_outputs;
  assert_true(n > 400);
  assert_close(m->logp_gap, 0.5 * sqrt(2 / 3.14159265358979), 4 * 0.5 * 0.603 / sqrt(n));
  assert_close(m->masked, 0.1655, 4 * sqrt(0.1655 * 0.8345 / n));
  trainer_close(&f);
}

/* A pass over two minibatches is two steps; the same tokens pass through the model in each. */
static void test_passes_are_counted(void **state) {
  (void)state;
  const char *const more[] = {"train.epochs=3", "train.minibatches=2"};
  trainer_fixture f, once;
  trainer_open(&f, 2, more, 2);
  trainer_open(&once, 2, more + 1, 1);
  assert_ok(parl_updater_run(f.t.updater));
  assert_ok(parl_updater_run(once.t.updater));
  assert_int_equal(f.t.updater->n_steps, 6);
  assert_int_equal(once.t.updater->n_steps, 2);
  assert_close(f.t.updater->metrics.train_tokens, 3 * once.t.updater->metrics.train_tokens, 0);
  trainer_close(&f);
  trainer_close(&once);
}

/* --- an episode of several policies: in parts, stale, cut to a nucleus, under noise --- */

enum { N_MIXED = 10, MOST_EPISODES = 256, AGE = 2 };

/* Where the recording of an episode ended after each update. */
typedef struct written {
  uint64_t episode_seed;
  size_t n[N_MIXED];
} written;

typedef struct mixed {
  trainer_fixture f;
  parl_model *versions[N_MIXED];
  parl_decoder *decoders[N_MIXED];
  size_t n_episodes;
  written episodes[MOST_EPISODES];
  size_t n_checked, n_old; /* choices; of an update before that of the episode's last one */
} mixed;

static void keep_version(mixed *m, int update) {
  const parl_env_spec *spec = parl_env_get_spec(m->f.t.env);
  m->versions[update] = count_model(m->f.t.config, spec->n_tokens, "cpu", 1);
  assert_ok(parl_model_copy_weights(m->versions[update], m->f.t.model));
  const parl_decoder_def def = {.model = m->versions[update],
                                .n_slots = 1,
                                .max_context = (size_t)spec->limits.context,
                                .max_rows = (size_t)spec->limits.context};
  assert_ok(parl_decoder_create(&def, &m->decoders[update]));
}

static written *note(mixed *m, const parl_trajectory *t, int update) {
  size_t i = 0;
  while (i < m->n_episodes && m->episodes[i].episode_seed != t->episode_seed) i++;
  assert_true(i < MOST_EPISODES);
  if (i == m->n_episodes) m->episodes[m->n_episodes++] = (written){.episode_seed = t->episode_seed};
  for (int u = update; u < N_MIXED; u++) m->episodes[i].n[u] = t->recording.n;
  return &m->episodes[i];
}

/* log pi(chosen | what was allowed) of choice k under a version, in double. */
static double get_logp(mixed *m, int version, const parl_sequence *s, int32_t k) {
  const size_t n_tokens = (size_t)parl_env_get_spec(m->f.t.env)->n_tokens;
  parl_decoder_row rows[256];
  float *device, logits[256];
  const int32_t n = s->at[k];
  assert_true(n_tokens <= 256 && n <= 256);
  for (int32_t i = 0; i < n; i++)
    rows[i] = (parl_decoder_row){.slot = 0, .token = s->tokens[i], .want_logits = i == n - 1};
  parl_decoder_reset(m->decoders[version], 0);
  assert_ok(parl_decoder_step(m->decoders[version], rows, (size_t)n, &device));
  assert_ok(parl_decoder_read(m->decoders[version], device, n_tokens, logits));
  double sum = 0;
  for (size_t i = 0; i < n_tokens; i++)
    if (s->masks[k * s->n_words + (int32_t)(i / 64)] >> i % 64 & 1) sum += exp((double)logits[i]);
  return (double)logits[s->tokens[s->at[k]]] - (sum > 0 ? log(sum) : (double)INFINITY);
}

/* A finished episode: every choice has the log-probability of the policy that played when it was
 * written, the whole one, and the batch that one with noise on it. */
static size_t check_episode(mixed *m, size_t job, int update, size_t output) {
  const parl_updater *u = m->f.t.updater;
  const parl_trajectory *t = u->jobs[job].out;
  const written *w = note(m, t, update);
  const parl_sequence *s = &t->mains[0];
  const float *learned = parl_learner_get_batch(u->learner)->logp_old;
  parl_rng_cursor noise = {
      .seed = u->def.seed,
      .stream = parl_rng_stream(PARL_PURPOSE_LOGP_NOISE, (uint64_t)update, job, 0)};
  int32_t k = 0;
  for (size_t i = 0; i < t->recording.n; i++) {
    int when = 0;
    while (w->n[when] <= i) when++;
    if (!t->recording.items[i].is_choice) continue;
    const int version = when < AGE ? 0 : when - AGE;
    assert_close(s->logp[k], get_logp(m, version, s, k), 2e-4);
    assert_true(s->logp[k] == t->recording.items[i].logp);
    const double due = (double)s->logp[k] + 0.3 * parl_rng_next_normal(&noise);
    assert_close(learned[output + (size_t)k], due, 1e-5);
    m->n_old += when < update;
    m->n_checked++;
    k++;
  }
  assert_int_equal(k, s->n_choices);
  return output + (size_t)k;
}

static void test_whose_log_probabilities(void **state) {
  (void)state;
  const char *const more[] = {"train.staleness=2", "train.partial=3", "train.top_p=0.8",
                              "train.logp_noise=0.3", "optimizer.lr=0.05"};
  mixed m = {0};
  trainer_open(&m.f, 2, more, 5);
  for (int update = 0; update < N_MIXED; update++) {
    keep_version(&m, update);
    assert_ok(parl_updater_run(m.f.t.updater));
    const parl_updater *u = m.f.t.updater;
    for (size_t i = 0; i < u->n; i++) note(&m, u->jobs[i].out, update);
    size_t output = 0;
    for (size_t i = 0; i < u->n_groups * 4; i++)
      output = check_episode(&m, u->kept[i], update, output);
    if (u->n_groups > 0) assert_int_equal(output, parl_learner_get_batch(u->learner)->n_outputs);
  }
  assert_true(m.n_checked > 200 && m.n_old > 50);
  for (int update = 0; update < N_MIXED; update++) {
    parl_decoder_destroy(m.decoders[update]);
    parl_model_destroy(m.versions[update]);
  }
  trainer_close(&m.f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_player_is_n_updates_old),
      cmocka_unit_test(test_a_checkpoint_has_the_ring),
      cmocka_unit_test(test_the_mask_needs_a_gap),
      cmocka_unit_test(test_noise_by_its_distribution),
      cmocka_unit_test(test_passes_are_counted),
      cmocka_unit_test(test_whose_log_probabilities),
  };
  return cmocka_run_group_tests_name("stale", tests, NULL, NULL);
}
