/* tests/fuzz/fuzz_config.c - any recipe: refused and untouched, or in range and written back. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/override.h"

#define FUZZ_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                \
  INT(updates, 150, 0, 1000000, "updates", "steps")               \
  INT(offset, 0, -9007199254740992, 9007199254740992, "1", "all") \
  REAL(lr, 1e-3, 0.0, 1.0, "1", "rate")                           \
  REAL(wide, 0, -1e308, 1e308, "1", "nearly all")                 \
  FLAG(greedy, false, "take the best")                            \
  TEXT(name, "x", "any")                                          \
  CHOICE(shape, linear, "constant|linear|cosine", "form")
PARL_CONFIG_STRUCT(fuzz_config, FUZZ_FIELDS);
#define SECTION_TYPE_ fuzz_config
extern const parl_section fuzz_section;
PARL_CONFIG_SECTION(fuzz_section, "fuzz", "a section", FUZZ_FIELDS);
#undef SECTION_TYPE_

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranges(const fuzz_config *c) {
  if (c->updates < 0 || c->updates > 1000000) abort();
  if (llabs(c->offset) > INT64_C(9007199254740992)) abort();
  if (!(c->lr >= 0 && c->lr <= 1) || !(fabs(c->wide) <= 1e308)) abort();
  if (strnlen(c->name, sizeof c->name) == sizeof c->name) abort();
  if (c->shape < 0 || c->shape > 2) abort();
}

static void check_written(const fuzz_config *c) {
  fuzz_config again;
  parl_config_set_defaults(&fuzz_section, &again);
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_config_write(&fuzz_section, c, &w);
  parl_json *object = NULL;
  if (parl_json_parse(text.bytes, text.n, "written", &object) != PARL_STATUS_OK) abort();
  if (parl_config_read(&fuzz_section, object, "fuzz", &again) != PARL_STATUS_OK) abort();
  if (again.lr != c->lr || again.wide != c->wide || again.offset != c->offset) abort();
  if (strcmp(again.name, c->name) != 0 || again.shape != c->shape) abort();
  parl_json_destroy(object);
  parl_text_deinit(&text);
}

static void check_object(const parl_json *object) {
  fuzz_config c, before;
  parl_config_set_defaults(&fuzz_section, &c);
  before = c;
  const parl_status s = parl_config_read(&fuzz_section, object, "fuzz", &c);
  if (s == PARL_STATUS_OK) {
    check_ranges(&c);
    check_written(&c);
  } else if (s != PARL_STATUS_EINVAL || memcmp(&c, &before, sizeof c) != 0) {
    abort();
  }
}

static const char *const arms[] = {"a", "a.b-0", "a=1:x", "\xCE\xBB = 0.3"};
enum { N_ARMS = sizeof arms / sizeof arms[0] };

/* What was taken apart, put together again, is the text; the key is one that a tree takes. */
static void check_override(const parl_override *o, const char *line) {
  if (o->text != line || o->arm > N_ARMS || strchr(o->key, '.') == NULL) abort();
  const char *at = line;
  if (o->arm < N_ARMS) {
    const size_t n = strlen(arms[o->arm]);
    if (memcmp(at, arms[o->arm], n) != 0 || at[n] != ':') abort();
    at += n + 1;
  }
  const size_t n = strlen(o->key);
  if (memcmp(at, o->key, n) != 0 || at[n] != '=' || o->value != at + n + 1) abort();
  parl_json *object = NULL;
  if (parl_json_create_object(&object) != PARL_STATUS_OK) abort();
  if (parl_json_set_path(object, o->key, o->value) == PARL_STATUS_OK &&
      parl_json_find(object, "fuzz") != NULL)
    check_object(parl_json_find(object, "fuzz"));
  parl_json_destroy(object);
}

/* The input as a recipe; then as the override of a command line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  parl_json *object = NULL;
  if (parl_json_parse((const char *)data, size, "fuzz", &object) == PARL_STATUS_OK)
    check_object(object);
  parl_json_destroy(object);
  char line[512] = "";
  memcpy(line, data, size < sizeof line ? size : sizeof line - 1);
  parl_override o;
  if (parl_override_parse(line, arms, N_ARMS, &o) == PARL_STATUS_OK) check_override(&o, line);
  return 0;
}
