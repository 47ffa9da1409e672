/* tests/test_learner.c - packing of sequences, and the gradient of the whole objective against
 * differences. */
#include "parl/learn/learner.h"
#include "tests/engine_support.h"
#include "tests/rollout_support.h"

enum { V = 20, N_SEQS = 5, LONGEST = 9 };

typedef struct sequences {
  parl_trajectories *set;
  parl_sequence *s[N_SEQS];
} sequences;

/* Sequences of unequal length whose choices are every third token, with masks of a few allowed
 * tokens. */
static void make_sequences(sequences *q) {
  assert_ok(parl_trajectories_create(
      &(parl_trajectories_def){.n = N_SEQS, .max_mains = 1, .context = LONGEST, .n_words = 1},
      &q->set));
  parl_rng_cursor rng = {7, 0, 0};
  for (int i = 0; i < N_SEQS; i++) {
    parl_sequence *s = q->s[i] = &parl_trajectories_get(q->set, (size_t)i)->mains[0];
    s->n_tokens = LONGEST - i;
    for (int t = 0; t < s->n_tokens; t++) s->tokens[t] = (int32_t)parl_rng_next_below(&rng, V);
    s->tokens[0] = i; /* no two sequences look alike, so that all can be known by heart */
    s->n_choices = 0;
    for (int t = 1 + i % 2; t < s->n_tokens; t += 3) {
      const uint64_t mask = (parl_rng_next(&rng) & ((1u << V) - 1)) | 1u << s->tokens[t];
      s->at[s->n_choices] = t;
      s->masks[s->n_choices] = mask;
      s->logp[s->n_choices++] = (float)(-0.5 - 2.0 * parl_rng_next_uniform(&rng));
    }
  }
}

static void test_packing(void **state) {
  (void)state;
  sequences q;
  make_sequences(&q);
  parl_batch *b = NULL;
  assert_ok(parl_batch_create(N_SEQS, LONGEST, 0, 16, 1, &b));
  for (int i = 0; i < N_SEQS; i++) parl_batch_add_uniform(b, q.s[i], (size_t)i / 2, (float)i);
  size_t rows = 0, outputs = 0, seqs = 0;
  for (size_t k = 0; k < b->n_slices; k++) {
    const parl_slice *s = &b->slices[k];
    assert_int_equal(b->first_output[k], outputs);
    assert_true((size_t)s->seq_start[s->n_seqs] <= 16);
    for (size_t i = 0; i < s->n_seqs; i++, seqs++) {
      const int32_t n = s->seq_start[i + 1] - s->seq_start[i];
      const parl_sequence *from = q.s[seqs];
      assert_int_equal(n, from->at[from->n_choices - 1]);
      assert_memory_equal(s->tokens + s->seq_start[i], from->tokens, (size_t)n * sizeof(int32_t));
    }
    rows += (size_t)s->seq_start[s->n_seqs];
    outputs += s->n_outputs;
  }
  assert_int_equal(seqs, N_SEQS);
  assert_int_equal(rows, b->n_rows);
  assert_int_equal(outputs, b->n_outputs);
  assert_true(b->n_slices >= 2);
  /* The first choice of the last sequence: predicted by the row before it, its own target and
   * weight. */
  const parl_slice *last = &b->slices[b->n_slices - 1];
  const parl_sequence *from = q.s[N_SEQS - 1];
  const size_t o = b->n_outputs - (size_t)from->n_choices;
  assert_int_equal(b->outputs[o], last->seq_start[last->n_seqs - 1] + from->at[0] - 1);
  assert_int_equal(b->targets[o], from->tokens[from->at[0]]);
  assert_close((double)b->weight[o], N_SEQS - 1, 0);
  parl_batch_destroy(b);
  parl_trajectories_destroy(q.set);
}

typedef struct gradient_case {
  const char *backend;
  int kind;
  bool imitate, masked;
  double temperature, entropy_bonus;
  int normalise;
  bool no_tau;
} gradient_case;

