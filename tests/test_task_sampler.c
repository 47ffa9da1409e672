/* tests/test_task_sampler.c - which candidate begins: by hand, by its chances, across threads and
 * checkpoints. */
#include "core/rng.h"
#include "parl/learn/task_sampler.h"
#include "tests/rollout_support.h"

enum { N_TASKS = 6, C = 5, SEED = 7 };

/* --- the formulas --- */

static const parl_candidate five[] = {
    {.difficulty = 7, .score = 0.5},   {.difficulty = 3, .score = 1},
    {.difficulty = 9, .score = 0},     {.difficulty = 3, .score = 0.25},
    {.difficulty = 1, .failed = true},
};

/* Ranks: 1, 3, 0, 2, and the failure behind them. */
static void test_easy_by_hand(void **state) {
  (void)state;
  assert_int_equal(parl_pick_easy(five, 5, 1, 0.99), 1);
  assert_int_equal(parl_pick_easy(five, 5, 2, 0.49), 1);
  assert_int_equal(parl_pick_easy(five, 5, 2, 0.51), 3);
  assert_int_equal(parl_pick_easy(five, 5, 4, 0.60), 0);
  assert_int_equal(parl_pick_easy(five, 5, 4, 0.80), 2);
  assert_int_equal(parl_pick_easy(five, 5, 5, 0.99), 2); /* four can be made */
  assert_int_equal(parl_pick_easy(&five[4], 1, 1, 0.5), 0);
}

static void test_count_by_hand(void **state) {
  (void)state;
  const size_t due[] = {1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4};
  for (int64_t update = 0; update < 12; update++)
    assert_int_equal(parl_count_easiest(update, 10, 4), due[update]);
  assert_int_equal(parl_count_easiest(0, 0, 4), 4);
  assert_int_equal(parl_count_easiest(0, 10, 1), 1);
}

/* Weights .6, .1, 1.1, .85, none: sums .6, .7, 1.8, 2.65. */
static void test_prioritised_by_hand(void **state) {
  (void)state;
  const double ends[] = {0.6, 0.7, 1.8, 2.65};
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(parl_pick_prioritised(five, 5, 0.1, (ends[i] - 0.01) / 2.65), i);
    if (i < 3)
      assert_int_equal(parl_pick_prioritised(five, 5, 0.1, (ends[i] + 0.01) / 2.65), i + 1);
  }
  assert_int_equal(parl_pick_prioritised(&five[1], 1, 0, 0.9), 0); /* all weights are 0 */
  assert_int_equal(parl_pick_prioritised(five, 2, 0, 0.9), 0);     /* never what is always solved */
  assert_int_equal(parl_pick_prioritised(&five[4], 1, 0.1, 0.9), 0);
}

static void test_bins(void **state) {
  (void)state;
  const int64_t steps[] = {-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 22, 23, 31, 32};
  const int due[] = {0, 0, 0, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10};
  for (size_t i = 0; i < sizeof due / sizeof due[0]; i++)
    assert_int_equal(parl_bin_of_steps(steps[i]), due[i]);
  assert_int_equal(parl_bin_of_steps(INT64_MAX), PARL_MAX_TASK_BIN);
  assert_int_equal(parl_least_of_bin(0), 0);
  for (int bin = 2; bin <= PARL_MAX_TASK_BIN; bin++) {
    const int64_t least = parl_least_of_bin(bin);
    assert_int_equal(parl_bin_of_steps(least), bin);
    assert_true(parl_bin_of_steps(least - 1) < bin);
  }
}

/* With many candidates the shares of kinds are those of their chances; with one they are as
 * drawn. A kind of share q and success s: q (1 - s + floor) / the sum of all. */
