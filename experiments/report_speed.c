/* experiments/report_speed.c - critical steps to a mean score, and how many times those a single
 * agent takes: the axes of Fig. 8 of the Kimi K2.5 report. */

#include "experiments/report_content.h"

enum { N_SHOWN = 7 };
/* Targets that tables show: 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 1. */
static const size_t shown[N_SHOWN] = {5, 7, 9, 11, 13, 17, 19};

static parl_report_reached *get(const parl_report *r, size_t arm, size_t family, size_t target) {
  return &r->arms[arm].reached[family * PARL_REACH_TARGETS + target];
}

/* --- over seeds --- */

static bool is_counted(const parl_report *r, size_t run, size_t arm, size_t family) {
  return r->runs[run].counted && r->runs[run].arm == arm &&
         r->runs[run].reach[family].n_episodes > 0;
}

static parl_status summarize_steps(const parl_report *r, size_t arm, size_t family, size_t target,
                                   double *values) {
  parl_report_reached *out = get(r, arm, family, target);
  size_t n = 0;
  *out = (parl_report_reached){.n_reached = 0};
  for (size_t i = 0; i < r->n_runs; i++) {
    if (!is_counted(r, i, arm, family)) continue;
    values[n++] = r->runs[i].reach[family].steps[target];
    out->n_reached += r->runs[i].reach[family].is_reached[target];
  }
  PARL_TRY(parl_report_summarize_values(r, values, n, &out->steps));
  if (out->steps.lo < 0) out->steps.lo = 0;
  if (out->n_reached < n) out->steps.lo = out->steps.hi = NAN; /* a bound has no interval */
  return PARL_STATUS_OK;
}

/* The run of the single agent with the seed of another, or its first. */
static const parl_reach *find_alone(const parl_report *r, size_t alone, size_t family,
                                    int64_t seed) {
  const parl_reach *found = NULL;
  for (size_t i = 0; i < r->n_runs; i++)
    if (is_counted(r, i, alone, family) && (found == NULL || r->runs[i].seed == seed))
      found = &r->runs[i].reach[family];
  return found;
}

static parl_status summarize_speed_up(const parl_report *r, size_t arm, size_t family,
                                      size_t target, double *values) {
  parl_report_reached *out = get(r, arm, family, target);
  const size_t alone = parl_report_find_script(r, "serial", arm);
  bool is_least = false, is_most = false;
  size_t n = 0;
  if (alone == r->n_arms || alone == arm)
    return parl_report_summarize_values(r, values, 0, &out->speed_up);
  for (size_t i = 0; i < r->n_runs; i++) {
    if (!is_counted(r, i, arm, family)) continue;
    const parl_reach *own = &r->runs[i].reach[family];
    const parl_reach *other = find_alone(r, alone, family, r->runs[i].seed);
    if (other == NULL || own->steps[target] <= 0) continue;
    is_least = is_least || !other->is_reached[target];
    is_most = is_most || !own->is_reached[target];
    values[n++] = other->steps[target] / own->steps[target];
  }
  if (is_least && is_most) n = 0; /* it may be anything */
  PARL_TRY(parl_report_summarize_values(r, values, n, &out->speed_up));
  if (out->speed_up.lo < 0) out->speed_up.lo = 0;
  out->speed_up_is = is_least ? PARL_BOUND_LEAST : is_most ? PARL_BOUND_MOST : PARL_BOUND_EXACT;
  if (is_least || is_most) out->speed_up.lo = out->speed_up.hi = NAN;
  return PARL_STATUS_OK;
}

parl_status parl_report_summarize_reached(const parl_report *r) {
  double *values = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &values));
  for (size_t a = 0; a < r->n_arms; a++) {
    PARL_TRY(
        PARL_ARENA_TAKE(r->arena, (1 + r->n_families) * PARL_REACH_TARGETS, &r->arms[a].reached));
    for (size_t f = 0; f <= r->n_families; f++)
      for (size_t t = 0; t < PARL_REACH_TARGETS; t++) {
        PARL_TRY(summarize_steps(r, a, f, t, values));
        PARL_TRY(summarize_speed_up(r, a, f, t, values));
      }
  }
  return PARL_STATUS_OK;
}

/* --- tables --- */

static void begin_table(const parl_report *r, const char *title, parl_table *t) {
  parl_table_init(t, r->arena, title, 3 + N_SHOWN, 2);
  parl_table_add(t, "on");
  parl_table_add(t, "policy");
  parl_table_add(t, "seeds");
  for (size_t i = 0; i < N_SHOWN; i++) parl_table_add(t, "%g", parl_reach_target(shown[i]));
}

