/* parl/learn/pretrain.c - steps on documents, looks at held-out ones, and their rows. */
#include "parl/learn/pretrain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION_TYPE_ parl_pretrain_config
PARL_CONFIG_SECTION(parl_pretrain_section, "pretrain", "learning from documents, before all else",
                    PARL_PRETRAIN_FIELDS);
#undef SECTION_TYPE_

struct parl_pretrainer {
  const parl_pretrain_config *config;
  parl_feed *feed;
  parl_learner *learner;
  const parl_env_spec *spec; /* borrowed */
  size_t n_words;
  uint64_t *mask;                            /* [n_words] all tokens but those of images */
  parl_sequence sequence;                    /* room for one document's choices */
  parl_document *held_out[PARL_MAX_SOURCES]; /* [eval_documents] of each source; NULL: not yet */
  int32_t *likeliest;                        /* [batch_tokens] */
  int64_t step;
  double loss;
  parl_pretrain_rows rows;
};

double parl_pretrain_get_lr(const parl_pretrain_config *config, int64_t t) {
  const double left = 1.0 - config->decay_from;
  const double past = (double)t / (double)config->steps - config->decay_from;
  const double u = left > 0 ? fmin(fmax(past / left, 0.0), 1.0) : 0.0;
  const double e = config->lr_end;
  if (config->decay == PARL_DECAY_LINEAR) return config->lr * (1.0 - (1.0 - e) * u);
  if (config->decay == PARL_DECAY_COSINE)
    return config->lr * (e + (1.0 - e) * (1.0 + cos(acos(-1.0) * u)) / 2.0);
  return config->lr;
}

/* --- rows --- */

void parl_pretrain_rows_deinit(parl_pretrain_rows *rows) {
  free(rows->items);
  *rows = (parl_pretrain_rows){0};
}

static parl_status put(parl_pretrain_rows *rows, int64_t step, const char *key, const char *source,
                       double value) {
  if (rows->n == rows->room) {
    const size_t room = 2 * rows->room + 256;
    parl_pretrain_row *items = realloc(rows->items, room * sizeof *items);
    if (items == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu metrics", room);
    rows->items = items;
    rows->room = room;
  }
  parl_pretrain_row *row = &rows->items[rows->n++];
  row->step = step;
  row->value = value;
  snprintf(row->key, sizeof row->key, "pretrain/%s%s%s", key, source[0] != '\0' ? "/" : "", source);
  return PARL_STATUS_OK;
}

/* A row is [step, key, value]; what is not finite is null. */
static void write_rows(const parl_pretrain_rows *rows, parl_json_writer *w) {
  parl_json_key(w, "rows");
  parl_json_begin_array(w);
  for (size_t i = 0; i < rows->n; i++) {
    parl_json_begin_array(w);
    parl_json_integer(w, rows->items[i].step);
    parl_json_string(w, rows->items[i].key + strlen("pretrain/"));
    parl_json_number(w, rows->items[i].value);
    parl_json_end_array(w);
  }
  parl_json_end_array(w);
}

static parl_status read_row(const parl_json *node, const char *what, parl_pretrain_rows *rows) {
  const parl_json *step = parl_json_get_first(node);
  const parl_json *key = step != NULL ? parl_json_get_next(step) : NULL;
  const parl_json *value = key != NULL ? parl_json_get_next(key) : NULL;
  const char *name = parl_json_get_string(key);
  const double at = parl_json_get_number(step);
  if (value == NULL || name == NULL || strlen(name) >= PARL_PRETRAIN_KEY_BYTES - 16 ||
      !(at >= 0 && at <= 1e9))
    return parl_fail(PARL_STATUS_EFORMAT, "%s: \"rows\" has one that is no [step, key, value]",
                     what);
  const bool is_number = parl_json_get_type(value) == PARL_JSON_NUMBER;
  return put(rows, (int64_t)at, name, "", is_number ? parl_json_get_number(value) : (double)NAN);
}

parl_status parl_pretrain_rows_read(const parl_json *state, const char *what,
                                    parl_pretrain_rows *out) {
  parl_pretrain_rows rows = {0};
  const parl_json *list = parl_json_find(state, "rows");
  parl_status s = PARL_STATUS_OK;
  if (parl_json_get_type(list) != PARL_JSON_ARRAY)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: there is no list \"rows\"", what);
  for (const parl_json *c = parl_json_get_first(list); c != NULL && s == PARL_STATUS_OK;
       c = parl_json_get_next(c))
    s = read_row(c, what, &rows);
  if (s == PARL_STATUS_OK)
    *out = rows;
  else
    parl_pretrain_rows_deinit(&rows);
  return s;
}

