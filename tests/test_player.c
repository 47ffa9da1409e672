/* tests/test_player.c - players in seats: one that answers later, in any order, in tokens or in
 * turns; one a role; one that changes at an update; one that fails. */
#include "core/rng.h"
#include "lua/grammar.h"
#include "tests/rollout_support.h"

enum { N_JOBS = 24, MAX_OPEN = 256, MAX_ROWS = 4096 };

/* --- a new player: a table of answers, in an order of its own --- */

typedef struct row {
  uint64_t seed, n_tokens;
  int ordinal;
  int32_t token;
} row;

typedef enum fault { FAULT_NONE, FAULT_STATUS, FAULT_TOKEN, FAULT_RANGE, FAULT_CALLS } fault;

/* What all seats of the player share; one shard, so there is no lock. */
typedef struct table {
  size_t n;
  row rows[MAX_ROWS];
  uint64_t order; /* 0: as asked; else which answer comes next is drawn, some after a delay */
  fault fault;
  size_t n_asked, n_forgotten, most_open, n_waits, n_of_role[PARL_ENV_MAX_ROLES];
  const char *style; /* of the turns that it writes */
} table;

typedef struct table_seat {
  table *of;
  size_t n;
  parl_question open[MAX_OPEN];
  parl_call calls[PARL_TURN_MAX_CALLS];
  uint64_t n_draws;
} table_seat;

static parl_status table_open(const parl_seat_def *def, void **seat) {
  table_seat *s = calloc(1, sizeof *s);
  assert_non_null(s);
  s->of = def->player->context;
  *seat = s;
  return PARL_STATUS_OK;
}

static parl_status table_submit(void *seat, const parl_question *questions, size_t n) {
  table_seat *s = seat;
  assert_true(s->n + n <= MAX_OPEN);
  for (size_t i = 0; i < n; i++) {
    if (questions[i].role >= 0) s->of->n_of_role[questions[i].role]++;
    s->open[s->n++] = questions[i];
  }
  s->of->n_asked += n;
  if (s->n > s->of->most_open) s->of->most_open = s->n;
  return PARL_STATUS_OK;
}

static int32_t look_up(const table *t, const parl_question *q) {
  for (size_t i = 0; i < t->n; i++)
    if (t->rows[i].seed == q->job->episode_seed && t->rows[i].ordinal == q->ordinal &&
        t->rows[i].n_tokens == q->n_tokens)
      return t->rows[i].token;
  fail_msg("no row for agent %d of seed %llu at %zu tokens", q->ordinal,
           (unsigned long long)q->job->episode_seed, q->n_tokens);
  return 0;
}

/* The first token that is not allowed. */
static int32_t find_refused(const uint64_t *mask) {
  int32_t token = 0;
  while ((mask[token / 64] >> (token % 64) & 1) != 0) token++;
  return token;
}

static parl_status answer_one(table_seat *s, const parl_question *q, parl_answer *out) {
  const bool fails = s->of->fault != FAULT_NONE && q->job->episode_seed % 3 == 0;
  *out = (parl_answer){.id = q->id, .slot = q->slot, .logp = -0.5f};
  if (fails && s->of->fault == FAULT_STATUS) {
    out->status = PARL_STATUS_EIO;
    out->error = "connection reset by peer";
  } else if (q->mask == NULL) {
    PARL_TRY(parl_env_expert(q->env, q->world, q->agent, s->of->style, s->calls,
                             PARL_TURN_MAX_CALLS, &out->n_calls));
    if (fails) s->calls[0].tool = 99;
    if (fails) s->calls[0].kind = PARL_CALL_TOOL;
    out->calls = s->calls;
  } else {
    out->token = fails && s->of->fault == FAULT_TOKEN ? find_refused(q->mask) : look_up(s->of, q);
    if (fails && s->of->fault == FAULT_RANGE) out->token = 1 << 20;
  }
  return PARL_STATUS_OK;
}

