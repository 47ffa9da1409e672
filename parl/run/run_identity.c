/* parl/run/run_identity.c - which run this is: its uid, what it conflicts with, its row. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/build_info.h"
#include "parl/run/run_files.h"
#include "parl/run/trainer_internal.h"

static bool in_scope(const parl_section *s, parl_scope scope) {
  if (s == &parl_run_section) return false;
  if (scope == PARL_SCOPE_RUN) return true;
  if (s == &parl_model_section || s == &parl_pretrain_section) return true;
  if (scope == PARL_SCOPE_PRETRAIN) return false;
  if (s == &parl_env_section || s == &parl_episode_section || s == &parl_warm_section) return true;
  return scope == PARL_SCOPE_BASELINE &&
         (s == &parl_cost_section || s == &parl_agents_section || s == &parl_eval_section);
}

/* What older runs do not have, where it is as it was for them. */
static bool is_left_out(const parl_recipe_section *s, const parl_run_config *config) {
  parl_optional_config preset;
  if (!s->is_optional) return false;
  PARL_CHECK(s->section->bytes <= sizeof preset);
  parl_config_set_defaults(s->section, &preset);
  return memcmp(&preset, (const char *)config + s->offset, s->section->bytes) == 0;
}

/* Likewise fields. A field that comes later is a row. */
static const struct {
  const char *section, *field;
} later_fields[] = {
    {"train", "store_episodes"},
    {"episode", "max_width"},
    {"agents", "message_loss"},
    {"agents", "message_false"},
    {"agents", "message_late"},
    {"agents", "late_steps"},
    {"eval", "max_width"},
    {"train", "epochs"},
    {"objective", "cap"},
    {"objective", "credit"},
    {"objective", "credit_after"},
    {"objective", "credit_rerolls"},
    {"objective", "credit_launch"},
    {"train", "staleness"},
    {"train", "logp_noise"},
    {"train", "top_p"},
    {"train", "partial"},
    {"train", "gradient_shares_every"},
    {"train", "async"},
    {"objective", "credit_orders"},
    {"agents", "next_checkpoint"},
    {"agents", "switch_at"},
    {"agents", "roles"},
    {"cost", "slots"},
    {"cost", "slot_split"},
    {"cost", "slot_share"},
    {"cost", "slot_period"},
    {"cost", "slot_move"},
    {"train", "sampling"},
    {"train", "candidates"},
    {"train", "curriculum_over"},
    {"train", "priority_floor"},
    {"train", "priority_window"},
    {"train", "priority_of"},
    {"train", "abilities"},
    {"pretrain", "init_part"},
    {"pretrain", "train"},
    {"pretrain", "extend"},
};

static bool is_same(const parl_json *a, const parl_json *b) {
  parl_text x = {0}, y = {0};
  parl_json_append_canonical(a, &x);
  parl_json_append_canonical(b, &y);
  const bool same = !x.failed && !y.failed && strcmp(parl_text_get(&x), parl_text_get(&y)) == 0;
  parl_text_deinit(&x);
  parl_text_deinit(&y);
  return same;
}

/* Of every weight; its other fields are older. */
static void leave_out_of_weight(const parl_json *preset, parl_json *weight) {
  static const char *const later[] = {"steepness", "factor", "over_metric", "from", "to", "table"};
  for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
    const parl_json *value = parl_json_find(weight, later[i]);
    if (value != NULL && is_same(value, parl_json_find(preset, later[i])))
      parl_json_remove(weight, later[i]);
  }
}

static void leave_out_of_weights(const parl_json *presets, parl_json *tree) {
  const parl_json *preset = parl_json_find(presets, parl_term_infos[0].lambda);
  for (size_t i = 0; i < PARL_N_TERMS; i++)
    leave_out_of_weight(preset, (parl_json *)parl_json_find(tree, parl_term_infos[i].lambda));
  const parl_json *terms = parl_json_find(tree, "terms");
  for (const parl_json *t = parl_json_get_first(terms); t != NULL; t = parl_json_get_next(t))
    leave_out_of_weight(preset, (parl_json *)parl_json_find(t, "weight"));
}