static void test_shares(void **state) {
  (void)state;
  enum { N = 20000, MANY = 64 };
  const double q[] = {0.5, 0.3, 0.2}, s[] = {0.9, 0.4, 0.0}, floor = 0.1;
  const size_t counts[] = {1, 4, MANY};
  double last = 0;
  for (size_t k = 0; k < 3; k++) {
    double share[3] = {0}, due = 0;
    parl_candidate c[MANY];
    int kind[MANY];
    parl_rng_cursor rng = {.seed = 3, .stream = 1};
    for (size_t i = 0; i < N; i++) {
      for (size_t j = 0; j < counts[k]; j++) {
        const double u = parl_rng_next_uniform(&rng);
        kind[j] = u < q[0] ? 0 : u < q[0] + q[1] ? 1 : 2;
        c[j] = (parl_candidate){.score = s[kind[j]]};
      }
      share[kind[parl_pick_prioritised(c, counts[k], floor, parl_rng_next_uniform(&rng))]] +=
          1.0 / N;
    }
    for (size_t i = 0; i < 3; i++) due += q[i] * (1 - s[i] + floor);
    for (size_t i = 0; i < 3; i++) {
      if (counts[k] == 1) assert_close(share[i], q[i], 0.015);
      if (counts[k] == MANY) assert_close(share[i], q[i] * (1 - s[i] + floor) / due, 0.02);
    }
    assert_true(share[2] > last); /* more candidates, more of what fails */
    last = share[2];
  }
}

/* The mean rank rises with the easiest that may begin, and all of them are an even draw. */
static void test_curriculum_rises(void **state) {
  (void)state;
  enum { N = 4000, MANY = 8 };
  double last = -1;
  for (size_t m = 1; m <= MANY; m++) {
    double mean = 0, n[MANY] = {0};
    parl_rng_cursor rng = {.seed = 4, .stream = m};
    for (size_t i = 0; i < N; i++) {
      parl_candidate c[MANY];
      for (size_t j = 0; j < MANY; j++)
        c[j] = (parl_candidate){.difficulty = (double)((5 * j + 3) % 8)};
      const size_t chosen = parl_pick_easy(c, MANY, m, parl_rng_next_uniform(&rng));
      mean += c[chosen].difficulty / N;
      n[chosen]++;
    }
    assert_close(mean, (double)(m - 1) / 2, 0.12);
    assert_true(mean > last);
    last = mean;
    for (size_t j = 0; m == MANY && j < MANY; j++) assert_close(n[j] / N, 1.0 / MANY, 0.02);
  }
}

/* --- the sampler --- */

typedef struct fixture {
  parl_run_config config;
  parl_workers *workers;
  parl_rollout *rollout;
  parl_task_sampler *sampler;
} fixture;

static parl_task_sampler *make_sampler(const fixture *f, parl_sampling sampling, size_t n) {
  parl_task_sampler *sampler = NULL;
  assert_ok(parl_task_sampler_create(&(parl_task_sampler_def){.sampling = sampling,
                                                              .n_tasks = N_TASKS,
                                                              .n_candidates = n,
                                                              .end = 10,
                                                              .floor = 0.1,
                                                              .window = 4,
                                                              .seed = SEED,
                                                              .rollout = f->rollout},
                                     &sampler));
  return sampler;
}

static void open_fixture(fixture *f, parl_sampling sampling, size_t n_threads, const char *params) {
  *f = (fixture){.config = count_config()};
  f->config.env.on_error = PARL_ON_ERROR_SKIP;
  parl_json *tree = count_params(params);
  assert_ok(parl_workers_create(n_threads, &f->workers));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = "tests/envs/kinds.lua",
                                                    .env_params = tree,
                                                    .config = parl_run_config_get_swarm(&f->config),
                                                    .seats = *script_seats("serial"),
                                                    .n_slots = 4,
                                                    .workers = f->workers},
                                &f->rollout));
  parl_json_destroy(tree);
  f->sampler = make_sampler(f, sampling, C);
}

static void close_fixture(fixture *f) {
  parl_task_sampler_destroy(f->sampler);
  parl_rollout_destroy(f->rollout);
  parl_workers_destroy(f->workers);
}

