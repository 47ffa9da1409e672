/* tests/test_file.c - a failing write leaves the old file and nothing else. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/file_internal.h"
#include "tests/support.h"

static char folder[PARL_TEST_PATH_BYTES];

static int make_folder(void **state) {
  (void)state;
  parl_test_temp_folder(folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  parl_test_remove_folder(folder);
  return 0;
}

static const char *path_of(const char *name) {
  static char path[2 * PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, folder, name));
  return path;
}

static size_t count_files(void) {
  size_t n = 0;
  DIR *d = opendir(folder);
  assert_non_null(d);
  while (readdir(d) != NULL) n++;
  closedir(d);
  return n - 2;
}

static void assert_holds(const char *path, const char *due, size_t n_due) {
  char *bytes = NULL;
  size_t n = 0;
  assert_ok(parl_file_read(path, 1 << 20, &bytes, &n));
  assert_int_equal(n, n_due);
  assert_memory_equal(bytes, due, n);
  assert_int_equal(bytes[n], '\0');
  free(bytes);
}

static void test_write_and_read(void **state) {
  (void)state;
  assert_false(parl_file_exists(path_of("a")));
  assert_ok(parl_file_write(path_of("a"), "one\0two", 7));
  assert_true(parl_file_exists(path_of("a")));
  assert_holds(path_of("a"), "one\0two", 7);
  assert_ok(parl_file_write(path_of("a"), "x", 1));
  assert_holds(path_of("a"), "x", 1);
  assert_ok(parl_file_write(path_of("a"), NULL, 0));
  assert_holds(path_of("a"), "", 0);
  assert_int_equal(count_files(), 1);
}

static void test_append(void **state) {
  (void)state;
  assert_fails(parl_file_append(path_of("grows"), "x", 1), PARL_STATUS_EIO,
               "grows: cannot open: No such");
  assert_fails(parl_file_sync(path_of("grows")), PARL_STATUS_EIO, "grows: cannot open: No such");
  assert_ok(parl_file_write(path_of("grows"), "one", 3));
  assert_ok(parl_file_append(path_of("grows"), "\0two", 4));
  assert_ok(parl_file_append(path_of("grows"), NULL, 0));
  assert_holds(path_of("grows"), "one\0two", 7);
  assert_ok(parl_file_sync(path_of("grows")));
  assert_fails(parl_file_append("/dev/null", "x", 1), PARL_STATUS_EIO, "/dev/null: ");
}

static void test_relative_path(void **state) {
  (void)state;
  char before[PARL_TEST_PATH_BYTES];
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(folder), 0);
  assert_ok(parl_file_write("plain", "p", 1));
  assert_holds("plain", "p", 1);
  assert_int_equal(chdir(before), 0);
  assert_holds(path_of("plain"), "p", 1);
}

static void test_read_refuses(void **state) {
  (void)state;
  char mark, *bytes = &mark;
  size_t n = 77;
  assert_fails(parl_file_read(path_of("absent"), 10, &bytes, &n), PARL_STATUS_EIO,
               "absent: cannot open: No such");
  assert_fails(parl_file_read(folder, 10, &bytes, &n), PARL_STATUS_EIO, "no regular file");
  assert_status(parl_file_read("/dev/zero", 10, &bytes, &n), PARL_STATUS_EIO);
  assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
  assert_fails(parl_file_read(path_of("fifo"), 10, &bytes, &n), PARL_STATUS_EIO, "no regular file");
  assert_int_equal(unlink(path_of("fifo")), 0);
  assert_ok(parl_file_write(path_of("big"), "0123456789", 10));
  assert_fails(parl_file_read(path_of("big"), 9, &bytes, &n), PARL_STATUS_EFORMAT,
               "has 10 bytes, at most 9");
  assert_ptr_equal(bytes, &mark);
  assert_int_equal(n, 77);
  assert_holds(path_of("big"), "0123456789", 10);
}

/* The disk is full after `limit` bytes: writes beyond it fail with EFBIG. */
static struct rlimit set_limit(rlim_t limit) {
  struct rlimit old;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, SIG_IGN);
  const struct rlimit now = {.rlim_cur = limit, .rlim_max = old.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
  return old;
}

static void test_failing_write_leaves_the_old_file(void **state) {
  (void)state;
  static char big[100000];
  memset(big, 'b', sizeof big);
  assert_ok(parl_file_write(path_of("keep"), "old", 3));
  const size_t n_files = count_files();
  for (rlim_t limit = 0; limit < 90000; limit += 7777) { /* 0 too: not one byte fits */
    const struct rlimit old = set_limit(limit);
    const parl_status s = parl_file_write(path_of("keep"), big, sizeof big);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_status(s, PARL_STATUS_EIO);
    assert_contains(parl_error_text(), "keep: cannot write: File too large");
    assert_holds(path_of("keep"), "old", 3);
    assert_int_equal(count_files(), n_files);
  }
  assert_ok(parl_file_write(path_of("keep"), big, sizeof big));
  assert_holds(path_of("keep"), big, sizeof big);
}

