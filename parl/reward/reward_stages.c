/* parl/reward/reward_stages.c - what an expression sees of a rollout's stages. */
#include "parl/reward/reward_internal.h"

/* Its tokens' numbers, as one text: equal tasks have equal ones, and it may be a key. */
static void tell_task(const parl_stages *stages, const parl_sub_record *sub, parl_json_writer *w) {
  parl_text task = {0};
  for (uint16_t i = 0; i < sub->n_tokens; i++)
    parl_text_appendf(&task, "%s%d", i > 0 ? " " : "", stages->tokens[sub->first_token + i]);
  if (sub->is_cut) parl_text_append(&task, " ...");
  parl_json_string(w, parl_text_get(&task));
  parl_text_deinit(&task);
}

static void tell_flag(parl_json_writer *w, const char *name, bool value) {
  parl_json_key(w, name);
  parl_json_bool(w, value);
}

static void tell_number(parl_json_writer *w, const char *name, double value) {
  parl_json_key(w, name);
  parl_json_number(w, value);
}

static void tell_sub(const parl_stages *stages, const parl_sub_record *sub, parl_json_writer *w) {
  parl_json_begin_object(w);
  tell_number(w, "steps", sub->steps);
  tell_number(w, "role", sub->role + 1);
  tell_number(w, "gain", sub->gain);
  tell_flag(w, "finished", sub->finished);
  tell_flag(w, "useful", sub->useful);
  tell_flag(w, "duplicate", sub->duplicate);
  tell_flag(w, "lost", sub->lost);
  tell_flag(w, "is_false", sub->is_false);
  parl_json_key(w, "task");
  tell_task(stages, sub, w);
  parl_json_end_object(w);
}

parl_status parl_reward_tell_stages(const parl_stages *stages, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_array(&w);
  for (size_t i = 0; i < stages->n; i++) {
    const parl_stage_record *stage = &stages->items[i];
    parl_json_begin_object(&w);
    tell_number(&w, "main", stage->main_steps);
    tell_number(&w, "r_perf", stage->r_perf);
    tell_number(&w, "width", stage->width);
    parl_json_key(&w, "subs");
    parl_json_begin_array(&w);
    for (uint32_t j = 0; j < stage->width; j++)
      tell_sub(stages, &stages->subs[stage->first_sub + j], &w);
    parl_json_end_array(&w);
    parl_json_end_object(&w);
  }
  parl_json_end_array(&w);
  return parl_text_status(out);
}
