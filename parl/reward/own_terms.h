/* parl/reward/own_terms.h - the section `terms` of a recipe: weights of the built-in terms, and
 * terms of its own.
 *
 *   terms = {
 *     parallel = {weight = {shape = "constant", start = 0.2}},     -- the same as lambda1
 *     mine = {lua = "success / turns", weight = {start = 0.3}},    -- a term of the recipe's own
 *     brief = {kind = "length", of = "tokens", weight = {start = 0.1}},  -- one of a kind
 *   }
 * Thread rule: plain data. Reading order: parl_own_term, read, write. */
#ifndef PARL_PARL_REWARD_OWN_TERMS_H
#define PARL_PARL_REWARD_OWN_TERMS_H
#include "core/json.h"
#include "parl/reward/schedule.h"
#include "parl/reward/term_kinds.h"

enum { PARL_TERM_NAME_BYTES = 32, PARL_TERM_LUA_BYTES = 1024, PARL_MAX_OWN_TERMS = 252 };

/* A term of a recipe's own: a Lua expression of a rollout and its group (parl/reward/reward.h), or
 * another kind (parl/reward/term_kinds.h). */
typedef struct parl_own_term {
  char name[PARL_TERM_NAME_BYTES];
  char lua[PARL_TERM_LUA_BYTES]; /* expression; "": the kind has none, or it is not given */
  parl_term_config config;
  parl_schedule_config weight;
} parl_own_term;

typedef struct parl_own_terms {
  size_t n;
  parl_own_term *items; /* [n] by name */
} parl_own_terms;

/* Section of the weight of an own term: the fields of every weight. */
extern const parl_section parl_weight_section;

/* Reads the object `terms`. Weights of built-in terms go into weights [PARL_N_TERMS], over what is
 * there; *own, owned by the caller, gets the others, NULL if there are none. A name is a plain
 * identifier that means nothing else: no fact, no metric, no name of the language. A field that the
 * term's kind does not read is refused. partial: an own term may lack its kind and its expression,
 * as in an override. Fails: EINVAL naming the field, the value and
 * what is due, or the nearest key; ENOMEM. *own is untouched then. */
parl_status parl_terms_read(const parl_json *object, bool partial, parl_schedule_config *weights,
                            parl_own_terms **own);
/* Deep; own may be NULL, *out is NULL then. Fails: ENOMEM. */
parl_status parl_own_terms_copy(const parl_own_terms *own, parl_own_terms **out);
/* NULL-safe. */
void parl_own_terms_destroy(parl_own_terms *own);
/* Writes what parl_terms_read reads back, without the built-in ones: of each the fields that its
 * kind reads; an expression alone has no `kind`. */
void parl_own_terms_write(const parl_own_terms *own, parl_json_writer *w);

#endif
