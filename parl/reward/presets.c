/* parl/reward/presets.c - the rows, and filling in what a recipe does not say. */
#include "parl/reward/presets.h"

#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "core/text.h"
#include "parl/reward/terms.h"

#define ANNEALED(start) "{\"shape\":\"linear\",\"start\":" start ",\"stop\":0,\"over\":1}"
#define CONSTANT(start) "{\"shape\":\"constant\",\"start\":" start "}"

const parl_reward_preset parl_reward_presets[PARL_N_REWARD_PRESETS] = {
    {"report", "l1 min(assigned, 12)/12 + l2 finished/assigned + r_perf, l1 = l2 = 0.1 -> 0",
     "Kimi K2.5 report 3, k25 1.1: three terms annealed to zero over the training; formulas of the "
     "first two and the start are not disclosed: ours, and the blog's",
     "{\"reward\":{\"parallel\":\"instantiation\",\"finish\":\"returned\"},\"lambda1\":" ANNEALED(
         "0.1") ",\"lambda2\":" ANNEALED("0.1") ",\"lambda_perf\":" CONSTANT("1") "}"},
    {"january", "l min(assigned, 12)/12 + (1 - l) success * r_perf, l = 0.1 -> 0",
     "blog of 27 January 2026 as quoted, k25 1.1; r_parallel is ours",
     "{\"reward\":{\"parallel\":\"instantiation\",\"perf_lua\":\"success * r_perf\"},"
     "\"lambda1\":" ANNEALED("0.1") ",\"lambda2\":" CONSTANT(
         "0") ",\"lambda_perf\":{\"shape\":\"linear\",\"start\":0.9,\"stop\":1,\"over\":1}}"},
    {"openparl", "0.3 min(assigned, 10)/10 + 0.2 (finished - empty)/assigned + r_perf",
     "GuanxingLu/OpenPARL, never annealed; its valid/assigned is read as non_empty; it divides by "
     "the group's deviation (objective.advantage = mean_std) and has 48 critical steps",
     "{\"reward\":{\"parallel\":\"instantiation\",\"parallel_cap\":10,\"finish\":\"non_empty\"},"
     "\"lambda1\":" CONSTANT("0.3") ",\"lambda2\":" CONSTANT("0.2") ",\"lambda_perf\":" CONSTANT(
         "1") "}"},
    {"open_parl",
     "l1 min(assigned, 100)/100 + l2 (finished/assigned, 1 if none) + success * r_perf, 0.1 -> 0",
     "The-Swarm-Corporation/PARL, k25 1.1: a reward without a trainer; that more critical steps "
     "raise its r_perf is left out",
     "{\"reward\":{\"parallel\":\"instantiation\",\"parallel_cap\":100,\"finish\":\"lua\","
     "\"finish_lua\":\"assigned > 0 and finished / assigned or 1\","
     "\"perf_lua\":\"success * r_perf\"},\"lambda1\":" ANNEALED("0.1") ",\"lambda2\":" ANNEALED(
         "0.1") ",\"lambda_perf\":" CONSTANT("1") "}"},
    {"wideseek_r1", "r_perf",
     "WideSeek-R1 (2602.04634): item-F1 alone; it trains lead and workers jointly",
     "{\"lambda1\":" CONSTANT("0") ",\"lambda2\":" CONSTANT("0") ",\"lambda_perf\":" CONSTANT(
         "1") "}"},
    {"threadweaver", "success + 0.5 min(total_steps/critical_steps - 1, 0.2)",
     "facebookresearch/threadweaver, README of its RL part: r_correct + r_accel, of steps in place "
     "of tokens; advantages without the deviation (objective.advantage = mean)",
     "{\"reward\":{\"parallel\":\"lua\",\"parallel_lua\":"
     "\"critical_steps > 0 and math.min(total_steps / critical_steps - 1, 0.2) or 0\","
     "\"perf_lua\":\"success\"},\"lambda1\":" CONSTANT("0.5") ",\"lambda2\":" CONSTANT(
         "0") ",\"lambda_perf\":" CONSTANT("1") "}"},
    {"lamas", "r_perf - 0.1 critical_steps/100",
     "LAMaS: a latency penalty, which it gives the bottleneck's operator only; here the "
     "orchestrator is all that is trained. Size of the penalty: ours",
     "{\"lambda1\":" CONSTANT("0") ",\"lambda2\":" CONSTANT("0") ",\"lambda_perf\":" CONSTANT(
         "1") ",\"terms\":{\"latency\":{\"kind\":\"cost\",\"of\":\"critical_steps\","
              "\"scale\":100,\"weight\":" CONSTANT("0.1") "}}}"},
};

static const parl_reward_preset *find(const char *name) {
  for (size_t i = 0; i < PARL_N_REWARD_PRESETS; i++)
    if (strcmp(parl_reward_presets[i].name, name) == 0) return &parl_reward_presets[i];
  return NULL;
}

static parl_status refuse(const char *name) {
  const char *names[PARL_N_REWARD_PRESETS];
  for (size_t i = 0; i < PARL_N_REWARD_PRESETS; i++) names[i] = parl_reward_presets[i].name;
  const char *near = parl_nearest(name, names, PARL_N_REWARD_PRESETS);
  return parl_fail(
      PARL_STATUS_EINVAL,
      "reward.preset = \"%s\": there is no such preset%s%s%s; `parl help reward` lists "
      "them",
      name, near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
      near != NULL ? "\"?" : "");
}

/* A weight that the tree gives as terms.TERM.weight is moved there in the preset. */
static parl_status rename_weights(const parl_json *tree, parl_json *preset) {
  parl_text text = {0};
  char path[2 * PARL_LAMBDA_BYTES];
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; i < PARL_N_TERMS && s == PARL_STATUS_OK; i++) {
    const parl_term_info *info = &parl_term_infos[i];
    const parl_json *weight = parl_json_find(preset, info->lambda);
    snprintf(path, sizeof path, "terms.%s.weight", info->name);
    if (weight == NULL || parl_json_find_path(tree, path) == NULL) continue;
    parl_text_clear(&text);
    parl_json_append_canonical(weight, &text);
    s = parl_text_status(&text);
    if (s == PARL_STATUS_OK) s = parl_json_set_path(preset, path, parl_text_get(&text));
    parl_json_remove(preset, info->lambda);
  }
  parl_text_deinit(&text);
  return s;
}

/* The preset's part, and the tree over it. */
static parl_status fill_in(const parl_reward_preset *preset, parl_json *tree) {
  parl_json *part = NULL;
  PARL_TRY(parl_json_parse(preset->json, strlen(preset->json), preset->name, &part));
  parl_status s = rename_weights(tree, part);
  if (s == PARL_STATUS_OK) s = parl_json_merge(part, tree); /* the tree's own wins */
  if (s == PARL_STATUS_OK) s = parl_json_merge(tree, part);
  parl_json_destroy(part);
  return s;
}

parl_status parl_reward_apply_preset(parl_json *tree) {
  parl_json *reward = (parl_json *)parl_json_find(tree, "reward");
  const parl_json *given = parl_json_find(reward, "preset");
  if (given == NULL) return PARL_STATUS_OK;
  const char *name = parl_json_get_string(given);
  if (name == NULL) return parl_fail(PARL_STATUS_EINVAL, "reward.preset must be a text in quotes");
  const parl_reward_preset *preset = find(name);
  if (preset == NULL) return refuse(name);
  parl_json_remove(reward, "preset");
  return fill_in(preset, tree);
}
