/* parl/learn/carry.c - two banks of recordings: what waits, and what the update collects. */
#include "parl/learn/carry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/seeds.h"

/* A group that waits: where it began, which names its episodes' seeds. */
typedef struct waiting_group {
  int64_t update, task;
  uint64_t task_seed;
} waiting_group;

typedef struct bank {
  size_t n;
  waiting_group *groups;      /* [n_groups] */
  parl_recording *recordings; /* [n_groups, K] */
  parl_replay *replays;       /* [n_groups, K] of jobs */
  double *age; /* [n_groups, K] sum over a recording's choices of the updates they waited */
} bank;

struct parl_carry {
  parl_carry_def def;
  parl_arena arena;
  bank banks[2];
  int now;               /* the bank that waits; the other collects */
  double age, n_choices; /* of what was learned from */
};

static parl_status bank_init(parl_carry *c, bank *b) {
  const size_t n = c->def.n_groups * c->def.K;
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, c->def.n_groups, &b->groups));
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, n, &b->recordings));
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, n, &b->replays));
  PARL_TRY(PARL_ARENA_TAKE(&c->arena, n, &b->age));
  for (size_t i = 0; i < n; i++) {
    b->recordings[i] = (parl_recording){.capacity = c->def.recording};
    PARL_TRY(PARL_ARENA_TAKE(&c->arena, c->def.recording, &b->recordings[i].items));
  }
  return PARL_STATUS_OK;
}

static parl_status init(parl_carry *c) {
  PARL_TRY(bank_init(c, &c->banks[0]));
  return bank_init(c, &c->banks[1]);
}

parl_status parl_carry_create(const parl_carry_def *def, parl_carry **out) {
  parl_carry *c = calloc(1, sizeof *c);
  if (c == NULL) return parl_fail(PARL_STATUS_ENOMEM, "carry: no memory");
  parl_arena_init(&c->arena, (size_t)1 << 20);
  c->def = *def;
  const parl_status s = init(c);
  if (s != PARL_STATUS_OK)
    parl_carry_destroy(c);
  else
    *out = c;
  return s;
}

void parl_carry_destroy(parl_carry *carry) {
  if (carry == NULL) return;
  parl_arena_deinit(&carry->arena);
  free(carry);
}

static uint64_t get_task_seed(const parl_carry *c, const waiting_group *g) {
  return parl_seed(c->def.seed, PARL_PURPOSE_TRAIN_TASK, (uint64_t)g->update, (uint64_t)g->task);
}

/* Where group g of an update began before which a bank waited. */
static waiting_group get_origin(const parl_carry *c, const bank *b, int64_t update, size_t g) {
  if (g < b->n) return b->groups[g];
  waiting_group new = {.update = update, .task = (int64_t)(g - b->n)};
  new.task_seed = get_task_seed(c, &new);
  return new;
}

static const bank *get_bank(const parl_carry *c, bool is_ahead) {
  return &c->banks[is_ahead ? 1 - c->now : c->now];
}

size_t parl_carry_get_n(const parl_carry *carry, bool is_ahead) {
  return get_bank(carry, is_ahead)->n;
}

void parl_carry_get_job(parl_carry *carry, int64_t update, size_t i, bool is_ahead, parl_job *job) {
  const bank *b = get_bank(carry, is_ahead);
  const size_t K = carry->def.K, g = i / K;
  const waiting_group from = get_origin(carry, b, update, g);
  const uint64_t seed = carry->def.seed, began = (uint64_t)from.update;
  const uint64_t task = (uint64_t)from.task;
  job->task_seed = from.task_seed;
  job->episode_seed = parl_seed(seed, PARL_PURPOSE_TRAIN_EPISODE, began, task * K + i % K);
  job->quota = carry->def.quota;
  job->replay = NULL;
  if (g >= b->n) return;
  b->replays[i] = (parl_replay){.recording = &b->recordings[i], .goes_on = true};
  job->replay = &b->replays[i];
}

static double count_choices(const parl_recording *r) {
  double n = 0;
  for (size_t i = 0; i < r->n; i++) n += r->items[i].is_choice;
  return n;
}

/* Recordings cannot be cut: they hold what an episode can write. */
static void copy_recording(const parl_recording *from, parl_recording *to) {
  PARL_CHECK(!from->is_cut && from->n <= to->capacity);
  memcpy(to->items, from->items, from->n * sizeof *to->items);
  to->n = from->n;
  to->n_complete = from->n_complete;
}

bool parl_carry_collect(parl_carry *carry, int64_t update, size_t g, const parl_job *jobs) {
  const bank *before = &carry->banks[carry->now];
  bank *after = &carry->banks[1 - carry->now];
  const size_t K = carry->def.K;
  bool any_waits = false, any_failed = false;
  if (g == 0) {
    after->n = 0;
    carry->age = carry->n_choices = 0;
  }
  for (size_t i = g * K; i < (g + 1) * K; i++) {
    any_waits |= jobs[i].out->suspended;
    any_failed |= jobs[i].out->failed;
  }
  const bool waits = any_waits && !any_failed;
  for (size_t k = 0; k < K && !any_failed; k++) {
    const parl_recording *now = &jobs[g * K + k].out->recording;
    const double age = g < before->n ? before->age[g * K + k] : 0, n = count_choices(now);
    if (waits) {
      copy_recording(now, &after->recordings[after->n * K + k]);
      after->age[after->n * K + k] = age + n;
    } else {
      carry->age += age;
      carry->n_choices += n;
    }
  }
  if (!waits) return false;
  after->groups[after->n] = get_origin(carry, before, update, g);
  after->groups[after->n++].task_seed = jobs[g * K].task_seed; /* as it was chosen */
  return true;
}

