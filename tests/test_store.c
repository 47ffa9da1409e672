/* tests/test_store.c - rows: round trips, deleting, hashing, transactions, visitors. */
#include <unistd.h>

#include "tests/store_support.h"

static parl_episode_row make_episode(int64_t update, int64_t task_seed) {
  return (parl_episode_row){.policy = "trained",
                            .decoding = "greedy",
                            .update = update,
                            .task_seed = task_seed,
                            .rollout = 2,
                            .family = "wide",
                            .facts.r_perf = 0.1,
                            .facts.success = 1,
                            .facts.critical_steps = 11,
                            .facts.total_steps = 12,
                            .facts.optimum_steps = 13,
                            .facts.last_gain_steps = 14,
                            .facts.launches = 15,
                            .facts.assigned = 16,
                            .facts.finished = 17,
                            .facts.max_width = 18,
                            .facts.tokens = 0x1p53,
                            .facts.end = PARL_END_FINISH};
}

static parl_status list_episode(void *context, const parl_episode_row *e) {
  parl_text_appendf(context, "%s %s %lld %lld %lld %s %.17g %g", e->policy, e->decoding,
                    (long long)e->update, (long long)e->task_seed, (long long)e->rollout, e->family,
                    e->facts.r_perf, e->facts.success);
  const double counts[] = {e->facts.critical_steps,  e->facts.total_steps, e->facts.optimum_steps,
                           e->facts.last_gain_steps, e->facts.launches,    e->facts.assigned,
                           e->facts.finished,        e->facts.max_width,   e->facts.tokens};
  for (size_t i = 0; i < 9; i++) parl_text_appendf(context, " %.0f", counts[i]);
  parl_text_appendf(context, " %s;", parl_end_text(e->facts.end));
  return PARL_STATUS_OK;
}

static parl_status list_state(void *context, int64_t run_id, const parl_store_run *r) {
  (void)run_id;
  parl_text_appendf(context, "%s %s %lld [%s]%s;", r->uid, r->status, (long long)r->seed, r->error,
                    r->is_retired ? " retired" : "");
  return PARL_STATUS_OK;
}

static void assert_states(parl_store *s, const char *due) {
  parl_text t = {0};
  assert_ok(parl_store_visit_runs(s, list_state, &t));
  assert_string_equal(parl_text_get(&t), due);
  parl_text_deinit(&t);
}

static void plan(parl_store *s, const char *uid, int64_t seed) {
  parl_store_run run = make_run(uid);
  run.status = "pending";
  run.seed = seed;
  assert_ok(parl_store_plan_run(s, &run));
}

/* From the plan to the end: what is done stays done, what was never begun may be forgotten. */
static void test_states_of_runs(void **state) {
  (void)state;
  int64_t id = 0;
  parl_text error = {0};
  bool is_retired = true;
  parl_store *s = open_with_run(&id);
  plan(s, "u", 9); /* is there */
  plan(s, "v", 9);
  assert_states(s, "u running -3 [];v pending 9 [];");
  assert_ok(parl_store_set_status(s, "u", "failed", "why"));
  assert_ok(parl_store_get_error(s, id, &error));
  assert_string_equal(parl_text_get(&error), "why");
  assert_states(s, "u failed -3 [why];v pending 9 [];");
  const parl_store_run again = make_run("u");
  assert_ok(parl_store_put_run(s, &again, &id));
  assert_states(s, "u running -3 [];v pending 9 [];");
  parl_store_run done = make_run("u");
  done.status = "done";
  assert_ok(parl_store_put_run(s, &done, &id));
  assert_ok(parl_store_set_status(s, "u", "failed", "late"));
  assert_ok(parl_store_delete_pending(s, "base", 9, "v")); /* the plan's own */
  assert_ok(parl_store_delete_pending(s, "other", 9, "w"));
  assert_ok(parl_store_delete_pending(s, "base", 8, "w"));
  assert_ok(parl_store_delete_pending(s, "base", -3, "w")); /* begun */
  assert_ok(parl_store_set_retired(s, id, true));
  assert_states(s, "u done -3 [] retired;v pending 9 [];");
  assert_ok(parl_store_delete_pending(s, "base", 9, "w"));
  assert_ok(parl_store_get_retired(s, id, &is_retired));
  assert_true(is_retired);
  assert_ok(parl_store_set_retired(s, id, false));
  assert_states(s, "u done -3 [];");
  parl_text_deinit(&error);
  assert_ok(parl_store_commit(s));
  parl_store_close(s);
}

