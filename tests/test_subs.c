/* tests/test_subs.c - who plays sub-agents: role by role, update by update, and one that learns. */
#include "parl/learn/sub_learning.h"
#include "parl/run/evaluator.h"
#include "tests/trainer_support.h"

#define ROLES_ENV "tests/envs/roles.lua"
enum { TEXT_BYTES = PARL_TEST_PATH_BYTES + 96 };

/* --- agents.roles --- */

static void test_roles_are_read(void **state) {
  (void)state;
  parl_roles r;
  assert_ok(parl_roles_parse("", &r));
  assert_int_equal(r.n, 0);
  assert_ok(parl_roles_parse(
      "a=scripted, b=scripted:0.25,c=policy,d=trained,e=x/y=z,f=w.safetensors", &r));
  assert_int_equal(r.n, 6);
  static const int by[] = {PARL_SUBS_SCRIPTED, PARL_SUBS_SCRIPTED, PARL_SUBS_POLICY,
                           PARL_SUBS_TRAINED,  PARL_ROLE_FILE,     PARL_ROLE_FILE};
  for (size_t i = 0; i < r.n; i++) assert_int_equal(r.of[i].by, by[i]);
  assert_string_equal(r.of[1].name, "b");
  assert_close(r.of[0].reliability, 1, 0);
  assert_close(r.of[1].reliability, 0.25, 0);
  assert_string_equal(r.of[4].path, "x/y=z");
  assert_string_equal(r.of[5].path, "w.safetensors");
}

static void test_wrong_roles_are_refused(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "a",
      "=policy",
      "a=",
      "a=polic",
      "a=scripted:",
      "a=trained:1",
      "a=scripted:1.01",
      "a=scripted:-1",
      "a=scripted:nan",
      "a=scripted:inf",
      "a=scripted:0.5x",
      "a=policy,a=trained",
      "a=policy,b=policy,c=policy,d=policy,e=policy,f=policy,g=policy,h=policy,i=policy"};
  parl_roles r = {.n = 7};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_fails(parl_roles_parse(wrong[i], &r), PARL_STATUS_EINVAL, "agents.roles: \"");
  assert_int_equal(r.n, 7); /* untouched */
}

/* A checkpoint of random weights in f's folder, of a model of its own size. */
static void save_model(const trainer_fixture *f, const char *vocab, int64_t d_model,
                       int64_t max_context, char out[TEXT_BYTES]) {
  const parl_env_spec *spec = parl_env_get_spec(f->t.env);
  parl_run_config c = count_config();
  c.model.d_model = d_model;
  c.model.max_context = max_context;
  parl_model *model = count_model(&c, spec->n_tokens, "cpu", 3);
  snprintf(out, TEXT_BYTES, "%s/d%lld.safetensors", f->folder, (long long)d_model);
  assert_ok(parl_checkpoint_save(
      out, model, NULL,
      &(parl_checkpoint_meta){.vocab = vocab != NULL ? vocab : spec->vocab_hash, .progress = "{}"},
      NULL));
  parl_model_destroy(model);
}

static void set_text(char field[PARL_CONFIG_TEXT_BYTES], const char *text) {
  assert_true(strlen(text) < PARL_CONFIG_TEXT_BYTES);
  snprintf(field, PARL_CONFIG_TEXT_BYTES, "%s", text);
}

/* --- files --- */

static void test_models_of_any_size(void **state) {
  (void)state;
  trainer_fixture f;
  char path[TEXT_BYTES];
  parl_subs subs = {0};
  trainer_open_run(&f, COUNT_ENV, 2, NULL, 0);
  save_model(&f, NULL, 48, 64, path);
  set_text(f.run.config.agents.checkpoint, path);
  assert_ok(parl_subs_open(&f.run, f.t.env, NULL, &subs));
  assert_int_equal(parl_model_get_config(subs.first)->d_model, 48);
  parl_subs_close(&subs);
  save_model(&f, "another", 48, 64, path);
  assert_fails(parl_subs_open(&f.run, f.t.env, NULL, &subs), PARL_STATUS_EFORMAT,
               "agents.checkpoint: ");
  save_model(&f, NULL, 48, 47, path); /* limits.sub_context is 48 */
  assert_fails(parl_subs_open(&f.run, f.t.env, NULL, &subs), PARL_STATUS_EFORMAT,
               "holds contexts of 47 tokens");
  assert_null(subs.first);
  trainer_close(&f);
}