/* One answer at a time, of those that are open; one time in four none yet. */
static parl_status table_collect(void *seat, bool may_wait, parl_answer *answers, size_t max,
                                 size_t *n) {
  table_seat *s = seat;
  *n = 0;
  s->of->n_waits += may_wait;
  assert_true(max > 1);
  if (s->n == 0) return PARL_STATUS_OK;
  size_t k = 0;
  if (s->of->order != 0) {
    if (parl_rng_uniform(s->of->order, 1, s->n_draws++) < 0.25) return PARL_STATUS_OK;
    k = (size_t)(parl_rng_uniform(s->of->order, 2, s->n_draws++) * (double)s->n);
  }
  const parl_question q = s->open[k];
  s->open[k] = s->open[--s->n];
  PARL_TRY(answer_one(s, &q, &answers[0]));
  answers[1] = (parl_answer){.id = q.id + 1000000, .slot = q.slot}; /* to nothing that was asked */
  *n = 2;
  return PARL_STATUS_OK;
}

static void table_forget(void *seat, int32_t slot) {
  table_seat *s = seat;
  for (size_t i = 0; i < s->n; i++)
    if (s->open[i].slot == slot) {
      s->open[i--] = s->open[--s->n];
      s->of->n_forgotten++;
    }
}

static const parl_player_kind table_kind = {.name = "table",
                                            .open = table_open,
                                            .close = free,
                                            .submit = table_submit,
                                            .collect = table_collect,
                                            .forget = table_forget};
static const parl_player_kind turn_kind = {.name = "turns",
                                           .asks_turns = true,
                                           .open = table_open,
                                           .close = free,
                                           .submit = table_submit,
                                           .collect = table_collect,
                                           .forget = table_forget};

/* Plays at random and writes the table. */
static parl_status record(void *context, const parl_question *q, int32_t *token) {
  table *t = context;
  const size_t k =
      (size_t)(parl_rng_uniform(q->job->episode_seed, (uint64_t)q->ordinal, q->n_tokens) *
               (double)q->n_allowed);
  size_t seen = 0;
  for (*token = 0; seen <= k; (*token)++) seen += (q->mask[*token / 64] >> (*token % 64) & 1) != 0;
  (*token)--;
  assert_true(t->n < MAX_ROWS);
  t->rows[t->n++] = (row){q->job->episode_seed, q->n_tokens, q->ordinal, *token};
  return PARL_STATUS_OK;
}

/* --- playing --- */

typedef struct game {
  parl_run_config config;
  const char *env;
  parl_workers *workers;
  parl_trajectories *set;
  parl_rollout *rollout;
} game;

static void open_game(game *g, const parl_seats *seats) {
  if (g->env == NULL) g->env = COUNT_ENV;
  assert_ok(parl_workers_create(1, &g->workers));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = g->env,
                                                    .config = parl_run_config_get_swarm(&g->config),
                                                    .seats = *seats,
                                                    .n_slots = 8,
                                                    .workers = g->workers},
                                &g->rollout));
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(g->rollout));
  assert_ok(
      parl_trajectories_create(&(parl_trajectories_def){.n = N_JOBS,
                                                        .max_mains = 1,
                                                        .context = spec->limits.context,
                                                        .max_subs = (size_t)spec->limits.max_width,
                                                        .sub_context = spec->limits.sub_context,
                                                        .n_words = (spec->n_tokens + 63) / 64},
                               &g->set));
}

static parl_status play(game *g, const parl_seats *own) {
  parl_job jobs[N_JOBS];
  for (size_t i = 0; i < N_JOBS; i++)
    jobs[i] = (parl_job){.task_seed = i,
                         .episode_seed = 100 + i,
                         .seats = own,
                         .temperature = 1,
                         .out = parl_trajectories_get(g->set, i)};
  return parl_rollout_run(g->rollout, jobs, N_JOBS, NULL);
}

static void close_game(game *g) {
  parl_rollout_destroy(g->rollout);
  parl_trajectories_destroy(g->set);
  parl_workers_destroy(g->workers);
}

