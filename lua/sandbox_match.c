/* lua/sandbox_match.c - find, match, gmatch and gsub of Lua 5.4, with every step counted.
 *
 * The library's own matcher can backtrack for years inside C, where no limit reaches. This one
 * follows the same rules (Lua 5.4 Reference Manual, 6.4.1) and counts steps, so that the limits of
 * time and instructions hold inside of it.
 * Reading order: matcher, single characters, items, captures, the four functions. */
#define _GNU_SOURCE
#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "lua/sandbox_internal.h"

enum {
  MAX_CAPTURES = 32,
  MAX_DEPTH = 200,     /* nested items: the C stack's */
  LOOK_EVERY = 1 << 12 /* steps between two looks at the limits */
};

enum { OPEN = -1, PLACE = -2 }; /* instead of a capture's length */

typedef struct matcher {
  lua_State *L;
  const char *text, *text_end; /* subject */
  const char *pattern, *pattern_end;
  int64_t n_steps, next_look; /* of this call */
  int depth;
  int n_captures;
  struct {
    const char *start;
    ptrdiff_t length;
  } captures[MAX_CAPTURES];
} matcher;

static const char *match(matcher *m, const char *s, const char *p);

static void look(matcher *m) {
  parl_sandbox_charge(m->L, (double)(m->n_steps - m->next_look + LOOK_EVERY) / 2);
  m->next_look = m->n_steps + LOOK_EVERY;
}

static void count(matcher *m, int64_t n) {
  m->n_steps += n;
  if (m->n_steps >= m->next_look) look(m);
}

/* What was counted since the last look; after a call's work. */
static void settle(matcher *m) {
  parl_sandbox_charge(m->L, (double)(m->n_steps - m->next_look + LOOK_EVERY) / 2);
}

static void matcher_init(matcher *m, lua_State *L, const char *text, size_t n_text,
                         const char *pattern, size_t n_pattern) {
  m->L = L;
  m->text = text;
  m->text_end = text + n_text;
  m->pattern = pattern;
  m->pattern_end = pattern + n_pattern;
  m->n_steps = 0;
  m->next_look = LOOK_EVERY;
  m->depth = m->n_captures = 0;
}

/* --- single characters --- */

