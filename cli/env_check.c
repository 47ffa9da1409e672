/* cli/env_check.c - parl env check FILE: the conformance suite. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/env.h"
#include "parl/contract/conformance.h"

extern char **environ;

/* --- another process, with other addresses and another clock --- */

typedef struct other {
  const cli_args *args;
} other;

/* Looks up between two bytes: a signal that asks to stop may come to this process alone. */
static parl_status read_hash(int fd, char hash[PARL_HASH_HEX_BYTES]) {
  size_t n = 0;
  while (n < PARL_HASH_HEX_BYTES - 1) {
    struct pollfd source = {.fd = fd, .events = POLLIN};
    if (cli_get_signal() != 0) return parl_fail(PARL_STATUS_ESTOPPED, "stopped on request");
    if (poll(&source, 1, 100) <= 0) continue;
    const ssize_t got = read(fd, hash + n, PARL_HASH_HEX_BYTES - 1 - n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    n += (size_t)got;
  }
  hash[n] = '\0';
  if (n == PARL_HASH_HEX_BYTES - 1) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EIO, "the second process gave no trace hash");
}

static parl_status spawn(char *const *argv, int *fd, pid_t *child) {
  int ends[2];
  if (pipe(ends) != 0) return parl_fail(PARL_STATUS_EIO, "pipe: %s", strerror(errno));
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&files, ends[0]);
  posix_spawn_file_actions_addclose(&files, ends[1]);
  const int rc = posix_spawn(child, "/proc/self/exe", &files, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&files);
  close(ends[1]);
  if (rc == 0) {
    *fd = ends[0];
    return PARL_STATUS_OK;
  }
  close(ends[0]);
  return parl_fail(PARL_STATUS_EIO, "starting a second process: %s", strerror(rc));
}

static parl_status ask_other(void *context, size_t n_tasks, char hash[PARL_HASH_HEX_BYTES]) {
  const cli_args *args = ((const other *)context)->args;
  char *argv[2 * CLI_MAX_REPEATS + 16], seed[24], tasks[24];
  size_t n = 0;
#define ADD(text) argv[n++] = (char *)(text)
  ADD("parl"), ADD("env"), ADD("check"), ADD("--hash"), ADD("--quiet");
  snprintf(seed, sizeof seed, "%lld", (long long)args->seed);
  snprintf(tasks, sizeof tasks, "%zu", n_tasks);
  ADD("--seed"), ADD(seed);
  ADD("--tasks"), ADD(tasks);
  if (args->strict) ADD("--strict");
  for (size_t i = 0; i < args->n_sets; i++) ADD("--set"), ADD(args->sets[i]);
  ADD("--"), ADD(args->operands[0]);
#undef ADD
  argv[n] = NULL;
  int fd = -1, status = 0;
  pid_t child = 0;
  PARL_TRY(spawn(argv, &fd, &child));
  const parl_status s = read_hash(fd, hash);
  if (s == PARL_STATUS_ESTOPPED) kill(child, SIGKILL); /* it only computes */
  close(fd);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return s;
}

/* --- what was found --- */

