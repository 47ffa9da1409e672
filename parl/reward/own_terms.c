/* parl/reward/own_terms.c - reading and writing the section `terms`. */
#include "parl/reward/own_terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/expression.h"
#include "parl/reward/terms.h"
#include "parl/swarm/facts.h"

#define SECTION_TYPE_ parl_schedule_config
PARL_CONFIG_SECTION(parl_weight_section, "terms.NAME.weight",
                    "weight over updates of a term of the recipe's own", PARL_SCHEDULE_FIELDS);

/* --- names --- */

/* What an expression or a schedule may name beside metrics (parl/reward/reward.h, schedule.h). */
static const char *const taken[] = {
#define X(name, unit, meaning) #name,
    PARL_FACT_LIST(X)
#undef X
        "group",
    "scores",
    "stages",
    "k",
    "K",
    "update",
    "t",
    "updates",
    "u"};

/* A name as an error shows it, whatever bytes it has; cut to fit. */
static void quote(const char *name, char out[2 * PARL_TERM_NAME_BYTES]) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_string(&w, name);
  const int most = 2 * PARL_TERM_NAME_BYTES - 8;
  snprintf(out, 2 * PARL_TERM_NAME_BYTES, "%.*s%s", most, parl_text_get(&text),
           text.n > (size_t)most ? "...\"" : "");
  parl_text_deinit(&text);
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_identifier(const char *name) {
  size_t n = 0;
  for (; name[n] != '\0'; n++)
    if (!is_letter(name[n]) && !(n > 0 && name[n] >= '0' && name[n] <= '9')) return false;
  return n > 0 && n < PARL_TERM_NAME_BYTES;
}

/* As a variable it is the number that it is set to: neither a word nor a global of the language. */
static parl_status check_language(const char *name) {
  parl_expression *e = NULL;
  const double one = 1;
  double value;
  PARL_TRY(parl_expression_create(name, &e));
  const parl_status s = parl_expression_eval(e, &name, &one, 1, &value);
  parl_expression_destroy(e);
  return s;
}

static parl_status check_name(const char *name) {
  char shown[2 * PARL_TERM_NAME_BYTES];
  quote(name, shown);
  if (!is_identifier(name))
    return parl_fail(PARL_STATUS_EINVAL,
                     "terms: %s is no name of a term: letters, digits and '_' are due, %d at most, "
                     "no digit first",
                     shown, PARL_TERM_NAME_BYTES - 1);
  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
    if (strcmp(taken[i], name) == 0)
      return parl_fail(
          PARL_STATUS_EINVAL,
          "terms: %s is no name of a term: expressions know a fact or a variable by it", shown);
  const parl_status s = check_language(name);
  if (s == PARL_STATUS_ESCRIPT)
    return parl_fail(PARL_STATUS_EINVAL,
                     "terms: %s is no name of a term: it is a word or a global of Lua", shown);
  return s;
}

/* --- reading --- */

static bool is_field(const char *key) {
  for (size_t i = 0; i < parl_term_section.n_fields; i++)
    if (strcmp(parl_term_section.fields[i].name, key) == 0) return true;
  return false;
}

static parl_status refuse_key(const char *term, const char *key, bool is_own) {
  const char *keys[32] = {"weight", "lua"};
  char shown[2 * PARL_TERM_NAME_BYTES];
  for (size_t i = 0; i < parl_term_section.n_fields; i++)
    keys[2 + i] = parl_term_section.fields[i].name;
  if (!is_own && strcmp(key, "lua") == 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "terms.%s.lua: r_%s is built in and has a formula, which reward.%s_lua may "
                     "replace if there is such a field; else give the expression another name",
                     term, term, term);
  const size_t n = is_own ? 2 + parl_term_section.n_fields : 1;
  const char *near = parl_nearest(key, keys, n);
  quote(key, shown);
  if (near != NULL)
    return parl_fail(PARL_STATUS_EINVAL, "terms.%s: unknown key %s; did you mean \"%s\"?", term,
                     shown, near);
  return parl_fail(PARL_STATUS_EINVAL, "terms.%s: unknown key %s; known are weight%s", term, shown,
                   is_own ? ", lua, kind and the fields of its kind" : "");
}

static parl_status read_weight(const char *term, const parl_section *section,
                               const parl_json *value, parl_schedule_config *out) {
  char path[PARL_LAMBDA_BYTES];
  snprintf(path, sizeof path, "terms.%s.weight", term);
  return parl_config_read(section, value, path, out);
}

