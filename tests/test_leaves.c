/* tests/test_leaves.c - the tree of leaves, and that ranks who share it get one rank's bits. */
#include <math.h>

#include "core/rng.h"
#include "engine/leaves.h"
#include "tests/engine_support.h"
#include "tests/support.h"

enum { MAX_LEAVES = 40, MAX_SLICES = 21, ROWS = 60, MAX_RANKS = 8, N_RANKS = 5 };
static const size_t RANKS[N_RANKS] = {1, 2, 3, 4, 8};

static void assert_adds(const parl_leaf_add *got, size_t n_got, const parl_leaf_add *wanted,
                        size_t n_wanted) {
  assert_int_equal(n_got, n_wanted);
  for (size_t i = 0; i < n_wanted; i++) {
    assert_int_equal(got[i].first, wanted[i].first);
    assert_int_equal(got[i].middle, wanted[i].middle);
    assert_int_equal(got[i].end, wanted[i].end);
  }
}

/* Five leaves by hand: (0 + 1) + (2 + (3 + 4)); of two ranks the first owns 0 and 1, the second
 * the rest; of three, leaf 0, 1 and 2, 3 and 4. */
static void test_five_leaves(void **state) {
  (void)state;
  parl_leaf_add adds[4];
  const parl_leaf_add all[] = {{0, 1, 2}, {3, 4, 5}, {2, 3, 5}, {0, 2, 5}};
  assert_adds(adds, parl_leaves_list_adds(5, 0, 1, adds), all, 4);
  assert_int_equal(parl_leaves_list_folds(5, 1, adds), 0);
  assert_adds(adds, parl_leaves_list_adds(5, 0, 2, adds), &all[0], 1);
  assert_adds(adds, parl_leaves_list_adds(5, 1, 2, adds), &all[1], 2);
  assert_adds(adds, parl_leaves_list_folds(5, 2, adds), &all[3], 1);
  const parl_leaf_range middle = parl_leaves_get_range(5, 1, 3);
  assert_int_equal(middle.first, 1);
  assert_int_equal(middle.end, 3);
  assert_int_equal(parl_leaves_list_adds(5, 1, 3, adds), 0); /* 1 and 2 have no node of their own */
  assert_adds(adds, parl_leaves_list_adds(5, 2, 3, adds), &all[1], 1);
  const parl_leaf_add folds[] = {{0, 1, 2}, {2, 3, 5}, {0, 2, 5}};
  assert_adds(adds, parl_leaves_list_folds(5, 3, adds), folds, 3);
}

/* Values whose sum tells every order of additions from another: 1e8 swallows ones. */
static void test_order_of_a_sum(void **state) {
  (void)state;
  const float values[] = {1e8F, 1.0F, -1e8F, 3.0F};
  float storage[4], *leaves[4];
  parl_leaf_add adds[3];
  const size_t n_adds = parl_leaves_list_adds(4, 0, 1, adds);
  parl_queue *queue = engine_queue(parl_backend_ref());
  const float wanted[] = {1e8F, 1e8F, 0.0F, 0.0F}; /* of 1, 2, 3 and 4 leaves with slices */
  for (size_t n_used = 1; n_used <= 4; n_used++) {
    for (size_t a = 0; a < 4; a++) {
      storage[a] = a < n_used ? values[a] : NAN;
      leaves[a] = &storage[a];
    }
    parl_leaves_add(queue, adds, n_adds, n_used, leaves, 0, 1);
    /* (1e8 + 1) + (-1e8 + 3); a fold from the left would give 3 */
    assert_float_equal(storage[0], wanted[n_used - 1], 0.0F);
  }
  parl_queue_destroy(queue);
}

/* For every number of leaves and ranks: ranges tile the leaves, and the ranks' additions with those
 * that are left are the tree's, each once. */