static void get_uid(const trainer_fixture *f, char uid[PARL_HASH_HEX_BYTES]) {
  parl_text canonical = {0};
  assert_ok(parl_run_get_uid(&f->run, f->t.env, &canonical, uid));
  parl_text_deinit(&canonical);
}

/* Every file's content is part of the run: another one is another run, and refused once fixed. */
static void test_files_are_the_runs(void **state) {
  (void)state;
  trainer_fixture f;
  char path[TEXT_BYTES], role[TEXT_BYTES + 8];
  trainer_open_run(&f, ROLES_ENV, 2, NULL, 0);
  save_model(&f, NULL, 32, 128, path);
  snprintf(role, sizeof role, "wrong=%s", path);
  char *const fields[] = {f.run.config.agents.next_checkpoint, f.run.config.agents.roles};
  for (size_t i = 0; i < 2; i++) {
    char before[PARL_HASH_HEX_BYTES], after[PARL_HASH_HEX_BYTES];
    parl_subs subs = {0};
    parl_run copy;
    set_text(fields[i], i == 0 ? path : role);
    f.run.config.agents.switch_at = i == 0 ? 3 : 0;
    memset(f.run.file_hashes, 0, sizeof f.run.file_hashes);
    save_model(&f, NULL, 32, 128, path);
    get_uid(&f, before);
    save_model(&f, NULL, 32, 96, path);
    get_uid(&f, after);
    assert_string_not_equal(before, after);
    assert_ok(parl_run_fix_files(&f.run, f.t.env));
    parl_text text = {0};
    parl_json_writer w;
    parl_json *json = NULL;
    parl_json_writer_init(&w, &text, false);
    parl_run_write(&f.run, &w);
    assert_ok(parl_json_parse(parl_text_get(&text), text.n, "run", &json));
    assert_ok(parl_run_read(json, "run", &copy));
    save_model(&f, NULL, 32, 128, path);
    const char *name = i == 0 ? "agents.next_checkpoint: " : "agents.roles: ";
    assert_fails(parl_subs_open(&f.run, f.t.env, NULL, &subs), PARL_STATUS_EFORMAT, name);
    assert_fails(parl_subs_open(&copy, f.t.env, NULL, &subs), PARL_STATUS_EFORMAT,
                 "another file is in its place");
    save_model(&f, NULL, 32, 96, path);
    assert_ok(parl_subs_open(&copy, f.t.env, NULL, &subs));
    parl_subs_close(&subs);
    parl_run_deinit(&copy);
    parl_json_destroy(json);
    parl_text_deinit(&text);
    set_text(fields[i], "");
  }
  trainer_close(&f);
}

/* --- small, then large --- */

enum { N_UPDATES = 5 };
typedef struct course {
  double steps[N_UPDATES], reward[N_UPDATES];
} course;

/* Nothing is learned, so that an update depends on who played it alone. */
static course play_updates(const char *checkpoint, const char *next, int at, int first) {
  trainer_fixture f;
  course out = {0};
  char a[TEXT_BYTES + 32], b[TEXT_BYTES + 32], c[32];
  const char *more[5] = {"optimizer.lr=0", "train.tasks=12"};
  size_t n = 2;
  snprintf(a, sizeof a, "agents.checkpoint=%s", checkpoint);
  snprintf(b, sizeof b, "agents.next_checkpoint=%s", next);
  snprintf(c, sizeof c, "agents.switch_at=%d", at);
  if (checkpoint[0] != '\0') more[n++] = a;
  if (next[0] != '\0') more[n++] = b;
  if (next[0] != '\0') more[n++] = c;
  trainer_open(&f, 2, more, n);
  f.t.updater->update = first;
  for (int u = first; u < N_UPDATES; u++) {
    assert_ok(parl_updater_run(f.t.updater));
    out.steps[u] = f.t.updater->metrics.sub_steps;
    out.reward[u] = f.t.updater->metrics.r_perf;
  }
  trainer_close(&f);
  return out;
}

static bool is_same(const course *a, const course *b, int u) {
  return a->steps[u] == b->steps[u] && a->reward[u] == b->reward[u];
}

/* Before the update it is the run without a switch, from it on the run of the large ones; also
 * where it goes on from a checkpoint before it, at it and after it. */
