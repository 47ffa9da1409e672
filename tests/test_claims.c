/* tests/test_claims.c - one holder a name: a claim ends with its process, at once or when it stands
 * still; nothing is written for a run that was taken over. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/claims_internal.h"
#include "tests/store_support.h"

static void sleep_s(double s) {
  const struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
  nanosleep(&t, NULL);
}

static bool take(parl_claims *c, const char *name) {
  bool taken = false;
  char holder[PARL_CLAIM_HOLDER_BYTES] = "";
  assert_ok(parl_claims_take(c, name, &taken, holder));
  assert_true(taken || strstr(holder, "process ") == holder);
  return taken;
}

static parl_claims *open_claims(void) {
  parl_claims *c = NULL;
  assert_ok(parl_claims_open(path, &c));
  return c;
}

static void test_one_holder(void **state) {
  (void)state;
  parl_store_close(open_store());
  parl_claims *a = open_claims(), *b = open_claims();
  assert_true(take(a, "x"));
  assert_true(take(a, "x"));
  assert_false(take(b, "x"));
  assert_true(take(b, "y"));
  assert_ok(parl_claims_give_back(b, "x")); /* not b's to give */
  assert_false(take(b, "x"));
  assert_ok(parl_claims_give_back(a, "x"));
  assert_true(take(b, "x"));
  parl_claims_close(b);
  assert_true(take(a, "x"));
  assert_true(take(a, "y"));
  parl_claims_close(a);
}

/* Forks a process that claims x and sleeps; returns when it has. */
static pid_t fork_holder(void) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    parl_claims *c = NULL;
    bool taken = false;
    char holder[PARL_CLAIM_HOLDER_BYTES];
    if (parl_claims_open(path, &c) == PARL_STATUS_OK &&
        parl_claims_take(c, "x", &taken, holder) == PARL_STATUS_OK && taken)
      (void)!write(ends[1], "1", 1);
    close(ends[1]);
    for (;;) pause();
  }
  char byte = 0;
  close(ends[1]);
  assert_int_equal(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  return child;
}

/* At once, although nobody has waited for the process yet. */
static void test_a_killed_process_holds_nothing(void **state) {
  (void)state;
  parl_store_close(open_store());
  parl_claims *c = open_claims();
  const pid_t child = fork_holder();
  assert_false(take(c, "x"));
  kill(child, SIGSTOP); /* a stopped one lives */
  sleep_s(0.05);
  assert_false(take(c, "x"));
  kill(child, SIGKILL);
  for (int i = 0; i < 1000 && !take(c, "x"); i++) sleep_s(0.02);
  assert_true(take(c, "x"));
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_true(take(c, "x"));
  parl_claims_close(c);
}

static void put_claim(parl_store *s, const parl_process *p, int64_t renewed) {
  parl_store_claim claim = {.name = "x", .token = "another", .process = *p, .renewed = renewed};
  assert_ok(parl_store_begin(s));
  assert_ok(parl_store_put_claim(s, &claim));
  assert_ok(parl_store_commit(s));
}

/* Its number belongs to another process now. */
static void test_a_number_used_again_is_another_process(void **state) {
  (void)state;
  parl_store *s = open_store();
  parl_claims *c = open_claims();
  parl_process p;
  parl_process_get(&p);
  put_claim(s, &p, 0);
  assert_false(take(c, "x"));
  p.start++;
  put_claim(s, &p, 0);
  assert_true(take(c, "x"));
  parl_claims_close(c);
  parl_store_close(s);
}

/* Of another boot or container: nothing is known but whether it is renewed, and the other clock may
 * say anything. */
static void test_a_claim_from_elsewhere_ends_when_it_stands_still(void **state) {
  (void)state;
  parl_store *s = open_store();
  parl_claims *patient = NULL, *hasty = NULL;
  assert_ok(parl_claims_open_timed(path, 5, 86400, &patient));
  assert_ok(parl_claims_open_timed(path, 5, 0.05, &hasty));
  parl_process p;
  parl_process_get(&p);
  snprintf(p.space, sizeof p.space, "elsewhere");
  for (int64_t renewed = 5; renewed < 8; renewed++) {
    put_claim(s, &p, renewed);
    assert_false(take(hasty, "x")); /* however long ago it was seen last */
    assert_false(take(patient, "x"));
    sleep_s(0.1);
    assert_false(take(patient, "x"));
  }
  assert_true(take(hasty, "x"));
  parl_claims_close(hasty);
  parl_claims_close(patient);
  parl_store_close(s);
}

