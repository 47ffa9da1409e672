/* tests/test_conformance.c - the suite on a sound environment, on one that another process
 * contradicts, and asked to stop; traces and random play. What it finds in faulty ones:
 * tests/cli/faults.sh. */
#include <stdatomic.h>

#include "core/file.h"
#include "parl/contract/conformance.h"
#include "parl/swarm/trace.h"
#include "tests/rollout_support.h"

#define TEMPLATE "cli/templates/env.lua"

static parl_recipe *load(const char *path) {
  parl_recipe *recipe = NULL;
  assert_ok(parl_recipe_load_env(path, NULL, 0, NULL, &recipe));
  return recipe;
}

static const parl_finding *find(const parl_conformance *c, parl_conformance_check check,
                                bool is_note) {
  for (size_t i = 0; i < c->n_findings; i++)
    if (c->findings[i].check == check && c->findings[i].is_note == is_note) return &c->findings[i];
  return NULL;
}

static parl_status say(void *context, size_t n_tasks, char hash[PARL_HASH_HEX_BYTES]) {
  assert_true(n_tasks >= 2);
  memcpy(hash, context, PARL_HASH_HEX_BYTES);
  return PARL_STATUS_OK;
}

static void a_sound_environment_passes(void **state) {
  (void)state;
  parl_recipe *recipe = load(TEMPLATE);
  parl_conformance *c = calloc(1, sizeof *c);
  char hash[PARL_HASH_HEX_BYTES];
  parl_conformance_def def = {.recipe = recipe, .n_tasks = 4, .n_random = 50, .seed = 7};
  assert_ok(parl_conformance_hash(&def, hash));
  def.ask_other = say;
  def.context = hash;
  assert_ok(parl_conformance_run(&def, c));
  for (size_t i = 0; i < c->n_findings; i++)
    print_message("%s: %s\n", parl_conformance_name(c->findings[i].check), c->findings[i].what);
  assert_int_equal(c->n_faults, 0);
  assert_string_equal(c->hash, hash);
  for (int k = 0; k < PARL_N_CONFORMANCE_CHECKS; k++) assert_true(c->ran[k]);
  assert_int_equal(c->n_styles, 4); /* three experts and random play */
  assert_string_equal(c->styles[2].style, "oracle");
  assert_int_equal(c->styles[2].n, 4);
  assert_int_equal(c->styles[2].n_at_optimum, 4);
  assert_true(c->bytes_per_world > 100);
  free(c);
  parl_recipe_destroy(recipe);
}

/* The template with one text in another's place: a finding of the optimum must say so. */
static void check_optimum(const char *from, const char *to, bool is_note, const char *what) {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16], *text = NULL;
  size_t n = 0;
  parl_text changed = {0};
  assert_ok(parl_file_read(TEMPLATE, 1 << 20, &text, &n));
  const char *at = strstr(text, from);
  assert_non_null(at);
  parl_text_append_bytes(&changed, text, (size_t)(at - text));
  parl_text_appendf(&changed, "%s%s", to, at + strlen(from));
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/env.lua", folder);
  assert_ok(parl_file_write(path, parl_text_get(&changed), changed.n));
  parl_recipe *recipe = load(path);
  parl_conformance *c = calloc(1, sizeof *c);
  const parl_conformance_def def = {.recipe = recipe, .n_tasks = 6, .n_random = 20, .seed = 7};
  assert_ok(parl_conformance_run(&def, c));
  const parl_finding *f = find(c, PARL_CONFORMANCE_optimum, is_note);
  assert_non_null(f);
  assert_contains(f->what, what);
  free(c);
  free(text);
  parl_text_deinit(&changed);
  parl_recipe_destroy(recipe);
  parl_test_remove_folder(folder);
}