static void test_full_device(void **state) {
  (void)state;
  parl_file_writer w = {.path = "somewhere", .temporary = "/nonexistent"};
  w.fd = open("/dev/full", O_WRONLY);
  if (w.fd < 0) skip();
  assert_fails(parl_file_writer_append(&w, "x", 1), PARL_STATUS_EIO,
               "somewhere: cannot write: No space");
  parl_file_writer_abort(&w);
  assert_int_equal(w.fd, -1);
}

static void test_write_refuses(void **state) {
  (void)state;
  assert_fails(parl_file_write(path_of("no/such/folder"), "x", 1), PARL_STATUS_EIO,
               "cannot create");
  assert_fails(parl_file_write(folder, "x", 1), PARL_STATUS_EIO, "no regular file");
  assert_fails(parl_file_write("/dev/null", "x", 1), PARL_STATUS_EIO, "no regular file");
  struct stat st;
  assert_int_equal(stat("/dev/null", &st), 0);
  assert_true(S_ISCHR(st.st_mode));
  char longest[5000];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_status(parl_file_write(longest, "x", 1), PARL_STATUS_EINVAL);
}

static void test_writer_in_pieces(void **state) {
  (void)state;
  const size_t n_files = count_files();
  parl_file_writer w;
  char path[2 * PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, folder, "pieces"));
  assert_ok(parl_file_writer_open(&w, path));
  assert_ok(parl_file_writer_append(&w, "ab", 2));
  assert_false(parl_file_exists(path)); /* not before it is whole */
  assert_int_equal(count_files(), n_files + 1);
  parl_file_writer_abort(&w);
  assert_int_equal(count_files(), n_files);
  assert_ok(parl_file_writer_open(&w, path));
  assert_ok(parl_file_writer_append(&w, "ab", 2));
  assert_ok(parl_file_writer_append(&w, "cd", 2));
  assert_ok(parl_file_writer_commit(&w));
  assert_holds(path, "abcd", 4);
  assert_int_equal(count_files(), n_files + 1);
}

static void test_failing_rename(void **state) {
  (void)state;
  parl_file_writer w;
  char path[2 * PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, folder, "became a folder"));
  assert_ok(parl_file_writer_open(&w, path));
  assert_ok(parl_file_writer_append(&w, "ab", 2));
  assert_ok(parl_file_make_folder(path));
  const size_t n_files = count_files();
  assert_fails(parl_file_writer_commit(&w), PARL_STATUS_EIO, "cannot replace: Is a directory");
  assert_int_equal(count_files(), n_files - 1); /* the temporary is gone */
}

/* What a crashed writer left under the name this process would take is neither used nor removed. */
static void test_stale_temporary(void **state) {
  (void)state;
  char stale[PARL_TEST_PATH_BYTES];
  snprintf(stale, sizeof stale, "crash.tmp.%ld.0", (long)getpid());
  assert_ok(parl_file_write(path_of(stale), "stale", 5));
  assert_ok(parl_file_write(path_of("crash"), "new", 3));
  assert_holds(path_of("crash"), "new", 3);
  assert_holds(path_of(stale), "stale", 5);
}

enum { N_THREADS = 4, N_ROUNDS = 100, N_BYTES = 5000 };

static void *write_often(void *argument) {
  const char *letter = argument;
  char bytes[N_BYTES], path[2 * PARL_TEST_PATH_BYTES];
  memset(bytes, *letter, sizeof bytes);
  snprintf(path, sizeof path, "%s/shared", folder);
  for (int i = 0; i < N_ROUNDS; i++)
    if (parl_file_write(path, bytes, sizeof bytes) != PARL_STATUS_OK) return argument;
  return NULL;
}

/* The name of a temporary of this process number, made and closed. */
static const char *make_temporary(const char *base, long pid) {
  char name[128];
  snprintf(name, sizeof name, "%s.tmp.%ld.0", base, pid);
  const char *path = path_of(name);
  const int fd = open(path, O_WRONLY | O_CREAT, 0600);
  assert_true(fd >= 0);
  close(fd);
  return path;
}

static bool is_removed(const char *base, long pid) {
  const char *path = make_temporary(base, pid);
  parl_file_remove_stale(folder, "*.safetensors");
  const bool removed = !parl_file_exists(path);
  if (!removed) assert_int_equal(unlink(path), 0);
  return removed;
}