static parl_status read_lua(const char *term, const parl_json *value, char *out) {
  const char *code = parl_json_get_string(value);
  if (code == NULL || code[0] == '\0')
    return parl_fail(PARL_STATUS_EINVAL, "terms.%s.lua: a Lua expression in quotes is due", term);
  if (strlen(code) >= PARL_TERM_LUA_BYTES)
    return parl_fail(PARL_STATUS_EINVAL, "terms.%s.lua has %zu bytes; at most %d", term,
                     strlen(code), PARL_TERM_LUA_BYTES - 1);
  memcpy(out, code, strlen(code) + 1);
  return PARL_STATUS_OK;
}

/* The members that are fields. */
static parl_status read_config(const char *term, const parl_json *object, parl_term_config *out) {
  char path[PARL_LAMBDA_BYTES];
  parl_json *copy = NULL;
  snprintf(path, sizeof path, "terms.%s", term);
  PARL_TRY(parl_json_copy(object, &copy));
  parl_json_remove(copy, "weight");
  parl_json_remove(copy, "lua");
  const parl_status s = parl_config_read(&parl_term_section, copy, path, out);
  parl_json_destroy(copy);
  return s;
}

/* `own` is NULL for a built-in term: it has no expression. */
static parl_status read_members(const char *term, const parl_json *object,
                                const parl_section *section, parl_schedule_config *weight,
                                parl_own_term *own) {
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c)) {
    const char *key = parl_json_get_key(c);
    if (strcmp(key, "weight") == 0)
      PARL_TRY(read_weight(term, section, c, weight));
    else if (own != NULL && strcmp(key, "lua") == 0)
      PARL_TRY(read_lua(term, c, own->lua));
    else if (own == NULL || !is_field(key))
      return refuse_key(term, key, own != NULL);
  }
  return own != NULL ? read_config(term, object, &own->config) : PARL_STATUS_OK;
}

static parl_status refuse_unread(const char *term, const char *field, int kind) {
  return parl_fail(PARL_STATUS_EINVAL, "terms.%s.%s is not read where terms.%s.kind = \"%s\"", term,
                   field, term, parl_term_kind_infos[kind].name);
}

/* What was given is what the kind reads. */
static parl_status check_members(const parl_json *object, const parl_own_term *own) {
  const int kind = own->config.kind;
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c)) {
    const char *key = parl_json_get_key(c);
    if (is_field(key) && !parl_term_kind_reads(kind, key))
      return refuse_unread(own->name, key, kind);
  }
  if (own->lua[0] != '\0' && !parl_term_kind_infos[kind].needs_lua)
    return refuse_unread(own->name, "lua", kind);
  return parl_fail_context(parl_term_config_check(&own->config), "terms.%s", own->name);
}

/* What has no expression is taken for another name, misspelt. */
static parl_status refuse_term(const parl_json *object, const char *name) {
  const char *names[PARL_N_TERMS + PARL_MAX_OWN_TERMS + 1];
  size_t n = 0;
  while (n < PARL_N_TERMS) {
    names[n] = parl_term_infos[n].name;
    n++;
  }
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c))
    if (strcmp(parl_json_get_key(c), name) != 0 && n < sizeof names / sizeof names[0])
      names[n++] = parl_json_get_key(c);
  const char *near = parl_nearest(name, names, n);
  return parl_fail(PARL_STATUS_EINVAL,
                   "terms.%s: there is no term of that name, and no `lua` or `kind` that makes one"
                   "%s%s%s",
                   name, near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
}

typedef struct reader {
  const parl_json *object;
  bool partial;
  parl_schedule_config *weights;
  parl_own_terms *own;
} reader;