void parl_report_make_reached(const parl_report *r, parl_table *t) {
  begin_table(r, "Critical steps to a mean r_perf (sampled)", t);
  t->note =
      "The least critical steps after which the mean of r_perf over held-out episodes is the "
      "target, interquartile mean over seeds [95 % interval]; an episode that ends counts on with "
      "what it has. \xE2\x89\xA5: some seed never gets there and counts with its longest episode.";
  for (size_t f = 0; f <= r->n_families; f++)
    for (size_t a = 0; a < r->n_arms; a++) {
      if (get(r, a, f, 0)->steps.n == 0) continue;
      parl_table_add(t, "%s", parl_report_get_family(r, f));
      parl_table_add(t, "%s", r->arms[a].name);
      parl_table_add(t, "%zu", get(r, a, f, 0)->steps.n);
      for (size_t i = 0; i < N_SHOWN; i++) {
        const parl_report_reached *x = get(r, a, f, shown[i]);
        parl_table_add_bounded(t, &x->steps, 2,
                               x->n_reached < x->steps.n ? PARL_BOUND_LEAST : PARL_BOUND_EXACT);
      }
    }
}

static bool has_speed_up(const parl_report *r, size_t arm, size_t family) {
  for (size_t i = 0; i < PARL_REACH_TARGETS; i++)
    if (get(r, arm, family, i)->speed_up.n > 0) return true;
  return false;
}

void parl_report_make_speed_up(const parl_report *r, parl_table *t) {
  begin_table(r, "Speed-up over working alone by target of the mean r_perf (sampled)", t);
  t->note =
      "Critical steps of the serial script to the target / those of the policy, by seed. "
      "\xE2\x89\xA5: the "
      "serial script never gets there; \xE2\x89\xA4: some seed of the policy does not; -: neither.";
  for (size_t f = 0; f <= r->n_families; f++)
    for (size_t a = 0; a < r->n_arms; a++) {
      if (!has_speed_up(r, a, f)) continue;
      parl_table_add(t, "%s", parl_report_get_family(r, f));
      parl_table_add(t, "%s", r->arms[a].name);
      parl_table_add(t, "%zu", get(r, a, f, 0)->steps.n);
      for (size_t i = 0; i < N_SHOWN; i++) {
        const parl_report_reached *x = get(r, a, f, shown[i]);
        parl_table_add_bounded(t, &x->speed_up, 2, x->speed_up_is);
      }
    }
}

/* --- figures --- */

/* Of all tasks: what is exact (kind: that bound), or, as a line of its own that begins at the last
 * exact point, a bound. */
static parl_status take_points(const parl_report *r, size_t arm, bool is_speed_up, parl_bound kind,
                               parl_summary **out, size_t *n) {
  PARL_TRY(PARL_ARENA_TAKE(r->arena, PARL_REACH_TARGETS, out));
  *n = 0;
  for (size_t i = 0; i < PARL_REACH_TARGETS; i++) {
    const parl_report_reached *x = get(r, arm, 0, i);
    const parl_bound is = is_speed_up                 ? x->speed_up_is
                          : x->n_reached < x->steps.n ? PARL_BOUND_LEAST
                                                      : PARL_BOUND_EXACT;
    const parl_summary *s = is_speed_up ? &x->speed_up : &x->steps;
    (*out)[i] = (parl_summary){NAN, NAN, NAN, NAN, 0};
    if (is != kind || s->n == 0) continue;
    if (*n == 0 && i > 0 && kind != PARL_BOUND_EXACT) {
      const parl_report_reached *before = get(r, arm, 0, i - 1);
      (*out)[i - 1] = is_speed_up ? before->speed_up : before->steps;
      (*out)[i - 1].lo = (*out)[i - 1].hi = NAN;
    }
    (*out)[i] = *s;
    (*n)++;
  }
  return PARL_STATUS_OK;
}

/* Same colour, another dash and marker. */
static const char *const suffixes[] = {
    [PARL_BOUND_EXACT] = "", [PARL_BOUND_LEAST] = ", at least", [PARL_BOUND_MOST] = ", at most"};

static parl_status name_series(const parl_report *r, size_t arm, parl_bound kind,
                               const char **out) {
  parl_text name = {0};
  parl_text_append(&name, r->arms[arm].name);
  parl_text_append(&name, suffixes[kind]);
  parl_status s = parl_text_status(&name);
  if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(&name), out);
  parl_text_deinit(&name);
  return s;
}

