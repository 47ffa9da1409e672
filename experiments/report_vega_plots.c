/* experiments/report_vega_plots.c - Vega-Lite of what compares policies: panels of intervals, the
 * scatter, ends of episodes. The numbers are those of the drawings, read by the same functions. */
#include <stdio.h>
#include <stdlib.h>

#include "experiments/report_vega.h"

/* Policies of a figure: their names and styles. */
typedef struct shown {
  const char *names[PARL_VEGA_MAX_NAMES];
  size_t styles[PARL_VEGA_MAX_NAMES], n;
} shown;

static void show(shown *s, const parl_report *r, size_t arm) {
  s->names[s->n] = r->arms[arm].name;
  s->styles[s->n++] = arm;
}

/* --- panels: a row a policy, a value with its interval --- */

typedef struct parl_vega_panel {
  const char *title;
  double low, high, level; /* level: a line; NaN: none */
  int digits;
} parl_vega_panel;

enum { SEED, MAIN, BELOW }; /* kinds of rows: a single seed; the value; another below it, hollow */

static void add_row(parl_vega_rows *rows, size_t panel, size_t series, int kind, double value,
                    double lo, double hi, size_t n) {
  const double values[] = {(double)panel, (double)series, kind, value, lo, hi, (double)n};
  if (isfinite(value)) parl_vega_add_row(rows, values, sizeof values / sizeof values[0], 0);
}

/* Interval and marker of a kind of rows. */
static void add_marks(parl_text *out, int kind, const char *format, bool has_n) {
  const int offset = kind == BELOW ? 10 : 0;
  parl_vega_add(out,
                ",{'transform':[{'filter':'datum.k==%d'}],'layer':[{'mark':{'type':'rule',"
                "'strokeWidth':2,'yOffset':%d,'clip':true,'aria':false},'encoding':{'shape':null,"
                "'x':{'field':'lo','type':'quantitative'},'x2':{'field':'hi'}}},"
                "{'mark':{'type':'point','filled':%s,'opacity':1,'size':%d,'yOffset':%d},"
                "'encoding':{'tooltip':[{'field':'name','title':'policy'},"
                "{'field':'v','format':'%s','title':'%s'},"
                "{'field':'interval','title':'95 %% interval'}%s]}}]}",
                kind, offset, kind == MAIN ? "true" : "false", kind == MAIN ? 80 : 36, offset,
                format, kind == MAIN ? "value" : "greedy", has_n ? ",{'field':'n'}" : "");
}

static void add_panel(parl_text *out, const parl_vega_panel *p, size_t i, const shown *s,
                      bool has_seeds, int step) {
  char format[16], soft[16];
  parl_vega_get_format(p->digits, fmax(fabs(p->low), fabs(p->high)), format);
  parl_vega_get_colour("--soft", soft);
  parl_vega_add(out,
                "%s{'title':'%s','width':130,'height':{'step':%d},'transform':[{'filter':"
                "'datum.p==%zu'}," PARL_VEGA_INTERVAL
                "],'encoding':{"
                "'x':{'field':'v','type':'quantitative','title':null,"
                "'scale':{'domain':[%.6g,%.6g],'nice':false},'axis':{'tickCount':3}},"
                "'y':{'field':'s','type':'ordinal','title':null,'axis':{'labels':%s,"
                "'labelExpr':'names[datum.value]','labelLimit':140,'ticks':false,'domain':false}},",
                i > 0 ? "," : "", p->title, step, i, format, format, p->low, p->high,
                i == 0 ? "true" : "false");
  parl_vega_add_styles(out, s->styles, s->n);
  parl_vega_add(out,
                "},'layer':[{'transform':[{'filter':'datum.k==0'}],'mark':{'type':'point',"
                "'filled':true,'opacity':0.4,'size':14,'aria':false},'encoding':{"
                "'shape':null,'tooltip':[{'field':'name','title':'policy'},"
                "{'field':'v','format':'%s','title':'one seed'}]}}",
                format);
  if (isfinite(p->level))
    parl_vega_add(out,
                  ",{'data':{'values':[{}]},'mark':{'type':'rule','strokeDash':[5,4],"
                  "'color':'%s'},'encoding':{'x':{'datum':%.6g},'y':null,'color':null,"
                  "'shape':null}}",
                  soft, p->level);
  add_marks(out, MAIN, format, has_seeds);
  if (has_seeds) add_marks(out, BELOW, format, true);
  parl_text_append(out, "]}");
}

