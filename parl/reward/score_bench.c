/* parl/reward/score_bench.c - made-up episodes in the forms that scoring takes, timed. */
#include "parl/reward/score_bench.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/rng.h"
#include "core/seeds.h"
#include "engine/bench.h"
#include "parl/reward/score_line.h"

enum {
  MAX_STAGES = 4,
  MAX_WIDTH = 8,
  MAX_SUBS = MAX_STAGES * MAX_WIDTH,
  LEAST_EPISODES = 1 << 17, /* of a repetition; small batches are scored again and again */
  N_LINES = 1 << 15,
  LINES_OF_TASK = 256,
  COPY_BYTES = 32 << 20 /* of a thread, from and to: more than caches hold */
};

typedef enum form { FORM_ONE, FORM_COUNTS, FORM_STAGES, FORM_LINES, FORM_LINES_WIDE } form;
static const struct {
  const char *name;
  form form;
  size_t batch;
} ROWS[] = {
    {"score_one", FORM_ONE, 4096},
    {"score_counts_4096", FORM_COUNTS, 4096},
    {"score_counts_65536", FORM_COUNTS, 65536},
    {"score_stages_4096", FORM_STAGES, 4096},
    {"score_stages_65536", FORM_STAGES, 65536},
    {"score_lines", FORM_LINES, N_LINES},
    {"score_lines_wide", FORM_LINES_WIDE, N_LINES},
};
enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

const char *parl_score_bench_name(size_t i) {
  return i < N_ROWS ? ROWS[i].name : NULL;
}

enum { CRITICAL, TOTAL_STEPS, PARALLEL, FINISH, TOTAL, ASSIGNED, FINISHED, R_PERF, N_COLUMNS };

typedef struct bench {
  form form;
  size_t n, n_stages, n_subs;
  parl_workers *workers; /* borrowed */
  parl_arena arena;
  parl_reward_config config;
  parl_score_rules rules;
  parl_schedule_config weights[PARL_N_TERMS];
  parl_term_table *table;
  parl_reward *reward;
  parl_scorer *scorer;
  int32_t *first_stage, *main_steps, *first_sub, *sub_steps; /* as parl_score_stages */
  uint8_t *sub_flags;
  double *columns[N_COLUMNS]; /* [n] each */
  double *due[TOTAL + 1];     /* [n] what columns have to be */
  parl_text lines;
  size_t *first_byte; /* [tasks + 1] of the lines of a task */
  size_t n_tasks;
  parl_text *told;            /* [tasks] */
  parl_score_reader *readers; /* [threads] */
  char *from, *to;            /* [threads, COPY_BYTES] */
} bench;

static const double WEIGHTS[PARL_N_TERMS] = {
    [PARL_TERM_parallel] = 0.1, [PARL_TERM_finish] = 0.1, [PARL_TERM_perf] = 1};

/* --- episodes --- */

static parl_status open_columns(bench *b) {
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n + 1, &b->first_stage));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n * MAX_STAGES, &b->main_steps));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n * MAX_STAGES + 1, &b->first_sub));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n * MAX_SUBS, &b->sub_steps));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n * MAX_SUBS, &b->sub_flags));
  for (int i = 0; i < N_COLUMNS; i++) PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n, &b->columns[i]));
  for (int i = 0; i <= TOTAL; i++) PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n, &b->due[i]));
  return PARL_STATUS_OK;
}

static void fill_columns(bench *b) {
  parl_rng_cursor rng = {1, parl_rng_stream(PARL_PURPOSE_BENCH, 1, 0, 0), 0};
  const bool is_short = b->form == FORM_LINES;
  b->first_stage[0] = b->first_sub[0] = 0;
  for (size_t i = 0; i < b->n; i++) {
    const size_t n = is_short ? 1 : 1 + (size_t)parl_rng_next_below(&rng, MAX_STAGES);
    for (size_t t = 0; t < n; t++) {
      const size_t width = is_short ? 1 : (size_t)parl_rng_next_below(&rng, MAX_WIDTH + 1);
      for (size_t k = 0; k < width; k++, b->n_subs++) {
        b->sub_steps[b->n_subs] = (int32_t)parl_rng_next_below(&rng, 9);
        b->sub_flags[b->n_subs] = (uint8_t)parl_rng_next_below(&rng, 2);
      }
      b->main_steps[b->n_stages++] = 1;
      b->first_sub[b->n_stages] = (int32_t)b->n_subs;
    }
    b->first_stage[i + 1] = (int32_t)b->n_stages;
    b->columns[R_PERF][i] = (double)parl_rng_next_below(&rng, 101) / 100;
  }
}