/* Facts and tokens of every episode that did not fail, as one number. */
static uint64_t hash_game(const game *g) {
  uint64_t h = 0;
  for (size_t i = 0; i < N_JOBS; i++) {
    const parl_trajectory *t = parl_trajectories_get(g->set, i);
    h = parl_rng_stream(h, i, t->failed, t->n_subs);
    if (t->failed) continue;
    h = parl_rng_stream(h, (uint64_t)(1e6 * t->facts.r_perf), (uint64_t)t->facts.total_steps,
                        (uint64_t)t->facts.critical_steps);
    for (size_t k = 0; k <= t->n_subs; k++) {
      const parl_sequence *s = k == 0 ? &t->mains[0] : &t->subs[k - 1];
      for (int32_t p = 0; p < s->n_tokens; p++)
        h = parl_rng_stream(h, (uint64_t)s->tokens[p], (uint64_t)p, k);
    }
  }
  return h;
}

static uint64_t play_all(const parl_run_config *config, parl_player player) {
  const parl_seats seats = {.main = player, .subs = player};
  game g = {.config = *config};
  open_game(&g, &seats);
  assert_ok(play(&g, NULL));
  const uint64_t hash = hash_game(&g);
  close_game(&g);
  return hash;
}

static void test_answers_come_in_any_order(void **state) {
  (void)state;
  const parl_run_config config = count_config();
  static table t;
  t = (table){.n = 0};
  const uint64_t due = play_all(&config, parl_player_of_choices(record, &t));
  assert_true(t.n > 100);
  for (t.order = 0; t.order < 6; t.order++) {
    t.most_open = 0;
    const uint64_t hash = play_all(&config, (parl_player){.kind = &table_kind, .context = &t});
    assert_true(hash == due);
    assert_true(t.most_open >= 8); /* many in flight */
  }
  assert_true(t.n_waits > 0);
}

/* A program outside would answer whole turns: here the expert's, so that it plays as the script. */
static void test_a_player_of_turns_plays_as_the_script_does(void **state) {
  (void)state;
  static const char *const styles[] = {"hand", "serial", "wide"};
  const parl_run_config config = count_config();
  for (size_t i = 0; i < 3; i++)
    for (uint64_t order = 0; order < 3; order++) {
      static table t;
      t = (table){.order = order, .style = styles[i]};
      const uint64_t hash = play_all(&config, (parl_player){.kind = &turn_kind, .context = &t});
      assert_true(hash == play_all(&config, parl_player_of_script(styles[i], 1)));
      assert_true(t.n_asked > N_JOBS);
    }
}

/* --- roles and updates --- */

static void test_a_player_for_each_role(void **state) {
  (void)state;
  static table of_role[3], own;
  static const size_t engineer = 1;
  parl_seats seats = {.main = parl_player_of_script("greedy_wide", 1)};
  for (size_t i = 0; i < 3; i++) {
    of_role[i] = (table){.style = "greedy_wide", .order = i};
    seats.of_role[i] = (parl_player){.kind = &turn_kind, .context = &of_role[i]};
  }
  game g = {.config = count_config(), .env = "envs/dag.lua"};
  open_game(&g, &seats);
  assert_ok(play(&g, NULL));
  const uint64_t hash = hash_game(&g);
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < 3; k++)
      assert_true((of_role[i].n_of_role[k] > 0) == (i == k && of_role[i].n_asked > 0));
  assert_true(of_role[0].n_asked > 0 && of_role[engineer].n_asked > 0);
  /* A job's own player of a role comes before the rollout's. */
  const size_t before = of_role[engineer].n_asked;
  own = (table){.style = "greedy_wide"};
  parl_seats mine = {.of_role[1] = {.kind = &turn_kind, .context = &own}};
  assert_ok(play(&g, &mine));
  assert_true(own.n_of_role[engineer] > 0);
  assert_int_equal(own.n_of_role[engineer], own.n_asked);
  assert_int_equal(of_role[engineer].n_asked, before);
  assert_true(hash_game(&g) == hash);
  close_game(&g);
}

/* The sub-agents of a role are another model from an update on: what it plays then is what it
 * would have played from the start. */
