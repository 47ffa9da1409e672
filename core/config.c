/* core/config.c - reading, writing and explaining a section by its table. */
#include "core/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json_internal.h"

enum { MAX_WORD_BYTES = 64 };

static void *slot_of(const parl_field *f, void *config) {
  return (char *)config + f->offset;
}

static const void *const_slot_of(const parl_field *f, const void *config) {
  return (const char *)config + f->offset;
}

/* Place of name in "a|b|c", or -1. */
static int find_choice(const char *choices, const char *name) {
  const size_t n = strlen(name);
  int place = 0;
  for (const char *c = choices;; place++) {
    const size_t length = strcspn(c, "|");
    if (length == n && memcmp(c, name, n) == 0) return place;
    if (c[length] == '\0') return -1;
    c += length + 1;
  }
}

/* Name at a place of "a|b|c" and its length, or "?". */
static const char *get_choice(const char *choices, int place, size_t *length) {
  const char *c = choices;
  for (int i = 0; place >= 0; i++) {
    *length = strcspn(c, "|");
    if (i == place) return c;
    if (c[*length] == '\0') break;
    c += *length + 1;
  }
  *length = 1;
  return "?";
}

static void set_default(const parl_field *f, void *config) {
  void *slot = slot_of(f, config);
  switch (f->type) {
    case PARL_FIELD_INT:
      *(int64_t *)slot = (int64_t)f->preset;
      break;
    case PARL_FIELD_REAL:
      *(double *)slot = f->preset;
      break;
    case PARL_FIELD_FLAG:
      *(bool *)slot = f->preset > 0;
      break;
    case PARL_FIELD_TEXT:
      PARL_CHECK(strlen(f->preset_text) < PARL_CONFIG_TEXT_BYTES);
      memcpy(slot, f->preset_text, strlen(f->preset_text) + 1);
      break;
    case PARL_FIELD_CHOICE:
      *(int *)slot = find_choice(f->choices, f->preset_text);
      PARL_CHECK(*(int *)slot >= 0);
      break;
  }
}

void parl_config_set_defaults(const parl_section *section, void *config) {
  memset(config, 0, section->bytes); /* padding and the tails of texts too: equal is equal */
  for (size_t i = 0; i < section->n_fields; i++) set_default(&section->fields[i], config);
}

/* The value as the user wrote it, for an error text; cut to fit. */
static void describe(const parl_json *value, char *out, size_t n) {
  parl_text text = {0};
  parl_json_append_canonical(value, &text);
  snprintf(out, n, "%s%s", parl_text_get(&text), text.failed ? "..." : "");
  parl_text_deinit(&text);
}

static parl_status fail_value(const char *path, const parl_field *f, const parl_json *value,
                              const char *due) {
  char got[128];
  describe(value, got, sizeof got);
  return parl_fail(PARL_STATUS_EINVAL, "%s.%s = %s: %s is due", path, f->name, got, due);
}

static parl_status read_number(const parl_field *f, const parl_json *value, const char *path,
                               double *out) {
  const bool whole = f->type == PARL_FIELD_INT;
  const double x = parl_json_get_number(value);
  char due[128];
  char low[PARL_JSON_NUMBER_BYTES], high[PARL_JSON_NUMBER_BYTES];
  parl_json_format_number(f->low, 15, low);
  parl_json_format_number(f->high, 15, high);
  snprintf(due, sizeof due, "%s in [%s, %s]", whole ? "a whole number" : "a number", low, high);
  if (parl_json_get_type(value) != PARL_JSON_NUMBER || !isfinite(x) || !(x >= f->low) ||
      !(x <= f->high))
    return fail_value(path, f, value, due);
  if (whole && (x != trunc(x) || fabs(x) > 0x1p53)) return fail_value(path, f, value, due);
  *out = x;
  return PARL_STATUS_OK;
}

static parl_status read_text(const parl_field *f, const parl_json *value, const char *path,
                             char *slot) {
  const char *text = parl_json_get_string(value);
  if (text == NULL) return fail_value(path, f, value, "a text in quotes");
  const size_t n = strlen(text);
  if (n >= PARL_CONFIG_TEXT_BYTES) return fail_value(path, f, value, "a text of at most 255 bytes");
  if (slot == NULL) return PARL_STATUS_OK;
  memset(slot, 0, PARL_CONFIG_TEXT_BYTES);
  memcpy(slot, text, n);
  return PARL_STATUS_OK;
}

