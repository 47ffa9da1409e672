/* core/file.c - whole files. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file_internal.h"

enum { MAX_TEMPORARIES = 1000, FILE_MODE = 0666, FOLDER_MODE = 0777 };

static parl_status fail_io(const char *path, const char *verb) {
  return parl_fail(PARL_STATUS_EIO, "%s: cannot %s: %s", path, verb, strerror(errno));
}

parl_status parl_file_fail_kind(const char *path, mode_t mode) {
  return parl_fail(PARL_STATUS_EIO, "%s: is no regular file but %s", path,
                   S_ISDIR(mode)    ? "a folder"
                   : S_ISFIFO(mode) ? "a pipe"
                   : S_ISSOCK(mode) ? "a socket"
                                    : "a device");
}

/* Reads n bytes, or fewer if the file ends. */
static parl_status read_all(int fd, const char *path, char *bytes, size_t n, size_t *n_read) {
  size_t at = 0;
  while (at < n) {
    const ssize_t got = read(fd, bytes + at, n - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_io(path, "read");
    if (got == 0) break;
    at += (size_t)got;
  }
  *n_read = at;
  return PARL_STATUS_OK;
}

static parl_status read_open(int fd, const char *path, size_t max_bytes, char **out,
                             size_t *n_out) {
  struct stat st;
  if (fstat(fd, &st) != 0) return fail_io(path, "read");
  if (!S_ISREG(st.st_mode)) return parl_file_fail_kind(path, st.st_mode);
  if ((size_t)st.st_size > max_bytes)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: has %lld bytes, at most %zu are allowed", path,
                     (long long)st.st_size, max_bytes);
  const size_t n = (size_t)st.st_size;
  char *bytes = malloc(n + 1);
  if (bytes == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for its %zu bytes", path, n);
  size_t n_read = 0;
  const parl_status s = read_all(fd, path, bytes, n, &n_read);
  if (s != PARL_STATUS_OK) {
    free(bytes);
    return s;
  }
  bytes[n_read] = '\0';
  *out = bytes;
  *n_out = n_read;
  return PARL_STATUS_OK;
}

parl_status parl_file_read(const char *path, size_t max_bytes, char **out, size_t *n_out) {
  PARL_REQUIRE(path != NULL && max_bytes < SIZE_MAX);
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
  if (fd < 0) return fail_io(path, "open");
  const parl_status s = read_open(fd, path, max_bytes, out, n_out);
  close(fd);
  return s;
}

/* A rename would put a regular file in the place of, say, /dev/null. */
static parl_status check_target(const char *path) {
  struct stat st;
  if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return parl_file_fail_kind(path, st.st_mode);
  return PARL_STATUS_OK;
}

parl_status parl_file_writer_open(parl_file_writer *w, const char *path) {
  PARL_REQUIRE(path != NULL);
  PARL_TRY(check_target(path));
  w->fd = -1;
  w->path = path;
  for (int k = 0; k < MAX_TEMPORARIES; k++) {
    const int n =
        snprintf(w->temporary, sizeof w->temporary, "%s.tmp.%ld.%d", path, (long)getpid(), k);
    if (n < 0 || (size_t)n >= sizeof w->temporary)
      return parl_fail(PARL_STATUS_EINVAL, "%s: the path is longer than %d bytes", path,
                       PARL_FILE_PATH_BYTES);
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (w->fd >= 0) return PARL_STATUS_OK;
    if (errno != EEXIST) return fail_io(path, "create");
  }
  return fail_io(w->temporary, "create");
}

parl_status parl_file_writer_append(parl_file_writer *w, const void *bytes, size_t n) {
  const char *at = bytes;
  while (n > 0) {
    const ssize_t put = write(w->fd, at, n);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_io(w->path, "write");
    at += put;
    n -= (size_t)put;
  }
  return PARL_STATUS_OK;
}

/* Makes the rename outlive a power cut. Some file systems refuse to sync a folder; the file is
 * whole under one of its two versions either way, so that is no failure. */
static void sync_folder(const char *path) {
  char folder[PARL_FILE_PATH_BYTES];
  const char *slash = strrchr(path, '/');
  const size_t n = slash == NULL ? 0 : (size_t)(slash - path);
  if (n >= sizeof folder) return;
  memcpy(folder, path, n);
  folder[n] = '\0';
  const int fd = open(slash == NULL ? "." : n == 0 ? "/" : folder, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

parl_status parl_file_writer_commit(parl_file_writer *w) {
  parl_status s = PARL_STATUS_OK;
  if (fsync(w->fd) != 0) s = fail_io(w->path, "write");
  const int closed = close(w->fd);
  w->fd = -1;
  if (s == PARL_STATUS_OK && closed != 0) s = fail_io(w->path, "write");
  if (s == PARL_STATUS_OK && rename(w->temporary, w->path) != 0) s = fail_io(w->path, "replace");
  if (s != PARL_STATUS_OK) {
    unlink(w->temporary);
    return s;
  }
  sync_folder(w->path);
  return PARL_STATUS_OK;
}

void parl_file_writer_abort(parl_file_writer *w) {
  if (w->fd >= 0) close(w->fd);
  w->fd = -1;
  unlink(w->temporary);
}

parl_status parl_file_write(const char *path, const void *bytes, size_t n) {
  parl_file_writer w;
  PARL_TRY(parl_file_writer_open(&w, path));
  const parl_status s = parl_file_writer_append(&w, bytes, n);
  if (s != PARL_STATUS_OK) {
    parl_file_writer_abort(&w);
    return s;
  }
  return parl_file_writer_commit(&w);
}

bool parl_file_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0;
}

bool parl_file_is_folder(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* After mkdir failed by `error`: fine if the folder is there. */
static parl_status accept_folder(const char *path, int error) {
  if (parl_file_is_folder(path)) return PARL_STATUS_OK;
  errno = error; /* looking left its own */
  return fail_io(path, "make the folder");
}

parl_status parl_file_make_folder(const char *path) {
  char part[PARL_FILE_PATH_BYTES];
  const size_t n = strlen(path);
  if (n == 0 || n >= sizeof part)
    return parl_fail(PARL_STATUS_EINVAL, "a folder's path has 1..%d bytes, not %zu",
                     PARL_FILE_PATH_BYTES - 1, n);
  memcpy(part, path, n + 1);
  for (size_t i = 1; i <= n; i++) {
    if (part[i] != '/' && part[i] != '\0') continue;
    part[i] = '\0';
    if (mkdir(part, FOLDER_MODE) != 0) PARL_TRY(accept_folder(part, errno));
    part[i] = path[i];
  }
  return PARL_STATUS_OK;
}

parl_status parl_file_join(char *out, size_t n, const char *folder, const char *name) {
  const size_t length = strlen(folder);
  const char *slash = length == 0 || folder[length - 1] == '/' ? "" : "/";
  const size_t need = length + strlen(slash) + strlen(name) + 1;
  if (need > n)
    return parl_fail(PARL_STATUS_EINVAL, "%s%s%s: the path has %zu bytes, at most %zu fit", folder,
                     slash, name, need - 1, n ? n - 1 : 0);
  snprintf(out, n, "%s%s%s", folder, slash, name);
  return PARL_STATUS_OK;
}
