/* lua/env_internal.h - what the files of an environment share.
 *
 * Reading order: env_spec.c (parl.env{}), env_params.c, env_presets.c, env_families.c,
 * env_include.c, env_kit.c, env_image.c, env_transform.c, env_visual.c, env_values.c, env_vision.c,
 * env_rng.c, env.c (life, worlds, agents), env_callbacks.c (the episode), env_legal.c,
 * env_optimum.c, env_source.c. */
#ifndef PARL_LUA_ENV_INTERNAL_H
#define PARL_LUA_ENV_INTERNAL_H
#include <lauxlib.h>
#include <math.h>

#include "core/arena.h"
#include "core/augment.h"
#include "core/rng.h"
#include "lua/api_list.h"
#include "lua/env.h"
#include "lua/sandbox.h"

/* parl.VERSION: of the contract between scripts and this program. */
#define PARL_ENV_CONTRACT_VERSION "1.0"

enum {
  PARL_ENV_MAX_PARAMS = 32,
  PARL_ENV_MAX_CHOICES = 16,
  PARL_ENV_MAX_ALIASES = 32,
  PARL_ENV_MAX_INCLUDES = 16,
  PARL_ENV_MAX_IMAGES = 64, /* that a script may load */
  PARL_ENV_MAX_VOCABULARY = 2048,
  PARL_ENV_MAX_DETAILS = 64 /* named numbers score may return */
};

typedef enum parl_callback {
#define X(name, required, type, doc) PARL_CALLBACK_##name,
  PARL_CALLBACK_LIST(X)
#undef X
      PARL_N_CALLBACKS
} parl_callback;

/* Calls of an expert that are no tools. */
typedef enum parl_control_call {
  PARL_CONTROL_FINISH,
  PARL_CONTROL_ASSIGN,
  PARL_CONTROL_CREATE,
  PARL_CONTROL_LAUNCH,
  PARL_N_CONTROL_CALLS
} parl_control_call;

typedef enum parl_param_type {
  PARL_PARAM_INTEGER,
  PARL_PARAM_NUMBER,
  PARL_PARAM_BOOLEAN,
  PARL_PARAM_CHOICE
} parl_param_type;

typedef struct parl_param {
  const char *name, *doc;
  parl_param_type type;
  double value, initial; /* numbers; 0/1 of a boolean; place of a choice */
  double low, high;      /* closed range of numbers */
  int n_choices;
  const char *choices[PARL_ENV_MAX_CHOICES];
} parl_param;

/* A second name of a family: `row = "item"`. */
typedef struct parl_family_alias {
  const char *name;
  int family;
} parl_family_alias;

/* One named setting of `presets`: initial values of some parameters. */
typedef struct parl_preset {
  const char *name;
  bool sets[PARL_ENV_MAX_PARAMS]; /* whether it sets the parameter at that place */
  double values[PARL_ENV_MAX_PARAMS];
} parl_preset;

/* Where an rng object's numbers come from now. */
typedef enum parl_rng_mode {
  PARL_RNG_CHANCE,   /* the world's chance */
  PARL_RNG_EXPERT,   /* an expert's own choices; does not advance the world's chance */
  PARL_RNG_FORBIDDEN /* the callback must not depend on chance, or the stream is over */
} parl_rng_mode;

typedef struct parl_rng_object {
  uint64_t seed, a, b; /* name the streams */
  bool started;        /* the cursors are set: most agents draw nothing */
  parl_rng_cursor chance, expert;
  parl_rng_mode mode;
} parl_rng_object;

/* The world of the last reset, for the next one of the same task, and what is known of it. */
typedef struct parl_shared_world {
  int ref; /* LUA_NOREF: none */
  uint64_t seed;
  uint64_t number; /* counts these worlds from 1 */
  bool has_prompt, has_optimum;
  size_t n_prompt;
  int32_t prompt[PARL_ENV_MAX_OBSERVATION];
  size_t n_shown; /* images among them */
  parl_shown shown[PARL_ENV_MAX_SHOWN];
  parl_album album;
  parl_env_optimum optimum;
} parl_shared_world;

typedef struct parl_world_slot {
  int ref;                /* frozen world in the registry; LUA_NOREF: free slot */
  uint64_t shared_number; /* parl_shared_world.number; 0: it is not shared */
  uint64_t episode_seed;
  parl_agent first_agent; /* list through parl_agent_slot.next, -1 ends */
  parl_agent main_agent;
  int n_ended; /* agents that ended and are still in the list */
  parl_world next_free;
} parl_world_slot;