/* Only what a dead writer of ours left goes: no other name, nothing that somebody writes. */
static void test_stale_temporaries_are_removed(void **state) {
  (void)state;
  const pid_t child = fork();
  if (child == 0) _exit(0);
  assert_int_equal(waitpid(child, NULL, 0), child); /* now its number is free */
  assert_true(is_removed("a.safetensors", child));
  assert_true(is_removed("a.safetensors.tmp.1.2.safetensors", child));
  assert_true(is_removed("a.safetensors", getpid())); /* of an earlier process of this number */
  assert_false(is_removed("a.safetensors", getppid()));
  assert_false(is_removed("notes.txt", child));
  assert_false(is_removed("a.safetensors.tmp", 0));
  static const char *const others[] = {
      "a.safetensors",          "a.safetensors.tmp.1",   ".tmp.1.0",
      "a.safetensors.tmp.1.0x", "a.safetensors.tmp.x.0", "a.safetensors.tmp.99999999999.0"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    const char *path = path_of(others[i]);
    assert_ok(parl_file_write(path, "x", 1));
    parl_file_remove_stale(folder, "*");
    assert_true(parl_file_exists(path));
    assert_int_equal(unlink(path), 0);
  }
  parl_file_remove_stale("/nonexistent", "*");
}

/* A writer's own is not stale while it writes, and a killed one's is. */
static void test_held_temporaries_stay(void **state) {
  (void)state;
  const char *path = path_of("w.safetensors");
  parl_file_writer w;
  assert_ok(parl_file_writer_open(&w, path));
  assert_ok(parl_file_writer_append(&w, "x", 1));
  parl_file_remove_stale(folder, "*");
  assert_true(parl_file_exists(w.temporary));
  assert_ok(parl_file_writer_commit(&w));
  const pid_t child = fork();
  if (child == 0) {
    if (parl_file_writer_open(&w, path) != PARL_STATUS_OK) _exit(1);
    raise(SIGKILL);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
  char left[PARL_TEST_PATH_BYTES + 64];
  snprintf(left, sizeof left, "%s.tmp.%ld.0", path, (long)child);
  assert_true(parl_file_exists(left));
  parl_file_remove_stale(folder, "*.safetensors");
  assert_false(parl_file_exists(left));
}

static void test_threads_write_one_path(void **state) {
  (void)state;
  static char letters[] = "abcd";
  pthread_t threads[N_THREADS];
  assert_ok(parl_file_write(path_of("shared"), letters, 0));
  const size_t n_files = count_files();
  for (int i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, write_often, &letters[i]), 0);
  for (int i = 0; i < N_THREADS; i++) {
    void *failed = NULL;
    assert_int_equal(pthread_join(threads[i], &failed), 0);
    assert_null(failed);
  }
  char *bytes = NULL;
  size_t n = 0;
  assert_ok(parl_file_read(path_of("shared"), N_BYTES, &bytes, &n));
  assert_int_equal(n, N_BYTES);
  for (size_t i = 1; i < n; i++) assert_int_equal(bytes[i], bytes[0]);
  free(bytes);
  assert_int_equal(count_files(), n_files);
}

static void test_make_folder(void **state) {
  (void)state;
  assert_ok(parl_file_make_folder(path_of("x/y//z/")));
  assert_ok(parl_file_make_folder(path_of("x/y/z")));
  assert_ok(parl_file_write(path_of("x/y/z/file"), "f", 1));
  assert_fails(parl_file_make_folder(path_of("x/y/z/file")), PARL_STATUS_EIO,
               "cannot make the folder");
  assert_fails(parl_file_make_folder(path_of("x/y/z/file/w")), PARL_STATUS_EIO,
               "cannot make the folder");
  assert_ok(parl_file_make_folder("/"));
  assert_status(parl_file_make_folder(""), PARL_STATUS_EINVAL);
}

static void test_join(void **state) {
  (void)state;
  char out[8] = "before";
  assert_fails(parl_file_join(out, sizeof out, "folder", "n"), PARL_STATUS_EINVAL,
               "folder/n: the path has 8");
  assert_string_equal(out, "before");
  assert_ok(parl_file_join(out, sizeof out, "folde", "n"));
  assert_string_equal(out, "folde/n");
  assert_ok(parl_file_join(out, sizeof out, "a/", "b"));
  assert_string_equal(out, "a/b");
  assert_ok(parl_file_join(out, sizeof out, "", "b"));
  assert_string_equal(out, "b");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write_and_read),
      cmocka_unit_test(test_append),
      cmocka_unit_test(test_relative_path),
      cmocka_unit_test(test_read_refuses),
      cmocka_unit_test(test_failing_write_leaves_the_old_file),
      cmocka_unit_test(test_full_device),
      cmocka_unit_test(test_write_refuses),
      cmocka_unit_test(test_writer_in_pieces),
      cmocka_unit_test(test_failing_rename),
      cmocka_unit_test(test_stale_temporary),
      cmocka_unit_test(test_stale_temporaries_are_removed),
      cmocka_unit_test(test_held_temporaries_stay),
      cmocka_unit_test(test_threads_write_one_path),
      cmocka_unit_test(test_make_folder),
      cmocka_unit_test(test_join),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
