/* core/name.c - one rule for all names. */
#include "core/name.h"

#include <string.h>

#include "core/json_internal.h"

static parl_status refuse(const char *what, const char *name, size_t at, const char *why) {
  parl_text quoted = {0};
  parl_json_append_string(&quoted, name);
  const parl_status s =
      parl_fail(PARL_STATUS_EINVAL, "%s %s: byte %zu (0x%02x) %s", what, parl_text_get(&quoted),
                at + 1, (unsigned)(unsigned char)name[at], why);
  parl_text_deinit(&quoted);
  return s;
}

parl_status parl_name_check(const char *what, const char *name) {
  const unsigned char *u = (const unsigned char *)name;
  const size_t n = strlen(name);
  if (n == 0) return parl_fail(PARL_STATUS_EINVAL, "%s is empty", what);
  for (size_t i = 0; i < n;) {
    const size_t length = parl_utf8_sequence(u + i, n - i);
    if (length == 0) return refuse(what, name, i, "is no UTF-8");
    if (u[i] < 0x20 || u[i] == 0x7F || (u[i] == 0xC2 && u[i + 1] < 0xA0))
      return refuse(what, name, i, "is a control character");
    i += length;
  }
  if (n >= PARL_NAME_BYTES)
    return parl_fail(PARL_STATUS_EINVAL, "%s \"%.80s%s\" has %zu bytes; at most %d", what, name,
                     n > 80 ? "..." : "", n, PARL_NAME_BYTES - 1);
  return PARL_STATUS_OK;
}
