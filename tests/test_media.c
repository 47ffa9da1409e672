/* tests/test_media.c - sizes, padding, patches, frames and times of what a vision tower reads, and
 * preprocessor_config.json. */
#include "core/media.h"
#include "core/text.h"
#include "tests/support.h"

static parl_media_config tiny(void) {
  parl_media_config config = parl_media_config_default();
  config.patch = 2;
  config.merge = 2;
  return config;
}

/* Worked by hand from min(1, sqrt(limit / (w div 14 * h div 14)), 7168 / w, 7168 / h); those of
 * 4000 x 3000 and 10000 x 40 with Python's floats. */
static void test_sizes_worked_by_hand(void **state) {
  (void)state;
  static const struct {
    int limit, width, height, to_width, to_height, grid_h, grid_w, n_tokens;
  } cases[] = {
      {16384, 1, 1, 1, 1, 2, 2, 1},                    /* never made larger, padded to 28 */
      {16384, 28, 28, 28, 28, 2, 2, 1},                /* as it is */
      {16384, 29, 57, 29, 57, 6, 4, 6},                /* 56 x 84 */
      {16384, 1792, 1792, 1792, 1792, 128, 128, 4096}, /* exactly the limit: 128 * 128 */
      {4096, 1792, 1792, 896, 896, 64, 64, 1024},      /* sqrt(4096 / 16384) = 1/2 */
      {16384, 4000, 3000, 2073, 1554, 112, 150, 4200},
      {16384, 10000, 40, 7168, 28, 2, 512, 256}, /* the side's limit: 7168 / 10000 */
      {16384, 60000, 2, 7168, 1, 2, 512, 256},   /* 2 * 0.119 = 0.2, at least 1 */
  };
  const parl_media_config config = parl_media_config_default();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_media_size size;
    assert_ok(parl_media_fit(&config, cases[i].limit, cases[i].width, cases[i].height, &size));
    assert_int_equal(size.width, cases[i].to_width);
    assert_int_equal(size.height, cases[i].to_height);
    assert_int_equal(size.grid_h, cases[i].grid_h);
    assert_int_equal(size.grid_w, cases[i].grid_w);
    assert_int_equal(size.padded_width, 14 * size.grid_w);
    assert_int_equal(size.padded_height, 14 * size.grid_h);
    assert_int_equal(size.n_tokens, cases[i].n_tokens);
  }
}

/* Whatever the size: never larger than it was, within the side's limit, padding below one block. */
static void test_sizes_keep_their_bounds(void **state) {
  (void)state;
  const parl_media_config config = parl_media_config_default();
  for (int width = 1; width < 65536; width = width * 3 / 2 + 1)
    for (int height = 1; height < 65536; height = height * 7 / 4 + 1) {
      parl_media_size size;
      assert_ok(parl_media_fit(&config, 4096, width, height, &size));
      assert_true(size.width >= 1 && size.width <= width && size.width <= 7168);
      assert_true(size.height >= 1 && size.height <= height && size.height <= 7168);
      assert_true(size.padded_width >= size.width && size.padded_width - size.width < 28);
      assert_true(size.padded_height >= size.height && size.padded_height - size.height < 28);
      assert_true(size.padded_width % 28 == 0 && size.padded_height % 28 == 0);
    }
}

/* 3 x 5 pixels in patches of 2 x 2 merged 2 x 2: padded to 4 x 8, a grid of 4 rows and 2 columns.
 * Channel c of pixel (x, y) is 10 y + x + 80 c. */
