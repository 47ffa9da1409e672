/* tests/test_run.c - a run as an object: to JSON and back, environments by arm, what is planned and
 * reported of arms that play different ones. */
#include <stdatomic.h>

#include "core/file.h"
#include "core/rng.h"
#include "engine/checkpoint.h"
#include "experiments/experiment.h"
#include "experiments/report.h"
#include "parl/run/run_models.h"
#include "parl/run/subs.h"
#include "tests/rollout_support.h"

static const char recipe_text[] =
    "return { name = 'two', run = { n_seeds = 2, threads = 1 },\n"
    "  env = { file = '" COUNT_ENV
    "', params = { n = 4 } },\n"
    "  model = { n_layers = 1, d_model = 16, n_heads = 1, n_kv_heads = 1, head_dim = 8,\n"
    "            d_ff = 16, max_context = 128 },\n"
    "  warm = { steps = 3, episodes = 8, mix = 'serial=1', probe = 0 },\n"
    "  train = { updates = 2, tasks = 2, group = 4 },\n"
    "  eval = { tasks = 10, baselines = 'serial,wide' },\n"
    "  arms = { { name = 'a', lambda1 = { start = 0.3 } },\n"
    "           { name = 'plain', lambda1 = { start = 0.0 }, lambda2 = { start = 0.0 } },\n"
    "           { name = 'six', env = { params = { n = 6 } } },\n"
    "           { name = 'look', env = { file = 'tests/envs/fragile.lua' },\n"
    "             eval = { baselines = 'serial,idle' } } } }\n";

typedef struct place {
  char folder[PARL_TEST_PATH_BYTES], recipe[PARL_TEST_PATH_BYTES + 32];
} place;

static parl_recipe *open_place(place *p, const char *const *sets, size_t n_sets) {
  char dir[PARL_TEST_PATH_BYTES + 32];
  const char *all[8] = {dir};
  parl_recipe *recipe = NULL;
  parl_test_temp_folder(p->folder);
  snprintf(p->recipe, sizeof p->recipe, "%s/two.lua", p->folder);
  snprintf(dir, sizeof dir, "run.dir=%s/runs", p->folder);
  for (size_t i = 0; i < n_sets; i++) all[1 + i] = sets[i];
  assert_ok(parl_file_write(p->recipe, recipe_text, sizeof recipe_text - 1));
  assert_ok(parl_recipe_load(p->recipe, all, 1 + n_sets, NULL, &recipe));
  return recipe;
}

static void close_place(place *p, parl_recipe *recipe) {
  parl_recipe_destroy(recipe);
  parl_test_remove_folder(p->folder);
}

/* --- to JSON and back --- */

static void write_run(const parl_run *run, parl_text *out) {
  parl_json_writer w;
  parl_text_clear(out);
  parl_json_writer_init(&w, out, false);
  parl_run_write(run, &w);
  assert_ok(parl_text_status(out));
}

static parl_status read_run(const char *text, parl_run *out) {
  parl_json *tree = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "run.json", &tree));
  const parl_status s = parl_run_read(tree, "run.json", out);
  parl_json_destroy(tree);
  return s;
}

static void get_uid(const parl_run *run, char uid[PARL_HASH_HEX_BYTES]) {
  parl_env *env = NULL;
  parl_text canonical = {0};
  assert_ok(parl_run_open_env(run, NULL, &env));
  assert_ok(parl_run_get_uid(run, env, &canonical, uid));
  parl_text_deinit(&canonical);
  parl_run_close_env(env);
}

static void assert_comes_back(const parl_run *run) {
  parl_text first = {0}, second = {0};
  parl_run copy;
  char uid[PARL_HASH_HEX_BYTES], again[PARL_HASH_HEX_BYTES];
  write_run(run, &first);
  assert_ok(read_run(parl_text_get(&first), &copy));
  write_run(&copy, &second);
  assert_string_equal(parl_text_get(&first), parl_text_get(&second));
  get_uid(run, uid);
  get_uid(&copy, again);
  assert_string_equal(uid, again);
  assert_string_equal(run->folder, copy.folder);
  assert_int_equal(run->scope, copy.scope);
  assert_string_equal(run->style, copy.style);
  parl_run_deinit(&copy);
  parl_text_deinit(&first);
  parl_text_deinit(&second);
}

