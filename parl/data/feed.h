/* parl/data/feed.h - the stream of batches that pretraining learns from: several sources, blended.
 *
 * A step has up to batch_tokens tokens of whole documents. Which source comes next: with w_s the
 * source's share of the step's weights, T the step's tokens so far, due_s the sum over steps before
 * of w_s times their tokens, and n_s the tokens that the source gave in all, the one with the
 * largest
 *   due_s + w_s (T + 1) - n_s
 * among those whose weight is above 0, the first by name if several have it. So over any time
 * each source gives its share of the tokens, a document more or less. The first document that does
 * not fit ends the step, and is the first that its source gives in a later one.
 * Documents are made ahead, at most PARL_FEED_AHEAD of a source, by all workers at once: a batch is
 * a function of the sources, the seed and the steps before, which the state sums up.
 * Thread rule: one thread per feed; it uses the workers. Reading order: parl_feed_def, create,
 * next, the state, the documents held out. Source: ours; the largest deficit as in balanced
 * round-robin. */
#ifndef PARL_PARL_DATA_FEED_H
#define PARL_PARL_DATA_FEED_H
#include "core/workers.h"
#include "parl/data/source.h"

enum { PARL_FEED_AHEAD = 32 };

typedef struct parl_feed_def {
  const parl_source_list *sources;
  const parl_env *env;             /* whose words they speak; outlives the feed */
  const parl_env_options *options; /* limits of a script */
  int64_t steps;                   /* of the schedules */
  size_t batch_tokens;             /* of a step, at most */
  size_t max_tokens;               /* of a document, with <bos> */
  uint64_t seed, held_out_seed, split_seed;
  parl_workers *workers; /* borrowed */
} parl_feed_def;

/* The documents of a step, in the order in which they came. Borrowed until the next one. */
typedef struct parl_feed_batch {
  size_t n, n_tokens;
  parl_document *const *documents; /* [n] */
  const size_t *source;            /* [n] of each: its place in the list */
  const double *share;             /* [sources] of the step's weights */
} parl_feed_batch;

typedef struct parl_feed parl_feed;
/* Fails: EINVAL without a source, and as parl_source_list_check; as parl_source_create. */
parl_status parl_feed_create(const parl_feed_def *def, parl_feed **out);
void parl_feed_destroy(parl_feed *feed);
size_t parl_feed_get_n_sources(const parl_feed *feed);
/* Borrowed. */
const char *parl_feed_get_name(const parl_feed *feed, size_t source);
const parl_source *parl_feed_get_source(const parl_feed *feed, size_t source);
/* Tokens that a source gave so far. */
uint64_t parl_feed_get_tokens(const parl_feed *feed, size_t source);

/* The batch of the step, from 0 on in order. Fails: as parl_source_get. */
parl_status parl_feed_next(parl_feed *feed, parl_feed_batch *out);
/* Feeds a batch into h. */
void parl_feed_hash(const parl_feed_batch *batch, parl_hash *h);

/* Writes the state as a value: {"step": 3, "sources": {"captions": {"taken": documents, "tokens":,
 * "due":}}}. */
void parl_feed_write_state(const parl_feed *feed, parl_json_writer *w);
/* The feed goes on from it. Fails: EFORMAT naming what is wrong; it is untouched then. */
parl_status parl_feed_read_state(parl_feed *feed, const parl_json *state, const char *what);

/* Document `index` of a source, of training or held out, by itself: the feed stays where it is.
 * Fails: as parl_source_get. */
parl_status parl_feed_get_document(parl_feed *feed, size_t source, bool held_out, uint64_t index,
                                   parl_document *out);
/* The first n held-out documents of a source, out [n], to be given back by the caller. Fails: as
 * parl_source_get. */
parl_status parl_feed_get_held_out(parl_feed *feed, size_t source, size_t n, parl_document *out);

#endif
