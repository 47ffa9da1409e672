/* parl/run/origin.c - the progress of a checkpoint, written and read. */
#include "parl/run/origin.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/safetensors.h"

void parl_origin_write(const parl_origin_def *def, parl_json_writer *w) {
  parl_json_key(w, "uid");
  parl_json_string(w, def->uid);
  parl_json_key(w, "arm");
  parl_json_string(w, def->arm);
  parl_json_key(w, "seed");
  parl_json_integer(w, def->seed);
  parl_json_key(w, "update");
  parl_json_integer(w, def->update);
  parl_json_key(w, "warm");
  parl_json_string(w, def->warm);
  parl_json_key(w, "config");
  parl_json_raw(w, def->config);
}

void parl_origin_write_warm(int64_t seed, parl_json_writer *w) {
  parl_json_key(w, "is_warm_start");
  parl_json_bool(w, true);
  parl_json_key(w, "seed");
  parl_json_integer(w, seed);
}

/* The text of a member if it fits; "" otherwise. */
static void get_text(const parl_json *root, const char *key, char *out, size_t n) {
  const char *text = parl_json_get_string(parl_json_find(root, key));
  snprintf(out, n, "%s", text != NULL && strlen(text) < n ? text : "");
}

/* A whole number in the range of seeds; 0 otherwise. */
static int64_t get_count(const parl_json *root, const char *key) {
  const double x = parl_json_get_number(parl_json_find(root, key));
  return x >= 0 && x <= 0x1p53 ? (int64_t)x : 0;
}

static parl_status read_progress(const char *text, const char *path, parl_origin *out) {
  parl_json *root = NULL;
  PARL_TRY(parl_json_parse(text, strlen(text), path, &root));
  get_text(root, "uid", out->uid, sizeof out->uid);
  get_text(root, "arm", out->arm, sizeof out->arm);
  get_text(root, "warm", out->warm, sizeof out->warm);
  out->seed = get_count(root, "seed");
  out->update = get_count(root, "update");
  out->is_warm = parl_json_get_bool(parl_json_find(root, "is_warm_start"));
  const parl_json *config = parl_json_find(root, "config");
  parl_status s = PARL_STATUS_OK;
  if (parl_json_get_type(config) == PARL_JSON_OBJECT) s = parl_json_copy(config, &out->config);
  out->is_run = out->uid[0] != '\0' && out->arm[0] != '\0' && out->config != NULL;
  if (strchr(out->warm, '/') != NULL) out->warm[0] = '\0'; /* it lies beside, nowhere else */
  parl_json_destroy(root);
  return s;
}

parl_status parl_origin_read(const char *path, parl_origin *out) {
  parl_safetensors *file = NULL;
  PARL_TRY(parl_safetensors_open(path, &file));
  parl_origin o = {0};
  const char *progress = parl_safetensors_get_metadata(file, "progress");
  parl_status s = PARL_STATUS_OK;
  if (progress != NULL && progress[0] != '\0') s = read_progress(progress, path, &o);
  parl_safetensors_close(file);
  if (s == PARL_STATUS_OK)
    *out = o;
  else
    parl_origin_deinit(&o);
  return s;
}

void parl_origin_deinit(parl_origin *origin) {
  parl_json_destroy(origin->config);
  *origin = (parl_origin){0};
}

void parl_origin_get_sub_path(const parl_origin *origin, const char *path, char *out, size_t n) {
  const char *slash = strrchr(path, '/');
  const int folder = slash != NULL ? (int)(slash - path) + 1 : 0;
  int length = -1;
  if (origin->is_warm) length = snprintf(out, n, "%s", path);
  if (origin->is_run && origin->warm[0] != '\0')
    length = snprintf(out, n, "%.*s%s", folder, path, origin->warm);
  if (length < 0 || (size_t)length >= n || !parl_file_exists(out)) out[0] = '\0';
}
