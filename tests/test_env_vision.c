/* tests/test_env_vision.c - images among the tokens that scripts return: what the host makes of
 * them, what it refuses, and which vocabularies have their tokens. */
#include "tests/env_toy.h"

#define PROMPT "  prompt = function(world) return {tok.row[world.n]} end,\n"
#define VISION "  vision = {width = 20, height = 16},\n"

/* The toy whose prompt is `body`, at a patch. */
static parl_env *make_seeing(const char *vision, const char *body, int patch) {
  parl_text to = {0};
  parl_env *env = NULL;
  parl_text_appendf(&to, "%s  prompt = function(world) %s end,\n", vision, body);
  char *code = edit(TOY, PROMPT, parl_text_get(&to));
  assert_ok(make_env(code, NULL, &(parl_env_options){.patch = patch}, &env));
  free(code);
  parl_text_deinit(&to);
  return env;
}

static parl_status ask_prompt(parl_env *env, int32_t *tokens, size_t max, size_t *n) {
  parl_world w;
  parl_agent m;
  assert_ok(parl_env_reset(env, 1, 1, &w, &m));
  const parl_status s = parl_env_prompt(env, w, tokens, max, n);
  parl_env_release(env, w);
  return s;
}

/* 13 x 9 pixels are padded to 16 x 16: 2 x 2 tokens of 8 x 8 pixels. */
static void an_image_becomes_its_tokens(void **state) {
  (void)state;
  parl_env *env = make_seeing(
      VISION,
      "local i = parl.image(13, 9, 0x102030) local list = {tok.row[2], i, tok.word.ok, i:copy(), "
      "parl.image(8, 1)} i:fill(7) return list",
      4);
  const parl_env_spec *spec = parl_env_get_spec(env);
  const int32_t a = spec->vision.first_token;
  assert_int_equal(spec->n_plain, a);
  assert_int_equal(spec->n_tokens, a + PARL_N_MEDIA_TOKENS);
  assert_string_equal(parl_env_token_name(env, a), "<|media_begin|>");
  assert_string_equal(parl_env_token_name(env, a + 1), "image");
  assert_string_equal(parl_env_token_name(env, a + 2), "<|media_content|>");
  assert_string_equal(parl_env_token_name(env, a + 3), "<|media_pad|>");
  assert_string_equal(parl_env_token_name(env, a + 4), "<|media_end|>");
  int32_t tokens[64];
  size_t n = 0;
  assert_ok(ask_prompt(env, tokens, 64, &n));
  assert_int_equal(n, 1 + 8 + 1 + 8 + 5);
  for (int k = 0; k < 3; k++) assert_int_equal(tokens[1 + k], a + k);
  for (int k = 0; k < 4; k++) assert_int_equal(tokens[4 + k], a + 3);
  assert_int_equal(tokens[8], a + 4);
  const parl_env_shown shown = parl_env_get_shown(env);
  assert_int_equal(shown.n, 3);
  assert_int_equal(shown.album->n, 3);
  const int32_t at[] = {4, 13, 21}, rows[] = {4, 4, 1};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(shown.items[i].at, at[i]);
    assert_int_equal(shown.items[i].n, rows[i]);
  }
  /* what was returned is what there was at the end of the callback */
  assert_int_equal(shown.album->items[0].image.rgb[2], 7);
  assert_int_equal(shown.album->items[1].image.rgb[2], 0x30);
  assert_int_not_equal(parl_env_hash_shown(env), 0);
  parl_env_destroy(env);
}

/* Larger patches, fewer tokens; one image without a list; equal pixels are kept once. */
static void the_patch_says_how_many(void **state) {
  (void)state;
  int32_t tokens[128];
  size_t n = 0;
  const size_t due[] = {4 + 80, 4 + 20, 4 + 6, 4 + 2};
  const int patches[] = {1, 2, 4, 8};
  for (size_t i = 0; i < 4; i++) {
    parl_env *env = make_seeing(VISION, "return parl.image(20, 16)", patches[i]);
    assert_ok(ask_prompt(env, tokens, 128, &n));
    assert_int_equal(n, due[i]);
    parl_env_destroy(env);
  }
  parl_env *env = make_seeing(VISION, "return parl.image(4, 4), tok.row[1], parl.image(4, 4)", 4);
  assert_ok(ask_prompt(env, tokens, 128, &n));
  assert_int_equal(n, 11);
  assert_int_equal(parl_env_get_shown(env).n, 2);
  assert_int_equal(parl_env_get_shown(env).album->n, 1);
  parl_env_destroy(env);
}