static void test_ranks_share_the_tree(void **state) {
  (void)state;
  for (size_t n_leaves = 1; n_leaves <= MAX_LEAVES; n_leaves++)
    for (size_t n_ranks = 1; n_ranks <= MAX_LEAVES + 3; n_ranks++) {
      parl_leaf_add adds[MAX_LEAVES];
      size_t n = parl_leaves_list_folds(n_leaves, n_ranks, adds), next = 0;
      for (size_t rank = 0; rank < n_ranks; rank++) {
        const parl_leaf_range own = parl_leaves_get_range(n_leaves, rank, n_ranks);
        assert_int_equal(own.first, next);
        assert_true(own.end - own.first <= n_leaves / n_ranks + 1);
        next = own.end;
        n += parl_leaves_list_adds(n_leaves, rank, n_ranks, adds);
      }
      assert_int_equal(next, n_leaves);
      assert_int_equal(n, n_leaves - 1);
      /* A power of two of both: every rank is left with one node. */
      if (n_leaves == 32 && n_ranks == 8) assert_int_equal(parl_leaves_list_folds(32, 8, adds), 7);
    }
}

/* --- gradients --- */

typedef struct batch {
  engine_batch parts[MAX_SLICES];
  parl_slice slices[MAX_SLICES];
  parl_train_batch train;
  size_t n_outputs; /* of the whole batch */
} batch;

static batch *batch_create(size_t n_slices) {
  batch *b = calloc(1, sizeof *b);
  assert_non_null(b);
  parl_rng_cursor rng = {3, n_slices, 0};
  for (size_t i = 0; i < n_slices; i++) {
    size_t lengths[3];
    const size_t n = 1 + (size_t)parl_rng_next_below(&rng, 3);
    for (size_t s = 0; s < n; s++) lengths[s] = 1 + (size_t)parl_rng_next_below(&rng, 20);
    engine_fill(&b->parts[i], lengths, n, 1 + i % 3, i);
    b->slices[i] = b->parts[i].slice;
    b->n_outputs += b->slices[i].n_outputs;
  }
  b->train = engine_train_batch(b->slices, n_slices);
  return b;
}

/* Mean over the batch's outputs of half the squares of their logits. */
static parl_status mean_squares(void *context, size_t index, const parl_slice *slice,
                                parl_workspace *ws, float *logits) {
  const batch *b = context;
  (void)index;
  (void)ws;
  for (size_t i = 0; i < slice->n_outputs * ENGINE_VOCAB; i++) logits[i] /= (float)b->n_outputs;
  return PARL_STATUS_OK;
}

/* What one batch gives, of whatever number of ranks. */
typedef struct outcome {
  float *grads;
  double balance;
  int64_t load[64];
} outcome;

/* Every rank runs its part in turn, and sees no slice but its own; then the rest is folded. */
static outcome run_ranks(const parl_model *m, size_t n_leaves, size_t n_ranks, size_t n_threads,
                         const batch *b) {
  const size_t n = parl_model_get_n_params(m);
  const size_t n_load =
      parl_model_get_n_sparse_layers(m) * (size_t)parl_model_get_config(m)->n_routed_experts;
  const size_t n_used = b->train.n_slices < n_leaves ? b->train.n_slices : n_leaves;
  outcome out = {.grads = malloc(n * sizeof *out.grads)};
  assert_true(out.grads != NULL && n_load <= 64);
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(n_threads, &workers));
  parl_train_step *steps[MAX_RANKS];
  float *leaves[MAX_LEAVES], *grads;
  parl_leaf_add folds[MAX_LEAVES];
  for (size_t rank = 0; rank < n_ranks; rank++) {
    const parl_leaf_range own = parl_leaves_get_range(n_leaves, rank, n_ranks);
    parl_slice slices[MAX_SLICES] = {0};
    for (size_t i = 0; i < b->train.n_slices; i++)
      if (i % n_leaves >= own.first && i % n_leaves < own.end) slices[i] = b->slices[i];
    parl_train_step_def def = engine_step_def(m, workers, n_leaves, ROWS);
    def.rank = rank;
    def.n_ranks = n_ranks;
    assert_ok(parl_train_step_create(&def, &steps[rank]));
    const parl_train_batch part = {
        .slices = slices, .n_slices = b->train.n_slices, .n_seqs = b->train.n_seqs};
    assert_ok(parl_train_step_run(steps[rank], &part, mean_squares, (void *)b, &grads));
    for (size_t a = own.first; a < own.end; a++) {
      leaves[a] = parl_train_step_get_leaf(steps[rank], a);
      out.balance += parl_train_step_get_leaf_balance(steps[rank], a);
    }
    assert_ptr_equal(grads, own.end > own.first ? leaves[own.first] : NULL);
    for (size_t i = 0; i < n_load; i++) out.load[i] += parl_train_step_get_load(steps[rank])[i];
  }
  parl_queue *queue = engine_queue(parl_model_get_backend(m));
  parl_leaves_add(queue, folds, parl_leaves_list_folds(n_leaves, n_ranks, folds), n_used, leaves, 0,
                  n);
  parl_queue_destroy(queue);
  memcpy(out.grads, leaves[0], n * sizeof *out.grads);
  for (size_t rank = 0; rank < n_ranks; rank++) parl_train_step_destroy(steps[rank]);
  parl_workers_destroy(workers);
  return out;
}

