/* parl/contract/conformance_calls.c - every callback by itself: types, ranges, the same answer
 * twice, every value of every argument, and how long it takes. */
#include <stdio.h>
#include <string.h>

#include "lua/grammar.h"
#include "lua/inspect.h"
#include "parl/contract/conformance_internal.h"
#include "parl/swarm/trace.h"

enum { N_WORLDS = 16, N_EXHAUSTED = 2, MAX_VALUES = 128, N_LIVE = 8 };

typedef struct probe {
  parl_suite *s;
  parl_env *env;
  const parl_env_spec *spec;
  uint64_t task_seed;
  parl_world world;
  parl_agent main;
  int n_subs;
  char where[256];
  int32_t tokens[PARL_ENV_MAX_OBSERVATION], again[PARL_ENV_MAX_OBSERVATION];
  uint8_t allowed[PARL_MASK_MAX_WORDS * 64], allowed_again[PARL_MASK_MAX_WORDS * 64];
  int32_t first_prompt[PARL_ENV_MAX_OBSERVATION];
  size_t n_first_prompt;
  uint64_t first_images; /* of that prompt */
  bool has_first;
  bool failed; /* a finding was made: this phase ends */
} probe;

static void add_time(probe *p, const char *name, double start_s) {
  parl_conformance *out = p->s->out;
  const double spent = parl_suite_now_s() - start_s;
  size_t i = 0;
  while (i < out->n_timings && strcmp(out->timings[i].name, name) != 0) i++;
  if (i == PARL_MAX_TIMINGS) return;
  parl_timing *t = &out->timings[i];
  if (i == out->n_timings) {
    *t = (parl_timing){.n = 0};
    snprintf(t->name, sizeof t->name, "%s", name);
    out->n_timings++;
  }
  t->n++;
  t->total_s += spent;
  if (spent > t->max_s) t->max_s = spent;
}

/* TIMED(p, "score", call): the status of call. */
#define TIMED(p, name, call)                       \
  ({                                               \
    const double timed_start = parl_suite_now_s(); \
    const parl_status timed_status = (call);       \
    add_time((p), (name), timed_start);            \
    timed_status;                                  \
  })

/* A failure of the script ends the phase with a finding. */
static parl_status blame(probe *p, parl_status status, parl_conformance_check check,
                         const char *what) {
  if (status == PARL_STATUS_OK) return PARL_STATUS_OK;
  char where[600];
  snprintf(where, sizeof where, "%s%s%s", p->where, what[0] ? ", " : "", what);
  p->failed = true;
  return parl_suite_blame(p->s, status, check, where);
}

/* Goes on only while nothing was found. */
#define TRY_BLAME(p, status, check, what)            \
  do {                                               \
    PARL_TRY(blame((p), (status), (check), (what))); \
    if ((p)->failed) return PARL_STATUS_OK;          \
  } while (0)

static void check_same(probe *p, bool same, const char *callback) {
  if (!same)
    parl_suite_find(p->s, PARL_CONFORMANCE_pure, false, p->where,
                    "%s answers differently when it is asked a second time", callback);
}

static parl_status check_prompt(probe *p) {
  size_t n = 0, n_again = 0;
  TRY_BLAME(p,
            TIMED(p, "prompt",
                  parl_env_prompt(p->env, p->world, p->tokens, PARL_ENV_MAX_OBSERVATION, &n)),
            PARL_CONFORMANCE_contract, "prompt");
  const uint64_t images = parl_env_hash_shown(p->env);
  TRY_BLAME(p, parl_env_prompt(p->env, p->world, p->again, PARL_ENV_MAX_OBSERVATION, &n_again),
            PARL_CONFORMANCE_contract, "prompt");
  check_same(p,
             n == n_again && memcmp(p->tokens, p->again, n * sizeof *p->tokens) == 0 &&
                 images == parl_env_hash_shown(p->env),
             "prompt");
  if ((int)n + 1 > p->spec->limits.context)
    parl_suite_find(p->s, PARL_CONFORMANCE_contract, false, p->where,
                    "the prompt has %zu tokens, the context holds %d", n, p->spec->limits.context);
  if (!p->has_first) {
    memcpy(p->first_prompt, p->tokens, n * sizeof *p->tokens);
    p->n_first_prompt = n;
    p->first_images = images;
    p->has_first = true;
  } else if (n != p->n_first_prompt || images != p->first_images ||
             memcmp(p->tokens, p->first_prompt, n * sizeof *p->tokens) != 0) {
    p->s->any_differ = true;
  }
  return PARL_STATUS_OK;
}

