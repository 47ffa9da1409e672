/* engine/checkpoint.c - everything in the file is checked before the first weight
 * is overwritten. */
#include "engine/checkpoint.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/safetensors.h"
#include "engine/flops.h"
#include "engine/model_internal.h"

static const char FORMAT[] = "parl-2", OLDER_FORMAT[] = "parl-1"; /* that one has no digest */
static const char M_PREFIX[] = "optimizer.m.", V_PREFIX[] = "optimizer.v.", KEPT_PREFIX[] = "kept.";
/* What an extension may change: two fields, and those that do not change what the weights mean;
 * training with rounded ones may follow on training without. */
static const char *const EXTENDED_FIELDS[] = {
    "rope_factor", "rope_original_context", "init_std",           "max_context",
    "recompute",   "expert_quant",          "vision.media_token", NULL};
static const char *const *const IGNORED_FIELDS = EXTENDED_FIELDS + 2;

enum { NAME_BYTES = 128, STEPS_BYTES = 24 };

/* One tensor of the file and its place: in the parameters, or in the optimizer's moments. */
typedef struct entry {
  char name[NAME_BYTES];
  const parl_model_tensor *tensor;
  parl_model *model; /* whose parameters; NULL: the moments */
  size_t offset;
  size_t block;   /* of n_params values in entries.values */
  bool is_square; /* second moments are not negative */
  float *values;  /* saving: [tensor->n], in entries.values */
} entry;

typedef struct entries {
  parl_model *model;       /* borrowed */
  parl_optimizer *opt;     /* borrowed; NULL: weights alone */
  parl_model *const *kept; /* [n_kept] borrowed */
  size_t n_kept;
  bool extends; /* loading: the model may have a longer context than the file's */
  entry *items; /* owned */
  size_t n;
  float *values; /* owned; saving: of all items */
} entries;

/* The tensors of a model (NULL: of moments that begin at `base`) as the next block. */
static void add_entries(entries *e, const char *prefix, parl_model *model, size_t base,
                        bool is_square) {
  size_t n_tensors;
  const parl_model_tensor *tensors = parl_model_get_tensors(e->model, &n_tensors);
  const size_t block = e->n / n_tensors;
  for (size_t i = 0; i < n_tensors; i++) {
    entry *item = &e->items[e->n++];
    *item = (entry){.tensor = &tensors[i],
                    .model = model,
                    .offset = base + tensors[i].offset,
                    .block = block,
                    .is_square = is_square};
    snprintf(item->name, sizeof item->name, "%s%s", prefix, tensors[i].name);
  }
}

static size_t count_blocks(const entries *e) {
  return (e->opt != NULL ? 3 : 1) + e->n_kept;
}

/* Weights, then, with an optimizer, first and second moments, then the models beside it. */
static parl_status list_entries(entries *e) {
  size_t n_tensors;
  parl_model_get_tensors(e->model, &n_tensors);
  e->items = calloc(count_blocks(e) * n_tensors, sizeof *e->items);
  if (e->items == NULL) return parl_fail(PARL_STATUS_ENOMEM, "checkpoint: no memory");
  add_entries(e, "", e->model, 0, false);
  if (e->opt != NULL) {
    add_entries(e, M_PREFIX, NULL, 0, false);
    add_entries(e, V_PREFIX, NULL, parl_model_get_n_params(e->model), true);
  }
  for (size_t i = 0; i < e->n_kept; i++) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%s%zu.", KEPT_PREFIX, i);
    add_entries(e, prefix, e->kept[i], 0, false);
  }
  return PARL_STATUS_OK;
}

static parl_status read_values(entries *e) {
  const size_t n_params = parl_model_get_n_params(e->model), n_blocks = count_blocks(e);
  float *to = e->values = calloc(n_blocks, n_params * sizeof *to);
  if (to == NULL) return parl_fail(PARL_STATUS_ENOMEM, "checkpoint: no memory");
  PARL_TRY(parl_model_read(e->model, 0, n_params, to));
  if (e->opt != NULL) PARL_TRY(parl_optimizer_read_moments(e->opt, 0, 2 * n_params, to + n_params));
  for (size_t i = 0; i < e->n_kept; i++)
    PARL_TRY(parl_model_read(e->kept[i], 0, n_params, to + (n_blocks - e->n_kept + i) * n_params));
  for (size_t i = 0; i < e->n; i++)
    e->items[i].values = to + e->items[i].block * n_params + e->items[i].tensor->offset;
  return PARL_STATUS_OK;
}

