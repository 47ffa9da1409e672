/* engine/hf_config.c - keys by table, read and written, then the few that need words. */
#include "engine/hf_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/foreign.h"
#include "core/json.h"
#include "engine/hf_internal.h"
#include "engine/model_internal.h"

enum { MAX_BYTES = 16 << 20 };

typedef enum need { ALWAYS, IF_MLA, IF_MOE, OPTIONAL } need;

/* A number of the file and its place in parl_model_config; all but ALWAYS are unknown to llama. */
static const struct key {
  const char *name;
  bool is_real;
  need need;
  size_t offset;
} KEYS[] = {
#define INTEGER(name, need, field) \
  { name, false, need, offsetof(parl_model_config, field) }
#define REAL(name, need, field) \
  { name, true, need, offsetof(parl_model_config, field) }
    INTEGER("num_hidden_layers", ALWAYS, n_layers),
    INTEGER("hidden_size", ALWAYS, d_model),
    INTEGER("num_attention_heads", ALWAYS, n_heads),
    INTEGER("intermediate_size", ALWAYS, d_ff),
    INTEGER("max_position_embeddings", ALWAYS, max_context),
    REAL("rms_norm_eps", ALWAYS, norm_eps),
    INTEGER("kv_lora_rank", IF_MLA, kv_lora_rank),
    INTEGER("qk_nope_head_dim", IF_MLA, qk_nope_head_dim),
    INTEGER("qk_rope_head_dim", IF_MLA, qk_rope_head_dim),
    INTEGER("v_head_dim", IF_MLA, v_head_dim),
    INTEGER("num_experts_per_tok", IF_MOE, n_experts_per_tok),
    INTEGER("n_shared_experts", IF_MOE, n_shared_experts),
    INTEGER("moe_intermediate_size", IF_MOE, moe_d_ff),
    INTEGER("first_k_dense_replace", IF_MOE, first_k_dense),
    REAL("routed_scaling_factor", IF_MOE, routed_scaling_factor),
    INTEGER("n_group", OPTIONAL, n_group),
    INTEGER("topk_group", OPTIONAL, topk_group),
    REAL("aux_loss_alpha", OPTIONAL, aux_loss_alpha),
#undef INTEGER
#undef REAL
};
enum { N_KEYS = sizeof KEYS / sizeof KEYS[0] };

static bool is_wanted(const struct key *k, const parl_model_config *c) {
  if (k->need == ALWAYS) return true;
  if (c->attention != PARL_ATTENTION_MLA) return false;
  return k->need != IF_MOE || c->n_routed_experts > 0;
}

bool parl_hf_is_absent(const parl_json *node) {
  return parl_json_get_type(node) == PARL_JSON_NULL;
}

static parl_status read_number(const parl_json *object, const char *key, double *out) {
  const parl_json *node = parl_json_find(object, key);
  if (node == NULL) return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" is missing", key);
  if (parl_json_get_type(node) != PARL_JSON_NUMBER)
    return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" is a %s; a number is wanted", key,
                     parl_json_type_name(parl_json_get_type(node)));
  *out = parl_json_get_number(node);
  return PARL_STATUS_OK;
}

static parl_status read_count(const parl_json *object, const char *key, int64_t *out) {
  double x = 0.0;
  PARL_TRY(read_number(object, key, &x));
  if (!(x >= 0.0 && x <= 9007199254740992.0) || floor(x) < x)
    return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" = %g is no count", key, x);
  *out = (int64_t)x;
  return PARL_STATUS_OK;
}

/* Leaves *out alone if the key is absent or null. */
parl_status parl_hf_read_optional(const parl_json *object, const char *key, double *out) {
  return parl_hf_is_absent(parl_json_find(object, key)) ? PARL_STATUS_OK
                                                        : read_number(object, key, out);
}

