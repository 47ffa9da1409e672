/* experiments/report_tables.c - which tables a report has, and what is in them. */
#include <stdio.h>
#include <string.h>

#include "experiments/report_internal.h"

static void add_scores(parl_table *t, const parl_report *r, const parl_report_arm *arm,
                       parl_decoding decoding, size_t family, const parl_score *scores, size_t n) {
  for (size_t i = 0; i < n; i++)
    parl_table_add_summary(t, parl_arm_score(r, arm, decoding, family, scores[i]),
                           parl_score_infos[scores[i]].digits);
}

static void add_heads(parl_table *t, const parl_score *scores, size_t n) {
  for (size_t i = 0; i < n; i++) parl_table_add(t, "%s", parl_score_infos[scores[i]].label);
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
  add_heads(t, scores, n);
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
  static const parl_score scores[] = {PARL_SCORE_r_perf, PARL_SCORE_success,
                                      PARL_SCORE_critical_steps};
  const size_t n = sizeof scores / sizeof scores[0];
  parl_table_init(t, r->arena, "Outcome (sampled)", n + 3, 1);
  t->note = "Interquartile mean over seeds [95 % bootstrap interval].";
  parl_table_add(t, "policy");
  parl_table_add(t, "seeds");
  add_heads(t, scores, n);
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
  static const parl_score scores[] = {PARL_SCORE_r_perf,         PARL_SCORE_optimum_steps,
                                      PARL_SCORE_critical_steps, PARL_SCORE_last_gain_steps,
                                      PARL_SCORE_total_steps,    PARL_SCORE_concurrency,
                                      PARL_SCORE_speed_up,       PARL_SCORE_launches,
                                      PARL_SCORE_assigned,       PARL_SCORE_finish_rate};
  const size_t n = sizeof scores / sizeof scores[0];
  parl_table_init(t, r->arena, "What it took (sampled)", n + 1, 1);
  t->note =
      "Interquartile means over seeds; concurrency: total / critical steps; speed-up: steps of "
      "working alone / critical steps.";
  parl_table_add(t, "policy");
  add_heads(t, scores, n);
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
  parl_table_init(t, r->arena, "Performance profile: share of seeds with r_perf above",
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

static void make_pairs(const parl_report *r, parl_table *t) {
  static const parl_score scores[] = {PARL_SCORE_r_perf, PARL_SCORE_critical_steps,
                                      PARL_SCORE_launch_rate};
  enum { N_SHOWN = sizeof scores / sizeof scores[0] };
  parl_table_init(t, r->arena, "Differences between trained policies, paired by seed (sampled)",
                  N_SHOWN + 3, 1);
  t->note =
      "Mean difference [95 % bootstrap interval]; P: chance that a seed of the first beats a seed "
      "of the second in r_perf.";
  parl_table_add(t, "difference");
  parl_table_add(t, "pairs");
  add_heads(t, scores, N_SHOWN);
  parl_table_add(t, "P(r_perf higher)");
  for (size_t i = 0; i < r->n_pairs; i++) {
    const parl_report_pair *pair = &r->pairs[i];
    const parl_summary *all = pair->scores[PARL_DECODING_MAIN];
    parl_table_add(t, "%s - %s", r->arms[pair->a].name, r->arms[pair->b].name);
    parl_table_add(t, "%zu", all[PARL_SCORE_r_perf].n);
    for (size_t s = 0; s < N_SHOWN; s++) {
      parl_summary difference = all[scores[s]];
      difference.iqm = difference.mean;
      parl_table_add_summary(t, &difference, parl_score_infos[scores[s]].digits);
    }
    parl_table_add_summary(t, &pair->improvement, 2);
  }
}

static void make_families(const parl_report *r, parl_table *t) {
  static const parl_score scores[] = {PARL_SCORE_r_perf, PARL_SCORE_critical_steps,
                                      PARL_SCORE_launch_rate, PARL_SCORE_assigned};
  enum { N_SHOWN = sizeof scores / sizeof scores[0] };
  parl_table_init(t, r->arena, "By kind of task (sampled)", N_SHOWN + 2, 2);
  parl_table_add(t, "kind");
  parl_table_add(t, "policy");
  add_heads(t, scores, N_SHOWN);
  for (size_t f = 0; f < r->n_families; f++)
    for (size_t a = 0; a < r->n_arms; a++) {
      parl_table_add(t, "%s", r->families[f][0] != '\0' ? r->families[f] : "(none)");
      parl_table_add(t, "%s", r->arms[a].name);
      add_scores(t, r, &r->arms[a], PARL_DECODING_MAIN, 1 + f, scores, N_SHOWN);
    }
}

static void make_runs(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "Runs", 7, 1);
  parl_table_add(t, "policy");
  parl_table_add(t, "seed");
  parl_table_add(t, "status");
  parl_table_add(t, "uid");
  parl_table_add(t, "hash");
  parl_table_add(t, "r_perf");
  parl_table_add(t, "episodes");
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
  }
}

