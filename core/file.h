/* core/file.h - whole files: read with a limit, written so that a crash leaves the old or the new.
 *
 * Thread rule: pure functions of the file system; two writers of one path leave one of the two. */
#ifndef PARL_CORE_FILE_H
#define PARL_CORE_FILE_H
#include <stdbool.h>
#include <stddef.h>

#include "core/hash.h"
#include "core/status.h"

/* Reads a regular file of at most max_bytes into memory that the caller frees, a NUL added; a
 * folder, a pipe or a device is refused as what it is.
 *   *n_out bytes without that NUL
 * Fails: EIO naming the path and the system's reason, EFORMAT if larger, ENOMEM. */
parl_status parl_file_read(const char *path, size_t max_bytes, char **out, size_t *n_out);

/* Writes path.tmp.<pid>.<k>, syncs, renames, syncs the folder. On failure the old file is intact
 * and no temporary is left. Fails: EIO naming the path and the system's reason, also where the path
 * is something else than a regular file; EINVAL if the path is longer than 4000 bytes. */
parl_status parl_file_write(const char *path, const void *bytes, size_t n);

/* Adds n bytes to the end of a file that is there, in one write where the system does so; what is
 * cut short by a kill or a full disk stays. Fails: EIO naming the path and the system's reason. */
parl_status parl_file_append(const char *path, const void *bytes, size_t n);

/* Returns when what was appended survives a power cut. Fails: EIO. */
parl_status parl_file_sync(const char *path);

/* SHA-256 of a regular file's bytes. Fails: EIO naming the path and the system's reason. */
parl_status parl_file_hash(const char *path, char out[PARL_HASH_HEX_BYTES]);

/* Removes the temporaries that a killed parl_file_write left in a folder, of files whose names
 * match `pattern` (as of fnmatch). One that a writer holds, here or on another host, stays, and so
 * does one whose writer's process number is in use. A folder that cannot be read has none. */
void parl_file_remove_stale(const char *folder, const char *pattern);

/* Whether anything has this name. */
bool parl_file_exists(const char *path);
/* Whether a folder has this name. */
bool parl_file_is_folder(const char *path);

/* Makes a folder and those above it; one that exists is no failure. Fails: EIO, EINVAL. */
parl_status parl_file_make_folder(const char *path);

/* "folder/name" into out [n]. Fails: EINVAL if it does not fit. */
parl_status parl_file_join(char *out, size_t n, const char *folder, const char *name);

#endif
