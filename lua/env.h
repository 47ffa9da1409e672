/* lua/env.h - an environment written in Lua: its specification, its worlds, its callbacks.
 *
 * A parl_env is one sandboxed Lua state with one environment file. It holds many live worlds at
 * once. Every random number a script sees is keyed by (seed, agent, draw), so an outcome does not
 * depend on which other worlds are alive or in which order they are stepped.
 * Errors carry script:line and a traceback; a script can neither hang nor exhaust memory nor reach
 * the host. The contract as a script author sees it: DESIGN 6 and envs/wide_search.lua.
 * Thread rule: one thread at a time per parl_env; several parl_envs are independent.
 * Reading order: parl_env_spec, create, reset, the callbacks in the order of an episode. */
#ifndef PARL_LUA_ENV_H
#define PARL_LUA_ENV_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/album.h"
#include "core/json.h"
#include "core/status.h"
#include "lua/script_host.h"

enum {
  PARL_ENV_MAX_FRAMES = 4, /* of a clip, as many as K2.5 looks at as one */
  PARL_ENV_MAX_SLOTS = 4,  /* argument slots of one tool */
  PARL_ENV_MAX_TOOLS = 16, /* tools of one environment */
  PARL_ENV_MAX_ROLES = 8,
  PARL_ENV_MAX_FAMILIES = 16,
  PARL_ENV_MAX_STYLES = 12,
  PARL_ENV_MAX_VALUES = 128,     /* values in one call, over all slots */
  PARL_ENV_MAX_OBSERVATION = 512 /* tokens one callback may return */
};

/* Most steps that `optimum` may state: more than any episode has (2^20 turns of 2^20 steps). */
#define PARL_ENV_MAX_STEPS (INT64_C(1) << 40)

/* A typed token family: `row = 64` (values 1..64) or `word = {"ok", "miss"}` (values 1..2 with
 * names). */
typedef struct parl_family {
  const char *name;
  int n;                    /* number of values */
  const char *const *words; /* [n] or NULL */
  int first_token;          /* id of value 1 in the vocabulary */
} parl_family;

/* One argument slot: exactly one value of a family, or one to max of them ("row+"). */
typedef struct parl_arg_slot {
  int family;
  bool many;
  int max; /* values at most; 1 unless many */
} parl_arg_slot;

typedef struct parl_tool {
  const char *name, *doc;
  int n_slots;
  parl_arg_slot slots[PARL_ENV_MAX_SLOTS];
  int token;
} parl_tool;

typedef struct parl_env_limits {
  int context;     /* tokens an orchestrator's context holds */
  int sub_context; /* tokens of a sub-agent's */
  int sub_steps;   /* steps of one sub-agent */
  int max_width;   /* sub-agents launched in one turn */
  int max_agents;  /* configurations create_subagent may register, <= 8 */
  int max_turns;   /* orchestrator turns in an episode */
} parl_env_limits;

/* Tokens that stand around an image, and in its place: at the end of the vocabulary of an
 * environment that shows images, in this order. X(name, text) */
#define PARL_MEDIA_TOKEN_LIST(X)      \
  X(BEGIN, "<|media_begin|>")         \
  X(WORD, "image")                    \
  X(CONTENT, "<|media_content|>")     \
  X(PAD, "<|media_pad|>") /* a row */ \
  X(END, "<|media_end|>")
typedef enum parl_media_token {
#define X(name, text) PARL_MEDIA_##name,
  PARL_MEDIA_TOKEN_LIST(X)
#undef X
      PARL_N_MEDIA_TOKENS
} parl_media_token;
/* Instead of "image" before a clip; behind the others, where clips are declared. */
enum { PARL_MEDIA_VIDEO = PARL_N_MEDIA_TOKENS };
/* Images that one callback may return: each takes all of these tokens. */
enum { PARL_ENV_MAX_SHOWN = PARL_ENV_MAX_OBSERVATION / PARL_N_MEDIA_TOKENS };