static void test_delete_run(void **state) {
  (void)state;
  int64_t id = 0, other = 0;
  parl_store *s = open_with_run(&id);
  const parl_store_run run = make_run("other");
  assert_ok(parl_store_put_run(s, &run, &other));
  for (int i = 0; i < 2; i++) {
    const int64_t at = i == 0 ? id : other;
    const parl_episode_row e = make_episode(1, 1);
    assert_ok(parl_rows_put_metric(s, at, 1, "m", 1));
    assert_ok(parl_rows_put_episode(s, at, &e));
    assert_ok(parl_rows_put_checkpoint(s, at, 1, "p", "s"));
  }
  assert_ok(parl_store_move_checkpoints(s, other, "q"));
  assert_ok(parl_store_delete_run(s, id));
  assert_metrics(s, id, NULL, "");
  assert_metrics(s, other, NULL, "m@1=1;");
  int64_t n = -1;
  assert_ok(parl_store_read_integer(s, "SELECT count(*) FROM episode", &n));
  assert_int_equal(n, 1);
  assert_ok(parl_store_read_integer(s, "SELECT count(*) FROM checkpoint WHERE path='q'", &n));
  assert_int_equal(n, 1);
  assert_ok(parl_store_read_integer(s, "SELECT count(*) FROM checkpoint", &n));
  assert_int_equal(n, 1);
  assert_ok(parl_store_commit(s));
  parl_store_close(s);
}

static parl_status list_checkpoint(void *context, int64_t update, const char *file,
                                   const char *sha256) {
  parl_text_appendf(context, "%lld %s %s;", (long long)update, file, sha256);
  return PARL_STATUS_OK;
}

static void assert_episodes(parl_store *s, int64_t run_id, const char *due) {
  parl_text t = {0};
  assert_ok(parl_rows_visit_episodes(s, run_id, list_episode, &t));
  assert_string_equal(parl_text_get(&t), due);
  parl_text_deinit(&t);
}

static void assert_checkpoints(parl_store *s, int64_t run_id, const char *due) {
  parl_text t = {0};
  assert_ok(parl_rows_visit_checkpoints(s, run_id, list_checkpoint, &t));
  assert_string_equal(parl_text_get(&t), due);
  parl_text_deinit(&t);
}

static void test_runs(void **state) {
  (void)state;
  int64_t id = 0, again = 0, other = 0, found_id = 0;
  int found = 9;
  char status[16] = "x", hash[65] = "x";
  parl_store *s = open_with_run(&id);
  parl_store_run run = make_run("u");
  run.status = "done";
  run.host = "h2";
  run.revision = "r2";
  run.arm = "not changed";
  snprintf(run.hash, sizeof run.hash, "%s", "0123");
  assert_ok(parl_store_put_run(s, &run, &again));
  assert_true(again == id);
  run = make_run("v");
  run.recipe = "early"; /* the visit keeps to the order of putting */
  assert_ok(parl_store_put_run(s, &run, &other));
  assert_true(other != id);
  assert_ok(parl_store_commit(s));
  assert_ok(parl_store_find_run(s, "u", &found, &found_id, status, hash));
  assert_int_equal(found, 1);
  assert_true(found_id == id);
  assert_string_equal(status, "done");
  assert_string_equal(hash, "0123");
  assert_ok(parl_store_find_run(s, "v", &found, NULL, NULL, NULL));
  assert_int_equal(found, 1);
  assert_ok(parl_store_find_run(s, "w", &found, &found_id, status, hash));
  assert_int_equal(found, 0);
  assert_string_equal(status, "done");
  parl_store_close(s);
  s = open_store(); /* it is on the disk */
  parl_text t = {0};
  assert_ok(parl_store_visit_runs(s, list_run, &t));
  assert_string_equal(parl_text_get(&t),
                      "1 u quick base -3 {\"a\":1} done h2 r2 [0123];"
                      "2 v early base -3 {\"a\":1} running {\"cpu\":\"x\"} abc [];");
  parl_text_deinit(&t);
  parl_store_close(s);
}