/* --- what differs between the configurations of trained arms --- */

enum { MAX_DIFFERENCES = 100, PATH_BYTES = 256 };

typedef struct differences {
  const parl_report *report;
  parl_table *table;
  parl_json **configs; /* [n_trained] NULL where there is none */
  size_t n;
} differences;

static void append_value(const parl_json *node, parl_text *out) {
  parl_text_clear(out);
  if (node == NULL) {
    parl_text_append(out, "(absent)");
  } else if (parl_json_get_type(node) == PARL_JSON_NUMBER) { /* 0.3, not all its digits */
    parl_json_writer w;
    parl_json_writer_init(&w, out, false);
    parl_json_number(&w, parl_json_get_number(node));
  } else {
    parl_json_append_canonical(node, out);
  }
}

/* Adds a row for a leaf that is not the same in all arms. */
static parl_status compare_leaf(differences *d, const char *path) {
  parl_text first = {0}, other = {0};
  bool differs = false;
  append_value(parl_json_find_path(d->configs[0], path), &first);
  for (size_t a = 1; a < d->report->n_trained && !differs; a++) {
    append_value(parl_json_find_path(d->configs[a], path), &other);
    differs = strcmp(parl_text_get(&first), parl_text_get(&other)) != 0;
  }
  if (differs && d->n++ < MAX_DIFFERENCES) {
    parl_table_add(d->table, "%s", path);
    for (size_t a = 0; a < d->report->n_trained; a++) {
      append_value(parl_json_find_path(d->configs[a], path), &other);
      parl_table_add(d->table, "%s", parl_text_get(&other));
    }
  }
  const parl_status status = parl_text_status(&other);
  parl_text_deinit(&first);
  parl_text_deinit(&other);
  return status;
}

/* Leaves of arm a's configuration; those an earlier arm has too were looked at before. */
static parl_status walk(differences *d, size_t a, const parl_json *object, const char *prefix) {
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c)) {
    char path[PATH_BYTES];
    const char *dot = prefix[0] != '\0' ? "." : "";
    const int n = snprintf(path, sizeof path, "%s%s%s", prefix, dot, parl_json_get_key(c));
    if (n < 0 || (size_t)n >= sizeof path) continue;
    bool seen = false;
    for (size_t b = 0; b < a; b++) seen = seen || parl_json_find_path(d->configs[b], path) != NULL;
    if (parl_json_get_type(c) == PARL_JSON_OBJECT)
      PARL_TRY(walk(d, a, c, path));
    else if (!seen)
      PARL_TRY(compare_leaf(d, path));
  }
  return PARL_STATUS_OK;
}

static const char *get_config(const parl_report *r, size_t arm) {
  for (size_t i = 0; i < r->n_runs; i++)
    if (r->runs[i].arm == arm && r->runs[i].counted) return r->runs[i].config;
  return NULL;
}

