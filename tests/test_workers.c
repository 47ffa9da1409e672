/* tests/test_workers.c - every task once, the same results and the same failure for any number of
 * threads. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "core/hash.h"
#include "core/rng.h"
#include "core/workers.h"
#include "tests/support.h"

static const size_t thread_counts[] = {1, 2, 3, 8};
enum { N_COUNTS = sizeof thread_counts / sizeof thread_counts[0], N_TASKS = 97 };

static parl_workers *make(size_t n_threads) {
  parl_workers *w = NULL;
  assert_ok(parl_workers_create(n_threads, &w));
  assert_int_equal(parl_workers_get_count(w), n_threads);
  return w;
}

/* Each task fills its own row; `busy` shows that no two tasks share a worker's scratch at once. */
typedef struct job {
  size_t n_threads;
  double rows[N_TASKS][16];
  atomic_int visits[N_TASKS], busy[8], overlaps;
} job;

static parl_status fill_row(void *context, size_t task, size_t worker) {
  job *j = context;
  if (worker >= j->n_threads) return parl_fail(PARL_STATUS_ESTATE, "worker %zu", worker);
  if (atomic_fetch_add(&j->busy[worker], 1) != 0) atomic_fetch_add(&j->overlaps, 1);
  atomic_fetch_add(&j->visits[task], 1);
  parl_rng_cursor rng = {3, task, 0};
  for (size_t i = 0; i < 16; i++) j->rows[task][i] += parl_rng_next_normal(&rng);
  atomic_fetch_sub(&j->busy[worker], 1);
  return PARL_STATUS_OK;
}

static void test_same_results_for_any_number(void **state) {
  (void)state;
  char due[PARL_HASH_HEX_BYTES] = "", got[PARL_HASH_HEX_BYTES];
  for (size_t c = 0; c < N_COUNTS; c++) {
    parl_workers *w = make(thread_counts[c]);
    job *j = calloc(1, sizeof *j);
    assert_non_null(j);
    j->n_threads = thread_counts[c];
    for (int repeat = 0; repeat < 200; repeat++)
      assert_ok(parl_workers_run(w, N_TASKS, fill_row, j));
    for (size_t i = 0; i < N_TASKS; i++) assert_int_equal(atomic_load(&j->visits[i]), 200);
    assert_int_equal(atomic_load(&j->overlaps), 0);
    parl_hash_bytes(j->rows, sizeof j->rows, got);
    if (c == 0) memcpy(due, got, sizeof due);
    assert_string_equal(got, due);
    free(j);
    parl_workers_destroy(w);
  }
}

static parl_status count_task(void *context, size_t task, size_t worker) {
  (void)task;
  (void)worker;
  atomic_fetch_add((atomic_size_t *)context, 1);
  return PARL_STATUS_OK;
}

static void test_few_tasks(void **state) {
  (void)state;
  for (size_t c = 0; c < N_COUNTS; c++) {
    parl_workers *w = make(thread_counts[c]);
    atomic_size_t n = 0;
    for (size_t n_tasks = 0; n_tasks < 12; n_tasks++) {
      atomic_store(&n, 0);
      assert_ok(parl_workers_run(w, n_tasks, count_task, &n));
      assert_int_equal(atomic_load(&n), n_tasks);
    }
    parl_workers_destroy(w);
  }
}

static void test_many_short_runs(void **state) {
  (void)state;
  parl_workers *w = make(3);
  atomic_size_t n = 0;
  for (size_t i = 0; i < 5000; i++) assert_ok(parl_workers_run(w, i % 5, count_task, &n));
  assert_int_equal(atomic_load(&n), 5000 / 5 * (0 + 1 + 2 + 3 + 4));
  parl_workers_destroy(w);
}

/* Fails from `first` on. */
typedef struct failing {
  size_t first;
  atomic_size_t n_started;
} failing;

static parl_status fail_late(void *context, size_t task, size_t worker) {
  failing *f = context;
  (void)worker;
  atomic_fetch_add(&f->n_started, 1);
  if (task < f->first) return PARL_STATUS_OK;
  return parl_fail(task == f->first ? PARL_STATUS_EIO : PARL_STATUS_ESCRIPT, "task %zu", task);
}

