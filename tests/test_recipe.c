/* tests/test_recipe.c - recipes before anything runs: overrides of all arms and of one, names,
 * seeds, what cannot go together, what changes nothing. */
#include "core/file.h"
#include "core/name.h"
#include "core/override.h"
#include "parl/run/recipe.h"
#include "tests/support.h"

#define COUNT_ENV "tests/envs/count.lua"

static const char two_arms[] =
    "return { env = { file = '" COUNT_ENV
    "', params = { n = 4 } },\n"
    "  lambda2 = { start = 0.2 },\n"
    "  arms = { { name = 'a.b-0', lambda1 = { shape = 'linear', start = 0.3 } },\n"
    "           { name = 'a=1:x', lambda1 = { shape = 'constant', start = 0 } } } }\n";

enum { CONSTANT, LINEAR };

typedef struct place {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 32];
} place;

static place make_recipe(const char *text, size_t n) {
  place p;
  parl_test_temp_folder(p.folder);
  snprintf(p.path, sizeof p.path, "%s/r.lua", p.folder);
  assert_ok(parl_file_write(p.path, text, n));
  return p;
}

static parl_recipe *load(const char *text, const char *const *sets, size_t n) {
  const place p = make_recipe(text, strlen(text));
  parl_recipe *recipe = NULL;
  assert_ok(parl_recipe_load(p.path, sets, n, NULL, &recipe));
  parl_test_remove_folder(p.folder);
  return recipe;
}

static void refuse_bytes(const char *text, size_t bytes, const char *const *sets, size_t n,
                         parl_status due, const char *part) {
  const place p = make_recipe(text, bytes);
  parl_recipe *recipe = NULL;
  assert_fails(parl_recipe_load(p.path, sets, n, NULL, &recipe), due, part);
  assert_null(recipe);
  parl_test_remove_folder(p.folder);
}

static void refuse(const char *text, const char *set, const char *part) {
  refuse_bytes(text, strlen(text), &set, set != NULL, PARL_STATUS_EINVAL, part);
}

/* --- overrides --- */

/* What arms set themselves is overridden too; an arm's own override wins whatever stands first. */
static void test_overrides_reach_every_arm(void **state) {
  (void)state;
  const char *const sets[] = {"a=1:x:lambda1.start=0.7", "lambda1.shape=constant",
                              "lambda1.start=0.5"};
  parl_recipe *r = load(two_arms, sets, 3);
  const parl_run_config *first = parl_recipe_get_arm(r, 0), *second = parl_recipe_get_arm(r, 1);
  assert_int_equal(first->weights[PARL_TERM_parallel].shape, CONSTANT);
  assert_int_equal(second->weights[PARL_TERM_parallel].shape, CONSTANT);
  assert_close(first->weights[PARL_TERM_parallel].start, 0.5, 0);
  assert_close(second->weights[PARL_TERM_parallel].start, 0.7, 0);
  assert_close(first->weights[PARL_TERM_finish].start, 0.2, 0);
  assert_string_equal(parl_recipe_get_warnings(r), "");
  parl_recipe_destroy(r);
  const char *const one[] = {"a.b-0:lambda1.start=0.1", "a.b-0:lambda1.start=0.2"};
  r = load(two_arms, one, 2);
  assert_close(parl_recipe_get_arm(r, 0)->weights[PARL_TERM_parallel].start, 0.2, 0);
  assert_int_equal(parl_recipe_get_arm(r, 0)->weights[PARL_TERM_parallel].shape, LINEAR);
  assert_close(parl_recipe_get_arm(r, 1)->weights[PARL_TERM_parallel].start, 0, 0);
  parl_recipe_destroy(r);
}

/* A recipe without arms has one, `trained`. Parameters of the environment are replaced, one or
 * all. */
