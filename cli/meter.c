/* cli/meter.c - drawing over what was drawn. */
#include "cli/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

enum { DEFAULT_COLUMNS = 80, DEFAULT_ROWS = 24, LOG_WIDTH = 160, MOST_COLUMNS = 200 };
static const double LOG_S = 5;
static const long DRAW_NS = 250000000;

bool cli_meter_check(const cli_args *args) {
  const bool is_screen = args->live != NULL && strcmp(args->live, "screen") == 0;
  if (args->live != NULL && args->quiet)
    cli_usage("--quiet and --live %s exclude each other", args->live);
  else if (is_screen && !cli_is_interactive())
    cli_usage("--live screen: standard error is no terminal that can show it");
  else
    return true;
  return false;
}

/* --- the terminal --- */

/* Asked for every time, for windows change. */
static void get_size(size_t *columns, size_t *rows) {
  struct winsize size;
  *columns = DEFAULT_COLUMNS;
  *rows = DEFAULT_ROWS;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2 || size.ws_row < 1) return;
  *columns = size.ws_col < MOST_COLUMNS ? size.ws_col : MOST_COLUMNS;
  *rows = size.ws_row;
}

/* Rows that what is drawn takes by now: a terminal that became narrower has broken its lines. */
static size_t count_rows(const cli_meter *m, size_t columns) {
  size_t n = 0;
  for (size_t i = 0; i < m->n_lines; i++)
    n += m->widths[i] > columns ? (m->widths[i] + columns - 1) / columns : 1;
  return n;
}

/* To the first column of the first line that is drawn, and wipes from there on. */
static void append_wipe(const cli_meter *m, size_t columns, parl_text *out) {
  const size_t n = count_rows(m, columns);
  if (n == 0) return;
  parl_text_appendf(out, "\r\x1b[%zuA\x1b[J", n);
}

/* Columns of a line, whose escape sequences take none. */
static unsigned short get_width(const char *line, size_t n) {
  unsigned short width = 0;
  for (size_t i = 0; i < n; i++) {
    if (line[i] == '\x1b')
      while (i + 1 < n && line[i] != 'm') i++;
    else
      width = (unsigned short)(width + (((unsigned char)line[i] & 0xC0) != 0x80));
  }
  return width;
}

static void note_lines(cli_meter *m, const char *text) {
  m->n_lines = 0;
  while (*text != '\0' && m->n_lines < sizeof m->widths / sizeof m->widths[0]) {
    const size_t n = strcspn(text, "\n");
    m->widths[m->n_lines++] = get_width(text, n);
    text += n + (text[n] == '\n');
  }
}

/* In one write. */
static void put(parl_text *text) {
  if (parl_text_status(text) == PARL_STATUS_OK && text->n > 0) {
    fwrite(text->bytes, 1, text->n, stderr);
    fflush(stderr);
  }
  parl_text_deinit(text);
}

static bool has_colour(void) {
  const char *no = getenv("NO_COLOR");
  return no == NULL || no[0] == '\0';
}

/* Wipes what is there, says `line` above it if there is one, and draws. */
static void draw(cli_meter *m, const char *line) {
  size_t columns, rows;
  parl_text out = {0}, screen = {0};
  get_size(&columns, &rows);
  append_wipe(m, columns, &out);
  if (line != NULL) parl_text_appendf(&out, "%s\n", line);
  if (m->is_line) rows = 1;
  if (!m->is_over && !parl_dashboard_is_empty(m->dashboard))
    parl_dashboard_append(m->dashboard, columns, rows > 1 ? rows - 1 : 1, has_colour(),
                          parl_clock_s(), &screen);
  note_lines(m, parl_text_get(&screen));
  parl_text_append(&out, parl_text_get(&screen));
  parl_text_deinit(&screen);
  put(&out);
}

static void *keep_drawing(void *context) {
  cli_meter *m = context;
  pthread_mutex_lock(&m->mutex);
  while (!m->is_over) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += DRAW_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&m->changed, &m->mutex, &until);
    if (!m->is_over) draw(m, NULL);
  }
  pthread_mutex_unlock(&m->mutex);
  return NULL;
}

/* --- from outside --- */

/* A line of the log, or of a script. */
static void on_log(void *context, parl_log_level level, const char *text) {
  cli_meter *m = context;
  parl_text line = {0};
  parl_text_appendf(&line, "%s%s", level == PARL_LOG_WARNING ? "warning: " : "", text);
  pthread_mutex_lock(&m->mutex);
  if (level == PARL_LOG_WARNING) parl_dashboard_warn(m->dashboard, text);
  draw(m, parl_text_get(&line));
  pthread_mutex_unlock(&m->mutex);
  parl_text_deinit(&line);
}

void cli_meter_init(cli_meter *m, const cli_args *args, const char *title) {
  *m = (cli_meter){.interactive = cli_is_interactive() && !args->quiet,
                   .is_line = args->live != NULL && strcmp(args->live, "line") == 0};
  pthread_mutex_init(&m->mutex, NULL);
  pthread_cond_init(&m->changed, NULL);
  if (!m->interactive) return;
  if (parl_dashboard_create(title, parl_clock_s(), &m->dashboard) != PARL_STATUS_OK) return;
  m->has_drawer = pthread_create(&m->drawer, NULL, keep_drawing, m) == 0;
  if (m->has_drawer) cli_set_log_sink(on_log, m);
}

void cli_meter_deinit(cli_meter *m) {
  cli_set_log_sink(NULL, NULL);
  pthread_mutex_lock(&m->mutex);
  m->is_over = true;
  pthread_cond_signal(&m->changed);
  pthread_mutex_unlock(&m->mutex);
  if (m->has_drawer) {
    pthread_join(m->drawer, NULL);
    draw(m, NULL);
  }
  parl_dashboard_destroy(m->dashboard);
  pthread_cond_destroy(&m->changed);
  pthread_mutex_destroy(&m->mutex);
}

void cli_meter_on_progress(void *context, const parl_progress *p) {
  cli_meter *m = context;
  pthread_mutex_lock(&m->mutex);
  const double now = parl_clock_s();
  if (m->dashboard != NULL) parl_dashboard_add(m->dashboard, p, now);
  if (!m->interactive && now - m->last_s >= LOG_S) {
    parl_text line = {0};
    parl_progress_append(p, LOG_WIDTH, &line);
    parl_text_append(&line, "\n");
    put(&line);
    m->last_s = now;
  }
  pthread_mutex_unlock(&m->mutex);
}
