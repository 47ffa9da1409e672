/* cli/cmd_report.c - parl report FOLDER. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "core/file.h"
#include "experiments/report.h"

/* The report's own JSON on standard output. */
static parl_status print_json(const char *folder) {
  char path[1024];
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_join(path, sizeof path, folder, "report.json"));
  PARL_TRY(parl_file_read(path, (size_t)1 << 30, &bytes, &n));
  fwrite(bytes, 1, n, stdout);
  free(bytes);
  return PARL_STATUS_OK;
}

int cmd_report(const cli_args *args) {
  parl_text table = {0};
  parl_status s = parl_report_write_against(args->operands[0], args->reference, &table);
  if (s == PARL_STATUS_OK && args->json) s = print_json(args->operands[0]);
  if (s == PARL_STATUS_OK && !args->json) s = cli_print(&table);
  parl_text_deinit(&table);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