static void test_overrides_of_other_recipes(void **state) {
  (void)state;
  static const char plain[] =
      "return { env = { file = '" COUNT_ENV "', params = { n = 4, hard = true } } }";
  const char *const sets[] = {"trained:lambda1.start=0.5", "env.params.n=7"};
  parl_recipe *r = load(plain, sets, 2);
  assert_close(parl_recipe_get_arm(r, 0)->weights[PARL_TERM_parallel].start, 0.5, 0);
  const parl_json *params = parl_recipe_get_env_params(r, 0);
  assert_close(parl_json_get_number(parl_json_find(params, "n")), 7, 0);
  assert_int_equal(parl_json_get_size(params), 2);
  parl_recipe_destroy(r);
  const char *const all[] = {"env.params={\"n\": 9}"};
  r = load(plain, all, 1);
  assert_int_equal(parl_json_get_size(parl_recipe_get_env_params(r, 0)), 1);
  parl_recipe_destroy(r);
}

static void test_bad_overrides(void **state) {
  (void)state;
  static const struct {
    const char *set, *part;
  } rows[] = {
      {"lambda1.start=abc", "--set lambda1.start=abc: lambda1.start = \"abc\": a number"},
      {"lambda1.start=nan", "lambda1.start"},
      {"lambda1.start=-1", "in [0, 1000]"},
      {"a.b-0:lambda1.start=1e999", "lambda1.start"},
      {"lambda1.shap=constant", "\"shape\""},
      {"lamda1.shape=constant", "\"lambda1\""},
      {"a.b-1:lambda1.start=1", "did you mean \"a.b-0\""},
      {"zzz:lambda1.start=1", "no arm \"zzz\"; there are a.b-0, a=1:x"},
      {":lambda1.start=1", "no arm \"\""},
      {"a.b-0:lambda1", "ARM:section.field=value"},
      {"a.b-0:start=1", "ARM:section.field=value"},
      {"=1", "section.field"},
      {".start=1", "section.field"},
      {"lambda1.=1", "section.field"},
      {"lambda1.start", "section.field"},
      {"lambda1.start.deep=1", "lambda1.start"},
      {"a.b-0:run.seed=3", "the same for all arms"},
      {"a.b-0:eval.seed=3", "the same for all arms"},
      {"a.b-0:eval.tasks=3", "the same for all arms"},
      {"arms.name=x", "arms"},
      {"name.x=x", "name must be a text"},
      {"summary.x=x", "summary must be a text"},
      {"question.x=x", "question must be a text"},
      {"model.preset=k3", "k2"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    refuse(two_arms, rows[i].set, rows[i].part);
  char longest[600];
  memset(longest, 'a', sizeof longest);
  memcpy(longest + sizeof longest - 5, ".b=1", 5);
  refuse(two_arms, longest, "section.field");
}

static void assert_warns(const char *const *sets, size_t n, const char *part) {
  parl_recipe *r = load(two_arms, sets, n);
  if (part[0] == '\0')
    assert_string_equal(parl_recipe_get_warnings(r), "");
  else
    assert_contains(parl_recipe_get_warnings(r), part);
  parl_recipe_destroy(r);
}

/* One that changes nothing says why; one that changes something in any arm says nothing. */
static void test_overrides_that_change_nothing(void **state) {
  (void)state;
  const char *const shadowed[] = {"a.b-0:lambda1.start=1", "a=1:x:lambda1.start=1",
                                  "lambda1.start=2"};
  assert_warns(shadowed, 3, "lambda1.start=2 changes nothing: every arm has a --set of its own");
  assert_warns(shadowed, 2, "");
  const char *const twice[] = {"train.tasks=3", "train.tasks=4"};
  assert_warns(twice, 2, "train.tasks=3 changes nothing: --set train.tasks=4 after it");
  const char *const whole[] = {"env.params.n=3", "env.params={\"n\": 4}"};
  assert_warns(whole, 2, "env.params.n=3 changes nothing");
  const char *const stop[] = {"lambda1.stop=0.1"};
  assert_warns(stop, 1, "");
  const char *const unread[] = {"a=1:x:lambda1.stop=0.1", "objective.epsilon=0.1",
                                "agents.reliability=0.5"};
  assert_warns(unread, 1, "lambda1.stop is not read where lambda1.shape = constant");
  assert_warns(unread + 1, 1, "objective.epsilon is not read where objective.kind = k25");
  assert_warns(unread + 2, 1, "agents.reliability is not read where agents.subs = policy");
  const char *const read[] = {"agents.reliability=0.5", "agents.subs=scripted"};
  assert_warns(read, 2, "");
  const char *const budget[] = {"episode.budget_factor=2", "episode.budget_steps=9"};
  assert_warns(budget, 2, "episode.budget_steps = 9");
}

/* --- terms --- */

static const char own_terms[] =
    "return { env = { file = '" COUNT_ENV
    "' }, lambda2 = { start = 0.2 },\n"
    "  terms = { parallel = { weight = { start = 0.4 } }, mine = { lua = 'turns' } },\n"
    "  arms = { { name = 'a', terms = { mine = { weight = { start = 0.3 } } } },\n"
    "           { name = 'b', terms = { also = { lua = 'launches' } } } } }\n";

/* Weights of own terms are overridden like sections, in all arms or in one. */
static void test_overrides_of_terms(void **state) {
  (void)state;
  const char *const sets[] = {"terms.mine.weight.shape=constant", "b:terms.mine.weight.start=0.7",
                              "terms.perf.weight.start=2", "b:terms.also.lua=turns + 1"};
  parl_recipe *r = load(own_terms, sets, 4);
  const parl_run_config *a = parl_recipe_get_arm(r, 0), *b = parl_recipe_get_arm(r, 1);
  assert_close(a->weights[PARL_TERM_parallel].start, 0.4, 0);
  assert_close(a->weights[PARL_TERM_finish].start, 0.2, 0);
  assert_close(b->weights[PARL_TERM_perf].start, 2, 0);
  assert_int_equal(a->own_terms->n, 1);
  assert_int_equal(b->own_terms->n, 2);
  assert_close(a->own_terms->items[0].weight.start, 0.3, 0);
  assert_int_equal(a->own_terms->items[0].weight.shape, CONSTANT);
  assert_string_equal(b->own_terms->items[0].lua, "turns + 1");
  assert_close(b->own_terms->items[1].weight.start, 0.7, 0);
  assert_string_equal(parl_recipe_get_warnings(r), "");
  parl_recipe_destroy(r);
  const char *const unread[] = {"terms.mine.weight.period=7", "terms.parallel.weight.period=7"};
  r = load(own_terms, unread, 2);
  assert_contains(parl_recipe_get_warnings(r),
                  "terms.mine.weight.period is not read where terms.mine.weight.shape = linear");
  assert_contains(parl_recipe_get_warnings(r), "where terms.parallel.weight.shape = linear");
  parl_recipe_destroy(r);
}

static void test_refused_overrides_of_terms(void **state) {
  (void)state;
  static const struct {
    const char *set, *part;
  } rows[] = {
      {"lambda1.start=1", "lambda1 and terms.parallel.weight are both given"},
      {"b:terms.finish.weight.start=1", "lambda2 and terms.finish.weight are both given"},
      {"terms.mine.weight.strat=1", "--set terms.mine.weight.strat=1: terms.mine.weight.strat"},
      {"terms.mine.weight.start=x", "terms.mine.weight.start = \"x\": a number"},
      {"terms.mine.wieght.start=1", "did you mean \"weight\"?"},
      {"terms.mien.weight.start=1", "terms.mien: there is no term of that name"},
      {"terms.mien.weight.start=1", "did you mean \"mine\"?"},
      {"a:terms.also.weight.start=1", "terms.also: there is no term of that name"},
      {"terms.mine.lua=7", "terms.mine.lua: a Lua expression in quotes"},
      {"terms.mine=7", "terms.mine is a number"},
      {"term.mine.lua=turns", "did you mean \"terms\"?"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    refuse(own_terms, rows[i].set, rows[i].part);
  const char *const loop[] = {"terms.mine.weight.shape=closed_loop",
                              "terms.mine.weight.metric=weighted_mien"};
  refuse_bytes(own_terms, strlen(own_terms), loop, 2, PARL_STATUS_EINVAL,
               "did you mean \"weighted_mine\"?");
  static const struct {
    const char *code, *part;
    parl_status due;
  } codes[] = {{"lanches", "launches", PARL_STATUS_ESCRIPT},
               {"1 +", "terms.mine.lua", PARL_STATUS_ESCRIPT},
               {"finished / assigned", "finishes at once", PARL_STATUS_ESCRIPT},
               {"group[K].r_pref", "terms.mine.lua", PARL_STATUS_ESCRIPT},
               {"while true do end", "rollout 1 of 8", PARL_STATUS_ELIMIT}};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    char set[128];
    const char *const sets[] = {set};
    snprintf(set, sizeof set, "terms.mine.lua=%s", codes[i].code);
    refuse_bytes(own_terms, strlen(own_terms), sets, 1, codes[i].due, codes[i].part);
  }
}

/* --- what cannot go together --- */

static void test_seeds_do_not_fold(void **state) {
  (void)state;
  const char *const last[] = {"run.seed=9007199254740989", "run.n_seeds=3"};
  parl_recipe *r = load(two_arms, last, 2);
  parl_recipe_destroy(r);
  const char *const beyond[] = {"run.seed=9007199254740990", "run.n_seeds=3"};
  refuse_bytes(two_arms, strlen(two_arms), beyond, 2, PARL_STATUS_EINVAL, "run.n_seeds = 3");
  refuse(two_arms, "run.seed=9007199254740992", "run.seed");
  refuse(two_arms, "eval.seed=9007199254740992", "eval.seed");
}

static void test_a_group_of_one(void **state) {
  (void)state;
  static const char *const modes[] = {"mean", "mean_std", "per_term", "batch", "loo", "gdpo"};
  for (size_t i = 0; i < 4; i++) {
    char mode[64];
    snprintf(mode, sizeof mode, "objective.advantage=%s", modes[i]);
    const char *const sets[] = {"train.group=1", mode};
    refuse_bytes(two_arms, strlen(two_arms), sets, 2, PARL_STATUS_EINVAL, "train.group = 1");
    assert_contains(parl_error_text(), "objective.advantage");
  }
  const char *const none[] = {"train.group=1", "objective.advantage=none"};
  parl_recipe_destroy(load(two_arms, none, 2));
}

/* Expressions are tried before anything is trained. */
static void test_expressions_are_tried(void **state) {
  (void)state;
  static const struct {
    const char *field, *code, *part;
  } rows[] = {
      {"reward.perf_lua", "r_pref", "r_pref"},
      {"reward.perf_lua", "1 +", "reward.perf_lua"},
      {"reward.perf_lua", "finished / assigned", "finishes at once"},
      {"reward.perf_lua", "assigned > 0 and 'x' or 1", "three sub-agents"},
      {"lambda1.lua", "0.3 - 0.1*t", "update 4"},
      {"lambda2.lua", "lauch_rate", "lambda2"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char set[128];
    snprintf(set, sizeof set, "%s=%s", rows[i].field, rows[i].code);
    const char *const sets[] = {set, "lambda1.shape=lua", "lambda2.shape=lua", "lambda1.lua=t",
                                "lambda2.lua=t"};
    const char *const reversed[] = {sets[1], sets[2], sets[3], sets[4], set};
    refuse_bytes(two_arms, strlen(two_arms), reversed, 5, PARL_STATUS_ESCRIPT, rows[i].part);
  }
  const char *const good[] = {"reward.perf_lua=success - 0.1*duplicates", "lambda1.shape=lua",
                              "lambda1.lua=launch_rate"};
  parl_recipe_destroy(load(two_arms, good, 3));
}

/* --- names --- */

static void refuse_name(const char *where, const char *name, const char *part) {
  char text[512];
  snprintf(text, sizeof text,
           strcmp(where, "arm") == 0 ? "return { env = { file = '" COUNT_ENV
                                       "' }, arms = { { name = \"%s\" } } }"
                                     : "return { env = { file = '" COUNT_ENV "' }, name = \"%s\" }",
           name);
  refuse(text, NULL, part);
}

static void test_names_are_plain(void **state) {
  (void)state;
  static const struct {
    const char *name, *part;
  } rows[] = {
      {"a\\nb", "byte 2 (0x0a) is a control character"},
      {"a\\tb", "byte 2 (0x09)"},
      {"\\x1b[31m", "byte 1 (0x1b)"},
      {"ab\\x7f", "byte 3 (0x7f)"},
      {"a\\xc2\\x85", "byte 2 (0xc2) is a control character"},
      {"ab\\xff", "byte 3 (0xff) is no UTF-8"},
      {"\\xc3", "byte 1 (0xc3) is no UTF-8"},
      {"\\xed\\xa0\\x80", "byte 1 (0xed) is no UTF-8"},
      {"a\\0b", "zero byte"},
      {"", "is empty"},
      {"a/b", "'/'"},
      {".a", "begin with '.'"},
      {"0123456789012345678901234567890123456789012345678901234567890123", "64 bytes; at most 63"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    refuse_name("arm", rows[i].name, rows[i].part);
    refuse_name("recipe", rows[i].name, rows[i].part);
  }
  assert_ok(parl_name_check("x", "\xce\xbb = 0.3, \"quoted\""));
  assert_ok(
      parl_name_check("x", "012345678901234567890123456789012345678901234567890123456789012"));
}

static void test_names_that_mean_something(void **state) {
  (void)state;
  static const char *const taken[] = {"untrained", "eval",          "serial",
                                      "oracle",    "random",        "optimum",
                                      "oracle@a",  "warm-0123abcd", "untrained@"};
  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
    refuse_name("arm", taken[i], "that name means");
  refuse("return { env = { file = '" COUNT_ENV "' }, arms = { { name = 'a' }, { name = 'a' } } }",
         NULL, "two arms are named \"a\"");
  parl_recipe_destroy(load("return { env = { file = '" COUNT_ENV
                           "' }, arms = { { name = 'warm-1' }, { name = 'serially' } } }",
                           NULL, 0));
}

/* Styles are known once the environment is open. */
static void test_styles_are_no_arms(void **state) {
  (void)state;
  parl_recipe *r = load("return { env = { file = '" COUNT_ENV
                        "' }, warm = { mix = 'serial=1' }, eval = { baselines = 'serial' },"
                        " arms = { { name = 'a' }, { name = 'wide' } } }",
                        NULL, 0);
  parl_env *env = NULL;
  const parl_run_config *c = parl_recipe_get_arm(r, 0);
  assert_ok(parl_recipe_open_env(r, 0, NULL, &env));
  assert_fails(parl_recipe_check_env(r, c, parl_env_get_spec(env)), PARL_STATUS_EINVAL,
               "arm \"wide\": that name means an expert style");
  parl_env_destroy(env);
  parl_recipe_destroy(r);
}

/* --- the text of a recipe --- */

static void test_marks_in_front(void **state) {
  (void)state;
  static const char *const fronts[] = {"", "\xef\xbb\xbf", "#!/usr/bin/env parl\n",
                                       "\xef\xbb\xbf#!/usr/bin/env parl\r\n", "\r\n"};
  for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++) {
    char text[256];
    snprintf(text, sizeof text, "%sreturn { env = { file = '" COUNT_ENV "' },\r\n train = {} }\r\n",
             fronts[i]);
    parl_recipe_destroy(load(text, NULL, 0));
  }
  refuse_bytes("#!x\nreturn {\n", 13, NULL, 0, PARL_STATUS_ESCRIPT, "r.lua:3:");
  place p;
  parl_test_temp_folder(p.folder);
  snprintf(p.path, sizeof p.path, "%s/r.json", p.folder);
  static const char json[] = "\xef\xbb\xbf{\"env\": {\"file\": \"" COUNT_ENV "\"}}\r\n";
  assert_ok(parl_file_write(p.path, json, sizeof json - 1));
  parl_recipe *r = NULL;
  assert_ok(parl_recipe_load(p.path, NULL, 0, NULL, &r));
  parl_recipe_destroy(r);
  parl_test_remove_folder(p.folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_overrides_reach_every_arm),
      cmocka_unit_test(test_overrides_of_other_recipes),
      cmocka_unit_test(test_bad_overrides),
      cmocka_unit_test(test_overrides_that_change_nothing),
      cmocka_unit_test(test_seeds_do_not_fold),
      cmocka_unit_test(test_a_group_of_one),
      cmocka_unit_test(test_expressions_are_tried),
      cmocka_unit_test(test_overrides_of_terms),
      cmocka_unit_test(test_refused_overrides_of_terms),
      cmocka_unit_test(test_names_are_plain),
      cmocka_unit_test(test_names_that_mean_something),
      cmocka_unit_test(test_styles_are_no_arms),
      cmocka_unit_test(test_marks_in_front),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