/* presets: the sections of a configuration of defaults. */
static void leave_out_fields(const parl_json *presets, parl_json *tree) {
  leave_out_of_weights(presets, tree);
  for (size_t i = 0; i < sizeof later_fields / sizeof later_fields[0]; i++) {
    parl_json *section = (parl_json *)parl_json_find(tree, later_fields[i].section);
    const parl_json *value = parl_json_find(section, later_fields[i].field);
    const parl_json *preset =
        parl_json_find(parl_json_find(presets, later_fields[i].section), later_fields[i].field);
    if (value != NULL && is_same(value, preset)) parl_json_remove(section, later_fields[i].field);
  }
}

/* Writes every section, with defaults, as the members of an object. */
static parl_status make_presets(parl_json **out) {
  size_t n;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  parl_run_config config = {0};
  parl_text raw = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &raw, false);
  parl_json_begin_object(&w);
  for (size_t i = 0; i < n; i++) {
    void *values = (char *)&config + sections[i].offset;
    parl_config_set_defaults(sections[i].section, values);
    parl_json_key(&w, sections[i].section->name);
    parl_config_write(sections[i].section, values, &w);
  }
  parl_json_end_object(&w);
  parl_status s = parl_text_status(&raw);
  if (s == PARL_STATUS_OK) s = parl_json_parse(parl_text_get(&raw), raw.n, "defaults", out);
  parl_text_deinit(&raw);
  return s;
}

/* The environment and its parameters; of the pretrained model its words alone, and which documents
 * are held out. */
static void write_env(const parl_run *run, const parl_env *env, parl_scope scope,
                      parl_json_writer *w) {
  const parl_run_config *c = &run->config;
  if (scope != PARL_SCOPE_PRETRAIN) {
    parl_json_key(w, "params");
    parl_json_raw(w, parl_env_get_params(env));
    parl_json_key(w, "script");
    parl_json_string(w, parl_env_get_spec(env)->script_hash);
    parl_json_key(w, "recipe");
    parl_json_string(w, run->recipe);
    return;
  }
  parl_json_key(w, "vocabulary");
  parl_json_string(w, parl_env_get_spec(env)->vocab_hash);
  parl_json_key(w, "holdout_seed");
  parl_json_integer(w, c->env.holdout_seed);
  parl_json_key(w, "eval_seed");
  parl_json_integer(w, c->eval.seed);
}

static void write_sections(const parl_run_config *config, parl_scope scope, parl_json_writer *w) {
  size_t n;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n);
  for (size_t i = 0; i < n; i++) {
    if (!in_scope(sections[i].section, scope) || is_left_out(&sections[i], config)) continue;
    parl_json_key(w, sections[i].section->name);
    parl_config_write(sections[i].section, (const char *)config + sections[i].offset, w);
  }
  if (scope != PARL_SCOPE_RUN || config->own_terms == NULL) return;
  parl_json_key(w, "terms");
  parl_own_terms_write(config->own_terms, w);
}

/* As written; but a card's bits are its own, however it was chosen. */
static const char *get_backend(const parl_run_config *config) {
  const parl_backend *backend;
  const bool is_card = parl_recipe_get_backend(config, &backend) == PARL_STATUS_OK &&
                       strncmp(backend->name, "cuda", 4) == 0;
  return is_card ? backend->name : config->run.backend;
}

/* One object. */
static parl_status write_all(const parl_run *run, const parl_env *env, parl_scope scope,
                             parl_json_writer *w) {
  const parl_run_config *config = &run->config;
  char dtype[8];
  parl_json_begin_object(w);
  write_sections(config, scope, w);
  write_env(run, env, scope, w);
  parl_json_key(w, "backend");
  parl_json_string(w, get_backend(config));
  parl_config_choice_name(&parl_run_section, "dtype", config->run.dtype, dtype, sizeof dtype);
  parl_json_key(w, "dtype");
  parl_json_string(w, dtype);
  parl_json_key(w, "seed");
  parl_json_integer(w, config->run.seed);
  PARL_TRY(parl_run_files_write(run, scope, "files", w));
  PARL_TRY(parl_run_files_write_pretrain(run, env, w));
  parl_json_end_object(w);
  return parl_text_status(w->out);
}

