/* tests/fuzz/fuzz_score.c - any line: refused with a text, or scored to a line that is JSON. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "parl/reward/score_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static parl_schedule_config weights[PARL_N_TERMS];
static parl_reward_config config;
static const double total_weights[PARL_N_TERMS] = {0.5, 0.25, 1, 0.125};
static parl_score_rules rules = {.config = &config, .weights = total_weights};
static parl_term_table *table;
static parl_reward *reward;
static parl_score_reader reader; /* one for all lines: nothing of a line may stay */

static void set_up(void) {
  if (reward != NULL) return;
  parl_config_set_defaults(&parl_reward_section, &config);
#define X(term, lambda, ...) \
  parl_config_set_defaults(&parl_##lambda##_section, &weights[PARL_TERM_##term]);
  PARL_TERM_LIST(X)
#undef X
  if (parl_term_table_create(weights, NULL, &table) != PARL_STATUS_OK) abort();
  if (parl_reward_create(&config, table, &reward) != PARL_STATUS_OK) abort();
  reader.rules = &rules;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  set_up();
  const parl_status s = parl_score_read(&reader, reward, (const char *)data, size);
  if (s != PARL_STATUS_OK) {
    if (s != PARL_STATUS_EFORMAT || parl_error_text()[0] == '\0') abort();
    return 0;
  }
  const parl_facts *f = &reader.facts;
  if (f->critical_steps > f->total_steps || f->duplicates > f->assigned) abort();
  parl_text out = {0};
  parl_json *root = NULL;
  parl_score_append(&reader, &out);
  if (parl_json_parse(parl_text_get(&out), out.n, "score", &root) != PARL_STATUS_OK &&
      memchr(reader.id, '\\', reader.id_bytes) == NULL && reader.id_bytes < 300)
    abort();
  parl_json_destroy(root);
  parl_text_deinit(&out);
  return 0;
}
