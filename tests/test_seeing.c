/* tests/test_seeing.c - images from a script to a policy's choices and back to the tower: what
 * decodes, what is learned from, what is shared and what never is. */
#include <math.h>

#include "engine/feature_cache.h"
#include "parl/learn/learner.h"
#include "parl/swarm/context_policy.h"
#include "parl/swarm/trace.h"
#include "tests/rollout_support.h"

#define COLOURS "tests/envs/colours.lua"
enum { N_JOBS = 12, N_TASKS = 4, MAX_SUBS = 8 };

typedef struct game {
  parl_run_config config;
  parl_workers *workers;
  parl_rollout *rollout;
  parl_trajectories *set;
  parl_model *model;
  const parl_env_spec *spec;
} game;

static parl_run_config seeing_config(void) {
  parl_run_config c = count_config();
  c.model.vision.n_layers = 1;
  c.model.vision.d_model = 16;
  c.model.vision.n_heads = 2;
  c.model.vision.d_ff = 24;
  return c;
}

static int count_colours_tokens(const parl_json *params) {
  parl_env *env = NULL;
  assert_ok(parl_env_create(COLOURS, params, &(parl_env_options){0}, &env));
  const int n = parl_env_get_spec(env)->n_tokens;
  parl_env_destroy(env);
  return n;
}

/* style NULL: the model plays, sub-agents too if subs is NULL. */
static void open_game(game *g, const char *params, const char *style, const char *subs,
                      size_t threads, const char *backend) {
  parl_json *json = params != NULL ? count_params(params) : NULL;
  assert_ok(parl_workers_create(threads, &g->workers));
  g->model = count_model(&g->config, count_colours_tokens(json), backend, 5);
  const parl_player model = parl_player_of_model(g->model, PARL_CACHE_F32, 1);
  const parl_seats seats = {.main = style != NULL ? parl_player_of_script(style, 1) : model,
                            .subs = subs != NULL ? parl_player_of_script(subs, 1) : model};
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = COLOURS,
                                                    .env_params = json,
                                                    .config = parl_run_config_get_swarm(&g->config),
                                                    .seats = seats,
                                                    .n_slots = N_JOBS,
                                                    .share_worlds = true,
                                                    .workers = g->workers},
                                &g->rollout));
  parl_json_destroy(json);
  g->spec = parl_env_get_spec(parl_rollout_get_env(g->rollout));
  const parl_trajectories_def def = {.n = N_JOBS,
                                     .max_mains = parl_episode_max_mains(&g->config.episode),
                                     .context = g->spec->limits.context,
                                     .max_subs = MAX_SUBS,
                                     .sub_context = g->spec->limits.sub_context,
                                     .n_words = (g->spec->n_tokens + 63) / 64,
                                     .shows = true};
  assert_ok(parl_trajectories_create(&def, &g->set));
}

static parl_status play(game *g, parl_rollout_counts *counts) {
  parl_job jobs[N_JOBS];
  for (size_t i = 0; i < N_JOBS; i++)
    jobs[i] = (parl_job){.task_seed = i % N_TASKS,
                         .episode_seed = 100 + i,
                         .temperature = 1,
                         .out = parl_trajectories_get(g->set, i)};
  return parl_rollout_run(g->rollout, jobs, N_JOBS, counts);
}

static void close_game(game *g) {
  parl_rollout_destroy(g->rollout);
  parl_trajectories_destroy(g->set);
  parl_model_destroy(g->model);
  parl_workers_destroy(g->workers);
}

static parl_learner *make_learner(game *g, size_t slice_rows, bool imitate,
                                  const parl_objective_config *objective) {
  static parl_optimizer_config optimizer;
  parl_learner *learner = NULL;
  parl_config_set_defaults(&parl_optimizer_section, &optimizer);
  parl_learner_def def = parl_learner_def_default();
  def.model = g->model;
  def.workers = g->workers;
  def.optimizer = &optimizer;
  def.imitate = imitate;
  def.objective = objective;
  def.slice_rows = slice_rows;
  def.max_sequences = N_JOBS * (1 + MAX_SUBS) * 2;
  def.longest = 96;
  def.n_words = (size_t)(g->spec->n_tokens + 63) / 64;
  def.vision = g->spec->vision;
  assert_ok(parl_learner_create(&def, &learner));
  return learner;
}

