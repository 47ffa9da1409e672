/* experiments/report_tables.c - which tables a report has, and what is in them. */
#include <stdio.h>
#include <string.h>

#include "experiments/report_content.h"

static void add_scores(parl_table *t, const parl_report *r, const parl_report_arm *arm,
                       parl_decoding decoding, size_t family, const parl_score *scores, size_t n) {
  for (size_t i = 0; i < n; i++)
    parl_table_add_summary(t, parl_arm_score(r, arm, decoding, family, scores[i]),
                           parl_score_infos[scores[i]].digits);
}

/* What an environment calls its optimum is the head of that column. */
static void add_heads(parl_table *t, const parl_report *r, const parl_score *scores, size_t n) {
  for (size_t i = 0; i < n; i++)
    parl_table_add(t, "%s",
                   scores[i] == PARL_SCORE_optimum_steps && r->optimum_kinds != 0
                       ? parl_report_get_optimum_label(r)
                       : parl_score_infos[scores[i]].label);
}

static size_t get_n(const parl_report *r, const parl_report_arm *arm, parl_decoding decoding) {
  return parl_arm_score(r, arm, decoding, 0, PARL_SCORE_r_perf)->n;
}

/* One row an arm: name, seeds, the scores. */
static void make_scores(const parl_report *r, const char *title, parl_decoding decoding,
                        const parl_score *scores, size_t n, parl_table *t) {
  parl_table_init(t, r->arena, title, n + 2, 1);
  parl_table_add(t, "policy");
  parl_table_add(t, "seeds");
  add_heads(t, r, scores, n);
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_report_arm *arm = &r->arms[a];
    if (decoding != PARL_DECODING_MAIN && get_n(r, arm, decoding) == 0) continue;
    parl_table_add(t, "%s", arm->name);
    parl_table_add(t, "%zu", get_n(r, arm, decoding));
    add_scores(t, r, arm, decoding, 0, scores, n);
  }
}

#define MAKE_SCORES(title, decoding, ...)                            \
  make_scores(r, title, decoding, (const parl_score[]){__VA_ARGS__}, \
              sizeof((const parl_score[]){__VA_ARGS__}) / sizeof(parl_score), t)

static void make_outcome(const parl_report *r, parl_table *t) {
  static const parl_score scores[] = {PARL_SCORE_r_perf, PARL_SCORE_success};
  const size_t n = sizeof scores / sizeof scores[0];
  parl_table_init(t, r->arena, "Outcome over all tasks (sampled)", n + 3, 1);
  t->note = "Interquartile mean over seeds [95 % interval].";
  parl_table_add(t, "policy");
  parl_table_add(t, "seeds");
  add_heads(t, r, scores, n);
  parl_table_add(t, "%% of oracle");
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_report_arm *arm = &r->arms[a];
    parl_table_add(t, "%s", arm->name);
    parl_table_add(t, "%zu", get_n(r, arm, PARL_DECODING_MAIN));
    add_scores(t, r, arm, PARL_DECODING_MAIN, 0, scores, n);
    parl_table_add_number(t, arm->of_oracle.iqm, 1);
  }
}

/* What the outcome took, without intervals: the other tables have them. */
static void make_cost(const parl_report *r, parl_table *t) {
  static const parl_score scores[] = {PARL_SCORE_r_perf,          PARL_SCORE_optimum_steps,
                                      PARL_SCORE_last_gain_steps, PARL_SCORE_critical_steps,
                                      PARL_SCORE_total_steps,     PARL_SCORE_concurrency,
                                      PARL_SCORE_speed_up,        PARL_SCORE_launches,
                                      PARL_SCORE_assigned,        PARL_SCORE_finish_rate};
  const size_t n = sizeof scores / sizeof scores[0];
  parl_table_init(t, r->arena, "What it took (sampled)", n + 1, 1);
  t->note =
      "Interquartile means over seeds; concurrency: total / critical steps; speed-up: steps of "
      "working alone / critical steps.";
  parl_table_add(t, "policy");
  add_heads(t, r, scores, n);
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_report_arm *arm = &r->arms[a];
    parl_table_add(t, "%s", arm->name);
    for (size_t i = 0; i < n; i++) {
      const parl_summary *x = parl_arm_score(r, arm, PARL_DECODING_MAIN, 0, scores[i]);
      parl_table_add_number(t, x->iqm, parl_score_infos[scores[i]].digits);
    }
  }
}

const size_t parl_profile_shown[PARL_PROFILE_SHOWN] = {25, 50, 75, 90, 95, 99};

