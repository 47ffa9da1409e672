/* cli/media.h - what --media names, as a model's tower looks at it.
 * Thread rule: one thread. */
#ifndef PARL_CLI_MEDIA_H
#define PARL_CLI_MEDIA_H
#include "cli/cli.h"
#include "engine/vision.h"

typedef struct cli_media {
  parl_vision_items items;
  float *pixels;    /* [N, 3 patch^2] owned, as the next two */
  int64_t *grid;    /* [items,3] */
  float *cotangent; /* [rows,C] of all files together, or NULL: none has one */
  size_t n_patches, n_cotangent;
} cli_media;

/* Reads the files of --media in order: pictures, prepared as the folder's preprocessor_config.json
 * says (absent: as Kimi K2.5's), and safetensors with pixel_values [N,3,patch,patch] f32, grid_thw
 * [items,3] i64 or i32, and maybe cotangent [rows,C] f32. None: no items.
 * Fails: EIO, EFORMAT, EINVAL naming the file; ENOMEM. */
parl_status cli_media_read(const cli_args *args, const parl_model *model, cli_media *out);
void cli_media_deinit(cli_media *media);

#endif
