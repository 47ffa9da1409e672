/* experiments/report_vega_page.c - where specifications and scripts stand in the page, and what it
 * allows them.
 *
 * Only the two scripts of the program run, by their hashes: whatever a name may smuggle into the
 * page, no script does; and nothing may be fetched. */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "experiments/report_vega.h"

static bool has_scripts(const parl_report *r) {
  return !r->plain && parl_report_libraries[0] != '\0';
}

static const char begin[] = "<script type=\"application/json\" class=\"spec\">";
static const char end[] = "</script>\n";

static const struct {
  void (*draw)(parl_text *out, const parl_report *r);
  void (*specify)(parl_text *out, const parl_report *r);
} drawings[] = {
    {parl_chart_append_scatter, parl_vega_append_scatter},
    {parl_chart_append_dots, parl_vega_append_dots},
    {parl_chart_append_endings, parl_vega_append_endings},
    {parl_chart_append_aggregates, parl_vega_append_aggregates},
    {parl_chart_append_improvements, parl_vega_append_improvements},
};

/* Of the scatter, whose drawing has the names beside its points; shown by the script. */
static void append_legend(parl_text *page, const parl_report *r) {
  parl_series series[PARL_VEGA_MAX_NAMES];
  const size_t n = r->n_arms < PARL_VEGA_MAX_NAMES ? r->n_arms : PARL_VEGA_MAX_NAMES;
  for (size_t a = 0; a < n; a++) series[a] = (parl_series){.name = r->arms[a].name, .style = a};
  parl_text_append(page, "<div class=\"screen\" hidden>");
  parl_chart_append_legend(page, series, n);
  parl_text_append(page, "</div>\n");
}

void parl_vega_specify_drawing(parl_text *page, const parl_report *r,
                               void (*draw)(parl_text *out, const parl_report *r)) {
  for (size_t i = 0; i < sizeof drawings / sizeof drawings[0] && has_scripts(r); i++) {
    if (drawings[i].draw != draw) continue;
    parl_text_append(page, begin);
    drawings[i].specify(page, r);
    parl_text_append(page, end);
    if (draw == parl_chart_append_scatter) append_legend(page, r);
  }
}

void parl_vega_specify_lines(parl_text *page, const parl_report *r, const parl_line_chart *c) {
  if (!has_scripts(r)) return;
  parl_text_append(page, begin);
  parl_vega_append_lines(page, c);
  parl_text_append(page, end);
}

void parl_vega_specify_front(parl_text *page, const parl_report *r, const parl_vega_front *front) {
  if (!has_scripts(r)) return;
  parl_text_append(page, begin);
  parl_vega_append_front(page, front);
  parl_text_append(page, end);
}

parl_status parl_vega_specify_map(parl_text *page, const parl_report *r) {
  if (!has_scripts(r)) return PARL_STATUS_OK;
  parl_text_append(page, begin);
  const parl_status s = parl_vega_append_map(page, r);
  parl_text_append(page, end);
  return s;
}

/* Base64 of a hash. */
static void append_hash(parl_text *out, const char hex[PARL_HASH_HEX_BYTES]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  unsigned bytes[PARL_HASH_BYTES + 1] = {0};
  for (size_t i = 0; i < PARL_HASH_BYTES; i++) (void)sscanf(hex + 2 * i, "%2x", &bytes[i]);
  parl_text_append(out, " 'sha256-");
  for (size_t i = 0; i < PARL_HASH_BYTES; i += 3) {
    const unsigned three =
        bytes[i] << 16 | bytes[i + 1] << 8 | (i + 2 < PARL_HASH_BYTES ? bytes[i + 2] : 0);
    for (int k = 3; k >= 0; k--)
      if (k > 0 || i + 2 < PARL_HASH_BYTES)
        parl_text_append_bytes(out, &digits[three >> 6 * k & 63], 1);
  }
  parl_text_append(out, "='");
}

void parl_vega_append_policy(parl_text *page, const parl_report *r) {
  parl_text_append(page,
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'; img-src data: blob:");
  if (has_scripts(r)) {
    parl_text_append(page, "; script-src");
    char hash[PARL_HASH_HEX_BYTES];
    parl_hash_bytes(parl_report_charts, strlen(parl_report_charts), hash);
    append_hash(page, hash);
    append_hash(page, parl_report_libraries_hash);
  }
  parl_text_append(page, "\">\n");
}

void parl_vega_append_scripts(parl_text *page, const parl_report *r) {
  const char *why = r->plain ? "as was asked for"
                             : "since this program was built without Vega-Lite (make deps gets it "
                               "where npm is)";
  if (has_scripts(r)) {
    parl_text_append(page, "<!--\n");
    parl_text_append(page, parl_report_notices);
    parl_text_append(page, "-->\n<script type=\"application/gzip\" id=\"libraries\">");
    parl_text_append(page, parl_report_libraries);
    parl_text_append(page, "</script>\n<script>");
    parl_text_append(page, parl_report_charts);
    parl_text_append(page, "</script>\n");
  }
  parl_text_appendf(page, "<p class=\"note\">This page is %.1f MB", 1e-6 * (double)page->n);
  if (has_scripts(r))
    parl_text_appendf(page,
                      ", %.1f MB of it Vega, Vega-Lite and vega-embed, which draw its charts; it "
                      "fetches nothing.</p>\n",
                      1e-6 * (double)strlen(parl_report_libraries));
  else
    parl_text_appendf(page, "; its charts are plain drawings, %s.</p>\n", why);
}
