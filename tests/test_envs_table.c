/* tests/test_envs_table.c - what docs/environments.md says in tables is what is played.
 *
 * The page has places `<!-- begin X -->` ... `<!-- end X -->`: `results`, `policies`, and
 * `params NAME` of each environment. Run with --write, the program fills them; without, it
 * compares. */
#include "core/file.h"
#include "core/json.h"
#include "core/text.h"
#include "parl/swarm/context_policy.h"
#include "tests/rollout_support.h"
#include "tests/test_envs_support.h"

enum { N_TASKS = 100, N_LARGE = 4, MAX_PAGE = 1 << 20 };
static const char page_path[] = "docs/environments.md";

/* Means over the first tasks. */
static void append_style(parl_env *env, int n, const char *style, parl_text *out) {
  double r_perf = 0, critical = 0, total = 0;
  for (int task = 1; task <= n; task++) {
    const env_episode e = env_play_style(env, (uint64_t)task, style);
    r_perf += e.r_perf / n;
    critical += (double)e.critical / n;
    total += (double)e.total / n;
  }
  parl_text_appendf(out, " %.2f, %.1f, %.1f |", r_perf, critical, total);
}

static void append_row(const env_case *c, parl_text *out) {
  static const char *const styles[] = {"oracle", "greedy_wide", "serial", "random"};
  parl_env *env = env_open(c->name, c->params);
  const bool is_large = strcmp(c->preset, "swarm") == 0 || strcmp(c->preset, "long") == 0;
  const int n = is_large ? N_LARGE : N_TASKS;
  double critical = 0, serial = 0;
  int n_bounds = 0;
  for (int task = 1; task <= n; task++) {
    parl_world w;
    parl_agent m;
    parl_env_optimum best;
    assert_ok(parl_env_reset(env, (uint64_t)task, (uint64_t)task, &w, &m));
    assert_ok(parl_env_get_optimum(env, w, &best));
    parl_env_release(env, w);
    critical += (double)best.critical_steps / n;
    serial += (double)best.serial_steps / n;
    n_bounds += best.is == PARL_OPTIMUM_BOUND;
  }
  parl_text_appendf(out, "| `%s` | %s | %s%.1f | %.1f |", c->name, c->preset, n_bounds ? ">= " : "",
                    critical, serial);
  for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++)
    append_style(env, n, styles[i], out);
  parl_text_append(out, "\n");
  parl_env_destroy(env);
}

static void append_results(parl_text *out) {
  parl_text_append(out,
                   "| environment | preset | optimum | alone | oracle | greedy_wide | serial | "
                   "random |\n|---|---|---|---|---|---|---|---|\n");
  for (int i = 0; i < N_ENV_CASES; i++) append_row(&env_cases[i], out);
}

/* --- context policies: here the program's own rollout plays --- */

static bool is_of(const parl_env_spec *spec, const char *family, int32_t token) {
  for (int i = 0; i < spec->n_families; i++) {
    const parl_family *f = &spec->families[i];
    if (strcmp(f->name, family) == 0)
      return token >= f->first_token && token < f->first_token + f->n;
  }
  return false;
}

/* Place after the token `answer` of a context, 0 if it has none. */
static int find_answer(const parl_env_spec *spec, const parl_sequence *s) {
  int at = s->n_tokens; /* tools are sorted: tools[0] is `answer` */
  while (at > 0 && s->tokens[at - 1] != spec->tools[0].token) at--;
  return at;
}

/* F1 of the answered values that the context shows before the answer; a value behind another topic
 * than the question's is not one of them. 0 if there is no answer. */
static double get_f1_in_view(const parl_env_spec *spec, const parl_trajectory *t) {
  size_t m = 0;
  while (m + 1 < t->n_mains && find_answer(spec, &t->mains[m]) == 0) m++;
  const parl_sequence *s = &t->mains[m];
  const int answer = find_answer(spec, s);
  int n = 0, n_seen = 0;
  for (int i = answer; answer > 0 && i < s->n_tokens; i++) {
    if (!is_of(spec, "value", s->tokens[i])) break;
    bool is_seen = false;
    for (int k = 2; k < answer && !is_seen; k++)
      is_seen = s->tokens[k] == s->tokens[i] &&
                (s->tokens[k - 1] == s->tokens[1] || !is_of(spec, "topic", s->tokens[k - 1]));
    n++;
    n_seen += is_seen;
  }
  return n > 0 ? 2.0 * n_seen / (n_seen + n) : 0;
}

