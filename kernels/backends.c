/* kernels/backends.c - finds a backend by name and by what this CPU can run. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/cpu_internal.h"
#include "kernels/cuda/cuda.h"
#include "kernels/far/far.h"
#include "kernels/ops.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma");
}
static bool has_avx512_bf16(void) {
  return has_avx512() && __builtin_cpu_supports("avx512bf16");
}
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* Tiles are large, so Linux gives their state to a process that asks; asking again is free.
 * Source: Linux, Documentation/arch/x86/xstate.rst. */
static bool ask_for_tiles(void) {
#ifdef SYS_arch_prctl
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
  return false;
#endif
}

static bool has_amx(void) {
  enum { OSXSAVE = 1 << 27, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, TILE_STATES = 3 << 17 };
  unsigned a, b, c, d, low, high;
  if (!has_avx512_bf16() || !__get_cpuid(1, &a, &b, &c, &d) || (c & OSXSAVE) == 0) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if ((d & AMX_BF16) == 0 || (d & AMX_TILE) == 0) return false;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & TILE_STATES) == TILE_STATES && ask_for_tiles();
}
#else
static bool has_avx512(void) {
  return false;
}
static bool has_avx512_bf16(void) {
  return false;
}
static bool has_avx2(void) {
  return false;
}
static bool has_amx(void) {
  return false;
}
#endif
static bool has_portable(void) {
  return true;
}

typedef enum kind { F32, UNITS, SOFT, TESTS } kind;

typedef struct level {
  const char *name, *vectors; /* vectors: the f32 level that it is made of */
  kind kind;
  bool (*is_supported)(void);
  const parl_backend *(*get)(void);
} level;

/* Best first within a kind. */
static const level levels[] = {
    {"amx", "avx512", UNITS, has_amx, parl_backend_cpu_amx},
    {"avx512-bf16", "avx512", UNITS, has_avx512_bf16, parl_backend_cpu_avx512_bf16},
    {"avx512", "avx512", F32, has_avx512, parl_backend_cpu_avx512},
    {"avx2", "avx2", F32, has_avx2, parl_backend_cpu_avx2},
    {"portable", "portable", F32, has_portable, parl_backend_cpu_portable},
    {"avx512-bf16-soft", "avx512", SOFT, has_avx512, parl_backend_cpu_avx512_bf16_soft},
    {"avx2-bf16-soft", "avx2", SOFT, has_avx2, parl_backend_cpu_avx2_bf16_soft},
    {"portable-bf16-soft", "portable", SOFT, has_portable, parl_backend_cpu_portable_bf16_soft},
    {"amx-emulated", "portable", TESTS, has_portable, parl_backend_cpu_amx_emulated},
};
enum { N_LEVELS = sizeof levels / sizeof *levels };

/* The best level of a kind that this CPU has, with these vectors (NULL: any), or NULL. */
static const parl_backend *best(kind wanted, const char *vectors) {
  for (size_t i = 0; i < N_LEVELS; i++) {
    if (levels[i].kind != wanted) continue;
    if (vectors != NULL && strcmp(vectors, levels[i].vectors) != 0) continue;
    const parl_backend *backend = levels[i].is_supported() ? levels[i].get() : NULL;
    if (backend != NULL) return backend;
  }
  return NULL;
}

static const parl_backend *best_bf16(const char *vectors) {
  const parl_backend *backend = best(UNITS, vectors);
  return backend != NULL ? backend : best(SOFT, vectors);
}