static void make_profile(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena,
                  "Performance profile: share of scores above, a seed on a kind of task each",
                  2 + PARL_PROFILE_SHOWN, 1);
  parl_table_add(t, "policy");
  parl_table_add(t, "seeds");
  for (size_t i = 0; i < PARL_PROFILE_SHOWN; i++)
    parl_table_add(t, "%g", parl_report_tau(parl_profile_shown[i]));
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_report_arm *arm = &r->arms[a];
    parl_table_add(t, "%s", arm->name);
    parl_table_add(t, "%zu", arm->profile[0].n);
    for (size_t i = 0; i < PARL_PROFILE_SHOWN; i++)
      parl_table_add_summary(t, &arm->profile[parl_profile_shown[i]], 2);
  }
}

static void make_endings(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "What ended episodes (sampled), and tokens", 7, 1);
  t->note = "Shares of episodes; tokens that the orchestrator chose, per episode.";
  parl_table_add(t, "policy");
  for (int s = PARL_SCORE_end_finish; s <= PARL_SCORE_end_error; s++)
    parl_table_add(t, "%s", parl_score_infos[s].label);
  parl_table_add(t, "tokens");
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_report_arm *arm = &r->arms[a];
    parl_table_add(t, "%s", arm->name);
    for (int s = PARL_SCORE_end_finish; s <= PARL_SCORE_end_error; s++) {
      const parl_summary *x = parl_arm_score(r, arm, PARL_DECODING_MAIN, 0, (parl_score)s);
      parl_table_add_number(t, x->mean, 3);
    }
    parl_table_add_summary(t, parl_arm_score(r, arm, PARL_DECODING_MAIN, 0, PARL_SCORE_tokens), 1);
  }
}

/* Every pair of trained arms; what the lead says of the reference is among them. */
static void make_pairs(const parl_report *r, parl_table *t) {
  static const parl_score scores[] = {PARL_SCORE_r_perf, PARL_SCORE_last_gain_steps,
                                      PARL_SCORE_critical_steps, PARL_SCORE_launch_rate};
  enum { N_SHOWN = sizeof scores / sizeof scores[0] };
  parl_table_init(t, r->arena, "All differences between policies, paired by seed (sampled)",
                  N_SHOWN + 4, 2);
  t->note =
      "Mean difference [95 % interval]; P: chance that a seed of the first beats a seed "
      "of the second in r_perf. Of many intervals, 1 in 20 excludes 0 by chance.";
  parl_table_add(t, "difference");
  parl_table_add(t, "on");
  parl_table_add(t, "pairs");
  add_heads(t, r, scores, N_SHOWN);
  parl_table_add(t, "P(r_perf higher)");
  for (size_t i = 0; i < r->n_pairs; i++)
    for (size_t f = 0; f <= r->n_families; f++) {
      const parl_report_pair *pair = &r->pairs[i];
      const parl_summary *all = parl_pair_score(r, pair, PARL_DECODING_MAIN, f, 0);
      if (f > 0 && all[PARL_SCORE_r_perf].n == 0) continue; /* not both play it */
      parl_table_add(t, "%s - %s", r->arms[pair->a].name, r->arms[pair->b].name);
      parl_table_add(t, "%s", parl_report_get_family(r, f));
      parl_table_add(t, "%zu", all[PARL_SCORE_r_perf].n);
      for (size_t s = 0; s < N_SHOWN; s++) {
        parl_summary difference = all[scores[s]];
        difference.iqm = difference.mean;
        parl_table_add_summary(t, &difference, parl_score_infos[scores[s]].digits);
      }
      if (f == 0)
        parl_table_add_summary(t, &pair->improvement, 2);
      else
        parl_table_add(t, "-");
    }
}

/* The first line of why a run is not done, without what would move a terminal's cursor. */
static void add_reason(const parl_report_run *run, parl_table *t) {
  parl_text first = {0}, plain = {0};
  if (!run->counted) parl_text_append_bytes(&first, run->error, strcspn(run->error, "\n"));
  parl_text_append_plain(&plain, parl_text_get(&first));
  parl_table_add(t, "%s", plain.n > 0 ? parl_text_get(&plain) : "-");
  t->failed |= plain.failed || first.failed;
  parl_text_deinit(&first);
  parl_text_deinit(&plain);
}

