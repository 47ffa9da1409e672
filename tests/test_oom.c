/* tests/test_oom.c - memory runs out at the k-th allocation, once or for good, for every k or,
 * where there are thousands (SQLite's), for every seventh: the status is ENOMEM, nothing leaks,
 * nothing is half done.
 *
 * The program's own malloc family stands before the C library's, so the libraries below core are
 * starved too. */
#include <limits.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/album.h"
#include "core/arena.h"
#include "core/config.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "core/workers.h"
#include "tests/store_support.h"

static atomic_long n_live;  /* pieces handed out and not freed, of all threads */
static atomic_long n_calls; /* of all threads */

/* Only the thread that runs a scenario is starved: a sanitizer's own threads would not bear it. */
static _Thread_local struct {
  bool is_on;
  long call;        /* number of the next, since the scenario began */
  long first, last; /* numbers of the calls that fail; first -1: none */
} starving;

static bool is_refused(void) {
  atomic_fetch_add(&n_calls, 1);
  if (!starving.is_on) return false;
  const long call = starving.call++;
  return starving.first >= 0 && call >= starving.first && call <= starving.last;
}

static void *count_piece(void *piece) {
  if (piece != NULL) atomic_fetch_add(&n_live, 1);
  return piece;
}

/* The C library's family under its second names, and a sanitizer's, which comes before it. */
#define FAMILY(prefix)                                                             \
  extern void *prefix##malloc(size_t n) __attribute__((weak));                     \
  extern void *prefix##calloc(size_t n, size_t bytes) __attribute__((weak));       \
  extern void *prefix##realloc(void *piece, size_t n) __attribute__((weak));       \
  extern void *prefix##memalign(size_t alignment, size_t n) __attribute__((weak)); \
  extern void prefix##free(void *piece) __attribute__((weak));
FAMILY(__libc_)
FAMILY(__interceptor_)
#define NEXT(name) (__interceptor_##name != NULL ? __interceptor_##name : __libc_##name)

void *malloc(size_t n) {
  return is_refused() ? NULL : count_piece(NEXT(malloc)(n));
}

void *calloc(size_t n, size_t bytes) {
  return is_refused() ? NULL : count_piece(NEXT(calloc)(n, bytes));
}

void *realloc(void *piece, size_t n) {
  if (is_refused()) return NULL;
  return piece == NULL ? count_piece(NEXT(realloc)(NULL, n)) : NEXT(realloc)(piece, n);
}

void *aligned_alloc(size_t alignment, size_t n) {
  return is_refused() ? NULL : count_piece(NEXT(memalign)(alignment, n));
}

void free(void *piece) {
  if (piece != NULL) atomic_fetch_sub(&n_live, 1);
  NEXT(free)(piece);
}

/* Does something whole and cleans up after itself, also when it fails. */
typedef parl_status (*scenario)(void);

static parl_status run(scenario work, long first, long last) {
  starving.call = 0;
  starving.first = first;
  starving.last = last;
  starving.is_on = true;
  const parl_status s = work();
  starving.is_on = false;
  return s;
}

/* What may come out beside ENOMEM when one allocation fails. */
typedef struct tolerance {
  bool ok;           /* SQLite gets by without some of its caches */
  parl_status other; /* OK: none */
} tolerance;

static void assert_starved(parl_status s, long k, bool may_be_ok, parl_status other) {
  if (s == PARL_STATUS_ENOMEM || (s == PARL_STATUS_OK && may_be_ok) ||
      (s != PARL_STATUS_OK && s == other))
    return;
  print_error("allocation %ld failing: %s: %s\n", k, parl_status_name(s), parl_error_text());
  fail();
}

/* Others under a sanitizer, which makes everything ten times as slow. */
static long get_stride(long n) {
  enum { LONG_SCENARIO = 500, STRIDE = 7, SHORT_STRIDE = 13 };
  if (n <= LONG_SCENARIO) return 1;
  return parl_test_is_short() ? SHORT_STRIDE : STRIDE;
}

