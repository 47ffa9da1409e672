/* engine/leaves.c - the tree as a list of additions, cut by ranks. */
#include "engine/leaves.h"

parl_leaf_range parl_leaves_get_range(size_t n_leaves, size_t rank, size_t n_ranks) {
  return (parl_leaf_range){rank * n_leaves / n_ranks, (rank + 1) * n_leaves / n_ranks};
}

static bool is_within(const parl_leaf_add *add, parl_leaf_range range) {
  return add->first >= range.first && add->end <= range.end;
}

static bool is_of_one_rank(const parl_leaf_add *add, size_t n_leaves, size_t n_ranks) {
  for (size_t rank = 0; rank < n_ranks; rank++)
    if (is_within(add, parl_leaves_get_range(n_leaves, rank, n_ranks))) return true;
  return false;
}

/* Appends the additions of the node `range` to the n there are; returns how many there are then. */
static size_t list_tree(parl_leaf_range range, parl_leaf_add *adds, size_t n) {
  if (range.end - range.first < 2) return n;
  const size_t middle = range.first + (range.end - range.first) / 2;
  n = list_tree((parl_leaf_range){range.first, middle}, adds, n);
  n = list_tree((parl_leaf_range){middle, range.end}, adds, n);
  adds[n] = (parl_leaf_add){range.first, middle, range.end};
  return n + 1;
}

size_t parl_leaves_list_adds(size_t n_leaves, size_t rank, size_t n_ranks, parl_leaf_add *adds) {
  const parl_leaf_range own = parl_leaves_get_range(n_leaves, rank, n_ranks);
  const size_t n_all = list_tree((parl_leaf_range){0, n_leaves}, adds, 0);
  size_t n = 0;
  for (size_t i = 0; i < n_all; i++)
    if (is_within(&adds[i], own)) adds[n++] = adds[i];
  return n;
}

size_t parl_leaves_list_folds(size_t n_leaves, size_t n_ranks, parl_leaf_add *adds) {
  const size_t n_all = list_tree((parl_leaf_range){0, n_leaves}, adds, 0);
  size_t n = 0;
  for (size_t i = 0; i < n_all; i++)
    if (!is_of_one_rank(&adds[i], n_leaves, n_ranks)) adds[n++] = adds[i];
  return n;
}

void parl_leaves_add(parl_queue *queue, const parl_leaf_add *adds, size_t n_adds, size_t n_used,
                     float *const *leaves, size_t start, size_t n) {
  for (size_t i = 0; i < n_adds; i++) {
    if (adds[i].middle >= n_used) continue;
    const parl_add_args add = {
        .n = n, .a = 1.0F, .x = leaves[adds[i].middle] + start, .y = leaves[adds[i].first] + start};
    PARL_RUN(queue, add, &add);
  }
}
