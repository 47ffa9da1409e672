/* parl/contract/conformance_episodes.c - experts and random play: do they keep to the rules, do
 * they end, does anything beat the optimum, does memory grow. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/inspect.h"
#include "parl/contract/conformance_internal.h"

/* What the observer of a batch of episodes gathers. */
typedef struct gatherer {
  parl_suite *s;
  const char *style; /* or NULL: random */
  bool look_for_shared;
  size_t n_against; /* tokens that `legal` masks */
  size_t n_unfinished, n_ends[PARL_N_ENDS];
  char example[128];             /* an episode that did not finish */
  double excess, excess_squared; /* sums over successes of critical - optimum */
  parl_env *env;
  parl_style_summary *summary;
} gatherer;

static void format_where(const gatherer *g, const parl_job *job, char *out, size_t n) {
  snprintf(out, n, "task seed %llu, episode seed %llu, %s%s", (unsigned long long)job->task_seed,
           (unsigned long long)job->episode_seed, g->style ? "style " : "random play",
           g->style ? g->style : "");
}

static parl_status look_for_shared(gatherer *g, const parl_event *event, const char *where) {
  bool found;
  parl_text text = {0};
  const parl_status status = parl_env_find_shared(event->env, event->world, &found, &text);
  if (status == PARL_STATUS_OK && found) {
    parl_suite_find(g->s, PARL_CONFORMANCE_isolation, false, where, "%s", parl_text_get(&text));
    g->look_for_shared = false;
  }
  parl_text_deinit(&text);
  return status;
}

/* The oracle that plays the optimum launches as the optimum does. */
static void judge_width(gatherer *g, const parl_facts *f, const parl_env_optimum *o,
                        const char *where) {
  const bool is_optimal = f->success != 0 && (int64_t)f->critical_steps == o->critical_steps;
  if (o->width < 0 || !is_optimal || strcmp(g->summary->style, "oracle") != 0) return;
  if ((int64_t)f->max_width != o->width)
    parl_suite_find(g->s, PARL_CONFORMANCE_optimum, false, where,
                    "the oracle reaches the optimum with %lld sub-agents in its widest launch; "
                    "optimum says %lld",
                    (long long)f->max_width, (long long)o->width);
}

static parl_status judge_optimum(gatherer *g, const parl_event *event, const char *where) {
  const parl_facts *f = event->facts;
  parl_env_optimum o;
  PARL_TRY(parl_env_get_optimum(event->env, event->world, &o));
  parl_style_summary *t = g->summary;
  t->n_success += f->success != 0;
  t->n_at_optimum += f->success != 0 && (int64_t)f->critical_steps == o.critical_steps;
  t->n_is[o.is]++;
  if (f->success != 0) {
    const double excess = f->critical_steps - (double)o.critical_steps;
    g->excess += excess;
    g->excess_squared += excess * excess;
  }
  if (g->s->has_chance) return PARL_STATUS_OK;
  judge_width(g, f, &o, where);
  if (f->success != 0 && (int64_t)f->critical_steps < o.critical_steps)
    parl_suite_find(g->s, PARL_CONFORMANCE_optimum, false, where,
                    "success in %lld critical steps; optimum says that %lld are the least",
                    (long long)f->critical_steps, (long long)o.critical_steps);
  if (f->r_perf > o.r_perf + 1e-12)
    parl_suite_find(g->s, PARL_CONFORMANCE_optimum, false, where,
                    "r_perf %.17g; optimum says that %.17g is the best", f->r_perf, o.r_perf);
  return PARL_STATUS_OK;
}

static parl_status on_end(gatherer *g, const parl_event *event, const char *where) {
  const parl_facts *f = event->facts;
  parl_style_summary *t = g->summary;
  t->n++;
  t->r_perf += f->r_perf;
  t->critical_steps += f->critical_steps;
  t->total_steps += f->total_steps;
  t->optimum_steps += f->optimum_steps;
  t->serial_steps += f->serial_steps;
  g->n_ends[f->end]++;
  if (f->end != PARL_END_FINISH && g->n_unfinished++ == 0)
    snprintf(g->example, sizeof g->example, "%s", where);
  return judge_optimum(g, event, where);
}

static parl_status on_event(void *context, const parl_event *event) {
  gatherer *g = context;
  char where[128];
  g->env = event->env;
  switch (event->kind) {
    case PARL_EVENT_AGAINST:
      if (g->n_against++ > 0) return PARL_STATUS_OK;
      format_where(g, event->job, where, sizeof where);
      parl_suite_find(g->s, PARL_CONFORMANCE_experts, true, where,
                      "turn %d: the expert writes %s, which `legal` masks (a demonstration may)",
                      event->turn + 1, parl_env_token_name(event->env, event->tokens[0]));
      return PARL_STATUS_OK;
    case PARL_EVENT_BRIEF:
    case PARL_EVENT_DELIVER:
      if (!g->look_for_shared) return PARL_STATUS_OK;
      format_where(g, event->job, where, sizeof where);
      return look_for_shared(g, event, where);
    case PARL_EVENT_END:
      format_where(g, event->job, where, sizeof where);
      return on_end(g, event, where);
    default:
      return PARL_STATUS_OK;
  }
}

