/* cli/complete.c - what can stand next on a command line, from the tables, the recipe on it and the
 * folders here. The scripts of cmd_completion.c ask for it. */
#include "cli/complete.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "lua/env.h"
#include "parl/reward/presets.h"
#include "parl/run/rows.h"

enum { TEXT_BYTES = 1024 };

/* A command line that is being written, taken apart. */
typedef struct request {
  const cli_command *command;
  size_t n_operands;
  const char *operands[CLI_MAX_OPERANDS];
  bool operands_only;        /* behind -- */
  const cli_option *pending; /* whose value the last word is, or NULL */
  const char *word;          /* the last word; of --name=value its value */
  char before[TEXT_BYTES];   /* "--name=", or "" */
} request;

/* n bytes more stand before the word; false if they do not fit. */
static bool add_before(request *r, const char *text, size_t n) {
  const size_t at = strlen(r->before);
  if (n >= sizeof r->before - at) return false;
  memcpy(r->before + at, text, n);
  r->before[at + n] = '\0';
  return true;
}

/* --- answers --- */

/* A candidate, if it goes on as the word begins. doc may be "". */
static void offer(const request *r, const char *candidate, const char *doc) {
  if (strncmp(candidate, r->word, strlen(r->word)) != 0) return;
  printf("%s%s%s%s\n", r->before, candidate, doc[0] ? "\t" : "", doc);
}

/* The shell completes names of files or folders itself. */
static void offer_files(void) {
  printf(":files\n");
}
static void offer_folders(void) {
  printf(":folders\n");
}

/* Each word of a list that blanks or bars part. */
static void offer_words(const request *r, const char *list) {
  char word[TEXT_BYTES];
  for (const char *at = list + strspn(list, " |"); *at != '\0'; at += strspn(at, " |")) {
    const size_t n = strcspn(at, " |");
    snprintf(word, sizeof word, "%.*s", (int)n, at);
    offer(r, word, "");
    at += n;
  }
}

static void offer_verbs(const request *r) {
  size_t n;
  const cli_command *all = cli_get_commands(&n);
  for (size_t i = 0; i < n; i++)
    if (all[i].action[0] == '\0') offer(r, all[i].verb, all[i].summary);
}

static void offer_actions(const request *r, const char *verb) {
  size_t n;
  const cli_command *all = cli_get_commands(&n);
  for (size_t i = 0; i < n; i++)
    if (all[i].action[0] != '\0' && strcmp(all[i].verb, verb) == 0)
      offer(r, all[i].action, all[i].summary);
}

static void offer_options(const request *r) {
  size_t n;
  const cli_option *all = cli_get_options(&n);
  char name[64], last[64] = "";
  for (size_t i = 0; i < n; i++) {
    snprintf(name, sizeof name, "--%s", all[i].name);
    if (!cli_takes(r->command, &all[i]) || strcmp(name, last) == 0) continue;
    offer(r, name, all[i].doc);
    snprintf(last, sizeof last, "%s", name);
  }
}

static void offer_shipped(const request *r, void (*append)(parl_text *out)) {
  parl_text names = {0};
  append(&names);
  offer_words(r, parl_text_get(&names));
  parl_text_deinit(&names);
}

/* Folders of runs/ with a store, and any other folder. */
static void offer_run_folders(const request *r) {
  DIR *d = opendir("runs");
  const struct dirent *entry;
  char path[CLI_PATH_BYTES], store[CLI_PATH_BYTES];
  while (d != NULL && (entry = readdir(d)) != NULL) {
    if (parl_file_join(path, sizeof path, "runs", entry->d_name) != PARL_STATUS_OK ||
        parl_file_join(store, sizeof store, path, "store.db") != PARL_STATUS_OK)
      continue;
    if (entry->d_name[0] != '.' && parl_file_exists(store)) offer(r, path, "a run folder");
  }
  if (d != NULL) closedir(d);
  offer_folders();
}

/* --- of the recipe on the line --- */

static bool takes(const request *r, const char *operand) {
  return strncmp(r->command->operands, operand, strlen(operand)) == 0;
}

/* The recipe that the first operand names, or around the environment that it names; NULL if it
 * names none. */
static parl_recipe *load_recipe(const request *r) {
  char path[CLI_PATH_BYTES];
  parl_recipe *recipe = NULL;
  if (r->n_operands == 0) return NULL;
  if (takes(r, "RECIPE") && cli_find_recipe(r->operands[0], path) == PARL_STATUS_OK &&
      parl_recipe_load(path, NULL, 0, cli_get_datadir(), &recipe) == PARL_STATUS_OK)
    return recipe;
  if (takes(r, "FILE") &&
      parl_recipe_load_env(r->operands[0], NULL, 0, cli_get_datadir(), &recipe) == PARL_STATUS_OK)
    return recipe;
  return NULL;
}

