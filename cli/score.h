/* cli/score.h - what parl score makes of a line: definitions from options, or a recipe's reward.
 *
 * Reading order: score_rules, open. */
#ifndef PARL_CLI_SCORE_H
#define PARL_CLI_SCORE_H
#include "cli/cli.h"
#include "parl/reward/score_line.h"

typedef struct score_rules {
  parl_score_rules rules; /* of the members below */
  parl_recipe *recipe;    /* of --recipe; NULL: none */
  parl_reward_config config;
  parl_schedule_config defaults[PARL_N_TERMS]; /* without a recipe */
  double weights[PARL_MAX_TERMS];              /* of the recipe at --update */
  parl_term_table *table;
} score_rules;

/* Fails: EINVAL if the recipe's reward is made of what no line says, naming it; as
 * parl_recipe_load, parl_weights_get. */
parl_status score_rules_open(const cli_args *args, score_rules *out);
void score_rules_deinit(score_rules *rules);

#endif
