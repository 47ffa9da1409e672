/* parl/contract/conformance_traces.c - the same episodes again: in a new Lua state, in one that
 * has played many, in another order with others alive, in another process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parl/contract/conformance_internal.h"
#include "parl/swarm/trace.h"

/* A set of jobs and what became of each. Experts, or random play. */
typedef struct batch {
  parl_suite *s;
  bool random;
  size_t n;
  parl_job *jobs; /* [n] */
  parl_trajectories *set;
  parl_trace *traces; /* [n] rows while an episode is alive */
  parl_text *texts;   /* [n] */
} batch;

static size_t find_job(const batch *b, const parl_job *job) {
  return (size_t)(job->out - parl_trajectories_get(b->set, 0));
}

static parl_status on_event(void *context, const parl_event *event) {
  batch *b = context;
  const size_t i = find_job(b, event->job);
  PARL_TRY(parl_trace_add(&b->traces[i], event));
  if (event->kind != PARL_EVENT_END) return PARL_STATUS_OK;
  parl_trace_sort(&b->traces[i]);
  parl_trace_append_text(&b->traces[i], event->env, &b->texts[i]);
  parl_trace_deinit(&b->traces[i]);
  return parl_text_status(&b->texts[i]);
}

/* tasks x styles, or tasks at random. chance: another stream of chance in the same worlds. */
static parl_status batch_init(parl_suite *s, bool random, uint64_t chance, batch *b) {
  const size_t n_tasks = parl_suite_count_tasks(s);
  const size_t n_styles = random ? 1 : (size_t)s->n_styles;
  *b = (batch){.s = s, .random = random, .n = n_tasks * n_styles};
  b->jobs = calloc(b->n + 1, sizeof *b->jobs);
  b->traces = calloc(b->n + 1, sizeof *b->traces);
  b->texts = calloc(b->n + 1, sizeof *b->texts);
  if (b->jobs == NULL || b->traces == NULL || b->texts == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "conformance: no memory for %zu episodes", b->n);
  PARL_TRY(
      parl_trajectories_create(&(parl_trajectories_def){.n = b->n + 1, .n_words = 1}, &b->set));
  for (size_t i = 0; i < b->n; i++)
    b->jobs[i] = (parl_job){.task_seed = parl_suite_task_seed(s, i / n_styles),
                            .episode_seed = parl_suite_episode_seed(s, i / n_styles) + chance,
                            .seats = random ? NULL : &s->seats[i % n_styles],
                            .temperature = 1,
                            .out = parl_trajectories_get(b->set, i)};
  return PARL_STATUS_OK;
}

static void batch_deinit(batch *b) {
  for (size_t i = 0; b->texts && b->traces && i < b->n; i++) {
    parl_text_deinit(&b->texts[i]);
    parl_trace_deinit(&b->traces[i]);
  }
  parl_trajectories_destroy(b->set);
  free(b->jobs);
  free(b->traces);
  free(b->texts);
}

static void reverse(batch *b) {
  for (size_t i = 0; i < b->n / 2; i++) {
    const parl_job swap = b->jobs[i];
    b->jobs[i] = b->jobs[b->n - 1 - i];
    b->jobs[b->n - 1 - i] = swap;
  }
}

static parl_status open_rollout(batch *b, const parl_observer *observer, size_t slots,
                                parl_rollout **out) {
  parl_rollout_def rollout = parl_run_get_rollout(&b->s->run, b->s->def->scripts, b->s->workers);
  rollout.n_slots = slots;
  rollout.observer = observer;
  if (b->random) rollout.seats.main = rollout.seats.subs = parl_player_of_chance();
  rollout.sub_slots = slots == 1 ? 1 : 0;
  rollout.share_worlds = false;
  return parl_rollout_create(&rollout, out);
}

