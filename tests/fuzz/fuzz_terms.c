/* tests/fuzz/fuzz_terms.c - any section `terms` of a recipe: refused, with nothing handed out, or
 * terms that are in order, written back as they are, and tried as before a training. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parl/reward/reward.h"

enum { MOST_TRIED = 4, K = 3 }; /* an expression may take its 0.1 s for each of K rollouts */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const parl_own_terms *own, bool partial) {
  if (own->n == 0 || own->n > PARL_MAX_OWN_TERMS) abort();
  for (size_t i = 0; i < own->n; i++) {
    const parl_own_term *t = &own->items[i];
    const size_t n = strnlen(t->name, sizeof t->name);
    if (n == 0 || n == sizeof t->name) abort();
    if (strspn(t->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != n)
      abort();
    if (parl_term_find(t->name) != PARL_N_TERMS) abort();
    if (i > 0 && strcmp(own->items[i - 1].name, t->name) >= 0) abort();
    if (strnlen(t->lua, sizeof t->lua) == sizeof t->lua || (t->lua[0] == '\0' && !partial)) abort();
  }
}

static parl_status read_text(const parl_text *text, parl_schedule_config *weights,
                             parl_own_terms **own) {
  parl_json *object = NULL;
  if (parl_json_parse(parl_text_get(text), text->n, "written", &object) != PARL_STATUS_OK) abort();
  const parl_status s = parl_terms_read(object, false, weights, own);
  parl_json_destroy(object);
  return s;
}

static void write_terms(const parl_own_terms *own, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_own_terms_write(own, &w);
  if (parl_text_status(out) != PARL_STATUS_OK) abort();
}

/* What is written is read back as it was; a copy is the same. */
static void check_written(const parl_own_terms *own, const parl_schedule_config *weights) {
  parl_schedule_config other[PARL_N_TERMS];
  parl_own_terms *again = NULL, *copy = NULL;
  parl_text first = {0}, second = {0}, third = {0};
  memcpy(other, weights, sizeof other);
  write_terms(own, &first);
  if (read_text(&first, other, &again) != PARL_STATUS_OK || again == NULL) abort();
  if (memcmp(other, weights, sizeof other) != 0) abort(); /* none of its own is built in */
  if (parl_own_terms_copy(own, &copy) != PARL_STATUS_OK) abort();
  write_terms(again, &second);
  write_terms(copy, &third);
  if (strcmp(parl_text_get(&first), parl_text_get(&second)) != 0) abort();
  if (strcmp(parl_text_get(&first), parl_text_get(&third)) != 0) abort();
  parl_own_terms_destroy(copy);
  parl_own_terms_destroy(again);
  parl_text_deinit(&third);
  parl_text_deinit(&second);
  parl_text_deinit(&first);
}

/* An expression fails as a script, by its limits or not at all. */
static void try_terms(const parl_schedule_config *weights, const parl_own_terms *own) {
  parl_reward_config config;
  parl_term_table *table = NULL;
  parl_config_set_defaults(&parl_reward_section, &config);
  if (parl_term_table_create(weights, own, &table) != PARL_STATUS_OK) abort();
  const parl_status s = parl_reward_check(&config, table, K);
  if (s != PARL_STATUS_OK && s != PARL_STATUS_ESCRIPT && s != PARL_STATUS_ELIMIT) abort();
  parl_term_table_destroy(table);
}

static void check_object(const parl_json *object, bool partial) {
  parl_schedule_config weights[PARL_N_TERMS];
  parl_own_terms none = {0}, *own = &none;
  for (int i = 0; i < PARL_N_TERMS; i++)
    parl_config_set_defaults(parl_term_infos[i].section, &weights[i]);
  const parl_status s = parl_terms_read(object, partial, weights, &own);
  if (s != PARL_STATUS_OK) {
    if (s != PARL_STATUS_EINVAL || own != &none || parl_error_text()[0] == '\0') abort();
    return;
  }
  if (own == NULL) return;
  check_names(own, partial);
  if (!partial) {
    check_written(own, weights);
    if (own->n <= MOST_TRIED) try_terms(weights, own);
  }
  parl_own_terms_destroy(own);
}

/* The input as the section of a recipe, and of an override; then as one term's name and code. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  parl_json *object = NULL;
  if (parl_json_parse((const char *)data, size, "fuzz", &object) == PARL_STATUS_OK) {
    check_object(object, false);
    check_object(object, true);
  }
  parl_json_destroy(object);
  object = NULL;
  char line[512] = "", path[64] = "";
  memcpy(line, data, size < sizeof line ? size : sizeof line - 1);
  const char *code = strchr(line, '=');
  const size_t n = code != NULL ? (size_t)(code - line) : sizeof path;
  if (n >= sizeof path) return 0;
  memcpy(path, line, n);
  if (parl_json_create_object(&object) != PARL_STATUS_OK) abort();
  if (parl_json_set_path(object, path, code + 1) == PARL_STATUS_OK) check_object(object, false);
  parl_json_destroy(object);
  return 0;
}