static void test_patches_worked_by_hand(void **state) {
  (void)state;
  uint8_t rgb[5 * 3 * 3];
  for (int y = 0; y < 5; y++)
    for (int x = 0; x < 3; x++)
      for (int c = 0; c < 3; c++) rgb[(y * 3 + x) * 3 + c] = (uint8_t)(10 * y + x + 80 * c);
  const parl_media_config config = tiny();
  parl_media media;
  parl_media_init(&media, &config);
  assert_ok(parl_media_add_image(&media, &(parl_image){.width = 3, .height = 5, .rgb = rgb}));
  assert_int_equal(media.n_items, 1);
  assert_int_equal(media.n_patches, 8);
  assert_int_equal(media.grid_thw[0], 1);
  assert_int_equal(media.grid_thw[1], 4);
  assert_int_equal(media.grid_thw[2], 2);
  for (int row = 0; row < 4; row++)
    for (int column = 0; column < 2; column++)
      for (int i = 0; i < 12; i++) {
        const int c = i / 4, y = 2 * row + i / 2 % 2, x = 2 * column + i % 2;
        const int byte = y < 5 && x < 3 ? 10 * y + x + 80 * c : 0;
        const float due = ((float)(byte / 255.0) - 0.5f) * 2.0f;
        assert_true(media.pixels[(row * 2 + column) * 12 + i] == due);
      }
  assert_true(media.pixels[7 * 12] == -1.0f); /* padding: black, normalised */
  parl_media_deinit(&media);
}

static void test_normalising_takes_mean_and_deviation_by_channel(void **state) {
  (void)state;
  parl_media_config config = parl_media_config_default();
  config.mean[1] = 0.25;
  config.std[2] = 0.125;
  parl_media media;
  parl_media_init(&media, &config);
  assert_true(media.table[0][0] == -1.0f && media.table[0][255] == 1.0f);
  assert_true(media.table[1][0] == -0.5f && media.table[1][255] == 1.5f);
  assert_true(media.table[2][0] == -4.0f && media.table[2][255] == 4.0f);
  assert_close((double)media.table[0][51], -0.6, 1e-7); /* 51 / 255 = 0.2 */
  parl_media_deinit(&media);
}

static void fill(parl_image *image, int width, int height, int value) {
  assert_ok(parl_image_init(image, width, height));
  memset(image->rgb, value, (size_t)width * (size_t)height * 3);
}

/* Items lie one after another; a chunk's frames too, each whole; what was there does not change. */
static void test_items_are_packed(void **state) {
  (void)state;
  const parl_media_config config = tiny();
  parl_media media;
  parl_media_init(&media, &config);
  parl_image image, frames[3];
  fill(&image, 5, 4, 255);
  for (int t = 0; t < 3; t++) fill(&frames[t], 4, 4, 100 * t);
  assert_ok(parl_media_add_image(&media, &image));
  float first[8 * 12];
  memcpy(first, media.pixels, sizeof first);
  assert_ok(parl_media_add_chunk(&media, frames, 3));
  assert_ok(parl_media_add_image(&media, &image));
  assert_int_equal(media.n_items, 3);
  assert_int_equal(media.n_patches, 8 + 12 + 8);
  const int64_t due[9] = {1, 2, 4, 3, 2, 2, 1, 2, 4};
  assert_memory_equal(media.grid_thw, due, sizeof due);
  for (int t = 0; t < 3; t++)
    for (int i = 0; i < 48; i++)
      assert_true(media.pixels[(8 + 4 * t) * 12 + i] == media.table[0][100 * t]);
  assert_memory_equal(media.pixels, first, sizeof first);
  assert_memory_equal(media.pixels + (size_t)20 * 12, first, sizeof first);
  parl_media_clear(&media);
  assert_int_equal(media.n_items + media.n_patches, 0);
  assert_ok(parl_media_add_chunk(&media, frames + 1, 1)); /* a chunk of one frame looks so */
  assert_int_equal(media.grid_thw[0], 1);
  parl_media_deinit(&media);
  parl_image_deinit(&image);
  for (int t = 0; t < 3; t++) parl_image_deinit(&frames[t]);
}

/* A frame has its own limit of patches, a quarter of an image's. */
static void test_frames_have_their_own_limit(void **state) {
  (void)state;
  parl_media_config config = tiny();
  config.max_patches = 64;
  config.max_patches_frame = 16;
  parl_media media;
  parl_media_init(&media, &config);
  parl_image image;
  fill(&image, 16, 16, 9);
  assert_ok(parl_media_add_image(&media, &image));
  assert_ok(parl_media_add_chunk(&media, &image, 1));
  assert_int_equal(media.grid_thw[1], 8);
  assert_int_equal(media.grid_thw[4], 4);
  parl_media_deinit(&media);
  parl_image_deinit(&image);
}

