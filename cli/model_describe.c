/* cli/model_describe.c - parl model describe: what a config costs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/model.h"
#include "core/file.h"
#include "core/json.h"
#include "engine/hf_config.h"
#include "engine/shape.h"
#include "lua/env.h"
#include "parl/recipe.h"

enum { PATH_BYTES = 4096, CONTEXT = 4096 };

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), n_end = strlen(end);
  return n > n_end && strcmp(text + n - n_end, end) == 0;
}

/* The first arm's model; the vocabulary is the environment's. */
static parl_status read_recipe(const char *path, parl_hf_config *out) {
  parl_recipe *recipe = NULL;
  parl_env *env = NULL;
  PARL_TRY(parl_recipe_load(path, NULL, 0, cli_get_datadir(), &recipe));
  const parl_status s =
      parl_env_create(parl_recipe_get_env_path(recipe), parl_recipe_get_env_params(recipe),
                      &(parl_env_options){0}, &env);
  if (s == PARL_STATUS_OK)
    *out = (parl_hf_config){.model = parl_recipe_get_arm(recipe, 0)->model,
                            .vocab_size = (size_t)parl_env_get_spec(env)->n_tokens};
  parl_env_destroy(env);
  parl_recipe_destroy(recipe);
  return s;
}

static parl_status find_config(const char *what, parl_hf_config *out) {
  char path[PATH_BYTES];
  if (strcmp(what, "k25") == 0) {
    *out = parl_hf_config_k25();
    return PARL_STATUS_OK;
  }
  if (ends_with(what, ".lua") || ends_with(what, ".json")) return read_recipe(what, out);
  PARL_TRY(parl_file_join(path, sizeof path, what, "config.json"));
  return parl_hf_config_read(path, out);
}

static void print_amount(const char *name, double x, const char *unit) {
  static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t i = 0;
  double scaled = x;
  for (; scaled >= 999.5 && i + 1 < sizeof prefixes / sizeof prefixes[0]; i++) scaled /= 1000.0;
  printf("%-34s %22.0f  %6.4g %s%s\n", name, x, scaled, prefixes[i], unit);
}

static void print_shape(const parl_hf_config *c, const parl_shape *s, double context) {
  print_amount("parameters", s->n_params, "");
  print_amount("parameters that a token passes", s->n_active, "");
  print_amount("vocabulary", (double)c->vocab_size, "tokens");
  printf("at a mean context of %.0f tokens:\n", context);
  print_amount("  forward, a token", parl_shape_forward_flops(&c->model, c->vocab_size, context),
               "FLOP");
  print_amount("  forward and backward, a token",
               parl_shape_train_flops(&c->model, c->vocab_size, context), "FLOP");
  print_amount("cache, a token", s->cache_bytes, "B");
  print_amount("cache, a full context", s->cache_bytes * (double)c->model.max_context, "B");
  print_amount("weights, f32", s->weight_bytes, "B");
  print_amount("weights, gradient, moments, f32", s->training_bytes, "B");
}

static parl_status write_shape(const parl_hf_config *c, const parl_shape *s, double context) {
  const double full = s->cache_bytes * (double)c->model.max_context;
  const struct {
    const char *key;
    double value;
  } rows[] = {
      {"parameters", s->n_params},
      {"active_parameters", s->n_active},
      {"vocabulary", (double)c->vocab_size},
      {"mean_context", context},
      {"forward_flops_per_token", parl_shape_forward_flops(&c->model, c->vocab_size, context)},
      {"train_flops_per_token", parl_shape_train_flops(&c->model, c->vocab_size, context)},
      {"cache_bytes_per_token", s->cache_bytes},
      {"cache_bytes_full_context", full},
      {"weight_bytes", s->weight_bytes},
      {"training_bytes", s->training_bytes}};
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    parl_json_key(&w, rows[i].key);
    parl_json_number(&w, rows[i].value);
  }
  parl_json_key(&w, "model");
  parl_config_write(&parl_model_section, &c->model, &w);
  parl_json_end_object(&w);
  puts(parl_text_get(&text));
  const parl_status status = parl_text_status(&text);
  parl_text_deinit(&text);
  return status;
}

int model_describe(const cli_args *args) {
  parl_hf_config c;
  parl_shape shape;
  parl_status s = find_config(args->operands[1], &c);
  if (s == PARL_STATUS_OK) s = parl_shape_count(&c.model, c.vocab_size, &shape);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  const double context = fmin(CONTEXT, (double)c.model.max_context);
  if (!args->json)
    print_shape(&c, &shape, context);
  else
    s = write_shape(&c, &shape, context);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
