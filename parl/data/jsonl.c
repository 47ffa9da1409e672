/* parl/data/jsonl.c - lines, words and pictures beside them. */
#include "parl/data/jsonl.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/media.h"
#include "parl/data/words.h"

enum { MAX_LINE = 4 << 20, MAX_IMAGE = 16 << 20, PATH_BYTES = 4096 };

/* Where a document stands. */
typedef struct place {
  uint64_t offset, content; /* of the document */
  uint32_t n_bytes;
  uint32_t line; /* from 1 */
} place;

struct parl_jsonl {
  parl_jsonl_def def;
  char path[PATH_BYTES], folder[PATH_BYTES]; /* folder: as realpath gives it */
  char hash[PARL_HASH_HEX_BYTES];
  int fd;
  size_t n[2], room[2];
  place *places[2]; /* [n] to learn from; held out */
  parl_words words;
};

/* One document while it is read. */
typedef struct reading {
  const parl_jsonl *file;
  uint32_t line;
  const char *field;                 /* that is read, for errors */
  parl_hash *hash;                   /* gets pictures' bytes; NULL: nobody asks */
  const parl_augment *augment;       /* NULL: nothing is varied */
  const parl_augment_limits *limits; /* opening, if something may be drawn; else NULL */
  size_t n_more;                     /* opening: tokens by which pictures may grow */
  bool is_lost;                      /* a crop left out what is said */
  parl_transform first, last; /* of the first picture, of the one before; width 0: none yet */
  int32_t *tokens;            /* [max_tokens] */
  uint8_t *learnt;            /* [max_tokens] */
  size_t n, n_learnt, n_shown, shown_room;
  parl_shown *shown;
  parl_album album;
} reading;

static parl_status refuse(const reading *r, const char *what, const char *why) {
  return parl_fail(PARL_STATUS_EFORMAT, "%s:%u: %s%s%s", r->file->path, r->line, what,
                   what[0] != '\0' ? ": " : "", why);
}

/* Where it failed, if it did. */
static parl_status locate(const reading *r, parl_status s) {
  return parl_fail_context(s, "%s:%u: %s", r->file->path, r->line, r->field);
}

/* --- words --- */

static parl_status check_room(const reading *r, size_t n) {
  if (r->n + n <= r->file->def.max_tokens) return PARL_STATUS_OK;
  char why[160];
  snprintf(why, sizeof why,
           "the document has more than %zu tokens with <bos>, the least of pretrain.batch_tokens "
           "and model.max_context",
           r->file->def.max_tokens + 1);
  return refuse(r, "", why);
}

static parl_status add_token(reading *r, int32_t token, bool is_learnt) {
  PARL_TRY(check_room(r, 1));
  r->tokens[r->n] = token;
  r->learnt[r->n++] = is_learnt;
  r->n_learnt += is_learnt;
  return PARL_STATUS_OK;
}

static parl_status add_words(reading *r, const char *text, bool is_learnt) {
  static const char blanks[] = " \t\r\n";
  const parl_jsonl *f = r->file;
  for (const char *at = text + strspn(text, blanks); *at != '\0'; at += strspn(at, blanks)) {
    const size_t n = strcspn(at, blanks);
    char copy[128];
    snprintf(copy, sizeof copy, "%.*s", n < sizeof copy ? (int)n : (int)sizeof copy - 1, at);
    int32_t token;
    PARL_TRY(locate(r, parl_words_find(&f->words, copy, &token)));
    if (n >= sizeof copy) return refuse(r, r->field, "a word of more than 127 characters");
    PARL_TRY(add_token(r, token, is_learnt));
    at += n;
  }
  return PARL_STATUS_OK;
}

static parl_status add_text(reading *r, const char *text, bool is_learnt) {
  if (r->file->words.first_byte < 0) return add_words(r, text, is_learnt);
  for (; *text != '\0'; text++)
    PARL_TRY(add_token(r, r->file->words.first_byte + (unsigned char)*text, is_learnt));
  return PARL_STATUS_OK;
}

/* --- pictures --- */

