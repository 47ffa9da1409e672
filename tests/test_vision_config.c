/* tests/test_vision_config.c - the vision tower's config, published and our own, and its tensors
 * through files. */
#include "core/file.h"
#include "core/folder.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "engine/checkpoint.h"
#include "engine/flops.h"
#include "engine/hf_checkpoint.h"
#include "engine/hf_config.h"
#include "engine/muon.h"
#include "tests/engine_support.h"
#include "tests/support.h"

enum { VOCAB = 17 };

static parl_model_config small_config(void) {
  parl_model_config c;
  parl_config_set_defaults(&parl_model_section, &c);
  c.attention = PARL_ATTENTION_MLA;
  c.d_model = 24;
  c.n_heads = c.n_kv_heads = 2;
  c.d_ff = 40;
  c.max_context = 32;
  c.vision = (parl_vision_config){.n_layers = 2,
                                  .d_model = 16,
                                  .n_heads = 2,
                                  .d_ff = 20,
                                  .patch = 3,
                                  .grid_height = 4,
                                  .grid_width = 6,
                                  .max_frames = 4,
                                  .media_token = 5};
  return c;
}

/* ------------------------------------------------------------------------------ the section */

static void write_config(const parl_model_config *c, parl_text *text) {
  parl_json_writer w;
  parl_text_clear(text);
  parl_json_writer_init(&w, text, false);
  parl_config_write(&parl_model_section, c, &w);
  assert_ok(parl_text_status(text));
}

static parl_status read_config(const char *text, parl_model_config *out) {
  parl_json *json = NULL;
  parl_config_set_defaults(&parl_model_section, out);
  assert_ok(parl_json_parse(text, strlen(text), "config", &json));
  const parl_status s = parl_config_read(&parl_model_section, json, "model", out);
  parl_json_destroy(json);
  return s;
}

/* A model that sees nothing says nothing of it: what was written before reads as it was. */
static void test_group_in_the_section(void **state) {
  (void)state;
  parl_text text = {0};
  parl_model_config c = small_config(), back;
  write_config(&c, &text);
  assert_non_null(strstr(parl_text_get(&text), "\"vision\":{\"n_layers\":2,\"d_model\":16,"));
  assert_ok(read_config(parl_text_get(&text), &back));
  assert_memory_equal(&c, &back, sizeof c);
  parl_config_set_defaults(&parl_model_section, &c);
  write_config(&c, &text);
  assert_null(strstr(parl_text_get(&text), "vision"));
  assert_fails(read_config("{\"vision\":{\"n_layer\":2}}", &back), PARL_STATUS_EINVAL,
               "did you mean \"vision.n_layers\"?");
  assert_fails(read_config("{\"vision\":3}", &back), PARL_STATUS_EINVAL, "an object of fields");
  assert_fails(read_config("{\"vision\":{\"patch\":0}}", &back), PARL_STATUS_EINVAL,
               "model.vision.patch = 0");
  parl_text_deinit(&text);
}

static void test_bad_towers(void **state) {
  (void)state;
  parl_model_config c = small_config();
  c.vision.n_heads = 3;
  assert_fails(parl_model_check_config(&c, VOCAB), PARL_STATUS_EINVAL, "model.vision.d_model = 16");
  c.vision.n_heads = 8; /* heads of two: no pair for y */
  assert_fails(parl_model_check_config(&c, VOCAB), PARL_STATUS_EINVAL, "multiple of 4");
  c.vision.n_layers = 0;
  assert_ok(parl_model_check_config(&c, VOCAB)); /* no tower, nothing to refuse */
  c.vision.patch = 65;
  assert_fails(parl_model_check_config(&c, VOCAB), PARL_STATUS_EINVAL, "model.vision.patch");
}

/* ------------------------------------------------------------------------------- published */

static const char TEXT[] =
    "\"text_config\":{\"model_type\":\"deepseek_v3\",\"num_hidden_layers\":2,\"hidden_size\":24,"
    "\"num_attention_heads\":2,\"intermediate_size\":40,\"max_position_embeddings\":64,"
    "\"rms_norm_eps\":1e-5,\"kv_lora_rank\":12,\"qk_nope_head_dim\":8,\"qk_rope_head_dim\":4,"
    "\"v_head_dim\":8,\"vocab_size\":53,\"q_lora_rank\":null,\"rope_theta\":1e4}";

