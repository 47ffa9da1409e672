/* cli/options.c - the table of options, and argv read by it.
 *
 * Two passes: getopt_long splits argv into options and operands; once the operands have told the
 * command, each value is checked as that command takes it. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/config.h"

#define N_OFFSET_FLAG(field) 0
#define N_OFFSET_TEXT(field) 0
#define N_OFFSET_CHOICE(field) 0
#define N_OFFSET_COUNT(field) 0
#define N_OFFSET_REAL(field) 0
#define N_OFFSET_LIST(field) offsetof(cli_args, n_##field)
#define ROW(type, field, name, letter, value, low, high, preset, uses, doc) \
  {CLI_##type,                                                              \
   offsetof(cli_args, field),                                               \
   N_OFFSET_##type(field),                                                  \
   name,                                                                    \
   letter,                                                                  \
   value,                                                                   \
   (double)(low),                                                           \
   (double)(high),                                                          \
   (double)(preset),                                                        \
   uses,                                                                    \
   doc},
static const cli_option options[] = {CLI_OPTION_LIST(ROW, ROW)};
#undef ROW
enum { N_OPTIONS = sizeof options / sizeof options[0], MAX_GIVEN = 256, FIRST_ID = 256 };

/* An option of argv: the row that has its name first, or NULL and what was written. */
typedef struct given {
  const cli_option *option;
  const char *value, *written;
} given;

typedef struct line {
  size_t n;
  given given[MAX_GIVEN];
  bool help;
  int code; /* CLI_USAGE once something was refused */
} line;

const cli_option *cli_get_options(size_t *n) {
  *n = N_OPTIONS;
  return options;
}

/* Whether a word of `uses` is the command; "model" is any of its actions, "sweep", which does
 * something by itself, none of them. */
static bool is_use(const char *word, size_t length, const cli_command *c) {
  const size_t n = strlen(c->verb);
  if (length == 1 && word[0] == '*') return true;
  if (length < n || strncmp(word, c->verb, n) != 0) return false;
  if (length == n) return c->action[0] == '\0' || cli_find_verb(c->verb)->run == NULL;
  if (word[n] != '.') return false;
  const size_t n_action = strlen(c->action);
  return c->run == NULL ||
         (length - n - 1 == n_action && strncmp(word + n + 1, c->action, n_action) == 0);
}

bool cli_takes(const cli_command *c, const cli_option *o) {
  for (const char *at = o->uses; *at != '\0'; at += strspn(at, " ")) {
    const size_t length = strcspn(at, " ");
    if (is_use(at, length, c)) return true;
    at += length;
  }
  return false;
}

/* --- splitting argv --- */

static const cli_option *find_letter(int letter) {
  for (size_t i = 0; i < N_OPTIONS; i++)
    if (letter != 0 && options[i].letter == letter) return &options[i];
  return NULL;
}

/* The row that getopt means by the id of a long option or by a letter. */
static const cli_option *find_id(int id) {
  return id >= FIRST_ID ? &options[id - FIRST_ID] : find_letter(id);
}

/* The first row of each name: getopt calls two of one name ambiguous. */
static bool is_first(size_t i) {
  for (size_t k = 0; k < i; k++)
    if (strcmp(options[k].name, options[i].name) == 0) return false;
  return true;
}

static void list_for_getopt(struct option list[N_OPTIONS + 1], char letters[2 * N_OPTIONS + 3]) {
  size_t n = 0, n_list = 0;
  letters[n++] = '-'; /* operands come in their place, whatever POSIXLY_CORRECT says */
  letters[n++] = ':';
  for (size_t i = 0; i < N_OPTIONS; i++) {
    const int has_value = options[i].type == CLI_FLAG ? no_argument : required_argument;
    if (is_first(i))
      list[n_list++] = (struct option){options[i].name, has_value, NULL, FIRST_ID + (int)i};
    if (options[i].letter == 0 || find_letter(options[i].letter) != &options[i]) continue;
    letters[n++] = options[i].letter;
    if (has_value) letters[n++] = ':';
  }
  letters[n] = '\0';
  list[n_list] = (struct option){0};
}

/* getopt takes "--see" for --seed, which another option may make ambiguous one day: not here. */
static bool is_in_full(const char *written, const cli_option *o) {
  if (written[1] != '-') return true;
  const size_t length = strcspn(written + 2, "=");
  return strlen(o->name) == length && strncmp(written + 2, o->name, length) == 0;
}

