/* parl/reward/objective.h - the token-level clipped policy objective (k25 2.1) and its baselines.
 *
 * Per token i with ratio rho = exp(logp - logp_old) and advantage A, as a loss to minimise, with a
 * divisor N (below):
 *   k25:       -( [alpha <= rho <= beta] rho A  -  tau (log rho)^2 ) / N
 *              outside [alpha, beta] the policy gradient is exactly zero, whatever the sign of A;
 *              tau_masked also drops the tau term there.
 *   ppo:       -( min(rho A, clip(rho, 1-epsilon, 1+epsilon) A) - tau (log rho)^2 ) / N
 *   reinforce: -( logp A - tau (log rho)^2 ) / N
 *   tis:       -( w logp A - tau (log rho)^2 ) / N, w = min(rho, C) held constant (C: `cap`)
 *              truncated importance sampling: no token loses its gradient, none counts more than C
 *   squared:   -( sum_i A log rho_i - tau/2 S^2 ) / N of a whole response, S = sum_i log rho_i;
 *              the gradient of token i is -( A - tau S ) / N. It is the gradient of K1.5 2.3.2,
 *              [ grad log pi (r - rbar) - tau/2 grad (log pi/pi_old)^2 ] (k25 2.2), and 1/(2 tau)
 *              times that of K2's ( r - rbar - tau log pi/pi_old )^2: the loss is K2's divided by
 *              2 tau less its constant, so that tau = 0 is defined. Where tokens have advantages
 *              of their own, A_i takes the place of A.
 * plus -entropy_bonus * H / N. Gradients are with respect to logp (and H).
 *
 * N decides what a task weighs. Of P prompts x in an optimizer step, N_x = sum over its K responses
 * of |y_j| tokens of each:
 *   prompt:    N = P N_x, so L = 1/P sum_x 1/N_x sum_j sum_i (...): the mean over prompts of what
 *              the paper writes for one, E_x [ 1/N sum_j sum_i ... ], N = sum_j |y_j| (k25 2.1)
 *   batch:     N = sum_x N_x: every token weighs the same, so a prompt whose responses are long
 *              weighs more
 * squared counts responses in the place of tokens, P K_x and sum_x K_x: the mean over responses, as
 * K1.5 and K2 write it. Both are the same
 * where all prompts have as many tokens (responses). With minibatches, P, N_x and K_x count what
 * the step at hand has of them.
 * Thread rule: pure functions. */
#ifndef PARL_PARL_REWARD_OBJECTIVE_H
#define PARL_PARL_REWARD_OBJECTIVE_H
#include <math.h>

#include "core/config.h"
#include "core/status.h"

#define PARL_OBJECTIVE_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                   \
  CHOICE(kind, k25, "k25|ppo|reinforce|tis|squared", "policy objective")                       \
  CHOICE(advantage, mean, "none|mean|mean_std|per_term|batch|loo|gdpo",                        \
         "baseline and normalisation of the reward")                                           \
  CHOICE(credit, episode, "episode|turn|counterfactual|loo_stages|shapley",                    \
         "whose the advantage is")                                                             \
  CHOICE(credit_after, replay, "replay|policy",                                                \
         "counterfactual: what follows what is left out: the recorded turns, or the policy")   \
  CHOICE(credit_launch, episode, "episode|difference",                                         \
         "counterfactual, loo_stages, shapley: whose advantage the choice to launch at all "   \
         "has, the episode's or what the launch made")                                         \
  INT(credit_rerolls, 0, 0, 1000000, "re-rolls",                                               \
      "counterfactual, shapley: at most so many an episode; 0: all")                           \
  INT(credit_orders, 2, 0, 1000, "orders",                                                     \
      "shapley: orders of the assignments, each second the reverse of the one before; 0: the " \
      "one in which they were written")                                                        \
  REAL(alpha, 0.5, 0.0, 1.0, "ratio", "k25: below it a token's policy gradient is zero")       \
  REAL(beta, 2.0, 1.0, 1000.0, "ratio", "k25: above it a token's policy gradient is zero")     \
  REAL(tau, 1e-3, 0.0, 10.0, "1", "weight of the squared log-ratio")                           \
  FLAG(tau_masked, 0, "drop the squared log-ratio outside [alpha, beta] too")                  \
  REAL(epsilon, 0.2, 0.0, 1.0, "ratio", "ppo: half width of the clip")                         \
  REAL(cap, 2.0, 1.0, 1000.0, "ratio", "tis: a ratio counts as at most this")                  \
  REAL(entropy_bonus, 0.0, 0.0, 10.0, "1", "weight of the entropy")                            \
  CHOICE(normalise, prompt, "prompt|batch",                                                    \
         "prompt: every task weighs the same, as in the paper; batch: every token does")
