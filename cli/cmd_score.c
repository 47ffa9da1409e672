/* cli/cmd_score.c - parl score FILE: terms and costs of episodes that any system recorded.
 *
 * Blocks of the file are cut at line ends into chunks whose places do not depend on the number of
 * threads; what the workers made of them is written in their order. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/score.h"
#include "parl/reward/detectors.h"

enum {
  BLOCK_BYTES = 8 << 20, /* read at once; a longer line makes it grow */
  CHUNK_BYTES = 256 << 10,
  MAX_CHUNKS = BLOCK_BYTES / CHUNK_BYTES + 1,
  ERROR_BYTES = 1024
};
static const size_t MAX_LINE_BYTES = (size_t)1 << 30;

/* Whole lines, and what became of them. */
typedef struct chunk {
  const char *bytes;
  size_t n;
  parl_text out;
  parl_mean_sums sums;
  double terms[3];                  /* sums of r_parallel, r_finish, the total */
  size_t n_lines, n_bad, first_bad; /* first_bad: its number in the chunk, from 1 */
  char error[ERROR_BYTES];          /* of the first bad line */
} chunk;

typedef struct scoring {
  const char *name; /* of the file, for errors */
  int fd;
  bool json, skip_bad, at_end, is_open;
  score_rules rules;
  parl_workers *workers;
  parl_reward **rewards;      /* [threads]: an expression is one thread's */
  parl_score_reader *readers; /* [threads] */
  char *block;
  size_t n, capacity;
  size_t n_chunks;
  chunk *chunks;  /* [MAX_CHUNKS] */
  size_t n_lines; /* of chunks that are done */
  chunk all;
} scoring;

/* --- a chunk --- */

static bool is_blank(const char *s, size_t n) {
  size_t i = 0;
  while (i < n && (s[i] == ' ' || s[i] == '\t' || s[i] == '\r')) i++;
  return i == n;
}

static void add_means(chunk *c, const parl_score_reader *r) {
  parl_facts known = r->facts;
  if (!r->has_useful) known.useful = (double)NAN;
  if (!r->is_known[PARL_SCORE_FIELD_success]) known.success = (double)NAN;
  parl_mean_sums_add(&c->sums, &known, false);
  c->terms[0] += r->terms[PARL_TERM_parallel];
  c->terms[1] += r->terms[PARL_TERM_finish];
  c->terms[2] += r->total;
}

static parl_status score_line(const scoring *s, chunk *c, size_t worker, const char *line,
                              size_t n) {
  parl_score_reader *r = &s->readers[worker];
  const parl_status status = parl_score_read(r, s->rewards[worker], line, n);
  if (status == PARL_STATUS_OK) {
    if (s->json)
      parl_score_append(r, &c->out);
    else
      add_means(c, r);
    return PARL_STATUS_OK;
  }
  if (status == PARL_STATUS_ENOMEM) return status;
  if (c->n_bad++ > 0) return PARL_STATUS_OK;
  c->first_bad = c->n_lines;
  snprintf(c->error, sizeof c->error, "%s", parl_error_text());
  return PARL_STATUS_OK;
}

static parl_status score_chunk(void *context, size_t task, size_t worker) {
  const scoring *s = context;
  chunk *c = &s->chunks[task];
  parl_text_clear(&c->out);
  c->sums = (parl_mean_sums){0};
  c->n_lines = c->n_bad = 0;
  memset(c->terms, 0, sizeof c->terms);
  for (const char *at = c->bytes, *end = c->bytes + c->n; at < end;) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    const size_t n = (size_t)((stop != NULL ? stop : end) - at);
    c->n_lines++;
    if (!is_blank(at, n)) PARL_TRY(score_line(s, c, worker, at, n));
    if (c->n_bad > 0 && !s->skip_bad) break;
    at += n + 1;
  }
  return parl_text_status(&c->out);
}

/* --- the file --- */

/* Fills the block as far as the file goes. */
static parl_status fill(scoring *s) {
  while (s->n < s->capacity && !s->at_end) {
    const ssize_t n = read(s->fd, s->block + s->n, s->capacity - s->n);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return parl_fail(PARL_STATUS_EIO, "%s: %s", s->name, strerror(errno));
    s->at_end = n == 0;
    s->n += (size_t)n;
  }
  return PARL_STATUS_OK;
}

