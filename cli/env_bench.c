/* cli/env_bench.c - parl env bench FILE: how fast scripted episodes run on one core. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/env.h"
#include "lua/inspect.h"
#include "parl/swarm/episode.h"
#include "parl/swarm/rollout.h"

enum { N_JOBS = 256, GROUP = 8, N_SLOTS = 64, N_WORLDS = 64 };

typedef struct bench {
  const cli_args *args;
  parl_recipe *recipe;
  parl_run run;
  parl_workers *workers;
  parl_trajectories *set;
  uint64_t seed;
  double seconds;
  double episode_bytes; /* of one that is alive: C side and Lua world */
} bench;

typedef struct result {
  const char *style;
  double episodes, steps, turns, cpu_s, wall_s;
} result;

static double now_s(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* style: NULL: at random. */
static parl_status open_rollout(const bench *b, const char *style, parl_rollout **out) {
  parl_rollout_def rollout =
      parl_run_get_rollout(&b->run, cli_get_script_host(b->args->quiet), b->workers);
  rollout.n_slots = N_SLOTS;
  if (style != NULL)
    rollout.seats.main = parl_player_of_script(style, 1);
  else
    rollout.seats.main = rollout.seats.subs = parl_player_of_chance();
  return parl_rollout_create(&rollout, out);
}

/* Batch after batch of new tasks, in groups as in training, until the time is over. The first is
 * not counted. */
static parl_status measure(const bench *b, const char *style, result *r) {
  const bool random = strcmp(style, "random play") == 0;
  parl_rollout *rollout = NULL;
  parl_job jobs[N_JOBS];
  *r = (result){.style = style};
  PARL_TRY(open_rollout(b, random ? NULL : style, &rollout));
  parl_status s = PARL_STATUS_OK;
  double start_cpu = 0, start_wall = 0;
  for (uint64_t k = 0; s == PARL_STATUS_OK && (k < 2 || r->wall_s < b->seconds); k++) {
    for (size_t i = 0; i < N_JOBS; i++)
      jobs[i] = (parl_job){.task_seed = b->seed + (N_JOBS * k + i) / GROUP,
                           .episode_seed = b->seed + N_JOBS * k + i,
                           .temperature = 1,
                           .out = parl_trajectories_get(b->set, i)};
    s = parl_rollout_run(rollout, jobs, N_JOBS, NULL);
    if (k == 0) {
      start_cpu = now_s(CLOCK_THREAD_CPUTIME_ID);
      start_wall = now_s(CLOCK_MONOTONIC);
      continue;
    }
    for (size_t i = 0; i < N_JOBS; i++) {
      r->steps += jobs[i].out->facts.total_steps;
      r->turns += jobs[i].out->facts.turns;
    }
    r->episodes += N_JOBS;
    r->cpu_s = now_s(CLOCK_THREAD_CPUTIME_ID) - start_cpu;
    r->wall_s = now_s(CLOCK_MONOTONIC) - start_wall;
  }
  parl_rollout_destroy(rollout);
  return s;
}

/* What a live episode holds: its world in Lua, its context and its state in C. */
static parl_status weigh(bench *b, parl_env *env) {
  parl_world worlds[N_WORLDS];
  parl_agent agent;
  parl_env_collect(env);
  const size_t before = parl_env_get_memory(env);
  for (size_t i = 0; i < N_WORLDS; i++)
    PARL_TRY(parl_env_reset(env, b->seed + i, b->seed + i, &worlds[i], &agent));
  parl_env_collect(env);
  const double world = (double)(parl_env_get_memory(env) - before) / N_WORLDS;
  b->episode_bytes =
      world + (double)parl_episode_get_bytes(parl_env_get_spec(env), &b->run.config.episode);
  return PARL_STATUS_OK;
}

static void write_result(const result *r, parl_json_writer *w) {
  parl_json_key(w, "episodes_per_s");
  parl_json_number(w, r->episodes / r->cpu_s);
  parl_json_key(w, "agent_steps_per_s");
  parl_json_number(w, r->steps / r->cpu_s);
  parl_json_key(w, "steps_per_episode");
  parl_json_number(w, r->steps / r->episodes);
  parl_json_key(w, "cpu_s");
  parl_json_number(w, r->cpu_s);
  parl_json_key(w, "wall_s");
  parl_json_number(w, r->wall_s);
}

/* results[0] is the one asked for. */
static parl_status print_json(const bench *b, const parl_env *env, const result *results,
                              size_t n) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "env");
  parl_json_string(&w, parl_env_get_spec(env)->name);
  parl_json_key(&w, "params");
  parl_json_raw(&w, parl_env_get_params(env));
  parl_json_key(&w, "style");
  parl_json_string(&w, results[0].style);
  write_result(&results[0], &w);
  parl_json_key(&w, "bytes_per_live_episode");
  parl_json_number(&w, b->episode_bytes);
  parl_json_key(&w, "styles");
  parl_json_begin_array(&w);
  for (size_t i = 0; i < n; i++) {
    parl_json_begin_object(&w);
    parl_json_key(&w, "style");
    parl_json_string(&w, results[i].style);
    write_result(&results[i], &w);
    parl_json_end_object(&w);
  }
  parl_json_end_array(&w);
  parl_json_end_object(&w);
  return cli_print(&text);
}