static parl_status check_score(probe *p) {
  double r_perf[2], success[2];
  parl_text details[2] = {{0}};
  parl_status status = PARL_STATUS_OK;
  for (int i = 0; i < 2 && status == PARL_STATUS_OK; i++)
    status =
        TIMED(p, "score", parl_env_score(p->env, p->world, &r_perf[i], &success[i], &details[i]));
  const bool same = status == PARL_STATUS_OK && r_perf[0] == r_perf[1] &&
                    success[0] == success[1] &&
                    strcmp(parl_text_get(&details[0]), parl_text_get(&details[1])) == 0;
  parl_text_deinit(&details[0]);
  parl_text_deinit(&details[1]);
  TRY_BLAME(p, status, PARL_CONFORMANCE_reward, "score");
  check_same(p, same, "score");
  return PARL_STATUS_OK;
}

static parl_status check_optimum(probe *p) {
  parl_env_optimum o, again;
  TRY_BLAME(p, TIMED(p, "optimum", parl_env_get_optimum(p->env, p->world, &o)),
            PARL_CONFORMANCE_optimum, "optimum");
  TRY_BLAME(p, parl_env_get_optimum(p->env, p->world, &again), PARL_CONFORMANCE_optimum, "optimum");
  check_same(p,
             o.critical_steps == again.critical_steps && o.serial_steps == again.serial_steps &&
                 o.r_perf == again.r_perf && o.is == again.is && o.width == again.width,
             "optimum");
  if (o.serial_steps < o.critical_steps)
    parl_suite_find(p->s, PARL_CONFORMANCE_optimum, false, p->where,
                    "optimum says %lld critical steps, but working alone takes %lld",
                    (long long)o.critical_steps, (long long)o.serial_steps);
  if (o.width == 0 && o.serial_steps > o.critical_steps)
    parl_suite_find(p->s, PARL_CONFORMANCE_optimum, false, p->where,
                    "optimum says width 0, to work alone, which takes %lld steps, not %lld",
                    (long long)o.serial_steps, (long long)o.critical_steps);
  return PARL_STATUS_OK;
}

static parl_status check_legal(probe *p, parl_agent agent) {
  if (!p->spec->has_legal) return PARL_STATUS_OK;
  for (int tool = -1; tool < p->spec->n_tools; tool++) {
    const parl_tool *t = tool < 0 ? &p->spec->task : &p->spec->tools[tool];
    parl_call given = {.n_values = 0}; /* the least value for every earlier slot */
    for (int slot = 0; slot < t->n_slots; slot++) {
      const size_t n = (size_t)p->spec->families[t->slots[slot].family].n;
      TRY_BLAME(
          p,
          TIMED(p, "legal",
                parl_env_legal(p->env, p->world, agent, tool, slot, &given, NULL, 0, p->allowed)),
          PARL_CONFORMANCE_contract, "legal");
      TRY_BLAME(
          p, parl_env_legal(p->env, p->world, agent, tool, slot, &given, NULL, 0, p->allowed_again),
          PARL_CONFORMANCE_contract, "legal");
      check_same(p, memcmp(p->allowed, p->allowed_again, n) == 0, "legal");
      given.slot[given.n_values] = (uint8_t)slot;
      given.values[given.n_values++] = 1;
    }
  }
  return PARL_STATUS_OK;
}

/* The call with value v in one slot and 1 in the others; `times` values in a slot that
 * takes many. */
