/* parl/swarm/split.c - the hash of a prompt decides; redraws keep the family. */
#include "parl/swarm/split.h"

#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "parl/swarm/trajectory.h"

enum { N_LOOKS = 256, MAX_FAMILIES = 32, MAX_DRAWS = 1000, LEAST_PROMPTS = 64 };

typedef struct family {
  char name[PARL_FAMILY_BYTES];
  size_t n, n_pairs; /* tasks looked at; pairs of them with one prompt */
} family;

/* What a task shows. */
typedef struct look {
  size_t family; /* n_families: one that no task of create's sample had */
  uint64_t hash; /* of the prompt */
} look;

struct parl_split {
  parl_env *env;
  double share;
  uint64_t seed;
  size_t n_families;
  family families[MAX_FAMILIES];
  parl_part part; /* of the last draw, */
  uint64_t asked; /* its task seed */
  parl_draw found;
  bool has_found;
  int32_t tokens[PARL_ENV_MAX_OBSERVATION];
};

static uint64_t hash_prompt(const int32_t *tokens, size_t n) {
  uint64_t h = n;
  for (size_t i = 0; i < n; i++) h = parl_rng_mix(h, (uint64_t)tokens[i], i);
  return h;
}

static parl_status look_at_world(parl_split *s, parl_world world, char name[PARL_FAMILY_BYTES],
                                 uint64_t *hash) {
  size_t n;
  PARL_TRY(parl_env_prompt(s->env, world, s->tokens, PARL_ENV_MAX_OBSERVATION, &n));
  *hash = hash_prompt(s->tokens, n);
  const uint64_t images = parl_env_hash_shown(s->env); /* placeholders do not tell them apart */
  if (images != 0) *hash = parl_rng_mix(*hash, images, n);
  return parl_env_get_family(s->env, world, name, PARL_FAMILY_BYTES);
}

static parl_status look_at(parl_split *s, uint64_t task_seed, char name[PARL_FAMILY_BYTES],
                           look *out) {
  parl_world world;
  parl_agent agent;
  PARL_TRY(parl_env_reset(s->env, task_seed, task_seed, &world, &agent));
  const parl_status status = look_at_world(s, world, name, &out->hash);
  parl_env_release(s->env, world);
  PARL_TRY(status);
  out->family = 0;
  while (out->family < s->n_families && strcmp(s->families[out->family].name, name) != 0)
    out->family++;
  return PARL_STATUS_OK;
}

/* Looks at a sample of tasks: which families there are, and how often prompts come again. */
static parl_status survey(parl_split *s) {
  look looks[N_LOOKS];
  for (size_t i = 0; i < N_LOOKS; i++) {
    char name[PARL_FAMILY_BYTES];
    const uint64_t task = parl_seed(s->seed, PARL_PURPOSE_SPLIT_LOOK, 0, i);
    const parl_status status = look_at(s, task, name, &looks[i]);
    const bool script = status == PARL_STATUS_ESCRIPT || status == PARL_STATUS_ELIMIT;
    if (status != PARL_STATUS_OK && !script) return status;
    if (script || looks[i].family == MAX_FAMILIES) { /* a task that fails does so when played */
      looks[i].family = MAX_FAMILIES;
      continue;
    }
    family *f = &s->families[looks[i].family];
    if (looks[i].family == s->n_families) {
      s->n_families++;
      memcpy(f->name, name, sizeof name);
    }
    f->n++;
    for (size_t k = 0; k < i; k++)
      f->n_pairs += looks[k].family == looks[i].family && looks[k].hash == looks[i].hash;
  }
  return PARL_STATUS_OK;
}

parl_status parl_split_create(parl_env *env, double share, uint64_t seed, parl_split **out) {
  PARL_REQUIRE(share >= 0 && share < 1);
  parl_split *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "split of prompts: no memory");
  s->env = env;
  s->share = share;
  s->seed = seed;
  const parl_status status = share > 0 ? survey(s) : PARL_STATUS_OK;
  if (status != PARL_STATUS_OK) {
    parl_split_destroy(s);
    return status;
  }
  *out = s;
  return PARL_STATUS_OK;
}

void parl_split_destroy(parl_split *split) {
  free(split);
}

/* Whether a family has prompts enough: at most one pair in LEAST_PROMPTS has one prompt. */
static bool is_split(const parl_split *s, size_t which) {
  if (which == s->n_families || s->families[which].n < 2) return false;
  const family *f = &s->families[which];
  return f->n_pairs * LEAST_PROMPTS <= f->n * (f->n - 1) / 2;
}

static bool is_held_out(const parl_split *s, uint64_t hash) {
  return parl_rng_uniform(s->seed, parl_rng_stream(PARL_PURPOSE_SPLIT_HASH, 0, 0, 0), hash) <
         s->share;
}

static parl_status draw(parl_split *s, parl_part part, uint64_t task_seed, parl_draw *out) {
  size_t wanted = 0;
  char name[PARL_FAMILY_BYTES];
  look seen;
  for (uint64_t k = 0; k < MAX_DRAWS; k++) {
    const uint64_t seed = k == 0 ? task_seed : parl_seed(task_seed, PARL_PURPOSE_REDRAW, 0, k);
    PARL_TRY(look_at(s, seed, name, &seen));
    if (k == 0) wanted = seen.family;
    if (!is_split(s, wanted)) {
      *out = (parl_draw){task_seed, false};
      return PARL_STATUS_OK;
    }
    const bool held_out = is_held_out(s, seen.hash);
    if (seen.family != wanted || held_out != (part == PARL_PART_HELD_OUT)) continue;
    *out = (parl_draw){seed, held_out};
    return PARL_STATUS_OK;
  }
  return parl_fail(PARL_STATUS_EINVAL,
                   "env.holdout = %g: of %d tasks of family \"%s\" none has a prompt that %s; set "
                   "it to 0, or nearer to 0.5",
                   s->share, MAX_DRAWS, s->families[wanted].name,
                   part == PARL_PART_HELD_OUT ? "is held out" : "is not held out");
}

parl_status parl_split_draw(parl_split *split, parl_part part, uint64_t task_seed, parl_draw *out) {
  if (part == PARL_PART_ANY || split->share <= 0) {
    *out = (parl_draw){task_seed, false};
    return PARL_STATUS_OK;
  }
  if (!split->has_found || split->part != part || split->asked != task_seed) {
    split->has_found = false;
    PARL_TRY(draw(split, part, task_seed, &split->found));
    split->part = part;
    split->asked = task_seed;
    split->has_found = true;
  }
  *out = split->found;
  return PARL_STATUS_OK;
}