static void add_panels(parl_text *out, const char *description, const parl_vega_panel *panels,
                       size_t n, const shown *s, bool has_seeds, const parl_vega_rows *rows) {
  parl_vega_begin(out, description, s->names, s->n, false);
  parl_vega_add_data(out, "p,s,k,v,lo,hi,n", rows);
  parl_vega_add(out, "],'resolve':{'scale':{'y':'shared'}},'spacing':16,'columns':%zu,'concat':[",
                n);
  for (size_t i = 0; i < n; i++) add_panel(out, &panels[i], i, s, has_seeds, has_seeds ? 30 : 26);
  parl_text_append(out, "]}");
}

static void add_summary(parl_vega_rows *rows, size_t panel, size_t series, int kind,
                        const parl_summary *s) {
  add_row(rows, panel, series, kind, s->iqm, s->lo, s->hi, s->n);
}

void parl_vega_append_dots(parl_text *out, const parl_report *r) {
  parl_vega_panel panels[PARL_N_DOT_PANELS];
  shown s = {.n = 0};
  parl_vega_rows rows = {0};
  for (size_t a = 0; a < r->n_arms && s.n < PARL_VEGA_MAX_NAMES; a++) show(&s, r, a);
  for (size_t i = 0; i < PARL_N_DOT_PANELS; i++) {
    const parl_score score = parl_dots_get_score(i);
    const parl_axis axis = parl_dots_make_axis(r, i);
    panels[i] = (parl_vega_panel){
        .title = parl_score_infos[score].label,
        .low = axis.low,
        .high = axis.high,
        .level = parl_dots_has_optimum(i) ? parl_report_get_optimum(r) : (double)NAN,
        .digits = parl_score_infos[score].digits};
    for (size_t k = 0; k < r->n_runs; k++)
      if (r->runs[k].counted && r->runs[k].arm < s.n)
        add_row(&rows, i, r->runs[k].arm, SEED,
                parl_run_scores(r, &r->runs[k], PARL_DECODING_MAIN, 0)->of[score], NAN, NAN, 0);
    for (size_t a = 0; a < s.n; a++) {
      add_summary(&rows, i, a, MAIN, parl_arm_score(r, &r->arms[a], PARL_DECODING_MAIN, 0, score));
      add_summary(&rows, i, a, BELOW,
                  parl_arm_score(r, &r->arms[a], PARL_DECODING_GREEDY, 0, score));
    }
  }
  add_panels(out, "Scores of every policy with 95 % intervals", panels, PARL_N_DOT_PANELS, &s, true,
             &rows);
  parl_vega_end_rows(&rows, out);
}

void parl_vega_append_aggregates(parl_text *out, const parl_report *r) {
  parl_vega_panel panels[PARL_N_AGGREGATES];
  shown s = {.n = 0};
  parl_vega_rows rows = {0};
  for (size_t a = 0; a < r->n_arms && s.n < PARL_VEGA_MAX_NAMES; a++)
    if (r->arms[a].strata.n_tasks > 0) show(&s, r, a);
  for (size_t i = 0; i < PARL_N_AGGREGATES; i++) {
    const parl_axis axis = parl_aggregates_make_axis(r, i, 0, 1);
    panels[i] = (parl_vega_panel){parl_aggregates_get_title(i), axis.low, axis.high, NAN, 3};
    for (size_t k = 0; k < s.n; k++) {
      const parl_estimate *e = parl_aggregates_get(&r->arms[s.styles[k]].strata, i);
      add_row(&rows, i, k, MAIN, e->value, e->lo, e->hi, 0);
    }
  }
  add_panels(out, "Interquartile mean, mean, median and optimality gap of r_perf", panels,
             PARL_N_AGGREGATES, &s, false, &rows);
  parl_vega_end_rows(&rows, out);
}

