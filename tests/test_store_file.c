/* tests/test_store_file.c - the database as a file: refused untouched, shared, locked, on full
 * disks, after a crash. */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store_support.h"

/* The bytes of the test's file; the caller frees. */
static char *read_file(size_t *n) {
  char *bytes = NULL;
  assert_ok(parl_file_read(path, 1 << 24, &bytes, n));
  return bytes;
}

/* Neither way of opening takes the file, nor leaves a trace on it or beside it. */
static void assert_refused_untouched(const char *why) {
  size_t n = 0, n_after = 0;
  char *before = read_file(&n);
  struct stat st, st_after;
  assert_int_equal(stat(path, &st), 0);
  parl_store *s = NULL;
  assert_fails(parl_rows_open(path, &s), PARL_STATUS_EFORMAT, why);
  assert_contains(parl_error_text(), path);
  assert_fails(parl_rows_open_readonly(path, &s), PARL_STATUS_EFORMAT, why);
  assert_null(s);
  char *after = read_file(&n_after);
  assert_int_equal(n, n_after);
  assert_memory_equal(before, after, n);
  assert_int_equal(stat(path, &st_after), 0);
  assert_memory_equal(&st.st_mtim, &st_after.st_mtim, sizeof st.st_mtim);
  static const char *const beside[] = {"-wal", "-shm", "-journal"};
  for (size_t i = 0; i < 3; i++) {
    char name[3 * PARL_TEST_PATH_BYTES];
    snprintf(name, sizeof name, "%s%s", path, beside[i]);
    assert_false(parl_file_exists(name));
  }
  free(before);
  free(after);
}

static void run_sql(const char *sql) {
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_foreign_files_are_refused(void **state) {
  (void)state;
  run_sql("CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)");
  assert_refused_untouched("not one of parl's runs");
  run_sql("PRAGMA user_version=1");
  assert_refused_untouched("not one of parl's runs");
  assert_int_equal(unlink(path), 0);
  run_sql("PRAGMA application_id=5");
  assert_refused_untouched("not one of parl's runs");
  assert_ok(parl_file_write(path, "hello", 5));
  assert_refused_untouched("not a database");
  char text[5000];
  memset(text, 'x', sizeof text);
  assert_ok(parl_file_write(path, text, sizeof text));
  assert_refused_untouched("not a database");
}

static void test_other_schemas_are_refused(void **state) {
  (void)state;
  parl_store_close(open_store());
  /* back to a rollback journal, or the test's own change would leave a WAL */
  run_sql("PRAGMA journal_mode=DELETE; PRAGMA user_version=1000000");
  assert_refused_untouched("a newer parl wrote it: it has schema version 1000000");
  run_sql("PRAGMA user_version=0");
  assert_refused_untouched("has schema version 0, the first was 1");
  run_sql("PRAGMA user_version=-1");
  assert_refused_untouched("has schema version -1");
}

static void test_empty_file_becomes_a_store(void **state) {
  (void)state;
  assert_ok(parl_file_write(path, "", 0));
  parl_store *s = NULL;
  assert_fails(parl_rows_open_readonly(path, &s), PARL_STATUS_EFORMAT, "is empty");
  int64_t id = 0;
  s = open_with_run(&id);
  assert_ok(parl_store_commit(s));
  int64_t application = 0, version = 0;
  assert_ok(parl_store_read_integer(s, "PRAGMA application_id", &application));
  assert_ok(parl_store_read_integer(s, "PRAGMA user_version", &version));
  assert_true(application == 0x7061726C && version == parl_store_get_schema());
  parl_store_close(s);
}

static void test_missing(void **state) {
  (void)state;
  parl_store *s = NULL;
  assert_fails(parl_rows_open_readonly(path, &s), PARL_STATUS_EIO, "No such file");
  assert_false(parl_file_exists(path));
  assert_fails(parl_rows_open("/nonexistent/store.db", &s), PARL_STATUS_EIO,
               "/nonexistent/store.db: cannot open");
  assert_fails(parl_rows_open(folder, &s), PARL_STATUS_EIO, "cannot open");
}

static void test_damaged(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *s = open_with_run(&id);
  assert_ok(parl_rows_put_metric(s, id, 0, "k", 1));
  assert_ok(parl_store_commit(s));
  parl_store_close(s);
  size_t n = 0;
  char *bytes = read_file(&n);
  assert_true(n > 8192);
  memset(bytes + 4096, 0xA5, n - 4096); /* every page but the first */
  assert_ok(parl_file_write(path, bytes, n));
  free(bytes);
  parl_text t = {0};
  assert_ok(parl_rows_open_readonly(path, &s));
  assert_fails(parl_store_visit_runs(s, list_run, &t), PARL_STATUS_EFORMAT, "malformed");
  assert_contains(parl_error_text(), path);
  parl_text_deinit(&t);
  parl_store_close(s);
}

static void test_readonly(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *s = open_with_run(&id), *reader = NULL;
  assert_ok(parl_rows_put_metric(s, id, 0, "k", 1));
  assert_ok(parl_store_commit(s));
  assert_ok(parl_rows_open_readonly(path, &reader)); /* beside a writer */
  assert_metrics(reader, id, NULL, "k@0=1;");
  assert_fails(parl_store_begin(reader), PARL_STATUS_ESTATE, "opened for reading");
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_metric(s, id, 1, "k", 2));
  assert_metrics(reader, id, NULL, "k@0=1;"); /* not before the commit */
  assert_ok(parl_store_commit(s));
  assert_metrics(reader, id, NULL, "k@0=1;k@1=2;");
  parl_store_close(reader);
  parl_store_close(s);
  assert_ok(parl_rows_open_readonly(path, &reader)); /* after the last writer */
  assert_metrics(reader, id, NULL, "k@0=1;k@1=2;");
  parl_store_close(reader);
}

