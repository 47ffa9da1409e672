/* parl/contract/conformance.c - findings, and the phases one after another. */
#include "parl/contract/conformance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/seeds.h"
#include "parl/contract/conformance_internal.h"

static const struct {
  const char *name, *meaning;
} checks[] = {
#define X(name, text) {#name, text},
    PARL_CONFORMANCE_LIST(X)
#undef X
};

const char *parl_conformance_name(parl_conformance_check check) {
  return checks[check].name;
}

const char *parl_conformance_meaning(parl_conformance_check check) {
  return checks[check].meaning;
}

/* --- what the phases use --- */

void parl_suite_find(parl_suite *s, parl_conformance_check check, bool is_note, const char *where,
                     const char *format, ...) {
  enum { MAX_OF_ONE = 4 };
  parl_conformance *out = s->out;
  size_t n_same = 0;
  for (size_t i = 0; i < out->n_findings; i++)
    n_same += out->findings[i].check == check && out->findings[i].is_note == is_note;
  if (n_same >= MAX_OF_ONE || out->n_findings >= PARL_CONFORMANCE_MAX_FINDINGS) return;
  parl_finding *f = &out->findings[out->n_findings++];
  *f = (parl_finding){.check = check, .is_note = is_note};
  snprintf(f->where, sizeof f->where, "%s", where);
  va_list args;
  va_start(args, format);
  vsnprintf(f->what, sizeof f->what, format, args);
  va_end(args);
  if (!is_note) out->n_faults++;
}

/* Callbacks name themselves in what the contract's own checks say. */
static parl_conformance_check guess_check(const char *text, parl_conformance_check otherwise) {
  static const struct {
    const char *part;
    parl_conformance_check check;
  } parts[] = {{": score: ", PARL_CONFORMANCE_reward},
               {": optimum: ", PARL_CONFORMANCE_optimum},
               {": expert: ", PARL_CONFORMANCE_experts},
               {": expert style ", PARL_CONFORMANCE_experts},
               {"was changed by a callback", PARL_CONFORMANCE_order},
               {" is read-only; ", PARL_CONFORMANCE_order},
               {": must return a list of tokens", PARL_CONFORMANCE_contract},
               {"; a token is an integer", PARL_CONFORMANCE_contract}};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (strstr(text, parts[i].part) != NULL) return parts[i].check;
  return otherwise;
}

parl_status parl_suite_blame(parl_suite *s, parl_status status, parl_conformance_check check,
                             const char *where) {
  if (status != PARL_STATUS_ESCRIPT && status != PARL_STATUS_ELIMIT && status != PARL_STATUS_EINVAL)
    return status;
  if (status == PARL_STATUS_ELIMIT)
    check = PARL_CONFORMANCE_limits;
  else
    check = guess_check(parl_error_text(), check);
  parl_suite_find(s, check, false, where, "%s", parl_error_text());
  return PARL_STATUS_OK;
}

parl_status parl_suite_go_on(const parl_suite *s) {
  if (s->def->stop == NULL || *s->def->stop == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ESTOPPED, "the check was stopped");
}

parl_status parl_suite_open_env(const parl_suite *s, parl_env **out) {
  return parl_run_open_env(&s->run, s->def->scripts, out);
}

uint64_t parl_suite_task_seed(const parl_suite *s, size_t i) {
  return parl_seed(s->def->seed, PARL_PURPOSE_DEMO_TASK, 0, i);
}

uint64_t parl_suite_episode_seed(const parl_suite *s, size_t i) {
  return parl_seed(s->def->seed, PARL_PURPOSE_DEMO_EPISODE, 0, i);
}

double parl_suite_now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double get_slow_reset_s(const parl_suite *s) {
  return s->def->slow_reset_s > 0 ? s->def->slow_reset_s : 0.1;
}

bool parl_suite_is_slow(const parl_suite *s) {
  return s->reset_s >= get_slow_reset_s(s);
}

size_t parl_suite_afford(const parl_suite *s, size_t n, size_t least) {
  enum { SLOW_RESETS = 20 };
  const double slow_s = get_slow_reset_s(s);
  if (!parl_suite_is_slow(s)) return n;
  const size_t most = (size_t)(SLOW_RESETS * slow_s / s->reset_s);
  const size_t affordable = most > least ? most : least;
  return n < affordable ? n : affordable;
}

enum { TASKS = 24, LEAST_TASKS = 2, RANDOM = 1000, LEAST_RANDOM = 5 };

