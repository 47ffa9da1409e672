/* kernels/ref/embedding.c - row lookup and its scatter.
 *
 * tokens [rows] · table [V,C] -> out [rows,C];  dtable[token] += dout[row], rows in order. */
#include <string.h>

#include "kernels/ref/ref_internal.h"

void parl_ref_embedding_fwd(PARL_NO_QUEUE, const parl_embedding_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++)
    memcpy(a->out + row * a->C, a->table + (size_t)a->tokens[row] * a->C, a->C * sizeof *a->out);
}

void parl_ref_embedding_bwd(PARL_NO_QUEUE, const parl_embedding_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++)
    for (size_t c = 0; c < a->C; c++)
      a->dtable[(size_t)a->tokens[row] * a->C + c] += a->dout[row * a->C + c];
}