/* Plays what was drawn, one rollout a task, and lets the sampler see those that did not fail. */
static void play_and_observe(const fixture *f, const uint64_t *seeds) {
  parl_trajectories *set = NULL;
  parl_job jobs[N_TASKS];
  assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = N_TASKS}, &set));
  for (size_t i = 0; i < N_TASKS; i++)
    jobs[i] = (parl_job){.task_seed = seeds[i],
                         .episode_seed = i,
                         .part = PARL_PART_TRAIN,
                         .out = parl_trajectories_get(set, i)};
  assert_ok(parl_rollout_run(f->rollout, jobs, N_TASKS, NULL));
  parl_task_sampler_begin(f->sampler);
  if (!jobs[0].out->failed) parl_task_sampler_observe(f->sampler, &jobs[0], 1);
  parl_task_sampler_begin(f->sampler); /* it was stopped and played again */
  for (size_t i = 0; i < N_TASKS; i++)
    if (!jobs[i].out->failed) parl_task_sampler_observe(f->sampler, &jobs[i], 1);
  parl_trajectories_destroy(set);
}

static parl_json *get_state(const parl_task_sampler *sampler, char *out, size_t n) {
  parl_text text = {0};
  parl_json *tree = NULL;
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_task_sampler_write(sampler, &w);
  parl_json_end_object(&w);
  assert_ok(parl_json_parse(parl_text_get(&text), text.n, "state", &tree));
  if (out != NULL) snprintf(out, n, "%s", parl_text_get(&text));
  parl_text_deinit(&text);
  return tree;
}

enum { N_UPDATES = 20, STATE_BYTES = 4096 };

typedef struct history {
  uint64_t seeds[N_UPDATES][N_TASKS];
  parl_task_counts counts[N_UPDATES];
  char state[STATE_BYTES];
} history;

/* How updates follow each other. */
typedef enum order { PLAIN, SAVED, AHEAD } order;

/* Update by update; SAVED: with a checkpoint behind every one into a new sampler; AHEAD: the next
 * is drawn before one is over. */
static void run(parl_sampling sampling, size_t n_threads, order how, const char *params,
                history *out) {
  fixture f;
  open_fixture(&f, sampling, n_threads, params);
  for (int64_t update = 0; update < N_UPDATES; update++) {
    uint64_t *seeds = out->seeds[update];
    if (how != AHEAD || update == 0)
      assert_ok(parl_task_sampler_draw(f.sampler, update, false, N_TASKS, seeds));
    play_and_observe(&f, seeds);
    if (how == AHEAD && update + 1 < N_UPDATES)
      assert_ok(
          parl_task_sampler_draw(f.sampler, update + 1, true, N_TASKS, out->seeds[update + 1]));
    out->counts[update] = parl_task_sampler_commit(f.sampler);
    if (how != SAVED) continue;
    parl_json *tree = get_state(f.sampler, NULL, 0);
    parl_task_sampler_destroy(f.sampler);
    f.sampler = make_sampler(&f, sampling, C);
    assert_ok(parl_task_sampler_read(f.sampler, tree));
    parl_json_destroy(tree);
  }
  parl_json_destroy(get_state(f.sampler, out->state, STATE_BYTES));
  close_fixture(&f);
}

static void test_threads_and_checkpoints(void **state) {
  (void)state;
  static history whole, other;
  for (int k = 0; k < 4; k++) {
    const parl_sampling sampling =
        k % 2 == 0 ? PARL_SAMPLING_CURRICULUM : PARL_SAMPLING_PRIORITISED;
    const char *params = k < 2 ? "{}" : "{\"stillborn\":0.3}";
    run(sampling, 1, PLAIN, params, &whole);
    for (size_t threads = 1; threads <= 3; threads++) {
      run(sampling, threads, threads == 1 ? SAVED : threads == 2 ? AHEAD : PLAIN, params, &other);
      assert_memory_equal(whole.seeds, other.seeds, sizeof whole.seeds);
      assert_memory_equal(whole.counts, other.counts, sizeof whole.counts);
      assert_string_equal(whole.state, other.state);
    }
  }
}

