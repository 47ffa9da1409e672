/* core/claims.c - claims of this process, and the thread that renews them. */
#include "core/claims.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/claims_internal.h"
#include "core/clock.h"

/* A claim from elsewhere, since when it stands as it is. */
typedef struct sight {
  char name[PARL_STORE_CLAIM_NAME_BYTES];
  char token[PARL_STORE_TOKEN_BYTES];
  int64_t renewed;
  double since_s;
} sight;

struct parl_claims {
  parl_store *store;     /* guarded by mutex */
  parl_store *renewing;  /* the thread's */
  parl_store_claim self; /* without a name */
  double renew_s, timeout_s;
  pthread_mutex_t mutex;
  pthread_cond_t ending;
  pthread_t thread;
  bool has_thread, quit; /* quit is guarded by mutex */
  size_t n_sights, capacity;
  sight *sights; /* guarded by mutex */
};

static int64_t now_s(void) {
  return (int64_t)time(NULL);
}

/* --- the thread --- */

/* A renewal that fails is made up for by the next one; who takes over meanwhile is noticed when the
 * work is stored. */
static void renew(parl_claims *c) {
  if (parl_store_begin(c->renewing) != PARL_STATUS_OK) return;
  (void)parl_store_end(c->renewing, parl_store_renew_claims(c->renewing, c->self.token, now_s()));
}

static void *renew_main(void *argument) {
  parl_claims *c = argument;
  pthread_mutex_lock(&c->mutex);
  while (!c->quit) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const double at = (double)until.tv_nsec * 1e-9 + c->renew_s;
    until.tv_sec += (time_t)at;
    until.tv_nsec = (long)((at - floor(at)) * 1e9);
    if (pthread_cond_timedwait(&c->ending, &c->mutex, &until) == 0) continue;
    pthread_mutex_unlock(&c->mutex);
    renew(c);
    pthread_mutex_lock(&c->mutex);
  }
  pthread_mutex_unlock(&c->mutex);
  return NULL;
}

static parl_status start_thread(parl_claims *c) {
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &old);
  const int error = pthread_create(&c->thread, NULL, renew_main, c);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  c->has_thread = error == 0;
  if (error == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EIO, "claims: the thread that renews them cannot start: %s",
                   strerror(error));
}

/* --- opening and closing --- */

static parl_status make_token(char out[PARL_STORE_TOKEN_BYTES]) {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
    return parl_fail(PARL_STATUS_EIO, "claims: the system gives no random numbers");
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
  return PARL_STATUS_OK;
}

static parl_status open_claims(parl_claims *c, const char *path) {
  parl_process_get(&c->self.process);
  PARL_TRY(make_token(c->self.token));
  PARL_TRY(parl_store_open(path, &c->store));
  PARL_TRY(parl_store_open(path, &c->renewing));
  return start_thread(c);
}

parl_status parl_claims_open(const char *path, parl_claims **out) {
  return parl_claims_open_timed(path, PARL_CLAIM_RENEW_S, PARL_CLAIM_TIMEOUT_S, out);
}

parl_status parl_claims_open_timed(const char *path, double renew_s, double timeout_s,
                                   parl_claims **out) {
  parl_claims *c = calloc(1, sizeof *c);
  if (c == NULL) return parl_fail(PARL_STATUS_ENOMEM, "claims: no memory");
  c->renew_s = renew_s;
  c->timeout_s = timeout_s;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&c->mutex, NULL);
  pthread_cond_init(&c->ending, &monotonic);
  pthread_condattr_destroy(&monotonic);
  const parl_status s = open_claims(c, path);
  if (s != PARL_STATUS_OK) {
    parl_claims_close(c);
    return s;
  }
  *out = c;
  return PARL_STATUS_OK;
}

static parl_status give_back(parl_claims *c, const char *name) {
  PARL_TRY(parl_store_begin(c->store));
  return parl_store_end(c->store, parl_store_delete_claims(c->store, c->self.token, name));
}

void parl_claims_close(parl_claims *claims) {
  if (claims == NULL) return;
  parl_claims *c = claims;
  char text[4096];
  snprintf(text, sizeof text, "%s", parl_error_text());
  if (c->has_thread) {
    pthread_mutex_lock(&c->mutex);
    c->quit = true;
    pthread_cond_signal(&c->ending);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    (void)give_back(c, NULL);
    (void)parl_fail(PARL_STATUS_OK, "%s", text);
  }
  parl_store_close(c->renewing);
  parl_store_close(c->store);
  pthread_cond_destroy(&c->ending);
  pthread_mutex_destroy(&c->mutex);
  free(c->sights);
  free(c);
}