/* Limits of scripts would end the script that is opened. */
static bool is_limit(const char *name) {
  return strcmp(name, "instructions") == 0 || strcmp(name, "memory_mib") == 0 ||
         strcmp(name, "callback_s") == 0;
}

/* Another value for one field in eight; u: random numbers, one a call. */
static void change_field(const parl_field *f, void *at, uint64_t draw) {
  const double u = parl_rng_uniform(7, 1, 3 * draw);
  if (parl_rng_uniform(7, 1, 3 * draw + 1) > 0.125 || is_limit(f->name)) return;
  if (f->type == PARL_FIELD_INT)
    *(int64_t *)at = (int64_t)(f->low + u * (fmin(f->high, 1000) - f->low));
  if (f->type == PARL_FIELD_REAL) *(double *)at = f->low + u * (fmin(f->high, 1) - f->low);
  if (f->type == PARL_FIELD_FLAG) *(bool *)at = u < 0.5;
}

/* Whatever a recipe may say, the run that comes back is the one that was written. */
static void test_a_run_comes_back_from_json(void **state) {
  (void)state;
  enum { N = 400 };
  place p;
  parl_recipe *recipe = open_place(&p, NULL, 0);
  size_t n, n_kept = 0;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  for (uint64_t k = 0, draw = 0; k < N; k++) {
    parl_run run;
    assert_ok(parl_run_init(recipe, k % 4, (int64_t)(k * k), &run));
    run.scope = k % 3 == 0 ? PARL_SCOPE_BASELINE : PARL_SCOPE_RUN;
    snprintf(run.style, sizeof run.style, "%s", k % 5 == 0 ? "serial" : "");
    for (size_t i = 0; i < n; i++)
      for (size_t f = 0; f < sections[i].section->n_fields; f++, draw++)
        if (sections[i].section != &parl_run_section)
          change_field(
              &sections[i].section->fields[f],
              (char *)&run.config + sections[i].offset + sections[i].section->fields[f].offset,
              draw);
    parl_text text = {0};
    parl_run copy;
    write_run(&run, &text);
    const bool fits = read_run(parl_text_get(&text), &copy) == PARL_STATUS_OK; /* across fields */
    if (fits) parl_run_deinit(&copy);
    if (fits) assert_comes_back(&run);
    n_kept += fits;
    parl_text_deinit(&text);
    parl_run_deinit(&run);
  }
  assert_true(n_kept > N / 8);
  close_place(&p, recipe);
}

/* Whoever edits the script while runs are made has not two scripts in one run. */
static void test_another_script_is_refused(void **state) {
  (void)state;
  place p;
  char script[PARL_TEST_PATH_BYTES + 32], file[PARL_TEST_PATH_BYTES + 64], *bytes = NULL;
  size_t n = 0;
  parl_recipe *recipe = open_place(&p, NULL, 0);
  snprintf(script, sizeof script, "%s/own.lua", p.folder);
  snprintf(file, sizeof file, "env.file=%s", script);
  assert_ok(parl_file_read(COUNT_ENV, 1 << 20, &bytes, &n));
  assert_ok(parl_file_write(script, bytes, n));
  parl_recipe_destroy(recipe);
  assert_ok(parl_recipe_load(p.recipe, (const char *[]){file}, 1, NULL, &recipe));
  parl_run run, copy;
  parl_env *env = NULL;
  parl_rollout *rollout = NULL;
  parl_text text = {0};
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(1, &workers));
  assert_ok(parl_run_init(recipe, 0, 1, &run));
  assert_ok(parl_run_open_env(&run, NULL, &env));
  assert_ok(parl_run_fix_files(&run, env));
  parl_run_close_env(env);
  env = NULL;
  write_run(&run, &text);
  assert_ok(read_run(parl_text_get(&text), &copy));
  assert_ok(parl_run_open_env(&run, NULL, &env));
  parl_run_close_env(env);
  bytes[n - 1] = ' '; /* no more than that */
  assert_ok(parl_file_write(script, bytes, n));
  env = NULL;
  assert_fails(parl_run_open_env(&run, NULL, &env), PARL_STATUS_EFORMAT, "own.lua: the script");
  assert_fails(parl_run_open_env(&copy, NULL, &env), PARL_STATUS_EFORMAT, "changed after");
  parl_rollout_def def = parl_run_get_rollout(&run, NULL, workers);
  def.n_slots = 4;
  assert_fails(parl_rollout_create(&def, &rollout), PARL_STATUS_EFORMAT, "changed after");
  assert_null(env);
  assert_null(rollout);
  parl_workers_destroy(workers);
  parl_text_deinit(&text);
  parl_run_deinit(&copy);
  parl_run_deinit(&run);
  free(bytes);
  close_place(&p, recipe);
}