/* An agent that ended stays with its world, for what a script has kept of it must not become
 * another agent. When the world goes, nothing can reach it any more and its objects are used
 * again. */
typedef struct parl_agent_slot {
  int ref, real_ref;    /* frozen agent and what it hides, in the registry; LUA_NOREF: not made */
  parl_rng_object *rng; /* owned by the agent's table */
  int id, role;         /* that the objects say; role -1: the orchestrator */
  parl_world world;     /* -1: free slot */
  bool ended;
  parl_agent previous, next; /* in the world's list; next also links free slots */
} parl_agent_slot;

struct parl_env {
  parl_sandbox *sandbox;
  lua_State *L;     /* of sandbox */
  parl_arena arena; /* every name and text of the spec */
  parl_env_spec spec;
  bool declared;            /* parl.env was called */
  const char **token_names; /* [spec.n_tokens] */
  int n_params;
  parl_param params[PARL_ENV_MAX_PARAMS];
  parl_text params_json;
  int n_presets;
  parl_preset presets[PARL_ENV_MAX_CHOICES];
  int n_aliases;
  parl_family_alias aliases[PARL_ENV_MAX_ALIASES];
  const parl_json *wanted;   /* parameters asked for, borrowed while the file runs */
  parl_status wanted_status; /* what became of them, */
  parl_text wanted_error;    /* and why */
  int n_includes, n_images;  /* files included, images loaded so far */
  bool is_including;         /* parl.env returns its table then */
  /* registry references */
  int callback[PARL_N_CALLBACKS], run[PARL_ENV_MAX_TOOLS];
  int tool_name[PARL_ENV_MAX_TOOLS + 1]; /* the last but none: "assign_task" at n_tools */
  int role_name[PARL_ENV_MAX_ROLES + 1]; /* "orchestrator" at n_roles */
  int style_name[PARL_ENV_MAX_STYLES];
  /* Lua's own texts: the tools, then parl_control_call */
  const char *call_names[PARL_ENV_MAX_TOOLS + PARL_N_CONTROL_CALLS];
  int last_style; /* that was asked for */
  int declaration, limits, params_table, tok, watch, rng_methods, agent_strict;
  int taken_real, taken; /* the list that legal gets, and its frozen face */
  int max_taken;         /* values in it at most */
  /* The list of a call's earlier arguments, and those that are lists themselves; made only
   * where a call has two. Filling them allocates nothing. */
  int given_real, given, given_list_real[PARL_ENV_MAX_SLOTS], given_list[PARL_ENV_MAX_SLOTS];
  parl_world_slot *worlds;
  parl_agent_slot *agents;
  int n_worlds, n_agents; /* slots */
  parl_world free_world;
  parl_agent free_agent;
  bool share_worlds;
  parl_shared_world shared;
  /* Images among the tokens of the last callback. */
  size_t n_shown;
  parl_shown shown[PARL_ENV_MAX_SHOWN];
  parl_album album;
  /* Of a source. */
  const parl_env *speaks; /* NULL: it is none */
  int document;           /* registry reference */
  bool takes_augment;     /* document has a third argument */
  /* Of the document that is made: what was drawn, NULL: nothing; the first transform that it asked
   * for. */
  const parl_augment *augment;
  bool is_bound;
  parl_transform bound;
};

