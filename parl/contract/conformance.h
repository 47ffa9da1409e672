/* parl/contract/conformance.h - the suite that every environment must pass, ours and theirs.
 *
 * It calls every callback of an environment, plays its experts and random episodes, and compares
 * what happened: twice, in another order, side by side, in another process. What it sees is a list
 * of findings: faults, and notes that are no fault. Where a reset is slow, it makes fewer worlds
 * than it is asked for, and a note says how many.
 * Thread rule: one thread at a time; a suite makes its own Lua states.
 * Reading order: PARL_CONFORMANCE_LIST, def, parl_conformance, run. */
#ifndef PARL_PARL_CONTRACT_CONFORMANCE_H
#define PARL_PARL_CONTRACT_CONFORMANCE_H
#include <stdatomic.h>

#include "core/hash.h"
#include "parl/run/recipe.h"

/* X(name, what it checks) */
#define PARL_CONFORMANCE_LIST(X)                                                             \
  X(contract, "the file declares an environment; callbacks return what the contract says")   \
  X(limits, "every callback stays within its time, instructions and memory")                 \
  X(reward, "r_perf is a number in 0 to 1, success is 0 or 1")                               \
  X(pure, "prompt, legal, score and optimum answer the same when asked again")               \
  X(grammar, "handlers accept every call that the grammar allows, with `legal` and without") \
  X(isolation, "no two agents share anything that can change")                               \
  X(experts, "experts write well-formed calls of known tools")                               \
  X(termination, "episodes end by `finish`, before turns or context run out")                \
  X(repeat, "the same seeds give the same trace again, in this process and in another")      \
  X(order, "an episode's trace depends on no earlier episode and no neighbour")              \
  X(seeds, "different seeds make different tasks")                                           \
  X(optimum, "no expert and no random episode beats the optimum")                            \
  X(memory, "memory does not grow with the number of episodes")
typedef enum parl_conformance_check {
#define X(name, text) PARL_CONFORMANCE_##name,
  PARL_CONFORMANCE_LIST(X)
#undef X
      PARL_N_CONFORMANCE_CHECKS
} parl_conformance_check;
/* Borrowed name and meaning. */
const char *parl_conformance_name(parl_conformance_check check);
const char *parl_conformance_meaning(parl_conformance_check check);

typedef struct parl_conformance_def {
  const parl_recipe *recipe; /* environment, parameters, sections env, episode, agents */
  size_t n_tasks;            /* for experts and traces; 0: 24 */
  size_t n_random;           /* random episodes; 0: 1,000 */
  uint64_t seed;
  double slow_reset_s; /* a reset of that long is slow: fewer worlds are made; 0: 0.1 */
  /* The hash of traces of so many tasks that another process gets by parl_conformance_hash; NULL:
   * not compared. */
  parl_status (*ask_other)(void *context, size_t n_tasks, char hash[PARL_HASH_HEX_BYTES]);
  void *context;
  const atomic_int *stop;          /* non-zero: ESTOPPED; may be NULL */
  const parl_script_host *scripts; /* what stops callbacks, and where they print; or NULL */
} parl_conformance_def;

enum { PARL_CONFORMANCE_MAX_FINDINGS = 64, PARL_CONFORMANCE_TEXT = 1024, PARL_MAX_TIMINGS = 32 };

typedef struct parl_finding {
  parl_conformance_check check;
  bool is_note; /* worth knowing, no fault */
  char what[PARL_CONFORMANCE_TEXT], where[256];
} parl_finding;

/* How long a callback takes. */
typedef struct parl_timing {
  char name[64]; /* "search", "score" */
  int64_t n;
  double total_s, max_s;
} parl_timing;

/* How a style, or "random", did. */
typedef struct parl_style_summary {
  char style[48];
  size_t n_is[PARL_N_OPTIMUM_KINDS]; /* episodes by what their optimum is */
  size_t n, n_success, n_at_optimum; /* episodes; of these: success; success in optimum steps */
  double r_perf, critical_steps, total_steps, optimum_steps, serial_steps; /* means */
} parl_style_summary;

typedef struct parl_conformance {
  char name[48], path[1024];
  size_t n_findings, n_faults;
  parl_finding findings[PARL_CONFORMANCE_MAX_FINDINGS];
  bool ran[PARL_N_CONFORMANCE_CHECKS];
  size_t n_timings;
  parl_timing timings[PARL_MAX_TIMINGS];
  size_t n_styles;
  parl_style_summary styles[PARL_ENV_MAX_STYLES + 1];
  char hash[PARL_HASH_HEX_BYTES]; /* of all traces; "" if there are none */
  size_t n_episodes;              /* played */
  double bytes_per_world;         /* Lua memory of one live episode */
} parl_conformance;

/* Runs the suite; *out is filled whatever it finds. Fails: EIO, ENOMEM, ESTOPPED; what a script
 * does wrong is a finding, not a failure. */
parl_status parl_conformance_run(const parl_conformance_def *def, parl_conformance *out);

/* The hash of the traces of n_tasks tasks, each played by every expert and at random.
 * Fails: as the script does. */
parl_status parl_conformance_hash(const parl_conformance_def *def, char hash[PARL_HASH_HEX_BYTES]);

#endif
