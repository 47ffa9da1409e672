/* parl/reward/presets.h - published rewards as one-line choices: reward.preset = "NAME".
 *
 * A preset is no field: it is a part of a recipe that fills in what the recipe does not say, so the
 * configuration that is stored has what it stands for. It fills the sections `reward`, the weights
 * and `terms`; how advantages are normalised, budgets and who is trained stay the recipe's.
 * Thread rule: pure functions. Reading order: the rows, apply. */
#ifndef PARL_PARL_REWARD_PRESETS_H
#define PARL_PARL_REWARD_PRESETS_H
#include "core/json.h"
#include "core/status.h"

typedef struct parl_reward_preset {
  const char *name;
  const char *formula; /* for a reader */
  const char *source;  /* and what of it is not in the reward, or is read in another way */
  const char *json;    /* part of a recipe */
} parl_reward_preset;

enum { PARL_N_REWARD_PRESETS = 7 };
extern const parl_reward_preset parl_reward_presets[PARL_N_REWARD_PRESETS];

/* Takes reward.preset out of a recipe's tree and fills in what it stands for; nothing if there is
 * none. A weight keeps the name that the tree uses for it, of its two. Fails: EINVAL naming the
 * nearest preset, ENOMEM. */
parl_status parl_reward_apply_preset(parl_json *tree);

#endif