static void add(line *l, const cli_option *o, const char *value, const char *written) {
  if (l->n == MAX_GIVEN) {
    l->code = cli_usage("at most %d options", MAX_GIVEN);
    return;
  }
  if (o != NULL && !is_in_full(written, o)) {
    l->code = cli_usage("%s: options are written in full: --%s", written, o->name);
    return;
  }
  if (o != NULL && o->offset == offsetof(cli_args, help)) l->help = true;
  l->given[l->n++] = (given){o, value, written};
}

static void add_operand(line *l, cli_args *a, const char *text) {
  if (a->n_operands == CLI_MAX_OPERANDS)
    l->code = cli_usage("at most %d operands", CLI_MAX_OPERANDS);
  else
    a->operands[a->n_operands++] = text;
}

static void split(line *l, int argc, char **argv, cli_args *a) {
  struct option list[N_OPTIONS + 1];
  char letters[2 * N_OPTIONS + 3];
  list_for_getopt(list, letters);
  optind = 2;
  for (;;) {
    const int first = optind;
    const int id = getopt_long(argc, argv, letters, list, NULL);
    const char *written = first < argc ? argv[first] : "";
    if (id == -1 || l->code != CLI_DONE) break;
    if (id == 1)
      add_operand(l, a, optarg);
    else if (id == ':')
      l->code = cli_usage("%s needs %s", written, find_id(optopt)->value);
    else if (id == '?' && optopt >= FIRST_ID)
      l->code = cli_usage("--%s takes no value", find_id(optopt)->name);
    else
      add(l, id == '?' ? NULL : find_id(id), optarg, written);
  }
  while (optind < argc && l->code == CLI_DONE) add_operand(l, a, argv[optind++]);
}

/* --- the command --- */

/* The first operand is the action, where the verb has some; the others move up. What is no action
 * is an operand of a verb that does something by itself. */
static int find_command(const cli_command *verb, bool help, cli_args *a) {
  a->command = verb;
  const bool needs_action = verb->run == NULL;
  if (a->n_operands == 0) return help || !needs_action ? CLI_DONE : cli_refuse_action(verb, NULL);
  const char *wanted = a->operands[0];
  const cli_command *found = wanted[0] ? cli_find_action(verb->verb, wanted) : NULL;
  if (found == NULL) return needs_action ? cli_refuse_action(verb, wanted) : CLI_DONE;
  a->command = found;
  a->n_operands--;
  memmove(a->operands, a->operands + 1, a->n_operands * sizeof a->operands[0]);
  return CLI_DONE;
}

static int check_operands(const cli_args *a) {
  size_t least = 0, most = 0;
  for (const char *at = a->command->operands; *at != '\0'; at += strspn(at, " ")) {
    const size_t length = strcspn(at, " ");
    const bool is_many = length > 4 && strncmp(at + length - 4, "...]", 4) == 0;
    most += is_many ? CLI_MAX_OPERANDS : 1;
    least += *at != '[';
    at += length;
  }
  if (a->n_operands >= least && a->n_operands <= most) return CLI_DONE;
  parl_text name = {0};
  cli_append_name(a->command, &name);
  cli_usage("%s takes %s, not %zu operand%s; see parl %s --help", parl_text_get(&name),
            most > 0 ? a->command->operands : "no operand", a->n_operands,
            a->n_operands == 1 ? "" : "s", parl_text_get(&name));
  parl_text_deinit(&name);
  return CLI_USAGE;
}

/* --- values --- */

/* The option as this command takes it; NULL if it does not. */
static const cli_option *find_option(const cli_command *c, const char *name) {
  for (size_t i = 0; i < N_OPTIONS; i++)
    if (strcmp(options[i].name, name) == 0 && cli_takes(c, &options[i])) return &options[i];
  return NULL;
}