typedef struct arms {
  const request *request;
  char last[TEXT_BYTES];
} arms;

static parl_status offer_run(void *context, int64_t run_id, const parl_store_run *run) {
  (void)run_id;
  arms *a = context;
  if (strcmp(a->last, run->arm) != 0) offer(a->request, run->arm, "an arm");
  snprintf(a->last, sizeof a->last, "%s", run->arm);
  return PARL_STATUS_OK;
}

/* Arms of the recipe or of the run folder on the line, each with `end` behind it. */
static void offer_arms(const request *r, const char *end) {
  char text[TEXT_BYTES];
  parl_recipe *recipe = load_recipe(r);
  for (size_t i = 0; recipe != NULL && i < parl_recipe_get_n_arms(recipe); i++) {
    snprintf(text, sizeof text, "%s%s", parl_recipe_get_arm_name(recipe, i), end);
    offer(r, text, "an arm");
  }
  parl_recipe_destroy(recipe);
  parl_store *store = NULL;
  char path[CLI_PATH_BYTES];
  if (!takes(r, "FOLDER") || r->n_operands == 0 ||
      parl_file_join(path, sizeof path, r->operands[0], "store.db") != PARL_STATUS_OK ||
      parl_rows_open_readonly(path, &store) != PARL_STATUS_OK)
    return;
  arms a = {.request = r};
  (void)parl_store_visit_runs(store, offer_run, &a); /* what cannot be read is not offered */
  parl_store_close(store);
}

static parl_env *open_env(const request *r) {
  parl_recipe *recipe = load_recipe(r);
  parl_env *env = NULL;
  if (recipe != NULL) (void)parl_recipe_open_env(recipe, 0, NULL, &env);
  parl_recipe_destroy(recipe);
  return env;
}

static void offer_styles(const request *r) {
  parl_env *env = open_env(r);
  if (env == NULL) return;
  const parl_env_spec *spec = parl_env_get_spec(env);
  for (int i = 0; i < spec->n_styles; i++) offer(r, spec->styles[i], "an expert style");
  parl_env_destroy(env);
}

/* --- values of --set --- */

/* What may follow "section.field=". */
static void offer_value(const request *r, const char *key, const parl_field *f) {
  char value[TEXT_BYTES];
  request inner = *r;
  inner.word = strchr(r->word, '=') + 1;
  if (!add_before(&inner, key, strlen(key)) || !add_before(&inner, "=", 1)) return;
  if (f->type == PARL_FIELD_FLAG) offer_words(&inner, "true false");
  if (f->type != PARL_FIELD_CHOICE) return;
  snprintf(value, sizeof value, "%s", f->choices);
  offer_words(&inner, value);
}

static void offer_field(const request *r, const char *section, const parl_field *f) {
  char key[TEXT_BYTES], text[TEXT_BYTES + 1];
  snprintf(key, sizeof key, "%s.%s", section, f->name);
  snprintf(text, sizeof text, "%s=", key);
  if (strncmp(r->word, text, strlen(text)) == 0)
    offer_value(r, key, f);
  else
    offer(r, text, f->doc);
}

/* env.params.NAME= of the environment on the line. */
static void offer_params(const request *r) {
  parl_env *env = open_env(r);
  parl_json *params = NULL;
  char text[TEXT_BYTES];
  if (env == NULL) return;
  const char *json = parl_env_get_params(env);
  if (parl_json_parse(json, strlen(json), "params", &params) == PARL_STATUS_OK)
    for (const parl_json *p = parl_json_get_first(params); p != NULL; p = parl_json_get_next(p)) {
      snprintf(text, sizeof text, "env.params.%s=", parl_json_get_key(p));
      offer(r, text, "a parameter of the environment");
    }
  parl_json_destroy(params);
  parl_env_destroy(env);
}

