/* core/safetensors.c - the reader. */
#include "core/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file_internal.h"
#include "core/foreign.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/safetensors_internal.h"

enum { SIZE_BYTES = 8 }; /* of the header's size, little-endian, at the start of the file */

typedef struct entry {
  parl_tensor_info info;
  size_t begin, end; /* bytes into the data */
  size_t order;      /* place in the header */
  void *copy;        /* owned; holds data that lies misaligned in the file, else NULL */
} entry;

struct parl_safetensors {
  parl_json *header;
  const parl_json *metadata; /* borrowed from header, or NULL */
  entry *entries;            /* [n], in the order of the data */
  const entry **by_name;     /* [n], sorted */
  size_t n;
  void *map; /* owned, or NULL if the bytes are the caller's */
  size_t map_bytes;
};

static const struct {
  const char *name;
  size_t bytes;
} dtypes[] = {
#define X(name, bytes) {#name, bytes},
    PARL_DTYPE_LIST(X)
#undef X
};

enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

size_t parl_dtype_bytes(parl_dtype t) {
  return (size_t)t < N_DTYPES ? dtypes[t].bytes : 0;
}

const char *parl_dtype_name(parl_dtype t) {
  return (size_t)t < N_DTYPES ? dtypes[t].name : "?";
}

parl_status parl_tensor_count_bytes(parl_dtype dtype, const int64_t *shape, int n_dims,
                                    size_t *out) {
  if ((size_t)dtype >= N_DTYPES)
    return parl_fail(PARL_STATUS_EINVAL, "dtype %d is unknown", (int)dtype);
  if (n_dims < 0 || n_dims > PARL_TENSOR_MAX_DIMS)
    return parl_fail(PARL_STATUS_EINVAL, "%d dimensions, 0..%d are possible", n_dims,
                     PARL_TENSOR_MAX_DIMS);
  size_t bytes = parl_dtype_bytes(dtype);
  bool is_empty = false, overflows = false;
  for (int i = 0; i < n_dims; i++) {
    if (shape[i] < 0)
      return parl_fail(PARL_STATUS_EINVAL, "extent %d is %lld, below 0", i, (long long)shape[i]);
    if (shape[i] == 0)
      is_empty = true;
    else
      overflows |= __builtin_mul_overflow(bytes, (size_t)shape[i], &bytes);
  }
  if (overflows && !is_empty)
    return parl_fail(PARL_STATUS_EINVAL, "the product of the extents does not fit in %zu bits",
                     8 * sizeof bytes);
  *out = is_empty ? 0 : bytes;
  return PARL_STATUS_OK;
}

/* A JSON number that is a whole number 0..2^53; false for anything else. */
static bool read_whole(const parl_json *node, int64_t *out) {
  const double x = parl_json_get_number(node);
  if (parl_json_get_type(node) != PARL_JSON_NUMBER || !(x >= 0.0) || x > 0x1p53 || x != trunc(x))
    return false;
  *out = (int64_t)x;
  return true;
}

static parl_status fail_tensor(const char *what, const char *name, const char *text) {
  return parl_fail(PARL_STATUS_EFORMAT, "%s: tensor \"%s\": %s", what, name, text);
}

static parl_status read_dtype(const char *what, const char *name, const parl_json *node,
                              parl_dtype *out) {
  const char *text = parl_json_get_string(node);
  if (text == NULL) return fail_tensor(what, name, "dtype is missing or no string");
  for (size_t i = 0; i < N_DTYPES; i++) {
    if (strcmp(text, dtypes[i].name) != 0) continue;
    *out = (parl_dtype)i;
    return PARL_STATUS_OK;
  }
  return parl_fail(PARL_STATUS_EFORMAT, "%s: tensor \"%s\": dtype \"%s\" is not supported", what,
                   name, text);
}

