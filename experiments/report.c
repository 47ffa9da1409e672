/* experiments/report.c - reads, summarises, writes the three files. */
#include "experiments/report.h"

#include "core/file.h"
#include "experiments/report_internal.h"

enum { PATH_BYTES = 4096 };

static const parl_table_kind terminal_tables[] = {PARL_TABLE_OUTCOME,  PARL_TABLE_COST,
                                                  PARL_TABLE_GREEDY,   PARL_TABLE_PAIRS,
                                                  PARL_TABLE_FORECAST, PARL_TABLE_FAMILIES};

static parl_status append_terminal(const parl_report *r, parl_text *out) {
  PARL_TRY(parl_report_append_tables(
      r, terminal_tables, sizeof terminal_tables / sizeof terminal_tables[0], false, out));
  if (r->warnings.n > 0) parl_text_appendf(out, "\n%s", parl_text_get(&r->warnings));
  return parl_text_status(out);
}

static parl_status append_markdown(const parl_report *r, parl_text *out) {
  parl_table_kind all[PARL_N_TABLES];
  for (int kind = 0; kind < PARL_N_TABLES; kind++) all[kind] = (parl_table_kind)kind;
  parl_text_append(out, "# Ablation report: ");
  parl_text_append_html(out, r->recipe);
  parl_text_append(out, "\n");
  if (r->warnings.n > 0) parl_text_appendf(out, "\n%s", parl_text_get(&r->warnings));
  return parl_report_append_tables(r, all, PARL_N_TABLES, true, out);
}

static parl_status write_file(const char *folder, const char *name, const parl_text *text) {
  char path[PATH_BYTES];
  PARL_TRY(parl_text_status(text));
  PARL_TRY(parl_file_join(path, sizeof path, folder, name));
  return parl_file_write(path, parl_text_get(text), text->n);
}

/* All three are made before the first is written. */
static parl_status write_all(const parl_report *r, const char *folder, parl_text texts[3],
                             parl_text *table) {
  PARL_TRY(parl_report_append_html(r, folder, &texts[0]));
  PARL_TRY(parl_report_append_json(r, &texts[1]));
  PARL_TRY(append_markdown(r, &texts[2]));
  if (table != NULL) PARL_TRY(append_terminal(r, table));
  PARL_TRY(write_file(folder, "report.json", &texts[1]));
  PARL_TRY(write_file(folder, "report.md", &texts[2]));
  return write_file(folder, "report.html", &texts[0]);
}

parl_status parl_report_write(const char *folder, parl_text *table) {
  char path[PATH_BYTES];
  PARL_TRY(parl_file_join(path, sizeof path, folder, "store.db"));
  parl_arena arena;
  parl_report report = {0};
  parl_text texts[3] = {{0}, {0}, {0}};
  parl_arena_init(&arena, 0);
  parl_status status = parl_report_load(path, &arena, &report);
  if (status == PARL_STATUS_OK) status = parl_report_summarize(&report);
  if (status == PARL_STATUS_OK) status = write_all(&report, folder, texts, table);
  for (size_t i = 0; i < 3; i++) parl_text_deinit(&texts[i]);
  parl_report_deinit(&report);
  parl_arena_deinit(&arena);
  return status;
}
