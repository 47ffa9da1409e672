/* experiments/report_content.h - more of what a report says, each in a file of its own: episodes as
 * pictures, steps to a score.
 *
 * Thread rule: one thread per report. Reading order: any. */
#ifndef PARL_EXPERIMENTS_REPORT_CONTENT_H
#define PARL_EXPERIMENTS_REPORT_CONTENT_H
#include "experiments/report_internal.h"

/* --- figures of the page (report_html.c) --- */

/* <figure> and its caption; the caller closes it. */
void parl_page_begin_figure(parl_text *out, const parl_report *r, const char *title,
                            const char *unit);
/* The chart with its legend. */
parl_status parl_page_append_lines(parl_text *out, const parl_report *r, const parl_line_chart *c);
/* A figure of curves with the table of some points. */
parl_status parl_page_append_curves(const parl_report *r, const parl_line_chart *c, parl_text *out);
/* The table of a figure, folded. */
parl_status parl_page_append_details(const parl_report *r, parl_table_kind kind, parl_text *out);
/* "key": {"mean", "iqm", "lo", "hi", "n"} */
void parl_json_summary(parl_json_writer *w, const char *key, const parl_summary *s);
/* As a score of an arm: the finite ones of n values of seeds, which are moved to the front; n = 0
 * where none is. Fails: ENOMEM. */
parl_status parl_report_summarize_values(const parl_report *r, double *values, size_t n,
                                         parl_summary *out);

/* --- episodes as pictures --- */

/* While the store is read; run is of r->runs. Fail: ENOMEM; as the store does, EFORMAT. */
parl_status parl_report_note_episode(parl_report *r, const parl_report_run *run,
                                     const parl_episode_row *e);
/* Once all are noted: fills the arms' picks. */
parl_status parl_report_pick_episodes(parl_report *r, parl_store *const *stores);
/* The section of the page. Fails: EFORMAT if stored turns are none, ENOMEM. */
parl_status parl_report_append_episodes(const parl_report *r, parl_text *out);

/* --- what the forecast was worth (report_forecast.c) --- */

/* Runs of which a forecast was made; of them those that can be judged: the forecast said something
 * and the launch rate grew or fell beyond the noise; those it was right of, those that grew. */
typedef struct parl_forecast_score {
  size_t n_runs, n_judged, n_right, n_grew;
} parl_forecast_score;
/* Over the trained runs that count; family 0 is all tasks. */
parl_forecast_score parl_report_score_forecast(const parl_report *r, size_t family);
void parl_report_make_forecast(const parl_report *r, parl_table *out);
void parl_report_make_forecast_score(const parl_report *r, parl_table *out);

/* --- learning from documents (report_pretrain.c) --- */

/* Whether a metric is of pretraining, whose steps are no updates. */
bool parl_report_is_pretrain(const char *key);
/* A value of such a metric, whose key the survey found. */
void parl_report_read_pretrain(const parl_report *r, parl_report_run *run, const char *key,
                               int64_t step, double value);
void parl_report_make_pretrain(const parl_report *r, parl_table *out);
/* The section: the table, and the losses over steps; nothing where nobody was pretrained. */
parl_status parl_report_append_pretrain(const parl_report *r, parl_text *out);

/* --- critical steps to a score, and against a single agent (report_speed.c) --- */

/* Fills every arm's `reached`. Fails: ENOMEM. */
parl_status parl_report_summarize_reached(const parl_report *r);
void parl_report_make_reached(const parl_report *r, parl_table *out);
void parl_report_make_speed_up(const parl_report *r, parl_table *out);
/* The two figures; nothing where no episode's turns are known. */
parl_status parl_report_append_speed(const parl_report *r, parl_text *out);
void parl_report_write_reached(parl_json_writer *w, const parl_report *r);

/* --- the weight that terms really have (report_effective.c) --- */

void parl_report_make_effective(const parl_report *r, parl_table *out);
/* Shares of |advantage| of a trained arm, beside the weights; nothing where no share changes. */
parl_status parl_report_append_effective(const parl_report *r, size_t arm, parl_text *out);

/* --- the Pareto front (report_front.c) --- */

/* Adds an episode, whose script did not fail, to its octave; fills every arm's octaves. */
void parl_report_read_octave(const parl_report *r, parl_report_run *run, const parl_facts *facts);
parl_status parl_report_summarize_octaves(const parl_report *r);
void parl_report_make_front(const parl_report *r, parl_table *out);
/* A figure of all tasks, of each kind and of each octave. */
parl_status parl_report_append_fronts(const parl_report *r, parl_text *out);
void parl_report_write_fronts(parl_json_writer *w, const parl_report *r);

/* --- what it took (report_spent.c) --- */

/* A metric of an update; *updates [last_update + 1], for the caller to free, is made by the first
 * that says anything. Fails: ENOMEM. */
parl_status parl_report_read_spent(const parl_report *r, parl_spent_update **updates,
                                   int64_t update, const char *key, double value);
/* Once a run is read, its scores too: fills run->spent. Fails: EFORMAT, ENOMEM. */
parl_status parl_report_finish_spent(const parl_report *r, parl_report_run *run,
                                     const parl_spent_update *updates, double evaluate_s);
/* Fills every arm's `spent`. Fails: ENOMEM. */
parl_status parl_report_summarize_spent(const parl_report *r);
parl_status parl_report_make_spent(const parl_report *r, parl_table *out);
parl_status parl_report_make_spent_to(const parl_report *r, parl_table *out);
typedef void (*parl_spent_visitor)(void *context, const char *metric, const parl_summary *s);
/* Every number of an arm by the name that CSV and JSON give it. */
void parl_report_visit_spent(const parl_report_arm *arm, parl_spent_visitor visit, void *context);
void parl_report_write_spent(parl_json_writer *w, const parl_report *r);

#endif
