/* experiments/report.h - the ablation report of a run folder.
 *
 * report.html (self-contained, opens offline), report.json, report.md and, to load elsewhere,
 * report.csv, report_seeds.csv and report_curves.csv, all of the same numbers. Reads the store,
 * never the trainer. Thread rule: one thread per call. */
#ifndef PARL_EXPERIMENTS_REPORT_H
#define PARL_EXPERIMENTS_REPORT_H
#include "core/text.h"
#include "parl/run/rows.h"

/* Builds all of them from folder/store.db and writes them atomically into the folder. table (may be
 * NULL) gets the plain text that the program prints appended. Only runs whose status is "done"
 * enter a number; the others are listed. Differences are taken from the first trained policy whose
 * lambda1, lambda2 and the weights of the recipe's own terms are 0 throughout, or else from the
 * first trained one. Fails: EIO (no store, folder not writable), EFORMAT (not a store, or a store
 * without runs), ESTORE, ENOMEM. */
parl_status parl_report_write(const char *folder, parl_text *table);

/* The same with differences from the policy of this name; NULL: as above. Fails: EINVAL too, if no
 * policy of that name has a run that is done. */
parl_status parl_report_write_against(const char *folder, const char *reference, parl_text *table);

#endif
