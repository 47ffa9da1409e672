/* parl/swarm/stages.c - stages as they are written, counted again, and told. */
#include "parl/swarm/stages.h"

#include <math.h>
#include <string.h>

/* --- writing --- */

void parl_stages_clear(parl_stages *stages) {
  stages->n = stages->n_subs = stages->n_tokens = 0;
}

static parl_stage_record *get_last(parl_stages *s) {
  return s->n > 0 ? &s->items[s->n - 1] : NULL;
}

void parl_stages_end(parl_stages *stages, double r_perf) {
  parl_stage_record *last = get_last(stages);
  if (last != NULL) last->r_perf = r_perf;
}

void parl_stages_begin(parl_stages *stages, double r_perf) {
  if (stages->most.stages == 0) return;
  PARL_CHECK(stages->n < stages->most.stages);
  parl_stages_end(stages, r_perf);
  stages->items[stages->n++] =
      (parl_stage_record){.r_perf = r_perf, .first_sub = (uint32_t)stages->n_subs};
}

/* The token of a value of the task's signature. */
static int16_t get_token(const parl_env_spec *spec, const parl_call *task, int i) {
  const int family = spec->task.slots[task->slot[i]].family;
  return (int16_t)(spec->families[family].first_token + task->values[i] - 1);
}

void parl_stages_add_sub(parl_stages *stages, const parl_env_spec *spec, int role,
                         const parl_call *task, bool duplicate) {
  if (stages->most.stages == 0) return;
  PARL_CHECK(stages->n_subs < stages->most.subs);
  parl_sub_record *sub = &stages->subs[stages->n_subs++];
  *sub = (parl_sub_record){
      .first_token = (uint32_t)stages->n_tokens, .role = (int8_t)role, .duplicate = duplicate};
  for (int i = 0; i < task->n_values && !sub->is_cut; i++) {
    sub->is_cut = stages->n_tokens == stages->most.tokens;
    if (sub->is_cut) break;
    stages->tokens[stages->n_tokens++] = get_token(spec, task, i);
    sub->n_tokens++;
  }
  get_last(stages)->width++;
}

void parl_stages_spend(parl_stages *stages, const parl_stage *cost) {
  parl_stage_record *last = get_last(stages);
  if (last == NULL) return;
  last->main_steps += (int32_t)cost->main_steps;
  for (size_t i = 0; i < cost->n_subs; i++)
    stages->subs[last->first_sub + i].steps = (int32_t)cost->sub_steps[i];
}

void parl_stages_deliver(parl_stages *stages, size_t index, bool finished, double gain) {
  const parl_stage_record *last = get_last(stages);
  if (last == NULL) return;
  parl_sub_record *sub = &stages->subs[last->first_sub + index];
  sub->finished = finished;
  sub->useful = gain != 0;
  sub->gain = gain;
}

void parl_stages_lose(parl_stages *stages, size_t index, bool is_false, double gain) {
  const parl_stage_record *last = get_last(stages);
  if (last == NULL) return;
  parl_stages_deliver(stages, index, false, gain);
  stages->subs[last->first_sub + index].lost = !is_false;
  stages->subs[last->first_sub + index].is_false = is_false;
}

/* --- counting again --- */
/* Whole numbers until the last stage is in: sums of doubles would wait for each other. */
typedef struct counts {
  int64_t critical, total, subs, longest; /* steps */
  int64_t launches, assigned, finished, useful, duplicates, empty, widest;
} counts;

/* A group is to both costs as a single sub-agent is that takes its longest, or its sum, of steps.
 */
