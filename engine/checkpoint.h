/* engine/checkpoint.h - a model and, if wanted, its optimizer and progress in one safetensors file.
 *
 * Tensors carry their Hugging Face names; optimizer moments are "optimizer.m.<name>" and
 * "optimizer.v.<name>". Metadata: "format" = "parl-2", "model" = the config as JSON, "vocab" = hash
 * of the vocabulary, "progress" = JSON of the caller (update number, schedule, rng), and with an
 * optimizer "optimizer_steps" = steps taken. Weights of other models of the same config that go on
 * with a run are "kept.<i>.<name>".
 * Thread rule: pure functions on their arguments. */
#ifndef PARL_ENGINE_CHECKPOINT_H
#define PARL_ENGINE_CHECKPOINT_H
#include "core/text.h"
#include "engine/optimizer.h"

typedef struct parl_checkpoint_meta {
  const char *vocab;    /* hash of the vocabulary the policy speaks; compared on load unless NULL */
  const char *progress; /* JSON, opaque here; "" if none */
  parl_model *const *kept; /* [n_kept] saved beside the model; may be NULL */
  size_t n_kept;
} parl_checkpoint_meta;

/* opt may be NULL. Writes atomically; sha256 [65] may be NULL. */
parl_status parl_checkpoint_save(const char *path, parl_model *model, parl_optimizer *opt,
                                 const parl_checkpoint_meta *meta, char *sha256);
/* Loads into an existing model of the same config (init_std, max_context, recompute and
 * expert_quant may differ: they do not change what the weights mean). All tensors are checked
 * (present, none extra, shape, dtype, finite) before the first is copied. opt NULL: moments in the
 * file are skipped; opt given: they must be there. progress (may be NULL) is overwritten with the
 * JSON.
 * Fails: EIO, EFORMAT naming the tensor or field, ENOMEM; no partial load. */
parl_status parl_checkpoint_load(const char *path, parl_model *model, parl_optimizer *opt,
                                 const char *vocab, parl_text *progress);
/* The same, and the n_kept models that were saved beside it, all of which must be there. What a
 * file has of them is passed over by the others. */
parl_status parl_checkpoint_load_kept(const char *path, parl_model *model, parl_optimizer *opt,
                                      parl_model *const *kept, size_t n_kept, const char *vocab,
                                      parl_text *progress);
/* Loads the weights of the file whose SHA-256 is `sha256`, hashed as they are read, so that a file
 * put in its place since is refused; "": any file. Fails: as above, EFORMAT. */
parl_status parl_checkpoint_load_exact(const char *path, const char *sha256, const char *vocab,
                                       parl_model *model);
/* Whether a model of this config may begin as the file's weights. extends: at a longer context, so
 * that it may differ from the file's in max_context, which is no shorter, in rope_factor and in
 * rope_original_context, and in nothing else but what load allows. Weights are not looked at.
 * Fails: as load_exact, EFORMAT naming every other field that differs, with both values. */
parl_status parl_checkpoint_check(const char *path, const char *sha256, const char *vocab,
                                  const parl_model_config *config, bool extends);
/* As load_exact into a model that passes this check, extended. Fails: as both. */
parl_status parl_checkpoint_load_extension(const char *path, const char *sha256, const char *vocab,
                                           parl_model *model);
/* Makes the model that the file describes, with its weights; *out is owned by the caller. Moments
 * are passed over. Fails: as above. */
parl_status parl_checkpoint_open_model(const char *path, const parl_backend *backend,
                                       parl_model **out);

#endif
