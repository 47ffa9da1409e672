/* parl/data/source_list.c - reading and writing the table `sources`. */
#include "parl/data/source_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION_TYPE_ parl_source_fields
PARL_CONFIG_SECTION(parl_source_section, "sources.NAME", "documents to learn from",
                    PARL_SOURCE_FIELDS);
#undef SECTION_TYPE_
#define SECTION_TYPE_ parl_schedule_config
PARL_CONFIG_SECTION(parl_source_weight_section, "sources.NAME.weight",
                    "share of a step's tokens, over the steps of pretraining",
                    PARL_SOURCE_WEIGHT_FIELDS);
#undef SECTION_TYPE_

static parl_status check_name(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  const size_t n = strspn(name, letters);
  if (n >= 1 && n < PARL_SOURCE_NAME_BYTES && name[n] == '\0') return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "sources: \"%.64s\" is no name of a source: 1 to %d letters, digits and '_'",
                   name, PARL_SOURCE_NAME_BYTES - 1);
}

static parl_status read_params(const char *path, const parl_json *params, char *out) {
  parl_text text = {0};
  if (parl_json_get_type(params) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s.params is a %s; it must be a table", path,
                     parl_json_type_name(parl_json_get_type(params)));
  parl_json_append_canonical(params, &text);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK && text.n >= PARL_SOURCE_PARAMS_BYTES)
    s = parl_fail(PARL_STATUS_EINVAL, "%s.params has %zu bytes; at most %d", path, text.n,
                  PARL_SOURCE_PARAMS_BYTES - 1);
  if (s == PARL_STATUS_OK) memcpy(out, parl_text_get(&text), text.n + 1);
  parl_text_deinit(&text);
  return s;
}

/* The members that are fields. */
static parl_status read_fields(const char *path, const parl_json *node, parl_source_fields *out) {
  parl_json *copy = NULL;
  PARL_TRY(parl_json_copy(node, &copy));
  parl_json_remove(copy, "weight");
  parl_json_remove(copy, "params");
  parl_json_remove(copy, "augment");
  const parl_status s = parl_config_read(&parl_source_section, copy, path, out);
  parl_json_destroy(copy);
  return s;
}

static parl_status read_source(const parl_json *node, bool partial, parl_source_config *out) {
  char path[PARL_SOURCE_NAME_BYTES + 32], weight[PARL_SOURCE_NAME_BYTES + 48];
  char augment[PARL_SOURCE_NAME_BYTES + 48];
  const char *name = parl_json_get_key(node);
  PARL_TRY(check_name(name));
  snprintf(path, sizeof path, "sources.%.31s", name);
  snprintf(weight, sizeof weight, "%s.weight", path);
  snprintf(augment, sizeof augment, "%s.augment", path);
  if (parl_json_get_type(node) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s is a %s; it must be a table", path,
                     parl_json_type_name(parl_json_get_type(node)));
  snprintf(out->name, sizeof out->name, "%.31s", name);
  out->params[0] = '\0';
  parl_config_set_defaults(&parl_source_section, &out->of);
  parl_config_set_defaults(&parl_source_weight_section, &out->weight);
  parl_config_set_defaults(&parl_augment_section, &out->augment);
  PARL_TRY(read_fields(path, node, &out->of));
  const parl_json *params = parl_json_find(node, "params");
  const parl_json *w = parl_json_find(node, "weight"), *a = parl_json_find(node, "augment");
  if (params != NULL) PARL_TRY(read_params(path, params, out->params));
  if (a != NULL) PARL_TRY(parl_config_read(&parl_augment_section, a, augment, &out->augment));
  if (w != NULL) PARL_TRY(parl_config_read(&parl_source_weight_section, w, weight, &out->weight));
  if (!partial && out->of.file[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "%s.file is missing: name a script or a .jsonl file",
                     path);
  return PARL_STATUS_OK;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(((const parl_source_config *)a)->name, ((const parl_source_config *)b)->name);
}

parl_status parl_source_list_read(const parl_json *object, bool partial, parl_source_list *out) {
  parl_source_list list = {0};
  if (parl_json_get_type(object) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "sources is a %s; it must be a table",
                     parl_json_type_name(parl_json_get_type(object)));
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c)) {
    if (list.n == PARL_MAX_SOURCES)
      return parl_fail(PARL_STATUS_EINVAL, "sources: %zu sources; at most %d",
                       parl_json_get_size(object), (int)PARL_MAX_SOURCES);
    PARL_TRY(read_source(c, partial, &list.items[list.n++]));
  }
  qsort(list.items, list.n, sizeof list.items[0], compare_names);
  *out = list;
  return PARL_STATUS_OK;
}

static void write_source(const parl_source_config *source, bool has_file, parl_json_writer *w) {
  parl_json_begin_object(w);
  for (size_t i = 0; i < parl_source_section.n_fields; i++) {
    const parl_field *field = &parl_source_section.fields[i];
    if (!has_file && strcmp(field->name, "file") == 0) continue;
    parl_json_key(w, field->name);
    parl_config_write_field(field, &source->of, w);
  }
  if (parl_augment_is_on(&source->augment)) {
    parl_json_key(w, "augment");
    parl_config_write(&parl_augment_section, &source->augment, w);
  }
  if (source->params[0] != '\0') {
    parl_json_key(w, "params");
    parl_json_raw(w, source->params);
  }
  parl_json_key(w, "weight");
  parl_config_write(&parl_source_weight_section, &source->weight, w);
  parl_json_end_object(w);
}

void parl_source_list_write(const parl_source_list *list, bool has_files, parl_json_writer *w) {
  parl_json_begin_object(w);
  for (size_t i = 0; i < list->n; i++) {
    parl_json_key(w, list->items[i].name);
    write_source(&list->items[i], has_files, w);
  }
  parl_json_end_object(w);
}

/* Marks the steps at which a source gives something. */
static parl_status mark_steps(const parl_source_config *source, int64_t steps, uint8_t *any) {
  parl_schedule *schedule = NULL;
  double weight = 0;
  PARL_TRY(parl_schedule_check(&source->weight, steps, NULL, 0));
  PARL_TRY(parl_schedule_create(&source->weight, steps, &schedule));
  parl_status s = PARL_STATUS_OK;
  for (int64_t t = 0; s == PARL_STATUS_OK && t < steps; t++) {
    s = parl_schedule_next(schedule, t, NULL, &weight);
    any[t] |= weight > 0;
  }
  parl_schedule_destroy(schedule);
  return s;
}

parl_status parl_source_list_check(const parl_source_list *list, int64_t steps) {
  uint8_t *any = calloc((size_t)steps + 1, 1);
  if (any == NULL) return parl_fail(PARL_STATUS_ENOMEM, "sources: no memory");
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < list->n; i++)
    s = parl_fail_context(mark_steps(&list->items[i], steps, any), "sources.%s.weight",
                          list->items[i].name);
  int64_t t = 0;
  while (t < steps && any[t]) t++;
  free(any);
  if (s != PARL_STATUS_OK || t == steps) return s;
  return parl_fail(PARL_STATUS_EINVAL,
                   "sources: at step %lld of pretrain.steps = %lld every weight is 0, so there is "
                   "nothing to learn from",
                   (long long)t, (long long)steps);
}
