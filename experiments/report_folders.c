/* experiments/report_folders.c - several folders in one report: which of them may stand together,
 * which runs are the same one, and whose names need their folder's. */
#include <string.h>

#include "core/file.h"
#include "experiments/report_internal.h"

enum { PATH_BYTES = 4096 };

/* The last part of a path, and its length. */
static const char *get_base(const char *path, size_t *n) {
  size_t end = strlen(path);
  while (end > 1 && path[end - 1] == '/') end--;
  size_t begin = end;
  while (begin > 0 && path[begin - 1] != '/') begin--;
  *n = end - begin;
  return path + begin;
}

/* Whether the runs of a folder chose the points of a sweep: their seeds are not for reporting. */
static bool is_of_points(const char *folder) {
  size_t n;
  const char *base = get_base(folder, &n);
  char above[PATH_BYTES];
  if (n != 6 || strncmp(base, "points", 6) != 0) return false;
  return parl_file_join(above, sizeof above, folder, "../sweep.json") == PARL_STATUS_OK &&
         parl_file_exists(above);
}

parl_status parl_report_check_folders(const char *const *folders, size_t n) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      if (is_of_points(folders[i]) && !is_of_points(folders[j]))
        return parl_fail(PARL_STATUS_EINVAL,
                         "%s: its seeds chose the points of a sweep, so that their scores are too "
                         "good beside those of %s; report it alone",
                         folders[i], folders[j]);
  return PARL_STATUS_OK;
}

/* --- what a run is, but for its seed --- */

static parl_status append_identity(const parl_report_run *run, parl_text *out) {
  parl_json *config = NULL;
  PARL_TRY(parl_json_parse(run->config, strlen(run->config), "a run's configuration", &config));
  for (const parl_json *c = parl_json_get_first(config); c != NULL; c = parl_json_get_next(c)) {
    const char *key = parl_json_get_key(c);
    if (strcmp(key, "seed") == 0 || strcmp(key, "recipe") == 0) continue;
    parl_text_appendf(out, "%s:", key);
    parl_json_append_canonical(c, out);
  }
  parl_json_destroy(config);
  return parl_text_status(out);
}

static parl_status get_identities(const parl_report *r, const char **out) {
  parl_text text = {0};
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; i < r->n_runs && s == PARL_STATUS_OK; i++) {
    parl_text_clear(&text);
    s = append_identity(&r->runs[i], &text);
    if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(&text), &out[i]);
  }
  parl_text_deinit(&text);
  return s;
}

static bool is_same_arm(const parl_report_run *a, const parl_report_run *b) {
  return strcmp(a->arm_name, b->arm_name) == 0;
}

/* A run that another folder has too counts once: the one that is done, else the first. */
static void drop_copies(parl_report *r, const char **identities) {
  size_t n = 0;
  for (size_t i = 0; i < r->n_runs; i++) {
    const bool is_done = strcmp(r->runs[i].status, "done") == 0;
    bool is_copy = false;
    for (size_t j = 0; j < n && !is_copy; j++) {
      parl_report_run *kept = &r->runs[j];
      is_copy = kept->folder != r->runs[i].folder && kept->seed == r->runs[i].seed &&
                is_same_arm(kept, &r->runs[i]) && strcmp(identities[j], identities[i]) == 0;
      if (is_copy && is_done && strcmp(kept->status, "done") != 0) *kept = r->runs[i];
    }
    if (is_copy) continue;
    r->runs[n] = r->runs[i];
    identities[n++] = identities[i];
  }
  r->n_runs = n;
}

/* --- names --- */

/* Whether the last part of a folder's path is that of no other. */
static bool has_own_base(const parl_report *r, size_t folder) {
  size_t n, m;
  const char *base = get_base(r->folders[folder], &n);
  for (size_t i = 0; i < r->n_folders; i++) {
    const char *other = get_base(r->folders[i], &m);
    if (i != folder && n == m && strncmp(base, other, n) == 0) return false;
  }
  return true;
}

/* "annealed (dag)", or with the whole path where two folders end alike. */
static parl_status name_by_folder(const parl_report *r, parl_report_run *run, const char **out) {
  parl_text name = {0};
  size_t n;
  const char *base = get_base(r->folders[run->folder], &n);
  if (has_own_base(r, run->folder))
    parl_text_appendf(&name, "%s (%.*s)", run->arm_name, (int)n, base);
  else
    parl_text_appendf(&name, "%s (%s)", run->arm_name, r->folders[run->folder]);
  parl_status s = parl_text_status(&name);
  if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(&name), out);
  parl_text_deinit(&name);
  return s;
}

/* Arms of one name that are not the same in two folders. */
static parl_status name_clashing(parl_report *r, const char *const *identities) {
  const char **names = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &names));
  for (size_t i = 0; i < r->n_runs; i++) {
    bool clashes = false;
    for (size_t j = 0; j < r->n_runs && !clashes; j++)
      for (size_t k = 0; k < j && !clashes && is_same_arm(&r->runs[i], &r->runs[j]); k++)
        clashes = is_same_arm(&r->runs[j], &r->runs[k]) && r->runs[j].folder != r->runs[k].folder &&
                  strcmp(identities[j], identities[k]) != 0;
    names[i] = r->runs[i].arm_name;
    if (clashes) PARL_TRY(name_by_folder(r, &r->runs[i], &names[i]));
  }
  for (size_t i = 0; i < r->n_runs; i++) r->runs[i].arm_name = names[i];
  return PARL_STATUS_OK;
}

/* Each recipe's once. */
static parl_status name_question(parl_report *r) {
  parl_text text = {0};
  for (size_t i = 0; i < r->n_runs; i++) {
    const char *own = r->runs[i].question;
    bool seen = own == NULL;
    for (size_t j = 0; j < i && !seen; j++)
      seen = r->runs[j].question != NULL && strcmp(own, r->runs[j].question) == 0;
    if (!seen) parl_text_appendf(&text, "%s%s", text.n > 0 ? " " : "", own);
  }
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(&text), &r->question);
  parl_text_deinit(&text);
  return s;
}

/* "a + b": each recipe's name once. */
static parl_status name_recipes(parl_report *r) {
  parl_text name = {0};
  for (size_t i = 0; i < r->n_runs; i++) {
    bool seen = false;
    for (size_t j = 0; j < i && !seen; j++)
      seen = strcmp(r->runs[i].recipe, r->runs[j].recipe) == 0;
    if (!seen) parl_text_appendf(&name, "%s%s", i > 0 ? " + " : "", r->runs[i].recipe);
  }
  parl_status s = parl_text_status(&name);
  if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(&name), &r->recipe);
  parl_text_deinit(&name);
  return s;
}

parl_status parl_report_unite_folders(parl_report *r) {
  if (r->n_folders > 1) {
    const char **identities = NULL;
    PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &identities));
    PARL_TRY(get_identities(r, identities));
    drop_copies(r, identities);
    PARL_TRY(name_clashing(r, identities));
  }
  PARL_TRY(name_question(r));
  return name_recipes(r);
}
