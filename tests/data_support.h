/* tests/data_support.h - sources from texts, in the words of an environment. */
#ifndef PARL_TESTS_DATA_SUPPORT_H
#define PARL_TESTS_DATA_SUPPORT_H
#include "core/file.h"
#include "core/workers.h"
#include "parl/data/source.h"
#include "tests/support.h"

typedef struct world {
  char folder[PARL_TEST_PATH_BYTES];
  parl_env *env;
  parl_workers *workers;
  parl_source_list list;
  parl_env_options options;
} world;

static inline void open_world(world *w, size_t n_workers) {
  *w = (world){0};
  parl_test_temp_folder(w->folder);
  assert_ok(parl_env_create("envs/wide_search.lua", NULL, &(parl_env_options){0}, &w->env));
  assert_ok(parl_workers_create(n_workers, &w->workers));
}

static inline void close_world(world *w) {
  parl_workers_destroy(w->workers);
  parl_env_destroy(w->env);
  parl_test_remove_folder(w->folder);
}

/* Adds a source of that script; sources are added by name. */
static inline parl_source_config *add_source(world *w, const char *name, const char *code) {
  parl_source_config *c = &w->list.items[w->list.n++];
  snprintf(c->name, sizeof c->name, "%s", name);
  parl_config_set_defaults(&parl_source_section, &c->of);
  parl_config_set_defaults(&parl_source_weight_section, &c->weight);
  parl_config_set_defaults(&parl_augment_section, &c->augment);
  char path[PARL_CONFIG_TEXT_BYTES];
  assert_ok(parl_file_join(path, sizeof path, w->folder, name));
  assert_ok(parl_file_write(path, code, strlen(code)));
  memcpy(c->of.file, path, sizeof path);
  return c;
}

/* max_tokens: of a document. */
static inline parl_status create_long_source(const world *w, const parl_source_config *config,
                                             size_t max_tokens, parl_source **out) {
  return parl_source_create(&(parl_source_def){.config = config,
                                               .env = w->env,
                                               .options = &w->options,
                                               .n_workers = 1,
                                               .max_tokens = max_tokens,
                                               .seed = 5,
                                               .held_out_seed = 6,
                                               .split_seed = 7},
                            out);
}

static inline parl_status create_source(const world *w, const parl_source_config *config,
                                        parl_source **out) {
  return create_long_source(w, config, 16, out);
}

#endif
