/* cli/cmd_runs.c - parl runs FOLDER. */
#include <stdio.h>

#include "cli/cli.h"
#include "core/file.h"
#include "core/json.h"
#include "core/store.h"

static parl_status print_row(void *context, int64_t run_id, const parl_store_run *run) {
  (void)run_id;
  if (!*(const bool *)context) {
    printf("%-16.16s  %-20s %6lld  %-8s %.16s\n", run->uid, run->arm, (long long)run->seed,
           run->status, run->hash);
    return PARL_STATUS_OK;
  }
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  const char *pairs[] = {"uid",    run->uid,    "recipe", run->recipe, "arm",      run->arm,
                         "status", run->status, "hash",   run->hash,   "revision", run->revision};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i += 2) {
    parl_json_key(&w, pairs[i]);
    parl_json_string(&w, pairs[i + 1]);
  }
  parl_json_key(&w, "seed");
  parl_json_integer(&w, run->seed);
  parl_json_key(&w, "config");
  parl_json_raw(&w, run->config);
  parl_json_end_object(&w);
  puts(parl_text_get(&text));
  const parl_status s = parl_text_status(&text);
  parl_text_deinit(&text);
  return s;
}

int cmd_runs(const cli_args *args) {
  char path[1024];
  parl_store *store = NULL;
  parl_status s = parl_file_join(path, sizeof path, args->operands[0], "store.db");
  if (s == PARL_STATUS_OK) s = parl_store_open_readonly(path, &store);
  bool json = args->json;
  if (s == PARL_STATUS_OK && !json)
    printf("%-16s  %-20s %6s  %-8s %s\n", "uid", "arm", "seed", "status", "hash");
  if (s == PARL_STATUS_OK) s = parl_store_visit_runs(store, print_row, &json);
  parl_store_close(store);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