/* Bytes of whole lines in the block; makes room for a longer one. */
static parl_status find_lines(scoring *s, size_t *out) {
  for (;;) {
    PARL_TRY(fill(s));
    *out = s->n;
    while (!s->at_end && *out > 0 && s->block[*out - 1] != '\n') --*out;
    if (*out > 0 || s->at_end) return PARL_STATUS_OK;
    if (s->capacity >= MAX_LINE_BYTES)
      return parl_fail(PARL_STATUS_EFORMAT, "%s:%zu: the line has more than %zu bytes", s->name,
                       s->n_lines + 1, MAX_LINE_BYTES);
    char *grown = realloc(s->block, 2 * s->capacity);
    if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for a line of %s", s->name);
    s->block = grown;
    s->capacity *= 2;
  }
}

/* Chunks of whole lines; the last takes what is left. */
static void cut(scoring *s, size_t n) {
  s->n_chunks = 0;
  for (size_t at = 0; at < n; s->n_chunks++) {
    size_t end = n - at > CHUNK_BYTES ? at + CHUNK_BYTES : n;
    const char *stop = end < n ? memchr(s->block + end, '\n', n - end) : NULL;
    end = stop != NULL ? (size_t)(stop - s->block) + 1 : n;
    if (s->n_chunks == MAX_CHUNKS - 1) end = n;
    s->chunks[s->n_chunks].bytes = s->block + at;
    s->chunks[s->n_chunks].n = end - at;
    at = end;
  }
}

static parl_status take(scoring *s, const chunk *c) {
  if (c->out.n > 0) fwrite(c->out.bytes, 1, c->out.n, stdout); /* failures: cli_close_output */
  for (size_t i = 0; i < PARL_N_MEANS; i++) {
    s->all.sums.sum[i] += c->sums.sum[i];
    s->all.sums.weight[i] += c->sums.weight[i];
  }
  s->all.sums.n += c->sums.n;
  for (int i = 0; i < 3; i++) s->all.terms[i] += c->terms[i];
  if (c->n_bad > 0 && !s->skip_bad)
    return parl_fail(PARL_STATUS_EFORMAT, "%s:%zu: %s", s->name, s->n_lines + c->first_bad,
                     c->error);
  if (c->n_bad > 0 && s->all.n_bad == 0) {
    s->all.first_bad = s->n_lines + c->first_bad;
    memcpy(s->all.error, c->error, sizeof c->error);
  }
  s->all.n_bad += c->n_bad;
  s->n_lines += c->n_lines;
  return PARL_STATUS_OK;
}

static parl_status score_file(scoring *s) {
  static const char bom[] = "\xEF\xBB\xBF";
  for (bool is_first = true;; is_first = false) {
    size_t n;
    PARL_TRY(find_lines(s, &n));
    if (n == 0) return PARL_STATUS_OK;
    cut(s, n);
    if (is_first && n >= 3 && memcmp(s->block, bom, 3) == 0) {
      s->chunks[0].bytes += 3;
      s->chunks[0].n -= 3;
    }
    PARL_TRY(parl_workers_run(s->workers, s->n_chunks, score_chunk, s));
    for (size_t i = 0; i < s->n_chunks; i++) PARL_TRY(take(s, &s->chunks[i]));
    if (ferror(stdout)) return PARL_STATUS_OK; /* nobody reads on */
    memmove(s->block, s->block + n, s->n - n);
    s->n -= n;
  }
}

/* --- for people --- */

static void print_summary(const scoring *s, parl_text *out) {
  const parl_means m = parl_mean_sums_get(&s->all.sums);
  const double n = (double)s->all.sums.n;
  parl_text_appendf(out, "%lld episodes\n\n%-20s  %12s\n", (long long)s->all.sums.n, "mean",
                    "value");
  for (int i = 0; i < PARL_N_MEANS; i++) {
    const double value = parl_means_get_values(&m)[i];
    if (isnan(value) || s->all.sums.sum[i] == 0) continue;
    parl_text_appendf(out, "%-20s  %12.4f\n", parl_mean_names[i], value);
  }
  if (n > 0)
    parl_text_appendf(out, "%-20s  %12.4f\n%-20s  %12.4f\n", "r_parallel", s->all.terms[0] / n,
                      "r_finish", s->all.terms[1] / n);
  if (n > 0 && s->rules.rules.weights != NULL)
    parl_text_appendf(out, "%-20s  %12.4f\n", "reward", s->all.terms[2] / n);
  parl_text_appendf(out, "\n%-20s  %12s  %9s\n", "detector", "measure", "threshold");
  for (int d = 0; d < PARL_N_STATELESS_DETECTORS; d++) {
    const double measure = parl_detector_measure((parl_detector)d, &m, NULL);
    char text[32] = "-";
    if (!isnan(measure)) snprintf(text, sizeof text, "%.4f", measure);
    parl_text_appendf(out, "%-20s  %12s  %9g%s\n", parl_detector_infos[d].name, text,
                      parl_detector_infos[d].threshold,
                      parl_detector_fires((parl_detector)d, measure) ? "  fires" : "");
  }
}