/* Same bits for 1, 2, 3, 4 and 8 ranks, of 1, 2 and 8 threads each; with more slices than leaves
 * and with fewer; where leaves are not a power of two; with ranks that own no leaf. */
static void check_ranks(const parl_model *m) {
  const size_t leaves[] = {8, 6, 5, 1}, slices[] = {MAX_SLICES, 3, 0};
  for (size_t l = 0; l < 4; l++)
    for (size_t s = 0; s < 3; s++) {
      batch *b = batch_create(slices[s]);
      const outcome one = run_ranks(m, leaves[l], 1, 1, b);
      assert_true(slices[s] == 0 || engine_max_abs(one.grads, parl_model_get_n_params(m)) > 0);
      for (size_t r = 0; r < N_RANKS; r++) {
        const outcome many = run_ranks(m, leaves[l], RANKS[r], r % 2 == 0 ? 2 : 8, b);
        assert_memory_equal(one.grads, many.grads, parl_model_get_n_params(m) * sizeof(float));
        assert_memory_equal(&one.balance, &many.balance, sizeof one.balance);
        assert_memory_equal(one.load, many.load, sizeof one.load);
        free(many.grads);
      }
      free(one.grads);
      free(b);
    }
}

static void test_ranks_do_not_matter(void **state) {
  (void)state;
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cpu(NULL, &backend));
  parl_model_config dense = engine_config(2);
  parl_model *m = engine_model(&dense, backend, 3);
  check_ranks(m);
  parl_model_destroy(m);
  /* Sparse layers share a balance loss among the batch's sequences. */
  parl_model_config sparse = engine_config(4);
  sparse.n_routed_experts = 5;
  sparse.n_experts_per_tok = 2;
  sparse.n_shared_experts = 1;
  sparse.moe_d_ff = 8;
  sparse.first_k_dense = 1;
  sparse.aux_loss_alpha = 0.1;
  m = engine_model(&sparse, backend, 4);
  check_ranks(m);
  parl_model_destroy(m);
}

/* The tree is what makes it so: three ranks' sums added from the left are other bits. */
static void test_folding_ranks_from_the_left_differs(void **state) {
  (void)state;
  parl_model_config config = engine_config(2);
  parl_model *m = engine_model(&config, parl_backend_ref(), 3);
  const size_t n = parl_model_get_n_params(m);
  batch *b = batch_create(MAX_SLICES);
  const outcome one = run_ranks(m, 8, 1, 1, b), same = run_ranks(m, 8, 3, 1, b);
  assert_memory_equal(one.grads, same.grads, n * sizeof(float));
  const outcome other = run_ranks(m, 7, 1, 1, b); /* another tree */
  assert_memory_not_equal(one.grads, other.grads, n * sizeof(float));
  assert_true(engine_difference(one.grads, other.grads, n) < 1e-5);
  free(one.grads);
  free(same.grads);
  free(other.grads);
  free(b);
  parl_model_destroy(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_five_leaves),
      cmocka_unit_test(test_order_of_a_sum),
      cmocka_unit_test(test_ranks_share_the_tree),
      cmocka_unit_test(test_ranks_do_not_matter),
      cmocka_unit_test(test_folding_ranks_from_the_left_differs),
  };
  return cmocka_run_group_tests_name("leaves", tests, NULL, NULL);
}
