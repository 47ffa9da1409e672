/* cli/cmd_report.c - parl report FOLDER. */
#include <stdio.h>

#include "cli/cli.h"
#include "experiments/report.h"

int cmd_report(const cli_args *args) {
  if (!cli_need_operands(args, 1)) return CLI_USAGE;
  parl_text table = {0};
  const parl_status s = parl_report_write(args->operands[0], &table);
  if (s == PARL_STATUS_OK) fputs(parl_text_get(&table), stdout);
  parl_text_deinit(&table);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