static parl_status read_key(const parl_json *json, const struct key *k, parl_model_config *c) {
  char *place = (char *)c + k->offset;
  if (k->need == OPTIONAL && parl_hf_is_absent(parl_json_find(json, k->name)))
    return PARL_STATUS_OK;
  if (k->is_real) {
    double x = 0.0;
    PARL_TRY(read_number(json, k->name, &x));
    memcpy(place, &x, sizeof x);
  } else {
    int64_t n = 0;
    PARL_TRY(read_count(json, k->name, &n));
    memcpy(place, &n, sizeof n);
  }
  return PARL_STATUS_OK;
}

/* Keys that are read by name, beside KEYS. */
static const char *const NAMED_KEYS[] = {"model_type",
                                         "text_config",
                                         "quantization_config",
                                         "hidden_act",
                                         "tie_word_embeddings",
                                         "attention_bias",
                                         "mlp_bias",
                                         "scoring_func",
                                         "topk_method",
                                         "rope_interleave",
                                         "moe_layer_freq",
                                         "num_key_value_heads",
                                         "head_dim",
                                         "rope_parameters",
                                         "rope_scaling",
                                         "rope_theta",
                                         "n_routed_experts",
                                         "norm_topk_prob",
                                         "q_lora_rank",
                                         "initializer_range",
                                         "vocab_size",
                                         "num_nextn_predict_layers",
                                         "pad_token_id",
                                         "vision_config",
                                         "media_placeholder_token_id",
                                         "image_token_id"};
enum { N_NAMED_KEYS = sizeof NAMED_KEYS / sizeof NAMED_KEYS[0] };
static const char *const ROPE_KEYS[] = {"rope_type",        "type",
                                        "rope_theta",       "partial_rotary_factor",
                                        "factor",           "original_max_position_embeddings",
                                        "beta_fast",        "beta_slow",
                                        "mscale",           "mscale_all_dim",
                                        "attention_factor", "truncate"};

static parl_status check_keys(const parl_json *json) {
  const char *names[N_KEYS + N_NAMED_KEYS];
  size_t n = 0;
  for (size_t i = 0; i < N_KEYS; i++) names[n++] = KEYS[i].name;
  for (size_t i = 0; i < N_NAMED_KEYS; i++) names[n++] = NAMED_KEYS[i];
  return parl_hf_check_misspelt(json, names, n);
}

/* What deepseek_v3 computes in one way only; absent, or these. */
static const struct {
  const char *key, *value;
} FIXED_TEXTS[] = {{"scoring_func", "sigmoid"}, {"topk_method", "noaux_tc"}};

/* A key that may be absent, or must be this text. */
parl_status parl_hf_check_text(const parl_json *json, const char *key, const char *wanted) {
  const parl_json *node = parl_json_find(json, key);
  if (parl_hf_is_absent(node)) return PARL_STATUS_OK;
  const char *text = parl_json_get_string(node);
  if (text != NULL && strcmp(text, wanted) == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" is not \"%s\", the only one that is supported", key,
                   wanted);
}

/* A key that may be absent, or must be this flag. */
parl_status parl_hf_check_flag(const parl_json *json, const char *key, bool wanted) {
  const parl_json *node = parl_json_find(json, key);
  if (parl_hf_is_absent(node)) return PARL_STATUS_OK;
  if (parl_json_get_type(node) == PARL_JSON_BOOL && parl_json_get_bool(node) == wanted)
    return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" is not %s, the only value that is supported", key,
                   wanted ? "true" : "false");
}

static parl_status check_one(const parl_json *json, const char *key) {
  double x = 1.0;
  PARL_TRY(parl_hf_read_optional(json, key, &x));
  if (x >= 1.0 && x <= 1.0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" = %g; only 1 is supported", key, x);
}

/* *attention, unless NULL, is what the kind of model has. */
static parl_status check_kind(const parl_json *json, int *attention) {
  static const struct {
    const char *name;
    parl_attention attention;
  } kinds[] = {{"deepseek_v3", PARL_ATTENTION_MLA},
               {"kimi_k2", PARL_ATTENTION_MLA},
               {"kimi_k25", PARL_ATTENTION_MLA},
               {"llama", PARL_ATTENTION_GQA}};
  const char *type = parl_json_get_string(parl_json_find(json, "model_type"));
  for (size_t i = 0; type != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
    if (strcmp(type, kinds[i].name) != 0) continue;
    if (attention != NULL) *attention = (int)kinds[i].attention;
    return PARL_STATUS_OK;
  }
  return parl_fail(PARL_STATUS_EFORMAT,
                   "\"model_type\" is %s%s%s; deepseek_v3, kimi_k2, kimi_k25 and llama are "
                   "supported",
                   type ? "\"" : "", type ? type : "missing", type ? "\"" : "");
}

