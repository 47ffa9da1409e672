/* core/seeds.h - where every random number of the program comes from.
 *
 * A purpose never shares a stream with another, so training tasks, demonstrations, probes and
 * held-out tasks are different worlds. Their prompts may be the same: see parl/swarm/split.h.
 * Every stream that code outside tests draws from is in this list; `make lint` looks.
 * Thread rule: pure functions. Reading order: PARL_PURPOSE_LIST, parl_seed. */
#ifndef PARL_CORE_SEEDS_H
#define PARL_CORE_SEEDS_H
#include "core/rng.h"

/* X(name, number, meaning). Numbers differ, and stay for ever: another one is another world. */
#define PARL_PURPOSE_LIST(X)                                              \
  /* seeds of a run's parts, by (step, index): parl_seed */               \
  X(INIT, 1, "weights of a model")                                        \
  X(DEMO_TASK, 2, "tasks of the warm start, by step")                     \
  X(DEMO_EPISODE, 3, "chance in its episodes")                            \
  X(DEMO_STYLE, 4, "which expert plays a demonstration")                  \
  X(PROBE_TASK, 5, "tasks that measure the warm start")                   \
  X(PROBE_EPISODE, 6, "chance in its episodes")                           \
  X(TRAIN_TASK, 7, "tasks of training, by update")                        \
  X(TRAIN_EPISODE, 8, "chance in its episodes")                           \
  X(EVAL_TASK, 9, "held-out tasks")                                       \
  X(EVAL_EPISODE, 10, "chance in its episodes")                           \
  X(SPLIT_LOOK, 11, "tasks at which the split looks")                     \
  X(SPLIT_HASH, 12, "which prompts are held out")                         \
  X(LOGP_NOISE, 16, "noise on recorded log-probabilities, by episode")    \
  X(REDRAW, 13, "another task in place of one of the other part")         \
  X(TRAIN_CANDIDATE, 14, "further candidates of a task, by update")       \
  X(TASK_CHOICE, 15, "which of a task's candidates is played")            \
  X(DOCUMENT, 17, "documents of pretraining, by number and draw")         \
  X(DOCUMENT_ORDER, 18, "their order, by epoch")                          \
  X(DOCUMENT_SPLIT, 19, "which documents are held out, by contents")      \
  X(HELD_OUT_DOCUMENT, 20, "held-out documents, by number and draw")      \
  X(AUGMENT, 21, "how a document is varied, by number and try")           \
  /* streams of an episode, by its seed */                                \
  X(SAMPLE, 101, "tokens that a policy samples, by context")              \
  X(RELIABLE, 102, "which scripted sub-agents work at all, by sub-agent") \
  X(RANDOM, 103, "tokens that the random player draws, by agent")         \
  X(CREDIT, 104, "which assignments are left out, where not all can be")  \
  X(MESSAGE, 105, "which messages are lost or false, by sub-agent")       \
  X(CHANCE, 0x454E5643, "what a script draws while an agent acts")        \
  X(EXPERT, 0x454E5645, "what its expert draws")                          \
  X(JUDGE, 106, "errors of a rubric's judge, by term")                    \
  /* streams by other seeds */                                            \
  X(BOOTSTRAP, 201, "resamples of the forecast")                          \
  X(WEIGHTS, 0x696e6974, "initial weights, by tensor")                    \
  X(BENCH, 0x62656e6368, "tokens of the benchmark")                       \
  X(IMAGES, 0x696d61676573, "images of benchmarks and of layouts")        \
  X(STATISTICS, 0x7374617473, "resamples of two samples")                 \
  X(TABLE, 0x7461626c65, "resamples of a table of scores, by comparison") \
  X(SWEEP, 0x7377656570, "points of a sweep")                             \
  X(SWEEP_SHIFT, 0x7377656571, "shifts of its Sobol points")              \
  X(SWEEP_LOOK, 0x7377656572, "where bayes looks")                        \
  X(SWEEP_PBT, 0x7377656573, "whom a member of pbt copies, and changes")

typedef enum parl_purpose {
#define X(name, number, meaning) PARL_PURPOSE_##name = number,
  PARL_PURPOSE_LIST(X)
#undef X
} parl_purpose;

/* The seed of item `index` of `step` for a purpose; 53 bits, which survive JSON. */
static inline uint64_t parl_seed(uint64_t seed, parl_purpose purpose, uint64_t step,
                                 uint64_t index) {
  return parl_rng(seed, parl_rng_stream((uint64_t)purpose, step, 0, 0), index) >> 11;
}

#endif