static parl_learner *make_learner(const gradient_case *c, parl_model *model, parl_workers *workers,
                                  const sequences *q) {
  parl_optimizer_config optimizer;
  parl_objective_config objective;
  parl_config_set_defaults(&parl_optimizer_section, &optimizer);
  parl_config_set_defaults(&parl_objective_section, &objective);
  optimizer.lr = 5e-3;
  optimizer.warmup = 0;
  objective.kind = c->kind;
  objective.alpha = 0.2;
  objective.beta = 4.0;
  objective.tau = c->no_tau ? 0 : 0.05;
  objective.tau_masked = c->masked;
  objective.entropy_bonus = c->entropy_bonus;
  objective.normalise = c->normalise;
  parl_learner *learner = NULL;
  parl_learner_def def = parl_learner_def_default();
  def.model = model;
  def.workers = workers;
  def.optimizer = &optimizer;
  def.objective = c->imitate ? NULL : &objective;
  def.imitate = c->imitate;
  def.n_leaves = 2;
  def.slice_rows = 12;
  def.max_sequences = N_SEQS;
  def.longest = LONGEST;
  def.n_words = 1;
  def.temperature = c->temperature;
  assert_ok(parl_learner_create(&def, &learner));
  for (int i = 0; i < N_SEQS; i++)
    parl_batch_add_uniform(parl_learner_get_batch(learner), q->s[i], (size_t)i / 2,
                           (float)(i - 2) * 0.7f);
  return learner;
}

static parl_status get_gradient(parl_learner *learner, parl_learner_info *info, float **grads) {
  const parl_batch_totals totals = parl_batch_get_totals(parl_learner_get_batch(learner));
  return parl_learner_gradient(learner, &totals, info, grads);
}

static double loss_at(parl_learner *learner, parl_model *model, const float *base,
                      const float *direction, double step) {
  float *p = engine_params(model), *grads;
  const size_t n = parl_model_get_n_params(model);
  for (size_t i = 0; i < n; i++) p[i] = (float)((double)base[i] + step * (double)direction[i]);
  parl_model_refresh(model);
  parl_learner_info info;
  assert_ok(get_gradient(learner, &info, &grads));
  return info.sums.loss;
}

/* Derivative along a random direction of each tensor, by central differences of two widths
 * (Richardson). */
static void check_gradient(const gradient_case *c) {
  parl_run_config config = count_config();
  parl_model *model = count_model(&config, V, c->backend, 11);
  const size_t n = parl_model_get_n_params(model);
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(1, &workers));
  sequences q;
  make_sequences(&q);
  parl_learner *learner = make_learner(c, model, workers, &q);
  float *base = malloc(n * sizeof *base), *g = malloc(n * sizeof *g);
  float *direction = malloc(n * sizeof *direction), *grads;
  assert_true(base && g && direction);
  memcpy(base, engine_params(model), n * sizeof *base);
  parl_learner_info info;
  assert_ok(get_gradient(learner, &info, &grads));
  memcpy(g, grads, n * sizeof *g);
  /* some tokens are outside [alpha, beta] */
  assert_true(c->imitate || c->kind == PARL_OBJECTIVE_SQUARED || info.sums.masked > 0);
  size_t n_tensors;
  const parl_model_tensor *tensors = parl_model_get_tensors(model, &n_tensors);
  double norm = 0;
  for (size_t i = 0; i < n; i++) norm += (double)g[i] * (double)g[i];
  norm = sqrt(norm);
  assert_true(norm > 1e-3);
  for (size_t t = 0; t < n_tensors; t++) {
    parl_rng_cursor rng = {13, t, 0};
    memset(direction, 0, n * sizeof *direction);
    double analytic = 0, length = 0;
    for (size_t i = tensors[t].offset; i < tensors[t].offset + tensors[t].n; i++) {
      direction[i] = (float)parl_rng_next_normal(&rng);
      length += (double)direction[i] * (double)direction[i];
    }
    for (size_t i = 0; i < n; i++) {
      direction[i] = (float)((double)direction[i] / sqrt(length));
      analytic += (double)direction[i] * (double)g[i];
    }
    const double h = 4e-3;
    const double wide =
        loss_at(learner, model, base, direction, h) - loss_at(learner, model, base, direction, -h);
    const double narrow = loss_at(learner, model, base, direction, h / 2) -
                          loss_at(learner, model, base, direction, -h / 2);
    const double numeric = (4 * narrow / h - wide / (2 * h)) / 3;
    if (!(fabs(numeric - analytic) <= 2e-3 * norm))
      print_error("%s kind %d: %s: numeric %g analytic %g\n", c->backend, c->kind, tensors[t].name,
                  numeric, analytic);
    assert_close(numeric, analytic, 2e-3 * norm);
  }
  free(base);
  free(g);
  free(direction);
  parl_learner_destroy(learner);
  parl_trajectories_destroy(q.set);
  parl_workers_destroy(workers);
  parl_model_destroy(model);
}