static void starve(scenario work, tolerance t) {
  for (int i = 0; i < 3; i++) assert_ok(run(work, -1, -1)); /* lasting caches are filled now */
  const long n = starving.call, live = atomic_load(&n_live), stride = get_stride(n);
  long n_failed = 0;
  assert_true(n > 0);
  for (long k = 0; k < n; k += stride) {
    const parl_status once = run(work, k, k);
    assert_int_equal(atomic_load(&n_live), live);
    assert_starved(once, k, t.ok, t.other);
    const parl_status for_good = run(work, k, LONG_MAX);
    assert_int_equal(atomic_load(&n_live), live);
    assert_starved(for_good, k, t.ok, t.other);
    n_failed += for_good != PARL_STATUS_OK;
  }
  assert_ok(run(work, -1, -1)); /* and it works again */
  assert_int_equal(atomic_load(&n_live), live);
  assert_true(n_failed > 0);
  print_message("%ld allocations, %ld failures\n", n, n_failed);
}

static const tolerance STRICT = {false, PARL_STATUS_OK}, SQLITE = {true, PARL_STATUS_OK};

static parl_status use_arena(void) {
  parl_arena arena;
  parl_arena_init(&arena, 100);
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 1; i < 10 && s == PARL_STATUS_OK; i++) {
    void *piece = NULL;
    s = parl_arena_take(&arena, i * 50, 1, &piece);
    if ((s == PARL_STATUS_OK) != (piece != NULL)) s = PARL_STATUS_ESTATE;
  }
  parl_arena_deinit(&arena);
  return s;
}

/* Nine pictures, and the first as PNG in an address. */
static parl_status use_album(void) {
  uint8_t rgb[12] = {0};
  parl_picture picture = {.frames = 1, .image = {2, 2, rgb}};
  parl_album album = {0};
  parl_text url = {0};
  int32_t number;
  parl_status s = PARL_STATUS_OK;
  for (uint64_t i = 1; i < 10 && s == PARL_STATUS_OK; i++) {
    const size_t before = album.n;
    picture.content = i;
    s = parl_album_add(&album, &picture, &number);
    if (s != PARL_STATUS_OK && album.n != before) s = PARL_STATUS_ESTATE;
  }
  if (s == PARL_STATUS_OK) s = parl_image_append_url(&album.items[0].image, &url);
  parl_text_deinit(&url);
  parl_album_deinit(&album);
  return s;
}

static parl_status use_text(void) {
  parl_text t = {0};
  for (int i = 0; i < 200; i++) parl_text_appendf(&t, "line %d\n", i);
  const parl_status s = parl_text_status(&t);
  parl_text_deinit(&t);
  return s;
}

static const char recipe[] =
    "{\"updates\":3,\"name\":\"a long enough name\",\"nested\":{\"b\":[1,2,{\"c\":null}],"
    "\"a\":\"\\u00e9\"},\"list\":[true,false,1.5]}";

static parl_status edit_tree(parl_json *root) {
  parl_json *copy = NULL;
  PARL_TRY(parl_json_set_path(root, "nested.new.path", "text"));
  PARL_TRY(parl_json_set_path(root, "nested.a", "{\"x\":1,\"y\":[]}"));
  PARL_TRY(parl_json_copy(root, &copy));
  parl_status s = parl_json_set_path(copy, "updates", "9");
  if (s == PARL_STATUS_OK) s = parl_json_merge(root, copy);
  parl_text t = {0};
  parl_json_append_canonical(root, &t);
  if (s == PARL_STATUS_OK) s = parl_text_status(&t);
  parl_text_deinit(&t);
  parl_json_destroy(copy);
  return s;
}

static parl_status use_json(void) {
  parl_json *root = NULL, *empty = NULL;
  parl_status s = parl_json_parse(recipe, strlen(recipe), "recipe", &root);
  if (s == PARL_STATUS_OK) s = edit_tree(root);
  if (s == PARL_STATUS_OK) s = parl_json_create_object(&empty);
  parl_json_destroy(empty);
  parl_json_destroy(root);
  return s;
}

