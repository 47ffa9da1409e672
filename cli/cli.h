/* cli/cli.h - what the commands share: arguments, exit codes, errors, the process.
 * Only cli/ prints, exits or reads the environment.
 *
 * Reading order: command_list.h, cli_args, cli_command, cli_option, the functions. */
#ifndef PARL_CLI_CLI_H
#define PARL_CLI_CLI_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/command_list.h"
#include "core/log.h"
#include "core/status.h"
#include "core/text.h"
#include "lua/script_host.h"
#include "parl/run/recipe.h"
#include "parl/swarm/host.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_RESUMABLE = 75 };
enum { CLI_MAX_REPEATS = 64, CLI_MAX_OPERANDS = 256, CLI_PATH_BYTES = 4096 };

typedef struct cli_command cli_command;

#define CLI_FIELD_FLAG(field) bool field;
#define CLI_FIELD_TEXT(field) const char *field;
#define CLI_FIELD_CHOICE(field) const char *field;
#define CLI_FIELD_COUNT(field) int64_t field;
#define CLI_FIELD_REAL(field) double field;
#define CLI_FIELD_LIST(field) \
  size_t n_##field;           \
  const char *field[CLI_MAX_REPEATS];
/* The command line, checked. All texts are borrowed from argv. */
typedef struct cli_args {
  const cli_command *command;
  size_t n_operands; /* without verb and action */
  const char *operands[CLI_MAX_OPERANDS];
#define X(type, field, ...) CLI_FIELD_##type(field)
#define MORE(...)
  CLI_OPTION_LIST(X, MORE)
#undef X
#undef MORE
} cli_args;

typedef int (*cli_run)(const cli_args *args);
#define GROUP(...)
#define X(function, ...) int function(const cli_args *args);
CLI_COMMAND_LIST(GROUP, X)
#undef X
#undef GROUP

/* A row of CLI_COMMAND_LIST; run is NULL for a verb that has actions. */
struct cli_command {
  cli_run run;
  const char *verb, *action, *operands, *summary, *notes;
};

typedef enum cli_option_type {
  CLI_FLAG,
  CLI_TEXT,
  CLI_CHOICE,
  CLI_COUNT,
  CLI_REAL,
  CLI_LIST
} cli_option_type;

/* A row of CLI_OPTION_LIST. */
typedef struct cli_option {
  cli_option_type type;
  size_t offset, n_offset; /* of the field in cli_args; of n_field if LIST */
  const char *name;
  char letter;
  const char *value;
  double low, high, preset;
  const char *uses, *doc;
} cli_option;

/* --- the tables (commands.c, options.c) --- */

/* All commands and verbs in the order of the list; *n their number. */
const cli_command *cli_get_commands(size_t *n);
/* The verb's row: its command, or the group of its actions. NULL if there is none. */
const cli_command *cli_find_verb(const char *verb);
/* The action's row; NULL if there is none. */
const cli_command *cli_find_action(const char *verb, const char *action);
/* "env check"; for a group "env". */
void cli_append_name(const cli_command *c, parl_text *out);
bool cli_has_actions(const char *verb);
/* CLI_USAGE, naming the verb's actions and the nearest; wanted NULL if none was given. */
int cli_refuse_action(const cli_command *group, const char *wanted);

/* All options in the order of the list; *n their number. */
const cli_option *cli_get_options(size_t *n);
/* Whether the command, or for a group any of its actions, takes the option. */
bool cli_takes(const cli_command *c, const cli_option *o);
/* Reads argv after the verb into *out, whose command it finds. With --help on the line values
 * and operands are not checked. CLI_DONE, or CLI_USAGE after a message. */
int cli_parse(int argc, char **argv, const cli_command *verb, cli_args *out);

/* What `parl help` says of a command or a group; of everything if NULL. */
void cli_print_help(const cli_command *c);

/* What Lua expressions of a recipe may name: topics of `parl help` (help_terms.c). */
typedef struct cli_topic {
  const char *name;
  void (*print)(void);
} cli_topic;
enum { CLI_N_TOPICS = 2 };
extern const cli_topic cli_topics[CLI_N_TOPICS];
/* Whether there is such a topic; prints it then. */
bool cli_print_topic(const char *name);

/* --- errors and the process (process.c, output.c, shipped.c) --- */

/* Prints "parl: <error text>" on stderr; returns the exit code of the status: 2 for EINVAL until
 * work begins, when what is wrong is what the user wrote, 1 from then on. */