static void make_runs(const parl_report *r, parl_table *t) {
  bool any = false;
  for (size_t i = 0; i < r->n_runs; i++)
    any = any || (!r->runs[i].counted && r->runs[i].error[0] != '\0');
  parl_table_init(t, r->arena, "Runs", any ? 8 : 7, 1);
  parl_table_add(t, "policy");
  parl_table_add(t, "seed");
  parl_table_add(t, "status");
  parl_table_add(t, "uid");
  parl_table_add(t, "hash");
  parl_table_add(t, "r_perf");
  parl_table_add(t, "episodes");
  if (any) parl_table_add(t, "why not done");
  for (size_t i = 0; i < r->n_runs; i++) {
    const parl_report_run *run = &r->runs[i];
    const parl_report_scores *s = parl_run_scores(r, run, PARL_DECODING_MAIN, 0);
    const bool older = !run->counted && strcmp(run->status, "done") == 0;
    parl_table_add(t, "%s", run->arm_name);
    parl_table_add(t, "%lld", (long long)run->seed);
    parl_table_add(t, "%s%s", run->status, older ? " (superseded)" : "");
    parl_table_add(t, "%.12s", run->uid);
    parl_table_add(t, "%.12s", run->hash[0] != '\0' ? run->hash : "-");
    parl_table_add_number(t, s->of[PARL_SCORE_r_perf], 3);
    parl_table_add(t, "%zu", s->n_episodes);
    if (any) add_reason(run, t);
  }
}

static void make_launching(const parl_report *r, parl_table *t) {
  MAKE_SCORES("Launching (sampled)", PARL_DECODING_MAIN, PARL_SCORE_launch_rate,
              PARL_SCORE_assigned, PARL_SCORE_max_width, PARL_SCORE_finish_rate);
}

static void make_steps(const parl_report *r, parl_table *t) {
  MAKE_SCORES("Steps (sampled)", PARL_DECODING_MAIN, PARL_SCORE_last_gain_steps,
              PARL_SCORE_critical_steps, PARL_SCORE_regret, PARL_SCORE_total_steps,
              PARL_SCORE_concurrency, PARL_SCORE_speed_up, PARL_SCORE_launches);
}

static void make_greedy(const parl_report *r, parl_table *t) {
  MAKE_SCORES("The same policies, decoded greedily", PARL_DECODING_GREEDY, PARL_SCORE_r_perf,
              PARL_SCORE_critical_steps, PARL_SCORE_launch_rate, PARL_SCORE_finish_rate);
}

typedef void table_maker(const parl_report *r, parl_table *t);

parl_status parl_report_make_table(const parl_report *r, parl_table_kind kind, parl_table *t) {
  static table_maker *const makers[PARL_N_TABLES] = {
      [PARL_TABLE_OUTCOME] = make_outcome,
      [PARL_TABLE_COST] = make_cost,
      [PARL_TABLE_AGGREGATES] = parl_report_make_aggregates,
      [PARL_TABLE_IMPROVEMENTS] = parl_report_make_improvements,
      [PARL_TABLE_REACHED] = parl_report_make_reached,
      [PARL_TABLE_SPEED_UP] = parl_report_make_speed_up,
      [PARL_TABLE_FRONT] = parl_report_make_front,
      [PARL_TABLE_EFFECTIVE] = parl_report_make_effective,
      [PARL_TABLE_SURVIVAL] = parl_report_make_survival,
      [PARL_TABLE_LAUNCHING] = make_launching,
      [PARL_TABLE_STEPS] = make_steps,
      [PARL_TABLE_PROFILE] = make_profile,
      [PARL_TABLE_ENDINGS] = make_endings,
      [PARL_TABLE_GREEDY] = make_greedy,
      [PARL_TABLE_PAIRS] = make_pairs,
      [PARL_TABLE_NAMED] = parl_report_make_named,
      [PARL_TABLE_FORECAST] = parl_report_make_forecast,
      [PARL_TABLE_FORECAST_SCORE] = parl_report_make_forecast_score,
      [PARL_TABLE_WARM_START] = parl_report_make_warm_start,
      [PARL_TABLE_PRETRAIN] = parl_report_make_pretrain,
      [PARL_TABLE_DETECTORS] = parl_report_make_detectors,
      [PARL_TABLE_RUNS] = make_runs,
  };
  if (kind == PARL_TABLE_POLICIES) return parl_report_make_policies(r, t);
  if (kind == PARL_TABLE_DIFFERENCES) return parl_report_make_differences(r, t);
  if (kind == PARL_TABLE_SPENT) return parl_report_make_spent(r, t);
  if (kind == PARL_TABLE_SPENT_TO) return parl_report_make_spent_to(r, t);
  if (kind == PARL_TABLE_MAP) return parl_report_make_map(r, t);
  makers[kind](r, t);
  return PARL_STATUS_OK;
}

parl_status parl_report_append_tables(const parl_report *r, const parl_table_kind *kinds, size_t n,
                                      parl_format format, parl_text *out) {
  for (size_t i = 0; i < n; i++) {
    parl_table t;
    PARL_TRY(parl_report_make_table(r, kinds[i], &t));
    if (!t.failed && parl_table_get_rows(&t) == 0) continue;
    if (format != PARL_FORMAT_HTML) parl_text_append(out, "\n");
    PARL_TRY(parl_table_append(&t, format, out));
  }
  return parl_text_status(out);
}
