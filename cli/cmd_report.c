/* cli/cmd_report.c - parl report FOLDER...: one report of run folders, its figures as PDF too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/pdf.h"
#include "cli/replay.h"
#include "core/file.h"
#include "experiments/report.h"
#include "experiments/sweep.h"

/* The report's own JSON on standard output. */
static parl_status print_json(const char *folder) {
  char path[CLI_PATH_BYTES];
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_join(path, sizeof path, folder, "report.json"));
  PARL_TRY(parl_file_read(path, (size_t)1 << 30, &bytes, &n));
  fwrite(bytes, 1, n, stdout);
  free(bytes);
  return PARL_STATUS_OK;
}

parl_status cli_find_runs(const char *name, char folder[CLI_PATH_BYTES]) {
  const size_t n = strlen(name);
  parl_sweep sweep = {.n_arms = 0};
  char path[CLI_PATH_BYTES];
  if (n < 4 || strcmp(name + n - 4, ".lua") != 0 || parl_file_is_folder(name)) {
    if (n >= CLI_PATH_BYTES)
      return parl_fail(PARL_STATUS_EINVAL, "a path of %zu bytes; at most %d", n,
                       CLI_PATH_BYTES - 1);
    memcpy(folder, name, n + 1);
    return PARL_STATUS_OK;
  }
  PARL_TRY(cli_find_sweep(name, path));
  const parl_status s = parl_sweep_read(path, NULL, 0, cli_get_datadir(), &sweep);
  if (s == PARL_STATUS_OK) snprintf(folder, CLI_PATH_BYTES, "%s", sweep.folder);
  parl_sweep_deinit(&sweep);
  return s;
}

/* As `parl trace FOLDER TASK --arm ARM --seed SEED` does. */
static parl_status play(void *context, const char *folder, const char *arm, int64_t seed,
                        int64_t task, parl_timeline *picture, parl_text *note) {
  cli_args args = *(const cli_args *)context;
  args.operands[0] = folder;
  args.arm = arm;
  args.seed = seed;
  args.update = -1; /* an evaluated one */
  args.quiet = true;
  return cli_replay_add_messages(&args, task, picture, note, NULL);
}

static parl_status run(const cli_args *args, char (*paths)[CLI_PATH_BYTES], parl_text *table) {
  const char *folders[CLI_MAX_OPERANDS];
  for (size_t i = 0; i < args->n_operands; i++) {
    PARL_TRY(cli_find_runs(args->operands[i], paths[i]));
    folders[i] = paths[i];
  }
  const char *out = args->output != NULL ? args->output : folders[0];
  if (args->pdf) PARL_TRY(cli_find_pdf_tool(NULL));
  PARL_TRY(parl_report_make(&(parl_report_request){.folders = folders,
                                                   .n_folders = args->n_operands,
                                                   .out = args->output,
                                                   .reference = args->reference,
                                                   .with_figures = true,
                                                   .play = play,
                                                   .play_context = (void *)args,
                                                   .plain = args->plain},
                            table));
  if (args->pdf) {
    char figures[CLI_PATH_BYTES];
    PARL_TRY(parl_file_join(figures, sizeof figures, out, PARL_REPORT_FIGURES));
    PARL_TRY(cli_make_pdfs(figures));
  }
  return args->json ? print_json(out) : PARL_STATUS_OK;
}

int cmd_report(const cli_args *args) {
  parl_text table = {0};
  char(*paths)[CLI_PATH_BYTES] = calloc(args->n_operands, sizeof *paths);
  parl_status s = paths != NULL ? run(args, paths, &table)
                                : parl_fail(PARL_STATUS_ENOMEM, "no memory for the folders");
  if (s == PARL_STATUS_OK && !args->json) s = cli_print(&table);
  parl_text_deinit(&table);
  free(paths);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