static void test_metrics(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *s = open_with_run(&id);
  assert_ok(parl_rows_put_metric(s, id, 1, "b", 0.1));
  assert_ok(parl_rows_put_metric(s, id, 0, "b", -1e300));
  assert_ok(parl_rows_put_metric(s, id, 10, "b", 3));
  assert_ok(parl_rows_put_metric(s, id, 0, "a/x", (double)NAN));
  assert_ok(parl_rows_put_metric(s, id, 1, "a/x", (double)INFINITY));
  assert_ok(parl_rows_put_metric(s, id, 2, "a/x", 5e-324));
  assert_ok(parl_rows_put_metric(s, id, 1, "b", 0.2)); /* replaces */
  assert_ok(parl_store_commit(s));
  assert_metrics(s, id, "b", "b@0=-1.0000000000000001e+300;b@1=0.20000000000000001;b@10=3;");
  assert_metrics(s, id, NULL,
                 "a/x@0=nan;a/x@1=inf;a/x@2=4.9406564584124654e-324;"
                 "b@0=-1.0000000000000001e+300;b@1=0.20000000000000001;b@10=3;");
  assert_metrics(s, id, "absent", "");
  assert_metrics(s, id + 1, NULL, "");
  int64_t n_null = 0;
  assert_ok(parl_store_read_integer(s, "SELECT count(*) FROM metric WHERE value IS NULL", &n_null));
  assert_true(n_null == 1); /* the NaN */
  parl_store_close(s);
}

#define COUNTS "11 12 13 14 15 16 17 18 9007199254740992"

static void test_episodes(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *s = open_with_run(&id);
  parl_episode_row e = make_episode(7, 100);
  assert_ok(parl_rows_put_episode(s, id, &e));
  e.facts.end = PARL_END_BUDGET;
  assert_ok(parl_rows_put_episode(s, id, &e)); /* replaces */
  e = make_episode(7, 99);
  e.facts.r_perf = (double)NAN;
  assert_ok(parl_rows_put_episode(s, id, &e));
  e.decoding = "sampled";
  e.family = "";
  assert_ok(parl_rows_put_episode(s, id, &e));
  e.policy = "oracle";
  assert_ok(parl_rows_put_episode(s, id, &e));
  assert_ok(parl_store_commit(s));
  assert_episodes(s, id,
                  "oracle sampled 7 99 2  nan 1 " COUNTS
                  " finish;"
                  "trained greedy 7 99 2 wide nan 1 " COUNTS
                  " finish;"
                  "trained greedy 7 100 2 wide 0.10000000000000001 1 " COUNTS
                  " budget;"
                  "trained sampled 7 99 2  nan 1 " COUNTS " finish;");
  parl_store_close(s);
}

static void test_checkpoints(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *s = open_with_run(&id);
  assert_ok(parl_rows_put_checkpoint(s, id, 20, "b", "22"));
  assert_ok(parl_rows_put_checkpoint(s, id, 10, "a", "11"));
  assert_ok(parl_rows_put_checkpoint(s, id, 20, "c", "33"));
  assert_ok(parl_store_commit(s));
  assert_checkpoints(s, id, "10 a 11;20 c 33;");
  parl_store_close(s);
}

static void test_delete_after(void **state) {
  (void)state;
  int64_t id = 0, other = 0;
  parl_store *s = open_with_run(&id);
  const parl_store_run run = make_run("other");
  assert_ok(parl_store_put_run(s, &run, &other));
  for (int64_t update = 0; update < 4; update++) {
    parl_episode_row e = make_episode(update, 1);
    e.rollout = 0;
    assert_ok(parl_rows_put_metric(s, id, update, "m", (double)update));
    assert_ok(parl_rows_put_metric(s, other, update, "m", 9));
    assert_ok(parl_rows_put_episode(s, id, &e));
    assert_ok(parl_rows_put_episode(s, other, &e));
    assert_ok(parl_rows_put_checkpoint(s, id, update, "p", "s"));
    assert_ok(parl_rows_put_checkpoint(s, other, update, "p", "s"));
  }
  assert_ok(parl_store_delete_after(s, id, 1));
  assert_metrics(s, id, NULL, "m@0=0;m@1=1;");
  assert_checkpoints(s, id, "0 p s;1 p s;");
  assert_episodes(s, id,
                  "trained greedy 0 1 0 wide 0.10000000000000001 1 " COUNTS
                  " finish;"
                  "trained greedy 1 1 0 wide 0.10000000000000001 1 " COUNTS " finish;");
  assert_ok(parl_store_delete_after(s, id, -1));
  assert_metrics(s, id, NULL, "");
  assert_checkpoints(s, id, "");
  assert_episodes(s, id, "");
  assert_metrics(s, other, NULL, "m@0=9;m@1=9;m@2=9;m@3=9;"); /* the neighbour is whole */
  assert_checkpoints(s, other, "0 p s;1 p s;2 p s;3 p s;");
  assert_ok(parl_store_commit(s));
  parl_store_close(s);
}

