/* tests/test_feature_cache.c - features that threads share: encoded once, whole when they are
 * handed out, kept while somebody uses them, dropped with the weights and above the limit. */
#include "core/media.h"
#include "core/workers.h"
#include "engine/feature_cache.h"
#include "engine/vision.h"
#include "tests/support.h"

enum { N_PICTURES = 12, N_LOOKS = 64, SIDE = 24, ROWS = 9, C = 32 };

typedef struct fixture {
  parl_model *model;
  parl_feature_cache *cache;
  parl_album album;
  const float *rows[N_LOOKS];    /* what each look was given, */
  float seen[N_LOOKS][ROWS * C]; /* and what it was then */
} fixture;

static void open_hall(fixture *h) {
  parl_model_config config;
  const parl_backend *backend;
  parl_config_set_defaults(&parl_model_section, &config);
  config.d_model = C;
  config.n_heads = 2;
  config.n_kv_heads = 2;
  config.vision.n_layers = 1;
  config.vision.d_model = 16;
  config.vision.n_heads = 2;
  *h = (fixture){0};
  assert_ok(parl_backend_find("cpu", &backend));
  assert_ok(parl_model_create(&config, 40, backend, NULL, &h->model));
  assert_ok(parl_model_init_weights(h->model, 3));
  assert_ok(parl_model_get_feature_cache(h->model, &h->cache));
  parl_image image;
  assert_ok(parl_image_init(&image, SIDE, SIDE));
  for (int i = 0; i < N_PICTURES; i++) {
    int32_t number;
    for (int k = 0; k < 3 * SIDE * SIDE; k++) image.rgb[k] = (uint8_t)(k * (7 + i) + i);
    const parl_picture picture = {parl_image_get_content(&image, 1), 1, image};
    assert_ok(parl_album_add(&h->album, &picture, &number));
    assert_int_equal(number, i);
  }
  parl_image_deinit(&image);
}

static void close_hall(fixture *h) {
  parl_album_deinit(&h->album);
  parl_model_destroy(h->model);
}

/* Tasks side by side look at the same picture; each keeps what it was given as it was then. */
static parl_status look(void *context, size_t i, size_t worker) {
  fixture *h = context;
  (void)worker;
  parl_feature_cache_enter(h->cache);
  const parl_status s = parl_feature_cache_look(h->cache, &h->album.items[i * N_PICTURES / N_LOOKS],
                                                ROWS, &h->rows[i]);
  if (s == PARL_STATUS_OK) memcpy(h->seen[i], h->rows[i], sizeof h->seen[i]);
  parl_feature_cache_leave(h->cache);
  return s;
}

static void threads_share_what_one_encodes(void **state) {
  (void)state;
  for (size_t threads = 1; threads <= 8; threads += 7) {
    fixture h;
    parl_workers *workers;
    open_hall(&h);
    assert_ok(parl_workers_create(threads, &workers));
    for (int again = 0; again < 20; again++) {
      assert_ok(parl_model_init_weights(h.model, (uint64_t)again));
      assert_ok(parl_workers_run(workers, N_LOOKS, look, &h));
      assert_int_equal(parl_feature_cache_get_n_encoded(h.cache), N_PICTURES * (again + 1));
      for (size_t i = 0; i < N_LOOKS; i++) {
        if (i * N_PICTURES / N_LOOKS == (i - 1) * N_PICTURES / N_LOOKS && i > 0)
          assert_ptr_equal(h.rows[i], h.rows[i - 1]);
        assert_memory_equal(h.seen[i], h.rows[i], sizeof h.seen[i]);
      }
    }
    parl_workers_destroy(workers);
    close_hall(&h);
  }
}

