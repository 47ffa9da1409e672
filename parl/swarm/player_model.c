/* parl/swarm/player_model.c - a model in a seat: all contexts that wait decode together. */
#include <math.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/rng.h"
#include "engine/feature_cache.h"
#include "parl/swarm/rollout.h"

enum { MAX_ROWS = 512 };

/* A context of the decoder. */
typedef struct model_slot {
  bool is_stale; /* its prefix is to be looked for */
  int32_t n_fed; /* tokens the decoder has */
  parl_question question;
  uint64_t *contents; /* [max_context] of the images among its tokens, 0 elsewhere; NULL: the
                         environment shows none */
  size_t n_known;     /* tokens of which contents are known */
} model_slot;

typedef struct model_seat {
  parl_decoder *decoder;
  const parl_model *model;
  parl_player_counts *counts;
  uint64_t *contents; /* [n, max_context] the slots' */
  size_t n;
  model_slot *slots;    /* [n] */
  parl_arena arena;     /* of the set: */
  parl_bits asked;      /* slots that wait for a token */
  model_slot **asking;  /* [MAX_ROWS] slots whose logits come back, in row order */
  parl_pick *draws;     /* [MAX_ROWS] how they choose */
  parl_sample *samples; /* [MAX_ROWS] what they choose */
  parl_answer *answers; /* [MAX_ROWS] whom they are told, of the step that is under way */
  size_t n_begun;       /* of them; 0: none is */
} model_seat;

static void close_model(void *seat) {
  model_seat *m = seat;
  if (m == NULL) return;
  parl_decoder_destroy(m->decoder);
  parl_arena_deinit(&m->arena);
  free(m->contents);
  free(m->slots);
  free(m->asking);
  free(m->draws);
  free(m->samples);
  free(m->answers);
  free(m);
}

/* Room for what the environment shows. */
static parl_status take_contents(model_seat *m, const parl_seat_def *def, size_t max_context) {
  if (def->spec->vision.width == 0) return PARL_STATUS_OK;
  m->contents = calloc(def->n_slots * max_context, sizeof *m->contents);
  if (m->contents == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "player: no memory for %zu contexts", def->n_slots);
  for (size_t i = 0; i < def->n_slots; i++) m->slots[i].contents = m->contents + i * max_context;
  return PARL_STATUS_OK;
}

static parl_status open_model(const parl_seat_def *def, void **seat) {
  const parl_env_limits *limits = &def->spec->limits;
  const parl_decoder_def decoder = {
      .model = def->player->model,
      .n_slots = def->n_slots,
      .max_context = (size_t)(def->is_main ? limits->context : limits->sub_context),
      .max_rows = MAX_ROWS,
      .cache = def->player->cache};
  model_seat *m = calloc(1, sizeof *m);
  if (m != NULL) {
    parl_arena_init(&m->arena, 0);
    m->slots = calloc(def->n_slots, sizeof *m->slots);
    m->asking = calloc(MAX_ROWS, sizeof *m->asking);
    m->draws = calloc(MAX_ROWS, sizeof *m->draws);
    m->samples = calloc(MAX_ROWS, sizeof *m->samples);
    m->answers = calloc(MAX_ROWS, sizeof *m->answers);
  }
  parl_status s =
      m != NULL && m->slots != NULL && m->asking != NULL && m->draws != NULL &&
              m->samples != NULL && m->answers != NULL
          ? parl_decoder_create(&decoder, &m->decoder)
          : parl_fail(PARL_STATUS_ENOMEM, "player: no memory for %zu contexts", def->n_slots);
  if (s == PARL_STATUS_OK) s = parl_bits_init(&m->asked, def->n_slots, &m->arena);
  if (s == PARL_STATUS_OK) s = take_contents(m, def, decoder.max_context);
  if (s != PARL_STATUS_OK) {
    close_model(m);
    return s;
  }
  m->model = def->player->model;
  m->counts = def->counts;
  m->n = def->n_slots;
  *seat = m;
  return PARL_STATUS_OK;
}

/* Writes down what stands in the places of the question's tokens that are new. */
static void note_contents(model_slot *slot) {
  const parl_question *q = &slot->question;
  if (slot->contents == NULL) return;
  for (size_t i = slot->n_known; i < q->n_tokens; i++) slot->contents[i] = 0;
  for (size_t k = q->shown.n; k-- > 0;) {
    const parl_shown *shown = &q->shown.items[k];
    if ((size_t)shown->at < slot->n_known) break;
    for (int32_t i = 0; i < shown->n; i++)
      slot->contents[shown->at + i] = q->shown.album->items[shown->picture].content;
  }
  slot->n_known = q->n_tokens;
}

