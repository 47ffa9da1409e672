/* engine/hf_checkpoint.c - every tensor of every shard is looked at before the first is copied. */
#include "engine/hf_checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bf16.h"
#include "core/file.h"
#include "core/foreign.h"
#include "core/safetensors.h"
#include "engine/flops.h"
#include "engine/hf_config.h"
#include "engine/hf_internal.h"

static const char WHOLE[] = PARL_HF_WHOLE, INDEX[] = PARL_HF_INDEX;
static const char TEXT_PREFIX[] = PARL_HF_TEXT_PREFIX;
enum { PATH_BYTES = 4096, FILE_NAME_BYTES = 200, MAX_INDEX_BYTES = 64 << 20 };

typedef struct shard {
  const char *name; /* borrowed from the index, or a constant */
  parl_safetensors *file;
} shard;

typedef struct loader {
  const char *folder;
  parl_hf_config config;
  parl_json *index;     /* NULL: one file */
  const parl_json *map; /* its weight_map */
  shard *shards;
  size_t n_shards;
  parl_model *model;
} loader;

/* ---------------------------------------------------------------------------------- index */

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), n_end = strlen(end);
  return n > n_end && strcmp(text + n - n_end, end) == 0;
}

static parl_status check_map(const parl_json *map) {
  if (parl_json_get_type(map) != PARL_JSON_OBJECT || parl_json_get_size(map) == 0)
    return parl_fail(PARL_STATUS_EFORMAT, "\"weight_map\" is no object, or empty");
  for (const parl_json *c = parl_json_get_first(map); c != NULL; c = parl_json_get_next(c)) {
    const char *name = parl_json_get_string(c);
    if (name == NULL || strlen(name) > FILE_NAME_BYTES || strchr(name, '/') != NULL ||
        name[0] == '.' || !ends_with(name, ".safetensors"))
      return parl_fail(PARL_STATUS_EFORMAT,
                       "\"weight_map\": %.100s is not the name of a safetensors file in the folder",
                       name ? name : "a value");
  }
  return PARL_STATUS_OK;
}

parl_status parl_hf_index_parse(const char *bytes, size_t n, const char *what, parl_json **out) {
  parl_json *root = NULL;
  PARL_TRY(parl_json_parse(bytes, n, what, &root));
  const parl_status s = check_map(parl_json_find(root, "weight_map"));
  if (s != PARL_STATUS_OK) {
    parl_json_destroy(root);
    return parl_fail_context(s, "%s", what);
  }
  *out = root;
  return PARL_STATUS_OK;
}

static parl_status open_shard(loader *l, const char *name) {
  char path[PATH_BYTES];
  for (size_t i = 0; i < l->n_shards; i++)
    if (strcmp(l->shards[i].name, name) == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_file_join(path, sizeof path, l->folder, name));
  l->shards[l->n_shards].name = name;
  PARL_TRY(parl_safetensors_open(path, &l->shards[l->n_shards].file));
  l->n_shards++;
  return PARL_STATUS_OK;
}

static parl_status read_index(loader *l, const char *path) {
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_read(path, MAX_INDEX_BYTES, &bytes, &n));
  parl_status s = parl_foreign_refuse(bytes, n, path, PARL_FOREIGN_JSON);
  if (s == PARL_STATUS_OK) s = parl_hf_index_parse(bytes, n, path, &l->index);
  free(bytes);
  PARL_TRY(s);
  l->map = parl_json_find(l->index, "weight_map");
  return PARL_STATUS_OK;
}

/* Names what is there instead if there are no safetensors. */
static parl_status refuse_other_weights(const char *folder) {
  static const char *const others[] = {"pytorch_model.bin", "pytorch_model.bin.index.json",
                                       "consolidated.00.pth", "tf_model.h5", "flax_model.msgpack"};
  char path[PATH_BYTES];
  PARL_TRY(parl_file_join(path, sizeof path, folder, WHOLE));
  if (parl_file_exists(path)) return PARL_STATUS_OK;
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    PARL_TRY(parl_file_join(path, sizeof path, folder, others[i]));
    if (parl_file_exists(path))
      return parl_fail(PARL_STATUS_EFORMAT,
                       "%s: has %s but no %s; only safetensors are read: convert the model", folder,
                       others[i], WHOLE);
  }
  return PARL_STATUS_OK;
}

static parl_status open_shards(loader *l) {
  char path[PATH_BYTES];
  PARL_TRY(parl_file_join(path, sizeof path, l->folder, INDEX));
  if (parl_file_exists(path)) PARL_TRY(read_index(l, path));
  const size_t most = l->map != NULL ? parl_json_get_size(l->map) : 1;
  l->shards = calloc(most, sizeof *l->shards);
  if (l->shards == NULL) return parl_fail(PARL_STATUS_ENOMEM, "checkpoint: no memory");
  if (l->map == NULL) PARL_TRY(refuse_other_weights(l->folder));
  if (l->map == NULL) return open_shard(l, WHOLE);
  for (const parl_json *c = parl_json_get_first(l->map); c != NULL; c = parl_json_get_next(c))
    PARL_TRY(open_shard(l, parl_json_get_string(c)));
  return PARL_STATUS_OK;
}