/* What an environment shows, `vision`. */
typedef struct parl_env_vision {
  int width, height; /* pixels of the widest and of the highest image; 0: it shows none */
  int frames;        /* of the longest clip; 1: it shows images alone */
  int patch;         /* pixels of a model's patch, of which 2 x 2 are a token */
  int first_token;   /* id of <|media_begin|>; of the others in order */
} parl_env_vision;

struct parl_media_size;
/* Where an image, or a clip's frame, comes to lie at that patch. Fails: as parl_media_fit. */
parl_status parl_env_vision_fit(const parl_env_vision *vision, int width, int height, int frames,
                                struct parl_media_size *out);
/* Writes K2.5's text of an image, or of a clip, with a placeholder for each of n_rows: n_rows +
 * PARL_N_MEDIA_TOKENS - 1 tokens. Returns how many of them stand before the first placeholder. */
int parl_env_vision_write(const parl_env_vision *vision, int frames, int n_rows, int32_t *tokens);

typedef struct parl_env_spec {
  const char *name, *summary, *path;
  char script_hash[65];
  int n_families, n_tools, n_roles, n_styles;
  parl_family families[PARL_ENV_MAX_FAMILIES];
  parl_tool tools[PARL_ENV_MAX_TOOLS];
  const char *roles[PARL_ENV_MAX_ROLES];
  int role_token[PARL_ENV_MAX_ROLES];
  const char *styles[PARL_ENV_MAX_STYLES]; /* expert styles */
  parl_tool task;                          /* signature of assign_task after the agent's name */
  parl_env_limits limits;
  parl_env_vision vision;
  int n_tokens;        /* vocabulary size, control tokens included */
  int n_plain;         /* of them those that are not an image's: ids below it */
  char vocab_hash[65]; /* of all token names in order */
  bool has_legal, has_summarize;
} parl_env_spec;

/* Control tokens, the same in every vocabulary. X(name, text) */
#define PARL_TOKEN_LIST(X)      \
  X(PAD, "<pad>")               \
  X(BOS, "<bos>")               \
  X(SUB, "<sub>")               \
  X(GO, "<go>")                 \
  X(FINISH, "finish")           \
  X(CREATE, "create_subagent")  \
  X(ASSIGN, "assign_task")      \
  X(RESULT, "<result>")         \
  X(FINISHED, "<finished>")     \
  X(UNFINISHED, "<unfinished>") \
  X(INVALID, "<invalid>")       \
  X(NAME_1, "agent_1")          \
  X(NAME_2, "agent_2")          \
  X(NAME_3, "agent_3")          \
  X(NAME_4, "agent_4")          \
  X(NAME_5, "agent_5")          \
  X(NAME_6, "agent_6")          \
  X(NAME_7, "agent_7")          \
  X(NAME_8, "agent_8")
typedef enum parl_token {
#define X(name, text) PARL_TOKEN_##name,
  PARL_TOKEN_LIST(X)
#undef X
      PARL_N_CONTROL_TOKENS
} parl_token;
enum { PARL_MAX_AGENT_NAMES = 8 };

typedef enum parl_call_kind {
  PARL_CALL_TOOL,
  PARL_CALL_CREATE,
  PARL_CALL_ASSIGN,
  PARL_CALL_FINISH
} parl_call_kind;

/* One call of a turn, parsed. */
typedef struct parl_call {
  parl_call_kind kind;
  int tool;       /* TOOL: index into spec.tools */
  int agent_name; /* CREATE, ASSIGN: 0..7 */
  int role;       /* CREATE: index into spec.roles */
  int n_values;   /* TOOL, ASSIGN: argument values, 1-based within their families */
  int16_t values[PARL_ENV_MAX_VALUES];
  uint8_t slot[PARL_ENV_MAX_VALUES]; /* which slot a value fills */
} parl_call;

