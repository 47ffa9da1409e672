/* tests/test_image.c - images read as Pillow reads them and resized as it does, to the bit; what is
 * too large is refused before memory is asked for. */
#include <stdbool.h>
#include <stdio.h>
/* jpeglib.h needs the one before it */
#include <jpeglib.h>
#include <png.h>

#include "core/file.h"
#include "core/hash.h"
#include "core/image.h"
#include "tests/image_cases.h"
#include "tests/support.h"

/* The largest piece of memory that was asked for: this malloc stands before the C library's, below
 * which the image libraries are too. */
static size_t largest;
static size_t total; /* of all pieces */

#define FAMILY(prefix)                                         \
  extern void *prefix##malloc(size_t n) __attribute__((weak)); \
  extern void *prefix##calloc(size_t n, size_t bytes) __attribute__((weak));
FAMILY(__libc_)
FAMILY(__interceptor_)
#define NEXT(name) (__interceptor_##name != NULL ? __interceptor_##name : __libc_##name)

static void note(size_t n) {
  if (n > largest) largest = n;
  total += n;
}

void *malloc(size_t n) {
  note(n);
  return NEXT(malloc)(n);
}

void *calloc(size_t n, size_t bytes) {
  note(n * bytes);
  return NEXT(calloc)(n, bytes);
}

/* As `value` of tests/image_cases.py. */
static uint8_t get_value(uint32_t x, uint32_t y, uint32_t c) {
  return (uint8_t)((x * x * 3 + y * y * 5 + x * y * 7 + c * 101 + 1) * 2654435761u >> 24);
}

static void make_image(parl_image *image, int width, int height) {
  assert_ok(parl_image_init(image, width, height));
  uint8_t *to = image->rgb;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (uint32_t c = 0; c < 3; c++) *to++ = get_value((uint32_t)x, (uint32_t)y, c);
}

static void check_digest(const parl_image *image, const char *due, const char *what) {
  char hex[PARL_HASH_HEX_BYTES];
  parl_hash_bytes(image->rgb, (size_t)image->width * (size_t)image->height * 3, hex);
  if (strcmp(hex, due) == 0) return;
  print_error("%s: the pixels' hash is %s, Pillow's %s\n", what, hex, due);
  fail();
}

static void test_files_read_as_pillow_does(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int width, height;
    const char *due;
  } files[] = {
#define X(name, width, height, due) {"tests/fuzz/corpus/" name, width, height, due},
      IMAGE_FILES(X)
#undef X
  };
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    parl_image image;
    assert_ok(parl_image_read(files[i].name, NULL, &image));
    assert_int_equal(image.width, files[i].width);
    assert_int_equal(image.height, files[i].height);
    check_digest(&image, files[i].due, files[i].name);
    parl_image_deinit(&image);
  }
}

static void test_resizes_as_pillow_does(void **state) {
  (void)state;
  static const struct {
    int width, height, to_width, to_height;
    const char *due;
  } cases[] = {
#define X(width, height, to_width, to_height, due) {width, height, to_width, to_height, due},
      IMAGE_RESIZES(X)
#undef X
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_image image, resized;
    char what[80];
    snprintf(what, sizeof what, "%dx%d to %dx%d", cases[i].width, cases[i].height,
             cases[i].to_width, cases[i].to_height);
    make_image(&image, cases[i].width, cases[i].height);
    assert_ok(parl_image_resize(&image, cases[i].to_width, cases[i].to_height, &resized));
    assert_int_equal(resized.width, cases[i].to_width);
    assert_int_equal(resized.height, cases[i].to_height);
    check_digest(&resized, cases[i].due, what);
    parl_image_deinit(&image);
    parl_image_deinit(&resized);
  }
}

