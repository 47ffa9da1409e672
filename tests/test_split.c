/* tests/test_split.c - prompts that only evaluation sees: exactly, for any threads and any order of
 * draws, within the family; and where there are too few of them, none.
 *
 * Run with --measure, the program prints how many held-out prompts training meets, with and without
 * the split, in every environment, or in the one that is named (docs/environments.md). */
#include <math.h>
#include <stdlib.h>

#include "parl/swarm/split.h"
#include "parl/swarm/trajectory.h"
#include "tests/rollout_support.h"

enum { N_TASKS = 400, N_FEW = 60, MAX_TOKENS = PARL_ENV_MAX_OBSERVATION };
static const double SHARE = 0.2;

typedef struct prompt {
  size_t n;
  int32_t tokens[MAX_TOKENS];
  char family[PARL_FAMILY_BYTES];
} prompt;

static parl_env *open_env(const char *path, const char *text) {
  parl_env *env = NULL;
  parl_json *params = count_params(text);
  assert_ok(parl_env_create(path, params, &(parl_env_options){0}, &env));
  parl_json_destroy(params);
  return env;
}

static prompt *get_prompt(parl_env *env, uint64_t task_seed) {
  prompt *p = calloc(1, sizeof *p);
  parl_world world;
  parl_agent agent;
  assert_non_null(p);
  assert_ok(parl_env_reset(env, task_seed, 1, &world, &agent));
  assert_ok(parl_env_prompt(env, world, p->tokens, MAX_TOKENS, &p->n));
  assert_ok(parl_env_get_family(env, world, p->family, sizeof p->family));
  parl_env_release(env, world);
  return p;
}

static bool is_same(const prompt *a, const prompt *b) {
  return a->n == b->n && memcmp(a->tokens, b->tokens, a->n * sizeof a->tokens[0]) == 0;
}

static parl_draw draw(parl_split *split, parl_part part, uint64_t task_seed) {
  parl_draw d = {0};
  assert_ok(parl_split_draw(split, part, task_seed, &d));
  return d;
}

/* Prompts of the tasks that are played for the seeds first, first + 1, ... */
static void draw_prompts(parl_env *env, parl_split *split, parl_part part, uint64_t first, size_t n,
                         prompt **out) {
  for (size_t i = 0; i < n; i++) out[i] = get_prompt(env, draw(split, part, first + i).task_seed);
}

static size_t count_shared(prompt *const *a, prompt *const *b, size_t n) {
  size_t n_shared = 0;
  for (size_t i = 0; i < n; i++) {
    bool seen = false;
    for (size_t k = 0; k < n && !seen; k++) seen = is_same(a[i], b[k]);
    n_shared += seen;
  }
  return n_shared;
}

static void forget(prompt **p, size_t n) {
  for (size_t i = 0; i < n; i++) free(p[i]);
}

/* Without the split most held-out prompts come up in training; with it none does. */
static void test_no_held_out_prompt_is_trained(void **state) {
  (void)state;
  parl_env *env = open_env("envs/wide_search.lua", "{\"rows_min\":4,\"rows_max\":8}");
  parl_split *split = NULL;
  static prompt *train[N_TASKS], *held_out[N_TASKS];
  assert_ok(parl_split_create(env, 0, 1, &split));
  draw_prompts(env, split, PARL_PART_TRAIN, 1000, N_TASKS, train);
  draw_prompts(env, split, PARL_PART_HELD_OUT, 5000, N_TASKS, held_out);
  assert_true(count_shared(held_out, train, N_TASKS) > N_TASKS / 3);
  assert_false(draw(split, PARL_PART_HELD_OUT, 5000).held_out);
  forget(train, N_TASKS);
  forget(held_out, N_TASKS);
  parl_split_destroy(split);
  assert_ok(parl_split_create(env, SHARE, 1, &split));
  draw_prompts(env, split, PARL_PART_TRAIN, 1000, N_TASKS, train);
  draw_prompts(env, split, PARL_PART_HELD_OUT, 5000, N_TASKS, held_out);
  assert_int_equal(count_shared(held_out, train, N_TASKS), 0);
  assert_int_equal(count_shared(train, held_out, N_TASKS), 0);
  for (uint64_t i = 0; i < N_TASKS; i++) {
    assert_true(draw(split, PARL_PART_HELD_OUT, 5000 + i).held_out);
    assert_false(draw(split, PARL_PART_TRAIN, 1000 + i).held_out);
  }
  forget(train, N_TASKS);
  forget(held_out, N_TASKS);
  parl_split_destroy(split);
  parl_env_destroy(env);
}