static void test_chunks_that_are_none(void **state) {
  (void)state;
  const parl_media_config config = tiny();
  parl_media media;
  parl_media_init(&media, &config);
  parl_image frames[2];
  fill(&frames[0], 4, 4, 0);
  fill(&frames[1], 4, 5, 0);
  assert_fails(parl_media_add_chunk(&media, frames, 0), PARL_STATUS_EINVAL, "0 frames; 1 to 4");
  assert_fails(parl_media_add_chunk(&media, frames, 5), PARL_STATUS_EINVAL, "5 frames; 1 to 4");
  assert_fails(parl_media_add_chunk(&media, frames, 2), PARL_STATUS_EINVAL,
               "frame 2 of a chunk is 4 x 5 pixels, the first 4 x 4");
  assert_int_equal(media.n_items, 0);
  parl_media_config odd = tiny();
  odd.max_patches_side = 3; /* no multiple of the merge */
  parl_media_size size;
  assert_fails(parl_media_fit(&odd, 100, 6, 6, &size), PARL_STATUS_EINVAL, "padded to 8 x 8");
  parl_media_deinit(&media);
  parl_image_deinit(&frames[0]);
  parl_image_deinit(&frames[1]);
}

static void check_frames(int n_frames, double fps, const char *due) {
  const parl_media_config config = parl_media_config_default();
  int frames[100], n = 0;
  assert_ok(parl_media_choose_frames(&config, n_frames, fps, frames, &n));
  parl_text text = {0};
  for (int i = 0; i < n; i++) parl_text_appendf(&text, "%s%d", i > 0 ? " " : "", frames[i]);
  assert_string_equal(parl_text_get(&text), due);
  parl_text_deinit(&text);
}

/* numpy's rint(linspace(0, N - 1, n)) of n = max(round(2 N / fps), 1). */
static void test_frames_worked_by_hand(void **state) {
  (void)state;
  check_frames(6, 2.0, "0 1 2 3 4 5");
  check_frames(6, 1.0, "0 1 2 3 4 5"); /* slower than asked for: all */
  check_frames(10, 4.0, "0 2 4 7 9");  /* 0 2.25 4.5 6.75 9; 4.5 to even */
  check_frames(12, 8.0, "0 6 11");     /* 5.5 to even */
  check_frames(5, 4.0, "0 4");         /* round(2.5) = 2 */
  check_frames(7, 4.0, "0 2 4 6");     /* round(3.5) = 4 */
  check_frames(1, 30.0, "0");          /* round(0.07), at least 1 */
  check_frames(30, 29.97, "0 29");     /* round(2.002) */
  const parl_media_config config = parl_media_config_default();
  int frames[1], n = 0;
  assert_fails(parl_media_choose_frames(&config, 1, NAN, frames, &n), PARL_STATUS_EINVAL, "nan");
  assert_status(parl_media_choose_frames(&config, 1, 0, frames, &n), PARL_STATUS_EINVAL);
  assert_status(parl_media_choose_frames(&config, 0, 2, frames, &n), PARL_STATUS_EINVAL);
}

static void check_time(double seconds, const char *due) {
  char text[13];
  assert_ok(parl_media_format_time(seconds, text));
  assert_string_equal(text, due);
}

static void test_times(void **state) {
  (void)state;
  check_time(0, "00:00:00.000");
  check_time(1.9996, "00:00:01.999"); /* cut, not rounded */
  check_time(3723.25, "01:02:03.250");
  check_time(86398.5, "23:59:58.500");
  check_time(0.9999999, "00:00:01.999"); /* as datetime.fromtimestamp and int(t % 1 * 1000) */
  char text[13];
  assert_status(parl_media_format_time(-0.1, text), PARL_STATUS_EINVAL);
  assert_status(parl_media_format_time(NAN, text), PARL_STATUS_EINVAL);
  assert_status(parl_media_format_time(86400, text), PARL_STATUS_EINVAL);
}

static parl_status parse(const char *text, parl_media_config *out) {
  parl_json *root = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "p.json", &root));
  const parl_status s = parl_media_config_parse(root, "p.json", out);
  parl_json_destroy(root);
  return s;
}

