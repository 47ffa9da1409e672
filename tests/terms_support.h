/* tests/terms_support.h - tables of terms for tests of rewards. */
#ifndef PARL_TESTS_TERMS_SUPPORT_H
#define PARL_TESTS_TERMS_SUPPORT_H
#include <string.h>

#include "core/json.h"
#include "parl/reward/reward.h"
#include "tests/support.h"

/* The built-in terms of an episode, or their weights. */
typedef struct parl_test_terms {
  double of[PARL_N_TERMS];
} parl_test_terms;

/* A table with what it borrows. */
typedef struct parl_test_table {
  parl_schedule_config weights[PARL_N_TERMS];
  parl_own_terms *own;
  parl_term_table *table;
} parl_test_table;

static inline void parl_test_table_init(parl_test_table *t) {
  *t = (parl_test_table){0};
  for (int i = 0; i < PARL_N_TERMS; i++)
    parl_config_set_defaults(parl_term_infos[i].section, &t->weights[i]);
}

/* The built-in terms with their default weights; valid until the program ends. */
static inline const parl_term_table *parl_test_built_in(void) {
  static parl_test_table t;
  if (t.table == NULL) {
    parl_test_table_init(&t);
    assert_ok(parl_term_table_create(t.weights, NULL, &t.table));
  }
  return t.table;
}

/* Reads the section `terms`. */
static inline parl_status parl_test_read_terms(const char *text, parl_test_table *t) {
  parl_json *json = NULL;
  parl_test_table_init(t);
  assert_ok(parl_json_parse(text, strlen(text), "test", &json));
  const parl_status s = parl_terms_read(json, false, t->weights, &t->own);
  parl_json_destroy(json);
  PARL_TRY(s);
  return parl_term_table_create(t->weights, t->own, &t->table);
}

static inline void parl_test_table_deinit(parl_test_table *t) {
  parl_term_table_destroy(t->table);
  parl_own_terms_destroy(t->own);
}

/* A reward of the section `terms` beside defaults. */
typedef struct parl_test_reward {
  parl_test_table t;
  parl_reward *reward;
} parl_test_reward;

static inline void parl_test_reward_init(const char *terms, parl_test_reward *r) {
  parl_reward_config config;
  parl_config_set_defaults(&parl_reward_section, &config);
  assert_ok(parl_test_read_terms(terms, &r->t));
  assert_ok(parl_reward_create(&config, r->t.table, &r->reward));
}

static inline void parl_test_reward_deinit(parl_test_reward *r) {
  parl_reward_destroy(r->reward);
  parl_test_table_deinit(&r->t);
}

/* Terms of an episode that is a group of its own, out [n of the reward's table]. */
static inline parl_status parl_test_get_terms(parl_reward *reward, const parl_facts *f,
                                              double *out) {
  const parl_outcome outcome = {.facts = f};
  return parl_reward_group(reward, &(parl_group){.of = &outcome, .K = 1}, out);
}

#endif
