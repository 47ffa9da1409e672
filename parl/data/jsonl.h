/* parl/data/jsonl.h - documents from a file: a line of JSON each, pictures beside it.
 *
 *   {"text": "row:3 row:5"}                                                    all of it is learnt
 *   {"parts": [{"image": "cats/1.png"}, {"text": "what"}, {"text": "red_disc", "learnt": true}]}
 * A part's text is read unless `learnt` says true. Text is words between blanks, each the name of a
 * token of the environment ("value:red_disc"), or what stands behind the colon if it is one token's
 * alone ("red_disc"); where the environment has a family `byte` of 256 values, text is its bytes.
 * {"point": [x, y]} and {"box": [x0, y0, x1, y1]} are whole numbers, pixels of the image before
 * them (core/transform.h says of which): text where that is bytes, else values of a "family", of
 * which number 0 is the first one. {"word": "left"} is a side, or a corner, of pictures. Of an
 * augmented document they are what is right of the picture that is shown.
 * An image is a PNG or JPEG file in the folder of the .jsonl file, or below it, of at most the size
 * that the environment's `vision` declares. Blank lines are passed over.
 * Opening reads every line and every picture's bytes, so that a mistake is found before anything is
 * learnt; what is kept is where lines begin.
 * Thread rule: read-only once open. Reading order: open, get. */
#ifndef PARL_PARL_DATA_JSONL_H
#define PARL_PARL_DATA_JSONL_H
#include "parl/data/augment_limits.h"
#include "parl/data/document.h"

typedef struct parl_jsonl_def {
  const char *path;
  const parl_env *env;         /* whose words it speaks; outlives the file */
  size_t max_tokens;           /* of a document, without <bos> */
  parl_augment_limits augment; /* what get's may be drawn from, all of which must fit */
  double held_out;             /* share of the lines, by what they say */
  uint64_t split_seed;         /* which these are */
} parl_jsonl_def;

typedef struct parl_jsonl parl_jsonl;
/* Fails: EIO; EFORMAT naming file:line and the field, one of augment if what it allows does not fit
 * the environment's vision, a family or a document; EINVAL if there is no document to learn;
 * ENOMEM. */
parl_status parl_jsonl_open(const parl_jsonl_def *def, parl_jsonl **out);
void parl_jsonl_close(parl_jsonl *file);
/* SHA-256 of the file and of its pictures' files, in the order of the lines. */
const char *parl_jsonl_get_hash(const parl_jsonl *file);
/* Documents of a part. */
uint64_t parl_jsonl_count(const parl_jsonl *file, bool held_out);
/* Document i of a part, in the order of the file, i < count. augment NULL: as it is; else *is_lost
 * says whether a point, or all of a box, was left out by a crop, and the document is of no use.
 * Fails: EFORMAT naming file:line, EIO: it changed since it was opened. */
parl_status parl_jsonl_get(const parl_jsonl *file, bool held_out, uint64_t i,
                           const parl_augment *augment, parl_document *out, bool *is_lost);

#endif
