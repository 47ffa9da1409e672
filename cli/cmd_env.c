/* cli/cmd_env.c - parl env new|check|play|bench. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/env.h"
#include "core/config.h"

/* Which options each takes, besides --json and --quiet. */
static const struct {
  const char *name, *operand;
  int (*run)(const cli_args *args);
  const char *options;
  bool runs_scripts;
} actions[] = {
    {"new", "NAME", env_new, "", false},
    {"check", "FILE", env_check, "--set --seed --tasks --episodes --strict --isolate --hash", true},
    {"play", "FILE", env_play, "--set --seed --as --interactive --strict --isolate", true},
    {"bench", "FILE", env_bench, "--set --seed --as --seconds --strict --isolate", true}};
enum { N_ACTIONS = sizeof actions / sizeof actions[0] };

parl_status env_load_recipe(const cli_args *args, parl_recipe **out) {
  const char *sets[CLI_MAX_SETS + 2];
  size_t n = 0;
  sets[n++] = "episode.budget_factor=0";
  if (args->strict) sets[n++] = "env.instructions=20000000";
  for (size_t i = 0; i < args->n_sets; i++) sets[n++] = args->sets[i];
  return parl_recipe_load_env(args->operands[1], sets, n, cli_get_datadir(), out);
}

bool env_read_number(const char *option, const char *text, int64_t low, int64_t high,
                     int64_t otherwise, int64_t *out) {
  *out = otherwise;
  if (text == NULL) return true;
  char *end;
  errno = 0;
  *out = strtoll(text, &end, 10);
  if (errno == 0 && *end == '\0' && end != text && *out >= low && *out <= high) return true;
  cli_usage("%s %s: a whole number from %lld to %lld", option, text, (long long)low,
            (long long)high);
  return false;
}

static bool has_word(const char *list, const char *word) {
  const size_t n = strlen(word);
  for (const char *at = list; (at = strstr(at, word)) != NULL; at += n)
    if (at[n] == ' ' || at[n] == '\0') return true;
  return false;
}

/* An option that this action does not know; NULL if there is none. */
static const char *find_foreign(const cli_args *a, const char *known) {
  const struct {
    const char *name;
    bool given;
  } given[] = {{"--set", a->n_sets > 0},          {"--seed", a->seed != NULL},
               {"--tasks", a->tasks != NULL},     {"--episodes", a->episodes != NULL},
               {"--as", a->as != NULL},           {"--seconds", a->seconds != NULL},
               {"--interactive", a->interactive}, {"--strict", a->strict},
               {"--isolate", a->isolate},         {"--hash", a->hash}};
  for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
    if (given[i].given && !has_word(known, given[i].name)) return given[i].name;
  return NULL;
}

int cmd_env(const cli_args *args) {
  const char *wanted = args->n_operands > 0 ? args->operands[0] : "";
  const char *names[N_ACTIONS];
  for (int i = 0; i < (int)N_ACTIONS; i++) {
    names[i] = actions[i].name;
    if (strcmp(wanted, actions[i].name) != 0) continue;
    if (args->n_operands != 2)
      return cli_usage("env %s takes %s; see parl env --help", wanted, actions[i].operand);
    const char *foreign = find_foreign(args, actions[i].options);
    if (foreign) return cli_usage("env %s has no option %s", wanted, foreign);
    return args->isolate && actions[i].runs_scripts ? env_run_isolated(actions[i].run, args)
                                                    : actions[i].run(args);
  }
  const char *near = parl_nearest(wanted, names, N_ACTIONS);
  return cli_usage("env takes new NAME, check FILE, play FILE or bench FILE, not \"%s\"%s%s%s",
                   wanted, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}
