/* parl/swarm/slots.c - events in the order of time on a heap, a queue for each side. */
#include "parl/swarm/slots.h"

#include <math.h>
#include <stdlib.h>

#include "core/arena.h"

enum { MAIN, SUB, N_SIDES };

/* Of one moment, in this order. */
typedef enum kind { END, ARRIVE, ASK, LOOK } kind;

/* Of `side`: sub-agent `sub` of an episode's launch, or its orchestrator, sub 0. */
typedef struct event {
  int64_t at;
  kind what;
  int side;
  size_t episode, sub;
} event;

/* Who waits, in order of asking. */
typedef struct queue {
  size_t capacity, first, n;
  event *items; /* [capacity] a ring */
} queue;

typedef struct side {
  queue waiting;
  size_t here, busy, coming; /* slots: there, of them in use, on their way */
  size_t due;                /* here and coming, as soon as those in use are free */
  parl_slots_side sums;
} side;

typedef struct episode {
  const parl_stages *stages;
  size_t stage, n_subs; /* the stage under way; of its group, those that are not done */
} episode;

struct parl_slots {
  parl_slots_def def;
  parl_cost cost;
  parl_arena arena;
  size_t max_episodes, max_width, max_events;
  size_t n_events;
  event *events; /* [max_events] a heap */
  episode *episodes;
  side sides[N_SIDES];
  int64_t now, next_look, moves;
  size_t n_left; /* episodes that are not over */
};

parl_slots_def parl_slots_get(const parl_cost_config *config) {
  const size_t n = (size_t)config->slots;
  const size_t share = (size_t)(config->slot_share * (double)n + 0.5);
  const size_t most = n > 1 ? n - 1 : 1;
  return (parl_slots_def){.slots = n,
                          .n_main = share < 1      ? 1
                                    : share > most ? most
                                                   : share,
                          .is_adaptive = n > 0 && config->slot_split == PARL_SLOT_SPLIT_ADAPTIVE,
                          .period = (int64_t)(config->slot_period * PARL_COST_UNIT + 0.5),
                          .move = (int64_t)(config->slot_move * PARL_COST_UNIT + 0.5)};
}

static double get_ratio(double sum, double n) {
  return n > 0 ? sum / n : (double)NAN;
}

parl_slots_means parl_slots_get_means(const parl_slots_result *r, size_t slots) {
  const parl_slots_side *main = &r->main, *sub = &r->sub;
  const double busy = (double)main->busy + (double)sub->busy, unit = PARL_COST_UNIT;
  return (parl_slots_means){
      .batch_makespan = (double)r->makespan / unit,
      .main_utilisation = get_ratio((double)main->busy, (double)main->held),
      .sub_utilisation = get_ratio((double)sub->busy, (double)sub->held),
      .slot_utilisation = get_ratio(busy, (double)slots * (double)r->makespan),
      .main_wait = get_ratio((double)main->wait / unit, (double)main->n),
      .sub_wait = get_ratio((double)sub->wait / unit, (double)sub->n),
      .slot_moves = (double)r->moves};
}

/* --- life --- */

/* Every slot ends one service or arrives, every sub-agent of a launch, or its orchestrator, asks
 * once, and one look is to come. */
static parl_status allocate(parl_slots *s) {
  const size_t n = s->max_episodes, n_subs = n * s->max_width;
  s->max_events = s->def.slots + n + n_subs + 1;
  s->sides[MAIN].waiting.capacity = n;
  s->sides[SUB].waiting.capacity = n_subs;
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->max_events, &s->events));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, n, &s->episodes));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, n, &s->sides[MAIN].waiting.items));
  return PARL_ARENA_TAKE(&s->arena, n_subs, &s->sides[SUB].waiting.items);
}

parl_status parl_slots_create(const parl_slots_def *def, const parl_cost *cost, size_t max_episodes,
                              size_t max_width, parl_slots **out) {
  PARL_REQUIRE(def->slots >= 2 && def->n_main >= 1 && def->n_main < def->slots);
  PARL_REQUIRE(!def->is_adaptive || (def->period >= 1 && def->move >= 0));
  PARL_REQUIRE(max_episodes >= 1 && max_width >= 1 && max_width <= SIZE_MAX / 2 / max_episodes);
  parl_slots *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "slots: no memory");
  parl_arena_init(&s->arena, (size_t)1 << 16);
  s->def = *def;
  s->cost = *cost;
  s->max_episodes = max_episodes;
  s->max_width = max_width;
  const parl_status status = allocate(s);
  if (status != PARL_STATUS_OK)
    parl_slots_destroy(s);
  else
    *out = s;
  return status;
}