static void append_policy(const char *preset, const char *style, int policy, parl_text *out) {
  static const char *const names[] = {"none", "hide_tool_result", "summary", "discard_all"};
  parl_run_config config = count_config();
  parl_workers *workers = NULL;
  parl_rollout *rollout = NULL;
  parl_trajectories *set = NULL;
  parl_json *params = count_params(preset);
  config.episode.context_policy = policy;
  assert_ok(parl_workers_create(1, &workers));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = "envs/long_read.lua",
                                                    .env_params = params,
                                                    .config = parl_run_config_get_swarm(&config),
                                                    .n_slots = 1,
                                                    .workers = workers},
                                &rollout));
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(rollout));
  assert_ok(
      parl_trajectories_create(&(parl_trajectories_def){.n = 1,
                                                        .max_mains = 16,
                                                        .context = spec->limits.context,
                                                        .n_words = (spec->n_tokens + 63) / 64},
                               &set));
  double r_perf = 0, critical = 0, total = 0, rewrites = 0, in_view = 0;
  for (uint64_t task = 1; task <= N_TASKS; task++) {
    const parl_job job = {
        task, task, script_seats(style), 0, 0, parl_trajectories_get(set, 0), PARL_PART_ANY,
        NULL, 0};
    assert_ok(parl_rollout_run(rollout, &job, 1, NULL));
    const parl_facts *f = &job.out->facts;
    r_perf += f->r_perf / N_TASKS;
    critical += (double)f->critical_steps / N_TASKS;
    total += (double)f->total_steps / N_TASKS;
    rewrites += (double)f->rewrites / N_TASKS;
    in_view += get_f1_in_view(spec, job.out) / N_TASKS;
  }
  parl_text_appendf(out, "| %s | `%s` | %.2f | %.1f | %.1f | %.1f | %.2f |\n", style, names[policy],
                    r_perf, critical, total, rewrites, in_view);
  parl_rollout_destroy(rollout);
  parl_trajectories_destroy(set);
  parl_workers_destroy(workers);
  parl_json_destroy(params);
}

static void append_policies(parl_text *out) {
  static const char *const presets[] = {"default", "hard"};
  for (int i = 0; i < 2; i++) {
    char params[32];
    snprintf(params, sizeof params, "{\"preset\":\"%s\"}", presets[i]);
    parl_text_appendf(out,
                      "%s| %s: style | context_policy | r_perf | critical | total | rewrites | in "
                      "view |\n|---|---|---|---|---|---|---|\n",
                      i ? "\n" : "", presets[i]);
    append_policy(params, "greedy_wide", PARL_CONTEXT_POLICY_NONE, out);
    for (int p = PARL_CONTEXT_POLICY_NONE; p <= PARL_CONTEXT_POLICY_DISCARD_ALL; p++)
      append_policy(params, "read_all", p, out);
  }
}

/* `name = value` of every parameter that a preset changes. */
static void append_preset(const env_case *c, const parl_json *defaults, parl_text *out) {
  parl_env *env = env_open(c->name, c->params);
  parl_json *own = NULL;
  const char *text = parl_env_get_params(env);
  assert_ok(parl_json_parse(text, strlen(text), "params", &own));
  parl_text_appendf(out, "| `%s` |", c->preset);
  const char *separator = "";
  for (const parl_json *p = parl_json_get_first(own); p; p = parl_json_get_next(p)) {
    const parl_json *d = parl_json_find(defaults, parl_json_get_key(p));
    const bool is_bool = parl_json_get_type(p) == PARL_JSON_BOOL;
    if (parl_json_get_type(p) == PARL_JSON_STRING) continue;
    if (is_bool ? parl_json_get_bool(p) == parl_json_get_bool(d)
                : parl_json_get_number(p) == parl_json_get_number(d))
      continue;
    parl_text_appendf(out, "%s %s = ", separator, parl_json_get_key(p));
    if (is_bool)
      parl_text_append(out, parl_json_get_bool(p) ? "true" : "false");
    else
      parl_text_appendf(out, "%g", parl_json_get_number(p));
    separator = ",";
  }
  parl_text_append(out, " |\n");
  parl_json_destroy(own);
  parl_env_destroy(env);
}