static void save_policy(const parl_run *run, const parl_env *env, uint64_t seed) {
  const parl_backend *backend;
  parl_model *m = NULL;
  const parl_env_spec *spec = parl_env_get_spec(env);
  assert_ok(parl_recipe_get_backend(&run->config, &backend));
  assert_ok(parl_model_create(&run->config.model, (size_t)spec->n_tokens, backend, NULL, &m));
  parl_model_init_weights(m, seed);
  assert_ok(parl_checkpoint_save(
      run->config.agents.checkpoint, m, NULL,
      &(parl_checkpoint_meta){.vocab = spec->vocab_hash, .progress = "{}"}, NULL));
  parl_model_destroy(m);
}

/* The same of the sub-agents' policy. */
static void test_another_policy_is_refused(void **state) {
  (void)state;
  place p;
  parl_recipe *recipe = open_place(&p, NULL, 0);
  parl_run run;
  parl_env *env = NULL;
  parl_subs subs = {0};
  assert_ok(parl_run_init(recipe, 0, 1, &run));
  run.config.agents.subs = PARL_SUBS_POLICY;
  snprintf(run.config.agents.checkpoint, sizeof run.config.agents.checkpoint,
           "%.200s/p.safetensors", p.folder);
  assert_ok(parl_run_open_env(&run, NULL, &env));
  save_policy(&run, env, 1);
  char uid[PARL_HASH_HEX_BYTES], fixed[PARL_HASH_HEX_BYTES], after[PARL_HASH_HEX_BYTES];
  get_uid(&run, uid);
  assert_ok(parl_run_fix_files(&run, env));
  get_uid(&run, fixed);
  assert_string_equal(uid, fixed);
  assert_ok(parl_subs_open(&run, env, NULL, &subs));
  parl_subs_close(&subs);
  save_policy(&run, env, 2);
  get_uid(&run, after); /* it is what it was planned as */
  assert_string_equal(uid, after);
  assert_fails(parl_subs_open(&run, env, NULL, &subs), PARL_STATUS_EFORMAT,
               "agents.checkpoint: checkpoint");
  assert_contains(parl_error_text(), "another file is in its place");
  assert_null(subs.first);
  parl_run_close_env(env);
  parl_run_deinit(&run);
  close_place(&p, recipe);
}

