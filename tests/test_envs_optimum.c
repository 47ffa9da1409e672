/* tests/test_envs_optimum.c - brute force confirms what the environments say is optimal.
 *
 * First in the environments themselves: every plan of fewer critical steps than the optimum is
 * played on small tasks, and none solves one. Then on larger tasks, by solvers of their own that
 * share nothing with the scripts but the data of the task. */
#include "tests/test_envs_support.h"

/* --- every plan, played --- */

enum { MAX_PLAN = 8, MAX_SUBS = 3, MAX_ACTIONS = 4096, ENOUGH = 5000 };

/* One action of a plan: a direct call, a new role, or a launch whose sub-agents are stopped after
 * `cut` steps. task[i]: bits of the values that sub-agent i gets, of stage[i] of them. */
typedef struct action {
  enum { DIRECT, ANSWER, CREATE, LAUNCH } kind;
  int tool, value; /* DIRECT; CREATE: the role in value */
  int second;      /* DIRECT: the second argument; 0: there is none */
  int n_subs, cut;
  unsigned task[MAX_SUBS];
  int stage[MAX_SUBS]; /* the first argument of the task, where it has two; else 0 */
  int name[MAX_SUBS];
} action;

typedef struct search {
  parl_env *env;
  uint64_t seed;
  int n_items;
  int64_t limit; /* a plan costs at most this */
  action plan[MAX_PLAN];
  int n_plan;
  int64_t n_played;
} search;

/* A replayed plan. */
typedef struct replay {
  parl_world world;
  parl_agent main;
  int role[MAX_PLAN];
  int n_created, n_assigned;
  int64_t cost;
  double success;
} replay;

static void play_sub(search *s, replay *r, const action *a, int i, parl_agent *agent,
                     int64_t *steps, bool *finished) {
  int32_t tokens[PARL_ENV_MAX_OBSERVATION];
  size_t n;
  parl_call task = {.kind = PARL_CALL_ASSIGN}, call;
  if (a->stage[i] > 0) task.values[task.n_values++] = (int16_t)a->stage[i];
  for (int v = 1; v <= s->n_items; v++) {
    if (!(a->task[i] >> v & 1)) continue;
    task.slot[task.n_values] = a->stage[i] > 0;
    task.values[task.n_values++] = (int16_t)v;
  }
  assert_ok(parl_env_brief(s->env, r->world, &task, r->role[a->name[i]], ++r->n_assigned, agent,
                           tokens, PARL_ENV_MAX_OBSERVATION, &n));
  *finished = false;
  for (*steps = 0; *steps <= a->cut; ++*steps) {
    assert_ok(parl_env_expert(s->env, r->world, *agent, "oracle", &call, 1, &n));
    *finished = call.kind == PARL_CALL_FINISH;
    if (*finished || *steps == a->cut) return;
    assert_ok(parl_env_call(s->env, r->world, *agent, &call, tokens, PARL_ENV_MAX_OBSERVATION, &n));
  }
}

static void play_launch(search *s, replay *r, const action *a) {
  int32_t tokens[PARL_ENV_MAX_OBSERVATION];
  size_t n;
  parl_agent agents[MAX_SUBS];
  bool finished[MAX_SUBS];
  int64_t longest = 0, steps = 0;
  for (int i = 0; i < a->n_subs; i++) {
    play_sub(s, r, a, i, &agents[i], &steps, &finished[i]);
    longest = steps > longest ? steps : longest;
  }
  for (int i = 0; i < a->n_subs; i++)
    assert_ok(parl_env_deliver(s->env, r->world, agents[i], finished[i], tokens,
                               PARL_ENV_MAX_OBSERVATION, &n));
  r->cost += 1 + longest;
}

static void play_action(search *s, replay *r, const action *a) {
  int32_t tokens[PARL_ENV_MAX_OBSERVATION];
  size_t n;
  parl_call call = {.kind = PARL_CALL_TOOL, .tool = a->tool, .n_values = 1};
  call.values[0] = (int16_t)a->value;
  if (a->second > 0) {
    call.n_values = 2;
    call.values[1] = (int16_t)a->second;
    call.slot[1] = 1;
  }
  if (a->kind == LAUNCH) {
    play_launch(s, r, a);
    return;
  }
  r->cost++;
  if (a->kind == CREATE) {
    r->role[r->n_created++] = a->value;
    return;
  }
  if (a->kind == ANSWER)
    assert_ok(parl_env_expert(s->env, r->world, r->main, "serial", &call, 1, &n));
  assert_ok(parl_env_call(s->env, r->world, r->main, &call, tokens, PARL_ENV_MAX_OBSERVATION, &n));
}

