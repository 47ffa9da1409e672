/* cli/env_images.c - an episode's images, for a terminal and for a page. */
#include <string.h>

#include "cli/env.h"
#include "experiments/html_text.h"

enum { MOST_COLUMNS = 96, SHADES = 10 };

/* "prompt", "turn 3, look item:2", "turn 2, brief of #1". */
static void append_place(const parl_trace_row *row, const parl_env *env, parl_text *out) {
  if (row->kind == PARL_EVENT_START) {
    parl_text_append(out, "prompt");
    return;
  }
  parl_text_appendf(out, "turn %d, ", row->turn);
  if (row->kind == PARL_EVENT_BRIEF)
    parl_text_append(out, "brief of ");
  else if (row->kind == PARL_EVENT_DELIVER)
    parl_text_append(out, "message of ");
  if (row->agent > 0) parl_text_appendf(out, "#%d", row->agent);
  if (row->kind != PARL_EVENT_CALL) return;
  if (row->agent > 0) parl_text_append(out, " ");
  if (row->has_call) parl_trace_append_call(env, &row->call, out);
}

/* Where image number k was shown: "prompt; turn 1, look item:1". */
static void append_places(const parl_trace *t, const parl_env *env, int32_t k, parl_text *out) {
  const char *between = "";
  for (size_t r = 0; r < t->n_rows; r++) {
    size_t n, first = parl_trace_find_shown(t, &t->rows[r], &n);
    bool found = false;
    for (size_t i = first; i < first + n; i++) found = found || t->shown[i].picture == k;
    if (!found) continue;
    parl_text_append(out, between);
    append_place(&t->rows[r], env, out);
    between = "; ";
  }
}

/* Black below the last row. */
static const uint8_t *get_pixel(const parl_image *image, int x, int y) {
  static const uint8_t black[3] = {0, 0, 0};
  return y < image->height ? image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x)
                           : black;
}

/* The upper half block in the colour of the upper pixel, on that of the lower. */
static void append_colours(const uint8_t *up, const uint8_t *down, parl_text *out) {
  parl_text_appendf(out, "\x1b[38;2;%d;%d;%dm\x1b[48;2;%d;%d;%dm\u2580", up[0], up[1], up[2],
                    down[0], down[1], down[2]);
}

/* Both pixels' mean luminance: the brighter, the denser. */
static void append_shade(const uint8_t *up, const uint8_t *down, parl_text *out) {
  static const char shades[SHADES + 1] = " .:-=+*#%@";
  const int light = 299 * (up[0] + down[0]) + 587 * (up[1] + down[1]) + 114 * (up[2] + down[2]);
  parl_text_appendf(out, "%c", shades[light * SHADES / (2 * 255 * 1000 + 1)]);
}

static void append_pixels(const parl_image *image, bool has_colour, parl_text *out) {
  for (int y = 0; y < image->height; y += 2) {
    parl_text_append(out, "  ");
    for (int x = 0; x < image->width; x++)
      (has_colour ? append_colours : append_shade)(get_pixel(image, x, y),
                                                   get_pixel(image, x, y + 1), out);
    parl_text_append(out, has_colour ? "\x1b[0m\n" : "\n");
  }
}

static parl_status append_drawing(const parl_image *image, bool has_colour, parl_text *out) {
  if (image->width <= MOST_COLUMNS) {
    append_pixels(image, has_colour, out);
    return PARL_STATUS_OK;
  }
  parl_image small;
  const int height = image->height * MOST_COLUMNS / image->width;
  PARL_TRY(parl_image_resize(image, MOST_COLUMNS, height < 1 ? 1 : height, &small));
  append_pixels(&small, has_colour, out);
  parl_image_deinit(&small);
  return PARL_STATUS_OK;
}

parl_status env_append_drawing(const parl_picture *picture, bool has_colour, parl_text *out) {
  for (int k = 0; k < picture->frames; k++) {
    const parl_image frame = parl_image_get_frame(&picture->image, picture->frames, k);
    if (picture->frames > 1) parl_text_appendf(out, "  frame %d\n", k + 1);
    PARL_TRY(append_drawing(&frame, has_colour, out));
  }
  return PARL_STATUS_OK;
}

/* "[image 1] 8 x 8", "[clip 2] 8 x 8, 4 frames". */
static void append_name(const parl_picture *picture, size_t k, const char *blank, parl_text *out) {
  const parl_image frame = parl_image_get_frame(&picture->image, picture->frames, 0);
  parl_text_appendf(out, "[%s %zu]%s%d x %d", picture->frames > 1 ? "clip" : "image", k + 1, blank,
                    frame.width, frame.height);
  if (picture->frames > 1) parl_text_appendf(out, ", %d frames", picture->frames);
}

