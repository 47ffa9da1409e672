/* core/media_config.c - preprocessor_config.json. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/media.h"

enum { MAX_FILE = 1 << 20 };

static const char FRAMES_LIMIT[] = "in_patch_limit_each_frame";

/* Settings that are only known in K2.5's way. */
static const char *const ONLY_NULL[] = {"fixed_output_tokens", "in_patch_limit_video",
                                        "max_num_frames_each_video"};
static const char TIME_MODE[] = "hh:mm:ss.fff";

parl_media_config parl_media_config_default(void) {
  return (parl_media_config){
#define X(name, key, value, low, high) .name = value,
      PARL_MEDIA_INT_LIST(X)
#undef X
          .fps = 2.0,
      .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}};
}

static parl_status read_number(const parl_json *node, const char *what, const char *key, double low,
                               double high, double *out) {
  const double x = parl_json_get_number(node);
  if (parl_json_get_type(node) != PARL_JSON_NUMBER || !(x >= low && x <= high))
    return parl_fail(PARL_STATUS_EINVAL, "%s: media_proc_cfg.%s must be a number from %g to %g",
                     what, key, low, high);
  *out = x;
  return PARL_STATUS_OK;
}

static parl_status read_int(const parl_json *cfg, const char *what, const char *key, int low,
                            int high, int *out) {
  const parl_json *node = parl_json_find(cfg, key);
  if (node == NULL) return PARL_STATUS_OK;
  double x = 0;
  PARL_TRY(read_number(node, what, key, low, high, &x));
  if (x != floor(x))
    return parl_fail(PARL_STATUS_EINVAL, "%s: media_proc_cfg.%s is %g, no integer", what, key, x);
  *out = (int)x;
  return PARL_STATUS_OK;
}

static parl_status read_channels(const parl_json *cfg, const char *what, const char *key,
                                 double low, double *out) {
  const parl_json *list = parl_json_find(cfg, key);
  if (list == NULL) return PARL_STATUS_OK;
  if (parl_json_get_type(list) != PARL_JSON_ARRAY || parl_json_get_size(list) != 3)
    return parl_fail(PARL_STATUS_EINVAL, "%s: media_proc_cfg.%s must be a list of 3 numbers", what,
                     key);
  for (const parl_json *x = parl_json_get_first(list); x != NULL; x = parl_json_get_next(x))
    PARL_TRY(read_number(x, what, key, low, 1e3, out++));
  return PARL_STATUS_OK;
}

static parl_status refuse_others(const parl_json *cfg, const char *what) {
  for (size_t i = 0; i < sizeof ONLY_NULL / sizeof ONLY_NULL[0]; i++)
    if (parl_json_get_type(parl_json_find(cfg, ONLY_NULL[i])) != PARL_JSON_NULL)
      return parl_fail(PARL_STATUS_EINVAL, "%s: media_proc_cfg.%s is not null, as K2.5 has it",
                       what, ONLY_NULL[i]);
  const parl_json *mode = parl_json_find(cfg, "timestamp_mode");
  const char *text = parl_json_get_string(mode);
  if (mode != NULL && (text == NULL || strcmp(text, TIME_MODE) != 0))
    return parl_fail(PARL_STATUS_EINVAL, "%s: media_proc_cfg.timestamp_mode must be \"%s\"", what,
                     TIME_MODE);
  return PARL_STATUS_OK;
}

parl_status parl_media_config_parse(const parl_json *root, const char *what,
                                    parl_media_config *out) {
  const parl_json *cfg = parl_json_find(root, "media_proc_cfg");
  if (parl_json_get_type(cfg) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "%s: has no object media_proc_cfg", what);
  parl_media_config config = parl_media_config_default();
  const parl_json *frames = parl_json_find(cfg, FRAMES_LIMIT);
  const int frames_as_images = frames != NULL && parl_json_get_type(frames) == PARL_JSON_NULL;
#define X(name, key, value, low, high)                     \
  if (!frames_as_images || strcmp(key, FRAMES_LIMIT) != 0) \
    PARL_TRY(read_int(cfg, what, key, low, high, &config.name));
  PARL_MEDIA_INT_LIST(X)
#undef X
  if (frames_as_images) config.max_patches_frame = config.max_patches;
  const parl_json *fps = parl_json_find(cfg, "sample_fps");
  if (fps != NULL) PARL_TRY(read_number(fps, what, "sample_fps", 1e-3, 1e3, &config.fps));
  PARL_TRY(read_channels(cfg, what, "image_mean", -1e3, config.mean));
  PARL_TRY(read_channels(cfg, what, "image_std", 1e-3, config.std));
  PARL_TRY(refuse_others(cfg, what));
  *out = config;
  return PARL_STATUS_OK;
}

parl_status parl_media_config_read(const char *path, parl_media_config *out) {
  char *bytes = NULL;
  size_t n = 0;
  parl_json *root = NULL;
  PARL_TRY(parl_file_read(path, MAX_FILE, &bytes, &n));
  parl_status s = parl_json_parse(bytes, n, path, &root);
  if (s == PARL_STATUS_OK) s = parl_media_config_parse(root, path, out);
  parl_json_destroy(root);
  free(bytes);
  return s;
}

static void put_channels(parl_json_writer *w, const char *key, const double *x) {
  parl_json_key(w, key);
  parl_json_begin_array(w);
  for (int c = 0; c < 3; c++) parl_json_number(w, x[c]);
  parl_json_end_array(w);
}

void parl_media_config_append(const parl_media_config *config, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, true);
  parl_json_begin_object(&w);
  parl_json_key(&w, "media_proc_cfg");
  parl_json_begin_object(&w);
#define X(name, name_in_file, value, low, high) \
  parl_json_key(&w, name_in_file);              \
  parl_json_integer(&w, config->name);
  PARL_MEDIA_INT_LIST(X)
#undef X
  parl_json_key(&w, "sample_fps");
  parl_json_number(&w, config->fps);
  put_channels(&w, "image_mean", config->mean);
  put_channels(&w, "image_std", config->std);
  for (size_t i = 0; i < sizeof ONLY_NULL / sizeof ONLY_NULL[0]; i++) {
    parl_json_key(&w, ONLY_NULL[i]);
    parl_json_null(&w);
  }
  parl_json_key(&w, "timestamp_mode");
  parl_json_string(&w, TIME_MODE);
  parl_json_end_object(&w);
  parl_json_end_object(&w);
  parl_text_append(out, "\n");
}