void parl_slots_destroy(parl_slots *slots) {
  if (slots == NULL) return;
  parl_arena_deinit(&slots->arena);
  free(slots);
}

/* --- events and queues --- */

static bool is_before(const event *a, const event *b) {
  if (a->at != b->at) return a->at < b->at;
  if (a->what != b->what) return a->what < b->what;
  if (a->episode != b->episode) return a->episode < b->episode;
  return a->sub < b->sub;
}

static void push(parl_slots *s, event e) {
  PARL_CHECK(s->n_events < s->max_events);
  size_t i = s->n_events++;
  for (; i > 0 && is_before(&e, &s->events[(i - 1) / 2]); i = (i - 1) / 2)
    s->events[i] = s->events[(i - 1) / 2];
  s->events[i] = e;
}

static event pop(parl_slots *s) {
  const event first = s->events[0], last = s->events[--s->n_events];
  size_t i = 0, child = 1;
  for (; child < s->n_events; i = child, child = 2 * i + 1) {
    if (child + 1 < s->n_events && is_before(&s->events[child + 1], &s->events[child])) child++;
    if (!is_before(&s->events[child], &last)) break;
    s->events[i] = s->events[child];
  }
  s->events[i] = last;
  return first;
}

static void enqueue(queue *q, const event *e) {
  PARL_CHECK(q->n < q->capacity);
  q->items[(q->first + q->n++) % q->capacity] = *e;
}

static event dequeue(queue *q) {
  const event e = q->items[q->first];
  q->first = (q->first + 1) % q->capacity;
  q->n--;
  return e;
}

static parl_status add(int64_t *sum, int64_t more) {
  if (!__builtin_add_overflow(*sum, more, sum)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "slots: a sum exceeds %lld thousandths of a step",
                   (long long)INT64_MAX);
}

/* *sum += a * b */
static parl_status add_product(int64_t *sum, int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) return add(sum, INT64_MAX);
  return add(sum, product);
}

/* --- slots --- */

/* What is above what is due goes to the other side as it is free. */
static parl_status shed(parl_slots *s, int from) {
  side *a = &s->sides[from], *b = &s->sides[1 - from];
  while (a->here + a->coming > a->due && a->here > a->busy) {
    event arrival = {.at = s->now, .what = ARRIVE, .side = 1 - from};
    PARL_TRY(add(&arrival.at, s->def.move));
    a->here--;
    b->coming++;
    s->moves++;
    push(s, arrival);
  }
  return PARL_STATUS_OK;
}

static void look(parl_slots *s) {
  const size_t n = s->def.slots;
  const size_t main = s->sides[MAIN].waiting.n + s->sides[MAIN].busy;
  const size_t sub = s->sides[SUB].waiting.n + s->sides[SUB].busy;
  if (main + sub == 0) return;
  size_t due = (2 * n * main + main + sub) / (2 * (main + sub));
  if (due < 1) due = 1;
  if (due > n - 1) due = n - 1;
  s->sides[MAIN].due = due;
  s->sides[SUB].due = n - due;
}

/* Steps of who asked, with what its side adds to them. */
static parl_status get_duration(const parl_slots *s, const event *e, int64_t *out) {
  const episode *ep = &s->episodes[e->episode];
  const parl_stage_record *stage = &ep->stages->items[ep->stage];
  const int64_t steps =
      e->side == MAIN ? stage->main_steps : ep->stages->subs[stage->first_sub + e->sub].steps;
  *out = e->side == MAIN && stage->width > 0 ? s->cost.launch : 0;
  return add_product(out, steps, PARL_COST_UNIT + s->cost.step);
}

