/* core/lookup.h - finds a file by the name that a user wrote, in the folders where it may lie.
 *
 * Thread rule: pure functions of the file system. Reading order: parl_lookup, find, list. */
#ifndef PARL_CORE_LOOKUP_H
#define PARL_CORE_LOOKUP_H
#include <stddef.h>

#include "core/status.h"
#include "core/text.h"

enum { PARL_LOOKUP_FOLDERS = 8 };

/* All texts are borrowed. */
typedef struct parl_lookup {
  const char *what;      /* "recipe", for the message */
  const char *extension; /* ".lua": what a name may leave out */
  size_t n_folders;      /* in order of preference; "" is the working folder */
  const char *folders[PARL_LOOKUP_FOLDERS];
} parl_lookup;

/* Path of the first file that is called `name`, or name and the extension, into out [n bytes]; both
 * in one folder before the next folder. An absolute name is looked for as it stands. A folder of
 * the name is passed over.
 * Fails: EIO with every place that was looked at and the nearest name that is there; at once, with
 * the system's reason, where a place cannot be looked at; EINVAL if the name is empty or a path
 * does not fit. */
parl_status parl_lookup_find(const parl_lookup *lookup, const char *name, char *out, size_t n);

/* Appends the names, without the extension, of the files in `folder` that have it, sorted, each
 * after a blank. Nothing if the folder cannot be read. */
void parl_lookup_append_names(const char *folder, const char *extension, parl_text *out);

#endif