/* --- life --- */

static parl_status create_learner(parl_pretrainer *p, const parl_pretrainer_def *def,
                                  const parl_env_spec *spec, size_t longest) {
  parl_optimizer_config optimizer;
  parl_config_set_defaults(&parl_optimizer_section, &optimizer);
  optimizer.lr = p->config->lr;
  optimizer.warmup = p->config->warmup;
  optimizer.kind = p->config->optimizer;
  optimizer.weight_decay = p->config->weight_decay;
  parl_learner_def learner = parl_learner_def_default();
  learner.model = def->model;
  learner.workers = def->feed.workers;
  learner.optimizer = &optimizer;
  learner.imitate = true;
  learner.vision_alone = p->config->train == PARL_TRAIN_VISION;
  learner.max_rows = (size_t)p->config->batch_tokens;
  learner.max_sequences = (learner.max_rows + 1) / 2; /* <bos> and one that is learnt */
  learner.longest = longest;
  learner.n_words = p->n_words;
  learner.vision = spec->vision;
  return parl_learner_create(&learner, &p->learner);
}

static parl_status allocate(parl_pretrainer *p, const parl_env_spec *spec, size_t longest) {
  parl_sequence *s = &p->sequence;
  p->mask = calloc(p->n_words, sizeof *p->mask);
  p->likeliest = calloc((size_t)p->config->batch_tokens, sizeof *p->likeliest);
  s->at = calloc(longest, sizeof *s->at);
  s->logp = calloc(longest, sizeof *s->logp);
  s->masks = calloc(longest * p->n_words, sizeof *s->masks);
  if (!p->mask || !p->likeliest || !s->at || !s->logp || !s->masks)
    return parl_fail(PARL_STATUS_ENOMEM, "pretraining: no memory");
  s->n_words = (int32_t)p->n_words;
  for (int v = 0; v < spec->n_plain; v++) p->mask[v / 64] |= UINT64_C(1) << (v % 64);
  return PARL_STATUS_OK;
}

static parl_status build(parl_pretrainer *p, const parl_pretrainer_def *def) {
  const parl_env_spec *spec = p->spec = parl_env_get_spec(def->feed.env);
  p->n_words = ((size_t)spec->n_tokens + 63) / 64;
  PARL_TRY(allocate(p, spec, def->feed.max_tokens));
  PARL_TRY(create_learner(p, def, spec, def->feed.max_tokens));
  return parl_feed_create(&def->feed, &p->feed);
}

parl_status parl_pretrainer_create(const parl_pretrainer_def *def, parl_pretrainer **out) {
  PARL_REQUIRE(def->config->steps >= 1);
  parl_pretrainer *p = calloc(1, sizeof *p);
  if (p == NULL) return parl_fail(PARL_STATUS_ENOMEM, "pretraining: no memory");
  p->config = def->config;
  p->loss = (double)NAN;
  const parl_status s = build(p, def);
  if (s == PARL_STATUS_OK)
    *out = p;
  else
    parl_pretrainer_destroy(p);
  return s;
}

void parl_pretrainer_destroy(parl_pretrainer *p) {
  if (p == NULL) return;
  for (size_t i = 0; i < PARL_MAX_SOURCES; i++) {
    for (int64_t k = 0; p->held_out[i] != NULL && k < p->config->eval_documents; k++)
      parl_document_deinit(&p->held_out[i][k]);
    free(p->held_out[i]);
  }
  parl_feed_destroy(p->feed);
  parl_learner_destroy(p->learner);
  parl_pretrain_rows_deinit(&p->rows);
  free(p->mask);
  free(p->likeliest);
  free(p->sequence.at);
  free(p->sequence.logp);
  free(p->sequence.masks);
  free(p);
}

parl_optimizer *parl_pretrainer_get_optimizer(parl_pretrainer *p) {
  return parl_learner_get_optimizer(p->learner);
}

const parl_feed *parl_pretrainer_get_feed(const parl_pretrainer *p) {
  return p->feed;
}

int64_t parl_pretrainer_get_step(const parl_pretrainer *p) {
  return p->step;
}

double parl_pretrainer_get_loss(const parl_pretrainer *p) {
  return p->loss;
}

const parl_pretrain_rows *parl_pretrainer_get_rows(const parl_pretrainer *p) {
  return &p->rows;
}