static void test_they_change_at_the_update(void **state) {
  (void)state;
  enum { AT = 2 };
  trainer_fixture f;
  char large[TEXT_BYTES];
  trainer_open_run(&f, COUNT_ENV, 2, NULL, 0);
  save_model(&f, NULL, 48, 128, large);
  const course before = play_updates("", "", 0, 0), after = play_updates(large, "", 0, 0);
  int n_apart = 0;
  for (int u = 0; u < N_UPDATES; u++) n_apart += !is_same(&before, &after, u);
  assert_int_equal(n_apart, N_UPDATES);
  for (int first = 0; first < N_UPDATES; first++) {
    const course both = play_updates("", large, AT, first);
    for (int u = first; u < N_UPDATES; u++)
      assert_true(is_same(&both, u < AT ? &before : &after, u));
  }
  trainer_close(&f);
}

static parl_seats seat(const trainer_fixture *f, int64_t update) {
  parl_seats seats = {0};
  parl_subs_seat(&f->t.subs, NULL, update, &seats);
  return seats;
}

static void test_evaluations_are_of_the_last(void **state) {
  (void)state;
  trainer_fixture f, g;
  char large[TEXT_BYTES], next[TEXT_BYTES + 32];
  trainer_open_run(&f, COUNT_ENV, 2, NULL, 0);
  save_model(&f, NULL, 48, 128, large);
  snprintf(next, sizeof next, "agents.next_checkpoint=%s", large);
  trainer_open(&g, 2, (const char *[]){next, "agents.switch_at=12", "agents.temperature=0.5"}, 3);
  assert_ptr_equal(seat(&g, 11).subs.model, g.t.warm);
  assert_ptr_equal(seat(&g, 12).subs.model, g.t.subs.next);
  assert_ptr_equal(seat(&g, PARL_SUBS_LAST).subs.model, g.t.subs.next);
  assert_close(seat(&g, 12).subs.temperature, 0.5, 0);
  assert_null(seat(&g, 12).of_role[0].kind);
  trainer_close(&g);
  trainer_close(&f);
}

/* --- one player a role --- */

static parl_facts play_mixed(const char *const *more, size_t n) {
  trainer_fixture f;
  parl_trajectories *set = NULL;
  trainer_open_run(&f, ROLES_ENV, 2, more, n);
  assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = 1, .n_words = 1}, &set));
  assert_ok(parl_subs_open(&f.run, f.t.env, NULL, &f.t.subs));
  parl_rollout_def def = parl_run_get_rollout(&f.run, NULL, f.t.workers);
  parl_subs_seat(&f.t.subs, NULL, 0, &def.seats);
  def.seats.main = parl_player_of_script("mixed", 1);
  def.n_slots = 1;
  assert_ok(parl_rollout_create(&def, &f.t.rollout));
  const parl_job job = {.temperature = 1, .out = parl_trajectories_get(set, 0)};
  assert_ok(parl_rollout_run(f.t.rollout, &job, 1, NULL));
  const parl_facts facts = job.out->facts;
  parl_trajectories_destroy(set);
  trainer_close(&f);
  return facts;
}

/* "mixed" launches tasks 1 (right) and 2 (wrong, six steps), then 3 and 4 (right). A right one that
 * does not work wastes its 8 steps: 2 + (1 + 8) + (1 + 8) critical steps, and task 2 is done. */
static void test_a_player_for_a_role(void **state) {
  (void)state;
  static const char *const plain[] = {"agents.subs=scripted", "episode.budget_factor=0"};
  parl_facts facts = play_mixed(plain, 2);
  assert_close(facts.finished, 4, 0);
  assert_close(facts.critical_steps, 2 + 7 + 2, 0);
  static const char *const lazy[] = {"agents.subs=scripted", "episode.budget_factor=0",
                                     "agents.roles=right=scripted:0"};
  facts = play_mixed(lazy, 3);
  assert_close(facts.finished, 1, 0);
  assert_close(facts.r_perf, 0.25, 0);
  assert_close(facts.critical_steps, 2 + 9 + 9, 0);
  static const char *const all[] = {"episode.budget_factor=0",
                                    "agents.roles=right=scripted,wrong=scripted:0"};
  facts = play_mixed(all, 2);
  assert_close(facts.finished, 3, 0);
  assert_close(facts.r_perf, 0.75, 0);
  assert_close(facts.critical_steps, 2 + 9 + 2, 0);
}

static void test_unknown_roles_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *set, *text;
  } cases[] = {
      {"agents.roles=wright=scripted", "did you mean \"right\""},
      {"agents.roles=right=scripted,wrong=trained", "names every role"},
  };
  for (size_t i = 0; i < 2; i++) {
    trainer_fixture f;
    trainer_open_run(&f, ROLES_ENV, 2,
                     (const char *[]){"agents.subs=scripted", "warm.mix=mixed=1", cases[i].set}, 3);
    assert_fails(parl_recipe_check_env(f.recipe, &f.run.config, parl_env_get_spec(f.t.env)),
                 PARL_STATUS_EINVAL, "agents.roles");
    assert_contains(parl_error_text(), cases[i].text);
    trainer_close(&f);
  }
}

