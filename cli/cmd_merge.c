/* cli/cmd_merge.c - parl merge DIR: what jobs made, in one run folder. */
#include "cli/cli.h"
#include "core/json.h"
#include "experiments/jobs.h"

static void append_merged(const cli_args *args, const parl_jobs *jobs, const parl_merge_result *r,
                          parl_text *out) {
  if (!args->json) {
    parl_text_appendf(out, "%s: %zu runs copied, %zu of them failed; %zu were there before\n",
                      r->folder, r->n_copied, r->n_failed, r->n_there);
    if (r->n_unsettled > 0)
      parl_text_appendf(out, "%zu of %zu jobs are not made yet\n", r->n_unsettled, jobs->n);
    return;
  }
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "folder");
  parl_json_string(&w, r->folder);
  const struct {
    const char *key;
    size_t n;
  } members[] = {{"copied", r->n_copied},
                 {"failed", r->n_failed},
                 {"there", r->n_there},
                 {"unsettled", r->n_unsettled},
                 {"jobs", jobs->n}};
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
    parl_json_key(&w, members[i].key);
    parl_json_integer(&w, (int64_t)members[i].n);
  }
  parl_json_end_object(&w);
}

int cmd_merge(const cli_args *args) {
  parl_log log;
  parl_jobs jobs;
  parl_text text = {0};
  parl_merge_result result = {.n_copied = 0};
  parl_log_init(&log, cli_log_sink, NULL, args->quiet ? PARL_LOG_WARNING : PARL_LOG_INFO);
  const parl_host host = {.log = &log, .stop = cli_catch_signals()};
  parl_status s = parl_jobs_read(args->operands[0], &jobs);
  if (s == PARL_STATUS_OK) s = parl_jobs_merge(&jobs, args->output, &host, &result);
  if (s == PARL_STATUS_OK) append_merged(args, &jobs, &result, &text);
  parl_jobs_deinit(&jobs);
  parl_log_deinit(&log);
  if (s == PARL_STATUS_OK) s = cli_print(&text);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
