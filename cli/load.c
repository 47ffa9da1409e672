/* cli/load.c - the recipe of a command line, and what is odd about its overrides. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/json.h"

void cli_warn_of_recipe(const parl_recipe *recipe) {
  for (const char *line = parl_recipe_get_warnings(recipe); *line != '\0';) {
    const size_t n = strcspn(line, "\n");
    fprintf(stderr, "parl: warning: %.*s\n", (int)n, line);
    line += n + (line[n] == '\n');
  }
}

parl_status cli_load_recipe(const cli_args *args, parl_recipe **out) {
  return cli_load_recipe_of(args, args->operands[0], out);
}

/* An empty name, as of a variable that is not set, would begin as chance without a word. */
static parl_status check_beginning(const cli_args *args) {
  if (args->init != NULL && args->extend != NULL)
    return parl_fail(PARL_STATUS_EINVAL,
                     "--init and --extend are both given: a model begins as one of them");
  if (args->init != NULL && args->init[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "--init needs CHECKPOINT, which is empty");
  if (args->extend != NULL && args->extend[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "--extend needs CHECKPOINT, which is empty");
  return PARL_STATUS_OK;
}

/* --init and --extend are overrides like others, behind them. */
static void append_beginning(const cli_args *args, parl_text *out) {
  parl_json_writer w;
  parl_text_append(out, args->init != NULL ? "pretrain.init=" : "pretrain.extend=");
  parl_json_writer_init(&w, out, false);
  parl_json_string(&w, args->init != NULL ? args->init : args->extend);
}

parl_status cli_load_recipe_of(const cli_args *args, const char *name, parl_recipe **out) {
  char path[CLI_PATH_BYTES];
  const char *sets[CLI_MAX_REPEATS + 1];
  size_t n = args->n_sets;
  parl_text begin = {0};
  PARL_TRY(check_beginning(args));
  PARL_TRY(cli_find_recipe(name, path));
  memcpy(sets, args->sets, n * sizeof sets[0]);
  if (args->init != NULL || args->extend != NULL) {
    append_beginning(args, &begin);
    sets[n++] = parl_text_get(&begin);
  }
  parl_status s = parl_text_status(&begin);
  if (s == PARL_STATUS_OK) s = parl_recipe_load(path, sets, n, cli_get_datadir(), out);
  parl_text_deinit(&begin);
  PARL_TRY(s);
  cli_warn_of_recipe(*out);
  return PARL_STATUS_OK;
}

parl_status cli_find_arm(const parl_recipe *recipe, const char *name, size_t *out) {
  const char *names[256];
  const size_t n = parl_recipe_get_n_arms(recipe), most = sizeof names / sizeof names[0];
  for (size_t i = 0; i < n; i++) {
    if (i < most) names[i] = parl_recipe_get_arm_name(recipe, i);
    if (strcmp(parl_recipe_get_arm_name(recipe, i), name) == 0) return *out = i, PARL_STATUS_OK;
  }
  const char *near = parl_nearest(name, names, n < most ? n : most);
  return parl_fail(PARL_STATUS_EINVAL, "--arm %s: the recipe has no such arm%s%s%s", name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* The value of the --set of a parameter [n] of the environment; NULL if there is none. */
static const char *find_param_set(const cli_args *args, const char *name, size_t n) {
  static const char front[] = "env.params.";
  const size_t length = sizeof front - 1;
  for (size_t i = 0; i < args->n_sets; i++) {
    const char *set = args->sets[i];
    if (strncmp(set, front, length) == 0 && strncmp(set + length, name, n) == 0 &&
        set[length + n] == '=')
      return set + length + n + 1;
  }
  return NULL;
}

void cli_warn_of_preset(const cli_args *args, const char *exceptions) {
  const char *preset = find_param_set(args, "preset", strlen("preset"));
  parl_text kept = {0};
  for (const char *at = exceptions; preset != NULL && *at != '\0'; at += strspn(at, ", ")) {
    const size_t n = strcspn(at, ",");
    if (find_param_set(args, at, n) == NULL)
      parl_text_appendf(&kept, "%s%.*s", kept.n > 0 ? ", " : "", (int)n, at);
    at += n;
  }
  if (kept.n > 0)
    fprintf(
        stderr,
        "parl: warning: --set env.params.preset=%s changes only what the recipe leaves: not %s\n",
        preset, parl_text_get(&kept));
  parl_text_deinit(&kept);
}
