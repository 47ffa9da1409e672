/* core/status.h - what a fallible call returns, and the text that explains it.
 *
 * A fallible function returns a parl_status. On failure its out-parameters are untouched and the
 * calling thread's error text says what was wrong, with the offending value and the valid range.
 * Thread rule: the text belongs to the thread that failed; core/workers.h carries it across.
 * Reading order: the list, parl_fail, the three macros. */
#ifndef PARL_CORE_STATUS_H
#define PARL_CORE_STATUS_H

/* One list makes the enum, the names and docs/errors.md. X(name, value, meaning). */
#define PARL_STATUS_LIST(X)                                                                        \
  X(OK, 0, "done")                                                                                 \
  X(EINVAL, 1, "an argument or a field of a recipe is unknown, of the wrong type or out of range") \
  X(ENOMEM, 2, "memory is exhausted")                                                              \
  X(EIO, 3, "reading or writing a file failed (missing, full disk, permission)")                   \
  X(EFORMAT, 4, "a file is truncated, foreign or of another schema version")                       \
  X(ESCRIPT, 5, "a Lua script failed, or broke the environment contract")                          \
  X(ELIMIT, 6, "a script ran out of its time, instructions or memory")                             \
  X(ESTORE, 7, "the run database refused an operation")                                            \
  X(ESTOPPED, 8, "stopped on request; the same command continues")                                 \
  X(ESTATE, 9, "the operation does not fit the object's present state")                            \
  X(ECLAIMED, 10, "another process works on this run now")                                         \
  X(EPLAYER, 11, "a player gave no answer, or one that is not allowed")

typedef enum parl_status {
#define X(name, value, meaning) PARL_STATUS_##name = value,
  PARL_STATUS_LIST(X)
#undef X
} parl_status;

/* Borrowed name ("EINVAL") and meaning of a status; "?" for a value outside the list. */
const char *parl_status_name(parl_status s);
const char *parl_status_meaning(parl_status s);

/* Sets the calling thread's error text (printf format, cut at 4095 bytes) and returns `s`. */
parl_status parl_fail(parl_status s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " in front of the present error text and returns `s` unchanged; a no-op for OK. */
parl_status parl_fail_context(parl_status s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "no memory for " and the sizes that asked for it, by the names they have for a user, in
 * front of the present error text if s is ENOMEM; returns `s` unchanged. */
parl_status parl_fail_sizes(parl_status s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Borrowed text of the calling thread's last failure; "" if none. Valid until its next failure. */
const char *parl_error_text(void);

/* Our bug: prints file:line and the condition on stderr and aborts. Use PARL_CHECK. */
_Noreturn void parl_abort(const char *file, int line, const char *condition);

/* Forwards a failure. */
#define PARL_TRY(call)                                     \
  do {                                                     \
    const parl_status try_status_ = (call);                \
    if (try_status_ != PARL_STATUS_OK) return try_status_; \
  } while (0)

/* The caller's mistake: EINVAL with the condition's text. Live in release builds. */
#define PARL_REQUIRE(condition)                                                             \
  do {                                                                                      \
    if (!(condition))                                                                       \
      return parl_fail(PARL_STATUS_EINVAL, "%s: requires %s (%s:%d)", __func__, #condition, \
                       __FILE__, __LINE__);                                                 \
  } while (0)

/* Our bug: aborts. Live in release builds; the condition never contains work. */
#define PARL_CHECK(condition)                                     \
  do {                                                            \
    if (!(condition)) parl_abort(__FILE__, __LINE__, #condition); \
  } while (0)

#endif