/* --- looks --- */

/* Of some documents. */
typedef struct tally {
  double loss, n, n_right;
  double n_documents, n_exact, n_of_kind; /* wholly right; of the due kind of token throughout */
} tally;

static parl_status add_document(parl_pretrainer *p, const parl_document *document, size_t i) {
  parl_document_fill(document, p->mask, &p->sequence);
  return parl_batch_add_uniform(parl_learner_get_batch(p->learner), &p->sequence, i, 1.0F);
}

/* The loss of the batch's choices [from, to). */
static double sum_loss(const parl_pretrainer *p, size_t from, size_t to) {
  const float *logp = parl_learner_get_logp(p->learner);
  double sum = 0;
  for (size_t i = from; i < to; i++) sum -= (double)logp[i];
  return sum;
}

/* Values of one family are of one kind; any other token is of its own. */
static bool is_of_kind(const parl_env_spec *spec, int32_t a, int32_t b) {
  for (int i = 0; i < spec->n_families; i++) {
    const parl_family *f = &spec->families[i];
    if (a < f->first_token || a >= f->first_token + f->n) continue;
    return b >= f->first_token && b < f->first_token + f->n;
  }
  return a == b;
}

parl_pretrain_verdict parl_pretrain_judge(const parl_env_spec *spec, const int32_t *due,
                                          const int32_t *likeliest, size_t n) {
  size_t n_right = 0, n_of_kind = 0;
  for (size_t i = 0; i < n; i++) {
    n_right += likeliest[i] == due[i];
    n_of_kind += is_of_kind(spec, due[i], likeliest[i]);
  }
  return (parl_pretrain_verdict){n_right, n_right == n, n_of_kind == n};
}

/* The batch's choices [from, to), a document's. */
static void judge_document(const parl_pretrainer *p, size_t from, size_t to, tally *out) {
  const int32_t *due = parl_learner_get_batch(p->learner)->targets;
  const parl_pretrain_verdict v =
      parl_pretrain_judge(p->spec, due + from, p->likeliest + from, to - from);
  out->n_right += (double)v.n_right;
  out->n_documents += 1;
  out->n_exact += v.is_exact;
  out->n_of_kind += v.is_of_kind;
}

static parl_status measure(parl_pretrainer *p, tally *out) {
  parl_learner_info info;
  const parl_batch *b = parl_learner_get_batch(p->learner);
  PARL_TRY(parl_learner_measure(p->learner, p->likeliest, &info));
  out->loss += sum_loss(p, 0, b->n_outputs);
  out->n += (double)b->n_outputs;
  for (size_t k = 0; k < b->n_sequences; k++)
    judge_document(p, k > 0 ? b->end_output[k - 1] : 0, b->end_output[k], out);
  parl_batch_reset(parl_learner_get_batch(p->learner));
  return PARL_STATUS_OK;
}

static parl_status look_at(parl_pretrainer *p, const parl_document *documents, size_t n,
                           tally *out) {
  size_t n_tokens = 0, n_in = 0;
  parl_batch_reset(parl_learner_get_batch(p->learner));
  for (size_t k = 0; k < n; k++) {
    if (n_tokens + documents[k].n > (size_t)p->config->batch_tokens) {
      PARL_TRY(measure(p, out));
      n_tokens = n_in = 0;
    }
    PARL_TRY(add_document(p, &documents[k], n_in++));
    n_tokens += documents[k].n;
  }
  return measure(p, out);
}

static parl_status look(parl_pretrainer *p) {
  const size_t n = (size_t)p->config->eval_documents;
  for (size_t i = 0; n > 0 && i < parl_feed_get_n_sources(p->feed); i++) {
    const char *name = parl_feed_get_name(p->feed, i);
    tally t = {0};
    if (!parl_source_is_measured(parl_feed_get_source(p->feed, i))) continue;
    if (p->held_out[i] == NULL) {
      p->held_out[i] = calloc(n, sizeof *p->held_out[i]);
      if (p->held_out[i] == NULL) return parl_fail(PARL_STATUS_ENOMEM, "pretraining: no memory");
      PARL_TRY(parl_feed_get_held_out(p->feed, i, n, p->held_out[i]));
    }
    PARL_TRY(look_at(p, p->held_out[i], n, &t));
    PARL_TRY(put(&p->rows, p->step, "held_out", name, t.loss / t.n));
    PARL_TRY(put(&p->rows, p->step, "held_out_accuracy", name, t.n_right / t.n));
    PARL_TRY(put(&p->rows, p->step, "held_out_exact", name, t.n_exact / t.n_documents));
    PARL_TRY(put(&p->rows, p->step, "held_out_of_kind", name, t.n_of_kind / t.n_documents));
  }
  return PARL_STATUS_OK;
}

