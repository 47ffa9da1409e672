/* core/image_jpeg.c - JPEG to RGB bytes (libjpeg-turbo inside).
 *
 * libjpeg leaves by longjmp: what must survive that is in one struct of the caller's. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
/* jpeglib.h needs the one before it */
#include <jerror.h>
#include <jpeglib.h>

#include "core/image_internal.h"

/* Each scan of a progressive file goes over the whole image, however few its bytes. */
enum { MAX_SCANS = 50 };

typedef struct decoding {
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  struct jpeg_decompress_struct jpeg;
  jmp_buf back;
  const char *what;
  const parl_image_limits *limits;
  parl_image image;
  int code;            /* libjpeg's, of why it was left */
  bool has_many_scans; /* or this */
  char error[JMSG_LENGTH_MAX];
} decoding;

static _Noreturn void leave(j_common_ptr jpeg) {
  decoding *d = jpeg->client_data;
  d->code = jpeg->err->msg_code;
  jpeg->err->format_message(jpeg, d->error);
  longjmp(d->back, 1);
}

/* What libjpeg would print. A warning is of a file that is cut short or damaged. */
static void take_message(j_common_ptr jpeg, int level) {
  if (level < 0) leave(jpeg);
}

static void say_nothing(j_common_ptr jpeg) {
  (void)jpeg;
}

static void watch_scans(j_common_ptr jpeg) {
  decoding *d = jpeg->client_data;
  if (d->jpeg.input_scan_number <= MAX_SCANS) return;
  d->has_many_scans = true;
  longjmp(d->back, 1);
}

/* May leave by longjmp. */
static parl_status read_image(decoding *d, const void *bytes, size_t n) {
  struct jpeg_decompress_struct *jpeg = &d->jpeg;
  jpeg_create_decompress(jpeg);
  jpeg->progress = &d->progress;
  jpeg_mem_src(jpeg, bytes, (unsigned long)n);
  jpeg_read_header(jpeg, TRUE);
  PARL_TRY(parl_image_check_size(d->limits, d->what, jpeg->image_width, jpeg->image_height));
  if (jpeg->num_components != 1 && jpeg->num_components != 3)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: a JPEG image of %d colour channels; 1 or 3", d->what,
                     jpeg->num_components);
  jpeg->out_color_space = JCS_RGB;
  jpeg->dct_method = JDCT_ISLOW;
  PARL_TRY(parl_image_init(&d->image, (int)jpeg->image_width, (int)jpeg->image_height));
  jpeg_start_decompress(jpeg);
  PARL_CHECK(jpeg->output_components == 3 && jpeg->output_width == jpeg->image_width);
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW row = d->image.rgb + (size_t)jpeg->output_scanline * 3 * jpeg->output_width;
    jpeg_read_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_decompress(jpeg);
  return PARL_STATUS_OK;
}

static parl_status decode(decoding *d, const void *bytes, size_t n) {
  if (setjmp(d->back) == 0) return read_image(d, bytes, n);
  if (d->code == JERR_OUT_OF_MEMORY)
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory to read a JPEG image", d->what);
  if (d->code == JERR_IMAGE_TOO_BIG) /* libjpeg's own limit, 65500: our text is better */
    PARL_TRY(parl_image_check_size(d->limits, d->what, d->jpeg.image_width, d->jpeg.image_height));
  if (d->has_many_scans)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: a JPEG image of more than %d scans", d->what,
                     MAX_SCANS);
  return parl_fail(PARL_STATUS_EFORMAT, "%s: a JPEG image that cannot be read: %s", d->what,
                   d->error);
}

parl_status parl_image_decode_jpeg(const void *bytes, size_t n, const char *what,
                                   const parl_image_limits *limits, parl_image *out) {
  decoding d = {.what = what, .limits = limits, .progress = {.progress_monitor = watch_scans}};
  d.jpeg.err = jpeg_std_error(&d.errors);
  d.jpeg.client_data = &d;
  d.errors.error_exit = leave;
  d.errors.emit_message = take_message;
  d.errors.output_message = say_nothing;
  const parl_status s = decode(&d, bytes, n);
  if (s == PARL_STATUS_OK)
    *out = d.image;
  else
    parl_image_deinit(&d.image);
  jpeg_destroy_decompress(&d.jpeg);
  return s;
}

#define TEXT_OF(x) #x
#define VERSION_OF(x) TEXT_OF(x)

const char *parl_image_jpeg_version(void) {
  return VERSION_OF(LIBJPEG_TURBO_VERSION);
}
