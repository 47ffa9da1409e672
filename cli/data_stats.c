/* cli/data_stats.c - parl data stats RECIPE: what the first steps are made of. */
#include <math.h>

#include "cli/data.h"
#include "core/json.h"

/* X(field, heading): of a source. */
#define COUNT_LIST(X)               \
  X(documents, "documents")         \
  X(tokens, "tokens")               \
  X(learnt, "learnt")               \
  X(visual_tokens, "visual tokens") \
  X(images, "images")               \
  X(augmented, "augmented")

typedef struct counts {
#define X(field, heading) size_t field;
  COUNT_LIST(X)
#undef X
} counts;

typedef struct tally {
  counts of[PARL_MAX_SOURCES], all;
  double share[PARL_MAX_SOURCES]; /* of the weights, summed over steps */
} tally;

static void count(const parl_document *document, counts *c) {
  c->documents++;
  c->tokens += document->n;
  c->learnt += document->n_learnt;
  c->visual_tokens += parl_document_count_visual(document);
  c->images += document->n_shown;
  c->augmented += document->augmented.n > 0;
}

static parl_status count_batches(const cli_args *args, data_state *d, tally *t) {
  for (int64_t k = 0; k < args->batches; k++) {
    parl_feed_batch b;
    PARL_TRY(data_check_signal());
    PARL_TRY(parl_feed_next(d->feed, &b));
    for (size_t i = 0; i < b.n; i++) {
      count(b.documents[i], &t->of[b.source[i]]);
      count(b.documents[i], &t->all);
    }
    for (size_t i = 0; i < parl_feed_get_n_sources(d->feed); i++) t->share[i] += b.share[i];
  }
  return PARL_STATUS_OK;
}

/* Tokens of all that there was room for. */
static double get_fill(const cli_args *args, const data_state *d, const tally *t) {
  return (double)t->all.tokens /
         ((double)args->batches * (double)d->run.config.pretrain.batch_tokens);
}

static double divide(size_t a, size_t b) {
  return b > 0 ? (double)a / (double)b : (double)NAN;
}

static void append_row(const char *name, const counts *c, double share, size_t all,
                       parl_text *out) {
  parl_text_appendf(out, "%-16s", name);
#define X(field, heading) parl_text_appendf(out, " %13zu", c->field);
  COUNT_LIST(X)
#undef X
  parl_text_appendf(out, " %s %s %s\n", cli_fixed(7, 3, divide(c->learnt, c->tokens)).text,
                    cli_fixed(7, 3, divide(c->tokens, all)).text, cli_fixed(7, 3, share).text);
}

static void append_table(const cli_args *args, const data_state *d, const tally *t,
                         parl_text *out) {
  parl_text_appendf(out, "%-16s", "source");
#define X(field, heading) parl_text_appendf(out, " %13s", heading);
  COUNT_LIST(X)
#undef X
  parl_text_append(out, "  /token   share     due\n");
  for (size_t i = 0; i < parl_feed_get_n_sources(d->feed); i++)
    append_row(parl_feed_get_name(d->feed, i), &t->of[i], t->share[i] / (double)args->batches,
               t->all.tokens, out);
  append_row("all", &t->all, 1.0, t->all.tokens, out);
  parl_text_appendf(out, "%lld steps, %.3f of pretrain.batch_tokens = %lld filled\n",
                    (long long)args->batches, get_fill(args, d, t),
                    (long long)d->run.config.pretrain.batch_tokens);
}

static void write_counts(const counts *c, double share, parl_json_writer *w) {
  parl_json_begin_object(w);
#define X(field, heading)   \
  parl_json_key(w, #field); \
  parl_json_integer(w, (int64_t)c->field);
  COUNT_LIST(X)
#undef X
  parl_json_key(w, "due");
  parl_json_number(w, share);
  parl_json_end_object(w);
}

static void append_json(const cli_args *args, const data_state *d, const tally *t, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "batches");
  parl_json_integer(&w, args->batches);
  parl_json_key(&w, "fill");
  parl_json_number(&w, get_fill(args, d, t));
  parl_json_key(&w, "all");
  write_counts(&t->all, 1.0, &w);
  parl_json_key(&w, "sources");
  parl_json_begin_object(&w);
  for (size_t i = 0; i < parl_feed_get_n_sources(d->feed); i++) {
    parl_json_key(&w, parl_feed_get_name(d->feed, i));
    write_counts(&t->of[i], t->share[i] / (double)args->batches, &w);
  }
  parl_json_end_object(&w);
  parl_json_end_object(&w);
  parl_text_append(out, "\n");
}

int data_stats(const cli_args *args) {
  data_state d = {0};
  tally t = {0};
  parl_text text = {0};
  parl_status s = data_open(args, &d);
  if (s == PARL_STATUS_OK) cli_begin_work();
  if (s == PARL_STATUS_OK) s = count_batches(args, &d, &t);
  if (s == PARL_STATUS_OK) {
    (args->json ? append_json : append_table)(args, &d, &t, &text);
    s = cli_print(&text);
  }
  parl_text_deinit(&text);
  data_close(&d);
  return s == PARL_STATUS_OK ? CLI_DONE : data_fail(s);
}
