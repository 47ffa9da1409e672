/* core/safetensors.h - tensors in a file: the Hugging Face safetensors format, checked on read,
 * atomic on write.
 *
 * Reading maps the whole file after checking everything: header size (<= 100 MB), JSON, dtypes,
 * shapes, offsets in range, sorted, without overlap or gap. Thread rule: a reader may be shared
 * once opened. */
#ifndef PARL_CORE_SAFETENSORS_H
#define PARL_CORE_SAFETENSORS_H
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum { PARL_TENSOR_MAX_DIMS = 8 };

typedef enum parl_dtype {
  PARL_DTYPE_F32,
  PARL_DTYPE_BF16,
  PARL_DTYPE_F16,
  PARL_DTYPE_F64,
  PARL_DTYPE_I32,
  PARL_DTYPE_I64,
  PARL_DTYPE_U8
} parl_dtype;
size_t parl_dtype_bytes(parl_dtype t);
const char *parl_dtype_name(parl_dtype t); /* "F32", "BF16", ... as in the format */

typedef struct parl_tensor_info {
  const char *name; /* borrowed from the reader, or from the caller when writing */
  parl_dtype dtype;
  int n_dims;                          /* 0..PARL_TENSOR_MAX_DIMS */
  int64_t shape[PARL_TENSOR_MAX_DIMS]; /* each >= 0 */
  const void *data;                    /* row-major, borrowed */
  size_t bytes;
} parl_tensor_info;

typedef struct parl_safetensors parl_safetensors;

/* Fails: EIO, EFORMAT saying what is wrong and where, ENOMEM. */
parl_status parl_safetensors_open(const char *path, parl_safetensors **out);
void parl_safetensors_close(parl_safetensors *file);
size_t parl_safetensors_get_count(const parl_safetensors *file);
const parl_tensor_info *parl_safetensors_get(const parl_safetensors *file, size_t i);
/* NULL if absent. */
const parl_tensor_info *parl_safetensors_find(const parl_safetensors *file, const char *name);
/* Value of a __metadata__ key, borrowed, or NULL. */
const char *parl_safetensors_get_metadata(const parl_safetensors *file, const char *key);

/* Writes tensors in the given order with metadata pairs [2 * n_pairs] key, value, ...; atomically.
 * sha256 (may be NULL) receives the hex hash of the whole file. Fails: EIO, EINVAL, ENOMEM. */
parl_status parl_safetensors_write(const char *path, const parl_tensor_info *tensors,
                                   size_t n_tensors, const char *const *metadata, size_t n_pairs,
                                   char sha256[65]);

#endif
