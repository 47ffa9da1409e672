/* cli/data_hash.c - parl data hash RECIPE: one number for the documents of the first steps. */
#include <stdio.h>

#include "cli/data.h"
#include "core/json.h"

static parl_status hash_batches(data_state *d, int64_t n, char out[PARL_HASH_HEX_BYTES]) {
  parl_hash h;
  parl_hash_init(&h);
  for (int64_t k = 0; k < n; k++) {
    parl_feed_batch batch;
    PARL_TRY(data_check_signal());
    PARL_TRY(parl_feed_next(d->feed, &batch));
    parl_feed_hash(&batch, &h);
  }
  parl_hash_finish(&h, out);
  return PARL_STATUS_OK;
}

static parl_status print(const cli_args *args, const char *hash) {
  parl_text text = {0};
  parl_json_writer w;
  if (!args->json) {
    parl_text_appendf(&text, "%s\n", hash);
    return cli_print(&text);
  }
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "batches");
  parl_json_integer(&w, args->batches);
  parl_json_key(&w, "hash");
  parl_json_string(&w, hash);
  parl_json_end_object(&w);
  return cli_print(&text);
}

int data_hash(const cli_args *args) {
  data_state d = {0};
  char hash[PARL_HASH_HEX_BYTES];
  parl_status s = data_open(args, &d);
  if (s == PARL_STATUS_OK) cli_begin_work();
  if (s == PARL_STATUS_OK) s = hash_batches(&d, args->batches, hash);
  if (s == PARL_STATUS_OK) s = print(args, hash);
  data_close(&d);
  return s == PARL_STATUS_OK ? CLI_DONE : data_fail(s);
}