void parl_vega_append_improvements(parl_text *out, const parl_report *r) {
  const parl_vega_panel chance = {"P(better than the reference)", 0, 1, 0.5, 3};
  shown s = {.n = 0};
  parl_vega_rows rows = {0};
  for (size_t a = 0; a < r->n_arms && s.n < PARL_VEGA_MAX_NAMES; a++) {
    const parl_estimate *e = &r->arms[a].strata.improvement;
    if (!isfinite(e->value)) continue;
    add_row(&rows, 0, s.n, MAIN, e->value, e->lo, e->hi, 0);
    show(&s, r, a);
  }
  add_panels(out, "Chance that a seed of each policy beats one of the reference", &chance, 1, &s,
             false, &rows);
  parl_vega_end_rows(&rows, out);
}

/* --- scatter --- */

enum { N_SPOT = 12 }; /* columns */

/* Kinds of rows: 0 a single seed at (x, y); 1 a policy, ended at z, its label at (lx, ly). */
static void add_spots(parl_vega_rows *rows, const parl_report *r, const parl_scatter *where,
                      size_t n) {
  for (size_t i = 0; i < r->n_runs; i++) {
    const double *of = parl_run_scores(r, &r->runs[i], PARL_DECODING_MAIN, 0)->of;
    const double values[] = {0,
                             (double)r->runs[i].arm,
                             of[PARL_SCORE_last_gain_steps],
                             of[PARL_SCORE_r_perf],
                             NAN,
                             NAN,
                             NAN,
                             NAN,
                             NAN,
                             NAN,
                             NAN,
                             1};
    if (r->runs[i].counted && r->runs[i].arm < n) parl_vega_add_row(rows, values, N_SPOT, 0);
  }
  for (size_t a = 0; a < n; a++) {
    const parl_decoding main = PARL_DECODING_MAIN;
    const parl_summary *x = parl_arm_score(r, &r->arms[a], main, 0, PARL_SCORE_last_gain_steps),
                       *y = parl_arm_score(r, &r->arms[a], main, 0, PARL_SCORE_r_perf),
                       *z = parl_arm_score(r, &r->arms[a], main, 0, PARL_SCORE_critical_steps);
    const double values[] = {1,
                             (double)a,
                             x->iqm,
                             y->iqm,
                             x->lo,
                             x->hi,
                             y->lo,
                             y->hi,
                             z->iqm,
                             where->label_x[a],
                             where->label_y[a],
                             (double)y->n};
    if (isfinite(x->iqm) && isfinite(y->iqm)) parl_vega_add_row(rows, values, N_SPOT, 0);
  }
}

static void add_optimum(parl_text *out, const parl_report *r, double y) {
  char soft[16], label[64];
  const double optimum = parl_report_get_optimum(r);
  if (!isfinite(optimum)) return;
  parl_vega_get_colour("--soft", soft);
  snprintf(label, sizeof label, "%s %.2f", parl_report_get_optimum_label(r), optimum);
  parl_vega_add(
      out,
      ",{'data':{'values':[{}]},'encoding':{'x':{'datum':%.6g},'y':null,'color':null,"
      "'shape':null},'layer':[{'mark':{'type':'rule','strokeDash':[5,4],'color':'%s',"
      "'clip':true}},{'mark':{'type':'text','align':'left','dx':5,'dy':-8,"
      "'color':'%s','clip':true},'encoding':{'y':{'datum':%.6g},'text':{'value':'%s'}}}]}",
      optimum, soft, soft, y, label);
}

