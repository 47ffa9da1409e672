/* core/folder.c - folders that appear when they are whole. */
#include "core/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

static parl_status fail_io(const char *path, const char *verb) {
  return parl_fail(PARL_STATUS_EIO, "%s: cannot %s: %s", path, verb, strerror(errno));
}

/* Bytes of the path without slashes at its end. */
static size_t get_length(const char *path) {
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  return n;
}

parl_status parl_folder_begin(const char *path, char temporary[PARL_FOLDER_PATH_BYTES]) {
  PARL_REQUIRE(path != NULL && temporary != NULL);
  if (parl_file_exists(path)) {
    errno = EEXIST;
    return fail_io(path, "make the folder");
  }
  const int n = snprintf(temporary, PARL_FOLDER_PATH_BYTES, "%.*s.tmp.%ld", (int)get_length(path),
                         path, (long)getpid());
  if (n < 0 || n >= PARL_FOLDER_PATH_BYTES)
    return parl_fail(PARL_STATUS_EINVAL, "%.100s...: the path is too long", path);
  char above[PARL_FOLDER_PATH_BYTES];
  memcpy(above, temporary, (size_t)n + 1);
  char *slash = strrchr(above, '/');
  if (slash != NULL && slash != above) {
    *slash = '\0';
    PARL_TRY(parl_file_make_folder(above));
  }
  return mkdir(temporary, 0777) == 0 ? PARL_STATUS_OK : fail_io(temporary, "make the folder");
}

/* Some file systems refuse to sync a folder, which is no failure. */
static void sync_folder(const char *path) {
  const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

parl_status parl_folder_commit(const char *path, const char *temporary) {
  char above[PARL_FOLDER_PATH_BYTES];
  sync_folder(temporary);
  if (rename(temporary, path) != 0) return fail_io(path, "make the folder");
  const char *slash = strrchr(temporary, '/');
  snprintf(above, sizeof above, "%.*s", slash ? (int)(slash - temporary) : 1,
           slash ? temporary : ".");
  sync_folder(above[0] ? above : "/");
  return PARL_STATUS_OK;
}

void parl_folder_abort(const char *temporary) {
  DIR *dir = opendir(temporary);
  if (dir == NULL) return;
  for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      unlinkat(dirfd(dir), e->d_name, 0);
  closedir(dir);
  rmdir(temporary);
}
