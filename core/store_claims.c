/* core/store_claims.c - rows of claims, and the fence that they are for a run's other rows. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/store_query.h"

/* Of the file: in a copy of it, its claims mean nothing. 0 if unknown. */
static int64_t get_place(const parl_store *store) {
  struct stat st;
  return stat(store->path, &st) == 0 ? (int64_t)st.st_ino : 0;
}

parl_status parl_store_put_claim(parl_store *store, const parl_store_claim *claim) {
  PARL_REQUIRE(claim->name[0] != '\0' && claim->token[0] != '\0');
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(open_once(store,
                     "INSERT OR REPLACE INTO claim(name, token, host, space, pid, start, renewed,"
                     " place) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                     &q));
  bind_text(&q, claim->name);
  bind_text(&q, claim->token);
  bind_text(&q, claim->process.host);
  bind_text(&q, claim->process.space);
  bind_integer(&q, claim->process.pid);
  bind_integer(&q, claim->process.start);
  bind_integer(&q, claim->renewed);
  bind_integer(&q, get_place(store));
  return finish_once(&q, "put a claim");
}

typedef struct claim_visit {
  parl_store_claim_visitor visit;
  void *context;
} claim_visit;

static parl_status read_claim(query *q, void *visit) {
  const claim_visit *v = visit;
  parl_store_claim c = {.process = {.pid = get_integer(q, 4), .start = get_integer(q, 5)},
                        .renewed = get_integer(q, 6)};
  snprintf(c.name, sizeof c.name, "%s", get_text(q, 0));
  snprintf(c.token, sizeof c.token, "%s", get_text(q, 1));
  snprintf(c.process.host, sizeof c.process.host, "%s", get_text(q, 2));
  snprintf(c.process.space, sizeof c.process.space, "%s", get_text(q, 3));
  PARL_TRY(check_row(q));
  return v->visit(v->context, &c);
}

#define SELECT_CLAIM "SELECT name, token, host, space, pid, start, renewed FROM claim WHERE place=?"

parl_status parl_store_visit_claims(parl_store *store, parl_store_claim_visitor visit,
                                    void *context) {
  query q;
  PARL_TRY(open_once(store, SELECT_CLAIM " ORDER BY name", &q));
  bind_integer(&q, get_place(store));
  return visit_rows(&q, read_claim, &(claim_visit){visit, context});
}

typedef struct found_claim {
  int found;
  parl_store_claim claim;
} found_claim;

static parl_status keep_claim(void *context, const parl_store_claim *claim) {
  *(found_claim *)context = (found_claim){1, *claim};
  return PARL_STATUS_OK;
}

parl_status parl_store_find_claim(parl_store *store, const char *name, int *found,
                                  parl_store_claim *out) {
  found_claim f = {0};
  query q;
  PARL_TRY(open_once(store, SELECT_CLAIM " AND name=?", &q));
  bind_integer(&q, get_place(store));
  bind_text(&q, name);
  PARL_TRY(visit_rows(&q, read_claim, &(claim_visit){keep_claim, &f}));
  *found = f.found;
  if (f.found) *out = f.claim;
  return PARL_STATUS_OK;
}

parl_status parl_store_renew_claims(parl_store *store, const char *token, int64_t now) {
  query q;
  PARL_TRY(require_transaction(store));
  PARL_TRY(open_once(store, "UPDATE claim SET renewed=? WHERE token=?", &q));
  bind_integer(&q, now);
  bind_text(&q, token);
  return finish_once(&q, "renew a claim");
}

parl_status parl_store_delete_claims(parl_store *store, const char *token, const char *name) {
  query q;
  PARL_TRY(require_transaction(store));
  PARL_TRY(open_once(store,
                     name == NULL ? "DELETE FROM claim WHERE token=?"
                                  : "DELETE FROM claim WHERE token=? AND name=?",
                     &q));
  bind_text(&q, token);
  if (name != NULL) bind_text(&q, name);
  return finish_once(&q, "delete a claim");
}

void parl_store_set_fence(parl_store *store, const char *name, const char *token) {
  snprintf(store->fence_name, sizeof store->fence_name, "%s", name);
  snprintf(store->fence_token, sizeof store->fence_token, "%s", token);
}

parl_status parl_store_check_fence(parl_store *store) {
  if (store->fence_token[0] == '\0') return PARL_STATUS_OK;
  parl_store_claim c;
  int found = 0;
  PARL_TRY(parl_store_find_claim(store, store->fence_name, &found, &c));
  if (found && strcmp(c.token, store->fence_token) == 0) return PARL_STATUS_OK;
  if (found)
    return parl_fail(PARL_STATUS_ECLAIMED,
                     "%s: process %lld on %s took this run over, since its claim was not renewed "
                     "for long",
                     store->path, (long long)c.process.pid, c.process.host);
  return parl_fail(PARL_STATUS_ECLAIMED, "%s: the claim on this run was taken away", store->path);
}
