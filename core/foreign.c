/* core/foreign.c - files by their first bytes. */
#include "core/foreign.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { LEAST_ZEROS = 64, MAX_LOOKED_AT = 4096, TAR_AT = 257, SIZE_BYTES = 8 };

static const struct {
  const char *start;
  size_t n, at;
  const char *name;
} KINDS[] = {
#define KIND(start, name) \
  { start, sizeof start - 1, 0, name }
    KIND("version https://git-lfs", "a Git LFS pointer (git lfs pull fetches the file itself)"),
    KIND("PK\3\4", "a zip archive, as torch.save writes .pt and .bin (convert it to safetensors)"),
    KIND("\x1f\x8b", "a gzip file (unpack it)"),
    KIND("\x28\xb5\x2f\xfd", "a zstd file (unpack it)"),
    KIND("\xfd"
         "7zXZ\0",
         "an xz file (unpack it)"),
    KIND("BZh", "a bzip2 file (unpack it)"),
    KIND("SQLite format 3\0", "an SQLite database"),
    KIND("\x89HDF\r\n\x1a\n", "an HDF5 file"),
    KIND("GGUF", "a GGUF file of llama.cpp"),
    KIND("\x93NUMPY", "a NumPy array"),
    KIND("\x7f"
         "ELF",
         "a program"),
    KIND("%PDF", "a PDF document"),
    KIND("{", PARL_FOREIGN_JSON),
#undef KIND
    {"ustar", 5, TAR_AT, "a tar archive (unpack it)"}};

static bool has_header(const unsigned char *b, size_t n) {
  uint64_t size = 0;
  if (n <= SIZE_BYTES || b[SIZE_BYTES] != '{') return false;
  for (int i = SIZE_BYTES - 1; i >= 0; i--) size = size << 8 | b[i];
  return size < (uint64_t)1 << 32;
}

/* Behind blanks and a byte order mark, in any case. */
static bool is_html(const char *b, size_t n) {
  static const char *const starts[] = {"<!doctype html", "<html", "<head", "<!--"};
  size_t at = n >= 3 && memcmp(b, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  while (at < n && strchr(" \t\r\n", b[at]) != NULL && b[at] != '\0') at++;
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
    if (n - at >= strlen(starts[i]) && strncasecmp(b + at, starts[i], strlen(starts[i])) == 0)
      return true;
  return false;
}

static bool is_zeros(const unsigned char *b, size_t n) {
  for (size_t i = 0; i < n && i < MAX_LOOKED_AT; i++)
    if (b[i] != 0) return false;
  return true;
}

const char *parl_foreign_name(const void *bytes, size_t n) {
  const unsigned char *b = bytes;
  if (n == 0) return "an empty file";
  if (has_header(b, n)) return PARL_FOREIGN_SAFETENSORS;
  for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
    if (n >= KINDS[i].at + KINDS[i].n && memcmp(b + KINDS[i].at, KINDS[i].start, KINDS[i].n) == 0)
      return KINDS[i].name;
  if (n >= 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5)
    return "a Python pickle, as torch.save wrote .pt and .bin (convert it to safetensors)";
  if (is_html(bytes, n)) return "an HTML page (of a download that failed?)";
  if (n >= LEAST_ZEROS && is_zeros(b, n)) return "a file of zeros (of a write that was cut off?)";
  return NULL;
}

parl_status parl_foreign_refuse(const void *bytes, size_t n, const char *what, const char *wanted) {
  const char *name = parl_foreign_name(bytes, n);
  if (name == NULL || strcmp(name, wanted) == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "%s: is %s, not %s", what, name, wanted);
}
