/* engine/vision_step.c - the tower over all items of a batch: outputs kept, then once more.
 *
 * Packs are the tasks of stage 1, since they write rows of their own; accumulators those of stage
 * 3, since each takes its packs in order. Both begin with the dearest, so that what is left at the
 * end is cheap. */
#include <stdlib.h>

#include "core/clock.h"
#include "engine/deal.h"
#include "engine/vision_step_internal.h"

/* Floats of one summation task; patches that a pack may have however small the batch is; packs that
 * an accumulator shall have. */
enum { SUM_CHUNK = 16384, LEAST_PATCHES = 32, PACKS_OF_LEAF = 2 };

typedef struct run_context {
  const parl_vision_step *step;
  const parl_vision_items *items;
  const float *dfeatures;
  float *grads;
} run_context;

static parl_status allocate(parl_vision_step *s) {
  const size_t n_threads = parl_workers_get_count(s->workers), C = s->model->dims.C;
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->max_items, &s->packs));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->max_items, &s->costs));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->max_items, &s->order));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->max_items, &s->leaf));
  for (int stage = 0; stage < 2; stage++)
    PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->max_items, &s->seconds[stage]));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->n_leaves, &s->loads));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->n_leaves, &s->leaf_order));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->n_leaves, &s->adds));
  s->n_adds = parl_leaves_list_adds(s->n_leaves, 0, 1, s->adds);
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->n_leaves, &s->leaves));
  for (size_t a = 0; a < s->n_leaves; a++)
    PARL_TRY(PARL_ARENA_TAKE(&s->numbers, s->range.n, &s->leaves[a]));
  PARL_TRY(
      parl_arena_take(&s->numbers, s->max_rows, C * sizeof *s->features, (void **)&s->features));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, n_threads, &s->towers));
  for (; s->n_towers < n_threads; s->n_towers++)
    PARL_TRY(parl_tower_create(s->model, s->max_patches, &s->towers[s->n_towers]));
  return PARL_STATUS_OK;
}

parl_status parl_vision_step_create(const parl_vision_step_def *def, parl_vision_step **out) {
  PARL_REQUIRE(def != NULL && def->model != NULL && def->workers != NULL && out != NULL);
  PARL_REQUIRE(def->n_leaves >= 1 && def->max_items >= 1 && def->max_rows >= 1);
  PARL_REQUIRE(def->pack_patches >= 1 && def->pack_patches <= def->max_patches);
  parl_vision_step *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "vision step: no memory");
  s->model = def->model;
  s->workers = def->workers;
  s->range = parl_vision_get_range(def->model);
  s->n_leaves = def->n_leaves;
  s->pack_patches = def->pack_patches;
  s->max_patches = def->max_patches;
  s->max_items = def->max_items;
  s->max_rows = def->max_rows;
  parl_arena_init(&s->arena, 0);
  parl_arena_init_from(&s->numbers, 0, &def->model->backend->device()->memory);
  const parl_status status = allocate(s);
  if (status != PARL_STATUS_OK) {
    parl_vision_step_destroy(s);
    return parl_fail_context(status, "vision step with %zu accumulators", def->n_leaves);
  }
  *out = s;
  return PARL_STATUS_OK;
}

void parl_vision_step_destroy(parl_vision_step *step) {
  if (step == NULL) return;
  for (size_t i = 0; i < step->n_towers; i++) parl_tower_destroy(step->towers[i]);
  parl_arena_deinit(&step->numbers);
  parl_arena_deinit(&step->arena);
  free(step);
}

parl_vision_items parl_vision_step_get_pack(const parl_vision_step *s,
                                            const parl_vision_items *items, size_t pack) {
  const parl_vision_pack *p = &s->packs[pack];
  return (parl_vision_items){.n_items = p->n,
                             .grid = items->grid + 3 * p->first,
                             .pixels = items->pixels + p->patch * s->model->dims.vision.pixels};
}

static parl_status check_room(const parl_vision_step *s, const parl_vision_items *items) {
  PARL_TRY(parl_vision_check(s->model, items));
  if (items->n_items > s->max_items || parl_vision_count_rows(items) > s->max_rows)
    return parl_fail(PARL_STATUS_EINVAL,
                     "vision: %zu items of %zu rows; there is room for %zu, %zu", items->n_items,
                     parl_vision_count_rows(items), s->max_items, s->max_rows);
  return PARL_STATUS_OK;
}

/* Patches of a pack: few enough that every accumulator has some. */
static size_t limit_packs(const parl_vision_step *s, const parl_vision_items *items) {
  const size_t share = parl_vision_count_patches(items) / (PACKS_OF_LEAF * s->n_leaves);
  const size_t wanted = share > LEAST_PATCHES ? share : LEAST_PATCHES;
  return wanted < s->pack_patches ? wanted : s->pack_patches;
}

/* Items in order, as many as fit; by the batch alone. */
static parl_status cut_packs(parl_vision_step *s, const parl_vision_items *items) {
  const size_t limit = limit_packs(s, items);
  size_t patches = 0, rows = 0, in_pack = 0;
  s->n_packs = 0;
  for (size_t i = 0; i < items->n_items; i++) {
    const parl_vision_items one = {1, items->grid + 3 * i, NULL};
    const size_t n = parl_vision_count_patches(&one);
    if (n > s->max_patches)
      return parl_fail(PARL_STATUS_EINVAL,
                       "vision: item %zu has %zu patches; there is room for %zu", i, n,
                       s->max_patches);
    if (i == 0 || in_pack + n > limit) {
      s->packs[s->n_packs] = (parl_vision_pack){.first = i, .row = rows, .patch = patches};
      s->costs[s->n_packs++] = 0.0;
      in_pack = 0;
    }
    s->packs[s->n_packs - 1].n++;
    s->costs[s->n_packs - 1] +=
        parl_vision_count_flops(&s->model->dims, (double)one.grid[0], (double)n);
    in_pack += n;
    patches += n;
    rows += parl_vision_count_rows(&one);
  }
  return PARL_STATUS_OK;
}

