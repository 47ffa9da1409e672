/* cli/env.h - what the actions of `parl env` share. */
#ifndef PARL_CLI_ENV_H
#define PARL_CLI_ENV_H
#include <stdint.h>

#include "cli/cli.h"
#include "core/json.h"
#include "parl/run/run.h"
#include "parl/swarm/trace.h"

/* The recipe around the operand FILE, with --set and --strict; no budget and scripted sub-agents
 * unless they are set. */
parl_status env_load_recipe(const cli_args *args, parl_recipe **out);

/* Runs body in a child process under resource limits; returns its exit code, or says what killed it
 * and returns CLI_FAILED. */
int env_run_isolated(int (*body)(const cli_args *args), const cli_args *args);

/* The episode for a reader: a turn a paragraph, sub-agents of a launch side by side. */
void env_append_timeline(const parl_trace *t, const parl_env *env, parl_text *out);

#endif
