/* parl/run/recipe.h - an experiment as data: sections of typed fields, arms that override them,
 * seeds.
 *
 * A recipe is a Lua file that returns a table (or the JSON of one). Every run of it is an (arm,
 * seed) with one resolved, canonical configuration whose hash is its uid. Thread rule: read-only
 * after load.
 * Reading order: the sections, parl_run_config, load, resolve. */
#ifndef PARL_PARL_RUN_RECIPE_H
#define PARL_PARL_RUN_RECIPE_H
#include "core/hash.h"
#include "engine/model.h"
#include "engine/optimizer.h"
#include "parl/data/source_list.h"
#include "parl/learn/pretrain.h"
#include "parl/learn/update.h"
#include "parl/learn/warm_start.h"
#include "parl/reward/objective.h"
#include "parl/reward/reward.h"
#include "parl/reward/schedule.h"
#include "parl/run/evaluator.h"
#include "parl/swarm/swarm_config.h"

#define PARL_RUN_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                             \
  TEXT(dir, "", "folder of the store, the checkpoints and the report; empty: runs/<recipe>")       \
  INT(threads, 0, 0, 1024, "threads", "worker threads; 0: one for each processor")                 \
  INT(seed, 1, 0, 9007199254740991, "1", "first seed")                                             \
  INT(n_seeds, 1, 1, 10000, "seeds", "seeds of each arm: seed, seed + 1, ...")                     \
  INT(checkpoint_every, 25, 1, 1000000, "updates", "updates between checkpoints")                  \
  TEXT(backend, "cpu",                                                                             \
       "kernels: cpu, cpu:LEVEL of parl doctor, cuda, cuda:own, auto, ref; far, ref:bf16-acts "    \
       "(tests)")                                                                                  \
  CHOICE(dtype, f32, "f32|bf16|auto",                                                              \
         "operands of matrix products; auto: bf16 where the processor has units for it")           \
  FLAG(invariant, false,                                                                           \
       "a card's own kernels alone: bits do not depend on what else is in a batch; on a CPU none " \
       "do")

PARL_CONFIG_STRUCT(parl_run_section_config, PARL_RUN_FIELDS);
extern const parl_section parl_run_section;

/* Everything one run needs, resolved. Plain data, but for the terms that a recipe adds. */
typedef struct parl_run_config {
  parl_run_section_config run;
  parl_env_config env;
  parl_episode_config episode;
  parl_cost_config cost;
  parl_agents_config agents;
  parl_model_config model;
  parl_pretrain_config pretrain;
  parl_source_list sources; /* files as they were found */
  parl_warm_config warm;
  parl_train_config train;
  parl_optimizer_config optimizer;
  parl_objective_config objective;
  parl_reward_config reward;
  parl_schedule_config weights[PARL_N_TERMS]; /* of the built-in terms */
  const parl_own_terms *own_terms;            /* the recipe's, borrowed of it; NULL: none */
  parl_eval_config eval;
} parl_run_config;

/* What the rollouts of such a run read. */
parl_swarm_config parl_run_config_get_swarm(const parl_run_config *config);

/* The first update from which on every weight of the reward is what it is at the end; 0: they are
 * constant. weight: where the recipe gives the last one to settle, "" at 0. Fails: EINVAL naming a
 * weight that follows a metric; ENOMEM. */
parl_status parl_run_config_get_annealed(const parl_run_config *config, int64_t *out,
                                         char weight[PARL_LAMBDA_BYTES]);

/* Every section in recipe order: its table and where its struct lies in parl_run_config. */
typedef struct parl_recipe_section {
  const parl_section *section;
  size_t offset;
  bool is_optional; /* its canonical form is left out where it is the default */
} parl_recipe_section;
const parl_recipe_section *parl_recipe_get_sections(size_t *n);
/* Room for the struct of any optional section. */
typedef union parl_optional_config {
  parl_schedule_config weight;
  parl_cost_config cost;
  parl_pretrain_config pretrain;
} parl_optional_config;
/* Adds to canonical configurations [n] the optional sections that one of them has and others leave
 * out, where they are the default, so that they can be compared. Fails: ENOMEM. */
parl_status parl_recipe_fill_in(parl_json *const *configs, size_t n);

