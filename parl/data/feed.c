/* parl/data/feed.c - which source comes next, and documents made ahead. */
#include "parl/data/feed.h"

#include <stdlib.h>
#include <string.h>

typedef struct lane {
  parl_source *source;
  parl_schedule *weight;
  char name[PARL_SOURCE_NAME_BYTES];
  uint64_t n_taken, n_tokens; /* given so far */
  double due;
  parl_document *ahead[PARL_FEED_AHEAD]; /* owned; those from `first` on are made */
  size_t first, n_ahead;
} lane;

struct parl_feed {
  parl_workers *workers;
  size_t batch_tokens, n_lanes;
  int64_t step, steps;
  lane lanes[PARL_MAX_SOURCES];
  double share[PARL_MAX_SOURCES];
  size_t n, room; /* documents of the batch */
  parl_document **documents;
  size_t *source;
};

static parl_status open_lane(const parl_feed_def *def, size_t i, lane *out) {
  const parl_source_config *c = &def->sources->items[i];
  const parl_source_def source = {.config = c,
                                  .env = def->env,
                                  .options = def->options,
                                  .n_workers = parl_workers_get_count(def->workers),
                                  .max_tokens = def->max_tokens,
                                  .seed = def->seed,
                                  .held_out_seed = def->held_out_seed,
                                  .split_seed = def->split_seed};
  memcpy(out->name, c->name, sizeof out->name);
  PARL_TRY(parl_source_create(&source, &out->source));
  PARL_TRY(parl_schedule_create(&c->weight, def->steps, &out->weight));
  for (size_t k = 0; k < PARL_FEED_AHEAD; k++) {
    out->ahead[k] = calloc(1, sizeof *out->ahead[k]);
    if (out->ahead[k] == NULL) return parl_fail(PARL_STATUS_ENOMEM, "feed: no memory");
  }
  return PARL_STATUS_OK;
}

parl_status parl_feed_create(const parl_feed_def *def, parl_feed **out) {
  PARL_REQUIRE(def->batch_tokens >= 1 && def->steps >= 1);
  if (def->sources->n == 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "there is nothing to learn from: name a source in "
                     "`sources`");
  PARL_TRY(parl_source_list_check(def->sources, def->steps));
  parl_feed *feed = calloc(1, sizeof *feed);
  if (feed == NULL) return parl_fail(PARL_STATUS_ENOMEM, "feed: no memory");
  feed->workers = def->workers;
  feed->batch_tokens = def->batch_tokens;
  feed->steps = def->steps;
  parl_status s = PARL_STATUS_OK;
  for (; s == PARL_STATUS_OK && feed->n_lanes < def->sources->n; feed->n_lanes++)
    s = open_lane(def, feed->n_lanes, &feed->lanes[feed->n_lanes]);
  if (s == PARL_STATUS_OK)
    *out = feed;
  else
    parl_feed_destroy(feed);
  return s;
}

static void drop_document(parl_document *document) {
  if (document == NULL) return;
  parl_document_deinit(document);
  free(document);
}

void parl_feed_destroy(parl_feed *feed) {
  if (feed == NULL) return;
  for (size_t i = 0; i < feed->n_lanes; i++) {
    for (size_t k = 0; k < PARL_FEED_AHEAD; k++) drop_document(feed->lanes[i].ahead[k]);
    parl_schedule_destroy(feed->lanes[i].weight);
    parl_source_destroy(feed->lanes[i].source);
  }
  for (size_t k = 0; k < feed->room; k++) drop_document(feed->documents[k]);
  free(feed->documents);
  free(feed->source);
  free(feed);
}

size_t parl_feed_get_n_sources(const parl_feed *feed) {
  return feed->n_lanes;
}

const char *parl_feed_get_name(const parl_feed *feed, size_t source) {
  return feed->lanes[source].name;
}

const parl_source *parl_feed_get_source(const parl_feed *feed, size_t source) {
  return feed->lanes[source].source;
}

uint64_t parl_feed_get_tokens(const parl_feed *feed, size_t source) {
  return feed->lanes[source].n_tokens;
}

/* --- ahead --- */