/* From any byte of a file, piece by piece. */
static parl_status write_values(const entries *e, const entry *item, const char *data) {
  enum { PIECE = 4096 };
  float piece[PIECE];
  for (size_t start = 0; start < item->tensor->n; start += PIECE) {
    const size_t left = item->tensor->n - start, n = left < PIECE ? left : PIECE;
    memcpy(piece, data + start * sizeof *piece, n * sizeof *piece);
    if (item->model == NULL)
      PARL_TRY(parl_optimizer_write_moments(e->opt, item->offset + start, n, piece));
    else
      PARL_TRY(parl_model_write(item->model, item->offset + start, n, piece));
  }
  return PARL_STATUS_OK;
}

static void entries_deinit(entries *e) {
  free(e->items);
  free(e->values);
}

/* The file may lie at any byte, so floats are copied out. */
static parl_status check_values(parl_status failure, const entry *e, const void *data) {
  for (size_t i = 0; i < e->tensor->n; i++) {
    float x;
    memcpy(&x, (const char *)data + i * sizeof x, sizeof x);
    if (!isfinite(x) || (e->is_square && x < 0.0F))
      return parl_fail(failure, "element %zu of tensor %s is %g", i, e->name, (double)x);
  }
  return PARL_STATUS_OK;
}

static parl_status write_entries(const char *path, const entries *e, const char *const *metadata,
                                 size_t n_pairs, char *sha256) {
  parl_tensor_info *infos = calloc(e->n, sizeof *infos);
  if (infos == NULL) return parl_fail(PARL_STATUS_ENOMEM, "checkpoint: no memory");
  for (size_t i = 0; i < e->n; i++) {
    const parl_model_tensor *t = e->items[i].tensor;
    infos[i] = (parl_tensor_info){.name = e->items[i].name,
                                  .dtype = PARL_DTYPE_F32,
                                  .data = e->items[i].values,
                                  .bytes = t->n * sizeof(float)};
    parl_model_tensor_set_shape(t, &infos[i]);
  }
  const parl_status s = parl_safetensors_write(path, infos, e->n, metadata, n_pairs, sha256);
  free(infos);
  return s;
}

static parl_status save(const char *path, const parl_checkpoint_meta *meta, entries *e,
                        parl_text *config, char *sha256) {
  const parl_optimizer *opt = e->opt;
  PARL_TRY(list_entries(e));
  PARL_TRY(read_values(e));
  for (size_t i = 0; i < e->n; i++)
    PARL_TRY(check_values(PARL_STATUS_ESTATE, &e->items[i], e->items[i].values));
  parl_json_writer w;
  parl_json_writer_init(&w, config, false);
  parl_config_write(&parl_model_section, parl_model_get_config(e->model), &w);
  PARL_TRY(parl_text_status(config));
  char steps[STEPS_BYTES] = "";
  if (opt != NULL) snprintf(steps, sizeof steps, "%lld", (long long)parl_optimizer_get_steps(opt));
  const char *const metadata[] = {"format",          FORMAT,
                                  "model",           parl_text_get(config),
                                  "vocab",           meta->vocab ? meta->vocab : "",
                                  "progress",        meta->progress ? meta->progress : "",
                                  "optimizer_steps", steps};
  const size_t n_pairs = sizeof metadata / sizeof metadata[0] / 2;
  return write_entries(path, e, metadata, opt != NULL ? n_pairs : n_pairs - 1, sha256);
}

parl_status parl_checkpoint_save(const char *path, parl_model *model, parl_optimizer *opt,
                                 const parl_checkpoint_meta *meta, char *sha256) {
  PARL_REQUIRE(path != NULL && model != NULL && meta != NULL);
  for (size_t i = 0; i < meta->n_kept; i++)
    PARL_REQUIRE(parl_model_get_n_params(meta->kept[i]) == parl_model_get_n_params(model));
  entries e = {.model = model, .opt = opt, .kept = meta->kept, .n_kept = meta->n_kept};
  parl_text config = {0};
  const parl_status s = save(path, meta, &e, &config, sha256);
  entries_deinit(&e);
  parl_text_deinit(&config);
  return parl_fail_context(s, "saving the checkpoint %s", path);
}

