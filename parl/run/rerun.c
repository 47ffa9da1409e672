/* parl/run/rerun.c - finding a stored episode's row, who played it, and whether it goes the same
 * way. */
#include "parl/run/rerun.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/lookup.h"
#include "core/seeds.h"
#include "engine/checkpoint.h"
#include "parl/run/origin.h"
#include "parl/run/recipe_internal.h"
#include "parl/run/rows.h"
#include "parl/run/run_list.h"
#include "parl/run/run_models.h"

typedef struct work {
  const parl_rerun_def *def;
  parl_rerun *out;
  parl_store *store;
  int64_t run_id; /* 0: not found */
  char uid[PARL_HASH_HEX_BYTES];
  parl_json *config; /* canonical, as stored */
  bool is_found;     /* the row */
  parl_facts facts;  /* the row's, and its texts; stages or written NULL: not kept */
  int64_t task_seed, episode_seed;
  char *scores, *stages, *written;
  parl_model *warm, *policy, *sub_policy;
  bool owns_sub_policy;
  parl_rollout *rollout;
  parl_recording recording;
} work;

/* --- the run --- */

static parl_status note_run(void *context, int64_t run_id, const parl_store_run *run) {
  work *w = context;
  const parl_rerun_def *d = w->def;
  if (w->run_id != 0 || run->is_retired || (d->arm != NULL && strcmp(d->arm, run->arm) != 0) ||
      (d->seed >= 0 && d->seed != run->seed))
    return PARL_STATUS_OK;
  w->run_id = run_id;
  memcpy(w->uid, run->uid, sizeof w->uid);
  snprintf(w->out->run.name, sizeof w->out->run.name, "%s", run->arm);
  snprintf(w->out->run.recipe, sizeof w->out->run.recipe, "%s", run->recipe);
  w->out->run.config.run.seed = run->seed;
  return parl_json_parse(run->config, strlen(run->config), "the stored configuration", &w->config);
}

static parl_status find_run(work *w) {
  char path[PARL_RUN_PATH_BYTES], seed[32] = "";
  const parl_rerun_def *d = w->def;
  PARL_TRY(parl_file_join(path, sizeof path, d->folder, "store.db"));
  PARL_TRY(parl_rows_open_readonly(path, &w->store));
  PARL_TRY(parl_store_visit_runs(w->store, note_run, w));
  if (w->run_id != 0) return parl_store_check_run(w->store, w->run_id);
  if (d->seed >= 0) snprintf(seed, sizeof seed, ", seed %lld", (long long)d->seed);
  return parl_fail(PARL_STATUS_EINVAL, "%s holds no run of %s%s%s; parl runs %s lists them",
                   d->folder, d->arm != NULL ? "arm " : "any arm", d->arm != NULL ? d->arm : "",
                   seed, d->folder);
}

/* The members of a canonical configuration that are no sections. */
static parl_status read_run_section(const parl_json *config, parl_run_section_config *out) {
  parl_json *section = NULL;
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  static const char *const keys[] = {"backend", "dtype"};
  for (size_t i = 0; i < 2; i++) {
    const char *value = parl_json_get_string(parl_json_find(config, keys[i]));
    if (value == NULL) continue;
    parl_json_key(&w, keys[i]);
    parl_json_string(&w, value);
  }
  parl_json_end_object(&w);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_json_parse(parl_text_get(&text), text.n, "run", &section);
  if (s == PARL_STATUS_OK) s = parl_config_read(&parl_run_section, section, "run", out);
  parl_json_destroy(section);
  parl_text_deinit(&text);
  return s;
}

