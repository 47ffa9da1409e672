/* parl/reward/schedule.c - the shapes of lambda(t), and the integral controller. */
#include "parl/reward/schedule.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/expression.h"

/* In the order of the CHOICE list. */
enum {
  CONSTANT,
  LINEAR,
  COSINE,
  EXPONENTIAL,
  STEP,
  CYCLIC,
  CLOSED_LOOP,
  LUA,
  SIGMOID,
  BACKOFF,
  TABLE,
  N_SHAPES
};
enum { N_CLOCKS = 3 }; /* t, updates, u: what an expression sees before the metrics */

/* What counts as 0 below it: 0.3 - 0.1 * 3 is -5.6e-17, and no weight that means anything is as
 * small. */
static const double rounding = 1e-9;

struct parl_schedule {
  parl_schedule_config config;
  int64_t n_updates;
  double state;         /* the last value; with over_metric, the last u */
  parl_expression *lua; /* owned; NULL unless shape = lua */
  const char **names;   /* [capacity] owned array of borrowed names, for the expression */
  double *values;       /* [capacity] owned */
  size_t capacity;
};

/* Whether u is the progress of a metric. */
static bool has_progress(const parl_schedule_config *c) {
  const bool is_annealed = (c->shape >= LINEAR && c->shape <= CYCLIC) || c->shape == SIGMOID;
  return is_annealed && c->over_metric[0] != '\0';
}

/* State before the first update. */
static double get_begin(const parl_schedule_config *c) {
  if (has_progress(c)) return 0;
  return c->shape == CLOSED_LOOP && c->initial != -1 ? c->initial : c->start;
}

