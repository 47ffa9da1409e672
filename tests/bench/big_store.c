/* tests/bench/big_store.c - a store of many runs, to measure report and serve on.
 *
 *   big_store FROM TO RUNS ROWS
 *
 * Takes the first trained run of the folder FROM and puts RUNS like it into TO/store.db, 25 seeds
 * an arm: its configuration and evaluated episodes as they are, and as many updates of its metrics
 * that all runs have ROWS of them, each scaled by chance a little. Nothing in it is a result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/rng.h"
#include "parl/run/rows.h"

enum { SEEDS = 25, MAX_VALUES = 1 << 20, MAX_KEYS = 4096, PATH_BYTES = 4096 };

typedef struct source {
  parl_arena arena;
  parl_store *to;
  int64_t id, to_id, last;
  parl_store_run run;
  size_t n_keys;
  const char *keys[MAX_KEYS];
  size_t first[MAX_KEYS + 1]; /* of its values */
  double values[MAX_VALUES];
} source;

static parl_status copy(source *s, const char *text, const char **out) {
  char *to = NULL;
  const size_t n = strlen(text) + 1;
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, n, &to));
  memcpy(to, text, n);
  *out = to;
  return PARL_STATUS_OK;
}

static parl_status keep_run(void *context, int64_t id, const parl_store_run *run) {
  source *s = context;
  if (s->id != 0 || strcmp(run->status, "done") != 0 || strstr(run->config, "\"train\"") == NULL)
    return PARL_STATUS_OK;
  s->id = id;
  s->run = *run;
  PARL_TRY(copy(s, run->recipe, &s->run.recipe));
  PARL_TRY(copy(s, run->config, &s->run.config));
  PARL_TRY(copy(s, run->host, &s->run.host));
  return copy(s, run->revision, &s->run.revision);
}

/* By key, update. */
static parl_status keep_metric(void *context, int64_t update, const char *key, double value) {
  source *s = context;
  (void)update;
  if (s->n_keys == 0 || strcmp(s->keys[s->n_keys - 1], key) != 0) {
    PARL_REQUIRE(s->n_keys < MAX_KEYS);
    s->first[s->n_keys + 1] = s->first[s->n_keys];
    PARL_TRY(copy(s, key, &s->keys[s->n_keys++]));
  }
  PARL_REQUIRE(s->first[s->n_keys] < MAX_VALUES);
  s->values[s->first[s->n_keys]++] = value;
  return PARL_STATUS_OK;
}

static parl_status put_episode(void *context, const parl_episode_row *e) {
  source *s = context;
  parl_episode_row row = *e;
  row.update = s->last;
  return parl_rows_put_episode(s->to, s->to_id, &row);
}

static parl_status put_metrics(source *s, int64_t number, int64_t n_updates) {
  for (size_t k = 0; k < s->n_keys; k++) {
    const size_t n = s->first[k + 1] - s->first[k];
    for (int64_t u = 0; u < n_updates; u++) {
      const double noise = parl_rng_uniform((uint64_t)number, k, (uint64_t)u);
      PARL_TRY(parl_rows_put_metric(s->to, s->to_id, u, s->keys[k],
                                    s->values[s->first[k] + (size_t)u % n] * (0.9 + 0.2 * noise)));
    }
  }
  return PARL_STATUS_OK;
}

static parl_status put_run(source *s, parl_store *from, int64_t number, int64_t n_updates) {
  char arm[32];
  snprintf(arm, sizeof arm, "arm-%02lld", (long long)(number / SEEDS));
  parl_store_run run = s->run;
  run.arm = arm;
  run.status = "done";
  run.error = NULL;
  run.seed = number % SEEDS + 1;
  snprintf(run.uid, sizeof run.uid, "%064lld", (long long)number);
  PARL_TRY(parl_store_begin(s->to));
  parl_status status = parl_store_put_run(s->to, &run, &s->to_id);
  if (status == PARL_STATUS_OK) status = put_metrics(s, number, n_updates);
  if (status == PARL_STATUS_OK) status = parl_rows_visit_episodes(from, s->id, put_episode, s);
  return parl_store_end(s->to, status);
}

static parl_status make(source *s, char **argv) {
  const int64_t n_runs = strtoll(argv[3], NULL, 10), n_rows = strtoll(argv[4], NULL, 10);
  char path[PATH_BYTES];
  parl_store *from = NULL;
  PARL_TRY(parl_file_join(path, sizeof path, argv[1], "store.db"));
  PARL_TRY(parl_rows_open_readonly(path, &from));
  PARL_TRY(parl_store_visit_runs(from, keep_run, s));
  PARL_TRY(parl_rows_visit_metrics(from, s->id, NULL, keep_metric, s));
  PARL_REQUIRE(s->n_keys > 0 && n_runs > 0 && n_rows > 0);
  PARL_TRY(parl_file_make_folder(argv[2]));
  PARL_TRY(parl_file_join(path, sizeof path, argv[2], "store.db"));
  PARL_TRY(parl_rows_open(path, &s->to));
  const int64_t per_run = n_runs * (int64_t)s->n_keys, n_updates = (n_rows + per_run - 1) / per_run;
  s->last = n_updates;
  for (int64_t i = 0; i < n_runs; i++) PARL_TRY(put_run(s, from, i, n_updates));
  printf("%lld runs, %lld metric rows: %zu keys x %lld updates each\n", (long long)n_runs,
         (long long)(per_run * n_updates), s->n_keys, (long long)n_updates);
  parl_store_close(s->to);
  parl_store_close(from);
  return PARL_STATUS_OK;
}

int main(int argc, char **argv) {
  static source s;
  if (argc != 5) {
    fprintf(stderr, "usage: big_store FROM TO RUNS ROWS\n");
    return 2;
  }
  parl_arena_init(&s.arena, 0);
  const parl_status status = make(&s, argv);
  if (status != PARL_STATUS_OK) fprintf(stderr, "big_store: %s\n", parl_error_text());
  parl_arena_deinit(&s.arena);
  return status == PARL_STATUS_OK ? 0 : 1;
}