static void append_left_out(const parl_trace *t, const char *around, parl_text *out) {
  if (t->n_left_out > 0)
    parl_text_appendf(out, "%s%zu images more were shown than are kept.%s", around, t->n_left_out,
                      around);
}

parl_status env_append_images(const parl_trace *t, const parl_env *env, bool has_colour,
                              parl_text *out) {
  for (size_t k = 0; k < t->album.n; k++) {
    parl_text_append(out, "\n");
    append_name(&t->album.items[k], k, "  ", out);
    parl_text_append(out, "  ");
    append_places(t, env, (int32_t)k, out);
    parl_text_append(out, "\n");
    PARL_TRY(env_append_drawing(&t->album.items[k], has_colour, out));
  }
  append_left_out(t, "\n", out);
  return PARL_STATUS_OK;
}

/* Lines stay lines, for they are inside of <pre>. */
static parl_status append_lines(const char *s, parl_text *out) {
  for (;;) {
    const size_t n = strcspn(s, "\n");
    parl_text line = {0};
    parl_text_append_bytes(&line, s, n);
    parl_text_append_html(out, parl_text_get(&line));
    const parl_status status = parl_text_status(&line);
    parl_text_deinit(&line);
    PARL_TRY(status);
    if (s[n] == '\0') return PARL_STATUS_OK;
    parl_text_append(out, "\n");
    s += n + 1;
  }
}

/* Small pictures are enlarged in whole steps. */
static int find_zoom(const parl_image *image) {
  enum { WANTED = 256 };
  const int side = image->width > image->height ? image->width : image->height;
  return side < WANTED ? (WANTED + side - 1) / side : 1;
}

/* Frames side by side. */
static parl_status append_frames(const parl_picture *picture, size_t k, parl_text *out) {
  for (int f = 0; f < picture->frames; f++) {
    const parl_image frame = parl_image_get_frame(&picture->image, picture->frames, f);
    const int zoom = find_zoom(&frame);
    parl_text_appendf(out, "<img width=\"%d\" height=\"%d\" alt=\"image %zu", zoom * frame.width,
                      zoom * frame.height, k + 1);
    if (picture->frames > 1) parl_text_appendf(out, ", frame %d", f + 1);
    parl_text_append(out, "\" src=\"");
    PARL_TRY(parl_image_append_url(&frame, out));
    parl_text_append(out, "\">");
  }
  return PARL_STATUS_OK;
}

static parl_status append_figure(const parl_trace *t, const parl_env *env, size_t k,
                                 parl_text *out) {
  parl_text places = {0};
  parl_text_append(out, "<figure>");
  PARL_TRY(append_frames(&t->album.items[k], k, out));
  parl_text_append(out, "<figcaption>");
  append_name(&t->album.items[k], k, " ", out);
  parl_text_append(out, ": ");
  append_places(t, env, (int32_t)k, &places);
  parl_text_append_html(out, parl_text_get(&places));
  const parl_status s = parl_text_status(&places);
  parl_text_deinit(&places);
  parl_text_append(out, "</figcaption></figure>\n");
  return s;
}

parl_status env_append_figures(const parl_trace *t, const parl_env *env, parl_text *out) {
  for (size_t k = 0; k < t->album.n; k++) PARL_TRY(append_figure(t, env, k, out));
  append_left_out(t, "\n", out);
  return parl_text_status(out);
}

parl_status env_append_page(const parl_trace *t, const parl_env *env, const char *heading,
                            const char *text, parl_text *out) {
  parl_text_append(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
  parl_text_append_html(out, heading);
  parl_text_append(out,
                   "</title>\n<style>body { font: 14px sans-serif; margin: 2em }"
                   " img { image-rendering: pixelated; border: 1px solid #888 }"
                   " figure { display: inline-block; margin: 0 1em 1em 0 }</style></head>\n"
                   "<body><h1>");
  parl_text_append_html(out, heading);
  parl_text_append(out, "</h1>\n<pre>");
  PARL_TRY(append_lines(text, out));
  parl_text_append(out, "</pre>\n");
  PARL_TRY(env_append_figures(t, env, out));
  parl_text_append(out, "</body></html>\n");
  return parl_text_status(out);
}
