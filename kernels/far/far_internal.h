/* kernels/far/far_internal.h - where the memory of far is kept. */
#ifndef PARL_KERNELS_FAR_FAR_INTERNAL_H
#define PARL_KERNELS_FAR_FAR_INTERNAL_H
#include "kernels/far/far.h"

/* For an arena: the address is not to be touched. */
void *parl_far_alloc(size_t *bytes);
void parl_far_free(void *address, size_t bytes);
/* Where `bytes` bytes at an address of the device are kept, or NULL if they are not all its own. */
void *parl_far_find(const void *address, size_t bytes);
/* What the line of an illegal access names: file:line, borrowed for ever. */
void parl_far_remember(const char *where);

#endif