static void refused(const char *vision, const char *body, const char *why) {
  int32_t tokens[PARL_ENV_MAX_OBSERVATION];
  size_t n = 0;
  parl_env *env = make_seeing(vision, body, 4);
  const parl_status s = ask_prompt(env, tokens, PARL_ENV_MAX_OBSERVATION, &n);
  assert_int_equal(s, PARL_STATUS_ESCRIPT);
  assert_contains(parl_error_text(), why);
  assert_contains(parl_error_text(), "script.lua:");
  parl_env_destroy(env);
}

static void what_a_callback_may_not_show(void **state) {
  (void)state;
  refused("", "return {parl.image(3, 5)}",
          "token 1 is an image; that needs vision = {width = 3, height = 5} in parl.env");
  refused(VISION, "return {tok.row[1], parl.image(21, 4)}",
          "token 2 is an image of 21 x 4 pixels; vision declares at most 20 x 16");
  refused(VISION, "return parl.image(4, 17)", "declares at most 20 x 16");
  /* the tokens of images are not to be written by hand: 33 and 10 are those of the toy */
  refused(VISION, "return {34}", "token 1 is 34; a token is an integer, 0 to 33");
  refused(VISION, "return 37, 36", "a token is an integer");
  refused(VISION, "return {world}", "a token is an integer");
  refused("  vision = {width = 60, height = 60},\n",
          "local l = {} for k = 1, 8 do l[k] = parl.image(60, 60, k) end return l",
          "returned more than 512 tokens: image 8 has 68 of them, at model.vision.patch = 4");
  refused(VISION, "local l = {} for k = 1, 513 do l[k] = parl.image(1, 1) end return l",
          "returned 513 tokens; at most 512");
}

