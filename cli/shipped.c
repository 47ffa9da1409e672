/* cli/shipped.c - recipes and environments that come with the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/build_info.h"
#include "core/file.h"
#include "core/lookup.h"

/* path without its last part; false if nothing is left. */
static bool cut(char *path) {
  char *slash = strrchr(path, '/');
  if (slash == NULL || slash == path) return false;
  *slash = '\0';
  return true;
}

/* share/parl beside the program (a build) or beside its folder (bin of an installation). */
static bool find_beside(char out[CLI_PATH_BYTES]) {
  char path[CLI_PATH_BYTES];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n <= 0 || (size_t)n == sizeof path - 1) return false;
  path[n] = '\0';
  for (int up = 0; up < 2 && cut(path); up++)
    if (parl_file_join(out, CLI_PATH_BYTES, path, "share/parl") == PARL_STATUS_OK &&
        parl_file_is_folder(out))
      return true;
  return false;
}

const char *cli_get_datadir(void) {
  static char beside[CLI_PATH_BYTES];
  const char *dir = getenv("PARL_DATADIR");
  if (dir && dir[0]) return dir;
  return find_beside(beside) ? beside : parl_build_datadir();
}

static parl_status find(const char *what, const char *folder, const char *name,
                        char path[CLI_PATH_BYTES]) {
  char shipped[CLI_PATH_BYTES];
  PARL_TRY(parl_file_join(shipped, sizeof shipped, cli_get_datadir(), folder));
  return parl_lookup_find(
      &(parl_lookup){.what = what, .extension = ".lua", .n_folders = 2, .folders = {"", shipped}},
      name, path, CLI_PATH_BYTES);
}

static void append(const char *folder, parl_text *out) {
  char shipped[CLI_PATH_BYTES];
  if (parl_file_join(shipped, sizeof shipped, cli_get_datadir(), folder) == PARL_STATUS_OK)
    parl_lookup_append_names(shipped, ".lua", out);
}

parl_status cli_find_recipe(const char *name, char path[CLI_PATH_BYTES]) {
  return find("recipe", "recipes", name, path);
}

parl_status cli_find_sweep(const char *name, char path[CLI_PATH_BYTES]) {
  return find("sweep", "sweeps", name, path);
}

parl_status cli_find_env(const char *name, char path[CLI_PATH_BYTES]) {
  return find("environment", "envs", name, path);
}

void cli_append_recipes(parl_text *out) {
  append("recipes", out);
}

void cli_append_sweeps(parl_text *out) {
  append("sweeps", out);
}

void cli_append_envs(parl_text *out) {
  append("envs", out);
}