/* --- the command --- */

/* --recipe has definitions of its own; without it there are no weights. CLI_DONE or CLI_USAGE. */
static int check(const cli_args *args) {
  const bool defines = args->parallel != NULL || args->finish != NULL || args->parallel_cap > 0;
  const bool chooses = args->arm != NULL || args->update >= 0 || args->n_sets > 0;
  if (args->recipe != NULL && defines)
    return cli_usage(
        "--parallel, --finish and --parallel-cap are the recipe's; --set "
        "reward.parallel=KIND overrides it");
  if (args->recipe == NULL && chooses)
    return cli_usage("--arm, --update and --set are of --recipe, which is missing");
  return CLI_DONE;
}

static parl_status prepare(scoring *s, const cli_args *args) {
  const char *path = args->operands[0];
  s->json = args->json;
  s->skip_bad = args->skip_bad;
  PARL_TRY(score_rules_open(args, &s->rules));
  cli_begin_work();
  s->is_open = strcmp(path, "-") != 0;
  s->name = s->is_open ? path : "standard input";
  s->fd = s->is_open ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  if (s->fd < 0) return parl_fail(PARL_STATUS_EIO, "%s: %s", path, strerror(errno));
  const size_t threads =
      args->threads > 0 ? (size_t)args->threads : parl_workers_count_processors();
  PARL_TRY(parl_workers_create(threads, &s->workers));
  s->capacity = BLOCK_BYTES;
  s->block = malloc(s->capacity);
  s->readers = calloc(threads, sizeof *s->readers);
  s->rewards = calloc(threads, sizeof(parl_reward *));
  s->chunks = calloc(MAX_CHUNKS, sizeof *s->chunks);
  if (!s->block || !s->readers || !s->rewards || !s->chunks)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory to read %s", s->name);
  for (size_t i = 0; i < threads; i++) {
    s->readers[i].rules = &s->rules.rules;
    PARL_TRY(parl_reward_create(&s->rules.config, s->rules.table, &s->rewards[i]));
  }
  return PARL_STATUS_OK;
}

static void scoring_deinit(scoring *s) {
  for (size_t i = 0; s->readers != NULL && i < parl_workers_get_count(s->workers); i++)
    parl_score_reader_deinit(&s->readers[i]);
  for (size_t i = 0; s->rewards != NULL && i < parl_workers_get_count(s->workers); i++)
    parl_reward_destroy(s->rewards[i]);
  for (size_t i = 0; s->chunks != NULL && i < MAX_CHUNKS; i++) parl_text_deinit(&s->chunks[i].out);
  if (s->is_open && s->fd >= 0) close(s->fd);
  free(s->readers);
  free(s->rewards);
  free(s->chunks);
  free(s->block);
  parl_workers_destroy(s->workers);
  score_rules_deinit(&s->rules);
}

int cmd_score(const cli_args *args) {
  scoring s = {0};
  parl_text out = {0};
  if (check(args) != CLI_DONE) return CLI_USAGE;
  parl_status status = prepare(&s, args);
  if (status == PARL_STATUS_OK) status = score_file(&s);
  if (status == PARL_STATUS_OK && s.all.n_bad > 0)
    fprintf(stderr, "parl: %s: %zu lines are no episodes and left out; the first, line %zu: %s\n",
            s.name, s.all.n_bad, s.all.first_bad, s.all.error);
  if (status == PARL_STATUS_OK && !s.json) {
    print_summary(&s, &out);
    status = cli_print(&out);
  }
  parl_text_deinit(&out);
  scoring_deinit(&s);
  return status == PARL_STATUS_OK ? CLI_DONE : cli_fail(status);
}
