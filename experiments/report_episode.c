/* experiments/report_episode.c - the median and the worst episode of every policy, as pictures.
 *
 * Episodes of an arm are ordered by r_perf, then by critical steps, over all of its seeds: the last
 * is the worst, the middle one (of two, the better) the median. */
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "experiments/report_content.h"
#include "experiments/timeline.h"

/* Grows by doubling: what was taken before stays in the arena. */
parl_status parl_report_note_episode(parl_report *r, const parl_report_run *run,
                                     const parl_episode_row *e) {
  if (e->failed || e->stages == NULL || e->stages[0] == '\0' || isnan(e->facts.r_perf))
    return PARL_STATUS_OK;
  if (r->n_noted == r->noted_capacity) {
    parl_report_noted *grown;
    const size_t capacity = 2 * r->n_noted + 256;
    PARL_TRY(PARL_ARENA_TAKE(r->arena, capacity, &grown));
    if (r->n_noted > 0) memcpy(grown, r->noted, r->n_noted * sizeof *grown);
    r->noted = grown;
    r->noted_capacity = capacity;
  }
  r->noted[r->n_noted++] = (parl_report_noted){.arm = run->arm,
                                               .run = (size_t)(run - r->runs),
                                               .r_perf = e->facts.r_perf,
                                               .critical = e->facts.critical_steps,
                                               .task_seed = e->task_seed,
                                               .rollout = e->rollout};
  return PARL_STATUS_OK;
}

/* --- choosing --- */

static int compare_noted(const void *left, const void *right) {
  const parl_report_noted *a = left, *b = right;
  if (a->arm != b->arm) return a->arm < b->arm ? -1 : 1;
  if (a->r_perf != b->r_perf) return a->r_perf > b->r_perf ? -1 : 1;
  if (a->critical != b->critical) return a->critical < b->critical ? -1 : 1;
  if (a->run != b->run) return a->run < b->run ? -1 : 1;
  if (a->task_seed != b->task_seed) return a->task_seed < b->task_seed ? -1 : 1;
  return (a->rollout > b->rollout) - (a->rollout < b->rollout);
}

typedef struct picking {
  parl_report *r;
  const parl_report_noted *noted;
  parl_report_pick *pick;
} picking;

static parl_status keep_row(void *context, const parl_episode_row *e) {
  const picking *p = context;
  const parl_report_run *run = &p->r->runs[p->noted->run];
  if (e->task_seed != p->noted->task_seed || e->rollout != p->noted->rollout ||
      strcmp(e->decoding, "greedy") == 0 || e->update != run->eval_update[PARL_DECODING_MAIN])
    return PARL_STATUS_OK;
  p->pick->run = p->noted->run;
  p->pick->episode_seed = e->episode_seed;
  p->pick->title = (parl_timeline_title){.recipe = p->r->recipe,
                                         .arm = run->arm_name,
                                         .end = parl_end_text(e->facts.end),
                                         .seed = run->seed,
                                         .update = e->update,
                                         .task_seed = e->task_seed,
                                         .number = -1,
                                         .r_perf = e->facts.r_perf,
                                         .optimum_steps = e->facts.optimum_steps};
  PARL_TRY(parl_report_copy_text(p->r->arena, e->policy, &p->pick->title.policy));
  PARL_TRY(parl_report_copy_text(p->r->arena, e->decoding, &p->pick->title.decoding));
  PARL_TRY(parl_report_copy_text(p->r->arena, e->family, &p->pick->title.family));
  return parl_report_copy_text(p->r->arena, e->stages, &p->pick->stages);
}

/* Its place among the held-out tasks, which names it on the command line. */
static parl_status find_number(const parl_report *r, parl_report_pick *pick) {
  const char *config = r->runs[pick->run].config;
  parl_json *tree = NULL;
  if (pick->episode_seed == 0) return PARL_STATUS_OK; /* of an older parl */
  PARL_TRY(parl_json_parse(config, strlen(config), "a run's configuration", &tree));
  const double seed = parl_json_get_number(parl_json_find_path(tree, "eval.seed"));
  const double n_tasks = parl_json_get_number(parl_json_find_path(tree, "eval.tasks"));
  parl_json_destroy(tree);
  pick->title.number =
      parl_timeline_get_number((int64_t)seed, (int64_t)n_tasks, pick->episode_seed);
  return PARL_STATUS_OK;
}

static parl_status pick_one(parl_report *r, parl_store *const *stores,
                            const parl_report_noted *noted, parl_report_pick *pick) {
  picking p = {r, noted, pick};
  PARL_TRY(parl_rows_visit_episodes(stores[r->runs[noted->run].folder], r->runs[noted->run].id,
                                    keep_row, &p));
  return pick->stages != NULL ? find_number(r, pick) : PARL_STATUS_OK;
}