static void add_direct(search *s, const replay *r, action *list, int *n_list) {
  const parl_env_spec *spec = parl_env_get_spec(s->env);
  uint8_t allowed[256];
  for (int t = 0; t < spec->n_tools; t++) {
    const parl_tool *tool = &spec->tools[t];
    if (tool->slots[0].many) continue;
    const int n_seconds = tool->n_slots > 1 ? spec->families[tool->slots[1].family].n : 0;
    assert_ok(parl_env_legal(s->env, r->world, r->main, t, 0, NULL, NULL, 0, allowed));
    for (int v = 1; v <= s->n_items; v++)
      for (int x = n_seconds > 0; allowed[v - 1] && x <= n_seconds; x++)
        list[(*n_list)++] = (action){.kind = DIRECT, .tool = t, .value = v, .second = x};
  }
}

/* The list that an expert would answer with now, if it does. */
static void add_answer(search *s, const replay *r, action *list, int *n_list) {
  parl_call call;
  size_t n;
  assert_ok(parl_env_expert(s->env, r->world, r->main, "serial", &call, 1, &n));
  const parl_env_spec *spec = parl_env_get_spec(s->env);
  if (call.kind == PARL_CALL_TOOL && spec->tools[call.tool].slots[0].many)
    list[(*n_list)++] = (action){.kind = ANSWER};
}

/* Every list of 1 to 3 tasks, each any set of values; three only if they share nothing. */
static void add_launches(const search *s, const replay *r, int cut, action *list, int *n_list) {
  const parl_env_spec *spec = parl_env_get_spec(s->env);
  const bool is_staged = spec->task.n_slots > 1;
  const int n_stages = is_staged ? spec->families[spec->task.slots[0].family].n : 1;
  const unsigned n_sets = 1u << s->n_items, n_tasks = (unsigned)n_stages * n_sets;
  for (int k = 0; k < r->n_created * r->n_created; k++) {
    const int first = k % r->n_created, second = k / r->n_created;
    for (unsigned i = 0; i < n_tasks * n_tasks; i++) {
      const unsigned a = i / n_tasks % n_sets, b = i % n_sets;
      action x = {.kind = LAUNCH, .n_subs = 1, .cut = cut, .task = {2 * a}, .name = {first}};
      x.stage[0] = is_staged ? (int)(i / n_tasks / n_sets) + 1 : 0;
      x.stage[1] = x.stage[2] = is_staged ? (int)(i % n_tasks / n_sets) + 1 : 0;
      if (a == 0) continue;
      if (b == 0 && second == 0 && x.stage[1] <= 1) list[(*n_list)++] = x;
      if (b > 0) {
        x.n_subs = 2, x.task[1] = 2 * b, x.name[1] = second;
        list[(*n_list)++] = x;
        const unsigned c = (n_sets - 1) & ~(a | b);
        x.n_subs = 3, x.task[2] = 2 * c, x.name[2] = second;
        if ((a & b) == 0 && c != 0) list[(*n_list)++] = x;
      }
    }
  }
  assert_true(*n_list < MAX_ACTIONS);
}

static void search_from(search *s);

static void try_all(search *s, const action *list, int n_list) {
  for (int i = 0; i < n_list; i++) {
    s->plan[s->n_plan++] = list[i];
    search_from(s);
    s->n_plan--;
  }
}

/* Plays the plan so far, then each that goes on from it within the limit. */
static void search_from(search *s) {
  const parl_env_spec *spec = parl_env_get_spec(s->env);
  replay r = {0};
  int n_list = 0;
  assert_ok(parl_env_reset(s->env, s->seed, 1, &r.world, &r.main));
  for (int i = 0; i < s->n_plan; i++) play_action(s, &r, &s->plan[i]);
  double r_perf;
  assert_ok(parl_env_score(s->env, r.world, &r_perf, &r.success, NULL));
  s->n_played++;
  const int64_t left = s->limit - r.cost;
  if (left >= 0 && r.success == 1)
    fail_msg("%s: task seed %d is solved in %d steps", spec->name, (int)s->seed, (int)r.cost);
  static action lists[MAX_PLAN + 1][MAX_ACTIONS];
  action *list = lists[s->n_plan];
  if (left >= 1 && s->n_plan < MAX_PLAN) {
    add_direct(s, &r, list, &n_list);
    add_answer(s, &r, list, &n_list);
    for (int role = 0; role < spec->n_roles && r.n_created < 2; role++)
      list[n_list++] = (action){.kind = CREATE, .value = role};
    for (int cut = 1; cut <= left - 1 && r.n_created > 0; cut++)
      add_launches(s, &r, cut, list, &n_list);
  }
  parl_env_release(s->env, r.world);
  try_all(s, list, n_list);
}

