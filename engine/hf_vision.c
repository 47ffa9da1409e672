/* engine/hf_vision.c - a published vision_config: both spellings of its keys, one way to compute.
 *
 * A key may carry "vt_" (the tower's sizes) or "init_" (the position grid's), as Kimi published
 * them, or neither, as transformers and vLLM have them. What is absent is as in Kimi K2.5.
 * Source: k25 5.2; vision 2. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/hf_internal.h"

static const struct key {
  const char *prefix, *name;
  size_t offset;
} KEYS[] = {
    {"vt_", "num_hidden_layers", offsetof(parl_vision_config, n_layers)},
    {"vt_", "hidden_size", offsetof(parl_vision_config, d_model)},
    {"vt_", "num_attention_heads", offsetof(parl_vision_config, n_heads)},
    {"vt_", "intermediate_size", offsetof(parl_vision_config, d_ff)},
    {"", "patch_size", offsetof(parl_vision_config, patch)},
    {"init_", "pos_emb_height", offsetof(parl_vision_config, grid_height)},
    {"init_", "pos_emb_width", offsetof(parl_vision_config, grid_width)},
    {"init_", "pos_emb_time", offsetof(parl_vision_config, max_frames)},
};
enum { N_KEYS = sizeof KEYS / sizeof KEYS[0], KEY_BYTES = 64 };

/* What is computed in one way only; other towers, Kimi K3's among them, are refused by these. */
static const struct {
  const char *key, *value;
  bool is_written;
} TEXTS[] = {{"pos_emb_type", "divided_fixed", true},
             {"merge_type", "sd2_tpool", true},
             {"video_attn_type", "spatial_temporal", true},
             {"mm_projector_type", "patchmerger", true},
             {"projector_hidden_act", "gelu", true},
             {"hidden_act", "gelu_pytorch_tanh", true},
             {"activation_func", "gelu_pytorch_tanh", false},
             {"norm_type", "layernorm", false},
             {"interpolation_mode", "bicubic", false},
             {"pos_emb_interpolation_mode", "bicubic", false}};
static const char *const BIASES[] = {"attn_bias", "linear_bias", "patch_embed_proj_bias"};
enum { N_TEXTS = sizeof TEXTS / sizeof TEXTS[0], N_BIASES = sizeof BIASES / sizeof BIASES[0] };
static const char *const OTHERS[] = {
    "merge_kernel_size", "mm_hidden_size",  "text_hidden_size",           "qkv_hidden_size",
    "projector_ln_eps",  "rope_parameters", "interpolation_align_corners"};
enum { N_OTHERS = sizeof OTHERS / sizeof OTHERS[0] };

static parl_status check_keys(const parl_json *json) {
  char prefixed[N_KEYS][KEY_BYTES];
  const char *names[2 * N_KEYS + N_TEXTS + N_BIASES + N_OTHERS];
  size_t n = 0;
  for (size_t i = 0; i < N_KEYS; i++) {
    snprintf(prefixed[i], KEY_BYTES, "%s%s", KEYS[i].prefix, KEYS[i].name);
    names[n++] = prefixed[i];
    if (KEYS[i].prefix[0] != '\0') names[n++] = KEYS[i].name;
  }
  for (size_t i = 0; i < N_TEXTS; i++) names[n++] = TEXTS[i].key;
  for (size_t i = 0; i < N_BIASES; i++) names[n++] = BIASES[i];
  for (size_t i = 0; i < N_OTHERS; i++) names[n++] = OTHERS[i];
  return parl_hf_check_misspelt(json, names, n);
}

static parl_status read_key(const parl_json *json, const struct key *k, parl_vision_config *c) {
  char prefixed[KEY_BYTES];
  int64_t n;
  memcpy(&n, (const char *)c + k->offset, sizeof n);
  double published = (double)NAN, plain = (double)NAN;
  snprintf(prefixed, sizeof prefixed, "%s%s", k->prefix, k->name);
  PARL_TRY(parl_hf_read_optional(json, prefixed, &published));
  PARL_TRY(parl_hf_read_optional(json, k->name, &plain));
  if (isnan(published) && isnan(plain)) return PARL_STATUS_OK;
  const double x = isnan(published) ? plain : published;
  if (!isnan(plain) && (plain < x || plain > x))
    return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" = %g differs from \"%s\" = %g", prefixed, x,
                     k->name, plain);
  if (!(x >= 1.0 && x <= 65536.0) || floor(x) < x)
    return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" = %g is no count in [1, 65536]", prefixed, x);
  n = (int64_t)x;
  memcpy((char *)c + k->offset, &n, sizeof n);
  return PARL_STATUS_OK;
}

static parl_status check_number(const parl_json *json, const char *key, double wanted) {
  double x = wanted;
  PARL_TRY(parl_hf_read_optional(json, key, &x));
  if (x >= wanted && x <= wanted) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" = %g; only %g is supported", key, x, wanted);
}

