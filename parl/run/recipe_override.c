/* parl/run/recipe_override.c - --set key=value and --set ARM:key=value: checking and setting
 * them, and telling which change nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parl/run/recipe_internal.h"
#include "parl/run/subs.h"

/* --- setting --- */

/* By itself, against the tables: the error is the override's, not that of an arm it is merged
 * into. */
static parl_status check_alone(const parl_override *o) {
  parl_json *tree = NULL;
  parl_run_config scratch;
  PARL_TRY(parl_json_create_object(&tree));
  parl_status s = parl_json_set_path(tree, o->key, o->value);
  if (s == PARL_STATUS_OK) {
    s = parl_recipe_read_tree(tree, true, &scratch);
    parl_own_terms_destroy((parl_own_terms *)scratch.own_terms);
  }
  parl_json_destroy(tree);
  return parl_fail_context(s, "--set %s", o->text);
}

parl_status parl_recipe_parse_overrides(const parl_recipe *recipe, const char *const *texts,
                                        size_t n, parl_override **out) {
  const char **arms = calloc(recipe->n_arms, sizeof *arms);
  parl_override *list = calloc(n + 1, sizeof *list);
  parl_status s = arms != NULL && list != NULL
                      ? PARL_STATUS_OK
                      : parl_fail(PARL_STATUS_ENOMEM, "recipe: no memory for %zu overrides", n);
  for (size_t i = 0; s == PARL_STATUS_OK && i < recipe->n_arms; i++) arms[i] = recipe->arm_names[i];
  for (size_t i = 0; s == PARL_STATUS_OK && i < n; i++) {
    s = parl_override_parse(texts[i], arms, recipe->n_arms, &list[i]);
    if (s == PARL_STATUS_OK) s = check_alone(&list[i]);
  }
  free(arms);
  if (s == PARL_STATUS_OK)
    *out = list;
  else
    free(list);
  return s;
}

parl_status parl_recipe_apply_overrides(const parl_override *overrides, size_t n, size_t arm,
                                        parl_json *tree) {
  for (size_t i = 0; i < n; i++)
    if (overrides[i].arm == arm)
      PARL_TRY(parl_fail_context(parl_json_set_path(tree, overrides[i].key, overrides[i].value),
                                 "--set %s", overrides[i].text));
  return PARL_STATUS_OK;
}

/* --- what changes nothing --- */

/* A field that is read only while another has one of some values ("|a|b|", or "any": it is neither
 * empty nor 0); '*' is every weight's schedule. */
typedef struct condition {
  const char *key, *other, *values;
} condition;

