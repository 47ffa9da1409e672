/* core/safetensors_write.c - the writer: the header is checked and made, then all is streamed. */
#include <stdlib.h>
#include <string.h>

#include "core/file_internal.h"
#include "core/hash.h"
#include "core/json_internal.h"
#include "core/safetensors.h"
#include "core/safetensors_internal.h"

enum { SIZE_BYTES = 8, ALIGNMENT = 8 };

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Fails with EINVAL if one of the n texts, `stride` bytes apart, is there twice. */
static parl_status check_unique(const char *path, const char *kind, const void *first,
                                size_t stride, size_t n) {
  if (n < 2) return PARL_STATUS_OK;
  const char **texts = malloc(n * sizeof *texts);
  if (texts == NULL) return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for %zu names", path, n);
  for (size_t i = 0; i < n; i++)
    texts[i] = *(const char *const *)(const void *)((const char *)first + i * stride);
  qsort(texts, n, sizeof *texts, compare_texts);
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 1; i < n && s == PARL_STATUS_OK; i++)
    if (strcmp(texts[i - 1], texts[i]) == 0)
      s = parl_fail(PARL_STATUS_EINVAL, "%s: %s \"%s\" is there twice", path, kind, texts[i]);
  free(texts);
  return s;
}

static parl_status check_tensor(const char *path, const parl_tensor_info *t) {
  if (t->name == NULL || t->name[0] == '\0' || strcmp(t->name, PARL_SAFETENSORS_METADATA) == 0 ||
      parl_utf8_find_bad(t->name, strlen(t->name)) < strlen(t->name))
    return parl_fail(PARL_STATUS_EINVAL, "%s: \"%s\" is no name for a tensor", path,
                     t->name ? t->name : "(null)");
  size_t bytes = 0;
  const parl_status s = parl_tensor_count_bytes(t->dtype, t->shape, t->n_dims, &bytes);
  if (s != PARL_STATUS_OK) return parl_fail_context(s, "%s: tensor \"%s\"", path, t->name);
  if (bytes != t->bytes || (t->data == NULL && bytes > 0))
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s: tensor \"%s\": its shape asks for %zu bytes of data, not %zu%s", path,
                     t->name, bytes, t->bytes, t->data ? "" : " at NULL");
  return PARL_STATUS_OK;
}

static parl_status check_arguments(const char *path, const parl_tensor_info *tensors,
                                   size_t n_tensors, const char *const *metadata, size_t n_pairs) {
  for (size_t i = 0; i < n_tensors; i++) PARL_TRY(check_tensor(path, &tensors[i]));
  for (size_t i = 0; i < 2 * n_pairs; i++) {
    if (metadata[i] == NULL ||
        parl_utf8_find_bad(metadata[i], strlen(metadata[i])) < strlen(metadata[i]))
      return parl_fail(PARL_STATUS_EINVAL, "%s: metadata text %zu is NULL or no UTF-8", path, i);
  }
  for (size_t i = 0; i < n_pairs; i++)
    if (strcmp(metadata[2 * i], PARL_SAFETENSORS_DIGEST) == 0)
      return parl_fail(PARL_STATUS_EINVAL, "%s: metadata \"%s\" is the writer's own", path,
                       metadata[2 * i]);
  PARL_TRY(check_unique(path, "metadata key", metadata, 2 * sizeof *metadata, n_pairs));
  return n_tensors == 0
             ? PARL_STATUS_OK
             : check_unique(path, "tensor", &tensors[0].name, sizeof *tensors, n_tensors);
}

static void append_tensor(parl_json_writer *w, const parl_tensor_info *t, size_t begin) {
  parl_json_key(w, t->name);
  parl_json_begin_object(w);
  parl_json_key(w, "dtype");
  parl_json_string(w, parl_dtype_name(t->dtype));
  parl_json_key(w, "shape");
  parl_json_begin_array(w);
  for (int i = 0; i < t->n_dims; i++) parl_json_integer(w, t->shape[i]);
  parl_json_end_array(w);
  parl_json_key(w, "data_offsets");
  parl_json_begin_array(w);
  parl_json_integer(w, (int64_t)begin);
  parl_json_integer(w, (int64_t)(begin + t->bytes));
  parl_json_end_array(w);
  parl_json_end_object(w);
}

/* The JSON, filled up with blanks so that the data begins at a multiple of eight bytes; zeros stand
 * where the digest will. */