/* 4 pixels to 2: the scale is 2, so output 0 has its centre at 1, reaches 4 and takes all 4 pixels
 * with cubic((i + 0.5 - 1) / 2) = .8671875, .8671875, .2265625, -.0703125, of sum 1.890625; times
 * 2^22 / sum: 1923834, 1923834, 502623, -155987. Of bytes 200, 100, 0, 0: (300 * 1923834 + 2^21) >>
 * 22 = 138. Output 1 has the weights turned over: (-155987 * 200 + 502623 * 100 + 2^21) >> 22 is
 * 5. */
static void test_a_resize_worked_by_hand(void **state) {
  (void)state;
  uint8_t pixels[12] = {200, 200, 200, 100, 100, 100};
  const parl_image image = {.width = 4, .height = 1, .rgb = pixels};
  parl_image resized;
  assert_ok(parl_image_resize(&image, 2, 1, &resized));
  for (int c = 0; c < 3; c++) {
    assert_int_equal(resized.rgb[c], 138);
    assert_int_equal(resized.rgb[3 + c], 5);
  }
  parl_image_deinit(&resized);
}

/* Weights sum to one: what has one colour keeps it, at any size. */
static void test_a_flat_image_stays_flat(void **state) {
  (void)state;
  for (int value = 0; value < 256; value += 15) {
    parl_image image, resized;
    assert_ok(parl_image_init(&image, 23, 31));
    memset(image.rgb, value, 23 * 31 * 3);
    assert_ok(parl_image_resize(&image, 7 + value, 50, &resized));
    for (int i = 0; i < resized.width * resized.height * 3; i++)
      assert_int_equal(resized.rgb[i], value);
    parl_image_deinit(&image);
    parl_image_deinit(&resized);
  }
}

/* Turned over, resized and turned back is resized. */
static void test_a_resize_has_no_side(void **state) {
  (void)state;
  parl_image image, turned, resized, resized_turned;
  make_image(&image, 41, 3);
  assert_ok(parl_image_init(&turned, 41, 3));
  for (int y = 0; y < 3; y++)
    for (int x = 0; x < 41; x++)
      memcpy(turned.rgb + 3 * (41 * y + x), image.rgb + 3 * (41 * y + 40 - x), 3);
  assert_ok(parl_image_resize(&image, 16, 3, &resized));
  assert_ok(parl_image_resize(&turned, 16, 3, &resized_turned));
  for (int y = 0; y < 3; y++)
    for (int x = 0; x < 16; x++)
      assert_memory_equal(resized.rgb + 3 * (16 * y + x),
                          resized_turned.rgb + 3 * (16 * y + 15 - x), 3);
  parl_image_deinit(&image);
  parl_image_deinit(&turned);
  parl_image_deinit(&resized);
  parl_image_deinit(&resized_turned);
}

static void test_sizes_out_of_range(void **state) {
  (void)state;
  parl_image image, out = {0};
  assert_fails(parl_image_init(&out, 0, 5), PARL_STATUS_EINVAL, "0 x 5 pixels: a side is 1 to");
  assert_fails(parl_image_init(&out, 5, 65536), PARL_STATUS_EINVAL, "5 x 65536");
  make_image(&image, 4, 4);
  assert_fails(parl_image_resize(&image, -1, 5, &out), PARL_STATUS_EINVAL, "-1 x 5");
  assert_null(out.rgb);
  parl_image_deinit(&image);
}

/* The files' headers with another size: refused by it, and nothing large was asked for. */
static void check_bomb(const char *path, size_t at_height, size_t at_width, size_t bytes_of_side) {
  char *bytes = NULL;
  size_t n = 0;
  parl_image image = {0};
  assert_ok(parl_file_read(path, 1 << 20, &bytes, &n));
  memset(bytes + at_height + bytes_of_side - 2, 0xff, 2);
  memset(bytes + at_width + bytes_of_side - 2, 0xff, 2);
  if (bytes_of_side == 4) memcpy(bytes + 29, "\x39\x67\x4e\x07", 4); /* CRC of PNG's header */
  const parl_image_limits limits = {.max_bytes = 1 << 20, .max_side = 65535, .max_pixels = 1 << 20};
  largest = 0;
  assert_fails(parl_image_decode(bytes, n, "bomb", NULL, &image), PARL_STATUS_EFORMAT,
               "bomb: an image of 65535 x 65535 pixels; a side is at most 16384");
  assert_fails(parl_image_decode(bytes, n, "bomb", &limits, &image), PARL_STATUS_EFORMAT,
               "65535 x 65535 = 4294836225 pixels; at most 1048576");
  assert_true(largest > 0 && largest < 1 << 20);
  assert_null(image.rgb);
  free(bytes);
}

