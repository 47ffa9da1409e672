/* core/log.h - what a library has to say goes to a sink that the program chooses; without one, nowhere.
 * A logger is passed down, never global. Thread rule: the sink is called under the logger's mutex. */
#ifndef PARL_CORE_LOG_H
#define PARL_CORE_LOG_H
#include <pthread.h>

typedef enum parl_log_level { PARL_LOG_DEBUG, PARL_LOG_INFO, PARL_LOG_WARNING } parl_log_level;
typedef void (*parl_log_sink)(void *context, parl_log_level level, const char *text);

typedef struct parl_log {
  parl_log_sink sink; /* NULL: silent */
  void *context;
  parl_log_level level; /* least level that is passed on */
  pthread_mutex_t mutex;
} parl_log;

void parl_log_init(parl_log *log, parl_log_sink sink, void *context, parl_log_level level);
void parl_log_deinit(parl_log *log);
/* `log` may be NULL. One line without newline. */
void parl_log_write(parl_log *log, parl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
