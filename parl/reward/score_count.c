/* parl/reward/score_count.c - stages as columns, counted eight sub-agents at a time.
 *
 * A window of eight is two vectors of steps and a word of eight flags; what lies behind the end is
 * masked. Counters are lanes and bytes that must not overflow, so steps are small and sub-agents
 * few; an episode of which that does not hold is counted again, one by one. */
#include "parl/reward/score_count.h"

#include <string.h>

enum { WINDOW = 8, MAX_WINDOWS = 255, SMALL_STEPS = 1 << 16 };

/* What is counted of an episode. */
typedef struct counts {
  int64_t critical, total, subs, longest; /* steps */
  int64_t launches, assigned, finished, useful, duplicates, empty, widest;
} counts;

static void put(const counts *c, int64_t turns, parl_score_counts *out, size_t i) {
  out->critical_steps[i] = (double)c->critical;
  out->total_steps[i] = (double)c->total;
  out->turns[i] = (double)turns;
  out->launches[i] = (double)c->launches;
  out->assigned[i] = (double)c->assigned;
  out->finished[i] = (double)c->finished;
  out->useful[i] = (double)c->useful;
  out->max_width[i] = (double)c->widest;
  out->sub_steps[i] = (double)c->subs;
  out->sub_max_steps[i] = (double)c->longest;
  out->duplicates[i] = (double)c->duplicates;
  out->empty_finishes[i] = (double)c->empty;
}

/* --- one by one --- */

static parl_status refuse_steps(size_t stage, const char *whose, int32_t steps) {
  return parl_fail(PARL_STATUS_EINVAL, "stage %zu: %s has %d steps; valid: 0 or more", stage, whose,
                   (int)steps);
}

/* Sums fit: at most 2^31 numbers below 2^31 each. */
static parl_status add_stage(const parl_score_stages *s, size_t at, size_t stage, counts *c) {
  const int32_t main_steps = s->main_steps[at];
  int64_t longest = 0, sum = 0;
  if (main_steps < 0) return refuse_steps(stage, "the orchestrator", main_steps);
  for (int32_t i = s->first_sub[at]; i < s->first_sub[at + 1]; i++) {
    const int32_t steps = s->sub_steps[i];
    const unsigned flags = s->sub_flags != NULL ? s->sub_flags[i] : 0;
    if (steps < 0) return refuse_steps(stage, "a sub-agent", steps);
    longest = steps > longest ? steps : longest;
    sum += steps;
    c->finished += (flags & PARL_SCORE_FINISHED) != 0;
    c->useful += (flags & PARL_SCORE_USEFUL) != 0;
    c->duplicates += (flags & PARL_SCORE_DUPLICATE) != 0;
    c->empty += (flags & PARL_SCORE_FINISHED) != 0 && steps == 0;
  }
  const int64_t width = s->first_sub[at + 1] - s->first_sub[at];
  c->critical += main_steps + longest;
  c->total += main_steps + sum;
  c->subs += sum;
  c->longest += longest;
  c->launches += width > 0;
  c->assigned += width;
  c->widest = width > c->widest ? width : c->widest;
  return PARL_STATUS_OK;
}

static parl_status count_exactly(const parl_score_stages *s, size_t episode, size_t i,
                                 parl_score_counts *out) {
  const size_t first = (size_t)s->first_stage[episode], end = (size_t)s->first_stage[episode + 1];
  counts c = {0};
  for (size_t at = first; at < end; at++) PARL_TRY(add_stage(s, at, at - first, &c));
  put(&c, (int64_t)(end - first), out, i);
  return PARL_STATUS_OK;
}

/* --- windows --- */

typedef int32_t lanes __attribute__((vector_size(16)));
typedef uint32_t sums __attribute__((vector_size(16))); /* of large steps they may wrap */
typedef int16_t halves __attribute__((vector_size(16)));
typedef int8_t bytes __attribute__((vector_size(8)));

static const uint64_t ONES = UINT64_C(0x0101010101010101);

static inline lanes load(const int32_t *from) {
  lanes v;
  memcpy(&v, from, sizeof v);
  return v;
}

static inline lanes get_more(lanes a, lanes b) {
  const lanes is_more = a > b;
  return (a & is_more) | (b & ~is_more);
}

static inline int32_t get_most(lanes v) {
  v = get_more(v, __builtin_shufflevector(v, v, 2, 3, 0, 1));
  v = get_more(v, __builtin_shufflevector(v, v, 1, 0, 3, 2));
  return v[0];
}

static inline double add_bytes(uint64_t counters) { /* at most 255 each */
  const uint64_t pairs = UINT64_C(0x00FF00FF00FF00FF);
  const uint64_t sum = (counters & pairs) + (counters >> 8 & pairs);
  return (double)(int64_t)(sum * UINT64_C(0x0001000100010001) >> 48);
}

/* A byte 1 for each of eight steps that is 0. */
static inline uint64_t get_zeros(lanes a, lanes b) {
  const halves both =
      __builtin_shufflevector((halves)(a == 0), (halves)(b == 0), 0, 2, 4, 6, 8, 10, 12, 14);
  const bytes is_zero = __builtin_convertvector(both, bytes);
  uint64_t word;
  memcpy(&word, &is_zero, sizeof word);
  return word & ONES;
}

static const int32_t MASK[2 * WINDOW] = {-1, -1, -1, -1, -1, -1, -1, -1};

/* The first `kept` of a window, 0 to WINDOW; the others are 0. All of it may be read. */
static inline lanes load_first(const int32_t *steps, size_t kept, size_t half) {
  return load(steps + half) & load(MASK + WINDOW - kept + half);
}

