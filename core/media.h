/* core/media.h - from pictures to what a vision tower reads: patches and their grids.
 *
 * An item is an image, or a chunk of up to `temporal` frames of a video. It is resized (never made
 * larger), padded on the right and at the bottom with black to whole merged patches, normalised and
 * cut into patches. Items lie one after another, of any sizes.
 * Thread rule: one thread at a time per parl_media; configurations are only read.
 * Reading order: the configuration, the size rule, parl_media, add, the choice of frames.
 * Source: Kimi K2.5's published processor; reference vision 1. */
#ifndef PARL_CORE_MEDIA_H
#define PARL_CORE_MEDIA_H
#include <stddef.h>
#include <stdint.h>

#include "core/album.h"
#include "core/image.h"
#include "core/json.h"
#include "core/status.h"

/* X(name, key in media_proc_cfg, K2.5's value, least, most) */
#define PARL_MEDIA_INT_LIST(X)                                        \
  X(patch, "patch_size", 14, 1, 64)                                   \
  X(merge, "merge_kernel_size", 2, 1, 16)                             \
  X(temporal, "temporal_merge_kernel_size", 4, 1, 64)                 \
  X(max_patches, "in_patch_limit", 16384, 1, 1 << 20)                 \
  X(max_patches_frame, "in_patch_limit_each_frame", 4096, 1, 1 << 20) \
  X(max_patches_side, "patch_limit_on_one_side", 512, 1, 4096)

/* What preprocessor_config.json holds under `media_proc_cfg`. */
typedef struct parl_media_config {
#define X(name, key, value, low, high) int name;
  PARL_MEDIA_INT_LIST(X)
#undef X
  double fps;             /* frames a second that are looked at, at most; > 0 ("sample_fps") */
  double mean[3], std[3]; /* of red, green, blue on a scale of 0 to 1; std > 0 */
} parl_media_config;

/* K2.5's: patches of 14x14, merged 2x2, chunks of 4 frames, 2 frames a second, mean and std 0.5. */
parl_media_config parl_media_config_default(void);
/* Reads the object `root` of a preprocessor_config.json; keys that are absent have the defaults.
 * Fails: EINVAL naming the key, for a value out of range and for settings that change what a token
 * is and that we do not have (fixed_output_tokens, in_patch_limit_video, max_num_frames_each_video
 * that are not null, another timestamp_mode). */
parl_status parl_media_config_parse(const parl_json *root, const char *what,
                                    parl_media_config *out);
/* The same of a file; EIO too. */
parl_status parl_media_config_read(const char *path, parl_media_config *out);
/* Appends the text of the file, with every key that is read. */
void parl_media_config_append(const parl_media_config *config, parl_text *out);

/* Where an image of width * height comes to lie. */
typedef struct parl_media_size {
  int width, height;               /* pixels after resizing */
  int padded_width, padded_height; /* multiples of patch * merge */
  int grid_h, grid_w;              /* patches: padded_height / patch, padded_width / patch */
  int n_tokens;                    /* (grid_h / merge) * (grid_w / merge), whatever the time is */
} parl_media_size;

/* s = min(1, sqrt(max_patches / (max(1, w div p) * max(1, h div p))), side p / w, side p / h), each
 * side then max(1, floor(side s)).
 *   max_patches config->max_patches for an image, ->max_patches_frame for a frame
 * Fails: EINVAL if a side is below 1, or if padding makes it longer than max_patches_side. */
parl_status parl_media_fit(const parl_media_config *config, int max_patches, int width, int height,
                           parl_media_size *out);

/* Items packed one after another: pixel_values and grid_thw. */
typedef struct parl_media {
  parl_media_config config;
  float *pixels;     /* [n_patches, 3, patch, patch]: channel, y, x; owned */
  int64_t *grid_thw; /* [n_items, 3]: frames, rows and columns of patches; owned */
  size_t n_patches, n_items;
  size_t max_patches, max_items; /* that there is room for */
  float table[3][256];           /* of a channel's byte: (x / 255 - mean) / std */
} parl_media;

/* Starts empty. The configuration is copied. */
void parl_media_init(parl_media *media, const parl_media_config *config);
/* Frees; safe on a zeroed object. */
void parl_media_deinit(parl_media *media);
/* Empties; keeps the memory. */
void parl_media_clear(parl_media *media);
/* Adds an image as one item. Fails: EINVAL, ENOMEM; nothing is added then. */
parl_status parl_media_add_image(parl_media *media, const parl_image *image);
/* Adds n frames (1 to config.temporal, all of one size) as one item.
 * Fails: EINVAL, ENOMEM; nothing is added then. */
parl_status parl_media_add_chunk(parl_media *media, const parl_image *frames, size_t n);

/* Adds n frames that stand below each other in one image: an image if n is 1, else a chunk. Fails:
 * likewise. */
parl_status parl_media_add_frames(parl_media *media, const parl_image *stack, int n);

/* Which of a video's frames are looked at: n = max(1, round(n_frames min(fps_wanted, fps) / fps)),
 * at round(linspace(0, n_frames - 1, n)), halves to even. They go into chunks in that order.
 *   frames [n] out, room for n_frames · *n_out
 * Fails: EINVAL if n_frames < 1 or fps is not a positive number. */
parl_status parl_media_choose_frames(const parl_media_config *config, int n_frames, double fps,
                                     int *frames, int *n_out);
/* "hh:mm:ss.fff" of a time in seconds, cut to milliseconds: the text before a chunk, of its first
 * frame at frame / fps. Fails: EINVAL if it is not a number from 0 up to a day. */
parl_status parl_media_format_time(double seconds, char out[13]);

#endif
