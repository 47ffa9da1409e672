/* engine/prefix_index.h - which of many growing texts holds most of a given one.
 *
 * A tree of all texts: a node is a token, with the content that was given in its stead, behind
 * another node. A node is found by a hash of what it is and where it hangs, and compared exactly,
 * so collisions cost time and nothing else. A token is coming when it is appended and held once
 * parl_prefix_index_hold says so. Appending a token and looking for one take the same time whatever
 * the number of slots.
 * Thread rule: one thread per object; reading is safe between writes. Reading order: init, append,
 * hold, find, share, cut. */
#ifndef PARL_ENGINE_PREFIX_INDEX_H
#define PARL_ENGINE_PREFIX_INDEX_H
#include <stdint.h>

#include "core/arena.h"

/* A text: tokens, and what stands in their stead. A placeholder's token says nothing of the image
 * that stands there: two texts are the same only if their contents are. */
typedef struct parl_prefix {
  const int32_t *tokens;    /* [n] */
  const uint64_t *contents; /* [n] hashes, as of core/album.h; 0: nothing. NULL: nothing anywhere */
  size_t n;
} parl_prefix;

struct parl_prefix_node;
struct parl_prefix_place;

typedef struct parl_prefix_index {
  size_t n_slots, max_context;
  size_t n_buckets;                 /* a power of two */
  uint32_t n_used, free;            /* nodes ever taken, and the first of those given back */
  uint32_t *buckets;                /* [n_buckets] the first node of each */
  struct parl_prefix_node *nodes;   /* [n_slots * max_context] */
  struct parl_prefix_place *places; /* [n_slots, max_context] a slot's tokens */
  uint32_t *lengths, *n_held;       /* [n_slots] tokens of a slot, and of these how many are held */
} parl_prefix_index;

typedef struct parl_prefix_match {
  size_t held, coming; /* tokens of the text that some slot holds; the same with those to come */
  size_t slot;         /* one that holds those; 0 if there are none */
} parl_prefix_match;

/* For n_slots empty texts of up to max_context tokens, in the arena. n_buckets: 0: as suits; else
 * a power of two. Fails: ENOMEM. */
parl_status parl_prefix_index_init(parl_prefix_index *x, size_t n_slots, size_t max_context,
                                   size_t n_buckets, parl_arena *arena);
/* Empties all slots. */
void parl_prefix_index_clear(parl_prefix_index *x);
/* One more token of a slot that is not full. */
void parl_prefix_index_append(parl_prefix_index *x, size_t slot, int32_t token, uint64_t content);
/* What was appended to the slot so far is held. */
void parl_prefix_index_hold(parl_prefix_index *x, size_t slot);
/* The slot keeps its first n tokens, which are as many as it has at most. */
void parl_prefix_index_cut(parl_prefix_index *x, size_t slot, size_t n);
/* An empty slot gets the first n tokens that another holds. */
void parl_prefix_index_share(parl_prefix_index *x, size_t from, size_t to, size_t n);
/* The longest part of the text's beginning that any slot has; `preferred` is named if it is among
 * those that hold most. */
parl_prefix_match parl_prefix_index_find(const parl_prefix_index *x, const parl_prefix *prefix,
                                         size_t preferred);

#endif
