/* experiments/dashboard.h - one screen about a training or a sweep: what is known of it, and its
 * lines for a terminal of any size.
 *
 * Keeps of every run that is being made a thinned history of a few metrics; the caller has the
 * terminal. Thread rule: one thread at a time. Reading order: init, add, warn, append, deinit. */
#ifndef PARL_EXPERIMENTS_DASHBOARD_H
#define PARL_EXPERIMENTS_DASHBOARD_H
#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"
#include "parl/swarm/host.h"

typedef struct parl_dashboard parl_dashboard;

enum {
  PARL_DASHBOARD_LEAST_COLUMNS = 60, /* of less, or fewer rows, there is one line only */
  PARL_DASHBOARD_LEAST_ROWS = 12
};

/* title is copied. *out is owned by the caller. Fails: ENOMEM. */
parl_status parl_dashboard_create(const char *title, double now_s, parl_dashboard **out);
/* NULL-safe. */
void parl_dashboard_destroy(parl_dashboard *d);

/* A run got on. What there is no memory for is left out. */
void parl_dashboard_add(parl_dashboard *d, const parl_progress *p, double now_s);
/* A warning: the last few are shown. */
void parl_dashboard_warn(parl_dashboard *d, const char *text);
/* Whether anything was added yet. */
bool parl_dashboard_is_empty(const parl_dashboard *d);

/* Appends lines, each with its line end, `rows` of them at most, of fewer than `columns` letters.
 * colour: with the terminal's colours. Fails: by parl_text_status. */
void parl_dashboard_append(const parl_dashboard *d, size_t columns, size_t rows, bool colour,
                           double now_s, parl_text *out);
/* One line without its end, of at most `width` columns: what does not fit is left out from its
 * end. */
void parl_progress_append(const parl_progress *p, size_t width, parl_text *out);

#endif
