/* experiments/report_commands.c - how every cell is made again. */
#include <string.h>

#include "experiments/report_internal.h"

/* "# annealed, seeds 1 2 3; plain, seeds 1 2 3": what a command made that counts. */
static void append_cells(const parl_report *r, const char *command, parl_text *out) {
  parl_text text = {0};
  for (size_t a = 0; a < r->n_arms; a++) {
    size_t n = 0;
    for (size_t i = 0; i < r->n_runs; i++) {
      const parl_report_run *run = &r->runs[i];
      if (run->arm != a || !run->counted || run->command == NULL ||
          strcmp(run->command, command) != 0)
        continue;
      if (n++ == 0)
        parl_text_appendf(&text, "%s%s, seed", text.n > 0 ? "; " : "# ", r->arms[a].name);
      parl_text_appendf(&text, " %lld", (long long)run->seed);
    }
  }
  parl_text_append_html(out, parl_text_get(&text));
  parl_text_append(out, "\n");
  out->failed |= text.failed;
  parl_text_deinit(&text);
}

static bool is_new(const parl_report *r, size_t i) {
  const char *command = r->runs[i].command;
  if (command == NULL || !r->runs[i].counted) return false;
  for (size_t j = 0; j < i; j++)
    if (r->runs[j].counted && r->runs[j].command != NULL &&
        strcmp(command, r->runs[j].command) == 0)
      return false;
  return true;
}

static parl_status append_report(const parl_report *r, parl_text *out) {
  parl_text line = {0};
  parl_text_append(&line, "parl report");
  for (size_t i = 0; i < r->n_folders; i++) {
    parl_text_append(&line, " ");
    parl_text_append_shell(&line, r->folders[i]);
  }
  if (r->n_folders > 1 || strcmp(r->out, r->folders[0]) != 0) {
    parl_text_append(&line, " -o ");
    parl_text_append_shell(&line, r->out);
  }
  parl_text_append_html(out, parl_text_get(&line));
  const parl_status s = parl_text_status(&line);
  parl_text_deinit(&line);
  return s;
}

parl_status parl_report_append_commands(const parl_report *r, parl_text *out) {
  bool any = false;
  parl_text_append(out, "<pre>");
  for (size_t i = 0; i < r->n_runs; i++) {
    if (!is_new(r, i)) continue;
    parl_text_append_html(out, r->runs[i].command);
    parl_text_append(out, "\n");
    append_cells(r, r->runs[i].command, out);
    any = true;
  }
  if (!any) {
    parl_text_append(out, "parl train ");
    parl_text_append_html(out, r->recipe);
    parl_text_append(out, ".lua  # overrides were not kept\n");
  }
  PARL_TRY(append_report(r, out));
  parl_text_append(out, "</pre>\n");
  return parl_text_status(out);
}
