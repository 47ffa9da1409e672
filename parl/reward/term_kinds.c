/* parl/reward/term_kinds.c - the formulas of the kinds: get_<kind> of every row of
 * PARL_TERM_KIND_LIST. */
#include "parl/reward/term_kinds.h"

#include <math.h>
#include <string.h>

#define SECTION_TYPE_ parl_term_config
PARL_CONFIG_SECTION(parl_term_section, "terms.NAME", "a term of the recipe's own",
                    PARL_TERM_FIELDS);
#undef SECTION_TYPE_

/* --- facts by name --- */

static const struct {
  const char *name;
  size_t offset;
} facts[] = {
#define X(name, unit, meaning) {#name, offsetof(parl_facts, name)},
    PARL_FACT_LIST(X)
#undef X
};
enum { N_FACTS = sizeof facts / sizeof facts[0] };

double parl_fact_get(const parl_facts *f, const char *name) {
  for (size_t i = 0; i < N_FACTS; i++)
    if (strcmp(facts[i].name, name) == 0)
      return *(const double *)(const void *)((const char *)f + facts[i].offset);
  return (double)NAN;
}

/* The episode's own budget counts steps, unless it counts what budget_used says. */
static parl_status check_budget(const parl_term_config *c) {
  static const char *const steps[] = {"critical_steps", "total_steps", "makespan", "budget_used"};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
    if (strcmp(c->of, steps[i]) == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "budget = 0, the episode's own, which counts steps, but of = \"%s\"; give a "
                   "budget",
                   c->of);
}

parl_status parl_term_config_check(const parl_term_config *c) {
  if (c->kind == PARL_TERM_KIND_budget && c->budget == 0) PARL_TRY(check_budget(c));
  const char *names[N_FACTS];
  for (size_t i = 0; i < N_FACTS; i++) {
    names[i] = facts[i].name;
    if (strcmp(names[i], c->of) == 0) return PARL_STATUS_OK;
  }
  const char *near = parl_nearest(c->of, names, N_FACTS);
  return parl_fail(
      PARL_STATUS_EINVAL,
      "of = \"%s\": there is no fact of that name%s%s%s; `parl help reward` lists them", c->of,
      near != NULL ? "; did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* --- the formulas --- */

static double get_lua(const parl_term_view *v, size_t k) {
  return v->score[k];
}

static double get_cost(const parl_term_view *v, size_t k) {
  return -v->of[k] / v->config->scale;
}

static double get_length(const parl_term_view *v, size_t k) {
  double least = v->of[0], most = v->of[0];
  for (size_t i = 1; i < v->K; i++) {
    least = fmin(least, v->of[i]);
    most = fmax(most, v->of[i]);
  }
  if (!(most > least)) return 0;
  const double length = 0.5 - (v->of[k] - least) / (most - least);
  return v->facts[k]->success == 1 ? length : fmin(0, length);
}

static double get_budget(const parl_term_view *v, size_t k) {
  const parl_term_config *c = v->config;
  const double budget = c->budget > 0 ? c->budget : v->facts[k]->budget_steps;
  const double x = v->of[k], free_up_to = budget * (1 - c->margin);
  if (budget <= 0 || x <= free_up_to) return 0;
  return x > budget ? -1 : (free_up_to - x) / (budget - free_up_to);
}

static double get_toggle(const parl_term_view *v, size_t k) {
  const parl_term_config *c = v->config;
  double sum = 0;
  for (size_t i = 0; i < v->K; i++) sum += v->perf[i];
  const bool is_limited = v->update / c->phase % 2 == 0;
  if (!is_limited || sum / (double)v->K < c->accuracy || v->of[k] <= v->budgets[k]) return 0;
  return -v->perf[k];
}

static double get_rubric(const parl_term_view *v, size_t k) {
  const double score = v->score[k];
  const double grade = score < 0 ? 0 : score > 1 ? 1 : score;
  return v->judge[k] < v->config->error_rate ? 1 - grade : grade;
}

static double get_chance(const parl_term_view *v, size_t k) {
  return v->judge[k] < 0.5 ? 1 : 0;
}

static double (*const formulas[PARL_N_TERM_KINDS])(const parl_term_view *, size_t) = {
#define X(kind, ...) get_##kind,
    PARL_TERM_KIND_LIST(X)
#undef X
};

double parl_term_kind_get(int kind, const parl_term_view *view, size_t k) {
  return formulas[kind](view, k);
}

/* --- the list --- */

const parl_term_kind_info parl_term_kind_infos[PARL_N_TERM_KINDS] = {
#define X(kind, needs_lua, fields, meaning) {#kind, fields, meaning, needs_lua},
    PARL_TERM_KIND_LIST(X)
#undef X
};

bool parl_term_kind_reads(int kind, const char *field) {
  const size_t n = strlen(field);
  if (strcmp(field, "kind") == 0) return true;
  for (const char *at = parl_term_kind_infos[kind].fields; *at != '\0';) {
    const size_t word = strcspn(at, " ");
    if (word == n && memcmp(at, field, n) == 0) return true;
    at += word + (at[word] == ' ');
  }
  return false;
}