static void get_hash(parl_store *s, int64_t run_id, char out[65]) {
  parl_hash h;
  parl_hash_init(&h);
  assert_ok(parl_rows_hash_run(s, run_id, &h));
  parl_hash_finish(&h, out);
}

/* Puts the same rows first to last or last to first, with other times. */
static int64_t put_rows(parl_store *s, const char *uid, bool backwards, double time) {
  static const char *const keys[] = {"a", "a/b", "reward/total", "tim", "time/", "time/update"};
  const parl_store_run run = make_run(uid);
  int64_t id = 0;
  assert_ok(parl_store_put_run(s, &run, &id));
  for (int i = 0; i < 36; i++) {
    const int k = backwards ? 35 - i : i;
    const char *key = keys[k % 6];
    const bool is_time = k % 6 >= 4;
    const double value = k == 6 ? (double)NAN : 0.1 * k;
    assert_ok(parl_rows_put_metric(s, id, k / 6, key, is_time ? time : value));
    const parl_episode_row e = make_episode(k / 6, k);
    assert_ok(parl_rows_put_episode(s, id, &e));
  }
  return id;
}

static void test_hash_ignores_order_and_time(void **state) {
  (void)state;
  char first[65], second[65], third[65];
  parl_store *s = open_store();
  assert_ok(parl_store_begin(s));
  const int64_t a = put_rows(s, "a", false, 1), b = put_rows(s, "b", true, 2);
  assert_ok(parl_store_commit(s));
  get_hash(s, a, first);
  get_hash(s, b, second);
  assert_string_equal(first, second);
  assert_int_equal(strlen(first), 64);
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_metric(s, b, 100, "time/late", 5));
  get_hash(s, b, third);
  assert_string_equal(third, first);
  parl_store_rollback(s);
  parl_store_close(s);
  assert_int_equal(unlink(path), 0); /* and in another file, after other runs */
  s = open_store();
  assert_ok(parl_store_begin(s));
  put_rows(s, "z", true, 3);
  const int64_t c = put_rows(s, "c", true, 4);
  assert_ok(parl_store_commit(s));
  get_hash(s, c, third);
  assert_string_equal(third, first);
  parl_store_close(s);
}

/* "time" alone is no group of timings. */
static const char *change_key(int change) {
  return change == 20 ? "l" : change == 22 ? "time" : change == 23 ? "timely/k" : "k";
}

/* Every field of every row counts. */
static void test_hash_sees_every_change(void **state) {
  (void)state;
  enum { N_CHANGES = 24 };
  char hashes[N_CHANGES][65];
  for (int change = 0; change < N_CHANGES; change++) {
    int64_t id = 0;
    assert_int_equal(unlink(path) == 0 || change == 0, 1);
    parl_store *s = open_with_run(&id);
    parl_episode_row e = make_episode(1, 1);
    int64_t *const names[] = {&e.update, &e.task_seed, &e.rollout};
    double *const counts[] = {
        &e.facts.critical_steps,  &e.facts.total_steps, &e.facts.optimum_steps,
        &e.facts.last_gain_steps, &e.facts.launches,    &e.facts.assigned,
        &e.facts.finished,        &e.facts.max_width,   &e.facts.tokens};
    if (change >= 1 && change <= 3) (*names[change - 1])--;
    if (change >= 4 && change <= 12) (*counts[change - 4])--;
    if (change == 13) e.policy = "serial";
    if (change == 14) e.decoding = "sampled";
    if (change == 15) e.family = "deep";
    if (change == 16) e.facts.end = PARL_END_ERROR;
    if (change == 17) e.facts.r_perf += 1e-16;
    if (change == 18) e.facts.success = (double)NAN;
    assert_ok(parl_rows_put_episode(s, id, &e));
    assert_ok(parl_rows_put_metric(s, id, change == 19 ? 1 : 0, change_key(change),
                                   change == 21 ? 0.5000000000000001 : 0.5));
    assert_ok(parl_store_commit(s));
    get_hash(s, id, hashes[change]);
    parl_store_close(s);
    for (int i = 0; i < change; i++) assert_string_not_equal(hashes[i], hashes[change]);
  }
}

