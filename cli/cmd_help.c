/* cli/cmd_help.c - parl help, and --help of every command. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/config.h"
#include "lua/env.h"
#include "parl/recipe.h"

/* --- commands --- */

/* "check, play: " for an option of some actions of a group only. */
static void append_actions(const cli_command *group, const cli_option *o, parl_text *out) {
  size_t n, n_taking = 0, n_actions = 0;
  const cli_command *all = cli_get_commands(&n);
  parl_text names = {0};
  for (size_t i = 0; i < n; i++) {
    if (all[i].run == NULL || strcmp(all[i].verb, group->verb) != 0) continue;
    n_actions++;
    if (!cli_takes(&all[i], o)) continue;
    parl_text_appendf(&names, "%s%s", n_taking++ ? ", " : "", all[i].action);
  }
  if (n_taking < n_actions) parl_text_appendf(out, "%s: ", parl_text_get(&names));
  parl_text_deinit(&names);
}

/* " (from 1 to 100; default: 7)" */
static void append_range(const cli_option *o, parl_text *out) {
  if (o->type != CLI_COUNT && o->type != CLI_REAL) return;
  parl_text_appendf(out, " (%s %.10g to ", o->type == CLI_REAL ? "above" : "from", o->low);
  if (o->high < ldexp(1.0, 53))
    parl_text_appendf(out, "%.10g", o->high);
  else
    parl_text_append(out, "2^53");
  const bool is_above = o->type == CLI_REAL ? o->preset > o->low : o->preset >= o->low;
  if (is_above && o->preset <= o->high) parl_text_appendf(out, "; default: %.10g", o->preset);
  parl_text_append(out, ")");
}

static void print_options(const cli_command *c) {
  size_t n;
  const cli_option *o = cli_get_options(&n);
  printf("\noptions:\n");
  for (size_t i = 0; i < n; i++) {
    if (!cli_takes(c, &o[i])) continue;
    char left[64];
    parl_text right = {0};
    const char letter[] = {'-', o[i].letter, ',', ' ', '\0'};
    snprintf(left, sizeof left, "%s--%s%s%s", o[i].letter ? letter : "", o[i].name,
             o[i].value ? " " : "", o[i].value ? o[i].value : "");
    if (c->run == NULL) append_actions(c, &o[i], &right);
    parl_text_append(&right, o[i].doc);
    append_range(&o[i], &right);
    printf("  %-22s %s\n", left, parl_text_get(&right));
    parl_text_deinit(&right);
  }
}

/* Name and operands, then the summary: of all commands, or of a group's actions. */
static void print_commands(const cli_command *group) {
  size_t n;
  const cli_command *all = cli_get_commands(&n);
  for (size_t i = 0; i < n; i++) {
    if (all[i].run == NULL || (group != NULL && strcmp(all[i].verb, group->verb) != 0)) continue;
    parl_text name = {0};
    if (group == NULL)
      cli_append_name(&all[i], &name);
    else
      parl_text_append(&name, all[i].action);
    parl_text_appendf(&name, " %s", all[i].operands);
    printf("  %-29s %s\n", parl_text_get(&name), all[i].summary);
    parl_text_deinit(&name);
  }
}

static void print_everything(void) {
  printf("parl - train and compare parallel-agent orchestrators\n\nusage: parl VERB ...\n\n");
  print_commands(NULL);
  printf(
      "\nparl VERB --help explains a verb; parl help recipe lists every field of a recipe;\n"
      "parl help FILE.lua explains an environment.\n"
      "Exit codes: 0 done, 1 failed, 2 usage, 75 stopped but resumable, 129/130/143 on signals.\n");
}

void cli_print_help(const cli_command *c) {
  if (c == NULL) {
    print_everything();
    return;
  }
  parl_text name = {0};
  cli_append_name(c, &name);
  printf("usage: parl %s %s%s[options]\n\n%s\n", parl_text_get(&name), c->operands,
         c->operands[0] ? " " : "", c->summary);
  parl_text_deinit(&name);
  if (c->run == NULL) {
    printf("\nactions:\n");
    print_commands(c);
  }
  print_options(c);
  if (c->notes[0]) printf("\n%s", c->notes);
}

/* --- topics --- */

static int help_recipe(void) {
  size_t n;
  const parl_recipe_section *s = parl_recipe_get_sections(&n);
  parl_text text = {0};
  for (size_t i = 0; i < n; i++) {
    parl_text_append(&text, i ? "\n" : "");
    parl_config_append_help(s[i].section, false, &text);
  }
  const parl_status status = cli_print(&text);
  return status == PARL_STATUS_OK ? CLI_DONE : cli_fail(status);
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

static int refuse_topic(const char *topic) {
  const char *names[64] = {"recipe"};
  size_t n, n_names = 1;
  const cli_command *all = cli_get_commands(&n);
  for (size_t i = 0; i < n && n_names < 64; i++)
    if (all[i].action[0] == '\0') names[n_names++] = all[i].verb;
  const char *near = parl_nearest(topic, names, n_names);
  return cli_usage("no help on \"%s\"%s%s%s", topic, near ? "; did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "");
}

int cmd_help(const cli_args *args) {
  const char *topic = args->operands[0], *action = args->operands[1];
  if (topic == NULL) {
    cli_print_help(NULL);
    return CLI_DONE;
  }
  const cli_command *c = cli_find_verb(topic);
  if (c != NULL && action != NULL) {
    if (c->run != NULL) return cli_usage("%s has no actions", topic);
    const cli_command *found = action[0] ? cli_find_action(topic, action) : NULL;
    if (found == NULL) return cli_refuse_action(c, action);
    c = found;
  }
  if (c != NULL) {
    cli_print_help(c);
    return CLI_DONE;
  }
  if (action != NULL) return cli_usage("help on \"%s\" has no \"%s\"", topic, action);
  if (strcmp(topic, "recipe") == 0) return help_recipe();
  const size_t length = strlen(topic);
  if (length > 4 && strcmp(topic + length - 4, ".lua") == 0) return help_env(topic);
  return refuse_topic(topic);
}
