/* experiments/sweep_points.c - which values a sweep tries together. */
#include <gsl/gsl_qrng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "experiments/gaussian_process.h"
#include "experiments/sweep_internal.h"

/* --- values --- */

static size_t get_index(const parl_sweep_parameter *p, double at) {
  const size_t i = (size_t)(at * (double)p->n_values);
  return i < p->n_values ? i : p->n_values - 1;
}

static double get_value(const parl_sweep_parameter *p, double at) {
  if (p->distribution == PARL_DISTRIBUTION_LOG_UNIFORM)
    return p->min * exp(at * log(p->max / p->min));
  if (p->distribution == PARL_DISTRIBUTION_INT_UNIFORM)
    return fmin(p->min + floor(at * (p->max - p->min + 1)), p->max);
  return p->min + at * (p->max - p->min);
}

/* Numbers as short as they can be; what stands in a table as canonical text. */
static void append_literal(const parl_json *value, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  if (parl_json_get_type(value) == PARL_JSON_NUMBER)
    parl_json_number(&w, parl_json_get_number(value));
  else
    parl_json_append_canonical(value, out);
}

void parl_sweep_append_value(const parl_sweep_parameter *p, double at, parl_text *out) {
  if (p->distribution == PARL_DISTRIBUTION_VALUES) {
    const parl_json *value = parl_json_get_first(p->values);
    for (size_t i = get_index(p, at); i > 0; i--) value = parl_json_get_next(value);
    append_literal(value, out);
  } else if (p->distribution == PARL_DISTRIBUTION_INT_UNIFORM) {
    parl_text_appendf(out, "%.0f", get_value(p, at));
  } else {
    parl_text_appendf(out, "%.4g", get_value(p, at));
  }
}

/* The entries of a table up to a point's own; equal neighbours are one. */
static void append_entries(const parl_sweep_parameter *p, size_t i, const parl_sweep_point *point,
                           parl_text *last, parl_text *out) {
  parl_text value = {0};
  if (point->before != NULL) append_entries(p, i, point->before, last, out);
  parl_sweep_append_value(p, point->at[i], &value);
  if (point->before == NULL || strcmp(parl_text_get(&value), parl_text_get(last)) != 0)
    parl_text_appendf(out, "%s%lld:%s", point->before != NULL ? " " : "", (long long)point->from,
                      parl_text_get(&value));
  parl_text_clear(last);
  parl_text_append(last, parl_text_get(&value));
  out->failed |= value.failed || last->failed;
  parl_text_deinit(&value);
}

void parl_sweep_append_setting(const parl_sweep *sweep, size_t parameter,
                               const parl_sweep_point *point, parl_text *out) {
  const parl_sweep_parameter *p = &sweep->parameters[parameter];
  parl_text last = {0};
  if (sweep->config.method != PARL_SWEEP_PBT) {
    parl_sweep_append_value(p, point->at[parameter], out);
    return;
  }
  parl_text_append(out, "\"");
  append_entries(p, parameter, point, &last, out);
  parl_text_append(out, "\"");
  parl_text_deinit(&last);
}

/* Where a value lies in its range of real numbers: what get_value undoes. */
static double get_at(const parl_sweep_parameter *p, double value) {
  const double v = fmin(fmax(value, p->min), p->max);
  const double at = p->distribution == PARL_DISTRIBUTION_LOG_UNIFORM
                        ? log(v / p->min) / log(p->max / p->min)
                        : (v - p->min) / (p->max - p->min);
  return fmin(at, 1 - 0x1p-53);
}

static double perturb(const parl_sweep_parameter *p, double at, double factor, bool grows) {
  if (p->distribution != PARL_DISTRIBUTION_VALUES)
    return get_at(p, grows ? get_value(p, at) * factor : get_value(p, at) / factor);
  const size_t i = get_index(p, at);
  const size_t next = grows ? (i + 1 < p->n_values ? i + 1 : i) : (i > 0 ? i - 1 : 0);
  return ((double)next + 0.5) / (double)p->n_values;
}

void parl_sweep_perturb(const parl_sweep *sweep, parl_rng_cursor *chance, parl_sweep_point *point) {
  for (size_t i = 0; i < sweep->n_parameters; i++) {
    const double which = parl_rng_next_uniform(chance), u = parl_rng_next_uniform(chance);
    point->at[i] = which < sweep->pbt.resample
                       ? u
                       : perturb(&sweep->parameters[i], point->at[i], sweep->pbt.factor, u < 0.5);
  }
}

