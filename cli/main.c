/* cli/main.c - reads the command line, calls a verb. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/build_info.h"
#include "core/config.h"

static const struct {
  const char *name, *operands, *summary;
  cli_command run;
} verbs[] = {
#define X(verb, operands, summary) {#verb, operands, summary, cmd_##verb},
    CLI_VERB_LIST(X)
#undef X
};
enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

#define COMMON_OPTIONS                                              \
  {"--json", NULL, "machine-readable result on standard output"}, { \
    "--quiet", NULL, "no progress and no log"                       \
  }
#define SET_OPTION \
  { "--set", "KEY=VALUE", "override a recipe field; may be repeated" }

static const cli_option train_options[] = {SET_OPTION, COMMON_OPTIONS};
static const cli_option eval_options[] = {
    SET_OPTION,
    {"--checkpoint", "FILE", "policy to play; default: the warm start of the first seed"},
    {"--style", "STYLE", "play this scripted expert instead"},
    {"--tasks", "N", "held-out tasks; default: eval.tasks"},
    COMMON_OPTIONS};
static const cli_option env_options[] = {
    {"--set", "KEY=VALUE", "env.params.NAME or another recipe field; may be repeated"},
    {"--seed", "N", "play, bench: the task; check: which tasks; default 1"},
    {"--as", "STYLE", "play, bench: an expert style, random, or (play) a checkpoint file"},
    {"--interactive", NULL, "play: you choose the calls; words from standard input"},
    {"--tasks", "N", "check: tasks that experts play; default 24"},
    {"--episodes", "N", "check: random episodes; default 1000"},
    {"--hash", NULL, "check: print the hash of all traces only, to compare machines"},
    {"--seconds", "S", "bench: time given to each style; default 1"},
    {"--strict", NULL, "count instructions: every limit is the same on every machine"},
    {"--isolate", NULL, "run the script in a process of its own, under the system's limits"},
    COMMON_OPTIONS};
static const cli_option model_options[] = {
    {"--layout", "LIST", "describe: memory of each device, e.g. tp=8,ep=32,pp=16,dp=4"},
    {"--tokens", "FILE", "logits: {\"tokens\": [[...], ...]}, lists of equal length"},
    {"-o", "PATH", "logits: the safetensors file to write; export: the folder, which is new"},
    {"--grads", NULL, "logits: add the loss and every gradient"},
    {"--backend", "NAME", "cpu, cpu:LEVEL as parl doctor lists them, or ref; default cpu"},
    {"--dtype", "TYPE", "logits: products in f32, bf16 or auto; export: f32 or bf16; default f32"},
    {"--shard-size", "BYTES", "export: most bytes of weights in a file; default 5000000000"},
    COMMON_OPTIONS};
static const cli_option bench_options[] = {
    {"--shapes", "LIST", "what to measure, below; A,decode_B_mqa,ops for example; default: all"},
    {"--backend", "NAME", "cpu, cpu:LEVEL as parl doctor lists them, or ref; default cpu"},
    {"--dtype", "TYPE", "f32, bf16 or auto: bf16 if the CPU has units; default: auto with cpu"},
    {"--seconds", "S", "time given to each engine row; default 3"},
    {"--save", "FILE", "keep the result"},
    {"--compare", "FILE", "print each row's ratio to a kept result, with both spreads"},
    {"--fail-below", "RATIO", "exit code 1 if a ratio is less"},
    {"--force", NULL, "--save may overwrite"},
    COMMON_OPTIONS};
static const cli_option common_options[] = {COMMON_OPTIONS};

const cli_option *cli_get_options(const char *verb, size_t *n) {
#define RETURN(list) return *n = sizeof(list) / sizeof(list)[0], (list)
  if (strcmp(verb, "train") == 0) RETURN(train_options);
  if (strcmp(verb, "eval") == 0) RETURN(eval_options);
  if (strcmp(verb, "env") == 0) RETURN(env_options);
  if (strcmp(verb, "model") == 0) RETURN(model_options);
  if (strcmp(verb, "bench") == 0) RETURN(bench_options);
  RETURN(common_options);
#undef RETURN
}

const char *const *cli_get_verbs(size_t *n) {
  static const char *names[] = {
#define X(verb, operands, summary) #verb,
      CLI_VERB_LIST(X)
#undef X
  };
  *n = N_VERBS;
  return names;
}

static int find_verb(const char *name) {
  for (int i = 0; i < (int)N_VERBS; i++)
    if (strcmp(verbs[i].name, name) == 0) return i;
  return -1;
}

void cli_print_help(const char *verb) {
  if (verb == NULL) {
    printf("parl - train and compare parallel-agent orchestrators\n\nusage: parl VERB ...\n\n");
    for (int i = 0; i < (int)N_VERBS; i++)
      printf("  %-11s %-10s %s\n", verbs[i].name, verbs[i].operands, verbs[i].summary);
    printf(
        "\nparl VERB --help explains a verb; parl help recipe lists every field of a recipe;\n"
        "parl help FILE.lua explains an environment.\n"
        "Exit codes: 0 done, 1 failed, 2 usage, 75 stopped but resumable, 130/143 on signals.\n");
    return;
  }
  const int v = find_verb(verb);
  size_t n;
  const cli_option *o = cli_get_options(verb, &n);
  printf("usage: parl %s %s [options]\n\n%s\n\noptions:\n", verbs[v].name, verbs[v].operands,
         verbs[v].summary);
  for (size_t i = 0; i < n; i++) {
    char left[64];
    snprintf(left, sizeof left, "%s %s", o[i].name, o[i].value ? o[i].value : "");
    printf("  %-22s %s\n", left, o[i].doc);
  }
  if (strcmp(verb, "env") == 0)
    printf(
        "\nactions:\n"
        "  new NAME    write NAME.lua, a recipe and a test for it, and settings for the editor\n"
        "  check FILE  is it sound? calls everything, plays it again and again; exit code 1 if "
        "not\n"
        "  play FILE   show an episode, sub-agents side by side\n"
        "  bench FILE  episodes and agent steps per second on one core\n"
        "\nexample: parl env new orchard && parl env check orchard.lua\n"
        "The tutorial is docs/writing-environments.md.\n");
  if (strcmp(verb, "bench") == 0)
    printf(
        "\nrows are train_SHAPE, decode_SHAPE and decode_bf16_SHAPE; shapes are quickstart, A, B\n"
        "and of A and B the variants _mqa, _mla, _moe, _mla_moe. LIST has rows, shapes, A or B\n"
        "with all variants, or ops. The peak is that of the same threads just before and after a\n"
        "row. docs/performance.md explains the columns.\n");
  if (strcmp(verb, "model") == 0)
    printf(
        "\nactions:\n"
        "  describe DIR|k25|RECIPE  parameters, FLOPs a token, bytes of cache, memory to train\n"
        "  logits DIR               logits and gradients of a published folder\n"
        "  export CHECKPOINT|DIR    write a published folder from a run's checkpoint, or anew\n"
        "docs/models.md says what is published how.\n");
  if (strcmp(verb, "train") == 0)
    printf("\nexample: parl train experiments/recipes/quickstart.lua --set train.updates=50\n");
}

/* --- errors --- */

