/* cli/cmd_doctor.c - parl doctor: what there is, what is absent. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/build_info.h"
#include "core/image.h"
#include "core/json.h"
#include "core/store.h"
#include "core/workers.h"
#include "experiments/serve.h"
#include "experiments/statistics.h"
#include "kernels/cuda/cuda.h"
#include "kernels/ops.h"
#include "lua/env.h"

typedef struct finding {
  const char *name;
  char value[256];
} finding;

enum { MAX_FINDINGS = 32 };

static void add(finding *list, size_t *n, const char *name, const char *value) {
  list[*n].name = name;
  snprintf(list[*n].value, sizeof list[*n].value, "%s", value);
  (*n)++;
}

static void add_cpu(finding *list, size_t *n) {
  char text[256] = "unknown";
  FILE *f = fopen("/proc/cpuinfo", "r");
  char line[512];
  while (f && fgets(line, sizeof line, f)) {
    const char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || colon == NULL) continue;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    break;
  }
  if (f) fclose(f);
  add(list, n, "cpu", text);
  snprintf(text, sizeof text, "%zu", parl_workers_count_processors());
  add(list, n, "processors", text);
}

static void add_features(finding *list, size_t *n) {
  char text[256] = "";
#if defined(__x86_64__)
#define FEATURE(name) \
  if (__builtin_cpu_supports(name)) strncat(text, name " ", sizeof text - strlen(text) - 1)
  FEATURE("avx2");
  FEATURE("fma");
  FEATURE("avx512f");
  FEATURE("avx512bw");
  FEATURE("avx512vl");
  FEATURE("avx512bf16");
#undef FEATURE
#endif
  add(list, n, "cpu features", text[0] ? text : "none that parl asks for");
}

static void add_backends(finding *list, size_t *n) {
  static const char *names[] = {"ref",           "cpu:portable", "cpu:avx2",
                                "cpu:avx512",    "cpu:amx",      "cpu:avx512-bf16",
                                "cpu:bf16-soft", "far",          "ref:bf16-acts"};
  char text[256] = "";
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const parl_backend *b;
    const bool there = parl_backend_find(names[i], &b) == PARL_STATUS_OK;
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s", i ? ", " : "", names[i],
             there ? "" : " (not on this cpu)");
  }
  add(list, n, "backends", text);
  const parl_backend *best;
  if (parl_backend_find("cpu", &best) == PARL_STATUS_OK)
    add(list, n, "default backend", best->instructions);
  if (parl_backend_find("cpu:bf16", &best) == PARL_STATUS_OK)
    add(list, n, "bf16 backend", best->instructions);
  const bool has_cuda = parl_cuda_describe(text, sizeof text) == PARL_STATUS_OK;
  add(list, n, "cuda", has_cuda ? text : parl_error_text());
}

static void add_optional(finding *list, size_t *n, const char *name, const char *const *paths) {
  for (; *paths != NULL; paths++) {
    if (access(*paths, F_OK) != 0) continue;
    add(list, n, name, *paths);
    return;
  }
  add(list, n, name, "absent (optional)");
}

static size_t find_all(finding *list) {
  static const char *const gpu[] = {"/dev/nvidia0", "/dev/nvidiactl", NULL};
  static const char *const slurm[] = {"/usr/bin/sbatch", "/usr/local/bin/sbatch", NULL};
  static const char *const mpi[] = {"/usr/bin/mpirun", "/usr/local/bin/mpirun", NULL};
  size_t n = 0;
  add(list, &n, "revision", parl_build_revision());
  add(list, &n, "compiler", parl_build_compiler());
  add(list, &n, "flags", parl_build_flags());
  add_cpu(list, &n);
  add_features(list, &n);
  add_backends(list, &n);
  add(list, &n, "lua", parl_env_lua_version());
  add(list, &n, "sqlite", parl_store_sqlite_version());
  add(list, &n, "gsl", parl_statistics_gsl_version());
  add(list, &n, "cjson", parl_json_library_version());
  add(list, &n, "libpng", parl_image_png_version());
  add(list, &n, "libjpeg-turbo", parl_image_jpeg_version());
  add(list, &n, "libmicrohttpd", parl_server_library_version());
  add_optional(list, &n, "gpu", gpu);
  add_optional(list, &n, "mpi", mpi);
  add_optional(list, &n, "slurm", slurm);
  return n;
}

int cmd_doctor(const cli_args *args) {
  finding list[MAX_FINDINGS];
  const size_t n = find_all(list);
  if (!args->json) {
    for (size_t i = 0; i < n; i++) printf("%-16s %s\n", list[i].name, list[i].value);
    return CLI_DONE;
  }
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  for (size_t i = 0; i < n; i++) {
    parl_json_key(&w, list[i].name);
    parl_json_string(&w, list[i].value);
  }
  parl_json_end_object(&w);
  const parl_status s = cli_print(&text);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
