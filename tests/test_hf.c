/* tests/test_hf.c - published configs of every spelling, and folders that must be refused. */
#include "core/file.h"
#include "core/safetensors.h"
#include "engine/flops.h"
#include "engine/hf_checkpoint.h"
#include "engine/hf_config.h"
#include "tests/engine_support.h"
#include "tests/support.h"

/* The keys of a small model, before and behind which a test puts its own. */
static const char BODY[] =
    "\"num_hidden_layers\":2,\"hidden_size\":24,\"num_attention_heads\":2,"
    "\"intermediate_size\":40,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,"
    "\"kv_lora_rank\":12,\"qk_nope_head_dim\":8,\"qk_rope_head_dim\":4,\"v_head_dim\":8,"
    "\"head_dim\":4,\"vocab_size\":53,\"num_experts_per_tok\":2,\"n_shared_experts\":1,"
    "\"moe_intermediate_size\":12,\"first_k_dense_replace\":1,\"routed_scaling_factor\":1.5,"
    "\"n_routed_experts\":6";
static const char TAIL[] =
    "\"model_type\":\"deepseek_v3\",\"q_lora_rank\":16,\"rope_theta\":50000.0";

static parl_status parse(const char *extra, const char *tail, parl_hf_config *out) {
  char text[2048];
  snprintf(text, sizeof text, "{%s,%s%s}", BODY, tail, extra);
  return parl_hf_config_parse(text, strlen(text), "config", out);
}

static void test_plain_config(void **state) {
  (void)state;
  parl_hf_config c;
  assert_ok(parse("", TAIL, &c));
  assert_int_equal(c.vocab_size, 53);
  assert_int_equal(c.model.attention, PARL_ATTENTION_MLA);
  assert_int_equal(c.model.q_lora_rank, 16);
  assert_int_equal(c.model.qk_rope_head_dim, 4);
  assert_int_equal(c.model.n_routed_experts, 6);
  assert_int_equal(c.model.n_group, 1);
  assert_true(c.model.norm_topk_prob && !c.is_nested && c.n_extra_layers == 0);
  assert_close(c.model.rope_theta, 50000.0, 0.0);
  assert_close(c.model.rope_factor, 1.0, 0.0);
  assert_close(c.model.latent_norm_eps, 1e-6, 0.0);
  assert_close(c.model.norm_eps, 1e-5, 0.0);
}