int cli_fail(parl_status s) {
  fprintf(stderr, "parl: %s\n", parl_error_text());
  if (s == PARL_STATUS_EINVAL) return CLI_USAGE;
  if (s != PARL_STATUS_ESTOPPED) return CLI_FAILED;
  fprintf(stderr, "parl: the same command continues\n");
  return cli_get_signal() ? 128 + cli_get_signal() : CLI_RESUMABLE;
}

int cli_usage(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("parl: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  return CLI_USAGE;
}

bool cli_need_operands(const cli_args *args, size_t n) {
  if (args->n_operands == n) return true;
  cli_usage("%s takes %s; see parl %s --help", args->verb, verbs[find_verb(args->verb)].operands,
            args->verb);
  return false;
}

/* --- environment of the process --- */

const char *cli_get_datadir(void) {
  const char *dir = getenv("PARL_DATADIR");
  return dir && dir[0] ? dir : parl_build_datadir();
}

bool cli_is_interactive(void) {
  const char *term = getenv("TERM"), *ci = getenv("CI");
  return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 && !(ci && ci[0]);
}

void cli_log_sink(void *context, parl_log_level level, const char *text) {
  (void)context;
  fprintf(stderr, "%s%s%s\n", cli_is_interactive() ? "\r\033[K" : "",
          level == PARL_LOG_WARNING ? "warning: " : "", text);
}

static atomic_int stop_requested;

static void on_signal(int number) {
  if (stop_requested) _exit(128 + number);
  stop_requested = number;
}

const atomic_int *cli_catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  return &stop_requested;
}

int cli_get_signal(void) {
  return stop_requested;
}

/* --- parsing --- */