static void test_lowest_failure_is_reported(void **state) {
  (void)state;
  for (size_t c = 0; c < N_COUNTS; c++) {
    parl_workers *w = make(thread_counts[c]);
    for (size_t repeat = 0; repeat < 500; repeat++) {
      failing f = {.first = repeat % 50};
      char due[32];
      snprintf(due, sizeof due, "task %zu", f.first);
      parl_fail(PARL_STATUS_EINVAL, "old text");
      assert_status(parl_workers_run(w, 1000, fail_late, &f), PARL_STATUS_EIO);
      assert_string_equal(parl_error_text(), due);
      /* everything below has started, and beyond it at most what was under way */
      const size_t n = atomic_load(&f.n_started);
      assert_true(n >= f.first + 1 && n <= f.first + thread_counts[c]);
    }
    atomic_size_t n = 0; /* a failure does not stick */
    assert_ok(parl_workers_run(w, 10, count_task, &n));
    assert_int_equal(atomic_load(&n), 10);
    parl_workers_destroy(w);
  }
}

/* Task 5 fails at once and releases task 2, which fails only then: 2 is the answer. */
typedef struct order {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int five_failed;
} order;

static parl_status fail_out_of_order(void *context, size_t task, size_t worker) {
  order *o = context;
  (void)worker;
  parl_status s = PARL_STATUS_OK;
  pthread_mutex_lock(&o->mutex);
  if (task == 5) {
    o->five_failed = 1;
    pthread_cond_broadcast(&o->changed);
    s = parl_fail(PARL_STATUS_ELIMIT, "five");
  }
  while (task == 2 && !o->five_failed) pthread_cond_wait(&o->changed, &o->mutex);
  pthread_mutex_unlock(&o->mutex);
  return task == 2 ? parl_fail(PARL_STATUS_EFORMAT, "two") : s;
}

static void test_a_later_lower_failure_wins(void **state) {
  (void)state;
  parl_workers *w = make(2);
  for (int repeat = 0; repeat < 200; repeat++) {
    order o = {.five_failed = 0};
    pthread_mutex_init(&o.mutex, NULL);
    pthread_cond_init(&o.changed, NULL);
    assert_status(parl_workers_run(w, 20, fail_out_of_order, &o), PARL_STATUS_EFORMAT);
    assert_string_equal(parl_error_text(), "two");
    assert_int_equal(o.five_failed, 1);
    pthread_cond_destroy(&o.changed);
    pthread_mutex_destroy(&o.mutex);
  }
  parl_workers_destroy(w);
}

typedef struct nested {
  parl_workers *workers;
  atomic_size_t n_refused, n_inner;
} nested;

static parl_status run_inside(void *context, size_t task, size_t worker) {
  nested *n = context;
  (void)task;
  (void)worker;
  const parl_status s = parl_workers_run(n->workers, 3, count_task, &n->n_inner);
  if (s == PARL_STATUS_ESTATE) atomic_fetch_add(&n->n_refused, 1);
  return PARL_STATUS_OK;
}

static void test_runs_do_not_nest(void **state) {
  (void)state;
  for (size_t c = 0; c < N_COUNTS; c++) {
    nested n = {.workers = make(thread_counts[c])};
    assert_ok(parl_workers_run(n.workers, 20, run_inside, &n));
    assert_int_equal(atomic_load(&n.n_refused), 20);
    assert_int_equal(atomic_load(&n.n_inner), 0);
    parl_workers_destroy(n.workers);
  }
}

/* Held by the caller: what passes it was not done by him. */
typedef struct gate {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  size_t n_done;
} gate;

static parl_status pass(void *context, size_t task, size_t worker) {
  gate *g = context;
  (void)task;
  (void)worker;
  pthread_mutex_lock(&g->mutex);
  g->n_done++;
  pthread_cond_broadcast(&g->changed);
  pthread_mutex_unlock(&g->mutex);
  return PARL_STATUS_OK;
}

/* From two threads on all tasks, be it one, are done while the caller waits for them only. */
static void test_halves_go_on_without_the_caller(void **state) {
  (void)state;
  for (size_t c = 1; c < N_COUNTS; c++) {
    parl_workers *w = make(thread_counts[c]);
    for (size_t n_tasks = 1; n_tasks < 20; n_tasks += 6) {
      gate g = {.n_done = 0};
      pthread_mutex_init(&g.mutex, NULL);
      pthread_cond_init(&g.changed, NULL);
      assert_ok(parl_workers_begin(w, n_tasks, pass, &g));
      pthread_mutex_lock(&g.mutex);
      while (g.n_done < n_tasks) pthread_cond_wait(&g.changed, &g.mutex);
      pthread_mutex_unlock(&g.mutex);
      assert_ok(parl_workers_end(w));
      assert_int_equal(g.n_done, n_tasks);
      pthread_cond_destroy(&g.changed);
      pthread_mutex_destroy(&g.mutex);
    }
    parl_workers_destroy(w);
  }
}