PARL_CONFIG_STRUCT(parl_objective_config, PARL_OBJECTIVE_FIELDS);
extern const parl_section parl_objective_section;
/* Of credit, credit_after, credit_launch, in the order of the lists (parl/learn/credit.h). */
enum {
  PARL_CREDIT_EPISODE,
  PARL_CREDIT_TURN,
  PARL_CREDIT_COUNTERFACTUAL,
  PARL_CREDIT_LOO_STAGES,
  PARL_CREDIT_SHAPLEY
};
enum { PARL_CREDIT_AFTER_REPLAY, PARL_CREDIT_AFTER_POLICY };
enum { PARL_CREDIT_LAUNCH_EPISODE, PARL_CREDIT_LAUNCH_DIFFERENCE };
/* Order of the CHOICE list. */
typedef enum parl_objective_kind {
  PARL_OBJECTIVE_K25,
  PARL_OBJECTIVE_PPO,
  PARL_OBJECTIVE_REINFORCE,
  PARL_OBJECTIVE_TIS,
  PARL_OBJECTIVE_SQUARED
} parl_objective_kind;

typedef enum parl_normalise { PARL_NORMALISE_PROMPT, PARL_NORMALISE_BATCH } parl_normalise;

/* Whether the loss couples the tokens of a response: its calls take one response each, and its N
 * counts responses. */
bool parl_objective_is_of_responses(const parl_objective_config *config);
/* N of a prompt with n_prompt of the n_batch tokens (or responses) of a step of n_prompts prompts,
 * those without a token not counted. */
double parl_objective_get_divisor(const parl_objective_config *config, size_t n_prompt,
                                  size_t n_prompts, size_t n_batch);

/* The histogram of log ratios: bin i has those below the end of bin i and not below that of the bin
 * before. Ends are fixed, so that runs compare. F(X, name, end, what it holds), X being handed
 * through. */
#define PARL_BIN_ROWS(F, X)                            \
  F(X, ratio_bin1, -1.0, "log ratio < -1")             \
  F(X, ratio_bin2, -0.3, "-1 <= log ratio < -0.3")     \
  F(X, ratio_bin3, -0.1, "-0.3 <= log ratio < -0.1")   \
  F(X, ratio_bin4, -0.03, "-0.1 <= log ratio < -0.03") \
  F(X, ratio_bin5, 0.03, "-0.03 <= log ratio < 0.03")  \
  F(X, ratio_bin6, 0.1, "0.03 <= log ratio < 0.1")     \
  F(X, ratio_bin7, 0.3, "0.1 <= log ratio < 0.3")      \
  F(X, ratio_bin8, 1.0, "0.3 <= log ratio < 1")        \
  F(X, ratio_bin9, (double)INFINITY, "log ratio >= 1")
#define PARL_BIN_PLAIN_(X, ...) X(__VA_ARGS__)
#define PARL_RATIO_BIN_LIST(X) PARL_BIN_ROWS(PARL_BIN_PLAIN_, X)
typedef enum parl_ratio_bin {
#define X(name, end, what) PARL_RATIO_BIN_##name,
  PARL_RATIO_BIN_LIST(X)
#undef X
      PARL_N_RATIO_BINS
} parl_ratio_bin;

/* Sums over the tokens of a call; add calls together, divide by n_tokens. */
typedef struct parl_objective_sums {
  double n_tokens, loss;          /* loss is already divided by n_total */
  double masked;                  /* tokens whose policy gradient was zeroed by the ratio */
  double truncated;               /* tis: tokens whose ratio counted as less than it was */
  double ratio, ratio_max;        /* sum; max. A ratio is counted as at most 1e30 */
  double abs_log_ratio, kl;       /* sums of |log rho| and of rho - 1 - log rho (k3) */
  double entropy;                 /* sum */
  double bins[PARL_N_RATIO_BINS]; /* tokens by log ratio */
} parl_objective_sums;
/* Adds what another call summed up. */
void parl_objective_sums_add(parl_objective_sums *to, const parl_objective_sums *from);

/*   logp, logp_old, advantage, entropy [n] in · dlogp, dentropy [n] out: any part of a batch's
 *   tokens, but exactly those of one response where parl_objective_is_of_responses
 *   n_total: N of the tokens, finite and > 0
 * Adds into *sums, which the caller zeroes first. Fails: EINVAL if the config is out of range, or
 * an input or a gradient is not finite, naming the token; outputs untouched then. */
parl_status parl_objective(const parl_objective_config *config, size_t n, const float *logp,
                           const float *logp_old, const float *advantage, const float *entropy,
                           double n_total, float *dlogp, float *dentropy,
                           parl_objective_sums *sums);

#endif