/* Plays the batch `times` times in one Lua state; the texts of the last time stay. */
static parl_status play(batch *b, size_t slots, int times) {
  const parl_observer observer = {on_event, b};
  parl_rollout *rollout = NULL;
  PARL_TRY(open_rollout(b, &observer, slots, &rollout));
  parl_status status = PARL_STATUS_OK;
  for (int k = 0; k < times && status == PARL_STATUS_OK; k++) {
    for (size_t i = 0; i < b->n; i++) parl_text_clear(&b->texts[i]);
    status = parl_rollout_run(rollout, b->jobs, b->n, NULL);
    b->s->out->n_episodes += b->n;
  }
  parl_rollout_destroy(rollout);
  return status;
}

/* --- comparing --- */

static void get_line(const char *text, size_t at, char *out, size_t n) {
  size_t start = at;
  while (start > 0 && text[start - 1] != '\n') start--;
  snprintf(out, n, "%.*s", (int)strcspn(text + start, "\n"), text + start);
}

/* First line in which two traces differ. */
static void describe(const char *a, const char *b, char *out, size_t n) {
  size_t at = 0;
  while (a[at] != '\0' && a[at] == b[at]) at++;
  char line_a[300], line_b[300];
  get_line(a, at, line_a, sizeof line_a);
  get_line(b, at, line_b, sizeof line_b);
  snprintf(out, n, "first \"%s\", then \"%s\"", line_a, line_b);
}

static size_t compare(const batch *base, const batch *other, parl_conformance_check check,
                      const char *when) {
  size_t n_differ = 0;
  for (size_t i = 0; i < base->n; i++) {
    const char *a = parl_text_get(&base->texts[i]), *b = parl_text_get(&other->texts[i]);
    if (strcmp(a, b) == 0) continue;
    if (n_differ++ > 0 || when == NULL) continue;
    char where[256], what[640];
    const parl_job *job = &base->jobs[i];
    snprintf(where, sizeof where, "task seed %llu, episode seed %llu, %s%s",
             (unsigned long long)job->task_seed, (unsigned long long)job->episode_seed,
             base->random ? "random play" : "style ", base->random ? "" : job->seats->main.style);
    describe(a, b, what, sizeof what);
    parl_suite_find(base->s, check, false, where, "the trace differs %s: %s", when, what);
  }
  return n_differ;
}

/* Plays a variant and compares; a script that fails only here is a finding of `check`, too. */
static parl_status check_variant(const batch *base, parl_conformance_check check, size_t slots,
                                 int times, bool reversed, const char *when, size_t *n_differ) {
  batch b;
  *n_differ = 0;
  parl_status status = batch_init(base->s, base->random, 0, &b);
  if (reversed && status == PARL_STATUS_OK) reverse(&b);
  if (status == PARL_STATUS_OK) {
    status = play(&b, slots, times);
    if (status == PARL_STATUS_OK) {
      *n_differ = compare(base, &b, check, when);
    } else {
      status = parl_suite_blame(base->s, status, check, when);
      *n_differ = 1;
    }
  }
  batch_deinit(&b);
  return status;
}

/* Whether chance inside an episode matters: the same tasks and calls under another stream. */
static parl_status find_chance(const batch *base) {
  batch b;
  parl_status status = batch_init(base->s, false, 1, &b);
  if (status == PARL_STATUS_OK) status = play(&b, 1, 1);
  for (size_t i = 0; status == PARL_STATUS_OK && i < base->n; i++)
    if (strcmp(base->jobs[i].seats->main.style, "random") != 0 &&
        strcmp(parl_text_get(&base->texts[i]), parl_text_get(&b.texts[i])) != 0)
      base->s->has_chance = true;
  batch_deinit(&b);
  return status == PARL_STATUS_OK
             ? status
             : parl_suite_blame(base->s, status, PARL_CONFORMANCE_repeat, "another episode seed");
}

static void find_different_tasks(const batch *base) {
  const size_t n_styles = (size_t)base->s->n_styles;
  for (size_t i = n_styles; i < base->n; i += n_styles)
    if (strcmp(parl_text_get(&base->texts[0]), parl_text_get(&base->texts[i])) != 0)
      base->s->any_differ = true;
}

