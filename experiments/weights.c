/* experiments/weights.c - running the schedules, and the curves as text and JSON. */
#include "experiments/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parl/learn/metrics.h"

/* --- running --- */

/* The schedules of an arm under way. */
typedef struct player {
  const parl_run_config *config;
  const parl_assumption *assumed;
  size_t n_assumed;
  parl_term_table *table;
  parl_metric_table *metrics;
  parl_schedule **schedules; /* [n of table] */
  double *weights;           /* [n of table] of the update before */
  double *values;            /* [n of metrics] */
} player;

static void player_deinit(player *p) {
  for (size_t i = 0; p->schedules != NULL && i < p->table->n; i++)
    parl_schedule_destroy(p->schedules[i]);
  free(p->schedules);
  free(p->weights);
  free(p->values);
  parl_metric_table_destroy(p->metrics);
  parl_term_table_destroy(p->table);
}

static parl_status player_init(const parl_run_config *config, player *p) {
  p->config = config;
  PARL_TRY(parl_term_table_create(config->weights, config->own_terms, &p->table));
  PARL_TRY(parl_metric_table_create(p->table, &p->metrics));
  p->schedules = calloc(p->table->n, sizeof(parl_schedule *));
  p->weights = calloc(p->table->n, sizeof *p->weights);
  p->values = calloc(p->metrics->n, sizeof *p->values);
  if (p->schedules == NULL || p->weights == NULL || p->values == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu weights", p->table->n);
  for (size_t i = 0; i < p->table->n; i++)
    PARL_TRY(
        parl_schedule_create(p->table->rows[i].config, config->train.updates, &p->schedules[i]));
  return PARL_STATUS_OK;
}

static const parl_assumption *find_assumption(const player *p, const char *metric) {
  for (size_t i = 0; i < p->n_assumed; i++)
    if (strcmp(p->assumed[i].metric, metric) == 0) return &p->assumed[i];
  return NULL;
}

/* The weight whose value of the update before a metric is; n of table: none. */
static size_t find_weight(const player *p, const char *metric) {
  size_t i = 0;
  while (i < p->table->n && strcmp(p->table->rows[i].lambda, metric) != 0) i++;
  return i;
}

/* What is known of the update before t. */
static double get_metric(const player *p, const char *name, int64_t t) {
  const parl_assumption *a = find_assumption(p, name);
  const size_t weight = find_weight(p, name);
  if (t == 0 || (a == NULL && weight == p->table->n)) return (double)NAN;
  if (a == NULL) return p->weights[weight];
  const double last = (double)p->config->train.updates - 1;
  const double share = last > 1 ? (double)(t - 1) / (last - 1) : 1;
  return a->from + (a->to - a->from) * share;
}

static parl_status play_update(player *p, const char *arm, int64_t t) {
  for (size_t i = 0; i < p->metrics->n; i++) p->values[i] = get_metric(p, p->metrics->names[i], t);
  const parl_metric_view view = {p->metrics->n, p->metrics->names, p->values};
  for (size_t i = 0; i < p->table->n; i++)
    PARL_TRY(parl_fail_context(parl_schedule_next(p->schedules[i], t, &view, &p->weights[i]),
                               "arm \"%s\": %s", arm, p->table->rows[i].weight));
  return PARL_STATUS_OK;
}

/* The metrics that a weight looks at, in two lists. */
static void name_metrics(const player *p, size_t weight, parl_weight_curve *out) {
  for (size_t i = 0; i < p->metrics->n; i++) {
    const char *name = p->metrics->names[i];
    if (!parl_schedule_reads(p->table->rows[weight].config, name)) continue;
    const parl_assumption *a = find_assumption(p, name);
    if (a == NULL && find_weight(p, name) < p->table->n) continue;
    parl_text *list = a != NULL ? &out->assumed : &out->undefined;
    parl_text_appendf(list, "%s%s", list->n > 0 ? ", " : "", name);
    if (a != NULL) parl_text_appendf(list, " = %g", a->from);
    if (a != NULL && a->to != a->from) parl_text_appendf(list, "..%g", a->to);
  }
}

static parl_status add_curves(const player *p, size_t arm, parl_weight_curves *out) {
  for (size_t i = 0; i < p->table->n; i++) {
    parl_weight_curve *c = &out->of[out->n++];
    c->arm = arm;
    snprintf(c->weight, sizeof c->weight, "%s", p->table->rows[i].weight);
    c->values = malloc(out->n_points * sizeof *c->values);
    if (c->values == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for a curve");
    for (size_t k = 0; k < out->n_points; k++) c->values[k] = (double)NAN;
    name_metrics(p, i, c);
  }
  return PARL_STATUS_OK;
}

static parl_status play(player *p, size_t arm, parl_weight_curves *out) {
  const char *name = parl_recipe_get_arm_name(out->recipe, arm);
  const size_t first = out->n;
  PARL_TRY(player_init(parl_recipe_get_arm(out->recipe, arm), p));
  PARL_TRY(add_curves(p, arm, out));
  size_t point = 0;
  for (int64_t t = 0; t < p->config->train.updates; t++) {
    PARL_TRY(play_update(p, name, t));
    if (point >= out->n_points || (double)t < out->updates[point]) continue;
    for (size_t i = 0; i < p->table->n; i++) out->of[first + i].values[point] = p->weights[i];
    point++;
  }
  return PARL_STATUS_OK;
}

/* Every metric that a schedule looks at is a weight. */
static parl_status check_metrics(const player *p) {
  for (size_t i = 0; i < p->table->n; i++)
    for (size_t k = 0; k < p->metrics->n; k++) {
      const char *metric = p->metrics->names[k];
      if (parl_schedule_reads(p->table->rows[i].config, metric) &&
          find_weight(p, metric) == p->table->n)
        return parl_fail(PARL_STATUS_EINVAL,
                         "%s looks at %s: what it is at an update is known of a run only; "
                         "--set %s.shape=constant and %s.start give it a value",
                         p->table->rows[i].weight, metric, p->table->rows[i].weight,
                         p->table->rows[i].weight);
    }
  return PARL_STATUS_OK;
}

static parl_status play_until(player *p, const parl_recipe *recipe, size_t arm, int64_t update) {
  const char *name = parl_recipe_get_arm_name(recipe, arm);
  const parl_run_config *config = parl_recipe_get_arm(recipe, arm);
  if (update < 0 || update >= config->train.updates)
    return parl_fail(PARL_STATUS_EINVAL, "update %lld: arm \"%s\" has the updates 0 to %lld",
                     (long long)update, name, (long long)config->train.updates - 1);
  PARL_TRY(player_init(config, p));
  PARL_TRY(check_metrics(p));
  for (int64_t t = 0; t <= update; t++) PARL_TRY(play_update(p, name, t));
  return PARL_STATUS_OK;
}

parl_status parl_weights_get(const parl_recipe *recipe, size_t arm, int64_t update, double *out) {
  player p = {0};
  const parl_status s = play_until(&p, recipe, arm, update);
  if (s == PARL_STATUS_OK) memcpy(out, p.weights, p.table->n * sizeof *out);
  player_deinit(&p);
  return s;
}

/* Every assumed metric is one of an arm. */
static parl_status check_assumed(const parl_recipe *recipe, const parl_assumption *a) {
  char near[PARL_METRIC_KEY_BYTES] = "";
  bool found = false;
  for (size_t arm = 0; arm < parl_recipe_get_n_arms(recipe) && !found; arm++) {
    player p = {0};
    const parl_status s = player_init(parl_recipe_get_arm(recipe, arm), &p);
    for (size_t i = 0; s == PARL_STATUS_OK && i < p.metrics->n; i++)
      found = found || strcmp(p.metrics->names[i], a->metric) == 0;
    const char *name =
        s == PARL_STATUS_OK ? parl_nearest(a->metric, p.metrics->names, p.metrics->n) : NULL;
    if (name != NULL) snprintf(near, sizeof near, "; did you mean \"%s\"?", name);
    player_deinit(&p);
    PARL_TRY(s);
  }
  if (found) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "--assume %s: no metric of that name%s", a->metric, near);
}

/* The grid of all arms: every update, or as many as are drawn. */
static parl_status make_grid(parl_weight_curves *out) {
  int64_t most = 1;
  size_t n_curves = 0;
  for (size_t arm = 0; arm < parl_recipe_get_n_arms(out->recipe); arm++) {
    const parl_run_config *c = parl_recipe_get_arm(out->recipe, arm);
    if (c->train.updates > most) most = c->train.updates;
    n_curves += PARL_N_TERMS + (c->own_terms != NULL ? c->own_terms->n : 0);
  }
  out->n_points = most < PARL_WEIGHT_POINTS ? (size_t)most : PARL_WEIGHT_POINTS;
  out->updates = calloc(out->n_points, sizeof *out->updates);
  out->of = calloc(n_curves, sizeof *out->of);
  if (out->updates == NULL || out->of == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu curves", n_curves);
  for (size_t i = 1; i < out->n_points; i++)
    out->updates[i] = floor((double)i * (double)(most - 1) / (double)(out->n_points - 1));
  return PARL_STATUS_OK;
}

parl_status parl_weight_curves_make(const parl_recipe *recipe, const parl_assumption *assumed,
                                    size_t n_assumed, parl_weight_curves *out) {
  parl_weight_curves made = {.recipe = recipe};
  for (size_t i = 0; i < n_assumed; i++) PARL_TRY(check_assumed(recipe, &assumed[i]));
  parl_status s = make_grid(&made);
  for (size_t arm = 0; s == PARL_STATUS_OK && arm < parl_recipe_get_n_arms(recipe); arm++) {
    player p = {.assumed = assumed, .n_assumed = n_assumed};
    s = play(&p, arm, &made);
    player_deinit(&p);
  }
  if (s == PARL_STATUS_OK)
    *out = made;
  else
    parl_weight_curves_deinit(&made);
  return s;
}

void parl_weight_curves_deinit(parl_weight_curves *curves) {
  for (size_t i = 0; i < curves->n; i++) {
    free(curves->of[i].values);
    parl_text_deinit(&curves->of[i].assumed);
    parl_text_deinit(&curves->of[i].undefined);
  }
  free(curves->of);
  free(curves->updates);
  *curves = (parl_weight_curves){0};
}

/* --- text --- */

/* Points of a curve before its arm ends. */
static size_t get_n(const parl_weight_curves *w, const parl_weight_curve *c) {
  size_t n = w->n_points;
  while (n > 0 && isnan(c->values[n - 1])) n--;
  return n;
}

static double get_most(const parl_weight_curves *w, const parl_weight_curve *c) {
  double most = 0;
  for (size_t k = 0; k < get_n(w, c); k++) most = fmax(most, c->values[k]);
  return most;
}

/* Whether an earlier arm has the weight. */
static bool is_drawn(const parl_weight_curves *w, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (strcmp(w->of[k].weight, w->of[i].weight) == 0) return true;
  return false;
}

/* Largest value of a weight in any arm. */
static double get_most_of_all(const parl_weight_curves *w, size_t i) {
  double most = 0;
  for (size_t k = i; k < w->n; k++)
    if (strcmp(w->of[k].weight, w->of[i].weight) == 0) most = fmax(most, get_most(w, &w->of[k]));
  return most;
}

/* A line of blocks, an eighth of the height a step; 0 is a line below. */
static void append_line(const parl_weight_curves *w, const parl_weight_curve *c, double most,
                        size_t columns, parl_text *out) {
  const size_t n = get_n(w, c);
  for (size_t x = 0; x < columns; x++) {
    const size_t k = columns > 1 ? x * (w->n_points - 1) / (columns - 1) : 0;
    if (k >= n) break;
    const int level = (int)ceil(8 * c->values[k] / most - 1e-9);
    if (level <= 0)
      parl_text_append(out, "_");
    else /* U+2581 to U+2588 */
      parl_text_appendf(out, "\xE2\x96%c", 0x80 + (level < 8 ? level : 8));
  }
}

static void append_curve(const parl_weight_curves *w, const parl_weight_curve *c, double most,
                         size_t columns, parl_text *out) {
  char numbers[64];
  const size_t n = get_n(w, c);
  if (n > 0) snprintf(numbers, sizeof numbers, "%.4g -> %.4g", c->values[0], c->values[n - 1]);
  const char *arm = parl_recipe_get_arm_name(w->recipe, c->arm);
  parl_text_appendf(out, "  %-14.40s %-18s ", arm, n > 0 ? numbers : "no update");
  append_line(w, c, most, columns, out);
  parl_text_append(out, "\n");
  if (c->assumed.n > 0)
    parl_text_appendf(out, "  %-14s assumed: %s\n", "", parl_text_get(&c->assumed));
  if (c->undefined.n > 0)
    parl_text_appendf(out, "  %-14s as if undefined throughout; --assume METRIC=VALUE: %s\n", "",
                      parl_text_get(&c->undefined));
}

parl_status parl_weight_curves_append_text(const parl_weight_curves *w, size_t columns,
                                           parl_text *out) {
  parl_text zero = {0};
  const size_t room = columns > 56 ? columns - 36 : 20;
  parl_text_appendf(out, "%s: weights of update 0 to %.0f\n", parl_recipe_get_name(w->recipe),
                    w->updates[w->n_points - 1]);
  for (size_t i = 0; i < w->n; i++) {
    if (is_drawn(w, i)) continue;
    const double most = get_most_of_all(w, i);
    if (most == 0) {
      parl_text_appendf(&zero, "%s%s", zero.n > 0 ? ", " : "", w->of[i].weight);
      continue;
    }
    parl_text_appendf(out, "\n%s, of %.4g\n", w->of[i].weight, most);
    for (size_t k = i; k < w->n; k++)
      if (strcmp(w->of[k].weight, w->of[i].weight) == 0)
        append_curve(w, &w->of[k], most, room, out);
  }
  if (zero.n > 0) parl_text_appendf(out, "\n0 throughout: %s\n", parl_text_get(&zero));
  out->failed |= zero.failed;
  parl_text_deinit(&zero);
  return parl_text_status(out);
}

/* --- for machines --- */

static void write_numbers(parl_json_writer *w, const char *key, const double *x, size_t n) {
  parl_json_key(w, key);
  parl_json_begin_array(w);
  for (size_t i = 0; i < n; i++) parl_json_number(w, x[i]);
  parl_json_end_array(w);
}

static void write_text(parl_json_writer *w, const char *key, const char *text) {
  parl_json_key(w, key);
  parl_json_string(w, text);
}

void parl_weight_curves_write(const parl_weight_curves *curves, parl_json_writer *w) {
  parl_json_begin_object(w);
  write_text(w, "recipe", parl_recipe_get_name(curves->recipe));
  write_numbers(w, "updates", curves->updates, curves->n_points);
  parl_json_key(w, "weights");
  parl_json_begin_array(w);
  for (size_t i = 0; i < curves->n; i++) {
    const parl_weight_curve *c = &curves->of[i];
    parl_json_begin_object(w);
    write_text(w, "arm", parl_recipe_get_arm_name(curves->recipe, c->arm));
    write_text(w, "weight", c->weight);
    write_text(w, "assumed", parl_text_get(&c->assumed));
    write_text(w, "undefined", parl_text_get(&c->undefined));
    write_numbers(w, "values", c->values, get_n(curves, c));
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
  parl_json_end_object(w);
}