/* -------------------------------------------------------------------------------- tensors */

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/* Of the published tensors, those that are no part of what the engine computes. */
static bool is_passed_over(const loader *l, const char *name) {
  if (l->config.is_nested) {
    if (starts_with(name, "vision_tower.") || starts_with(name, "mm_projector."))
      return l->config.model.vision.n_layers == 0;
    if (!starts_with(name, TEXT_PREFIX)) return false;
    name += strlen(TEXT_PREFIX);
  }
  if (ends_with(name, ".rotary_emb.inv_freq")) return true;
  unsigned long layer;
  if (sscanf(name, "model.layers.%9lu.", &layer) != 1) return false;
  const size_t n_layers = (size_t)l->config.model.n_layers;
  return layer >= n_layers && layer - n_layers < l->config.n_extra_layers;
}

/* NULL if it is missing. */
static const parl_tensor_info *find_tensor(const loader *l, const char *name) {
  const char *where = l->map ? parl_json_get_string(parl_json_find(l->map, name)) : WHOLE;
  for (size_t i = 0; where != NULL && i < l->n_shards; i++)
    if (strcmp(l->shards[i].name, where) == 0)
      return parl_safetensors_find(l->shards[i].file, name);
  return NULL;
}

static float read_value(const parl_tensor_info *info, size_t i) {
  float x;
  uint16_t half;
  if (info->dtype == PARL_DTYPE_F32) {
    memcpy(&x, (const char *)info->data + i * sizeof x, sizeof x);
    return x;
  }
  memcpy(&half, (const char *)info->data + i * sizeof half, sizeof half);
  return parl_bf16_to_float(half);
}

static parl_status check_tensor(const loader *l, const parl_model_tensor *t) {
  char name[PARL_HF_NAME_BYTES];
  parl_hf_name_tensor(l->config.is_nested, t, name);
  const parl_tensor_info *info = find_tensor(l, name);
  if (info == NULL) return parl_fail(PARL_STATUS_EFORMAT, "tensor %s is missing", name);
  if (info->dtype != PARL_DTYPE_F32 && info->dtype != PARL_DTYPE_BF16)
    return parl_fail(PARL_STATUS_EFORMAT, "tensor %s is %s; F32 or BF16 is wanted", name,
                     parl_dtype_name(info->dtype));
  if (info->n_dims != t->n_dims)
    return parl_fail(PARL_STATUS_EFORMAT, "tensor %s has %d dimensions; %d are wanted", name,
                     info->n_dims, t->n_dims);
  for (int i = 0; i < t->n_dims; i++)
    if (info->shape[i] != (int64_t)t->shape[i])
      return parl_fail(PARL_STATUS_EFORMAT, "tensor %s has extent %lld in dimension %d, not %zu",
                       name, (long long)info->shape[i], i, t->shape[i]);
  for (size_t i = 0; i < t->n; i++)
    if (!isfinite(read_value(info, i)))
      return parl_fail(PARL_STATUS_EFORMAT, "element %zu of tensor %s is %g", i, name,
                       (double)read_value(info, i));
  return PARL_STATUS_OK;
}

static bool is_wanted(const loader *l, const char *name) {
  size_t n_tensors;
  const parl_model_tensor *tensors = parl_model_get_tensors(l->model, &n_tensors);
  char wanted[PARL_HF_NAME_BYTES];
  for (size_t i = 0; i < n_tensors; i++) {
    parl_hf_name_tensor(l->config.is_nested, &tensors[i], wanted);
    if (strcmp(wanted, name) == 0) return true;
  }
  return false;
}

/* No tensor may be there that the model has not, nor where the index does not look for it. Empty
 * ones are nothing: no shared experts may mean matrices of no rows. */
static parl_status check_shard(const loader *l, const shard *s) {
  for (size_t i = 0; i < parl_safetensors_get_count(s->file); i++) {
    const parl_tensor_info *info = parl_safetensors_get(s->file, i);
    const char *name = info->name;
    if (info->bytes == 0 || is_passed_over(l, name)) continue;
    if (!is_wanted(l, name))
      return parl_fail(PARL_STATUS_EFORMAT, "%s: tensor %.150s is not one of this model", s->name,
                       name);
    if (l->map == NULL) continue;
    const char *where = parl_json_get_string(parl_json_find(l->map, name));
    if (where == NULL || strcmp(where, s->name) != 0)
      return parl_fail(PARL_STATUS_EFORMAT, "%s: tensor %s is, by the index, in %s", s->name, name,
                       where ? where : "no file");
  }
  return PARL_STATUS_OK;
}

