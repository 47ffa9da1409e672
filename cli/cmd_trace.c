/* cli/cmd_trace.c - parl trace FOLDER EPISODE: a stored episode as a picture. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/replay.h"
#include "core/file.h"
#include "core/json.h"
#include "experiments/timeline.h"

enum { DEFAULT_COLUMNS = 100, LEAST_COLUMNS = 60, MOST_COLUMNS = 200 };

static size_t get_columns(const cli_args *args) {
  struct winsize size;
  if (args->columns > 0) return (size_t)args->columns;
  if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
    return DEFAULT_COLUMNS;
  if (size.ws_col < LEAST_COLUMNS) return LEAST_COLUMNS;
  return size.ws_col < MOST_COLUMNS ? size.ws_col : MOST_COLUMNS;
}

static parl_status print_text(const cli_args *args, const parl_timeline *t, const char *note) {
  parl_text text = {0};
  parl_text_appendf(&text, "%s: ", t->title.recipe);
  parl_timeline_append_name(&t->title, &text);
  parl_text_append(&text, "\n");
  parl_timeline_append_numbers(t, &text);
  parl_text_append(&text, "\n\n");
  parl_timeline_append_text(t, get_columns(args), cli_has_colour(), &text);
  parl_text_appendf(&text, "\n%s\n", note);
  return cli_print(&text);
}

static parl_status print_json(const parl_timeline *t, const char *note) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "episode");
  parl_timeline_write(t, &w);
  parl_json_key(&w, "note");
  parl_json_string(&w, note);
  parl_json_end_object(&w);
  return cli_print(&text);
}

static parl_status write_page(const cli_args *args, const parl_timeline *t, const char *note,
                              const char *shown) {
  parl_text text = {0};
  parl_timeline_append_page(t, note, shown, &text);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_file_write(args->html, parl_text_get(&text), text.n);
  parl_text_deinit(&text);
  if (s == PARL_STATUS_OK && !args->json) printf("%s\n", args->html);
  return s;
}

int cmd_trace(const cli_args *args) {
  parl_timeline t = {.n_turns = 0};
  parl_text note = {0}, shown = {0};
  int64_t episode;
  if (!cli_replay_read_episode(args, &episode)) return CLI_USAGE;
  if (args->html != NULL && !args->force && parl_file_exists(args->html))
    return cli_usage("--html %s: the file exists; --force overwrites it", args->html);
  parl_status s = parl_timeline_find(&(parl_timeline_query){.folder = args->operands[0],
                                                            .arm = args->arm,
                                                            .seed = args->seed,
                                                            .update = args->update,
                                                            .episode = episode,
                                                            .greedy = args->greedy},
                                     &t);
  if (s == PARL_STATUS_OK) s = cli_replay_add_messages(args, episode, &t, &note, &shown);
  if (s == PARL_STATUS_OK && args->html != NULL)
    s = write_page(args, &t, parl_text_get(&note), parl_text_get(&shown));
  if (s == PARL_STATUS_OK && args->json) s = print_json(&t, parl_text_get(&note));
  if (s == PARL_STATUS_OK && !args->json && args->html == NULL)
    s = print_text(args, &t, parl_text_get(&note));
  parl_timeline_deinit(&t);
  parl_text_deinit(&note);
  parl_text_deinit(&shown);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