static size_t get_asked(size_t n, size_t otherwise) {
  return n > 0 ? n : otherwise;
}

size_t parl_suite_count_tasks(const parl_suite *s) {
  return parl_suite_afford(s, get_asked(s->def->n_tasks, TASKS), LEAST_TASKS);
}

size_t parl_suite_count_random(const parl_suite *s) {
  return parl_suite_afford(s, get_asked(s->def->n_random, RANDOM), LEAST_RANDOM);
}

static void note_slow_reset(parl_suite *s) {
  if (!parl_suite_is_slow(s)) return;
  parl_suite_find(s, PARL_CONFORMANCE_repeat, true, "",
                  "a reset takes %.2g s: %zu of %zu tasks and %zu of %zu random episodes are "
                  "played; only those of experts are played again",
                  s->reset_s, parl_suite_count_tasks(s), get_asked(s->def->n_tasks, TASKS),
                  parl_suite_count_random(s), get_asked(s->def->n_random, RANDOM));
}

/* --- the suite --- */

/* Loads the file once to learn its specification. */
static parl_status open_suite(parl_suite *s) {
  parl_env *env = NULL;
  PARL_TRY(parl_run_init(s->def->recipe, 0, 0, &s->run));
  s->run.config.episode.budget_factor = 0;
  s->run.config.episode.budget_steps = 0;
  s->run.config.env.on_error = PARL_ON_ERROR_STOP;
  snprintf(s->out->path, sizeof s->out->path, "%s", s->run.env_path);
  PARL_TRY(parl_workers_create(1, &s->workers));
  PARL_TRY(parl_suite_open_env(s, &env));
  const parl_env_spec *spec = parl_env_get_spec(env);
  snprintf(s->out->name, sizeof s->out->name, "%s", spec->name);
  s->limits = spec->limits;
  s->n_words = (spec->n_tokens + 63) / 64;
  s->shows = spec->vision.width > 0;
  s->has_legal = spec->has_legal;
  s->n_styles = spec->n_styles;
  for (int i = 0; i < spec->n_styles; i++) {
    snprintf(s->styles[i], sizeof s->styles[i], "%s", spec->styles[i]);
    s->seats[i].main = parl_player_of_script(s->styles[i], 1);
  }
  const parl_status status = parl_run_fix_files(&s->run, env);
  parl_env_destroy(env);
  return status;
}

static parl_status run_phases(parl_suite *s) {
  static parl_status (*const phases[])(parl_suite *) = {
      parl_suite_check_calls, parl_suite_check_traces, parl_suite_check_experts,
      parl_suite_check_random};
  for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
    PARL_TRY(parl_suite_go_on(s));
    PARL_TRY(phases[i](s));
    if (phases[i] == parl_suite_check_calls) note_slow_reset(s);
  }
  s->out->ran[PARL_CONFORMANCE_seeds] = true;
  if (!s->any_differ)
    parl_suite_find(s, PARL_CONFORMANCE_seeds, false, "",
                    "%zu task seeds make the same task: reset must draw from its rng",
                    parl_suite_count_tasks(s));
  return PARL_STATUS_OK;
}

parl_status parl_conformance_run(const parl_conformance_def *def, parl_conformance *out) {
  PARL_REQUIRE(def != NULL && def->recipe != NULL && out != NULL);
  memset(out, 0, sizeof *out);
  parl_suite s = {.def = def, .out = out};
  out->ran[PARL_CONFORMANCE_contract] = true;
  parl_status status = open_suite(&s);
  const bool opened = status == PARL_STATUS_OK;
  if (!opened && status != PARL_STATUS_EINVAL) /* that is a wrong parameter of the caller */
    status = parl_suite_blame(&s, status, PARL_CONFORMANCE_contract, "loading");
  if (opened) status = run_phases(&s);
  parl_workers_destroy(s.workers);
  parl_run_deinit(&s.run);
  return status;
}

parl_status parl_conformance_hash(const parl_conformance_def *def, char hash[PARL_HASH_HEX_BYTES]) {
  parl_conformance *out = calloc(1, sizeof *out);
  if (out == NULL) return parl_fail(PARL_STATUS_ENOMEM, "conformance: no memory");
  parl_suite s = {.def = def, .out = out};
  parl_status status = open_suite(&s);
  if (status == PARL_STATUS_OK) status = parl_suite_hash_traces(&s, hash);
  parl_workers_destroy(s.workers);
  parl_run_deinit(&s.run);
  free(out);
  return status;
}