/* Episode i as the program has them one by one. */
static parl_stages get_stages(const bench *b, size_t i, parl_stage_record items[MAX_STAGES],
                              parl_sub_record subs[MAX_SUBS]) {
  parl_stages s = {.items = items, .subs = subs};
  for (int32_t t = b->first_stage[i]; t < b->first_stage[i + 1]; t++) {
    parl_stage_record *stage = &items[s.n++];
    *stage = (parl_stage_record){.r_perf = b->columns[R_PERF][i],
                                 .main_steps = b->main_steps[t],
                                 .first_sub = (uint32_t)s.n_subs,
                                 .width = (uint32_t)(b->first_sub[t + 1] - b->first_sub[t])};
    for (int32_t k = b->first_sub[t]; k < b->first_sub[t + 1]; k++)
      subs[s.n_subs++] = (parl_sub_record){.steps = b->sub_steps[k], .finished = b->sub_flags[k]};
  }
  return s;
}

static parl_status score_one(const bench *b, size_t i, double *const out[TOTAL + 1]) {
  parl_stage_record items[MAX_STAGES];
  parl_sub_record subs[MAX_SUBS];
  double terms[PARL_N_TERMS];
  parl_facts facts = parl_score_none();
  const parl_stages stages = get_stages(b, i, items, subs);
  PARL_TRY(parl_score_episode(b->reward, 0, &stages, &facts, terms));
  out[CRITICAL][i] = facts.critical_steps;
  out[TOTAL_STEPS][i] = facts.total_steps;
  out[PARALLEL][i] = terms[PARL_TERM_parallel];
  out[FINISH][i] = terms[PARL_TERM_finish];
  out[TOTAL][i] = parl_terms_total(terms, WEIGHTS, PARL_N_TERMS);
  b->columns[ASSIGNED][i] = facts.assigned;
  b->columns[FINISHED][i] = facts.finished;
  return PARL_STATUS_OK;
}

/* --- lines --- */

static void write_line(bench *b, size_t i) {
  parl_text_appendf(&b->lines, "{\"id\":%zu,\"r_perf\":%g,\"stages\":[", i, b->columns[R_PERF][i]);
  for (int32_t t = b->first_stage[i]; t < b->first_stage[i + 1]; t++) {
    parl_text_appendf(&b->lines, "%s{\"main_steps\":%d,\"subs\":[",
                      t > b->first_stage[i] ? "," : "", (int)b->main_steps[t]);
    for (int32_t k = b->first_sub[t]; k < b->first_sub[t + 1]; k++)
      parl_text_appendf(&b->lines, "%s{\"steps\":%d,\"finished\":%s,\"task\":\"row %d\"}",
                        k > b->first_sub[t] ? "," : "", (int)b->sub_steps[k],
                        b->sub_flags[k] ? "true" : "false", (int)k % 97);
    parl_text_append(&b->lines, "]}");
  }
  parl_text_append(&b->lines, "]}\n");
}

static parl_status open_lines(bench *b) {
  const size_t n_threads = parl_workers_get_count(b->workers);
  b->n_tasks = b->n / LINES_OF_TASK;
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n_tasks + 1, &b->first_byte));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n_tasks, &b->told));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n_threads, &b->readers));
  memset(b->told, 0, b->n_tasks * sizeof *b->told);
  memset(b->readers, 0, n_threads * sizeof *b->readers);
  for (size_t i = 0; i < n_threads; i++) b->readers[i].rules = &b->rules;
  for (size_t i = 0; i < b->n; i++) {
    if (i % LINES_OF_TASK == 0) b->first_byte[i / LINES_OF_TASK] = b->lines.n;
    write_line(b, i);
  }
  b->first_byte[b->n_tasks] = b->lines.n;
  return parl_text_status(&b->lines);
}