static parl_status read_choice(const parl_field *f, const parl_json *value, const char *path,
                               int *slot) {
  const char *text = parl_json_get_string(value);
  const int place = text == NULL || strchr(text, '|') != NULL ? -1 : find_choice(f->choices, text);
  if (place < 0) {
    char got[128];
    describe(value, got, sizeof got);
    return parl_fail(PARL_STATUS_EINVAL, "%s.%s = %s: one of %s is due (%s)", path, f->name, got,
                     f->choices, f->doc);
  }
  if (slot != NULL) *slot = place;
  return PARL_STATUS_OK;
}

/* Checks one value, and stores it unless config is NULL. */
static parl_status read_field(const parl_field *f, const parl_json *value, const char *path,
                              void *config) {
  void *slot = config == NULL ? NULL : slot_of(f, config);
  double x = 0.0;
  switch (f->type) {
    case PARL_FIELD_INT:
      PARL_TRY(read_number(f, value, path, &x));
      if (slot != NULL) *(int64_t *)slot = (int64_t)x;
      break;
    case PARL_FIELD_REAL:
      PARL_TRY(read_number(f, value, path, &x));
      if (slot != NULL) *(double *)slot = x;
      break;
    case PARL_FIELD_FLAG:
      if (parl_json_get_type(value) != PARL_JSON_BOOL)
        return fail_value(path, f, value, "true or false");
      if (slot != NULL) *(bool *)slot = parl_json_get_bool(value);
      break;
    case PARL_FIELD_TEXT:
      return read_text(f, value, path, slot);
    case PARL_FIELD_CHOICE:
      return read_choice(f, value, path, slot);
  }
  return PARL_STATUS_OK;
}

static size_t min3(size_t a, size_t b, size_t c) {
  const size_t ab = a < b ? a : b;
  return ab < c ? ab : c;
}

/* Optimal string alignment distance; both words are shorter than MAX_WORD_BYTES. */
static size_t get_distance(const char *a, size_t n_a, const char *b, size_t n_b) {
  size_t rows[3][MAX_WORD_BYTES];
  for (size_t j = 0; j <= n_b; j++) rows[0][j] = j;
  for (size_t i = 1; i <= n_a; i++) {
    size_t *row = rows[i % 3];
    const size_t *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= n_b; j++) {
      row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < row[j])
        row[j] = up2[j - 2] + 1;
    }
  }
  return rows[n_a % 3][n_b];
}

typedef struct nearest {
  const char *name;
  size_t distance;
} nearest;

static void consider(nearest *best, const char *word, const char *candidate) {
  const size_t n_word = strlen(word), n_candidate = strlen(candidate);
  if (n_word >= MAX_WORD_BYTES || n_candidate >= MAX_WORD_BYTES) return;
  const size_t distance = get_distance(word, n_word, candidate, n_candidate);
  const size_t allowed = n_word / 3 > 0 ? n_word / 3 : 1;
  if (distance > allowed || (best->name != NULL && distance >= best->distance)) return;
  *best = (nearest){candidate, distance};
}

const char *parl_nearest(const char *word, const char *const *candidates, size_t n) {
  nearest best = {0};
  for (size_t i = 0; i < n; i++) consider(&best, word, candidates[i]);
  return best.name;
}

static parl_status fail_unknown(const parl_section *section, const char *key, const char *path) {
  nearest best = {0};
  for (size_t i = 0; i < section->n_fields; i++) consider(&best, key, section->fields[i].name);
  if (best.name != NULL)
    return parl_fail(PARL_STATUS_EINVAL, "%s.%s: unknown key; did you mean \"%s\"?", path, key,
                     best.name);
  char known[1024] = "";
  size_t at = 0;
  for (size_t i = 0; i < section->n_fields && at < sizeof known; i++)
    at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
                           section->fields[i].name);
  return parl_fail(PARL_STATUS_EINVAL, "%s.%s: unknown key; known are %s", path, key, known);
}

/* Whether fields "<name>.<...>" form a group. */
static bool is_group(const parl_section *section, const char *name) {
  const size_t n = strlen(name);
  for (size_t i = 0; i < section->n_fields; i++)
    if (strncmp(section->fields[i].name, name, n) == 0 && section->fields[i].name[n] == '.')
      return true;
  return false;
}