static parl_status print_text(const bench *b, const parl_env *env, const result *results,
                              size_t n) {
  printf(
      "%s, one core, scripted agents, %s\n\n", parl_env_get_spec(env)->name,
      b->run.config.env.instructions > 0 ? "with an instruction budget" : "the default guard on");
  printf("%-14s %14s %17s %14s\n", "style", "episodes/s", "agent steps/s", "steps/episode");
  for (size_t i = 0; i < n; i++)
    printf("%-14s %s %s %s\n", results[i].style,
           cli_fixed(14, 0, results[i].episodes / results[i].cpu_s).text,
           cli_fixed(17, 0, results[i].steps / results[i].cpu_s).text,
           cli_fixed(14, 1, results[i].steps / results[i].episodes).text);
  printf("\nper second of the thread's own processor time; a live episode holds %.1f KiB\n",
         b->episode_bytes / 1024);
  return PARL_STATUS_OK;
}

/* Styles in the order of measurement: the one asked for alone, or greedy_wide and then the rest. */
static size_t list_styles(const bench *b, const parl_env_spec *spec,
                          const char *list[PARL_ENV_MAX_STYLES + 1]) {
  if (b->args->as != NULL) {
    list[0] = strcmp(b->args->as, "random") == 0 ? "random play" : b->args->as;
    for (int i = 0; i < spec->n_styles; i++)
      if (strcmp(spec->styles[i], b->args->as) == 0) list[0] = b->args->as;
    return 1;
  }
  size_t n = 0;
  for (int i = 0; i < spec->n_styles; i++)
    if (strcmp(spec->styles[i], "greedy_wide") == 0) list[n++] = spec->styles[i];
  for (int i = 0; i < spec->n_styles; i++)
    if (strcmp(spec->styles[i], "greedy_wide") != 0) list[n++] = spec->styles[i];
  list[n++] = "random play";
  return n;
}

static parl_status check_style(const bench *b, const parl_env_spec *spec) {
  const char *as = b->args->as;
  return as == NULL || strcmp(as, "random") == 0 ? PARL_STATUS_OK
                                                 : parl_recipe_check_style(spec, "--as", as);
}

static parl_status run(bench *b, parl_env **env) {
  PARL_TRY(env_load_recipe(b->args, &b->recipe));
  PARL_TRY(parl_run_init(b->recipe, 0, 0, &b->run));
  b->run.config.env.on_error = PARL_ON_ERROR_STOP;
  PARL_TRY(parl_workers_create(1, &b->workers));
  PARL_TRY(parl_trajectories_create(&(parl_trajectories_def){.n = N_JOBS, .n_words = 1}, &b->set));
  PARL_TRY(parl_run_open_env(&b->run, cli_get_script_host(b->args->quiet), env));
  PARL_TRY(parl_run_fix_files(&b->run, *env));
  PARL_TRY(check_style(b, parl_env_get_spec(*env)));
  cli_begin_work();
  PARL_TRY(weigh(b, *env));
  const char *styles[PARL_ENV_MAX_STYLES + 1];
  result results[PARL_ENV_MAX_STYLES + 1];
  const size_t n = list_styles(b, parl_env_get_spec(*env), styles);
  for (size_t i = 0; i < n; i++) PARL_TRY(measure(b, styles[i], &results[i]));
  return (b->args->json ? print_json : print_text)(b, *env, results, n);
}

int env_bench(const cli_args *args) {
  bench b = {.args = args, .seconds = args->seconds, .seed = (uint64_t)args->seed};
  parl_env *env = NULL;
  const parl_status s = run(&b, &env);
  parl_env_destroy(env);
  parl_trajectories_destroy(b.set);
  parl_workers_destroy(b.workers);
  parl_run_deinit(&b.run);
  parl_recipe_destroy(b.recipe);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
