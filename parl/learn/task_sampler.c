/* parl/learn/task_sampler.c - candidates, their buckets, and the choice among them. Two banks of
 * buckets: what counts, and what an update that is not over yet makes of it. */
#include "parl/learn/task_sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/seeds.h"

typedef struct bank {
  size_t n;
  parl_task_bucket buckets[PARL_MAX_TASK_BUCKETS];
} bank;

struct parl_task_sampler {
  parl_task_sampler_def def;
  parl_arena arena;
  bank banks[2];
  int now;                       /* the bank that counts */
  parl_look *looks;              /* [n_tasks, n_candidates] */
  size_t *bucket;                /* [n_tasks, n_candidates] of each, if it did not fail */
  parl_candidate *candidates;    /* [n_candidates] of a task */
  parl_task_counts next, counts; /* of the last draw; of the update under way */
};

/* --- the formulas --- */

size_t parl_count_easiest(int64_t update, double end, size_t n) {
  const double u = (double)update;
  if (!(u < end)) return n;
  const size_t m = 1 + (size_t)((double)n * u / end);
  return m < n ? m : n;
}

/* Whether candidate a stands before b: the easier, the earlier of equals; failures are last. */
static bool is_before(const parl_candidate *c, size_t a, size_t b) {
  if (c[a].failed != c[b].failed) return c[b].failed;
  if (c[a].difficulty != c[b].difficulty && !c[a].failed) return c[a].difficulty < c[b].difficulty;
  return a < b;
}

size_t parl_pick_easy(const parl_candidate *candidates, size_t n, size_t m, double u) {
  size_t n_made = 0;
  for (size_t i = 0; i < n; i++) n_made += !candidates[i].failed;
  if (m > n_made) m = n_made > 0 ? n_made : 1;
  const size_t wanted = (size_t)(u * (double)m);
  for (size_t i = 0; i < n; i++) {
    size_t rank = 0;
    for (size_t k = 0; k < n; k++) rank += is_before(candidates, k, i);
    if (rank == wanted) return i;
  }
  return 0;
}

static double get_weight(const parl_candidate *c, double floor) {
  return c->failed ? 0 : 1 - c->score + floor;
}

size_t parl_pick_prioritised(const parl_candidate *candidates, size_t n, double floor, double u) {
  double total = 0, sum = 0;
  for (size_t i = 0; i < n; i++) total += get_weight(&candidates[i], floor);
  if (!(total > 0)) return parl_pick_easy(candidates, n, n, u);
  size_t last = 0; /* where rounding leaves something over */
  for (size_t i = 0; i < n; i++) {
    const double weight = get_weight(&candidates[i], floor);
    if (!(weight > 0)) continue;
    sum += weight;
    last = i;
    if (u * total < sum) break;
  }
  return last;
}

/* n^2 has floor(2 log2 n) + 1 bits. */
int parl_bin_of_steps(int64_t steps) {
  const int64_t most = INT64_C(1) << 31; /* its square is a number */
  const int64_t n = steps < 1 ? 1 : steps < most ? steps : most;
  int bin = -1;
  for (uint64_t square = (uint64_t)n * (uint64_t)n; square > 0; square >>= 1) bin++;
  return bin;
}

int64_t parl_least_of_bin(int bin) {
  int64_t low = INT64_C(1) << (bin / 2), high = 2 * low;
  if (bin == 0) return 0;
  if (bin == 1) return 2; /* nothing is there */
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (parl_bin_of_steps(middle) < bin)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* --- making one --- */

static parl_status allocate(parl_task_sampler *s) {
  const size_t n = s->def.n_tasks * s->def.n_candidates;
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, n, &s->looks));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, n, &s->bucket));
  return PARL_ARENA_TAKE(&s->arena, s->def.n_candidates, &s->candidates);
}

parl_status parl_task_sampler_create(const parl_task_sampler_def *def, parl_task_sampler **out) {
  PARL_REQUIRE(def->n_candidates >= 1 && def->window >= 1);
  parl_task_sampler *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "task sampler: no memory");
  s->def = *def;
  parl_arena_init(&s->arena, 0);
  const parl_status status = allocate(s);
  if (status != PARL_STATUS_OK)
    parl_task_sampler_destroy(s);
  else
    *out = s;
  return status;
}

void parl_task_sampler_destroy(parl_task_sampler *sampler) {
  if (sampler == NULL) return;
  parl_arena_deinit(&sampler->arena);
  free(sampler);
}

/* --- buckets --- */

/* The bucket of a task, which is met now if there is none. */
static size_t find_bucket(bank *b, const char *family, int64_t steps) {
  const int bin = parl_bin_of_steps(steps);
  size_t i = 0;
  while (i < b->n && (b->buckets[i].bin != bin || strcmp(b->buckets[i].family, family) != 0)) i++;
  if (i == PARL_MAX_TASK_BUCKETS) return i - 1;
  if (i == b->n) {
    b->buckets[i] = (parl_task_bucket){.bin = bin};
    strncpy(b->buckets[i].family, family, PARL_FAMILY_BYTES - 1);
    b->n++;
  }
  return i;
}