/* The path of a picture, which may not lead out of the folder, by a link either. */
static parl_status find_image(const reading *r, const char *name, char out[PATH_BYTES]) {
  char path[PATH_BYTES], *real = NULL;
  const size_t n = strlen(r->file->folder);
  const int length = snprintf(path, sizeof path, "%s/%s", r->file->folder, name);
  if (name[0] == '\0' || name[0] == '/' || length < 0 || length >= PATH_BYTES)
    return refuse(r, "image", "a path from the file's folder is due");
  real = realpath(path, NULL);
  if (real == NULL) return refuse(r, "image", "no such file, or it cannot be looked at");
  const bool is_inside = strncmp(real, r->file->folder, n) == 0 && real[n] == '/';
  snprintf(out, PATH_BYTES, "%s", real);
  free(real);
  return is_inside ? PARL_STATUS_OK : refuse(r, "image", "the path leads out of the file's folder");
}

static parl_status make_shown_room(reading *r) {
  if (r->n_shown < r->shown_room) return PARL_STATUS_OK;
  const size_t room = 2 * r->shown_room + 8;
  parl_shown *shown = realloc(r->shown, room * sizeof *shown);
  if (shown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu pictures", room);
  r->shown = shown;
  r->shown_room = room;
  return PARL_STATUS_OK;
}

/* Opening: whether the picture fits however it is drawn to be; it is n tokens as it is. */
static parl_status check_largest(reading *r, const parl_image *image, int n) {
  const parl_env_vision *vision = &parl_env_get_spec(r->file->def.env)->vision;
  int most = n;
  if (r->limits == NULL) return PARL_STATUS_OK;
  PARL_TRY(
      locate(r, parl_augment_check_picture(r->limits, vision, image->width, image->height, &most)));
  r->n_more += most > n ? (size_t)(most - n) : 0;
  return PARL_STATUS_OK;
}

static parl_status check_growth(reading *r) {
  r->field = "image";
  return locate(
      r, parl_augment_check_length(r->limits, r->n + r->n_more + 1, r->file->def.max_tokens + 1));
}

static parl_status show(reading *r, const parl_image *image) {
  const parl_env_vision *vision = &parl_env_get_spec(r->file->def.env)->vision;
  parl_media_size size;
  char why[160];
  snprintf(why, sizeof why, "%d x %d pixels%s; the environment's vision declares at most %d x %d",
           image->width, image->height, r->last.n > 0 ? " when it is augmented" : "", vision->width,
           vision->height);
  if (image->width > vision->width || image->height > vision->height)
    return refuse(r, "image", why);
  PARL_TRY(locate(r, parl_env_vision_fit(vision, image->width, image->height, 1, &size)));
  PARL_TRY(check_largest(r, image, size.n_tokens));
  const size_t n = (size_t)size.n_tokens + PARL_N_MEDIA_TOKENS - 1;
  PARL_TRY(check_room(r, n));
  PARL_TRY(make_shown_room(r));
  parl_shown *s = &r->shown[r->n_shown];
  const parl_picture picture = {parl_image_get_content(image, 1), 1, *image};
  PARL_TRY(locate(r, parl_album_add(&r->album, &picture, &s->picture)));
  s->at = (int32_t)r->n + parl_env_vision_write(vision, 1, size.n_tokens, r->tokens + r->n);
  s->n = size.n_tokens;
  memset(r->learnt + r->n, 0, n);
  r->n += n;
  r->n_shown++;
  return PARL_STATUS_OK;
}

/* As it is drawn for the document. */
static parl_status show_augmented(reading *r, const parl_image *image) {
  parl_image changed = {0};
  PARL_TRY(locate(r, parl_augment_bind(r->augment, image->width, image->height, 1, &r->last)));
  if (r->n_shown == 0) r->first = r->last;
  if (r->last.n == 0) return show(r, image);
  parl_status s = parl_transform_pixels(&r->last, image, &changed);
  if (s == PARL_STATUS_OK) s = show(r, &changed);
  parl_image_deinit(&changed);
  return s;
}

static parl_status add_image(reading *r, const char *name) {
  const parl_image_limits limits = {MAX_IMAGE, 4096, 1 << 20};
  char path[PATH_BYTES];
  char *bytes = NULL;
  size_t n = 0;
  parl_image image = {0};
  if (parl_env_get_spec(r->file->def.env)->vision.width == 0)
    return refuse(r, "image", "the environment shows none: it declares no `vision`");
  PARL_TRY(find_image(r, name, path));
  parl_status s = parl_file_read(path, MAX_IMAGE, &bytes, &n);
  if (s == PARL_STATUS_OK && r->hash != NULL) parl_hash_update(r->hash, bytes, n);
  if (s == PARL_STATUS_OK) s = parl_image_decode(bytes, n, path, &limits, &image);
  free(bytes);
  s = locate(r, s);
  if (s == PARL_STATUS_OK) s = show_augmented(r, &image);
  parl_image_deinit(&image);
  return s;
}

/* --- places and words --- */

/* The numbers of a list, in the pixels of the picture before it; most: what each may be. */
static parl_status read_numbers(const reading *r, const parl_json *list, size_t n,
                                const double *most, double *out) {
  char why[160];
  size_t k = 0;
  bool is_right = parl_json_get_type(list) == PARL_JSON_ARRAY && parl_json_get_size(list) == n;
  for (const parl_json *c = parl_json_get_first(list); is_right && c != NULL;
       c = parl_json_get_next(c), k++) {
    out[k] = parl_json_get_number(c);
    is_right = parl_json_get_type(c) == PARL_JSON_NUMBER && out[k] >= 0 && out[k] <= most[k] &&
               floor(out[k]) >= out[k];
  }
  if (is_right && (n == 2 || (out[0] < out[2] && out[1] < out[3]))) return PARL_STATUS_OK;
  snprintf(why, sizeof why, "%s in the picture of %d x %d pixels before it is due",
           n == 2 ? "[x, y], whole numbers of a pixel"
                  : "[x0, y0, x1, y1], whole numbers with x0 < x1 and y0 < y1,",
           r->last.width, r->last.height);
  return refuse(r, r->field, why);
}

static const parl_family *find_family(const parl_env_spec *spec, const char *name) {
  for (int i = 0; i < spec->n_families; i++)
    if (strcmp(spec->families[i].name, name) == 0) return &spec->families[i];
  return NULL;
}

/* As bytes, with blanks between them; else number x is value x + 1 of the family. */
static parl_status add_numbers(reading *r, const double *x, size_t n, const char *family,
                               bool is_learnt) {
  const parl_env_spec *spec = parl_env_get_spec(r->file->def.env);
  char text[96];
  if (r->file->words.first_byte >= 0) {
    size_t at = 0;
    for (size_t k = 0; k < n; k++)
      at += (size_t)snprintf(text + at, sizeof text - at, "%s%.0f", k > 0 ? " " : "", x[k]);
    return add_text(r, text, is_learnt);
  }
  const parl_family *f = find_family(spec, family);
  if (f == NULL) return refuse(r, "family", "the name of one of the environment's is due");
  for (size_t k = 0; k < n; k++) {
    snprintf(text, sizeof text, "%.0f is value %.0f of the family, which has %d", x[k], x[k] + 1,
             f->n);
    if (x[k] >= f->n) return refuse(r, r->field, text);
    PARL_TRY(add_token(r, f->first_token + (int)x[k], is_learnt));
  }
  if (r->limits == NULL) return PARL_STATUS_OK;
  return locate(r, parl_augment_check_place(r->limits, r->last.width, r->last.height, x, n, f->n));
}

static parl_status add_point(reading *r, const parl_json *list, const char *family,
                             bool is_learnt) {
  double x[2];
  int w, h;
  const double most[2] = {r->last.width - 1, r->last.height - 1};
  PARL_TRY(read_numbers(r, list, 2, most, x));
  r->is_lost = !parl_transform_point(&r->last, x) || r->is_lost;
  parl_transform_get_size(&r->last, &w, &h);
  if (r->is_lost) return PARL_STATUS_OK;
  x[0] = fmin(floor(x[0] + 0.5), w - 1);
  x[1] = fmin(floor(x[1] + 0.5), h - 1);
  return add_numbers(r, x, 2, family, is_learnt);
}

/* All pixels that belong to it, be it in part. */
static parl_status add_box(reading *r, const parl_json *list, const char *family, bool is_learnt) {
  double x[4];
  const double w = r->last.width, h = r->last.height, most[4] = {w, h, w, h};
  PARL_TRY(read_numbers(r, list, 4, most, x));
  r->is_lost = !parl_transform_box(&r->last, x) || r->is_lost;
  if (r->is_lost) return PARL_STATUS_OK;
  for (int k = 0; k < 4; k++) x[k] = k < 2 ? floor(x[k]) : ceil(x[k]);
  return add_numbers(r, x, 4, family, is_learnt);
}

/* What a side is called needs no picture: flips and turns are those of the document. */
static parl_status add_side(reading *r, const char *said, const char *family, bool is_learnt) {
  const parl_side_names names = parl_side_names_default();
  parl_transform t;
  char side[32], text[96];
  PARL_TRY(parl_augment_bind(r->augment, 1, 1, 1, &t));
  if (!parl_transform_word(&t, &names, said, side, sizeof side))
    return refuse(r, r->field, "left, top, right, bottom or a corner as top_left is due");
  snprintf(text, sizeof text, "%.60s%s%s", family, family[0] != '\0' ? ":" : "", side);
  return add_text(r, text, is_learnt);
}

/* --- a line --- */

/* Kinds of parts, and whether their member is a text. */
static const struct {
  const char *name;
  bool is_text;
} kinds[] = {{"text", true}, {"image", true}, {"word", true}, {"point", false}, {"box", false}};
enum { N_KINDS = sizeof kinds / sizeof kinds[0], TEXT = 0, IMAGE, WORD, POINT, BOX };

/* Which one the part is of, and its member. */
static parl_status find_kind(const reading *r, const parl_json *part, int *kind,
                             const parl_json **out) {
  int n = 0;
  for (int k = 0; k < N_KINDS; k++) {
    const parl_json *member = parl_json_find(part, kinds[k].name);
    if (member == NULL) continue;
    n++;
    *kind = k;
    *out = member;
  }
  if (n == 1 && (!kinds[*kind].is_text || parl_json_get_string(*out) != NULL))
    return PARL_STATUS_OK;
  return refuse(r, "parts",
                "a part has either a \"text\", an \"image\" or a \"word\", which is a string, or a "
                "\"point\" or a \"box\", which is a list");
}

/* `learnt` and `family`, and nothing else. */
static parl_status read_options(const reading *r, const parl_json *part, int kind, bool *is_learnt,
                                const char **family) {
  for (const parl_json *c = parl_json_get_first(part); c != NULL; c = parl_json_get_next(c)) {
    const char *key = parl_json_get_key(c);
    if (strcmp(key, kinds[kind].name) == 0) continue;
    if (strcmp(key, "learnt") == 0) {
      if (kind == IMAGE || parl_json_get_type(c) != PARL_JSON_BOOL)
        return refuse(r, key, "true or false, of what is no image");
      *is_learnt = parl_json_get_bool(c);
    } else if (strcmp(key, "family") == 0) {
      *family = parl_json_get_string(c);
      if (kind < WORD || *family == NULL || r->file->words.first_byte >= 0)
        return refuse(r, key, "a string, of a word, a point or a box where text is no bytes");
    } else {
      return refuse(r, key,
                    "unknown field; a part has text, image, word, point or box, learnt and family");
    }
  }
  return PARL_STATUS_OK;
}

static parl_status read_part(reading *r, const parl_json *part) {
  const parl_json *member = NULL;
  const char *family = "";
  bool is_learnt = false;
  int kind = 0;
  PARL_TRY(find_kind(r, part, &kind, &member));
  PARL_TRY(read_options(r, part, kind, &is_learnt, &family));
  const char *text = parl_json_get_string(member);
  r->field = kinds[kind].name;
  if (kind == TEXT) return add_text(r, text, is_learnt);
  if (kind == IMAGE) return add_image(r, text);
  if (kind == WORD) return add_side(r, text, family, is_learnt);
  if (r->n_shown == 0) return refuse(r, r->field, "no picture stands before it");
  return (kind == POINT ? add_point : add_box)(r, member, family, is_learnt);
}

static parl_status read_members(reading *r, const parl_json *root) {
  const parl_json *text = parl_json_find(root, "text"), *parts = parl_json_find(root, "parts");
  if (parl_json_get_type(root) != PARL_JSON_OBJECT || (text != NULL) == (parts != NULL))
    return refuse(r, "", "an object with either \"text\" or \"parts\" is due");
  for (const parl_json *c = parl_json_get_first(root); c != NULL; c = parl_json_get_next(c))
    if (c != text && c != parts)
      return refuse(r, parl_json_get_key(c), "unknown field; a document has text or parts");
  if (text != NULL && parl_json_get_string(text) == NULL)
    return refuse(r, "text", "a string is due");
  r->field = "text";
  if (text != NULL) return add_text(r, parl_json_get_string(text), true);
  if (parl_json_get_type(parts) != PARL_JSON_ARRAY) return refuse(r, "parts", "a list is due");
  for (const parl_json *c = parl_json_get_first(parts); c != NULL; c = parl_json_get_next(c))
    PARL_TRY(read_part(r, c));
  return PARL_STATUS_OK;
}

static parl_status read_line(reading *r, const char *bytes, size_t n, parl_document *out) {
  char what[PATH_BYTES + 16];
  parl_json *root = NULL;
  r->n = r->n_learnt = r->n_shown = r->n_more = 0;
  r->is_lost = false;
  r->first = r->last = (parl_transform){0};
  parl_album_clear(&r->album);
  snprintf(what, sizeof what, "%s:%u", r->file->path, r->line);
  PARL_TRY(parl_json_parse(bytes, n, what, &root));
  parl_status s = read_members(r, root);
  parl_json_destroy(root);
  if (s == PARL_STATUS_OK && r->n_learnt == 0 && !r->is_lost)
    s = refuse(r, "", "nothing is learnt of the document");
  if (s == PARL_STATUS_OK && r->n_more > 0) s = check_growth(r);
  const parl_env_shown shown = {r->n_shown, r->shown, &r->album};
  if (s == PARL_STATUS_OK) s = parl_document_set(out, r->tokens, r->learnt, r->n, &shown);
  if (s == PARL_STATUS_OK) out->augmented = r->first;
  return s;
}

static parl_status begin_reading(const parl_jsonl *f, reading *r) {
  *r = (reading){.file = f};
  r->tokens = calloc(f->def.max_tokens, sizeof *r->tokens);
  r->learnt = calloc(f->def.max_tokens, sizeof *r->learnt);
  if (r->tokens != NULL && r->learnt != NULL) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ENOMEM, "no memory for a document");
}