static parl_status score_lines(void *context, size_t task, size_t worker) {
  const bench *b = context;
  parl_score_reader *r = &b->readers[worker];
  parl_text *told = &b->told[task];
  const char *at = b->lines.bytes + b->first_byte[task];
  parl_text_clear(told);
  for (size_t i = task * LINES_OF_TASK; i < (task + 1) * LINES_OF_TASK; i++) {
    const char *end = strchr(at, '\n');
    PARL_TRY(parl_score_read(r, b->reward, at, (size_t)(end - at)));
    parl_score_append(r, told);
    b->columns[CRITICAL][i] = r->facts.critical_steps;
    b->columns[TOTAL_STEPS][i] = r->facts.total_steps;
    b->columns[PARALLEL][i] = r->terms[PARL_TERM_parallel];
    b->columns[FINISH][i] = r->terms[PARL_TERM_finish];
    at = end + 1;
  }
  return parl_text_status(told);
}

/* --- what is timed --- */

static parl_status score_columns(bench *b) {
  const parl_score_stages stages = {b->first_stage, b->main_steps, b->first_sub, b->sub_steps,
                                    b->sub_flags};
  parl_score_batch batch = {.n = b->n, .facts = {[PARL_FACT_r_perf] = b->columns[R_PERF]}};
  parl_score_out out = {
      .terms =
          {[PARL_TERM_parallel] = b->columns[PARALLEL], [PARL_TERM_finish] = b->columns[FINISH]},
      .total = b->columns[TOTAL]};
  memcpy(batch.weights, WEIGHTS, sizeof WEIGHTS);
  if (b->form == FORM_STAGES) {
    batch.stages = &stages;
    out.facts[PARL_FACT_critical_steps] = b->columns[CRITICAL];
    out.facts[PARL_FACT_total_steps] = b->columns[TOTAL_STEPS];
  } else {
    batch.facts[PARL_FACT_assigned] = b->columns[ASSIGNED];
    batch.facts[PARL_FACT_finished] = b->columns[FINISHED];
  }
  return parl_score_batch_run(b->scorer, &batch, &out);
}

/* Batches of one repetition. */
static size_t count_batches(const bench *b) {
  if (b->form == FORM_ONE || b->form >= FORM_LINES) return 1;
  return (LEAST_EPISODES + b->n - 1) / b->n;
}

static parl_status run_once(void *context) {
  bench *b = context;
  if (b->form >= FORM_LINES) return parl_workers_run(b->workers, b->n_tasks, score_lines, b);
  for (size_t i = 0; b->form == FORM_ONE && i < b->n; i++) PARL_TRY(score_one(b, i, b->columns));
  for (size_t i = 0; b->form != FORM_ONE && i < count_batches(b); i++) PARL_TRY(score_columns(b));
  return PARL_STATUS_OK;
}

/* Bytes an episode that are read and written. */
static double count_bytes(const bench *b) {
  const double n = (double)b->n;
  double told = 0;
  if (b->form == FORM_COUNTS) return 6 * sizeof(double);
  if (b->form < FORM_LINES)
    return ((double)b->n_subs * 5 + (double)b->n_stages * 8) / n + 4 + 6 * sizeof(double);
  for (size_t i = 0; i < b->n_tasks; i++) told += (double)b->told[i].n;
  return ((double)b->lines.n + told) / n;
}

static parl_status check(const bench *b, const char *name) {
  static const int of_counts[] = {PARALLEL, FINISH, TOTAL};
  static const int of_stages[] = {PARALLEL, FINISH, CRITICAL, TOTAL_STEPS, TOTAL};
  const bool is_counts = b->form == FORM_COUNTS;
  const int *which = is_counts ? of_counts : of_stages;
  const size_t n = is_counts ? 3 : b->form >= FORM_LINES ? 4 : 5;
  for (size_t i = 0; i < n; i++)
    if (memcmp(b->columns[which[i]], b->due[which[i]], b->n * sizeof(double)) != 0)
      return parl_fail(PARL_STATUS_ESTATE, "bench: %s gives other scores than one by one", name);
  return PARL_STATUS_OK;
}

/* --- the clock --- */

