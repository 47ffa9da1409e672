/* parl/run/origin.h - what a checkpoint says of itself: whose it is, and who its sub-agents were.
 *
 * A run writes its progress into every checkpoint; a warm start says that it is one.
 * Thread rule: pure functions. */
#ifndef PARL_PARL_RUN_ORIGIN_H
#define PARL_PARL_RUN_ORIGIN_H
#include "core/hash.h"
#include "core/name.h"
#include "parl/run/recipe.h"

/* What was a run's when it saved: the text of "progress" in its checkpoint. */
typedef struct parl_origin_def {
  const char *uid, *arm; /* of the run */
  int64_t seed, update;
  const char *warm;   /* name of its warm start's file, which lies beside the checkpoint */
  const char *config; /* canonical, JSON */
} parl_origin_def;

/* Write the members of an open object, of a run's checkpoint and of a warm start; the caller may
 * add others. */
void parl_origin_write(const parl_origin_def *def, parl_json_writer *w);
void parl_origin_write_warm(int64_t seed, parl_json_writer *w);

typedef struct parl_origin {
  bool is_run, is_warm; /* neither: a checkpoint from elsewhere, which says nothing */
  char uid[PARL_HASH_HEX_BYTES];
  char arm[PARL_NAME_BYTES];
  int64_t seed, update;
  char warm[256];    /* as above; "" if unknown */
  parl_json *config; /* owned; NULL unless is_run */
} parl_origin;

/* Reads path's own account. Fails: EIO, EFORMAT if it is no checkpoint. */
parl_status parl_origin_read(const char *path, parl_origin *out);
/* NULL-safe members; *out may be zero. */
void parl_origin_deinit(parl_origin *origin);

/* The frozen sub-agents of the checkpoint at path as a player of its own: the warm start beside a
 * run's checkpoint, the file itself if it is a warm start. Empty if neither is known and there. */
void parl_origin_get_sub_path(const parl_origin *origin, const char *path, char *out, size_t n);

#endif