const char *parl_claims_get_token(const parl_claims *claims) {
  return claims->self.token;
}

/* --- taking --- */

bool parl_claim_is_alive(const parl_store_claim *claim) {
  if (parl_process_is_near(&claim->process)) return !parl_process_has_ended(&claim->process);
  return now_s() - claim->renewed <= PARL_CLAIM_TIMEOUT_S;
}

void parl_claim_describe(const parl_store_claim *claim, char out[PARL_CLAIM_HOLDER_BYTES]) {
  snprintf(out, PARL_CLAIM_HOLDER_BYTES, "process %" PRId64 " on %s", claim->process.pid,
           claim->process.host);
}

static parl_status find_sight(parl_claims *c, const char *name, sight **out) {
  size_t i = 0;
  while (i < c->n_sights && strcmp(c->sights[i].name, name) != 0) i++;
  if (i == c->capacity) {
    const size_t larger = 2 * c->capacity + 16;
    sight *sights = realloc(c->sights, larger * sizeof *sights);
    if (sights == NULL) return parl_fail(PARL_STATUS_ENOMEM, "claims: no memory");
    c->sights = sights;
    c->capacity = larger;
  }
  if (i == c->n_sights) {
    c->sights[i] = (sight){0};
    snprintf(c->sights[i].name, sizeof c->sights[i].name, "%s", name);
    c->n_sights++;
  }
  *out = &c->sights[i];
  return PARL_STATUS_OK;
}

/* A claim from elsewhere ends when it was seen unchanged for long enough. */
static parl_status watch(parl_claims *c, const parl_store_claim *claim, bool *ended) {
  sight *seen = NULL;
  PARL_TRY(find_sight(c, claim->name, &seen));
  if (strcmp(seen->token, claim->token) != 0 || seen->renewed != claim->renewed) {
    memcpy(seen->token, claim->token, sizeof seen->token);
    seen->renewed = claim->renewed;
    seen->since_s = parl_clock_s();
  }
  *ended = parl_clock_s() - seen->since_s > c->timeout_s;
  return PARL_STATUS_OK;
}

static parl_status is_free(parl_claims *c, const char *name, bool *is,
                           char holder[PARL_CLAIM_HOLDER_BYTES]) {
  parl_store_claim claim;
  int found = 0;
  PARL_TRY(parl_store_find_claim(c->store, name, &found, &claim));
  *is = !found || strcmp(claim.token, c->self.token) == 0;
  if (*is) return PARL_STATUS_OK;
  parl_claim_describe(&claim, holder);
  if (!parl_process_is_near(&claim.process)) return watch(c, &claim, is);
  *is = parl_process_has_ended(&claim.process);
  return PARL_STATUS_OK;
}

static parl_status put(parl_claims *c, const char *name, bool *taken,
                       char holder[PARL_CLAIM_HOLDER_BYTES]) {
  PARL_TRY(is_free(c, name, taken, holder)); /* another process may have been faster */
  if (!*taken) return PARL_STATUS_OK;
  parl_store_claim mine = c->self;
  mine.renewed = now_s();
  snprintf(mine.name, sizeof mine.name, "%s", name);
  return parl_store_put_claim(c->store, &mine);
}

static parl_status take(parl_claims *c, const char *name, bool *taken,
                        char holder[PARL_CLAIM_HOLDER_BYTES]) {
  PARL_TRY(is_free(c, name, taken, holder)); /* a look disturbs no writer */
  if (!*taken) return PARL_STATUS_OK;
  PARL_TRY(parl_store_begin(c->store));
  return parl_store_end(c->store, put(c, name, taken, holder));
}

parl_status parl_claims_take(parl_claims *claims, const char *name, bool *taken,
                             char holder[PARL_CLAIM_HOLDER_BYTES]) {
  PARL_REQUIRE(strlen(name) < PARL_STORE_CLAIM_NAME_BYTES);
  pthread_mutex_lock(&claims->mutex);
  const parl_status s = take(claims, name, taken, holder);
  pthread_mutex_unlock(&claims->mutex);
  return s;
}

parl_status parl_claims_give_back(parl_claims *claims, const char *name) {
  pthread_mutex_lock(&claims->mutex);
  const parl_status s = give_back(claims, name);
  pthread_mutex_unlock(&claims->mutex);
  return s;
}
