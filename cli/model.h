/* cli/model.h - actions of `parl model` that have a file of their own. */
#ifndef PARL_CLI_MODEL_H
#define PARL_CLI_MODEL_H
#include "cli/cli.h"

int model_describe(const cli_args *args);
int model_export(const cli_args *args);

#endif
