/* tests/test_jsonl.c - documents from a file of lines, with pictures beside it. */
#include <unistd.h>

#include "tests/data_support.h"

static parl_status open_held_out(world *w, const char *env, const char *text, double held_out,
                                 parl_source **out) {
  w->list.n = 0;
  parl_env_destroy(w->env);
  w->env = NULL;
  parl_json *params = NULL;
  static const char seen[] = "{\"modality\":\"image\"}";
  if (strstr(env, "shapes") != NULL)
    assert_ok(parl_json_parse(seen, strlen(seen), "params", &params));
  assert_ok(parl_env_create(env, params, &(parl_env_options){0}, &w->env));
  parl_json_destroy(params);
  parl_source_config *c = add_source(w, "one.jsonl", text);
  c->of.held_out = held_out;
  return create_source(w, c, out);
}

static parl_status open_lines(world *w, const char *env, const char *text, parl_source **out) {
  return open_held_out(w, env, text, 0, out);
}

static void a_line_is_a_document(void **state) {
  (void)state;
  static const char text[] =
      "{\"text\": \"row:3  value:7\"}\n"
      "\n"
      "{\"parts\": [{\"text\": \"row:1\"}, {\"text\": \"row:2 row:5\", \"learnt\": true}]}\n";
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  open_world(&w, 1);
  assert_ok(open_lines(&w, "envs/wide_search.lua", text, &source));
  size_t n_whole = 0, n_parts = 0;
  for (uint64_t i = 0; i < 2; i++) {
    assert_ok(parl_source_get(source, false, i, 0, &d));
    n_whole += d.n == 3 && d.n_learnt == 2 && d.learnt[1];
    n_parts += d.n == 4 && d.n_learnt == 2 && !d.learnt[1] &&
               strcmp(parl_env_token_name(w.env, d.tokens[3]), "row:5") == 0;
  }
  assert_true(n_whole == 1 && n_parts == 1); /* each once in the epoch */
  assert_fails(parl_source_get(source, true, 0, 0, &d), PARL_STATUS_EINVAL, "no line is held out");
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

/* The same document is on the same side, with whatever end, spaces and escapes it is written. */
static void a_document_is_held_out_however_written(void **state) {
  (void)state;
  world w;
  open_world(&w, 1);
  int n_out = 0;
  for (int k = 1; k <= 8; k++) {
    parl_source *source = NULL;
    parl_document d = {0};
    char text[512];
    snprintf(text, sizeof text,
             "{\"text\": \"row:%d\"}\n{\"text\": \"row:%d\"}\r\n  {\"text\":\"row\\u003a%d\" }\n"
             "{\"parts\": [{\"text\": \"row:%d\", \"learnt\": true}]}\n{\"text\": \"row:%d\"}",
             k, k, k, k, k);
    const parl_status s = open_held_out(&w, "envs/wide_search.lua", text, 0.5, &source);
    if (s != PARL_STATUS_OK) {
      assert_contains(parl_error_text(), "no document that is not held out");
      n_out++;
      continue;
    }
    assert_fails(parl_source_get(source, true, 0, 0, &d), PARL_STATUS_EINVAL, "no line is held");
    parl_source_destroy(source);
  }
  assert_true(n_out > 0 && n_out < 8);
  close_world(&w);
}

static void a_line_that_changes_is_told(void **state) {
  (void)state;
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  char path[2 * PARL_TEST_PATH_BYTES];
  open_world(&w, 1);
  assert_ok(open_lines(&w, "envs/wide_search.lua", "{\"text\": \"row:1\"}\n", &source));
  assert_ok(parl_file_join(path, sizeof path, w.folder, "one.jsonl"));
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  assert_true(fputs("{\"text\": \"row:2\"}\n", file) >= 0);
  assert_int_equal(fclose(file), 0);
  assert_fails(parl_source_get(source, false, 0, 0, &d), PARL_STATUS_EFORMAT,
               "one.jsonl:1: the line, or a picture of it, changed");
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

/* What is longer than any line may be is refused there, whatever follows. */
static void a_line_has_an_end(void **state) {
  (void)state;
  enum { LONG = (4 << 20) + 1 };
  world w;
  parl_source *source = NULL;
  char *text = malloc(LONG + 1);
  assert_non_null(text);
  memset(text, ' ', LONG);
  text[LONG] = '\0';
  open_world(&w, 1);
  assert_fails(open_lines(&w, "envs/wide_search.lua", text, &source), PARL_STATUS_EFORMAT,
               "one.jsonl:1: the line has more than 4 MiB");
  free(text);
  close_world(&w);
}

static void write_picture(const world *w, const char *name) {
  static const uint8_t png[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
      0x44, 0x52, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x08, 0x08, 0x02, 0x00, 0x00,
      0x00, 0x4b, 0x6d, 0x29, 0xdc, 0x00, 0x00, 0x00, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x78,
      0xda, 0x63, 0x60, 0x18, 0x1e, 0x00, 0x00, 0x00, 0xc8, 0x00, 0x01, 0x93, 0xbd, 0xa5,
      0x8e, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  char path[2 * PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, w->folder, name));
  assert_ok(parl_file_write(path, png, sizeof png));
}

static void lines_show_pictures_beside_them(void **state) {
  (void)state;
  static const char text[] =
      "{\"parts\": [{\"text\": \"n1\"}, {\"image\": \"black.png\"}, {\"text\": \"n2\", "
      "\"learnt\": true}]}\n";
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  open_world(&w, 1);
  write_picture(&w, "black.png");
  assert_ok(open_lines(&w, "envs/shapes.lua", text, &source));
  assert_ok(parl_source_get(source, false, 0, 0, &d));
  assert_int_equal(d.n_shown, 1);
  assert_int_equal(d.n, 2 + PARL_N_MEDIA_TOKENS - 1 + 1 + 1); /* 8 x 8 pixels are one token */
  assert_int_equal(d.shown[0].at, 5);
  assert_int_equal(d.album.items[0].image.width, 8);
  assert_true(d.learnt[d.n - 1] && d.n_learnt == 1);
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

/* --- augmented --- */

/* 16 x 8 pixels, of which the first is white. */
static void write_white(const world *w, const char *name) {
  static const uint8_t png[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
      0x52, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x08, 0x08, 0x02, 0x00, 0x00, 0x00, 0x7f,
      0x14, 0xe8, 0xc0, 0x00, 0x00, 0x00, 0x11, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8,
      0xff, 0xff, 0x3f, 0xc3, 0x28, 0x18, 0x70, 0x00, 0x00, 0x8f, 0x32, 0x02, 0xfe, 0x39, 0x15,
      0xaa, 0x36, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  char path[2 * PARL_TEST_PATH_BYTES];
  assert_ok(parl_file_join(path, sizeof path, w->folder, name));
  assert_ok(parl_file_write(path, png, sizeof png));
}

/* The names of its tokens but for those of pictures. */
static void name_tokens(const world *w, const parl_document *d, char *out, size_t n) {
  const int n_plain = parl_env_get_spec(w->env)->n_plain;
  size_t at = 0;
  out[0] = '\0';
  for (size_t i = 1; i < d->n; i++)
    if (d->tokens[i] < n_plain)
      at += (size_t)snprintf(out + at, n - at, "%s ", parl_env_token_name(w->env, d->tokens[i]));
}

static const char PLACES[] =
    "{\"parts\": [{\"word\": \"top_left\"}, {\"image\": \"white.png\"}, {\"point\": [0, 0], "
    "\"family\": \"at\"}, "
    "{\"box\": [0, 2, 3, 8], \"family\": \"at\"}, {\"word\": \"left\", \"learnt\": true}]}\n";

static parl_status open_places(world *w, const char *text, parl_augment_config augment,
                               parl_source **out) {
  w->list.n = 0;
  parl_env_destroy(w->env);
  w->env = NULL;
  assert_ok(parl_env_create("tests/envs/places.lua", NULL, &(parl_env_options){0}, &w->env));
  parl_source_config *c = add_source(w, "one.jsonl", text);
  c->of.held_out = 0;
  c->augment = augment;
  return create_long_source(w, c, 64, out);
}

static void what_is_said_goes_with_the_picture(void **state) {
  (void)state;
  static const struct {
    parl_augment_config augment;
    const char *text;
    int x, y; /* of the white pixel */
  } cases[] = {
      {{.crop = 1, .scale_min = 1, .scale_max = 1},
       "side:top_left at:1 at:1 at:1 at:3 at:4 at:9 side:left ",
       0,
       0},
      {{.crop = 1, .flip_x = 1, .scale_min = 1, .scale_max = 1},
       "side:top_right at:16 at:1 at:14 at:3 at:17 at:9 side:right ",
       15,
       0},
      {{.crop = 1, .flip_x = 1, .flip_y = 1, .scale_min = 1, .scale_max = 1},
       "side:bottom_right at:16 at:8 at:14 at:1 at:17 at:7 side:right ",
       15,
       7},
      {{.crop = 1, .flip_x = 1, .scale_min = 0.5, .scale_max = 0.5},
       "side:top_right at:8 at:1 at:7 at:2 at:9 at:5 side:right ",
       7,
       0}, /* 6.5 to 8, 1 to 4 */
  };
  world w;
  open_world(&w, 1);
  write_white(&w, "white.png");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_source *source = NULL;
    parl_document d = {0};
    char text[256];
    assert_ok(open_places(&w, PLACES, cases[i].augment, &source));
    assert_ok(parl_source_get(source, false, 0, 0, &d));
    name_tokens(&w, &d, text, sizeof text);
    assert_string_equal(text, cases[i].text);
    assert_true(d.n_learnt == 1 && d.learnt[d.n - 1] && (d.augmented.n > 0) == (i > 0));
    const parl_image *image = &d.album.items[0].image;
    const uint8_t *pixel = image->rgb + 3 * (cases[i].y * image->width + cases[i].x);
    assert_true(i == 3 ? pixel[0] > 0 : pixel[0] == 255);
    parl_document_deinit(&d);
    parl_source_destroy(source);
  }
  close_world(&w);
}

/* A crop that loses a point is drawn again, and where none is found the document stays. */
static void what_is_said_is_not_lost(void **state) {
  (void)state;
  world w;
  parl_source *source = NULL;
  parl_document d = {0};
  int n_changed = 0, n_cut = 0;
  open_world(&w, 1);
  write_white(&w, "white.png");
  assert_ok(open_places(
      &w, PLACES, (parl_augment_config){.crop = 0.5, .scale_min = 1, .scale_max = 1}, &source));
  for (uint64_t i = 0; i < 100; i++) {
    char text[256];
    assert_ok(parl_source_get(source, false, i, 0, &d));
    name_tokens(&w, &d, text, sizeof text);
    assert_contains(text, "side:top_left at:1 at:1 at:1 at:3 at:4 at:");
    assert_int_equal(d.album.items[0].image.rgb[0], 255);
    n_changed += d.augmented.n > 0;
    n_cut += strstr(text, "at:9 side:left") == NULL;
  }
  assert_true(n_changed > 30 && n_changed < 100 && n_cut > 10);
  parl_document_deinit(&d);
  parl_source_destroy(source);
  close_world(&w);
}

/* What chance may do to a line does not fail in the middle of training. */
static void what_augment_allows_must_fit(void **state) {
  (void)state;
  static const struct {
    parl_augment_config augment;
    const char *part, *text; /* behind the source's name */
  } cases[] = {
      {{.crop = 1, .scale_min = 1, .scale_max = 3},
       "{\"text\": \"top\", \"learnt\": true}",
       "one.jsonl:1: image: sources.one.jsonl.augment.scale_max = 3: 16 x 8 pixels may become 48 x "
       "24; "
       "the environment's vision declares at most"},
      {{.crop = 1, .flip_x = 0.01, .scale_min = 1, .scale_max = 1},
       "{\"point\": [7, 7], \"family\": \"side\", \"learnt\": true}",
       "one.jsonl:1: point: sources.one.jsonl.augment.flip_x = 0.01: of a picture of 16 x 8 pixels "
       "it "
       "may "
       "become 8, value 9 of the family, which has 8"},
      {{.crop = 1, .turn = 0.01, .scale_min = 1, .scale_max = 1},
       "{\"box\": [6, 6, 7, 7], \"family\": \"side\", \"learnt\": true}",
       "one.jsonl:1: box: sources.one.jsonl.augment.turn = 0.01: of a picture of 16 x 8 pixels it "
       "may "
       "become 10"},
  };
  world w;
  parl_source *source = NULL;
  open_world(&w, 1);
  write_white(&w, "white.png");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[512];
    snprintf(text, sizeof text, "{\"parts\": [{\"image\": \"white.png\"}, %s]}\n", cases[i].part);
    assert_int_equal(open_places(&w, text, cases[i].augment, &source), PARL_STATUS_EFORMAT);
    assert_contains(parl_error_text(), cases[i].text);
    assert_ok(open_places(
        &w, text, (parl_augment_config){.crop = 0.5, .scale_min = 0.5, .scale_max = 1}, &source));
    parl_source_destroy(source);
  }
  close_world(&w);
}

static void places_are_refused_where_they_stand(void **state) {
  (void)state;
  static const struct {
    const char *part, *text;
  } cases[] = {
      {"{\"point\": [16, 0]}", "point: [x, y], whole numbers of a pixel in the picture of 16 x 8"},
      {"{\"point\": [0.5, 0]}", "point: [x, y]"},
      {"{\"point\": [1]}", "point: [x, y]"},
      {"{\"point\": \"1\"}", "point: [x, y]"},
      {"{\"box\": [3, 0, 3, 8]}", "box: [x0, y0, x1, y1], whole numbers with x0 < x1"},
      {"{\"box\": [0, 0, 17, 8]}", "box: [x0, y0, x1, y1]"},
      {"{\"word\": \"up\"}", "word: left, top, right, bottom or a corner"},
      {"{\"word\": 3}", "a part has either"},
      {"{\"word\": \"top\", \"family\": \"sid\"}", "word: \"sid:top\" is no word"},
      {"{\"text\": \"top\", \"family\": \"side\"}", "family: a string, of a word"},
      {"{\"point\": [0, 0], \"box\": [0, 0, 1, 1]}", "a part has either"},
      {"{\"point\": [0, 0], \"of\": 1}", "of: unknown field"},
      {"{\"point\": [0, 0]}", "family: the name of one of the environment's"},
      {"{\"point\": [9, 0], \"family\": \"side\"}",
       "point: 9 is value 10 of the family, which has 8"},
  };
  world w;
  parl_source *source = NULL;
  const parl_augment_config none = {.crop = 1, .scale_min = 1, .scale_max = 1};
  open_world(&w, 1);
  write_white(&w, "white.png");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[512];
    snprintf(
        text, sizeof text,
        "{\"parts\": [{\"image\": \"white.png\"}, {\"text\": \"top\", \"learnt\": true}, %s]}\n",
        cases[i].part);
    assert_true(open_places(&w, text, none, &source) != PARL_STATUS_OK);
    assert_contains(parl_error_text(), cases[i].text);
    assert_contains(parl_error_text(), "one.jsonl:1");
  }
  assert_fails(open_places(&w, "{\"parts\": [{\"point\": [0, 0]}]}", none, &source),
               PARL_STATUS_EFORMAT, "point: no picture stands before it");
  close_world(&w);
}

static void lines_are_refused_where_they_stand(void **state) {
  (void)state;
  static const struct {
    const char *line, *text;
  } cases[] = {
      {"{\"text\": 3}", "one.jsonl:2: text: a string is due"},
      {"{\"txt\": \"row:1\"}", "one.jsonl:2: an object with either"},
      {"{\"text\": \"row:1\", \"learn\": 1}", "one.jsonl:2: learn: unknown field"},
      {"{\"text\": \"row:1", "one.jsonl:2"},
      {"[]", "one.jsonl:2: an object"},
      {"{\"text\": \"n22\"}", "one.jsonl:2: text: \"n22\" is no word"},
      {"{\"text\": \"1\"}", "is a word of several families"},
      {"{\"text\": \"\"}", "one.jsonl:2: nothing is learnt"},
      {"{\"text\": \"n1 n1 n1 n1 n1 n1 n1 n1 n1 n1 n1 n1 n1 n1 n1 n1\"}", "more than 16 tokens"},
      {"{\"parts\": {}}", "parts: a list is due"},
      {"{\"parts\": [{\"text\": \"n1\", \"image\": \"a\"}]}", "a part has either"},
      {"{\"parts\": [{\"image\": \"black.png\", \"learnt\": true}]}",
       "learnt: true or false, of what"},
      {"{\"parts\": [{\"image\": \"none.png\"}]}", "one.jsonl:2: image: no such file"},
      {"{\"parts\": [{\"image\": \"/etc/passwd\"}]}", "a path from the file's folder"},
      {"{\"parts\": [{\"image\": \"link/passwd\"}]}", "leads out of the file's folder"},
      {"{\"parts\": [{\"image\": \"../../../../../../etc/passwd\"}]}",
       "leads out of the file's folder"},
      {"{\"parts\": [{\"image\": \"one.jsonl\"}]}", "one.jsonl:2: image"},
  };
  world w;
  char link[2 * PARL_TEST_PATH_BYTES];
  open_world(&w, 1);
  write_picture(&w, "black.png");
  snprintf(link, sizeof link, "%s/link", w.folder);
  assert_int_equal(symlink("/etc", link), 0);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[512];
    parl_source *source = NULL;
    snprintf(text, sizeof text, "{\"text\": \"n1\"}\n%s\n", cases[i].line);
    const parl_status s = open_lines(&w, "envs/shapes.lua", text, &source);
    assert_true(s != PARL_STATUS_OK);
    assert_contains(parl_error_text(), cases[i].text);
    assert_contains(parl_error_text(), "sources.one");
  }
  assert_int_equal(unlink(link), 0);
  close_world(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_line_is_a_document),
      cmocka_unit_test(a_document_is_held_out_however_written),
      cmocka_unit_test(a_line_that_changes_is_told),
      cmocka_unit_test(a_line_has_an_end),
      cmocka_unit_test(lines_show_pictures_beside_them),
      cmocka_unit_test(what_is_said_goes_with_the_picture),
      cmocka_unit_test(what_is_said_is_not_lost),
      cmocka_unit_test(what_augment_allows_must_fit),
      cmocka_unit_test(places_are_refused_where_they_stand),
      cmocka_unit_test(lines_are_refused_where_they_stand),
  };
  return cmocka_run_group_tests_name("jsonl", tests, NULL, NULL);
}
