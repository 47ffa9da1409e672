/* cli/help_terms.c - parl help reward, parl help schedule: what a Lua expression may name. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "parl/learn/metrics.h"
#include "parl/reward/presets.h"
#include "parl/reward/reward.h"
#include "parl/swarm/facts.h"

/* One name a line: what it is called, its unit, what it means. */
static void print_row(const char *name, const char *unit, const char *meaning) {
  printf("  %-22s %-10s %s\n", name, unit, meaning);
}

/* The fields of the reward section that are expressions. */
static void print_expressions(void) {
  for (size_t i = 0; i < parl_reward_section.n_fields; i++) {
    const parl_field *f = &parl_reward_section.fields[i];
    const size_t n = strlen(f->name);
    if (n > 4 && strcmp(f->name + n - 4, "_lua") == 0)
      printf("  reward.%-15s %s\n", f->name, f->doc);
  }
}

static void print_reward(void) {
  print_expressions();
  printf(
      "  terms.NAME.lua         a term of the recipe's own, weighed by terms.NAME.weight\n"
      "\nEach is a Lua expression, or a chunk with a `return`, of a finished episode, the "
      "rollout,\n"
      "and of its group, the rollouts of the same task. The result is finite.\n"
      "Examples: success - 0.1*duplicates    scores.found / K\n"
      "  local n = 0 for i = 1, K do if group[i].critical_steps > critical_steps then n = n + 1 "
      "end\n"
      "  end return n / K\n\nkinds of terms, terms.NAME.kind, each with the fields that it "
      "reads:\n");
  for (int i = 0; i < PARL_N_TERM_KINDS; i++) {
    const parl_term_kind_info *kind = &parl_term_kind_infos[i];
    printf("  %-22s %-30s %s%s\n", kind->name, kind->meaning, kind->fields,
           kind->needs_lua ? " lua" : "");
  }
  printf("\nthe group:\n");
  print_row("k", "1", "place of the rollout in its group, from 1");
  print_row("K", "rollouts", "size of the group: train.group");
  print_row("group[i]", "", "rollout i of the group: group[i].r_perf, .scores.NAME, .stages[t]");
  print_row("scores.NAME", "", "a number that the environment's `score` or `details` names");
  print_row("stages[t]", "", "turn t: main (its own steps), r_perf after it, width, subs[j]");
  print_row("...subs[j]", "",
            "sub-agent j of the turn: steps, role (from 1), task (a text), gain,");
  print_row("", "", "finished, useful, duplicate, lost, is_false (true or false)");
  print_row("update", "updates", "number of this update, from 0");
  printf("\nfacts:\n");
#define X(name, unit, meaning) print_row(#name, unit, meaning);
  PARL_FACT_LIST(X)
#undef X
  printf("\nmath, string and table are there, too; math.random is not.\n");
  printf(
      "\npublished rewards, reward.preset = \"NAME\": what the recipe does not say is filled in\n");
  for (size_t i = 0; i < PARL_N_REWARD_PRESETS; i++) {
    const parl_reward_preset *preset = &parl_reward_presets[i];
    printf("  %-14s %s\n  %-14s %s\n", preset->name, preset->formula, "", preset->source);
  }
}

static void print_term_metrics(const char *name, const char *lambda) {
  const struct { const char *name, *lambda; } row = {name, lambda};
  char metric[64], text[128];
#define X(field, group, prefix, stem, meaning)               \
  snprintf(metric, sizeof metric, "%s%s", prefix, row.stem); \
  snprintf(text, sizeof text, meaning, name);                \
  print_row(metric, "1", text);
  PARL_TERM_METRIC_LIST(X)
#undef X
}

static void print_schedule(void) {
  for (int i = 0; i < PARL_N_TERMS; i++)
    printf("  %s.lua with %s.shape = \"lua\": weight of r_%s, also terms.%s.weight.lua\n",
           parl_term_infos[i].lambda, parl_term_infos[i].lambda, parl_term_infos[i].name,
           parl_term_infos[i].name);
  printf("  terms.NAME.weight.lua: weight of a term of the recipe's own\n");
  printf(
      "\nEach is a Lua expression, or a chunk with a `return`, of the clock and of the metrics of\n"
      "the update before; closed_loop names one of the metrics. The result is finite and not\n"
      "negative; between -1e-9 and 0 it counts as 0. Without a metric it is evaluated for every\n"
      "update before anything is trained.\n"
      "Examples: 0.3 * math.max(0, 1 - t/90)    0.3 * (1 - launch_rate)\n\nclock:\n");
  print_row("t", "updates", "number of this update, from 0");
  print_row("updates", "updates", "train.updates");
  print_row("u", "1", "share of the anneal that is over: min(1, t / (over * updates))");
  printf(
      "\nA metric that is undefined is NaN: all of them at update 0, a share of nothing later. A\n"
      "result that is NaN for that reason leaves the weight where it is; before the first value\n"
      "that is `start`. NaN is neither less nor more than a number.\n\nmetrics:\n");
#define X(field, group, unit, meaning) print_row(#field, unit, meaning);
  PARL_METRIC_LIST(X)
#undef X
  for (int i = 0; i < PARL_N_TERMS; i++)
    print_term_metrics(parl_term_infos[i].name, parl_term_infos[i].lambda);
  print_term_metrics("NAME", "lambda_NAME");
}

const cli_topic cli_topics[CLI_N_TOPICS] = {{"reward", print_reward}, {"schedule", print_schedule}};

bool cli_print_topic(const char *name) {
  for (size_t i = 0; i < CLI_N_TOPICS; i++) {
    if (strcmp(cli_topics[i].name, name) != 0) continue;
    cli_topics[i].print();
    return true;
  }
  return false;
}