static parl_status serve(parl_slots *s, int which) {
  side *p = &s->sides[which];
  while (p->waiting.n > 0 && p->busy < p->here) {
    event e = dequeue(&p->waiting);
    int64_t duration = 0;
    PARL_TRY(get_duration(s, &e, &duration));
    PARL_TRY(add(&p->sums.wait, s->now - e.at));
    PARL_TRY(add(&p->sums.busy, duration));
    e.at = s->now;
    e.what = END;
    PARL_TRY(add(&e.at, duration));
    p->busy++;
    push(s, e);
  }
  return PARL_STATUS_OK;
}

/* --- episodes --- */

static void ask(parl_slots *s, size_t i) {
  if (s->episodes[i].stage == s->episodes[i].stages->n)
    s->n_left--;
  else
    push(s, (event){.at = s->now, .what = ASK, .side = MAIN, .episode = i});
}

static void end_stage(parl_slots *s, size_t i) {
  s->episodes[i].stage++;
  ask(s, i);
}

/* The orchestrator has launched. */
static parl_status start_group(parl_slots *s, size_t i) {
  episode *ep = &s->episodes[i];
  const size_t width = ep->stages->items[ep->stage].width;
  event e = {.at = s->now, .what = ASK, .side = SUB, .episode = i};
  if (width > s->max_width)
    return parl_fail(PARL_STATUS_EINVAL, "slots: a launch of %zu; at most %zu", width,
                     s->max_width);
  ep->n_subs = width;
  for (; e.sub < width; e.sub++) {
    PARL_TRY(add(&e.at, s->cost.spawn));
    push(s, e);
  }
  if (width == 0) end_stage(s, i);
  return PARL_STATUS_OK;
}

static parl_status end_service(parl_slots *s, const event *e) {
  s->sides[e->side].busy--;
  if (e->side == MAIN) return start_group(s, e->episode);
  if (--s->episodes[e->episode].n_subs == 0) end_stage(s, e->episode);
  return PARL_STATUS_OK;
}

static parl_status take(parl_slots *s, const event *e) {
  side *p = &s->sides[e->side];
  switch (e->what) {
    case END:
      return end_service(s, e);
    case ARRIVE:
      p->coming--;
      p->here++;
      return PARL_STATUS_OK;
    case ASK:
      p->sums.n++;
      enqueue(&p->waiting, e);
      return PARL_STATUS_OK;
    case LOOK:
      look(s);
      push(s, (event){.at = s->now + s->def.period, .what = LOOK});
  }
  return PARL_STATUS_OK;
}

/* All of a moment, then who is served from it on. */
static parl_status play_moment(parl_slots *s) {
  const int64_t now = s->events[0].at;
  for (int k = 0; k < N_SIDES; k++)
    PARL_TRY(add_product(&s->sides[k].sums.held, (int64_t)s->sides[k].here, now - s->now));
  s->now = now;
  while (s->n_events > 0 && s->events[0].at == now) {
    const event e = pop(s);
    PARL_TRY(take(s, &e));
  }
  for (int k = 0; k < N_SIDES; k++) PARL_TRY(shed(s, k));
  for (int k = 0; k < N_SIDES; k++) PARL_TRY(serve(s, k));
  return PARL_STATUS_OK;
}

static void begin(parl_slots *s, const parl_stages *const *episodes, size_t n) {
  const size_t n_main = s->def.n_main, of[N_SIDES] = {n_main, s->def.slots - n_main};
  s->n_events = 0;
  s->now = s->moves = 0;
  for (int k = 0; k < N_SIDES; k++) {
    queue q = s->sides[k].waiting;
    q.first = q.n = 0;
    s->sides[k] = (side){.waiting = q, .here = of[k], .due = of[k]};
  }
  s->n_left = n;
  for (size_t i = 0; i < n; i++) {
    s->episodes[i] = (episode){.stages = episodes[i]};
    ask(s, i);
  }
  if (s->def.is_adaptive) push(s, (event){.at = s->def.period, .what = LOOK});
}

parl_status parl_slots_play(parl_slots *slots, const parl_stages *const *episodes, size_t n,
                            parl_slots_result *out) {
  PARL_REQUIRE(n <= slots->max_episodes);
  begin(slots, episodes, n);
  while (slots->n_left > 0) PARL_TRY(play_moment(slots));
  *out = (parl_slots_result){.makespan = slots->now,
                             .main = slots->sides[MAIN].sums,
                             .sub = slots->sides[SUB].sums,
                             .moves = slots->moves};
  return PARL_STATUS_OK;
}
