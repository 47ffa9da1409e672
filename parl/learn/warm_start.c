/* parl/learn/warm_start.c - demonstrations and imitation. */
#include "parl/learn/warm_start.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "parl/learn/learner.h"
#include "parl/swarm/context_policy.h"

#define SECTION_TYPE_ parl_warm_config
PARL_CONFIG_SECTION(parl_warm_section, "warm", "warm start by imitation", PARL_WARM_FIELDS);
#undef SECTION_TYPE_

enum { MAX_STYLES = PARL_ENV_MAX_STYLES, STYLE_BYTES = 64 };

/* --- the mixture of experts --- */

typedef struct mixture {
  size_t n;
  char styles[MAX_STYLES][STYLE_BYTES];
  double upto[MAX_STYLES]; /* cumulative shares; the last is 1 */
} mixture;

static bool has_style(const parl_env_spec *spec, const char *style) {
  for (int i = 0; i < spec->n_styles; i++)
    if (strcmp(spec->styles[i], style) == 0) return true;
  return false;
}

/* "serial=0.8,narrow=0.2": shares are positive and are normalised by their sum. */
static parl_status parse_mixture(const char *text, const parl_env_spec *spec, mixture *out) {
  *out = (mixture){0};
  double sum = 0;
  for (const char *at = text; *at != '\0';) {
    char style[STYLE_BYTES], tail;
    double share;
    char item[STYLE_BYTES * 2];
    const size_t n = strcspn(at, ",");
    if (n >= sizeof item || out->n == MAX_STYLES)
      return parl_fail(PARL_STATUS_EINVAL, "warm.mix = \"%s\": at most %d styles", text,
                       MAX_STYLES);
    memcpy(item, at, n);
    item[n] = '\0';
    if (sscanf(item, " %63[a-z0-9_] = %lf %c", style, &share, &tail) != 2 || !(share > 0) ||
        !(share <= 1e9))
      return parl_fail(PARL_STATUS_EINVAL,
                       "warm.mix = \"%s\": \"%s\" is not style=share with a positive share", text,
                       item);
    if (!has_style(spec, style)) {
      const char *near = parl_nearest(style, spec->styles, (size_t)spec->n_styles);
      return parl_fail(PARL_STATUS_EINVAL, "warm.mix: %s has no expert style \"%s\"%s%s%s",
                       spec->name, style, near ? "; did you mean \"" : "", near ? near : "",
                       near ? "\"?" : "");
    }
    memcpy(out->styles[out->n], style, sizeof style);
    sum += share;
    out->upto[out->n++] = sum;
    at += n + (at[n] == ',');
  }
  if (out->n == 0) return parl_fail(PARL_STATUS_EINVAL, "warm.mix is empty");
  for (size_t i = 0; i < out->n; i++) out->upto[i] /= sum;
  out->upto[out->n - 1] = 1.0;
  return PARL_STATUS_OK;
}

parl_status parl_warm_start_check(const parl_warm_config *config, const parl_env_spec *spec) {
  mixture mix;
  return parse_mixture(config->mix, spec, &mix);
}

/* Which of its styles. */
static size_t draw_style(const mixture *m, uint64_t seed, int64_t step, size_t i) {
  const double u = (double)parl_seed(seed, PARL_PURPOSE_DEMO_STYLE, (uint64_t)step, i) * 0x1p-53;
  size_t k = 0;
  while (u >= m->upto[k]) k++;
  return k;
}

/* --- imitation --- */

typedef struct imitation {
  const parl_imitation_def *def;
  mixture mix;
  parl_rollout *rollout;
  parl_trajectories *trajectories;
  parl_job *jobs;
  parl_seats seats[MAX_STYLES]; /* an orchestrator of each style of the mixture */
  parl_learner *learner;
  parl_failures failures;
} imitation;

