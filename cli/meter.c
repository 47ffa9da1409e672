/* cli/meter.c - the line of progress. */
#include "cli/meter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/clock.h"

enum { DEFAULT_WIDTH = 80, LOG_WIDTH = 160, PART_BYTES = 256, N_PARTS = 7 };

/* Columns of a text, a code point each. */
static size_t count_columns(const char *s) {
  size_t n = 0;
  for (; *s != '\0'; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
  return n;
}

static void format_left(double s, char out[PART_BYTES]) {
  out[0] = '\0';
  if (!(s >= 0 && s < 1e8)) return;
  const long whole = (long)s;
  if (whole < 3600)
    snprintf(out, PART_BYTES, "  %ld:%02ld left", whole / 60, whole % 60);
  else
    snprintf(out, PART_BYTES, "  %ldh%02ld left", whole / 3600, whole / 60 % 60);
}

/* From what one wants to know most to what one misses least. */
static void format_parts(const parl_progress *p, char parts[N_PARTS][PART_BYTES]) {
  const bool is_warm = p->arm[0] == '\0';
  snprintf(parts[0], PART_BYTES, "%zu/%zu runs", p->n_cells_done, p->n_cells);
  snprintf(parts[1], PART_BYTES, " %3.0f%%", 100 * p->share);
  format_left(p->left_s, parts[2]);
  snprintf(parts[3], PART_BYTES, "  %.200s s%lld %lld/%lld", is_warm ? p->phase : p->arm,
           (long long)p->seed, (long long)p->done, (long long)p->n);
  for (int i = 4; i < N_PARTS; i++) parts[i][0] = '\0';
  if (!isfinite(p->r_perf)) return;
  snprintf(parts[4], PART_BYTES, "  r_perf %.3f", p->r_perf);
  snprintf(parts[5], PART_BYTES, "  critical %.1f", p->critical_steps);
  snprintf(parts[6], PART_BYTES, "  launch %.0f%%", 100 * p->launch_rate);
}

void cli_meter_append(const parl_progress *p, size_t width, parl_text *out) {
  char parts[N_PARTS][PART_BYTES];
  size_t used = 0;
  format_parts(p, parts);
  for (int i = 0; i < N_PARTS; i++) {
    const size_t n = count_columns(parts[i]);
    if (used + n > width) return;
    used += n;
    parl_text_append(out, parts[i]);
  }
}

/* Asked for every time, for windows change. The last column stays free: some terminals wrap. */
static size_t get_width(const cli_meter *m) {
  struct winsize size;
  if (!m->interactive) return LOG_WIDTH;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return DEFAULT_WIDTH - 1;
  return (size_t)size.ws_col - 1;
}

void cli_meter_init(cli_meter *m) {
  *m = (cli_meter){.interactive = cli_is_interactive()};
  pthread_mutex_init(&m->mutex, NULL);
}

void cli_meter_deinit(cli_meter *m) {
  if (m->interactive && m->last_s > 0) fputs("\r\033[K", stderr);
  pthread_mutex_destroy(&m->mutex);
}

void cli_meter_on_progress(void *context, const parl_progress *p) {
  cli_meter *m = context;
  pthread_mutex_lock(&m->mutex);
  const double now = parl_clock_s();
  if (now - m->last_s >= (m->interactive ? 0.25 : 5.0)) {
    parl_text line = {0};
    cli_meter_append(p, get_width(m), &line);
    fprintf(stderr, "%s%s%s", m->interactive ? "\r\033[K" : "", parl_text_get(&line),
            m->interactive ? "" : "\n");
    fflush(stderr);
    parl_text_deinit(&line);
    m->last_s = now;
  }
  pthread_mutex_unlock(&m->mutex);
}
