/* parl/run/recipe_internal.h - what the files of a recipe share: recipe.c (loading, merging,
 * naming), recipe_sections.c (tables), recipe_override.c (--set), recipe_check.c (what fits
 * together). */
#ifndef PARL_PARL_RUN_RECIPE_INTERNAL_H
#define PARL_PARL_RUN_RECIPE_INTERNAL_H
#include "core/name.h"
#include "core/override.h"
#include "parl/run/recipe.h"

enum { PARL_RECIPE_MAX_ARMS = 1024, PARL_RECIPE_PATH_BYTES = 1024 };

/* The environment of an arm. */
typedef struct parl_recipe_env {
  char path[PARL_RECIPE_PATH_BYTES];
  parl_json *params; /* or NULL */
} parl_recipe_env;

struct parl_recipe {
  char name[PARL_NAME_BYTES];
  char path[PARL_RECIPE_PATH_BYTES];
  char folder[PARL_RECIPE_PATH_BYTES];
  bool is_env;     /* made around an environment: who plays decides what agents are */
  parl_json *tree; /* base with overrides, arms taken out */
  size_t n_arms;
  char (*arm_names)[PARL_NAME_BYTES]; /* [n_arms] */
  parl_run_config *arms;              /* [n_arms] */
  parl_recipe_env *envs;              /* [n_arms] */
  parl_text warnings;                 /* lines */
};

/* Defaults, then the tree's sections, into config, whose own_terms the caller destroys. partial: as
 * parl_terms_read. Fails: EINVAL naming the section or field; own_terms is NULL then. */
parl_status parl_recipe_read_tree(const parl_json *tree, bool partial, parl_run_config *config);
/* What no single field shows: sums, products and pairs of fields, schedules over all updates, Lua
 * expressions. Fails: EINVAL or ESCRIPT naming the fields. */
parl_status parl_recipe_check_across(const parl_run_config *config);
/* A name that means a policy of ours, or that a file of ours may have, is none for an arm.
 * Fails: EINVAL. */
parl_status parl_recipe_check_arm_name(const char *name);

/* The overrides of a command line, texts [n] borrowed, [n] owned by the caller. Each is checked by
 * itself: its arm, section, key, type and range. Fails: EINVAL, ENOMEM. */
parl_status parl_recipe_parse_overrides(const parl_recipe *recipe, const char *const *texts,
                                        size_t n, parl_override **out);
/* Sets those of `arm` (n_arms: of all arms) in tree, in their order. Fails: EINVAL, ENOMEM. */
parl_status parl_recipe_apply_overrides(const parl_override *overrides, size_t n, size_t arm,
                                        parl_json *tree);
/* Appends a line to recipe->warnings for each that changes nothing, and why. */
void parl_recipe_note_overrides(parl_recipe *recipe, const parl_override *overrides, size_t n);

#endif
