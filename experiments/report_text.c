/* experiments/report_text.c - names and sentences in HTML, Markdown, LaTeX and plain text.
 *
 * A name may hold anything: markup, control codes, overrides of the writing direction, bytes that
 * are no UTF-8. It is shown, never obeyed. */
#include <string.h>

#include "experiments/report_internal.h"

typedef struct range {
  uint32_t first, last;
} range;

/* Control codes, line separators, what turns the writing direction, U+FFFD. */
static const range unruly[] = {{0, 0x1F},        {0x7F, 0x9F},     {0x61C, 0x61C},
                               {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
                               {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFD}, {0xE0000, 0xE007F}};
/* Accents and joiners take no column of a terminal, East Asian letters and emoji two. */
static const range narrow[] = {{0x300, 0x36F},   {0x591, 0x5BD},   {0x64B, 0x65F},
                               {0x1AB0, 0x1AFF}, {0x200B, 0x200D}, {0x20D0, 0x20FF},
                               {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
static const range wide[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},
                             {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                             {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};
#define IS_IN(list, c) is_in(list, sizeof(list) / sizeof(list)[0], c)

static bool is_in(const range *list, size_t n, uint32_t c) {
  for (size_t i = 0; i < n; i++)
    if (c >= list[i].first && c <= list[i].last) return true;
  return false;
}

/* Bytes of the letter at s, which is not at its end; U+FFFD of one byte where it is no UTF-8. */
static size_t decode(const char *s, uint32_t *out) {
  const unsigned char *b = (const unsigned char *)s;
  const size_t n = b[0] < 0x80 ? 1 : b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : 2;
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  *out = n == 1 ? b[0] : b[0] & (0x7Fu >> n);
  bool valid = b[0] < 0x80 || (b[0] >= 0xC2 && b[0] < 0xF5);
  for (size_t i = 1; i < n && valid; i++) {
    valid = (b[i] & 0xC0) == 0x80;
    *out = *out << 6 | (b[i] & 0x3F);
  }
  if (valid && *out >= least[n] && *out <= 0x10FFFF && (*out < 0xD800 || *out > 0xDFFF)) return n;
  *out = 0xFFFD;
  return 1;
}

static size_t get_columns(uint32_t c) {
  if (IS_IN(unruly, c)) return 1; /* shown as one sign */
  return IS_IN(narrow, c) ? 0 : IS_IN(wide, c) ? 2 : 1;
}

static const char *get_entity(uint32_t c) {
  switch (c) {
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '&':
      return "&amp;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return NULL;
  }
}

void parl_text_append_html(parl_text *out, const char *s) {
  for (uint32_t c; *s != '\0';) {
    const size_t n = decode(s, &c);
    const char *entity = get_entity(c);
    if (entity != NULL)
      parl_text_append(out, entity);
    else if (IS_IN(unruly, c))
      parl_text_append(out, c == '\n' || c == '\t' ? " " : "\xEF\xBF\xBD");
    else
      parl_text_append_bytes(out, s, n);
    s += n;
  }
}

void parl_text_append_html_short(parl_text *out, const char *s, size_t n_letters) {
  uint32_t c;
  for (; *s != '\0' && n_letters > 0; n_letters--) {
    char letter[5] = "";
    const size_t n = decode(s, &c);
    memcpy(letter, s, n);
    parl_text_append_html(out, letter);
    s += n;
  }
  if (*s != '\0') parl_text_append(out, "\xE2\x80\xA6");
}

void parl_text_append_plain(parl_text *out, const char *s) {
  for (uint32_t c; *s != '\0';) {
    const size_t n = decode(s, &c);
    if (IS_IN(unruly, c))
      parl_text_append(out, "?");
    else
      parl_text_append_bytes(out, s, n);
    s += n;
  }
}

void parl_text_append_markdown(parl_text *out, const char *s) {
  for (uint32_t c; *s != '\0';) {
    const size_t n = decode(s, &c);
    if (c < 0x80 && strchr("|\\`*_[~", (int)c) != NULL)
      parl_text_appendf(out, "\\%c", (int)c);
    else if (c == '<' || c == '>' || c == '&')
      parl_text_append(out, get_entity(c));
    else if (IS_IN(unruly, c))
      parl_text_append(out, "?");
    else
      parl_text_append_bytes(out, s, n);
    s += n;
  }
}

/* Of a letter that LaTeX takes for a command or has none of its own for; NULL: as it is. */
static const char *get_latex(uint32_t c) {
  static const struct {
    uint32_t c;
    const char *latex;
  } rows[] = {
      {'&', "\\&"},
      {'%', "\\%"},
      {'$', "\\$"},
      {'#', "\\#"},
      {'_', "\\_"},
      {'{', "\\{"},
      {'}', "\\}"},
      {'~', "\\textasciitilde{}"},
      {'^', "\\textasciicircum{}"},
      {'\\', "\\textbackslash{}"},
      {'<', "\\textless{}"},
      {'>', "\\textgreater{}"},
      {'|', "\\textbar{}"},
      {'"', "\\textquotedbl{}"},
      {0x3B1, "$\\alpha$"},
      {0x3B2, "$\\beta$"},
      {0x3BB, "$\\lambda$"},
      {0x3C4, "$\\tau$"},
      {0x2081, "$_1$"},
      {0x2082, "$_2$"},
      {0x2192, "$\\to$"},
      {0x2212, "$-$"},
      {0x2265, "$\\ge$"},
      {0x2264, "$\\le$"},
      {0x2026, "\\ldots{}"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (rows[i].c == c) return rows[i].latex;
  return NULL;
}

void parl_text_append_latex(parl_text *out, const char *s) {
  enum { LAST_LATIN = 0x17F };
  for (uint32_t c; *s != '\0';) {
    const size_t n = decode(s, &c);
    const char *latex = get_latex(c);
    if (latex != NULL)
      parl_text_append(out, latex);
    else if (IS_IN(unruly, c) || c > LAST_LATIN)
      parl_text_append(out, c == '\n' || c == '\t' ? " " : "?");
    else
      parl_text_append_bytes(out, s, n);
    s += n;
  }
}

size_t parl_text_get_width(const char *s) {
  size_t width = 0;
  for (uint32_t c; *s != '\0'; width += get_columns(c)) s += decode(s, &c);
  return width;
}

/* The start of what of s lies beyond its first `width` columns. */
static const char *skip(const char *s, size_t width) {
  uint32_t c;
  while (*s != '\0') {
    const size_t n = decode(s, &c), columns = get_columns(c);
    if (columns > width) break;
    width -= columns;
    s += n;
  }
  return s;
}

void parl_text_append_cut(parl_text *out, const char *s, size_t width) {
  const size_t all = parl_text_get_width(s);
  if (all <= width || width < 2) {
    parl_text_append_plain(out, s);
    return;
  }
  const size_t head = width / 2, tail = width - 1 - head;
  parl_text letters = {0};
  parl_text_append_bytes(&letters, s, (size_t)(skip(s, head) - s));
  parl_text_append(&letters, "\xE2\x80\xA6");
  const char *rest = s;
  for (size_t n = all - tail; parl_text_get_width(rest) > tail; n++) rest = skip(s, n);
  parl_text_append(&letters, rest);
  if (parl_text_status(&letters) != PARL_STATUS_OK) out->failed = 1;
  parl_text_append_plain(out, parl_text_get(&letters));
  parl_text_deinit(&letters);
}

void parl_text_append_wrapped(parl_text *out, const char *s, size_t width, size_t indent) {
  size_t column = 0;
  for (bool first = true; *s != '\0'; first = false) {
    const size_t n = strcspn(s, " ");
    char word[512];
    const size_t kept = n < sizeof word ? n : sizeof word - 1;
    memcpy(word, s, kept);
    word[kept] = '\0';
    const size_t room = width > indent + 1 ? width - indent : width;
    const size_t all = parl_text_get_width(word), columns = all < room ? all : room;
    if (!first && column + 1 + columns > width) {
      parl_text_appendf(out, "\n%*s", (int)indent, "");
      column = indent;
    } else if (!first) {
      parl_text_append(out, " ");
      column++;
    }
    parl_text_append_cut(out, word, columns);
    column += columns;
    s += n + (s[n] == ' ');
  }
  parl_text_append(out, "\n");
}