bool parl_sweep_is_same(const parl_sweep *sweep, const parl_sweep_point *a,
                        const parl_sweep_point *b) {
  parl_text x = {0}, y = {0};
  bool same = true;
  for (size_t i = 0; same && i < sweep->n_parameters; i++) {
    parl_text_clear(&x);
    parl_text_clear(&y);
    parl_sweep_append_value(&sweep->parameters[i], a->at[i], &x);
    parl_sweep_append_value(&sweep->parameters[i], b->at[i], &y);
    same = strcmp(parl_text_get(&x), parl_text_get(&y)) == 0;
  }
  parl_text_deinit(&x);
  parl_text_deinit(&y);
  return same;
}

size_t parl_sweep_count_combinations(const parl_sweep *sweep, size_t most) {
  double n = 1;
  for (size_t i = 0; i < sweep->n_parameters; i++) {
    const parl_sweep_parameter *p = &sweep->parameters[i];
    n *= p->distribution == PARL_DISTRIBUTION_VALUES        ? (double)p->n_values
         : p->distribution == PARL_DISTRIBUTION_INT_UNIFORM ? p->max - p->min + 1
                                                            : (double)most;
    if (n > (double)most) return most;
  }
  return (size_t)n;
}

static bool is_among(const parl_sweep *sweep, const parl_sweep_point *points, size_t n,
                     const parl_sweep_point *point) {
  for (size_t i = 0; i < n; i++)
    if (parl_sweep_is_same(sweep, &points[i], point)) return true;
  return false;
}

/* --- grid, random, Sobol --- */

/* The middle of each value's part of [0, 1), the last parameter changing fastest. */
static void draw_grid(const parl_sweep *sweep, size_t index, parl_sweep_point *out) {
  for (size_t i = sweep->n_parameters; i-- > 0;) {
    const size_t n = sweep->parameters[i].n_values;
    out->at[i] = ((double)(index % n) + 0.5) / (double)n;
    index /= n;
  }
}

static void draw_random(const parl_sweep *sweep, size_t index, parl_sweep_point *out) {
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_SWEEP, index, 0, 0);
  for (size_t i = 0; i < sweep->n_parameters; i++)
    out->at[i] = parl_rng_uniform((uint64_t)sweep->config.seed, stream, i);
}

/* The next point of a sequence, shifted by a random distance a parameter, modulo 1. */
static void draw_sobol(const parl_sweep *sweep, gsl_qrng *sequence, uint64_t stream,
                       parl_sweep_point *out) {
  gsl_qrng_get(sequence, out->at);
  for (size_t i = 0; i < sweep->n_parameters; i++) {
    const double shift = parl_rng_uniform((uint64_t)sweep->config.seed, stream, i);
    out->at[i] = fmod(out->at[i] + shift, 1.0);
  }
}

static parl_status open_sobol(const parl_sweep *sweep, gsl_qrng **out) {
  *out = gsl_qrng_alloc(gsl_qrng_sobol, (unsigned)sweep->n_parameters);
  return *out != NULL ? PARL_STATUS_OK : parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory");
}

/* Draws until there are `wanted` different points, or none was new for long. */
static parl_status draw(const parl_sweep *sweep, size_t wanted, parl_sweep_point *points,
                        size_t *n) {
  enum { PATIENCE = 20000 };
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_SWEEP_SHIFT, 0, 0, 0);
  gsl_qrng *sequence = NULL;
  PARL_TRY(open_sobol(sweep, &sequence));
  *n = 0;
  for (size_t i = 0, old = 0; *n < wanted && old < PATIENCE; i++) {
    parl_sweep_point *p = &points[*n];
    if (sweep->config.method == PARL_SWEEP_GRID)
      draw_grid(sweep, i, p);
    else if (sweep->config.method == PARL_SWEEP_RANDOM)
      draw_random(sweep, i, p);
    else
      draw_sobol(sweep, sequence, stream, p);
    const bool is_new = !is_among(sweep, points, *n, p);
    *n += is_new;
    old = is_new ? 0 : old + 1;
  }
  gsl_qrng_free(sequence);
  return PARL_STATUS_OK;
}

parl_status parl_sweep_draw(const parl_sweep *sweep, parl_sweep_point *points, size_t *n) {
  size_t wanted = sweep->n_points;
  if (sweep->config.method == PARL_SWEEP_BAYES && wanted > (size_t)sweep->config.initial)
    wanted = (size_t)sweep->config.initial;
  return draw(sweep, wanted, points, n);
}

