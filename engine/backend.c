/* engine/backend.c - a backend by name, apart from the model: programs that only read files of
 * models link no kernels. */
#include <string.h>

#include "engine/model.h"
#include "kernels/cuda/cuda.h"

parl_status parl_model_select_backend(const char *name, const char *dtype,
                                      const parl_backend **out) {
  return parl_backend_select(name, dtype, out);
}

bool parl_model_name_card(const parl_backend *backend, char *text, size_t n) {
  return strncmp(backend->name, "cuda", 4) == 0 && parl_cuda_name_card(text, n) == PARL_STATUS_OK;
}

const char *parl_model_explain_auto(const char *name) {
  const parl_backend *backend;
  if (strcmp(name, "auto") != 0) return NULL;
  return parl_backend_find("cuda", &backend) == PARL_STATUS_OK ? NULL : parl_error_text();
}