static void test_gradient_of_the_objective(void **state) {
  (void)state;
  const gradient_case cases[] = {
      {"ref", PARL_OBJECTIVE_K25, false, false, 1.0, 0.0, PARL_NORMALISE_PROMPT, false},
      {"ref", PARL_OBJECTIVE_K25, false, true, 0.7, 0.02, PARL_NORMALISE_PROMPT, false},
      {"cpu", PARL_OBJECTIVE_K25, false, false, 1.3, 0.01, PARL_NORMALISE_BATCH, false},
      {"cpu", PARL_OBJECTIVE_PPO, false, false, 1.0, 0.0, PARL_NORMALISE_PROMPT, false},
      {"cpu", PARL_OBJECTIVE_K25, true, false, 1.0, 0.0, PARL_NORMALISE_PROMPT, false},
      {"ref", PARL_OBJECTIVE_SQUARED, false, false, 1.0, 0.01, PARL_NORMALISE_PROMPT, false},
      {"cpu", PARL_OBJECTIVE_SQUARED, false, false, 0.8, 0.0, PARL_NORMALISE_BATCH, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_gradient(&cases[i]);
}

/* Imitation of one batch drives its loss towards that of knowing it by heart. */
static void test_overfits_one_batch(void **state) {
  (void)state;
  parl_run_config config = count_config();
  config.model.init_std = 0.05;
  parl_model *model = count_model(&config, V, "cpu", 3);
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(2, &workers));
  sequences q;
  make_sequences(&q);
  const gradient_case c = {"cpu", 0, true, false, 1.0, 0.0, PARL_NORMALISE_PROMPT, false};
  parl_learner *learner = make_learner(&c, model, workers, &q);
  parl_learner_info info;
  double first = 0;
  for (int i = 0; i < 600; i++) {
    assert_ok(parl_learner_step(learner, &info));
    if (i == 0) first = info.sums.loss;
  }
  assert_true(first > 1.0);
  assert_true(info.sums.loss < 0.05);
  parl_learner_destroy(learner);
  parl_trajectories_destroy(q.set);
  parl_workers_destroy(workers);
  parl_model_destroy(model);
}

/* Loss of the sequences first .. end - 1, which are of the prompts i / 2. */
static double get_loss(parl_learner *learner, const sequences *q, size_t first, size_t end,
                       size_t *n_tokens) {
  parl_batch *batch = parl_learner_get_batch(learner);
  parl_batch_reset(batch);
  for (size_t i = first; i < end; i++)
    parl_batch_add_uniform(batch, q->s[i], i / 2, (float)i * 0.7f - 1.4f);
  parl_learner_info info;
  float *grads;
  assert_ok(get_gradient(learner, &info, &grads));
  *n_tokens = batch->n_outputs;
  return info.sums.loss;
}

/* A step on three prompts of unequal length, in slices that cut across them: by prompt its loss is
 * the mean of theirs, by batch the mean weighed by their tokens. A prompt alone has one loss. */
static void test_prompts_weigh_the_same(void **state) {
  (void)state;
  parl_run_config config = count_config();
  parl_model *model = count_model(&config, V, "ref", 11);
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(1, &workers));
  sequences q;
  make_sequences(&q);
  double alone[N_SEQS];
  for (int normalise = PARL_NORMALISE_PROMPT; normalise <= PARL_NORMALISE_BATCH; normalise++) {
    const gradient_case c = {"ref", PARL_OBJECTIVE_K25, false, false, 1.0, 0.0, normalise, false};
    parl_learner *learner = make_learner(&c, model, workers, &q);
    double sum = 0, weighed = 0;
    size_t n, n_all, n_seen = 0;
    const double all = get_loss(learner, &q, 0, N_SEQS, &n_all);
    for (size_t p = 0; p < N_SEQS; p += 2) {
      const double part = get_loss(learner, &q, p, p + 2 < N_SEQS ? p + 2 : N_SEQS, &n);
      if (normalise == PARL_NORMALISE_PROMPT) alone[p] = part;
      assert_close(part, alone[p], 1e-6);
      sum += part / 3;
      weighed += part * (double)n / (double)n_all;
      n_seen += n;
    }
    assert_int_equal(n_seen, n_all);
    assert_true(fabs(sum - weighed) > 1e-3);
    assert_close(all, normalise == PARL_NORMALISE_PROMPT ? sum : weighed, 1e-6);
    parl_learner_destroy(learner);
  }
  parl_trajectories_destroy(q.set);
  parl_workers_destroy(workers);
  parl_model_destroy(model);
}