void parl_task_sampler_begin(parl_task_sampler *sampler) {
  bank *after = &sampler->banks[1 - sampler->now];
  *after = sampler->banks[sampler->now];
  sampler->counts = sampler->next;
  for (size_t i = 0; i < after->n; i++) {
    after->buckets[i].offered = after->buckets[i].next_offered;
    after->buckets[i].drawn = after->buckets[i].next_drawn;
  }
}

parl_task_counts parl_task_sampler_commit(parl_task_sampler *sampler) {
  sampler->now = 1 - sampler->now;
  return sampler->counts;
}

void parl_task_sampler_observe(parl_task_sampler *sampler, const parl_job *jobs, size_t K) {
  const parl_trajectory *first = jobs[0].out;
  const double steps = first->facts.optimum_steps;
  bank *after = &sampler->banks[1 - sampler->now];
  parl_task_bucket *b =
      &after->buckets[find_bucket(after, first->family, steps > 0 ? (int64_t)steps : 0)];
  double x = 0;
  for (size_t k = 0; k < K; k++) {
    const parl_facts *f = &jobs[k].out->facts;
    x += (sampler->def.priority == PARL_PRIORITY_R_PERF ? f->r_perf : f->success) / (double)K;
  }
  b->n++;
  const int64_t over = b->n < sampler->def.window ? b->n : sampler->def.window;
  b->score = fmin(fmax(b->score + (x - b->score) / (double)over, 0), 1);
}

const parl_task_bucket *parl_task_sampler_get_buckets(const parl_task_sampler *sampler, size_t *n) {
  *n = sampler->banks[sampler->now].n;
  return sampler->banks[sampler->now].buckets;
}

/* --- drawing --- */

/* The first candidate is the task of no sampler. */
static uint64_t get_seed(const parl_task_sampler *s, uint64_t update, size_t task, size_t c) {
  if (c == 0) return parl_seed(s->def.seed, PARL_PURPOSE_TRAIN_TASK, update, task);
  return parl_seed(s->def.seed, PARL_PURPOSE_TRAIN_CANDIDATE, update,
                   task * s->def.n_candidates + c);
}

/* Whether the sampler could tell a task's candidates apart. */
static bool has_choice(const parl_task_sampler *s, const size_t *bucket) {
  size_t first = s->def.n_candidates;
  for (size_t c = 0; c < s->def.n_candidates; c++) {
    if (s->candidates[c].failed) continue;
    if (first == s->def.n_candidates) first = c;
    if (s->def.sampling == PARL_SAMPLING_CURRICULUM
            ? s->candidates[c].difficulty != s->candidates[first].difficulty
            : bucket[c] != bucket[first])
      return true;
  }
  return false;
}

static size_t pick(const parl_task_sampler *s, int64_t update, size_t task) {
  const size_t n = s->def.n_candidates;
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_TASK_CHOICE, (uint64_t)update, 0, 0);
  const double u = parl_rng_uniform(s->def.seed, stream, task);
  if (s->def.sampling == PARL_SAMPLING_CURRICULUM)
    return parl_pick_easy(s->candidates, n, parl_count_easiest(update, s->def.end, n), u);
  return parl_pick_prioritised(s->candidates, n, s->def.floor, u);
}

/* Fills s->candidates of a task and counts them; returns how many can be made. */
static size_t offer(parl_task_sampler *s, bank *b, const parl_look *looks, size_t *bucket) {
  size_t n = 0;
  for (size_t c = 0; c < s->def.n_candidates; c++) {
    s->candidates[c] = (parl_candidate){.failed = looks[c].failed};
    if (looks[c].failed) continue;
    bucket[c] = find_bucket(b, looks[c].family, looks[c].optimum_steps);
    s->candidates[c].difficulty = (double)looks[c].optimum_steps;
    s->candidates[c].score = b->buckets[bucket[c]].score;
    b->buckets[bucket[c]].next_offered++;
    s->next.offered_difficulty += s->candidates[c].difficulty;
    s->next.offered_score += s->candidates[c].score;
    n++;
  }
  return n;
}

/* Sums become means; 0 / 0 is NaN. */
static void finish_counts(parl_task_counts *c, double n_offered, double n_drawn, double n) {
  c->offered_difficulty /= n_offered;
  c->offered_score /= n_offered;
  c->difficulty /= n_drawn;
  c->score /= n_drawn;
  c->choice /= n;
}

