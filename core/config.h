/* core/config.h - configuration as tables: struct, defaults, checks, help and docs from one list.
 *
 * A section is written once as an X-macro:
 *
 *   #define PARL_TRAIN_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                   \
 *     INT(updates, 150, 0, 1000000, "updates", "optimizer steps of the orchestrator")          \
 *     REAL(lr, 1e-3, 0.0, 1.0, "1", "AdamW's learning rate")                                   \
 *     CHOICE(shape, linear, "constant|linear|cosine", "form of the schedule")
 *   PARL_CONFIG_STRUCT(parl_train_config, PARL_TRAIN_FIELDS);  // in the header
 *   extern const parl_section parl_train_section;
 *
 *   #define SECTION_TYPE_ parl_train_config  // in one .c
 *   PARL_CONFIG_SECTION(parl_train_section, "train", "the optimizer", PARL_TRAIN_FIELDS);
 *   #undef SECTION_TYPE_
 *
 * A field called "a.b" is member b of the member a, an object: a group of INT, REAL and FLAG fields
 * of one struct inside the section's. A group that is at its defaults is not written.
 * Structs are plain data: copyable, no pointers. Thread rule: pure functions.
 * Reading order: parl_field, parl_section, set_defaults, read, write, the macros. */
#ifndef PARL_CORE_CONFIG_H
#define PARL_CORE_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/json.h"
#include "core/status.h"
#include "core/text.h"

enum { PARL_CONFIG_TEXT_BYTES = 256 };

typedef enum parl_field_type {
  PARL_FIELD_INT,
  PARL_FIELD_REAL,
  PARL_FIELD_FLAG,
  PARL_FIELD_TEXT,
  PARL_FIELD_CHOICE
} parl_field_type;

typedef struct parl_field {
  const char *name;
  parl_field_type type;
  size_t offset;            /* bytes into the struct */
  double preset, low, high; /* default and closed range, INT and REAL; preset 0/1 for FLAG */
  const char *preset_text;  /* default of TEXT and CHOICE */
  const char *choices;      /* CHOICE: "a|b|c"; the stored int is the place in this list */
  const char *unit;
  const char *doc;
} parl_field;

typedef struct parl_section {
  const char *name; /* key in the recipe */
  const char *doc;
  const parl_field *fields;
  size_t n_fields;
  size_t bytes; /* sizeof of the struct */
} parl_section;

/* Fills `config`, a struct of section->bytes bytes, with the section's defaults. */
void parl_config_set_defaults(const parl_section *section, void *config);

/* Reads the members of a JSON object into `config`, over what is there. `path` names the object in
 * errors ("train"). INT takes whole numbers up to 2^53; NaN and infinities are refused everywhere.
 * Fails: EINVAL naming the field, the value and the valid range, or the nearest known key; `config`
 * is untouched then. */
parl_status parl_config_read(const parl_section *section, const parl_json *object, const char *path,
                             void *config);

/* Writes every field as an object, in table order, groups as objects in it. What it wrote,
 * parl_config_read over the defaults reads back. */
void parl_config_write(const parl_section *section, const void *config, parl_json_writer *w);

/* Writes the value of one field, where a writer expects a value. */
void parl_config_write_field(const parl_field *field, const void *config, parl_json_writer *w);

/* Copies the name of a CHOICE field's value into out [n bytes]: "?" if the value is out of range or
 * the section has no such field; cut to fit. */
void parl_config_choice_name(const parl_section *section, const char *field, int value, char *out,
                             size_t n);

/* Help and docs: one line a field ("name  type  default  [range]  unit  doc"); markdown makes a
 * table. */
void parl_config_append_help(const parl_section *section, bool markdown, parl_text *out);

/* The candidate nearest to `word` by edit distance (an exchange of neighbours counts one),
 * borrowed, if it is near enough to suggest: a third of the word's letters, at least one; else
 * NULL. Source: optimal string alignment, Damerau 1964. */
const char *parl_nearest(const char *word, const char *const *candidates, size_t n);

#define PARL_CONFIG_INT_(name, preset, low, high, unit, doc) int64_t name;
#define PARL_CONFIG_REAL_(name, preset, low, high, unit, doc) double name;
#define PARL_CONFIG_FLAG_(name, preset, doc) bool name;
#define PARL_CONFIG_TEXT_(name, preset, doc) char name[PARL_CONFIG_TEXT_BYTES];
#define PARL_CONFIG_CHOICE_(name, preset, choices, doc) int name;
#define PARL_CONFIG_STRUCT(type, LIST)                                              \
  typedef struct type {                                                             \
    LIST(PARL_CONFIG_INT_, PARL_CONFIG_REAL_, PARL_CONFIG_FLAG_, PARL_CONFIG_TEXT_, \
         PARL_CONFIG_CHOICE_)                                                       \
  } type

#define PARL_ROW_(n, type, preset, low, high, text, choices, unit, doc) \
  {#n, type, offsetof(SECTION_TYPE_, n), preset, low, high, text, choices, unit, doc},
#define PARL_ROW_INT_(n, preset, low, high, unit, doc)                                            \
  PARL_ROW_(n, PARL_FIELD_INT, (double)(preset), (double)(low), (double)(high), NULL, NULL, unit, \
            doc)
#define PARL_ROW_REAL_(n, preset, low, high, unit, doc) \
  PARL_ROW_(n, PARL_FIELD_REAL, preset, low, high, NULL, NULL, unit, doc)
#define PARL_ROW_FLAG_(n, preset, doc) \
  PARL_ROW_(n, PARL_FIELD_FLAG, preset, 0.0, 1.0, NULL, NULL, "", doc)
#define PARL_ROW_TEXT_(n, preset, doc) \
  PARL_ROW_(n, PARL_FIELD_TEXT, 0.0, 0.0, 0.0, preset, NULL, "", doc)
#define PARL_ROW_CHOICE_(n, preset, choices, doc) \
  PARL_ROW_(n, PARL_FIELD_CHOICE, 0.0, 0.0, 0.0, #preset, choices, "", doc)
/* Before use: #define SECTION_TYPE_ <struct>; after: #undef. */
#define PARL_CONFIG_SECTION(variable, key, doc_, LIST) \
  PARL_CONFIG_SECTION_OF(                              \
      variable, key, doc_,                             \
      LIST(PARL_ROW_INT_, PARL_ROW_REAL_, PARL_ROW_FLAG_, PARL_ROW_TEXT_, PARL_ROW_CHOICE_))
/* The same of rows that are made already. */
#define PARL_CONFIG_SECTION_OF(variable, key, doc_, ...)                                 \
  static const parl_field variable##_fields[] = {__VA_ARGS__};                           \
  const parl_section variable = {key, doc_, variable##_fields,                           \
                                 sizeof variable##_fields / sizeof variable##_fields[0], \
                                 sizeof(SECTION_TYPE_)}

#endif
