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
/* What is on an image, two pixels a character, as large as it is, or as wide as the page; of a clip
 * frame after frame. Fails: ENOMEM. */
parl_status env_append_drawing(const parl_picture *picture, bool has_colour, parl_text *out);
/* The episode's images, each once: where they were shown, and what is on them, two pixels a
 * character; nothing without images. */
parl_status env_append_images(const parl_trace *t, const parl_env *env, bool has_colour,
                              parl_text *out);
/* The episode's images as figures of a page, PNG inside; of a clip frames side by side. */
parl_status env_append_figures(const parl_trace *t, const parl_env *env, parl_text *out);
/* A page of `heading`, text of an episode and its images. */
parl_status env_append_page(const parl_trace *t, const parl_env *env, const char *heading,
                            const char *text, parl_text *out);

#endif
