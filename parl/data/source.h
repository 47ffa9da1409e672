/* parl/data/source.h - one source of documents, open.
 *
 * A document is a function of (source, part, index): which worker asks, and when, changes nothing.
 * Held out is a document by its contents, so that what training never sees holds for every seed and
 * epoch. What is augmented is a document of training; its contents are those before, and what comes
 * to be a held-out document by it is drawn again, so that neither that nor what is made from it is
 * learnt. The draw is a function of (seed, index, try). A source is a script (lua/env_source.h) or,
 * by its name, a file of lines (parl/data/jsonl.h).
 * Thread rule: one thread a worker. Reading order: parl_source_def, create, get. */
#ifndef PARL_PARL_DATA_SOURCE_H
#define PARL_PARL_DATA_SOURCE_H
#include "parl/data/document.h"
#include "parl/data/source_list.h"

typedef struct parl_source_def {
  const parl_source_config *config; /* borrowed until create returns */
  const parl_env *env;              /* whose words it speaks; outlives the source */
  const parl_env_options *options;  /* limits of its states */
  size_t n_workers;
  size_t max_tokens;      /* of a document, with <bos> */
  uint64_t seed;          /* of the run */
  uint64_t held_out_seed; /* of held-out documents, the same in every run */
  uint64_t split_seed;    /* which these are */
} parl_source_def;

typedef struct parl_source parl_source;
/* Fails: as parl_env_create; EINVAL naming a parameter; ENOMEM. */
parl_status parl_source_create(const parl_source_def *def, parl_source **out);
void parl_source_destroy(parl_source *source);
/* SHA-256 of what it reads: the script with its includes and pictures, or the file with its. */
const char *parl_source_get_hash(const parl_source *source);
/* False of a .jsonl file of which nothing is held out: a script makes documents for it alone. */
bool parl_source_is_measured(const parl_source *source);
/* Document `index` of training, from 0 on without end; or of those held out. Fails: ESCRIPT,
 * ELIMIT; EINVAL if a thousand draws are not of the part, or if a script that is to be varied does
 * not ask for its transform. */
parl_status parl_source_get(parl_source *source, bool held_out, uint64_t index, size_t worker,
                            parl_document *out);

#endif