static parl_status add_stage(const parl_stages *s, const parl_stage_record *record, counts *c) {
  int64_t longest = 0, sum = 0, critical = 0, total = 0;
  for (size_t i = 0; i < record->width; i++) {
    const parl_sub_record *sub = &s->subs[record->first_sub + i];
    longest = sub->steps > longest ? sub->steps : longest;
    sum += sub->steps;
    c->finished += sub->finished;
    c->useful += sub->useful;
    c->duplicates += sub->duplicate;
    c->empty += sub->finished && sub->steps == 0;
  }
  PARL_TRY(parl_critical_steps(&(parl_stage){record->main_steps, 1, &longest}, 1, &critical));
  PARL_TRY(parl_total_steps(&(parl_stage){record->main_steps, 1, &sum}, 1, &total));
  c->critical += critical;
  c->total += total;
  c->subs += sum;
  c->longest += longest;
  c->launches += record->width > 0;
  c->assigned += record->width;
  c->widest = record->width > c->widest ? record->width : c->widest;
  return PARL_STATUS_OK;
}

parl_status parl_stages_get_facts(const parl_stages *stages, parl_facts *out) {
  counts c = {0};
  for (size_t i = 0; i < stages->n; i++) PARL_TRY(add_stage(stages, &stages->items[i], &c));
  out->critical_steps = (double)c.critical;
  out->total_steps = (double)c.total;
  out->sub_steps = (double)c.subs;
  out->sub_max_steps = (double)c.longest;
  out->launches = (double)c.launches;
  out->assigned = (double)c.assigned;
  out->finished = (double)c.finished;
  out->useful = (double)c.useful;
  out->duplicates = (double)c.duplicates;
  out->empty_finishes = (double)c.empty;
  out->max_width = (double)c.widest;
  out->turns = (double)stages->n;
  if (stages->n > 0) out->r_perf = stages->items[stages->n - 1].r_perf;
  return PARL_STATUS_OK;
}

/* --- leaving out --- */

parl_stages parl_stages_get_first(const parl_stages *stages, size_t n) {
  parl_stages first = *stages;
  PARL_CHECK(n <= stages->n);
  first.n = n;
  first.n_subs = n < stages->n ? stages->items[n].first_sub : stages->n_subs;
  return first;
}

static bool has_task(const parl_stages *s, const parl_sub_record *a, const parl_sub_record *b) {
  return a->n_tokens == b->n_tokens &&
         memcmp(s->tokens + a->first_token, s->tokens + b->first_token,
                a->n_tokens * sizeof *s->tokens) == 0;
}

/* A duplicate stays one while an earlier sub-agent has its task. */
static bool is_duplicate(const parl_stages *s, size_t sub) {
  if (!s->subs[sub].duplicate) return false;
  for (size_t i = 0; i < sub; i++)
    if (has_task(s, &s->subs[i], &s->subs[sub])) return true;
  return false;
}

/* Appends stage `of` of *from without sub-agent `sub`; returns what that one had gained. */
static double copy_stage(const parl_stages *from, size_t of, int sub, double lost,
                         parl_stages *to) {
  const parl_stage_record *record = &from->items[of];
  parl_stage_record *out = &to->items[to->n++];
  double gain = 0;
  *out = *record;
  out->first_sub = (uint32_t)to->n_subs;
  for (size_t i = 0; i < record->width; i++) {
    const parl_sub_record *s = &from->subs[record->first_sub + i];
    if ((int)i == sub)
      gain = s->gain;
    else
      to->subs[to->n_subs++] = *s;
  }
  out->width = (uint32_t)(to->n_subs - out->first_sub);
  out->r_perf = fmax(0, record->r_perf - lost - gain);
  return gain;
}

void parl_stages_copy_without(const parl_stages *from, size_t stage, int sub, parl_stages *to) {
  const parl_stage_record *left_out = &from->items[stage];
  const bool is_whole = sub < 0 || left_out->width <= 1;
  double lost = 0;
  PARL_CHECK(stage < from->n && to->most.stages >= from->n && to->most.subs >= from->n_subs &&
             to->most.tokens >= from->n_tokens);
  parl_stages_clear(to);
  memcpy(to->tokens, from->tokens, from->n_tokens * sizeof *to->tokens);
  to->n_tokens = from->n_tokens;
  for (size_t t = 0; t < from->n; t++)
    if (t != stage || !is_whole)
      lost += copy_stage(from, t, t == stage ? sub : -1, lost, to);
    else
      for (size_t i = 0; i < left_out->width; i++) lost += from->subs[left_out->first_sub + i].gain;
  for (size_t i = 0; i < to->n_subs; i++) to->subs[i].duplicate = is_duplicate(to, i);
}

