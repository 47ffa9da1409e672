/* cli/replay.c - the episode that the command line names, with everything that happens in it. */
#include "cli/replay.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/env.h"

static parl_status on_event(void *context, const parl_event *event) {
  return parl_trace_add(context, event);
}

bool cli_replay_read_episode(const cli_args *args, int64_t *out) {
  const char *text = args->operands[1];
  char *end = NULL;
  errno = 0;
  const long long n = strtoll(text, &end, 10);
  *out = n;
  if (errno != 0 || end == text || *end != '\0' || n < 0) {
    cli_usage("EPISODE \"%s\": a whole number, 0 or more", text);
    return false;
  }
  if (args->greedy && args->update >= 0) {
    cli_usage("--greedy and --update exclude each other: training samples");
    return false;
  }
  return true;
}

parl_status cli_replay_play(const cli_args *args, int64_t episode, cli_replay *out) {
  *out = (cli_replay){.trace = {.n_rows = 0}};
  const parl_observer observer = {on_event, &out->trace};
  parl_workers *workers = NULL;
  PARL_TRY(parl_workers_create(1, &workers));
  const parl_host host = {.stop = cli_catch_signals(), .scripts = cli_get_script_host(args->quiet)};
  const parl_status s = parl_rerun_play(&(parl_rerun_def){.host = &host,
                                                          .workers = workers,
                                                          .observer = &observer,
                                                          .folder = args->operands[0],
                                                          .arm = args->arm,
                                                          .seed = args->seed,
                                                          .update = args->update,
                                                          .episode = episode,
                                                          .greedy = args->greedy,
                                                          .env_path = args->env,
                                                          .datadir = cli_get_datadir()},
                                        &out->rerun);
  parl_workers_destroy(workers);
  if (s == PARL_STATUS_OK) parl_trace_sort(&out->trace);
  return s;
}

void cli_replay_deinit(cli_replay *p) {
  parl_trace_deinit(&p->trace);
  parl_rerun_deinit(&p->rerun);
}

parl_status cli_replay_add_messages(const cli_args *args, int64_t episode, parl_timeline *t,
                                    parl_text *note, parl_text *shown) {
  cli_replay p;
  parl_status s = cli_replay_play(args, episode, &p);
  const bool is_same = s == PARL_STATUS_OK && p.rerun.differences.n == 0;
  if (is_same) s = parl_timeline_add_trace(t, &p.trace, p.rerun.env);
  if (s == PARL_STATUS_OK && is_same && shown != NULL)
    s = env_append_figures(&p.trace, p.rerun.env, shown);
  if (s == PARL_STATUS_OK && is_same)
    parl_text_appendf(note, "calls and messages: played again %s, as stored to the last bit",
                      p.rerun.how);
  else if (s == PARL_STATUS_OK)
    parl_text_appendf(note, "no calls and messages: played again %s it differs from the store: %s",
                      p.rerun.how, parl_text_get(&p.rerun.differences));
  else
    parl_text_appendf(note, "no calls and messages: %s", parl_error_text());
  cli_replay_deinit(&p);
  return s == PARL_STATUS_ESTOPPED || s == PARL_STATUS_ENOMEM ? s : parl_text_status(note);
}