static const char **find_value(cli_args *a, const char *name) {
  if (strcmp(name, "--checkpoint") == 0) return &a->checkpoint;
  if (strcmp(name, "--style") == 0) return &a->style;
  if (strcmp(name, "--tasks") == 0) return &a->tasks;
  if (strcmp(name, "--shapes") == 0) return &a->shapes;
  if (strcmp(name, "--backend") == 0) return &a->backend;
  if (strcmp(name, "--seconds") == 0) return &a->seconds;
  if (strcmp(name, "--save") == 0) return &a->save;
  if (strcmp(name, "--compare") == 0) return &a->compare;
  if (strcmp(name, "--fail-below") == 0) return &a->fail_below;
  if (strcmp(name, "--as") == 0) return &a->as;
  if (strcmp(name, "--seed") == 0) return &a->seed;
  if (strcmp(name, "--episodes") == 0) return &a->episodes;
  if (strcmp(name, "--tokens") == 0) return &a->tokens;
  if (strcmp(name, "-o") == 0) return &a->output;
  if (strcmp(name, "--dtype") == 0) return &a->dtype;
  if (strcmp(name, "--layout") == 0) return &a->layout;
  if (strcmp(name, "--shard-size") == 0) return &a->shard_size;
  if (strcmp(name, "--set") == 0) return a->n_sets < CLI_MAX_SETS ? &a->sets[a->n_sets++] : NULL;
  return NULL;
}

static int refuse_option(const char *verb, const char *name) {
  size_t n;
  const cli_option *o = cli_get_options(verb, &n);
  const char *names[16];
  for (size_t i = 0; i < n; i++) names[i] = o[i].name;
  const char *near = parl_nearest(name, names, n);
  return cli_usage("%s has no option %s%s%s%s", verb, name, near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

/* One option; *i is the place of its name and moves on to its value. Returns 0 or an exit code. */
static int parse_option(cli_args *a, int argc, char **argv, int *i) {
  char name[32];
  const char *equals = strchr(argv[*i], '=');
  const size_t length = equals ? (size_t)(equals - argv[*i]) : strlen(argv[*i]);
  snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1),
           argv[*i]);
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
    a->help = true;
    return 0;
  }
  size_t n;
  const cli_option *o = cli_get_options(a->verb, &n);
  size_t k = 0;
  while (k < n && strcmp(o[k].name, name) != 0) k++;
  if (k == n) return refuse_option(a->verb, argv[*i]);
  if (o[k].value == NULL) {
    if (equals) return cli_usage("%s takes no value", name);
    if (strcmp(name, "--json") == 0) a->json = true;
    if (strcmp(name, "--quiet") == 0) a->quiet = true;
    if (strcmp(name, "--interactive") == 0) a->interactive = true;
    if (strcmp(name, "--strict") == 0) a->strict = true;
    if (strcmp(name, "--isolate") == 0) a->isolate = true;
    if (strcmp(name, "--hash") == 0) a->hash = true;
    if (strcmp(name, "--grads") == 0) a->grads = true;
    if (strcmp(name, "--force") == 0) a->force = true;
    return 0;
  }
  const char **value = find_value(a, name);
  if (value == NULL) return cli_usage("at most %d --set", CLI_MAX_SETS);
  if (equals) {
    *value = equals + 1;
  } else {
    if (*i + 1 >= argc) return cli_usage("%s needs %s", name, o[k].value);
    *value = argv[++*i];
  }
  return 0;
}

static int parse(cli_args *a, int argc, char **argv) {
  bool operands_only = false;
  for (int i = 2; i < argc; i++) {
    if (!operands_only && strcmp(argv[i], "--") == 0) {
      operands_only = true;
    } else if (!operands_only && argv[i][0] == '-' && argv[i][1] != '\0') {
      const int code = parse_option(a, argc, argv, &i);
      if (code != 0) return code;
    } else if (a->n_operands < CLI_MAX_OPERANDS) {
      a->operands[a->n_operands++] = argv[i];
    } else {
      return cli_usage("at most %d operands", CLI_MAX_OPERANDS);
    }
  }
  return 0;
}

static int refuse_verb(const char *name) {
  size_t n;
  const char *const *names = cli_get_verbs(&n);
  const char *near = parl_nearest(name, names, n);
  return cli_usage("no verb \"%s\"%s%s%s; parl help lists them", name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of write, as a full disk is */
  if (argc < 2) {
    cli_print_help(NULL);
    return CLI_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    cli_print_help(NULL);
    return CLI_DONE;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("parl %s\n", parl_build_revision());
    return CLI_DONE;
  }
  const int v = find_verb(argv[1]);
  if (v < 0) return refuse_verb(argv[1]);
  cli_args args = {.verb = argv[1]};
  const int code = parse(&args, argc, argv);
  if (code != 0) return code;
  if (args.help) {
    cli_print_help(args.verb);
    return CLI_DONE;
  }
  const int result = verbs[v].run(&args);
  if (fflush(stdout) != 0 && errno != EPIPE) {
    fprintf(stderr, "parl: standard output: %s\n", strerror(errno));
    return CLI_FAILED;
  }
  return result;
}
