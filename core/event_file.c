/* core/event_file.c - CRC-32C, the framing of records, and the few messages that are written. */
#include "core/event_file.h"

#include <math.h>
#include <string.h>

/* --- checksums --- */

/* Reflected 0x1EDC6F41. A few kilobytes an update: bit by bit is quick enough. */
uint32_t parl_crc32c(const void *bytes, size_t n) {
  const unsigned char *b = bytes;
  uint32_t crc = 0xFFFFFFFFu;
  for (size_t i = 0; i < n; i++) {
    crc ^= b[i];
    for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  return ~crc;
}

/* Records hold checksums so, that one of bytes that hold one is none. */
static uint32_t mask(uint32_t crc) {
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/* --- protocol buffers --- */

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 }; /* wire types */
enum { EVENT_WALL = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_NUMBER = 2, SESSION_STATUS = 1, STATUS_START = 1 };

static void put_little(parl_text *out, uint64_t x, int n_bytes) {
  unsigned char b[8];
  for (int i = 0; i < n_bytes; i++) b[i] = (unsigned char)(x >> 8 * i);
  parl_text_append_bytes(out, b, (size_t)n_bytes);
}

static void put_varint(parl_text *out, uint64_t x) {
  for (; x >= 0x80; x >>= 7) put_little(out, (x & 0x7F) | 0x80, 1);
  put_little(out, x, 1);
}

static void put_key(parl_text *out, unsigned field, unsigned wire) {
  put_varint(out, field << 3 | wire);
}

static void put_bytes(parl_text *out, unsigned field, const void *bytes, size_t n) {
  put_key(out, field, BYTES);
  put_varint(out, n);
  parl_text_append_bytes(out, bytes, n);
}

static void put_double(parl_text *out, unsigned field, double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  put_key(out, field, FIXED64);
  put_little(out, bits, 8);
}

static void put_float(parl_text *out, unsigned field, double x) {
  const float narrow = (float)x;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof bits);
  put_key(out, field, FIXED32);
  put_little(out, bits, 4);
}

/* Adds the message as a record, and empties it. */
static void put_record(parl_text *out, parl_text *message) {
  const size_t n = message->n;
  parl_text length = {0};
  put_little(&length, n, 8);
  parl_text_append_bytes(out, length.bytes, length.n);
  put_little(out, mask(parl_crc32c(length.bytes, length.n)), 4);
  parl_text_append_bytes(out, message->bytes, n);
  put_little(out, mask(parl_crc32c(message->bytes, n)), 4);
  out->failed |= message->failed | length.failed;
  parl_text_deinit(&length);
  parl_text_clear(message);
}

/* --- events --- */

void parl_event_file_begin(parl_text *out, double wall_s) {
  static const char version[] = "brain.Event:2";
  parl_text event = {0}, session = {0};
  put_double(&event, EVENT_WALL, wall_s);
  put_bytes(&event, EVENT_VERSION, version, sizeof version - 1);
  put_record(out, &event);
  put_key(&session, SESSION_STATUS, VARINT);
  put_varint(&session, STATUS_START);
  put_double(&event, EVENT_WALL, wall_s);
  put_bytes(&event, EVENT_SESSION, session.bytes, session.n);
  out->failed |= session.failed;
  put_record(out, &event);
  parl_text_deinit(&session);
  parl_text_deinit(&event);
}

void parl_event_file_append_scalars(parl_text *out, double wall_s, int64_t step,
                                    const char *const *tags, const double *values, size_t n) {
  parl_text event = {0}, summary = {0}, value = {0};
  for (size_t i = 0; i < n; i++) {
    if (isnan(values[i])) continue;
    put_bytes(&value, VALUE_TAG, tags[i], strlen(tags[i]));
    put_float(&value, VALUE_NUMBER, values[i]);
    put_bytes(&summary, SUMMARY_VALUE, value.bytes, value.n);
    summary.failed |= value.failed;
    parl_text_clear(&value);
  }
  put_double(&event, EVENT_WALL, wall_s);
  put_key(&event, EVENT_STEP, VARINT);
  put_varint(&event, (uint64_t)step);
  put_bytes(&event, EVENT_SUMMARY, summary.bytes, summary.n);
  event.failed |= summary.failed;
  put_record(out, &event);
  parl_text_deinit(&value);
  parl_text_deinit(&summary);
  parl_text_deinit(&event);
}