static const parl_field *find_field(const parl_section *section, const char *name) {
  for (size_t i = 0; i < section->n_fields; i++)
    if (strcmp(section->fields[i].name, name) == 0) return &section->fields[i];
  return NULL;
}

/* One member, whose field, or group of fields, is called `name`. */
static parl_status read_member(const parl_section *section, const char *name,
                               const parl_json *value, const char *path, void *config) {
  const parl_field *f = find_field(section, name);
  if (f != NULL) return read_field(f, value, path, config);
  if (!is_group(section, name)) return fail_unknown(section, name, path);
  if (parl_json_get_type(value) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s.%s: an object of fields is due, not the type %s", path,
                     name, parl_json_type_name(parl_json_get_type(value)));
  for (const parl_json *c = parl_json_get_first(value); c != NULL; c = parl_json_get_next(c)) {
    char inner[2 * MAX_WORD_BYTES];
    snprintf(inner, sizeof inner, "%s.%s", name, parl_json_get_key(c));
    f = find_field(section, inner);
    if (f == NULL) return fail_unknown(section, inner, path);
    PARL_TRY(read_field(f, c, path, config));
  }
  return PARL_STATUS_OK;
}

/* One pass over the members; with config NULL it only checks. */
static parl_status read_members(const parl_section *section, const parl_json *object,
                                const char *path, void *config) {
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c))
    PARL_TRY(read_member(section, parl_json_get_key(c), c, path, config));
  return PARL_STATUS_OK;
}

parl_status parl_config_read(const parl_section *section, const parl_json *object, const char *path,
                             void *config) {
  if (parl_json_get_type(object) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s: an object of fields is due, not the type %s", path,
                     parl_json_type_name(parl_json_get_type(object)));
  PARL_TRY(read_members(section, object, path, NULL));
  return read_members(section, object, path, config);
}

static void write_field(const parl_field *f, const void *slot, parl_json_writer *w) {
  char name[MAX_WORD_BYTES];
  size_t length;
  switch (f->type) {
    case PARL_FIELD_INT:
      parl_json_integer(w, *(const int64_t *)slot);
      break;
    case PARL_FIELD_REAL:
      parl_json_number(w, *(const double *)slot);
      break;
    case PARL_FIELD_FLAG:
      parl_json_bool(w, *(const bool *)slot);
      break;
    case PARL_FIELD_TEXT:
      parl_json_string(w, slot);
      break;
    case PARL_FIELD_CHOICE: {
      const char *choice = get_choice(f->choices, *(const int *)slot, &length);
      snprintf(name, sizeof name, "%.*s", (int)length, choice);
      parl_json_string(w, name);
      break;
    }
  }
}

void parl_config_write_field(const parl_field *field, const void *config, parl_json_writer *w) {
  write_field(field, const_slot_of(field, config), w);
}

/* INT, REAL, FLAG: what groups are made of. */
static bool is_preset(const parl_field *f, const void *slot) {
  if (f->type == PARL_FIELD_INT) return *(const int64_t *)slot == (int64_t)f->preset;
  if (f->type == PARL_FIELD_FLAG) return *(const bool *)slot == (f->preset > 0);
  const double x = f->type == PARL_FIELD_REAL ? *(const double *)slot : (double)NAN;
  return x >= f->preset && x <= f->preset;
}

/* Fields first..end-1 are a group of one name of n_name bytes; nothing if none says anything. */
static void write_group(const parl_field *first, const parl_field *end, size_t n_name,
                        const void *config, parl_json_writer *w) {
  bool all_preset = true;
  for (const parl_field *f = first; f < end; f++)
    all_preset = all_preset && is_preset(f, const_slot_of(f, config));
  if (all_preset) return;
  char name[MAX_WORD_BYTES];
  snprintf(name, sizeof name, "%.*s", (int)n_name, first->name);
  parl_json_key(w, name);
  parl_json_begin_object(w);
  for (const parl_field *f = first; f < end; f++) {
    parl_json_key(w, f->name + n_name + 1);
    write_field(f, const_slot_of(f, config), w);
  }
  parl_json_end_object(w);
}