static void test_what_is_no_run_is_refused(void **state) {
  (void)state;
  place p;
  parl_recipe *recipe = open_place(&p, NULL, 0);
  parl_run run;
  parl_text text = {0};
  assert_ok(parl_run_init(recipe, 0, 1, &run));
  write_run(&run, &text);
  static const struct {
    const char *from, *to, *part;
    parl_status status;
  } rows[] = {
      {"\"run_version\":1", "\"run_version\":9", "version 9", PARL_STATUS_EFORMAT},
      {"\"run_version\":1", "\"version\":1", "run_version", PARL_STATUS_EFORMAT},
      {"\"trained\":true", "\"trained\":1", "trained", PARL_STATUS_EFORMAT},
      {"\"env_path\":", "\"env_pat\":", "env_path", PARL_STATUS_EFORMAT},
      {"\"env_params\":{\"n\":4}", "\"env_params\":4", "env_params", PARL_STATUS_EFORMAT},
      {"\"group\":4", "\"group\":-4", "train.group", PARL_STATUS_EINVAL},
      {"\"group\":4", "\"gruop\":4", "did you mean \"group\"", PARL_STATUS_EINVAL},
      {"\"group\":4", "\"group\":1", "every advantage would be 0", PARL_STATUS_EINVAL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const char *at = strstr(parl_text_get(&text), rows[i].from);
    assert_non_null(at);
    parl_text broken = {0};
    parl_run copy;
    parl_text_append_bytes(&broken, parl_text_get(&text), (size_t)(at - parl_text_get(&text)));
    parl_text_append(&broken, rows[i].to);
    parl_text_append(&broken, at + strlen(rows[i].from));
    assert_fails(read_run(parl_text_get(&broken), &copy), rows[i].status, rows[i].part);
    assert_contains(parl_error_text(), "run.json");
    parl_text_deinit(&broken);
  }
  parl_text_deinit(&text);
  parl_run_deinit(&run);
  close_place(&p, recipe);
}

/* --- environments by arm --- */

static double get_param(const parl_recipe *recipe, size_t arm, const char *name) {
  return parl_json_get_number(parl_json_find(parl_recipe_get_env_params(recipe, arm), name));
}

static void test_arms_may_differ_in_environment(void **state) {
  (void)state;
  static const char *const sets[] = {"a:env.params.n=5", "look:env.params.broken=0.25"};
  place p;
  parl_recipe *recipe = open_place(&p, sets, 2);
  assert_close(get_param(recipe, 0, "n"), 5, 0);
  assert_close(get_param(recipe, 1, "n"), 4, 0);
  assert_close(get_param(recipe, 2, "n"), 6, 0);
  /* What was written for another script is not given to this one. */
  assert_null(parl_json_find(parl_recipe_get_env_params(recipe, 3), "n"));
  assert_close(get_param(recipe, 3, "broken"), 0.25, 0);
  assert_string_equal(parl_recipe_get_env_path(recipe, 0), COUNT_ENV);
  assert_string_equal(parl_recipe_get_env_path(recipe, 3), "tests/envs/fragile.lua");
  close_place(&p, recipe);
}

/* Cells of the plan by name, with the number of their warm start. */
static const parl_cell *find_cell(const parl_plan *plan, const char *name) {
  for (size_t i = 0; i < plan->n_cells; i++)
    if (strcmp(plan->cells[i].run.name, name) == 0) return &plan->cells[i];
  fail_msg("no cell \"%s\"", name);
  return NULL;
}

static void test_warm_starts_and_baselines_are_of_an_environment(void **state) {
  (void)state;
  place p;
  parl_recipe *recipe = open_place(&p, NULL, 0);
  const parl_host host = {0};
  parl_plan *plan = NULL;
  assert_ok(parl_plan_make(recipe, &host, &plan));
  assert_int_equal(plan->n_trained, 8);
  assert_int_equal(plan->n_warms, 6);         /* three environments, two seeds */
  assert_int_equal(plan->n_cells, 8 + 3 * 6); /* untrained and two styles in each */
  assert_int_equal(find_cell(plan, "a")->warm, find_cell(plan, "plain")->warm);
  assert_int_not_equal(find_cell(plan, "a")->warm, find_cell(plan, "six")->warm);
  assert_int_equal(find_cell(plan, "serial")->warm, find_cell(plan, "a")->warm);
  assert_int_equal(find_cell(plan, "wide@six")->warm, find_cell(plan, "six")->warm);
  assert_string_equal(find_cell(plan, "idle@look")->run.env_path, "tests/envs/fragile.lua");
  parl_plan_destroy(plan);
  close_place(&p, recipe);
}

static char *read_report(const place *p, const char *name) {
  char path[PARL_TEST_PATH_BYTES + 64];
  char *bytes = NULL;
  size_t n;
  snprintf(path, sizeof path, "%s/runs/%s", p->folder, name);
  assert_ok(parl_file_read(path, (size_t)16 << 20, &bytes, &n));
  return bytes;
}

/* A run that only its JSON tells of goes where the experiment's goes, to the same bits. */
static void assert_plays_alone(const parl_plan *plan, const char *name, const char *hash) {
  parl_text text = {0};
  parl_run run;
  parl_workers *workers = NULL;
  parl_train_result result;
  const parl_host host = {0};
  write_run(&find_cell(plan, name)->run, &text);
  assert_ok(read_run(parl_text_get(&text), &run));
  parl_text_clear(&text);
  parl_text_appendf(&text, "%s-alone", run.folder);
  snprintf(run.folder, sizeof run.folder, "%s", parl_text_get(&text));
  assert_ok(parl_workers_create(1, &workers));
  assert_ok(parl_train(&run, &host, NULL, workers, &result));
  assert_string_equal(result.hash, hash);
  assert_string_equal(result.uid, find_cell(plan, name)->uid);
  parl_workers_destroy(workers);
  parl_run_deinit(&run);
  parl_text_deinit(&text);
}

static void get_hash(const place *p, const char *uid, char hash[PARL_HASH_HEX_BYTES]) {
  char path[PARL_TEST_PATH_BYTES + 64], status[16];
  parl_store *store = NULL;
  int found = 0;
  snprintf(path, sizeof path, "%s/runs/store.db", p->folder);
  assert_ok(parl_rows_open(path, &store));
  assert_ok(parl_store_find_run(store, uid, &found, NULL, status, hash));
  assert_true(found);
  parl_store_close(store);
}

/* Trained side by side, reported apart. */
static void test_arms_of_different_environments_train_and_report(void **state) {
  (void)state;
  place p;
  parl_recipe *recipe = open_place(&p, NULL, 0);
  const parl_host host = {0};
  parl_plan *plan = NULL;
  parl_experiment_result result = {0};
  char hash[PARL_HASH_HEX_BYTES];
  assert_ok(parl_plan_make(recipe, &host, &plan));
  assert_ok(parl_experiment_run_plan(&host, plan, &result));
  assert_int_equal(result.n_failed, 0);
  get_hash(&p, find_cell(plan, "look")->uid, hash);
  assert_plays_alone(plan, "look", hash);
  get_hash(&p, find_cell(plan, "wide@six")->uid, hash);
  assert_plays_alone(plan, "wide@six", hash);
  assert_ok(parl_report_write(plan->cells[0].run.folder, NULL));
  char *markdown = read_report(&p, "report.md"), *json = read_report(&p, "report.json");
  assert_contains(markdown, "The arms play 3 environments");
  assert_contains(markdown, "(a, plain); ");
  assert_contains(markdown, "(look)");
  assert_contains(markdown, "Differences from plain; six; look, paired by seed");
  assert_contains(json, "\"a\":\"a\",\"b\":\"plain\"");
  assert_null(strstr(json, "\"a\":\"six\",\"b\""));
  assert_null(strstr(json, "\"b\":\"six\""));
  free(markdown);
  free(json);
  parl_experiment_result_deinit(&result);
  parl_plan_destroy(plan);
  close_place(&p, recipe);
}

/* Two held-out tasks that draw one task are two attempts at it. */
static void test_repeats_by_hand(void **state) {
  (void)state;
  const uint64_t seeds[] = {7, 3, 7, UINT64_MAX, 7, 3};
  const int64_t due[] = {0, 0, 1, 0, 2, 1};
  int64_t got[6];
  assert_ok(parl_evaluation_count_repeats(seeds, 6, got));
  for (size_t i = 0; i < 6; i++) assert_int_equal(got[i], due[i]);
  assert_ok(parl_evaluation_count_repeats(seeds, 0, got));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_run_comes_back_from_json),
      cmocka_unit_test(test_another_script_is_refused),
      cmocka_unit_test(test_another_policy_is_refused),
      cmocka_unit_test(test_what_is_no_run_is_refused),
      cmocka_unit_test(test_arms_may_differ_in_environment),
      cmocka_unit_test(test_warm_starts_and_baselines_are_of_an_environment),
      cmocka_unit_test(test_arms_of_different_environments_train_and_report),
      cmocka_unit_test(test_repeats_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