static parl_status read_shape(const char *what, const char *name, const parl_json *node,
                              parl_tensor_info *info) {
  if (parl_json_get_type(node) != PARL_JSON_ARRAY)
    return fail_tensor(what, name, "shape is missing or no array");
  if (parl_json_get_size(node) > PARL_TENSOR_MAX_DIMS)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: tensor \"%s\": %zu dimensions, at most %d are read",
                     what, name, parl_json_get_size(node), PARL_TENSOR_MAX_DIMS);
  for (const parl_json *c = parl_json_get_first(node); c != NULL; c = parl_json_get_next(c))
    if (!read_whole(c, &info->shape[info->n_dims++]))
      return fail_tensor(what, name, "an extent is no whole number from 0 to 2^53");
  return PARL_STATUS_OK;
}

static parl_status read_offsets(const char *what, const char *name, const parl_json *node,
                                size_t n_data, entry *e) {
  const parl_json *first = parl_json_get_first(node);
  int64_t begin, end;
  if (parl_json_get_type(node) != PARL_JSON_ARRAY || parl_json_get_size(node) != 2 ||
      !read_whole(first, &begin) || !read_whole(parl_json_get_next(first), &end))
    return fail_tensor(what, name, "data_offsets are not two whole numbers");
  if (begin > end || (uint64_t)end > n_data)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "%s: tensor \"%s\": data_offsets [%lld, %lld] lie outside the %zu bytes of "
                     "data (is the file truncated?)",
                     what, name, (long long)begin, (long long)end, n_data);
  e->begin = (size_t)begin;
  e->end = (size_t)end;
  return PARL_STATUS_OK;
}

static parl_status read_entry(const char *what, const parl_json *node, size_t n_data, entry *e) {
  const char *name = parl_json_get_key(node);
  if (parl_json_get_type(node) != PARL_JSON_OBJECT)
    return fail_tensor(what, name, "its entry is no object");
  e->info.name = name;
  PARL_TRY(read_dtype(what, name, parl_json_find(node, "dtype"), &e->info.dtype));
  PARL_TRY(read_shape(what, name, parl_json_find(node, "shape"), &e->info));
  PARL_TRY(read_offsets(what, name, parl_json_find(node, "data_offsets"), n_data, e));
  size_t bytes = 0;
  if (parl_tensor_count_bytes(e->info.dtype, e->info.shape, e->info.n_dims, &bytes) !=
          PARL_STATUS_OK ||
      bytes != e->end - e->begin)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "%s: tensor \"%s\": its shape asks for other than the %zu bytes it has", what,
                     name, e->end - e->begin);
  e->info.bytes = bytes;
  return PARL_STATUS_OK;
}