static void what_the_optimum_is_said_to_be_is_checked(void **state) {
  (void)state;
  check_optimum("or world.n_trees, --", "or 1, --", false,
                "sub-agents in its widest launch; optimum says 1");
  check_optimum("and 0 or world.n_trees, --", "and 0 or 0, --", false,
                "optimum says width 0, to work alone, which takes");
  check_optimum("is = \"exact\"", "is = \"expected\"", true, "no chance of their own");
  check_optimum("is = \"exact\"", "is = \"bound\"", true, "the optimum is a bound");
}

static void another_process_is_heard(void **state) {
  (void)state;
  parl_recipe *recipe = load(TEMPLATE);
  parl_conformance *c = calloc(1, sizeof *c);
  char hash[PARL_HASH_HEX_BYTES] =
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  const parl_conformance_def def = {
      .recipe = recipe, .n_tasks = 3, .n_random = 20, .seed = 7, .ask_other = say, .context = hash};
  assert_ok(parl_conformance_run(&def, c));
  assert_int_equal(c->n_faults, 1);
  const parl_finding *f = find(c, PARL_CONFORMANCE_repeat, false);
  assert_non_null(f);
  assert_contains(f->what, "another process gets the trace hash 0123456789abcdef");
  free(c);
  parl_recipe_destroy(recipe);
}

/* A reset that is called slow, at any time it takes: the least of everything, and a note. */
static void a_slow_reset_is_made_less_often(void **state) {
  (void)state;
  parl_recipe *recipe = load(TEMPLATE);
  parl_conformance *quick = calloc(1, sizeof *quick), *slow = calloc(1, sizeof *slow);
  parl_conformance_def def = {.recipe = recipe, .n_tasks = 6, .n_random = 50, .seed = 7};
  def.slow_reset_s = 1e6;
  assert_ok(parl_conformance_run(&def, quick));
  assert_null(find(quick, PARL_CONFORMANCE_repeat, true));
  def.slow_reset_s = 1e-12;
  assert_ok(parl_conformance_run(&def, slow));
  assert_int_equal(slow->n_faults, 0);
  const parl_finding *f = find(slow, PARL_CONFORMANCE_repeat, true);
  assert_non_null(f);
  assert_contains(f->what, "2 of 6 tasks and 5 of 50 random episodes are played");
  assert_string_equal(quick->timings[0].name, "reset");
  assert_int_equal(quick->timings[0].n, 16);
  assert_int_equal(slow->timings[0].n, 2);
  assert_int_equal(quick->styles[0].n, 6);
  assert_int_equal(slow->styles[0].n, 2);
  assert_int_equal(quick->styles[3].n, 50);
  assert_int_equal(slow->styles[3].n, 5);
  assert_true(slow->n_episodes < quick->n_episodes / 2);
  assert_true(slow->bytes_per_world > 100);
  free(quick);
  free(slow);
  parl_recipe_destroy(recipe);
}

static void it_stops_when_asked(void **state) {
  (void)state;
  parl_recipe *recipe = load(TEMPLATE);
  parl_conformance *c = calloc(1, sizeof *c);
  atomic_int stop = 1;
  const parl_conformance_def def = {.recipe = recipe, .seed = 7, .stop = &stop};
  assert_fails(parl_conformance_run(&def, c), PARL_STATUS_ESTOPPED, "stopped");
  free(c);
  parl_recipe_destroy(recipe);
}

static void a_missing_file_is_a_failure(void **state) {
  (void)state;
  parl_recipe *recipe = NULL;
  assert_fails(parl_recipe_load_env("nowhere.lua", NULL, 0, NULL, &recipe), PARL_STATUS_EIO,
               "nowhere.lua");
  const char *sets[] = {"env.params.trees=3"};
  assert_ok(parl_recipe_load_env(TEMPLATE, sets, 1, NULL, &recipe));
  parl_conformance *c = calloc(1, sizeof *c);
  assert_fails(parl_conformance_run(&(parl_conformance_def){.recipe = recipe}, c),
               PARL_STATUS_EINVAL, "no parameter 'trees'");
  free(c);
  parl_recipe_destroy(recipe);
}