/* Plays every plan on the small tasks among the first seeds; four, or fewer of many plans. */
static void search_all(const char *name, const char *params, int n_items, int64_t most) {
  search s = {.env = env_open(name, params), .n_items = n_items};
  int n_tasks = 0;
  for (s.seed = 1; s.seed <= 60 && n_tasks < 4 && s.n_played < ENOUGH; s.seed++) {
    parl_env_optimum best;
    parl_world w;
    parl_agent m;
    assert_ok(parl_env_reset(s.env, s.seed, 1, &w, &m));
    assert_ok(parl_env_get_optimum(s.env, w, &best));
    parl_env_release(s.env, w);
    if (best.critical_steps > most || best.is != PARL_OPTIMUM_EXACT) continue;
    s.limit = best.critical_steps - 1;
    search_from(&s);
    n_tasks++;
  }
  if ((n_tasks < 3 && s.n_played < ENOUGH) || s.n_played <= 10)
    fail_msg("%s: %d tasks, %d plans", name, n_tasks, (int)s.n_played);
  parl_env_destroy(s.env);
}

static void no_plan_is_shorter(void **state) {
  (void)state;
  search_all("chain", "{\"links_min\":3,\"links_max\":3}", 3, 5);
  search_all("deep_search", "{\"branches_min\":3,\"branches_max\":3,\"depth\":2}", 3, 6);
  search_all("batch_download", "{\"items_min\":3,\"items_max\":3,\"size_max\":4,\"streams_max\":2}",
             3, 5);
  search_all("dag",
             "{\"depth_max\":2,\"width_min\":1,\"width_max\":2,\"effort_max\":2,\"p_fail\":0}", 3,
             5);
  search_all("long_read", "{\"pages_min\":3,\"pages_max\":3,\"context\":400}", 3, 5);
  search_all("lure", "{\"items_min\":3,\"items_max\":3,\"size_max\":3}", 3, 5);
  search_all("lure", "{\"items_min\":2,\"items_max\":2,\"empty\":1,\"duplicate\":true}", 3, 5);
  search_all("code_assistant",
             "{\"parts_min\":1,\"parts_max\":1,\"search_max\":2,\"size_max\":1,\"p_fail\":0}", 1,
             6);
  search_all("bugfix", "{\"suspects_min\":1,\"suspects_max\":1,\"effort_max\":1,\"p_fail\":0}", 1,
             6);
  search_all("survey", "{\"sources_min\":3,\"sources_max\":3,\"pages_max\":1}", 3, 5);
  search_all("test_generation",
             "{\"arguments_min\":1,\"arguments_max\":1,\"effort_max\":1,\"wait\":0}", 1, 5);
  search_all("wide_search", "{\"rows_min\":3,\"rows_max\":3,\"columns\":1}", 3, 5);
  search_all("shapes", "{\"pictures_min\":2,\"pictures_max\":2}", 2, 4);
  search_all("shapes", "{\"pictures_max\":1,\"side\":4}", 1, 3);
  search_all("ocr", "{\"lines_min\":2,\"lines_max\":2,\"digits_max\":2}", 2, 5);
  search_all("chart", "{\"charts_min\":2,\"charts_max\":2}", 2, 4);
  search_all("motion", "{\"clips_min\":2,\"clips_max\":2}", 2, 5);
  search_all("look_wide", "{\"pictures_min\":2,\"pictures_max\":2}", 2, 5);
}

/* --- batch_download: every order of every grouping, by list scheduling --- */

typedef struct batch {
  int n, streams, size[16];
  int load[16], n_groups; /* sizes of the groups, in order of assignment */
  int best;
} batch;

static void queue_groups(batch *b, const int *order) {
  int line[16] = {0}, longest = 0;
  for (int i = 0; i < b->n_groups; i++) {
    int first = 0;
    for (int k = 1; k < b->streams; k++)
      if (line[k] < line[first]) first = k;
    line[first] += b->load[order[i]];
    if (line[first] > longest) longest = line[first];
  }
  if (2 + longest < b->best) b->best = 2 + longest;
}

