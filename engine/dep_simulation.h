/* engine/dep_simulation.h - a training step with images on many devices, simulated from FLOPs.
 *
 * Every replica trains 64 micro-batches of one sequence of layout.tokens each, through a pipeline
 * (engine/pipeline.h); images are those of engine/dep_mix.h, of 256 tokens in the median, sigma 1,
 * at most 4096. What is computed takes its FLOPs, backward twice those of forward, and all else
 * nothing: no communication, no memory, experts with equal loads. Tensor parallel divides the
 * backbone's FLOPs by tp and leaves the tower whole.
 * Thread rule: pure functions. Reading order: parl_dep_simulation, parl_dep_simulate.
 * Source: ours; k25 7 for the three stages. */
#ifndef PARL_ENGINE_DEP_SIMULATION_H
#define PARL_ENGINE_DEP_SIMULATION_H
#include <stdbool.h>

#include "engine/layout.h"

enum { PARL_DEP_MICRO_BATCHES = 64 };

typedef struct parl_dep_simulated {
  double efficiency; /* step time of text alone over this way's */
  double max_mean;   /* loads of devices: inside, of the whole step; else of the tower's stages */
  double bubble;     /* share of all devices' time in which they have nothing to do */
} parl_dep_simulated;

typedef struct parl_dep_simulation {
  size_t devices, stages, replicas;
  double share;                  /* of tokens that are visual */
  double vision;                 /* FLOPs of towers, forward, again and backward, over all */
  double text_bubble;            /* of text alone */
  parl_dep_simulated inside;     /* the first stage looks, and keeps what backward needs */
  parl_dep_simulated unbalanced; /* decoupled: micro-batch m is device m mod (tp pp)'s of its
                                    replica */
  parl_dep_simulated balanced;   /* decoupled: all images over all devices, the dearest first */
} parl_dep_simulation;

/* How a layout lies on so many devices: tp stays, pp becomes the largest number up to it that
 * divides the rest, dp is what is left. False if tp does not divide them. */
bool parl_dep_fit_layout(const parl_layout *layout, size_t devices, parl_layout *out);
/* The layout was checked, and fits; the model has a tower; layout.tokens >= 16; share in (0, 0.9].
 * Fails: ENOMEM. */
parl_status parl_dep_simulate(const parl_layout *layout, const parl_model_config *config,
                              size_t vocab_size, double share, parl_dep_simulation *out);

#endif