/* Names the commands that take it, or else the nearest option of this one. */
static int refuse_option(const cli_command *c, const given *g) {
  parl_text text = {0};
  char word[64];
  const char *names[N_OPTIONS];
  size_t n = 0, n_commands;
  const cli_command *all = cli_get_commands(&n_commands);
  cli_append_name(c, &text);
  parl_text_appendf(&text, " has no option %s", g->written);
  for (size_t i = 0, n_others = 0; i < n_commands && g->option != NULL; i++) {
    if (all[i].run == NULL || find_option(&all[i], g->option->name) == NULL) continue;
    parl_text_append(&text, n_others++ ? ", " : "; it belongs to ");
    cli_append_name(&all[i], &text);
  }
  for (size_t i = 0; i < N_OPTIONS; i++)
    if (cli_takes(c, &options[i])) names[n++] = options[i].name;
  snprintf(word, sizeof word, "%.*s", (int)strcspn(g->written, "="), g->written);
  const char *near = parl_nearest(word + strspn(word, "-"), names, n);
  if (g->option == NULL && near != NULL) parl_text_appendf(&text, "; did you mean --%s?", near);
  cli_usage("%s", parl_text_get(&text));
  parl_text_deinit(&text);
  return CLI_USAGE;
}

static int read_count(const cli_option *o, const char *text, int64_t *out) {
  char *end;
  errno = 0;
  const long long x = strtoll(text, &end, 10);
  if (errno != 0 || *end != '\0' || end == text || x < (int64_t)o->low || x > (int64_t)o->high)
    return cli_usage("--%s %s: a whole number from %.0f to %.0f", o->name, text, o->low, o->high);
  *out = x;
  return CLI_DONE;
}

static int read_real(const cli_option *o, const char *text, double *out) {
  char *end;
  const double x = strtod(text, &end);
  if (*end != '\0' || end == text || !(x > o->low && x <= o->high))
    return cli_usage("--%s %s: more than %g and at most %g", o->name, text, o->low, o->high);
  *out = x;
  return CLI_DONE;
}

static int read_choice(const cli_option *o, const char *text, const char **out) {
  const size_t n = strlen(text);
  parl_text known = {0};
  for (const char *at = o->value; at != NULL; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
    const size_t length = strcspn(at, "|");
    if (length == n && strncmp(at, text, n) == 0) *out = text;
    parl_text_append(&known, at == o->value ? "" : ", ");
    parl_text_append_bytes(&known, at, length);
  }
  if (*out != text) cli_usage("--%s %s: one of %s", o->name, text, parl_text_get(&known));
  parl_text_deinit(&known);
  return *out == text ? CLI_DONE : CLI_USAGE;
}

static int add_to_list(const cli_option *o, const char *text, size_t *n, const char **list) {
  if (*n == CLI_MAX_REPEATS) return cli_usage("at most %d --%s", CLI_MAX_REPEATS, o->name);
  list[(*n)++] = text;
  return CLI_DONE;
}

static int read_value(const cli_option *o, const char *text, cli_args *a) {
  void *field = (char *)a + o->offset;
  switch (o->type) {
    case CLI_FLAG:
      *(bool *)field = true;
      return CLI_DONE;
    case CLI_TEXT:
      *(const char **)field = text;
      return CLI_DONE;
    case CLI_CHOICE:
      return read_choice(o, text, field);
    case CLI_COUNT:
      return read_count(o, text, field);
    case CLI_REAL:
      return read_real(o, text, field);
    case CLI_LIST:
      return add_to_list(o, text, (size_t *)(void *)((char *)a + o->n_offset), field);
  }
  PARL_CHECK(false);
}

static void set_presets(cli_args *a) {
  for (size_t i = 0; i < N_OPTIONS; i++) {
    void *field = (char *)a + options[i].offset;
    if (!cli_takes(a->command, &options[i])) continue;
    if (options[i].type == CLI_COUNT) *(int64_t *)field = (int64_t)options[i].preset;
    if (options[i].type == CLI_REAL) *(double *)field = options[i].preset;
  }
}

int cli_parse(int argc, char **argv, const cli_command *verb, cli_args *out) {
  line l = {0};
  *out = (cli_args){0};
  split(&l, argc, argv, out);
  if (l.code == CLI_DONE) l.code = find_command(verb, l.help, out);
  out->help = l.help;
  if (l.code != CLI_DONE || l.help) return l.code;
  set_presets(out);
  for (size_t i = 0; i < l.n; i++) {
    const given *g = &l.given[i];
    const cli_option *o = g->option ? find_option(out->command, g->option->name) : NULL;
    const int code = o != NULL ? read_value(o, g->value, out) : refuse_option(out->command, g);
    if (code != CLI_DONE) return code;
  }
  return check_operands(out);
}