/* Editing is all or nothing. */
static parl_status edit_whole(void) {
  parl_json *root = NULL, *over = NULL;
  starving.is_on = false;
  assert_ok(parl_json_parse("{\"a\":{\"b\":1},\"c\":[1]}", 21, "base", &root));
  assert_ok(parl_json_parse("{\"a\":{\"b\":2,\"n\":3},\"d\":{}}", 26, "over", &over));
  starving.is_on = true;
  const parl_status set = parl_json_set_path(root, "a.x.y", "[1,2]");
  const parl_status merged = set == PARL_STATUS_OK ? parl_json_merge(root, over) : set;
  starving.is_on = false;
  parl_text t = {0};
  parl_json_append_canonical(root, &t);
  assert_string_equal(parl_text_get(&t), set != PARL_STATUS_OK ? "{\"a\":{\"b\":1},\"c\":[1]}"
                                         : merged != PARL_STATUS_OK
                                             ? "{\"a\":{\"b\":1,\"x\":{\"y\":[1,2]}},\"c\":[1]}"
                                             : "{\"a\":{\"b\":2,\"n\":3,\"x\":{\"y\":[1,2]}},"
                                               "\"c\":[1],\"d\":{}}");
  parl_text_deinit(&t);
  parl_json_destroy(over);
  parl_json_destroy(root);
  return merged;
}

#define OOM_FIELDS(INT, REAL, FLAG, TEXT, CHOICE) INT(updates, 1, 0, 10, "updates", "of the test")
PARL_CONFIG_STRUCT(oom_config, OOM_FIELDS);
#define SECTION_TYPE_ oom_config
extern const parl_section oom_section;
PARL_CONFIG_SECTION(oom_section, "oom", "a section", OOM_FIELDS);
#undef SECTION_TYPE_

/* A refusal's text is made without memory, if need be: it stays EINVAL. */
static parl_status use_config(void) {
  oom_config c;
  parl_json *object = NULL;
  PARL_TRY(parl_json_parse("{\"updates\":11}", 14, "recipe", &object));
  const parl_status s = parl_config_read(&oom_section, object, "oom", &c);
  parl_json_destroy(object);
  assert_status(s, PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "oom.updates = ");
  parl_text t = {0};
  parl_config_append_help(&oom_section, true, &t);
  const parl_status helped = parl_text_status(&t);
  parl_text_deinit(&t);
  return helped;
}

static parl_status do_nothing(void *context, size_t task, size_t worker) {
  (void)context;
  (void)task;
  (void)worker;
  return PARL_STATUS_OK;
}

static parl_status use_workers(void) {
  parl_workers *w = NULL;
  const parl_status s = parl_workers_create(3, &w);
  if ((s == PARL_STATUS_OK) != (w != NULL)) return PARL_STATUS_ESTATE;
  if (w == NULL) return s;
  parl_status ran = parl_workers_run(w, 50, do_nothing, NULL); /* now every thread has begun */
  const long before = atomic_load(&n_calls);
  if (ran == PARL_STATUS_OK) ran = parl_workers_run(w, 50, do_nothing, NULL);
  assert_int_equal(atomic_load(&n_calls), before); /* run allocates nothing */
  parl_workers_destroy(w);
  return ran;
}

static parl_status use_file(void) {
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_write(path, recipe, sizeof recipe));
  PARL_TRY(parl_file_read(path, 1000, &bytes, &n));
  const bool same = n == sizeof recipe && memcmp(bytes, recipe, n) == 0;
  free(bytes);
  return same ? PARL_STATUS_OK : PARL_STATUS_ESTATE;
}

static parl_status use_safetensors(void) {
  static const double wide[2] = {1, 2};
  static const uint8_t byte = 5;
  const parl_tensor_info tensors[] = {
      {"b", PARL_DTYPE_U8, 1, {1}, &byte, 1},
      {"a", PARL_DTYPE_F64, 1, {2}, wide, sizeof wide}, /* misaligned, so it is copied on read */
  };
  static const char *const pairs[] = {"k", "v", "l", "w"};
  char hash[65];
  PARL_TRY(parl_safetensors_write(path, tensors, 2, pairs, 2, hash));
  parl_safetensors *f = NULL;
  PARL_TRY(parl_safetensors_open(path, &f));
  const parl_tensor_info *a = parl_safetensors_find(f, "a");
  const bool same = a != NULL && memcmp(a->data, wide, sizeof wide) == 0;
  parl_safetensors_close(f);
  return same ? PARL_STATUS_OK : PARL_STATUS_ESTATE;
}