static parl_task_counts finish(parl_task_sampler *sampler) {
  parl_task_sampler_begin(sampler);
  return parl_task_sampler_commit(sampler);
}

/* With one candidate the tasks are those of the stream. */
static void test_one_candidate_is_none(void **state) {
  (void)state;
  fixture f;
  uint64_t seeds[N_TASKS];
  open_fixture(&f, PARL_SAMPLING_PRIORITISED, 2, "{}");
  parl_task_sampler *one = make_sampler(&f, PARL_SAMPLING_PRIORITISED, 1);
  assert_ok(parl_task_sampler_draw(one, 3, false, N_TASKS, seeds));
  for (size_t i = 0; i < N_TASKS; i++)
    assert_true(seeds[i] == parl_seed(SEED, PARL_PURPOSE_TRAIN_TASK, 3, i));
  assert_true(finish(one).choice == 0);
  assert_ok(parl_task_sampler_draw(f.sampler, 3, false, 0, seeds)); /* all groups wait */
  assert_true(isnan(finish(f.sampler).difficulty));
  parl_task_sampler_destroy(one);
  close_fixture(&f);
}

/* One look solves a plain task, so after some updates nearly all that begins is hopeless. */
static void test_prioritised_goes_where_it_fails(void **state) {
  (void)state;
  static history h;
  double early = 0, late = 0, offered = 0;
  run(PARL_SAMPLING_PRIORITISED, 1, PLAIN, "{}", &h);
  for (int update = 0; update < 5; update++) early += h.counts[update].score / 5;
  for (int update = 10; update < N_UPDATES; update++) {
    late += h.counts[update].score / (N_UPDATES - 10);
    offered += h.counts[update].offered_score / (N_UPDATES - 10);
  }
  assert_true(late < 0.2 && offered > 0.35 && offered < 0.65);
  assert_true(early < offered);
  run(PARL_SAMPLING_PRIORITISED, 1, PLAIN, "{\"hopeless\":0}", &h); /* all like are alike */
  assert_close(h.counts[N_UPDATES - 1].score, h.counts[N_UPDATES - 1].offered_score, 1e-12);
}

static void test_curriculum_goes_up(void **state) {
  (void)state;
  static history h;
  run(PARL_SAMPLING_CURRICULUM, 1, PLAIN, "{}", &h);
  double first = 0, last = 0, offered = 0;
  for (int update = 0; update < 4; update++) first += h.counts[update].difficulty / 4;
  for (int update = 10; update < N_UPDATES; update++) {
    last += h.counts[update].difficulty / (N_UPDATES - 10);
    offered += h.counts[update].offered_difficulty / (N_UPDATES - 10);
  }
  assert_true(first < 3 && offered > 4 && offered < 5);
  assert_close(last, offered, 0.8);
  run(PARL_SAMPLING_CURRICULUM, 1, PLAIN, "{\"size_max\":1}", &h);
  assert_true(h.counts[0].choice == 0 && h.counts[0].difficulty == 1);
}

/* A task that cannot be made begins only where none of its candidates can. */
static void test_stillborn(void **state) {
  (void)state;
  fixture f;
  uint64_t seeds[N_TASKS];
  size_t n, n_offered = 0;
  open_fixture(&f, PARL_SAMPLING_PRIORITISED, 1, "{\"stillborn\":0.5}");
  assert_ok(parl_task_sampler_draw(f.sampler, 0, false, N_TASKS, seeds));
  finish(f.sampler);
  const parl_task_bucket *b = parl_task_sampler_get_buckets(f.sampler, &n);
  for (size_t i = 0; i < n; i++) n_offered += b[i].offered;
  assert_true(n_offered > 5 && n_offered < N_TASKS * C - 5);
  for (size_t i = 0; i < N_TASKS; i++) {
    parl_look look = {.task_seed = seeds[i], .part = PARL_PART_TRAIN};
    assert_ok(parl_rollout_look(f.rollout, &look, 1));
    assert_false(look.failed);
  }
  close_fixture(&f);
  open_fixture(&f, PARL_SAMPLING_CURRICULUM, 1, "{\"stillborn\":1}");
  assert_ok(parl_task_sampler_draw(f.sampler, 0, false, N_TASKS, seeds));
  assert_true(isnan(finish(f.sampler).difficulty));
  assert_true(seeds[0] == parl_seed(SEED, PARL_PURPOSE_TRAIN_TASK, 0, 0));
  close_fixture(&f);
}

