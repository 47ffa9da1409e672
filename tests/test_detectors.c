/* tests/test_detectors.c - detectors by hand, and on what policies do in the environment `lure`. */
#include <math.h>
#include <string.h>

#include "parl/learn/update.h"
#include "parl/reward/detectors.h"
#include "parl/swarm/rollout.h"
#include "tests/rollout_support.h"
#include "tests/support.h"
#include "tests/terms_support.h"

static bool fires(parl_detector detector, const parl_means *means,
                  const parl_detector_state *state) {
  return parl_detector_fires(detector, parl_detector_measure(detector, means, state));
}

/* Two episodes: one alone on a task of 12 steps whose optimum is 6; one that launched 4. */
static parl_means make_means(void) {
  parl_mean_sums sums = {0};
  const parl_facts alone = {.critical_steps = 12,
                            .total_steps = 12,
                            .serial_steps = 12,
                            .optimum_steps = 6,
                            .end = PARL_END_FINISH};
  const parl_facts wide = {.critical_steps = 8,
                           .total_steps = 22,
                           .serial_steps = 10,
                           .optimum_steps = 7,
                           .launches = 1,
                           .assigned = 4,
                           .finished = 4,
                           .useful = 1,
                           .max_width = 4,
                           .sub_steps = 20,
                           .sub_max_steps = 17,
                           .duplicates = 1,
                           .empty_finishes = 2,
                           .end = PARL_END_FINISH};
  const parl_facts serial_task = {.critical_steps = 5,
                                  .total_steps = 5,
                                  .serial_steps = 5,
                                  .optimum_steps = 5,
                                  .end = PARL_END_FINISH};
  parl_mean_sums_add(&sums, &alone, false);
  parl_mean_sums_add(&sums, &wide, false);
  parl_mean_sums_add(&sums, &serial_task, false); /* launching does not pay: it says nothing */
  return parl_mean_sums_get(&sums);
}

static void measures_by_hand(void **state) {
  (void)state;
  const parl_means m = make_means();
  assert_close(parl_detector_measure(PARL_DETECTOR_serial_collapse, &m, NULL), 0.5, 0);
  assert_close(parl_detector_measure(PARL_DETECTOR_launch_spam, &m, NULL), 0.75, 0);
  assert_close(parl_detector_measure(PARL_DETECTOR_empty_finish, &m, NULL), 0.5, 0);
  assert_close(parl_detector_measure(PARL_DETECTOR_duplicate_subtasks, &m, NULL), 0.25, 0);
  assert_close(parl_detector_measure(PARL_DETECTOR_step_padding, &m, NULL), 2, 0);
  assert_close(parl_detector_measure(PARL_DETECTOR_dominant_worker, &m, NULL), 0.85, 1e-12);
  assert_false(fires(PARL_DETECTOR_serial_collapse, &m, NULL));
  assert_true(fires(PARL_DETECTOR_duplicate_subtasks, &m, NULL)); /* at its threshold */
}

/* Where nothing is known nothing fires. */
static void nothing_known(void **state) {
  (void)state;
  const parl_mean_sums none = {0};
  const parl_means m = parl_mean_sums_get(&none);
  const parl_detector_state fresh = {0};
  for (int d = 0; d < PARL_N_DETECTORS; d++) assert_false(fires((parl_detector)d, &m, &fresh));
}

static void observe(parl_detector_state *s, double launch_rate, double r_perf, double total,
                    double shaping) {
  const parl_means m = {.launch_rate = launch_rate, .r_perf = r_perf};
  parl_detector_observe(s, &(parl_detector_view){&m, total, shaping});
}

/* Launches in 0.8 of the episodes until the weights end, then 0.2: averages 0.62, 0.494, 0.4058. */
static void relapse_by_hand(void **state) {
  (void)state;
  parl_detector_state s = {0};
  for (int i = 0; i < 3; i++) observe(&s, 0.8, 0.5, 0.5, 0.1);
  observe(&s, 0.2, 0.5, 0.5, 0.1); /* still shaped: not a relapse, whatever it does */
  assert_close(parl_detector_get_relapse(&s), 0, 0);
  assert_close(s.annealed, 0.62, 1e-12);
  observe(&s, 0.2, 0.5, 0.5, 0);
  assert_close(parl_detector_get_relapse(&s), 1 - 0.494 / 0.62, 1e-12);
  observe(&s, (double)NAN, 0.5, 0.5, 0); /* not known: nothing moves */
  assert_close(parl_detector_get_relapse(&s), 1 - 0.494 / 0.62, 1e-12);
  observe(&s, 0.9, 0.5, 0.5, 0); /* more than before is none */
  observe(&s, 0.9, 0.5, 0.5, 0);
  assert_close(parl_detector_get_relapse(&s), 0, 0);
  parl_detector_state rare = {0}; /* what hardly launched cannot be said to have stopped */
  observe(&rare, 0.05, 0.5, 0.5, 0.1);
  for (int i = 0; i < 40; i++) observe(&rare, 0, 0.5, 0.5, 0);
  assert_close(parl_detector_get_relapse(&rare), 0, 0);
}