static void test_transactions(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *s = open_with_run(&id);
  assert_fails(parl_store_begin(s), PARL_STATUS_ESTATE, "open already");
  assert_ok(parl_store_commit(s));
  assert_fails(parl_store_commit(s), PARL_STATUS_ESTATE, "no transaction is open");
  parl_store_rollback(s); /* a no-op */
  const parl_store_run run = make_run("x");
  const parl_episode_row e = make_episode(0, 0);
  int64_t other = 77;
  assert_fails(parl_store_put_run(s, &run, &other), PARL_STATUS_ESTATE, "between begin and commit");
  assert_status(parl_rows_put_metric(s, id, 0, "k", 1), PARL_STATUS_ESTATE);
  assert_status(parl_rows_put_episode(s, id, &e), PARL_STATUS_ESTATE);
  assert_status(parl_rows_put_checkpoint(s, id, 0, "p", "s"), PARL_STATUS_ESTATE);
  assert_status(parl_store_delete_after(s, id, 0), PARL_STATUS_ESTATE);
  assert_true(other == 77);
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_metric(s, id, 0, "k", 1));
  parl_store_rollback(s);
  assert_metrics(s, id, NULL, "");
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_metric(s, id, 0, "k", 2));
  parl_store_close(s); /* without commit: gone */
  s = open_store();
  assert_metrics(s, id, NULL, "");
  parl_store_close(s);
  parl_store_close(NULL);
}

static void test_arguments(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *s = NULL;
  assert_status(parl_rows_open("", &s), PARL_STATUS_EINVAL);
  assert_status(parl_rows_open_readonly(NULL, &s), PARL_STATUS_EINVAL);
  s = open_with_run(&id);
  parl_store_run run = make_run("");
  assert_status(parl_store_put_run(s, &run, &id), PARL_STATUS_EINVAL);
  run = make_run("x");
  run.status = "longer than fifteen";
  assert_status(parl_store_put_run(s, &run, &id), PARL_STATUS_EINVAL);
  run.status = NULL;
  assert_status(parl_store_put_run(s, &run, &id), PARL_STATUS_EINVAL);
  assert_status(parl_rows_put_metric(s, id, -1, "k", 1), PARL_STATUS_EINVAL);
  assert_status(parl_rows_put_metric(s, id, 0, NULL, 1), PARL_STATUS_EINVAL);
  parl_episode_row e = make_episode(0, 0);
  e.family = NULL;
  assert_status(parl_rows_put_episode(s, id, &e), PARL_STATUS_EINVAL);
  assert_fails(parl_rows_put_metric(s, 999, 0, "k", 1), PARL_STATUS_ESTORE, "FOREIGN KEY");
  assert_contains(parl_error_text(), path);
  assert_ok(parl_rows_put_metric(s, id, 0, "k", 1)); /* a refused row leaves the rest usable */
  assert_ok(parl_store_commit(s));
  assert_metrics(s, id, NULL, "k@0=1;");
  parl_store_close(s);
}

static parl_status stop_at_second(void *context, int64_t update, const char *key, double value) {
  (void)key;
  (void)value;
  ++*(int *)context;
  return update == 1 ? parl_fail(PARL_STATUS_ESTOPPED, "enough") : PARL_STATUS_OK;
}

static parl_status visit_inside(void *context, int64_t run_id, const parl_store_run *run) {
  parl_text t = {0};
  (void)run;
  assert_ok(parl_rows_visit_metrics(context, run_id, NULL, list_metric, &t));
  assert_string_equal(parl_text_get(&t), "k@0=0;k@1=0;k@2=0;");
  parl_text_deinit(&t);
  return PARL_STATUS_OK;
}

static void test_visitors(void **state) {
  (void)state;
  int64_t id = 0;
  int n = 0;
  parl_store *s = open_with_run(&id);
  for (int64_t update = 0; update < 3; update++)
    assert_ok(parl_rows_put_metric(s, id, update, "k", 0));
  assert_ok(parl_store_commit(s));
  assert_status(parl_rows_visit_metrics(s, id, NULL, stop_at_second, &n), PARL_STATUS_ESTOPPED);
  assert_string_equal(parl_error_text(), "enough");
  assert_int_equal(n, 2);
  assert_ok(parl_store_visit_runs(s, visit_inside, s));
  assert_ok(parl_store_begin(s)); /* the broken-off visit holds no lock */
  assert_ok(parl_store_commit(s));
  parl_store_close(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_runs),
      TEST(test_metrics),
      TEST(test_episodes),
      TEST(test_checkpoints),
      TEST(test_delete_after),
      TEST(test_states_of_runs),
      TEST(test_delete_run),
      TEST(test_hash_ignores_order_and_time),
      TEST(test_hash_sees_every_change),
      TEST(test_transactions),
      TEST(test_arguments),
      TEST(test_visitors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
