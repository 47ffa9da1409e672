/* core/claims_internal.h - claims in haste, for tests. */
#ifndef PARL_CORE_CLAIMS_INTERNAL_H
#define PARL_CORE_CLAIMS_INTERNAL_H
#include "core/claims.h"

/* parl_claims_open with times of one's own, in seconds. */
parl_status parl_claims_open_timed(const char *path, double renew_s, double timeout_s,
                                   parl_claims **out);

#endif
