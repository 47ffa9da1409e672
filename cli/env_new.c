/* cli/env_new.c - parl env new NAME: an environment to start from, its recipe and editor files. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/env.h"
#include "cli/template.h"
#include "core/file.h"

enum { PATH_BYTES = 1024, NAME_MAX_BYTES = 40 };

/* What is written. A file that belongs to the environment must not be there yet; the editor's are
 * shared by a folder and stay as they are. */
static const struct {
  const char *template, *name; /* "*" stands for the environment's name */
  bool is_shared, is_program;
} files[] = {
    {"env.lua", "*.lua", false, false},         {"recipe.lua", "*_recipe.lua", false, false},
    {"test.sh", "*_test.sh", false, true},      {"luarc.json", ".luarc.json", true, false},
    {"luacheckrc", ".luacheckrc", true, false}, {"parl.d.lua", ".parl/parl.d.lua", true, false}};
enum { N_FILES = sizeof files / sizeof files[0] };

/* "folder/orchard" -> "folder/" and "orchard". */
static bool split(const char *operand, char *folder, const char **name) {
  const char *slash = strrchr(operand, '/');
  const size_t n = slash ? (size_t)(slash - operand) + 1 : 0;
  if (n >= PATH_BYTES - 100) return false;
  memcpy(folder, operand, n);
  folder[n] = '\0';
  *name = operand + n;
  const size_t length =
      strspn(*name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
  return length >= 1 && length <= NAME_MAX_BYTES && (*name)[length] == '\0' &&
         strchr("0123456789", (*name)[0]) == NULL;
}

static void make_path(size_t i, const char *folder, const char *name, char path[PATH_BYTES]) {
  const char *pattern = files[i].name;
  snprintf(path, PATH_BYTES, "%s%s%s", folder, pattern[0] == '*' ? name : "",
           pattern + (pattern[0] == '*'));
}

static parl_status write_file(size_t i, const char *folder, const char *name, const char *path) {
  parl_text text = {0};
  if (files[i].is_shared && strcmp(files[i].template, "parl.d.lua") == 0) {
    char stubs[PATH_BYTES + 8];
    snprintf(stubs, sizeof stubs, "%s.parl", folder);
    PARL_TRY(parl_file_make_folder(stubs));
  }
  cli_append_template(files[i].template, "my_env", name, &text);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_file_write(path, parl_text_get(&text), text.n);
  if (s == PARL_STATUS_OK && files[i].is_program) chmod(path, 0755);
  parl_text_deinit(&text);
  return s;
}

static int write_all(const char *folder, const char *name) {
  char path[PATH_BYTES];
  for (size_t i = 0; i < N_FILES; i++) {
    make_path(i, folder, name, path);
    if (parl_file_exists(path)) {
      printf("kept  %s\n", path);
      continue;
    }
    const parl_status s = write_file(i, folder, name, path);
    if (s != PARL_STATUS_OK) return cli_fail(s);
    printf("wrote %s\n", path);
  }
  printf("\nnext: parl env check %s%s.lua; parl env play %s%s.lua; parl train %s%s_recipe.lua\n",
         folder, name, folder, name, folder, name);
  return CLI_DONE;
}

int env_new(const cli_args *args) {
  char folder[PATH_BYTES], path[PATH_BYTES];
  const char *name;
  if (!split(args->operands[0], folder, &name))
    return cli_usage(
        "env new %s: a name of letters, digits and _, at most %d, perhaps with a folder",
        args->operands[0], NAME_MAX_BYTES);
  for (size_t i = 0; i < N_FILES; i++) {
    make_path(i, folder, name, path);
    if (files[i].is_shared || !parl_file_exists(path)) continue;
    fprintf(stderr, "parl: %s is there already; nothing was written\n", path);
    return CLI_FAILED;
  }
  if (folder[0]) {
    const parl_status s = parl_file_make_folder(folder);
    if (s != PARL_STATUS_OK) return cli_fail(s);
  }
  return write_all(folder, name);
}
