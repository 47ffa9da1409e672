/* cli/model_simulate.c - parl model describe --layout: training with images on many devices,
 * simulated. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "engine/dep_simulation.h"

enum { LEAST_TOKENS = 16 /* of a micro-batch */ };
static const size_t DEVICES[] = {8, 256, 4096};
static const double SHARES[] = {0.1, 0.3, 0.5};
enum {
  N_DEVICES = sizeof DEVICES / sizeof DEVICES[0],
  N_SHARES = sizeof SHARES / sizeof SHARES[0]
};

parl_status model_simulate(const parl_layout *layout, const parl_hf_config *c,
                           model_simulations *out) {
  out->n = 0;
  if (c->model.vision.n_layers == 0 || layout->tokens < LEAST_TOKENS) return PARL_STATUS_OK;
  for (size_t d = 0; d < N_DEVICES; d++) {
    parl_layout fitted;
    for (size_t i = 0; i < N_SHARES && parl_dep_fit_layout(layout, DEVICES[d], &fitted); i++)
      PARL_TRY(
          parl_dep_simulate(&fitted, &c->model, c->vocab_size, SHARES[i], &out->rows[out->n++]));
  }
  return PARL_STATUS_OK;
}

void model_print_simulations(const model_simulations *all) {
  if (all->n == 0) return;
  printf(
      "training with images, simulated from FLOPs alone (no communication; docs/models.md):\n"
      "step time of text alone over that with the tower in the first stage, decoupled by\n"
      "micro-batches, decoupled and balanced; in brackets the fullest device over the mean one\n");
  printf("%7s %6s %8s  %6s %6s  %6s  %-14s %-14s %-14s\n", "devices", "stages", "replicas",
         "visual", "FLOPs", "bubble", "first stage", "unbalanced", "balanced");
  for (size_t i = 0; i < all->n; i++) {
    const parl_dep_simulation *s = &all->rows[i];
    printf("%7zu %6zu %8zu  %4.0f %% %4.0f %%  %6.3f  %.3f (%6.3f) %.3f (%6.3f) %.3f (%6.3f)\n",
           s->devices, s->stages, s->replicas, 100 * s->share, 100 * s->vision, s->text_bubble,
           s->inside.efficiency, s->inside.max_mean, s->unbalanced.efficiency,
           s->unbalanced.max_mean, s->balanced.efficiency, s->balanced.max_mean);
  }
}

static void write_number(parl_json_writer *w, const char *key, double x) {
  parl_json_key(w, key);
  parl_json_number(w, x);
}

static void write_way(parl_json_writer *w, const char *key, const parl_dep_simulated *x) {
  parl_json_key(w, key);
  parl_json_begin_object(w);
  write_number(w, "efficiency", x->efficiency);
  write_number(w, "max_mean", x->max_mean);
  write_number(w, "bubble", x->bubble);
  parl_json_end_object(w);
}

void model_write_simulations(const model_simulations *all, parl_json_writer *w) {
  if (all->n == 0) return;
  parl_json_key(w, "simulated");
  parl_json_begin_array(w);
  for (size_t i = 0; i < all->n; i++) {
    const parl_dep_simulation *s = &all->rows[i];
    parl_json_begin_object(w);
    write_number(w, "devices", (double)s->devices);
    write_number(w, "stages", (double)s->stages);
    write_number(w, "replicas", (double)s->replicas);
    write_number(w, "visual_share", s->share);
    write_number(w, "vision_flops_share", s->vision);
    write_number(w, "text_bubble", s->text_bubble);
    write_way(w, "first_stage", &s->inside);
    write_way(w, "unbalanced", &s->unbalanced);
    write_way(w, "balanced", &s->balanced);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}