/* --- fields with each other --- */

static void test_what_does_not_go_together(void **state) {
  (void)state;
  static const struct {
    const char *set[3], *a, *b;
  } cases[] = {
      {{"agents.switch_at=3"}, "agents.switch_at = 3", "agents.next_checkpoint = \"\""},
      {{"agents.next_checkpoint=x"}, "agents.switch_at = 0", "agents.next_checkpoint = \"x\""},
      {{"agents.next_checkpoint=x", "agents.switch_at=4", "train.updates=3"},
       "agents.switch_at = 4",
       "train.updates = 3"},
      {{"agents.next_checkpoint=x", "agents.switch_at=1", "train.partial=3"},
       "agents.next_checkpoint",
       "train.partial = 3"},
      {{"agents.subs=trained", "train.partial=3"}, "agents.subs", "train.partial = 3"},
      {{"agents.roles=worker=trained", "train.partial=3"}, "agents.roles", "train.partial = 3"},
      {{"agents.subs=trained", "objective.kind=squared"}, "agents.subs", "objective.kind"},
      {{"agents.roles=worker=x"}, "agents.roles", "\"worker=x\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    trainer_fixture f;
    parl_recipe *recipe = NULL;
    char path[TEXT_BYTES];
    size_t n = 0;
    while (n < 3 && cases[i].set[n] != NULL) n++;
    trainer_open_run(&f, COUNT_ENV, 2, NULL, 0);
    snprintf(path, sizeof path, "%s/r.lua", f.folder);
    assert_fails(parl_recipe_load(path, cases[i].set, n, NULL, &recipe), PARL_STATUS_EINVAL,
                 cases[i].a);
    assert_contains(parl_error_text(), cases[i].b);
    trainer_close(&f);
  }
}

/* --- sub-agents that learn --- */

/* Two sub-agents with 2 and 1 choices beside an orchestrator with 3: half of what is learned from
 * is theirs, each with the advantage of the episode. Of three whose role learns the messages of two
 * changed r_perf: of an episode above the mean the third is misled, of one below it those two. */
static void test_one_advantage_for_all_by_hand(void **state) {
  (void)state;
  int32_t tokens[] = {5, 6, 7, 8}, at_main[] = {1, 2, 3}, at[] = {2, 3}, at_one[] = {1};
  float logp[] = {-0.5f, -0.25f, -1.0f};
  int16_t turn[] = {1, 2, 3};
  uint64_t masks[] = {0xff0, 0xff0, 0xff0};
  parl_sequence mains[] = {{.n_tokens = 4,
                            .n_choices = 3,
                            .capacity = 4,
                            .n_words = 1,
                            .tokens = tokens,
                            .at = at_main,
                            .logp = logp,
                            .turn = turn,
                            .masks = masks}};
  parl_sequence subs[] = {mains[0], mains[0]};
  subs[0].n_choices = 2, subs[0].at = at;
  subs[1].n_choices = 1, subs[1].at = at_one;
  parl_sub_record records[] = {{.useful = true}, {.useful = true}, {.useful = false}, {.role = 1}};
  const parl_trajectory t = {.n_mains = 1,
                             .mains = mains,
                             .n_subs = 2,
                             .subs = subs,
                             .stages = {.n_subs = 4, .subs = records}};
  const parl_seats seats = {.subs = {.learns = true},
                            .of_role[1] = parl_player_of_script("", 1)}; /* does not learn */
  parl_batch *batch = NULL;
  assert_ok(parl_batch_create(3, 4, 0, 16, 1, &batch));
  parl_batch_reset(batch);
  parl_sub_learning_add(&t, 1, -0.75f, batch);
  assert_int_equal(batch->n_outputs, 3);
  for (size_t i = 0; i < 3; i++) assert_close(batch->weight[i], -0.75, 0);
  assert_int_equal(batch->targets[0], tokens[2]);
  assert_int_equal(batch->targets[2], tokens[1]);
  assert_close(batch->logp_old[1], -0.25, 0);
  assert_int_equal(batch->prompt_outputs[1], 3);
  for (int sign = -1; sign <= 1; sign++) {
    parl_sub_learning_sums sums = {0};
    parl_sub_learning_measure(&seats, &t, 0.75 * sign, &sums);
    assert_close(sums.choices, 6, 0);
    assert_close(sums.sub_choices, 3, 0);
    assert_close(sums.subs, sign == 0 ? 0 : 3, 0);
    assert_close(sums.misled, sign < 0 ? 2 : sign, 0);
  }
  parl_batch_destroy(batch);
}

/* What was recorded of them is the probability that the trainer finds: on policy no ratio differs
 * from 1, whatever the temperature, also where a stale policy plays. */
static void test_their_choices_are_the_policys(void **state) {
  (void)state;
  trainer_fixture f;
  static const char *const more[] = {"agents.subs=trained", "train.temperature=0.6",
                                     "optimizer.lr=0.05"};
  double all_of_subs = 0;
  trainer_open(&f, 2, more, 3);
  for (int u = 0; u < N_UPDATES; u++) {
    assert_ok(parl_updater_run(f.t.updater));
    const parl_metrics *m = &f.t.updater->metrics;
    const parl_batch *batch = parl_learner_get_batch(f.t.updater->learner);
    double choices = 0, of_subs = 0;
    for (size_t i = 0; i < f.t.updater->n; i++) {
      const parl_trajectory *t = f.t.updater->jobs[i].out;
      assert_int_equal(t->n_subs, (size_t)t->facts.assigned);
      for (size_t k = 0; k < t->n_mains; k++) choices += t->mains[k].n_choices;
      for (size_t k = 0; k < t->n_subs; k++) of_subs += t->subs[k].n_choices;
    }
    all_of_subs += of_subs;
    assert_int_equal(batch->n_outputs, (size_t)(choices + of_subs));
    assert_close(m->sub_choices, of_subs / (choices + of_subs), 1e-12);
    assert_true(m->logp_gap < 1e-4);
    assert_close(m->masked, 0, 0);
  }
  assert_true(all_of_subs > 20);
  trainer_close(&f);
  static const char *const stale[] = {"agents.subs=trained", "train.staleness=2",
                                      "optimizer.lr=0.05"};
  trainer_open(&f, 2, stale, 3);
  for (int u = 0; u < 3; u++) assert_ok(parl_updater_run(f.t.updater));
  assert_true(f.t.updater->metrics.logp_gap > 1e-3);
  assert_ptr_equal(f.t.seats.subs.model, f.t.ring->player);
  trainer_close(&f);
}

/* In training all others are as they were, and only a role that learns is recorded. */
static void test_frozen_ones_are_not_learned_from(void **state) {
  (void)state;
  trainer_fixture f;
  trainer_open(&f, 2, NULL, 0);
  assert_ok(parl_updater_run(f.t.updater));
  assert_true(isnan(f.t.updater->metrics.sub_choices) && isnan(f.t.updater->metrics.misled));
  assert_int_equal(f.t.updater->jobs[0].out->max_subs, 0);
  trainer_close(&f);
  static const char *const more[] = {"agents.roles=right=trained", "train.group=8"};
  trainer_open_run(&f, ROLES_ENV, 2, more, 2);
  trainer_prepare(&f);
  assert_ok(parl_updater_run(f.t.updater));
  size_t n_right = 0, n_all = 0, n_recorded = 0;
  for (size_t i = 0; i < f.t.updater->n; i++) {
    const parl_trajectory *t = f.t.updater->jobs[i].out;
    n_recorded += t->n_subs;
    n_all += t->stages.n_subs;
    for (size_t s = 0; s < t->stages.n_subs; s++) n_right += t->stages.subs[s].role == 0;
  }
  assert_int_equal(n_recorded, n_right);
  assert_true(n_right > 0 && n_right < n_all);
  trainer_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_roles_are_read),
      cmocka_unit_test(test_wrong_roles_are_refused),
      cmocka_unit_test(test_models_of_any_size),
      cmocka_unit_test(test_files_are_the_runs),
      cmocka_unit_test(test_they_change_at_the_update),
      cmocka_unit_test(test_evaluations_are_of_the_last),
      cmocka_unit_test(test_a_player_for_a_role),
      cmocka_unit_test(test_unknown_roles_are_refused),
      cmocka_unit_test(test_what_does_not_go_together),
      cmocka_unit_test(test_one_advantage_for_all_by_hand),
      cmocka_unit_test(test_their_choices_are_the_policys),
      cmocka_unit_test(test_frozen_ones_are_not_learned_from),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
