/* core/energy.h - energy of the processors, where the kernel lets one read it; never an input of a
 * result.
 *
 * RAPL's counters: one a processor package (a folder intel-rapl:N whose name is package-M), of
 * everything that runs on it.
 * Thread rule: pure but for the counters. Source: Linux, Documentation/power/powercap. */
#ifndef PARL_CORE_ENERGY_H
#define PARL_CORE_ENERGY_H
#include <stddef.h>

#define PARL_ENERGY_FOLDER "/sys/class/powercap"
enum { PARL_ENERGY_MAX_PACKAGES = 16 };

typedef struct parl_energy {
  size_t n; /* packages; 0: not readable */
  double used[PARL_ENERGY_MAX_PACKAGES], range[PARL_ENERGY_MAX_PACKAGES]; /* microjoules */
} parl_energy;

/* The counters under a folder. */
parl_energy parl_energy_read(const char *folder);
/* Joules between two readings, in which each counter came around once at most; NaN: not known. */
double parl_energy_between(const parl_energy *before, const parl_energy *after);

#endif
