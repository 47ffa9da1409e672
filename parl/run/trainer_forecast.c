/* parl/run/trainer_forecast.c - the forecast of a run: made before update 0, judged after the
 * last. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "parl/run/trainer_internal.h"

enum { KEY_BYTES = 128 };

/* --- before update 0 --- */

static parl_status put(parl_trainer *t, int64_t update, const char *group, const char *family,
                       const char *name, double value) {
  char key[KEY_BYTES];
  snprintf(key, sizeof key, "%s/%s%s%s", group, family, family[0] != '\0' ? "/" : "", name);
  return parl_rows_put_metric(t->store, t->run_id, update, key, value);
}

static parl_status put_part(parl_trainer *t, const parl_forecast_part *p) {
#define X(key, value, unit, meaning) PARL_TRY(put(t, 0, "forecast", p->family, #key, value));
  PARL_FORECAST_LIST(X)
#undef X
  for (size_t i = 0; i < t->updater->table->n; i++) {
    char name[KEY_BYTES];
#define X(prefix, suffix, value, unit, meaning)                                           \
  snprintf(name, sizeof name, "%s%s%s", prefix, t->updater->table->rows[i].name, suffix); \
  PARL_TRY(put(t, 0, "forecast", p->family, name, value));
    PARL_FORECAST_TERM_LIST(X)
#undef X
  }
  return PARL_STATUS_OK;
}

static parl_status put_forecast(parl_trainer *t) {
  const parl_forecast *f = &t->forecast;
  PARL_TRY(put(t, 0, "warm", "", "episodes", (double)f->failures.n));
  PARL_TRY(put(t, 0, "warm", "", "failed", (double)f->failures.n_failed));
  if (f->failures.n_failed > 0)
    PARL_TRY(parl_rows_put_failures(t->store, t->run_id, PARL_PHASE_PROBE, &f->failures));
  for (int i = 0; i < PARL_N_MEANS; i++)
    PARL_TRY(put(t, 0, "warm", "", parl_mean_names[i], parl_means_get_values(&f->means)[i]));
  for (size_t i = 0; i < t->updater->table->n; i++)
    PARL_TRY(put(t, 0, "forecast", "", t->updater->table->rows[i].lambda, f->weights[i]));
  for (size_t i = 0; i < f->n_parts; i++) PARL_TRY(put_part(t, &f->parts[i]));
  return PARL_STATUS_OK;
}

/* "0.12 [0.08, 0.16]", "0.12", "unknown" */
static void append_interval(const parl_interval *x, parl_text *out) {
  if (isnan(x->value))
    parl_text_append(out, "unknown");
  else if (isnan(x->lo))
    parl_text_appendf(out, "%.3f", x->value);
  else
    parl_text_appendf(out, "%.3f [%.3f, %.3f]", x->value, x->lo, x->hi);
}

static void append_part(const parl_forecast *f, const parl_forecast_part *p, parl_text *out) {
  const double says = parl_forecast_says(p);
  const bool sure = p->margin.lo > 0 || p->margin.hi < 0;
  parl_text_appendf(out, "%s: ", p->family[0] != '\0' ? p->family : "all tasks");
  if (isnan(says)) {
    parl_text_appendf(out,
                      "nothing can be said, for no task of %zu has episodes that launch and "
                      "episodes that do not",
                      p->n_groups);
    return;
  }
  parl_text_append(out, "a launch costs ");
  append_interval(&p->gap, out);
  parl_text_appendf(out, " of r_perf within a task (%zu of %zu tasks tell), lambda* ",
                    p->n_informative, p->n_groups);
  append_interval(&p->lambda_star, out);
  parl_text_appendf(out, "; at lambda %.3g, %.3g launching should %sgrow%s",
                    f->weights[PARL_TERM_parallel], f->weights[PARL_TERM_finish],
                    says > 0 ? "" : "not ", sure ? "" : " (within the noise)");
}

static void log_forecast(const parl_trainer *t) {
  const parl_forecast *f = &t->forecast;
  const parl_means *m = &f->means;
  parl_text text = {0};
  parl_log_write(t->host->log, PARL_LOG_INFO,
                 "%s seed %lld: warm start r_perf %.3f, launches in %.0f%% of episodes (width "
                 "%.1f), sub-agents finish %.0f%%",
                 t->arm, (long long)t->config->run.seed, m->r_perf, 100 * m->launch_rate,
                 m->max_width, 100 * m->finish_rate);
  for (size_t i = 0; i < f->n_parts; i++) {
    parl_text_clear(&text);
    append_part(f, &f->parts[i], &text);
    parl_log_write(t->host->log, PARL_LOG_INFO, "%s seed %lld: forecast, %s", t->arm,
                   (long long)t->config->run.seed, parl_text_get(&text));
  }
  parl_text_deinit(&text);
}

