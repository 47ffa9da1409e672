/* cli/pdf.c - runs the program that makes a PDF of an SVG, once a file. */
#include "cli/pdf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/file.h"
#include "core/text.h"

extern char **environ;

enum { MAX_WORDS = 16 };

/* IN and OUT are the paths, WRAP a page that holds the drawing in its own size: a browser prints
 * pages. */
static const struct {
  const char *name, *words[MAX_WORDS];
  bool wraps;
} tools[] = {
    {"rsvg-convert", {"-f", "pdf", "-o", "OUT", "IN"}, false},
    {"inkscape", {"IN", "--export-type=pdf", "--export-filename=OUT"}, false},
    {"chromium",
     {"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
      "--disable-sync", "--no-first-run", "--no-pdf-header-footer", "--print-to-pdf=OUT", "IN"},
     true},
};
enum { N_TOOLS = sizeof tools / sizeof tools[0] };

static bool is_in_path(const char *name) {
  const char *at = getenv("PATH");
  char path[CLI_PATH_BYTES];
  while (at != NULL && *at != '\0') {
    const size_t n = strcspn(at, ":");
    snprintf(path, sizeof path, "%.*s/%s", (int)n, at, name);
    if (access(path, X_OK) == 0) return true;
    at += n + (at[n] == ':');
  }
  return false;
}

static size_t find_tool(void) {
  size_t i = 0;
  while (i < N_TOOLS && !is_in_path(tools[i].name)) i++;
  return i;
}

parl_status cli_find_pdf_tool(const char **out) {
  const size_t i = find_tool();
  if (i == N_TOOLS)
    return parl_fail(PARL_STATUS_EINVAL,
                     "--pdf: neither rsvg-convert (package librsvg2-bin) nor inkscape nor chromium "
                     "is in PATH");
  if (out != NULL) *out = tools[i].name;
  return PARL_STATUS_OK;
}

/* A word with IN or OUT replaced. */
static void append_word(parl_text *out, const char *word, const char *from, const char *to) {
  const char *in = strstr(word, "IN"), *at = in != NULL ? in : strstr(word, "OUT");
  if (at == NULL) {
    parl_text_append(out, word);
    return;
  }
  parl_text_append_bytes(out, word, (size_t)(at - word));
  parl_text_append(out, in != NULL ? from : to);
}

static parl_status run(size_t tool, const char *from, const char *to) {
  parl_text words[MAX_WORDS + 1] = {{0}};
  char *argv[MAX_WORDS + 2] = {NULL};
  posix_spawn_file_actions_t quiet;
  pid_t pid = 0;
  int status = 0;
  parl_text_append(&words[0], tools[tool].name);
  for (size_t i = 0; i < MAX_WORDS && tools[tool].words[i] != NULL; i++)
    append_word(&words[i + 1], tools[tool].words[i], from, to);
  for (size_t i = 0; i <= MAX_WORDS && words[i].n > 0; i++)
    argv[i] = (char *)(uintptr_t)parl_text_get(&words[i]);
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const int error = posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&quiet);
  while (error == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  for (size_t i = 0; i <= MAX_WORDS; i++) parl_text_deinit(&words[i]);
  if (error != 0) return parl_fail(PARL_STATUS_EIO, "%s: %s", tools[tool].name, strerror(error));
  if (status != 0 || !parl_file_exists(to))
    return parl_fail(PARL_STATUS_EIO, "%s: %s made no PDF of it (status %d)", from,
                     tools[tool].name, status);
  return PARL_STATUS_OK;
}

/* A page of the drawing's own size. */
static parl_status write_page(const char *svg_path, const char *page_path) {
  char *svg = NULL;
  size_t n = 0;
  double width = 0, height = 0;
  PARL_TRY(parl_file_read(svg_path, (size_t)1 << 28, &svg, &n));
  const char *box = strstr(svg, "viewBox=\"0 0 ");
  if (box == NULL || sscanf(box, "viewBox=\"0 0 %lf %lf\"", &width, &height) != 2) {
    free(svg);
    return parl_fail(PARL_STATUS_EFORMAT, "%s: no drawing with a viewBox", svg_path);
  }
  parl_text page = {0};
  parl_text_appendf(&page,
                    "<!doctype html><meta charset=\"utf-8\"><style>@page{size:%.0fpx "
                    "%.0fpx;margin:0}body{margin:0}body>svg{display:block}</style>%s",
                    width, height + 1, svg);
  free(svg);
  parl_status s = parl_text_status(&page);
  if (s == PARL_STATUS_OK) s = parl_file_write(page_path, parl_text_get(&page), page.n);
  parl_text_deinit(&page);
  return s;
}

static parl_status make_pdf(size_t tool, const char *folder, const char *name) {
  char from[CLI_PATH_BYTES], to[CLI_PATH_BYTES], page[CLI_PATH_BYTES], base[256];
  snprintf(base, sizeof base, "%.*s.pdf", (int)(strlen(name) - 4), name);
  PARL_TRY(parl_file_join(from, sizeof from, folder, name));
  PARL_TRY(parl_file_join(to, sizeof to, folder, base));
  if (!tools[tool].wraps) return run(tool, from, to);
  PARL_TRY(parl_file_join(page, sizeof page, folder, "page.html"));
  PARL_TRY(write_page(from, page));
  const parl_status s = run(tool, page, to);
  (void)remove(page);
  return s;
}

static int is_drawing(const struct dirent *e) {
  const size_t n = strlen(e->d_name);
  return n > 4 && n < 200 && strcmp(e->d_name + n - 4, ".svg") == 0;
}

parl_status cli_make_pdfs(const char *folder) {
  struct dirent **entries = NULL;
  PARL_TRY(cli_find_pdf_tool(NULL));
  const size_t tool = find_tool();
  const int n = scandir(folder, &entries, is_drawing, alphasort);
  if (n < 0) return parl_fail(PARL_STATUS_EIO, "%s: %s", folder, strerror(errno));
  parl_status s = PARL_STATUS_OK;
  for (int i = 0; i < n; i++) {
    if (s == PARL_STATUS_OK) s = make_pdf(tool, folder, entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
  return s;
}