static parl_status read_config(work *w) {
  static const char *const others[] = {"params", "script", "backend", "dtype",
                                       "seed",   "recipe", "files"};
  parl_run *run = &w->out->run;
  const int64_t seed = run->config.run.seed;
  const parl_json *params = parl_json_find(w->config, "params");
  parl_json *tree = NULL;
  PARL_TRY(parl_json_copy(w->config, &tree));
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) parl_json_remove(tree, others[i]);
  parl_status s = parl_recipe_read_tree(tree, false, &run->config);
  parl_json_destroy(tree);
  if (s == PARL_STATUS_OK) s = read_run_section(w->config, &run->config.run);
  if (s == PARL_STATUS_OK && params != NULL) s = parl_json_copy(params, &run->env_params);
  run->config.run.seed = seed;
  run->config.env.on_error = PARL_ON_ERROR_STOP;
  run->scope = parl_json_find(w->config, "train") != NULL ? PARL_SCOPE_RUN : PARL_SCOPE_BASELINE;
  const bool is_script = run->scope == PARL_SCOPE_BASELINE && strncmp(run->name, "untrained", 9);
  snprintf(run->style, sizeof run->style, "%.*s", is_script ? (int)strcspn(run->name, "@") : 0,
           run->name);
  return parl_fail_context(s, "%s: arm %s", w->def->folder, run->name);
}

static parl_status find_env(const work *w, char *out, size_t n) {
  char shipped[PARL_RUN_PATH_BYTES];
  parl_lookup lookup = {
      .what = "environment", .extension = ".lua", .n_folders = 1, .folders = {""}};
  const char *name = w->def->env_path != NULL ? w->def->env_path : w->out->run.config.env.file;
  if (w->def->datadir != NULL) {
    PARL_TRY(parl_file_join(shipped, sizeof shipped, w->def->datadir, "envs"));
    lookup.folders[lookup.n_folders++] = shipped;
    lookup.folders[lookup.n_folders++] = w->def->datadir;
  }
  return parl_fail_context(parl_lookup_find(&lookup, name, out, n),
                           "the environment of arm %s (--env names its file)", w->out->run.name);
}

/* The run is the same only where its files are. */
static parl_status check_uid(work *w) {
  parl_text canonical = {0}, fields = {0};
  char uid[PARL_HASH_HEX_BYTES];
  parl_json *now = NULL;
  const int on_error = w->out->run.config.env.on_error;
  const char *stored = parl_json_get_string(parl_json_find_path(w->config, "env.on_error"));
  if (stored != NULL && strcmp(stored, "skip") == 0)
    w->out->run.config.env.on_error = PARL_ON_ERROR_SKIP;
  parl_status s = parl_run_get_uid(&w->out->run, w->out->env, &canonical, uid);
  w->out->run.config.env.on_error = on_error;
  if (s == PARL_STATUS_OK && strcmp(uid, w->uid) != 0) {
    s = parl_json_parse(parl_text_get(&canonical), canonical.n, "the configuration", &now);
    if (s == PARL_STATUS_OK) parl_run_append_differences(now, w->config, &fields);
    if (s == PARL_STATUS_OK)
      s = parl_fail(PARL_STATUS_EFORMAT,
                    "arm %s was another run: %s differs from what is there now, so its episodes "
                    "cannot be played again",
                    w->out->run.name, fields.n > 0 ? parl_text_get(&fields) : "its name");
  }
  parl_json_destroy(now);
  parl_text_deinit(&canonical);
  parl_text_deinit(&fields);
  return s;
}

static parl_status open_run(work *w) {
  parl_run *run = &w->out->run;
  PARL_TRY(find_run(w));
  PARL_TRY(read_config(w));
  snprintf(run->folder, sizeof run->folder, "%s", w->def->folder);
  PARL_TRY(find_env(w, run->env_path, sizeof run->env_path));
  PARL_TRY(parl_run_open_env(run, w->def->host->scripts, &w->out->env));
  PARL_TRY(parl_run_fix_files(run, w->out->env));
  return check_uid(w);
}

/* --- the row --- */

static parl_status keep(const char *text, char **out) {
  *out = text != NULL && text[0] != '\0' ? strdup(text) : NULL;
  return text == NULL || text[0] == '\0' || *out != NULL
             ? PARL_STATUS_OK
             : parl_fail(PARL_STATUS_ENOMEM, "rerun: no memory for a row");
}

static parl_status keep_row(work *w, const parl_episode_row *e) {
  if (e->failed)
    return parl_fail(PARL_STATUS_EINVAL, "that episode failed: there is nothing to compare with");
  w->is_found = true;
  w->facts = e->facts;
  w->task_seed = e->task_seed;
  w->episode_seed = e->episode_seed;
  snprintf(w->out->policy, sizeof w->out->policy, "%s", e->policy);
  snprintf(w->out->decoding, sizeof w->out->decoding, "%s", e->decoding);
  PARL_TRY(keep(e->scores, &w->scores));
  PARL_TRY(keep(e->stages, &w->stages));
  return keep(e->written, &w->written);
}

