/* tests/test_async.c - updates that are played while the one before learns: what comes out is what
 * train.staleness alone gives, for any number of threads, across checkpoints, stops and failures.
 */
#include "tests/trainer_support.h"

enum { N_UPDATES = 7, MOST = 8 };

/* What a training came to: the weights after each update, and all that was measured but time. */
typedef struct history {
  trainer_hash weights[N_UPDATES], metrics[N_UPDATES];
} history;

static trainer_hash hash_metrics(const parl_updater *u) {
  const double *values = parl_metrics_get_values(&u->metrics);
  trainer_hash out;
  parl_hash h;
  parl_hash_init(&h);
  for (size_t i = 0; i < u->metric_table->n; i++)
    if (strncmp(u->metric_table->keys[i], "time/", 5) != 0)
      parl_hash_update(&h, &values[i], sizeof values[i]);
  parl_hash_finish(&h, out.hex);
  return out;
}

static void run_from(trainer_fixture *f, int from, int to, history *h) {
  for (int u = from; u < to; u++) {
    assert_ok(parl_updater_run(f->t.updater));
    h->weights[u] = trainer_hash_model(f->t.model);
    h->metrics[u] = hash_metrics(f->t.updater);
  }
}

/* fields [n], the last of which is written over: whether updates are played ahead. */
static void open_at(trainer_fixture *f, size_t n_threads, const char *const *fields, size_t n,
                    bool is_async) {
  const char *more[MOST + 2];
  for (size_t i = 0; i < n; i++) more[i] = fields[i];
  more[n] = "train.updates=7";
  more[n + 1] = is_async ? "train.async=true" : "train.async=false";
  trainer_open(f, n_threads, more, n + 2);
}

static void assert_same(const history *a, const history *b) {
  for (int u = 0; u < N_UPDATES; u++) {
    assert_string_equal(a->weights[u].hex, b->weights[u].hex);
    assert_string_equal(a->metrics[u].hex, b->metrics[u].hex);
  }
}

/* All that an update may do beside: every combination that is not refused. */
static const struct {
  size_t n;
  const char *fields[MOST];
} variants[] = {
    {1, {"train.staleness=1"}},
    {2, {"train.staleness=3", "train.epochs=2"}},
    {4, {"train.staleness=1", "train.partial=4", "train.top_p=0.9", "train.logp_noise=0.2"}},
    {3, {"train.staleness=2", "objective.credit=counterfactual", "objective.credit_after=policy"}},
    {4,
     {"train.staleness=1", "train.partial=3", "objective.credit=counterfactual",
      "train.minibatches=2"}},
    {3, {"train.staleness=1", "objective.credit=turn", "lambda1.shape=closed_loop"}},
    {6,
     {"train.staleness=1", "env.file=tests/envs/kinds.lua", "lambda1.shape=constant",
      "lambda1.start=0.3", "train.sampling=prioritised", "train.partial=1"}},
    {5,
     {"train.staleness=1", "env.file=tests/envs/kinds.lua", "lambda1.shape=constant",
      "lambda1.start=0.3", "train.sampling=curriculum"}},
};
enum { N_VARIANTS = sizeof variants / sizeof variants[0] };

static void test_the_bits_of_staleness(void **state) {
  (void)state;
  static const size_t threads[] = {1, 2, 3, 8};
  for (size_t v = 0; v < N_VARIANTS; v++) {
    trainer_fixture f;
    history due, got;
    open_at(&f, 2, variants[v].fields, variants[v].n, false);
    run_from(&f, 0, N_UPDATES, &due);
    trainer_close(&f);
    assert_true(strcmp(due.weights[0].hex, due.weights[6].hex) != 0);
    for (size_t k = 0; k < (v < 3 ? 4 : 2); k++) {
      open_at(&f, threads[k], variants[v].fields, variants[v].n, true);
      run_from(&f, 0, N_UPDATES, &got);
      assert_same(&got, &due);
      trainer_close(&f);
    }
  }
}

/* The next update is under way when one is over, but for the last; who plays it has the weights
 * of before this one. */
static void test_the_next_is_under_way(void **state) {
  (void)state;
  trainer_fixture f;
  open_at(&f, 2, variants[0].fields, variants[0].n, true);
  for (int u = 0; u < N_UPDATES; u++) {
    const trainer_hash before = trainer_hash_model(f.t.model);
    const parl_job *due = f.t.updater->next_jobs;
    assert_ok(parl_updater_run(f.t.updater));
    assert_true(f.t.updater->is_ahead == (u + 1 < N_UPDATES));
    if (u > 0) assert_ptr_equal(f.t.updater->jobs, due);
    if (u + 1 < N_UPDATES)
      assert_string_equal(trainer_hash_model(f.t.ring->player).hex, before.hex);
  }
  trainer_close(&f);
}