static const condition conditions[] = {
    {"*.stop", "*.shape", "|linear|cosine|exponential|step|cyclic|closed_loop|sigmoid|backoff|"},
    {"*.over", "*.shape", "|linear|cosine|exponential|step|cyclic|lua|sigmoid|"},
    {"*.over", "*.over_metric", "||"},
    {"*.period", "*.shape", "|cyclic|"},
    {"*.metric", "*.shape", "|closed_loop|backoff|"},
    {"*.target", "*.shape", "|closed_loop|backoff|"},
    {"*.gain", "*.shape", "|closed_loop|"},
    {"*.initial", "*.shape", "|closed_loop|"},
    {"*.steepness", "*.shape", "|sigmoid|"},
    {"*.factor", "*.shape", "|backoff|"},
    {"*.over_metric", "*.shape", "|linear|cosine|exponential|step|cyclic|sigmoid|"},
    {"*.from", "*.over_metric", "any"},
    {"*.to", "*.over_metric", "any"},
    {"*.lua", "*.shape", "|lua|"},
    {"*.table", "*.shape", "|table|"},
    {"reward.parallel_cap", "reward.parallel", "|instantiation|log_count|"},
    {"reward.parallel_lua", "reward.parallel", "|lua|"},
    {"reward.finish_lua", "reward.finish", "|lua|"},
    {"objective.alpha", "objective.kind", "|k25|"},
    {"objective.beta", "objective.kind", "|k25|"},
    {"objective.tau_masked", "objective.kind", "|k25|"},
    {"objective.epsilon", "objective.kind", "|ppo|"},
    {"objective.cap", "objective.kind", "|tis|"},
    {"objective.credit_after", "objective.credit", "|counterfactual|"},
    {"objective.credit_launch", "objective.credit", "|counterfactual|loo_stages|shapley|"},
    {"objective.credit_rerolls", "objective.credit", "|counterfactual|shapley|"},
    {"objective.credit_orders", "objective.credit", "|shapley|"},
    {"train.gradient_shares_every", "objective.credit", "|episode|"},
    {"train.candidates", "train.sampling", "|curriculum|prioritised|"},
    {"train.curriculum_over", "train.sampling", "|curriculum|"},
    {"train.priority_floor", "train.sampling", "|prioritised|"},
    {"train.priority_window", "train.sampling", "|curriculum|prioritised|"},
    {"train.priority_of", "train.sampling", "|curriculum|prioritised|"},
    {"optimizer.momentum", "optimizer.kind", "|muonclip|"},
    {"optimizer.qk_clip", "optimizer.kind", "|muonclip|"},
    {"agents.checkpoint", "agents.subs", "|policy|"},
    {"agents.next_checkpoint", "agents.subs", "|policy|"},
    {"agents.switch_at", "agents.subs", "|policy|"},
    {"agents.temperature", "agents.subs", "|policy|"},
    {"agents.style", "agents.subs", "|scripted|"},
    {"agents.reliability", "agents.subs", "|scripted|"},
    {"agents.late_steps", "agents.message_late", "any"},
    {"episode.budget_factor", "episode.budget_steps", "|0|"},
    {"episode.budget_factor", "episode.budget_counts", "|critical|total|makespan|"},
    {"pretrain.batch_tokens", "pretrain.steps", "any"},
    {"pretrain.lr", "pretrain.steps", "any"},
    {"pretrain.lr_end", "pretrain.steps", "any"},
    {"pretrain.warmup", "pretrain.steps", "any"},
    {"pretrain.decay", "pretrain.steps", "any"},
    {"pretrain.decay_from", "pretrain.steps", "any"},
    {"pretrain.optimizer", "pretrain.steps", "any"},
    {"pretrain.weight_decay", "pretrain.steps", "any"},
    {"pretrain.eval_every", "pretrain.steps", "any"},
    {"pretrain.eval_documents", "pretrain.steps", "any"},
    {"cost.slot_split", "cost.slots", "any"},
    {"cost.slot_share", "cost.slots", "any"},
    {"cost.slot_period", "cost.slot_split", "|adaptive|"},
    {"cost.slot_move", "cost.slot_split", "|adaptive|"},
    {"episode.context_threshold", "episode.context_policy",
     "|hide_tool_result|summary|discard_all|"},
    {"model.kv_lora_rank", "model.attention", "|mla|"},
    {"model.q_lora_rank", "model.attention", "|mla|"},
    {"model.n_kv_heads", "model.attention", "|gqa|"},
};
enum { N_CONDITIONS = sizeof conditions / sizeof conditions[0] };

/* The section and struct that a key's part in front of its last dot means: "lambda1",
 * "terms.parallel.weight", "terms.mine.weight"; NULL if there is none. */
static const parl_section *find_section(const parl_run_config *config, const char *key,
                                        const void **out) {
  size_t n_sections;
  const parl_recipe_section *sections = parl_recipe_get_sections(&n_sections);
  const char *dot = strrchr(key, '.');
  const size_t length = dot != NULL ? (size_t)(dot - key) : 0;
  char path[PARL_LAMBDA_BYTES];
  for (size_t i = 0; i < n_sections; i++) {
    const char *name = sections[i].section->name;
    if (strlen(name) != length || memcmp(name, key, length) != 0) continue;
    *out = (const char *)config + sections[i].offset;
    return sections[i].section;
  }
  for (size_t i = 0; i < PARL_N_TERMS; i++) {
    snprintf(path, sizeof path, "terms.%s.weight", parl_term_infos[i].name);
    if (strlen(path) != length || memcmp(path, key, length) != 0) continue;
    *out = &config->weights[i];
    return parl_term_infos[i].section;
  }
  for (size_t i = 0; config->own_terms != NULL && i < config->own_terms->n; i++) {
    snprintf(path, sizeof path, "terms.%s.weight", config->own_terms->items[i].name);
    if (strlen(path) != length || memcmp(path, key, length) != 0) continue;
    *out = &config->own_terms->items[i].weight;
    return &parl_weight_section;
  }
  return NULL;
}

/* Canonical value of "section.field", without the quotes of a text; "" if there is no such
 * field. */
static void get_value(const parl_run_config *config, const char *key, char *out, size_t n) {
  const void *values = NULL;
  const parl_section *section = find_section(config, key, &values);
  parl_text text = {0};
  parl_json *tree = NULL;
  parl_json_writer w;
  out[0] = '\0';
  if (section == NULL) return;
  parl_json_writer_init(&w, &text, false);
  parl_config_write(section, values, &w);
  if (text.n > 0 && parl_json_parse(text.bytes, text.n, "a section", &tree) == PARL_STATUS_OK) {
    const parl_json *value = parl_json_find(tree, strrchr(key, '.') + 1);
    parl_text_clear(&text);
    if (value != NULL) parl_json_append_canonical(value, &text);
    const bool quoted = parl_json_get_string(value) != NULL;
    snprintf(out, n, "%.*s", (int)text.n - 2 * quoted, parl_text_get(&text) + quoted);
  }
  parl_json_destroy(tree);
  parl_text_deinit(&text);
}

