/* experiments/report.c - reads, summarises, writes the files. */
#include "experiments/report.h"

#include "core/file.h"
#include "experiments/report_internal.h"

enum { PATH_BYTES = 4096 };

static void append_plain_warning(void *out, const char *line) {
  parl_text_append_wrapped(out, line, PARL_REPORT_TERMINAL, 0);
}

static void append_markdown_warning(void *out, const char *line) {
  parl_text_append_markdown(out, line);
  parl_text_append(out, "\n");
}

static parl_status append_terminal(const parl_report *r, parl_text *out) {
  static const parl_table_kind kinds[] = {PARL_TABLE_OUTCOME, PARL_TABLE_COST, PARL_TABLE_GREEDY,
                                          PARL_TABLE_FORECAST, PARL_TABLE_FORECAST_SCORE};
  const parl_format plain = PARL_FORMAT_PLAIN;
  parl_text_append(out, "\n");
  PARL_TRY(parl_report_append_policies(r, out));
  PARL_TRY(parl_report_append_lead(r, plain, out));
  PARL_TRY(parl_report_append_answers(r, plain, out));
  PARL_TRY(parl_report_append_tables(r, kinds, sizeof kinds / sizeof kinds[0], plain, out));
  if (r->warnings.n > 0) parl_text_append(out, "\n");
  parl_report_visit_warnings(r, append_plain_warning, out);
  return parl_text_status(out);
}

static parl_status append_markdown_policies(const parl_report *r, parl_text *out) {
  static const parl_table_kind policies = PARL_TABLE_POLICIES;
  parl_text environment = {0};
  PARL_TRY(parl_report_append_tables(r, &policies, 1, PARL_FORMAT_MARKDOWN, out));
  const parl_status s = parl_report_append_environment(r, &environment);
  if (s == PARL_STATUS_OK && environment.n > 0) {
    parl_text_append(out, "\nEnvironment ");
    parl_text_append_markdown(out, parl_text_get(&environment));
    parl_text_append(out, "\n");
  }
  parl_text_deinit(&environment);
  return s;
}

static parl_status append_markdown(const parl_report *r, parl_text *out) {
  parl_table_kind rest[PARL_N_TABLES - 1]; /* the policies stand before the lead */
  for (int kind = 1; kind < PARL_N_TABLES; kind++) rest[kind - 1] = (parl_table_kind)kind;
  parl_text_append(out, "# Ablation report: ");
  parl_text_append_markdown(out, r->recipe);
  parl_text_append(out, "\n");
  if (r->warnings.n > 0) parl_text_append(out, "\n");
  parl_report_visit_warnings(r, append_markdown_warning, out);
  PARL_TRY(parl_report_append_answers(r, PARL_FORMAT_MARKDOWN, out));
  PARL_TRY(append_markdown_policies(r, out));
  PARL_TRY(parl_report_append_lead(r, PARL_FORMAT_MARKDOWN, out));
  return parl_report_append_tables(r, rest, PARL_N_TABLES - 1, PARL_FORMAT_MARKDOWN, out);
}

/* In the order in which they are written: the page last, so that where it is the rest is too. */
static const struct {
  const char *name;
  parl_status (*append)(const parl_report *r, parl_text *out);
} files[] = {
    {"report.json", parl_report_append_json},
    {"report.csv", parl_report_append_csv},
    {"report_seeds.csv", parl_report_append_seeds_csv},
    {"report_curves.csv", parl_report_append_curves_csv},
    {"report.md", append_markdown},
    {"report.html", parl_report_append_html},
};
enum { N_FILES = sizeof files / sizeof files[0] };

/* All are made before the first is written. */
static parl_status write_all(const parl_report *r, parl_text texts[N_FILES], parl_text *table) {
  char path[PATH_BYTES];
  for (size_t i = 0; i < N_FILES; i++) PARL_TRY(files[i].append(r, &texts[i]));
  if (table != NULL) PARL_TRY(append_terminal(r, table));
  for (size_t i = 0; i < N_FILES; i++) {
    PARL_TRY(parl_file_join(path, sizeof path, r->folder, files[i].name));
    PARL_TRY(parl_file_write(path, parl_text_get(&texts[i]), texts[i].n));
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_write(const char *folder, parl_text *table) {
  return parl_report_write_against(folder, NULL, table);
}

parl_status parl_report_write_against(const char *folder, const char *reference, parl_text *table) {
  char path[PATH_BYTES];
  PARL_TRY(parl_file_join(path, sizeof path, folder, "store.db"));
  parl_arena arena;
  parl_report report = {0};
  parl_text texts[N_FILES] = {0};
  parl_arena_init(&arena, 0);
  parl_status status = parl_report_load(path, &arena, &report);
  report.folder = folder;
  if (status == PARL_STATUS_OK) status = parl_report_summarize(&report, reference);
  if (status == PARL_STATUS_OK) status = write_all(&report, texts, table);
  parl_file_remove_stale(folder, "report*");
  for (size_t i = 0; i < N_FILES; i++) parl_text_deinit(&texts[i]);
  parl_report_deinit(&report);
  parl_arena_deinit(&arena);
  return status;
}