/* Every context that was recorded. */
static void fill(game *g, parl_batch *batch) {
  parl_batch_reset(batch);
  for (size_t i = 0; i < N_JOBS; i++) {
    const parl_trajectory *t = parl_trajectories_get(g->set, i);
    assert_ok(parl_batch_add_mains(batch, t, i, 1.0F + (float)i));
    for (size_t k = 0; k < t->n_subs; k++)
      assert_ok(parl_batch_add_uniform(batch, &t->subs[k], i, 0.5F));
  }
}

/* Images of a set of episodes, all of which stand whole in their contexts. */
static size_t check_shown(const game *g) {
  size_t n = 0;
  for (size_t i = 0; i < N_JOBS; i++) {
    const parl_trajectory *t = parl_trajectories_get(g->set, i);
    for (size_t k = 0; k < t->n_mains + t->n_subs; k++) {
      const parl_sequence *s = k < t->n_mains ? &t->mains[k] : &t->subs[k - t->n_mains];
      const int32_t first = g->spec->vision.first_token;
      int32_t pads = 0, shown = 0;
      for (int32_t p = 0; p < s->n_tokens; p++) pads += s->tokens[p] == first + PARL_MEDIA_PAD;
      for (int32_t p = 0; p < s->n_shown; p++) {
        const parl_shown *x = &s->shown[p];
        assert_int_equal(s->tokens[x->at - 3], first + PARL_MEDIA_BEGIN);
        assert_int_equal(s->tokens[x->at], first + PARL_MEDIA_PAD);
        assert_int_equal(s->tokens[x->at + x->n], first + PARL_MEDIA_END);
        assert_in_range(x->picture, 0, t->album.n - 1);
        shown += x->n;
      }
      assert_int_equal(pads, shown);
      for (int32_t c = 0; c < s->n_choices; c++) /* nobody writes an image */
        for (int token = first; token < g->spec->n_tokens; token++)
          assert_false(s->masks[c * s->n_words + token / 64] >> (token % 64) & 1);
      n += (size_t)s->n_shown;
    }
  }
  return n;
}

/* Mean |trainer's logp - decoder's|: they agree only if both saw the pictures that were there, and
 * no context took over that of another picture of the same size. */
