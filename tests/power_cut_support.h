/* tests/power_cut_support.h - a file layer under SQLite that knows what would be left after a power
 * cut.
 *
 * It passes everything on to the real one, and remembers of each file what the last sync put on the
 * disk and what was written since. Files of core/file are whole on the disk when they have their
 * name, so they are taken as they are.
 * Thread rule: SQLite's calls may come from any thread; one test at a time. */
#ifndef PARL_TESTS_POWER_CUT_SUPPORT_H
#define PARL_TESTS_POWER_CUT_SUPPORT_H
#include <stdint.h>

/* What a cut leaves of the writes after a file's last sync: none, or each with an even chance. */
typedef enum power_cut_loss { POWER_CUT_ALL, POWER_CUT_SOME } power_cut_loss;

/* Called before a write, sync, truncation or removal of a file; the n-th since the start. */
typedef void (*power_cut_hook)(void *context, int64_t n);

/* Puts the layer under every connection opened from now on. */
void power_cut_start(power_cut_hook hook, void *context);

/* Writes what a cut at this moment would leave of the database files into folder `to`. */
void power_cut_leave(const char *to, power_cut_loss loss, uint64_t seed);

/* Takes the layer away; its connections must be closed. */
void power_cut_stop(void);

#endif
