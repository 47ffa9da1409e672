/* tests/report_support.h - a small store with numbers known by hand, and reading what the report
 * makes of it. */
#ifndef PARL_TESTS_REPORT_SUPPORT_H
#define PARL_TESTS_REPORT_SUPPORT_H
#include "core/file.h"
#include "core/json.h"
#include "experiments/report.h"
#include "tests/support.h"

#define HOSTILE "<script>alert(1)</script>"

typedef struct fixture {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES];
  parl_store *store;
  int64_t n_runs;
} fixture;

static inline void begin(fixture *f) {
  *f = (fixture){.n_runs = 0};
  parl_test_temp_folder(f->folder);
  assert_ok(parl_file_join(f->path, sizeof f->path, f->folder, "store.db"));
  assert_ok(parl_rows_open(f->path, &f->store));
  assert_ok(parl_store_begin(f->store));
}

static inline void end_writing(fixture *f) {
  assert_ok(parl_store_commit(f->store));
  parl_store_close(f->store);
  f->store = NULL;
}

static inline void finish(fixture *f) {
  parl_store_close(f->store);
  parl_test_remove_folder(f->folder);
}

static inline int64_t put_run_of(fixture *f, const char *arm, int64_t seed, const char *status,
                                 const char *config, const char *host) {
  int64_t id = 0;
  parl_store_run run = {.recipe = "toy",
                        .arm = arm,
                        .seed = seed,
                        .config = config,
                        .status = status,
                        .host = host,
                        .revision = "abc"};
  snprintf(run.uid, sizeof run.uid, "%064lld", (long long)++f->n_runs);
  assert_ok(parl_store_put_run(f->store, &run, &id));
  return id;
}

static inline int64_t put_run(fixture *f, const char *arm, int64_t seed, const char *status) {
  char config[200];
  snprintf(config, sizeof config, "{\"lambda1\":{\"start\":%s},\"seed\":%lld}",
           arm[0] == 'a' ? "0.3" : "0", (long long)seed);
  return put_run_of(f, arm, seed, status, config, "{\"cpu\":\"test\"}");
}

static inline parl_episode_row make_episode(const char *policy, const char *decoding,
                                            double r_perf) {
  return (parl_episode_row){.policy = policy,
                            .decoding = decoding,
                            .update = 4,
                            .family = "",
                            .facts.r_perf = r_perf,
                            .facts.success = r_perf == 1,
                            .facts.critical_steps = 10,
                            .facts.total_steps = 10,
                            .facts.optimum_steps = 5,
                            .facts.last_gain_steps = 9,
                            .facts.tokens = 30,
                            .facts.end = PARL_END_BUDGET};
}

static inline void put_episode(fixture *f, int64_t run, parl_episode_row e, int64_t task) {
  e.task_seed = task;
  assert_ok(parl_rows_put_episode(f->store, run, &e));
}

/* Two tasks a run. The first launches: 4 assigned, 3 finished, 6 critical of 12 steps, ends by
 * finish. The second starts one sub-agent that never finishes, 10 of 10 steps, ends by budget. */
static inline void put_trained(fixture *f, const char *arm, int64_t seed, double first,
                               double second) {
  const int64_t run = put_run(f, arm, seed, "done");
  parl_episode_row e = make_episode("trained", "sampled", first);
  e.facts.critical_steps = 6;
  e.facts.total_steps = 12;
  e.facts.launches = 1;
  e.facts.assigned = 4;
  e.facts.finished = 3;
  e.facts.max_width = 4;
  e.facts.end = PARL_END_FINISH;
  put_episode(f, run, e, 1);
  e = make_episode("trained", "sampled", second);
  e.facts.launches = 1;
  e.facts.assigned = 1;
  e.facts.max_width = 1;
  put_episode(f, run, e, 2);
  e.facts.r_perf = 0; /* of an earlier evaluation, which must not count */
  e.update = 2;
  put_episode(f, run, e, 1);
  put_episode(f, run, make_episode("trained", "greedy", 0.5), 1);
  for (int64_t t = 0; t < 4; t++) {
    assert_ok(parl_rows_put_metric(f->store, run, t, "reward/perf",
                                   0.1 * (double)t + 0.01 * (double)seed));
    assert_ok(parl_rows_put_metric(f->store, run, t, "lambda/lambda1", 0.3 - 0.1 * (double)t));
    assert_ok(
        parl_rows_put_metric(f->store, run, t, "episode/finish_rate",
                             t == 1 ? (double)NAN : 0.5)); /* nothing was assigned in update 1 */
  }
  assert_ok(parl_rows_put_metric(f->store, run, 0, "forecast/lambda_star", 0.1));
}