static parl_status get_metadata(const parl_safetensors *file, const char *key, const char **out) {
  const char *value = parl_safetensors_get_metadata(file, key);
  if (value == NULL)
    return parl_fail(PARL_STATUS_EFORMAT, "the file has no metadata \"%s\": not parl's", key);
  *out = value;
  return PARL_STATUS_OK;
}

static parl_status read_config(const parl_safetensors *file, parl_model_config *out) {
  const char *text = NULL;
  parl_json *json = NULL;
  PARL_TRY(get_metadata(file, "model", &text));
  PARL_TRY(parl_json_parse(text, strlen(text), "metadata \"model\"", &json));
  parl_config_set_defaults(&parl_model_section, out);
  const parl_status s = parl_config_read(&parl_model_section, json, "model", out);
  parl_json_destroy(json);
  if (s == PARL_STATUS_ENOMEM || s == PARL_STATUS_OK) return s;
  return parl_fail(PARL_STATUS_EFORMAT, "%s", parl_error_text());
}

static parl_status check_extension(const parl_model_config *theirs, const parl_model_config *ours) {
  parl_text fields = {0};
  if (ours->max_context < theirs->max_context)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "the file's model has model.max_context = %lld, which %lld does not extend",
                     (long long)theirs->max_context, (long long)ours->max_context);
  parl_engine_append_differences(&parl_model_section, theirs, ours, EXTENDED_FIELDS, &fields);
  parl_status s = parl_text_status(&fields);
  if (s == PARL_STATUS_OK && fields.n > 0)
    s = parl_fail(PARL_STATUS_EFORMAT,
                  "the file's model has %s; an extension changes model.max_context, "
                  "model.rope_factor and model.rope_original_context alone",
                  parl_text_get(&fields));
  parl_text_deinit(&fields);
  return s;
}

static parl_status check_config(const parl_safetensors *file, const parl_model_config *ours,
                                bool extends) {
  parl_model_config config;
  PARL_TRY(read_config(file, &config));
  if (extends) return check_extension(&config, ours);
  parl_text list = {0};
  parl_engine_append_differences(&parl_model_section, &config, ours, IGNORED_FIELDS, &list);
  parl_status s = parl_text_status(&list);
  if (s == PARL_STATUS_OK && list.n > 0)
    s = parl_fail(PARL_STATUS_EFORMAT, "the file's model has %s", parl_text_get(&list));
  parl_text_deinit(&list);
  return s;
}

static parl_status check_metadata(const parl_safetensors *file, const parl_model_config *config,
                                  bool extends, const char *vocab) {
  const char *format = NULL, *spoken = NULL, *digest = NULL;
  PARL_TRY(get_metadata(file, "format", &format));
  if (strcmp(format, FORMAT) == 0)
    PARL_TRY(get_metadata(file, PARL_SAFETENSORS_DIGEST, &digest)); /* if there, it was checked */
  else if (strcmp(format, OLDER_FORMAT) != 0)
    return parl_fail(PARL_STATUS_EFORMAT, "format \"%s\" is not \"%s\"", format, FORMAT);
  PARL_TRY(get_metadata(file, "vocab", &spoken));
  if (vocab != NULL && strcmp(vocab, spoken) != 0)
    return parl_fail(PARL_STATUS_EFORMAT, "the file speaks vocabulary \"%s\", not \"%s\"", spoken,
                     vocab);
  return check_config(file, config, extends);
}

static parl_status check_entry(const parl_safetensors *file, const entry *e) {
  const parl_tensor_info *info = parl_safetensors_find(file, e->name);
  const parl_model_tensor *t = e->tensor;
  if (info == NULL) return parl_fail(PARL_STATUS_EFORMAT, "tensor %s is missing", e->name);
  if (info->dtype != PARL_DTYPE_F32)
    return parl_fail(PARL_STATUS_EFORMAT, "tensor %s is %s; F32 is wanted", e->name,
                     parl_dtype_name(info->dtype));
  if (info->n_dims != t->n_dims)
    return parl_fail(PARL_STATUS_EFORMAT, "tensor %s has %d dimensions; %d are wanted", e->name,
                     info->n_dims, t->n_dims);
  for (int i = 0; i < t->n_dims; i++)
    if (info->shape[i] != (int64_t)t->shape[i])
      return parl_fail(PARL_STATUS_EFORMAT, "tensor %s has extent %lld in dimension %d, not %zu",
                       e->name, (long long)info->shape[i], i, t->shape[i]);
  return check_values(PARL_STATUS_EFORMAT, e, info->data);
}

