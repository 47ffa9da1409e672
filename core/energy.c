/* core/energy.c - files of one number each. */
#include "core/energy.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 64 };

/* Whether there is such a text. Nothing is allocated: an update calls it. */
static bool read_text(const char *folder, size_t zone, const char *name, char text[TEXT_BYTES]) {
  char path[4096];
  const int n = snprintf(path, sizeof path, "%s/intel-rapl:%zu/%s", folder, zone, name);
  if (n < 0 || (size_t)n >= sizeof path) return false;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t n_read = read(file, text, TEXT_BYTES - 1);
  close(file);
  text[n_read > 0 ? n_read : 0] = '\0';
  return n_read > 0;
}

static bool read_number(const char *folder, size_t zone, const char *name, double *out) {
  char text[TEXT_BYTES], *end;
  if (!read_text(folder, zone, name, text)) return false;
  *out = strtod(text, &end);
  return end != text && isfinite(*out) && *out >= 0;
}

/* psys is a zone, too, and has what the packages use in it. */
parl_energy parl_energy_read(const char *folder) {
  static const char package[] = "package-";
  parl_energy e = {.n = 0};
  char name[TEXT_BYTES];
  for (size_t zone = 0; e.n < PARL_ENERGY_MAX_PACKAGES && read_text(folder, zone, "name", name);
       zone++) {
    if (strncmp(name, package, sizeof package - 1) != 0) continue;
    if (!read_number(folder, zone, "energy_uj", &e.used[e.n]) ||
        !read_number(folder, zone, "max_energy_range_uj", &e.range[e.n]))
      break;
    e.n++;
  }
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