static parl_status check_unquantised(const parl_json *json) {
  if (parl_hf_is_absent(parl_json_find(json, "quantization_config"))) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "\"quantization_config\": quantised weights are not supported");
}

/* Latents are expanded for every head, so keys are as many. */
static parl_status check_latent_heads(const parl_json *json) {
  double heads = 0.0, kv_heads = 0.0;
  PARL_TRY(read_number(json, "num_attention_heads", &heads));
  kv_heads = heads;
  PARL_TRY(parl_hf_read_optional(json, "num_key_value_heads", &kv_heads));
  if (kv_heads >= heads && kv_heads <= heads) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "\"num_key_value_heads\" = %g differs from \"num_attention_heads\" = %g",
                   kv_heads, heads);
}

/* What the engine does in one way only. */
static parl_status check_choices(const parl_json *json, bool is_mla) {
  PARL_TRY(check_unquantised(json));
  PARL_TRY(parl_hf_check_text(json, "hidden_act", "silu"));
  PARL_TRY(parl_hf_check_flag(json, "tie_word_embeddings", false));
  PARL_TRY(parl_hf_check_flag(json, "attention_bias", false));
  if (!is_mla) return parl_hf_check_flag(json, "mlp_bias", false);
  for (size_t i = 0; i < sizeof FIXED_TEXTS / sizeof FIXED_TEXTS[0]; i++)
    PARL_TRY(parl_hf_check_text(json, FIXED_TEXTS[i].key, FIXED_TEXTS[i].value));
  PARL_TRY(parl_hf_check_flag(json, "rope_interleave", true));
  PARL_TRY(check_one(json, "moe_layer_freq"));
  return check_latent_heads(json);
}

static double make_mscale(double factor, double weight) {
  return 0.1 * weight * log(fmax(factor, 1.0)) + 1.0;
}

/* cos and sin take m(mscale) / m(mscale_all_dim) if both are there, else m(1), where
 * m(s) = 0.1 s ln(factor) + 1; a given attention_factor replaces it. The scores take
 * m(mscale_all_dim)^2, but not in llama.
 * Source: transformers 5.23, _compute_yarn_parameters, yarn_apply_mscale. */
static parl_status read_mscale(const parl_json *rope, parl_model_config *c) {
  double one = 0.0, all = 0.0;
  PARL_TRY(parl_hf_read_optional(rope, "mscale", &one));
  PARL_TRY(parl_hf_read_optional(rope, "mscale_all_dim", &all));
  c->rope_mscale = one;
  c->rope_mscale_all_dim = all;
  c->rope_attention_factor = 0.0;
  if (!(fabs(one) > 0.0 && fabs(all) > 0.0))
    c->rope_attention_factor = make_mscale(c->rope_factor, 1.0);
  else if (c->attention != PARL_ATTENTION_MLA)
    c->rope_attention_factor = make_mscale(c->rope_factor, one) / make_mscale(c->rope_factor, all);
  if (c->attention != PARL_ATTENTION_MLA) c->rope_mscale_all_dim = 0.0;
  PARL_TRY(parl_hf_read_optional(rope, "attention_factor", &c->rope_attention_factor));
  if (c->rope_factor > 1.0 || c->rope_attention_factor <= 0.0 ||
      (c->rope_attention_factor >= 1.0 && c->rope_attention_factor <= 1.0))
    return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "\"attention_factor\" = %g with a factor of %g is not supported",
                   c->rope_attention_factor, c->rope_factor);
}

