/* parl/data/document.c - a document's memory, hash and sequence. */
#include "parl/data/document.h"

#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"

static parl_status make_room(parl_document *d, size_t n, size_t n_shown) {
  if (n > d->room) {
    int32_t *tokens = realloc(d->tokens, n * sizeof *tokens);
    if (tokens != NULL) d->tokens = tokens;
    uint8_t *learnt = realloc(d->learnt, n);
    if (learnt != NULL) d->learnt = learnt;
    if (tokens == NULL || learnt == NULL)
      return parl_fail(PARL_STATUS_ENOMEM, "no memory for a document of %zu tokens", n);
    d->room = n;
  }
  if (n_shown <= d->shown_room) return PARL_STATUS_OK;
  parl_shown *shown = realloc(d->shown, n_shown * sizeof *shown);
  if (shown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu pictures", n_shown);
  d->shown = shown;
  d->shown_room = n_shown;
  return PARL_STATUS_OK;
}

parl_status parl_document_set(parl_document *document, const int32_t *tokens, const uint8_t *learnt,
                              size_t n, const parl_env_shown *shown) {
  parl_document *d = document;
  d->n = d->n_learnt = d->n_shown = 0;
  d->augmented = (parl_transform){0};
  parl_album_clear(&d->album);
  PARL_TRY(make_room(d, n + 1, shown->n));
  d->tokens[0] = PARL_TOKEN_BOS;
  d->learnt[0] = 0;
  memcpy(d->tokens + 1, tokens, n * sizeof *tokens);
  memcpy(d->learnt + 1, learnt, n);
  for (size_t i = 0; i < n; i++) d->n_learnt += learnt[i];
  for (size_t i = 0; i < shown->n; i++) {
    const parl_picture *p = &shown->album->items[shown->items[i].picture];
    d->shown[i] = shown->items[i];
    d->shown[i].at++;
    PARL_TRY(parl_album_add(&d->album, p, &d->shown[i].picture));
  }
  d->n = n + 1;
  d->n_shown = shown->n;
  return PARL_STATUS_OK;
}

void parl_document_deinit(parl_document *document) {
  free(document->tokens);
  free(document->learnt);
  free(document->shown);
  parl_album_deinit(&document->album);
  *document = (parl_document){0};
}

size_t parl_document_count_visual(const parl_document *document) {
  size_t n = 0;
  for (size_t i = 0; i < document->n_shown; i++) n += (size_t)document->shown[i].n;
  return n;
}

void parl_document_hash(const parl_document *document, parl_hash *h) {
  const uint64_t sizes[2] = {document->n, document->n_shown};
  parl_hash_update(h, sizes, sizeof sizes);
  parl_hash_update(h, document->tokens, document->n * sizeof *document->tokens);
  parl_hash_update(h, document->learnt, document->n);
  for (size_t i = 0; i < document->n_shown; i++) {
    const parl_shown *s = &document->shown[i];
    const uint64_t place[3] = {(uint64_t)s->at, (uint64_t)s->n,
                               document->album.items[s->picture].content};
    parl_hash_update(h, place, sizeof place);
  }
}

uint64_t parl_document_get_content(const parl_document *document) {
  parl_hash h;
  char hash[PARL_HASH_HEX_BYTES];
  parl_hash_init(&h);
  parl_document_hash(document, &h);
  parl_hash_finish(&h, hash);
  return parl_hash_get_word(hash);
}

bool parl_document_is_held_out(uint64_t content, uint64_t split_seed, double share) {
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_DOCUMENT_SPLIT, 0, 0, 0);
  return parl_rng_uniform(split_seed, stream, content) < share;
}

void parl_document_fill(const parl_document *document, const uint64_t *mask, parl_sequence *out) {
  out->n_tokens = (int32_t)document->n;
  out->n_choices = 0;
  out->tokens = document->tokens;
  out->n_shown = out->max_shown = (int32_t)document->n_shown;
  out->shown = document->shown;
  out->album = &document->album;
  for (size_t i = 0; i < document->n; i++) {
    if (!document->learnt[i]) continue;
    const size_t k = (size_t)out->n_choices++;
    out->at[k] = (int32_t)i;
    out->logp[k] = 0.0f;
    memcpy(out->masks + k * (size_t)out->n_words, mask, (size_t)out->n_words * sizeof *mask);
  }
}