enum { PARL_QUESTION_BYTES = 400 }; /* of a recipe's question, with its end */
typedef struct parl_recipe parl_recipe;

/* Loads PATH (.lua or .json) and checks every arm. An arm is the recipe's sections, then its own
 * table, then the overrides (texts [n_overrides] as of core/override.h): those of every arm
 * ("lambda1.start=0.3") in their order, then those of this arm ("annealed:lambda1.start=0.3") in
 * theirs, so an arm's own win whatever stands first. An override is checked by itself, too: its
 * arm, key, type and range. Schedules and reward expressions are tried. datadir (may be NULL) is
 * where an environment is looked for after the working folder and the recipe's. Fails: EIO,
 * ESCRIPT, EINVAL naming the field, its value and range or the nearest key. */
parl_status parl_recipe_load(const char *path, const char *const *overrides, size_t n_overrides,
                             const char *datadir, parl_recipe **out);
/* The table of a recipe file as it is, unchecked; owned by the caller. Fails: EIO, ESCRIPT, EFORMAT
 * naming the file. */
parl_status parl_recipe_read_file(const char *path, parl_json **out);
/* The same as load with a table that somebody made, who says in `path` whose it is: names of files
 * are looked for beside that. */
parl_status parl_recipe_load_tree(const parl_json *tree, const char *path, const char *datadir,
                                  parl_recipe **out);
/* A recipe of defaults around one environment script, with overrides, to look at an environment
 * without a recipe: no budget, scripted sub-agents. Fails: as load. */
parl_status parl_recipe_load_env(const char *path, const char *const *overrides, size_t n_overrides,
                                 const char *datadir, parl_recipe **out);
/* A line for each override that changes nothing, and why; "" if there is none. Borrowed. */
const char *parl_recipe_get_warnings(const parl_recipe *recipe);
void parl_recipe_destroy(parl_recipe *recipe);
const char *parl_recipe_get_name(const parl_recipe *recipe);
/* What its runs are to answer, the first line of their report; "" if it says nothing. Borrowed. */
const char *parl_recipe_get_question(const parl_recipe *recipe);
size_t parl_recipe_get_n_arms(const parl_recipe *recipe);
const char *parl_recipe_get_arm_name(const parl_recipe *recipe, size_t arm);
/* Configuration of an arm, with run.seed the recipe's first seed. Borrowed. */
const parl_run_config *parl_recipe_get_arm(const parl_recipe *recipe, size_t arm);
/* Of an arm, the environment's parameters (JSON object, borrowed; NULL if none given) and its
 * resolved path. */
const parl_json *parl_recipe_get_env_params(const parl_recipe *recipe, size_t arm);
const char *parl_recipe_get_env_path(const parl_recipe *recipe, size_t arm);
/* Folder of the runs: run.dir or runs/<name>. */
const char *parl_recipe_get_folder(const parl_recipe *recipe);

/* Opens the environment of an arm. Fails: as parl_env_create. */
parl_status parl_recipe_open_env(const parl_recipe *recipe, size_t arm,
                                 const parl_script_host *scripts, parl_env **out);

/* The backend of run.backend, run.dtype and run.invariant. Fails: as parl_backend_select. */
parl_status parl_recipe_get_backend(const parl_run_config *config, const parl_backend **out);

/* What only the environment can tell: no arm is named like a style, styles exist, the mix of the
 * warm start is one, contexts fit the model, there is such a model and such a backend. Fails:
 * EINVAL naming the field and the nearest style. */
parl_status parl_recipe_check_env(const parl_recipe *recipe, const parl_run_config *config,
                                  const parl_env_spec *spec);

/* Fails: EINVAL naming `field` and the nearest, if the environment has no such expert style. */
parl_status parl_recipe_check_style(const parl_env_spec *spec, const char *field,
                                    const char *style);

/* What a canonical configuration identifies. */
typedef enum parl_scope {
  PARL_SCOPE_PRETRAIN, /* the pretrained model: model, pretrain, sources, the vocabulary */
  PARL_SCOPE_WARM,     /* the warm start: env, episode, model, warm */
  PARL_SCOPE_BASELINE, /* an untrained or scripted policy: these and cost, agents, eval */
  PARL_SCOPE_RUN       /* a run: every section but run */
} parl_scope;

#endif
