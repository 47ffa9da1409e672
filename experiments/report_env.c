/* experiments/report_env.c - which environment each arm plays. What one counts in steps or scores
 * is not compared with what another says: the same script with the same parameters is one. */
#include <string.h>

#include "experiments/report_internal.h"

/* --- finding --- */

/* "script parameters" of a configuration, canonical; "" where it does not tell. Folders that judge
 * on other held-out tasks do not compare either. */
static parl_status append_key(const parl_report *r, const parl_report_run *run, parl_text *out) {
  parl_json *config = NULL;
  if (run == NULL) return PARL_STATUS_OK;
  PARL_TRY(parl_json_parse(run->config, strlen(run->config), "a run's configuration", &config));
  const char *script = parl_json_get_string(parl_json_find(config, "script"));
  const parl_json *params = parl_json_find(config, "params");
  parl_text_append(out, script != NULL ? script : "");
  if (params != NULL) {
    parl_text_append(out, " ");
    parl_json_append_canonical(params, out);
  }
  static const char *const judged_on[] = {"eval.seed", "eval.tasks"};
  for (size_t i = 0; i < 2 && r->n_folders > 1; i++)
    parl_text_appendf(out, " %.17g",
                      parl_json_get_number(parl_json_find_path(config, judged_on[i])));
  parl_json_destroy(config);
  return parl_text_status(out);
}

static parl_status find_environment(parl_report *r, size_t arm, parl_text *key) {
  parl_text_clear(key);
  PARL_TRY(append_key(r, parl_report_find_example(r, arm), key));
  size_t env = 0;
  while (env < r->n_envs && strcmp(r->envs[env].key, parl_text_get(key)) != 0) env++;
  if (env == r->n_envs) {
    r->envs[env].arm = arm;
    PARL_TRY(parl_report_copy_text(r->arena, parl_text_get(key), &r->envs[env].key));
    r->n_envs++;
  }
  r->arms[arm].env = env;
  return PARL_STATUS_OK;
}

parl_status parl_report_find_environments(parl_report *r) {
  parl_text key = {0};
  parl_status s = PARL_ARENA_TAKE(r->arena, r->n_arms + 1, &r->envs);
  r->n_envs = 0;
  for (size_t a = 0; a < r->n_arms && s == PARL_STATUS_OK; a++) s = find_environment(r, a, &key);
  parl_text_deinit(&key);
  return s;
}

size_t parl_report_find_script(const parl_report *r, const char *script, size_t arm) {
  const size_t n = strlen(script);
  size_t found = r->n_arms;
  for (size_t i = 0; i < r->n_arms; i++) {
    const char *name = r->arms[i].name;
    if (strncmp(name, script, n) != 0 || (name[n] != '\0' && name[n] != '@')) continue;
    if (name[n] == '@' && strcmp(name + n + 1, r->arms[arm].name) == 0) return i;
    if (r->arms[i].env == r->arms[arm].env && (found == r->n_arms || name[n] == '\0')) found = i;
  }
  return found;
}

void parl_report_warn_of_environments(parl_report *r) {
  if (r->n_envs < 2) return;
  parl_text_appendf(
      &r->warnings,
      "The arms play %zu environments: differences, probabilities of improvement and shares of the "
      "oracle are taken within each, and no optimum is drawn across them.\n",
      r->n_envs);
}

/* --- telling --- */

static void append_arms(const parl_report *r, size_t env, parl_text *out) {
  size_t n = 0;
  for (size_t a = 0; a < r->n_trained; a++)
    if (r->arms[a].env == env)
      parl_text_appendf(out, "%s%s", n++ > 0 ? ", " : " (", r->arms[a].name);
  if (n > 0) parl_text_append(out, ")");
}

/* "envs/x.lua, script 0123456789ab: rows_min 4, rows_max 12" */
static void append_one(const parl_json *config, parl_text *value, parl_text *out) {
  const char *file = parl_json_get_string(parl_json_find_path(config, "env.file"));
  const char *script = parl_json_get_string(parl_json_find(config, "script"));
  const parl_json *params = parl_json_find(config, "params");
  if (file == NULL) return;
  parl_text_append(out, file);
  if (script != NULL) parl_text_appendf(out, ", script %.12s", script);
  parl_text_append(out, parl_json_get_size(params) > 0 ? ": " : "");
  for (const parl_json *p = parl_json_get_first(params); p != NULL; p = parl_json_get_next(p)) {
    parl_json_writer w;
    parl_text_clear(value);
    parl_json_writer_init(&w, value, false);
    parl_report_write_node(&w, p);
    parl_text_appendf(out, "%s %s%s", parl_json_get_key(p), parl_text_get(value),
                      parl_json_get_next(p) != NULL ? ", " : "");
  }
}

parl_status parl_report_append_environment(const parl_report *r, parl_text *out) {
  parl_text value = {0};
  parl_status s = PARL_STATUS_OK;
  for (size_t e = 0; e < r->n_envs && s == PARL_STATUS_OK; e++) {
    const parl_report_run *run = parl_report_find_example(r, r->envs[e].arm);
    parl_json *config = NULL;
    if (run == NULL || r->envs[e].arm >= r->n_trained) continue;
    s = parl_json_parse(run->config, strlen(run->config), "a run's configuration", &config);
    if (s != PARL_STATUS_OK) break;
    parl_text_append(out, out->n > 0 ? "; " : "");
    append_one(config, &value, out);
    if (r->n_envs > 1) append_arms(r, e, out);
    parl_json_destroy(config);
    s = parl_text_status(&value);
  }
  parl_text_deinit(&value);
  return s;
}
