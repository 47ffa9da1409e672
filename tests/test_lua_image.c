/* tests/test_lua_image.c - images in scripts: methods and their refusals, the same pixels in every
 * build, memory that the state's cap counts, worlds that keep them, files beside the script. */
#include <unistd.h>

#include "lua/inspect.h"
#include "tests/env_toy.h"

/* What a scene of every method comes to: the same in every build, on every machine. */
#define SCENE_HASH "130147903944935"

/* Runs code while a file is loaded; the toy is declared after it. */
static parl_status run_with(const char *code, const parl_env_options *options) {
  parl_text text = {0};
  parl_env *env = NULL;
  parl_text_append(&text, code);
  parl_text_append(&text, TOY);
  const parl_status status = make_env(parl_text_get(&text), NULL, options, &env);
  parl_text_deinit(&text);
  parl_env_destroy(env);
  return status;
}

static parl_status run(const char *code) {
  return run_with(code, NULL);
}

static void methods(void **state) {
  (void)state;
  assert_ok(run(
      "local i = parl.image(7, 5, 0x102030)\n"
      "local w, h = i:size()\n"
      "assert(w == 7 and h == 5 and i:get(6, 4) == 0x102030)\n"
      "assert(i:fill(1) == i and i:rect(0, 0, 2, 2, 2) == i and i:disc(4, 3, 0, 3) == i)\n"
      "assert(i:get(1, 1) == 2 and i:get(2, 2) == 1 and i:get(4, 3) == 3)\n"
      "assert(i:line(0, 4, 6, 4, 4):get(3, 4) == 4)\n"
      "assert(i:polygon({{5, 0}, {7, 0}, {7, 2}, {5, 2}}, 5):get(6, 1) == 5)\n"
      "assert(i:text(0, 0, '|', 6):get(2, 0) == 6 and i:text(-9, 0, '|', 7, 3):get(0, 0) == 2)\n"
      "local c = i:copy()\n"
      "assert(c ~= i and c:fill(9):get(0, 0) == 9 and i:get(0, 0) == 2)\n"
      "local part = i:crop(5, 1, 2, 3)\n"
      "local pw, ph = part:size()\n"
      "assert(pw == 2 and ph == 3 and part:get(0, 0) == 5 and part:get(1, 2) == i:get(6, 3))\n"
      "local flat = parl.image(9, 9, 0x445566):resize(4, 20)\n"
      "assert(flat:get(3, 19) == 0x445566)\n"
      "local t = parl.image(3, 1):rect(1, 0, 1, 1, 0xffffff):threshold(128)\n"
      "assert(t:get(0, 0) == 0 and t:get(1, 0) == 0xffffff)\n"
      "local s = parl.image(3, 1, 0x102030):rect(1, 0, 1, 1, 0x12222e):select(0x102030)\n"
      "assert(s:get(0, 0) == 0xffffff and s:get(1, 0) == 0)\n"
      "s = parl.image(1, 1, 0x12222e):select(0x102030, 2)\n"
      "assert(s:get(0, 0) == 0xffffff and s:select(0):get(0, 0) == 0)\n"
      "local dots = parl.image(9, 3, 7):rect(1, 0, 2, 2, 1):rect(5, 1, 1, 2, 0)\n"
      "local list = dots:components(7)\n"
      "assert(#list == 2 and #dots:components() == 1 and #parl.image(2, 2):components() == 0)\n"
      "local b = list[1]\n"
      "assert(b.x == 1 and b.y == 0 and b.w == 2 and b.h == 2 and b.n == 4)\n"
      "assert(list[2].x == 5 and list[2].h == 2)\n"
      "assert(tostring(i) == 'userdata' and #tostring(i) == 8)\n"));
}

