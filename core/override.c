/* core/override.c - which arm, which field, what value. */
#include "core/override.h"

#include <stdio.h>
#include <string.h>

#include "core/config.h"

/* The arm whose name and a ':' begin the text, the longest if there are several; n if none. */
static size_t find_arm(const char *text, const char *const *arms, size_t n) {
  size_t best = n, best_length = 0;
  for (size_t i = 0; i < n; i++) {
    const size_t length = strlen(arms[i]);
    if (strncmp(text, arms[i], length) != 0 || text[length] != ':') continue;
    if (best < n && length <= best_length) continue;
    best = i;
    best_length = length;
  }
  return best;
}

static parl_status refuse_form(const char *text) {
  return parl_fail(PARL_STATUS_EINVAL,
                   "--set %s: expected section.field=value or ARM:section.field=value", text);
}

static parl_status refuse_arm(const char *text, size_t length, const char *const *arms, size_t n) {
  char name[64]; /* longer than any arm's: cut, and near to none */
  snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), text);
  const char *near = parl_nearest(name, arms, n);
  if (near != NULL)
    return parl_fail(PARL_STATUS_EINVAL, "--set %s: no arm \"%s\"; did you mean \"%s\"?", text,
                     name, near);
  char known[1024] = "";
  size_t at = 0;
  for (size_t i = 0; i < n && at < sizeof known; i++)
    at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", arms[i]);
  return parl_fail(PARL_STATUS_EINVAL, "--set %s: no arm \"%s\"; there are %s", text, name, known);
}

parl_status parl_override_parse(const char *text, const char *const *arms, size_t n_arms,
                                parl_override *out) {
  PARL_REQUIRE(text != NULL && out != NULL && (n_arms == 0 || arms != NULL));
  parl_override o = {.text = text, .arm = find_arm(text, arms, n_arms)};
  const char *key = o.arm < n_arms ? text + strlen(arms[o.arm]) + 1 : text;
  const char *equals = strchr(key, '=');
  const char *colon = memchr(key, ':', equals ? (size_t)(equals - key) : strlen(key));
  if (colon != NULL && o.arm == n_arms)
    return refuse_arm(text, (size_t)(colon - text), arms, n_arms);
  const size_t length = equals ? (size_t)(equals - key) : 0;
  if (colon != NULL || length == 0 || length >= sizeof o.key) return refuse_form(text);
  memcpy(o.key, key, length);
  o.value = equals + 1;
  const char *dot = strchr(o.key, '.');
  if (dot == NULL || dot == o.key || dot[1] == '\0') return refuse_form(text);
  *out = o;
  return PARL_STATUS_OK;
}
