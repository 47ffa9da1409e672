/* core/lookup.c - a file by the name that a user wrote. */
#include "core/lookup.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/config.h"
#include "core/file.h"

enum { NAME_BYTES = 64, MAX_NAMES = 256 };

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), n_end = strlen(end);
  return n > n_end && strcmp(text + n - n_end, end) == 0;
}

/* --- names that are there --- */

typedef struct names {
  size_t n;
  char text[MAX_NAMES][NAME_BYTES];
} names;

static void collect(names *all, const char *folder, const char *extension) {
  DIR *d = opendir(folder[0] ? folder : ".");
  const struct dirent *entry;
  while (d != NULL && all->n < MAX_NAMES && (entry = readdir(d)) != NULL) {
    const size_t n = strlen(entry->d_name) - strlen(extension);
    if (entry->d_name[0] == '.' || !ends_with(entry->d_name, extension) || n >= NAME_BYTES)
      continue;
    memcpy(all->text[all->n], entry->d_name, n);
    all->text[all->n++][n] = '\0';
  }
  if (d != NULL) closedir(d);
}

static int compare(const void *a, const void *b) {
  return strcmp(a, b);
}

void parl_lookup_append_names(const char *folder, const char *extension, parl_text *out) {
  names *all = calloc(1, sizeof *all);
  if (all == NULL) return;
  collect(all, folder, extension);
  qsort(all->text, all->n, sizeof all->text[0], compare);
  for (size_t i = 0; i < all->n; i++) parl_text_appendf(out, " %s", all->text[i]);
  free(all);
}

/* "; did you mean ..." if one of the folders has something like it. */
static void append_nearest(const parl_lookup *l, const char *name, parl_text *out) {
  const char *slash = strrchr(name, '/'), *candidates[MAX_NAMES];
  char word[NAME_BYTES];
  const char *base = slash ? slash + 1 : name;
  const size_t n = strlen(base) - (ends_with(base, l->extension) ? strlen(l->extension) : 0);
  names *all = calloc(1, sizeof *all);
  if (all == NULL || n >= sizeof word) {
    free(all);
    return;
  }
  memcpy(word, base, n);
  word[n] = '\0';
  for (size_t i = 0; i < l->n_folders; i++) collect(all, l->folders[i], l->extension);
  for (size_t i = 0; i < all->n; i++) candidates[i] = all->text[i];
  const char *near = parl_nearest(word, candidates, all->n);
  if (near != NULL) parl_text_appendf(out, "; did you mean \"%s\"?", near);
  free(all);
}

/* --- finding one --- */

/* Whether a file is there; a folder is not one. */
static parl_status try_place(const char *path, parl_text *seen, bool *found) {
  struct stat st;
  *found = false;
  if (stat(path, &st) == 0) {
    *found = !S_ISDIR(st.st_mode);
    if (!*found) parl_text_appendf(seen, "%s%s (a folder)", seen->n ? ", " : "", path);
    return PARL_STATUS_OK;
  }
  if (errno != ENOENT && errno != ENOTDIR)
    return parl_fail(PARL_STATUS_EIO, "%s: cannot open: %s", path, strerror(errno));
  parl_text_appendf(seen, "%s%s", seen->n ? ", " : "", path);
  return PARL_STATUS_OK;
}

/* As written, then with the extension. */
static parl_status try_folder(const parl_lookup *l, const char *folder, const char *name,
                              parl_text *seen, char *out, size_t n, bool *found) {
  PARL_TRY(parl_file_join(out, n, folder, name));
  PARL_TRY(try_place(out, seen, found));
  if (*found || ends_with(name, l->extension)) return PARL_STATUS_OK;
  if (strlen(out) + strlen(l->extension) >= n)
    return parl_fail(PARL_STATUS_EINVAL, "%s: the path is longer than %zu bytes", out, n - 1);
  strcat(out, l->extension);
  return try_place(out, seen, found);
}

static parl_status find(const parl_lookup *l, const char *name, parl_text *seen, char *out,
                        size_t n) {
  bool found = false;
  const size_t n_folders = name[0] == '/' ? 1 : l->n_folders;
  for (size_t i = 0; i < n_folders && !found; i++)
    PARL_TRY(try_folder(l, name[0] == '/' ? "" : l->folders[i], name, seen, out, n, &found));
  if (found) return PARL_STATUS_OK;
  parl_text near = {0};
  append_nearest(l, name, &near);
  const parl_status s = parl_fail(PARL_STATUS_EIO, "no %s \"%s\": looked for %s%s", l->what, name,
                                  parl_text_get(seen), parl_text_get(&near));
  parl_text_deinit(&near);
  return s;
}

parl_status parl_lookup_find(const parl_lookup *lookup, const char *name, char *out, size_t n) {
  PARL_REQUIRE(lookup->n_folders >= 1 && n > 0);
  if (name[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "the name of the %s is empty", lookup->what);
  parl_text seen = {0};
  const parl_status s = find(lookup, name, &seen, out, n);
  parl_text_deinit(&seen);
  return s;
}
