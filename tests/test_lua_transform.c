/* tests/test_lua_transform.c - transforms in scripts, and their refusals. */
#include "tests/env_toy.h"

/* Runs code while a file is loaded; the toy is declared after it. */
static parl_status run(const char *code) {
  parl_text text = {0};
  parl_env *env = NULL;
  parl_text_append(&text, code);
  parl_text_append(&text, TOY);
  const parl_status status = make_env(parl_text_get(&text), NULL, NULL, &env);
  parl_text_deinit(&text);
  parl_env_destroy(env);
  return status;
}

static void methods(void **state) {
  (void)state;
  assert_ok(run(
      "local none = parl.transform(6, 4)\n"
      "local w, h = none:size()\n"
      "assert(w == 6 and h == 4)\n"
      "local t = none:crop(1, 0, 4, 3):flip_x():turn(1)\n"
      "w, h = t:size()\n"
      "assert(w == 3 and h == 4 and select('#', none:size()) == 2)\n"
      "local i = parl.image(6, 4, 7):rect(2, 1, 1, 1, 9)\n"
      "local x, y = t:point(2, 1)\n"
      "assert(x == 1 and y == 2 and math.type(x) == 'integer')\n"
      "local j = t:image(i)\n"
      "assert(j:get(x, y) == 9 and j ~= i and i:get(2, 1) == 9)\n"
      "assert(t:point(0, 0) == nil and t:point(2.4, 0.6) == 2 - 0.6)\n"
      "local x0, y0, x1, y1 = t:box(0, 0, 3, 2)\n"
      "assert(x0 == 1 and y0 == 2 and x1 == 3 and y1 == 4)\n"
      "assert(t:box(5, 0, 6, 1) == nil and t:box(3, 3, 3, 9) == nil)\n"
      "local back = t:inverse()\n"
      "x, y = back:point(x, y)\n"
      "assert(x == 2 and y == 1)\n"
      "x0, y0, x1, y1 = back:box(x0, y0, x1, y1)\n"
      "assert(x0 == 1 and y0 == 0 and x1 == 3 and y1 == 2)\n" /* the crop's part of it */
      "assert(t:word('left') == 'bottom' and back:word('bottom') == 'left')\n"
      "assert(t:word('top_left') == 'bottom_right' and t:word('red') == 'red')\n"
      "local ways = {'west', 'north', 'east', 'south'}\n"
      "assert(none:turn(-1):word('north', ways) == 'west' and none:turn(7):word('left', ways) == "
      "'left')\n"
      "assert(t:word('left\\0x') == 'left\\0x')\n" /* no word of any side */
      "assert(none:turn(2):word('north_east', ways) == 'south_west')\n"
      "local big = parl.transform(2, 2):scale(4, 6)\n"
      "x, y = big:point(0, 1)\n"
      "assert(x == 0.5 and y == 4 and math.type(y) == 'integer')\n"
      "local both = none:append(none:flip_y()):append(none:flip_y())\n"
      "assert(both:point(2, 3) == 2 and both:image(i):get(2, 1) == 9)\n"
      "assert(none:image(i) ~= i and none:image(i):fill(1) and i:get(0, 0) == 7)\n"
      "assert(tostring(t) == 'userdata')\n"));
}

static const char *const wrong[][2] = {
    {"parl.transform(0, 5)", "0 is outside of 1 to 4096"},
    {"parl.transform(5)", "number expected"},
    {"t:crop(0, 0, 9, 1)", "a crop of 9 x 1 pixels at (0, 0) is not inside of 8 x 6"},
    {"t:crop(1 << 62, 0, 1, 1)", "is not inside of 8 x 6"},
    {"t:crop(0, 0, 1, 0.5)", "no integer representation"},
    {"t:turn(0.5)", "no integer representation"},
    {"t:scale(0, 1)", "0 is outside of 1 to 4096"},
    {"t:append(parl.transform(6, 8))", "a transform of 6 x 8 pixels cannot follow one to 8 x 6"},
    {"t:append(i)", "a transform is due"},
    {"t.flip_x()", "call it with a colon"},
    {"t.flip_x(i)", "call it with a colon"},
    {"t:point(0/0, 1)", "a coordinate is a number within 2^24 of 0"},
    {"t:point(1)", "number expected"},
    {"t:box(0, 0, 1e300, 1)", "within 2^24"},
    {"t:word(nil)", "string expected"},
    {"t:word('left', {'a', 'b', 'c'})", "four names are due"},
    {"t:word('left', {'a', 'b', 'c', ('d'):rep(65)})", "four names are due"},
    {"t:image(parl.image(6, 8))", "an image of 6 x 8 pixels; the transform takes 8 x 6"},
    {"t:image(7)", "an image is due"},
    {"t:image(parl.clip{i, i})", "its frames before parl.clip takes them"},
    {"t:crop(0, 0, 4, 4):inverse():image(parl.image(4, 4))", "are gone: its inverse is of points"},
    {"for _ = 1, 17 do t = t:flip_x() end", "a transform of more than 16 steps"},
    {"t:scale(4096, 4096):image(i)", "at most 1048576 pixels"},
    {"t:flip()", "flip"},
    {"t.x = 1", "attempt to index"},
};

static void mistakes_name_the_value(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
    char code[256];
    snprintf(code, sizeof code, "local t, i = parl.transform(8, 6), parl.image(8, 6)\n%s\n",
             wrong[k][0]);
    assert_status(run(code), PARL_STATUS_ESCRIPT);
    assert_contains(parl_error_text(), wrong[k][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(methods),
      cmocka_unit_test(mistakes_name_the_value),
  };
  return cmocka_run_group_tests_name("lua_transform", tests, NULL, NULL);
}