static parl_status imitation_init(imitation *im) {
  const parl_warm_config *warm = im->def->warm;
  /* Demonstrations are whole: no budget cuts a serial one short. */
  parl_rollout_def demo = *im->def->rollout;
  demo.config.episode.budget_factor = 0;
  demo.config.episode.budget_steps = 0;
  const size_t n = (size_t)warm->episodes;
  demo.config.messages = (parl_message_chances){0};
  demo.seats = (parl_seats){.subs = parl_player_of_script("", 1)};
  demo.n_slots = n < 64 ? n : 64;
  PARL_TRY(parl_rollout_create(&demo, &im->rollout));
  const parl_env_spec *spec = parl_env_get_spec(parl_rollout_get_env(im->rollout));
  PARL_TRY(parse_mixture(warm->mix, spec, &im->mix));
  for (size_t i = 0; i < im->mix.n; i++)
    im->seats[i].main = parl_player_of_script(im->mix.styles[i], 1);
  const size_t max_subs = (size_t)spec->limits.max_width;
  const int32_t n_words = (spec->n_tokens + 63) / 64;
  const size_t max_mains = parl_episode_max_mains(&demo.config.episode);
  PARL_TRY(
      parl_trajectories_create(&(parl_trajectories_def){.n = n,
                                                        .max_mains = max_mains,
                                                        .context = spec->limits.context,
                                                        .max_subs = max_subs,
                                                        .sub_context = spec->limits.sub_context,
                                                        .n_words = n_words,
                                                        .shows = spec->vision.width > 0},
                               &im->trajectories));
  im->jobs = calloc(n, sizeof *im->jobs);
  if (im->jobs == NULL) return parl_fail(PARL_STATUS_ENOMEM, "warm start: no memory");
  const int longest = spec->limits.context > spec->limits.sub_context ? spec->limits.context
                                                                      : spec->limits.sub_context;
  /* The defaults, not the run's own: so that arms that differ in them share the warm start. */
  parl_optimizer_config optimizer;
  parl_config_set_defaults(&parl_optimizer_section, &optimizer);
  optimizer.lr = warm->lr;
  parl_learner_def learner = parl_learner_def_default();
  learner.model = im->def->model;
  learner.workers = demo.workers;
  learner.optimizer = &optimizer;
  learner.imitate = true;
  learner.max_sequences = n * (max_mains + max_subs);
  learner.longest = (size_t)longest;
  learner.n_words = (size_t)n_words;
  learner.vision = spec->vision;
  learner.stop = im->def->host->stop;
  return parl_learner_create(&learner, &im->learner);
}

static void imitation_deinit(imitation *im) {
  parl_learner_destroy(im->learner);
  parl_trajectories_destroy(im->trajectories);
  parl_rollout_destroy(im->rollout);
  free(im->jobs);
}

static parl_status imitation_step(imitation *im, int64_t step) {
  const uint64_t seed = (uint64_t)im->def->seed;
  const size_t n = (size_t)im->def->warm->episodes;
  for (size_t i = 0; i < n; i++)
    im->jobs[i] =
        (parl_job){.task_seed = parl_seed(seed, PARL_PURPOSE_DEMO_TASK, (uint64_t)step, i),
                   .episode_seed = parl_seed(seed, PARL_PURPOSE_DEMO_EPISODE, (uint64_t)step, i),
                   .seats = &im->seats[draw_style(&im->mix, seed, step, i)],
                   .part = PARL_PART_TRAIN,
                   .out = parl_trajectories_get(im->trajectories, i)};
  PARL_TRY(parl_rollout_run(im->rollout, im->jobs, n, NULL));
  parl_failures_add(&im->failures, im->rollout);
  PARL_TRY(parl_failures_check(&im->failures, im->def->rollout->config.env.max_failures,
                               PARL_PHASE_WARM_START, step + 1 == im->def->warm->steps));
  parl_batch *batch = parl_learner_get_batch(im->learner);
  parl_batch_reset(batch);
  for (size_t i = 0; i < n; i++) {
    const parl_trajectory *t = im->jobs[i].out;
    if (t->failed) continue;
    PARL_TRY(parl_batch_add_mains(batch, t, i, 1.0f));
    for (size_t k = 0; k < t->n_subs; k++)
      PARL_TRY(parl_batch_add_uniform(batch, &t->subs[k], i, 1.0f));
  }
  parl_learner_info info;
  PARL_TRY(parl_learner_step(im->learner, &info));
  if (im->def->host->progress != NULL && info.sums.n_tokens > 0)
    im->def->host->progress(im->def->host->context, &(parl_progress){.phase = "warm start",
                                                                     .arm = "",
                                                                     .seed = im->def->seed,
                                                                     .done = step + 1,
                                                                     .n = im->def->warm->steps,
                                                                     .r_perf = (double)NAN,
                                                                     .critical_steps = (double)NAN,
                                                                     .launch_rate = (double)NAN});
  return PARL_STATUS_OK;
}

parl_status parl_warm_start_imitate(const parl_imitation_def *def, parl_failures *failures) {
  imitation im = {.def = def};
  parl_status s = parl_fail_sizes(
      imitation_init(&im),
      "the warm start of warm.episodes = %lld demonstrations in contexts of limits.context "
      "(model.max_context = %lld)",
      (long long)def->warm->episodes, (long long)parl_model_get_config(def->model)->max_context);
  for (int64_t step = 0; s == PARL_STATUS_OK && step < def->warm->steps; step++) {
    s = parl_host_is_stopped(def->host)
            ? parl_fail(PARL_STATUS_ESTOPPED, "stopped during the warm start of seed %lld",
                        (long long)def->seed)
            : imitation_step(&im, step);
  }
  imitation_deinit(&im);
  *failures = im.failures;
  return s;
}