static void test_spellings(void **state) {
  (void)state;
  parl_hf_config a, b, c;
  const char yarn[] =
      "\"factor\":64,\"original_max_position_embeddings\":4096,\"beta_fast\":32,"
      "\"beta_slow\":1,\"mscale\":1.0,\"mscale_all_dim\":1.0";
  char extra[512];
  snprintf(extra, sizeof extra, ",\"rope_scaling\":{\"type\":\"yarn\",%s}", yarn);
  assert_ok(parse(extra, TAIL, &a));
  snprintf(extra, sizeof extra,
           ",\"rope_parameters\":{\"rope_type\":\"yarn\",\"rope_theta\":50000.0,%s}", yarn);
  assert_ok(parse(extra, "\"model_type\":\"kimi_k2\",\"q_lora_rank\":16", &b));
  assert_memory_equal(&a.model, &b.model, sizeof a.model);
  assert_close(a.model.rope_factor, 64.0, 0.0);
  assert_close(a.model.rope_attention_factor, 0.0, 0.0);
  assert_ok(parse(",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":8}", TAIL, &c));
  assert_close(c.model.rope_attention_factor, 0.1 * log(8.0) + 1.0, 1e-12);
  assert_int_equal(c.model.rope_original_context, 64);
  assert_ok(parse("", "\"model_type\":\"kimi_k2\",\"q_lora_rank\":null,\"rope_theta\":1e4", &c));
  assert_int_equal(c.model.q_lora_rank, 0);
  assert_ok(
      parse(",\"rope_scaling\":null,\"num_nextn_predict_layers\":1,\"n_group\":3,"
            "\"topk_group\":2,\"norm_topk_prob\":false,\"scoring_func\":\"sigmoid\"",
            TAIL, &c));
  assert_int_equal(c.n_extra_layers, 1);
  assert_int_equal(c.model.topk_group, 2);
  assert_false(c.model.norm_topk_prob);
}

/* Llama says nothing of latents and experts; its scores take no factor of YaRN. */
static void test_llama_config(void **state) {
  (void)state;
  static const char kind[] = "\"model_type\":\"llama\",\"rope_theta\":1e4";
  parl_hf_config c;
  assert_ok(parse(",\"num_key_value_heads\":1", kind, &c));
  assert_int_equal(c.model.attention, PARL_ATTENTION_GQA);
  assert_true(c.model.n_kv_heads == 1 && c.model.head_dim == 4 && c.model.n_routed_experts == 0);
  assert_ok(
      parse(",\"num_key_value_heads\":null,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":8,"
            "\"mscale\":1,\"mscale_all_dim\":0.5}",
            kind, &c));
  assert_int_equal(c.model.n_kv_heads, 2);
  assert_close(c.model.rope_mscale_all_dim, 0.0, 0.0);
  assert_close(c.model.rope_attention_factor, (0.1 * log(8.0) + 1) / (0.05 * log(8.0) + 1), 1e-12);
}

static void test_pad_token(void **state) {
  (void)state;
  parl_hf_config c;
  const struct {
    const char *text;
    int64_t due;
  } cases[] = {{"", -1},
               {",\"pad_token_id\":null", -1},
               {",\"pad_token_id\":0", 0},
               {",\"pad_token_id\":52", 52},
               {",\"pad_token_id\":53", -1},
               {",\"pad_token_id\":-1", 52},
               {",\"pad_token_id\":-54", -1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_ok(parse(cases[i].text, TAIL, &c));
    assert_int_equal(c.pad_token, cases[i].due);
  }
}

static void test_nested_text_config(void **state) {
  (void)state;
  char text[2048];
  parl_hf_config c;
  snprintf(text, sizeof text, "{\"model_type\":\"kimi_k25\",\"text_config\":{%s,%s}}", BODY, TAIL);
  assert_ok(parl_hf_config_parse(text, strlen(text), "config", &c));
  assert_true(c.is_nested);
  assert_int_equal(c.model.d_model, 24);
}

static void test_bad_configs(void **state) {
  (void)state;
  parl_hf_config c = {.vocab_size = 7};
#define REFUSED(extra, tail, text) assert_fails(parse(extra, tail, &c), PARL_STATUS_EFORMAT, text)
  REFUSED("", "\"model_type\":\"gpt2\",\"q_lora_rank\":16,\"rope_theta\":1e4", "gpt2");
  REFUSED(",\"mlp_bias\":true", "\"model_type\":\"llama\",\"rope_theta\":1e4", "mlp_bias");
  REFUSED(",\"num_key_value_heads\":0", "\"model_type\":\"llama\",\"rope_theta\":1e4", "= 0");
  REFUSED(",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8}",
          "\"model_type\":\"llama\",\"rope_theta\":1e4", "llama3");
  REFUSED("", "\"q_lora_rank\":16,\"rope_theta\":1e4", "model_type");
  REFUSED("", "\"model_type\":\"deepseek_v3\",\"rope_theta\":1e4", "q_lora_rank");
  REFUSED("", "\"model_type\":\"deepseek_v3\",\"q_lora_rank\":1.5,\"rope_theta\":1", "1.5");
  REFUSED("", "\"model_type\":\"deepseek_v3\",\"q_lora_rank\":16", "rope_theta");
  REFUSED(",\"tie_word_embeddings\":true", TAIL, "tie_word_embeddings");
  REFUSED(",\"attention_bias\":true", TAIL, "attention_bias");
  REFUSED(",\"rope_interleave\":false", TAIL, "rope_interleave");
  REFUSED(",\"hidden_act\":\"gelu\"", TAIL, "hidden_act");
  REFUSED(",\"scoring_func\":\"softmax\"", TAIL, "scoring_func");
  REFUSED(",\"topk_method\":\"greedy\"", TAIL, "topk_method");
  REFUSED(",\"moe_layer_freq\":2", TAIL, "moe_layer_freq");
  REFUSED(",\"num_key_value_heads\":1", TAIL, "num_key_value_heads");
  REFUSED(",\"quantization_config\":{\"quant_method\":\"fp8\"}", TAIL, "quantization_config");
  REFUSED(",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}", TAIL, "linear");
  REFUSED(",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":0.5}", TAIL, "rope_factor");
  REFUSED(",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":1,\"attention_factor\":1.1}", TAIL,
          "attention_factor");
  REFUSED(",\"rope_scaling\":3", TAIL, "object");
  REFUSED(",\"n_group\":4", TAIL, "n_group");
  REFUSED(",\"norm_topk_prob\":1", TAIL, "norm_topk_prob");
#undef REFUSED
  assert_fails(parl_hf_config_parse("[]", 2, "config", &c), PARL_STATUS_EFORMAT, "object");
  assert_fails(parl_hf_config_parse("{", 1, "config", &c), PARL_STATUS_EFORMAT, "config");
  assert_int_equal(c.vocab_size, 7); /* untouched */
}

/* A letter less in one key of the text, and the message names that key. */
static void assert_misspelt(const char *text, const char *key) {
  char spoilt[4096], name[128];
  parl_hf_config c;
  snprintf(name, sizeof name, "\"%s\":", key);
  const char *at = strstr(text, name);
  assert_non_null(at);
  const size_t middle = (size_t)(at - text) + 1 + strlen(key) / 2;
  snprintf(spoilt, sizeof spoilt, "%.*s%s", (int)middle, text, text + middle + 1);
  snprintf(name, sizeof name, "did you mean \"%s\"?", key);
  assert_fails(parl_hf_config_parse(spoilt, strlen(spoilt), "config", &c), PARL_STATUS_EFORMAT,
               name);
}

/* Whatever is read, at whatever depth: a misspelt key is no default. */
static void test_misspelt_keys(void **state) {
  (void)state;
  static const char *const keys[] = {"num_hidden_layers",
                                     "hidden_size",
                                     "num_attention_heads",
                                     "intermediate_size",
                                     "max_position_embeddings",
                                     "rms_norm_eps",
                                     "kv_lora_rank",
                                     "qk_nope_head_dim",
                                     "qk_rope_head_dim",
                                     "v_head_dim",
                                     "head_dim",
                                     "vocab_size",
                                     "num_experts_per_tok",
                                     "n_shared_experts",
                                     "moe_intermediate_size",
                                     "first_k_dense_replace",
                                     "routed_scaling_factor",
                                     "n_routed_experts",
                                     "model_type",
                                     "q_lora_rank",
                                     "rope_scaling",
                                     "n_group",
                                     "topk_group",
                                     "aux_loss_alpha",
                                     "scoring_func",
                                     "topk_method",
                                     "hidden_act",
                                     "norm_topk_prob",
                                     "initializer_range",
                                     "num_nextn_predict_layers",
                                     "pad_token_id",
                                     "tie_word_embeddings",
                                     "attention_bias",
                                     "rope_interleave",
                                     "moe_layer_freq",
                                     "num_key_value_heads",
                                     "quantization_config"};
  static const char *const rope[] = {"factor",           "original_max_position_embeddings",
                                     "beta_fast",        "beta_slow",
                                     "mscale",           "mscale_all_dim",
                                     "attention_factor", "truncate",
                                     "rope_theta",       "partial_rotary_factor",
                                     "rope_type"};
  char text[4096];
  parl_hf_config c;
  snprintf(text, sizeof text,
           "{%s,\"model_type\":\"deepseek_v3\",\"q_lora_rank\":16,\"n_group\":1,\"topk_group\":1,"
           "\"aux_loss_alpha\":0.1,\"scoring_func\":\"sigmoid\",\"topk_method\":\"noaux_tc\","
           "\"hidden_act\":\"silu\",\"norm_topk_prob\":true,\"initializer_range\":0.02,"
           "\"num_nextn_predict_layers\":0,\"pad_token_id\":null,\"tie_word_embeddings\":false,"
           "\"attention_bias\":false,\"rope_interleave\":true,\"moe_layer_freq\":1,"
           "\"num_key_value_heads\":2,\"quantization_config\":null,\"rope_scaling\":{"
           "\"rope_type\":\"yarn\",\"rope_theta\":5e4,\"factor\":4,\"beta_fast\":32,"
           "\"beta_slow\":1,\"mscale\":1,\"mscale_all_dim\":1,\"attention_factor\":1.2,"
           "\"truncate\":true,\"partial_rotary_factor\":1,"
           "\"original_max_position_embeddings\":16}}",
           BODY);
  assert_ok(parl_hf_config_parse(text, strlen(text), "config", &c));
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) assert_misspelt(text, keys[i]);
  for (size_t i = 0; i < sizeof rope / sizeof rope[0]; i++) assert_misspelt(text, rope[i]);
  char nested[4096 + 128];
  snprintf(nested, sizeof nested, "{\"model_type\":\"kimi_k25\",\"txt_config\":%s}", text);
  assert_fails(parl_hf_config_parse(nested, strlen(nested), "config", &c), PARL_STATUS_EFORMAT,
               "did you mean \"text_config\"?");
  assert_fails(
      parse(",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"xylophone\":1}", TAIL, &c),
      PARL_STATUS_EFORMAT, "unknown key \"xylophone\"; known are rope_type, ");
  assert_fails(parse(",\"rope_scaling\":{\"factor\":4}", TAIL, &c), PARL_STATUS_EFORMAT,
               "\"factor\" but no \"rope_type\"");
  assert_ok(parse(",\"hidden_sizes\":3", TAIL, &c)); /* the right one is there, too */
}

/* What published configs carry and no result depends on is no misspelling. */
static void test_foreign_keys(void **state) {
  (void)state;
  parl_hf_config c;
  assert_ok(
      parse(",\"architectures\":[],\"bos_token_id\":0,\"eos_token_id\":1,\"sep_token_id\":null,"
            "\"decoder_start_token_id\":null,\"ep_size\":1,\"seq_aux\":true,\"auto_map\":{},"
            "\"attention_dropout\":0.0,\"qk_head_dim\":12,\"output_router_logits\":false,"
            "\"top_k\":50,\"top_p\":1.0,\"use_cache\":true,\"max_length\":20,\"min_length\":0,"
            "\"num_beams\":1,\"vision_config\":{\"hidden_siz\":3},\"torch_dtype\":\"bfloat16\","
            "\"transformers_version\":\"4.48\",\"xylophone\":3,\"_name_or_path\":\"\","
            "\"pretraining_tp\":1,\"media_placeholder_token_id\":5",
            TAIL, &c));
  assert_int_equal(c.vocab_size, 53);
}

/* Counted by hand from k25 5.1: see the comment on each term. */
static void test_k25_is_counted(void **state) {
  (void)state;
  const parl_hf_config c = parl_hf_config_k25();
  parl_shape s;
  assert_ok(parl_shape_count(&c.model, c.vocab_size, &s));
  const double expert = 3.0 * 7168 * 2048;
  const double attention =
      7168.0 * 1536 + 1536.0 * 64 * 192 + 7168.0 * 576 + 512.0 * 64 * 256 + 64.0 * 128 * 7168;
  const double norms = 2.0 * 7168 + 1536 + 512;
  const double rest = 61 * (attention + norms) + 3.0 * 7168 * 18432 + 60 * (384.0 * 7168 + expert) +
                      2.0 * 163840 * 7168 + 7168;
  /* The patches' convolution, the grid, 27 blocks of two norms, wqkv, wo, fc0, fc1, a norm. */
  const double block = 4 * 1152 + 1153.0 * (3 * 1152 + 1152 + 4304) + 4305.0 * 1152;
  assert_close(s.n_tower, 1152 * (3 * 14 * 14 + 1 + 64 * 64.0 + 2) + 27 * block, 0.0);
  assert_close(s.n_projector, 2 * 1152 + 4609.0 * (4608 + 7168), 0.0);
  assert_close(s.n_tower, 416.9e6, 0.05e6); /* as Kimi K2.5 is described */
  assert_close(s.n_projector, 54.3e6, 0.05e6);
  assert_close(s.n_params, rest + 60 * 384 * expert + s.n_tower + s.n_projector, 0.0);
  assert_close(s.n_active, rest + 60 * 8 * expert, 0.0);
  assert_true(s.n_params > 1.02e12 && s.n_params < 1.05e12);
  assert_true(s.n_active > 32e9 && s.n_active < 33e9);
  assert_close(s.cache_bytes, 61.0 * 576 * 4, 0.0);
  /* A token passes all but its embedding and the norms; a position costs 192 + 128 floats a head
   * expanded, and 576 + 512 against latents. */
  const double passed = s.n_active - 61 * norms - 7168 - 163840.0 * 7168;
  const double expanded = 61 * 64 * (192.0 + 128), absorbed = 61 * 64 * (576.0 + 512);
  const size_t V = c.vocab_size;
  assert_close(parl_shape_forward_flops(&c.model, V, 100), 2 * (passed + 100 * expanded), 0.0);
  assert_close(parl_shape_train_flops(&c.model, V, 100), 6 * (passed + 100 * expanded), 0.0);
  assert_close(parl_shape_decode_flops(&c.model, V, 100), 2 * (passed + 100 * absorbed), 0.0);
}

/* What is counted is what is built. */
static void test_counts_equal_a_model(void **state) {
  (void)state;
  parl_hf_config c;
  parl_model *m = NULL;
  parl_shape s;
  assert_ok(parl_hf_config_read("tests/golden/groups/config.json", &c));
  assert_ok(parl_model_create(&c.model, c.vocab_size, parl_backend_ref(), NULL, &m));
  assert_ok(parl_shape_count(&c.model, c.vocab_size, &s));
  assert_close(s.n_params + s.n_bias, (double)parl_model_get_n_params(m), 0.0);
  parl_model_destroy(m);
}

/* ----------------------------------------------------------------------------- checkpoints */

enum { MAX_TENSORS = 256 };

/* A folder of its own with the tensors of tests/golden/moe, to be spoiled. */
typedef struct folder {
  char path[PARL_TEST_PATH_BYTES];
  parl_safetensors *source;
  parl_tensor_info infos[MAX_TENSORS];
  size_t n;
} folder;

static void copy_file(const char *from, const char *folder_path, const char *name) {
  char path[2 * PARL_TEST_PATH_BYTES], *bytes = NULL;
  size_t n = 0;
  assert_ok(parl_file_read(from, 1 << 20, &bytes, &n));
  snprintf(path, sizeof path, "%s/%s", folder_path, name);
  assert_ok(parl_file_write(path, bytes, n));
  free(bytes);
}

static void folder_open(folder *f) {
  memset(f, 0, sizeof *f);
  parl_test_temp_folder(f->path);
  copy_file("tests/golden/moe/config.json", f->path, "config.json");
  assert_ok(parl_safetensors_open("tests/golden/moe/model.safetensors", &f->source));
  f->n = parl_safetensors_get_count(f->source);
  assert_true(f->n < MAX_TENSORS);
  for (size_t i = 0; i < f->n; i++) f->infos[i] = *parl_safetensors_get(f->source, i);
}

static void folder_close(folder *f) {
  parl_safetensors_close(f->source);
  parl_test_remove_folder(f->path);
}

static void write_tensors(const folder *f, const char *name, size_t first, size_t n) {
  char path[2 * PARL_TEST_PATH_BYTES];
  snprintf(path, sizeof path, "%s/%s", f->path, name);
  assert_ok(parl_safetensors_write(path, f->infos + first, n, NULL, 0, NULL));
}

static void refused(const folder *f, parl_status status, const char *text) {
  parl_model *m = NULL;
  assert_fails(parl_hf_checkpoint_load(f->path, 16, parl_backend_ref(), &m), status, text);
  assert_null(m);
}

static void test_spoiled_tensors(void **state) {
  (void)state;
  folder f;
  folder_open(&f);
  refused(&f, PARL_STATUS_EIO, "model.safetensors");
  parl_tensor_info *last = &f.infos[f.n - 1];
  const parl_tensor_info good = *last;
  write_tensors(&f, "model.safetensors", 0, f.n - 1);
  refused(&f, PARL_STATUS_EFORMAT, "values");
  f.infos[f.n] = (parl_tensor_info){.name = "lm_head.bias",
                                    .n_dims = 1,
                                    .shape = {(int64_t)(good.bytes / 4)},
                                    .data = good.data,
                                    .bytes = good.bytes};
  write_tensors(&f, "model.safetensors", 0, f.n + 1);
  refused(&f, PARL_STATUS_EFORMAT, "lm_head.bias is not one of this model");
  last->name = "other";
  write_tensors(&f, "model.safetensors", 0, f.n);
  refused(&f, PARL_STATUS_EFORMAT, "is missing");
  *last = good;
  last->shape[0] = good.n_dims == 1 ? good.shape[0] : good.shape[1];
  last->shape[1] = good.shape[0];
  last->n_dims = 2;
  if (good.n_dims == 1) last->shape[1] = 1;
  write_tensors(&f, "model.safetensors", 0, f.n);
  refused(&f, PARL_STATUS_EFORMAT, good.n_dims == 1 ? "dimensions" : "extent");
  *last = good;
  last->dtype = PARL_DTYPE_I32;
  write_tensors(&f, "model.safetensors", 0, f.n);
  refused(&f, PARL_STATUS_EFORMAT, "is I32");
  *last = good;
  float *bad = malloc(good.bytes);
  memcpy(bad, good.data, good.bytes);
  bad[3] = NAN;
  last->data = bad;
  write_tensors(&f, "model.safetensors", 0, f.n);
  refused(&f, PARL_STATUS_EFORMAT, "element 3 of tensor");
  free(bad);
  *last = good;
  write_tensors(&f, "model.safetensors", 0, f.n);
  parl_model *m = NULL;
  assert_ok(parl_hf_checkpoint_load(f.path, 16, parl_backend_ref(), &m));
  parl_model_destroy(m);
  folder_close(&f);
}

static size_t index_total; /* the total_size that it states; 0: none */

static void write_index(const folder *f, size_t split, const char *second, const char *extra) {
  char path[2 * PARL_TEST_PATH_BYTES];
  parl_text text = {0};
  parl_text_append(&text, "{\"metadata\":{");
  if (index_total > 0) parl_text_appendf(&text, "\"total_size\":%zu", index_total);
  parl_text_append(&text, "},\"weight_map\":{");
  for (size_t i = 0; i < f->n; i++)
    parl_text_appendf(&text, "%s\"%s\":\"%s\"", i ? "," : "", f->infos[i].name,
                      i < split ? "a.safetensors" : second);
  parl_text_appendf(&text, "%s}}", extra);
  snprintf(path, sizeof path, "%s/model.safetensors.index.json", f->path);
  assert_ok(parl_file_write(path, text.bytes, text.n));
  parl_text_deinit(&text);
}

static void test_shards(void **state) {
  (void)state;
  folder f;
  folder_open(&f);
  const size_t half = f.n / 2;
  parl_model *m = NULL;
  write_tensors(&f, "a.safetensors", 0, half);
  write_tensors(&f, "b.safetensors", half, f.n - half);
  write_index(&f, half, "b.safetensors", "");
  assert_ok(parl_hf_checkpoint_load(f.path, 16, parl_backend_ref(), &m));
  parl_model_destroy(m);
  m = NULL;
  for (size_t i = 0; i < f.n; i++) index_total += f.infos[i].bytes;
  write_index(&f, half, "b.safetensors", "");
  assert_ok(parl_hf_checkpoint_load(f.path, 16, parl_backend_ref(), &m));
  parl_model_destroy(m);
  index_total += 4;
  write_index(&f, half, "b.safetensors", "");
  refused(&f, PARL_STATUS_EFORMAT, "total_size is ");
  index_total = 0;
  write_index(&f, half + 1, "b.safetensors", "");
  refused(&f, PARL_STATUS_EFORMAT, "is missing");
  write_index(&f, half, "c.safetensors", "");
  refused(&f, PARL_STATUS_EIO, "c.safetensors");
  write_index(&f, half, "../b.safetensors", "");
  refused(&f, PARL_STATUS_EFORMAT, "../b.safetensors");
  write_index(&f, half, "b.safetensors", ",\"unknown\":\"a.safetensors\"");
  refused(&f, PARL_STATUS_EFORMAT, "unknown");
  write_tensors(&f, "b.safetensors", half - 1, f.n - half + 1); /* one tensor in both */
  write_index(&f, half, "b.safetensors", "");
  refused(&f, PARL_STATUS_EFORMAT, "by the index, in a.safetensors");
  folder_close(&f);
}

static void test_bad_indexes(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "[]",
                                    "{}",
                                    "{\"weight_map\":{}}",
                                    "{",
                                    "{\"weight_map\":{\"a\":3}}",
                                    "3",
                                    "{\"weight_map\":{\"a\":\"/etc/x.safetensors\"}}",
                                    "{\"weight_map\":{\"a\":\"x.bin\"}}"};
  parl_json *json = NULL;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_status(parl_hf_index_parse(bad[i], strlen(bad[i]), "index", &json), PARL_STATUS_EFORMAT);
  assert_null(json);
}