/* Draws with all methods and sums up every pixel; rng is that of a world. */
static const char scene[] =
    "local i = parl.image(97, 61, 0x203040)\n"
    "i:rect(5, 5, 30, 20, 0xff8000):disc(60, 30, 17, 0x00c0ff):line(0, 60, 96, 0, 0xffffff)\n"
    "i:polygon({{70, 5}, {90, 15}, {75, 40}, {62, 12}}, 0x80ff00)\n"
    "i:text(8, 40, 'Level 7: 42%', 0xf0f0f0):text(40, 2, 'K', 0xff00ff, 3)\n"
    "i:noise(rng, 12)\n"
    "local small, big = i:resize(41, 33), i:crop(10, 10, 20, 20):resize(55, 23)\n"
    "local h = 0\n"
    "for _, image in ipairs({i, small, big, i:threshold(100)}) do\n"
    "  local width, height = image:size()\n"
    "  for y = 0, height - 1 do\n"
    "    for x = 0, width - 1 do h = (h * 31 + image:get(x, y)) % 0x7fffffffffff end\n"
    "  end\n"
    "end\n"
    "for _, c in ipairs(i:threshold(100):components()) do\n"
    "  h = (h * 31 + c.x + 100 * c.y + 10000 * c.w + 1000000 * c.h + c.n) % 0x7fffffffffff\n"
    "end\n";

static void the_same_pixels_everywhere(void **state) {
  (void)state;
  parl_text code = {0};
  parl_text_append(&code, "reset = function(rng, params)\n");
  parl_text_append(&code, scene);
  parl_text_append(
      &code, "assert(h == " SCENE_HASH ", 'it is ' .. h)\n return {n = 1, x = 1} end,\n prompt");
  char *edited = edit(TOY,
                      "reset = function(rng, params)\n    return {n = params.n, x = rng:int(1, "
                      "1000000), list = {1, 2, {3}}} end,\n  prompt",
                      parl_text_get(&code));
  parl_env *env = NULL;
  parl_world w;
  parl_agent m;
  assert_ok(make_env(edited, NULL, NULL, &env));
  assert_ok(parl_env_reset(env, 11, 12, &w, &m));
  parl_env_destroy(env);
  free(edited);
  parl_text_deinit(&code);
}

static const char *const wrong[][2] = {
    {"parl.image(0, 5)", "an image of 0 x 5 pixels; a side is 1 to 4096"},
    {"parl.image(4097, 1)", "an image of 4097 x 1 pixels"},
    {"parl.image(4096, 257)", "at most 1048576 pixels"},
    {"parl.image(1 << 40, 1 << 40)", "an image of 1099511627776 x"},
    {"parl.image(math.mininteger, -1)", "an image of -"},
    {"parl.image(2.5, 1)", "no integer representation"},
    {"parl.image(0/0, 1)", "no integer representation"},
    {"parl.image()", "number expected"},
    {"parl.image(2, 2, -1)", "a colour is 0 to 0xffffff"},
    {"parl.image(2, 2, 0x1000000)", "a colour is 0 to 0xffffff"},
    {"i:get(2, 0)", "2 is outside of 0 to 1"},
    {"i:get(0, -1)", "-1 is outside of 0 to 1"},
    {"i:rect(0, 0, -1, 1, 0)", "-1 is outside of 0 to 16777216"},
    {"i:rect(1 << 25, 0, 1, 1, 0)", "is outside of -16777216 to 16777216"},
    {"i:disc(0, 0, 1e300, 0)", "no integer representation"},
    {"i:line(0, 0, 1 << 62, 0, 0)", "outside"},
    {"i:polygon({{1, 1}, {2, 2}}, 0)", "polygon: 2 points; 3 to 1024"},
    {"i:polygon({{1, 1}, {2, 2}, {0/0, 1}}, 0)", "point 3 must be {x, y}"},
    {"i:polygon({{1, 1}, {2, 2}, 3}, 0)", "point 3 is no table"},
    {"i:polygon({{1, 1}, {2}, {3, 3}}, 0)", "point 2 must be {x, y}"},
    {"i:polygon(parl.range(1, 1025), 0)", "polygon: 1025 points"},
    {"i:text(0, 0, 'a\\nb', 0)", "text: byte 10 at 2 has no glyph"},
    {"i:text(0, 0, '\\xe4', 0)", "text: byte 228 at 1 has no glyph"},
    {"i:text(0, 0, ('a'):rep(1001), 0)", "1001 characters; at most 1000"},
    {"i:text(0, 0, 'a', 0, 0)", "0 is outside of 1 to 256"},
    {"i:noise({}, 3)", "an rng is expected"},
    {"i:noise(i, 3)", "an rng is expected"},
    {"i:noise(nil, 256)", "256 is outside of 0 to 255"},
    {"i:crop(1, 1, 2, 1)", "2 is outside of 1 to 1"},
    {"i:crop(2, 0, 1, 1)", "2 is outside of 0 to 1"},
    {"i:resize(0, 1)", "an image of 0 x 1"},
    {"i:resize(4096, 4096)", "an image of 4096 x 4096"},
    {"i:threshold(257)", "257 is outside of 0 to 256"},
    {"i:select(-1)", "a colour is 0 to 0xffffff"},
    {"i:select(0, 256)", "256 is outside of 0 to 255"},
    {"i:components('x')", "number expected"},
    {"i.fill(0)", "call it with a colon: image:fill(0xff0000)"},
    {"i.fill({}, 0)", "call it with a colon"},
    {"i:fil(0)", "did you mean 'image.fill'?"},
    {"i.x = 1", "a parl.image value"},
    {"return #i", "a parl.image value"},
    {"return i + 1", "a parl.image value"},
    {"for _ in pairs(i) do end", "table expected"},
    {"parl.image = nil", "read-only"},
    {"i.fill.x = 1", "function"},
    {"parl.load_image('../x.png')", "a name is 1 to 40 of"},
    {"parl.load_image('/etc/x.png')", "a name is 1 to 40 of"},
    {"parl.load_image('x.gif')", ".png, .jpg or .jpeg"},
    {"parl.load_image('.png')", "a name is 1 to 40 of"},
    {"parl.load_image('x.png\\0.png')", "x.png"},
    {"parl.load_image('none.png')", "none.png"},
};

