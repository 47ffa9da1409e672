/* engine/prefix_index.c - a tree of texts by hash, and lists of who holds each of its nodes. */
#include "engine/prefix_index.h"

#include <stdbool.h>
#include <string.h>

/* 2^64 over the golden ratio: the upper half of a product with it depends on all bits of a key.
 * Source: Knuth, TAOCP 3, 6.4. */
static const uint64_t GOLDEN = 0x9E3779B97F4A7C15u;
static const uint32_t NONE = UINT32_MAX; /* no node, no place; as a parent: a text begins here */

typedef struct parl_prefix_node {
  uint64_t content;
  int32_t token;
  uint32_t parent, next; /* next: of its bucket, or of those given back */
  uint32_t first;        /* place of the list of those that hold it */
  uint32_t n_places;     /* held or to come */
} node;

/* A token of a slot: place slot * max_context + position. */
typedef struct parl_prefix_place {
  uint32_t node, next, previous; /* of the node's list, if it is held */
} place;

parl_status parl_prefix_index_init(parl_prefix_index *x, size_t n_slots, size_t max_context,
                                   size_t n_buckets, parl_arena *arena) {
  size_t n;
  if (__builtin_mul_overflow(n_slots, max_context, &n) || n >= NONE)
    return parl_fail(PARL_STATUS_ENOMEM, "%zu contexts of %zu tokens are more than an index holds",
                     n_slots, max_context);
  *x = (parl_prefix_index){.n_slots = n_slots, .max_context = max_context, .n_buckets = n_buckets};
  if (n_buckets == 0)
    for (x->n_buckets = 1; x->n_buckets < n / 4; x->n_buckets *= 2) continue;
  PARL_CHECK((x->n_buckets & (x->n_buckets - 1)) == 0);
  PARL_TRY(PARL_ARENA_TAKE(arena, x->n_buckets, &x->buckets));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &x->nodes));
  PARL_TRY(PARL_ARENA_TAKE(arena, n, &x->places));
  PARL_TRY(PARL_ARENA_TAKE(arena, n_slots, &x->lengths));
  PARL_TRY(PARL_ARENA_TAKE(arena, n_slots, &x->n_held));
  parl_prefix_index_clear(x);
  return PARL_STATUS_OK;
}

void parl_prefix_index_clear(parl_prefix_index *x) {
  memset(x->buckets, 0xFF, x->n_buckets * sizeof *x->buckets);
  memset(x->lengths, 0, x->n_slots * sizeof *x->lengths);
  memset(x->n_held, 0, x->n_slots * sizeof *x->n_held);
  x->n_used = 0;
  x->free = NONE;
}

/* --- nodes --- */

static uint32_t *get_bucket(const parl_prefix_index *x, uint32_t parent, int32_t token,
                            uint64_t content) {
  const uint64_t key = ((uint64_t)parent << 32 | (uint32_t)token) ^ content;
  return &x->buckets[key * GOLDEN >> 32 & (x->n_buckets - 1)];
}

static uint32_t find_node(const parl_prefix_index *x, uint32_t parent, int32_t token,
                          uint64_t content) {
  uint32_t i = *get_bucket(x, parent, token, content);
  while (i != NONE && (x->nodes[i].parent != parent || x->nodes[i].token != token ||
                       x->nodes[i].content != content))
    i = x->nodes[i].next;
  return i;
}

static uint32_t make_node(parl_prefix_index *x, uint32_t parent, int32_t token, uint64_t content) {
  uint32_t *bucket = get_bucket(x, parent, token, content), i = x->free;
  if (i != NONE)
    x->free = x->nodes[i].next;
  else
    i = x->n_used++;
  x->nodes[i] =
      (node){.content = content, .token = token, .parent = parent, .next = *bucket, .first = NONE};
  *bucket = i;
  return i;
}

static void drop_node(parl_prefix_index *x, uint32_t i) {
  node *gone = &x->nodes[i];
  uint32_t *link = get_bucket(x, gone->parent, gone->token, gone->content);
  while (*link != i) link = &x->nodes[*link].next;
  *link = gone->next;
  gone->next = x->free;
  x->free = i;
}

/* --- places --- */

static void enter(parl_prefix_index *x, uint32_t at) {
  place *p = &x->places[at];
  node *of = &x->nodes[p->node];
  p->previous = NONE;
  p->next = of->first;
  if (p->next != NONE) x->places[p->next].previous = at;
  of->first = at;
}

static void leave(parl_prefix_index *x, uint32_t at) {
  const place *p = &x->places[at];
  if (p->next != NONE) x->places[p->next].previous = p->previous;
  if (p->previous != NONE)
    x->places[p->previous].next = p->next;
  else
    x->nodes[p->node].first = p->next;
}

static uint32_t get_place(const parl_prefix_index *x, size_t slot, size_t position) {
  return (uint32_t)(slot * x->max_context + position);
}

void parl_prefix_index_append(parl_prefix_index *x, size_t slot, int32_t token, uint64_t content) {
  PARL_CHECK(x->lengths[slot] < x->max_context);
  const uint32_t at = get_place(x, slot, x->lengths[slot]++);
  const uint32_t parent = at == get_place(x, slot, 0) ? NONE : x->places[at - 1].node;
  uint32_t i = find_node(x, parent, token, content);
  if (i == NONE) i = make_node(x, parent, token, content);
  x->nodes[i].n_places++;
  x->places[at].node = i;
}

void parl_prefix_index_hold(parl_prefix_index *x, size_t slot) {
  while (x->n_held[slot] < x->lengths[slot]) enter(x, get_place(x, slot, x->n_held[slot]++));
}

void parl_prefix_index_cut(parl_prefix_index *x, size_t slot, size_t n) {
  PARL_CHECK(n <= x->lengths[slot]);
  while (x->lengths[slot] > n) {
    const uint32_t at = get_place(x, slot, --x->lengths[slot]), i = x->places[at].node;
    if (x->n_held[slot] > x->lengths[slot]) {
      leave(x, at);
      x->n_held[slot]--;
    }
    if (--x->nodes[i].n_places == 0) drop_node(x, i);
  }
}

void parl_prefix_index_share(parl_prefix_index *x, size_t from, size_t to, size_t n) {
  PARL_CHECK(x->lengths[to] == 0 && n <= x->n_held[from]);
  for (size_t i = 0; i < n; i++) {
    const uint32_t at = get_place(x, to, i);
    x->places[at].node = x->places[get_place(x, from, i)].node;
    x->nodes[x->places[at].node].n_places++;
  }
  x->lengths[to] = (uint32_t)n;
  parl_prefix_index_hold(x, to);
}

parl_prefix_match parl_prefix_index_find(const parl_prefix_index *x, const parl_prefix *prefix,
                                         size_t preferred) {
  parl_prefix_match match = {0};
  uint32_t parent = NONE, deepest = NONE; /* deepest: the last that is held */
  for (size_t i = 0; i < prefix->n; i++) {
    const uint64_t content = prefix->contents != NULL ? prefix->contents[i] : 0;
    parent = find_node(x, parent, prefix->tokens[i], content);
    if (parent == NONE) break;
    match.coming = i + 1;
    if (x->nodes[parent].first == NONE) continue;
    match.held = i + 1;
    deepest = parent;
  }
  if (match.held == 0) return match;
  const bool is_preferred = x->n_held[preferred] >= match.held &&
                            x->places[get_place(x, preferred, match.held - 1)].node == deepest;
  match.slot = is_preferred ? preferred : x->nodes[deepest].first / x->max_context;
  return match;
}