parl_status parl_vision_step_plan(parl_vision_step *s, const parl_vision_items *items) {
  PARL_TRY(check_room(s, items));
  PARL_TRY(cut_packs(s, items));
  s->n_used = s->n_packs < s->n_leaves ? s->n_packs : s->n_leaves;
  if (s->n_packs == 0) return PARL_STATUS_OK;
  parl_deal_sort(s->n_packs, s->costs, s->order);
  parl_deal(s->n_packs, s->costs, s->order, s->n_used, s->leaf, s->loads, s->leaf_order);
  parl_deal_sort(s->n_used, s->loads, s->leaf_order);
  return PARL_STATUS_OK;
}

parl_status parl_vision_step_look(const parl_vision_step *s, const parl_vision_items *items,
                                  size_t pack, size_t worker) {
  const double start = parl_clock_thread_s();
  const size_t C = s->model->dims.C;
  parl_tower *tower = s->towers[worker];
  const parl_vision_items part = parl_vision_step_get_pack(s, items, pack);
  float *features;
  PARL_TRY(parl_tower_forward(s->model, tower, &part, &features));
  parl_copy_floats(tower->queue, features, s->features + s->packs[pack].row * C, tower->M * C);
  PARL_TRY(parl_queue_wait(tower->queue));
  s->seconds[0][pack] = parl_clock_thread_s() - start;
  return PARL_STATUS_OK;
}

/* Task i: the i-th dearest pack. */
static parl_status look(void *context, size_t i, size_t worker) {
  const run_context *run = context;
  return parl_vision_step_look(run->step, run->items, run->step->order[i], worker);
}

parl_status parl_vision_step_forward(parl_vision_step *step, const parl_vision_items *items,
                                     float **features) {
  PARL_TRY(parl_vision_step_plan(step, items));
  run_context run = {.step = step, .items = items};
  PARL_TRY(parl_workers_run(step->workers, step->n_packs, look, &run));
  *features = step->features;
  return PARL_STATUS_OK;
}

parl_status parl_vision_step_learn(const parl_vision_step *s, const parl_vision_items *items,
                                   const float *dfeatures, size_t pack, size_t worker) {
  const double start = parl_clock_thread_s();
  parl_tower *tower = s->towers[worker];
  const parl_vision_items part = parl_vision_step_get_pack(s, items, pack);
  float *features;
  PARL_TRY(parl_tower_forward(s->model, tower, &part, &features));
  PARL_TRY(parl_tower_backward(s->model, tower, dfeatures + s->packs[pack].row * s->model->dims.C,
                               s->leaves[s->leaf[pack]]));
  PARL_TRY(parl_queue_wait(tower->queue));
  s->seconds[1][pack] = parl_clock_thread_s() - start;
  return PARL_STATUS_OK;
}

/* Task i: the packs of the accumulator with the i-th most to do, the dearest first. */
static parl_status accumulate(void *context, size_t i, size_t worker) {
  const run_context *run = context;
  const parl_vision_step *s = run->step;
  const size_t leaf = s->leaf_order[i];
  parl_queue_fill(s->towers[worker]->queue, s->leaves[leaf], 0, s->range.n * sizeof **s->leaves);
  for (size_t k = 0; k < s->n_packs; k++)
    if (s->leaf[s->order[k]] == leaf)
      PARL_TRY(parl_vision_step_learn(s, run->items, run->dfeatures, s->order[k], worker));
  return PARL_STATUS_OK;
}

/* Task c: chunk c of the accumulators' sum, added to the gradient. */
static parl_status add_chunk(void *context, size_t c, size_t worker) {
  const run_context *run = context;
  const parl_vision_step *s = run->step;
  const size_t start = c * SUM_CHUNK, left = s->range.n - start;
  const size_t n = left < SUM_CHUNK ? left : SUM_CHUNK;
  parl_queue *queue = s->towers[worker]->queue;
  parl_leaves_add(queue, s->adds, s->n_adds, s->n_used, s->leaves, start, n);
  const parl_add_args add = {
      .n = n, .a = 1.0F, .x = s->leaves[0] + start, .y = run->grads + s->range.first + start};
  PARL_RUN(queue, add, &add);
  return parl_queue_wait(queue);
}

parl_status parl_vision_step_sum(parl_vision_step *step, float *grads) {
  run_context run = {.step = step, .grads = grads};
  const size_t n_chunks = (step->range.n + SUM_CHUNK - 1) / SUM_CHUNK;
  return parl_workers_run(step->workers, n_chunks, add_chunk, &run);
}

parl_status parl_vision_step_backward(parl_vision_step *step, const parl_vision_items *items,
                                      const float *dfeatures, float *grads) {
  PARL_TRY(parl_vision_step_plan(step, items));
  if (step->n_packs == 0) return PARL_STATUS_OK;
  run_context run = {.step = step, .items = items, .dfeatures = dfeatures};
  PARL_TRY(parl_workers_run(step->workers, step->n_used, accumulate, &run));
  return parl_vision_step_sum(step, grads);
}