/* Those that move between start and stop by a metric. */
static parl_status check_moving(const parl_schedule_config *c) {
  const char *name = c->shape == BACKOFF ? "backoff" : "closed_loop";
  PARL_REQUIRE(isfinite(c->target) && isfinite(c->gain));
  if (c->metric[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "%s needs the name of a metric", name);
  if (c->start == c->stop)
    return parl_fail(PARL_STATUS_EINVAL, "%s moves between start and stop, but both are %g", name,
                     c->start);
  if (c->shape == BACKOFF) return PARL_STATUS_OK;
  const double begin = get_begin(c);
  if (begin < fmin(c->start, c->stop) || begin > fmax(c->start, c->stop))
    return parl_fail(PARL_STATUS_EINVAL,
                     "initial = %g: closed_loop begins between start = %g and stop = %g", begin,
                     c->start, c->stop);
  return PARL_STATUS_OK;
}

/* The next entry of a table, at *at, which moves behind it; false: there is none there. */
static bool read_entry(const char **at, int64_t *update, double *value) {
  char *end = NULL;
  if (!isdigit((unsigned char)**at)) return false;
  errno = 0;
  *update = strtoll(*at, &end, 10);
  if (errno != 0 || *end != ':' || !isdigit((unsigned char)end[1])) return false;
  *at = end + 1;
  *value = strtod(*at, &end);
  if (!(*value <= 1000) || (*end != ' ' && *end != '\0')) return false;
  while (*end == ' ') end++;
  *at = end;
  return true;
}

static parl_status check_table(const char *table) {
  int64_t before = -1, update = 0;
  double value = 0;
  for (const char *at = table; before < 0 || *at != '\0'; before = update) {
    const char *from = at;
    if (read_entry(&at, &update, &value) && (before < 0 ? update == 0 : update > before)) continue;
    return parl_fail(
        PARL_STATUS_EINVAL,
        "table = \"%s\": at \"%.24s\" there has to be UPDATE:VALUE, as \"0:0.3 40:0\": "
        "the first update 0, each later than the one before, values 0 to 1000",
        table, from);
  }
  return PARL_STATUS_OK;
}

/* Of a table that was checked. */
static double get_table(const char *table, int64_t t) {
  int64_t update = 0;
  double value = 0, next = 0;
  for (const char *at = table; read_entry(&at, &update, &next) && update <= t;) value = next;
  return value;
}

static parl_status check(const parl_schedule_config *c) {
  PARL_REQUIRE(c->shape >= 0 && c->shape < N_SHAPES);
  PARL_REQUIRE(isfinite(c->start) && c->start >= 0 && isfinite(c->stop) && c->stop >= 0);
  PARL_REQUIRE(c->over > 0 && c->over <= 1);
  PARL_REQUIRE(c->period >= 1);
  if (c->shape == EXPONENTIAL && c->start == 0 && c->stop > 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "exponential cannot leave start = 0 for stop = %g; use linear", c->stop);
  if (c->shape == TABLE) return check_table(c->table);
  if (c->shape == LUA && c->lua[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "shape is lua, but the field lua has no expression");
  if (has_progress(c) && c->from == c->to)
    return parl_fail(PARL_STATUS_EINVAL, "over_metric = \"%s\": from and to are both %g",
                     c->over_metric, c->from);
  if (c->shape == CLOSED_LOOP || c->shape == BACKOFF) return check_moving(c);
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
  s->state = get_begin(config);
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

/* Exactly start at u = 0 and stop at u = 1, whatever the rounding between. */
static double mix(double start, double stop, double u) {
  return u >= 1 ? stop : start + (stop - start) * u;
}

static double get_sigmoid(double steepness, double u) {
  return 1 / (1 + exp(steepness * (u - 0.5)));
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
    case SIGMOID: {
      if (u >= 1) return c->stop;
      const double high = get_sigmoid(c->steepness, 0), low = get_sigmoid(c->steepness, 1);
      const double left = (get_sigmoid(c->steepness, u) - low) / (high - low);
      return mix(c->stop, c->start, left);
    }
    case TABLE:
      return get_table(c->table, t);
    case CYCLIC:
      if (u >= 1) return c->stop;
      return mix(c->start, c->stop, (double)(t % c->period) / (double)c->period);
    default:
      return c->start;
  }
}

/* Of a field or a shape, `what`, that names it. */
static parl_status find_metric(const char *what, const char *name, const parl_metric_view *m,
                               double *out) {
  for (size_t i = 0; i < m->n; i++) {
    if (strcmp(m->names[i], name) != 0) continue;
    *out = m->values[i];
    return PARL_STATUS_OK;
  }
  const char *near = parl_nearest(name, m->names, m->n);
  if (near != NULL)
    return parl_fail(PARL_STATUS_EINVAL, "%s: no metric \"%s\"; did you mean \"%s\"?", what, name,
                     near);
  return parl_fail(PARL_STATUS_EINVAL, "%s: no metric \"%s\" among the %zu metrics", what, name,
                   m->n);
}

/* Update 0 has no metric to look at. */
static parl_status get_metric(const char *what, const char *name, int64_t t,
                              const parl_metric_view *m, double *out) {
  double metric = (double)NAN;
  if (t > 0) PARL_TRY(find_metric(what, name, m, &metric));
  if (isinf(metric))
    return parl_fail(PARL_STATUS_EINVAL, "%s: metric \"%s\" is infinite", what, name);
  *out = metric;
  return PARL_STATUS_OK;
}

/* Share of the anneal that is over. */
static parl_status get_progress(const parl_schedule *s, int64_t t, const parl_metric_view *m,
                                double *out) {
  const parl_schedule_config *c = &s->config;
  double u = t > 0 ? (double)t / (c->over * (double)s->n_updates) : 0;
  if (has_progress(c)) {
    double metric = (double)NAN;
    PARL_TRY(get_metric("over_metric", c->over_metric, t, m, &metric));
    u = (metric - c->from) / (c->to - c->from);
    if (!(u > s->state)) u = s->state; /* nor with a metric that is NaN */
  }
  *out = u < 1 ? u : 1;
  return PARL_STATUS_OK;
}

static parl_status get_backoff(const parl_schedule *s, int64_t t, const parl_metric_view *m,
                               double *out) {
  const parl_schedule_config *c = &s->config;
  double metric = (double)NAN;
  PARL_TRY(get_metric("backoff", c->metric, t, m, &metric));
  *out = metric > c->target ? c->stop + c->factor * (s->state - c->stop) : s->state;
  return PARL_STATUS_OK;
}

static parl_status get_closed_loop(const parl_schedule *s, int64_t t, const parl_metric_view *m,
                                   double *out) {
  const parl_schedule_config *c = &s->config;
  double metric = (double)NAN;
  PARL_TRY(get_metric("closed_loop", c->metric, t, m, &metric));
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

/* Whether the code names a variable: as a word, not as the field of something. */
static bool names_variable(const char *code, const char *name) {
  const size_t n = strlen(name);
  for (const char *at = code; *at != '\0';) {
    if (!isalnum((unsigned char)*at) && *at != '_') {
      at++;
      continue;
    }
    const char *word = at;
    while (isalnum((unsigned char)*at) || *at == '_') at++;
    const bool is_field = word > code && (word[-1] == '.' || word[-1] == ':');
    if ((size_t)(at - word) == n && memcmp(word, name, n) == 0 && !is_field) return true;
  }
  return false;
}

/* Whether the expression names a metric that is undefined now. */
static bool lacks_metric(const parl_schedule *s, const parl_metric_view *m) {
  for (size_t i = 0; i < m->n; i++)
    if (isnan(m->values[i]) && names_variable(s->config.lua, m->names[i])) return true;
  return false;
}

static parl_status get_lua(parl_schedule *s, int64_t t, double u, const parl_metric_view *m,
                           double *out) {
  double value = 0;
  PARL_TRY(evaluate(s, t, u, m, &value));
  *out = isnan(value) && lacks_metric(s, m) ? s->state : value;
  return PARL_STATUS_OK;
}

static parl_status get_value(parl_schedule *s, int64_t t, double u, const parl_metric_view *m,
                             double *out) {
  double value = 0;
  if (s->config.shape == LUA)
    PARL_TRY(get_lua(s, t, u, m, &value));
  else if (s->config.shape == CLOSED_LOOP)
    PARL_TRY(get_closed_loop(s, t, m, &value));
  else if (s->config.shape == BACKOFF)
    PARL_TRY(get_backoff(s, t, m, &value));
  else
    value = get_open_loop(&s->config, t, u);
  *out = value < 0 && value > -rounding ? 0 : value;
  return PARL_STATUS_OK;
}

static parl_status check_value(const parl_schedule *s, int64_t t, double value) {
  if (value >= 0 && isfinite(value)) return PARL_STATUS_OK;
  return parl_fail(s->lua != NULL ? PARL_STATUS_ESCRIPT : PARL_STATUS_EINVAL,
                   "schedule: update %lld gives %g; a weight is finite and not negative",
                   (long long)t, isnan(value) ? (double)NAN : value); /* NaN without a sign */
}

parl_status parl_schedule_next(parl_schedule *schedule, int64_t t, const parl_metric_view *metrics,
                               double *out) {
  if (t < 0 || t > schedule->n_updates)
    return parl_fail(PARL_STATUS_EINVAL, "schedule: update %lld is not in [0, %lld]", (long long)t,
                     (long long)schedule->n_updates);
  static const parl_metric_view none = {0};
  if (metrics == NULL) metrics = &none;
  double value = 0, u;
  PARL_TRY(get_progress(schedule, t, metrics, &u));
  PARL_TRY(get_value(schedule, t, u, metrics, &value));
  PARL_TRY(check_value(schedule, t, value));
  schedule->state = has_progress(&schedule->config) ? u : value;
  *out = value;
  return PARL_STATUS_OK;
}

double parl_schedule_get_state(const parl_schedule *schedule) {
  return schedule->state;
}

void parl_schedule_set_state(parl_schedule *schedule, double state) {
  schedule->state = state;
}

/* --- ahead of time --- */

bool parl_schedule_reads(const parl_schedule_config *c, const char *metric) {
  if (c->shape == LUA) return names_variable(c->lua, metric);
  if (c->shape == CLOSED_LOOP || c->shape == BACKOFF) return strcmp(c->metric, metric) == 0;
  return has_progress(c) && strcmp(c->over_metric, metric) == 0;
}

/* Whether the value depends on more than the update number. */
static bool looks_at_metrics(const parl_schedule_config *c, const char *const *names, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (parl_schedule_reads(c, names[i])) return true;
  return false;
}

/* The metrics that fields name are there. */
static parl_status check_metrics(const parl_schedule_config *c, const parl_metric_view *m) {
  double metric;
  if (c->shape == CLOSED_LOOP || c->shape == BACKOFF)
    return find_metric(c->shape == BACKOFF ? "backoff" : "closed_loop", c->metric, m, &metric);
  return has_progress(c) ? find_metric("over_metric", c->over_metric, m, &metric) : PARL_STATUS_OK;
}

/* Every update, as far as it can be known: with metrics only what the expression's words mean, and
 * what it gives at update 0, where all of them are undefined. */
static parl_status check_updates(parl_schedule *s, int64_t n, const parl_metric_view *m,
                                 bool is_open) {
  for (int64_t t = 0; t < n; t++) {
    double value = 0, u;
    PARL_TRY(get_progress(s, t, m, &u));
    PARL_TRY(parl_fail_context(get_value(s, t, u, m, &value), "update %lld", (long long)t));
    if (is_open || t == 0) PARL_TRY(check_value(s, t, value));
  }
  return PARL_STATUS_OK;
}

parl_status parl_schedule_check(const parl_schedule_config *config, int64_t n_updates,
                                const char *const *names, size_t n_names) {
  parl_schedule *s = NULL;
  PARL_TRY(parl_schedule_create(config, n_updates, &s));
  double *undefined = calloc(n_names + 1, sizeof *undefined);
  parl_status status =
      undefined != NULL ? PARL_STATUS_OK : parl_fail(PARL_STATUS_ENOMEM, "schedule: no memory");
  for (size_t i = 0; undefined != NULL && i < n_names; i++) undefined[i] = (double)NAN;
  const parl_metric_view m = {n_names, names, undefined};
  if (status == PARL_STATUS_OK) status = check_metrics(config, &m);
  if (status == PARL_STATUS_OK)
    status = check_updates(s, n_updates > 0 ? n_updates : 1, &m,
                           !looks_at_metrics(config, names, n_names));
  free(undefined);
  parl_schedule_destroy(s);
  return status;
}

parl_status parl_schedule_get_settled(const parl_schedule_config *config, int64_t n_updates,
                                      const char *const *names, size_t n_names, int64_t *out) {
  parl_schedule *s = NULL;
  double before = 0;
  int64_t settled = 0;
  if (looks_at_metrics(config, names, n_names))
    return parl_fail(PARL_STATUS_EINVAL,
                     "it follows a metric, so nothing says when it has annealed");
  PARL_TRY(parl_schedule_create(config, n_updates, &s));
  parl_status status = PARL_STATUS_OK;
  for (int64_t t = 0; status == PARL_STATUS_OK && t < n_updates; t++) {
    double value = 0;
    status = parl_schedule_next(s, t, NULL, &value);
    if (t > 0 && value != before) settled = t;
    before = value;
  }
  parl_schedule_destroy(s);
  if (status == PARL_STATUS_OK) *out = settled;
  return status;
}
