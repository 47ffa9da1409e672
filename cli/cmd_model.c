/* cli/cmd_model.c - parl model describe | logits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/file.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "engine/hf_checkpoint.h"
#include "engine/hf_config.h"
#include "engine/logits.h"
#include "engine/shape.h"
#include "lua/env.h"
#include "parl/recipe.h"

enum { PATH_BYTES = 4096, NAME_BYTES = 160, MAX_TOKENS_BYTES = 256 << 20, CONTEXT = 4096 };

/* ------------------------------------------------------------------------------- describe */

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

static int describe(const cli_args *args) {
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

/* --------------------------------------------------------------------------------- logits */

typedef struct job {
  const cli_args *args;
  size_t B, T;
  int32_t *tokens; /* [B,T] */
  parl_model *model;
  float *logits; /* [B,T,V] */
  float *grads;  /* [n_params], or NULL */
  double loss;
  parl_tensor_info *infos;
  char (*names)[NAME_BYTES];
} job;

/* One list into j->tokens; only what an int32 holds passes, the vocabulary is checked later. */
static parl_status read_row(job *j, const parl_json *row, size_t b) {
  if (parl_json_get_type(row) != PARL_JSON_ARRAY || parl_json_get_size(row) != j->T)
    return parl_fail(PARL_STATUS_EFORMAT, "\"tokens\": row %zu has %zu elements, row 0 has %zu", b,
                     parl_json_get_size(row), j->T);
  size_t t = 0;
  for (const parl_json *c = parl_json_get_first(row); c != NULL; c = parl_json_get_next(c), t++) {
    const double x = parl_json_get_number(c);
    if (parl_json_get_type(c) != PARL_JSON_NUMBER || !(x >= 0.0 && x <= INT32_MAX) || floor(x) < x)
      return parl_fail(PARL_STATUS_EFORMAT, "\"tokens\": element %zu of row %zu is no token", t, b);
    j->tokens[b * j->T + t] = (int32_t)x;
  }
  return PARL_STATUS_OK;
}

static parl_status read_rows(job *j, const parl_json *rows) {
  j->B = parl_json_get_type(rows) == PARL_JSON_ARRAY ? parl_json_get_size(rows) : 0;
  j->T = j->B > 0 ? parl_json_get_size(parl_json_get_first(rows)) : 0;
  if (j->T == 0) return parl_fail(PARL_STATUS_EFORMAT, "\"tokens\" is no list of lists of tokens");
  j->tokens = calloc(j->B * j->T, sizeof *j->tokens);
  if (j->tokens == NULL) return parl_fail(PARL_STATUS_ENOMEM, "tokens: no memory");
  size_t b = 0;
  for (const parl_json *r = parl_json_get_first(rows); r != NULL; r = parl_json_get_next(r))
    PARL_TRY(read_row(j, r, b++));
  return PARL_STATUS_OK;
}

static parl_status read_tokens(job *j) {
  char *bytes = NULL;
  size_t n = 0;
  parl_json *root = NULL;
  PARL_TRY(parl_file_read(j->args->tokens, MAX_TOKENS_BYTES, &bytes, &n));
  parl_status s = parl_json_parse(bytes, n, j->args->tokens, &root);
  free(bytes);
  if (s != PARL_STATUS_OK) return s;
  s = parl_fail_context(read_rows(j, parl_json_find(root, "tokens")), "%s", j->args->tokens);
  parl_json_destroy(root);
  return s;
}

static parl_status compute(job *j) {
  const size_t V = parl_model_get_vocab_size(j->model);
  size_t n;
  if (__builtin_mul_overflow(j->B * j->T, V, &n))
    return parl_fail(PARL_STATUS_ENOMEM, "logits: %zu x %zu x %zu are too many", j->B, j->T, V);
  j->logits = calloc(n, sizeof *j->logits);
  if (j->args->grads) j->grads = calloc(parl_model_get_n_params(j->model), sizeof *j->grads);
  if (j->logits == NULL || (j->args->grads && j->grads == NULL))
    return parl_fail(PARL_STATUS_ENOMEM, "logits: no memory");
  return parl_logits_compute(j->model, j->tokens, j->B, j->T, j->logits, &j->loss, j->grads);
}

static size_t add_gradients(job *j, size_t n, const char *prefix) {
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(j->model, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++) {
    if (!t[i].trained) continue;
    snprintf(j->names[n], NAME_BYTES, "grad.%s%s", prefix, t[i].name);
    j->infos[n] = (parl_tensor_info){.name = j->names[n],
                                     .dtype = PARL_DTYPE_F32,
                                     .n_dims = t[i].n_dims,
                                     .shape = {(int64_t)t[i].shape[0], (int64_t)t[i].shape[1]},
                                     .data = j->grads + t[i].offset,
                                     .bytes = t[i].n * sizeof(float)};
    n++;
  }
  return n;
}

static parl_status write_result(job *j) {
  const size_t V = parl_model_get_vocab_size(j->model);
  const float loss = (float)j->loss;
  char path[PATH_BYTES];
  parl_hf_config config;
  PARL_TRY(parl_file_join(path, sizeof path, j->args->operands[1], "config.json"));
  PARL_TRY(parl_hf_config_read(path, &config));
  size_t n_tensors, n = 1;
  parl_model_get_tensors(j->model, &n_tensors);
  j->infos = calloc(n_tensors + 2, sizeof *j->infos);
  j->names = calloc(n_tensors + 2, sizeof *j->names);
  if (j->infos == NULL || j->names == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "logits: no memory");
  j->infos[0] = (parl_tensor_info){.name = "logits",
                                   .dtype = PARL_DTYPE_F32,
                                   .n_dims = 3,
                                   .shape = {(int64_t)j->B, (int64_t)j->T, (int64_t)V},
                                   .data = j->logits,
                                   .bytes = j->B * j->T * V * sizeof(float)};
  if (j->grads != NULL) {
    j->infos[n++] = (parl_tensor_info){
        .name = "loss", .dtype = PARL_DTYPE_F32, .data = &loss, .bytes = sizeof loss};
    n = add_gradients(j, n, config.is_nested ? "language_model." : "");
  }
  return parl_safetensors_write(j->args->output, j->infos, n, NULL, 0, NULL);
}

static parl_status run_job(job *j) {
  const parl_backend *backend = NULL;
  const char *name = j->args->backend ? j->args->backend : "cpu";
  PARL_TRY(parl_backend_find(name, &backend));
  PARL_TRY(read_tokens(j));
  PARL_TRY(parl_hf_checkpoint_load(j->args->operands[1], j->T, backend, &j->model));
  PARL_TRY(compute(j));
  return write_result(j);
}

static int logits(const cli_args *args) {
  if (args->tokens == NULL || args->output == NULL)
    return cli_usage("model logits needs --tokens FILE.json and -o OUT.safetensors");
  if (args->dtype != NULL && strcmp(args->dtype, "f32") != 0)
    return cli_usage("--dtype %s: only f32 is supported", args->dtype);
  job j = {.args = args};
  const parl_status s = run_job(&j);
  free(j.tokens);
  free(j.logits);
  free(j.grads);
  free(j.infos);
  free(j.names);
  parl_model_destroy(j.model);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}

int cmd_model(const cli_args *args) {
  if (!cli_need_operands(args, 2)) return CLI_USAGE;
  if (strcmp(args->operands[0], "describe") == 0) return describe(args);
  if (strcmp(args->operands[0], "logits") == 0) return logits(args);
  return cli_usage("model has no action %s: describe or logits", args->operands[0]);
}