/* Interval along `axis`; the dotted tail to where episodes end; markers; names. */
static void add_policies(parl_text *out) {
  static const char policy[] = "{'filter':'datum.k==1'}";
  char ink[16];
  parl_vega_get_colour("--ink", ink);
  parl_vega_add(out,
                ",{'transform':[%s],'mark':{'type':'rule','strokeWidth':2,'clip':true,"
                "'aria':false},'encoding':{'shape':null,'x':{'field':'xlo'},'x2':{'field':'xhi'}}},"
                "{'transform':[%s],'mark':{'type':'rule','strokeWidth':2,'clip':true,"
                "'aria':false},'encoding':{'shape':null,'y':{'field':'ylo'},'y2':{'field':'yhi'}}}",
                policy, policy);
  parl_vega_add(
      out,
      ",{'transform':[%s],'mark':{'type':'rule','strokeDash':[1,3],'clip':true,"
      "'aria':false},'encoding':{'shape':null,'x2':{'field':'z'}}},"
      "{'transform':[%s,{'filter':'isValid(datum.z)'}],'mark':{'type':'point',"
      "'filled':false,'size':36,'clip':true,'aria':false},'encoding':{'x':{'field':'z'}}}",
      policy, policy);
  parl_vega_add(out,
                ",{'transform':[%s],'params':[{'name':'zoom','bind':'scales','select':{"
                "'type':'interval','zoom':'wheel![event.ctrlKey]'}}],'mark':{'type':'point',"
                "'filled':true,'opacity':1,'size':90,'clip':true},'encoding':{'tooltip':["
                "{'field':'name','title':'policy'},{'field':'y','format':'.3f','title':'r_perf'},"
                "{'field':'interval','title':'95 %% interval'},"
                "{'field':'x','format':'.2f','title':'critical steps at the last gain'},"
                "{'field':'steps','title':'its 95 %% interval'},"
                "{'field':'z','format':'.2f','title':'critical steps at the end'},"
                "{'field':'n'}]}}",
                policy);
  parl_vega_add(out,
                ",{'transform':[%s,{'filter':'isValid(datum.lx)'}],'encoding':{'x':{'field':'lx'},"
                "'y':{'field':'ly'}},'layer':[{'mark':{'type':'point','filled':true,'opacity':1,"
                "'size':36,'xOffset':4,'clip':true,'aria':false}},{'mark':{'type':'text',"
                "'align':'left','dx':12,'limit':150,'color':'%s','clip':true},'encoding':{"
                "'color':null,'shape':null,'text':{'field':'name'}}}]}",
                policy, ink);
}

void parl_vega_append_scatter(parl_text *out, const parl_report *r) {
  parl_scatter where;
  shown s = {.n = 0};
  parl_vega_rows rows = {0};
  if (parl_scatter_place(r, &where) != PARL_STATUS_OK) {
    out->failed = 1;
    return;
  }
  for (size_t a = 0; a < r->n_arms && s.n < PARL_VEGA_MAX_NAMES; a++) show(&s, r, a);
  add_spots(&rows, r, &where, s.n);
  parl_vega_begin(out, "r_perf against critical steps at the last gain, one point a policy",
                  s.names, s.n, true);
  parl_vega_add_data(out, "k,s,x,y,xlo,xhi,ylo,yhi,z,lx,ly,n", &rows);
  parl_vega_add(
      out,
      ",{'calculate':'datum.ylo','as':'lo'},{'calculate':'datum.yhi','as':'hi'}," PARL_VEGA_INTERVAL
      ",{'calculate':'isValid(datum.xlo)?`[`+format(datum.xlo,`.2f`)+"
      "`, `+format(datum.xhi,`.2f`)+`]`:`none`','as':'steps'}],"
      "'width':500,'height':330,'autosize':{'type':'fit','contains':'padding'},"
      "'encoding':{'x':{'field':'x','type':'quantitative','scale':{'domain':[%.6g,%.6g],"
      "'nice':false},'axis':{'tickCount':6},"
      "'title':'critical steps at the last gain; hollow: at the end'},"
      "'y':{'field':'y','type':'quantitative','scale':{'domain':[%.6g,%.6g],"
      "'nice':false},'axis':{'tickCount':5},'title':'r_perf'},",
      ".3f", ".3f", where.x.low, where.x.high, where.y.low, where.y.high);
  parl_vega_add_styles(out, s.styles, s.n);
  parl_vega_add(out,
                "},'layer':[{'transform':[{'filter':'datum.k==0'}],'mark':{'type':'circle',"
                "'opacity':0.4,'size':18,'clip':true,'aria':false},'encoding':{'shape':null,"
                "'tooltip':[{'field':'name','title':'policy, one seed'},"
                "{'field':'y','format':'.3f','title':'r_perf'},"
                "{'field':'x','format':'.2f','title':'critical steps at the last gain'}]}}");
  add_optimum(out, r, where.y.low);
  add_policies(out);
  parl_text_append(out, "]}");
  parl_vega_end_rows(&rows, out);
}