static parl_status put_rows(parl_store *s) {
  const parl_store_run r = make_run("u");
  const parl_episode_row e = {
      .policy = "serial", .decoding = "greedy", .family = "", .facts.end = PARL_END_FINISH};
  int64_t id = 0;
  PARL_TRY(parl_store_begin(s));
  PARL_TRY(parl_store_put_run(s, &r, &id));
  for (int64_t i = 0; i < 3; i++) PARL_TRY(parl_rows_put_metric(s, id, i, "k", 1));
  PARL_TRY(parl_rows_put_episode(s, id, &e));
  PARL_TRY(parl_rows_put_checkpoint(s, id, 2, "p", "s"));
  PARL_TRY(parl_store_delete_after(s, id, 1));
  return parl_store_commit(s);
}

static parl_status count_row(void *context, int64_t update, const char *key, double value) {
  (void)update;
  (void)key;
  (void)value;
  ++*(int *)context;
  return PARL_STATUS_OK;
}

static parl_status write_store(void) {
  parl_store *s = NULL;
  PARL_TRY(parl_rows_open(path, &s));
  const parl_status status = put_rows(s);
  parl_store_close(s);
  return status;
}

static parl_status read_rows(parl_store *s) {
  parl_hash h;
  parl_text t = {0};
  int found = 0, n = 0;
  int64_t id = 0;
  PARL_TRY(parl_store_find_run(s, "u", &found, &id, NULL, NULL));
  if (!found) return parl_fail(PARL_STATUS_ESTATE, "the run is not found");
  PARL_TRY(parl_rows_visit_metrics(s, id, NULL, count_row, &n));
  if (n != 2) return parl_fail(PARL_STATUS_ESTATE, "%d rows", n);
  parl_hash_init(&h);
  PARL_TRY(parl_rows_hash_run(s, id, &h));
  const parl_status visited = parl_store_visit_runs(s, list_run, &t);
  const parl_status listed = parl_text_status(&t);
  parl_text_deinit(&t);
  return visited == PARL_STATUS_OK ? listed : visited;
}

static parl_status read_store(void) {
  parl_store *s = NULL;
  PARL_TRY(parl_rows_open_readonly(path, &s));
  const parl_status status = read_rows(s);
  parl_store_close(s);
  return status;
}

/* On a file that is not there yet; whatever failed, it can be opened and completed afterwards. */
static parl_status create_store(void) {
  char name[3 * PARL_TEST_PATH_BYTES];
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
  for (size_t i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    unlink(name);
  }
  const parl_status s = write_store();
  starving.is_on = false;
  assert_ok(write_store());
  assert_ok(read_store());
  starving.is_on = true;
  return s;
}

static void test_arena(void **state) {
  (void)state;
  starve(use_arena, STRICT);
}

/* libpng says only that it could not. */
static void test_album(void **state) {
  (void)state;
  starve(use_album, (tolerance){false, PARL_STATUS_EFORMAT});
}

static void test_text(void **state) {
  (void)state;
  starve(use_text, STRICT);
}

static void test_json(void **state) {
  (void)state;
  starve(use_json, STRICT);
}

static void test_json_edits_are_whole(void **state) {
  (void)state;
  starve(edit_whole, STRICT);
}

static void test_config(void **state) {
  (void)state;
  starve(use_config, (tolerance){.ok = true, .other = PARL_STATUS_OK});
}

static void test_workers(void **state) {
  (void)state;
  starve(use_workers, (tolerance){.ok = false, .other = PARL_STATUS_EIO}); /* "cannot start" */
}

static void test_file(void **state) {
  (void)state;
  starve(use_file, STRICT);
}

static void test_safetensors(void **state) {
  (void)state;
  starve(use_safetensors, STRICT);
}

static void test_store_create(void **state) {
  (void)state;
  starve(create_store, SQLITE);
}

static void test_store_write(void **state) {
  (void)state;
  starve(write_store, SQLITE);
}

static void test_store_read(void **state) {
  (void)state;
  assert_ok(write_store());
  starve(read_store, SQLITE);
}

int main(void) {
  /* Thousands of databases are written; in memory nothing waits for a disk. */
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      TEST(test_arena),
      TEST(test_text),
      TEST(test_album),
      TEST(test_json),
      TEST(test_json_edits_are_whole),
      TEST(test_config),
      TEST(test_workers),
      TEST(test_file),
      TEST(test_safetensors),
      TEST(test_store_create),
      TEST(test_store_write),
      TEST(test_store_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
