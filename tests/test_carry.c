/* tests/test_carry.c - episodes in parts: with the same weights they are what they are whole; a
 * checkpoint in between changes nothing. */
#include <math.h>
#include <string.h>

#include "parl/learn/carry.h"
#include "tests/rollout_support.h"

enum { N_GROUPS = 3, K = 4, N = N_GROUPS * K, CONTEXT = 96, QUOTA = 3, SEED = 5 };

typedef struct fixture {
  parl_run_config config;
  parl_workers *workers;
  parl_model *model;
  parl_rollout *rollout;
  size_t recording;
  parl_trajectories *set, *whole;
  parl_job jobs[N];
} fixture;

static parl_trajectories *make_set(const fixture *f) {
  parl_trajectories *set = NULL;
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(f->rollout));
  assert_ok(parl_trajectories_create(
      &(parl_trajectories_def){.n = N,
                               .max_mains = 1,
                               .context = CONTEXT,
                               .n_words = 1,
                               .stages = parl_episode_get_stage_limits(spec, &f->config.episode),
                               .recording = f->recording},
      &set));
  return set;
}

static void open_fixture(fixture *f) {
  *f = (fixture){.config = count_config()};
  f->model = count_model(&f->config, count_n_tokens(), "cpu", 5);
  const parl_seats seats = {.main = parl_player_of_model(f->model, PARL_CACHE_F32, 1),
                            .subs = parl_player_of_chance()};
  assert_ok(parl_workers_create(1, &f->workers));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = COUNT_ENV,
                                                    .config = parl_run_config_get_swarm(&f->config),
                                                    .seats = seats,
                                                    .n_slots = 4,
                                                    .workers = f->workers},
                                &f->rollout));
  f->recording = parl_episode_get_record_limit(parl_env_get_spec(parl_rollout_get_env(f->rollout)),
                                               &f->config.episode);
  f->set = make_set(f);
  f->whole = make_set(f);
}

static void close_fixture(fixture *f) {
  parl_trajectories_destroy(f->set);
  parl_trajectories_destroy(f->whole);
  parl_rollout_destroy(f->rollout);
  parl_model_destroy(f->model);
  parl_workers_destroy(f->workers);
}

static parl_carry *make_carry(const fixture *f) {
  parl_carry *carry = NULL;
  assert_ok(parl_carry_create(
      &(parl_carry_def){
          .n_groups = N_GROUPS, .K = K, .recording = f->recording, .quota = QUOTA, .seed = SEED},
      &carry));
  return carry;
}

/* Groups that begin have task seeds of their own choice: 1000 and more. */
static void play(fixture *f, parl_carry *carry, int64_t update) {
  const size_t n_waiting = parl_carry_get_n(carry, false);
  for (size_t i = 0; i < N; i++) {
    f->jobs[i] = (parl_job){.temperature = 1, .out = parl_trajectories_get(f->set, i)};
    parl_carry_get_job(carry, update, i, false, &f->jobs[i]);
    assert_true((f->jobs[i].replay != NULL) == (i / K < n_waiting));
    if (i / K >= n_waiting) f->jobs[i].task_seed = 1000 + (uint64_t)update * N_GROUPS + i / K;
  }
  assert_ok(parl_rollout_run(f->rollout, f->jobs, N, NULL));
}

static void assert_same(const parl_trajectory *a, const parl_trajectory *b) {
  const parl_sequence *x = &a->mains[0], *y = &b->mains[0];
#define X(name, unit, meaning) \
  assert_true(a->facts.name == b->facts.name || (isnan(a->facts.name) && isnan(b->facts.name)));
  PARL_FACT_LIST(X)
#undef X
  assert_int_equal(a->facts.end, b->facts.end);
  assert_int_equal(a->stages.n, b->stages.n);
  assert_int_equal(x->n_tokens, y->n_tokens);
  assert_int_equal(x->n_choices, y->n_choices);
  assert_memory_equal(x->tokens, y->tokens, (size_t)x->n_tokens * sizeof *x->tokens);
  assert_memory_equal(x->at, y->at, (size_t)x->n_choices * sizeof *x->at);
  assert_memory_equal(x->logp, y->logp, (size_t)x->n_choices * sizeof *x->logp);
  assert_memory_equal(x->masks, y->masks, (size_t)x->n_choices * sizeof *x->masks);
}

/* The episodes of a finished group are those of its jobs without quota or replay. */
static void check_group(fixture *f, size_t g) {
  parl_job jobs[K];
  for (size_t k = 0; k < K; k++) {
    jobs[k] = f->jobs[g * K + k];
    jobs[k].quota = 0;
    jobs[k].replay = NULL;
    jobs[k].out = parl_trajectories_get(f->whole, k);
  }
  assert_ok(parl_rollout_run(f->rollout, jobs, K, NULL));
  for (size_t k = 0; k < K; k++) assert_same(f->jobs[g * K + k].out, jobs[k].out);
}

