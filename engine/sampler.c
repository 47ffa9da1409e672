/* engine/sampler.c - masks and uniforms up, one op, tokens down. */
#include "engine/sampler.h"

static size_t count_words(const parl_sampler *s) {
  return (s->V + 63) / 64;
}

parl_status parl_sampler_init(parl_sampler *s, size_t V, size_t max_rows, parl_arena *host,
                              parl_arena *numbers) {
  const size_t n = max_rows;
  *s = (parl_sampler){.V = V, .max_rows = max_rows};
  const size_t mask_bytes = count_words(s) * sizeof *s->mask;
  PARL_TRY(parl_arena_take(numbers, n, mask_bytes, (void **)&s->mask));
  PARL_TRY(PARL_ARENA_TAKE(numbers, n, &s->uniform));
  PARL_TRY(PARL_ARENA_TAKE(numbers, n, &s->top_p));
  PARL_TRY(PARL_ARENA_TAKE(numbers, n, &s->kept));
  PARL_TRY(PARL_ARENA_TAKE(numbers, n, &s->inv_temperature));
  PARL_TRY(PARL_ARENA_TAKE(numbers, n, &s->token));
  PARL_TRY(PARL_ARENA_TAKE(numbers, n, &s->logp));
  PARL_TRY(PARL_ARENA_TAKE(numbers, n, &s->entropy));
  PARL_TRY(parl_arena_take(host, n, mask_bytes, (void **)&s->host_mask));
  PARL_TRY(PARL_ARENA_TAKE(host, n, &s->host_uniform));
  PARL_TRY(PARL_ARENA_TAKE(host, n, &s->host_top_p));
  PARL_TRY(PARL_ARENA_TAKE(host, n, &s->host_kept));
  PARL_TRY(PARL_ARENA_TAKE(host, n, &s->host_inv_temperature));
  PARL_TRY(PARL_ARENA_TAKE(host, n, &s->host_token));
  PARL_TRY(PARL_ARENA_TAKE(host, n, &s->host_logp));
  return PARL_ARENA_TAKE(host, n, &s->host_entropy);
}

static void upload(parl_sampler *s, parl_queue *queue, const parl_pick *draws, size_t n) {
  const size_t words = count_words(s);
  for (size_t i = 0; i < n; i++) {
    const double temperature = draws[i].temperature;
    for (size_t w = 0; w < words; w++)
      s->host_mask[i * words + w] = draws[i].mask != NULL ? draws[i].mask[w] : UINT64_MAX;
    s->host_inv_temperature[i] = temperature > 0.0 ? (float)(1.0 / temperature) : 0.0F;
    s->host_uniform[i] = draws[i].uniform;
    s->host_top_p[i] = draws[i].top_p > 0.0 ? draws[i].top_p : 1.0;
  }
  parl_queue_upload(queue, s->mask, s->host_mask, n * words * sizeof *s->mask);
  parl_queue_upload(queue, s->uniform, s->host_uniform, n * sizeof *s->uniform);
  parl_queue_upload(queue, s->top_p, s->host_top_p, n * sizeof *s->top_p);
  parl_queue_upload(queue, s->inv_temperature, s->host_inv_temperature,
                    n * sizeof *s->inv_temperature);
}

void parl_sampler_begin(parl_sampler *s, parl_queue *queue, float *logits, const parl_pick *draws,
                        size_t n) {
  PARL_CHECK(n <= s->max_rows);
  upload(s, queue, draws, n);
  const parl_sample_args args = {.rows = n,
                                 .V = s->V,
                                 .logits = logits,
                                 .mask = s->mask,
                                 .inv_temperature = s->inv_temperature,
                                 .uniform = s->uniform,
                                 .top_p = s->top_p,
                                 .token = s->token,
                                 .logp = s->logp,
                                 .entropy = s->entropy,
                                 .kept = s->kept};
  PARL_RUN(queue, sample, &args);
}

parl_status parl_sampler_end(parl_sampler *s, parl_queue *queue, size_t n, parl_sample *out) {
  PARL_CHECK(n <= s->max_rows);
  PARL_TRY(parl_queue_download(queue, s->host_token, s->token, n * sizeof *s->token));
  PARL_TRY(parl_queue_download(queue, s->host_logp, s->logp, n * sizeof *s->logp));
  PARL_TRY(parl_queue_download(queue, s->host_entropy, s->entropy, n * sizeof *s->entropy));
  PARL_TRY(parl_queue_download(queue, s->host_kept, s->kept, n * sizeof *s->kept));
  for (size_t i = 0; i < n; i++)
    out[i] = (parl_sample){.token = s->host_token[i],
                           .logp = s->host_logp[i],
                           .entropy = s->host_entropy[i],
                           .kept = s->host_kept[i]};
  return PARL_STATUS_OK;
}
