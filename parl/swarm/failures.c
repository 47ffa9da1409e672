/* parl/swarm/failures.c - counting what failed. */
#include "parl/swarm/failures.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"

static const char *const phase_texts[] = {
#define X(name, text) text,
    PARL_PHASE_LIST(X)
#undef X
};

const char *parl_phase_text(parl_phase phase) {
  return phase_texts[phase];
}

void parl_failures_add(parl_failures *f, const parl_rollout *rollout) {
  int64_t n, n_failed;
  const char *error = parl_rollout_get_failures(rollout, &n, &n_failed);
  if (f->n_failed == 0 && n_failed > 0) snprintf(f->error, sizeof f->error, "%s", error);
  f->n += n;
  f->n_failed += n_failed;
}

parl_status parl_failures_check(const parl_failures *f, double max_share, parl_phase phase,
                                bool has_ended) {
  if (!has_ended && f->n < PARL_FAILURES_JUDGED) return PARL_STATUS_OK;
  if (!((double)f->n_failed > max_share * (double)f->n)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ESCRIPT,
                   "%lld of %lld episodes of the %s failed, more than env.max_failures = %.4g "
                   "allows; the first: %s",
                   (long long)f->n_failed, (long long)f->n, parl_phase_text(phase), max_share,
                   f->error);
}

void parl_failures_write(const parl_failures *f, parl_json_writer *w) {
  parl_json_begin_object(w);
  parl_json_key(w, "episodes");
  parl_json_integer(w, f->n);
  parl_json_key(w, "failed");
  parl_json_integer(w, f->n_failed);
  parl_json_key(w, "error");
  parl_json_string(w, f->error);
  parl_json_end_object(w);
}

static bool is_count(const parl_json *node) {
  if (node == NULL || parl_json_get_type(node) != PARL_JSON_NUMBER) return false;
  const double x = parl_json_get_number(node);
  return x >= 0 && x <= 0x1p53;
}

parl_status parl_failures_read(const parl_json *object, const char *source, parl_failures *out) {
  const parl_json *n = parl_json_find(object, "episodes");
  const parl_json *failed = parl_json_find(object, "failed");
  const char *error = parl_json_get_string(parl_json_find(object, "error"));
  if (!is_count(n) || !is_count(failed) || error == NULL)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: does not say which episodes failed", source);
  out->n = (int64_t)parl_json_get_number(n);
  out->n_failed = (int64_t)parl_json_get_number(failed);
  snprintf(out->error, sizeof out->error, "%s", error);
  return PARL_STATUS_OK;
}

void parl_failures_warn(const parl_failures *f, parl_log *log, const char *who, parl_phase phase) {
  if (f->n_failed == 0) return;
  parl_log_write(log, PARL_LOG_WARNING,
                 "%s: %lld of %lld episodes of the %s failed and are left out; the first: %s", who,
                 (long long)f->n_failed, (long long)f->n, parl_phase_text(phase), f->error);
}