static void permute(batch *b, int *order, int k) {
  if (k == b->n_groups) queue_groups(b, order);
  for (int i = k; i < b->n_groups; i++) {
    const int x = order[k];
    order[k] = order[i], order[i] = x;
    permute(b, order, k + 1);
    order[i] = order[k], order[k] = x;
  }
}

static void partition(batch *b, int item) {
  if (item == b->n) {
    int order[16];
    for (int i = 0; i < b->n_groups; i++) order[i] = i;
    permute(b, order, 0);
    return;
  }
  for (int g = 0; g <= b->n_groups; g++) {
    const bool is_new = g == b->n_groups;
    if (is_new) b->load[b->n_groups++] = 0;
    b->load[g] += b->size[item];
    partition(b, item + 1);
    b->load[g] -= b->size[item];
    b->n_groups -= is_new;
  }
}

static void batch_download_is_scheduled(void **state) {
  (void)state;
  parl_env *env = env_open("batch_download", "{\"items_min\":4,\"items_max\":6,\"size_max\":12}");
  for (uint64_t seed = 1; seed <= 60; seed++) {
    parl_world w;
    parl_agent m;
    int32_t t[64];
    size_t n;
    parl_env_optimum best;
    assert_ok(parl_env_reset(env, seed, 1, &w, &m));
    assert_ok(parl_env_prompt(env, w, t, 64, &n));
    assert_ok(parl_env_get_optimum(env, w, &best));
    parl_env_release(env, w);
    const parl_family *f = parl_env_get_spec(env)->families; /* item, size, stream, word */
    batch b = {.n = (int)(n - 1) / 2, .streams = t[0] - f[2].first_token + 1};
    for (int i = 0; i < b.n; i++) {
      b.size[i] = t[2 + 2 * i] - f[1].first_token + 1;
      b.best += b.size[i];
    }
    assert_int_equal(b.best, best.serial_steps);
    partition(&b, 0);
    assert_int_equal(b.best, best.critical_steps);
    assert_int_equal(best.is, PARL_OPTIMUM_EXACT);
  }
  parl_env_destroy(env);
}

/* --- dag: every set of tasks for every sub-agent, from every set of done tasks and roles --- */

enum { DAG_MAX = 8 };

typedef struct dag {
  int n, kind[DAG_MAX], effort[DAG_MAX], slow;
  unsigned needs[DAG_MAX];
  int best[8][1 << DAG_MAX]; /* [roles, done] least steps to the end; 0: unknown */
} dag;

static int dag_cost(const dag *d, int role, int task) {
  static const int suits[] = {1, 1, 2, 2, 3};
  return suits[d->kind[task]] == role ? d->effort[task] : d->slow * d->effort[task];
}

/* Everything that sub-agents of these roles can finish in `steps` after `done`. */
static unsigned dag_reach(const dag *d, unsigned roles, unsigned done, int steps) {
  unsigned reached = done;
  for (unsigned set = 1; set < 1u << d->n; set++) {
    bool closed = (set & done) == 0;
    for (int v = 0; v < d->n; v++)
      closed = closed && (!(set >> v & 1) || (d->needs[v] & ~(done | set)) == 0);
    for (int role = 1; closed && role <= 3; role++) {
      int sum = 0;
      for (int v = 0; v < d->n; v++) sum += set >> v & 1 ? dag_cost(d, role, v) : 0;
      if (roles >> (role - 1) & 1 && sum <= steps) reached |= set;
    }
  }
  return reached;
}

static int dag_solve(dag *d, unsigned roles, unsigned done) {
  const unsigned all = (1u << d->n) - 1;
  if (done == all) return 0;
  if (d->best[roles][done]) return d->best[roles][done];
  int best = 1000000;
  for (int v = 0; v < d->n; v++) { /* the orchestrator itself */
    if (done >> v & 1 || d->needs[v] & ~done) continue;
    const int cost = dag_cost(d, 0, v) + dag_solve(d, roles, done | 1u << v);
    if (cost < best) best = cost;
  }
  for (int r = 0; r < 3; r++) { /* a role, at any time */
    if (roles >> r & 1) continue;
    const int cost = 1 + dag_solve(d, roles | 1u << r, done);
    if (cost < best) best = cost;
  }
  for (int steps = 1; roles && steps < best; steps++) {
    const unsigned after = dag_reach(d, roles, done, steps);
    if (after == done) continue;
    const int cost = 1 + steps + dag_solve(d, roles, after);
    if (cost < best) best = cost;
  }
  d->best[roles][done] = best;
  return best;
}