/* The environments of projects have prompts enough: all of them are split. */
static void test_projects_are_split(void **state) {
  static const char *const names[] = {"code_assistant", "test_generation", "survey", "bugfix"};
  (void)state;
  for (size_t e = 0; e < 4; e++) {
    char path[64];
    snprintf(path, sizeof path, "envs/%s.lua", names[e]);
    parl_env *env = open_env(path, "{}");
    parl_split *split = NULL;
    static prompt *train[N_FEW], *held_out[N_FEW];
    assert_ok(parl_split_create(env, SHARE, 1, &split));
    draw_prompts(env, split, PARL_PART_TRAIN, 1000, N_FEW, train);
    draw_prompts(env, split, PARL_PART_HELD_OUT, 5000, N_FEW, held_out);
    for (uint64_t i = 0; i < N_FEW; i++)
      assert_true(draw(split, PARL_PART_HELD_OUT, 5000 + i).held_out);
    assert_int_equal(count_shared(held_out, train, N_FEW), 0);
    forget(train, N_FEW);
    forget(held_out, N_FEW);
    parl_split_destroy(split);
    parl_env_destroy(env);
  }
}

/* About a fifth of the prompts is held out, and another seed holds out others. A task that is right
 * stays; PARL_PART_ANY leaves all. */
static void test_share_and_seed(void **state) {
  (void)state;
  parl_env *env = open_env("envs/wide_search.lua", "{}");
  parl_split *a = NULL, *b = NULL;
  assert_ok(parl_split_create(env, SHARE, 1, &a));
  assert_ok(parl_split_create(env, SHARE, 2, &b));
  enum { N = 3000 };
  size_t n_a = 0, n_both = 0;
  for (uint64_t i = 0; i < N; i++) {
    const bool in_a = draw(a, PARL_PART_HELD_OUT, i).task_seed == i;
    const bool in_b = draw(b, PARL_PART_HELD_OUT, i).task_seed == i;
    n_a += in_a;
    n_both += in_a && in_b;
    assert_int_equal(draw(a, PARL_PART_TRAIN, i).task_seed == i, !in_a);
    assert_int_equal(draw(a, PARL_PART_ANY, i).task_seed, i);
  }
  assert_true(fabs((double)n_a / N - SHARE) < 0.08);
  assert_true(n_both < n_a / 2);
  parl_split_destroy(a);
  parl_split_destroy(b);
  parl_env_destroy(env);
}

/* What is played depends on the seed and the part, not on what was drawn before or by whom. */
static void test_draws_do_not_depend_on_their_order(void **state) {
  (void)state;
  enum { N = 100 };
  parl_env *env = open_env("envs/swarm_mix.lua", "{\"preset\":\"wide_chain\"}");
  parl_split *a = NULL, *b = NULL;
  assert_ok(parl_split_create(env, SHARE, 1, &a));
  assert_ok(parl_split_create(env, SHARE, 1, &b));
  uint64_t forward[N];
  for (uint64_t i = 0; i < N; i++) forward[i] = draw(a, PARL_PART_HELD_OUT, i).task_seed;
  for (uint64_t i = N; i-- > 0;) {
    (void)draw(b, PARL_PART_TRAIN, i);
    assert_int_equal(draw(b, PARL_PART_HELD_OUT, i).task_seed, forward[i]);
    assert_int_equal(draw(b, PARL_PART_HELD_OUT, i).task_seed, forward[i]);
  }
  parl_split_destroy(a);
  parl_split_destroy(b);
  parl_env_destroy(env);
}

/* Chains have six prompts: they stay as they are, while the other half of the mixture is split and
 * redrawn within itself, so that the halves stay halves. */
static void test_few_prompts_are_not_split(void **state) {
  (void)state;
  parl_env *env = open_env("envs/swarm_mix.lua", "{\"preset\":\"wide_chain\"}");
  parl_split *split = NULL;
  assert_ok(parl_split_create(env, SHARE, 1, &split));
  size_t n_chains = 0, n_redrawn = 0;
  for (uint64_t i = 0; i < N_TASKS; i++) {
    const parl_draw d = draw(split, PARL_PART_HELD_OUT, i);
    prompt *asked = get_prompt(env, i), *played = get_prompt(env, d.task_seed);
    const bool is_chain = strcmp(asked->family, "chain") == 0;
    assert_string_equal(played->family, asked->family);
    assert_int_equal(d.held_out, !is_chain);
    if (is_chain) assert_int_equal(d.task_seed, i);
    n_chains += is_chain;
    n_redrawn += d.task_seed != i;
    free(asked);
    free(played);
  }
  assert_true(n_chains > N_TASKS / 3);
  assert_true(n_redrawn > N_TASKS / 4);
  parl_split_destroy(split);
  parl_env_destroy(env);
}

