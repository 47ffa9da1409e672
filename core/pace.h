/* core/pace.h - whether a long piece of work may go on.
 *
 * Who lends work to others that must be stoppable gives them a pace, which they ask about once a
 * millisecond or more often. */
#ifndef PARL_CORE_PACE_H
#define PARL_CORE_PACE_H
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

typedef struct parl_pace {
  /* `work` counts elementary steps since it was asked last, roughly */
  bool (*may_go_on)(void *data, double work);
  void *data;
} parl_pace;

/* Asks; NULL: it may. Fails: ESTOPPED. */
static inline parl_status parl_pace_go_on(const parl_pace *pace, double work) {
  if (pace == NULL || pace->may_go_on(pace->data, work)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ESTOPPED, "stopped at its work");
}

#endif
