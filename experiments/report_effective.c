/* experiments/report_effective.c - the weight that a term really has: its share of |advantage|
 * beside lambda(t). */
#include "experiments/report_content.h"

static const parl_summary *get_curve(const parl_report *r, size_t arm, size_t term,
                                     parl_term_curve kind) {
  return r->arms[arm].curves[parl_report_term_curve(term, kind)];
}

/* Whether a curve is ever other than 0: a term may be off. */
static bool is_used(const parl_report *r, const parl_summary *curve) {
  for (size_t i = 0; i < r->n_points; i++)
    if (curve[i].n > 0 && curve[i].mean != 0) return true;
  return false;
}

/* --- the table --- */

typedef struct effective {
  double first_weight, first_share; /* at the first point with a weight */
  double weight, share;             /* means over the points with a weight and a share */
  double most_share, most_at;       /* the greatest share, and its update */
} effective;

static effective get_effective(const parl_report *r, size_t arm, size_t term) {
  const parl_summary *weight = get_curve(r, arm, term, PARL_TERM_CURVE_WEIGHT);
  const parl_summary *share = get_curve(r, arm, term, PARL_TERM_CURVE_SHARE);
  effective e = {NAN, NAN, 0, 0, NAN, NAN};
  double n = 0;
  for (size_t i = 0; i < r->n_points; i++) {
    if (weight[i].n == 0 || share[i].n == 0 || weight[i].mean == 0) continue;
    if (n == 0) e.first_weight = weight[i].iqm;
    if (n == 0) e.first_share = share[i].iqm;
    e.weight += weight[i].iqm;
    e.share += share[i].iqm;
    n++;
    if (share[i].iqm <= e.most_share) continue;
    e.most_share = share[i].iqm;
    e.most_at = r->x[i];
  }
  e.weight /= n;
  e.share /= n;
  return e;
}

void parl_report_make_effective(const parl_report *r, parl_table *t) {
  static const char *const heads[] = {"policy",         "term",          "\xCE\xBB at first",
                                      "share at first", "mean \xCE\xBB", "mean share",
                                      "most share",     "at update"};
  enum { N = sizeof heads / sizeof heads[0] };
  parl_table_init(t, r->arena, "Effective \xCE\xBB: what shaping makes of |advantage|", N, 2);
  t->note =
      "Over the points of the curves at which the term has a weight; share: of |advantage|, "
      "interquartile mean over seeds. A share far above \xCE\xBB teaches more than the weight "
      "says: "
      "the term varies more than r_perf within a group.";
  for (size_t i = 0; i < N; i++) parl_table_add(t, "%s", heads[i]);
  for (size_t a = 0; a < r->n_trained; a++)
    for (size_t k = 0; k < r->n_terms; k++) {
      const effective e = get_effective(r, a, k);
      if (k == PARL_TERM_perf || isnan(e.first_share)) continue;
      parl_table_add(t, "%s", r->arms[a].name);
      parl_table_add(t, "r_%s", r->terms[k].name);
      parl_table_add_number(t, e.first_weight, 3);
      parl_table_add_number(t, e.first_share, 3);
      parl_table_add_number(t, e.weight, 3);
      parl_table_add_number(t, e.share, 3);
      parl_table_add_number(t, e.most_share, 3);
      parl_table_add_number(t, e.most_at, e.most_at != floor(e.most_at));
    }
}

/* --- the figure --- */

static parl_status join(const parl_report *r, const char *what, const char *of, const char **out) {
  parl_text name = {0};
  parl_text_appendf(&name, "%s%s", what, of);
  parl_status s = parl_text_status(&name);
  if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(&name), out);
  parl_text_deinit(&name);
  return s;
}

/* The shares of the terms that have any, then the weights of those but r_perf, as they are. */
static parl_status take_series(const parl_report *r, size_t arm, parl_series *series, size_t *n,
                               size_t *n_weights) {
  *n = *n_weights = 0;
  for (size_t k = 0; k < r->n_terms; k++) {
    const parl_summary *share = get_curve(r, arm, k, PARL_TERM_CURVE_SHARE);
    const char *name;
    if (!is_used(r, share)) continue;
    PARL_TRY(join(r, "share of r_", r->terms[k].name, &name));
    series[(*n)++] = (parl_series){name, k, share};
  }
  for (size_t k = 0; k < r->n_terms; k++) {
    const size_t curve = parl_report_term_curve(k, PARL_TERM_CURVE_WEIGHT);
    const parl_summary *weight = r->arms[arm].curves[curve];
    if (k == PARL_TERM_perf || !is_used(r, weight)) continue;
    series[(*n)++] = (parl_series){r->curve_infos[curve].title, k + PARL_N_COLOURS, weight};
    (*n_weights)++;
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_append_effective(const parl_report *r, size_t arm, parl_text *out) {
  parl_series *series = NULL;
  size_t n = 0, n_weights = 0;
  bool changes = false;
  const char *title;
  PARL_TRY(join(r, "Effective \xCE\xBB: ", r->arms[arm].name, &title));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, 2 * r->n_terms, &series));
  PARL_TRY(take_series(r, arm, series, &n, &n_weights));
  const parl_line_chart chart = {.title = title,
                                 .unit =
                                     "shares of |advantage| by term, "
                                     "beside \xCE\xBB(t)",
                                 .n_points = r->n_points,
                                 .n_series = n,
                                 .x = r->x,
                                 .x_name = "update",
                                 .series = series,
                                 .is_noisy = true,
                                 .n_exact = n_weights,
                                 .level = NAN,
                                 .digits = 3};
  for (size_t i = 0; i + n_weights < n; i++) {
    parl_line_chart alone = chart;
    alone.n_series = 1;
    alone.series = &series[i];
    changes = changes || parl_chart_is_informative(&alone);
  }
  return changes ? parl_page_append_curves(r, &chart, out) : PARL_STATUS_OK;
}