/* Task k: document k of those that are missing, in the order of the lanes. */
static parl_status make(void *context, size_t k, size_t worker) {
  parl_feed *feed = context;
  for (size_t i = 0; i < feed->n_lanes; i++) {
    lane *l = &feed->lanes[i];
    const size_t missing = feed->share[i] > 0 ? PARL_FEED_AHEAD - l->n_ahead : 0;
    if (k >= missing) {
      k -= missing;
      continue;
    }
    const size_t at = l->n_ahead + k;
    return parl_source_get(l->source, false, l->n_taken + at, worker,
                           l->ahead[(l->first + at) % PARL_FEED_AHEAD]);
  }
  return PARL_STATUS_OK;
}

static parl_status make_ahead(parl_feed *feed) {
  size_t n = 0;
  for (size_t i = 0; i < feed->n_lanes; i++)
    n += feed->share[i] > 0 ? PARL_FEED_AHEAD - feed->lanes[i].n_ahead : 0;
  PARL_TRY(parl_workers_run(feed->workers, n, make, feed));
  for (size_t i = 0; i < feed->n_lanes; i++)
    if (feed->share[i] > 0) feed->lanes[i].n_ahead = PARL_FEED_AHEAD;
  return PARL_STATUS_OK;
}

/* --- a step --- */

static parl_status set_shares(parl_feed *feed) {
  double sum = 0;
  for (size_t i = 0; i < feed->n_lanes; i++) {
    PARL_TRY(parl_schedule_next(feed->lanes[i].weight, feed->step, NULL, &feed->share[i]));
    sum += feed->share[i];
  }
  for (size_t i = 0; i < feed->n_lanes; i++) feed->share[i] /= sum;
  return PARL_STATUS_OK;
}

static size_t choose(const parl_feed *feed, size_t n_tokens) {
  size_t best = feed->n_lanes;
  double most = 0;
  for (size_t i = 0; i < feed->n_lanes; i++) {
    const lane *l = &feed->lanes[i];
    if (!(feed->share[i] > 0)) continue;
    const double deficit = l->due + feed->share[i] * (double)(n_tokens + 1) - (double)l->n_tokens;
    if (best < feed->n_lanes && !(deficit > most)) continue;
    best = i;
    most = deficit;
  }
  return best;
}

static parl_status make_batch_room(parl_feed *feed) {
  if (feed->n < feed->room) return PARL_STATUS_OK;
  const size_t room = feed->room > 0 ? 2 * feed->room : 64;
  parl_document **documents = realloc(feed->documents, room * sizeof *documents);
  if (documents != NULL) feed->documents = documents;
  size_t *source = realloc(feed->source, room * sizeof *source);
  if (source != NULL) feed->source = source;
  if (documents == NULL || source == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "feed: no memory for %zu documents", room);
  for (; feed->room < room; feed->room++) {
    documents[feed->room] = calloc(1, sizeof **documents);
    if (documents[feed->room] == NULL) return parl_fail(PARL_STATUS_ENOMEM, "feed: no memory");
  }
  return PARL_STATUS_OK;
}

/* The next document of the source changes places with one that is no longer needed. */
static parl_status take(parl_feed *feed, size_t source) {
  lane *l = &feed->lanes[source];
  PARL_TRY(make_batch_room(feed));
  parl_document *document = l->ahead[l->first];
  l->ahead[l->first] = feed->documents[feed->n];
  feed->documents[feed->n] = document;
  feed->source[feed->n++] = source;
  l->first = (l->first + 1) % PARL_FEED_AHEAD;
  l->n_ahead--;
  l->n_taken++;
  l->n_tokens += document->n;
  return PARL_STATUS_OK;
}

parl_status parl_feed_next(parl_feed *feed, parl_feed_batch *out) {
  size_t n_tokens = 0;
  PARL_REQUIRE(feed->step < feed->steps);
  feed->n = 0;
  PARL_TRY(set_shares(feed));
  for (;;) {
    const size_t i = choose(feed, n_tokens);
    lane *l = &feed->lanes[i];
    if (l->n_ahead == 0) PARL_TRY(make_ahead(feed));
    const size_t n = l->ahead[l->first]->n;
    if (n_tokens + n > feed->batch_tokens) break;
    PARL_TRY(take(feed, i));
    n_tokens += n;
  }
  for (size_t i = 0; i < feed->n_lanes; i++)
    feed->lanes[i].due += feed->share[i] * (double)n_tokens;
  feed->step++;
  *out = (parl_feed_batch){feed->n, n_tokens, feed->documents, feed->source, feed->share};
  return PARL_STATUS_OK;
}

