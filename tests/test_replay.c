/* tests/test_replay.c - recorded episodes played again: whole, from any token on, and without a
 * launch, an assignment, any set of these, or the rest. */
#include "parl/swarm/context_policy.h"
#include "tests/rollout_support.h"

enum { CONTEXT = 512, N = 24 };

/* How episodes are played. */
typedef struct play_def {
  const char *env;
  int policy, max_direct;
  double budget_factor, reliability; /* reliability > 0: sub-agents are scripts */
  bool use_legal, use_mask, is_model;
} play_def;

typedef struct fixture {
  parl_run_config config;
  parl_workers *workers;
  parl_rollout *rollout;
  parl_trajectories *set, *again;
  parl_model *model;
  parl_seats nobody; /* sub-agents only */
} fixture;

static parl_trajectories *make_set(const fixture *f, size_t n) {
  parl_trajectories *set = NULL;
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(f->rollout));
  assert_ok(parl_trajectories_create(
      &(parl_trajectories_def){
          .n = n,
          .max_mains = parl_episode_max_mains(&f->config.episode),
          .context = CONTEXT,
          .n_words = (spec->n_tokens + 63) / 64,
          .keep_scores = true,
          .stages = parl_episode_get_stage_limits(spec, &f->config.episode),
          .recording = parl_episode_get_record_limit(spec, &f->config.episode)},
      &set));
  return set;
}

static void open_fixture(fixture *f, const play_def *def) {
  *f = (fixture){.config = count_config()};
  f->config.model.max_context = CONTEXT;
  f->config.episode.context_policy = def->policy;
  f->config.episode.max_direct = def->max_direct > 0 ? def->max_direct : 1;
  f->config.episode.budget_factor = def->budget_factor;
  f->config.episode.legal = def->use_legal;
  f->config.episode.mask = def->use_mask;
  assert_ok(parl_workers_create(1, &f->workers));
  f->nobody.subs =
      def->reliability > 0 ? parl_player_of_script("", def->reliability) : parl_player_of_chance();
  parl_seats seats = f->nobody;
  seats.main = parl_player_of_chance();
  if (def->is_model) {
    f->model = count_model(&f->config, count_n_tokens(), "cpu", 5);
    seats.main = parl_player_of_model(f->model, PARL_CACHE_F32, 1);
  }
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = def->env,
                                                    .config = parl_run_config_get_swarm(&f->config),
                                                    .seats = seats,
                                                    .n_slots = 4,
                                                    .workers = f->workers},
                                &f->rollout));
  f->set = make_set(f, N);
  f->again = make_set(f, N);
}

static void close_fixture(fixture *f) {
  parl_trajectories_destroy(f->set);
  parl_trajectories_destroy(f->again);
  parl_rollout_destroy(f->rollout);
  parl_model_destroy(f->model);
  parl_workers_destroy(f->workers);
}

/* Plays into a set, replays NULL or [N]. */
static void play(fixture *f, parl_trajectories *set, const parl_replay *replays) {
  parl_job jobs[N];
  for (size_t i = 0; i < N; i++)
    jobs[i] = (parl_job){.task_seed = 77 + i,
                         .episode_seed = 1000 + i,
                         .temperature = 1,
                         .replay = replays != NULL ? &replays[i] : NULL,
                         .out = parl_trajectories_get(set, i)};
  assert_ok(parl_rollout_run(f->rollout, jobs, N, NULL));
}

static const parl_trajectory *get(const parl_trajectories *set, size_t i) {
  return parl_trajectories_get((parl_trajectories *)set, i);
}

static void assert_same_sequence(const parl_sequence *a, const parl_sequence *b) {
  const size_t n = (size_t)a->n_choices;
  assert_int_equal(a->n_tokens, b->n_tokens);
  assert_int_equal(a->n_choices, b->n_choices);
  assert_memory_equal(a->tokens, b->tokens, (size_t)a->n_tokens * sizeof *a->tokens);
  assert_memory_equal(a->at, b->at, n * sizeof *a->at);
  assert_memory_equal(a->logp, b->logp, n * sizeof *a->logp);
  assert_memory_equal(a->turn, b->turn, n * sizeof *a->turn);
  assert_memory_equal(a->masks, b->masks, n * (size_t)a->n_words * sizeof *a->masks);
}

