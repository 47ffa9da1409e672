/* parl/reward/reward_check.c - reward expressions tried before anything is trained: on made-up
 * episodes, and with the scores of an environment. */
#include <math.h>
#include <stdlib.h>

#include "parl/reward/reward_internal.h"

/* Finishes in its first turn and launches nothing: every environment allows it. */
static const parl_facts at_once = {.optimum_steps = 4,
                                   .optimum_width = 3,
                                   .serial_steps = 9,
                                   .budget_steps = 6,
                                   .turns = 1,
                                   .cap_width = 4,
                                   .tokens = 1,
                                   .context = 8,
                                   .end = PARL_END_FINISH};
/* Launches three sub-agents once and solves the task. */
static const parl_facts swarm = {.r_perf = 1,
                                 .success = 1,
                                 .critical_steps = 5,
                                 .total_steps = 9,
                                 .optimum_steps = 4,
                                 .optimum_width = 3,
                                 .serial_steps = 9,
                                 .last_gain_steps = 4,
                                 .budget_steps = 6,
                                 .turns = 3,
                                 .launches = 1,
                                 .created = 1,
                                 .assigned = 3,
                                 .finished = 3,
                                 .useful = 2,
                                 .max_width = 3,
                                 .cap_width = 4,
                                 .sub_steps = 6,
                                 .sub_max_steps = 2,
                                 .tokens = 16,
                                 .context = 40,
                                 .end = PARL_END_FINISH};

/* A trial's two episodes with their stages, which the facts above follow from. */
typedef struct trial {
  parl_stage_record turns[3], finish;
  parl_sub_record subs[3];
  int16_t tokens[3];
  parl_stages at_once, swarm;
} trial;

static void trial_init(trial *t) {
  *t = (trial){.turns = {{.r_perf = 0.5, .main_steps = 1, .width = 3},
                         {.r_perf = 1, .main_steps = 1, .first_sub = 3},
                         {.r_perf = 1, .main_steps = 1, .first_sub = 3}},
               .subs = {{.steps = 2, .first_token = 0, .finished = true, .useful = true},
                        {.steps = 2, .first_token = 1, .finished = true, .useful = true},
                        {.steps = 2, .first_token = 2, .finished = true}},
               .tokens = {7, 8, 9}};
  for (int i = 0; i < 3; i++) t->subs[i].n_tokens = 1;
  t->swarm = (parl_stages){
      .n = 3, .n_subs = 3, .n_tokens = 3, .items = t->turns, .subs = t->subs, .tokens = t->tokens};
  t->at_once = (parl_stages){.n = 1, .items = &t->finish};
}

/* Of rollout k. scores may be NULL. */
static parl_outcome make_outcome(const trial *t, size_t k, const char *scores) {
  const bool is_first = k % 2 == 0;
  return (parl_outcome){.facts = is_first ? &at_once : &swarm,
                        .scores = scores,
                        .stages = is_first ? &t->at_once : &t->swarm};
}

/* Groups of K that begin with one and with the other episode. scores: NULL: any is 1. */
static parl_status try_groups(parl_reward *reward, size_t n_terms, size_t K, const char *scores) {
  static const char *const names[] = {"finishes at once", "launches three sub-agents"};
  trial t;
  trial_init(&t);
  parl_outcome *of = calloc(K, sizeof *of);
  double *terms = calloc(K * n_terms, sizeof *terms);
  parl_status s = of != NULL && terms != NULL
                      ? PARL_STATUS_OK
                      : parl_fail(PARL_STATUS_ENOMEM, "reward: no memory for a group of %zu", K);
  for (size_t first = 0; first < 2 && s == PARL_STATUS_OK; first++) {
    for (size_t k = 0; k < K; k++) of[k] = make_outcome(&t, first + k, scores);
    const parl_group group = {.of = of, .K = K};
    s = parl_fail_context(parl_reward_group_of(reward, &group, scores == NULL, terms),
                          "tried on made-up episodes: rollout 1 %s, rollout 2 %s, and so on",
                          names[first], names[1 - first]);
  }
  free(of);
  free(terms);
  return s;
}

parl_status parl_reward_check(const parl_reward_config *config, const parl_term_table *table,
                              size_t K) {
  parl_reward *reward = NULL;
  PARL_TRY(parl_reward_create(config, table, &reward));
  const parl_status s = try_groups(reward, table->n, K, NULL);
  parl_reward_destroy(reward);
  return s;
}

/* With the scores of a world that nobody has touched. */
static parl_status check_scores(parl_reward *reward, size_t n_terms, parl_env *env,
                                parl_world world) {
  parl_text scores = {0};
  double r_perf, success;
  parl_status s = parl_env_score(env, world, &r_perf, &success, &scores);
  if (s == PARL_STATUS_OK) s = try_groups(reward, n_terms, 2, parl_text_get(&scores));
  parl_text_deinit(&scores);
  return s;
}

static bool needs_optimum(const parl_reward_config *c) {
  return c->parallel == PARL_PARALLEL_WIDTH || c->parallel == PARL_PARALLEL_REALISED;
}

static parl_status check_world(const parl_reward_config *config, parl_reward *reward,
                               size_t n_terms, parl_env *env, parl_world world) {
  parl_env_optimum optimum;
  if (needs_optimum(config)) {
    PARL_TRY(parl_env_get_optimum(env, world, &optimum));
    PARL_TRY(parl_reward_check_optimum(config, optimum.width < 0 ? (double)NAN : 0,
                                       (double)optimum.serial_steps));
  }
  if (!parl_reward_wants_scores(reward)) return PARL_STATUS_OK;
  return check_scores(reward, n_terms, env, world);
}

parl_status parl_reward_check_env(const parl_reward_config *config, const parl_term_table *table,
                                  parl_env *env) {
  parl_reward *reward = NULL;
  parl_world world;
  parl_agent agent;
  PARL_TRY(parl_reward_create(config, table, &reward));
  parl_status s = PARL_STATUS_OK;
  if (needs_optimum(config) || parl_reward_wants_scores(reward)) {
    s = parl_env_reset(env, 0, 0, &world, &agent);
    if (s == PARL_STATUS_OK) {
      s = check_world(config, reward, table->n, env, world);
      parl_env_release(env, world);
    }
  }
  parl_reward_destroy(reward);
  return parl_fail_context(s, "%s", parl_env_get_spec(env)->path);
}
