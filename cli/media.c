/* cli/media.c - pictures by their first bytes, everything else as safetensors. */
#include "cli/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/media.h"
#include "core/safetensors.h"

enum { PATH_BYTES = CLI_PATH_BYTES, MERGE = 2 };

/* *p [n + more] of so many bytes each. */
static parl_status grow(void *p, size_t n, size_t more, size_t bytes) {
  void *old, *grown;
  size_t total;
  memcpy(&old, p, sizeof old);
  if (__builtin_mul_overflow(n + more, bytes, &total))
    return parl_fail(PARL_STATUS_ENOMEM, "media: too large");
  grown = realloc(old, total > 0 ? total : 1);
  if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "media: no memory");
  memcpy(p, &grown, sizeof grown);
  return PARL_STATUS_OK;
}

/* Checks the items and adds them, with `n_patches` patches that the file says it has. */
static parl_status append(const parl_model *model, const int64_t *grid, size_t n_items,
                          const float *pixels, size_t n_patches, cli_media *out) {
  const size_t patch = (size_t)parl_model_get_config(model)->vision.patch;
  const size_t width = 3 * patch * patch;
  const parl_vision_items items = {n_items, grid, pixels};
  const parl_status s = parl_vision_check(model, &items);
  if (s != PARL_STATUS_OK) return parl_fail(PARL_STATUS_EFORMAT, "%s", parl_error_text());
  if (parl_vision_count_patches(&items) != n_patches)
    return parl_fail(PARL_STATUS_EFORMAT, "there are %zu patches, but the grids have %zu",
                     n_patches, parl_vision_count_patches(&items));
  PARL_TRY(grow(&out->grid, 3 * out->items.n_items, 3 * n_items, sizeof *grid));
  PARL_TRY(grow(&out->pixels, out->n_patches * width, n_patches * width, sizeof *pixels));
  memcpy(out->grid + 3 * out->items.n_items, grid, 3 * n_items * sizeof *grid);
  memcpy(out->pixels + out->n_patches * width, pixels, n_patches * width * sizeof *pixels);
  out->n_patches += n_patches;
  out->items = (parl_vision_items){out->items.n_items + n_items, out->grid, out->pixels};
  return PARL_STATUS_OK;
}

/* --------------------------------------------------------------------------- safetensors */

static parl_status find(const parl_safetensors *file, const char *name, parl_dtype dtype,
                        const int64_t *shape, int n_dims, const parl_tensor_info **out) {
  const parl_tensor_info *info = parl_safetensors_find(file, name);
  if (info == NULL) return parl_fail(PARL_STATUS_EFORMAT, "tensor %s is missing", name);
  bool fits = info->dtype == dtype && info->n_dims == n_dims;
  for (int i = 0; fits && i < n_dims; i++) fits = shape[i] < 0 || info->shape[i] == shape[i];
  if (!fits)
    return parl_fail(PARL_STATUS_EFORMAT, "tensor %s is not %s, of %d dimensions of the right size",
                     name, parl_dtype_name(dtype), n_dims);
  *out = info;
  return PARL_STATUS_OK;
}

static parl_status read_grid(const parl_safetensors *file, int64_t **grid, size_t *n_items) {
  const int64_t shape[] = {-1, 3};
  const parl_tensor_info *info = parl_safetensors_find(file, "grid_thw");
  const bool is_short = info != NULL && info->dtype == PARL_DTYPE_I32;
  PARL_TRY(find(file, "grid_thw", is_short ? PARL_DTYPE_I32 : PARL_DTYPE_I64, shape, 2, &info));
  *n_items = (size_t)info->shape[0];
  PARL_TRY(grow(grid, 0, 3 * *n_items, sizeof **grid));
  for (size_t i = 0; i < 3 * *n_items; i++) {
    int32_t x = 0;
    if (is_short) memcpy(&x, (const char *)info->data + i * sizeof x, sizeof x);
    (*grid)[i] = x;
    if (!is_short) memcpy(&(*grid)[i], (const char *)info->data + i * sizeof **grid, sizeof **grid);
  }
  return PARL_STATUS_OK;
}