static inline void put_baseline(fixture *f, const char *arm, const char *decoding, double r_perf) {
  for (int64_t seed = 1; seed <= 3; seed++) {
    const int64_t run = put_run(f, arm, seed, "done");
    put_episode(f, run, make_episode(arm, decoding, r_perf), 1);
  }
}

/* Sampled r_perf of annealed: .9 .7 1, of the other: .5 .6 .4; oracle .8. */
static inline void fill(fixture *f) {
  begin(f);
  put_baseline(f, "serial", "scripted", 0.4);
  put_trained(f, "annealed", 1, 0.8, 1.0);
  put_trained(f, "annealed", 2, 0.6, 0.8);
  put_trained(f, "annealed", 3, 1.0, 1.0);
  put_trained(f, HOSTILE, 3, 0.4, 0.4);
  put_trained(f, HOSTILE, 2, 0.6, 0.6);
  put_trained(f, HOSTILE, 1, 0.4, 0.6);
  put_baseline(f, "oracle", "scripted", 0.8);
  end_writing(f);
}

/* Inlined, gcc 12 takes what it returns for a dangling pointer. */
__attribute__((noinline)) static char *read_file(const fixture *f, const char *name) {
  char path[PARL_TEST_PATH_BYTES];
  char *text = NULL;
  size_t n = 0;
  assert_ok(parl_file_join(path, sizeof path, f->folder, name));
  assert_ok(parl_file_read(path, (size_t)1 << 24, &text, &n));
  return text;
}

static inline parl_status write_against(const char *folder, const char *reference,
                                        parl_text *table) {
  return parl_report_make(
      &(parl_report_request){.folders = &folder, .n_folders = 1, .reference = reference}, table);
}

/* A page without scripts, whose every byte is the report's own. */
static inline parl_status write_plain(const char *folder, parl_text *table) {
  return parl_report_make(&(parl_report_request){.folders = &folder, .n_folders = 1, .plain = true},
                          table);
}

static inline parl_json *write_and_parse(const fixture *f) {
  assert_ok(parl_report_write(f->folder, NULL));
  char *text = read_file(f, "report.json");
  parl_json *json = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "report.json", &json));
  free(text);
  return json;
}

static inline double get_number(const parl_json *json, const char *path) {
  const parl_json *node = parl_json_find_path(json, path);
  if (node == NULL) print_error("no %s\n", path);
  assert_non_null(node);
  return parl_json_get_type(node) == PARL_JSON_NUMBER ? parl_json_get_number(node) : (double)NAN;
}

/* From the title of a figure to its end; NULL if there is none. The caller frees. */
static inline char *read_figure(const fixture *f, const char *title) {
  char *html = read_file(f, "report.html"), head[80], *figure = NULL;
  snprintf(head, sizeof head, "<figcaption>%s<", title);
  const char *start = strstr(html, head);
  if (start != NULL) {
    figure = strdup(start);
    *strstr(figure, "</figure>") = '\0';
  }
  free(html);
  return figure;
}

static inline size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *p = strstr(text, part); p != NULL; p = strstr(p + 1, part)) n++;
  return n;
}

#endif