static parl_status read_yarn(const parl_json *rope, parl_model_config *c) {
  double original = (double)c->max_context;
  PARL_TRY(parl_hf_check_flag(rope, "truncate", true));
  PARL_TRY(parl_hf_read_optional(rope, "original_max_position_embeddings", &original));
  if (!(original >= 1.0 && original <= 1e9) || floor(original) < original)
    return parl_fail(PARL_STATUS_EFORMAT, "\"original_max_position_embeddings\" = %g is no count",
                     original);
  c->rope_original_context = (int64_t)original;
  c->rope_factor = (double)c->max_context / original;
  PARL_TRY(parl_hf_read_optional(rope, "factor", &c->rope_factor));
  c->rope_beta_fast = c->rope_beta_slow = 0.0;
  PARL_TRY(parl_hf_read_optional(rope, "beta_fast", &c->rope_beta_fast));
  PARL_TRY(parl_hf_read_optional(rope, "beta_slow", &c->rope_beta_slow));
  if (!(fabs(c->rope_beta_fast) > 0.0)) c->rope_beta_fast = 32.0; /* as transformers: 0 is unset */
  if (!(fabs(c->rope_beta_slow) > 0.0)) c->rope_beta_slow = 1.0;
  return read_mscale(rope, c);
}

/* *is_yarn is false without a type, which then has nothing to scale by. */
static parl_status read_rope_type(const parl_json *rope, const char *name, bool *is_yarn) {
  const parl_json *named = parl_json_find(rope, "rope_type");
  if (parl_hf_is_absent(named)) named = parl_json_find(rope, "type");
  const char *type = parl_hf_is_absent(named) ? "default" : parl_json_get_string(named);
  *is_yarn = type != NULL && strcmp(type, "yarn") == 0;
  if (!*is_yarn && (type == NULL || strcmp(type, "default") != 0))
    return parl_fail(PARL_STATUS_EFORMAT, "rotary type \"%s\" is not supported: default or yarn",
                     type ? type : "?");
  PARL_TRY(parl_hf_check_keys(rope, name, ROPE_KEYS, sizeof ROPE_KEYS / sizeof ROPE_KEYS[0]));
  if (parl_hf_is_absent(named) && !parl_hf_is_absent(parl_json_find(rope, "factor")))
    return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" has \"factor\" but no \"rope_type\"", name);
  return PARL_STATUS_OK;
}

static parl_status read_rope(const parl_json *json, parl_model_config *c) {
  const bool is_new = !parl_hf_is_absent(parl_json_find(json, "rope_parameters"));
  const char *name = is_new ? "rope_parameters" : "rope_scaling";
  const parl_json *rope = parl_json_find(json, name);
  const parl_json_type kind = parl_json_get_type(rope);
  bool is_yarn = false;
  if (kind != PARL_JSON_NULL && kind != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EFORMAT, "\"%s\" is a %s; an object is wanted", name,
                     parl_json_type_name(kind));
  if (kind == PARL_JSON_OBJECT) PARL_TRY(read_rope_type(rope, name, &is_yarn));
  const bool is_inside = parl_json_find(rope, "rope_theta") != NULL;
  PARL_TRY(read_number(is_inside ? rope : json, "rope_theta", &c->rope_theta));
  if (kind == PARL_JSON_NULL) return PARL_STATUS_OK;
  PARL_TRY(check_one(rope, "partial_rotary_factor"));
  return is_yarn ? read_yarn(rope, c) : PARL_STATUS_OK;
}

static parl_status read_moe(const parl_json *json, parl_model_config *c) {
  c->n_routed_experts = 0;
  if (!parl_hf_is_absent(parl_json_find(json, "n_routed_experts")))
    PARL_TRY(read_count(json, "n_routed_experts", &c->n_routed_experts));
  const parl_json *node = parl_json_find(json, "norm_topk_prob");
  if (parl_hf_is_absent(node)) return PARL_STATUS_OK;
  if (parl_json_get_type(node) != PARL_JSON_BOOL)
    return parl_fail(PARL_STATUS_EFORMAT, "\"norm_topk_prob\" is no flag");
  c->norm_topk_prob = parl_json_get_bool(node);
  return PARL_STATUS_OK;
}

