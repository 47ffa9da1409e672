/* cli/cmd_bench.c - parl bench: kernels and engine against this machine's own peak. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/json.h"
#include "core/workers.h"
#include "engine/bench.h"
#include "kernels/bench.h"

typedef struct bench_state {
  bool json;
  double peak_gflops; /* of all threads together */
} bench_state;

static void print_row(const bench_state *b, const char *name, double tokens_per_s, double gflops,
                      double percent, double median_us) {
  if (!b->json) {
    if (tokens_per_s > 0)
      printf("%-28s %12.0f tokens/s %9.1f GF/s %6.1f %% of peak\n", name, tokens_per_s, gflops,
             percent);
    else
      printf("%-28s %12.1f us       %9.1f GF/s %6.1f %% of peak\n", name, median_us, gflops,
             percent);
    fflush(stdout);
    return;
  }
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "name");
  parl_json_string(&w, name);
  if (tokens_per_s > 0) {
    parl_json_key(&w, "tokens_per_s");
    parl_json_number(&w, tokens_per_s);
  } else {
    parl_json_key(&w, "median_us");
    parl_json_number(&w, median_us);
  }
  parl_json_key(&w, "gflops");
  parl_json_number(&w, gflops);
  parl_json_key(&w, "percent_of_peak");
  parl_json_number(&w, percent);
  parl_json_end_object(&w);
  puts(parl_text_get(&text));
  fflush(stdout);
  parl_text_deinit(&text);
}

static void on_op(void *context, const parl_bench_row *row) {
  print_row(context, row->name, 0, row->gflops, row->percent_of_peak, row->median_us);
}

static bool is_wanted(const char *list, const char *name) {
  if (list == NULL) return true;
  const size_t n = strlen(name);
  for (const char *at = list; *at != '\0';) {
    const size_t length = strcspn(at, ",");
    if (length == n && strncmp(at, name, n) == 0) return true;
    at += length + (at[length] == ',');
  }
  return false;
}

static parl_status bench_engine(bench_state *b, const char *list, const parl_backend *backend,
                                parl_workers *workers, double seconds) {
  for (size_t i = 0; parl_bench_shape_name(i) != NULL; i++) {
    const char *name = parl_bench_shape_name(i);
    if (!is_wanted(list, name)) continue;
    parl_bench_shape shape;
    parl_bench_result r;
    PARL_TRY(parl_bench_shape_find(name, &shape));
    PARL_TRY(parl_bench_engine(&shape, backend, workers, seconds, &r));
    char row[64];
    snprintf(row, sizeof row, "train_%s", name);
    print_row(b, row, r.train_tokens_per_s, r.train_gflops, 100 * r.train_gflops / b->peak_gflops,
              0);
    snprintf(row, sizeof row, "decode_%s", name);
    print_row(b, row, r.decode_tokens_per_s, r.decode_gflops,
              100 * r.decode_gflops / b->peak_gflops, 0);
  }
  return PARL_STATUS_OK;
}

/* "cpu:avx2" -> "avx2"; NULL: the best. */
static const char *get_level(const char *backend) {
  const char *colon = backend ? strchr(backend, ':') : NULL;
  return colon ? colon + 1 : NULL;
}

static parl_status bench(const cli_args *args, double seconds) {
  const parl_backend *backend;
  parl_workers *workers = NULL;
  PARL_TRY(parl_backend_find(args->backend ? args->backend : "cpu", &backend));
  PARL_TRY(parl_workers_create(parl_workers_count_processors(), &workers));
  const size_t threads = parl_workers_get_count(workers);
  double peak = 0;
  parl_status s = parl_bench_peak_gflops(get_level(args->backend), &peak);
  bench_state b = {args->json, peak * (double)threads};
  if (s == PARL_STATUS_OK && !args->json)
    printf("%s, %zu threads; measured FMA peak %.1f GF/s of one core\n", backend->instructions,
           threads, peak);
  if (s == PARL_STATUS_OK && is_wanted(args->shapes, "ops"))
    s = parl_bench_ops(get_level(args->backend), on_op, &b);
  if (s == PARL_STATUS_OK) s = bench_engine(&b, args->shapes, backend, workers, seconds);
  parl_workers_destroy(workers);
  return s;
}

int cmd_bench(const cli_args *args) {
  if (!cli_need_operands(args, 0)) return CLI_USAGE;
  double seconds = 3;
  if (args->seconds) {
    char *end;
    seconds = strtod(args->seconds, &end);
    if (*end != '\0' || end == args->seconds || !(seconds > 0 && seconds <= 3600))
      return cli_usage("--seconds %s: more than 0 and at most 3600", args->seconds);
  }
  const parl_status s = bench(args, seconds);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
