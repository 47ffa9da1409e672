/* parl/data/source.c - scripts of documents: which seed is document i. */
#include "parl/data/source.h"

#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "lua/env_source.h"
#include "parl/data/jsonl.h"
#include "parl/data/order.h"

enum { MAX_DRAWS = 1000, MAX_TRIES = 8 };

/* What one worker has of it. */
typedef struct state {
  parl_env *env;
  int32_t *tokens; /* [max_tokens] */
  uint8_t *learnt; /* [max_tokens] */
} state;

struct parl_source {
  char name[PARL_SOURCE_NAME_BYTES];
  uint64_t seed, held_out_seed, split_seed;
  uint64_t n_documents; /* of an epoch; 0: none ends */
  double held_out;
  parl_augment_config augment;
  size_t max_tokens; /* without <bos> */
  size_t n_states;
  state *states;    /* [n_states] of a script */
  parl_jsonl *file; /* NULL: it is a script */
};

static parl_status open_state(const parl_source_def *def, const parl_json *params, state *out) {
  parl_env_options options = *def->options;
  options.speaks = def->env;
  PARL_TRY(parl_env_create(def->config->of.file, params, &options, &out->env));
  out->tokens = calloc(def->max_tokens, sizeof *out->tokens);
  out->learnt = calloc(def->max_tokens, sizeof *out->learnt);
  if (out->tokens != NULL && out->learnt != NULL) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ENOMEM, "no memory for a document of %zu tokens", def->max_tokens);
}

static parl_status open_states(const parl_source_def *def, parl_source *source) {
  parl_json *params = NULL;
  const char *text = def->config->params;
  if (text[0] != '\0') PARL_TRY(parl_json_parse(text, strlen(text), "params", &params));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < source->n_states; i++)
    s = open_state(def, params, &source->states[i]);
  parl_json_destroy(params);
  if (s == PARL_STATUS_OK && parl_augment_is_on(&source->augment) &&
      !parl_env_takes_augment(source->states[0].env))
    s = parl_fail(PARL_STATUS_EINVAL,
                  "augment: the script's `document` takes no third argument, the transform, so "
                  "nothing would be varied: %s",
                  def->config->of.file);
  return parl_fail_context(s, "sources.%s", def->config->name);
}

static bool is_jsonl(const char *path) {
  const size_t n = strlen(path);
  return n > 6 && strcmp(path + n - 6, ".jsonl") == 0;
}

static parl_status open_file(const parl_source_def *def, parl_source *source) {
  const parl_source_config *c = def->config;
  if (c->params[0] != '\0' || c->of.documents != 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "sources.%s.%s is not read where sources.%s.file is a .jsonl file", c->name,
                     c->params[0] != '\0' ? "params" : "documents", c->name);
  const parl_jsonl_def file = {.path = c->of.file,
                               .env = def->env,
                               .max_tokens = source->max_tokens,
                               .augment = {source->augment, source->name},
                               .held_out = source->held_out,
                               .split_seed = source->split_seed};
  return parl_fail_context(parl_jsonl_open(&file, &source->file), "sources.%s", c->name);
}

/* A source is known by its name: another one beside it changes none of its documents. */
static uint64_t name_seed(const char *name, uint64_t seed) {
  char hash[PARL_HASH_HEX_BYTES];
  parl_hash_bytes(name, strlen(name), hash);
  return parl_rng_mix(seed, parl_hash_get_word(hash), 0);
}

parl_status parl_source_create(const parl_source_def *def, parl_source **out) {
  PARL_REQUIRE(def->n_workers >= 1);
  if (def->max_tokens < 2)
    return parl_fail(PARL_STATUS_EINVAL,
                     "sources: documents of at most %zu tokens, the least of model.max_context and "
                     "pretrain.batch_tokens; <bos> and one that is learnt are 2",
                     def->max_tokens);
  parl_source *source = calloc(1, sizeof *source);
  state *states = calloc(def->n_workers, sizeof *states);
  if (source == NULL || states == NULL) {
    free(source);
    free(states);
    return parl_fail(PARL_STATUS_ENOMEM, "source: no memory");
  }
  const parl_source_config *c = def->config;
  *source = (parl_source){.seed = name_seed(c->name, def->seed),
                          .held_out_seed = name_seed(c->name, def->held_out_seed),
                          .split_seed = def->split_seed,
                          .n_documents = (uint64_t)c->of.documents,
                          .held_out = c->of.held_out,
                          .augment = c->augment,
                          .max_tokens = def->max_tokens - 1,
                          .n_states = def->n_workers,
                          .states = states};
  memcpy(source->name, c->name, sizeof source->name);
  const parl_status s = is_jsonl(c->of.file) ? open_file(def, source) : open_states(def, source);
  if (s == PARL_STATUS_OK)
    *out = source;
  else
    parl_source_destroy(source);
  return s;
}

void parl_source_destroy(parl_source *source) {
  if (source == NULL) return;
  for (size_t i = 0; i < source->n_states; i++) {
    parl_env_destroy(source->states[i].env);
    free(source->states[i].tokens);
    free(source->states[i].learnt);
  }
  free(source->states);
  parl_jsonl_close(source->file);
  free(source);
}

bool parl_source_is_measured(const parl_source *source) {
  return source->file == NULL || source->held_out > 0;
}

const char *parl_source_get_hash(const parl_source *source) {
  if (source->file != NULL) return parl_jsonl_get_hash(source->file);
  return parl_env_get_spec(source->states[0].env)->script_hash;
}

/* Document `where`, a seed of a script or a place among the lines of a part; augment NULL: as it
 * is. *is_lost: a line says something of what a crop left out. */