static parl_status check_again(batch *base) {
  size_t n_differ;
  PARL_TRY(parl_suite_go_on(base->s));
  PARL_TRY(check_variant(base, PARL_CONFORMANCE_repeat, 1, 1, false,
                         "when the same episodes are played again in a new Lua state", &n_differ));
  if (n_differ > 0) return PARL_STATUS_OK; /* order cannot be judged */
  PARL_TRY(parl_suite_go_on(base->s));
  PARL_TRY(check_variant(base, PARL_CONFORMANCE_order, 1, 2, false,
                         "after earlier episodes in the same Lua state", &n_differ));
  if (n_differ > 0) return PARL_STATUS_OK;
  PARL_TRY(parl_suite_go_on(base->s));
  return check_variant(base, PARL_CONFORMANCE_order, 8, 1, true,
                       "in another order, with other episodes alive", &n_differ);
}

static void add_hash(const batch *b, parl_hash *hash) {
  for (size_t i = 0; i < b->n; i++)
    parl_hash_update(hash, parl_text_get(&b->texts[i]), b->texts[i].n + 1);
}

static parl_status check_other_process(parl_suite *s) {
  char hash[PARL_HASH_HEX_BYTES];
  if (s->def->ask_other == NULL) return PARL_STATUS_OK;
  PARL_TRY(s->def->ask_other(s->def->context, parl_suite_count_tasks(s), hash));
  if (strcmp(hash, s->out->hash) != 0)
    parl_suite_find(s, PARL_CONFORMANCE_repeat, false, "",
                    "another process gets the trace hash %.16s, this one %.16s", hash,
                    s->out->hash);
  return PARL_STATUS_OK;
}

/* Plays a batch for the first time; *good if it could be played. */
static parl_status play_first(batch *b, bool *good) {
  const parl_status status = play(b, 1, 1);
  *good = status == PARL_STATUS_OK;
  return parl_suite_blame(b->s, status,
                          b->random ? PARL_CONFORMANCE_grammar : PARL_CONFORMANCE_experts,
                          b->random ? "random play" : "expert");
}

parl_status parl_suite_check_traces(parl_suite *s) {
  batch experts = {.s = s}, random = {.s = s};
  bool good = false, good_random = false;
  s->out->ran[PARL_CONFORMANCE_repeat] = s->out->ran[PARL_CONFORMANCE_order] = true;
  parl_status status = batch_init(s, false, 0, &experts);
  if (status == PARL_STATUS_OK) status = batch_init(s, true, 0, &random);
  if (status == PARL_STATUS_OK) status = play_first(&experts, &good);
  if (status == PARL_STATUS_OK) status = play_first(&random, &good_random);
  if (good && status == PARL_STATUS_OK) status = check_again(&experts);
  const bool enough = good && parl_suite_is_slow(s);
  if (good_random && !enough && status == PARL_STATUS_OK) status = check_again(&random);
  if (good && status == PARL_STATUS_OK) status = find_chance(&experts);
  if (good && s->n_styles > 0) find_different_tasks(&experts);
  if (good && good_random && status == PARL_STATUS_OK) {
    parl_hash hash;
    parl_hash_init(&hash);
    add_hash(&experts, &hash);
    add_hash(&random, &hash);
    parl_hash_finish(&hash, s->out->hash);
    status = check_other_process(s);
  }
  batch_deinit(&experts);
  batch_deinit(&random);
  return status;
}

parl_status parl_suite_hash_traces(parl_suite *s, char hash_text[PARL_HASH_HEX_BYTES]) {
  parl_hash hash;
  parl_hash_init(&hash);
  parl_status status = PARL_STATUS_OK;
  for (int random = 0; random < 2 && status == PARL_STATUS_OK; random++) {
    batch b;
    status = batch_init(s, random == 1, 0, &b);
    if (status == PARL_STATUS_OK) status = play(&b, 1, 1);
    if (status == PARL_STATUS_OK) add_hash(&b, &hash);
    batch_deinit(&b);
  }
  parl_hash_finish(&hash, hash_text);
  return status;
}
