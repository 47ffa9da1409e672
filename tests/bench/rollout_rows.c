/* tests/bench/rollout_rows.c - what a row of a rollout costs, by the episodes alive at once.
 *
 *   rollout_rows RECIPE CHECKPOINT|- SLOTS...
 *
 * Plays new tasks of the recipe's first arm in groups on one thread, with the weights of a
 * checkpoint or, -, random ones, and prints for each number of slots the thread's own microseconds
 * a row: in the players' seats (the search for prefixes, the decoder, sampling), and outside of
 * them (scripts, grammar, contexts). The least of three runs each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/checkpoint.h"
#include "parl/run/run.h"

enum { REPEATS = 3, LEAST_JOBS = 1024, GROUP = 8 };

/* A model whose seat is timed. */
typedef struct timed_seat {
  void *inner;
  parl_player player;
} timed_seat;

static const parl_player *model_player; /* of the process */
static double seat_s;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static parl_status open_timed(const parl_seat_def *def, void **seat) {
  parl_seat_def inner = *def;
  inner.player = model_player;
  return model_player->kind->open(&inner, seat);
}

static void close_timed(void *seat) {
  model_player->kind->close(seat);
}

static parl_status submit_timed(void *seat, const parl_question *questions, size_t n) {
  const double start = now_s();
  const parl_status s = model_player->kind->submit(seat, questions, n);
  seat_s += now_s() - start;
  return s;
}

static parl_status collect_timed(void *seat, bool may_wait, parl_answer *answers, size_t max,
                                 size_t *n) {
  const double start = now_s();
  const parl_status s = model_player->kind->collect(seat, may_wait, answers, max, n);
  seat_s += now_s() - start;
  return s;
}

static void forget_timed(void *seat, int32_t slot) {
  model_player->kind->forget(seat, slot);
}

static const parl_player_kind timed_kind = {.name = "timed",
                                            .open = open_timed,
                                            .close = close_timed,
                                            .submit = submit_timed,
                                            .collect = collect_timed,
                                            .forget = forget_timed};

typedef struct bench {
  parl_recipe *recipe;
  parl_run run;
  parl_env *env;
  parl_model *model;
  parl_workers *workers;
} bench;

static parl_status open_model(bench *b, const char *checkpoint) {
  const parl_backend *backend;
  PARL_TRY(parl_recipe_get_backend(&b->run.config, &backend));
  if (strcmp(checkpoint, "-") != 0)
    return parl_checkpoint_open_model(checkpoint, backend, &b->model);
  PARL_TRY(parl_model_create(&b->run.config.model, (size_t)parl_env_get_spec(b->env)->n_tokens,
                             backend, NULL, &b->model));
  parl_model_init_weights(b->model, 1);
  return PARL_STATUS_OK;
}

static parl_status open_bench(bench *b, const char *recipe, const char *checkpoint) {
  PARL_TRY(parl_workers_create(1, &b->workers));
  PARL_TRY(parl_recipe_load(recipe, NULL, 0, NULL, &b->recipe));
  PARL_TRY(parl_run_init(b->recipe, 0, 0, &b->run));
  PARL_TRY(parl_run_open_env(&b->run, NULL, &b->env));
  return open_model(b, checkpoint);
}

/* One run of n jobs. */
static parl_status play(const bench *b, size_t n, size_t n_slots, parl_trajectories *set,
                        parl_job *jobs) {
  parl_rollout_def def = parl_run_get_rollout(&b->run, NULL, b->workers);
  parl_player player = parl_run_get_orchestrator(&b->run, b->model);
  parl_rollout *rollout = NULL;
  model_player = &player;
  def.n_slots = n_slots;
  def.seats.main = player;
  def.seats.main.kind = &timed_kind;
  PARL_TRY(parl_rollout_create(&def, &rollout));
  parl_status s = PARL_STATUS_OK;
  double least_seat = 0, least_script = 0;
  parl_rollout_counts c = {0};
  for (int k = 0; k < REPEATS && s == PARL_STATUS_OK; k++) {
    for (size_t i = 0; i < n; i++)
      jobs[i] = (parl_job){.task_seed = 1 + i / GROUP,
                           .episode_seed = 1 + i,
                           .temperature = 1,
                           .out = parl_trajectories_get(set, i)};
    const double start = now_s();
    seat_s = 0;
    s = parl_model_refresh(b->model);
    if (s == PARL_STATUS_OK) s = parl_rollout_run(rollout, jobs, n, &c);
    const double script = now_s() - start - seat_s, rows = (double)c.decoded_tokens;
    if (k == 0 || seat_s / rows < least_seat) least_seat = seat_s / rows;
    if (k == 0 || script / rows < least_script) least_script = script / rows;
  }
  if (s == PARL_STATUS_OK)
    printf("%6zu %8zu %10lld %10lld %10lld %12.3f %14.3f\n", n_slots, n,
           (long long)c.decoded_tokens, (long long)c.reused_tokens, (long long)c.sampled_tokens,
           1e6 * least_seat, 1e6 * least_script);
  parl_rollout_destroy(rollout);
  return s;
}

static parl_status measure(const bench *b, size_t n_slots) {
  const size_t n = n_slots < LEAST_JOBS ? LEAST_JOBS : n_slots;
  const parl_env_spec *spec = parl_env_get_spec(b->env);
  const parl_episode_config *episode = &b->run.config.episode;
  const parl_trajectories_def def = {.n = n,
                                     .max_mains = 1,
                                     .context = spec->limits.context,
                                     .n_words = (spec->n_tokens + 63) / 64,
                                     .stages = parl_episode_get_stage_limits(spec, episode),
                                     .recording = parl_episode_get_record_limit(spec, episode)};
  parl_trajectories *set = NULL;
  PARL_TRY(parl_trajectories_create(&def, &set));
  parl_job *jobs = calloc(n, sizeof *jobs);
  const parl_status s = jobs != NULL ? play(b, n, n_slots, set, jobs)
                                     : parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu jobs", n);
  free(jobs);
  parl_trajectories_destroy(set);
  return s;
}

int main(int argc, char **argv) {
  bench b = {0};
  if (argc < 4) {
    fprintf(stderr, "usage: rollout_rows RECIPE CHECKPOINT|- SLOTS...\n");
    return 2;
  }
  parl_status s = open_bench(&b, argv[1], argv[2]);
  if (s == PARL_STATUS_OK)
    printf(" slots episodes       rows     reused    choices  seat us/row  script us/row\n");
  for (int i = 3; i < argc && s == PARL_STATUS_OK; i++) s = measure(&b, strtoul(argv[i], NULL, 10));
  if (s != PARL_STATUS_OK) fprintf(stderr, "%s\n", parl_error_text());
  parl_run_close_env(b.env);
  parl_model_destroy(b.model);
  parl_workers_destroy(b.workers);
  parl_run_deinit(&b.run);
  parl_recipe_destroy(b.recipe);
  return s != PARL_STATUS_OK;
}