/* A part that no task is of is an error that names the field, not a loop without end. */
static void test_a_part_without_prompts_is_refused(void **state) {
  (void)state;
  parl_env *env = open_env("envs/wide_search.lua", "{}");
  parl_split *split = NULL;
  assert_ok(parl_split_create(env, 1e-9, 1, &split));
  parl_draw d = {42, true};
  assert_fails(parl_split_draw(split, PARL_PART_HELD_OUT, 7, &d), PARL_STATUS_EINVAL,
               "env.holdout");
  assert_int_equal(d.task_seed, 42);
  assert_ok(parl_split_draw(split, PARL_PART_TRAIN, 7, &d));
  assert_int_equal(d.task_seed, 7);
  parl_split_destroy(split);
  assert_status(parl_split_create(env, 1, 1, &split), PARL_STATUS_EINVAL);
  parl_env_destroy(env);
}

static double get_optimum(parl_env *env, uint64_t task_seed) {
  parl_world world;
  parl_agent agent;
  parl_env_optimum optimum;
  assert_ok(parl_env_reset(env, task_seed, 1, &world, &agent));
  assert_ok(parl_env_get_optimum(env, world, &optimum));
  parl_env_release(env, world);
  return (double)optimum.critical_steps;
}

/* Plays N_TASKS scripted episodes of a part; the task seeds they say they played, and did. */
static void play(parl_part part, size_t n_workers, uint64_t first, uint64_t *out) {
  parl_run_config config = count_config();
  parl_env *env = open_env("envs/wide_search.lua", "{}");
  config.env.holdout = SHARE;
  parl_workers *workers = NULL;
  parl_rollout *rollout = NULL;
  parl_trajectories *set = NULL;
  static parl_job jobs[N_TASKS];
  assert_ok(parl_workers_create(n_workers, &workers));
  assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = N_TASKS}, &set));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = "envs/wide_search.lua",
                                                    .config = parl_run_config_get_swarm(&config),
                                                    .n_slots = 8,
                                                    .workers = workers},
                                &rollout));
  for (size_t i = 0; i < N_TASKS; i++)
    jobs[i] = (parl_job){.task_seed = first + i / 2,
                         .seats = script_seats("serial"),
                         .part = part,
                         .out = parl_trajectories_get(set, i)};
  assert_ok(parl_rollout_run(rollout, jobs, N_TASKS, NULL));
  for (size_t i = 0; i < N_TASKS; i++) {
    out[i] = jobs[i].out->task_seed;
    assert_int_equal(jobs[i].out->held_out, part == PARL_PART_HELD_OUT);
    assert_false(jobs[i].out->failed);
    assert_close(jobs[i].out->facts.optimum_steps, get_optimum(env, out[i]), 0);
  }
  parl_rollout_destroy(rollout);
  parl_trajectories_destroy(set);
  parl_workers_destroy(workers);
  parl_env_destroy(env);
}

static void test_rollouts_play_the_part(void **state) {
  (void)state;
  static uint64_t one[N_TASKS], three[N_TASKS];
  parl_env *env = open_env("envs/wide_search.lua", "{}");
  parl_split *split = NULL;
  assert_ok(parl_split_create(env, SHARE, 1, &split));
  for (int part = PARL_PART_ANY; part <= PARL_PART_HELD_OUT; part++) {
    play((parl_part)part, 1, 77, one);
    play((parl_part)part, 3, 77, three);
    for (size_t i = 0; i < N_TASKS; i++) {
      assert_int_equal(one[i], three[i]);
      assert_int_equal(one[i], draw(split, (parl_part)part, 77 + i / 2).task_seed);
    }
  }
  parl_split_destroy(split);
  parl_env_destroy(env);
}

/* --- what training meets --- */

/* Tasks of a run of 150 updates behind a warm start of 150 steps, the defaults. */
enum { N_DEMOS = 150 * 64, N_PROBES = 512 / 8, N_TRAIN = 150 * 8, N_EVAL = 500 };
enum { N_MET = N_DEMOS + N_PROBES + N_TRAIN };