/* To the bit: facts, scores, stages, every context with its choices, and what was written. */
static void assert_same(const fixture *f, size_t i) {
  const parl_trajectory *a = get(f->set, i), *b = get(f->again, i);
  parl_text x = {0}, y = {0};
  assert_memory_equal(&a->facts, &b->facts, sizeof a->facts);
  assert_string_equal(parl_text_get(&a->scores), parl_text_get(&b->scores));
  assert_ok(parl_stages_append_json(&a->stages, parl_rollout_get_env(f->rollout), &x));
  assert_ok(parl_stages_append_json(&b->stages, parl_rollout_get_env(f->rollout), &y));
  assert_string_equal(parl_text_get(&x), parl_text_get(&y));
  assert_int_equal(a->n_mains, b->n_mains);
  for (size_t m = 0; m < a->n_mains; m++) assert_same_sequence(&a->mains[m], &b->mains[m]);
  assert_int_equal(a->recording.n, b->recording.n);
  assert_int_equal(a->recording.n_complete, b->recording.n_complete);
  for (size_t k = 0; k < a->recording.n; k++) {
    const parl_written *p = &a->recording.items[k], *q = &b->recording.items[k];
    assert_true(p->token == q->token && p->at == q->at && p->logp == q->logp &&
                p->turn == q->turn && p->is_choice == q->is_choice);
  }
  parl_text_deinit(&x);
  parl_text_deinit(&y);
}

/* Nobody sits in the orchestrator's seat, so nothing but the recording can have played. */
static void replay_whole(const play_def *def) {
  fixture f;
  parl_replay replays[N];
  open_fixture(&f, def);
  play(&f, f.set, NULL);
  for (size_t i = 0; i < N; i++) replays[i] = (parl_replay){.recording = &get(f.set, i)->recording};
  parl_rollout_set_seats(f.rollout, &f.nobody);
  play(&f, f.again, replays);
  for (size_t i = 0; i < N; i++) assert_same(&f, i);
  close_fixture(&f);
}

static const char *const envs[] = {
    "envs/wide_search.lua", "envs/deep_search.lua", "envs/batch_download.lua",
    "envs/chain.lua",       "envs/dag.lua",         "envs/long_read.lua",
    "envs/lure.lua",        "envs/swarm_mix.lua",   COUNT_ENV};
enum { N_ENVS = sizeof envs / sizeof envs[0] };

static void test_whole_everywhere(void **state) {
  (void)state;
  for (size_t i = 0; i < N_ENVS; i++)
    for (int v = 0; v < 4; v++)
      replay_whole(&(play_def){.env = envs[i],
                               .max_direct = v == 1 ? 3 : 1,
                               .budget_factor = v == 2 ? 1.5 : 0,
                               .reliability = v == 0 ? 0.6 : 0,
                               .use_legal = v != 3,
                               .use_mask = true});
}

/* Contexts that are rewritten or overflow, and malformed calls. */
static void test_whole_rewritten_and_malformed(void **state) {
  (void)state;
  for (int policy = PARL_CONTEXT_POLICY_NONE; policy <= PARL_CONTEXT_POLICY_DISCARD_ALL; policy++)
    for (int use_mask = 0; use_mask < 2; use_mask++)
      replay_whole(
          &(play_def){.env = COUNT_ENV, .policy = policy, .max_direct = 2, .use_mask = use_mask});
}

/* Where the recording stops, amid a turn too, its player goes on as if it had never stopped. */
static void test_resumes_at_any_token(void **state) {
  (void)state;
  for (int v = 0; v < 3; v++) {
    fixture f;
    parl_replay replays[N];
    parl_recording cut[N];
    open_fixture(&f, &(play_def){.env = COUNT_ENV,
                                 .policy = v == 1 ? PARL_CONTEXT_POLICY_DISCARD_ALL : 0,
                                 .use_legal = true,
                                 .use_mask = true,
                                 .is_model = v == 2});
    play(&f, f.set, NULL);
    for (size_t share = 0; share <= 4; share++) {
      for (size_t i = 0; i < N; i++) {
        cut[i] = get(f.set, i)->recording;
        cut[i].n = cut[i].n * share / 4 + (share == 2);
        if (cut[i].n > get(f.set, i)->recording.n) cut[i].n--;
        replays[i] = (parl_replay){.recording = &cut[i], .goes_on = true};
      }
      play(&f, f.again, replays);
      for (size_t i = 0; i < N; i++) assert_same(&f, i);
    }
    close_fixture(&f);
  }
}