/* In a child that cannot write the folder (root gives its rights up): 0 if the metric is read. */
static int read_in_child(int64_t id) {
  if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 2;
  parl_store *s = NULL;
  if (access(folder, W_OK) == 0) return 3;
  if (parl_rows_open_readonly(path, &s) != PARL_STATUS_OK) {
    fprintf(stderr, "%s\n", parl_error_text());
    return 4;
  }
  parl_text t = {0};
  const parl_status status = parl_rows_visit_metrics(s, id, NULL, list_metric, &t);
  const int same = strcmp(parl_text_get(&t), "k@0=1;") == 0;
  parl_text_deinit(&t);
  parl_store_close(s);
  return status == PARL_STATUS_OK && same ? 0 : 5;
}

static void test_readonly_folder(void **state) {
  (void)state;
  assert_ok(parl_file_join(path, sizeof path, folder, "what? 100%41#.db"));
  int64_t id = 0;
  parl_store *s = open_with_run(&id);
  assert_ok(parl_rows_put_metric(s, id, 0, "k", 1));
  assert_ok(parl_store_commit(s));
  parl_store_close(s);
  assert_int_equal(chmod(path, 0444), 0);
  assert_int_equal(chmod(folder, 0555), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(read_in_child(id));
  int wait_status = 0;
  assert_int_equal(waitpid(child, &wait_status, 0), child);
  assert_int_equal(chmod(folder, 0755), 0);
  assert_true(WIFEXITED(wait_status));
  if (WEXITSTATUS(wait_status) == 2) skip();
  assert_int_equal(WEXITSTATUS(wait_status), 0);
}

/* 0 if every way of not being allowed is said so. */
static int write_in_child(void) {
  if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 2;
  parl_store *s = NULL;
  char fresh[3 * PARL_TEST_PATH_BYTES];
  snprintf(fresh, sizeof fresh, "%s/new.db", folder);
  const char *const paths[] = {path, fresh};
  for (size_t i = 0; i < 2; i++) {
    if (parl_rows_open(paths[i], &s) != PARL_STATUS_EIO) return 3;
    if (strstr(parl_error_text(), "permission denied") == NULL ||
        strstr(parl_error_text(), paths[i]) == NULL) {
      fprintf(stderr, "%s\n", parl_error_text());
      return 4;
    }
  }
  return 0;
}

static void test_permission_is_said(void **state) {
  (void)state;
  parl_store_close(open_store());
  for (int is_file_writable = 0; is_file_writable < 2; is_file_writable++) {
    assert_int_equal(chmod(path, is_file_writable ? 0666 : 0444), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(write_in_child());
    int wait_status = 0;
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_true(WIFEXITED(wait_status));
    if (WEXITSTATUS(wait_status) == 2) skip();
    assert_int_equal(WEXITSTATUS(wait_status), 0);
  }
}

static void test_journals(void **state) {
  (void)state;
  char wal[3 * PARL_TEST_PATH_BYTES];
  snprintf(wal, sizeof wal, "%s-wal", path);
  for (int is_network = 0; is_network < 2; is_network++) {
    parl_store *s = NULL;
    assert_ok(parl_store_open_journal(path, is_network, &s)); /* the second changes the first's */
    assert_ok(parl_rows_use(s));
    const parl_store_run run = make_run("u");
    int64_t id = 0;
    assert_ok(parl_store_begin(s));
    assert_ok(parl_store_put_run(s, &run, &id));
    assert_ok(parl_rows_put_metric(s, id, is_network, "k", 1));
    assert_ok(parl_store_commit(s));
    assert_int_equal(parl_file_exists(wal), !is_network);
    assert_metrics(s, id, NULL, is_network ? "k@0=1;k@1=1;" : "k@0=1;");
    parl_store_close(s);
  }
  assert_true(parl_store_is_network(0x6969) && parl_store_is_network(0x0BD00BD0));
  assert_true(parl_store_is_network(0x47504653) && parl_store_is_network((long)0xFF534D42));
  assert_true(parl_store_is_network((long)(int32_t)0xFF534D42)); /* f_type may be sign-extended */
  assert_false(parl_store_is_network(0xEF53));                   /* ext4 */
  assert_false(parl_store_is_network(0x58465342));               /* XFS */
  assert_false(parl_store_is_network(0x01021994));               /* tmpfs */
  assert_false(parl_store_is_network(0x794C7630));               /* overlayfs */
}

enum { N_THREADS = 4, N_ROUNDS = 50 };

typedef struct writer {
  int number;
  parl_status status;
  char text[512];
} writer;

static parl_status write_rounds(int number) {
  parl_store *s = NULL;
  PARL_TRY(parl_rows_open(path, &s)); /* all at once, on a file that is not there yet */
  parl_status status = PARL_STATUS_OK;
  for (int i = 0; i < N_ROUNDS && status == PARL_STATUS_OK; i++) {
    const parl_store_run run = make_run("shared");
    int64_t id = 0;
    status = parl_store_begin(s);
    if (status == PARL_STATUS_OK) status = parl_store_put_run(s, &run, &id);
    if (status == PARL_STATUS_OK)
      status = parl_rows_put_metric(s, id, i, number % 2 ? "odd" : "even", number);
    if (status == PARL_STATUS_OK)
      status = parl_rows_put_metric(s, id, number * N_ROUNDS + i, "all", i);
    if (status == PARL_STATUS_OK) status = parl_store_commit(s);
  }
  parl_store_close(s);
  return status;
}

static void *writer_main(void *argument) {
  writer *w = argument;
  w->status = write_rounds(w->number);
  snprintf(w->text, sizeof w->text, "%s", parl_error_text());
  return NULL;
}

static void test_threads_share_a_file(void **state) {
  (void)state;
  pthread_t threads[N_THREADS];
  writer writers[N_THREADS];
  for (int i = 0; i < N_THREADS; i++) {
    writers[i] = (writer){.number = i};
    assert_int_equal(pthread_create(&threads[i], NULL, writer_main, &writers[i]), 0);
  }
  for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (int i = 0; i < N_THREADS; i++) {
    if (writers[i].status != PARL_STATUS_OK) print_error("%s\n", writers[i].text);
    assert_int_equal(writers[i].status, PARL_STATUS_OK);
  }
  parl_store *s = open_store();
  int64_t n_runs = 0, n_all = 0, n_odd = 0;
  assert_ok(parl_store_read_integer(s, "SELECT count(*) FROM run", &n_runs));
  assert_ok(parl_store_read_integer(s, "SELECT count(*) FROM metric WHERE key='all'", &n_all));
  assert_ok(parl_store_read_integer(s, "SELECT count(*) FROM metric WHERE key='odd'", &n_odd));
  assert_true(n_runs == 1);
  assert_true(n_all == N_THREADS * N_ROUNDS);
  assert_true(n_odd == N_ROUNDS);
  parl_store_close(s);
}

static void test_processes_share_a_file(void **state) {
  (void)state;
  pid_t children[N_THREADS];
  for (int i = 0; i < N_THREADS; i++) {
    children[i] = fork();
    assert_true(children[i] >= 0);
    if (children[i] == 0) _exit((int)write_rounds(i));
  }
  for (int i = 0; i < N_THREADS; i++) {
    int wait_status = 0;
    assert_int_equal(waitpid(children[i], &wait_status, 0), children[i]);
    assert_true(WIFEXITED(wait_status));
    assert_string_equal(parl_status_name((parl_status)WEXITSTATUS(wait_status)), "OK");
  }
  parl_store *s = open_store();
  int64_t n_all = 0;
  assert_ok(parl_store_read_integer(s, "SELECT count(*) FROM metric WHERE key='all'", &n_all));
  assert_true(n_all == N_THREADS * N_ROUNDS);
  parl_store_close(s);
}

/* SQLite answers "busy" at once to some of those who set the journal of a new file together. */
static void test_many_open_a_new_file_at_once(void **state) {
  (void)state;
  enum { N_FILES = 60, N_CHILDREN = 8 };
  for (int file = 0; file < N_FILES; file++) {
    char name[32];
    snprintf(name, sizeof name, "new%d.db", file);
    assert_ok(parl_file_join(path, sizeof path, folder, name));
    pid_t children[N_CHILDREN];
    for (int i = 0; i < N_CHILDREN; i++) {
      children[i] = fork();
      assert_true(children[i] >= 0);
      parl_store *s = NULL;
      if (children[i] == 0) _exit((int)parl_rows_open(path, &s));
    }
    for (int i = 0; i < N_CHILDREN; i++) {
      int wait_status = 0;
      assert_int_equal(waitpid(children[i], &wait_status, 0), children[i]);
      assert_true(WIFEXITED(wait_status));
      assert_string_equal(parl_status_name((parl_status)WEXITSTATUS(wait_status)), "OK");
    }
  }
}

static void test_locked(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *holder = open_with_run(&id), *other = NULL;
  assert_ok(parl_rows_open(path, &other)); /* opening waits for no writer */
  sqlite3_busy_timeout(other->db, 50);     /* the test has no 10 s */
  assert_fails(parl_store_begin(other), PARL_STATUS_ESTORE, "cannot begin: database is locked");
  assert_ok(parl_store_commit(holder));
  assert_ok(parl_store_begin(other));
  assert_ok(parl_rows_put_metric(other, id, 0, "k", 1));
  assert_ok(parl_store_commit(other));
  parl_store_close(other);
  parl_store_close(holder);
}

/* Puts rows until one fails or `n` are in. */
static parl_status put_many(parl_store *s, int64_t id, int64_t n) {
  PARL_TRY(parl_store_begin(s));
  for (int64_t i = 0; i < n; i++) PARL_TRY(parl_rows_put_metric(s, id, i, "reward/total", 0.5));
  return parl_store_commit(s);
}

static void test_full_database(void **state) {
  (void)state;
  int64_t id = 0;
  parl_store *s = open_with_run(&id);
  assert_ok(parl_rows_put_metric(s, id, 0, "before", 1));
  assert_ok(parl_store_commit(s));
  assert_ok(parl_store_run_sql(s, "PRAGMA max_page_count=20", "test"));
  assert_fails(put_many(s, id, 100000), PARL_STATUS_EIO, "disk is full");
  assert_contains(parl_error_text(), path);
  parl_store_rollback(s);
  assert_metrics(s, id, NULL, "before@0=1;");
  assert_ok(parl_store_run_sql(s, "PRAGMA max_page_count=100000", "test"));
  assert_ok(put_many(s, id, 1000)); /* with room again, the same connection goes on */
  parl_store_close(s);
}

static void test_full_disk(void **state) {
  (void)state;
  int64_t id = 0;
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old, now;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  for (int is_network = 0; is_network < 2; is_network++) {
    parl_store *s = NULL;
    const parl_store_run run = make_run("u");
    assert_ok(parl_store_open_journal(path, is_network, &s));
    assert_ok(parl_rows_use(s));
    assert_ok(parl_store_begin(s));
    assert_ok(parl_store_put_run(s, &run, &id));
    assert_ok(parl_rows_put_metric(s, id, 0, "before", 1));
    assert_ok(parl_store_commit(s));
    now = old;
    now.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    const parl_status status = put_many(s, id, 50000);
    parl_store_rollback(s);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_status(status, PARL_STATUS_EIO);
    assert_contains(parl_error_text(), path);
    assert_metrics(s, id, NULL, "before@0=1;");
    parl_store_close(s);
    s = open_store();
    assert_metrics(s, id, NULL, "before@0=1;");
    parl_store_close(s);
  }
}

static void test_create_on_a_full_disk(void **state) {
  (void)state;
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old, now;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  now = old;
  now.rlim_cur = 3000;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
  parl_store *s = NULL;
  const parl_status status = parl_rows_open(path, &s);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_status(status, PARL_STATUS_EIO);
  assert_null(s);
  parl_store_close(open_store()); /* what is left does not stand in the way */
}

/* Killed in the middle of a transaction, the file is as after the last commit. */
static void test_killed_writer(void **state) {
  (void)state;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    parl_store *s = NULL;
    const parl_store_run run = make_run("u");
    int64_t id = 0;
    if (parl_rows_open(path, &s) != PARL_STATUS_OK || parl_store_begin(s) != PARL_STATUS_OK ||
        parl_store_put_run(s, &run, &id) != PARL_STATUS_OK ||
        parl_rows_put_metric(s, id, 0, "k", 1) != PARL_STATUS_OK ||
        parl_store_commit(s) != PARL_STATUS_OK || parl_store_begin(s) != PARL_STATUS_OK ||
        parl_rows_put_metric(s, id, 1, "k", 2) != PARL_STATUS_OK)
      _exit(1);
    raise(SIGKILL);
  }
  int wait_status = 0;
  assert_int_equal(waitpid(child, &wait_status, 0), child);
  assert_true(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL);
  parl_store *s = NULL;
  assert_ok(parl_rows_open_readonly(path, &s));
  assert_metrics(s, 1, NULL, "k@0=1;");
  parl_store_close(s);
  s = open_store();
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_metric(s, 1, 1, "k", 3));
  assert_ok(parl_store_commit(s));
  assert_metrics(s, 1, NULL, "k@0=1;k@1=3;");
  parl_store_close(s);
}

int main(void) {
  /* Hundreds of files are created; in memory nothing waits for a disk. */
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      TEST(test_foreign_files_are_refused),
      TEST(test_other_schemas_are_refused),
      TEST(test_empty_file_becomes_a_store),
      TEST(test_missing),
      TEST(test_damaged),
      TEST(test_readonly),
      TEST(test_readonly_folder),
      TEST(test_permission_is_said),
      TEST(test_journals),
      TEST(test_threads_share_a_file),
      TEST(test_processes_share_a_file),
      TEST(test_many_open_a_new_file_at_once),
      TEST(test_locked),
      TEST(test_full_database),
      TEST(test_full_disk),
      TEST(test_create_on_a_full_disk),
      TEST(test_killed_writer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