static inline uint64_t load_flags(const uint8_t *flags, size_t kept) {
  uint64_t word, mask;
  memcpy(&word, flags, sizeof word);
  memcpy(&mask, (const char *)MASK + sizeof MASK / 2 - kept, sizeof mask);
  return word & mask;
}

/* What does not ask where stages end: sums over all sub-agents [n] of an episode. Returns all bits
 * of their steps. */
static inline int32_t sum_subs(const int32_t *steps, const uint8_t *flags, size_t n, size_t i,
                               parl_score_counts *out) {
  sums sum = {0};
  lanes seen = {0};
  uint64_t finished = 0, useful = 0, duplicate = 0, empty = 0;
  for (size_t at = 0; at < n; at += WINDOW) {
    const size_t kept = n - at < WINDOW ? n - at : WINDOW;
    const lanes a = load_first(steps + at, kept, 0), b = load_first(steps + at, kept, WINDOW / 2);
    sum += (sums)a + (sums)b;
    seen |= a | b;
    if (flags == NULL) continue;
    const uint64_t word = load_flags(flags + at, kept);
    finished += word & ONES;
    useful += word >> 1 & ONES;
    duplicate += word >> 2 & ONES;
    empty += word & get_zeros(a, b);
  }
  out->sub_steps[i] = (double)((int64_t)sum[0] + sum[1] + sum[2] + sum[3]);
  out->finished[i] = add_bytes(finished);
  out->useful[i] = add_bytes(useful);
  out->duplicates[i] = add_bytes(duplicate);
  out->empty_finishes[i] = add_bytes(empty);
  return seen[0] | seen[1] | seen[2] | seen[3];
}

static inline int32_t get_longest(const int32_t *steps, size_t n) {
  lanes most = {0};
  size_t at = 0;
  do {
    const size_t kept = n - at < WINDOW ? n - at : WINDOW;
    most = get_more(
        most, get_more(load_first(steps + at, kept, 0), load_first(steps + at, kept, WINDOW / 2)));
    at += WINDOW;
  } while (at < n);
  return get_most(most);
}

/* False if counters might overflow, a count is negative, or a window leaves the arrays, whose
 * sub-agents are n_subs: then it is to be counted one by one. */
static inline bool count_windows(const parl_score_stages *s, size_t episode, size_t n_subs,
                                 size_t i, parl_score_counts *out) {
  const size_t first = (size_t)s->first_stage[episode], end = (size_t)s->first_stage[episode + 1];
  const size_t subs = (size_t)s->first_sub[first], n = (size_t)s->first_sub[end] - subs;
  if (subs + n + WINDOW > n_subs || n > MAX_WINDOWS * WINDOW || end - first > SMALL_STEPS)
    return false;
  int32_t seen =
      sum_subs(s->sub_steps + subs, s->sub_flags != NULL ? s->sub_flags + subs : NULL, n, i, out);
  int64_t main_steps = 0, longest = 0;
  int32_t launches = 0, widest = 0;
  for (size_t at = first; at < end; at++) {
    const int32_t from = s->first_sub[at], width = s->first_sub[at + 1] - from;
    seen |= s->main_steps[at];
    main_steps += s->main_steps[at];
    longest += get_longest(s->sub_steps + from, (size_t)width);
    launches += width > 0;
    widest = width > widest ? width : widest;
  }
  out->sub_max_steps[i] = (double)longest;
  out->critical_steps[i] = (double)(main_steps + longest);
  out->total_steps[i] = (double)main_steps + out->sub_steps[i];
  out->turns[i] = (double)(end - first);
  out->launches[i] = launches;
  out->assigned[i] = (double)n;
  out->max_width[i] = widest;
  return seen >= 0 && seen < SMALL_STEPS;
}

/* --- a block --- */

/* Whether a list of lists [n + 1] rises within [0, most]. */
static bool is_rising(const int32_t *first, size_t n, int32_t most) {
  bool is_falling = false;
  for (size_t i = 0; i < n; i++) is_falling |= first[i + 1] < first[i];
  return !is_falling && first[0] >= 0 && first[n] <= most;
}

static parl_status refuse_list(const int32_t *first, size_t from, size_t n, int32_t most,
                               const char *name, const char *what) {
  size_t i = from;
  while (i < from + n && first[i] >= 0 && first[i + 1] >= first[i] && first[i + 1] <= most) i++;
  return parl_fail(PARL_STATUS_EINVAL,
                   "%s %zu: %s goes from %d to %d; it may not fall, nor leave 0 to %d, its last",
                   what, i, name, (int)first[i], (int)first[i + 1], (int)most);
}

parl_status parl_score_count(const parl_score_stages *s, size_t n_all, size_t first, size_t n,
                             parl_score_counts *out) {
  const int32_t n_stages = s->first_stage[n_all];
  if (!is_rising(s->first_stage + first, n, n_stages))
    return refuse_list(s->first_stage, first, n, n_stages, "first_stage", "episode");
  const size_t stage = (size_t)s->first_stage[first];
  const size_t stages = (size_t)s->first_stage[first + n] - stage;
  const int32_t n_subs = s->first_sub[n_stages];
  if (!is_rising(s->first_sub + stage, stages, n_subs))
    return refuse_list(s->first_sub, stage, stages, n_subs, "first_sub", "stage");
  for (size_t i = 0; i < n; i++)
    if (!count_windows(s, first + i, (size_t)n_subs, i, out))
      PARL_TRY(parl_fail_context(count_exactly(s, first + i, i, out), "episode %zu", first + i));
  return PARL_STATUS_OK;
}