/* --- playing --- */

typedef struct group {
  gatherer g;
  parl_observer observer;
  parl_trajectories *set;
  parl_job *jobs;
  parl_rollout *rollout;
} group;

static parl_style_summary *add_summary(parl_suite *s, const char *name) {
  parl_style_summary *t = &s->out->styles[s->out->n_styles++];
  *t = (parl_style_summary){.n = 0};
  snprintf(t->style, sizeof t->style, "%s", name);
  return t;
}

/* n jobs of a style (NULL: random), recorded if they are to be held against `legal`. */
static parl_status group_init(parl_suite *s, const char *style, bool legal, size_t n,
                              parl_style_summary *summary, group *out) {
  *out = (group){.g = {.s = s, .style = style, .look_for_shared = true, .summary = summary}};
  out->observer = (parl_observer){on_event, &out->g};
  const bool record = style != NULL && legal && s->has_legal;
  out->jobs = calloc(n, sizeof *out->jobs);
  if (out->jobs == NULL) return parl_fail(PARL_STATUS_ENOMEM, "conformance: no memory");
  const parl_trajectories_def def = {.n = n,
                                     .max_mains = record ? 1 : 0,
                                     .context = record ? s->limits.context : 0,
                                     .n_words = s->n_words,
                                     .shows = s->shows};
  PARL_TRY(parl_trajectories_create(&def, &out->set));
  for (size_t i = 0; i < n; i++)
    out->jobs[i] = (parl_job){.temperature = 1, .out = parl_trajectories_get(out->set, i)};
  parl_rollout_def rollout = parl_run_get_rollout(&s->run, s->def->scripts, s->workers);
  rollout.config.episode.legal = legal;
  rollout.n_slots = 8;
  rollout.observer = &out->observer;
  rollout.seats.main = style ? parl_player_of_script(style, 1) : parl_player_of_chance();
  if (style == NULL) rollout.seats.subs = parl_player_of_chance();
  rollout.share_worlds = false;
  return parl_rollout_create(&rollout, &out->rollout);
}

static void group_deinit(group *p) {
  parl_rollout_destroy(p->rollout);
  parl_trajectories_destroy(p->set);
  free(p->jobs);
}

/* Plays n episodes with the seeds from `first` on. */
static parl_status play(group *p, size_t first, size_t n) {
  for (size_t i = 0; i < n; i++) {
    p->jobs[i].task_seed = parl_suite_task_seed(p->g.s, first + i);
    p->jobs[i].episode_seed = parl_suite_episode_seed(p->g.s, first + i);
  }
  p->g.s->out->n_episodes += n;
  PARL_TRY(parl_suite_go_on(p->g.s));
  return parl_rollout_run(p->rollout, p->jobs, n, NULL);
}

/* Sums become means. */
static void summarize(parl_style_summary *t) {
  const double n = t->n > 0 ? (double)t->n : 1.0;
  double *sums[] = {&t->r_perf, &t->critical_steps, &t->total_steps, &t->optimum_steps,
                    &t->serial_steps};
  for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) *sums[i] /= n;
}

/* Where the optimum is an expectation, a style may not be better on average. */
static void judge_mean(gatherer *g, const char *name) {
  const double n = (double)g->summary->n_success;
  if (!g->s->has_chance || n < 8) return;
  const double mean = g->excess / n;
  const double variance = g->excess_squared / n - mean * mean;
  const double error = sqrt((variance > 0 ? variance : 0) / n);
  if (mean < -4 * error - 1e-9)
    parl_suite_find(g->s, PARL_CONFORMANCE_optimum, false, name,
                    "over %.0f successes critical steps are %.3f below the optimum on average, "
                    "with a standard error of %.3f",
                    n, -mean, error);
}

/* Whether what the optimum is called fits the environment. */
static void judge_kinds(gatherer *g, const char *name) {
  const parl_style_summary *t = g->summary;
  const size_t n_bound = t->n_is[PARL_OPTIMUM_BOUND], n_exact = t->n_is[PARL_OPTIMUM_EXACT];
  const size_t n_expected = t->n_is[PARL_OPTIMUM_EXPECTED];
  if (n_bound > 0)
    parl_suite_find(g->s, PARL_CONFORMANCE_optimum, true, name,
                    "in %zu of %zu tasks the optimum is a bound, perhaps not reachable", n_bound,
                    t->n);
  if (n_exact > 0 && g->s->has_chance)
    parl_suite_find(g->s, PARL_CONFORMANCE_optimum, true, name,
                    "the optimum is called exact, but episodes have chance of their own");
  if (n_expected > 0 && !g->s->has_chance)
    parl_suite_find(g->s, PARL_CONFORMANCE_optimum, true, name,
                    "the optimum is called expected, but episodes have no chance of their own");
}

