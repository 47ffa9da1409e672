/* cli/model_features.c - parl model features DIR: what the tower makes of items, and gradients. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/media.h"
#include "core/safetensors.h"
#include "engine/hf_checkpoint.h"
#include "engine/logits.h"

enum { NAME_BYTES = PARL_HF_NAME_BYTES + 8 };

typedef struct job {
  const cli_args *args;
  parl_model *model;
  cli_media media;
  float *features; /* [M,C] */
  float *grads;    /* [n_params], or NULL */
  parl_tensor_info *infos;
  char (*names)[NAME_BYTES];
} job;

static parl_status compute(job *j) {
  const size_t M = parl_vision_count_rows(&j->media.items);
  const size_t C = (size_t)parl_model_get_config(j->model)->d_model;
  j->features = calloc(M * C, sizeof *j->features);
  if (j->media.cotangent != NULL)
    j->grads = calloc(parl_model_get_n_params(j->model), sizeof *j->grads);
  if (j->features == NULL || (j->media.cotangent != NULL && j->grads == NULL))
    return parl_fail(PARL_STATUS_ENOMEM, "features: no memory");
  return parl_features_compute(j->model, &j->media.items, j->media.cotangent, j->features,
                               j->grads);
}

static parl_status write_result(job *j) {
  const size_t M = parl_vision_count_rows(&j->media.items);
  const size_t C = (size_t)parl_model_get_config(j->model)->d_model;
  const size_t first = parl_vision_get_range(j->model).first;
  size_t n_tensors, n = 1;
  const parl_model_tensor *t = parl_model_get_tensors(j->model, &n_tensors);
  j->infos = calloc(n_tensors + 1, sizeof *j->infos);
  j->names = calloc(n_tensors + 1, sizeof *j->names);
  if (j->infos == NULL || j->names == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "features: no memory");
  j->infos[0] = (parl_tensor_info){.name = "features",
                                   .dtype = PARL_DTYPE_F32,
                                   .n_dims = 2,
                                   .shape = {(int64_t)M, (int64_t)C},
                                   .data = j->features,
                                   .bytes = M * C * sizeof(float)};
  for (size_t i = 0; j->grads != NULL && i < n_tensors; i++) {
    if (t[i].offset < first) continue;
    snprintf(j->names[n], NAME_BYTES, "grad.%s", t[i].name);
    j->infos[n] = (parl_tensor_info){.name = j->names[n],
                                     .dtype = PARL_DTYPE_F32,
                                     .data = j->grads + t[i].offset,
                                     .bytes = t[i].n * sizeof(float)};
    parl_model_tensor_set_shape(&t[i], &j->infos[n++]);
  }
  return parl_safetensors_write(j->args->output, j->infos, n, NULL, 0, NULL);
}

static parl_status run_job(job *j) {
  const parl_backend *backend = NULL;
  const char *name = j->args->backend ? j->args->backend : "cpu";
  PARL_TRY(parl_backend_select(name, j->args->dtype, &backend));
  PARL_TRY(parl_hf_checkpoint_load(j->args->operands[0], 0, backend, &j->model));
  PARL_TRY(cli_media_read(j->args, j->model, &j->media));
  PARL_TRY(compute(j));
  return write_result(j);
}

int model_features(const cli_args *args) {
  if (args->n_media == 0 || args->output == NULL)
    return cli_usage("model features needs --media FILE and -o OUT.safetensors");
  job j = {.args = args};
  const parl_status s = run_job(&j);
  cli_media_deinit(&j.media);
  free(j.features);
  free(j.grads);
  free(j.infos);
  free(j.names);
  parl_model_destroy(j.model);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
