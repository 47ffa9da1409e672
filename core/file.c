/* core/file.c - whole files. */
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file_internal.h"

enum { HASH_BLOCK = 1 << 16, MAX_TEMPORARIES = 1000, FILE_MODE = 0666, FOLDER_MODE = 0777 };

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

static parl_status read_open(int fd, const char *path, const struct stat *st, size_t max_bytes,
                             char **out, size_t *n_out) {
  if ((size_t)st->st_size > max_bytes)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: has %lld bytes, at most %zu are allowed", path,
                     (long long)st->st_size, max_bytes);
  const size_t n = (size_t)st->st_size;
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

static parl_status open_regular(const char *path, int *fd, struct stat *st) {
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
  if (*fd < 0) return fail_io(path, "open");
  parl_status s = PARL_STATUS_OK;
  if (fstat(*fd, st) != 0)
    s = fail_io(path, "read");
  else if (!S_ISREG(st->st_mode))
    s = parl_file_fail_kind(path, st->st_mode);
  if (s != PARL_STATUS_OK) close(*fd);
  return s;
}

parl_status parl_file_read(const char *path, size_t max_bytes, char **out, size_t *n_out) {
  PARL_REQUIRE(path != NULL && max_bytes < SIZE_MAX);
  struct stat st;
  int fd = -1;
  PARL_TRY(open_regular(path, &fd, &st));
  const parl_status s = read_open(fd, path, &st, max_bytes, out, n_out);
  close(fd);
  return s;
}

parl_status parl_file_hash(const char *path, char out[PARL_HASH_HEX_BYTES]) {
  PARL_REQUIRE(path != NULL);
  struct stat st;
  int fd = -1;
  PARL_TRY(open_regular(path, &fd, &st));
  char block[HASH_BLOCK];
  size_t n = 0;
  parl_hash h;
  parl_hash_init(&h);
  parl_status s;
  do {
    s = read_all(fd, path, block, sizeof block, &n);
    if (s == PARL_STATUS_OK) parl_hash_update(&h, block, n);
  } while (s == PARL_STATUS_OK && n == sizeof block);
  close(fd);
  if (s == PARL_STATUS_OK) parl_hash_finish(&h, out);
  return s;
}

/* A rename would put a regular file in the place of, say, /dev/null. */
static parl_status check_target(const char *path) {
  struct stat st;
  if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return parl_file_fail_kind(path, st.st_mode);
  return PARL_STATUS_OK;
}

/* A lock that ends with its process says that a temporary is being written. False: it was taken for
 * stale before. Where there are no locks, nobody takes it for stale either. */
static bool hold(int fd) {
  struct stat st;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
  return fstat(fd, &st) == 0 && st.st_nlink > 0;
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
    if (w->fd >= 0 && hold(w->fd)) return PARL_STATUS_OK;
    if (w->fd >= 0) {
      close(w->fd);
      w->fd = -1;
    } else if (errno != EEXIST) {
      return fail_io(path, "create");
    }
  }
  return fail_io(w->temporary, "create");
}

static parl_status write_all(int fd, const char *path, const void *bytes, size_t n) {
  const char *at = bytes;
  while (n > 0) {
    const ssize_t put = write(fd, at, n);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_io(path, "write");
    at += put;
    n -= (size_t)put;
  }
  return PARL_STATUS_OK;
}

parl_status parl_file_writer_append(parl_file_writer *w, const void *bytes, size_t n) {
  return write_all(w->fd, w->path, bytes, n);
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

parl_status parl_file_append(const char *path, const void *bytes, size_t n) {
  PARL_TRY(check_target(path));
  const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return fail_io(path, "open");
  const parl_status s = write_all(fd, path, bytes, n);
  if (close(fd) != 0 && s == PARL_STATUS_OK) return fail_io(path, "write");
  return s;
}

parl_status parl_file_sync(const char *path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_io(path, "open");
  const parl_status s = fsync(fd) == 0 ? PARL_STATUS_OK : fail_io(path, "write");
  close(fd);
  return s;
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

/* Of "<base>.tmp.<pid>.<k>": where ".tmp." begins and the pid; false for another name. */
static bool parse_temporary(const char *name, size_t *n_base, long *pid) {
  const char *at = NULL;
  for (const char *p = strstr(name, ".tmp."); p != NULL; p = strstr(p + 1, ".tmp.")) at = p;
  if (at == NULL || at == name) return false;
  const char *digits = at + strlen(".tmp.");
  const size_t n_pid = strspn(digits, "0123456789");
  if (n_pid < 1 || n_pid > 10 || digits[n_pid] != '.') return false;
  const char *count = digits + n_pid + 1;
  const size_t n_count = strspn(count, "0123456789");
  if (n_count < 1 || count[n_count] != '\0') return false;
  *n_base = (size_t)(at - name);
  *pid = strtol(digits, NULL, 10);
  return true;
}

static bool is_dead(long pid) {
  return pid > 0 && (pid == (long)getpid() || (kill((pid_t)pid, 0) != 0 && errno == ESRCH));
}

static void remove_if_unheld(int folder, const char *name) {
  struct stat st;
  const int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
      flock(fd, LOCK_EX | LOCK_NB) == 0)
    unlinkat(folder, name, 0);
  close(fd);
}

void parl_file_remove_stale(const char *folder, const char *pattern) {
  DIR *d = opendir(folder);
  if (d == NULL) return;
  for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
    char base[NAME_MAX + 1];
    size_t n_base = 0;
    long pid = 0;
    if (!parse_temporary(e->d_name, &n_base, &pid) || n_base >= sizeof base) continue;
    memcpy(base, e->d_name, n_base);
    base[n_base] = '\0';
    if (fnmatch(pattern, base, 0) == 0 && is_dead(pid)) remove_if_unheld(dirfd(d), e->d_name);
  }
  closedir(d);
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