/* A visitor's rows stay; the next visit after new weights has others. */
static void rows_stay_for_a_visit(void **state) {
  (void)state;
  fixture h;
  const float *first, *again;
  open_hall(&h);
  parl_feature_cache_enter(h.cache);
  assert_ok(parl_feature_cache_look(h.cache, &h.album.items[0], ROWS, &first));
  const float kept = first[5];
  for (int i = 1; i < N_PICTURES; i++)
    assert_ok(parl_feature_cache_look(h.cache, &h.album.items[i], ROWS, &again));
  assert_ok(parl_feature_cache_look(h.cache, &h.album.items[0], ROWS, &again));
  assert_ptr_equal(first, again);
  assert_true(kept == again[5]);
  parl_feature_cache_leave(h.cache);
  assert_ok(parl_model_init_weights(h.model, 4));
  parl_feature_cache_enter(h.cache);
  assert_ok(parl_feature_cache_look(h.cache, &h.album.items[0], ROWS, &again));
  assert_true(kept != again[5]);
  parl_feature_cache_leave(h.cache);
  assert_int_equal(parl_feature_cache_get_n_encoded(h.cache), N_PICTURES + 1);
  close_hall(&h);
}

/* The features are those of the tower alone, and another number of rows is refused. */
static void rows_are_the_towers(void **state) {
  (void)state;
  fixture h;
  parl_tower *tower;
  parl_media media;
  const float *rows;
  float *features, due[ROWS * C];
  open_hall(&h);
  parl_media_config config = parl_media_config_default();
  config.patch = 4;
  parl_media_init(&media, &config);
  assert_ok(parl_media_add_image(&media, &h.album.items[7].image));
  assert_ok(parl_tower_create(h.model, media.n_patches, &tower));
  const parl_vision_items items = {1, media.grid_thw, media.pixels};
  assert_ok(parl_tower_forward(h.model, tower, &items, &features));
  assert_ok(parl_tower_read(tower, features, ROWS * C, due));
  parl_feature_cache_enter(h.cache);
  assert_ok(parl_feature_cache_look(h.cache, &h.album.items[7], ROWS, &rows));
  assert_memory_equal(rows, due, sizeof due);
  assert_int_equal(parl_feature_cache_look(h.cache, &h.album.items[7], 4, &rows),
                   PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "9 rows at model.vision.patch = 4, but 4 placeholders");
  parl_feature_cache_leave(h.cache);
  parl_tower_destroy(tower);
  parl_media_deinit(&media);
  close_hall(&h);
}

/* A clip is one item of as many rows as a frame has, with the features that the tower makes of its
 * frames together; one longer than the model takes is refused. */
static void a_clip_is_looked_at_whole(void **state) {
  (void)state;
  enum { FRAMES = 3, OF_FRAME = 4 };
  fixture h;
  parl_tower *tower;
  parl_media media;
  const float *rows;
  float *features, due[OF_FRAME * C];
  open_hall(&h);
  parl_image stack, frames[FRAMES];
  assert_ok(parl_image_init(&stack, 13, FRAMES * 9));
  for (int k = 0; k < 3 * 13 * FRAMES * 9; k++) stack.rgb[k] = (uint8_t)(k * k);
  for (int k = 0; k < FRAMES; k++) frames[k] = parl_image_get_frame(&stack, FRAMES, k);
  parl_media_config config = parl_media_config_default();
  config.patch = 4;
  parl_media_init(&media, &config);
  assert_ok(parl_media_add_chunk(&media, frames, FRAMES));
  assert_int_equal(media.grid_thw[0], FRAMES);
  assert_ok(parl_tower_create(h.model, media.n_patches, &tower));
  const parl_vision_items items = {1, media.grid_thw, media.pixels};
  assert_ok(parl_tower_forward(h.model, tower, &items, &features));
  assert_ok(parl_tower_read(tower, features, OF_FRAME * C, due));
  parl_picture clip = {parl_image_get_content(&stack, FRAMES), FRAMES, stack};
  parl_feature_cache_enter(h.cache);
  assert_ok(parl_feature_cache_look(h.cache, &clip, OF_FRAME, &rows));
  assert_memory_equal(rows, due, sizeof due);
  clip.frames = 5;
  assert_int_equal(parl_feature_cache_look(h.cache, &clip, OF_FRAME, &rows), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "a clip of 5 frames, but model.vision.max_frames = 4");
  parl_feature_cache_leave(h.cache);
  parl_tower_destroy(tower);
  parl_media_deinit(&media);
  parl_image_deinit(&stack);
  close_hall(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_share_what_one_encodes),
      cmocka_unit_test(rows_stay_for_a_visit),
      cmocka_unit_test(a_clip_is_looked_at_whole),
      cmocka_unit_test(rows_are_the_towers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