/* End of the single-character item that begins at p. */
static const char *find_item_end(matcher *m, const char *p) {
  if (*p == '%') {
    if (p + 1 == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 2;
  }
  if (*p++ != '[') return p;
  if (p < m->pattern_end && *p == '^') p++;
  do { /* a ']' in the first place is a plain one */
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
    count(m, 1);
    if (*p++ == '%') {
      if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
      p++;
    }
  } while (p == m->pattern_end || *p != ']');
  return p + 1;
}

static bool is_of_class(int c, int letter) {
  bool is;
  switch (tolower(letter)) {
    case 'a':
      is = isalpha(c);
      break;
    case 'c':
      is = iscntrl(c);
      break;
    case 'd':
      is = isdigit(c);
      break;
    case 'g':
      is = isgraph(c);
      break;
    case 'l':
      is = islower(c);
      break;
    case 'p':
      is = ispunct(c);
      break;
    case 's':
      is = isspace(c);
      break;
    case 'u':
      is = isupper(c);
      break;
    case 'w':
      is = isalnum(c);
      break;
    case 'x':
      is = isxdigit(c);
      break;
    case 'z': /* of Lua 5.1 */
      is = c == 0;
      break;
    default:
      return letter == c;
  }
  return isupper(letter) ? !is : is;
}

/* p is the set's '[', last its ']'. */
static bool is_in_set(matcher *m, int c, const char *p, const char *last) {
  bool found = true;
  count(m, last - p);
  if (p[1] == '^') {
    found = false;
    p++;
  }
  while (++p < last) {
    if (*p == '%') {
      p++;
      if (is_of_class(c, (unsigned char)*p)) return found;
    } else if (p[1] == '-' && p + 2 < last) {
      if ((unsigned char)*p <= c && c <= (unsigned char)p[2]) return found;
      p += 2;
    } else if ((unsigned char)*p == c) {
      return found;
    }
  }
  return !found;
}

/* Whether the character at s is of the item p, which ends at end. */
static bool is_match(matcher *m, const char *s, const char *p, const char *end) {
  count(m, 1);
  if (s >= m->text_end) return false;
  const int c = (unsigned char)*s;
  switch (*p) {
    case '.':
      return true;
    case '%':
      return is_of_class(c, (unsigned char)p[1]);
    case '[':
      return is_in_set(m, c, p, end - 1);
    default:
      return (unsigned char)*p == c;
  }
}

/* --- items --- */

static const char *match_balance(matcher *m, const char *s, const char *p) {
  if (p + 1 >= m->pattern_end) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
  if (s >= m->text_end || *s != *p) return NULL;
  int64_t n_open = 1;
  for (const char *at = s + 1; at < m->text_end; at++) {
    count(m, 1);
    if (*at == p[1]) {
      if (--n_open == 0) return at + 1;
    } else if (*at == p[0]) {
      n_open++;
    }
  }
  return NULL;
}

/* As many as there are, then fewer. */
static const char *match_most(matcher *m, const char *s, const char *p, const char *end) {
  ptrdiff_t n = 0;
  while (is_match(m, s + n, p, end)) n++;
  for (; n >= 0; n--) {
    const char *rest = match(m, s + n, end + 1);
    if (rest != NULL) return rest;
  }
  return NULL;
}

/* As few as will do. */
static const char *match_least(matcher *m, const char *s, const char *p, const char *end) {
  for (;;) {
    const char *rest = match(m, s, end + 1);
    if (rest != NULL) return rest;
    if (!is_match(m, s, p, end)) return NULL;
    s++;
  }
}

static const char *open_capture(matcher *m, const char *s, const char *p, ptrdiff_t kind) {
  if (m->n_captures >= MAX_CAPTURES) luaL_error(m->L, "too many captures");
  m->captures[m->n_captures].start = s;
  m->captures[m->n_captures].length = kind;
  m->n_captures++;
  const char *rest = match(m, s, p);
  if (rest == NULL) m->n_captures--;
  return rest;
}

static const char *close_capture(matcher *m, const char *s, const char *p) {
  int i = m->n_captures - 1;
  while (i >= 0 && m->captures[i].length != OPEN) i--;
  if (i < 0) luaL_error(m->L, "invalid pattern capture");
  m->captures[i].length = s - m->captures[i].start;
  const char *rest = match(m, s, p);
  if (rest == NULL) m->captures[i].length = OPEN;
  return rest;
}

/* %1: what that capture holds, again. */
static const char *match_again(matcher *m, const char *s, int letter) {
  const int i = letter - '1';
  if (i < 0 || i >= m->n_captures || m->captures[i].length == OPEN)
    luaL_error(m->L, "invalid capture index %%%d", i + 1);
  const ptrdiff_t n = m->captures[i].length;
  if (n == PLACE || m->text_end - s < n) return NULL;
  count(m, 1 + n / 16);
  return memcmp(m->captures[i].start, s, (size_t)n) == 0 ? s + n : NULL;
}

/* %f[set]: between a character outside and one inside of the set. */
static bool is_frontier(matcher *m, const char *s, const char *p, const char *end) {
  const int before = s == m->text ? '\0' : (unsigned char)s[-1];
  const int here = s == m->text_end ? '\0' : (unsigned char)*s;
  return !is_in_set(m, before, p, end - 1) && is_in_set(m, here, p, end - 1);
}

/* What begins with '%' and is no class. True if it was that; then *s is behind it, NULL if it does
 * not match, and *p behind the item. */
static bool match_special(matcher *m, const char **s, const char **p) {
  const char letter = *p + 1 < m->pattern_end ? (*p)[1] : '\0';
  if (letter == 'b') {
    *s = match_balance(m, *s, *p + 2);
    *p += 4;
  } else if (letter == 'f') {
    *p += 2;
    if (*p >= m->pattern_end || **p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
    const char *end = find_item_end(m, *p);
    if (!is_frontier(m, *s, *p, end)) *s = NULL;
    *p = end;
  } else if (letter >= '0' && letter <= '9') {
    *s = match_again(m, *s, letter);
    *p += 2;
  } else {
    return false;
  }
  return true;
}

/* One character item and what stands behind it. Returns true where the rest of the pattern is to be
 * matched from *s and *p on, else *s is the result. */
static bool match_single(matcher *m, const char **s, const char **p) {
  const char *end = find_item_end(m, *p);
  const char suffix = end < m->pattern_end ? *end : '\0';
  if (suffix == '*') {
    *s = match_most(m, *s, *p, end);
    return false;
  }
  if (suffix == '-') {
    *s = match_least(m, *s, *p, end);
    return false;
  }
  const bool is = is_match(m, *s, *p, end);
  if (suffix == '+') {
    *s = is ? match_most(m, *s + 1, *p, end) : NULL;
    return false;
  }
  if (suffix == '?') {
    const char *rest = is ? match(m, *s + 1, end + 1) : NULL;
    if (rest != NULL) {
      *s = rest;
      return false;
    }
    *p = end + 1;
    return true;
  }
  *s = is ? *s + 1 : NULL;
  *p = end;
  return is;
}

/* End of the match of the pattern from p on at s, NULL if there is none. */
static const char *match(matcher *m, const char *s, const char *p) {
  if (m->depth++ == MAX_DEPTH) luaL_error(m->L, "pattern too complex");
  while (s != NULL && p < m->pattern_end) {
    count(m, 1);
    if (*p == '(') {
      const bool is_place = p + 1 < m->pattern_end && p[1] == ')';
      s = is_place ? open_capture(m, s, p + 2, PLACE) : open_capture(m, s, p + 1, OPEN);
      break;
    }
    if (*p == ')') {
      s = close_capture(m, s, p + 1);
      break;
    }
    if (*p == '$' && p + 1 == m->pattern_end) {
      if (s != m->text_end) s = NULL;
      break;
    }
    if (*p == '%' && match_special(m, &s, &p)) continue;
    if (!match_single(m, &s, &p)) break;
  }
  m->depth--;
  return s;
}

/* The match at s, with captures from the beginning. */
static const char *match_at(matcher *m, const char *s, const char *p) {
  m->n_captures = m->depth = 0;
  return match(m, s, p);
}

/* --- captures --- */

static void push_capture(const matcher *m, int i, const char *start, const char *end) {
  if (i >= m->n_captures) {
    if (i != 0) luaL_error(m->L, "invalid capture index %%%d", i + 1);
    lua_pushlstring(m->L, start, (size_t)(end - start)); /* no captures: the whole match */
    return;
  }
  const ptrdiff_t n = m->captures[i].length;
  if (n == OPEN) luaL_error(m->L, "unfinished capture");
  if (n == PLACE)
    lua_pushinteger(m->L, m->captures[i].start - m->text + 1);
  else
    lua_pushlstring(m->L, m->captures[i].start, (size_t)n);
}

/* All of them, or the whole match if there are none and start is given. Returns their number. */
static int push_captures(const matcher *m, const char *start, const char *end) {
  const int n = m->n_captures == 0 && start != NULL ? 1 : m->n_captures;
  luaL_checkstack(m->L, n, "too many captures");
  for (int i = 0; i < n; i++) push_capture(m, i, start, end);
  return n;
}

/* --- the functions --- */

static const char *check_text(lua_State *L, int index, size_t *n) {
  const char *text = luaL_checklstring(L, index, n);
  if (*n > PARL_SANDBOX_MAX_STRING)
    luaL_error(L, "a text of %I bytes is searched; at most %d", (LUAI_UACINT)*n,
               PARL_SANDBOX_MAX_STRING);
  return text;
}

/* The optional start at `index` as an offset; n + 1 if it is behind the end. */
static size_t read_start(lua_State *L, int index, size_t n) {
  const lua_Integer start = luaL_optinteger(L, index, 1);
  if (start > 0) return (lua_Unsigned)start - 1 <= n ? (size_t)start - 1 : n + 1;
  if (start == 0 || start < -(lua_Integer)n) return 0;
  return n - (size_t)-start;
}

static bool has_specials(const char *pattern, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (pattern[i] != '\0' && strchr("^$*+?.([%-", pattern[i]) != NULL) return true;
  return false;
}

static int find_plain(lua_State *L, const char *text, size_t n, size_t start) {
  size_t n_wanted;
  const char *wanted = lua_tolstring(L, 2, &n_wanted);
  parl_sandbox_charge(L, (double)(n - start + n_wanted) / 16);
  const char *found = memmem(text + start, n - start, wanted, n_wanted);
  if (found == NULL) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, found - text + 1);
  lua_pushinteger(L, found - text + (lua_Integer)n_wanted);
  return 2;
}

static int push_place(const matcher *m, const char *start, const char *end) {
  lua_pushinteger(m->L, start - m->text + 1);
  lua_pushinteger(m->L, end - m->text);
  return push_captures(m, NULL, NULL) + 2;
}

static int search(lua_State *L, bool is_find) {
  size_t n, n_pattern;
  const char *text = check_text(L, 1, &n), *pattern = check_text(L, 2, &n_pattern);
  const size_t start = read_start(L, 3, n);
  if (start > n) {
    lua_pushnil(L);
    return 1;
  }
  if (is_find && (lua_toboolean(L, 4) || !has_specials(pattern, n_pattern)))
    return find_plain(L, text, n, start);
  matcher m;
  matcher_init(&m, L, text, n, pattern, n_pattern);
  const bool is_anchored = n_pattern > 0 && *pattern == '^';
  for (const char *s = text + start; s <= m.text_end; s++) {
    const char *end = match_at(&m, s, pattern + is_anchored);
    count(&m, 1);
    if (end != NULL) {
      settle(&m);
      return is_find ? push_place(&m, s, end) : push_captures(&m, s, end);
    }
    if (is_anchored) break;
  }
  settle(&m);
  lua_pushnil(L);
  return 1;
}

static int string_find(lua_State *L) {
  return search(L, true);
}

static int string_match(lua_State *L) {
  return search(L, false);
}

/* Upvalues: text, pattern, offset to go on from, offset of the last match's end (-1: none). */
static int gmatch_step(lua_State *L) {
  size_t n, n_pattern;
  const char *text = lua_tolstring(L, lua_upvalueindex(1), &n);
  const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &n_pattern);
  const lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
  matcher m;
  matcher_init(&m, L, text, n, pattern, n_pattern);
  for (const char *s = text + lua_tointeger(L, lua_upvalueindex(3)); s <= m.text_end; s++) {
    const char *end = match_at(&m, s, pattern);
    count(&m, 1);
    if (end == NULL || end - text == last) continue;
    settle(&m);
    lua_pushinteger(L, end - text);
    lua_copy(L, -1, lua_upvalueindex(3));
    lua_replace(L, lua_upvalueindex(4));
    return push_captures(&m, s, end);
  }
  settle(&m);
  lua_pushinteger(L, (lua_Integer)n + 1);
  lua_replace(L, lua_upvalueindex(3));
  return 0;
}