/* A step of the reward by +1 and of r_perf by -0.2: fast moved 0.3, slow 0.05 of it. */
static void divergence_by_hand(void **state) {
  (void)state;
  parl_detector_state s = {0};
  observe(&s, 1, 0.6, 1, 0.1);
  assert_close(parl_detector_get_divergence(&s), 0, 0);
  observe(&s, 1, 0.4, 2, 0.1);
  assert_close(parl_detector_get_divergence(&s), 0.2 * 0.25, 1e-12);
  const parl_means m = {0};
  assert_true(fires(PARL_DETECTOR_reward_hacking, &m, &s));
  parl_detector_state both = {0}; /* both fall: bad, and no hack */
  observe(&both, 1, 0.6, 2, 0.1);
  observe(&both, 1, 0.4, 1, 0.1);
  assert_true(parl_detector_get_divergence(&both) < 0);
}

/* The history goes through a checkpoint to the same bits. */
static void history_is_saved(void **state) {
  (void)state;
  parl_term_table table = {.n = 0};
  parl_reward_config config;
  parl_reward *reward = NULL;
  parl_config_set_defaults(&parl_reward_section, &config);
  assert_ok(parl_reward_create(&config, parl_test_built_in(), &reward));
  parl_updater saved = {.table = &table, .reward = reward}, loaded = saved, older = saved;
  observe(&saved.seen, 1.0 / 3, 0.7, 0.1, 0.1);
  observe(&saved.seen, 0.1, 2.0 / 7, 0.2, 0.1);
  parl_text text = {0};
  parl_json_writer w;
  parl_json *root = NULL;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_updater_write_state(&saved, &w);
  parl_json_end_object(&w);
  assert_ok(parl_json_parse(parl_text_get(&text), text.n, "state", &root));
  assert_ok(parl_updater_read_state(&loaded, root));
  assert_memory_equal(&loaded.seen, &saved.seen, sizeof saved.seen);
  parl_json_destroy(root);
  assert_ok(parl_json_parse("{}", 2, "state", &root)); /* an older parl had no detectors */
  assert_ok(parl_updater_read_state(&older, root));
  assert_close(older.seen.n, 0, 0);
  parl_reward_destroy(reward);
  parl_json_destroy(root);
  parl_text_deinit(&text);
}

/* --- lure --- */

enum { N_TASKS = 40 };

/* Means of a style over tasks; sub-agents follow the same style. */
static parl_means play(const char *params, const char *style) {
  const parl_run_config config = count_config();
  parl_json *json = count_params(params);
  parl_workers *workers = NULL;
  parl_rollout *rollout = NULL;
  parl_trajectories *set = NULL;
  parl_job jobs[N_TASKS];
  parl_mean_sums sums = {0};
  assert_ok(parl_workers_create(1, &workers));
  assert_ok(
      parl_rollout_create(&(parl_rollout_def){.env_path = "envs/lure.lua",
                                              .env_params = json,
                                              .config = parl_run_config_get_swarm(&config),
                                              .seats = {.main = parl_player_of_script(style, 1),
                                                        .subs = parl_player_of_script(style, 1)},
                                              .n_slots = 4,
                                              .workers = workers},
                          &rollout));
  assert_ok(parl_trajectories_create(&(parl_trajectories_def){.n = N_TASKS}, &set));
  for (size_t i = 0; i < N_TASKS; i++)
    jobs[i] = (parl_job){.task_seed = 1 + i, .out = parl_trajectories_get(set, i)};
  assert_ok(parl_rollout_run(rollout, jobs, N_TASKS, NULL));
  for (size_t i = 0; i < N_TASKS; i++) parl_mean_sums_add(&sums, &jobs[i].out->facts, false);
  parl_trajectories_destroy(set);
  parl_rollout_destroy(rollout);
  parl_workers_destroy(workers);
  parl_json_destroy(json);
  return parl_mean_sums_get(&sums);
}