static parl_status check_metadata(const char *what, const parl_json *metadata) {
  if (parl_json_get_type(metadata) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: __metadata__ is no object", what);
  for (const parl_json *c = parl_json_get_first(metadata); c != NULL; c = parl_json_get_next(c))
    if (parl_json_get_string(c) == NULL)
      return parl_fail(PARL_STATUS_EFORMAT, "%s: __metadata__ \"%s\" is no string", what,
                       parl_json_get_key(c));
  return PARL_STATUS_OK;
}

static parl_status read_entries(parl_safetensors *f, const char *what, size_t n_data) {
  if (parl_json_get_type(f->header) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: the header is no object", what);
  const size_t n_members = parl_json_get_size(f->header);
  f->entries = calloc(n_members + 1, sizeof *f->entries);
  f->by_name = calloc(n_members + 1, sizeof *f->by_name);
  if (f->entries == NULL || f->by_name == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for %zu tensors", what, n_members);
  for (const parl_json *c = parl_json_get_first(f->header); c != NULL; c = parl_json_get_next(c)) {
    if (strcmp(parl_json_get_key(c), PARL_SAFETENSORS_METADATA) == 0) {
      PARL_TRY(check_metadata(what, c));
      f->metadata = c;
      continue;
    }
    f->entries[f->n].order = f->n;
    PARL_TRY(read_entry(what, c, n_data, &f->entries[f->n]));
    f->n++;
  }
  return PARL_STATUS_OK;
}

static int compare_numbers(size_t a, size_t b) {
  return (a > b) - (a < b);
}

static int compare_places(const void *a, const void *b) {
  const entry *x = a, *y = b;
  int c = compare_numbers(x->begin, y->begin);
  if (c == 0) c = compare_numbers(x->end, y->end);
  return c != 0 ? c : compare_numbers(x->order, y->order);
}

/* Every byte of the data belongs to exactly one tensor. */
static parl_status check_cover(const parl_safetensors *f, const char *what, size_t n_data) {
  size_t at = 0;
  for (size_t i = 0; i < f->n; i++) {
    const entry *e = &f->entries[i];
    if (e->begin != at)
      return parl_fail(PARL_STATUS_EFORMAT,
                       "%s: tensor \"%s\" begins at byte %zu of the data where %zu is due: %s",
                       what, e->info.name, e->begin, at, e->begin < at ? "an overlap" : "a gap");
    at = e->end;
  }
  if (at != n_data)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: %zu bytes of data belong to no tensor", what,
                     n_data - at);
  return PARL_STATUS_OK;
}

/* Points the tensors at their data; files of other writers may hold them misaligned. */
static parl_status attach_data(parl_safetensors *f, const char *what, const char *data) {
  static const double nothing = 0; /* where an empty tensor points: aligned for every dtype */
  for (size_t i = 0; i < f->n; i++) {
    entry *e = &f->entries[i];
    e->info.data = e->info.bytes == 0 ? (const void *)&nothing : data + e->begin;
    if ((uintptr_t)e->info.data % parl_dtype_bytes(e->info.dtype) == 0) continue;
    e->copy = malloc(e->info.bytes);
    if (e->copy == NULL)
      return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for tensor \"%s\"", what, e->info.name);
    memcpy(e->copy, e->info.data, e->info.bytes);
    e->info.data = e->copy;
  }
  return PARL_STATUS_OK;
}

static int compare_names(const void *a, const void *b) {
  const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
  return strcmp(x->info.name, y->info.name);
}

static int compare_name(const void *key, const void *b) {
  const entry *y = *(const entry *const *)b;
  return strcmp(key, y->info.name);
}

/* Size of the header from the first eight bytes, checked against the file's n bytes. */
static parl_status read_header_size(const unsigned char *bytes, size_t n, const char *what,
                                    size_t *out) {
  if (n < SIZE_BYTES)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: %zu bytes are too few for a safetensors file", what,
                     n);
  uint64_t size = 0;
  for (int i = SIZE_BYTES - 1; i >= 0; i--) size = size << 8 | bytes[i];
  if (size > PARL_SAFETENSORS_MAX_HEADER)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "%s: is no safetensors file: a header of %llu bytes is announced, at most %d "
                     "are allowed",
                     what, (unsigned long long)size, PARL_SAFETENSORS_MAX_HEADER);
  if (size > n - SIZE_BYTES)
    return parl_fail(
        PARL_STATUS_EFORMAT,
        "%s: is truncated: a header of %llu bytes is announced, the file has %zu bytes "
        "after its size",
        what, (unsigned long long)size, n - SIZE_BYTES);
  *out = (size_t)size;
  return PARL_STATUS_OK;
}

/* What one flipped bit of our own files could change, their digest tells. A file of another program
 * has none. */
static parl_status check_digest(const parl_safetensors *f, const char *bytes, size_t n,
                                const char *what) {
  const char *due = parl_safetensors_get_metadata(f, PARL_SAFETENSORS_DIGEST);
  if (due == NULL) return PARL_STATUS_OK;
  const size_t at = SIZE_BYTES + strlen(PARL_SAFETENSORS_START), n_hex = PARL_HASH_HEX_BYTES - 1;
  char found[PARL_HASH_HEX_BYTES] = "";
  if (n >= at + n_hex && strlen(due) == n_hex && memcmp(bytes + at, due, n_hex) == 0) {
    parl_hash h;
    parl_hash_init(&h);
    parl_hash_update(&h, bytes, at);
    parl_hash_update(&h, PARL_SAFETENSORS_ZEROS, n_hex);
    parl_hash_update(&h, bytes + at + n_hex, n - at - n_hex);
    parl_hash_finish(&h, found);
  }
  if (strcmp(found, due) == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "%s: its bytes are not those that were written: they do not have the digest "
                   "that it carries (is the file damaged?)",
                   what);
}

