/* parl/trainer_forecast.c - the forecast of a run: made before update 0, judged after the last. */
#include <math.h>

#include "parl/trainer_internal.h"

static parl_status put_forecast(parl_trainer *t) {
  const parl_forecast *f = &t->forecast;
  const int says = parl_forecast_says_launch(f, t->config->lambda1.start, t->config->lambda2.start);
  const struct {
    const char *key;
    double value;
  } rows[] = {{"warm/launch_rate", f->launch_rate},
              {"warm/max_width", f->max_width},
              {"warm/r_perf", f->r_perf},
              {"warm/r_perf_launch", f->r_perf_launch},
              {"warm/r_perf_alone", f->r_perf_alone},
              {"warm/sub_finish_rate", f->sub_finish_rate},
              {"warm/sub_useful_rate", f->sub_useful_rate},
              {"warm/end_finish", f->end[PARL_END_FINISH]},
              {"warm/end_budget", f->end[PARL_END_BUDGET]},
              {"warm/end_context", f->end[PARL_END_CONTEXT]},
              {"forecast/gap", f->gap},
              {"forecast/lambda_star", f->lambda_star},
              {"forecast/says_launch", says < 0 ? (double)NAN : (double)says}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    PARL_TRY(parl_store_put_metric(t->store, t->run_id, 0, rows[i].key, rows[i].value));
  return PARL_STATUS_OK;
}

parl_status parl_trainer_make_forecast(parl_trainer *t) {
  if (t->config->warm.probe == 0) return PARL_STATUS_OK;
  PARL_TRY(
      parl_forecast_make(t->host, t->config, t->warm, t->sub_policy, t->workers, &t->forecast));
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = put_forecast(t);
  s = parl_store_end(t->store, s);
  const parl_forecast *f = &t->forecast;
  parl_log_write(
      t->host->log, PARL_LOG_INFO,
      "%s seed %lld: warm start r_perf %.3f, launches in %.0f%% of episodes (width %.1f), "
      "sub-agents finish %.0f%%; alone %.3f, with a launch %.3f, lambda* %.3f",
      t->arm, (long long)t->config->run.seed, f->r_perf, 100 * f->launch_rate, f->max_width,
      100 * f->sub_finish_rate, f->r_perf_alone, f->r_perf_launch, f->lambda_star);
  return s;
}

static parl_status read_value(void *context, int64_t update, const char *key, double value) {
  (void)update;
  (void)key;
  *(double *)context = value;
  return PARL_STATUS_OK;
}

parl_status parl_trainer_judge_forecast(parl_trainer *t, double launch_rate, double *held) {
  double says = (double)NAN, before = (double)NAN;
  PARL_TRY(
      parl_store_visit_metrics(t->store, t->run_id, "forecast/says_launch", read_value, &says));
  PARL_TRY(parl_store_visit_metrics(t->store, t->run_id, "warm/launch_rate", read_value, &before));
  *held = isnan(says) ? says : (double)((says > 0) == (launch_rate > before));
  return PARL_STATUS_OK;
}