/* The first turn, from 1, that launched at least `width`; 0: none. */
static int find_launch(const parl_trajectory *t, size_t width) {
  for (size_t i = 0; i < t->stages.n; i++)
    if (t->stages.items[i].width >= width) return (int)i + 1;
  return 0;
}

/* Every other sub-agent of the turn is the same: its task, its luck, what it did. */
static void assert_others_same(const parl_stages *with, const parl_stages *without, int turn,
                               int sub) {
  const parl_stage_record *a = &with->items[turn - 1], *b = &without->items[turn - 1];
  assert_int_equal(a->width, b->width + 1);
  for (size_t i = 0, k = 0; i < a->width; i++) {
    if ((int)i == sub) continue;
    const parl_sub_record *p = &with->subs[a->first_sub + i],
                          *q = &without->subs[b->first_sub + k++];
    assert_true(p->steps == q->steps && p->role == q->role && p->finished == q->finished);
    assert_int_equal(p->n_tokens, q->n_tokens);
    assert_memory_equal(with->tokens + p->first_token, without->tokens + q->first_token,
                        p->n_tokens * sizeof *with->tokens);
  }
}

/* Sub-agents fail by chance, which goes by their number: without one of them the others have the
 * luck that they had with it, in that launch and in later ones. */
static void test_drop_sub_leaves_the_others(void **state) {
  (void)state;
  size_t n_seen = 0, n_later = 0;
  for (int sub = 0; sub < 3; sub++) {
    fixture f;
    parl_replay replays[N];
    open_fixture(&f,
                 &(play_def){.env = "envs/wide_search.lua", .reliability = 0.5, .use_mask = true});
    play(&f, f.set, NULL);
    for (size_t i = 0; i < N; i++) {
      const int turn = find_launch(get(f.set, i), 3);
      replays[i] = (parl_replay){.recording = &get(f.set, i)->recording};
      if (turn > 0) replays[i].edit = PARL_EDIT_DROP_SUB;
      replays[i].turn = turn;
      replays[i].sub = sub;
    }
    parl_rollout_set_seats(f.rollout, &f.nobody);
    play(&f, f.again, replays);
    for (size_t i = 0; i < N; i++) {
      const parl_stages *a = &get(f.set, i)->stages, *b = &get(f.again, i)->stages;
      if (replays[i].edit == PARL_EDIT_NONE) continue;
      n_seen++;
      assert_others_same(a, b, replays[i].turn, sub);
      for (size_t t = (size_t)replays[i].turn; t < a->n && t < b->n; t++)
        for (size_t k = 0; k < a->items[t].width && k < b->items[t].width; k++, n_later++)
          assert_int_equal(a->subs[a->items[t].first_sub + k].finished,
                           b->subs[b->items[t].first_sub + k].finished);
    }
    close_fixture(&f);
  }
  assert_true(n_seen > 10 && n_later > 10);
}

