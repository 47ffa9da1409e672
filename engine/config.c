/* engine/config.c - checks on config structs that never went through a recipe. */
#include <string.h>

#include "engine/model_internal.h"

static double read_field(const parl_field *f, const void *config) {
  const char *place = (const char *)config + f->offset;
  int64_t integer;
  double real = 0.0;
  bool flag;
  int choice;
  if (f->type == PARL_FIELD_INT) {
    memcpy(&integer, place, sizeof integer);
    real = (double)integer;
  } else if (f->type == PARL_FIELD_REAL) {
    memcpy(&real, place, sizeof real);
  } else if (f->type == PARL_FIELD_FLAG) {
    memcpy(&flag, place, sizeof flag);
    real = flag ? 1.0 : 0.0;
  } else if (f->type == PARL_FIELD_CHOICE) {
    memcpy(&choice, place, sizeof choice);
    real = choice;
  }
  return real;
}

static bool is_number(const parl_field *f) {
  return f->type == PARL_FIELD_INT || f->type == PARL_FIELD_REAL;
}

parl_status parl_engine_check_ranges(const parl_section *section, const void *config) {
  for (size_t i = 0; i < section->n_fields; i++) {
    const parl_field *f = &section->fields[i];
    const double x = read_field(f, config);
    if (is_number(f) && !(x >= f->low && x <= f->high))
      return parl_fail(PARL_STATUS_EINVAL, "%s.%s = %g is outside [%g, %g]", section->name, f->name,
                       x, f->low, f->high);
  }
  return PARL_STATUS_OK;
}

static bool is_listed(const char *name, const char *const *list) {
  for (; list != NULL && *list != NULL; list++)
    if (strcmp(name, *list) == 0) return true;
  return false;
}

/* As JSON. */
static void append_value(const parl_field *f, const void *config, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_config_write_field(f, config, &w);
}

void parl_engine_append_differences(const parl_section *section, const void *a, const void *b,
                                    const char *const *ignored, parl_text *out) {
  for (size_t i = 0; i < section->n_fields; i++) {
    const parl_field *f = &section->fields[i];
    const double x = read_field(f, a), y = read_field(f, b);
    if ((x <= y && x >= y) || is_listed(f->name, ignored)) continue;
    parl_text_appendf(out, "%s%s.%s = ", out->n > 0 ? ", " : "", section->name, f->name);
    append_value(f, a, out);
    parl_text_append(out, " (not ");
    append_value(f, b, out);
    parl_text_append(out, ")");
  }
}
