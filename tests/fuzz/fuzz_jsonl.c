/* tests/fuzz/fuzz_jsonl.c - any bytes as a file of documents, beside a picture: refused with a
 * text, or documents that come again as they are, and varied within what was asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "parl/data/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[512], path[600];
static parl_env *env;

static void check(bool is_right) {
  if (!is_right) abort();
}

/* The environment shows pictures of up to 16 x 16 pixels, and p.png is one. */
static void set_up(void) {
  static const char script[] =
      "return parl.env {name = 'toy', summary = 's', vision = {width = 16, height = 16},\n"
      "  roles = {'a'}, families = {at = 17, side = {'left', 'top', 'right', 'bottom'}},\n"
      "  tools = {t = {args = {'at'}, doc = 'd', run = function() return {} end}},\n"
      "  task = {args = {'at'}}, limits = {context = 64, sub_context = 32, sub_steps = 1,\n"
      "  max_width = 1, max_agents = 1, max_turns = 1}, reset = function() return {} end,\n"
      "  prompt = function() return {} end, brief = function() return {} end,\n"
      "  deliver = function() return {} end, score = function() return 1, 1 end,\n"
      "  optimum = function() return {critical = 0, serial = 0, r_perf = 1} end}\n";
  static const uint8_t png[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
      0x52, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x08, 0x08, 0x02, 0x00, 0x00, 0x00, 0x7f,
      0x14, 0xe8, 0xc0, 0x00, 0x00, 0x00, 0x11, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8,
      0xff, 0xff, 0x3f, 0xc3, 0x28, 0x18, 0x70, 0x00, 0x00, 0x8f, 0x32, 0x02, 0xfe, 0x39, 0x15,
      0xaa, 0x36, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  char name[600];
  const char *base = getenv("TMPDIR");
  if (env != NULL) return;
  snprintf(folder, sizeof folder, "%s/parl-XXXXXX", base != NULL ? base : "/tmp");
  check(mkdtemp(folder) != NULL);
  snprintf(name, sizeof name, "%s/env.lua", folder);
  check(parl_file_write(name, script, sizeof script - 1) == PARL_STATUS_OK);
  check(parl_env_create(name, NULL, &(parl_env_options){0}, &env) == PARL_STATUS_OK);
  snprintf(name, sizeof name, "%s/p.png", folder);
  check(parl_file_write(name, png, sizeof png) == PARL_STATUS_OK);
  snprintf(path, sizeof path, "%s/f.jsonl", folder);
}

static void check_document(const parl_document *d) {
  check(d->n >= 2 && d->n <= 33 && d->n_learnt >= 1 && d->tokens[0] == PARL_TOKEN_BOS);
  for (size_t i = 0; i < d->n; i++)
    check(d->tokens[i] >= 0 && d->tokens[i] < parl_env_get_spec(env)->n_tokens);
}

static const parl_augment_config config = {
    .crop = 0.5, .flip_x = 0.5, .turn = 0.5, .scale_min = 0.5, .scale_max = 1.5};

static void read_all(const parl_jsonl *file, bool held_out) {
  parl_document d = {0};
  for (uint64_t i = 0; i < parl_jsonl_count(file, held_out) && i < 64; i++) {
    bool is_lost;
    parl_rng_cursor cursor = {i, held_out, 0};
    const parl_augment augment = parl_augment_draw(&config, &cursor);
    check(parl_jsonl_get(file, held_out, i, NULL, &d, &is_lost) == PARL_STATUS_OK && !is_lost);
    check_document(&d);
    const parl_status s = parl_jsonl_get(file, held_out, i, &augment, &d, &is_lost);
    check(s == PARL_STATUS_OK);
    if (!is_lost) check_document(&d);
  }
  parl_document_deinit(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  parl_jsonl *file = NULL;
  set_up();
  check(parl_file_write(path, data, size) == PARL_STATUS_OK);
  const parl_jsonl_def def = {.path = path,
                              .env = env,
                              .max_tokens = 32,
                              .augment = {config, "one"},
                              .held_out = 0.3,
                              .split_seed = 1};
  const parl_status s = parl_jsonl_open(&def, &file);
  if (s != PARL_STATUS_OK) {
    check(parl_error_text()[0] != '\0');
    check(s == PARL_STATUS_EFORMAT || s == PARL_STATUS_EINVAL);
    return 0;
  }
  read_all(file, false);
  read_all(file, true);
  parl_jsonl_close(file);
  return 0;
}