static void arguments_are_checked(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
    char code[300];
    snprintf(code, sizeof code, "local i = parl.image(2, 2) %s\n", wrong[k][0]);
    if (strncmp(wrong[k][0], "return", 6) == 0)
      snprintf(code, sizeof code, "local i = parl.image(2, 2) do %s end\n", wrong[k][0]);
    assert_fails(run(code), PARL_STATUS_ESCRIPT, wrong[k][1]);
  }
}

/* Pixels and what works on them count: 20 images of 3 MiB do not fit in 32 MiB. */
static void memory_is_the_states_own(void **state) {
  (void)state;
  const parl_env_options small = {.memory_bytes = (size_t)32 << 20};
  assert_ok(run_with("local t = {} for k = 1, 8 do t[k] = parl.image(1024, 1024) end\n", &small));
  assert_ok(run_with("for k = 1, 50 do local _ = parl.image(1024, 1024) end\n", &small));
  static const char *const codes[] = {
      "local t = {} for k = 1, 20 do t[k] = parl.image(1024, 1024) end\n",
      "local t = {} for k = 1, 20 do t[k] = parl.image(9, 9):resize(1024, 1024) end\n",
      "parl.image(1, 4096):resize(4096, 1)\n", /* 48 MiB between the passes */
      "local i = parl.image(1024, 1024)\n"
      "for y = 0, 1023, 2 do for x = 0, 1023, 2 do i:rect(x, y, 1, 1, 1) end end\n"
      "i:components()\n"};
  for (size_t k = 0; k < sizeof codes / sizeof codes[0]; k++)
    assert_fails(run_with(codes[k], &small), PARL_STATUS_ELIMIT, "bytes of memory");
}

static void world_with(const char *fields, const char *look, parl_status due, const char *text) {
  char reset[400];
  snprintf(reset, sizeof reset, "return {%s, n = params.n,", fields);
  char *with_world = edit(TOY, "return {n = params.n,", reset);
  char *code = edit(with_world, "return {tok.row[row], tok.word.ok}", look);
  parl_env *env = NULL;
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n;
  assert_ok(make_env(code, NULL, NULL, &env));
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  const parl_status s = call(env, w, m, "look", 3, tokens, &n);
  assert_status(s, due);
  if (due != PARL_STATUS_OK) assert_contains(parl_error_text(), text);
  parl_env_destroy(env);
  free(code);
  free(with_world);
}

