/* parl/data/document.h - a text of tokens with pictures, and which of its tokens are learnt.
 *
 * Documents do not see each other: each is a sequence of its own, packed beside others into slices
 * (parl/learn/batch.h). Thread rule: one writer, then readers. */
#ifndef PARL_PARL_DATA_DOCUMENT_H
#define PARL_PARL_DATA_DOCUMENT_H
#include "core/hash.h"
#include "core/transform.h"
#include "lua/env.h"
#include "parl/swarm/trajectory.h"

typedef struct parl_document {
  size_t n, n_learnt, n_shown; /* tokens, those in the loss, pictures */
  int32_t *tokens;             /* [n] the first is <bos> */
  uint8_t *learnt;             /* [n] 1: predicted from all that stands before it */
  parl_shown *shown;           /* [n_shown] in order */
  parl_album album;
  parl_transform augmented; /* of the first picture, or what stands for one; n = 0: as it was */
  size_t room, shown_room;  /* for tokens and pictures: grows */
} parl_document;

/* Takes n tokens, <bos> not among them, whose pictures are `shown`, as not augmented. Fails:
 * ENOMEM. */
parl_status parl_document_set(parl_document *document, const int32_t *tokens, const uint8_t *learnt,
                              size_t n, const parl_env_shown *shown);
/* Safe on a zeroed document. */
void parl_document_deinit(parl_document *document);
/* Placeholders of pictures. */
size_t parl_document_count_visual(const parl_document *document);
/* Feeds tokens, mask and pictures into h. */
void parl_document_hash(const parl_document *document, parl_hash *h);
/* 64 bits of that, by which a document is known: however it was written, wherever it stands. */
uint64_t parl_document_get_content(const parl_document *document);
/* Which part a document belongs to, by its content alone: of all there may be, `share` is held
 * out. */
bool parl_document_is_held_out(uint64_t content, uint64_t split_seed, double share);

/* As a batch takes it: every learnt token is a choice among `mask`. `at`, `logp` and `masks` of
 * *out [n_learnt, n_words] are the caller's; what else it points to is the document's. */
void parl_document_fill(const parl_document *document, const uint64_t *mask, parl_sequence *out);

#endif