static parl_status parse(const char *root, const char *vision, parl_hf_config *out) {
  char text[4096];
  snprintf(text, sizeof text, "{\"model_type\":\"kimi_k25\",%s%s,\"vision_config\":{%s}}", TEXT,
           root, vision);
  return parl_hf_config_parse(text, strlen(text), "config", out);
}

static void test_spellings(void **state) {
  (void)state;
  parl_hf_config a, b, c;
  assert_ok(parse(",\"media_placeholder_token_id\":7",
                  "\"vt_num_hidden_layers\":3,\"vt_hidden_size\":48,\"vt_num_attention_heads\":4,"
                  "\"vt_intermediate_size\":52,\"patch_size\":6,\"init_pos_emb_height\":8,"
                  "\"init_pos_emb_width\":10,\"init_pos_emb_time\":2,\"merge_type\":\"sd2_tpool\","
                  "\"merge_kernel_size\":[2,2],\"mm_hidden_size\":48,\"text_hidden_size\":24,"
                  "\"pos_emb_type\":\"divided_fixed\",\"mm_projector_type\":\"patchmerger\"",
                  &a));
  assert_ok(parse(",\"image_token_id\":7,\"projection_hidden_size\":48",
                  "\"num_hidden_layers\":3,\"hidden_size\":48,\"num_attention_heads\":4,"
                  "\"intermediate_size\":52,\"patch_size\":6,\"pos_emb_height\":8,"
                  "\"pos_emb_width\":10,\"pos_emb_time\":2,\"hidden_act\":\"gelu_pytorch_tanh\","
                  "\"interpolation_mode\":\"bicubic\",\"interpolation_align_corners\":false,"
                  "\"rope_parameters\":{\"rope_type\":\"axial\",\"rope_theta\":10000.0}",
                  &b));
  const parl_vision_config due = {3, 48, 4, 52, 6, 8, 10, 2, 7};
  assert_memory_equal(&a.model.vision, &due, sizeof due);
  assert_memory_equal(&b.model.vision, &due, sizeof due);
  assert_ok(parse("", "", &c)); /* all absent: Kimi K2.5's */
  assert_true(c.model.vision.n_layers == 27 && c.model.vision.d_model == 1152);
  assert_true(c.model.vision.grid_width == 64 && c.model.vision.media_token == -1);
}

