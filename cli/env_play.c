/* cli/env_play.c - parl env play FILE: one episode as a swarm timeline, or by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/env.h"
#include "core/config.h"
#include "core/file.h"
#include "core/override.h"
#include "core/safetensors.h"
#include "engine/checkpoint.h"
#include "parl/run/origin.h"
#include "parl/run/subs.h"
#include "parl/swarm/rollout.h"

enum { LINE_BYTES = 4096 };

typedef struct player {
  const cli_args *args;
  parl_recipe *recipe;
  parl_run run;
  parl_workers *workers;
  parl_env *env;             /* of our own: for its specification and the names of tokens */
  parl_model *policy, *warm; /* warm: of the policy's run; NULL: not needed */
  parl_subs subs;
  const char *style; /* or NULL */
  bool random;
  parl_trajectories *set;
  parl_rollout *rollout;
  parl_trace trace;
  parl_env_optimum optimum;
  /* by hand */
  size_t n_shown; /* tokens of the context that were printed */
  bool ended;     /* the input has */
  char line[LINE_BYTES], *rest;
} player;

/* --- who plays --- */

/* The configuration in the checkpoint's metadata. */
static parl_status read_model_config(const char *path, parl_model_config *out) {
  parl_safetensors *file = NULL;
  parl_json *json = NULL;
  PARL_TRY(parl_safetensors_open(path, &file));
  const char *text = parl_safetensors_get_metadata(file, "model");
  parl_status s = text ? parl_json_parse(text, strlen(text), "metadata \"model\"", &json)
                       : parl_fail(PARL_STATUS_EFORMAT, "%s: has no metadata \"model\"", path);
  parl_config_set_defaults(&parl_model_section, out);
  if (s == PARL_STATUS_OK) s = parl_config_read(&parl_model_section, json, "model", out);
  parl_json_destroy(json);
  parl_safetensors_close(file);
  return s;
}

/* The model as the checkpoint's metadata describe it, with its weights. */
static parl_status load_model(const player *p, const char *path, parl_model **out) {
  const parl_backend *backend;
  const parl_env_spec *spec = parl_env_get_spec(p->env);
  const int longest = spec->limits.context > spec->limits.sub_context ? spec->limits.context
                                                                      : spec->limits.sub_context;
  parl_model_config config;
  parl_model *model = NULL;
  PARL_TRY(parl_recipe_get_backend(&p->run.config, &backend));
  PARL_TRY(read_model_config(path, &config));
  if (longest > config.max_context)
    return parl_fail(PARL_STATUS_EINVAL, "%s: holds contexts of %lld tokens, %s needs %d", path,
                     (long long)config.max_context, spec->path, longest);
  PARL_TRY(parl_model_create(&config, (size_t)spec->n_tokens, backend, NULL, &model));
  const parl_status s = parl_checkpoint_load(path, model, NULL, spec->vocab_hash, NULL);
  if (s == PARL_STATUS_OK)
    *out = model;
  else
    parl_model_destroy(model);
  return s;
}

/* --- who its sub-agents are --- */

/* --set agents.FIELD=VALUE over what the checkpoint's run had. */
static parl_status override_agents(player *p, const parl_origin *origin) {
  parl_agents_config *agents = &p->run.config.agents;
  parl_json *tree = NULL;
  parl_config_set_defaults(&parl_agents_section, agents);
  const parl_json *own = parl_json_find(origin->config, "agents");
  if (own != NULL) PARL_TRY(parl_config_read(&parl_agents_section, own, "agents", agents));
  PARL_TRY(parl_json_create_object(&tree));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < p->args->n_sets; i++) {
    parl_override o;
    s = parl_override_parse(p->args->sets[i], NULL, 0, &o);
    if (s == PARL_STATUS_OK && strncmp(o.key, "agents.", 7) == 0)
      s = parl_json_set_path(tree, o.key, o.value);
  }
  const parl_json *set = parl_json_find(tree, "agents");
  if (s == PARL_STATUS_OK && set != NULL)
    s = parl_config_read(&parl_agents_section, set, "agents", agents);
  parl_json_destroy(tree);
  return s;
}