static parl_status make(const parl_source *source, bool held_out, uint64_t where,
                        const parl_augment *augment, size_t worker, parl_document *out,
                        bool *is_lost) {
  if (source->file != NULL)
    return parl_jsonl_get(source->file, held_out, where, augment, out, is_lost);
  const state *st = &source->states[worker];
  const parl_document_room room = {source->max_tokens, st->tokens, st->learnt};
  size_t n = 0;
  *is_lost = false;
  PARL_TRY(parl_env_document(st->env, where, augment, &room, &n));
  const parl_env_shown shown = parl_env_get_shown(st->env);
  const parl_transform *t = parl_env_get_transform(st->env);
  PARL_TRY(parl_document_set(out, st->tokens, st->learnt, n, &shown));
  if (t != NULL) out->augmented = *t;
  return PARL_STATUS_OK;
}

static bool is_held_out(const parl_source *source, const parl_document *document) {
  return source->held_out > 0 && parl_document_is_held_out(parl_document_get_content(document),
                                                           source->split_seed, source->held_out);
}

/* --- which one --- */

/* The number of document `index` of training among the n of an epoch; 0: none ends. */
static uint64_t get_place(const parl_source *source, uint64_t n, uint64_t index) {
  if (n == 0) return index;
  return parl_order_get(parl_seed(source->seed, PARL_PURPOSE_DOCUMENT_ORDER, index / n, 0), n,
                        index % n);
}

/* Held-out lines begin again when all were given. */
static parl_status find_line(const parl_source *source, bool held_out, uint64_t index,
                             uint64_t *where) {
  const uint64_t n = parl_jsonl_count(source->file, held_out);
  if (n == 0)
    return parl_fail(PARL_STATUS_EINVAL,
                     "no line is held out with held_out = %g: the file has too few, or set "
                     "pretrain.eval_documents to 0",
                     source->held_out);
  *where = held_out ? index % n : get_place(source, n, index);
  return PARL_STATUS_OK;
}

/* Whether a document's place says already that it is to be learnt: of a script of which nothing is
 * held out. */
static bool is_known(const parl_source *source) {
  return source->file == NULL && source->held_out <= 0;
}

/* The document of the part, not augmented, and what it is known by: *where. out NULL: that alone,
 * where it is known. */
static parl_status find(const parl_source *source, bool held_out, uint64_t index, size_t worker,
                        parl_document *out, uint64_t *where) {
  bool is_lost;
  if (source->file != NULL) {
    PARL_TRY(find_line(source, held_out, index, where));
    return make(source, held_out, *where, NULL, worker, out, &is_lost);
  }
  const uint64_t place = held_out ? index : get_place(source, source->n_documents, index);
  const uint64_t seed = held_out ? source->held_out_seed : source->seed;
  const parl_purpose purpose = held_out ? PARL_PURPOSE_HELD_OUT_DOCUMENT : PARL_PURPOSE_DOCUMENT;
  for (uint64_t k = 0; k < MAX_DRAWS; k++) {
    *where = parl_seed(seed, purpose, place, k);
    if (out == NULL) return PARL_STATUS_OK;
    PARL_TRY(make(source, held_out, *where, NULL, worker, out, &is_lost));
    if (source->held_out <= 0 || is_held_out(source, out) == held_out) return PARL_STATUS_OK;
  }
  return parl_fail(PARL_STATUS_EINVAL,
                   "%d documents in a row are %s with held_out = %g: the script makes too few "
                   "different ones",
                   MAX_DRAWS, held_out ? "for training" : "held out", source->held_out);
}

/* A script that never asks for its transform has not been varied by it. */
static parl_status check_varied(const parl_source *source, size_t worker) {
  const parl_env *env = source->file == NULL ? source->states[worker].env : NULL;
  if (env == NULL || parl_env_get_transform(env) != NULL) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "augment: a document did not call `augment`, its third argument, so nothing of "
                   "it is varied: %s",
                   parl_env_get_spec(env)->path);
}

/* Varies document `index` of training, which *out is if it is made. What lost something that is
 * said of it, or came to be a held-out document, is drawn again; after some tries it stays as it
 * was. */
static parl_status vary(const parl_source *source, uint64_t index, uint64_t where, bool is_made,
                        size_t worker, parl_document *out) {
  bool is_as_it_was = is_made, is_lost;
  for (uint64_t k = 0; k < MAX_TRIES; k++) {
    parl_rng_cursor cursor = {source->seed, parl_rng_stream(PARL_PURPOSE_AUGMENT, index, k, 0), 0};
    const parl_augment augment = parl_augment_draw(&source->augment, &cursor);
    if (parl_augment_is_none(&augment)) break;
    is_as_it_was = false;
    PARL_TRY(make(source, false, where, &augment, worker, out, &is_lost));
    PARL_TRY(check_varied(source, worker));
    if (!is_lost && !is_held_out(source, out)) return PARL_STATUS_OK;
  }
  return is_as_it_was ? PARL_STATUS_OK : make(source, false, where, NULL, worker, out, &is_lost);
}

parl_status parl_source_get(parl_source *source, bool held_out, uint64_t index, size_t worker,
                            parl_document *out) {
  PARL_REQUIRE(worker < source->n_states);
  const bool is_varied = !held_out && parl_augment_is_on(&source->augment);
  const bool is_made = !is_varied || !is_known(source);
  uint64_t where = 0;
  parl_status s = find(source, held_out, index, worker, is_made ? out : NULL, &where);
  if (s == PARL_STATUS_OK && is_varied) s = vary(source, index, where, is_made, worker, out);
  return parl_fail_context(s, "sources.%s", source->name);
}