/* In a world images are read-only, deep inside too, but can be looked at and copied. */
static void worlds_keep_images(void **state) {
  (void)state;
  static const char field[] = "deep = {{image = parl.image(3, 3, 6)}}";
  world_with(field, "return {tok.row[world.deep[1].image:get(1, 1)]}", PARL_STATUS_OK, "");
  world_with(field,
             "agent.state.i = world.deep[1].image:copy():fill(2)\n"
             "return {tok.row[#agent.state.i:components()]}",
             PARL_STATUS_OK, "");
  world_with(field, "world.deep[1].image:fill(1)", PARL_STATUS_ESCRIPT,
             "the image is read-only, as all in a world is; draw on image:copy()");
  world_with(field, "world.deep[1].image:noise(agent.rng, 1)", PARL_STATUS_ESCRIPT, "read-only");
}

static void files_keep_images_that_do_not_change(void **state) {
  (void)state;
  char *code = edit(TOY, "local counter, list = 0, {1, 2, {3}}",
                    "local counter, list, picture = 0, {1, 2, {3}}, parl.image(2, 2, 5)");
  char *with_look =
      edit(code, "return {tok.row[row], tok.word.ok}", "picture:fill(row) return {tok.row[row]}");
  parl_env *env = NULL;
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n;
  assert_ok(make_env(with_look, NULL, NULL, &env));
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_fails(call(env, w, m, "look", 3, tokens, &n), PARL_STATUS_ESCRIPT, "read-only");
  parl_env_destroy(env);
  free(with_look);
  free(code);
}

/* Beside the script, under any of the names; the bytes are part of its hash. */
static void files_are_loaded(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16], hash[65], *bytes = NULL;
  char picture[PARL_TEST_PATH_BYTES + 16];
  size_t n = 0;
  parl_env *env = NULL;
  parl_text code = {0};
  parl_text_append(&code,
                   "local p = parl.load_image('a_1.png')\n"
                   "local w, h = p:size()\n"
                   "assert(w == 13 and h == 9 and p:get(0, 0) ~= p:get(1, 1))\n");
  parl_text_append(&code, TOY);
  write_script(parl_text_get(&code), folder, path);
  snprintf(picture, sizeof picture, "%s/a_1.png", folder);
  assert_ok(parl_file_read("tests/fuzz/corpus/fuzz_png/rgb.png", 1 << 20, &bytes, &n));
  assert_ok(parl_file_write(picture, bytes, n));
  assert_ok(parl_env_create(path, NULL, NULL, &env));
  memcpy(hash, parl_env_get_spec(env)->script_hash, sizeof hash);
  parl_env_destroy(env);
  bytes[n - 1] ^= 1; /* of the end's checksum */
  assert_ok(parl_file_write(picture, bytes, n));
  assert_fails(parl_env_create(path, NULL, NULL, &env), PARL_STATUS_ESCRIPT, "a_1.png");
  free(bytes);
  assert_ok(parl_file_read("tests/fuzz/corpus/fuzz_png/grey.png", 1 << 20, &bytes, &n));
  assert_ok(parl_file_write(picture, bytes, n));
  assert_ok(parl_env_create(path, NULL, NULL, &env));
  assert_string_not_equal(hash, parl_env_get_spec(env)->script_hash);
  parl_env_destroy(env);
  free(bytes);
  parl_text_deinit(&code);
  parl_test_remove_folder(folder);
}

static void loading_is_bounded(void **state) {
  (void)state;
  assert_fails(
      run("for _ = 1, 65 do pcall(parl.load_image, 'x.png') end parl.load_image('x.png')\n"),
      PARL_STATUS_ESCRIPT, "more than 64 images");
  parl_env *env = NULL;
  char *code = edit(TOY, "return {tok.row[world.n]}", "return {parl.load_image('x.png')}");
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n;
  assert_ok(make_env(code, NULL, NULL, &env));
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_fails(parl_env_prompt(env, w, tokens, 16, &n), PARL_STATUS_ESCRIPT, "before parl.env");
  parl_env_destroy(env);
  free(code);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(methods),
      cmocka_unit_test(the_same_pixels_everywhere),
      cmocka_unit_test(arguments_are_checked),
      cmocka_unit_test(memory_is_the_states_own),
      cmocka_unit_test(worlds_keep_images),
      cmocka_unit_test(files_keep_images_that_do_not_change),
      cmocka_unit_test(files_are_loaded),
      cmocka_unit_test(loading_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
