/* cli/cmd_help.c - parl help, parl completion. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/config.h"
#include "lua/env.h"
#include "parl/recipe.h"

static int help_recipe(void) {
  size_t n;
  const parl_recipe_section *s = parl_recipe_get_sections(&n);
  parl_text text = {0};
  for (size_t i = 0; i < n; i++) {
    parl_text_appendf(&text, "%s%s - %s\n", i ? "\n" : "", s[i].section->name, s[i].section->doc);
    parl_config_append_help(s[i].section, false, &text);
  }
  fputs(parl_text_get(&text), stdout);
  parl_text_deinit(&text);
  return CLI_DONE;
}

static int help_env(const char *path) {
  parl_env *env;
  const parl_status s = parl_env_create(path, NULL, &(parl_env_options){0}, &env);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  const parl_env_spec *spec = parl_env_get_spec(env);
  printf("%s - %s\n\nparameters (env.params):\n", spec->name, spec->summary);
  parl_text text = {0};
  parl_env_append_params_help(env, &text);
  fputs(parl_text_get(&text), stdout);
  parl_text_deinit(&text);
  printf("\ntools:");
  for (int i = 0; i < spec->n_tools; i++) printf(" %s", spec->tools[i].name);
  printf("\nexpert styles:");
  for (int i = 0; i < spec->n_styles; i++) printf(" %s", spec->styles[i]);
  printf(
      "\nvocabulary: %d tokens; contexts: %d tokens, sub-agents %d tokens and %d steps; width %d\n",
      spec->n_tokens, spec->limits.context, spec->limits.sub_context, spec->limits.sub_steps,
      spec->limits.max_width);
  parl_env_destroy(env);
  return CLI_DONE;
}

int cmd_help(const cli_args *args) {
  if (args->n_operands == 0) {
    cli_print_help(NULL);
    return CLI_DONE;
  }
  const char *topic = args->operands[0];
  if (strcmp(topic, "recipe") == 0) return help_recipe();
  const size_t length = strlen(topic);
  if (length > 4 && strcmp(topic + length - 4, ".lua") == 0) return help_env(topic);
  size_t n;
  const char *const *names = cli_get_verbs(&n);
  for (size_t i = 0; i < n; i++) {
    if (strcmp(names[i], topic) != 0) continue;
    cli_print_help(topic);
    return CLI_DONE;
  }
  const char *near = parl_nearest(topic, names, n);
  return cli_usage("no help on \"%s\"%s%s%s", topic, near ? "; did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "");
}

int cmd_completion(const cli_args *args) {
  if (!cli_need_operands(args, 1)) return CLI_USAGE;
  if (strcmp(args->operands[0], "bash") != 0)
    return cli_usage("completion for \"%s\" is not there; bash is", args->operands[0]);
  size_t n;
  const char *const *names = cli_get_verbs(&n);
  printf(
      "_parl() {\n  local word=${COMP_WORDS[COMP_CWORD]} options=\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then options='");
  for (size_t i = 0; i < n; i++) printf("%s%s", i ? " " : "", names[i]);
  printf("'\n  else case ${COMP_WORDS[1]} in\n");
  for (size_t i = 0; i < n; i++) {
    size_t n_options;
    const cli_option *o = cli_get_options(names[i], &n_options);
    printf("    %s) options='%s--help", names[i],
           strcmp(names[i], "env") == 0 ? "new check play bench " : "");
    for (size_t k = 0; k < n_options; k++) printf(" %s", o[k].name);
    printf("' ;;\n");
  }
  printf(
      "  esac; fi\n  COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
      "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$word\"))\n}\n"
      "complete -o filenames -F _parl parl\n");
  return CLI_DONE;
}