/* Bytes of the key in front of the field of a weight's schedule; 0 if it is none. */
static size_t get_schedule(const parl_run_config *config, const char *key) {
  const void *values;
  const parl_section *section = find_section(config, key, &values);
  if (section == NULL || section->bytes != sizeof(parl_schedule_config)) return 0;
  bool is_weight = section == &parl_weight_section;
  for (size_t i = 0; i < PARL_N_TERMS; i++)
    is_weight = is_weight || section == parl_term_infos[i].section;
  return is_weight ? (size_t)(strrchr(key, '.') - key) : 0;
}

/* Whether a condition's key is this one. */
static bool is_meant(const parl_run_config *config, const condition *c, const char *key) {
  if (c->key[0] != '*') return strcmp(c->key, key) == 0;
  const size_t n = get_schedule(config, key);
  return n > 0 && strcmp(c->key + 1, key + n) == 0;
}

/* Whoever plays the other roles. */
static bool is_read_of_role(const parl_run_config *config, const char *key) {
  if (strcmp(key, "agents.temperature") == 0) return parl_subs_has_frozen(&config->agents);
  return strcmp(key, "agents.style") == 0 && parl_subs_has(&config->agents, PARL_SUBS_SCRIPTED);
}

/* Why this arm does not read the field: "lambda1.shape = constant"; false if it does. */
static bool is_unread(const parl_run_config *config, const char *key, char *why, size_t n) {
  for (size_t i = 0; i < N_CONDITIONS; i++) {
    const condition *c = &conditions[i];
    if (!is_meant(config, c, key) || is_read_of_role(config, key)) continue;
    char value[64], item[80], other[64];
    const bool is_any = c->other[0] == '*';
    snprintf(other, sizeof other, "%.*s%s", is_any ? (int)get_schedule(config, key) : 0, key,
             c->other + is_any);
    get_value(config, other, value, sizeof value);
    snprintf(item, sizeof item, "|%s|", value);
    const bool is_set = value[0] != '\0' && strcmp(value, "0") != 0;
    if (strcmp(c->values, "any") == 0 ? is_set : strstr(c->values, item) != NULL) continue;
    snprintf(why, n, "%s = %s", other, value[0] != '\0' ? value : "\"\"");
    return true;
  }
  return false;
}

/* Whether setting b puts another value in the place of what a set. */
static bool replaces(const char *b, const char *a) {
  const size_t n = strlen(b);
  return strncmp(a, b, n) == 0 && (a[n] == '\0' || a[n] == '.');
}

/* Of the same reach, later, and of the same field. */
static const parl_override *find_later(const parl_override *list, size_t n, size_t i) {
  for (size_t k = i + 1; k < n; k++)
    if (list[k].arm == list[i].arm && replaces(list[k].key, list[i].key)) return &list[k];
  return NULL;
}

static bool has_own(const parl_override *list, size_t n, size_t arm, const char *key) {
  for (size_t k = 0; k < n; k++)
    if (list[k].arm == arm && replaces(list[k].key, key)) return true;
  return false;
}

/* Appends why override i changes nothing in any arm that it is for; nothing if it does. */
static void append_reason(const parl_recipe *r, const parl_override *list, size_t n, size_t i,
                          parl_text *out) {
  const parl_override *o = &list[i], *later = find_later(list, n, i);
  char why[160] = "";
  size_t n_own = 0, n_unread = 0, n_reached = 0;
  if (later != NULL) {
    parl_text_appendf(out, "--set %s after it sets the same", later->text);
    return;
  }
  for (size_t a = 0; a < r->n_arms; a++) {
    if (o->arm != a && o->arm != r->n_arms) continue;
    n_reached++;
    if (o->arm == r->n_arms && has_own(list, n, a, o->key))
      n_own++;
    else if (!r->is_env || strncmp(o->key, "agents.", 7) != 0)
      n_unread += is_unread(&r->arms[a], o->key, why, sizeof why);
  }
  if (n_own + n_unread < n_reached) return;
  if (n_unread == 0)
    parl_text_append(out, "every arm has a --set of its own");
  else
    parl_text_appendf(out, "%s is not read where %s", o->key, why);
}

void parl_recipe_note_overrides(parl_recipe *recipe, const parl_override *overrides, size_t n) {
  parl_text reason = {0};
  for (size_t i = 0; i < n; i++) {
    parl_text_clear(&reason);
    append_reason(recipe, overrides, n, i, &reason);
    if (reason.n > 0)
      parl_text_appendf(&recipe->warnings, "--set %s changes nothing: %s\n", overrides[i].text,
                        parl_text_get(&reason));
  }
  parl_text_deinit(&reason);
}