static parl_status make_header(const char *path, const parl_tensor_info *tensors, size_t n_tensors,
                               const char *const *metadata, size_t n_pairs, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, PARL_SAFETENSORS_METADATA);
  parl_json_begin_object(&w);
  parl_json_key(&w, PARL_SAFETENSORS_DIGEST);
  parl_json_string(&w, PARL_SAFETENSORS_ZEROS);
  for (size_t i = 0; i < n_pairs; i++) {
    parl_json_key(&w, metadata[2 * i]);
    parl_json_string(&w, metadata[2 * i + 1]);
  }
  parl_json_end_object(&w);
  size_t begin = 0;
  for (size_t i = 0; i < n_tensors; i++) {
    append_tensor(&w, &tensors[i], begin);
    begin += tensors[i].bytes;
  }
  parl_json_end_object(&w);
  PARL_TRY(parl_text_status(out));
  while (out->n % ALIGNMENT != 0 && !out->failed) parl_text_append(out, " ");
  if (out->n > PARL_SAFETENSORS_MAX_HEADER)
    return parl_fail(PARL_STATUS_EINVAL, "%s: the header takes %zu bytes, at most %d are allowed",
                     path, out->n, PARL_SAFETENSORS_MAX_HEADER);
  return parl_text_status(out);
}

typedef struct piece {
  const void *bytes;
  size_t n;
} piece;

/* The file is its size, its header, then the data of each tensor. */
static piece get_piece(size_t i, const unsigned char *size, const parl_text *header,
                       const parl_tensor_info *tensors) {
  if (i == 0) return (piece){size, SIZE_BYTES};
  if (i == 1) return (piece){header->bytes, header->n};
  return (piece){tensors[i - 2].data, tensors[i - 2].bytes};
}

/* Puts the digest in its place; sha256 (may be NULL) is of the file as it then is. */
static void seal(const unsigned char *size, parl_text *header, const parl_tensor_info *tensors,
                 size_t n_tensors, char *sha256) {
  char digest[PARL_HASH_HEX_BYTES];
  for (int pass = 0; pass < (sha256 != NULL ? 2 : 1); pass++) {
    parl_hash hash;
    parl_hash_init(&hash);
    for (size_t i = 0; i < n_tensors + 2; i++) {
      const piece p = get_piece(i, size, header, tensors);
      parl_hash_update(&hash, p.bytes, p.n);
    }
    parl_hash_finish(&hash, pass == 0 ? digest : sha256);
    if (pass == 0)
      memcpy(header->bytes + strlen(PARL_SAFETENSORS_START), digest, PARL_HASH_HEX_BYTES - 1);
  }
}

static parl_status write_file(const char *path, parl_text *header, const parl_tensor_info *tensors,
                              size_t n_tensors, char *sha256) {
  unsigned char size[SIZE_BYTES];
  char hash[PARL_HASH_HEX_BYTES];
  for (int i = 0; i < SIZE_BYTES; i++) size[i] = (unsigned char)((uint64_t)header->n >> 8 * i);
  seal(size, header, tensors, n_tensors, sha256 != NULL ? hash : NULL);
  parl_file_writer file;
  PARL_TRY(parl_file_writer_open(&file, path));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < n_tensors + 2; i++) {
    const piece p = get_piece(i, size, header, tensors);
    s = parl_file_writer_append(&file, p.bytes, p.n);
  }
  if (s != PARL_STATUS_OK) {
    parl_file_writer_abort(&file);
    return s;
  }
  PARL_TRY(parl_file_writer_commit(&file));
  if (sha256 != NULL) memcpy(sha256, hash, sizeof hash);
  return PARL_STATUS_OK;
}

parl_status parl_safetensors_write(const char *path, const parl_tensor_info *tensors,
                                   size_t n_tensors, const char *const *metadata, size_t n_pairs,
                                   char sha256[65]) {
  PARL_REQUIRE(path != NULL && (tensors != NULL || n_tensors == 0));
  PARL_REQUIRE((metadata != NULL || n_pairs == 0) && n_pairs < SIZE_MAX / 4);
  PARL_TRY(check_arguments(path, tensors, n_tensors, metadata, n_pairs));
  parl_text header = {0};
  parl_status s = make_header(path, tensors, n_tensors, metadata, n_pairs, &header);
  if (s == PARL_STATUS_OK) s = write_file(path, &header, tensors, n_tensors, sha256);
  parl_text_deinit(&header);
  return s;
}