/* Tensors of Kimi K2.5's folder: the text model's carry a prefix, the others are passed over. */
static void test_nested_checkpoint(void **state) {
  (void)state;
  folder f;
  folder_open(&f);
  char names[MAX_TENSORS][160], text[4096], path[2 * PARL_TEST_PATH_BYTES], *bytes = NULL;
  size_t n = 0;
  for (size_t i = 0; i < f.n; i++) {
    snprintf(names[i], sizeof names[i], "language_model.%s", f.infos[i].name);
    f.infos[i].name = names[i];
  }
  f.infos[f.n] = f.infos[0];
  f.infos[f.n].name = "vision_tower.patch_embed.proj.weight";
  write_tensors(&f, "model.safetensors", 0, f.n + 1);
  refused(&f, PARL_STATUS_EFORMAT, "missing"); /* the config is not nested yet */
  assert_ok(parl_file_read("tests/golden/moe/config.json", 1 << 20, &bytes, &n));
  snprintf(text, sizeof text, "{\"model_type\":\"kimi_k25\",\"text_config\":%s}", bytes);
  free(bytes);
  snprintf(path, sizeof path, "%s/config.json", f.path);
  assert_ok(parl_file_write(path, text, strlen(text)));
  parl_model *m = NULL;
  assert_ok(parl_hf_checkpoint_load(f.path, 16, parl_backend_ref(), &m));
  parl_model_destroy(m);
  folder_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_config),       cmocka_unit_test(test_spellings),
      cmocka_unit_test(test_llama_config),       cmocka_unit_test(test_pad_token),
      cmocka_unit_test(test_nested_text_config), cmocka_unit_test(test_bad_configs),
      cmocka_unit_test(test_k25_is_counted),     cmocka_unit_test(test_counts_equal_a_model),
      cmocka_unit_test(test_spoiled_tensors),    cmocka_unit_test(test_shards),
      cmocka_unit_test(test_bad_indexes),        cmocka_unit_test(test_nested_checkpoint),
      cmocka_unit_test(test_misspelt_keys),      cmocka_unit_test(test_foreign_keys),
  };
  return cmocka_run_group_tests_name("hf", tests, NULL, NULL);
}
