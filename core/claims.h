/* core/claims.h - who works on what in a run database that several processes share.
 *
 * A process claims a piece of work by name before it begins, and gives it back after. A claim ends
 * with its process: at once where the process can be looked up (same boot, same pid namespace),
 * otherwise when it was not renewed for PARL_CLAIM_TIMEOUT_S. Claims are renewed by a thread, every
 * PARL_CLAIM_RENEW_S, however long the work takes. Clocks of two machines are never compared: a
 * claim from elsewhere is watched until it is seen to stand still.
 * Thread rule: any thread. Reading order: open, take, give_back, judge. */
#ifndef PARL_CORE_CLAIMS_H
#define PARL_CORE_CLAIMS_H
#include <stdbool.h>

#include "core/store.h"

enum { PARL_CLAIM_TIMEOUT_S = 60, PARL_CLAIM_RENEW_S = 5, PARL_CLAIM_HOLDER_BYTES = 192 };

typedef struct parl_claims parl_claims;

/* Opens the store at `path` for claims of this process. *out is owned by the caller.
 * Fails: as parl_store_open; EIO if the thread cannot start. */
parl_status parl_claims_open(const char *path, parl_claims **out);

/* Gives back all that is held, frees; NULL is allowed. Keeps the thread's error text. */
void parl_claims_close(parl_claims *claims);

/* What parl_store_set_fence wants; borrowed. */
const char *parl_claims_get_token(const parl_claims *claims);

/* Claims `name`, unless somebody who may be alive holds it: then *taken is false and `holder` says
 * who, "process 123 on host". Whoever holds it here holds it too: a name is for one thread.
 * Fails: as the store does. */
parl_status parl_claims_take(parl_claims *claims, const char *name, bool *taken,
                             char holder[PARL_CLAIM_HOLDER_BYTES]);

/* Fails: as the store does; the claim ends with the process then. */
parl_status parl_claims_give_back(parl_claims *claims, const char *name);

/* Whether the holder of a stored claim may be alive, at a first look: one from elsewhere is if it
 * was renewed within PARL_CLAIM_TIMEOUT_S by this machine's clock. For listings. */
bool parl_claim_is_alive(const parl_store_claim *claim);

/* "process 123 on host". */
void parl_claim_describe(const parl_store_claim *claim, char out[PARL_CLAIM_HOLDER_BYTES]);

#endif