static parl_call make_call(const parl_tool *tool, parl_call_kind kind, int index, int slot, int v,
                           int times) {
  parl_call call = {.kind = kind, .tool = index};
  for (int k = 0; k < tool->n_slots; k++) {
    const int n = k == slot && tool->slots[k].many ? times : 1;
    for (int i = 0; i < n; i++) {
      call.slot[call.n_values] = (uint8_t)k;
      call.values[call.n_values++] = (int16_t)(k == slot ? v : 1);
    }
  }
  return call;
}

static parl_status try_call(probe *p, parl_agent agent, int tool, const parl_call *call,
                            const char *whose) {
  size_t n;
  const parl_status status =
      TIMED(p, p->spec->tools[tool].name,
            parl_env_call(p->env, p->world, agent, call, p->tokens, PARL_ENV_MAX_OBSERVATION, &n));
  if (status == PARL_STATUS_OK) return PARL_STATUS_OK;
  parl_text text = {0};
  parl_text_appendf(&text, "%s calls ", whose);
  parl_trace_append_call(p->env, call, &text);
  const parl_status passed = blame(p, status, PARL_CONFORMANCE_grammar, parl_text_get(&text));
  parl_text_deinit(&text);
  return passed;
}

/* Every value of every argument of every tool. */
static parl_status exhaust_tools(probe *p, parl_agent agent, const char *whose) {
  for (int t = 0; t < p->spec->n_tools; t++) {
    const parl_tool *tool = &p->spec->tools[t];
    if (tool->n_slots == 0) {
      const parl_call call = {.kind = PARL_CALL_TOOL, .tool = t};
      PARL_TRY(try_call(p, agent, t, &call, whose));
      if (p->failed) return PARL_STATUS_OK;
    }
    for (int slot = 0; slot < tool->n_slots; slot++) {
      const int n = p->spec->families[tool->slots[slot].family].n;
      for (int v = 1; v <= n && v <= MAX_VALUES; v++) {
        const int times = v == n ? tool->slots[slot].max : 1;
        const parl_call call = make_call(tool, PARL_CALL_TOOL, t, slot, v, times);
        PARL_TRY(try_call(p, agent, t, &call, whose));
        if (!p->failed && agent == p->main && v % 16 == 1) PARL_TRY(check_score(p));
        if (p->failed) return PARL_STATUS_OK;
      }
    }
  }
  return PARL_STATUS_OK;
}

static parl_status try_task(probe *p, const parl_call *task) {
  parl_agent sub;
  size_t n;
  parl_text text = {0};
  parl_trace_append_call(p->env, task, &text);
  char what[256];
  snprintf(what, sizeof what, "%s", parl_text_get(&text));
  parl_text_deinit(&text);
  const int role = p->n_subs % p->spec->n_roles;
  TRY_BLAME(p,
            TIMED(p, "brief",
                  parl_env_brief(p->env, p->world, task, role, ++p->n_subs, &sub, p->tokens,
                                 PARL_ENV_MAX_OBSERVATION, &n)),
            PARL_CONFORMANCE_grammar, what);
  PARL_TRY(check_legal(p, sub));
  if (p->failed) return PARL_STATUS_OK;
  if (p->n_subs % 8 == 1) PARL_TRY(exhaust_tools(p, sub, "a sub-agent"));
  if (p->failed) return PARL_STATUS_OK;
  const bool finished = p->n_subs % 2 == 1;
  TRY_BLAME(p,
            TIMED(p, "deliver",
                  parl_env_deliver(p->env, p->world, sub, finished, p->tokens,
                                   PARL_ENV_MAX_OBSERVATION, &n)),
            PARL_CONFORMANCE_grammar, what);
  return check_score(p);
}

static parl_status exhaust_tasks(probe *p) {
  const parl_tool *task = &p->spec->task;
  for (int slot = 0; slot < task->n_slots; slot++) {
    const int n = p->spec->families[task->slots[slot].family].n;
    for (int v = 1; v <= n && v <= MAX_VALUES; v++) {
      const int times = v == n ? task->slots[slot].max : 1;
      const parl_call call = make_call(task, PARL_CALL_ASSIGN, 0, slot, v, times);
      PARL_TRY(try_task(p, &call));
      if (p->failed) return PARL_STATUS_OK;
    }
  }
  return PARL_STATUS_OK;
}