static void test_bombs_are_refused_by_their_headers(void **state) {
  (void)state;
  check_bomb("tests/fuzz/corpus/fuzz_png/rgb.png", 20, 16, 4);
  check_bomb("tests/fuzz/corpus/fuzz_jpeg/444.jpg", 163, 165, 2);
}

static void test_a_file_cut_short_anywhere_is_refused(void **state) {
  (void)state;
  static const char *const paths[] = {"tests/fuzz/corpus/fuzz_png/palette_8.png",
                                      "tests/fuzz/corpus/fuzz_jpeg/420.jpg",
                                      "tests/fuzz/corpus/fuzz_jpeg/progressive.jpg"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    char *bytes = NULL;
    size_t n = 0;
    assert_ok(parl_file_read(paths[i], 1 << 20, &bytes, &n));
    for (size_t cut = 0; cut < n; cut++) {
      parl_image image = {0};
      assert_status(parl_image_decode(bytes, cut, paths[i], NULL, &image), PARL_STATUS_EFORMAT);
      assert_null(image.rgb);
    }
    free(bytes);
  }
}

/* A grey image of 8 x 8 pixels whose coefficients come in a scan each. The bytes are malloc's. */
static unsigned char *make_scans(int n_scans, unsigned long *n) {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  jpeg_scan_info scans[64];
  unsigned char *bytes = NULL, pixels[8] = {0, 200, 30, 4, 99, 250, 7, 128};
  JSAMPROW row = pixels;
  for (int k = 0; k < n_scans; k++)
    scans[k] = (jpeg_scan_info){.comps_in_scan = 1, .Ss = k, .Se = k == n_scans - 1 ? 63 : k};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, &bytes, n);
  jpeg.image_width = jpeg.image_height = 8;
  jpeg.input_components = 1;
  jpeg.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&jpeg);
  jpeg.scan_info = scans;
  jpeg.num_scans = n_scans;
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < 8) jpeg_write_scanlines(&jpeg, &row, 1);
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  return bytes;
}

/* Every scan costs work for the whole image. */
static void test_scans_are_bounded(void **state) {
  (void)state;
  unsigned long n = 0;
  parl_image image = {0};
  unsigned char *bytes = make_scans(50, &n);
  assert_ok(parl_image_decode(bytes, n, "50", NULL, &image));
  parl_image_deinit(&image);
  free(bytes);
  bytes = make_scans(51, &n);
  assert_fails(parl_image_decode(bytes, n, "51", NULL, &image), PARL_STATUS_EFORMAT,
               "51: a JPEG image of more than 50 scans");
  free(bytes);
}

