/* cli/model_logits.c - parl model logits DIR: logits and gradients of a published folder. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/media.h"
#include "core/file.h"
#include "core/foreign.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "engine/hf_checkpoint.h"
#include "engine/hf_config.h"
#include "engine/logits.h"

enum { PATH_BYTES = 4096, NAME_BYTES = PARL_HF_NAME_BYTES + 8, MAX_TOKENS_BYTES = 256 << 20 };

typedef struct job {
  const cli_args *args;
  size_t B, T;
  int32_t *tokens;  /* [B,T] */
  int32_t *targets; /* [B,T], or NULL */
  cli_media media;
  parl_hf_config config;
  parl_model *model;
  float *logits; /* [B,T,V] */
  float *grads;  /* [n_params], or NULL, rows as published */
  double loss;
  parl_tensor_info *infos;
  char (*names)[NAME_BYTES];
} job;

/* One list into `to` [T]; only what an int32 holds passes, the vocabulary is checked later. */
static parl_status read_row(const parl_json *row, const char *key, size_t b, size_t T, double least,
                            int32_t *to) {
  if (parl_json_get_type(row) != PARL_JSON_ARRAY || parl_json_get_size(row) != T)
    return parl_fail(PARL_STATUS_EFORMAT, "\"%s\": row %zu has %zu elements, not %zu as row 0", key,
                     b, parl_json_get_size(row), T);
  size_t t = 0;
  for (const parl_json *c = parl_json_get_first(row); c != NULL; c = parl_json_get_next(c), t++) {
    const double x = parl_json_get_number(c);
    if (parl_json_get_type(c) != PARL_JSON_NUMBER || !(x >= least && x <= INT32_MAX) ||
        floor(x) < x)
      return parl_fail(PARL_STATUS_EFORMAT, "\"%s\": element %zu of row %zu is no token", key, t,
                       b);
    to[t] = (int32_t)x;
  }
  return PARL_STATUS_OK;
}

/* [B,T] of numbers from `least` on, owned by the caller. */
static parl_status read_rows(const job *j, const parl_json *rows, const char *key, double least,
                             int32_t **out) {
  if (parl_json_get_type(rows) != PARL_JSON_ARRAY || parl_json_get_size(rows) != j->B)
    return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" is no list of %zu lists of tokens", key, j->B);
  *out = calloc(j->B * j->T, sizeof **out);
  if (*out == NULL) return parl_fail(PARL_STATUS_ENOMEM, "tokens: no memory");
  size_t b = 0;
  for (const parl_json *r = parl_json_get_first(rows); r != NULL; r = parl_json_get_next(r), b++)
    PARL_TRY(read_row(r, key, b, j->T, least, *out + b * j->T));
  return PARL_STATUS_OK;
}

static parl_status read_file(job *j, const parl_json *root) {
  const parl_json *rows = parl_json_find(root, "tokens"), *due = parl_json_find(root, "targets");
  j->B = parl_json_get_type(rows) == PARL_JSON_ARRAY ? parl_json_get_size(rows) : 0;
  j->T = j->B > 0 ? parl_json_get_size(parl_json_get_first(rows)) : 0;
  if (j->T == 0) return parl_fail(PARL_STATUS_EFORMAT, "\"tokens\" is no list of lists of tokens");
  PARL_TRY(read_rows(j, rows, "tokens", 0.0, &j->tokens));
  return due != NULL ? read_rows(j, due, "targets", -1.0, &j->targets) : PARL_STATUS_OK;
}

static parl_status read_tokens(job *j) {
  char *bytes = NULL;
  size_t n = 0;
  parl_json *root = NULL;
  PARL_TRY(parl_file_read(j->args->tokens, MAX_TOKENS_BYTES, &bytes, &n));
  parl_status s = parl_foreign_refuse(bytes, n, j->args->tokens, PARL_FOREIGN_JSON);
  if (s == PARL_STATUS_OK) s = parl_json_parse(bytes, n, j->args->tokens, &root);
  free(bytes);
  if (s != PARL_STATUS_OK) return s;
  s = parl_fail_context(read_file(j, root), "%s", j->args->tokens);
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
  const parl_logits_def def = {.model = j->model,
                               .B = j->B,
                               .T = j->T,
                               .tokens = j->tokens,
                               .targets = j->targets,
                               .items = j->media.items.n_items > 0 ? &j->media.items : NULL};
  return parl_logits_compute(&def, j->logits, &j->loss, j->grads);
}

/* Rows as published; a padding token's embedding has the gradient 0, as in transformers. */
static parl_status publish_gradients(job *j) {
  const size_t C = (size_t)j->config.model.d_model;
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(j->model, &n_tensors);
  float *published = malloc(parl_model_get_n_params(j->model) * sizeof *published);
  if (published == NULL) return parl_fail(PARL_STATUS_ENOMEM, "logits: no memory");
  for (size_t i = 0; i < n_tensors; i++)
    parl_hf_publish(j->model, &t[i], j->grads + t[i].offset, published + t[i].offset);
  free(j->grads);
  j->grads = published;
  if (j->config.pad_token >= 0) /* the table stands first */
    memset(published + t[0].offset + (size_t)j->config.pad_token * C, 0, C * sizeof *published);
  return PARL_STATUS_OK;
}

static size_t add_gradients(job *j, size_t n) {
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(j->model, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++) {
    if (!t[i].trained) continue;
    char name[PARL_HF_NAME_BYTES];
    parl_hf_name_tensor(j->config.is_nested, &t[i], name);
    snprintf(j->names[n], NAME_BYTES, "grad.%s", name);
    j->infos[n] = (parl_tensor_info){.name = j->names[n],
                                     .dtype = PARL_DTYPE_F32,
                                     .data = j->grads + t[i].offset,
                                     .bytes = t[i].n * sizeof(float)};
    parl_model_tensor_set_shape(&t[i], &j->infos[n]);
    n++;
  }
  return n;
}

static parl_status write_result(job *j) {
  const size_t V = parl_model_get_vocab_size(j->model);
  const float loss = (float)j->loss;
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
    n = add_gradients(j, n);
  }
  return parl_safetensors_write(j->args->output, j->infos, n, NULL, 0, NULL);
}

static parl_status run_job(job *j) {
  const parl_backend *backend = NULL;
  const char *name = j->args->backend ? j->args->backend : "cpu";
  char path[PATH_BYTES];
  PARL_TRY(parl_backend_select(name, j->args->dtype, &backend));
  PARL_TRY(read_tokens(j));
  PARL_TRY(parl_file_join(path, sizeof path, j->args->operands[0], "config.json"));
  PARL_TRY(parl_hf_config_read(path, &j->config));
  PARL_TRY(parl_hf_checkpoint_load(j->args->operands[0], j->T, backend, &j->model));
  PARL_TRY(cli_media_read(j->args, j->model, &j->media));
  PARL_TRY(compute(j));
  if (j->grads != NULL) PARL_TRY(publish_gradients(j));
  return write_result(j);
}

int model_logits(const cli_args *args) {
  if (args->tokens == NULL || args->output == NULL)
    return cli_usage("model logits needs --tokens FILE.json and -o OUT.safetensors");
  job j = {.args = args};
  const parl_status s = run_job(&j);
  cli_media_deinit(&j.media);
  free(j.tokens);
  free(j.targets);
  free(j.logits);
  free(j.grads);
  free(j.infos);
  free(j.names);
  parl_model_destroy(j.model);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
