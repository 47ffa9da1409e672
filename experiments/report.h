/* experiments/report.h - the ablation report of one run folder or of several.
 *
 * report.html (self-contained, opens offline), report.json, report.md, report.tex (tables) and,
 * to load elsewhere, report.csv, report_seeds.csv and report_curves.csv, all of the same numbers;
 * where they are wanted, the figures as SVG in report_figures/. Reads the stores, never the
 * trainer. Thread rule: one thread per call. */
#ifndef PARL_EXPERIMENTS_REPORT_H
#define PARL_EXPERIMENTS_REPORT_H
#include <stdbool.h>

#include "core/text.h"
#include "experiments/timeline.h"
#include "parl/run/rows.h"

/* Folder of the figures, in that of the report. */
#define PARL_REPORT_FIGURES "report_figures"

/* Plays a sampled episode of a held-out task again and adds what was called and said in it to its
 * picture; note gets where that comes from, or why there is none. A failure ends the report. */
typedef parl_status (*parl_report_player)(void *context, const char *folder, const char *arm,
                                          int64_t seed, int64_t task, parl_timeline *picture,
                                          parl_text *note);

typedef struct parl_report_request {
  const char *const *folders; /* [n_folders >= 1] of runs */
  size_t n_folders;
  const char *out;       /* folder of the files, made if it is absent; NULL: the only one */
  const char *reference; /* policy that differences are taken from; NULL: the first trained one
                            whose lambda1, lambda2 and the weights of the recipe's own terms are 0
                            throughout, or else the first trained one */
  bool with_figures;
  parl_report_player play; /* of the median and the worst episode of every policy; NULL: the
                              pictures are without messages */
  void *play_context;
  bool plain; /* report.html without the scripts that draw its charts anew */
} parl_report_request;

/* Builds all of them from folder/store.db of each folder and writes each atomically. table (may be
 * NULL) gets the plain text that the program prints appended. Only runs whose status is "done"
 * enter a number; the others are listed. An arm that is the same in two folders but for its seeds
 * is one; arms of one name that are not get the folder's name behind theirs; a run that two folders
 * have counts once. Fails: EINVAL (no policy of that reference has a run that is done, several
 * folders and no out, runs that chose the points of a sweep beside others), EIO (no store, folder
 * not writable), EFORMAT (not a store, or a store without runs), ESTORE, ENOMEM. */
parl_status parl_report_make(const parl_report_request *request, parl_text *table);

/* The same of one folder, into it, without figures. */
parl_status parl_report_write(const char *folder, parl_text *table);

#endif