typedef struct parl_env_options {
  size_t memory_bytes;          /* cap of the Lua state; 0: 256 MiB */
  double callback_s;            /* processor time one callback may take; 0: 5 s */
  int64_t instructions;         /* deterministic limit of one callback (--strict); 0: off */
  const parl_script_host *host; /* borrowed for the life of the environment; or NULL */
  /* A reset with the task seed of the one before takes over its world, and what prompt and
   * optimum said of it. */
  bool share_worlds;
  int patch; /* pixels of a patch of the model that will look, model.vision.patch; 0: 4 */
  /* The file declares a source of documents (lua/env_source.h) in the words of this environment,
   * which outlives it; NULL: an environment. */
  const struct parl_env *speaks;
} parl_env_options;

typedef struct parl_env parl_env;
typedef int32_t parl_world; /* handle, >= 0 */
typedef int32_t parl_agent; /* handle, >= 0 */

/* Loads FILE and fixes its parameters. params: JSON object or NULL for defaults; unknown names,
 * wrong types and values out of range are refused with the nearest name.
 * Fails: EIO, ESCRIPT, ELIMIT, EINVAL, ENOMEM. */
parl_status parl_env_create(const char *path, const parl_json *params,
                            const parl_env_options *options, parl_env **out);
void parl_env_destroy(parl_env *env);
/* Borrowed, fixed for the life of env. */
const parl_env_spec *parl_env_get_spec(const parl_env *env);
/* Resolved parameters as a canonical JSON object, borrowed. */
const char *parl_env_get_params(const parl_env *env);
/* Appends the names of the parameters that the chosen preset sets and that were set otherwise
 * beside it: "rows_min, rows_max"; nothing without a preset. */
void parl_env_append_preset_exceptions(const parl_env *env, parl_text *out);
/* Markdown table of the parameters (name, type, default, range, doc). */
void parl_env_append_params_help(const parl_env *env, parl_text *out);
/* Borrowed name of a token id, "?" out of range. */
const char *parl_env_token_name(const parl_env *env, int token);
/* Bytes the Lua state holds now. */
size_t parl_env_get_memory(const parl_env *env);
/* Moves what the script printed since the last call (at most 64 KiB) to the end of out; nothing
 * where the host prints. */
void parl_env_take_output(parl_env *env, parl_text *out);
/* Makes the callback that runs now, if any, fail soon with ESTOPPED. From any thread, not from a
 * signal handler. */
void parl_env_interrupt(parl_env *env);

/* Makes the world of `task_seed`, or with share_worlds takes over the last reset's if it is of this
 * task. Chance inside the episode is keyed by `episode_seed`. *main_agent is the orchestrator.
 * Fails: ESCRIPT, ELIMIT. */
parl_status parl_env_reset(parl_env *env, uint64_t task_seed, uint64_t episode_seed,
                           parl_world *out, parl_agent *main_agent);
/* Whether the variables of the file are what they were once it was loaded. Looked at with every new
 * world; ask once more when all is played. Fails: ESCRIPT naming the variable. */
parl_status parl_env_check_variables(parl_env *env);
/* Frees a world and all its agents. */
void parl_env_release(parl_env *env, parl_world world);

/* The images among the tokens that the last of the calls below returned. */
typedef struct parl_env_shown {
  size_t n;
  const parl_shown *items; /* [n] in order; their numbers are the album's */
  const parl_album *album;
} parl_env_shown;
/* Borrowed until the next of those calls. */
parl_env_shown parl_env_get_shown(const parl_env *env);
/* Of their contents, in order; 0 without images. */
uint64_t parl_env_hash_shown(const parl_env *env);

/* The prompt's tokens (without BOS). tokens [max], *n. Fails also if it is longer than max. */
parl_status parl_env_prompt(parl_env *env, parl_world world, int32_t *tokens, size_t max,
                            size_t *n);
/* What is worth keeping when the context policy `summary` drops the orchestrator's history: the
 * tokens of summarize(world, main). Fails also without that callback. */
parl_status parl_env_summarize(parl_env *env, parl_world world, int32_t *tokens, size_t max,
                               size_t *n);