/* --- ends of episodes: here the legend has the reasons --- */

void parl_vega_append_endings(parl_text *out, const parl_report *r) {
  enum { N_ENDS = PARL_SCORE_end_error - PARL_SCORE_end_finish + 1 };
  const char *names[N_ENDS];
  size_t n_bars = 0;
  parl_vega_rows rows = {0};
  for (size_t e = 0; e < N_ENDS; e++) names[e] = parl_score_infos[PARL_SCORE_end_finish + e].label;
  for (size_t a = 0; a < r->n_arms; a++) {
    n_bars += parl_arm_score(r, &r->arms[a], PARL_DECODING_MAIN, 0, PARL_SCORE_end_finish)->n > 0;
    for (size_t e = 0; e < N_ENDS; e++) {
      const parl_summary *share = parl_arm_score(r, &r->arms[a], PARL_DECODING_MAIN, 0,
                                                 (parl_score)(PARL_SCORE_end_finish + e));
      if (share->n == 0 || !(share->mean > 0)) continue;
      parl_vega_add_row(&rows, (double[]){(double)a, (double)e, share->mean, (double)share->n}, 4,
                        0);
    }
  }
  parl_vega_begin(out, "What ended episodes, as shares of all", names, N_ENDS, false);
  parl_vega_add(out, ",{'name':'policies','value':[");
  for (size_t a = 0; a < r->n_arms; a++) {
    parl_text_append(out, a > 0 ? "," : "");
    parl_vega_add_string(out, r->arms[a].name);
  }
  parl_vega_add(out, "]}");
  parl_vega_add_data(out, "a,s,v,n", &rows);
  parl_vega_add(out,
                ",{'calculate':'policies[datum.a]','as':'policy'}],'width':480,"
                "'height':%zu,'autosize':{'type':'fit','contains':'padding'},'encoding':{"
                "'y':{'field':'a','type':'ordinal','title':null,"
                "'axis':{'labelExpr':'policies[datum.value]','labelLimit':130,'ticks':false,"
                "'domain':false}},'x':{'field':'v','type':'quantitative','stack':'zero',"
                "'title':null,'scale':{'domain':[0,1]},'axis':{'format':'.0%%','tickCount':5}},"
                "'order':{'field':'s','type':'quantitative'}},",
                30 + 30 * n_bars);
  parl_vega_add(out,
                "'layer':[{'mark':{'type':'bar','height':{'band':0.74}},'encoding':{"
                "'color':{'field':'s','type':'nominal','legend':{'title':null,'labelExpr':"
                "'names[datum.value]'},'scale':{'domain':[0,1,2,3,4],'range':[");
  for (size_t e = 0; e < N_ENDS; e++) {
    char name[8];
    size_t n = 0;
    snprintf(name, sizeof name, ".e%zu", e);
    const char *colour = parl_figure_find_fill(name, &n);
    parl_vega_add(out, "%s'%.*s'", e > 0 ? "," : "", (int)n, colour);
  }
  parl_vega_add(out,
                "]}},'tooltip':[{'field':'policy'},{'field':'name','title':'ended by'},"
                "{'field':'v','format':'.1%%','title':'share of episodes'},{'field':'n'}]}},"
                "{'transform':[{'filter':'datum.v>0.08'}],'mark':{'type':'text','color':"
                "'#111','tooltip':null},'encoding':{'x':{'field':'v','bandPosition':0.5},"
                "'text':{'field':'v','format':'.0%%'}}}]}");
  parl_vega_end_rows(&rows, out);
}
