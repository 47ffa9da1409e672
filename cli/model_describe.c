/* cli/model_describe.c - parl model describe: what a config costs, on one device or many. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "core/file.h"
#include "core/json.h"
#include "engine/flops.h"
#include "engine/hf_config.h"
#include "engine/layout.h"
#include "lua/env.h"
#include "parl/run/recipe.h"

enum { PATH_BYTES = CLI_PATH_BYTES, CONTEXT = 4096, IMAGE_PATCHES = 1024 };

/* The first arm's model; the vocabulary is the environment's. */
static parl_status read_recipe(const char *name, parl_hf_config *out) {
  char path[PATH_BYTES];
  parl_recipe *recipe = NULL;
  parl_env *env = NULL;
  PARL_TRY(parl_fail_context(cli_find_recipe(name, path), "no folder of a model"));
  PARL_TRY(parl_recipe_load(path, NULL, 0, cli_get_datadir(), &recipe));
  const parl_status s = parl_recipe_open_env(recipe, 0, NULL, &env);
  if (s == PARL_STATUS_OK)
    *out = (parl_hf_config){.model = parl_recipe_get_arm(recipe, 0)->model,
                            .vocab_size = (size_t)parl_env_get_spec(env)->n_tokens,
                            .pad_token = -1};
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
  if (!parl_file_is_folder(what)) return read_recipe(what, out);
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

/* On one device, in f32, as the engine keeps them. */
static double count_activations(const parl_hf_config *c) {
  parl_layout one;
  parl_config_set_defaults(&parl_layout_section, &one);
  one.dtype = PARL_LAYOUT_F32;
  one.tokens = 1;
  return parl_layout_count(&one, &c->model, c->vocab_size, 0).activation_bytes;
}

static void print_shape(const parl_hf_config *c, const parl_shape *s, double context) {
  const double full = (double)c->model.max_context;
  print_amount("parameters", s->n_params, "");
  print_amount("parameters that a token passes", s->n_active, "");
  if (s->n_tower > 0.0) {
    print_amount("parameters of the vision tower", s->n_tower, "");
    print_amount("parameters of its projector", s->n_projector, "");
    print_amount("forward, a patch of 1024",
                 parl_shape_patch_flops(&c->model, c->vocab_size, IMAGE_PATCHES), "FLOP");
  }
  print_amount("vocabulary", (double)c->vocab_size, "tokens");
  printf("at a mean context of %.0f tokens:\n", context);
  print_amount("  forward, a token", parl_shape_forward_flops(&c->model, c->vocab_size, context),
               "FLOP");
  print_amount("  forward and backward, a token",
               parl_shape_train_flops(&c->model, c->vocab_size, context), "FLOP");
  print_amount("cache, a token, f32", s->cache_bytes, "B");
  print_amount("cache, a full context, f32", s->cache_bytes * full, "B");
  print_amount("cache, a token, bf16", s->cache_bytes / 2, "B");
  print_amount("cache, a full context, bf16", s->cache_bytes / 2 * full, "B");
  print_amount("weights, f32", s->weight_bytes, "B");
  print_amount("weights, gradient, moments, f32", s->training_bytes, "B");
  print_amount("activations to train, a token", count_activations(c), "B");
}

static void write_number(parl_json_writer *w, const char *key, double x) {
  parl_json_key(w, key);
  parl_json_number(w, x);
}

static void write_shape(const parl_hf_config *c, const parl_shape *s, double context,
                        parl_json_writer *w) {
  const double forward = parl_shape_forward_flops(&c->model, c->vocab_size, context);
  const double train = parl_shape_train_flops(&c->model, c->vocab_size, context);
  const double full = (double)c->model.max_context;
  write_number(w, "parameters", s->n_params);
  write_number(w, "active_parameters", s->n_active);
  if (s->n_tower > 0.0) {
    write_number(w, "tower_parameters", s->n_tower);
    write_number(w, "projector_parameters", s->n_projector);
    write_number(w, "forward_flops_per_patch",
                 parl_shape_patch_flops(&c->model, c->vocab_size, IMAGE_PATCHES));
  }
  write_number(w, "vocabulary", (double)c->vocab_size);
  write_number(w, "mean_context", context);
  write_number(w, "forward_flops_per_token", forward);
  write_number(w, "train_flops_per_token", train);
  write_number(w, "cache_bytes_per_token", s->cache_bytes);
  write_number(w, "cache_bytes_full_context", s->cache_bytes * full);
  write_number(w, "cache_bytes_per_token_bf16", s->cache_bytes / 2);
  write_number(w, "cache_bytes_full_context_bf16", s->cache_bytes / 2 * full);
  write_number(w, "weight_bytes", s->weight_bytes);
  write_number(w, "training_bytes", s->training_bytes);
  write_number(w, "activation_bytes_per_token", count_activations(c));
  parl_json_key(w, "model");
  parl_config_write(&parl_model_section, &c->model, w);
}

/* --------------------------------------------------------------------------------- layout */

/* "tp=8,ep=32" as an object; `text` is cut up. */
static parl_status read_pairs(char *text, parl_json *object) {
  for (char *rest = NULL, *pair = strtok_r(text, ",", &rest); pair != NULL;
       pair = strtok_r(NULL, ",", &rest)) {
    char *value = strchr(pair, '=');
    if (value == NULL)
      return parl_fail(PARL_STATUS_EINVAL, "--layout: \"%s\" is no KEY=NUMBER", pair);
    *value++ = '\0';
    PARL_TRY(parl_json_set_path(object, pair, value));
  }
  return PARL_STATUS_OK;
}

static parl_status read_layout(const char *given, const parl_hf_config *c, parl_layout *out) {
  parl_json *object = NULL;
  char text[256];
  if (strlen(given) >= sizeof text)
    return parl_fail(PARL_STATUS_EINVAL, "--layout is longer than %zu bytes", sizeof text - 1);
  snprintf(text, sizeof text, "%s", given);
  parl_config_set_defaults(&parl_layout_section, out);
  PARL_TRY(parl_json_create_object(&object));
  parl_status s = read_pairs(text, object);
  if (s == PARL_STATUS_OK) s = parl_config_read(&parl_layout_section, object, "layout", out);
  parl_json_destroy(object);
  return s == PARL_STATUS_OK ? parl_layout_check(out, &c->model, c->vocab_size) : s;
}

static double sum_bytes(const parl_layout_stage *s) {
  return s->weight_bytes + s->gradient_bytes + s->optimizer_bytes + s->activation_bytes;
}

static void print_layout(const parl_hf_config *c, const parl_layout *l,
                         const model_simulations *simulated) {
  printf("on %.0f devices, one of each stage holds (GB):\n", parl_layout_count_devices(l));
  printf("%5s  %-9s %12s %9s %9s %9s %11s %9s %14s\n", "stage", "layers", "parameters", "weights",
         "gradient", "optimizer", "activations", "sum", "cache B/token");
  for (size_t i = 0; i < (size_t)l->pp; i++) {
    const parl_layout_stage s = parl_layout_count(l, &c->model, c->vocab_size, i);
    char layers[32];
    snprintf(layers, sizeof layers, "%zu-%zu", s.first_layer, s.first_layer + s.n_layers - 1);
    printf("%5zu  %-9s %12.5g %9.4g %9.4g %9.4g %11.4g %9.4g %14.0f\n", i, layers, s.n_params,
           s.weight_bytes / 1e9, s.gradient_bytes / 1e9, s.optimizer_bytes / 1e9,
           s.activation_bytes / 1e9, sum_bytes(&s) / 1e9, s.cache_bytes);
  }
  model_print_simulations(simulated);
}

static void write_layout(const parl_hf_config *c, const parl_layout *l,
                         const model_simulations *simulated, parl_json_writer *w) {
  parl_json_key(w, "layout");
  parl_config_write(&parl_layout_section, l, w);
  write_number(w, "devices", parl_layout_count_devices(l));
  parl_json_key(w, "stages");
  parl_json_begin_array(w);
  for (size_t i = 0; i < (size_t)l->pp; i++) {
    const parl_layout_stage s = parl_layout_count(l, &c->model, c->vocab_size, i);
    parl_json_begin_object(w);
    write_number(w, "first_layer", (double)s.first_layer);
    write_number(w, "layers", (double)s.n_layers);
    write_number(w, "parameters", s.n_params);
    write_number(w, "weight_bytes", s.weight_bytes);
    write_number(w, "gradient_bytes", s.gradient_bytes);
    write_number(w, "optimizer_bytes", s.optimizer_bytes);
    write_number(w, "activation_bytes", s.activation_bytes);
    write_number(w, "bytes", sum_bytes(&s));
    write_number(w, "cache_bytes_per_token", s.cache_bytes);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
  model_write_simulations(simulated, w);
}

/* layout NULL: none was asked for. */
static parl_status print_json(const parl_hf_config *c, const parl_shape *shape, double context,
                              const parl_layout *layout, const model_simulations *simulated) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  write_shape(c, shape, context, &w);
  if (layout != NULL) write_layout(c, layout, simulated, &w);
  parl_json_end_object(&w);
  return cli_print(&text);
}

int model_describe(const cli_args *args) {
  parl_hf_config c;
  parl_shape shape;
  parl_layout layout;
  model_simulations simulated = {0};
  parl_status s = find_config(args->operands[0], &c);
  if (s == PARL_STATUS_OK) s = parl_shape_count(&c.model, c.vocab_size, &shape);
  if (s == PARL_STATUS_OK && args->layout != NULL) s = read_layout(args->layout, &c, &layout);
  if (s == PARL_STATUS_OK && args->layout != NULL) s = model_simulate(&layout, &c, &simulated);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  const parl_layout *wanted = args->layout != NULL ? &layout : NULL;
  const double context = fmin(CONTEXT, (double)c.model.max_context);
  if (args->json) {
    s = print_json(&c, &shape, context, wanted, &simulated);
    return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
  }
  print_shape(&c, &shape, context);
  if (wanted != NULL) print_layout(&c, wanted, &simulated);
  return CLI_DONE;
}