static parl_status check_map_names(const loader *l) {
  for (const parl_json *c = parl_json_get_first(l->map); c != NULL; c = parl_json_get_next(c)) {
    const char *name = parl_json_get_key(c);
    if (is_passed_over(l, name) || is_wanted(l, name)) continue;
    const parl_tensor_info *info = find_tensor(l, name);
    if (info == NULL || info->bytes > 0)
      return parl_fail(PARL_STATUS_EFORMAT, "%s: tensor %.150s is not one of this model", INDEX,
                       name);
  }
  return PARL_STATUS_OK;
}

/* Before memory is asked for: a small file cannot hold the weights of a large config. */
static parl_status check_size(const loader *l) {
  parl_shape shape;
  double n = 0.0;
  PARL_TRY(parl_shape_count(&l->config.model, l->config.vocab_size, &shape));
  for (size_t i = 0; i < l->n_shards; i++)
    for (size_t k = 0; k < parl_safetensors_get_count(l->shards[i].file); k++) {
      const parl_tensor_info *info = parl_safetensors_get(l->shards[i].file, k);
      n += (double)(info->bytes / parl_dtype_bytes(info->dtype));
    }
  const double due = shape.n_params + shape.n_bias;
  if (n < due)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "the tensors have %.0f values, but a model of this config has %.0f", n, due);
  return PARL_STATUS_OK;
}

/* The index may say how many bytes of weights there are. */
static parl_status check_total(const loader *l) {
  const parl_json *total = parl_json_find_path(l->index, "metadata.total_size");
  double bytes = 0.0;
  if (parl_json_get_type(total) != PARL_JSON_NUMBER) return PARL_STATUS_OK;
  for (size_t i = 0; i < l->n_shards; i++)
    for (size_t k = 0; k < parl_safetensors_get_count(l->shards[i].file); k++)
      bytes += (double)parl_safetensors_get(l->shards[i].file, k)->bytes;
  if (bytes == parl_json_get_number(total)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "%s: total_size is %.0f bytes, but its files hold %.0f",
                   INDEX, parl_json_get_number(total), bytes);
}

/* Rows to where the engine has them. */
static parl_status copy_tensor(const loader *l, const parl_model_tensor *t,
                               const parl_tensor_info *info) {
  enum { PIECE = 4096 };
  float piece[PIECE];
  const size_t width = t->n / t->shape[0];
  for (size_t start = 0; start < t->n; start += PIECE) {
    const size_t n = t->n - start < PIECE ? t->n - start : PIECE;
    for (size_t k = start; k < start + n; k++)
      piece[k - start] =
          read_value(info, parl_hf_find_row(l->model, t, k / width) * width + k % width);
    PARL_TRY(parl_model_write(l->model, t->offset + start, n, piece));
  }
  return PARL_STATUS_OK;
}

static parl_status load(loader *l, size_t max_context, const parl_backend *backend) {
  char path[PATH_BYTES];
  PARL_TRY(parl_file_join(path, sizeof path, l->folder, "config.json"));
  PARL_TRY(parl_hf_config_read(path, &l->config));
  if (max_context > 0) l->config.model.max_context = (int64_t)max_context;
  PARL_TRY(open_shards(l));
  PARL_TRY(check_total(l));
  PARL_TRY(check_size(l));
  PARL_TRY(parl_model_create(&l->config.model, l->config.vocab_size, backend, NULL, &l->model));
  size_t n_tensors;
  const parl_model_tensor *tensors = parl_model_get_tensors(l->model, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++) PARL_TRY(check_tensor(l, &tensors[i]));
  for (size_t i = 0; i < l->n_shards; i++) PARL_TRY(check_shard(l, &l->shards[i]));
  PARL_TRY(check_map_names(l));
  for (size_t i = 0; i < n_tensors; i++) {
    char name[PARL_HF_NAME_BYTES];
    parl_hf_name_tensor(l->config.is_nested, &tensors[i], name);
    const parl_tensor_info *info = find_tensor(l, name);
    PARL_TRY(copy_tensor(l, &tensors[i], info));
  }
  return parl_model_refresh(l->model);
}

parl_status parl_hf_checkpoint_load(const char *folder, size_t max_context,
                                    const parl_backend *backend, parl_model **out) {
  PARL_REQUIRE(folder != NULL && backend != NULL && out != NULL);
  loader l = {.folder = folder};
  const parl_status s = load(&l, max_context, backend);
  for (size_t i = 0; i < l.n_shards; i++) parl_safetensors_close(l.shards[i].file);
  free(l.shards);
  parl_json_destroy(l.index);
  if (s != PARL_STATUS_OK) {
    parl_model_destroy(l.model);
    return parl_fail_context(s, "checkpoint %s", folder);
  }
  *out = l.model;
  return PARL_STATUS_OK;
}
