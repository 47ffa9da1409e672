/* core/log.h - what a library has to say goes to a sink that the program chooses.
 *
 * Without a sink it goes nowhere. A logger is passed down, never global.
 * Thread rule: write from any thread; the sink is called under the logger's mutex, so it must not
 * write to the same logger. Reading order: init, write. */
#ifndef PARL_CORE_LOG_H
#define PARL_CORE_LOG_H
#include <pthread.h>

typedef enum parl_log_level { PARL_LOG_DEBUG, PARL_LOG_INFO, PARL_LOG_WARNING } parl_log_level;

/* Takes one line; `text` is borrowed for the call and has no newline. */
typedef void (*parl_log_sink)(void *context, parl_log_level level, const char *text);

typedef struct parl_log {
  parl_log_sink sink;    /* NULL: silent */
  void *context;         /* borrowed, handed to the sink */
  parl_log_level level;  /* least level that is passed on */
  pthread_mutex_t mutex; /* held while the sink runs */
} parl_log;

/* Fills the caller's storage. */
void parl_log_init(parl_log *log, parl_log_sink sink, void *context, parl_log_level level);
void parl_log_deinit(parl_log *log);

/* One line (printf format, cut at 4095 bytes); line breaks in it become blanks. log may be NULL. */
void parl_log_write(parl_log *log, parl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