static void the_decoder_sees_what_the_trainer_sees(void **state) {
  (void)state;
  static const struct {
    const char *params, *style, *subs;
    int policy;
    bool mask;
  } cases[] = {
      {"{\"n\": 1}", NULL, "serial", PARL_CONTEXT_POLICY_NONE, true},
      {"{\"n\": 3, \"width\": 14}", NULL, "guess", PARL_CONTEXT_POLICY_NONE, true},
      {"{\"n\": 2, \"prompted\": false}", NULL, NULL, PARL_CONTEXT_POLICY_NONE, true},
      {"{\"n\": 4}", "wide", NULL, PARL_CONTEXT_POLICY_NONE, true},
      {"{\"n\": 3}", NULL, "serial", PARL_CONTEXT_POLICY_NONE, false},
      {"{\"n\": 2, \"frames\": 3}", NULL, "serial", PARL_CONTEXT_POLICY_NONE, true},
      {"{\"n\": 2, \"frames\": 4}", NULL, NULL, PARL_CONTEXT_POLICY_NONE, false},
      {"{\"n\": 4, \"frames\": 2}", NULL, "serial", PARL_CONTEXT_POLICY_SUMMARY, true},
      {"{\"n\": 4}", NULL, "serial", PARL_CONTEXT_POLICY_HIDE_TOOL_RESULT, true},
      {"{\"n\": 4}", NULL, "serial", PARL_CONTEXT_POLICY_SUMMARY, true},
      {"{\"n\": 4}", NULL, "serial", PARL_CONTEXT_POLICY_DISCARD_ALL, true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    game g = {.config = seeing_config()};
    parl_rollout_counts counts;
    parl_learner_info info;
    float *grads;
    g.config.episode.context_policy = cases[i].policy;
    g.config.episode.context_threshold = 0.6;
    g.config.episode.mask = cases[i].mask;
    open_game(&g, cases[i].params, cases[i].style, cases[i].subs, 1, "ref");
    assert_ok(play(&g, &counts));
    assert_true(check_shown(&g) > N_JOBS / 2);
    bool rewritten = false;
    for (size_t j = 0; j < N_JOBS; j++)
      rewritten = rewritten || parl_trajectories_get(g.set, j)->n_mains > 1;
    assert_int_equal(rewritten, cases[i].policy != PARL_CONTEXT_POLICY_NONE);
    parl_learner *learner = make_learner(&g, 128, false, &g.config.objective);
    parl_batch *batch = parl_learner_get_batch(learner);
    fill(&g, batch);
    if (cases[i].style != NULL) { /* the orchestrator was a script: only sub-agents sampled */
      parl_batch_reset(batch);
      for (size_t j = 0; j < N_JOBS; j++)
        for (size_t k = 0; k < parl_trajectories_get(g.set, j)->n_subs; k++)
          assert_ok(parl_batch_add_uniform(batch, &parl_trajectories_get(g.set, j)->subs[k], j, 1));
    } else if (cases[i].subs != NULL) {
      parl_batch_reset(batch);
      for (size_t j = 0; j < N_JOBS; j++)
        assert_ok(parl_batch_add_mains(batch, parl_trajectories_get(g.set, j), j, 1));
    }
    const parl_batch_totals totals = parl_batch_get_totals(batch);
    assert_true(totals.n_outputs > N_JOBS);
    assert_true(batch->n_places > batch->images.n_items); /* the same image in many places */
    assert_ok(parl_learner_gradient(learner, &totals, &info, &grads));
    const double gap = info.logp_gap / (double)totals.n_outputs;
    if (!(gap < 1e-5)) print_error("case %zu: a gap of %g nats\n", i, gap);
    assert_true(gap < 1e-5);
    if (i == 1) /* rollouts of a task share its prompt, pictures and all: 22 tokens */
      assert_true(counts.reused_tokens >= (N_JOBS - N_TASKS) * 20);
    parl_learner_destroy(learner);
    close_game(&g);
  }
}

/* Every distinct picture is encoded once, however many rollouts and threads look at it. */
static void a_picture_is_encoded_once(void **state) {
  (void)state;
  for (size_t threads = 1; threads <= 4; threads += 3) {
    game g = {.config = seeing_config()};
    open_game(&g, "{\"n\": 2}", NULL, NULL, threads, "cpu");
    parl_feature_cache *cache = NULL;
    assert_ok(parl_model_get_feature_cache(g.model, &cache));
    assert_ok(play(&g, NULL));
    assert_int_equal(parl_feature_cache_get_n_encoded(cache), 2 * N_TASKS);
    assert_ok(play(&g, NULL));
    assert_int_equal(parl_feature_cache_get_n_encoded(cache), 2 * N_TASKS);
    assert_ok(parl_model_init_weights(g.model, 6)); /* another policy looks anew */
    assert_ok(play(&g, NULL));
    assert_int_equal(parl_feature_cache_get_n_encoded(cache), 4 * N_TASKS);
    close_game(&g);
  }
}

/* 64 bits over all that an update is made from: tokens and log-probabilities, then a gradient. */
static uint64_t hash_update(size_t threads, const char *backend, float **out, size_t *n) {
  game g = {.config = seeing_config()};
  uint64_t h = 1;
  open_game(&g, "{\"n\": 3, \"width\": 14}", NULL, NULL, threads, backend);
  assert_ok(play(&g, NULL));
  for (size_t i = 0; i < N_JOBS; i++) {
    const parl_sequence *s = &parl_trajectories_get(g.set, i)->mains[0];
    for (int32_t k = 0; k < s->n_tokens; k++) h = parl_rng_mix(h, (uint64_t)s->tokens[k], 0);
    for (int32_t k = 0; k < s->n_choices; k++) {
      uint32_t bits;
      memcpy(&bits, &s->logp[k], sizeof bits);
      h = parl_rng_mix(h, bits, 1);
    }
  }
  *n = parl_model_get_n_params(g.model);
  *out = calloc(*n, sizeof **out);
  assert_non_null(*out);
  parl_learner *learner = make_learner(&g, 64, false, &g.config.objective);
  fill(&g, parl_learner_get_batch(learner));
  assert_ok(parl_learner_read_gradient(learner, *out));
  for (size_t i = 0; i < *n; i++) {
    uint32_t bits;
    memcpy(&bits, &(*out)[i], sizeof bits);
    h = parl_rng_mix(h, bits, i);
  }
  parl_learner_destroy(learner);
  close_game(&g);
  return h;
}

static void threads_change_no_bit(void **state) {
  (void)state;
  const char *const backends[] = {"ref", "cpu"};
  for (size_t b = 0; b < 2; b++) {
    float *one, *four;
    size_t n;
    const uint64_t h = hash_update(1, backends[b], &one, &n);
    assert_int_equal(h, hash_update(4, backends[b], &four, &n));
    free(one);
    free(four);
  }
}

/* The mean of -logp over a batch of demonstrations. */
static double get_loss(parl_learner *learner) {
  const parl_batch_totals totals = parl_batch_get_totals(parl_learner_get_batch(learner));
  parl_learner_info info;
  float *grads;
  assert_ok(parl_learner_gradient(learner, &totals, &info, &grads));
  return info.sums.loss;
}

/* The gradient goes through the places of the images into every tensor of tower and projector: held
 * against differences of the loss, along the gradient of each tensor. */
static void the_tower_learns_from_every_place(void **state) {
  (void)state;
  game g = {.config = seeing_config()};
  open_game(&g, "{\"n\": 3, \"width\": 14}", "wide", "serial", 1, "ref");
  assert_ok(play(&g, NULL));
  parl_learner *learner = make_learner(&g, 128, true, NULL);
  fill(&g, parl_learner_get_batch(learner));
  size_t n_tensors, n_seen = 0;
  const parl_model_tensor *tensors = parl_model_get_tensors(g.model, &n_tensors);
  const size_t n = parl_model_get_n_params(g.model);
  float *grad = calloc(n, sizeof *grad), *was = calloc(n, sizeof *was);
  assert_true(grad != NULL && was != NULL);
  assert_ok(parl_learner_read_gradient(learner, grad));
  for (size_t t = 0; t < n_tensors; t++) {
    const parl_model_tensor *x = &tensors[t];
    if (strncmp(x->name, "vision_tower.", 13) != 0 && strncmp(x->name, "mm_projector.", 13) != 0)
      continue;
    double square = 0;
    for (size_t i = 0; i < x->n; i++) square += pow((double)grad[x->offset + i], 2);
    if (strstr(x->name, "wqkv.bias") == NULL) assert_true(square > 0);
    if (square < 1e-10) continue; /* keys' biases have none */
    n_seen++;
    double loss[2];
    const double h = 2e-2 / sqrt(square);
    assert_ok(parl_model_read(g.model, x->offset, x->n, was));
    for (int side = 0; side < 2; side++) {
      float *moved = calloc(x->n, sizeof *moved);
      assert_non_null(moved);
      for (size_t i = 0; i < x->n; i++)
        moved[i] = was[i] + (float)((side == 0 ? h : -h) * (double)grad[x->offset + i]);
      assert_ok(parl_model_write(g.model, x->offset, x->n, moved));
      assert_ok(parl_model_refresh(g.model));
      loss[side] = get_loss(learner);
      free(moved);
    }
    assert_ok(parl_model_write(g.model, x->offset, x->n, was));
    const double slope = (loss[0] - loss[1]) / (2 * h);
    if (!(fabs(slope / square - 1) < 0.05))
      print_error("%s: slope %g, |gradient|^2 %g\n", x->name, slope, square);
    assert_true(fabs(slope / square - 1) < 0.05);
  }
  assert_true(n_seen >= 15);
  free(grad);
  free(was);
  parl_learner_destroy(learner);
  close_game(&g);
}

/* A batch without the images behind the last choice, and the same ones under one number. */
static void a_batch_cuts_behind_the_last_choice(void **state) {
  (void)state;
  game g = {.config = seeing_config()};
  open_game(&g, "{\"n\": 2, \"prompted\": false}", "serial", "serial", 1, "ref");
  assert_ok(play(&g, NULL));
  parl_learner *learner = make_learner(&g, 256, true, NULL);
  parl_batch *batch = parl_learner_get_batch(learner);
  parl_sequence s = parl_trajectories_get(g.set, 0)->mains[0];
  assert_int_equal(s.n_shown, 2);
  parl_batch_reset(batch);
  assert_ok(parl_batch_add_uniform(batch, &s, 0, 1));
  assert_ok(parl_batch_add_uniform(batch, &s, 0, 1));
  assert_int_equal(batch->n_places, 4);
  assert_int_equal(batch->images.n_items, 2);
  assert_int_equal(batch->slices[0].n_given, 4);
  const int32_t base = s.at[s.n_choices - 1];
  assert_int_equal(batch->slices[0].given_rows[0], s.shown[0].at);
  assert_int_equal(batch->slices[0].given_rows[2], base + s.shown[0].at);
  while (s.at[s.n_choices - 1] > s.shown[1].at) s.n_choices--;
  parl_batch_reset(batch);
  assert_ok(parl_batch_add_uniform(batch, &s, 0, 1));
  assert_int_equal(batch->n_places, 1);
  assert_int_equal(batch->images.n_items, 1);
  assert_true(isfinite(get_loss(learner)));
  parl_learner_destroy(learner);
  close_game(&g);
}

/* A model without a tower plays and learns from words, and says what it lacks for pictures. */
static void a_blind_model_says_so(void **state) {
  (void)state;
  game g = {.config = count_config()};
  open_game(&g, "{\"words\": true}", NULL, "serial", 1, "ref");
  assert_ok(play(&g, NULL));
  close_game(&g);
  open_game(&g, NULL, NULL, "serial", 1, "ref");
  assert_int_equal(play(&g, NULL), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "model.vision.n_layers = 0");
  close_game(&g);
  open_game(&g, NULL, "serial", "serial", 1, "ref");
  assert_ok(play(&g, NULL));
  parl_learner *learner = make_learner(&g, 128, true, NULL);
  assert_int_equal(
      parl_batch_add_mains(parl_learner_get_batch(learner), parl_trajectories_get(g.set, 0), 0, 1),
      PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "set model.vision.n_layers to 1 or more");
  parl_learner_destroy(learner);
  close_game(&g);
}

/* Seven pictures of 3 MiB: an episode's album holds five. Who watches goes on, and knows what each
 * was. */
static void a_watcher_outlives_an_album(void **state) {
  (void)state;
  enum { SIDE = 1024, N = 7, KEPT = 5 };
  parl_trace t = {0};
  parl_picture picture = {.frames = 1};
  assert_ok(parl_image_init(&picture.image, SIDE, SIDE));
  for (int i = 0; i < N; i++) {
    picture.image.rgb[0] = (uint8_t)i;
    picture.content = (uint64_t)i + 1;
    const parl_album album = {.n = 1, .room = 1, .items = &picture};
    const parl_shown shown = {.at = 0, .n = 1, .picture = 0};
    const int32_t token = 3;
    const parl_event event = {
        .kind = PARL_EVENT_START, .tokens = &token, .n_tokens = 1, .shown = {1, &shown, &album}};
    assert_ok(parl_trace_add(&t, &event));
  }
  assert_int_equal(t.n_shown, N);
  assert_int_equal(t.album.n, KEPT);
  assert_int_equal(t.n_left_out, N - KEPT);
  for (int i = 0; i < N; i++) {
    assert_int_equal(t.shown[i].picture, i < KEPT ? i : -1);
    assert_int_equal(t.seen[i].content, i + 1);
    assert_int_equal(t.seen[i].image.width, SIDE);
  }
  parl_image_deinit(&picture.image);
  parl_trace_deinit(&t);
}

/* A clip is longer than what the model takes as one item: player and learner say so. */
static void a_longer_clip_is_refused(void **state) {
  (void)state;
  game g = {.config = seeing_config()};
  g.config.model.vision.max_frames = 2;
  open_game(&g, "{\"frames\": 3}", NULL, "serial", 1, "ref");
  assert_int_equal(play(&g, NULL), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "a clip of 3 frames, but model.vision.max_frames = 2");
  parl_optimizer_config optimizer;
  parl_learner *learner = NULL;
  parl_config_set_defaults(&parl_optimizer_section, &optimizer);
  parl_learner_def def = parl_learner_def_default();
  def.model = g.model;
  def.workers = g.workers;
  def.optimizer = &optimizer;
  def.imitate = true;
  def.max_sequences = 4;
  def.longest = 96;
  def.n_words = (size_t)(g.spec->n_tokens + 63) / 64;
  def.vision = g.spec->vision;
  assert_int_equal(parl_learner_create(&def, &learner), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "a clip of 3 frames, but model.vision.max_frames = 2");
  close_game(&g);
}

/* Placeholders were made for another patch than the model's. */
static void another_patch_is_refused(void **state) {
  (void)state;
  game g = {.config = seeing_config()};
  open_game(&g, NULL, NULL, "serial", 1, "ref");
  parl_run_config other = g.config;
  other.model.vision.patch = 2;
  parl_model *model = count_model(&other, g.spec->n_tokens, "ref", 5);
  const parl_seats seats = {.main = parl_player_of_model(model, PARL_CACHE_F32, 1),
                            .subs = parl_player_of_script("serial", 1)};
  parl_rollout_set_seats(g.rollout, &seats);
  assert_int_equal(play(&g, NULL), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "model.vision.patch = 2");
  close_game(&g);
  parl_model_destroy(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_decoder_sees_what_the_trainer_sees),
      cmocka_unit_test(a_picture_is_encoded_once),
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(the_tower_learns_from_every_place),
      cmocka_unit_test(a_batch_cuts_behind_the_last_choice),
      cmocka_unit_test(a_blind_model_says_so),
      cmocka_unit_test(a_watcher_outlives_an_album),
      cmocka_unit_test(a_longer_clip_is_refused),
      cmocka_unit_test(another_patch_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