/* The keys of the published file, and more that mean nothing here. */
static void test_a_published_configuration(void **state) {
  (void)state;
  parl_media_config config;
  assert_ok(
      parse("{\"auto_map\": {\"AutoProcessor\": \"x\"}, \"media_proc_cfg\": {"
            "\"in_patch_limit\": 16384, \"patch_size\": 14, \"image_mean\": [0.5, 0.5, 0.5],"
            "\"image_std\": [0.5, 0.5, 0.5], \"merge_kernel_size\": 2,"
            "\"fixed_output_tokens\": null, \"patch_limit_on_one_side\": 512,"
            "\"in_patch_limit_each_frame\": 4096, \"in_patch_limit_video\": null,"
            "\"sample_fps\": 2.0, \"max_num_frames_each_video\": null,"
            "\"temporal_merge_kernel_size\": 4, \"timestamp_mode\": \"hh:mm:ss.fff\"}}",
            &config));
  const parl_media_config due = parl_media_config_default();
  assert_memory_equal(&config, &due, sizeof due);
  assert_ok(
      parse("{\"media_proc_cfg\": {\"in_patch_limit\": 400, \"image_mean\": [0.1, 0.2, 0.3],"
            "\"in_patch_limit_each_frame\": null}}",
            &config));
  assert_int_equal(config.max_patches_frame, 400);
  assert_close(config.mean[2], 0.3, 0);
}

static void test_a_configuration_is_written_and_read(void **state) {
  (void)state;
  parl_media_config config = parl_media_config_default(), read;
  config.patch = 4;
  config.max_patches_frame = 77;
  config.fps = 1.5;
  config.std[1] = 0.25;
  parl_text text = {0};
  parl_media_config_append(&config, &text);
  assert_ok(parl_text_status(&text));
  assert_ok(parse(parl_text_get(&text), &read));
  assert_memory_equal(&config, &read, sizeof read);
  parl_text_deinit(&text);
}

static void test_configurations_that_are_refused(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"{}", "p.json: has no object media_proc_cfg"},
      {"{\"media_proc_cfg\": {\"patch_size\": 0}}", "media_proc_cfg.patch_size must be a number"},
      {"{\"media_proc_cfg\": {\"patch_size\": 1.5}}", "patch_size is 1.5, no integer"},
      {"{\"media_proc_cfg\": {\"merge_kernel_size\": [2, 2]}}", "merge_kernel_size must be"},
      {"{\"media_proc_cfg\": {\"image_std\": [0.5, 0.5]}}", "image_std must be a list of 3"},
      {"{\"media_proc_cfg\": {\"image_std\": [0.5, 0, 0.5]}}", "image_std must be a number"},
      {"{\"media_proc_cfg\": {\"sample_fps\": 0}}", "sample_fps"},
      {"{\"media_proc_cfg\": {\"fixed_output_tokens\": 9}}", "fixed_output_tokens is not null"},
      {"{\"media_proc_cfg\": {\"in_patch_limit_video\": 9}}", "in_patch_limit_video is not null"},
      {"{\"media_proc_cfg\": {\"max_num_frames_each_video\": 9}}", "max_num_frames_each_video"},
      {"{\"media_proc_cfg\": {\"timestamp_mode\": \"mm:ss\"}}", "must be \"hh:mm:ss.fff\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_media_config config;
    assert_fails(parse(cases[i][0], &config), PARL_STATUS_EINVAL, cases[i][1]);
  }
  parl_media_config config;
  assert_status(parl_media_config_read("tests/none.json", &config), PARL_STATUS_EIO);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes_worked_by_hand),
      cmocka_unit_test(test_sizes_keep_their_bounds),
      cmocka_unit_test(test_patches_worked_by_hand),
      cmocka_unit_test(test_normalising_takes_mean_and_deviation_by_channel),
      cmocka_unit_test(test_items_are_packed),
      cmocka_unit_test(test_frames_have_their_own_limit),
      cmocka_unit_test(test_chunks_that_are_none),
      cmocka_unit_test(test_frames_worked_by_hand),
      cmocka_unit_test(test_times),
      cmocka_unit_test(test_a_published_configuration),
      cmocka_unit_test(test_a_configuration_is_written_and_read),
      cmocka_unit_test(test_configurations_that_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
