/* core/event_file.h - bytes of TensorBoard's event files: records of checksummed protocol buffers.
 *
 * A file is records, each its length, a checksum of that, an Event, a checksum of that. The first
 * one says the version. Numbers of a step are one record; a start says that what has a step as late
 * or later, and stands before it, counts no more: in other files of the folder, too. Texts are
 * UTF-8. What fails makes the text fail (core/text.h).
 * Thread rule: pure functions. Reading order: crc32c, begin, scalars.
 * Source: tensorflow/core/util/event.proto, summary.proto; tensorflow/core/lib/io/record_writer. */
#ifndef PARL_CORE_EVENT_FILE_H
#define PARL_CORE_EVENT_FILE_H
#include <stddef.h>
#include <stdint.h>

#include "core/text.h"

/* CRC-32C of n bytes; bytes may be NULL if n is 0. Source: RFC 3720, appendix B.4. */
uint32_t parl_crc32c(const void *bytes, size_t n);

/* The version, and a start at step 0: what a new file begins with.
 *   wall_s seconds since 1970 */
void parl_event_file_begin(parl_text *out, double wall_s);

/* The numbers of a step, but those that are NaN.
 *   tags, values [n] · wall_s seconds since 1970 */
void parl_event_file_append_scalars(parl_text *out, double wall_s, int64_t step,
                                    const char *const *tags, const double *values, size_t n);

#endif