/* Without the second value of a task the others stay, and so does the sub-agent's luck. */
static void test_drop_value_leaves_the_rest(void **state) {
  (void)state;
  size_t n_seen = 0;
  fixture f;
  parl_replay replays[N];
  open_fixture(&f,
               &(play_def){.env = "envs/wide_search.lua", .reliability = 0.5, .use_mask = true});
  play(&f, f.set, NULL);
  for (size_t i = 0; i < N; i++) {
    const parl_stages *s = &get(f.set, i)->stages;
    replays[i] = (parl_replay){.recording = &get(f.set, i)->recording, .value = 1};
    for (size_t t = 0; t < s->n && replays[i].turn == 0; t++)
      for (size_t k = 0; k < s->items[t].width && replays[i].turn == 0; k++) {
        if (s->subs[s->items[t].first_sub + k].n_tokens < 2) continue;
        replays[i].edit = PARL_EDIT_DROP_VALUE;
        replays[i].turn = (int)t + 1;
        replays[i].sub = (int)k;
      }
  }
  parl_rollout_set_seats(f.rollout, &f.nobody);
  play(&f, f.again, replays);
  for (size_t i = 0; i < N; i++) {
    if (replays[i].turn == 0) continue;
    const parl_stages *a = &get(f.set, i)->stages, *b = &get(f.again, i)->stages;
    const size_t first = a->items[replays[i].turn - 1].first_sub;
    assert_int_equal(a->items[replays[i].turn - 1].width, b->items[replays[i].turn - 1].width);
    for (size_t k = 0; k < a->items[replays[i].turn - 1].width; k++) {
      const parl_sub_record *p = &a->subs[first + k], *q = &b->subs[first + k];
      const bool is_changed = (int)k == replays[i].sub;
      assert_int_equal(p->n_tokens, q->n_tokens + is_changed);
      assert_int_equal(a->tokens[p->first_token], b->tokens[q->first_token]);
      for (size_t v = 1; v < q->n_tokens; v++)
        assert_int_equal(a->tokens[p->first_token + v + is_changed], b->tokens[q->first_token + v]);
      if (!is_changed) assert_true(p->steps == q->steps && p->finished == q->finished);
      n_seen += is_changed;
    }
  }
  assert_true(n_seen > 5);
  close_fixture(&f);
}

/* Marks what an edit leaves out. */
static void mark_edit(const parl_trajectory *t, const parl_replay *edit, bool *marks) {
  const int width = (int)t->stages.items[edit->turn - 1].width;
  const int value = edit->edit == PARL_EDIT_DROP_VALUE ? edit->value : -1;
  memset(marks, 0, t->recording.n * sizeof *marks);
  for (int sub = 0; sub < width; sub++)
    if (edit->edit == PARL_EDIT_DROP_LAUNCH || sub == edit->sub)
      parl_recording_mark(&t->recording, edit->turn, sub, value, marks);
  parl_recording_end_marks(&t->recording, marks);
}

/* What is left out of one turn by marks is what its edit leaves out, to the bit: unreliable
 * sub-agents of this and later launches keep their luck. */
static void test_marks_are_edits(void **state) {
  (void)state;
  static bool marks[N][1 << 14];
  static const parl_edit edits[] = {PARL_EDIT_DROP_LAUNCH, PARL_EDIT_DROP_SUB, PARL_EDIT_DROP_SUB,
                                    PARL_EDIT_DROP_VALUE};
  for (size_t v = 0; v < sizeof edits / sizeof edits[0]; v++) {
    fixture f;
    parl_replay replays[N];
    size_t n_seen = 0;
    open_fixture(&f,
                 &(play_def){.env = "envs/wide_search.lua", .reliability = 0.5, .use_mask = true});
    parl_trajectories *set = make_set(&f, N);
    play(&f, set, NULL);
    parl_rollout_set_seats(f.rollout, &f.nobody);
    for (size_t i = 0; i < N; i++) {
      const parl_trajectory *t = get(set, i);
      const int turn = find_launch(t, 1 + (v == 2));
      replays[i] = (parl_replay){.recording = &t->recording, .turn = turn, .value = 1};
      if (turn == 0) continue;
      const parl_stage_record *stage = &t->stages.items[turn - 1];
      replays[i].sub = v == 2 ? (int)stage->width - 1 : 0;
      if (v < 3 || t->stages.subs[stage->first_sub].n_tokens > 1) replays[i].edit = edits[v];
    }
    play(&f, f.set, replays);
    for (size_t i = 0; i < N; i++) {
      if (replays[i].edit == PARL_EDIT_NONE) continue;
      assert_true(replays[i].recording->n <= sizeof marks[i]);
      mark_edit(get(set, i), &replays[i], marks[i]);
      replays[i].edit = PARL_EDIT_DROP_TOKENS;
      replays[i].dropped = marks[i];
      n_seen++;
    }
    play(&f, f.again, replays);
    for (size_t i = 0; i < N; i++) assert_same(&f, i);
    assert_true(n_seen > 3);
    parl_trajectories_destroy(set);
    close_fixture(&f);
  }
}

