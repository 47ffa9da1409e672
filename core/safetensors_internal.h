/* core/safetensors_internal.h - the format apart from the file system. */
#ifndef PARL_CORE_SAFETENSORS_INTERNAL_H
#define PARL_CORE_SAFETENSORS_INTERNAL_H
#include "core/safetensors.h"

#define PARL_SAFETENSORS_METADATA "__metadata__"
/* What our files begin with, then the digest of the whole file, taken with zeros in its place. */
#define PARL_SAFETENSORS_START \
  "{\"" PARL_SAFETENSORS_METADATA "\":{\"" PARL_SAFETENSORS_DIGEST "\":\""
#define PARL_SAFETENSORS_ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

enum { PARL_SAFETENSORS_MAX_HEADER = 100 * 1000 * 1000 /* bytes; the format's own limit */ };

/* Reads a file that lies in memory, borrowed until close. `what` names it in errors.
 * Fails: EFORMAT, ENOMEM. */
parl_status parl_safetensors_parse(const void *bytes, size_t n, const char *what,
                                   parl_safetensors **out);

/* Bytes of a dense tensor. Fails: EINVAL for a negative extent, too many dimensions, an unknown
 * dtype or a product that does not fit. */
parl_status parl_tensor_count_bytes(parl_dtype dtype, const int64_t *shape, int n_dims,
                                    size_t *out);

#endif