static parl_status read_term(reader *r, const parl_json *node) {
  const char *name = parl_json_get_key(node);
  const parl_term built_in = parl_term_find(name);
  if (built_in == PARL_N_TERMS) PARL_TRY(check_name(name));
  if (parl_json_get_type(node) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "terms.%s is a %s; it must be a table", name,
                     parl_json_type_name(parl_json_get_type(node)));
  if (built_in < PARL_N_TERMS)
    return read_members(name, node, parl_term_infos[built_in].section, &r->weights[built_in], NULL);
  parl_own_term *own = &r->own->items[r->own->n++];
  snprintf(own->name, sizeof own->name, "%s", name);
  parl_config_set_defaults(&parl_weight_section, &own->weight);
  parl_config_set_defaults(&parl_term_section, &own->config);
  PARL_TRY(read_members(name, node, &parl_weight_section, &own->weight, own));
  if (r->partial) return parl_fail_context(parl_term_config_check(&own->config), "terms.%s", name);
  if (parl_term_kind_infos[own->config.kind].needs_lua && own->lua[0] == '\0')
    return own->config.kind == PARL_TERM_KIND_lua
               ? refuse_term(r->object, name)
               : parl_fail(PARL_STATUS_EINVAL,
                           "terms.%s.lua is missing: kind = \"%s\" needs an expression", name,
                           parl_term_kind_infos[own->config.kind].name);
  return check_members(node, own);
}

static int compare_terms(const void *a, const void *b) {
  return strcmp(((const parl_own_term *)a)->name, ((const parl_own_term *)b)->name);
}

static parl_status create(size_t n, parl_own_terms **out) {
  parl_own_terms *own = calloc(1, sizeof *own);
  if (own != NULL) own->items = calloc(n + 1, sizeof *own->items);
  if (own == NULL || own->items == NULL) {
    free(own);
    return parl_fail(PARL_STATUS_ENOMEM, "terms: no memory for %zu terms", n);
  }
  *out = own;
  return PARL_STATUS_OK;
}

parl_status parl_terms_read(const parl_json *object, bool partial, parl_schedule_config *weights,
                            parl_own_terms **own) {
  if (parl_json_get_type(object) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "terms is a %s; it must be a table",
                     parl_json_type_name(parl_json_get_type(object)));
  size_t n = 0;
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c))
    n += parl_term_find(parl_json_get_key(c)) == PARL_N_TERMS;
  if (n > PARL_MAX_OWN_TERMS)
    return parl_fail(PARL_STATUS_EINVAL, "terms: %zu terms of the recipe's own; at most %d", n,
                     PARL_MAX_OWN_TERMS);
  reader r = {.object = object, .partial = partial, .weights = weights};
  PARL_TRY(create(n, &r.own));
  parl_status s = PARL_STATUS_OK;
  for (const parl_json *c = parl_json_get_first(object); c != NULL && s == PARL_STATUS_OK;
       c = parl_json_get_next(c))
    s = read_term(&r, c);
  if (s == PARL_STATUS_OK && n > 0) {
    qsort(r.own->items, n, sizeof *r.own->items, compare_terms);
    *own = r.own;
    return PARL_STATUS_OK;
  }
  parl_own_terms_destroy(r.own);
  if (s == PARL_STATUS_OK) *own = NULL;
  return s;
}

parl_status parl_own_terms_copy(const parl_own_terms *own, parl_own_terms **out) {
  parl_own_terms *copy = NULL;
  if (own != NULL) {
    PARL_TRY(create(own->n, &copy));
    copy->n = own->n;
    memcpy(copy->items, own->items, own->n * sizeof *own->items);
  }
  *out = copy;
  return PARL_STATUS_OK;
}

void parl_own_terms_destroy(parl_own_terms *own) {
  if (own == NULL) return;
  free(own->items);
  free(own);
}

/* Members of an open object: what the kind reads. */
static void write_config(const parl_term_config *config, parl_json_writer *w) {
  const parl_section *all = &parl_term_section;
  for (size_t i = 0; config->kind != PARL_TERM_KIND_lua && i < all->n_fields; i++) {
    if (!parl_term_kind_reads(config->kind, all->fields[i].name)) continue;
    parl_json_key(w, all->fields[i].name);
    parl_config_write_field(&all->fields[i], config, w);
  }
}

void parl_own_terms_write(const parl_own_terms *own, parl_json_writer *w) {
  parl_json_begin_object(w);
  for (size_t i = 0; own != NULL && i < own->n; i++) {
    parl_json_key(w, own->items[i].name);
    parl_json_begin_object(w);
    write_config(&own->items[i].config, w);
    if (own->items[i].lua[0] != '\0') {
      parl_json_key(w, "lua");
      parl_json_string(w, own->items[i].lua);
    }
    parl_json_key(w, "weight");
    parl_config_write(&parl_weight_section, &own->items[i].weight, w);
    parl_json_end_object(w);
  }
  parl_json_end_object(w);
}