parl_carry_counts parl_carry_commit(parl_carry *carry) {
  carry->now = 1 - carry->now;
  return (parl_carry_counts){
      .n_carried = carry->banks[carry->now].n,
      .staleness = carry->n_choices > 0 ? carry->age / carry->n_choices : (double)NAN};
}

/* --- the checkpoint --- */

enum { N_NUMBERS = 5 }; /* of a token */

static void write_recording(const parl_recording *r, parl_json_writer *w) {
  parl_json_begin_array(w);
  for (size_t i = 0; i < r->n; i++) {
    const parl_written *t = &r->items[i];
    parl_json_integer(w, t->token);
    parl_json_integer(w, t->at);
    parl_json_number(w, (double)t->logp);
    parl_json_integer(w, t->turn);
    parl_json_integer(w, t->is_choice);
  }
  parl_json_end_array(w);
}

void parl_carry_write(const parl_carry *carry, parl_json_writer *w) {
  const bank *b = &carry->banks[carry->now];
  parl_json_key(w, "carried");
  parl_json_begin_array(w);
  for (size_t g = 0; g < b->n; g++) {
    parl_json_begin_object(w);
    parl_json_key(w, "update");
    parl_json_integer(w, b->groups[g].update);
    parl_json_key(w, "task");
    parl_json_integer(w, b->groups[g].task);
    parl_json_key(w, "task_seed");
    parl_json_integer(w, (int64_t)b->groups[g].task_seed);
    parl_json_key(w, "age");
    parl_json_begin_array(w);
    for (size_t k = 0; k < carry->def.K; k++) parl_json_number(w, b->age[g * carry->def.K + k]);
    parl_json_end_array(w);
    parl_json_key(w, "written");
    parl_json_begin_array(w);
    for (size_t k = 0; k < carry->def.K; k++)
      write_recording(&b->recordings[g * carry->def.K + k], w);
    parl_json_end_array(w);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static parl_status refuse(const char *what) {
  return parl_fail(PARL_STATUS_EFORMAT, "the checkpoint's \"carried\" does not fit the recipe: %s",
                   what);
}

static parl_status read_recording(const parl_json *list, parl_recording *r) {
  double v[N_NUMBERS];
  size_t n = 0;
  r->n = 0;
  for (const parl_json *c = parl_json_get_first(list); c != NULL; c = parl_json_get_next(c)) {
    if (parl_json_get_type(c) != PARL_JSON_NUMBER) return refuse("tokens are numbers");
    v[n++] = parl_json_get_number(c);
    if (n < N_NUMBERS) continue;
    if (r->n == r->capacity || !(fabs(v[0]) < 32768 && fabs(v[1]) < 1e9 && fabs(v[3]) < 32768))
      return refuse("too many tokens, or none of this environment");
    r->items[r->n++] = (parl_written){.token = (int32_t)v[0],
                                      .at = (int32_t)v[1],
                                      .logp = (float)v[2],
                                      .turn = (int16_t)v[3],
                                      .is_choice = v[4] != 0};
    n = 0;
  }
  r->n_complete = r->n;
  return n == 0 ? PARL_STATUS_OK : refuse("a token has five numbers");
}

static parl_status read_group(parl_carry *c, const parl_json *group, size_t g) {
  bank *b = &c->banks[c->now];
  const parl_json *update = parl_json_find(group, "update"), *task = parl_json_find(group, "task");
  const parl_json *chosen = parl_json_find(group, "task_seed");
  const parl_json *ages = parl_json_find(group, "age"), *lists = parl_json_find(group, "written");
  if (parl_json_get_type(update) != PARL_JSON_NUMBER ||
      parl_json_get_type(task) != PARL_JSON_NUMBER || parl_json_get_size(ages) != c->def.K ||
      parl_json_get_size(lists) != c->def.K)
    return refuse("another train.group");
  static const double MOST = 0x1p53;
  if (!(fabs(parl_json_get_number(update)) < MOST && fabs(parl_json_get_number(task)) < MOST))
    return refuse("no update or task has such a number");
  waiting_group *to = &b->groups[g];
  to->update = (int64_t)parl_json_get_number(update);
  to->task = (int64_t)parl_json_get_number(task);
  to->task_seed = get_task_seed(c, to); /* an older parl chose none */
  if (chosen != NULL) {
    const double x = parl_json_get_number(chosen);
    if (parl_json_get_type(chosen) != PARL_JSON_NUMBER || !(x >= 0 && x < MOST))
      return refuse("a task's seed is a whole number");
    to->task_seed = (uint64_t)x;
  }
  const parl_json *age = parl_json_get_first(ages), *list = parl_json_get_first(lists);
  for (size_t i = g * c->def.K; i < (g + 1) * c->def.K; i++) {
    b->age[i] = parl_json_get_number(age);
    PARL_TRY(read_recording(list, &b->recordings[i]));
    age = parl_json_get_next(age);
    list = parl_json_get_next(list);
  }
  return PARL_STATUS_OK;
}

parl_status parl_carry_read(parl_carry *carry, const parl_json *object) {
  const parl_json *list = parl_json_find(object, "carried");
  bank *b = &carry->banks[carry->now];
  b->n = 0;
  if (list != NULL && parl_json_get_size(list) > carry->def.n_groups)
    return refuse("more groups than train.tasks");
  for (const parl_json *g = parl_json_get_first(list); g != NULL; g = parl_json_get_next(g))
    PARL_TRY(read_group(carry, g, b->n++));
  return PARL_STATUS_OK;
}