/* Scores 1, 0, 0, 1, 1 with a window of 4: 1, 1/2, 1/3, 1/2, then 1/2 + (1 - 1/2) / 4. */
static void test_score_by_hand(void **state) {
  (void)state;
  fixture f;
  size_t n;
  const double x[] = {1, 0, 0, 1, 1}, due[] = {1, 0.5, 1.0 / 3, 0.5, 0.625};
  open_fixture(&f, PARL_SAMPLING_PRIORITISED, 1, "{}");
  for (size_t i = 0; i < 5; i++) {
    parl_trajectory pair[2] = {{.family = "plain", .facts = {.optimum_steps = 8, .success = x[i]}}};
    pair[1] = pair[0];
    const parl_job jobs[] = {{.out = &pair[0]}, {.out = &pair[1]}};
    parl_task_sampler_begin(f.sampler);
    parl_task_sampler_observe(f.sampler, jobs, 2);
    parl_task_sampler_commit(f.sampler);
    const parl_task_bucket *b = parl_task_sampler_get_buckets(f.sampler, &n);
    assert_int_equal(n, 1);
    assert_int_equal(b->n, i + 1);
    assert_close(b->score, due[i], 1e-15);
  }
  const char *const families[] = {"plain", "plain", "hopeless"};
  const double steps[] = {12, 11, 8}; /* another bin, the same, another family */
  for (size_t i = 0; i < 3; i++) {
    parl_trajectory t = {.facts = {.optimum_steps = steps[i]}};
    snprintf(t.family, sizeof t.family, "%s", families[i]);
    if (i == 0) parl_task_sampler_begin(f.sampler);
    parl_task_sampler_observe(f.sampler, &(parl_job){.out = &t}, 1);
  }
  parl_task_sampler_commit(f.sampler);
  assert_int_equal(parl_task_sampler_get_buckets(f.sampler, &n)->n, 6);
  assert_int_equal(n, 3);
  close_fixture(&f);
}

/* More buckets than there is room for share the last one, and their checkpoint is taken back. */
static void test_too_many_buckets(void **state) {
  (void)state;
  fixture f;
  size_t n;
  open_fixture(&f, PARL_SAMPLING_PRIORITISED, 1, "{}");
  parl_task_sampler_begin(f.sampler);
  for (int i = 0; i < PARL_MAX_TASK_BUCKETS + 20; i++) {
    parl_trajectory t = {.facts = {.optimum_steps = 3, .success = 1}};
    snprintf(t.family, sizeof t.family, "family_%d", i);
    parl_task_sampler_observe(f.sampler, &(parl_job){.out = &t}, 1);
  }
  parl_task_sampler_commit(f.sampler);
  const parl_task_bucket *b = parl_task_sampler_get_buckets(f.sampler, &n);
  assert_int_equal(n, PARL_MAX_TASK_BUCKETS);
  assert_int_equal(b[n - 1].n, 21);
  parl_json *tree = get_state(f.sampler, NULL, 0);
  assert_ok(parl_task_sampler_read(f.sampler, tree));
  parl_json_destroy(tree);
  close_fixture(&f);
}

/* --- checkpoints that somebody else wrote --- */