/* --- a step --- */

static parl_status put_losses(parl_pretrainer *p, const parl_feed_batch *b) {
  const size_t *end = parl_learner_get_batch(p->learner)->end_output;
  tally of[PARL_MAX_SOURCES] = {{0}}, text = {0}, image = {0};
  double n_visual = 0;
  for (size_t i = 0; i < b->n; i++) {
    const size_t from = i > 0 ? end[i - 1] : 0;
    const double loss = sum_loss(p, from, end[i]), n = (double)(end[i] - from);
    tally *kind = b->documents[i]->n_shown > 0 ? &image : &text;
    of[b->source[i]].loss += loss;
    of[b->source[i]].n += n;
    kind->loss += loss;
    kind->n += n;
    n_visual += (double)parl_document_count_visual(b->documents[i]);
  }
  for (size_t i = 0; i < parl_feed_get_n_sources(p->feed); i++) {
    const char *name = parl_feed_get_name(p->feed, i);
    if (of[i].n > 0) PARL_TRY(put(&p->rows, p->step, "loss", name, of[i].loss / of[i].n));
    PARL_TRY(put(&p->rows, p->step, "tokens", name, (double)parl_feed_get_tokens(p->feed, i)));
  }
  if (text.n > 0) PARL_TRY(put(&p->rows, p->step, "loss_text", "", text.loss / text.n));
  if (image.n > 0) PARL_TRY(put(&p->rows, p->step, "loss_image", "", image.loss / image.n));
  PARL_TRY(put(&p->rows, p->step, "visual_tokens", "", n_visual));
  p->loss = (text.loss + image.loss) / (text.n + image.n);
  return put(&p->rows, p->step, "loss", "", p->loss);
}

static parl_status learn(parl_pretrainer *p) {
  parl_feed_batch b;
  parl_learner_info info;
  PARL_TRY(parl_feed_next(p->feed, &b));
  parl_batch_reset(parl_learner_get_batch(p->learner));
  for (size_t i = 0; i < b.n; i++) PARL_TRY(add_document(p, b.documents[i], i));
  parl_optimizer_set_lr(parl_learner_get_optimizer(p->learner),
                        parl_pretrain_get_lr(p->config, p->step));
  PARL_TRY(parl_learner_step(p->learner, &info));
  PARL_TRY(put_losses(p, &b));
  PARL_TRY(put(&p->rows, p->step, "lr", "", info.optimizer.lr));
  PARL_TRY(put(&p->rows, p->step, "grad_norm", "", info.optimizer.grad_norm));
  return put(&p->rows, p->step, "fill", "", (double)b.n_tokens / (double)p->config->batch_tokens);
}

parl_status parl_pretrainer_step(parl_pretrainer *p) {
  PARL_REQUIRE(p->step < p->config->steps);
  if (p->step % p->config->eval_every == 0) PARL_TRY(look(p));
  PARL_TRY(learn(p));
  p->step++;
  return p->step == p->config->steps ? look(p) : PARL_STATUS_OK;
}

/* --- the state --- */

void parl_pretrainer_write_state(const parl_pretrainer *p, parl_json_writer *w) {
  parl_json_key(w, "step");
  parl_json_integer(w, p->step);
  parl_json_key(w, "feed");
  parl_feed_write_state(p->feed, w);
  write_rows(&p->rows, w);
}

parl_status parl_pretrainer_read_state(parl_pretrainer *p, const parl_json *state,
                                       const char *what) {
  parl_pretrain_rows rows = {0};
  const double step = parl_json_get_number(parl_json_find(state, "step"));
  if (!(step >= 0 && step <= (double)p->config->steps))
    return parl_fail(PARL_STATUS_EFORMAT, "%s: \"step\" is not one of 0 to %lld", what,
                     (long long)p->config->steps);
  PARL_TRY(parl_pretrain_rows_read(state, what, &rows));
  const parl_status s = parl_feed_read_state(p->feed, parl_json_find(state, "feed"), what);
  if (s != PARL_STATUS_OK) {
    parl_pretrain_rows_deinit(&rows);
    return s;
  }
  parl_pretrain_rows_deinit(&p->rows);
  p->rows = rows;
  p->step = (int64_t)step;
  return PARL_STATUS_OK;
}