enum { MAX_WIDTH = 128 }; /* PARL_EPISODE_MAX_WIDTH */

parl_status parl_stages_get_cost(const parl_stages *stages, const parl_cost *cost,
                                 parl_facts *out) {
  int64_t steps[MAX_WIDTH];
  parl_cost_sums sums = {0};
  for (size_t t = 0; t < stages->n; t++) {
    const parl_stage_record *record = &stages->items[t];
    PARL_CHECK(record->width <= MAX_WIDTH);
    for (size_t i = 0; i < record->width; i++) steps[i] = stages->subs[record->first_sub + i].steps;
    PARL_TRY(
        parl_makespan_add(&(parl_stage){record->main_steps, record->width, steps}, 1, cost, &sums));
  }
  out->makespan = (double)sums.makespan / PARL_COST_UNIT;
  out->queue_steps = (double)sums.queue / PARL_COST_UNIT;
  return PARL_STATUS_OK;
}

/* --- telling --- */

static void write_flag(parl_json_writer *w, const char *key, bool is_set) {
  if (!is_set) return;
  parl_json_key(w, key);
  parl_json_integer(w, 1);
}

static void append_task(const parl_stages *s, const parl_sub_record *sub, const parl_env *env,
                        parl_text *out) {
  for (size_t i = 0; i < sub->n_tokens; i++)
    parl_text_appendf(out, "%s%s", i > 0 ? " " : "",
                      parl_env_token_name(env, s->tokens[sub->first_token + i]));
  if (sub->is_cut) parl_text_append(out, " ...");
}

static parl_status write_sub(const parl_stages *s, const parl_sub_record *sub, const parl_env *env,
                             parl_json_writer *w) {
  parl_text task = {0};
  append_task(s, sub, env, &task);
  parl_json_begin_object(w);
  parl_json_key(w, "steps");
  parl_json_integer(w, sub->steps);
  parl_json_key(w, "role");
  parl_json_string(w, parl_env_get_spec(env)->roles[sub->role]);
  parl_json_key(w, "task");
  parl_json_string(w, parl_text_get(&task));
  write_flag(w, "finished", sub->finished);
  write_flag(w, "useful", sub->useful);
  write_flag(w, "duplicate", sub->duplicate);
  write_flag(w, "lost", sub->lost);
  write_flag(w, "false", sub->is_false);
  parl_json_end_object(w);
  const parl_status status = parl_text_status(&task);
  parl_text_deinit(&task);
  return status;
}

static parl_status write_stage(const parl_stages *s, const parl_stage_record *record,
                               const parl_env *env, parl_json_writer *w) {
  parl_json_begin_object(w);
  parl_json_key(w, "main");
  parl_json_integer(w, record->main_steps);
  parl_json_key(w, "r_perf");
  parl_json_number(w, record->r_perf);
  if (record->width > 0) {
    parl_json_key(w, "subs");
    parl_json_begin_array(w);
    for (size_t i = 0; i < record->width; i++)
      PARL_TRY(write_sub(s, &s->subs[record->first_sub + i], env, w));
    parl_json_end_array(w);
  }
  parl_json_end_object(w);
  return PARL_STATUS_OK;
}

parl_status parl_stages_append_json(const parl_stages *stages, const parl_env *env,
                                    parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_array(&w);
  for (size_t i = 0; i < stages->n; i++) PARL_TRY(write_stage(stages, &stages->items[i], env, &w));
  parl_json_end_array(&w);
  return parl_text_status(out);
}
