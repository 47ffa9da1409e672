/* engine/leaves.h - the fixed binary tree over which a batch's gradients are summed.
 *
 * Slice i of a batch belongs to leaf i mod n_leaves. A node is a range of leaves; one of more than
 * one leaf is the sum of its halves, [first, middle) + [middle, end) with middle = first + (end -
 * first) / 2. Addition of floats is not associative, but this order depends on n_leaves only: not
 * on threads, and not on how many ranks share the work. Each rank owns a contiguous range of
 * leaves and adds up the nodes that lie in it; whoever folds does the additions that are left.
 * Thread rule: pure functions. */
#ifndef PARL_ENGINE_LEAVES_H
#define PARL_ENGINE_LEAVES_H
#include <stdbool.h>
#include <stddef.h>

#include "kernels/ops.h"

typedef struct parl_leaf_range {
  size_t first, end;
} parl_leaf_range;

/* Node [first, end) = node [first, middle) + node [middle, end). A node's sum lies where that of
 * its first leaf lay. */
typedef struct parl_leaf_add {
  size_t first, middle, end;
} parl_leaf_add;

/* The leaves of a rank of n_ranks: [rank * n_leaves / n_ranks, (rank + 1) * n_leaves / n_ranks),
 * none for some where there are more ranks than leaves. rank < n_ranks. */
parl_leaf_range parl_leaves_get_range(size_t n_leaves, size_t rank, size_t n_ranks);
/* adds [n_leaves - 1] takes the additions of nodes that lie in one rank's range, operands before
 * sums; returns their number. A single rank's are the whole tree. */
size_t parl_leaves_list_adds(size_t n_leaves, size_t rank, size_t n_ranks, parl_leaf_add *adds);
/* Likewise, the additions that are left after every rank has done its own. */
size_t parl_leaves_list_folds(size_t n_leaves, size_t n_ranks, parl_leaf_add *adds);
/* Does n_adds additions, in order, on a piece of the leaves: elements [start, start + n) of
 * leaves[first], as ops of the queue. Leaves from n_used on have no slices: they are not read, and
 * add nothing. */
void parl_leaves_add(parl_queue *queue, const parl_leaf_add *adds, size_t n_adds, size_t n_used,
                     float *const *leaves, size_t start, size_t n);

#endif
