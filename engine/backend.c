/* engine/backend.c - a backend by name, apart from the model: programs that only read files of
 * models link no kernels. */
#include "engine/model.h"

parl_status parl_model_select_backend(const char *name, const char *dtype,
                                      const parl_backend **out) {
  return parl_backend_select(name, dtype, out);
}