static void take_question(model_seat *m, const parl_question *question) {
  model_slot *slot = &m->slots[question->slot];
  if (question->is_new) {
    slot->is_stale = true;
    slot->n_known = 0;
  }
  slot->question = *question;
  parl_bits_add(&m->asked, (size_t)question->slot);
  note_contents(slot);
}

/* Whether a context of this step computes most of what the decoder lacks of the prefix: then this
 * one waits a step and takes it over. */
static bool is_worth_waiting(const model_seat *m, const parl_prefix *prefix) {
  const parl_prefix_match match = parl_decoder_find_prefix(m->decoder, prefix);
  return 2 * (match.coming - match.held) > prefix->n - match.held;
}

/* The next row of a context; *looked: the image whose features it took last. */
static parl_status make_row(const model_seat *m, const model_slot *slot, parl_feature_cache *cache,
                            size_t *looked, const float **features, parl_decoder_row *out) {
  const parl_question *q = &slot->question;
  const size_t at = (size_t)slot->n_fed;
  *out = (parl_decoder_row){.slot = (int32_t)(slot - m->slots),
                            .token = q->tokens[at],
                            .want_logits = at + 1 == q->n_tokens};
  if (slot->contents == NULL || slot->contents[at] == 0) return PARL_STATUS_OK;
  size_t k = 0;
  while ((size_t)(q->shown.items[k].at + q->shown.items[k].n) <= at) k++;
  const parl_shown *shown = &q->shown.items[k];
  if (*looked != k)
    PARL_TRY(
        parl_feature_cache_look(cache, &q->shown.album->items[shown->picture], shown->n, features));
  *looked = k;
  out->content = slot->contents[at];
  out->given =
      *features + (at - (size_t)shown->at) * (size_t)parl_model_get_config(m->model)->d_model;
  return PARL_STATUS_OK;
}

/* Pushes the tokens of a context that the decoder has not seen, while there is room. */
static parl_status push_context(model_seat *m, model_slot *slot, parl_feature_cache *cache,
                                size_t *n, size_t *n_asking) {
  const size_t n_tokens = slot->question.n_tokens;
  const float *features = NULL;
  size_t looked = SIZE_MAX;
  while ((size_t)slot->n_fed < n_tokens && *n < MAX_ROWS) {
    parl_decoder_row row;
    PARL_TRY(make_row(m, slot, cache, &looked, &features, &row));
    PARL_TRY(parl_decoder_push(m->decoder, &row));
    slot->n_fed++;
    ++*n;
    if (row.want_logits) m->asking[(*n_asking)++] = slot;
  }
  return PARL_STATUS_OK;
}

/* Pushes the tokens that the decoder has not seen of every context that waits. */
static parl_status push_rows(model_seat *m, size_t max_asking, parl_feature_cache *cache, size_t *n,
                             size_t *n_asking) {
  *n = *n_asking = 0;
  for (size_t i = parl_bits_first(&m->asked); i < m->n && *n < MAX_ROWS && *n_asking < max_asking;
       i = parl_bits_next(&m->asked, i + 1)) {
    model_slot *slot = &m->slots[i];
    const parl_question *q = &slot->question;
    if (slot->is_stale) {
      const parl_prefix prefix = {.tokens = q->tokens,
                                  .contents = slot->contents,
                                  .n = q->n_tokens - 1}; /* the last one gives logits */
      if (is_worth_waiting(m, &prefix)) continue;
      slot->n_fed = (int32_t)parl_decoder_restart(m->decoder, (int32_t)i, &prefix);
      m->counts->reused_tokens += slot->n_fed;
      slot->is_stale = false;
    }
    PARL_TRY(push_context(m, slot, cache, n, n_asking));
  }
  return PARL_STATUS_OK;
}

/* Whether one of those who ask was shown something. */
static bool shows(model_seat *m) {
  if (m->contents == NULL) return false;
  for (size_t i = parl_bits_first(&m->asked); i < m->n; i = parl_bits_next(&m->asked, i + 1))
    if (m->slots[i].question.shown.n > 0) return true;
  return false;
}

