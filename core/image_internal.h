/* core/image_internal.h - what the files of core/image.h share. */
#ifndef PARL_CORE_IMAGE_INTERNAL_H
#define PARL_CORE_IMAGE_INTERNAL_H
#include "core/image.h"

/* Refuses a size that a header states. Fails: EFORMAT naming the size and the limit. */
parl_status parl_image_check_size(const parl_image_limits *limits, const char *what, int64_t width,
                                  int64_t height);
/* Decode bytes known to begin like such a file; *out is made after its size has been checked. */
parl_status parl_image_decode_png(const void *bytes, size_t n, const char *what,
                                  const parl_image_limits *limits, parl_image *out);
parl_status parl_image_decode_jpeg(const void *bytes, size_t n, const char *what,
                                   const parl_image_limits *limits, parl_image *out);

#endif