void parl_config_write(const parl_section *section, const void *config, parl_json_writer *w) {
  const parl_field *end = section->fields + section->n_fields;
  parl_json_begin_object(w);
  for (const parl_field *f = section->fields; f < end;) {
    const size_t n = strcspn(f->name, ".");
    const parl_field *first = f++;
    if (first->name[n] == '\0') {
      parl_json_key(w, first->name);
      write_field(first, const_slot_of(first, config), w);
      continue;
    }
    while (f < end && strncmp(f->name, first->name, n + 1) == 0) f++;
    write_group(first, f, n, config, w);
  }
  parl_json_end_object(w);
}

void parl_config_choice_name(const parl_section *section, const char *field, int value, char *out,
                             size_t n) {
  const parl_field *f = find_field(section, field);
  size_t length = 1;
  const char *name = "?";
  if (f != NULL && f->type == PARL_FIELD_CHOICE) name = get_choice(f->choices, value, &length);
  snprintf(out, n, "%.*s", (int)length, name);
}

static const char *get_type_name(parl_field_type t) {
  static const char *const names[] = {"int", "real", "flag", "text", "choice"};
  return names[t];
}

/* Default and range as text; a choice's range is its list. */
static void describe_field(const parl_field *f, char preset[PARL_CONFIG_TEXT_BYTES + 2],
                           char range[1024]) {
  const size_t n = PARL_CONFIG_TEXT_BYTES + 2;
  char number[PARL_JSON_NUMBER_BYTES], low[PARL_JSON_NUMBER_BYTES], high[PARL_JSON_NUMBER_BYTES];
  range[0] = '\0';
  switch (f->type) {
    case PARL_FIELD_INT:
    case PARL_FIELD_REAL:
      parl_json_format_number(f->preset, 15, number);
      parl_json_format_number(f->low, 15, low);
      parl_json_format_number(f->high, 15, high);
      snprintf(preset, n, "%s", number);
      snprintf(range, 1024, "[%s, %s]", low, high);
      break;
    case PARL_FIELD_FLAG:
      snprintf(preset, n, "%s", f->preset > 0 ? "true" : "false");
      break;
    case PARL_FIELD_TEXT:
      snprintf(preset, n, "\"%s\"", f->preset_text);
      break;
    case PARL_FIELD_CHOICE:
      snprintf(preset, n, "%s", f->preset_text);
      snprintf(range, 1024, "%s", f->choices);
      break;
  }
}

/* A bar would end a cell of a Markdown table. */
static void append_cell(parl_text *out, const char *s) {
  parl_text_append(out, " ");
  for (; *s != '\0'; s++) {
    if (*s == '|') parl_text_append(out, "\\");
    parl_text_append_bytes(out, s, 1);
  }
  parl_text_append(out, " |");
}

static void append_row(const parl_section *section, const parl_field *f, parl_text *out) {
  char preset[PARL_CONFIG_TEXT_BYTES + 2], range[1024], key[256];
  describe_field(f, preset, range);
  snprintf(key, sizeof key, "`%s.%s`", section->name, f->name);
  const char *const cells[] = {key, get_type_name(f->type), preset, range, f->unit, f->doc};
  parl_text_append(out, "|");
  for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) append_cell(out, cells[i]);
  parl_text_append(out, "\n");
}

static void append_line(const parl_field *f, int width, parl_text *out) {
  char preset[PARL_CONFIG_TEXT_BYTES + 2], range[1024];
  describe_field(f, preset, range);
  parl_text_appendf(out, "  %-*s  %-6s  %s", width, f->name, get_type_name(f->type), preset);
  if (range[0] != '\0') parl_text_appendf(out, "  %s", range);
  if (f->unit[0] != '\0') parl_text_appendf(out, "  %s", f->unit);
  parl_text_appendf(out, "  %s\n", f->doc);
}

void parl_config_append_help(const parl_section *section, bool markdown, parl_text *out) {
  int width = 0;
  for (size_t i = 0; i < section->n_fields; i++) {
    const int n = (int)strlen(section->fields[i].name);
    if (n > width) width = n;
  }
  if (markdown)
    parl_text_append(out,
                     "| field | type | default | range | unit | meaning |\n"
                     "|---|---|---|---|---|---|\n");
  else
    parl_text_appendf(out, "%s: %s\n", section->name, section->doc);
  for (size_t i = 0; i < section->n_fields; i++) {
    if (markdown)
      append_row(section, &section->fields[i], out);
    else
      append_line(&section->fields[i], width, out);
  }
}
