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
  static const parl_table_kind kinds[] = {PARL_TABLE_OUTCOME,  PARL_TABLE_COST,
                                          PARL_TABLE_GREEDY,   PARL_TABLE_PRETRAIN,
                                          PARL_TABLE_FORECAST, PARL_TABLE_FORECAST_SCORE};
  const parl_format plain = PARL_FORMAT_PLAIN;
  parl_text_append(out, "\n");
  if (r->question[0] != '\0') parl_text_append_wrapped(out, r->question, PARL_REPORT_TERMINAL, 0);
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
  if (r->question[0] != '\0') {
    parl_text_append(out, "\n**");
    parl_text_append_markdown(out, r->question);
    parl_text_append(out, "**\n");
  }
  if (r->warnings.n > 0) parl_text_append(out, "\n");
  parl_report_visit_warnings(r, append_markdown_warning, out);
  PARL_TRY(parl_report_append_answers(r, PARL_FORMAT_MARKDOWN, out));
  PARL_TRY(append_markdown_policies(r, out));
  PARL_TRY(parl_report_append_lead(r, PARL_FORMAT_MARKDOWN, out));
  return parl_report_append_tables(r, rest, PARL_N_TABLES - 1, PARL_FORMAT_MARKDOWN, out);
}

parl_status parl_report_append_latex(const parl_report *r, parl_text *out) {
  parl_table_kind rest[PARL_N_TABLES];
  for (int kind = 0; kind < PARL_N_TABLES; kind++) rest[kind] = (parl_table_kind)kind;
  parl_text_append(out, "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n");
  PARL_TRY(parl_report_append_lead(r, PARL_FORMAT_LATEX, out));
  return parl_report_append_tables(r, rest, PARL_N_TABLES, PARL_FORMAT_LATEX, out);
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
    {"report.tex", parl_report_append_latex},
    {"report.html", parl_report_append_html},
};
enum { N_FILES = sizeof files / sizeof files[0] };

/* The figures that the page drew, each a file; those of a report before that are no more go. */
static parl_status write_figures(const parl_report *r) {
  char folder[PATH_BYTES], path[PATH_BYTES], name[64];
  PARL_TRY(parl_file_join(folder, sizeof folder, r->out, PARL_REPORT_FIGURES));
  PARL_TRY(parl_file_make_folder(folder));
  parl_report_remove_figures(folder);
  size_t n = 0;
  for (size_t i = 0; i < r->figures->n; i++) {
    const parl_figure *f = &r->figures->of[i];
    parl_text svg = {0};
    if (f->svg == NULL) continue;
    parl_figure_get_name(f, ++n, name);
    parl_status s = parl_figure_append_svg(f, &svg);
    if (s == PARL_STATUS_OK) s = parl_file_join(path, sizeof path, folder, name);
    if (s == PARL_STATUS_OK) s = parl_file_write(path, parl_text_get(&svg), svg.n);
    parl_text_deinit(&svg);
    PARL_TRY(s);
  }
  return PARL_STATUS_OK;
}

/* All are made before the first is written. */
static parl_status write_all(const parl_report *r, parl_text texts[N_FILES], parl_text *table) {
  char path[PATH_BYTES];
  for (size_t i = 0; i < N_FILES; i++) PARL_TRY(files[i].append(r, &texts[i]));
  if (table != NULL) PARL_TRY(append_terminal(r, table));
  PARL_TRY(parl_file_make_folder(r->out));
  if (r->figures != NULL) PARL_TRY(write_figures(r));
  for (size_t i = 0; i < N_FILES; i++) {
    PARL_TRY(parl_file_join(path, sizeof path, r->out, files[i].name));
    PARL_TRY(parl_file_write(path, parl_text_get(&texts[i]), texts[i].n));
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_write(const char *folder, parl_text *table) {
  return parl_report_make(&(parl_report_request){.folders = &folder, .n_folders = 1}, table);
}

static parl_status make(const parl_report_request *request, parl_report *report, parl_arena *arena,
                        parl_text texts[N_FILES], parl_text *table) {
  PARL_TRY(parl_report_load(request->folders, request->n_folders, arena, report));
  report->request = request;
  report->out = request->out != NULL ? request->out : request->folders[0];
  report->plain = request->plain;
  if (request->with_figures) {
    PARL_TRY(PARL_ARENA_TAKE(arena, 1, &report->figures));
    report->figures->n = 0;
  }
  PARL_TRY(parl_report_summarize(report, request->reference));
  return write_all(report, texts, table);
}

parl_status parl_report_make(const parl_report_request *request, parl_text *table) {
  PARL_REQUIRE(request->n_folders >= 1);
  if (request->n_folders > 1 && request->out == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "a report of %zu folders needs -o DIR",
                     request->n_folders);
  parl_arena arena;
  parl_report report = {0};
  parl_text texts[N_FILES] = {0};
  parl_arena_init(&arena, 0);
  const parl_status status = make(request, &report, &arena, texts, table);
  parl_file_remove_stale(request->out != NULL ? request->out : request->folders[0], "report*");
  for (size_t i = 0; i < N_FILES; i++) parl_text_deinit(&texts[i]);
  parl_report_deinit(&report);
  parl_arena_deinit(&arena);
  return status;
}