static void append_params(const char *name, parl_text *out) {
  parl_env *env = env_open(name, "{}");
  parl_json *defaults = NULL;
  const char *text = parl_env_get_params(env);
  assert_ok(parl_json_parse(text, strlen(text), "params", &defaults));
  parl_env_append_params_help(env, out);
  parl_text_append(out, "\n| preset | sets |\n|---|---|\n");
  for (int i = 0; i < N_ENV_CASES; i++)
    if (strcmp(env_cases[i].name, name) == 0 && strcmp(env_cases[i].preset, "default") != 0)
      append_preset(&env_cases[i], defaults, out);
  parl_json_destroy(defaults);
  parl_env_destroy(env);
}

/* The page with every place filled anew. */
static void fill(const char *page, parl_text *out) {
  static const char begin[] = "<!-- begin ";
  for (const char *at = strstr(page, begin); at; at = strstr(page, begin)) {
    char name[64], end[96];
    const char *line_end = strchr(at, '\n');
    assert_non_null(line_end);
    assert_int_equal(sscanf(at + strlen(begin), "%63[^-]", name), 1);
    name[strcspn(name, "-") - 1] = '\0'; /* the blank before --> */
    snprintf(end, sizeof end, "<!-- end %s -->", name);
    parl_text_append_bytes(out, page, (size_t)(line_end + 1 - page));
    if (strcmp(name, "results") == 0)
      append_results(out);
    else if (strcmp(name, "policies") == 0)
      append_policies(out);
    else if (strncmp(name, "params ", 7) == 0)
      append_params(name + 7, out);
    else
      fail_msg("%s: unknown place '%s'", page_path, name);
    page = strstr(line_end, end);
    if (page == NULL) fail_msg("%s: '%s' is missing", page_path, end);
  }
  parl_text_append(out, page);
}

static void read_and_fill(char **page, parl_text *out) {
  size_t n = 0;
  assert_ok(parl_file_read(page_path, MAX_PAGE, page, &n));
  fill(*page, out);
  assert_ok(parl_text_status(out));
}

static void the_page_is_up_to_date(void **state) {
  (void)state;
  if (parl_test_is_short()) skip(); /* tens of thousands of episodes, as test_envs plays them */
  char *page = NULL;
  parl_text due = {0};
  read_and_fill(&page, &due);
  for (int i = 0; i < N_ENV_CASES; i++) {
    char heading[64];
    snprintf(heading, sizeof heading, "## %s", env_cases[i].name);
    assert_contains(page, heading);
  }
  if (strcmp(page, parl_text_get(&due)) != 0)
    fail_msg("%s is out of date; run test_envs_table --write", page_path);
  parl_text_deinit(&due);
  free(page);
}

static void write_page(void **state) {
  (void)state;
  char *page = NULL;
  parl_text due = {0};
  read_and_fill(&page, &due);
  assert_ok(parl_file_write(page_path, parl_text_get(&due), strlen(parl_text_get(&due))));
  parl_text_deinit(&due);
  free(page);
}

int main(int argc, char **argv) {
  const struct CMUnitTest check[] = {cmocka_unit_test(the_page_is_up_to_date)};
  const struct CMUnitTest write[] = {cmocka_unit_test(write_page)};
  if (argc > 1 && strcmp(argv[1], "--write") == 0) return cmocka_run_group_tests(write, NULL, NULL);
  return cmocka_run_group_tests(check, NULL, NULL);
}