parl_status parl_trainer_make_forecast(parl_trainer *t) {
  parl_updater *u = t->updater;
  if (t->config->warm.probe == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_updater_get_weights(u, u->weights));
  PARL_TRY(parl_forecast_make(t->run, t->host, t->warm, &t->subs, u->table, u->weights, t->workers,
                              u->reward, &t->forecast));
  PARL_TRY(parl_store_begin(t->store));
  PARL_TRY(parl_store_end(t->store, put_forecast(t)));
  parl_failures_warn(&t->forecast.failures, t->host->log, t->arm, PARL_PHASE_PROBE);
  log_forecast(t);
  return PARL_STATUS_OK;
}

/* --- after the last update --- */

/* One part: what was said of it, and what the trained policy does. */
typedef struct verdict {
  char family[PARL_FAMILY_BYTES];
  double before, before_se, says; /* NaN: unknown */
  double n, launched;             /* episodes of the evaluation */
} verdict;

typedef struct judge {
  size_t n;
  int64_t update;
  verdict of[PARL_FORECAST_MAX_PARTS];
} judge;

static verdict *find(judge *j, const char *family, size_t length) {
  for (size_t i = 0; i < j->n; i++)
    if (strlen(j->of[i].family) == length && memcmp(j->of[i].family, family, length) == 0)
      return &j->of[i];
  if (j->n == PARL_FORECAST_MAX_PARTS || length >= sizeof j->of[0].family) return NULL;
  verdict *v = &j->of[j->n++];
  *v = (verdict){.before = (double)NAN, .before_se = (double)NAN, .says = (double)NAN};
  memcpy(v->family, family, length);
  return v;
}

/* "forecast/NAME" or "forecast/FAMILY/NAME" */
static parl_status read_said(void *context, int64_t update, const char *key, double value) {
  const char *prefix = "forecast/";
  if (update != 0 || strncmp(key, prefix, strlen(prefix)) != 0) return PARL_STATUS_OK;
  const char *family = key + strlen(prefix), *slash = strrchr(family, '/');
  const char *name = slash != NULL ? slash + 1 : family;
  verdict *v = find(context, family, slash != NULL ? (size_t)(slash - family) : 0);
  if (v == NULL) return PARL_STATUS_OK;
  if (strcmp(name, "launch_rate") == 0) v->before = value;
  if (strcmp(name, "launch_rate_se") == 0) v->before_se = value;
  if (strcmp(name, "says_launch") == 0) v->says = value;
  return PARL_STATUS_OK;
}

static parl_status read_done(void *context, const parl_episode_row *e) {
  judge *j = context;
  if (strcmp(e->policy, "trained") != 0 || strcmp(e->decoding, "sampled") != 0 ||
      e->update != j->update || e->failed)
    return PARL_STATUS_OK;
  for (size_t i = 0; i < j->n; i++) {
    verdict *v = &j->of[i];
    if (v->family[0] != '\0' && strcmp(v->family, e->family) != 0) continue;
    v->n++;
    v->launched += e->facts.launches > 0;
  }
  return PARL_STATUS_OK;
}

static parl_status put_verdict(parl_trainer *t, const verdict *v) {
  const double grew = v->n > 0 ? parl_forecast_grew(v->before, v->before_se, v->launched / v->n,
                                                    parl_forecast_share_error(v->launched, v->n))
                               : (double)NAN;
  const double held = isnan(v->says) || isnan(grew) ? (double)NAN : (double)(v->says == grew);
  PARL_TRY(put(t, t->updater->update, "forecast", v->family, "grew", grew));
  return put(t, t->updater->update, "forecast", v->family, "held", held);
}

parl_status parl_trainer_judge_forecast(parl_trainer *t) {
  judge j = {.update = t->updater->update};
  PARL_TRY(parl_rows_visit_metrics(t->store, t->run_id, NULL, read_said, &j));
  PARL_TRY(parl_rows_visit_episodes(t->store, t->run_id, read_done, &j));
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; i < j.n && s == PARL_STATUS_OK; i++) s = put_verdict(t, &j.of[i]);
  return parl_store_end(t->store, s);
}