static const char *skip_prefix(const char *name, const char *prefix) {
  const size_t n = strlen(prefix);
  return strncmp(name, prefix, n) == 0 ? name + n : name;
}

/* Behind "kept.<i>." */
static const char *skip_kept(const char *name) {
  const char *number = skip_prefix(name, KEPT_PREFIX);
  const size_t n = number == name ? 0 : strspn(number, "0123456789");
  return n > 0 && number[n] == '.' ? number + n + 1 : name;
}

static bool is_known(const parl_model *model, const char *name) {
  size_t n_tensors;
  const parl_model_tensor *tensors = parl_model_get_tensors(model, &n_tensors);
  const char *after_m = skip_prefix(name, M_PREFIX);
  const char *base = after_m != name ? after_m : skip_kept(skip_prefix(name, V_PREFIX));
  for (size_t i = 0; i < n_tensors; i++)
    if (strcmp(tensors[i].name, base) == 0) return true;
  return false;
}

static parl_status check_tensors(const parl_safetensors *file, const parl_model *model,
                                 const entries *e) {
  for (size_t i = 0; i < e->n; i++) PARL_TRY(check_entry(file, &e->items[i]));
  for (size_t i = 0; i < parl_safetensors_get_count(file); i++) {
    const char *name = parl_safetensors_get(file, i)->name;
    if (!is_known(model, name))
      return parl_fail(PARL_STATUS_EFORMAT, "tensor %s is not one of this model", name);
  }
  return PARL_STATUS_OK;
}

static parl_status read_steps(const parl_safetensors *file, int64_t *out) {
  const char *text = NULL;
  PARL_TRY(get_metadata(file, "optimizer_steps", &text));
  char *end;
  errno = 0;
  const long long steps = strtoll(text, &end, 10);
  if (end == text || *end != '\0' || errno != 0 || steps < 0)
    return parl_fail(PARL_STATUS_EFORMAT, "optimizer_steps \"%s\" is not a count", text);
  *out = steps;
  return PARL_STATUS_OK;
}

/* All checks come first; what follows fails only if the device does. */
static parl_status load(const parl_safetensors *file, const char *vocab, entries *e,
                        parl_text *progress) {
  parl_model *model = e->model;
  parl_optimizer *opt = e->opt;
  const char *text = NULL;
  int64_t steps = 0;
  PARL_TRY(check_metadata(file, parl_model_get_config(model), e->extends, vocab));
  PARL_TRY(get_metadata(file, "progress", &text));
  if (opt != NULL) PARL_TRY(read_steps(file, &steps));
  PARL_TRY(list_entries(e));
  PARL_TRY(check_tensors(file, model, e));
  parl_text_append(progress, text);
  PARL_TRY(parl_text_status(progress));
  for (size_t i = 0; i < e->n; i++) {
    const entry *item = &e->items[i];
    PARL_TRY(write_values(e, item, parl_safetensors_find(file, item->name)->data));
  }
  if (opt != NULL) parl_optimizer_set_steps(opt, steps);
  for (size_t i = 0; i < e->n_kept; i++) PARL_TRY(parl_model_refresh(e->kept[i]));
  return parl_model_refresh(model);
}

static parl_status check_hash(const parl_safetensors *file, const char *sha256) {
  char found[65];
  if (sha256[0] == '\0') return PARL_STATUS_OK;
  parl_safetensors_hash(file, found);
  if (strcmp(found, sha256) == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "another file is in its place: the SHA-256 was %.12s... and is %.12s...", sha256,
                   found);
}

/* *progress: the text that was read takes its place. */
static parl_status load_file(const char *path, const char *sha256, const char *vocab, entries e,
                             parl_text *progress) {
  parl_safetensors *file = NULL;
  PARL_TRY(parl_safetensors_open(path, &file));
  parl_text read = {0};
  parl_status s = check_hash(file, sha256);
  if (s == PARL_STATUS_OK) s = load(file, vocab, &e, &read);
  if (s == PARL_STATUS_OK && progress != NULL) {
    const parl_text old = *progress;
    *progress = read;
    read = old;
  }
  entries_deinit(&e);
  parl_text_deinit(&read);
  parl_safetensors_close(file);
  return parl_fail_context(s, "checkpoint %s", path);
}