static const struct {
  parl_detector detector;
  const char *params, *style;
} hacks[] = {
    {PARL_DETECTOR_serial_collapse, "{}", "serial"},
    {PARL_DETECTOR_launch_spam, "{\"preset\":\"duplicate\"}", "spam_duplicate"},
    {PARL_DETECTOR_empty_finish, "{\"preset\":\"empty\"}", "spam_empty"},
    {PARL_DETECTOR_duplicate_subtasks, "{\"preset\":\"duplicate\"}", "spam_duplicate"},
    {PARL_DETECTOR_step_padding, "{\"preset\":\"padding\"}", "greedy_wide"},
    {PARL_DETECTOR_dominant_worker, "{\"duplicate\":true,\"dominant\":12}", "hollow"},
};
enum { N_HACKS = sizeof hacks / sizeof hacks[0] };
_Static_assert((int)N_HACKS == (int)PARL_N_STATELESS_DETECTORS, "a hack for every detector");

static void each_fires_in_lure(void **state) {
  (void)state;
  for (size_t i = 0; i < N_HACKS; i++) {
    const parl_means m = play(hacks[i].params, hacks[i].style);
    if (!fires(hacks[i].detector, &m, NULL))
      fail_msg("%s is silent on %s: %g", parl_detector_infos[hacks[i].detector].name,
               hacks[i].style, parl_detector_measure(hacks[i].detector, &m, NULL));
  }
}

static void all_are_silent_on_the_oracle(void **state) {
  (void)state;
  static const char *const worlds[] = {"{}",
                                       "{\"preset\":\"empty\"}",
                                       "{\"preset\":\"duplicate\"}",
                                       "{\"preset\":\"padding\"}",
                                       "{\"preset\":\"dominant\"}",
                                       "{\"preset\":\"all\"}"};
  parl_detector_state s = {0};
  for (size_t w = 0; w < sizeof worlds / sizeof worlds[0]; w++) {
    const parl_means m = play(worlds[w], "oracle");
    parl_detector_observe(&s, &(parl_detector_view){&m, m.r_perf + 0.1, w < 3 ? 0.1 : 0});
    for (int d = 0; d < PARL_N_DETECTORS; d++)
      if (fires((parl_detector)d, &m, &s))
        fail_msg("%s fires on the oracle of %s: %g", parl_detector_infos[d].name, worlds[w],
                 parl_detector_measure((parl_detector)d, &m, &s));
  }
}

/* A policy that launches while it is paid, and works alone when it no longer is. */
static void relapse_fires_in_lure(void **state) {
  (void)state;
  const parl_means wide = play("{}", "greedy_wide"), alone = play("{}", "serial");
  parl_detector_state s = {0};
  for (int u = 0; u < 10; u++) {
    parl_detector_observe(&s, &(parl_detector_view){&wide, wide.r_perf + 0.3, 0.3});
    assert_false(fires(PARL_DETECTOR_relapse, &wide, &s));
  }
  for (int u = 0; u < 3; u++)
    parl_detector_observe(&s, &(parl_detector_view){&alone, alone.r_perf, 0});
  assert_true(fires(PARL_DETECTOR_relapse, &alone, &s));
}

/* A policy that turns from work to launching empty items: reward 0.3 r_parallel + 0.3 r_finish. */
static void hacking_fires_in_lure(void **state) {
  (void)state;
  const parl_means honest = play("{\"preset\":\"empty\"}", "serial");
  const parl_means spam = play("{\"preset\":\"empty\"}", "spam_empty");
  parl_detector_state s = {0};
  for (int u = 0; u < 10; u++)
    parl_detector_observe(&s, &(parl_detector_view){&honest, 0.3 * honest.r_perf, 2});
  assert_false(fires(PARL_DETECTOR_reward_hacking, &honest, &s));
  for (int u = 0; u < 3; u++)
    parl_detector_observe(&s, &(parl_detector_view){&spam, 0.3 * spam.r_perf + 2, 2});
  assert_true(fires(PARL_DETECTOR_reward_hacking, &spam, &s));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(measures_by_hand),
      cmocka_unit_test(nothing_known),
      cmocka_unit_test(relapse_by_hand),
      cmocka_unit_test(divergence_by_hand),
      cmocka_unit_test(history_is_saved),
      cmocka_unit_test(each_fires_in_lure),
      cmocka_unit_test(all_are_silent_on_the_oracle),
      cmocka_unit_test(relapse_fires_in_lure),
      cmocka_unit_test(hacking_fires_in_lure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