/* --- traces --- */

typedef struct listener {
  parl_trace trace;
  parl_text text;
} listener;

static parl_status on_event(void *context, const parl_event *event) {
  listener *l = context;
  PARL_TRY(parl_trace_add(&l->trace, event));
  if (event->kind != PARL_EVENT_END) return PARL_STATUS_OK;
  parl_trace_sort(&l->trace);
  parl_trace_append_text(&l->trace, event->env, &l->text);
  return parl_text_status(&l->text);
}

static void play(const char *style, size_t sub_slots, listener *l) {
  const parl_run_config config = count_config();
  const parl_observer observer = {on_event, l};
  parl_seats seats = {.main = parl_player_of_chance()};
  if (style == NULL) seats.subs = parl_player_of_chance();
  parl_workers *workers = NULL;
  parl_trajectories *set = NULL;
  parl_rollout *rollout = NULL;
  assert_ok(parl_workers_create(1, &workers));
  assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = 1, .n_words = 1}, &set));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = COUNT_ENV,
                                                    .config = parl_run_config_get_swarm(&config),
                                                    .seats = seats,
                                                    .n_slots = 1,
                                                    .workers = workers,
                                                    .observer = &observer,
                                                    .sub_slots = sub_slots},
                                &rollout));
  const parl_job job = {
      1, 11, script_seats(style), 0, 0, parl_trajectories_get(set, 0), PARL_PART_ANY, NULL, 0};
  assert_ok(parl_rollout_run(rollout, &job, 1, NULL));
  parl_rollout_destroy(rollout);
  parl_trajectories_destroy(set);
  parl_workers_destroy(workers);
}

static void stop_listening(listener *l) {
  parl_trace_deinit(&l->trace);
  parl_text_deinit(&l->text);
}

/* The episode that tests/test_episode.c works out by hand. */
static void a_trace_says_what_happened(void **state) {
  (void)state;
  listener l = {0};
  play("hand", 0, &l);
  const char *text = parl_text_get(&l.text);
  assert_contains(text, "turn 0 agent 0 start -> number:4 |");
  assert_contains(text, "turn 1 agent 0 call create_subagent agent_1 worker -> ");
  assert_contains(text, "turn 2 agent 0 launch ->  | width 3 ");
  assert_contains(text, "turn 2 agent 2 brief assign_task agent_1 number:3 -> number:3 |");
  assert_contains(text,
                  "turn 2 agent 2 call work number:3 -> word:done | width 0 finished 0 steps 3");
  assert_contains(text, "turn 2 agent 2 call finish");
  assert_contains(text,
                  "turn 2 agent 3 deliver ->  | width 0 finished 1 steps 2 critical 5 total 8 "
                  "r_perf 0.75\n");
  assert_contains(text, "end finish {\"success\":0}\n");
  assert_true(l.trace.ended);
  assert_close(l.trace.facts.critical_steps, 7, 0);
  stop_listening(&l);
}

/* Sub-agents one after another, or in turns: the same trace. */
static void a_trace_does_not_depend_on_slots(void **state) {
  (void)state;
  listener one = {0}, many = {0};
  play(NULL, 1, &one);
  play(NULL, 8, &many);
  assert_true(one.text.n > 0);
  assert_string_equal(parl_text_get(&one.text), parl_text_get(&many.text));
  stop_listening(&one);
  stop_listening(&many);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_sound_environment_passes),
      cmocka_unit_test(what_the_optimum_is_said_to_be_is_checked),
      cmocka_unit_test(another_process_is_heard),
      cmocka_unit_test(a_slow_reset_is_made_less_often),
      cmocka_unit_test(it_stops_when_asked),
      cmocka_unit_test(a_missing_file_is_a_failure),
      cmocka_unit_test(a_trace_says_what_happened),
      cmocka_unit_test(a_trace_does_not_depend_on_slots),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
