/* experiments/report_vega_front.c - Vega-Lite of a Pareto front: stairs, intervals, markers. */
#include "experiments/report_vega.h"

enum { N_COLUMNS = 10 };

static void add_rows(parl_text *out, const parl_vega_front *front, size_t n) {
  parl_vega_rows rows = {0};
  for (size_t i = 0; i < n; i++) {
    const parl_vega_spot *p = &front->spots[i];
    const double values[N_COLUMNS] = {(double)i,      p->steps->iqm,     p->steps->lo, p->steps->hi,
                                      p->perf->iqm,   p->perf->lo,       p->perf->hi,  p->is_front,
                                      (double)p->env, (double)p->perf->n};
    parl_vega_add_row(&rows, values, N_COLUMNS, 0);
  }
  parl_vega_add_data(out, "s,x,xlo,xhi,y,lo,hi,f,g,n", &rows);
  parl_vega_end_rows(&rows, out);
}

/* The rule of the optimum and the stairs of each environment. */
static void add_lines(parl_text *out, const parl_vega_front *front) {
  char soft[16];
  parl_vega_get_colour("--soft", soft);
  parl_vega_add(out,
                ",'layer':[{'transform':[{'filter':'datum.f==1'}],'mark':{'type':'line',"
                "'interpolate':'step-after','color':'%s','strokeWidth':1.5,'clip':true,"
                "'aria':false,'tooltip':null},'encoding':{'color':null,'shape':null,"
                "'detail':{'field':'g'}}}",
                soft);
  if (isfinite(front->optimum))
    parl_vega_add(out,
                  ",{'data':{'values':[{}]},'mark':{'type':'rule','strokeDash':[5,4],"
                  "'color':'%s','clip':true},'encoding':{'x':{'datum':%.6g},'y':null,"
                  "'color':null,'shape':null}}",
                  soft, front->optimum);
}

static void add_intervals(parl_text *out) {
  parl_vega_add(out,
                ",{'mark':{'type':'rule','strokeWidth':2,'clip':true,'aria':false},'encoding':"
                "{'shape':null,'x':{'field':'xlo'},'x2':{'field':'xhi'}}},"
                "{'mark':{'type':'rule','strokeWidth':2,'clip':true,'aria':false},'encoding':"
                "{'shape':null,'y':{'field':'lo'},'y2':{'field':'hi'}}}");
}

/* Filled: on the front; hollow: beaten. */
static void add_markers(parl_text *out, bool is_front) {
  parl_vega_add(out,
                ",{'transform':[{'filter':'datum.f==%d'}],%s'mark':{'type':'point','filled':%s,"
                "'opacity':1,'size':90,'clip':true},'encoding':{'tooltip':[{'field':'name',"
                "'title':'policy'},{'field':'y','format':'.3f','title':'r_perf'},"
                "{'field':'interval','title':'95 %% interval'},{'field':'x','format':'.2f',"
                "'title':'critical steps'},{'field':'steps','title':'its 95 %% interval'},"
                "{'field':'n'}]}}",
                is_front,
                is_front ? "'params':[{'name':'zoom','bind':'scales','select':{'type':'interval',"
                           "'zoom':'wheel![event.ctrlKey]'}}],"
                         : "",
                is_front ? "true" : "false");
}

void parl_vega_append_front(parl_text *out, const parl_vega_front *front) {
  const char *names[PARL_VEGA_MAX_NAMES] = {NULL};
  size_t styles[PARL_VEGA_MAX_NAMES] = {0};
  const size_t n = front->n < PARL_VEGA_MAX_NAMES ? front->n : PARL_VEGA_MAX_NAMES;
  for (size_t i = 0; i < n; i++) {
    names[i] = front->spots[i].series->name;
    styles[i] = front->spots[i].series->style;
  }
  parl_vega_begin(out, front->title, names, n, true);
  add_rows(out, front, n);
  parl_vega_add(out,
                "," PARL_VEGA_INTERVAL
                ",{'calculate':'isValid(datum.xlo)?`[`+format(datum.xlo,`.2f`)+`, `+"
                "format(datum.xhi,`.2f`)+`]`:`none`','as':'steps'}],'width':500,'height':280,"
                "'autosize':{'type':'fit','contains':'padding'},'encoding':{'x':{'field':'x',"
                "'type':'quantitative','scale':{'domain':[%.6g,%.6g],'nice':false},'axis':{"
                "'tickCount':6},'title':'critical steps at the end'},'y':{'field':'y',"
                "'type':'quantitative','scale':{'domain':[%.6g,%.6g],'nice':false},'axis':{"
                "'tickCount':5},'title':'r_perf'},",
                ".3f", ".3f", front->x.low, front->x.high, front->y.low, front->y.high);
  parl_vega_add_styles(out, styles, n);
  parl_text_append(out, "}");
  add_lines(out, front);
  add_intervals(out);
  add_markers(out, true);
  add_markers(out, false);
  parl_text_append(out, "]}");
}