static parl_status copy_claim(void *context, const parl_store_claim *claim) {
  *(parl_store_claim *)context = *claim;
  return PARL_STATUS_OK;
}

static void test_claims_are_renewed(void **state) {
  (void)state;
  parl_store *s = open_store();
  parl_claims *c = NULL;
  parl_store_claim claim = {0};
  assert_ok(parl_claims_open_timed(path, 0.05, 60, &c));
  assert_true(take(c, "x"));
  assert_ok(parl_store_visit_claims(s, copy_claim, &claim));
  claim.renewed = 7; /* as if it had been long */
  assert_ok(parl_store_begin(s));
  assert_ok(parl_store_put_claim(s, &claim));
  assert_ok(parl_store_commit(s));
  for (int i = 0; i < 1000 && claim.renewed == 7; i++) {
    sleep_s(0.05);
    assert_ok(parl_store_visit_claims(s, copy_claim, &claim));
  }
  assert_true(claim.renewed > 7);
  assert_true(parl_claim_is_alive(&claim));
  parl_claims_close(c);
  claim.name[0] = '\0';
  assert_ok(parl_store_visit_claims(s, copy_claim, &claim));
  assert_string_equal(claim.name, ""); /* closing gives back */
  parl_store_close(s);
}

/* For listings a claim from elsewhere counts while it is young. */
static void test_is_alive_at_a_first_look(void **state) {
  (void)state;
  parl_store_claim c = {.renewed = (int64_t)time(NULL)};
  parl_process_get(&c.process);
  assert_true(parl_claim_is_alive(&c));
  c.process.start++;
  assert_false(parl_claim_is_alive(&c));
  snprintf(c.process.space, sizeof c.process.space, "elsewhere");
  assert_true(parl_claim_is_alive(&c));
  c.renewed -= PARL_CLAIM_TIMEOUT_S + 2;
  assert_false(parl_claim_is_alive(&c));
}

/* Whoever copies the folder of a training under way may train in the copy. */
static void test_a_copy_holds_no_claims(void **state) {
  (void)state;
  parl_store *s = open_store();
  parl_claims *a = open_claims(), *b = NULL;
  char copy[2 * PARL_TEST_PATH_BYTES];
  char *bytes = NULL;
  size_t n = 0;
  assert_true(take(a, "x"));
  assert_ok(parl_store_run_sql(s, "PRAGMA wal_checkpoint(TRUNCATE)", "checkpoint"));
  assert_ok(parl_file_join(copy, sizeof copy, folder, "copy.db"));
  assert_ok(parl_file_read(path, 1 << 24, &bytes, &n));
  assert_ok(parl_file_write(copy, bytes, n));
  assert_ok(parl_claims_open(copy, &b));
  assert_true(take(b, "x"));
  assert_true(take(a, "x"));
  parl_claims_close(b);
  assert_ok(parl_claims_open(path, &b));
  assert_false(take(b, "x"));
  parl_claims_close(b);
  parl_claims_close(a);
  parl_store_close(s);
  free(bytes);
}

static void test_fence(void **state) {
  (void)state;
  parl_store *s = open_store(), *other = open_store();
  parl_claims *c = open_claims();
  assert_true(take(c, "x"));
  parl_store_set_fence(s, "x", parl_claims_get_token(c));
  assert_ok(parl_store_begin(s));
  assert_ok(parl_store_commit(s));
  parl_process p;
  parl_process_get(&p);
  put_claim(other, &p, 1);
  assert_fails(parl_store_begin(s), PARL_STATUS_ECLAIMED, "took this run over");
  assert_status(parl_store_check_fence(s), PARL_STATUS_ECLAIMED);
  assert_ok(parl_store_begin(other)); /* nothing stayed open */
  assert_ok(parl_store_commit(other));
  parl_claims_close(c);
  parl_store_close(other);
  parl_store_close(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_one_holder),
      TEST(test_a_killed_process_holds_nothing),
      TEST(test_a_number_used_again_is_another_process),
      TEST(test_a_claim_from_elsewhere_ends_when_it_stands_still),
      TEST(test_claims_are_renewed),
      TEST(test_is_alive_at_a_first_look),
      TEST(test_a_copy_holds_no_claims),
      TEST(test_fence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
