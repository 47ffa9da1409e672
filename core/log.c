/* core/log.c - one formatted line to the program's sink. */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES = 4096 };

void parl_log_init(parl_log *log, parl_log_sink sink, void *context, parl_log_level level) {
  *log = (parl_log){.sink = sink, .context = context, .level = level};
  pthread_mutex_init(&log->mutex, NULL);
}

void parl_log_deinit(parl_log *log) {
  pthread_mutex_destroy(&log->mutex);
}

void parl_log_write(parl_log *log, parl_log_level level, const char *format, ...) {
  if (log == NULL || log->sink == NULL || level < log->level) return;
  char line[LINE_BYTES] = "";
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  for (char *c = line; *c != '\0'; c++)
    if (*c == '\n' || *c == '\r') *c = ' ';
  pthread_mutex_lock(&log->mutex);
  log->sink(log->context, level, line);
  pthread_mutex_unlock(&log->mutex);
}
