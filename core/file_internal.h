/* core/file_internal.h - a file that is written in pieces and appears under its name when whole. */
#ifndef PARL_CORE_FILE_INTERNAL_H
#define PARL_CORE_FILE_INTERNAL_H
#include <stddef.h>
#include <sys/types.h>

#include "core/status.h"

enum { PARL_FILE_PATH_BYTES = 4096 };

typedef struct parl_file_writer {
  int fd;                               /* of the temporary, -1 when closed */
  const char *path;                     /* borrowed, the name it will have */
  char temporary[PARL_FILE_PATH_BYTES]; /* path.tmp.<pid>.<k> */
} parl_file_writer;

/* EIO: the path is a folder, a pipe, a socket or a device, by its mode, and not a file. */
parl_status parl_file_fail_kind(const char *path, mode_t mode);

/* Creates a temporary beside `path`, which is borrowed until commit or abort.
 * Fails: EINVAL if the path is too long, EIO naming the path; there is nothing to abort then. */
parl_status parl_file_writer_open(parl_file_writer *w, const char *path);

/* Appends n bytes. Fails: EIO; abort next. */
parl_status parl_file_writer_append(parl_file_writer *w, const void *bytes, size_t n);

/* Syncs, closes, renames. Fails: EIO; the temporary is removed then. */
parl_status parl_file_writer_commit(parl_file_writer *w);

/* Removes the temporary. Keeps the thread's error text. */
void parl_file_writer_abort(parl_file_writer *w);

#endif