static void what_may_not_be_declared(void **state) {
  (void)state;
  static const refusal cases[] = {
      {"", "vision = 3", "vision: must be a table"},
      {"", "vision = {width = 3}", "vision: height must be an integer, 1 to 4096"},
      {"", "vision = {width = 0, height = 3}", "vision: width must be an integer"},
      {"", "vision = {width = 3, height = 3, frames = 1}", "frames must be an integer, 2 to 4"},
      {"", "vision = {width = 3, height = 3, frames = 5}", "frames must be an integer, 2 to 4"},
      {"", "vision = {width = 3, height = 3, depth = 3}", "vision: unknown field 'depth'"},
      {"", "vision = {width = 3, hight = 3}", "did you mean 'height'?"},
      {"", "vision = {width = 400, height = 400}",
       "an image of 400 x 400 pixels is 2500 tokens where model.vision.patch is 4"},
      /* the fit of something smaller could be more patches than the fit of this */
      {"", "vision = {width = 4096, height = 16}", "shrunk, to 2048 x 8"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_text to = {0};
    parl_env *env = NULL;
    parl_text_appendf(&to, "  %s,\n" PROMPT, cases[i].to);
    char *code = edit(TOY, PROMPT, parl_text_get(&to));
    assert_int_equal(make_env(code, NULL, &(parl_env_options){0}, &env), PARL_STATUS_ESCRIPT);
    assert_contains(parl_error_text(), cases[i].text);
    free(code);
    parl_text_deinit(&to);
  }
}

/* The vocabulary without images is what it was; with them only its end is new. */
static void other_vocabularies_stay(void **state) {
  (void)state;
  parl_env *plain = make_seeing("", "return {tok.row[1]}", 4);
  parl_env *seeing = make_seeing(VISION, "return {tok.row[1]}", 4);
  const parl_env_spec *a = parl_env_get_spec(plain), *b = parl_env_get_spec(seeing);
  assert_int_equal(a->n_tokens, a->n_plain);
  assert_int_equal(b->n_plain, a->n_plain);
  for (int t = 0; t < a->n_tokens; t++)
    assert_string_equal(parl_env_token_name(plain, t), parl_env_token_name(seeing, t));
  assert_string_not_equal(a->vocab_hash, b->vocab_hash);
  assert_string_equal(a->vocab_hash,
                      "d5a5ca7cc66ad79e69da1519aaabee8ef33e1c250183e25cfb540370237b4eed");
  parl_env_destroy(plain);
  parl_env_destroy(seeing);
}

static parl_status add(parl_album *album, const parl_image *image, uint64_t content,
                       int32_t *number) {
  const parl_picture picture = {content, 1, *image};
  return parl_album_add(album, &picture, number);
}

static void an_album_has_limits(void **state) {
  (void)state;
  parl_album album = {0};
  parl_image image = {0};
  int32_t number = -1;
  assert_ok(parl_image_init(&image, 1024, 1024));
  const size_t most = PARL_ALBUM_MAX_BYTES / (3 << 20);
  for (size_t i = 0; i < most; i++) {
    image.rgb[0] = (uint8_t)i;
    assert_ok(add(&album, &image, parl_image_get_content(&image, 1), &number));
    assert_int_equal(number, i);
  }
  image.rgb[0] = 1;
  assert_ok(add(&album, &image, parl_image_get_content(&image, 1), &number));
  assert_int_equal(number, 1);
  image.rgb[0] = 99;
  assert_int_equal(add(&album, &image, parl_image_get_content(&image, 1), &number),
                   PARL_STATUS_ELIMIT);
  assert_contains(parl_error_text(), "more than 1024 distinct images, or 16 MiB of pixels");
  assert_int_equal(number, 1);
  assert_int_equal(album.n, most);
  parl_album_clear(&album);
  const parl_image small = {1, 1, image.rgb};
  for (uint64_t i = 1; i <= PARL_ALBUM_MAX_PICTURES; i++)
    assert_ok(add(&album, &small, i, &number));
  assert_int_equal(add(&album, &small, 5000, &number), PARL_STATUS_ELIMIT);
  parl_album_deinit(&album);
  parl_image_deinit(&image);
}

/* ------------------------------------------------------------------------------------- clips */

#define CLIPS "  vision = {width = 20, height = 16, frames = 3},\n"

/* Three frames of 13 x 9 pixels: as many tokens as one image, "video" before them; drawing on an
 * image later changes nothing; the same frames as an image of 13 x 27 pixels are something else. */
static void a_clip_is_one_item(void **state) {
  (void)state;
  parl_env *env = make_seeing(
      CLIPS,
      "local a = parl.image(13, 9, 1) local clip = parl.clip{a, parl.image(13, 9, 2), a} a:fill(9) "
      "return tok.row[2], clip, parl.clip{parl.image(13, 9, 1), parl.image(13, 9, 2)}, a",
      4);
  const parl_env_spec *spec = parl_env_get_spec(env);
  const int32_t first = spec->vision.first_token;
  assert_int_equal(spec->vision.frames, 3);
  assert_int_equal(spec->n_tokens, first + PARL_N_MEDIA_TOKENS + 1);
  assert_string_equal(parl_env_token_name(env, first + PARL_MEDIA_VIDEO), "video");
  int32_t tokens[64];
  size_t n = 0;
  assert_ok(ask_prompt(env, tokens, 64, &n));
  assert_int_equal(n, 1 + 3 * 8);
  assert_int_equal(tokens[2], first + PARL_MEDIA_VIDEO);
  assert_int_equal(tokens[10], first + PARL_MEDIA_VIDEO);
  assert_int_equal(tokens[18], first + PARL_MEDIA_WORD);
  const parl_env_shown shown = parl_env_get_shown(env);
  assert_int_equal(shown.n, 3);
  assert_int_equal(shown.items[0].n, 4);
  const parl_picture *clip = &shown.album->items[0];
  assert_int_equal(clip->frames, 3);
  assert_int_equal(clip->image.height, 27);
  for (int k = 0; k < 3; k++) {
    const parl_image frame = parl_image_get_frame(&clip->image, 3, k);
    assert_int_equal(frame.height, 9);
    assert_int_equal(frame.rgb[2], k == 1 ? 2 : 1);
  }
  assert_int_not_equal(parl_image_get_content(&clip->image, 3),
                       parl_image_get_content(&clip->image, 1));
  assert_true(clip->content == parl_image_get_content(&clip->image, 3));
  parl_env_destroy(env);
}

/* Where worlds are shared, a prompt with images is drawn once; its images come with it each time,
 * whatever was shown in between. */
static void a_shared_prompt_is_drawn_once(void **state) {
  (void)state;
  parl_env *env = NULL;
  char *code = edit(TOY, PROMPT,
                    VISION
                    "  prompt = (function() local n = 0 return function(world) n = n + 1\n"
                    "    local i = parl.image(9, 2, n)\n"
                    "    return tok.row[world.n], i, parl.image(1, 1, n), i end end)(),\n");
  assert_ok(make_env(code, NULL, &(parl_env_options){.patch = 4, .share_worlds = true}, &env));
  int32_t tokens[64], again[64];
  size_t n = 0, n_again = 0;
  uint64_t hash = 0;
  for (int k = 0; k < 3; k++) {
    parl_world w;
    parl_agent m;
    assert_ok(parl_env_reset(env, 1, (uint64_t)k, &w, &m));
    assert_ok(parl_env_prompt(env, w, k == 0 ? tokens : again, 64, k == 0 ? &n : &n_again));
    const parl_env_shown shown = parl_env_get_shown(env);
    assert_int_equal(shown.n, 3);
    assert_int_equal(shown.album->n, 2);
    assert_int_equal(shown.album->items[0].image.rgb[2], 1); /* drawn the first time */
    assert_int_equal(shown.items[2].picture, 0);
    assert_int_equal(shown.items[1].picture, 1);
    if (k == 0) hash = parl_env_hash_shown(env);
    assert_true(hash == parl_env_hash_shown(env));
    parl_env_release(env, w);
    if (k == 0) continue;
    assert_int_equal(n_again, n);
    assert_memory_equal(again, tokens, n * sizeof *tokens);
  }
  free(code);
  parl_env_destroy(env);
}

/* Frames that `reset` put into the world, which later callbacks may only read. */
static void a_clip_of_a_worlds_frames(void **state) {
  (void)state;
  char *code =
      edit(TOY, PROMPT, CLIPS "  prompt = function(world) return parl.clip(world.frames) end,\n");
  char *framed =
      edit(code, "list = {1, 2, {3}}", "frames = {parl.image(8, 8), parl.image(8, 8, 1)}");
  parl_env *env = NULL;
  int32_t tokens[64];
  size_t n = 0;
  assert_ok(make_env(framed, NULL, &(parl_env_options){.patch = 4}, &env));
  assert_ok(ask_prompt(env, tokens, 64, &n));
  assert_int_equal(n, 4 + 1);
  parl_env_destroy(env);
  free(framed);
  free(code);
}

static void what_is_no_clip(void **state) {
  (void)state;
  refused(VISION, "return parl.clip{parl.image(2, 2), parl.image(2, 2)}",
          "token 1 is a clip of 2 frames; vision declares none: frames = 2");
  refused(CLIPS, "local i = parl.image(2, 2) return tok.row[1], parl.clip{i, i, i, i}",
          "token 2 is a clip of 4 frames; vision declares at most 3");
  refused(CLIPS, "local i = parl.image(4, 17) return parl.clip{i, i}",
          "token 1 is an image of 4 x 17 pixels; vision declares at most 20 x 16");
  refused(CLIPS, "return parl.clip{parl.image(2, 2)}", "a list of 1 images; a clip has 2 to 4");
  refused(CLIPS, "local i = parl.image(2, 2) return parl.clip{i, i, i, i, i}", "2 to 4");
  refused(CLIPS, "return parl.clip{parl.image(2, 2), 3}", "item 2 of the list is no image");
  refused(CLIPS, "local i = parl.image(2, 2) return parl.clip{i, parl.clip{i, i}}",
          "item 2 of the list is no image");
  refused(CLIPS, "return parl.clip{parl.image(2, 2), parl.image(2, 3)}",
          "frame 2 is 2 x 3 pixels, the first 2 x 2");
  refused(CLIPS, "local i = parl.image(2, 2) return parl.clip{i, i}:crop(0, 0, 1, 1)",
          "a clip of 2 frames is shown as it is");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_image_becomes_its_tokens),
      cmocka_unit_test(the_patch_says_how_many),
      cmocka_unit_test(what_a_callback_may_not_show),
      cmocka_unit_test(what_may_not_be_declared),
      cmocka_unit_test(other_vocabularies_stay),
      cmocka_unit_test(an_album_has_limits),
      cmocka_unit_test(a_clip_is_one_item),
      cmocka_unit_test(a_clip_of_a_worlds_frames),
      cmocka_unit_test(what_is_no_clip),
      cmocka_unit_test(a_shared_prompt_is_drawn_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