/* Kimi K3's tower and others are refused by the key that says so. */
static void test_other_towers(void **state) {
  (void)state;
  parl_hf_config c;
  static const char *const bad[][2] = {
      {"\"pos_emb_interpolation_mode\":\"bilinear\"", "\"pos_emb_interpolation_mode\" is not"},
      {"\"norm_type\":\"rmsnorm\"", "\"norm_type\" is not \"layernorm\""},
      {"\"mm_projector_type\":\"patchmergerv2\"", "\"mm_projector_type\" is not \"patchmerger\""},
      {"\"merge_type\":\"sd2\"", "\"merge_type\" is not \"sd2_tpool\""},
      {"\"pos_emb_type\":\"learned\"", "\"pos_emb_type\" is not \"divided_fixed\""},
      {"\"qkv_hidden_size\":1536", "\"qkv_hidden_size\" = 1536; only 1152"},
      {"\"attn_bias\":false", "\"attn_bias\" is not true"},
      {"\"merge_kernel_size\":[4,4]", "\"merge_kernel_size\" is not [2, 2]"},
      {"\"merge_kernel_size\":2", "\"merge_kernel_size\" is not [2, 2]"},
      {"\"projector_ln_eps\":1e-6", "\"projector_ln_eps\" = 1e-06"},
      {"\"vt_hidden_size\":48,\"hidden_size\":64", "differs from \"hidden_size\" = 64"},
      {"\"patch_size\":0", "\"patch_size\" = 0 is no count"},
      {"\"vt_num_hidden_layer\":3", "did you mean \"vt_num_hidden_layers\"?"},
      {"\"rope_parameters\":{\"rope_theta\":500.0}", "\"rope_theta\" = 500"},
      {"\"vt_num_attention_heads\":7", "model.vision.n_heads = 7"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_fails(parse("", bad[i][0], &c), PARL_STATUS_EFORMAT, bad[i][1]);
  assert_fails(parse(",\"image_token_id\":1.5", "", &c), PARL_STATUS_EFORMAT, "is no token");
  assert_fails(parse(",\"image_token_id\":7,\"media_placeholder_token_id\":8", "", &c),
               PARL_STATUS_EFORMAT,
               "\"media_placeholder_token_id\" = 8, but \"image_token_id\" = 7");
}

/* --------------------------------------------------------------------------------- tensors */

static void assert_tensor(const parl_model *m, const char *name, int n_dims, const size_t *shape) {
  size_t n;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n);
  for (size_t i = 0; i < n; i++) {
    if (strcmp(t[i].name, name) != 0) continue;
    assert_int_equal(t[i].n_dims, n_dims);
    for (int k = 0; k < n_dims; k++) assert_int_equal(t[i].shape[k], shape[k]);
    return;
  }
  fail_msg("no tensor %s", name);
}

/* Names and shapes as published; biases at 0, norms at 1, and the text's weights as without. */
static void test_tensors(void **state) {
  (void)state;
  parl_model_config c = small_config();
  parl_model *m = NULL, *blind = NULL;
  assert_ok(parl_model_create(&c, VOCAB, parl_backend_ref(), NULL, &m));
  c.vision.n_layers = 0;
  assert_ok(parl_model_create(&c, VOCAB, parl_backend_ref(), NULL, &blind));
  assert_ok(parl_model_init_weights(m, 3));
  assert_ok(parl_model_init_weights(blind, 3));
  assert_tensor(m, "vision_tower.patch_embed.proj.weight", 4, (size_t[]){16, 3, 3, 3});
  assert_tensor(m, "vision_tower.patch_embed.proj.bias", 1, (size_t[]){16});
  assert_tensor(m, "vision_tower.patch_embed.pos_emb.weight", 3, (size_t[]){4, 6, 16});
  assert_tensor(m, "vision_tower.encoder.blocks.1.norm0.bias", 1, (size_t[]){16});
  assert_tensor(m, "vision_tower.encoder.blocks.1.wqkv.weight", 2, (size_t[]){48, 16});
  assert_tensor(m, "vision_tower.encoder.blocks.0.wo.bias", 1, (size_t[]){16});
  assert_tensor(m, "vision_tower.encoder.blocks.0.mlp.fc0.weight", 2, (size_t[]){20, 16});
  assert_tensor(m, "vision_tower.encoder.blocks.0.mlp.fc1.weight", 2, (size_t[]){16, 20});
  assert_tensor(m, "vision_tower.encoder.final_layernorm.weight", 1, (size_t[]){16});
  assert_tensor(m, "mm_projector.pre_norm.bias", 1, (size_t[]){16});
  assert_tensor(m, "mm_projector.proj.0.weight", 2, (size_t[]){64, 64});
  assert_tensor(m, "mm_projector.proj.2.weight", 2, (size_t[]){24, 64});
  assert_tensor(m, "mm_projector.proj.2.bias", 1, (size_t[]){24});
  const size_t n = parl_model_get_n_params(m), n_text = parl_model_get_n_params(blind);
  const float *x = engine_params(m), *y = engine_params(blind);
  assert_memory_equal(x, y, n_text * sizeof *x);
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++) {
    const bool is_bias = strstr(t[i].name, ".bias") != NULL;
    for (size_t k = 0; t[i].n_dims == 1 && k < t[i].n; k++)
      assert_true(x[t[i].offset + k] == (is_bias ? 0.0F : 1.0F));
  }
  parl_shape shape;
  c = small_config();
  assert_ok(parl_shape_count(&c, VOCAB, &shape));
  assert_close((double)(n - n_text), shape.n_tower + shape.n_projector, 0.0);
  parl_model_destroy(m);
  parl_model_destroy(blind);
}

static void assert_same_weights(const parl_model *a, const parl_model *b) {
  const size_t n = parl_model_get_n_params(a);
  assert_int_equal(n, parl_model_get_n_params(b));
  assert_memory_equal(engine_params(a), engine_params(b), n * sizeof(float));
}

static void test_checkpoint(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES], path[2 * PARL_TEST_PATH_BYTES];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  const parl_model_config c = small_config();
  parl_model *m = engine_model(&c, parl_backend_ref(), 4), *back = NULL;
  assert_ok(parl_checkpoint_save(path, m, NULL, &(parl_checkpoint_meta){.progress = ""}, NULL));
  assert_ok(parl_checkpoint_open_model(path, parl_backend_ref(), &back));
  assert_memory_equal(parl_model_get_config(back), &c, sizeof c);
  assert_same_weights(m, back);
  parl_model_destroy(m);
  parl_model_destroy(back);
  parl_test_remove_folder(folder);
}