parl_status parl_run_append_canonical(const parl_run *run, const parl_env *env, parl_scope scope,
                                      parl_text *out) {
  parl_text raw = {0};
  parl_json_writer w;
  parl_json *tree = NULL, *presets = NULL;
  parl_json_writer_init(&w, &raw, false);
  parl_status s = write_all(run, env, scope, &w);
  if (s == PARL_STATUS_OK) s = make_presets(&presets);
  if (s == PARL_STATUS_OK)
    s = parl_json_parse(parl_text_get(&raw), raw.n, "canonical config", &tree);
  if (s == PARL_STATUS_OK) leave_out_fields(presets, tree);
  if (s == PARL_STATUS_OK) parl_json_append_canonical(tree, out);
  if (s == PARL_STATUS_OK) s = parl_text_status(out);
  parl_json_destroy(presets);
  parl_json_destroy(tree);
  parl_text_deinit(&raw);
  return s;
}

parl_status parl_run_get_uid(const parl_run *run, const parl_env *env, parl_text *canonical,
                             char uid[PARL_HASH_HEX_BYTES]) {
  PARL_TRY(parl_run_append_canonical(run, env, run->scope, canonical));
  parl_hash h;
  parl_hash_init(&h);
  parl_hash_update(&h, parl_text_get(canonical), canonical->n);
  parl_hash_update(&h, run->name, strlen(run->name) + 1);
  parl_hash_finish(&h, uid);
  return PARL_STATUS_OK;
}

/* Appends ", train.updates, script". */
static void append_differences(const parl_json *a, const parl_json *b, const char *prefix,
                               parl_text *out) {
  parl_text path = {0}, x = {0}, y = {0};
  for (const parl_json *c = parl_json_get_first(a); c != NULL; c = parl_json_get_next(c)) {
    const parl_json *other = parl_json_find(b, parl_json_get_key(c));
    parl_text_clear(&path);
    parl_text_appendf(&path, "%s%s", prefix, parl_json_get_key(c));
    if (parl_json_get_type(c) == PARL_JSON_OBJECT) {
      parl_text_append(&path, ".");
      append_differences(c, other, parl_text_get(&path), out);
      continue;
    }
    parl_text_clear(&x);
    parl_text_clear(&y);
    parl_json_append_canonical(c, &x);
    if (other != NULL) parl_json_append_canonical(other, &y);
    if (strcmp(parl_text_get(&x), parl_text_get(&y)) != 0)
      parl_text_appendf(out, ", %s", parl_text_get(&path));
  }
  for (const parl_json *c = parl_json_get_first(b); c != NULL; c = parl_json_get_next(c))
    if (parl_json_find(a, parl_json_get_key(c)) == NULL) /* left out of a */
      parl_text_appendf(out, ", %s%s", prefix, parl_json_get_key(c));
  parl_text_deinit(&path);
  parl_text_deinit(&x);
  parl_text_deinit(&y);
}

void parl_run_append_differences(const parl_json *a, const parl_json *b, parl_text *out) {
  parl_text list = {0};
  append_differences(a, b, "", &list);
  if (list.n > 2) parl_text_append(out, parl_text_get(&list) + 2);
  out->failed |= list.failed;
  parl_text_deinit(&list);
}

typedef struct conflict {
  const char *arm, *uid, *config; /* config: canonical */
  int64_t seed;
  bool pending, found;
  parl_text fields; /* that differ */
} conflict;

static parl_status find_conflict(void *context, int64_t run_id, const parl_store_run *run) {
  (void)run_id;
  conflict *c = context;
  if (c->found || run->seed != c->seed || strcmp(run->arm, c->arm) != 0 ||
      strcmp(run->uid, c->uid) == 0 || run->is_retired ||
      (!c->pending && strcmp(run->status, "pending") == 0))
    return PARL_STATUS_OK;
  parl_json *mine = NULL, *theirs = NULL;
  c->found = true;
  parl_status s = parl_json_parse(c->config, strlen(c->config), "the configuration", &mine);
  if (s == PARL_STATUS_OK)
    s = parl_json_parse(run->config, strlen(run->config), "the stored configuration", &theirs);
  if (s == PARL_STATUS_OK) parl_run_append_differences(mine, theirs, &c->fields);
  parl_json_destroy(mine);
  parl_json_destroy(theirs);
  return s;
}