static parl_status read_gqa(const parl_json *json, parl_model_config *c) {
  double kv_heads = (double)c->n_heads, width = floor((double)c->d_model / (double)c->n_heads);
  PARL_TRY(parl_hf_read_optional(json, "num_key_value_heads", &kv_heads));
  PARL_TRY(parl_hf_read_optional(json, "head_dim", &width));
  if (!(kv_heads >= 1.0 && kv_heads <= 1e6 && width >= 1.0 && width <= 1e6) ||
      floor(kv_heads) < kv_heads || floor(width) < width)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "\"num_key_value_heads\" = %g or \"head_dim\" = %g is no count", kv_heads,
                     width);
  c->n_kv_heads = (int64_t)kv_heads;
  c->head_dim = (int64_t)width;
  return PARL_STATUS_OK;
}

static parl_status read_mla(const parl_json *json, parl_model_config *c) {
  const parl_json *rank = parl_json_find(json, "q_lora_rank");
  c->q_lora_rank = 0;
  if (rank != NULL && parl_hf_is_absent(rank)) return PARL_STATUS_OK;
  return read_count(json, "q_lora_rank", &c->q_lora_rank);
}

/* Counted from the end if it is negative, as torch takes it. */
static parl_status read_pad_token(const parl_json *json, parl_hf_config *out) {
  double pad = (double)NAN;
  const double vocab = (double)out->vocab_size;
  PARL_TRY(parl_hf_read_optional(json, "pad_token_id", &pad));
  if (pad < 0.0) pad += vocab;
  out->pad_token = pad >= 0.0 && pad < vocab ? (int64_t)pad : -1;
  return PARL_STATUS_OK;
}

static parl_status read_text(const parl_json *json, parl_hf_config *out) {
  parl_model_config *c = &out->model;
  double init_std = c->init_std;
  int64_t vocab = 0, extra = 0;
  PARL_TRY(check_kind(json, &c->attention));
  const bool is_mla = c->attention == PARL_ATTENTION_MLA;
  PARL_TRY(check_choices(json, is_mla));
  if (is_mla) PARL_TRY(read_moe(json, c));
  for (size_t i = 0; i < N_KEYS; i++)
    if (is_wanted(&KEYS[i], c)) PARL_TRY(read_key(json, &KEYS[i], c));
  PARL_TRY(is_mla ? read_mla(json, c) : read_gqa(json, c));
  PARL_TRY(read_rope(json, c));
  PARL_TRY(parl_hf_read_optional(json, "initializer_range", &init_std));
  if (init_std >= 1e-6 && init_std <= 10.0) c->init_std = init_std;
  PARL_TRY(read_count(json, "vocab_size", &vocab));
  if (!parl_hf_is_absent(parl_json_find(json, "num_nextn_predict_layers")))
    PARL_TRY(read_count(json, "num_nextn_predict_layers", &extra));
  out->vocab_size = (size_t)vocab;
  out->n_extra_layers = (size_t)extra;
  return read_pad_token(json, out);
}

static void set_defaults(parl_hf_config *c) {
  *c = (parl_hf_config){0};
  parl_config_set_defaults(&parl_model_section, &c->model);
  c->model.attention = PARL_ATTENTION_MLA;
}

static parl_status read_root(const parl_json *root, parl_hf_config *out) {
  set_defaults(out);
  if (parl_json_get_type(root) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EFORMAT, "an object is wanted, not a %s",
                     parl_json_type_name(parl_json_get_type(root)));
  PARL_TRY(check_keys(root));
  const parl_json *text = parl_json_find(root, "text_config");
  out->is_nested = parl_json_get_type(text) == PARL_JSON_OBJECT;
  if (out->is_nested) PARL_TRY(check_keys(text));
  if (out->is_nested) PARL_TRY(check_kind(root, NULL));
  PARL_TRY(check_unquantised(root));
  PARL_TRY(read_text(out->is_nested ? text : root, out));
  if (out->is_nested) PARL_TRY(parl_hf_vision_read(root, &out->model));
  const parl_status s = parl_model_check_config(&out->model, out->vocab_size);
  return s == PARL_STATUS_EINVAL ? parl_fail(PARL_STATUS_EFORMAT, "%s", parl_error_text()) : s;
}