static parl_status note_training(void *context, const parl_episode_row *e) {
  work *w = context;
  const bool is_it = e->update == w->def->update && e->rollout == w->def->episode;
  return is_it && !w->is_found ? keep_row(w, e) : PARL_STATUS_OK;
}

/* Of a held-out task, once it is played and its seed known. */
static parl_status note_evaluated(void *context, const parl_episode_row *e) {
  work *w = context;
  const parl_trajectory *t = w->out->trajectory;
  /* Two held-out tasks may draw one task; an older parl did not store what tells them apart. */
  const bool is_it = e->task_seed == (int64_t)t->task_seed &&
                     (e->episode_seed == 0 || e->episode_seed == (int64_t)t->episode_seed) &&
                     strcmp(e->decoding, w->out->decoding) == 0;
  return is_it && !w->is_found ? keep_row(w, e) : PARL_STATUS_OK;
}

static parl_status find_row(work *w) {
  const parl_rerun_def *d = w->def;
  if (d->update >= 0) {
    PARL_TRY(parl_rows_visit_training_episodes(w->store, w->run_id, note_training, w));
    if (w->is_found) return PARL_STATUS_OK;
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s holds no episode %lld of update %lld of arm %s, seed %lld: "
                     "train.store_episodes says which are kept",
                     d->folder, (long long)d->episode, (long long)d->update, w->out->run.name,
                     (long long)w->out->run.config.run.seed);
  }
  PARL_TRY(parl_rows_visit_episodes(w->store, w->run_id, note_evaluated, w));
  if (w->is_found) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "%s holds no %s episode of held-out task %lld of arm %s, seed %lld; it was "
                   "evaluated on eval.tasks = %lld",
                   d->folder, w->out->decoding, (long long)d->episode, w->out->run.name,
                   (long long)w->out->run.config.run.seed,
                   (long long)w->out->run.config.eval.tasks);
}

/* --- who played it --- */

static parl_status refuse_gone(const work *w, const char *whose, const char *why) {
  return parl_fail(PARL_STATUS_EIO, "arm %s, seed %lld: the weights of %s are gone: %s",
                   w->out->run.name, (long long)w->out->run.config.run.seed, whose, why);
}

static parl_status load_warm(work *w, const char *whose) {
  char path[PARL_RUN_PATH_BYTES], why[PARL_RUN_PATH_BYTES + 32];
  if (w->warm != NULL) return PARL_STATUS_OK;
  PARL_TRY(parl_warm_start_path(&w->out->run, w->out->env, path, sizeof path));
  snprintf(why, sizeof why, "there is no %s", path);
  if (!parl_file_exists(path)) return refuse_gone(w, whose, why);
  return parl_warm_start_get(&w->out->run, w->def->host, w->def->workers, NULL, &w->warm);
}

static parl_status load_subs(work *w) {
  const parl_agents_config *agents = &w->out->run.config.agents;
  if (agents->subs == PARL_SUBS_POLICY && agents->checkpoint[0] == '\0')
    PARL_TRY(load_warm(w, "its sub-agents"));
  return parl_sub_policy_get(&w->out->run, w->out->env, w->warm, &w->sub_policy,
                             &w->owns_sub_policy);
}

