/* engine/hf_save.c - a published folder: the bytes of one shard at a time are in memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bf16.h"
#include "core/file.h"
#include "core/folder.h"
#include "core/media.h"
#include "core/safetensors.h"
#include "engine/hf_checkpoint.h"
#include "engine/hf_config.h"
#include "engine/hf_internal.h"

enum { FILE_NAME_BYTES = 64 };

typedef struct saver {
  const char *folder; /* the temporary */
  parl_model *model;
  parl_hf_save_options options;
  const parl_model_tensor *tensors;
  size_t n_tensors;
  size_t *shard_of; /* [n_tensors] */
  size_t n_shards;
  parl_tensor_info *infos;           /* [n_tensors] of one shard */
  char (*names)[PARL_HF_NAME_BYTES]; /* [n_tensors] as published */
  size_t total_bytes;
} saver;

void parl_hf_name_tensor(bool is_nested, const parl_model_tensor *t,
                         char name[PARL_HF_NAME_BYTES]) {
  const bool is_text = !parl_model_tensor_is_vision(t);
  snprintf(name, PARL_HF_NAME_BYTES, "%s%s", is_nested && is_text ? PARL_HF_TEXT_PREFIX : "",
           t->name);
}

size_t parl_hf_find_row(const parl_model *model, const parl_model_tensor *t, size_t row) {
  const parl_model_config *c = parl_model_get_config(model);
  const size_t D = (size_t)c->head_dim, i = row % D;
  if (c->attention != PARL_ATTENTION_GQA ||
      (strstr(t->name, ".q_proj.") == NULL && strstr(t->name, ".k_proj.") == NULL))
    return row;
  return row - i + i % 2 * (D / 2) + i / 2;
}

void parl_hf_publish(const parl_model *model, const parl_model_tensor *t, const float *from,
                     float *to) {
  const size_t width = t->n / t->shape[0];
  for (size_t row = 0; row < t->shape[0]; row++)
    memcpy(to + parl_hf_find_row(model, t, row) * width, from + row * width, width * sizeof *to);
}

static parl_dtype get_dtype(const saver *s, const parl_model_tensor *t) {
  return s->options.is_bf16 && t->trained ? PARL_DTYPE_BF16 : PARL_DTYPE_F32;
}

static size_t count_bytes(const saver *s, const parl_model_tensor *t) {
  return t->n * parl_dtype_bytes(get_dtype(s, t));
}

/* A shard is closed before the tensor that would make it too large. */
static void cut_shards(saver *s) {
  size_t bytes = 0;
  for (size_t i = 0; i < s->n_tensors; i++) {
    const size_t n = count_bytes(s, &s->tensors[i]);
    if (i == 0 || n > s->options.shard_bytes || bytes > s->options.shard_bytes - n) {
      s->n_shards++;
      bytes = 0;
    }
    bytes += n;
    s->total_bytes += n;
    s->shard_of[i] = s->n_shards - 1;
  }
}

static void name_file(const saver *s, size_t shard, char name[FILE_NAME_BYTES]) {
  if (s->n_shards == 1)
    snprintf(name, FILE_NAME_BYTES, "%s", PARL_HF_WHOLE);
  else
    snprintf(name, FILE_NAME_BYTES, "model-%05zu-of-%05zu.safetensors", shard + 1, s->n_shards);
}

/* scratch [2 t->n] */
static parl_status convert(const saver *s, const parl_model_tensor *t, float *scratch, void *to) {
  float *from = scratch + t->n;
  PARL_TRY(parl_model_read(s->model, t->offset, t->n, from));
  uint16_t *halves = to;
  for (size_t i = 0; i < t->n; i++)
    if (!isfinite(from[i]))
      return parl_fail(PARL_STATUS_ESTATE, "element %zu of tensor %s is %g", i, t->name,
                       (double)from[i]);
  if (get_dtype(s, t) == PARL_DTYPE_F32) {
    parl_hf_publish(s->model, t, from, to);
    return PARL_STATUS_OK;
  }
  parl_hf_publish(s->model, t, from, scratch);
  for (size_t i = 0; i < t->n; i++) halves[i] = parl_bf16_from_float(scratch[i]);
  return PARL_STATUS_OK;
}

/* Tensors first..end-1 into one file, f32 before bf16, so that all are aligned. */
static parl_status write_shard(const saver *s, const char *name, size_t first, size_t end,
                               float *scratch, char *bytes) {
  static const char *const metadata[] = {"format", "pt"};
  static const parl_dtype order[] = {PARL_DTYPE_F32, PARL_DTYPE_BF16};
  char path[PARL_FOLDER_PATH_BYTES];
  size_t n = 0;
  PARL_TRY(parl_file_join(path, sizeof path, s->folder, name));
  for (size_t k = 0; k < 2 * (end - first); k++) {
    const parl_model_tensor *t = &s->tensors[first + k % (end - first)];
    if (get_dtype(s, t) != order[k / (end - first)]) continue;
    PARL_TRY(convert(s, t, scratch, bytes));
    s->infos[n] = (parl_tensor_info){.name = s->names[t - s->tensors],
                                     .dtype = get_dtype(s, t),
                                     .data = bytes,
                                     .bytes = count_bytes(s, t)};
    parl_model_tensor_set_shape(t, &s->infos[n++]);
    bytes += count_bytes(s, t);
  }
  return parl_safetensors_write(path, s->infos, n, metadata, 1, NULL);
}