static int compare(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint64_t hash_task(parl_env *env, parl_split *split, parl_part part, uint64_t seed) {
  prompt *p = get_prompt(env, draw(split, part, seed).task_seed);
  uint64_t h = p->n;
  for (size_t i = 0; i < p->n; i++) h = parl_rng_stream(h, (uint64_t)p->tokens[i], 0, 0);
  free(p);
  return h;
}

/* Share of the held-out prompts that a run with seed 1 meets before it is evaluated; *n_prompts:
 * different ones among those it meets. */
static double get_met(parl_env *env, double share, size_t *n_prompts, double *held_out) {
  static uint64_t met[N_MET];
  parl_split *split = NULL;
  assert_ok(parl_split_create(env, share, 1, &split));
  for (uint64_t i = 0; i < N_MET; i++) {
    const uint64_t k = i - N_DEMOS, u = k - N_PROBES;
    const uint64_t seed = i < N_DEMOS    ? parl_seed(1, PARL_PURPOSE_DEMO_TASK, i / 64, i % 64)
                          : k < N_PROBES ? parl_seed(1, PARL_PURPOSE_PROBE_TASK, 0, k)
                                         : parl_seed(1, PARL_PURPOSE_TRAIN_TASK, u / 8, u % 8);
    met[i] = hash_task(env, split, PARL_PART_TRAIN, seed);
  }
  qsort(met, N_MET, sizeof met[0], compare);
  *n_prompts = 0;
  for (size_t i = 0; i < N_MET; i++) *n_prompts += i == 0 || met[i] != met[i - 1];
  double n = 0;
  *held_out = 0;
  for (uint64_t i = 0; i < N_EVAL; i++) {
    const uint64_t seed = parl_seed(1000003, PARL_PURPOSE_EVAL_TASK, 0, i);
    const uint64_t h = hash_task(env, split, PARL_PART_HELD_OUT, seed);
    n += bsearch(&h, met, N_MET, sizeof met[0], compare) != NULL;
    *held_out += draw(split, PARL_PART_HELD_OUT, seed).held_out / (double)N_EVAL;
  }
  parl_split_destroy(split);
  return n / N_EVAL;
}

static int measure(const char *only) {
  static const char *const cases[][2] = {
      {"wide_search", "default"},
      {"wide_search", "easy"},
      {"wide_search", "hard"},
      {"deep_search", "default"},
      {"dag", "default"},
      {"dag", "easy"},
      {"batch_download", "default"},
      {"long_read", "default"},
      {"chain", "default"},
      {"lure", "default"},
      {"swarm_mix", "default"},
      {"swarm_mix", "wide_chain"},
      {"code_assistant", "default"},
      {"test_generation", "default"},
      {"survey", "default"},
      {"bugfix", "default"},
      {"shapes", "default"},
      {"ocr", "default"},
      {"chart", "default"},
      {"motion", "default"},
      {"look_wide", "default"},
  };
  puts(
      "| environment | preset | prompts met | met before, unsplit | split | met before |\n"
      "|---|---|--:|--:|--:|--:|");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char path[64], params[64];
    if (only != NULL && strcmp(only, cases[i][0]) != 0) continue;
    snprintf(path, sizeof path, "envs/%s.lua", cases[i][0]);
    snprintf(params, sizeof params, "{\"preset\":\"%s\"}", cases[i][1]);
    parl_env *env = open_env(path, params);
    size_t n, n_split;
    double none, held_out;
    const double before = get_met(env, 0, &n, &none);
    const double after = get_met(env, SHARE, &n_split, &held_out);
    printf("| `%s` | %s | %zu | %.3f | %.3f | %.3f |\n", cases[i][0], cases[i][1], n, before,
           held_out, after);
    fflush(stdout);
    parl_env_destroy(env);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--measure") == 0) return measure(argc > 2 ? argv[2] : NULL);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_held_out_prompt_is_trained),
      cmocka_unit_test(test_projects_are_split),
      cmocka_unit_test(test_share_and_seed),
      cmocka_unit_test(test_draws_do_not_depend_on_their_order),
      cmocka_unit_test(test_few_prompts_are_not_split),
      cmocka_unit_test(test_a_part_without_prompts_is_refused),
      cmocka_unit_test(test_rollouts_play_the_part),
  };
  return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