static int string_gmatch(lua_State *L) {
  size_t n, n_pattern;
  check_text(L, 1, &n);
  check_text(L, 2, &n_pattern);
  const size_t start = read_start(L, 3, n);
  lua_settop(L, 2);
  lua_pushinteger(L, (lua_Integer)start);
  lua_pushinteger(L, -1);
  lua_pushcclosure(L, gmatch_step, 4);
  return 1;
}

/* Adds the replacement text at index 3, with its %0 to %9. */
static void add_text(matcher *m, luaL_Buffer *b, const char *start, const char *end) {
  size_t n;
  const char *text = lua_tolstring(m->L, 3, &n), *text_end = text + n, *sign;
  while ((sign = memchr(text, '%', (size_t)(text_end - text))) != NULL) {
    luaL_addlstring(b, text, (size_t)(sign - text));
    const char letter = sign + 1 < text_end ? sign[1] : '\0';
    text = sign + 2;
    if (letter == '%' && sign + 1 < text_end) {
      luaL_addchar(b, '%');
    } else if (letter == '0') {
      luaL_addlstring(b, start, (size_t)(end - start));
    } else if (letter >= '1' && letter <= '9') {
      push_capture(m, letter - '1', start, end);
      luaL_tolstring(m->L, -1, NULL); /* a place is a number */
      lua_remove(m->L, -2);
      luaL_addvalue(b);
    } else {
      luaL_error(m->L, "invalid use of '%%' in replacement string");
    }
    count(m, 4);
  }
  luaL_addlstring(b, text, (size_t)(text_end - text));
}