/* --- env_spec.c: runs as parl.env{...} inside the script --- */
/* Makes the global `parl`. Inside protect. */
void parl_env_open(lua_State *L, parl_env *env);
/* Calls limits(params) or reads the table; inside protect, params at the top: [params] -> []. */
void parl_env_read_limits(lua_State *L, parl_env *env);
/* Raises "script:line: place: message"; place may be "". */
_Noreturn void parl_env_refuse(lua_State *L, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Copy of the string at index in env's arena. */
const char *parl_env_keep(lua_State *L, parl_env *env, int index);
/* Refuses keys of the table at index that are not in known [n]. */
void parl_env_check_keys(lua_State *L, int index, const char *place, const char *const *known,
                         size_t n);
/* The name at index, borrowed; NULL if it is none, or has bytes behind a zero. */
const char *parl_env_get_name(lua_State *L, int index);
/* Refuses the value at index, which is no name. */
_Noreturn void parl_env_refuse_name(lua_State *L, int index, const char *place);
/* The n bytes of s as they can be shown: others than ASCII as \x80, cut with "..." where out [room]
 * ends. */
void parl_env_append_shown(const char *s, size_t n, char *out, size_t room);
/* Copies the text at the top: one line of at most 1000 bytes. */
const char *parl_env_keep_line(lua_State *L, parl_env *env, const char *place);
/* Reads a list of distinct names: [list] -> []. Returns how many. */
int parl_env_read_names(lua_State *L, parl_env *env, const char *place, const char **out, int max);
/* Reads params and presets of the table at index 1, and sets what was asked for. Inside protect. */
void parl_env_read_settings(lua_State *L, parl_env *env);
/* Memory of env's arena. */
void *parl_env_take(lua_State *L, parl_env *env, size_t n, size_t bytes);
/* Keys of the table at index, sorted, borrowed from it; at most max. Returns their number. */
int parl_env_sort_keys(lua_State *L, int index, const char *place, const char **keys, int max);

/* --- env_vocabulary.c --- */
/* Numbers the tokens and fills parl.tok; inside parl.env. */
void parl_env_make_vocabulary(lua_State *L, parl_env *env);
/* Fills parl.tok by the specification. */
void parl_env_fill_tok(lua_State *L, parl_env *env);

/* --- env_source.c --- */
/* Pushes parl.source. Inside protect. */
void parl_env_push_source(lua_State *L, parl_env *env);
/* env has the vocabulary of another environment, and nothing else of it. Inside protect. */
void parl_env_speak(lua_State *L, parl_env *env, const parl_env *of);

/* --- env_params.c --- */
/* Reads params = {...}: [table] -> []. Inside protect. */
void parl_env_read_params(lua_State *L, parl_env *env);
/* Place of a parameter, -1 if there is none of that name; of a word among p's choices. */
int parl_env_find_param(const parl_env *env, const char *name);
int parl_env_find_choice(const parl_param *p, const char *word);
/* Sets the parameters asked for. Fails: EINVAL naming the parameter. */
parl_status parl_env_apply_params(parl_env *env);
/* Pushes the frozen table of resolved parameters. Inside protect. */
void parl_env_push_params(lua_State *L, const parl_env *env);

/* --- env_presets.c --- */
/* Reads presets = {...} and adds the parameter `preset`: [table] -> []. Inside protect. */
void parl_env_read_presets(lua_State *L, parl_env *env);
/* Sets the initial values of the preset that is asked for. Fails: EINVAL. */
parl_status parl_env_apply_preset(parl_env *env, const parl_json *params);

/* --- env_families.c --- */
/* Reads families = {...} or calls families(params): [value] -> []. Inside protect. */
void parl_env_read_families(lua_State *L, parl_env *env);
/* Place of a family by its name or alias. Refuses an unknown one. */
int parl_env_find_family(lua_State *L, const parl_env *env, const char *place, const char *name);

/* --- env_include.c --- */
/* Pushes parl.include. Inside protect. */
void parl_env_push_include(lua_State *L, parl_env *env);
/* Pushes the path of a file beside the script; borrowed from the stack. */
const char *parl_env_push_sibling(lua_State *L, const parl_env *env, const char *name,
                                  const char *extension);
/* Another file's bytes count in the script's hash. */
void parl_env_add_hash(parl_env *env, const char *bytes, size_t n);

/* --- env_image.c --- */
/* Makes what images need in the registry. Inside protect. */
void parl_env_open_images(lua_State *L);
/* parl.image(w, h, colour) */
int parl_env_make_image(lua_State *L);
int parl_env_make_clip(lua_State *L);
/* Pushes parl.load_image. Inside protect. */
void parl_env_push_load_image(lua_State *L, parl_env *env);

/* --- env_transform.c --- */
/* Makes what transforms need in the registry. Inside protect. */
void parl_env_open_transforms(lua_State *L);
/* parl.transform(w, h) */
int parl_env_make_transform(lua_State *L);
/* Pushes the function `augment` of documents, which binds env->augment. Inside protect. */
void parl_env_push_augment(lua_State *L, parl_env *env);

/* --- env_kit.c --- */
/* lua/worklist.lua and so on; the Makefile makes their sources. */
extern const char parl_env_worklist[], parl_env_project[], parl_env_project_plan[],
    parl_env_viewing[], parl_env_kit_check[];
/* Sets the helpers of PARL_KIT_LIST in the table at the top. Inside protect. */
void parl_env_open_kit(lua_State *L);

/* --- env_visual.c: helpers of the kit --- */
int parl_env_visual_box_f1(lua_State *L);
int parl_env_visual_point_f1(lua_State *L);
int parl_env_visual_polygon_iou(lua_State *L);
int parl_env_visual_text_score(lua_State *L);
int parl_env_visual_count_score(lua_State *L);

/* --- env_rng.c --- */
/* Pushes the table of methods, to be kept at env->rng_methods. */
void parl_env_open_rng(lua_State *L);
/* Pushes a new rng object with both cursors at the start of their streams. Inside protect. */
parl_rng_object *parl_env_push_rng(lua_State *L, const parl_env *env, uint64_t seed, uint64_t a,
                                   uint64_t b);
/* Where the rng object at index draws from now. Raises an error where it may not, or is none. */
parl_rng_cursor *parl_env_get_cursor(lua_State *L, int index);
/* Lets both cursors start at the beginning of other streams. */
void parl_env_restart_rng(parl_rng_object *rng, uint64_t seed, uint64_t a, uint64_t b);

/* --- env_values.c: between C and Lua values --- */
/* ESCRIPT "script:line: callback: message", the place where callback's function was defined. */
parl_status parl_env_breach(parl_env *env, int function_ref, const char *callback,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Reads the tokens that a callback returned, what lies on the stack above index `base`: one list of
 * them, or the tokens themselves. Pops them. */
parl_status parl_env_read_tokens(parl_env *env, int base, int function_ref, const char *callback,
                                 int32_t *tokens, size_t max, size_t *n);
/* Reads the token or image at `index`, number i of what a callback returned, behind the first *n of
 * tokens [room]. Bare integers below `least` are refused. */
parl_status parl_env_read_token(parl_env *env, int function_ref, const char *callback, int i,
                                int index, int least, int32_t *tokens, size_t room, size_t *n);
/* Reads the calls that `expert` returned: one list of lists, or the items of a single call. Pops
 * them. */
parl_status parl_env_read_calls(parl_env *env, int base, parl_call *calls, size_t max, size_t *n);
/* Fails: EINVAL if values or slots do not fit the signature. */
parl_status parl_env_check_call(const parl_env *env, const parl_tool *signature,
                                const parl_call *call);
/* Pushes the arguments slot by slot: a number, or a list for a `many` slot. Returns their number.
 * Allocates lists: inside protect if the signature has a `many` slot. */
int parl_env_push_arguments(lua_State *L, const parl_tool *signature, const parl_call *call);

/* For messages: nobody means anything by "-nan". */
static inline double parl_env_drop_nan_sign(double x) {
  return isnan(x) ? fabs(x) : x;
}

/* --- env_callbacks.c --- */
#define PARL_ENV_CALLBACK(env, name) (env)->callback[PARL_CALLBACK_##name]
/* Fails: EINVAL if there is no such world, or it has no such agent. */
parl_status parl_env_check_handles(const parl_env *env, parl_world world, parl_agent agent);
/* Pushes what a registry reference stands for. */
static inline void parl_env_push_ref(const parl_env *env, int ref) {
  lua_rawgeti(env->L, LUA_REGISTRYINDEX, ref);
}

/* --- env_vision.c --- */
/* Reads vision = {...}: [value] -> []. Inside protect. */
void parl_env_read_vision(lua_State *L, parl_env *env);
/* What the last callback showed is forgotten. */
void parl_env_forget_shown(parl_env *env);
/* Writes the tokens of the image at `index`, number i of what a callback returned, behind the first
 * *n of tokens [room], and keeps its pixels. Fails: ESCRIPT naming what is wrong. */
parl_status parl_env_show(parl_env *env, int function_ref, const char *callback, int i, int index,
                          int32_t *tokens, size_t room, size_t *n);

/* --- env_optimum.c --- */
/* Reads the table at the top. Fails: ESCRIPT naming the field. */
parl_status parl_env_read_optimum(parl_env *env, parl_env_optimum *out);

/* --- env.c --- */
/* Makes an agent: inside protect. ordinal 0 and role < 0: the orchestrator. May raise ENOMEM. */
parl_agent parl_env_make_agent(lua_State *L, parl_env *env, parl_world world, int role,
                               int ordinal);
/* The agent is no longer one of its world's, and its state is gone. */
void parl_env_end_agent(parl_env *env, parl_agent agent);
/* Slots by handle; NULL if there is no such world or agent, or it is another world's. */
static inline parl_world_slot *parl_env_get_world(const parl_env *env, parl_world world) {
  if (world < 0 || world >= env->n_worlds || env->worlds[world].ref == LUA_NOREF) return NULL;
  return &env->worlds[world];
}

static inline parl_agent_slot *parl_env_get_agent(const parl_env *env, parl_world world,
                                                  parl_agent agent) {
  if (agent < 0 || agent >= env->n_agents) return NULL;
  parl_agent_slot *slot = &env->agents[agent];
  return slot->world == world && !slot->ended ? slot : NULL;
}

#endif