/* The checkpoint of the run is of its last update only. */
static parl_status load_checkpoint(work *w, int64_t update) {
  parl_rerun *r = w->out;
  const parl_run_config *c = &r->run.config;
  char path[1024], why[1200];
  parl_origin origin = {0};
  const parl_backend *backend;
  PARL_TRY(parl_run_get_checkpoint_path(r->run.folder, r->run.name, c->run.seed, path));
  snprintf(why, sizeof why, "there is no %s", path);
  if (!parl_file_exists(path)) return refuse_gone(w, "its policy", why);
  PARL_TRY(parl_origin_read(path, &origin));
  const int64_t now = origin.update;
  const bool is_ours = strcmp(origin.uid, w->uid) == 0;
  parl_origin_deinit(&origin);
  snprintf(why, sizeof why,
           is_ours ? "%s has those after update %lld, and its tokens were not stored "
                     "(train.store_episodes)"
                   : "%s belongs to another run",
           path, (long long)now);
  if (!is_ours || (update >= 0 && (now != update || c->train.staleness > 0)))
    return refuse_gone(w, "its policy", why);
  PARL_TRY(parl_recipe_get_backend(c, &backend));
  const parl_env_spec *spec = parl_env_get_spec(r->env);
  PARL_TRY(parl_model_create(&c->model, (size_t)spec->n_tokens, backend, w->def->host->stop,
                             &w->policy));
  snprintf(r->how, sizeof r->how, "by the weights of %s", path);
  return parl_checkpoint_load(path, w->policy, NULL, spec->vocab_hash, NULL);
}

/* "[12,-5,7]": what the orchestrator wrote, forced tokens negative. */
static parl_status read_written(work *w) {
  parl_json *list = NULL;
  PARL_TRY(parl_json_parse(w->written, strlen(w->written), "the recorded tokens", &list));
  const size_t n = parl_json_get_size(list);
  parl_recording *r = &w->recording;
  r->items = calloc(n + 1, sizeof *r->items);
  r->capacity = n;
  for (const parl_json *c = parl_json_get_first(list); r->items != NULL && c != NULL;
       c = parl_json_get_next(c)) {
    const double x = parl_json_get_number(c);
    r->items[r->n++] = (parl_written){.token = (int32_t)fabs(x), .is_choice = x > 0};
  }
  r->n_complete = r->n;
  parl_json_destroy(list);
  snprintf(w->out->how, sizeof w->out->how, "by its recorded tokens");
  return r->items != NULL ? PARL_STATUS_OK
                          : parl_fail(PARL_STATUS_ENOMEM, "rerun: no memory for %zu tokens", n);
}

/* Whoever sits there; a recording needs nobody. */
static parl_status find_player(work *w) {
  parl_rerun *r = w->out;
  if (w->written != NULL) return read_written(w);
  if (r->run.style[0] != '\0') {
    snprintf(r->how, sizeof r->how, "by the script \"%s\"", r->run.style);
    return PARL_STATUS_OK;
  }
  /* An update is played by the policy of train.staleness updates before it. */
  const int64_t update = w->def->update, age = r->run.config.train.staleness;
  const int64_t version = update > age ? update - age : update >= 0 ? 0 : update;
  if (r->run.scope != PARL_SCOPE_BASELINE && version != 0) return load_checkpoint(w, version);
  snprintf(r->how, sizeof r->how, "by the weights of the warm start");
  return load_warm(w, "its policy");
}

/* --- the episode --- */

static parl_status open_rollout(work *w) {
  parl_rerun *r = w->out;
  const parl_env_spec *spec = parl_env_get_spec(r->env);
  parl_rollout_def def = parl_run_get_rollout(&r->run, w->def->host->scripts, w->def->workers);
  const parl_model *policy = w->policy != NULL ? w->policy : w->warm;
  const bool has_model = w->recording.items == NULL && r->run.style[0] == '\0';
  parl_run_seat_models(&r->run, has_model ? policy : NULL, w->sub_policy, &def);
  if (r->run.style[0] != '\0') def.seats.main = parl_player_of_script(r->run.style, 1);
  if (w->def->update < 0 && r->run.config.eval.max_width > 0)
    def.config.episode.max_width = r->run.config.eval.max_width;
  def.n_slots = def.n_jobs = 1;
  def.observer = w->def->observer;
  PARL_TRY(parl_rollout_create(&def, &w->rollout));
  const parl_trajectories_def set = {
      .n = 1,
      .n_words = 1,
      .keep_scores = true,
      .stages = parl_episode_get_stage_limits(spec, &r->run.config.episode)};
  return parl_trajectories_create(&set, &r->set);
}

