/* kernels/check.h - what the arguments of every op must satisfy.
 *
 * The ops themselves check nothing: they are called millions of times with extents that the model's
 * shape fixed once. Tests, and whoever builds arguments from outside, ask here.
 * Thread rule: pure functions. */
#ifndef PARL_KERNELS_CHECK_H
#define PARL_KERNELS_CHECK_H
#include "kernels/ops.h"

/* Extents positive where a zero makes no sense, distances between rows at least the row's width,
 * required pointers there, indices in range as far as the arguments tell.
 * Fails: EINVAL with the condition that does not hold. */
#define X(op, tolerance, source) parl_status parl_##op##_check(const parl_##op##_args *args);
PARL_OP_LIST(X)
#undef X

#endif