parl_status parl_task_sampler_draw(parl_task_sampler *sampler, int64_t update, bool is_ahead,
                                   size_t n, uint64_t *seeds) {
  parl_task_sampler *s = sampler;
  bank *b = &s->banks[is_ahead ? 1 - s->now : s->now];
  const size_t C = s->def.n_candidates;
  size_t n_offered = 0, n_drawn = 0;
  PARL_REQUIRE(n <= s->def.n_tasks);
  for (size_t i = 0; i < n * C; i++)
    s->looks[i] = (parl_look){.task_seed = get_seed(s, (uint64_t)update, i / C, i % C),
                              .part = PARL_PART_TRAIN};
  PARL_TRY(parl_rollout_look(s->def.rollout, s->looks, n * C));
  s->next = (parl_task_counts){0};
  for (size_t i = 0; i < b->n; i++) b->buckets[i].next_offered = b->buckets[i].next_drawn = 0;
  for (size_t task = 0; task < n; task++) {
    const parl_look *looks = &s->looks[task * C];
    size_t *bucket = &s->bucket[task * C];
    n_offered += offer(s, b, looks, bucket);
    const size_t c = pick(s, update, task);
    seeds[task] = looks[c].task_seed;
    s->next.choice += has_choice(s, bucket);
    if (looks[c].failed) continue;
    n_drawn++;
    b->buckets[bucket[c]].next_drawn++;
    s->next.difficulty += s->candidates[c].difficulty;
    s->next.score += s->candidates[c].score;
  }
  finish_counts(&s->next, (double)n_offered, (double)n_drawn, (double)n);
  return PARL_STATUS_OK;
}

/* --- the checkpoint --- */

void parl_task_sampler_write(const parl_task_sampler *sampler, parl_json_writer *w) {
  parl_json_key(w, "tasks");
  parl_json_begin_array(w);
  const bank *now = &sampler->banks[sampler->now];
  for (size_t i = 0; i < now->n; i++) {
    const parl_task_bucket *b = &now->buckets[i];
    parl_json_begin_object(w);
    parl_json_key(w, "family");
    parl_json_string(w, b->family);
    parl_json_key(w, "bin");
    parl_json_integer(w, b->bin);
    parl_json_key(w, "n");
    parl_json_integer(w, b->n);
    parl_json_key(w, "score");
    parl_json_number(w, b->score);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static parl_status refuse(const char *what) {
  return parl_fail(PARL_STATUS_EFORMAT, "the checkpoint's \"tasks\" does not fit: %s", what);
}

/* A number of a member in [least, most]. */
static bool read_number(const parl_json *object, const char *key, double least, double most,
                        double *out) {
  const parl_json *value = parl_json_find(object, key);
  if (parl_json_get_type(value) != PARL_JSON_NUMBER) return false;
  *out = parl_json_get_number(value);
  return *out >= least && *out <= most;
}

static parl_status read_bucket(const parl_json *object, parl_task_bucket *out) {
  const char *family = parl_json_get_string(parl_json_find(object, "family"));
  double bin, n;
  parl_task_bucket b = {0};
  if (family == NULL || strlen(family) >= PARL_FAMILY_BYTES)
    return refuse("a bucket's \"family\" is a text of at most 31 bytes");
  if (!read_number(object, "bin", 0, PARL_MAX_TASK_BIN, &bin) || bin != floor(bin))
    return refuse("a bucket's \"bin\" is a whole number from 0 to 62");
  if (!read_number(object, "n", 0, 0x1p53, &n) || n != floor(n))
    return refuse("a bucket's \"n\" is a whole number");
  if (!read_number(object, "score", 0, 1, &b.score))
    return refuse("a bucket's \"score\" is from 0 to 1");
  memcpy(b.family, family, strlen(family));
  b.bin = (int)bin;
  b.n = (int64_t)n;
  *out = b;
  return PARL_STATUS_OK;
}

parl_status parl_task_sampler_read(parl_task_sampler *sampler, const parl_json *object) {
  const parl_json *list = parl_json_find(object, "tasks");
  bank *now = &sampler->banks[sampler->now];
  now->n = 0;
  if (list == NULL) return PARL_STATUS_OK;
  if (parl_json_get_type(list) != PARL_JSON_ARRAY) return refuse("it is a list of buckets");
  if (parl_json_get_size(list) > PARL_MAX_TASK_BUCKETS) return refuse("more than 256 buckets");
  for (const parl_json *c = parl_json_get_first(list); c != NULL; c = parl_json_get_next(c)) {
    parl_task_bucket *b = &now->buckets[now->n];
    PARL_TRY(read_bucket(c, b));
    for (size_t i = 0; i < now->n; i++)
      if (now->buckets[i].bin == b->bin && strcmp(now->buckets[i].family, b->family) == 0)
        return refuse("two buckets are the same");
    now->n++;
  }
  return PARL_STATUS_OK;
}