/* squared at tau 0 is -sum A (logp - logp_old) divided by responses, REINFORCE -sum A logp divided
 * by tokens. */
static void test_squared_divides_by_responses(void **state) {
  (void)state;
  parl_run_config config = count_config();
  parl_model *model = count_model(&config, V, "ref", 11);
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(1, &workers));
  sequences q;
  make_sequences(&q);
  double all_old = 0, first_old = 0; /* sums of A logp_old */
  for (size_t i = 0; i < N_SEQS; i++)
    for (int32_t k = 0; k < q.s[i]->n_choices; k++) {
      const double x = (double)((float)i * 0.7F - 1.4F) * (double)q.s[i]->logp[k];
      all_old += x;
      if (i < 2) first_old += x;
    }
  double sums[2];
  size_t n_all, n_first;
  for (int normalise = PARL_NORMALISE_PROMPT; normalise <= PARL_NORMALISE_BATCH; normalise++) {
    const gradient_case r = {"ref", PARL_OBJECTIVE_REINFORCE, .temperature = 1,
                             .normalise = PARL_NORMALISE_BATCH, .no_tau = true};
    const gradient_case s = {"ref", PARL_OBJECTIVE_SQUARED, .temperature = 1,
                             .normalise = normalise, .no_tau = true};
    parl_learner *reinforce = make_learner(&r, model, workers, &q);
    parl_learner *squared = make_learner(&s, model, workers, &q);
    const double all = get_loss(reinforce, &q, 0, N_SEQS, &n_all) * (double)n_all + all_old;
    const double first = get_loss(reinforce, &q, 0, 2, &n_first) * (double)n_first + first_old;
    size_t n;
    assert_close(get_loss(squared, &q, 0, 2, &n), first / 2, 1e-5);
    sums[normalise] = get_loss(squared, &q, 0, N_SEQS, &n);
    if (normalise == PARL_NORMALISE_BATCH) assert_close(sums[1], all / N_SEQS, 1e-5);
    parl_learner_destroy(reinforce);
    parl_learner_destroy(squared);
  }
  assert_true(fabs(sums[0] - sums[1]) > 1e-3); /* the last prompt has one response */
  parl_trajectories_destroy(q.set);
  parl_workers_destroy(workers);
  parl_model_destroy(model);
}

/* A batch of two slices, one to a leaf, and the same cut between two learners who are told the
 * totals of the whole: their losses add up, and so do their gradients, bit for bit. Divided by
 * their own totals they do not. */