static void write_findings(const parl_conformance *c, parl_json_writer *w) {
  parl_json_key(w, "findings");
  parl_json_begin_array(w);
  for (size_t i = 0; i < c->n_findings; i++) {
    const parl_finding *f = &c->findings[i];
    parl_json_begin_object(w);
    parl_json_key(w, "name");
    parl_json_string(w, parl_conformance_name(f->check));
    parl_json_key(w, "kind");
    parl_json_string(w, f->is_note ? "note" : "fault");
    parl_json_key(w, "what");
    parl_json_string(w, f->what);
    parl_json_key(w, "where");
    parl_json_string(w, f->where);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static void write_number(parl_json_writer *w, const char *key, double x) {
  parl_json_key(w, key);
  parl_json_number(w, x);
}

static void write_styles(const parl_conformance *c, parl_json_writer *w) {
  parl_json_key(w, "styles");
  parl_json_begin_array(w);
  for (size_t i = 0; i < c->n_styles; i++) {
    const parl_style_summary *t = &c->styles[i];
    parl_json_begin_object(w);
    parl_json_key(w, "style");
    parl_json_string(w, t->style);
    write_number(w, "episodes", (double)t->n);
    write_number(w, "success", t->n > 0 ? (double)t->n_success / (double)t->n : 0);
    write_number(w, "at_optimum", t->n > 0 ? (double)t->n_at_optimum / (double)t->n : 0);
    write_number(w, "r_perf", t->r_perf);
    write_number(w, "critical_steps", t->critical_steps);
    write_number(w, "total_steps", t->total_steps);
    write_number(w, "optimum_steps", t->optimum_steps);
    write_number(w, "serial_steps", t->serial_steps);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static void write_times(const parl_conformance *c, parl_json_writer *w) {
  parl_json_key(w, "callbacks");
  parl_json_begin_array(w);
  for (size_t i = 0; i < c->n_timings; i++) {
    const parl_timing *t = &c->timings[i];
    parl_json_begin_object(w);
    parl_json_key(w, "name");
    parl_json_string(w, t->name);
    write_number(w, "calls", (double)t->n);
    write_number(w, "mean_us", 1e6 * t->total_s / (double)t->n);
    write_number(w, "max_us", 1e6 * t->max_s);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static parl_status print_json(const parl_conformance *c) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "env");
  parl_json_string(&w, c->name);
  parl_json_key(&w, "file");
  parl_json_string(&w, c->path);
  parl_json_key(&w, "passed");
  parl_json_bool(&w, c->n_faults == 0);
  write_findings(c, &w);
  write_styles(c, &w);
  write_times(c, &w);
  write_number(&w, "episodes", (double)c->n_episodes);
  write_number(&w, "bytes_per_world", c->bytes_per_world);
  parl_json_key(&w, "hash");
  parl_json_string(&w, c->hash);
  parl_json_end_object(&w);
  return cli_print(&text);
}

static const char *judge(const parl_conformance *c, parl_conformance_check check) {
  const char *word = c->ran[check] ? "ok" : "not run";
  for (size_t i = 0; i < c->n_findings; i++) {
    if (c->findings[i].check != check) continue;
    if (!c->findings[i].is_note) return "FAULT";
    word = "note";
  }
  return word;
}

static void print_findings(const parl_conformance *c, parl_conformance_check check) {
  for (size_t i = 0; i < c->n_findings; i++) {
    const parl_finding *f = &c->findings[i];
    if (f->check != check) continue;
    const char *rest = f->what;
    while (*rest != '\0') {
      const int n = (int)strcspn(rest, "\n");
      printf("           %.*s\n", n, rest);
      rest += n + (rest[n] == '\n');
    }
    if (f->where[0]) printf("           seen: %s\n", f->where);
  }
}

static parl_status print_text(const parl_conformance *c) {
  printf("%s%s%s\n\n", c->name, c->name[0] ? "  " : "", c->path);
  for (int k = 0; k < PARL_N_CONFORMANCE_CHECKS; k++) {
    const parl_conformance_check check = (parl_conformance_check)k;
    printf("%-8s %-12s %s\n", judge(c, check), parl_conformance_name(check),
           parl_conformance_meaning(check));
    print_findings(c, check);
  }
  if (c->n_styles > 0)
    printf("\n%-14s %8s %8s %8s %9s %9s %9s\n", "style", "episodes", "success", "r_perf",
           "critical", "total", "optimum");
  for (size_t i = 0; i < c->n_styles; i++) {
    const parl_style_summary *t = &c->styles[i];
    printf("%-14s %8zu %s%% %s %s %s %s\n", t->style, t->n,
           cli_fixed(7, 0, 100 * (double)t->n_success / (double)t->n).text,
           cli_fixed(8, 3, t->r_perf).text, cli_fixed(9, 2, t->critical_steps).text,
           cli_fixed(9, 2, t->total_steps).text, cli_fixed(9, 2, t->optimum_steps).text);
  }
  if (c->n_timings > 0) printf("\n%-14s %8s %10s %10s\n", "callback", "calls", "mean us", "max us");
  for (size_t i = 0; i < c->n_timings; i++) {
    const parl_timing *t = &c->timings[i];
    printf("%-14s %8lld %s %s\n", t->name, (long long)t->n,
           cli_fixed(10, 2, 1e6 * t->total_s / (double)t->n).text,
           cli_fixed(10, 1, 1e6 * t->max_s).text);
  }
  printf("\n%zu episodes, %.1f KiB of Lua memory for a live one, trace hash %.16s\n", c->n_episodes,
         c->bytes_per_world / 1024, c->hash[0] ? c->hash : "-");
  printf("%s\n", c->n_faults == 0 ? "passed" : "failed");
  return PARL_STATUS_OK;
}

static int print_hash(const parl_conformance_def *def) {
  char hash[PARL_HASH_HEX_BYTES];
  const parl_status s = parl_conformance_hash(def, hash);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  puts(hash);
  return CLI_DONE;
}

static int check(const cli_args *args, const parl_conformance_def *def) {
  if (args->hash) return print_hash(def);
  parl_conformance *result = calloc(1, sizeof *result);
  if (result == NULL) return cli_fail(parl_fail(PARL_STATUS_ENOMEM, "check: no memory"));
  parl_status s = parl_conformance_run(def, result);
  if (s == PARL_STATUS_OK) s = (args->json ? print_json : print_text)(result);
  const int code = s != PARL_STATUS_OK ? cli_fail(s) : result->n_faults > 0 ? CLI_FAILED : CLI_DONE;
  free(result);
  return code;
}

/* Whether the environment takes what --set says; that it does not load is for the checks. */
static bool takes_set(const cli_args *args, const parl_recipe *recipe) {
  parl_env *env = NULL;
  const parl_status s = parl_recipe_open_env(recipe, 0, cli_get_script_host(args->quiet), &env);
  parl_env_destroy(env);
  return s != PARL_STATUS_EINVAL;
}

int env_check(const cli_args *args) {
  parl_recipe *recipe;
  const parl_status s = env_load_recipe(args, &recipe);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  if (!takes_set(args, recipe)) {
    parl_recipe_destroy(recipe);
    return cli_fail(PARL_STATUS_EINVAL);
  }
  cli_begin_work();
  other context = {args};
  const int code =
      check(args, &(parl_conformance_def){.recipe = recipe,
                                          .n_tasks = (size_t)args->tasks,
                                          .n_random = (size_t)args->episodes,
                                          .seed = (uint64_t)args->seed,
                                          .ask_other = ask_other,
                                          .context = &context,
                                          .stop = cli_catch_signals(),
                                          .scripts = cli_get_script_host(args->quiet)});
  parl_recipe_destroy(recipe);
  return code;
}
