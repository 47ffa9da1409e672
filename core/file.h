/* core/file.h - whole files: read with a limit, written so that a crash leaves the old or the new one. */
#ifndef PARL_CORE_FILE_H
#define PARL_CORE_FILE_H
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* Reads a regular file of at most max_bytes into malloc'd memory, NUL added. Fails: EIO, EFORMAT if larger, ENOMEM. */
parl_status parl_file_read(const char *path, size_t max_bytes, char **out, size_t *n_out);
/* Writes path.tmp.<pid>, syncs, renames, syncs the folder. On failure the old file is intact and no
 * temporary is left. Fails: EIO naming the path and the system's reason. */
parl_status parl_file_write(const char *path, const void *bytes, size_t n);
bool parl_file_exists(const char *path);
/* mkdir -p. Fails: EIO. */
parl_status parl_file_make_folder(const char *path);
/* "dir/name" into out [n]; EINVAL if it does not fit. */
parl_status parl_file_join(char *out, size_t n, const char *folder, const char *name);

#endif
