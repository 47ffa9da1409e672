/* parl/run/pretrained.h - the first weights of a run: drawn, those of pretrain.init or
 * pretrain.extend, or learnt from documents.
 *
 * Pretraining (parl/learn/pretrain.h) is made once per seed and kept as a checkpoint, which runs
 * share that differ in nothing that it reads. While it is under way a file of its own, `.part`,
 * holds the optimizer and the state, every run.checkpoint_every steps, so a killed one goes on to
 * the same bits.
 * Thread rule: one thread per call; it uses the workers. */
#ifndef PARL_PARL_RUN_PRETRAINED_H
#define PARL_PARL_RUN_PRETRAINED_H
#include "core/workers.h"
#include "parl/run/run.h"
#include "parl/swarm/host.h"

/* What documents a run learns from. options [1] is the caller's room; scripts: or NULL. */
parl_feed_def parl_run_get_feed(const parl_run *run, const parl_env *env,
                                const parl_script_host *scripts, parl_env_options *options,
                                parl_workers *workers);
/* Tokens of the longest document that the run's model learns from. */
size_t parl_run_get_longest_document(const parl_run *run);

/* Whether the run's model can begin as what pretrain.init or pretrain.extend names, before anything
 * is made. env: the run's. Fails: as parl_checkpoint_check, naming the field. */
parl_status parl_pretrained_check(const parl_run *run, const parl_env *env);
/* Where the pretrained model is, or will be, kept: out [n]; "" without pretrain.steps. Fails:
 * EINVAL if it does not fit. */
parl_status parl_pretrained_get_path(const parl_run *run, const parl_env *env, char *out, size_t n);

/* Gives a model its first weights; what is missing of the pretraining is made and saved. env: the
 * run's. Fails: ESTOPPED between steps, after a checkpoint; EFORMAT if what it begins as is of
 * another vocabulary or another model; as parl_pretrainer_create and step. */
parl_status parl_pretrained_get(const parl_run *run, const parl_host *host, parl_workers *workers,
                                const parl_env *env, parl_model *model);
/* What was measured; the file has to be there. Nothing without pretrain.steps. *out is the
 * caller's. Fails: EIO, EFORMAT. */
parl_status parl_pretrained_read_rows(const parl_run *run, const parl_env *env,
                                      parl_pretrain_rows *out);

#endif
