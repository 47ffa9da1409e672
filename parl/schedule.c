/* parl/schedule.c - the shapes of lambda(t), and the integral controller. */
#include "parl/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/expression.h"

/* In the order of the CHOICE list. */
enum { CONSTANT, LINEAR, COSINE, EXPONENTIAL, STEP, CYCLIC, CLOSED_LOOP, LUA, N_SHAPES };
enum { N_CLOCKS = 3 }; /* t, updates, u: what an expression sees before the metrics */

struct parl_schedule {
  parl_schedule_config config;
  int64_t n_updates;
  double state;         /* value of closed_loop */
  parl_expression *lua; /* owned; NULL unless shape = lua */
  const char **names;   /* [capacity] owned array of borrowed names, for the expression */
  double *values;       /* [capacity] owned */
  size_t capacity;
};

static parl_status check(const parl_schedule_config *c) {
  PARL_REQUIRE(c->shape >= 0 && c->shape < N_SHAPES);
  PARL_REQUIRE(isfinite(c->start) && c->start >= 0 && isfinite(c->stop) && c->stop >= 0);
  PARL_REQUIRE(c->over > 0 && c->over <= 1);
  PARL_REQUIRE(c->period >= 1);
  if (c->shape == EXPONENTIAL && c->start == 0 && c->stop > 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "exponential cannot leave start = 0 for stop = %g; use linear", c->stop);
  if (c->shape == LUA && c->lua[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "shape is lua, but the field lua has no expression");
  if (c->shape != CLOSED_LOOP) return PARL_STATUS_OK;
  PARL_REQUIRE(isfinite(c->target) && isfinite(c->gain));
  if (c->metric[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "closed_loop needs the name of a metric");
  if (c->start == c->stop)
    return parl_fail(PARL_STATUS_EINVAL,
                     "closed_loop moves between start and stop, but both are %g", c->start);
  return PARL_STATUS_OK;
}

parl_status parl_schedule_create(const parl_schedule_config *config, int64_t n_updates,
                                 parl_schedule **out) {
  PARL_REQUIRE(n_updates >= 0);
  PARL_TRY(check(config));
  parl_schedule *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "schedule: no memory");
  s->config = *config;
  s->n_updates = n_updates;
  s->state = config->start;
  if (config->shape == LUA) {
    const parl_status status = parl_expression_create(config->lua, &s->lua);
    if (status != PARL_STATUS_OK) {
      parl_schedule_destroy(s);
      return status;
    }
  }
  *out = s;
  return PARL_STATUS_OK;
}

void parl_schedule_destroy(parl_schedule *schedule) {
  if (schedule == NULL) return;
  parl_expression_destroy(schedule->lua);
  free(schedule->names);
  free(schedule->values);
  free(schedule);
}

/* Share of the anneal that is over. */
static double get_progress(const parl_schedule *s, int64_t t) {
  if (t == 0) return 0;
  const double u = (double)t / (s->config.over * (double)s->n_updates);
  return u < 1 ? u : 1;
}

/* Exactly start at u = 0 and stop at u = 1, whatever the rounding between. */
static double mix(double start, double stop, double u) {
  return u >= 1 ? stop : start + (stop - start) * u;
}

static double get_open_loop(const parl_schedule_config *c, int64_t t, double u) {
  switch (c->shape) {
    case LINEAR:
      return mix(c->start, c->stop, u);
    case COSINE:
      return u >= 1 ? c->stop : c->stop + (c->start - c->stop) * (1 + cos(acos(-1.0) * u)) / 2;
    case EXPONENTIAL: {
      if (u >= 1 || c->start == 0) return c->stop;
      const double end = c->stop > 1e-4 * c->start ? c->stop : 1e-4 * c->start;
      return c->start * pow(end / c->start, u);
    }
    case STEP:
      return u >= 1 ? c->stop : c->start;
    case CYCLIC:
      if (u >= 1) return c->stop;
      return mix(c->start, c->stop, (double)(t % c->period) / (double)c->period);
    default:
      return c->start;
  }
}

static parl_status find_metric(const char *name, const parl_metric_view *m, double *out) {
  for (size_t i = 0; i < m->n; i++) {
    if (strcmp(m->names[i], name) != 0) continue;
    *out = m->values[i];
    return PARL_STATUS_OK;
  }
  const char *near = parl_nearest(name, m->names, m->n);
  if (near != NULL)
    return parl_fail(PARL_STATUS_EINVAL, "closed_loop: no metric \"%s\"; did you mean \"%s\"?",
                     name, near);
  return parl_fail(PARL_STATUS_EINVAL, "closed_loop: no metric \"%s\" among the %zu metrics", name,
                   m->n);
}

/* Update 0 has no metric to look at. */
static parl_status get_closed_loop(const parl_schedule *s, int64_t t, const parl_metric_view *m,
                                   double *out) {
  const parl_schedule_config *c = &s->config;
  double metric = NAN;
  if (t > 0) PARL_TRY(find_metric(c->metric, m, &metric));
  if (isinf(metric))
    return parl_fail(PARL_STATUS_EINVAL, "closed_loop: metric \"%s\" is infinite", c->metric);
  const double value = isnan(metric) ? s->state : s->state + c->gain * (c->target - metric);
  *out = fmin(fmax(value, fmin(c->start, c->stop)), fmax(c->start, c->stop));
  return PARL_STATUS_OK;
}

static parl_status reserve(parl_schedule *s, size_t n) {
  if (n <= s->capacity) return PARL_STATUS_OK;
  const char **names = realloc(s->names, n * sizeof *names);
  if (names != NULL) s->names = names;
  double *values = realloc(s->values, n * sizeof *values);
  if (values != NULL) s->values = values;
  if (names == NULL || values == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "schedule: no memory for %zu metrics", n);
  s->capacity = n;
  return PARL_STATUS_OK;
}

static parl_status evaluate(parl_schedule *s, int64_t t, double u, const parl_metric_view *m,
                            double *out) {
  PARL_TRY(reserve(s, m->n + N_CLOCKS));
  s->names[0] = "t";
  s->values[0] = (double)t;
  s->names[1] = "updates";
  s->values[1] = (double)s->n_updates;
  s->names[2] = "u";
  s->values[2] = u;
  for (size_t i = 0; i < m->n; i++) {
    s->names[N_CLOCKS + i] = m->names[i];
    s->values[N_CLOCKS + i] = m->values[i];
  }
  return parl_expression_eval(s->lua, s->names, s->values, m->n + N_CLOCKS, out);
}

parl_status parl_schedule_next(parl_schedule *schedule, int64_t t, const parl_metric_view *metrics,
                               double *out) {
  if (t < 0 || t > schedule->n_updates)
    return parl_fail(PARL_STATUS_EINVAL, "schedule: update %lld is not in [0, %lld]", (long long)t,
                     (long long)schedule->n_updates);
  static const parl_metric_view none = {0};
  const parl_metric_view *m = metrics != NULL ? metrics : &none;
  const double u = get_progress(schedule, t);
  double value = 0;
  if (schedule->config.shape == LUA)
    PARL_TRY(evaluate(schedule, t, u, m, &value));
  else if (schedule->config.shape == CLOSED_LOOP)
    PARL_TRY(get_closed_loop(schedule, t, m, &value));
  else
    value = get_open_loop(&schedule->config, t, u);
  if (!isfinite(value) || value < 0)
    return parl_fail(schedule->lua != NULL ? PARL_STATUS_ESCRIPT : PARL_STATUS_EINVAL,
                     "schedule: update %lld gives %g; a weight is finite and not negative",
                     (long long)t, value);
  if (schedule->config.shape == CLOSED_LOOP) schedule->state = value;
  *out = value;
  return PARL_STATUS_OK;
}

double parl_schedule_get_state(const parl_schedule *schedule) {
  return schedule->state;
}

void parl_schedule_set_state(parl_schedule *schedule, double state) {
  schedule->state = state;
}