static parl_status write_shards(const saver *s) {
  for (size_t first = 0, end = 0; first < s->n_tensors; first = end) {
    char name[FILE_NAME_BYTES];
    size_t bytes = 0, longest = 0;
    for (; end < s->n_tensors && s->shard_of[end] == s->shard_of[first]; end++) {
      bytes += count_bytes(s, &s->tensors[end]);
      if (s->tensors[end].n > longest) longest = s->tensors[end].n;
    }
    name_file(s, s->shard_of[first], name);
    char *buffer = malloc(bytes);
    float *scratch = calloc(longest, 2 * sizeof *scratch);
    parl_status status = PARL_STATUS_OK;
    if (buffer == NULL || scratch == NULL)
      status = parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for %zu bytes", name, bytes);
    else
      status = write_shard(s, name, first, end, scratch, buffer);
    free(buffer);
    free(scratch);
    PARL_TRY(status);
  }
  return PARL_STATUS_OK;
}

static void append_index(const saver *s, parl_json_writer *w) {
  char name[FILE_NAME_BYTES];
  parl_json_begin_object(w);
  parl_json_key(w, "metadata");
  parl_json_begin_object(w);
  parl_json_key(w, "total_size");
  parl_json_integer(w, (int64_t)s->total_bytes);
  parl_json_end_object(w);
  parl_json_key(w, "weight_map");
  parl_json_begin_object(w);
  for (size_t i = 0; i < s->n_tensors; i++) {
    name_file(s, s->shard_of[i], name);
    parl_json_key(w, s->names[i]);
    parl_json_string(w, name);
  }
  parl_json_end_object(w);
  parl_json_end_object(w);
}

static parl_status write_text(const saver *s, const char *name, parl_text *text) {
  char path[PARL_FOLDER_PATH_BYTES];
  parl_text_append(text, "\n");
  PARL_TRY(parl_text_status(text));
  PARL_TRY(parl_file_join(path, sizeof path, s->folder, name));
  return parl_file_write(path, text->bytes, text->n);
}

/* How pictures are prepared for the tower. */
static parl_status write_preprocessor(const saver *s, parl_text *text) {
  parl_media_config config = parl_media_config_default();
  config.patch = (int)parl_model_get_config(s->model)->vision.patch;
  config.temporal = (int)parl_model_get_config(s->model)->vision.max_frames;
  parl_media_config_append(&config, text);
  return write_text(s, PARL_HF_PREPROCESSOR, text);
}

/* With room for the config, the index and the preprocessor's in `texts`. */
static parl_status write_files(const saver *s, parl_text texts[3]) {
  parl_json_writer w;
  parl_json_writer_init(&w, &texts[0], true);
  PARL_TRY(parl_hf_config_write(parl_model_get_config(s->model),
                                parl_model_get_vocab_size(s->model),
                                s->options.is_bf16 ? "bfloat16" : "float32", &w));
  PARL_TRY(write_text(s, PARL_HF_CONFIG, &texts[0]));
  if (parl_model_get_config(s->model)->vision.n_layers > 0)
    PARL_TRY(write_preprocessor(s, &texts[2]));
  PARL_TRY(write_shards(s));
  if (s->n_shards == 1) return PARL_STATUS_OK;
  parl_json_writer_init(&w, &texts[1], true);
  append_index(s, &w);
  return write_text(s, PARL_HF_INDEX, &texts[1]);
}

static parl_status save(saver *s, const char *folder) {
  char temporary[PARL_FOLDER_PATH_BYTES];
  parl_text texts[3] = {{0}, {0}, {0}};
  s->shard_of = calloc(s->n_tensors, sizeof *s->shard_of);
  s->infos = calloc(s->n_tensors, sizeof *s->infos);
  s->names = calloc(s->n_tensors, sizeof *s->names);
  if (s->shard_of == NULL || s->infos == NULL || s->names == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu tensors", s->n_tensors);
  const bool is_nested = parl_model_get_config(s->model)->vision.n_layers > 0;
  for (size_t i = 0; i < s->n_tensors; i++)
    parl_hf_name_tensor(is_nested, &s->tensors[i], s->names[i]);
  cut_shards(s);
  PARL_TRY(parl_folder_begin(folder, temporary));
  s->folder = temporary;
  parl_status status = write_files(s, texts);
  if (status == PARL_STATUS_OK) status = parl_folder_commit(folder, temporary);
  if (status != PARL_STATUS_OK) parl_folder_abort(temporary);
  for (size_t i = 0; i < 3; i++) parl_text_deinit(&texts[i]);
  return status;
}

parl_status parl_hf_checkpoint_save(const char *folder, parl_model *model,
                                    const parl_hf_save_options *options, parl_hf_saved *out) {
  PARL_REQUIRE(folder != NULL && model != NULL && options != NULL);
  PARL_REQUIRE(options->shard_bytes > 0);
  saver s = {.model = model, .options = *options};
  s.tensors = parl_model_get_tensors(model, &s.n_tensors);
  const parl_status status = save(&s, folder);
  free(s.shard_of);
  free(s.infos);
  free(s.names);
  if (status != PARL_STATUS_OK) return parl_fail_context(status, "saving %s", folder);
  if (out != NULL) *out = (parl_hf_saved){.n_files = s.n_shards, .bytes = (double)s.total_bytes};
  return PARL_STATUS_OK;
}