parl_status parl_report_pick_episodes(parl_report *r, parl_store *const *stores) {
  if (r->n_noted > 0) qsort(r->noted, r->n_noted, sizeof *r->noted, compare_noted);
  for (size_t first = 0, n; first < r->n_noted; first += n) {
    const parl_report_noted *of = &r->noted[first];
    for (n = 1; first + n < r->n_noted && of[n].arm == of[0].arm;) n++;
    parl_report_pick *picks = r->arms[of[0].arm].picks;
    PARL_TRY(pick_one(r, stores, &of[(n - 1) / 2], &picks[0]));
    if (n > 1) PARL_TRY(pick_one(r, stores, &of[n - 1], &picks[1]));
  }
  return PARL_STATUS_OK;
}

/* --- the section --- */

/* The command that shows more of it. */
static void append_command(const parl_report *r, const parl_report_pick *pick, bool has_calls,
                           parl_text *out) {
  const parl_report_run *run = &r->runs[pick->run];
  parl_text line = {0};
  parl_text_append(&line, "parl trace ");
  parl_text_append_shell(&line, r->folders[run->folder]);
  parl_text_appendf(&line, " %lld --arm ", (long long)pick->title.number);
  parl_text_append_shell(&line, run->own_name);
  parl_text_appendf(&line, " --seed %lld", (long long)pick->title.seed);
  parl_text_appendf(out, "<p class=\"note\">%s: <code>",
                    has_calls ? "Turn by turn" : "With calls and messages");
  parl_text_append_html(out, parl_text_get(&line));
  parl_text_append(out, "</code></p>\n");
  out->failed |= line.failed;
  parl_text_deinit(&line);
}

/* What was called and said, where somebody plays it again. */
static parl_status add_messages(const parl_report *r, const parl_report_pick *pick,
                                parl_timeline *t, parl_text *note) {
  const parl_report_run *run = &r->runs[pick->run];
  if (r->request == NULL || r->request->play == NULL || pick->title.number < 0)
    return PARL_STATUS_OK;
  return r->request->play(r->request->play_context, r->folders[run->folder], run->own_name,
                          run->seed, pick->title.number, t, note);
}

static parl_status append_picture(const parl_report *r, const char *which,
                                  const parl_report_pick *pick, const parl_timeline *t,
                                  const char *note, parl_text *out) {
  parl_text title = {0}, numbers = {0};
  parl_text_appendf(&title, "%s episode: ", which);
  parl_timeline_append_name(&t->title, &title);
  parl_timeline_append_numbers(t, &numbers);
  parl_page_begin_figure(out, r, parl_text_get(&title), parl_text_get(&numbers));
  parl_text_append(out, "<div class=\"scroll\">");
  const size_t from = out->n;
  parl_timeline_append_svg(t, out);
  parl_status s = parl_text_status(&title);
  if (s == PARL_STATUS_OK) s = parl_text_status(&numbers);
  if (s == PARL_STATUS_OK) s = parl_figure_keep(r, out, from);
  parl_text_append(out, "</div>\n");
  if (note[0] != '\0') {
    parl_text_append(out, "<p class=\"note\">");
    parl_text_append_html(out, note);
    parl_text_append(out, "</p>\n");
  }
  if (pick->title.number >= 0) append_command(r, pick, t->has_calls, out);
  parl_text_append(out, "</figure>\n");
  parl_text_deinit(&title);
  parl_text_deinit(&numbers);
  return s;
}

static parl_status append_pick(const parl_report *r, const char *which,
                               const parl_report_pick *pick, parl_text *out) {
  parl_timeline t;
  parl_text note = {0};
  parl_status s = parl_timeline_read(&pick->title, pick->stages, strlen(pick->stages), &t);
  if (s == PARL_STATUS_OK) s = add_messages(r, pick, &t, &note);
  if (s == PARL_STATUS_OK) s = append_picture(r, which, pick, &t, parl_text_get(&note), out);
  parl_text_deinit(&note);
  parl_timeline_deinit(&t);
  return s;
}

parl_status parl_report_append_episodes(const parl_report *r, parl_text *out) {
  static const char *const which[] = {"Median", "Worst"};
  if (r->n_noted == 0) return PARL_STATUS_OK;
  parl_text_append(out,
                   "<h2>Episodes</h2>\n<p>The median and the worst of all evaluated episodes of "
                   "each policy, by r_perf, then by critical steps. Agents are lanes; the orange "
                   "line is the critical path: every step of the orchestrator, and the longest "
                   "sub-agent of each launch.</p>\n");
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_report_arm *arm = &r->arms[a];
    if (arm->picks[0].stages == NULL) continue;
    parl_text_appendf(out, "<details%s><summary>", arm->trained ? " open" : "");
    parl_text_append_html(out, arm->name);
    parl_text_append(out, "</summary>\n");
    for (size_t i = 0; i < sizeof which / sizeof which[0]; i++)
      if (arm->picks[i].stages != NULL) PARL_TRY(append_pick(r, which[i], &arm->picks[i], out));
    parl_text_append(out, "</details>\n");
  }
  return PARL_STATUS_OK;
}