/* terms.NAME.weight.FIELD= of the terms that the recipe on the line adds. */
static void offer_terms(const request *r) {
  parl_recipe *recipe = load_recipe(r);
  char section[TEXT_BYTES];
  for (size_t a = 0; recipe != NULL && a < parl_recipe_get_n_arms(recipe); a++) {
    const parl_own_terms *own = parl_recipe_get_arm(recipe, a)->own_terms;
    for (size_t i = 0; own != NULL && i < own->n; i++) {
      const parl_own_term *term = &own->items[i];
      snprintf(section, sizeof section, "terms.%s.lua=", term->name);
      if (parl_term_kind_infos[term->config.kind].needs_lua)
        offer(r, section, "expression of a term of the recipe's own");
      snprintf(section, sizeof section, "terms.%s", term->name);
      for (size_t k = 0; k < parl_term_section.n_fields; k++)
        if (parl_term_kind_reads(term->config.kind, parl_term_section.fields[k].name))
          offer_field(r, section, &parl_term_section.fields[k]);
      snprintf(section, sizeof section, "terms.%s.weight", own->items[i].name);
      for (size_t k = 0; k < parl_weight_section.n_fields; k++)
        offer_field(r, section, &parl_weight_section.fields[k]);
    }
  }
  parl_recipe_destroy(recipe);
}

/* sources.NAME.FIELD= of the sources that the recipe on the line has. */
static void offer_sources(const request *r) {
  static const struct {
    const char *part;
    const parl_section *section;
  } parts[] = {{"", &parl_source_section},
               {".augment", &parl_augment_section},
               {".weight", &parl_source_weight_section}};
  parl_recipe *recipe = load_recipe(r);
  char section[TEXT_BYTES];
  for (size_t a = 0; recipe != NULL && a < parl_recipe_get_n_arms(recipe); a++) {
    const parl_source_list *list = &parl_recipe_get_arm(recipe, a)->sources;
    for (size_t i = 0; i < list->n; i++)
      for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        snprintf(section, sizeof section, "sources.%s%s", list->items[i].name, parts[p].part);
        for (size_t k = 0; k < parts[p].section->n_fields; k++)
          offer_field(r, section, &parts[p].section->fields[k]);
      }
  }
  parl_recipe_destroy(recipe);
}

/* reward.preset=, a word of recipes that is no field, and its names. */
static void offer_presets(const request *r) {
  static const char key[] = "reward.preset=";
  request inner = *r;
  if (strncmp(r->word, key, sizeof key - 1) != 0)
    return offer(r, key, "a published reward, for what the recipe does not say");
  inner.word = r->word + sizeof key - 1;
  if (!add_before(&inner, key, sizeof key - 1)) return;
  for (size_t i = 0; i < PARL_N_REWARD_PRESETS; i++)
    offer(&inner, parl_reward_presets[i].name, parl_reward_presets[i].formula);
}

static void offer_fields(const request *r) {
  size_t n;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < sections[i].section->n_fields; k++)
      offer_field(r, sections[i].section->name, &sections[i].section->fields[k]);
  offer_presets(r);
  offer_terms(r);
  offer_sources(r);
  offer_params(r);
}

/* "section.field=value", or that behind an arm and a colon. */
static void offer_sets(const request *r) {
  const char *colon = strchr(r->word, ':');
  if (colon == NULL || strcspn(r->word, "=") < (size_t)(colon - r->word)) {
    offer_fields(r);
    if (takes(r, "RECIPE")) offer_arms(r, ":");
    return;
  }
  request inner = *r;
  inner.word = colon + 1;
  if (add_before(&inner, r->word, (size_t)(colon + 1 - r->word))) offer_fields(&inner);
}

/* --- what the word is --- */

static void offer_option_value(const request *r) {
  const char *value = r->pending->value;
  if (strstr(value, "KEY=VALUE") != NULL) {
    offer_sets(r);
  } else if (r->pending->type == CLI_CHOICE) {
    offer_words(r, value);
  } else if (strcmp(value, "ARM") == 0) {
    offer_arms(r, "");
  } else if (strcmp(value, "STYLE") == 0) {
    offer_styles(r);
    if (strcmp(r->pending->name, "as") == 0) offer(r, "random", "any call that is allowed");
    if (strcmp(r->pending->name, "as") == 0 && strcmp(r->command->action, "play") == 0)
      offer_files();
  } else if (strcmp(value, "RECIPE") == 0) {
    offer_shipped(r, cli_append_recipes);
    offer_files();
  } else if (strcmp(value, "NAME") == 0) {
    offer_words(r, "cpu ref");
  } else if (strcmp(value, "FILE") == 0) {
    offer_files();
  } else if (strcmp(value, "DIR") == 0) {
    offer_folders();
  }
}

static void offer_topics(const request *r) {
  offer_verbs(r);
  offer_words(r, "recipe");
  offer_shipped(r, cli_append_recipes);
  offer_shipped(r, cli_append_envs);
  offer_files();
}