static parl_status play(work *w) {
  parl_rerun *r = w->out;
  const parl_run_config *c = &r->run.config;
  const uint64_t i = (uint64_t)w->def->episode;
  const bool is_training = w->def->update >= 0;
  const parl_replay replay = {.recording = &w->recording};
  parl_job job = {.out = parl_trajectories_get(r->set, 0)};
  if (is_training) {
    job.task_seed = (uint64_t)w->task_seed; /* the one that was drawn */
    job.episode_seed = (uint64_t)w->episode_seed;
    job.temperature = c->train.temperature;
    job.top_p = c->train.top_p;
  } else {
    job.task_seed = parl_seed((uint64_t)c->eval.seed, PARL_PURPOSE_EVAL_TASK, 0, i);
    job.episode_seed = parl_seed((uint64_t)c->eval.seed, PARL_PURPOSE_EVAL_EPISODE, 0, i);
    job.part = PARL_PART_HELD_OUT;
    job.temperature = w->def->greedy ? 0 : 1;
  }
  if (w->recording.items != NULL) job.replay = &replay;
  r->trajectory = job.out;
  return parl_rollout_run(w->rollout, &job, 1, NULL);
}

/* --- comparing --- */

static void compare_text(parl_rerun *r, const char *name, const char *now, const char *stored) {
  if (stored == NULL || strcmp(now, stored) == 0) return;
  parl_text_appendf(&r->differences, "%s%s %s (stored: %s)", r->differences.n > 0 ? ", " : "", name,
                    now, stored);
}

static void compare_fact(parl_rerun *r, const char *name, double now, double stored) {
  if (isnan(stored)) return; /* unknown, or of an older parl */
  r->n_facts++;
  if (now != stored)
    parl_text_appendf(&r->differences, "%s%s %.17g (stored: %.17g)",
                      r->differences.n > 0 ? ", " : "", name, now, stored);
}

static parl_status compare(work *w) {
  parl_rerun *r = w->out;
  const parl_trajectory *t = r->trajectory;
  parl_text stages = {0};
  const parl_status s = parl_stages_append_json(&t->stages, r->env, &stages);
#define X(name, unit, meaning) compare_fact(r, #name, t->facts.name, w->facts.name);
  PARL_FACT_LIST(X)
#undef X
  compare_text(r, "end", parl_end_text(t->facts.end), parl_end_text(w->facts.end));
  compare_text(r, "scores", parl_text_get(&t->scores), w->scores);
  compare_text(r, "stages", parl_text_get(&stages), w->stages);
  r->has_stages = w->stages != NULL;
  parl_text_deinit(&stages);
  PARL_TRY(s);
  return parl_text_status(&r->differences);
}

static parl_status rerun(work *w) {
  parl_rerun *r = w->out;
  const bool is_training = w->def->update >= 0;
  PARL_TRY(open_run(w));
  if (is_training && r->run.scope != PARL_SCOPE_RUN)
    return parl_fail(PARL_STATUS_EINVAL, "arm %s is not trained: it has no updates", r->run.name);
  snprintf(r->decoding, sizeof r->decoding, "%s",
           r->run.style[0] != '\0' ? "scripted"
           : w->def->greedy        ? "greedy"
                                   : "sampled");
  if (is_training) PARL_TRY(find_row(w));
  PARL_TRY(find_player(w));
  PARL_TRY(load_subs(w));
  PARL_TRY(open_rollout(w));
  PARL_TRY(play(w));
  if (!is_training) PARL_TRY(find_row(w));
  return compare(w);
}

parl_status parl_rerun_play(const parl_rerun_def *def, parl_rerun *out) {
  work w = {.def = def, .out = out};
  *out = (parl_rerun){0};
  const parl_status s = rerun(&w);
  parl_rollout_destroy(w.rollout);
  if (w.owns_sub_policy) parl_model_destroy(w.sub_policy);
  parl_model_destroy(w.policy);
  parl_model_destroy(w.warm);
  parl_json_destroy(w.config);
  parl_store_close(w.store);
  free(w.scores);
  free(w.stages);
  free(w.written);
  free(w.recording.items);
  return s;
}

void parl_rerun_deinit(parl_rerun *rerun) {
  parl_trajectories_destroy(rerun->set);
  parl_env_destroy(rerun->env);
  parl_run_deinit(&rerun->run);
  parl_text_deinit(&rerun->differences);
}
