/* cli/cmd_replay.c - parl replay FOLDER EPISODE: a stored episode, to the same bits. */
#include <stdio.h>

#include "cli/env.h"
#include "cli/replay.h"

static void print_title(const cli_args *args, const parl_rerun *r) {
  printf("%s  arm %s  seed %lld  ", r->run.recipe, r->run.name, (long long)r->run.config.run.seed);
  if (args->update >= 0)
    printf("update %lld, episode %s", (long long)args->update, args->operands[1]);
  else
    printf("held-out task %s, %s", args->operands[1], r->decoding);
  printf("  played %s\n\n", r->how);
}

static parl_status print_text(const cli_args *args, const cli_replay *p) {
  const parl_rerun *r = &p->rerun;
  const parl_facts *f = &r->trajectory->facts;
  parl_text text = {0};
  print_title(args, r);
  env_append_timeline(&p->trace, r->env, &text);
  PARL_TRY(cli_print(&text));
  printf("\nended by %s after %g turns: r_perf %.4g, %g critical steps, %g in total, makespan %g\n",
         parl_end_text(f->end), f->turns, f->r_perf, f->critical_steps, f->total_steps,
         f->makespan);
  if (r->differences.n > 0)
    printf("differs from what is stored: %s\n", parl_text_get(&r->differences));
  else
    printf("as stored, to the last bit: %zu facts%s\n", r->n_facts,
           r->has_stages ? ", every turn" : "; its turns were not kept");
  const parl_status s = env_append_images(&p->trace, r->env, cli_has_colour(), &text);
  if (s == PARL_STATUS_OK) return cli_print(&text);
  parl_text_deinit(&text);
  return s;
}

static void put_text(parl_json_writer *w, const char *key, const char *value) {
  parl_json_key(w, key);
  parl_json_string(w, value);
}

static parl_status print_json(const cli_args *args, const cli_replay *p) {
  const parl_rerun *r = &p->rerun;
  const parl_facts *f = &r->trajectory->facts;
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  put_text(&w, "arm", r->run.name);
  parl_json_key(&w, "seed");
  parl_json_integer(&w, r->run.config.run.seed);
  put_text(&w, "decoding", r->decoding);
  if (args->update >= 0) {
    parl_json_key(&w, "update");
    parl_json_integer(&w, args->update);
  }
  parl_json_key(&w, "task_seed");
  parl_json_integer(&w, (int64_t)r->trajectory->task_seed);
  parl_json_key(&w, "episode_seed");
  parl_json_integer(&w, (int64_t)r->trajectory->episode_seed);
  put_text(&w, "played", r->how);
  parl_json_key(&w, "same");
  parl_json_bool(&w, r->differences.n == 0);
  put_text(&w, "differences", parl_text_get(&r->differences));
  parl_json_key(&w, "events");
  parl_trace_append_json(&p->trace, r->env, &w);
  parl_json_key(&w, "facts");
  parl_json_begin_object(&w);
#define X(name, unit, meaning) \
  parl_json_key(&w, #name);    \
  parl_json_number(&w, f->name);
  PARL_FACT_LIST(X)
#undef X
  put_text(&w, "end", parl_end_text(f->end));
  parl_json_end_object(&w);
  parl_json_key(&w, "details");
  parl_json_raw(&w, parl_text_get(&p->trace.details));
  parl_json_end_object(&w);
  return cli_print(&text);
}

int cmd_replay(const cli_args *args) {
  cli_replay p;
  int64_t episode;
  if (!cli_replay_read_episode(args, &episode)) return CLI_USAGE;
  parl_status s = cli_replay_play(args, episode, &p);
  if (s == PARL_STATUS_OK) s = (args->json ? print_json : print_text)(args, &p);
  const bool same = p.rerun.differences.n == 0;
  cli_replay_deinit(&p);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  return same ? CLI_DONE : CLI_FAILED;
}
