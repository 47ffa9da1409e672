/* tests/rollout_support.h - a recipe, a model and a rollout on tests/envs/count.lua, for tests
 * of parl/. */
#ifndef PARL_TESTS_ROLLOUT_SUPPORT_H
#define PARL_TESTS_ROLLOUT_SUPPORT_H
#include "core/seeds.h"
#include "core/workers.h"
#include "parl/run/recipe.h"
#include "parl/swarm/rollout.h"
#include "tests/support.h"

#define COUNT_ENV "tests/envs/count.lua"

static inline parl_run_config count_config(void) {
  parl_run_config c = {0};
  size_t n;
  const parl_recipe_section *s = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++) parl_config_set_defaults(s[i].section, (char *)&c + s[i].offset);
  c.model.n_layers = 2;
  c.model.d_model = 16;
  c.model.n_heads = 2;
  c.model.n_kv_heads = 1;
  c.model.head_dim = 8;
  c.model.d_ff = 24;
  c.model.max_context = 128;
  c.model.init_std = 0.3;
  c.episode.budget_factor = 0;
  return c;
}

/* A model for the vocabulary of an environment, with random weights. */
static inline parl_model *count_model(const parl_run_config *c, int n_tokens, const char *backend,
                                      uint64_t seed) {
  const parl_backend *b;
  parl_model *m = NULL;
  assert_ok(parl_backend_find(backend, &b));
  assert_ok(parl_model_create(&c->model, (size_t)n_tokens, b, NULL, &m));
  parl_model_init_weights(m, seed);
  return m;
}

/* Seats of a scripted orchestrator; style NULL: the rollout's own. */
static inline const parl_seats *script_seats(const char *style) {
  enum { MOST = 64, NAME_BYTES = 64 };
  static parl_seats seats[MOST];
  static char names[MOST][NAME_BYTES]; /* a caller's may go with its environment */
  size_t i = 0;
  if (style == NULL) return NULL;
  while (names[i][0] != '\0' && strcmp(names[i], style) != 0) i++;
  assert_true(i + 1 < MOST && strlen(style) < NAME_BYTES);
  strcpy(names[i], style);
  seats[i].main = parl_player_of_script(names[i], 1);
  return &seats[i];
}

static inline int count_n_tokens(void) {
  parl_env *env = NULL;
  assert_ok(parl_env_create(COUNT_ENV, NULL, &(parl_env_options){0}, &env));
  const int n = parl_env_get_spec(env)->n_tokens;
  parl_env_destroy(env);
  return n;
}

static inline parl_json *count_params(const char *text) {
  parl_json *params = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "params", &params));
  return params;
}

/* A rollout on count.lua under way; the caller makes its trajectories. */
typedef struct count_fixture {
  parl_run_config config;
  parl_workers *workers;
  parl_trajectories *set;
  parl_rollout *rollout;
} count_fixture;

static inline void count_open(count_fixture *f, const char *params, parl_seats seats,
                              size_t threads, size_t slots) {
  parl_json *json = params != NULL ? count_params(params) : NULL;
  assert_ok(parl_workers_create(threads, &f->workers));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = COUNT_ENV,
                                                    .env_params = json,
                                                    .config = parl_run_config_get_swarm(&f->config),
                                                    .seats = seats,
                                                    .n_slots = slots,
                                                    .workers = f->workers},
                                &f->rollout));
  parl_json_destroy(json);
}

static inline void count_close(count_fixture *f) {
  parl_rollout_destroy(f->rollout);
  parl_trajectories_destroy(f->set);
  parl_workers_destroy(f->workers);
}

#endif