/* World i. The first ones say how long a reset takes. */
static parl_status make_world(probe *p, size_t i) {
  p->task_seed = parl_suite_task_seed(p->s, i);
  snprintf(p->where, sizeof p->where, "task seed %llu", (unsigned long long)p->task_seed);
  const double start_s = parl_suite_now_s();
  TRY_BLAME(p,
            TIMED(p, "reset",
                  parl_env_reset(p->env, p->task_seed, parl_suite_episode_seed(p->s, i), &p->world,
                                 &p->main)),
            PARL_CONFORMANCE_contract, "");
  const double spent_s = parl_suite_now_s() - start_s;
  if (i == 0 || (i < N_EXHAUSTED && spent_s < p->s->reset_s)) p->s->reset_s = spent_s;
  return PARL_STATUS_OK;
}

static parl_status check_world(probe *p, size_t i) {
  char family[PARL_FAMILY_BYTES];
  PARL_TRY(make_world(p, i));
  if (p->failed) return PARL_STATUS_OK;
  p->n_subs = 0;
  PARL_TRY(check_prompt(p));
  if (!p->failed) PARL_TRY(check_score(p));
  if (!p->failed) PARL_TRY(check_optimum(p));
  if (!p->failed) PARL_TRY(check_legal(p, p->main));
  if (p->failed) return PARL_STATUS_OK;
  TRY_BLAME(p, parl_env_get_family(p->env, p->world, family, sizeof family),
            PARL_CONFORMANCE_contract, "family");
  if (i < N_EXHAUSTED) {
    PARL_TRY(exhaust_tools(p, p->main, "the orchestrator"));
    if (!p->failed) PARL_TRY(exhaust_tasks(p));
  }
  parl_env_release(p->env, p->world);
  return PARL_STATUS_OK;
}

/* Memory of a live world, from many at once. */
static parl_status weigh_worlds(probe *p) {
  parl_world worlds[N_LIVE];
  parl_agent main_agent;
  const int n_live = (int)parl_suite_afford(p->s, N_LIVE, 1);
  int n = 0;
  parl_env_collect(p->env);
  const size_t before = parl_env_get_memory(p->env);
  parl_status status = PARL_STATUS_OK;
  while (n < n_live && status == PARL_STATUS_OK) {
    const size_t i = (size_t)n;
    status = parl_env_reset(p->env, parl_suite_task_seed(p->s, i), parl_suite_episode_seed(p->s, i),
                            &worlds[n], &main_agent);
    if (status == PARL_STATUS_OK) n++;
  }
  parl_env_collect(p->env);
  const size_t after = parl_env_get_memory(p->env);
  if (n > 0 && after > before) p->s->out->bytes_per_world = (double)(after - before) / (double)n;
  for (int i = 0; i < n; i++) parl_env_release(p->env, worlds[i]);
  snprintf(p->where, sizeof p->where, "%d worlds at once", n);
  return blame(p, status, PARL_CONFORMANCE_contract, "");
}

parl_status parl_suite_check_calls(parl_suite *s) {
  probe p = {.s = s};
  const parl_conformance_check checks[] = {PARL_CONFORMANCE_limits, PARL_CONFORMANCE_reward,
                                           PARL_CONFORMANCE_pure, PARL_CONFORMANCE_grammar};
  for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) s->out->ran[checks[i]] = true;
  parl_status status = parl_suite_open_env(s, &p.env);
  if (status == PARL_STATUS_OK) p.spec = parl_env_get_spec(p.env);
  size_t n = N_WORLDS;
  for (size_t i = 0; i < n && status == PARL_STATUS_OK && !p.failed; i++) {
    status = parl_suite_go_on(s);
    if (status == PARL_STATUS_OK) status = check_world(&p, i);
    if (i + 1 == N_EXHAUSTED) n = parl_suite_afford(s, N_WORLDS, N_EXHAUSTED);
  }
  if (status == PARL_STATUS_OK && !p.failed) status = weigh_worlds(&p);
  parl_env_destroy(p.env);
  return status;
}
