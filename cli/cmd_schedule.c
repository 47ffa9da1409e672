/* cli/cmd_schedule.c - parl schedule RECIPE: the weights before anything is trained. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/file.h"
#include "experiments/weights.h"

enum { MAX_ASSUMED = 64, NAME_BYTES = 96 };

typedef struct assumptions {
  size_t n;
  parl_assumption of[MAX_ASSUMED];
  char names[MAX_ASSUMED][NAME_BYTES];
} assumptions;

/* "NAME=0.3" or "NAME=0..0.8". */
static parl_status read_one(const char *text, assumptions *out) {
  const char *value = strchr(text, '=');
  const size_t n = value != NULL ? (size_t)(value - text) : 0;
  char *end = NULL;
  if (n > 0 && n < NAME_BYTES && out->n < MAX_ASSUMED) {
    parl_assumption *a = &out->of[out->n];
    memcpy(out->names[out->n], text, n);
    a->metric = out->names[out->n];
    const char *dots = strstr(value, "..");
    char first[64];
    const size_t length = dots != NULL ? (size_t)(dots - value) - 1 : strlen(value + 1);
    snprintf(first, sizeof first, "%.*s", (int)(length < 63 ? length : 63), value + 1);
    a->from = a->to = strtod(first, &end);
    const bool is_number = end != first && *end == '\0' && isfinite(a->from);
    if (dots != NULL) a->to = strtod(dots + 2, &end);
    if (is_number && *end == '\0' && (dots == NULL || end != dots + 2) && isfinite(a->to)) {
      out->n++;
      return PARL_STATUS_OK;
    }
  }
  return parl_fail(PARL_STATUS_EINVAL,
                   "--assume %s: METRIC=VALUE or METRIC=FROM..TO is due, %d at most", text,
                   MAX_ASSUMED);
}

static parl_status write_svg(const parl_weight_curves *curves, const char *path) {
  parl_text text = {0};
  parl_status s = parl_weight_curves_append_svg(curves, &text);
  if (s == PARL_STATUS_OK) s = parl_file_write(path, parl_text_get(&text), text.n);
  parl_text_deinit(&text);
  return s;
}

static parl_status print(const parl_weight_curves *curves, const cli_args *args) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  if (args->json)
    parl_weight_curves_write(curves, &w);
  else
    PARL_TRY(parl_weight_curves_append_text(curves, (size_t)args->columns, &text));
  return cli_print(&text);
}

int cmd_schedule(const cli_args *args) {
  parl_recipe *recipe = NULL;
  parl_weight_curves curves = {0};
  assumptions assumed = {0};
  if (args->svg && !args->force && parl_file_exists(args->svg))
    return cli_usage("--svg %s: the file exists; --force overwrites it", args->svg);
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; i < args->n_assume && s == PARL_STATUS_OK; i++)
    s = read_one(args->assume[i], &assumed);
  if (s == PARL_STATUS_OK) s = cli_load_recipe(args, &recipe);
  if (s == PARL_STATUS_OK) s = parl_weight_curves_make(recipe, assumed.of, assumed.n, &curves);
  if (s == PARL_STATUS_OK) {
    cli_begin_work();
    s = print(&curves, args);
    if (s == PARL_STATUS_OK && args->svg) s = write_svg(&curves, args->svg);
  }
  parl_weight_curves_deinit(&curves);
  parl_recipe_destroy(recipe);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
