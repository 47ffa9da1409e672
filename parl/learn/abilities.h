/* parl/learn/abilities.h - which kinds of task an update begins, and how many of each.
 *
 * Kimi K2.5 organises reinforcement by abilities and not by modalities: the domain `counting` has
 * tasks that show images and tasks that show words. An environment says a task's kind by `family`:
 * how_many_image, how_many_text. train.abilities gives shares to kinds, or to the beginning of
 * their names, which is an ability in all its modalities: how_many=1, or how_many_image=1. Only the
 * tasks that updates begin are drawn so: demonstrations, the probe and evaluation are as the
 * environment draws, so what is not trained is measured all the same.
 * Thread rule: pure functions, but for check, which plays on the environment, and draw, which uses
 * the rollout's workers between runs.
 * Reading order: parl_abilities, parse, has, pick, check, draw. */
#ifndef PARL_PARL_LEARN_ABILITIES_H
#define PARL_PARL_LEARN_ABILITIES_H
#include "parl/swarm/rollout.h"

enum { PARL_MAX_ABILITIES = 16 };

typedef struct parl_abilities {
  size_t n; /* 0: as the environment draws */
  char names[PARL_MAX_ABILITIES][PARL_FAMILY_BYTES];
  double upto[PARL_MAX_ABILITIES]; /* shares, cumulative; the last is 1 */
} parl_abilities;

/* "how_many=2,where=1": shares are positive and are normalised by their sum; "" has none. Fails:
 * EINVAL naming train.abilities. */
parl_status parl_abilities_parse(const char *text, parl_abilities *out);
/* Whether tasks of a kind train an ability: it is called so, or so and on from a `_`. */
bool parl_ability_has(const char *ability, const char *family);
/* The ability of task i of n: that in whose share (i + u) / n lies, u in [0, 1). Whatever u is, one
 * with share s has floor(s n) or ceil(s n) of the tasks, and in the mean over u s n. */
size_t parl_abilities_pick(const parl_abilities *abilities, size_t i, size_t n, double u);
/* Whether a sample of the environment's tasks has all of them. Fails: EINVAL naming what is not
 * there and the kinds that are; as parl_env_reset. */
parl_status parl_abilities_check(const parl_abilities *abilities, parl_env *env);
/* The caller's room for a draw. */
typedef struct parl_ability_room {
  parl_look *looks; /* [n] */
  size_t *tasks;    /* [n] that are not of their kind yet */
} parl_ability_room;
/* Seeds [n] of the tasks that an update begins: those of no sampler where they are of their kind,
 * else the first of their redraws that is. Fails: EINVAL if a thousand are not; as
 * parl_rollout_look. */
parl_status parl_abilities_draw(const parl_abilities *abilities, parl_rollout *rollout,
                                uint64_t seed, int64_t update, const parl_ability_room *room,
                                size_t n, uint64_t *seeds);

#endif
