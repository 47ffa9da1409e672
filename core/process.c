/* core/process.c - /proc of this process and of others. */
#include "core/process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The first n - 1 bytes of a small file. False if there are none. */
static bool read_start(const char *path, char *out, size_t n) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t got = read(fd, out, n - 1);
  close(fd);
  out[got > 0 ? got : 0] = '\0';
  return got > 0;
}

/* State letter and start of a process. False if there is none of this number. */
static bool read_stat(int64_t pid, char *state, int64_t *start) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
  if (!read_start(path, text, sizeof text)) return false;
  const char *at = strrchr(text, ')'); /* a name may hold anything, blanks and ')' too */
  if (at == NULL || sscanf(at, ") %c", state) != 1) return false;
  for (int field = 2; field < 22; field++) { /* from the name to the start */
    at = strchr(at, ' ');
    if (at == NULL) return false;
    at++;
  }
  return sscanf(at, "%" SCNd64, start) == 1;
}

static void get_space(char out[PARL_PROCESS_TEXT_BYTES]) {
  char boot[64], space[48];
  const ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
  out[0] = '\0';
  if (n <= 0 || !read_start("/proc/sys/kernel/random/boot_id", boot, sizeof boot)) return;
  space[n] = '\0';
  boot[strcspn(boot, "\n")] = '\0';
  snprintf(out, PARL_PROCESS_TEXT_BYTES, "%s %s", boot, space);
}

void parl_process_get(parl_process *out) {
  struct utsname u;
  char state;
  *out = (parl_process){.pid = getpid()};
  if (uname(&u) == 0) snprintf(out->host, sizeof out->host, "%s", u.nodename);
  get_space(out->space);
  (void)read_stat(out->pid, &state, &out->start);
}

bool parl_process_is_near(const parl_process *p) {
  char space[PARL_PROCESS_TEXT_BYTES];
  get_space(space);
  return space[0] != '\0' && p->start != 0 && strcmp(space, p->space) == 0;
}

bool parl_process_has_ended(const parl_process *p) {
  char state;
  int64_t start;
  if (!parl_process_is_near(p)) return false;
  return !read_stat(p->pid, &state, &start) || start != p->start || state == 'Z' || state == 'X';
}
