/* cli/data_show.c - parl data show RECIPE: documents as the model learns from them. */
#include <string.h>

#include "cli/data.h"
#include "cli/env.h"
#include "core/json.h"

/* The picture that begins at token i; NULL if none does. */
static const parl_shown *find_shown(const parl_document *document, size_t i) {
  for (size_t k = 0; k < document->n_shown; k++)
    if ((size_t)document->shown[k].at == i) return &document->shown[k];
  return NULL;
}

/* Learnt tokens stand in [brackets]; a picture's rows are one word. */
static void append_tokens(const data_state *d, const parl_document *document, parl_text *out) {
  bool is_learnt = false;
  for (size_t i = 0; i < document->n; i++) {
    const parl_shown *shown = find_shown(document, i);
    if (i > 0) parl_text_append(out, " ");
    if (document->learnt[i] && !is_learnt) parl_text_append(out, "[");
    is_learnt = document->learnt[i];
    if (shown != NULL) {
      const bool is_clip = document->album.items[shown->picture].frames > 1;
      parl_text_appendf(out, "(%s %d, %d tokens)", is_clip ? "clip" : "image", shown->picture + 1,
                        shown->n);
      i += (size_t)shown->n - 1;
    } else {
      parl_text_append(out, parl_env_token_name(d->env, document->tokens[i]));
    }
    if (is_learnt && (i + 1 == document->n || !document->learnt[i + 1])) parl_text_append(out, "]");
  }
  parl_text_append(out, "\n");
}

static parl_status append_text(const data_state *d, const char *source, size_t number,
                               const parl_document *document, parl_text *out) {
  parl_text_appendf(out, "%s %zu  %zu tokens, %zu learnt", source, number, document->n,
                    document->n_learnt);
  if (document->augmented.n > 0) parl_text_append(out, ", augmented: ");
  parl_transform_append_text(&document->augmented, out);
  parl_text_append(out, "\n  ");
  append_tokens(d, document, out);
  for (size_t k = 0; k < document->album.n; k++) {
    const parl_picture *picture = &document->album.items[k];
    parl_text_appendf(out, "%s %zu, %d x %d", picture->frames > 1 ? "clip" : "image", k + 1,
                      picture->image.width, picture->image.height / picture->frames);
    if (picture->frames > 1) parl_text_appendf(out, ", %d frames", picture->frames);
    parl_text_append(out, "\n");
    PARL_TRY(env_append_drawing(picture, cli_has_colour(), out));
  }
  parl_text_append(out, "\n");
  return PARL_STATUS_OK;
}

/* A picture, or a clip's frames one by one. */
static parl_status write_picture(const parl_picture *picture, parl_json_writer *w) {
  parl_status s = PARL_STATUS_OK;
  if (picture->frames > 1) parl_json_begin_array(w);
  for (int k = 0; s == PARL_STATUS_OK && k < picture->frames; k++) {
    const parl_image frame = parl_image_get_frame(&picture->image, picture->frames, k);
    parl_text url = {0};
    s = parl_image_append_url(&frame, &url);
    if (s == PARL_STATUS_OK) parl_json_string(w, parl_text_get(&url));
    parl_text_deinit(&url);
  }
  if (picture->frames > 1) parl_json_end_array(w);
  return s;
}

static void write_tokens(const data_state *d, const parl_document *document, parl_json_writer *w) {
  parl_json_key(w, "tokens");
  parl_json_begin_array(w);
  for (size_t i = 0; i < document->n; i++)
    parl_json_string(w, parl_env_token_name(d->env, document->tokens[i]));
  parl_json_end_array(w);
  parl_json_key(w, "learnt");
  parl_json_begin_array(w);
  for (size_t i = 0; i < document->n; i++) parl_json_integer(w, document->learnt[i]);
  parl_json_end_array(w);
}

static parl_status append_json(const data_state *d, const char *source, size_t number,
                               const parl_document *document, parl_text *out) {
  parl_json_writer w;
  parl_text augmented = {0};
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "source");
  parl_json_string(&w, source);
  parl_json_key(&w, "document");
  parl_json_integer(&w, (int64_t)number);
  parl_transform_append_text(&document->augmented, &augmented);
  parl_json_key(&w, "augmented");
  parl_json_string(&w, parl_text_get(&augmented));
  parl_text_deinit(&augmented);
  write_tokens(d, document, &w);
  parl_json_key(&w, "images");
  parl_json_begin_array(&w);
  for (size_t k = 0; k < document->n_shown; k++)
    PARL_TRY(write_picture(&document->album.items[document->shown[k].picture], &w));
  parl_json_end_array(&w);
  parl_json_end_object(&w);
  parl_text_append(out, "\n");
  return parl_text_status(out);
}

/* The source of --source, else every one. */
static parl_status append_source(const cli_args *args, data_state *d, size_t i, parl_text *out) {
  const char *name = parl_feed_get_name(d->feed, i);
  parl_document document = {0};
  parl_status s = PARL_STATUS_OK;
  if (args->source != NULL && strcmp(args->source, name) != 0) return PARL_STATUS_OK;
  for (int64_t k = 0; s == PARL_STATUS_OK && k < args->documents; k++) {
    s = data_check_signal();
    if (s == PARL_STATUS_OK)
      s = parl_feed_get_document(d->feed, i, args->held_out, (uint64_t)k, &document);
    if (s == PARL_STATUS_OK)
      s = (args->json ? append_json : append_text)(d, name, (size_t)k, &document, out);
  }
  parl_document_deinit(&document);
  return s;
}

static parl_status check_source(const cli_args *args, const data_state *d) {
  const char *names[PARL_MAX_SOURCES];
  const size_t n = parl_feed_get_n_sources(d->feed);
  for (size_t i = 0; i < n; i++) {
    names[i] = parl_feed_get_name(d->feed, i);
    if (args->source == NULL || strcmp(args->source, names[i]) == 0) return PARL_STATUS_OK;
  }
  const char *near = parl_nearest(args->source, names, n);
  return parl_fail(PARL_STATUS_EINVAL, "--source %s: the recipe has no such source%s%s%s",
                   args->source, near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
}

int data_show(const cli_args *args) {
  data_state d = {0};
  parl_text text = {0};
  parl_status s = data_open(args, &d);
  if (s == PARL_STATUS_OK) s = check_source(args, &d);
  if (s == PARL_STATUS_OK) cli_begin_work();
  for (size_t i = 0; s == PARL_STATUS_OK && i < parl_feed_get_n_sources(d.feed); i++)
    s = append_source(args, &d, i, &text);
  if (s == PARL_STATUS_OK) s = cli_print(&text);
  parl_text_deinit(&text);
  data_close(&d);
  return s == PARL_STATUS_OK ? CLI_DONE : data_fail(s);
}