static parl_pick prepare_draw(const parl_question *q) {
  return (parl_pick){.mask = q->mask,
                     .temperature = q->temperature,
                     .top_p = q->top_p,
                     .uniform = parl_rng_uniform(q->job->episode_seed, q->stream, q->index)};
}

static void count_cut(model_seat *m, const parl_pick *draw, const parl_sample *sample) {
  if (draw->top_p <= 0 || draw->top_p >= 1) return;
  m->counts->n_cut++;
  m->counts->cut += (int64_t)ldexp(1.0 - (double)sample->kept, 32);
}

/* The rows of the next step; none are left where one fails. */
static parl_status prepare_step(model_seat *m, size_t max, parl_feature_cache *cache,
                                size_t *n_rows, size_t *n_asking) {
  const parl_status s = push_rows(m, max, cache, n_rows, n_asking);
  if (s != PARL_STATUS_OK) parl_decoder_take_back(m->decoder);
  return s;
}

/* Begins a step of the decoder. Who asked is written down: slots may be forgotten and asked anew
 * before it ends. */
static parl_status begin_step(model_seat *m, parl_feature_cache *cache, size_t max) {
  size_t n_rows = 0, n_asking = 0;
  PARL_TRY(prepare_step(m, max, cache, &n_rows, &n_asking));
  if (n_rows == 0) return PARL_STATUS_OK;
  m->counts->decoded_tokens += (int64_t)n_rows;
  for (size_t i = 0; i < n_asking; i++) {
    const parl_question *q = &m->asking[i]->question;
    m->draws[i] = prepare_draw(q);
    m->answers[i] = (parl_answer){.id = q->id, .slot = q->slot};
    parl_bits_remove(&m->asked, (size_t)q->slot);
  }
  m->n_begun = n_asking;
  return parl_decoder_begin(m->decoder, m->draws, n_asking);
}

static parl_status end_step(model_seat *m, parl_answer *answers, size_t *n) {
  const size_t n_begun = m->n_begun;
  m->n_begun = 0;
  PARL_TRY(parl_decoder_end_sample(m->decoder, n_begun, m->samples));
  for (size_t i = 0; i < n_begun; i++) {
    answers[i] = m->answers[i];
    answers[i].token = m->samples[i].token;
    answers[i].logp = m->samples[i].logp;
    count_cut(m, &m->draws[i], &m->samples[i]);
  }
  *n = n_begun;
  return PARL_STATUS_OK;
}

/* A device begins at once, so that it works for several seats side by side. What is shown is looked
 * up while the caches are held, in collect. */
static parl_status submit_model(void *seat, const parl_question *questions, size_t n) {
  model_seat *m = seat;
  for (size_t i = 0; i < n; i++) take_question(m, &questions[i]);
  if (m->n_begun > 0 || parl_model_is_on_host(m->model) || shows(m)) return PARL_STATUS_OK;
  return begin_step(m, NULL, MAX_ROWS);
}

static parl_status collect_model(void *seat, bool may_wait, parl_answer *answers, size_t max,
                                 size_t *n) {
  (void)may_wait;
  model_seat *m = seat;
  parl_feature_cache *cache = NULL;
  *n = 0;
  if (m->n_begun == 0 && parl_bits_first(&m->asked) == m->n) return PARL_STATUS_OK;
  PARL_CHECK(m->n_begun <= max);
  if (m->n_begun > 0) return end_step(m, answers, n);
  if (!shows(m)) {
    PARL_TRY(begin_step(m, NULL, max));
    return end_step(m, answers, n);
  }
  PARL_TRY(parl_model_get_feature_cache(m->model, &cache));
  parl_feature_cache_enter(cache);
  parl_status s = begin_step(m, cache, max);
  if (s == PARL_STATUS_OK) s = end_step(m, answers, n);
  parl_feature_cache_leave(cache);
  return s;
}

static void forget_model(void *seat, int32_t slot) {
  model_seat *m = seat;
  parl_bits_remove(&m->asked, (size_t)slot);
}

static const parl_player_kind model_kind = {.name = "model",
                                            .open = open_model,
                                            .close = close_model,
                                            .submit = submit_model,
                                            .collect = collect_model,
                                            .forget = forget_model};

parl_player parl_player_of_model(const parl_model *model, parl_cache_dtype cache,
                                 double temperature) {
  return (parl_player){
      .kind = &model_kind, .model = model, .cache = cache, .temperature = temperature};
}