/* The warm start of the checkpoint's run; the checkpoint itself where there is none. */
static parl_status load_warm(player *p, const char *path, const parl_origin *origin) {
  char sub_path[1024];
  parl_origin_get_sub_path(origin, path, sub_path, sizeof sub_path);
  if (sub_path[0] != '\0') return load_model(p, sub_path, &p->warm);
  if (!p->args->quiet)
    fprintf(stderr,
            "parl: %s: %s%s; it plays its sub-agents, too (--set agents.checkpoint=FILE chooses)\n",
            path, origin->is_run ? "the warm start of its run is not beside it: " : "",
            origin->is_run ? origin->warm : "does not say who its sub-agents are");
  return load_model(p, path, &p->warm);
}

/* As the checkpoint's run had them in its evaluation. */
static parl_status load_subs(player *p, const char *path, const parl_origin *origin) {
  PARL_TRY(override_agents(p, origin));
  if (parl_subs_needs_warm(&p->run.config.agents, true)) PARL_TRY(load_warm(p, path, origin));
  return parl_subs_open(&p->run, p->env, p->warm, &p->subs);
}

static parl_status load_checkpoint(player *p, const char *path) {
  parl_origin origin = {0};
  PARL_TRY(parl_origin_read(path, &origin));
  parl_status s = load_model(p, path, &p->policy);
  if (s == PARL_STATUS_OK) s = load_subs(p, path, &origin);
  parl_origin_deinit(&origin);
  return s;
}

static const char *find_style(const parl_env_spec *spec, const char *name) {
  for (int i = 0; i < spec->n_styles; i++)
    if (strcmp(spec->styles[i], name) == 0) return spec->styles[i];
  return NULL;
}