parl_status parl_hf_config_parse(const char *bytes, size_t n, const char *what,
                                 parl_hf_config *out) {
  parl_json *root = NULL;
  parl_hf_config read;
  PARL_TRY(parl_json_parse(bytes, n, what, &root));
  const parl_status s = read_root(root, &read);
  parl_json_destroy(root);
  if (s == PARL_STATUS_OK) *out = read;
  return parl_fail_context(s, "%s", what);
}

parl_status parl_hf_config_read(const char *path, parl_hf_config *out) {
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_read(path, MAX_BYTES, &bytes, &n));
  parl_status s = parl_foreign_refuse(bytes, n, path, PARL_FOREIGN_JSON);
  if (s == PARL_STATUS_OK) s = parl_hf_config_parse(bytes, n, path, out);
  free(bytes);
  return s;
}

/* -------------------------------------------------------------------------------- writing */

/* With a point or an exponent, since strict readers tell 1 from 1.0. */
static void write_real(parl_json_writer *w, const char *key, double x) {
  char text[32];
  parl_json_key(w, key);
  if (fabs(x) >= 1e15 || floor(x) < x) {
    parl_json_number(w, x);
    return;
  }
  snprintf(text, sizeof text, "%.1f", x);
  parl_json_raw(w, text);
}

static void write_integer(parl_json_writer *w, const char *key, int64_t x) {
  parl_json_key(w, key);
  parl_json_integer(w, x);
}

static void write_flag(parl_json_writer *w, const char *key, bool x) {
  parl_json_key(w, key);
  parl_json_bool(w, x);
}

static void write_text(parl_json_writer *w, const char *key, const char *text) {
  parl_json_key(w, key);
  parl_json_string(w, text);
}

/* Llama has no factor of the scores, so its cosines and sines take it: twice, by query and key. */
static void write_yarn(const parl_model_config *c, parl_json_writer *w) {
  const bool is_mla = c->attention == PARL_ATTENTION_MLA;
  const bool is_given = c->rope_attention_factor > 0.0;
  const double all = make_mscale(c->rope_factor, c->rope_mscale_all_dim);
  const double follows = make_mscale(c->rope_factor, c->rope_mscale) / all;
  const double size = is_given ? c->rope_attention_factor : follows;
  parl_json_key(w, "rope_scaling");
  parl_json_begin_object(w);
  write_text(w, "type", "yarn");
  write_text(w, "rope_type", "yarn");
  write_real(w, "factor", c->rope_factor);
  write_integer(w, "original_max_position_embeddings", c->rope_original_context);
  write_real(w, "beta_fast", c->rope_beta_fast);
  write_real(w, "beta_slow", c->rope_beta_slow);
  if (is_mla) {
    write_real(w, "mscale", c->rope_mscale);
    write_real(w, "mscale_all_dim", c->rope_mscale_all_dim);
  }
  if (!is_mla || is_given || c->rope_mscale <= 0.0 || c->rope_mscale_all_dim <= 0.0)
    write_real(w, "attention_factor", is_mla ? size : size * all);
  parl_json_end_object(w);
}

static void write_architecture(const char *name, parl_json_writer *w) {
  parl_json_key(w, "architectures");
  parl_json_begin_array(w);
  parl_json_string(w, name);
  parl_json_end_array(w);
}

static void write_key(const struct key *k, const parl_model_config *c, parl_json_writer *w) {
  const char *place = (const char *)c + k->offset;
  int64_t n;
  double x;
  memcpy(&n, place, sizeof n);
  memcpy(&x, place, sizeof x);
  if (k->is_real)
    write_real(w, k->name, x);
  else
    write_integer(w, k->name, n);
}