static void test_the_player_of_a_role_changes_at_an_update(void **state) {
  (void)state;
  parl_run_config config = count_config();
  const int n_tokens = count_n_tokens();
  parl_model *main = count_model(&config, n_tokens, "cpu", 1);
  parl_model *small = count_model(&config, n_tokens, "cpu", 2);
  config.model.d_model = 32;
  config.model.n_heads = config.model.n_kv_heads = 4;
  parl_model *large = count_model(&config, n_tokens, "cpu", 3);
  parl_seats seats = {.main = parl_player_of_model(main, PARL_CACHE_F32, 1),
                      .of_role[0] = parl_player_of_model(small, PARL_CACHE_F32, 1)};
  game g = {.config = config}, fresh = {.config = config};
  open_game(&g, &seats);
  assert_ok(play(&g, NULL));
  const uint64_t with_small = hash_game(&g);
  seats.of_role[0] = parl_player_of_model(large, PARL_CACHE_F32, 1);
  parl_rollout_set_seats(g.rollout, &seats);
  parl_model_destroy(small); /* nobody needs it any more */
  assert_ok(play(&g, NULL));
  const uint64_t with_large = hash_game(&g);
  open_game(&fresh, &seats);
  assert_ok(play(&fresh, NULL));
  assert_true(with_small != with_large);
  assert_true(hash_game(&fresh) == with_large);
  close_game(&g);
  close_game(&fresh);
  parl_model_destroy(main);
  parl_model_destroy(large);
}

/* --- failures --- */

static void open_failing(game *g, table *t, const parl_player_kind *kind, int on_error) {
  const parl_player player = {.kind = kind, .context = t};
  const parl_seats seats = {.main = player, .subs = player};
  *g = (game){.config = count_config()};
  g->config.env.on_error = on_error;
  open_game(g, &seats);
}

/* One episode in three: the run stops, or goes on without them. */
static void test_a_failing_player_is_judged_as_a_script(void **state) {
  (void)state;
  static const struct {
    fault fault;
    const parl_player_kind *kind;
    const char *part;
  } rows[] = {
      {FAULT_STATUS, &table_kind, "player table: connection reset by peer"},
      {FAULT_TOKEN, &table_kind, "is not allowed here"},
      {FAULT_RANGE, &table_kind, "player table: token 1048576 is not allowed here"},
      {FAULT_STATUS, &turn_kind, "player turns: connection reset by peer"},
      {FAULT_CALLS, &turn_kind, "player turns: "},
  };
  const parl_run_config config = count_config();
  static table t;
  t = (table){.n = 0};
  play_all(&config, parl_player_of_choices(record, &t));
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    game g;
    int64_t n, n_failed;
    t.order = 1;
    t.style = "wide";
    t.fault = rows[i].fault;
    open_failing(&g, &t, rows[i].kind, PARL_ON_ERROR_STOP);
    assert_fails(play(&g, NULL), PARL_STATUS_EPLAYER, rows[i].part);
    assert_contains(parl_error_text(), "episode with task seed");
    t.fault = FAULT_NONE; /* the rollout can be used again */
    assert_ok(play(&g, NULL));
    const uint64_t due = hash_game(&g);
    close_game(&g);
    t.fault = rows[i].fault;
    open_failing(&g, &t, rows[i].kind, PARL_ON_ERROR_SKIP);
    assert_ok(play(&g, NULL));
    assert_contains(parl_rollout_get_failures(g.rollout, &n, &n_failed), rows[i].part);
    assert_int_equal(n_failed, N_JOBS / 3);
    for (size_t k = 0; k < N_JOBS; k++)
      assert_int_equal(parl_trajectories_get(g.set, k)->failed, (100 + k) % 3 == 0);
    t.fault = FAULT_NONE;
    assert_ok(play(&g, NULL));
    assert_true(hash_game(&g) == due);
    close_game(&g);
  }
  assert_true(t.n_forgotten > 0); /* what siblings of a failed one had asked */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers_come_in_any_order),
      cmocka_unit_test(test_a_player_of_turns_plays_as_the_script_does),
      cmocka_unit_test(test_a_player_for_each_role),
      cmocka_unit_test(test_the_player_of_a_role_changes_at_an_update),
      cmocka_unit_test(test_a_failing_player_is_judged_as_a_script),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
