/* core/safetensors.h - tensors in a file: Hugging Face's format, checked on read, atomic on write.
 *
 * Opening maps the file and checks everything before anything is handed out: header size (at most
 * 100 MB), JSON, dtypes, shapes, offsets in range, without overlap or gap, and, in a file that we
 * wrote, the digest in its metadata. Values are not looked
 * at: NaN is data. While a reader is open nobody may shorten the file; ours are replaced, never
 * written over.
 * Thread rule: a reader may be shared once opened. Reading order: open, find, write.
 * Source: github.com/huggingface/safetensors, README "Format". */
#ifndef PARL_CORE_SAFETENSORS_H
#define PARL_CORE_SAFETENSORS_H
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum { PARL_TENSOR_MAX_DIMS = 8 };
#define PARL_SAFETENSORS_DIGEST "parl.sha256" /* the metadata that only the writer sets */

/* X(name, bytes per element); the names are the format's. Its other dtypes are refused. */
#define PARL_DTYPE_LIST(X) X(F32, 4) X(BF16, 2) X(F16, 2) X(F64, 8) X(I32, 4) X(I64, 8) X(U8, 1)

typedef enum parl_dtype {
#define X(name, bytes) PARL_DTYPE_##name,
  PARL_DTYPE_LIST(X)
#undef X
} parl_dtype;

/* Bytes of one element; 0 outside the list. */
size_t parl_dtype_bytes(parl_dtype t);

/* Borrowed name as in the format ("F32", "BF16"); "?" outside the list. */
const char *parl_dtype_name(parl_dtype t);

typedef struct parl_tensor_info {
  const char *name; /* UTF-8; borrowed from the reader, or from the caller when writing */
  parl_dtype dtype;
  int n_dims;                          /* 0..PARL_TENSOR_MAX_DIMS */
  int64_t shape[PARL_TENSOR_MAX_DIMS]; /* each >= 0, first axis outermost */
  const void *data;                    /* row-major, little-endian, aligned for dtype; borrowed */
  size_t bytes;                        /* product of shape times bytes of one element */
} parl_tensor_info;

typedef struct parl_safetensors parl_safetensors;

/* Opens for reading; *out is owned by the caller.
 * Fails: EIO, EFORMAT saying what is wrong and where, ENOMEM. */
parl_status parl_safetensors_open(const char *path, parl_safetensors **out);

/* Unmaps and frees, so everything borrowed from the reader ends; NULL is allowed. */
void parl_safetensors_close(parl_safetensors *file);

/* SHA-256 of the whole file, of the bytes that the reader has. */
void parl_safetensors_hash(const parl_safetensors *file, char out[65]);

/* Number of tensors. */
size_t parl_safetensors_get_count(const parl_safetensors *file);

/* The i-th tensor in the order of the data, borrowed; NULL if there is none. */
const parl_tensor_info *parl_safetensors_get(const parl_safetensors *file, size_t i);

/* The tensor of this name, borrowed, or NULL. */
const parl_tensor_info *parl_safetensors_find(const parl_safetensors *file, const char *name);

/* Value of a __metadata__ key, borrowed, or NULL. */
const char *parl_safetensors_get_metadata(const parl_safetensors *file, const char *key);

/* Writes tensors in the given order with metadata pairs [2 * n_pairs] key, value, ...; the file
 * appears under its name when it is whole, see parl_file_write.
 *   sha256 [65] receives the hex hash of the whole file; may be NULL
 * Fails: EINVAL if a tensor's name is empty, twice, no UTF-8 or __metadata__, if its shape does not
 * match its bytes, or if a metadata key is there twice or the digest's; EIO, ENOMEM. */
parl_status parl_safetensors_write(const char *path, const parl_tensor_info *tensors,
                                   size_t n_tensors, const char *const *metadata, size_t n_pairs,
                                   char sha256[65]);

#endif