parl_status parl_checkpoint_load_exact(const char *path, const char *sha256, const char *vocab,
                                       parl_model *model) {
  PARL_REQUIRE(path != NULL && sha256 != NULL && model != NULL);
  return load_file(path, sha256, vocab, (entries){.model = model}, NULL);
}

parl_status parl_checkpoint_load_extension(const char *path, const char *sha256, const char *vocab,
                                           parl_model *model) {
  PARL_REQUIRE(path != NULL && sha256 != NULL && model != NULL);
  return load_file(path, sha256, vocab, (entries){.model = model, .extends = true}, NULL);
}

parl_status parl_checkpoint_check(const char *path, const char *sha256, const char *vocab,
                                  const parl_model_config *config, bool extends) {
  PARL_REQUIRE(path != NULL && sha256 != NULL && config != NULL);
  parl_safetensors *file = NULL;
  PARL_TRY(parl_safetensors_open(path, &file));
  parl_status s = check_hash(file, sha256);
  if (s == PARL_STATUS_OK) s = check_metadata(file, config, extends, vocab);
  parl_safetensors_close(file);
  return parl_fail_context(s, "checkpoint %s", path);
}

parl_status parl_checkpoint_load(const char *path, parl_model *model, parl_optimizer *opt,
                                 const char *vocab, parl_text *progress) {
  return parl_checkpoint_load_kept(path, model, opt, NULL, 0, vocab, progress);
}

parl_status parl_checkpoint_load_kept(const char *path, parl_model *model, parl_optimizer *opt,
                                      parl_model *const *kept, size_t n_kept, const char *vocab,
                                      parl_text *progress) {
  PARL_REQUIRE(path != NULL && model != NULL);
  for (size_t i = 0; i < n_kept; i++)
    PARL_REQUIRE(parl_model_get_n_params(kept[i]) == parl_model_get_n_params(model));
  return load_file(path, "", vocab,
                   (entries){.model = model, .opt = opt, .kept = kept, .n_kept = n_kept}, progress);
}

static parl_status make_model(const parl_safetensors *file, const parl_backend *backend,
                              parl_model **out) {
  parl_model_config config;
  PARL_TRY(read_config(file, &config));
  const parl_tensor_info *table = parl_safetensors_find(file, "model.embed_tokens.weight");
  if (table == NULL || table->n_dims != 2)
    return parl_fail(PARL_STATUS_EFORMAT, "tensor model.embed_tokens.weight is missing");
  /* Before memory is asked for: a small file cannot hold the weights of a large config. */
  parl_shape shape;
  double n = 0.0;
  parl_status s = parl_shape_count(&config, (size_t)table->shape[0], &shape);
  for (size_t i = 0; i < parl_safetensors_get_count(file); i++)
    n += (double)parl_safetensors_get(file, i)->bytes / sizeof(float);
  if (s == PARL_STATUS_OK && n < shape.n_params)
    s = parl_fail(PARL_STATUS_EFORMAT, "the tensors have %.0f values, a model of this config %.0f",
                  n, shape.n_params);
  if (s == PARL_STATUS_OK)
    s = parl_model_create(&config, (size_t)table->shape[0], backend, NULL, out);
  return s == PARL_STATUS_EINVAL ? parl_fail(PARL_STATUS_EFORMAT, "%s", parl_error_text()) : s;
}

parl_status parl_checkpoint_open_model(const char *path, const parl_backend *backend,
                                       parl_model **out) {
  PARL_REQUIRE(path != NULL && backend != NULL && out != NULL);
  parl_safetensors *file = NULL;
  parl_model *model = NULL;
  PARL_TRY(parl_safetensors_open(path, &file));
  parl_status s = parl_fail_context(make_model(file, backend, &model), "checkpoint %s", path);
  parl_safetensors_close(file);
  if (s == PARL_STATUS_OK) s = parl_checkpoint_load(path, model, NULL, NULL, NULL);
  if (s == PARL_STATUS_OK)
    *out = model;
  else
    parl_model_destroy(model);
  return s;
}
