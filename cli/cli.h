/* cli/cli.h - what the commands share: the table of verbs, options, exit codes, printing.
 * Only cli/ prints, exits or reads the environment. */
#ifndef PARL_CLI_CLI_H
#define PARL_CLI_CLI_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/log.h"
#include "core/status.h"
#include "core/text.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_RESUMABLE = 75 };
enum { CLI_MAX_SETS = 64, CLI_MAX_OPERANDS = 16 };

/* One list makes dispatch, help, completion. X(verb, operands, summary) */
#define CLI_VERB_LIST(X)                                                                           \
  X(train, "RECIPE", "train every arm and seed of a recipe, evaluate, write the report")           \
  X(eval, "RECIPE", "play a checkpoint or a scripted policy on held-out tasks")                    \
  X(report, "FOLDER", "write report.html, .md, .json and .csv of a run folder")                    \
  X(runs, "FOLDER", "list the runs of a folder")                                                   \
  X(env, "ACTION ...", "new NAME, check FILE, play FILE, bench FILE: write and try environments")  \
  X(model, "ACTION ...",                                                                           \
    "describe DIR|k25|RECIPE, logits DIR, export CHECKPOINT|DIR: count, compare, publish a model") \
  X(bench, "", "measure kernels and engine on this machine")                                       \
  X(doctor, "", "say what this machine and build have, and what is absent")                        \
  X(completion, "SHELL", "print the completion script for bash")                                   \
  X(help, "[VERB]", "explain a verb, the recipe's fields, or an environment")

/* An option of a verb; value NULL for a switch. */
typedef struct cli_option {
  const char *name;  /* "--set" */
  const char *value; /* "KEY=VALUE", or NULL */
  const char *doc;
} cli_option;

typedef struct cli_args {
  const char *verb;
  size_t n_operands;
  const char *operands[CLI_MAX_OPERANDS];
  size_t n_sets;
  const char *sets[CLI_MAX_SETS];
  bool json, quiet, help;
  bool interactive, strict, isolate, hash, grads, force;
  /* NULL if not given */
  const char *checkpoint, *style, *tasks, *shapes, *backend, *seconds, *as, *seed, *episodes;
  const char *tokens, *output, *dtype, *shard_size, *layout, *save, *compare, *fail_below;
} cli_args;

typedef int (*cli_command)(const cli_args *args);
#define X(verb, operands, summary) int cmd_##verb(const cli_args *args);
CLI_VERB_LIST(X)
#undef X

/* Options of a verb, in help order; *n their number. */
const cli_option *cli_get_options(const char *verb, size_t *n);
/* Every verb's name; *n their number. */
const char *const *cli_get_verbs(size_t *n);
void cli_print_help(const char *verb);

/* Prints "parl: <error text>" on stderr; returns the exit code of the status. */
int cli_fail(parl_status s);
/* "parl: <text>" on stderr and exit code 2. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Requires exactly n operands; prints the usage otherwise. */
bool cli_need_operands(const cli_args *args, size_t n);

/* PARL_DATADIR or the folder of the installation. */
const char *cli_get_datadir(void);
/* True if stderr is a terminal that takes control sequences and CI is not set. */
bool cli_is_interactive(void);
/* Log lines on stderr. */
void cli_log_sink(void *context, parl_log_level level, const char *text);

/* Installs handlers: the first SIGINT or SIGTERM asks to stop, the second ends at once. */
const atomic_int *cli_catch_signals(void);
/* Signal that was caught, or 0. */
int cli_get_signal(void);

#endif