/* Without every second assignment of every launch the others keep their tasks and their luck. */
static void test_marks_in_many_turns(void **state) {
  (void)state;
  static bool marks[N][1 << 14];
  fixture f;
  parl_replay replays[N];
  size_t n_left_out = 0, n_turns = 0;
  open_fixture(&f,
               &(play_def){.env = "envs/wide_search.lua", .reliability = 0.5, .use_mask = true});
  play(&f, f.set, NULL);
  for (size_t i = 0; i < N; i++) {
    const parl_trajectory *t = get(f.set, i);
    memset(marks[i], 0, sizeof marks[i]);
    for (size_t k = 0, n = 0; k < t->stages.n; k++)
      for (size_t sub = 0; sub < t->stages.items[k].width; sub++, n++)
        if (n % 2 == 1) parl_recording_mark(&t->recording, (int)k + 1, (int)sub, -1, marks[i]);
    parl_recording_end_marks(&t->recording, marks[i]);
    replays[i] = (parl_replay){
        .recording = &t->recording, .edit = PARL_EDIT_DROP_TOKENS, .dropped = marks[i]};
  }
  parl_rollout_set_seats(f.rollout, &f.nobody);
  play(&f, f.again, replays);
  for (size_t i = 0; i < N; i++) {
    const parl_stages *a = &get(f.set, i)->stages, *b = &get(f.again, i)->stages;
    assert_true(b->n_subs == (a->n_subs + 1) / 2 || get(f.again, i)->facts.end != PARL_END_FINISH);
    for (size_t k = 0; k < b->n_subs; k++) {
      const parl_sub_record *p = &a->subs[2 * k], *q = &b->subs[k];
      assert_int_equal(a->tokens[p->first_token], b->tokens[q->first_token]);
      assert_true(p->role == q->role && p->steps == q->steps);
    }
    n_left_out += a->n_subs - b->n_subs;
    n_turns += get(f.set, i)->facts.launches > 1 && a->n_subs > 3;
  }
  assert_true(n_left_out > 20 && n_turns > 5);
  close_fixture(&f);
}

/* --- by hand: count's "hand" is create, launch of 1 3 2 (1 3 2 steps), work 4 twice, finish --- */

typedef struct hand_case {
  parl_edit edit;
  int turn, sub;
  double r_perf, critical, total, assigned, turns;
} hand_case;

static const hand_case HAND[] = {
    {PARL_EDIT_NONE, 0, 0, 0.75, 7, 10, 3, 5},
    {PARL_EDIT_DROP_SUB, 2, 0, 0.5, 7, 9, 2, 5},  /* without 1: the longest stays */
    {PARL_EDIT_DROP_SUB, 2, 1, 0.5, 6, 7, 2, 5},  /* without 3: the next longest counts */
    {PARL_EDIT_DROP_SUB, 2, 2, 0.5, 7, 8, 2, 5},  /* without 2, the last */
    {PARL_EDIT_DROP_LAUNCH, 2, 0, 0, 3, 3, 0, 4}, /* create, work, work, finish */
    {PARL_EDIT_FINISH, 4, 0, 0.75, 6, 9, 3, 4},   /* after the first work */
    {PARL_EDIT_FINISH, 1, 0, 0, 0, 0, 0, 1},
};

static void test_edits_by_hand(void **state) {
  (void)state;
  fixture f;
  parl_trajectories *original = NULL;
  open_fixture(
      &f, &(play_def){.env = COUNT_ENV, .reliability = 1, .use_legal = true, .use_mask = true});
  original = make_set(&f, 1);
  parl_job job = {.task_seed = 1,
                  .episode_seed = 2,
                  .seats = script_seats("hand"),
                  .out = parl_trajectories_get(original, 0)};
  assert_ok(parl_rollout_run(f.rollout, &job, 1, NULL));
  parl_rollout_set_seats(f.rollout, &f.nobody);
  for (size_t i = 0; i < sizeof HAND / sizeof HAND[0]; i++) {
    const hand_case *h = &HAND[i];
    const parl_replay replay = {
        .recording = &get(original, 0)->recording, .edit = h->edit, .turn = h->turn, .sub = h->sub};
    job = (parl_job){.task_seed = 1,
                     .episode_seed = 2,
                     .replay = &replay,
                     .out = parl_trajectories_get(f.again, i)};
    assert_ok(parl_rollout_run(f.rollout, &job, 1, NULL));
    const parl_facts *facts = &job.out->facts;
    assert_true(facts->r_perf == h->r_perf && facts->critical_steps == h->critical &&
                facts->total_steps == h->total && facts->assigned == h->assigned &&
                facts->turns == h->turns && facts->end == PARL_END_FINISH);
  }
  parl_trajectories_destroy(original);
  close_fixture(&f);
}

