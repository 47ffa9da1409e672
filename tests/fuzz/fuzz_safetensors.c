/* tests/fuzz/fuzz_safetensors.c - a hostile file is refused, or every byte it names can be read. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static volatile uint8_t sink;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || write(fd, bytes, n) != (ssize_t)n) abort();
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  parl_safetensors *file = NULL;
  if (parl_safetensors_open(path, &file) == PARL_STATUS_OK) {
    for (size_t i = 0; i < parl_safetensors_get_count(file); i++) {
      const parl_tensor_info *t = parl_safetensors_get(file, i);
      const uint8_t *data = t->data;
      for (size_t k = 0; k < t->bytes; k++) sink ^= data[k];
      if (parl_safetensors_find(file, t->name) == NULL) abort();
    }
    parl_safetensors_close(file);
  }
  close(fd);
  return 0;
}
