/* tests/store_support.h - a run database in a scratch folder, and what is in it as text. */
#ifndef PARL_TESTS_STORE_SUPPORT_H
#define PARL_TESTS_STORE_SUPPORT_H
#include "core/file.h"
#include "core/store_internal.h"
#include "core/text.h"
#include "parl/run/rows.h"
#include "tests/support.h"

static char folder[PARL_TEST_PATH_BYTES];
static char path[2 * PARL_TEST_PATH_BYTES]; /* of the test's own database */

static inline int make_folder(void **state) {
  (void)state;
  parl_test_temp_folder(folder);
  assert_ok(parl_file_join(path, sizeof path, folder, "store.db"));
  return 0;
}

static inline int remove_folder(void **state) {
  (void)state;
  parl_test_remove_folder(folder);
  return 0;
}

static inline parl_store *open_store(void) {
  parl_store *s = NULL;
  assert_ok(parl_rows_open(path, &s));
  return s;
}

static inline parl_store_run make_run(const char *uid) {
  parl_store_run r = {.recipe = "quick",
                      .arm = "base",
                      .seed = -3,
                      .config = "{\"a\":1}",
                      .status = "running",
                      .host = "{\"cpu\":\"x\"}",
                      .revision = "abc"};
  snprintf(r.uid, sizeof r.uid, "%s", uid);
  return r;
}

/* A store with run "u"; its transaction is open. */
static inline parl_store *open_with_run(int64_t *run_id) {
  parl_store *s = open_store();
  const parl_store_run run = make_run("u");
  assert_ok(parl_store_begin(s));
  assert_ok(parl_store_put_run(s, &run, run_id));
  return s;
}

/* Visitors write what they see as text. */
static inline parl_status list_run(void *context, int64_t run_id, const parl_store_run *r) {
  parl_text_appendf(context, "%lld %s %s %s %lld %s %s %s %s [%s];", (long long)run_id, r->uid,
                    r->recipe, r->arm, (long long)r->seed, r->config, r->status, r->host,
                    r->revision, r->hash);
  return PARL_STATUS_OK;
}

static inline parl_status list_metric(void *context, int64_t update, const char *key,
                                      double value) {
  parl_text_appendf(context, "%s@%lld=%.17g;", key, (long long)update, value);
  return PARL_STATUS_OK;
}

static inline void assert_metrics(parl_store *s, int64_t run_id, const char *key, const char *due) {
  parl_text t = {0};
  assert_ok(parl_rows_visit_metrics(s, run_id, key, list_metric, &t));
  assert_string_equal(parl_text_get(&t), due);
  parl_text_deinit(&t);
}

/* A test in a folder of its own. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

#endif