static parl_status append_cotangent(const parl_safetensors *file, size_t rows, size_t C,
                                    cli_media *out) {
  const int64_t shape[] = {(int64_t)rows, (int64_t)C};
  const parl_tensor_info *info;
  if (parl_safetensors_find(file, "cotangent") == NULL) return PARL_STATUS_OK;
  PARL_TRY(find(file, "cotangent", PARL_DTYPE_F32, shape, 2, &info));
  PARL_TRY(grow(&out->cotangent, out->n_cotangent * C, rows * C, sizeof(float)));
  memcpy(out->cotangent + out->n_cotangent * C, info->data, info->bytes);
  out->n_cotangent += rows;
  return PARL_STATUS_OK;
}

static parl_status read_tensors(const char *path, const parl_model *model, cli_media *out) {
  const parl_model_config *c = parl_model_get_config(model);
  const int64_t shape[] = {-1, 3, c->vision.patch, c->vision.patch};
  const parl_tensor_info *info;
  parl_safetensors *file = NULL;
  int64_t *grid = NULL;
  size_t n_items = 0;
  PARL_TRY(parl_safetensors_open(path, &file));
  parl_status s = read_grid(file, &grid, &n_items);
  if (s == PARL_STATUS_OK) s = find(file, "pixel_values", PARL_DTYPE_F32, shape, 4, &info);
  if (s == PARL_STATUS_OK)
    s = append(model, grid, n_items, info->data, (size_t)info->shape[0], out);
  const parl_vision_items items = {n_items, grid, NULL};
  if (s == PARL_STATUS_OK)
    s = append_cotangent(file, parl_vision_count_rows(&items), (size_t)c->d_model, out);
  free(grid);
  parl_safetensors_close(file);
  return s;
}

/* ------------------------------------------------------------------------------ pictures */

static bool is_picture(const char *path) {
  char start[8];
  FILE *file = fopen(path, "rb");
  const size_t n = file != NULL ? fread(start, 1, sizeof start, file) : 0;
  if (file != NULL) fclose(file);
  return parl_image_is(start, n);
}

/* How the folder says that pictures are prepared. */
static parl_status read_settings(const char *folder, const parl_model *model,
                                 parl_media_config *out) {
  char path[PATH_BYTES];
  const int64_t patch = parl_model_get_config(model)->vision.patch;
  *out = parl_media_config_default();
  out->patch = (int)patch;
  PARL_TRY(parl_file_join(path, sizeof path, folder, "preprocessor_config.json"));
  if (parl_file_exists(path)) PARL_TRY(parl_media_config_read(path, out));
  if (out->patch == patch && out->merge == MERGE) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "%s: patch_size %d and merge_kernel_size %d; the tower has %lld and %d", path,
                   out->patch, out->merge, (long long)patch, MERGE);
}

static parl_status read_picture(const char *path, const char *folder, const parl_model *model,
                                cli_media *out) {
  parl_image image = {0};
  parl_media_config config;
  parl_media media;
  PARL_TRY(read_settings(folder, model, &config));
  PARL_TRY(parl_image_read(path, NULL, &image));
  parl_media_init(&media, &config);
  parl_status s = parl_media_add_image(&media, &image);
  if (s == PARL_STATUS_OK)
    s = append(model, media.grid_thw, media.n_items, media.pixels, media.n_patches, out);
  parl_media_deinit(&media);
  parl_image_deinit(&image);
  return s;
}

static parl_status read_one(const char *path, const char *folder, const parl_model *model,
                            cli_media *out) {
  const parl_status s =
      is_picture(path) ? read_picture(path, folder, model, out) : read_tensors(path, model, out);
  return parl_fail_context(s, "%s", path);
}

parl_status cli_media_read(const cli_args *args, const parl_model *model, cli_media *out) {
  if (args->n_media > 0) PARL_TRY(parl_vision_check(model, &out->items));
  for (size_t i = 0; i < args->n_media; i++)
    PARL_TRY(read_one(args->media[i], args->operands[0], model, out));
  const size_t rows = parl_vision_count_rows(&out->items);
  if (out->cotangent == NULL || out->n_cotangent == rows) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "--media: %zu rows of cotangent for %zu of features",
                   out->n_cotangent, rows);
}

void cli_media_deinit(cli_media *media) {
  free(media->pixels);
  free(media->grid);
  free(media->cotangent);
}