static void check_parts(const gradient_case *c, bool tell) {
  parl_run_config config = count_config();
  config.model.n_routed_experts = 4; /* whose balance loss is a mean over sequences */
  config.model.first_k_dense = 0;
  config.model.aux_loss_alpha = 0.5;
  parl_model *model = count_model(&config, V, c->backend, 11);
  const size_t n = parl_model_get_n_params(model);
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(1, &workers));
  sequences q;
  make_sequences(&q);
  parl_learner *whole = make_learner(c, model, workers, &q), *parts[2];
  parl_batch *batch = parl_learner_get_batch(whole);
  parl_batch_reset(batch);
  for (size_t i = 0; i < 3; i++) parl_batch_add_uniform(batch, q.s[i], i % 2, (float)i - 0.6f);
  assert_int_equal(batch->n_slices, 2);
  const size_t cut = batch->first_sequence[1];
  const parl_batch_totals totals = parl_batch_get_totals(batch);
  parl_learner_info info, part;
  float *grads, *g;
  assert_ok(parl_learner_gradient(whole, &totals, &info, &grads));
  float *sum = calloc(n, sizeof *sum);
  double loss = 0;
  for (size_t p = 0; p < 2; p++) {
    parts[p] = make_learner(c, model, workers, &q);
    batch = parl_learner_get_batch(parts[p]);
    parl_batch_reset(batch);
    for (size_t i = p == 0 ? 0 : cut; i < (p == 0 ? cut : 3); i++)
      parl_batch_add_uniform(batch, q.s[i], i % 2, (float)i - 0.6f);
    const parl_batch_totals own = parl_batch_get_totals(batch);
    assert_ok(parl_learner_gradient(parts[p], tell ? &totals : &own, &part, &g));
    loss += part.sums.loss;
    for (size_t i = 0; i < n; i++) sum[i] += g[i];
    parl_learner_destroy(parts[p]);
  }
  if (tell) {
    assert_memory_equal(sum, grads, n * sizeof *sum);
    assert_close(loss, info.sums.loss, 1e-12);
  } else {
    assert_true(fabs(loss - info.sums.loss) > 1e-2);
  }
  free(sum);
  parl_learner_destroy(whole);
  parl_trajectories_destroy(q.set);
  parl_workers_destroy(workers);
  parl_model_destroy(model);
}

static void test_parts_are_told_the_totals(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    const gradient_case c = {"cpu",
                             PARL_OBJECTIVE_K25,
                             i == 0,
                             false,
                             1.0,
                             0.01,
                             i == 1 ? PARL_NORMALISE_PROMPT : PARL_NORMALISE_BATCH,
                             false};
    check_parts(&c, true);
    check_parts(&c, false);
  }
}

/* A forgotten field is a default or an error: above all, a learner without an objective does not
 * imitate unless it is told to. */
static void test_forgotten_fields(void **state) {
  (void)state;
  parl_run_config config = count_config();
  parl_model *model = count_model(&config, V, "ref", 11);
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(1, &workers));
  parl_optimizer_config optimizer;
  parl_objective_config objective;
  parl_config_set_defaults(&parl_optimizer_section, &optimizer);
  parl_config_set_defaults(&parl_objective_section, &objective);
  parl_learner_def good = parl_learner_def_default();
  good.model = model;
  good.workers = workers;
  good.optimizer = &optimizer;
  good.objective = &objective;
  good.max_sequences = good.longest = good.n_words = 1;
  for (int i = 0; i < 7; i++) {
    parl_learner_def bad = good;
    parl_learner *learner = NULL;
    if (i == 0) bad.objective = NULL;
    if (i == 1) bad.imitate = true;
    if (i == 2) bad.temperature = 0;
    if (i == 3) bad.n_leaves = 0;
    if (i == 4) bad.slice_rows = 0;
    if (i == 5) bad.max_sequences = 0;
    assert_status(parl_learner_create(&bad, &learner), i < 6 ? PARL_STATUS_EINVAL : PARL_STATUS_OK);
    parl_learner_destroy(learner);
  }
  parl_workers_destroy(workers);
  parl_model_destroy(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_packing),
      cmocka_unit_test(test_gradient_of_the_objective),
      cmocka_unit_test(test_overfits_one_batch),
      cmocka_unit_test(test_prompts_weigh_the_same),
      cmocka_unit_test(test_squared_divides_by_responses),
      cmocka_unit_test(test_parts_are_told_the_totals),
      cmocka_unit_test(test_forgotten_fields),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