static parl_status copy_share(void *context, size_t task, size_t worker) {
  (void)worker;
  const bench *b = context;
  memcpy(b->to + task * COPY_BYTES, b->from + task * COPY_BYTES, COPY_BYTES);
  return PARL_STATUS_OK;
}

static parl_status copy_all(void *context) {
  const bench *b = context;
  return parl_workers_run(b->workers, parl_workers_get_count(b->workers), copy_share, context);
}

/* Raises *peak to what copies by all threads move now, bytes read and written. */
static parl_status raise_peak(bench *b, double *peak) {
  const size_t n = parl_workers_get_count(b->workers);
  parl_bench_timing t;
  PARL_TRY(parl_bench_repeat(copy_all, b, 0.02, &t));
  const double speed = 2e-9 * COPY_BYTES * (double)n / t.fast_s;
  if (speed > *peak) *peak = speed;
  return PARL_STATUS_OK;
}

/* --- a row --- */

static parl_status open_bench(bench *b) {
  const size_t n_threads = parl_workers_get_count(b->workers);
  parl_config_set_defaults(&parl_reward_section, &b->config);
  b->rules.config = &b->config;
#define X(term, lambda, ...) \
  parl_config_set_defaults(&parl_##lambda##_section, &b->weights[PARL_TERM_##term]);
  PARL_TERM_LIST(X)
#undef X
  PARL_TRY(parl_term_table_create(b->weights, NULL, &b->table));
  PARL_TRY(parl_reward_create(&b->config, b->table, &b->reward));
  PARL_TRY(parl_scorer_create(&b->config, b->workers, &b->scorer));
  PARL_TRY(open_columns(b));
  fill_columns(b);
  for (size_t i = 0; i < b->n; i++) PARL_TRY(score_one(b, i, b->due));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n_threads * COPY_BYTES, &b->from));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n_threads * COPY_BYTES, &b->to));
  memset(b->from, 1, n_threads * COPY_BYTES);
  return b->form >= FORM_LINES ? open_lines(b) : PARL_STATUS_OK;
}

static void close_bench(bench *b) {
  for (size_t i = 0; b->told != NULL && i < b->n_tasks; i++) parl_text_deinit(&b->told[i]);
  for (size_t i = 0; b->readers != NULL && i < parl_workers_get_count(b->workers); i++)
    parl_score_reader_deinit(&b->readers[i]);
  parl_text_deinit(&b->lines);
  parl_scorer_destroy(b->scorer);
  parl_reward_destroy(b->reward);
  parl_term_table_destroy(b->table);
  parl_arena_deinit(&b->arena);
}

static parl_status measure(bench *b, const char *name, double seconds, parl_score_speed *r) {
  parl_bench_timing t;
  const double episodes = (double)(b->n * count_batches(b));
  PARL_TRY(open_bench(b));
  PARL_TRY(raise_peak(b, &r->peak_gb_per_s));
  PARL_TRY(parl_bench_repeat(run_once, b, seconds, &t));
  PARL_TRY(check(b, name));
  PARL_TRY(raise_peak(b, &r->peak_gb_per_s));
  r->episodes_per_s = episodes / t.median_s;
  r->low = episodes / t.slow_s;
  r->high = episodes / t.fast_s;
  r->cpu_share =
      t.cpu_share / (b->form == FORM_ONE ? 1 : (double)parl_workers_get_count(b->workers));
  r->n_kept = t.n_kept;
  r->n_dropped = t.n_dropped;
  r->bytes = count_bytes(b);
  return PARL_STATUS_OK;
}

parl_status parl_score_bench(size_t i, parl_workers *workers, double seconds,
                             parl_score_speed *out) {
  PARL_REQUIRE(i < N_ROWS && seconds >= 0);
  bench *b = calloc(1, sizeof *b);
  if (b == NULL) return parl_fail(PARL_STATUS_ENOMEM, "bench: no memory");
  b->form = ROWS[i].form;
  b->n = ROWS[i].batch;
  b->workers = workers;
  parl_arena_init(&b->arena, 0);
  *out = (parl_score_speed){0};
  const parl_status s = measure(b, ROWS[i].name, seconds, out);
  close_bench(b);
  free(b);
  return s;
}