static void write_mla(const parl_model_config *c, parl_json_writer *w) {
  parl_json_key(w, "q_lora_rank");
  if (c->q_lora_rank > 0)
    parl_json_integer(w, c->q_lora_rank);
  else
    parl_json_null(w);
  write_integer(w, "num_key_value_heads", c->n_heads);
  write_integer(w, "n_routed_experts", c->n_routed_experts);
  if (c->n_routed_experts == 0) write_integer(w, "first_k_dense_replace", c->n_layers);
  write_flag(w, "norm_topk_prob", c->norm_topk_prob);
  for (size_t i = 0; i < sizeof FIXED_TEXTS / sizeof FIXED_TEXTS[0]; i++)
    write_text(w, FIXED_TEXTS[i].key, FIXED_TEXTS[i].value);
  write_integer(w, "moe_layer_freq", 1);
  write_flag(w, "seq_aux", true);
  write_integer(w, "num_nextn_predict_layers", 0);
}

static parl_status check_publishable(const parl_model_config *c) {
  if (c->attention == PARL_ATTENTION_MLA) {
    if (c->latent_norm_eps >= 1e-6 && c->latent_norm_eps <= 1e-6) return PARL_STATUS_OK;
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.latent_norm_eps = %g cannot be published: deepseek_v3 has 1e-06",
                     c->latent_norm_eps);
  }
  if (c->vision.n_layers > 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.attention = gqa with model.vision.n_layers = %lld cannot be published: "
                     "kimi_k25 has mla",
                     (long long)c->vision.n_layers);
  if (c->n_routed_experts > 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "model.attention = gqa with model.n_routed_experts = %lld cannot be "
                     "published: deepseek_v3 has mla, llama no experts",
                     (long long)c->n_routed_experts);
  if (c->d_model % c->n_heads == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "model.d_model = %lld is no multiple of model.n_heads = %lld, as llama wants it",
                   (long long)c->d_model, (long long)c->n_heads);
}

/* The object of a text model. */
static void write_text_model(const parl_model_config *c, size_t vocab_size, const char *dtype,
                             parl_json_writer *w) {
  const bool is_mla = c->attention == PARL_ATTENTION_MLA;
  parl_json_begin_object(w);
  write_architecture(is_mla ? "DeepseekV3ForCausalLM" : "LlamaForCausalLM", w);
  write_text(w, "model_type", is_mla ? "deepseek_v3" : "llama");
  write_text(w, "torch_dtype", dtype);
  write_text(w, "hidden_act", "silu");
  write_integer(w, "vocab_size", (int64_t)vocab_size);
  for (size_t i = 0; i < N_KEYS; i++)
    if (is_wanted(&KEYS[i], c)) write_key(&KEYS[i], c, w);
  if (is_mla) {
    write_mla(c, w);
  } else {
    write_integer(w, "num_key_value_heads", c->n_kv_heads);
    write_integer(w, "head_dim", c->head_dim);
    write_flag(w, "mlp_bias", false);
  }
  write_flag(w, "attention_bias", false);
  write_flag(w, "tie_word_embeddings", false);
  write_real(w, "initializer_range", c->init_std);
  write_real(w, "rope_theta", c->rope_theta);
  if (c->rope_factor > 1.0) write_yarn(c, w);
  parl_json_end_object(w);
}

parl_status parl_hf_config_write(const parl_model_config *c, size_t vocab_size, const char *dtype,
                                 parl_json_writer *w) {
  PARL_TRY(check_publishable(c));
  if (c->vision.n_layers == 0) {
    write_text_model(c, vocab_size, dtype, w);
    return parl_text_status(w->out);
  }
  parl_json_begin_object(w);
  write_architecture("KimiK25ForConditionalGeneration", w);
  write_text(w, "model_type", "kimi_k25");
  write_text(w, "torch_dtype", dtype);
  write_flag(w, "tie_word_embeddings", false);
  parl_hf_vision_write(c, w);
  parl_json_key(w, "text_config");
  write_text_model(c, vocab_size, dtype, w);
  parl_json_end_object(w);
  return parl_text_status(w->out);
}