static void test_halves_are_a_run(void **state) {
  (void)state;
  for (size_t c = 0; c < N_COUNTS; c++) {
    parl_workers *w = make(thread_counts[c]);
    atomic_size_t n = 0;
    assert_status(parl_workers_end(w), PARL_STATUS_ESTATE);
    assert_ok(parl_workers_begin(w, 9, count_task, &n));
    assert_status(parl_workers_begin(w, 1, count_task, &n), PARL_STATUS_ESTATE);
    assert_status(parl_workers_run(w, 1, count_task, &n), PARL_STATUS_ESTATE);
    assert_ok(parl_workers_end(w));
    assert_int_equal(atomic_load(&n), 9);
    failing f = {.first = 3};
    assert_ok(parl_workers_begin(w, 1000, fail_late, &f));
    assert_fails(parl_workers_end(w), PARL_STATUS_EIO, "task 3");
    assert_status(parl_workers_end(w), PARL_STATUS_ESTATE);
    /* Dropped: what has started ends, the rest does not start, and the text stays. */
    parl_fail(PARL_STATUS_EIO, "before");
    assert_ok(parl_workers_begin(w, SIZE_MAX / 4, count_task, &n));
    parl_workers_drop(w);
    assert_string_equal(parl_error_text(), "before");
    atomic_store(&n, 0);
    assert_ok(parl_workers_run(w, 9, count_task, &n));
    assert_int_equal(atomic_load(&n), 9);
    parl_workers_destroy(w);
  }
}

static void test_arguments(void **state) {
  (void)state;
  parl_workers *w = NULL;
  assert_fails(parl_workers_create(0, &w), PARL_STATUS_EINVAL, "n_threads >= 1");
  assert_status(parl_workers_create(SIZE_MAX / 8, &w), PARL_STATUS_ENOMEM);
  assert_null(w);
  w = make(2);
  assert_status(parl_workers_run(w, 1, NULL, NULL), PARL_STATUS_EINVAL);
  assert_status(parl_workers_begin(w, 1, NULL, NULL), PARL_STATUS_EINVAL);
  parl_workers_destroy(w);
  parl_workers_destroy(NULL);
  assert_true(parl_workers_count_processors() >= 1);
}

/* A signal to the process must reach the thread that handles it, not a sleeping helper. */
static parl_status read_mask(void *context, size_t task, size_t worker) {
  sigset_t set;
  (void)task;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  if (worker != 0 && !sigismember(&set, SIGINT)) atomic_store((atomic_int *)context, 1);
  if (worker != 0 && sigismember(&set, SIGSEGV)) atomic_store((atomic_int *)context, 1);
  return PARL_STATUS_OK;
}

static void test_helpers_take_no_signals(void **state) {
  (void)state;
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  parl_workers *w = make(4);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  assert_int_equal(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
  atomic_int wrong = 0;
  for (int i = 0; i < 100; i++) assert_ok(parl_workers_run(w, 50, read_mask, &wrong));
  assert_int_equal(atomic_load(&wrong), 0);
  parl_workers_destroy(w);
}

static void test_create_and_destroy_often(void **state) {
  (void)state;
  for (int i = 0; i < 300; i++) parl_workers_destroy(make((size_t)(i % 5) + 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_results_for_any_number),
      cmocka_unit_test(test_few_tasks),
      cmocka_unit_test(test_many_short_runs),
      cmocka_unit_test(test_lowest_failure_is_reported),
      cmocka_unit_test(test_a_later_lower_failure_wins),
      cmocka_unit_test(test_runs_do_not_nest),
      cmocka_unit_test(test_halves_go_on_without_the_caller),
      cmocka_unit_test(test_halves_are_a_run),
      cmocka_unit_test(test_arguments),
      cmocka_unit_test(test_helpers_take_no_signals),
      cmocka_unit_test(test_create_and_destroy_often),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
