/* cli/model_export.c - parl model export: a checkpoint as others read it. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/file.h"
#include "core/json.h"
#include "engine/checkpoint.h"
#include "engine/hf_checkpoint.h"

static parl_status load(const char *source, parl_model **out) {
  const parl_backend *backend = NULL;
  PARL_TRY(parl_backend_find("cpu", &backend));
  return parl_file_is_folder(source) ? parl_hf_checkpoint_load(source, 0, backend, out)
                                     : parl_checkpoint_open_model(source, backend, out);
}

static bool read_options(const cli_args *args, parl_hf_save_options *out) {
  *out = (parl_hf_save_options){.shard_bytes = (size_t)args->shard_size};
  if (args->output == NULL) {
    cli_usage("model export needs -o DIR");
    return false;
  }
  out->is_bf16 = args->dtype != NULL && strcmp(args->dtype, "bf16") == 0;
  return true;
}

static parl_status print_json(const char *folder, const parl_model *model,
                              const parl_hf_saved *saved) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "folder");
  parl_json_string(&w, folder);
  parl_json_key(&w, "values");
  parl_json_integer(&w, (int64_t)parl_model_get_n_params(model));
  parl_json_key(&w, "files");
  parl_json_integer(&w, (int64_t)saved->n_files);
  parl_json_key(&w, "bytes");
  parl_json_number(&w, saved->bytes);
  parl_json_end_object(&w);
  return cli_print(&text);
}

int model_export(const cli_args *args) {
  parl_hf_save_options options;
  parl_hf_saved saved = {0};
  parl_model *model = NULL;
  if (!read_options(args, &options)) return CLI_USAGE;
  parl_status s = load(args->operands[0], &model);
  if (s == PARL_STATUS_OK) s = parl_hf_checkpoint_save(args->output, model, &options, &saved);
  if (s == PARL_STATUS_OK && args->json) s = print_json(args->output, model, &saved);
  if (s == PARL_STATUS_OK && !args->json)
    printf("%s: %zu values in %zu file%s, %.0f bytes\n", args->output,
           parl_model_get_n_params(model), saved.n_files, saved.n_files == 1 ? "" : "s",
           saved.bytes);
  parl_model_destroy(model);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