static void judge_style(gatherer *g, const char *name) {
  const parl_style_summary *t = g->summary;
  if (g->n_against > 1)
    parl_suite_find(g->s, PARL_CONFORMANCE_experts, true, name,
                    "%zu tokens of %zu episodes are masked by `legal`", g->n_against, t->n);
  if (g->n_unfinished > 0)
    parl_suite_find(
        g->s, PARL_CONFORMANCE_termination, true, g->example,
        "%zu of %zu episodes of style %s do not finish (turns run out %zu, context %zu)",
        g->n_unfinished, t->n, name, g->n_ends[PARL_END_TURNS], g->n_ends[PARL_END_CONTEXT]);
  judge_mean(g, name);
  if (strcmp(name, "oracle") != 0) return;
  judge_kinds(g, name);
  if (t->n_at_optimum < t->n && !g->s->has_chance)
    parl_suite_find(g->s, PARL_CONFORMANCE_optimum, true, name,
                    "the oracle reaches the optimum in %zu of %zu tasks", t->n_at_optimum, t->n);
}

static parl_status check_style(parl_suite *s, const char *style, size_t *n_finished) {
  const size_t n = parl_suite_count_tasks(s);
  group p;
  parl_status status =
      group_init(s, style, s->run.config.episode.legal, n, add_summary(s, style), &p);
  if (status == PARL_STATUS_OK) status = play(&p, 0, n);
  if (status == PARL_STATUS_OK) {
    judge_style(&p.g, style);
    *n_finished += p.g.n_ends[PARL_END_FINISH];
  } else {
    status = parl_suite_blame(s, status, PARL_CONFORMANCE_experts, style);
  }
  summarize(p.g.summary);
  group_deinit(&p);
  return status;
}

parl_status parl_suite_check_experts(parl_suite *s) {
  s->out->ran[PARL_CONFORMANCE_experts] = s->out->ran[PARL_CONFORMANCE_termination] = true;
  s->out->ran[PARL_CONFORMANCE_isolation] = s->out->ran[PARL_CONFORMANCE_optimum] = true;
  if (s->n_styles == 0)
    parl_suite_find(s, PARL_CONFORMANCE_experts, true, "",
                    "there is no expert: no warm start, no baselines, no scripted sub-agents");
  if (s->has_chance)
    parl_suite_find(s, PARL_CONFORMANCE_optimum, true, "",
                    "episodes have chance of their own: the optimum is held against means only");
  size_t n_finished = 0;
  const size_t n_faults = s->out->n_faults;
  for (int i = 0; i < s->n_styles; i++) PARL_TRY(check_style(s, s->styles[i], &n_finished));
  if (s->n_styles > 0 && n_finished == 0 && s->out->n_faults == n_faults)
    parl_suite_find(s, PARL_CONFORMANCE_termination, false, "all styles",
                    "no expert ever calls finish: its episodes end when turns or context run out");
  return PARL_STATUS_OK;
}

/* --- random play and memory --- */

enum { N_BATCHES = 5 };

static parl_status play_batches(group *p, size_t n) {
  size_t held[N_BATCHES + 1];
  for (size_t k = 0; k < N_BATCHES; k++) {
    PARL_TRY(play(p, k * n, n));
    if (p->g.env == NULL) return PARL_STATUS_OK;
    parl_env_collect(p->g.env);
    held[k] = parl_env_get_memory(p->g.env);
  }
  bool grows = true;
  for (size_t k = 2; k < N_BATCHES; k++) grows = grows && held[k] > held[k - 1];
  const double total = (double)held[N_BATCHES - 1] - (double)held[1];
  const double growth = total / ((N_BATCHES - 2) * (double)n);
  if (grows && growth > 16 && total > 16384)
    parl_suite_find(p->g.s, PARL_CONFORMANCE_memory, false, "random play",
                    "%.0f bytes more stay with every episode", growth);
  return PARL_STATUS_OK;
}

static parl_status check_random(parl_suite *s, bool legal, size_t n_batch,
                                parl_style_summary *summary) {
  char where[64];
  snprintf(where, sizeof where, "random play with episode.legal = %s", legal ? "true" : "false");
  group p;
  parl_status status = group_init(s, NULL, legal, n_batch, summary, &p);
  if (status == PARL_STATUS_OK) status = play_batches(&p, n_batch);
  if (status == PARL_STATUS_OK) judge_mean(&p.g, where);
  if (status != PARL_STATUS_OK)
    status = parl_suite_blame(s, status, PARL_CONFORMANCE_grammar, where);
  group_deinit(&p);
  return status;
}

parl_status parl_suite_check_random(parl_suite *s) {
  const size_t n = parl_suite_count_random(s);
  const size_t n_batch = (n + N_BATCHES - 1) / N_BATCHES;
  parl_style_summary *summary = add_summary(s, "random play");
  s->out->ran[PARL_CONFORMANCE_memory] = true;
  parl_status status = check_random(s, s->has_legal, n_batch, summary);
  summarize(summary);
  parl_style_summary unmasked = {.n = 0};
  if (status == PARL_STATUS_OK && s->has_legal)
    status = check_random(s, false, n_batch / 4 + 1, &unmasked);
  return status;
}
