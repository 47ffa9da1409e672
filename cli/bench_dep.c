/* cli/bench_dep.c - parl bench dep: batches with images under three schedules, beside text. */
#include <stdio.h>

#include "cli/cli.h"
#include "core/workers.h"
#include "engine/dep_bench.h"

enum { MOST_THREADS = 16 };

static void write_number(parl_json_writer *w, const char *key, double x) {
  parl_json_key(w, key);
  parl_json_number(w, x);
}

static void write_row(const parl_dep_speed *speed, const parl_dep_row *row, size_t threads,
                      parl_json_writer *w) {
  parl_json_begin_object(w);
  parl_json_key(w, "name");
  parl_json_string(w, row->name);
  write_number(w, "visual_share", speed->share);
  write_number(w, "images", (double)speed->n_images);
  write_number(w, "largest_patches", speed->largest);
  write_number(w, "vision_flops_share", speed->vision);
  write_number(w, "threads", (double)threads);
  write_number(w, "steps_per_s", row->steps_per_s);
  write_number(w, "low", row->low);
  write_number(w, "high", row->high);
  write_number(w, "cpu_s", row->cpu_s);
  write_number(w, "efficiency", row->efficiency);
  write_number(w, "efficiency_cpu", row->efficiency_cpu);
  write_number(w, "efficiency_predicted", row->efficiency_flops);
  write_number(w, "max_mean_cpu", row->max_mean_cpu);
  write_number(w, "max_mean_predicted", row->max_mean_flops);
  write_number(w, "bytes", (double)row->bytes);
  write_number(w, "cpu_share", speed->cpu_share);
  write_number(w, "repetitions", (double)speed->n_rounds);
  parl_json_end_object(w);
}

static parl_status print_json(const parl_dep_speed *speed, size_t threads) {
  for (int way = 0; way < PARL_DEP_N_WAYS; way++) {
    parl_text text = {0};
    parl_json_writer w;
    parl_json_writer_init(&w, &text, false);
    write_row(speed, &speed->rows[way], threads, &w);
    PARL_TRY(cli_print(&text));
  }
  return PARL_STATUS_OK;
}

static void print_text(const parl_dep_speed *speed) {
  printf(
      "%.0f %% visual tokens: %zu images of up to %.0f patches, %.0f %% of the FLOPs; %zu "
      "rounds, %.0f %% of the processors\n",
      100 * speed->share, speed->n_images, speed->largest, 100 * speed->vision, speed->n_rounds,
      100 * speed->cpu_share);
  printf("  %-12s %9s %9s  %-32s %-21s %9s\n", "", "steps/s", "CPU s",
         "of text: time, CPU, predicted", "max/mean: CPU, pred.", "MB");
  for (int way = 0; way < PARL_DEP_N_WAYS; way++) {
    const parl_dep_row *row = &speed->rows[way];
    printf("  %-12s %9.2f %9.4f  %8.3f %8.3f %12.3f  %12.3f %8.3f %9.2f\n", row->name,
           row->steps_per_s, row->cpu_s, row->efficiency, row->efficiency_cpu,
           row->efficiency_flops, row->max_mean_cpu, row->max_mean_flops, (double)row->bytes / 1e6);
  }
  fflush(stdout);
}

static parl_status bench(const cli_args *args, const parl_backend *backend, size_t threads) {
  static const double shares[] = {0.1, 0.3, 0.5};
  const size_t n = args->visual > 0 ? 1 : sizeof shares / sizeof shares[0];
  parl_workers *workers = NULL;
  parl_status s = parl_workers_create(threads, &workers);
  if (s == PARL_STATUS_OK && !args->json)
    printf("%s, products in %s, %zu threads\n", backend->instructions, backend->dtype, threads);
  for (size_t i = 0; i < n && s == PARL_STATUS_OK; i++) {
    const double share = args->visual > 0 ? (double)args->visual / 100 : shares[i];
    parl_dep_speed speed;
    s = parl_dep_bench(backend, workers, share, args->seconds, &speed);
    if (s == PARL_STATUS_OK && args->json)
      s = print_json(&speed, threads);
    else if (s == PARL_STATUS_OK)
      print_text(&speed);
  }
  parl_workers_destroy(workers);
  return s;
}

int bench_dep(const cli_args *args) {
  const parl_backend *backend;
  /* a backend named in full says its dtype itself */
  const char *dtype = args->dtype ? args->dtype : args->backend ? NULL : "auto";
  parl_status s = parl_backend_select(args->backend ? args->backend : "cpu", dtype, &backend);
  size_t threads = (size_t)args->threads;
  if (threads == 0) threads = parl_workers_count_processors();
  if (threads > MOST_THREADS) threads = MOST_THREADS;
  if (s == PARL_STATUS_OK) s = bench(args, backend, threads);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
