/* core/energy.c - files of one number each. */
#include "core/energy.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Whether there is such a number. Nothing is allocated: an update calls it. */
static bool read_number(const char *folder, size_t package, const char *name, double *out) {
  char path[4096], text[64];
  const int n = snprintf(path, sizeof path, "%s/intel-rapl:%zu/%s", folder, package, name);
  if (n < 0 || (size_t)n >= sizeof path) return false;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t n_read = read(file, text, sizeof text - 1);
  close(file);
  if (n_read <= 0) return false;
  char *end;
  text[n_read] = '\0';
  *out = strtod(text, &end);
  return end != text && isfinite(*out) && *out >= 0;
}

parl_energy parl_energy_read(const char *folder) {
  parl_energy e = {.n = 0};
  while (e.n < PARL_ENERGY_MAX_PACKAGES && read_number(folder, e.n, "energy_uj", &e.used[e.n]) &&
         read_number(folder, e.n, "max_energy_range_uj", &e.range[e.n]))
    e.n++;
  return e;
}

double parl_energy_between(const parl_energy *before, const parl_energy *after) {
  double sum = 0;
  if (before->n == 0 || after->n != before->n) return (double)NAN;
  for (size_t i = 0; i < before->n; i++) {
    const double used = after->used[i] - before->used[i];
    sum += used < 0 ? used + after->range[i] : used;
  }
  return sum / 1e6;
}