/* Through the text of a checkpoint into another object. */
static parl_carry *save_and_load(const fixture *f, parl_carry *carry) {
  parl_text text = {0};
  parl_json *tree = NULL;
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_carry_write(carry, &w);
  parl_json_end_object(&w);
  assert_ok(parl_json_parse(parl_text_get(&text), text.n, "state", &tree));
  parl_carry *other = make_carry(f);
  assert_ok(parl_carry_read(other, tree));
  parl_carry_destroy(carry);
  parl_json_destroy(tree);
  parl_text_deinit(&text);
  return other;
}

static void run(bool is_saved) {
  fixture f;
  size_t n_done = 0, n_waited = 0, n_chosen = 0;
  uint64_t chosen[N_GROUPS];
  double age = 0;
  open_fixture(&f);
  parl_carry *carry = make_carry(&f);
  for (int64_t update = 0; update < 12; update++) {
    play(&f, carry, update);
    for (size_t g = 0; g < n_chosen; g++) assert_true(f.jobs[g * K].task_seed == chosen[g]);
    n_chosen = 0;
    for (size_t g = 0; g < N_GROUPS; g++)
      if (parl_carry_collect(carry, update, g, f.jobs)) {
        chosen[n_chosen++] = f.jobs[g * K].task_seed;
        n_waited++;
      } else {
        check_group(&f, g);
        n_done++;
      }
    const parl_carry_counts counts = parl_carry_commit(carry);
    assert_true(counts.n_carried <= N_GROUPS);
    if (!isnan(counts.staleness)) age += counts.staleness;
    if (is_saved) carry = save_and_load(&f, carry);
  }
  assert_true(n_done > 3 && n_waited > 3 && age > 0);
  parl_carry_destroy(carry);
  close_fixture(&f);
}

static void test_parts_make_the_whole(void **state) {
  (void)state;
  run(false);
}

static void test_a_checkpoint_between(void **state) {
  (void)state;
  run(true);
}

/* Critical steps of a turn. */
static double get_cost(const parl_stages *s, const parl_stage_record *turn) {
  int32_t longest = 0;
  for (size_t k = 0; k < turn->width; k++) {
    const int32_t steps = s->subs[turn->first_sub + k].steps;
    longest = steps > longest ? steps : longest;
  }
  return turn->main_steps + longest;
}

/* A part ends with the first turn that reaches the quota. */
static void test_quota(void **state) {
  (void)state;
  fixture f;
  size_t n_suspended = 0, n_exact = 0;
  open_fixture(&f);
  for (int64_t update = 0; update < 10; update++) {
    parl_carry *carry = make_carry(&f); /* everything begins */
    play(&f, carry, update);
    for (size_t i = 0; i < N; i++) {
      const parl_trajectory *t = f.jobs[i].out;
      if (!t->suspended) continue;
      n_suspended++;
      n_exact += t->facts.critical_steps == QUOTA;
      const double last = get_cost(&t->stages, &t->stages.items[t->stages.n - 1]);
      assert_true(t->facts.critical_steps >= QUOTA);
      assert_true(t->facts.critical_steps - last < QUOTA);
    }
    parl_carry_destroy(carry);
  }
  assert_true(n_suspended > 20 && n_exact > 5 && n_exact < n_suspended);
  close_fixture(&f);
}

static void refuse(const fixture *f, const char *text) {
  parl_json *tree = NULL;
  parl_carry *carry = make_carry(f);
  assert_ok(parl_json_parse(text, strlen(text), "state", &tree));
  assert_status(parl_carry_read(carry, tree), PARL_STATUS_EFORMAT);
  parl_json_destroy(tree);
  parl_carry_destroy(carry);
}

static void test_what_does_not_fit_is_refused(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f);
  refuse(&f, "{\"carried\":[{},{},{},{}]}");
  refuse(&f, "{\"carried\":[{\"update\":1,\"task\":0,\"age\":[0],\"written\":[[]]}]}");
  refuse(&f,
         "{\"carried\":[{\"update\":1,\"task\":0,\"age\":[0,0,0,0],"
         "\"written\":[[1,2,3],[],[],[]]}]}");
  refuse(&f,
         "{\"carried\":[{\"update\":1,\"task\":0,\"age\":[0,0,0,0],"
         "\"written\":[[70000,2,3,1,1],[],[],[]]}]}");
  refuse(&f,
         "{\"carried\":[{\"update\":1e300,\"task\":0,\"age\":[0,0,0,0],"
         "\"written\":[[],[],[],[]]}]}");
  refuse(&f,
         "{\"carried\":[{\"update\":1,\"task\":0,\"task_seed\":-1,\"age\":[0,0,0,0],"
         "\"written\":[[],[],[],[]]}]}");
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts_make_the_whole),
      cmocka_unit_test(test_a_checkpoint_between),
      cmocka_unit_test(test_quota),
      cmocka_unit_test(test_what_does_not_fit_is_refused),
  };
  return cmocka_run_group_tests_name("carry", tests, NULL, NULL);
}
