/* tests/test_abilities.c - which kinds of task an update begins: by hand, in whole shares, over
 * threads; what is refused. */
#include "parl/learn/abilities.h"
#include "tests/rollout_support.h"

enum { N_TASKS = 9, SEED = 7 };

static parl_abilities parse(const char *text) {
  parl_abilities a;
  assert_ok(parl_abilities_parse(text, &a));
  return a;
}

static void test_shares(void **state) {
  (void)state;
  const parl_abilities a = parse("count=3, where_image = 1");
  assert_int_equal(a.n, 2);
  assert_string_equal(a.names[0], "count");
  assert_string_equal(a.names[1], "where_image");
  assert_close(a.upto[0], 0.75, 0);
  assert_close(a.upto[1], 1, 0);
  assert_int_equal(parse("").n, 0);
}

static void test_what_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *why;
  } wrong[] = {
      {"count", "\"count\" is not ability=share"},
      {"count=0", "\"count=0\" is not"},
      {"count=1,=2", "\"=2\" is not"},
      {"count=1,,where=1", "\"\" is not"},
      {"count=nan", "\"count=nan\" is not"},
      {"count=1 2", "is not ability=share"},
      {"count=1,", "\"\" is not ability=share"},
      {"count=1"
       "                                                                                "
       "junk",
       "is not ability=share"},
      {"count=1,count=2", "\"count\" and \"count\" are not two abilities"},
      {"count=1,count_text=2", "\"count\" and \"count_text\" are not two abilities"},
      {"a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1", "more than 16"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    parl_abilities a = {.n = 99};
    assert_int_equal(parl_abilities_parse(wrong[i].text, &a), PARL_STATUS_EINVAL);
    assert_contains(parl_error_text(), wrong[i].why);
    assert_contains(parl_error_text(), "train.abilities");
    assert_int_equal(a.n, 99);
  }
}

static void test_an_ability_has_all_its_modalities(void **state) {
  (void)state;
  assert_true(parl_ability_has("how_many", "how_many_image"));
  assert_true(parl_ability_has("how_many", "how_many"));
  assert_true(parl_ability_has("how_many_image", "how_many_image"));
  assert_false(parl_ability_has("how_many_image", "how_many_text"));
  assert_false(parl_ability_has("how_many_image", "how_many"));
  assert_false(parl_ability_has("how", "however"));
}

/* Shares 1/2, 1/4, 1/4 of four tasks at u = .5: at .125, .375, .625, .875. */
static void test_pick_by_hand(void **state) {
  (void)state;
  const parl_abilities a = parse("x=2,y=1,z=1");
  const size_t due[] = {0, 0, 1, 2};
  for (size_t i = 0; i < 4; i++) assert_int_equal(parl_abilities_pick(&a, i, 4, 0.5), due[i]);
  assert_int_equal(parl_abilities_pick(&a, 0, 1, 0), 0);
  assert_int_equal(parl_abilities_pick(&a, 0, 1, 0.5), 1); /* a share begins at its lower end */
  assert_int_equal(parl_abilities_pick(&a, 0, 1, 0.99), 2);
}

/* floor or ceil of the share in each update, the share itself in the mean. */
static void test_pick_keeps_shares(void **state) {
  (void)state;
  enum { N = 7, DRAWS = 4000 };
  const parl_abilities a = parse("x=5,y=3,z=2");
  const double share[] = {0.5, 0.3, 0.2};
  double mean[3] = {0};
  for (size_t d = 0; d < DRAWS; d++) {
    double n[3] = {0};
    for (size_t i = 0; i < N; i++) n[parl_abilities_pick(&a, i, N, ((double)d + 0.5) / DRAWS)]++;
    for (size_t k = 0; k < 3; k++) {
      assert_true(n[k] >= floor(share[k] * N) && n[k] <= ceil(share[k] * N));
      mean[k] += n[k] / DRAWS;
    }
  }
  for (size_t k = 0; k < 3; k++) assert_close(mean[k], share[k] * N, 1e-3);
}

/* --- with an environment --- */

static void draw(const char *abilities, size_t n_threads, int64_t update, parl_look looks[N_TASKS],
                 uint64_t seeds[N_TASKS]) {
  const parl_run_config config = count_config();
  const parl_abilities a = parse(abilities);
  parl_workers *workers = NULL;
  parl_rollout *rollout = NULL;
  size_t tasks[N_TASKS];
  assert_ok(parl_workers_create(n_threads, &workers));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = "tests/envs/kinds.lua",
                                                    .config = parl_run_config_get_swarm(&config),
                                                    .seats = *script_seats("serial"),
                                                    .n_slots = 4,
                                                    .workers = workers},
                                &rollout));
  assert_ok(parl_abilities_draw(&a, rollout, SEED, update, &(parl_ability_room){looks, tasks},
                                N_TASKS, seeds));
  for (size_t i = 0; i < N_TASKS; i++)
    looks[i] = (parl_look){.task_seed = seeds[i], .part = PARL_PART_TRAIN};
  assert_ok(parl_rollout_look(rollout, looks, N_TASKS));
  parl_rollout_destroy(rollout);
  parl_workers_destroy(workers);
}

/* A third hopeless: three of nine, at the end; who fits already stays; by any threads the same. */
static void test_draw(void **state) {
  (void)state;
  parl_look looks[N_TASKS];
  uint64_t seeds[N_TASKS], again[N_TASKS];
  size_t n_kept = 0;
  draw("plain=2,hopeless=1", 1, 3, looks, seeds);
  for (size_t i = 0; i < N_TASKS; i++) {
    assert_string_equal(looks[i].family, i < 6 ? "plain" : "hopeless");
    n_kept += seeds[i] == parl_seed(SEED, PARL_PURPOSE_TRAIN_TASK, 3, i);
    for (size_t k = 0; k < i; k++) assert_true(seeds[k] != seeds[i]);
  }
  assert_true(n_kept > 1 && n_kept < N_TASKS);
  draw("plain=2,hopeless=1", 3, 3, looks, again);
  assert_memory_equal(seeds, again, sizeof seeds);
  draw("plain=2,hopeless=1", 1, 4, looks, again);
  for (size_t i = 0; i < N_TASKS; i++) assert_true(seeds[i] != again[i]);
}

static void test_an_environment_without_it(void **state) {
  (void)state;
  parl_env *env = NULL;
  assert_ok(parl_env_create("tests/envs/kinds.lua", NULL, &(parl_env_options){0}, &env));
  const parl_abilities there = parse("plain=1,hopeless=1"), not = parse("plain=1,hopeful=1");
  assert_ok(parl_abilities_check(&there, env));
  assert_int_equal(parl_abilities_check(&not, env), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "no tasks of \"hopeful\"");
  assert_contains(parl_error_text(), "\"plain\", \"hopeless\"");
  parl_env_destroy(env);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shares),
      cmocka_unit_test(test_what_is_refused),
      cmocka_unit_test(test_an_ability_has_all_its_modalities),
      cmocka_unit_test(test_pick_by_hand),
      cmocka_unit_test(test_pick_keeps_shares),
      cmocka_unit_test(test_draw),
      cmocka_unit_test(test_an_environment_without_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