static parl_status append_figure(const parl_report *r, bool is_speed_up, parl_text *out) {
  parl_series *series = NULL;
  double x[PARL_REACH_TARGETS];
  size_t n = 0;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, 3 * r->n_arms + 1, &series));
  for (size_t i = 0; i < PARL_REACH_TARGETS; i++) x[i] = parl_reach_target(i);
  for (size_t a = 0; a < r->n_arms; a++)
    for (int kind = PARL_BOUND_EXACT; kind <= PARL_BOUND_MOST; kind++) {
      parl_summary *points;
      const char *name;
      size_t n_points;
      PARL_TRY(take_points(r, a, is_speed_up, (parl_bound)kind, &points, &n_points));
      if (n_points == 0) continue;
      PARL_TRY(name_series(r, a, (parl_bound)kind, &name));
      series[n++] = (parl_series){name, a + (size_t)kind * PARL_N_COLOURS, points};
    }
  if (n == 0) return PARL_STATUS_OK;
  const parl_line_chart chart = {
      .title = is_speed_up ? "Speed-up by target score" : "Critical steps to a score",
      .unit = is_speed_up ? "critical steps of working alone / of the policy" : "critical steps",
      .n_points = PARL_REACH_TARGETS,
      .n_series = n,
      .x = x,
      .x_name = "target of the mean r_perf",
      .series = series,
      .level = is_speed_up ? 1 : (double)NAN,
      .level_name = "alone",
      .digits = 2};
  parl_page_begin_figure(out, r, chart.title, chart.unit);
  PARL_TRY(parl_page_append_lines(out, r, &chart));
  PARL_TRY(
      parl_page_append_details(r, is_speed_up ? PARL_TABLE_SPEED_UP : PARL_TABLE_REACHED, out));
  parl_text_append(out, "</figure>\n");
  return PARL_STATUS_OK;
}

parl_status parl_report_append_speed(const parl_report *r, parl_text *out) {
  PARL_TRY(append_figure(r, false, out));
  return append_figure(r, true, out);
}

/* --- JSON --- */

static void write_values(parl_json_writer *w, const char *key, const parl_report *r, size_t arm,
                         size_t family, bool is_speed_up) {
  static const char *const names[] = {"iqm", "lo", "hi"};
  static const char *const bounds[] = {"exact", "at least", "at most"};
  parl_json_key(w, key);
  parl_json_begin_object(w);
  for (size_t k = 0; k < 3; k++) {
    parl_json_key(w, names[k]);
    parl_json_begin_array(w);
    for (size_t i = 0; i < PARL_REACH_TARGETS; i++) {
      const parl_report_reached *x = get(r, arm, family, i);
      const parl_summary *s = is_speed_up ? &x->speed_up : &x->steps;
      parl_json_number(w, k == 0 ? s->iqm : k == 1 ? s->lo : s->hi);
    }
    parl_json_end_array(w);
  }
  parl_json_key(w, is_speed_up ? "is" : "n_reached");
  parl_json_begin_array(w);
  for (size_t i = 0; i < PARL_REACH_TARGETS; i++) {
    if (is_speed_up)
      parl_json_string(w, bounds[get(r, arm, family, i)->speed_up_is]);
    else
      parl_json_integer(w, (int64_t)get(r, arm, family, i)->n_reached);
  }
  parl_json_end_array(w);
  parl_json_end_object(w);
}

void parl_report_write_reached(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "reached");
  parl_json_begin_object(w);
  parl_json_key(w, "r_perf");
  parl_json_begin_array(w);
  for (size_t i = 0; i < PARL_REACH_TARGETS; i++) parl_json_number(w, parl_reach_target(i));
  parl_json_end_array(w);
  parl_json_key(w, "arms");
  parl_json_begin_object(w);
  for (size_t a = 0; a < r->n_arms; a++) {
    parl_json_key(w, r->arms[a].name);
    parl_json_begin_object(w);
    for (size_t f = 0; f <= r->n_families; f++) {
      if (get(r, a, f, 0)->steps.n == 0) continue;
      parl_json_key(w, parl_report_get_family(r, f));
      parl_json_begin_object(w);
      parl_json_key(w, "n");
      parl_json_integer(w, (int64_t)get(r, a, f, 0)->steps.n);
      write_values(w, "critical_steps", r, a, f, false);
      if (has_speed_up(r, a, f)) write_values(w, "speed_up", r, a, f, true);
      parl_json_end_object(w);
    }
    parl_json_end_object(w);
  }
  parl_json_end_object(w);
  parl_json_end_object(w);
}