/* --- Bayesian --- */

/* Where a point lies for the model: values that are the same are in the same place. */
static void get_place(const parl_sweep *sweep, const parl_sweep_point *point, double *out) {
  for (size_t i = 0; i < sweep->n_parameters; i++) {
    const parl_sweep_parameter *p = &sweep->parameters[i];
    if (p->distribution == PARL_DISTRIBUTION_VALUES)
      out[i] = ((double)get_index(p, point->at[i]) + 0.5) / (double)p->n_values;
    else if (p->distribution == PARL_DISTRIBUTION_INT_UNIFORM)
      out[i] = (get_value(p, point->at[i]) - p->min + 0.5) / (p->max - p->min + 1);
    else
      out[i] = point->at[i];
  }
}

/* Of many places, spread evenly and around the best one, the untried one of most improvement. */
static parl_status search(const parl_sweep *sweep, const parl_gaussian_process *process,
                          const parl_sweep_point *tried, const double *values, size_t n,
                          parl_sweep_point *out, bool *found) {
  enum { SPREAD = 2048, AROUND = 512 };
  static const double NEAR = 0.05;
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_SWEEP_LOOK, n, 0, 0);
  const double best = parl_gaussian_process_get_best(process);
  double most = -1;
  size_t top = 0;
  gsl_qrng *sequence = NULL;
  PARL_TRY(open_sobol(sweep, &sequence));
  for (size_t i = 1; i < n; i++) top = values[i] > values[top] ? i : top;
  parl_rng_cursor cursor = {(uint64_t)sweep->config.seed, stream, PARL_SWEEP_MAX_PARAMETERS};
  for (size_t k = 0; k < SPREAD + AROUND; k++) {
    parl_sweep_point p = {.number = 0};
    double place[PARL_SWEEP_MAX_PARAMETERS], mean, deviation;
    if (k < SPREAD)
      draw_sobol(sweep, sequence, stream, &p);
    else
      for (size_t i = 0; i < sweep->n_parameters; i++)
        p.at[i] =
            fmin(fmax(tried[top].at[i] + NEAR * parl_rng_next_normal(&cursor), 0), 1 - 0x1p-53);
    get_place(sweep, &p, place);
    parl_gaussian_process_predict(process, place, &mean, &deviation);
    const double improvement = parl_expected_improvement(mean, deviation, best);
    if (improvement <= most || is_among(sweep, tried, n, &p)) continue;
    most = improvement;
    *out = p;
    *found = true;
  }
  gsl_qrng_free(sequence);
  return PARL_STATUS_OK;
}

/* The first of the Sobol points that was not tried. */
static parl_status draw_untried(const parl_sweep *sweep, const parl_sweep_point *tried, size_t n,
                                parl_sweep_point *out, bool *found) {
  size_t n_drawn = 0;
  parl_sweep_point *points = calloc(n + 1, sizeof *points);
  if (points == NULL) return parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory for %zu points", n);
  const parl_status s = draw(sweep, n + 1, points, &n_drawn);
  for (size_t i = 0; i < n_drawn && !*found; i++)
    if (!is_among(sweep, tried, n, &points[i])) {
      *out = points[i];
      *found = true;
    }
  free(points);
  return s;
}

static bool tells(const double *values, size_t n) {
  for (size_t i = 1; i < n; i++)
    if (values[i] != values[0]) return true;
  return false;
}

parl_status parl_sweep_propose(const parl_sweep *sweep, const parl_sweep_point *tried,
                               const double *values, size_t n, parl_sweep_point *out, bool *found) {
  const size_t d = sweep->n_parameters;
  parl_gaussian_process *process = NULL;
  *found = false;
  *out = (parl_sweep_point){.number = 0};
  if (!tells(values, n)) return draw_untried(sweep, tried, n, out, found);
  double *places = malloc(n * d * sizeof *places);
  if (places == NULL) return parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory for %zu points", n);
  for (size_t i = 0; i < n; i++) get_place(sweep, &tried[i], &places[i * d]);
  parl_status s = parl_gaussian_process_fit(places, values, n, d, &process);
  free(places);
  if (s == PARL_STATUS_OK) s = search(sweep, process, tried, values, n, out, found);
  parl_gaussian_process_destroy(process);
  if (s == PARL_STATUS_OK && !*found) s = draw_untried(sweep, tried, n, out, found);
  return s;
}