/* Steps of each task, by doing them all alone; what it needs, by trying too early. */
static void dag_probe(dag *d, parl_env *env, parl_world w, parl_agent m, const int32_t *t,
                      size_t n) {
  const parl_family *f = parl_env_get_spec(env)->families; /* effort, kind, node, word */
  for (size_t i = 0; i < n; i++) {
    const int kind = t[i] - f[1].first_token, node = t[i] - f[2].first_token;
    if (kind >= 0 && kind < f[1].n) {
      d->kind[d->n++] = kind;
      i += 2; /* its number, its effort */
    } else if (node >= 0 && node < f[2].n) {
      d->needs[d->n - 1] |= 1u << node;
    }
  }
  const int done = f[3].first_token + 2;
  for (int v = 0; v < d->n; v++) {
    int32_t seen[4] = {0};
    parl_call call = {.kind = PARL_CALL_TOOL, .n_values = 1};
    call.values[0] = (int16_t)(v + 1);
    for (d->effort[v] = 0; seen[0] != done; d->effort[v]++)
      assert_ok(parl_env_call(env, w, m, &call, seen, 4, &n));
    assert_int_equal(d->effort[v] % d->slow, 0);
    d->effort[v] /= d->slow;
  }
}

static void check_dag(const char *params, int slow, uint64_t n_seeds) {
  parl_env *env = env_open("dag", params);
  int n_checked = 0;
  for (uint64_t seed = 1; seed <= n_seeds; seed++) {
    dag *d = calloc(1, sizeof *d);
    parl_world w;
    parl_agent m;
    int32_t t[128];
    size_t n;
    parl_env_optimum best;
    assert_non_null(d);
    d->slow = slow;
    assert_ok(parl_env_reset(env, seed, 1, &w, &m));
    assert_ok(parl_env_prompt(env, w, t, 128, &n));
    assert_ok(parl_env_get_optimum(env, w, &best));
    int n_tasks = 0;
    for (size_t i = 0; i < n; i++) {
      const int kind = t[i] - parl_env_get_spec(env)->families[1].first_token;
      n_tasks += kind >= 0 && kind < 5;
    }
    if (n_tasks <= 6) {
      dag_probe(d, env, w, m, t, n);
      assert_int_equal(best.is, PARL_OPTIMUM_EXACT);
      assert_int_equal(dag_solve(d, 0, 0), best.critical_steps);
      n_checked++;
    }
    parl_env_release(env, w);
    free(d);
  }
  assert_true(n_checked >= 10);
  parl_env_destroy(env);
}

static void dag_is_planned(void **state) {
  (void)state;
  check_dag("{}", 2, 60);
  check_dag("{\"slow\":1}", 1, 30);
  check_dag("{\"slow\":4,\"p_fail\":0.4}", 4, 30);
  check_dag("{\"preset\":\"dfs\"}", 2, 30);
  check_dag("{\"preset\":\"bfs\",\"depth_max\":1}", 2, 30);
}

/* --- long_read: the least over every way to cut the pages into launches --- */

static int64_t pages_solve(int n, bool created, int sub_pages) {
  if (n <= 0) return 0;
  int64_t best = 1 + pages_solve(n - 1, created, sub_pages);
  for (int p = 1; p <= sub_pages; p++) {
    const int64_t cost = (created ? 1 : 2) + p + pages_solve(n - 16 * p, true, sub_pages);
    if (cost < best) best = cost;
  }
  return best;
}

static void long_read_is_cut(void **state) {
  (void)state;
  for (int n = 1; n <= 22; n++) {
    for (int sub_pages = 1; sub_pages <= 2; sub_pages++) {
      char params[128];
      parl_world w;
      parl_agent m;
      parl_env_optimum best;
      snprintf(params, sizeof params,
               "{\"pages_min\":%d,\"pages_max\":%d,\"sub_pages\":%d,\"context\":800}", n, n,
               sub_pages);
      parl_env *env = env_open("long_read", params);
      assert_ok(parl_env_reset(env, 1, 1, &w, &m));
      assert_ok(parl_env_get_optimum(env, w, &best));
      assert_int_equal(best.critical_steps, 1 + pages_solve(n, false, sub_pages));
      parl_env_destroy(env);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_plan_is_shorter),
      cmocka_unit_test(batch_download_is_scheduled),
      cmocka_unit_test(dag_is_planned),
      cmocka_unit_test(long_read_is_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