static parl_status parse_into(parl_safetensors *f, const char *bytes, size_t n, const char *what) {
  size_t n_header = 0;
  PARL_TRY(parl_foreign_refuse(bytes, n, what, PARL_FOREIGN_SAFETENSORS));
  PARL_TRY(read_header_size((const unsigned char *)bytes, n, what, &n_header));
  PARL_TRY(parl_json_parse(bytes + SIZE_BYTES, n_header, what, &f->header));
  const size_t n_data = n - SIZE_BYTES - n_header;
  PARL_TRY(read_entries(f, what, n_data));
  qsort(f->entries, f->n, sizeof *f->entries, compare_places);
  PARL_TRY(check_cover(f, what, n_data));
  PARL_TRY(attach_data(f, what, bytes + SIZE_BYTES + n_header));
  for (size_t i = 0; i < f->n; i++) f->by_name[i] = &f->entries[i];
  qsort(f->by_name, f->n, sizeof *f->by_name, compare_names);
  return check_digest(f, bytes, n, what);
}

parl_status parl_safetensors_parse(const void *bytes, size_t n, const char *what,
                                   parl_safetensors **out) {
  parl_safetensors *f = calloc(1, sizeof *f);
  if (f == NULL) return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for a reader", what);
  const parl_status s = parse_into(f, bytes, n, what);
  if (s != PARL_STATUS_OK) {
    parl_safetensors_close(f);
    return s;
  }
  *out = f;
  return PARL_STATUS_OK;
}

static parl_status fail_io(const char *path, const char *verb) {
  const parl_status s = errno == ENOMEM ? PARL_STATUS_ENOMEM : PARL_STATUS_EIO;
  return parl_fail(s, "%s: cannot %s: %s", path, verb, strerror(errno));
}

static parl_status open_map(int fd, const char *path, void **map, size_t *n) {
  struct stat st;
  if (fstat(fd, &st) != 0) return fail_io(path, "read");
  if (!S_ISREG(st.st_mode)) return parl_file_fail_kind(path, st.st_mode);
  if (st.st_size == 0) /* which cannot be mapped */
    return parl_foreign_refuse("", 0, path, PARL_FOREIGN_SAFETENSORS);
  void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) return fail_io(path, "map");
  *map = bytes;
  *n = (size_t)st.st_size;
  return PARL_STATUS_OK;
}

parl_status parl_safetensors_open(const char *path, parl_safetensors **out) {
  PARL_REQUIRE(path != NULL);
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail_io(path, "open");
  void *map = NULL;
  size_t n = 0;
  const parl_status mapped = open_map(fd, path, &map, &n);
  close(fd);
  PARL_TRY(mapped);
  parl_safetensors *f = NULL;
  const parl_status s = parl_safetensors_parse(map, n, path, &f);
  if (s != PARL_STATUS_OK) {
    munmap(map, n);
    return s;
  }
  f->map = map;
  f->map_bytes = n;
  *out = f;
  return PARL_STATUS_OK;
}

void parl_safetensors_close(parl_safetensors *file) {
  if (file == NULL) return;
  for (size_t i = 0; i < file->n; i++) free(file->entries[i].copy);
  free(file->by_name);
  free(file->entries);
  parl_json_destroy(file->header);
  if (file->map != NULL) munmap(file->map, file->map_bytes);
  free(file);
}

void parl_safetensors_hash(const parl_safetensors *file, char out[65]) {
  parl_hash_bytes(file->map, file->map_bytes, out);
}

size_t parl_safetensors_get_count(const parl_safetensors *file) {
  return file->n;
}

const parl_tensor_info *parl_safetensors_get(const parl_safetensors *file, size_t i) {
  return i < file->n ? &file->entries[i].info : NULL;
}

const parl_tensor_info *parl_safetensors_find(const parl_safetensors *file, const char *name) {
  const entry *const *found =
      bsearch(name, file->by_name, file->n, sizeof *file->by_name, compare_name);
  return found == NULL ? NULL : &(*found)->info;
}

const char *parl_safetensors_get_metadata(const parl_safetensors *file, const char *key) {
  return parl_json_get_string(parl_json_find(file->metadata, key));
}
