/* parl/learn/abilities.c - shares of kinds of task, and seeds until a task is of the kind. */
#include "parl/learn/abilities.h"

#include <stdio.h>
#include <string.h>

#include "core/seeds.h"

enum { N_LOOKS = 256, MAX_DRAWS = 1000, ITEM_BYTES = 2 * PARL_FAMILY_BYTES };

/* --- the formulas --- */

static parl_status refuse_item(const char *text, const char *item) {
  return parl_fail(PARL_STATUS_EINVAL,
                   "train.abilities = \"%s\": \"%s\" is not ability=share with a name of at most "
                   "%d letters, digits and _ and a share above 0, at most 1e9",
                   text, item, PARL_FAMILY_BYTES - 1);
}

static parl_status parse_item(const char *text, const char *item, parl_abilities *out,
                              double *sum) {
  char name[PARL_FAMILY_BYTES], tail;
  double share;
  if (sscanf(item, " %31[A-Za-z0-9_] = %lf %c", name, &share, &tail) != 2 || !(share > 0) ||
      !(share <= 1e9))
    return refuse_item(text, item);
  for (size_t i = 0; i < out->n; i++)
    if (parl_ability_has(out->names[i], name) || parl_ability_has(name, out->names[i]))
      return parl_fail(PARL_STATUS_EINVAL,
                       "train.abilities = \"%s\": \"%s\" and \"%s\" are not two abilities", text,
                       out->names[i], name);
  memcpy(out->names[out->n], name, sizeof name);
  *sum += share;
  out->upto[out->n++] = *sum;
  return PARL_STATUS_OK;
}

parl_status parl_abilities_parse(const char *text, parl_abilities *out) {
  parl_abilities a = {0};
  double sum = 0;
  for (const char *at = text; *at != '\0';) {
    char item[ITEM_BYTES];
    const size_t n = strcspn(at, ",");
    const bool is_whole = n < sizeof item, is_followed = at[n] == ',';
    if (a.n == PARL_MAX_ABILITIES)
      return parl_fail(PARL_STATUS_EINVAL, "train.abilities = \"%s\": more than %d", text,
                       PARL_MAX_ABILITIES);
    snprintf(item, sizeof item, "%.*s", is_whole ? (int)n : ITEM_BYTES - 1, at);
    if (!is_whole) return refuse_item(text, item);
    PARL_TRY(parse_item(text, item, &a, &sum));
    at += n + is_followed;
    if (is_followed && *at == '\0') return refuse_item(text, "");
  }
  for (size_t i = 0; i < a.n; i++) a.upto[i] /= sum;
  if (a.n > 0) a.upto[a.n - 1] = 1;
  *out = a;
  return PARL_STATUS_OK;
}

bool parl_ability_has(const char *ability, const char *family) {
  const size_t n = strlen(ability);
  return strncmp(ability, family, n) == 0 && (family[n] == '\0' || family[n] == '_');
}

size_t parl_abilities_pick(const parl_abilities *abilities, size_t i, size_t n, double u) {
  const double at = ((double)i + u) / (double)n;
  size_t k = 0;
  while (k + 1 < abilities->n && at >= abilities->upto[k]) k++;
  return k;
}

/* --- with an environment --- */

/* Appends a kind that is not there yet: "how_many_image, how_many_text". */
static void note(parl_text *kinds, const char *family) {
  char item[PARL_FAMILY_BYTES + 4];
  snprintf(item, sizeof item, "\"%s\"", family);
  if (kinds->n > 0 && strstr(parl_text_get(kinds), item) != NULL) return;
  parl_text_appendf(kinds, "%s%s", kinds->n > 0 ? ", " : "", item);
}

static parl_status refuse(const char *ability, const char *path, parl_text *kinds) {
  const parl_status s =
      parl_fail(PARL_STATUS_EINVAL,
                "train.abilities: %s has no tasks of \"%s\"; of %d tasks the kinds were: %s", path,
                ability, N_LOOKS, kinds->n > 0 ? parl_text_get(kinds) : "none");
  parl_text_deinit(kinds);
  return s;
}

parl_status parl_abilities_check(const parl_abilities *abilities, parl_env *env) {
  bool is_there[PARL_MAX_ABILITIES] = {false};
  parl_text kinds = {0};
  for (size_t i = 0; i < N_LOOKS && abilities->n > 0; i++) {
    const uint64_t task = parl_seed(0, PARL_PURPOSE_SPLIT_LOOK, 0, i);
    char family[PARL_FAMILY_BYTES];
    parl_world world;
    parl_agent agent;
    parl_status s = parl_env_reset(env, task, task, &world, &agent);
    if (s == PARL_STATUS_ESCRIPT || s == PARL_STATUS_ELIMIT) continue; /* it fails when played */
    if (s == PARL_STATUS_OK) {
      s = parl_env_get_family(env, world, family, sizeof family);
      parl_env_release(env, world);
    }
    if (s != PARL_STATUS_OK) {
      parl_text_deinit(&kinds);
      return s;
    }
    note(&kinds, family);
    for (size_t k = 0; k < abilities->n; k++)
      is_there[k] = is_there[k] || parl_ability_has(abilities->names[k], family);
  }
  for (size_t k = 0; k < abilities->n; k++)
    if (!is_there[k]) return refuse(abilities->names[k], parl_env_get_spec(env)->path, &kinds);
  parl_text_deinit(&kinds);
  return PARL_STATUS_OK;
}

parl_status parl_abilities_draw(const parl_abilities *abilities, parl_rollout *rollout,
                                uint64_t seed, int64_t update, const parl_ability_room *room,
                                size_t n, uint64_t *seeds) {
  const uint64_t at = (uint64_t)update,
                 stream = parl_rng_stream(PARL_PURPOSE_TASK_CHOICE, at, 0, 0);
  const double u = parl_rng_uniform(seed, stream, 0);
  const char *wanted = "";
  size_t n_left = n;
  for (size_t i = 0; i < n; i++) room->tasks[i] = i;
  for (uint64_t draw = 0; draw < MAX_DRAWS && n_left > 0; draw++) {
    for (size_t i = 0; i < n_left; i++) {
      const uint64_t first = parl_seed(seed, PARL_PURPOSE_TRAIN_TASK, at, room->tasks[i]);
      room->looks[i] = (parl_look){
          .task_seed = draw == 0 ? first : parl_seed(first, PARL_PURPOSE_REDRAW, 1, draw),
          .part = PARL_PART_TRAIN};
    }
    PARL_TRY(parl_rollout_look(rollout, room->looks, n_left));
    size_t n_kept = 0;
    for (size_t i = 0; i < n_left; i++) {
      const size_t task = room->tasks[i];
      const char *name = abilities->names[parl_abilities_pick(abilities, task, n, u)];
      seeds[task] = room->looks[i].task_seed;
      if (!room->looks[i].failed && parl_ability_has(name, room->looks[i].family)) continue;
      room->tasks[n_kept++] = task;
      wanted = name;
    }
    n_left = n_kept;
  }
  if (n_left == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "train.abilities: of %d tasks that were drawn for one of update %lld none is of "
                   "\"%s\"",
                   MAX_DRAWS, (long long)update, wanted);
}