/* Adds what takes the place of a match. Returns whether that differs. */
static bool add_replacement(matcher *m, luaL_Buffer *b, const char *start, const char *end) {
  lua_State *L = m->L;
  switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
      lua_pushvalue(L, 3);
      lua_call(L, push_captures(m, start, end), 1);
      break;
    case LUA_TTABLE:
      push_capture(m, 0, start, end);
      lua_gettable(L, 3);
      break;
    default:
      add_text(m, b, start, end);
      return true;
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    luaL_addlstring(b, start, (size_t)(end - start));
    return false;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  luaL_addvalue(b);
  return true;
}

static int string_gsub(lua_State *L) {
  size_t n, n_pattern;
  const char *text = check_text(L, 1, &n), *pattern = check_text(L, 2, &n_pattern);
  const int type = lua_type(L, 3);
  if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TTABLE && type != LUA_TFUNCTION)
    return luaL_typeerror(L, 3, "string/function/table");
  if (type == LUA_TNUMBER) lua_tolstring(L, 3, NULL); /* in place: the buffer comes above it */
  const lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)n + 1);
  const bool is_anchored = n_pattern > 0 && *pattern == '^';
  lua_Integer n_done = 0;
  bool differs = false;
  matcher m;
  matcher_init(&m, L, text, n, pattern, n_pattern);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  const char *s = text, *last = NULL;
  while (n_done < most) {
    const char *end = match_at(&m, s, pattern + is_anchored);
    count(&m, 4);
    if (end != NULL && end != last) {
      n_done++;
      differs = add_replacement(&m, &b, s, end) || differs;
      s = last = end;
    } else if (s < m.text_end) {
      luaL_addchar(&b, *s++);
    } else {
      break;
    }
    if (is_anchored) break;
  }
  settle(&m);
  if (differs) {
    luaL_addlstring(&b, s, (size_t)(m.text_end - s));
    luaL_pushresult(&b);
  } else {
    lua_pushvalue(L, 1);
  }
  lua_pushinteger(L, n_done);
  return 2;
}

bool parl_sandbox_is_gmatch(lua_CFunction f) {
  return f == gmatch_step;
}

void parl_sandbox_open_match(lua_State *L) {
  static const luaL_Reg functions[] = {{"find", string_find},
                                       {"gmatch", string_gmatch},
                                       {"gsub", string_gsub},
                                       {"match", string_match},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