parl_status parl_run_refuse_conflict(parl_store *store, const parl_run *run, const char *uid,
                                     const char *canonical, bool pending) {
  const char *arm = run->name;
  const int64_t seed = run->config.run.seed;
  conflict c = {.arm = arm, .uid = uid, .config = canonical, .seed = seed, .pending = pending};
  parl_status s = parl_store_visit_runs(store, find_conflict, &c);
  if (s == PARL_STATUS_OK && c.found)
    s = parl_fail(
        PARL_STATUS_EINVAL,
        "%s holds arm \"%s\" with seed %lld of another configuration, file or "
        "environment script%s%s; nothing is overwritten: name another folder with --set "
        "run.dir=..., or first set that arm aside with parl runs %s --retire %s, or delete it with "
        "--remove %s",
        run->folder, arm, (long long)seed, c.fields.n > 0 ? ", in " : "",
        c.fields.n > 0 ? parl_text_get(&c.fields) : "", run->folder, arm, arm);
  parl_text_deinit(&c.fields);
  return s;
}

bool parl_run_failed_for_good(parl_status s) {
  return s == PARL_STATUS_EINVAL || s == PARL_STATUS_ESCRIPT || s == PARL_STATUS_ELIMIT ||
         s == PARL_STATUS_ESTATE;
}

static void append_host(const parl_trainer *t, const parl_run_config *config, parl_text *out) {
  struct utsname u;
  const parl_backend *backend;
  char card[256];
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "revision");
  parl_json_string(&w, parl_build_revision());
  parl_json_key(&w, "compiler");
  parl_json_string(&w, parl_build_compiler());
  parl_json_key(&w, "flags");
  parl_json_string(&w, parl_build_flags());
  if (parl_recipe_get_backend(config, &backend) == PARL_STATUS_OK) {
    parl_json_key(&w, "instructions");
    parl_json_string(&w, backend->instructions);
    parl_json_key(&w, "dtype");
    parl_json_string(&w, backend->dtype);
    if (parl_model_name_card(backend, card, sizeof card)) {
      parl_json_key(&w, "card");
      parl_json_string(&w, card);
    }
  }
  if (uname(&u) == 0) {
    parl_json_key(&w, "system");
    parl_json_string(&w, u.release);
    parl_json_key(&w, "machine");
    parl_json_string(&w, u.machine);
  }
  parl_json_key(&w, "threads");
  parl_json_integer(&w, (int64_t)parl_workers_get_count(t->workers));
  if (t->host->command != NULL) {
    parl_json_key(&w, "command");
    parl_json_string(&w, t->host->command);
  }
  if (t->run->question[0] != '\0') {
    parl_json_key(&w, "question");
    parl_json_string(&w, t->run->question);
  }
  parl_json_end_object(&w);
}

parl_status parl_trainer_put_run(parl_trainer *t, const char *canonical, const char *status,
                                 const char *hash) {
  parl_text host = {0};
  append_host(t, t->config, &host);
  parl_store_run run = {.recipe = t->run->recipe,
                        .arm = t->arm,
                        .seed = t->config->run.seed,
                        .config = canonical,
                        .status = status,
                        .host = parl_text_get(&host),
                        .revision = parl_build_revision()};
  memcpy(run.uid, t->uid, sizeof run.uid);
  snprintf(run.hash, sizeof run.hash, "%s", hash);
  parl_status s = parl_store_begin(t->store);
  if (s == PARL_STATUS_OK) s = parl_store_put_run(t->store, &run, &t->run_id);
  s = parl_store_end(t->store, s);
  if (s == PARL_STATUS_OK) s = parl_store_sync(t->store); /* "done" outlives a power cut */
  parl_text_deinit(&host);
  return s;
}
