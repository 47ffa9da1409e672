/* cli/cmd_help.c - parl help, and --help of every command. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/config.h"
#include "core/file.h"
#include "lua/env.h"
#include "parl/run/recipe.h"

enum { MAX_SOURCE_BYTES = 16 << 20, LARGEST_PATCH = 64 /* of model.vision.patch */ };

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
  if (o->high < ldexp(1.0, 53) - 1)
    parl_text_appendf(out, "%.10g", o->high);
  else
    parl_text_append(out, o->high < ldexp(1.0, 53) ? "2^53 - 1" : "2^53");
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

/* Name and operands, then the summary: of all commands, or of a verb's actions. */
static void print_commands(const cli_command *group) {
  size_t n;
  const cli_command *all = cli_get_commands(&n);
  for (size_t i = 0; i < n; i++) {
    if (all[i].run == NULL) continue;
    if (group != NULL && (strcmp(all[i].verb, group->verb) != 0 || !all[i].action[0])) continue;
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

static void print_shipped(void) {
  parl_text recipes = {0}, envs = {0};
  cli_append_recipes(&recipes);
  cli_append_envs(&envs);
  if (recipes.n > 0) printf("\nshipped recipes:%s\n", parl_text_get(&recipes));
  if (envs.n > 0) printf("shipped environments:%s\n", parl_text_get(&envs));
  if (recipes.n + envs.n == 0)
    printf("\nno shipped recipes or environments in %s\n", cli_get_datadir());
  parl_text_deinit(&recipes);
  parl_text_deinit(&envs);
}

static void print_everything(void) {
  printf("parl - train and compare parallel-agent orchestrators\n\nusage: parl VERB ...\n\n");
  print_commands(NULL);
  print_shipped();
  printf(
      "\nA file of your own by the same name comes first: parl train quickstart, parl help chain.\n"
      "parl VERB --help explains a verb; parl help recipe lists every field of a recipe,\n"
      "parl help reward and parl help schedule what its Lua expressions may name.\n"
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
  if (c->action[0] == '\0' && cli_has_actions(c->verb)) {
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
  parl_text_append(&text,
                   "\nterms: weights of the reward's terms, and terms of the recipe's own\n"
                   "  terms.TERM.weight  the section of that weight by another name, TERM one of\n"
                   "                    ");
  for (int i = 0; i < PARL_N_TERMS; i++)
    parl_text_appendf(&text, " %s (%s)", parl_term_infos[i].name, parl_term_infos[i].lambda);
  parl_text_append(&text,
                   "\n  terms.NAME.lua     Lua expression of a term r_NAME of your own: parl help "
                   "reward\n\n");
  parl_config_append_help(&parl_weight_section, false, &text);
  parl_text_append(&text, "\nsources: what `pretrain` learns from, by name\n\n");
  parl_config_append_help(&parl_source_section, false, &text);
  parl_text_append(&text,
                   "  params             the script's own parameters\n"
                   "  augment            how its documents are varied, below\n"
                   "  weight             a schedule over the steps; default: constant 1\n\n");
  parl_config_append_help(&parl_augment_section, false, &text);
  const parl_status status = cli_print(&text);
  return status == PARL_STATUS_OK ? CLI_DONE : cli_fail(status);
}

static parl_status print_env(const char *path) {
  parl_env *env;
  const parl_env_options any = {.patch = LARGEST_PATCH}; /* no model is asked for: what any sees */
  PARL_TRY(parl_env_create(path, NULL, &any, &env));
  const parl_env_spec *spec = parl_env_get_spec(env);
  printf("%s - %s\n\nparameters (env.params):\n", spec->name, spec->summary);
  parl_text text = {0};
  parl_env_append_params_help(env, &text);
  const parl_status s = cli_print(&text);
  printf("\ntools:");
  for (int i = 0; i < spec->n_tools; i++) printf(" %s", spec->tools[i].name);
  printf("\nexpert styles:");
  for (int i = 0; i < spec->n_styles; i++) printf(" %s", spec->styles[i]);
  printf(
      "\nvocabulary: %d tokens; contexts: %d tokens, sub-agents %d tokens and %d steps; width %d\n",
      spec->n_tokens, spec->limits.context, spec->limits.sub_context, spec->limits.sub_steps,
      spec->limits.max_width);
  parl_env_destroy(env);
  return s;
}

/* The lines of comment that a source begins with. */
static void print_comment(const char *source) {
  for (const char *at = source; strncmp(at, "--", 2) == 0;) {
    const int n = (int)strcspn(at, "\n"), skip = 2 + (at[2] == ' ');
    printf("  %.*s\n", n - skip, at + skip);
    at += n + (at[n] == '\n');
  }
}

static parl_status print_recipe(const char *path, const char *source) {
  parl_recipe *recipe = NULL;
  PARL_TRY(parl_recipe_load(path, NULL, 0, cli_get_datadir(), &recipe));
  const parl_run_config *c = parl_recipe_get_arm(recipe, 0);
  printf("%s - a recipe\n", path);
  print_comment(source);
  const char *env = parl_recipe_get_env_path(recipe, 0);
  printf("\nenvironment: %s\narms:", env);
  for (size_t i = 0; i < parl_recipe_get_n_arms(recipe); i++) {
    const char *own = parl_recipe_get_env_path(recipe, i);
    const bool is_other = strcmp(own, env) != 0;
    printf(" %s%s%s%s", parl_recipe_get_arm_name(recipe, i), is_other ? " (" : "",
           is_other ? own : "", is_other ? ")" : "");
  }
  printf("\n%lld seeds of %lld updates each, written to %s\n", (long long)c->run.n_seeds,
         (long long)c->train.updates, parl_recipe_get_folder(recipe));
  parl_recipe_destroy(recipe);
  return PARL_STATUS_OK;
}

/* Only an environment can name parl.env: a recipe has no `parl`. */
static parl_status print_file(const char *path) {
  char *source = NULL;
  size_t n;
  PARL_TRY(parl_file_read(path, MAX_SOURCE_BYTES, &source, &n));
  const bool is_env = strstr(source, "parl.env") != NULL;
  const parl_status s = is_env ? print_env(path) : print_recipe(path, source);
  free(source);
  return s;
}

/* A file that is there, or what is shipped under the name, which may be one of each. CLI_USAGE and
 * silence if nothing is. */
static int help_file(const char *topic) {
  char env[CLI_PATH_BYTES], recipe[CLI_PATH_BYTES];
  const bool has_env = cli_find_env(topic, env) == PARL_STATUS_OK;
  const bool has_recipe = cli_find_recipe(topic, recipe) == PARL_STATUS_OK;
  if (!has_env && !has_recipe) return CLI_USAGE;
  parl_status s = has_env ? print_file(env) : PARL_STATUS_OK;
  if (s == PARL_STATUS_OK && has_recipe && !(has_env && strcmp(env, recipe) == 0)) {
    if (has_env) putchar('\n');
    s = print_file(recipe);
  }
  if (s == PARL_STATUS_OK) return CLI_DONE;
  cli_fail(s);
  return CLI_FAILED;
}

static int refuse_topic(const char *topic) {
  enum { MAX_NAMES = 256 };
  const char *names[MAX_NAMES] = {"recipe"};
  size_t n, n_names = 1;
  for (size_t i = 0; i < CLI_N_TOPICS; i++) names[n_names++] = cli_topics[i].name;
  const cli_command *all = cli_get_commands(&n);
  for (size_t i = 0; i < n && n_names < MAX_NAMES; i++)
    if (all[i].action[0] == '\0') names[n_names++] = all[i].verb;
  parl_text shipped = {0};
  cli_append_recipes(&shipped);
  cli_append_envs(&shipped);
  char *rest = shipped.bytes;
  while (rest != NULL && n_names < MAX_NAMES && (names[n_names] = strtok_r(NULL, " ", &rest)))
    n_names++;
  const char *near = parl_nearest(topic, names, n_names);
  if (near != NULL)
    cli_usage("no help on \"%s\"; did you mean \"%s\"?", topic, near);
  else
    cli_usage("no help on \"%s\": no verb, recipe or environment; parl help lists them", topic);
  parl_text_deinit(&shipped);
  return CLI_USAGE;
}

static bool is_topic(const char *name) {
  for (size_t i = 0; i < CLI_N_TOPICS; i++)
    if (strcmp(cli_topics[i].name, name) == 0) return true;
  return false;
}

int cmd_help(const cli_args *args) {
  const char *topic = args->operands[0], *action = args->operands[1];
  if (topic == NULL) {
    cli_print_help(NULL);
    return CLI_DONE;
  }
  const cli_command *c = cli_find_verb(topic);
  if (c != NULL && action != NULL) {
    if (!cli_has_actions(topic)) return cli_usage("%s has no actions", topic);
    const cli_command *found = action[0] ? cli_find_action(topic, action) : NULL;
    if (found == NULL) return cli_refuse_action(c, action);
    c = found;
  }
  if (c != NULL) {
    cli_print_help(c);
    if (action == NULL && is_topic(topic)) putchar('\n');
    if (action == NULL) (void)cli_print_topic(topic);
    return CLI_DONE;
  }
  if (action != NULL) return cli_usage("help on \"%s\" has no \"%s\"", topic, action);
  if (strcmp(topic, "recipe") == 0) return help_recipe();
  if (cli_print_topic(topic)) return CLI_DONE;
  const int code = help_file(topic);
  if (code != CLI_USAGE) return code;
  const size_t length = strlen(topic);
  const bool is_file = length > 4 && strcmp(topic + length - 4, ".lua") == 0;
  return is_file ? cli_fail(PARL_STATUS_EIO) : refuse_topic(topic);
}