static void test_refusals_say_why(void **state) {
  (void)state;
  parl_image image = {0};
  const parl_image_limits small = {.max_bytes = 100, .max_side = 10, .max_pixels = 100};
  const parl_image_limits none = {0};
  assert_fails(parl_image_decode("GIF89a", 6, "x.gif", NULL, &image), PARL_STATUS_EFORMAT,
               "x.gif: is of an unknown kind, not a PNG or JPEG image");
  assert_fails(parl_image_decode("%PDF-1.7", 8, "x", NULL, &image), PARL_STATUS_EFORMAT,
               "is a PDF document");
  assert_fails(parl_image_decode("", 0, "x", NULL, &image), PARL_STATUS_EFORMAT, "an empty file");
  assert_fails(parl_image_read("tests/fuzz/corpus/fuzz_png/rgb.png", &small, &image),
               PARL_STATUS_EFORMAT, "has 428 bytes, at most 100");
  assert_fails(parl_image_read("tests/fuzz/corpus/fuzz_png/none.png", NULL, &image),
               PARL_STATUS_EIO, "none.png");
  assert_status(parl_image_read("tests/fuzz/corpus/fuzz_png/rgb.png", &none, &image),
                PARL_STATUS_EINVAL);
  assert_fails(parl_image_read("tests/fuzz/corpus/fuzz_png/grey_16.png", NULL, &image),
               PARL_STATUS_EFORMAT, "grey_16.png: 16 bits of grey");
  assert_fails(parl_image_read("tests/fuzz/corpus/fuzz_jpeg/cmyk.jpg", NULL, &image),
               PARL_STATUS_EFORMAT, "a JPEG image of 4 colour channels; 1 or 3");
  assert_null(image.rgb);
}

static void test_hashes_tell_sizes_apart(void **state) {
  (void)state;
  parl_image wide, high;
  char a[PARL_HASH_HEX_BYTES], b[PARL_HASH_HEX_BYTES];
  assert_ok(parl_image_init(&wide, 6, 2));
  assert_ok(parl_image_init(&high, 2, 6));
  parl_image_hash(&wide, a);
  parl_image_hash(&high, b);
  assert_string_not_equal(a, b);
  parl_image_deinit(&wide);
  parl_image_deinit(&high);
}

static void append_bytes(png_structp png, png_bytep bytes, size_t n) {
  FILE *file = png_get_io_ptr(png);
  assert_int_equal(fwrite(bytes, 1, n, file), n);
}

static void flush_bytes(png_structp png) {
  (void)png;
}

/* A file of 100 kB whose texts inflate to 200 MB: they are passed over. */
static void what_is_no_picture_takes_no_memory(void **state) {
  (void)state;
  enum { N = 28, LONG = 7900000 };
  static char key[] = "Comment";
  char *long_text = malloc(LONG + 1), *bytes = NULL;
  size_t n = 0;
  png_text texts[N];
  uint8_t pixel[3] = {9, 8, 7};
  parl_image image = {0};
  assert_non_null(long_text);
  memset(long_text, 'a', LONG);
  long_text[LONG] = '\0';
  for (int i = 0; i < N; i++)
    texts[i] = (png_text){.compression = PNG_TEXT_COMPRESSION_zTXt,
                          .key = key,
                          .text = long_text,
                          .text_length = LONG};
  FILE *file = open_memstream(&bytes, &n);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, file, append_bytes, flush_bytes);
  png_set_text_compression_level(png, 1);
  png_set_IHDR(png, info, 1, 1, 8, PNG_COLOR_TYPE_RGB, 0, 0, 0);
  png_set_text(png, info, texts, N);
  png_write_info(png, info);
  png_write_row(png, pixel);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  assert_int_equal(fclose(file), 0);
  assert_true(n < 2000000);
  total = 0;
  assert_ok(parl_image_decode(bytes, n, "bomb", NULL, &image));
  assert_true(total < 1 << 20);
  assert_memory_equal(image.rgb, pixel, 3);
  parl_image_deinit(&image);
  free(bytes);
  free(long_text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_files_read_as_pillow_does),
      cmocka_unit_test(test_resizes_as_pillow_does),
      cmocka_unit_test(test_a_resize_worked_by_hand),
      cmocka_unit_test(test_a_flat_image_stays_flat),
      cmocka_unit_test(test_a_resize_has_no_side),
      cmocka_unit_test(test_sizes_out_of_range),
      cmocka_unit_test(test_bombs_are_refused_by_their_headers),
      cmocka_unit_test(test_a_file_cut_short_anywhere_is_refused),
      cmocka_unit_test(test_scans_are_bounded),
      cmocka_unit_test(test_refusals_say_why),
      cmocka_unit_test(test_hashes_tell_sizes_apart),
      cmocka_unit_test(what_is_no_picture_takes_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