/* The turn begins with the random number that it began with. */
static void assert_same_draws(const parl_recording *a, const parl_recording *b, int turn) {
  size_t i = 0, k = 0;
  while (i < a->n && a->items[i].turn != turn) i++;
  while (k < b->n && b->items[k].turn != turn) k++;
  if (i < a->n && k < b->n) assert_int_equal(a->items[i].at, b->items[k].at);
}

/* Without a launch of its own the player goes on, and may not launch in that turn; before, all is
 * as it was. Without one assignment it goes on in the turn after. */
static void test_goes_on(void **state) {
  (void)state;
  size_t n_seen = 0, n_other = 0;
  for (int v = 0; v < 2; v++) {
    fixture f;
    parl_replay replays[N];
    open_fixture(
        &f, &(play_def){.env = COUNT_ENV, .use_legal = true, .use_mask = true, .is_model = true});
    play(&f, f.set, NULL);
    for (size_t i = 0; i < N; i++) {
      const int turn = find_launch(get(f.set, i), v == 0 ? 1 : 2);
      replays[i] =
          (parl_replay){.recording = &get(f.set, i)->recording, .turn = turn, .goes_on = true};
      if (turn > 0) replays[i].edit = v == 0 ? PARL_EDIT_DROP_LAUNCH : PARL_EDIT_DROP_SUB;
    }
    play(&f, f.again, replays);
    for (size_t i = 0; i < N; i++) {
      const parl_trajectory *a = get(f.set, i), *b = get(f.again, i);
      const int turn = replays[i].turn;
      if (turn == 0) {
        assert_same(&f, i);
        continue;
      }
      n_seen++;
      for (int t = 0; t + 1 < turn; t++)
        assert_int_equal(a->stages.items[t].main_steps, b->stages.items[t].main_steps);
      if (v == 0) assert_int_equal(b->stages.items[turn - 1].width, 0);
      if (v == 1) assert_others_same(&a->stages, &b->stages, turn, 0);
      if (v == 1) assert_same_draws(&a->recording, &b->recording, turn + 1);
      n_other += b->facts.turns != a->facts.turns;
    }
    close_fixture(&f);
  }
  assert_true(n_seen > 4 && n_other > 0);
}

/* A recording that was cut, one that ends too early, and one of another vocabulary are refused. */
static void test_refused(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f, &(play_def){.env = COUNT_ENV, .use_mask = true});
  play(&f, f.set, NULL);
  parl_recording r = get(f.set, 0)->recording;
  parl_replay replay = {.recording = &r};
  parl_job job = {.task_seed = 77,
                  .episode_seed = 1000,
                  .replay = &replay,
                  .out = parl_trajectories_get(f.again, 0)};
  parl_rollout_set_seats(f.rollout, &f.nobody);
  r.is_cut = true;
  assert_status(parl_rollout_run(f.rollout, &job, 1, NULL), PARL_STATUS_EINVAL);
  r.is_cut = false;
  r.n--;
  assert_fails(parl_rollout_run(f.rollout, &job, 1, NULL), PARL_STATUS_EFORMAT, "recording ends");
  r.n++;
  const int32_t token = r.items[0].token;
  r.items[0].token = 1 << 20;
  assert_fails(parl_rollout_run(f.rollout, &job, 1, NULL), PARL_STATUS_EFORMAT, "token 1048576");
  r.items[0].token = token;
  assert_ok(parl_rollout_run(f.rollout, &job, 1, NULL));
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole_everywhere),
      cmocka_unit_test(test_whole_rewritten_and_malformed),
      cmocka_unit_test(test_resumes_at_any_token),
      cmocka_unit_test(test_drop_sub_leaves_the_others),
      cmocka_unit_test(test_drop_value_leaves_the_rest),
      cmocka_unit_test(test_marks_are_edits),
      cmocka_unit_test(test_marks_in_many_turns),
      cmocka_unit_test(test_edits_by_hand),
      cmocka_unit_test(test_goes_on),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