static void end_reading(reading *r) {
  free(r->tokens);
  free(r->learnt);
  free(r->shown);
  parl_album_deinit(&r->album);
}

/* --- the file --- */

static parl_status keep_place(parl_jsonl *f, size_t part, place where) {
  if (f->n[part] == f->room[part]) {
    const size_t room = 2 * f->room[part] + 256;
    place *places = realloc(f->places[part], room * sizeof *places);
    if (places == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu lines", room);
    f->places[part] = places;
    f->room[part] = room;
  }
  f->places[part][f->n[part]++] = where;
  return PARL_STATUS_OK;
}

/* The next line, with its end, and a NUL behind it: line [MAX_LINE + 1]; *n = 0: there is none. */
static parl_status next_line(reading *r, FILE *stream, char *line, size_t *n) {
  *n = 0;
  r->line++;
  for (int c = 0; c != '\n' && (c = getc_unlocked(stream)) != EOF;) {
    if (*n == MAX_LINE) return refuse(r, "", "the line has more than 4 MiB");
    line[(*n)++] = (char)c;
  }
  line[*n] = '\0';
  if (ferror(stream)) return parl_fail(PARL_STATUS_EIO, "%s: cannot be read", r->file->path);
  return PARL_STATUS_OK;
}

/* Reads, checks and hashes every line; line [MAX_LINE + 1], document: room for one. */
static parl_status scan_lines(parl_jsonl *f, FILE *stream, reading *r, char *line,
                              parl_document *document) {
  uint64_t offset = 0;
  size_t n;
  for (;;) {
    PARL_TRY(next_line(r, stream, line, &n));
    if (n == 0) return PARL_STATUS_OK;
    parl_hash_update(r->hash, line, n);
    if (line[strspn(line, " \t\r\n")] != '\0' || strlen(line) < n) {
      PARL_TRY(read_line(r, line, n, document));
      const uint64_t content = parl_document_get_content(document);
      const bool is_out = parl_document_is_held_out(content, f->def.split_seed, f->def.held_out);
      PARL_TRY(keep_place(f, is_out, (place){offset, content, (uint32_t)n, r->line}));
    }
    offset += n;
  }
}

static parl_status scan(parl_jsonl *f) {
  reading r;
  parl_hash hash;
  parl_document document = {0};
  FILE *stream = fopen(f->path, "rb");
  if (stream == NULL) return parl_fail(PARL_STATUS_EIO, "%s: cannot be opened", f->path);
  char *line = malloc(MAX_LINE + 1);
  parl_status s = begin_reading(f, &r);
  if (line == NULL) s = parl_fail(PARL_STATUS_ENOMEM, "no memory for a line");
  parl_hash_init(&hash);
  r.hash = &hash;
  if (f->def.augment.source != NULL) r.limits = &f->def.augment;
  if (s == PARL_STATUS_OK) s = scan_lines(f, stream, &r, line, &document);
  parl_hash_finish(&hash, f->hash);
  parl_document_deinit(&document);
  end_reading(&r);
  free(line);
  fclose(stream);
  PARL_TRY(s);
  if (f->n[0] > 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "%s: it has no document%s", f->path,
                   f->n[1] > 0 ? " that is not held out" : "");
}

static parl_status open_file(parl_jsonl *f) {
  char *real = realpath(f->def.path, NULL);
  struct stat about;
  if (real == NULL || stat(real, &about) != 0 || !S_ISREG(about.st_mode)) {
    free(real);
    return parl_fail(PARL_STATUS_EIO, "%s: no such regular file", f->def.path);
  }
  snprintf(f->folder, sizeof f->folder, "%s", real);
  free(real);
  *strrchr(f->folder, '/') = '\0';
  f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
  if (f->fd < 0) return parl_fail(PARL_STATUS_EIO, "%s: cannot be opened", f->path);
  PARL_TRY(parl_words_init(&f->words, f->def.env));
  return scan(f);
}

parl_status parl_jsonl_open(const parl_jsonl_def *def, parl_jsonl **out) {
  PARL_REQUIRE(def->max_tokens >= 1 && strlen(def->path) < PATH_BYTES);
  parl_jsonl *f = calloc(1, sizeof *f);
  if (f == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %s", def->path);
  f->def = *def;
  f->fd = -1;
  snprintf(f->path, sizeof f->path, "%s", def->path);
  const parl_status s = open_file(f);
  if (s == PARL_STATUS_OK)
    *out = f;
  else
    parl_jsonl_close(f);
  return s;
}

void parl_jsonl_close(parl_jsonl *file) {
  if (file == NULL) return;
  if (file->fd >= 0) close(file->fd);
  free(file->places[0]);
  free(file->places[1]);
  parl_words_deinit(&file->words);
  free(file);
}

const char *parl_jsonl_get_hash(const parl_jsonl *file) {
  return file->hash;
}

uint64_t parl_jsonl_count(const parl_jsonl *file, bool held_out) {
  return file->n[held_out];
}

static parl_status read_at(const parl_jsonl *f, const place *p, char *bytes) {
  for (size_t n = 0; n < p->n_bytes;) {
    const ssize_t got = pread(f->fd, bytes + n, p->n_bytes - n, (off_t)(p->offset + n));
    if (got <= 0)
      return parl_fail(PARL_STATUS_EIO, "%s:%u: cannot be read any more", f->path, p->line);
    n += (size_t)got;
  }
  return PARL_STATUS_OK;
}

parl_status parl_jsonl_get(const parl_jsonl *file, bool held_out, uint64_t i,
                           const parl_augment *augment, parl_document *out, bool *is_lost) {
  PARL_REQUIRE(i < file->n[held_out]);
  const place *p = &file->places[held_out][i];
  reading r;
  char *bytes = malloc(p->n_bytes + 1);
  parl_status s = begin_reading(file, &r);
  if (bytes == NULL) s = parl_fail(PARL_STATUS_ENOMEM, "no memory for a line");
  r.line = p->line;
  r.augment = augment;
  if (s == PARL_STATUS_OK) s = read_at(file, p, bytes);
  if (s == PARL_STATUS_OK) s = read_line(&r, bytes, p->n_bytes, out);
  if (s == PARL_STATUS_OK && augment == NULL && parl_document_get_content(out) != p->content)
    s = refuse(&r, "", "the line, or a picture of it, changed after the file was opened");
  *is_lost = r.is_lost;
  free(bytes);
  end_reading(&r);
  return s;
}