/* Starts a sub-agent for an assign_task call: its handle, and the first message's tokens (without
 * SUB). ordinal is its number in the episode (keys its chance). */
parl_status parl_env_brief(parl_env *env, parl_world world, const parl_call *task, int role,
                           int ordinal, parl_agent *out, int32_t *tokens, size_t max, size_t *n);
/* Runs a tool for an agent; returns the observation's tokens. */
parl_status parl_env_call(parl_env *env, parl_world world, parl_agent agent, const parl_call *call,
                          int32_t *tokens, size_t max, size_t *n);
/* Which values make sense for slot `slot` of a tool (tool = -1: the task of assign_task) now.
 * given: this call's values so far, of which those of earlier slots are shown to the script; NULL
 * where there are none. taken: distinct values of the same family already given in this turn, in
 * order. allowed [n of the family] gets 0/1. Everything is allowed without a `legal` callback. */
parl_status parl_env_legal(parl_env *env, parl_world world, parl_agent agent, int tool, int slot,
                           const parl_call *given, const int16_t *taken, size_t n_taken,
                           uint8_t *allowed);
/* A sub-agent ended; its findings reach the orchestrator. Returns the message's tokens (without
 * FINISHED/UNFINISHED) and frees the agent. */
parl_status parl_env_deliver(parl_env *env, parl_world world, parl_agent sub, bool finished,
                             int32_t *tokens, size_t max, size_t *n);
/* As deliver, but the agent stays, and may be heard again until it is dismissed: for messages that
 * arrive in another's place, or never. */
parl_status parl_env_hear(parl_env *env, parl_world world, parl_agent sub, bool finished,
                          int32_t *tokens, size_t max, size_t *n);
parl_status parl_env_dismiss(parl_env *env, parl_world world, parl_agent sub);
/* Present score; *success in {0,1}. details (may be NULL) gets a JSON object of named numbers,
 * success among them. r_perf in [0,1] is enforced. */
parl_status parl_env_score(parl_env *env, parl_world world, double *r_perf, double *success,
                           parl_text *details);

/* What the critical steps of an optimum are, by the environment's own word. X(name, text) */
#define PARL_OPTIMUM_KIND_LIST(X)                                  \
  X(UNSTATED, "")                                                  \
  X(EXACT, "exact")       /* reached, and nothing is quicker */    \
  X(EXPECTED, "expected") /* a mean over the chance of episodes */ \
  X(BOUND, "bound")       /* nothing is quicker; perhaps it is not reached */
typedef enum parl_optimum_kind {
#define X(name, text) PARL_OPTIMUM_##name,
  PARL_OPTIMUM_KIND_LIST(X)
#undef X
      PARL_N_OPTIMUM_KINDS
} parl_optimum_kind;
/* Borrowed text; the kind of a text, PARL_N_OPTIMUM_KINDS if it is none. */
const char *parl_optimum_kind_text(parl_optimum_kind kind);
parl_optimum_kind parl_optimum_kind_find(const char *text);

typedef struct parl_env_optimum {
  int64_t critical_steps; /* least critical steps for a perfect result */
  int64_t serial_steps;   /* of working alone */
  int64_t width;          /* sub-agents of its widest launch, 0: it works alone; -1: not stated */
  double r_perf;          /* best reachable */
  parl_optimum_kind is;
} parl_env_optimum;
parl_status parl_env_get_optimum(parl_env *env, parl_world world, parl_env_optimum *out);
/* Task kind for per-family reports ("" if the environment has one kind), copied into out [n]. */
parl_status parl_env_get_family(parl_env *env, parl_world world, char *out, size_t n);

/* What the scripted expert of a style does next: one turn of 1..max calls. */
parl_status parl_env_expert(parl_env *env, parl_world world, parl_agent agent, const char *style,
                            parl_call *calls, size_t max, size_t *n);

/* Version of the library inside ("Lua 5.4.4"), borrowed. */
const char *parl_env_lua_version(void);

#endif
