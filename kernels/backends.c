/* kernels/backends.c - finds a backend by name and by what this CPU can run. */
#include <stddef.h>
#include <string.h>

#include "kernels/cpu/cpu_internal.h"
#include "kernels/ops.h"

#if defined(__x86_64__) || defined(__i386__)
static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma");
}
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
static bool has_avx512(void) {
  return false;
}
static bool has_avx2(void) {
  return false;
}
#endif
static bool has_portable(void) {
  return true;
}

typedef struct level {
  const char *name;
  bool (*is_supported)(void);
  const parl_backend *(*get)(void);
} level;

/* Best first. */
static const level levels[] = {
    {"avx512", has_avx512, parl_backend_cpu_avx512},
    {"avx2", has_avx2, parl_backend_cpu_avx2},
    {"portable", has_portable, parl_backend_cpu_portable},
};
enum { N_LEVELS = sizeof levels / sizeof *levels };

parl_status parl_backend_cpu(const char *name, const parl_backend **out) {
  const bool any = name == NULL || strcmp(name, "auto") == 0;
  for (size_t i = 0; i < N_LEVELS; i++) {
    if (!any && strcmp(name, levels[i].name) != 0) continue;
    const parl_backend *backend = levels[i].is_supported() ? levels[i].get() : NULL;
    if (backend != NULL) {
      *out = backend;
      return PARL_STATUS_OK;
    }
    if (!any)
      return parl_fail(PARL_STATUS_EINVAL, "backend cpu:%s: this CPU or this build has not got it",
                       name);
  }
  return parl_fail(PARL_STATUS_EINVAL,
                   "backend cpu: unknown level \"%s\"; valid: auto, avx512, avx2, portable", name);
}

parl_status parl_backend_find(const char *name, const parl_backend **out) {
  PARL_REQUIRE(name != NULL);
  if (strcmp(name, "ref") == 0) {
    *out = parl_backend_ref();
    return PARL_STATUS_OK;
  }
  if (strcmp(name, "cpu") == 0) return parl_backend_cpu(NULL, out);
  if (strncmp(name, "cpu:", 4) == 0) return parl_backend_cpu(name + 4, out);
  return parl_fail(PARL_STATUS_EINVAL,
                   "unknown backend \"%s\"; valid: ref, cpu, cpu:avx512, cpu:avx2, cpu:portable",
                   name);
}