static parl_status make_differences(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "What differs between the configurations", 1 + r->n_trained,
                  1 + r->n_trained);
  parl_table_add(t, "field");
  for (size_t a = 0; a < r->n_trained; a++) parl_table_add(t, "%s", r->arms[a].name);
  if (r->n_trained < 2) return PARL_STATUS_OK;
  differences d = {.report = r, .table = t};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_trained, &d.configs));
  parl_status status = PARL_STATUS_OK;
  size_t n_read = 0;
  for (; n_read < r->n_trained && status == PARL_STATUS_OK; n_read++) {
    const char *text = get_config(r, n_read);
    if (text == NULL) text = "{}";
    status = parl_json_parse(text, strlen(text), "a run's configuration", &d.configs[n_read]);
  }
  if (status != PARL_STATUS_OK) n_read--;
  for (size_t a = 0; a < n_read && status == PARL_STATUS_OK; a++)
    status = walk(&d, a, d.configs[a], "");
  for (size_t a = 0; a < n_read; a++) parl_json_destroy(d.configs[a]);
  if (d.n > MAX_DIFFERENCES) t->note = "The first 100; all are in report.json.";
  return status;
}

parl_status parl_report_make_table(const parl_report *r, parl_table_kind kind, parl_table *t) {
  switch (kind) {
    case PARL_TABLE_OUTCOME:
      make_outcome(r, t);
      break;
    case PARL_TABLE_COST:
      make_cost(r, t);
      break;
    case PARL_TABLE_LAUNCHING:
      MAKE_SCORES("Launching (sampled)", PARL_DECODING_MAIN, PARL_SCORE_launch_rate,
                  PARL_SCORE_assigned, PARL_SCORE_max_width, PARL_SCORE_finish_rate);
      break;
    case PARL_TABLE_STEPS:
      MAKE_SCORES("Steps (sampled)", PARL_DECODING_MAIN, PARL_SCORE_critical_steps,
                  PARL_SCORE_regret, PARL_SCORE_last_gain_steps, PARL_SCORE_total_steps,
                  PARL_SCORE_concurrency, PARL_SCORE_speed_up, PARL_SCORE_launches);
      break;
    case PARL_TABLE_PROFILE:
      make_profile(r, t);
      break;
    case PARL_TABLE_ENDINGS:
      make_endings(r, t);
      break;
    case PARL_TABLE_GREEDY:
      MAKE_SCORES("The same policies, decoded greedily", PARL_DECODING_GREEDY, PARL_SCORE_r_perf,
                  PARL_SCORE_critical_steps, PARL_SCORE_launch_rate, PARL_SCORE_finish_rate);
      break;
    case PARL_TABLE_PAIRS:
      make_pairs(r, t);
      break;
    case PARL_TABLE_FAMILIES:
      make_families(r, t);
      break;
    case PARL_TABLE_FORECAST:
      parl_report_make_forecast(r, t);
      break;
    case PARL_TABLE_FORECAST_SCORE:
      parl_report_make_forecast_score(r, t);
      break;
    case PARL_TABLE_WARM_START:
      parl_report_make_warm_start(r, t);
      break;
    case PARL_TABLE_DIFFERENCES:
      return make_differences(r, t);
    default:
      make_runs(r, t);
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_append_tables(const parl_report *r, const parl_table_kind *kinds, size_t n,
                                      bool markdown, parl_text *out) {
  for (size_t i = 0; i < n; i++) {
    parl_table t;
    PARL_TRY(parl_report_make_table(r, kinds[i], &t));
    if (!t.failed && parl_table_get_rows(&t) == 0) continue;
    parl_text_append(out, "\n");
    PARL_TRY(markdown ? parl_table_append_markdown(&t, out) : parl_table_append_plain(&t, out));
  }
  return parl_text_status(out);
}
