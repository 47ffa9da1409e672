/* cli/cmd_compare.c - parl compare A B: two policies in the report's statistics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/file.h"
#include "experiments/report_compare.h"

/* FOLDER or FOLDER:ARM; a folder may have a colon in its name, and so may an arm. */
static parl_status read_side(const char *operand, char folder[CLI_PATH_BYTES],
                             parl_compare_side *out) {
  char name[CLI_PATH_BYTES];
  *out = (parl_compare_side){.folder = folder};
  for (const char *at = strchr(operand, ':'); at != NULL && !parl_file_is_folder(operand);
       at = strchr(at + 1, ':')) {
    const size_t n = (size_t)(at - operand);
    snprintf(name, sizeof name, "%.*s", n < sizeof name ? (int)n : 0, operand);
    if (!parl_file_exists(name)) continue;
    out->arm = at + 1;
    return cli_find_runs(name, folder);
  }
  return cli_find_runs(operand, folder);
}

int cmd_compare(const cli_args *args) {
  char folders[2][CLI_PATH_BYTES];
  parl_compare_side sides[2];
  parl_text out = {0};
  const char *metric = args->metric != NULL ? args->metric : "r_perf";
  parl_status s = read_side(args->operands[0], folders[0], &sides[0]);
  if (s == PARL_STATUS_OK) s = read_side(args->operands[1], folders[1], &sides[1]);
  if (s == PARL_STATUS_OK) s = parl_report_compare(&sides[0], &sides[1], metric, args->json, &out);
  if (s == PARL_STATUS_OK)
    s = cli_print(&out);
  else
    parl_text_deinit(&out);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