static parl_status refuse_style(const parl_env_spec *spec, const char *as) {
  parl_text known = {0};
  for (int i = 0; i < spec->n_styles; i++) parl_text_appendf(&known, "%s, ", spec->styles[i]);
  const char *near = parl_nearest(as, spec->styles, (size_t)spec->n_styles);
  const parl_status s = parl_fail(
      PARL_STATUS_EINVAL, "--as %s: %s has %srandom, or a checkpoint file%s%s%s", as, spec->name,
      parl_text_get(&known), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
  parl_text_deinit(&known);
  return s;
}

/* Beside a script, chance or a person: scripted, unless policies are named. */
static parl_status load_set_subs(player *p) {
  parl_agents_config *agents = &p->run.config.agents;
  if (agents->checkpoint[0] != '\0') agents->subs = PARL_SUBS_POLICY;
  if (parl_subs_needs_warm(agents, false))
    return parl_fail(PARL_STATUS_EINVAL,
                     "agents.subs, agents.roles: there is neither a warm start nor a policy that "
                     "learns here; name files with agents.checkpoint or in agents.roles");
  return parl_subs_open(&p->run, p->env, NULL, &p->subs);
}

/* greedy_wide, else the first style, else random. */
static parl_status choose_player(player *p) {
  const parl_env_spec *spec = parl_env_get_spec(p->env);
  const char *as = p->args->as;
  if (p->args->interactive) return PARL_STATUS_OK;
  if (as == NULL) {
    p->style = find_style(spec, "greedy_wide");
    if (p->style == NULL && spec->n_styles > 0) p->style = spec->styles[0];
    p->random = p->style == NULL;
    return PARL_STATUS_OK;
  }
  p->style = find_style(spec, as);
  if (p->style != NULL) return PARL_STATUS_OK;
  p->random = strcmp(as, "random") == 0;
  if (p->random) return PARL_STATUS_OK;
  return parl_file_exists(as) ? load_checkpoint(p, as) : refuse_style(spec, as);
}

/* --- by hand --- */

static bool is_allowed(const parl_question *c, int token) {
  return (c->mask[token / 64] >> (token % 64) & 1) != 0;
}

/* Last token behind `token` that belongs to the same numbered family and is allowed, too. */
static int find_end_of_range(const parl_question *c, int token) {
  const parl_env_spec *spec = parl_env_get_spec(c->env);
  for (int f = 0; f < spec->n_families; f++) {
    const parl_family *family = &spec->families[f];
    const int end = family->first_token + family->n;
    if (family->words != NULL || token < family->first_token || token >= end) continue;
    while (token + 1 < end && is_allowed(c, token + 1)) token++;
  }
  return token;
}

/* "  allowed: finish search", "  allowed: row:1..7 row:9". */
static void print_allowed(const parl_question *c) {
  const int n = parl_env_get_spec(c->env)->n_tokens;
  printf("  allowed:");
  for (int token = 0; token < n; token++) {
    if (!is_allowed(c, token)) continue;
    const int end = find_end_of_range(c, token);
    printf(" %s", parl_env_token_name(c->env, token));
    if (end > token) printf("..%s", strrchr(parl_env_token_name(c->env, end), ':') + 1);
    token = end;
  }
  printf("\n");
}

/* What came into the orchestrator's context since it was asked last. */
static parl_status print_news(player *p, const parl_question *c) {
  parl_text text = {0}, images = {0};
  parl_status s = PARL_STATUS_OK;
  if (p->n_shown > c->n_tokens) p->n_shown = 0; /* a context policy threw some away */
  parl_trace_append_tokens(c->env, c->tokens + p->n_shown, c->n_tokens - p->n_shown, &text);
  for (size_t i = 0; i < c->shown.n && s == PARL_STATUS_OK; i++) {
    const parl_shown *shown = &c->shown.items[i];
    if ((size_t)shown->at < p->n_shown) continue;
    s = env_append_drawing(&c->shown.album->items[shown->picture], cli_has_colour(), &images);
    parl_text_append(&images, "\n");
  }
  if (s == PARL_STATUS_OK) s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_text_status(&images);
  if (text.n > 0) printf("turn %d  %s\n%s", c->turn, parl_text_get(&text), parl_text_get(&images));
  parl_text_deinit(&text);
  parl_text_deinit(&images);
  p->n_shown = c->n_tokens;
  return s;
}

/* The next word of the input, NULL at its end. */
static const char *next_word(player *p) {
  for (;;) {
    const char *word = p->rest ? strtok_r(NULL, " \t\r\n", &p->rest) : NULL;
    if (word != NULL) return word;
    if (p->ended) return NULL;
    printf("> ");
    fflush(stdout);
    p->ended = fgets(p->line, sizeof p->line, stdin) == NULL;
    if (p->ended) {
      printf("(end of input)\n");
      return NULL;
    }
    word = strtok_r(p->line, " \t\r\n", &p->rest);
    if (word != NULL) return word;
  }
}

/* Nobody is there any more: finish as soon as that is possible. */
static int32_t choose_end(const parl_question *c) {
  if (is_allowed(c, PARL_TOKEN_FINISH)) return PARL_TOKEN_FINISH;
  int32_t token = 0;
  while (!is_allowed(c, token)) token++;
  return token;
}

/* Whether the word names a token that was the only one allowed and so has been written already. */
static bool was_forced(const parl_question *c, size_t first, const char *word) {
  for (size_t i = first; i < c->n_tokens; i++)
    if (strcmp(parl_env_token_name(c->env, c->tokens[i]), word) == 0) return true;
  return false;
}

static parl_status ask_person(void *context, const parl_question *c, int32_t *token) {
  player *p = context;
  const int n = parl_env_get_spec(c->env)->n_tokens;
  const size_t first = p->n_shown < c->n_tokens ? p->n_shown : 0;
  const bool has_words = p->rest != NULL && p->rest[strspn(p->rest, " \t\r\n")] != '\0';
  PARL_TRY(print_news(p, c));
  if (!p->ended && !has_words) print_allowed(c);
  for (;;) {
    const char *word = next_word(p);
    if (word == NULL) {
      *token = choose_end(c);
      return PARL_STATUS_OK;
    }
    for (int t = 0; t < n; t++) {
      if (!is_allowed(c, t) || strcmp(parl_env_token_name(c->env, t), word) != 0) continue;
      *token = t;
      return PARL_STATUS_OK;
    }
    if (was_forced(c, first, word)) continue;
    printf("  %s is not allowed here\n", word);
    print_allowed(c);
    p->rest = NULL; /* the rest of the line meant something else */
  }
}

/* --- the episode --- */

static parl_status on_event(void *context, const parl_event *event) {
  player *p = context;
  if (event->kind == PARL_EVENT_START)
    PARL_TRY(parl_env_get_optimum(event->env, event->world, &p->optimum));
  return parl_trace_add(&p->trace, event);
}

static parl_status play(player *p, uint64_t seed) {
  const parl_observer observer = {on_event, p};
  PARL_TRY(parl_trajectories_create(&(parl_trajectories_def){.n = 1, .n_words = 1}, &p->set));
  parl_rollout_def rollout =
      parl_run_get_rollout(&p->run, cli_get_script_host(p->args->quiet), p->workers);
  parl_subs_seat(&p->subs, p->policy, PARL_SUBS_LAST, &rollout.seats);
  if (p->policy != NULL) rollout.seats.main = parl_run_get_orchestrator(&p->run, p->policy);
  if (p->style != NULL) rollout.seats.main = parl_player_of_script(p->style, 1);
  if (p->style == NULL && p->policy == NULL)
    rollout.seats.main =
        p->random ? parl_player_of_chance() : parl_player_of_choices(ask_person, p);
  if (p->random && p->subs.first == NULL) rollout.seats.subs = parl_player_of_chance();
  rollout.n_slots = 1;
  rollout.observer = &observer;
  PARL_TRY(parl_rollout_create(&rollout, &p->rollout));
  const parl_job job = {.task_seed = seed,
                        .episode_seed = seed,
                        .temperature = 1,
                        .out = parl_trajectories_get(p->set, 0)};
  PARL_TRY(parl_rollout_run(p->rollout, &job, 1, NULL));
  parl_trace_sort(&p->trace);
  return PARL_STATUS_OK;
}

static const char *get_name(const player *p) {
  if (p->style != NULL) return p->style;
  if (p->random) return "random";
  return p->policy != NULL ? p->args->as : "you";
}

static void append_heading(const player *p, parl_text *out) {
  parl_text_appendf(out, "%s  seed %lld  played by %s", parl_env_get_spec(p->env)->name,
                    (long long)p->args->seed, get_name(p));
}

static void append_episode(const player *p, parl_text *out) {
  const parl_facts *f = &p->trace.facts;
  static const char *const words[PARL_N_OPTIMUM_KINDS] = {
      [PARL_OPTIMUM_UNSTATED] = "optimum  ",
      [PARL_OPTIMUM_EXACT] = "optimum  ",
      [PARL_OPTIMUM_EXPECTED] = "optimum  expected ",
      [PARL_OPTIMUM_BOUND] = "bound    at least "};
  parl_text_appendf(out, "%s%lld critical steps%s; alone %lld steps; best r_perf %g\n\n",
                    words[p->optimum.is], (long long)p->optimum.critical_steps,
                    p->optimum.is == PARL_OPTIMUM_UNSTATED ? " (not stated whether exact)" : "",
                    (long long)p->optimum.serial_steps, p->optimum.r_perf);
  env_append_timeline(&p->trace, p->env, out);
  parl_text_appendf(
      out,
      "\nended by %s after %g turns: r_perf %.4g, %g critical steps (regret %g), %g in total; "
      "%g sub-agents in %g launches, %g finished\n",
      parl_end_text(f->end), f->turns, f->r_perf, f->critical_steps,
      f->critical_steps - f->optimum_steps, f->total_steps, f->assigned, f->launches, f->finished);
  parl_text_appendf(out, "score    %s\n", parl_text_get(&p->trace.details));
}

static parl_status print_text(const player *p) {
  parl_text text = {0};
  if (p->args->interactive) parl_text_append(&text, "\n");
  append_heading(p, &text);
  parl_text_append(&text, "\n");
  append_episode(p, &text);
  const parl_status s = env_append_images(&p->trace, p->env, cli_has_colour(), &text);
  if (s == PARL_STATUS_OK) return cli_print(&text);
  parl_text_deinit(&text);
  return s;
}

static parl_status write_page(const player *p) {
  parl_text heading = {0}, text = {0}, page = {0};
  append_heading(p, &heading);
  append_episode(p, &text);
  parl_status s = parl_text_status(&heading);
  if (s == PARL_STATUS_OK) s = parl_text_status(&text);
  if (s == PARL_STATUS_OK)
    s = env_append_page(&p->trace, p->env, parl_text_get(&heading), parl_text_get(&text), &page);
  if (s == PARL_STATUS_OK) s = parl_file_write(p->args->html, parl_text_get(&page), page.n);
  parl_text_deinit(&heading);
  parl_text_deinit(&text);
  parl_text_deinit(&page);
  if (s == PARL_STATUS_OK && !p->args->json) printf("%s\n", p->args->html);
  return s;
}

static void write_facts(const parl_facts *f, parl_json_writer *w) {
  parl_json_key(w, "facts");
  parl_json_begin_object(w);
#define X(name, unit, meaning) \
  parl_json_key(w, #name);     \
  parl_json_number(w, f->name);
  PARL_FACT_LIST(X)
#undef X
  parl_json_key(w, "end");
  parl_json_string(w, parl_end_text(f->end));
  parl_json_end_object(w);
}

static parl_status print_json(const player *p) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "env");
  parl_json_string(&w, parl_env_get_spec(p->env)->name);
  parl_json_key(&w, "played_by");
  parl_json_string(&w, get_name(p));
  parl_json_key(&w, "seed");
  parl_json_integer(&w, p->args->seed);
  parl_json_key(&w, "params");
  parl_json_raw(&w, parl_env_get_params(p->env));
  parl_json_key(&w, "optimum_is");
  parl_json_string(&w, parl_optimum_kind_text(p->optimum.is));
  parl_json_key(&w, "events");
  parl_trace_append_json(&p->trace, p->env, &w);
  write_facts(&p->trace.facts, &w);
  parl_json_key(&w, "details");
  parl_json_raw(&w, parl_text_get(&p->trace.details));
  parl_json_end_object(&w);
  return cli_print(&text);
}

