/* engine/vision_step.c - the tower over all items of a batch: outputs kept, then once more.
 *
 * Packs are the tasks of stage 1, since they write rows of their own; accumulators those of stage
 * 3, since each takes its packs in order. */
#include <stdlib.h>

#include "engine/leaves.h"
#include "engine/vision_internal.h"

/* Floats of one summation task. */
enum { SUM_CHUNK = 16384 };

/* Items [first, first + n) of the batch; where their features begin. */
typedef struct pack {
  size_t first, n, row, patch;
} pack;

struct parl_vision_step {
  const parl_model *model;   /* borrowed */
  parl_workers *workers;     /* borrowed */
  parl_arena arena, numbers; /* on the host, on the device */
  parl_vision_range range;
  size_t n_leaves, pack_patches, max_patches, max_items, max_rows;
  pack *packs; /* [max_items] */
  size_t n_packs;
  parl_leaf_add *adds; /* [n_adds] */
  size_t n_adds;
  float **leaves;      /* [n_leaves] of [range.n] */
  float *features;     /* [max_rows,C] */
  parl_tower **towers; /* [n_towers] of the workers */
  size_t n_towers;
};

typedef struct run_context {
  const parl_vision_step *step;
  const parl_vision_items *items;
  const float *dfeatures;
  float *grads;
} run_context;

static parl_status allocate(parl_vision_step *s) {
  const size_t n_threads = parl_workers_get_count(s->workers), C = s->model->dims.C;
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, s->max_items, &s->packs));
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

static parl_vision_items get_pack(const parl_vision_step *s, const parl_vision_items *items,
                                  const pack *p) {
  return (parl_vision_items){.n_items = p->n,
                             .grid = items->grid + 3 * p->first,
                             .pixels = items->pixels + p->patch * s->model->dims.vision.pixels};
}

/* Items in order, as many as fit; by the batch alone. */
static parl_status cut_packs(parl_vision_step *s, const parl_vision_items *items) {
  size_t patches = 0, rows = 0, in_pack = 0;
  PARL_TRY(parl_vision_check(s->model, items));
  if (items->n_items > s->max_items || parl_vision_count_rows(items) > s->max_rows)
    return parl_fail(PARL_STATUS_EINVAL,
                     "vision: %zu items of %zu rows; there is room for %zu, %zu", items->n_items,
                     parl_vision_count_rows(items), s->max_items, s->max_rows);
  s->n_packs = 0;
  for (size_t i = 0; i < items->n_items; i++) {
    const parl_vision_items one = {1, items->grid + 3 * i, NULL};
    const size_t n = parl_vision_count_patches(&one);
    if (n > s->max_patches)
      return parl_fail(PARL_STATUS_EINVAL,
                       "vision: item %zu has %zu patches; there is room for %zu", i, n,
                       s->max_patches);
    if (i == 0 || in_pack + n > s->pack_patches) {
      s->packs[s->n_packs++] = (pack){.first = i, .row = rows, .patch = patches};
      in_pack = 0;
    }
    s->packs[s->n_packs - 1].n++;
    in_pack += n;
    patches += n;
    rows += parl_vision_count_rows(&one);
  }
  return PARL_STATUS_OK;
}

/* Task i: pack i, whose features alone stay. */
static parl_status look(void *context, size_t i, size_t worker) {
  const run_context *run = context;
  const parl_vision_step *s = run->step;
  const size_t C = s->model->dims.C;
  parl_tower *tower = s->towers[worker];
  const parl_vision_items items = get_pack(s, run->items, &s->packs[i]);
  float *features;
  PARL_TRY(parl_tower_forward(s->model, tower, &items, &features));
  parl_copy_floats(tower->queue, features, s->features + s->packs[i].row * C, tower->M * C);
  return parl_queue_wait(tower->queue);
}

parl_status parl_vision_step_forward(parl_vision_step *step, const parl_vision_items *items,
                                     float **features) {
  PARL_TRY(cut_packs(step, items));
  run_context run = {.step = step, .items = items};
  PARL_TRY(parl_workers_run(step->workers, step->n_packs, look, &run));
  *features = step->features;
  return PARL_STATUS_OK;
}

/* Task a: the packs of accumulator a, in order. */
static parl_status accumulate(void *context, size_t a, size_t worker) {
  const run_context *run = context;
  const parl_vision_step *s = run->step;
  parl_tower *tower = s->towers[worker];
  float *features;
  parl_queue_fill(tower->queue, s->leaves[a], 0, s->range.n * sizeof **s->leaves);
  for (size_t i = a; i < s->n_packs; i += s->n_leaves) {
    const parl_vision_items items = get_pack(s, run->items, &s->packs[i]);
    PARL_TRY(parl_tower_forward(s->model, tower, &items, &features));
    PARL_TRY(parl_tower_backward(
        s->model, tower, run->dfeatures + s->packs[i].row * s->model->dims.C, s->leaves[a]));
  }
  return parl_queue_wait(tower->queue);
}

static size_t count_used(const parl_vision_step *s) {
  return s->n_packs < s->n_leaves ? s->n_packs : s->n_leaves;
}

/* Task c: chunk c of the accumulators' sum, added to the gradient. */
static parl_status add_chunk(void *context, size_t c, size_t worker) {
  const run_context *run = context;
  const parl_vision_step *s = run->step;
  const size_t start = c * SUM_CHUNK, left = s->range.n - start;
  const size_t n = left < SUM_CHUNK ? left : SUM_CHUNK;
  parl_queue *queue = s->towers[worker]->queue;
  parl_leaves_add(queue, s->adds, s->n_adds, count_used(s), s->leaves, start, n);
  const parl_add_args add = {
      .n = n, .a = 1.0F, .x = s->leaves[0] + start, .y = run->grads + s->range.first + start};
  PARL_RUN(queue, add, &add);
  return parl_queue_wait(queue);
}

parl_status parl_vision_step_backward(parl_vision_step *step, const parl_vision_items *items,
                                      const float *dfeatures, float *grads) {
  PARL_TRY(cut_packs(step, items));
  if (step->n_packs == 0) return PARL_STATUS_OK;
  run_context run = {.step = step, .items = items, .dfeatures = dfeatures, .grads = grads};
  PARL_TRY(parl_workers_run(step->workers, count_used(step), accumulate, &run));
  const size_t n_chunks = (step->range.n + SUM_CHUNK - 1) / SUM_CHUNK;
  return parl_workers_run(step->workers, n_chunks, add_chunk, &run);
}