/* Published as kimi_k25, read again: the same weights, config and names; in f32, over shards. */
static void test_publishing(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES], path[2 * PARL_TEST_PATH_BYTES];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/published", folder);
  const parl_model_config c = small_config();
  parl_model *m = engine_model(&c, parl_backend_ref(), 5), *back = NULL;
  const parl_hf_save_options options = {.shard_bytes = 20000};
  parl_hf_saved saved;
  assert_ok(parl_hf_checkpoint_save(path, m, &options, &saved));
  assert_true(saved.n_files > 1);
  assert_ok(parl_hf_checkpoint_load(path, 0, parl_backend_ref(), &back));
  assert_memory_equal(&parl_model_get_config(back)->vision, &c.vision, sizeof c.vision);
  assert_same_weights(m, back);
  parl_model_destroy(back);
  char config[3 * PARL_TEST_PATH_BYTES], *bytes = NULL;
  size_t n = 0;
  snprintf(config, sizeof config, "%s/model.safetensors.index.json", path);
  assert_ok(parl_file_read(config, 1 << 20, &bytes, &n));
  assert_non_null(strstr(bytes, "\"language_model.model.embed_tokens.weight\""));
  assert_non_null(strstr(bytes, "\"vision_tower.encoder.blocks.0.wqkv.bias\""));
  free(bytes);
  parl_model_destroy(m);
  parl_model_config gqa = c;
  gqa.attention = PARL_ATTENTION_GQA;
  m = engine_model(&gqa, parl_backend_ref(), 5);
  snprintf(path, sizeof path, "%s/llama", folder);
  assert_fails(parl_hf_checkpoint_save(path, m, &options, &saved), PARL_STATUS_EINVAL,
               "kimi_k25 has mla");
  parl_model_destroy(m);
  snprintf(path, sizeof path, "%s/published", folder);
  parl_folder_abort(path);
  parl_test_remove_folder(folder);
}

/* A tower's tensor that the config has not is refused; a config without a tower passes all of them
 * over. */
static void test_tower_is_not_passed_over(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES], path[2 * PARL_TEST_PATH_BYTES];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/published", folder);
  const parl_model_config c = small_config();
  parl_model *m = engine_model(&c, parl_backend_ref(), 6), *back = NULL;
  const parl_hf_save_options options = {.shard_bytes = 1 << 30};
  assert_ok(parl_hf_checkpoint_save(path, m, &options, NULL));
  char config[3 * PARL_TEST_PATH_BYTES], *bytes = NULL;
  size_t n = 0;
  snprintf(config, sizeof config, "%s/config.json", path);
  assert_ok(parl_file_read(config, 1 << 20, &bytes, &n));
  char *layers = strstr(bytes, "\"vt_num_hidden_layers\": 2");
  assert_non_null(layers);
  layers[strlen("\"vt_num_hidden_layers\": ")] = '1';
  layers = strstr(bytes, "\"num_hidden_layers\": 2"); /* the tower's; the text's comes later */
  assert_non_null(layers);
  layers[strlen("\"num_hidden_layers\": ")] = '1';
  assert_ok(parl_file_write(config, bytes, n));
  assert_fails(parl_hf_checkpoint_load(path, 0, parl_backend_ref(), &back), PARL_STATUS_EFORMAT,
               "is not one of this model");
  layers = strstr(bytes, "\"vision_config\"");
  memcpy(layers, "\"architectural\"", strlen("\"vision_config\""));
  assert_ok(parl_file_write(config, bytes, n));
  assert_ok(parl_hf_checkpoint_load(path, 0, parl_backend_ref(), &back));
  assert_int_equal(parl_model_get_config(back)->vision.n_layers, 0);
  parl_model_destroy(back);
  free(bytes);
  parl_model_destroy(m);
  parl_folder_abort(path);
  parl_test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_group_in_the_section),
      cmocka_unit_test(test_bad_towers),
      cmocka_unit_test(test_spellings),
      cmocka_unit_test(test_other_towers),
      cmocka_unit_test(test_tensors),
      cmocka_unit_test(test_checkpoint),
      cmocka_unit_test(test_publishing),
      cmocka_unit_test(test_tower_is_not_passed_over),
  };
  return cmocka_run_group_tests_name("vision_config", tests, NULL, NULL);
}