parl_status parl_backend_cpu(const char *name, const parl_backend **out) {
  const parl_backend *backend = NULL;
  if (name == NULL) name = "auto";
  if (strcmp(name, "auto") == 0) {
    backend = best(F32, NULL);
  } else if (strcmp(name, "bf16") == 0) {
    backend = best_bf16(NULL);
  } else if (strcmp(name, "bf16-soft") == 0) {
    backend = best(SOFT, NULL);
  } else {
    size_t i = 0;
    while (i < N_LEVELS && strcmp(name, levels[i].name) != 0) i++;
    if (i == N_LEVELS)
      return parl_fail(PARL_STATUS_EINVAL,
                       "backend cpu: unknown level \"%s\"; valid: auto, avx512, avx2, portable, "
                       "bf16, amx, avx512-bf16, bf16-soft",
                       name);
    if (levels[i].is_supported()) backend = levels[i].get();
  }
  if (backend == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "backend cpu:%s: this CPU or this build has not got it",
                     name);
  *out = backend;
  return PARL_STATUS_OK;
}

static bool is_cuda(const char *name) {
  return strcmp(name, "cuda") == 0 || strcmp(name, "cuda:own") == 0;
}
static parl_status find_cuda(const char *name, const char *dtype, const parl_backend **out) {
  return parl_backend_cuda(dtype, name[4] == ':' ? PARL_CUDA_OWN : PARL_CUDA_BLAS, out);
}

parl_status parl_backend_find(const char *name, const parl_backend **out) {
  PARL_REQUIRE(name != NULL);
  if (strcmp(name, "ref") == 0) {
    *out = parl_backend_ref();
    return PARL_STATUS_OK;
  }
  if (strcmp(name, "ref:bf16-acts") == 0) {
    *out = parl_backend_ref_bf16_acts();
    return PARL_STATUS_OK;
  }
  if (strcmp(name, "far") == 0) {
    *out = parl_backend_far();
    return PARL_STATUS_OK;
  }
  if (is_cuda(name)) return find_cuda(name, "bf16", out);
  if (strcmp(name, "auto") == 0 && find_cuda("cuda", "bf16", out) == PARL_STATUS_OK)
    return PARL_STATUS_OK;
  if (strcmp(name, "cpu") == 0 || strcmp(name, "auto") == 0) return parl_backend_cpu(NULL, out);
  if (strncmp(name, "cpu:", 4) == 0) return parl_backend_cpu(name + 4, out);
  return parl_fail(PARL_STATUS_EINVAL,
                   "unknown backend \"%s\"; valid: ref, cpu, cpu:avx512, cpu:avx2, cpu:portable, "
                   "cpu:bf16, cpu:amx, cpu:avx512-bf16, cpu:bf16-soft, cuda, cuda:own, auto, far, "
                   "ref:bf16-acts",
                   name);
}

parl_status parl_backend_select(const char *name, const char *dtype, const parl_backend **out) {
  const parl_backend *backend;
  PARL_TRY(parl_backend_find(name, &backend));
  if (strcmp(name, "auto") == 0) name = backend->name; /* cuda, or cpu */
  if (dtype == NULL || strcmp(dtype, backend->dtype) == 0) {
    *out = backend;
    return PARL_STATUS_OK;
  }
  const bool is_auto = strcmp(dtype, "auto") == 0;
  if (!is_auto && strcmp(dtype, "f32") != 0 && strcmp(dtype, "bf16") != 0)
    return parl_fail(PARL_STATUS_EINVAL, "unknown dtype \"%s\"; valid: f32, bf16, auto", dtype);
  const parl_backend *other = NULL;
  if (strncmp(name, "cpu", 3) == 0 && strcmp(backend->dtype, "f32") == 0) {
    const char *vectors = strcmp(name, "cpu") == 0 ? NULL : backend->instructions;
    other = is_auto ? best(UNITS, vectors) : best_bf16(vectors);
  }
  if (is_cuda(name) && !is_auto) PARL_TRY(find_cuda(name, dtype, &other));
  if (other == NULL && !is_auto)
    return parl_fail(PARL_STATUS_EINVAL, "backend %s computes in %s, not in %s", name,
                     backend->dtype, dtype);
  *out = other != NULL ? other : backend;
  return PARL_STATUS_OK;
}