/* The text of a checkpoint's state and its models, from one to the other. */
static void copy_through_checkpoint(trainer_fixture *from, trainer_fixture *to, int update) {
  char path[PARL_TEST_PATH_BYTES + 32];
  snprintf(path, sizeof path, "%s/c.safetensors", from->folder);
  parl_text state = {0};
  parl_json *tree = NULL;
  parl_json_writer w;
  parl_json_writer_init(&w, &state, false);
  parl_json_begin_object(&w);
  parl_updater_write_state(from->t.updater, &w);
  parl_json_end_object(&w);
  const parl_checkpoint_meta meta = {.kept = from->t.ring->kept, .n_kept = from->t.ring->n + 1};
  assert_ok(parl_checkpoint_save(
      path, from->t.model, parl_learner_get_optimizer(from->t.updater->learner), &meta, NULL));
  assert_ok(parl_checkpoint_load_kept(path, to->t.model,
                                      parl_learner_get_optimizer(to->t.updater->learner),
                                      to->t.ring->kept, to->t.ring->n + 1, NULL, NULL));
  assert_ok(parl_json_parse(parl_text_get(&state), state.n, "state", &tree));
  assert_ok(parl_updater_read_state(to->t.updater, tree));
  to->t.updater->metrics = from->t.updater->metrics;
  to->t.updater->update = update;
  parl_json_destroy(tree);
  parl_text_deinit(&state);
}

/* What plays ahead is no part of a checkpoint: it is played anew, with the policy that is due. */
static void test_a_checkpoint_between(void **state) {
  (void)state;
  for (size_t v = 0; v < N_VARIANTS; v++) {
    trainer_fixture f, other;
    history due, got;
    open_at(&f, 2, variants[v].fields, variants[v].n, true);
    open_at(&other, 2, variants[v].fields, variants[v].n, true);
    run_from(&f, 0, 3, &due);
    got = due;
    copy_through_checkpoint(&f, &other, 3);
    run_from(&f, 3, N_UPDATES, &due);
    run_from(&other, 3, N_UPDATES, &got);
    assert_same(&got, &due);
    trainer_close(&f);
    trainer_close(&other);
  }
}

/* A stop before the first optimizer step of an update leaves all where it was. */
static void test_a_stop_between(void **state) {
  (void)state;
  for (size_t v = 0; v < 3; v++) {
    trainer_fixture f;
    history due, got;
    open_at(&f, 2, variants[v].fields, variants[v].n, false);
    run_from(&f, 0, N_UPDATES, &due);
    trainer_close(&f);
    open_at(&f, 2, variants[v].fields, variants[v].n, true);
    run_from(&f, 0, 4, &got);
    atomic_store(&f.stop, 1);
    const parl_metrics before = f.t.updater->metrics;
    assert_status(parl_updater_run(f.t.updater), PARL_STATUS_ESTOPPED);
    assert_int_equal(f.t.updater->n_steps, 0);
    assert_false(f.t.updater->is_ahead);
    f.t.updater->metrics = before;
    atomic_store(&f.stop, 0);
    run_from(&f, 4, N_UPDATES, &got);
    assert_same(&got, &due);
    trainer_close(&f);
  }
}

/* A script that fails fails the update that it belongs to, not the one that learned meanwhile. */
static void test_a_failure_is_its_updates(void **state) {
  (void)state;
  const char *const fields[] = {"train.staleness=1", "env.file=tests/envs/fragile.lua",
                                "env.params.broken=0.3", "train.tasks=1", "run.seed=1"};
  int64_t update[2];
  char text[2][4096];
  for (int a = 0; a < 2; a++) {
    trainer_fixture f;
    open_at(&f, 2, fields, 5, a == 1);
    parl_status s = PARL_STATUS_OK;
    while (s == PARL_STATUS_OK && f.t.updater->update < N_UPDATES)
      s = parl_updater_run(f.t.updater);
    assert_int_equal(s, PARL_STATUS_ESCRIPT);
    update[a] = f.t.updater->update;
    trainer_close(&f);
    snprintf(text[a], sizeof text[a], "%s", parl_error_text()); /* closing keeps it */
  }
  assert_int_equal(update[0], update[1]);
  assert_in_range(update[0], 1, N_UPDATES - 1);
  assert_string_equal(text[0], text[1]);
  assert_contains(text[0], "this item is broken");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_bits_of_staleness),    cmocka_unit_test(test_the_next_is_under_way),
      cmocka_unit_test(test_a_checkpoint_between),     cmocka_unit_test(test_a_stop_between),
      cmocka_unit_test(test_a_failure_is_its_updates),
  };
  return cmocka_run_group_tests_name("async", tests, NULL, NULL);
}