/* The operand of this place, by its word in the table. */
static void offer_operand(const request *r) {
  const char *at = r->command->operands;
  for (size_t i = 0; i < r->n_operands && *at != '\0'; i++) {
    const size_t length = strcspn(at, " ");
    if (length > 4 && strncmp(at + length - 4, "...]", 4) == 0) break; /* any number of them */
    at += length;
    at += strspn(at, " ");
  }
  const size_t n = strcspn(at, " ");
#define IS(text) (n == strlen(text) && strncmp(at, text, n) == 0)
  if (IS("RECIPE") || IS("DIR|k25|RECIPE")) offer_shipped(r, cli_append_recipes);
  if (IS("SWEEP") || IS("SWEEP|RECIPE")) offer_shipped(r, cli_append_sweeps);
  if (IS("SWEEP|RECIPE")) offer_shipped(r, cli_append_recipes);
  if (IS("DIR|k25|RECIPE")) offer(r, "k25", "Kimi K2.5 in its real size");
  if (IS("FILE")) offer_shipped(r, cli_append_envs);
  if (IS("RECIPE") || IS("SWEEP") || IS("SWEEP|RECIPE") || IS("FILE") || IS("DIR|k25|RECIPE") ||
      IS("CHECKPOINT|DIR"))
    offer_files();
  if (IS("DIR")) offer_folders();
  if (IS("FOLDER") || IS("[FOLDER...]")) offer_run_folders(r);
  if (IS("SHELL")) offer_words(r, "bash zsh fish");
  if (IS("[TOPIC]")) offer_topics(r);
  if (IS("[ACTION]") && r->n_operands == 1) offer_actions(r, r->operands[0]);
#undef IS
}

/* The option of a word "--name", "--name=value" or "-o" that the command takes; NULL else. */
static const cli_option *find_option(const request *r, const char *word) {
  size_t n;
  const cli_option *all = cli_get_options(&n);
  const char *name = word + strspn(word, "-");
  const size_t length = strcspn(name, "=");
  for (size_t i = 0; i < n && word[0] == '-'; i++) {
    const bool is_named = strlen(all[i].name) == length && strncmp(name, all[i].name, length) == 0;
    const bool is_letter = word[1] == all[i].letter && word[1] != '\0' && word[2] == '\0';
    if ((is_named || is_letter) && cli_takes(r->command, &all[i])) return &all[i];
  }
  return NULL;
}

/* A word before the last: an option, the value of one, an action, an operand. */
static void take(request *r, const char *word) {
  if (r->pending != NULL) {
    r->pending = NULL;
  } else if (!r->operands_only && strcmp(word, "--") == 0) {
    r->operands_only = true;
  } else if (!r->operands_only && word[0] == '-' && word[1] != '\0') {
    const cli_option *o = find_option(r, word);
    if (o != NULL && o->type != CLI_FLAG && strchr(word, '=') == NULL) r->pending = o;
  } else {
    const bool may_act = r->command->action[0] == '\0' && r->n_operands == 0 && word[0] != '\0';
    const cli_command *found = may_act ? cli_find_action(r->command->verb, word) : NULL;
    if (found != NULL)
      r->command = found;
    else if (r->command->run != NULL && r->n_operands < CLI_MAX_OPERANDS)
      r->operands[r->n_operands++] = word;
  }
}

void cli_complete(const char *const *words, size_t n) {
  request r = {.word = n > 0 ? words[n - 1] : ""};
  if (n < 2) {
    offer_verbs(&r);
    offer_words(&r, "--help --version");
    return;
  }
  r.command = cli_find_verb(words[0]);
  if (r.command == NULL) return;
  for (size_t i = 1; i + 1 < n; i++) take(&r, words[i]);
  const char *equals = strchr(r.word, '=');
  if (r.pending == NULL && !r.operands_only && strncmp(r.word, "--", 2) == 0 && equals != NULL) {
    r.pending = find_option(&r, r.word);
    if (r.pending == NULL || r.pending->type == CLI_FLAG) return;
    if (!add_before(&r, r.word, (size_t)(equals + 1 - r.word))) return;
    r.word = equals + 1;
  }
  if (r.pending != NULL)
    offer_option_value(&r);
  else if (!r.operands_only && r.word[0] == '-')
    offer_options(&r);
  else {
    if (r.command->action[0] == '\0' && r.n_operands == 0) offer_actions(&r, r.command->verb);
    if (r.command->run != NULL) offer_operand(&r);
  }
}