void parl_feed_hash(const parl_feed_batch *batch, parl_hash *h) {
  const uint64_t n = batch->n;
  parl_hash_update(h, &n, sizeof n);
  for (size_t i = 0; i < batch->n; i++) {
    const uint64_t source = batch->source[i];
    parl_hash_update(h, &source, sizeof source);
    parl_document_hash(batch->documents[i], h);
  }
}

/* --- the state --- */

void parl_feed_write_state(const parl_feed *feed, parl_json_writer *w) {
  parl_json_begin_object(w);
  parl_json_key(w, "step");
  parl_json_integer(w, feed->step);
  parl_json_key(w, "sources");
  parl_json_begin_object(w);
  for (size_t i = 0; i < feed->n_lanes; i++) {
    const lane *l = &feed->lanes[i];
    parl_json_key(w, l->name);
    parl_json_begin_object(w);
    parl_json_key(w, "taken");
    parl_json_integer(w, (int64_t)l->n_taken);
    parl_json_key(w, "tokens");
    parl_json_integer(w, (int64_t)l->n_tokens);
    parl_json_key(w, "due");
    parl_json_number(w, l->due);
    parl_json_end_object(w);
  }
  parl_json_end_object(w);
  parl_json_end_object(w);
}

/* A number of an object that must be there. */
static parl_status read_number(const parl_json *object, const char *key, double low,
                               const char *what, double *out) {
  const parl_json *node = parl_json_find(object, key);
  const double x = parl_json_get_number(node);
  if (parl_json_get_type(node) != PARL_JSON_NUMBER || !(x >= low && x <= 0x1p53))
    return parl_fail(PARL_STATUS_EFORMAT, "%s: \"%s\" of the documents' state is no such number",
                     what, key);
  *out = x;
  return PARL_STATUS_OK;
}

parl_status parl_feed_read_state(parl_feed *feed, const parl_json *state, const char *what) {
  double step, numbers[PARL_MAX_SOURCES][3];
  const parl_json *sources = parl_json_find(state, "sources");
  PARL_TRY(read_number(state, "step", 0, what, &step));
  if (parl_json_get_size(sources) != feed->n_lanes || step > (double)feed->steps)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: the documents' state is of other sources or steps",
                     what);
  for (size_t i = 0; i < feed->n_lanes; i++) {
    const parl_json *one = parl_json_find(sources, feed->lanes[i].name);
    PARL_TRY(read_number(one, "taken", 0, what, &numbers[i][0]));
    PARL_TRY(read_number(one, "tokens", 0, what, &numbers[i][1]));
    PARL_TRY(read_number(one, "due", 0, what, &numbers[i][2]));
  }
  feed->step = (int64_t)step;
  for (size_t i = 0; i < feed->n_lanes; i++) {
    lane *l = &feed->lanes[i];
    l->n_taken = (uint64_t)numbers[i][0];
    l->n_tokens = (uint64_t)numbers[i][1];
    l->due = numbers[i][2];
    l->n_ahead = 0;
  }
  return PARL_STATUS_OK;
}

/* --- by number --- */

parl_status parl_feed_get_document(parl_feed *feed, size_t source, bool held_out, uint64_t index,
                                   parl_document *out) {
  return parl_source_get(feed->lanes[source].source, held_out, index, 0, out);
}

typedef struct held_out {
  parl_source *source;
  parl_document *out;
} held_out;

static parl_status make_held_out(void *context, size_t k, size_t worker) {
  const held_out *h = context;
  return parl_source_get(h->source, true, k, worker, &h->out[k]);
}

parl_status parl_feed_get_held_out(parl_feed *feed, size_t source, size_t n, parl_document *out) {
  held_out h = {feed->lanes[source].source, out};
  return parl_workers_run(feed->workers, n, make_held_out, &h);
}
