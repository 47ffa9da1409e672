/* cli/model.h - parts of parl model describe.
 *
 * Reading order: model_simulations, simulate, print, write. */
#ifndef PARL_CLI_MODEL_H
#define PARL_CLI_MODEL_H
#include "core/json.h"
#include "engine/dep_simulation.h"
#include "engine/hf_config.h"

/* At 8, 256 and 4096 devices, and 10, 30 and 50 % visual tokens. */
typedef struct model_simulations {
  size_t n;
  parl_dep_simulation rows[9];
} model_simulations;

/* None of a model without a tower, of micro-batches below 16 tokens, or of devices that layout.tp
 * does not divide. Fails: ENOMEM. */
parl_status model_simulate(const parl_layout *layout, const parl_hf_config *config,
                           model_simulations *out);
/* As a table; as key "simulated". Nothing where there are none. */
void model_print_simulations(const model_simulations *all);
void model_write_simulations(const model_simulations *all, parl_json_writer *w);

#endif