/* Images are cut as the checkpoint that plays sees them; choose_player tells of a bad one. */
static void take_vision(player *p) {
  parl_model_config config;
  const char *as = p->args->as;
  if (as != NULL && parl_file_exists(as) && read_model_config(as, &config) == PARL_STATUS_OK)
    p->run.config.model.vision = config.vision;
}

static parl_status run(player *p) {
  PARL_TRY(env_load_recipe(p->args, &p->recipe));
  PARL_TRY(parl_run_init(p->recipe, 0, 0, &p->run));
  p->run.config.env.on_error = PARL_ON_ERROR_STOP;
  PARL_TRY(parl_workers_create(1, &p->workers));
  take_vision(p);
  PARL_TRY(parl_run_open_env(&p->run, cli_get_script_host(p->args->quiet), &p->env));
  PARL_TRY(parl_run_fix_files(&p->run, p->env));
  PARL_TRY(choose_player(p));
  if (p->policy == NULL) PARL_TRY(load_set_subs(p));
  cli_begin_work();
  return play(p, (uint64_t)p->args->seed);
}

static void close_player(player *p) {
  parl_trace_deinit(&p->trace);
  parl_rollout_destroy(p->rollout);
  parl_trajectories_destroy(p->set);
  parl_subs_close(&p->subs);
  parl_model_destroy(p->warm);
  parl_model_destroy(p->policy);
  parl_env_destroy(p->env);
  parl_workers_destroy(p->workers);
  parl_run_deinit(&p->run);
  parl_recipe_destroy(p->recipe);
}

int env_play(const cli_args *args) {
  if (args->interactive && args->as) return cli_usage("--interactive and --as exclude each other");
  if (args->html != NULL && !args->force && parl_file_exists(args->html))
    return cli_usage("--html %s: the file exists; --force overwrites it", args->html);
  player p = {.args = args};
  parl_status s = run(&p);
  if (s == PARL_STATUS_OK && args->html != NULL) s = write_page(&p);
  if (s == PARL_STATUS_OK && args->json) s = print_json(&p);
  if (s == PARL_STATUS_OK && !args->json && args->html == NULL) s = print_text(&p);
  close_player(&p);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