static void test_what_does_not_fit_is_refused(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f, PARL_SAMPLING_PRIORITISED, 1, "{}");
  static const char *const bad[] = {
      "{\"tasks\":7}",
      "{\"tasks\":[{}]}",
      "{\"tasks\":[{\"family\":\"a\",\"bin\":63,\"n\":1,\"score\":0}]}",
      "{\"tasks\":[{\"family\":\"a\",\"bin\":1.5,\"n\":1,\"score\":0}]}",
      "{\"tasks\":[{\"family\":\"a\",\"bin\":2,\"n\":-1,\"score\":0}]}",
      "{\"tasks\":[{\"family\":\"a\",\"bin\":2,\"n\":1e300,\"score\":0}]}",
      "{\"tasks\":[{\"family\":\"a\",\"bin\":2,\"n\":1,\"score\":1.01}]}",
      "{\"tasks\":[{\"family\":\"12345678901234567890123456789012\",\"bin\":2,\"n\":1,\"score\":0}]"
      "}",
      "{\"tasks\":[{\"family\":\"a\",\"bin\":2,\"n\":1,\"score\":0},"
      "{\"family\":\"a\",\"bin\":2,\"n\":1,\"score\":0}]}",
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    parl_json *tree = count_params(bad[i]);
    assert_fails(parl_task_sampler_read(f.sampler, tree), PARL_STATUS_EFORMAT, "\"tasks\"");
    parl_json_destroy(tree);
  }
  parl_json *none = count_params("{}");
  size_t n;
  assert_ok(parl_task_sampler_read(f.sampler, none));
  parl_task_sampler_get_buckets(f.sampler, &n);
  assert_int_equal(n, 0);
  parl_json_destroy(none);
  close_fixture(&f);
}

/* Bytes changed at random: refused, or what is read is in its ranges. */
static void test_noise_in_a_checkpoint(void **state) {
  (void)state;
  static history h;
  fixture f;
  size_t n, n_read = 0, n_refused = 0;
  run(PARL_SAMPLING_PRIORITISED, 1, PLAIN, "{}", &h);
  open_fixture(&f, PARL_SAMPLING_PRIORITISED, 1, "{}");
  parl_rng_cursor rng = {.seed = 11, .stream = 1};
  for (int i = 0; i < 4000; i++) {
    char text[STATE_BYTES];
    parl_json *tree = NULL;
    const size_t bytes = strlen(h.state);
    memcpy(text, h.state, bytes + 1);
    for (int k = 0; k < 1 + i % 3; k++)
      text[parl_rng_next_below(&rng, bytes)] =
          "0123456789.-eE\"{}[],:ab"[parl_rng_next_below(&rng, 23)];
    if (parl_json_parse(text, bytes, "state", &tree) != PARL_STATUS_OK) continue;
    const parl_status s = parl_task_sampler_read(f.sampler, tree);
    parl_json_destroy(tree);
    assert_true(s == PARL_STATUS_OK || s == PARL_STATUS_EFORMAT);
    *(s == PARL_STATUS_OK ? &n_read : &n_refused) += 1;
    const parl_task_bucket *b = parl_task_sampler_get_buckets(f.sampler, &n);
    for (size_t k = 0; s == PARL_STATUS_OK && k < n; k++)
      assert_true(b[k].score >= 0 && b[k].score <= 1 && b[k].n >= 0 && b[k].bin >= 0 &&
                  b[k].bin <= PARL_MAX_TASK_BIN);
  }
  assert_true(n_read > 50 && n_refused > 50);
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_easy_by_hand),
      cmocka_unit_test(test_count_by_hand),
      cmocka_unit_test(test_prioritised_by_hand),
      cmocka_unit_test(test_bins),
      cmocka_unit_test(test_shares),
      cmocka_unit_test(test_curriculum_rises),
      cmocka_unit_test(test_threads_and_checkpoints),
      cmocka_unit_test(test_one_candidate_is_none),
      cmocka_unit_test(test_prioritised_goes_where_it_fails),
      cmocka_unit_test(test_curriculum_goes_up),
      cmocka_unit_test(test_stillborn),
      cmocka_unit_test(test_score_by_hand),
      cmocka_unit_test(test_too_many_buckets),
      cmocka_unit_test(test_what_does_not_fit_is_refused),
      cmocka_unit_test(test_noise_in_a_checkpoint),
  };
  return cmocka_run_group_tests_name("task sampler", tests, NULL, NULL);
}