int cli_fail(parl_status s);
/* The command line, the recipe and --set were read and found good. */
void cli_begin_work(void);
/* "parl: <text>" on stderr and exit code 2. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Standard input, output and error are open from here on, so that no file of ours gets the number
 * of one that the caller closed; what is written to a closed one fails. */
void cli_open_output(void);
/* Closes standard output; nothing may be printed after. A write that failed, however early, is said
 * on stderr, and turns the exit code CLI_DONE into CLI_FAILED; a reader that went away is neither.
 * Returns the exit code. */
int cli_close_output(int code);
/* Prints the text, with a line end if it has none, and frees it. Fails: ENOMEM if an append to it
 * failed; nothing is printed then. */
parl_status cli_print(parl_text *text);
/* Whether standard output is a terminal that shows colours, and nobody asked for none:
 * https://no-color.org */
bool cli_has_colour(void);

/* A number as text for a table, right-aligned in `width` columns, as %.*f and as %.*g; what is not
 * finite has no value and is "-". */
typedef struct cli_cell {
  char text[64];
} cli_cell;
cli_cell cli_fixed(int width, int decimals, double x);
cli_cell cli_general(int width, int digits, double x);

/* Folder of the shipped recipes and environments: PARL_DATADIR if it is set; else share/parl beside
 * the program or its folder, if there is one, so that an installation may be moved; else where the
 * program was to be installed. Borrowed. */
const char *cli_get_datadir(void);
/* Loads the recipe that operand 0 names, as cli_find_recipe, with every --set. What an override
 * does not change is said on stderr, --quiet or not.
 * Fails: as cli_find_recipe, parl_recipe_load. */
parl_status cli_load_recipe(const cli_args *args, parl_recipe **out);
/* The same of a recipe that stands elsewhere on the line. */
parl_status cli_load_recipe_of(const cli_args *args, const char *name, parl_recipe **out);
/* Place of the arm of --arm. Fails: EINVAL naming the nearest. */
parl_status cli_find_arm(const parl_recipe *recipe, const char *name, size_t *out);
/* Prints the recipe's warnings. */
void cli_warn_of_recipe(const parl_recipe *recipe);
/* Warns where --set chose a preset and the recipe itself sets some of what that sets: exceptions
 * are those of parl_env_append_preset_exceptions. */
void cli_warn_of_preset(const cli_args *args, const char *exceptions);
/* The path of a recipe, a sweep or an environment as the user named it, else among the shipped
 * ones. Fails: as parl_lookup_find. */
parl_status cli_find_recipe(const char *name, char path[CLI_PATH_BYTES]);
parl_status cli_find_sweep(const char *name, char path[CLI_PATH_BYTES]);
parl_status cli_find_env(const char *name, char path[CLI_PATH_BYTES]);
/* The folder of runs that an operand names: itself, or that of a sweep's file. Fails: as
 * parl_sweep_read. */
parl_status cli_find_runs(const char *name, char folder[CLI_PATH_BYTES]);
/* Names of the shipped recipes, sweeps or environments, each after a blank. */
void cli_append_recipes(parl_text *out);
void cli_append_sweeps(parl_text *out);
void cli_append_envs(parl_text *out);
/* True if stderr is a terminal that takes control sequences and CI is not set. */
bool cli_is_interactive(void);
/* Log lines on stderr. */
void cli_log_sink(void *context, parl_log_level level, const char *text);
/* From here on cli_log_sink hands its lines to this one; NULL: no more. While no other thread
 * logs. */
typedef void (*cli_sink)(void *context, parl_log_level level, const char *text);
void cli_set_log_sink(cli_sink sink, void *context);

/* What --log says. */
parl_metric_log_format cli_get_metric_log(const cli_args *args);

/* The signals that ask a program to end: SIGINT, SIGTERM, SIGHUP, and SIGUSR1, by which a batch
 * system warns of a limit. One way to handle them all; a SIGHUP that is ignored stays ignored. */
bool cli_is_stop_signal(int number);
void cli_handle_stop_signals(void (*handler)(int number));
/* Installs handlers: the first of them asks to stop, the second ends at once, but for SIGUSR1,
 * which a batch system may send to a program and to those that started it. */
const atomic_int *cli_catch_signals(void);
/* Signal that was caught, or 0. */
int cli_get_signal(void);
/* Catches signals too: they stop scripts, which print on standard error, or nowhere if quiet. */
const parl_script_host *cli_get_script_host(bool quiet);

/* The line that does the same with the same overrides from the same folder, quoted for a shell. */
void cli_append_command(parl_text *out, const cli_args *args);

#endif