static parl_status check_merge(const parl_json *json) {
  const parl_json *merge = parl_json_find(json, "merge_kernel_size");
  if (parl_hf_is_absent(merge)) return PARL_STATUS_OK;
  bool is_two = parl_json_get_type(merge) == PARL_JSON_ARRAY && parl_json_get_size(merge) == 2;
  for (const parl_json *c = is_two ? parl_json_get_first(merge) : NULL; c != NULL;
       c = parl_json_get_next(c))
    is_two = is_two && parl_json_get_type(c) == PARL_JSON_NUMBER &&
             fabs(parl_json_get_number(c) - 2.0) <= 0.0;
  if (is_two) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "\"merge_kernel_size\" is not [2, 2], the only one that is supported");
}

/* Sizes that follow from others, and numbers that are constants here. */
static parl_status check_numbers(const parl_json *root, const parl_json *json, int64_t d_model,
                                 const parl_vision_config *v) {
  const double D = (double)v->d_model;
  PARL_TRY(check_number(json, "mm_hidden_size", D));
  PARL_TRY(check_number(json, "qkv_hidden_size", D));
  PARL_TRY(check_number(json, "text_hidden_size", (double)d_model));
  PARL_TRY(check_number(root, "projection_hidden_size", D));
  PARL_TRY(check_number(json, "projector_ln_eps", 1e-5));
  PARL_TRY(check_number(root, "projection_layer_norm_eps", 1e-5));
  return check_number(parl_json_find(json, "rope_parameters"), "rope_theta", 10000.0);
}

static parl_status read_tower(const parl_json *root, const parl_json *json, int64_t d_model,
                              parl_vision_config *v) {
  if (parl_json_get_type(json) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EFORMAT, "an object is wanted, not a %s",
                     parl_json_type_name(parl_json_get_type(json)));
  PARL_TRY(check_keys(json));
  for (size_t i = 0; i < N_TEXTS; i++)
    PARL_TRY(parl_hf_check_text(json, TEXTS[i].key, TEXTS[i].value));
  for (size_t i = 0; i < N_BIASES; i++) PARL_TRY(parl_hf_check_flag(json, BIASES[i], true));
  PARL_TRY(parl_hf_check_flag(json, "interpolation_align_corners", false));
  PARL_TRY(check_merge(json));
  for (size_t i = 0; i < N_KEYS; i++) PARL_TRY(read_key(json, &KEYS[i], v));
  return check_numbers(root, json, d_model, v);
}

parl_status parl_hf_vision_read(const parl_json *root, parl_model_config *config) {
  const parl_json *json = parl_json_find(root, "vision_config");
  if (parl_hf_is_absent(json)) return PARL_STATUS_OK;
  parl_vision_config v = parl_hf_vision_k25();
  PARL_TRY(parl_fail_context(read_tower(root, json, config->d_model, &v), "vision_config"));
  double also = -1.0;
  PARL_TRY(parl_hf_read_optional(root, "image_token_id", &also));
  double token = also;
  PARL_TRY(parl_hf_read_optional(root, "media_placeholder_token_id", &token));
  if (!(token >= -1.0 && token <= INT32_MAX) || floor(token) < token)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "\"media_placeholder_token_id\" or \"image_token_id\" = %g is no token",
                     token);
  if (also >= 0 && (also < token || also > token))
    return parl_fail(PARL_STATUS_EFORMAT,
                     "\"media_placeholder_token_id\" = %g, but \"image_token_id\" = %g", token,
                     also);
  v.media_token = (int64_t)token;
  config->vision = v;
  return PARL_STATUS_OK;
}

static void write_integer(parl_json_writer *w, const char *key, int64_t x) {
  parl_json_key(w, key);
  parl_json_integer(w, x);
}

void parl_hf_vision_write(const parl_model_config *config, parl_json_writer *w) {
  const parl_vision_config *v = &config->vision;
  if (v->media_token >= 0) {
    write_integer(w, "media_placeholder_token_id", v->media_token);
    write_integer(w, "image_token_id", v->media_token);
  }
  write_integer(w, "projection_hidden_size", v->d_model);
  parl_json_key(w, "vision_config");
  parl_json_begin_object(w);
  for (size_t i = 0; i < N_KEYS; i++) {
    char prefixed[KEY_BYTES];
    int64_t n;
    memcpy(&n, (const char *)v + KEYS[i].offset, sizeof n);
    snprintf(prefixed, sizeof prefixed, "%s%s", KEYS[i].prefix, KEYS[i].name);
    write_integer(w, prefixed, n);
    if (KEYS[i].prefix[0] != '\0') write_integer(w, KEYS[i].name, n);
  }
  for (size_t i = 0; i < N_TEXTS; i++) {
    if (!TEXTS[i].is_written) continue;
    parl_json_key(w, TEXTS[i].key);
    parl_json_string(w, TEXTS[i].value);
  }
  parl_json_key(w, "merge_kernel_size");
  parl_json_begin_array(w);
  parl_json_integer(w, 2);
  parl_json_integer(w, 2);
  parl_json_end_array(w);
  write_integer(w, "mm_hidden_size", v->d_model);
  write_integer(w, "text_hidden_size", config->d_model);
  parl_json_key(w, "projector_ln_eps");
  parl_json_number(w, 1e-5);
  parl_json_end_object(w);
}
