/* parl/data/source_list.h - the table `sources` of a recipe: where documents come from.
 *
 *   sources = {
 *     captions = {file = "captions.lua", weight = {start = 0.9}, params = {things_max = 3}},
 *     boxes = {file = "boxes.jsonl", augment = {crop = 0.7, flip_x = 0.5}},
 *     words = {file = "words.jsonl", weight = {shape = "table", table = "0:0.1 300:0.5"}},
 *   }
 * Thread rule: plain data. Reading order: the fields, parl_source_list, read, write. */
#ifndef PARL_PARL_DATA_SOURCE_LIST_H
#define PARL_PARL_DATA_SOURCE_LIST_H
#include "core/augment.h"
#include "core/config.h"
#include "parl/reward/schedule.h"

enum { PARL_MAX_SOURCES = 8, PARL_SOURCE_NAME_BYTES = 32, PARL_SOURCE_PARAMS_BYTES = 1024 };

#define PARL_SOURCE_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                   \
  TEXT(file, "", "a script that ends with parl.source{...}, or a .jsonl file of documents") \
  INT(documents, 0, 0, 1000000000, "documents",                                             \
      "of a script, that come again in every epoch, in another order; 0: each comes once")  \
  REAL(held_out, 0.1, 0.0, 0.9, "of the documents",                                         \
       "that are measured and never learnt, by their contents")
PARL_CONFIG_STRUCT(parl_source_fields, PARL_SOURCE_FIELDS);
extern const parl_section parl_source_section;

#define PARL_SOURCE_WEIGHT_FIELDS(INT, REAL, FLAG, TEXT, CHOICE) \
  PARL_SCHEDULE_FIELDS_FROM(constant, 1.0, INT, REAL, FLAG, TEXT, CHOICE)
/* Section of a source's weight: a schedule over the steps of pretraining. */
extern const parl_section parl_source_weight_section;

typedef struct parl_source_config {
  char name[PARL_SOURCE_NAME_BYTES];
  parl_source_fields of;
  parl_schedule_config weight;
  parl_augment_config augment;
  char params[PARL_SOURCE_PARAMS_BYTES]; /* JSON object, canonical; "": none given */
} parl_source_config;

typedef struct parl_source_list {
  size_t n;
  parl_source_config items[PARL_MAX_SOURCES]; /* [n] by name */
} parl_source_list;

/* Reads the object `sources`. partial: a source may lack its file, as in an override. Fails: EINVAL
 * naming the field, the value and what is due, or the nearest key; *out is untouched then. */
parl_status parl_source_list_read(const parl_json *object, bool partial, parl_source_list *out);
/* Writes what read reads back; without `file` where that is to be told by its content. */
void parl_source_list_write(const parl_source_list *list, bool has_files, parl_json_writer *w);
/* The weights can be evaluated at every step, without a metric, and one of them is above 0. Fails:
 * EINVAL naming the source or the step. */
parl_status parl_source_list_check(const parl_source_list *list, int64_t steps);

#endif
